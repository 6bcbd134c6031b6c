//! What configuration says once it is checked: the types that the rest of the program reads.
//!
//! Which keys a file may have, and their defaults, is described a second time in [`super::keys`], so that every mistake can be shown at
//! its line; a test holds the two together.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use serde::Deserialize;

use crate::{
    ids::ChannelName,
    inbound::InboundConfig,
    normalize::{
        DateOrder,
        fax::{Labels, Templates},
        hl7::Profiles,
    },
    outbound::OutboundConfig,
};

/// Everything a site configured, checked: every name resolves.
#[derive(Clone, Debug)]
pub struct Config {
    /// The engine's own settings.
    pub settings: Settings,
    /// The inbound channels.
    pub inbound: BTreeMap<ChannelName, InboundChannel>,
    /// The outbound channels.
    pub outbound: BTreeMap<ChannelName, OutboundConfig>,
    /// Who can be sent something.
    pub directory: Directory,
    /// What forms call things: the shipped table with the site's own before it.
    pub labels: Arc<Labels>,
    /// What forms of known senders look like.
    pub forms: Arc<Templates>,
}

/// The engine's settings: defaults, then `loopline.toml`, then `LOOPLINE_…`, then flags; the later wins.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The data folder.
    pub data: PathBuf,
    /// The channels folder.
    pub channels: PathBuf,
    /// `human` or `json`.
    pub log: LogFormat,
    /// tracing's filter directives, `info,loopline=debug`.
    pub log_filter: String,
    /// What is printed on cover pages and in mails as who we are.
    pub site_name: String,
    /// The site's time zone, IANA: `America/Los_Angeles`.
    pub time_zone: String,
    /// The region that phone numbers without a country are read in, ISO 3166: `US`.
    pub region: String,
    /// Named limits.
    pub limits: Limits,
}

impl Settings {
    /// The keys that differ and that a running engine does not take.
    #[must_use]
    pub fn waiting_for_a_restart(&self, new: &Self) -> Vec<&'static str> {
        let (now, then) = (&self.limits, &new.limits);
        let differ = [
            ("data", self.data != new.data),
            ("log", self.log != new.log),
            ("log_filter", self.log_filter != new.log_filter),
            ("limits.reader_workers", now.reader_workers != then.reader_workers),
            ("limits.reader_memory_bytes_max", now.reader_memory_bytes_max != then.reader_memory_bytes_max),
            ("limits.reader_cpu_seconds_max", now.reader_cpu_seconds_max != then.reader_cpu_seconds_max),
            ("limits.reader_wall_seconds_max", now.reader_wall_seconds_max != then.reader_wall_seconds_max),
            ("limits.reader_pages_max", now.reader_pages_max != then.reader_pages_max),
            ("limits.index_cache_bytes", now.index_cache_bytes != then.index_cache_bytes),
        ];
        differ.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// For a person at a terminal.
    Human,
    /// One JSON object a line.
    Json,
}

/// Named limits of the engine.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Worker processes that read documents.
    pub reader_workers: usize,
    /// Address space of a worker process.
    pub reader_memory_bytes_max: u64,
    /// CPU seconds a worker may spend on one document: a page takes about one.
    pub reader_cpu_seconds_max: u64,
    /// Wall seconds a document may take.
    pub reader_wall_seconds_max: u64,
    /// Pages of one document.
    pub reader_pages_max: u32,
    /// Times a document is tried before it is set aside.
    pub document_attempts_max: u32,
    /// How long a document lies aside at which the engine died, before it is read a last time.
    pub document_set_aside_seconds: u64,
    /// Times a delivery is tried before it is dead.
    pub delivery_attempts_max: u32,
    /// The first pause after a failed delivery.
    pub delivery_backoff_seconds: u64,
    /// The longest pause between tries of a delivery.
    pub delivery_backoff_seconds_max: u64,
    /// Memory of the index's cache.
    pub index_cache_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            reader_workers: 2,
            reader_memory_bytes_max: 1_073_741_824,
            reader_cpu_seconds_max: 900,
            reader_wall_seconds_max: 1_800,
            reader_pages_max: 200,
            document_attempts_max: 2,
            document_set_aside_seconds: 600,
            delivery_attempts_max: 12,
            delivery_backoff_seconds: 5,
            delivery_backoff_seconds_max: 3_600,
            index_cache_bytes: 16_777_216,
        }
    }
}

/// One inbound channel.
#[derive(Clone, Debug)]
pub struct InboundChannel {
    /// Its name.
    pub name: ChannelName,
    /// Its door.
    pub inbound: InboundConfig,
    /// How its senders are acknowledged.
    pub acknowledge: Acknowledge,
    /// Where the confirmation request goes.
    pub route: Route,
    /// Where every referral of the channel is handed on to, whoever is asked about it.
    pub forward: Vec<RouteTarget>,
    /// Folder and mailbox: how their documents are read.
    pub documents: Documents,
    /// HL7: what its senders do differently.
    pub profiles: Arc<Profiles>,
}

