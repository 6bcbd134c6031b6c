//! What one message's [`Outcome`]s mean for the store: the referrals made or changed, what is owed to whom, the message's rest.
//!
//! It reads the store and writes nothing: the [`Decision`] is handed to one transaction. Where something it read has changed by
//! then, the store says `Stale` and it is computed again.

mod acknowledging;

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, VecDeque},
};

use jiff::{SignedDuration, Timestamp};

use super::{
    Context, answers, assignment, came_back, forward, referring, replies, reports, route, sameness, suspension::Suspensions,
};
use crate::{
    config::{Config, InboundChannel, RouteTarget},
    delivery::{Delivery, Purpose},
    ids::{BodyId, ChannelName, ReferralId},
    inbound::InboundConfig,
    message::{Message, State},
    normalize::{Event, Kind, Outcome, hl7::ReferralKey},
    referral::{Attachment, HeldReason, HistoryEntry, HistoryEvent, Problem, Record, Reference, Referral, Source, Status},
    store::{Decision, ReferralWrite, Store, StoreError},
};

/// How often a message looks again whether the referral that it is about has come.
const LOOK_AGAIN_SECONDS: i64 = 15;

/// How many merges are followed from a number to the referral that stays.
const MERGES_MAX: usize = 8;

/// One outcome, with what the store is asked for it.
#[derive(Clone)]
pub(crate) struct Found {
    /// What it is.
    pub(crate) outcome: Outcome,
    /// The keys its referral is known by, best first.
    pub(super) keys: Vec<ReferralKey>,
    /// When its sender says that it was written, for HL7.
    pub(super) written_at: Option<Timestamp>,
    /// Why a reply must not be acted on without a person; absent: it may.
    pub(super) doubt: Option<&'static str>,
    /// How long it may wait for a referral that is not known yet, in seconds from its arrival.
    pub(super) wait_seconds: u32,
    /// Whether its sender is answered though no referral comes of it. Not one who answers something, or a program: two programs would
    /// write to each other for ever.
    pub(super) is_answered: bool,
}

/// What was decided of one message.
pub(super) struct Decided {
    /// What the store shall write.
    pub(super) decision: Decision,
    /// How the referral stands then, for the answer.
    pub(super) standing: Option<(Reference, Status)>,
    /// What no code of the answer says, in plain words and without patient data.
    pub(super) remark: Option<String>,
    /// It asks about a referral that is not known (HL7: AE 204); nothing was decided.
    pub(super) unknown_referral: bool,
}

/// The message at hand and what it is decided by.
pub(super) struct Desk<'a> {
    pub(super) store: &'a Store,
    suspensions: &'a Suspensions,
    pub(super) config: &'a Config,
    pub(super) channel: &'a InboundChannel,
    pub(super) now: Timestamp,
    message: Message,
    decision: Decision,
    standing: Option<(Reference, Status)>,
    remark: Option<String>,
    unknown_referral: bool,
    wait_seconds: u32,
    written_at: Option<Timestamp>,
    is_answered: bool,
    keys_taken: BTreeMap<String, ReferralId>,
    /// Keys that were found to be of referrals in the store.
    keys_owned: RefCell<BTreeSet<String>>,
    /// The referrals that this very message made when it was processed before.
    made_before: VecDeque<ReferralId>,
    /// The page images of this message, whichever of its documents they belong to.
    page_images: BTreeSet<BodyId>,
}

