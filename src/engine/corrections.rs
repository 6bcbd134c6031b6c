//! What a person corrects in a record: which fields, and whether the value can be right.

use jiff::civil::Date;
use phonenumber::country;
use serde_json::Value;

use crate::{
    config::nearest,
    normalize::hl7::FieldKind,
    referral::{Record, checks, set_path},
};

/// What a person can correct: what the sender said, not what the engine keeps about it.
const CORRECTABLE: [&str; 13] = [
    "priority",
    "kind",
    "identifiers",
    "authored_at",
    "expires_at",
    "patient",
    "insurance",
    "authorization",
    "referring",
    "referred_to",
    "request",
    "appointment",
    "further_appointments",
];

/// The record with one field corrected: as text, or where that does not fit as a number or a truth value. `region` is where phone
/// numbers without a country are dialled, `today` the day of the site.
///
/// # Errors
/// What is wrong with the path or the value, and what would be right.
pub(super) fn corrected(record: &Value, path: &str, text: &str, region: &str, today: Date) -> Result<Value, String> {
    let section = path.split('.').next().unwrap_or_default();
    if !is_correctable(path) {
        let near = nearest(section, CORRECTABLE.into_iter()).map_or_else(String::new, |near| format!(": did you mean {near}?"));
        let all = CORRECTABLE.join(", ");
        return Err(format!("{path} is no field of a referral that can be corrected{near} (it begins with one of {all})"));
    }
    if text.is_empty() {
        return Err(format!("{path}: say what is right"));
    }
    // It goes into letters and lists, where a line break or an escape makes something else of what stands beside it.
    if let Some(at) = text.chars().position(char::is_control) {
        return Err(format!("{path}: character {} is a line break, a tab or another control character: leave it out", at + 1));
    }
    let text = &plausible(path, text, region, today).map_err(|why| format!("{path}: {why}"))?;
    let plain = serde_json::from_str::<Value>(text).ok().filter(|value| value.is_boolean() || value.is_number());
    let mut why = String::new();
    for leaf in [Some(Value::String(text.to_owned())), plain].into_iter().flatten() {
        let mut value = record.clone();
        set_path(&mut value, path, leaf)?;
        match serde_json::from_value::<Record>(value.clone()) {
            Ok(_) => return Ok(value),
            Err(error) => why = misfit(path, &error.to_string()),
        }
    }
    Err(why)
}

/// Why a value does not fit, without the words of the library that says so.
fn misfit(path: &str, error: &str) -> String {
    if let Some((_, words)) = error.split_once("expected one of ") {
        return format!("{path} is one of {words}");
    }
    if ["expected struct", "expected a map", "expected a sequence"].iter().any(|text| error.contains(text)) {
        return format!("{path} is a group of fields: name one of them, as `referrals show` lists them");
    }
    format!("{path} cannot be that: {error}")
}

/// The value as it is kept, if it can be that: a person's slip is told at once, as it would go out to the specialist.
fn plausible(path: &str, text: &str, region: &str, today: Date) -> Result<String, String> {
    let mut steps = path.rsplit('.');
    match (steps.next().unwrap_or_default(), steps.nth(1).unwrap_or_default()) {
        ("npi", _) if !checks::npi_is_sound(text) => Err("an NPI has ten digits, and this one's check digit is wrong".to_owned()),
        (_, _) if path.contains(".emails.") && !text.contains('@') => Err("an email address has an @".to_owned()),
        ("birth_date", _) => {
            let year: Option<i16> = text.get(..4).and_then(|year| year.parse().ok());
            let day = text.parse::<Date>().ok();
            if day.is_some_and(|day| day > today) || year.is_some_and(|year| year > today.year()) {
                return Err("nobody is born after today".to_owned());
            }
            if year.is_some_and(|year| year < today.year() - checks::AGE_YEARS_MAX) {
                return Err(format!("nobody is older than {} years", checks::AGE_YEARS_MAX));
            }
            Ok(text.to_owned())
        }
        ("number", "phones") => phonenumber::parse(region.parse::<country::Id>().ok(), text)
            .ok()
            .filter(phonenumber::is_valid)
            .map(|number| number.format().mode(phonenumber::Mode::E164).to_string())
            .ok_or_else(|| "it is no telephone number: write it as \"+1 503 555 0142\"".to_owned()),
        ("code", "diagnoses") if !checks::is_like_icd10(text) => {
            Err("it is not like an ICD-10 code, such as I10 or R00.2".to_owned())
        }
        _ => Ok(text.to_owned()),
    }
}

