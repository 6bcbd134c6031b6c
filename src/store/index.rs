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
//! | `#applied-5` | how far the journal is applied, how many records there are, and which runs |
//! | `B` + number of a run + key | a block of that run: `m`, `r`, `d`, `v`, `b`, `k`, `c`, `n` and `f` stand in those, see `runs.rs` |
//!
//! # Design notes
//! sled 0.34.7 does not sync what it calls durable, keeps values over 128 KB in files that it never syncs, can hang in
//! `flush_async`, panics on bad pages, and its errors stick until it is reopened. So: each value carries a CRC-32C over itself
//! and its key; values are small; `flush_async` is not used; each call is behind `catch_unwind`; at start the whole tree
//! is read once, its records and the entries of its runs counted. Whatever is wrong, the index is set aside and built again from the
//! journal.
//!
//! sled costs more than all the rest of a commit, so it is written behind the answers: what it does not have yet is in [`Waiting`], and
//! every question looks there first. A crash loses that; the replay of the journal brings it again.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, HashMap},
    fs::File,
    ops::ControlFlow,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{Arc, Mutex, PoisonError, RwLock},
    thread::JoinHandle,
};

use super::{
    StoreError,
    absent::{Absent, hash_of},
    crash::crash_point,
    journal::Place,
    keys,
    runs::{self, Entries, Last, Run, Runs},
    start::in_words,
    waiting::{Layer, Waiting},
};

/// The name changes with the form of the values: an index of another form is built again.
const APPLIED: &[u8] = b"#applied-5";
const APPLIED_BYTES: usize = 32;
const CRC_BYTES: usize = 4;
/// Records that are listed at once: while they are, sled is not written to.
const LISTED_AT_ONCE: usize = if cfg!(test) { 7 } else { 512 };

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
    /// How many messages, referrals and deliveries there are: one that is lost shows.
    pub(super) records: u64,
}

/// What a batch does to the index: values put, `None` for keys taken away.
pub(super) type Changes = KeyMap<Option<Vec<u8>>>;
/// By keys of the index, which hold what senders choose: the hash is seeded anew in each process.
pub(super) type KeyMap<V> = HashMap<Vec<u8>, V, foldhash::quality::RandomState>;

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
    /// Changed by the thread alone that writes to sled, and by nobody while it does.
    runs: RwLock<Runs>,
    /// Up to where what sled had before was read piece by piece.
    read_to: Mutex<Vec<u8>>,
}

