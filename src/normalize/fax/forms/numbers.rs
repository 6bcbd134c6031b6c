//! Telephone and fax numbers, NPIs and membership numbers.

use super::{
    super::{
        candidates::{Candidates, DIGITS_TRUST, Field, Rank},
        codes,
        labels::{Label, Meaning, Subject, is_bracketed_behind_number},
        layout::text_of,
        phones,
    },
    Context, texts,
};
use crate::{normalize::death, reader::Word, referral::PhoneUse};

pub(super) fn phone(context: &Context<'_>, label: &Label, field: Field, rank: Rank, found: &mut Candidates) {
    let behind = || context.parsed(label, |words| phones::read(&texts(words), &context.rules.region));
    let Some((read, words)) = (match before_bracket(context, label) {
        Some(before) => before,
        None => behind(),
    }) else {
        return;
    };
    let taken = words.get(..read.words).unwrap_or_default();
    let trust = if read.repaired { 0.93 } else { DIGITS_TRUST };
    let rest = words.get(read.words..).unwrap_or_default();
    let trust = if matches!(field, Field::PatientPhone(_)) && is_of_another(rest) { OF_ANOTHER_TRUST * trust } else { trust };
    let first = read.number.clone();
    let candidate = found.add(field, read.number, taken, context.page(), rank, trust);
    if !read.sound {
        candidate.confidence *= 0.3;
        candidate.failed = Some(("phone-shape", "it is not a phone number of the region: check it on the page"));
    }
    // Two numbers behind one label: which of them is meant is for a person.
    let mut at = 0;
    while at < rest.len() {
        let tail = rest.get(at..).unwrap_or_default();
        let other = phones::read(&texts(tail), &context.rules.region).filter(|other| other.sound);
        at += other.as_ref().map_or(1, |other| other.words);
        if let Some(other) = other.filter(|other| other.number != first) {
            let taken = tail.get(..other.words).unwrap_or_default();
            found.add(field, other.number, taken, context.page(), rank, trust);
        }
    }
}

/// The number before a label that says in brackets what it is; none of it where another label before the number says that already. `None` where
/// the label is none of these.
fn before_bracket(context: &Context<'_>, label: &Label) -> Option<Option<(phones::ReadPhone, Vec<Word>)>> {
    const WORDS_MAX: usize = 3;
    if context.given.is_some() {
        return None;
    }
    let words = &context.sheet.segments.get(label.segment)?.words;
    if !is_bracketed_behind_number(words, label) {
        return None;
    }
    let number = |count: usize| {
        let taken = words.get(label.from.checked_sub(count)?..label.from)?.to_vec();
        let read = phones::read(&texts(&taken), &context.rules.region).filter(|read| read.sound && read.words == count)?;
        Some((read, taken))
    };
    let (read, taken) = (1..=WORDS_MAX).rev().find_map(number)?;
    let named = label.from.checked_sub(taken.len() + 1).and_then(|at| context.marks.at(label.segment, at));
    let named = named.is_some_and(|other| other.meaning.is_of_a_line() && !is_bracketed_behind_number(words, other));
    Some((!named).then_some((read, taken)))
}

/// How far a patient's number is trusted behind which somebody else stands: a person must see it.
const OF_ANOTHER_TRUST: f32 = 0.9;

/// `(son Peter)`, `(Peter)`: whose number it is, where that is hardly the patient.
fn is_of_another(rest: &[Word]) -> bool {
    const KINDS: [&str; 20] = [
        "home",
        "cell",
        "cellular",
        "mobile",
        "work",
        "office",
        "day",
        "daytime",
        "evening",
        "primary",
        "preferred",
        "best",
        "voice",
        "landline",
        "text",
        "ok",
        "message",
        "voicemail",
        "main",
        "patient",
    ];
    let bracketed = rest.first().is_some_and(|word| word.text.starts_with('('));
    let named = rest.iter().any(|word| {
        let plain = word.text.trim_matches(|c: char| !c.is_alphabetic());
        plain.chars().count() > 2 && plain.starts_with(char::is_uppercase) && !KINDS.contains(&plain.to_lowercase().as_str())
    });
    bracketed && (named || death::is_of_another(&text_of(rest)))
}

pub(super) fn by_subject_phone(context: &Context<'_>, label: &Label, usage: PhoneUse, rank: Rank, found: &mut Candidates) {
    if is_of_a_copy(context, label) {
        return;
    }
    match context.subject {
        Some(Subject::Patient) => phone(context, label, Field::PatientPhone(usage), rank, found),
        Some(Subject::Referring | Subject::ReferredTo) if rank == Rank::OwnLabel && beside_the_patients(context, label) => {
            phone(context, label, Field::PatientPhone(usage), Rank::Label, found);
        }
        Some(Subject::Referring) => phone(context, label, Field::ReferringPhone, Rank::Label, found),
        Some(Subject::ReferredTo) => phone(context, label, Field::ReferredPhone, Rank::Label, found),
        None if rank == Rank::OwnLabel => phone(context, label, Field::PatientPhone(usage), Rank::Place, found),
        None if below_the_patients(context, label) => {
            let before = found.all.len();
            phone(context, label, Field::PatientPhone(usage), Rank::Place, found);
            found.doubt_from(before);
        }
        None if !context.cover => phone(context, label, Field::ReferringPhone, Rank::Place, found),
        // A cover page's letterhead may be anybody's: it confirms or contests, no more.
        None if label.meaning == Meaning::Phone => phone(context, label, Field::ReferringPhone, Rank::Text, found),
        None | Some(Subject::Insurance | Subject::SecondaryInsurance | Subject::Other | Subject::Clinical) => {}
    }
}

