//! Whether what a specialist's system sends is the report on a referral.
//!
//! # Design notes
//! A report closes the referral, and nobody looks after the patient any more. So only what is called a report by its code or its title
//! closes it. What may be one waits for a person: a document of another title or none, a laboratory result, a picture. Papers about the
//! visit, for the patient to read or to sign, are none. Wrongly open costs a look, wrongly closed a patient.
//!
//! What something is called stands beside it (OBX-3), or over the whole of a medical document (TXA-2). OBR-4 names what was ordered, and
//! an order for a consultation is on every answer to it: there a code alone tells that it is the note. What a site calls its reports beside
//! that stands in its profile.

use super::{payload::is_document, profile::Reports};
use crate::protocols::hl7::{Message, Segment};

/// The code of the problem that says that a person must tell whether it is the report.
pub(crate) const PERHAPS_REPORT: &str = "perhaps-the-report";
/// The code of the problem that says that it is called the report, and is so unless it came with the first answer.
pub(crate) const CALLED_REPORT: &str = "called-the-report";

/// The code of the problem that says that a report, or what may have been one, is taken back.
pub(crate) const REPORT_TAKEN_BACK: &str = "report-taken-back";

/// LOINC codes of consultation notes and reports.
const REPORT_CODES: [&str; 4] = ["11488-4", "34117-2", "51845-6", "34109-9"];
/// The code of a consultation note in table 0270.
const NOTE_TYPE: &str = "CN";
/// What is written instead.
const NOTE_TYPES: [&str; 3] = ["CONSULT", "CONS", "CONSULTATION"];
/// How the title of a consultation report is written.
const REPORT_TITLES: [&str; 14] = [
    "consultation",
    "consult note",
    "consult report",
    "consult letter",
    "clinic letter",
    "clinic note",
    "outpatient letter",
    "outpatient note",
    "specialist letter",
    "specialist report",
    "letter to gp",
    "letter to referr",
    "gp letter",
    "reply letter",
];
/// Words by which the answer to a referral calls the report that comes with it.
const WORDS_OF_RESPONSE: [&str; 7] = ["report", "letter", "findings", "note", "notes", "opinion", "summary"];
/// Words of papers that are no report, whatever else they are called: about the visit and the answer, or for the patient to read or sign.
const OTHER_PAPERS: [&str; 42] = [
    "acceptance",
    "acknowledgement",
    "acknowledgment",
    "appointment",
    "appointments",
    "appt",
    "authorization",
    "booking",
    "bookings",
    "checklist",
    "confirmation",
    "consent",
    "declination",
    "declined",
    "directions",
    "draft",
    "form",
    "forms",
    "information",
    "instruction",
    "instructions",
    "insurance",
    "invitation",
    "invoice",
    "lab",
    "laboratory",
    "leaflet",
    "patient",
    "patients",
    "preparation",
    "prescription",
    "questionnaire",
    "referral",
    "referrals",
    "reminder",
    "request",
    "requests",
    "requisition",
    "schedule",
    "scheduled",
    "scheduling",
    "waiting",
];
/// A remark is shorter than what was found.
const LETTERS_MIN: usize = 120;

/// What a message brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Brings {
    /// The consultation report.
    Report,
    /// What the answer to a referral calls a report: it is one, unless it comes with the first answer.
    CalledSo,
    /// Something that may be it: a person must tell.
    Perhaps,
    /// A report that was sent before is wrong.
    TakenBack,
    /// No report.
    Nothing,
}

/// What a result or a medical document (ORU, MDM) brings.
pub(super) fn in_result(message: &Message<'_>, site: &Reports) -> Brings {
    let findings = findings(message, site);
    if !is_authenticated(message) {
        Brings::Nothing
    } else if findings.iter().any(|it| it.is_note(message)) {
        Brings::Report
    } else {
        let papers = || findings.iter().filter(|it| it.is_titled(message) || !it.is_other_paper(message));
        let text: usize = papers().filter(|it| it.is_text()).map(Finding::letters).sum();
        // A medical document is a letter however short it is; the text of a result may be a remark beside values.
        let is_letter = message.first("TXA").is_some() && !is_summary(message) && text > 0;
        // Words without any value are what was found, however short.
        let is_alone = text > 0 && message.first("TXA").is_none() && findings.iter().all(|it| it.is_text() || it.is_document());
        let perhaps = papers().any(Finding::is_document) || text >= LETTERS_MIN || is_letter || is_alone;
        match perhaps {
            true => Brings::Perhaps,
            false if takes_back(message, site) => Brings::TakenBack,
            false => Brings::Nothing,
        }
    }
}

