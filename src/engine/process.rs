//! The processing station: takes stored messages one by one, reads them, and writes what they became.
//!
//! The attempt is counted durably before the content is opened, so a document that kills the engine is set aside after
//! `document_attempts_max` attempts instead of killing it for ever.
//!
//! # Design notes
//! What was at hand when the engine died is read alone the next time: of several only one did the harm, and the others must not be set
//! aside with it.
//!
//! A document that kills the engine and an engine that is killed twice by someone else while it reads look the same from inside. So what
//! is set aside is read once more by itself, `document_set_aside_seconds` later, with nothing beside it: a good fax becomes its referral
//! without a person, and a bad one can stop the engine only that one time more. Then it has failed, and a person is told.
//!
//! What is oldest is read first, except that channels with `read_first` go before the others: a practice gives stat referrals a fax number
//! of their own. How urgent a fax is cannot be seen without reading it, and reading it is nearly all there is to do with it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Notify, RwLock};
use tokio_util::sync::CancellationToken;

use super::{
    Context,
    decide::{self, Found},
    interpret::{self, Unread},
    station::{self, Work},
};
use crate::{
    config::{Config, InboundChannel},
    delivery::{Delivery, Purpose},
    ids::{ChannelName, MessageId},
    inbound::{InboundConfig, folder},
    message::{Acknowledgement, Message, Protocol, State},
    normalize::Kind,
    referral::Problem,
    store::{Decision, StoreError},
};

/// How often a message is decided again when what it was decided from changed meanwhile.
const TRIES_MAX: u32 = 8;
/// How far down the queue what is to be read first is looked for.
const QUEUE_LOOKED_AT_MAX: usize = 2_000;
/// How long a message waits when the means to read it are missing.
const MEANS_PAUSE_SECONDS: i64 = 30;
/// Claims beyond `document_attempts_max`: the first sets a document aside unopened.
const SET_ASIDE: u32 = 1;
/// The second is its last reading, when it has lain aside long enough.
const LAST_READING: u32 = 2;

/// Processes what is due until told to stop, then lets what was begun finish.
pub async fn run(context: Context, shutdown: CancellationToken) {
    station::run(Arc::new(Processing { context, waiting: Mutex::default(), alone: RwLock::default() }), shutdown).await;
}

/// Gives back the attempts that a stop broke off: that is not the fault of what was being read.
pub(super) async fn give_back(context: &Context, broken_off: Vec<MessageId>) {
    for id in broken_off {
        let Ok(Some(mut message)) = context.store.message(id) else { continue };
        if message.state != State::Received {
            continue;
        }
        message.attempts = message.attempts.saturating_sub(1);
        message.reason = Some("the engine was stopped while it was being read: it is read anew".to_owned());
        let given_back = context.store.finish(Decision { message: Some(message), ..Decision::default() }).await;
        if let Err(error) = given_back {
            tracing::warn!(message_id = %id, %error, "an attempt that the stop broke off could not be given back: it counts");
        }
    }
}

struct Processing {
    context: Context,
    /// The channels of what is due, so that they are asked of the store once.
    waiting: Mutex<BTreeMap<MessageId, ChannelName>>,
    /// Held by every message at hand together, or by one that was tried before alone.
    alone: RwLock<()>,
}

impl Work for Processing {
    type Id = MessageId;
    const WHAT: &'static str = "message";

    fn wake(&self) -> &Notify {
        self.context.store.message_wake()
    }

    fn at_once_max(&self) -> usize {
        self.context.config().settings.limits.reader_workers.max(1) + 2
    }

    fn due(&self, now: Timestamp, limit: usize) -> Result<(Vec<MessageId>, Option<Timestamp>), StoreError> {
        let config = self.context.config();
        if !config.inbound.values().any(|channel| channel.documents.read_first) {
            return self.context.store.due_messages(now, limit);
        }
        let (due, next) = self.context.store.due_messages(now, limit.max(QUEUE_LOOKED_AT_MAX))?;
        let more = due.len() > limit;
        let mut due = self.first_things_first(&config, due)?;
        due.truncate(limit);
        Ok((due, if more { Some(now) } else { next }))
    }

