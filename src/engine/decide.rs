//! What one message's [`Outcome`]s mean for the store: the referrals made or changed, what is owed to whom, the message's rest.
//!
//! It reads the store and writes nothing: the [`Decision`] is handed to one transaction. Where something it read has changed by
//! then, the store says `Stale` and it is computed again.

use std::collections::{BTreeSet, VecDeque};

use jiff::Timestamp;

use super::{Context, replies, route, suspension::Suspensions};
use crate::{
    config::{Config, InboundChannel, RouteTarget},
    delivery::{Delivery, DeliveryState, Purpose},
    ids::{ChannelName, ReferralId},
    message::{Acknowledgement, Message, Protocol, State},
    normalize::{Event, Kind, Outcome},
    referral::{HeldReason, HistoryEntry, HistoryEvent, Problem, Record, Reference, Referral, Source, Status},
    store::{Decision, DeliveryFilter, ReferralWrite, Store, StoreError},
};

/// One outcome, with what the store is asked for it.
#[derive(Clone)]
pub(crate) struct Found {
    /// What it is.
    pub(crate) outcome: Outcome,
    /// The keys its referral is known by, best first.
    pub(super) keys: Vec<String>,
    /// Why a reply must not be acted on without a person; absent: it may.
    pub(super) doubt: Option<&'static str>,
}

/// What was decided of one message.
pub(super) struct Decided {
    /// What the store shall write.
    pub(super) decision: Decision,
    /// The referral's reference, for the answer.
    pub(super) reference: Option<Reference>,
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
    reference: Option<Reference>,
    unknown_referral: bool,
    keys_taken: BTreeSet<String>,
    /// The referrals that this very message made when it was processed before.
    made_before: VecDeque<ReferralId>,
}

/// Decides what becomes of a message that holds these.
///
/// # Errors
/// The store cannot be read.
pub(super) fn decide(
    context: &Context,
    config: &Config,
    channel: &InboundChannel,
    message: Message,
    found: Vec<Found>,
) -> Result<Decided, StoreError> {
    let mut desk = Desk {
        store: &context.store,
        suspensions: &context.suspensions,
        config,
        channel,
        now: Timestamp::now(),
        message,
        decision: Decision::default(),
        reference: None,
        unknown_referral: false,
        keys_taken: BTreeSet::new(),
        made_before: VecDeque::new(),
    };
    desk.made_before = std::mem::take(&mut desk.message.referrals).into();
    desk.message.kind = found.first().map(|first| first.outcome.kind);
    desk.message.event = found.first().and_then(|first| first.outcome.event);
    desk.message.state = State::Processed;
    desk.message.reason = None;
    for one in found {
        desk.take(one)?;
    }
    desk.settle_acknowledgement();
    let Desk { message, mut decision, reference, unknown_referral, .. } = desk;
    decision.message = Some(message);
    Ok(Decided { decision, reference, unknown_referral })
}

