//! The store: a journal that is durable, sled that is quick to ask.

use std::path::PathBuf;

use bytes::Bytes;
use jiff::Timestamp;

use crate::{
    delivery::{Delivery, DeliveryState},
    ids::{BodyId, ChannelName, DeliveryId, MessageId, ReferralId},
    message::{Acknowledgement, Message, State},
    referral::{Reference, Referral, Status},
};

/// Proof that a message is durable. Only the commit makes one; a positive acknowledgement cannot be had without.
#[derive(Clone, Debug)]
pub struct Receipt {
    message: MessageId,
    at: Timestamp,
}

impl Receipt {
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
    pub body: Bytes,
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
    /// Referrals made or changed.
    pub referrals: Vec<ReferralWrite>,
    /// Deliveries queued, or changed by a person's act.
    pub deliveries: Vec<Delivery>,
    /// Content that the above name by `BodyId`.
    pub bodies: Vec<Bytes>,
    /// Deliveries to withdraw if they are still queued.
    pub withdraw: Vec<DeliveryId>,
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

/// What to list.
#[derive(Clone, Debug, Default)]
pub struct MessageFilter {
    /// Only this channel.
    pub channel: Option<ChannelName>,
    /// Only this state.
    pub state: Option<State>,
    /// At most so many, newest first; 0: all.
    pub limit: usize,
}

/// What to list.
#[derive(Clone, Debug, Default)]
pub struct ReferralFilter {
    /// Only this status.
    pub status: Option<Status>,
    /// Only those a person must act on (true) or not (false).
    pub held: Option<bool>,
    /// At most so many, newest first; 0: all.
    pub limit: usize,
}

/// What to list.
#[derive(Clone, Debug, Default)]
pub struct DeliveryFilter {
    /// Only this state.
    pub state: Option<DeliveryState>,
    /// Only of this referral.
    pub referral: Option<ReferralId>,
    /// At most so many, newest first; 0: all.
    pub limit: usize,
}

/// The store. Cheap to clone; one engine a folder.
#[derive(Clone)]
pub struct Store {}

/// Why a store does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another engine has it.
    #[error("{0} is in use by another engine: stop that one first, or choose another data folder")]
    Locked(PathBuf),
    /// The journal is damaged in the middle.
    #[error("{file} is damaged at byte {offset}, before entries that are whole: {advice}")]
    Damaged {
        /// The segment.
        file: PathBuf,
        /// Where.
        offset: u64,
        /// What to do.
        advice: String,
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

#[expect(
    clippy::unused_async,
    clippy::todo,
    unused_variables,
    reason = "signatures to build against; replaced by the store itself"
)]
impl Store {
    /// Opens or makes the store: locks, recovers, replays.
    ///
    /// # Errors
    /// [`OpenError`], each with what to do.
    pub fn open(options: &StoreOptions) -> Result<Self, OpenError> {
        todo!()
    }
    /// Stores a message as `Received`, or notices that it came before.
    pub async fn insert(&self, new: NewMessage) -> Result<Insertion, StoreError> {
        todo!()
    }
    /// Stores a message together with what became of it, in one transaction. A repeat writes nothing of the decision.
    pub async fn insert_decided(&self, new: NewMessage, decision: Decision) -> Result<Insertion, StoreError> {
        todo!()
    }
    /// Counts an attempt at a message durably, before its content is opened.
    pub async fn claim_message(&self, id: MessageId) -> Result<Message, StoreError> {
        todo!()
    }
    /// Writes what became of a claimed (or held) message.
    pub async fn finish(&self, decision: Decision) -> Result<(), StoreError> {
        todo!()
    }
    /// Marks a delivery in flight durably, before its first byte leaves.
    pub async fn claim_delivery(&self, id: DeliveryId) -> Result<Delivery, StoreError> {
        todo!()
    }
    /// Writes how a claimed delivery went, and what that means for its referral and message.
    pub async fn settle_delivery(&self, delivery: Delivery, consequence: Decision) -> Result<(), StoreError> {
        todo!()
    }
    /// Writes what a person decided. Like `finish`, without a message that was claimed.
    pub async fn settle(&self, decision: Decision) -> Result<(), StoreError> {
        todo!()
    }
    /// One message.
    pub fn message(&self, id: MessageId) -> Result<Option<Message>, StoreError> {
        todo!()
    }
    /// The message that a repeat or control key names.
    pub fn message_by_key(&self, key: &str) -> Result<Option<Message>, StoreError> {
        todo!()
    }
    /// Messages, newest first.
    pub fn messages(&self, filter: &MessageFilter) -> Result<Vec<Message>, StoreError> {
        todo!()
    }
    /// Messages in `Received` that are due now, oldest first, and when the next one falls due.
    pub fn due_messages(&self, now: Timestamp, limit: usize) -> Result<(Vec<MessageId>, Option<Timestamp>), StoreError> {
        todo!()
    }
    /// Deliveries that are due now, the longest due first, and when the next one falls due.
    pub fn due_deliveries(&self, now: Timestamp, limit: usize) -> Result<(Vec<DeliveryId>, Option<Timestamp>), StoreError> {
        todo!()
    }
    /// One referral.
    pub fn referral(&self, id: ReferralId) -> Result<Option<Referral>, StoreError> {
        todo!()
    }
    /// The referral with this reference.
    pub fn referral_by_reference(&self, reference: &Reference) -> Result<Option<Referral>, StoreError> {
        todo!()
    }
    /// The referral that has this key.
    pub fn referral_by_key(&self, key: &str) -> Result<Option<Referral>, StoreError> {
        todo!()
    }
    /// Referrals, newest first.
    pub fn referrals(&self, filter: &ReferralFilter) -> Result<Vec<Referral>, StoreError> {
        todo!()
    }
    /// An old version of a referral, from the journal.
    pub fn referral_version(&self, id: ReferralId, version: u64) -> Result<Option<Referral>, StoreError> {
        todo!()
    }
    /// One delivery.
    pub fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>, StoreError> {
        todo!()
    }
    /// Deliveries, newest first.
    pub fn deliveries(&self, filter: &DeliveryFilter) -> Result<Vec<Delivery>, StoreError> {
        todo!()
    }
    /// Content.
    pub async fn body(&self, id: &BodyId) -> Result<Option<Bytes>, StoreError> {
        todo!()
    }
    /// Deliveries that were in flight when the process before this one died: ambiguous.
    pub fn interrupted_deliveries(&self) -> Result<Vec<Delivery>, StoreError> {
        todo!()
    }
    /// Notified after each commit that left a message due.
    pub fn message_wake(&self) -> &tokio::sync::Notify {
        todo!()
    }
    /// Notified after each commit that left a delivery due.
    pub fn delivery_wake(&self) -> &tokio::sync::Notify {
        todo!()
    }
    /// Whether it can write, and why not.
    pub fn health(&self) -> Result<(), String> {
        todo!()
    }
    /// Finishes what is at hand, marks the stop as clean, releases the lock.
    pub async fn close(&self) {
        todo!()
    }
}
