//! The index: sled, one tree, key prefixes. Quick to ask, and never believed where the journal says otherwise.
//!
//! | key | value |
//! |---|---|
//! | `m` message, `r` referral, `d` delivery, each + id | position in the journal, and its mark: state, and due time or version |
//! | `v` + referral id + version | position of an old version |
//! | `b` + most of a SHA-256 | position of content, and its number where several stand there; or that it is a file |
//! | `k` repeat key, `c` control key (both hashed) | message id |
//! | `n` reference, `f` referral key (hashed) | referral id |
//! | `o` + referral id + delivery id | nothing: the deliveries of a referral |
//! | `t` + due time + message id, `q` + due time + delivery id, `i` + delivery id in flight | nothing |
//! | `a` + sequence | position of what that batch did |
//! | `#applied-3` | how far the journal is applied, and how many records there are |
//!
//! # Design notes
//! sled 0.34.7 does not sync what it calls durable, keeps values over 128 KB in files that it never syncs, can hang in
//! `flush_async`, panics on bad pages, and its errors stick until it is reopened. So: each value carries a CRC-32C over itself
//! and its key; values are small; `flush_async` is not used; each call is behind `catch_unwind`; at start the whole tree
//! is read once and its records counted. Whatever is wrong, the index is set aside and built again from the journal.
//!
//! sled costs more than all the rest of a commit, so it is written behind the answers: what it does not have yet is in [`Waiting`], and
//! every question looks there first. A crash loses that; the replay of the journal brings it again.

use std::{
    cmp::Ordering,
    collections::HashMap,
    fs::File,
    ops::ControlFlow,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
};

use super::{
    StoreError,
    absent::Absent,
    crash::crash_point,
    journal::Place,
    waiting::{Layer, Waiting},
};

/// The name changes with the form of the values: an index of another form is built again.
const APPLIED: &[u8] = b"#applied-3";
const CRC_BYTES: usize = 4;

/// sled failed, or gave back what was not put in.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the index: {0}")]
pub(super) struct IndexFault(pub(super) String);

impl From<IndexFault> for StoreError {
    fn from(fault: IndexFault) -> Self {
        Self::Unreadable(fault.to_string())
    }
}

/// How far the journal is applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Applied {
    pub(super) place: Place,
    /// How many messages, referrals, deliveries and contents there are: a lost page shows.
    pub(super) records: u64,
}

/// What a batch does to the index: values put, `None` for keys taken away.
pub(super) type Changes = HashMap<Vec<u8>, Option<Vec<u8>>>;

/// The index.
pub(super) struct Index {
    inner: Arc<Inner>,
    applier: Option<JoinHandle<()>>,
    #[cfg(test)]
    pub(super) fails: Arc<std::sync::atomic::AtomicBool>,
}

struct Inner {
    db: sled::Db,
    waiting: Waiting,
    absent: Absent,
    /// Up to where what sled had before was read piece by piece.
    read_to: Mutex<Vec<u8>>,
}

fn guarded<T>(work: impl FnOnce() -> sled::Result<T>) -> Result<T, IndexFault> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(done) => done.map_err(|e| IndexFault(e.to_string())),
        Err(_) => Err(IndexFault("sled panicked".to_owned())),
    }
}

/// Whether a key is of something that is never taken away, and counted.
pub(super) fn is_record(key: &[u8]) -> bool {
    matches!(key.first(), Some(b'm' | b'r' | b'd' | b'b'))
}

fn seal(key: &[u8], value: &[u8]) -> Vec<u8> {
    let crc = crc32c::crc32c_append(crc32c::crc32c(key), value);
    let mut sealed = Vec::with_capacity(CRC_BYTES + value.len());
    sealed.extend_from_slice(&crc.to_le_bytes());
    sealed.extend_from_slice(value);
    sealed
}

fn unseal<'v>(key: &[u8], sealed: &'v [u8]) -> Result<&'v [u8], IndexFault> {
    sealed
        .split_first_chunk::<CRC_BYTES>()
        .filter(|(crc, value)| u32::from_le_bytes(**crc) == crc32c::crc32c_append(crc32c::crc32c(key), value))
        .map(|(_, value)| value)
        .ok_or_else(|| IndexFault("a value is not what was put in".to_owned()))
}

