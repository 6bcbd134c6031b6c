//! The store: a journal that is durable, sled that is quick to ask.
//!
//! Every event that must not be lost is a transaction of [`Store`]: when its future is ready, the event is on disk, and
//! whatever happens next, the process killed or the power cut, the next start finds all of it. A transaction that was
//! refused or failed left nothing.
//!
//! ```text
//! handle.rs        Store: events to the writer               questions.rs  questions to the index, filters.rs  what is listed
//! writer.rs        the one thread: take all that wait, decide, write one frame, fdatasync, hand to the index, answer
//! transaction.rs   a batch while it is decided; what each change means for the index
//! messages.rs  referrals.rs  deliveries.rs  audit.rs      the transactions, named after events
//! journal.rs       append-only segments: the truth           frame.rs   their bytes      codec.rs   records as bytes
//! evidence.rs      the evidence of a referral's record, in short
//! bodies.rs        content over 64 KB, in files of its own
//! card.rs          what the index is told of a record
//! index.rs         sled: finds things in the journal         keys.rs    its keys       mark.rs   its values
//! runs.rs          the keys that are never taken away, many to one value of sled
//! absent.rs        what sled surely does not have, without asking it
//! waiting.rs       what sled is still to be given, behind the answers
//! start.rs         lock, sync, read, cut, replay
//! disk.rs          the file system, and in tests one that forgets what was not synced
//! crash.rs         a test hook: named points to die at
//! ```
//!
//! # Design notes
//! sled 0.34.7's `flush()` calls `sync_file_range`, not `fsync`: what it calls durable does not survive a power cut. So the
//! journal is the truth; sled is applied after it, checked at each start, and built again whenever it is in doubt.
//!
//! A read can be behind a transaction that is not answered yet, never behind one that is.

mod absent;
mod audit;
mod bodies;
mod card;
mod codec;
mod crash;
mod deliveries;
mod disk;
mod evidence;
mod filters;
mod frame;
mod handle;
mod index;
mod journal;
mod keys;
mod mark;
mod messages;
mod questions;
mod referrals;
mod runs;
mod shared;
#[cfg(test)]
mod simulated_disk;
mod start;
#[cfg(test)]
mod tests;
mod transaction;
mod waiting;
mod writer;

use std::{path::PathBuf, sync::Arc};

use jiff::Timestamp;

pub use audit::{Done, Note};
pub use filters::{DeliveryFilter, MessageFilter, ReferralFilter};
pub use shared::Coming;

use crate::{
    delivery::Delivery,
    ids::{DeliveryId, MessageId, Named},
    message::{Acknowledgement, Message},
    referral::Referral,
};

/// Proof that a message is durable. Only the commit makes one; a positive acknowledgement cannot be had without.
#[derive(Clone, Debug)]
pub struct Receipt {
    message: MessageId,
    at: Timestamp,
}

impl Receipt {
    fn new(message: MessageId, committed: &writer::Committed) -> Self {
        Self { message, at: committed.at() }
    }

    /// The message that is durable.
    #[must_use]
    pub fn message(&self) -> MessageId {
        self.message
    }

    /// When it became so.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        self.at
    }
}

/// A message to be stored.
#[derive(Clone)]
pub struct NewMessage {
    /// The message.
    pub message: Message,
    /// Its bytes.
    pub body: Named,
    /// What makes another arrival the same one again: sender, MSH-10 and content for HL7; channel and content for a document;
    /// Message-ID and content for a mail. Absent for a refused message: it is evaluated afresh each time.
    pub repeat_key: Option<String>,
    /// The sender's control id alone, to notice that it was used for other content.
    pub control_key: Option<String>,
}

