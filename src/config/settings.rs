//! The engine's own settings: defaults, then `loopline.toml`, then `LOOPLINE_…`, then flags; the later wins.

use std::path::{Path, PathBuf};

use phonenumber::country;
use serde::Deserialize;

use super::{
    args::SettingsSources,
    checks::Site,
    document::{Document, Node, Value},
    effective::EffectiveEntry,
    keys::{Key, Need, SETTINGS, Shape},
    mistake::{Mistake, Place},
    model::Settings,
    walk::{Walker, join, nearest, plain},
};

/// Where the settings file may be named in the environment.
const CONFIG_VARIABLE: &str = "LOOPLINE_CONFIG";
/// Variables that begin so belong to other tests.
const TEST_PREFIX: &str = "LOOPLINE_TEST_";

/// Settings, and where each came from.
pub(super) struct Loaded {
    /// With a default in place of every value that was wrong, so that the channels can be checked nevertheless.
    pub(super) settings: Settings,
    pub(super) site: Site,
    pub(super) entries: Vec<EffectiveEntry>,
}

/// One setting: its key path (`limits.reader_workers`) and its description.
struct Setting {
    path: String,
    key: &'static Key,
}

impl Setting {
    fn variable(&self) -> String {
        format!("LOOPLINE_{}", self.path.replace('.', "_").to_uppercase())
    }
}

/// A value for a setting, from one of the sources.
struct Candidate {
    path: String,
    node: Node,
    place: Place,
    base: PathBuf,
}

/// Reads every source. What is wrong in one is left out and reported.
pub(super) fn load(sources: &SettingsSources) -> (Loaded, Vec<Mistake>) {
    let settings = flatten(SETTINGS, "");
    let mut mistakes = Vec::new();
    let document = file(sources, &mut mistakes);
    let site = Site { region: region(sources, document.as_ref()) };

    let mut candidates: Vec<Candidate> = settings.iter().filter_map(|setting| default_of(setting, &sources.folder)).collect();
    if let Some(document) = &document {
        candidates.extend(from_file(document, &settings, site, &mut mistakes));
    }
    candidates.extend(from_environment(sources, &settings, site, &mut mistakes));
    for (name, value) in &sources.flags {
        let place = Place::Flag(format!("--{}", name.replace('_', "-")));
        candidates.extend(from_text(&settings, name, value, place, sources, site, &mut mistakes));
    }

    let mut root = toml::Table::new();
    let mut entries = Vec::new();
    for setting in &settings {
        // The last candidate wins: they stand in the order of precedence.
        let Some(winner) = candidates.iter().rev().find(|candidate| candidate.path == setting.path) else { continue };
        let value = plain(Some(&setting.key.shape), &winner.node, &winner.base);
        entries.push(EffectiveEntry::new(format!("settings.{}", setting.path), value.clone(), winner.place.clone()));
        insert(&mut root, &setting.path, value);
    }
    let settings = Settings::deserialize(toml::Value::Table(root)).expect("every setting was checked against its description");
    if settings.limits.delivery_backoff_seconds > settings.limits.delivery_backoff_seconds_max {
        let place =
            entries.iter().find(|entry| entry.key == "settings.limits.delivery_backoff_seconds").map(|entry| entry.from.clone());
        mistakes.push(Mistake::new(
            place.unwrap_or(Place::Default),
            "limits.delivery_backoff_seconds",
            "is longer than limits.delivery_backoff_seconds_max",
            "the first pause after a failed delivery is at most the longest one",
        ));
    }
    (Loaded { settings, site, entries }, mistakes)
}

/// The settings file, where one is named or there is one.
fn file(sources: &SettingsSources, mistakes: &mut Vec<Mistake>) -> Option<Document> {
    if sources.defaults_alone {
        return None;
    }
    let in_environment =
        sources.environment.iter().find(|(name, _)| name == CONFIG_VARIABLE).map(|(_, value)| PathBuf::from(value));
    let path = match sources.file.clone().or(in_environment) {
        Some(named) => sources.folder.join(named),
        None => Some(sources.folder.join("loopline.toml")).filter(|path| path.exists())?,
    };
    Document::read(&path).map_err(|found| mistakes.extend(found)).ok()
}

