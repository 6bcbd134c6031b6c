//! Forms of known senders: words that are printed on a form, and where on it each value stands. `channels/site/forms/` has them.
//!
//! ```text
//! words of a page ─ matching ─▶ which forms it is, and how they lie on it (fit)
//!     ─ reading ─▶ the words in each region ─ forms ─▶ candidates, as if a label had announced them
//! a sample ─ draft ─▶ such a file
//! ```
//!
//! # Design notes
//! A form says where a value stands and nothing else: what stands there is read by the reader of the label that would announce it, with all
//! its checks, and is one candidate more. It weighs as much as a label that says both what a value is and whose. Where the labels of the page
//! found the same words, the two are one reading, no surer than its words are: they were recognized once. Where the labels found something else
//! the two contest each other, and a person looks. So a form that fits a page by mistake costs glances, never a wrong value unseen.
//!
//! A path says which kind of value it is (`patient.birth_date` is a date), so that a file cannot say otherwise.

mod draft;
mod fit;
mod matching;
mod reading;

pub use draft::{Draft, DraftedAnchor, DraftedField, OtherPrint, box_mm};
pub(super) use matching::{Match, matches};
pub(super) use reading::read;

use std::sync::Arc;

use serde::Deserialize;

use self::fit::Point;
use super::{
    candidates::Field,
    labels::{Meaning, Subject, fold},
};
use crate::referral::PhoneUse;

/// Forms of one site.
pub const FORMS_MAX: usize = 50;
/// Anchors of one form.
pub const ANCHORS_MAX: usize = 40;
/// Fields of one form.
pub const FIELDS_MAX: usize = 60;
/// Fewer words in their places may stand so on other forms too.
pub const ANCHORS_FOUND_MIN: usize = 4;
/// What lies less far apart is one corner of the form, and says nothing sure of the rest of it.
pub const ANCHORS_SPREAD_MM_MIN: f64 = 50.0;
/// The longest side of a page that a form can have, in millimetres.
pub const PAGE_MM_MAX: f64 = 600.0;

/// What a region of a form can hold.
struct Kind {
    /// As the file writes it: the path of the record, of a telephone number with its use.
    path: &'static str,
    /// The label that would announce it, and whom that would be about: its reader reads the region.
    meaning: Meaning,
    subject: Subject,
    /// The field of a value that has a shape of its own: what stands in the region and has not that shape is shown to a person.
    shaped: Option<Field>,
    /// What stands there, in words.
    words: &'static str,
}

macro_rules! kinds {
    ($($path:literal $meaning:ident $subject:ident $shaped:expr, $words:literal;)*) => {
        const KINDS: &[Kind] =
            &[$(Kind { path: $path, meaning: Meaning::$meaning, subject: Subject::$subject, shaped: $shaped, words: $words }),*];
        /// What a region can hold, as `site/forms/` write it.
        pub const FORM_PATHS: &[&str] = &[$($path),*];
    };
}

kinds! {
    "patient.name" PatientName Patient None, "a person's whole name";
    "patient.name.family" FamilyName Patient None, "a family name";
    "patient.name.given" GivenName Patient None, "a given name, the middle initial behind it";
    "patient.name.middle" MiddleName Patient None, "a middle name";
    "patient.birth_date" BirthDate Patient Some(Field::BirthDate), "a date";
    "patient.sex" Sex Patient None, "a word or letter, or several of them with boxes";
    "patient.phones.home" PatientPhone Patient Some(Field::PatientPhone(PhoneUse::Home)), "a telephone number";
    "patient.phones.mobile" PatientMobile Patient Some(Field::PatientPhone(PhoneUse::Mobile)), "a telephone number";
    "patient.phones.work" PatientWorkPhone Patient Some(Field::PatientPhone(PhoneUse::Work)), "a telephone number";
    "patient.emails.0" Email Patient None, "a mail address";
    "patient.identifiers.0.value" PatientMrn Patient None, "a record number";
    "patient.address" Address Patient None, "a whole address, or the street alone";
    "patient.address.city" City Patient None, "a city";
    "patient.address.state" State Patient None, "a state";
    "patient.address.postal_code" PostalCode Patient None, "a postal code";
    "patient.address.last_line" CityStateZip Patient None, "city, state and postal code";
    "insurance.0.payer" Payer Insurance None, "a payer";
    "insurance.0.member_id" MemberId Insurance None, "a number";
    "insurance.0.group" Group Insurance None, "a number";
    "authorization.number" Authorization Insurance None, "a number";
    "referring.name" ReferringName Referring None, "a provider's whole name";
    "referring.name.family" FamilyName Referring None, "a family name";
    "referring.name.given" GivenName Referring None, "a given name";
    "referring.npi" ReferringNpi Referring Some(Field::ReferringNpi), "an NPI";
    "referring.organization" ReferringOrganization Referring None, "a practice";
    "referring.phones.work" ReferringPhone Referring Some(Field::ReferringPhone), "a telephone number";
    "referring.phones.fax" ReferringFax Referring Some(Field::ReferringFax), "a fax number";
    "referred_to.name" ReferredName ReferredTo None, "a provider's whole name";
    "referred_to.name.family" FamilyName ReferredTo None, "a family name";
    "referred_to.name.given" GivenName ReferredTo None, "a given name";
    "referred_to.organization" ReferredOrganization ReferredTo None, "a practice";
    "referred_to.specialty" Specialty ReferredTo None, "a specialty, or several with boxes";
    "referred_to.phones.work" ReferredPhone ReferredTo Some(Field::ReferredPhone), "a telephone number";
    "referred_to.phones.fax" ReferredFax ReferredTo Some(Field::ReferredFax), "a fax number";
    "priority" Priority Clinical None, "a word, or several of them with boxes";
    "request.reason" Reason Clinical None, "text of several lines";
    "request.diagnoses" Diagnoses Clinical None, "codes, each with its words";
    "request.procedures" Procedures Clinical None, "codes";
    "authored_at" AuthoredAt Clinical Some(Field::AuthoredAt), "a date";
    "notes" Remarks Clinical None, "text of several lines";
    "notes.allergies" Allergies Clinical None, "text of several lines";
    "notes.medications" Medications Clinical None, "text of several lines";
}

