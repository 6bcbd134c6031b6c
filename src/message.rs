//! A message: bytes that arrived through a door, and what became of them. No I/O here.
//!
//! A message is stored before anybody is told that it was received. From then on it is in exactly one
//! [`State`], and [`State::may_become`] is the one table of what may follow what.

use std::fmt;

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    ids::{BodyId, ChannelName, DeliveryId, MessageId, ReferralId},
    normalize::{Event, Kind},
    referral::{Attachment, FaxPage, Problem, Reference, ReturnedPage, Split},
};

/// How the bytes of a message are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// One HL7 v2 message, without its MLLP frame.
    Hl7,
    /// A PDF or TIFF.
    Document,
    /// One RFC 5322 mail.
    Mail,
}

/// What an inbound channel hands to the intake: bytes, and where they came from.
#[derive(Clone)]
pub struct Arrival {
    /// The channel it came through.
    pub channel: ChannelName,
    /// How it is to be read.
    pub protocol: Protocol,
    /// The bytes as they arrived, never changed.
    pub body: Bytes,
    /// When the last byte was there.
    pub received_at: Timestamp,
    /// The address of the peer, for a network channel.
    pub peer: Option<String>,
    /// The file it was read from, for a folder or a Maildir.
    pub file: Option<SourceFile>,
}

impl fmt::Debug for Arrival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arrival")
            .field("channel", &self.channel)
            .field("protocol", &self.protocol)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// The file that an arrival was read from.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFile {
    /// Its name as dropped. It can be patient data: kept in the store, never logged.
    pub name: String,
    /// Inode, modification time and length: tells the same file again from equal bytes in a new file.
    pub identity: String,
}

/// A sender's own name for a message (MSH-10 in HL7, Message-ID in mail), byte for byte.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ControlId(pub String);

/// Where a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Stored; to be normalized, or to be tried again at `due_at`.
    Received,
    /// It became what it is: a referral, a reply, a document that asks for nothing.
    Processed,
    /// A person must look.
    Held,
    /// It was refused or could not be read; `reason` says why.
    Failed,
}

impl State {
    /// Every state, in the order of a message's life.
    pub const ALL: [Self; 4] = [Self::Received, Self::Processed, Self::Held, Self::Failed];

    /// The transition table. From anywhere a person may replay, which is the way back to `Received`.
    #[must_use]
    pub fn may_become(self, next: Self) -> bool {
        match (self, next) {
            (Self::Received, Self::Received | Self::Processed | Self::Held | Self::Failed)
            | (Self::Held, Self::Received | Self::Processed | Self::Held | Self::Failed)
            | (Self::Processed | Self::Failed, Self::Received) => true,
            (Self::Processed | Self::Failed, Self::Processed | Self::Held | Self::Failed) => false,
        }
    }

    /// The word used in listings and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Processed => "processed",
            Self::Held => "held",
            Self::Failed => "failed",
        }
    }
}

/// Whether the sender was told, kept apart from what became of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Acknowledgement {
    /// Nobody waits for one (an acknowledgement is never acknowledged, nor an automatic reply).
    NotOwed,
    /// It is owed and not yet sent.
    Owed,
    /// It was sent.
    Sent,
    /// It could not be sent, or there is no configured way back to the sender.
    Undelivered,
}

/// One message as the store keeps it, without its bytes.
#[derive(Clone, Serialize, Deserialize)]
pub struct Message {
    /// Given at intake, never reused.
    pub id: MessageId,
    /// The channel it came through: an inbound one, or the outbound one on whose connection it came back.
    pub channel: ChannelName,
    /// How it is read.
    pub protocol: Protocol,
    /// When its last byte was there.
    pub received_at: Timestamp,
    /// Its bytes, in the store.
    pub body: BodyId,
    /// How many bytes it has.
    pub bytes: u64,
    /// The peer's network address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// The file it came in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<SourceFile>,
    /// Who sent it: `MSH-3|MSH-4` for HL7, the address in From for mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    /// The sender's own name for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control_id: Option<ControlId>,
    /// Where it is.
    pub state: State,
    /// How often work on it was begun.
    pub attempts: u32,
    /// When it is tried next, while `Received`; absent: now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// What it turned out to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// What it asks for, when it is a referral.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<Event>,
    /// Why it is held, failed or waiting, in plain words without patient data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The delivery that it answers on the same connection; its channel is then the outbound one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers: Option<DeliveryId>,
    /// Our answer, for an answering channel: given again to a repeat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<BodyId>,
    /// Whether the sender was told.
    pub acknowledgement: Acknowledgement,
    /// The referrals it made or changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub referrals: Vec<ReferralId>,
    /// How often it arrived again.
    #[serde(default)]
    pub repeats: u32,
    /// What was tolerated or wrong in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
    /// The pages of ours that came back in it: what is ticked, and where something is written by hand.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub returned: Vec<ReturnedPage>,
    /// What the pages of a fax are, and which of its documents each belongs to: as it was taken apart or, while it is held, as it is
    /// proposed to be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pages: Vec<FaxPage>,
    /// How a person took it apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<Split>,
    /// To which referral a person assigned it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assigned: Option<Assignment>,
}

/// What a person said that a message is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// The referral.
    pub reference: Reference,
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// A fax of which nothing is known but what it looks like: the file itself, which is put with the referral.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<Attachment>,
}

impl Message {
    /// A message as it is at intake: stored next, nothing known of it yet.
    #[must_use]
    pub fn received(arrival: &Arrival) -> Self {
        Self::received_as(arrival, BodyId::of(&arrival.body))
    }

    /// The same, where the name of its content was worked out already.
    #[must_use]
    pub fn received_as(arrival: &Arrival, body: BodyId) -> Self {
        Self {
            id: MessageId::generate(),
            channel: arrival.channel.clone(),
            protocol: arrival.protocol,
            received_at: arrival.received_at,
            body,
            bytes: arrival.body.len() as u64,
            peer: arrival.peer.clone(),
            file: arrival.file.clone(),
            sender: None,
            control_id: None,
            state: State::Received,
            attempts: 0,
            due_at: None,
            kind: None,
            event: None,
            reason: None,
            answers: None,
            answer: None,
            acknowledgement: Acknowledgement::Owed,
            referrals: Vec::new(),
            repeats: 0,
            problems: Vec::new(),
            returned: Vec::new(),
            pages: Vec::new(),
            split: None,
            assigned: None,
        }
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("id", &self.id)
            .field("channel", &self.channel)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}
