//! Versions 2.2 to 2.9: the same referral as each of them writes it.

use super::*;
use crate::compose::hl7_answer::{AnswerSettings, preview};

/// MSH-12 as sent, and whether MSH-9 has its third component in the answer.
const VERSIONS: [(&str, bool); 13] = [
    ("2.2", false),
    ("2.3", false),
    ("2.3.1", true),
    ("2.4", true),
    ("2.4^NZL^1.0", true),
    ("2.5", true),
    ("2.5.1", true),
    ("2.6", true),
    ("2.7", true),
    ("2.7.1", true),
    ("2.8", true),
    ("2.8.2", true),
    ("2.9", true),
];

#[test]
fn every_version_is_read_and_answered_in_its_own_shape() {
    for (version, has_structure) in VERSIONS {
        let head = HEAD.replace("2.5.1", version);
        let good = read(&[&head, "SFT|Acme", "UAC|KERB", "ARV|1", RF1, RP, RT, PID, "PRT|1", "NTE|1||Palpitations"]);
        assert_eq!((good.outcome.kind, good.outcome.event), (Kind::Referral, Some(Event::New)), "{version}");
        let answer = preview(&good, &AnswerSettings::default()).unwrap();
        let kind = if has_structure { "|RRI^I12^RRI_I12|" } else { "|RRI^I12|" };
        assert!(answer.starts_with("MSH|") && answer.contains(kind), "{version}: {answer}");
        let bad = preview(&read(&[&head, RF1]), &AnswerSettings::default()).unwrap();
        let minor: u8 = version.get(2..3).unwrap().parse().unwrap();
        assert_eq!(bad.contains("\nERR|PID^^^101&"), minor < 5, "{version}: {bad}");
        assert_eq!(bad.contains("\nERR||PID|101^"), minor >= 5, "{version}: {bad}");
        assert_eq!(bad.contains("|AE|C1|the message"), minor < 7, "MSA-3 until 2.6: {bad}");
    }
}

#[test]
fn what_only_some_versions_have_is_read_in_all() {
    // RF1-14 and PRD-10 are 2.8 and 2.6, DG1-4 is gone from 2.6: senders mix.
    for version in ["2.3", "2.9"] {
        let head = HEAD.replace("2.5.1", version);
        let rf1 = format!("{RF1}||||||Evaluate murmur");
        let rt = "PRD|RT|Ames^Dora||||||||Lakeside Heart Center";
        let record = record(&[&head, &rf1, RP, rt, PID, "DG1|1|I10|R01.1|Cardiac murmur"]);
        assert_eq!(record.request.reason.as_deref(), Some("Evaluate murmur"));
        assert_eq!(record.referred_to.organization.as_deref(), Some("Lakeside Heart Center"));
        assert_eq!(record.request.diagnoses[0].text.as_deref(), Some("Cardiac murmur"));
        assert_eq!(record.request.diagnoses[0].system.as_deref(), Some("ICD-10-CM"));
    }
}
