//! The intake: every arrival passes here, and is durable when [`Intake::accept`] returns.
//!
//! A document or a mail is stored raw and processed later. An HL7 message is quick to normalize and its answer depends on what it
//! turns out to be, so it is normalized first and stored together with what became of it, in one transaction.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::Mutex;

use super::{
    Context,
    decide::{self, Decided, Found},
    interpret, sameness,
    sequence::{self, Counted, Last},
};
use crate::{
    compose::hl7_answer::{self, Answer, AnswerSettings, Standing, Verdict},
    config::{Config, InboundChannel},
    delivery::{Content, Delivery, Hl7Content, Purpose},
    ids::{BodyId, ChannelName, MessageId, Named},
    inbound::InboundConfig,
    message::{Acknowledgement, Arrival, ControlId, Message, Protocol, State},
    normalize::{
        Event, Kind,
        hl7::{self, Header, Hl7Message, Hl7Rules, NotHl7, Refusal, Warning},
    },
    referral::Problem,
    store::{Coming, Decision, Insertion, NewMessage, Receipt, StoreError},
};

/// How often an HL7 message is decided again when what it was decided from changed meanwhile.
const TRIES_MAX: u32 = 16;

/// A larger HL7 message is read on a thread of its own, so that it does not hold up the others.
const INLINE_BYTES_MAX: usize = 262_144;