impl Desk<'_> {
    fn take(&mut self, found: Found) -> Result<(), StoreError> {
        let Found { outcome, keys, doubt } = found;
        let Outcome { kind, event, record, reply, bounce, problems, items, contents, .. } = outcome;
        self.message.problems.extend(problems);
        self.decision.bodies.extend(contents);
        match (kind, record) {
            (Kind::Referral, Some(record)) => match event.unwrap_or(Event::New) {
                Event::New => self.refer(record, &keys),
                Event::Change => self.change_known(record, &keys),
                Event::Cancel => self.cancel(&keys),
                Event::StatusRequest => self.tell_status(&keys),
            },
            (Kind::Reply, _) => match reply {
                Some(reply) => replies::take(self, reply, &keys, doubt),
                None => self.hold_message("a reply without content"),
            },
            (Kind::Report, record) => self.close_loop(record, reply.and_then(|reply| reply.reference), &keys),
            (Kind::AutoReply, _) => replies::keep_automatic(self, reply.as_ref()),
            (Kind::Bounce, _) => match bounce {
                Some(bounce) => replies::bounced(self, &bounce),
                None => self.hold_message("a bounce that names no recipient"),
            },
            (Kind::Document | Kind::Acknowledgement, _) => Ok(()),
            (Kind::Batch, _) => {
                for item in items {
                    self.take(Found { outcome: item, keys: Vec::new(), doubt: None })?;
                }
                Ok(())
            }
            (Kind::Unknown | Kind::Referral, _) => self.hold_message("a person must look: it is not clear what this message is"),
            (Kind::Refused, _) => {
                self.message.state = State::Failed;
                let why = self.message.problems.last().map(|problem| problem.message.clone());
                self.message.reason =
                    Some(format!("refused: {}", why.as_deref().unwrap_or("it is no message that is taken here")));
                Ok(())
            }
        }
    }

    /// Nobody waits for an acknowledgement of a reply, a bounce or a report; of what a person must look at, the person tells.
    fn settle_acknowledgement(&mut self) {
        if self.message.protocol == Protocol::Hl7 || self.message.acknowledgement != Acknowledgement::Owed {
            return;
        }
        self.message.acknowledgement = match self.message.kind {
            // Queued, or settled above.
            Some(Kind::Referral) => Acknowledgement::Owed,
            Some(Kind::Unknown | Kind::Refused | Kind::Batch) | None => Acknowledgement::Undelivered,
            Some(Kind::Reply | Kind::Report | Kind::AutoReply | Kind::Bounce | Kind::Document | Kind::Acknowledgement) => {
                Acknowledgement::NotOwed
            }
        };
    }

    pub(super) fn hold_message(&mut self, why: &str) -> Result<(), StoreError> {
        self.message.state = State::Held;
        self.message.reason = Some(why.to_owned());
        Ok(())
    }

    pub(super) fn message(&self) -> &Message {
        &self.message
    }

    pub(super) fn decision(&mut self) -> &mut Decision {
        &mut self.decision
    }

    /// The referral that one of these keys names.
    pub(super) fn known(&self, keys: &[String]) -> Result<Option<Referral>, StoreError> {
        for key in keys {
            if let Some(referral) = self.store.referral_by_key(key)? {
                return Ok(Some(referral));
            }
        }
        Ok(None)
    }

    /// A history entry of this message.
    pub(super) fn entry(&self, event: HistoryEvent) -> HistoryEntry {
        HistoryEntry {
            at: self.now,
            event,
            by: format!("channel {}", self.channel.name),
            message: Some(self.message.id),
            delivery: None,
        }
    }

    /// Writes a referral that was read from the store and changed since.
    pub(super) fn write(&mut self, mut referral: Referral, keys: Vec<String>) {
        let read_version = Some(referral.version);
        referral.sources.push(self.source());
        self.note(&referral);
        self.decision.referrals.push(ReferralWrite { referral, read_version, keys });
    }

    fn source(&self) -> Source {
        Source { channel: self.channel.name.clone(), message: self.message.id, received_at: self.message.received_at }
    }

    /// Notes that the message is about this referral, without a change to it.
    pub(super) fn link(&mut self, referral: &Referral) {
        self.note(referral);
    }

    fn note(&mut self, referral: &Referral) {
        self.reference = Some(referral.reference.clone());
        if !self.message.referrals.contains(&referral.id) {
            self.message.referrals.push(referral.id);
        }
    }

    /// A new referral, or what its sender says of it again.
    fn refer(&mut self, mut record: Record, keys: &[String]) -> Result<(), StoreError> {
        if let Some(known) = self.known(keys)? {
            return self.change(known, record);
        }
        // A replayed document makes no second referral: what is read of it now is a new version of the one it made before.
        if let Some(before) = self.made_before.pop_front()
            && let Some(known) = self.store.referral(before)?
        {
            return self.change(known, record);
        }
        let mut taken: Vec<String> = keys.iter().filter(|key| !self.keys_taken.contains(*key)).cloned().collect();
        self.find_twin(&mut record, &mut taken)?;
        let mut referral = self.new_referral(record);
        let target = self.destination(&mut referral.record)?;
        if let (true, Some(target)) = (referral.record.held.is_empty(), target) {
            self.ask(&target, referral.id);
        } else {
            let held = self.entry(HistoryEvent::Held);
            referral.record_event(held);
        }
        self.acknowledge(Some(&referral));
        self.note(&referral);
        self.keys_taken.extend(taken.iter().cloned());
        self.decision.referrals.push(ReferralWrite { referral, read_version: None, keys: taken });
        Ok(())
    }

    /// Notices a referral of the same patient to the same specialty that is open already.
    ///
    /// An HL7 sender says by its own number which referral is meant, so there only paper and mail are held.
    fn find_twin(&mut self, record: &mut Record, keys: &mut Vec<String>) -> Result<(), StoreError> {
        let Some(key) = likeness_key(record) else { return Ok(()) };
        let twin = self.store.referral_by_key(&key)?;
        if twin.is_none() && !self.keys_taken.contains(&key) {
            keys.push(key);
            return Ok(());
        }
        if self.message.protocol != Protocol::Hl7 {
            record.hold(HeldReason::PossibleDuplicate);
            let other = twin.map_or_else(|| "in the same message".to_owned(), |twin| twin.reference.to_string());
            let text =
                format!("the same patient was referred to the same specialty before ({other}): merge them, or confirm this one");
            record.problems.push(Problem::new("possible-duplicate", text));
        }
        Ok(())
    }

    fn new_referral(&self, record: Record) -> Referral {
        let mut referral = Referral {
            id: ReferralId::generate(),
            reference: Reference::generate(),
            status: Status::New,
            version: 0,
            record,
            pending_reply: None,
            sources: vec![self.source()],
            history: Vec::new(),
        };
        let filler = crate::referral::Identifier {
            value: referral.reference.to_string(),
            authority: Some("LOOPLINE".to_owned()),
            found_in: None,
        };
        referral.record.identifiers.filler.get_or_insert(filler);
        referral.record_event(self.entry(HistoryEvent::Received));
        referral
    }

    fn owe(&mut self, purpose: Purpose, through: ChannelName, to: String, referral: Option<ReferralId>) {
        let mut delivery = Delivery::queued(purpose, through, to, self.now);
        delivery.referral = referral;
        delivery.message = Some(self.message.id);
        self.decision.deliveries.push(delivery);
    }

    /// Where the request goes; none: the referral is held, with what to do.
    fn destination(&self, record: &mut Record) -> Result<Option<RouteTarget>, StoreError> {
        let target = route::destination(self.config, self.channel, record);
        let advice = match &target {
            None => {
                "no destination fits: add the specialist to channels/site/directory.toml or the specialty to [route]".to_owned()
            }
            Some(target) => match self.suspensions.of(self.store, &target.to)? {
                Some(reference) => suspended(&target.to, &reference),
                None => return Ok(Some(target.clone())),
            },
        };
        record.hold(HeldReason::NoRoute);
        record.problems.push(Problem::new("no-route", advice));
        Ok(None)
    }

    fn ask(&mut self, target: &RouteTarget, referral: ReferralId) {
        self.decision.deliveries.extend(route::requests(self.config, target, referral, self.now));
    }

    /// Queues the acknowledgement to a sender by fax or mail. HL7 is answered on its own connection.
    pub(super) fn acknowledge(&mut self, referral: Option<&Referral>) {
        if self.message.protocol == Protocol::Hl7 || self.message.acknowledgement != Acknowledgement::Owed {
            return;
        }
        let Some(through) = self.channel.acknowledge.through.clone() else {
            self.message.acknowledgement = Acknowledgement::NotOwed;
            return;
        };
        match self.way_back(referral) {
            Some(to) => self.owe(Purpose::Acknowledgement, through, to, referral.map(|referral| referral.id)),
            None => {
                self.message.acknowledgement = Acknowledgement::Undelivered;
                let text = "no acknowledgement was sent: no entry of channels/site/directory.toml has this sender's fax number or address";
                self.message.problems.push(Problem::new("no-way-back", text));
            }
        }
    }

    /// The configured destination that this message's sender is answered at.
    fn way_back(&self, referral: Option<&Referral>) -> Option<String> {
        let acknowledge = &self.channel.acknowledge;
        if let Some(to) = &acknowledge.to {
            return Some(to.clone());
        }
        match self.message.protocol {
            Protocol::Hl7 => None,
            Protocol::Document => route::entry_by_fax(self.config, &referral?.record.referring).map(str::to_owned),
            Protocol::Mail => {
                let sender = self.message.sender.as_deref()?;
                let listed = acknowledge.senders.iter().any(|known| known.eq_ignore_ascii_case(sender));
                let entry = route::entry_by_email(self.config, sender).map(str::to_owned);
                entry.or_else(|| listed.then(|| SENDER.to_owned()))
            }
        }
    }

    fn change_known(&mut self, record: Record, keys: &[String]) -> Result<(), StoreError> {
        match self.known(keys)? {
            Some(known) => self.change(known, record),
            None => self.unknown(),
        }
    }

    fn unknown(&mut self) -> Result<(), StoreError> {
        self.unknown_referral = true;
        self.hold_message("it is about a referral that is not known here")
    }

    /// The sender says something else of a referral that is known: a new version of it.
    fn change(&mut self, mut known: Referral, record: Record) -> Result<(), StoreError> {
        let stands = std::mem::take(&mut known.record);
        let same = same_content(&stands, &record);
        known.record = merged(stands, record);
        if same {
            // Sent again under a new control id: the sender is told again, nothing else follows.
            self.note(&known);
            return Ok(());
        }
        let event = self.entry(HistoryEvent::Changed);
        known.record_event(event);
        if let Some(asked) = asked(self.store, known.id)? {
            if asked.state == DeliveryState::Sent {
                self.owe(Purpose::Update, asked.through, asked.to, Some(known.id));
            }
        } else if known.record.held.is_empty()
            && known.status == Status::New
            && let Some(target) = self.destination(&mut known.record)?
        {
            self.ask(&target, known.id);
        }
        self.write(known, Vec::new());
        Ok(())
    }

    /// Cancel *requested*: what is queued is withdrawn, who was asked is told.
    fn cancel(&mut self, keys: &[String]) -> Result<(), StoreError> {
        let Some(mut known) = self.known(keys)? else { return self.unknown() };
        let event = self.entry(HistoryEvent::CancelRequested);
        known.record_event(event);
        if let Some(asked) = asked(self.store, known.id)? {
            match asked.state {
                DeliveryState::Sent | DeliveryState::InFlight => {
                    self.owe(Purpose::Withdrawal, asked.through, asked.to, Some(known.id));
                }
                DeliveryState::Queued | DeliveryState::Dead | DeliveryState::Withdrawn => self.decision.withdraw.push(asked.id),
            }
        }
        self.write(known, Vec::new());
        Ok(())
    }

    fn tell_status(&mut self, keys: &[String]) -> Result<(), StoreError> {
        match self.known(keys)? {
            Some(known) => {
                self.note(&known);
                Ok(())
            }
            None => self.unknown(),
        }
    }

    fn close_loop(&mut self, record: Option<Record>, reference: Option<String>, keys: &[String]) -> Result<(), StoreError> {
        let by_reference = match reference.and_then(|text| text.parse::<Reference>().ok()) {
            Some(reference) => self.store.referral_by_reference(&reference)?,
            None => None,
        };
        let known = match by_reference {
            Some(known) => Some(known),
            None => self.known(keys)?,
        };
        let Some(mut known) = known else {
            return self.hold_message("a report, but it is not clear for which referral");
        };
        if let Some(record) = record {
            known.record.attachments.extend(record.attachments);
            known.record.notes.extend(record.notes);
        }
        let event = self.entry(HistoryEvent::Reported);
        known.record_event(event);
        self.write(known, Vec::new());
        Ok(())
    }
}

