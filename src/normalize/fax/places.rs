//! What a page says by its places alone: the sending machine's line, a letterhead, an addressee, a title, a letter's body and its signature.

use super::{
    FaxRules,
    candidates::{Candidates, Field, Rank},
    codes, dates,
    forms::{Who, add_codes, add_name, corrected, listed_confidence, priority_word, prose, texts, unlabelled_priority},
    labels::{Label, Marks, Meaning, Subject},
    layout::{Sheet, text_of},
    lists, names, phones, regions,
};
use crate::reader::Word;

/// What kind of page it is, and where its parts begin (segment numbers).
pub(super) struct Shape {
    pub(super) cover: bool,
    pub(super) letter: bool,
    /// "Dear …"
    salutation: Option<usize>,
    /// "RE: …"
    subject_line: Option<usize>,
    /// The first segment of the addressee's block.
    addressee: Option<usize>,
    /// "Sincerely,"
    closing: Option<usize>,
}

impl Shape {
    pub(super) fn of(sheet: &Sheet, marks: &Marks, rules: &FaxRules) -> Self {
        let lower = |at: usize| sheet.segments.get(at).map(|segment| segment.text().to_lowercase()).unwrap_or_default();
        let find = |from: usize, test: &dyn Fn(&str) -> bool| (from..sheet.segments.len()).find(|at| test(&lower(*at)));
        let salutation = find(0, &|text| text.starts_with("dear ") || text.starts_with("to whom it may"));
        let closing = find(salutation.unwrap_or(0), &|text| {
            let text = text.trim_matches(|c: char| !c.is_alphanumeric());
            lists::words().closings.iter().any(|closing| closing == text)
        });
        let subject_line = find(0, &|text| {
            text.starts_with("re:") || text.starts_with("regarding:") || text.starts_with("re :") || text.starts_with("rf:")
        });
        let letter = salutation.is_some() || (closing.is_some() && subject_line.is_some());
        let cover = is_cover(sheet, marks);
        let end = subject_line.into_iter().chain(salutation).min();
        let addressee = end.filter(|_| letter && !cover).and_then(|end| addressee(sheet, end, rules));
        Self { cover, letter, salutation, subject_line, addressee, closing }
    }

    /// The places that set a subject for the labels under them.
    pub(super) fn subjects(&self) -> Vec<(usize, Subject)> {
        let addressee = self.addressee.map(|at| (at, Subject::ReferredTo));
        let re = self.subject_line.map(|at| (at, Subject::Patient));
        let closing = self.closing.map(|at| (at, Subject::Referring));
        addressee.into_iter().chain(re).chain(closing).collect()
    }
}

/// A cover page has the words of one (to, from, pages, fax) and none of a form (birth date, diagnosis, member number).
fn is_cover(sheet: &Sheet, marks: &Marks) -> bool {
    let has = |meaning: Meaning| marks.labels.iter().any(|label| label.meaning == meaning);
    let title = sheet.segments.iter().take(4).any(|segment| {
        let text = segment.text().to_lowercase();
        text == "fax"
            || text.contains("fax cover")
            || text.contains("cover sheet")
            || text.contains("fax transmi")
            || text.contains("facsimile")
    });
    let score = usize::from(has(Meaning::CoverTo))
        + usize::from(has(Meaning::CoverFrom))
        + usize::from(has(Meaning::Pages))
        + usize::from(title);
    let form = [Meaning::Diagnoses, Meaning::MemberId, Meaning::Reason].into_iter().filter(|meaning| has(*meaning)).count();
    score >= 2 && (form == 0 || score > 2 && form < 2 && !has(Meaning::BirthDate))
}

/// Where the addressee's block begins: after the letter's date, or at the first "Dr." or "Department".
fn addressee(sheet: &Sheet, end: usize, rules: &FaxRules) -> Option<usize> {
    let words = |at: usize| sheet.segments.get(at).map(|segment| segment.words.as_slice()).unwrap_or_default();
    let date = (0..end).find(|at| {
        let words = words(*at);
        words.len() <= 4
            && dates::read(&texts(words), rules.date_order, rules.today).is_some_and(|read| read.words == words.len())
    });
    let named = |at: &usize| {
        let text = text_of(words(*at)).to_lowercase();
        ["dr.", "dr ", "department", "dept", "attn", "attention"].iter().any(|start| text.starts_with(start))
    };
    match date {
        Some(date) if date + 1 < end => Some(date + 1),
        _ => (1..end).find(named),
    }
}

