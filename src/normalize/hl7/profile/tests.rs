//! What a profile changes, message by message. All people are invented.

use super::super::{Hl7Message, Kind, Outcome, normalize};
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
    record.unwrap()
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
