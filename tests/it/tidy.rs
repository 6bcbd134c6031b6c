//! Rules of this repository that neither the compiler nor clippy knows. Each is a mistake that was made once, or that reviews kept finding.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Lines of a file without its tests: what one person reads in one go.
const FILE_LINES_MAX: usize = 500;
/// Lines of a function: a screen or two.
const FUNCTION_LINES_MAX: usize = 70;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Files below a folder of the repository with one of these extensions, sorted, by path from the root.
fn files(folder: &str, extensions: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![root().join(folder)];
    while let Some(folder) = open.pop() {
        let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("cannot read {}: {error}", folder.display()));
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                if path.file_name().is_none_or(|name| name != "target") {
                    open.push(path);
                }
            } else if path.extension().is_some_and(|extension| extensions.iter().any(|wanted| extension == *wanted)) {
                found.push(path.strip_prefix(root()).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

fn read(path: &Path) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
}

fn sources() -> Vec<(PathBuf, String)> {
    files("src", &["rs"]).into_iter().map(|path| (path.clone(), read(&path))).collect()
}

/// Fails with the whole list: one run shows everything there is to do.
fn assert_none(what: &str, found: &[String]) {
    assert!(found.is_empty(), "{what}:\n  {}", found.join("\n  "));
}

/// Whether a file holds only tests.
fn is_test_file(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == "tests.rs" || name == "testing.rs")
        || path.components().any(|part| part.as_os_str() == "tests")
}

/// The lines before the unit tests.
fn without_tests(text: &str) -> Vec<&str> {
    let lines: Vec<&str> = text.lines().collect();
    let end = lines
        .windows(2)
        .position(|pair| pair[0].trim() == "#[cfg(test)]" && pair[1].starts_with("mod ") && pair[1].ends_with('{'));
    lines.get(..end.unwrap_or(lines.len())).unwrap_or_default().to_vec()
}

#[test]
fn every_source_file_opens_by_saying_what_it_is() {
    let found: Vec<String> = files("src", &["rs"])
        .into_iter()
        .chain(files("tests", &["rs"]))
        .filter(|path| {
            let text = read(path);
            // A fuzz target must begin with the attribute that says it has no main.
            let first = text.lines().find(|line| !line.starts_with("#![")).unwrap_or_default().to_owned();
            !first.starts_with("//! ") || first.len() < 20
        })
        .map(|path| path.display().to_string())
        .collect();
    assert_none("these do not open with `//!` and a sentence", &found);
}

#[test]
fn files_are_short_enough_to_read() {
    let found: Vec<String> = sources()
        .iter()
        .filter(|(path, _)| !is_test_file(path))
        .map(|(path, text)| (path, without_tests(text).len()))
        .filter(|(_, lines)| *lines > FILE_LINES_MAX)
        .map(|(path, lines)| format!("{} has {lines}", path.display()))
        .collect();
    assert_none("these files have more than 500 lines without their tests: split them by what they do", &found);
}

/// Clippy counts a function's body lines; this counts as a reader does, and by rustfmt's indentation, which CI guarantees.
#[test]
fn functions_fit_a_screen_or_two() {
    let mut found = Vec::new();
    for (path, text) in sources().iter().filter(|(path, _)| !is_test_file(path)) {
        let lines = without_tests(text);
        for (start, line) in lines.iter().enumerate() {
            let signature = line.trim_start();
            let is_function =
                ["fn ", "pub fn ", "pub(crate) fn ", "pub(super) fn ", "async fn ", "pub async fn ", "pub(crate) async fn "]
                    .iter()
                    .any(|opening| signature.starts_with(opening));
            // A trait's method without a body.
            if !is_function || line.ends_with(';') {
                continue;
            }
            let indent = line.len() - signature.len();
            let closing = format!("{}}}", " ".repeat(indent));
            let length = lines.iter().skip(start).position(|line| *line == closing);
            if let Some(length) = length.filter(|length| *length > FUNCTION_LINES_MAX) {
                found.push(format!("{}:{} has {length}: {signature}", path.display(), start + 1));
            }
        }
    }
    assert_none("these functions have more than 70 lines", &found);
}

