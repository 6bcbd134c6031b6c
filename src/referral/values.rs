//! The values a record is made of: people, numbers, addresses, codes.
//!
//! # Design notes
//! None of these types prints its content with `{:?}`: what cannot be formatted cannot be logged by mistake.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Serialize};

use super::pages::{Look, PageKind};
use crate::ids::BodyId;

macro_rules! redacted_debug {
    ($($name:ident),* $(,)?) => {
        $(impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), " { redacted }"))
            }
        })*
    };
}

pub(super) use redacted_debug;

redacted_debug!(
    Address,
    Appointment,
    Attachment,
    Authorization,
    Code,
    Coverage,
    Identifier,
    Identifiers,
    IsoDate,
    Patient,
    PatientIdentifier,
    PersonName,
    Phone,
    Provider,
    Request
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
            (4, None) => Cow::Owned(format!("{date}-01-01")),
            (7, None) => Cow::Owned(format!("{date}-01")),
            (10, _) => Cow::Borrowed(date),
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
                _ => format!("{whole}T{clock}{offset}").parse::<jiff::Timestamp>().is_ok(),
            };
            if !sound {
                return None;
            }
        }
        Some(Self(text.to_owned()))
    }

    /// Takes a text that [`IsoDate::parse`] is known to take, since whoever read it has looked into the calendar.
    #[must_use]
    pub(crate) fn known(text: String) -> Self {
        debug_assert!(Self::parse(&text).is_some(), "a date that exists, in ISO 8601");
        Self(text)
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

pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
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
    /// The page of the fax that it is, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<u32>,
    /// What kind of page it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<PageKind>,
    /// What the page looks like from afar: it is known again by that when the sheet is scanned once more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub look: Option<Look>,
}

/// When and with whom the visit is.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Appointment {
    /// Local to the specialist unless it has an offset; a date alone where no time was said.
    pub at: IsoDate,
    /// With whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with: Option<String>,
    /// Its numbers in the calendars that it stands in: `filler 77`, `placer 12`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub booking: Vec<String>,
}
