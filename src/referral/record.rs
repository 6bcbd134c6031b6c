//! The referral record: one shape, whatever the channel.
//!
//! [`Record`] is what one message says; [`Referral`] is what the store keeps of it: the record with an id, a reference number,
//! a status and a history. JSON names are `snake_case`; what is absent is left out, never `null` or `""`.
//!
//! # Design notes
//! None of these types prints its content with `{:?}`: what cannot be formatted cannot be logged by mistake.

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Reference, Reply, Status, status::HistoryEntry};
use crate::ids::{BodyId, ChannelName, MessageId, ReferralId};

macro_rules! redacted_debug {
    ($($name:ident),* $(,)?) => {
        $(impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), " { redacted }"))
            }
        })*
    };
}

redacted_debug!(
    Address,
    Appointment,
    Attachment,
    Authorization,
    Code,
    Coverage,
    Evidence,
    Identifier,
    Identifiers,
    IsoDate,
    Patient,
    PatientIdentifier,
    PersonName,
    Phone,
    Provider,
    Record,
    Referral,
    Request,
);

/// How soon the patient should be seen (HL7 table 0280: S, A, R).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Priority {
    /// At once.
    Stat,
    /// As soon as possible.
    Urgent,
    /// In turn.
    Routine,
    /// Not said, or not understood. Never taken for routine silently.
    #[default]
    Unknown,
}

/// Who refers, and to what end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReferralKind {
    /// One provider to another.
    #[default]
    Provider,
    /// The patient refers themselves.
    #[serde(rename = "self")]
    Oneself,
    /// From an emergency department.
    Emergency,
    /// For a second opinion.
    SecondOpinion,
    /// For a follow-up visit.
    FollowUp,
}

/// Administrative sex as sent (HL7 table 0001, reduced).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sex {
    /// Female.
    F,
    /// Male.
    M,
    /// Other.
    O,
    /// Unknown, and said so.
    U,
}

/// A date or date-time in ISO 8601 with the precision it was sent with: `1934`, `1934-11`, `1934-11-01`,
/// `2026-11-21T17:02`, `2026-11-21T17:02:11+01:00`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct IsoDate(String);

impl TryFrom<String> for IsoDate {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("not a date: write YYYY-MM-DD, with THH:MM behind it for a time")
    }
}

impl From<IsoDate> for String {
    fn from(date: IsoDate) -> Self {
        date.0
    }
}

impl IsoDate {
    /// Takes the text if it is such a date and exists in the calendar (no 30 February).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (date, time) = match text.split_once('T') {
            Some((date, time)) => (date, Some(time)),
            None => (text, None),
        };
        let whole = match (date.len(), time) {
            (4, None) => format!("{date}-01-01"),
            (7, None) => format!("{date}-01"),
            (10, _) => date.to_owned(),
            _ => return None,
        };
        whole.parse::<jiff::civil::Date>().ok()?;
        if let Some(time) = time {
            let (clock, offset) = match time.find(['+', '-', 'Z']) {
                Some(at) => time.split_at(at),
                None => (time, ""),
            };
            clock.parse::<jiff::civil::Time>().ok()?;
            let sound = match offset {
                "" | "Z" => true,
                _ => format!("{whole}T{clock}{offset}").parse::<Timestamp>().is_ok(),
            };
            if !sound {
                return None;
            }
        }
        Some(Self(text.to_owned()))
    }

    /// A whole day.
    #[must_use]
    pub fn day(date: jiff::civil::Date) -> Self {
        Self(date.to_string())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The day, where it is known to the day.
    #[must_use]
    pub fn date(&self) -> Option<jiff::civil::Date> {
        self.0.get(..10)?.parse().ok()
    }
}

/// A number somebody gave the referral.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identifier {
    /// The number.
    pub value: String,
    /// Who gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// Where it was found, `RF1-6`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found_in: Option<String>,
}

/// Whose number is whose.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identifiers {
    /// The referrer's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placer: Option<Identifier>,
    /// The receiver's: ours, or the specialist's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filler: Option<Identifier>,
}

/// A person's name.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonName {
    /// Family name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<String>,
    /// Given name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given: Option<String>,
    /// Middle names or initials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub middle: Option<String>,
    /// `Jr`, `III`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suffix: Option<String>,
    /// `Dr`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
}

/// A number that a patient is known by.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatientIdentifier {
    /// The number.
    pub value: String,
    /// Who gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// HL7 table 0203, as sent: `MR`, `NHS`.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
}

