//! Who was asked about a referral, who has anything of it, and what those are to be told.
//!
//! # Design notes
//! A desk that is asked by mail gets the pages by fax, and either may be stuck while the other has arrived. So who is to be told is
//! decided by what may have arrived, by whatever way; who is waited for, by the request alone.

use jiff::Timestamp;

use super::route;
use crate::{
    config::{Config, RouteTarget},
    delivery::{Delivery, DeliveryState, Purpose},
    ids::{DeliveryId, ReferralId},
    referral::{Referral, Status},
    store::{DeliveryFilter, Store, StoreError},
};

fn all(store: &Store, referral: ReferralId) -> Result<Vec<Delivery>, StoreError> {
    store.deliveries(&DeliveryFilter { referral: Some(referral), ..DeliveryFilter::default() })
}

/// Whether its desk was told since not to act on it.
fn is_taken_back(deliveries: &[Delivery], asked: &Delivery) -> bool {
    deliveries.iter().any(|told| {
        told.purpose == Purpose::Withdrawal
            && told.state != DeliveryState::Withdrawn
            && told.to == asked.to
            && told.queued_at >= asked.queued_at
    })
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
/// request before its pages. Without those that were told since not to act on it.
pub(super) fn desks_with_it(store: &Store, referral: ReferralId) -> Result<Vec<Delivery>, StoreError> {
    let deliveries = all(store, referral)?;
    let has = |delivery: &&Delivery| {
        matches!(delivery.purpose, Purpose::ConfirmationRequest | Purpose::Pages | Purpose::Update)
            && delivery.may_have_arrived()
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
    referral: ReferralId,
    now: Timestamp,
) -> Result<Vec<Delivery>, StoreError> {
    let withdrawal = |desk: Delivery| {
        let target = RouteTarget { through: desk.through, to: desk.to };
        route::to_specialist(config, Purpose::Withdrawal, &target, referral, now)
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
    let referral = referral.id;
    let deliveries = all(store, referral)?;
    let queued: Vec<&Delivery> = deliveries
        .iter()
        .filter(|delivery| delivery.state == DeliveryState::Queued && delivery.purpose.is_to_specialist())
        .collect();
    let mut updates = Updates { recompose: queued.iter().map(|delivery| delivery.id).collect(), new: Vec::new() };
    let mut tell = |desk: Delivery| {
        let target = RouteTarget { through: desk.through, to: desk.to };
        updates.new.extend(route::to_specialist(config, Purpose::Update, &target, referral, now));
    };
    for desk in asked_desks(store, referral)? {
        if !queued.iter().any(|delivery| delivery.to == desk.to) {
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
