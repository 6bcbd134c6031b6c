//! `loopline test [CHANNEL]`: reads each channel's samples by the channel's rules and compares what they become with what is expected.
//!
//! A channel's samples are the files of `samples/CHANNEL/`; what one shall become stands beside it in `NAME.expected.json`, as
//! `loopline try NAME --channel CHANNEL` prints it: kind, event, record, acknowledgement, problems. Everything is compared, but two
//! parts of a record that an expectation leaves out: `evidence` and `attachments`, which for a fax change with the recognizer. Likewise the
//! boxes of a returned page, `reply.page`: what they come to stands beside them.
//! A sample that cannot be read is expected as `{"error": "…"}`. Stores nothing, sends nothing, needs no engine.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, bail};
use serde::Serialize;
use serde_json::Value;

use super::{
    print,
    try_file::{Rules, as_json, read_file},
};
use crate::{
    config::{Config, InboundChannel, SettingsSources},
    ids::ChannelName,
};

/// The end of the name of an expectation.
const EXPECTED: &str = ".expected.json";
/// The kinds of files that are samples; others beside them are a folder's own business.
const SAMPLES: [&str; 5] = ["hl7", "eml", "pdf", "tif", "tiff"];
/// Parts of a record that are compared only where they are expected.
const OPTIONAL: [&str; 2] = ["evidence", "attachments"];

/// `loopline test`
#[derive(Debug, clap::Args)]
pub struct TestArgs {
    /// The channel; without it every channel that has samples.
    channel: Option<String>,
    /// The folder with one folder of samples a channel.
    #[arg(long, value_name = "FOLDER", default_value = "samples")]
    samples: PathBuf,
    /// Write what the samples become as what is expected of them.
    #[arg(long)]
    update: bool,
    /// Print as JSON.
    #[arg(long)]
    json: bool,
}

/// What one sample showed.
#[derive(Serialize)]
struct Tested {
    channel: String,
    sample: PathBuf,
    ok: bool,
    /// Whether nothing is expected of it yet, or the sample of an expectation is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<PathBuf>,
    /// Why it was not compared, or that its folder is no channel's.
    #[serde(skip_serializing_if = "Option::is_none")]
    untested: Option<String>,
    /// Whether its expectation was written anew.
    updated: bool,
    differences: Vec<Difference>,
}

impl Tested {
    fn not_yet(channel: &str, sample: &Path) -> Self {
        Self {
            channel: channel.to_owned(),
            sample: sample.to_owned(),
            ok: false,
            missing: None,
            untested: None,
            updated: false,
            differences: Vec::new(),
        }
    }

    fn not(channel: &str, sample: &Path, why: String) -> Self {
        Self { untested: Some(why), ..Self::not_yet(channel, sample) }
    }
}

/// One value that is not as expected.
#[derive(Debug, PartialEq, Serialize)]
struct Difference {
    /// `record.request.reason`; lists by position from 0, an acknowledgement by line.
    path: String,
    /// Null: nothing.
    expected: Value,
    /// Null: nothing.
    found: Value,
}

