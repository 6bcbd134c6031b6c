//! The transactions of deliveries.

use super::{
    StoreError,
    card::DeliveryCard,
    codec::Packed,
    messages::{self, Ready, Step},
    transaction::{Batch, record_of},
};
use crate::{
    delivery::{Delivery, DeliveryState},
    ids::DeliveryId,
};

fn existing(batch: &Batch<'_>, id: DeliveryId) -> Result<Delivery, StoreError> {
    batch.delivery(id)?.ok_or(StoreError::NotFound("delivery"))
}

fn refused(delivery: &Delivery) -> StoreError {
    StoreError::Refused { thing: "delivery", state: delivery.state.as_str() }
}

/// Marks a delivery in flight and counts the attempt, before its first byte leaves.
pub(super) fn claim(batch: &mut Batch<'_>, id: DeliveryId) -> Result<Delivery, StoreError> {
    let mut delivery = existing(batch, id)?;
    if delivery.state != DeliveryState::Queued {
        return Err(refused(&delivery));
    }
    delivery.state = DeliveryState::InFlight;
    delivery.attempts = delivery.attempts.saturating_add(1);
    batch.put_delivery(delivery.clone())?;
    Ok(delivery)
}

/// Writes how a claimed attempt went, and what that means. A late result of an earlier attempt is stale.
pub(super) fn settle(batch: &mut Batch<'_>, delivery: Packed<DeliveryCard>, consequence: Ready) -> Result<(), StoreError> {
    let before = existing(batch, delivery.record.id)?;
    if before.state != DeliveryState::InFlight || !before.state.may_become(delivery.record.state) {
        return Err(refused(&before));
    }
    if before.attempts != delivery.record.attempts {
        return Err(StoreError::Stale);
    }
    put_over(batch, &before, delivery)?;
    messages::decide(batch, consequence, Step::Update)
}

/// Queues a delivery, or writes what a person's act made of one.
pub(super) fn write(batch: &mut Batch<'_>, delivery: Packed<DeliveryCard>) -> Result<(), StoreError> {
    match batch.delivery(delivery.record.id)? {
        Some(before) if !before.state.may_become(delivery.record.state) => Err(refused(&before)),
        Some(before) => put_over(batch, &before, delivery),
        None => batch.put_packed_delivery(delivery),
    }
}

/// Writes a delivery whose last state is `before`. Whoever sends it has its own copy, and does not know that it was taken back meanwhile.
fn put_over(batch: &mut Batch<'_>, before: &Delivery, packed: Packed<DeliveryCard>) -> Result<(), StoreError> {
    let state = match packed.record.state {
        DeliveryState::Queued => DeliveryState::Withdrawn,
        state => state,
    };
    if before.state == DeliveryState::InFlight && before.taken_back {
        let delivery: Delivery = record_of(&packed.bytes)?;
        return batch.put_delivery(Delivery { state, taken_back: true, ..delivery });
    }
    batch.put_packed_delivery(packed)
}

/// What is decided about a delivery holds only while nobody has begun to send it.
pub(super) fn require_queued(batch: &Batch<'_>, id: DeliveryId) -> Result<(), StoreError> {
    let is_queued = batch.delivery(id)?.is_some_and(|delivery| delivery.state == DeliveryState::Queued);
    if is_queued { Ok(()) } else { Err(StoreError::Stale) }
}

/// Takes a delivery back if it is still queued, or once its attempt has failed; one that has left, or ended, stays as it is.
pub(super) fn withdraw(batch: &mut Batch<'_>, id: DeliveryId) -> Result<(), StoreError> {
    match batch.delivery(id)? {
        Some(delivery) if delivery.state == DeliveryState::Queued => {
            batch.put_delivery(Delivery { state: DeliveryState::Withdrawn, ..delivery })
        }
        Some(delivery) if delivery.state == DeliveryState::InFlight => {
            batch.put_delivery(Delivery { taken_back: true, ..delivery })
        }
        Some(_) | None => Ok(()),
    }
}

/// Has the letter of a queued delivery composed anew.
pub(super) fn recompose(batch: &mut Batch<'_>, id: DeliveryId) -> Result<(), StoreError> {
    match batch.delivery(id)? {
        Some(delivery) if delivery.state == DeliveryState::Queued => batch.put_delivery(Delivery { content: None, ..delivery }),
        Some(_) | None => Err(StoreError::Stale),
    }
}
