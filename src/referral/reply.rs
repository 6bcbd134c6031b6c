//! What a reply says.

use serde::{Deserialize, Serialize};

use super::{Appointment, HistoryEvent, ReturnedPage};
use crate::ids::DeliveryId;

/// How much of the reason that a reply gives is kept in the history, in characters.
const REASON_CHARS_MAX: usize = 2_000;

/// The closed set of things a reply can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReplyOutcome {
    /// They have it, and say no more.
    Received,
    /// It never came.
    NotReceived,
    /// They will see the patient.
    Accepted,
    /// There is an appointment.
    Scheduled,
    /// The appointment is off; they still take the patient.
    AppointmentCancelled,
    /// They confirm that the referral is cancelled.
    Cancelled,
    /// They will not.
    Declined,
    /// Something is missing.
    NeedsInformation,
    /// Somebody else should.
    Redirected,
    /// The visit happened.
    Completed,
    /// The patient did not come.
    NoShow,
    /// The patient does not want to.
    PatientDeclined,
    /// The patient cannot be reached.
    PatientUnreachable,
    /// It is not theirs.
    WrongRecipient,
    /// A person must read it.
    Unclear,
}

impl ReplyOutcome {
    /// In words, as they stand behind "the specialist's answer".
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::NotReceived => "not received",
            Self::Accepted => "accepted",
            Self::Scheduled => "appointment made",
            Self::AppointmentCancelled => "appointment cancelled",
            Self::Cancelled => "cancelled",
            Self::Declined => "declined",
            Self::NeedsInformation => "needs more information",
            Self::Redirected => "another specialist is to be asked",
            Self::Completed => "the visit took place",
            Self::NoShow => "the patient did not come",
            Self::PatientDeclined => "the patient declined",
            Self::PatientUnreachable => "the patient cannot be reached",
            Self::WrongRecipient => "not for them",
            Self::Unclear => "unclear",
        }
    }
}

/// What was understood of a reply.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// The reference it quotes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// How it was matched: `token` (unforgeable), `reference`, `code` (QR or bar code on a page), `identifier`, `person`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matched_by: Option<String>,
    /// The letter of ours that it answers, where a mail names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers: Option<DeliveryId>,
    /// Whether they say that they have it; absent when they do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received: Option<bool>,
    /// What it comes to.
    pub outcome: ReplyOutcome,
    /// The visit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub appointment: Option<Appointment>,
    /// Which appointment it is about, where a calendar speaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub booking: Option<Booking>,
    /// Why, for a refusal; what is missing, for `needs-information`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The words relied on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<String>,
    /// 0 to 1.
    pub confidence: f32,
    /// What was seen on our page, where it came back on paper.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<Box<ReturnedPage>>,
    /// What has to be compared with the referral before the reply can count.
    #[serde(skip)]
    pub compare: Compare,
}

/// Which appointment a calendar speaks of.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Booking {
    /// Its numbers, as [`Appointment::booking`] has them.
    pub numbers: Vec<String>,
    /// Whether it is moved, and was booked before.
    pub moves: bool,
}

/// What a reply says that may be of somebody else, or of another time: only the referral can tell.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Compare {
    /// Whom it greets: the words, in small letters.
    pub greets: Vec<String>,
    /// The words of the names that it calls the patient by, in small letters.
    pub names: Vec<String>,
    /// The birth date that it gives, as it was written.
    pub born: Option<String>,
    /// The earliest day on which something it tells of happened.
    pub happened_on: Option<jiff::civil::Date>,
}

impl std::fmt::Debug for Compare {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Compare").finish_non_exhaustive()
    }
}

impl Reply {
    /// One of which nothing is read yet.
    #[must_use]
    pub fn unread() -> Self {
        Self {
            reference: None,
            matched_by: None,
            answers: None,
            received: None,
            outcome: ReplyOutcome::Unclear,
            appointment: None,
            booking: None,
            reason: None,
            quote: None,
            confidence: 0.0,
            page: None,
            compare: Compare::default(),
        }
    }

    /// What it comes to, as the history keeps it.
    #[must_use]
    pub fn happened(&self) -> HistoryEvent {
        let reason = self.reason.as_ref().map(|reason| reason.chars().take(REASON_CHARS_MAX).collect());
        HistoryEvent::Replied { outcome: self.outcome, reason }
    }
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reply").field("outcome", &self.outcome).finish_non_exhaustive()
    }
}
