//! The birth date and the age, whether the patient died, and the day the referral was written.

use super::{
    super::{
        AGE_YEARS_MAX, FaxRules,
        candidates::{Candidates, DIGITS_TRUST, Field, Rank},
        dates, deaths,
        labels::{Label, Meaning, Subject, fold},
        layout::{Sheet, text_of},
        lists,
    },
    Context, texts, ticks,
};
use crate::reader::Word;

pub(super) fn birth_date(context: &Context<'_>, label: &Label, found: &mut Candidates) {
    let (rank, trust) = match context.subject {
        Some(Subject::Other) if another_has_one_beside(context, label) => (Rank::OwnLabel, 1.0),
        Some(Subject::Other | Subject::SecondaryInsurance) => return,
        Some(Subject::Insurance) => (Rank::Text, 0.9),
        None | Some(Subject::Patient | Subject::Referring | Subject::ReferredTo | Subject::Clinical) => (Rank::OwnLabel, 1.0),
    };
    let rules = context.rules;
    let read = context.parsed(label, |words| {
        let words = texts(words);
        dates::read(&words, rules.date_order, rules.today).or_else(|| dates::unseparated(&words, rules.date_order, rules.today))
    });
    let Some((read, words)) = read else { return };
    let taken = words.get(..read.words).unwrap_or_default();
    let trust = trust * dates::trust_of_order(read.date, rules);
    let candidate =
        found.add(Field::BirthDate, read.date.to_string(), taken, context.page(), rank, trust * DIGITS_TRUST * read.trust);
    let oldest = rules.today.year() - AGE_YEARS_MAX;
    if read.date > rules.today || read.date.year() < oldest {
        candidate.confidence *= 0.4;
        candidate.failed =
            Some(("birth-date-implausible", "the birth date lies in the future or too far back: check it on the page"));
    }
    let rest = context.rest(label, &words, read.words);
    if let Some(years) = years(&texts(&rest), true) {
        found.add(Field::Age, years.to_string(), rest.get(..1).unwrap_or_default(), context.page(), Rank::Label, 1.0);
    }
    // Two dates behind one label, "07/19/1985 or 07/19/1958": which of them is meant is for a person.
    let mut at = 0;
    while rest.get(at).is_some_and(|word| !is_of_another_day(word)) {
        let tail = rest.get(at..).unwrap_or_default();
        let other = dates::read(&texts(tail), rules.date_order, rules.today);
        at += other.map_or(1, |other| other.words);
        if let Some(other) =
            other.filter(|other| other.date <= rules.today && other.date.year() >= oldest && other.date != read.date)
        {
            let taken = tail.get(..other.words).unwrap_or_default();
            found.add(Field::BirthDate, other.date.to_string(), taken, context.page(), rank, trust * DIGITS_TRUST * other.trust);
        }
    }
}

/// Whether, in a row of captions, the other person before it has a birth date of its own: after `Parent DOB` the plain `DOB` is the patient's.
fn another_has_one_beside(context: &Context<'_>, label: &Label) -> bool {
    let segment = |label: &Label| context.sheet.segments.get(label.segment);
    let row = |label: &Label| segment(label).map(|segment| segment.row);
    let before = |other: &&Label| {
        other.meaning == Meaning::OtherPerson && row(other) == row(label) && other.area.right <= label.area.left && !other.colon
    };
    let nearest = context.marks.labels.iter().filter(before).max_by(|a, b| a.area.right.total_cmp(&b.area.right));
    let words = nearest.and_then(|other| segment(other)?.words.get(other.from..other.to)).unwrap_or_default();
    let text = fold(&text_of(words));
    !label.colon && (text.ends_with(&fold("dob")) || text.contains(&fold("birth")))
}

/// Whether a word says that the date behind it is another day's: a label of its own, known or not ("Accession:"), or one without its colon.
pub(super) fn is_of_another_day(word: &Word) -> bool {
    let plain = word.text.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    // "(corrected: 12/05/1980)" is the same day once more.
    let corrects = ["correct", "amend", "actual", "wrong"].iter().any(|stem| plain.starts_with(stem));
    let labelled = word.text.ends_with(':') && word.text.contains(char::is_alphabetic) && !corrects;
    labelled || lists::words().other_days.contains(&plain)
}

