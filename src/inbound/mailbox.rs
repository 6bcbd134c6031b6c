//! A mailbox as a Maildir: mails move from `new/` to `cur/` with the flag S once they are durable.
//!
//! # Design notes
//! Nothing is ever deleted, and nothing leaves `new/` before its receipt. A mail that stays in `new/` is reported once, by its size,
//! never its name, and remembered by its inode, time and length: one that is larger than is taken is not looked at again; one that
//! cannot be read, or that is stored and will not move, is tried again at each look, as what is in its way (rights, mostly) can be
//! mended without a restart. One that is stored is not read again; after a restart the store knows it as the same file. When the
//! store cannot write, all wait: the next attempt comes after a growing pause. Which mail comes first in `new/` decides nothing else,
//! so a mail that is left does not keep the ones behind it from being taken.
//!
//! By the rules of Maildir a mail is whole once it is in `new/`; not every program that drops one there keeps them. So one is taken only
//! when it has not changed for a moment, is not empty, and has the length that the listing said.

use std::{
    collections::{HashMap, HashSet},
    future::Future,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use jiff::Timestamp;
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use serde::Deserialize;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::Inbound;
use crate::{
    engine::intake::{Intake, IntakeError},
    ids::ChannelName,
    message::{Arrival, Protocol, SourceFile},
    protocols::maildir::{Entry, Maildir},
};

/// The most mails taken in one look at `new/`; the rest follows at once.
const MAILS_A_LOOK_MAX: usize = 1_000;
/// How long a Maildir that could not be opened is left alone.
const OPEN_AGAIN_SECONDS: u64 = 5;
/// The first pause when the store cannot write.
const BACKOFF_SECONDS: f64 = 0.5;
/// The longest pause when the store cannot write.
const BACKOFF_SECONDS_MAX: f64 = 30.0;

/// `[inbound.mailbox]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailboxConfig {
    /// The Maildir: the folder that holds `new`, `cur` and `tmp`.
    pub maildir: PathBuf,
    /// How long a mail must not have changed before it is taken: some programs write straight into `new/`.
    #[serde(default = "defaults::stable_after_seconds")]
    pub stable_after_seconds: f64,
    /// How often `new/` is read even when no file event comes.
    #[serde(default = "defaults::poll_seconds")]
    pub poll_seconds: f64,
    /// The largest mail taken, in bytes.
    #[serde(default = "defaults::mail_bytes_max")]
    pub mail_bytes_max: u64,
}

mod defaults {
    pub(super) fn stable_after_seconds() -> f64 {
        1.0
    }
    pub(super) fn poll_seconds() -> f64 {
        5.0
    }
    pub(super) fn mail_bytes_max() -> u64 {
        67_108_864
    }
}

/// The door of one Maildir.
pub struct MailboxInbound {
    channel: ChannelName,
    config: MailboxConfig,
}

impl MailboxInbound {
    /// The door of a channel.
    #[must_use]
    pub fn new(channel: ChannelName, config: MailboxConfig) -> Self {
        Self { channel, config }
    }
}

impl Inbound for MailboxInbound {
    async fn run(self, intake: Intake, shutdown: CancellationToken) -> anyhow::Result<()> {
        watch(self, shutdown, move |arrival| {
            let intake = intake.clone();
            async move {
                match intake.accept(arrival).await {
                    Ok(_receipt_was_given) => Verdict::Durable,
                    Err(IntakeError::Unavailable { .. }) => Verdict::Later,
                    Err(IntakeError::NotAMessage(_)) => Verdict::Never,
                    Err(IntakeError::Stopping) => Verdict::Stop,
                }
            }
        })
        .await
    }
}

/// What the intake said of one mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// It is on disk: it may be moved.
    Durable,
    /// The store cannot write now.
    Later,
    /// It will never be taken.
    Never,
    /// The engine is stopping.
    Stop,
}

/// How one look at `new/` went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    /// All that was there is done.
    Done,
    /// There is more.
    More,
    /// Some are still being written, perhaps: look again soon.
    Soon,
    /// The store or the folder cannot be used now.
    Later,
    /// The engine is stopping.
    Stop,
}

