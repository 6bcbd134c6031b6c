//! The transactions of messages. Each runs in the writer's thread, sees what the batch decided before it, and decides alone.

use super::{
    Decision, NewMessage, StoreError,
    bodies::Body,
    card::{DeliveryCard, MessageCard, file_identity},
    codec::Packed,
    deliveries,
    frame::MessageEntry,
    keys,
    referrals::{self, ReadyReferral},
    transaction::Batch,
};
use crate::{
    ids::{DeliveryId, MessageId},
    message::{Acknowledgement, Message, State},
};

/// How an insertion was decided; a receipt is made of it once it is durable.
pub(super) enum Inserted {
    New(MessageId),
    Repeat { first: MessageId, same_file: bool },
}

/// A message to be stored, its content ready to be named.
pub(super) struct Insert {
    pub(super) entry: Packed<MessageCard>,
    pub(super) body: Body,
}

/// A decision with its content ready to be named and its records packed.
pub(super) struct Ready {
    pub(super) message: Option<Message>,
    pub(super) arrived: Option<Insert>,
    pub(super) referrals: Vec<ReadyReferral>,
    pub(super) deliveries: Vec<Packed<DeliveryCard>>,
    pub(super) withdraw: Vec<DeliveryId>,
    pub(super) recompose: Vec<DeliveryId>,
    pub(super) still_queued: Option<DeliveryId>,
    pub(super) acknowledged: Vec<(MessageId, Acknowledgement)>,
    pub(super) bodies: Vec<Body>,
}

impl Ready {
    /// `bodies`: the decision's, and behind them that of the message that came with it.
    pub(super) fn new(decision: Decision, mut bodies: Vec<Body>) -> Self {
        let Decision { message, arrived, referrals, deliveries, bodies: _, withdraw, recompose, still_queued, acknowledged } =
            decision;
        let arrived = arrived.map(|NewMessage { message, body: _, repeat_key, control_key }| Insert {
            entry: Packed::of(MessageEntry { message, repeat_key, control_key }).card(MessageCard::of),
            body: bodies.pop().expect("the content of what came is made ready with the others"),
        });
        Self {
            message,
            arrived,
            referrals: referrals.into_iter().map(ReadyReferral::new).collect(),
            deliveries: deliveries.into_iter().map(|delivery| Packed::of(delivery).card(DeliveryCard::of)).collect(),
            // What is taken back says nothing any more.
            recompose: recompose.into_iter().filter(|id| !withdraw.contains(id)).collect(),
            withdraw,
            still_queued,
            acknowledged,
            bodies,
        }
    }
}

/// A message with what became of it, ready to be stored. `bodies`: its content, and behind it that of the decision.
pub(super) fn ready_to_insert(
    new: Box<(NewMessage, Option<Decision>)>,
    mut bodies: Vec<Body>,
) -> Result<Box<(Insert, Option<Ready>)>, StoreError> {
    let (NewMessage { mut message, body: _, repeat_key, control_key }, decision) = *new;
    let others = bodies.split_off(1);
    let body = bodies.pop().expect("the message's own content is always there");
    let mut ready = decision.map(|decision| Ready::new(decision, others));
    if let Some(decided) = ready.as_mut().and_then(|ready| ready.message.take_if(|decided| decided.id == message.id)) {
        message = Message { body: message.body, ..decided };
    }
    if !body.begins_with(message.body.hex()) {
        return Err(StoreError::NotFound("content of the name that the message gives"));
    }
    let entry = Packed::of(MessageEntry { message, repeat_key, control_key }).card(MessageCard::of);
    Ok(Box::new((Insert { entry, body }, ready)))
}

/// How strictly the transition table is meant.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Work on the message ended: to write its state twice is refused.
    Transition,
    /// Something about it changed (it was acknowledged, a person corrected it): it may stay where it is.
    Update,
}

