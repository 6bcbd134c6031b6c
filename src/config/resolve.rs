//! What only several keys or files together show: names that do not resolve, two channels on one port or folder, destinations that
//! lack the number or address their channel needs.
//!
//! # Design notes
//! Works on the trees, not on the types, so that a file with a mistake elsewhere still has its names checked, and a name that is
//! there but whose file is wrong is not reported as missing.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Component, Path, PathBuf},
};

use super::{
    channels::{ChannelFile, Files, is_channel_name},
    document::{Document, Node, Value},
    doors,
    mistake::{Mistake, Place},
    tls,
    walk::nearest,
};

/// Where the engine keeps its store, in the data folder.
const STORE_FOLDERS: [&str; 3] = ["journal", "bodies", "index"];

/// What the engine calls the address that a message came from, where a delivery names an entry of the directory.
const SENDER_ENTRY: &str = "sender";

/// What a channel file turned out to be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Inbound,
    Email,
    Fax,
    Mllp,
    /// Its file is wrong, which is reported there.
    Unknown,
}

struct Resolver<'a> {
    ways: BTreeMap<&'a str, Way>,
    files: &'a Files,
    channels_folder: &'a Path,
    mistakes: &'a mut Vec<Mistake>,
}

/// Checks all files against each other.
pub(super) fn check(files: &Files, channels_folder: &Path, data: &Path, mistakes: &mut Vec<Mistake>) {
    let ways = files.channels.iter().map(|file| (file.name.as_str(), way(file))).collect();
    for document in documents(files) {
        doors::check(document, mistakes);
        tls::check(document, data, mistakes);
    }
    ports(files, mistakes);
    folders(files, data, mistakes);
    let mut resolver = Resolver { ways, files, channels_folder, mistakes };
    for document in documents(files) {
        resolver.routes(document);
        resolver.forward(document);
        resolver.acknowledge(document);
    }
    if let Some(directory) = &files.directory {
        resolver.directory(directory);
    }
}

fn documents(files: &Files) -> impl Iterator<Item = &Document> {
    files.channels.iter().filter_map(|file| file.document.as_ref())
}

fn way(file: &ChannelFile) -> Way {
    let Some(document) = &file.document else { return Way::Unknown };
    let has = |path: &[&str]| document.root.get(path).is_some();
    match (has(&["inbound"]), has(&["outbound", "email"]), has(&["outbound", "fax"]), has(&["outbound", "mllp"])) {
        (true, false, false, false) => Way::Inbound,
        (false, true, false, false) => Way::Email,
        (false, false, true, false) => Way::Fax,
        (false, false, false, true) => Way::Mllp,
        _ => Way::Unknown,
    }
}

