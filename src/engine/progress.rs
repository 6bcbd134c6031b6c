//! How far the reading of each document is, for whoever asks meanwhile. It is told, never stored: after a restart it is read from its start.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{ids::MessageId, reader::Progress};

/// So many pages go by between two lines in the log.
const LOGGED_PAGES: u32 = 10;

/// The documents that are being read.
#[derive(Clone, Default)]
pub(super) struct Underway {
    read: Arc<Mutex<BTreeMap<MessageId, Progress>>>,
}

impl Underway {
    /// A page more was read.
    pub(super) fn tell(&self, message: MessageId, progress: Progress) {
        let Progress { page, pages } = progress;
        if page % LOGGED_PAGES == 0 && page < pages {
            tracing::info!(message_id = %message, page, pages, "reading a long document");
        }
        self.lock().insert(message, progress);
    }

    /// How far it is; none: it is not being read, or its first page is.
    pub(super) fn of(&self, message: MessageId) -> Option<Progress> {
        self.lock().get(&message).copied()
    }

    /// It is read, or given up.
    pub(super) fn end(&self, message: MessageId) {
        self.lock().remove(&message);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<MessageId, Progress>> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
