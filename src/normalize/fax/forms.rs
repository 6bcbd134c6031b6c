//! From labels to candidates: what each label's value says, read by the rules of its field.

use super::{
    FaxRules,
    candidates::{Candidates, Field, Rank},
    codes, dates,
    labels::{Label, Marks, Meaning, Subject},
    layout::{Sheet, text_of},
    lists, names, phones, regions,
    regions::{Region, Relation},
};
use crate::{
    reader::Word,
    referral::{PhoneUse, Priority, Sex},
};

/// What is known around a label when its value is read.
pub(super) struct Context<'a> {
    pub(super) sheet: &'a Sheet,
    pub(super) marks: &'a Marks,
    pub(super) rules: &'a FaxRules,
    /// Whom the label is about, where it does not say.
    pub(super) subject: Option<Subject>,
    /// Whether the page is a cover page.
    pub(super) cover: bool,
    /// Whether the page is a letter.
    pub(super) letter: bool,
}

/// The texts of words, for the parsers.
pub(super) fn texts(words: &[Word]) -> Vec<&str> {
    words.iter().map(|word| word.text.as_str()).collect()
}

impl Context<'_> {
    fn page(&self) -> u32 {
        self.sheet.page
    }

    /// The value's words for a field of running text: without a colon a label must stand by itself.
    fn plain(&self, label: &Label, lines: usize) -> Option<(Vec<Word>, f32)> {
        let region = regions::regions(self.sheet, self.marks, label, lines).into_iter().next()?;
        match region.relation {
            Relation::Behind if !label.colon && !label.exact => None,
            Relation::Behind if !label.colon => Some((region.words, 0.93)),
            Relation::Behind | Relation::RightOf | Relation::Below => Some((region.words, 1.0)),
        }
    }

    /// The first region whose words a parser takes.
    fn parsed<T>(&self, label: &Label, read: impl Fn(&[Word]) -> Option<T>) -> Option<(T, Vec<Word>)> {
        regions::regions(self.sheet, self.marks, label, 1).into_iter().find_map(|Region { words, .. }| {
            let value = read(&words)?;
            Some((value, words))
        })
    }
}

