//! The birth date, and the day the referral was written.

use super::{
    super::{
        AGE_YEARS_MAX,
        candidates::{Candidates, DIGITS_TRUST, Field, Rank},
        dates,
        labels::{Label, Subject},
    },
    Context, texts,
};

pub(super) fn birth_date(context: &Context<'_>, label: &Label, found: &mut Candidates) {
    let (rank, trust) = match context.subject {
        Some(Subject::Other | Subject::SecondaryInsurance) => return,
        Some(Subject::Insurance) => (Rank::Text, 0.9),
        None | Some(Subject::Patient | Subject::Referring | Subject::ReferredTo | Subject::Clinical) => (Rank::OwnLabel, 1.0),
    };
    let rules = context.rules;
    let read = context.parsed(label, |words| dates::read(&texts(words), rules.date_order, rules.today));
    let Some((read, words)) = read else { return };
    let taken = words.get(..read.words).unwrap_or_default();
    let candidate =
        found.add(Field::BirthDate, read.date.to_string(), taken, context.page(), rank, trust * DIGITS_TRUST * read.trust);
    let oldest = rules.today.year() - AGE_YEARS_MAX;
    if read.date > rules.today || read.date.year() < oldest {
        candidate.confidence *= 0.4;
        candidate.failed =
            Some(("birth-date-implausible", "the birth date lies in the future or too far back: check it on the page"));
    }
}

/// A date that says when the referral was written.
pub(super) fn authored_at(context: &Context<'_>, label: &Label, found: &mut Candidates) {
    let rules = context.rules;
    let read = context.parsed(label, |words| dates::read(&texts(words), rules.date_order, rules.today));
    if let Some((read, words)) = read {
        let taken = words.get(..read.words).unwrap_or_default();
        let candidate = found.add(Field::AuthoredAt, read.date.to_string(), taken, context.page(), Rank::Label, read.trust);
        if read.date > rules.today {
            candidate.confidence *= 0.6;
            candidate.failed = Some(("date-in-future", "the date of the form lies in the future: check it on the page"));
        }
    }
}
