//! One frame: a message, or a batch of them; what is stored, and what is answered.
//!
//! Everything in a frame is stored before anything of it is answered, so a batch is answered when all of it is durable. A message
//! that cannot be read does not stop the others of its batch. Where the store cannot write, what it did not take is said to be not
//! taken, and the sender sends it again; what it took before is known again then and gets the same answer.

use bytes::{Bytes, BytesMut};
use jiff::Timestamp;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    BatchAnswers, Door,
    connection::{Connection, Next},
    turned_away::Reason,
};
use crate::{
    engine::intake::IntakeError,
    ids::MessageId,
    message::{Arrival, Protocol},
    normalize::hl7::Refusal,
    protocols::{
        hl7::Envelope,
        mllp::{COMMIT_ACK, COMMIT_NAK, Frame, framed},
    },
};

/// What became of one message.
enum Outcome {
    /// It is durable.
    Stored(MessageId, Option<Bytes>),
    /// The store could not take it; the answer, where there is one, says so.
    NotNow(Option<Bytes>),
    /// It cannot be read; the answer, where there can be one, says so.
    Unreadable(Option<Bytes>),
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send, D: Door> Connection<S, D> {
    pub(super) async fn handle(&mut self, frame: Frame) -> std::io::Result<Next> {
        match frame {
            Frame::Message(body) => self.take_frame(body).await,
            Frame::Truncated(body) => {
                self.turn_away(Reason::Truncated, "");
                self.refuse(&body, &Refusal::truncated()).await?;
                Ok(Next::GoOn)
            }
            Frame::TooLarge(head) => {
                self.turn_away(Reason::TooLarge, "");
                self.refuse(&head, &Refusal::too_large(self.channel.config.frame_bytes_max)).await?;
                Ok(Next::Close)
            }
            Frame::CommitBlock(byte) => {
                if byte == COMMIT_NAK && self.channel.config.commit_blocks {
                    // The peer could not keep our answer: it will send the message again, and gets it then.
                    self.not_delivered().await;
                }
                Ok(Next::GoOn)
            }
            Frame::Foreign(foreign) => {
                self.turn_away(Reason::from(foreign), "");
                Ok(Next::Close)
            }
        }
    }

    async fn take_frame(&mut self, frame: Bytes) -> std::io::Result<Next> {
        let envelope = Envelope::read(&frame);
        let most = self.channel.config.batch_messages_max;
        if envelope.messages().len() > most {
            self.turn_away(Reason::TooManyMessages, "");
            let text = format!("a batch of more than {most} messages is not taken here: send it in parts");
            let first = envelope.messages().next().unwrap_or_default();
            self.refuse(first, &Refusal::not_kept(104, text)).await?;
            return Ok(Next::GoOn);
        }
        for (claimed, found) in envelope.wrong_counts() {
            let (channel, peer) = (&self.channel.name, self.peer);
            tracing::warn!(%channel, %peer, claimed, found, "a batch does not hold as many messages as it says");
        }
        let mut outcomes = Vec::with_capacity(envelope.messages().len());
        for message in envelope.messages() {
            let outcome = self.take(frame.slice_ref(message)).await;
            let is_stopping = matches!(outcome, Outcome::NotNow(None));
            outcomes.push(outcome);
            // What follows would fare no better.
            if is_stopping {
                break;
            }
        }
        self.answer(&envelope, outcomes).await
    }

    async fn take(&mut self, body: Bytes) -> Outcome {
        let arrival = Arrival {
            channel: self.channel.name.clone(),
            protocol: Protocol::Hl7,
            body: body.clone(),
            received_at: Timestamp::now(),
            peer: Some(self.peer.to_string()),
            file: None,
        };
        let taken = {
            // Never closed while a connection is open, so this waits and does not fail.
            let _place = self.channel.in_flight.acquire().await;
            self.channel.door.take(arrival).await
        };
        match taken {
            Ok(taken) => Outcome::Stored(taken.message, taken.answer),
            Err(IntakeError::Unavailable { answer, .. }) => Outcome::NotNow(answer),
            // Without an answer the sender keeps the message and sends it again, on a new connection.
            Err(IntakeError::Stopping) => Outcome::NotNow(None),
            Err(IntakeError::NotAMessage(why)) => {
                self.turn_away(Reason::NoMessage, &why);
                let refusal = Refusal::reject(100, "MSH^1", format!("the message cannot be read: {why}"));
                Outcome::Unreadable(self.channel.door.refuse(&self.channel.name, &body, &refusal))
            }
        }
    }

    /// Answers a frame, everything of which that could be stored is durable now.
    async fn answer(&mut self, envelope: &Envelope<'_>, outcomes: Vec<Outcome>) -> std::io::Result<Next> {
        let committed = is_committed(&outcomes);
        let (mut answers, mut next) = (Vec::new(), Next::GoOn);
        self.answered.clear();
        for outcome in outcomes {
            let answer = match outcome {
                Outcome::Stored(message, answer) => {
                    self.answered.extend(answer.is_some().then_some(message));
                    answer
                }
                Outcome::NotNow(answer) => {
                    next = if answer.is_none() { Next::Close } else { next };
                    answer
                }
                Outcome::Unreadable(answer) => {
                    next = if answer.is_none() && !envelope.is_batch() { Next::Close } else { next };
                    answer
                }
            };
            answers.push(answer);
        }
        let config = &self.channel.config;
        let mut bytes = BytesMut::new();
        if config.commit_blocks {
            bytes.extend_from_slice(&framed_block(committed));
        }
        // After a negative commit block the sender sends the frame again: an answer would be taken for the answer to that.
        if !committed && config.commit_blocks {
            self.answered.clear();
        } else if envelope.is_batch() && (config.batch_answers == BatchAnswers::Batch || answers.is_empty()) {
            // A batch with nothing in it is answered by one like it whatever the channel says, so that its sender does not wait.
            if next == Next::GoOn && (answers.is_empty() || answers.iter().any(Option::is_some)) {
                let time = Timestamp::now().strftime("%Y%m%d%H%M%S+0000").to_string();
                bytes.extend_from_slice(&framed(&envelope.answer(&answers, &control_id(), &time)));
            }
        } else {
            for answer in answers.iter().flatten() {
                bytes.extend_from_slice(&framed(answer));
            }
        }
        if bytes.is_empty() {
            return Ok(next);
        }
        if let Err(error) = self.write(&bytes).await {
            let (channel, peer) = (&self.channel.name, self.peer);
            tracing::warn!(%channel, %peer, messages = self.answered.len(), %error, "an answer could not be sent");
            self.not_delivered().await;
            return Ok(Next::Close);
        }
        Ok(next)
    }

    async fn not_delivered(&mut self) {
        for message in std::mem::take(&mut self.answered) {
            self.channel.door.answer_undelivered(message).await;
        }
    }

    /// Refuses what never became a message, if it can be answered at all.
    async fn refuse(&mut self, body: &[u8], refusal: &Refusal) -> std::io::Result<()> {
        if self.channel.config.commit_blocks {
            return self.write(&framed_block(false)).await;
        }
        match self.channel.door.refuse(&self.channel.name, body, refusal) {
            Some(answer) => self.write(&framed(&answer)).await,
            None => Ok(()),
        }
    }
}

/// Whether a frame is kept, as MLLP release 2 asks: what the store could take is stored, and it was something, or there was nothing.
fn is_committed(outcomes: &[Outcome]) -> bool {
    let refused_now = outcomes.iter().any(|outcome| matches!(outcome, Outcome::NotNow(_)));
    outcomes.is_empty() || !refused_now && outcomes.iter().any(|outcome| matches!(outcome, Outcome::Stored(..)))
}

/// The commit block of MLLP release 2: the frame is stored, or it is not.
fn framed_block(stored: bool) -> [u8; 4] {
    crate::protocols::mllp::commit_block(if stored { COMMIT_ACK } else { COMMIT_NAK })
}

/// A control id for a batch of answers: unique, and of the 20 characters that old versions allow.
fn control_id() -> String {
    let id = MessageId::generate().to_string();
    id.get(id.len().saturating_sub(20)..).unwrap_or(&id).to_owned()
}
