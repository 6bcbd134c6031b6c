//! A watched folder of scanned faxes: PDF and TIFF.

use std::path::PathBuf;

use serde::Deserialize;

/// `[inbound.folder]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FolderConfig {
    /// The folder that faxes are dropped into; `done/`, `duplicate/` and `failed/` are made in it.
    pub path: PathBuf,
    /// A file is taken once its size and time have not changed for so long.
    #[serde(default = "defaults::stable_after_seconds")]
    pub stable_after_seconds: f64,
    /// How often the folder is read even when no file event comes (network shares send none).
    #[serde(default = "defaults::poll_seconds")]
    pub poll_seconds: f64,
    /// The largest file taken, in bytes.
    #[serde(default = "defaults::file_bytes_max")]
    pub file_bytes_max: u64,
}

mod defaults {
    pub(super) fn stable_after_seconds() -> f64 {
        2.0
    }
    pub(super) fn poll_seconds() -> f64 {
        5.0
    }
    pub(super) fn file_bytes_max() -> u64 {
        134_217_728
    }
}
