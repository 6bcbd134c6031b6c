//! Checks `[map]`: the fields it names, the paths they are read from, the words that its tables give.

use super::{
    document::{Document, Entry, Node, Value},
    mistake::Mistake,
    walk::{join, nearest},
};
use crate::{
    normalize::hl7::{FieldKind, Path},
    protocols::hl7::read_date,
};

/// The keys of a rule that is a table.
const RULE_KEYS: [&str; 5] = ["from", "value", "table", "otherwise", "absent"];

/// Checks the table `[map]` of a file, where there is one.
pub(super) fn check(document: &Document, mistakes: &mut Vec<Mistake>) {
    let mut checker = Checker { document, mistakes };
    for entry in document.entries(&["map"]) {
        checker.rule(entry);
    }
}

struct Checker<'a> {
    document: &'a Document,
    mistakes: &'a mut Vec<Mistake>,
}

impl Checker<'_> {
    fn complain(&mut self, node: &Node, key: &str, message: impl Into<String>, help: impl Into<String>) {
        self.mistakes.push(Mistake::new(self.document.place(&node.span), key, message, help));
    }

    fn rule(&mut self, entry: &Entry) {
        let key = join("map", &entry.key);
        let kind = FieldKind::of(&entry.key);
        if kind.is_none() {
            self.mistakes.push(Mistake::new(
                self.document.place(&entry.key_span),
                key.as_str(),
                "is no field of the record that can be mapped",
                field_help(&entry.key),
            ));
        }
        match &entry.node.value {
            Value::Text(_) => self.path(&entry.node, &key),
            Value::List(items) => self.paths(&entry.node, items, &key),
            Value::Table(entries) => self.full(&entry.node, entries, &key, kind),
            Value::Integer(_) | Value::Number(_) | Value::Boolean(_) | Value::Datetime => {
                let help = "write a path, \"RF1-10.2\", a list of paths, or { value = \"…\" } for a constant";
                self.complain(&entry.node, &key, format!("must be a path, and is {}", entry.node.kind()), help);
            }
        }
    }

    fn path(&mut self, node: &Node, key: &str) {
        let Some(text) = node.as_text() else {
            self.complain(node, key, format!("must be a path, and is {}", node.kind()), "write it in quotes: \"RF1-10.2\"");
            return;
        };
        if let Err(error) = Path::parse(text) {
            self.complain(node, key, error.message, error.help);
        }
    }

    fn paths(&mut self, node: &Node, items: &[Node], key: &str) {
        if items.is_empty() {
            self.complain(node, key, "names no path", "write at least one, such as \"RF1-10.2\", or remove the line");
        }
        for (at, item) in items.iter().enumerate() {
            self.path(item, &format!("{key}.{at}"));
        }
    }

    fn full(&mut self, node: &Node, entries: &[Entry], key: &str, kind: Option<FieldKind>) {
        let has = |name: &str| entries.iter().any(|entry| entry.key == name);
        if has("value") == has("from") {
            let help = "write from = \"RF1-10.2\" (or a list of paths), or value = \"…\" for a constant";
            self.complain(node, key, "needs either from or value", help);
        }
        for (one, other) in [("otherwise", "table"), ("table", "from"), ("absent", "from")] {
            if has(one) && !has(other) {
                self.complain(
                    node,
                    key,
                    format!("{one} has no meaning without {other}"),
                    format!("add {other} = …, or remove {one}"),
                );
            }
        }
        for entry in entries {
            let below = join(key, &entry.key);
            match (entry.key.as_str(), &entry.node.value) {
                ("from", Value::List(items)) => self.paths(&entry.node, items, &below),
                ("from", _) => self.path(&entry.node, &below),
                ("value" | "otherwise" | "absent", _) => self.constant(&entry.node, &below, kind),
                ("table", Value::Table(codes)) => {
                    for code in codes {
                        self.constant(&code.node, &join(&below, &code.key), kind);
                    }
                }
                ("table", _) => {
                    let help = "write { \"1\" = \"urgent\", \"2\" = \"routine\" }";
                    self.complain(&entry.node, &below, format!("must be a table, and is {}", entry.node.kind()), help);
                }
                (unknown, _) => {
                    let near = nearest(unknown, RULE_KEYS.into_iter());
                    let help = near
                        .map_or_else(|| format!("known here: {}", RULE_KEYS.join(", ")), |near| format!("did you mean {near}?"));
                    self.complain(&entry.node, &below, "is not a known key", help);
                }
            }
        }
    }

    /// A value that configuration gives itself: what the field cannot hold, would never be read.
    fn constant(&mut self, node: &Node, key: &str, kind: Option<FieldKind>) {
        let Some(text) = node.as_text().filter(|text| !text.trim().is_empty()) else {
            self.complain(node, key, "must be a text that is not empty", "write it in quotes");
            return;
        };
        let Some(kind) = kind else { return };
        if let Some(words) = kind.words().filter(|words| !words.contains(&text)) {
            let known = words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ");
            let near = nearest(text, words.iter().copied()).map(|near| format!("did you mean \"{near}\"? ")).unwrap_or_default();
            self.complain(node, key, format!("\"{text}\" is nothing that this field can be"), format!("{near}one of {known}"));
        }
        let (sound, help) = match kind {
            FieldKind::Date | FieldKind::Day => (read_date(text).is_ok(), "write it as HL7 does: 20261120"),
            FieldKind::Number => (text.parse::<u32>().is_ok(), "write a whole number in quotes"),
            _ => (true, ""),
        };
        if !sound {
            self.complain(node, key, format!("\"{text}\" is nothing that this field can be"), help);
        }
    }
}

/// What may have been meant by a field that is none.
fn field_help(field: &str) -> String {
    if field.starts_with("identifiers") {
        return "where the number of the referral stands is profile.referral_id: messages find their referral by it".to_owned();
    }
    let names: Vec<String> = FieldKind::names().collect();
    let near = nearest(field, names.iter().map(String::as_str));
    near.map_or_else(
        || {
            "fields are named as `loopline try` prints them under record: \"request.reason\", \"patient.phones.0.number\""
                .to_owned()
        },
        |near| format!("did you mean {near}?"),
    )
}