/// What a response to a referral brings, beside the answer itself with its papers: whoever declines, has yet to decide or takes a cancel
/// sends letters too.
pub(super) fn in_response(event: &str, message: &Message<'_>, site: &Reports) -> Brings {
    let decides = matches!(message.value("RF1", 1).to_ascii_uppercase().as_str(), "R" | "P" | "C");
    if event == "I14" || decides || !is_authenticated(message) {
        return Brings::Nothing;
    }
    let findings = findings(message, site);
    if findings.iter().any(|it| it.is_note(message)) {
        return Brings::Report;
    }
    // What comes unasked, later than the answer, may be it: a document, or text of some length that was written on some day.
    let is_unasked = message.first("MSA").is_none();
    let papers = || findings.iter().filter(|it| !it.is_other_paper(message));
    let unasked = || papers().filter(|_| is_unasked);
    let dated: usize = unasked().filter(|it| it.is_text() && it.is_dated()).map(Finding::letters).sum();
    if unasked().any(|it| it.is_document() && it.is_called_a_report()) {
        Brings::CalledSo
    } else if papers().any(Finding::is_result) || unasked().any(Finding::is_document) || dated >= LETTERS_MIN {
        Brings::Perhaps
    } else {
        Brings::Nothing
    }
}

/// What the last message of an order that is done (360X) brings: the consultation note, unless it is called another paper.
pub(super) fn in_outcome(message: &Message<'_>, site: &Reports) -> Brings {
    let is_paper = |it: &Finding<'_, '_>| it.is_note(message) || !it.is_other_paper(message);
    if findings(message, site).iter().any(is_paper) { Brings::Report } else { Brings::Nothing }
}

/// An observation whose value holds, under the order that it belongs to.
struct Finding<'t, 'm> {
    order: Option<Segment<'t, 'm>>,
    value: Segment<'t, 'm>,
    site: &'m Reports,
}

/// The observations that hold: neither OBX-11 (table 0085) calls them preliminary, partial, wrong or deleted, nor does OBR-25 above them
/// say anything but final or corrected. Where nothing is said, it was sent as it is.
fn findings<'t, 'm>(message: &'m Message<'t>, site: &'m Reports) -> Vec<Finding<'t, 'm>> {
    let mut order: Option<Segment<'t, 'm>> = None;
    let mut found = Vec::new();
    for segment in message.segments() {
        if segment.is("OBR") {
            order = Some(segment);
        }
        let finished = order.is_none_or(|obr| matches!(obr.value(25, 1).to_ascii_uppercase().as_str(), "" | "F" | "C"));
        let status = segment.value(11, 1).to_ascii_uppercase();
        let stands = !matches!(status.as_str(), "D" | "I" | "N" | "O" | "P" | "R" | "S" | "W" | "X");
        if segment.is("OBX") && finished && stands && !segment.field(5).is_empty() {
            found.push(Finding { order, value: segment, site });
        }
    }
    found
}

/// Whether it says of words or a document that was sent before that it is wrong, or is not to be had: OBX-11 (table 0085), OBR-25 (0123).
fn takes_back(message: &Message<'_>, site: &Reports) -> bool {
    let mut order_is_off = false;
    message.segments().any(|segment| {
        if segment.is("OBR") {
            order_is_off = segment.value(25, 1).eq_ignore_ascii_case("X");
        }
        let is_off = order_is_off || matches!(segment.value(11, 1).to_ascii_uppercase().as_str(), "D" | "W" | "X");
        let is_paper = || {
            is_document(&segment)
                || matches!(segment.value(2, 1).as_ref(), "FT" | "TX")
                || REPORT_CODES.contains(&segment.value(3, 1).as_ref())
                || site.codes.iter().any(|known| known.eq_ignore_ascii_case(&segment.value(3, 1)))
        };
        segment.is("OBX") && is_off && is_paper()
    })
}

/// What a coded field calls the thing: its texts, in small letters.
fn title(segment: &Segment<'_, '_>, field: usize) -> String {
    [2, 5, 9].map(|part| segment.value(field, part).to_lowercase()).join(" ")
}

impl Finding<'_, '_> {
    fn is_document(&self) -> bool {
        is_document(&self.value)
    }

    fn is_text(&self) -> bool {
        matches!(self.value.value(2, 1).as_ref(), "FT" | "TX")
    }