fn guarded<T>(work: impl FnOnce() -> sled::Result<T>) -> Result<T, IndexFault> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(done) => done.map_err(|e| IndexFault(in_words(&e))),
        Err(_) => Err(IndexFault("sled panicked".to_owned())),
    }
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
        let inner = Inner { db, waiting: Waiting::default(), absent, runs: RwLock::default(), read_to: Mutex::default() };
        let listed = inner.get(APPLIED)?.unwrap_or_default();
        *inner.runs.write().unwrap_or_else(PoisonError::into_inner) =
            Runs::read(listed.get(APPLIED_BYTES..).unwrap_or_default())?;
        let inner = Arc::new(inner);
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
        let (mut entries, mut records, mut fault) = (BTreeMap::new(), Vec::new(), None);
        self.scan(&[], false, |key, value| {
            let note = |key: &[u8]| records.extend(keys::is_record(key).then(|| hash_of(key)));
            match (self.inner.saw(key, value, note), runs::run_of(key)) {
                (Ok(count), Some(run)) => *entries.entry(run).or_default() += count,
                (Ok(_), None) => {}
                (Err(found), _) => fault = Some(found),
            }
            if fault.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        fault.map_or(Ok(()), Err)?;
        let mut runs = self.inner.runs.write().unwrap_or_else(PoisonError::into_inner);
        if entries != runs.sizes() {
            return Err(IndexFault("a run has not the entries that it should have".to_owned()));
        }
        // Several versions of a record can stand in several runs.
        records.sort_unstable();
        records.dedup();
        if records.len() as u64 != applied.records {
            return Err(IndexFault(format!("it has {} records and should have {}", records.len(), applied.records)));
        }
        runs.saw_all_below(None);
        self.inner.absent.is_whole();
        Ok(applied)
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
                    self.inner.runs.write().unwrap_or_else(PoisonError::into_inner).saw_all_below(Some(&key));
                }
                return Ok(Some(key.to_vec()));
            }
            self.inner.saw(&key, unseal(&key, &sealed)?, |_| {})?;
        }
        if goes_on {
            self.inner.runs.write().unwrap_or_else(PoisonError::into_inner).saw_all_below(None);
            self.inner.absent.is_whole();
        }
        Ok(None)
    }

    /// How far the journal is applied.
    pub(super) fn applied(&self) -> Result<Applied, IndexFault> {
        let Some(value) = self.inner.get(APPLIED)? else { return Ok(Applied::default()) };
        let numbers: Vec<u64> = value
            .chunks_exact(8)
            .take(APPLIED_BYTES / 8)
            .map(|chunk| u64::from_le_bytes(chunk.try_into().expect("chunks of eight")))
            .collect();
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

    /// Goes through the keys with a prefix, in order or backwards, until told to stop. Those that stand in runs are not among them.
    pub(super) fn scan(
        &self,
        prefix: &[u8],
        backwards: bool,
        each: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), IndexFault> {
        let mut waiting = self.inner.waiting.with_prefix(prefix);
        let next_waiting = move || if backwards { waiting.pop_last() } else { waiting.pop_first() };
        let mut keys = guarded(|| Ok(self.inner.db.scan_prefix(prefix)))?;
        let next_written = || {
            let next = guarded(|| Ok(if backwards { keys.next_back() } else { keys.next() }))?;
            let Some((key, sealed)) = next.map(|found| guarded(|| found)).transpose()? else { return Ok(None) };
            let value = unseal(&key, &sealed)?.to_vec();
            Ok(Some((key.to_vec(), value)))
        };
        in_order(backwards, next_waiting, next_written, each)
    }

    /// Goes through the values of the records with a prefix, the newest first, until told to stop.
    pub(super) fn records(&self, prefix: &[u8], mut each: impl FnMut(&[u8]) -> ControlFlow<()>) -> Result<(), IndexFault> {
        let mut waiting = self.inner.waiting.with_prefix(prefix);
        let (mut found, mut may_have_more) = (Entries::new(), true);
        let mut below = keys::behind(prefix);
        let next_written = || {
            if found.is_empty() && may_have_more {
                (found, may_have_more) = self.inner.last_below(prefix, &below)?;
                below = found.first_key_value().map_or(Vec::new(), |(first, _)| first.clone());
            }
            Ok(found.pop_last())
        };
        in_order(true, || waiting.pop_last(), next_written, |_, value| each(value))
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

/// Goes through what waits for sled and what it has together. Where both have a key, what waits holds.
fn in_order(
    backwards: bool,
    mut next_waiting: impl FnMut() -> Option<(Vec<u8>, Option<Vec<u8>>)>,
    mut next_written: impl FnMut() -> Result<Option<(Vec<u8>, Vec<u8>)>, IndexFault>,
    mut each: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
) -> Result<(), IndexFault> {
    let (mut new, mut old) = (next_waiting(), next_written()?);
    loop {
        let order = match (&new, &old) {
            (None, None) => return Ok(()),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((new, _)), Some((old, _))) if backwards => old.cmp(new),
            (Some((new, _)), Some((old, _))) => new.cmp(old),
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
                if let Some((key, value)) = &old {
                    found = each(key, value);
                }
                old = next_written()?;
            }
        }
        if found.is_break() {
            return Ok(());
        }
    }
}

impl Inner {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, IndexFault> {
        if keys::is_kept(key) {
            return self.kept(key);
        }
        match guarded(|| self.db.get(key))? {
            Some(sealed) => unseal(key, &sealed).map(|value| Some(value.to_vec())),
            None => Ok(None),
        }
    }

