//! A delivery: one thing owed to one destination, queued in the store until it is sent or dead. No I/O here.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{BodyId, ChannelName, DeliveryId, MessageId, ReferralId};

/// What a delivery is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// Tells a sender that their referral arrived (and what to check, where fields are doubtful).
    Acknowledgement,
    /// Asks the specialist to confirm receipt and appointment.
    ConfirmationRequest,
    /// The referral's pages by fax, where the request itself goes by a mail that may not carry them.
    Pages,
    /// Tells the specialist what changed since they were asked.
    Update,
    /// Tells the specialist not to act on it any more: the sender asks to cancel, or a person ended it or sent it elsewhere.
    Withdrawal,
    /// Hands the referral on as an HL7 message, whoever is asked about it: into an EHR.
    Forward,
    /// Tells the sender how their referral stands.
    Status,
}

impl Purpose {
    /// The word used in listings and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Acknowledgement => "acknowledgement",
            Self::ConfirmationRequest => "confirmation-request",
            Self::Pages => "pages",
            Self::Update => "update",
            Self::Withdrawal => "withdrawal",
            Self::Forward => "forward",
            Self::Status => "status",
        }
    }

    /// Whether it goes to the specialist, and not back to the sender or on to another system.
    #[must_use]
    pub fn is_to_specialist(self) -> bool {
        match self {
            Self::ConfirmationRequest | Self::Pages | Self::Update | Self::Withdrawal => true,
            Self::Acknowledgement | Self::Forward | Self::Status => false,
        }
    }
}

/// Where a delivery is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeliveryState {
    /// To be sent at `due_at`.
    Queued,
    /// Claimed: its first byte may have left. Found so at start, it is ambiguous and is sent again only where that is safe.
    InFlight,
    /// The next hop took it.
    Sent,
    /// Given up, with the reason kept; a person sees it.
    Dead,
    /// Taken back before it was sent, or while it was tried in vain.
    Withdrawn,
}

impl DeliveryState {
    /// The transition table. `Queued` and `InFlight` follow themselves when the letter is composed or taken away to be composed anew.
    /// `Dead` goes back to `Queued` by a person's retry; a bounce makes what was sent `Dead`.
    #[must_use]
    pub fn may_become(self, next: Self) -> bool {
        match (self, next) {
            (Self::Queued, Self::Queued | Self::InFlight | Self::Withdrawn | Self::Dead)
            | (Self::InFlight, Self::InFlight | Self::Queued | Self::Sent | Self::Withdrawn | Self::Dead)
            | (Self::Sent, Self::Dead)
            | (Self::Dead, Self::Queued | Self::Withdrawn) => true,
            (Self::Queued, Self::Sent)
            | (Self::Sent, Self::Queued | Self::InFlight | Self::Sent | Self::Withdrawn)
            | (Self::Withdrawn, _)
            | (Self::Dead, Self::InFlight | Self::Sent | Self::Dead) => false,
        }
    }

    /// The word used in listings and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::InFlight => "in-flight",
            Self::Sent => "sent",
            Self::Dead => "dead",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// What is to be sent.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Content {
    /// A mail.
    Email(EmailContent),
    /// A document for a fax number.
    Fax(FaxContent),
    /// An HL7 message.
    Hl7(Hl7Content),
}

/// A mail to be sent.
#[derive(Clone, Serialize, Deserialize)]
pub struct EmailContent {
    /// The recipient, from the directory or the path the sender wrote from.
    pub to: String,
    /// The whole RFC 5322 mail as it goes out, in the store. Its Message-ID is fixed, so that sending it again is safe.
    pub mail: BodyId,
    /// The envelope sender, which carries the token, so that a bounce finds its delivery.
    pub envelope_from: String,
}

/// A document to be faxed.
#[derive(Clone, Serialize, Deserialize)]
pub struct FaxContent {
    /// The number, E.164, from the directory.
    pub number: String,
    /// The PDF, in the store.
    pub document: BodyId,
    /// How many pages it has.
    pub pages: u32,
    /// The stem of the files written for the fax server: the delivery's id, so that writing again overwrites; with the number of the
    /// attempt where the letter was written anew. Never patient data.
    pub file_stem: String,
}

/// An HL7 message to be sent by MLLP.
#[derive(Clone, Serialize, Deserialize)]
pub struct Hl7Content {
    /// The whole message as it goes out, in the store.
    pub message: BodyId,
    /// Its MSH-10: fixed with the bytes, so that sending it again is safe. 20 characters, as every version takes them.
    pub control_id: String,
    /// MSH-5 and MSH-6 that the directory entry gave, `APPLICATION|FACILITY`; absent: the channel's own destination.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receiver: Option<String>,
    /// What the message says of the referral, as a hash: a referral that says the same is not handed on again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub says: Option<String>,
    /// A person supplied the bytes: they are never composed anew.
    #[serde(default)]
    pub edited: bool,
}

