//! What lies in the folder, and which of it is ready to be read.
//!
//! # Design notes
//! The folder itself is the queue. Each look at it lists everything and compares with what was seen before, so nothing depends on file
//! events: they only make the next look come sooner. One look costs one `stat` a file, and the work between two looks is done for all
//! files that are ready, so that 100,000 files cost a handful of looks and not one each.

use std::{
    collections::HashMap,
    ffi::{OsStr, OsString},
    fs::{self, File},
    io::{self, Read},
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::Path,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rustix::fs::{CWD, Mode, OFlags};

use super::{shelf::Shelf, whole};

/// A document that looks unfinished is waited for this many times longer than one that looks whole.
pub(super) const UNFINISHED_PATIENCE: u32 = 15;
/// The first pause after a file could not be read or moved.
const BACKOFF: Duration = Duration::from_secs(1);
/// The longest pause.
const BACKOFF_MAX: Duration = Duration::from_secs(60);

/// Tells the same file in the same state again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    inode: u64,
    modified: (i64, i64),
    pub(super) bytes: u64,
}

impl Identity {
    fn of(metadata: &fs::Metadata) -> Self {
        Self { inode: metadata.ino(), modified: (metadata.mtime(), metadata.mtime_nsec()), bytes: metadata.len() }
    }

    /// As the store keeps it.
    pub(super) fn text(&self) -> String {
        format!("{}:{}.{:09}:{}", self.inode, self.modified.0, self.modified.1, self.bytes)
    }
}

/// One file that lies in the folder and may be a document.
pub(super) struct Found {
    name: OsString,
    identity: Identity,
}

/// What lies in the folder.
pub(super) struct Listed {
    pub(super) found: Vec<Found>,
    /// Folders and links that are not ours: nothing is looked for in them.
    pub(super) passed_over: usize,
}

/// Lists the files that may be documents. Sub-folders and links are counted; hidden files and the leavings of other programs are not.
pub(super) fn list(folder: &Path) -> io::Result<Listed> {
    let mut found = Vec::new();
    let mut passed_over = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if is_leaving(&name) {
            continue;
        }
        // It may be gone by now, or not be ours to look at.
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_file() {
            found.push(Found { name, identity: Identity::of(&metadata) });
        } else if !Shelf::ALL.iter().any(|shelf| name == shelf.name()) {
            passed_over += 1;
        }
    }
    Ok(Listed { found, passed_over })
}

/// Names that are no documents: hidden files (among them `.DS_Store` and `._*`), Windows' and NAS boxes' own, unfinished transfers.
fn is_leaving(name: &OsStr) -> bool {
    let name = name.as_bytes().to_ascii_lowercase();
    // Whatever has an ending is taken for a document: what a transfer renames in the end must not be.
    let endings: [&[u8]; 15] = [
        b".tmp",
        b".temp",
        b".part",
        b".partial",
        b".filepart",
        b".crdownload",
        b".download",
        b".opdownload",
        b".upload",
        b".uploading",
        b".writing",
        b".incomplete",
        b".inprogress",
        b".swp",
        b"~",
    ];
    let names: [&[u8]; 3] = [b"thumbs.db", b"desktop.ini", b"@eadir"];
    name.starts_with(b".")
        || name.starts_with(b"~$")
        || names.contains(&name.as_slice())
        || endings.iter().any(|end| name.ends_with(end))
}

/// Endings of what fax servers and scanners write beside a fax.
const NOTES: [&str; 25] = [
    "txt",
    "xml",
    "json",
    "csv",
    "log",
    "ini",
    "inf",
    "cfg",
    "idx",
    "dat",
    "ctl",
    "sem",
    "ok",
    "done",
    "ack",
    "lock",
    "lck",
    "md5",
    "sha1",
    "sha256",
    "db",
    "db-journal",
    "lnk",
    "url",
    "bak",
];

/// Whether a file may be meant as a document, whatever it holds: one that is read, a letter from a word processor, a photograph, a format that
/// nobody has heard of. One that lay here for ever would be a lost referral; the engine keeps it, and says in words why it is unreadable.
fn is_named_document(name: &OsStr) -> bool {
    let Some(ending) = Path::new(name).extension() else { return false };
    let ending = ending.as_bytes().to_ascii_lowercase();
    let is_plain = ending.iter().any(u8::is_ascii_alphabetic) && ending.iter().all(|byte| byte.is_ascii_alphanumeric());
    is_plain && !NOTES.iter().any(|note| note.as_bytes() == ending)
}

