//! HL7 v2 over MLLP: listens, reads frames, answers each message in order.
//!
//! One task a connection; on a connection one message is at hand at a time, so answers go out in the order of the messages.
//! A positive answer is bytes that the intake gave back, and it gives them back only once the message is durable.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use bytes::{Bytes, BytesMut};
use jiff::Timestamp;
use serde::Deserialize;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{Instant, timeout},
};
use tokio_util::{codec::Decoder, sync::CancellationToken, task::TaskTracker};

use super::Inbound;
use crate::{
    compose::hl7_answer::{AnswerSettings, refuse_fragment},
    engine::intake::{Intake, IntakeError},
    ids::{ChannelName, MessageId},
    message::{Arrival, Protocol},
    normalize::hl7::Refusal,
    protocols::{
        hl7::split_messages,
        mllp::{Frame, MllpCodec, framed},
    },
};

/// How long a stop waits for the frame that is being received.
const STOP_SECONDS_MAX: u64 = 5;
/// How long an answer may take to leave: a peer that does not read blocks nobody but itself.
const WRITE_SECONDS_MAX: u64 = 30;
/// How much is read at once at least.
const READ_BYTES: usize = 16_384;

/// `[inbound.mllp]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MllpConfig {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Listening off loopback without TLS must be said in so many words.
    #[serde(default)]
    pub plaintext: bool,
    /// The largest message taken, in bytes.
    #[serde(default = "defaults::frame_bytes_max")]
    pub frame_bytes_max: usize,
    /// The most connections at once; further ones are closed.
    #[serde(default = "defaults::connections_max")]
    pub connections_max: usize,
    /// How long a connection may say nothing.
    #[serde(default = "defaults::idle_seconds_max")]
    pub idle_seconds_max: u64,
    /// How long one frame may take from its first to its last byte.
    #[serde(default = "defaults::frame_seconds_max")]
    pub frame_seconds_max: u64,
}

mod defaults {
    pub(super) fn frame_bytes_max() -> usize {
        33_554_432
    }
    pub(super) fn connections_max() -> usize {
        256
    }
    pub(super) fn idle_seconds_max() -> u64 {
        86_400
    }
    pub(super) fn frame_seconds_max() -> u64 {
        120
    }
}

/// A listening MLLP channel.
pub struct MllpInbound {
    name: ChannelName,
    config: MllpConfig,
    listener: std::net::TcpListener,
}

impl MllpInbound {
    /// Takes the port, so that a port in use is told at start and not later.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub fn bind(name: ChannelName, config: MllpConfig) -> anyhow::Result<Self> {
        let address = config.listen;
        let bound = || {
            let listener = std::net::TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            Ok::<_, std::io::Error>(listener)
        };
        let listener = bound().with_context(|| format!("cannot listen on {address} for channel {name}"))?;
        Ok(Self { name, config, listener })
    }

    /// Where it listens: the real port, where the configuration says 0.
    ///
    /// # Errors
    /// The operating system does not tell.
    pub fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    async fn serve<D: Door>(self, door: D, shutdown: CancellationToken) -> anyhow::Result<()> {
        let listener = TcpListener::from_std(self.listener).context("cannot wait on the listening socket")?;
        let places = Arc::new(Semaphore::new(self.config.connections_max));
        let connections = TaskTracker::new();
        let channel = Arc::new(Channel { name: self.name, config: self.config });
        tracing::info!(channel = %channel.name, address = %listener.local_addr()?, "listening for HL7");
        let mut full = false;
        loop {
            let accepted = tokio::select! {
                () = shutdown.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors, mostly: wait for some to be free.
                    tracing::warn!(channel = %channel.name, %error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    continue;
                }
            };
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                // Once, until a place was free again: a flood must not fill the log.
                if !std::mem::replace(&mut full, true) {
                    let most = channel.config.connections_max;
                    tracing::warn!(channel = %channel.name, %peer, connections_max = most, "all connections are taken: closing more");
                }
                continue;
            };
            full = false;
            let connection = Connection {
                codec: MllpCodec::new(channel.config.frame_bytes_max),
                buffer: BytesMut::new(),
                channel: Arc::clone(&channel),
                stream,
                peer,
                door: door.clone(),
                shutdown: shutdown.clone(),
            };
            connections.spawn(async move {
                connection.run().await;
                drop(place);
            });
        }
        connections.close();
        connections.wait().await;
        Ok(())
    }
}

