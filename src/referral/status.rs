//! The status of a referral: one enum, derived from its history by one table.
//!
//! Events may arrive out of order (a report before an acceptance): every event is kept, the status is derived, none is refused.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ReplyOutcome;
use crate::ids::{DeliveryId, MessageId};

/// Where a referral stands. `held` is a flag beside it, not a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Stored and normalized; the request is not out yet.
    New,
    /// The confirmation request was delivered.
    Requested,
    /// The specialist has it.
    Confirmed,
    /// The specialist takes it.
    Accepted,
    /// The sender owes something.
    NeedsInformation,
    /// The specialist does not take it.
    Declined,
    /// Somebody else should be asked.
    Redirected,
    /// There is an appointment.
    Scheduled,
    /// The patient did not come.
    NoShow,
    /// The visit happened; the report is owed.
    Completed,
    /// The report came back.
    Closed,
    /// The sender asked to cancel.
    CancelRequested,
    /// Cancelled, and confirmed.
    Cancelled,
    /// Its time passed while it was open.
    Expired,
}

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Turn {
    /// Ours.
    Engine,
    /// The specialist's.
    Specialist,
    /// The sender's.
    Sender,
    /// The coordinator's.
    Coordinator,
    /// The patient's.
    Patient,
    /// Nobody's: it is over.
    Nobody,
}

impl Status {
    /// Whose turn it is.
    #[must_use]
    pub fn turn(self) -> Turn {
        match self {
            Self::New => Turn::Engine,
            Self::Requested | Self::Confirmed | Self::Accepted | Self::Redirected | Self::Completed | Self::CancelRequested => {
                Turn::Specialist
            }
            Self::NeedsInformation => Turn::Sender,
            Self::Declined | Self::NoShow | Self::Expired => Turn::Coordinator,
            Self::Scheduled => Turn::Patient,
            Self::Closed | Self::Cancelled => Turn::Nobody,
        }
    }

