//! The referral: its record, its status table, its reference number, what a reply says. No I/O here.

mod record;
mod reference;
mod reply;
mod status;
mod token;

pub use record::{
    Address, Appointment, Attachment, Authorization, Code, Coverage, Evidence, HeldReason, Identifier, Identifiers, IsoDate,
    Patient, PatientIdentifier, PendingReply, PersonName, Phone, PhoneUse, Priority, Problem, Provider, Record, Referral,
    ReferralKind, Request, Sex, Source,
};
pub use reference::Reference;
pub use reply::{Reply, ReplyOutcome};
pub use status::{HistoryEntry, HistoryEvent, Status, Turn};
pub use token::{Token, TokenKey};
