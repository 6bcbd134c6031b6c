//! How a station works: register for the wake-up, look in the store, start what is due, rest until something happens.
//!
//! The wake-up carries no data and may be lost or come twice: what is due is always asked of the store.

use std::{
    collections::HashSet,
    fmt::Display,
    future::Future,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use tokio::{sync::Notify, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::store::StoreError;

/// How long a station rests when the store cannot be read or written.
const STORE_PAUSE_SECONDS: u64 = 2;
/// The shortest rest while something is due that cannot be started: all places are taken, or its channel rests.
const REST_MILLISECONDS_MIN: u64 = 100;
/// The longest rest: due times are looked at again after it even if nothing wakes the station.
const REST_SECONDS_MAX: u64 = 30;

/// What a station does.
pub(super) trait Work: Send + Sync + 'static {
    /// Names one piece of work.
    type Id: Copy + Eq + Hash + Display + Send + Sync;
    /// What a piece of work is called in the log.
    const WHAT: &'static str;

    /// Notified when work was left.
    fn wake(&self) -> &Notify;
    /// How many pieces are worked on at once.
    fn at_once_max(&self) -> usize;
    /// What is due and may be started, and when the next one falls due.
    ///
    /// # Errors
    /// The store cannot be read.
    fn due(&self, now: Timestamp, limit: usize) -> Result<(Vec<Self::Id>, Option<Timestamp>), StoreError>;
    /// Works on one piece, and writes down what became of it.
    fn attempt(&self, id: Self::Id) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Works until told to stop, then lets what was begun finish.
pub(super) async fn run<W: Work>(work: Arc<W>, shutdown: CancellationToken) {
    let begun: Arc<Mutex<HashSet<W::Id>>> = Arc::default();
    let mut attempts = JoinSet::new();
    while !shutdown.is_cancelled() {
        let woken = work.wake().notified();
        tokio::pin!(woken);
        woken.as_mut().enable();
        let rest = start_due(&work, &begun, &mut attempts);
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = &mut woken => {}
            () = tokio::time::sleep(rest) => {}
            Some(ended) = attempts.join_next() => report_panic::<W>(ended),
        }
    }
    while let Some(ended) = attempts.join_next().await {
        report_panic::<W>(ended);
    }
}

/// Starts what is due and free, and says how long to rest if nothing wakes the station.
fn start_due<W: Work>(work: &Arc<W>, begun: &Arc<Mutex<HashSet<W::Id>>>, attempts: &mut JoinSet<()>) -> Duration {
    let now = Timestamp::now();
    let at_once_max = work.at_once_max();
    // What ends while the store is asked may be among what it says is due, and is not any more: it is left for the next round, which its
    // end brings on.
    let before = begun.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let (due, next) = match work.due(now, at_once_max.saturating_mul(16)) {
        Ok(found) => found,
        Err(error) => {
            tracing::error!(%error, what = W::WHAT, "cannot see what is due; trying again");
            return Duration::from_secs(STORE_PAUSE_SECONDS);
        }
    };
    for id in due {
        let mut working = begun.lock().unwrap_or_else(PoisonError::into_inner);
        if working.len() >= at_once_max {
            break;
        }
        if before.contains(&id) || !working.insert(id) {
            continue;
        }
        let guard = Begun { begun: Arc::clone(begun), id };
        let work = Arc::clone(work);
        attempts.spawn(async move {
            if let Err(error) = work.attempt(id).await {
                tracing::error!(%id, %error, what = W::WHAT, "cannot write what became of it; trying again");
                tokio::time::sleep(Duration::from_secs(STORE_PAUSE_SECONDS)).await;
            }
            drop(guard);
        });
    }
    let (rest_min, rest_max) = (Duration::from_millis(REST_MILLISECONDS_MIN), Duration::from_secs(REST_SECONDS_MAX));
    next.and_then(|next| Duration::try_from(next.duration_since(now)).ok())
        .map_or(rest_max, |next| next.clamp(rest_min, rest_max))
}

/// Frees a piece of work for another attempt, also when the attempt panicked.
struct Begun<Id: Eq + Hash> {
    begun: Arc<Mutex<HashSet<Id>>>,
    id: Id,
}

impl<Id: Eq + Hash> Drop for Begun<Id> {
    fn drop(&mut self) {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

fn report_panic<W: Work>(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(what = W::WHAT, "a defect of loopline: an attempt broke off; it is tried again");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Its only piece of work is being worked on when it is asked what is due, and done when it answers.
    struct Ending {
        begun: Arc<Mutex<HashSet<u32>>>,
        wake: Notify,
    }

    impl Work for Ending {
        type Id = u32;
        const WHAT: &'static str = "piece";

        fn wake(&self) -> &Notify {
            &self.wake
        }

        fn at_once_max(&self) -> usize {
            4
        }

        fn due(&self, _now: Timestamp, _limit: usize) -> Result<(Vec<u32>, Option<Timestamp>), StoreError> {
            self.begun.lock().unwrap().remove(&7);
            Ok((vec![7], None))
        }

        async fn attempt(&self, _id: u32) -> Result<(), StoreError> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn what_ends_while_the_store_is_asked_is_not_begun_again_by_what_it_said_before() {
        let begun = Arc::new(Mutex::new(HashSet::from([7])));
        let work = Arc::new(Ending { begun: Arc::clone(&begun), wake: Notify::new() });
        let mut attempts = JoinSet::new();
        start_due(&work, &begun, &mut attempts);
        assert_eq!(attempts.len(), 0);
        start_due(&work, &begun, &mut attempts);
        assert_eq!(attempts.len(), 1, "the next round takes it, if it is due then");
    }
}
