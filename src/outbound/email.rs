//! Mail out: by SMTP, or into a Maildir for a trial and for sites whose mail server takes it from there.
//!
//! # Design notes
//! lettre's own timeout covers only the connection, so a whole send has a time limit here; its pool does not limit how many mails are
//! under way, so a semaphore does. A mail goes to one recipient an envelope, so that a bad address fails nobody else's. Sending again
//! is safe: the Message-ID is fixed when the mail is composed, and in a Maildir the file name is the delivery's id.

use std::{net::IpAddr, path::PathBuf, sync::Arc, time::Duration};

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Tokio1Executor,
    address::{Address, Envelope},
    transport::smtp::{
        PoolConfig,
        authentication::Credentials,
        client::{Certificate, Tls, TlsParameters},
    },
};
use serde::Deserialize;
use tokio::sync::Semaphore;

use super::{Outbound, SendError, Sent, folder_trouble};
use crate::{
    delivery::{Content, Delivery},
    protocols::maildir::Maildir,
    store::Store,
};

/// `[outbound.email]`: exactly one of `maildir` and `smtp`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Deserialize)]
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

/// Why a mail connector cannot be made from its configuration.
#[derive(Debug, thiserror::Error)]
pub enum EmailSetupError {
    /// Both or neither of the two ways out.
    #[error("outbound.email needs exactly one of maildir and smtp")]
    OneWay,
    /// Mail in the clear to another machine.
    #[error(
        "outbound.email.smtp.security = \"none\" is only for this machine (localhost, 127.0.0.1, ::1): use \"tls\" or \"starttls\""
    )]
    Plaintext,
    /// A password without a user, or the reverse.
    #[error("outbound.email.smtp needs user and password_file together")]
    Login,
    /// A file that cannot be read.
    #[error("cannot read {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The certificate authority or the TLS settings.
    #[error("outbound.email.smtp: TLS cannot be set up")]
    Tls(#[source] lettre::transport::smtp::Error),
}

/// Sends mails.
#[derive(Clone)]
pub struct EmailOutbound {
    store: Option<Store>,
    transport: Transport,
    send_seconds_max: u64,
}

#[derive(Clone)]
enum Transport {
    Maildir(PathBuf),
    Smtp(Smtp),
}

#[derive(Clone)]
struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    under_way: Arc<Semaphore>,
}

impl EmailOutbound {
    /// A connector that takes the mails' bytes from a store. Nothing is connected yet, but a Tokio runtime must be there: lettre's pool
    /// starts its housekeeping at once.
    ///
    /// # Errors
    /// [`EmailSetupError`]: what is wrong with the configuration.
    pub fn new(config: &EmailConfig, store: Store) -> Result<Self, EmailSetupError> {
        Ok(Self { store: Some(store), ..Self::without_store(config)? })
    }

    /// A connector that sends only what it is handed by [`Self::send_bytes`].
    ///
    /// # Errors
    /// [`EmailSetupError`]: what is wrong with the configuration.
    pub fn without_store(config: &EmailConfig) -> Result<Self, EmailSetupError> {
        let transport = match (&config.maildir, &config.smtp) {
            (Some(folder), None) => Transport::Maildir(folder.clone()),
            (None, Some(smtp)) => Transport::Smtp(Smtp::new(smtp, config.send_seconds_max)?),
            (Some(_), Some(_)) | (None, None) => return Err(EmailSetupError::OneWay),
        };
        Ok(Self { store: None, transport, send_seconds_max: config.send_seconds_max.max(1) })
    }

    /// Sends one mail once. `name` is the delivery's id: the file name in a Maildir.
    ///
    /// # Errors
    /// [`SendError`], classed by what the next hop said.
    pub async fn send_bytes(&self, name: &str, to: &str, envelope_from: &str, mail: &[u8]) -> Result<Sent, SendError> {
        let limit = Duration::from_secs(self.send_seconds_max);
        match &self.transport {
            Transport::Maildir(folder) => write(folder.clone(), name.to_owned(), mail.to_vec()).await,
            Transport::Smtp(smtp) => {
                let envelope = envelope(to, envelope_from)?;
                let _under_way =
                    smtp.under_way.acquire().await.map_err(|_| SendError::Transient("the mail channel is closing".to_owned()))?;
                match tokio::time::timeout(limit, smtp.transport.send_raw(&envelope, mail)).await {
                    Ok(Ok(response)) => Ok(Sent::noted(format!("SMTP {}", response.code()))),
                    Ok(Err(error)) => Err(class(&error)),
                    Err(_) => Err(SendError::Ambiguous(format!(
                        "the mail server gave no answer within {} s; it may have taken the mail",
                        self.send_seconds_max
                    ))),
                }
            }
        }
    }
}

impl Outbound for EmailOutbound {
    async fn send(&self, delivery: &Delivery) -> Result<Sent, SendError> {
        let Some(Content::Email(mail)) = &delivery.content else {
            return Err(SendError::Permanent("a mail channel sends mails; this delivery is a fax".to_owned()));
        };
        let Some(store) = &self.store else {
            return Err(SendError::Channel("the mail channel has no store to take the mail from".to_owned()));
        };
        let bytes = match store.body(&mail.mail).await {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Err(SendError::Permanent("the composed mail is not in the store".to_owned())),
            Err(error) => return Err(SendError::Transient(format!("the composed mail cannot be read: {error}"))),
        };
        self.send_bytes(&delivery.id.to_string(), &mail.to, &mail.envelope_from, &bytes).await
    }
}

