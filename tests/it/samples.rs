//! The samples of the HL7 and mail channels become what stands beside them: `loopline try` prints the same every time.
//!
//! After a change that is meant: `for f in samples/*/*.{hl7,eml}; do target/debug/loopline try $f > ${f%.*}.expected.json; done`, and
//! read the diff.

use std::{path::Path, process::Command};

use serde_json::Value;

use crate::harness::files;

fn tried(sample: &Path) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_loopline")).arg("try").arg(sample).current_dir("/").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}: {}", sample.display(), String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn every_hl7_message_and_mail_becomes_what_stands_beside_it() {
    let mut compared = 0;
    for channel in ["st-mary-mllp", "referral-inbox"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples").join(channel);
        for sample in files(&folder).iter().filter(|path| path.extension().is_some_and(|end| end == "hl7" || end == "eml")) {
            let expected = std::fs::read(sample.with_extension("expected.json"))
                .unwrap_or_else(|error| panic!("{} has no expected result beside it: {error}", sample.display()));
            assert_eq!(tried(sample), serde_json::from_slice::<Value>(&expected).unwrap(), "{}", sample.display());
            compared += 1;
        }
    }
    assert!(compared >= 10, "the samples are there");
}

#[test]
fn what_is_no_message_is_said_so_on_standard_error_with_exit_1() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("notes.txt");
    std::fs::write(&file, "hello").unwrap();
    for wrong in [file, folder.path().join("missing.pdf")] {
        let output = Command::new(env!("CARGO_BIN_EXE_loopline")).arg("try").arg(&wrong).output().unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
        assert!(!output.stderr.is_empty());
    }
}
