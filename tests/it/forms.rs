//! Forms of known senders through the program itself: drafted from a sample, checked, and found on another fax of that sender.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;

use crate::harness::files;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn fixture(name: &str) -> PathBuf {
    root().join("tests/fixtures/fax").join(name)
}

/// A site's folder with one channel for faxes.
struct Site {
    folder: tempfile::TempDir,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("channels/site/forms")).unwrap();
        fs::write(folder.path().join("channels/scans.toml"), "[inbound.folder]\npath = \"fax-in\"\n").unwrap();
        Self { folder }
    }

    fn form(&self, name: &str) -> PathBuf {
        self.folder.path().join("channels/site/forms").join(name)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_loopline"));
        command.args(arguments).env_remove("RUST_LOG").current_dir(self.folder.path()).output().unwrap()
    }

    fn tried(&self, file: &Path) -> Value {
        let output = self.run(&["try", file.to_str().unwrap(), "--channel", "scans"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What a person adds to the draft, from what was shown as other print.
const ADDED: &str = r#"
[[anchor]]
words = "ELM STREET INTAKE"
box_mm = [74.5, 18.1, 140.7, 22.7]

[[field]]
path = "patient.birth_date"
box_mm = [141.0, 38.0, 195.0, 44.0]

[[field]]
path = "insurance.0.payer"
box_mm = [20.0, 63.5, 110.0, 69.0]

[[field]]
path = "referring.phones.fax"
box_mm = [118.0, 89.0, 195.0, 95.0]

[[field]]
path = "priority"
options = [
    { value = "routine", box_mm = [20.0, 114.0, 26.0, 120.0] },
    { value = "urgent", box_mm = [80.0, 114.0, 86.0, 120.0] },
    { value = "stat", box_mm = [139.5, 114.0, 146.0, 120.0] },
]
"#;

#[test]
fn a_form_drafted_from_one_fax_reads_what_another_has_without_a_label() {
    let site = Site::new();
    let other = fixture("intake-poor.tif");
    let alone = site.tried(&other);
    for path in ["/record/patient/birth_date", "/record/insurance/0/payer", "/record/referring/phones"] {
        assert_eq!(alone.pointer(path), None, "no label helps");
    }

    let sample = fixture("intake-sample.tif");
    let file = site.form("elm-intake.toml");
    let learn = ["form", "learn", sample.to_str().unwrap(), "--name", "elm-intake", "--out", file.to_str().unwrap()];
    let output = site.run(&learn);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(output.stdout.is_empty(), "the draft is in the file");
    let draft = fs::read_to_string(&file).unwrap();
    fs::write(&file, draft + ADDED).unwrap();
    let again = site.run(&learn);
    assert_eq!(again.status.code(), Some(1), "what is there already may be somebody's work");
    assert!(site.run(&["check"]).status.success());

    let read = site.tried(&other);
    let told = read["pages"][0]["evidence"].as_array().unwrap().last().unwrap().as_str().unwrap();
    assert!(told.starts_with("the form elm-intake, "), "{told}");
    let record = &read["record"];
    assert_eq!(record["patient"]["birth_date"], "1948-07-30");
    assert_eq!(record["insurance"][0]["payer"], "Humana");
    assert_eq!(record["referring"]["phones"][0]["number"], "+15035550164");
    assert_eq!(record["priority"], "routine");
    assert_eq!(record["evidence"]["patient.birth_date"]["form"], "elm-intake: patient.birth_date");
    let table = text(&site.run(&["try", other.to_str().unwrap(), "--channel", "scans", "--fields"]).stdout);
    assert!(table.contains("page 1") && table.contains("the form elm-intake: insurance.0.payer"), "{table}");
}

#[test]
fn a_draft_shows_what_was_found_and_holds_nothing_of_it() {
    let site = Site::new();
    let before = files(site.folder.path()).len();
    let output = site.run(&["form", "learn", fixture("intake-sample.tif").to_str().unwrap()]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let (draft, shown) = (text(&output.stdout), text(&output.stderr));
    assert!(draft.contains("channels/site/forms/new-form.toml"), "the sample's own name may be a patient's: {draft}");
    assert!(draft.contains("words = \"Member ID\"") && draft.contains("path = \"referring.npi\""), "{draft}");
    for value in [
        "Underhill",
        "Tansy",
        "1961",
        "5510274",
        "Aetna",
        "WQ204417755",
        "Whitcombe",
        "1245319599",
        "555",
        "psoriasis",
        "intake-sample",
    ] {
        assert!(!draft.contains(value), "{value} in {draft}");
    }
    for value in ["Underhill", "WQ204417755", "04/09/1961", "Aetna", "not written into the draft"] {
        assert!(shown.contains(value), "{value} not in {shown}");
    }
    assert_eq!(files(site.folder.path()).len(), before, "it stores nothing");
}

#[test]
fn what_cannot_be_learned_from_is_said_in_a_sentence() {
    let site = Site::new();
    let message = root().join("samples/st-mary-mllp/referral.hl7");
    let sample = fixture("intake-sample.tif");
    for (arguments, exit, why) in [
        (vec![message.to_str().unwrap()], 1, "no PDF, TIFF, PNG, JPEG or JPEG 2000"),
        (vec![sample.to_str().unwrap(), "--page", "3"], 1, "no such page; it has 1"),
        (vec![sample.to_str().unwrap(), "--name", "../etc"], 2, "lower-case letters, digits and hyphens"),
    ] {
        let output = site.run(&[&["form", "learn"], arguments.as_slice()].concat());
        assert_eq!((output.status.code(), output.stdout.len()), (Some(exit), 0));
        assert!(text(&output.stderr).contains(why), "{}", text(&output.stderr));
    }
}

#[test]
fn a_broken_form_is_refused_by_check_with_file_key_and_what_to_do() {
    let site = Site::new();
    let example = fs::read_to_string(root().join("channels/site/forms/cedar-form.toml.example")).unwrap();
    fs::write(site.form("cedar-form.toml"), &example).unwrap();
    assert!(site.run(&["check"]).status.success());
    fs::write(site.form("cedar-form.toml"), example.replace("[60.0, 147.5, 120.0, 153.0]", "[120.0, 147.5, 60.0, 153.0]"))
        .unwrap();
    let output = site.run(&["check"]);
    assert_eq!(output.status.code(), Some(78));
    let complaint = text(&output.stderr);
    for part in ["cedar-form.toml:", "field.2.box_mm", "is no box on the page", "[left, top, right, bottom] in millimetres"] {
        assert!(complaint.contains(part), "{part} not in {complaint}");
    }
}

#[test]
fn the_example_is_found_on_both_samples_of_that_form_and_changes_no_value() {
    let site = Site::new();
    let values = |file: &Path| {
        let mut read = site.tried(file);
        let pages = read["pages"].take();
        let record = read["record"].as_object_mut().unwrap();
        let evidence = record.remove("evidence").unwrap();
        (read, pages[0]["evidence"].to_string(), evidence)
    };
    let samples = ["cedar-form.pdf", "northgate-standard.pdf"].map(|name| root().join("samples/fax-inbox").join(name));
    let before: Vec<Value> = samples.iter().map(|file| values(file).0).collect();
    fs::copy(root().join("channels/site/forms/cedar-form.toml.example"), site.form("cedar-form.toml")).unwrap();
    for (file, before) in samples.iter().zip(before) {
        let (read, told, evidence) = values(file);
        assert_eq!(read, before);
        assert!(told.contains("the form cedar-form, "), "{told}");
        assert_eq!(evidence["referring.npi"]["form"], "cedar-form: referring.npi");
        assert!(evidence["patient.name.family"].get("form").is_none());
    }
}
