//! Where a confirmation request goes: from the channel's `[route]`, the directory and the record. Pure.
//!
//! Patient data goes only where a person configured it to go. What a page, a mail or a message says may *select* an entry
//! of the directory; it is never itself a destination. What selects no entry, or two, has no route and is held for a person.

use jiff::Timestamp;

use crate::{
    config::{Config, DirectoryEntry, InboundChannel, RouteBy, RouteTarget},
    delivery::{Delivery, Purpose},
    ids::{ChannelName, ReferralId},
    outbound::OutboundConfig,
    referral::{HistoryEntry, HistoryEvent, PhoneUse, Provider, Record, Referral, ReplyOutcome},
};

/// The destination of a referral that came through this channel.
#[must_use]
pub(super) fn destination(config: &Config, channel: &InboundChannel, record: &Record) -> Option<RouteTarget> {
    let by: &[RouteBy] = if channel.route.by.is_empty() { &[RouteBy::Directory, RouteBy::Specialty] } else { &channel.route.by };
    by.iter()
        .find_map(|way| match way {
            RouteBy::Directory => by_directory(config, &record.referred_to),
            RouteBy::Specialty => by_specialty(channel, &record.referred_to),
        })
        .or_else(|| channel.route.default.clone())
}

/// Where a person said that it goes, unless an answer or the sender said since that it goes elsewhere.
#[must_use]
pub(super) fn chosen(config: &Config, referral: &Referral) -> Option<RouteTarget> {
    let undone = |entry: &HistoryEntry| match &entry.event {
        HistoryEvent::Replied { outcome, .. } => matches!(
            outcome,
            ReplyOutcome::Redirected | ReplyOutcome::WrongRecipient | ReplyOutcome::Declined | ReplyOutcome::Cancelled
        ),
        // By its sender, who names another specialist or refers anew; a person who opens it means it as it was.
        HistoryEvent::Reopened => entry.message.is_some(),
        HistoryEvent::Received
        | HistoryEvent::Changed
        | HistoryEvent::Held
        | HistoryEvent::Acknowledged
        | HistoryEvent::Requested
        | HistoryEvent::Unclear
        | HistoryEvent::DeliveryDead
        | HistoryEvent::Reported
        | HistoryEvent::Enclosed
        | HistoryEvent::CancelRequested
        | HistoryEvent::Confirmed { .. }
        | HistoryEvent::Corrected { .. }
        | HistoryEvent::Merged { .. }
        | HistoryEvent::Routed { .. }
        | HistoryEvent::AskedAgain { .. }
        | HistoryEvent::ReplySetAside
        | HistoryEvent::Rejected { .. } => false,
    };
    let to = referral.history.iter().rev().take_while(|entry| !undone(entry)).find_map(|entry| {
        let HistoryEvent::Routed { to } = &entry.event else { return None };
        Some(to)
    })?;
    let through = way_out(config, config.directory.entries.get(to)?)?;
    Some(RouteTarget { through, to: to.clone() })
}

fn by_specialty(channel: &InboundChannel, provider: &Provider) -> Option<RouteTarget> {
    let wanted = fold(provider.specialty.as_deref()?);
    channel.route.specialty.iter().find(|(name, _)| fold(name) == wanted).map(|(_, target)| target.clone())
}

fn by_directory(config: &Config, provider: &Provider) -> Option<RouteTarget> {
    let ways: [&dyn Fn(&DirectoryEntry) -> bool; 3] = [
        &|entry| provider.npi.as_ref().is_some_and(|npi| entry.npi.contains(npi)),
        &|entry| entry.fax.as_ref().is_some_and(|fax| has_fax(provider, fax)),
        &|entry| provider.organization.as_ref().is_some_and(|name| is_called(entry, name)),
    ];
    ways.iter().find_map(|fits| {
        let name = only(config.directory.entries.iter().filter(|(_, entry)| fits(entry)).map(|(name, _)| name))?;
        // An entry without `through` is only ever chosen by a route or a person.
        let through = config.directory.entries[name].through.clone()?;
        Some(RouteTarget { through, to: name.clone() })
    })
}

