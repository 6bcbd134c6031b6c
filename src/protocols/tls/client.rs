//! The side that connects.

use std::{sync::Arc, time::Duration};

use rustls::{
    ClientConfig, RootCertStore,
    client::{Resumption, WebPkiServerVerifier, danger::ServerCertVerifier},
    pki_types::ServerName,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{
    ClientTlsConfig, Finding, HandshakeError, Renewal,
    files::{Contents, NamedFile, Reloading},
    peers::{Listed, Servers},
    provider,
};

/// Makes TLS connections, with certificates that are read again when they change.
pub struct ClientTls {
    server_name: Option<String>,
    handshake_seconds_max: u64,
    made: Reloading<ClientConfig>,
}

impl ClientTls {
    /// Reads the files. What is worth knowing about usable ones (a certificate that ends soon) comes beside.
    ///
    /// # Errors
    /// The first file that cannot be used, and what to do.
    pub fn open(config: ClientTlsConfig) -> Result<(Self, Vec<Finding>), Finding> {
        let alone = match (&config.certificate_file, &config.key_file) {
            (Some(_), None) => Some(("certificate_file", "key_file")),
            (None, Some(_)) => Some(("key_file", "certificate_file")),
            (Some(_), Some(_)) | (None, None) => None,
        };
        if let Some((key, missing)) = alone {
            let help = format!("a certificate and its key go together: add {missing}");
            return Err(Finding { key, message: format!("needs {missing}"), help });
        }
        let named =
            [("ca_file", &config.ca_file), ("certificate_file", &config.certificate_file), ("key_file", &config.key_file)];
        let files = named.into_iter().filter_map(|(key, path)| path.as_deref().map(|path| NamedFile::new(key, path))).collect();
        let (server_name, handshake_seconds_max) = (config.server_name.clone(), config.handshake_seconds_max);
        let (made, findings) = Reloading::open(files, move |contents| make(&config, contents))?;
        Ok((Self { server_name, handshake_seconds_max, made }, findings))
    }

    /// Looks whether the files changed, at most once a second; to be called before a handshake. Connections that are open go on.
    pub async fn renew(&self) -> Option<Renewal> {
        self.made.renew().await
    }

    /// The handshake over a connection that was made to `host`: a name or an address, without the port.
    ///
    /// # Errors
    /// [`HandshakeError`]; the connection is closed.
    pub async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        host: &str,
        stream: S,
    ) -> Result<TlsStream<S>, HandshakeError> {
        let name = self.server_name.as_deref().unwrap_or(host);
        let name = ServerName::try_from(name.trim_matches(['[', ']']).to_owned()).map_err(|_| {
            HandshakeError::Refused(format!("\"{name}\" is no name that a certificate can have: set server_name"))
        })?;
        let handshake = TlsConnector::from(self.made.current()).connect(name, stream);
        match timeout(Duration::from_secs(self.handshake_seconds_max), handshake).await {
            Ok(done) => done.map_err(HandshakeError::of),
            Err(_) => Err(HandshakeError::TooSlow(self.handshake_seconds_max)),
        }
    }
}

fn make(config: &ClientTlsConfig, contents: &Contents) -> Result<(ClientConfig, Vec<Finding>), Finding> {
    let provider = provider();
    let listed = Listed { fingerprints: config.server_fingerprints.clone(), names: Vec::new(), keys: "server_fingerprints" };
    let roots = match (&config.ca_file, listed.fingerprints.is_empty()) {
        (Some(_), _) => Some(contents.authorities("ca_file")?),
        (None, true) => Some(system_authorities()?),
        (None, false) => None,
    };
    let authority = match roots {
        Some(roots) => {
            let verifier = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider)).build();
            let verifier: Arc<dyn ServerCertVerifier> = verifier.map_err(|error| Finding {
                key: "ca_file",
                message: format!("cannot be used: {error}"),
                help: "it must hold the certificate of the server's authority".to_owned(),
            })?;
            Some(verifier)
        }
        None => None,
    };
    let algorithms = provider.signature_verification_algorithms;
    let versions = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("ring speaks TLS 1.2 and 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Servers { authority, listed, algorithms }));
    let (mut made, findings) = if config.certificate_file.is_some() {
        let certificates = contents.certificates("certificate_file")?;
        let findings = contents.expiry("certificate_file", &certificates);
        let made = versions
            .with_client_auth_cert(certificates, contents.key("key_file")?)
            .map_err(|error| contents.mismatch("certificate_file", "key_file", &error))?;
        (made, findings)
    } else {
        (versions.with_no_client_auth(), Vec::new())
    };
    made.resumption = Resumption::disabled();
    Ok((made, findings))
}

/// The authorities that this machine trusts.
fn system_authorities() -> Result<Arc<RootCertStore>, Finding> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(Finding {
            key: "ca_file",
            message: "is not given, and this machine has no list of authorities".to_owned(),
            help: "name the PEM file of the server's authority, or install the package ca-certificates".to_owned(),
        });
    }
    Ok(Arc::new(roots))
}
