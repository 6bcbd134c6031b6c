//! Starting, stopping, reloading; what an operator is told.

use std::process::Command;

use crate::harness::{Peer, Signal, Site, field, referral_message, wait_for};

#[test]
fn sigterm_drains_and_exits_0() {
    let site = Site::new();
    let running = site.start();
    let mut peer = Peer::connect(&site.mllp());
    assert_eq!(field(&peer.send(&referral_message("M1", "P1", "Quill")).unwrap(), "MSA", 1), "AA");
    assert_eq!(running.stop(), Some(0), "{}", site.log());
    let _running = site.start();
    assert_eq!(site.referrals().len(), 1);
}

#[test]
fn sighup_puts_a_checked_configuration_in_force_and_refuses_one_with_mistakes() {
    let site = Site::new();
    let running = site.start();
    site.channel("email-out", "[outbound.email]\nform = \"x@loopline.example\"\nmaildir = \"mail-out\"\n");
    running.signal(Signal::HUP);
    assert!(wait_for(|| site.log().contains("the configuration has mistakes")), "{}", site.log());
    assert_eq!(field(&Peer::connect(&site.mllp()).send(&referral_message("M1", "P1", "Quill")).unwrap(), "MSA", 1), "AA");

    site.channel("email-out", "[outbound.email]\nfrom = \"other@loopline.example\"\nmaildir = \"mail-out\"\n");
    running.signal(Signal::HUP);
    assert!(wait_for(|| site.log().contains("the new configuration is in force")), "{}", site.log());
    assert!(wait_for(|| !site.mails_out().is_empty()));
    Peer::connect(&site.mllp()).send(&referral_message("M2", "P2", "Quall")).unwrap();
    assert!(wait_for(|| site.mails_out().iter().any(|mail| mail.contains("other@loopline.example"))), "{}", site.log());
}

#[test]
fn a_json_log_line_says_nothing_under_the_same_name_twice() {
    let site = Site::new();
    let running = site.start();
    Peer::connect(&site.mllp()).send(&referral_message("M1", "P1", "Quill")).unwrap();
    site.drop_file("fax-in/a.pdf", b"%PDF-1.4\nnothing else\n");
    assert!(wait_for(|| site.log().contains("it cannot be read; a person must look")), "{}", site.log());
    assert_eq!(running.stop(), Some(0));
    let log = site.log();
    assert!(log.contains("\"message_id\":"), "{log}");
    let twice = log.lines().find(|line| line.matches("\"message\":").count() != 1);
    assert_eq!(twice, None);
}

#[test]
fn a_send_without_a_port_is_wrong_usage() {
    for to in ["localhost", "localhost:", ":2575", "localhost:0", "localhost:99999"] {
        let output = Site::new().command().args(["send", "x.hl7", "--to", to]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{to}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("such as 127.0.0.1:2575"), "{to}");
    }
}

