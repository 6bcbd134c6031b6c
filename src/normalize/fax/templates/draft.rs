//! A form drafted from a sample: the label words that were found, and where the values beside them stand.
//!
//! # Design notes
//! A sample is somebody's referral, and a file of the configuration goes into git. So nothing that was read as a value is in the draft, and of
//! the words on the page only those that the table of labels has to the letter: what the table does not know may be a name.

use std::fmt::Write as _;

use super::{ANCHORS_MAX, FIELDS_MAX, FORM_PATHS, KINDS, Kind, matching::Scale};
use crate::{
    normalize::fax::{
        FaxRules,
        candidates::{Candidate, Candidates, Field, Rank},
        documents::Leaf,
        forms,
        labels::{Label, Labels, Marks, Meaning, fold},
        layout::{Area, Segment, Sheet, text_of},
        regions, subjects,
    },
    reader::{PageReading, Reading, Word},
    referral::PhoneUse,
};

/// What was found on a sample.
pub struct Draft {
    /// The page that it was drafted from.
    pub page: u32,
    /// The form's own words.
    pub anchors: Vec<DraftedAnchor>,
    /// The fields that labels announce.
    pub fields: Vec<DraftedField>,
    /// What else is printed: words of the form that the table of labels does not know, and values without a label. For the person who drafts.
    pub others: Vec<OtherPrint>,
}

/// Words of the form itself.
pub struct DraftedAnchor {
    /// The words.
    pub words: String,
    /// Left, top, right, bottom, in millimetres.
    pub box_mm: [f64; 4],
}

/// A field, and where its value stands.
pub struct DraftedField {
    /// What it is.
    pub path: &'static str,
    /// What stands in such a region, in words.
    pub kind: &'static str,
    /// The label, where the table of labels has it to the letter.
    pub label: Option<String>,
    /// What was read of the sample: not for the file.
    pub value: String,
    /// Left, top, right, bottom, in millimetres.
    pub box_mm: [f64; 4],
}

/// A line that is neither a label nor the value of one.
pub struct OtherPrint {
    /// What it says: not for the file, as long as nobody has looked at it.
    pub text: String,
    /// Left, top, right, bottom, in millimetres.
    pub box_mm: [f64; 4],
}

impl Draft {
    /// A draft from a page of a sample; from the one with most label words, where none is named. None: there is no such page.
    #[must_use]
    pub fn of(reading: &Reading, page: Option<u32>, rules: &FaxRules) -> Option<Self> {
        let drafts = reading.pages.iter().filter(|one| page.is_none_or(|page| one.number == page));
        let drafts = drafts.filter_map(|page| Self::of_page(page, rules));
        // Of pages with as many the first.
        drafts.rev().max_by_key(|draft| draft.anchors.len() + draft.fields.len())
    }

    fn of_page(page: &PageReading, rules: &FaxRules) -> Option<Self> {
        let Leaf { sheet, marks, shape, .. } = &Leaf::of(page, rules);
        let scale = Scale::of(sheet)?;
        let setters = subjects::setters(sheet, marks, &shape.subjects());
        let mut fields: Vec<DraftedField> = Vec::new();
        let mut values: Vec<Area> = Vec::new();
        for label in &marks.labels {
            let subject = subjects::subject(sheet, &setters, label);
            let context = forms::Context { sheet, marks, rules, subject, cover: shape.cover, letter: shape.letter, given: None };
            let mut found = Candidates::default();
            forms::read(&context, label, &mut found);
            found.all.retain(|one| one.rank >= Rank::Label && !one.value.is_empty());
            let Some(kind) = path(label.meaning, &found.all).and_then(kind) else { continue };
            if fields.len() == FIELDS_MAX || fields.iter().any(|known| known.path == kind.path) {
                continue;
            }
            let value = value(sheet, marks, label, &found.all);
            let box_mm = tenths(scale.edges(room(sheet, marks, label, value)));
            let text = found.all.iter().map(|one| one.value.as_str()).collect::<Vec<_>>().join(" · ");
            let words = own_words(sheet, label, &rules.labels).map(|(words, _)| words);
            fields.push(DraftedField { path: kind.path, kind: kind.words, label: words, value: text, box_mm });
            values.push(value);
        }
        fields.sort_by_key(|field| FORM_PATHS.iter().position(|path| *path == field.path));
        let anchors = anchors(sheet, marks, &rules.labels, scale);
        let others = others(sheet, marks, &values, scale);
        Some(Self { page: page.number, anchors, fields, others })
    }

