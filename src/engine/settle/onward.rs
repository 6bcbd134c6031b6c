//! What goes on once a person has acted: the request that waited, or the update that is owed.

use jiff::Timestamp;

use super::{
    super::{Context, route, told::Letters},
    SettleError, Settlement,
};
use crate::{
    config::RouteTarget,
    delivery::{Delivery, DeliveryState, Purpose},
    referral::{HeldReason, HistoryEntry, HistoryEvent, Problem, Referral, Status},
    store::{Decision, DeliveryFilter, StoreError},
};

/// What follows when the end of a delivery took away what held a referral: the request that waited for that. Gives the referral as it
/// stands then.
///
/// # Errors
/// The store cannot be read.
pub(in super::super) fn go_on_released(
    context: &Context,
    referral: Referral,
    decision: &mut Decision,
) -> Result<Referral, StoreError> {
    let mut settlement = Settlement::new(context, referral, "");
    settlement.go_on()?;
    let Decision { deliveries, recompose, .. } = settlement.decision;
    decision.deliveries.extend(deliveries);
    decision.recompose.extend(recompose);
    Ok(settlement.referral)
}

impl Settlement<'_> {
    /// A destination may fit now: the specialty was corrected, or the directory.
    fn find_route(&mut self) -> Result<(), StoreError> {
        if self.target.is_some()
            || self.referral.status != Status::New
            || !self.referral.record.held.contains(&HeldReason::NoRoute)
        {
            return Ok(());
        }
        if let Some(target) = self.destination()
            && self.context.suspensions.of(&self.context.store, &target.to)?.is_none()
        {
            self.referral.record.no_longer_without_route();
        }
        Ok(())
    }

    fn destination(&self) -> Option<RouteTarget> {
        let config = self.context.config();
        if let Some(chosen) = route::chosen(&config, &self.referral) {
            return Some(chosen);
        }
        let channel = self.referral.sources.first().and_then(|source| config.inbound.get(&source.channel))?;
        let record = &self.referral.record;
        // What a person has not looked at chooses no desk.
        route::destination(&config, channel, record).filter(|target| route::objection(&config, channel, record, target).is_none())
    }

    /// Whether the specialist has a letter that says less than the record does now.
    fn owes_update(&self) -> Result<bool, StoreError> {
        let changed =
            |entry: &&HistoryEntry| matches!(entry.event, HistoryEvent::Changed { .. } | HistoryEvent::Corrected { .. });
        let Some(changed) = self.referral.history.iter().rev().find(changed) else { return Ok(false) };
        let filter = DeliveryFilter { referral: Some(self.referral.id), ..DeliveryFilter::default() };
        let letters = self.context.store.deliveries(&filter)?;
        let letters = letters.iter().filter(|letter| matches!(letter.purpose, Purpose::ConfirmationRequest | Purpose::Update));
        // What has not left yet says all there is when it leaves; what is on the way, what there was when it was queued.
        let told = letters.map(|letter| match letter.state {
            DeliveryState::Queued => Some(Timestamp::MAX),
            DeliveryState::InFlight => Some(letter.queued_at),
            DeliveryState::Sent | DeliveryState::Dead | DeliveryState::Withdrawn => letter.sent_at,
        });
        Ok(told.max().flatten().is_some_and(|told| told < changed.at || told == Timestamp::MAX))
    }

    /// Queues the confirmation request of a referral that nothing holds any more and that nobody is asked about, and wherever a person
    /// said to whom it goes.
    pub(super) fn go_on(&mut self) -> Result<(), StoreError> {
        if matches!(self.referral.status, Status::CancelRequested | Status::Cancelled | Status::Closed) {
            return Ok(());
        }
        self.find_route()?;
        if !self.referral.record.stops_letters() && self.target.is_none() && self.owes_update()? {
            self.tell_of_change()?;
        }
        // Whoever says to whom it goes says that it goes: a reply of another desk that waits, or a dead letter to it, is no reason not to.
        let record = &self.referral.record;
        let stays = if self.target.is_some() { record.stops_letters() } else { !record.held.is_empty() };
        if stays || (self.target.is_none() && !self.waits_to_be_asked_about()?) {
            return Ok(());
        }
        let is_told_anew = self.target.is_some();
        let target = match self.target.take() {
            Some(chosen) => Some(chosen),
            None => match self.destination() {
                Some(found) if self.is_suspended(&found)? => return Ok(()),
                found => found,
            },
        };
        match target {
            Some(target) => {
                let config = self.context.config();
                let purpose = Purpose::ConfirmationRequest;
                let mut letters = route::to_specialist(&config, purpose, &target, self.referral.id, self.entry.at);
                if !is_told_anew && self.has_pages(&target.to)? {
                    letters.retain(|letter| letter.purpose != Purpose::Pages);
                }
                self.decision.deliveries.extend(letters);
            }
            None => self.referral.record.hold(HeldReason::NoRoute),
        }
        Ok(())
    }

    /// Whether the pages that go beside a request went to this desk, or go there, and nothing was said since that makes others of them:
    /// then the request alone was lost.
    fn has_pages(&self, to: &str) -> Result<bool, StoreError> {
        let letters = Letters::of(&self.context.store, self.referral.id)?;
        let goes = |letter: &&Delivery| {
            matches!(letter.state, DeliveryState::Queued | DeliveryState::InFlight | DeliveryState::Sent)
                && letter.purpose == Purpose::Pages
                && letter.to == to
        };
        let Some(pages) = letters.to_specialists().find(goes) else { return Ok(false) };
        let leaves_them = |entry: &HistoryEntry| {
            matches!(
                entry.event,
                HistoryEvent::Acknowledged
                    | HistoryEvent::Confirmed { .. }
                    | HistoryEvent::DeliveryDead
                    | HistoryEvent::Held
                    | HistoryEvent::Requested
            )
        };
        Ok(self.referral.history.iter().filter(|entry| entry.at > pages.queued_at).all(leaves_them))
    }

    /// Whether anything may go to a desk, but for what this referral says of it.
    pub(super) fn may_be_asked(&self, to: &str) -> Result<(), SettleError> {
        // Of several referrals that a desk put aside one must be the first to go back to it, or each waits for the other for good. Whoever
        // sends one back there by name has looked at the entry; what the desk says after that suspends it again.
        if self.referral.record.held.contains(&HeldReason::WrongRecipient)
            && Letters::of(&self.context.store, self.referral.id)?.wrong_desks(&self.referral).contains_key(to)
        {
            return Ok(());
        }
        match self.context.suspensions.beside(&self.context.store, to, &self.referral.reference)? {
            Some(other) => Err(SettleError::Refused(format!(
                "{to} is suspended, since it said that {other} is not for it: settle {other} first, or route to another entry"
            ))),
            None => Ok(()),
        }
    }

    /// Whether nothing goes to a destination at present; a person is then told where else it may go.
    pub(super) fn is_suspended(&mut self, target: &RouteTarget) -> Result<bool, StoreError> {
        let suspensions = &self.context.suspensions;
        let Some(other) = suspensions.beside(&self.context.store, &target.to, &self.referral.reference)? else {
            return Ok(false);
        };
        let text = format!(
            "{} is suspended, since it said that {other} is not for it: settle {other}, or `route` this to another entry",
            target.to
        );
        self.referral.record.no_longer_without_route();
        self.referral.record.hold(HeldReason::NoRoute);
        self.referral.record.problems.push(Problem::new("no-route", text));
        Ok(true)
    }

    /// Whether nobody is being asked about it, not even by what this very act queued.
    fn waits_to_be_asked_about(&self) -> Result<bool, StoreError> {
        let asks = |delivery: &Delivery| delivery.purpose == Purpose::ConfirmationRequest;
        if self.decision.deliveries.iter().any(asks) {
            return Ok(false);
        }
        let letters = Letters::of(&self.context.store, self.referral.id)?;
        let asked = letters.asked();
        Ok(match self.referral.status {
            Status::New | Status::Redirected => {
                !asked.is_some_and(|asked| matches!(asked.state, DeliveryState::Queued | DeliveryState::InFlight))
            }
            // The request came back: whoever was asked does not have it.
            Status::Requested => asked.is_none(),
            Status::Confirmed
            | Status::Accepted
            | Status::NeedsInformation
            | Status::Declined
            | Status::Scheduled
            | Status::NoShow
            | Status::Completed
            | Status::Closed
            | Status::CancelRequested
            | Status::Cancelled
            | Status::Expired => false,
        })
    }
}
