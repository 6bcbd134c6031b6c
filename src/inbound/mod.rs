//! The doors: each inbound connector turns what its peers send into [`Arrival`](crate::message::Arrival)s and acknowledges
//! by the [`Receipt`](crate::store::Receipt) that the intake gives back.
//!
//! Adding a connector type is one new file and three lines here: the module, the variant, the match arm.

pub mod folder;
pub mod mailbox;
pub mod mllp;

use std::future::Future;

use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use crate::engine::intake::Intake;

/// A running door.
pub trait Inbound: Sized + Send + 'static {
    /// Takes arrivals in until told to stop, then finishes what is at hand and returns.
    fn run(self, intake: Intake, shutdown: CancellationToken) -> impl Future<Output = anyhow::Result<()>> + Send;
}

/// The `[inbound.…]` table of a channel file.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InboundConfig {
    /// HL7 v2 over MLLP.
    Mllp(mllp::MllpConfig),
    /// A watched folder of scanned faxes.
    Folder(folder::FolderConfig),
    /// A Maildir.
    Mailbox(mailbox::MailboxConfig),
    /// No door of its own: what comes back on the connection of an outbound MLLP channel. No file says it.
    #[serde(skip)]
    Answers,
}