    /// How many of the anchors should be found on a page: three of five.
    #[must_use]
    pub fn anchors_min(&self) -> usize {
        (self.anchors.len() * 3).div_ceil(5).max(super::ANCHORS_FOUND_MIN)
    }

    /// The file of a form of this name, as far as the sample tells. It has nothing of what was filled in.
    #[must_use]
    pub fn toml(&self, name: &str) -> String {
        let mut text = format!(
            "# channels/site/forms/{name}.toml: a form of a known sender, drafted from a sample by `loopline form learn`.\n\
         #\n\
         # Boxes are [left, top, right, bottom] in millimetres from the page's upper left corner. Widen each field's box to the room that\n\
         # the form leaves for it; add what stands there without a label, and other words that are printed on the form itself; remove what is\n\
         # the sender's own habit. Then `loopline check`, and `loopline try FILE --channel NAME --fields` on other faxes of the same form.\n\n\
         anchors_min = {:<4}                    # so many of the words below must be found in their places, or it is another form\n",
            self.anchors_min()
        );
        for anchor in &self.anchors {
            let words = toml::Value::String(anchor.words.clone());
            push(&mut text, format_args!("\n[[anchor]]\nwords = {words}\nbox_mm = {}\n", box_mm(anchor.box_mm)));
        }
        for field in &self.fields {
            let by =
                field.label.as_ref().map_or_else(|| "found by a label".to_owned(), |label| format!("found by the label {label}"));
            let (path, kind) = (field.path, field.kind);
            let path = format!("path = \"{path}\"");
            push(&mut text, format_args!("\n[[field]]\n{path:<40}# {kind}; {by}\nbox_mm = {}\n", box_mm(field.box_mm)));
        }
        text
    }
}

fn kind(path: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.path == path)
}

/// The path of what a label's reader found.
fn path(meaning: Meaning, found: &[Candidate]) -> Option<&'static str> {
    let has = |field: Field| found.iter().any(|one| one.field == field);
    let wholes = [
        (Field::Family, Field::Given, "patient.name"),
        (Field::ReferringFamily, Field::ReferringGiven, "referring.name"),
        (Field::ReferredFamily, Field::ReferredGiven, "referred_to.name"),
        (Field::Street, Field::State, "patient.address"),
        (Field::City, Field::State, "patient.address.last_line"),
    ];
    let whole = wholes.iter().find(|(one, other, _)| has(*one) && has(*other)).map(|(.., path)| *path);
    whole.or_else(|| path_of(found.first()?.field, meaning))
}

