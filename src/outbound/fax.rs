//! Faxes out: a folder that a fax server takes `NAME.pdf` and `NAME.json` from.

use std::path::PathBuf;

use serde::Deserialize;

/// `[outbound.fax]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaxConfig {
    /// The fax server's pick-up folder.
    pub path: PathBuf,
    /// The number specialists fax the cover page back to; printed on it.
    pub return_number: String,
}