impl Resolver<'_> {
    fn complain(&mut self, place: Place, key: String, message: String, help: String) {
        self.mistakes.push(Mistake::new(place, key, message, help));
    }

    /// `[route]`: every target, and no specialty twice.
    fn routes(&mut self, document: &Document) {
        let mut seen: BTreeMap<String, &str> = BTreeMap::new();
        for entry in document.entries(&["route", "specialty"]) {
            let key = format!("route.specialty.{}", entry.key);
            if let Some(first) = seen.insert(entry.key.trim().to_lowercase(), &entry.key) {
                let message = format!("is the same specialty as {first}");
                self.complain(document.place(&entry.key_span), key.clone(), message, "keep one of the two".to_owned());
            }
            self.destination(document, &entry.node, &key);
        }
        if let Some(node) = document.root.get(&["route", "default"]) {
            self.destination(document, node, "route.default");
        }
    }

    /// `[[forward]]`: referrals are handed on as HL7 messages alone; to a desk that reads paper or mail they go by `[route]`.
    fn forward(&mut self, document: &Document) {
        let targets = document.root.get(&["forward"]).map(Node::items).unwrap_or_default();
        for (index, node) in targets.iter().enumerate() {
            let key = format!("forward.{index}");
            self.destination(document, node, &key);
            let Some(through) = node.get(&["through"]) else { continue };
            if let Some(Way::Email | Way::Fax) = through.as_text().and_then(|name| self.ways.get(name)) {
                let message = "sends no HL7 messages, and [[forward]] hands referrals on as such".to_owned();
                let help = suggestion("", self.mllp_names(), "channels with [outbound.mllp]");
                self.complain(document.place(&through.span), format!("{key}.through"), message, help);
            }
        }
    }

    /// A target that referrals go to: their pages must reach it too.
    fn destination(&mut self, document: &Document, node: &Node, key: &str) {
        self.target(document, node, key);
        let text = |name: &str| node.get(&[name]).and_then(Node::as_text);
        let way = text("through").and_then(|channel| self.ways.get(channel).copied());
        if text("to").is_none() && matches!(way, Some(Way::Email | Way::Fax)) {
            let help = "add to = \"…\": an entry of site/directory.toml".to_owned();
            self.complain(document.place(&node.span), format!("{key}.to"), "is missing".to_owned(), help);
        }
        let (Some(channel), Some(to)) = (text("through"), text("to")) else { return };
        let Some(directory) = &self.files.directory else { return };
        let (Some(entry), Some(place)) = (directory.root.get(&[to]), node.get(&["to"])) else { return };
        let where_to = format!("to [{to}] in {}: ", directory.path.display());
        if self.ways.get(channel) == Some(&Way::Email) {
            self.pages_reach(entry, document.place(&place.span), format!("{key}.to"), &where_to);
        }
    }

    /// An entry that is asked by mail gets the referral's pages by that mail, where its way is trusted, or by fax.
    fn pages_reach(&mut self, entry: &Node, place: Place, key: String, where_to: &str) {
        let is_trusted = entry.get(&["trusted_tls"]).is_some_and(|node| matches!(node.value, Value::Boolean(true)));
        if is_trusted || entry.get(&["email"]).is_none() {
            return;
        }
        // A channel whose file is wrong may be meant for fax.
        let can_fax = self.ways.values().any(|way| matches!(way, Way::Fax | Way::Unknown));
        let (message, help) = match (entry.get(&["fax"]).is_some(), can_fax) {
            (true, true) => return,
            (false, _) => (
                "the referral's pages cannot reach it: it is asked by mail, which is not trusted with them, and it has no fax",
                format!("add {where_to}fax = \"…\", or trusted_tls = true where the whole way to the address is encrypted and trusted"),
            ),
            (true, false) => (
                "the referral's pages cannot reach it: it is asked by mail, which is not trusted with them, and no channel sends faxes",
                "add a channel file with [outbound.fax], or trusted_tls = true where the whole way to the address is encrypted and trusted"
                    .to_owned(),
            ),
        };
        self.complain(place, key, message.to_owned(), help);
    }

    /// `[acknowledge]`: `through` and `to`, where they stand. An HL7 sender is told by HL7, and nobody else is.
    fn acknowledge(&mut self, document: &Document) {
        let Some(node) = document.root.get(&["acknowledge"]) else { return };
        self.target(document, node, "acknowledge");
        let Some(through) = node.get(&["through"]) else { return };
        let Some(way) = through.as_text().and_then(|name| self.ways.get(name).copied()) else { return };
        let by_hl7 = document.root.get(&["inbound", "mllp"]).is_some();
        let message = match (by_hl7, way) {
            (true, Way::Email | Way::Fax) => "sends no HL7 messages, which is what this channel's senders read",
            (false, Way::Mllp) => "sends HL7 messages, which this channel's senders do not read",
            (true, Way::Mllp | Way::Inbound | Way::Unknown) | (false, Way::Email | Way::Fax | Way::Inbound | Way::Unknown) => {
                return;
            }
        };
        let help = if by_hl7 {
            suggestion("", self.mllp_names(), "channels with [outbound.mllp]")
        } else {
            "name a channel with [outbound.email] or [outbound.fax]".to_owned()
        };
        self.complain(document.place(&through.span), "acknowledge.through".to_owned(), message.to_owned(), help);
    }

    fn mllp_names(&self) -> impl Iterator<Item = &str> + Clone {
        self.ways.iter().filter(|(name, way)| matches!(way, Way::Mllp) && is_channel_name(name)).map(|(name, _)| *name)
    }

    /// A table with `through` and `to`: both resolve, and fit each other.
    fn target(&mut self, document: &Document, node: &Node, key: &str) {
        let part = |name: &str| {
            let node = node.get(&[name])?;
            Some((node.as_text()?, document.place(&node.span)))
        };
        let way = part("through").and_then(|(channel, place)| self.channel(channel, place, format!("{key}.through")));
        let Some((to, place)) = part("to") else { return };
        let key = format!("{key}.to");
        let Some(directory) = &self.files.directory else {
            if !self.files.directory_is_there {
                let file = self.channels_folder.join("site/directory.toml");
                let message = format!("there is no directory, so no entry \"{to}\"");
                self.complain(place, key, message, format!("make {} with a table [{to}]", file.display()));
            }
            return;
        };
        let Some(entry) = directory.root.get(&[to]) else {
            let names = directory.root.entries().iter().map(|entry| entry.key.as_str());
            let help = suggestion(to, names, "entries");
            self.complain(place, key, format!("the directory has no entry \"{to}\""), help);
            return;
        };
        if let Some(lacking) = way.and_then(|way| lacking(way, entry)) {
            let help = format!("add {lacking} = … to [{to}] in {}, or go through another channel", directory.path.display());
            self.complain(place, key, format!("the entry \"{to}\" has no {lacking}, which this channel needs"), help);
        }
    }

    /// The name of an outbound channel: what it is, when it is one.
    fn channel(&mut self, name: &str, place: Place, key: String) -> Option<Way> {
        match self.ways.get(name) {
            Some(way @ (Way::Email | Way::Fax | Way::Mllp)) => Some(*way),
            Some(Way::Unknown) => None,
            Some(Way::Inbound) => {
                let help = suggestion("", self.outbound_names(), "outbound channels");
                self.complain(place, key, format!("\"{name}\" is an inbound channel: nothing can be sent through it"), help);
                None
            }
            None => {
                let help = suggestion(name, self.outbound_names(), "outbound channels");
                self.complain(place, key, format!("there is no channel \"{name}\""), help);
                None
            }
        }
    }

    /// Those that a file can name: one whose own name is no channel name is told of by itself.
    fn outbound_names(&self) -> impl Iterator<Item = &str> + Clone {
        let goes_out = |way: &Way| matches!(way, Way::Email | Way::Fax | Way::Mllp);
        self.ways.iter().filter(move |(name, way)| goes_out(way) && is_channel_name(name)).map(|(name, _)| *name)
    }

    /// One entry by itself.
    fn entry(&mut self, name: &str, node: &Node, place: &Place) {
        if name == SENDER_ENTRY {
            let message = "is the engine's own word for the address that a message came from".to_owned();
            self.complain(place.clone(), name.to_owned(), message, "give the entry another name".to_owned());
        }
        if self.ways.get(name) == Some(&Way::Mllp) {
            let message = "is the name of an MLLP channel, which stands for that channel's own destination".to_owned();
            self.complain(place.clone(), name.to_owned(), message, "give the entry another name".to_owned());
        }
        let has = |key: &str| node.get(&[key]).is_some();
        if !has("fax") && !has("email") && !has("hl7") {
            let help = "add fax = \"…\", email = \"…\" or hl7 = \"…\"".to_owned();
            self.complain(
                place.clone(),
                name.to_owned(),
                "can be sent nothing: it has neither fax nor email nor hl7".to_owned(),
                help,
            );
        }
        if has("trusted_tls") && !has("email") {
            let help = "it says how mail gets there: add email = \"…\", or remove it".to_owned();
            self.complain(place.clone(), format!("{name}.trusted_tls"), "has no meaning without email".to_owned(), help);
        }
    }

    /// The directory: each entry can be reached, and no name or NPI is claimed twice.
    fn directory(&mut self, document: &Document) {
        let mut names: BTreeMap<String, &str> = BTreeMap::new();
        let mut npis: BTreeMap<&str, &str> = BTreeMap::new();
        for entry in document.root.entries() {
            let node = &entry.node;
            let place = document.place(&entry.key_span);
            self.entry(&entry.key, node, &place);
            if let Some(through) = node.get(&["through"])
                && let Some(channel) = through.as_text()
            {
                let (place, key) = (document.place(&through.span), format!("{}.through", entry.key));
                let way = self.channel(channel, place.clone(), key.clone());
                if let Some(lacking) = way.and_then(|way| lacking(way, node)) {
                    let message = format!("the entry has no {lacking}, which the channel \"{channel}\" needs");
                    self.complain(place, key, message, format!("add {lacking} = …, or name another channel"));
                } else if way == Some(Way::Email) {
                    self.pages_reach(node, place, key, "");
                }
            }
            if let Some((npi, text)) = node.get(&["npi"]).and_then(|npi| Some((npi, npi.as_text()?)))
                && let Some(other) = npis.insert(text, &entry.key)
            {
                let message = format!("the NPI is also that of the entry \"{other}\", so that neither would be found by it");
                let help = "keep it in the one that referrals to this provider go to".to_owned();
                self.complain(document.place(&npi.span), format!("{}.npi", entry.key), message, help);
            }
            let aliases = node.get(&["aliases"]).map(Node::items).unwrap_or_default();
            for spelling in node.get(&["name"]).into_iter().chain(aliases) {
                let Some(text) = spelling.as_text() else { continue };
                match names.insert(text.trim().to_lowercase(), &entry.key) {
                    Some(other) if other != entry.key => {
                        let message = format!("\"{text}\" also names the entry \"{other}\"");
                        let help = "a name or alias selects one entry: keep it in one of the two".to_owned();
                        self.complain(document.place(&spelling.span), entry.key.clone(), message, help);
                    }
                    Some(_) | None => {}
                }
            }
        }
    }
}