impl Index {
    /// Opens or makes it.
    pub(super) fn open(folder: &Path, cache_bytes: u64) -> Result<Self, IndexFault> {
        let db = guarded(|| sled::Config::new().path(folder).cache_capacity(cache_bytes).open())?;
        let absent = Absent::default();
        if guarded(|| db.iter().next().transpose())?.is_none() {
            absent.is_whole();
        }
        let inner = Arc::new(Inner { db, waiting: Waiting::default(), absent, read_to: Mutex::default() });
        #[cfg(test)]
        let fails = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let applying = Arc::clone(&inner);
        #[cfg(test)]
        let made_to_fail = Arc::clone(&fails);
        let apply = move |changes: &Layer, applied| {
            #[cfg(test)]
            if made_to_fail.load(std::sync::atomic::Ordering::SeqCst) {
                return Err(IndexFault("made to fail by a test".to_owned()));
            }
            crash_point("before-index");
            let applied = applying.apply(changes, applied);
            crash_point("after-index");
            applied
        };
        let waiting = Arc::clone(&inner);
        let applier = std::thread::Builder::new()
            .name("store-index".to_owned())
            .spawn(move || waiting.waiting.work(apply))
            .map_err(|e| IndexFault(e.to_string()))?;
        Ok(Self {
            inner,
            applier: Some(applier),
            #[cfg(test)]
            fails,
        })
    }

    /// Reads the whole tree once: every value is what was put in, and none is missing.
    pub(super) fn check(&self) -> Result<Applied, IndexFault> {
        let applied = self.applied()?;
        let mut records = 0;
        self.scan(&[], false, |key, _| {
            records += u64::from(is_record(key));
            self.inner.absent.add(std::iter::once(key));
            ControlFlow::Continue(())
        })?;
        if records == applied.records {
            self.inner.absent.is_whole();
            Ok(applied)
        } else {
            Err(IndexFault(format!("it has {records} records and should have {}", applied.records)))
        }
    }

    /// Reads some values from a key on: each is what was put in. Gives the key to go on at; none: that was all.
    pub(super) fn check_some(&self, from: &[u8], count: usize) -> Result<Option<Vec<u8>>, IndexFault> {
        let mut keys = guarded(|| Ok(self.inner.db.range(from..)))?;
        let mut read_to = self.inner.read_to.lock().unwrap_or_else(PoisonError::into_inner);
        let goes_on = *read_to == from;
        for number in 0.. {
            let Some(found) = guarded(|| Ok(keys.next()))? else { break };
            let (key, sealed) = guarded(|| found)?;
            if number == count {
                if goes_on {
                    *read_to = key.to_vec();
                }
                return Ok(Some(key.to_vec()));
            }
            unseal(&key, &sealed)?;
            self.inner.absent.add(std::iter::once(&*key));
        }
        if goes_on {
            self.inner.absent.is_whole();
        }
        Ok(None)
    }

    /// How far the journal is applied.
    pub(super) fn applied(&self) -> Result<Applied, IndexFault> {
        let Some(value) = self.inner.get(APPLIED)? else { return Ok(Applied::default()) };
        let numbers: Vec<u64> =
            value.chunks_exact(8).map(|chunk| u64::from_le_bytes(chunk.try_into().expect("chunks of eight"))).collect();
        match numbers.as_slice() {
            [segment, offset, sequence, records] => {
                Ok(Applied { place: Place { segment: *segment, offset: *offset, sequence: *sequence }, records: *records })
            }
            _ => Err(IndexFault("how far it is applied cannot be read".to_owned())),
        }
    }

    /// One value.
    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, IndexFault> {
        if self.inner.absent.surely(key) {
            return Ok(None);
        }
        match self.inner.waiting.get(key) {
            Some(waiting) => Ok(waiting),
            None => self.inner.get(key),
        }
    }

    /// Takes a batch over: from now on it is seen by every question, and it is written to sled behind the caller's back, all of it
    /// or nothing, with how far the journal is applied. An error is that of an earlier batch.
    pub(super) fn apply(&self, changes: Changes, applied: Applied) -> Result<(), IndexFault> {
        let put = changes.iter().filter(|(_, value)| value.is_some());
        self.inner.absent.add(put.map(|(key, _)| key.as_slice()));
        self.inner.waiting.add(changes, applied)
    }

