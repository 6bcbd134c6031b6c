//! The referral as an HL7 message: REF^I12, I13 and I14 for a system that takes referrals, RRI^I12 for the sender who wants to know how
//! theirs stands. In the version that the other side wants, 2.3 to 2.8.
//!
//! # Design notes
//! The inverse of `normalize/hl7`: what is written here is read there as the same record, which a test holds together. Where versions
//! differ, the place that the version has is filled, and where an older place is still read everywhere (the reason in RF1-10, the
//! practice in PRD-4), that one too.
//!
//! RF1-6 is the referrer's own number where there is one, since that is what it is for; ours stands in RF1-11 and OBR-2, and in RF1-6 of
//! a referral that came without a number, as a fax does. An answer that quotes either finds its referral.
//!
//! A message that its character set cannot say whole is not written: who gets it would take what is left of a name for the name.
//!
//! An allergy that came as a segment goes on as one (AL1); what was read in words stays a note, since nobody split it into its parts.
//!
//! The documents hang on one OBR of a referral note. Notes stand right behind that OBR: behind the last OBX they would be notes about it.

mod segments;

use bytes::Bytes;
use jiff::Timestamp;
use serde::Deserialize;

use super::{
    ComposeError, PageImage,
    hl7_answer::referral_status,
    paper::{Area, Paper, open_image},
};
use crate::{
    protocols::hl7::{Alphabet, Delimiters, Unwritable, Writer},
    referral::{HistoryEvent, Referral, ReplyOutcome, Status},
};

/// MSH-12 of what is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub enum Version {
    /// 2.3
    #[serde(rename = "2.3")]
    V2_3,
    /// 2.3.1
    #[serde(rename = "2.3.1")]
    V2_3_1,
    /// 2.4
    #[serde(rename = "2.4")]
    V2_4,
    /// 2.5
    #[serde(rename = "2.5")]
    V2_5,
    /// 2.5.1
    #[default]
    #[serde(rename = "2.5.1")]
    V2_5_1,
    /// 2.6
    #[serde(rename = "2.6")]
    V2_6,
    /// 2.7
    #[serde(rename = "2.7")]
    V2_7,
    /// 2.7.1
    #[serde(rename = "2.7.1")]
    V2_7_1,
    /// 2.8
    #[serde(rename = "2.8")]
    V2_8,
}

impl Version {
    /// All that can be written.
    pub const ALL: [Self; 9] =
        [Self::V2_3, Self::V2_3_1, Self::V2_4, Self::V2_5, Self::V2_5_1, Self::V2_6, Self::V2_7, Self::V2_7_1, Self::V2_8];

    /// As it stands in MSH-12.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V2_3 => "2.3",
            Self::V2_3_1 => "2.3.1",
            Self::V2_4 => "2.4",
            Self::V2_5 => "2.5",
            Self::V2_5_1 => "2.5.1",
            Self::V2_6 => "2.6",
            Self::V2_7 => "2.7",
            Self::V2_7_1 => "2.7.1",
            Self::V2_8 => "2.8",
        }
    }
}

/// What the message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// I12: who is asked to take it has said nothing of it yet, whatever a desk before said.
    Request,
    /// I12: a referral that the other side does not know.
    New,
    /// I13: it is to be as it stands here now.
    Change,
    /// I14: its sender asks to cancel it.
    Cancel,
}

impl Event {
    fn code(self) -> &'static str {
        match self {
            Self::Request | Self::New => "I12",
            Self::Change => "I13",
            Self::Cancel => "I14",
        }
    }
}