/// Reads one label's value into the candidates.
#[expect(clippy::too_many_lines, reason = "a table: one arm for each meaning, and what reads it")]
pub(super) fn read(context: &Context<'_>, label: &Label, found: &mut Candidates) {
    let about = context.subject;
    let own = Rank::OwnLabel;
    match label.meaning {
        Meaning::PatientName => patient_name(context, label, own, found),
        Meaning::PatientFamily => part_of_name(context, label, Field::Family, own, found),
        Meaning::PatientGiven => part_of_name(context, label, Field::Given, own, found),
        Meaning::FamilyName => {
            by_subject_part(context, label, (Field::Family, Field::ReferringFamily, Field::ReferredFamily), found)
        }
        Meaning::GivenName => by_subject_part(context, label, (Field::Given, Field::ReferringGiven, Field::ReferredGiven), found),
        Meaning::MiddleName if matches!(about, None | Some(Subject::Patient)) => {
            part_of_name(context, label, Field::Middle, Rank::Label, found);
        }
        Meaning::BirthDate => birth_date(context, label, found),
        Meaning::Sex => sex(context, label, found),
        Meaning::PatientPhone => phone(context, label, Field::PatientPhone(PhoneUse::Home), own, found),
        Meaning::PatientMobile => by_subject_phone(context, label, PhoneUse::Mobile, own, found),
        Meaning::PatientWorkPhone => by_subject_phone(context, label, PhoneUse::Work, own, found),
        Meaning::PatientMrn => number(context, label, Field::Mrn, found),
        Meaning::Address | Meaning::City | Meaning::State | Meaning::PostalCode | Meaning::CityStateZip => {
            address(context, label, found);
        }
        Meaning::Email => email(context, label, found),
        Meaning::Payer => payer(context, label, found),
        Meaning::MemberId if about != Some(Subject::SecondaryInsurance) => number(context, label, Field::MemberId, found),
        Meaning::Group if about != Some(Subject::SecondaryInsurance) => number(context, label, Field::Group, found),
        Meaning::ReferringName => provider(context, label, Who::Referring, own, found),
        Meaning::ReferringSignature => provider(context, label, Who::Referring, Rank::Place, found),
        Meaning::ReferringNpi => npi(context, label, own, found),
        Meaning::ReferringOrganization => organization(context, label, Field::ReferringOrganization, own, found),
        Meaning::ReferringPhone => phone(context, label, Field::ReferringPhone, own, found),
        Meaning::ReferringFax => phone(context, label, Field::ReferringFax, own, found),
        Meaning::ReferredName | Meaning::ReferredTo => provider(context, label, Who::ReferredTo, own, found),
        Meaning::ReferredOrganization => organization(context, label, Field::ReferredOrganization, own, found),
        Meaning::ReferredPhone => phone(context, label, Field::ReferredPhone, own, found),
        Meaning::ReferredFax => phone(context, label, Field::ReferredFax, own, found),
        Meaning::Specialty => specialty(context, label, found),
        Meaning::Priority => priority(context, label, found),
        Meaning::Reason => reason(context, label, found),
        Meaning::Diagnoses => diagnoses(context, label, found),
        Meaning::Procedures => procedures(context, label, found),
        Meaning::Authorization => number(context, label, Field::AuthorizationNumber, found),
        Meaning::Allergies | Meaning::Medications => note(context, label, found),
        Meaning::AuthoredAt => authored_at(context, label, found),
        Meaning::Name => match about {
            Some(Subject::Patient) => patient_name(context, label, Rank::Label, found),
            Some(Subject::Referring) => provider(context, label, Who::Referring, Rank::Label, found),
            Some(Subject::ReferredTo) => provider(context, label, Who::ReferredTo, Rank::Label, found),
            None if !context.cover => patient_name(context, label, Rank::Place, found),
            None | Some(Subject::Insurance | Subject::SecondaryInsurance | Subject::Other | Subject::Clinical) => {}
        },
        Meaning::Organization => match about {
            Some(Subject::Referring) => organization(context, label, Field::ReferringOrganization, Rank::Label, found),
            Some(Subject::ReferredTo) => organization(context, label, Field::ReferredOrganization, Rank::Label, found),
            None
            | Some(Subject::Patient | Subject::Insurance | Subject::SecondaryInsurance | Subject::Other | Subject::Clinical) => {}
        },
        Meaning::Npi => match about {
            Some(Subject::ReferredTo | Subject::Other) => {}
            Some(Subject::Referring) => npi(context, label, Rank::Label, found),
            None | Some(Subject::Patient | Subject::Insurance | Subject::SecondaryInsurance | Subject::Clinical) => {
                npi(context, label, Rank::Place, found);
            }
        },
        Meaning::Phone => by_subject_phone(context, label, PhoneUse::Home, Rank::Label, found),
        Meaning::Fax => by_subject_fax(context, label, found),
        Meaning::CoverTo => provider(context, label, Who::ReferredTo, Rank::Label, found),
        Meaning::CoverFrom => provider(context, label, Who::Referring, Rank::Label, found),
        Meaning::MiddleName
        | Meaning::MemberId
        | Meaning::Group
        | Meaning::Secondary
        | Meaning::Pages
        | Meaning::OtherPerson
        | Meaning::Ignore => {}
    }
}

/// Which of the two providers.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Who {
    Referring,
    ReferredTo,
}

fn patient_name(context: &Context<'_>, label: &Label, rank: Rank, found: &mut Candidates) {
    let Some((name, words)) = context.parsed(label, |words| names::read(&texts(words))) else { return };
    add_name(found, context.page(), &name, &words, rank, (Field::Family, Field::Given), 1.0);
    // A birth date that follows the name in a letter's subject line needs no label.
    let rest = words.get(name.words..).unwrap_or_default();
    let date = (0..rest.len().min(3)).find_map(|at| {
        let tail = rest.get(at..)?;
        Some((dates::read(&texts(tail), context.rules.date_order, context.rules.today)?, tail.to_vec()))
    });
    if let Some((read, tail)) = date {
        let taken = tail.get(..read.words).unwrap_or_default();
        found.add(Field::BirthDate, read.date.to_string(), taken, context.page(), Rank::Place, 0.93 * read.trust);
    }
}

