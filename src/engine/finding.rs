//! Which referral a message is about.
//!
//! # Design notes
//! A message names a referral by numbers, and each system spells, drops or replaces them in its own way (the keys are in
//! `normalize/hl7/keys.rs`). The surer a name is, the less else must agree: our own reference, MSA-2 and a number with its authority count by
//! themselves, unless they name another patient; a number alone counts where name and birth date, or a number of the patient, agree, and one
//! referral has it. An answer without any number that is known goes to the one open referral of the patient to the same specialist, if
//! there is one alone. Whatever else there may be is a person's to say: `loopline messages assign`.
//!
//! Likeness tells that a referral is alone since the second of a kind is noted; two that were stored before that are not told apart so.

use jiff::SignedDuration;

use super::{
    decide::Desk,
    referring::is_over,
    sameness::{self, same_patient, surely_same_patient},
};
use crate::{
    ids::MessageId,
    message::Protocol,
    normalize::hl7::{ReferralKey, differ},
    referral::{Provider, Record, Reference, Referral, Source, Status},
    store::StoreError,
};

/// How long after a referral came an answer may be one to it that names no number of it, in days.
const ANSWER_DAYS_MAX: i64 = 180;

/// The places where an answer quotes the number that the referrer gave.
const REFERRERS_PLACES: [&str; 5] = ["RF1-6", "ORC-2", "OBR-2", "SCH-26", "TXA-14"];

/// Whether a message was written before what its sender said last of a referral: it was overtaken on its way. The clocks of two systems that
/// send through one channel tell nothing.
pub(super) fn is_overtaken(desk: &Desk<'_>, known: &Referral) -> Result<bool, StoreError> {
    is_overtaken_by(desk, known, |_| true)
}

