//! Configuration: `channels/*.toml` and the engine's settings, checked whole before anything starts.
//!
//! ```text
//! SettingsArgs ─▶ SettingsSources ─▶ settings.rs   defaults, loopline.toml, LOOPLINE_…, flags: the later wins
//! channels/*.toml ───▶ document.rs ─▶ walk.rs      every key against keys.rs: unknown, missing, of the wrong type, out of range
//!                                     resolve.rs   what only several keys or files together show: names, ports, folders
//!                                     profiles.rs  mapping.rs   what differs per sender, and where senders put things
//!                                     channels.rs  no mistake anywhere: the typed configuration
//! ```
//!
//! # Design notes
//! A file is parsed into a tree that remembers where each value stands, and that tree is checked against a description of the known keys.
//! Deserializing directly would stop at the first mistake of each file; people fix configuration faster from the whole list.
//!
//! Relative paths in channel files are relative to the *data folder*, so that a channel file works on every machine as it is. Paths in
//! `loopline.toml` are relative to that file, paths in the environment and in flags to the working directory.

mod args;
mod channels;
mod checks;
mod document;
mod doors;
mod effective;
mod forms;
mod keys;
mod labels;
mod mapping;
mod mistake;
mod model;
mod profiles;
mod resolve;
mod settings;
mod tls;
mod walk;

#[cfg(test)]
mod tests;

pub(crate) use channels::is_channel_name;
pub(crate) use walk::nearest;

pub use args::{SettingsArgs, SettingsSources};
pub use effective::{Effective, EffectiveEntry};
pub use mistake::{ConfigErrors, Mistake, Place};
pub use model::{
    Acknowledge, AcknowledgeMode, Config, Directory, DirectoryEntry, Documents, InboundChannel, Limits, LogFormat,
    PositiveAnswer, Route, RouteBy, RouteTarget, Settings,
};

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use crate::{ids::ChannelName, inbound::InboundConfig, normalize::fax::Labels, outbound::OutboundConfig};

impl Settings {
    /// The engine's settings alone, for commands that need no channels.
    ///
    /// # Errors
    /// Every mistake of the settings file, the environment and the flags.
    pub fn load(sources: &SettingsSources) -> Result<Self, ConfigErrors> {
        let (loaded, mistakes) = settings::load(sources);
        ConfigErrors::none_of(mistakes).map(|()| loaded.settings)
    }
}

impl Config {
    /// Reads and checks the settings and every channel file.
    ///
    /// # Errors
    /// Every mistake of all files at once.
    pub fn load(sources: &SettingsSources) -> Result<Self, ConfigErrors> {
        Self::load_with_origins(sources).map(|(config, _)| config)
    }

    /// The same, and where each value came from.
    ///
    /// # Errors
    /// Every mistake of all files at once.
    pub fn load_with_origins(sources: &SettingsSources) -> Result<(Self, Effective), ConfigErrors> {
        let (loaded, mut mistakes) = settings::load(sources);
        let channels = channels::load(&loaded, &mut mistakes);
        ConfigErrors::none_of(mistakes)?;
        let channels::Loaded { inbound, outbound, directory, labels, forms, entries: channel_entries, warnings } =
            channels.expect("channels are there when there was no mistake");
        let mut entries = loaded.entries;
        entries.extend(channel_entries);
        Ok((Self { settings: loaded.settings, inbound, outbound, directory, labels, forms }, Effective { entries, warnings }))
    }

    /// The channel that messages come through: an inbound one, or an outbound MLLP channel on whose connection the other side said more than
    /// that it took what was sent.
    #[must_use]
    pub fn channel_of(&self, name: &ChannelName) -> Option<Cow<'_, InboundChannel>> {
        if let Some(channel) = self.inbound.get(name) {
            return Some(Cow::Borrowed(channel));
        }
        let Some(OutboundConfig::Mllp(mllp)) = self.outbound.get(name) else { return None };
        let acknowledge = Acknowledge { processing_ids: vec![mllp.processing_id.clone()], ..Acknowledge::default() };
        Some(Cow::Owned(InboundChannel {
            name: name.clone(),
            inbound: InboundConfig::Answers,
            acknowledge,
            route: Route::default(),
            forward: Vec::new(),
            documents: Documents::default(),
            profiles: Arc::default(),
        }))
    }

    /// What to say of an inbound channel that there is none of.
    #[must_use]
    pub fn no_inbound_channel(&self, name: &ChannelName) -> String {
        let known: Vec<&str> = self.inbound.keys().map(ChannelName::as_str).collect();
        format!("there is no inbound channel {name}; there are: {}", known.join(", "))
    }

    /// That there is no such outbound channel, and which there are.
    #[must_use]
    pub fn no_outbound_channel(&self, name: &ChannelName) -> String {
        let known: Vec<&str> = self.outbound.keys().map(ChannelName::as_str).collect();
        format!("there is no outbound channel {name}; there are: {}", known.join(", "))
    }

    /// The documented defaults without any channel, for what needs no channels folder.
    #[must_use]
    pub fn defaults() -> Self {
        let (loaded, mistakes) = settings::load(&SettingsSources { defaults_alone: true, ..SettingsSources::default() });
        debug_assert!(mistakes.is_empty(), "the defaults are right");
        Self {
            settings: loaded.settings,
            inbound: BTreeMap::new(),
            outbound: BTreeMap::new(),
            directory: Directory::default(),
            labels: Labels::shipped(),
            forms: Arc::default(),
        }
    }
}
