//! Where the words of a page say that the patient is dead, beside its labels: a note, a stamp, a ticked word, brackets behind the name.

use super::{
    candidates::{Candidates, Field, Rank},
    labels::{Marks, Meaning},
    layout::{Sheet, text_of},
    regions,
};
use crate::{normalize::death, reader::Word};

/// Reads the segments of a page.
pub(super) fn read(sheet: &Sheet, marks: &Marks, found: &mut Candidates) {
    for (at, segment) in sheet.segments.iter().enumerate() {
        // What its own label asks is read with that label.
        if marks.at(at, 0).is_some_and(|label| label.colon && label.meaning == Meaning::Deceased) {
            continue;
        }
        let text = segment.text();
        let row = || sheet.row(segment.row).flat_map(|(_, segment)| &segment.words);
        let left: Vec<Word> = row().filter(|word| (word.bounds[0] as f32) < segment.area.left).cloned().collect();
        let alone = row().count() == segment.words.len();
        let boxed = row().any(regions::is_box_or_brackets);
        // A word by itself is a stamp where nothing stands beside it, and the head of a column where something does.
        let is_said = !boxed && (alone || segment.words.len() > 1) && death::is_stated(&text);
        let ticked = (1..segment.words.len()).any(|at| is_ticked(&segment.words, at));
        let names_patient = text.to_lowercase().contains("patient");
        if (is_said || ticked) && (names_patient || !death::is_of_another(&text_of(&left))) {
            found.add(Field::Deceased, SAID.to_owned(), &segment.words, sheet.page, Rank::Place, 1.0);
        }
    }
}

/// What a candidate says that was found.
pub(super) const SAID: &str = "yes";

/// Whether this word is "deceased" with a ticked box before it, and none behind it that may be its own.
fn is_ticked(words: &[Word], at: usize) -> bool {
    let ticked = |word: &Word| matches!(word.text.as_str(), "\u{2612}" | "[X]" | "[x]" | "(X)" | "(x)");
    let before = at.checked_sub(1).and_then(|at| words.get(at)).is_some_and(ticked);
    let behind = words.get(at + 1).is_some_and(regions::is_box_or_brackets);
    before && !behind && words.get(at).is_some_and(is_word)
}

/// Whether a word says it by itself.
pub(super) fn is_word(word: &Word) -> bool {
    word.text.trim_matches(|c: char| !c.is_alphanumeric()).eq_ignore_ascii_case("deceased")
}
