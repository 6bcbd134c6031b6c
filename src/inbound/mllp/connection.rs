//! One peer: its frames in order, within its time limits.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::BytesMut;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::OwnedSemaphorePermit,
    time::{Instant, timeout},
};
use tokio_util::codec::Decoder;

use super::{Door, listener::Channel, turned_away::Reason};
use crate::{
    ids::MessageId,
    protocols::mllp::{Frame, MllpCodec},
};

/// How long a stop waits for the frame that is being received.
const STOP_SECONDS_MAX: u64 = 5;
/// How much is read at once at least.
const READ_BYTES: usize = 16_384;
/// A frame over this takes one of the places for large ones.
const LARGE_FRAME_BYTES: usize = 1_048_576;

/// A connection over a plain or a TLS stream.
pub(super) struct Connection<S, D> {
    pub(super) channel: Arc<Channel<D>>,
    pub(super) stream: S,
    pub(super) peer: SocketAddr,
    /// The messages of the last frame, for a peer that says it did not get their answers (MLLP release 2).
    pub(super) answered: Vec<MessageId>,
    codec: MllpCodec,
    buffer: BytesMut,
    /// Whether the peer ever sent anything.
    spoke: bool,
    /// The place of a large frame, from when it is known to be one until it is answered.
    large: Option<OwnedSemaphorePermit>,
}

/// Whether a connection goes on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    GoOn,
    Close,
}

enum Read {
    Some,
    End,
    Stop,
    TooSlow(Reason),
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send, D: Door> Connection<S, D> {
    pub(super) fn new(channel: Arc<Channel<D>>, stream: S, peer: SocketAddr) -> Self {
        let codec = MllpCodec::new(channel.config.frame_bytes_max);
        Self { channel, stream, peer, answered: Vec::new(), codec, buffer: BytesMut::new(), spoke: false, large: None }
    }

    pub(super) async fn run(mut self) {
        let (channel, peer) = (Arc::clone(&self.channel), self.peer);
        match self.converse().await {
            Ok(()) => {}
            Err(_) if !self.spoke => channel.turn_away(Reason::NothingSent, peer, ""),
            Err(_) if self.codec.is_no_mllp(&self.buffer) => channel.turn_away(Reason::NoMllp, peer, ""),
            Err(error) => tracing::info!(channel = %channel.name, %peer, %error, "the connection broke"),
        }
    }

    async fn converse(&mut self) -> std::io::Result<()> {
        let mut frame_began = None;
        loop {
            while let Some(frame) = self.codec.decode(&mut self.buffer)? {
                frame_began = None;
                let is_large = matches!(&frame, Frame::Message(body) if body.len() > LARGE_FRAME_BYTES);
                if is_large && !self.take_place(&mut frame_began).await {
                    return self.stream.shutdown().await;
                }
                if self.handle(frame).await? == Next::Close {
                    return self.stream.shutdown().await;
                }
                if self.channel.shutdown.is_cancelled() && !self.codec.inside() {
                    return self.stream.shutdown().await;
                }
            }
            if !self.codec.inside() && !self.codec.is_lost() {
                frame_began = None;
            } else if frame_began.is_none() {
                frame_began = Some(Instant::now());
            }
            if self.buffer.len() <= LARGE_FRAME_BYTES {
                self.leave_place();
            } else if !self.take_place(&mut frame_began).await {
                return self.stream.shutdown().await;
            }
            match self.read(frame_began).await? {
                Read::Some => self.spoke = true,
                Read::End => {
                    if self.codec.is_no_mllp(&self.buffer) {
                        self.turn_away(Reason::NoMllp, "");
                    }
                    while let Some(frame) = self.codec.decode_eof(&mut self.buffer)? {
                        self.handle(frame).await?;
                    }
                    if !self.spoke {
                        self.turn_away(Reason::NothingSent, "");
                    }
                    return Ok(());
                }
                Read::Stop => return self.stream.shutdown().await,
                Read::TooSlow(reason) => {
                    self.turn_away(reason, "");
                    if self.codec.is_draining() {
                        // The peer waits for an answer to what it takes for a whole message.
                        while let Some(frame) = self.codec.decode_eof(&mut self.buffer)? {
                            self.handle(frame).await?;
                        }
                    }
                    return self.stream.shutdown().await;
                }
            }
        }
    }

    /// Waits for the place of a large frame. Meanwhile nothing is read, so its peer waits too. False: no place came free in the time for a
    /// frame, or the engine stops; the sender sends it again.
    async fn take_place(&mut self, frame_began: &mut Option<Instant>) -> bool {
        if self.large.is_some() {
            return true;
        }
        let limit = Duration::from_secs(self.channel.config.frame_seconds_max);
        let place = timeout(limit, Arc::clone(&self.channel.large_frames).acquire_owned());
        tokio::select! {
            place = place => self.large = place.ok().and_then(Result::ok),
            () = self.channel.shutdown.cancelled() => {}
        }
        if self.large.is_none() && !self.channel.shutdown.is_cancelled() {
            self.turn_away(Reason::TooManyLargeFrames, "");
        }
        *frame_began = frame_began.map(|_| Instant::now());
        self.large.is_some()
    }

    /// Gives back the place of a large frame, and the room that it took.
    fn leave_place(&mut self) {
        if self.large.is_some() {
            self.buffer = BytesMut::from(&self.buffer[..]);
            self.large = None;
        }
    }

    /// Reads some more. Within a frame the time for a frame counts, between frames the idle time.
    async fn read(&mut self, frame_began: Option<Instant>) -> std::io::Result<Read> {
        let config = &self.channel.config;
        let (limit, reason) = match frame_began {
            Some(began) => (Duration::from_secs(config.frame_seconds_max).saturating_sub(began.elapsed()), Reason::FrameTooSlow),
            None => (Duration::from_secs(config.idle_seconds_max), Reason::Idle),
        };
        self.buffer.reserve(READ_BYTES);
        let shutdown = self.channel.shutdown.clone();
        let stopping = async {
            shutdown.cancelled().await;
            if frame_began.is_some() {
                tokio::time::sleep(Duration::from_secs(STOP_SECONDS_MAX)).await;
            }
        };
        tokio::select! {
            biased;
            read = timeout(limit, self.stream.read_buf(&mut self.buffer)) => Ok(match read {
                Ok(Ok(0)) => Read::End,
                Ok(Ok(_)) => Read::Some,
                // A TLS peer that closes without saying so. A frame has an end of its own, so nothing is lost by it.
                Ok(Err(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof => Read::End,
                Ok(Err(error)) => return Err(error),
                Err(_) => Read::TooSlow(reason),
            }),
            () = stopping => Ok(Read::Stop),
        }
    }

    pub(super) fn turn_away(&self, reason: Reason, detail: &str) {
        self.channel.turn_away(reason, self.peer, detail);
    }

    /// Writes what is ready to leave, frames included.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let limit = Duration::from_secs(self.channel.config.answer_seconds_max);
        let writing = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        match timeout(limit, writing).await {
            Ok(written) => written,
            Err(_) => Err(std::io::Error::new(std::io::ErrorKind::TimedOut, "the peer does not read its answers")),
        }
    }
}