/// Whether another label of the row says that the row is the patient's: "Home phone", "Cell", "Work phone".
fn beside_the_patients(context: &Context<'_>, label: &Label) -> bool {
    let row = |label: &Label| context.sheet.segments.get(label.segment).map(|segment| segment.row);
    context.marks.labels.iter().any(|other| row(other) == row(label) && other.meaning == Meaning::PatientPhone)
}

/// Whether it stands among or under labels of a person who can only be the patient, since nobody else was named: "Last name", "Birth date".
fn below_the_patients(context: &Context<'_>, label: &Label) -> bool {
    let row = |label: &Label| context.sheet.segments.get(label.segment).map(|segment| segment.row);
    let of_a_person = |meaning: Meaning| matches!(meaning, Meaning::FamilyName | Meaning::GivenName | Meaning::BirthDate);
    context.marks.labels.iter().any(|other| of_a_person(other.meaning) && row(other) <= row(label))
}

pub(super) fn by_subject_fax(context: &Context<'_>, label: &Label, found: &mut Candidates) {
    if is_of_a_copy(context, label) {
        return;
    }
    match context.subject {
        Some(Subject::Referring) => phone(context, label, Field::ReferringFax, Rank::Label, found),
        Some(Subject::ReferredTo) => phone(context, label, Field::ReferredFax, Rank::Label, found),
        None if !context.cover => phone(context, label, Field::ReferringFax, Rank::Place, found),
        None => phone(context, label, Field::ReferringFax, Rank::Text, found),
        Some(Subject::Patient | Subject::Insurance | Subject::SecondaryInsurance | Subject::Other | Subject::Clinical) => {}
    }
}

pub(super) fn number(context: &Context<'_>, label: &Label, field: Field, found: &mut Candidates) {
    let read = context.parsed(label, |words| {
        let taken = one_number(words);
        codes::member_id(&texts(&taken).concat()).map(|(value, trust)| (value, trust, taken))
    });
    if let Some(((value, trust, taken), _)) = read {
        // A gap inside a number may be printed, or may hide a character.
        let trust = if taken.len() > 1 { trust * 0.9 } else { trust * DIGITS_TRUST };
        // A sign that no number has was a character of it: "§510274".
        let trust = if taken.iter().any(has_strange_sign) { trust * 0.9 } else { trust };
        found.add(field, value, &taken, context.page(), Rank::OwnLabel, trust);
    }
}

/// The first word and what goes on with it: more capitals and digits, no further away than a blank is wide.
fn one_number(words: &[Word]) -> Vec<Word> {
    let mut taken: Vec<Word> = Vec::new();
    for word in words.iter().filter(|word| word.text.chars().any(char::is_alphanumeric)) {
        let goes_on = taken.last().is_none_or(|last| {
            let height = last.bounds[3].saturating_sub(last.bounds[1]);
            let like_a_number =
                word.text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '-') && has_digit(word);
            like_a_number && has_digit(last) && word.bounds[0] >= last.bounds[2] && word.bounds[0] - last.bounds[2] < height
        });
        if !goes_on {
            break;
        }
        taken.push(word.clone());
    }
    taken
}

fn has_strange_sign(word: &Word) -> bool {
    const USUAL: &str = "-/.,:;#()[]_*'\"|";
    word.text.chars().any(|c| !c.is_alphanumeric() && !USUAL.contains(c))
}

/// Whether it stands in a line that says who gets a copy: those are no numbers of who refers.
fn is_of_a_copy(context: &Context<'_>, label: &Label) -> bool {
    let first = context.sheet.segments.get(label.segment).and_then(|segment| segment.words.first());
    first.is_some_and(|word| word.text.trim_end_matches([':', '.', ',']).eq_ignore_ascii_case("cc"))
}

fn has_digit(word: &Word) -> bool {
    word.text.chars().any(|c| c.is_ascii_digit())
}

pub(super) fn npi(context: &Context<'_>, label: &Label, rank: Rank, found: &mut Candidates) {
    let Some(((read, count), words)) = context.parsed(label, |words| codes::npi(&texts(words))) else { return };
    let taken = words.get(..count).unwrap_or_default();
    let first = read.digits.clone();
    let candidate = found.add(Field::ReferringNpi, read.digits, taken, context.page(), rank, 1.0);
    if read.check {
        // One wrong digit cannot pass the check digit.
        candidate.confidence = candidate.confidence.max(0.6).mul_add(0.1, 0.89);
    } else {
        candidate.confidence *= 0.4;
        candidate.failed = Some(("npi-check-digit", "the NPI fails its check digit: check it on the page"));
    }
    // Two of them behind one label: which is meant is for a person.
    for word in words.get(count..).unwrap_or_default() {
        let other = codes::npi(&[word.text.as_str()]).map(|(other, _)| other);
        if let Some(other) = other.filter(|other| other.check && other.digits != first) {
            found.add(Field::ReferringNpi, other.digits, std::slice::from_ref(word), context.page(), rank, 1.0);
        }
    }
}

pub(super) fn by_subject_npi(context: &Context<'_>, label: &Label, found: &mut Candidates) {
    match context.subject {
        Some(Subject::ReferredTo | Subject::Other) => {}
        Some(Subject::Referring) => npi(context, label, Rank::Label, found),
        None | Some(Subject::Patient | Subject::Insurance | Subject::SecondaryInsurance | Subject::Clinical) => {
            npi(context, label, Rank::Place, found);
        }
    }
}
