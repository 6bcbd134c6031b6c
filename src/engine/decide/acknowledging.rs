//! Who sent a message is told what became of it: by the letter that acknowledges it, or in the person's list that nobody was told.

use jiff::SignedDuration;

use super::{super::route, Desk, SENDER};
use crate::{
    delivery::{Delivery, Purpose},
    ids::ReferralId,
    message::{Acknowledgement, Protocol},
    normalize::Kind,
    referral::{Problem, Referral},
    store::{DeliveryFilter, StoreError},
};

/// How long a sender of what is not clear is not told so again.
const ANSWERED_PAUSE_SECONDS: i64 = 3_600;

/// How many of the latest deliveries are looked at for that.
const ANSWERED_LOOK_BACK_MAX: usize = 500;

impl Desk<'_> {
    /// Nobody waits for an acknowledgement of a reply, a bounce or a report. Who sent what a person must look at is told that, once an hour
    /// at most.
    pub(super) fn settle_acknowledgement(&mut self) -> Result<(), StoreError> {
        if self.message.protocol == Protocol::Hl7 || self.message.acknowledgement != Acknowledgement::Owed {
            return Ok(());
        }
        self.message.acknowledgement = match self.message.kind {
            // Queued, or settled above.
            Some(Kind::Referral) => Acknowledgement::Owed,
            Some(Kind::Unknown | Kind::Refused | Kind::Batch) | None => {
                let way = self.channel.acknowledge.through.clone().zip(self.way_back(None)).filter(|_| self.is_answered);
                if let Some((through, to)) = way
                    && !self.was_answered_lately(&to)?
                {
                    self.owe(Purpose::Acknowledgement, through, to, None);
                    return Ok(());
                }
                let text = "its sender was told nothing, as it is not clear what it is: call them, if they wait for an answer";
                self.message.problems.push(Problem::new("not-acknowledged", text));
                Acknowledgement::Undelivered
            }
            Some(Kind::Reply | Kind::Report | Kind::AutoReply | Kind::Bounce | Kind::Document | Kind::Acknowledgement) => {
                Acknowledgement::NotOwed
            }
        };
        Ok(())
    }

    /// Whether this sender was told within the hour that a person reads what they sent.
    fn was_answered_lately(&self, to: &str) -> Result<bool, StoreError> {
        let since = self.now - SignedDuration::from_secs(ANSWERED_PAUSE_SECONDS);
        let latest = self.store.deliveries(&DeliveryFilter { limit: ANSWERED_LOOK_BACK_MAX, ..DeliveryFilter::default() })?;
        let told = |one: &&Delivery| {
            one.purpose == Purpose::Acknowledgement && one.referral.is_none() && one.to == to && one.queued_at > since
        };
        for one in latest.iter().filter(told) {
            let message = one.message.map(|id| self.store.message(id)).transpose()?.flatten();
            if to != SENDER || message.is_some_and(|message| message.sender == self.message.sender) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Queues the acknowledgement to a sender by fax or mail. HL7 is answered on its own connection.
    pub(in super::super) fn acknowledge(&mut self, referral: Option<&Referral>) {
        self.acknowledge_as(referral, referral.map(|referral| referral.id));
    }

    /// Of what was probably sent before: the sender is told once more of the referral that it made then, not of a new one.
    pub(in super::super) fn acknowledge_again(&mut self, referral: &Referral, earlier: ReferralId) {
        self.acknowledge_as(Some(referral), Some(earlier));
    }

    fn acknowledge_as(&mut self, referral: Option<&Referral>, about: Option<ReferralId>) {
        if self.message.protocol == Protocol::Hl7 || self.message.acknowledgement != Acknowledgement::Owed {
            return;
        }
        let Some(through) = self.channel.acknowledge.through.clone() else {
            self.message.acknowledgement = Acknowledgement::NotOwed;
            return;
        };
        match self.way_back(referral) {
            Some(to) => self.owe(Purpose::Acknowledgement, through, to, about),
            None => {
                self.message.acknowledgement = Acknowledgement::Undelivered;
                let text = "no acknowledgement was sent: no entry of channels/site/directory.toml has this sender's fax number or address";
                self.message.problems.push(Problem::new("no-way-back", text));
            }
        }
    }

    /// The configured destination that this message's sender is answered at.
    fn way_back(&self, referral: Option<&Referral>) -> Option<String> {
        let referring = referral.map(|referral| &referral.record.referring);
        route::way_back(self.config, &self.channel.acknowledge, &self.message, referring)
    }
}
