//! A mailbox as a Maildir: mails move from `new/` to `cur/` with the flag S once they are durable.

use std::path::PathBuf;

use serde::Deserialize;

/// `[inbound.mailbox]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailboxConfig {
    /// The Maildir: the folder that holds `new`, `cur` and `tmp`.
    pub maildir: PathBuf,
    /// How often `new/` is read even when no file event comes.
    #[serde(default = "defaults::poll_seconds")]
    pub poll_seconds: f64,
    /// The largest mail taken, in bytes.
    #[serde(default = "defaults::mail_bytes_max")]
    pub mail_bytes_max: u64,
}

mod defaults {
    pub(super) fn poll_seconds() -> f64 {
        5.0
    }
    pub(super) fn mail_bytes_max() -> u64 {
        67_108_864
    }
}