    async fn attempt(&self, id: MessageId) -> Result<(), StoreError> {
        let tried_before = self.context.store.message(id)?.is_some_and(|message| message.attempts > 0);
        let _alone = if tried_before { Some(self.alone.write().await) } else { None };
        let _together = if tried_before { None } else { Some(self.alone.read().await) };
        let message = self.context.store.claim_message(id).await?;
        let _at_hand = self.context.underway.begin(id);
        let config = self.context.config();
        let Some(channel) = config.channel_of(&message.channel) else {
            let why = format!("channel {} is not configured any more: put it back and replay the message", message.channel);
            return self.hold(message, &why).await;
        };
        let channel = &*channel;
        let attempts_max = config.settings.limits.document_attempts_max;
        match message.attempts.checked_sub(attempts_max) {
            None | Some(0 | LAST_READING) => {}
            Some(SET_ASIDE) => return self.set_aside(&config, message).await,
            Some(_) => {
                let why = format!(
                    "the engine did not survive {} attempts at it, the last of them by itself. Where that had another cause, such as a \
                     power cut, have it read as it is, by `loopline messages replay {id}`",
                    attempts_max + LAST_READING - SET_ASIDE
                );
                return self.fail(&config, channel, message, &why).await;
            }
        }
        let body = match self.context.store.body(&message.body).await {
            Ok(Some(body)) => body,
            Ok(None) | Err(StoreError::Unreadable(_)) => {
                return self.hold(message, "its content is missing in the store: restore it from the backup, then replay").await;
            }
            Err(error) => return Err(error),
        };
        match interpret::interpret(&self.context, &config, channel, &message, &body).await {
            Ok(found) => self.finish(&config, channel, message, found).await,
            Err(Unread::AtFault(why)) => self.fail(&config, channel, message, &why).await,
            Err(Unread::Broke(why)) if message.attempts >= attempts_max => self.fail(&config, channel, message, &why).await,
            Err(Unread::Broke(why)) => self.later(message, &why, 1, true).await,
            Err(Unread::NoMeans(why)) => self.later(message, &why, MEANS_PAUSE_SECONDS, false).await,
        }
    }
}

impl Processing {
    /// What is due, that of the channels that are read first before the rest, otherwise in its order.
    fn first_things_first(&self, config: &Config, mut due: Vec<MessageId>) -> Result<Vec<MessageId>, StoreError> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let still: BTreeSet<MessageId> = due.iter().copied().collect();
        waiting.retain(|id, _| still.contains(id));
        for id in &due {
            if !waiting.contains_key(id)
                && let Some(message) = self.context.store.message(*id)?
            {
                waiting.insert(*id, message.channel);
            }
        }
        let channel = |id: &MessageId| waiting.get(id).and_then(|name| config.inbound.get(name));
        due.sort_by_cached_key(|id| !channel(id).is_some_and(|channel| channel.documents.read_first));
        Ok(due)
    }

    async fn finish(
        &self,
        config: &Config,
        channel: &InboundChannel,
        message: Message,
        found: Vec<Found>,
    ) -> Result<(), StoreError> {
        if let Some(why) = nothing_read(&message, &found) {
            self.put_failed(config, channel, &message, &why).await?;
        }
        for _ in 0..TRIES_MAX {
            let decided = decide::decide(&self.context, config, channel, message.clone(), found.clone())?;
            let state = decided.decision.message.as_ref().map(|message| message.state);
            let changing = self.context.suspensions.changing(&decided.decision, false);
            let finished = self.context.store.finish(decided.decision).await;
            drop(changing);
            match finished {
                Ok(()) => {
                    let kind = found.first().map(|first| tracing::field::debug(first.outcome.kind));
                    let state = state.map(tracing::field::debug);
                    tracing::info!(message_id = %message.id, channel = %message.channel, kind, state, "processed");
                    return Ok(());
                }
                Err(StoreError::Stale) => {}
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::Stale)
    }

    async fn hold(&self, mut message: Message, why: &str) -> Result<(), StoreError> {
        tracing::warn!(message_id = %message.id, channel = %message.channel, why, "held for a person");
        message.state = State::Held;
        message.reason = Some(why.to_owned());
        self.context.store.finish(Decision { message: Some(message), ..Decision::default() }).await
    }

    /// It will never be read: the sender is told where a way to them is configured, and a folder gets its copy in `failed/`.
    async fn fail(&self, config: &Config, channel: &InboundChannel, mut message: Message, why: &str) -> Result<(), StoreError> {
        tracing::warn!(message_id = %message.id, channel = %message.channel, why, "it cannot be read; a person must look");
        message.state = State::Failed;
        message.reason = Some(why.to_owned());
        message.problems.push(Problem::new("unreadable", why));
        let mut decision = Decision::default();
        match (&channel.acknowledge.through, &channel.acknowledge.to, message.protocol) {
            (Some(through), Some(to), Protocol::Document) if message.acknowledgement == Acknowledgement::Owed => {
                let mut delivery = Delivery::queued(Purpose::Acknowledgement, through.clone(), to.clone(), Timestamp::now());
                delivery.message = Some(message.id);
                decision.deliveries.push(delivery);
            }
            // Whether a mail that cannot be read is itself an answer is not known, so no machine answers it.
            _ if message.acknowledgement == Acknowledgement::Owed => {
                message.acknowledgement = Acknowledgement::Undelivered;
                let text = "its sender was told nothing: call them, if they wait for an answer";
                message.problems.push(Problem::new("not-acknowledged", text));
            }
            _ => {}
        }
        self.put_failed(config, channel, &message, why).await?;
        decision.message = Some(message);
        self.context.store.finish(decision).await
    }

    async fn put_failed(&self, _: &Config, channel: &InboundChannel, message: &Message, why: &str) -> Result<(), StoreError> {
        let (InboundConfig::Folder(folder), Some(file)) = (&channel.inbound, &message.file) else { return Ok(()) };
        let Some(body) = self.context.store.body(&message.body).await? else { return Ok(()) };
        if let Err(error) = folder::put_failed(folder, &file.name, body, why).await {
            tracing::error!(message_id = %message.id, channel = %message.channel, %error, "cannot put a copy into failed/; the message itself is in the store");
        }
        Ok(())
    }

    /// It waits out of everything else's way, then is read a last time.
    async fn set_aside(&self, config: &Config, mut message: Message) -> Result<(), StoreError> {
        let limits = &config.settings.limits;
        let seconds = i64::try_from(limits.document_set_aside_seconds).unwrap_or(i64::MAX);
        message.due_at = Timestamp::now().checked_add(SignedDuration::from_secs(seconds)).ok();
        let why = format!(
            "set aside for {seconds} s: the engine did not survive {} attempts at it. Then it is read once more, alone; \
             `loopline messages replay {}` has it read at once",
            limits.document_attempts_max, message.id
        );
        tracing::warn!(message_id = %message.id, channel = %message.channel, why, "set aside");
        message.reason = Some(why);
        self.context.store.finish(Decision { message: Some(message), ..Decision::default() }).await
    }

    async fn later(&self, mut message: Message, why: &str, seconds: i64, counts: bool) -> Result<(), StoreError> {
        tracing::warn!(message_id = %message.id, channel = %message.channel, why, "not read; trying again");
        message.due_at = Timestamp::now().checked_add(SignedDuration::from_secs(seconds)).ok();
        message.reason = Some(why.to_owned());
        if !counts {
            message.attempts = message.attempts.saturating_sub(1);
        }
        self.context.store.finish(Decision { message: Some(message), ..Decision::default() }).await
    }
}