/// Adds the parts of one name as candidates of one mention.
pub(super) fn add_name(
    found: &mut Candidates,
    page: u32,
    name: &names::ReadName,
    words: &[Word],
    rank: Rank,
    (family, given): (Field, Field),
    trust: f32,
) {
    let mention = found.mention();
    let pick = |places: &[usize]| places.iter().filter_map(|at| words.get(*at).cloned()).collect::<Vec<_>>();
    let parts = [(family, &name.name.family, pick(&name.family_at)), (given, &name.name.given, pick(&name.given_at))];
    for (field, text, words) in parts {
        if let Some(text) = text {
            found.add(field, text.clone(), &words, page, rank, trust * name.trust).mention = mention;
        }
    }
    if family == Field::Family {
        let all = words.get(..name.words).unwrap_or_default();
        for (field, text) in [(Field::Middle, &name.name.middle), (Field::Suffix, &name.name.suffix)] {
            if let Some(text) = text {
                found.add(field, text.clone(), all, page, rank, trust).mention = mention;
            }
        }
    }
}

fn part_of_name(context: &Context<'_>, label: &Label, field: Field, rank: Rank, found: &mut Candidates) {
    let read = context.parsed(label, |words| names::single(&texts(words)));
    if let Some(((text, count), words)) = read {
        let taken = words.get(..count).unwrap_or_default();
        // "First name" cells often hold the middle initial too.
        match text.split_once(' ') {
            Some((first, middle)) if field == Field::Given && middle.chars().count() <= 2 => {
                found.add(Field::Given, first.to_owned(), taken, context.page(), rank, 1.0);
                found.add(Field::Middle, middle.to_owned(), taken, context.page(), rank, 1.0);
            }
            _ => {
                found.add(field, text, taken, context.page(), rank, 1.0);
            }
        }
    }
}

fn by_subject_part(context: &Context<'_>, label: &Label, fields: (Field, Field, Field), found: &mut Candidates) {
    match context.subject {
        None | Some(Subject::Patient) => part_of_name(context, label, fields.0, Rank::Label, found),
        Some(Subject::Referring) => part_of_name(context, label, fields.1, Rank::Label, found),
        Some(Subject::ReferredTo) => part_of_name(context, label, fields.2, Rank::Label, found),
        Some(Subject::Insurance | Subject::SecondaryInsurance | Subject::Other | Subject::Clinical) => {}
    }
}

fn birth_date(context: &Context<'_>, label: &Label, found: &mut Candidates) {
    let (rank, trust) = match context.subject {
        Some(Subject::Other | Subject::SecondaryInsurance) => return,
        Some(Subject::Insurance) => (Rank::Text, 0.9),
        None | Some(Subject::Patient | Subject::Referring | Subject::ReferredTo | Subject::Clinical) => (Rank::OwnLabel, 1.0),
    };
    let rules = context.rules;
    let read = context.parsed(label, |words| dates::read(&texts(words), rules.date_order, rules.today));
    let Some((read, words)) = read else { return };
    let taken = words.get(..read.words).unwrap_or_default();
    let candidate = found.add(Field::BirthDate, read.date.to_string(), taken, context.page(), rank, trust * read.trust);
    let oldest = rules.today.year() - super::AGE_YEARS_MAX;
    if read.date > rules.today || read.date.year() < oldest {
        candidate.confidence *= 0.4;
        candidate.failed =
            Some(("birth-date-implausible", "the birth date lies in the future or too far back: check it on the page"));
    }
}

