#![no_main]
//! Any bytes in a frame: they are read the same way twice, and whatever they were, what is said about them can be written.

use libfuzzer_sys::fuzz_target;
use loopline::normalize::hl7::{Hl7Rules, normalize};

fuzz_target!(|body: &[u8]| {
    let rules = Hl7Rules::default();
    match (normalize(body, &rules), normalize(body, &rules)) {
        (Ok(first), Ok(second)) => {
            assert_eq!(first.repeat_key, second.repeat_key);
            assert_eq!(first.refusal.is_some(), second.refusal.is_some());
            let written = serde_json::to_string(&first.outcome).expect("an outcome can be written");
            assert_eq!(written, serde_json::to_string(&second.outcome).expect("an outcome can be written"));
        }
        (Err(first), Err(second)) => assert_eq!(first, second),
        (Ok(_), Err(_)) | (Err(_), Ok(_)) => panic!("the same bytes were read once and refused once"),
    }
});
