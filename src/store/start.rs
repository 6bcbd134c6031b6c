//! The start: lock, sync, read, cut, replay. There is no other recovery.
//!
//! # Design notes
//! The index is believed after a clean stop, or when the machine was not started anew since: then whatever sled wrote is in
//! the page cache or on the disk. It is read through first; a large one only where the stop was not clean, else while the store is open
//! already. After an unclean stop on another boot it may be anything, and is built again. The state of
//! the folder is in the file `running`: the boot's id, and whether the stop was clean.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, RwLock, Weak, atomic::AtomicBool, mpsc},
    time::Duration,
};

use super::{
    OpenError, Store, StoreError, StoreOptions,
    bodies::{Bodies, ORPHANS},
    disk::{Disk, RealDisk, read_all, replace},
    frame,
    handle::Engine,
    index::{Applied, Index, IndexFault},
    journal::{Journal, JournalReader, Place, Trust},
    keys,
    shared::Shared,
    transaction::{View, parse_id},
    writer::Writer,
};

/// What a fault says of a full disk.
const NO_ROOM: &str = "its disk is full: make room there; it goes on by itself";
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
const STATE: &str = "running";
/// An index of at most so many records is checked before the store opens even after a clean stop; a larger one behind its back then,
/// so that a start does not take longer with each year of referrals.
const CHECKED_AT_START_MAX: u64 = 100_000;
/// Keys that are checked at once behind the back, and the rest after them.
const CHECKED_AT_ONCE: usize = 2_000;
const REST_BETWEEN_CHECKS: Duration = Duration::from_millis(5);
/// Keys gathered before the replay hands them to the index.
const REPLAY_KEYS_MAX: usize = 5_000;
/// Damaged indexes that are kept.
const INDEXES_SET_ASIDE_MAX: usize = 2;

/// Marks the folder as stopped cleanly, at the very end.
pub(super) struct CleanStop {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    boot: String,
}

impl CleanStop {
    pub(super) fn mark(&self) {
        if let Err(error) = self.write("stopped") {
            tracing::warn!(%error, "the clean stop could not be marked; the next start checks more than it needs to");
        }
    }

    fn write(&self, state: &str) -> io::Result<()> {
        replace(&*self.disk, &self.path, format!("{state} {}\n", self.boot).as_bytes())
    }

    /// Whether the stop was clean, and whether the index can be believed.
    fn read(&self) -> (bool, bool) {
        let text = read_all(&*self.disk, &self.path).ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
        match text.trim_end().split_once(' ') {
            Some(("stopped", _)) => (true, true),
            Some(("running", boot)) => (false, boot == self.boot),
            Some(_) | None => (false, false),
        }
    }
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> OpenError + use<> {
    let path = path.to_path_buf();
    move |source| OpenError::Io { path, source }
}

/// Locks the folder and opens the store on this machine's disk.
pub(super) fn open(options: &StoreOptions) -> Result<Store, OpenError> {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    disk.create_dir(&options.folder).map_err(io_error(&options.folder))?;
    let path = options.folder.join("lock");
    let lock = File::options().create(true).truncate(false).write(true).open(&path).map_err(io_error(&path))?;
    match rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => return Err(OpenError::Locked(options.folder.clone())),
        Err(errno) => return Err(io_error(&path)(errno.into())),
    }
    // Without a boot id (not Linux) no unclean stop is believed.
    let boot = std::fs::read_to_string(BOOT_ID).unwrap_or_else(|_| format!("unknown-{}", std::process::id()));
    open_on(disk, options, boot.trim(), Some(lock))
}