    /// The value of a key that stands in a run.
    fn kept(&self, key: &[u8]) -> Result<Option<Vec<u8>>, IndexFault> {
        let runs = self.runs.read().unwrap_or_else(PoisonError::into_inner);
        for run in runs.that_may_have(key) {
            let within = runs::block_key(run, &[])..=runs::block_key(run, key);
            let Some((block_key, sealed)) = guarded(|| self.db.range(within).next_back().transpose())? else { continue };
            if let Some(value) = runs::find(unseal(&block_key, &sealed)?, key)? {
                return Ok(Some(value.to_vec()));
            }
        }
        Ok(None)
    }

    /// The last records below a key, and whether there may be more.
    fn last_below(&self, prefix: &[u8], below: &[u8]) -> Result<(Entries, bool), IndexFault> {
        let runs = self.runs.read().unwrap_or_else(PoisonError::into_inner);
        let mut last = Last::new(prefix, below, LISTED_AT_ONCE);
        for run in runs.newest_first() {
            let within = runs::block_key(run, &[])..runs::block_key(run, below);
            let mut blocks = guarded(|| Ok(self.db.range(within)))?;
            while let Some((key, sealed)) = guarded(|| blocks.next_back().transpose())? {
                if !last.take(unseal(&key, &sealed)?)? {
                    break;
                }
            }
        }
        Ok(last.found())
    }

    /// Notes that sled has this, so that it is not called absent; gives how many keys that was, and each that stands in a run.
    fn saw(&self, key: &[u8], value: &[u8], mut each: impl FnMut(&[u8])) -> Result<usize, IndexFault> {
        let Some(run) = runs::run_of(key) else {
            self.absent.add(std::iter::once(key));
            return Ok(1);
        };
        let entries = runs::entries(value)?;
        entries.iter().for_each(|(key, _)| each(key));
        self.absent.add(entries.iter().map(|(key, _)| *key));
        self.runs.write().unwrap_or_else(PoisonError::into_inner).saw(run, &entries);
        Ok(entries.len())
    }

    fn apply(&self, changes: &Layer, applied: Applied) -> Result<(), IndexFault> {
        let mut batch = sled::Batch::default();
        let mut kept = Vec::new();
        for (key, value) in changes {
            match value {
                Some(value) if keys::is_kept(key) => kept.push((key.as_slice(), value.as_slice())),
                Some(value) => batch.insert(key.as_slice(), seal(key, value)),
                None => {
                    debug_assert!(!keys::is_kept(key), "what stands in a run is never taken away");
                    batch.remove(key.as_slice());
                }
            }
        }
        let number = self.runs.read().unwrap_or_else(PoisonError::into_inner).next_number();
        let run = (!kept.is_empty()).then(|| {
            Run::new(number, 0, &kept, |key, block| {
                let sealed = seal(&key, &block);
                batch.insert(key, sealed);
            })
        });
        let mut runs = self.runs.write().unwrap_or_else(PoisonError::into_inner);
        note_applied(&mut batch, applied, runs.all().chain(&run));
        guarded(|| self.db.apply_batch(batch))?;
        run.into_iter().for_each(|run| runs.push(run));
        drop(runs);
        while self.merge(applied)? {}
        Ok(())
    }