/// What is to be done about a file next.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Next {
    /// Read it once it has not changed for the delay.
    Settle,
    /// It looks unfinished: read it as it is once it has not changed for much longer.
    Unfinished,
    /// It is no document: leave it alone.
    Leave,
    /// It could not be read: try again then.
    Retry { at: Instant, pause: Duration },
    /// It was taken and could not be moved: only move it, then.
    Move { to: Shelf, at: Instant, pause: Duration },
}

struct Seen {
    identity: Identity,
    unchanged_since: Instant,
    next: Next,
    look: u64,
}

/// A file that is ready.
pub(super) struct Ready {
    pub(super) name: OsString,
    pub(super) identity: Identity,
    pub(super) what: What,
}

/// What it is ready for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum What {
    /// To be read; `even_unfinished` once patience is over.
    Read { even_unfinished: bool },
    /// To be moved, having been taken.
    Move(Shelf),
}

/// What was seen of the folder so far.
pub(super) struct Watch {
    stable_after: Duration,
    seen: HashMap<OsString, Seen>,
    look: u64,
}

impl Watch {
    pub(super) fn new(stable_after: Duration) -> Self {
        Self { stable_after, seen: HashMap::new(), look: 0 }
    }

    /// Compares a listing with what was seen before, and says what is ready, the oldest file first. `renamed` says which files were moved
    /// into place: they are whole at once.
    pub(super) fn look(&mut self, found: Vec<Found>, renamed: &dyn Fn(&OsStr) -> bool, now: Instant) -> Vec<Ready> {
        self.look += 1;
        let mut ready = Vec::new();
        for Found { name, identity } in found {
            let fresh = Seen { identity, unchanged_since: now, next: Next::Settle, look: self.look };
            let seen = match self.seen.get_mut(&name) {
                Some(seen) if seen.identity == identity => seen,
                Some(seen) => {
                    *seen = fresh;
                    seen
                }
                None => self.seen.entry(name.clone()).or_insert(fresh),
            };
            seen.look = self.look;
            let at_once = seen.next == Next::Settle && renamed(&name);
            if let Some(what) =
                if at_once { Some(What::Read { even_unfinished: false }) } else { ready_for(seen, self.stable_after, now) }
            {
                ready.push(Ready { name, identity, what });
            }
        }
        // Files that are gone are forgotten.
        self.seen.retain(|_, seen| seen.look == self.look);
        ready.sort_unstable_by(|a, b| (a.identity.modified, &a.name).cmp(&(b.identity.modified, &b.name)));
        ready
    }

    /// When the next file that is known will be ready, unless it changes.
    pub(super) fn next_ready(&self) -> Option<Instant> {
        self.seen.values().filter_map(|seen| due(seen, self.stable_after)).min()
    }

    /// It was moved away.
    pub(super) fn moved(&mut self, name: &OsStr) {
        self.seen.remove(name);
    }

    /// It is no document, and is left where it is.
    pub(super) fn leave(&mut self, name: &OsStr) {
        self.set(name, |_| Next::Leave);
    }

    /// It looks unfinished.
    pub(super) fn wait_longer(&mut self, name: &OsStr) {
        self.set(name, |_| Next::Unfinished);
    }

    /// It changed while it was read: the delay begins anew.
    pub(super) fn changed(&mut self, name: &OsStr, now: Instant) {
        if let Some(seen) = self.seen.get_mut(name) {
            seen.unchanged_since = now;
            seen.next = Next::Settle;
        }
    }

    /// It could not be read: later. Says whether it is the first time.
    pub(super) fn retry(&mut self, name: &OsStr, now: Instant) -> bool {
        let mut first = true;
        self.set(name, |before| {
            let pause = match before {
                Next::Retry { pause, .. } => {
                    first = false;
                    (pause * 2).min(BACKOFF_MAX)
                }
                Next::Settle | Next::Unfinished | Next::Leave | Next::Move { .. } => BACKOFF,
            };
            Next::Retry { at: now + pause, pause }
        });
        first
    }

