//! TLS for a connection, as server and as client: certificates from files, read again when they change; peers known by certificate
//! authority, by name or by fingerprint. TLS 1.2 and 1.3 by rustls, with ring.
//!
//! ```text
//! ServerTlsConfig ─▶ ServerTls::open ─▶ renew() before a handshake ─▶ accept(stream)
//! ClientTlsConfig ─▶ ClientTls::open ─▶ renew() before a handshake ─▶ connect(host, stream)
//!
//! files.rs  PEM files: what is in them, what is wrong with them, have they changed      facts.rs  what a certificate says
//! peers.rs  which certificates of peers are taken                                       server.rs  client.rs
//! ```
//!
//! Both give a stream that reads and writes like the one underneath, so a protocol above is written once for both.
//!
//! # Design notes
//! Certificates are renewed by programs that know nothing of us (certbot, an operating system's agent), every few weeks, without a
//! restart. So the files are looked at before handshakes, at most once a second, by content: a timestamp can stay the same over a
//! change. A pair that does not fit, as it is between the writing of two files, keeps the old one in use.
//!
//! Sessions are never resumed: each connection shows its certificate, so one that was taken off the list is out at once.

mod client;
mod facts;
mod files;
mod peers;
mod server;

use std::{fmt, path::PathBuf, str::FromStr};

use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite};

pub use client::ClientTls;
pub use server::ServerTls;

/// Bytes both ways: a TCP connection, or a TLS one. For what is written once for both and cannot be generic.
pub trait Line: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Line for T {}

/// `[….tls]` of what listens.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerTlsConfig {
    /// Our certificate, and the ones between it and its authority: PEM.
    pub certificate_file: PathBuf,
    /// The certificate's private key: PEM, not encrypted.
    pub key_file: PathBuf,
    /// The authorities whose clients are taken: PEM. Absent: clients need no certificate, unless `client_fingerprints` names some.
    #[serde(default)]
    pub client_ca_file: Option<PathBuf>,
    /// Only clients with one of these certificates, which need no authority (or `client_names`); empty: all that an authority vouches for.
    #[serde(default)]
    pub client_fingerprints: Vec<Fingerprint>,
    /// Only clients whose certificate has one of these names: DNS name, URI or common name.
    #[serde(default)]
    pub client_names: Vec<String>,
    /// How long a handshake may take, in seconds.
    #[serde(default = "handshake_seconds_max")]
    pub handshake_seconds_max: u64,
}

/// `[….tls]` of what connects.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientTlsConfig {
    /// The authorities that may vouch for the server: PEM. Absent: those of the operating system, unless `server_fingerprints` names the
    /// certificate itself.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// The name in the server's certificate; absent: the host connected to.
    #[serde(default)]
    pub server_name: Option<String>,
    /// Only servers with one of these certificates, which need no authority.
    #[serde(default)]
    pub server_fingerprints: Vec<Fingerprint>,
    /// Our certificate, where the server wants one: PEM.
    #[serde(default)]
    pub certificate_file: Option<PathBuf>,
    /// Its private key: PEM, not encrypted.
    #[serde(default)]
    pub key_file: Option<PathBuf>,
    /// How long a handshake may take, in seconds.
    #[serde(default = "handshake_seconds_max")]
    pub handshake_seconds_max: u64,
}

fn handshake_seconds_max() -> u64 {
    10
}

/// SHA-256 of a whole certificate, as `openssl x509 -noout -fingerprint -sha256` prints it: `9F:86:D0:…`.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Fingerprint([u8; 32]);

impl FromStr for Fingerprint {
    type Err = &'static str;

    /// 64 hexadecimal digits, in any case, with or without colons.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits: String = text.trim().chars().filter(|c| *c != ':').collect::<String>().to_ascii_uppercase();
        let bytes = data_encoding::HEXUPPER.decode(digits.as_bytes()).map_err(|_| "not hexadecimal")?;
        bytes.try_into().map(Self).map_err(|_| "not 32 bytes, as SHA-256 has")
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            let colon = if at == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02X}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Something about one of the files, for the person who put it there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The configuration key that names the file: `certificate_file`.
    pub key: &'static str,
    /// What it is, file included.
    pub message: String,
    /// What to do.
    pub help: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.key, self.message, self.help)
    }
}

impl std::error::Error for Finding {}

/// What a look at the files found, when they had changed since the last one.
#[derive(Debug)]
pub enum Renewal {
    /// The new ones are in use; there may be something to say about them.
    Renewed(Vec<Finding>),
    /// They cannot be used: the old ones stay in use.
    Kept(Finding),
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// It took too long.
    #[error("the TLS handshake took longer than {0} seconds")]
    TooSlow(u64),
    /// What the peer sent is no TLS.
    #[error("the peer does not speak TLS")]
    NoTls,
    /// The two sides do not take each other: a certificate, a version.
    #[error("{0}")]
    Refused(String),
    /// The connection ended.
    #[error("the connection broke during the TLS handshake: {0}")]
    Broke(std::io::Error),
}

impl HandshakeError {
    fn of(error: std::io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(rustls::Error::InvalidMessage(_)) => Self::NoTls,
            Some(refused) => Self::Refused(peers::explain(refused)),
            None => Self::Broke(error),
        }
    }
}

fn provider() -> std::sync::Arc<rustls::crypto::CryptoProvider> {
    std::sync::Arc::new(rustls::crypto::ring::default_provider())
}

#[cfg(test)]
mod tests;
