//! Walks a file's tree along the description of the known keys, and says everything that is wrong.

use std::path::Path;

use super::{
    checks::Site,
    document::{Document, Entry, Node, Value},
    keys::{Key, Need, Shape},
    mistake::{Mistake, Place},
};

/// A checked tree's values as serde reads them.
type Plain = toml::Value;

/// Walks trees and collects mistakes.
pub(super) struct Walker<'a> {
    document: Option<&'a Document>,
    elsewhere: Place,
    site: Site,
    pub(super) mistakes: Vec<Mistake>,
}

impl<'a> Walker<'a> {
    /// For a file.
    pub(super) fn of(document: &'a Document, site: Site) -> Self {
        Self { document: Some(document), elsewhere: Place::whole(&document.path), site, mistakes: Vec::new() }
    }

    /// For a value that is in no file.
    pub(super) fn at(place: Place, site: Site) -> Self {
        Self { document: None, elsewhere: place, site, mistakes: Vec::new() }
    }

    fn place(&self, node: &Node) -> Place {
        self.document.map_or_else(|| self.elsewhere.clone(), |document| document.place(&node.span))
    }

    fn complain(&mut self, node: &Node, path: &str, message: impl Into<String>, help: impl Into<String>) {
        self.mistakes.push(Mistake::new(self.place(node), path, message, help));
    }

    /// Checks a value.
    pub(super) fn walk(&mut self, shape: &Shape, node: &Node, path: &str) {
        match (shape, &node.value) {
            (Shape::Text | Shape::Path | Shape::Channel | Shape::DirectoryEntry, Value::Text(text)) => {
                if text.trim().is_empty() || text.contains('\0') {
                    self.complain(node, path, "must not be empty", expected(shape));
                }
            }
            (Shape::Checked(check), Value::Text(text)) => {
                if let Err(complaint) = check(text, self.site) {
                    self.complain(node, path, complaint.message, complaint.help);
                }
            }
            (Shape::Boolean, Value::Boolean(_)) | (Shape::Free(_), _) => {}
            (Shape::Integer(least, most), Value::Integer(number)) => {
                if number.is_none_or(|number| number < *least || number > *most) {
                    self.complain(node, path, "is out of range", expected(shape));
                }
            }
            (Shape::Number(least, most), Value::Integer(_) | Value::Number(_)) => {
                let number = number_of(&node.value);
                if number.is_none_or(|number| !(*least..=*most).contains(&number)) {
                    self.complain(node, path, "is out of range", expected(shape));
                }
            }
            (Shape::OneOf(words), Value::Text(text)) => {
                if !words.contains(&text.as_str()) {
                    let help = nearest(text, words.iter().copied())
                        .map_or_else(|| expected(shape), |word| format!("did you mean \"{word}\"? {}", expected(shape)));
                    self.complain(node, path, format!("\"{text}\" is not known here"), help);
                }
            }
            (Shape::List(item), Value::List(items)) => {
                for (index, node) in items.iter().enumerate() {
                    self.walk(item, node, &format!("{path}.{index}"));
                }
            }
            (Shape::Table(keys), Value::Table(entries)) => self.table(keys, node, entries, path),
            (Shape::Choice(keys), Value::Table(entries)) => {
                self.table(keys, node, entries, path);
                if entries.len() != 1 {
                    let names = keys.iter().map(|key| format!("[{path}.{}]", key.name)).collect::<Vec<_>>().join(", ");
                    self.complain(
                        node,
                        path,
                        format!("needs exactly one table, and has {}", entries.len()),
                        format!("one of {names}"),
                    );
                }
            }
            (Shape::Map(item), Value::Table(entries)) => {
                for entry in entries {
                    self.walk(item, &entry.node, &join(path, &entry.key));
                }
            }
            (_, _) => self.complain(node, path, format!("must be {}, and is {}", wanted(shape), node.kind()), expected(shape)),
        }
    }

    fn table(&mut self, keys: &[Key], node: &Node, entries: &[Entry], path: &str) {
        for entry in entries {
            let entry_path = join(path, &entry.key);
            match keys.iter().find(|key| key.name == entry.key) {
                Some(key) => self.walk(&key.shape, &entry.node, &entry_path),
                None => self.unknown(keys, entry, &entry_path),
            }
        }
        for key in keys.iter().filter(|key| matches!(key.need, Need::Required)) {
            if !entries.iter().any(|entry| entry.key == key.name) {
                let help = format!("add {} = …: {}", key.name, expected(&key.shape));
                self.complain(node, &join(path, key.name), "is missing", help);
            }
        }
    }

