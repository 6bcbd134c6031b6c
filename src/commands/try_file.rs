//! `loopline try FILE`: prints what a file would become. Stores nothing, sends nothing, needs no engine and no data folder.
//!
//! It reads by the same functions as the engine. Without `--channel` the documented defaults stand in for a channel and the settings, so
//! that no channels folder is needed and the output is the same on every machine.

mod fields;

use std::{
    fs::File,
    io::{self, IsTerminal as _, Read as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, bail};
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;

use super::{print, send::unframed};
use crate::{
    compose::{
        acknowledgement::fields_to_confirm,
        hl7_answer::{AnswerSettings, preview},
    },
    config::{Config, Documents, InboundChannel, SettingsSources},
    engine::interpret::{self, MailReading, Unread},
    ids::ChannelName,
    message::Protocol,
    normalize::{
        Kind, Outcome,
        fax::{self, FaxRules},
        hl7::{self, Hl7Rules},
    },
    protocols::{
        hl7::{narrowed_file, split_messages},
        pages::is_document,
    },
    reader::{Progress, ReaderPool},
};

/// Says on a terminal how far the reading of a long document is.
pub(super) fn tell(progress: Progress) {
    const PAGES: u32 = 5;
    if progress.page.is_multiple_of(PAGES) && progress.page < progress.pages && io::stderr().is_terminal() {
        print::aside(&format!("{} of {} pages are read\n", progress.page, progress.pages));
    }
}

/// The largest file that is tried.
pub(super) const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// `loopline try`
#[derive(Debug, clap::Args)]
pub struct TryArgs {
    /// The file: an HL7 message, a mail, a PDF, a TIFF, a PNG or a JPEG.
    file: PathBuf,
    /// The channel whose rules apply; without it the documented defaults do.
    #[arg(long, value_name = "NAME")]
    channel: Option<String>,
    /// Print a table instead: each field of the record, where it was read, and which path of the channel's mapping gave it.
    #[arg(long)]
    fields: bool,
    /// Print JSON, as it does anyway.
    #[arg(long, conflicts_with = "fields")]
    json: bool,
}

/// Prints one JSON object.
///
/// # Errors
/// The file cannot be opened: not there, encrypted, not a format that is read, truncated beyond use.
pub async fn run(args: TryArgs, sources: &SettingsSources) -> anyhow::Result<ExitCode> {
    let bytes = read_file(&args.file)?;
    let rules = Rules::load(args.channel, sources)?;
    let outcome = rules.read(bytes).await?;
    let outcome = as_json(&outcome)?;
    if args.fields {
        fields::show(&outcome)
    } else {
        print::json(&outcome)
    }
    Ok(ExitCode::SUCCESS)
}

/// The bytes of a file that a person names, whatever it is: also a device has no end.
///
/// # Errors
/// It cannot be read, or is too large.
pub(super) fn read_file(path: &Path) -> anyhow::Result<Bytes> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes));
    read.with_context(|| format!("cannot read {}", path.display()))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        bail!("{} has more than the {FILE_BYTES_MAX} bytes that are read of a file", path.display());
    }
    Ok(bytes.into())
}

/// An outcome as JSON, by way of text: a fraction would be another one otherwise (0.9 is 0.8999999761581421 as a double).
pub(super) fn as_json(outcome: &Outcome) -> anyhow::Result<Value> {
    let json = serde_json::to_string(outcome).and_then(|text| serde_json::from_str(&text));
    json.context("cannot write the outcome as JSON")
}

/// What a file is read by.
pub(super) struct Rules {
    config: Config,
    channel: Option<InboundChannel>,
}

impl Rules {
    /// By the rules of a channel.
    pub(super) fn of(config: Config, channel: InboundChannel) -> Self {
        Self { config, channel: Some(channel) }
    }

    /// What a file would become.
    ///
    /// # Errors
    /// It is not a format that is read, or cannot be opened.
    pub(super) async fn read(&self, bytes: Bytes) -> anyhow::Result<Outcome> {
        let bytes = narrowed_file(&bytes).map_or(bytes, Bytes::from);
        match sniff(&bytes) {
            Some(Protocol::Hl7) => self.hl7_file(&bytes),
            Some(Protocol::Document) => self.document(bytes).await,
            Some(Protocol::Mail) => self.mail(&bytes).await,
            None => bail!("the file is no HL7 message, mail, PDF, TIFF, PNG, JPEG or JPEG 2000"),
        }
    }

