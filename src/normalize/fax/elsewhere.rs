//! Names checked against the rest of the document: the same name in a subject line, a signature, a header.
//!
//! A name that stands elsewhere to the letter is surer for it. One that stands elsewhere with a letter or two changed was misread in one of
//! the two places, and which one is for a person to see.

use super::{
    candidates::{Candidate, Candidates, Field},
    lists,
};
use crate::reader::{PageReading, Word};

/// Shorter words are like too many others.
const LETTERS_MIN: usize = 5;
/// A word less sure than this says nothing of another.
const SURENESS_MIN: f32 = 0.7;
/// How sure a name is at most that stands elsewhere with other letters.
const CONTESTED_MAX: f32 = 0.8;
/// How much of the doubt stays where it stands elsewhere to the letter.
const DOUBT_LEFT: f32 = 0.6;

/// Checks every name among the candidates, by the pages of its document.
pub(super) fn check<'p>(found: &mut Candidates, pages: impl Iterator<Item = &'p PageReading>) {
    let known: Vec<(u32, &Word, String)> = pages
        .flat_map(|page| page.words.iter().map(move |word| (page.number, word)))
        .map(|(page, word)| (page, word, plain(&word.text)))
        .filter(|(_, word, text)| text.chars().count() + 1 >= LETTERS_MIN && word.confidence >= SURENESS_MIN)
        .collect();
    for candidate in found.all.iter_mut().filter(|candidate| is_name(candidate.field)) {
        let seen: Vec<Seen> = candidate
            .value
            .split_whitespace()
            .map(plain)
            .filter(|text| text.chars().count() >= LETTERS_MIN && !lists::looks_like_organization(text))
            .map(|text| seen(&text, candidate, &known))
            .collect();
        if seen.contains(&Seen::Otherwise) {
            candidate.confidence = candidate.confidence.min(CONTESTED_MAX);
        } else if !seen.is_empty() && seen.iter().all(|seen| *seen == Seen::Alike) {
            candidate.confidence = 1.0 - (1.0 - candidate.confidence) * DOUBT_LEFT;
        }
    }
}

fn is_name(field: Field) -> bool {
    matches!(field, Field::Family | Field::Given | Field::ReferringFamily | Field::ReferringGiven | Field::ReferringOrganization)
}

fn plain(text: &str) -> String {
    text.trim_end_matches("'s").chars().filter(|c| c.is_alphabetic()).flat_map(char::to_lowercase).collect()
}

/// How a word stands in the rest of the document.
#[derive(Clone, Copy, PartialEq)]
enum Seen {
    Nowhere,
    Alike,
    /// Nowhere to the letter, and somewhere nearly.
    Otherwise,
}

fn seen(text: &str, candidate: &Candidate, known: &[(u32, &Word, String)]) -> Seen {
    let mut seen = Seen::Nowhere;
    for (page, word, other) in known {
        let [left, top, right, bottom] = word.bounds;
        let own = *page == candidate.page
            && left < candidate.bounds[2]
            && right > candidate.bounds[0]
            && top < candidate.bounds[3]
            && bottom > candidate.bounds[1];
        if own {
            continue;
        }
        if other == text {
            return Seen::Alike;
        }
        let off = if text.chars().count() > 7 { 2 } else { 1 };
        if other.chars().count().abs_diff(text.chars().count()) <= 1 && strsim::levenshtein(other, text) <= off {
            seen = Seen::Otherwise;
        }
    }
    seen
}
