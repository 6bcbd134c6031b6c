//! Reads the channels folder: every `NAME.toml` in it, and what the site has once in `site/`.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, de::DeserializeOwned};

use super::{
    checks::{self, Site},
    document::Document,
    effective::{EffectiveEntry, entries_of},
    forms::{self, FormFile},
    keys::{CHANNEL, DIRECTORY, INBOUND_CHANNEL, LABELS, Shape},
    labels,
    mistake::{Mistake, Place},
    model::{Acknowledge, Directory, DirectoryEntry, Documents, InboundChannel, Route, RouteTarget},
    profiles::{self, ChannelProfile, ProfileFile},
    resolve, settings, tls,
    walk::{Walker, nearest, plain},
};
use crate::{
    ids::ChannelName,
    inbound::InboundConfig,
    normalize::fax::{Labels, Templates},
    outbound::OutboundConfig,
};

/// Files of `site/` that are known.
const SITE_FILES: [&str; 2] = ["directory", "labels"];
/// The longest channel name, in characters.
const NAME_CHARS_MAX: usize = 64;

/// Every channel, typed.
pub(super) struct Loaded {
    pub(super) inbound: BTreeMap<ChannelName, InboundChannel>,
    pub(super) outbound: BTreeMap<ChannelName, OutboundConfig>,
    pub(super) directory: Directory,
    pub(super) labels: Arc<Labels>,
    pub(super) forms: Arc<Templates>,
    pub(super) entries: Vec<EffectiveEntry>,
    pub(super) warnings: Vec<Mistake>,
}

/// One file of the folder: its name, and its tree unless it is not TOML.
pub(super) struct ChannelFile {
    pub(super) name: String,
    pub(super) document: Option<Document>,
}

/// All files of the folder.
pub(super) struct Files {
    pub(super) channels: Vec<ChannelFile>,
    pub(super) directory: Option<Document>,
    /// What this site's forms call things.
    pub(super) labels: Option<Document>,
    /// The shared profiles of `site/profiles/`.
    pub(super) profiles: Vec<ProfileFile>,
    /// The forms of known senders, `site/forms/`.
    pub(super) forms: Vec<FormFile>,
    /// Whether a directory file is there at all, readable or not.
    pub(super) directory_is_there: bool,
}

/// The body of an inbound channel file.
#[derive(Deserialize)]
struct InboundFile {
    inbound: InboundConfig,
    #[serde(default)]
    acknowledge: Acknowledge,
    #[serde(default)]
    route: Route,
    #[serde(default)]
    forward: Vec<RouteTarget>,
    #[serde(default)]
    documents: Documents,
    #[serde(flatten)]
    profile: ChannelProfile,
}

/// The body of an outbound channel file.
#[derive(Deserialize)]
struct OutboundFile {
    outbound: OutboundConfig,
}

/// Reads and checks the folder; none when there was any mistake, in it or before.
pub(super) fn load(settings: &settings::Loaded, mistakes: &mut Vec<Mistake>) -> Option<Loaded> {
    let folder = &settings.settings.channels;
    let files = read(folder, mistakes)?;
    for document in files.channels.iter().filter_map(|file| file.document.as_ref()) {
        check(document, &Shape::Table(CHANNEL), settings.site, mistakes);
    }
    if let Some(directory) = &files.directory {
        check(directory, &DIRECTORY, settings.site, mistakes);
    }
    if let Some(table) = &files.labels {
        check(table, &Shape::Table(LABELS), settings.site, mistakes);
        labels::check(table, mistakes);
    }
    profiles::check(&files, settings.site, mistakes);
    forms::check(&files, settings.site, mistakes);
    resolve::check(&files, folder, &settings.settings.data, mistakes);
    if !mistakes.is_empty() {
        return None;
    }
    typed(&files, settings, mistakes)
}

fn check(document: &Document, shape: &Shape, site: Site, mistakes: &mut Vec<Mistake>) {
    let mut walker = Walker::of(document, site);
    walker.walk(shape, &document.root, "");
    mistakes.extend(walker.mistakes);
}