/// The words that the boxes of a path may stand for; `None`: any text. The path of no such choice has no boxes.
///
/// # Errors
/// It is no choice.
#[expect(clippy::result_unit_err, reason = "there is nothing more to say")]
pub fn form_options(path: &str) -> Result<Option<&'static [&'static str]>, ()> {
    match path {
        "priority" => Ok(Some(&["stat", "urgent", "routine"])),
        "patient.sex" => Ok(Some(&["F", "M", "O", "U"])),
        "referred_to.specialty" => Ok(None),
        _ => Err(()),
    }
}

/// A file of `site/forms/`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormFile {
    #[serde(default = "anchors_found_min")]
    anchors_min: usize,
    anchor: Vec<AnchorEntry>,
    #[serde(default)]
    field: Vec<FieldEntry>,
}

fn anchors_found_min() -> usize {
    ANCHORS_FOUND_MIN
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AnchorEntry {
    words: String,
    box_mm: [f64; 4],
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FieldEntry {
    path: String,
    #[serde(default)]
    box_mm: Option<[f64; 4]>,
    #[serde(default)]
    options: Vec<OptionEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OptionEntry {
    value: String,
    box_mm: [f64; 4],
}

/// A box on a form: left, top, right, bottom, in millimetres.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Frame {
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
}

impl Frame {
    fn of([left, top, right, bottom]: [f64; 4]) -> Self {
        Self { left, top, right, bottom }
    }

    fn middle(self) -> Point {
        Point { x: f64::midpoint(self.left, self.right), y: f64::midpoint(self.top, self.bottom) }
    }

    fn holds(self, at: Point) -> bool {
        (self.left..=self.right).contains(&at.x) && (self.top..=self.bottom).contains(&at.y)
    }
}

/// A form of a known sender.
#[derive(Debug)]
pub(super) struct Template {
    name: Arc<str>,
    /// So many anchors must be found in their places.
    anchors_min: usize,
    anchors: Vec<Anchor>,
    regions: Vec<FormRegion>,
}

/// Words that are printed on the form itself.
#[derive(Debug)]
struct Anchor {
    folded: String,
    at: Point,
}

/// Where a value stands.
#[derive(Debug)]
struct FormRegion {
    /// Its place in `KINDS`.
    kind: usize,
    place: Place,
}

#[derive(Debug)]
enum Place {
    /// In this box.
    Whole(Frame),
    /// Which of these boxes is ticked says it.
    Ticks(Vec<(String, Frame)>),
}

/// The forms of a site's known senders, by name.
#[derive(Debug, Default)]
pub struct Templates {
    all: Vec<Arc<Template>>,
}

impl Templates {
    /// Forms by their names, as their files say them. Files are checked before: what makes no sense is left out here.
    #[must_use]
    pub fn of(files: impl IntoIterator<Item = (String, FormFile)>) -> Self {
        Self { all: files.into_iter().map(|(name, file)| Arc::new(Template::of(&name, file))).collect() }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.all.len()
    }
}

impl Template {
    fn of(name: &str, file: FormFile) -> Self {
        let anchor = |entry: AnchorEntry| Anchor { folded: fold(&entry.words), at: Frame::of(entry.box_mm).middle() };
        let region = |entry: FieldEntry| {
            let kind = KINDS.iter().position(|kind| kind.path == entry.path)?;
            let options: Vec<(String, Frame)> =
                entry.options.into_iter().map(|option| (option.value, Frame::of(option.box_mm))).collect();
            let place = match entry.box_mm {
                Some(place) => Place::Whole(Frame::of(place)),
                None => Place::Ticks(options),
            };
            Some(FormRegion { kind, place })
        };
        Self {
            name: name.into(),
            anchors_min: file.anchors_min,
            anchors: file.anchor.into_iter().map(anchor).collect(),
            regions: file.field.into_iter().filter_map(region).collect(),
        }
    }
}
