//! `loopline reader-worker`: the process that opens untrusted documents. The engine starts it; people do not.

use std::{io::Write, path::Path};

use anyhow::Context;

use crate::{
    protocols::{ocr::Recognizer, pages::Limits},
    reader::read_document,
};

/// Prints what is read of one document, without the images: a way to see what the recognition gives.
fn dump(file: &Path) -> anyhow::Result<()> {
    let bytes = std::fs::read(file).context("cannot read the file")?;
    let mut recognizer = Recognizer::new()?;
    let mut reading = read_document(&bytes, Limits::default(), &mut recognizer)?;
    for page in &mut reading.pages {
        if let Some(folder) = std::env::var_os("DUMP_IMAGES") {
            std::fs::write(Path::new(&folder).join(format!("page-{}.png", page.number)), &page.image)?;
        }
        page.image = bytes::Bytes::new();
    }
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, &reading)?;
    writeln!(out)?;
    Ok(())
}

/// Runs the command with its own arguments: `--dump FILE`.
///
/// # Errors
/// What a person should know.
pub fn run(arguments: &[String]) -> anyhow::Result<()> {
    match arguments {
        [flag, file] if flag == "--dump" => dump(Path::new(file)),
        _ => anyhow::bail!("usage: loopline reader-worker --dump FILE"),
    }
}
