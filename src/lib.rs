//! Loopline: an integration engine for patient referrals.

pub mod commands;
pub mod compose;
pub mod config;
pub mod delivery;
pub mod engine;
pub mod ids;
pub mod inbound;
pub mod message;
pub mod normalize;
pub mod outbound;
pub mod protocols;
pub mod reader;
pub mod referral;
pub mod store;
pub mod telemetry;
