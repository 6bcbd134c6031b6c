//! Who was asked about a referral, who has anything of it, and what those are to be told.
//!
//! # Design notes
//! A desk that is asked by mail gets the pages by fax, and either may be stuck while the other has arrived. So who is to be told is
//! decided by what may have arrived, by whatever way; who is waited for, by the request alone. Who said that it is not theirs hears no
//! more of it, until they are asked anew.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::route;
use crate::{
    config::{Config, RouteTarget},
    delivery::{Delivery, DeliveryState, Purpose},
    ids::{DeliveryId, ReferralId},
    referral::{HistoryEvent, Referral, ReplyOutcome, Status},
    store::{DeliveryFilter, Store, StoreError},
};

fn all(store: &Store, referral: ReferralId) -> Result<Vec<Delivery>, StoreError> {
    store.deliveries(&DeliveryFilter { referral: Some(referral), ..DeliveryFilter::default() })
}

/// Whether its desk was told since not to act on it.
fn is_taken_back(deliveries: &[Delivery], asked: &Delivery) -> bool {
    deliveries.iter().any(|told| {
        told.purpose == Purpose::Withdrawal
            && !matches!(told.state, DeliveryState::Withdrawn | DeliveryState::Dead)
            && told.to == asked.to
            && told.queued_at >= asked.queued_at
    })
}

/// The desks that said a referral is not for them, and since then nothing else, and have not been asked anew. Who said it is known by the
/// letter that they answered, or else by the last request before.
fn wrong<'d>(referral: &Referral, deliveries: &'d [Delivery]) -> BTreeSet<&'d str> {
    let mut requests: Vec<&Delivery> = deliveries
        .iter()
        .filter(|one| one.purpose == Purpose::ConfirmationRequest && one.state != DeliveryState::Withdrawn)
        .collect();
    requests.sort_by_key(|one| one.queued_at);
    let mut wrong = BTreeSet::new();
    for entry in &referral.history {
        let HistoryEvent::Replied { outcome } = entry.event else { continue };
        let answered = deliveries.iter().find(|one| Some(one.id) == entry.delivery);
        let before = || requests.iter().rev().copied().find(|one| one.queued_at <= entry.at);
        let Some(desk) = answered.or_else(before).map(|one| one.to.as_str()) else { continue };
        let asked_since = || requests.iter().any(|one| one.to == desk && one.queued_at > entry.at);
        if outcome == ReplyOutcome::WrongRecipient && !asked_since() {
            wrong.insert(desk);
        } else if says_it_is_theirs(outcome) {
            wrong.remove(desk);
        }
    }
    wrong
}

/// Whether whoever says so acts on the referral.
pub(super) fn says_it_is_theirs(outcome: ReplyOutcome) -> bool {
    use ReplyOutcome::{Accepted, Completed, NeedsInformation, NoShow, Received, Scheduled};
    matches!(outcome, Accepted | Completed | NeedsInformation | NoShow | Received | Scheduled)
}

/// The desks that said a referral is not for them, and have not been asked since.
pub(super) fn wrong_desks(store: &Store, referral: &Referral) -> Result<Vec<String>, StoreError> {
    let deliveries = all(store, referral.id)?;
    Ok(wrong(referral, &deliveries).into_iter().map(str::to_owned).collect())
}

/// The delivery by which the specialist was asked, or is about to be.
pub(super) fn asked(store: &Store, referral: ReferralId) -> Result<Option<Delivery>, StoreError> {
    Ok(all(store, referral)?.into_iter().find(|delivery| {
        delivery.purpose == Purpose::ConfirmationRequest
            && matches!(delivery.state, DeliveryState::Queued | DeliveryState::InFlight | DeliveryState::Sent)
    }))
}

/// Every desk that was asked about it, or is about to be, once; without those that were told since not to act on it.
pub(super) fn asked_desks(store: &Store, referral: ReferralId) -> Result<Vec<Delivery>, StoreError> {
    let deliveries = all(store, referral)?;
    let mut desks: Vec<Delivery> = Vec::new();
    for delivery in deliveries.iter().filter(|delivery| !is_taken_back(&deliveries, delivery)).cloned() {
        let asks = delivery.purpose == Purpose::ConfirmationRequest
            && matches!(delivery.state, DeliveryState::Queued | DeliveryState::InFlight | DeliveryState::Sent);
        if asks && !desks.iter().any(|desk| desk.to == delivery.to && desk.through == delivery.through) {
            desks.push(delivery);
        }
    }
    Ok(desks)
}

