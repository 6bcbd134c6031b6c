//! Which certificates of peers are taken.
//!
//! An authority's signature says that a certificate is genuine; the list says that it is one of those meant. A certificate that is
//! listed by its fingerprint needs no authority, as it cannot be another: that is how hospitals with certificates of their own making
//! are let in, beside those that have an authority.

use std::sync::Arc;

use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::danger::{ClientCertVerified, ClientCertVerifier},
};

use super::{
    Fingerprint,
    facts::{facts, fingerprint},
};

/// How many of a refused certificate's names are shown.
const NAMES_SHOWN_MAX: usize = 8;

/// The certificates meant: one of these, or one with such a name; none named: all.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    pub(super) fingerprints: Vec<Fingerprint>,
    pub(super) names: Vec<String>,
    /// The configuration keys that name them, for the log.
    pub(super) keys: &'static str,
}

/// A genuine certificate that is not on the list.
#[derive(Debug, thiserror::Error)]
#[error("the certificate with SHA-256 fingerprint {fingerprint} and the names {names:?} is not listed in {keys}")]
struct NotListed {
    fingerprint: Fingerprint,
    names: Vec<String>,
    keys: &'static str,
}

impl Listed {
    /// For a certificate that is listed itself: it is valid now. None: it is not listed by its fingerprint.
    fn check_itself(&self, certificate: &CertificateDer<'_>, now: UnixTime) -> Option<Result<(), Error>> {
        self.fingerprints.contains(&fingerprint(certificate)).then(|| {
            let Some(facts) = facts(certificate) else { return Err(CertificateError::BadEncoding.into()) };
            if now.as_secs() < facts.validity.from.as_secs() {
                return Err(CertificateError::NotValidYet.into());
            }
            if now.as_secs() > facts.validity.to.as_secs() {
                return Err(CertificateError::Expired.into());
            }
            Ok(())
        })
    }

    /// For a certificate that an authority vouches for and that is not listed itself.
    fn check_names(&self, certificate: &CertificateDer<'_>) -> Result<(), Error> {
        if self.fingerprints.is_empty() && self.names.is_empty() {
            return Ok(());
        }
        let names = facts(certificate).map(|facts| facts.names).unwrap_or_default();
        let named = names.iter().any(|name| self.names.iter().any(|listed| listed.eq_ignore_ascii_case(name)));
        if named { Ok(()) } else { Err(self.not_listed(certificate)) }
    }

    /// Says which certificate it was, as the list would name it.
    fn not_listed(&self, certificate: &CertificateDer<'_>) -> Error {
        let names = facts(certificate).map(|facts| facts.names).unwrap_or_default();
        let names = names.into_iter().take(NAMES_SHOWN_MAX).collect();
        let not_listed = NotListed { fingerprint: fingerprint(certificate), names, keys: self.keys };
        Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(not_listed))))
    }
}

/// What a server takes of clients.
#[derive(Debug)]
pub(super) struct Clients {
    /// Checks the authority; none: the list alone decides.
    pub(super) authority: Option<Arc<dyn ClientCertVerifier>>,
    pub(super) listed: Listed,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
}

impl ClientCertVerifier for Clients {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.authority.as_ref().map_or(&[], |authority| authority.root_hint_subjects())
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        match (self.listed.check_itself(end_entity, now), &self.authority) {
            (Some(checked), _) => checked?,
            (None, Some(authority)) => {
                authority.verify_client_cert(end_entity, intermediates, now)?;
                self.listed.check_names(end_entity)?;
            }
            (None, None) => return Err(self.listed.not_listed(end_entity)),
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// What a client takes of servers.
#[derive(Debug)]
pub(super) struct Servers {
    /// Checks the authority and the name; none: the list alone decides.
    pub(super) authority: Option<Arc<dyn ServerCertVerifier>>,
    pub(super) listed: Listed,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Servers {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match (self.listed.check_itself(end_entity, now), &self.authority) {
            (Some(checked), _) => checked?,
            (None, Some(authority)) => {
                authority.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)?;
                self.listed.check_names(end_entity)?;
            }
            (None, None) => return Err(self.listed.not_listed(end_entity)),
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Why two sides do not take each other, in words that an interface analyst can act on.
pub(super) fn explain(error: &Error) -> String {
    match error {
        Error::NoCertificatesPresented => "the peer showed no certificate, and one is required".to_owned(),
        Error::InvalidCertificate(CertificateError::Other(other)) => match other.0.downcast_ref::<NotListed>() {
            Some(not_listed) => not_listed.to_string(),
            // webpki's own words are the names of its errors.
            None if other.to_string() == "CaUsedAsEndEntity" => {
                "the peer's certificate is an authority's own (CA:TRUE): it can only be listed by its fingerprint".to_owned()
            }
            None => format!("the peer's certificate cannot be used: {other}"),
        },
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "the peer's certificate was signed by an authority that is not trusted here".to_owned()
        }
        Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            "the peer's certificate has expired".to_owned()
        }
        Error::InvalidCertificate(CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. }) => {
            "the peer's certificate is not valid yet".to_owned()
        }
        Error::AlertReceived(alert) => format!("the peer refused us: TLS alert {alert:?}"),
        other => other.to_string(),
    }
}