/// Opens the store on a disk.
pub(super) fn open_on(disk: Arc<dyn Disk>, options: &StoreOptions, boot: &str, lock: Option<File>) -> Result<Store, OpenError> {
    let journal_folder = options.folder.join("journal");
    let bodies_folder = options.folder.join("bodies");
    let clean_stop = CleanStop { disk: disk.clone(), path: options.folder.join(STATE), boot: boot.to_owned() };
    disk.create_dir(&options.folder).map_err(io_error(&options.folder))?;
    let has_journal = disk.list(&options.folder).map_err(io_error(&options.folder))?.iter().any(|name| name == "journal");
    let bodies = Bodies::open(disk.clone(), bodies_folder.clone()).map_err(io_error(&bodies_folder))?;
    if !has_journal {
        if bodies.has_any().map_err(io_error(&bodies_folder))? {
            return Err(OpenError::NoJournal { folder: options.folder.clone(), bodies: bodies_folder });
        }
        tracing::info!(folder = %options.folder.display(), "a new store");
    }
    disk.create_dir(&journal_folder).map_err(io_error(&journal_folder))?;
    disk.sync_dir(&options.folder).map_err(io_error(&options.folder))?;
    let shared = Shared {
        index: RwLock::new(None),
        index_doubted: AtomicBool::new(false),
        closed: AtomicBool::new(false),
        index_folder: options.folder.join("index"),
        index_cache_bytes: options.index_cache_bytes,
        journal: JournalReader::new(disk.clone(), journal_folder.clone()),
        bodies,
        coming: std::sync::atomic::AtomicUsize::new(0),
        message_wake: tokio::sync::Notify::new(),
        delivery_wake: tokio::sync::Notify::new(),
        interrupted: Mutex::default(),
        trouble: Mutex::default(),
    };
    let (clean, believed) = clean_stop.read();
    if !believed && shared.index_folder.exists() {
        tracing::warn!("the machine stopped without a clean stop of the store: the index is built again from the journal");
        set_aside(&shared.index_folder).map_err(io_error(&shared.index_folder))?;
    }
    let opened = open_index(&shared, clean).map_err(io_error(&shared.index_folder))?;
    let applied = opened.as_ref().map_or(Place::default(), |(_, applied)| applied.place);
    let had_index = applied.sequence > 0;
    let trust = match (clean, believed) {
        (true, _) => Trust::Stopped,
        (false, true) => Trust::Killed,
        (false, false) => Trust::PowerCut,
    };
    let sealed = JournalReader::new(disk.clone(), journal_folder.clone());
    let journal = Journal::open(disk, journal_folder, applied, trust)?;
    clean_stop.write("running").map_err(io_error(&clean_stop.path))?;
    let (index, records) = caught_up(&shared, opened, journal.end())
        .map_err(|error| OpenError::Io { path: shared.index_folder.clone(), source: io::Error::other(error) })?;
    if !had_index && journal.end().sequence > 0 {
        tracing::warn!(records, "there was no index that could be used: it was built from the journal");
    }
    remove_orphans(&shared.bodies, &index, had_index).map_err(io_error(&bodies_folder))?;
    let interrupted = in_flight(&index).map_err(|error| io_error(&shared.index_folder)(io::Error::other(error)))?;
    *shared.interrupted.lock().expect("nobody else has it yet") = interrupted.into_iter().collect();
    *shared.index.write().expect("nobody else has it yet") = Some(index);
    let checks_later = clean && records > CHECKED_AT_START_MAX;
    let unread = journal.unread().to_vec();
    let shared = Arc::new(shared);
    let writer = Writer { shared: shared.clone(), journal, records, lock, clean_stop, frame: Vec::new() };
    let (commands, waiting) = mpsc::channel();
    let thread = std::thread::Builder::new()
        .name("store-writer".to_owned())
        .spawn(move || writer.run(&waiting))
        .map_err(io_error(&options.folder))?;
    let store = Store::new(Engine::new(shared, commands, thread));
    if checks_later || !unread.is_empty() {
        check_later(store.engine(), checks_later, sealed, unread).map_err(io_error(&options.folder))?;
    }
    Ok(store)
}

/// Reads through behind the store's back what the start did not: the index, and sealed segments.
fn check_later(engine: Weak<Engine>, index: bool, sealed: JournalReader, unread: Vec<u64>) -> io::Result<()> {
    let check = move || {
        if index {
            check_behind(&engine);
        }
        check_sealed(&engine, &sealed, &unread);
    };
    std::thread::Builder::new().name("store-check".to_owned()).spawn(check).map(drop)
}

