//! What the index has been given and sled does not have yet, and the thread that takes it there.
//!
//! # Design notes
//! Two layers: one grows with each commit, one is being written to sled and does not change. A question looks into the first, then the
//! second, then sled. A layer is one sled batch with the journal's place behind its last commit, so that sled always stands between two
//! commits. A short wait lets changes of the same key meet (a delivery is queued, claimed, sent), and lets keys be written in their order.

use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::index::{Applied, Changes, IndexFault};

/// What one batch does: values put, `None` for keys taken away.
pub(super) type Layer = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// How long changes wait for more.
const LINGER: Duration = Duration::from_millis(50);
/// A layer of so many keys is written at once. sled answers nobody while it takes a batch, so it must not be large.
const LAYER_KEYS: usize = 2_000;
/// With so many keys waiting the commits wait too.
const WAITING_KEYS_MAX: usize = 20_000;

#[derive(Default)]
struct State {
    growing: Layer,
    written: Arc<Layer>,
    /// How far the journal goes with what is in `growing`.
    applied: Applied,
    fault: Option<IndexFault>,
    closed: bool,
}

/// What waits for sled.
#[derive(Default)]
pub(super) struct Waiting {
    state: Mutex<State>,
    /// There is something to write, or it is closed.
    work: Condvar,
    /// A layer was written.
    room: Condvar,
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What waits for a key; none: ask sled.
    pub(super) fn get(&self, key: &[u8]) -> Option<Option<Vec<u8>>> {
        let state = self.lock();
        state.growing.get(key).or_else(|| state.written.get(key)).cloned()
    }

    /// What waits for the keys with a prefix.
    pub(super) fn with_prefix(&self, prefix: &[u8]) -> Layer {
        let state = self.lock();
        let mut found = Layer::new();
        for layer in [&*state.written, &state.growing] {
            let from = (Bound::Included(prefix), Bound::Unbounded);
            let keys = layer.range::<[u8], _>(from).take_while(|(key, _)| key.starts_with(prefix));
            found.extend(keys.map(|(key, value)| (key.clone(), value.clone())));
        }
        found
    }

