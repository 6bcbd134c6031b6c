//! The answer to a fax sender on one page: we have it; or, please check what we read; or, we could not read it.
//!
//! # Design notes
//! It goes to the number that the channel is configured with, and it is one sheet. So it shows the patient's initials and, of the
//! record, only the fields that the sender must check: what is certain is not sent about once more.

use jiff::Zoned;
use sha2::{Digest, Sha256};

use super::{
    ComposeError, Document, PageFace,
    cover_page::{BODY, HEADING, REFERENCE, STRONG, TEXT_RIGHT, TITLE, blank, frame, named_line, return_to, ticked},
    labels,
    paper::{LEFT, Paper, QrModules, RIGHT, Sheet},
};
use crate::referral::{HeldReason, Record, Referral};

/// Where things stand on a page that asks for corrections; corner marks and QR code as on the cover page.
pub mod layout {
    pub use super::super::cover_page::layout::{Area, CORNER_MARKS, QR};

    /// The most fields that one page asks about.
    pub const ROWS_MAX: usize = 7;
    const TOP: f32 = 262.0;
    const ROW_HEIGHT: f32 = 44.0;

    /// The box behind the field at this position that says "right".
    #[must_use]
    pub const fn right_box(row: usize) -> Area {
        Area::square(84.0, TOP + ROW_HEIGHT * row as f32 + 22.0, 18.0)
    }

    /// Where the correction of the field at this position is written.
    #[must_use]
    pub const fn correction(row: usize) -> Area {
        Area { left: 232.0, top: TOP + ROW_HEIGHT * row as f32 + 16.0, width: 320.0, height: 26.0 }
    }

    pub(super) const fn baseline(row: usize) -> f32 {
        TOP + ROW_HEIGHT * row as f32 + 15.0
    }
}

/// A field that the sender is asked about.
#[derive(Clone, PartialEq, Eq)]
pub struct FieldToConfirm {
    /// Its path in the record.
    pub path: String,
    /// What people call it.
    pub label: String,
    /// What was read; none: nothing was found.
    pub value: Option<String>,
}

impl std::fmt::Debug for FieldToConfirm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FieldToConfirm({})", self.path)
    }
}

/// The fields without which nobody can be found, in the order in which they are asked for.
const IDENTITY: [&str; 3] = ["patient.name.family", "patient.name.given", "patient.birth_date"];

/// What the sender must be asked: what is held for want of it first, then all that is marked for review.
#[must_use]
pub fn fields_to_confirm(record: &Record) -> Vec<FieldToConfirm> {
    let values = labels::Values::of(record);
    let mut paths: Vec<&str> = Vec::new();
    if record.held.contains(&HeldReason::BlockingField) {
        let missing = |path: &&str| record.review.iter().any(|marked| marked == path) || values.get(path).is_none();
        paths.extend(IDENTITY.into_iter().filter(missing));
    }
    if record.held.contains(&HeldReason::PriorityUnknown) {
        paths.push("priority");
    }
    for path in &record.review {
        if !paths.contains(&path.as_str()) {
            paths.push(path);
        }
    }
    let field = |path: &str| FieldToConfirm { path: path.to_owned(), label: labels::label(path), value: values.get(path) };
    paths.into_iter().map(field).collect()
}

/// What parts the token from the rest of the code on a page that asks.
pub const ASKED_MARK: char = '/';

/// How many fields a page asks about; the last row says how many more there are.
#[must_use]
pub fn rows_asked(fields: usize) -> usize {
    if fields > layout::ROWS_MAX { layout::ROWS_MAX - 1 } else { fields }
}

