//! The confirmation request on paper: a cover page with boxes to tick, then what the referral says, then its pages as they came.
//!
//! # Design notes
//! The cover page carries the least that finds the referral again: the reference, the patient's initials, the practice that refers and
//! how soon. It lies on top in a fax tray and is handed back through other people's machines. Everything clinical follows on the pages
//! behind it, and is left out altogether for destinations that are not trusted with it ([`Behind`]).
//!
//! What comes back is read by [`layout`]: the boxes and the corner marks stand at fixed places on every cover page, whatever is written
//! on it. Changing a place means that pages already out are misread: give the new page another mark and keep both.

use super::{
    ComposeError, Document, PageFace, PageImage, labels,
    paper::{LEFT, PAGE_WIDTH, Paper, QrModules, RIGHT, Sheet, open_image},
    summary,
    typeset::Style,
};
use crate::referral::{HistoryEvent, Reference, Referral, Status};

/// Where things stand on a page that is returned: points from the top left corner of US Letter, 612 by 792.
pub mod layout {
    pub use super::super::paper::Area;

    /// The four solid squares, clockwise from the top left.
    pub const CORNER_MARKS: [Area; 4] = [
        Area::square(36.0, 36.0, 16.0),
        Area::square(560.0, 36.0, 16.0),
        Area::square(560.0, 740.0, 16.0),
        Area::square(36.0, 740.0, 16.0),
    ];
    /// The QR code, 36 mm; 20 points around it stay white.
    pub const QR: Area = Area::square(446.0, 76.0, 102.0);

    /// The reference once more, as a Code 128 symbol of 167 modules: four pixels of a fax each. A backup for the QR code.
    pub const BAR_CODE: Area = Area { left: 181.0, top: 722.0, width: 250.0, height: 34.0 };

    /// "Referral received: yes".
    pub const RECEIVED_YES: Area = Area::square(262.0, 288.0, 20.0);
    /// "Referral received: no".
    pub const RECEIVED_NO: Area = Area::square(362.0, 288.0, 20.0);
    /// "Appointment: yes, on … at …".
    pub const APPOINTMENT_YES: Area = Area::square(84.0, 354.0, 20.0);
    /// What is written behind "on".
    pub const APPOINTMENT_DATE: Area = Area { left: 176.0, top: 346.0, width: 184.0, height: 28.0 };
    /// What is written behind "at".
    pub const APPOINTMENT_TIME: Area = Area { left: 390.0, top: 346.0, width: 162.0, height: 28.0 };
    /// "Not yet".
    pub const APPOINTMENT_NOT_YET: Area = Area::square(84.0, 392.0, 20.0);
    /// "Declined because …".
    pub const APPOINTMENT_DECLINED: Area = Area::square(84.0, 430.0, 20.0);
    /// What is written behind "because", and on the line below it.
    pub const DECLINED_REASON: Area = Area { left: 250.0, top: 420.0, width: 302.0, height: 62.0 };
    /// "Not for us".
    pub const WRONG_RECIPIENT: Area = Area::square(84.0, 494.0, 20.0);
    /// Who filled the page in.
    pub const SIGNED: Area = Area { left: 150.0, top: 532.0, width: 402.0, height: 28.0 };

    /// Every box to be ticked, with what a tick in it says.
    pub const BOXES: [(&str, Area); 6] = [
        ("received-yes", RECEIVED_YES),
        ("received-no", RECEIVED_NO),
        ("appointment-yes", APPOINTMENT_YES),
        ("appointment-not-yet", APPOINTMENT_NOT_YET),
        ("appointment-declined", APPOINTMENT_DECLINED),
        ("wrong-recipient", WRONG_RECIPIENT),
    ];

    /// Every blank to be written in.
    pub const BLANKS: [(&str, Area); 4] = [
        ("appointment-date", APPOINTMENT_DATE),
        ("appointment-time", APPOINTMENT_TIME),
        ("declined-reason", DECLINED_REASON),
        ("signed", SIGNED),
    ];
    /// Where nothing is printed beside a box, so that what stands there was written: behind "no" and behind "not yet".
    pub const BESIDE: [(&str, Area); 2] = [
        ("beside-received", Area { left: 412.0, top: 285.0, width: 140.0, height: 26.0 }),
        ("beside-not-yet", Area { left: 174.0, top: 388.0, width: 378.0, height: 26.0 }),
    ];
}

