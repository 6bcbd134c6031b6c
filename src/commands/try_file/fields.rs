//! `loopline try --fields`: each field of the record, where it was read, and which path of the channel's mapping gave it.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::commands::{print, test::collect};

/// What of a record is about reading it, not the referral.
const ABOUT_READING: [&str; 4] = ["evidence", "review", "held", "problems"];

/// Prints the fields of an outcome, each item of a batch by itself.
pub(super) fn show(outcome: &Value) {
    if let Some(items) = outcome.get("items").and_then(Value::as_array) {
        items.iter().for_each(show);
        return;
    }
    print::say(&format!("kind: {}", print::text(outcome, "/kind")));
    let none = format!("it has no record: {}", print::text(outcome, "/problems/0/message"));
    let record = outcome.get("record").unwrap_or(&Value::Null);
    print::table(&["FIELD", "VALUE", "READ FROM", "BY"], &rows(record), &none);
    for line in about_reading(outcome) {
        print::say(&line);
    }
}

/// What holds it, which fields a person is to look at, and what was wrong in reading.
fn about_reading(outcome: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, what) in [("held", "held for a person: "), ("review", "to be looked at: ")] {
        let text = print::text(outcome, &format!("/record/{name}"));
        lines.extend((!text.is_empty()).then(|| format!("{what}{text}")));
    }
    let problems = ["/problems", "/record/problems"].into_iter().filter_map(|place| outcome.pointer(place)?.as_array());
    lines.extend(problems.flatten().map(|problem| {
        let (field, message) = (print::text(problem, "/field"), print::text(problem, "/message"));
        if field.is_empty() { format!("problem: {message}") } else { format!("problem: {field}: {message}") }
    }));
    lines
}

fn rows(record: &Value) -> Vec<Vec<String>> {
    let mut leaves = BTreeMap::new();
    for (name, value) in record.as_object().into_iter().flatten() {
        if !ABOUT_READING.contains(&name.as_str()) {
            collect(value, name.clone(), &mut leaves);
        }
    }
    let evidence = |path: &str, part: &str| {
        let found = record.get("evidence").and_then(|evidence| evidence.get(path)).and_then(|evidence| evidence.get(part));
        found.and_then(Value::as_str).map(str::to_owned)
    };
    // What a page looks like from afar is for programs.
    leaves.retain(|path, _| !path.ends_with(".look"));
    let rows = leaves.into_iter().map(|(path, value)| {
        let page = record.pointer(&format!("/evidence/{path}/page")).and_then(Value::as_u64);
        let from = evidence(&path, "location").map(|location| as_path(&location));
        let from = from.or_else(|| page.map(|page| format!("page {page}"))).unwrap_or_default();
        let by = match (evidence(&path, "path"), evidence(&path, "form")) {
            (Some(mapped), _) => format!("[map] {mapped}"),
            (None, Some(region)) => format!("the form {region}"),
            (None, None) if from.is_empty() => String::new(),
            (None, None) => "built in".to_owned(),
        };
        let value = value.as_str().map_or_else(|| value.to_string(), |text| text.replace('\n', " / "));
        vec![path, value, from, by]
    });
    rows.collect()
}

/// `PRD^2^5^1^3` as it is written in a mapping, `PRD[2]-5.3`; what is no such location stands as it is.
fn as_path(location: &str) -> String {
    let parts: Vec<&str> = location.split('^').collect();
    let (Some(segment), Some(occurrence), Some(field)) = (parts.first(), parts.get(1), parts.get(2)) else {
        return location.to_owned();
    };
    let bracket =
        |number: Option<&&str>| number.filter(|number| **number != "1").map(|number| format!("[{number}]")).unwrap_or_default();
    let mut path = format!("{segment}{}-{field}{}", bracket(Some(occurrence)), bracket(parts.get(3)));
    for part in parts.iter().skip(4) {
        path.push('.');
        path.push_str(part);
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_shown_as_the_path_that_leads_to_it() {
        for (location, path) in [("RF1^1^2", "RF1-2"), ("PRD^2^5", "PRD[2]-5"), ("PID^1^3^2^1", "PID-3[2].1"), ("text", "text")] {
            assert_eq!(as_path(location), path);
        }
    }

    #[test]
    fn what_is_wrong_stands_below_the_fields() {
        let outcome = serde_json::json!({
            "problems": [{"code": "a", "message": "of the file"}],
            "record": {
                "held": ["blocking-field"], "review": ["patient.birth_date"],
                "problems": [{"code": "map-unreadable", "field": "patient.birth_date", "message": "[map]: what PID-7 gives cannot be read"}],
            },
        });
        let lines = about_reading(&outcome);
        assert_eq!(lines[..2], ["held for a person: blocking-field", "to be looked at: patient.birth_date"]);
        assert_eq!(lines[2..], ["problem: of the file", "problem: patient.birth_date: [map]: what PID-7 gives cannot be read"]);
    }

    #[test]
    fn each_field_has_its_value_its_place_and_what_read_it() {
        let record = serde_json::json!({
            "priority": "urgent", "request": {"reason": "two\nlines", "report_expected": true}, "review": ["priority"],
            "authored_at": "2026-11-20", "kind": "provider", "attachments": [{"look": "00"}],
            "evidence": {
                "priority": {"location": "RF1^1^2"}, "request.reason": {"location": "NTE^1^3", "path": "NTE-3"}, "kind": {"page": 1},
                "authored_at": {"page": 2, "form": "cedar-form: authored_at"},
            },
        });
        let expected = [
            ["authored_at", "2026-11-20", "page 2", "the form cedar-form: authored_at"],
            ["kind", "provider", "page 1", "built in"],
            ["priority", "urgent", "RF1-2", "built in"],
            ["request.reason", "two / lines", "NTE-3", "[map] NTE-3"],
            ["request.report_expected", "true", "", ""],
        ];
        assert_eq!(rows(&record), expected);
    }
}
