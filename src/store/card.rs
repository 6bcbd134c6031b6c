//! Index cards: what the writer and the index need to know of a record that is written.
//!
//! # Design notes
//! Made by the caller of a transaction, together with the record's bytes. The record itself, some hundred small pieces of memory, stays
//! with its caller and is freed where it was made: the one thread that decides does not have to.

use super::{
    frame::{MessageEntry, ReferralEntry},
    keys,
    mark::Mark,
};
use crate::{
    delivery::{Delivery, DeliveryState},
    ids::{DeliveryId, MessageId, ReferralId},
    message::{Message, State},
    referral::Reference,
};

/// What the index is told of a message.
pub(super) struct MessageCard {
    pub(super) id: MessageId,
    pub(super) state: State,
    pub(super) mark: Mark,
    /// The index's keys of what it is known again by.
    pub(super) repeat: Option<Vec<u8>>,
    pub(super) control: Option<Vec<u8>>,
    /// The identity of the file it came in.
    pub(super) file: Option<String>,
}

/// What the index is told of a version of a referral.
pub(super) struct ReferralCard {
    pub(super) id: ReferralId,
    pub(super) version: u64,
    pub(super) reference: Reference,
    pub(super) mark: Mark,
    /// The index's keys that it is found by.
    pub(super) keys: Vec<Vec<u8>>,
    /// Who wrote this version.
    pub(super) by: Option<String>,
}

/// What the index is told of a delivery.
pub(super) struct DeliveryCard {
    pub(super) id: DeliveryId,
    pub(super) state: DeliveryState,
    pub(super) mark: Mark,
    pub(super) referral: Option<ReferralId>,
    /// How often it was tried.
    pub(super) attempts: u32,
}

/// The identity of the file that a message came in.
pub(super) fn file_identity(message: &Message) -> Option<String> {
    message.file.as_ref().map(|file| file.identity.clone())
}

impl MessageCard {
    pub(super) fn of(entry: &MessageEntry) -> Self {
        let MessageEntry { message, repeat_key, control_key } = entry;
        Self {
            id: message.id,
            state: message.state,
            mark: Mark::of_message(message),
            repeat: repeat_key.as_deref().map(keys::repeat),
            control: control_key.as_deref().map(keys::control),
            file: file_identity(message),
        }
    }
}

impl ReferralCard {
    pub(super) fn of(entry: &ReferralEntry) -> Self {
        let ReferralEntry { referral, keys, .. } = entry;
        Self {
            id: referral.id,
            version: referral.version,
            reference: referral.reference.clone(),
            mark: Mark::of_referral(referral),
            keys: keys.iter().map(|key| keys::referral_key(key)).collect(),
            by: referral.history.last().map(|last| last.by.clone()),
        }
    }
}

impl DeliveryCard {
    pub(super) fn of(delivery: &Delivery) -> Self {
        Self {
            id: delivery.id,
            state: delivery.state,
            mark: Mark::of_delivery(delivery),
            referral: delivery.referral,
            attempts: delivery.attempts,
        }
    }
}
