//! Words of urgency that stand by themselves: a stamp, a title, a line in capitals, a ticked box of a cover page.
//!
//! They never give the priority. Where one contradicts what is filled in for it, a person must say which is meant.

use super::{
    candidates::{Candidates, Field, Rank},
    forms::priority_word,
    labels::{Marks, Meaning},
    layout::{Segment, Sheet, text_of},
    lists, regions,
};
use crate::{reader::Word, referral::Priority};

/// A line of so few words says it whatever its letters.
const SHORT_WORDS_MAX: usize = 2;
/// Rows above and below in which another choice makes it one of several to choose from.
const ROWS_NEAR: usize = 2;

/// Adds the words of urgency of a page.
pub(super) fn read(sheet: &Sheet, marks: &Marks, found: &mut Candidates) {
    for (at, segment) in sheet.segments.iter().enumerate() {
        let labelled =
            marks.labels.iter().any(|label| label.segment == at && (label.colon || label.meaning == Meaning::Priority));
        if labelled || marks.is_strange(at) || is_of_asked_row(sheet, marks, segment) {
            continue;
        }
        let conditional = is_conditional(segment);
        for (place, word) in segment.words.iter().enumerate() {
            let Some(priority) = urgent(&word.text) else { continue };
            let boxed = place.checked_sub(1).and_then(|before| segment.words.get(before));
            let ticked = boxed.is_some_and(|mark| matches!(mark.text.to_lowercase().as_str(), "\u{2612}" | "[x]" | "(x)"));
            let stands_out = ticked || (!conditional && says_so(segment, word) && !is_offered(sheet, marks, segment, priority));
            if stands_out {
                let words = std::slice::from_ref(word);
                found.add(Field::Urgency, priority_word(priority).to_owned(), words, sheet.page, Rank::Text, 1.0);
            }
        }
    }
}

/// What a word says of urgency, of those that are said of nothing else.
fn urgent(word: &str) -> Option<Priority> {
    const ELSEWHERE: [&str; 3] = ["emergency", "immediate", "immediately"];
    let plain = word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    let priority = lists::priority(word)?;
    (matches!(priority, Priority::Stat | Priority::Urgent) && !ELSEWHERE.contains(&plain.as_str())).then_some(priority)
}

/// Whether a word stands in capitals, or nearly alone, in what is no practice's name.
fn says_so(segment: &Segment, word: &Word) -> bool {
    let capitals = !word.text.contains(char::is_lowercase);
    let solid = segment.words.iter().filter(|word| word.text.contains(char::is_alphanumeric)).count();
    (capitals || solid <= SHORT_WORDS_MAX) && !lists::looks_like_organization(&segment.text())
}

/// Whether a line asks, denies, or says what would be done if.
fn is_conditional(segment: &Segment) -> bool {
    const WORDS: [&str; 10] = ["if", "not", "non", "no", "when", "for", "call", "emergency", "care", "within"];
    let plain = |word: &Word| word.text.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    segment.words.iter().any(|word| word.text.contains(['?', '=']) || WORDS.contains(&plain(word).as_str()))
}

/// Whether the priority is asked for on the row of a segment: what stands there is read by the rules of its label.
fn is_of_asked_row(sheet: &Sheet, marks: &Marks, segment: &Segment) -> bool {
    marks.labels.iter().any(|label| {
        label.meaning == Meaning::Priority && sheet.segments.get(label.segment).is_some_and(|own| own.row == segment.row)
    })
}

/// Whether a word is one of several to choose from, ticked or not: another priority, or boxes, stand on its row or close by.
fn is_offered(sheet: &Sheet, marks: &Marks, segment: &Segment, priority: Priority) -> bool {
    let asked = |at: usize| marks.labels.iter().any(|label| label.segment == at && label.meaning == Meaning::Priority);
    let near = |(at, other): &(usize, &Segment)| other.row.abs_diff(segment.row) <= ROWS_NEAR && !asked(*at);
    let row: Vec<Word> = sheet.row(segment.row).flat_map(|(_, segment)| segment.words.iter().cloned()).collect();
    let another =
        |other: &Segment| other.words.iter().filter_map(|word| lists::priority(&word.text)).any(|said| said != priority);
    let aligned =
        |other: &Segment| other.row != segment.row && (other.area.left - segment.area.left).abs() < 4.0 * sheet.text_height;
    row.iter().any(regions::is_box_or_brackets)
        || row.iter().filter_map(|word| lists::priority(&word.text)).any(|said| said != priority)
        || sheet
            .segments
            .iter()
            .enumerate()
            .filter(near)
            .any(|(_, other)| aligned(other) && another(other) && text_of(&other.words).len() < 60)
}