impl Inbound for MllpInbound {
    async fn run(self, intake: Intake, shutdown: CancellationToken) -> anyhow::Result<()> {
        self.serve(intake, shutdown).await
    }
}

/// What the connections need of the intake: an arrival in, and what to answer out. A trait, so that the tests of the
/// connection loop need no store.
trait Door: Clone + Send + Sync + 'static {
    fn take(&self, arrival: Arrival) -> impl Future<Output = Result<Taken, IntakeError>> + Send;
    /// The answer to a taken message could not be sent.
    fn answer_undelivered(&self, message: MessageId) -> impl Future<Output = ()> + Send;
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
}

struct Channel {
    name: ChannelName,
    config: MllpConfig,
}

struct Connection<D> {
    channel: Arc<Channel>,
    stream: TcpStream,
    peer: SocketAddr,
    codec: MllpCodec,
    buffer: BytesMut,
    door: D,
    shutdown: CancellationToken,
}

/// Whether a connection goes on.
#[derive(PartialEq, Eq)]
enum Next {
    GoOn,
    Close,
}

impl<D: Door> Connection<D> {
    async fn run(mut self) {
        let (channel, peer) = (Arc::clone(&self.channel), self.peer);
        if let Err(error) = self.converse().await {
            tracing::info!(channel = %channel.name, %peer, %error, "the connection broke");
        }
    }

    async fn converse(&mut self) -> std::io::Result<()> {
        self.stream.set_nodelay(true)?;
        let mut frame_began = None;
        loop {
            while let Some(frame) = self.codec.decode(&mut self.buffer)? {
                frame_began = None;
                if self.handle(frame).await? == Next::Close {
                    return self.stream.shutdown().await;
                }
                if self.shutdown.is_cancelled() && !self.codec.inside() {
                    return self.stream.shutdown().await;
                }
            }
            if !self.codec.inside() {
                frame_began = None;
            } else if frame_began.is_none() {
                frame_began = Some(Instant::now());
            }
            match self.read(frame_began).await? {
                Read::Some => {}
                Read::End => {
                    while let Some(frame) = self.codec.decode_eof(&mut self.buffer)? {
                        self.handle(frame).await?;
                    }
                    return Ok(());
                }
                Read::Stop => return self.stream.shutdown().await,
                Read::TooSlow(what) => {
                    tracing::info!(channel = %self.channel.name, peer = %self.peer, "closing: {what}");
                    return self.stream.shutdown().await;
                }
            }
        }
    }

    /// Reads some more. Within a frame the time for a frame counts, between frames the idle time.
    async fn read(&mut self, frame_began: Option<Instant>) -> std::io::Result<Read> {
        let config = &self.channel.config;
        let (limit, what) = match frame_began {
            Some(began) => {
                (Duration::from_secs(config.frame_seconds_max).saturating_sub(began.elapsed()), "a frame took too long")
            }
            None => (Duration::from_secs(config.idle_seconds_max), "nothing was sent for too long"),
        };
        self.buffer.reserve(READ_BYTES);
        let stopping = async {
            self.shutdown.cancelled().await;
            if frame_began.is_some() {
                tokio::time::sleep(Duration::from_secs(STOP_SECONDS_MAX)).await;
            }
        };
        tokio::select! {
            biased;
            read = timeout(limit, self.stream.read_buf(&mut self.buffer)) => Ok(match read {
                Ok(Ok(0)) => Read::End,
                Ok(Ok(_)) => Read::Some,
                Ok(Err(error)) => return Err(error),
                Err(_) => Read::TooSlow(what),
            }),
            () = stopping => Ok(Read::Stop),
        }
    }

    async fn handle(&mut self, frame: Frame) -> std::io::Result<Next> {
        let (channel, peer) = (&self.channel.name, self.peer);
        match frame {
            Frame::Message(body) => self.take_each(body).await,
            Frame::Truncated(body) => {
                tracing::warn!(%channel, %peer, bytes = body.len(), "a message broke off before its end");
                self.refuse(&body, &Refusal::truncated()).await?;
                Ok(Next::GoOn)
            }
            Frame::TooLarge(head) => {
                let most = self.channel.config.frame_bytes_max;
                tracing::warn!(%channel, %peer, frame_bytes_max = most, "a message was larger than is taken: closing");
                self.refuse(&head, &Refusal::too_large(most)).await?;
                Ok(Next::Close)
            }
            Frame::CommitBlock(byte) => {
                tracing::debug!(%channel, %peer, byte, "an MLLP commit block was skipped");
                Ok(Next::GoOn)
            }
            Frame::Foreign(foreign) => {
                tracing::warn!(%channel, %peer, "closing: the peer sent {}", foreign.as_str());
                Ok(Next::Close)
            }
        }
    }