    /// Merges the newest runs into one, if they are enough.
    fn merge(&self, applied: Applied) -> Result<bool, IndexFault> {
        let (merged, number) = {
            let runs = self.runs.read().unwrap_or_else(PoisonError::into_inner);
            (runs.to_merge(), runs.next_number())
        };
        let Some((numbers, level)) = merged else { return Ok(false) };
        let mut batch = sled::Batch::default();
        let mut blocks = Vec::new();
        for number in numbers {
            let mut keys = guarded(|| Ok(self.db.scan_prefix(runs::block_key(number, &[]))))?;
            while let Some(found) = guarded(|| Ok(keys.next()))? {
                let (key, sealed) = guarded(|| found)?;
                blocks.push(unseal(&key, &sealed)?.to_vec());
                batch.remove(key);
            }
        }
        let entries = runs::merged(blocks.iter().map(Vec::as_slice))?;
        let run = Run::new(number, level, &entries, |key, block| {
            let sealed = seal(&key, &block);
            batch.insert(key, sealed);
        });
        let mut runs = self.runs.write().unwrap_or_else(PoisonError::into_inner);
        note_applied(&mut batch, applied, runs.without_merged().chain([&run]));
        guarded(|| self.db.apply_batch(batch))?;
        runs.replace_merged(run);
        Ok(true)
    }
}

