//! HL7 over TLS, with `openssl s_client` on the other side: who is let in, who is not, and certificates that change.

use std::{
    fs,
    io::{Read, Write},
    path::PathBuf,
    process::{Command, Stdio},
    sync::mpsc,
};

use serde_json::Value;

use crate::{
    certificates::{Authority, fingerprint, self_signed},
    harness::{PATIENCE, Peer, Running, Site, field, framed, referral_message, wait_for},
    interop,
};

/// A site whose HL7 door speaks TLS, and the folder of its certificates.
struct TlsSite {
    site: Site,
    folder: PathBuf,
}

impl TlsSite {
    /// `ours` signed the engine's certificate and is what clients trust.
    fn new() -> (Self, Authority) {
        let site = Site::new();
        let folder = site.path("tls");
        let ours = Authority::new(&folder, "ours");
        ours.sign("server", "loopline.example");
        (Self { site, folder }, ours)
    }

    fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// Writes the channel, with more keys for its TLS table.
    fn channel(&self, more: &str) {
        let (certificate, key) = (self.file("server.pem"), self.file("server.key"));
        let text = format!(
            "[inbound.mllp]\nlisten = \"127.0.0.1:0\"\n[inbound.mllp.tls]\ncertificate_file = \"{certificate}\"\nkey_file = \"{key}\"\n{more}\n"
        );
        self.site.channel("hl7-in", &text);
    }

    fn start(&self, more: &str) -> Running {
        self.channel(more);
        self.site.start()
    }

    /// Sends a message by `openssl s_client` and gives the answer; none where there was no connection, or it was closed.
    fn send(&self, control_id: &str, arguments: &[&str]) -> Option<String> {
        self.converse(&self.site.mllp(), &[control_id], arguments).pop()
    }

    /// Sends messages by one `openssl s_client`, each once the one before it is answered, and gives the answers there were.
    fn converse(&self, address: &str, control_ids: &[&str], arguments: &[&str]) -> Vec<String> {
        let mut command = Command::new("openssl");
        command.args(["s_client", "-quiet", "-verify_return_error", "-CAfile", "ours.pem", "-connect", address]);
        command.args(arguments).current_dir(&self.folder).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut client = command.spawn().unwrap();
        let mut stdin = client.stdin.take().unwrap();
        let mut stdout = client.stdout.take().unwrap();
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            let (mut bytes, mut byte) = (Vec::new(), [0]);
            while stdout.read(&mut byte).is_ok_and(|read| read > 0) {
                bytes.push(byte[0]);
                if bytes.ends_with(b"\x1c\r") {
                    sender.send(String::from_utf8(std::mem::take(&mut bytes)).unwrap()).ok();
                }
            }
        });
        let mut answers = Vec::new();
        for control_id in control_ids {
            // A peer that was refused may be gone before it is written to.
            stdin.write_all(&framed(&referral_message(control_id, control_id, "Zebrano"))).ok();
            stdin.flush().ok();
            match receiver.recv_timeout(PATIENCE) {
                Ok(answer) => answers.push(answer),
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => panic!("openssl ends or the engine answers"),
            }
        }
        client.kill().ok();
        client.wait().unwrap();
        answers
    }

    fn is_served(&self, control_id: &str, arguments: &[&str]) -> bool {
        self.send(control_id, arguments).is_some_and(|answer| field(&answer, "MSA", 1) == "AA")
    }

    /// How often the door turned somebody away for this reason.
    fn turned_away(&self, why: &str) -> u64 {
        health(&self.site)["turned_away"]["hl7-in"][why].as_u64().unwrap_or_default()
    }
}

fn health(site: &Site) -> Value {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let data = site.path("data");
    let asked = loopline::engine::admin::ask(&data, &loopline::engine::admin::Request::Health);
    runtime.block_on(asked).expect("the engine answers")
}

fn client(file: &str) -> [String; 4] {
    ["-cert".to_owned(), format!("{file}.pem"), "-key".to_owned(), format!("{file}.key")]
}

