//! The intake: every arrival passes here, and is durable when [`Intake::accept`] returns.
//!
//! A document or a mail is stored raw and processed later. An HL7 message is quick to normalize and its answer depends on what it
//! turns out to be, so it is normalized first and stored together with what became of it, in one transaction.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use jiff::Timestamp;

use super::{
    Context,
    decide::{self, Decided, Found},
    interpret,
};
use crate::{
    compose::hl7_answer::{self, Answer, Verdict},
    config::{Config, InboundChannel},
    ids::{BodyId, MessageId},
    message::{Acknowledgement, Arrival, ControlId, Message, Protocol, State},
    normalize::{Kind, hl7::{self, Hl7Message, NotHl7}},
    referral::Problem,
    store::{Decision, Insertion, NewMessage, Receipt, StoreError},
};

/// How often an HL7 message is decided again when what it was decided from changed meanwhile.
const TRIES_MAX: u32 = 16;

/// Takes arrivals in. Cheap to clone.
#[derive(Clone)]
pub struct Intake {
    context: Context,
}

/// What the door does with a taken arrival.
pub struct Accepted {
    /// Proof that it is durable.
    pub receipt: Receipt,
    /// Whether it was there already.
    pub repeat: Repeat,
    /// What to answer on the same connection, for a protocol that answers (HL7).
    pub answer: Option<Bytes>,
}

/// Whether an arrival was there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// It is new.
    New,
    /// Equal content came before.
    Duplicate,
    /// The very same file came before: it could not be moved away, or the engine died before it was.
    SameFile,
}

/// Why an arrival was not taken: nothing of it is stored, so the door must not acknowledge.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// The store cannot write now: try again later.
    #[error("the store cannot take it now")]
    Unavailable {
        /// What to answer on the same connection (HL7: AR or CR, 207); none: say nothing.
        answer: Option<Bytes>,
        /// What the store said.
        #[source]
        source: StoreError,
    },
    /// It cannot be answered at all (not HL7): close the connection.
    #[error("it is not a message: {0}")]
    NotAMessage(String),
    /// The engine is stopping.
    #[error("the engine is stopping")]
    Stopping,
}

impl Intake {
    pub(super) fn new(context: Context) -> Self {
        Self { context }
    }

    /// Takes an arrival in; returns once it is durable.
    ///
    /// # Errors
    /// [`IntakeError`]: nothing was stored, and nothing may be acknowledged.
    pub async fn accept(&self, arrival: Arrival) -> Result<Accepted, IntakeError> {
        let config = self.context.config();
        let channel = config.inbound.get(&arrival.channel).ok_or(IntakeError::Stopping)?;
        match arrival.protocol {
            Protocol::Hl7 => self.accept_hl7(&config, channel, arrival).await,
            Protocol::Document => self.accept_raw(Message::received(&arrival), arrival, None).await,
            Protocol::Mail => self.accept_mail(arrival).await,
        }
    }

    /// Notes that the answer to a message did not reach its sender; a repeat gets it again.
    pub async fn answer_undelivered(&self, receipt: &Receipt) {
        let decision =
            Decision { acknowledged: vec![(receipt.message(), Acknowledgement::Undelivered)], ..Decision::default() };
        if let Err(error) = self.context.store.settle(decision).await {
            tracing::warn!(message = %receipt.message(), %error, "cannot note that an answer was not delivered");
        }
    }

    /// Puts a copy of a document that proved unreadable where the practice sees it. Done by the processing station.
    async fn accept_raw(&self, message: Message, arrival: Arrival, key: Option<String>) -> Result<Accepted, IntakeError> {
        let repeat_key = key.unwrap_or_else(|| format!("content|{}|{}", message.channel, message.body));
        let new = NewMessage { message, body: arrival.body, repeat_key: Some(repeat_key), control_key: None };
        let (receipt, repeat) = match self.context.store.insert(new).await.map_err(|source| refused(source, None))? {
            Insertion::New(receipt) => (receipt, Repeat::New),
            Insertion::Repeat { receipt, same_file: true } => (receipt, Repeat::SameFile),
            Insertion::Repeat { receipt, same_file: false } => (receipt, Repeat::Duplicate),
        };
        tracing::info!(message = %receipt.message(), channel = %arrival.channel, ?repeat, "stored");
        Ok(Accepted { receipt, repeat, answer: None })
    }

    async fn accept_mail(&self, arrival: Arrival) -> Result<Accepted, IntakeError> {
        let mut message = Message::received(&arrival);
        let key = interpret::mail_identity(&arrival.body);
        message.sender = key.sender;
        message.control_id = key.message_id.map(ControlId);
        let channel = message.channel.clone();
        self.accept_raw(message, arrival, key.repeat_key.map(|key| format!("mail|{channel}|{key}"))).await
    }