/// Writes how far the journal is applied, and the list of the runs.
fn note_applied<'r>(batch: &mut sled::Batch, applied: Applied, runs: impl Iterator<Item = &'r Run>) {
    let place = applied.place;
    let numbers = [place.segment, place.offset, place.sequence, applied.records];
    let mut value: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    Runs::write(runs, &mut value);
    batch.insert(APPLIED, seal(APPLIED, &value));
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
        let keys: Changes = (0..25).map(|number| (format!("t{number:02}").into_bytes(), Some(vec![1]))).collect();
        index.apply(keys, Applied::default()).unwrap();
        index.inner.waiting.drain();
        // One that knows nothing yet of what sled has is sure of nothing until all of it was read.
        drop(index);
        let index = Index::open(folder.path(), 1 << 20).unwrap();
        index.check_some(b"t10", 100).unwrap();
        assert!(!index.inner.absent.surely(b"another"));
        assert_eq!(index.get(b"t03").unwrap(), Some(vec![1]));
        let check_all = |index: &Index| {
            let (mut from, mut pieces) = (Vec::new(), 0);
            while let Some(next) = index.check_some(&from, 10)? {
                (from, pieces) = (next, pieces + 1);
            }
            Ok::<_, IndexFault>(pieces)
        };
        assert_eq!(check_all(&index).unwrap(), 2);
        assert!(index.inner.absent.surely(b"another") && !index.inner.absent.surely(b"t03"));
        index.inner.db.insert("t19", b"another").unwrap();
        assert!(check_all(&index).is_err());
    }

    #[test]
    fn a_lost_record_is_noticed_at_start() {
        let folder = tempfile::tempdir().unwrap();
        let index = Index::open(folder.path(), 1 << 20).unwrap();
        let record = |key: &str| (key.as_bytes().to_vec(), Some(vec![0; Position::BYTES]));
        let applied = Applied { place: Place { segment: 1, offset: 9, sequence: 1 }, records: 2 };
        index.apply([record("m1"), record("m2")].into_iter().collect(), applied).unwrap();
        index.inner.waiting.drain();
        assert_eq!(index.check().unwrap(), applied);
        let (block, _) = index.inner.db.scan_prefix(b"B").next().unwrap().unwrap();
        index.inner.db.remove(block).unwrap();
        assert!(index.check().is_err());
    }

    #[test]
    fn records_are_listed_with_their_newest_values_wherever_those_stand() {
        let folder = tempfile::tempdir().unwrap();
        let index = Index::open(folder.path(), 1 << 20).unwrap();
        let mut known = BTreeMap::new();
        let assert_listed = |known: &BTreeMap<Vec<u8>, Vec<u8>>| {
            let mut listed = Vec::new();
            let all = |value: &[u8]| {
                listed.push(value.to_vec());
                ControlFlow::Continue(())
            };
            index.records(b"r", all).unwrap();
            assert_eq!(listed, known.values().rev().cloned().collect::<Vec<_>>());
            let mut some = Vec::new();
            let first_nine = |value: &[u8]| {
                some.push(value.to_vec());
                if some.len() < 9 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            };
            index.records(b"r", first_nine).unwrap();
            assert_eq!(some, listed.into_iter().take(9).collect::<Vec<_>>());
        };
        assert_listed(&known);
        for batch in 0..90_u32 {
            let new = (0..5).map(|number| batch * 5 + number).chain([batch * 3, batch, 2]);
            let key = |prefix: &[u8], number: u32| [prefix, &number.to_be_bytes()].concat();
            let mut changes = Changes::default();
            for number in new {
                let value = [number.to_be_bytes(), batch.to_be_bytes()].concat();
                known.insert(key(b"r", number), value.clone());
                changes.extend([&b"m"[..], b"r", b"v"].map(|prefix| (key(prefix, number), Some(value.clone()))));
            }
            index.apply(changes, Applied::default()).unwrap();
            if batch % 4 != 3 {
                index.inner.waiting.drain();
            }
            assert_listed(&known);
        }
    }

    /// Puts batch after batch of kept keys, some of them again and again, each batch a run of its own.
    fn many_batches(index: &Index, known: &mut HashMap<Vec<u8>, Vec<u8>>, numbers: std::ops::Range<u32>) {
        for batch in numbers {
            let key = |number: u32| [&b"k"[..], &number.wrapping_mul(2_654_435_761).to_be_bytes()].concat();
            let new = (0..60).map(|number| key(batch * 60 + number)).chain((0..6).map(|number| key(batch % 5 * 7 + number)));
            let changes: Changes = new.map(|key| (key, Some(batch.to_be_bytes().to_vec()))).collect();
            known.extend(changes.iter().map(|(key, value)| (key.clone(), value.clone().unwrap())));
            index.apply(changes, Applied::default()).unwrap();
            index.inner.waiting.drain();
        }
    }

    fn assert_knows(index: &Index, known: &HashMap<Vec<u8>, Vec<u8>>) {
        for (key, value) in known {
            assert_eq!(index.get(key).unwrap().as_ref(), Some(value));
            let absent = [&key[..], b"x"].concat();
            assert_eq!(index.inner.get(&absent).unwrap(), None);
        }
    }

    #[test]
    fn what_runs_have_is_found_as_they_are_merged_and_after_a_start_before_and_behind_the_check() {
        let folder = tempfile::tempdir().unwrap();
        let mut known = HashMap::new();
        let mut index = Index::open(folder.path(), 1 << 20).unwrap();
        for until in [15, 40, 300] {
            many_batches(&index, &mut known, until - 10..until);
            assert_knows(&index, &known);
            many_batches(&index, &mut known, until..until + 20);
            index.close(folder.path()).unwrap();
            index = Index::open(folder.path(), 1 << 20).unwrap();
            assert_knows(&index, &known);
            let mut from = Vec::new();
            while let Some(next) = index.check_some(&from, 7).unwrap() {
                // A run that is written meanwhile, and one that is merged.
                many_batches(&index, &mut known, until + 50..until + 51);
                assert_knows(&index, &known);
                from = next;
            }
            assert!(index.inner.absent.surely(b"another"));
            assert_knows(&index, &known);
            index.close(folder.path()).unwrap();
            index = Index::open(folder.path(), 1 << 20).unwrap();
            index.check().unwrap();
            assert_knows(&index, &known);
        }
        let runs = index.inner.runs.read().unwrap().sizes().len();
        assert!(runs < 40, "{runs} runs");
    }

    #[test]
    fn a_lost_or_changed_block_is_noticed_at_start() {
        for is_lost in [true, false] {
            let folder = tempfile::tempdir().unwrap();
            let index = Index::open(folder.path(), 1 << 20).unwrap();
            many_batches(&index, &mut HashMap::new(), 0..3);
            index.check().unwrap();
            let (key, value) = index.inner.db.scan_prefix(b"B").nth(1).unwrap().unwrap();
            match is_lost {
                true => index.inner.db.remove(&key).unwrap(),
                false => index.inner.db.insert(&key, &value[..value.len() - 1]).unwrap(),
            };
            assert!(index.check().is_err());
        }
    }
}