fn path_of(field: Field, meaning: Meaning) -> Option<&'static str> {
    let path = match field {
        Field::Family => "patient.name.family",
        Field::Given => "patient.name.given",
        Field::Middle => "patient.name.middle",
        Field::BirthDate => "patient.birth_date",
        Field::Sex => "patient.sex",
        Field::PatientPhone(PhoneUse::Home) => "patient.phones.home",
        Field::PatientPhone(PhoneUse::Mobile) => "patient.phones.mobile",
        Field::PatientPhone(PhoneUse::Work) => "patient.phones.work",
        Field::PatientEmail => "patient.emails.0",
        Field::Mrn => "patient.identifiers.0.value",
        Field::Street => "patient.address",
        Field::City => "patient.address.city",
        Field::State => "patient.address.state",
        Field::PostalCode => "patient.address.postal_code",
        Field::Payer => "insurance.0.payer",
        Field::MemberId => "insurance.0.member_id",
        Field::Group => "insurance.0.group",
        Field::AuthorizationNumber => "authorization.number",
        Field::ReferringFamily => "referring.name.family",
        Field::ReferringGiven => "referring.name.given",
        Field::ReferringNpi => "referring.npi",
        Field::ReferringOrganization => "referring.organization",
        Field::ReferringPhone => "referring.phones.work",
        Field::ReferringFax => "referring.phones.fax",
        Field::ReferredFamily => "referred_to.name.family",
        Field::ReferredGiven => "referred_to.name.given",
        Field::ReferredOrganization => "referred_to.organization",
        Field::ReferredPhone => "referred_to.phones.work",
        Field::ReferredFax => "referred_to.phones.fax",
        Field::Specialty => "referred_to.specialty",
        Field::Priority => "priority",
        Field::Reason => "request.reason",
        Field::Diagnosis => "request.diagnoses",
        Field::Procedure => "request.procedures",
        Field::AuthoredAt => "authored_at",
        Field::Note if meaning == Meaning::Allergies => "notes.allergies",
        Field::Note if meaning == Meaning::Medications => "notes.medications",
        Field::Note => "notes",
        Field::Suffix
        | Field::PatientPhone(PhoneUse::Fax)
        | Field::Age
        | Field::Deceased
        | Field::Urgency
        | Field::SecondPayer
        | Field::SecondMemberId
        | Field::SecondGroup => return None,
    };
    Some(path)
}

/// Where the value of a label stands; of a row of boxes the whole row.
fn value(sheet: &Sheet, marks: &Marks, label: &Label, found: &[Candidate]) -> Area {
    let area = |one: &Candidate| {
        let [left, top, right, bottom] = one.bounds.map(|edge| edge as f32);
        Area { left, top, right, bottom }
    };
    let read = found.iter().map(area).reduce(Area::with).unwrap_or(label.area);
    let options = regions::options(sheet, marks, label);
    if options.iter().any(regions::is_box) { Area::around(&options).with(read) } else { read }
}

/// Whether a value may run over several lines.
fn is_long(meaning: Meaning) -> bool {
    matches!(
        meaning,
        Meaning::Reason
            | Meaning::Diagnoses
            | Meaning::Procedures
            | Meaning::Remarks
            | Meaning::Allergies
            | Meaning::Medications
            | Meaning::Address
    )
}

/// The room that a form leaves for a value: as far right as the next thing beside it, and where it may be long as far down as the next below.
fn room(sheet: &Sheet, marks: &Marks, label: &Label, value: Area) -> Area {
    /// Around the value, in heights of a line: two scans of a form are never quite alike.
    const MARGIN_HEIGHTS: f32 = 0.35;
    const LINES_MAX: f32 = 5.0;
    let height = sheet.text_height;
    let margin = MARGIN_HEIGHTS * height;
    let inside =
        |area: Area| area.left < value.right && value.left < area.right && area.top < value.bottom && value.top < area.bottom;
    let is_own = |at: usize, segment: &Segment| inside(segment.area) || at == label.segment || Some(at) == label.below;
    let under = value.top > label.area.bottom - margin;
    let left = if under { label.area.left.min(value.left) - margin } else { label.area.right + 0.1 * height };
    let mut bottom = value.bottom + margin;
    if is_long(label.meaning) {
        let next = sheet
            .segments
            .iter()
            .enumerate()
            .filter(|(at, segment)| !is_own(*at, segment) && segment.area.top > value.middle() && segment.area.right > left);
        let below = next.map(|(_, segment)| segment.area.top - margin).fold(value.bottom + LINES_MAX * height, f32::min);
        bottom = bottom.max(below);
    }
    let top = value.top - margin;
    // A label of the same segment stands beside the value, too.
    let labels = marks.labels.iter().map(|label| label.area);
    let segments =
        sheet.segments.iter().enumerate().filter(|(at, segment)| !is_own(*at, segment)).map(|(_, segment)| segment.area);
    let beside = labels.chain(segments).filter(|area| {
        let level = area.top < value.bottom && area.bottom > label.area.top.min(top);
        level && area.left >= value.right - 1.0
    });
    let right = beside.map(|area| area.left - margin).fold(sheet.right + 2.0 * height, f32::min).max(value.right + 1.0);
    Area { left: left.max(0.0).min(value.left), top: top.max(0.0), right, bottom }
}