impl TlsSite {
    fn is_client_served(&self, control_id: &str, file: &str) -> bool {
        let arguments = client(file);
        self.is_served(control_id, &arguments.each_ref().map(String::as_str))
    }
}

#[test]
fn without_a_client_authority_every_client_is_served_by_tls_1_2_and_1_3() {
    let (tls, _) = TlsSite::new();
    let _engine = tls.start("");
    assert!(tls.is_served("T1", &["-tls1_2"]));
    assert!(tls.is_served("T2", &["-tls1_3"]));
    assert!(tls.send("T3", &["-tls1_1"]).is_none(), "older versions are not spoken");
    assert_eq!(tls.site.messages().len(), 2);
}

#[test]
fn several_messages_on_one_connection_come_whole_however_it_cuts_them() {
    let (tls, _) = TlsSite::new();
    let _engine = tls.start("");
    let ids = ["C1", "C2", "C3", "C4"];
    let address = interop::proxy(&tls.site.mllp());
    for version in ["-tls1_2", "-tls1_3"] {
        let answers = tls.converse(&address, &ids, &[version]);
        let answered: Vec<(&str, &str)> =
            answers.iter().map(|answer| (field(answer, "MSA", 1), field(answer, "MSA", 2))).collect();
        assert_eq!(answered, ids.map(|id| ("AA", id)), "{version}");
    }
    assert_eq!(tls.site.referrals().len(), ids.len(), "the second time they are repeats");
}

#[test]
fn a_client_needs_a_valid_certificate_of_the_right_authority() {
    let (tls, _) = TlsSite::new();
    let theirs = Authority::new(&tls.folder, "theirs");
    let strangers = Authority::new(&tls.folder, "strangers");
    theirs.sign("good", "ehr.stmary.example");
    theirs.sign_until("old", "ehr.stmary.example", "20200102000000Z");
    strangers.sign("stranger", "ehr.stmary.example");
    let _engine = tls.start(&format!("client_ca_file = \"{}\"", tls.file("theirs.pem")));
    assert!(tls.is_client_served("T1", "good"));
    assert!(tls.send("T2", &[]).is_none(), "no certificate");
    assert!(!tls.is_client_served("T3", "stranger"));
    assert!(!tls.is_client_served("T4", "old"));
    assert!(wait_for(|| tls.turned_away("tls-handshake") == 3), "{}", health(&tls.site));
    let log = tls.site.log();
    assert_eq!(log.matches("no TLS connection was made").count(), 1, "a line a minute for one reason: {log}");
    assert!(log.contains("the peer showed no certificate, and one is required"), "{log}");
    assert_eq!(tls.site.messages().len(), 1, "nothing of the others was taken");
}

#[test]
fn clients_may_be_listed_by_name_or_fingerprint() {
    let (tls, _) = TlsSite::new();
    let theirs = Authority::new(&tls.folder, "theirs");
    theirs.sign("by-name", "EHR.StMary.example");
    theirs.sign("by-fingerprint", "somebody.example");
    theirs.sign("other", "other.example");
    let list = format!(
        "client_ca_file = \"{}\"\nclient_names = [\"ehr.stmary.example\"]\nclient_fingerprints = [\"{}\"]",
        tls.file("theirs.pem"),
        fingerprint(&tls.folder, "by-fingerprint")
    );
    let _engine = tls.start(&list);
    assert!(tls.is_client_served("T1", "by-name"));
    assert!(tls.is_client_served("T2", "by-fingerprint"));
    assert!(!tls.is_client_served("T3", "other"));
    let shown = fingerprint(&tls.folder, "other");
    assert!(wait_for(|| tls.site.log().contains(&shown)), "the log says which certificate to list: {}", tls.site.log());
}

#[test]
fn a_certificate_without_an_authority_is_taken_when_it_is_listed_itself() {
    let (tls, _) = TlsSite::new();
    self_signed(&tls.folder, "alone", "/CN=alone.example");
    self_signed(&tls.folder, "another", "/CN=alone.example");
    let list = format!("client_fingerprints = [\"{}\"]", fingerprint(&tls.folder, "alone").replace(':', "").to_lowercase());
    let _engine = tls.start(&list);
    assert!(tls.is_client_served("T1", "alone"));
    assert!(!tls.is_client_served("T2", "another"), "the same name is not the same certificate");
    assert!(tls.send("T3", &[]).is_none());
}

