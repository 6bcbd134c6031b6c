//! The same fax once more: scanned or sent anew, so that no byte is the same. Known by what its pages look like, and by what it says.
//!
//! # Design notes
//! A form filled in for somebody else, or for another matter, looks as much the same as a second scan. So the fields decide: who the patient
//! is must agree, and nothing that is asked may contradict. What is known so is held, never merged by itself; its sender is told once more
//! of the referral that came first.
//!
//! Each referral that came on paper is found by pairs of what tells a patient (family and given name, name and birth date, a number): one
//! of them may be misread.

use std::collections::BTreeSet;

use super::{decide::Desk, route};
use crate::{
    config::Config,
    delivery::{Delivery, Purpose},
    ids::ReferralId,
    message::Protocol,
    referral::{HeldReason, Look, PageKind, Problem, Record, Referral, Status},
    store::{Store, StoreError},
};

/// The code of the problem that such a referral has.
const SENT_AGAIN: &str = "sent-again";
/// How many referrals are remembered under one key.
const SLOTS_MAX: usize = 20;
/// Two scans of one sheet look at least so much alike.
const LOOK_MIN: f32 = 0.66;
/// Names this alike are one, misread.
const NAME_MIN: f64 = 0.75;
/// Reasons less alike than this are two.
const REASON_OTHER_MAX: f64 = 0.6;
/// Reasons this alike are one, misread.
const REASON_SAME_MIN: f64 = 0.85;

/// Looks for the referral that the same fax made before. Where there is one the new one is held, and says so.
pub(super) fn find(desk: &Desk<'_>, record: &mut Record, keys: &mut Vec<String>) -> Result<Option<Referral>, StoreError> {
    if desk.message().protocol == Protocol::Hl7 || record.attachments.iter().all(|one| one.page.is_none()) {
        return Ok(None);
    }
    let mut found: Option<(String, Alike)> = None;
    let mut seen: BTreeSet<ReferralId> = BTreeSet::new();
    for key in patient_keys(record) {
        let slots = (1..=SLOTS_MAX).map(|number| if number == 1 { key.clone() } else { format!("{key}|{number}") });
        for slot in slots.filter(|slot| !desk.has_taken(slot)) {
            let Some(known) = desk.store.referral_by_key(&slot)? else {
                keys.push(slot);
                break;
            };
            if found.is_none() && seen.insert(known.id) {
                found = resembles(&known.record, record).map(|alike| (slot, alike));
            }
        }
    }
    let Some((slot, alike)) = found else { return Ok(None) };
    // The one that stays, if the other was merged since.
    let Some(earlier) = desk.find(&slot)? else { return Ok(None) };
    record.hold(HeldReason::PossibleDuplicate);
    record.problems.retain(|problem| problem.code != "possible-duplicate");
    record.problems.push(Problem::new(SENT_AGAIN, told(&earlier, &alike)));
    Ok(Some(earlier))
}

/// How far two faxes are alike.
struct Alike {
    /// Pages that look like one of the earlier fax.
    pages: usize,
    /// Of so many.
    of: usize,
}

fn told(earlier: &Referral, alike: &Alike) -> String {
    let reference = &earlier.reference;
    let Alike { pages, of } = alike;
    let advice = match earlier.status {
        Status::Cancelled => format!("`reject` this one, as {reference} is cancelled, or `confirm` that it is another one"),
        _ => format!("`merge` it into {reference}, or `confirm` that it is another one"),
    };
    format!(
        "it is probably the fax of {reference} sent again: the same patient and request, and {pages} of {of} pages look the same. Compare \
         them, then {advice}"
    )
}

/// The keys of whatever tells a patient, two by two.
fn patient_keys(record: &Record) -> Vec<String> {
    let patient = &record.patient;
    let family = patient.name.family.as_deref().map(fold);
    let given = patient.name.given.as_deref().map(fold);
    let born = patient.birth_date.as_ref().map(|date| date.as_str().to_owned());
    let number = patient.identifiers.first().map(|id| fold(&id.value));
    let member = record.insurance.first().and_then(|coverage| coverage.member_id.as_deref()).map(fold);
    let pair = |what: &str, one: &Option<String>, other: &Option<String>| {
        one.as_ref().zip(other.as_ref()).map(|(one, other)| format!("fax|{what}|{one}|{other}"))
    };
    let some = Some(String::new());
    let keys = [
        pair("name", &family, &given),
        pair("family", &family, &born),
        pair("given", &given, &born),
        pair("number", &number, &some),
        pair("member", &member, &some),
    ];
    keys.into_iter().flatten().collect()
}

