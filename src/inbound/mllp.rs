//! HL7 v2 over MLLP: listens, reads frames, answers each message in order.
//!
//! ```text
//! listener.rs     takes connections, up to the limits; TLS where the channel has it
//! connection.rs   one peer: its frames, its time limits
//! frames.rs       one frame: a message, or a batch; what is answered
//! turned_away.rs  who was not served, counted and logged a line a minute
//! ```
//!
//! One task a connection; on a connection one frame is at hand at a time, so answers go out in the order of the messages.
//! A positive answer is bytes that the intake gave back, and it gives them back only once the message is durable.

mod connection;
mod frames;
mod listener;
#[cfg(test)]
mod tests;
mod turned_away;

use std::net::SocketAddr;

use anyhow::Context;
use bytes::Bytes;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use super::Inbound;
use crate::{
    engine::intake::{Intake, IntakeError},
    ids::{ChannelName, MessageId},
    message::Arrival,
    normalize::hl7::Refusal,
    protocols::tls::{ServerTls, ServerTlsConfig},
};

/// `[inbound.mllp]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MllpConfig {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Listening off loopback without TLS must be said in so many words.
    #[serde(default)]
    pub plaintext: bool,
    /// TLS; absent: none.
    #[serde(default)]
    pub tls: Option<ServerTlsConfig>,
    /// The largest message taken, in bytes.
    #[serde(default = "defaults::frame_bytes_max")]
    pub frame_bytes_max: usize,
    /// The most messages over 1 MiB that are received and stored at once; further ones wait.
    #[serde(default = "defaults::large_frames_max")]
    pub large_frames_max: usize,
    /// The most connections at once; further ones are closed.
    #[serde(default = "defaults::connections_max")]
    pub connections_max: usize,
    /// The most connections at once from one address; further ones are closed.
    #[serde(default = "defaults::connections_per_peer_max")]
    pub connections_per_peer_max: usize,
    /// The most messages that are being stored at once; further ones wait.
    #[serde(default = "defaults::messages_in_flight_max")]
    pub messages_in_flight_max: usize,
    /// How long a connection may say nothing.
    #[serde(default = "defaults::idle_seconds_max")]
    pub idle_seconds_max: u64,
    /// How long one frame may take from its first to its last byte.
    #[serde(default = "defaults::frame_seconds_max")]
    pub frame_seconds_max: u64,
    /// How long an answer may take to leave: a peer that does not read blocks nobody but itself.
    #[serde(default = "defaults::answer_seconds_max")]
    pub answer_seconds_max: u64,
    /// The most messages in one frame; a batch of more is refused.
    #[serde(default = "defaults::batch_messages_max")]
    pub batch_messages_max: usize,
    /// How a batch is answered.
    #[serde(default)]
    pub batch_answers: BatchAnswers,
    /// MLLP release 2: says by a commit block that a frame is stored, or that it is not, before the HL7 answer.
    #[serde(default)]
    pub commit_blocks: bool,
    /// The sequence-number protocol: senders count their messages in MSH-13, and one that is out of order is refused.
    #[serde(default)]
    pub sequence_numbers: bool,
}

/// How the messages of a batch (FHS, BHS) are answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BatchAnswers {
    /// Each in a frame of its own.
    #[default]
    Each,
    /// All in one batch of answers.
    Batch,
}

mod defaults {
    pub(super) fn frame_bytes_max() -> usize {
        67_108_864
    }
    pub(super) fn large_frames_max() -> usize {
        8
    }
    pub(super) fn connections_max() -> usize {
        256
    }
    pub(super) fn connections_per_peer_max() -> usize {
        128
    }
    pub(super) fn messages_in_flight_max() -> usize {
        256
    }
    pub(super) fn idle_seconds_max() -> u64 {
        86_400
    }
    pub(super) fn frame_seconds_max() -> u64 {
        120
    }
    pub(super) fn answer_seconds_max() -> u64 {
        30
    }
    pub(super) fn batch_messages_max() -> usize {
        1_000
    }
}

/// A listening MLLP channel.
pub struct MllpInbound {
    name: ChannelName,
    config: MllpConfig,
    tls: Option<ServerTls>,
    listener: std::net::TcpListener,
}

impl MllpInbound {
    /// Takes the port and reads the certificates, so that what is wrong with them is told at start and not later.
    ///
    /// # Errors
    /// The address cannot be listened on, or a certificate cannot be used.
    pub fn bind(name: ChannelName, config: MllpConfig) -> anyhow::Result<Self> {
        let tls = match config.tls.clone() {
            Some(tls) => {
                let (tls, findings) = ServerTls::open(tls).with_context(|| format!("cannot use TLS for channel {name}"))?;
                for finding in findings {
                    tracing::warn!(channel = %name, "{finding}");
                }
                Some(tls)
            }
            None => None,
        };
        let address = config.listen;
        let bound = || {
            let listener = std::net::TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            Ok::<_, std::io::Error>(listener)
        };
        let listener = bound().with_context(|| format!("cannot listen on {address} for channel {name}"))?;
        Ok(Self { name, config, tls, listener })
    }

    /// Where it listens: the real port, where the configuration says 0.
    ///
    /// # Errors
    /// The operating system does not tell.
    pub fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl Inbound for MllpInbound {
    async fn run(self, intake: Intake, shutdown: CancellationToken) -> anyhow::Result<()> {
        listener::serve(self, intake, shutdown).await
    }
}

/// What the connections need of the engine. A trait, so that the tests of the connection loop need no store.
trait Door: Clone + Send + Sync + 'static {
    /// An arrival in, and what to answer out.
    fn take(&self, arrival: Arrival) -> impl Future<Output = Result<Taken, IntakeError>> + Send;
    /// The answer to a taken message could not be sent.
    fn answer_undelivered(&self, message: MessageId) -> impl Future<Output = ()> + Send;
    /// The answer to what never became a message (cut off, too large), if it can be answered at all.
    fn refuse(&self, channel: &ChannelName, body: &[u8], refusal: &Refusal) -> Option<Bytes>;
    /// Somebody was not served.
    fn turned_away(&self, channel: &ChannelName, why: &'static str);
}

/// What was taken, and what to answer.
struct Taken {
    message: MessageId,
    answer: Option<Bytes>,
}

impl Door for Intake {
    async fn take(&self, arrival: Arrival) -> Result<Taken, IntakeError> {
        let accepted = self.accept(arrival).await?;
        Ok(Taken { message: accepted.receipt.message(), answer: accepted.answer })
    }

    async fn answer_undelivered(&self, message: MessageId) {
        Intake::answer_undelivered(self, message).await;
    }

    fn refuse(&self, channel: &ChannelName, body: &[u8], refusal: &Refusal) -> Option<Bytes> {
        self.refuse_fragment(channel, body, refusal)
    }

    fn turned_away(&self, channel: &ChannelName, why: &'static str) {
        self.count_turned_away(channel, why);
    }
}