    /// Adds what a commit changed.
    pub(super) fn add(&self, changes: Changes, applied: Applied) -> Result<(), IndexFault> {
        let mut state = self.lock();
        while state.growing.len() >= WAITING_KEYS_MAX && state.fault.is_none() {
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if let Some(fault) = &state.fault {
            return Err(fault.clone());
        }
        let (was_empty, was_full) = (state.growing.is_empty(), state.growing.len() >= LAYER_KEYS);
        state.growing.extend(changes);
        state.applied = applied;
        if was_empty || (!was_full && state.growing.len() >= LAYER_KEYS) {
            self.work.notify_all();
        }
        Ok(())
    }

    /// The thread: writes layer after layer until it is closed, or sled fails.
    pub(super) fn work(&self, mut apply: impl FnMut(&Layer, Applied) -> Result<(), IndexFault>) {
        loop {
            let mut state = self.lock();
            while state.growing.is_empty() && !state.closed {
                state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            if state.growing.is_empty() {
                return;
            }
            let more = |state: &mut State| state.growing.len() < LAYER_KEYS && !state.closed;
            let waited = self.work.wait_timeout_while(state, LINGER, more).unwrap_or_else(PoisonError::into_inner);
            state = waited.0;
            if state.growing.is_empty() {
                // It was closed meanwhile, and what waited was of no use any more: sled must not be told that it has it.
                return;
            }
            let layer = Arc::new(std::mem::take(&mut state.growing));
            state.written = Arc::clone(&layer);
            let applied = state.applied;
            drop(state);
            let done = apply(&layer, applied);
            let mut state = self.lock();
            match done {
                Ok(()) => state.written = Arc::default(),
                Err(fault) => state.fault = Some(fault),
            }
            let ended = state.fault.is_some();
            drop(state);
            self.room.notify_all();
            if ended {
                return;
            }
        }
    }

    /// Has the thread end: when all is written, or at once.
    pub(super) fn close(&self, wanted: bool) {
        let mut state = self.lock();
        state.closed = true;
        if !wanted {
            state.growing.clear();
        }
        drop(state);
        self.work.notify_all();
    }

    /// Why sled did not take something.
    pub(super) fn fault(&self) -> Result<(), IndexFault> {
        self.lock().fault.clone().map_or(Ok(()), Err)
    }

    /// Waits until all is written.
    #[cfg(test)]
    pub(super) fn drain(&self) {
        let mut state = self.lock();
        while (!state.growing.is_empty() || !state.written.is_empty()) && state.fault.is_none() {
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(keys: &[(&str, Option<&str>)]) -> Changes {
        keys.iter().map(|(key, value)| (key.as_bytes().to_vec(), value.map(|value| value.as_bytes().to_vec()))).collect()
    }

    #[test]
    fn the_newest_layer_wins_and_what_was_taken_away_stays_away() {
        let waiting = Waiting::default();
        waiting.lock().written =
            Arc::new(changes(&[("q1", Some("old")), ("q2", Some("x")), ("r1", Some("y"))]).into_iter().collect());
        waiting.add(changes(&[("q1", Some("new")), ("q2", None)]), Applied::default()).unwrap();
        assert_eq!(waiting.get(b"q1"), Some(Some(b"new".to_vec())));
        assert_eq!(waiting.get(b"q2"), Some(None));
        assert_eq!(waiting.get(b"q3"), None);
        let found = waiting.with_prefix(b"q");
        assert_eq!(found, changes(&[("q1", Some("new")), ("q2", None)]).into_iter().collect());
    }

    #[test]
    fn everything_is_written_in_order_before_it_ends() {
        let waiting = Arc::new(Waiting::default());
        let worker = Arc::clone(&waiting);
        let written = Arc::new(Mutex::new(Vec::new()));
        let keep = Arc::clone(&written);
        let thread = std::thread::spawn(move || {
            worker.work(|layer, applied| {
                keep.lock().unwrap().push((layer.len(), applied.records));
                Ok(())
            });
        });
        for number in 0..3_000_u64 {
            let key = format!("k{number}");
            waiting.add(changes(&[(&key, Some("v"))]), Applied { records: number + 1, ..Applied::default() }).unwrap();
        }
        waiting.close(true);
        thread.join().unwrap();
        let written = written.lock().unwrap();
        assert_eq!(written.iter().map(|(keys, _)| keys).sum::<usize>(), 3_000);
        assert!(written.iter().map(|(_, records)| records).is_sorted() && written.last().unwrap().1 == 3_000);
    }

    #[test]
    fn what_is_of_no_use_any_more_is_not_called_applied() {
        for _ in 0..5 {
            let waiting = Arc::new(Waiting::default());
            let worker = Arc::clone(&waiting);
            waiting.add(changes(&[("k", Some("v"))]), Applied::default()).unwrap();
            let thread = std::thread::spawn(move || {
                worker.work(|layer, _| {
                    assert!(!layer.is_empty());
                    Ok(())
                });
            });
            // While it waits for more.
            std::thread::sleep(LINGER / 5);
            waiting.close(false);
            thread.join().unwrap();
        }
    }

    #[test]
    fn a_fault_is_told_to_the_next_commit_and_what_waits_can_still_be_asked() {
        let waiting = Waiting::default();
        waiting.add(changes(&[("a", Some("1"))]), Applied::default()).unwrap();
        waiting.work(|_, _| Err(IndexFault("full".to_owned())));
        assert_eq!(waiting.get(b"a"), Some(Some(b"1".to_vec())));
        assert!(waiting.add(changes(&[("b", None)]), Applied::default()).is_err() && waiting.fault().is_err());
    }
}