/// Whether a fax is probably one that came before.
fn resembles(known: &Record, new: &Record) -> Option<Alike> {
    let alike = Alike { pages: pages_alike(known, new), of: looks(new).count() };
    let is_same = same_person(known, new)
        && !asks_otherwise(known, new)
        && ((alike.pages > 0 && 2 * alike.pages >= alike.of) || says_the_same(known, new));
    is_same.then_some(alike)
}

/// Whether all pages of a referral look like pages that another one has.
pub(super) fn brings_nothing_new(new: &Record, known: &Record) -> bool {
    new.problems.iter().any(|problem| problem.code == SENT_AGAIN) && pages_alike(known, new) == new.attachments.len()
}

fn looks(record: &Record) -> impl Iterator<Item = &Look> {
    let pages = record.attachments.iter().filter(|one| one.kind != Some(PageKind::Cover));
    pages.filter_map(|one| one.look.as_ref())
}

/// How many pages of a fax look like pages of another, each of those counted once.
fn pages_alike(known: &Record, new: &Record) -> usize {
    let mut left: Vec<&Look> = looks(known).collect();
    let mut alike = 0;
    for look in looks(new) {
        let likenesses = left.iter().enumerate().map(|(at, other)| (at, look.likeness(other)));
        let best = likenesses.max_by(|a, b| a.1.total_cmp(&b.1)).filter(|(_, likeness)| *likeness >= LOOK_MIN);
        if let Some((at, _)) = best {
            left.swap_remove(at);
            alike += 1;
        }
    }
    alike
}

/// The same person, one of name and birth date perhaps misread.
fn same_person(known: &Record, new: &Record) -> bool {
    let alike = |one: &Option<String>, other: &Option<String>| {
        let pair = one.as_deref().zip(other.as_deref());
        pair.map(|(one, other)| strsim::normalized_levenshtein(&fold(one), &fold(other)) >= NAME_MIN)
    };
    let (one, other) = (&known.patient, &new.patient);
    let dates = one.birth_date.as_ref().zip(other.birth_date.as_ref());
    let born = dates.map(|(one, other)| strsim::levenshtein(one.as_str(), other.as_str()) < 2);
    let told = [alike(&one.name.family, &other.name.family), alike(&one.name.given, &other.name.given), born];
    told.iter().filter(|one| **one == Some(true)).count() >= 2 && !told.contains(&Some(false))
}

/// Whether something that is asked contradicts: then it is another request for the same patient, on the same form. What is doubtful in one
/// of them contradicts nothing.
fn asks_otherwise(known: &Record, new: &Record) -> bool {
    let sure = |path: &str| [known, new].iter().all(|record| !record.review.iter().any(|marked| marked.starts_with(path)));
    let both = |one: &Option<String>, other: &Option<String>| one.as_deref().map(fold).zip(other.as_deref().map(fold));
    let specialties = both(&known.referred_to.specialty, &new.referred_to.specialty);
    let reasons = both(&known.request.reason, &new.request.reason);
    let codes = |record: &Record| record.request.diagnoses.iter().filter_map(|one| one.code.clone()).collect::<BTreeSet<_>>();
    let (one, other) = (codes(known), codes(new));
    let dates = known.authored_at.as_ref().zip(new.authored_at.as_ref());
    let specialty = specialties.is_some_and(|(one, other)| one != other);
    let reason = reasons.is_some_and(|(one, other)| strsim::normalized_levenshtein(&one, &other) < REASON_OTHER_MAX);
    let diagnoses = !one.is_empty() && !other.is_empty() && one.is_disjoint(&other);
    let written = dates.is_some_and(|(one, other)| one.as_str() != other.as_str());
    (specialty && sure("referred_to.specialty"))
        || (reason && sure("request.reason"))
        || (diagnoses && sure("request.diagnoses"))
        || (written && sure("authored_at"))
}