/// Watches a Maildir until told to stop. `accept` returns `Durable` only with a receipt.
async fn watch<F, A>(door: MailboxInbound, shutdown: CancellationToken, accept: F) -> anyhow::Result<()>
where
    F: Fn(Arrival) -> A + Send,
    A: Future<Output = Verdict> + Send,
{
    let Some(maildir) = opened(&door, &shutdown).await? else { return Ok(()) };
    let changed = Arc::new(Notify::new());
    let _watcher = watcher(&maildir, Arc::clone(&changed), &door.channel);
    let poll = Duration::from_secs_f64(door.config.poll_seconds.clamp(0.05, 3_600.0));
    let stable_after = Duration::from_secs_f64(door.config.stable_after_seconds.clamp(0.0, 3_600.0));
    let mut taker =
        Taker { door, maildir, stable_after, fresh: HashMap::new(), left: HashMap::new(), passed_over: 0, unlistable: false };
    let mut backoff = BACKOFF_SECONDS;
    loop {
        let pause = match taker.look(&shutdown, &accept).await {
            Look::Stop => return Ok(()),
            Look::More => continue,
            Look::Done => {
                backoff = BACKOFF_SECONDS;
                poll
            }
            Look::Soon => poll.min(stable_after).max(Duration::from_millis(50)),
            Look::Later => {
                let pause = Duration::from_secs_f64(backoff);
                backoff = (backoff * 2.0).min(BACKOFF_SECONDS_MAX);
                // A file event is no reason to try a full disk again.
                tokio::select! {
                    () = shutdown.cancelled() => return Ok(()),
                    () = tokio::time::sleep(pause) => continue,
                }
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            () = changed.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// The Maildir, as soon as it can be had: a share may not be mounted yet. None: the engine stops.
async fn opened(door: &MailboxInbound, shutdown: &CancellationToken) -> anyhow::Result<Option<Maildir>> {
    let mut said = false;
    loop {
        let folder = door.config.maildir.clone();
        match tokio::task::spawn_blocking(move || Maildir::open(folder)).await? {
            Ok(maildir) => return Ok(Some(maildir)),
            Err(error) if !std::mem::replace(&mut said, true) => tracing::error!(
                channel = %door.channel, %error, maildir = %door.config.maildir.display(),
                "the Maildir cannot be opened: make it, or correct `maildir`; trying again"
            ),
            Err(_) => {}
        }
        tokio::select! {
            () = shutdown.cancelled() => return Ok(None),
            () = tokio::time::sleep(Duration::from_secs(OPEN_AGAIN_SECONDS)) => {}
        }
    }
}

/// File events make it quick; where there are none (network shares) the poll does.
fn watcher(maildir: &Maildir, changed: Arc<Notify>, channel: &ChannelName) -> Option<RecommendedWatcher> {
    // Reading a mail makes events too: only what brings a file matters.
    let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| event.kind.is_create() || event.kind.is_modify()) {
            changed.notify_one();
        }
    });
    let watching = watcher.and_then(|mut watcher| {
        watcher.watch(&maildir.new_directory(), RecursiveMode::NonRecursive)?;
        Ok(watcher)
    });
    match watching {
        Ok(watcher) => Some(watcher),
        Err(error) => {
            tracing::warn!(%channel, kind = ?error.kind, "no file events for the Maildir; it is only polled");
            None
        }
    }
}

struct Taker {
    door: MailboxInbound,
    maildir: Maildir,
    stable_after: Duration,
    /// Since when each mail that may still be written is as it is, by its identity.
    fresh: HashMap<String, Instant>,
    /// The identities of the mails that stay in `new/`, and what is left to do with each.
    left: HashMap<String, Left>,
    /// How many things were passed over at the last look.
    passed_over: usize,
    /// Whether the last look failed.
    unlistable: bool,
}

/// Why a mail stays in `new/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    /// It is not taken at all.
    ForGood,
    /// It could not be read.
    Unread,
    /// It is stored, and could not be moved.
    Stored,
}