/// Reads what the places of a page say.
pub(super) fn read(sheet: &Sheet, marks: &Marks, shape: &Shape, rules: &FaxRules, first: bool, found: &mut Candidates) {
    if let Some(header) = &sheet.header {
        sending_machine(sheet, header, rules, found);
    }
    if shape.cover {
        return;
    }
    if first {
        letterhead(sheet, marks, shape, rules, found);
    }
    banner(sheet, marks, found);
    titles(sheet, marks, found);
    unlabelled_priority(sheet, found);
    corrected(sheet, rules, found);
    if shape.letter {
        written_to(sheet, shape, found);
        body(sheet, marks, shape, found);
        signature(sheet, marks, shape, found);
        letter_date(sheet, shape, rules, found);
    }
    stray_codes(sheet, marks, found);
    stray_npi(sheet, marks, found);
}

/// The line that the sending fax machine prints names its number and owner: enough to confirm what the page says, never more.
fn sending_machine(sheet: &Sheet, header: &[Word], rules: &FaxRules, found: &mut Candidates) {
    for at in 0..header.len() {
        let tail = header.get(at..).unwrap_or_default();
        if let Some(read) = phones::read(&texts(tail), &rules.region).filter(|read| read.sound) {
            let taken = tail.get(..read.words).unwrap_or_default();
            found.add(Field::ReferringFax, read.number, taken, sheet.page, Rank::Text, 0.9);
            return;
        }
    }
}

/// The practice's name and numbers above everything else.
fn letterhead(sheet: &Sheet, marks: &Marks, shape: &Shape, rules: &FaxRules, found: &mut Candidates) {
    let end = marks
        .labels
        .iter()
        .filter(|label| {
            let aside = matches!(label.meaning, Meaning::Ignore | Meaning::Age | Meaning::Deceased);
            !(aside || matches!(label.meaning, Meaning::Phone | Meaning::Fax | Meaning::Address | Meaning::Email))
        })
        .filter(|label| label.colon || !lists::looks_like_title(&sheet.segments[label.segment].text()))
        .map(|label| label.segment)
        .chain(marks.headings.iter().map(|heading| heading.segment))
        .chain(shape.addressee)
        .chain(shape.subject_line)
        .chain(shape.salutation)
        .min()
        .unwrap_or(sheet.segments.len());
    let to_us = sheet.segments.iter().take(end + 4).any(|segment| {
        let text = segment.text().to_lowercase();
        ["fax to", "return to", "fax completed", "send to", "fax this form", "fax form"].iter().any(|words| text.contains(words))
    });
    let to_us = to_us || marks.labels.iter().any(|label| label.segment < end + 4 && label.meaning == Meaning::ReferredFax);
    for (at, segment) in sheet.segments.iter().enumerate().take(end) {
        if segment.area.top > 0.35 * sheet.height {
            break;
        }
        let words: Vec<Word> = segment
            .words
            .iter()
            .enumerate()
            .take_while(|(place, word)| marks.at(at, *place).is_none() && !word.text.starts_with('('))
            .map(|(_, word)| word.clone())
            .collect();
        let text = text_of(&words);
        let text = text.trim_matches(|c: char| !c.is_alphanumeric());
        let titled = lists::looks_like_title(text);
        if words.len() < 2 || words.len() > 9 || titled || !lists::looks_like_organization(text) || text.contains([':', '@']) {
            continue;
        }
        if text.chars().filter(char::is_ascii_digit).count() > 4 {
            continue;
        }
        let own =
            rules.own_names.iter().any(|own| strsim::normalized_levenshtein(&own.to_lowercase(), &text.to_lowercase()) > 0.8);
        // A form that a specialist hands out bears the specialist's name, and says where to send it.
        let (field, trust) =
            if to_us || own { (Field::ReferredOrganization, 0.8) } else { (Field::ReferringOrganization, 0.985) };
        let trust = if lists::breaks_off(text) || lists::nearly_spelled(text) { 0.9 * trust } else { trust };
        found.add(field, text.to_owned(), &words, sheet.page, Rank::Place, trust);
        // Whoever is asked for is what the name says: "Harbor Cardiology".
        if field == Field::ReferredOrganization
            && let [(from, to, listed)] = lists::specialties_in(&texts(&words)).as_slice()
        {
            let taken = words.get(*from..*to).unwrap_or_default();
            found.add(Field::Specialty, listed.name.clone(), taken, sheet.page, Rank::Place, 1.0).confidence =
                listed_confidence(listed.likeness) * 0.98;
        }
        break;
    }
}

