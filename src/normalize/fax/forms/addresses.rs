//! Where the patient lives and can be written to.

use super::{
    super::{
        candidates::{Candidates, Field, Rank},
        labels::{Label, Meaning, Subject},
        layout::text_of,
        lists,
    },
    Context,
};
use crate::reader::Word;

pub(super) fn address(context: &Context<'_>, label: &Label, found: &mut Candidates) {
    if !matches!(context.subject, Some(Subject::Patient)) {
        return;
    }
    let Some((words, trust)) = context.plain(label, 2) else { return };
    let page = context.page();
    let field = match label.meaning {
        Meaning::City => Some(Field::City),
        Meaning::State => Some(Field::State),
        Meaning::PostalCode => Some(Field::PostalCode),
        other => {
            whole_address(found, page, &words, other == Meaning::CityStateZip, trust);
            None
        }
    };
    if let Some(field) = field {
        let first: Vec<Word> = if field == Field::City { words } else { words.into_iter().take(1).collect() };
        let value = text_of(&first).trim_matches(|c: char| !c.is_alphanumeric()).to_owned();
        found.add(field, value, &first, page, Rank::Label, trust);
    }
}

/// `12 Elm St, Portland, OR 97201` in its parts; what does not end in a state and a code is a street alone.
fn whole_address(found: &mut Candidates, page: u32, words: &[Word], without_street: bool, trust: f32) {
    let plain = |word: &Word| word.text.trim_matches(|c: char| !c.is_alphanumeric()).to_owned();
    let is_code = |state: &str, code: &str| {
        let numeric = code.chars().all(|c| c.is_ascii_digit() || c == '-');
        let four = lists::words().four_digit_states.iter().any(|known| known == state);
        let zip = state.len() == 2 && (code.len() == 5 || (code.len() == 10 && code.contains('-')));
        numeric && state.chars().all(|c| c.is_ascii_uppercase()) && (zip || (four && code.len() == 4))
    };
    let pair = |at: usize| Some(is_code(&plain(words.get(at.checked_sub(1)?)?), &plain(words.get(at)?)));
    let end = (1..words.len()).rev().find(|at| pair(*at) == Some(true));
    let tidy = |words: &[Word]| text_of(words).trim_matches(|c: char| !c.is_alphanumeric() && c != '.').to_owned();
    let Some(end) = end else {
        if !without_street && words.len() <= 10 {
            found.add(Field::Street, tidy(words), words, page, Rank::Label, trust);
        }
        return;
    };
    let (state, zip) = (words.get(end - 1..end).unwrap_or_default(), words.get(end..=end).unwrap_or_default());
    found.add(Field::State, tidy(state), state, page, Rank::Label, trust);
    found.add(Field::PostalCode, tidy(zip), zip, page, Rank::Label, trust);
    let before = words.get(..end - 1).unwrap_or_default();
    let commas: Vec<usize> = before.iter().enumerate().filter(|(_, word)| word.text.ends_with(',')).map(|(at, _)| at).collect();
    // "Street, City, ST": the comma before the city; the one right before the state parts nothing.
    let cut = commas.iter().rev().find(|at| **at + 1 < before.len()).copied();
    let (street, city) = match cut {
        Some(at) => before.split_at(at + 1),
        None if without_street => (Default::default(), before),
        None => (before, Default::default()),
    };
    if !street.is_empty() {
        found.add(Field::Street, tidy(street), street, page, Rank::Label, trust);
    }
    if !city.is_empty() {
        found.add(Field::City, tidy(city), city, page, Rank::Label, trust);
    }
}

pub(super) fn email(context: &Context<'_>, label: &Label, found: &mut Candidates) {
    if context.subject != Some(Subject::Patient) {
        return;
    }
    let read =
        context.parsed(label, |words| words.iter().find(|word| word.text.contains('@') && word.text.contains('.')).cloned());
    if let Some((word, _)) = read {
        let value = word.text.trim_matches(|c: char| !c.is_alphanumeric()).to_owned();
        found.add(Field::PatientEmail, value, &[word], context.page(), Rank::Label, 0.97);
    }
}
