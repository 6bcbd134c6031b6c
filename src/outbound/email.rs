//! Mail out: by SMTP, or into a Maildir for a trial and for sites whose mail server takes it from there.

use std::path::PathBuf;

use serde::Deserialize;

/// `[outbound.email]`: exactly one of `maildir` and `smtp`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmailConfig {
    /// Who it is from, and where replies go: `referrals@clinic.example`; the token is put behind a plus sign.
    pub from: String,
    /// The name beside the address.
    #[serde(default)]
    pub from_name: Option<String>,
    /// Mails are written here.
    #[serde(default)]
    pub maildir: Option<PathBuf>,
    /// Mails are handed to this server.
    #[serde(default)]
    pub smtp: Option<SmtpConfig>,
    /// Reply-To carries the token as `local+TOKEN@domain`; false where the mail server knows no plus addresses (the token is still in
    /// the subject and the Message-ID).
    #[serde(default = "defaults::plus_address")]
    pub plus_address: bool,
    /// How long one send may take, all in.
    #[serde(default = "defaults::send_seconds_max")]
    pub send_seconds_max: u64,
}

/// `[outbound.email.smtp]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmtpConfig {
    /// Host name.
    pub host: String,
    /// Port.
    pub port: u16,
    /// `tls` (from the first byte), `starttls` (required), `none` (loopback only).
    pub security: SmtpSecurity,
    /// User name, where the server wants one.
    #[serde(default)]
    pub user: Option<String>,
    /// A file that holds the password.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// A file with the certificate authority to trust beside the system's, PEM.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// The most mails on the way at once.
    #[serde(default = "defaults::connections_max")]
    pub connections_max: usize,
}

/// How the line to the mail server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SmtpSecurity {
    /// TLS from the first byte.
    Tls,
    /// STARTTLS, required.
    Starttls,
    /// None; refused off loopback.
    None,
}

mod defaults {
    pub(super) fn plus_address() -> bool {
        true
    }
    pub(super) fn send_seconds_max() -> u64 {
        60
    }
    pub(super) fn connections_max() -> usize {
        4
    }
}
