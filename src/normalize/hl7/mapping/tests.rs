//! What a mapping makes of a message. All people are invented.

use std::sync::Arc;

use super::super::{Hl7Rules, Kind, Profile, Profiles, normalize};
use super::*;
use crate::referral::ReferralKind;

const BODY: [&str; 8] = [
    "MSH|^~\\&|EHR|CEDAR|LOOP|DESK|20261120101500||REF^I12^REF_I12|C1|P|2.5",
    "RF1|P|A^ASAP|CARD^Cardiology^L|||REF-1^CEDAR|20261120||||see letter",
    "PRD|RP|Phillips^Jesus|||^WPN^PH^^^585^9256511",
    "PRD|RT|Ames^Dora",
    "PID|1||7^^^CEDAR^MR||Lee^Leslie||19341101|F",
    "OBR|1|||57133-1^Referral note^LN|||||||||||||||||||||||||||^Built-in reason",
    "NTE|1||The heart & its rhythm",
    "ZRF|1|NEU^Neurology|2027-01-01|1|(503) 555-0142|20270131|x",
];

fn read(map: &str, body: &[&str]) -> Record {
    let profile: Profile = toml::from_str(&format!("[map]\n{map}")).unwrap();
    let rules =
        Hl7Rules { profiles: Arc::new(Profiles { usual: Arc::new(profile), by_sender: Vec::new() }), ..Hl7Rules::default() };
    let read = normalize(body.join("\r").as_bytes(), &rules).unwrap();
    assert_eq!(read.outcome.kind, Kind::Referral, "{:?}", read.refusal);
    *read.outcome.record.unwrap()
}

fn mapped(map: &str) -> Record {
    read(map, &BODY)
}

/// The path and the place that the evidence of a field names.
fn evidence<'r>(record: &'r Record, field: &str) -> (Option<&'r str>, Option<&'r str>) {
    let evidence = &record.evidence[field];
    (evidence.path.as_deref(), evidence.location.as_deref())
}

#[test]
fn the_first_path_with_a_value_replaces_the_built_in_reading_and_is_named() {
    let record = mapped("\"request.reason\" = [\"RF1-10.2\", \"NTE-3\", \"OBR-31.2\"]");
    assert_eq!(record.request.reason.as_deref(), Some("The heart & its rhythm"));
    assert_eq!(evidence(&record, "request.reason"), (Some("NTE-3"), Some("NTE^1^3")));
}

#[test]
fn the_built_in_reading_stands_where_no_path_gives_a_value() {
    let record = mapped("\"request.reason\" = \"RF1-10.2\"");
    assert_eq!(record.request.reason.as_deref(), Some("Built-in reason"));
    assert_eq!(evidence(&record, "request.reason"), (None, Some("OBR^1^31")));
}

#[test]
fn each_kind_of_field_is_read_as_what_it_is() {
    let record = mapped(
        "priority = { from = \"ZRF-4\", table = { \"1\" = \"stat\" } }\n\"referred_to.specialty\" = \"ZRF-2.2\"\n\
         expires_at = \"ZRF-6\"\n\"patient.phones.0.number\" = \"ZRF-5\"\n\"patient.phones.0.use\" = { value = \"mobile\" }\n\
         kind = { value = \"second-opinion\" }\n\"request.report_expected\" = { value = \"N\" }\n\
         \"patient.deceased\" = { from = \"ZRF-7\", table = { X = \"Y\" } }\n",
    );
    assert_eq!(record.priority, Priority::Stat);
    assert_eq!(record.evidence["priority"].text.as_deref(), Some("1"), "as it was sent");
    assert_eq!(record.referred_to.specialty.as_deref(), Some("Neurology"));
    assert_eq!(record.expires_at.as_ref().unwrap().as_str(), "2027-01-31");
    assert_eq!(record.patient.phones[0].number, "+15035550142");
    assert_eq!(record.patient.phones[0].usage, Some(crate::referral::PhoneUse::Mobile));
    assert_eq!(evidence(&record, "patient.phones.0.use"), (Some("value"), None));
    assert_eq!(record.kind, ReferralKind::SecondOpinion);
    assert!(!record.request.report_expected);
    assert_eq!(record.held, [crate::referral::HeldReason::Deceased], "what is held is judged after the mapping");
}

#[test]
fn a_code_that_is_not_in_the_table_is_passed_over_unless_otherwise_is_said() {
    let table = "table = { \"9\" = \"routine\" }";
    let passed = mapped(&format!("priority = {{ from = [\"ZRF-4\"], {table} }}"));
    assert_eq!(passed.priority, Priority::Urgent, "RF1-2 stands");
    let marked = |record: &Record, code: &str| {
        record.review.contains(&"priority".to_owned()) && record.problems.iter().any(|problem| problem.code == code)
    };
    assert!(marked(&passed, "map-unreadable"), "how urgent it is must not be passed over: {:?}", passed.problems);
    let next = mapped("priority = { from = [\"ZRF-4\", \"RF1-2.1\"], table = { \"9\" = \"routine\", A = \"routine\" } }");
    assert_eq!((next.priority, marked(&next, "map-code-unknown")), (Priority::Routine, true), "{:?}", next.problems);
    let first = mapped("priority = { from = [\"RF1-2.1\", \"ZRF-4\"], table = { \"1\" = \"routine\" } }");
    assert_eq!((first.priority, marked(&first, "map-code-unknown")), (Priority::Routine, true), "{:?}", first.problems);
    let usual = mapped("priority = { from = [\"RF1-2.1\"], table = { \"1\" = \"routine\" } }");
    assert_eq!((usual.priority, usual.review.is_empty()), (Priority::Urgent, true), "{:?}", usual.problems);
    let otherwise = mapped(&format!("priority = {{ from = \"ZRF-4\", {table}, otherwise = \"unknown\" }}"));
    assert_eq!(otherwise.priority, Priority::Unknown);
}