/// The region is needed before the other values are checked; a wrong one is reported with them.
fn region(sources: &SettingsSources, document: Option<&Document>) -> country::Id {
    let flag = sources.flags.iter().find(|(name, _)| name == "region").map(|(_, value)| value.as_str());
    let variable = sources.environment.iter().find(|(name, _)| name == "LOOPLINE_REGION").map(|(_, value)| value.as_str());
    let in_file = document.and_then(|document| document.text(&["region"])).map(|(text, _)| text);
    flag.or(variable).or(in_file).and_then(|text| text.parse().ok()).unwrap_or(country::Id::US)
}

fn flatten(keys: &'static [Key], prefix: &str) -> Vec<Setting> {
    let below = |key: &'static Key| {
        let path = join(prefix, key.name);
        if let Shape::Table(keys) = &key.shape { flatten(keys, &path) } else { vec![Setting { path, key }] }
    };
    keys.iter().flat_map(below).collect()
}

fn default_of(setting: &Setting, folder: &Path) -> Option<Candidate> {
    let Need::Default(text) = setting.key.need else { return None };
    let node = Node::parse_value(text).expect("the defaults are TOML");
    Some(Candidate { path: setting.path.clone(), node, place: Place::Default, base: folder.to_owned() })
}

fn from_file(document: &Document, settings: &[Setting], site: Site, mistakes: &mut Vec<Mistake>) -> Vec<Candidate> {
    let mut walker = Walker::of(document, site);
    walker.walk(&Shape::Table(SETTINGS), &document.root, "");
    let wrong = walker.mistakes;
    let base = document.path.parent().unwrap_or(Path::new(""));
    let candidate = |setting: &Setting| {
        let path: Vec<&str> = setting.path.split('.').collect();
        let node = document.root.get(&path)?.clone();
        let is_wrong =
            wrong.iter().any(|mistake| mistake.key == setting.path || mistake.key.starts_with(&format!("{}.", setting.path)));
        let place = document.place(&node.span);
        (!is_wrong).then(|| Candidate { path: setting.path.clone(), node, place, base: base.to_owned() })
    };
    let candidates = settings.iter().filter_map(candidate).collect();
    mistakes.extend(wrong);
    candidates
}

fn from_environment(sources: &SettingsSources, settings: &[Setting], site: Site, mistakes: &mut Vec<Mistake>) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    for (name, value) in &sources.environment {
        if name == CONFIG_VARIABLE || name.starts_with(TEST_PREFIX) {
            continue;
        }
        let place = Place::Environment(name.clone());
        if value.contains(char::REPLACEMENT_CHARACTER) {
            mistakes.push(Mistake::new(place, "", "is not UTF-8", "write it in UTF-8"));
        } else if let Some(setting) = settings.iter().find(|setting| setting.variable() == *name) {
            candidates.extend(from_text(settings, &setting.path, value, place, sources, site, mistakes));
        } else {
            let known: Vec<String> = settings.iter().map(Setting::variable).chain([CONFIG_VARIABLE.to_owned()]).collect();
            let help = nearest(name, known.iter().map(String::as_str))
                .map_or_else(|| format!("known: {}", known.join(", ")), |near| format!("did you mean {near}?"));
            mistakes.push(Mistake::new(place, "", "is no setting", help));
        }
    }
    candidates
}

/// A setting given as bare text: texts need no quotes there.
fn from_text(
    settings: &[Setting],
    path: &str,
    value: &str,
    place: Place,
    sources: &SettingsSources,
    site: Site,
    mistakes: &mut Vec<Mistake>,
) -> Option<Candidate> {
    let setting = settings.iter().find(|setting| setting.path == path)?;
    let is_text = matches!(setting.key.shape, Shape::Text | Shape::Checked(_) | Shape::Path | Shape::OneOf(_));
    let as_text = || Node { span: 0..0, value: Value::Text(value.to_owned()) };
    let node = if is_text { as_text() } else { Node::parse_value(value).unwrap_or_else(as_text) };
    let mut walker = Walker::at(place.clone(), site);
    walker.walk(&setting.key.shape, &node, path);
    let is_right = walker.mistakes.is_empty();
    mistakes.extend(walker.mistakes);
    is_right.then(|| Candidate { path: path.to_owned(), node, place, base: sources.folder.clone() })
}

fn insert(table: &mut toml::Table, path: &str, value: toml::Value) {
    match path.split_once('.') {
        None => {
            table.insert(path.to_owned(), value);
        }
        Some((first, rest)) => {
            let below = table.entry(first).or_insert_with(|| toml::Value::Table(toml::Table::new()));
            if let Some(below) = below.as_table_mut() {
                insert(below, rest, value);
            }
        }
    }
}
