//! What kind of page it is: a cover, a referral, or what came with one. By the words in `kinds.toml`, and by the labels it has.

use std::{collections::BTreeSet, sync::LazyLock};

use serde::Deserialize;

use super::{
    labels::{Marks, Meaning, fold},
    layout::Sheet,
    places::Shape,
};
use crate::referral::PageKind;

/// How often a title counts, and how many titles of a kind count.
const TITLE_COUNTS: usize = 3;
const TITLES_MAX: usize = 2;
/// A line of more words is no title.
const TITLE_WORDS_MAX: usize = 6;
/// A page that counts less for every kind is of none.
const COUNT_MIN: usize = 3;
/// As many words of the table are told of a page.
const EVIDENCE_MAX: usize = 4;

#[derive(Deserialize)]
struct Table {
    kind: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    kind: PageKind,
    titles: Vec<String>,
    words: Vec<String>,
}

/// Words as they are printed in the table, and folded.
struct Phrase {
    printed: String,
    folded: Vec<String>,
}

struct Words {
    kind: PageKind,
    titles: Vec<Phrase>,
    words: Vec<Phrase>,
}

static KINDS: LazyLock<Vec<Words>> = LazyLock::new(|| {
    let table: Table = toml::from_str(include_str!("kinds.toml")).expect("the table is part of the program and a test reads it");
    let phrases = |printed: Vec<String>| {
        let phrase = |printed: String| Phrase { folded: printed.split(' ').map(fold).collect(), printed };
        printed.into_iter().map(phrase).collect()
    };
    let words = |entry: Entry| Words { kind: entry.kind, titles: phrases(entry.titles), words: phrases(entry.words) };
    table.kind.into_iter().map(words).collect()
});

/// The kind of a page, and the printed words that say so.
pub(super) fn kind(sheet: &Sheet, marks: &Marks, shape: &Shape) -> (PageKind, Vec<String>) {
    if sheet.segments.is_empty() {
        return (PageKind::Blank, Vec::new());
    }
    let lines: Vec<Vec<String>> = sheet.segments.iter().map(|segment| folded(&segment.text())).collect();
    let counted: Vec<(usize, PageKind, Vec<String>)> = KINDS
        .iter()
        .map(|words| {
            let (mut count, mut evidence) = words.counted(&lines);
            if words.kind == PageKind::Referral {
                let asks = asks(marks).len();
                count += asks + 2 * usize::from(shape.letter);
                evidence.extend((asks > 0).then(|| format!("{asks} labels of a request")));
                evidence.extend(shape.letter.then(|| "a letter".to_owned()));
            }
            (count, words.kind, evidence)
        })
        .collect();
    let evidence_of = |kind| counted.iter().find(|(_, of, _)| *of == kind).map(|(.., evidence)| evidence.clone());
    if shape.cover {
        return (PageKind::Cover, evidence_of(PageKind::Cover).unwrap_or_default());
    }
    // Of two that count the same the earlier one of the table is taken: a form with a table of results is a form.
    let others = counted.iter().filter(|(count, kind, _)| *count >= COUNT_MIN && *kind != PageKind::Cover);
    match others.rev().max_by_key(|(count, ..)| *count) {
        Some((_, kind, evidence)) => (*kind, evidence.clone()),
        None => (PageKind::Continuation, Vec::new()),
    }
}

impl Words {
    /// How much a page counts for this kind, and the words that do.
    fn counted(&self, lines: &[Vec<String>]) -> (usize, Vec<String>) {
        let titles = self.titles.iter().filter(|title| {
            let is_titled = |line: &&Vec<String>| line.len() <= TITLE_WORDS_MAX && has(line, &title.folded);
            // "Fax" alone is a title; with a number behind it it is a label.
            lines.iter().filter(is_titled).any(|line| title.folded.len() > 1 || line.len() == 1 || self.kind != PageKind::Cover)
        });
        let titles: Vec<&Phrase> = titles.collect();
        let words: Vec<&Phrase> = self.words.iter().filter(|phrase| lines.iter().any(|line| has(line, &phrase.folded))).collect();
        let count = TITLE_COUNTS * titles.len().min(TITLES_MAX) + words.len();
        let evidence = titles.into_iter().chain(words).map(|phrase| phrase.printed.clone()).take(EVIDENCE_MAX);
        (count, evidence.collect())
    }
}

/// The words of a text, each folded, those that are nothing but signs left out.
fn folded(text: &str) -> Vec<String> {
    text.split(|c: char| c.is_whitespace() || c == '/').map(fold).filter(|word| !word.is_empty()).collect()
}

fn has(line: &[String], phrase: &[String]) -> bool {
    line.windows(phrase.len().max(1)).any(|words| words == phrase)
}

/// The different labels of a request that a page has, by number.
pub(super) fn asks(marks: &Marks) -> BTreeSet<u8> {
    let asks = |meaning: Meaning| {
        matches!(
            meaning,
            Meaning::Reason
                | Meaning::Specialty
                | Meaning::Priority
                | Meaning::ReferredName
                | Meaning::ReferredTo
                | Meaning::ReferredOrganization
                | Meaning::ReferredPhone
                | Meaning::ReferredFax
                | Meaning::ReferringName
                | Meaning::ReferringNpi
                | Meaning::Diagnoses
                | Meaning::Procedures
                | Meaning::Authorization
        )
    };
    marks.labels.iter().filter(|label| asks(label.meaning)).map(|label| label.meaning as u8).collect()
}