#[test]
fn what_is_no_tls_on_a_tls_port_is_closed_counted_and_logged_once() {
    let (tls, _) = TlsSite::new();
    let _engine = tls.start("");
    let message = framed(&referral_message("T1", "T1", "Zebrano"));
    for (bytes, why) in [(&message[..], "plain-on-tls-port"), (b"GET / HTTP/1.1\r\n\r\n", "http"), (b"\x00\x01scan", "no-mllp")] {
        for _ in 0..3 {
            let mut peer = Peer::connect(&tls.site.mllp());
            peer.write(bytes).unwrap();
            assert!(peer.read().is_err(), "closed without an answer");
        }
        assert!(wait_for(|| tls.turned_away(why) == 3), "{why}: {}", health(&tls.site));
        let log = tls.site.log();
        assert_eq!(log.matches(&format!("\"{why}\"")).count(), 1, "{log}");
    }
    drop(Peer::connect(&tls.site.mllp()));
    assert!(wait_for(|| tls.turned_away("nothing-sent") == 1), "a port scan: {}", health(&tls.site));
    assert!(tls.site.messages().is_empty());
}

#[test]
fn certificates_are_renewed_without_a_restart_and_a_wrong_one_leaves_the_old_in_use() {
    let (tls, ours) = TlsSite::new();
    let _engine = tls.start("");
    assert!(tls.is_served("T1", &["-verify_hostname", "localhost"]));

    let next = Authority::new(&tls.folder, "next");
    next.sign("server", "loopline.example");
    let mut number = 0;
    let mut is_served_by = |authority: &str| {
        number += 1;
        tls.is_served(&format!("N{number}"), &["-CAfile", authority])
    };
    assert!(wait_for(|| is_served_by("next.pem")), "{}", tls.site.log());

    fs::write(tls.folder.join("server.pem"), "half a certif").unwrap();
    let complaint = "the TLS certificates changed and cannot be used; the old ones stay in use";
    assert!(wait_for(|| {
        assert!(is_served_by("next.pem"), "the old one stays in use: {}", tls.site.log());
        tls.site.log().contains(complaint)
    }));
    assert!(tls.site.log().contains("server.pem holds no PEM certificate"), "{}", tls.site.log());

    ours.sign("server", "loopline.example");
    assert!(wait_for(|| is_served_by("ours.pem")), "{}", tls.site.log());
    assert_eq!(tls.site.log().matches("server.pem holds no PEM certificate").count(), 1, "said once");
}