    fn letters(&self) -> usize {
        self.value.field(5).raw().len()
    }

    /// What it is called, each name in small letters: OBX-3, and TXA-2 of a medical document.
    fn titles(&self, message: &Message<'_>) -> impl Iterator<Item = String> {
        let of_document = message.first("TXA").map(|txa| title(&txa, 2));
        [Some(title(&self.value, 3)), of_document].into_iter().flatten()
    }

    /// A consultation note by its code or its title.
    fn is_note(&self, message: &Message<'_>) -> bool {
        let places = [(Some(self.value), 3), (self.order, 4), (message.first("TXA"), 2)];
        let mut places = places.into_iter().filter_map(|(segment, field)| Some((segment?, field)));
        let is_coded = |(segment, field): (Segment<'_, '_>, usize)| {
            [1, 4].iter().any(|part| {
                let code = segment.value(field, *part);
                REPORT_CODES.contains(&code.as_ref()) || self.site.codes.iter().any(|known| known.eq_ignore_ascii_case(&code))
            })
        };
        let kind = message.value("TXA", 2).to_ascii_uppercase();
        let is_called = NOTE_TYPES.contains(&kind.as_str()) || self.is_titled(message);
        let is_said_to_be = kind == NOTE_TYPE || places.any(is_coded) || (is_called && !self.is_other_paper(message));
        // What the site says of its own titles goes before a code, and a draft is none, whatever its code.
        self.is_titled_here(message) || (is_said_to_be && !self.is_draft_or_other_here(message))
    }

    /// Whether it is called a consultation report.
    fn is_titled(&self, message: &Message<'_>) -> bool {
        let is_known = |title: String| {
            REPORT_TITLES.iter().any(|known| title.contains(known)) && !has_one_of(&title, &self.site.other_titles)
        };
        self.is_titled_here(message) || ((self.is_document() || self.is_text()) && self.titles(message).any(is_known))
    }

    /// Whether it has a title that the sender's profile says is that of a report.
    fn is_titled_here(&self, message: &Message<'_>) -> bool {
        !self.site.titles.is_empty()
            && (self.is_document() || self.is_text())
            && self.titles(message).any(|title| has_one_of(&title, &self.site.titles))
    }

    /// Whether its title says that it is a draft, or is one that the sender's profile has for another paper.
    fn is_draft_or_other_here(&self, message: &Message<'_>) -> bool {
        let is_so = |title: String| words(&title).any(|word| word == "draft") || has_one_of(&title, &self.site.other_titles);
        self.titles(message).any(is_so)
    }

    /// Whether the answer to a referral calls it the report.
    fn is_called_a_report(&self) -> bool {
        words(&title(&self.value, 3)).any(|word| WORDS_OF_RESPONSE.contains(&word))
    }

    /// Whether its order says that it is a finished result.
    fn is_result(&self) -> bool {
        self.order.is_some_and(|obr| matches!(obr.value(25, 1).to_ascii_uppercase().as_str(), "F" | "C"))
    }

    /// Whether it says when it was observed.
    fn is_dated(&self) -> bool {
        let day_of_order = self.order.is_some_and(|obr| [7, 22].into_iter().any(|field| !obr.field(field).is_empty()));
        day_of_order || !self.value.field(14).is_empty()
    }

    /// Whether it is called a paper about the visit or the answer, or for the patient: an invitation, a form of consent.
    fn is_other_paper(&self, message: &Message<'_>) -> bool {
        let is_other =
            |title: String| has_one_of(&title, &self.site.other_titles) || words(&title).any(|word| OTHER_PAPERS.contains(&word));
        self.titles(message).any(is_other)
    }
}

/// Whether a title, in small letters, has one of these in it.
fn has_one_of(title: &str, parts: &[String]) -> bool {
    parts.iter().any(|part| title.contains(&part.to_lowercase()))
}

fn words(title: &str) -> impl Iterator<Item = &str> {
    title.split(|c: char| !c.is_alphanumeric())
}

/// Whether a medical document is finished: TXA-17 authenticated. Where nothing is said, it was sent as it is.
fn is_authenticated(message: &Message<'_>) -> bool {
    matches!(message.value("TXA", 17).to_ascii_uppercase().as_str(), "" | "AU" | "LA")
}

/// Whether a medical document tells of a stay, and not of what a referral asked: a discharge summary.
fn is_summary(message: &Message<'_>) -> bool {
    message.value("TXA", 2).eq_ignore_ascii_case("DS")
}
