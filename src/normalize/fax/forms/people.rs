//! Names of people and of practices, and whose they are.

use super::{
    super::{
        candidates::{Candidates, Field, Rank},
        dates, deaths,
        labels::{Label, Meaning, Subject},
        layout::{Segment, text_of},
        lists, names, phones, regions, tables,
    },
    Context,
    days::is_of_another_day,
    listed::{is_one_of_column, ticked_specialty, unclear_specialty},
    listed_confidence, payer, texts,
    ticks::{between_boxes, boxed, ticked_option},
};
use crate::{
    normalize::given_names::{is_given_name, is_like_a_given_name},
    reader::Word,
};

/// Which of the two providers.
#[derive(Clone, Copy, PartialEq)]
pub(in crate::normalize::fax) enum Who {
    Referring,
    ReferredTo,
}

pub(super) fn patient_name(context: &Context<'_>, label: &Label, rank: Rank, found: &mut Candidates) {
    let read = context.parsed(label, |words| names::read(&texts(words.get(late(words)..).unwrap_or_default())));
    let Some((name, mut words)) = read else { return };
    let late = words.drain(..late(&words)).count() > 0;
    let before = found.all.len();
    add_name(found, context.page(), &name, &words, rank, (Field::Family, Field::Given), 1.0);
    others_in_table(context, label, rank, found);
    let second = words.get(name.words..).filter(|rest| rest.first().is_some_and(is_or)).and_then(|rest| rest.get(1..));
    if let Some(second) = second {
        if let Some(other) = names::read(&texts(second)) {
            add_name(found, context.page(), &other, second, rank, (Field::Family, Field::Given), 1.0);
        }
        found.doubt_from(before);
    } else if !words.iter().take(name.words).any(|word| word.text.ends_with(','))
        && (is_last_first(context, label) || seems_turned_round(&name))
    {
        found.doubt_from(before);
    }
    if late || words.iter().any(deaths::is_word) {
        found.add(Field::Deceased, deaths::SAID.to_owned(), &words, context.page(), Rank::Label, 1.0);
    }
    // A birth date that follows the name in a letter's subject line needs no label.
    let rest = words.get(name.words..).unwrap_or_default();
    let rest = rest.split(is_of_another_day).next().unwrap_or_default();
    let date = (0..rest.len().min(3)).find_map(|at| {
        let tail = rest.get(at..)?;
        Some((dates::read(&texts(tail), context.rules.date_order, context.rules.today)?, tail.to_vec()))
    });
    if let Some((read, tail)) = date {
        let taken = tail.get(..read.words).unwrap_or_default();
        found.add(Field::BirthDate, read.date.to_string(), taken, context.page(), Rank::Place, 0.93 * read.trust);
    }
}

/// The patients in the further rows of a table whose head has a column of names and one of birth dates: whoever reads the first row alone
/// loses them.
fn others_in_table(context: &Context<'_>, label: &Label, rank: Rank, found: &mut Candidates) {
    const OTHERS_MAX: usize = 10;
    let (sheet, page) = (context.sheet, context.page());
    let head = sheet.segments.get(label.segment).map_or(0, |segment| segment.row);
    let of_head = |other: &&Label| sheet.segments.get(other.segment).is_some_and(|segment| segment.row == head);
    let birth = context.marks.labels.iter().filter(of_head).find(|other| other.meaning == Meaning::BirthDate);
    let Some(birth) = birth.filter(|_| !label.colon && context.given.is_none()) else { return };
    for cells in tables::rows(sheet, context.marks, head).into_iter().skip(1).take(OTHERS_MAX) {
        let under = |label: &Label| {
            let near = |segment: &&Segment| (segment.area.left - label.area.left).abs() < sheet.text_height;
            cells.iter().copied().find(near).map(|segment| segment.words.as_slice())
        };
        let (Some(names), Some(days)) = (under(label), under(birth)) else { return };
        let date = dates::read(&texts(days), context.rules.date_order, context.rules.today);
        let (Some(name), Some(date)) = (names::read(&texts(names)), date) else { return };
        add_name(found, page, &name, names, rank, (Field::Family, Field::Given), 1.0);
        let day = days.get(..date.words).unwrap_or_default();
        found.add(Field::BirthDate, date.date.to_string(), day, page, rank, date.trust);
    }
}

/// How many words before a name say that its bearer is dead: "the late Ada Example".
fn late(words: &[Word]) -> usize {
    let is = |at: usize, text: &str| words.get(at).is_some_and(|word| word.text.eq_ignore_ascii_case(text));
    if is(0, "the") && is(1, "late") { 2 } else { 0 }
}

/// Whether a word puts a second name beside the first.
fn is_or(word: &Word) -> bool {
    matches!(word.text.to_lowercase().as_str(), "or" | "/" | "and" | "&")
}