/// Decides what becomes of a message that holds these.
///
/// # Errors
/// The store cannot be read.
pub(super) fn decide(
    context: &Context,
    config: &Config,
    channel: &InboundChannel,
    mut message: Message,
    found: Vec<Found>,
) -> Result<Decided, StoreError> {
    let found = assignment::applied(&mut message, found);
    let mut desk = Desk {
        store: &context.store,
        suspensions: &context.suspensions,
        config,
        channel,
        now: Timestamp::now(),
        message,
        decision: Decision::default(),
        standing: None,
        remark: None,
        unknown_referral: false,
        wait_seconds: 0,
        written_at: None,
        is_answered: found.iter().any(|one| one.is_answered),
        keys_taken: BTreeMap::new(),
        keys_owned: RefCell::default(),
        made_before: VecDeque::new(),
        page_images: page_images(&found),
    };
    desk.made_before = std::mem::take(&mut desk.message.referrals).into();
    desk.message.kind = found.first().map(|first| first.outcome.kind);
    desk.message.event = found.first().and_then(|first| first.outcome.event);
    desk.message.state = State::Processed;
    desk.message.reason = None;
    desk.message.returned.clear();
    desk.message.pages.clear();
    for one in found {
        desk.take(one)?;
    }
    desk.settle_acknowledgement()?;
    let Desk { message, mut decision, standing, mut remark, unknown_referral, now, .. } = desk;
    if let Some(remark_on_it) = acknowledging::remark(&message, &decision) {
        remark.get_or_insert_with(|| remark_on_it.to_owned());
    }
    forward::follow(&context.store, config, &mut decision, now)?;
    decision.message = Some(message);
    Ok(Decided { decision, standing, remark, unknown_referral })
}

