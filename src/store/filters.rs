//! What is listed of messages, referrals and deliveries.
//!
//! # Design notes
//! State and status are told by the index; whatever else is asked for is looked up in the record, newest first, until there are enough. So a
//! list of a million records by the name of a patient takes seconds, and needs no index of names beside the records.

use std::ops::ControlFlow::{self, Break, Continue};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    delivery::{Delivery, DeliveryState},
    ids::{ChannelName, ReferralId},
    message::{Message, State},
    normalize::Kind,
    referral::{Record, Referral, Status},
};

/// How far the order of ids may be from that of times.
const DISORDER: SignedDuration = SignedDuration::from_mins(5);

/// Which messages to list; what is absent does not matter.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct MessageFilter {
    /// Only this channel.
    pub channel: Option<ChannelName>,
    /// Only this state.
    pub state: Option<State>,
    /// Only this kind.
    pub kind: Option<Kind>,
    /// Only whose sender has this in it, in either case: `APPLICATION|FACILITY`, or an address.
    pub sender: Option<String>,
    /// Only with this control id (MSH-10) or Message-ID.
    pub control_id: Option<String>,
    /// Only those that are about this referral.
    pub referral: Option<ReferralId>,
    /// Only those that arrived then or later.
    pub since: Option<Timestamp>,
    /// Only those that arrived before.
    pub until: Option<Timestamp>,
    /// At most so many, newest first; 0: all.
    pub limit: usize,
}

/// Which referrals to list, likewise.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ReferralFilter {
    /// Only this status.
    pub status: Option<Status>,
    /// Only those that are held (true) or not (false).
    pub held: Option<bool>,
    /// Only those that rest until a person acts.
    pub waiting: bool,
    /// Only where each of these words is in the patient's name, birth date or numbers, in either case.
    pub patient: Option<String>,
    /// Only with this number, in either case: the sender's, ours, the patient's, of the authorization.
    pub number: Option<String>,
    /// Only those of which something came by this channel.
    pub channel: Option<ChannelName>,
    /// Only those that came then or later.
    pub since: Option<Timestamp>,
    /// Only those that came before.
    pub until: Option<Timestamp>,
    /// At most so many, newest first; 0: all.
    pub limit: usize,
}

/// Which deliveries to list, likewise.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DeliveryFilter {
    /// Only this state.
    pub state: Option<DeliveryState>,
    /// Only of this referral.
    pub referral: Option<ReferralId>,
    /// Only through this outbound channel.
    pub through: Option<ChannelName>,
    /// At most so many, newest first; 0: all.
    pub limit: usize,
}

/// Whether a time is one of those asked for; `Break`: it, and all that are older, came before.
fn in_time(at: Timestamp, since: Option<Timestamp>, until: Option<Timestamp>) -> ControlFlow<(), bool> {
    let is_long_before = since.is_some_and(|since| at.checked_add(DISORDER).is_ok_and(|at| at < since));
    if is_long_before {
        return Break(());
    }
    Continue(since.is_none_or(|since| at >= since) && until.is_none_or(|until| at < until))
}

/// Whether a value is what was asked for, if anything was.
fn is<T: PartialEq>(wanted: Option<&T>, value: &T) -> bool {
    wanted.is_none_or(|wanted| wanted == value)
}

impl MessageFilter {
    pub(super) fn fits(&self, message: &Message) -> ControlFlow<(), bool> {
        let has = |text: Option<&str>, part: &str| text.unwrap_or_default().to_lowercase().contains(&part.to_lowercase());
        let fits = in_time(message.received_at, self.since, self.until)?
            && is(self.channel.as_ref(), &message.channel)
            && self.kind.is_none_or(|kind| message.kind == Some(kind))
            && self.sender.as_deref().is_none_or(|part| has(message.sender.as_deref(), part))
            && self.control_id.as_deref().is_none_or(|id| message.control_id.as_ref().is_some_and(|it| it.0 == id))
            && self.referral.is_none_or(|referral| message.referrals.contains(&referral));
        Continue(fits)
    }
}

impl ReferralFilter {
    pub(super) fn fits(&self, referral: &Referral) -> ControlFlow<(), bool> {
        // What is decided late, such as a fax, or anew is listed by that, and came before: a list by days reads all.
        let came = referral.sources.first().map(|source| source.received_at);
        let in_time =
            came.is_none_or(|came| self.since.is_none_or(|since| came >= since) && self.until.is_none_or(|until| came < until));
        let fits = in_time
            && (!self.waiting || referral.waits_for_a_person())
            && self.patient.as_deref().is_none_or(|words| is_patient(&referral.record, words))
            && self.number.as_deref().is_none_or(|number| has_number(referral, number))
            && self.channel.as_ref().is_none_or(|channel| referral.sources.iter().any(|source| source.channel == *channel));
        Continue(fits)
    }
}

impl DeliveryFilter {
    pub(super) fn fits(&self, delivery: &Delivery) -> bool {
        is(self.state.as_ref(), &delivery.state) && is(self.through.as_ref(), &delivery.through)
    }
}

fn is_patient(record: &Record, words: &str) -> bool {
    let patient = &record.patient;
    let names = [&patient.name.given, &patient.name.middle, &patient.name.family].into_iter().flatten().map(String::as_str);
    let numbers = patient.identifiers.iter().map(|id| id.value.as_str());
    let known: Vec<&str> = names.chain(patient.birth_date.as_ref().map(|date| date.as_str())).chain(numbers).collect();
    let known = known.join("\n").to_lowercase();
    words.to_lowercase().split(|c: char| c.is_whitespace() || c == ',').all(|word| known.contains(word))
}

fn has_number(referral: &Referral, number: &str) -> bool {
    let Record { identifiers, patient, authorization, .. } = &*referral.record;
    // With its authority, as it stands in a message.
    let number = number.split('^').next().unwrap_or_default().trim();
    let ours = [referral.reference.as_str()].into_iter();
    let given = [&identifiers.placer, &identifiers.filler].into_iter().flatten().map(|id| id.value.as_str());
    let patients = patient.identifiers.iter().map(|id| id.value.as_str());
    let authorized = authorization.as_ref().and_then(|authorization| authorization.number.as_deref());
    ours.chain(given).chain(patients).chain(authorized).any(|known| known.eq_ignore_ascii_case(number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ids::MessageId, referral::Source, store::tests::referral};

    #[test]
    fn what_was_decided_late_hides_nothing_that_came_after() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let filter = ReferralFilter { since: Some(at("2026-11-20T00:00:00Z")), ..ReferralFilter::default() };
        let came = |text: &str| {
            let source = Source {
                channel: ChannelName::new("faxes"),
                message: MessageId::generate(),
                received_at: at(text),
                written_at: None,
            };
            filter.fits(&Referral { sources: vec![source], ..referral() })
        };
        assert_eq!(came("2026-11-21T00:00:00Z"), Continue(true));
        assert_eq!(came("2026-10-01T00:00:00Z"), Continue(false), "a list goes on behind a fax that was replayed");
    }
}