/// The two sides and the form of a message.
pub struct Face<'a> {
    /// MSH-12.
    pub version: Version,
    /// MSH-18, and what the text is written in.
    pub character_set: &'a str,
    /// MSH-3 and MSH-4.
    pub sending: [&'a str; 2],
    /// MSH-5 and MSH-6. Components keep their delimiter.
    pub receiving: [&'a str; 2],
    /// MSH-11.
    pub processing_id: &'a str,
    /// Whether an accept acknowledgement is asked for, and no other (MSH-15 AL, MSH-16 NE); else both stay empty.
    pub enhanced: bool,
    /// MSH-10: at most 20 characters.
    pub control_id: &'a str,
    /// MSH-7.
    pub now: Timestamp,
}

/// A document that goes along.
pub struct Enclosure {
    /// What it is called, without its ending; none: a number.
    pub name: Option<String>,
    /// Its media type.
    pub media_type: String,
    /// Its bytes.
    pub content: Bytes,
}

/// The documents that go along.
#[derive(Default)]
pub struct Enclosures {
    /// Those that do.
    pub documents: Vec<Enclosure>,
    /// How many do not, for their size or because the channel wants none: the message says so.
    pub left_out: usize,
}

/// REF^I12, I13 or I14. Pure: the time and the control id are passed in.
///
/// # Errors
/// Where it would hold letters that the character set lacks.
pub fn referral(face: &Face<'_>, event: Event, referral: &Referral, enclosures: &Enclosures) -> Result<Vec<u8>, Unwritable> {
    let mut writer = start(face, "REF", event.code(), "REF_I12");
    let record = &referral.record;
    let status = if event == Event::Request { Status::Requested } else { referral.status };
    segments::rf1(&mut writer, face.version, referral, referral_status(status));
    segments::authorization(&mut writer, face.version, record);
    segments::providers(&mut writer, face.version, record);
    segments::patient(&mut writer, face.version, record);
    segments::insurance(&mut writer, face.version, record);
    segments::codes(&mut writer, face.version, record);
    segments::order(&mut writer, face.version, referral);
    let left_out = (enclosures.left_out > 0).then(|| {
        let one = enclosures.left_out == 1;
        format!(
            "{} document{} of this referral {} not in this message: ask the sender of the message for {}",
            enclosures.left_out,
            if one { "" } else { "s" },
            if one { "is" } else { "are" },
            if one { "it" } else { "them" },
        )
    });
    segments::notes(&mut writer, record, left_out.as_deref());
    for (document, number) in enclosures.documents.iter().zip(1..) {
        segments::document(&mut writer, document, number);
    }
    writer.finish_whole()
}

/// RRI^I12 unasked, so without MSA: how a referral stands now.
///
/// # Errors
/// Where it would hold letters that the character set lacks.
pub fn status(face: &Face<'_>, referral: &Referral) -> Result<Vec<u8>, Unwritable> {
    let mut writer = start(face, "RRI", "I12", "RRI_I12");
    segments::rf1(&mut writer, face.version, referral, referral_status(referral.status));
    segments::providers(&mut writer, face.version, &referral.record);
    segments::patient(&mut writer, face.version, &referral.record);
    for (words, number) in standing(referral).iter().zip(1_usize..) {
        writer.segment("NTE").text(1, &number.to_string()).text(3, words);
    }
    writer.finish_whole()
}

/// Whether a sender is told when a referral comes to stand so. What they know already, or asked for themselves, is not told.
#[must_use]
pub fn is_told(status: Status) -> bool {
    match status {
        Status::New | Status::Requested | Status::CancelRequested => false,
        Status::Confirmed
        | Status::Accepted
        | Status::NeedsInformation
        | Status::Declined
        | Status::Redirected
        | Status::Scheduled
        | Status::NoShow
        | Status::Completed
        | Status::Closed
        | Status::Cancelled
        | Status::Expired => true,
    }
}

/// How it stands, in words, a note each: table 0283 knows neither an appointment nor a visit, nor why. Where it says the same, a referral
/// stands the same for its sender.
#[must_use]
pub fn standing(referral: &Referral) -> Vec<String> {
    let reports = referral.history.iter().filter(|entry| entry.event == HistoryEvent::Reported).count();
    let what = match referral.status {
        Status::Accepted if last_reply(referral) == Some(ReplyOutcome::AppointmentCancelled) => {
            "The appointment is cancelled; the specialist still takes the referral."
        }
        Status::New => "The referral was received.",
        Status::Requested => "The specialist was asked.",
        Status::Confirmed => "The specialist has received the referral.",
        Status::Accepted => "The specialist accepts the referral.",
        Status::NeedsInformation => "The specialist needs more information.",
        Status::Declined => "The specialist declines the referral.",
        Status::Redirected => "Another specialist is to be asked.",
        Status::Scheduled => "An appointment is made.",
        Status::NoShow => "The patient did not come to the appointment.",
        Status::Completed => "The visit took place; the report is to follow.",
        Status::Closed if reports > 1 => "The report came back anew, and may correct the former one; the referral is closed.",
        Status::Closed => "The report came back; the referral is closed.",
        Status::CancelRequested => "Cancelling was asked for.",
        Status::Cancelled => "The referral is cancelled.",
        Status::Expired => "The referral expired.",
    };
    let mut text = format!("{what} Reference {}.", referral.reference);
    if referral.status == Status::Closed && reports > 1 {
        // One more is news each time.
        text.push_str(&format!(" Reports: {reports}."));
    }
    if let (Status::Scheduled, Some(appointment)) = (referral.status, &referral.record.appointment) {
        let with = appointment.with.as_ref().map(|with| format!(" with {with}")).unwrap_or_default();
        text.push_str(&format!(" Appointment: {}{with}.", appointment.at.as_str().replace('T', " ")));
    }
    let is_off = last_reply(referral) == Some(ReplyOutcome::AppointmentCancelled);
    let label = if is_yes(referral.status) && !is_off { "The specialist wrote" } else { "Reason" };
    let reason = reason(referral).map(|reason| format!("{label}: {reason}"));
    std::iter::once(text).chain(reason).collect()
}

/// Whether what the specialist wrote is no reason for a no.
fn is_yes(status: Status) -> bool {
    matches!(status, Status::Accepted | Status::Confirmed)
}

/// What was said last that says more than that they have it.
fn last_reply(referral: &Referral) -> Option<ReplyOutcome> {
    referral.history.iter().rev().find_map(|entry| match entry.event {
        HistoryEvent::Replied { outcome, .. } if outcome != ReplyOutcome::Received => Some(outcome),
        _ => None,
    })
}

/// Why it stands so, in the words of the reply that led there: the latest that gave any.
fn reason(referral: &Referral) -> Option<&str> {
    let replies = referral.history.iter().rev().map_while(|entry| match &entry.event {
        HistoryEvent::Replied { outcome: ReplyOutcome::Received, reason } => {
            Some(reason.as_deref().filter(|_| is_yes(referral.status)))
        }
        HistoryEvent::Replied { outcome, reason } if has_led_to(*outcome, referral.status) => Some(reason.as_deref()),
        HistoryEvent::Replied { .. } | HistoryEvent::Requested | HistoryEvent::Reopened | HistoryEvent::Routed { .. } => None,
        _ => Some(None),
    });
    replies.flatten().next()
}

fn has_led_to(outcome: ReplyOutcome, status: Status) -> bool {
    use ReplyOutcome::{
        Accepted, AppointmentCancelled, Cancelled, Declined, NeedsInformation, NoShow, PatientDeclined, PatientUnreachable,
    };
    match status {
        Status::Accepted => matches!(outcome, Accepted | AppointmentCancelled),
        Status::NeedsInformation => outcome == NeedsInformation,
        Status::NoShow => outcome == NoShow,
        Status::Declined | Status::Cancelled => {
            matches!(outcome, Cancelled | Declined | PatientDeclined | PatientUnreachable)
        }
        Status::New
        | Status::Requested
        | Status::Confirmed
        | Status::Redirected
        | Status::Scheduled
        | Status::Completed
        | Status::Closed
        | Status::CancelRequested
        | Status::Expired => false,
    }
}

/// The pages of a fax as one PDF, a page an image: what an EHR can show. The title names nobody.
///
/// # Errors
/// The PDF cannot be written.
pub fn pages_as_pdf(pages: &[PageImage], site_name: &str) -> Result<Bytes, ComposeError> {
    let mut paper = Paper::new("Pages of a referral", site_name);
    for page in pages {
        paper.page(|sheet| {
            if let Some(image) = open_image(page) {
                sheet.image(
                    Area { left: 0.0, top: 0.0, width: super::paper::PAGE_WIDTH, height: super::paper::PAGE_HEIGHT },
                    image,
                );
            }
        });
    }
    paper.finish().map(|document| document.bytes)
}

fn start(face: &Face<'_>, kind: &str, event: &str, structure: &str) -> Writer {
    let alphabet = Alphabet::of(face.character_set).unwrap_or(Alphabet::UNICODE);
    let mut writer = Writer::whole(Delimiters::default(), alphabet);
    let time = face.now.strftime("%Y%m%d%H%M%S+0000").to_string();
    let structure = if face.version == Version::V2_3 { "" } else { structure };
    writer.segment("MSH").text(3, face.sending[0]).text(4, face.sending[1]);
    writer.raw(5, face.receiving[0]).raw(6, face.receiving[1]).text(7, &time);
    writer.components(9, &[kind, event, structure]).text(10, face.control_id).text(11, face.processing_id);
    writer.text(12, face.version.as_str());
    if face.enhanced {
        writer.text(15, "AL").text(16, "NE");
    }
    writer.text(18, face.character_set);
    writer
}

#[cfg(test)]
mod tests;