/// Takes arrivals in. Cheap to clone.
#[derive(Clone)]
pub struct Intake {
    context: Context,
    /// On a channel that counts its messages, one at a time: what the next one must be depends on the last.
    turn: Arc<Mutex<()>>,
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
        /// What to answer on the same connection (HL7: AR or CE, 207); none: say nothing.
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
        Self { context, turn: Arc::default() }
    }

    /// Takes an arrival in; returns once it is durable.
    ///
    /// # Errors
    /// [`IntakeError`]: nothing was stored, and nothing may be acknowledged.
    pub async fn accept(&self, arrival: Arrival) -> Result<Accepted, IntakeError> {
        let config = self.context.config();
        let channel = config.channel_of(&arrival.channel).ok_or(IntakeError::Stopping)?;
        let channel = &*channel;
        match arrival.protocol {
            Protocol::Hl7 => self.accept_hl7(&config, channel, arrival).await,
            // In boxes: the future of an HL7 message, of which there are the most, has no room for theirs.
            Protocol::Document => {
                let body = Named::from(arrival.body.clone());
                Box::pin(self.accept_raw(Message::received_as(&arrival, body.id()), body, None)).await
            }
            Protocol::Mail => Box::pin(self.accept_mail(arrival)).await,
        }
    }

    /// Notes that the answer to a message did not reach its sender; a repeat gets it again.
    pub async fn answer_undelivered(&self, message: MessageId) {
        let decision = Decision { acknowledged: vec![(message, Acknowledgement::Undelivered)], ..Decision::default() };
        if let Err(error) = self.context.store.settle(decision).await {
            tracing::warn!(message_id = %message, %error, "cannot note that an answer was not delivered");
        }
    }

    /// The answer to what never became a message (cut off, too large, unreadable); none: it cannot be answered at all.
    #[must_use]
    pub fn refuse_fragment(&self, channel: &ChannelName, body: &[u8], refusal: &Refusal) -> Option<Bytes> {
        let config = self.context.config();
        let settings = interpret::answer_settings(config.inbound.get(channel)?);
        let id = MessageId::generate().to_string();
        hl7_answer::refuse_fragment(body, refusal, &settings, &id, Timestamp::now()).map(Bytes::from)
    }

    /// Counts that somebody was not served at a door.
    pub fn count_turned_away(&self, channel: &ChannelName, why: &'static str) {
        self.context.count_turned_away(channel, why);
    }

    /// Stores bytes to be processed later.
    async fn accept_raw(&self, message: Message, body: Named, key: Option<String>) -> Result<Accepted, IntakeError> {
        let repeat_key = key.unwrap_or_else(|| format!("content|{}|{}", message.channel, message.body));
        let channel = message.channel.clone();
        let new = NewMessage { message, body, repeat_key: Some(repeat_key), control_key: None };
        let (receipt, repeat) = match self.context.store.insert(new).await.map_err(unavailable)? {
            Insertion::New(receipt) => (receipt, Repeat::New),
            Insertion::Repeat { receipt, same_file: true } => (receipt, Repeat::SameFile),
            Insertion::Repeat { receipt, same_file: false } => (receipt, Repeat::Duplicate),
        };
        tracing::info!(message_id = %receipt.message(), %channel, ?repeat, "stored");
        Ok(Accepted { receipt, repeat, answer: None })
    }

    async fn accept_mail(&self, arrival: Arrival) -> Result<Accepted, IntakeError> {
        let body = Named::from(arrival.body.clone());
        let mut message = Message::received_as(&arrival, body.id());
        let key = interpret::mail_identity(&arrival.body);
        message.sender = key.sender;
        message.control_id = key.message_id.map(ControlId);
        let channel = message.channel.clone();
        self.accept_raw(message, body, key.repeat_key.map(|key| format!("mail|{channel}|{key}"))).await
    }

    async fn accept_hl7(&self, config: &Config, channel: &InboundChannel, arrival: Arrival) -> Result<Accepted, IntakeError> {
        let rules = Arc::new(interpret::hl7_rules(config, channel, arrival.received_at));
        let _turn = if counts(channel) { Some(self.turn.lock().await) } else { None };
        let mut busy = None;
        for _ in 0..TRIES_MAX {
            let coming = self.context.store.coming();
            let mut read = match normalized(&arrival.body, &rules).await? {
                Ok(Ok(read)) => read,
                Ok(Err(not_hl7)) => return Err(IntakeError::NotAMessage(not_hl7.to_string())),
                Err(_) => return Box::pin(self.accept_unmapped(channel, arrival, coming)).await,
            };
            // What it was read as goes into the store: where that is stale, it is read again, which is rare.
            let found = vec![Found::of_hl7(&mut read)];
            match self.commit_hl7(config, channel, &arrival, &read, found, coming).await {
                Err(IntakeError::Unavailable { source: StoreError::Stale, answer }) => busy = answer,
                done => return done,
            }
        }
        Err(IntakeError::Unavailable { answer: busy, source: StoreError::Stale })
    }

    async fn commit_hl7(
        &self,
        config: &Config,
        channel: &InboundChannel,
        arrival: &Arrival,
        read: &Hl7Message,
        found: Vec<Found>,
        coming: Coming,
    ) -> Result<Accepted, IntakeError> {
        let store = &self.context.store;
        let mut answering = Answering::new(channel, read);
        let body = Named::from(arrival.body.clone());
        let mut message = Message { id: answering.id, ..Message::received_as(arrival, body.id()) };
        message.sender = Some(read.sender.clone());
        message.control_id = read.control_id.clone().map(ControlId);
        let repeat = sameness::repeat_key(store, &read.repeat_key, read.control_key.is_some());
        let repeat = repeat.map_err(|source| IntakeError::Unavailable { answer: answering.busy(), source })?;
        let mut keys = Keys { repeat, control: read.control_key.clone() };
        if counts(channel) {
            let counted = Box::pin(self.count(channel, read, &mut keys)).await;
            let counted = counted.map_err(|source| IntakeError::Unavailable { answer: answering.busy(), source })?;
            answering.settings.sequence = Some(counted.answer);
            answering.refusal = counted.refusal;
            if is_link(read, &arrival.body) {
                return Box::pin(self.accept_link(arrival, message, keys, &answering, coming)).await;
            }
        }
        // A counted message is told by its number; its control key holds the count.
        match if counts(channel) { Ok(false) } else { self.is_reused(read, &message.body) } {
            Ok(false) => {}
            Ok(true) => {
                let warning = Warning::reused_control_id();
                message.problems.push(Problem::at("control-id-reused", "MSH-10", warning.text.clone()));
                if read.refuses_reused_control_id {
                    answering.refusal = Some(Refusal::reused_control_id());
                    // What is refused for its control id does not take it over.
                    keys.control = None;
                }
                answering.warnings.push(warning);
            }
            Err(source) => return Err(IntakeError::Unavailable { answer: answering.busy(), source }),
        }
        let unavailable = |source| IntakeError::Unavailable { answer: answering.busy(), source };
        let decided = decide::decide(&self.context, config, channel, message, found).map_err(unavailable)?;
        let Answered { decision, message, answer, repeatable } = answering.answer(decided);
        let new = NewMessage { message, body, repeat_key: repeatable.then_some(keys.repeat), control_key: keys.control };
        let changing = self.context.suspensions.changing(&decision, false);
        let inserted = store.insert_decided(new, decision, coming).await;
        drop(changing);
        match inserted.map_err(unavailable)? {
            Insertion::New(receipt) => {
                let id = receipt.message();
                tracing::info!(message_id = %id, channel = %arrival.channel, kind = ?read.outcome.kind, repeatable, "stored and decided");
                let answer = release(answer, &receipt);
                Ok(Accepted { receipt, repeat: Repeat::New, answer })
            }
            Insertion::Repeat { receipt, .. } => {
                let answer = Box::pin(self.stored_answer(receipt.message())).await.map_err(unavailable)?;
                tracing::info!(message_id = %receipt.message(), channel = %arrival.channel, "came again; given the same answer");
                Ok(Accepted { receipt, repeat: Repeat::Duplicate, answer })
            }
        }
    }

    /// Where a message stands in its sender's count; its keys become those of a message that is counted.
    async fn count(&self, channel: &InboundChannel, read: &Hl7Message, keys: &mut Keys) -> Result<Counted, StoreError> {
        let store = &self.context.store;
        let number = sequence::number(&read.header.raw);
        let last_key = sequence::last_key(&channel.name, &read.sender);
        let last = match store.message_by_key(&last_key)? {
            Some(message) => store.body(&message.body).await?.and_then(|body| Last::of(&message, &body)),
            None => None,
        };
        if let Some(number) = number {
            keys.repeat = format!("{}|{number}", keys.repeat);
        }
        let counted = sequence::count_of(&read.header.raw, last, store.message_by_key(&keys.repeat)?.is_some());
        keys.control = counted.advances.then_some(last_key);
        Ok(counted)
    }

    /// A header alone, by which a sender asks for our count or begins anew: stored and answered, and nothing more.
    async fn accept_link(
        &self,
        arrival: &Arrival,
        message: Message,
        keys: Keys,
        answering: &Answering<'_>,
        coming: Coming,
    ) -> Result<Accepted, IntakeError> {
        let mut message = Message { state: State::Processed, kind: Some(Kind::Unknown), ..message };
        let verdict = Verdict::Accepted { kind: Kind::Unknown, warnings: &[], remark: None };
        let (answer, mut decision) = (answering.compose(verdict, None), Decision::default());
        keep_answer(&answer, &mut message, &mut decision);
        let stored = Message { state: State::Received, ..message.clone() };
        decision.message = Some(message);
        // The same header again is a new question: the answer may be another.
        let new = NewMessage { message: stored, body: arrival.body.clone().into(), repeat_key: None, control_key: keys.control };
        let unavailable = |source| IntakeError::Unavailable { answer: answering.busy(), source };
        let receipt = match self.context.store.insert_decided(new, decision, coming).await.map_err(unavailable)? {
            Insertion::New(receipt) | Insertion::Repeat { receipt, .. } => receipt,
        };
        tracing::info!(message_id = %receipt.message(), channel = %arrival.channel, "told its sender where the sequence numbers are");
        let answer = release(answer, &receipt);
        Ok(Accepted { receipt, repeat: Repeat::New, answer })
    }

    /// Whether the sender used this control id before, for other content.
    fn is_reused(&self, read: &Hl7Message, body: &BodyId) -> Result<bool, StoreError> {
        let Some(key) = &read.control_key else { return Ok(false) };
        let other = self.context.store.message_by_control_key(key)?.is_some_and(|other| other.body != *body);
        // The same message sent again at another time has other bytes in MSH-7 alone: that is a repeat.
        Ok(other && self.context.store.message_by_key(&read.repeat_key)?.is_none())
    }

    /// The answer that a message got before: it is given again.
    async fn stored_answer(&self, id: MessageId) -> Result<Option<Bytes>, StoreError> {
        let Some(message) = self.context.store.message(id)? else { return Ok(None) };
        if message.acknowledgement == Acknowledgement::Undelivered {
            let decision = Decision { acknowledged: vec![(id, Acknowledgement::Sent)], ..Decision::default() };
            self.context.store.settle(decision).await?;
        }
        match message.answer {
            Some(answer) => self.context.store.body(&answer).await,
            None => Ok(None),
        }
    }

    /// A message that our own mapping broke on: safe in the store and held for a person, so it is answered as taken.
    async fn accept_unmapped(&self, channel: &InboundChannel, arrival: Arrival, coming: Coming) -> Result<Accepted, IntakeError> {
        let not_a_message = |_| IntakeError::NotAMessage("it could not be read".to_owned());
        let header = Header::of_fragment(&arrival.body).map_err(not_a_message)?;
        let mut message = Message::received(&arrival);
        message.kind = Some(Kind::Unknown);
        message.sender = Some(header.sender());
        tracing::error!(message_id = %message.id, channel = %arrival.channel, "a defect of loopline: reading a message broke off; it is stored and held");
        let settings = interpret::answer_settings(channel);
        let id = message.id.to_string();
        let answer = hl7_answer::answer(
            &header,
            Verdict::Accepted { kind: Kind::Unknown, warnings: &[], remark: None },
            &settings,
            None,
            &id,
            Timestamp::now(),
        );
        let mut decision = Decision::default();
        keep_answer(&answer, &mut message, &mut decision);
        decision.message = Some(Message {
            state: State::Held,
            reason: Some("a defect of loopline: reading it broke off; report it, mend it, replay the message".to_owned()),
            ..message.clone()
        });
        let repeat_key = format!("content|{}|{}", message.channel, message.body);
        let new = NewMessage { message, body: arrival.body.into(), repeat_key: Some(repeat_key), control_key: None };
        let receipt = match self.context.store.insert_decided(new, decision, coming).await.map_err(unavailable)? {
            Insertion::New(receipt) | Insertion::Repeat { receipt, .. } => receipt,
        };
        let answer = release(answer, &receipt);
        Ok(Accepted { receipt, repeat: Repeat::New, answer })
    }
}

