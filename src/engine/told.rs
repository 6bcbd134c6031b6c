//! Who was asked about a referral, who has anything of it, and what those are to be told.
//!
//! # Design notes
//! A desk that is asked by mail gets the pages by fax, and either may be stuck while the other has arrived. So who is to be told is
//! decided by what may have arrived, by whatever way; who is waited for, by the request alone. Who said that it is not theirs hears no
//! more of it, until they are asked anew.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::route;
use crate::{
    config::{Config, RouteTarget},
    delivery::{Delivery, DeliveryState, Purpose},
    ids::{ChannelName, DeliveryId, ReferralId},
    referral::{HistoryEntry, HistoryEvent, Referral, ReplyOutcome, Status},
    store::{DeliveryFilter, Store, StoreError},
};

/// What was sent for a referral, or waits to be: read once, asked as often as a decision needs it.
pub(super) struct Letters(Vec<Delivery>);

impl Letters {
    /// Those of a referral, the newest first.
    pub(super) fn of(store: &Store, referral: ReferralId) -> Result<Self, StoreError> {
        store.deliveries(&DeliveryFilter { referral: Some(referral), ..DeliveryFilter::default() }).map(Self)
    }

    /// Those that went, or go, to the specialist's side.
    pub(super) fn to_specialists(&self) -> impl Iterator<Item = &Delivery> {
        self.0.iter().filter(|delivery| delivery.purpose.is_to_specialist())
    }

    /// One of them, to whomever it went.
    pub(super) fn find(&self, id: DeliveryId) -> Option<&Delivery> {
        self.0.iter().find(|delivery| delivery.id == id)
    }

    /// The last delivery by which a specialist was asked, or is about to be.
    pub(super) fn asked(&self) -> Option<&Delivery> {
        self.0.iter().find(|delivery| asks(delivery))
    }

    /// Every desk that was asked about it, or is about to be, once; without those that were told since not to act on it.
    pub(super) fn asked_desks(&self) -> Vec<&Delivery> {
        let mut desks: Vec<&Delivery> = Vec::new();
        for delivery in self.0.iter().filter(|delivery| asks(delivery) && !self.is_taken_back(delivery)) {
            if !desks.iter().any(|desk| desk.to == delivery.to && desk.through == delivery.through) {
                desks.push(delivery);
            }
        }
        desks
    }

    /// Whether anything that asks for something may have reached a desk.
    pub(super) fn may_have_reached(&self, to: &str) -> bool {
        let reached = |told: &Delivery| told.purpose != Purpose::Withdrawal && told.to == to && told.may_have_arrived();
        self.to_specialists().any(reached)
    }

    /// The deliveries that ask the specialist for something and have not left for certain. What is on the way is one of them: it may come
    /// back. What takes the referral back from a desk is none: that is owed, and goes unless the desk has nothing when its turn comes.
    pub(super) fn not_sent(&self) -> impl Iterator<Item = DeliveryId> {
        self.to_specialists().filter(|one| one.purpose != Purpose::Withdrawal && has_not_left(one)).map(|one| one.id)
    }

    /// Every request that a specialist was ever sent, or is to be; also those that failed, or were taken back since.
    pub(super) fn requests(&self) -> impl Iterator<Item = &Delivery> {
        self.0.iter().filter(|one| one.purpose == Purpose::ConfirmationRequest && one.state != DeliveryState::Withdrawn)
    }

    /// Whether anything of the referral may have reached the system behind this channel.
    pub(super) fn went_through(&self, channel: &ChannelName) -> bool {
        self.0.iter().any(|one| one.through == *channel && one.may_have_arrived())
    }

    /// The letters that told the desks of the sender's cancel, which they are to confirm.
    pub(super) fn told_of_cancel(&self, referral: &Referral) -> Vec<&Delivery> {
        let is_cancel = |entry: &&HistoryEntry| entry.event == HistoryEvent::CancelRequested;
        let cancel = referral.history.iter().rev().find(is_cancel).and_then(|entry| entry.message);
        let of_it = |one: &&Delivery| cancel.is_some() && one.message == cancel && one.purpose == Purpose::Withdrawal;
        self.to_specialists().filter(of_it).collect()
    }

    /// The letters that take it back and have not left.
    pub(super) fn withdrawals_not_sent(&self) -> impl Iterator<Item = DeliveryId> {
        self.to_specialists().filter(|one| one.purpose == Purpose::Withdrawal && has_not_left(one)).map(|one| one.id)
    }

    /// The letters that take a referral back from each desk that has anything of it.
    pub(super) fn withdrawals(&self, config: &Config, referral: &Referral, now: Timestamp) -> Vec<Delivery> {
        let desks = self.desks_with_it(referral).into_iter();
        desks.flat_map(|desk| route::to_specialist(config, Purpose::Withdrawal, &target(desk), referral.id, now)).collect()
    }

