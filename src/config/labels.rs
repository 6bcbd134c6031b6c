//! Checks `site/labels.toml`: that no words are given two meanings.

use std::collections::BTreeMap;

use super::{
    document::{Document, Node},
    mistake::Mistake,
};
use crate::normalize::fax;

/// Checks what only several entries together show.
pub(super) fn check(document: &Document, mistakes: &mut Vec<Mistake>) {
    for (table, of) in [("label", "meaning"), ("section", "subject")] {
        let mut seen: BTreeMap<(String, bool), &str> = BTreeMap::new();
        for (index, entry) in document.root.get(&[table]).map(Node::items).unwrap_or_default().iter().enumerate() {
            let Some(meaning) = entry.get(&[of]).and_then(Node::as_text) else { continue };
            let colon = entry.get(&["colon"]).is_some_and(Node::is_true);
            for (number, variant) in entry.get(&["variants"]).map(Node::items).unwrap_or_default().iter().enumerate() {
                let Some(text) = variant.as_text() else { continue };
                let first = *seen.entry((fax::folded(text), colon)).or_insert(meaning);
                if first != meaning {
                    mistakes.push(Mistake::new(
                        document.place(&variant.span),
                        format!("{table}.{index}.variants.{number}"),
                        format!("stands for {first} already"),
                        "the same words name one thing: remove one of the two",
                    ));
                }
            }
        }
    }
}