/// Reads the segments through that the start left out, while the engine is there. What is damaged is said, with where it begins; what is
/// whole goes on being found.
pub(super) fn check_sealed(engine: &Weak<Engine>, journal: &JournalReader, segments: &[u64]) -> Vec<(PathBuf, u64)> {
    let rest = || {
        std::thread::sleep(REST_BETWEEN_CHECKS);
        engine.strong_count() > 0
    };
    let mut damaged = Vec::new();
    for segment in segments {
        if engine.strong_count() == 0 {
            break;
        }
        if let Err((file, offset)) = journal.check(*segment, rest) {
            tracing::error!(
                file = %file.display(),
                offset,
                "a sealed segment of the journal is damaged: entries from this byte on may not be readable. Stop the engine and put the \
                 file back from a backup; new messages are stored all the same"
            );
            damaged.push((file, offset));
        }
    }
    damaged
}

/// Reads the index through, piece by piece, while the store is open. What is damaged has it opened again, and built again.
fn check_behind(engine: &Weak<Engine>) {
    let mut from = Vec::new();
    while let Some(engine) = engine.upgrade() {
        match engine.check_some(&from, CHECKED_AT_ONCE) {
            Some(next) => from = next,
            None => return,
        }
        drop(engine);
        std::thread::sleep(REST_BETWEEN_CHECKS);
    }
}

/// What sled says, in words: an error that it hands on a second time is text for a programmer, around the words of the system.
pub(super) fn in_words(error: &sled::Error) -> String {
    match error {
        sled::Error::Io(error) if error.kind() == io::ErrorKind::StorageFull => NO_ROOM.to_owned(),
        sled::Error::Io(error) => {
            let text = error.to_string();
            let quoted = text.split_once("message: \"").and_then(|(_, rest)| rest.split_once('"'));
            quoted.map_or(text.clone(), |(words, _)| words.to_owned())
        }
        other => other.to_string(),
    }
}

/// Opens the index and checks it, or sets it aside. A large one is not read through where the stop was clean.
pub(super) fn open_index(shared: &Shared, stopped_cleanly: bool) -> io::Result<Option<(Index, Applied)>> {
    let check = |index: &Index| match index.applied() {
        Ok(applied) if stopped_cleanly && applied.records > CHECKED_AT_START_MAX => Ok(applied),
        Ok(_) => index.check(),
        Err(fault) => Err(fault),
    };
    let opened = Index::open(&shared.index_folder, shared.index_cache_bytes).and_then(|index| match check(&index) {
        Ok(applied) => Ok((index, applied)),
        Err(fault) => {
            index.discard();
            Err(fault)
        }
    });
    match opened {
        Ok(opened) => Ok(Some(opened)),
        // Nothing is wrong with it: to set it aside and build it again would need more room still.
        Err(fault) if fault.0.contains(NO_ROOM) => {
            Err(io::Error::new(io::ErrorKind::StorageFull, "the disk is full: make room, then start again"))
        }
        Err(fault) => {
            tracing::warn!(error = %fault, "the index is damaged: set aside, and built again from the journal");
            set_aside(&shared.index_folder)?;
            Ok(None)
        }
    }
}

/// An index that has everything up to the end of the journal: the one that was opened, or if that is no good, a new one.
pub(super) fn caught_up(shared: &Shared, opened: Option<(Index, Applied)>, end: Place) -> Result<(Index, u64), StoreError> {
    if let Some((index, applied)) = opened {
        match replay(shared, &index, applied, end) {
            Ok(records) => return Ok((index, records)),
            Err(error) => {
                tracing::warn!(%error, "the index cannot be brought up to date: set aside, and built from the journal");
                index.discard();
                set_aside(&shared.index_folder).map_err(StoreError::Unavailable)?;
            }
        }
    }
    let index = Index::open(&shared.index_folder, shared.index_cache_bytes)?;
    let records = replay(shared, &index, Applied::default(), end)?;
    Ok((index, records))
}