/// The most page images that follow; what is left out is said in words.
pub const PAGE_IMAGES_MAX: usize = 200;

pub(super) const TITLE: Style = Style::bold(24.0);
pub(super) const REFERENCE: Style = Style::bold(36.0);
pub(super) const HEADING: Style = Style::bold(17.0);
pub(super) const BODY: Style = Style::regular(15.0);
pub(super) const STRONG: Style = Style::bold(15.0);
pub(super) const RUNNING: Style = Style::regular(12.0);

/// What a document for a specialist is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// A new referral: please confirm.
    Request,
    /// The pages of a referral whose request went by mail.
    Pages,
    /// A referral that they have, as it stands now.
    Update,
    /// They shall not act on it any more.
    Withdrawal(Withdrawn),
}

/// Why a specialist shall not act on a referral any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Withdrawn {
    /// The sender asks to cancel it.
    BySender,
    /// It is the same as another one, which stays.
    Merged,
    /// A person here ended it.
    Rejected,
    /// A person here sent it to another practice.
    SentElsewhere,
}

impl Withdrawn {
    /// What happened last to the referral that took it away from who has it.
    #[must_use]
    pub fn of(referral: &Referral) -> Self {
        let merged = referral
            .history
            .iter()
            .any(|entry| matches!(&entry.event, HistoryEvent::Merged { into, .. } if *into != referral.reference.as_str()));
        match referral.status {
            Status::CancelRequested => Self::BySender,
            Status::Cancelled if merged => Self::Merged,
            Status::Cancelled => Self::Rejected,
            Status::New
            | Status::Requested
            | Status::Confirmed
            | Status::Accepted
            | Status::NeedsInformation
            | Status::Declined
            | Status::Redirected
            | Status::Scheduled
            | Status::NoShow
            | Status::Completed
            | Status::Closed
            | Status::Expired => Self::SentElsewhere,
        }
    }

    /// In a subject line, after the reference.
    #[must_use]
    pub fn in_short(self) -> &'static str {
        match self {
            Self::BySender => "the sender asks to cancel it",
            Self::Merged => "it was sent twice",
            Self::Rejected => "it is withdrawn",
            Self::SentElsewhere => "it goes to another practice",
        }
    }

    /// What happened, in a sentence.
    #[must_use]
    pub fn sentence(self, referral: &Referral) -> String {
        match self {
            Self::BySender => "The sender asks to cancel a referral that you have from us.".to_owned(),
            Self::Merged => {
                let stays = referral.history.iter().rev().find_map(|entry| match &entry.event {
                    HistoryEvent::Merged { into, .. } if *into != referral.reference.as_str() => Some(into.as_str()),
                    _ => None,
                });
                let stays = stays.unwrap_or("another referral");
                format!("A referral that you have from us is the same as {stays}. Please go on with {stays} only.")
            }
            Self::Rejected => "A referral that you have from us is withdrawn.".to_owned(),
            Self::SentElsewhere => "A referral that you have from us now goes to another practice.".to_owned(),
        }
    }
}

impl About {
    fn title(self) -> &'static str {
        match self {
            Self::Request => "Referral: please confirm",
            Self::Pages => "Pages of a referral: see our mail to you",
            Self::Update => "Update to a referral you have: please replace",
            Self::Withdrawal(Withdrawn::BySender) => "The sender asks to cancel this referral",
            Self::Withdrawal(Withdrawn::Merged) => "This referral was sent twice",
            Self::Withdrawal(Withdrawn::Rejected) => "This referral is withdrawn",
            Self::Withdrawal(Withdrawn::SentElsewhere) => "This referral goes to another practice",
        }
    }

    /// What must not be misunderstood, in one line over the boxes: a page taken for a new referral is booked twice.
    fn notice(self) -> Option<&'static str> {
        match self {
            Self::Request | Self::Withdrawal(_) => None,
            Self::Pages => Some("One referral, sent both ways: please book it once."),
            Self::Update => Some("Not a new referral: this is how it stands now."),
        }
    }
}