#[test]
fn nothing_is_left_for_later() {
    let marks = [concat!("todo", "!("), concat!("unimplemented", "!("), concat!("FIX", "ME"), concat!("TO", "DO")];
    let mut found = Vec::new();
    for path in files("src", &["rs", "toml"]).into_iter().chain(files("tests", &["rs"])).chain(files("deploy", &["sh"])) {
        for (number, line) in read(&path).lines().enumerate() {
            if marks.iter().any(|mark| line.contains(mark)) {
                found.push(format!("{}:{}: {}", path.display(), number + 1, line.trim()));
            }
        }
    }
    assert_none("finish these, or file an issue", &found);
}

/// What is in `protocols/` could be a crate of its own: it knows HL7, MLLP, pages and OCR, and nothing of referrals.
#[test]
fn protocols_know_nothing_of_the_rest() {
    let found: Vec<String> = sources()
        .iter()
        .filter(|(path, _)| path.starts_with("src/protocols"))
        .flat_map(|(path, text)| {
            let uses = |line: &str| line.contains("crate::") && !line.contains("crate::protocols");
            let is_comment = |line: &str| line.trim_start().starts_with("//");
            let hits = text.lines().enumerate().filter(|(_, line)| uses(line) && !is_comment(line));
            hits.map(|(number, line)| format!("{}:{}: {}", path.display(), number + 1, line.trim())).collect::<Vec<_>>()
        })
        .collect();
    assert_none("protocols/ must not use the rest of the crate", &found);
}

/// An internal `unsafe` hides in review; the one place that needs it says why.
#[test]
fn unsafe_code_stays_in_its_one_place() {
    let found: Vec<String> = sources()
        .iter()
        .filter(|(path, _)| !path.starts_with("src/protocols"))
        .filter(|(_, text)| text.lines().any(|line| line.contains("unsafe {") || line.contains("allow(unsafe_code")))
        .map(|(path, _)| path.display().to_string())
        .collect();
    assert_none("no unsafe code here", &found);
}

#[test]
fn the_shipped_channels_pass_the_check() {
    let data = tempfile::tempdir().unwrap();
    let output = loopline(&["check", "--channels", "channels", "--data", data.path().to_str().unwrap()]);
    assert!(output.status.success(), "{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(fs::read_dir(data.path()).unwrap().next().is_none(), "check makes nothing");
}

#[test]
fn every_shipped_channel_says_what_it_is_and_what_each_key_means() {
    for path in files("channels", &["toml"]) {
        let text = read(&path);
        let first = text.lines().next().unwrap_or_default();
        let name = path.strip_prefix("channels").unwrap().display();
        assert!(first.starts_with(&format!("# channels/{name}: ")), "{}: the first line says what it is", path.display());
    }
}

/// Every `loopline …` that the README shows is a command that exists.
#[test]
fn the_commands_in_the_readme_exist() {
    let readme = read(Path::new("README.md"));
    let mut shown: Vec<Vec<&str>> = Vec::new();
    for line in readme.split(['\n', '`']) {
        let Some(rest) = line.trim().trim_start_matches("$ ").strip_prefix("loopline ") else { continue };
        let is_word = |word: &&str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '-');
        let has_subcommand = |word: &str| ["referrals", "messages", "deliveries"].contains(&word);
        let mut words = rest.split_whitespace().take_while(is_word);
        let Some(command) = words.next().filter(|word| !word.starts_with('-')) else { continue };
        let subcommand = words.next().filter(|word| has_subcommand(command) && !word.starts_with('-'));
        shown.push([command].into_iter().chain(subcommand).collect());
    }
    shown.sort();
    shown.dedup();
    assert!(shown.len() >= 3, "the README shows commands");
    for command in shown {
        let arguments: Vec<&str> = command.iter().copied().chain(["--help"]).collect();
        assert!(loopline(&arguments).status.success(), "the README shows `loopline {}`, which does not exist", command.join(" "));
    }
}

#[test]
fn the_scripts_can_be_run_as_the_readme_says() {
    use std::os::unix::fs::PermissionsExt;
    for script in ["deploy/run.sh", "deploy/test.sh", ".ci/run", "tests/fuzz/build.sh"] {
        let mode = fs::metadata(root().join(script)).unwrap().permissions().mode();
        assert_eq!(mode & 0o111, 0o111, "{script} is executable");
        let parsed = Command::new("bash").arg("-n").arg(root().join(script)).status().unwrap();
        assert!(parsed.success(), "{script} is a script that bash can read");
    }
}

/// Runs the program from the root, without settings from this machine's environment.
fn loopline(arguments: &[&str]) -> std::process::Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loopline"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("LOOPLINE_")) {
        command.env_remove(name);
    }
    command.args(arguments).current_dir(root()).output().unwrap()
}
