//! The `[….tls]` tables: rules within one, and whether the files that it names can be used.
//!
//! # Design notes
//! `loopline check` opens nothing else that a channel names. Certificates are the exception: a wrong one is found when a hospital cannot
//! connect, at night, and every reason for it can be told before.

use std::path::Path;

use serde::de::DeserializeOwned;

use super::{
    document::{Document, Node},
    keys::{CLIENT_TLS, Key, SERVER_TLS, Shape},
    mistake::{Mistake, Place},
    walk::plain,
};
use crate::protocols::tls::{ClientTls, ClientTlsConfig, Finding, ServerTls, ServerTlsConfig};

const INBOUND: [&str; 3] = ["inbound", "mllp", "tls"];
const OUTBOUND: [&str; 3] = ["outbound", "mllp", "tls"];

/// Checks the TLS table of a channel file, if it has one. A table that is wrong otherwise is reported there.
pub(super) fn check(document: &Document, data: &Path, mistakes: &mut Vec<Mistake>) {
    if let Some(node) = document.root.get(&INBOUND) {
        pairs(document, node, &INBOUND, &["client_names", "client_ca_file"], mistakes);
        if let Some(config) = typed::<ServerTlsConfig>(node, SERVER_TLS, data)
            && let Err(finding) = ServerTls::open(config)
        {
            mistakes.push(mistake(document, node, &INBOUND, finding));
        }
    }
    if let Some(node) = document.root.get(&OUTBOUND) {
        pairs(document, node, &OUTBOUND, &["certificate_file", "key_file"], mistakes);
        pairs(document, node, &OUTBOUND, &["key_file", "certificate_file"], mistakes);
        if let Some(config) = typed::<ClientTlsConfig>(node, CLIENT_TLS, data)
            && let Err(finding) = ClientTls::open(config)
        {
            mistakes.push(mistake(document, node, &OUTBOUND, finding));
        }
    }
}

/// What should be known of the certificates of a channel file that can be used: they end soon.
pub(super) fn warnings(document: &Document, data: &Path) -> Vec<Mistake> {
    let inbound = document.root.get(&INBOUND).map(|node| {
        let opened = typed::<ServerTlsConfig>(node, SERVER_TLS, data).and_then(|config| ServerTls::open(config).ok());
        (node, INBOUND, opened.map(|(_, findings)| findings).unwrap_or_default())
    });
    let outbound = document.root.get(&OUTBOUND).map(|node| {
        let opened = typed::<ClientTlsConfig>(node, CLIENT_TLS, data).and_then(|config| ClientTls::open(config).ok());
        (node, OUTBOUND, opened.map(|(_, findings)| findings).unwrap_or_default())
    });
    let all = inbound.into_iter().chain(outbound);
    all.flat_map(|(node, table, findings)| findings.into_iter().map(move |finding| mistake(document, node, &table, finding)))
        .collect()
}

/// The first key means nothing without the second.
fn pairs(document: &Document, node: &Node, table: &[&str], keys: &[&str; 2], mistakes: &mut Vec<Mistake>) {
    let [first, second] = *keys;
    if let Some(given) = node.get(&[first]).filter(|_| node.get(&[second]).is_none())
        && !(given.items().is_empty() && given.as_text().is_none())
    {
        let key = format!("{}.{first}", table.join("."));
        let help = format!("add {second} = \"…\" beside it");
        mistakes.push(Mistake::new(document.place(&given.span), key, format!("needs {second}"), help));
    }
}

fn typed<T: DeserializeOwned>(node: &Node, keys: &'static [Key], data: &Path) -> Option<T> {
    T::deserialize(plain(Some(&Shape::Table(keys)), node, data)).ok()
}

fn mistake(document: &Document, node: &Node, table: &[&str], finding: Finding) -> Mistake {
    let place = node.get(&[finding.key]).map_or_else(|| Place::whole(&document.path), |node| document.place(&node.span));
    Mistake::new(place, format!("{}.{}", table.join("."), finding.key), finding.message, finding.help)
}
