//! The line to the peer: TCP, or TLS over it.

use std::{path::PathBuf, time::Duration};

use anyhow::Context;
use clap::Args;
use tokio::{net::TcpStream, time::timeout};

use crate::protocols::tls::{ClientTls, ClientTlsConfig, Line};

/// How long connecting may take.
const CONNECT_SECONDS_MAX: u64 = 10;

/// How the line is protected; any of these options makes it TLS.
#[derive(Args, Clone, Debug, Default)]
pub struct TlsArgs {
    /// Use TLS, with the certificate authorities of this machine
    #[arg(long)]
    pub tls: bool,
    /// Use TLS, with the certificate authorities of this PEM file
    #[arg(long, value_name = "FILE")]
    pub tls_ca: Option<PathBuf>,
    /// Our own certificate, where the peer wants one: PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Its private key: PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// The name in the peer's certificate, where it is not the host's
    #[arg(long, value_name = "NAME")]
    pub tls_name: Option<String>,
}

/// Where to send, and how to get there.
pub(super) struct Target {
    to: String,
    tls: Option<ClientTls>,
}

impl Target {
    /// # Errors
    /// A certificate file cannot be used.
    pub(super) fn new(to: &str, args: &TlsArgs) -> anyhow::Result<Self> {
        let wanted = args.tls || args.tls_ca.is_some() || args.tls_cert.is_some() || args.tls_name.is_some();
        let config = ClientTlsConfig {
            ca_file: args.tls_ca.clone(),
            certificate_file: args.tls_cert.clone(),
            key_file: args.tls_key.clone(),
            server_name: args.tls_name.clone(),
            handshake_seconds_max: CONNECT_SECONDS_MAX,
            ..ClientTlsConfig::default()
        };
        let tls = if wanted { Some(ClientTls::open(config).context("cannot use TLS")?.0) } else { None };
        Ok(Self { to: to.to_owned(), tls })
    }

    /// # Errors
    /// Nobody answers, or the two sides do not take each other's certificates.
    pub(super) async fn connect(&self) -> anyhow::Result<Box<dyn Line>> {
        let to = &self.to;
        let stream = timeout(Duration::from_secs(CONNECT_SECONDS_MAX), TcpStream::connect(to))
            .await
            .with_context(|| format!("cannot connect to {to}: no answer"))?
            .with_context(|| format!("cannot connect to {to}"))?;
        stream.set_nodelay(true).context("cannot set up the connection")?;
        let Some(tls) = &self.tls else { return Ok(Box::new(stream)) };
        let host = to.rsplit_once(':').map_or(to.as_str(), |(host, _)| host);
        Ok(Box::new(tls.connect(host, stream).await.with_context(|| format!("cannot make a TLS connection to {to}"))?))
    }
}
