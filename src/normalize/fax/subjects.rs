//! Whose a label is that does not say so ("Phone", "NPI", "Name"): by the heading, or the name, above it or left of it.

use super::{
    labels::{Label, Marks, Meaning, Subject},
    layout::{Area, Sheet},
};

/// Something that says whom the lines under it are about.
#[derive(Clone)]
pub(super) struct Setter {
    subject: Subject,
    row: usize,
    area: Area,
    section: bool,
}

/// The setters of a page, from the top.
pub(super) fn setters(sheet: &Sheet, marks: &Marks, more: &[(usize, Subject)]) -> Vec<Setter> {
    let row = |segment: usize| sheet.segments.get(segment).map_or(0, |segment| segment.row);
    let headings =
        marks.headings.iter().map(|heading| (heading.subject, heading.segment, heading.area, true)).filter(|(_, at, _, _)| {
            // A segment that is a label with its value behind or below it is no heading.
            marks.at(*at, 0).is_none_or(|label| !label.colon || sets(label.meaning).is_some())
        });
    let labels = marks.labels.iter().filter_map(|label| Some((sets(label.meaning)?, label.segment, label.area, false)));
    let places = more.iter().filter_map(|(at, subject)| Some((*subject, *at, sheet.segments.get(*at)?.area, true)));
    let mut setters: Vec<Setter> = headings
        .chain(labels)
        .chain(places)
        .map(|(subject, at, area, section)| Setter { subject, row: row(at), area, section })
        .collect();
    setters.sort_by_key(|setter| setter.row);
    let seconds = seconds(sheet, marks, &setters);
    for setter in setters.iter_mut().filter(|setter| seconds.contains(&setter.area)) {
        setter.subject = Subject::SecondaryInsurance;
    }
    setters
}

/// Where a label says "Insurance company" of the second insurance: under what says that the second one follows, and behind another such label.
fn seconds(sheet: &Sheet, marks: &Marks, setters: &[Setter]) -> Vec<Area> {
    if !setters.iter().any(|setter| setter.subject == Subject::SecondaryInsurance) {
        return Vec::new();
    }
    let row = |label: &Label| sheet.segments.get(label.segment).map_or(0, |segment| segment.row);
    let payers: Vec<&Label> = marks.labels.iter().filter(|label| label.meaning == Meaning::Payer).collect();
    let others: Vec<Setter> =
        setters.iter().filter(|setter| !payers.iter().any(|label| label.area == setter.area)).cloned().collect();
    let says_first = |label: &Label| {
        let words = sheet.segments.get(label.segment).and_then(|segment| segment.words.get(label.from..label.to));
        words.unwrap_or_default().iter().any(|word| word.text.to_lowercase().starts_with("prim"))
    };
    let is_second = |label: &&&Label| {
        let behind = payers.iter().any(|other| row(other) < row(label) || other.area.left < label.area.left - 1.0);
        behind && !says_first(label) && subject(sheet, &others, label) == Some(Subject::SecondaryInsurance)
    };
    payers.iter().filter(is_second).map(|label| label.area).collect()
}

/// The subject that a label's own words set for what follows.
pub(super) fn sets(meaning: Meaning) -> Option<Subject> {
    match meaning {
        Meaning::PatientName | Meaning::PatientFamily | Meaning::PatientGiven => Some(Subject::Patient),
        Meaning::Payer => Some(Subject::Insurance),
        Meaning::Secondary => Some(Subject::SecondaryInsurance),
        Meaning::ReferringName | Meaning::ReferringOrganization | Meaning::CoverFrom => Some(Subject::Referring),
        Meaning::ReferredName | Meaning::ReferredTo | Meaning::ReferredOrganization | Meaning::CoverTo => {
            Some(Subject::ReferredTo)
        }
        Meaning::OtherPerson => Some(Subject::Other),
        Meaning::PatientPhone
        | Meaning::PatientMobile
        | Meaning::PatientWorkPhone
        | Meaning::PatientMrn
        | Meaning::FamilyName
        | Meaning::GivenName
        | Meaning::MiddleName
        | Meaning::BirthDate
        | Meaning::Sex
        | Meaning::Address
        | Meaning::City
        | Meaning::State
        | Meaning::PostalCode
        | Meaning::CityStateZip
        | Meaning::Email
        | Meaning::MemberId
        | Meaning::Group
        | Meaning::ReferringSignature
        | Meaning::ReferringNpi
        | Meaning::ReferringPhone
        | Meaning::ReferringFax
        | Meaning::ReferredPhone
        | Meaning::ReferredFax
        | Meaning::Specialty
        | Meaning::Priority
        | Meaning::Reason
        | Meaning::Diagnoses
        | Meaning::Procedures
        | Meaning::Authorization
        | Meaning::Allergies
        | Meaning::Medications
        | Meaning::Remarks
        | Meaning::AuthoredAt
        | Meaning::Name
        | Meaning::Provider
        | Meaning::Organization
        | Meaning::Npi
        | Meaning::Phone
        | Meaning::Fax
        | Meaning::Pages
        | Meaning::Age
        | Meaning::Deceased
        | Meaning::Ignore => None,
    }
}

/// Whom a label is about; `None` above the first setter.
///
/// In each row upwards the rightmost setter that does not begin right of the label decides. In a form of two columns with headings, a label in
/// the right half belongs to the nearest heading of the right half.
pub(super) fn subject(sheet: &Sheet, setters: &[Setter], label: &Label) -> Option<Subject> {
    let row = sheet.segments.get(label.segment).map_or(0, |segment| segment.row);
    let middle = f32::midpoint(sheet.left, sheet.right);
    let slack = 2.0 * sheet.text_height;
    let above = || {
        setters.iter().rev().filter(|setter| {
            let before = setter.row < row || (setter.row == row && setter.area.left < label.area.left + 1.0);
            before && setter.area.left <= label.area.left + slack
        })
    };
    let mut nearest: Option<&Setter> = None;
    for setter in above() {
        match nearest {
            Some(found) if found.row != setter.row => break,
            Some(found) if found.area.left >= setter.area.left => {}
            _ => nearest = Some(setter),
        }
    }
    let nearest = nearest?;
    let right_half = label.area.left > middle - slack;
    if right_half && nearest.area.left < middle - slack {
        // A heading of the right half counts when a heading of the left half stands beside it: then the form has two columns.
        let column = above().find(|setter| setter.section && setter.area.left > middle - slack);
        if let Some(column) = column {
            let two = setters.iter().any(|left| {
                left.section
                    && left.area.left < middle - slack
                    && (left.area.middle() - column.area.middle()).abs() < 3.0 * sheet.text_height
            });
            let closed = setters.iter().any(|wide| {
                wide.section
                    && wide.row > column.row
                    && wide.row <= row
                    && sheet.row(wide.row).count() == 1
                    && wide.area.left < middle
            });
            if two && !closed {
                return Some(column.subject);
            }
        }
    }
    Some(nearest.subject)
}
