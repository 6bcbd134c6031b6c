//! Section 4: the number of a referral, place by place.

use super::*;

#[test]
fn quirk_4_1_events_of_one_referral_have_one_key() {
    let found: Vec<_> = ["I12", "I13", "I14", "I15"]
        .iter()
        .map(|event| read(&[&HEAD.replace("REF^I12^REF_I12", &format!("REF^{event}")), RF1, RP, RT, PID]))
        .map(|read| (keys(&read), read.outcome.event.unwrap()))
        .collect();
    let one =
        ["ei|cedar||ref-1+", "referral|CEDAR|CEDAR|REF-1", "~referral|CEDAR||REF-1", "bare ref-1"].map(str::to_owned).to_vec();
    let events = [Event::New, Event::Change, Event::Cancel, Event::StatusRequest];
    assert_eq!(found, events.map(|event| (one.clone(), event)));
}

#[test]
fn quirk_4_7_a_derived_number_is_stable_and_flagged() {
    let first = record(&[HEAD, RP, RT, PID, "NTE|1||Palpitations"]);
    let again = record(&[&HEAD.replace("C1", "C2"), RP, RT, PID, "NTE|1||Palpitations"]);
    let other = record(&[HEAD, RP, RT, PID, "NTE|1||Knee pain"]);
    let value = |record: &Record| record.identifiers.placer.as_ref().unwrap().value.clone();
    assert_eq!(value(&first), value(&again));
    assert_ne!(value(&first), value(&other));
    assert!(has(&first, "referral-id-synthetic"));
}

#[test]
fn quirk_4_3_our_own_number_coming_back_is_recognised() {
    let reference = Reference::generate();
    let head = HEAD.replace("REF^I12^REF_I12", "REF^I13");
    let read = read(&[&head, &format!("RF1|P|R||||REF-1|||||{reference}^LOOPLINE"), RP, RT, PID]);
    let own = format!("own {reference}");
    assert_eq!(keys(&read), ["ei|cedar||ref-1+", "referral|CEDAR||REF-1", "bare ref-1", own.as_str()]);
    assert_eq!(read.reference, Some(reference));
}

/// The number and where it was found.
fn found(lines: &[&str]) -> (String, String) {
    let placer = record(&[&[HEAD, RP, RT, PID], lines].concat()).identifiers.placer.unwrap();
    (placer.value, placer.found_in.unwrap())
}

fn pair(value: &str, place: &str) -> (String, String) {
    (value.to_owned(), place.to_owned())
}

#[test]
fn quirk_4_1_rf1_6() {
    assert_eq!(found(&["RF1|P|R||||REF-1^GP", "ORC|NW|ORD-1"]), pair("REF-1", "RF1-6"));
    assert_eq!(found(&["RF1|P|R||||^^REF-3", "ORC|NW|ORD-1"]), pair("REF-3", "RF1-6"));
}

#[test]
fn quirk_4_1_rf1_6_that_is_a_date_yields_to_another_number() {
    for date in ["20250107", "20250107143000"] {
        let rf1 = format!("RF1|P|R||||{date}");
        assert_eq!(found(&[&rf1, "OBR|1|ORD-1"]), pair("ORD-1", "OBR-2"));
        assert_eq!(found(&[&rf1]).1, "synthetic", "a day is no identity");
    }
    assert_eq!(found(&["RF1|P|R||||20259999", "OBR|1|ORD-1"]), pair("20259999", "RF1-6"), "no such day: a number");
}

#[test]
fn quirk_4_2_orc_2_before_obr_2() {
    assert_eq!(found(&["ORC|NW|ORD-1^GP", "OBR|1|ORD-2"]), pair("ORD-1", "ORC-2"));
    assert_eq!(found(&["OBR|1|ORD-2^GP", "RF1|P|R|||||||||NZ-1"]), pair("ORD-2", "OBR-2"));
}