/// Which fields, with which values, a page asks about, and in how many rows: when it comes back, its boxes mean these and no others.
#[must_use]
pub fn asked_digest(fields: &[FieldToConfirm]) -> String {
    const CHARACTERS: usize = 6;
    let mut digest = Sha256::new();
    for field in fields {
        digest.update(field.path.as_bytes());
        digest.update([0]);
        digest.update(field.value.as_deref().unwrap_or_default().as_bytes());
        digest.update([0]);
    }
    let digest: String = data_encoding::BASE32_NOPAD.encode(&digest.finalize()).chars().take(CHARACTERS).collect();
    format!("{digest}{}", rows_asked(fields.len()))
}

/// What the QR code of the page says: the token, and which fields it asks about, if any.
#[must_use]
pub fn code(token: &str, record: &Record) -> String {
    let fields = fields_to_confirm(record);
    if fields.is_empty() { token.to_owned() } else { format!("{token}{ASKED_MARK}{}", asked_digest(&fields)) }
}

/// The answer to a referral that was read. `received_at` is in the site's time zone.
///
/// # Errors
/// [`ComposeError`] where the code is too long for its place, or the PDF cannot be written.
pub fn page(referral: &Referral, face: &PageFace<'_>, received_at: &Zoned) -> Result<Document, ComposeError> {
    let record = &referral.record;
    let fields = fields_to_confirm(record);
    let qr = face.code.map(QrModules::of).transpose()?;
    let title = if fields.is_empty() { "Referral received" } else { "Please check this referral" };
    let mut paper = Paper::new(title, face.site_name);
    paper.page(|sheet| {
        frame(sheet, face, qr.as_ref(), Some(&referral.reference));
        sheet.text(TITLE, LEFT, 92.0, TEXT_RIGHT, title);
        sheet.text(BODY, LEFT, 118.0, TEXT_RIGHT, "Reference");
        sheet.text(REFERENCE, LEFT, 152.0, TEXT_RIGHT, referral.reference.as_str());
        let initials = labels::initials(&record.patient.name).unwrap_or_else(|| "not known".to_owned());
        let sender = face.recipient.map(str::to_owned).or_else(|| labels::provider(&record.referring));
        named_line(sheet, 180.0, TEXT_RIGHT, "To", sender.as_deref().unwrap_or("the referring practice"));
        named_line(sheet, 202.0, RIGHT, "Received", &labels::time(received_at));
        named_line(sheet, 224.0, RIGHT, "Patient", &format!("{initials} (initials)"));
        if fields.is_empty() {
            certain(sheet, record);
            contact(sheet, face);
        } else {
            doubtful(sheet, &fields);
            return_to(sheet, face);
        }
    });
    paper.finish()
}

/// The answer to a document of which no referral came: it could not be read, or a person has to.
///
/// # Errors
/// As [`page`].
pub fn about_nothing(
    face: &PageFace<'_>,
    received_at: &Zoned,
    unreadable_because: Option<&str>,
) -> Result<Document, ComposeError> {
    match unreadable_because {
        Some(reason) => unreadable(face, received_at, None, reason),
        None => with_a_person(face, received_at),
    }
}

/// The answer to a document that is no referral as far as a program can tell.
fn with_a_person(face: &PageFace<'_>, received_at: &Zoned) -> Result<Document, ComposeError> {
    let mut paper = Paper::new("Fax received", face.site_name);
    paper.page(|sheet| {
        frame(sheet, face, None, None);
        sheet.text(TITLE, LEFT, 92.0, RIGHT, "We have your fax");
        named_line(sheet, 130.0, RIGHT, "Received", &labels::time(received_at));
        sheet.rule(LEFT, RIGHT, 148.0);
        let after = sheet.paragraph(STRONG, (LEFT, RIGHT), 180.0, 8, "It was not clear what it is, so a person here reads it.");
        let next = "No referral was made of it yet. You need not send it again. If it is urgent, please call us.";
        sheet.paragraph(BODY, (LEFT, RIGHT), after + 12.0, 4, next);
        contact(sheet, face);
    });
    paper.finish()
}