/// What a phone number is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PhoneUse {
    /// At home.
    Home,
    /// Carried about.
    Mobile,
    /// At work; a practice's voice line.
    Work,
    /// A fax machine.
    Fax,
}

/// A phone number.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phone {
    /// E.164 where it could be read as a number of the region, else as sent.
    pub number: String,
    /// What it is for.
    #[serde(default, rename = "use", skip_serializing_if = "Option::is_none")]
    pub usage: Option<PhoneUse>,
}

/// A postal address.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// Street lines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<String>,
    /// City.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub city: Option<String>,
    /// State or province.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Postal code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postal_code: Option<String>,
    /// Country as sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
}

impl Address {
    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The patient.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patient {
    /// Their numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identifiers: Vec<PatientIdentifier>,
    /// Their name.
    #[serde(default)]
    pub name: PersonName,
    /// Birth date, to the precision known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub birth_date: Option<IsoDate>,
    /// Sex as sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sex: Option<Sex>,
    /// Only when stated; always held for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deceased: Option<bool>,
    /// Phones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phones: Vec<Phone>,
    /// Mail addresses. Never written to: destinations come from configuration alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub emails: Vec<String>,
    /// Where they live.
    #[serde(default, skip_serializing_if = "Address::is_empty")]
    pub address: Address,
}

/// One insurance.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// The company.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payer: Option<String>,
    /// The plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// The member's or policy's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member_id: Option<String>,
    /// The group's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

/// A payer's leave for the visit (HL7 AUT).
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authorization {
    /// Its number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// As sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// First day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<IsoDate>,
    /// Last day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<IsoDate>,
    /// Visits allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub units: Option<u32>,
}

/// Somebody who refers, or is referred to: a person, a practice or a department.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provider {
    /// The person.
    #[serde(default, skip_serializing_if = "is_default")]
    pub name: PersonName,
    /// National Provider Identifier, ten digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub npi: Option<String>,
    /// Other numbers they are known by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identifiers: Vec<PatientIdentifier>,
    /// The practice or department.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// The specialty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub specialty: Option<String>,
    /// Phones and fax numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phones: Vec<Phone>,
    /// Mail addresses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub emails: Vec<String>,
    /// Where they work.
    #[serde(default, skip_serializing_if = "Address::is_empty")]
    pub address: Address,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A coded diagnosis or procedure.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Code {
    /// The code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// `ICD-10-CM`, `CPT`, or as sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// In words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// What is asked of the specialist.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The service, as sent or `consultation`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Diagnoses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub diagnoses: Vec<Code>,
    /// Procedures asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub procedures: Vec<Code>,
    /// RF1-4; true unless the sender says otherwise.
    pub report_expected: bool,
}

impl Default for Request {
    fn default() -> Self {
        Self { service: None, reason: None, diagnoses: Vec::new(), procedures: Vec::new(), report_expected: true }
    }
}

/// A document that came with the referral; its content is in the store.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// Its content.
    pub id: BodyId,
    /// The name it came with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its media type, sniffed.
    pub media_type: String,
    /// Its size.
    pub bytes: u64,
}

/// When and with whom the visit is.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Appointment {
    /// Local to the specialist unless it has an offset; a date alone where no time was said.
    pub at: IsoDate,
    /// With whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with: Option<String>,
}

/// A message that fed the record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Its channel.
    pub channel: ChannelName,
    /// The message.
    pub message: MessageId,
    /// When it came.
    pub received_at: Timestamp,
}

/// Where a value was read.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// 0 to 1: how likely the value is right.
    pub confidence: f32,
    /// As it stood there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The page, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<u32>,
    /// Left, top, right, bottom, in pixels of the stored page image.
    #[serde(default, rename = "box", skip_serializing_if = "Option::is_none")]
    pub bounds: Option<[u32; 4]>,
    /// The HL7 location, `RF1^1^2`, or the part of a mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
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
    /// No configured destination fits.
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
    /// Where each value was read, by path.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub evidence: BTreeMap<String, Evidence>,
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

    /// Holds the referral for a reason, once.
    pub fn hold(&mut self, reason: HeldReason) {
        if !self.held.contains(&reason) {
            self.held.push(reason);
            self.held.sort_unstable();
        }
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
    pub record: Record,
    /// A reply that was not plain, as the engine read it: a person decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_reply: Option<PendingReply>,
    /// Every message that fed it.
    #[serde(default)]
    pub sources: Vec<Source>,
    /// What happened, append-only.
    #[serde(default)]
    pub history: Vec<HistoryEntry>,
}