/// A record system prints the patient on top of every page, without a label: `LEE, Leslie`, the birth date or the record number beside it.
fn banner(sheet: &Sheet, marks: &Marks, found: &mut Candidates) {
    let known = |label: &Label| matches!(label.meaning, Meaning::BirthDate | Meaning::PatientMrn);
    for (at, segment) in sheet.segments.iter().enumerate().take_while(|(_, segment)| segment.area.top < 0.12 * sheet.height) {
        let words = texts(&segment.words);
        let beside = marks.labels.iter().filter(|label| known(label)).any(|label| {
            let below = label.area.top - segment.area.bottom;
            label.area.bottom > segment.area.top && below < 1.5 * sheet.text_height
        });
        let comma = words.first().is_some_and(|word| word.ends_with(','));
        if !beside || !comma || marks.begins(at) || lists::looks_like_organization(&segment.text()) {
            continue;
        }
        if let Some(name) = names::read(&words).filter(|name| name.words == words.len() && !name.credentials) {
            add_name(found, sheet.page, &name, &segment.words, Rank::Place, (Field::Family, Field::Given), 0.98);
            return;
        }
    }
}

/// "Referral to Gastroenterology - STAT", or a priority that stands alone in large type.
fn titles(sheet: &Sheet, marks: &Marks, found: &mut Candidates) {
    for (at, segment) in sheet.segments.iter().enumerate() {
        if segment.area.top > 0.4 * sheet.height || segment.words.len() > 9 {
            continue;
        }
        let words = texts(&segment.words);
        let lower = segment.text().to_lowercase();
        let large = segment.area.height() > 1.2 * sheet.text_height;
        let names_referral = lower.contains("referral") || lower.contains("consult") || lower.contains("refer to");
        let labelled = marks.labels.iter().any(|label| label.segment == at && label.colon);
        // "Is this referral urgent? Yes / No" asks.
        if labelled || segment.text().ends_with(['.', ',']) || segment.words.iter().any(|word| word.text.ends_with('?')) {
            continue;
        }
        let boxed = sheet.row(segment.row).flat_map(|(_, segment)| &segment.words).any(regions::is_box_or_brackets);
        if names_referral && !boxed {
            for (from, to, listed) in lists::specialties_in(&words) {
                // "Referral from Cardiology to Neurology", "already sees Cardiology": who is left or seen is not who is asked.
                if from.checked_sub(1).and_then(|at| words.get(at)).is_some_and(|before| is_elsewhere(before)) {
                    continue;
                }
                let taken = segment.words.get(from..to).unwrap_or_default();
                let candidate = found.add(Field::Specialty, listed.name, taken, sheet.page, Rank::Place, 1.0);
                candidate.confidence = listed_confidence(listed.likeness) * 0.98;
            }
        }
        if names_referral || (large && words.len() <= 3) {
            for (place, word) in words.iter().enumerate() {
                let care = words.get(place + 1).is_some_and(|next| next.to_lowercase().starts_with("care"));
                // One of several words in a row is what can be chosen, ticked or not.
                let chosen_from = |priority| {
                    let others = sheet.row(segment.row).flat_map(|(_, segment)| &segment.words);
                    others.filter_map(|other| lists::priority(&other.text)).any(|other| other != priority)
                };
                if let Some(priority) = lists::priority(word).filter(|priority| !care && !boxed && !chosen_from(*priority)) {
                    let taken = segment.words.get(place..=place).unwrap_or_default();
                    let candidate =
                        found.add(Field::Priority, priority_word(priority).to_owned(), taken, sheet.page, Rank::Place, 1.0);
                    candidate.confidence = 0.97;
                }
            }
        }
    }
}