impl Desk<'_> {
    fn take(&mut self, found: Found) -> Result<(), StoreError> {
        let Found { outcome, keys, written_at, doubt, wait_seconds, is_answered: _ } = found;
        (self.wait_seconds, self.written_at) = (wait_seconds, written_at);
        let Outcome { kind, event, record, reply, bounce, refused, problems, pages, items, contents, .. } = outcome;
        self.message.problems.extend(problems);
        self.decision.bodies.extend(contents);
        self.message.pages.extend(pages);
        // What a person assigned is about what they say.
        let is_assigned = self.message.assigned.is_some();
        if let Some(delivery) = self.message.answers.filter(|_| !is_assigned) {
            return answers::take(self, delivery, kind, reply, record, &keys);
        }
        let event = event.unwrap_or(Event::New);
        let is_answer = is_assigned || matches!(kind, Kind::Reply | Kind::Report | Kind::Acknowledgement);
        if self.channel.inbound == InboundConfig::Answers && !is_answer {
            return self.hold_message("it came on a connection that we opened, and is no answer to a referral: read it");
        }
        let moves_a_known_one = kind == Kind::Report || (kind == Kind::Referral && event != Event::New);
        if let (true, Some(doubt)) = (moves_a_known_one, doubt) {
            return self.hold_message(doubt);
        }
        match (kind, record) {
            (Kind::Referral, Some(record)) => match event {
                Event::New => referring::refer(self, record, &keys),
                Event::Change => referring::change_known(self, record, &keys),
                Event::Cancel => referring::cancel(self, &record, &keys),
                Event::StatusRequest => referring::tell_status(self, &record, &keys),
            },
            (Kind::Reply, record) => match reply {
                Some(reply) => {
                    self.message.returned.extend(reply.page.as_deref().cloned());
                    replies::take(self, reply, record, &keys, doubt)
                }
                None => self.hold_message("a reply without content"),
            },
            (Kind::Report, record) => reports::close_loop(self, reply, record, &keys),
            (Kind::AutoReply, _) => replies::keep_automatic(self, reply.as_ref()),
            (Kind::Bounce, _) => match bounce {
                Some(bounce) => came_back::bounced(self, &bounce),
                None => self.hold_message("a bounce that names no recipient"),
            },
            (Kind::Document, record) => reports::keep_document(self, reply.as_ref(), record, &keys),
            (Kind::Acknowledgement, _) => refused.map_or(Ok(()), |answer| came_back::refused_late(self, &answer)),
            (Kind::Batch, _) => {
                for item in items {
                    self.take(Found { doubt, ..Found::of(item) })?;
                }
                Ok(())
            }
            (Kind::Unknown | Kind::Referral, _) => {
                self.hold_message(doubt.unwrap_or("a person must look: it is not clear what this message is"))
            }
            (Kind::Refused, _) => {
                self.message.state = State::Failed;
                let why = self.message.problems.last().map(|problem| problem.message.clone());
                self.message.reason =
                    Some(format!("refused: {}", why.as_deref().unwrap_or("it is no message that is taken here")));
                Ok(())
            }
        }
    }

    pub(super) fn hold_message(&mut self, why: &str) -> Result<(), StoreError> {
        self.message.state = State::Held;
        self.message.reason = Some(why.to_owned());
        Ok(())
    }

    /// Says beside the message why nothing followed from it.
    pub(super) fn explain(&mut self, why: &str) {
        self.message.reason = Some(why.to_owned());
    }

    pub(super) fn message(&self) -> &Message {
        &self.message
    }

    pub(super) fn decision(&mut self) -> &mut Decision {
        &mut self.decision
    }

    /// The referral that this key names, as it stands with what this message has changed so far. One that was merged into another gives
    /// the one that stays.
    pub(super) fn find(&self, key: &str) -> Result<Option<Referral>, StoreError> {
        if let Some(pending) = self.keys_taken.get(key).and_then(|id| self.pending(*id)) {
            return self.surviving(pending.clone()).map(Some);
        }
        let Some(referral) = self.store.referral_by_key(key)? else { return Ok(None) };
        self.keys_owned.borrow_mut().insert(key.to_owned());
        self.surviving(referral).map(Some)
    }

    /// The referral that our message with this control id was about, likewise.
    pub(super) fn answered_by(&self, control_id: &str) -> Result<Option<Referral>, StoreError> {
        let delivery = self.store.delivery_of_control_id(control_id)?;
        match delivery.and_then(|delivery| delivery.referral).map(|id| self.store.referral(id)).transpose()?.flatten() {
            Some(referral) => self.surviving(referral).map(Some),
            None => Ok(None),
        }
    }

    /// The referral with this reference, likewise.
    pub(super) fn known_by_reference(&self, reference: &Reference) -> Result<Option<Referral>, StoreError> {
        match self.store.referral_by_reference(reference)? {
            Some(referral) => self.surviving(referral).map(Some),
            None => Ok(None),
        }
    }

    /// The referral with this id, likewise.
    pub(super) fn known_by_id(&self, id: ReferralId) -> Result<Option<Referral>, StoreError> {
        match self.store.referral(id)? {
            Some(referral) => self.surviving(referral).map(Some),
            None => Ok(None),
        }
    }

    /// Follows merges to the referral that stays.
    fn surviving(&self, mut referral: Referral) -> Result<Referral, StoreError> {
        for _ in 0..MERGES_MAX {
            // One that was opened again stands for itself.
            let last = referral.history.iter().rev().find_map(|entry| match &entry.event {
                HistoryEvent::Merged { into, .. } if *into != referral.reference.as_str() => Some(into.parse::<Reference>().ok()),
                HistoryEvent::Reopened => Some(None),
                _ => None,
            });
            match last.flatten() {
                Some(into) => match self.store.referral_by_reference(&into)? {
                    Some(stays) => referral = stays,
                    None => break,
                },
                None => break,
            }
        }
        Ok(self.pending(referral.id).cloned().unwrap_or(referral))
    }

    fn pending(&self, id: ReferralId) -> Option<&Referral> {
        self.decision.referrals.iter().map(|write| &write.referral).find(|referral| referral.id == id)
    }

    /// Whether this is a page that this very message brought, and not the one of its documents that is at hand.
    pub(super) fn is_page_of_message(&self, attachment: &Attachment) -> bool {
        attachment.page.is_some() && self.page_images.contains(&attachment.id)
    }

    /// Whether this very message was taken into account before: it is replayed.
    pub(super) fn is_replayed_on(&self, referral: &Referral) -> bool {
        referral.sources.iter().any(|source| source.message == self.message.id)
    }

    /// A history entry of this message.
    pub(super) fn entry(&self, event: HistoryEvent) -> HistoryEntry {
        HistoryEntry {
            at: self.now,
            event,
            by: match &self.message.assigned {
                Some(assigned) => format!("channel {}, assigned by {}", self.channel.name, assigned.by),
                None => format!("channel {}", self.channel.name),
            },
            message: Some(self.message.id),
            delivery: None,
        }
    }

    /// Writes a referral that was known and changed by this message.
    pub(super) fn write(&mut self, mut referral: Referral) {
        if !self.is_replayed_on(&referral) {
            referral.sources.push(self.source());
        }
        self.link(&referral);
        match self.decision.referrals.iter_mut().find(|write| write.referral.id == referral.id) {
            Some(write) => write.referral = referral,
            None => {
                let read_version = Some(referral.version);
                self.decision.referrals.push(ReferralWrite { referral, read_version, keys: Vec::new() });
            }
        }
    }

    /// Writes a referral likewise, which shall be found by these keys too, as far as they are nobody else's.
    pub(super) fn write_known_as(&mut self, referral: Referral, keys: &[ReferralKey]) -> Result<(), StoreError> {
        let mut free = Vec::new();
        for key in keys {
            match key {
                ReferralKey::Number { text, is_kept: true, .. } if self.find(text)?.is_none() => free.push(text.clone()),
                ReferralKey::Bare(number) => free.extend(self.free_named_key(number, &referral)?),
                ReferralKey::Number { .. } | ReferralKey::Answered(_) | ReferralKey::Own(_) => {}
            }
        }
        let id = referral.id;
        self.keys_taken.extend(free.iter().map(|key| (key.clone(), id)));
        self.write(referral);
        if let Some(write) = self.decision.referrals.iter_mut().find(|write| write.referral.id == id) {
            write.keys.extend(free);
        }
        Ok(())
    }

    /// Writes a new referral that shall be found by these keys, which were looked up, as far as they are nobody else's, and by others
    /// that are free.
    pub(super) fn write_new(
        &mut self,
        referral: Referral,
        keys: &[ReferralKey],
        mut others: Vec<String>,
    ) -> Result<(), StoreError> {
        for key in keys {
            match key {
                ReferralKey::Number { text, is_kept: true, .. } if !self.is_owned(text) => others.push(text.clone()),
                ReferralKey::Bare(number) => others.extend(self.free_named_key(number, &referral)?),
                ReferralKey::Number { .. } | ReferralKey::Answered(_) | ReferralKey::Own(_) => {}
            }
        }
        self.link(&referral);
        self.keys_taken.extend(others.iter().map(|key| (key.clone(), referral.id)));
        self.decision.referrals.push(ReferralWrite { referral, read_version: None, keys: others });
        Ok(())
    }

    fn is_owned(&self, key: &str) -> bool {
        self.keys_taken.contains_key(key) || self.keys_owned.borrow().contains(key)
    }

    /// The key that a referral is to be found by as this patient's with this number; none: it has one, or two others do.
    fn free_named_key(&self, number: &str, referral: &Referral) -> Result<Option<String>, StoreError> {
        for key in sameness::named_keys(number, &referral.record) {
            match self.find(&key)? {
                None => return Ok(Some(key)),
                Some(owner) if owner.id == referral.id => return Ok(None),
                Some(_) => {}
            }
        }
        Ok(None)
    }

    /// The next of the referrals that this message made when it was processed before.
    pub(super) fn next_made_before(&mut self) -> Result<Option<Referral>, StoreError> {
        while let Some(id) = self.made_before.pop_front() {
            let made_by_it = |known: &Referral| known.sources.first().is_some_and(|first| first.message == self.message.id);
            if let Some(known) = self.store.referral(id)?.filter(made_by_it) {
                return Ok(Some(known));
            }
        }
        Ok(None)
    }

    /// Whether one of this message's new referrals has the key already.
    pub(super) fn has_taken(&self, key: &str) -> bool {
        self.keys_taken.contains_key(key)
    }

    /// It asks about a referral that is not known. Messages overtake each other: where the channel says so it waits for the referral
    /// for a while, is taken meanwhile, and in the end a person looks.
    pub(super) fn unknown(&mut self) -> Result<(), StoreError> {
        let until = self.message.received_at + SignedDuration::from_secs(i64::from(self.wait_seconds));
        if self.now < until {
            self.message.state = State::Received;
            self.message.due_at = Some(until.min(self.now + SignedDuration::from_secs(LOOK_AGAIN_SECONDS)));
            self.message.attempts = 0;
            self.message.reason = Some("it waits for the referral that it is about".to_owned());
            self.say("the referral that it is about is not known here yet: it waits for it");
            self.problem("referral-not-known-yet", "it came before the referral that it is about, and waits for it");
            return Ok(());
        }
        self.unknown_referral = true;
        self.hold_message("it is about a referral that is not known here")
    }

    pub(super) fn source(&self) -> Source {
        let Message { id, received_at, .. } = self.message;
        Source { channel: self.channel.name.clone(), message: id, received_at, written_at: self.written_at }
    }

    /// Has the answer say something that no status code says.
    pub(super) fn say(&mut self, remark: impl Into<String>) {
        self.remark = Some(remark.into());
    }

    /// Notes something about the message itself.
    pub(super) fn problem(&mut self, code: &str, text: &str) {
        if !self.message.problems.iter().any(|known| known.code == code) {
            self.message.problems.push(Problem::new(code, text));
        }
    }

    /// Notes that the message is about this referral.
    pub(super) fn link(&mut self, referral: &Referral) {
        self.standing = Some((referral.reference.clone(), referral.status));
        if !self.message.referrals.contains(&referral.id) {
            self.message.referrals.push(referral.id);
        }
    }

    pub(super) fn owe(&mut self, purpose: Purpose, through: ChannelName, to: String, referral: Option<ReferralId>) {
        let mut delivery = Delivery::queued(purpose, through, to, self.now);
        delivery.referral = referral;
        delivery.message = Some(self.message.id);
        self.decision.deliveries.push(delivery);
    }

    /// Where the request goes; none: the referral is held, with what to do.
    pub(super) fn destination(&self, record: &mut Record) -> Result<Option<RouteTarget>, StoreError> {
        let target = route::destination(self.config, self.channel, record);
        let advice = match &target {
            None => {
                "no destination fits: add the specialist to channels/site/directory.toml or the specialty to [route]".to_owned()
            }
            Some(target) => match self.suspensions.of(self.store, &target.to)? {
                Some(reference) => suspended(&target.to, &reference),
                None => match route::objection(self.config, self.channel, record, target) {
                    Some(advice) => advice,
                    None => return Ok(Some(target.clone())),
                },
            },
        };
        record.hold(HeldReason::NoRoute);
        record.problems.push(Problem::new("no-route", advice));
        Ok(None)
    }

    pub(super) fn ask(&mut self, target: &RouteTarget, referral: ReferralId) {
        self.decision.deliveries.extend(route::to_specialist(
            self.config,
            Purpose::ConfirmationRequest,
            target,
            referral,
            self.now,
        ));
    }
}

fn page_images(found: &[Found]) -> BTreeSet<BodyId> {
    let records = found.iter().filter_map(|one| one.outcome.record.as_ref());
    records.flat_map(|record| &record.attachments).filter(|one| one.page.is_some()).map(|one| one.id.clone()).collect()
}

/// Why nothing is sent to an entry, and what to do.
pub(super) fn suspended(entry: &str, reference: &Reference) -> String {
    format!(
        "{entry} said that {reference} is not theirs: correct the directory, then settle {reference}; until then nothing is sent there"
    )
}

/// A delivery's `to` for the address that the message came from.
pub(super) const SENDER: &str = "sender";

#[cfg(test)]
pub(super) mod tests;