    async fn accept_hl7(&self, config: &Config, channel: &InboundChannel, arrival: Arrival) -> Result<Accepted, IntakeError> {
        let rules = interpret::hl7_rules(config, channel, arrival.received_at);
        let read = match catch_unwind(AssertUnwindSafe(|| hl7::normalize(&arrival.body, &rules))) {
            Ok(Ok(read)) => read,
            Ok(Err(NotHl7 { why })) => return Err(IntakeError::NotAMessage(why)),
            Err(_) => return self.accept_unmapped(config, channel, arrival).await,
        };
        for _ in 0..TRIES_MAX {
            match self.commit_hl7(config, channel, &arrival, &read).await {
                Err(IntakeError::Unavailable { source: StoreError::Stale, .. }) => {}
                done => return done,
            }
        }
        let busy = Answering::new(config, channel, &read).busy();
        Err(IntakeError::Unavailable { answer: busy, source: StoreError::Stale })
    }

    async fn commit_hl7(
        &self,
        config: &Config,
        channel: &InboundChannel,
        arrival: &Arrival,
        read: &Hl7Message,
    ) -> Result<Accepted, IntakeError> {
        let answering = Answering::new(config, channel, read);
        let unavailable = |source| refused(source, answering.busy());
        let mut message = Message::received(arrival);
        message.sender = Some(read.sender.clone());
        message.control_id = Some(ControlId(read.control_id()));
        let found = Found { outcome: read.outcome.clone(), keys: read.referral_keys.clone(), doubt: None };
        let decided = decide::decide(&self.context.store, config, channel, message, vec![found]).map_err(unavailable)?;
        let (mut decision, answer) = answering.answer(decided);
        let accepted = answer.is_accepted();
        let Some(mut message) = decision.message.take() else { return Err(IntakeError::Stopping) };
        if let Some(key) = read.control_key.as_deref()
            && let Some(other) = self.context.store.message_by_key(key).map_err(unavailable)?
            && other.body != message.body
        {
            let text = "MSH-10 was used before for another message; taken as a new one";
            message.problems.push(Problem::at("control-id-reused", "MSH-10", text));
        }
        message.acknowledgement = if answer.bytes().is_some() { Acknowledgement::Sent } else { Acknowledgement::NotOwed };
        if let Some(bytes) = answer.bytes() {
            message.answer = Some(BodyId::of(bytes));
            decision.bodies.push(bytes.clone());
        }
        let id = message.id;
        decision.message = Some(message.clone());
        let new = NewMessage {
            message: Message { state: State::Received, ..message },
            body: arrival.body.clone(),
            repeat_key: accepted.then(|| read.repeat_key.clone()),
            control_key: read.control_key.clone(),
        };
        match self.context.store.insert_decided(new, decision).await.map_err(unavailable)? {
            Insertion::New(receipt) => {
                tracing::info!(message = %id, channel = %arrival.channel, kind = ?read.outcome.kind, accepted, "stored and decided");
                let answer = answer.release(&receipt);
                Ok(Accepted { receipt, repeat: Repeat::New, answer })
            }
            Insertion::Repeat { receipt, .. } => {
                let answer = self.stored_answer(receipt.message()).await.map_err(unavailable)?;
                tracing::info!(message = %receipt.message(), channel = %arrival.channel, "came again; given the same answer");
                Ok(Accepted { receipt, repeat: Repeat::Duplicate, answer })
            }
        }
    }

    async fn stored_answer(&self, id: MessageId) -> Result<Option<Bytes>, StoreError> {
        let answer = self.context.store.message(id)?.and_then(|message| message.answer);
        match answer {
            Some(answer) => self.context.store.body(&answer).await,
            None => Ok(None),
        }
    }

    /// A message that our own mapping broke on: safe in the store and held for a person, so it is answered as taken.
    async fn accept_unmapped(&self, config: &Config, channel: &InboundChannel, arrival: Arrival) -> Result<Accepted, IntakeError> {
        let Some(header) = hl7::header(&arrival.body) else {
            return Err(IntakeError::NotAMessage("it could not be read".to_owned()));
        };
        let mut message = Message::received(&arrival);
        message.state = State::Held;
        message.kind = Some(Kind::Unknown);
        message.reason = Some("a defect of loopline: reading it broke off; report it, mend it, replay the message".to_owned());
        tracing::error!(message = %message.id, channel = %arrival.channel, "reading a message broke off; it is stored and held");
        let sealed = hl7_answer::answer(&header, &Verdict::Accepted { problems: &[] }, &interpret::answer_settings(config, channel), None, &control_id(&message), Timestamp::now());
        message.acknowledgement = Acknowledgement::Sent;
        let mut decision = Decision::default();
        if let Answer::Positive(sealed) = &sealed {
            message.answer = Some(BodyId::of(sealed.stored()));
            decision.bodies.push(sealed.stored().clone());
        }
        decision.message = Some(message.clone());
        let new = NewMessage {
            repeat_key: Some(format!("content|{}|{}", message.channel, message.body)),
            message: Message { state: State::Received, ..message },
            body: arrival.body,
            control_key: None,
        };
        let receipt = match self.context.store.insert_decided(new, decision).await.map_err(|source| refused(source, None))? {
            Insertion::New(receipt) | Insertion::Repeat { receipt, .. } => receipt,
        };
        let answer = match sealed {
            Answer::Positive(sealed) => Some(sealed.release(&receipt)),
            Answer::Negative(bytes) => Some(bytes.into()),
            Answer::None => None,
        };
        Ok(Accepted { receipt, repeat: Repeat::New, answer })
    }
}
