//! Forms of known senders, `site/forms/*.toml`: what only several of their keys together show, and their types.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{
    channels::{Files, deserialize, is_channel_name},
    checks::Site,
    document::{Document, Node, Value},
    effective::{EffectiveEntry, entries_of},
    keys::{FORM, Shape},
    mistake::{Mistake, Place},
    walk::{Walker, nearest},
};
use crate::normalize::fax::{
    self, ANCHORS_FOUND_MIN, ANCHORS_MAX, ANCHORS_SPREAD_MM_MIN, FIELDS_MAX, FORMS_MAX, Templates, form_options,
};

/// A file of `site/forms/`, and its tree unless it is not TOML.
pub(super) struct FormFile {
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) document: Option<Document>,
}

/// Checks the forms.
pub(super) fn check(files: &Files, site: Site, mistakes: &mut Vec<Mistake>) {
    for (number, FormFile { name, path, document }) in files.forms.iter().enumerate() {
        let mut whole = |message: &str, help: String| mistakes.push(Mistake::new(Place::whole(path), "", message, help));
        if !is_channel_name(name) {
            let help = "lower-case letters, digits and hyphens, at most 64: cedar-intake.toml".to_owned();
            whole("the file's name is no name of a form", help);
        }
        if number == FORMS_MAX {
            whole(
                "is one form too many",
                format!("a site has {FORMS_MAX} forms at most: remove those that nobody sends any more"),
            );
        }
        let Some(document) = document else { continue };
        let mut walker = Walker::of(document, site);
        walker.walk(&Shape::Table(FORM), &document.root, "");
        mistakes.extend(walker.mistakes);
        let mut form = Form { document, mistakes };
        form.anchors();
        form.fields();
    }
}

struct Form<'a> {
    document: &'a Document,
    mistakes: &'a mut Vec<Mistake>,
}

