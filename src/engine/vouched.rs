//! Who may answer for a referral by HL7: a sender that the channel names, and that was asked.
//!
//! # Design notes
//! A report closes a referral and an appointment calms its referrer, so neither is taken from whoever knows its number. A message that a
//! person assigned, or that answers a delivery of ours, is vouched for by that.

use super::{decide::Desk, told::Letters};
use crate::{
    config::DirectoryEntry,
    delivery::Delivery,
    inbound::InboundConfig,
    message::Protocol,
    referral::{Referral, Status},
};

/// Why an answer by HL7 is not taken at its word; absent: its sender is one that the channel names, or that we connected to.
pub(super) fn unvouched(desk: &Desk<'_>) -> Option<&'static str> {
    let message = desk.message();
    let anybody = message.protocol == Protocol::Hl7
        && desk.channel.inbound != InboundConfig::Answers
        && desk.channel.acknowledge.senders.is_empty()
        && message.assigned.is_none();
    anybody
        .then_some("anybody may send on this channel: name who may answer in [acknowledge] senders, then replay it, or settle it")
}

/// Why an answer by HL7 that comes by itself is not taken from this sender: it was sent nothing of the referral, or another desk was asked.
/// A sender whom the directory does not know may speak for a desk that has no HL7 name in it.
pub(super) fn unasked(desk: &Desk<'_>, letters: &Letters, referral: &Referral) -> Option<&'static str> {
    let message = desk.message();
    if message.answers.is_some() || message.assigned.is_some() || message.protocol != Protocol::Hl7 {
        // What answers one delivery is known by that, and what a person assigned by them.
        return None;
    }
    let mut now_with = letters.asked_desks();
    if referral.status == Status::CancelRequested {
        // Who was told of the cancel has it still; not those that it was taken from before.
        now_with.extend(letters.told_of_cancel(referral));
    }
    let is_taken_from =
        |is_theirs: &dyn Fn(&Delivery) -> bool| !now_with.is_empty() && !now_with.iter().any(|asked| is_theirs(asked));
    if desk.channel.inbound == InboundConfig::Answers {
        let is_theirs = |asked: &Delivery| asked.through == message.channel;
        let has_it = match letters.requests().next() {
            None => letters.went_through(&message.channel),
            Some(_) => letters.requests().any(is_theirs),
        };
        return match has_it {
            false => Some("it comes from a system that was not asked about this referral: read it"),
            true => is_taken_from(&is_theirs).then_some(TAKEN_FROM),
        };
    }
    let sender = message.sender.as_deref()?;
    let entries = &desk.config.directory.entries;
    let is_senders = |entry: &&DirectoryEntry| {
        let mut names = entry.hl7.iter().chain(&entry.hl7_from);
        names.any(|name| is_same_system(name, sender))
    };
    let senders: Vec<&DirectoryEntry> = entries.values().filter(is_senders).collect();
    let knows_sender = !senders.is_empty();
    // A route may name a channel alone: whoever is behind it was asked.
    let is_theirs = |asked: &Delivery| match entries.get(&asked.to) {
        Some(entry) if knows_sender => {
            is_senders(&entry) || senders.iter().any(|own| own.through.as_ref() == Some(&asked.through))
        }
        Some(entry) => entry.hl7.as_deref().is_none_or(|hl7| is_same_house(hl7, sender)),
        None => true,
    };
    let is_asked = letters.requests().next().is_none() || letters.requests().any(is_theirs);
    match (is_asked, knows_sender) {
        (true, _) => is_taken_from(&is_theirs).then_some(TAKEN_FROM),
        (false, true) => Some("it comes from a desk of the directory, and another one was asked: read it"),
        (false, false) => Some(
            "it comes from a system that the directory does not know, and who was asked has another name there: read it, or name the \
             system in hl7_from of that entry and replay it",
        ),
    }
}

/// Why nothing follows by itself from what a desk says that another one was asked after.
pub(super) const TAKEN_FROM: &str = "it comes from a desk that the referral was taken from since: read it";

/// Application and facility of a name `APPLICATION|FACILITY`, by their first components.
fn parts(name: &str) -> Option<(&str, &str)> {
    let first = |text| str::split(text, '^').next().unwrap_or_default();
    name.split_once('|').map(|(application, facility)| (first(application), first(facility)))
}

/// Whether MSH-3 and MSH-4 of a sender are the `APPLICATION|FACILITY` of a directory entry, whole or by their first components.
fn is_same_system(entry: &str, sender: &str) -> bool {
    let Some(((application, facility), (from, at))) = parts(entry).zip(parts(sender)) else { return false };
    application == from && (facility.is_empty() || facility == at)
}

/// Whether a sender is of the facility of an `APPLICATION|FACILITY`: systems of one hospital. Where one of the two names no facility, the
/// application tells.
fn is_same_house(entry: &str, sender: &str) -> bool {
    let Some(((application, facility), (from, at))) = parts(entry).zip(parts(sender)) else { return false };
    if facility.is_empty() || at.is_empty() { application == from } else { facility == at }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systems_of_one_hospital_are_told_by_their_facility() {
        let of = |entry: &str, sender: &str| (is_same_system(entry, sender), is_same_house(entry, sender));
        assert_eq!(of("HEART|NORTH", "HEART|NORTH"), (true, true));
        assert_eq!(of("HEART|NORTH^1.2^ISO", "HEART^9^ISO|NORTH"), (true, true));
        assert_eq!(of("HEART|NORTH", "LAB|NORTH^1.2^ISO"), (false, true));
        assert_eq!(of("HEART|NORTH", "HEART|"), (false, true));
        assert_eq!(of("HEART|", "HEART|NORTH"), (true, true));
        assert_eq!(of("HEART|NORTH", "HEART|WEST"), (false, false));
        assert_eq!(of("|NORTH", "LAB|NORTH"), (false, true));
    }
}