/// Whether the word before a specialty says that it is another one than the one asked for.
fn is_elsewhere(before: &str) -> bool {
    matches!(before.to_lowercase().as_str(), "from" | "sees" | "saw" | "by" | "previous" | "prior" | "former" | "current")
}

/// The addressee's block: name, department, practice.
fn written_to(sheet: &Sheet, shape: &Shape, found: &mut Candidates) {
    let Some(from) = shape.addressee else { return };
    let end = shape.subject_line.into_iter().chain(shape.salutation).min().unwrap_or(from);
    for segment in sheet.segments.get(from..end).unwrap_or_default().iter().take(8) {
        let words = texts(&segment.words);
        for (a, b, listed) in lists::specialties_in(&words) {
            let taken = segment.words.get(a..b).unwrap_or_default();
            let candidate = found.add(Field::Specialty, listed.name, taken, sheet.page, Rank::Place, 1.0);
            candidate.confidence = listed_confidence(listed.likeness) * 0.98;
        }
        let text = segment.text();
        if lists::looks_like_organization(&text) && !text.to_lowercase().starts_with("dep") {
            found.add(Field::ReferredOrganization, text, &segment.words, sheet.page, Rank::Place, 0.97);
        } else if let Some(name) = names::read(&words) {
            add_name(found, sheet.page, &name, &segment.words, Rank::Place, fields(Who::ReferredTo), 0.97);
        }
    }
}

fn fields(who: Who) -> (Field, Field) {
    match who {
        Who::Referring => (Field::ReferringFamily, Field::ReferringGiven),
        Who::ReferredTo => (Field::ReferredFamily, Field::ReferredGiven),
    }
}

/// A letter's reason: the sentences after the salutation that are neither courtesy nor medication, allergies or measurements.
fn body(sheet: &Sheet, marks: &Marks, shape: &Shape, found: &mut Candidates) {
    let Some(from) = shape.salutation else { return };
    let end = shape.closing.unwrap_or(sheet.segments.len());
    let words: Vec<Word> = sheet
        .segments
        .iter()
        .enumerate()
        .skip(from + 1)
        .take(end.saturating_sub(from + 1))
        .take_while(|(at, _)| {
            !marks.labels.iter().any(|label| label.segment == *at && label.from == 0 && label.colon && ends_body(label))
        })
        .flat_map(|(_, segment)| segment.words.iter().cloned())
        .take(400)
        .collect();
    let mut kept: Vec<Word> = Vec::new();
    let mut asked = false;
    for sentence in sentences(&words) {
        let text = text_of(sentence).to_lowercase();
        match told(&text) {
            Told::Courtesy => {}
            Told::Aside if kept.is_empty() => {}
            Told::Aside => break,
            Told::Matter => {
                asked |= ASKING.iter().any(|word| text.contains(word));
                kept.extend_from_slice(sentence);
            }
        }
    }
    if kept.len() >= 3 {
        let value = text_of(&kept).trim_end_matches(['.', ',', ';']).to_owned();
        let long = kept.len() > 80;
        let candidate = found.add(Field::Reason, value, &kept, sheet.page, Rank::Place, 1.0);
        candidate.confidence = prose(&kept) * if long || !asked { 0.97 } else { 0.99 };
    }
}

fn ends_body(label: &Label) -> bool {
    matches!(
        label.meaning,
        Meaning::Diagnoses
            | Meaning::Medications
            | Meaning::Allergies
            | Meaning::Priority
            | Meaning::Age
            | Meaning::Deceased
            | Meaning::Ignore
    )
}

const ASKING: [&str; 14] = [
    "evaluat",
    "assess",
    "opinion",
    "advi",
    "please",
    "consider",
    "perform",
    "recommend",
    "manage",
    "request",
    "appreciate",
    "concern",
    "review",
    "refer",
];

enum Told {
    Courtesy,
    Aside,
    Matter,
}

