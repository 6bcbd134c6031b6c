//! The delivering station: sends what is owed, one attempt at a time, and writes down how it went.
//!
//! # Design notes
//! A letter is composed here, at its first attempt, not when it was queued: a cover page costs some 20 ms of CPU, which an HL7
//! sender should not wait for, and what goes out is the referral as it then stands. It is stored before the first byte leaves, so
//! every further attempt sends the same bytes under the same name (Message-ID, file name), which is what makes sending again safe.

use std::{
    collections::BTreeMap,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::FutureExt;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{
    Context, answers,
    decide::suspended,
    hl7_letters,
    intake::Intake,
    letters,
    lines::{self, Lines},
    retry, settle,
    station::{self, Work},
    told::Letters,
};
use crate::{
    config::Config,
    delivery::{Content, Delivery, DeliveryState, Purpose},
    ids::{ChannelName, DeliveryId, Named},
    message::Acknowledgement,
    outbound::{
        Outbound, OutboundConfig, SendError, Sent,
        email::{EmailConfig, EmailOutbound},
        fax::FaxOutbound,
        mllp::{MllpConfig, MllpOutbound},
    },
    referral::{HeldReason, HistoryEntry, HistoryEvent, Reference, Referral, Status},
    store::{Decision, DeliveryFilter, ReferralWrite, StoreError},
};

/// How many deliveries of one channel are on the way at once.
const CHANNEL_ON_THE_WAY_MAX: usize = 4;
/// How long a settlement waits for a store that cannot write.
const STORE_PAUSE_SECONDS: u64 = 2;
/// How long a channel that is itself at fault rests.
const CHANNEL_PAUSE_SECONDS: i64 = 60;

/// What was in flight when the last process died is queued again: every connector here is safe to send again.
///
/// # Errors
/// The store cannot do it.
pub async fn requeue_interrupted(context: &Context) -> Result<(), StoreError> {
    for mut delivery in context.store.interrupted_deliveries()? {
        tracing::warn!(delivery = %delivery.id, channel = %delivery.through, "was being sent when the engine died; it is sent again under the same name");
        delivery.state = DeliveryState::Queued;
        delivery.ambiguous = true;
        delivery.due_at = Timestamp::now();
        delivery.reason = Some("the engine died while it was being sent; sent again under the same name".to_owned());
        context.store.settle_delivery(delivery, Decision::default()).await?;
    }
    Ok(())
}

/// Sends what is due until told to stop, then lets what is on the way finish.
pub async fn run(context: Context, shutdown: CancellationToken) {
    station::run(Arc::new(Delivering::new(context)), shutdown).await;
}

struct Delivering {
    context: Context,
    /// What is on the way, and through which channel.
    on_the_way: Mutex<BTreeMap<DeliveryId, ChannelName>>,
    mailers: Mutex<BTreeMap<ChannelName, (EmailConfig, Arc<EmailOutbound>)>>,
    senders: Mutex<BTreeMap<ChannelName, (MllpConfig, Arc<MllpOutbound>)>>,
    /// Takes what comes on the connections of MLLP channels and answers nothing that was sent.
    intake: Intake,
    lines: Mutex<Lines>,
}

impl Work for Delivering {
    type Id = DeliveryId;
    const WHAT: &'static str = "delivery";

    fn wake(&self) -> &Notify {
        self.context.store.delivery_wake()
    }

    fn at_once_max(&self) -> usize {
        self.context.config().outbound.len().max(1) * CHANNEL_ON_THE_WAY_MAX
    }

    /// Each channel has its own places, so that one that hangs or rests does not stall the others.
    fn due(&self, now: Timestamp, limit: usize) -> Result<(Vec<DeliveryId>, Option<Timestamp>), StoreError> {
        let mut look_at = limit;
        loop {
            let (due, next) = self.context.store.due_deliveries(now, look_at)?;
            let all = due.len() < look_at;
            let free = self.with_a_place(due, now)?;
            if all || !free.is_empty() {
                return Ok((free, next));
            }
            look_at = look_at.saturating_mul(8);
        }
    }

    async fn attempt(&self, id: DeliveryId) -> Result<(), StoreError> {
        let config = self.context.config();
        let Some(delivery) = self.context.store.delivery(id)? else { return Ok(()) };
        let _place = Place::take(self, &delivery);
        if self.is_pointless(&delivery)? {
            tracing::info!(delivery = %id, purpose = delivery.purpose.as_str(), "withdrawn: the referral was cancelled meanwhile, or the other side knows it as it stands");
            return self.withdraw(&delivery).await;
        }
        let delivery = match self.context.store.claim_delivery(id).await {
            // It was withdrawn since it was looked at.
            Err(StoreError::Refused { .. }) => return Ok(()),
            claimed => claimed?,
        };
        let sending = AssertUnwindSafe(self.send(&config, &delivery)).catch_unwind().await;
        let result = sending
            .unwrap_or_else(|_| Err(SendError::Ambiguous("a defect of loopline: sending broke off; report it".to_owned())));
        self.settle(&delivery, &config, &result).await
    }
}

/// A place on the way, given back when the attempt ends, however it ends.
struct Place<'a> {
    station: &'a Delivering,
    id: DeliveryId,
}