fn unavailable(source: StoreError) -> IntakeError {
    IntakeError::Unavailable { answer: None, source }
}

/// A message that was read: some kilobytes, which are handed on from here to there several times.
type Read = std::thread::Result<Result<Box<Hl7Message>, NotHl7>>;

/// Reads a message; a panic in it is a defect of ours. A large one is read on a thread of its own.
async fn normalized(body: &Bytes, rules: &Arc<Hl7Rules>) -> Result<Read, IntakeError> {
    let guarded = |body: &[u8], rules: &Hl7Rules| {
        catch_unwind(AssertUnwindSafe(|| {
            #[cfg(test)]
            tests::break_off(body);
            hl7::normalize(body, rules).map(Box::new)
        }))
    };
    if body.len() <= INLINE_BYTES_MAX {
        return Ok(guarded(body, rules));
    }
    let (body, rules) = (body.clone(), Arc::clone(rules));
    tokio::task::spawn_blocking(move || guarded(&body, &rules)).await.map_err(|_| IntakeError::Stopping)
}

/// By which the store knows a message again.
struct Keys {
    repeat: String,
    control: Option<String>,
}

/// Whether senders count their messages on this channel.
fn counts(channel: &InboundChannel) -> bool {
    matches!(&channel.inbound, InboundConfig::Mllp(mllp) if mllp.sequence_numbers)
}

