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

/// How long a folder that could not be used is left alone.
pub(super) const OPEN_AGAIN_SECONDS: u64 = 5;

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

    /// Opens all. A port that cannot be had stops the start: most likely another engine has it. A folder that cannot be used, such as a
    /// share that is not mounted yet, is tried again, and the other doors are open meanwhile.
    pub(super) fn open_all(&mut self) -> anyhow::Result<()> {
        for channel in self.context.config().inbound.values() {
            match (self.open(channel), &channel.inbound) {
                (Ok(()), _) => {}
                (Err(error), InboundConfig::Folder(_)) => {
                    say_closed(&channel.name, &error);
                    self.open_later(channel);
                }
                (Err(error), InboundConfig::Mllp(_) | InboundConfig::Mailbox(_) | InboundConfig::Answers) => return Err(error),
            }
        }
        Ok(())
    }

    /// A door at a folder that is opened as soon as it can be.
    fn open_later(&mut self, channel: &InboundChannel) {
        let InboundConfig::Folder(config) = &channel.inbound else { return };
        let (name, config) = (channel.name.clone(), config.clone());
        let (intake, stop, context) = (Intake::new(self.context.clone()), CancellationToken::new(), self.context.clone());
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            let inbound = loop {
                tokio::select! {
                    () = stopped.cancelled() => return,
                    () = tokio::time::sleep(Duration::from_secs(OPEN_AGAIN_SECONDS)) => {}
                }
                if let Ok(inbound) = FolderInbound::open(name.clone(), config.clone()) {
                    break inbound;
                }
            };
            let address = config.path.display().to_string();
            tracing::info!(channel = %name, %address, "open, at last");
            context.note_address(&name, Some(address));
            run(&name, inbound, &intake, &stopped).await;
        });
        self.open.insert(channel.name.clone(), Door { config: channel.inbound.clone(), stop, task });
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
            if !matches!(channel.inbound, InboundConfig::Answers)
                && !self.open.contains_key(&channel.name)
                && let Err(error) = self.open(channel)
            {
                failures.push(format!("{error:#}"));
            }
        }
        anyhow::ensure!(failures.is_empty(), "{}", failures.join("; "));
        Ok(())
    }

    /// Tries again what the configuration in force says and could not be opened, and says whether all is open now. A door that stayed as it
    /// was goes on until the new one is there.
    pub(super) async fn open_rest(&mut self) -> bool {
        let config = self.context.config();
        let mut all = true;
        for channel in config.inbound.values().filter(|channel| !matches!(channel.inbound, InboundConfig::Answers)) {
            match self.open.remove(&channel.name) {
                Some(door) if door.config == channel.inbound => drop(self.open.insert(channel.name.clone(), door)),
                // Two doors at one folder would take the same files: only a listener opens beside the old one.
                Some(old) if matches!(channel.inbound, InboundConfig::Mllp(_)) => {
                    if self.open(channel).is_ok() {
                        old.close(Duration::from_secs(super::DOORS_DRAIN_SECONDS_MAX)).await;
                    } else {
                        self.open.insert(channel.name.clone(), old);
                        all = false;
                    }
                }
                Some(old) => {
                    let ready = match &channel.inbound {
                        InboundConfig::Folder(config) => FolderInbound::open(channel.name.clone(), config.clone()).is_ok(),
                        InboundConfig::Mllp(_) | InboundConfig::Mailbox(_) | InboundConfig::Answers => true,
                    };
                    if ready {
                        old.close(Duration::from_secs(super::DOORS_DRAIN_SECONDS_MAX)).await;
                        all &= self.open(channel).is_ok();
                    } else {
                        self.open.insert(channel.name.clone(), old);
                        all = false;
                    }
                }
                None => all &= self.open(channel).is_ok(),
            }
        }
        all
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
            InboundConfig::Answers => anyhow::bail!("channel {name} has no door of its own"),
        };
        tracing::info!(channel = %name, %address, "open");
        self.context.note_address(&name, Some(address));
        self.open.insert(name, door);
        Ok(())
    }

    fn spawn<I: Inbound>(&self, channel: &InboundChannel, inbound: I) -> Door {
        let stop = CancellationToken::new();
        let intake = Intake::new(self.context.clone());
        let (name, stopped) = (channel.name.clone(), stop.clone());
        let task = tokio::spawn(async move { run(&name, inbound, &intake, &stopped).await });
        Door { config: channel.inbound.clone(), stop, task }
    }
}

async fn run<I: Inbound>(name: &ChannelName, inbound: I, intake: &Intake, stop: &CancellationToken) {
    if let Err(error) = inbound.run(intake.clone(), stop.clone()).await {
        tracing::error!(channel = %name, error = format!("{error:#}"), "the channel stopped: mend what it says and reload or restart");
    }
}

fn say_closed(channel: &ChannelName, error: &anyhow::Error) {
    tracing::error!(
        %channel,
        error = format!("{error:#}"),
        "the channel is not open: mend what it says; it is tried again every {OPEN_AGAIN_SECONDS} s"
    );
}

impl Door {
    async fn close(mut self, within: Duration) {
        self.stop.cancel();
        if tokio::time::timeout(within, &mut self.task).await.is_err() {
            self.task.abort();
        }
    }
}
