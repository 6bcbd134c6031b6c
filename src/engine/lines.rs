//! The lines before the MLLP channels: what goes through one goes in the order in which it was queued, one at a time.
//!
//! # Design notes
//! Whoever stands first in a line and is not taken (no connection, no answer, "not now") holds up all behind it, and is tried until it
//! is taken or a person steps in: an EHR that gets a cancel before the referral, or a change before the cancel, is worse than one that
//! gets both late. What was refused for good is set aside for a person (it is dead), and the line goes on, except for what concerns the
//! same referral: that waits behind it.
//!
//! A line is kept in memory, because the store's due times do not tell who was first; it is read from the store at the start.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use jiff::Timestamp;

use crate::{
    config::Config,
    delivery::{Delivery, DeliveryState},
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
                    if waits_behind_one_set_aside(store, &delivery)? {
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

/// Whether something earlier about the same referral was refused, and a person has not said yet what becomes of it.
fn waits_behind_one_set_aside(store: &Store, delivery: &Delivery) -> Result<bool, StoreError> {
    if delivery.referral.is_none() {
        return Ok(false);
    }
    let filter = DeliveryFilter { referral: delivery.referral, state: Some(DeliveryState::Dead), limit: 0 };
    let before =
        |other: &Delivery| other.through == delivery.through && (other.queued_at, other.id) < (delivery.queued_at, delivery.id);
    Ok(store.deliveries(&filter)?.iter().any(before))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        delivery::Purpose,
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

        // A person skipped it.
        let skipped = Delivery { state: DeliveryState::Withdrawn, ..dead };
        store.settle(Decision { deliveries: vec![skipped], ..Decision::default() }).await.unwrap();
        assert_eq!(next(60), Some(second.id));
    }
}
