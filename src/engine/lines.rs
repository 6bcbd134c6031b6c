//! The lines before the MLLP channels: what goes through one goes in the order in which it was queued, one at a time.
//!
//! # Design notes
//! Whoever stands first in a line and is not taken (no connection, no answer, "not now") holds up all behind it, and is tried until it
//! is taken or a person steps in: an EHR that gets a cancel before the referral, or a change before the cancel, is worse than one that
//! gets both late. What was refused for good is set aside for a person (it is dead), and the line goes on, except for what concerns the
//! same referral and goes to the same receiver: that waits behind it. Never behind it wait what takes a referral back and what says how one
//! stands: they are right by themselves, and a cancel that waits for somebody to look at a refused change is a patient who is seen in vain.
//!
//! A line is kept in memory, because the store's due times do not tell who was first; it is read from the store at the start.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use jiff::Timestamp;

use super::hl7_letters;
use crate::{
    config::Config,
    delivery::{Delivery, DeliveryState, Purpose},
    ids::{ChannelName, DeliveryId},
    outbound::OutboundConfig,
    store::{DeliveryFilter, Store, StoreError},
};

/// Whether a channel sends in order.
pub(super) fn is_in_order(config: &Config, channel: &ChannelName) -> bool {
    match config.outbound.get(channel) {
        Some(OutboundConfig::Mllp(_)) => true,
        Some(OutboundConfig::Email(_) | OutboundConfig::Fax(_)) | None => false,
    }
}

/// Who waits before which channel.
#[derive(Default)]
pub(super) struct Lines {
    is_read: bool,
    waiting: BTreeMap<ChannelName, BTreeSet<(Timestamp, DeliveryId)>>,
    known: HashSet<DeliveryId>,
}

impl Lines {
    /// Reads the lines from the store, the first time.
    pub(super) fn read(&mut self, config: &Config, store: &Store) -> Result<(), StoreError> {
        if self.is_read {
            return Ok(());
        }
        // All that is queued, also what is tried again later: it may stand before what is due now.
        let (queued, _) = store.due_deliveries(Timestamp::MAX, usize::MAX)?;
        for id in queued {
            if let Some(delivery) = store.delivery(id)?
                && is_in_order(config, &delivery.through)
            {
                self.join(&delivery);
            }
        }
        self.is_read = true;
        Ok(())
    }

    /// Whether it stands in a line already.
    pub(super) fn has(&self, id: DeliveryId) -> bool {
        self.known.contains(&id)
    }

    /// Puts a delivery where it belongs in its channel's line.
    pub(super) fn join(&mut self, delivery: &Delivery) {
        self.known.insert(delivery.id);
        self.waiting.entry(delivery.through.clone()).or_default().insert((delivery.queued_at, delivery.id));
    }

    /// Who is to be sent through a channel now; nobody while the first is on the way or rests.
    pub(super) fn next(
        &mut self,
        store: &Store,
        channel: &ChannelName,
        now: Timestamp,
    ) -> Result<Option<DeliveryId>, StoreError> {
        let Some(line) = self.waiting.get_mut(channel) else { return Ok(None) };
        let mut gone = Vec::new();
        let mut next = None;
        for place in line.iter() {
            let delivery = store.delivery(place.1)?;
            match delivery {
                Some(delivery) if delivery.state == DeliveryState::Queued => {
                    if set_aside_before(store, &delivery)?.is_some() {
                        continue;
                    }
                    next = Some(delivery.id).filter(|_| delivery.due_at <= now);
                    break;
                }
                Some(delivery) if delivery.state == DeliveryState::InFlight => break,
                Some(_) | None => gone.push(*place),
            }
        }
        for place in gone {
            line.remove(&place);
            self.known.remove(&place.1);
        }
        Ok(next)
    }
}

/// What each of these waits for, of those that wait for another delivery: one about the same referral that was refused and that a person
/// has not said yet what becomes of, or else the first of its line.
pub(super) fn waited_for(
    config: &Config,
    store: &Store,
    deliveries: &[Delivery],
) -> Result<BTreeMap<DeliveryId, DeliveryId>, StoreError> {
    let in_line = |one: &&Delivery| one.state == DeliveryState::Queued && is_in_order(config, &one.through);
    let mut waited_for = BTreeMap::new();
    let mut first: Option<BTreeMap<ChannelName, Delivery>> = None;
    for delivery in deliveries.iter().filter(in_line) {
        if let Some(before) = set_aside_before(store, delivery)? {
            waited_for.insert(delivery.id, before);
            continue;
        }
        let first = match &mut first {
            Some(first) => first,
            None => first.insert(first_of_lines(config, store)?),
        };
        let head = first.get(&delivery.through).filter(|head| place(head) < place(delivery));
        waited_for.extend(head.map(|head| (delivery.id, head.id)));
    }
    Ok(waited_for)
}

