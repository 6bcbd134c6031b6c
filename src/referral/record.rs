//! The referral record: one shape, whatever the channel.
//!
//! [`Record`] is what one message says; [`Referral`] is what the store keeps of it: the record with an id, a reference number,
//! a status and a history. JSON names are `snake_case`; what is absent is left out, never `null` or `""`.
//!
//! Like the values they are made of, none of these types prints its content with `{:?}`.

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::{
    Reference, Reply, Status,
    status::HistoryEntry,
    values::{
        Appointment, Attachment, Authorization, Coverage, Identifiers, IsoDate, Patient, Priority, Provider, ReferralKind,
        Request, is_default, redacted_debug,
    },
};
use crate::ids::{ChannelName, MessageId, ReferralId};

redacted_debug!(Evidence, Record, Referral);

/// A message that fed the record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Its channel.
    pub channel: ChannelName,
    /// The message.
    pub message: MessageId,
    /// When it came.
    pub received_at: Timestamp,
    /// When its sender says that it was written, for HL7 (MSH-7).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written_at: Option<Timestamp>,
}

/// Where a value was read.
///
/// A message gives dozens of these, nearly all of them a place and a short text: those stand in here, without memory of their own.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// 0 to 1: how likely the value is right.
    pub confidence: f32,
    /// As it stood there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<SmolStr>,
    /// The page, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<u32>,
    /// Left, top, right, bottom, in pixels of the stored page image.
    #[serde(default, rename = "box", skip_serializing_if = "Option::is_none")]
    pub bounds: Option<[u32; 4]>,
    /// The HL7 location, `RF1^1^2`, or the part of a mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<SmolStr>,
    /// The path of the channel's mapping that gave it, `RF1-10.2`; `value` or `absent`, where configuration gave it itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<SmolStr>,
    /// The form of a known sender that it stands on, and the region: `cedar-intake: patient.birth_date`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<SmolStr>,
    /// Other readings that were possible.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rivals: Vec<String>,
}

/// Why a person must act before anything is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HeldReason {
    /// Family name, given name or birth date missing or doubtful.
    BlockingField,
    /// Priority unknown on a fax or mail.
    PriorityUnknown,
    /// No configured destination fits, or only by what was read with doubt.
    NoRoute,
    /// It may be a referral that is known already.
    PossibleDuplicate,
    /// It may be about two patients.
    SecondPatient,
    /// The patient is said to be dead.
    Deceased,
    /// A delivery was given up.
    DeadDelivery,
    /// A reply could not be understood.
    UnclearReply,
    /// The destination says that it is not theirs.
    WrongRecipient,
    /// The specialist says that they did not receive it, twice.
    NotReceived,
    /// A person had rejected it, and the sender sent it again.
    Rejected,
    /// It may ask for something else than a new referral: to cancel one, for records.
    OtherMatter,
    /// Not all of what came was read.
    NotAllRead,
    /// A person took the only request out of the line: nobody is asked.
    RequestSkipped,
}

impl HeldReason {
    /// What a person ends who confirms the whole; the others end with what they wait for.
    pub const ENDED_BY_CONFIRM: [Self; 10] = [
        Self::PossibleDuplicate,
        Self::SecondPatient,
        Self::Deceased,
        Self::DeadDelivery,
        Self::WrongRecipient,
        Self::NotReceived,
        Self::Rejected,
        Self::OtherMatter,
        Self::NotAllRead,
        Self::RequestSkipped,
    ];

    /// Whether nothing may be sent to a specialist meanwhile: it is not plain who the patient is, how urgent it is, or who shall have it.
    #[must_use]
    pub fn stops_letters(self) -> bool {
        match self {
            Self::BlockingField
            | Self::PriorityUnknown
            | Self::NoRoute
            | Self::PossibleDuplicate
            | Self::SecondPatient
            | Self::Deceased
            | Self::WrongRecipient
            | Self::Rejected
            | Self::OtherMatter
            | Self::NotAllRead
            | Self::RequestSkipped => true,
            Self::DeadDelivery | Self::UnclearReply | Self::NotReceived => false,
        }
    }

    /// What a person does about it: a `loopline referrals settle` act, mostly.
    #[must_use]
    pub fn next_step(self) -> &'static str {
        match self {
            Self::BlockingField => {
                "compare name and birth date with the original: `confirm` what is right, `correct` what is missing or wrong"
            }
            Self::PriorityUnknown => "find out how urgent it is: `correct priority=routine`, or urgent, or stat",
            Self::NoRoute => {
                "say to whom it goes: `route ENTRY`, an entry of channels/site/directory.toml, or `confirm` a specialty read with doubt"
            }
            Self::PossibleDuplicate => "compare the two: `merge` it into the other, or `confirm` that it is another one",
            Self::SecondPatient => "check whose it is: `confirm`, or `reject`, and tell the sender",
            Self::Deceased => "call the referring practice: `confirm` that it goes on, or `reject`",
            Self::DeadDelivery => {
                "mend what the delivery's reason says, then `loopline deliveries retry`, or `route` it elsewhere; then `confirm`"
            }
            Self::UnclearReply => "read the reply below: `reply OUTCOME` says what it means, `set-aside` that it means nothing",
            Self::WrongRecipient => {
                "correct the directory, then `route` it to the right desk; until then nothing is sent to that entry"
            }
            Self::NotReceived => "call the specialist: mend the directory and `route` it again, or `confirm`",
            Self::Rejected => "it was rejected before and sent again: `confirm` it, or `reject` it again",
            Self::OtherMatter => "read it: `confirm` that it is a new referral, or do what it asks for and `reject` it",
            Self::NotAllRead => {
                "look at the original (`loopline messages export`): `confirm` that nothing else counts, or `reject`"
            }
            Self::RequestSkipped => {
                "a person skipped its request, so nobody is asked: `route ENTRY` asks another desk, `confirm` the same one again; or `reject`"
            }
        }
    }
}

