//! From what was read of a fax to a referral record.
//!
//! ```text
//! Reading (words with boxes) ─ layout ─▶ rows and segments ─ labels ─▶ labels and headings
//!     ─ subjects, standing, regions ─▶ whose a label is, how far it is to be believed there, and where its value stands
//!     ─ forms, places ─▶ candidates for each field, read by the field's own rules (dates, phones, codes, names, lists)
//!     ─ templates ─▶ what stands in the regions of a known sender's form, which agrees with them, or is a candidate more
//!     ─ deaths, urgency, hand ─▶ words that say that the patient is dead, or that it is urgent; values that are written by hand
//!     ─ elsewhere ─▶ names checked against the rest of the fax
//!     ─ choose ─▶ the best of them, its confidence, its rivals ─ build ─▶ record, evidence, review, held
//! ```
//!
//! `documents` does so for each document of the fax: `kinds` says what kind each page is, `split` which pages are about one patient.
//!
//! What forms call things is in `labels.toml` and, before it, in the site's own table; what payers and specialties there are in `lists.toml`,
//! what pages call themselves in `kinds.toml`. Where on the forms of known senders what stands is in the site's `forms/`.
//!
//! # Design notes
//! A wrong value that nobody is asked to look at is the worst that can happen, a value marked though it is right only costs a glance.
//! So a candidate is never more sure than the least sure of its words, whatever fails a check or has a rival of equal weight is marked, and
//! nothing is guessed where the page does not say it: no priority is *unknown*, not routine.

mod announced;
mod build;
mod candidates;
mod choose;
mod codes;
mod counted;
mod dates;
mod deaths;
mod documents;
mod elsewhere;
mod faint;
mod forms;
mod hand;
mod icd10cm;
mod kinds;
mod label_table;
mod labels;
mod layout;
mod lists;
mod names;
mod phones;
mod places;
mod regions;
mod returned;
mod split;
mod standing;
mod subjects;
mod tables;
mod templates;
#[cfg(test)]
mod tests;
mod urgency;

pub(crate) use documents::SPLIT_PROPOSED;
pub use label_table::{LABEL_WORDS_MAX, LabelFile, Labels, MEANINGS, SUBJECTS};
pub use labels::fold as folded;
pub(crate) use lists::specialty_called;
pub(crate) use returned::OTHER_PAGES;
pub use templates::{
    ANCHORS_FOUND_MIN, ANCHORS_MAX, ANCHORS_SPREAD_MM_MIN, Draft, DraftedAnchor, DraftedField, FIELDS_MAX, FORM_PATHS, FORMS_MAX,
    FormFile, OtherPrint, PAGE_MM_MAX, Templates, box_mm, form_options,
};

use candidates::Candidates;
use documents::Leaf;
use standing::Standing;

use std::sync::Arc;

use super::{DateOrder, Kind, Outcome, matter};
use crate::{
    reader::{PAGES_MAX, PageReading, Reading},
    referral::{Attachment, HeldReason, PageKind, Problem, Record, TokenKey},
};

/// Nobody who is referred is older.
const AGE_YEARS_MAX: i16 = 120;

/// What the reading of a fax depends on beside the fax.
#[derive(Clone, Debug)]
pub struct FaxRules {
    /// The day it is read: birth dates do not lie after it.
    pub today: jiff::civil::Date,
    /// Which comes first in `03/04/1956`, where the page does not say it.
    pub date_order: DateOrder,
    /// Whether a page prints both orders: what could be read in either is then for a person.
    pub date_order_contested: bool,
    /// Whose phone numbers: an ISO 3166 country code.
    pub region: String,
    /// A field less sure than this is marked for review.
    pub review_below: f32,
    /// What forms call things.
    pub labels: Arc<Labels>,
    /// What forms of known senders look like.
    pub forms: Arc<Templates>,
    /// Names of the practice that runs the engine: a letterhead with one of them is the recipient's, never the referrer's.
    pub own_names: Vec<String>,
    /// How a person said that the pages belong together, by page numbers; absent: as the pages themselves say.
    pub documents: Option<Vec<Vec<u32>>>,
    /// Whether pages with a reference are looked for that may be ours. Another Loopline's are like ours, and refer somebody to us.
    pub takes_replies: bool,
    /// The key of the tokens on our pages; absent where none can be checked (`loopline try`): a page is then known by its code alone.
    pub key: Option<TokenKey>,
}

