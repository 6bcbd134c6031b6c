//! Canary names go through every door; none of them may be found in a log line, an error, a file name or a mail's headers.

use std::{fs, path::Path};

use crate::harness::{Peer, Site, referral_message, wait_for};

const CANARY: &str = "Zyxwomble";

fn walk(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        found.push(path.display().to_string());
        if path.is_dir() {
            walk(&path, found);
        }
    }
}

#[test]
fn no_canary_is_found_in_logs_errors_file_names_or_mail_headers() {
    let site = Site::new();
    let running = site.start_with(&[("LOOPLINE_LOG_FILTER", "trace")]);
    let mut peer = Peer::connect(&site.mllp());
    peer.send(&referral_message("M1", "P1", CANARY)).unwrap();
    let broken = referral_message("M2", "P2", CANARY).replace("PID|", "PIX|");
    peer.send(&broken).unwrap();
    let nonsense = referral_message("M3", "P3", CANARY).replace("19620214", CANARY).replace("P|R^Routine", CANARY);
    peer.send(&nonsense).unwrap();
    site.drop_file(&format!("fax-in/{CANARY}.pdf"), format!("%PDF-1.4 {CANARY}").as_bytes());
    site.drop_mail("m1", &format!("From: {CANARY} <a@elsewhere.example>\nTo: referrals@loopline.example\nSubject: about {CANARY}\nMessage-ID: <1@elsewhere.example>\n\nPatient: {CANARY}\nDOB: 01/02/1960\n"));
    assert!(
        wait_for(|| {
            let messages = site.messages();
            messages.len() == 5 && messages.iter().all(|message| message["state"] != "received")
        }),
        "{:#?}\n{}",
        site.messages(),
        site.log()
    );
    assert!(wait_for(|| !site.mails_out().is_empty()));
    for one in site.messages() {
        let listed = one["reason"].to_string() + &one["problems"].to_string();
        assert!(!listed.contains(CANARY), "{one:#}");
    }
    let unknown = site
        .command()
        .args(["referrals", "settle", "LL-0000-0000", "correct", &format!("patient.name.family={CANARY}")])
        .output()
        .unwrap();
    assert!(!String::from_utf8_lossy(&unknown.stderr).contains(CANARY));
    assert_eq!(running.stop(), Some(0));

    let log = site.log();
    assert!(log.contains("processed") || log.contains("stored"), "the log says what happened");
    let line = log.lines().find(|line| line.contains(CANARY));
    assert_eq!(line, None);
    for mail in site.mails_out() {
        let head = mail.split("\r\n\r\n").next().unwrap();
        assert!(!head.contains(CANARY), "{head}");
    }
    let mut names = Vec::new();
    walk(&site.path("data"), &mut names);
    // The folders that a practice drops files into keep the practice's own names.
    let ours = names.iter().filter(|name| !name.contains("/fax-in/")).find(|name| name.contains(CANARY));
    assert_eq!(ours, None);
}
