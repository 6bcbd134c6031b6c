#![no_main]
//! Any bytes in a frame, the whole path to the answer: they are read the same way twice, what is said about them can be written, and their
//! answer is a message that we read ourselves as the answer it is.

use libfuzzer_sys::fuzz_target;
use loopline::{
    compose::hl7_answer::{AnswerSettings, preview},
    config::AcknowledgeMode,
    normalize::hl7::{Hl7Message, Hl7Rules, normalize},
};

fuzz_target!(|body: &[u8]| {
    let rules = Hl7Rules::default();
    match (normalize(body, &rules), normalize(body, &rules)) {
        (Ok(first), Ok(second)) => {
            assert_eq!(first.repeat_key, second.repeat_key);
            assert_eq!(first.refusal.is_some(), second.refusal.is_some());
            let written = serde_json::to_string(&first.outcome).expect("an outcome can be written");
            assert_eq!(written, serde_json::to_string(&second.outcome).expect("an outcome can be written"));
            for mode in [AcknowledgeMode::Auto, AcknowledgeMode::Original, AcknowledgeMode::Enhanced] {
                answered(&first, mode, &rules);
            }
        }
        (Err(first), Err(second)) => assert_eq!(first, second),
        (Ok(_), Err(_)) | (Err(_), Ok(_)) => panic!("the same bytes were read once and refused once"),
    }
});

/// Composes the answer, and reads it as its receiver would.
fn answered(read: &Hl7Message, mode: AcknowledgeMode, rules: &Hl7Rules) {
    let settings = AnswerSettings { mode, ..AnswerSettings::default() };
    let Some(answer) = preview(read, &settings) else {
        assert!(mode == AcknowledgeMode::Auto || read.header.is_acknowledgement() || mode == AcknowledgeMode::Enhanced);
        return;
    };
    assert!(!read.header.is_acknowledgement(), "an answer was answered");
    let lines: Vec<&str> = answer.lines().collect();
    let code = lines.get(1).and_then(|line| line.get(4..6)).expect("MSA follows MSH");
    let codes: &[&str] = if read.refusal.is_some() { &["AE", "AR", "CE", "CR"] } else { &["AA", "CA"] };
    assert!(lines[1].starts_with("MSA") && codes.contains(&code), "{code}");
    let Ok(back) = normalize(answer.replace('\n', "\r").as_bytes(), rules) else { panic!("the answer cannot be read") };
    assert!(back.header.is_acknowledgement() || back.header.message_type == "RRI");
}
