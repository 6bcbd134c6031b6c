//! What is asked for: the reason, diagnoses, procedures, and notes.

use super::{
    super::{
        candidates::{Candidates, DIGITS_TRUST, Field, Rank},
        codes, icd10cm,
        labels::{Label, Meaning},
        layout::text_of,
        lists, regions,
    },
    Context,
};
use crate::reader::Word;

/// How many lines a reason may run over.
const REASON_LINES_MAX: usize = 12;

pub(super) fn reason(context: &Context<'_>, label: &Label, found: &mut Candidates) {
    if context.cover || (context.letter && !label.colon) {
        return;
    }
    let Some((words, trust)) = context.plain(label, REASON_LINES_MAX) else { return };
    let value = words.iter().map(|word| lists::capital_i(&word.text)).collect::<Vec<_>>().join(" ");
    if value.chars().filter(|c| c.is_alphabetic()).count() < 4 {
        return;
    }
    let candidate = found.add(Field::Reason, value, &words, context.page(), Rank::OwnLabel, 1.0);
    candidate.confidence = prose(&words) * trust * offered_trust(&words) * if whole(&words) { 1.0 } else { 0.9 };
}

/// How far running text is trusted that is a list of options, the ticked and the others: a person must see what it comes to.
fn offered_trust(words: &[Word]) -> f32 {
    if words.iter().any(regions::is_box_or_brackets) { 0.9 } else { 1.0 }
}

/// Whether nothing seems to be missing: several words, and no gap between two of them that a word would fill.
fn whole(words: &[Word]) -> bool {
    const GAP_HEIGHTS_MAX: f32 = 2.0;
    let gap = words.windows(2).any(|pair| {
        let [one, next] = pair else { return false };
        let [_, top, right, bottom] = one.bounds.map(|edge| edge as f32);
        let [left, next_top, _, next_bottom] = next.bounds.map(|edge| edge as f32);
        next_top < bottom && next_bottom > top && left - right > GAP_HEIGHTS_MAX * (bottom - top).max(next_bottom - next_top)
    });
    words.len() > 1 && !gap
}

/// How sure running text is: one doubtful word among many does not change what it says.
pub(in crate::normalize::fax) fn prose(words: &[Word]) -> f32 {
    let solid: Vec<f32> =
        words.iter().filter(|word| word.text.chars().any(char::is_alphanumeric)).map(|word| word.confidence).collect();
    let mean = solid.iter().sum::<f32>() / (solid.len().max(1) as f32);
    let poor = solid.iter().filter(|confidence| **confidence < 0.5).count() as f32 / (solid.len().max(1) as f32);
    (0.99 - (0.9 - mean).max(0.0) * 0.5 - poor * 0.5).clamp(0.2, 0.99)
}

pub(super) fn diagnoses(context: &Context<'_>, label: &Label, found: &mut Candidates) {
    if context.cover {
        return;
    }
    let coded = |word: &Word| word.text.chars().filter(char::is_ascii_digit).count() >= 2;
    let Some((plain, trust)) = context.plain(label, 8) else { return };
    // The head of a column stands beside other heads: its codes are below.
    let words =
        if plain.iter().any(coded) { plain } else { context.found(label, 8, |words| words.iter().any(coded)).unwrap_or(plain) };
    let before = found.all.len();
    add_codes(found, context.page(), &words, Rank::OwnLabel, trust);
    if found.all.len() == before && words.iter().any(coded) {
        let candidate = found.add(Field::Diagnosis, String::new(), &words, context.page(), Rank::OwnLabel, 0.3);
        candidate.failed = Some(("diagnosis-unreadable", "the diagnosis code cannot be read: check it on the page"));
    } else if (0..words.len()).any(|at| is_lost_code(&words, at)) || is_short_of_a_line(&words, context.sheet.text_height) {
        found.doubt_from(before);
    }
}