    /// A frame holds one message, or a batch: its messages are taken and answered one by one.
    async fn take_each(&mut self, frame: Bytes) -> std::io::Result<Next> {
        let (messages, claimed) = split_messages(&frame);
        if let Some(claimed) = claimed.filter(|claimed| *claimed != messages.len()) {
            let (channel, peer) = (&self.channel.name, self.peer);
            tracing::warn!(%channel, %peer, claimed, found = messages.len(), "a batch does not hold as many messages as it says");
        }
        for message in messages {
            if self.take(frame.slice_ref(message)).await? == Next::Close {
                return Ok(Next::Close);
            }
        }
        Ok(Next::GoOn)
    }

    async fn take(&mut self, body: Bytes) -> std::io::Result<Next> {
        let (channel, peer) = (self.channel.name.clone(), self.peer);
        let arrival = Arrival {
            channel: channel.clone(),
            protocol: Protocol::Hl7,
            body,
            received_at: Timestamp::now(),
            peer: Some(peer.to_string()),
            file: None,
        };
        match self.door.take(arrival).await {
            Ok(taken) => {
                if let Some(answer) = taken.answer
                    && let Err(error) = self.write(&answer).await
                {
                    tracing::warn!(%channel, %peer, message = %taken.message, %error, "the answer could not be sent");
                    self.door.answer_undelivered(taken.message).await;
                    return Ok(Next::Close);
                }
                Ok(Next::GoOn)
            }
            Err(IntakeError::Unavailable { answer: Some(answer), .. }) => {
                self.write(&answer).await?;
                Ok(Next::GoOn)
            }
            // Without an answer the sender keeps the message and sends it again, on a new connection.
            Err(IntakeError::Unavailable { answer: None, .. } | IntakeError::Stopping) => Ok(Next::Close),
            Err(IntakeError::NotAMessage(why)) => {
                tracing::warn!(%channel, %peer, "closing: a frame held no message ({why})");
                Ok(Next::Close)
            }
        }
    }

    /// Refuses what never became a message, if it can be answered at all.
    async fn refuse(&mut self, body: &[u8], refusal: &Refusal) -> std::io::Result<()> {
        let control_id = MessageId::generate().to_string();
        let control_id = control_id.get(..20).unwrap_or(&control_id);
        let answer = refuse_fragment(body, refusal, &AnswerSettings::default(), control_id, Timestamp::now());
        match answer {
            Some(answer) => self.write(&answer).await,
            None => Ok(()),
        }
    }

    async fn write(&mut self, answer: &[u8]) -> std::io::Result<()> {
        let framed = framed(answer);
        match timeout(Duration::from_secs(WRITE_SECONDS_MAX), self.stream.write_all(&framed)).await {
            Ok(written) => written,
            Err(_) => Err(std::io::Error::new(std::io::ErrorKind::TimedOut, "the peer does not read its answers")),
        }
    }
}

