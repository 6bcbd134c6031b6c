//! The ways out: each outbound connector sends one delivery once. The engine retries, with what [`SendError`] says.
//!
//! Adding a connector type is one new file and three lines here: the module, the variant, the match arm.

pub mod email;
pub mod fax;
pub mod mllp;

use std::{fmt, future::Future, io, path::Path};

use bytes::Bytes;
use serde::Deserialize;

use crate::delivery::Delivery;

/// One way out.
pub trait Outbound: Send + Sync {
    /// Sends once.
    fn send(&self, delivery: &Delivery) -> impl Future<Output = Result<Sent, SendError>> + Send;
}

/// What the next hop said when it took a delivery.
pub struct Sent {
    /// A word or number of the next hop's, for the log: never patient data.
    pub note: String,
    /// What it answered beyond that it took it: a message of its own, to be stored and read.
    pub answer: Option<Bytes>,
}

impl fmt::Debug for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sent").field("note", &self.note).finish_non_exhaustive()
    }
}

impl Sent {
    /// It was taken, and nothing more was said.
    fn noted(note: impl Into<String>) -> Self {
        Self { note: note.into(), answer: None }
    }
}

/// Why a delivery was not taken, classed where it failed. Messages never hold patient data or addresses.
#[derive(Debug, PartialEq, Eq)]
pub enum SendError {
    /// It did not leave; trying again later may help.
    Transient(String),
    /// It may have arrived: the answer is missing. Every connector here is safe to send again (same Message-ID, same file name,
    /// same MSH-10).
    Ambiguous(String),
    /// Trying again is of no use.
    Permanent(String),
    /// The channel itself is at fault (a refused login): the channel pauses, the delivery keeps its attempts.
    Channel(String),
    /// The next hop answered that it does not take this one.
    Refused {
        /// What it answered, in its codes.
        why: String,
        /// Its own words. They may name a patient: they are kept with the delivery and never logged.
        detail: Option<String>,
        /// Whether the same bytes may be taken later; if not, a person must look.
        again: bool,
    },
}

/// What fails for one delivery because of its folder fails for every one: the channel is at fault, and no delivery loses an attempt.
fn folder_trouble(what: &str, folder: &Path, error: &io::Error) -> SendError {
    let folder = folder.display();
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            SendError::Channel(format!("the {what} {folder} is not there: make it, or correct the path in the channel's file"))
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            SendError::Channel(format!("the {what} {folder} cannot be written to: give the engine's user the right to"))
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            SendError::Channel(format!("the disk of the {what} {folder} is full: make room"))
        }
        _ => SendError::Transient(format!("the {what} {folder} cannot be written to: {error}")),
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transient(why)
            | Self::Ambiguous(why)
            | Self::Permanent(why)
            | Self::Channel(why)
            | Self::Refused { why, .. } => f.write_str(why),
        }
    }
}

impl std::error::Error for SendError {}

/// The `[outbound.…]` table of a channel file.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutboundConfig {
    /// Mail, by SMTP or into a Maildir.
    Email(email::EmailConfig),
    /// A folder that a fax server takes documents from.
    Fax(fax::FaxConfig),
    /// HL7 v2 over MLLP.
    Mllp(mllp::MllpConfig),
}