impl FaxRules {
    /// The documented defaults (United States, review below 0.95), for faxes read on this day.
    #[must_use]
    pub fn on(today: jiff::civil::Date) -> Self {
        Self { today, ..Self::default() }
    }
}

impl Default for FaxRules {
    /// The United States, month first, review below 0.95, no names of our own; set `today`, which is 1 January 2026 here.
    fn default() -> Self {
        Self {
            today: jiff::civil::date(2026, 1, 1),
            date_order: DateOrder::MonthFirst,
            date_order_contested: false,
            region: "US".to_owned(),
            review_below: 0.95,
            labels: Labels::shipped(),
            forms: Arc::default(),
            own_names: Vec::new(),
            documents: None,
            takes_replies: true,
            key: None,
        }
    }
}

/// What a fax turned out to be: a referral, pages of our own come back, or something that a person must look at.
#[must_use]
pub fn normalize(reading: &Reading, rules: &FaxRules) -> Outcome {
    let returned = rules.takes_replies.then(|| returned::outcome(reading, rules.key.as_ref())).flatten();
    let mut outcome = if let Some(mut returned) = returned {
        returned.pages = documents::pages(reading, rules);
        returned::mark_ours(&mut returned);
        returned
    } else if reading.pages.iter().all(|page| page.words.is_empty()) {
        nothing(reading, "blank-document", "nothing can be read on any page: a person must look at the original")
    } else {
        documents::outcome(reading, rules)
    };
    let Outcome { record, items, .. } = &mut outcome;
    for record in record.iter_mut().chain(items.iter_mut().filter_map(|item| item.record.as_mut())) {
        look_at_the_rest(reading, record);
    }
    outcome.problems.extend(reading.problems.iter().cloned());
    outcome
}

/// Holds what reads like a referral and asks for something else, or goes on where nobody has read.
fn look_at_the_rest(reading: &Reading, record: &mut Record) {
    let asks = |page: &&PageReading| {
        let of_page = |attachment: &Attachment| attachment.page == Some(page.number);
        let kind = record.attachments.iter().find(|attachment| of_page(attachment)).and_then(|attachment| attachment.kind);
        matches!(kind, Some(PageKind::Cover | PageKind::Referral))
    };
    let lines: Vec<String> = reading
        .pages
        .iter()
        .filter(asks)
        .flat_map(|page| page.words.chunk_by(|one, next| one.line == next.line))
        .map(|line| line.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" "))
        .collect();
    if let Some(matter) = matter::another(lines.iter().map(String::as_str)) {
        record.hold(HeldReason::OtherMatter);
        record.problems.push(Problem::new("other-matter", format!("{matter}: read it before anything is sent on")));
    }
    if let Some(unread) = reading.problems.iter().find(|problem| problem.code == PAGES_MAX) {
        record.hold(HeldReason::NotAllRead);
        record.problems.push(unread.clone());
    }
}

fn nothing(reading: &Reading, code: &str, message: &str) -> Outcome {
    let mut outcome = Outcome::of(Kind::Unknown);
    if reading.problems.is_empty() || code != "blank-document" {
        outcome.problems.push(Problem::new(code, message));
    }
    outcome
}

/// Reads a page that is laid out. `first`: it is the first of its document that is no cover, and may have a letterhead.
fn read_page(Leaf { sheet, marks, shape, forms }: &Leaf, rules: &FaxRules, first: bool, found: &mut Candidates) {
    let rules = &*dates::rules_of_page(sheet, rules);
    let setters = subjects::setters(sheet, marks, &shape.subjects());
    let first_of_page = found.all.len();
    for label in &marks.labels {
        let subject = subjects::subject(sheet, &setters, label);
        let standing = standing::of(sheet, marks, label, subject);
        if standing == Standing::OfRelative {
            continue;
        }
        let context = forms::Context { sheet, marks, rules, subject, cover: shape.cover, letter: shape.letter, given: None };
        let before = found.all.len();
        forms::read(&context, label, found);
        if standing == Standing::InSentence {
            found.demote_from(before);
        }
        if label.faint || standing == Standing::Doubtful {
            found.doubt_from(before);
        }
    }
    places::read(sheet, marks, shape, rules, first, found);
    deaths::read(sheet, marks, found);
    urgency::read(sheet, marks, found);
    found.doubt_within(first_of_page, &hand::written(sheet, marks));
    forms.iter().for_each(|form| templates::read(sheet, marks, form, rules, found));
}
