//! What is filled in by hand: words in larger, wider writing behind the labels of a form, of which the recognizer is less sure than of print.
//!
//! # Design notes
//! A handwritten 1 is taken for a 7 as surely as a printed one is read, so of a word written by hand its own confidence says little. A page
//! of writing tells itself: behind labels in one print stand words that are both taller and wider than any of it, several of them, and a good
//! part of them was read with less than the full confidence that print of this size has. Values that are merely printed larger have it.

use super::{
    labels::{Label, Marks},
    layout::{Area, Sheet, median},
};
use crate::reader::Word;

/// How much taller than the labels of its page, and how much wider letter for letter, a word must be.
const TALLER_MIN: f32 = 1.25;
const WIDER_MIN: f32 = 1.25;
/// So many words make writing of what may be a speck or a stroke.
const WORDS_MIN: usize = 4;
/// Print is read more surely than this.
const PRINT_SURENESS: f32 = 0.935;
/// The share of the words that was read less surely.
const UNSURE_SHARE_MIN: f32 = 0.3;
/// Labels that show the print of a form, at least.
const LABELS_MIN: usize = 3;

/// The words of a page that seem to be written by hand.
pub(super) fn written(sheet: &Sheet, marks: &Marks) -> Vec<Area> {
    let of_labels: Vec<&Word> = (marks.labels.iter())
        .filter_map(|label| sheet.segments.get(label.segment)?.words.get(label.from..label.to))
        .flatten()
        .filter(|word| is_solid(word))
        .collect();
    if of_labels.len() < LABELS_MIN {
        return Vec::new();
    }
    let (tall, wide) =
        (median(of_labels.iter().map(|word| height(word))), median(of_labels.iter().map(|word| letter_width(word))));
    // What stands before the labels of a row may be a title or a practice's name.
    let row = |label: &Label| sheet.segments.get(label.segment).map(|segment| segment.row);
    let behind_label = |at: usize, word: &Word| {
        let own = sheet.segments.get(at).map(|segment| segment.row);
        marks.labels.iter().any(|label| row(label) == own && label.area.right <= word.bounds[0] as f32 + 1.0)
    };
    let larger: Vec<&Word> = (sheet.segments.iter().enumerate())
        .flat_map(|(at, segment)| segment.words.iter().enumerate().map(move |(place, word)| (at, place, word)))
        .filter(|(at, place, word)| is_solid(word) && marks.at(*at, *place).is_none() && behind_label(*at, word))
        .map(|(_, _, word)| word)
        .filter(|word| height(word) >= TALLER_MIN * tall && letter_width(word) >= WIDER_MIN * wide)
        .collect();
    let unsure = larger.iter().filter(|word| word.confidence < PRINT_SURENESS).count();
    if larger.len() < WORDS_MIN || (unsure as f32) < UNSURE_SHARE_MIN * larger.len() as f32 {
        return Vec::new();
    }
    larger.into_iter().map(|word| Area::around(std::slice::from_ref(word))).collect()
}

fn is_solid(word: &Word) -> bool {
    word.text.chars().any(char::is_alphanumeric)
}

fn height(word: &Word) -> f32 {
    word.bounds[3].saturating_sub(word.bounds[1]) as f32
}

fn letter_width(word: &Word) -> f32 {
    word.bounds[2].saturating_sub(word.bounds[0]) as f32 / word.text.chars().count().max(1) as f32
}