/// That a path names no field, and the nearest that there is. Positions in lists stay as they were written.
pub(super) fn no_field(path: &str) -> String {
    let is_position = |step: &str| step.parse::<usize>().is_ok();
    let plain: Vec<&str> = path.split('.').map(|step| if is_position(step) { "0" } else { step }).collect();
    let names: Vec<String> = FieldKind::names().filter(|name| is_correctable(name)).collect();
    let near = nearest(&plain.join("."), names.iter().map(String::as_str)).map(|near| {
        let mut positions = path.split('.').filter(|step| is_position(step));
        let step = |step| if is_position(step) { positions.next().unwrap_or(step) } else { step };
        near.split('.').map(step).collect::<Vec<_>>().join(".")
    });
    match near {
        Some(near) => format!("{path} is no field of a referral: did you mean {near}?"),
        None => format!("{path} is no field of a referral: `loopline referrals show` lists those that it has"),
    }
}

fn is_correctable(path: &str) -> bool {
    CORRECTABLE.contains(&path.split('.').next().unwrap_or_default())
}

/// Whether the path names a leaf that the record really has (a field that the type does not know is dropped when it is read).
pub(super) fn has_path(record: &Record, path: &str) -> bool {
    let Ok(value) = serde_json::to_value(record) else { return false };
    let pointer = format!("/{}", path.replace('.', "/"));
    value.pointer(&pointer).is_some_and(|leaf| !leaf.is_object() && !leaf.is_array())
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn record_with(fields: &[(&str, &str)]) -> Result<Record, String> {
        let mut value = serde_json::to_value(Record::default()).unwrap();
        for (path, text) in fields {
            value = corrected(&value, path, text, "US", date(2026, 11, 21))?;
        }
        serde_json::from_value(value).map_err(|error| error.to_string())
    }

    #[test]
    fn a_path_sets_one_leaf_and_makes_what_is_on_the_way() {
        let record = record_with(&[("patient.name.family", "Okafor"), ("insurance.0.payer", "Aetna")]).unwrap();
        assert_eq!(record.patient.name.family.as_deref(), Some("Okafor"));
        assert_eq!(record.insurance[0].payer.as_deref(), Some("Aetna"));
        assert!(has_path(&record, "insurance.0.payer"));
        assert!(!has_path(&record, "patient.shoe_size"));
    }

    #[test]
    fn what_does_not_fit_is_told_in_a_persons_words() {
        assert!(record_with(&[("priority", "URGENT")]).unwrap_err().starts_with("priority is one of `stat`"));
        assert!(record_with(&[("patient", "x")]).unwrap_err().starts_with("patient is a group of fields"));
    }

    #[test]
    fn a_date_that_is_none_is_refused() {
        assert!(record_with(&[("patient.birth_date", "1980-02-30")]).is_err());
        assert!(record_with(&[("priority", "soonish")]).is_err());
        assert!(record_with(&[("insurance.3.payer", "x")]).is_err());
        assert!(record_with(&[("held.0", "deceased")]).is_err());
        assert!(record_with(&[("patient.birth_date", "")]).is_err());
        assert!(!record_with(&[("request.report_expected", "false")]).unwrap().request.report_expected);
    }

    #[test]
    fn a_path_that_is_misspelled_is_told_with_the_nearest_that_there_is() {
        for (path, near) in [
            ("patient.nmae.family", "patient.name.family"),
            ("insurance.1.payr", "insurance.1.payer"),
            ("referred_to.speciality", "referred_to.specialty"),
        ] {
            assert_eq!(no_field(path), format!("{path} is no field of a referral: did you mean {near}?"));
        }
        assert!(no_field("patient.shoe_size").contains("loopline referrals show"));
        let told = record_with(&[("patinet.name.family", "Okafor")]).unwrap_err();
        assert!(told.contains("did you mean patient?"), "{told}");
    }

    #[test]
    fn a_value_of_several_lines_or_with_what_steers_a_terminal_is_refused() {
        for text in ["Oka\nfor", "Oka\u{1b}[2Jfor", "Oka\tfor", "Oka\u{7f}for"] {
            let told = record_with(&[("patient.name.family", text)]).unwrap_err();
            assert!(told.starts_with("patient.name.family: character 4 is") && !told.contains("Oka"), "{told}");
        }
    }

    #[test]
    fn what_cannot_be_right_is_told_at_once() {
        for (path, text) in [
            ("patient.birth_date", "2051-01-01"),
            ("patient.birth_date", "2026-11-22"),
            ("patient.birth_date", "1850-01-01"),
            ("referring.npi", "1245319598"),
            ("referring.npi", "123"),
            ("referring.phones.0.number", "abc"),
            ("request.diagnoses.0.code", "ZZZ"),
        ] {
            let told = record_with(&[(path, text)]).unwrap_err();
            assert!(told.starts_with(path) && !told.contains(text), "{told}");
        }
        let record = record_with(&[
            ("patient.birth_date", "2026-11-21"),
            ("referring.npi", "1245319599"),
            ("referring.phones.0.number", "(503) 555-0142"),
            ("request.diagnoses.0.code", "R00.2"),
        ]);
        let record = record.unwrap();
        assert_eq!(record.referring.npi.as_deref(), Some("1245319599"));
        assert_eq!(record.referring.phones[0].number, "+15035550142");
    }
}
