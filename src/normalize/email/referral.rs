//! A referral written as a plain mail: lines with a label (`Patient:`, `DOB:`, `Reason:`).
//!
//! Only what a label names is taken; all the words are kept as notes. What is missing holds the referral for a person.

use std::sync::LazyLock;

use jiff::civil::Date;
use regex::Regex;

use crate::{
    normalize::{DateOrder, matter},
    referral::{
        Code, Coverage, Evidence, HeldReason, IsoDate, PersonName, Phone, PhoneUse, Priority, Problem, Record, Sex,
        checks::npi_is_sound,
    },
};

static LABELLED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^\W*(?P<label>[A-Za-z][A-Za-z /#.'-]{0,34}?)\s*[:=]\s*(?P<value>\S.*)$")
        .expect("the pattern is fixed and compiles")
});

/// What a label names.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    Patient,
    BirthDate,
    Sex,
    Phone,
    Reason,
    Diagnosis,
    Priority,
    Payer,
    Member,
    Specialty,
    ReferredTo,
    Referring,
}

fn field(label: &str) -> Option<Field> {
    let label = label.to_ascii_lowercase().replace(['.', '\''], "");
    Some(match label.trim() {
        "patient" | "patient name" | "name of patient" | "pt" | "pt name" | "name" => Field::Patient,
        "dob" | "date of birth" | "birth date" | "birthdate" | "born" | "patient dob" => Field::BirthDate,
        "sex" | "gender" => Field::Sex,
        "phone" | "patient phone" | "telephone" | "tel" | "cell" | "mobile" | "home phone" => Field::Phone,
        "reason" | "reason for referral" | "referral reason" | "indication" => Field::Reason,
        "diagnosis" | "dx" | "diagnoses" => Field::Diagnosis,
        "priority" | "urgency" => Field::Priority,
        "insurance" | "payer" | "insurance company" => Field::Payer,
        "member id" | "policy" | "policy number" | "member number" | "insurance id" => Field::Member,
        "specialty" | "department" => Field::Specialty,
        "referred to" | "refer to" | "referral to" | "specialist" => Field::ReferredTo,
        "referring provider" | "referring physician" | "referring" | "referred by" | "referring doctor" => Field::Referring,
        _ => return None,
    })
}

/// Reads a referral from a mail's own words. None where it refers nobody: no patient is named, or nothing is asked.
pub(super) fn read(words: &str, subject: &str, order: DateOrder, today: Date, region: &str) -> Option<Record> {
    let found: Vec<(Field, String)> = words
        .lines()
        .filter_map(|line| {
            let captures = LABELLED.captures(line.trim())?;
            Some((field(&captures["label"])?, captures["value"].trim().to_owned()))
        })
        .collect();
    let has = |wanted: Field| found.iter().any(|(field, _)| *field == wanted);
    let refers = format!("{subject} {words}").to_lowercase().contains("refer");
    if !has(Field::Patient) || !(refers || has(Field::Reason) || has(Field::Diagnosis)) {
        return None;
    }
    let mut record = Record::default();
    for (field, value) in &found {
        take(&mut record, *field, value, Site { order, today, region });
    }
    record.notes = words.split("\n\n").map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).take(100).collect();
    check(&mut record);
    if let Some(matter) = matter::another(words.lines().chain([subject])) {
        record.hold(HeldReason::OtherMatter);
        record.problems.push(Problem::new("other-matter", format!("{matter}: read it before anything is sent on")));
    }
    Some(record)
}

/// How this site writes dates and phone numbers, and which day it is.
#[derive(Clone, Copy)]
struct Site<'a> {
    order: DateOrder,
    today: Date,
    region: &'a str,
}

/// The path of a field, and how far a labelled line is believed.
fn path(field: Field) -> (&'static str, f32) {
    match field {
        Field::Patient => ("patient.name.family", 0.95),
        Field::BirthDate => ("patient.birth_date", 0.95),
        Field::Sex => ("patient.sex", 0.95),
        Field::Phone => ("patient.phones.0.number", 0.9),
        Field::Reason => ("request.reason", 0.95),
        Field::Diagnosis => ("request.diagnoses.0.text", 0.9),
        Field::Priority => ("priority", 0.95),
        Field::Payer => ("insurance.0.payer", 0.9),
        Field::Member => ("insurance.0.member_id", 0.9),
        Field::Specialty => ("referred_to.specialty", 0.9),
        Field::ReferredTo => ("referred_to.organization", 0.8),
        Field::Referring => ("referring.name.family", 0.8),
    }
}

