//! Payers and specialties, of which there are lists.

use super::{
    super::{
        candidates::{Candidates, Field, Rank},
        labels::{Label, Subject, fold},
        layout::{Area, text_of},
        lists, phones, regions,
    },
    Context,
    numbers::number,
    texts,
    ticks::{BEFORE_BOXES_TRUST, LIKELY_TRUST, Ticked, between_boxes, boxed, ticked, ticked_option},
};
use crate::reader::Word;

/// How like an entry of the list a printed payer must be to be corrected to it.
const NEAR_MIN: f32 = 0.9;

pub(super) fn payer(context: &Context<'_>, label: &Label, found: &mut Candidates) {
    let second = context.subject == Some(Subject::SecondaryInsurance);
    payer_of(context, label, if second { Field::SecondPayer } else { Field::Payer }, found);
}

/// What a label says of the second insurance by itself: its number, its group's, or who it is.
pub(super) fn second_insurance(context: &Context<'_>, label: &Label, found: &mut Candidates) {
    let words = context.sheet.segments.get(label.segment).and_then(|segment| segment.words.get(label.from..label.to));
    let named = text_of(words.unwrap_or_default()).to_lowercase();
    let says = |wanted: &[&str]| named.split(|c: char| !c.is_alphanumeric()).any(|word| wanted.contains(&word));
    if says(&["group", "grp"]) {
        number(context, label, Field::SecondGroup, found);
    } else if says(&["id", "number", "no", "policy", "member", "subscriber"]) || named.contains('#') {
        number(context, label, Field::SecondMemberId, found);
    } else {
        payer_of(context, label, Field::SecondPayer, found);
    }
}

fn payer_of(context: &Context<'_>, label: &Label, field: Field, found: &mut Candidates) {
    let Some((words, trust)) = context.plain(label, 1) else { return };
    if field == Field::SecondPayer && says_none(&words) {
        return;
    }
    let (words, trust) = match ticked_option(context, label, &words) {
        None => (words, trust),
        Some(Ok((option, sure))) => (option, trust * sure),
        Some(Err(words)) => {
            let candidate = found.add(field, String::new(), &words, context.page(), Rank::OwnLabel, 0.3);
            candidate.failed = Some(("tick-unclear", "it cannot be told which payer is ticked: check it on the page"));
            return;
        }
    };
    if words.len() > 8 || phones::read(&texts(&words), &context.rules.region).is_some() {
        return;
    }
    let listed = (1..=words.len()).rev().find_map(|count| {
        let taken = words.get(..count)?;
        // Only a name that is on the list to the letter may be followed by something else.
        // What is only like one keeps what is printed: shared words like "Health Plan" make any two payers alike.
        let listed = lists::payer(&text_of(taken))
            .filter(|listed| listed.likeness >= 1.0 || (count == words.len() && listed.likeness >= NEAR_MIN))?;
        Some((listed, taken.to_vec()))
    });
    match listed {
        Some((listed, taken)) => {
            // What is printed stays as printed; an entry that is near corrects what the recognizer got wrong.
            let printed = text_of(&taken);
            let full = listed.name.clone();
            let value = if listed.likeness >= 1.0 {
                printed.trim_matches(|c: char| !c.is_alphanumeric()).to_owned()
            } else {
                listed.name
            };
            let candidate = found.add(field, value, &taken, context.page(), Rank::OwnLabel, trust);
            // Words left over may be the rest of another payer's name, and half a name may be all that was read of a whole one.
            let (short, full) = (fold(&printed), fold(&full));
            let whole = taken.len() == words.len() && (short == full || !full.starts_with(&short));
            candidate.confidence = listed_confidence(listed.likeness) * trust * if whole { 1.0 } else { 0.9 };
        }
        None => {
            let value = text_of(&words).trim_matches(|c: char| !c.is_alphanumeric()).to_owned();
            found.add(field, value, &words, context.page(), Rank::OwnLabel, 0.93 * trust);
        }
    }
}

/// "None", "N/A": what is written where there is no second insurance.
fn says_none(words: &[Word]) -> bool {
    let plain: String = text_of(words).chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    ["", "none", "na", "no", "nil", "notapplicable", "nosecondary", "unknown"].contains(&plain.as_str())
}