/// Addresses are of the configuration; one that is none fails for good, without being repeated in the message.
fn envelope(to: &str, from: &str) -> Result<Envelope, SendError> {
    let address = |text: &str, whose: &str| {
        text.parse::<Address>().map_err(|_| SendError::Permanent(format!("the {whose} is not a mail address")))
    };
    let (to, from) = (address(to, "recipient")?, address(from, "envelope sender")?);
    Envelope::new(Some(from), vec![to]).map_err(|_| SendError::Permanent("the mail has no recipient".to_owned()))
}

async fn write(folder: PathBuf, name: String, mail: Vec<u8>) -> Result<Sent, SendError> {
    let path = folder.clone();
    let written = tokio::task::spawn_blocking(move || Maildir::open(folder)?.deliver(&name, &mail)).await;
    match written {
        Ok(Ok(())) => Ok(Sent::noted("written to the Maildir")),
        // The same name overwrites, so that trying again is always safe.
        Ok(Err(error)) => Err(folder_trouble("Maildir", &path, &error)),
        Err(_) => Err(SendError::Transient("writing the mail was interrupted".to_owned())),
    }
}

/// The class of an SMTP failure. What the server wrote is left out: it repeats addresses.
fn class(error: &lettre::transport::smtp::Error) -> SendError {
    let Some(code) = error.status().map(u16::from) else {
        return if error.is_client() {
            SendError::Permanent("the mail cannot be sent as it is (it needs what the server does not offer)".to_owned())
        } else if error.is_timeout() {
            SendError::Ambiguous("the mail server gave no answer in time; it may have taken the mail".to_owned())
        } else if error.is_tls() {
            SendError::Channel(
                "the line to the mail server cannot be protected: check its certificate, ca_file and security".to_owned(),
            )
        } else {
            SendError::Transient("the mail server cannot be reached, or broke the line off".to_owned())
        };
    };
    match code {
        // A refused login or a demand for one is the channel's fault, not the mail's.
        530 | 534 | 535 | 538 => {
            SendError::Channel(format!("the mail server refused our login ({code}): check user and password_file"))
        }
        500..=599 => SendError::Permanent(format!("the mail server refused the mail for good ({code})")),
        _ => SendError::Transient(format!("the mail server cannot take the mail now ({code})")),
    }
}

impl Smtp {
    fn new(config: &SmtpConfig, send_seconds_max: u64) -> Result<Self, EmailSetupError> {
        let tls = match config.security {
            SmtpSecurity::Tls => Tls::Wrapper(tls(config)?),
            SmtpSecurity::Starttls => Tls::Required(tls(config)?),
            SmtpSecurity::None if is_loopback(&config.host) => Tls::None,
            SmtpSecurity::None => return Err(EmailSetupError::Plaintext),
        };
        let connections = config.connections_max.clamp(1, 100);
        let pool = PoolConfig::new().max_size(u32::try_from(connections).expect("at most 100"));
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(config.host.clone())
            .port(config.port)
            .tls(tls)
            .timeout(Some(Duration::from_secs(send_seconds_max.max(1))))
            .pool_config(pool);
        match (&config.user, &config.password_file) {
            (Some(user), Some(file)) => {
                let password =
                    std::fs::read_to_string(file).map_err(|source| EmailSetupError::File { path: file.clone(), source })?;
                let password = password.trim_end_matches(['\r', '\n']).to_owned();
                builder = builder.credentials(Credentials::new(user.clone(), password));
            }
            (None, None) => {}
            (Some(_), None) | (None, Some(_)) => return Err(EmailSetupError::Login),
        }
        Ok(Self { transport: builder.build(), under_way: Arc::new(Semaphore::new(connections)) })
    }
}

fn tls(config: &SmtpConfig) -> Result<TlsParameters, EmailSetupError> {
    let mut builder = TlsParameters::builder(config.host.clone());
    if let Some(file) = &config.ca_file {
        let pem = std::fs::read(file).map_err(|source| EmailSetupError::File { path: file.clone(), source })?;
        builder = builder.add_root_certificate(Certificate::from_pem(&pem).map_err(EmailSetupError::Tls)?);
    }
    builder.build_rustls().map_err(EmailSetupError::Tls)
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(toml: &str) -> EmailConfig {
        toml::from_str(toml).unwrap()
    }

    #[tokio::test]
    async fn a_mail_sent_twice_into_a_maildir_is_there_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        let outbound =
            EmailOutbound::without_store(&config(&format!("from = \"r@clinic.example\"\nmaildir = {path:?}"))).unwrap();
        for _ in 0..2 {
            outbound.send_bytes("01ABC", "desk@cardio.example", "r@clinic.example", b"Subject: x\r\n\r\ny").await.unwrap();
        }
        let listing = Maildir::open(&path).unwrap().list_new(10).unwrap();
        assert_eq!(listing.entries.iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>(), ["01ABC"]);
    }

    #[tokio::test]
    async fn mail_in_the_clear_goes_nowhere_but_to_this_machine() {
        let smtp = |host: &str| {
            let text = format!("from = \"r@clinic.example\"\n[smtp]\nhost = \"{host}\"\nport = 25\nsecurity = \"none\"");
            EmailOutbound::without_store(&config(&text)).err().map(|error| error.to_string())
        };
        assert_eq!(smtp("127.0.0.1"), None);
        assert!(smtp("mail.example.org").unwrap().contains("starttls"));
    }

    #[test]
    fn both_ways_out_or_none_are_refused() {
        assert!(matches!(EmailOutbound::without_store(&config("from = \"r@clinic.example\"")), Err(EmailSetupError::OneWay)));
    }
}
