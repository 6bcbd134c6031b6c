//! What the other side of an MLLP channel answers beyond that it took a message: an RRI on our own connection, in place of an ACK.
//!
//! # Design notes
//! It is stored in the transaction that settles its delivery: neither is there without the other, however the engine ends, and a delivery
//! has one answer at most. From there it goes the way of every message, under the name of the outbound channel, and can be replayed.
//! Nobody answers it.
//!
//! Which referral it is about is known by the delivery, whatever numbers it bears; and it is vouched for, since it is we who connected. It
//! moves the referral as an RRI does that comes in by itself, but for what only this one can mean: that a letter was taken which asks for
//! nothing, or that a system has it which nobody asked. What it repeats of ours is no news.

use bytes::Bytes;
use jiff::Timestamp;

use super::{decide::Desk, replies, sameness, told::Letters, vouched::TAKEN_FROM};
use crate::{
    delivery::{Delivery, Purpose},
    ids::DeliveryId,
    message::{Acknowledgement, Arrival, ControlId, Message, Protocol},
    normalize::{
        Kind,
        hl7::{Header, ReferralKey},
    },
    referral::{Record, Reference, Referral, Reply, ReplyOutcome, Status},
    store::{NewMessage, StoreError},
};

/// The answer to a delivery as the message that is stored with it; none: it answers what was of no referral, and is not read.
pub(super) fn arrived(delivery: &Delivery, answer: &Bytes) -> Option<NewMessage> {
    let channel = delivery.through.clone();
    if delivery.referral.is_none() {
        tracing::warn!(delivery = %delivery.id, %channel, "it was answered by more than an acknowledgement, which is not read: it was about no referral");
        return None;
    }
    let (received_at, body) = (Timestamp::now(), answer.clone());
    let arrival = Arrival { channel, protocol: Protocol::Hl7, body: body.clone(), received_at, peer: None, file: None };
    let mut message = Message::received(&arrival);
    if let Ok(header) = Header::of_fragment(&body) {
        message.sender = Some(header.sender());
        message.control_id = Some(header.raw.text(10)).filter(|id| !id.is_empty()).map(ControlId);
    }
    message.answers = Some(delivery.id);
    message.acknowledgement = Acknowledgement::NotOwed;
    Some(NewMessage { message, body: body.into(), repeat_key: Some(format!("answer|{}", delivery.id)), control_key: None })
}

