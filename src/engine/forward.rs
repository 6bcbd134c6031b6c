//! What follows when a referral was written, whoever wrote it: it is handed on to the systems that its channel forwards to, and its HL7
//! sender is told how it stands.
//!
//! # Design notes
//! Computed from what the store knows of earlier deliveries and from what the referral says ([`hl7_letters::says`]), not from the event
//! that changed it: so a referral that was held is handed on once a person has put it right, one that changed twice before the first
//! message left goes out once, and a change that changes nothing for the other side sends nothing. So it is with the status: an appointment
//! that is moved is news, and the same one said again is none.

use jiff::Timestamp;

use super::hl7_letters::{is_cancelled, says, says_of_status};
use crate::{
    compose::hl7_referral::{is_told, standing},
    config::{Config, InboundChannel, RouteTarget},
    delivery::{Content, Delivery, DeliveryState, Purpose},
    ids::ChannelName,
    referral::{HeldReason, Record, Referral},
    store::{Decision, DeliveryFilter, Store, StoreError},
};

/// Adds to a decision what its referrals are owed.
///
/// # Errors
/// The store cannot be read.
pub(super) fn follow(store: &Store, config: &Config, decision: &mut Decision, now: Timestamp) -> Result<(), StoreError> {
    let told = |referral: &Referral| {
        let channel = config.inbound.get(&referral.sources.first()?.channel)?;
        (!channel.forward.is_empty() || channel.acknowledge.status).then_some(channel)
    };
    let written = decision.referrals.iter().map(|write| &write.referral);
    let written: Vec<_> = written.filter_map(|referral| Some((told(referral)?, referral.clone()))).collect();
    for (channel, referral) in written {
        let filter = DeliveryFilter { referral: Some(referral.id), ..DeliveryFilter::default() };
        let earlier = store.deliveries(&filter)?;
        for target in &channel.forward {
            hand_on(decision, target, &referral, &earlier, now);
        }
        let before = store.referral(referral.id)?;
        if before.is_some_and(|before| standing(&before) != standing(&referral)) {
            tell_sender(decision, channel, &referral, &earlier, now);
        }
    }
    Ok(())
}

fn queued(purpose: Purpose, through: ChannelName, to: &str, referral: &Referral, now: Timestamp) -> Delivery {
    let mut delivery = Delivery::queued(purpose, through, to, now);
    delivery.referral = Some(referral.id);
    delivery
}

/// Whether another attempt at it may be the second that arrives.
fn may_have_arrived(delivery: &Delivery) -> bool {
    delivery.attempts > delivery.excused
}

fn said_by(delivery: &Delivery) -> Option<&str> {
    match &delivery.content {
        Some(Content::Hl7(content)) => content.says.as_deref(),
        Some(Content::Email(_) | Content::Fax(_)) | None => None,
    }
}

fn hand_on(decision: &mut Decision, target: &RouteTarget, referral: &Referral, earlier: &[Delivery], now: Timestamp) {
    let mut same: Vec<&Delivery> = earlier
        .iter()
        .filter(|one| one.purpose == Purpose::Forward && one.through == target.through && one.to == target.to)
        .collect();
    same.sort_by_key(|one| (one.queued_at, one.id));
    let last = |states: &[DeliveryState]| same.iter().rev().find(|one| states.contains(&one.state)).copied();
    let handed_on = last(&[DeliveryState::Sent, DeliveryState::InFlight]);
    let waiting = last(&[DeliveryState::Queued]);
    let refused = last(&[DeliveryState::Dead]);
    let cancelled = is_cancelled(referral.status);
    let says = says(referral);
    let is_news = |one: &Delivery| said_by(one) != Some(says.as_str());
    let again = queued(Purpose::Forward, target.through.clone(), &target.to, referral, now);
    if let Some(waiting) = waiting {
        match (may_have_arrived(waiting), cancelled && handed_on.is_none()) {
            (false, true) => decision.withdraw.push(waiting.id),
            // Nothing of it has left: it is written as the referral stands when its turn comes.
            (false, false) if waiting.content.is_some() && is_news(waiting) => decision.recompose.push(waiting.id),
            (true, _) if is_news(waiting) => decision.deliveries.push(again),
            (true | false, _) => {}
        }
        return;
    }
    match (handed_on, refused) {
        (Some(handed_on), _) if is_news(handed_on) && (cancelled || is_settled(&referral.record)) => {
            decision.deliveries.push(again)
        }
        (Some(_), _) => {}
        (None, _) if cancelled || !is_settled(&referral.record) => {}
        (None, None) => decision.deliveries.push(again),
        // Put right here, it is handed on afresh in place of the one that was refused.
        (None, Some(refused)) if is_news(refused) => {
            decision.deliveries.push(Delivery { state: DeliveryState::Withdrawn, ..refused.clone() });
            decision.deliveries.push(again);
        }
        (None, Some(_)) => {}
    }
}

/// Whether a person need not look before it becomes part of another system. Where it goes to be confirmed is no matter there.
fn is_settled(record: &Record) -> bool {
    record.held.iter().all(|reason| match reason {
        HeldReason::BlockingField
        | HeldReason::PriorityUnknown
        | HeldReason::PossibleDuplicate
        | HeldReason::SecondPatient
        | HeldReason::Deceased
        | HeldReason::Rejected
        | HeldReason::OtherMatter
        | HeldReason::NotAllRead => false,
        HeldReason::NoRoute
        | HeldReason::DeadDelivery
        | HeldReason::UnclearReply
        | HeldReason::WrongRecipient
        | HeldReason::NotReceived
        | HeldReason::RequestSkipped => true,
    })
}

fn tell_sender(decision: &mut Decision, channel: &InboundChannel, referral: &Referral, earlier: &[Delivery], now: Timestamp) {
    let Some(through) = channel.acknowledge.through.as_ref().filter(|_| channel.acknowledge.status) else { return };
    // One that has not left yet will say how it stands when it leaves.
    let will_say = |one: &Delivery| one.purpose == Purpose::Status && one.state == DeliveryState::Queued && one.content.is_none();
    if !is_told(referral.status) || earlier.iter().any(will_say) {
        return;
    }
    let is_told_by = |one: &&Delivery| {
        one.purpose == Purpose::Status
            && matches!(one.state, DeliveryState::Queued | DeliveryState::InFlight | DeliveryState::Sent)
            && one.content.is_some()
    };
    let last = earlier.iter().filter(is_told_by).max_by_key(|one| (one.queued_at, one.id));
    if last.and_then(said_by) == Some(says_of_status(referral).as_str()) {
        return;
    }
    let mut delivery = queued(Purpose::Status, through.clone(), through.as_str(), referral, now);
    delivery.message = referral.sources.first().map(|source| source.message);
    decision.deliveries.push(delivery);
}
