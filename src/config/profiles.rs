//! What differs per sender: the shared profiles of `site/profiles/*.toml`, and what a channel says of its own.
//!
//! # Design notes
//! A channel's profile is the shared one it uses with the channel's own keys laid over it: tables entry by entry, everything else
//! whole. They are merged as TOML and typed afterwards, so that a key that is left out is not taken for a key set to its default.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use serde::Deserialize;
use toml::{Table, Value};

use super::{
    channels::Files,
    checks::{self, Site},
    document::{Document, Node},
    effective::{EffectiveEntry, entries_of},
    keys::{Key, Shape, default, optional},
    mapping,
    mistake::{Mistake, Place},
    walk::{Walker, nearest, plain},
};
use crate::normalize::hl7::{NumberCheck, Profile, Profiles, SenderPattern};

/// A key of a channel's `[profile]`: it has no default, the profile in use decides.
const fn over(name: &'static str, shape: Shape, _: &'static str) -> Key {
    optional(name, shape)
}

macro_rules! strict_keys {
    ($key:ident) => {
        &[
            $key("referral_id", Shape::Boolean, "false"),
            $key("control_id_reuse", Shape::Boolean, "false"),
            $key("attachments", Shape::Boolean, "false"),
            $key("unknown_referral", Shape::OneOf(&["refuse", "park"]), "\"refuse\""),
            $key("park_minutes", Shape::Integer(1, 10_080), "15"),
        ]
    };
}

macro_rules! reports_keys {
    ($key:ident) => {
        &[$key("codes", TEXTS, "[]"), $key("titles", TEXTS, "[]"), $key("other_titles", TEXTS, "[]")]
    };
}

macro_rules! profile_keys {
    ($key:ident, $strict:expr, $reports:expr, [$($more:expr),*]) => {
        &[
            optional("time_zone", Shape::Checked(checks::time_zone)),
            optional("region", Shape::Checked(checks::region)),
            $key("control_ids_unique", Shape::Boolean, "true"),
            $key("blank_processing_id", Shape::OneOf(&["P", "T", "D", "refuse"]), "\"P\""),
            $key("old_events", Shape::List(&Shape::OneOf(&["I11"])), "[]"),
            $key("referral_id", PATHS, "[]"),
            $key("patient_number", Shape::List(&Shape::Table(NUMBER_RULE)), "[]"),
            optional("number_checks", Shape::Map(&Shape::OneOf(&NumberCheck::ALL))),
            optional("codes", Shape::Table(CODES)),
            optional("reports", Shape::Table($reports)),
            optional("strict", Shape::Table($strict)),
            $($more),*
        ]
    };
}

const PATHS: Shape = Shape::List(&Shape::Checked(checks::path));
const TEXTS: Shape = Shape::List(&Shape::Checked(checks::one_line));
const REPORTS: &[Key] = reports_keys!(default);
const REPORTS_OVER: &[Key] = reports_keys!(over);
const STRICT: &[Key] = strict_keys!(default);
const STRICT_OVER: &[Key] = strict_keys!(over);
const NUMBER_RULE: &[Key] = &[optional("type", Shape::Text), optional("authority", Shape::Text)];
const CODES: &[Key] = &[
    optional("priority", Shape::Map(&Shape::OneOf(&["stat", "urgent", "routine", "unknown"]))),
    optional("sex", Shape::Map(&Shape::OneOf(&["F", "M", "O", "U"]))),
    optional("event", Shape::Map(&Shape::OneOf(&["new", "change", "cancel", "status-request"]))),
];

/// `[map]`; [`mapping::check`] looks into it.
pub(super) const MAP: Shape = Shape::Map(&Shape::Free("a path, a list of paths, or a table with from or value"));
/// `[accept]`
pub(super) const ACCEPT: Shape = Shape::Table(&[
    optional("where", Shape::List(&Shape::Checked(checks::condition))),
    optional("answer", Shape::OneOf(&["AR", "AE"])),
    optional("text", Shape::Checked(checks::one_line)),
]);

/// A file of `site/profiles/`.
pub(super) const PROFILE: &[Key] = profile_keys!(default, STRICT, REPORTS, [optional("map", MAP), optional("accept", ACCEPT)]);

/// `[profile]` of a channel.
pub(super) const CHANNEL_PROFILE: Shape = Shape::Table(profile_keys!(
    over,
    STRICT_OVER,
    REPORTS_OVER,
    [optional("use", Shape::Text), optional("senders", Shape::Map(&Shape::Text))]
));

/// A file of `site/profiles/`, and its tree unless it is not TOML.
pub(super) struct ProfileFile {
    pub(super) name: String,
    pub(super) document: Option<Document>,
}