    /// What a person does about it, where the engine waits for one.
    #[must_use]
    pub fn next_step(self) -> Option<&'static str> {
        match self {
            Self::NeedsInformation => Some("ask the sender for what the specialist's answer names; what they send moves it on"),
            Self::Declined => Some("find another specialist: `route ENTRY`; or tell the sender, and `reject`"),
            Self::NoShow => Some("ask the patient and the practice: `reply scheduled --at …` for a new appointment, or `reject`"),
            Self::CancelRequested => Some(
                "`reject` cancels it, `reopen` keeps it; whoever has it from us is told (below: the withdrawal and its state)",
            ),
            Self::Expired => Some("ask the sender: `reopen`, or `reject`"),
            // Where nobody knows to whom it goes, it is held for that.
            Self::New
            | Self::Redirected
            | Self::Requested
            | Self::Confirmed
            | Self::Accepted
            | Self::Scheduled
            | Self::Completed
            | Self::Closed
            | Self::Cancelled => None,
        }
    }

    /// The word used in listings and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Requested => "requested",
            Self::Confirmed => "confirmed",
            Self::Accepted => "accepted",
            Self::NeedsInformation => "needs-information",
            Self::Declined => "declined",
            Self::Redirected => "redirected",
            Self::Scheduled => "scheduled",
            Self::NoShow => "no-show",
            Self::Completed => "completed",
            Self::Closed => "closed",
            Self::CancelRequested => "cancel-requested",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }

    /// The status after an event: the table of `HistoryEvent` against where the referral stood.
    #[must_use]
    pub fn after(self, event: &HistoryEvent) -> Self {
        match event {
            // Over is over: what still comes in is kept in the history, and only a person or a report moves it.
            HistoryEvent::Reported => Self::Closed,
            HistoryEvent::Reopened => Self::New,
            HistoryEvent::Rejected { .. } => Self::Cancelled,
            HistoryEvent::CancelRequested => match self {
                Self::Closed | Self::Cancelled | Self::Completed => self,
                _ => Self::CancelRequested,
            },
            HistoryEvent::Requested => match self {
                Self::New | Self::Redirected | Self::Declined => Self::Requested,
                _ => self,
            },
            HistoryEvent::Replied { outcome, .. } => self.after_reply(*outcome),
            // A person passes it on: whatever the desk before said of it, the next one has said nothing yet.
            HistoryEvent::Routed { .. } => match self {
                Self::New | Self::Completed | Self::CancelRequested | Self::Cancelled | Self::Closed => self,
                Self::Requested
                | Self::Confirmed
                | Self::Accepted
                | Self::NeedsInformation
                | Self::Declined
                | Self::Redirected
                | Self::Scheduled
                | Self::NoShow
                | Self::Expired => Self::Redirected,
            },
            HistoryEvent::Received
            | HistoryEvent::Changed { .. }
            | HistoryEvent::Held
            | HistoryEvent::Confirmed { .. }
            | HistoryEvent::Corrected { .. }
            | HistoryEvent::Merged { .. }
            | HistoryEvent::ReplySetAside
            | HistoryEvent::AskedAgain { .. }
            | HistoryEvent::Acknowledged
            | HistoryEvent::DeliveryDead
            | HistoryEvent::Enclosed
            | HistoryEvent::Unclear => self,
        }
    }

    fn after_reply(self, outcome: ReplyOutcome) -> Self {
        let early = matches!(self, Self::New | Self::Requested | Self::Redirected | Self::NeedsInformation);
        let over = matches!(self, Self::Closed | Self::Cancelled);
        match outcome {
            _ if over => self,
            // What the sender asked to cancel moves on only by what ends it: who says no has nothing more to cancel.
            ReplyOutcome::Declined | ReplyOutcome::PatientDeclined if self == Self::CancelRequested => Self::Cancelled,
            ReplyOutcome::Received
            | ReplyOutcome::Accepted
            | ReplyOutcome::NotReceived
            | ReplyOutcome::Scheduled
            | ReplyOutcome::PatientUnreachable
            | ReplyOutcome::NeedsInformation
            | ReplyOutcome::Redirected
            | ReplyOutcome::NoShow
                if self == Self::CancelRequested =>
            {
                self
            }
            // After a refusal, a person has looked at it.
            ReplyOutcome::Received if early || self == Self::Declined => Self::Confirmed,
            ReplyOutcome::Accepted if early || matches!(self, Self::Confirmed | Self::Declined) => Self::Accepted,
            ReplyOutcome::Received | ReplyOutcome::Accepted => self,
            ReplyOutcome::NotReceived => match self {
                Self::Requested => Self::New,
                _ => self,
            },
            ReplyOutcome::Scheduled => match self {
                Self::Completed | Self::CancelRequested => self,
                _ => Self::Scheduled,
            },
            ReplyOutcome::AppointmentCancelled => match self {
                Self::Scheduled | Self::NoShow => Self::Accepted,
                _ => self,
            },
            // Cancelled is what the sender asked for. Unasked, it is the specialist's way to say no.
            ReplyOutcome::Cancelled if self == Self::CancelRequested => Self::Cancelled,
            ReplyOutcome::Cancelled => Self::Declined,
            ReplyOutcome::Declined | ReplyOutcome::PatientDeclined | ReplyOutcome::PatientUnreachable => Self::Declined,
            ReplyOutcome::NeedsInformation => Self::NeedsInformation,
            ReplyOutcome::Redirected => Self::Redirected,
            ReplyOutcome::Completed => Self::Completed,
            ReplyOutcome::NoShow => Self::NoShow,
            // Held for a person; no status moves.
            ReplyOutcome::WrongRecipient | ReplyOutcome::Unclear => self,
        }
    }
}

