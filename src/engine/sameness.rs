//! Whether two records are about one person, and whether a referral is one that is known already.
//!
//! # Design notes
//! A sender's number is not enough: it may be used again for another patient, and then one patient's record must never take on another's
//! name. Neither is a patient's number, which changes when two charts are merged. So what contradicts counts as much as what agrees.

use super::referring::is_over;
use crate::{
    message::Message,
    normalize::hl7::ReferralKey,
    referral::{HeldReason, Patient, PatientIdentifier, Problem, Record, Referral},
    store::{Store, StoreError},
};

/// How many ended referrals of one patient to one specialty are passed by on the way to one that is open.
const TWINS_MAX: usize = 100;

/// Names with less than this share of their letters in common are no slip of one another.
const ALIKE_MIN: f64 = 0.5;

/// How many times the same message without a control id is followed, each real because something came between.
const REPEATS_MAX: usize = 1_000;

/// The key by which the store knows a message again.
///
/// Where MSH-10 names the message, its sender means the same one whenever it comes. Where it does not (it is empty, constant, or counts
/// anew), the same content again is a repeat only as long as nothing else came about its referral: booked, cancelled and booked again is
/// real, and so is a referral that is sent again after its cancel.
pub(super) fn repeat_key(store: &Store, key: &str, is_named: bool) -> Result<String, StoreError> {
    let mut latest = key.to_owned();
    if is_named {
        return Ok(latest);
    }
    for _ in 0..REPEATS_MAX {
        match store.message_by_key(&latest)? {
            Some(known) if is_overtaken(store, &known)? => latest = format!("{key}|after|{}", known.id),
            Some(_) | None => break,
        }
    }
    Ok(latest)
}

