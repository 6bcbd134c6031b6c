//! The processing station: takes stored messages one by one, reads them, and writes what they became.
//!
//! The attempt is counted durably before the content is opened, so a document that kills the engine is set aside after
//! `document_attempts_max` attempts instead of killing it for ever.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
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
    ids::MessageId,
    inbound::{InboundConfig, folder},
    message::{Acknowledgement, Message, Protocol, State},
    normalize::Kind,
    referral::Problem,
    store::{Decision, StoreError},
};

/// How often a message is decided again when what it was decided from changed meanwhile.
const TRIES_MAX: u32 = 8;
/// How long a message waits when the means to read it are missing.
const MEANS_PAUSE_SECONDS: i64 = 30;

/// Processes what is due until told to stop, then lets what was begun finish.
pub async fn run(context: Context, shutdown: CancellationToken) {
    station::run(Arc::new(Processing { context }), shutdown).await;
}

struct Processing {
    context: Context,
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
        self.context.store.due_messages(now, limit)
    }

    async fn attempt(&self, id: MessageId) -> Result<(), StoreError> {
        let message = self.context.store.claim_message(id).await?;
        let config = self.context.config();
        let Some(channel) = config.inbound.get(&message.channel) else {
            let why = format!("channel {} is not configured any more: put it back and replay the message", message.channel);
            return self.hold(message, &why).await;
        };
        let attempts_max = config.settings.limits.document_attempts_max;
        if message.attempts > attempts_max {
            let why = format!("set aside: the engine did not survive {attempts_max} attempts at it");
            return self.fail(&config, channel, message, &why).await;
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
            let concerned = self.context.suspensions.concerned(&decided.decision);
            match self.context.store.finish(decided.decision).await {
                Ok(()) => {
                    self.context.suspensions.committed(&self.context.store, concerned);
                    let kind = found.first().map(|first| first.outcome.kind);
                    tracing::info!(message_id = %message.id, channel = %message.channel, ?kind, ?state, "processed");
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
    if message.protocol != Protocol::Document || outcome.kind != Kind::Unknown || was_read {
        return None;
    }
    let mut told: Vec<String> = problems.iter().take(TOLD_MAX).map(|problem| problem.message.clone()).collect();
    if problems.len() > TOLD_MAX {
        told.push(format!("and {} more of the kind", problems.len() - TOLD_MAX));
    }
    Some(told.join("\n"))
}
