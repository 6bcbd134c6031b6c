//! Names, practices and specialties in each other's place: how they are told apart.

use super::patient::{first_said, person_name};
use crate::{
    protocols::hl7::{Field, Repetition, Segment},
    referral::{Address, PatientIdentifier, PersonName},
};

/// How words end that show that a "name" is a specialty.
const SPECIALTY_ENDINGS: [&str; 8] = ["ology", "ologist", "iatry", "iatrist", "surgery", "surgeon", "medicine", "ics"];

/// Words that show that a "name" is a practice.
const ORGANIZATION_WORDS: [&str; 34] = [
    "clinic",
    "clinics",
    "hospital",
    "hospitals",
    "center",
    "centre",
    "practice",
    "associates",
    "medical",
    "health",
    "healthcare",
    "group",
    "department",
    "dept",
    "institute",
    "partners",
    "specialists",
    "physicians",
    "services",
    "service",
    "unit",
    "rooms",
    "office",
    "care",
    "university",
    "college",
    "laboratory",
    "imaging",
    "pharmacy",
    "llc",
    "pllc",
    "llp",
    "inc",
    "pc",
];

/// Words of a number to call that a name is not.
const CONTACT_WORDS: &[&str] = &[
    "PRN",
    "WPN",
    "ORN",
    "NET",
    "PH",
    "FX",
    "CP",
    "BP",
    "FAX",
    "EMAIL",
    "Internet",
    "X.400",
    "VHN",
    "EMR",
    "Work",
    "Home",
    "Mobile",
    "Cell",
    "Main",
    "Office",
    "Phone",
    "Telephone",
    "Direct",
];

/// First words of specialties whose last word is one: `General Surgery`. Others in front of it are the name of a practice.
const QUALIFIERS: &[&str] = &[
    "general",
    "plastic",
    "oral",
    "vascular",
    "internal",
    "family",
    "sports",
    "sleep",
    "pain",
    "orthopedic",
    "orthopaedic",
    "cardiothoracic",
    "cardiac",
    "pediatric",
    "paediatric",
    "interventional",
    "thoracic",
    "colorectal",
    "transplant",
    "bariatric",
    "hand",
    "spine",
    "emergency",
    "nuclear",
    "maternal",
    "physical",
    "radiation",
    "medical",
    "clinical",
    "breast",
    "geriatric",
    "obstetrics",
    "palliative",
    "addiction",
    "adolescent",
    "child",
];

/// The columns of PRD that a name with its number slips into, the usual ones first.
const NAME_COLUMNS: [usize; 5] = [5, 4, 6, 8, 7];

/// Whether a text names a specialty, alone or among other words.
pub(super) fn names_specialty(text: &str) -> bool {
    let text = text.to_lowercase();
    let mut words = text.split(|symbol: char| !symbol.is_alphabetic());
    words.any(|word| {
        word.len() > 4 && !word.starts_with("diagnos") && SPECIALTY_ENDINGS.iter().any(|ending| word.ends_with(ending))
    })
}

/// What a "name" without a given name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alone {
    /// A family name.
    Family,
    /// A specialty: one word, or several of which the last is one.
    Specialty,
    /// A practice.
    Organization,
    /// Several words: nobody can tell.
    Unclear,
}