/// The answer to a document that could not be read. `reason` is in plain words and completes "because …"; `pages` is how many there
/// were, where that much could be told.
///
/// # Errors
/// As [`page`].
pub fn unreadable(face: &PageFace<'_>, received_at: &Zoned, pages: Option<u32>, reason: &str) -> Result<Document, ComposeError> {
    let mut paper = Paper::new("Fax not readable", face.site_name);
    paper.page(|sheet| {
        frame(sheet, face, None, None);
        sheet.text(TITLE, LEFT, 92.0, RIGHT, "We could not read your fax");
        named_line(sheet, 130.0, RIGHT, "Received", &labels::time(received_at));
        let count = match pages {
            Some(1) => "1 page".to_owned(),
            Some(pages) => format!("{pages} pages"),
            None => "not known".to_owned(),
        };
        named_line(sheet, 152.0, RIGHT, "Pages", &count);
        sheet.rule(LEFT, RIGHT, 170.0);
        let reason = reason.trim().trim_end_matches('.');
        let after = sheet.paragraph(STRONG, (LEFT, RIGHT), 202.0, 8, &format!("We could not read it because {reason}."));
        let plea = "Nobody has acted on it. Please send it again: black ink on white paper, at the resolution \"fine\", the right way up.";
        sheet.paragraph(BODY, (LEFT, RIGHT), after + 12.0, 4, plea);
        contact(sheet, face);
    });
    paper.finish()
}

fn certain(sheet: &mut Sheet<'_>, record: &Record) {
    sheet.rule(LEFT, RIGHT, 244.0);
    let after = sheet.paragraph(HEADING, (LEFT, RIGHT), 276.0, 2, "We have your referral.");
    let next = if record.held.is_empty() {
        "You need not answer this page. When you call or write about the referral, please quote the reference."
    } else {
        "A person here looks at it before it is passed on. You need not answer this page. When you call or write about the referral, please \
         quote the reference."
    };
    sheet.paragraph(BODY, (LEFT, RIGHT), after + 6.0, 5, next);
}

fn doubtful(sheet: &mut Sheet<'_>, fields: &[FieldToConfirm]) {
    sheet.rule(LEFT, RIGHT, 232.0);
    sheet.text(STRONG, LEFT, 252.0, RIGHT, "We could not read all of it. Please tick what is right, write what is not.");
    let room = rows_asked(fields.len());
    for (row, field) in fields.iter().take(room).enumerate() {
        let name = format!("{}:", field.label);
        let value_left = LEFT + BODY.width(&BODY.fit(&name, 260.0)) + 8.0;
        sheet.text(BODY, LEFT, layout::baseline(row), LEFT + 262.0, &name);
        match &field.value {
            Some(value) => {
                sheet.text(STRONG, value_left, layout::baseline(row), RIGHT, value);
                ticked(sheet, layout::right_box(row), "right");
                sheet.text(BODY, 176.0, layout::right_box(row).bottom() - 3.0, layout::correction(row).left, "or:");
            }
            None => {
                sheet.text(STRONG, value_left, layout::baseline(row), RIGHT, "not found");
                sheet.text(
                    BODY,
                    84.0,
                    layout::right_box(row).bottom() - 3.0,
                    layout::correction(row).left,
                    "please write it here:",
                );
            }
        }
        blank(sheet, layout::correction(row));
    }
    if fields.len() > room {
        let more =
            format!("and {} more. Better send the referral again, larger or at the resolution \"fine\".", fields.len() - room);
        sheet.text(STRONG, LEFT, layout::baseline(room) + 4.0, RIGHT, &more);
    }
}

