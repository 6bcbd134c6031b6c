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
