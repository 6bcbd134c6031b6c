//! What a certificate says of itself: its fingerprint, its names, when it is valid.
//!
//! rustls checks signatures and chains and tells nothing else of a certificate; these few facts are read by x509-cert.

use std::time::{Duration, SystemTime};

use rustls::pki_types::CertificateDer;
use sha2::{Digest, Sha256};
use x509_cert::{
    Certificate,
    der::{
        Decode, Tag, Tagged,
        asn1::{Any, ObjectIdentifier},
    },
    ext::pkix::{SubjectAltName, name::GeneralName},
};

use super::Fingerprint;

const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");

/// When a certificate is valid, as seconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(super) struct Validity {
    pub(super) from: Duration,
    pub(super) to: Duration,
}

/// A certificate's own account of itself.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) validity: Validity,
    /// DNS names and URIs of its subject alternative name, and its common names.
    pub(super) names: Vec<String>,
}

/// SHA-256 of the whole certificate.
pub(super) fn fingerprint(certificate: &CertificateDer<'_>) -> Fingerprint {
    Fingerprint(Sha256::digest(certificate.as_ref()).into())
}

/// Reads a certificate; none: it cannot be read.
pub(super) fn facts(certificate: &CertificateDer<'_>) -> Option<Facts> {
    let read = Certificate::from_der(certificate.as_ref()).ok()?.tbs_certificate;
    let validity = Validity { from: read.validity.not_before.to_unix_duration(), to: read.validity.not_after.to_unix_duration() };
    let alternative = read.get::<SubjectAltName>().ok().flatten().map(|(_, names)| names.0).unwrap_or_default();
    let mut names: Vec<String> = alternative
        .iter()
        .filter_map(|name| match name {
            GeneralName::DnsName(text) | GeneralName::UniformResourceIdentifier(text) => Some(text.as_str().to_owned()),
            _ => None,
        })
        .collect();
    let attributes = read.subject.0.iter().flat_map(|relative| relative.0.iter());
    names.extend(attributes.filter(|attribute| attribute.oid == COMMON_NAME).filter_map(|attribute| text(&attribute.value)));
    Some(Facts { validity, names })
}

fn text(value: &Any) -> Option<String> {
    match value.tag() {
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String | Tag::TeletexString => {
            std::str::from_utf8(value.value()).ok().map(str::to_owned)
        }
        _ => None,
    }
}

/// The time of now as certificates have it.
pub(super) fn now() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}
