//! What was done, when and by whom: ids and words, never patient data.
//!
//! One entry a batch, in the batch's own frame, so that it is there exactly if what it tells of is. The index has the position
//! of each, in order.

use std::ops::ControlFlow;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Store, StoreError, codec, frame::Position, keys};
use crate::ids::{DeliveryId, MessageId, ReferralId};

/// What one transaction did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The transaction: `insert`, `finish`, `claim-delivery`, …
    #[serde(rename = "e")]
    pub event: String,
    /// Who, where a referral's history says so: `engine`, `person NAME`.
    #[serde(default, rename = "b", skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The messages it wrote.
    #[serde(default, rename = "m", skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<MessageId>,
    /// The referrals it wrote, with the version.
    #[serde(default, rename = "r", skip_serializing_if = "Vec::is_empty")]
    pub referrals: Vec<(ReferralId, u64)>,
    /// The deliveries it wrote.
    #[serde(default, rename = "d", skip_serializing_if = "Vec::is_empty")]
    pub deliveries: Vec<DeliveryId>,
}

impl Note {
    pub(super) fn of(event: &str) -> Self {
        Self { event: event.to_owned(), ..Self::default() }
    }
}

/// What one batch did.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Done {
    /// When it was decided.
    pub at: Timestamp,
    /// Its transactions, in their order.
    pub events: Vec<Note>,
}

impl Store {
    /// What the last batches did, newest first, at most so many.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`].
    pub fn audit(&self, batches_max: usize) -> Result<Vec<Done>, StoreError> {
        let mut positions = Vec::new();
        self.read(|index| {
            Ok(index.scan(keys::AUDIT, true, |_, value| {
                positions.extend(Position::split(value).map(|(position, _)| position));
                if positions.len() < batches_max { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            })?)
        })?;
        positions
            .into_iter()
            .map(|position| codec::decode(&self.journal().entry(position)?).map_err(|e| StoreError::Unreadable(e.to_string())))
            .collect()
    }
}