/// Whether two faxes whose pages look different (one was sent with a coarser scan, or on another form) say the same.
fn says_the_same(known: &Record, new: &Record) -> bool {
    let both = |one: &Option<String>, other: &Option<String>| one.as_deref().map(fold).zip(other.as_deref().map(fold));
    let reason = both(&known.request.reason, &new.request.reason);
    reason.is_some_and(|(one, other)| strsim::normalized_levenshtein(&one, &other) >= REASON_SAME_MIN)
        && both(&known.referred_to.specialty, &new.referred_to.specialty).is_some_and(|(one, other)| one == other)
}

/// The acknowledgement that is owed once a person confirms that it is another referral: its sender was told of the earlier one only.
pub(super) fn owed_acknowledgement(
    config: &Config,
    store: &Store,
    referral: &Referral,
    now: jiff::Timestamp,
) -> Result<Option<Delivery>, StoreError> {
    if !referral.record.problems.iter().any(|problem| problem.code == SENT_AGAIN) {
        return Ok(None);
    }
    let source = referral.sources.first();
    let Some(message) = source.map(|source| store.message(source.message)).transpose()?.flatten() else { return Ok(None) };
    let owed = || {
        let acknowledge = &config.inbound.get(&source?.channel)?.acknowledge;
        let to = route::way_back(config, acknowledge, &message, Some(&referral.record.referring))?;
        let mut delivery = Delivery::queued(Purpose::Acknowledgement, acknowledge.through.clone()?, to, now);
        delivery.referral = Some(referral.id);
        delivery.message = Some(message.id);
        Some(delivery)
    };
    Ok(owed())
}

/// Takes the mark away once a person has decided.
pub(super) fn settled(record: &mut Record) {
    record.problems.retain(|problem| problem.code != SENT_AGAIN);
}

fn fold(text: &str) -> String {
    text.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ids::BodyId,
        referral::{Attachment, IsoDate},
    };

    fn page(number: u32, seed: usize) -> Attachment {
        let dark: Vec<u8> = (0..Look::COLUMNS * Look::ROWS).map(|at| ((at * at + seed * at) % 13) as u8).collect();
        Attachment {
            id: BodyId::of(&dark),
            name: None,
            media_type: "image/png".to_owned(),
            bytes: 1,
            page: Some(number),
            kind: Some(PageKind::Referral),
            look: Look::of(&dark),
        }
    }

    fn fax(given: &str, born: &str, specialty: &str, reason: &str, seed: usize) -> Record {
        let mut record = Record::default();
        record.patient.name.family = Some("Bellweather".to_owned());
        record.patient.name.given = Some(given.to_owned());
        record.patient.birth_date = IsoDate::parse(born);
        record.referred_to.specialty = Some(specialty.to_owned());
        record.request.reason = Some(reason.to_owned());
        record.attachments = vec![page(1, seed)];
        record
    }

    #[test]
    fn the_fields_decide_and_not_the_look_of_the_form() {
        const COUGH: &str = "Cough for four months with a normal chest film";
        const ASTHMA: &str = "Frequent exacerbations in spite of two inhalers";
        let known = fax("Priya", "1971-05-02", "Pulmonology", COUGH, 3);
        for (same, what, new) in [
            (true, "scanned again", fax("Priya", "1971-05-02", "Pulmonology", COUGH, 3)),
            (
                true,
                "a letter and a digit misread",
                fax("Prlya", "1971-05-07", "Pulmonology", "Cougn for four months with a normal chost film", 3),
            ),
            (true, "on another form", fax("Priya", "1971-05-02", "Pulmonology", COUGH, 8)),
            (false, "another matter on the same form", fax("Priya", "1971-05-02", "Pulmonology", ASTHMA, 3)),
            (false, "another specialty", fax("Priya", "1971-05-02", "Cardiology", COUGH, 3)),
            (false, "a sister on the same form", fax("Nadia", "1968-11-20", "Pulmonology", COUGH, 3)),
            (false, "a twin on the same form", fax("Nadia", "1971-05-02", "Pulmonology", COUGH, 3)),
        ] {
            assert_eq!(resembles(&known, &new).is_some(), same, "{what}");
        }
    }

    #[test]
    fn one_misread_part_leaves_a_key_that_finds_it() {
        let known = patient_keys(&fax("Priya", "1971-05-02", "", "", 3));
        for new in [fax("Prlya", "1971-05-02", "", "", 3), fax("Priya", "1971-05-07", "", "", 3)] {
            assert!(patient_keys(&new).iter().any(|key| known.contains(key)));
        }
    }
}
