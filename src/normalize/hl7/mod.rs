//! HL7 v2 messages: REF and 360X orders into referrals; RRI, order updates, bookings and results into replies, reports and documents;
//! everything else into a plain refusal.
//!
//! ```text
//! bytes ─▶ protocols/hl7 ─▶ header.rs  what the answer needs
//!                           purpose.rs what it is for
//!                           screen.rs  refused? with which code
//!                           identity.rs  whose number is whose; repeats     keys.rs  what a referral is found by
//!                           draft.rs ─▶ patient.rs provider.rs slips.rs request.rs payload.rs content.rs clinical.rs   the record
//!                           reply.rs   what the specialist's side says
//! ```
//!
//! Strict in what is sent, loose in what is read, honest in what is acknowledged: every tolerance becomes a problem of the
//! record, and what a sender should mend becomes a [`Warning`] of the answer.

mod clinical;
mod content;
mod draft;
mod header;
mod identity;
mod keys;
mod mapping;
mod numbers;
mod paths;
mod patient;
mod payload;
mod profile;
mod provider;
mod purpose;
mod reply;
mod report;
mod request;
mod screen;
mod slips;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use jiff::Timestamp;

pub(crate) use clinical::{ALLERGIES_DELETED, ALLERGY_SEGMENTS, CIRCUMSTANCE_SEGMENTS};
pub use keys::ReferralKey;
pub use mapping::{FieldKind, Mapping};
pub use numbers::NumberCheck;
pub use paths::{Path, PathError};
pub use profile::{Filter, Profile, Profiles, Reports, SenderPattern, Strict, UnknownReferral};
pub(crate) use {
    content::sniff,
    keys::differ,
    reply::sets_a_condition,
    report::{CALLED_REPORT, PERHAPS_REPORT, REPORT_TAKEN_BACK},
};

pub use header::{Condition, Echo, Header, Refusal, RefusalLevel, Version, Warning, code_text};

use purpose::Purpose;

use super::{Event, Kind, Outcome};
use crate::{
    protocols::hl7::{Answer, Message, Precision, ReadLimits, Text, Tolerance, Unreadable, read_date},
    referral::{Problem, Reference},
};

/// By what a channel reads its messages.
#[derive(Clone, Debug)]
pub struct Hl7Rules {
    /// The region that phone numbers without a country are read in, ISO 3166.
    pub region: String,
    /// The zone of times that are sent without an offset, IANA.
    pub time_zone: String,
    /// The MSH-11 values taken; an empty MSH-11 is taken for `P`.
    pub accept_processing_ids: Vec<String>,
    /// The senders taken, each `MSH-3|MSH-4` (whole or first components); empty: everyone.
    pub senders: Vec<String>,
    /// What differs per sender.
    pub profiles: Arc<Profiles>,
    /// When the message came: nobody is born later. The epoch: not known; MSH-7 stands in for it.
    pub received_at: Timestamp,
    /// What one message may hold.
    pub limits: ReadLimits,
    /// The largest attachment, decoded, in bytes.
    pub attachment_bytes_max: usize,
    /// The most attachments of one message; further ones are left out, with a problem.
    pub attachments_max: usize,
}

impl Hl7Rules {
    /// The MSH-11 that is taken where a channel says none.
    pub const PROCESSING_ID: &str = "P";
    /// The largest attachment where nothing else is said, decoded, in bytes.
    pub const ATTACHMENT_BYTES_MAX: usize = 50_331_648;
    /// The most attachments of one message where nothing else is said.
    pub const ATTACHMENTS_MAX: usize = 100;
}

impl Default for Hl7Rules {
    /// Numbers of the US, times in UTC, production messages, every sender.
    fn default() -> Self {
        Self {
            region: "US".to_owned(),
            time_zone: "UTC".to_owned(),
            accept_processing_ids: vec![Self::PROCESSING_ID.to_owned()],
            senders: Vec::new(),
            profiles: Arc::default(),
            received_at: Timestamp::UNIX_EPOCH,
            limits: ReadLimits::default(),
            attachment_bytes_max: Self::ATTACHMENT_BYTES_MAX,
            attachments_max: Self::ATTACHMENTS_MAX,
        }
    }
}

/// The bytes are no HL7 message: there is nobody to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it {}", .0.as_str())]
pub struct NotHl7(pub Unreadable);