/// Something wrong or tolerated, as data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// A stable word: `npi-check-digit`.
    pub code: String,
    /// The path it concerns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What is wrong, where, and what to do. It may be logged: never patient data.
    pub message: String,
}

impl Problem {
    /// A problem that concerns the whole message.
    #[must_use]
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), field: None, message: message.into() }
    }

    /// A problem of one field.
    #[must_use]
    pub fn at(code: &str, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), field: Some(field.into()), message: message.into() }
    }
}

/// What one message says of a referral.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// How soon.
    #[serde(default)]
    pub priority: Priority,
    /// Who refers, and to what end.
    #[serde(default)]
    pub kind: ReferralKind,
    /// Whose number is whose.
    #[serde(default, skip_serializing_if = "is_default")]
    pub identifiers: Identifiers,
    /// When it was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authored_at: Option<IsoDate>,
    /// Until when it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<IsoDate>,
    /// Who is referred.
    #[serde(default)]
    pub patient: Patient,
    /// Insurances, first the primary one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub insurance: Vec<Coverage>,
    /// The payer's leave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization: Option<Authorization>,
    /// Who refers.
    #[serde(default)]
    pub referring: Provider,
    /// To whom.
    #[serde(default)]
    pub referred_to: Provider,
    /// What is asked.
    #[serde(default)]
    pub request: Request,
    /// Free text, one entry per NTE or paragraph.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Documents that came along.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// The visit, once it is booked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub appointment: Option<Appointment>,
    /// Other visits that are booked beside it, the last one last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub further_appointments: Vec<Appointment>,
    /// Where each value was read, by path.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub evidence: BTreeMap<SmolStr, Evidence>,
    /// The paths a person must look at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub review: Vec<String>,
    /// Why a person must act before anything is sent; empty: nobody needs to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<HeldReason>,
    /// What was tolerated or wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
}

impl Record {
    /// Marks a path for review, once.
    pub fn mark(&mut self, path: impl Into<String>) {
        let path = path.into();
        if !self.review.contains(&path) {
            self.review.push(path);
        }
    }

    /// Whether it is held for something that nothing may be sent to a specialist with.
    #[must_use]
    pub fn stops_letters(&self) -> bool {
        self.held.iter().any(|reason| reason.stops_letters())
    }

    /// Holds the referral for a reason, once.
    pub fn hold(&mut self, reason: HeldReason) {
        if !self.held.contains(&reason) {
            self.held.push(reason);
            self.held.sort_unstable();
        }
    }

    /// A destination was found, or none is needed any more.
    pub fn no_longer_without_route(&mut self) {
        self.release(HeldReason::NoRoute);
        self.problems.retain(|problem| problem.code != "no-route");
    }

    /// Nothing is booked any more.
    pub fn clear_appointments(&mut self) {
        self.appointment = None;
        self.further_appointments.clear();
    }

    /// Takes a reason to hold away.
    pub fn release(&mut self, reason: HeldReason) {
        self.held.retain(|held| *held != reason);
    }
}

/// A reply that waits for a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PendingReply {
    /// The message it came in.
    pub message: MessageId,
    /// The best reading of it.
    pub reading: Reply,
    /// Why it was not acted on.
    pub why: String,
}

/// A referral as the store keeps it.
#[derive(Clone, Serialize, Deserialize)]
pub struct Referral {
    /// Given at intake, never reused.
    pub id: ReferralId,
    /// What people read out, print and quote.
    pub reference: Reference,
    /// Where it stands, derived from `history`.
    pub status: Status,
    /// Counts the writes; the store refuses a write that read an older one.
    pub version: u64,
    /// What is known.
    #[serde(flatten)]
    pub record: Box<Record>,
    /// Replies that were not plain, as the engine read them, oldest first: a person decides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pending_replies: Vec<PendingReply>,
    /// Every message that fed it.
    #[serde(default)]
    pub sources: Vec<Source>,
    /// What happened, append-only.
    #[serde(default)]
    pub history: Vec<HistoryEntry>,
}

impl Referral {
    /// Whether it rests until a person acts: it is held, or its status waits for the coordinator or the sender.
    #[must_use]
    pub fn waits_for_a_person(&self) -> bool {
        !self.record.held.is_empty() || self.status.next_step().is_some()
    }
}