/// Whether it is a header alone that asks about the count, from a sender whose messages are taken.
fn is_link(read: &Hl7Message, body: &[u8]) -> bool {
    let lines = body.split(|byte| matches!(byte, b'\r' | b'\n')).filter(|line| !line.trim_ascii().is_empty()).count();
    let is_refused = read.refusal.as_ref().is_some_and(|refusal| refusal.location.starts_with("MSH"));
    lines == 1 && sequence::asks(sequence::number(&read.header.raw)) && !is_refused
}

/// What answering one HL7 message needs.
struct Answering<'a> {
    settings: AnswerSettings,
    read: &'a Hl7Message,
    /// Our message id is the MSH-10 of our answer: unique, and found again in the listings.
    id: MessageId,
    /// The outbound channel that an application acknowledgement follows through.
    through: Option<&'a ChannelName>,
    /// What the sender should mend.
    warnings: Vec<Warning>,
    /// Why it is refused though it reads well.
    refusal: Option<Refusal>,
}

/// A message with its answer.
struct Answered {
    decision: Decision,
    message: Message,
    answer: Answer,
    /// Whether a repeat gets the same answer. Refused messages are evaluated afresh, as the configuration may have been mended, and
    /// so are status requests.
    repeatable: bool,
}

impl<'a> Answering<'a> {
    fn new(channel: &'a InboundChannel, read: &'a Hl7Message) -> Self {
        let settings = interpret::answer_settings(channel);
        let through = channel.acknowledge.through.as_ref();
        Self { settings, read, id: MessageId::generate(), through, warnings: read.warnings.clone(), refusal: None }
    }

