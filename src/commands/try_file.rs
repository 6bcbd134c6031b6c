//! `loopline try FILE`: prints what a file would become. Stores nothing, sends nothing, needs no engine.

use std::path::PathBuf;

use anyhow::{Context, bail};
use bytes::Bytes;

use crate::{
    message::Protocol,
    normalize::{
        Outcome,
        fax::{self, FaxRules},
    },
    reader::{ReaderOptions, ReaderPool},
};

/// The largest file that is tried.
const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Prints what a file would become: one JSON object on standard output.
#[derive(clap::Args)]
pub struct TryFile {
    /// The file: an HL7 message, a mail, a PDF or a TIFF.
    pub file: PathBuf,
    /// The channel whose rules apply; without it the documented defaults do.
    #[arg(long, value_name = "NAME")]
    pub channel: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// What a person should know: the file cannot be read, or is nothing that is read here.
pub async fn run(arguments: &TryFile) -> anyhow::Result<()> {
    let length = std::fs::metadata(&arguments.file).context("cannot open the file")?.len();
    if length > FILE_BYTES_MAX {
        bail!("the file has {length} bytes; at most {FILE_BYTES_MAX} are read");
    }
    let bytes = Bytes::from(std::fs::read(&arguments.file).context("cannot read the file")?);
    if arguments.channel.is_some() {
        bail!("--channel is not read yet: leave it out to try the file with the documented defaults");
    }
    let outcome = match sniff(&bytes) {
        Some(Protocol::Document) => document(bytes).await?,
        Some(Protocol::Hl7) => bail!("cannot read an HL7 message yet"),
        Some(Protocol::Mail) => bail!("cannot read a mail yet"),
        None => bail!("the file is no HL7 message, mail, PDF or TIFF"),
    };
    print(&outcome)
}

/// How a file is to be read, by its first bytes.
fn sniff(bytes: &[u8]) -> Option<Protocol> {
    let head = bytes.get(..bytes.len().min(1024)).unwrap_or_default();
    let tiff = [b"II*\0".as_slice(), b"MM\0*", b"II+\0", b"MM\0+"].iter().any(|magic| head.starts_with(magic));
    if tiff || head.windows(5).any(|window| window == b"%PDF-") {
        return Some(Protocol::Document);
    }
    let text = head.trim_ascii_start().strip_prefix(b"\xef\xbb\xbf").unwrap_or(head.trim_ascii_start());
    let text = text.strip_prefix(b"\x0b").unwrap_or(text);
    if [b"MSH".as_slice(), b"FHS", b"BHS"].iter().any(|segment| text.starts_with(segment)) {
        return Some(Protocol::Hl7);
    }
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
    let header =
        name.len() < line.len() && !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-');
    (header || text.starts_with(b"From ")).then_some(Protocol::Mail)
}

async fn document(bytes: Bytes) -> anyhow::Result<Outcome> {
    let pool = ReaderPool::new(ReaderOptions::default());
    let reading = pool.read(bytes).await.context("cannot read the document")?;
    Ok(fax::normalize(&reading, &FaxRules::on(jiff::Zoned::now().date())))
}

#[expect(clippy::print_stdout, reason = "printing is what this command is for")]
fn print(outcome: &Outcome) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string_pretty(outcome).context("cannot write the outcome as JSON")?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_told_by_its_content_not_its_name() {
        assert_eq!(sniff(b"%PDF-1.7\n"), Some(Protocol::Document));
        assert_eq!(sniff(b"\n\n%PDF-1.4"), Some(Protocol::Document));
        assert_eq!(sniff(b"II*\0\x08\0\0\0"), Some(Protocol::Document));
        assert_eq!(sniff(b"\xef\xbb\xbfMSH|^~\\&|A"), Some(Protocol::Hl7));
        assert_eq!(sniff(b"\x0bMSH|^~\\&|A"), Some(Protocol::Hl7));
        assert_eq!(sniff(b"Received: from x\nFrom: a@example.org\n"), Some(Protocol::Mail));
        assert_eq!(sniff(b"hello"), None);
        assert_eq!(sniff(b""), None);
    }
}
