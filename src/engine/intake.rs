//! The intake: every arrival passes here, and is durable when [`Intake::accept`] returns.

use bytes::Bytes;

use crate::{message::Arrival, store::Receipt};

/// Takes arrivals in. Cheap to clone.
#[derive(Clone)]
pub struct Intake {}

/// What the door does with a taken arrival.
pub struct Accepted {
    /// Proof that it is durable.
    pub receipt: Receipt,
    /// Whether it was there already.
    pub repeat: Repeat,
    /// What to answer on the same connection, for a protocol that answers (HL7).
    pub answer: Option<Bytes>,
}

/// Whether an arrival was there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// It is new.
    New,
    /// Equal content came before.
    Duplicate,
    /// The very same file came before: it could not be moved away, or the engine died before it was.
    SameFile,
}

/// Why an arrival was not taken: nothing of it is stored, so the door must not acknowledge.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// The store cannot write now: try again later.
    #[error("the store cannot take it now")]
    Unavailable {
        /// What to answer on the same connection (HL7: AR or CR, 207), where that is configured; none: say nothing.
        answer: Option<Bytes>,
        /// What the store said.
        #[source]
        source: crate::store::StoreError,
    },
    /// It cannot be answered at all (not HL7): close the connection.
    #[error("it is not a message: {0}")]
    NotAMessage(String),
    /// The engine is stopping.
    #[error("the engine is stopping")]
    Stopping,
}

impl Intake {
    /// Takes an arrival in; returns once it is durable.
    ///
    /// # Errors
    /// [`IntakeError`]: nothing was stored, and nothing may be acknowledged.
    pub async fn accept(&self, arrival: Arrival) -> Result<Accepted, IntakeError> {
        let _ = arrival;
        Err(IntakeError::Stopping)
    }
}