#[test]
fn what_is_absent_is_filled_only_where_nothing_else_gives_it() {
    let record = mapped(
        "\"request.reason\" = { from = \"RF1-10.2\", absent = \"not said\" }\n\"referring.organization\" = { from = \"ZRF-9\", absent = \"Cedar\" }",
    );
    assert_eq!(record.request.reason.as_deref(), Some("Built-in reason"));
    assert_eq!(record.referring.organization.as_deref(), Some("Cedar"));
    assert_eq!(evidence(&record, "referring.organization"), (Some("absent"), None));
}

#[test]
fn what_cannot_be_read_leaves_the_built_in_reading_and_asks_a_person() {
    let record = mapped("expires_at = \"ZRF-3\"\n\"patient.birth_date\" = \"ZRF-7\"\n\"patient.emails.4\" = \"ZRF-7\"");
    assert_eq!(record.patient.birth_date.as_ref().unwrap().as_str(), "1934-11-01");
    let found: Vec<(&str, &str)> =
        record.problems.iter().map(|problem| (problem.code.as_str(), problem.field.as_deref().unwrap_or_default())).collect();
    for expected in
        [("map-unreadable", "patient.birth_date"), ("map-unreadable", "expires_at"), ("map-incomplete", "patient.emails.4")]
    {
        assert!(found.contains(&expected), "{expected:?} in {found:?}");
        assert!(record.review.iter().any(|path| path == expected.1), "{expected:?}");
    }
}

#[test]
fn a_mapped_field_is_not_missing_any_more() {
    let body: Vec<&str> = BODY.iter().map(|line| if line.starts_with("PID") { "PID|1||7||Lee||\"\"|F" } else { line }).collect();
    let plain = read("\"notes.0\" = \"NTE-3\"", &body);
    assert!(plain.review.iter().any(|path| path == "patient.birth_date"));
    let record = read("\"patient.birth_date\" = \"ZRF-6\"\n\"patient.name.given\" = \"ZRF-2.2\"", &body);
    assert_eq!(record.patient.birth_date.as_ref().unwrap().as_str(), "2027-01-31");
    assert!(!record.review.iter().any(|path| path.starts_with("patient.")), "{:?}", record.review);
    assert!(record.held.is_empty());
}

#[test]
fn a_list_grows_in_the_order_of_its_positions() {
    let lines: String = (0..11).map(|at| format!("\"patient.emails.{at}\" = {{ value = \"{at}@example.org\" }}\n")).collect();
    assert_eq!(mapped(&lines).patient.emails.len(), 11);
}

#[test]
fn every_field_that_can_be_mapped_is_one_that_the_record_has() {
    for name in FieldKind::names() {
        let kind = FieldKind::of(&name).unwrap_or_else(|| panic!("{name} is known"));
        let leaf = match kind {
            FieldKind::YesNo => Value::Bool(true),
            FieldKind::Number => Value::from(3),
            FieldKind::Date | FieldKind::Day => Value::from("2026-11-20"),
            _ => Value::from(kind.words().map_or("x", |words| words[0])),
        };
        let mut value = serde_json::to_value(Record::default()).unwrap();
        // What an entry of a list cannot do without.
        for (part, needed) in [("identifiers.0.", "value"), ("phones.0.", "number"), ("appointment.", "at")] {
            if let Some(at) = name.find(part) {
                let base = name.split_at(at + part.len()).0;
                set_path(&mut value, &format!("{base}{needed}"), Value::from(if needed == "at" { "2026-11-20" } else { "1" }))
                    .unwrap();
            }
        }
        set_path(&mut value, &name, leaf.clone()).unwrap();
        let record: Record = serde_json::from_value(value).unwrap_or_else(|error| panic!("{name}: {error}"));
        let pointer = format!("/{}", name.replace('.', "/"));
        let kept = serde_json::to_value(record).unwrap();
        assert!(kept.pointer(&pointer).is_some() || kind == FieldKind::Kind, "{name} is kept");
    }
}

#[test]
fn a_mapped_number_is_that_which_is_shown_and_nobody_elses() {
    let mut body = BODY;
    body[4] = "PID|1||111^^^CLIN^MR~222^^^EPIC^EPI||Lee^Leslie||19341101|F";
    let profile: Profile =
        toml::from_str("patient_number = [{ type = \"EPI\" }]\n[map]\n\"patient.identifiers.0.value\" = \"ZRF-6\"").unwrap();
    let rules =
        Hl7Rules { profiles: Arc::new(Profiles { usual: Arc::new(profile), by_sender: Vec::new() }), ..Hl7Rules::default() };
    let read = normalize(body.join("\r").as_bytes(), &rules).unwrap();
    let numbers = read.outcome.record.unwrap().patient.identifiers;
    let shown: Vec<_> = numbers.iter().map(|id| (id.value.as_str(), id.authority.as_deref(), id.kind.as_deref())).collect();
    assert_eq!(shown, [("20270131", None, None), ("111", Some("CLIN"), Some("MR"))]);
    let named = mapped("\"patient.identifiers.0.value\" = \"ZRF-6\"\n\"patient.identifiers.0.authority\" = { value = \"EPIC\" }");
    let number = &named.patient.identifiers[0];
    let shown = (number.value.as_str(), number.authority.as_deref(), number.kind.as_deref());
    assert_eq!(shown, ("20270131", Some("EPIC"), None));
}