/// What lies behind a cover page, beside the summary.
#[derive(Clone, Default)]
pub struct Enclosures {
    /// The pages of the referral as they came.
    pub pages: Vec<PageImage>,
    /// How many attached documents could not be included.
    pub documents_left_out: usize,
    /// How many attached documents lack pages.
    pub documents_incomplete: usize,
}

/// How the referral's pages get to who reads a cover page.
#[derive(Clone, Copy)]
pub enum Behind<'a> {
    /// They follow it.
    Enclosed(&'a Enclosures),
    /// They come by fax, on their own.
    ByFax,
    /// They do not come.
    Nothing,
}

/// The document for a specialist: the cover page, and behind it the summary and the page images, where they are enclosed. A withdrawal is
/// its cover page alone.
///
/// # Errors
/// [`ComposeError`] where the code is too long for its place, or the PDF cannot be written. A page image that cannot be opened is no
/// error: its page says so.
pub fn document(about: About, referral: &Referral, face: &PageFace<'_>, behind: Behind<'_>) -> Result<Document, ComposeError> {
    let qr = face.code.map(QrModules::of).transpose()?;
    let mut paper = Paper::new(about.title(), face.site_name);
    let enclosed = match behind {
        Behind::Enclosed(enclosures) if !matches!(about, About::Withdrawal(_)) => enclosures,
        Behind::Enclosed(_) | Behind::ByFax | Behind::Nothing => {
            let words = match behind {
                Behind::ByFax => "only this one; the referral's pages come by fax",
                Behind::Enclosed(_) | Behind::Nothing => "only this one",
            };
            paper.page(|sheet| cover(sheet, about, referral, face, qr.as_ref(), words));
            return paper.finish();
        }
    };
    let shown = enclosed.pages.get(..PAGE_IMAGES_MAX).unwrap_or(&enclosed.pages);
    let summary = summary::pages(referral, enclosed, enclosed.pages.len() - shown.len());
    let total = 1 + summary.len() + shown.len();
    paper.page(|sheet| cover(sheet, about, referral, face, qr.as_ref(), &format!("{total} with this one")));
    let mut number = 1;
    for rows in &summary {
        number += 1;
        paper.page(|sheet| {
            running_head(sheet, referral, face, number, total);
            summary::draw(sheet, rows);
        });
    }
    for page in shown {
        number += 1;
        paper.page(|sheet| {
            running_head(sheet, referral, face, number, total);
            referral_page(sheet, page);
        });
    }
    paper.finish()
}

fn cover(sheet: &mut Sheet<'_>, about: About, referral: &Referral, face: &PageFace<'_>, qr: Option<&QrModules>, pages: &str) {
    frame(sheet, face, qr, Some(&referral.reference));
    heading(sheet, about.title());
    sheet.text(BODY, LEFT, 118.0, TEXT_RIGHT, "Reference");
    sheet.text(REFERENCE, LEFT, 152.0, TEXT_RIGHT, referral.reference.as_str());

    let record = &referral.record;
    let recipient = face.recipient.map(str::to_owned).or_else(|| labels::provider(&record.referred_to));
    let recipient = recipient.or_else(|| record.referred_to.specialty.clone());
    let initials = labels::initials(&record.patient.name).unwrap_or_else(|| "not known".to_owned());
    let from = record.referring.organization.clone().or_else(|| labels::person(&record.referring.name));
    let patient = format!("{initials} (initials) · priority {}", labels::priority(record.priority));
    named_line(sheet, 180.0, TEXT_RIGHT, "To", recipient.as_deref().unwrap_or("the specialist's front desk"));
    named_line(sheet, 202.0, RIGHT, "From", from.as_deref().unwrap_or("a referring practice"));
    named_line(sheet, 224.0, RIGHT, "Patient", &patient);
    named_line(sheet, 246.0, RIGHT, "Pages", pages);
    sheet.rule(LEFT, RIGHT, 262.0);
    match about {
        About::Withdrawal(why) => withdrawal(sheet, why, referral),
        About::Request | About::Pages | About::Update => {
            sheet.text(STRONG, LEFT, 281.0, RIGHT, about.notice().unwrap_or_default());
            questions(sheet);
        }
    }
    return_to(sheet, face);
}