/// What happened to a referral.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum HistoryEvent {
    /// Its first message arrived.
    Received,
    /// The sender changed it (REF^I13, or the same referral sent again with other content).
    Changed {
        /// What it says otherwise; the values are in the versions. Versions before this was kept have none.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        fields: Vec<String>,
    },
    /// It was held for a person.
    Held,
    /// The sender was told.
    Acknowledged,
    /// The confirmation request was delivered.
    Requested,
    /// A reply came and was plain.
    Replied {
        /// What it said.
        outcome: ReplyOutcome,
        /// Why, in its own words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// A reply came and was not plain: no status moves.
    Unclear,
    /// A delivery was given up.
    DeliveryDead,
    /// The consultation report came back.
    Reported,
    /// A document that asks for nothing was put with it, as a person said.
    Enclosed,
    /// The sender asked to cancel.
    CancelRequested,
    /// It was over, and is open again: the sender sent it anew, or a person opened it.
    Reopened,
    /// A person said that fields are right.
    Confirmed {
        /// The paths.
        fields: Vec<String>,
    },
    /// A person corrected a field.
    Corrected {
        /// The paths; the values are in the versions.
        fields: Vec<String>,
    },
    /// A person said that this is another referral.
    Merged {
        /// The reference of the one that stays.
        into: String,
        /// In the history of the one that stays: the reference of the other one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<String>,
    },
    /// A person said to whom it goes.
    Routed {
        /// The entry of the directory.
        to: String,
    },
    /// A person had the desk that has it asked once more; what it said stands.
    AskedAgain {
        /// The entry of the directory.
        to: String,
    },
    /// A person read a waiting reply, and it says nothing that moves the referral.
    ReplySetAside,
    /// A person rejected it.
    Rejected {
        /// Why.
        reason: String,
    },
}

/// One line of the history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// When.
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub event: HistoryEvent,
    /// Who: `channel NAME`, `engine`, `person NAME`.
    pub by: String,
    /// The message that brought it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<MessageId>,
    /// The delivery it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<DeliveryId>,
}

impl super::Referral {
    /// Appends to the history and derives the status.
    pub fn record_event(&mut self, entry: HistoryEntry) {
        self.status = self.status.after(&entry.event);
        self.history.push(entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn derive(events: &[HistoryEvent]) -> Status {
        events.iter().fold(Status::New, |status, event| status.after(event))
    }

    fn replied(outcome: ReplyOutcome) -> HistoryEvent {
        HistoryEvent::Replied { outcome, reason: None }
    }

    #[test]
    fn a_plain_course_ends_closed() {
        let course = [
            HistoryEvent::Received,
            HistoryEvent::Requested,
            replied(ReplyOutcome::Received),
            replied(ReplyOutcome::Scheduled),
            replied(ReplyOutcome::Completed),
            HistoryEvent::Reported,
        ];
        assert_eq!(derive(&course), Status::Closed);
        assert_eq!(derive(&course[..3]), Status::Confirmed);
        assert_eq!(derive(&course[..4]), Status::Scheduled);
    }

    #[test]
    fn an_unclear_reply_moves_nothing() {
        for status in [Status::New, Status::Requested, Status::Scheduled, Status::Closed] {
            assert_eq!(status.after(&HistoryEvent::Unclear), status);
            assert_eq!(status.after(&replied(ReplyOutcome::Unclear)), status);
        }
    }

    #[test]
    fn a_cancel_stands_once_it_is_confirmed_and_an_appointment_that_is_off_leaves_the_referral_accepted() {
        let requested = derive(&[HistoryEvent::Requested, HistoryEvent::CancelRequested]);
        assert_eq!(requested, Status::CancelRequested);
        assert_eq!(requested.after(&replied(ReplyOutcome::Cancelled)), Status::Cancelled);
        assert_eq!(requested.after(&replied(ReplyOutcome::Declined)), Status::Cancelled);
        assert_eq!(requested.after(&replied(ReplyOutcome::Scheduled)), Status::CancelRequested);
        assert_eq!(Status::Requested.after(&replied(ReplyOutcome::Cancelled)), Status::Declined);
        assert_eq!(Status::Scheduled.after(&replied(ReplyOutcome::AppointmentCancelled)), Status::Accepted);
        assert_eq!(Status::Closed.after(&replied(ReplyOutcome::AppointmentCancelled)), Status::Closed);
    }

    #[test]
    fn a_late_receipt_does_not_undo_an_appointment() {
        assert_eq!(Status::Scheduled.after(&replied(ReplyOutcome::Received)), Status::Scheduled);
        assert_eq!(Status::Closed.after(&replied(ReplyOutcome::Declined)), Status::Closed);
    }
}