impl<'a> Place<'a> {
    fn take(station: &'a Delivering, delivery: &Delivery) -> Self {
        lock(&station.on_the_way).insert(delivery.id, delivery.through.clone());
        Self { station, id: delivery.id }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        lock(&self.station.on_the_way).remove(&self.id);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Delivering {
    fn new(context: Context) -> Self {
        let intake = Intake::new(context.clone());
        Self {
            context,
            on_the_way: Mutex::default(),
            mailers: Mutex::default(),
            senders: Mutex::default(),
            intake,
            lines: Mutex::default(),
        }
    }

    /// Those of the due deliveries whose channel has a place free and does not rest.
    fn with_a_place(&self, due: Vec<DeliveryId>, now: Timestamp) -> Result<Vec<DeliveryId>, StoreError> {
        let on_the_way = lock(&self.on_the_way).clone();
        let paused = self.context.pauses.now(now);
        let config = self.context.config();
        let store = &self.context.store;
        let mut lines = lock(&self.lines);
        lines.read(&config, store)?;
        let mut taken: BTreeMap<ChannelName, usize> = BTreeMap::new();
        for channel in on_the_way.values() {
            *taken.entry(channel.clone()).or_default() += 1;
        }
        let mut free = Vec::new();
        let rests = |channel: &ChannelName| paused.contains(channel);
        for id in due {
            if on_the_way.contains_key(&id) || lines.has(id) {
                continue;
            }
            let Some(delivery) = store.delivery(id)? else { continue };
            if lines::is_in_order(&config, &delivery.through) {
                lines.join(&delivery);
                continue;
            }
            let rests = rests(&delivery.through);
            let places = taken.entry(delivery.through).or_default();
            if !rests && *places < CHANNEL_ON_THE_WAY_MAX {
                *places += 1;
                free.push(id);
            }
        }
        let in_order = config.outbound.keys().filter(|channel| lines::is_in_order(&config, channel));
        for channel in in_order.filter(|channel| !rests(channel) && taken.get(*channel).is_none_or(|on_the_way| *on_the_way == 0))
        {
            free.extend(lines.next(store, channel, now)?);
        }
        Ok(free)
    }

    /// The MLLP connector of a channel, likewise.
    fn sender(&self, channel: &ChannelName, config: &MllpConfig) -> Arc<MllpOutbound> {
        let mut senders = lock(&self.senders);
        if let Some((made_for, sender)) = senders.get(channel)
            && made_for == config
        {
            return Arc::clone(sender);
        }
        let sender = Arc::new(MllpOutbound::new(channel.clone(), config, self.context.store.clone(), self.intake.clone()));
        senders.insert(channel.clone(), (config.clone(), Arc::clone(&sender)));
        sender
    }

    /// The mail connector of a channel: kept, as it holds open connections, and made anew when its configuration changed.
    fn mailer(&self, channel: &ChannelName, config: &EmailConfig) -> Result<Arc<EmailOutbound>, String> {
        let mut mailers = lock(&self.mailers);
        if let Some((made_for, mailer)) = mailers.get(channel)
            && made_for == config
        {
            return Ok(Arc::clone(mailer));
        }
        let mailer = EmailOutbound::new(config, self.context.store.clone()).map_err(|error| error.to_string())?;
        let mailer = Arc::new(mailer);
        mailers.insert(channel.clone(), (config.clone(), Arc::clone(&mailer)));
        Ok(mailer)
    }

    /// Whether this says what does not hold any more: the referral was cancelled or rejected since, or a withdrawal waited until the same
    /// desk was asked anew, or that desk got nothing before. What another system was told already, it is not told again, nor of the end
    /// of a referral that it never got.
    fn is_pointless(&self, delivery: &Delivery) -> Result<bool, StoreError> {
        let store = &self.context.store;
        let Some(referral) = delivery.referral.map(|id| store.referral(id)).transpose()?.flatten() else { return Ok(false) };
        let is_cancelled = hl7_letters::is_cancelled(referral.status);
        Ok(match delivery.purpose {
            Purpose::ConfirmationRequest | Purpose::Pages | Purpose::Update => is_cancelled,
            Purpose::Withdrawal => {
                let letters = Letters::of(store, referral.id)?;
                let asked_anew = |asked: &Delivery| asked.to == delivery.to && asked.queued_at > delivery.queued_at;
                !letters.may_have_reached(&delivery.to) || (!is_cancelled && letters.asked().is_some_and(asked_anew))
            }
            Purpose::Forward if delivery.attempts > delivery.excused => false,
            Purpose::Forward => match hl7_letters::handed_on(store, delivery)?.and_then(|before| before.content) {
                Some(Content::Hl7(before)) => before.says == Some(hl7_letters::says(&referral)),
                Some(Content::Email(_) | Content::Fax(_)) | None => is_cancelled,
            },
            Purpose::Status if delivery.attempts > delivery.excused => false,
            Purpose::Status => match hl7_letters::handed_on(store, delivery)?.and_then(|before| before.content) {
                Some(Content::Hl7(before)) => before.says == Some(hl7_letters::says_of_status(&referral)),
                Some(Content::Email(_) | Content::Fax(_)) | None => false,
            },
            Purpose::Acknowledgement => false,
        })
    }

    /// Takes back what says nothing any more. Where it had held its referral before a person tried it again, it does so no longer.
    async fn withdraw(&self, delivery: &Delivery) -> Result<(), StoreError> {
        const TRIES_MAX: u32 = 8;
        for _ in 0..TRIES_MAX {
            let mut decision = Decision { withdraw: vec![delivery.id], ..Decision::default() };
            let referral = delivery.referral.map(|id| self.context.store.referral(id)).transpose()?.flatten();
            if let Some(mut referral) = referral.filter(|it| it.record.held.contains(&HeldReason::DeadDelivery))
                && !self.has_other_dead(delivery)?
            {
                let read_version = Some(referral.version);
                referral.record.release(HeldReason::DeadDelivery);
                referral = settle::go_on_released(&self.context, referral, &mut decision)?;
                decision.referrals.push(ReferralWrite { referral, read_version, keys: Vec::new() });
            }
            match self.context.store.settle(decision).await {
                Err(StoreError::Stale) => {}
                done => return done,
            }
        }
        // Somebody else writes the referral all the time: its turn comes again.
        Err(StoreError::Stale)
    }

    /// One attempt at a claimed delivery: the letter, then the way out. A letter that cannot be had counts as an attempt.
    async fn send(&self, config: &Config, claimed: &Delivery) -> Result<Sent, SendError> {
        let store = &self.context.store;
        let unreadable = |error: StoreError| SendError::Transient(format!("the letter cannot be composed now: {error}"));
        if claimed.purpose.is_to_specialist()
            && let Some(reference) = self.suspended_for(claimed).map_err(unreadable)?
        {
            return Err(SendError::Permanent(suspended(&claimed.to, &reference)));
        }
        let mut delivery = claimed.clone();
        if !letters::is_current(config, &delivery) {
            let composed = letters::compose(&self.context, config, &delivery).await.map_err(unreadable)?;
            let (content, bodies) = composed.map_err(SendError::Permanent)?;
            delivery.content = Some(content);
            let decision = Decision {
                deliveries: vec![delivery.clone()],
                bodies: bodies.into_iter().map(Named::from).collect(),
                ..Decision::default()
            };
            // Durable before the first byte leaves: every further attempt sends these bytes.
            store.settle(decision).await.map_err(unreadable)?;
        }
        match config.outbound.get(&delivery.through) {
            Some(OutboundConfig::Email(email)) => match self.mailer(&delivery.through, email) {
                Ok(mailer) => mailer.send(&delivery).await,
                Err(why) => Err(SendError::Channel(why)),
            },
            Some(OutboundConfig::Fax(fax)) => {
                FaxOutbound::new(delivery.through.clone(), fax, store.clone()).send(&delivery).await
            }
            Some(OutboundConfig::Mllp(mllp)) => self.sender(&delivery.through, mllp).send(&delivery).await,
            None => Err(SendError::Permanent(format!("there is no outbound channel {} any more", delivery.through))),
        }
    }

    /// The referral for which nothing may go where this delivery goes, if there is one.
    fn suspended_for(&self, claimed: &Delivery) -> Result<Option<Reference>, StoreError> {
        let (store, suspensions) = (&self.context.store, &self.context.suspensions);
        match suspensions.of(store, &claimed.to)? {
            None => Ok(None),
            any => match claimed.referral.map(|id| store.referral(id)).transpose()?.flatten() {
                Some(going) => suspensions.against(store, &claimed.to, &going),
                None => Ok(any),
            },
        }
    }

    /// Writes how an attempt went. It has happened, so it is written as soon as the store can, however long that takes; if the engine
    /// stops before, the delivery is found in flight at the next start.
    async fn settle(&self, claimed: &Delivery, config: &Config, result: &Result<Sent, SendError>) -> Result<(), StoreError> {
        loop {
            // Read again for the letter that was composed meanwhile; the attempt is the claimed one.
            let written = match self.context.store.delivery(claimed.id) {
                Ok(Some(mut delivery)) => {
                    delivery.attempts = claimed.attempts;
                    self.mark(&mut delivery, config, result);
                    self.write(delivery, result).await
                }
                Ok(None) => return Ok(()),
                Err(error) => Err(error),
            };
            match written {
                Err(StoreError::Stale) => {}
                Err(StoreError::Unavailable(_) | StoreError::Unreadable(_)) => {
                    tokio::time::sleep(Duration::from_secs(STORE_PAUSE_SECONDS)).await;
                }
                done => return done,
            }
        }
    }

    async fn write(&self, mut delivery: Delivery, result: &Result<Sent, SendError>) -> Result<(), StoreError> {
        let store = &self.context.store;
        let mut consequence = self.consequence(&delivery)?;
        if let (DeliveryState::Sent, Ok(Sent { answer: Some(answer), .. })) = (delivery.state, result) {
            consequence.arrived = answers::arrived(&delivery, answer);
        }
        let arrived = consequence.arrived.as_ref().map(|arrived| arrived.message.id);
        store.settle_delivery(delivery.clone(), consequence).await?;
        if let Some(message_id) = arrived {
            tracing::info!(%message_id, delivery = %delivery.id, channel = %delivery.through, "answered by more than an acknowledgement; stored");
        }
        if delivery.state == DeliveryState::Queued
            && let Some(written) = store.delivery(delivery.id)?
        {
            // It may have been taken back while it was on the way.
            delivery = written;
        }
        log(&delivery, result);
        Ok(())
    }

    /// The delivery as it stands after this attempt.
    fn mark(&self, delivery: &mut Delivery, config: &Config, result: &Result<Sent, SendError>) {
        let now = Timestamp::now();
        let limits = &config.settings.limits;
        let counted = delivery.attempts.saturating_sub(delivery.excused);
        let later = |attempts| retry::next_attempt(now, attempts, limits, rand::random());
        // Whoever gives up the first in a line lets the others overtake it.
        delivery.ambiguous |= matches!(result, Err(SendError::Ambiguous(_)));
        let goes_on = counted < limits.delivery_attempts_max || lines::is_in_order(config, &delivery.through);
        match result {
            Ok(_) => {
                delivery.state = DeliveryState::Sent;
                delivery.sent_at = Some(now);
                delivery.reason = None;
            }
            Err(SendError::Transient(why) | SendError::Ambiguous(why)) if goes_on => {
                delivery.state = DeliveryState::Queued;
                delivery.due_at = later(counted);
                delivery.reason = Some(why.clone());
            }
            Err(SendError::Transient(why) | SendError::Ambiguous(why)) => {
                delivery.state = DeliveryState::Dead;
                delivery.reason = Some(format!("given up after {counted} attempts: {why}"));
            }
            Err(SendError::Refused { why, detail, again }) => {
                delivery.state = if *again && goes_on { DeliveryState::Queued } else { DeliveryState::Dead };
                delivery.due_at = later(counted);
                delivery.reason = Some(detail.as_ref().map_or_else(|| why.clone(), |detail| format!("{why}: {detail}")));
            }
            Err(SendError::Permanent(why)) => {
                delivery.state = DeliveryState::Dead;
                delivery.reason = Some(why.clone());
            }
            Err(SendError::Channel(why)) => {
                let pause = match config.outbound.get(&delivery.through) {
                    Some(OutboundConfig::Mllp(mllp)) => i64::try_from(mllp.reconnect_seconds).unwrap_or(CHANNEL_PAUSE_SECONDS),
                    Some(OutboundConfig::Email(_) | OutboundConfig::Fax(_)) | None => CHANNEL_PAUSE_SECONDS,
                };
                let until = now.saturating_add(SignedDuration::from_secs(pause)).unwrap_or(now);
                self.context.pauses.begin(&delivery.through, until);
                delivery.state = DeliveryState::Queued;
                delivery.excused = delivery.excused.saturating_add(1);
                delivery.due_at = until;
                delivery.reason = Some(format!("channel {} is paused: {why}", delivery.through));
            }
        }
    }

    /// What the end of a delivery means for its referral and its message. While it is still queued: nothing.
    fn consequence(&self, delivery: &Delivery) -> Result<Decision, StoreError> {
        let mut decision = Decision::default();
        let (event, told) = match (delivery.state, delivery.purpose) {
            (DeliveryState::Sent, Purpose::Acknowledgement) => (Some(HistoryEvent::Acknowledged), Acknowledgement::Sent),
            (DeliveryState::Sent, Purpose::ConfirmationRequest) => (Some(HistoryEvent::Requested), Acknowledgement::Sent),
            (
                DeliveryState::Sent,
                Purpose::Pages | Purpose::Update | Purpose::Withdrawal | Purpose::Forward | Purpose::Status,
            ) => (None, Acknowledgement::Sent),
            (DeliveryState::Dead, _) => (Some(HistoryEvent::DeliveryDead), Acknowledgement::Undelivered),
            (DeliveryState::Queued | DeliveryState::InFlight | DeliveryState::Withdrawn, _) => return Ok(decision),
        };
        if let (Some(message), Purpose::Acknowledgement) = (delivery.message, delivery.purpose) {
            decision.acknowledged.push((message, told));
        }
        let Some(mut referral) = delivery.referral.map(|id| self.context.store.referral(id)).transpose()?.flatten() else {
            return Ok(decision);
        };
        let read_version = Some(referral.version);
        let event = event.filter(|event| !(*event == HistoryEvent::Requested && is_answered(&referral, delivery)));
        let releases = delivery.state == DeliveryState::Sent
            && referral.record.held.contains(&HeldReason::DeadDelivery)
            && !self.has_other_dead(delivery)?;
        if event.is_none() && !releases {
            return Ok(decision);
        }
        if let Some(event) = event {
            if event == HistoryEvent::Requested {
                // Another request than the one that a person skipped: somebody is asked.
                referral.record.release(HeldReason::RequestSkipped);
            }
            let entry =
                HistoryEntry { at: Timestamp::now(), event, by: "engine".to_owned(), message: None, delivery: Some(delivery.id) };
            referral.record_event(entry);
        }
        if delivery.state == DeliveryState::Dead {
            referral.record.hold(HeldReason::DeadDelivery);
        } else if releases {
            referral.record.release(HeldReason::DeadDelivery);
            referral = settle::go_on_released(&self.context, referral, &mut decision)?;
        }
        decision.referrals.push(ReferralWrite { referral, read_version, keys: Vec::new() });
        Ok(decision)
    }
}

/// Whether a request that has left late was answered meanwhile, by telephone say, with a no: it asks for nothing any more.
fn is_answered(referral: &Referral, request: &Delivery) -> bool {
    let replied = |entry: &HistoryEntry| matches!(entry.event, HistoryEvent::Replied { .. }) && entry.at >= request.queued_at;
    matches!(referral.status, Status::Declined | Status::Redirected) && referral.history.iter().any(replied)
}

impl Delivering {
    fn has_other_dead(&self, delivery: &Delivery) -> Result<bool, StoreError> {
        let filter = DeliveryFilter { referral: delivery.referral, state: Some(DeliveryState::Dead), ..Default::default() };
        Ok(self.context.store.deliveries(&filter)?.iter().any(|dead| dead.id != delivery.id))
    }
}

/// One line an attempt, at the place where it is settled.
fn log(delivery: &Delivery, result: &Result<Sent, SendError>) {
    let (id, channel, purpose) = (delivery.id, &delivery.through, delivery.purpose.as_str());
    match result {
        Ok(sent) => tracing::info!(delivery = %id, %channel, purpose, note = %sent.note, "sent"),
        Err(error) if delivery.state == DeliveryState::Dead => {
            tracing::error!(delivery = %id, %channel, purpose, %error, "given up; the referral is held for a person");
        }
        Err(error) if delivery.state == DeliveryState::Withdrawn => {
            tracing::info!(delivery = %id, %channel, purpose, %error, "not sent, and withdrawn: it was taken back meanwhile");
        }
        Err(error) => {
            tracing::warn!(delivery = %id, %channel, purpose, %error, due_at = %delivery.due_at, "not sent; trying again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::decide::tests::context;

    #[tokio::test]
    async fn what_was_withdrawn_since_it_was_due_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let context = context(folder.path(), &[("faxes", "[inbound.folder]\npath = \"faxes\"\n")]);
        let delivery = Delivery::queued(Purpose::Acknowledgement, ChannelName::new("fax-out"), "desk", Timestamp::now());
        let id = delivery.id;
        context.store.settle(Decision { deliveries: vec![delivery], ..Decision::default() }).await.unwrap();
        context.store.settle(Decision { withdraw: vec![id], ..Decision::default() }).await.unwrap();
        Delivering::new(context.clone()).attempt(id).await.unwrap();
        let left = context.store.delivery(id).unwrap().unwrap();
        assert_eq!((left.state, left.attempts), (DeliveryState::Withdrawn, 0));
        context.store.close().await;
    }
}
