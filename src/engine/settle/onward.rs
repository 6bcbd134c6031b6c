//! What goes on once a person has acted: the request that waited, or the update that is owed.

use jiff::Timestamp;

use super::{
    super::{decide::asked, route},
    SettleError, Settlement,
};
use crate::{
    config::RouteTarget,
    delivery::{DeliveryState, Purpose},
    referral::{HeldReason, HistoryEntry, HistoryEvent, Status},
    store::DeliveryFilter,
};

impl Settlement<'_> {
    /// A destination may fit now: the specialty was corrected, or the directory.
    fn find_route(&mut self) -> Result<(), SettleError> {
        if self.target.is_some()
            || self.referral.status != Status::New
            || !self.referral.record.held.contains(&HeldReason::NoRoute)
        {
            return Ok(());
        }
        if let Some(target) = self.destination()
            && self.context.suspensions.of(&self.context.store, &target.to)?.is_none()
        {
            self.no_longer_without_route();
        }
        Ok(())
    }

    fn destination(&self) -> Option<RouteTarget> {
        let config = self.context.config();
        let channel = self.referral.sources.first().and_then(|source| config.inbound.get(&source.channel))?;
        route::destination(&config, channel, &self.referral.record)
    }

    pub(super) fn no_longer_without_route(&mut self) {
        let record = &mut self.referral.record;
        record.release(HeldReason::NoRoute);
        record.problems.retain(|problem| problem.code != "no-route");
    }

    /// Whether the specialist has a letter that says less than the record does now.
    fn owes_update(&self) -> Result<bool, SettleError> {
        let changed = |entry: &&HistoryEntry| matches!(entry.event, HistoryEvent::Changed | HistoryEvent::Corrected { .. });
        let Some(changed) = self.referral.history.iter().rev().find(changed) else { return Ok(false) };
        let filter = DeliveryFilter { referral: Some(self.referral.id), ..DeliveryFilter::default() };
        let letters = self.context.store.deliveries(&filter)?;
        let letters = letters.iter().filter(|letter| matches!(letter.purpose, Purpose::ConfirmationRequest | Purpose::Update));
        // What has not left yet says all there is when it leaves.
        let told =
            letters.map(|letter| if letter.state == DeliveryState::Queued { Some(Timestamp::MAX) } else { letter.sent_at });
        Ok(told.max().flatten().is_some_and(|told| told < changed.at || told == Timestamp::MAX))
    }

    /// Queues the confirmation request of a referral that nothing holds any more and that nobody is asked about, and wherever a person
    /// said to whom it goes.
    pub(super) fn go_on(&mut self) -> Result<(), SettleError> {
        if matches!(self.referral.status, Status::Cancelled | Status::Closed) {
            return Ok(());
        }
        self.find_route()?;
        if !self.referral.record.stops_letters() && self.target.is_none() && self.owes_update()? {
            self.tell_the_asked(Purpose::Update, None)?;
        }
        if !self.referral.record.held.is_empty() {
            return Ok(());
        }
        if self.target.is_none() {
            let waits = matches!(self.referral.status, Status::New | Status::Redirected);
            let asked = asked(&self.context.store, self.referral.id)?;
            let on_the_way = asked.is_some_and(|asked| matches!(asked.state, DeliveryState::Queued | DeliveryState::InFlight));
            if !waits || on_the_way {
                return Ok(());
            }
        }
        match self.target.take().or_else(|| self.destination()) {
            Some(target) => {
                let config = self.context.config();
                self.decision.deliveries.extend(route::to_specialist(
                    &config,
                    Purpose::ConfirmationRequest,
                    &target,
                    self.referral.id,
                    self.entry.at,
                ));
            }
            None => self.referral.record.hold(HeldReason::NoRoute),
        }
        Ok(())
    }
}