/// The title, in two smaller lines where it is too long for one, parted at its colon.
fn heading(sheet: &mut Sheet<'_>, title: &str) {
    if TITLE.width(title) <= TEXT_RIGHT - LEFT {
        sheet.text(TITLE, LEFT, 92.0, TEXT_RIGHT, title);
    } else {
        sheet.paragraph(Style::bold(20.0), (LEFT, TEXT_RIGHT), 74.0, 2, &title.replacen(": ", ":\n", 1));
    }
}

/// What is asked of who has the referral already. The one box stands where "received: yes" stands on the other pages: a tick there says
/// the same; where the other boxes stand, nothing does.
fn withdrawal(sheet: &mut Sheet<'_>, why: Withdrawn, referral: &Referral) {
    sheet.text(HEADING, LEFT, layout::RECEIVED_YES.bottom() - 4.0, 260.0, "Please tick:");
    ticked(sheet, layout::RECEIVED_YES, "we know");
    let plea = "Please do not book this referral, and cancel what is booked for it. If the patient has been seen, or you think that it should \
                not be cancelled, please call the referring practice.";
    let plea = match why {
        Withdrawn::BySender => plea.to_owned(),
        Withdrawn::Merged | Withdrawn::Rejected | Withdrawn::SentElsewhere => format!("{} {plea}", why.sentence(referral)),
    };
    sheet.paragraph(BODY, (layout::APPOINTMENT_YES.right() + 12.0, RIGHT), 350.0, 8, &plea);
    signature(sheet);
}

/// Where text beside the QR code ends, so that its white margin stays white.
pub(super) const TEXT_RIGHT: f32 = layout::QR.left - 20.0;

/// The corner marks, who we are, the QR code, and the reference as a bar code.
pub(super) fn frame(sheet: &mut Sheet<'_>, face: &PageFace<'_>, qr: Option<&QrModules>, reference: Option<&Reference>) {
    for mark in layout::CORNER_MARKS {
        sheet.solid(mark);
    }
    sheet.text(STRONG, LEFT, 50.0, RIGHT, face.site_name);
    if let Some(qr) = qr {
        sheet.qr(layout::QR, qr);
    }
    if let Some(reference) = reference {
        sheet.bar_code(layout::BAR_CODE, reference.as_str());
    }
}

/// `Name   what it is`, in two columns.
pub(super) fn named_line(sheet: &mut Sheet<'_>, baseline: f32, right: f32, name: &str, text: &str) {
    const INDENT: f32 = 72.0;
    sheet.text(BODY, LEFT, baseline, LEFT + INDENT - 4.0, name);
    sheet.text(STRONG, LEFT + INDENT, baseline, right, text);
}

/// A box to be ticked and the words behind it.
pub(super) fn ticked(sheet: &mut Sheet<'_>, area: layout::Area, words: &str) {
    sheet.tick_box(area);
    sheet.text(BODY, area.right() + 8.0, area.bottom() - 4.0, RIGHT, words);
}

/// A line to write on, at the bottom of what is later read there.
pub(super) fn blank(sheet: &mut Sheet<'_>, area: layout::Area) {
    sheet.rule(area.left, area.right(), area.bottom() - 2.0);
}

