//! A watched folder of scanned faxes: PDF, TIFF, PNG, JPEG and JPEG 2000.
//!
//! A file is taken once it is whole, handed to the intake, and moved to `done/` (or to `duplicate/`, where equal content came before) only
//! after the intake has it on disk. Nothing is ever deleted.
//!
//! # Design notes
//! - *Whole*: size and time have not changed for a while, or it was moved into place by a rename. A document that looks unfinished is
//!   waited for longer, since a scanner pauses between pages.
//! - *Which files*: whatever has an ending, but for those that fax servers give to their notes beside a fax (`.txt`, `.xml`), and whatever
//!   begins as a document does: what is none the engine keeps, and says in words why it is unreadable. Notes, and what has no ending and is
//!   no document, stay there, and are counted in the log once.
//! - *Too large*: such a file cannot be stored, so it is moved to `failed/` with a note; it is the one case where a file that is in no store
//!   leaves the inbox, and it is all there.
//! - *Not movable*: it is remembered by inode, time and size, and not read again; after a restart the intake knows it by the same three.
//! - File names can hold patient data. They go into the store with the document, and never into a log line or an error.

use std::{
    ffi::OsStr,
    future::Future,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use bytes::Bytes;
use jiff::Timestamp;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use self::{
    events::Events,
    scan::{ReadFile, Ready, Watch, What},
    shelf::Shelf,
};
use super::Inbound;
use crate::{
    engine::intake::{Intake, IntakeError, Repeat},
    ids::ChannelName,
    message::{Arrival, Protocol, SourceFile},
};

mod events;
mod scan;
mod shelf;
mod whole;

pub use shelf::put_failed;

/// `[inbound.folder]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FolderConfig {
    /// The folder that faxes are dropped into; `done/`, `duplicate/` and `failed/` are made in it.
    pub path: PathBuf,
    /// A file is taken once its size and time have not changed for so long.
    #[serde(default = "defaults::stable_after_seconds")]
    pub stable_after_seconds: f64,
    /// How often the folder is read even when no file event comes (network shares send none).
    #[serde(default = "defaults::poll_seconds")]
    pub poll_seconds: f64,
    /// The largest file taken, in bytes.
    #[serde(default = "defaults::file_bytes_max")]
    pub file_bytes_max: u64,
}

mod defaults {
    pub(super) fn stable_after_seconds() -> f64 {
        2.0
    }
    pub(super) fn poll_seconds() -> f64 {
        5.0
    }
    pub(super) fn file_bytes_max() -> u64 {
        134_217_728
    }
}

/// Moves are made durable after so many, or when nothing is left to do.
const MOVES_PER_SYNC_MAX: usize = 64;
/// The longest pause after the store could not take a document.
const STORE_PAUSE_MAX: Duration = Duration::from_secs(60);
/// The shortest time between two looks at the folder, however many events come.
const LOOK_EVERY_MIN: Duration = Duration::from_millis(50);

/// What takes documents in: the engine's intake, or a test's.
pub trait Accept: Send + Sync + 'static {
    /// Returns once the arrival is durable.
    fn accept(&self, arrival: Arrival) -> impl Future<Output = Result<Repeat, IntakeError>> + Send;
}

impl Accept for Intake {
    async fn accept(&self, arrival: Arrival) -> Result<Repeat, IntakeError> {
        Self::accept(self, arrival).await.map(|accepted| accepted.repeat)
    }
}

/// A watched folder that is ready to run.
pub struct FolderInbound {
    name: ChannelName,
    config: FolderConfig,
    poll: Duration,
    watch: Watch,
    unsynced: Vec<Shelf>,
    store_pause: Option<Duration>,
    folder_unreadable: bool,
    /// How many folders and links were passed over at the last look.
    passed_over: usize,
}