    /// What tells every desk how a referral stands now: one letter for several changes, and one by another way where that is what
    /// arrived. Who has declined it hears no more of the patient.
    pub(super) fn updates(&self, config: &Config, referral: &Referral, now: Timestamp) -> Updates {
        if referral.status == Status::Declined {
            return Updates::default();
        }
        let wrong = self.wrong_desks(referral);
        let queued: Vec<&Delivery> = self.to_specialists().filter(|delivery| delivery.state == DeliveryState::Queued).collect();
        let waits = |desk: &&Delivery| queued.iter().any(|delivery| delivery.to == desk.to);
        // What waits by the way that the former letter took says it all.
        let waits_same_way = |desk: &&Delivery| queued.iter().any(|one| one.to == desk.to && one.through == desk.through);
        let asked = self.asked_desks().into_iter().filter(|desk| !wrong.contains_key(desk.to.as_str()) && !waits(desk));
        let by_another_way = self.desks_with_it(referral).into_iter().filter(|desk| waits(desk) && !waits_same_way(desk));
        let new = asked
            .chain(by_another_way)
            .flat_map(|desk| route::to_specialist(config, Purpose::Update, &target(desk), referral.id, now))
            .collect();
        Updates { recompose: queued.iter().map(|delivery| delivery.id).collect(), new }
    }

    /// The desks that said a referral is not for them, and when: they have said nothing else since, and have not been asked anew. Who said
    /// it is known by the letter that they answered, or else by the last request before.
    pub(super) fn wrong_desks(&self, referral: &Referral) -> BTreeMap<&str, Timestamp> {
        let is_request = |one: &&Delivery| one.purpose == Purpose::ConfirmationRequest && one.state != DeliveryState::Withdrawn;
        let mut requests: Vec<&Delivery> = self.0.iter().filter(is_request).collect();
        requests.sort_by_key(|one| one.queued_at);
        let mut wrong = BTreeMap::new();
        for entry in &referral.history {
            let HistoryEvent::Replied { outcome, .. } = entry.event else { continue };
            let answered = self.0.iter().find(|one| Some(one.id) == entry.delivery);
            let before = || requests.iter().rev().copied().find(|one| one.queued_at <= entry.at);
            let Some(desk) = answered.or_else(before).map(|one| one.to.as_str()) else { continue };
            let asked_since = || requests.iter().any(|one| one.to == desk && one.queued_at > entry.at);
            if outcome == ReplyOutcome::WrongRecipient && !asked_since() {
                wrong.insert(desk, entry.at);
            } else if says_it_is_theirs(outcome) {
                wrong.remove(desk);
            }
        }
        wrong
    }

    /// The deliveries by which each desk has something of a referral, or may have: of each desk the one by which it is best told more,
    /// the request before its pages. Without those that were told since not to act on it, and those that it is not for.
    fn desks_with_it(&self, referral: &Referral) -> Vec<&Delivery> {
        let wrong = self.wrong_desks(referral);
        let has = |delivery: &&Delivery| {
            matches!(delivery.purpose, Purpose::ConfirmationRequest | Purpose::Pages | Purpose::Update)
                && delivery.may_have_arrived()
                && !wrong.contains_key(delivery.to.as_str())
                && !self.is_taken_back(delivery)
        };
        let mut arrived: Vec<&Delivery> = self.0.iter().filter(has).collect();
        arrived.sort_by_key(|delivery| delivery.purpose != Purpose::ConfirmationRequest);
        let mut desks: Vec<&Delivery> = Vec::new();
        for delivery in arrived {
            if !desks.iter().any(|desk| desk.to == delivery.to) {
                desks.push(delivery);
            }
        }
        desks
    }

    /// Whether its desk was told since not to act on it.
    fn is_taken_back(&self, asked: &Delivery) -> bool {
        self.0.iter().any(|told| {
            told.purpose == Purpose::Withdrawal
                && !matches!(told.state, DeliveryState::Withdrawn | DeliveryState::Dead)
                && told.to == asked.to
                && told.queued_at >= asked.queued_at
        })
    }
}

fn has_not_left(delivery: &Delivery) -> bool {
    matches!(delivery.state, DeliveryState::Queued | DeliveryState::InFlight)
}

/// Whether a desk was asked by it, or is about to be.
fn asks(delivery: &Delivery) -> bool {
    delivery.purpose == Purpose::ConfirmationRequest
        && matches!(delivery.state, DeliveryState::Queued | DeliveryState::InFlight | DeliveryState::Sent)
}

fn target(desk: &Delivery) -> RouteTarget {
    RouteTarget { through: desk.through.clone(), to: desk.to.clone() }
}

/// Whether whoever says so acts on the referral.
pub(super) fn says_it_is_theirs(outcome: ReplyOutcome) -> bool {
    use ReplyOutcome::{Accepted, Completed, NeedsInformation, NoShow, Received, Scheduled};
    matches!(outcome, Accepted | Completed | NeedsInformation | NoShow | Received | Scheduled)
}

/// What tells every desk how a referral stands now.
#[derive(Default)]
pub(super) struct Updates {
    /// Letters that have not left: composed anew, they say it all.
    pub(super) recompose: Vec<DeliveryId>,
    /// New ones, to desks that have the former ones.
    pub(super) new: Vec<Delivery>,
}
