//! From labels to candidates: what each label's value says, read by the rules of its field.
//!
//! Here is the table of meanings and whose a value is; the files below read people, places to live, days, numbers, ticked boxes, names from
//! closed lists, and what is asked for.

mod addresses;
mod days;
mod listed;
mod numbers;
mod people;
mod request;
mod ticks;

pub(super) use days::corrected;
pub(super) use listed::listed_confidence;
pub(super) use people::{Who, add_name};
pub(super) use request::{add_codes, prose};
pub(super) use ticks::{LIKELY_TRUST, Ticked, priority_word, ticked_boxes, unlabelled_priority};

use addresses::{address, email};
use days::{age, authored_at, birth_date, death};
use listed::{payer, second_insurance, specialty};
use numbers::{by_subject_fax, by_subject_npi, by_subject_phone, npi, number, phone};
use people::{
    by_subject_name, by_subject_organization, by_subject_part, by_subject_provider, organization, part_of_name, patient_name,
    provider,
};
use request::{diagnoses, note, procedures, reason};
use ticks::{priority, sex};

use super::{
    FaxRules,
    candidates::{Candidates, Field, Rank},
    labels::{Label, Marks, Meaning, Subject},
    layout::{Sheet, text_of},
    lists,
    regions::{self, Region, Relation},
};
use crate::{reader::Word, referral::PhoneUse};

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
    /// The words of a known form's region: then these are the value, wherever the label stands.
    pub(super) given: Option<&'a [Word]>,
}

/// The texts of words, for the parsers.
pub(super) fn texts(words: &[Word]) -> Vec<&str> {
    words.iter().map(|word| word.text.as_str()).collect()
}

impl Context<'_> {
    fn page(&self) -> u32 {
        self.sheet.page
    }

    /// Where the label's value may be, the likeliest first.
    fn regions(&self, label: &Label, lines: usize) -> Vec<Region> {
        match self.given {
            Some(words) => vec![Region { words: words.to_vec(), relation: Relation::Below }],
            None => regions::regions(self.sheet, self.marks, label, lines),
        }
    }

    /// Everything behind a label on its row, or all that a form's region holds.
    fn options(&self, label: &Label) -> Vec<Word> {
        self.given.map_or_else(|| regions::options(self.sheet, self.marks, label), <[Word]>::to_vec)
    }

    /// The value's words for a field of running text: without a colon a label must stand by itself.
    fn plain(&self, label: &Label, lines: usize) -> Option<(Vec<Word>, f32)> {
        let region = self.regions(label, lines).into_iter().next()?;
        match region.relation {
            Relation::Behind if !label.colon && (!label.exact || lists::is_rest_of_title(&text_of(&region.words))) => None,
            // A label that begins its segment is hardly a word of a phrase.
            Relation::Behind if !label.colon => Some((region.words, if label.from == 0 { 0.975 } else { 0.93 })),
            Relation::Behind | Relation::RightOf | Relation::Below | Relation::Above => Some((region.words, 1.0)),
        }
    }

    /// What follows the first words of a label's value: the rest of it, and what stands behind that on the row with no label between.
    fn rest(&self, label: &Label, words: &[Word], taken: usize) -> Vec<Word> {
        const GAP_HEIGHTS_MAX: f32 = 6.0;
        let mut rest = words.get(taken..).unwrap_or_default().to_vec();
        let row = if self.given.is_none() { regions::options(self.sheet, self.marks, label) } else { Vec::new() };
        let Some(from) = words.last().and_then(|last| row.iter().position(|word| word == last)) else { return rest };
        let gap_max = GAP_HEIGHTS_MAX * self.sheet.text_height;
        let near = row.windows(2).skip(from).take_while(|pair| match pair {
            [one, next] => (0.0..gap_max).contains(&(next.bounds[0] as f32 - one.bounds[2] as f32)),
            _ => false,
        });
        rest.extend(near.filter_map(|pair| pair.last().cloned()));
        rest
    }

    /// The first region of so many lines that a test admits.
    fn found(&self, label: &Label, lines: usize, admit: impl Fn(&[Word]) -> bool) -> Option<Vec<Word>> {
        self.regions(label, lines).into_iter().map(|region| region.words).find(|words| admit(words))
    }

    /// The first region whose words a parser takes.
    fn parsed<T>(&self, label: &Label, read: impl Fn(&[Word]) -> Option<T>) -> Option<(T, Vec<Word>)> {
        self.regions(label, 1).into_iter().find_map(|Region { words, .. }| {
            let value = read(&words)?;
            Some((value, words))
        })
    }
}

/// Reads one label's value into the candidates.
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
        // "Phonet:" on the line of somebody else is hardly "Phone (H):".
        Meaning::PatientPhone if !label.exact && about == Some(Subject::Other) => {}
        Meaning::PatientPhone => phone(context, label, Field::PatientPhone(PhoneUse::Home), own, found),
        Meaning::PatientMobile => by_subject_phone(context, label, PhoneUse::Mobile, own, found),
        Meaning::PatientWorkPhone => by_subject_phone(context, label, PhoneUse::Work, own, found),
        Meaning::PatientMrn => number(context, label, Field::Mrn, found),
        Meaning::Address | Meaning::City | Meaning::State | Meaning::PostalCode | Meaning::CityStateZip => {
            address(context, label, found);
        }
        Meaning::Email => email(context, label, found),
        Meaning::Payer => payer(context, label, found),
        Meaning::MemberId if about == Some(Subject::SecondaryInsurance) => number(context, label, Field::SecondMemberId, found),
        Meaning::MemberId => number(context, label, Field::MemberId, found),
        Meaning::Group if about == Some(Subject::SecondaryInsurance) => number(context, label, Field::SecondGroup, found),
        Meaning::Group => number(context, label, Field::Group, found),
        Meaning::Secondary => second_insurance(context, label, found),
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
        Meaning::Allergies | Meaning::Medications | Meaning::Remarks => note(context, label, found),
        Meaning::AuthoredAt => authored_at(context, label, found),
        Meaning::Name => by_subject_name(context, label, found),
        Meaning::Provider => by_subject_provider(context, label, found),
        Meaning::Organization => by_subject_organization(context, label, found),
        Meaning::Npi => by_subject_npi(context, label, found),
        Meaning::Phone => by_subject_phone(context, label, PhoneUse::Home, Rank::Label, found),
        Meaning::Fax => by_subject_fax(context, label, found),
        Meaning::CoverTo => provider(context, label, Who::ReferredTo, Rank::Label, found),
        Meaning::CoverFrom => provider(context, label, Who::Referring, Rank::Label, found),
        Meaning::Age => age(context, label, found),
        Meaning::Deceased => death(context, label, found),
        Meaning::MiddleName | Meaning::Pages | Meaning::OtherPerson | Meaning::Ignore => {}
    }
}