/// What a transaction writes: everything in it becomes durable together, or nothing.
#[derive(Clone, Default)]
pub struct Decision {
    /// The message's new state.
    pub message: Option<Message>,
    /// A message that came with it, stored as `Received`: what the other side answered to what was sent. One that is known is counted.
    pub arrived: Option<NewMessage>,
    /// Referrals made or changed.
    pub referrals: Vec<ReferralWrite>,
    /// Deliveries queued, or changed by a person's act.
    pub deliveries: Vec<Delivery>,
    /// Content that the above name by `BodyId`.
    pub bodies: Vec<Named>,
    /// Deliveries to withdraw if they are still queued; one on the way is withdrawn if its attempt fails.
    pub withdraw: Vec<DeliveryId>,
    /// Deliveries whose letter is composed anew, since what it says has changed. One that has left meanwhile makes the decision stale.
    pub recompose: Vec<DeliveryId>,
    /// A delivery that must be queued still: one that was claimed meanwhile makes the decision stale.
    pub still_queued: Option<DeliveryId>,
    /// Whether senders were told, for messages whose state does not change with it.
    pub acknowledged: Vec<(MessageId, Acknowledgement)>,
}

/// One referral to be written.
#[derive(Clone)]
pub struct ReferralWrite {
    /// The referral as it shall be; the store sets its `version`.
    pub referral: Referral,
    /// The version it was computed from; absent: it is new, and its id, reference and keys must be free.
    pub read_version: Option<u64>,
    /// The keys it shall be found by (`sender|number`), beside its id and reference. A key of another referral makes the write stale.
    pub keys: Vec<String>,
}

/// How an insertion went.
#[derive(Clone, Debug)]
pub enum Insertion {
    /// It is a new message.
    New(Receipt),
    /// The same message was there already (its `repeats` was counted up): give its answer again.
    Repeat {
        /// For the first message.
        receipt: Receipt,
        /// Whether even the source file is the same (`SourceFile::identity`): it was not moved away before a crash.
        same_file: bool,
    },
}

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Nothing was stored; it recovers by itself when the disk does.
    #[error("the store cannot write now")]
    Unavailable(#[source] std::io::Error),
    /// What it was computed from has changed (a version, a reference number, a key): read again and compute again.
    #[error("what this was computed from has changed since")]
    Stale,
    /// No such thing.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// The state does not allow it.
    #[error("the {thing} is {state}, which does not allow this")]
    Refused {
        /// `message` or `delivery`.
        thing: &'static str,
        /// Its state.
        state: &'static str,
    },
    /// The index or a body cannot be read.
    #[error("the store cannot be read: {0}")]
    Unreadable(String),
    /// The engine is stopping.
    #[error("the store is closed")]
    Closed,
}

/// How to open a store.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// The folder.
    pub folder: PathBuf,
    /// Memory of the index's cache, in bytes.
    pub index_cache_bytes: u64,
}

/// The store. Cheap to clone; one engine a folder.
#[derive(Clone)]
pub struct Store {
    engine: Arc<handle::Engine>,
}

/// Why a store does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another engine has it.
    #[error("{0} is in use by another engine: stop that one first, or choose another data folder")]
    Locked(PathBuf),
    /// The journal is damaged in the middle.
    #[error("{file} is damaged at byte {offset}: {advice}")]
    Damaged {
        /// The segment.
        file: PathBuf,
        /// Where.
        offset: u64,
        /// What to do.
        advice: String,
    },
    /// A segment of the journal is not there, and what it held was acknowledged.
    #[error("{file} is missing: {advice}")]
    Missing {
        /// The segment.
        file: PathBuf,
        /// What to do.
        advice: String,
    },
    /// There is content, and no journal that says what it is.
    #[error(
        "{folder} has content and no journal: is all of it mounted, or restored from the backup? To begin with an empty store, move {bodies} away"
    )]
    NoJournal {
        /// The data folder.
        folder: PathBuf,
        /// Where the content is.
        bodies: PathBuf,
    },
    /// The file system said no.
    #[error("cannot open {path}")]
    Io {
        /// What was opened.
        path: PathBuf,
        /// What it said.
        #[source]
        source: std::io::Error,
    },
}