/// A date that says when the referral was written.
fn authored_at(context: &Context<'_>, label: &Label, found: &mut Candidates) {
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

/// The ticked one of several printed words, or the only one. `Err` when it cannot be told which.
fn ticked<T: PartialEq + Copy>(words: &[Word], read: impl Fn(&str) -> Option<T>) -> Option<Result<(T, usize), ()>> {
    let options: Vec<(usize, T)> = words.iter().enumerate().filter_map(|(at, word)| Some((at, read(&word.text)?))).collect();
    let mark = |at: usize| {
        let before = at.checked_sub(1).and_then(|at| words.get(at)).map(|word| word.text.as_str());
        let own = words.get(at).map(|word| word.text.as_str());
        let marks = ["[x]", "(x)", "x", "[x", "x]", "\u{2612}", "\u{2611}", "\u{2713}", "[xj", "[*]", "ixi", "\u{2714}", "[v]"];
        let is_mark = |text: &str| marks.contains(&text.to_lowercase().as_str());
        before.is_some_and(is_mark) || own.is_some_and(|text| text.to_lowercase().starts_with("[x]"))
    };
    let boxes =
        words.iter().any(|word| matches!(word.text.as_str(), "[" | "]" | "[]" | "[ ]" | "\u{2610}" | "LJ" | "L]" | "O" | "()"));
    let chosen: Vec<&(usize, T)> = options.iter().filter(|(at, _)| mark(*at)).collect();
    let same = |list: &[(usize, T)]| list.first().is_some_and(|(_, first)| list.iter().all(|(_, other)| other == first));
    match (options.as_slice(), chosen.as_slice()) {
        ([], _) => None,
        (_, [one]) => Some(Ok((one.1, one.0))),
        (all, []) if same(all) && !boxes => all.first().map(|(at, value)| Ok((*value, *at))),
        _ => Some(Err(())),
    }
}

fn sex(context: &Context<'_>, label: &Label, found: &mut Candidates) {
    if matches!(context.subject, Some(Subject::Other | Subject::SecondaryInsurance)) {
        return;
    }
    let Some((read, words)) =
        context.parsed(label, |words| ticked(words.get(..words.len().min(8)).unwrap_or_default(), lists::sex))
    else {
        return;
    };
    match read {
        Ok((sex, at)) => {
            let word = words.get(at..=at).unwrap_or_default();
            let printed = word.first().map_or("", |word| word.text.as_str());
            // A whole word that is on the list was read right; of a single letter the recognizer's confidence decides.
            let trust = if printed.len() > 2 { 1.0 / super::candidates::sureness(word).max(0.5) * 0.98 } else { 1.0 };
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
pub(super) fn priority_word(priority: Priority) -> &'static str {
    match priority {
        Priority::Stat => "stat",
        Priority::Urgent => "urgent",
        Priority::Routine => "routine",
        Priority::Unknown => "unknown",
    }
}

fn priority(context: &Context<'_>, label: &Label, found: &mut Candidates) {
    let regions = regions::regions(context.sheet, context.marks, label, 1);
    let read = regions.into_iter().find_map(|region| Some((ticked(&region.words, lists::priority)?, region.words)));
    match read {
        Some((Ok((priority, at)), words)) => {
            let word = words.get(at..=at).unwrap_or_default();
            let negated =
                at > 0 && words.get(at - 1).is_some_and(|before| matches!(before.text.to_lowercase().as_str(), "not" | "non"));
            let trust = if negated { 0.3 } else { 0.985 / super::candidates::sureness(word).max(0.6) };
            found.add(Field::Priority, priority_word(priority).to_owned(), word, context.page(), Rank::OwnLabel, trust);
        }
        Some((Err(()), words)) => {
            let candidate = found.add(Field::Priority, "unknown".to_owned(), &words, context.page(), Rank::OwnLabel, 0.3);
            candidate.failed = Some(("tick-unclear", "it cannot be told which priority is ticked: check it on the page"));
        }
        None => {}
    }
}

fn phone(context: &Context<'_>, label: &Label, field: Field, rank: Rank, found: &mut Candidates) {
    let Some((read, words)) = context.parsed(label, |words| phones::read(&texts(words), &context.rules.region)) else { return };
    let taken = words.get(..read.words).unwrap_or_default();
    let trust = if read.repaired { 0.96 } else { 1.0 };
    let candidate = found.add(field, read.number, taken, context.page(), rank, trust);
    if !read.sound {
        candidate.confidence *= 0.3;
        candidate.failed = Some(("phone-shape", "it is not a phone number of the region: check it on the page"));
    }
}

fn by_subject_phone(context: &Context<'_>, label: &Label, usage: PhoneUse, rank: Rank, found: &mut Candidates) {
    match context.subject {
        Some(Subject::Patient) => phone(context, label, Field::PatientPhone(usage), rank, found),
        Some(Subject::Referring) => phone(context, label, Field::ReferringPhone, Rank::Label, found),
        Some(Subject::ReferredTo) => phone(context, label, Field::ReferredPhone, Rank::Label, found),
        None if rank == Rank::OwnLabel => phone(context, label, Field::PatientPhone(usage), Rank::Place, found),
        None if !context.cover => phone(context, label, Field::ReferringPhone, Rank::Place, found),
        None | Some(Subject::Insurance | Subject::SecondaryInsurance | Subject::Other | Subject::Clinical) => {}
    }
}

fn by_subject_fax(context: &Context<'_>, label: &Label, found: &mut Candidates) {
    match context.subject {
        Some(Subject::Referring) => phone(context, label, Field::ReferringFax, Rank::Label, found),
        Some(Subject::ReferredTo) => phone(context, label, Field::ReferredFax, Rank::Label, found),
        None if !context.cover => phone(context, label, Field::ReferringFax, Rank::Place, found),
        None | Some(Subject::Patient | Subject::Insurance | Subject::SecondaryInsurance | Subject::Other | Subject::Clinical) => {
        }
    }
}

fn number(context: &Context<'_>, label: &Label, field: Field, found: &mut Candidates) {
    let Some(((value, trust), words)) = context.parsed(label, |words| {
        let first = words.iter().find(|word| word.text.chars().any(char::is_alphanumeric))?;
        codes::member_id(&first.text)
    }) else {
        return;
    };
    let word: Vec<Word> = words.into_iter().find(|word| word.text.chars().any(char::is_alphanumeric)).into_iter().collect();
    // Digits alone leave letters no place: what looks like one was put right before.
    found.add(field, value, &word, context.page(), Rank::OwnLabel, trust);
}

fn npi(context: &Context<'_>, label: &Label, rank: Rank, found: &mut Candidates) {
    let Some(((read, count), words)) = context.parsed(label, |words| codes::npi(&texts(words))) else { return };
    let taken = words.get(..count).unwrap_or_default();
    let candidate = found.add(Field::ReferringNpi, read.digits, taken, context.page(), rank, 1.0);
    if read.check {
        // One wrong digit cannot pass the check digit.
        candidate.confidence = candidate.confidence.max(0.6).mul_add(0.1, 0.89);
    } else {
        candidate.confidence *= 0.4;
        candidate.failed = Some(("npi-check-digit", "the NPI fails its check digit: check it on the page"));
    }
}

fn payer(context: &Context<'_>, label: &Label, found: &mut Candidates) {
    if context.subject == Some(Subject::SecondaryInsurance) {
        return;
    }
    let Some((words, trust)) = context.plain(label, 1) else { return };
    if words.len() > 8 || phones::read(&texts(&words), &context.rules.region).is_some() {
        return;
    }
    let listed = (1..=words.len()).rev().find_map(|count| {
        let taken = words.get(..count)?;
        Some((lists::payer(&text_of(taken))?, taken.to_vec()))
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
            let (short, full) = (super::labels::fold(&printed), super::labels::fold(&full));
            let whole = taken.len() == words.len() && (short == full || !full.starts_with(&short));
            candidate.confidence = listed_confidence(listed.likeness) * trust * if whole { 1.0 } else { 0.9 };
        }
        None => {
            let value = text_of(&words).trim_matches(|c: char| !c.is_alphanumeric()).to_owned();
            found.add(Field::Payer, value, &words, context.page(), Rank::OwnLabel, 0.93 * trust);
        }
    }
}

/// How sure a value is that is near an entry of a closed list.
pub(super) fn listed_confidence(likeness: f32) -> f32 {
    if likeness >= 1.0 {
        0.985
    } else if likeness >= 0.9 {
        0.96
    } else {
        0.85
    }
}

/// A person, a practice, or both behind one label: `Clinic, Attn: Name`.
fn provider(context: &Context<'_>, label: &Label, who: Who, rank: Rank, found: &mut Candidates) {
    let Some((words, trust)) = context.plain(label, 1) else { return };
    if words.iter().take(2).any(|word| word.text.chars().filter(char::is_ascii_digit).count() > 4) {
        return;
    }
    let (family, given, organization) = match who {
        Who::Referring => (Field::ReferringFamily, Field::ReferringGiven, Field::ReferringOrganization),
        Who::ReferredTo => (Field::ReferredFamily, Field::ReferredGiven, Field::ReferredOrganization),
    };
    let page = context.page();
    let text = text_of(&words);
    let specialties = if who == Who::ReferredTo { lists::specialties_in(&texts(&words)) } else { Vec::new() };
    for (from, to, listed) in &specialties {
        let taken = words.get(*from..*to).unwrap_or_default();
        found.add(Field::Specialty, listed.name.clone(), taken, page, Rank::Place, 1.0).confidence =
            listed_confidence(listed.likeness) * 0.98;
    }
    let practice = lists::looks_like_organization(&text);
    match names::read(&texts(&words)) {
        Some(name) if !practice => add_name(found, page, &name, &words, rank, (family, given), trust),
        _ if practice || label.meaning == Meaning::CoverFrom => {
            let value = text.trim_matches(|c: char| !c.is_alphanumeric()).to_owned();
            if !value.is_empty() {
                found.add(organization, value, &words, page, rank, trust);
            }
        }
        _ => {}
    }
}

fn organization(context: &Context<'_>, label: &Label, field: Field, rank: Rank, found: &mut Candidates) {
    let Some((words, trust)) = context.plain(label, 1) else { return };
    let value = text_of(&words).trim_matches(|c: char| !c.is_alphanumeric()).to_owned();
    if value.chars().filter(|c| c.is_alphabetic()).count() >= 3 {
        found.add(field, value, &words, context.page(), rank, trust);
    }
}

fn specialty(context: &Context<'_>, label: &Label, found: &mut Candidates) {
    let Some((words, trust)) = context.plain(label, 1) else { return };
    let page = context.page();
    match lists::specialties_in(&texts(&words)).as_slice() {
        [] => {
            let value = text_of(&words).trim_matches(|c: char| !c.is_alphanumeric()).to_owned();
            if words.len() <= 6 {
                found.add(Field::Specialty, value, &words, page, Rank::OwnLabel, 0.9 * trust);
            }
        }
        [(from, to, listed)] => {
            let taken = words.get(*from..*to).unwrap_or_default();
            found.add(Field::Specialty, listed.name.clone(), taken, page, Rank::OwnLabel, trust).confidence =
                listed_confidence(listed.likeness) * trust;
        }
        // Several are printed, as in a row of boxes: which is meant is for a person, unless one is ticked.
        several => {
            let tick = |at: usize| {
                at > 0 && words.get(at - 1).is_some_and(|word| matches!(word.text.as_str(), "[X]" | "[x]" | "X" | "\u{2612}"))
            };
            let chosen: Vec<_> = several.iter().filter(|(from, _, _)| tick(*from)).collect();
            if let [(from, to, listed)] = chosen.as_slice() {
                let taken = words.get(*from..*to).unwrap_or_default();
                found.add(Field::Specialty, listed.name.clone(), taken, page, Rank::OwnLabel, 0.97 * trust);
            }
        }
    }
}

/// How many lines a reason may run over.
const REASON_LINES_MAX: usize = 12;

fn reason(context: &Context<'_>, label: &Label, found: &mut Candidates) {
    if context.cover || (context.letter && !label.colon) {
        return;
    }
    let Some((words, trust)) = context.plain(label, REASON_LINES_MAX) else { return };
    let value = text_of(&words);
    if value.chars().filter(|c| c.is_alphabetic()).count() < 4 {
        return;
    }
    let candidate = found.add(Field::Reason, value, &words, context.page(), Rank::OwnLabel, 1.0);
    candidate.confidence = prose(&words) * trust;
}

/// How sure running text is: one doubtful word among many does not change what it says.
pub(super) fn prose(words: &[Word]) -> f32 {
    let solid: Vec<f32> =
        words.iter().filter(|word| word.text.chars().any(char::is_alphanumeric)).map(|word| word.confidence).collect();
    let mean = solid.iter().sum::<f32>() / (solid.len().max(1) as f32);
    let poor = solid.iter().filter(|confidence| **confidence < 0.5).count() as f32 / (solid.len().max(1) as f32);
    (0.99 - (0.9 - mean).max(0.0) * 0.5 - poor * 0.5).clamp(0.2, 0.99)
}

fn diagnoses(context: &Context<'_>, label: &Label, found: &mut Candidates) {
    if context.cover {
        return;
    }
    let Some((words, trust)) = context.plain(label, 8) else { return };
    add_codes(found, context.page(), &words, Rank::OwnLabel, trust);
}

/// Adds every ICD-10-CM code among the words, each with the words that go with it.
pub(super) fn add_codes(found: &mut Candidates, page: u32, words: &[Word], rank: Rank, trust: f32) {
    let mut codes: Vec<(usize, codes::ReadCode)> = Vec::new();
    for (at, word) in words.iter().enumerate() {
        // A list without blanks, "I10,E11.65", is several codes.
        let whole = codes::icd10(&word.text).filter(|_| !glued(&word.text));
        let begins = at.checked_sub(1).and_then(|at| words.get(at)).is_none_or(|before| before.text.ends_with([',', ';', ':']));
        if whole.as_ref().is_some_and(|code| code.trust <= codes::BARE_TRUST) && !begins {
            continue;
        }
        match whole {
            Some(code) => codes.push((at, code)),
            None => codes.extend(word.text.split([',', ';', '/']).filter_map(codes::icd10).map(|code| (at, code))),
        }
    }
    for (place, (at, code)) in codes.iter().enumerate() {
        let word = words.get(*at..=*at).unwrap_or_default();
        let bracketed = word.first().is_some_and(|word| word.text.starts_with('('));
        let text = if bracketed {
            let from = place.checked_sub(1).and_then(|before| codes.get(before)).map_or(0, |(before, _)| before + 1);
            words.get(from..*at)
        } else {
            words.get(at + 1..codes.get(place + 1).map_or(words.len(), |(next, _)| *next))
        };
        let text = text_of(text.unwrap_or_default());
        let text = text.trim_matches(|c: char| !c.is_alphanumeric() && c != ')').to_owned();
        let candidate = found.add(Field::Diagnosis, code.code.clone(), word, page, rank, trust * code.trust);
        candidate.also = Some(text).filter(|text| text.chars().count() > 2);
    }
}

fn glued(text: &str) -> bool {
    let pieces: Vec<&str> = text.split([',', ';']).filter(|piece| !piece.is_empty()).collect();
    pieces.len() > 1 && pieces.iter().all(|piece| codes::icd10(piece).is_some_and(|code| code.trust > 0.95))
}

fn procedures(context: &Context<'_>, label: &Label, found: &mut Candidates) {
    let Some((words, trust)) = context.plain(label, 2) else { return };
    for word in &words {
        let plain = word.text.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        if plain.len() == 5 && plain.chars().take(4).all(|c| c.is_ascii_digit()) {
            found.add(Field::Procedure, plain.to_owned(), std::slice::from_ref(word), context.page(), Rank::OwnLabel, trust);
        }
    }
}

fn note(context: &Context<'_>, label: &Label, found: &mut Candidates) {
    if context.cover || context.letter {
        return;
    }
    let Some((words, trust)) = context.plain(label, 6) else { return };
    let title = if label.meaning == Meaning::Allergies { "Allergies" } else { "Medications" };
    let value = format!("{title}: {}", text_of(&words));
    found.add(Field::Note, value, &words, context.page(), Rank::OwnLabel, trust);
}

fn email(context: &Context<'_>, label: &Label, found: &mut Candidates) {
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

fn address(context: &Context<'_>, label: &Label, found: &mut Candidates) {
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
    let is_zip = |word: &Word| {
        let digits = word.text.trim_matches(|c: char| !c.is_ascii_digit());
        (digits.len() == 5 || (digits.len() == 10 && digits.contains('-')))
            && digits.chars().all(|c| c.is_ascii_digit() || c == '-')
    };
    let is_state = |word: &Word| {
        let plain = word.text.trim_matches(|c: char| !c.is_alphabetic());
        plain.len() == 2 && plain.chars().all(|c| c.is_ascii_uppercase())
    };
    let end = words.iter().rposition(is_zip).filter(|at| *at > 0 && words.get(at - 1).is_some_and(is_state));
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
