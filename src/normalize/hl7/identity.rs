//! Whose number is whose: the referral's identity, and what makes a message a repeat.
//!
//! The referrer's number stands in RF1-6 by the standard, and elsewhere in practice: the first hit of a fixed chain wins, and
//! where it was found is kept. A value that reads as a date is never taken.

use sha2::{Digest, Sha256};

use super::{
    Header, Profile, ReferralKey,
    keys::{self, Number},
    purpose::Purpose,
};
use crate::{
    protocols::hl7::{Message, read_date},
    referral::{Identifier, Problem, Reference},
};

/// The numbers of a referral.
#[derive(Default)]
pub(super) struct Identity {
    /// The referrer's.
    pub(super) placer: Option<Identifier>,
    /// The other side's (RF1-11), or our own coming back.
    pub(super) filler: Option<Identifier>,
    /// Our own reference, wherever it is quoted.
    pub(super) reference: Option<Reference>,
    /// What the referral is found by, the best first.
    pub(super) keys: Vec<ReferralKey>,
    /// What was wrong with the numbers.
    pub(super) problems: Vec<Problem>,
}

/// Where the number of a referral stands, the best place first.
const PLACES: [(&str, usize); 10] =
    [("RF1", 6), ("ORC", 2), ("OBR", 2), ("RF1", 11), ("RF1", 9), ("ORC", 3), ("OBR", 3), ("SCH", 26), ("TXA", 14), ("TXA", 15)];

/// Resolves the chain: [`PLACES`], or those that the profile names, then for a request an id derived from the content.
pub(super) fn resolve(header: &Header, message: &Message<'_>, purpose: Purpose, profile: &Profile) -> Identity {
    let mut candidates = profile.referral_ids(message);
    // Whose chain a profile names is the sender's as a referrer: an answer of its quotes a number wherever one can stand.
    let chain: &[(&str, usize)] = if profile.referral_id.is_empty() || !purpose.is_asked() { &PLACES } else { &[] };
    for (name, field) in chain.iter().copied() {
        let Some(segment) = message.first(name) else { continue };
        let id = segment.field(field).first();
        // RF1-9 is a date by the standard; a value of several components there is a provider that slipped out of its column.
        if (name, field) == ("RF1", 9) && (id.len() > 1 || is_date(&id.value(1))) {
            continue;
        }
        candidates.extend(Number::read(&id, &format!("{name}-{field}")));
    }
    let mut identity = Identity { filler: filler(message), ..Identity::default() };
    identity.reference = candidates.iter().map(|number| &number.id).chain(&identity.filler).find_map(|id| id.value.parse().ok());
    // A date is no identity: every referral of that day would be taken for one and the same.
    let (dates, candidates): (Vec<_>, Vec<_>) = candidates.into_iter().partition(|number| is_date(&number.id.value));
    if let Some(date) = dates.first() {
        let place = date.id.found_in.as_deref().unwrap_or("a field");
        let message = format!("{place} holds a date where the number of the referral belongs; it was not taken");
        identity.problems.push(Problem::at("referral-id-is-a-date", "identifiers.placer.value", message));
    }
    identity.placer = candidates.first().map(|number| number.id.clone());
    match &identity.placer {
        Some(placer) if placer.found_in.as_deref() != Some(profile.usual_id_field().as_str()) => {
            identity.problems.push(Problem::at(
                "referral-id-elsewhere",
                "identifiers.placer.value",
                format!(
                    "{} holds no number of the referral; {} was taken",
                    profile.usual_id_field(),
                    placer.found_in.as_deref().unwrap_or("another field")
                ),
            ))
        }
        Some(_) => {}
        None if !purpose.is_asked() => {}
        None => {
            identity.placer = Some(synthetic(header, message));
            identity.problems.push(Problem::at(
                "referral-id-synthetic",
                "identifiers.placer.value",
                "the message holds no number of the referral: one was derived from its content",
            ));
        }
    }
    identity.keys = if purpose.is_asked() {
        let derived = identity.placer.clone().map(|id| Number { id, authorities: Vec::new() });
        let number = candidates.into_iter().next().or(derived);
        keys::of_request(header, number.as_ref(), identity.reference.as_ref())
    } else {
        keys::of_answer(header, &candidates, &message.value("MSA", 2))
    };
    identity
}

fn filler(message: &Message<'_>) -> Option<Identifier> {
    Number::read(&message.first("RF1")?.field(11).first(), "RF1-11").map(|number| number.id)
}

/// A whole day or a full timestamp: eight or fourteen digits that exist in the calendar.
fn is_date(value: &str) -> bool {
    let digits = value.split(['+', '-']).next().unwrap_or_default();
    matches!(digits.len(), 8 | 12 | 14)
        && read_date(value).is_ok()
        && digits.get(..2).is_some_and(|century| matches!(century, "19" | "20" | "21"))
}

/// An id for a referral that has none: the same referral sent again gets the same one.
fn synthetic(header: &Header, message: &Message<'_>) -> Identifier {
    let mut hash = Sha256::new();
    let mut add = |part: &str| {
        hash.update(part.as_bytes());
        hash.update([0]);
    };
    add(&header.sender());
    if let Some(pid) = message.first("PID") {
        for field in [3, 5, 7] {
            add(&pid.field(field).first().raw().to_lowercase());
        }
    }
    for prd in message.all("PRD") {
        add(prd.field(1).raw());
        add(prd.field(2).raw());
    }
    let observed = message.value("OBR", 7).into_owned();
    let day = if observed.is_empty() { header.raw.text(7) } else { observed };
    add(day.get(..8).unwrap_or(&day));
    for segment in message.segments().filter(|segment| segment.is("NTE") || segment.is("DG1") || segment.is("OBX")) {
        add(segment.raw());
    }
    let digest = data_encoding::HEXUPPER.encode(&hash.finalize());
    let value = format!("SYN-{}", digest.get(..20).expect("a SHA-256 has 64 hexadecimal digits"));
    Identifier { value, authority: None, found_in: Some("synthetic".to_owned()) }
}

/// `hl7|sender|MSH-10|SHA-256` of the segments without MSH-7, MSH-10 and MSH-13: equal for a retry, whatever changes with the clock, and
/// whichever line ends stand between the segments and behind the last. Where MSH-10 names no message, `control_id` is empty.
pub(super) fn repeat_key(header: &Header, sender: &str, body: &[u8], control_id: &str) -> String {
    let separator = u8::try_from(header.raw.delimiters.field).unwrap_or(b'|');
    let start = memchr::memmem::find(body, b"MSH").unwrap_or(0);
    let body = body.get(start..).unwrap_or_default();
    let end = memchr::memchr2(b'\r', b'\n', body).unwrap_or(body.len());
    let (first, rest) = body.split_at(end);
    let mut hash = Sha256::new();
    for (at, field) in first.split(|byte| *byte == separator).enumerate() {
        // MSH-1 is the separator itself, so the field at position n is MSH-(n+1).
        if !matches!(at + 1, 7 | 10 | 13) {
            hash.update(field);
        }
        hash.update([separator]);
    }
    let mut from = 0;
    for end in memchr::memchr2_iter(b'\r', b'\n', rest).chain([rest.len()]) {
        let segment = rest.get(from..end).filter(|segment| !segment.is_empty());
        for part in segment.into_iter().flat_map(|segment| [&b"\r"[..], segment]) {
            hash.update(part);
        }
        from = end + 1;
    }
    hash.update(b"\r");
    let digest = data_encoding::HEXLOWER.encode(&hash.finalize());
    ["hl7|", sender, "|", control_id, "|", &digest].concat()
}