/// What a sentence of a letter is for.
fn told(sentence: &str) -> Told {
    const COURTESY: [&str; 10] = [
        "thank you for seeing",
        "thank you for agreeing",
        "thank you for your",
        "thanks for seeing",
        "thank you for accepting",
        "i hope this finds",
        "please do not hesitate",
        "kindly send",
        "please send",
        "please fax",
    ];
    const ASIDE: [&str; 9] = [
        "medications",
        "medication list",
        "allerg",
        "takes ",
        "past medical",
        "social history",
        "family history",
        "diagnosis",
        "lives with",
    ];
    // A measurement has figures; a complaint of "high blood pressure" has none.
    const MEASURED: [&str; 5] = ["blood pressure", "pulse", "vital", "heart rate", "bp "];
    let measured = sentence.contains(|c: char| c.is_ascii_digit()) && MEASURED.iter().any(|word| sentence.contains(word));
    let short = sentence.split_whitespace().count() <= 9;
    if COURTESY.iter().any(|start| sentence.starts_with(start)) && (short || !sentence.contains(" for ")) {
        Told::Courtesy
    } else if (measured || ASIDE.iter().any(|word| sentence.contains(word))) && !sentence.starts_with("please") {
        Told::Aside
    } else {
        Told::Matter
    }
}

/// Words parted behind each that ends a sentence. "Dr." and initials do not.
fn sentences(words: &[Word]) -> Vec<&[Word]> {
    words
        .split_inclusive(|word| {
            let text = word.text.trim_end_matches([')', '"']);
            let stem = text.trim_end_matches(['.', '?', '!']);
            text.len() > stem.len() && stem.chars().count() > 1 && !matches!(stem, "Dr" | "Mr" | "Mrs" | "Ms" | "vs" | "St")
        })
        .collect()
}

/// The name under the closing.
fn signature(sheet: &Sheet, marks: &Marks, shape: &Shape, found: &mut Candidates) {
    let Some(closing) = shape.closing else { return };
    for (at, segment) in sheet.segments.iter().enumerate().skip(closing + 1).take(4) {
        if marks.begins(at) {
            continue;
        }
        if let Some(name) = names::read(&texts(&segment.words)) {
            let trust = if name.credentials { 1.0 } else { 0.97 };
            add_name(found, sheet.page, &name, &segment.words, Rank::Label, fields(Who::Referring), trust);
            return;
        }
    }
}

/// The date that stands alone above the addressee.
fn letter_date(sheet: &Sheet, shape: &Shape, rules: &FaxRules, found: &mut Candidates) {
    let end = shape.salutation.into_iter().chain(shape.subject_line).min().unwrap_or(0);
    for segment in sheet.segments.iter().take(end) {
        let read = dates::read(&texts(&segment.words), rules.date_order, rules.today);
        if let Some(read) = read.filter(|read| read.words == segment.words.len() && read.date <= rules.today) {
            found.add(Field::AuthoredAt, read.date.to_string(), &segment.words, sheet.page, Rank::Place, 0.98 * read.trust);
            return;
        }
    }
}

/// Codes in running text, for a page that labels none.
fn stray_codes(sheet: &Sheet, marks: &Marks, found: &mut Candidates) {
    if marks.labels.iter().any(|label| label.meaning == Meaning::Diagnoses) {
        return;
    }
    for segment in &sheet.segments {
        let coded = segment.words.iter().any(|word| {
            word.text.contains('.')
                && word.text.starts_with(|c: char| c.is_ascii_uppercase() || c == '(')
                && codes::icd10(&word.text).is_some()
        });
        if coded {
            add_codes(found, sheet.page, &segment.words, Rank::Text, 0.9);
        }
    }
}

/// The only number of the page that is an NPI by its check digit, where no label for one could be read: whose it is, a person must see.
fn stray_npi(sheet: &Sheet, marks: &Marks, found: &mut Candidates) {
    const TRUST: f32 = 0.85;
    if found.all.iter().any(|known| known.field == Field::ReferringNpi && known.page == sheet.page) {
        return;
    }
    let free = sheet.segments.iter().enumerate().filter(|(at, _)| !marks.labels.iter().any(|label| label.segment == *at));
    let numbers = free.flat_map(|(_, segment)| &segment.words).filter_map(|word| {
        let (read, _) = codes::npi(&[word.text.as_str()])?;
        read.check.then_some((read.digits, word))
    });
    if let [(digits, word)] = numbers.collect::<Vec<_>>().as_slice() {
        found.add(Field::ReferringNpi, digits.clone(), std::slice::from_ref(*word), sheet.page, Rank::Text, TRUST);
    }
}