    fn answer(&self, decided: Decided) -> Answered {
        let Decided { mut decision, standing, remark, unknown_referral } = decided;
        let unknown = unknown_referral.then(|| Refusal::unknown_referral(&self.read.header));
        let refusal = self.read.refusal.as_ref().or(self.refusal.as_ref()).or(unknown.as_ref());
        let mut message = decision.message.take().expect("a decision about a message holds it");
        let verdict = match refusal {
            Some(refusal) => {
                message.state = State::Failed;
                message.reason = Some(format!("refused: {}: {}", refusal.location, refusal.text));
                decision = Decision::default();
                Verdict::Refused(refusal)
            }
            None => Verdict::Accepted { kind: self.read.outcome.kind, warnings: &self.warnings, remark: remark.as_deref() },
        };
        // A status is asked afresh every time, and a message that was sent again can be refused again in the same words.
        let is_new = self.read.outcome.event == Some(Event::StatusRequest) || self.read.outcome.kind == Kind::Acknowledgement;
        let repeatable = refusal.is_none() && !is_new;
        let standing = standing.as_ref().map(|(reference, status)| Standing { reference, status: *status });
        let answer = self.compose(verdict, standing);
        keep_answer(&answer, &mut message, &mut decision);
        self.follow_up(verdict, standing, &mut message, &mut decision);
        Answered { decision, message, answer, repeatable }
    }

    /// Queues the application acknowledgement that follows an accept acknowledgement. Its bytes are stored with the message, as the
    /// answer is: what a message was found to be does not change.
    fn follow_up(&self, verdict: Verdict<'_>, standing: Option<Standing<'_>>, message: &mut Message, decision: &mut Decision) {
        let (Some(through), now) = (self.through, Timestamp::now()) else { return };
        let mut delivery = Delivery::queued(Purpose::Acknowledgement, through.clone(), through.as_str(), now);
        let control_id = delivery.control_id(false);
        let answer = hl7_answer::application(&self.read.header, verdict, &self.settings, standing, &control_id, now);
        let Some(answer) = answer.map(|answer| Named::from(Bytes::from(answer))) else { return };
        delivery.message = Some(message.id);
        delivery.referral = message.referrals.first().copied().filter(|_| message.state != State::Failed);
        delivery.content =
            Some(Content::Hl7(Hl7Content { message: answer.id(), control_id, receiver: None, says: None, edited: false }));
        message.acknowledgement = Acknowledgement::Owed;
        decision.bodies.push(answer);
        decision.deliveries.push(delivery);
    }

    /// "Try later": never AA, never AE.
    fn busy(&self) -> Option<Bytes> {
        match self.compose(Verdict::Refused(&Refusal::try_later()), None) {
            Answer::Negative(bytes) => Some(bytes.into()),
            Answer::Positive(_) | Answer::None => None,
        }
    }

    fn compose(&self, verdict: Verdict<'_>, standing: Option<Standing<'_>>) -> Answer {
        hl7_answer::answer(&self.read.header, verdict, &self.settings, standing, &self.id.to_string(), Timestamp::now())
    }
}

/// Has the answer stored with the message. It goes out when the transaction is durable; where it cannot, the door says so.
fn keep_answer(answer: &Answer, message: &mut Message, decision: &mut Decision) {
    let bytes: Bytes = match answer {
        Answer::Positive(sealed) => sealed.stored().clone(),
        Answer::Negative(bytes) => bytes.clone().into(),
        Answer::None => {
            message.acknowledgement = Acknowledgement::NotOwed;
            return;
        }
    };
    message.acknowledgement = Acknowledgement::Sent;
    let named = Named::from(bytes);
    message.answer = Some(named.id());
    decision.bodies.push(named);
}

fn release(answer: Answer, receipt: &Receipt) -> Option<Bytes> {
    match answer {
        Answer::Positive(sealed) => Some(sealed.release(receipt)),
        Answer::Negative(bytes) => Some(bytes.into()),
        Answer::None => None,
    }
}

#[cfg(test)]
mod tests;