/// Whether a word stands where a code of a list stands, looks like one and is none: the list is not whole.
fn is_lost_code(words: &[Word], at: usize) -> bool {
    const LENGTH: std::ops::RangeInclusive<usize> = 3..=8;
    let Some(word) = words.get(at) else { return false };
    let begins = at.checked_sub(1).and_then(|at| words.get(at)).is_none_or(|before| before.text.ends_with([',', ';']));
    let plain = word.text.trim_matches(|c: char| matches!(c, ',' | ';' | '(' | ')'));
    let digits = plain.chars().filter(char::is_ascii_digit).count();
    let shaped = digits >= 2 || (digits == 1 && plain.contains('.'));
    begins
        && shaped
        && LENGTH.contains(&plain.chars().count())
        && !plain.contains(|c: char| c.is_lowercase())
        && word.text.split([',', ';', '/']).all(|piece| codes::icd10(piece).is_none())
}

/// Whether a list of codes, one a line, has a line without one: something like a code stands where the codes of the others do, or nothing does,
/// and words stand where theirs do.
fn is_short_of_a_line(words: &[Word], text_height: f32) -> bool {
    let mut lines: Vec<&[Word]> = words
        .chunk_by(|one, next| next.bounds[0] >= one.bounds[0] && next.bounds[1] < one.bounds[3] && next.bounds[3] > one.bounds[1])
        .collect();
    lines.retain(|line| line.iter().any(|word| word.text.contains(char::is_alphanumeric)));
    let begins =
        |word: Option<&Word>, left: u32| word.is_some_and(|word| (word.bounds[0] as f32 - left as f32).abs() < text_height);
    let is_coded = |line: &[Word]| {
        line.first().is_some_and(|word| codes::icd10(&word.text).is_some_and(|code| code.trust > codes::BARE_TRUST))
    };
    let coded: Vec<&[Word]> = lines.iter().copied().filter(|line| is_coded(line)).collect();
    let Some(first) = coded.first().and_then(|line| line.first()) else { return false };
    let code_left = first.bounds[0];
    let text_left = coded.iter().filter_map(|line| line.get(1)).map(|word| word.bounds[0]).min();
    let at_code = |line: &[Word]| begins(line.first(), code_left) && line.first().is_some_and(is_like_a_code);
    let at_text = |line: &[Word]| {
        let capital = line.first().is_some_and(|word| word.text.starts_with(char::is_uppercase));
        coded.len() > 1 && capital && text_left.is_some_and(|left| begins(line.first(), left) && !begins(line.first(), code_left))
    };
    lines.iter().any(|line| !is_coded(line) && (at_code(line) || at_text(line)))
}

/// A short word with a digit in it beside letters or signs, as a code that was misread is.
fn is_like_a_code(word: &Word) -> bool {
    const LENGTH: std::ops::RangeInclusive<usize> = 3..=8;
    let plain = word.text.trim_matches(|c: char| matches!(c, ',' | ';' | '(' | ')' | ':'));
    let digits = plain.chars().filter(char::is_ascii_digit).count();
    let others = plain.chars().count() - digits;
    LENGTH.contains(&plain.chars().count()) && digits > 0 && others > 0 && !plain.ends_with("mg")
}