/// How to reach us, on a page that need not come back.
fn contact(sheet: &mut Sheet<'_>, face: &PageFace<'_>) {
    let mut baseline = 420.0;
    for (name, text) in [("Our fax", face.return_fax.map(labels::phone)), ("Email", face.return_email.map(str::to_owned))] {
        if let Some(text) = text {
            named_line(sheet, baseline, RIGHT, name, &text);
            baseline += 22.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        compose::{cover_page::test_support, labels},
        referral::{Coverage, IsoDate},
    };

    fn received_at() -> Zoned {
        "2026-11-21T15:04[America/Los_Angeles]".parse().unwrap()
    }

    #[test]
    fn a_certain_referral_is_acknowledged_without_its_content() {
        let referral = test_support::referral();
        let document = page(&referral, &test_support::face("LL"), &received_at()).unwrap();
        assert_eq!(document.pages, 1);
        let text = test_support::pdftotext(&document, 1);
        for expected in
            ["Referral received", referral.reference.as_str(), "Nov 21, 2026, 3:04 PM PST", "O. Q.", "+1 415-555-0199"]
        {
            assert!(text.contains(expected), "{expected} is missing");
        }
        for unwanted in ["Quarterstone", "anemia", "please check"] {
            assert!(!text.contains(unwanted), "{unwanted} is not needed");
        }
    }

    #[test]
    fn a_doubtful_referral_asks_for_what_is_doubtful_or_missing_and_for_nothing_else() {
        let mut referral = test_support::referral();
        referral.record.patient.birth_date = None;
        referral.record.priority = crate::referral::Priority::Unknown;
        referral.record.review = vec!["insurance.0.member_id".into(), "patient.name.family".into()];
        referral.record.hold(HeldReason::BlockingField);
        referral.record.hold(HeldReason::PriorityUnknown);
        let asked: Vec<String> = fields_to_confirm(&referral.record).into_iter().map(|field| field.path).collect();
        assert_eq!(asked, ["patient.name.family", "patient.birth_date", "priority", "insurance.0.member_id"]);

        let text = test_support::pdftotext(&page(&referral, &test_support::face("LL"), &received_at()).unwrap(), 1);
        for expected in
            ["Patient's last name:", "Quarterstone", "Date of birth:", "not found", "HM0042219", "Please check this referral"]
        {
            assert!(text.contains(expected), "{expected} is missing");
        }
        for unwanted in ["Ottilie", "anemia", "5510274"] {
            assert!(!text.contains(unwanted), "{unwanted} is certain, and is not sent about once more");
        }
    }

    #[test]
    fn more_doubts_than_fit_are_counted() {
        let mut referral = test_support::referral();
        referral.record.insurance = vec![Coverage { member_id: Some("A1".into()), ..Coverage::default() }; 9];
        referral.record.review = (0..9).map(|index| format!("insurance.{index}.member_id")).collect();
        let text = test_support::pdftotext(&page(&referral, &test_support::face("LL"), &received_at()).unwrap(), 1);
        assert!(text.contains("and 3 more"));
        assert!(
            text.contains(&labels::label("insurance.5.member_id")) && !text.contains(&labels::label("insurance.6.member_id"))
        );
    }

    #[test]
    fn a_value_that_is_there_and_certain_is_not_asked_for() {
        let mut referral = test_support::referral();
        referral.record.patient.birth_date = IsoDate::parse("1961-04-09");
        assert!(fields_to_confirm(&referral.record).is_empty());
    }

    #[test]
    fn an_unreadable_fax_is_answered_with_the_reason() {
        let reason = "the file is protected by a password.";
        let document = unreadable(&test_support::face("LL"), &received_at(), Some(3), reason).unwrap();
        let text = test_support::pdftotext(&document, 1);
        for expected in
            ["We could not read your fax", "3 pages", "because the file is protected by a password.", "send it again", "Our fax"]
        {
            assert!(text.contains(expected), "{expected} is missing");
        }
    }

    #[test]
    fn the_places_for_corrections_do_not_touch_each_other_or_what_is_below() {
        for row in 1..layout::ROWS_MAX {
            assert!(layout::right_box(row - 1).bottom() < layout::right_box(row).top - 18.0);
            assert!(layout::correction(row - 1).bottom() <= layout::correction(row).top);
        }
        assert!(layout::correction(layout::ROWS_MAX - 1).bottom() < 580.0);
    }
}