/// What became of one message.
pub struct Hl7Message {
    /// What its answer needs.
    pub header: Header,
    /// What it turned out to be.
    pub outcome: Outcome,
    /// Why it is refused; the outcome is then `refused`.
    pub refusal: Option<Refusal>,
    /// What the sender should mend; for the answer.
    pub warnings: Vec<Warning>,
    /// Names this message and its content: sender, MSH-10, and the segments without MSH-7, MSH-10 and MSH-13.
    pub repeat_key: String,
    /// Names the sender and MSH-10 alone; absent: MSH-10 is empty.
    pub control_key: Option<String>,
    /// `MSH-3|MSH-4`.
    pub sender: String,
    /// MSH-10, for listings.
    pub control_id: Option<String>,
    /// MSH-7, where it tells the second.
    pub written_at: Option<Timestamp>,
    /// The keys that the referral is found and stored by, the best first.
    pub referral_keys: Vec<ReferralKey>,
    /// Our own reference, where the message quotes it.
    pub reference: Option<Reference>,
    /// What its sender does differently.
    pub profile: Arc<Profile>,
    /// Whether it is refused if its MSH-10 was used before for other content.
    pub refuses_reused_control_id: bool,
    /// How long it may wait for a referral that is not known yet, in seconds; 0: it is refused at once.
    pub waits_for_referral_seconds: u32,
}

/// Reads one message. Pure: the same bytes and rules give the same result.
///
/// # Errors
/// [`NotHl7`]: not even its MSH can be read.
pub fn normalize(body: &[u8], rules: &Hl7Rules) -> Result<Hl7Message, NotHl7> {
    let text = match Text::read(body, rules.limits) {
        Ok(text) => text,
        Err(unreadable) => return unreadable_message(body, unreadable, rules),
    };
    let message = match Message::parse(&text) {
        Ok(message) => message,
        Err(unreadable) => return unreadable_message(body, unreadable, rules),
    };
    let header = Header::of(&text, &message);
    let rules = &*rules.for_sender(&header);
    let mut read = Hl7Message::new(header, body, rules);
    if read.header.is_acknowledgement() {
        read.outcome = Outcome::of(Kind::Acknowledgement);
        read.outcome.refused = Answer::read(body).ok().filter(Answer::is_refusal).map(Box::new);
        read.control_key = None;
        return Ok(read);
    }
    if let Some(refusal) = screen::addressed_wrongly(&read.header, rules) {
        read.refuse(refusal);
        return Ok(read);
    }
    let purpose = purpose::of(&read.header, &message, rules.profile());
    let refusal = screen::patient_wrong(&read.header, &message, purpose);
    if let Some(refusal) = refusal.or_else(|| rules.profile().accept.refusal(purpose, &message)) {
        read.refuse(refusal);
        return Ok(read);
    }
    let identity = identity::resolve(&read.header, &message, purpose, rules.profile());
    read.reference.clone_from(&identity.reference);
    read.referral_keys.clone_from(&identity.keys);
    read.header.echo.placer = identity.placer.as_ref().map(|placer| placer.value.clone());
    match purpose {
        Purpose::Ask(event) => request(&mut read, &message, &identity, event, rules),
        Purpose::Respond | Purpose::Order(_) | Purpose::Book(_) | Purpose::Report => {
            reply::read(&mut read, &message, &identity, purpose, rules);
        }
    }
    let tolerated: Vec<Problem> = text.tolerances.iter().map(tolerated).chain(header_problems(&read.header)).collect();
    match &mut read.outcome.record {
        Some(record) => record.problems.splice(0..0, tolerated).for_each(drop),
        None => read.outcome.problems.splice(0..0, tolerated).for_each(drop),
    }
    Ok(read)
}

fn request(read: &mut Hl7Message, message: &Message<'_>, identity: &identity::Identity, event: Event, rules: &Hl7Rules) {
    let mut draft = draft::read(message, &read.header, identity, rules);
    if let (Event::New, Some(record), Some(today)) = (event, &mut draft.outcome.record, &draft.today) {
        request::expired_on_arrival(record, today);
    }
    let problems = draft.outcome.record.as_ref().map_or(&[][..], |record| &record.problems);
    if let Some(refusal) = rules.profile().strict_refusal(message, problems, &draft.warnings) {
        return read.refuse(refusal);
    }
    read.warnings = draft.warnings;
    read.outcome = draft.outcome;
    if event == Event::New && draft.is_document {
        read.outcome.kind = Kind::Document;
        read.outcome.event = None;
        if let Some(record) = &mut read.outcome.record {
            // Nothing is sent anywhere because of it, so nothing has to wait for a person.
            record.held.clear();
        }
        read.outcome.problems.push(Problem::new(
            "document-not-referral",
            "the message has no referral segment (RF1) and nobody is referred to: kept as a document",
        ));
    } else {
        read.outcome.event = Some(event);
    }
}