impl FolderInbound {
    /// Checks the folder and makes the ones in it. The folder itself is made where only its last part is missing.
    ///
    /// # Errors
    /// The folder cannot be used: says which, and what to do.
    pub fn open(name: ChannelName, config: FolderConfig) -> anyhow::Result<Self> {
        let stable_after = seconds("stable_after_seconds", config.stable_after_seconds)?;
        let poll = seconds("poll_seconds", config.poll_seconds)?;
        if poll.is_zero() {
            bail!("`poll_seconds` is 0: the folder would be read without a pause");
        }
        make_folders(&config.path)?;
        Ok(Self {
            name,
            config,
            poll,
            watch: Watch::new(stable_after),
            unsynced: Vec::new(),
            store_pause: None,
            folder_unreadable: false,
            passed_over: 0,
        })
    }

    /// Runs with anything that takes documents in.
    ///
    /// # Errors
    /// None: what goes wrong with the folder or the store is waited out.
    pub async fn run_with(self, intake: impl Accept, shutdown: CancellationToken) -> anyhow::Result<()> {
        let (events, missing) = Events::of(&self.config.path);
        if let Some(error) = missing {
            tracing::warn!(channel = %self.name, %error, "no file events for this folder: it is read every poll_seconds");
        }
        self.run_on(events, intake, shutdown).await
    }