enum Read {
    Some,
    End,
    Stop,
    TooSlow(&'static str),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoreError;

    /// Answers each message with its own bytes; one that says so meets a store that cannot write.
    #[derive(Clone)]
    struct Echo;

    impl Door for Echo {
        async fn take(&self, arrival: Arrival) -> Result<Taken, IntakeError> {
            let body = arrival.body;
            if body.starts_with(b"MSH|full") {
                let source = StoreError::Unavailable(std::io::Error::other("disk full"));
                return Err(IntakeError::Unavailable { answer: Some(Bytes::from_static(b"AR\r")), source });
            }
            if !body.starts_with(b"MSH") {
                return Err(IntakeError::NotAMessage("it does not begin with MSH".to_owned()));
            }
            Ok(Taken { message: MessageId::generate(), answer: Some(body) })
        }

        async fn answer_undelivered(&self, _: MessageId) {}
    }

    struct Server {
        address: SocketAddr,
        shutdown: CancellationToken,
        task: tokio::task::JoinHandle<anyhow::Result<()>>,
    }

    fn serve(change: impl FnOnce(&mut MllpConfig)) -> Server {
        let mut config = MllpConfig {
            listen: "127.0.0.1:0".parse().unwrap(),
            plaintext: false,
            frame_bytes_max: 1_000,
            connections_max: 10,
            idle_seconds_max: 60,
            frame_seconds_max: 60,
        };
        change(&mut config);
        let inbound = MllpInbound::bind(ChannelName::new("test"), config).unwrap();
        let address = inbound.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(inbound.serve(Echo, shutdown.clone()));
        Server { address, shutdown, task }
    }

    async fn exchange(server: &Server, bytes: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await.unwrap().unwrap();
        answer
    }

    #[tokio::test]
    async fn messages_are_answered_in_order_however_they_are_joined() {
        let server = serve(|_| {});
        let sent = b"\x0BMSH|1\r\x1C\r\x0BMSH|2\r\x1C\r\x0BMSH|full\r\x1C\r\x0BMSH|3\r\x1C\r";
        assert_eq!(exchange(&server, sent).await, b"\x0BMSH|1\r\x1C\r\x0BMSH|2\r\x1C\r\x0BAR\r\x1C\r\x0BMSH|3\r\x1C\r");
    }

    #[tokio::test]
    async fn the_messages_of_a_batch_are_answered_one_by_one() {
        let server = serve(|_| {});
        let sent = b"\x0BFHS|a\rBHS|b\rMSH|1\rMSH|2\rBTS|2\rFTS|1\r\x1C\r";
        assert_eq!(exchange(&server, sent).await, b"\x0BMSH|1\r\x1C\r\x0BMSH|2\r\x1C\r");
    }

    #[tokio::test]
    async fn a_dribble_of_single_bytes_is_a_message() {
        let server = serve(|_| {});
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        for byte in b"\x0BMSH|1\r\x1C\r" {
            stream.write_all(&[*byte]).await.unwrap();
            tokio::task::yield_now().await;
        }
        let mut answer = [0; 9];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"\x0BMSH|1\r\x1C\r");
    }

    #[tokio::test]
    async fn what_is_no_mllp_is_closed_without_an_answer() {
        let server = serve(|_| {});
        for bytes in [&b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..], &[0x16, 0x03, 0x01, 0, 5], b"", b"\x0Bhello\x1C\r"] {
            assert_eq!(exchange(&server, bytes).await, b"");
        }
        assert_eq!(exchange(&server, b"\x0BMSH|1\r\x1C\r").await, b"\x0BMSH|1\r\x1C\r");
    }

    #[tokio::test]
    async fn a_message_that_broke_off_or_is_too_large_is_refused() {
        let server = serve(|config| config.frame_bytes_max = 60);
        let answer = exchange(&server, b"\x0BMSH|^~\\&|A|B|C|D|1||REF^I12|77|P|2.4\rPID|1").await;
        assert!(String::from_utf8(answer).unwrap().contains("\rMSA|AR|77|"));
        let large = [b"\x0BMSH|^~\\&|A|B|C|D|1||REF^I12|78|P|2.4\rNTE|||", &[b'x'; 100][..], b"\x1C\r"].concat();
        let answer = String::from_utf8(exchange(&server, &large).await).unwrap();
        assert!(answer.contains("\rMSA|AR|78|") && answer.contains("^104&"), "{answer}");
    }

    #[tokio::test]
    async fn one_connection_too_many_is_closed() {
        let server = serve(|config| config.connections_max = 1);
        let mut first = TcpStream::connect(server.address).await.unwrap();
        first.write_all(b"\x0BMSH|1\r\x1C\r").await.unwrap();
        let mut answer = [0; 9];
        first.read_exact(&mut answer).await.unwrap();
        let mut second = TcpStream::connect(server.address).await.unwrap();
        let mut nothing = Vec::new();
        let closed = timeout(Duration::from_secs(20), second.read_to_end(&mut nothing)).await.unwrap();
        assert!(closed.is_err() || nothing.is_empty());
    }

    #[tokio::test]
    async fn a_frame_that_never_ends_is_given_up() {
        let server = serve(|config| config.frame_seconds_max = 0);
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(b"\x0BMSH|1").await.unwrap();
        let mut nothing = Vec::new();
        timeout(Duration::from_secs(20), stream.read_to_end(&mut nothing)).await.unwrap().unwrap();
        assert!(nothing.is_empty());
    }

    #[tokio::test]
    async fn a_stop_closes_idle_connections_and_ends() {
        let server = serve(|_| {});
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(b"\x0BMSH|1\r\x1C\r").await.unwrap();
        let mut answer = [0; 9];
        stream.read_exact(&mut answer).await.unwrap();
        server.shutdown.cancel();
        timeout(Duration::from_secs(20), server.task).await.unwrap().unwrap().unwrap();
        assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0);
    }
}
