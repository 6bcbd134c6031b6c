//! What a profile changes, message by message. All people are invented.

use super::super::{Hl7Message, Kind, Outcome, ReferralKey, normalize};
use super::*;

/// A message of five segments; the profile is written as in a file.
fn read(profile: &str, lines: &[&str]) -> Hl7Message {
    let profile: Profile = toml::from_str(profile).unwrap();
    let mut rules =
        Hl7Rules { profiles: Arc::new(Profiles { usual: Arc::new(profile), by_sender: Vec::new() }), ..Hl7Rules::default() };
    rules.settle();
    normalize(lines.join("\r").as_bytes(), &rules).unwrap()
}

const MSH: &str = "MSH|^~\\&|EHR|CEDAR|LOOP|DESK|20261120101500||REF^I12^REF_I12|C1|P|2.4";
const RF1: &str = "RF1|A|7^^L||||REF-1^CEDAR|20261120||||EXT-9";
const PID: &str = "PID|1||7^^^CEDAR^MR~9434765919^^^NHS^NHS||Lee^Leslie||19341101|9||||||020 7946 0018";

fn refused(read: &Hl7Message) -> String {
    let refusal = read.refusal.as_ref().unwrap();
    format!("{:?} {} {} {}", refusal.level, refusal.code, refusal.location, refusal.text)
}

fn record(read: Hl7Message) -> crate::referral::Record {
    let Outcome { kind, record, .. } = read.outcome;
    assert_eq!(kind, Kind::Referral, "{:?}", read.refusal);
    *record.unwrap()
}

#[test]
fn zone_region_codes_and_numbers_are_the_senders() {
    let profile = "time_zone = \"Europe/London\"\nregion = \"GB\"\nreferral_id = [\"RF1-11\", \"RF1-6\"]\n\
        patient_number = [{ type = \"NHS\" }]\ncodes.priority = { \"7\" = \"urgent\" }\ncodes.sex = { \"9\" = \"O\" }\n";
    let record = record(read(profile, &[MSH, RF1, PID]));
    assert_eq!(record.priority, Priority::Urgent);
    assert_eq!(record.patient.sex, Some(Sex::O));
    assert_eq!(record.patient.phones[0].number, "+442079460018");
    let placer = record.identifiers.placer.unwrap();
    assert_eq!((placer.value.as_str(), placer.found_in.as_deref()), ("EXT-9", Some("RF1-11")));
    assert!(!record.problems.iter().any(|problem| problem.code == "referral-id-elsewhere"), "it stands where it belongs");
    let numbers: Vec<&str> = record.patient.identifiers.iter().map(|id| id.value.as_str()).collect();
    assert_eq!(numbers, ["9434765919", "7"]);
    assert!(record.review.is_empty() || !record.review.iter().any(|path| path.contains("identifiers")));
}

#[test]
fn an_answer_of_a_sender_with_a_chain_of_its_own_is_known_by_every_number_it_quotes() {
    let sch = format!("SCH|1{}REF-7", "|".repeat(25));
    let booking = ["MSH|^~\\&|EHR|CEDAR|LOOP|DESK|20261120||SIU^S12|C1|P|2.4", &sch, PID];
    for profile in ["", "referral_id = [\"RF1-11\", \"OBR-2\"]", "referral_id = [\"ZU2-11\"]"] {
        let read = read(profile, &booking);
        let named = ReferralKey::Bare("ref-7".to_owned());
        assert!(read.referral_keys.contains(&named), "{profile}: {:?}", read.referral_keys);
    }
    let zu2 = read("referral_id = [\"RF1-6\", \"ZU2-11\"]", &[booking[0], "SCH|1", PID, "ZU2|A||320|||^^||2024|||^^REF8"]);
    assert!(zu2.referral_keys.contains(&ReferralKey::Bare("ref8".to_owned())), "{:?}", zu2.referral_keys);
}

#[test]
fn a_number_that_fails_its_check_digit_is_marked() {
    let record = record(read("number_checks = { NHS = \"nhs-number\", MR = \"nhi\" }", &[MSH, RF1, PID]));
    assert!(record.review.iter().any(|path| path == "patient.identifiers.0.value"), "7 is no NHI number");
    assert!(!record.review.iter().any(|path| path == "patient.identifiers.1.value"), "943 476 5919 is an NHS number");
    let problem = record.problems.iter().find(|problem| problem.code == "patient-number-check").unwrap();
    assert!(!problem.message.contains('7'), "no patient data: {}", problem.message);
}

#[test]
fn the_evidence_of_the_patients_numbers_moves_with_them() {
    let pid = "PID|1|22|33^^^A^PI~44^^^B^NHI||Lee^Leslie||19341101|F";
    let record = record(read("patient_number = [{ authority = \"NOBODY\" }, { type = \"nhi\" }]", &[MSH, RF1, pid]));
    let found: Vec<(&str, &str)> = record
        .patient
        .identifiers
        .iter()
        .enumerate()
        .map(|(at, id)| {
            (id.value.as_str(), record.evidence[format!("patient.identifiers.{at}.value").as_str()].location.as_deref().unwrap())
        })
        .collect();
    assert_eq!(found, [("44", "PID^1^3"), ("33", "PID^1^3"), ("22", "PID^1^2")]);
}

