//! What a sender leaves out of a change: it stays as it was said before.
//!
//! # Design notes
//! An empty field says nothing of its value, and `""` deletes it (HL7 chapter 2). A change of the priority alone that names the patient
//! by number must not take the birth date away, nor the mark that the patient is dead. What is left out is filled field by field where a
//! field stands for itself, and as a whole where parts of two values would make a third: a name, an address, a list. What segments of their
//! own say (allergies, next of kin) is a note each, and stays where the change has no such segment: a change of the notes says nothing of an
//! allergy.

use super::settle;
use crate::{
    normalize::hl7::{ALLERGIES_DELETED, ALLERGY_SEGMENTS, CIRCUMSTANCE_SEGMENTS},
    referral::{HeldReason, Problem, Provider, Record},
};

/// Where the name of a receiver stands that no PRD names.
const FROM_HEADER: &str = "MSH^1^6";
const ORGANIZATION: &str = "referred_to.organization";
/// The code of the problem that says so of a name from PV1, OBR or ORC.
const ELSEWHERE: &str = "provider-elsewhere";
/// What a PRD says of who is referred to.
const SPECIALIST: [&str; 7] = [
    "referred_to.name",
    "referred_to.npi",
    "referred_to.identifiers",
    ORGANIZATION,
    "referred_to.phones",
    "referred_to.emails",
    "referred_to.address",
];

/// The codes of problems that say no more than that a value is not there.
const NOT_SAID: [&str; 2] = ["missing", "priority-missing"];

/// The new record, with what it says nothing of as the old one has it.
pub(super) fn filled(old: &Record, mut new: Box<Record>) -> Box<Record> {
    let mut paths = with_providers(old, &mut new);
    let said: Vec<String> =
        new.problems.iter().filter(|it| !NOT_SAID.contains(&it.code.as_str())).filter_map(|it| it.field.clone()).collect();
    // Where there is evidence of a value, it was said: PID-30 N is no date of death, and no silence.
    let said: Vec<String> = said.into_iter().chain(new.evidence.keys().map(ToString::to_string)).collect();
    let (was, is) = (&old.patient, &mut new.patient);
    let mut filling = Filling { said: &said, paths: &mut paths };
    filling.fill("patient.identifiers", &mut is.identifiers, &was.identifiers);
    filling.fill("patient.name", &mut is.name, &was.name);
    filling.fill("patient.birth_date", &mut is.birth_date, &was.birth_date);
    filling.fill("patient.sex", &mut is.sex, &was.sex);
    filling.fill("patient.deceased", &mut is.deceased, &was.deceased);
    filling.fill("patient.phones", &mut is.phones, &was.phones);
    filling.fill("patient.emails", &mut is.emails, &was.emails);
    filling.fill("patient.address", &mut is.address, &was.address);
    filling.fill("referring", &mut new.referring, &old.referring);
    filling.fill("kind", &mut new.kind, &old.kind);
    filling.fill("priority", &mut new.priority, &old.priority);
    filling.fill("expires_at", &mut new.expires_at, &old.expires_at);
    filling.fill("insurance", &mut new.insurance, &old.insurance);
    filling.fill("authorization", &mut new.authorization, &old.authorization);
    filling.fill("request.reason", &mut new.request.reason, &old.request.reason);
    filling.fill("request.diagnoses", &mut new.request.diagnoses, &old.request.diagnoses);
    filling.fill("request.procedures", &mut new.request.procedures, &old.request.procedures);
    if !keep_notes(old, &mut new) {
        let mut filling = Filling { said: &said, paths: &mut paths };
        filling.fill("notes", &mut new.notes, &old.notes);
    }
    with_their_doubts(old, new, &paths)
}

/// How surely a record says who is referred to: the receiving facility of the header (MSH-6) stands in for one, or a name of the visit (PV1-9).
fn how_named(record: &Record) -> Named {
    let place = record.evidence.get(ORGANIZATION).and_then(|evidence| evidence.location.as_deref());
    let from_header = place == Some(FROM_HEADER) || record.problems.iter().any(|problem| problem.code == "referred-to-missing");
    let elsewhere = stands_in(record, "referred_to");
    let is_named = |path: &str| SPECIALIST.iter().any(|part| *part != ORGANIZATION && is_at(path, part));
    let named = record.evidence.keys().any(|path| is_named(path) && !(elsewhere && *path == "referred_to.name.family"));
    match (named, elsewhere, from_header) {
        (true, _, _) | (false, false, false) => Named::ByPrd,
        (false, true, _) => Named::Elsewhere,
        (false, false, true) => Named::ByHeader,
    }
}