fn read(folder: &Path, mistakes: &mut Vec<Mistake>) -> Option<Files> {
    let listed = toml_files(folder)
        .map_err(|error| {
            mistakes.push(Mistake::new(
                Place::whole(folder),
                "",
                format!("cannot read the channels folder: {error}"),
                "name another with --channels or LOOPLINE_CHANNELS, or start from the shipped channels/",
            ));
        })
        .ok()?;
    if listed.is_empty() {
        mistakes.push(Mistake::new(Place::whole(folder), "", "holds no channel", "a channel is a file NAME.toml in this folder"));
    }
    let site = folder.join("site");
    written_otherwise(folder, near_name, mistakes);
    for folder in [site.clone(), site.join("profiles"), site.join("forms")] {
        written_otherwise(&folder, |_| None, mistakes);
    }
    let mut channels = Vec::new();
    for (name, path) in listed {
        if !is_channel_name(&name) {
            mistakes.push(no_channel_name(&name, &path));
        }
        channels.push(ChannelFile { name, document: parse(&path, mistakes) });
    }
    // A site without a directory is fine: then nothing is routed, and everything is held for a person.
    for (name, path) in toml_files(&site).unwrap_or_default() {
        if !SITE_FILES.contains(&name.as_str()) {
            let help = nearest(&name, SITE_FILES.into_iter()).unwrap_or("directory");
            mistakes.push(Mistake::new(
                Place::whole(path),
                "",
                "is no file that site/ has",
                format!("did you mean {help}.toml?"),
            ));
        }
    }
    let path = site.join("directory.toml");
    let directory_is_there = path.exists();
    let directory = if directory_is_there { parse(&path, mistakes) } else { None };
    let path = site.join("labels.toml");
    let labels = if path.exists() { parse(&path, mistakes) } else { None };
    let profiles = toml_files(&site.join("profiles")).unwrap_or_default();
    let profiles = profiles.into_iter().map(|(name, path)| ProfileFile { name, document: parse(&path, mistakes) }).collect();
    let forms = toml_files(&site.join("forms")).unwrap_or_default();
    let forms = forms.into_iter().map(|(name, path)| FormFile { name, document: parse(&path, mistakes), path }).collect();
    Some(Files { channels, directory, labels, profiles, forms, directory_is_there })
}

fn parse(path: &Path, mistakes: &mut Vec<Mistake>) -> Option<Document> {
    Document::read(path).map_err(|found| mistakes.extend(found)).ok()
}

/// What is called `*.toml` in a folder, by stem, sorted; hidden ones are an editor's business. What is no file is a mistake when it is read.
fn toml_files(folder: &Path) -> std::io::Result<Vec<(String, PathBuf)>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let is_toml = path.extension().is_some_and(|extension| extension == "toml");
        if is_toml && !stem.starts_with('.') {
            files.push((stem, path));
        }
    }
    files.sort();
    Ok(files)
}

/// Files whose ending is `.TOML` or the like: whoever put them there takes them for part of the configuration, and they are none.
fn written_otherwise(folder: &Path, near: impl Fn(&str) -> Option<String>, mistakes: &mut Vec<Mistake>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let ending = path.extension().filter(|ending| ending.eq_ignore_ascii_case("toml") && *ending != "toml");
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        if let Some(ending) = ending.filter(|_| !name.starts_with('.')) {
            let message = format!("is not read, as its name ends in .{}", ending.display());
            let legal = near(&name).unwrap_or(name);
            mistakes.push(Mistake::new(Place::whole(&path), "", message, format!("name it {legal}.toml, or move it away")));
        }
    }
}

fn no_channel_name(name: &str, path: &Path) -> Mistake {
    let rule = "a channel's name has lower-case letters, digits and hyphens, at most 64";
    let help = match near_name(name) {
        Some(near) => format!("{rule}: rename the file to {near}.toml"),
        None => format!("{rule}: st-mary-mllp.toml"),
    };
    Mistake::new(Place::whole(path), "", "the file's name is no channel name", help)
}