/// The key that a destination lacks for a channel.
fn lacking(way: Way, entry: &Node) -> Option<&'static str> {
    let needed = match way {
        Way::Email => "email",
        Way::Fax => "fax",
        Way::Mllp => "hl7",
        Way::Inbound | Way::Unknown => return None,
    };
    entry.get(&[needed]).is_none().then_some(needed)
}

fn suggestion<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone, what: &str) -> String {
    match nearest(name, known.clone()) {
        Some(near) if !name.is_empty() => format!("did you mean \"{near}\"?"),
        _ => {
            let known: Vec<&str> = known.collect();
            if known.is_empty() { format!("there are no {what} yet") } else { format!("{what}: {}", known.join(", ")) }
        }
    }
}

/// No two channels listen on one port.
fn ports(files: &Files, mistakes: &mut Vec<Mistake>) {
    let mut taken: Vec<(SocketAddr, &str)> = Vec::new();
    for file in &files.channels {
        let Some(document) = &file.document else { continue };
        let Some((text, place)) = document.text(&["inbound", "mllp", "listen"]) else { continue };
        let Ok(address) = text.parse::<SocketAddr>() else { continue };
        // Port 0 is a free one each time.
        if address.port() == 0 {
            continue;
        }
        let overlaps = |other: &SocketAddr| {
            other.port() == address.port()
                && (other.ip() == address.ip() || other.ip().is_unspecified() || address.ip().is_unspecified())
        };
        if let Some((_, other)) = taken.iter().find(|(other, _)| overlaps(other)) {
            let message = format!("port {} is also listened on by the channel \"{other}\"", address.port());
            mistakes.push(Mistake::new(place, "inbound.mllp.listen", message, "give each channel a port of its own"));
        }
        taken.push((address, &file.name));
    }
}