/// How surely a record says who is referred to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Named {
    /// By the facility that the message went to, or not at all.
    ByHeader,
    /// By a name of the visit.
    Elsewhere,
    /// By a PRD, or by what is no HL7.
    ByPrd,
}

/// Whether a name of a visit or an order stands in for a provider whom no PRD names.
fn stands_in(record: &Record, provider: &str) -> bool {
    let is_about = |problem: &Problem| problem.field.as_deref().is_some_and(|field| is_at(field, provider));
    record.problems.iter().any(|problem| problem.code == ELSEWHERE && is_about(problem))
}

/// Takes away what is known of where a provider was read.
fn forget(record: &mut Record, provider: &str, but: &str) {
    let is_its = |path: &str| is_at(path, provider) && !is_at(path, but);
    record.evidence.retain(|path, _| !is_its(path));
    record.review.retain(|path| !is_its(path));
    record.problems.retain(|problem| !problem.field.as_deref().is_some_and(is_its));
}

/// Keeps who refers, and who is referred to, where the new record has no PRD for them. Gives the paths that were filled.
pub(super) fn with_providers(old: &Record, new: &mut Record) -> Vec<&'static str> {
    let mut paths = with_specialist(old, new);
    if stands_in(new, "referring") && !stands_in(old, "referring") && old.referring != Provider::default() {
        forget(new, "referring", "");
        new.referring.clone_from(&old.referring);
        paths.push("referring");
    }
    paths
}

/// Keeps who is referred to where the new record names nobody, and what is wanted where RF1-3 does not say it. Whoever was known by the
/// header alone is whoever it names now. Gives the paths that were filled.
fn with_specialist(old: &Record, new: &mut Record) -> Vec<&'static str> {
    let (was, is) = (how_named(old), how_named(new));
    if is == Named::ByPrd || was <= is {
        return Vec::new();
    }
    forget(new, "referred_to", "referred_to.specialty");
    let mut paths = SPECIALIST.to_vec();
    let specialty = new.referred_to.specialty.take();
    if specialty.is_none() {
        paths.push("referred_to.specialty");
    }
    let was = &old.referred_to;
    new.referred_to = Provider { specialty: specialty.or_else(|| was.specialty.clone()), ..was.clone() };
    if !new.evidence.contains_key("request.service") {
        new.request.service.clone_from(&old.request.service);
        paths.push("request.service");
    }
    paths
}

/// Keeps the notes of each kind that the change says nothing of, where it has notes of another kind or deletes some. Where it says nothing of
/// any, it gives false: all are to stay, with what is known of them.
fn keep_notes(old: &Record, new: &mut Record) -> bool {
    let deletes_notes = new.problems.iter().any(|it| it.code == "deleted" && it.field.as_deref() == Some("notes"));
    let deletes_allergies = new.problems.iter().any(|it| it.code == ALLERGIES_DELETED);
    if new.notes.is_empty() && !deletes_notes && !deletes_allergies {
        return false;
    }
    let is_allergy = |segment: Option<&str>| segment.is_some_and(|name| ALLERGY_SEGMENTS.contains(&name));
    // Who else is referred to, the change says itself.
    let is_other = |segment: Option<&str>| segment.is_some_and(|name| CIRCUMSTANCE_SEGMENTS.contains(&name) || name == "PRD");
    let is_words = |segment: Option<&str>| !is_allergy(segment) && !is_other(segment);
    let says_allergies = deletes_allergies || !new.notes_where(is_allergy).is_empty();
    if !deletes_notes && new.notes_where(is_words).is_empty() {
        new.put_notes_last(old.notes_where(is_words));
    }
    for name in CIRCUMSTANCE_SEGMENTS {
        if new.notes_where(|segment| segment == Some(name)).is_empty() {
            new.put_notes_last(old.notes_where(|segment| segment == Some(name)));
        }
    }
    if !says_allergies {
        new.put_notes_first(old.notes_where(is_allergy));
    }
    true
}