#[test]
fn quirk_4_3_rf1_11() {
    assert_eq!(found(&["RF1|P|R|||||||REF-9||NZ-1"]), pair("NZ-1", "RF1-11"));
}

#[test]
fn quirk_4_4_rf1_9_unless_a_date() {
    assert_eq!(found(&["RF1|P|R|||||||REF-9", "OBR|1||LAB-1"]), pair("REF-9", "RF1-9"));
    assert_eq!(found(&["RF1|P|R|||||||20250107", "OBR|1||LAB-1"]), pair("LAB-1", "OBR-3"));
}

#[test]
fn quirk_4_5_obr_3() {
    assert_eq!(found(&["OBR|1||LAB-1"]), pair("LAB-1", "OBR-3"));
}

#[test]
fn quirk_4_6_sch_26() {
    let sch = format!("SCH|A-1|B-2{}REF-26^GP", "|".repeat(24));
    let booking = read(&[&HEAD.replace("REF^I12^REF_I12", "SIU^S12"), &sch, PID]);
    let expected = [
        "ei|desk|gp|ref-26",
        "~ei|desk||ref-26",
        "ei|cedar|gp|ref-26+",
        "~ei|cedar||ref-26+",
        "ei|gp||ref-26",
        "referral|DESK|GP|REF-26",
        "~referral|DESK||REF-26",
        "referral|CEDAR|GP|REF-26",
        "~referral|CEDAR||REF-26",
        "referral|GP|GP|REF-26",
        "bare ref-26",
    ];
    assert_eq!(keys(&booking), expected);
}

/// What a number in RF1-6 is kept under.
fn kept(number: &str) -> Vec<String> {
    let read = read(&[HEAD, &RF1.replace("REF-1^CEDAR", number), RP, RT, PID]);
    keys(&read).into_iter().filter(|key| key.ends_with('+')).collect()
}

#[test]
fn quirk_4_1_one_number_is_one_in_every_spelling() {
    assert_eq!(kept("N1"), ["ei|cedar||n1+"]);
    assert_eq!(kept("n1^Cedar"), kept("N1"));
    assert_eq!(kept("N1^EPC"), ["ei|cedar|epc|n1+", "~ei|cedar||n1+"]);
    assert_eq!(kept(" n1 ^epc"), kept("N1^EPC"));
    assert_eq!(kept("N1^^1.2.840^ISO"), ["ei||1.2.840|n1+", "~ei|cedar||n1+"]);
    assert_eq!(kept("N1^^urn:oid:1.2.840^ISO"), kept("N1^^1.2.840^ISO"));
    let both = ["ei|cedar|epc|n1+", "ei||1.2.840|n1+", "~ei|cedar||n1+"];
    assert_eq!(kept("N1^EPC^1.2.840^ISO"), both);
    assert_eq!(kept("N1^EPC&1.2.840&ISO"), both);
    assert_eq!(kept("N1^^^EPC&1.2.840&ISO"), both);
}

#[test]
fn quirk_4_an_answer_names_the_message_that_it_answers() {
    let head = HEAD.replace("REF^I12^REF_I12", "RRI^I12");
    let alone = read(&[&head, "MSA|AA|01KAVM6Q2C9Y2R0N4N5S"]);
    assert_eq!(keys(&alone), ["answered 01KAVM6Q2C9Y2R0N4N5S"]);
    let outcome = |lines: &[&str]| read(&[&[head.as_str()], lines].concat()).outcome.reply.unwrap().outcome;
    use crate::referral::ReplyOutcome::{Received, Unclear};
    assert_eq!(outcome(&["MSA|AA|X1"]), Received);
    assert_eq!(outcome(&["MSA|AA|X1", "NTE|1||We cannot see her before May."]), Unclear);
    assert_eq!(outcome(&["MSA|AE|X1"]), Unclear);
    assert_eq!(outcome(&["RT|1"]), Unclear, "it answers nothing");
}
