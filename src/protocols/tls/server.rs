//! The side that listens.

use std::{sync::Arc, time::Duration};

use rustls::{
    ServerConfig,
    server::{NoServerSessionStorage, WebPkiClientVerifier},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::{
    Finding, HandshakeError, Renewal, ServerTlsConfig,
    files::{Contents, NamedFile, Reloading},
    peers::{Clients, Listed},
    provider,
};

/// Takes TLS connections, with certificates that are read again when they change.
pub struct ServerTls {
    handshake_seconds_max: u64,
    made: Reloading<ServerConfig>,
}

impl ServerTls {
    /// Reads the files. What is worth knowing about usable ones (a certificate that ends soon) comes beside.
    ///
    /// # Errors
    /// The first file that cannot be used, and what to do.
    pub fn open(config: ServerTlsConfig) -> Result<(Self, Vec<Finding>), Finding> {
        if !config.client_names.is_empty() && config.client_ca_file.is_none() {
            return Err(Finding {
                key: "client_names",
                message: "needs client_ca_file".to_owned(),
                help: "name the authority: without one, anybody can make a certificate with such a name".to_owned(),
            });
        }
        let mut files =
            vec![NamedFile::new("certificate_file", &config.certificate_file), NamedFile::new("key_file", &config.key_file)];
        files.extend(config.client_ca_file.as_deref().map(|path| NamedFile::new("client_ca_file", path)));
        let handshake_seconds_max = config.handshake_seconds_max;
        let (made, findings) = Reloading::open(files, move |contents| make(&config, contents))?;
        Ok((Self { handshake_seconds_max, made }, findings))
    }

    /// Looks whether the files changed, at most once a second; to be called before a handshake. Connections that are open go on.
    pub async fn renew(&self) -> Option<Renewal> {
        self.made.renew().await
    }

    /// How long a handshake may take.
    #[must_use]
    pub fn handshake_time_max(&self) -> Duration {
        Duration::from_secs(self.handshake_seconds_max)
    }

    /// The handshake with a client that has connected.
    ///
    /// # Errors
    /// [`HandshakeError`]; the connection is closed.
    pub async fn accept<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) -> Result<TlsStream<S>, HandshakeError> {
        let handshake = TlsAcceptor::from(self.made.current()).accept(stream);
        match timeout(self.handshake_time_max(), handshake).await {
            Ok(done) => done.map_err(HandshakeError::of),
            Err(_) => Err(HandshakeError::TooSlow(self.handshake_seconds_max)),
        }
    }
}

fn make(config: &ServerTlsConfig, contents: &Contents) -> Result<(ServerConfig, Vec<Finding>), Finding> {
    let certificates = contents.certificates("certificate_file")?;
    let findings = contents.expiry("certificate_file", &certificates);
    let key = contents.key("key_file")?;
    let provider = provider();
    let authority = match &config.client_ca_file {
        Some(_) => {
            let roots = contents.authorities("client_ca_file")?;
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider)).build();
            Some(verifier.map_err(|error| Finding {
                key: "client_ca_file",
                message: format!("cannot be used: {error}"),
                help: "it must hold the certificates of the clients' authorities".to_owned(),
            })?)
        }
        None => None,
    };
    let versions = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("ring speaks TLS 1.2 and 1.3");
    let wanted = authority.is_some() || !config.client_fingerprints.is_empty();
    let clients = if wanted {
        let algorithms = provider.signature_verification_algorithms;
        let listed = Listed {
            fingerprints: config.client_fingerprints.clone(),
            names: config.client_names.clone(),
            keys: "client_fingerprints or client_names",
        };
        versions.with_client_cert_verifier(Arc::new(Clients { authority, listed, algorithms }))
    } else {
        versions.with_no_client_auth()
    };
    let mut made =
        clients.with_single_cert(certificates, key).map_err(|error| contents.mismatch("certificate_file", "key_file", &error))?;
    made.session_storage = Arc::new(NoServerSessionStorage {});
    made.send_tls13_tickets = 0;
    Ok((made, findings))
}
