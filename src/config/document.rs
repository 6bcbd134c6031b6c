//! A TOML file as a tree that remembers where each key and value stands.

use std::{
    ops::Range,
    path::{Path, PathBuf},
};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::mistake::{Mistake, Place};

/// A configuration file is read up to this size: more is not one.
const FILE_BYTES_MAX: u64 = 1_048_576;

/// One value and where it stands.
#[derive(Clone)]
pub(super) struct Node {
    /// Bytes of the file. For a table it is the header or key that opens it, since a table's own extent helps nobody find it.
    pub(super) span: Range<usize>,
    /// What it is.
    pub(super) value: Value,
}

/// A TOML value.
#[derive(Clone)]
pub(super) enum Value {
    Text(String),
    /// None: it does not fit 64 bits.
    Integer(Option<i64>),
    Number(f64),
    Boolean(bool),
    Datetime,
    List(Vec<Node>),
    Table(Vec<Entry>),
}

/// One key of a table.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_span: Range<usize>,
    pub(super) node: Node,
}

/// A parsed file.
pub(super) struct Document {
    /// As it was named.
    pub(super) path: PathBuf,
    text: String,
    /// The whole tree.
    pub(super) root: Node,
}

impl Document {
    /// Reads and parses a file.
    ///
    /// # Errors
    /// Every mistake that the TOML parser finds, or that the file cannot be read.
    pub(super) fn read(path: &Path) -> Result<Self, Vec<Mistake>> {
        let unreadable = |why: String, help: &str| vec![Mistake::new(Place::whole(path), "", why, help)];
        let metadata = std::fs::metadata(path)
            .map_err(|error| unreadable(format!("cannot read the file: {error}"), "check its name and permissions"))?;
        if !metadata.is_file() {
            return Err(unreadable("is no file".to_owned(), "a name that ends in .toml is for a configuration file: rename it"));
        }
        let size = metadata.len();
        if size > FILE_BYTES_MAX {
            return Err(unreadable(format!("the file has {size} bytes"), "a configuration file has at most 1 MiB"));
        }
        let bytes = std::fs::read(path)
            .map_err(|error| unreadable(format!("cannot read the file: {error}"), "check its name and permissions"))?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let sound = error.utf8_error().valid_up_to();
            let text = String::from_utf8_lossy(error.as_bytes().get(..sound).unwrap_or_default());
            vec![Mistake::new(place_in(path, &text, sound), "", "this letter is not UTF-8", "save the file as UTF-8")]
        })?;
        Self::parse(path, text)
    }

    /// Parses a file's text.
    ///
    /// # Errors
    /// Every mistake that the TOML parser finds.
    pub(super) fn parse(path: &Path, text: String) -> Result<Self, Vec<Mistake>> {
        let (tree, errors) = DeTable::parse_recoverable(&text);
        if !errors.is_empty() {
            return Err(errors.iter().map(|error| syntax_mistake(path, &text, error)).collect());
        }
        let root = Node { span: 0..0, value: table_of(tree.get_ref()) };
        Ok(Self { path: path.to_owned(), root, text })
    }

    /// Where a span begins.
    pub(super) fn place(&self, span: &Range<usize>) -> Place {
        place_in(&self.path, &self.text, span.start)
    }

    /// The text at a key path, and where it stands.
    pub(super) fn text(&self, path: &[&str]) -> Option<(&str, Place)> {
        let node = self.root.get(path)?;
        Some((node.as_text()?, self.place(&node.span)))
    }

    /// The keys of the table at a key path; none when there is no such table.
    pub(super) fn entries(&self, path: &[&str]) -> &[Entry] {
        self.root.get(path).map_or(&[], Node::entries)
    }
}

impl Node {
    /// The value at a key path below this one.
    pub(super) fn get(&self, path: &[&str]) -> Option<&Self> {
        let mut node = self;
        for key in path {
            node = &node.entries().iter().find(|entry| entry.key == *key)?.node;
        }
        Some(node)
    }

    /// The keys of a table; none when it is none.
    pub(super) fn entries(&self) -> &[Entry] {
        if let Value::Table(entries) = &self.value { entries } else { &[] }
    }

    /// The items of a list; none when it is none.
    pub(super) fn items(&self) -> &[Node] {
        if let Value::List(items) = &self.value { items } else { &[] }
    }

    /// Whether it says `true`.
    pub(super) fn is_true(&self) -> bool {
        matches!(self.value, Value::Boolean(true))
    }

    /// The text, when it is one.
    pub(super) fn as_text(&self) -> Option<&str> {
        if let Value::Text(text) = &self.value { Some(text) } else { None }
    }

    /// What it is, in words.
    pub(super) fn kind(&self) -> &'static str {
        match &self.value {
            Value::Text(_) => "text",
            Value::Integer(_) => "a whole number",
            Value::Number(_) => "a number with a fraction",
            Value::Boolean(_) => "true or false",
            Value::Datetime => "a date or time",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
        }
    }

    /// Parses a single value, as the environment and the built-in defaults give it; none when it is not TOML.
    pub(super) fn parse_value(text: &str) -> Option<Self> {
        DeValue::parse(text).ok().map(|value| node_of(&value))
    }
}

fn table_of(table: &DeTable<'_>) -> Value {
    let entry = |(key, value): (&Spanned<std::borrow::Cow<'_, str>>, &Spanned<DeValue<'_>>)| {
        let mut node = node_of(value);
        if matches!(node.value, Value::Table(_)) {
            node.span = key.span();
        }
        Entry { key: key.get_ref().to_string(), key_span: key.span(), node }
    };
    Value::Table(table.iter().map(entry).collect())
}

fn node_of(value: &Spanned<DeValue<'_>>) -> Node {
    let inner = match value.get_ref() {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => Value::Integer(i64::from_str_radix(number.as_str(), number.radix()).ok()),
        DeValue::Float(number) => Value::Number(number.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(value) => Value::Boolean(*value),
        DeValue::Datetime(_) => Value::Datetime,
        DeValue::Array(list) => Value::List(list.iter().map(node_of).collect()),
        DeValue::Table(table) => table_of(table),
    };
    Node { span: value.span(), value: inner }
}

/// The parser's own message can quote the file; a channel file holds no secrets, but somebody may have put one there, so only
/// what the parser expected is shown.
fn syntax_mistake(path: &Path, text: &str, error: &toml::de::Error) -> Mistake {
    let start = error.span().map_or(0, |span| span.start);
    let message = error.message().lines().next().unwrap_or("not valid TOML").to_owned();
    let help = if message.contains("duplicate") {
        "each key and each table stands once: remove one of the two"
    } else {
        "this line is not TOML: texts stand in quotes, tables in [brackets]"
    };
    Mistake::new(place_in(path, text, start), "", message, help)
}

/// Line and column, both from 1; the column counts characters.
fn place_in(path: &Path, text: &str, offset: usize) -> Place {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    Place::File { path: path.to_owned(), line, column }
}