/// Why nothing could be read of a document: it is held for a person, and who dropped it finds a note as well.
fn nothing_read(message: &Message, found: &[Found]) -> Option<String> {
    /// A document of hundreds of blank pages says so hundreds of times.
    const TOLD_MAX: usize = 5;
    let [Found { outcome, .. }] = found else { return None };
    let problems = &outcome.problems;
    let was_read = problems.is_empty() || problems.iter().any(|problem| problem.code == "no-referral-found");
    if message.protocol != Protocol::Document || outcome.kind != Kind::Unknown || was_read || message.assigned.is_some() {
        return None;
    }
    let mut told: Vec<String> = problems.iter().take(TOLD_MAX).map(|problem| problem.message.clone()).collect();
    if problems.len() > TOLD_MAX {
        told.push(format!("and {} more of the kind", problems.len() - TOLD_MAX));
    }
    Some(told.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{engine::decide::tests::context, message::Arrival, store::NewMessage};

    #[tokio::test]
    async fn what_comes_by_a_channel_that_is_read_first_goes_before_what_waits_longer() {
        let folder = tempfile::tempdir().unwrap();
        let read_first = "[inbound.folder]\npath = \"stat-faxes\"\n[documents]\nread_first = true\n";
        let channels = [("faxes", "[inbound.folder]\npath = \"faxes\"\n"), ("stat-faxes", read_first)];
        let context = context(folder.path(), &channels);
        let mut ids = Vec::new();
        for (number, channel) in ["faxes", "faxes", "faxes", "stat-faxes", "faxes"].into_iter().enumerate() {
            let body = bytes::Bytes::from(format!("fax {number}"));
            let received_at = Timestamp::now() - SignedDuration::from_secs(60 - i64::try_from(number).unwrap());
            let channel = ChannelName::new(channel);
            let arrival =
                Arrival { channel, protocol: Protocol::Document, body: body.clone(), received_at, peer: None, file: None };
            let message = Message::received(&arrival);
            ids.push(message.id);
            context.store.insert(NewMessage { message, body: body.into(), repeat_key: None, control_key: None }).await.unwrap();
            // Ids of one millisecond are in no order.
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
        let processing = Processing { context: context.clone(), waiting: Mutex::default(), alone: RwLock::default() };
        let (due, next) = processing.due(Timestamp::now(), 3).unwrap();
        assert_eq!(due.len(), 3);
        assert!(due[0] == ids[3] && next.is_some(), "the stat fax is the first of five");
        let (all, _) = processing.due(Timestamp::now(), 100).unwrap();
        let rest: Vec<MessageId> = all.into_iter().filter(|id| *id != ids[3]).collect();
        assert!(rest == [ids[0], ids[1], ids[2], ids[4]], "the others keep their order");
        context.store.close().await;
    }
}
