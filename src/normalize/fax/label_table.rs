//! What forms call things: the table in `labels.toml`, and what a site adds to it.

use std::sync::{Arc, LazyLock};

use serde::Deserialize;

use super::labels::fold;

/// What a label announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Meaning {
    PatientName,
    PatientFamily,
    PatientGiven,
    PatientPhone,
    PatientMobile,
    PatientWorkPhone,
    PatientMrn,
    FamilyName,
    GivenName,
    MiddleName,
    BirthDate,
    Sex,
    Address,
    City,
    State,
    PostalCode,
    CityStateZip,
    Email,
    Payer,
    MemberId,
    Group,
    Secondary,
    ReferringName,
    ReferringSignature,
    ReferringNpi,
    ReferringOrganization,
    ReferringPhone,
    ReferringFax,
    ReferredName,
    ReferredTo,
    ReferredOrganization,
    ReferredPhone,
    ReferredFax,
    Specialty,
    Priority,
    Reason,
    Diagnoses,
    Procedures,
    Authorization,
    Allergies,
    Medications,
    /// What else the sender says: notes, special instructions.
    Remarks,
    AuthoredAt,
    Name,
    /// A provider of whom the section alone says which.
    Provider,
    Organization,
    Npi,
    Phone,
    Fax,
    CoverTo,
    CoverFrom,
    Pages,
    OtherPerson,
    Age,
    /// Whether, or when, the patient died.
    Deceased,
    Ignore,
}

impl Meaning {
    /// Whether it announces a telephone or fax number, whoever's.
    pub(super) fn is_of_a_line(self) -> bool {
        matches!(
            self,
            Self::PatientPhone
                | Self::PatientMobile
                | Self::PatientWorkPhone
                | Self::ReferringPhone
                | Self::ReferringFax
                | Self::ReferredPhone
                | Self::ReferredFax
                | Self::Phone
                | Self::Fax
        )
    }
}

/// Whom a section, or what stands under a name, is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Subject {
    Patient,
    Insurance,
    SecondaryInsurance,
    Referring,
    ReferredTo,
    Other,
    Clinical,
}

/// The words of a label, at most.
pub const LABEL_WORDS_MAX: usize = 7;

/// What a label announces, as tables of labels write it.
pub const MEANINGS: &[&str] = &[
    "patient-name",
    "patient-family",
    "patient-given",
    "patient-phone",
    "patient-mobile",
    "patient-work-phone",
    "patient-mrn",
    "family-name",
    "given-name",
    "middle-name",
    "birth-date",
    "sex",
    "address",
    "city",
    "state",
    "postal-code",
    "city-state-zip",
    "email",
    "payer",
    "member-id",
    "group",
    "secondary",
    "referring-name",
    "referring-signature",
    "referring-npi",
    "referring-organization",
    "referring-phone",
    "referring-fax",
    "referred-name",
    "referred-to",
    "referred-organization",
    "referred-phone",
    "referred-fax",
    "specialty",
    "priority",
    "reason",
    "diagnoses",
    "procedures",
    "authorization",
    "allergies",
    "medications",
    "remarks",
    "authored-at",
    "name",
    "provider",
    "organization",
    "npi",
    "phone",
    "fax",
    "cover-to",
    "cover-from",
    "pages",
    "other-person",
    "age",
    "deceased",
    "ignore",
];
/// Whom a section is about, as tables of labels write it.
pub const SUBJECTS: &[&str] = &["patient", "insurance", "secondary-insurance", "referring", "referred-to", "other", "clinical"];

/// A table of labels, as its file says it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LabelFile {
    label: Vec<LabelEntry>,
    section: Vec<SectionEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LabelEntry {
    meaning: Meaning,
    #[serde(default)]
    colon: bool,
    variants: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SectionEntry {
    subject: Subject,
    variants: Vec<String>,
}

#[derive(Clone, Debug)]
pub(super) struct Variant<T> {
    pub(super) folded: String,
    pub(super) of: T,
    pub(super) colon: bool,
}

/// What forms call things. Of two entries that fit equally well the first one counts.
#[derive(Clone, Debug)]
pub struct Labels {
    pub(super) labels: Vec<Variant<Meaning>>,
    pub(super) sections: Vec<Variant<Subject>>,
}

impl Labels {
    /// The table that is part of the program.
    #[must_use]
    pub fn shipped() -> Arc<Self> {
        static SHIPPED: LazyLock<Arc<Labels>> = LazyLock::new(|| {
            let table =
                toml::from_str(include_str!("labels.toml")).expect("the table is part of the program and a test reads it");
            Arc::new(Labels::of(table))
        });
        Arc::clone(&SHIPPED)
    }

    /// The shipped table with a site's own before it: what the site says of the same words stands.
    #[must_use]
    pub fn with(own: LabelFile) -> Self {
        let mut all = Self::of(own);
        let shipped = Self::shipped();
        all.labels.extend(shipped.labels.iter().cloned());
        all.sections.extend(shipped.sections.iter().cloned());
        all
    }

    fn of(table: LabelFile) -> Self {
        let labels = table.label.into_iter().flat_map(|entry| {
            entry.variants.into_iter().map(move |text| Variant { folded: fold(&text), of: entry.meaning, colon: entry.colon })
        });
        let sections = table.section.into_iter().flat_map(|entry| {
            entry.variants.into_iter().map(move |text| Variant { folded: fold(&text), of: entry.subject, colon: false })
        });
        Self { labels: labels.collect(), sections: sections.collect() }
    }
}