/// Adds every ICD-10-CM code among the words, each with the words that go with it.
pub(in crate::normalize::fax) fn add_codes(found: &mut Candidates, page: u32, words: &[Word], rank: Rank, trust: f32) {
    let mut codes: Vec<(usize, codes::ReadCode)> = Vec::new();
    for (at, word) in words.iter().enumerate() {
        // A list without blanks, "I10,E11.65", is several codes.
        let whole = codes::icd10(&word.text).filter(|_| !glued(&word.text));
        let begins = at.checked_sub(1).and_then(|at| words.get(at)).is_none_or(|before| before.text.ends_with([',', ';', ':']));
        if whole.as_ref().is_some_and(|code| code.trust <= codes::BARE_TRUST) && !begins {
            continue;
        }
        match whole.map(codes::checked) {
            Some(code) => codes.push((at, code)),
            None => {
                codes.extend(word.text.split([',', ';', '/']).filter_map(codes::icd10).map(|code| (at, codes::checked(code))))
            }
        }
    }
    for (place, (at, code)) in codes.iter().enumerate() {
        let word = words.get(*at..=*at).unwrap_or_default();
        let bracketed = word.first().is_some_and(|word| word.text.starts_with('('));
        let text = if bracketed {
            let from = place.checked_sub(1).and_then(|before| codes.get(before)).map_or(0, |(before, _)| before + 1);
            words.get(from..*at)
        } else {
            words.get(at + 1..codes.get(place + 1).map_or(words.len(), |(next, _)| *next)).map(without_system)
        };
        let text = text_of(text.unwrap_or_default());
        let text = text.trim_matches(|c: char| !c.is_alphanumeric() && c != ')').to_owned();
        let candidate = found.add(Field::Diagnosis, code.code.clone(), word, page, rank, trust * code.trust);
        if !icd10cm::is_listed(&code.code) {
            candidate.failed =
                Some(("diagnosis-not-listed", "the code is not on the ICD-10-CM list of 2026: check it on the page"));
        }
        candidate.also = Some(text).filter(|text| text.chars().count() > 2);
    }
}

/// The words behind a code without those that say which list it is from: `(ICD-10-CM) - Chronic …`.
fn without_system(words: &[Word]) -> &[Word] {
    let is_system = |word: &Word| {
        let plain: String = word.text.chars().filter(|c| c.is_alphanumeric()).collect();
        plain.is_empty() || ["ICD10", "ICD10CM", "ICD", "10", "CM", "10CM"].contains(&plain.to_uppercase().as_str())
    };
    let from = words.iter().position(|word| !is_system(word)).unwrap_or(words.len());
    words.get(from..).unwrap_or_default()
}

fn glued(text: &str) -> bool {
    let pieces: Vec<&str> = text.split([',', ';']).filter(|piece| !piece.is_empty()).collect();
    pieces.len() > 1 && pieces.iter().all(|piece| codes::icd10(piece).is_some_and(|code| code.trust > 0.95))
}

pub(super) fn procedures(context: &Context<'_>, label: &Label, found: &mut Candidates) {
    let Some(words) = context.found(label, 4, |words| words.iter().any(|word| procedure(word).is_some())) else { return };
    for word in &words {
        if let Some(code) = procedure(word) {
            let taken = std::slice::from_ref(word);
            found.add(Field::Procedure, code, taken, context.page(), Rank::OwnLabel, DIGITS_TRUST);
        }
    }
}

/// A CPT or HCPCS code: five digits, or four and a letter before or behind them.
fn procedure(word: &Word) -> Option<String> {
    let plain = word.text.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let inner = plain.get(1..4)?;
    let ends = [plain.chars().next()?, plain.chars().next_back()?];
    let letters = ends.iter().filter(|c| c.is_ascii_uppercase()).count();
    let shaped = plain.len() == 5 && inner.chars().all(|c| c.is_ascii_digit()) && ends.iter().all(char::is_ascii_alphanumeric);
    (shaped && letters <= 1 && !ends.iter().any(char::is_ascii_lowercase)).then(|| plain.to_owned())
}

pub(super) fn note(context: &Context<'_>, label: &Label, found: &mut Candidates) {
    if context.cover || (context.letter && !label.colon) {
        return;
    }
    let Some((words, trust)) = context.plain(label, 6) else { return };
    let text = words.iter().map(|word| lists::capital_i(&word.text)).collect::<Vec<_>>().join(" ");
    let value = match label.meaning {
        Meaning::Allergies => format!("Allergies: {text}"),
        Meaning::Medications => format!("Medications: {text}"),
        _ => text,
    };
    found.add(Field::Note, value, &words, context.page(), Rank::OwnLabel, 1.0).confidence =
        prose(&words) * trust * offered_trust(&words);
}