/// `[documents]`: how the faxes of a folder or mailbox are read.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Documents {
    /// A field that is less likely right than this is marked for review, 0.5 to 1.
    pub review_below: f32,
    /// Which comes first in `03/04/1956`; absent: what people of the site's region write.
    pub date_order: Option<DateOrder>,
    /// Names of the practice that runs the engine: a form with one of them at its head is not its sender's.
    pub own_names: Vec<String>,
    /// Whether what waits in this channel is read before what waits in others.
    pub read_first: bool,
}

impl Default for Documents {
    fn default() -> Self {
        Self { review_below: 0.95, date_order: None, own_names: Vec::new(), read_first: false }
    }
}

/// `[acknowledge]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Acknowledge {
    /// HL7: by MSH-15/16, or one mode for all.
    pub mode: AcknowledgeMode,
    /// HL7: what a good REF is answered with.
    pub positive: PositiveAnswer,
    /// HL7: the MSH-11 values taken; empty: `P`. An empty MSH-11 is taken for `P`.
    pub processing_ids: Vec<String>,
    /// HL7: the senders taken, each `MSH-3|MSH-4`; empty: everyone.
    pub senders: Vec<String>,
    /// The outbound channel that acknowledgements go through. Mail and fax; absent: none is sent. HL7: the application acknowledgement
    /// that follows an accept acknowledgement, and the status; absent: the accept acknowledgement is all that is answered.
    pub through: Option<ChannelName>,
    /// Fax: the directory entry they go to; absent: the entry whose fax number the referring provider's page shows.
    /// A mail is acknowledged to the address it came from, and only where `senders` or the directory knows that address.
    pub to: Option<String>,
    /// HL7: whether each step of a referral is told to its sender (RRI^I12), through `through`.
    pub status: bool,
}

/// By which rules HL7 messages are answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AcknowledgeMode {
    /// By MSH-15/16 of each message.
    #[default]
    Auto,
    /// AA, AE, AR.
    Original,
    /// CA, CE, CR.
    Enhanced,
}

/// What a good REF is answered with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum PositiveAnswer {
    /// RRI^I12.
    #[default]
    RRI,
    /// A plain ACK.
    ACK,
}

/// `[route]`: where the confirmation request goes. First match wins; none: held for a person.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Route {
    /// What is tried, in order; empty: `directory`, `specialty`.
    pub by: Vec<RouteBy>,
    /// By specialty, without regard to case.
    pub specialty: BTreeMap<String, RouteTarget>,
    /// For all that nothing else matched.
    pub default: Option<RouteTarget>,
}

/// One way to find the destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RouteBy {
    /// The directory entry that fits the referred-to provider: NPI, then fax number, then organization.
    Directory,
    /// The `[route] specialty` table.
    Specialty,
}

/// A destination: an entry of the directory, and the outbound channel to use. An MLLP channel has one destination of its own, which has the
/// channel's name: there `to` may be left out.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteTarget {
    /// The outbound channel.
    pub through: ChannelName,
    /// The directory entry.
    #[serde(default)]
    pub to: String,
}

impl RouteTarget {
    /// Names the channel's own destination, where no entry is named.
    pub(super) fn complete(&mut self) {
        if self.to.is_empty() {
            self.through.as_str().clone_into(&mut self.to);
        }
    }
}

/// `channels/site/directory.toml`: everybody who can be sent something, by entry name.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    /// The entries.
    pub entries: BTreeMap<String, DirectoryEntry>,
}

/// One entry of the directory.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DirectoryEntry {
    /// The name in words.
    pub name: String,
    /// Other spellings that pages and messages use.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Their NPIs.
    #[serde(default)]
    pub npi: Vec<String>,
    /// Their specialties.
    #[serde(default)]
    pub specialties: Vec<String>,
    /// Their fax number.
    #[serde(default)]
    pub fax: Option<String>,
    /// Their mail address.
    #[serde(default)]
    pub email: Option<String>,
    /// Who they are to the HL7 system that takes their messages: MSH-5 and MSH-6, `APPLICATION|FACILITY`.
    #[serde(default)]
    pub hl7: Option<String>,
    /// Further systems that answer for them: MSH-3 and MSH-4, `APPLICATION|FACILITY`. One of the facility of `hl7` needs no mention.
    #[serde(default)]
    pub hl7_from: Vec<String>,
    /// Whether the way to this mail address is encrypted and trusted end to end: only then do the referral's pages go by mail.
    #[serde(default)]
    pub trusted_tls: bool,
    /// The outbound channel that is used when the directory itself selects the entry.
    #[serde(default)]
    pub through: Option<ChannelName>,
}