/// Checks the profiles, and what the channels say of them.
pub(super) fn check(files: &Files, site: Site, mistakes: &mut Vec<Mistake>) {
    for document in files.profiles.iter().filter_map(|file| file.document.as_ref()) {
        let mut walker = Walker::of(document, site);
        walker.walk(&Shape::Table(PROFILE), &document.root, "");
        mistakes.extend(walker.mistakes);
        mapping::check(document, mistakes);
    }
    for document in files.channels.iter().filter_map(|file| file.document.as_ref()) {
        mapping::check(document, mistakes);
        if let Some(node) = document.root.get(&["profile", "use"]) {
            named(files, document, node, "profile.use", mistakes);
        }
        for entry in document.entries(&["profile", "senders"]) {
            let key = format!("profile.senders.{}", entry.key);
            if SenderPattern::parse(&entry.key).is_none() {
                let help = "write MSH-3 and MSH-4 with a bar between them, * for any: \"EPIC|ST MARY\" or \"*|ST MARY\"";
                mistakes.push(Mistake::new(document.place(&entry.key_span), key.as_str(), "names no sender", help));
            }
            named(files, document, &entry.node, &key, mistakes);
        }
        no_meaning(document, mistakes);
    }
}

/// Profiles are about HL7: a folder of faxes and an outbound channel have none.
fn no_meaning(document: &Document, mistakes: &mut Vec<Mistake>) {
    let reads_hl7 = ["mllp", "mailbox"].iter().any(|door| document.root.get(&["inbound", door]).is_some());
    let another = ["folder"].iter().any(|door| document.root.get(&["inbound", door]).is_some())
        || document.root.get(&["outbound"]).is_some();
    if reads_hl7 || !another {
        return;
    }
    for key in ["profile", "map", "accept"] {
        if let Some(node) = document.root.get(&[key]) {
            let help = "it says how HL7 messages are read: it belongs in a channel that takes them, [inbound.mllp]";
            mistakes.push(Mistake::new(document.place(&node.span), key, "has no meaning in this channel", help));
        }
    }
}

fn named(files: &Files, document: &Document, node: &Node, key: &str, mistakes: &mut Vec<Mistake>) {
    let Some(name) = node.as_text() else { return };
    if files.profiles.iter().any(|file| file.name == name) {
        return;
    }
    let known: Vec<&str> = files.profiles.iter().map(|file| file.name.as_str()).collect();
    let help = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None if known.is_empty() => "profiles are files of site/profiles/, and there are none".to_owned(),
        None => format!("profiles are files of site/profiles/: {}", known.join(", ")),
    };
    mistakes.push(Mistake::new(document.place(&node.span), key, format!("there is no profile \"{name}\""), help));
}

/// The shared profiles as TOML, by name, and their values in effect.
pub(super) fn load(files: &Files, data: &Path) -> (BTreeMap<String, Table>, Vec<EffectiveEntry>) {
    let mut tables = BTreeMap::new();
    let mut entries = Vec::new();
    for file in &files.profiles {
        let Some(document) = &file.document else { continue };
        entries.extend(entries_of(document, &Shape::Table(PROFILE), &format!("profile.{}", file.name), data));
        if let Value::Table(table) = plain(Some(&Shape::Table(PROFILE)), &document.root, data) {
            tables.insert(file.name.clone(), table);
        }
    }
    (tables, entries)
}

/// What a channel file says of its senders.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ChannelProfile {
    profile: Table,
    map: Table,
    accept: Table,
}

impl ChannelProfile {
    /// The profiles of a channel, typed.
    ///
    /// # Errors
    /// A profile does not fit its type: `PROFILE` and the types have drifted apart.
    pub(super) fn resolve(mut self, shared: &BTreeMap<String, Table>) -> Result<Profiles, Mistake> {
        let used = self.profile.remove("use").and_then(|name| shared.get(name.as_str()?)).cloned().unwrap_or_default();
        let senders = self.profile.remove("senders").and_then(|senders| senders.try_into::<Table>().ok()).unwrap_or_default();
        let mut everywhere = Table::new();
        everywhere.insert("map".to_owned(), Value::Table(self.map));
        everywhere.insert("accept".to_owned(), Value::Table(self.accept));
        let usual = typed(merged(merged(used, self.profile), everywhere.clone()))?;
        let mut by_sender = Vec::new();
        for (pattern, name) in &senders {
            let profile = name.as_str().and_then(|name| shared.get(name)).cloned().unwrap_or_default();
            let Some(pattern) = SenderPattern::parse(pattern) else { continue };
            by_sender.push((pattern, typed(merged(profile, everywhere.clone()))?));
        }
        // The most exact pattern is tried first.
        by_sender.sort_by_key(|(pattern, _)| pattern.wildcards());
        Ok(Profiles { usual, by_sender })
    }
}

fn typed(table: Table) -> Result<Arc<Profile>, Mistake> {
    let read = Profile::deserialize(Value::Table(table));
    read.map(Arc::new).map_err(|error| {
        Mistake::new(Place::Default, "profile", error.message(), "this is a mistake of Loopline's; please report it")
    })
}

/// One table laid over another: tables entry by entry, but a rule of `[map]` whole.
fn merged(base: Table, over: Table) -> Table {
    lay(base, over, false)
}

fn lay(mut base: Table, over: Table, entries_whole: bool) -> Table {
    for (key, value) in over {
        match (base.remove(&key), value) {
            (Some(Value::Table(below)), Value::Table(above)) if !entries_whole => {
                base.insert(key.clone(), Value::Table(lay(below, above, key == "map")));
            }
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
    base
}