/// The delivery by which the specialist was asked, or is about to be.
pub(super) fn asked(store: &Store, referral: ReferralId) -> Result<Option<Delivery>, StoreError> {
    let filter = DeliveryFilter { referral: Some(referral), ..DeliveryFilter::default() };
    Ok(store.deliveries(&filter)?.into_iter().find(|delivery| {
        delivery.purpose == Purpose::ConfirmationRequest
            && matches!(delivery.state, DeliveryState::Queued | DeliveryState::InFlight | DeliveryState::Sent)
    }))
}

/// Why nothing is sent to an entry, and what to do.
pub(super) fn suspended(entry: &str, reference: &Reference) -> String {
    format!(
        "{entry} said that {reference} is not theirs: correct the directory, then settle {reference}; until then nothing is sent there"
    )
}

/// A delivery's `to` for the address that the message came from.
pub(super) const SENDER: &str = "sender";

/// The same person referred to the same specialty: a key that a second such referral is noticed by.
fn likeness_key(record: &Record) -> Option<String> {
    let patient = &record.patient;
    let family = fold(patient.name.family.as_deref()?);
    let given = fold(patient.name.given.as_deref()?);
    let born = patient.birth_date.as_ref()?.as_str();
    let target = record.referred_to.specialty.as_deref().or(record.referred_to.organization.as_deref())?;
    Some(format!("like|{family}|{given}|{born}|{}", fold(target)))
}

