//! What the writer and the readers share.

use std::{
    collections::HashSet,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use tokio::sync::Notify;

use super::{bodies::Bodies, index::Index, journal::JournalReader};
use crate::ids::DeliveryId;

pub(super) struct Shared {
    /// None while it is being opened again.
    pub(super) index: RwLock<Option<Index>>,
    /// It gave back something it should not have, or failed: to be opened again, or built again.
    pub(super) index_doubted: AtomicBool,
    /// The store was closed; nothing is asked any more.
    pub(super) closed: AtomicBool,
    pub(super) index_folder: PathBuf,
    pub(super) index_cache_bytes: u64,
    pub(super) journal: JournalReader,
    pub(super) bodies: Bodies,
    /// Messages that are being read, and will ask the writer for a transaction in some microseconds.
    pub(super) coming: AtomicUsize,
    pub(super) message_wake: Notify,
    pub(super) delivery_wake: Notify,
    /// In flight when the process before this one ended, and not written since.
    pub(super) interrupted: Mutex<HashSet<DeliveryId>>,
    /// Why it cannot write.
    pub(super) trouble: Mutex<Option<String>>,
}

/// A message on its way to the writer, counted until this is dropped. A batch waits a moment for those that are
/// (`writer.rs`), so that they share one `fdatasync`.
pub struct Coming(Arc<Shared>);

impl Coming {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        shared.coming.fetch_add(1, Ordering::Relaxed);
        Self(shared)
    }
}

impl Drop for Coming {
    fn drop(&mut self) {
        self.0.coming.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Shared {
    /// Why the journal cannot be written, and what a person does about it.
    pub(super) fn not_written(&self, error: &io::Error) -> String {
        let advice = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "make room on its disk",
            _ => "look at its disk, and whether the engine's user may write there",
        };
        format!("the data folder {} cannot be written: {error}: {advice}; then it goes on by itself", self.folder().display())
    }

    fn folder(&self) -> &Path {
        self.index_folder.parent().unwrap_or(&self.index_folder)
    }

    pub(super) fn set_trouble(&self, trouble: String) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(trouble);
    }

    /// What was wrong is over, if anything was. Whoever was told of the trouble is told that, too.
    pub(super) fn is_well_again(&self) {
        if self.trouble.lock().unwrap_or_else(PoisonError::into_inner).take().is_some() {
            tracing::info!("the store can write again: {}", self.folder().display());
        }
    }

    pub(super) fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn is_well(&self) -> bool {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    /// Whether a message is on its way to the writer.
    pub(super) fn is_awaiting(&self) -> bool {
        self.coming.load(Ordering::Relaxed) > 0
    }

    /// These deliveries were written by this process: nothing about them is left over from the one before.
    pub(super) fn settled(&self, deliveries: &[DeliveryId]) {
        let mut interrupted = self.interrupted.lock().unwrap_or_else(PoisonError::into_inner);
        if !interrupted.is_empty() {
            deliveries.iter().for_each(|id| {
                interrupted.remove(id);
            });
        }
    }
}