/// Keeps where a value was read. The first line with a label counts; a second one that says something else is a rival.
fn note(record: &mut Record, path: &str, value: &str, confidence: f32) -> bool {
    if let Some(known) = record.evidence.get_mut(path) {
        if known.text.as_deref() != Some(value) {
            known.rivals.push(value.to_owned());
            record.mark(path);
        }
        return false;
    }
    let evidence = Evidence { confidence, text: Some(value.into()), location: Some("text".into()), ..Evidence::default() };
    record.evidence.insert(path.into(), evidence);
    true
}

fn take(record: &mut Record, field: Field, value: &str, site: Site<'_>) {
    let (path, confidence) = path(field);
    if !note(record, path, value, confidence) {
        return;
    }
    let text = Some(value.to_owned());
    match field {
        Field::Patient => take_name(record, value, confidence),
        Field::BirthDate => take_birth_date(record, value, site),
        Field::Sex => record.patient.sex = sex(value),
        Field::Phone => {
            let (number, sound) = phone(value, site.region);
            record.patient.phones.push(Phone { number, usage: Some(PhoneUse::Home) });
            if !sound {
                record.mark(path);
            }
        }
        Field::Reason => record.request.reason = text,
        Field::Diagnosis => record.request.diagnoses.push(Code { text, ..Code::default() }),
        Field::Priority => record.priority = priority(value),
        Field::Payer => coverage(record).payer = text,
        Field::Member => coverage(record).member_id = text,
        Field::Specialty => record.referred_to.specialty = text,
        Field::ReferredTo => record.referred_to.organization = text,
        Field::Referring => take_referring(record, value),
    }
}

fn take_name(record: &mut Record, value: &str, confidence: f32) {
    note(record, "patient.name.given", value, confidence);
    let (name, plain) = person(value);
    record.patient.name = name;
    if !plain {
        record.mark("patient.name.family");
        record.mark("patient.name.given");
    }
}

/// `Dr. Ada Ames, MD (Eastside Cardiology) NPI 1234567893, fax …`: the name stands first. A number printed there is no destination, and is
/// left to the notes.
fn take_referring(record: &mut Record, value: &str) {
    static BEHIND: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)[\s,;:|(-]*(?:\b(?:npi|fax|phone|tel|ph|office|email|e-mail)\b|\d).*$")
            .expect("the pattern is fixed and compiles")
    });
    static NPI: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?i)\bNPI\b\D{0,5}(\d{10})\b").expect("the pattern is fixed and compiles"));
    static PRACTICE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\(([^()\d]{3,80})\)").expect("the pattern is fixed and compiles"));
    static TITLES: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            r"(?i)(?:[\s,]+(?:m\.?d|d\.?o|n\.?p|p\.?a|pa-c|fnp|fnp-c|dnp|aprn|rn|ph\.?d|facc|facs|mbbs|frcp|mrcgp)\.?)+\s*$",
        )
        .expect("the pattern is fixed and compiles")
    });
    record.referring.npi = NPI.captures(value).map(|found| found[1].to_owned()).filter(|npi| npi_is_sound(npi));
    record.referring.organization = PRACTICE.captures(value).map(|found| found[1].trim().to_owned());
    let name = PRACTICE.replace_all(value, " ");
    let name = BEHIND.replace(&name, "");
    let name = TITLES.replace(name.trim(), "");
    let (name, plain) = person(&name);
    record.referring.name = name;
    if !plain {
        record.mark("referring.name.family");
    }
}

fn take_birth_date(record: &mut Record, value: &str, site: Site<'_>) {
    const PATH: &str = "patient.birth_date";
    record.patient.birth_date = birth_date(value, site.order, site.today).map(IsoDate::day);
    if record.patient.birth_date.is_none() {
        record.mark(PATH);
        record.problems.push(Problem::at("not-a-date", PATH, "the birth date cannot be read as a date that was"));
    }
}

