//! `loopline reader-worker`: the process that opens untrusted documents. The engine starts it; people do not.

use std::{io::Write, path::Path};

use anyhow::Context;

use crate::{
    protocols::{ocr::Recognizer, pages::Limits},
    reader::{WorkerLimits, read_document, serve},
};

/// Prints what is read of one document, without the images: a way to see what the recognition gives.
fn dump(file: &Path) -> anyhow::Result<()> {
    let bytes = std::fs::read(file).context("cannot read the file")?;
    let mut recognizer = Recognizer::new()?;
    let mut reading = read_document(&bytes, Limits::default(), &mut recognizer)?;
    for page in &mut reading.pages {
        page.image = bytes::Bytes::new();
    }
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, &reading)?;
    writeln!(out)?;
    Ok(())
}

/// Runs the command with its own arguments: `--memory-bytes-max N --cpu-seconds-max N --pages-max N`, or `--dump FILE`.
///
/// # Errors
/// What a person should know.
pub fn run(arguments: &[String]) -> anyhow::Result<()> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["--dump", file] => dump(Path::new(file)),
        ["--memory-bytes-max", memory, "--cpu-seconds-max", cpu, "--pages-max", pages] => {
            let limits = WorkerLimits {
                memory_bytes_max: memory.parse().context("--memory-bytes-max is not a number of bytes")?,
                cpu_seconds_max: cpu.parse().context("--cpu-seconds-max is not a number of seconds")?,
                pages_max: pages.parse().context("--pages-max is not a number of pages")?,
            };
            Ok(serve(limits)?)
        }
        _ => {
            anyhow::bail!("the engine starts this command; to see what is read of a document: loopline reader-worker --dump FILE")
        }
    }
}
