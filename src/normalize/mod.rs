//! Raw bytes or text in, [`Outcome`] out. Everything here is pure: no clock, no store, no network.
//!
//! What depends on the day (a year left out, a birth date in the future) gets `now` passed in.

pub mod email;
pub mod fax;
pub mod hl7;
pub mod reply;

mod date_order;
mod death;
mod given_names;
mod matter;

pub use date_order::DateOrder;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{
    ids::{DeliveryId, Named},
    protocols::hl7::Answer,
    referral::{Attachment, FaxPage, Problem, Record, Reply},
};

/// What a message turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A new referral, or a change, cancel or status request for a known one.
    Referral,
    /// Somebody answers a confirmation request.
    Reply,
    /// The consultation report that closes a loop.
    Report,
    /// Out of office, ticket robot: changes nothing, is kept.
    AutoReply,
    /// A delivery failed.
    Bounce,
    /// A clinical document that asks for nothing.
    Document,
    /// A person must look.
    Unknown,
    /// HL7 that is refused (AE, AR).
    Refused,
    /// An acknowledgement of something we sent.
    Acknowledgement,
    /// One file that held several messages.
    Batch,
}

/// What a referral message asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// REF^I12, and every fax or mail that refers somebody.
    New,
    /// REF^I13.
    Change,
    /// REF^I14: cancel *requested*.
    Cancel,
    /// REF^I15.
    StatusRequest,
}

/// A mail that says a delivery failed (RFC 3464).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounce {
    /// Whom it did not reach.
    pub recipient: String,
    /// Whether trying again is of no use (5.x.x) or may help (4.x.x).
    pub permanent: bool,
    /// The enhanced status code, `5.1.1`, where the report has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// The referral whose delivery it is, where a token of ours proves it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Which of the letters to it came back, where the report quotes the Message-ID of the letter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<DeliveryId>,
}

/// What normalization made of one message. Serialized, it is what `loopline try` prints.
#[derive(Clone, Serialize)]
pub struct Outcome {
    /// What it turned out to be.
    pub kind: Kind,
    /// What it asks for, when it is a referral.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<Event>,
    /// The referral record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<Box<Record>>,
    /// What a reply says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply: Option<Reply>,
    /// What a bounce says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bounce: Option<Bounce>,
    /// What it refuses of ours, where it is an acknowledgement.
    #[serde(skip)]
    pub refused: Option<Box<Answer>>,
    /// What the sender would get.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acknowledgement: Option<String>,
    /// What was tolerated or wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
    /// What the pages of a fax are, and which of its documents each belongs to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pages: Vec<FaxPage>,
    /// The messages of a batch.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<Outcome>,
    /// Content to be stored with it (attachments, page images), named in the record by its [`BodyId`](crate::ids::BodyId).
    #[serde(skip)]
    pub contents: Vec<Named>,
}

impl Outcome {
    /// An outcome that says only what the message is.
    #[must_use]
    pub fn of(kind: Kind) -> Self {
        Self {
            kind,
            event: None,
            record: None,
            reply: None,
            bounce: None,
            refused: None,
            acknowledgement: None,
            problems: Vec::new(),
            pages: Vec::new(),
            items: Vec::new(),
            contents: Vec::new(),
        }
    }

    /// A new referral.
    #[must_use]
    pub fn referral(record: Record) -> Self {
        Self { event: Some(Event::New), record: Some(Box::new(record)), ..Self::of(Kind::Referral) }
    }

    /// Keeps content with the outcome and names it as an attachment.
    pub fn attach(&mut self, name: Option<String>, media_type: &str, content: Bytes) -> Attachment {
        let content = Named::from(content);
        let attachment = Attachment {
            id: content.id(),
            name,
            media_type: media_type.to_owned(),
            bytes: content.len() as u64,
            page: None,
            kind: None,
            look: None,
        };
        self.contents.push(content);
        attachment
    }
}
