//! Outbound channels that are themselves at fault (a server that is down, a folder that cannot be written), and until when they rest.
//!
//! It is told, never stored: after a restart each channel is tried at once. A person who tries a delivery again has mended what was wrong,
//! so that ends the rest of its channel.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;

use crate::ids::ChannelName;

/// The channels that rest.
#[derive(Clone, Default)]
pub(super) struct Pauses {
    until: Arc<Mutex<BTreeMap<ChannelName, Timestamp>>>,
}

impl Pauses {
    /// It failed, and rests until then.
    pub(super) fn begin(&self, channel: &ChannelName, until: Timestamp) {
        self.lock().insert(channel.clone(), until);
    }

    /// It is tried at once. False: it did not rest.
    pub(super) fn end(&self, channel: &ChannelName, now: Timestamp) -> bool {
        self.lock().remove(channel).is_some_and(|until| until > now)
    }

    /// The channels that rest now.
    pub(super) fn now(&self, now: Timestamp) -> Vec<ChannelName> {
        self.lock().iter().filter(|(_, until)| **until > now).map(|(channel, _)| channel.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ChannelName, Timestamp>> {
        self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