/// The words of a label that the table has to the letter, and where they stand. What stands in brackets behind them is the page's own.
fn own_words(sheet: &Sheet, label: &Label, table: &Labels) -> Option<(String, Area)> {
    let words = sheet.segments.get(label.segment)?.words.get(label.from..label.to)?;
    let bracket = words.iter().position(|word| word.text.starts_with('(')).unwrap_or(words.len());
    let words = words.get(..bracket)?;
    known(words, |folded| table.labels.iter().any(|variant| variant.folded == folded))
}

/// Words as they are printed, if a table has them.
fn known(words: &[Word], is_known: impl Fn(&str) -> bool) -> Option<(String, Area)> {
    const LETTERS_MIN: usize = 3;
    let text = text_of(words).trim_matches(|c: char| !c.is_alphanumeric()).to_owned();
    let folded = fold(&text);
    (text.chars().count() >= LETTERS_MIN && is_known(&folded)).then(|| (text, Area::around(words)))
}

/// The form's own words: labels and headings.
fn anchors(sheet: &Sheet, marks: &Marks, table: &Labels, scale: Scale) -> Vec<DraftedAnchor> {
    let headings = marks.headings.iter().filter_map(|heading| {
        let words = &sheet.segments.get(heading.segment)?.words;
        known(words, |folded| table.sections.iter().any(|variant| variant.folded == folded))
    });
    // A word in the middle of a line without a colon may be one of a value.
    let labels = marks.labels.iter().filter(|label| label.below.is_none() && (label.colon || label.from == 0));
    let labels = labels.filter_map(|label| own_words(sheet, label, table));
    let mut all: Vec<(String, Area)> = Vec::new();
    for (words, area) in headings.chain(labels) {
        if !all.iter().any(|(_, known)| known.overlaps_sideways(area) && known.top < area.bottom && area.top < known.bottom) {
            all.push((words, area));
        }
    }
    // Where there are more than enough, the longer ones tell more.
    all.sort_by_key(|(words, _)| std::cmp::Reverse(words.chars().count()));
    all.truncate(ANCHORS_MAX);
    all.sort_by(|one, other| one.1.top.total_cmp(&other.1.top).then(one.1.left.total_cmp(&other.1.left)));
    all.into_iter().map(|(words, area)| DraftedAnchor { words, box_mm: tenths(scale.edges(area)) }).collect()
}

/// What is neither a label nor the value of one.
fn others(sheet: &Sheet, marks: &Marks, values: &[Area], scale: Scale) -> Vec<OtherPrint> {
    let mut others = Vec::new();
    for (at, segment) in sheet.segments.iter().enumerate() {
        let is_value = |area: Area| {
            values.iter().any(|value| value.overlaps_sideways(area) && value.top < area.bottom && area.top < value.bottom)
        };
        let free: Vec<Word> = (segment.words.iter().enumerate())
            .filter(|(place, word)| marks.at(at, *place).is_none() && !is_value(Area::around(std::slice::from_ref(*word))))
            .map(|(_, word)| word.clone())
            .collect();
        let text = text_of(&free);
        if !marks.heads(at) && text.chars().any(char::is_alphanumeric) {
            others.push(OtherPrint { text, box_mm: tenths(scale.edges(Area::around(&free))) });
        }
    }
    others
}

fn push(text: &mut String, more: std::fmt::Arguments<'_>) {
    text.write_fmt(more).expect("writing to a String does not fail");
}

/// A box as the file writes it.
#[must_use]
pub fn box_mm([left, top, right, bottom]: [f64; 4]) -> String {
    format!("[{left:.1}, {top:.1}, {right:.1}, {bottom:.1}]")
}

/// Millimetres to a tenth, which is as well as a scan can tell.
fn tenths(edges: [f64; 4]) -> [f64; 4] {
    edges.map(|edge| (edge * 10.0).round() / 10.0)
}