/// Stores a message with what became of it, or notices that it came before.
pub(super) fn insert(batch: &mut Batch<'_>, new: Insert, ready: Option<Ready>) -> Result<Inserted, StoreError> {
    let Insert { entry, body } = new;
    if let Some(repeat) = repeat(batch, &entry.record)? {
        return Ok(repeat);
    }
    let id = entry.record.id;
    if batch.view().get(&keys::message(id))?.is_some() {
        return Err(StoreError::Stale);
    }
    batch.put_body(&body)?;
    if entry.record.state == State::Received {
        batch.message_is_due();
    }
    batch.put_packed_message(entry)?;
    if let Some(ready) = ready {
        decide(batch, ready, Step::Update)?;
    }
    Ok(Inserted::New(id))
}

fn repeat(batch: &mut Batch<'_>, new: &MessageCard) -> Result<Option<Inserted>, StoreError> {
    let Some(key) = &new.repeat else { return Ok(None) };
    let Some(first) = batch.view().id_at::<MessageId>(key)? else { return Ok(None) };
    let mut entry = existing(batch, first)?;
    let same_file = new.file.is_some() && file_identity(&entry.message) == new.file;
    // A file that could not be moved away is found again at the next start; nobody sent it twice.
    if !same_file {
        entry.message.repeats = entry.message.repeats.saturating_add(1);
    }
    if entry.message.state == State::Failed {
        // What could not be read is tried again when it comes again: the sender may have been told to send it once more.
        entry.message = Message { state: State::Received, attempts: 0, due_at: None, reason: None, ..entry.message };
        batch.message_is_due();
    }
    batch.put_message(entry)?;
    Ok(Some(Inserted::Repeat { first, same_file }))
}

fn existing(batch: &Batch<'_>, id: MessageId) -> Result<MessageEntry, StoreError> {
    batch.message(id)?.ok_or(StoreError::NotFound("message"))
}

/// Counts an attempt, before the content is opened.
pub(super) fn claim(batch: &mut Batch<'_>, id: MessageId) -> Result<Message, StoreError> {
    let mut entry = existing(batch, id)?;
    if entry.message.state != State::Received {
        return Err(StoreError::Refused { thing: "message", state: entry.message.state.as_str() });
    }
    entry.message.attempts = entry.message.attempts.saturating_add(1);
    let message = entry.message.clone();
    batch.put_message(entry)?;
    Ok(message)
}

/// Writes a decision: content first, then what names it.
pub(super) fn decide(batch: &mut Batch<'_>, ready: Ready, step: Step) -> Result<(), StoreError> {
    let Ready { message, arrived, referrals, deliveries, withdraw, recompose, still_queued, acknowledged, bodies } = ready;
    for body in &bodies {
        batch.put_body(body)?;
    }
    if let Some(id) = still_queued {
        deliveries::require_queued(batch, id)?;
    }
    if let Some(message) = message {
        update(batch, message, step)?;
    }
    if let Some(new) = arrived {
        insert(batch, new, None)?;
    }
    for write in referrals {
        referrals::write(batch, write)?;
    }
    for delivery in deliveries {
        deliveries::write(batch, delivery)?;
    }
    for id in withdraw {
        deliveries::withdraw(batch, id)?;
    }
    for id in recompose {
        deliveries::recompose(batch, id)?;
    }
    for (id, acknowledgement) in acknowledged {
        let entry = existing(batch, id)?;
        let message = Message { acknowledgement, ..entry.message };
        batch.put_message(MessageEntry { message, ..entry })?;
    }
    Ok(())
}

fn update(batch: &mut Batch<'_>, message: Message, step: Step) -> Result<(), StoreError> {
    let entry = existing(batch, message.id)?;
    let before = &entry.message;
    let stays = step == Step::Update && before.state == message.state;
    if !stays && !before.state.may_become(message.state) {
        return Err(StoreError::Refused { thing: "message", state: before.state.as_str() });
    }
    if message.state == State::Received {
        batch.message_is_due();
    }
    // A repeat may have come while the message was worked on: only the store counts them.
    let message = Message { repeats: before.repeats, body: before.body.clone(), ..message };
    batch.put_message(MessageEntry { message, ..entry })
}
