//! Desks that nothing further is sent to: one of them said that a referral was not theirs.
//!
//! # Design notes
//! A suspension is no record of its own: an entry of the directory is suspended as long as a referral that went to it is held for
//! `wrong-recipient`. A person who settles that referral (the entry was corrected, or it was a slip) ends the suspension with it, so there
//! is no second list to keep in step. The set is read from the store when it is first needed and after each change to such a referral.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::decide::asked;
use crate::{
    referral::{HeldReason, Reference},
    store::{Decision, ReferralFilter, Store, StoreError},
};

/// The suspended entries of the directory, each with the referral that says why.
#[derive(Clone, Default)]
pub(super) struct Suspensions {
    known: Arc<Mutex<Option<BTreeMap<String, Reference>>>>,
}

impl Suspensions {
    /// The referral for which an entry is suspended, if it is.
    pub(super) fn of(&self, store: &Store, entry: &str) -> Result<Option<Reference>, StoreError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = &*known {
            return Ok(known.get(entry).cloned());
        }
        let read = read(store)?;
        let found = read.get(entry).cloned();
        *known = Some(read);
        Ok(found)
    }

    /// Whether a decision may change the set once it is committed.
    pub(super) fn concerned(&self, decision: &Decision) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        decision.referrals.iter().map(|write| &write.referral).any(|referral| {
            let ends = known.as_ref().is_some_and(|known| known.values().any(|one| *one == referral.reference));
            ends || referral.record.held.contains(&HeldReason::WrongRecipient)
        })
    }

    /// A decision was committed: what it changed is read again.
    pub(super) fn committed(&self, store: &Store, concerned: bool) {
        if concerned {
            *self.known.lock().unwrap_or_else(PoisonError::into_inner) = read(store).ok();
        }
    }
}

fn read(store: &Store) -> Result<BTreeMap<String, Reference>, StoreError> {
    let held = store.referrals(&ReferralFilter { held: Some(true), ..ReferralFilter::default() })?;
    let mut suspended = BTreeMap::new();
    for referral in held.iter().filter(|referral| referral.record.held.contains(&HeldReason::WrongRecipient)) {
        if let Some(asked) = asked(store, referral.id)? {
            suspended.insert(asked.to, referral.reference.clone());
        }
    }
    Ok(suspended)
}
