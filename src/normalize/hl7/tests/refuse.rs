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
fn quirk_2_no_hl7_has_nobody_to_answer() {
    for body in [&b"hello"[..], b"", b"<REF_I12/>", b"FHS|^~\\&|A", b"MSH"] {
        assert!(normalize(body, &Hl7Rules::default()).is_err());
    }
}

#[test]
fn quirk_2_msh_9_of_a_type_that_is_not_taken() {
    for kind in ["ADT^A04", "ORM^O01", ""] {
        assert_eq!(refused(&[&HEAD.replace("REF^I12^REF_I12", kind), PID]), "AR 200 MSH^1^9^1^1", "{kind}");
    }
}

#[test]
fn quirk_2_an_event_that_is_not_supported() {
    for event in ["I11", "I16", "I17", "I18", ""] {
        assert_eq!(refused(&[&HEAD.replace("I12^REF_I12", event), RF1, RP, RT, PID]), "AR 201 MSH^1^9^1^2", "{event}");
    }
}

#[test]
fn quirk_2_msh_11_that_is_not_ours() {
    for id in ["T", "D", "T^T"] {
        assert_eq!(refused(&[&HEAD.replace("|P|2", &format!("|{id}|2")), RF1, RP, RT, PID]), "AR 202 MSH^1^11", "{id}");
    }
}

#[test]
fn quirk_2_msh_12_of_an_unknown_major_version() {
    for version in ["3.0", "1.1", "v2"] {
        assert_eq!(refused(&[&HEAD.replace("2.5.1", version), RF1, RP, RT, PID]), "AR 203 MSH^1^12", "{version}");
    }
}

#[test]
fn quirk_2_a_wrong_receiving_facility() {
    let accept =
        super::super::profile::Accept { conditions: vec![Filter::parse("MSH-6.1 = DESK").unwrap()], ..Default::default() };
    let rules = following(Profile { accept, ..Profile::default() });
    assert!(normalize(&joined(&[HEAD, RF1, RP, RT, PID]), &rules).unwrap().refusal.is_none());
    let refusal = normalize(&joined(&[&HEAD.replace("DESK", "PORT"), RF1, RP, RT, PID]), &rules).unwrap().refusal.unwrap();
    assert_eq!((refusal.level, refusal.code), (RefusalLevel::Reject, 207));
    assert!(refusal.location.starts_with("MSH^1^6") && !refusal.text.is_empty() && !refusal.text.contains("Lee"));
}

#[test]
fn quirk_2_an_unknown_sender() {
    let rules = |sender: &str| Hl7Rules { senders: vec![sender.to_owned()], ..Hl7Rules::default() };
    let body = joined(&[HEAD, RF1, RP, RT, PID]);
    for taken in ["EHR|CEDAR", "EHR|*", "*|CEDAR"] {
        assert!(normalize(&body, &rules(taken)).unwrap().refusal.is_none(), "{taken}");
    }
    assert!(normalize(&body, &rules("EPIC|*")).unwrap().refusal.is_some());
    let refusal = normalize(&body, &rules("EHR|BIRCH")).unwrap().refusal.unwrap();
    assert_eq!((refusal.level, refusal.code), (RefusalLevel::Reject, 207));
}

#[test]
fn quirk_2_no_patient() {
    assert_eq!(refused(&[HEAD]), "AE 101 PID");
    assert_eq!(refused(&[HEAD, RF1, RP, RT, "PID|1"]), "AE 101 PID");
}

#[test]
fn quirk_2_no_number_of_the_referral_is_refused_only_where_the_channel_is_strict() {
    let read = read(&[HEAD, "RF1|P|R", RP, RT, PID]);
    assert!(read.refusal.is_none());
    assert_eq!(read.warnings[0].code, 101);
    assert_eq!(read.warnings[0].location, "RF1^1^6");
    assert_eq!(strictly(&[HEAD, "RF1|P|R", RP, RT, PID]), "AE 101 RF1^1^6");
    assert_eq!(strictly(&[HEAD, RF1, RP, RT, PID]), "taken");
}

#[test]
fn quirk_2_too_large() {
    let rules = Hl7Rules { limits: ReadLimits { message_bytes_max: 300, delimiters_max: 1_000 }, ..Hl7Rules::default() };
    let body = joined(&[HEAD, RF1, RP, RT, PID]);
    assert_eq!(normalize(&body, &rules).unwrap().refusal.unwrap().code, 104);
    // Names alone have no delimiters, and cost as much as segments that have.
    let names = [HEAD, RF1, RP, RT, PID, &"AAA\r".repeat(200_001)].join("\r");
    assert_eq!(read_bytes(names.as_bytes()).refusal.unwrap().code, 104);
}

#[test]
fn quirk_2_an_unusable_document_is_refused_only_where_the_channel_is_strict() {
    let read = read(&[HEAD, RF1, RP, RT, PID, "OBX|1|ED|PDF^Echo^L||^application^pdf^Base64^%%%"]);
    assert!(read.refusal.is_none());
    assert_eq!((read.warnings[0].code, read.warnings[0].location.as_str()), (102, "OBX^1^5"));
    assert!(read.outcome.record.unwrap().attachments.is_empty());
    let obx = "OBX|1|ED|PDF^Echo^L||^application^pdf^Base64^%%%";
    assert_eq!(strictly(&[HEAD, RF1, RP, RT, PID, "OBX|1|ST|A^B||x", obx]), "AE 102 OBX^2^5");
}

#[test]
fn quirk_2_an_unusable_character_set() {
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
fn quirk_2_a_continuation_fragment() {
    assert_eq!(refused(&[&format!("{HEAD}||PART2"), RF1, RP, RT, PID]), "AR 207 MSH^1^14");
}

#[test]
fn quirk_2_two_patients() {
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
