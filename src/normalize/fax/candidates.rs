//! Candidates: every value that could be a field's, where it was read, and how much speaks for it.

use super::layout::{Area, text_of};
use crate::{reader::Word, referral::PhoneUse};

/// A field of the record that is filled from a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Family,
    Given,
    Middle,
    Suffix,
    BirthDate,
    /// In whole years.
    Age,
    /// That the patient is dead: the words that say so.
    Deceased,
    Sex,
    PatientPhone(PhoneUse),
    PatientEmail,
    Mrn,
    Street,
    City,
    State,
    PostalCode,
    Payer,
    MemberId,
    Group,
    SecondPayer,
    SecondMemberId,
    SecondGroup,
    ReferringFamily,
    ReferringGiven,
    ReferringNpi,
    ReferringOrganization,
    ReferringPhone,
    ReferringFax,
    ReferredFamily,
    ReferredGiven,
    ReferredOrganization,
    ReferredPhone,
    ReferredFax,
    Specialty,
    Priority,
    /// A word of urgency that stands by itself, away from where the priority is asked for.
    Urgency,
    Reason,
    Diagnosis,
    Procedure,
    AuthorizationNumber,
    AuthoredAt,
    Note,
}

/// How a value came to be taken for a field's; the later ones outweigh the earlier ones whatever the recognizer's confidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// Found in running text, or in the sending machine's line.
    Text,
    /// Its place says it: a letterhead, an addressee, a title.
    Place,
    /// A label says it, and the section or the name above says whose it is.
    Label,
    /// A label that says both.
    OwnLabel,
}

/// What a form of a known sender says of a reading.
#[derive(Clone)]
pub(super) struct InForm {
    /// The form and its region: `cedar-intake: patient.birth_date`.
    pub(super) region: String,
    /// Whether what else the page says of the place is the same.
    pub(super) agreed: bool,
}

/// One reading of one field.
#[derive(Clone)]
pub(super) struct Candidate {
    pub(super) field: Field,
    /// As the record keeps it (ISO date, E.164, code).
    pub(super) value: String,
    /// A second text that belongs to it: the words of a diagnosis.
    pub(super) also: Option<String>,
    /// As it stood on the page.
    pub(super) text: String,
    pub(super) page: u32,
    pub(super) bounds: [u32; 4],
    /// 0 to 1.
    pub(super) confidence: f32,
    pub(super) rank: Rank,
    /// Values with the same number were read from one mention: the parts of one name.
    pub(super) mention: usize,
    /// The form of a known sender in whose region it stands.
    pub(super) form: Option<InForm>,
    /// A check that it failed: code and message.
    pub(super) failed: Option<(&'static str, &'static str)>,
}

/// How sure a value is whose least sure word has this confidence, measured on degraded pages.
pub(super) fn sureness(words: &[Word]) -> f32 {
    const CURVE: [(f32, f32); 7] =
        [(0.0, 0.40), (0.30, 0.65), (0.50, 0.80), (0.70, 0.92), (0.80, 0.955), (0.90, 0.98), (1.0, 0.99)];
    let solid = words.iter().filter(|word| word.text.chars().any(char::is_alphanumeric));
    along(&CURVE, solid.map(|word| word.confidence).fold(1.0_f32, f32::min))
}

/// The probability that a field is right whose reading has this score, measured on the bench faxes (`tests/bench/fax`).
pub(super) fn calibrated(score: f32) -> f32 {
    const CURVE: [(f32, f32); 8] =
        [(0.0, 0.02), (0.50, 0.30), (0.70, 0.55), (0.80, 0.80), (0.88, 0.91), (0.925, 0.95), (0.97, 0.985), (1.0, 0.998)];
    along(&CURVE, score)
}

/// The value at a place of a curve of straight pieces.
fn along(curve: &[(f32, f32)], at: f32) -> f32 {
    let at = at.clamp(0.0, 1.0);
    let piece = curve.windows(2).find_map(|pair| match pair {
        [(x0, y0), (x1, y1)] if at <= *x1 => Some(y0 + (y1 - y0) * (at - x0) / (x1 - x0)),
        _ => None,
    });
    piece.or_else(|| curve.last().map(|(_, y)| *y)).unwrap_or(at)
}

/// How far digits without a check digit are trusted: a wrong one looks as right as any other, so they must be read a little more surely than
/// words, or twice.
pub(super) const DIGITS_TRUST: f32 = 0.98;

/// The candidates of a document while they are gathered.
#[derive(Default)]
pub(super) struct Candidates {
    pub(super) all: Vec<Candidate>,
    mentions: usize,
}

impl Candidates {
    /// A number for the parts of one name.
    pub(super) fn mention(&mut self) -> usize {
        self.mentions += 1;
        self.mentions
    }

    /// Takes every reading from this one on for what running text says: any label outweighs it, and a person checks it.
    pub(super) fn demote_from(&mut self, from: usize) {
        self.doubt_from(from);
        for candidate in self.all.iter_mut().skip(from) {
            candidate.rank = candidate.rank.min(Rank::Text);
        }
    }

    /// Doubts every reading from this one on: the label that announced them is hardly legible.
    pub(super) fn doubt_from(&mut self, from: usize) {
        const FAINT_TRUST: f32 = 0.9;
        for candidate in self.all.iter_mut().skip(from) {
            candidate.confidence *= FAINT_TRUST;
        }
    }

    /// Doubts the readings of a page, from this one on, that hold a word of these places; but for numbers that prove themselves by a check digit.
    pub(super) fn doubt_within(&mut self, from: usize, places: &[Area]) {
        const WRITTEN_TRUST: f32 = 0.85;
        let meets = |[left, top, right, bottom]: [u32; 4], area: &Area| {
            let middle = (f32::midpoint(area.left, area.right), area.middle());
            (left as f32..=right as f32).contains(&middle.0) && (top as f32..=bottom as f32).contains(&middle.1)
        };
        for candidate in self.all.iter_mut().skip(from).filter(|candidate| candidate.field != Field::ReferringNpi) {
            if places.iter().any(|area| meets(candidate.bounds, area)) {
                candidate.confidence *= WRITTEN_TRUST;
            }
        }
    }

    /// Adds a reading of these words; its confidence is theirs times `trust`.
    pub(super) fn add(
        &mut self,
        field: Field,
        value: String,
        words: &[Word],
        page: u32,
        rank: Rank,
        trust: f32,
    ) -> &mut Candidate {
        let area = Area::around(words);
        self.all.push(Candidate {
            field,
            value,
            also: None,
            text: text_of(words),
            page,
            bounds: [area.left as u32, area.top as u32, area.right as u32, area.bottom as u32],
            confidence: (sureness(words) * trust).clamp(0.0, 1.0),
            rank,
            mention: 0,
            form: None,
            failed: None,
        });
        self.all.last_mut().expect("one was just added")
    }
}
