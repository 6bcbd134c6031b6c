//! `loopline test`: a channel and its samples kept in git, tried without an engine.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

fn run(arguments: &[&str]) -> Output {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_loopline"));
    command.arg("--channels").arg(root.join("channels")).arg("test").args(arguments).current_dir(root).output().unwrap()
}

fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// A copy of the samples of one channel, to be changed.
fn copied(channel: &str) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    let folder = copy.path().join(channel);
    fs::create_dir(&folder).unwrap();
    for file in crate::harness::files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("samples").join(channel)) {
        fs::copy(&file, folder.join(file.file_name().unwrap())).unwrap();
    }
    copy
}

#[test]
fn the_shipped_samples_become_what_is_expected_of_them() {
    let output = run(&[]);
    assert_eq!(output.status.code(), Some(0), "{}", printed(&output));
    for channel in ["fax-inbox", "harbour-mllp", "referral-inbox", "st-mary-mllp"] {
        assert!(printed(&output).contains(&format!("{channel}: ")), "{}", printed(&output));
    }
}

#[test]
fn a_difference_is_shown_by_its_path_and_written_when_it_is_meant() {
    let copy = copied("harbour-mllp");
    let samples = copy.path().to_str().unwrap();
    let sample = copy.path().join("harbour-mllp/us-mapped.hl7");
    let text = fs::read_to_string(&sample).unwrap();
    fs::write(&sample, text.replace("Worsening knee pain", "Sudden knee pain")).unwrap();

    let output = run(&["harbour-mllp", "--samples", samples]);
    assert_eq!(output.status.code(), Some(1));
    let text = printed(&output);
    assert!(text.contains("record.request.reason") && text.contains("Sudden") && text.contains("Worsening"), "{text}");

    assert_eq!(run(&["harbour-mllp", "--samples", samples, "--update"]).status.code(), Some(0));
    assert_eq!(run(&["harbour-mllp", "--samples", samples]).status.code(), Some(0));
    fs::remove_file(copy.path().join("harbour-mllp/us-mapped.expected.json")).unwrap();
    let output = run(&["harbour-mllp", "--samples", samples, "--json"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(printed(&output).contains("us-mapped.expected.json"), "{}", printed(&output));
}

#[test]
fn a_channel_that_is_not_there_is_named_with_those_that_are() {
    let output = run(&["st-marys"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(printed(&output).contains("st-mary-mllp"), "{}", printed(&output));
}

#[test]
fn what_cannot_be_compared_is_named_beside_all_others() {
    let copy = copied("harbour-mllp");
    let folder = copy.path().join("harbour-mllp");
    fs::write(folder.join("au-copy.expected.json"), "{").unwrap();
    let misspelt = copy.path().join("harbor-mllp");
    fs::create_dir(&misspelt).unwrap();
    fs::copy(folder.join("au-copy.hl7"), misspelt.join("au-copy.hl7")).unwrap();
    fs::create_dir(copy.path().join("empty")).unwrap();
    let output = run(&["--samples", copy.path().to_str().unwrap()]);
    let text = printed(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("au-copy.expected.json is no JSON: mend it, or write it anew with --update"), "{text}");
    assert!(text.contains("there is no inbound channel harbor-mllp; there are: "), "{text}");
    assert!(text.contains("harbour-mllp: 6 samples as expected, 1 not") && !text.contains("empty"), "{text}");
}
