//! The configuration as it is in effect: each value, and where it came from, secrets hidden.

use std::fmt::Write;

use serde::Serialize;

use super::{
    document::{Document, Node},
    keys::{Need, Shape},
    mistake::{Mistake, Place},
    walk::{join, plain},
};

/// Every value in effect, in the order of files.
#[derive(Clone, Debug)]
pub struct Effective {
    /// The values.
    pub entries: Vec<EffectiveEntry>,
    /// What is right and should be looked at nevertheless: a certificate that ends soon.
    pub warnings: Vec<Mistake>,
}

/// One value.
#[derive(Clone, Debug, Serialize)]
pub struct EffectiveEntry {
    /// Its key path: `settings.data`, `channel.fax-inbox.inbound.folder.path`, `directory.cardiology-desk.email`.
    pub key: String,
    /// The value; `(hidden)` for a secret.
    pub value: toml::Value,
    /// Where it came from.
    pub from: Place,
}

impl EffectiveEntry {
    pub(super) fn new(key: String, value: toml::Value, from: Place) -> Self {
        let value = if is_secret(&key) { toml::Value::String("(hidden)".to_owned()) } else { value };
        Self { key, value, from }
    }
}

/// A key that names a secret itself, not the file it stands in.
fn is_secret(key: &str) -> bool {
    let (_, name) = split_last(key);
    !name.ends_with("_file") && ["password", "secret", "token", "passphrase"].iter().any(|word| name.contains(word))
}

/// A key path as its table and its last key: a dot in a quoted key parts nothing.
fn split_last(path: &str) -> (&str, &str) {
    let (mut quote, mut escaped, mut last) = (None, false, None);
    for (at, c) in path.char_indices() {
        match (quote, c) {
            (Some('"'), '\\') if !escaped => {
                escaped = true;
                continue;
            }
            (Some(open), c) if c == open && !escaped => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '.') => last = Some(at),
            (Some(_) | None, _) => {}
        }
        escaped = false;
    }
    last.and_then(|at| Some((path.get(..at)?, path.get(at + 1..)?))).unwrap_or(("", path))
}

impl Effective {
    /// As TOML, each value with a comment that says where it came from.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut text = String::new();
        let mut open = None;
        for entry in &self.entries {
            let (table, key) = split_last(&entry.key);
            if open != Some(table) {
                let gap = if open.is_some() { "\n" } else { "" };
                writeln!(text, "{gap}[{table}]").expect("writing to a String does not fail");
                open = Some(table);
            }
            writeln!(text, "{:<56} # {}", format!("{key} = {}", entry.value), entry.from)
                .expect("writing to a String does not fail");
        }
        text
    }
}

/// The values of a checked file, with the defaults of what it leaves out. `data` completes relative paths.
pub(super) fn entries_of(document: &Document, shape: &Shape, prefix: &str, data: &std::path::Path) -> Vec<EffectiveEntry> {
    let mut entries = Vec::new();
    collect(document, shape, &document.root, prefix, data, &mut entries);
    entries
}

fn collect(
    document: &Document,
    shape: &Shape,
    node: &Node,
    path: &str,
    data: &std::path::Path,
    entries: &mut Vec<EffectiveEntry>,
) {
    match shape {
        Shape::Table(keys) | Shape::Choice(keys) => {
            // Plain values before tables, as TOML wants it.
            let is_table = |shape: &Shape| matches!(shape, Shape::Table(_) | Shape::Choice(_) | Shape::Map(_));
            for key in keys.iter().filter(|key| !is_table(&key.shape)).chain(keys.iter().filter(|key| is_table(&key.shape))) {
                let below = join(path, key.name);
                match (node.get(&[key.name]), &key.need) {
                    (Some(node), _) => collect(document, &key.shape, node, &below, data, entries),
                    (None, Need::Default(text)) => {
                        let node = Node::parse_value(text).expect("the defaults are TOML");
                        if is_table(&key.shape) {
                            collect(document, &key.shape, &node, &below, data, entries);
                        } else {
                            entries.push(EffectiveEntry::new(below, plain(Some(&key.shape), &node, data), Place::Default));
                        }
                    }
                    (None, Need::Required | Need::Optional) => {}
                }
            }
        }
        Shape::Map(item) => {
            for entry in node.entries() {
                collect(document, item, &entry.node, &join(path, &quoted(&entry.key)), data, entries);
            }
        }
        Shape::Text
        | Shape::Checked(_)
        | Shape::Path
        | Shape::Channel
        | Shape::DirectoryEntry
        | Shape::Integer(..)
        | Shape::Number(..)
        | Shape::Boolean
        | Shape::OneOf(_)
        | Shape::Free(_)
        | Shape::List(_) => {
            entries.push(EffectiveEntry::new(path.to_owned(), plain(Some(shape), node, data), document.place(&node.span)));
        }
    }
}

/// A key as TOML writes it.
fn quoted(key: &str) -> String {
    let is_bare = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if is_bare { key.to_owned() } else { toml::Value::String(key.to_owned()).to_string() }
}