fn questions(sheet: &mut Sheet<'_>) {
    sheet.text(HEADING, LEFT, layout::RECEIVED_YES.bottom() - 4.0, 260.0, "Referral received:");
    ticked(sheet, layout::RECEIVED_YES, "yes");
    ticked(sheet, layout::RECEIVED_NO, "no");

    sheet.text(HEADING, LEFT, 338.0, RIGHT, "Appointment:");
    ticked(sheet, layout::APPOINTMENT_YES, "yes, on");
    blank(sheet, layout::APPOINTMENT_DATE);
    sheet.text(
        BODY,
        layout::APPOINTMENT_TIME.left - 22.0,
        layout::APPOINTMENT_YES.bottom() - 4.0,
        layout::APPOINTMENT_TIME.left,
        "at",
    );
    blank(sheet, layout::APPOINTMENT_TIME);
    ticked(sheet, layout::APPOINTMENT_NOT_YET, "not yet");
    ticked(sheet, layout::APPOINTMENT_DECLINED, "declined because");
    let reason = layout::DECLINED_REASON;
    sheet.rule(reason.left, reason.right(), layout::APPOINTMENT_DECLINED.bottom() - 2.0);
    sheet.rule(layout::APPOINTMENT_DECLINED.right() + 8.0, reason.right(), reason.bottom() - 2.0);
    ticked(sheet, layout::WRONG_RECIPIENT, "not for us: it came to the wrong office");
    signature(sheet);
}

fn signature(sheet: &mut Sheet<'_>) {
    sheet.text(BODY, LEFT, layout::SIGNED.bottom() - 6.0, layout::SIGNED.left, "Your name");
    blank(sheet, layout::SIGNED);
}

/// Where the page goes back to, and what to do if it came to the wrong place.
pub(super) fn return_to(sheet: &mut Sheet<'_>, face: &PageFace<'_>) {
    const BY: Style = Style::bold(19.0);
    sheet.rule(LEFT, RIGHT, 580.0);
    sheet.text(BODY, LEFT, 604.0, RIGHT, "Please fill in this page and send it back");
    let mut baseline = 630.0;
    if let Some(fax) = face.return_fax {
        sheet.text(BODY, LEFT, baseline, LEFT + 72.0, "by fax to");
        sheet.text(BY, LEFT + 76.0, baseline, RIGHT, &labels::phone(fax));
        baseline += 26.0;
    }
    if let Some(email) = face.return_email {
        let way = if face.return_fax.is_some() { "or email" } else { "by email" };
        sheet.text(BODY, LEFT, baseline, LEFT + 72.0, way);
        sheet.text(narrowed(BY, RIGHT - LEFT - 76.0, email), LEFT + 76.0, baseline, RIGHT, email);
        baseline += 26.0;
    }
    if face.return_fax.is_none() && face.return_email.is_none() {
        sheet.text(STRONG, LEFT, baseline, RIGHT, "to the office that sent it");
    }
    let notice = "Confidential health information. If it is not for you: say so above, send this page back and destroy the rest.";
    sheet.paragraph(Style::regular(14.0), (LEFT, RIGHT), 694.0, 3, notice);
}

/// A smaller size where the text would be cut: half an address is of no use.
fn narrowed(style: Style, width: f32, text: &str) -> Style {
    const SMALLEST: f32 = 12.0;
    let wanted = style.width(&style.printable(text));
    if wanted <= width { style } else { Style { size: (style.size * width / wanted * 0.99).max(SMALLEST), ..style } }
}

/// What stands on top of every page but the first: which referral and which page it is, should the pages part.
fn running_head(sheet: &mut Sheet<'_>, referral: &Referral, face: &PageFace<'_>, number: usize, total: usize) {
    let words = format!("{} · page {number} of {total} · {}", referral.reference.as_str(), face.site_name);
    sheet.text(RUNNING, 36.0, 40.0, PAGE_WIDTH - 36.0, &words);
}

fn referral_page(sheet: &mut Sheet<'_>, page: &PageImage) {
    match open_image(page) {
        Some(image) => sheet.image(layout::Area { left: 30.0, top: 50.0, width: 552.0, height: 714.0 }, image),
        None => {
            sheet.text(HEADING, LEFT, 120.0, RIGHT, "This page of the referral cannot be shown");
            sheet.paragraph(
                BODY,
                (LEFT, RIGHT),
                146.0,
                4,
                "Its image is damaged. Please ask the referring practice for it, and quote the reference.",
            );
        }
    }
}

#[cfg(test)]
pub(super) mod test_support;
#[cfg(test)]
mod tests;