    /// An unknown key's value is never shown: it may be a secret that somebody put there.
    fn unknown(&mut self, keys: &[Key], entry: &Entry, path: &str) {
        let names = keys.iter().map(|key| key.name);
        let secret_file = keys.iter().find(|key| key.name.strip_suffix("_file") == Some(&entry.key));
        let help = if let Some(key) = secret_file {
            format!("secrets do not stand in channel files: write it to a file and name that file in {}", key.name)
        } else if let Some(name) = nearest(&entry.key, names.clone()) {
            format!("did you mean {name}?")
        } else {
            format!("known here: {}", names.collect::<Vec<_>>().join(", "))
        };
        let place = self.document.map_or_else(|| self.elsewhere.clone(), |document| document.place(&entry.key_span));
        self.mistakes.push(Mistake::new(place, path, "is not a known key", help));
    }
}

fn number_of(value: &Value) -> Option<f64> {
    match value {
        #[expect(clippy::cast_precision_loss, reason = "compared with limits far below 2^52")]
        Value::Integer(number) => number.map(|number| number as f64),
        Value::Number(number) => Some(*number),
        Value::Text(_) | Value::Boolean(_) | Value::Datetime | Value::List(_) | Value::Table(_) => None,
    }
}

/// A key path with one key more.
pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// The candidate that a misspelt word was most likely meant to be: one of few other letters, or else the only one with the same first
/// part, as in `idle_secs` for `idle_seconds_max`.
pub(crate) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let first_part = |name: &str| name.split_once('_').map(|(first, _)| first.to_lowercase());
    let mut like_it =
        candidates.clone().filter(|candidate| first_part(word).is_some_and(|part| first_part(candidate) == Some(part)));
    let only = like_it.next().filter(|_| like_it.next().is_none());
    candidates
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.chars().count().max(3) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
        .or(only)
}

fn wanted(shape: &Shape) -> &'static str {
    match shape {
        Shape::Text | Shape::Checked(_) | Shape::Path | Shape::Channel | Shape::DirectoryEntry | Shape::OneOf(_) => "text",
        Shape::Integer(..) => "a whole number",
        Shape::Number(..) => "a number",
        Shape::Boolean => "true or false",
        Shape::List(_) => "a list",
        Shape::Free(words) => words,
        Shape::Table(_) | Shape::Map(_) | Shape::Choice(_) => "a table",
    }
}

fn expected(shape: &Shape) -> String {
    match shape {
        Shape::Text | Shape::Checked(_) => "a text in quotes".to_owned(),
        Shape::Path => "a path in quotes".to_owned(),
        Shape::Channel => "the name of an outbound channel, in quotes".to_owned(),
        Shape::DirectoryEntry => "the name of an entry of site/directory.toml, in quotes".to_owned(),
        Shape::Integer(least, most) => format!("a whole number from {least} to {most}"),
        Shape::Number(least, most) => format!("a number from {least} to {most}"),
        Shape::Boolean => "true or false, without quotes".to_owned(),
        Shape::OneOf(words) => {
            format!("one of {}", words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", "))
        }
        Shape::Free(words) => (*words).to_owned(),
        Shape::List(item) => format!("a list in [brackets], of {}", expected(item)),
        Shape::Table(keys) | Shape::Choice(keys) => {
            format!("a table with {}", keys.iter().map(|key| key.name).collect::<Vec<_>>().join(", "))
        }
        Shape::Map(item) => format!("a table of names, each {}", expected(item)),
    }
}

/// A tree that was checked, as serde reads it, with relative paths completed from `base`.
pub(super) fn plain(shape: Option<&Shape>, node: &Node, base: &Path) -> Plain {
    match (shape, &node.value) {
        (Some(Shape::Path), Value::Text(text)) => Plain::String(base.join(text).to_string_lossy().into_owned()),
        (_, Value::Text(text)) => Plain::String(text.clone()),
        (Some(Shape::Number(..)), value) => number_of(value).map_or(Plain::Float(0.0), Plain::Float),
        (_, Value::Integer(number)) => Plain::Integer(number.unwrap_or_default()),
        (_, Value::Number(number)) => Plain::Float(*number),
        (_, Value::Boolean(value)) => Plain::Boolean(*value),
        // No key takes a date: the walk refused it.
        (_, Value::Datetime) => Plain::Boolean(false),
        (shape, Value::List(items)) => {
            let item_shape = if let Some(Shape::List(item)) = shape { Some(*item) } else { None };
            Plain::Array(items.iter().map(|item| plain(item_shape, item, base)).collect())
        }
        (shape, Value::Table(entries)) => Plain::Table(
            entries.iter().map(|entry| (entry.key.clone(), plain(shape_below(shape, &entry.key), &entry.node, base))).collect(),
        ),
    }
}

fn shape_below<'a>(shape: Option<&'a Shape>, key: &str) -> Option<&'a Shape> {
    match shape? {
        Shape::Table(keys) | Shape::Choice(keys) => keys.iter().find(|known| known.name == key).map(|known| &known.shape),
        Shape::Map(item) => Some(item),
        _ => None,
    }
}
