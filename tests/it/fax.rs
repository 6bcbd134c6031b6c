//! Faxes through the program itself: `loopline try` on the samples, and on what is no fax or cannot be read.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::harness::files;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn fixture(name: &str) -> PathBuf {
    root().join("tests/fixtures/fax").join(name)
}

/// What one run of `loopline try` gave.
struct Tried {
    exit: Option<i32>,
    printed: String,
    complaint: String,
}

impl Tried {
    fn json(&self) -> Value {
        assert_eq!(self.exit, Some(0), "{}", self.complaint);
        serde_json::from_str(&self.printed).unwrap()
    }

    /// A refusal is exit 1, one plain sentence for a person, and nothing to be taken for a result.
    fn refused(&self) -> &str {
        assert_eq!(self.exit, Some(1), "{}", self.printed);
        assert!(self.printed.is_empty(), "{}", self.printed);
        assert_eq!(self.complaint.trim_end().lines().count(), 1, "{}", self.complaint);
        assert!(!self.complaint.contains("panicked") && !self.complaint.contains(".rs:"), "{}", self.complaint);
        &self.complaint
    }
}

/// Runs `loopline try` in an empty folder: it needs no channels and no data.
fn tried(file: &Path) -> Tried {
    let elsewhere = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_loopline"));
    let output = command.arg("try").arg(file).env_remove("RUST_LOG").current_dir(elsewhere.path()).output().unwrap();
    assert!(files(elsewhere.path()).is_empty(), "a trial leaves nothing behind");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Tried { exit: output.status.code(), printed: text(output.stdout), complaint: text(output.stderr) }
}

fn tried_bytes(name: &str, bytes: &[u8]) -> Tried {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(name);
    fs::write(&file, bytes).unwrap();
    tried(&file)
}

/// Everything that is expected is there; what is there beside it is not looked at. Lists are as long as expected.
fn assert_holds(expected: &Value, found: &Value, path: &str) {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            for (key, value) in expected {
                let inner = format!("{path}.{key}");
                assert_holds(value, found.get(key).unwrap_or_else(|| panic!("{inner} is missing")), &inner);
            }
        }
        (Value::Array(expected), Value::Array(found)) => {
            assert_eq!(expected.len(), found.len(), "{path} has another length: {found:?}");
            for (at, (expected, found)) in expected.iter().zip(found).enumerate() {
                assert_holds(expected, found, &format!("{path}.{at}"));
            }
        }
        (expected, found) => assert_eq!(expected, found, "{path}"),
    }
}

#[test]
fn every_sample_fax_becomes_what_stands_beside_it() {
    let samples: Vec<PathBuf> = files(&root().join("samples/fax-inbox"))
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "pdf" || extension == "tif"))
        .collect();
    assert!(samples.len() >= 3);
    for sample in samples {
        let expected = fs::read_to_string(sample.with_extension("expected.json")).unwrap();
        let expected: Value = serde_json::from_str(&expected).unwrap();
        let name = sample.file_stem().unwrap().to_string_lossy();
        assert_holds(&expected, &tried(&sample).json(), &name);
    }
}

#[test]
fn labels_under_lines_boxes_for_letters_and_tables_are_read_as_what_stands_beside_them() {
    for name in ["captions.tif", "combs.tif", "table.tif", "ring.tif"] {
        let expected = fs::read_to_string(fixture(name).with_extension("expected.json")).unwrap();
        let expected: Value = serde_json::from_str(&expected).unwrap();
        assert_holds(&expected, &tried(&fixture(name)).json(), name);
    }
}

#[test]
fn which_of_two_words_is_ringed_is_for_a_person() {
    let record = &tried(&fixture("ring.tif")).json()["record"];
    let review = record["review"].as_array().unwrap();
    assert!(review.contains(&Value::from("patient.sex")), "{review:?}");
    assert!(record["patient"].get("sex").is_none(), "{record}");
    assert_eq!(record["priority"], "stat", "the box that is checked is no ring");
}

#[test]
fn a_stamp_set_aslant_contests_the_priority_of_the_form() {
    let record = &tried(&fixture("stamp.tif")).json()["record"];
    assert!(record["review"].as_array().unwrap().contains(&Value::from("priority")), "{record:#}");
    assert!(record["problems"].as_array().unwrap().iter().any(|problem| problem["code"] == "priority-contradicts"), "{record:#}");
    assert_eq!(record["evidence"]["priority"]["rivals"], serde_json::json!(["stat"]));
}

#[test]
fn a_blank_page_is_for_a_person_and_no_error() {
    let blank = tried(&fixture("blank-g4.tif")).json();
    assert_eq!(blank["kind"], "unknown");
    assert_eq!(blank["problems"][0]["code"], "blank-page");
    assert!(blank.get("record").is_none(), "nothing is made of nothing: {blank}");
}

#[test]
fn a_letter_that_refers_nobody_is_for_a_person_and_no_referral() {
    let found = tried(&fixture("no-referral.pdf")).json();
    assert_eq!(found["kind"], "unknown");
    assert!(found.get("record").is_none());
    assert_eq!(found["problems"][0]["code"], "no-referral-found");
}

#[test]
fn an_encrypted_document_is_refused_in_plain_words() {
    let refusal = tried(&fixture("encrypted.pdf"));
    assert!(refusal.refused().contains("protected by a password"), "{}", refusal.complaint);
}

#[test]
fn a_document_cut_off_on_its_way_is_refused() {
    for name in ["scan-g4.pdf", "fine-g4-strips.tif"] {
        let whole = fs::read(fixture(name)).unwrap();
        let cut = tried_bytes(name, whole.get(..4000).unwrap());
        assert!(cut.refused().contains("cut off"), "{name}: {}", cut.complaint);
    }
}

#[test]
fn an_empty_file_and_a_file_of_another_format_are_refused() {
    assert!(tried_bytes("empty.pdf", b"").refused().contains("no HL7 message, mail, PDF, TIFF, PNG, JPEG or JPEG 2000"));
    assert!(
        tried_bytes("picture.gif", b"GIF89a and so on")
            .refused()
            .contains("no HL7 message, mail, PDF, TIFF, PNG, JPEG or JPEG 2000")
    );
    assert!(tried_bytes("picture.pdf", b"\x89PNG\r\n\x1a\n and so on").refused().contains("a picture cannot be"));
}

#[test]
fn a_file_that_is_not_there_is_an_error_and_no_file_at_all_is_wrong_usage() {
    assert!(tried(Path::new("/nowhere/fax.pdf")).refused().contains("cannot read /nowhere/fax.pdf"));
    let usage = Command::new(env!("CARGO_BIN_EXE_loopline")).arg("try").output().unwrap();
    assert_eq!(usage.status.code(), Some(2));
}
