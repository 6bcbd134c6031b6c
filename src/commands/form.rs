//! `loopline form learn FILE`: drafts a form of a known sender from a sample, by showing what was found on it.
//!
//! The draft goes to standard output, or to a file with `--out`. It has no patient data: only words that the table of labels has, and places.
//! What the sample says is shown beside it, on standard error, to the person who is looking at the sample anyway.

use std::{
    fmt::Write as _,
    fs::OpenOptions,
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, bail};
use clap::Args;

use super::{
    print,
    try_file::{Rules, read_file, tell},
};
use crate::{
    config::{SettingsSources, is_channel_name},
    normalize::fax::{ANCHORS_FOUND_MIN, Draft, box_mm},
    protocols::pages::is_document,
};

/// What a form is called that was given no name. Not the sample's: file names can be patient data.
const NAME: &str = "new-form";

/// `loopline form`
#[derive(Debug, clap::Subcommand)]
pub enum FormCommand {
    /// Draft channels/site/forms/NAME.toml from a sample, and show what was found on it; stores nothing, needs no engine.
    ///
    /// The draft has label words and places, and nothing that was filled in. What was filled in is shown beside it, on standard error.
    Learn(LearnArgs),
}

/// `loopline form learn`
#[derive(Debug, Args)]
pub struct LearnArgs {
    /// A filled-in sample: a PDF, a TIFF, a PNG or a JPEG; the cleaner the better.
    file: PathBuf,
    /// The page to draft from; without it the one with most labels.
    #[arg(long, value_name = "NUMBER")]
    page: Option<u32>,
    /// What the form shall be called.
    #[arg(long, default_value = NAME, value_parser = name)]
    name: String,
    /// Write the draft to a new file instead of standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The channel whose rules apply: its labels, its order of dates; without it the documented defaults do.
    #[arg(long, value_name = "NAME")]
    channel: Option<String>,
}

fn name(text: &str) -> Result<String, String> {
    if is_channel_name(text) {
        return Ok(text.to_owned());
    }
    Err("a form's name has lower-case letters, digits and hyphens, 64 at most: cedar-intake".to_owned())
}

/// Runs the command.
///
/// # Errors
/// The file cannot be read, it is no document, it has no such page, or the draft cannot be written.
pub async fn run(command: FormCommand, sources: &SettingsSources) -> anyhow::Result<ExitCode> {
    let FormCommand::Learn(args) = command;
    let bytes = read_file(&args.file)?;
    let rules = Rules::load(args.channel.clone(), sources)?;
    if !is_document(bytes.get(..bytes.len().min(1024)).unwrap_or_default()) {
        bail!("the file is no PDF, TIFF, PNG, JPEG or JPEG 2000");
    }
    let reading = rules.reader().read_telling(bytes, &tell).await.context("cannot read the document")?;
    let Some(draft) = Draft::of(&reading, args.page, &rules.fax_rules()) else {
        bail!("the document has no such page; it has {}", reading.pages.len());
    };
    let toml = draft.toml(&args.name);
    if let Some(path) = &args.out {
        write_new(path, &toml)?;
    }
    print::aside(&shown(&draft, &args));
    if args.out.is_none() {
        print::write(toml.as_bytes());
    }
    Ok(ExitCode::SUCCESS)
}

/// What is there already may be somebody's work.
fn write_new(path: &Path, text: &str) -> anyhow::Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).with_context(|| format!("cannot write {}", path.display()))
}

fn push(text: &mut String, more: std::fmt::Arguments<'_>) {
    text.write_fmt(more).expect("writing to a String does not fail");
}

/// What was found, for the person who drafts.
fn shown(draft: &Draft, args: &LearnArgs) -> String {
    let mut text = format!(
        "page {}: {} label words for anchors, {} fields. What follows is the sample's content, shown here and not written into the draft.\n\n",
        draft.page,
        draft.anchors.len(),
        draft.fields.len()
    );
    let fields: Vec<Vec<String>> = (draft.fields.iter())
        .map(|field| {
            let label = field.label.clone().unwrap_or_default();
            vec![field.path.to_owned(), field.value.clone(), label, box_mm(field.box_mm)]
        })
        .collect();
    text.push_str(&print::aligned(&["FIELD", "FOUND", "BY THE LABEL", "BOX_MM"], &fields));
    let others: Vec<Vec<String>> = draft.others.iter().map(|other| vec![other.text.clone(), box_mm(other.box_mm)]).collect();
    text.push('\n');
    text.push_str(&print::aligned(&["OTHER PRINT", "BOX_MM"], &others));
    text.push_str(
        "\nother print may be words of the form (add them as anchors) or a value without a label (add it as a field); only you can tell.\n",
    );
    if draft.anchors.len() < ANCHORS_FOUND_MIN {
        push(
            &mut text,
            format_args!(
                "a form needs {ANCHORS_FOUND_MIN} anchors: add words that are printed on the form, from the other print above\n"
            ),
        );
    }
    let saved =
        args.out.as_ref().map_or_else(|| format!("save it as channels/site/forms/{}.toml", args.name), |_| "written".to_owned());
    push(&mut text, format_args!("the draft: {saved}; `loopline check` tells what is missing\n\n"));
    text
}