    /// Goes through the keys with a prefix, in order or backwards, until told to stop.
    pub(super) fn scan(
        &self,
        prefix: &[u8],
        backwards: bool,
        mut each: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), IndexFault> {
        let mut waiting = self.inner.waiting.with_prefix(prefix);
        let mut next_waiting = move || if backwards { waiting.pop_last() } else { waiting.pop_first() };
        let mut keys = guarded(|| Ok(self.inner.db.scan_prefix(prefix)))?;
        let mut next_written = || -> Result<Option<(sled::IVec, sled::IVec)>, IndexFault> {
            guarded(|| Ok(if backwards { keys.next_back() } else { keys.next() }))?.map(|found| guarded(|| found)).transpose()
        };
        let (mut new, mut old) = (next_waiting(), next_written()?);
        loop {
            let order = match (&new, &old) {
                (None, None) => return Ok(()),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some((new, _)), Some((old, _))) if backwards => old.as_ref().cmp(new.as_slice()),
                (Some((new, _)), Some((old, _))) => new.as_slice().cmp(old.as_ref()),
            };
            let mut found = ControlFlow::Continue(());
            match order {
                Ordering::Less | Ordering::Equal => {
                    if let Some((key, Some(value))) = &new {
                        found = each(key, value);
                    }
                    new = next_waiting();
                    if order == Ordering::Equal {
                        old = next_written()?;
                    }
                }
                Ordering::Greater => {
                    if let Some((key, sealed)) = &old {
                        found = each(key, unseal(key, sealed)?);
                    }
                    old = next_written()?;
                }
            }
            if found.is_break() {
                return Ok(());
            }
        }
    }

    /// Ends the thread; what waits is written first, unless it is of no use any more.
    fn stop(&mut self, wanted: bool) {
        self.inner.waiting.close(wanted);
        if let Some(applier) = self.applier.take() {
            // Its work is guarded; a panic in it would be a bug, and was reported where it happened.
            applier.join().ok();
        }
    }

    /// Lets go of one that failed; what it says while it goes is of no matter.
    pub(super) fn discard(mut self) {
        self.stop(false);
        guarded(|| {
            drop(self);
            Ok(())
        })
        .ok();
    }

    /// Writes everything out and makes it durable, so that a clean stop can be believed even after a power cut.
    pub(super) fn close(mut self, folder: &Path) -> Result<(), IndexFault> {
        self.stop(true);
        self.inner.waiting.fault()?;
        guarded(|| self.inner.db.flush())?;
        guarded(|| {
            drop(self);
            Ok(())
        })?;
        sync_tree(folder).map_err(|e| IndexFault(e.to_string()))
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        self.stop(true);
    }
}

impl Inner {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, IndexFault> {
        match guarded(|| self.db.get(key))? {
            Some(sealed) => unseal(key, &sealed).map(|value| Some(value.to_vec())),
            None => Ok(None),
        }
    }

    fn apply(&self, changes: &Layer, applied: Applied) -> Result<(), IndexFault> {
        let mut batch = sled::Batch::default();
        for (key, value) in changes {
            match value {
                Some(value) => batch.insert(key.as_slice(), seal(key, value)),
                None => batch.remove(key.as_slice()),
            }
        }
        let place = applied.place;
        let numbers = [place.segment, place.offset, place.sequence, applied.records];
        let value: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        batch.insert(APPLIED, seal(APPLIED, &value));
        guarded(|| self.db.apply_batch(batch))
    }
}

fn sync_tree(folder: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { sync_tree(&path)? } else { File::open(&path)?.sync_all()? }
    }
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::frame::Position;

    #[test]
    fn a_value_changed_or_under_another_key_is_not_believed() {
        let sealed = seal(b"k1", b"value");
        assert_eq!(unseal(b"k1", &sealed).unwrap(), b"value");
        assert!(unseal(b"k2", &sealed).is_err());
        let mut wrong = sealed;
        wrong[6] ^= 1;
        assert!(unseal(b"k1", &wrong).is_err());
    }

    #[test]
    fn a_value_damaged_anywhere_is_found_by_checking_piece_by_piece() {
        let folder = tempfile::tempdir().unwrap();
        let index = Index::open(folder.path(), 1 << 20).unwrap();
        let keys: Changes = (0..25).map(|number| (format!("k{number:02}").into_bytes(), Some(vec![1]))).collect();
        index.apply(keys, Applied::default()).unwrap();
        index.inner.waiting.drain();
        // One that knows nothing yet of what sled has is sure of nothing until all of it was read.
        drop(index);
        let index = Index::open(folder.path(), 1 << 20).unwrap();
        index.check_some(b"k10", 100).unwrap();
        assert!(!index.inner.absent.surely(b"another"));
        assert_eq!(index.get(b"k03").unwrap(), Some(vec![1]));
        let check_all = |index: &Index| {
            let (mut from, mut pieces) = (Vec::new(), 0);
            while let Some(next) = index.check_some(&from, 10)? {
                (from, pieces) = (next, pieces + 1);
            }
            Ok::<_, IndexFault>(pieces)
        };
        assert_eq!(check_all(&index).unwrap(), 2);
        assert!(index.inner.absent.surely(b"another") && !index.inner.absent.surely(b"k03"));
        index.inner.db.insert("k19", b"another").unwrap();
        assert!(check_all(&index).is_err());
    }

    #[test]
    fn a_lost_record_is_noticed_at_start() {
        let folder = tempfile::tempdir().unwrap();
        let index = Index::open(folder.path(), 1 << 20).unwrap();
        let record = |key: &str| (key.as_bytes().to_vec(), Some(vec![0; Position::BYTES]));
        let applied = Applied { place: Place { segment: 1, offset: 9, sequence: 1 }, records: 2 };
        index.apply([record("m1"), record("m2")].into(), applied).unwrap();
        index.inner.waiting.drain();
        assert_eq!(index.check().unwrap(), applied);
        index.inner.db.remove("m1").unwrap();
        assert!(index.check().is_err());
    }
}