/// Runs the samples; exit code 1 on any difference.
///
/// # Errors
/// The configuration has mistakes, there is no such channel, or the samples cannot be read.
pub async fn run(args: TestArgs, sources: &SettingsSources) -> anyhow::Result<ExitCode> {
    let config = Config::load(sources)?;
    let channels = chosen(&args, &config)?;
    let mut tested = Vec::new();
    for channel in channels {
        let folder = args.samples.join(channel.name.as_str());
        let rules = Rules::of(config.clone(), channel);
        for sample in samples(&folder)? {
            tested.push(test(&rules, &sample, &folder, args.update).await?);
        }
    }
    if args.channel.is_none() {
        tested.extend(nobodys(&args.samples, &config)?);
    }
    if tested.is_empty() {
        bail!("there are no samples: they are files in {}/CHANNEL/", args.samples.display());
    }
    let wrong = tested.iter().filter(|tested| !tested.ok).count();
    if args.json {
        print::json(&serde_json::json!({ "ok": wrong == 0, "samples": tested }));
    } else {
        show(&tested, wrong);
    }
    Ok(if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The channels that are tested: the one named, or all that have a folder of samples.
fn chosen(args: &TestArgs, config: &Config) -> anyhow::Result<Vec<InboundChannel>> {
    let Some(name) = &args.channel else {
        let has_samples = |channel: &&InboundChannel| args.samples.join(channel.name.as_str()).is_dir();
        return Ok(config.inbound.values().filter(has_samples).cloned().collect());
    };
    let Some(channel) = config.inbound.get(&ChannelName::new(name)) else {
        let known: Vec<&str> = config.inbound.keys().map(ChannelName::as_str).collect();
        bail!("there is no inbound channel {name}; there are: {}", known.join(", "));
    };
    let folder = args.samples.join(name);
    if !folder.is_dir() {
        bail!("the channel {name} has no samples: put them into {}", folder.display());
    }
    Ok(vec![channel.clone()])
}

/// The folders of samples that no channel has the name of: whoever misspells one believes that it is tested.
fn nobodys(folder: &Path, config: &Config) -> anyhow::Result<Vec<Tested>> {
    let cannot = || format!("cannot read {}", folder.display());
    let known = || config.inbound.keys().map(ChannelName::as_str).collect::<Vec<_>>().join(", ");
    let mut found = Vec::new();
    if !folder.exists() {
        return Ok(found);
    }
    for entry in std::fs::read_dir(folder).with_context(cannot)? {
        let entry = entry.with_context(cannot)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_channels = config.inbound.contains_key(&ChannelName::new(&name));
        if !is_channels && !name.starts_with('.') && entry.path().is_dir() && !samples(&entry.path())?.is_empty() {
            let why = format!("its samples are not tested, since there is no inbound channel {name}; there are: {}", known());
            found.push(Tested::not(&name, &entry.path(), why));
        }
    }
    Ok(found)
}

/// The samples of a folder by name, those of which only the expectation is left too.
fn samples(folder: &Path) -> anyhow::Result<BTreeSet<PathBuf>> {
    let cannot = || format!("cannot read {}", folder.display());
    let mut found = BTreeSet::new();
    let mut expectations = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(cannot)? {
        let path = entry.with_context(cannot)?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if let Some(stem) = name.strip_suffix(EXPECTED) {
            expectations.push(folder.join(stem));
        } else if path.extension().is_some_and(|end| SAMPLES.iter().any(|known| end.eq_ignore_ascii_case(known))) {
            found.insert(path);
        }
    }
    let has_sample = |stem: &PathBuf| found.iter().any(|sample| sample.with_extension("") == *stem);
    let orphans: Vec<PathBuf> = expectations.into_iter().filter(|stem| !has_sample(stem)).collect();
    found.extend(orphans);
    Ok(found)
}

async fn test(rules: &Rules, sample: &Path, folder: &Path, update: bool) -> anyhow::Result<Tested> {
    let stem = if sample.exists() { sample.with_extension("") } else { sample.to_owned() };
    let beside = PathBuf::from(format!("{}{EXPECTED}", stem.display()));
    let channel = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let result =
        |ok, missing, updated, differences| Tested { ok, missing, updated, differences, ..Tested::not_yet(&channel, sample) };
    if !sample.exists() {
        return Ok(result(false, Some(sample.to_owned()), false, Vec::new()));
    }
    let bytes = read_file(sample)?;
    let found = match rules.read(bytes).await {
        Ok(outcome) => as_json(&outcome)?,
        Err(error) => serde_json::json!({ "error": format!("{error:#}") }),
    };
    let expected = match std::fs::read(&beside) {
        Ok(text) => Some(
            serde_json::from_slice::<Value>(&text)
                .with_context(|| format!("{} is no JSON: mend it, or write it anew with --update", beside.display())),
        ),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", beside.display())),
    };
    let is_document = sample.extension().is_some_and(|end| !end.eq_ignore_ascii_case("hl7") && !end.eq_ignore_ascii_case("eml"));
    if update {
        let old = expected.and_then(Result::ok);
        let kept = pruned(found, old.as_ref(), is_document);
        let updated = old.as_ref() != Some(&kept);
        if updated {
            std::fs::write(&beside, format!("{kept:#}\n")).with_context(|| format!("cannot write {}", beside.display()))?;
        }
        return Ok(result(true, None, updated, Vec::new()));
    }
    let expected = match expected {
        Some(Ok(expected)) => expected,
        Some(Err(why)) => return Ok(Tested::not(&channel, sample, format!("{why:#}"))),
        None => return Ok(result(false, Some(beside), false, Vec::new())),
    };
    let differences = differences(&expected, &pruned(found, Some(&expected), is_document));
    Ok(result(differences.is_empty(), None, false, differences))
}

/// What was found, without the parts of a record that the expectation leaves out; a document's first expectation leaves both out. What was
/// measured on a page of ours that came back is compared only where it is expected, too.
fn pruned(mut found: Value, expected: Option<&Value>, is_document: bool) -> Value {
    if let Some(record) = found.get_mut("record").and_then(Value::as_object_mut) {
        for part in OPTIONAL {
            let leave_out = match expected.and_then(|expected| expected.get("record")) {
                Some(record) => record.get(part).is_none() && (part == "evidence" || is_document),
                None => is_document,
            };
            if leave_out {
                record.shift_remove(part);
            }
        }
    }
    let expects_page = expected.and_then(|expected| expected.pointer("/reply/page")).is_some();
    if let (Some(reply), false) = (found.get_mut("reply").and_then(Value::as_object_mut), expects_page) {
        reply.shift_remove("page");
    }
    found
}

/// Every leaf that is in one alone, or not the same in both.
fn differences(expected: &Value, found: &Value) -> Vec<Difference> {
    let (expected, mut found) = (leaves(expected), leaves(found));
    let mut differences = Vec::new();
    for (path, expected) in expected {
        let found = found.remove(&path).unwrap_or(Value::Null);
        if expected != found {
            differences.push(Difference { path, expected, found });
        }
    }
    differences.extend(found.into_iter().map(|(path, found)| Difference { path, expected: Value::Null, found }));
    differences.sort_by(|one, other| one.path.cmp(&other.path));
    differences
}

fn leaves(value: &Value) -> BTreeMap<String, Value> {
    let mut leaves = BTreeMap::new();
    collect(value, String::new(), &mut leaves);
    leaves
}

pub(super) fn collect(value: &Value, path: String, leaves: &mut BTreeMap<String, Value>) {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match value {
        Value::Object(fields) if !fields.is_empty() => fields.iter().for_each(|(key, value)| collect(value, below(key), leaves)),
        Value::Array(items) if !items.is_empty() => {
            items.iter().enumerate().for_each(|(at, value)| collect(value, below(&at.to_string()), leaves));
        }
        // An answer is compared segment by segment: one line of it says more than all of it.
        Value::String(text) if path.ends_with("acknowledgement") && text.contains('\n') => {
            for (at, line) in text.lines().enumerate() {
                leaves.insert(below(&format!("{at} ({})", line.get(..3).unwrap_or(line))), Value::String(line.to_owned()));
            }
        }
        leaf => {
            leaves.insert(path, leaf.clone());
        }
    }
}

fn show(tested: &[Tested], wrong: usize) {
    for one in tested {
        let name = one.sample.display();
        if let Some(missing) = &one.missing {
            let what = if *missing == one.sample {
                "what is expected has no sample beside it".to_owned()
            } else {
                format!("{} is missing: write it with --update, and read it", missing.display())
            };
            print::say(&format!("{name}: {what}"));
        } else if let Some(why) = &one.untested {
            print::say(&format!("{name}: {why}"));
        } else if one.updated {
            print::say(&format!("{name}: what is expected was written; read the difference before you keep it"));
        } else if !one.ok {
            print::say(&format!("{name}:"));
            for Difference { path, expected, found } in &one.differences {
                print::say(&format!("  {path}\n    expected {}\n    found    {}", shown(expected), shown(found)));
            }
        }
    }
    let mut by_channel: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for one in tested {
        let (right, wrong) = by_channel.entry(&one.channel).or_default();
        *(if one.ok { right } else { wrong }) += 1;
    }
    for (channel, (right, wrong)) in by_channel {
        print::say(&match wrong {
            0 => format!("{channel}: {right} samples, all as expected"),
            wrong => format!("{channel}: {right} samples as expected, {wrong} not"),
        });
    }
    if wrong > 0 {
        print::say("after a change that is meant: loopline test --update, and read the difference");
    }
}

fn shown(value: &Value) -> String {
    if value.is_null() { "nothing".to_owned() } else { value.to_string() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_difference_is_named_by_its_path_and_an_answer_by_its_segment() {
        let expected =
            json!({"kind": "referral", "record": {"notes": ["a", "b"], "held": []}, "acknowledgement": "MSH|1\nMSA|AA"});
        let found =
            json!({"kind": "referral", "record": {"notes": ["a"], "held": [], "x": 1}, "acknowledgement": "MSH|1\nMSA|AE"});
        let found = differences(&expected, &found);
        let paths: Vec<&str> = found.iter().map(|difference| difference.path.as_str()).collect();
        assert_eq!(paths, ["acknowledgement.1 (MSA)", "record.notes.1", "record.x"]);
        assert_eq!(found[1].found, Value::Null);
    }

    #[test]
    fn what_changes_with_the_recognizer_is_compared_only_where_it_is_expected() {
        let found = || json!({"record": {"evidence": {"a": 1}, "attachments": [1]}});
        assert_eq!(pruned(found(), None, true), json!({"record": {}}), "a fax");
        assert_eq!(pruned(found(), None, false), found(), "a message");
        assert_eq!(pruned(found(), Some(&json!({"record": {}})), false), json!({"record": {"attachments": [1]}}));
        assert_eq!(pruned(found(), Some(&found()), true), found());
    }
}
