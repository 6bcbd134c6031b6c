//! What the record has no field of its own for: allergies, next of kin, contacts, accidents, copies.

use super::*;

/// A referral with these segments more.
fn with(more: &[&str]) -> Record {
    record(&[&[HEAD, RF1, RP, RT, PID], more].concat())
}

#[test]
fn allergies_are_notes_before_all_others_with_where_they_were_read() {
    let record = with(&[
        "NTE|1||Please see for palpitations.",
        "AL1|1|DA|70618^Penicillin^RXNORM|SV^Severe|ANAPHYLAXIS~HIVES",
        "AL1|2|FA^Food^HL70127|NUTS|MI",
        "IAM|1|DA^Drug allergy|^Latex|MO|rash|A|1||||||||||C^Confirmed",
        "IAM|2||^Latex; powdered",
    ]);
    assert_eq!(
        record.notes,
        [
            "Allergy: Penicillin; type: drug; severity: severe; reaction: ANAPHYLAXIS, HIVES",
            "Allergy: NUTS; type: food; severity: mild",
            "Allergy: Latex; type: drug; severity: moderate; reaction: rash; status: Confirmed",
            "Allergy: Latex, powdered",
            "Please see for palpitations.",
        ]
    );
    let places: Vec<_> = (0..5).map(|at| record.evidence[format!("notes.{at}").as_str()].location.clone().unwrap()).collect();
    assert_eq!(places, ["AL1^1^3", "AL1^2^3", "IAM^1^3", "IAM^2^3", "NTE^1^3"]);
    assert_eq!(record.evidence["notes.0"].text.as_deref(), Some("70618^Penicillin^RXNORM"));
    assert!(record.problems.is_empty() && record.review.is_empty(), "{:?}", record.problems);
}

#[test]
fn an_allergy_that_is_taken_back_or_said_twice_is_no_second_one() {
    let record = with(&["AL1|1|DA|^Penicillin", "AL1|2|DA|^Penicillin", "IAM|1|DA|^Latex|||D", "AL1|3", "AL1|4|DA||SV|wheeze"]);
    assert_eq!(
        record.notes,
        ["Allergy: Penicillin; type: drug", "Allergy: not named; type: drug; severity: severe; reaction: wheeze"]
    );
    assert!(has(&record, "allergy-taken-back"));
}

#[test]
fn what_the_profile_maps_into_notes_does_not_take_the_place_of_an_allergy() {
    let map = "map.\"notes.0\" = [\"NTE-3\"]";
    let rules = following(toml::from_str(map).unwrap());
    let body = joined(&[HEAD, RF1, RP, RT, PID, "NTE|1||Please see.", "AL1|1|DA|^Penicillin"]);
    let record = normalize(&body, &rules).unwrap().outcome.record.unwrap();
    assert_eq!(record.notes, ["Allergy: Penicillin; type: drug", "Please see."]);
    assert_eq!(record.evidence["notes.1"].path.as_deref(), Some("NTE-3"));
}

#[test]
fn relations_contacts_and_accidents_are_notes_behind_the_others() {
    let record = record(&[
        HEAD,
        RF1,
        RP,
        "CTD|PR^Person preparing|Jones^Beth||Front Desk|^WPN^PH^^1^503^5550999~^NET^Internet^beth@x.example",
        RT,
        "CTD|CP|Marsh^Tobias",
        PID,
        "NTE|1||Please see.",
        "NK1|1|Lee^Sam|SPO^Spouse|12 Elm St^^Portland|^PRN^PH^^1^503^5550123",
        "NK1|2|Lee^Ann||||(503) 555-0124|EP",
        "GT1|1||Lee^Sam||1 Oak",
        "ACC|20261101|AUTO^Car accident",
    ]);
    assert_eq!(
        record.notes,
        [
            "Please see.",
            "Accident: 2026-11-01, Car accident",
            "Next of kin: Sam Lee (Spouse), 12 Elm St, Portland, +15035550123",
            "Emergency contact: Ann Lee, +15035550124",
            "Guarantor: Sam Lee, 1 Oak",
            "Contact of the referrer: Beth Jones (Person preparing), Front Desk, +15035550999, beth@x.example",
            "Contact of the one referred to: Tobias Marsh (CP)",
        ]
    );
    assert_eq!(record.evidence["notes.5"].location.as_deref(), Some("CTD^1^2"));
}

#[test]
fn segments_over_the_limit_are_said() {
    let many: Vec<String> = (0..300).map(|at| format!("AL1|{at}|DA|^Substance {at}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let record = with(&many);
    assert_eq!(record.notes.len(), 200);
    assert!(has(&record, "segments-too-many"));
}

#[test]
fn a_second_one_referred_to_is_marked_and_kept_in_the_notes() {
    let second = "PRD|RT|Boyd^Ruth||^^^^^^^^Lakeside Heart|^WPN^PH^^1^503^5550113||1245319599^NPI";
    let record = record(&[HEAD, RF1, RP, RT, second, RT, PID]);
    assert_eq!(record.referred_to.name.family.as_deref(), Some("Ames"));
    assert!(has(&record, "referred-to-several") && record.review.contains(&"referred_to.name.family".to_owned()));
    assert_eq!(record.notes, ["Also referred to: Ruth Boyd, Lakeside Heart, NPI 1245319599, +15035550113"]);
}
