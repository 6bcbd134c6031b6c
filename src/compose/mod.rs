//! What is sent, made from a referral: pure, and composed once, so that every attempt sends the same bytes.

pub mod acknowledgement;
pub mod confirmation;
pub mod cover_page;
pub mod hl7_answer;
pub mod hl7_referral;
pub mod labels;
mod paper;
pub mod searchable;
mod summary;
mod typeset;

pub use paper::{CODE_CHARS_MAX, ComposeError, Document, PageFace, PageImage};