/// The name that a channel can have and that comes nearest to this one; none where too little of it is left.
fn near_name(name: &str) -> Option<String> {
    let plain = name.to_lowercase().replace([' ', '_', '.'], "-");
    Some(plain).filter(|plain| is_channel_name(plain))
}

/// Whether a text can be the name of a channel, or of a form.
pub(crate) fn is_channel_name(name: &str) -> bool {
    name.chars().count() <= NAME_CHARS_MAX
        && name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

/// The typed configuration of files without a mistake.
fn typed(files: &Files, settings: &settings::Loaded, mistakes: &mut Vec<Mistake>) -> Option<Loaded> {
    let data = &settings.settings.data;
    let mut loaded = Loaded {
        inbound: BTreeMap::new(),
        outbound: BTreeMap::new(),
        directory: Directory::default(),
        labels: Labels::shipped(),
        forms: Arc::default(),
        entries: Vec::new(),
        warnings: Vec::new(),
    };
    let (shared, entries) = profiles::load(files, data);
    loaded.entries.extend(entries);
    for file in &files.channels {
        let document = file.document.as_ref()?;
        let name = ChannelName::new(&file.name);
        loaded.warnings.extend(tls::warnings(document, data));
        let (shape, prefix) = (Shape::Table(CHANNEL), format!("channel.{}", file.name));
        if document.root.get(&["inbound"]).is_some() {
            let InboundFile { inbound, acknowledge, mut route, mut forward, documents, profile } =
                deserialize(document, &shape, data, mistakes)?;
            route.specialty.values_mut().chain(&mut route.default).chain(&mut forward).for_each(RouteTarget::complete);
            let profiles = profile.resolve(&shared).map_err(|mistake| mistakes.push(mistake)).ok()?;
            let profiles = Arc::new(profiles);
            loaded
                .inbound
                .insert(name.clone(), InboundChannel { name, inbound, acknowledge, route, forward, documents, profiles });
            loaded.entries.extend(entries_of(document, &Shape::Table(INBOUND_CHANNEL), &prefix, data));
        } else {
            let OutboundFile { outbound } = deserialize(document, &shape, data, mistakes)?;
            loaded.outbound.insert(name, outbound);
            loaded.entries.extend(entries_of(document, &shape, &prefix, data));
        }
    }
    if let Some(document) = &files.directory {
        loaded.directory.entries = deserialize(document, &DIRECTORY, data, mistakes)?;
        for entry in loaded.directory.entries.values_mut() {
            complete(entry, settings.site);
        }
        loaded.entries.extend(entries_of(document, &DIRECTORY, "directory", data));
    }
    if let Some(document) = &files.labels {
        let shape = Shape::Table(LABELS);
        loaded.labels = Arc::new(Labels::with(deserialize(document, &shape, data, mistakes)?));
        loaded.entries.extend(entries_of(document, &shape, "labels", data));
    }
    let (templates, entries) = forms::load(files, data, mistakes)?;
    loaded.forms = Arc::new(templates);
    loaded.entries.extend(entries);
    Some(loaded)
}

/// Fax numbers are compared with those that pages show, so they are kept in one form, E.164.
fn complete(entry: &mut DirectoryEntry, site: Site) {
    if let Some(number) = entry.fax.as_deref().and_then(|fax| checks::e164(fax, site)) {
        entry.fax = Some(number);
    }
}

/// What the walk found right, serde takes too, unless `keys.rs` and the types have drifted apart.
pub(super) fn deserialize<T: DeserializeOwned>(
    document: &Document,
    shape: &Shape,
    data: &Path,
    mistakes: &mut Vec<Mistake>,
) -> Option<T> {
    T::deserialize(plain(Some(shape), &document.root, data))
        .map_err(|error| {
            mistakes.push(Mistake::new(
                Place::whole(&document.path),
                "",
                error.message(),
                "this is a mistake of Loopline's; please report it",
            ));
        })
        .ok()
}