impl Form<'_> {
    fn complain(&mut self, node: &Node, key: impl Into<String>, message: impl Into<String>, help: impl Into<String>) {
        self.mistakes.push(Mistake::new(self.document.place(&node.span), key, message, help));
    }

    fn anchors(&mut self) {
        let document = self.document;
        let Some(node) = document.root.get(&["anchor"]) else { return };
        let anchors = node.items();
        if anchors.len() > ANCHORS_MAX {
            self.complain(
                node,
                "anchor",
                format!("has {} entries", anchors.len()),
                format!("a form has {ANCHORS_MAX} anchors at most"),
            );
        }
        let needed = match document.root.get(&["anchors_min"]).map(|node| &node.value) {
            Some(Value::Integer(Some(number))) => usize::try_from(*number).unwrap_or(ANCHORS_FOUND_MIN),
            _ => ANCHORS_FOUND_MIN,
        };
        if anchors.len() < needed {
            let help = format!(
                "add words that are printed on the form, {needed} at least, or lower anchors_min: no less than {ANCHORS_FOUND_MIN}"
            );
            self.complain(node, "anchor", format!("has {} entries, and {needed} must be found on a page", anchors.len()), help);
        }
        let mut middles: Vec<(String, [f64; 2])> = Vec::new();
        for (at, anchor) in anchors.iter().enumerate() {
            let Some([left, top, right, bottom]) = self.box_mm(anchor, &format!("anchor.{at}")) else { continue };
            let Some(words) = anchor.get(&["words"]).and_then(Node::as_text) else { continue };
            let (words, middle) = (fax::folded(words), [f64::midpoint(left, right), f64::midpoint(top, bottom)]);
            const SAME_MM: f64 = 5.0;
            if middles.iter().any(|(other, place)| *other == words && apart(*place, middle) < SAME_MM) {
                self.complain(
                    anchor,
                    format!("anchor.{at}"),
                    "stands there already",
                    "each printed word is one anchor: remove one of the two",
                );
            }
            middles.push((words, middle));
        }
        let spread = middles.iter().flat_map(|(_, one)| middles.iter().map(|(_, other)| apart(*one, *other))).fold(0.0, f64::max);
        if middles.len() >= needed && spread < ANCHORS_SPREAD_MM_MIN {
            let help = format!("take words from all over the page, the outermost {ANCHORS_SPREAD_MM_MIN} mm apart at least");
            self.complain(node, "anchor", "all lie in one corner of the page", help);
        }
    }

    fn fields(&mut self) {
        let document = self.document;
        let Some(node) = document.root.get(&["field"]) else { return };
        if node.items().len() > FIELDS_MAX {
            self.complain(
                node,
                "field",
                format!("has {} entries", node.items().len()),
                format!("a form has {FIELDS_MAX} fields at most"),
            );
        }
        let mut seen = BTreeMap::new();
        for (at, field) in node.items().iter().enumerate() {
            let key = format!("field.{at}");
            let Some(path) = field.get(&["path"]).and_then(Node::as_text) else { continue };
            if seen.insert(path, ()).is_some() {
                self.complain(
                    field,
                    key.as_str(),
                    format!("{path} stands on the form already"),
                    "each path has one place on a form: remove one of the two",
                );
            }
            match (field.get(&["box_mm"]), field.get(&["options"])) {
                (Some(_), None) => {
                    self.box_mm(field, &key);
                }
                (None, Some(options)) => self.options(options, path, &format!("{key}.options")),
                _ => {
                    let help = "write box_mm = [left, top, right, bottom] for a value that is written, or options = […] for boxes to tick";
                    self.complain(field, key.as_str(), "needs either box_mm or options", help);
                }
            }
        }
    }

    fn options(&mut self, node: &Node, path: &str, key: &str) {
        let Ok(words) = form_options(path) else {
            let help = "only priority, patient.sex and referred_to.specialty are chosen by boxes: write box_mm instead";
            self.complain(node, key, format!("{path} is not chosen by boxes"), help);
            return;
        };
        if node.items().len() < 2 {
            self.complain(
                node,
                key,
                "is no choice",
                "write every box of the choice, two at least: one alone says nothing when it is empty",
            );
        }
        for (at, option) in node.items().iter().enumerate() {
            let key = format!("{key}.{at}");
            self.box_mm(option, &key);
            let value = option.get(&["value"]).and_then(|node| Some((node, node.as_text()?)));
            let (Some((value, text)), Some(words)) = (value, words) else { continue };
            if !words.contains(&text) {
                let near =
                    nearest(text, words.iter().copied()).map(|near| format!("did you mean \"{near}\"? ")).unwrap_or_default();
                let known = words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ");
                self.complain(
                    value,
                    format!("{key}.value"),
                    format!("\"{text}\" is nothing that {path} can be"),
                    format!("{near}one of {known}"),
                );
            }
        }
    }

    /// The box of an entry, when it is one. A number that is none was found by the walk.
    fn box_mm(&mut self, entry: &Node, key: &str) -> Option<[f64; 4]> {
        let node = entry.get(&["box_mm"])?;
        let Value::List(items) = &node.value else { return None };
        let numbers: Option<Vec<f64>> = items.iter().map(number).collect();
        let frame: Option<[f64; 4]> = numbers.and_then(|numbers| numbers.try_into().ok());
        match frame {
            Some([left, top, right, bottom]) if left < right && top < bottom => Some([left, top, right, bottom]),
            _ => {
                let help =
                    "write [left, top, right, bottom] in millimetres from the page's upper left corner: [20.0, 45.5, 96.0, 51.0]";
                self.complain(node, format!("{key}.box_mm"), "is no box on the page", help);
                None
            }
        }
    }
}

fn number(node: &Node) -> Option<f64> {
    match node.value {
        #[expect(clippy::cast_precision_loss, reason = "millimetres of a page")]
        Value::Integer(number) => number.map(|number| number as f64),
        Value::Number(number) => Some(number),
        _ => None,
    }
}

fn apart([x, y]: [f64; 2], [other_x, other_y]: [f64; 2]) -> f64 {
    (x - other_x).hypot(y - other_y)
}

/// The forms, typed, and their values in effect; none when keys and types have drifted apart.
pub(super) fn load(files: &Files, data: &Path, mistakes: &mut Vec<Mistake>) -> Option<(Templates, Vec<EffectiveEntry>)> {
    let shape = Shape::Table(FORM);
    let mut forms = Vec::new();
    let mut entries = Vec::new();
    for FormFile { name, document, .. } in &files.forms {
        let document = document.as_ref()?;
        forms.push((name.clone(), deserialize::<fax::FormFile>(document, &shape, data, mistakes)?));
        entries.extend(entries_of(document, &shape, &format!("form.{name}"), data));
    }
    Some((Templates::of(forms), entries))
}