    async fn run_on(mut self, events: Events, intake: impl Accept, shutdown: CancellationToken) -> anyhow::Result<()> {
        while !shutdown.is_cancelled() {
            let began = Instant::now();
            let ready = self.look(&events).await;
            let stopped = self.work(ready, &intake, &shutdown).await;
            self.sync().await;
            if stopped {
                break;
            }
            // A folder that takes long to list is not listed all the time.
            let rest = LOOK_EVERY_MIN.max(began.elapsed().min(self.poll));
            let until_ready = self.watch.next_ready().map_or(self.poll, |at| at.saturating_duration_since(Instant::now()));
            let until_next = until_ready.min(self.poll).max(rest).max(self.store_pause.unwrap_or_default());
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = tokio::time::sleep(until_next) => {}
                () = events.next(), if self.store_pause.is_none() => tokio::time::sleep(rest).await,
            }
        }
        Ok(())
    }

    async fn look(&mut self, events: &Events) -> Vec<Ready> {
        // Taken before the listing: a file that is renamed in between is listed now and known as renamed at the next look.
        let renamed = events.take_renamed();
        let folder = self.config.path.clone();
        let listed = tokio::task::spawn_blocking(move || scan::list(&folder))
            .await
            .unwrap_or_else(|error| Err(std::io::Error::other(error)));
        match listed {
            Ok(scan::Listed { found, passed_over }) => {
                if passed_over > std::mem::replace(&mut self.passed_over, passed_over) {
                    tracing::warn!(
                        channel = %self.name,
                        passed_over,
                        "there are folders or links among the files: nothing is looked for in them; have files dropped into the folder itself"
                    );
                }
                if std::mem::take(&mut self.folder_unreadable) {
                    tracing::info!(channel = %self.name, "the folder can be read again");
                }
                self.watch.look(found, &|name| renamed.contains(name), Instant::now())
            }
            Err(error) => {
                if !std::mem::replace(&mut self.folder_unreadable, true) {
                    let path = self.config.path.display();
                    tracing::error!(channel = %self.name, %path, %error, "the folder cannot be read: trying again every poll_seconds");
                }
                Vec::new()
            }
        }
    }

    /// Works through what is ready. True: the engine is stopping.
    async fn work(&mut self, ready: Vec<Ready>, intake: &impl Accept, shutdown: &CancellationToken) -> bool {
        let mut left_alone = 0_u32;
        let mut stopped = false;
        for file in ready {
            if shutdown.is_cancelled() {
                stopped = true;
                break;
            }
            match file.what {
                What::Move(to) => self.shelve(&file, to).await,
                What::Read { even_unfinished } => match self.read(&file, even_unfinished).await {
                    ReadFile::Whole(content) => match self.hand_in(&file, content, intake).await {
                        Handed::Over => {}
                        Handed::NotNow => break,
                        Handed::Stopping => {
                            stopped = true;
                            break;
                        }
                    },
                    ReadFile::NotADocument => {
                        left_alone += 1;
                        self.watch.leave(&file.name);
                    }
                    ReadFile::Unfinished => self.watch.wait_longer(&file.name),
                    ReadFile::Changed => self.watch.changed(&file.name, Instant::now()),
                    ReadFile::Gone => {}
                    ReadFile::TooLarge => self.refuse(&file, &self.too_large(file.identity.bytes)).await,
                    ReadFile::NotNow(error) => {
                        if self.watch.retry(&file.name, Instant::now()) {
                            tracing::warn!(channel = %self.name, %error, "a file in the folder cannot be read now: trying again");
                        }
                    }
                },
            }
            if self.unsynced.len() >= MOVES_PER_SYNC_MAX {
                self.sync().await;
            }
        }
        if left_alone > 0 {
            tracing::warn!(channel = %self.name, files = left_alone, "notes beside faxes, and files without an ending that are no documents, are left in the folder");
        }
        stopped
    }

    async fn read(&self, file: &Ready, even_unfinished: bool) -> ReadFile {
        let (path, identity, bytes_max) = (self.config.path.join(&file.name), file.identity, self.config.file_bytes_max);
        tokio::task::spawn_blocking(move || scan::read(&path, identity, bytes_max, even_unfinished))
            .await
            .unwrap_or_else(|error| ReadFile::NotNow(std::io::Error::other(error)))
    }

    async fn hand_in(&mut self, file: &Ready, body: Bytes, intake: &impl Accept) -> Handed {
        let arrival = Arrival {
            channel: self.name.clone(),
            protocol: Protocol::Document,
            body,
            received_at: Timestamp::now(),
            peer: None,
            file: Some(SourceFile { name: file.name.to_string_lossy().into_owned(), identity: file.identity.text() }),
        };
        match intake.accept(arrival).await {
            Ok(repeat) => {
                self.store_pause = None;
                let to = match repeat {
                    Repeat::New | Repeat::SameFile => Shelf::Done,
                    Repeat::Duplicate => Shelf::Duplicate,
                };
                self.shelve(file, to).await;
                Handed::Over
            }
            Err(IntakeError::Unavailable { source, .. }) => {
                let pause = self.store_pause.map_or(Duration::from_secs(1), |pause| (pause * 2).min(STORE_PAUSE_MAX));
                if self.store_pause.replace(pause).is_none() {
                    tracing::warn!(channel = %self.name, error = %source, "the store cannot take documents: they stay in the folder");
                }
                Handed::NotNow
            }
            Err(IntakeError::NotAMessage(reason)) => {
                self.refuse(file, &reason).await;
                Handed::Over
            }
            Err(IntakeError::Stopping) => Handed::Stopping,
        }
    }

    /// Moves a file that was taken, or that nobody can take.
    async fn shelve(&mut self, file: &Ready, to: Shelf) {
        let (inbox, name, identity) = (self.config.path.clone(), file.name.clone(), file.identity);
        let moved = tokio::task::spawn_blocking(move || {
            // Written to, or replaced, since it was read: that is another document, to be read in its turn.
            if !scan::is_still(&inbox.join(&name), identity) {
                return Ok(false);
            }
            to.take(&inbox, &name).map(|_| true)
        });
        match moved.await.unwrap_or_else(|error| Err(std::io::Error::other(error))) {
            Ok(true) => {
                self.watch.moved(&file.name);
                self.unsynced.push(to);
            }
            Ok(false) => self.watch.moved(&file.name),
            Err(error) => {
                if self.watch.move_later(&file.name, to, Instant::now()) {
                    tracing::error!(
                        channel = %self.name, to = to.name(), %error,
                        "a document was taken and its file cannot be moved: {}; it is not read again", remedy(&error)
                    );
                }
            }
        }
    }

    /// Moves a file that was not stored to `failed/`, with the reason.
    async fn refuse(&mut self, file: &Ready, reason: &str) {
        tracing::warn!(channel = %self.name, bytes = file.identity.bytes, "a file was not taken: it is in failed/ with the reason");
        let (inbox, name, identity, reason) = (self.config.path.clone(), file.name.clone(), file.identity, reason.to_owned());
        let moved = tokio::task::spawn_blocking(move || {
            if scan::is_still(&inbox.join(&name), identity) {
                let name = Shelf::Failed.take(&inbox, &name)?;
                shelf::put_reason(&Shelf::Failed.folder(&inbox), &name, &reason)?;
            }
            Ok(())
        });
        match moved.await.unwrap_or_else(|error| Err(std::io::Error::other(error))) {
            Ok(()) => {
                self.watch.moved(&file.name);
                self.unsynced.push(Shelf::Failed);
            }
            Err(error) => {
                // Refused again then: it is not in the store, so its note must not be forgotten.
                self.watch.retry(&file.name, Instant::now());
                tracing::error!(channel = %self.name, %error, "a file that was not taken cannot be moved to failed/");
            }
        }
    }

    fn too_large(&self, bytes: u64) -> String {
        format!(
            "This file has {bytes} bytes, and {} is the most that is taken (`file_bytes_max` of the channel {}). It was not read.",
            self.config.file_bytes_max, self.name
        )
    }

    /// Makes the moves so far durable.
    async fn sync(&mut self) {
        if self.unsynced.is_empty() {
            return;
        }
        let moved = std::mem::take(&mut self.unsynced);
        let inbox = self.config.path.clone();
        let synced = tokio::task::spawn_blocking(move || {
            for shelf in Shelf::ALL.into_iter().filter(|shelf| moved.contains(shelf)) {
                shelf.sync(&inbox)?;
            }
            shelf::sync_folder(&inbox)
        });
        if let Err(error) = synced.await.unwrap_or_else(|error| Err(std::io::Error::other(error))) {
            // A file that a crash brings back is known to the intake by its identity.
            tracing::warn!(channel = %self.name, %error, "the folder cannot be synced");
        }
    }
}