impl Taker {
    async fn look<F, A>(&mut self, shutdown: &CancellationToken, accept: &F) -> Look
    where
        F: Fn(Arrival) -> A + Send,
        A: Future<Output = Verdict> + Send,
    {
        let channel = self.door.channel.clone();
        let maildir = self.maildir.clone();
        let wanted = MAILS_A_LOOK_MAX + self.left.len();
        let listing = match tokio::task::spawn_blocking(move || maildir.list_new(wanted)).await {
            Ok(Ok(listing)) => {
                if listing.passed_over > std::mem::replace(&mut self.passed_over, listing.passed_over) {
                    tracing::warn!(
                        %channel,
                        passed_over = listing.passed_over,
                        "in new/ of the Maildir are things that are not read as mails: folders, links, or names that are not UTF-8; move or rename them"
                    );
                }
                if std::mem::take(&mut self.unlistable) {
                    tracing::info!(%channel, "the Maildir can be listed again");
                }
                listing
            }
            Ok(Err(error)) => {
                if !std::mem::replace(&mut self.unlistable, true) {
                    tracing::warn!(%channel, kind = %error.kind(), "the Maildir cannot be listed; trying again");
                }
                return Look::Later;
            }
            Err(_) => return Look::Stop,
        };
        let there: HashSet<&String> = listing.entries.iter().map(|entry| &entry.identity).collect();
        if !listing.more {
            self.left.retain(|identity, _| there.contains(identity));
        }
        self.fresh.retain(|identity, _| there.contains(identity));
        let mut unfinished = false;
        for entry in &listing.entries {
            if shutdown.is_cancelled() {
                return Look::Stop;
            }
            match self.left.get(&entry.identity) {
                Some(Left::ForGood) => continue,
                Some(Left::Stored) => {
                    self.put_away(entry).await;
                    continue;
                }
                Some(Left::Unread) | None => {}
            }
            if !self.is_stable(entry) {
                unfinished = true;
                continue;
            }
            let Some(arrival) = self.arrival(entry).await else { continue };
            match accept(arrival).await {
                Verdict::Durable => self.put_away(entry).await,
                Verdict::Later => {
                    tracing::warn!(%channel, "the store cannot take a mail now; it stays and is tried again");
                    return Look::Later;
                }
                Verdict::Never => self.leave(entry, Left::ForGood, "the intake refused it"),
                Verdict::Stop => return Look::Stop,
            }
        }
        match (listing.more && !unfinished, unfinished) {
            (true, _) => Look::More,
            (false, true) => Look::Soon,
            (false, false) => Look::Done,
        }
    }

    /// Whether a mail has been as it is for long enough, by our own clock: that of a network share may be another.
    fn is_stable(&mut self, entry: &Entry) -> bool {
        let since = self.fresh.entry(entry.identity.clone()).or_insert_with(Instant::now);
        since.elapsed() >= self.stable_after
    }

    async fn arrival(&mut self, entry: &Entry) -> Option<Arrival> {
        if entry.bytes > self.door.config.mail_bytes_max {
            self.leave(entry, Left::ForGood, "it is larger than mail_bytes_max");
            return None;
        }
        if entry.bytes == 0 {
            self.leave(entry, Left::Unread, "it is empty, or still to be written");
            return None;
        }
        let (path, limit) = (entry.path.clone(), self.door.config.mail_bytes_max);
        match tokio::task::spawn_blocking(move || read(&path, limit)).await {
            Ok(Ok(Some(body))) if body.len() as u64 != entry.bytes => {
                self.leave(entry, Left::Unread, "it is still being written");
                None
            }
            Ok(Ok(Some(body))) => Some(Arrival {
                channel: self.door.channel.clone(),
                protocol: Protocol::Mail,
                body,
                received_at: Timestamp::now(),
                peer: None,
                file: Some(SourceFile { name: entry.name.clone(), identity: entry.identity.clone() }),
            }),
            Ok(Ok(None)) => {
                self.leave(entry, Left::ForGood, "it is larger than mail_bytes_max");
                None
            }
            // Somebody else took it.
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => None,
            Ok(Err(error)) => {
                self.leave(entry, Left::Unread, &format!("it cannot be read: {}", error.kind()));
                None
            }
            Err(_) => None,
        }
    }

    /// Moves a stored mail to `cur/`. One that will not move is stored all the same: it is not read again, only moved.
    async fn put_away(&mut self, entry: &Entry) {
        let (maildir, name) = (self.maildir.clone(), entry.name.clone());
        match tokio::task::spawn_blocking(move || maildir.take(&name, "S")).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => {}
            Ok(Err(error)) => {
                self.leave(entry, Left::Stored, &format!("it is stored, but cannot be moved to cur/: {}", error.kind()))
            }
            Err(_) => self.leave(entry, Left::Stored, "it is stored, but moving it to cur/ was interrupted"),
        }
    }

    /// Leaves a mail in `new/` and says so, once.
    fn leave(&mut self, entry: &Entry, left: Left, why: &str) {
        if self.left.insert(entry.identity.clone(), left) != Some(left) {
            let channel = &self.door.channel;
            tracing::warn!(%channel, bytes = entry.bytes, why, "a mail stays in new/ of the Maildir; a person must look");
        }
    }
}

/// Reads a file of at most so many bytes; none where it has more.
fn read(path: &std::path::Path, bytes_max: u64) -> std::io::Result<Option<Bytes>> {
    use std::io::Read;
    let mut body = Vec::new();
    std::fs::File::open(path)?.take(bytes_max.saturating_add(1)).read_to_end(&mut body)?;
    Ok((body.len() as u64 <= bytes_max).then(|| Bytes::from(body)))
}

#[cfg(test)]
mod tests;