    /// By the rules of the channel named, or the documented defaults.
    pub(super) fn load(channel: Option<String>, sources: &SettingsSources) -> anyhow::Result<Self> {
        let Some(name) = channel.map(ChannelName::new) else {
            let mut config = Config::defaults();
            // Whose letters a mail quotes is not known.
            config.settings.site_name.clear();
            return Ok(Self { config, channel: None });
        };
        let config = Config::load(sources)?;
        let Some(channel) = config.inbound.get(&name).cloned() else {
            bail!(config.no_inbound_channel(&name));
        };
        Ok(Self { config, channel: Some(channel) })
    }

    pub(super) fn reader(&self) -> ReaderPool {
        ReaderPool::new(interpret::reader_options(&self.config.settings.limits))
    }

    fn hl7_rules(&self) -> Hl7Rules {
        match &self.channel {
            Some(channel) => interpret::hl7_rules(&self.config, channel, Timestamp::UNIX_EPOCH),
            None => {
                let settings = &self.config.settings;
                let (region, time_zone) = (settings.region.clone(), settings.time_zone.clone());
                Hl7Rules { region, time_zone, ..Hl7Rules::default() }
            }
        }
    }

    pub(super) fn fax_rules(&self) -> FaxRules {
        let usual = Documents::default();
        let documents = self.channel.as_ref().map_or(&usual, |channel| &channel.documents);
        interpret::fax_rules(&self.config, documents, Timestamp::now(), None)
    }

    fn answer_settings(&self) -> AnswerSettings {
        self.channel.as_ref().map_or_else(AnswerSettings::default, interpret::answer_settings)
    }

    fn hl7_file(&self, bytes: &Bytes) -> anyhow::Result<Outcome> {
        let parts = unframed(bytes)?;
        let messages: Vec<&[u8]> = parts.iter().flat_map(|part| split_messages(part).0).collect();
        match messages.as_slice() {
            [only] => self.hl7(only),
            several => batch(several.iter().map(|message| self.hl7(message)).collect::<anyhow::Result<_>>()?),
        }
    }

    fn hl7(&self, message: &[u8]) -> anyhow::Result<Outcome> {
        let read = hl7::normalize(message, &self.hl7_rules())?;
        let acknowledgement = preview(&read, &self.answer_settings());
        Ok(Outcome { acknowledgement, ..read.outcome })
    }

    async fn document(&self, bytes: Bytes) -> anyhow::Result<Outcome> {
        let reading = self.reader().read_telling(bytes, &tell).await.context("cannot read the document")?;
        let outcome = fax::normalize(&reading, &self.fax_rules());
        Ok(with_acknowledgement(outcome))
    }

    async fn mail(&self, bytes: &[u8]) -> anyhow::Result<Outcome> {
        let reader = self.reader();
        let reading = MailReading {
            reader: &reader,
            key: None,
            settings: &self.config.settings,
            documents: self.fax_rules(),
            // `senders` of a mailbox are mail addresses; who sent the mail is known from the mail.
            hl7: Hl7Rules { senders: Vec::new(), ..self.hl7_rules() },
            now: Timestamp::now(),
            trusted_sender: false,
            split: None,
            last_attempt: true,
        };
        let found = reading.read(bytes).await.map_err(|unread| match unread {
            Unread::AtFault(why) | Unread::Broke(why) | Unread::NoMeans(why) => anyhow::anyhow!(why),
        })?;
        let mut outcomes: Vec<Outcome> = found.into_iter().map(|found| with_acknowledgement(found.into_shown())).collect();
        if outcomes.len() == 1 { Ok(outcomes.remove(0)) } else { batch(outcomes) }
    }
}

fn batch(items: Vec<Outcome>) -> anyhow::Result<Outcome> {
    anyhow::ensure!(!items.is_empty(), "the file holds no message");
    Ok(Outcome { items, ..Outcome::of(Kind::Batch) })
}

/// Says in words what the sender of a fax or mail would be told; where it goes depends on the site's configuration.
fn with_acknowledgement(mut outcome: Outcome) -> Outcome {
    outcome.items = outcome.items.into_iter().map(with_acknowledgement).collect();
    if let (Kind::Referral, Some(record)) = (outcome.kind, &outcome.record) {
        let fields: Vec<String> = fields_to_confirm(record).into_iter().map(|field| field.label).collect();
        outcome.acknowledgement = Some(match fields.as_slice() {
            [] => "received".to_owned(),
            fields => format!("received; please confirm or complete: {}", fields.join(", ")),
        });
    }
    outcome
}

/// How a file is to be read, by its first bytes.
fn sniff(bytes: &[u8]) -> Option<Protocol> {
    let head = bytes.get(..bytes.len().min(1024)).unwrap_or_default();
    if is_document(head) {
        return Some(Protocol::Document);
    }
    let text = head.trim_ascii_start().strip_prefix(b"\xef\xbb\xbf").unwrap_or(head.trim_ascii_start());
    let text = text.strip_prefix(b"\x0b").unwrap_or(text);
    if [b"MSH".as_slice(), b"FHS", b"BHS"].iter().any(|segment| text.starts_with(segment)) {
        return Some(Protocol::Hl7);
    }
    is_mail(bytes.get(..bytes.len().min(MAIL_HEAD_BYTES)).unwrap_or_default().trim_ascii_start()).then_some(Protocol::Mail)
}