/// Who stands first before each channel, or is on the way.
fn first_of_lines(config: &Config, store: &Store) -> Result<BTreeMap<ChannelName, Delivery>, StoreError> {
    let on_the_way = DeliveryFilter { state: Some(DeliveryState::InFlight), ..DeliveryFilter::default() };
    let mut all = store.deliveries(&on_the_way)?;
    for id in store.due_deliveries(Timestamp::MAX, usize::MAX)?.0 {
        all.extend(store.delivery(id)?);
    }
    all.retain(|one| is_in_order(config, &one.through));
    all.sort_by_key(place);
    let mut first = BTreeMap::new();
    for delivery in all {
        if !first.contains_key(&delivery.through) && set_aside_before(store, &delivery)?.is_none() {
            first.insert(delivery.through.clone(), delivery);
        }
    }
    Ok(first)
}

fn place(delivery: &Delivery) -> (Timestamp, DeliveryId) {
    (delivery.queued_at, delivery.id)
}

/// Something earlier about the same referral, to the same receiver, that was refused, and a person has not said yet what becomes of it.
fn set_aside_before(store: &Store, delivery: &Delivery) -> Result<Option<DeliveryId>, StoreError> {
    if delivery.referral.is_none() || stands_alone(store, delivery)? {
        return Ok(None);
    }
    let filter = DeliveryFilter { referral: delivery.referral, state: Some(DeliveryState::Dead), ..DeliveryFilter::default() };
    let same_way = |other: &&Delivery| other.through == delivery.through && other.to == delivery.to;
    let before = |other: &&Delivery| same_way(other) && place(other) < place(delivery);
    Ok(store.deliveries(&filter)?.iter().filter(before).map(|other| other.id).next())
}

/// Whether it is right by itself, whatever the other side refused before: it takes a referral back, or says how one stands.
fn stands_alone(store: &Store, delivery: &Delivery) -> Result<bool, StoreError> {
    Ok(match delivery.purpose {
        Purpose::Withdrawal | Purpose::Status => true,
        Purpose::Forward => {
            let referral = delivery.referral.map(|id| store.referral(id)).transpose()?.flatten();
            referral.is_some_and(|referral| hl7_letters::is_cancelled(referral.status))
        }
        Purpose::Acknowledgement | Purpose::ConfirmationRequest | Purpose::Pages | Purpose::Update => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ids::ReferralId,
        store::{Decision, StoreOptions},
    };

    fn queued(channel: &ChannelName, referral: ReferralId, second: i64) -> Delivery {
        let at = Timestamp::from_second(second).unwrap();
        let mut delivery = Delivery::queued(Purpose::Forward, channel.clone(), channel.as_str(), at);
        delivery.referral = Some(referral);
        delivery
    }

    #[tokio::test]
    async fn the_first_goes_first_and_what_was_set_aside_holds_up_its_own_referral_alone() {
        let folder = tempfile::tempdir().unwrap();
        let options = StoreOptions { folder: folder.path().to_owned(), index_cache_bytes: 1_048_576 };
        let store = Store::open(&options).unwrap();
        let channel = ChannelName::new("ehr-mllp");
        let (mine, other) = (ReferralId::generate(), ReferralId::generate());
        let [first, second, third] = [(mine, 1), (mine, 2), (other, 3)].map(|(referral, at)| queued(&channel, referral, at));
        let all = vec![third.clone(), first.clone(), second.clone()];
        store.settle(Decision { deliveries: all.clone(), ..Decision::default() }).await.unwrap();
        let mut lines = Lines::default();
        all.iter().for_each(|delivery| lines.join(delivery));
        let mut next = |seconds: i64| lines.next(&store, &channel, Timestamp::from_second(seconds).unwrap()).unwrap();
        assert_eq!(next(10), Some(first.id));

        // It rests: nobody overtakes it.
        let rests = Delivery { due_at: Timestamp::from_second(60).unwrap(), ..first.clone() };
        store.settle(Decision { deliveries: vec![rests], ..Decision::default() }).await.unwrap();
        assert_eq!(next(10), None);
        assert_eq!(next(60), Some(first.id));

        // It is on the way.
        let claimed = store.claim_delivery(first.id).await.unwrap();
        assert_eq!(next(60), None);

        // It was refused: its own referral waits, others go on.
        let dead = Delivery { state: DeliveryState::Dead, ..claimed };
        store.settle_delivery(dead.clone(), Decision::default()).await.unwrap();
        assert_eq!(next(60), Some(third.id));
        let behind = set_aside_before(&store, &second).unwrap();
        assert_eq!(behind, Some(first.id), "who waits can say for what");
        for (purpose, to) in [(Purpose::Withdrawal, "ehr-mllp"), (Purpose::Status, "ehr-mllp"), (Purpose::Forward, "another")] {
            let free = Delivery { purpose, to: to.to_owned(), ..second.clone() };
            assert_eq!(set_aside_before(&store, &free).unwrap(), None, "{purpose:?} to {to}");
        }

        // A person skipped it.
        let skipped = Delivery { state: DeliveryState::Withdrawn, ..dead };
        store.settle(Decision { deliveries: vec![skipped], ..Decision::default() }).await.unwrap();
        assert_eq!(next(60), Some(second.id));
    }
}
