//! The open doors: one task an inbound channel, opened at the start, opened anew where the configuration changed.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Context as _;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Context, intake::Intake};
use crate::{
    config::InboundChannel,
    ids::ChannelName,
    inbound::{Inbound, InboundConfig, folder::FolderInbound, mailbox::MailboxInbound, mllp::MllpInbound},
};

pub(super) struct Doors {
    context: Context,
    open: BTreeMap<ChannelName, Door>,
}

struct Door {
    config: InboundConfig,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Doors {
    pub(super) fn new(context: Context) -> Self {
        Self { context, open: BTreeMap::new() }
    }

    pub(super) fn open_all(&mut self) -> anyhow::Result<()> {
        for channel in self.context.config().inbound.values() {
            self.open(channel)?;
        }
        Ok(())
    }

    /// Opens, closes and leaves open as the configuration in force says.
    pub(super) async fn renew(&mut self) -> anyhow::Result<()> {
        let config = self.context.config();
        let gone: Vec<ChannelName> = self
            .open
            .iter()
            .filter(|(name, door)| config.inbound.get(name).is_none_or(|channel| channel.inbound != door.config))
            .map(|(name, _)| name.clone())
            .collect();
        let mut failures = Vec::new();
        for name in gone {
            let Some(old) = self.open.remove(&name) else { continue };
            self.context.note_address(&name, None);
            let changed = config.inbound.get(&name);
            if let Some(channel) = changed {
                failures.extend(self.replace(old, channel).await);
            } else {
                old.close(Duration::from_secs(super::DOORS_DRAIN_SECONDS_MAX)).await;
                tracing::info!(channel = %name, "closed, as it is not configured any more");
            }
        }
        for channel in config.inbound.values() {
            if !self.open.contains_key(&channel.name)
                && let Err(error) = self.open(channel)
            {
                failures.push(format!("{error:#}"));
            }
        }
        anyhow::ensure!(failures.is_empty(), "{}", failures.join("; "));
        Ok(())
    }

    /// Opens a door anew. Where the new one cannot be opened, the old one stays: a wrong port must not leave senders before a closed door.
    async fn replace(&mut self, old: Door, channel: &InboundChannel) -> Option<String> {
        let drain = Duration::from_secs(super::DOORS_DRAIN_SECONDS_MAX);
        // A listener on another port opens beside the old one. Two doors at one folder or Maildir would take the same files.
        let beside = matches!(channel.inbound, InboundConfig::Mllp(_)) && self.open(channel).is_ok();
        let before = InboundChannel { inbound: old.config.clone(), ..channel.clone() };
        old.close(drain).await;
        if beside {
            return None;
        }
        let error = self.open(channel).err()?;
        let stays = match self.open(&before) {
            Ok(()) => "it stays open as it was before",
            Err(_) => "it is closed",
        };
        Some(format!("{error:#}; {stays}"))
    }

    pub(super) async fn close_all(&mut self, within: Duration) {
        let doors = std::mem::take(&mut self.open);
        futures::future::join_all(doors.into_values().map(|door| door.close(within))).await;
    }

    fn open(&mut self, channel: &InboundChannel) -> anyhow::Result<()> {
        let name = channel.name.clone();
        let opening = || format!("cannot open channel {name}");
        let (address, door) = match &channel.inbound {
            InboundConfig::Mllp(config) => {
                let inbound = MllpInbound::bind(name.clone(), config.clone()).with_context(opening)?;
                (inbound.local_addr().with_context(opening)?.to_string(), self.spawn(channel, inbound))
            }
            InboundConfig::Folder(config) => {
                let inbound = FolderInbound::open(name.clone(), config.clone()).with_context(opening)?;
                (config.path.display().to_string(), self.spawn(channel, inbound))
            }
            InboundConfig::Mailbox(config) => {
                let inbound = MailboxInbound::new(name.clone(), config.clone());
                (config.maildir.display().to_string(), self.spawn(channel, inbound))
            }
        };
        tracing::info!(channel = %name, %address, "open");
        self.context.note_address(&name, Some(address));
        self.open.insert(name, door);
        Ok(())
    }

    fn spawn<I: Inbound>(&self, channel: &InboundChannel, inbound: I) -> Door {
        let stop = CancellationToken::new();
        let intake = Intake::new(self.context.clone());
        let name = channel.name.clone();
        let running = inbound.run(intake, stop.clone());
        let task = tokio::spawn(async move {
            if let Err(error) = running.await {
                tracing::error!(channel = %name, error = format!("{error:#}"), "the channel stopped: mend what it says and reload or restart");
            }
        });
        Door { config: channel.inbound.clone(), stop, task }
    }
}

impl Door {
    async fn close(mut self, within: Duration) {
        self.stop.cancel();
        if tokio::time::timeout(within, &mut self.task).await.is_err() {
            self.task.abort();
        }
    }
}