/// No two channels use one folder, whichever way: what one writes, the other would take. Nor does any use the engine's own.
fn folders(files: &Files, data: &Path, mistakes: &mut Vec<Mistake>) {
    const KEYS: [&[&str]; 4] = [
        &["inbound", "folder", "path"],
        &["inbound", "mailbox", "maildir"],
        &["outbound", "email", "maildir"],
        &["outbound", "fax", "path"],
    ];
    let mut taken: BTreeMap<PathBuf, &str> = BTreeMap::new();
    let ours: Vec<(PathBuf, &str)> = files.channels.iter().flat_map(|file| folders_of_the_engine(file, data)).collect();
    for file in &files.channels {
        let Some(document) = &file.document else { continue };
        for key in KEYS {
            let Some((text, place)) = document.text(key) else { continue };
            let folder = normal(&data.join(text));
            if folder == normal(data) || STORE_FOLDERS.iter().any(|name| folder.starts_with(normal(&data.join(name)))) {
                let help = "give the channel a folder of its own, such as \"fax-in\"";
                mistakes.push(Mistake::new(place.clone(), key.join("."), "is a folder of the engine itself", help));
            }
            if let Some((_, other)) = ours.iter().find(|(engines, _)| folder.starts_with(engines)) {
                let message = format!("the folder lies where the channel \"{other}\" puts what it has taken");
                mistakes.push(Mistake::new(place.clone(), key.join("."), message, "give each channel a folder of its own"));
            }
            if let Some(other) = taken.insert(folder, &file.name) {
                let message = format!("the folder is also used by the channel \"{other}\"");
                mistakes.push(Mistake::new(place, key.join("."), message, "give each channel a folder of its own"));
            }
        }
    }
}

/// The folders that the engine itself uses within those of a channel.
fn folders_of_the_engine<'a>(file: &'a ChannelFile, data: &Path) -> Vec<(PathBuf, &'a str)> {
    let within: [(&[&str], &[&str]); 3] = [
        (&["inbound", "folder", "path"], &["done", "duplicate", "failed"]),
        (&["inbound", "mailbox", "maildir"], &["tmp", "new", "cur"]),
        (&["outbound", "email", "maildir"], &["tmp", "new", "cur"]),
    ];
    let Some(document) = &file.document else { return Vec::new() };
    let of = |(key, names): (&[&str], &'static [&'static str])| {
        let folder = document.text(key).map(|(text, _)| normal(&data.join(text)));
        folder
            .into_iter()
            .flat_map(move |folder| names.iter().map(move |name| (folder.join(name), file.name.as_str())))
            .collect::<Vec<_>>()
    };
    within.into_iter().flat_map(of).collect()
}

/// The path without `.` and `..`, as far as it can be said without looking at the disk.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                normal.pop();
            }
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => normal.push(component),
        }
    }
    normal
}