fn sex(value: &str) -> Option<Sex> {
    match value.to_ascii_lowercase().as_str() {
        "f" | "female" => Some(Sex::F),
        "m" | "male" => Some(Sex::M),
        "o" | "other" => Some(Sex::O),
        _ => None,
    }
}

fn coverage(record: &mut Record) -> &mut Coverage {
    if record.insurance.is_empty() {
        record.insurance.push(Coverage::default());
    }
    record.insurance.first_mut().expect("one was just put there")
}

/// What is missing or doubtful of a patient's identity, and a priority that nobody named, hold it for a person.
fn check(record: &mut Record) {
    let missing = [
        ("patient.name.family", record.patient.name.family.is_none()),
        ("patient.name.given", record.patient.name.given.is_none()),
        ("patient.birth_date", record.patient.birth_date.is_none()),
    ];
    for (path, missing) in missing {
        if missing {
            record.mark(path);
        }
        if record.review.iter().any(|marked| marked == path) {
            record.hold(HeldReason::BlockingField);
        }
    }
    if record.priority == Priority::Unknown || record.review.iter().any(|marked| marked == "priority") {
        record.mark("priority");
        record.hold(HeldReason::PriorityUnknown);
    }
}

/// A name, and whether it is plain which part is which.
fn person(value: &str) -> (PersonName, bool) {
    let mut name = PersonName::default();
    let value = value.trim().trim_end_matches([',', '.']);
    if let Some((family, given)) = value.split_once(',') {
        let mut given = given.split_whitespace();
        name.family = Some(family.trim().to_owned()).filter(|family| !family.is_empty());
        name.given = given.next().map(str::to_owned);
        name.middle = given.next().map(str::to_owned);
        let plain = given.next().is_none() && name.given.is_some() && !value.chars().any(|c| c.is_ascii_digit());
        return (name, plain);
    }
    let mut words: Vec<&str> = value.split_whitespace().collect();
    if let Some(title) = words
        .first()
        .filter(|word| ["dr", "dr.", "mr", "mr.", "mrs", "mrs.", "ms", "ms."].contains(&word.to_lowercase().as_str()))
    {
        name.prefix = Some((*title).to_owned());
        words.remove(0);
    }
    let plain = words.len() == 2 && !value.chars().any(|c| c.is_ascii_digit() || "()/".contains(c));
    if let Some((family, given)) = words.split_last() {
        name.family = Some((*family).to_owned());
        name.given = given.first().map(|given| (*given).to_owned());
        name.middle = Some(given.iter().skip(1).copied().collect::<Vec<_>>().join(" ")).filter(|middle| !middle.is_empty());
    }
    (name, plain)
}

/// A birth date with four digits of year, in the region's order or unmistakable; never one to come.
fn birth_date(value: &str, order: DateOrder, today: Date) -> Option<Date> {
    static NUMBERS: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^(\d{1,4})[/. -](\d{1,2})[/. -](\d{1,4})\b").expect("the pattern is fixed and compiles"));
    let captures = NUMBERS.captures(value.trim())?;
    let part = |at: usize| captures.get(at).map(|part| part.as_str()).unwrap_or_default();
    let (year, month, day) = match (part(1).len(), part(3).len(), order) {
        (4, 1..=2, _) => (part(1), part(2), part(3)),
        (1..=2, 4, DateOrder::MonthFirst) => (part(3), part(1), part(2)),
        (1..=2, 4, DateOrder::DayFirst) => (part(3), part(2), part(1)),
        _ => return None,
    };
    let date = Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()?;
    (date <= today && date.year() > 1880).then_some(date)
}

fn phone(value: &str, region: &str) -> (String, bool) {
    let region = region.parse::<phonenumber::country::Id>().ok();
    match phonenumber::parse(region, value) {
        Ok(number) if phonenumber::is_valid(&number) => (number.format().mode(phonenumber::Mode::E164).to_string(), true),
        Ok(_) | Err(_) => (value.to_owned(), false),
    }
}

fn priority(value: &str) -> Priority {
    match value.to_ascii_lowercase().trim_matches(|c: char| !c.is_alphanumeric()) {
        "stat" | "emergency" | "immediate" => Priority::Stat,
        "urgent" | "asap" => Priority::Urgent,
        "routine" | "normal" | "standard" => Priority::Routine,
        _ => Priority::Unknown,
    }
}
