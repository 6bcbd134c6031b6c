//! Who sent a message is told what became of it: by the letter that acknowledges it, or in the person's list that nobody was told.

use jiff::SignedDuration;

use super::{super::route, Desk, SENDER};
use crate::{
    delivery::{Delivery, Purpose},
    ids::ReferralId,
    message::{Acknowledgement, Message, Protocol, State},
    normalize::Kind,
    referral::{Problem, Referral},
    store::{Decision, DeliveryFilter, ReferralWrite, StoreError},
};

/// How long a sender of what is not clear is not told so again.
const ANSWERED_PAUSE_SECONDS: i64 = 3_600;

/// How many of the latest deliveries are looked at for that.
const ANSWERED_LOOK_BACK_MAX: usize = 500;

/// What the sender of a request is told that is held: our reason for it is advice to our own people.
const A_PERSON_READS_IT: &str = "a person here reads it first: nothing has followed from it yet";
/// What the sender of a referral is told that is held before anybody was asked.
const A_PERSON_LOOKS_AT_IT: &str = "a person here looks at it before a specialist is asked";
/// What the sender is told of a document that does not decode.
const LEFT_OUT: &str = "a document in it cannot be read and is left out: send the message again with a sound one";

/// What the answer to an HL7 request says beside its codes, where nothing else was to be said.
pub(super) fn remark(message: &Message, decision: &Decision) -> Option<&'static str> {
    let has = |code: &str| {
        let mut problems = decision.referrals.iter().flat_map(|write| &write.referral.record.problems);
        problems.any(|problem| problem.code == code)
    };
    let is_held = |write: &ReferralWrite| write.read_version.is_none() && !write.referral.record.held.is_empty();
    if message.protocol != Protocol::Hl7 || message.kind != Some(Kind::Referral) {
        None
    } else if message.state == State::Held {
        Some(A_PERSON_READS_IT)
    } else if has("attachment-unusable") {
        Some(LEFT_OUT)
    } else {
        decision.referrals.iter().any(is_held).then_some(A_PERSON_LOOKS_AT_IT)
    }
}

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