#[test]
fn an_empty_processing_id_is_what_the_profile_says() {
    let msh = MSH.replace("|P|2.4", "||2.4");
    assert!(read("", &[&msh, RF1, PID]).refusal.is_none());
    assert!(refused(&read("blank_processing_id = \"T\"", &[&msh, RF1, PID])).starts_with("Reject 202"));
    assert!(refused(&read("blank_processing_id = \"refuse\"", &[&msh, RF1, PID])).starts_with("Reject 202"));
}

#[test]
fn an_old_trigger_is_taken_only_where_the_profile_says_so() {
    let msh = MSH.replace("REF^I12^REF_I12", "REF^I11");
    assert!(refused(&read("", &[&msh, RF1, PID])).starts_with("Reject 201"));
    let taken = read("old_events = [\"I11\"]", &[&msh, RF1, PID]);
    assert_eq!((taken.outcome.kind, taken.outcome.event), (Kind::Referral, Some(Event::New)));
}

#[test]
fn a_status_can_say_what_the_event_should() {
    let rf1 = RF1.replace("RF1|A", "RF1|R");
    assert_eq!(read("", &[MSH, &rf1, PID]).outcome.event, Some(Event::New));
    assert_eq!(read("codes.event = { R = \"cancel\" }", &[MSH, &rf1, PID]).outcome.event, Some(Event::Cancel));
}

#[test]
fn a_control_id_that_is_not_unique_tells_no_repeat() {
    assert!(read("", &[MSH, RF1, PID]).control_key.is_some());
    assert!(read("control_ids_unique = false", &[MSH, RF1, PID]).control_key.is_none());
}

#[test]
fn strict_senders_are_refused_what_others_are_allowed() {
    let no_id = "RF1|A|R";
    let bad = "OBX|1|ED|1^letter||^application^pdf^Base64^%%%%";
    assert!(read("", &[MSH, no_id, PID, bad]).refusal.is_none());
    let found = refused(&read("strict.referral_id = true", &[MSH, no_id, PID]));
    assert!(found.starts_with("Error 101 RF1^1^6"), "{found}");
    assert!(read("strict.referral_id = true", &[MSH, PID]).refusal.is_none(), "without RF1 there is nothing to hold it to");
    let found = refused(&read("strict.attachments = true", &[MSH, RF1, PID, bad]));
    assert!(found.starts_with("Error 102 OBX^1^5"), "{found}");
}

#[test]
fn a_message_that_a_filter_does_not_let_pass_is_refused_with_a_clear_text() {
    let lines = [MSH, RF1, PID];
    for (filter, expected) in [
        ("where = [\"MSH-6 = DESK | OTHER\", \"RF1-6.2\", \"PID-8 != M\", \"PID-3[5=NHS].1 = 9434765919\"]", None),
        ("where = [\"MSH-6 = OTHER\"]", Some("Reject 207 MSH^1^6 this message is not taken here: MSH-6 = OTHER does not hold")),
        ("where = [\"PV1-2\"]\nanswer = \"AE\"", Some("Error 103 PV1^1^2 this message is not taken here: PV1-2 does not hold")),
        ("where = [\"PID-8 != 9\"]\ntext = \"not here\"", Some("Reject 207 PID^1^8 not here")),
    ] {
        let found = read(&format!("[accept]\n{filter}"), &lines);
        assert_eq!(found.refusal.as_ref().map(|_| refused(&found)).as_deref(), expected, "{filter}");
    }
    let rri = MSH.replace("REF^I12^REF_I12", "RRI^I12");
    assert!(read("[accept]\nwhere = [\"PV1-2\"]", &[&rri, "MSA|AA|1", RF1, PID]).refusal.is_none(), "an answer is always taken");
}

#[test]
fn each_sender_of_a_port_is_read_by_its_own_profile() {
    let profile = |text: &str| Arc::new(toml::from_str::<Profile>(text).unwrap());
    let by_sender = vec![
        (
            SenderPattern::parse("EHR|CEDAR").unwrap(),
            profile("codes.priority = { \"7\" = \"stat\" }\ntime_zone = \"Asia/Tokyo\""),
        ),
        (SenderPattern::parse("*|BIRCH").unwrap(), profile("codes.priority = { \"7\" = \"routine\" }")),
    ];
    let rules = Hl7Rules { profiles: Arc::new(Profiles { usual: Arc::default(), by_sender }), ..Hl7Rules::default() };
    let sent = |sender: &str| {
        let msh = MSH.replace("EHR|CEDAR", sender);
        record(normalize([&msh, "RF1|A|7||||1", PID].join("\r").as_bytes(), &rules).unwrap())
    };
    assert_eq!(sent("EHR|CEDAR^1.2.3^ISO").priority, Priority::Stat);
    assert_eq!(sent("EHR|CEDAR").authored_at.unwrap().as_str(), "2026-11-20T10:15:00+09:00");
    assert_eq!(sent("OTHER|BIRCH").priority, Priority::Routine);
    assert_eq!(sent("OTHER|CEDAR").priority, Priority::Unknown);
    assert_eq!(SenderPattern::parse("no bar"), None);
}

#[test]
fn several_conditions_in_one_are_a_mistake() {
    for text in ["MSH-6.1 = A && PV1-2 = B", "PV1-2 || RF1-3"] {
        assert!(Filter::parse(text).unwrap_err().message.ends_with("is several"), "{text}");
    }
    assert!(Filter::parse("RF1-3.1 = CARD | NEUR").is_ok());
}