pub(super) fn specialty(context: &Context<'_>, label: &Label, found: &mut Candidates) {
    if context.subject == Some(Subject::Other) {
        return;
    }
    let Some((words, trust)) = boxed(context, label).map(|words| (words, 1.0)).or_else(|| context.plain(label, 1)) else {
        return;
    };
    let ticks = words.iter().any(regions::is_box_or_brackets);
    let page = context.page();
    match lists::specialties_in(&texts(&words)).as_slice() {
        [] if ticks => {}
        [] => {
            let value = text_of(&words).trim_matches(|c: char| !c.is_alphanumeric()).to_owned();
            if words.len() <= 6 && !lists::looks_like_title(&value) {
                found.add(Field::Specialty, value, &words, page, Rank::OwnLabel, 0.9 * trust);
            }
        }
        [(from, to, listed)] if !ticks => {
            let taken = words.get(*from..*to).unwrap_or_default();
            if is_one_of_column(context, listed, taken) {
                return unclear_specialty(&words, page, Rank::OwnLabel, found);
            }
            found.add(Field::Specialty, listed.name.clone(), taken, page, Rank::OwnLabel, trust).confidence =
                listed_confidence(listed.likeness) * trust;
        }
        _ => ticked_specialty(&words, page, Rank::OwnLabel, found),
    }
}

/// Several specialties are printed, as in a row of boxes: which is meant is for a person, unless one is ticked.
pub(super) fn ticked_specialty(words: &[Word], page: u32, rank: Rank, found: &mut Candidates) {
    let listed = lists::specialties_in(&texts(words));
    let runs = between_boxes(words);
    let framed = [words.first(), words.last()].into_iter().flatten().any(regions::is_box_or_brackets);
    let leading = runs.first().filter(|_| !framed);
    // What stands before all boxes is a value by itself, unless its box was not found.
    if let (Some(leading), [(from, to, one)]) = (leading, listed.as_slice())
        && to <= &leading.1
    {
        let taken = words.get(*from..*to).unwrap_or_default();
        found.add(Field::Specialty, one.name.clone(), taken, page, rank, 1.0).confidence =
            listed_confidence(one.likeness) * BEFORE_BOXES_TRUST;
        return;
    }
    // What is on no list and has a box may be ticked as well.
    let others = runs.iter().copied().skip(usize::from(leading.is_some()));
    let others = others.filter(|(from, to)| !listed.iter().any(|(at, _, _)| (from..to).contains(&at)));
    let named = listed.iter().map(|(from, to, listed)| (*from, *to, Some(listed)));
    let mut options: Vec<(usize, usize, Option<&lists::Listed>)> =
        named.chain(others.map(|(from, to)| (from, to, None))).collect();
    options.sort_by_key(|(from, _, _)| *from);
    let places: Vec<(usize, usize)> = options.iter().map(|(from, to, _)| (*from, *to)).collect();
    let (chosen, sure) = match ticked(words, &places) {
        Ticked::Sure(at) => (options.get(at), 1.0),
        Ticked::Likely(at) => (options.get(at), LIKELY_TRUST),
        Ticked::Unclear => (None, 0.0),
    };
    let Some((from, to, listed)) = chosen else { return unclear_specialty(words, page, rank, found) };
    let taken = words.get(*from..*to).unwrap_or_default();
    match listed {
        Some(listed) => {
            found.add(Field::Specialty, listed.name.clone(), taken, page, rank, 1.0).confidence =
                listed_confidence(listed.likeness) * sure;
        }
        None => {
            let value = text_of(taken).trim_matches(|c: char| !c.is_alphanumeric()).to_owned();
            found.add(Field::Specialty, value, taken, page, rank, 0.9 * sure);
        }
    }
}

pub(super) fn unclear_specialty(words: &[Word], page: u32, rank: Rank, found: &mut Candidates) {
    let candidate = found.add(Field::Specialty, String::new(), words, page, rank, 0.3);
    candidate.failed = Some(("tick-unclear", "it cannot be told which specialty is ticked: check it on the page"));
}

/// Whether another specialty stands right under this one: a column to choose from, of whose boxes none was found.
pub(super) fn is_one_of_column(context: &Context<'_>, listed: &lists::Listed, taken: &[Word]) -> bool {
    const GAP_HEIGHTS_MAX: f32 = 2.5;
    const ASIDE_HEIGHTS_MAX: f32 = 2.0;
    const WORDS_MAX: usize = 5;
    let (area, height) = (Area::around(taken), context.sheet.text_height);
    context.sheet.segments.iter().enumerate().any(|(at, segment)| {
        let gap = segment.area.top - area.bottom;
        let near = segment.area.top > area.middle()
            && gap < GAP_HEIGHTS_MAX * height
            && (segment.area.left - area.left).abs() < ASIDE_HEIGHTS_MAX * height;
        let others = || lists::specialties_in(&texts(&segment.words));
        let small = segment.words.len() <= WORDS_MAX && !context.marks.begins(at) && !context.marks.heads(at);
        near && small && others().iter().any(|(from, _, other)| *from <= 1 && other.name != listed.name)
    })
}

/// How sure a value is that is near an entry of a closed list.
pub(in crate::normalize::fax) fn listed_confidence(likeness: f32) -> f32 {
    if likeness >= 1.0 {
        0.985
    } else if likeness >= 0.9 {
        0.96
    } else {
        0.85
    }
}
