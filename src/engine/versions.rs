//! Two versions of a record beside each other: what they say differently, and what a person corrected in between.

use serde_json::{Map, Value};

use super::settle;
use crate::referral::{HistoryEvent, PatientIdentifier, Problem, Record, Referral};

/// How many changed fields are named.
const NAMED_MAX: usize = 40;

/// The paths that a person corrected.
pub(super) fn corrected(referral: &Referral) -> Vec<String> {
    let fields = referral.history.iter().filter_map(|entry| match &entry.event {
        HistoryEvent::Corrected { fields } => Some(fields),
        _ => None,
    });
    fields.flatten().cloned().collect()
}

/// Whether two records say the same of the referral; how they were read does not count.
pub(super) fn same_content(one: &Record, other: &Record) -> bool {
    bare(one) == bare(other)
}

/// What a record says of the referral, without how it was read.
fn bare(record: &Record) -> Record {
    let mut bare = record.clone();
    // Without RF1-7 and RF1-9 it is the time of the message, which every retransmission has anew.
    bare.authored_at = None;
    bare.evidence.clear();
    bare.problems.clear();
    bare.review.clear();
    bare.held.clear();
    bare
}

/// The paths of what a new version says otherwise, two names deep: `priority`, `patient.address`, `request.reason`.
pub(super) fn differences(old: &Record, new: &Record) -> Vec<String> {
    let object = |record: &Record| match serde_json::to_value(bare(record)) {
        Ok(Value::Object(fields)) => fields,
        Ok(_) | Err(_) => Map::new(),
    };
    let mut found = Vec::new();
    for (name, (old, new)) in paired(&object(old), &object(new)) {
        match (old, new) {
            (Value::Object(old), Value::Object(new)) => {
                found.extend(paired(old, new).into_iter().map(|(part, _)| format!("{name}.{part}")));
            }
            _ => found.push(name.to_owned()),
        }
    }
    found.truncate(NAMED_MAX);
    found
}

/// Marks a number of the patient that takes the place of another one by the same authority: it may be a slip, or another patient's.
pub(super) fn note_other_number(old: &Record, new: &mut Record) {
    let numbers = new.patient.identifiers.clone();
    let has = |all: &[PatientIdentifier], one: &PatientIdentifier| all.iter().any(|other| other.value == one.value);
    for (at, number) in numbers.iter().enumerate().filter(|(_, number)| !has(&old.patient.identifiers, number)) {
        let same_kind = |was: &&PatientIdentifier| was.authority == number.authority && was.kind == number.kind;
        if old.patient.identifiers.iter().filter(same_kind).any(|was| !has(&numbers, was)) {
            let path = format!("patient.identifiers.{at}.value");
            let text = "it took the place of another number of this authority: an older version has that";
            new.problems.push(Problem::at("patient-number-changed", path.clone(), text));
            new.mark(path);
        }
    }
}

/// The fields in which two objects differ, with both values.
fn paired<'a>(old: &'a Map<String, Value>, new: &'a Map<String, Value>) -> Vec<(&'a str, (&'a Value, &'a Value))> {
    let added = new.keys().filter(|name| !old.contains_key(*name));
    let names = old.keys().chain(added);
    let both = names.map(|name| (name.as_str(), [old, new].map(|fields| fields.get(name).unwrap_or(&Value::Null))));
    both.filter(|(_, [old, new])| old != new).map(|(name, [old, new])| (name, (old, new))).collect()
}

/// A person's correction stands. Where the sender says something else there, it is marked for review.
pub(super) fn with_corrections(old: &Record, new: Box<Record>, corrected: &[String]) -> Box<Record> {
    if corrected.is_empty() {
        return new;
    }
    let (Ok(old), Ok(mut value)) = (serde_json::to_value(old), serde_json::to_value(&new)) else { return new };
    let mut other = Vec::new();
    for path in corrected {
        let pointer = format!("/{}", path.replace('.', "/"));
        let Some(stands) = old.pointer(&pointer) else { continue };
        match value.pointer_mut(&pointer) {
            Some(said) if said == stands => {}
            Some(said) => {
                *said = stands.clone();
                other.push(path.clone());
            }
            None => put(&mut value, path, stands),
        }
    }
    let Ok(mut kept) = serde_json::from_value::<Box<Record>>(value) else { return new };
    for path in corrected {
        kept.review.retain(|marked| marked != path);
    }
    for path in other {
        let text = "the sender now says something else than a person here corrected; the correction stands";
        kept.problems.push(Problem::at("corrected-here", path.clone(), text));
        kept.mark(path);
    }
    settle::release_settled(&mut kept);
    kept
}

/// Puts a leaf into an object that lacks it.
fn put(root: &mut Value, path: &str, leaf: &Value) {
    let mut node = root;
    for step in path.split('.') {
        let Value::Object(fields) = node else { return };
        node = fields.entry(step.to_owned()).or_insert_with(|| Value::Object(Map::new()));
    }
    *node = leaf.clone();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::referral::Priority;

    #[test]
    fn a_number_that_replaces_another_of_its_authority_is_marked() {
        let number = |value: &str, authority: &str| PatientIdentifier {
            value: value.to_owned(),
            authority: Some(authority.to_owned()),
            kind: Some("MR".to_owned()),
        };
        let with = |numbers: &[PatientIdentifier]| {
            let mut record = Record::default();
            record.patient.identifiers = numbers.to_vec();
            record
        };
        let old = with(&[number("7", "CEDAR")]);
        let marked = |numbers: &[PatientIdentifier]| {
            let mut new = with(numbers);
            note_other_number(&old, &mut new);
            new.review
        };
        assert_eq!(marked(&[number("1", "STATE"), number("8", "CEDAR")]), ["patient.identifiers.1.value"]);
        assert!(marked(&[number("7", "CEDAR"), number("8", "CEDAR")]).is_empty(), "one more");
        assert!(marked(&[number("7", "CEDAR HEALTH")]).is_empty() && marked(&[]).is_empty());
    }

    #[test]
    fn what_a_change_says_otherwise_is_named() {
        let old = Record::default();
        let mut new = old.clone();
        new.priority = Priority::Stat;
        new.patient.address.city = Some("Portland".to_owned());
        new.request.reason = Some("Cough".to_owned());
        new.notes.push("Please see.".to_owned());
        let mut named = differences(&old, &new);
        named.sort_unstable();
        assert_eq!(named, ["notes", "patient.address", "priority", "request.reason"]);
        new.mark("patient.name.family");
        assert_eq!(differences(&new, &new.clone()), Vec::<String>::new());
        let unmarked = Record { review: Vec::new(), ..new.clone() };
        assert!(differences(&new, &unmarked).is_empty() && same_content(&new, &unmarked), "how it was read does not count");
    }
}
