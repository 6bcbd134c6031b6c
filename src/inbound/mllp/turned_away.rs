//! Who was not served, and why: counted each time, logged a line a minute for each reason, so that a flood does not fill the log.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::{ids::ChannelName, protocols::mllp::Foreign};

/// How often the same reason is logged.
const LOG_SECONDS_MIN: u64 = 60;

/// Why a peer, or what it sent, was turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reason {
    Http,
    TlsOnPlainPort,
    PlainOnTlsPort,
    UnframedHl7,
    NoMllp,
    NothingSent,
    Handshake,
    TooManyConnections,
    TooManyOfOnePeer,
    FrameTooSlow,
    Idle,
    Truncated,
    TooLarge,
    TooManyLargeFrames,
    TooManyMessages,
    NoMessage,
}

impl Reason {
    /// Its name where it is counted.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::TlsOnPlainPort => "tls-on-plain-port",
            Self::PlainOnTlsPort => "plain-on-tls-port",
            Self::UnframedHl7 => "unframed-hl7",
            Self::NoMllp => "no-mllp",
            Self::NothingSent => "nothing-sent",
            Self::Handshake => "tls-handshake",
            Self::TooManyConnections => "too-many-connections",
            Self::TooManyOfOnePeer => "too-many-connections-of-one-peer",
            Self::FrameTooSlow => "frame-too-slow",
            Self::Idle => "idle",
            Self::Truncated => "truncated",
            Self::TooLarge => "too-large",
            Self::TooManyLargeFrames => "too-many-large-frames",
            Self::TooManyMessages => "too-many-messages",
            Self::NoMessage => "no-message",
        }
    }

    /// In words, for the log.
    fn sentence(self) -> &'static str {
        match self {
            Self::Http => "closed: the peer sent an HTTP request",
            Self::TlsOnPlainPort => "closed: the peer began a TLS handshake, and this channel has no [inbound.mllp.tls]",
            Self::PlainOnTlsPort => "closed: the peer sent MLLP without TLS, and this channel wants TLS",
            Self::UnframedHl7 => "closed: the peer sent HL7 without MLLP frames",
            Self::NoMllp => "closed: the peer sent bytes that are no MLLP",
            Self::NothingSent => "a peer connected and left without sending anything",
            Self::Handshake => "closed: no TLS connection was made",
            Self::TooManyConnections => "closed: all connections are taken (connections_max)",
            Self::TooManyOfOnePeer => "closed: this peer has all the connections one may have (connections_per_peer_max)",
            Self::FrameTooSlow => "closed: a frame took too long (frame_seconds_max)",
            Self::Idle => "closed: nothing was sent for too long (idle_seconds_max)",
            Self::Truncated => "refused: a message broke off before its end",
            Self::TooLarge => "refused and closed: a message was larger than is taken (frame_bytes_max)",
            Self::TooManyLargeFrames => "closed: others sent large messages for too long (large_frames_max, frame_seconds_max)",
            Self::TooManyMessages => "refused: a batch holds more messages than are taken (batch_messages_max)",
            Self::NoMessage => "refused: a frame held no message that can be read",
        }
    }

    /// Health checks of load balancers connect and leave all day; that is nothing to warn of.
    fn is_ordinary(self) -> bool {
        matches!(self, Self::NothingSent | Self::Idle)
    }
}

impl From<Foreign> for Reason {
    fn from(foreign: Foreign) -> Self {
        match foreign {
            Foreign::Http => Self::Http,
            Foreign::Tls => Self::TlsOnPlainPort,
            Foreign::UnframedHl7 => Self::UnframedHl7,
            Foreign::Unknown => Self::NoMllp,
        }
    }
}

/// What a channel logged of each reason.
#[derive(Default)]
pub(super) struct TurnedAway {
    logged: Mutex<BTreeMap<Reason, Logged>>,
}

struct Logged {
    at: Instant,
    since: u64,
}

impl TurnedAway {
    /// Logs it, unless the same was logged within the last minute. `detail` may be empty; it never holds what a peer sent.
    pub(super) fn log(&self, channel: &ChannelName, reason: Reason, peer: SocketAddr, detail: &str) {
        let Some(more) = self.due(reason, Instant::now()) else { return };
        let why = reason.as_str();
        let sentence = reason.sentence();
        if reason.is_ordinary() {
            tracing::info!(%channel, %peer, why, detail, not_logged_before = more, "{sentence}");
        } else {
            tracing::warn!(%channel, %peer, why, detail, not_logged_before = more, "{sentence}");
        }
    }

    /// Whether it is time for a line, and how many went without one since the last.
    fn due(&self, reason: Reason, now: Instant) -> Option<u64> {
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        match logged.get_mut(&reason) {
            Some(last) if now.duration_since(last.at) < Duration::from_secs(LOG_SECONDS_MIN) => {
                last.since = last.since.saturating_add(1);
                None
            }
            Some(last) => Some(std::mem::replace(last, Logged { at: now, since: 0 }).since),
            None => {
                logged.insert(reason, Logged { at: now, since: 0 });
                Some(0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_logged_once_a_minute_with_the_number_of_the_others() {
        let away = TurnedAway::default();
        let now = Instant::now();
        assert_eq!(away.due(Reason::Http, now), Some(0));
        assert_eq!(away.due(Reason::Http, now + Duration::from_secs(1)), None);
        assert_eq!(away.due(Reason::Http, now + Duration::from_secs(59)), None);
        assert_eq!(away.due(Reason::Handshake, now + Duration::from_secs(59)), Some(0));
        assert_eq!(away.due(Reason::Http, now + Duration::from_secs(60)), Some(2));
    }
}
