//! The settings flags that every command has, and what else settings are read from.

use std::path::PathBuf;

use clap::Args;

/// Settings given on the command line. They win over the environment (`LOOPLINE_…`), which wins over `loopline.toml`.
#[derive(Args, Clone, Debug, Default)]
pub struct SettingsArgs {
    /// Data folder [default: data]
    #[arg(long, global = true, value_name = "FOLDER", help_heading = "Settings")]
    pub data: Option<PathBuf>,
    /// Channels folder [default: channels]
    #[arg(long, global = true, value_name = "FOLDER", help_heading = "Settings")]
    pub channels: Option<PathBuf>,
    /// Settings file [default: loopline.toml, where there is one]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Settings")]
    pub config: Option<PathBuf>,
    /// How log lines look: human or json [default: human]
    #[arg(long, global = true, value_name = "FORMAT", help_heading = "Settings")]
    pub log: Option<String>,
    /// Which log lines are written: `info`, `info,loopline=debug` [default: info]
    #[arg(long, global = true, value_name = "FILTER", help_heading = "Settings")]
    pub log_filter: Option<String>,
}

impl SettingsArgs {
    /// These flags, this process's environment, this working directory.
    #[must_use]
    pub fn sources(&self) -> SettingsSources {
        let text = |path: &PathBuf| path.to_string_lossy().into_owned();
        let flags = [
            ("data", self.data.as_ref().map(text)),
            ("channels", self.channels.as_ref().map(text)),
            ("log", self.log.clone()),
            ("log_filter", self.log_filter.clone()),
        ];
        SettingsSources {
            folder: PathBuf::new(),
            file: self.config.clone(),
            defaults_alone: false,
            environment: std::env::vars_os()
                .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
                .filter(|(name, _)| name.starts_with("LOOPLINE_"))
                .collect(),
            flags: flags.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect(),
        }
    }
}

/// Everything that settings are read from.
#[derive(Clone, Debug, Default)]
pub struct SettingsSources {
    /// What relative paths of the environment and the flags are relative to, and where `loopline.toml` is looked for; empty: the
    /// working directory.
    pub folder: PathBuf,
    /// The settings file; none: `loopline.toml`, where there is one.
    pub file: Option<PathBuf>,
    /// Not even that: the documented defaults alone.
    pub defaults_alone: bool,
    /// Environment variables that begin with `LOOPLINE_`.
    pub environment: Vec<(String, String)>,
    /// Flags: setting and value.
    pub flags: Vec<(String, String)>,
}