/// A sentence that says that a birth date was wrong: "DOB in our chart was wrong, should be June 19, 2012". What it gives contests any other.
pub(in crate::normalize::fax) fn corrected(sheet: &Sheet, rules: &FaxRules, found: &mut Candidates) {
    const TRUST: f32 = 0.9;
    const WRONG: [&str; 8] = ["wrong", "incorrect", "correct", "corrected", "correction", "should", "actual", "error"];
    let plain = |word: &Word| word.text.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase();
    for segment in &sheet.segments {
        let said: Vec<String> = segment.words.iter().map(plain).collect();
        let birth = said.iter().position(|word| matches!(word.as_str(), "dob" | "birth" | "birthdate" | "birthday" | "born"));
        let Some(birth) = birth.filter(|_| said.iter().any(|word| WRONG.contains(&word.as_str()))) else { continue };
        let mut at = birth + 1;
        while let Some(tail) = segment.words.get(at..).filter(|tail| !tail.is_empty()) {
            let read = dates::read(&texts(tail), rules.date_order, rules.today).filter(|read| read.date <= rules.today);
            at += read.map_or(1, |read| read.words);
            if let Some(read) = read {
                let taken = tail.get(..read.words).unwrap_or_default();
                found.add(Field::BirthDate, read.date.to_string(), taken, sheet.page, Rank::OwnLabel, TRUST * read.trust);
            }
        }
    }
}

/// The age that stands beside the birth date.
pub(super) fn age(context: &Context<'_>, label: &Label, found: &mut Candidates) {
    if !matches!(context.subject, None | Some(Subject::Patient)) {
        return;
    }
    if let Some((years, words)) = context.parsed(label, |words| years(&texts(words), false)) {
        found.add(Field::Age, years.to_string(), words.get(..1).unwrap_or_default(), context.page(), Rank::Label, 1.0);
    }
}

/// The whole years that the words begin with: `68`, `68 y`, `(68yo)`, `8 months`. `named`: only where a word says that they are years.
fn years(words: &[&str], named: bool) -> Option<i16> {
    let first = words.first()?.trim_matches(|c: char| !c.is_alphanumeric());
    let unit = first.trim_start_matches(|c: char| c.is_ascii_digit());
    let number: i16 = first.strip_suffix(unit)?.parse().ok()?;
    let behind = words.get(1).map_or("", |word| word.trim_matches(|c: char| !c.is_alphanumeric()));
    let unit = if unit.is_empty() { behind } else { unit }.to_lowercase();
    match unit.as_str() {
        "y" | "yo" | "yr" | "yrs" | "year" | "years" | "y/o" => Some(number),
        "m" | "mo" | "mos" | "month" | "months" => Some(number / 12),
        "w" | "wk" | "wks" | "week" | "weeks" | "d" | "day" | "days" => Some(0),
        _ if named || (first.len() != number.to_string().len()) => None,
        _ => Some(number),
    }
    .filter(|years| *years <= AGE_YEARS_MAX)
}

/// `Deceased: Yes`, `Date of death: 11/01/2026`.
pub(super) fn death(context: &Context<'_>, label: &Label, found: &mut Candidates) {
    if matches!(context.subject, Some(Subject::Other | Subject::SecondaryInsurance)) {
        return;
    }
    let rules = context.rules;
    let dated = context.parsed(label, |words| {
        dates::read(&texts(words), rules.date_order, rules.today).map(|read| read.words).or_else(|| is_year(words).then_some(1))
    });
    let dated = dated.map(|(count, words)| words.into_iter().take(count).collect::<Vec<Word>>());
    if let Some(words) = dated.or_else(|| ticks::yes(context, label).map(|word| vec![word])) {
        found.add(Field::Deceased, deaths::SAID.to_owned(), &words, context.page(), Rank::OwnLabel, 1.0);
    }
}

fn is_year(words: &[Word]) -> bool {
    let first = words.first().map_or("", |word| word.text.trim_matches(|c: char| !c.is_alphanumeric()));
    first.len() == 4 && ["19", "20"].iter().any(|century| first.starts_with(century)) && first.chars().all(|c| c.is_ascii_digit())
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