impl Inbound for FolderInbound {
    async fn run(self, intake: Intake, shutdown: CancellationToken) -> anyhow::Result<()> {
        self.run_with(intake, shutdown).await
    }
}

/// How handing a document in went.
enum Handed {
    Over,
    NotNow,
    Stopping,
}

fn seconds(key: &str, value: f64) -> anyhow::Result<Duration> {
    let duration = Duration::try_from_secs_f64(value).ok().filter(|duration| *duration <= Duration::from_secs(86_400));
    duration.with_context(|| format!("`{key}` is {value}: it must be a number of seconds from 0 to 86400"))
}

fn make_folders(path: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::MetadataExt;

    make_folder(path)?;
    let device = std::fs::metadata(path).with_context(|| format!("the folder {} cannot be read", path.display()))?.dev();
    for shelf in Shelf::ALL {
        let folder = shelf.folder(path);
        make_folder(&folder)?;
        let metadata = std::fs::metadata(&folder).with_context(|| format!("the folder {} cannot be read", folder.display()))?;
        if metadata.dev() != device {
            bail!(
                "the folder {} is on another file system than the one it is in: files could not be moved there whole",
                folder.display()
            );
        }
    }
    let probe = path.join(OsStr::new(".loopline-may-write"));
    std::fs::write(&probe, b"").and_then(|()| std::fs::remove_file(&probe)).with_context(|| {
        format!("the folder {} cannot be written to: give the engine's user the right to move files out of it", path.display())
    })
}

fn make_folder(folder: &Path) -> anyhow::Result<()> {
    match std::fs::create_dir(folder) {
        Ok(()) => Ok(()),
        Err(_) if folder.is_dir() => Ok(()),
        Err(error) => Err(error).with_context(|| format!("the folder {} is not there and cannot be made", folder.display())),
    }
}

/// What to do about a file that cannot be moved.
fn remedy(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::CrossesDevices => "let done/, duplicate/ and failed/ be on the file system that the folder is on",
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => "make room on its disk",
        _ => "give the engine's user the right to",
    }
}

#[cfg(test)]
mod tests;