/// Whether something came about a message's referral after it.
fn is_overtaken(store: &Store, message: &Message) -> Result<bool, StoreError> {
    for id in &message.referrals {
        let last = store.referral(*id)?.and_then(|referral| referral.sources.last().map(|source| source.message));
        if last.is_some_and(|last| last != message.id) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether two records can be about one person.
///
/// A common number says so, unless both names and the birth date are quite others. Without one nothing may contradict: not the birth
/// date; and the name only where the birth date and the given name agree, as family names change. Where one of them says too little to
/// tell, numbers of one kind that differ decide.
pub(super) fn same_patient(one: &Record, other: &Record) -> bool {
    let (one, other) = (&one.patient, &other.patient);
    let pairs = || one.identifiers.iter().flat_map(|known| other.identifiers.iter().map(move |new| (known, new)));
    let same_number = share_a_number(one, other);
    let numbers_differ = pairs().any(|(known, new)| authority(known) == authority(new) && known.kind == new.kind);
    let name = |patient: &Patient| Some((fold(patient.name.family.as_deref()?), fold(patient.name.given.as_deref()?)));
    let names = name(one).zip(name(other));
    let same_given = names.as_ref().is_some_and(|(one, other)| one.1 == other.1);
    let unlike = |one: &str, other: &str| strsim::normalized_levenshtein(one, other) < ALIKE_MIN;
    let other_names = names.as_ref().is_some_and(|(one, other)| unlike(&one.0, &other.0) && unlike(&one.1, &other.1));
    let same_name = names.map(|(one, other)| one == other);
    let same_day = one.birth_date.as_ref().zip(other.birth_date.as_ref()).map(|(one, other)| one == other);
    if same_number {
        return !(other_names && same_day == Some(false));
    }
    match (same_name, same_day) {
        (Some(true), Some(true)) => true,
        (Some(true) | None, None) | (None, Some(true)) => !numbers_differ,
        (Some(false), Some(true)) => same_given && !numbers_differ,
        (_, Some(false)) | (Some(false), None) => false,
    }
}

fn authority(id: &PatientIdentifier) -> Option<String> {
    id.authority.as_deref().map(fold)
}

fn share_a_number(one: &Patient, other: &Patient) -> bool {
    let is_same = |known: &PatientIdentifier, new: &PatientIdentifier| {
        fold(&known.value) == fold(&new.value) && authority(known) == authority(new)
    };
    one.identifiers.iter().any(|known| other.identifiers.iter().any(|new| is_same(known, new)))
}

/// Whether two records are about one person, and both say enough to tell: a number of the patient's, or the birth date, agrees as well.
pub(super) fn surely_same_patient(one: &Record, other: &Record) -> bool {
    let (known, new) = (&one.patient, &other.patient);
    let same_day = known.birth_date.is_some() && known.birth_date == new.birth_date;
    same_patient(one, other) && (same_day || share_a_number(known, new))
}

/// The keys by which a number of a patient is found, whoever gave it: of the first referral that has it, and of a second.
pub(super) fn named_keys(number: &str, record: &Record) -> Vec<String> {
    let name = &record.patient.name;
    let Some((family, given)) = name.family.as_deref().zip(name.given.as_deref()) else { return Vec::new() };
    let key = format!("named|{number}|{}|{}", fold(family), fold(given));
    let second = second_key(&key);
    vec![key, second]
}

/// The key of whoever comes second where one has a key: it tells that the first is not alone.
pub(super) fn second_key(key: &str) -> String {
    format!("{key}|also")
}

/// The keys of a number that another patient's referral has already, for this patient alone.
pub(super) fn patients_own(keys: &[ReferralKey], record: &Record) -> Vec<ReferralKey> {
    let patient = &record.patient;
    let born = patient.birth_date.as_ref().map_or("", |date| date.as_str());
    let name = [patient.name.family.as_deref(), patient.name.given.as_deref()].map(|part| fold(part.unwrap_or_default()));
    let who = match patient.identifiers.first() {
        Some(id) => fold(&id.value),
        None => format!("{}|{}|{born}", name[0], name[1]),
    };
    let own = |key: &ReferralKey| match key {
        ReferralKey::Number { text, is_kept, .. } => {
            Some(ReferralKey::Number { text: format!("{text}|of|{who}"), is_certain: true, is_kept: *is_kept })
        }
        ReferralKey::Bare(number) => Some(ReferralKey::Bare(number.clone())),
        ReferralKey::Answered(_) | ReferralKey::Own(_) => None,
    };
    keys.iter().filter_map(own).collect()
}

/// The same person referred to the same specialty: a key that a second such referral is noticed by.
pub(super) fn likeness_key(record: &Record) -> Option<String> {
    let patient = &record.patient;
    let family = fold(patient.name.family.as_deref()?);
    let given = fold(patient.name.given.as_deref()?);
    let born = patient.birth_date.as_ref()?.as_str();
    let target = record.referred_to.specialty.as_deref().or(record.referred_to.organization.as_deref())?;
    Some(format!("like|{family}|{given}|{born}|{}", fold(target)))
}

/// What the store has under a likeness.
pub(super) struct Twin {
    /// The referral that is open.
    pub(super) open: Option<Referral>,
    /// The key that the next one is found by: a key stays with the referral that had it first.
    pub(super) free: Option<String>,
}

/// Looks for an open referral of the same likeness, past those that are over.
pub(super) fn twin(store: &Store, likeness: &str) -> Result<Twin, StoreError> {
    let mut key = likeness.to_owned();
    for number in 2..TWINS_MAX {
        match store.referral_by_key(&key)? {
            None => return Ok(Twin { open: None, free: Some(key) }),
            Some(known) if !is_over(known.status) => return Ok(Twin { open: Some(known), free: None }),
            Some(_) => key = format!("{likeness}|{number}"),
        }
    }
    Ok(Twin { open: None, free: None })
}

/// Holds a referral that may be one that is known already; `other` says which.
pub(super) fn hold_as_twin(record: &mut Record, other: &str) {
    record.hold(HeldReason::PossibleDuplicate);
    let text = format!("the same patient was referred to the same specialty before ({other}): merge them, or confirm this one");
    record.problems.push(Problem::new("possible-duplicate", text));
}

fn fold(text: &str) -> String {
    text.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::referral::IsoDate;

    fn patient(id: &str, family: &str, given: &str, born: &str) -> Record {
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let mut record = Record::default();
        record.patient.name.family = some(family);
        record.patient.name.given = some(given);
        record.patient.birth_date = IsoDate::parse(born);
        if let Some(value) = some(id) {
            let (authority, kind) = (some("STMARY"), some("MR"));
            record.patient.identifiers.push(PatientIdentifier { value, authority, kind });
        }
        record
    }

    #[test]
    fn one_patient_is_told_from_another() {
        let known = patient("1", "Quill", "Ada", "1950-01-02");
        for (same, id, family, given, born) in [
            (true, "1", "Quill", "Ada", "1950-01-02"),
            // A slip that the sender mends.
            (true, "1", "Quill", "Ada", "1950-02-01"),
            (true, "1", "Quyll", "Adah", "1951-01-02"),
            // Charts that were merged; a name that changed; a number that was given twice.
            (false, "1", "Zorn", "Karl", "1988-01-02"),
            (true, "1", "Zorn", "Karl", "1950-01-02"),
            (true, "2", "Quill", "Ada", "1950-01-02"),
            (true, "", "Marrow", "Ada", "1950-01-02"),
            (true, "", "", "", "1950-01-02"),
            (true, "", "Quill", "Ada", ""),
            (false, "2", "Quill", "Ada", "1988-01-02"),
            (false, "", "Quill", "Ada", "1988-01-02"),
            (false, "2", "Zorn", "Karl", "1950-01-02"),
            (false, "", "Zorn", "Karl", "1950-01-02"),
            (false, "2", "Marrow", "Ada", "1950-01-02"),
            (false, "", "", "", "1988-01-02"),
            (false, "", "Zorn", "Karl", ""),
            (false, "2", "", "", ""),
            (false, "2", "Quill", "Ada", ""),
        ] {
            let other = patient(id, family, given, born);
            assert_eq!(same_patient(&known, &other), same, "{id} {family} {given} {born}");
            assert_eq!(same_patient(&other, &known), same, "{id} {family} {given} {born}");
        }
    }

    #[test]
    fn who_says_too_little_is_not_surely_the_same() {
        let known = patient("1", "Quill", "Ada", "1950-01-02");
        for (sure, id, family, given, born) in [
            (true, "", "Quill", "Ada", "1950-01-02"),
            (true, "1", "Quill", "Ada", ""),
            (false, "", "Quill", "Ada", ""),
            (false, "", "", "", ""),
            (false, "2", "Quill", "Ada", "1988-01-02"),
        ] {
            let other = patient(id, family, given, born);
            assert_eq!(surely_same_patient(&known, &other), sure, "{id} {family} {given} {born}");
        }
    }
}
