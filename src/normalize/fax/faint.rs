//! Labels in small print that is hardly legible: the forms of record systems print them in a corner of each cell, and fax machines eat them.
//!
//! Whole segments above something larger that are more like one label than any other. What stands under them says most: over a telephone number
//! stands no label of a date. Whatever they announce is for a person to check ([`super::candidates::Candidates::doubt_from`]).

use super::{
    codes,
    labels::{Heading, Label, Labels, Meaning, fold},
    layout::{Area, Segment, Sheet},
    lists,
};
use crate::reader::Word;

/// The recognizer was sure of none of it.
const SURENESS_MAX: f32 = 0.85;

/// How like a label print must be, and how much less like every other meaning.
struct Likeness {
    least: f64,
    lead: f64,
    letters: usize,
}

/// Where the value may be anything.
const BY_ITS_LETTERS: Likeness = Likeness { least: 0.64, lead: 0.08, letters: 6 };
/// Where the value has the shape that the meaning asks for.
const WITH_ITS_VALUE: Likeness = Likeness { least: 0.42, lead: 0.05, letters: 2 };

/// The labels of a page that are found so, beside those that were read.
pub(super) fn labels(sheet: &Sheet, table: &Labels, labels: &[Label], headings: &[Heading]) -> Vec<Label> {
    let mut found = Vec::new();
    for (at, segment) in sheet.segments.iter().enumerate() {
        let unsure = segment.words.iter().map(|word| word.confidence).fold(1.0, f32::min) < SURENESS_MAX;
        let known = labels.iter().any(|label| label.segment == at) || headings.iter().any(|heading| heading.segment == at);
        if !unsure || known || segment.words.len() > 6 {
            continue;
        }
        let Some(value) = cell_value(sheet, segment.area, segment.row) else { continue };
        if let Some(meaning) = likest(&fold(&segment.text()), &value.words, table) {
            let (to, area) = (segment.words.len(), segment.area);
            found.push(Label { meaning, segment: at, from: 0, to, below: None, area, colon: false, exact: false, faint: true });
        }
    }
    found
}

/// The meaning that a text over this value most likely has.
fn likest(text: &str, value: &[Word], table: &Labels) -> Option<Meaning> {
    let mut scored: Vec<(f64, Meaning, Option<bool>)> = table
        .labels
        .iter()
        .filter(|variant| !variant.colon && variant.folded.len().abs_diff(text.len()) <= 4)
        .map(|variant| (strsim::normalized_levenshtein(text, &variant.folded), variant.of, fits(variant.of, value)))
        .filter(|(_, _, fits)| *fits != Some(false))
        .collect();
    let proved = |fits: Option<bool>| fits == Some(true);
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(proved(b.2).cmp(&proved(a.2))));
    let (like, meaning, fits) = scored.first().copied()?;
    let asked = if proved(fits) { WITH_ITS_VALUE } else { BY_ITS_LETTERS };
    // A meaning whose value may be anything must be more like the print than one whose value is there.
    let rivals =
        |(_, other, other_fits): &&(f64, Meaning, Option<bool>)| *other != meaning && (proved(*other_fits) || !proved(fits));
    let rival = scored.iter().find(rivals).map_or(0.0, |(like, _, _)| *like);
    (text.len() >= asked.letters && like >= asked.least && like - rival >= asked.lead).then_some(meaning)
}

/// Larger print right under a segment that begins where it does.
fn cell_value(sheet: &Sheet, area: Area, row: usize) -> Option<&Segment> {
    let height = sheet.text_height;
    sheet.segments.iter().find(|below| {
        below.row > row
            && (below.area.left - area.left).abs() < height
            && below.area.top > area.middle()
            && below.area.top - area.bottom < 1.6 * height
            && below.area.height() > 1.1 * area.height()
    })
}

/// Whether a value has the shape that a meaning asks for; `None` where any text would do.
fn fits(meaning: Meaning, words: &[Word]) -> Option<bool> {
    let text: String = words.iter().map(|word| word.text.as_str()).collect();
    let first = words.first().map_or("", |word| word.text.as_str());
    let count = text.chars().filter(char::is_ascii_digit).count();
    let marks = text.chars().filter(|c| matches!(c, '/' | '.' | '-' | ',' | '(' | ')')).count();
    let figures = count + marks == text.chars().count();
    let date = figures && marks == 2 && (6..=8).contains(&count);
    let phone = figures && marks >= 2 && (10..=11).contains(&count);
    let one = words.len() == 1;
    Some(match meaning {
        Meaning::BirthDate | Meaning::AuthoredAt => date,
        Meaning::PatientPhone
        | Meaning::PatientMobile
        | Meaning::PatientWorkPhone
        | Meaning::ReferringPhone
        | Meaning::ReferringFax
        | Meaning::ReferredPhone
        | Meaning::ReferredFax
        | Meaning::Phone
        | Meaning::Fax => phone,
        Meaning::Npi | Meaning::ReferringNpi => figures && marks == 0 && count == 10,
        Meaning::PostalCode => figures && marks == 0 && (4..=5).contains(&count),
        Meaning::Procedures => one && text.len() == 5 && count >= 4,
        Meaning::State => one && (2..=3).contains(&text.len()) && text.chars().all(|c| c.is_ascii_uppercase()),
        Meaning::Sex => one && lists::sex(first).is_some(),
        Meaning::MemberId | Meaning::Group | Meaning::PatientMrn | Meaning::Authorization => {
            one && count >= 4 && !date && !phone && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        }
        Meaning::Payer => lists::payer(&text).is_some_and(|listed| listed.likeness >= 0.9),
        Meaning::Specialty => !lists::specialties_in(&words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>()).is_empty(),
        Meaning::Priority => lists::priority(first).is_some(),
        Meaning::Diagnoses => count >= 2 && codes::icd10(first).is_some(),
        Meaning::PatientName
        | Meaning::PatientFamily
        | Meaning::PatientGiven
        | Meaning::FamilyName
        | Meaning::GivenName
        | Meaning::MiddleName
        | Meaning::City
        | Meaning::ReferringName
        | Meaning::ReferringSignature
        | Meaning::ReferredName
        | Meaning::Name
        | Meaning::Provider
        | Meaning::Reason => return (count > 2 && figures).then_some(false),
        Meaning::Address
        | Meaning::CityStateZip
        | Meaning::Email
        | Meaning::Secondary
        | Meaning::ReferringOrganization
        | Meaning::ReferredTo
        | Meaning::ReferredOrganization
        | Meaning::Allergies
        | Meaning::Medications
        | Meaning::Remarks
        | Meaning::Organization
        | Meaning::CoverTo
        | Meaning::CoverFrom
        | Meaning::Pages
        | Meaning::OtherPerson
        | Meaning::Age
        | Meaning::Deceased
        | Meaning::Ignore => return None,
    })
}