/// What is known of the filled values comes with them: where they were read, what was wrong with them, who must look.
fn with_their_doubts(old: &Record, mut new: Box<Record>, paths: &[&'static str]) -> Box<Record> {
    let is_filled = |path: &str| paths.iter().any(|filled| is_at(path, filled));
    new.problems.retain(|it| !(NOT_SAID.contains(&it.code.as_str()) && it.field.as_deref().is_some_and(is_filled)));
    new.review.retain(|path| !is_filled(path));
    new.problems.extend(old.problems.iter().filter(|it| it.field.as_deref().is_some_and(is_filled)).cloned());
    for path in old.review.iter().filter(|path| is_filled(path)) {
        new.mark(path);
    }
    new.evidence.extend(old.evidence.iter().filter(|(path, _)| is_filled(path)).map(|(path, it)| (path.clone(), it.clone())));
    for (reason, about) in [(HeldReason::BlockingField, "patient"), (HeldReason::Deceased, "patient.deceased")] {
        if old.held.contains(&reason) && paths.iter().any(|filled| is_at(filled, about)) {
            new.hold(reason);
        }
    }
    settle::release_settled(&mut new);
    new
}

struct Filling<'a> {
    /// The paths of which the message said something, though no value is left of it.
    said: &'a [String],
    /// The paths that were filled.
    paths: &'a mut Vec<&'static str>,
}

impl Filling<'_> {
    fn fill<T: Clone + Default + PartialEq>(&mut self, path: &'static str, new: &mut T, old: &T) {
        let is_left_out = *new == T::default() && *old != T::default();
        if is_left_out && !self.said.iter().any(|said| is_at(said, path)) {
            new.clone_from(old);
            self.paths.push(path);
        }
    }
}