/// How far into a file the headers are looked for that tell a mail.
const MAIL_HEAD_BYTES: usize = 16_384;

/// Whether it begins as a mail does: with a header, and among the headers one that every mail has. Many a text begins `word:`.
fn is_mail(head: &[u8]) -> bool {
    const TELLING: [&str; 8] =
        ["from", "date", "subject", "received", "message-id", "return-path", "delivered-to", "mime-version"];
    let name = |line: &[u8]| {
        let (name, _) = line.split_at(line.iter().position(|byte| *byte == b':')?);
        let is_name = !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-');
        is_name.then(|| String::from_utf8_lossy(name).to_ascii_lowercase())
    };
    let mut lines = head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end).take_while(|line| !line.is_empty()).peekable();
    let begins = lines.peek().is_some_and(|first| first.starts_with(b"From ") || name(first).is_some());
    begins && lines.filter_map(name).any(|name| TELLING.contains(&name.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_told_by_its_content_not_its_name() {
        assert_eq!(sniff(b"%PDF-1.7\n"), Some(Protocol::Document));
        assert_eq!(sniff(b"\n\n%PDF-1.4"), Some(Protocol::Document));
        assert_eq!(sniff(b"II*\0\x08\0\0\0"), Some(Protocol::Document));
        assert_eq!(sniff(b"\x89PNG\r\n\x1a\n"), Some(Protocol::Document));
        assert_eq!(sniff(b"\xff\xd8\xff\xe0"), Some(Protocol::Document));
        assert_eq!(sniff(b"\xef\xbb\xbfMSH|^~\\&|A"), Some(Protocol::Hl7));
        assert_eq!(sniff(b"\x0bMSH|^~\\&|A"), Some(Protocol::Hl7));
        assert_eq!(sniff(b"Received: from x\nFrom: a@example.org\n"), Some(Protocol::Mail));
        assert_eq!(sniff(b"DKIM-Signature: v=1;\n b=x\nFrom: a@example.org\n"), Some(Protocol::Mail));
        assert_eq!(sniff(b"From a@example.org Sat Nov 21\nSubject: x\n\nx"), Some(Protocol::Mail));
        assert_eq!(sniff(b"root:x:0:0:root:/root:/bin/bash\nFrom x"), None);
        assert_eq!(sniff(b"Note: call back\n\nFrom: somebody\n"), None, "below the empty line there are no headers");
        assert_eq!(sniff(b"hello"), None);
        assert_eq!(sniff(b""), None);
    }

    #[tokio::test]
    async fn what_a_capture_of_the_wire_holds_is_read_frame_by_frame() {
        let message = "MSH|^~\\&|A|B|C|D|20261120||REF^I12^REF_I12|1|P|2.5.1\rPID|1||1^^^B^MR||Quill^Ada||19560314|F\r";
        let rules = Rules::load(None, &SettingsSources::default()).unwrap();
        let bare = rules.read(Bytes::from(message)).await.unwrap();
        let framed = rules.read(Bytes::from(format!("\x0b{message}\x1c\r"))).await.unwrap();
        assert_eq!((bare.kind, framed.kind), (Kind::Referral, Kind::Referral));
        let both = rules.read(Bytes::from(format!("\x0b{message}\x1c\r\x0b{message}\x1c\r"))).await.unwrap();
        assert_eq!(both.items.len(), 2);
    }

    #[tokio::test]
    async fn quirk_1_4_a_file_may_be_in_utf_16() {
        let message = "MSH|^~\\&|A|B|C|D|20261120||REF^I12^REF_I12|1|P|2.5.1||||||UNICODE UTF-16\rPID|1||1^^^B^MR||Müller^Ada||19560314|F\r";
        let rules = Rules::load(None, &SettingsSources::default()).unwrap();
        let units: Vec<u16> = message.encode_utf16().collect();
        let little: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let big: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
        for file in [[&b"\xFF\xFE"[..], &little].concat(), [&b"\xFE\xFF"[..], &big].concat(), little, big] {
            let read = rules.read(Bytes::from(file)).await.unwrap();
            assert_eq!(read.record.unwrap().patient.name.family.as_deref(), Some("Müller"));
        }
        assert!(rules.read(Bytes::from_static(b"\xFF\xFEP\0I\0D\0")).await.is_err());
    }
}