/// Applies what the journal has and the index has not.
fn replay(shared: &Shared, index: &Index, applied: Applied, end: Place) -> Result<u64, StoreError> {
    let mut view = View::new(index, &shared.journal, applied.records);
    let mut reached = applied.place;
    shared.journal.replay(applied.place, end, |place, payload_at, payload| {
        let mut rest = payload;
        while !rest.is_empty() {
            let unreadable = || StoreError::Unreadable(format!("journal segment {}: an entry is not whole", place.segment));
            let (entry, after) = frame::split_entry(rest).ok_or_else(unreadable)?;
            let position = frame::Position {
                segment: place.segment,
                offset: payload_at + (payload.len() - rest.len()) as u64,
                length: u32::try_from(entry.data.len()).map_err(|_| unreadable())?,
            };
            let change = entry.change().map_err(|e| StoreError::Unreadable(e.to_string()))?;
            view.record(&change, position, place.sequence)?;
            rest = after;
        }
        view.keep();
        reached = place;
        if view.decided_count() >= REPLAY_KEYS_MAX { view.apply(place) } else { Ok(()) }
    })?;
    if reached != applied.place {
        view.apply(reached)?;
    }
    Ok(view.records())
}

/// Gives the folder another name, for somebody to look at. The last two are kept: each may be as big as the index.
fn set_aside(folder: &Path) -> io::Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    let parent = folder.parent().unwrap_or(folder);
    let names = RealDisk.list(parent)?;
    let mut numbers: Vec<u32> = names.iter().filter_map(|name| name.strip_prefix("index.damaged-")?.parse().ok()).collect();
    numbers.sort_unstable();
    let next = numbers.last().map_or(1, |last| last + 1);
    std::fs::rename(folder, folder.with_extension(format!("damaged-{next}")))?;
    RealDisk.sync_dir(parent)?;
    for old in numbers.iter().rev().skip(INDEXES_SET_ASIDE_MAX - 1) {
        std::fs::remove_dir_all(folder.with_extension(format!("damaged-{old}")))?;
    }
    Ok(())
}

/// Content that no entry names was never acknowledged, where the journal is whole. The index that was here before vouches for that: it
/// knows the journal's last entry. Without one nothing does, so the content is set aside.
fn remove_orphans(bodies: &Bodies, index: &Index, had_index: bool) -> io::Result<()> {
    let is_named = |digest: &_| index.get(&keys::body(digest)).ok().map(|found| found.is_some());
    let removed = if had_index { bodies.remove_orphans(is_named)? } else { bodies.set_orphans_aside(is_named)? };
    if removed > 0 && !had_index {
        tracing::warn!(
            files = removed,
            folder = ORPHANS,
            "content that the journal does not name is set aside: if the journal was cut or restored, messages may be missing; their senders must send them again"
        );
    } else if removed > 0 {
        tracing::info!(removed, "removed content that was written and never named");
    }
    Ok(())
}

fn in_flight(index: &Index) -> Result<Vec<crate::ids::DeliveryId>, StoreError> {
    let mut found: Vec<Result<_, StoreError>> = Vec::new();
    let scanned: Result<(), IndexFault> = index.scan(keys::IN_FLIGHT, false, |key, _| {
        found.push(parse_id(key.get(keys::IN_FLIGHT.len()..).unwrap_or_default()));
        std::ops::ControlFlow::Continue(())
    });
    scanned?;
    found.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sled_says_of_the_disk_is_told_in_words() {
        let of = |code| sled::Error::Io(io::Error::from_raw_os_error(code));
        for full in [of(28), of(28).clone()] {
            assert_eq!(IndexFault(in_words(&full)).to_string(), format!("the index: {NO_ROOM}"));
        }
        let again = in_words(&of(5).clone());
        assert!(again.starts_with("Input/output error") && !again.contains("Os {"), "{again}");
    }
}
