//! What is being read, and how far the reading of each document is, for whoever asks meanwhile. It is told, never stored: after a restart
//! it is read from its start.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{ids::MessageId, reader::Progress};

/// So many pages go by between two lines in the log.
const LOGGED_PAGES: u32 = 10;

/// The messages at hand, and the documents that are being read.
#[derive(Clone, Default)]
pub(super) struct Underway {
    read: Arc<Mutex<BTreeMap<MessageId, Progress>>>,
    at_hand: Arc<Mutex<BTreeSet<MessageId>>>,
}

/// A message at hand, until this is dropped.
#[must_use]
pub(super) struct AtHand {
    message: MessageId,
    at_hand: Arc<Mutex<BTreeSet<MessageId>>>,
}

impl Drop for AtHand {
    fn drop(&mut self) {
        self.at_hand.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.message);
    }
}

impl Underway {
    /// A message was claimed.
    pub(super) fn begin(&self, message: MessageId) -> AtHand {
        self.at_hand.lock().unwrap_or_else(PoisonError::into_inner).insert(message);
        AtHand { message, at_hand: Arc::clone(&self.at_hand) }
    }

    /// The messages that are claimed and not finished.
    pub(super) fn at_hand(&self) -> Vec<MessageId> {
        self.at_hand.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }

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