#[test]
fn a_send_over_no_connection_is_wrong_usage() {
    let output = Site::new().command().args(["send", "x.hl7", "--to", "localhost:2575", "--connections", "0"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("1..=4096"));
}

#[test]
fn sighup_says_which_settings_wait_for_a_restart() {
    let site = Site::new();
    let running = site.start();
    std::fs::write(site.path("loopline.toml"), "[limits]\nreader_workers = 3\ndelivery_attempts_max = 3\n").unwrap();
    running.signal(Signal::HUP);
    assert!(wait_for(|| site.log().contains("the new configuration is in force")), "{}", site.log());
    let log = site.log();
    let told = log.lines().find(|line| line.contains("started anew")).expect("it is said");
    assert!(told.contains("limits.reader_workers") && !told.contains("delivery_attempts_max"), "{told}");
}

#[test]
fn what_the_engine_writes_is_for_nobody_outside_its_group() {
    use std::os::unix::fs::MetadataExt;
    let site = Site::new();
    let _running = site.start();
    site.drop_file("fax-in/a.pdf", b"%PDF-1.4\nnothing else\n%%EOF\n");
    std::fs::create_dir(site.data("fax-in/2026-11")).unwrap();
    assert!(wait_for(|| site.log().contains("folders or links among the files")), "{}", site.log());
    let mut folders = vec![site.data("journal"), site.data("bodies"), site.data("index")];
    folders.retain(|folder| folder.exists());
    assert!(!folders.is_empty());
    for folder in folders {
        assert_eq!(std::fs::metadata(&folder).unwrap().mode() & 0o007, 0, "{}", folder.display());
        for file in crate::harness::files(&folder) {
            assert_eq!(std::fs::metadata(&file).unwrap().mode() & 0o007, 0, "{}", file.display());
        }
    }
}

#[test]
fn a_fax_is_exported_as_a_searchable_pdf_for_its_owner_alone() {
    use std::os::unix::fs::MetadataExt;
    let site = Site::new();
    let _running = site.start();
    let sample = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/fax-inbox/briar-cover-and-grid.tif");
    let fax = std::fs::read(sample).unwrap();
    site.drop_file("fax-in/a.tif", &fax);
    assert!(wait_for(|| site.messages().iter().any(|message| message["state"] != "received")), "{}", site.log());
    let id = site.messages()[0]["id"].as_str().unwrap().to_owned();
    let export = |arguments: &[&str]| site.command().args(["messages", "export", &id]).args(arguments).output().unwrap();

    assert_eq!(export(&[]).stdout, fax, "without --pdf the bytes as they arrived");
    let pdf = site.path("a.pdf");
    let made = export(&["--pdf", "--output", pdf.to_str().unwrap()]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    assert_eq!(std::fs::metadata(&pdf).unwrap().mode() & 0o777, 0o600);
    let text = std::process::Command::new("pdftotext").arg(&pdf).arg("-").output().unwrap();
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(text.contains("REFERRAL") || text.contains("Referral"), "{text}");

    let again = export(&["--pdf", "--output", pdf.to_str().unwrap()]);
    assert_eq!(again.status.code(), Some(1), "what is there is not written over");
    Peer::connect(&site.mllp()).send(&referral_message("M1", "P1", "Quill")).unwrap();
    let hl7 = site.messages().into_iter().find(|message| message["channel"] == "hl7-in").unwrap();
    let none = site.command().args(["messages", "export", hl7["id"].as_str().unwrap(), "--pdf"]).output().unwrap();
    assert_eq!(none.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&none.stderr).contains("brought no scanned document"));
}

/// Whether a message is taken; a door that is just being closed hangs up.
fn is_taken(site: &Site, control_id: &str) -> bool {
    let sent = Peer::try_connect(&site.mllp()).and_then(|mut peer| peer.send(&referral_message(control_id, control_id, "Quill")));
    sent.is_ok_and(|answer| field(&answer, "MSA", 1) == "AA")
}

#[test]
fn a_door_that_cannot_be_opened_anew_stays_as_it_was() {
    let site = Site::new();
    let running = site.start();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let text = std::fs::read_to_string(site.path("channels/hl7-in.toml")).unwrap();
    site.channel("hl7-in", &text.replace("127.0.0.1:0", &taken.local_addr().unwrap().to_string()));
    running.signal(Signal::HUP);
    assert!(wait_for(|| site.log().contains("it stays open as it was before")), "{}", site.log());
    assert!(wait_for(|| is_taken(&site, "M1")), "{}", site.log());

    drop(taken);
    running.signal(Signal::HUP);
    assert!(wait_for(|| site.log().contains("the new configuration is in force")), "{}", site.log());
    assert!(wait_for(|| is_taken(&site, "M2")), "{}", site.log());
}

#[test]
fn a_second_engine_on_the_same_folder_is_told_so() {
    let site = Site::new();
    let _running = site.start();
    let second = site.command().arg("run").output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains("in use by another engine"), "{said}");
}

#[test]
fn a_listing_without_an_engine_says_how_to_start_one() {
    let site = Site::new();
    let asked = site.command().args(["referrals", "list"]).output().unwrap();
    assert_eq!(asked.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&asked.stderr).contains("loopline run"));
}

#[test]
fn mistakes_in_the_configuration_are_all_told_at_once_and_exit_78() {
    let site = Site::new();
    site.channel("hl7-in", "[inbound.mllp]\nlistn = \"127.0.0.1:0\"\n");
    site.channel("fax-out", "[outbound.fax]\npath = 5\nreturn_number = \"+15035550100\"\n");
    std::fs::create_dir(site.path("channels/old.toml")).unwrap();
    for command in [vec!["check"], vec!["run"]] {
        let output: std::process::Output = Command::output(site.command().args(&command)).unwrap();
        assert_eq!(output.status.code(), Some(78), "{command:?}");
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(said.contains("hl7-in.toml:2") && said.contains("fax-out.toml:2") && said.contains("listen"), "{said}");
        assert!(said.contains("old.toml") && said.contains("is no file"), "{said}");
    }
}

#[test]
fn a_peer_that_speaks_http_is_closed_and_the_next_hl7_peer_is_served() {
    let site = Site::new();
    let _running = site.start();
    let mut stranger = Peer::connect(&site.mllp());
    stranger.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    assert!(stranger.read().is_err());
    assert_eq!(field(&Peer::connect(&site.mllp()).send(&referral_message("M1", "P1", "Quill")).unwrap(), "MSA", 1), "AA");
}
