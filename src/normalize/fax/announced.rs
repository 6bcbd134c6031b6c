//! Pages that a cover page announces, or that the others count, and that did not come: the line may have broken, or the feeder may have taken
//! two sheets for one.

use super::{
    counted::{self, Counted},
    documents::Leaf,
    labels::Meaning,
    regions,
};
use crate::{
    normalize::Outcome,
    referral::{HeldReason, Problem},
};

/// A count that was read less surely says nothing.
const SURENESS_MIN: f32 = 0.8;
/// More pages than a cover page announces.
const PAGES_MAX: usize = 500;

/// Holds the referrals of a fax that has fewer pages than its cover page says, or than its pages count. More are no matter: some do not
/// count the cover. The referral of a document is the item at its place.
pub(super) fn heed(outcome: &mut Outcome, leaves: &[Leaf], counted: &[Counted]) {
    let came = leaves.len();
    let announced = leaves.iter().filter(|leaf| leaf.shape.cover).filter_map(announced).max().filter(|said| *said > came);
    if let Some(announced) = announced {
        let text = format!("its cover page says that it has {announced} pages, and {came} came: ask the sender for the others");
        hold(outcome, None, &text);
    }
    for missing in counted::missing(counted) {
        hold(outcome, missing.home, &missing.said);
    }
}

/// Holds the referral of one document, or those of all.
fn hold(outcome: &mut Outcome, document: Option<usize>, text: &str) {
    let Outcome { record, items, .. } = outcome;
    let of_items = items.iter_mut().enumerate().filter(|(at, _)| document.is_none_or(|document| document == *at));
    for record in record.iter_mut().chain(of_items.filter_map(|(_, item)| item.record.as_mut())) {
        record.hold(HeldReason::NotAllRead);
        record.problems.push(Problem::new("pages-missing", text));
    }
}

/// How many pages a cover page says that there are.
fn announced(leaf: &Leaf) -> Option<usize> {
    leaf.marks.labels.iter().filter(|label| label.meaning == Meaning::Pages).find_map(|label| {
        let words = regions::regions(&leaf.sheet, &leaf.marks, label, 1).into_iter().next()?.words;
        let first = words.first().filter(|word| word.confidence >= SURENESS_MIN)?;
        let number: usize = first.text.trim_matches(|c: char| !c.is_ascii_alphanumeric()).parse().ok()?;
        (1..=PAGES_MAX).contains(&number).then_some(number)
    })
}
