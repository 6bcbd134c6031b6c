//! Section 2: refused, and what is not though it might be.

use super::*;
use crate::{
    compose::hl7_answer::{AnswerSettings, preview},
    referral::HeldReason,
};

/// What a strict channel says to it.
fn strictly(lines: &[&str]) -> String {
    let rules =
        following(Profile { strict: Strict { referral_id: true, attachments: true, ..Strict::default() }, ..Profile::default() });
    match normalize(&joined(lines), &rules).unwrap().refusal {
        Some(refusal) => {
            format!("{} {} {}", if refusal.level == RefusalLevel::Error { "AE" } else { "AR" }, refusal.code, refusal.location)
        }
        None => "taken".to_owned(),
    }
}

#[test]
fn reject_what_is_no_hl7_has_nobody_to_answer() {
    for body in [&b"hello"[..], b"", b"<REF_I12/>", b"FHS|^~\\&|A", b"MSH"] {
        assert!(normalize(body, &Hl7Rules::default()).is_err());
    }
}

#[test]
fn reject_types_events_versions_and_processing_ids_that_are_not_taken() {
    assert_eq!(refused(&[&HEAD.replace("REF^I12^REF_I12", "ADT^A04"), PID]), "AR 200 MSH^1^9^1^1");
    assert_eq!(refused(&[&HEAD.replace("REF^I12^REF_I12", "ORM^O01"), PID]), "AR 200 MSH^1^9^1^1");
    assert_eq!(refused(&[&HEAD.replace("REF^I12^REF_I12", ""), PID]), "AR 200 MSH^1^9^1^1");
    assert_eq!(refused(&[&HEAD.replace("I12^REF_I12", "I16"), PID]), "AR 201 MSH^1^9^1^2");
    assert_eq!(refused(&[&HEAD.replace("|P|2", "|T|2"), RF1, RP, RT, PID]), "AR 202 MSH^1^11");
    assert_eq!(refused(&[&HEAD.replace("|P|2", "|D|2"), RF1, RP, RT, PID]), "AR 202 MSH^1^11");
    assert_eq!(refused(&[&HEAD.replace("|P|2.5.1", "|P|3.0"), RF1, RP, RT, PID]), "AR 203 MSH^1^12");
}

#[test]
fn reject_a_sender_that_is_not_configured() {
    let rules = |sender: &str| Hl7Rules { senders: vec![sender.to_owned()], ..Hl7Rules::default() };
    let body = joined(&[HEAD, RF1, RP, RT, PID]);
    assert!(normalize(&body, &rules("EHR|CEDAR")).unwrap().refusal.is_none());
    let refusal = normalize(&body, &rules("EHR|BIRCH")).unwrap().refusal.unwrap();
    assert_eq!((refusal.level, refusal.code), (RefusalLevel::Reject, 207));
}

#[test]
fn reject_no_patient() {
    assert_eq!(refused(&[HEAD]), "AE 101 PID");
    assert_eq!(refused(&[HEAD, RF1, RP, RT, "PID|1"]), "AE 101 PID");
}

#[test]
fn reject_a_missing_number_only_where_the_channel_is_strict() {
    let read = read(&[HEAD, "RF1|P|R", RP, RT, PID]);
    assert!(read.refusal.is_none());
    assert_eq!(read.warnings[0].code, 101);
    assert_eq!(read.warnings[0].location, "RF1^1^6");
    assert_eq!(strictly(&[HEAD, "RF1|P|R", RP, RT, PID]), "AE 101 RF1^1^6");
    assert_eq!(strictly(&[HEAD, RF1, RP, RT, PID]), "taken");
}

#[test]
fn reject_too_large() {
    let rules = Hl7Rules { limits: ReadLimits { message_bytes_max: 300, delimiters_max: 1_000 }, ..Hl7Rules::default() };
    let body = joined(&[HEAD, RF1, RP, RT, PID]);
    assert_eq!(normalize(&body, &rules).unwrap().refusal.unwrap().code, 104);
    // Names alone have no delimiters, and cost as much as segments that have.
    let names = [HEAD, RF1, RP, RT, PID, &"AAA\r".repeat(200_001)].join("\r");
    assert_eq!(read_bytes(names.as_bytes()).refusal.unwrap().code, 104);
}

#[test]
fn reject_an_unusable_document_only_where_the_channel_is_strict() {
    let read = read(&[HEAD, RF1, RP, RT, PID, "OBX|1|ED|PDF^Echo^L||^application^pdf^Base64^%%%"]);
    assert!(read.refusal.is_none());
    assert_eq!((read.warnings[0].code, read.warnings[0].location.as_str()), (102, "OBX^1^5"));
    assert!(read.outcome.record.unwrap().attachments.is_empty());
    let obx = "OBX|1|ED|PDF^Echo^L||^application^pdf^Base64^%%%";
    assert_eq!(strictly(&[HEAD, RF1, RP, RT, PID, "OBX|1|ST|A^B||x", obx]), "AE 102 OBX^2^5");
}

#[test]
fn reject_wide_characters() {
    let text = format!("{HEAD}||||||UNICODE UTF-16\r{PID}\r");
    let units: Vec<u16> = text.encode_utf16().collect();
    let little: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
    let big: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
    let marked = [&b"\xFF\xFE"[..], &little].concat();
    let widest: Vec<u8> = text.chars().flat_map(|symbol| u32::from(symbol).to_be_bytes()).collect();
    for body in [little, big, marked, widest] {
        let read = read_bytes(&body);
        let refusal = read.refusal.as_ref().unwrap();
        assert_eq!((refusal.level, refusal.code, refusal.location.as_str()), (RefusalLevel::Reject, 102, "MSH^1^18"));
        let answer = preview(&read, &AnswerSettings::default()).unwrap();
        assert!(answer.contains("\nMSA|AR|C1|") && answer.is_ascii() && !answer.contains("UTF-16\n"), "{answer}");
    }
    assert_eq!(normalize(b"P\0I\0D\0|\0", &Hl7Rules::default()).err(), Some(NotHl7(Unreadable::NotHl7)));
}

#[test]
fn reject_a_fragment() {
    assert_eq!(refused(&[&format!("{HEAD}||PART2"), RF1, RP, RT, PID]), "AR 207 MSH^1^14");
}

#[test]
fn reject_two_patients() {
    assert_eq!(refused(&[HEAD, RF1, RP, RT, PID, "PID|2||8^^^CEDAR^MR||Marsh^Tobias"]), "AE 198 PID^2");
    assert_eq!(refused(&[HEAD, RF1, RP, RT, PID, "PID|2||||Marsh^Tobias"]), "AE 198 PID^2");
    let booking = HEAD.replace("REF^I12^REF_I12", "SIU^S12");
    assert_eq!(refused(&[&booking, "SCH|1", PID, "PID|2||8^^^CEDAR^MR||Marsh^Tobias"]), "AE 198 PID^2");
}

#[test]
fn a_deceased_patient_is_held() {
    let record = record(&[HEAD, RF1, RP, RT, &format!("{PID}|||||||||||||||||Y")]);
    assert_eq!(record.patient.deceased, Some(true));
    assert_eq!(record.held, [HeldReason::Deceased]);
}
