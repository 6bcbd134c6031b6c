//! How far a label is to be believed where it stands: within a sentence, behind a label that nobody knows, or below another matter.
//!
//! # Design notes
//! A sentence tells of anybody: "whose daughter (born 04/12/1971, cell 541-555-0117) came along". What it says of days and numbers is what a
//! label proper outweighs, and is for a person to check; where it speaks of a relative it is not the patient's at all.

use super::{
    labels::{Label, Marks, Meaning, Subject},
    layout::{Segment, Sheet, text_of},
    subjects,
};
use crate::{normalize::death, reader::Word};

/// How a label stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// As labels do.
    Proper,
    /// Where what it announces may be somebody else's.
    Doubtful,
    /// Among the words of a sentence.
    InSentence,
    /// Among the words of a sentence that speaks of a relative.
    OfRelative,
}

/// How a label stands that is about this subject.
pub(super) fn of(sheet: &Sheet, marks: &Marks, label: &Label, subject: Option<Subject>) -> Standing {
    if !(is_number(label.meaning) || says_not_whose(label.meaning)) {
        return Standing::Proper;
    }
    if is_number(label.meaning) && !is_of_fax(label.meaning) && follows_relative(sheet, marks, label) {
        return Standing::OfRelative;
    }
    if is_number(label.meaning) && is_in_sentence(sheet, marks, label) {
        let kin = death::is_of_another(&sentence_before(sheet, label));
        return if kin { Standing::OfRelative } else { Standing::InSentence };
    }
    if label.meaning == Meaning::PatientPhone && subject == Some(Subject::Other) && !names_the_patient(sheet, label) {
        return Standing::Doubtful;
    }
    let strange = label.from > 0 && marks.is_strange(label.segment);
    let below = subject == Some(Subject::ReferredTo) && is_below_another_matter(sheet, marks, label);
    if says_not_whose(label.meaning) && (strange || below) { Standing::Doubtful } else { Standing::Proper }
}

/// "Home phone" may be that of the guarantor above it; "Patient phone" is not.
fn names_the_patient(sheet: &Sheet, label: &Label) -> bool {
    let words = sheet.segments.get(label.segment).and_then(|segment| segment.words.get(label.from..label.to)).unwrap_or_default();
    let text = text_of(words).to_lowercase();
    text.contains("patient") || text.starts_with("pt")
}

/// Birth dates, telephone and fax numbers.
fn is_number(meaning: Meaning) -> bool {
    meaning == Meaning::BirthDate || meaning.is_of_a_line()
}

/// What is taken for whoever was named last.
fn says_not_whose(meaning: Meaning) -> bool {
    matches!(
        meaning,
        Meaning::BirthDate
            | Meaning::PatientMobile
            | Meaning::PatientWorkPhone
            | Meaning::Name
            | Meaning::Provider
            | Meaning::Organization
            | Meaning::Npi
            | Meaning::Phone
            | Meaning::Fax
    )
}

fn is_of_fax(meaning: Meaning) -> bool {
    matches!(meaning, Meaning::ReferringFax | Meaning::ReferredFax | Meaning::Fax)
}

/// Whether a relative is named right before a label, behind no other: "father Walter, cell 503-555-0102". Fewer words than those that
/// [`death::is_of_another`] knows: behind "family" and "contact" a practice's number stands as well.
fn follows_relative(sheet: &Sheet, marks: &Marks, label: &Label) -> bool {
    const RELATIVES: [&str; 18] = [
        "father", "mother", "brother", "sister", "son", "daughter", "husband", "wife", "spouse", "partner", "parent", "parents",
        "uncle", "aunt", "cousin", "mom", "dad", "guardian",
    ];
    let Some(segment) = sheet.segments.get(label.segment) else { return false };
    let from = (0..label.from).rev().find(|at| marks.at(label.segment, *at).is_some()).map_or(0, |at| at + 1);
    let before = segment.words.get(from..label.from).unwrap_or_default();
    let plain = |word: &Word| word.text.trim_matches(|c: char| !c.is_alphabetic()).to_lowercase();
    before.iter().any(|word| RELATIVES.contains(&plain(word).as_str()))
}

/// Whether a label without a colon is a word of a sentence: several words with small letters stand around it that are no labels, or one right
/// before it where it has a small letter too.
fn is_in_sentence(sheet: &Sheet, marks: &Marks, label: &Label) -> bool {
    const SMALL_MIN: usize = 4;
    const SMALL_BESIDE_MIN: usize = 2;
    if label.colon || label.below.is_some() {
        return false;
    }
    let Some(segment) = sheet.segments.get(label.segment) else { return false };
    let is_small = |word: &Word| {
        let plain = word.text.trim_start_matches('(');
        plain.starts_with(char::is_lowercase) && plain.chars().filter(|c| c.is_alphabetic()).count() > 1
    };
    let free = |at: usize| marks.at(label.segment, at).is_none();
    let small = segment.words.iter().enumerate().filter(|(at, word)| free(*at) && is_small(word)).count();
    let named_small = segment.words.get(label.from).is_some_and(is_small);
    small >= SMALL_MIN || (named_small && small >= SMALL_BESIDE_MIN)
}

/// What its sentence says before a label, from the line above on.
fn sentence_before(sheet: &Sheet, label: &Label) -> String {
    let Some(own) = sheet.segments.get(label.segment) else { return String::new() };
    let is_above = |segment: &&Segment| {
        segment.row + 1 == own.row
            && segment.area.overlaps_sideways(own.area)
            && own.area.top - segment.area.bottom < sheet.text_height
    };
    let above = sheet.segments.iter().find(is_above);
    let before = own.words.get(..label.from).unwrap_or_default();
    let words: Vec<Word> = above.map(|above| above.words.as_slice()).unwrap_or_default().iter().chain(before).cloned().collect();
    let ends = |word: &Word| word.text.ends_with(['.', '?', '!']) && word.text.chars().filter(|c| c.is_alphabetic()).count() > 2;
    let from = words.iter().rposition(ends).map_or(0, |at| at + 1);
    text_of(words.get(from..).unwrap_or_default())
}

/// Whether, in a column, something that is asked or that is the patient's stands between a label and the name of the specialist above it: a
/// number at the foot of a page is rather the sender's.
fn is_below_another_matter(sheet: &Sheet, marks: &Marks, label: &Label) -> bool {
    const ASIDE_HEIGHTS_MAX: f32 = 4.0;
    let row = |segment: usize| sheet.segments.get(segment).map_or(0, |segment| segment.row);
    let own = row(label.segment);
    let above = |other: &&Label| row(other.segment) <= own && subjects::sets(other.meaning) == Some(Subject::ReferredTo);
    let named = marks.labels.iter().filter(above).max_by_key(|other| row(other.segment));
    let Some(named) = named else { return false };
    let headed = marks
        .headings
        .iter()
        .any(|heading| heading.subject == Subject::ReferredTo && (row(named.segment)..=own).contains(&row(heading.segment)));
    let is_other_matter = |other: &Label| {
        matches!(
            other.meaning,
            Meaning::Reason
                | Meaning::Diagnoses
                | Meaning::Medications
                | Meaning::Allergies
                | Meaning::BirthDate
                | Meaning::PatientName
                | Meaning::PatientFamily
        )
    };
    !headed
        && marks.labels.iter().any(|other| {
            is_other_matter(other)
                && row(other.segment) > row(named.segment)
                && row(other.segment) < own
                && (other.area.left - named.area.left).abs() < ASIDE_HEIGHTS_MAX * sheet.text_height
        })
}