/// Likewise, by a message of those that count.
pub(super) fn is_overtaken_by(desk: &Desk<'_>, known: &Referral, counts: impl Fn(MessageId) -> bool) -> Result<bool, StoreError> {
    let this = desk.source();
    let later = |source: &&Source| {
        source.channel == this.channel
            && source.written_at.zip(this.written_at).is_some_and(|(said, is)| is < said)
            && counts(source.message)
    };
    for source in known.sources.iter().filter(later) {
        if desk.store.message(source.message)?.is_some_and(|message| message.sender == desk.message().sender) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The referral that its sender speaks of; or else the reference of another patient's that has the number.
pub(super) fn asked_about(
    desk: &Desk<'_>,
    keys: &[ReferralKey],
    record: &Record,
) -> Result<(Option<Referral>, Option<Reference>), StoreError> {
    let mut other = None;
    for key in keys {
        let (found, is_certain) = match key {
            ReferralKey::Own(reference) => (desk.known_by_reference(reference)?, true),
            ReferralKey::Number { text, is_certain, .. } => (desk.find(text)?, *is_certain),
            ReferralKey::Answered(_) | ReferralKey::Bare(_) => continue,
        };
        let Some(known) = found else { continue };
        if same_patient(&known.record, record) && (is_certain || !authorities_differ(&known.record, record)) {
            return Ok((Some(known), None));
        }
        if is_certain {
            other.get_or_insert(known.reference);
        }
    }
    if other.is_some() {
        for key in sameness::patients_own(keys, record) {
            let ReferralKey::Number { text, .. } = key else { continue };
            if let Some(own) = desk.find(&text)?.filter(|own| same_patient(&own.record, record)) {
                return Ok((Some(own), None));
            }
        }
    }
    Ok((None, other))
}

fn authorities_differ(one: &Record, other: &Record) -> bool {
    let authority = |record: &Record| record.identifiers.placer.as_ref().and_then(|placer| placer.authority.clone());
    differ(authority(one).as_deref(), authority(other).as_deref())
}

/// What the numbers of an answer lead to.
pub(super) enum Whose {
    /// This one.
    One(Box<Referral>),
    /// A referral of another patient.
    OtherPatients,
    /// More than one.
    Several,
    /// None that is known.
    Nobodys,
}

/// The referral that an answer, a report or a document names. `record`: what it says of the patient.
pub(super) fn answered(
    desk: &Desk<'_>,
    reference: Option<&Reference>,
    keys: &[ReferralKey],
    record: Option<&Record>,
) -> Result<Whose, StoreError> {
    if let Some(reference) = reference
        && let Some(known) = desk.known_by_reference(reference)?
    {
        return Ok(Whose::One(Box::new(known)));
    }
    let (mut by_message, mut by_number, mut is_others) = (None, None, false);
    for key in keys {
        let (place, found) = match key {
            ReferralKey::Answered(control_id) => (&mut by_message, desk.answered_by(control_id)?),
            ReferralKey::Own(reference) => (&mut by_number, desk.known_by_reference(reference)?),
            ReferralKey::Number { text, is_certain: true, .. } if by_number.is_none() => (&mut by_number, desk.find(text)?),
            ReferralKey::Number { .. } | ReferralKey::Bare(_) => continue,
        };
        match found {
            Some(known) if record.is_none_or(|record| same_patient(&known.record, record)) => *place = Some(known),
            Some(_) => is_others = true,
            None => {}
        }
    }
    match (by_message, by_number) {
        (Some(one), Some(other)) if one.id != other.id => return Ok(Whose::Several),
        (Some(known), _) | (None, Some(known)) => return Ok(Whose::One(Box::new(known))),
        (None, None) => {}
    }
    let mut fitting = match record {
        Some(record) => of_the_patient(desk, keys, record)?,
        None => Vec::new(),
    };
    if fitting.len() > 1 {
        fitting.retain(|known| !is_over(known.status));
        return Ok(match (fitting.pop(), fitting.is_empty()) {
            (Some(only), true) => Whose::One(Box::new(only)),
            (_, _) => Whose::Several,
        });
    }
    Ok(match fitting.pop() {
        Some(only) => Whose::One(Box::new(only)),
        None if is_others => Whose::OtherPatients,
        None => Whose::Nobodys,
    })
}

/// The referrals of this very patient that have one of the numbers, whoever gave it.
fn of_the_patient(desk: &Desk<'_>, keys: &[ReferralKey], record: &Record) -> Result<Vec<Referral>, StoreError> {
    let mut fitting: Vec<Referral> = Vec::new();
    for key in keys {
        let texts = match key {
            ReferralKey::Number { text, is_certain: false, .. } => vec![text.clone()],
            ReferralKey::Bare(number) => sameness::named_keys(number, record),
            ReferralKey::Number { .. } | ReferralKey::Answered(_) | ReferralKey::Own(_) => continue,
        };
        for text in texts {
            let Some(known) = desk.find(&text)? else { continue };
            if surely_same_patient(&known.record, record) && fitting.iter().all(|other| other.id != known.id) {
                fitting.push(known);
            }
        }
    }
    Ok(fitting)
}

/// The one open referral of the patient to the same specialist that an answer without a known number can be about.
pub(super) fn likely(desk: &mut Desk<'_>, record: Option<&Record>) -> Result<Option<Referral>, StoreError> {
    let Some(record) = record.filter(|_| desk.message().protocol == Protocol::Hl7) else { return Ok(None) };
    let Some(likeness) = sameness::likeness_key(record) else { return Ok(None) };
    let Some(known) = sameness::twin(desk.store, &likeness)?.open else { return Ok(None) };
    let is_alone = desk.find(&sameness::second_key(&likeness))?.is_none();
    let fits = is_alone
        && waits_for_an_answer(known.status)
        && surely_same_patient(&known.record, record)
        && !names_another_number(&known.record, record)
        && !are_others(&known.record.referred_to, &record.referred_to)
        && came_after(desk, &known, record);
    if fits {
        let text = "it names no number that is known here: patient, specialist and date fit one open referral alone";
        desk.problem("matched-by-patient", text);
    }
    Ok(Some(known).filter(|_| fits))
}

fn waits_for_an_answer(status: Status) -> bool {
    match status {
        Status::Requested
        | Status::Confirmed
        | Status::Accepted
        | Status::NeedsInformation
        | Status::Scheduled
        | Status::NoShow
        | Status::Completed => true,
        Status::New
        | Status::Declined
        | Status::Redirected
        | Status::Closed
        | Status::CancelRequested
        | Status::Cancelled
        | Status::Expired => false,
    }
}

/// Whether an answer quotes a number of the referrer's, and the referral has one: it is another, or it would have been found by it.
fn names_another_number(known: &Record, answer: &Record) -> bool {
    let has_one = known.identifiers.placer.as_ref().is_some_and(|placer| placer.found_in.as_deref() != Some("synthetic"));
    let found_in = answer.identifiers.placer.as_ref().and_then(|placer| placer.found_in.as_deref());
    has_one && found_in.is_some_and(|place| REFERRERS_PLACES.contains(&place))
}

/// Whether two providers are two people for certain.
fn are_others(one: &Provider, other: &Provider) -> bool {
    let family = |provider: &Provider| provider.name.family.as_ref().map(|name| name.to_lowercase());
    let differ = |one: Option<String>, other: Option<String>| one.zip(other).is_some_and(|(one, other)| one != other);
    differ(one.npi.clone(), other.npi.clone()) || differ(family(one), family(other))
}

/// Whether an answer came in the time in which one to this referral is to be expected.
fn came_after(desk: &Desk<'_>, known: &Referral, answer: &Record) -> bool {
    let came = desk.message().received_at;
    let in_time = known.sources.first().is_some_and(|source| {
        source.received_at <= came && came.duration_since(source.received_at) <= SignedDuration::from_hours(24 * ANSWER_DAYS_MAX)
    });
    let day = |record: &Record| record.authored_at.as_ref().and_then(|date| date.as_str().get(..10).map(str::to_owned));
    let is_older = day(answer).zip(day(&known.record)).is_some_and(|(answer, known)| answer < known);
    in_time && !is_older
}
