//! The index: sled, one tree, key prefixes. Quick to ask, and never believed where the journal says otherwise.
//!
//! | key | value |
//! |---|---|
//! | `m` message, `r` referral, `d` delivery, each + id | position in the journal, and the record itself where it is small |
//! | `v` + referral id + version | position of an old version |
//! | `b` + SHA-256 | position of content, or that it is a file |
//! | `k` repeat key, `c` control key (both hashed) | message id |
//! | `n` reference, `f` referral key (hashed) | referral id |
//! | `o` + referral id + delivery id | nothing: the deliveries of a referral |
//! | `t` + due time + message id, `q` + due time + delivery id, `i` + delivery id in flight | nothing |
//! | `a` + sequence | position of what that batch did |
//! | `#applied` | how far the journal is applied, and how many records there are |
//!
//! # Design notes
//! sled 0.34.7 does not sync what it calls durable, keeps values over 128 KB in files that it never syncs, can hang in
//! `flush_async`, panics on bad pages, and its errors stick until it is reopened. So: each value carries a CRC-32C over itself
//! and its key; no value is over 64 KB; `flush_async` is not used; each call is behind `catch_unwind`; at start the whole tree
//! is read once and its records counted. Whatever is wrong, the index is set aside and built again from the journal.

use std::{
    collections::HashMap,
    fs::File,
    ops::ControlFlow,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use super::{StoreError, frame::Position, journal::Place};

/// A record over this is read from the journal; sled never sees it.
const INLINE_BYTES_MAX: usize = 32 * 1024;
const APPLIED: &[u8] = b"#applied";
const CRC_BYTES: usize = 4;

/// sled failed, or gave back what was not put in.
#[derive(Debug, thiserror::Error)]
#[error("the index: {0}")]
pub(super) struct IndexFault(String);

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
    db: sled::Db,
    #[cfg(test)]
    pub(super) fails: std::sync::atomic::AtomicBool,
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

fn holds_position_first(key: &[u8]) -> bool {
    matches!(key.first(), Some(b'm' | b'r' | b'd'))
}

fn seal(key: &[u8], value: &[u8]) -> Vec<u8> {
    // A record too big for sled is kept by its position alone.
    let kept = if holds_position_first(key) && value.len() > INLINE_BYTES_MAX { value.get(..Position::BYTES) } else { None };
    let kept = kept.unwrap_or(value);
    let crc = crc32c::crc32c_append(crc32c::crc32c(key), kept);
    let mut sealed = Vec::with_capacity(CRC_BYTES + kept.len());
    sealed.extend_from_slice(&crc.to_le_bytes());
    sealed.extend_from_slice(kept);
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
        Ok(Self {
            db,
            #[cfg(test)]
            fails: false.into(),
        })
    }

    /// Reads the whole tree once: every value is what was put in, and none is missing.
    pub(super) fn check(&self) -> Result<Applied, IndexFault> {
        let applied = self.applied()?;
        let mut records = 0;
        self.scan(&[], false, |key, _| {
            records += u64::from(is_record(key));
            ControlFlow::Continue(())
        })?;
        if records == applied.records {
            Ok(applied)
        } else {
            Err(IndexFault(format!("it has {records} records and should have {}", applied.records)))
        }
    }

    /// How far the journal is applied.
    pub(super) fn applied(&self) -> Result<Applied, IndexFault> {
        let Some(value) = self.get(APPLIED)? else { return Ok(Applied::default()) };
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
        match guarded(|| self.db.get(key))? {
            Some(sealed) => unseal(key, &sealed).map(|value| Some(value.to_vec())),
            None => Ok(None),
        }
    }

    /// Applies a batch, all of it or nothing, and notes how far the journal is applied with it.
    pub(super) fn apply(&self, changes: &Changes, applied: Applied) -> Result<(), IndexFault> {
        #[cfg(test)]
        if self.fails.load(std::sync::atomic::Ordering::SeqCst) {
            return Err(IndexFault("made to fail by a test".to_owned()));
        }
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

    /// Goes through the keys with a prefix, in order or backwards, until told to stop.
    pub(super) fn scan(
        &self,
        prefix: &[u8],
        backwards: bool,
        mut each: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), IndexFault> {
        let mut keys = guarded(|| Ok(self.db.scan_prefix(prefix)))?;
        while let Some(found) = guarded(|| Ok(if backwards { keys.next_back() } else { keys.next() }))? {
            let (key, sealed) = guarded(|| found)?;
            if each(&key, unseal(&key, &sealed)?).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Lets go of one that failed; what it says while it goes is of no matter.
    pub(super) fn discard(self) {
        guarded(|| {
            drop(self.db);
            Ok(())
        })
        .ok();
    }

    /// Writes everything out and makes it durable, so that a clean stop can be believed even after a power cut.
    pub(super) fn close(self, folder: &Path) -> Result<(), IndexFault> {
        guarded(|| self.db.flush())?;
        guarded(|| {
            drop(self.db);
            Ok(())
        })?;
        sync_tree(folder).map_err(|e| IndexFault(e.to_string()))
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
    fn a_lost_record_is_noticed_at_start() {
        let folder = tempfile::tempdir().unwrap();
        let index = Index::open(folder.path(), 1 << 20).unwrap();
        let record = |key: &str| (key.as_bytes().to_vec(), Some(vec![0; Position::BYTES]));
        let applied = Applied { place: Place { segment: 1, offset: 9, sequence: 1 }, records: 2 };
        index.apply(&[record("m1"), record("m2")].into(), applied).unwrap();
        assert_eq!(index.check().unwrap(), applied);
        index.db.remove("m1").unwrap();
        assert!(index.check().is_err());
    }

    #[test]
    fn a_record_over_the_limit_is_kept_by_its_position() {
        let folder = tempfile::tempdir().unwrap();
        let index = Index::open(folder.path(), 1 << 20).unwrap();
        let big = vec![7; 200_000];
        index.apply(&[(b"mx".to_vec(), Some(big.clone()))].into(), Applied::default()).unwrap();
        assert_eq!(index.get(b"mx").unwrap().unwrap(), big[..Position::BYTES]);
    }
}