/// The deliveries by which each desk has something of a referral, or may have: of each desk the one by which it is best told more, the
/// request before its pages. Without those that were told since not to act on it, and those that it is not for.
fn desks_with_it(store: &Store, referral: &Referral) -> Result<Vec<Delivery>, StoreError> {
    let deliveries = all(store, referral.id)?;
    let wrong = wrong(referral, &deliveries);
    let has = |delivery: &&Delivery| {
        matches!(delivery.purpose, Purpose::ConfirmationRequest | Purpose::Pages | Purpose::Update)
            && delivery.may_have_arrived()
            && !wrong.contains(delivery.to.as_str())
            && !is_taken_back(&deliveries, delivery)
    };
    let mut arrived: Vec<Delivery> = deliveries.iter().filter(has).cloned().collect();
    arrived.sort_by_key(|delivery| delivery.purpose != Purpose::ConfirmationRequest);
    let mut desks: Vec<Delivery> = Vec::new();
    for delivery in arrived {
        if !desks.iter().any(|desk| desk.to == delivery.to) {
            desks.push(delivery);
        }
    }
    Ok(desks)
}

/// Whether anything about a referral that asks for something may have reached a desk.
pub(super) fn may_have_reached(store: &Store, referral: ReferralId, to: &str) -> Result<bool, StoreError> {
    let reached = |told: &Delivery| {
        told.purpose.is_to_specialist() && told.purpose != Purpose::Withdrawal && told.to == to && told.may_have_arrived()
    };
    Ok(all(store, referral)?.iter().any(reached))
}

/// The deliveries to the specialist that have not left for certain. What is on the way is one of them: it may come back.
pub(super) fn not_sent(store: &Store, referral: ReferralId) -> Result<Vec<DeliveryId>, StoreError> {
    let not_sent = |delivery: &Delivery| {
        delivery.purpose.is_to_specialist() && matches!(delivery.state, DeliveryState::Queued | DeliveryState::InFlight)
    };
    Ok(all(store, referral)?.into_iter().filter(not_sent).map(|delivery| delivery.id).collect())
}

/// The letters that take a referral back from each desk that has anything of it.
pub(super) fn withdrawals(
    store: &Store,
    config: &Config,
    referral: &Referral,
    now: Timestamp,
) -> Result<Vec<Delivery>, StoreError> {
    let withdrawal = |desk: Delivery| {
        let target = RouteTarget { through: desk.through, to: desk.to };
        route::to_specialist(config, Purpose::Withdrawal, &target, referral.id, now)
    };
    Ok(desks_with_it(store, referral)?.into_iter().flat_map(withdrawal).collect())
}

/// What tells every desk how a referral stands now.
#[derive(Default)]
pub(super) struct Updates {
    /// Letters that have not left: composed anew, they say it all.
    pub(super) recompose: Vec<DeliveryId>,
    /// New ones, to desks that have the former ones.
    pub(super) new: Vec<Delivery>,
}

/// What tells every desk how a referral stands now: one letter for several changes, and one by another way where that is what arrived.
/// Who has declined it hears no more of the patient.
pub(super) fn updates(store: &Store, config: &Config, referral: &Referral, now: Timestamp) -> Result<Updates, StoreError> {
    if referral.status == Status::Declined {
        return Ok(Updates::default());
    }
    let deliveries = all(store, referral.id)?;
    let wrong = wrong(referral, &deliveries);
    let queued: Vec<&Delivery> = deliveries
        .iter()
        .filter(|delivery| delivery.state == DeliveryState::Queued && delivery.purpose.is_to_specialist())
        .collect();
    let mut updates = Updates { recompose: queued.iter().map(|delivery| delivery.id).collect(), new: Vec::new() };
    let mut tell = |desk: Delivery| {
        let target = RouteTarget { through: desk.through, to: desk.to };
        updates.new.extend(route::to_specialist(config, Purpose::Update, &target, referral.id, now));
    };
    for desk in asked_desks(store, referral.id)? {
        if !wrong.contains(desk.to.as_str()) && !queued.iter().any(|delivery| delivery.to == desk.to) {
            tell(desk);
        }
    }
    for desk in desks_with_it(store, referral)? {
        let waits = queued.iter().any(|delivery| delivery.to == desk.to);
        // What waits by the way that the former letter took says it all.
        if waits && !queued.iter().any(|delivery| delivery.to == desk.to && delivery.through == desk.through) {
            tell(desk);
        }
    }
    Ok(updates)
}