#[test]
fn check_says_what_is_wrong_with_a_certificate_at_its_line() {
    let (tls, ours) = TlsSite::new();
    let check = || {
        let output = tls.site.command().arg("check").output().unwrap();
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    tls.channel("");
    assert_eq!(check(), (true, String::new()));

    let good = fs::read(tls.folder.join("server.key")).unwrap();
    for (key, expected) in [
        (None, "server.key is not there"),
        (Some("hello"), "server.key holds no PEM private key"),
        (Some("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"), "is an encrypted key"),
    ] {
        match key {
            Some(text) => fs::write(tls.folder.join("server.key"), text).unwrap(),
            None => fs::remove_file(tls.folder.join("server.key")).unwrap(),
        }
        let (ok, text) = check();
        assert!(!ok && text.contains("hl7-in.toml:5:12: inbound.mllp.tls.key_file: ") && text.contains(expected), "{text}");
    }
    ours.sign("other", "other.example");
    fs::copy(tls.folder.join("other.key"), tls.folder.join("server.key")).unwrap();
    let (ok, text) = check();
    assert!(!ok && text.contains("server.key is not the key of the certificate in"), "{text}");
    fs::write(tls.folder.join("server.key"), good).unwrap();

    tls.channel("client_names = [\"a.example\"]");
    let (ok, text) = check();
    assert!(!ok && text.contains("inbound.mllp.tls.client_names: needs client_ca_file"), "{text}");
    tls.channel("client_fingerprints = [\"abc\"]");
    let (ok, text) = check();
    assert!(!ok && text.contains("client_fingerprints.0: is no SHA-256 fingerprint"), "{text}");

    for (plaintext, expected) in [(false, true), (true, false)] {
        tls.channel("");
        let path = tls.site.path("channels/hl7-in.toml");
        let open = format!("listen = \"0.0.0.0:2575\"\nplaintext = {plaintext}");
        let text = fs::read_to_string(&path).unwrap().replace("listen = \"127.0.0.1:0\"", &open);
        fs::write(&path, text).unwrap();
        let (ok, text) = check();
        assert_eq!(ok, expected, "TLS is enough for other machines, and plaintext contradicts it: {text}");
    }

    ours.sign_until("server", "loopline.example", "20200102000000Z");
    tls.channel("");
    let (ok, text) = check();
    assert!(ok && text.contains("warning: ") && text.contains("server.pem expired on 2020-01-02 00:00 UTC"), "{text}");
}

#[test]
fn loopline_send_speaks_tls_and_shows_a_certificate() {
    let (tls, ours) = TlsSite::new();
    ours.sign("client", "sender.example");
    let _engine = tls.start(&format!("client_ca_file = \"{}\"", tls.file("ours.pem")));
    fs::write(tls.site.path("one.hl7"), referral_message("S1", "S1", "Zebrano")).unwrap();
    let send = |more: &[&str]| {
        let address = tls.site.mllp();
        let output = tls.site.command().args(["send", "one.hl7", "--to", &address]).args(more).output().unwrap();
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    };
    let (ok, text) = send(&["--tls-ca", "tls/ours.pem", "--tls-cert", "tls/client.pem", "--tls-key", "tls/client.key"]);
    assert!(ok && text.contains("MSA|AA|S1"), "{text}");
    let (ok, text) = send(&["--tls-ca", "tls/ours.pem"]);
    assert!(!ok && text.contains("alert: CertificateRequired"), "{text}");
    let (ok, text) = send(&["--tls-ca", "tls/client.pem"]);
    assert!(!ok && text.contains("signed by an authority that is not trusted here"), "{text}");
}

#[test]
fn what_is_handed_on_goes_over_tls_with_a_certificate_of_ours() {
    let (ehr, ours) = TlsSite::new();
    ours.sign("client", "loopline.example");
    let _ehr = ehr.start(&format!("client_ca_file = \"{}\"", ehr.file("ours.pem")));
    let port = ehr.site.mllp().rsplit_once(':').unwrap().1.to_owned();

    let site = Site::new();
    let out = |table: &str| {
        let text = format!(
            "[outbound.mllp]\nhost = \"localhost\"\nport = {port}\nreconnect_seconds = 1\n[outbound.mllp.tls]\n{table}\n"
        );
        site.channel("ehr-mllp", &text);
    };
    let (authority, certificate, key) = (ehr.file("ours.pem"), ehr.file("client.pem"), ehr.file("client.key"));
    out(&format!("ca_file = \"{authority}\"\ncertificate_file = \"{certificate}\""));
    let check = site.command().arg("check").output().unwrap();
    let text = String::from_utf8(check.stderr).unwrap();
    assert!(text.contains("outbound.mllp.tls.certificate_file: needs key_file"), "{text}");

    out(&format!("ca_file = \"{authority}\"\ncertificate_file = \"{certificate}\"\nkey_file = \"{key}\""));
    site.channel("hl7-in", "[inbound.mllp]\nlisten = \"127.0.0.1:0\"\n[[forward]]\nthrough = \"ehr-mllp\"\n");
    let _engine = site.start();
    let mut peer = Peer::connect(&site.mllp());
    assert_eq!(field(&peer.send(&referral_message("F1", "F1", "Zebrano")).unwrap(), "MSA", 1), "AA");
    assert!(wait_for(|| ehr.site.referrals().len() == 1), "{}\n{}", site.log(), ehr.site.log());
    assert!(wait_for(|| site.deliveries().iter().any(|delivery| delivery["state"] == "sent")), "{:#?}", site.deliveries());
}
