//! File events: they make the next look come sooner, and tell which files were moved into place. Where none come, nothing is missed.

use std::{
    collections::HashSet,
    ffi::{OsStr, OsString},
    path::Path,
    sync::{Arc, Mutex},
};

use notify::{
    EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode, ModifyKind, RenameMode},
};
use tokio::sync::Notify;

/// The most names of moved files that are remembered between two looks; the rest wait for the delay like any other file.
const RENAMED_MAX: usize = 10_000;

/// The events of one folder.
pub(super) struct Events {
    /// Kept for its thread; none where the system gives no events.
    _watcher: Option<RecommendedWatcher>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    wake: Notify,
    renamed: Mutex<HashSet<OsString>>,
}

impl Events {
    /// Events from the system, as far as it gives any: the error says why it does not.
    pub(super) fn of(folder: &Path) -> (Self, Option<notify::Error>) {
        let shared = Arc::new(Shared::default());
        let in_thread = Arc::clone(&shared);
        let watcher = notify::recommended_watcher(move |event| in_thread.handle(event)).and_then(|mut watcher| {
            watcher.watch(folder, RecursiveMode::NonRecursive)?;
            Ok(watcher)
        });
        match watcher {
            Ok(watcher) => (Self { _watcher: Some(watcher), shared }, None),
            Err(error) => (Self { _watcher: None, shared }, Some(error)),
        }
    }

    /// No events at all, as on a network share.
    #[cfg(test)]
    pub(super) fn none() -> Self {
        Self { _watcher: None, shared: Arc::default() }
    }

    /// Waits for one.
    pub(super) async fn next(&self) {
        self.shared.wake.notified().await;
    }

    /// The files that were moved into place since the last call.
    pub(super) fn take_renamed(&self) -> HashSet<OsString> {
        std::mem::take(&mut *self.shared.renamed.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

impl Shared {
    fn handle(&self, event: notify::Result<notify::Event>) {
        // An error (a full queue, say) may hide anything: look.
        let Ok(event) = event else { return self.wake.notify_one() };
        match event.kind {
            EventKind::Modify(ModifyKind::Name(RenameMode::To)) => {
                let mut renamed = self.renamed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                let names = event.paths.iter().filter_map(|path| path.file_name()).map(OsStr::to_owned);
                let room = RENAMED_MAX.saturating_sub(renamed.len());
                renamed.extend(names.take(room));
                drop(renamed);
                self.wake.notify_one();
            }
            EventKind::Create(_) | EventKind::Access(AccessKind::Close(AccessMode::Write)) => self.wake.notify_one(),
            // Each write of a slow writer, and our own moves: no reason to look.
            EventKind::Modify(_) | EventKind::Remove(_) | EventKind::Access(_) | EventKind::Any | EventKind::Other => {}
        }
    }
}
