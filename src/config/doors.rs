//! Rules within one channel file: exactly one way in or out, nothing in the clear by accident, no key that its door ignores.

use std::net::{IpAddr, SocketAddr};

use super::{
    document::{Document, Node},
    mistake::{Mistake, Place},
};

/// Checks one channel file.
pub(super) fn check(document: &Document, mistakes: &mut Vec<Mistake>) {
    let mut rules = Rules { document, mistakes };
    rules.one_way();
    if document.root.get(&["inbound", "mllp"]).is_some() {
        rules.mllp();
    } else if document.root.get(&["inbound"]).is_some() {
        rules.no_hl7_keys();
    }
    if document.root.get(&["outbound", "email"]).is_some() {
        rules.email();
    }
    if document.root.get(&["outbound", "mllp"]).is_some() {
        rules.mllp_out();
    }
    rules.senders();
}

struct Rules<'a> {
    document: &'a Document,
    mistakes: &'a mut Vec<Mistake>,
}

impl Rules<'_> {
    fn has(&self, path: &[&str]) -> bool {
        self.document.root.get(path).is_some()
    }

    fn is_true(&self, path: &[&str]) -> bool {
        self.document.root.get(path).is_some_and(Node::is_true)
    }

    fn place(&self, path: &[&str]) -> Place {
        self.document.root.get(path).map_or_else(|| Place::whole(&self.document.path), |node| self.document.place(&node.span))
    }

    fn complain(&mut self, at: &[&str], message: &str, help: &str) {
        let place = self.place(at);
        self.mistakes.push(Mistake::new(place, at.join("."), message, help));
    }

    fn one_way(&mut self) {
        match (self.has(&["inbound"]), self.has(&["outbound"])) {
            (true, true) => self.complain(
                &["outbound"],
                "stands beside [inbound]: a channel is one or the other",
                "make a second file for the outbound channel",
            ),
            (false, false) => self.complain(
                &[],
                "has neither [inbound.…] nor [outbound.…]",
                "one of [inbound.mllp], [inbound.folder], [inbound.mailbox], [outbound.email], [outbound.fax], [outbound.mllp]",
            ),
            (false, true) => {
                for table in ["acknowledge", "route", "forward", "documents"] {
                    if self.has(&[table]) {
                        self.complain(
                            &[table],
                            "has no meaning for an outbound channel",
                            "it belongs to the inbound channel's file",
                        );
                    }
                }
            }
            (true, false) => {}
        }
    }

    fn mllp(&mut self) {
        let listen = ["inbound", "mllp", "listen"];
        let address = self.document.text(&listen).and_then(|(text, _)| text.parse::<SocketAddr>().ok());
        let is_plaintext = self.is_true(&["inbound", "mllp", "plaintext"]);
        let is_tls = self.has(&["inbound", "mllp", "tls"]);
        if address.is_some_and(|address| !address.ip().is_loopback()) && !is_plaintext && !is_tls {
            self.complain(
                &listen,
                "other machines can reach this address, and patient data would cross the network in the clear",
                "add [inbound.mllp.tls], listen on 127.0.0.1, or say plaintext = true where the network itself is encrypted",
            );
        }
        if is_plaintext && is_tls {
            self.complain(
                &["inbound", "mllp", "plaintext"],
                "says in the clear, and [inbound.mllp.tls] says encrypted",
                "remove one of the two",
            );
        }
        if self.has(&["documents"]) {
            self.complain(&["documents"], "has no meaning for an HL7 channel: it takes no faxes", "remove it");
        }
        if self.has(&["acknowledge", "to"]) {
            self.complain(
                &["acknowledge", "to"],
                "has no meaning for an HL7 channel: its senders are named by their own messages",
                "remove it",
            );
        }
        let through = self.has(&["acknowledge", "through"]);
        let says_status = self.is_true(&["acknowledge", "status"]);
        if says_status && !through {
            self.complain(
                &["acknowledge", "status"],
                "needs a way to the sender: the status is told on a connection of our own",
                "add through = \"…\" beside it: a channel with [outbound.mllp]",
            );
        }
        let enhanced = self.document.text(&["acknowledge", "mode"]).is_none_or(|(mode, _)| mode != "original");
        if through && !enhanced && !says_status {
            self.complain(
                &["acknowledge", "through"],
                "is never used: in original mode each message is answered on its own connection",
                "mode = \"auto\" or \"enhanced\" lets the application acknowledgement follow later; or remove it",
            );
        }
    }

    fn no_hl7_keys(&mut self) {
        for key in ["mode", "positive", "processing_ids", "status"] {
            if self.has(&["acknowledge", key]) {
                self.complain(&["acknowledge", key], "has a meaning only for [inbound.mllp]", "remove it");
            }
        }
        if self.has(&["acknowledge", "to"]) && !self.has(&["acknowledge", "through"]) {
            self.complain(&["acknowledge", "to"], "needs the outbound channel to go through", "add through = \"…\" beside it");
        }
    }

    /// Who may send is written as the door knows its senders.
    fn senders(&mut self) {
        let items = self.document.root.get(&["acknowledge", "senders"]).map(|node| node.items()).unwrap_or_default();
        let wrong = |text: &str| {
            if self.has(&["inbound", "mllp"]) {
                let parts: Vec<&str> = text.split('|').map(str::trim).collect();
                match parts.as_slice() {
                    ["*", "*"] => {
                        Some(("names everyone", "name who may send, or leave the list empty: then nobody's answers count"))
                    }
                    [_, _] => None,
                    _ => Some(("is no HL7 sender", "write MSH-3 and MSH-4 with a bar between: \"EPIC|ST MARY\"; * is any")),
                }
            } else if self.has(&["inbound", "mailbox"]) {
                text.parse::<lettre::Address>()
                    .is_err()
                    .then_some(("is no mail sender", "write the address alone: \"office@clinic.example\""))
            } else {
                Some(("has no meaning here: a folder does not know who sent a file", "remove it"))
            }
        };
        let mut found = Vec::new();
        for (index, item) in items.iter().enumerate() {
            if let Some((message, help)) = item.as_text().and_then(wrong) {
                let key = format!("acknowledge.senders.{index}");
                found.push(Mistake::new(self.document.place(&item.span), key, message, help));
            }
        }
        self.mistakes.extend(found);
    }

    fn mllp_out(&mut self) {
        let host = self.document.text(&["outbound", "mllp", "host"]).map(|(text, _)| text);
        let is_loopback = host.is_none_or(is_loopback);
        let is_plaintext = self.is_true(&["outbound", "mllp", "plaintext"]);
        let is_tls = self.has(&["outbound", "mllp", "tls"]);
        if !is_loopback && !is_plaintext && !is_tls {
            self.complain(
                &["outbound", "mllp", "host"],
                "patient data would cross the network to it in the clear",
                "add [outbound.mllp.tls], send to 127.0.0.1, or say plaintext = true where the network itself is encrypted",
            );
        }
        if is_plaintext && is_tls {
            self.complain(
                &["outbound", "mllp", "plaintext"],
                "says in the clear, and [outbound.mllp.tls] says encrypted",
                "remove one of the two",
            );
        }
    }

    fn email(&mut self) {
        let (maildir, smtp) = (self.has(&["outbound", "email", "maildir"]), self.has(&["outbound", "email", "smtp"]));
        if maildir == smtp {
            let message = if maildir { "has both maildir and smtp" } else { "has neither maildir nor smtp" };
            self.complain(
                &["outbound", "email"],
                message,
                "exactly one: maildir = \"mail-out\" writes mails to a folder, [outbound.email.smtp] hands them to a server",
            );
        }
        let text = |key| self.document.text(&["outbound", "email", "smtp", key]).map(|(text, _)| text);
        let is_loopback = text("host").is_none_or(is_loopback);
        let in_the_clear = text("security") == Some("none");
        if in_the_clear && !is_loopback {
            self.complain(
                &["outbound", "email", "smtp", "security"],
                "mail to another machine would cross the network in the clear",
                "\"tls\" or \"starttls\"; \"none\" is for a server on this machine (localhost)",
            );
        }
        let (user, password) =
            (self.has(&["outbound", "email", "smtp", "user"]), self.has(&["outbound", "email", "smtp", "password_file"]));
        if user != password {
            let key = if user { "user" } else { "password_file" };
            self.complain(&["outbound", "email", "smtp", key], "user and password_file go together", "give both, or none");
        }
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