/// Whether a path is this one or below it.
fn is_at(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        normalize::hl7::{Hl7Rules, normalize},
        referral::Priority,
    };

    fn record(rf1: &str, pid: &str, more: &str) -> Box<Record> {
        let text = format!(
            "MSH|^~\\&|EHR|CEDAR|LOOP|DESK|20261120||REF^I13|C1|P|2.5.1\rRF1|{rf1}\rPRD|RP|Phillips^Jesus\rPRD|RT|Ames^Dora\rPID|1||{pid}\r{more}"
        );
        normalize(text.as_bytes(), &Hl7Rules::default()).unwrap().outcome.record.unwrap()
    }

    const PID: &str =
        "7^^^CEDAR^MR||Lee^Leslie^A||19341101|F|||12 Elm St^^Portland^OR^97201||^PRN^PH^^^415^2537700|||||||||||||||||Y";

    fn old() -> Box<Record> {
        record("P|R||||REF-1||20270520", PID, "DG1|1||K21.9^Reflux^I10C\rNTE|1||Please see.\rIN1|1|P|1|Payer\r")
    }

    #[test]
    fn what_a_change_leaves_out_stays_and_what_it_says_is_taken() {
        let new = filled(&old(), record("P|S||||REF-1", "7^^^CEDAR^MR||Lee^Leslie|||||||||", ""));
        assert_eq!(new.priority, Priority::Stat);
        assert_eq!(new.patient.birth_date.as_ref().unwrap().as_str(), "1934-11-01");
        assert_eq!(new.patient.name.middle, None, "a name is said as a whole");
        assert_eq!((new.patient.phones.len(), new.patient.address.city.as_deref()), (1, Some("Portland")));
        assert_eq!((new.request.diagnoses.len(), new.notes.len(), new.insurance.len()), (1, 1, 1));
        assert_eq!(new.expires_at.as_ref().unwrap().as_str(), "2027-05-20");
        assert!(!new.problems.iter().any(|it| it.code == "missing"), "{:?}", new.problems);
        assert_eq!(new.evidence["patient.birth_date"].location.as_deref(), Some("PID^1^7"));
        assert_eq!(new.held, [HeldReason::Deceased], "a dead patient does not come alive by being left out");
    }

    #[test]
    fn a_name_of_the_visit_replaces_neither_the_specialist_nor_the_referrer() {
        let without = |more: &str| {
            let text = format!(
                "MSH|^~\\&|EHR|CEDAR|LOOP|DESK|20261120||REF^I13|C1|P|2.5.1\rRF1|P|S||||REF-1\rPID|1||{PID}\rPV1|1|O|||||{more}\r"
            );
            normalize(text.as_bytes(), &Hl7Rules::default()).unwrap().outcome.record.unwrap()
        };
        let new = without("|12^Marsh^Tobias|13^Stone^Ivy");
        assert_eq!(
            (new.referring.name.family.as_deref(), new.referred_to.name.family.as_deref()),
            (Some("Marsh"), Some("Stone"))
        );
        let old = old();
        let changed = filled(&old, new.clone());
        assert_eq!((&changed.referring, &changed.referred_to), (&old.referring, &old.referred_to));
        assert!(!changed.problems.iter().any(|it| it.code == ELSEWHERE), "{:?}", changed.problems);
        assert_eq!(changed.evidence["referred_to.name.family"].location.as_deref(), Some("PRD^2^2"));
        let both = filled(&without("|14^Reed^Ann|15^Frost^Lee"), new.clone());
        assert_eq!(
            (&both.referring, &both.referred_to),
            (&new.referring, &new.referred_to),
            "who was known so is whoever is named so"
        );
        let header = filled(&new, without(""));
        assert_eq!(
            (&header.referring, &header.referred_to),
            (&new.referring, &new.referred_to),
            "the header says less than the visit"
        );
    }

    #[test]
    fn what_a_change_deletes_or_cannot_say_is_not_filled() {
        let deleted = filled(&old(), record("P|\"\"||||REF-1||\"\"", "7^^^CEDAR^MR||Lee^Leslie||19341101|F|||\"\"||\"\"", ""));
        assert_eq!((deleted.priority, &deleted.expires_at), (Priority::Unknown, &None));
        assert!(deleted.patient.phones.is_empty() && deleted.patient.address.city.is_none());
        let alive = filled(&old(), record("P|S||||REF-1", &PID.replace("|Y", "|N"), ""));
        assert_eq!((alive.patient.deceased, alive.held.is_empty()), (None, true), "PID-30 N mends a wrong Y");
        let wrong = filled(&old(), record("P|S||||REF-1", "7^^^CEDAR^MR||Lee^Leslie||19761325", ""));
        assert_eq!(wrong.patient.birth_date, None, "what was meant is not known");
        assert!(wrong.held.contains(&HeldReason::BlockingField) && wrong.review.contains(&"patient.birth_date".to_owned()));
    }

    #[test]
    fn quirk_1_29_a_delete_mark_takes_the_reason_away_wherever_it_stands() {
        let with_reason = |more: &str| record(&format!("P|R||||REF-1||||{more}"), PID, "");
        let old = with_reason("^Chest pain");
        assert_eq!(old.request.reason.as_deref(), Some("Chest pain"));
        assert_eq!(filled(&old, with_reason("\"\"")).request.reason, None);
        assert_eq!(filled(&old, with_reason("||||\"\"")).request.reason, None, "RF1-14");
        assert_eq!(filled(&old, with_reason("")).request.reason.as_deref(), Some("Chest pain"), "what is empty says nothing");
    }

    #[test]
    fn an_allergy_stays_when_a_change_says_nothing_of_it() {
        let rf1 = "P|R||||REF-1";
        let allergic = record(rf1, PID, "AL1|1|DA|^Penicillin|SV\rNK1|1|Lee^Sam|SPO\rNTE|1||Please see.\r");
        let penicillin = "Allergy: Penicillin; type: drug; severity: severe";
        let kin = "Next of kin: Sam Lee (SPO)";
        assert_eq!(allergic.notes, [penicillin, "Please see.", kin]);
        let noted = filled(&allergic, record(rf1, PID, "NTE|1||Seen again.\r"));
        assert_eq!(noted.notes, [penicillin, "Seen again.", kin]);
        assert_eq!(noted.evidence["notes.0"].location.as_deref(), Some("AL1^1^3"));
        let other = filled(&allergic, record(rf1, PID, "AL1|1|FA|^Nuts\r"));
        assert_eq!(
            other.notes,
            ["Allergy: Nuts; type: food", "Please see.", kin],
            "a list of its own takes the place of the old one"
        );
        assert_eq!(filled(&allergic, record(rf1, PID, "")).notes, allergic.notes);
        assert_eq!(filled(&allergic, record(rf1, PID, "NTE|1||\"\"\r")).notes, [penicillin, kin]);
        assert_eq!(filled(&allergic, record(rf1, PID, "AL1|1||\"\"\r")).notes, ["Please see.", kin]);
        let nothing_else = record(rf1, PID, "AL1|1|DA|^Penicillin\r");
        assert!(filled(&nothing_else, record(rf1, PID, "AL1|1||\"\"\r")).notes.is_empty());
    }

    #[test]
    fn a_value_that_is_filled_brings_its_doubts_along() {
        let mut doubtful = old();
        doubtful.mark("patient.birth_date");
        doubtful.hold(HeldReason::BlockingField);
        let new = filled(&doubtful, record("P|S||||REF-1", "7^^^CEDAR^MR||Lee^Leslie", ""));
        assert!(new.held.contains(&HeldReason::BlockingField) && new.review.contains(&"patient.birth_date".to_owned()));
    }
}
