//! Desks that nothing further is sent to: one of them said that a referral was not theirs.
//!
//! # Design notes
//! A suspension is no record of its own: an entry of the directory is suspended as long as a referral that went to it is held for
//! `wrong-recipient`. A person who settles that referral (the entry was corrected, or it was a slip) ends the suspension with it, so there
//! is no second list to keep in step. The set is read from the store when it is first needed and after each change to such a referral.
//!
//! Where a desk said so of several referrals, each of them suspends it. A person may send one of those back to it all the same, or none could
//! be the first to go: it then goes by what the person said later than the desk ([`Suspensions::against`]), and the others wait as before.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;

use super::told::Letters;
use crate::{
    referral::{HeldReason, HistoryEvent, Reference, Referral},
    store::{Decision, ReferralFilter, ReferralWrite, Store, StoreError},
};

/// The suspended entries of the directory, each with the referrals that say why.
#[derive(Clone, Default)]
pub(super) struct Suspensions {
    known: Arc<Mutex<Known>>,
}

/// What a referral's desk said of it.
struct Said {
    of: Reference,
    at: Timestamp,
}

#[derive(Default)]
struct Known {
    entries: Option<BTreeMap<String, Vec<Said>>>,
    /// Transactions on their way that change it. Until they are through, the store is asked each time.
    changing: usize,
}

/// A transaction that changes what is suspended, on its way.
#[must_use]
pub(super) struct Changing(Option<Arc<Mutex<Known>>>);

impl Drop for Changing {
    fn drop(&mut self) {
        if let Some(known) = &self.0 {
            let mut known = lock(known);
            known.entries = None;
            known.changing -= 1;
        }
    }
}

fn lock(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Suspensions {
    /// The referral for which an entry is suspended, if it is.
    pub(super) fn of(&self, store: &Store, entry: &str) -> Result<Option<Reference>, StoreError> {
        self.first(store, entry, |_| true)
    }

    /// The referral for which an entry is suspended beside one that is just being settled.
    pub(super) fn beside(&self, store: &Store, entry: &str, settled: &Reference) -> Result<Option<Reference>, StoreError> {
        self.first(store, entry, |said| said.of != *settled)
    }

    /// The referral for which nothing of this one may go to an entry: what the desk said before a person routed this one there holds the
    /// others alone.
    pub(super) fn against(&self, store: &Store, entry: &str, going: &Referral) -> Result<Option<Reference>, StoreError> {
        let sends_there = |event: &HistoryEvent| match event {
            HistoryEvent::Routed { to } | HistoryEvent::AskedAgain { to } => to == entry,
            _ => false,
        };
        let routed_at = going.history.iter().rev().find(|it| sends_there(&it.event)).map(|it| it.at);
        self.first(store, entry, |said| routed_at.is_none_or(|routed| said.at > routed))
    }

    fn first(&self, store: &Store, entry: &str, counts: impl Fn(&Said) -> bool) -> Result<Option<Reference>, StoreError> {
        let first = |entries: &BTreeMap<String, Vec<Said>>| {
            entries.get(entry).and_then(|all| all.iter().find(|said| counts(said)).map(|said| said.of.clone()))
        };
        let mut known = lock(&self.known);
        if let Some(entries) = &known.entries {
            return Ok(first(entries));
        }
        let read = read(store)?;
        let found = first(&read);
        if known.changing == 0 {
            known.entries = Some(read);
        }
        Ok(found)
    }

    /// Said before a decision is committed, and let go of when it is: whoever is woken by the commit itself must not find what was before.
    /// `ends`: it is about a referral that was held for it.
    pub(super) fn changing(&self, decision: &Decision, ends: bool) -> Changing {
        let mut known = lock(&self.known);
        let is_known = |reference: &Reference| {
            known.entries.as_ref().is_some_and(|it| it.values().flatten().any(|one| one.of == *reference))
        };
        let concerned = |ReferralWrite { referral, .. }: &ReferralWrite| {
            referral.record.held.contains(&HeldReason::WrongRecipient) || is_known(&referral.reference)
        };
        if !ends && !decision.referrals.iter().any(concerned) {
            return Changing(None);
        }
        known.entries = None;
        known.changing += 1;
        Changing(Some(Arc::clone(&self.known)))
    }
}

fn read(store: &Store) -> Result<BTreeMap<String, Vec<Said>>, StoreError> {
    let held = store.referrals(&ReferralFilter { held: Some(true), ..ReferralFilter::default() })?;
    let mut suspended: BTreeMap<String, Vec<Said>> = BTreeMap::new();
    for referral in held.iter().filter(|referral| referral.record.held.contains(&HeldReason::WrongRecipient)) {
        for (desk, at) in Letters::of(store, referral.id)?.wrong_desks(referral) {
            suspended.entry(desk.to_owned()).or_default().push(Said { of: referral.reference.clone(), at });
        }
    }
    Ok(suspended)
}