/// MSH-7 as an instant: what tells which of two messages says the newer. A time to the minute tells too little of two that come together.
fn written_at(header: &Header, time_zone: &str) -> Option<Timestamp> {
    let date = read_date(&header.raw.text(7)).ok().filter(|date| date.precision == Precision::Second)?;
    draft::in_zone(date, time_zone).iso.parse().ok()
}

impl Hl7Message {
    fn new(header: Header, body: &[u8], rules: &Hl7Rules) -> Self {
        let (sender, profile) = (header.sender(), rules.profile());
        let control_id = Some(header.raw.text(10)).filter(|id| !id.is_empty());
        let unique_id = control_id.as_deref().filter(|_| profile.control_ids_unique);
        Self {
            outcome: Outcome::of(Kind::Unknown),
            refusal: None,
            warnings: Vec::new(),
            repeat_key: identity::repeat_key(&header, &sender, body, unique_id.unwrap_or_default()),
            control_key: unique_id.map(|id| ["hl7-control|", &sender, "|", id].concat()),
            sender,
            control_id,
            written_at: written_at(&header, &rules.time_zone),
            referral_keys: Vec::new(),
            reference: None,
            profile: Arc::clone(profile),
            refuses_reused_control_id: profile.strict.control_id_reuse,
            waits_for_referral_seconds: profile.referral_wait_seconds(),
            header,
        }
    }

    /// Turns it into a refused message, whatever it was read as.
    pub fn refuse(&mut self, refusal: Refusal) {
        self.outcome = Outcome::of(Kind::Refused);
        let code = format!("hl7-{}", refusal.code);
        self.outcome.problems.push(Problem::new(&code, format!("{}: {}", refusal.location, refusal.text)));
        self.refusal = Some(refusal);
    }
}

/// A message of which only MSH can be read: refused, so that its sender learns of it.
fn unreadable_message(body: &[u8], unreadable: Unreadable, rules: &Hl7Rules) -> Result<Hl7Message, NotHl7> {
    let header = Header::of_fragment(body).map_err(|_| NotHl7(unreadable))?;
    let mut read = Hl7Message::new(header, body, rules);
    if read.header.is_acknowledgement() {
        read.outcome = Outcome::of(Kind::Acknowledgement);
        return Ok(read);
    }
    let text = format!("the message {}", unreadable.as_str());
    read.refuse(match unreadable {
        Unreadable::TooLarge => Refusal::not_kept(104, text),
        Unreadable::WideCharacters => Refusal::reject(102, "MSH^1^18", text),
        Unreadable::NotHl7 | Unreadable::Delimiters | Unreadable::Unparsable => Refusal::reject(100, "MSH^1", text),
    });
    Ok(read)
}

fn tolerated(tolerance: &Tolerance) -> Problem {
    let (code, message) = match tolerance {
        Tolerance::JunkBeforeMsh => ("junk-before-msh", "a byte order mark or blanks before MSH were left out"),
        Tolerance::LineEnds => ("line-ends", "segments end with LF or CRLF instead of CR"),
        Tolerance::LooseEnds => ("loose-ends", "blank lines, a missing last CR or trailing blanks were put right"),
        Tolerance::BrokenLine => ("broken-line", "a line end inside a field was read as text"),
        Tolerance::UnknownLine => ("unknown-line", "a line that begins like no segment was left out"),
        Tolerance::ShortMsh2 => ("short-msh-2", "MSH-2 has fewer than four characters; the usual ones were taken"),
        Tolerance::CharsetGuess => {
            ("charset-guess", "MSH-18 does not name the character set that the text is in; it was guessed")
        }
        Tolerance::UnknownEscape => ("escape-unknown", "an escape sequence that means nothing here was kept as it stands"),
        Tolerance::UnreadableBytes => ("unreadable-bytes", "some bytes mean nothing in the character set of the message"),
    };
    Problem::new(code, message)
}

fn header_problems(header: &Header) -> Vec<Problem> {
    let mut problems = Vec::new();
    if header.raw.field(10).is_empty() {
        problems.push(Problem::new("control-id-missing", "MSH-10 is empty: a repeat is told by content alone"));
    }
    if header.raw.text(11).is_empty() {
        problems.push(Problem::new("processing-id-missing", "MSH-11 is empty; the message was taken for production"));
    }
    if header.raw.text(12).is_empty() {
        problems.push(Problem::new("version-missing", "MSH-12 is empty; the message was read by its content"));
    }
    problems
}