impl Alone {
    pub(super) fn of(name: &str) -> Self {
        let lower = name.to_lowercase();
        let words: Vec<&str> = lower.split(|symbol: char| !symbol.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
        let is_title = |word: &&str| matches!(*word, "dr" | "prof" | "mr" | "mrs" | "ms" | "de" | "van" | "von" | "der" | "la");
        let is_specialty = words.last().is_some_and(|last| names_specialty(last));
        let is_qualified = words.first().is_some_and(|first| QUALIFIERS.contains(first) || names_specialty(first));
        if is_specialty && (words.len() == 1 || is_qualified) {
            Self::Specialty
        } else if words.len() > 1 && (is_specialty || words.iter().any(|word| ORGANIZATION_WORDS.contains(word))) {
            Self::Organization
        } else if words.iter().filter(|word| !is_title(word)).count() > 1 && name.contains(' ') {
            Self::Unclear
        } else {
            Self::Family
        }
    }
}

/// A name with its number (XCN) where PRD has none of that type.
pub(super) struct Slipped {
    /// The column.
    pub(super) field: usize,
    /// The name.
    pub(super) name: PersonName,
    /// The number before it.
    pub(super) number: PatientIdentifier,
}

/// The name that stands as an XCN in PRD-2, or where PRD-2 is empty in another column.
pub(super) fn slipped_name(prd: &Segment<'_, '_>) -> Option<Slipped> {
    let names = prd.field(2);
    let columns: &[usize] = if names.is_empty() { &NAME_COLUMNS } else { &[2] };
    columns.iter().find_map(|field| {
        let one = first_said(&prd.field(*field), 3);
        // PRD-7 and PRD-8 hold numbers with their type and issuer, which are codes: a name is written with small letters.
        let needs_small_letters = *field >= 7;
        is_xcn(&one, needs_small_letters).then(|| Slipped { field: *field, name: person_name(&one, 2), number: number_of(&one) })
    })
}

/// A number, a family name and a given name. A phone looks otherwise.
fn is_xcn(one: &Repetition<'_, '_>, needs_small_letters: bool) -> bool {
    let number = one.value(1);
    let is_name = |text: &str| {
        text.chars().filter(|symbol| symbol.is_alphabetic()).count() >= 2
            && !text.chars().any(|symbol| symbol.is_ascii_digit() || symbol == '@')
            && !CONTACT_WORDS.iter().any(|code| text.eq_ignore_ascii_case(code))
            && (!needs_small_letters || text.chars().any(char::is_lowercase))
    };
    number.chars().any(|symbol| symbol.is_ascii_digit())
        && !number.contains('@')
        && is_name(&one.value(2))
        && is_name(&one.value(3))
}

/// XCN.1 and its authority, XCN.9; some write it one component later.
fn number_of(one: &Repetition<'_, '_>) -> PatientIdentifier {
    let late = one.component(10);
    let late = if late.part(2).is_empty() { None } else { Some(late.part(1)) };
    let authority = Some(one.value(9)).filter(|text| !text.is_empty()).or(late);
    PatientIdentifier {
        value: one.value(1).into_owned(),
        authority: authority.map(|text| text.into_owned()).filter(|text| !text.is_empty()),
        kind: None,
    }
}

/// The practice that stands in an address as if it were a state: nothing else is there, and it reads as a practice, or what should be the
/// country is the one letter of an address type.
pub(super) fn organization_in(address: &Address) -> Option<String> {
    let state = address.state.as_ref()?;
    let alone = address.lines.is_empty() && address.city.is_none() && address.postal_code.is_none();
    let is_type = address.country.as_ref().is_some_and(|country| country.chars().count() == 1);
    (alone && (is_type || Alone::of(state) == Alone::Organization)).then(|| state.clone())
}

/// The numbers of an organization (XON): the identifier, its authority and its type.
pub(super) fn organization_numbers(field: &Field<'_, '_>) -> Vec<PatientIdentifier> {
    let one = |organization: Repetition<'_, '_>| {
        let value = [10, 3].into_iter().map(|part| organization.value(part)).find(|text| !text.is_empty())?;
        let text = |part: usize| Some(organization.value(part).into_owned()).filter(|text| !text.is_empty());
        Some(PatientIdentifier { value: value.into_owned(), authority: text(6), kind: text(7) })
    };
    field.repetitions().take(super::draft::REPETITIONS_MAX).filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_stands_alone_is_told_from_a_practice_and_a_specialty() {
        for (name, expected) in [
            ("Ames", Alone::Family),
            ("Dr. Ames", Alone::Family),
            ("O'Quill-Feather", Alone::Family),
            ("van der Berg", Alone::Family),
            ("Maple Skin Clinic", Alone::Organization),
            ("Mater Misericordiae University Hospital", Alone::Organization),
            ("CARDIOLOGIST", Alone::Specialty),
            ("General Surgery", Alone::Specialty),
            ("BEAUMONT NEUROLOGY", Alone::Organization),
            ("Paul Ames", Alone::Unclear),
            ("Quiet Minds", Alone::Unclear),
        ] {
            assert_eq!(Alone::of(name), expected, "{name}");
        }
    }

    #[test]
    fn a_specialty_is_found_among_other_words() {
        for text in ["Cardiology", "Cardiology Consultation", "General Surgery", "Orthopedics"] {
            assert!(names_specialty(text), "{text}");
        }
        for text in ["Consult and Treat", "Diagnostics", "MRI LUMBAR SPINE", ""] {
            assert!(!names_specialty(text), "{text}");
        }
    }
}
