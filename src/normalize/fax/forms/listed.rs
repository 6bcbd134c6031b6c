//! Payers and specialties, of which there are lists.

use super::{
    super::{
        candidates::{Candidates, Field, Rank},
        labels::{Label, Subject, fold},
        layout::text_of,
        lists, phones,
    },
    Context, texts,
    ticks::{LIKELY_TRUST, Ticked, boxed, ticked},
};

/// How like an entry of the list a printed payer must be to be corrected to it.
const NEAR_MIN: f32 = 0.9;

pub(super) fn payer(context: &Context<'_>, label: &Label, found: &mut Candidates) {
    if context.subject == Some(Subject::SecondaryInsurance) {
        return;
    }
    let Some((words, trust)) = context.plain(label, 1) else { return };
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
            let candidate = found.add(Field::Payer, value, &taken, context.page(), Rank::OwnLabel, trust);
            // Words left over may be the rest of another payer's name, and half a name may be all that was read of a whole one.
            let (short, full) = (fold(&printed), fold(&full));
            let whole = taken.len() == words.len() && (short == full || !full.starts_with(&short));
            candidate.confidence = listed_confidence(listed.likeness) * trust * if whole { 1.0 } else { 0.9 };
        }
        None => {
            let value = text_of(&words).trim_matches(|c: char| !c.is_alphanumeric()).to_owned();
            found.add(Field::Payer, value, &words, context.page(), Rank::OwnLabel, 0.93 * trust);
        }
    }
}

pub(super) fn specialty(context: &Context<'_>, label: &Label, found: &mut Candidates) {
    if context.subject == Some(Subject::Other) {
        return;
    }
    let boxed = boxed(context, label);
    let ticks = boxed.is_some();
    let Some((words, trust)) = boxed.map(|words| (words, 1.0)).or_else(|| context.plain(label, 1)) else { return };
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
            found.add(Field::Specialty, listed.name.clone(), taken, page, Rank::OwnLabel, trust).confidence =
                listed_confidence(listed.likeness) * trust;
        }
        // Several are printed, as in a row of boxes: which is meant is for a person, unless one is ticked.
        several => {
            let places: Vec<(usize, usize)> = several.iter().map(|(from, to, _)| (*from, *to)).collect();
            let (chosen, sure) = match ticked(&words, &places) {
                Ticked::Sure(at) => (several.get(at), 1.0),
                Ticked::Likely(at) => (several.get(at), LIKELY_TRUST),
                Ticked::Unclear => (None, 0.0),
            };
            if let Some((from, to, listed)) = chosen {
                let taken = words.get(*from..*to).unwrap_or_default();
                found.add(Field::Specialty, listed.name.clone(), taken, page, Rank::OwnLabel, trust).confidence =
                    listed_confidence(listed.likeness) * trust * sure;
            } else {
                let candidate = found.add(Field::Specialty, String::new(), &words, page, Rank::OwnLabel, 0.3);
                candidate.failed = Some(("tick-unclear", "it cannot be told which specialty is ticked: check it on the page"));
            }
        }
    }
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