/// What an answer means.
enum Means {
    /// What it says.
    Itself,
    /// Nothing that moves the referral.
    Nothing(&'static str),
    /// A person must read it.
    Unclear(&'static str),
    /// A person must read it, and its numbers are not this referral's.
    Stray(&'static str),
}

/// Takes the answer to a delivery.
pub(super) fn take(
    desk: &mut Desk<'_>,
    delivery: DeliveryId,
    kind: Kind,
    reply: Option<Reply>,
    brought: Option<Box<Record>>,
    keys: &[ReferralKey],
) -> Result<(), StoreError> {
    let delivery = desk.store.delivery(delivery)?;
    let referral = match delivery.as_ref().and_then(|delivery| delivery.referral) {
        Some(id) => desk.known_by_id(id)?,
        None => None,
    };
    let (Some(delivery), Some(referral)) = (delivery, referral) else {
        return desk.hold_message("it answers a message of ours, but the referral is not known here");
    };
    let mut brought = brought.unwrap_or_default();
    let repeats = brought.attachments.len();
    brought.attachments.retain(|one| !referral.record.attachments.iter().any(|known| known.id == one.id));
    let is_reply = kind == Kind::Reply || (kind == Kind::Report && repeats > 0 && brought.attachments.is_empty());
    let reply = match reply {
        Some(reply) if is_reply => reply,
        Some(reply) => Reply { outcome: ReplyOutcome::Unclear, ..reply },
        None => Reply::unread(),
    };
    match means(desk, &delivery, &referral, &reply, &brought, is_reply, keys)? {
        Means::Itself => replies::take_of(desk, referral, reply, Some(brought), keys, None),
        Means::Unclear(why) => replies::take_of(desk, referral, reply, Some(brought), keys, Some(why)),
        Means::Stray(why) => replies::take_of(desk, referral, reply, None, &[], Some(why)),
        Means::Nothing(why) => {
            desk.explain(why);
            // The number that the other side gave it all the same.
            desk.write_known_as(referral, keys)
        }
    }
}

fn means(
    desk: &Desk<'_>,
    delivery: &Delivery,
    referral: &Referral,
    reply: &Reply,
    brought: &Record,
    is_reply: bool,
    keys: &[ReferralKey],
) -> Result<Means, StoreError> {
    use ReplyOutcome::{Accepted, Declined, Received, Scheduled, Unclear};
    let other = names_another(desk, referral, reply, brought, keys)?;
    let letters = Letters::of(desk.store, referral.id)?;
    let now_with = letters.asked_desks();
    let is_theirs = now_with.is_empty() || now_with.iter().any(|asked| asked.to == delivery.to);
    let has_a_copy = letters.requests().next().is_some() && !letters.requests().any(|asked| asked.through == delivery.through);
    Ok(match (delivery.purpose, reply.outcome) {
        _ if other => Means::Stray("it answers our message with the number of another referral: ask its sender"),
        _ if !sameness::same_patient(&referral.record, brought) => {
            Means::Stray("it answers our message with the name of another patient: ask its sender")
        }
        // A status that is given back to us is no answer of the specialist's.
        (Purpose::Acknowledgement | Purpose::Status, _) if is_reply && reply.quote.is_none() => {
            Means::Nothing("it answers what its sender was told of how the referral stands: nothing follows from it")
        }
        (Purpose::Acknowledgement | Purpose::Status, _) => {
            Means::Unclear("it answers what its sender was told of how the referral stands, in words: read it")
        }
        _ if !is_reply => Means::Unclear("it answers our message by something other than what becomes of the referral: read it"),
        (Purpose::Withdrawal, _) if referral.status != Status::CancelRequested => {
            Means::Nothing("it answers the letter that took the referral back: nothing follows from it")
        }
        (_, Received) if reply.quote.is_none() => Means::Nothing(replies::TAKEN),
        (Purpose::Forward, Received) => {
            Means::Nothing("a system has it that it was handed on to: the specialist has said nothing")
        }
        (_, Unclear) if reply.quote.is_none() => Means::Nothing(replies::TAKEN),
        (Purpose::Forward, _) if has_a_copy => {
            Means::Unclear("a system that has a copy of the referral answers, and another desk was asked: read it")
        }
        (Purpose::Update, Declined) | (Purpose::Withdrawal, Accepted | Declined | Scheduled) => {
            Means::Unclear("it may mean the letter that it answers as well as the referral")
        }
        (Purpose::ConfirmationRequest | Purpose::Pages | Purpose::Update, _) if !is_theirs => Means::Unclear(TAKEN_FROM),
        _ => Means::Itself,
    })
}

/// Whether it bears the number of another referral: our reference, or a number by which another one of this patient is known. Numbers are
/// used again for other patients.
fn names_another(
    desk: &Desk<'_>,
    referral: &Referral,
    reply: &Reply,
    brought: &Record,
    keys: &[ReferralKey],
) -> Result<bool, StoreError> {
    let quoted = reply.reference.as_deref().and_then(|text| text.parse::<Reference>().ok());
    if let Some(named) = quoted.map(|reference| desk.known_by_reference(&reference)).transpose()?.flatten() {
        return Ok(named.id != referral.id);
    }
    for key in keys {
        let named = match key {
            ReferralKey::Own(reference) => desk.known_by_reference(reference)?,
            ReferralKey::Number { text, is_certain: true, .. } => desk.find(text)?,
            ReferralKey::Number { .. } | ReferralKey::Bare(_) | ReferralKey::Answered(_) => continue,
        };
        if named.is_some_and(|named| named.id != referral.id && sameness::same_patient(&named.record, brought)) {
            return Ok(true);
        }
    }
    Ok(false)
}