/// How many characters of a delivery's id a control id begins with: the time, and 35 bits that no other of that millisecond has.
const CONTROL_ID_STEM: usize = 17;
/// How long a control id is, in characters: every version of HL7 takes so many.
const CONTROL_ID_CHARACTERS: usize = 20;
/// How long an id is, in characters.
const ID_CHARACTERS: usize = 26;

/// The first and the last id that the delivery with this control id can have; none: it is no control id of ours.
#[must_use]
pub fn of_control_id(control_id: &str) -> Option<(DeliveryId, DeliveryId)> {
    let stem = control_id.get(..CONTROL_ID_STEM).filter(|_| control_id.len() == CONTROL_ID_CHARACTERS)?.to_ascii_uppercase();
    let rest = ID_CHARACTERS - CONTROL_ID_STEM;
    let filled = |digit: &str| format!("{stem}{}", digit.repeat(rest)).parse().ok();
    filled("0").zip(filled("Z"))
}

/// One delivery as the store keeps it.
#[derive(Clone, Serialize, Deserialize)]
pub struct Delivery {
    /// Given when it was queued.
    pub id: DeliveryId,
    /// What it is for.
    pub purpose: Purpose,
    /// The outbound channel that sends it.
    pub through: ChannelName,
    /// The directory entry it goes to; `sender` where it goes back on the path a message came by; the channel's own name where an MLLP
    /// channel has one destination.
    pub to: String,
    /// The referral it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub referral: Option<ReferralId>,
    /// The message it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<MessageId>,
    /// What is sent: composed at the first attempt and kept, so that every further attempt sends the same bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
    /// Where it is.
    pub state: DeliveryState,
    /// How often sending was begun.
    pub attempts: u32,
    /// How many of the attempts do not count, since the channel itself was at fault.
    #[serde(default)]
    pub excused: u32,
    /// When it was queued.
    pub queued_at: Timestamp,
    /// When it is tried next, while `Queued`.
    pub due_at: Timestamp,
    /// An attempt of it ended without anybody knowing whether it arrived.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ambiguous: bool,
    /// Taken back while it was on the way: if this attempt fails, it is withdrawn.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub taken_back: bool,
    /// When the next hop took it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<Timestamp>,
    /// Why the last attempt failed, in plain words. What the other side said may stand in it, and that may name a patient: it is shown to
    /// people and never logged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Delivery {
    /// A delivery to be composed and sent as soon as may be.
    #[must_use]
    pub fn queued(purpose: Purpose, through: ChannelName, to: impl Into<String>, now: Timestamp) -> Self {
        Self {
            id: DeliveryId::generate(),
            purpose,
            through,
            to: to.into(),
            referral: None,
            message: None,
            content: None,
            state: DeliveryState::Queued,
            attempts: 0,
            excused: 0,
            queued_at: now,
            due_at: now,
            ambiguous: false,
            taken_back: false,
            sent_at: None,
            reason: None,
        }
    }

    /// The control id of the HL7 message that is written for it now, or that a person puts in its place. It begins like the delivery's id,
    /// so that MSA-2 of an answer finds it ([`of_control_id`]), and ends with a count: what was written anew is another message.
    #[must_use]
    pub fn control_id(&self, edited: bool) -> String {
        const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
        let mut control_id: String = self.id.to_string().chars().take(CONTROL_ID_STEM).collect();
        let count = self.attempts.wrapping_mul(2).wrapping_add(u32::from(edited));
        let digit = |place: u32| DIGITS.get((count >> (5 * place)) as usize % DIGITS.len());
        control_id.extend([2, 1, 0].into_iter().filter_map(digit).map(|digit| char::from(*digit)));
        control_id
    }

    /// Whether the other side has it, or may have it.
    #[must_use]
    pub fn may_have_arrived(&self) -> bool {
        self.ambiguous || matches!(self.state, DeliveryState::Sent | DeliveryState::InFlight)
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("id", &self.id)
            .field("purpose", &self.purpose)
            .field("through", &self.through)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_id_finds_its_delivery_and_is_another_for_each_message_of_it() {
        let mut delivery = Delivery::queued(Purpose::Forward, ChannelName::new("ehr"), "ehr", Timestamp::now());
        let mut seen = std::collections::BTreeSet::new();
        for attempts in 0..2_000 {
            delivery.attempts = attempts;
            for edited in [false, true] {
                let control_id = delivery.control_id(edited);
                assert_eq!(control_id.len(), 20);
                let (first, last) = of_control_id(&control_id).unwrap();
                assert!((first..=last).contains(&delivery.id));
                assert!(seen.insert(control_id));
            }
        }
        let other = Delivery::queued(Purpose::Forward, ChannelName::new("ehr"), "ehr", Timestamp::now());
        let (first, last) = of_control_id(&other.control_id(false)).unwrap();
        assert!(!(first..=last).contains(&delivery.id));
        for foreign in ["", "A", "01KAVM6Q2C9Y2R0N4N5S8T3W7X", "ÄÄÄÄÄÄÄÄÄÄ", "????????????????????"] {
            assert!(of_control_id(foreign).is_none(), "{foreign}");
        }
    }
}
