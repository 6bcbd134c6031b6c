//! The `[….tls]` tables: whether what they say and the files that they name can be used.
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

/// A TLS table that is written rightly: where it stands, and what reading its files gave.
struct Opened<'a> {
    document: &'a Document,
    node: &'a Node,
    table: [&'static str; 3],
    result: Result<Vec<Finding>, Finding>,
}

/// What is wrong with the files of a channel's TLS table. A table that is wrong otherwise is reported there.
pub(super) fn check(document: &Document, data: &Path, mistakes: &mut Vec<Mistake>) {
    for opened in opened(document, data) {
        mistakes.extend(opened.result.as_ref().err().map(|finding| opened.mistake(finding)));
    }
}

/// What should be known of certificates that can be used: they end soon.
pub(super) fn warnings(document: &Document, data: &Path) -> Vec<Mistake> {
    let opened = opened(document, data).into_iter();
    opened.flat_map(|opened| opened.result.iter().flatten().map(|finding| opened.mistake(finding)).collect::<Vec<_>>()).collect()
}

fn opened<'a>(document: &'a Document, data: &Path) -> Vec<Opened<'a>> {
    let server = document.root.get(&INBOUND).and_then(|node| {
        let config = typed::<ServerTlsConfig>(node, SERVER_TLS, data)?;
        Some(Opened { document, node, table: INBOUND, result: ServerTls::open(config).map(|(_, findings)| findings) })
    });
    let client = document.root.get(&OUTBOUND).and_then(|node| {
        let config = typed::<ClientTlsConfig>(node, CLIENT_TLS, data)?;
        Some(Opened { document, node, table: OUTBOUND, result: ClientTls::open(config).map(|(_, findings)| findings) })
    });
    server.into_iter().chain(client).collect()
}

impl Opened<'_> {
    fn mistake(&self, finding: &Finding) -> Mistake {
        let document = self.document;
        let named = self.node.get(&[finding.key]);
        let place = named.map_or_else(|| Place::whole(&document.path), |node| document.place(&node.span));
        Mistake::new(place, format!("{}.{}", self.table.join("."), finding.key), finding.message.clone(), finding.help.clone())
    }
}

fn typed<T: DeserializeOwned>(node: &Node, keys: &'static [Key], data: &Path) -> Option<T> {
    T::deserialize(plain(Some(&Shape::Table(keys)), node, data)).ok()
}
