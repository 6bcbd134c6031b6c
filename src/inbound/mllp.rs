//! HL7 v2 over MLLP: listens, reads frames, answers each message in order.

use std::net::SocketAddr;

use serde::Deserialize;

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