/// Whether a label asks for the family name first: without a comma it is not plain whether whoever filled it in did so.
fn is_last_first(context: &Context<'_>, label: &Label) -> bool {
    let words = context.sheet.segments.get(label.segment).and_then(|segment| segment.words.get(label.from..label.to));
    let text = text_of(words.unwrap_or_default()).to_lowercase();
    text.find("last").zip(text.find("first")).is_some_and(|(last, first)| last < first)
}

/// Adds the parts of one name as candidates of one mention.
pub(in crate::normalize::fax) fn add_name(
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
            let trust = trust * name.trust * given_trust(field, text);
            found.add(field, text.clone(), &words, page, rank, trust).mention = mention;
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

/// Whether the second word of a name is one that people are given, and the first is not: `OKAFOR DELPHINE`, perhaps.
fn seems_turned_round(name: &names::ReadName) -> bool {
    let known = |part: &Option<String>| part.as_ref().map(|part| is_given_name(&part.to_lowercase()));
    known(&name.name.family) == Some(true) && known(&name.name.given) == Some(false) && name.words == 2
}

/// How far a name is trusted that is no name, and would be one with another letter that looks alike.
fn given_trust(field: Field, text: &str) -> f32 {
    let given = matches!(field, Field::Given | Field::ReferringGiven | Field::ReferredGiven);
    if given && (is_like_a_given_name(text) || runs_into_initial(text)) { 0.8 } else { 1.0 }
}

/// Whether a given name in capitals is none, and is one without its last letter: `MIGUELA` was `MIGUEL A`, perhaps.
fn runs_into_initial(text: &str) -> bool {
    const LETTERS_MIN: usize = 5;
    let lower = text.to_lowercase();
    let shorter = lower.char_indices().next_back().and_then(|(last, _)| lower.get(..last)).unwrap_or_default();
    let capitals = text.chars().count() >= LETTERS_MIN && text.chars().all(char::is_uppercase);
    capitals && !is_given_name(&lower) && is_given_name(shorter)
}

pub(super) fn part_of_name(context: &Context<'_>, label: &Label, field: Field, rank: Rank, found: &mut Candidates) {
    let read = context.parsed(label, |words| names::single(&texts(words)));
    if let Some(((text, count), words)) = read {
        let taken = words.get(..count).unwrap_or_default();
        // "First name" cells often hold the middle initial too.
        match text.split_once(' ') {
            Some((first, middle)) if field == Field::Given && middle.chars().count() <= 2 => {
                let trust = given_trust(Field::Given, first);
                found.add(Field::Given, first.to_owned(), taken, context.page(), rank, trust);
                found.add(Field::Middle, middle.to_owned(), taken, context.page(), rank, 1.0);
            }
            _ => {
                let trust = given_trust(field, &text);
                found.add(field, text, taken, context.page(), rank, trust);
            }
        }
        // "Last name" cells often hold the suffix too.
        let suffix = words.get(count).filter(|_| field == Field::Family);
        if let Some((word, suffix)) = suffix.and_then(|word| Some((word, names::suffix(&word.text)?))) {
            found.add(Field::Suffix, suffix, std::slice::from_ref(word), context.page(), rank, 1.0);
        }
    }
}

/// A person, a practice, or both behind one label: `Clinic, Attn: Name`.
pub(super) fn provider(context: &Context<'_>, label: &Label, who: Who, rank: Rank, found: &mut Candidates) {
    let Some((words, trust)) = context.plain(label, 1) else { return };
    if words.iter().take(2).any(|word| word.text.chars().filter(char::is_ascii_digit).count() > 4) {
        return;
    }
    let (family, given, organization) = match who {
        Who::Referring => (Field::ReferringFamily, Field::ReferringGiven, Field::ReferringOrganization),
        Who::ReferredTo => (Field::ReferredFamily, Field::ReferredGiven, Field::ReferredOrganization),
    };
    let page = context.page();
    if who == Who::ReferredTo && offers_specialties(context, label, &words, found) {
        return;
    }
    let Some((words, trust)) = of_options(context, label, (words, trust), organization, found) else { return };
    let specialties = if who == Who::ReferredTo { lists::specialties_in(&texts(&words)) } else { Vec::new() };
    for (from, to, listed) in &specialties {
        let taken = words.get(*from..*to).unwrap_or_default();
        found.add(Field::Specialty, listed.name.clone(), taken, page, Rank::Place, 1.0).confidence =
            listed_confidence(listed.likeness) * 0.98;
    }
    // "Leslie Lee, MD, Urology" is a person with what they do behind.
    let titled = specialties.iter().map(|(from, ..)| *from).find(|from| {
        let before = from.checked_sub(1).and_then(|at| words.get(at));
        before.is_some_and(|word| word.text.ends_with(',')) && *from > 2
    });
    let words = titled.and_then(|from| words.get(..from)).map_or(words.clone(), <[Word]>::to_vec);
    let text = text_of(&words);
    let is_practice = lists::looks_like_organization(&text) || is_named_for_specialty(&words, &specialties);
    match names::read(&texts(&words)) {
        Some(name) if !is_practice => {
            let before = found.all.len();
            add_name(found, page, &name, &words, rank, (family, given), trust);
            if words.get(name.words).is_some_and(is_or) {
                found.doubt_from(before);
            }
        }
        _ if is_practice || label.meaning == Meaning::CoverFrom => {
            practice(context, label, words, (organization, rank, trust), found);
        }
        _ => {}
    }
}

/// Whether a value is a practice's name by the specialty in it: `Rowan Rheumatology`. A person's title or degree says that a person is meant.
fn is_named_for_specialty(words: &[Word], specialties: &[(usize, usize, lists::Listed)]) -> bool {
    let Some(name) = names::read(&texts(words)) else { return false };
    let titled =
        name.credentials || name.name.prefix.is_some() || words.iter().take(name.words).any(|word| word.text.ends_with(','));
    !titled && specialties.iter().any(|(from, to, listed)| *from > 0 && *to <= name.words && listed.likeness >= 1.0)
}

/// Whether it is specialties that a label of the specialist offers to choose from ("Refer to:"): the ticked one is added.
fn offers_specialties(context: &Context<'_>, label: &Label, words: &[Word], found: &mut Candidates) -> bool {
    let page = context.page();
    if !words.iter().any(regions::is_box_or_brackets) {
        let listed = lists::specialties_in(&texts(words));
        let one_of = |(from, to, listed): &(usize, usize, lists::Listed)| {
            is_one_of_column(context, listed, words.get(*from..*to).unwrap_or_default())
        };
        let column = listed.len() == 1 && listed.iter().any(one_of);
        if column {
            unclear_specialty(words, page, Rank::Label, found);
        }
        return column;
    }
    let words = boxed(context, label).unwrap_or_else(|| words.to_vec());
    let named = lists::specialties_in(&texts(&words));
    let options = between_boxes(&words);
    // A practice may have a specialty in its name: "Harbor Cardiology" is for the reader of names.
    let alone = |(from, to): &(usize, usize)| {
        named.iter().any(|(at, end, _)| at == from && *end <= *to && words.get(*end..*to).is_none_or(|rest| rest.len() < 2))
    };
    let offered = options.iter().filter(|option| alone(option)).count() * 2 > options.len();
    if offered {
        ticked_specialty(&words, page, Rank::Label, found);
    }
    offered
}

/// The words of a value; of options with boxes those of the ticked one. None: it cannot be told which, and a person is asked.
fn of_options(
    context: &Context<'_>,
    label: &Label,
    (words, trust): (Vec<Word>, f32),
    field: Field,
    found: &mut Candidates,
) -> Option<(Vec<Word>, f32)> {
    match ticked_option(context, label, &words) {
        None => Some((words, trust)),
        Some(Ok((option, sure))) => Some((option, trust * sure)),
        Some(Err(words)) => {
            let candidate = found.add(field, String::new(), &words, context.page(), Rank::Label, 0.3);
            candidate.failed = Some(("tick-unclear", "it cannot be told which box is ticked: check it on the page"));
            None
        }
    }
}

pub(super) fn organization(context: &Context<'_>, label: &Label, field: Field, rank: Rank, found: &mut Candidates) {
    let Some(value) = context.plain(label, 1) else { return };
    let Some((words, trust)) = of_options(context, label, value, field, found) else { return };
    practice(context, label, words, (field, rank, trust), found);
}

/// Adds the name of a practice; one that breaks off is read on in the next line, and marked where it is not whole then either.
fn practice(
    context: &Context<'_>,
    label: &Label,
    mut words: Vec<Word>,
    (field, rank, trust): (Field, Rank, f32),
    found: &mut Candidates,
) {
    const MORE_WORDS_MAX: usize = 3;
    words.truncate(words_before_number(context, &words));
    let name = |words: &[Word]| text_of(words).trim_matches(|c: char| !c.is_alphanumeric()).to_owned();
    if lists::breaks_off(&name(&words)) {
        let longer = context.plain(label, 2).map(|(longer, _)| longer);
        let admitted =
            |longer: &Vec<Word>| longer.len() <= words.len() + MORE_WORDS_MAX && !longer.iter().any(regions::is_box_or_brackets);
        words = longer.filter(admitted).unwrap_or(words);
        words.truncate(words_before_number(context, &words));
    }
    let value = name(&words);
    let trust = if lists::breaks_off(&value) || lists::nearly_spelled(&value) { 0.9 * trust } else { trust };
    let value =
        lists::spelled(&text_of(&words)).map_or(value, |spelled| spelled.trim_matches(|c: char| !c.is_alphanumeric()).to_owned());
    if value.chars().filter(|c| c.is_alphabetic()).count() >= 3 {
        found.add(field, value, &words, context.page(), rank, trust);
    }
}

/// How many words of a value stand before the telephone number in it, if there is one.
fn words_before_number(context: &Context<'_>, words: &[Word]) -> usize {
    let number = |at: &usize| {
        let tail = texts(words.get(*at..).unwrap_or_default());
        phones::read(&tail, &context.rules.region).is_some_and(|read| read.sound)
    };
    (1..words.len()).find(number).unwrap_or(words.len())
}

/// A name whose label does not say whose it is.
pub(super) fn by_subject_name(context: &Context<'_>, label: &Label, found: &mut Candidates) {
    match context.subject {
        Some(Subject::Patient) => patient_name(context, label, Rank::Label, found),
        Some(Subject::Referring) => provider(context, label, Who::Referring, Rank::Label, found),
        Some(Subject::ReferredTo) => provider(context, label, Who::ReferredTo, Rank::Label, found),
        None if !context.cover => patient_name(context, label, Rank::Place, found),
        None | Some(Subject::Insurance | Subject::SecondaryInsurance | Subject::Other | Subject::Clinical) => {}
    }
}

/// A provider whose label does not say which. Under no heading that says it, it may be anybody's: for a person to check.
pub(super) fn by_subject_provider(context: &Context<'_>, label: &Label, found: &mut Candidates) {
    match context.subject {
        Some(Subject::Referring) => provider(context, label, Who::Referring, Rank::Label, found),
        Some(Subject::ReferredTo) => provider(context, label, Who::ReferredTo, Rank::Label, found),
        None | Some(Subject::Patient | Subject::Clinical) if !context.cover => {
            let before = found.all.len();
            provider(context, label, Who::Referring, Rank::Text, found);
            found.doubt_from(before);
        }
        None | Some(Subject::Patient | Subject::Insurance | Subject::SecondaryInsurance | Subject::Other | Subject::Clinical) => {
        }
    }
}

pub(super) fn by_subject_part(context: &Context<'_>, label: &Label, fields: (Field, Field, Field), found: &mut Candidates) {
    match context.subject {
        None | Some(Subject::Patient) => part_of_name(context, label, fields.0, Rank::Label, found),
        // A title or a table of providers above the patient's grid says nothing of it.
        Some(Subject::Clinical | Subject::Referring | Subject::ReferredTo) if is_of_patients_grid(context, label) => {
            part_of_name(context, label, fields.0, Rank::Label, found);
        }
        Some(Subject::Referring) => part_of_name(context, label, fields.1, Rank::Label, found),
        Some(Subject::ReferredTo) => part_of_name(context, label, fields.2, Rank::Label, found),
        Some(Subject::Insurance | Subject::SecondaryInsurance | Subject::Other | Subject::Clinical) => {}
    }
}

/// Whether the part of a name stands in the grid of the one person who has a birth date and a sex there: the patient, where the page names
/// the patient nowhere else.
fn is_of_patients_grid(context: &Context<'_>, label: &Label) -> bool {
    const ROWS_MAX: usize = 4;
    let marks = context.marks;
    let row = |segment: usize| context.sheet.segments.get(segment).map_or(0, |segment| segment.row);
    let own = row(label.segment);
    let named = marks.headings.iter().any(|heading| heading.subject == Subject::Patient)
        || marks.labels.iter().any(|other| matches!(other.meaning, Meaning::PatientName | Meaning::PatientFamily));
    let near = |meaning: Meaning| {
        let mut rows = marks.labels.iter().filter(|other| other.meaning == meaning).map(|other| row(other.segment));
        rows.any(|other| (own..=own + ROWS_MAX).contains(&other))
    };
    !label.colon && !named && near(Meaning::BirthDate) && (near(Meaning::Sex) || near(Meaning::MiddleName) || near(Meaning::Age))
}

pub(super) fn by_subject_organization(context: &Context<'_>, label: &Label, found: &mut Candidates) {
    match context.subject {
        Some(Subject::Referring) => organization(context, label, Field::ReferringOrganization, Rank::Label, found),
        Some(Subject::ReferredTo) => organization(context, label, Field::ReferredOrganization, Rank::Label, found),
        Some(Subject::Insurance | Subject::SecondaryInsurance) => payer(context, label, found),
        None | Some(Subject::Patient | Subject::Other | Subject::Clinical) => {}
    }
}