fn fold(text: &str) -> String {
    text.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect()
}

/// Whether two records say the same of the referral; how they were read does not count.
fn same_content(one: &Record, other: &Record) -> bool {
    let bare = |record: &Record| {
        let mut bare = record.clone();
        bare.evidence.clear();
        bare.problems.clear();
        bare.review.clear();
        bare.held.clear();
        bare.identifiers.filler = None;
        bare.appointment = None;
        bare
    };
    bare(one) == bare(other)
}

/// The new record, with what only we or the specialist know of the old one.
fn merged(old: Record, new: Record) -> Record {
    let mut merged = new;
    merged.identifiers.filler = old.identifiers.filler.or(merged.identifiers.filler);
    merged.appointment = merged.appointment.or(old.appointment);
    // What holds it for another reason than its content holds it still.
    for reason in old.held {
        match reason {
            HeldReason::BlockingField | HeldReason::PriorityUnknown | HeldReason::NoRoute | HeldReason::Deceased => {}
            HeldReason::PossibleDuplicate
            | HeldReason::SecondPatient
            | HeldReason::DeadDelivery
            | HeldReason::UnclearReply
            | HeldReason::WrongRecipient
            | HeldReason::NotReceived => merged.hold(reason),
        }
    }
    for attachment in old.attachments {
        if !merged.attachments.contains(&attachment) {
            merged.attachments.push(attachment);
        }
    }
    merged
}