/// The directory entry whose fax number is one of this provider's, for an acknowledgement to the practice that sent a fax.
#[must_use]
pub(super) fn entry_by_fax<'a>(config: &'a Config, provider: &Provider) -> Option<&'a str> {
    let entries = config.directory.entries.iter();
    only(entries.filter(|(_, entry)| entry.fax.as_ref().is_some_and(|fax| has_fax(provider, fax))).map(|(name, _)| name.as_str()))
}

/// The directory entry with this mail address.
#[must_use]
pub(super) fn entry_by_email<'a>(config: &'a Config, address: &str) -> Option<&'a str> {
    let entries = config.directory.entries.iter();
    only(
        entries
            .filter(|(_, entry)| entry.email.as_ref().is_some_and(|email| email.eq_ignore_ascii_case(address)))
            .map(|(name, _)| name.as_str()),
    )
}

/// The outbound channel an entry is reached through when a person chooses it: its own, else the first that can reach it.
#[must_use]
pub(super) fn way_out(config: &Config, entry: &DirectoryEntry) -> Option<ChannelName> {
    entry.through.clone().or_else(|| {
        config
            .outbound
            .iter()
            .find(|(_, outbound)| match outbound {
                OutboundConfig::Email(_) => entry.email.is_some(),
                OutboundConfig::Fax(_) => entry.fax.is_some(),
                OutboundConfig::Mllp(_) => entry.hl7.is_some(),
            })
            .map(|(name, _)| name.clone())
    })
}

/// The deliveries by which a specialist is asked, or told of a change: by the target's channel, and beside it by fax what a mail may not
/// carry, where the entry has a fax number.
#[must_use]
pub(super) fn to_specialist(
    config: &Config,
    purpose: Purpose,
    target: &RouteTarget,
    referral: ReferralId,
    now: Timestamp,
) -> Vec<Delivery> {
    let about = |purpose, through| {
        let mut delivery = Delivery::queued(purpose, through, target.to.clone(), now);
        delivery.referral = Some(referral);
        delivery
    };
    let beside = match purpose {
        Purpose::ConfirmationRequest | Purpose::Pages => Some(Purpose::Pages),
        Purpose::Update => Some(Purpose::Update),
        Purpose::Acknowledgement | Purpose::Withdrawal | Purpose::Forward | Purpose::Status => None,
    };
    let by_mail = matches!(config.outbound.get(&target.through), Some(OutboundConfig::Email(_)));
    let entry = config.directory.entries.get(&target.to);
    let bare = by_mail && entry.is_some_and(|entry| !entry.trusted_tls && entry.fax.is_some());
    let fax = config.outbound.iter().find(|(_, outbound)| matches!(outbound, OutboundConfig::Fax(_))).map(|(name, _)| name);
    let beside = beside.filter(|_| bare).zip(fax).map(|(purpose, fax)| about(purpose, fax.clone()));
    std::iter::once(about(purpose, target.through.clone())).chain(beside).collect()
}

fn has_fax(provider: &Provider, number: &str) -> bool {
    let wanted = digits(number);
    provider.phones.iter().any(|phone| phone.usage == Some(PhoneUse::Fax) && digits(&phone.number) == wanted)
}

fn is_called(entry: &DirectoryEntry, name: &str) -> bool {
    let wanted = fold(name);
    fold(&entry.name) == wanted || entry.aliases.iter().any(|alias| fold(alias) == wanted)
}

/// The one item, if there is exactly one.
fn only<T>(mut items: impl Iterator<Item = T>) -> Option<T> {
    let first = items.next()?;
    items.next().is_none().then_some(first)
}

/// The last ten digits: a number with and without its country code is the same.
fn digits(number: &str) -> String {
    let all: Vec<char> = number.chars().filter(char::is_ascii_digit).collect();
    all.iter().skip(all.len().saturating_sub(10)).collect()
}

fn fold(text: &str) -> String {
    let lower = text.to_lowercase();
    lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}
