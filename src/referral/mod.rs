//! The referral: its record, its status table, its reference number, what a reply says. No I/O here.

mod allergy;
pub mod checks;
mod fields;
mod notes;
mod pages;
mod record;
mod reference;
mod reply;
mod returned;
mod status;
mod token;
mod values;

pub use allergy::Allergy;
pub(crate) use fields::set_path;
pub use notes::{Note, SpecialistsNote};
pub use pages::{FaxPage, Look, PageKind, Split};
pub use record::{Evidence, HeldReason, PendingReply, Problem, Record, Referral, Source};
pub use reference::Reference;
pub use reply::{Booking, Compare, Reply, ReplyOutcome};
pub use returned::{Handwriting, PageForm, ReturnedBox, ReturnedPage, Tick};
pub use status::{HistoryEntry, HistoryEvent, Status, Turn};
pub use token::{Answerer, Token, TokenKey};
pub use values::{
    Address, Appointment, Attachment, Authorization, Code, Coverage, Identifier, Identifiers, IsoDate, Patient,
    PatientIdentifier, PersonName, Phone, PhoneUse, Priority, Provider, ReferralKind, Request, Sex,
};
