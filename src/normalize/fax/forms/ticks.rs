//! What is ticked: sex and priority.

use super::{
    super::{
        candidates::{Candidates, Field, Rank, sureness},
        labels::{Label, Subject},
        lists, regions,
    },
    Context,
};
use crate::{
    reader::Word,
    referral::{Priority, Sex},
};

/// The ticked one of several printed words, or the only one. `Err` when it cannot be told which.
fn ticked<T: PartialEq + Copy>(words: &[Word], read: impl Fn(&str) -> Option<T>) -> Option<Result<(T, usize), ()>> {
    let options: Vec<(usize, T)> = words.iter().enumerate().filter_map(|(at, word)| Some((at, read(&word.text)?))).collect();
    let first_box = words.iter().position(regions::is_box);
    // Boxes stand before their words, or behind them where a word comes first.
    let behind = first_box.is_some_and(|at| options.first().is_some_and(|(option, _)| *option < at));
    let mark = |at: usize| {
        let beside = if behind { at.checked_add(1) } else { at.checked_sub(1) };
        let before = beside.and_then(|at| words.get(at)).map(|word| word.text.as_str());
        let own = words.get(at).map(|word| word.text.as_str());
        let marks = ["[x]", "(x)", "x", "[x", "x]", "\u{2612}", "\u{2611}", "\u{2713}", "[xj", "[*]", "ixi", "\u{2714}", "[v]"];
        let is_mark = |text: &str| marks.contains(&text.to_lowercase().as_str());
        before.is_some_and(is_mark) || own.is_some_and(|text| text.to_lowercase().starts_with("[x]"))
    };
    let boxes = words
        .iter()
        .any(|word| matches!(word.text.as_str(), "[" | "]" | "[]" | "[ ]" | "LJ" | "L]" | "O" | "()") || regions::is_box(word));
    let chosen: Vec<&(usize, T)> = options.iter().filter(|(at, _)| mark(*at)).collect();
    let same = |list: &[(usize, T)]| list.first().is_some_and(|(_, first)| list.iter().all(|(_, other)| other == first));
    match (options.as_slice(), chosen.as_slice()) {
        ([], _) => None,
        (_, [one]) => Some(Ok((one.1, one.0))),
        (all, []) if same(all) && !boxes => all.first().map(|(at, value)| Ok((*value, *at))),
        _ => Some(Err(())),
    }
}

/// The row of drawn boxes behind a label, where there is one.
pub(super) fn boxed(context: &Context<'_>, label: &Label) -> Option<Vec<Word>> {
    let words = regions::options(context.sheet, context.marks, label);
    words.iter().any(regions::is_box).then_some(words)
}

pub(super) fn sex(context: &Context<'_>, label: &Label, found: &mut Candidates) {
    if matches!(context.subject, Some(Subject::Other | Subject::SecondaryInsurance)) {
        return;
    }
    let boxed = boxed(context, label).and_then(|words| Some((ticked(&words, lists::sex)?, words)));
    let plain = || context.parsed(label, |words| ticked(words.get(..words.len().min(8)).unwrap_or_default(), lists::sex));
    let Some((read, words)) = boxed.or_else(plain) else { return };
    match read {
        Ok((sex, at)) => {
            let word = words.get(at..=at).unwrap_or_default();
            let printed = word.first().map_or("", |word| word.text.as_str());
            // A whole word that is on the list was read right; of a single letter the recognizer's confidence decides.
            let trust = if printed.len() > 2 { 1.0 / sureness(word).max(0.5) * 0.98 } else { 1.0 };
            let value = match sex {
                Sex::F => "F",
                Sex::M => "M",
                Sex::O => "O",
                Sex::U => "U",
            };
            found.add(Field::Sex, value.to_owned(), word, context.page(), Rank::OwnLabel, trust);
        }
        Err(()) => {
            let candidate = found.add(Field::Sex, String::new(), &words, context.page(), Rank::OwnLabel, 0.3);
            candidate.failed = Some(("tick-unclear", "it cannot be told which box is ticked: check it on the page"));
        }
    }
}

/// The word of a priority.
pub(in crate::normalize::fax) fn priority_word(priority: Priority) -> &'static str {
    match priority {
        Priority::Stat => "stat",
        Priority::Urgent => "urgent",
        Priority::Routine => "routine",
        Priority::Unknown => "unknown",
    }
}

pub(super) fn priority(context: &Context<'_>, label: &Label, found: &mut Candidates) {
    let regions = regions::regions(context.sheet, context.marks, label, 1);
    let boxed = boxed(context, label).and_then(|words| Some((ticked(&words, lists::priority)?, words)));
    let read =
        boxed.or_else(|| regions.into_iter().find_map(|region| Some((ticked(&region.words, lists::priority)?, region.words))));
    match read {
        Some((Ok((priority, at)), words)) => {
            let word = words.get(at..=at).unwrap_or_default();
            let negated =
                at > 0 && words.get(at - 1).is_some_and(|before| matches!(before.text.to_lowercase().as_str(), "not" | "non"));
            let trust = if negated { 0.3 } else { 0.985 / sureness(word).max(0.6) };
            found.add(Field::Priority, priority_word(priority).to_owned(), word, context.page(), Rank::OwnLabel, trust);
        }
        Some((Err(()), words)) => {
            let candidate = found.add(Field::Priority, "unknown".to_owned(), &words, context.page(), Rank::OwnLabel, 0.3);
            candidate.failed = Some(("tick-unclear", "it cannot be told which priority is ticked: check it on the page"));
        }
        None => {}
    }
}