    /// It was taken and will not move: it is not read again, only moved. Says whether it is the first time.
    pub(super) fn move_later(&mut self, name: &OsStr, to: Shelf, now: Instant) -> bool {
        let mut first = true;
        self.set(name, |before| {
            let pause = match before {
                Next::Move { pause, .. } => {
                    first = false;
                    (pause * 2).min(BACKOFF_MAX)
                }
                Next::Settle | Next::Unfinished | Next::Leave | Next::Retry { .. } => BACKOFF,
            };
            Next::Move { to, at: now + pause, pause }
        });
        first
    }

    fn set(&mut self, name: &OsStr, next: impl FnOnce(Next) -> Next) {
        if let Some(seen) = self.seen.get_mut(name) {
            seen.next = next(seen.next);
        }
    }
}

fn due(seen: &Seen, stable_after: Duration) -> Option<Instant> {
    match seen.next {
        Next::Settle => Some(seen.unchanged_since + stable_after),
        Next::Unfinished => Some(seen.unchanged_since + stable_after * UNFINISHED_PATIENCE),
        Next::Retry { at, .. } | Next::Move { at, .. } => Some(at),
        Next::Leave => None,
    }
}

fn ready_for(seen: &Seen, stable_after: Duration, now: Instant) -> Option<What> {
    due(seen, stable_after).filter(|at| *at <= now)?;
    match seen.next {
        Next::Settle | Next::Retry { .. } => Some(What::Read { even_unfinished: false }),
        Next::Unfinished => Some(What::Read { even_unfinished: true }),
        Next::Move { to, .. } => Some(What::Move(to)),
        Next::Leave => None,
    }
}

/// How reading a file went.
pub(super) enum ReadFile {
    /// All of it, unchanged since it was listed.
    Whole(Bytes),
    /// It is no document.
    NotADocument,
    /// It looks as if more was to come.
    Unfinished,
    /// It is larger than what is taken.
    TooLarge,
    /// Somebody wrote to it, or put another file in its place.
    Changed,
    /// It was taken away.
    Gone,
    /// It cannot be read now: in use, no right to, a network share that went away.
    NotNow(io::Error),
}

/// Reads a file if it is still the one that was listed.
pub(super) fn read(path: &Path, identity: Identity, bytes_max: u64, even_unfinished: bool) -> ReadFile {
    match read_same(path, identity, bytes_max, even_unfinished) {
        Ok(read) => read,
        Err(error) if error.kind() == io::ErrorKind::NotFound => ReadFile::Gone,
        Err(error) => ReadFile::NotNow(error),
    }
}

fn read_same(path: &Path, identity: Identity, bytes_max: u64, even_unfinished: bool) -> io::Result<ReadFile> {
    // Neither follow a link out of the folder nor wait on a pipe that was put in the file's place.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let mut file = File::from(rustix::fs::openat(CWD, path, flags, Mode::empty())?);
    if Identity::of(&file.metadata()?) != identity {
        return Ok(ReadFile::Changed);
    }
    let mut content = Vec::new();
    file.by_ref().take(whole::HEAD_BYTES as u64).read_to_end(&mut content)?;
    let named = path.file_name().is_some_and(is_named_document);
    if !named && !whole::is_document(&content) {
        return Ok(ReadFile::NotADocument);
    }
    if identity.bytes > bytes_max {
        return Ok(ReadFile::TooLarge);
    }
    content.reserve_exact(usize::try_from(identity.bytes).unwrap_or(usize::MAX).saturating_sub(content.len()));
    file.by_ref().take(bytes_max.saturating_sub(content.len() as u64)).read_to_end(&mut content)?;
    if content.len() as u64 != identity.bytes || !is_still(path, identity) {
        return Ok(ReadFile::Changed);
    }
    if !even_unfinished && !whole::is_whole(&content) {
        return Ok(ReadFile::Unfinished);
    }
    Ok(ReadFile::Whole(content.into()))
}

/// Whether the file at this path is still the one that was listed, unchanged.
pub(super) fn is_still(path: &Path, identity: Identity) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file() && Identity::of(&metadata) == identity)
}
