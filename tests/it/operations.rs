//! Starting, stopping, reloading; what an operator is told.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use crate::harness::{Peer, Running, Signal, Site, field, referral_message, wait_for};

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
fn a_lost_token_key_is_said_and_a_first_start_says_nothing() {
    let site = Site::new();
    let running = site.start();
    assert_eq!(field(&Peer::connect(&site.mllp()).send(&referral_message("M1", "P1", "Quill")).unwrap(), "MSA", 1), "AA");
    running.stop();
    assert!(!site.log().contains("token.key"), "{}", site.log());
    std::fs::remove_file(site.data("token.key")).unwrap();
    let _running = site.start();
    assert!(site.log().contains("token.key is gone"), "{}", site.log());
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
fn a_word_that_is_none_is_wrong_usage_and_told_with_those_there_are() {
    for arguments in [
        &["messages", "list", "--state", "bogus"][..],
        &["referrals", "list", "--status", "bogus"],
        &["deliveries", "list", "--state", "bogus"],
        &["referrals", "settle", "LL-0000-0000", "reply", "bogus"],
    ] {
        let output = Site::new().command().args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && said.contains("it is one of `"), "{arguments:?}: {said}");
    }
}

#[test]
fn a_reader_that_goes_away_ends_a_command_quietly() {
    let mut child =
        Site::new().command().args(["completions", "bash"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
    let output = Site::new().command().args(["completions", "bash"]).output().unwrap();
    let script = String::from_utf8(output.stdout).unwrap();
    assert!(script.contains("referrals") && !script.contains("reader-worker"));
}

#[test]
fn a_file_without_end_is_not_read_for_ever() {
    let output = Site::new().command().args(["try", "/dev/zero"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("/dev/zero has more than"));
}

#[test]
fn a_folder_that_cannot_be_used_is_opened_once_it_can_and_the_other_doors_are_open_meanwhile() {
    let site = Site::new();
    std::fs::create_dir_all(site.data("")).unwrap();
    for name in ["fax-in", "mail-in"] {
        std::fs::write(site.data(name), "not a folder").unwrap();
    }
    let _running = site.start();
    assert!(is_taken(&site, "M1"));
    for name in ["fax-in", "mail-in"] {
        std::fs::remove_file(site.data(name)).unwrap();
    }
    assert!(wait_for(|| site.data("fax-in/done").is_dir() && site.data("mail-in/new").is_dir()), "{}", site.log());
    site.drop_file("fax-in/x.pdf", b"%PDF-1.4\nnothing else\n");
    assert!(wait_for(|| site.messages().len() == 2), "{}", site.log());
}

#[test]
fn a_mail_that_cannot_be_written_keeps_its_attempts_and_goes_out_when_the_folder_is_mended() {
    let site = Site::new();
    std::fs::create_dir_all(site.data("")).unwrap();
    std::fs::write(site.data("mail-out"), "not a folder").unwrap();
    let running = site.start_with(&[("LOOPLINE_LIMITS_DELIVERY_ATTEMPTS_MAX", "1")]);
    assert!(is_taken(&site, "M1"));
    let waits = || site.deliveries().into_iter().find(|one| one["through"] == "email-out" && one["attempts"] == 1);
    assert!(wait_for(|| waits().is_some_and(|one| one["state"] == "queued")), "{:#?}", site.deliveries());
    let reason = waits().unwrap()["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("email-out is paused") && reason.contains("make it, or correct the path"), "{reason}");
    running.stop();
    std::fs::remove_file(site.data("mail-out")).unwrap();
    let _running = site.start();
    site.json(&["deliveries", "retry", waits().unwrap()["id"].as_str().unwrap(), "--json"]).unwrap();
    assert!(
        wait_for(|| site.deliveries().iter().any(|one| one["through"] == "email-out" && one["state"] == "sent")),
        "{}",
        site.log()
    );
}

/// An engine with its data folder on a disk of its own, in a world of mounts that only it sees, and how that folder is reached from here.
/// None: this machine does not let us.
fn on_a_small_disk(site: &Site) -> Option<(Running, PathBuf)> {
    std::fs::create_dir_all(site.data("")).unwrap();
    let script = format!(
        "mount -t tmpfs -o size=16m none {0} && exec {1} --data {0} --channels {2} --log json run",
        site.data("").display(),
        env!("CARGO_BIN_EXE_loopline"),
        site.path("channels").display()
    );
    let can = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "true"])
        .status()
        .is_ok_and(|status| status.success());
    if !can {
        return None;
    }
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", &script]);
    let log = std::fs::OpenOptions::new().create(true).append(true).open(site.path("log")).unwrap();
    command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    let child = command.spawn().unwrap();
    let seen = PathBuf::from(format!("/proc/{}/root{}", child.id(), site.data("").display()));
    let running = Running::of(child);
    assert!(wait_for(|| site.log().contains("listening for HL7")), "{}", site.log());
    Some((running, seen))
}

#[test]
fn a_full_disk_refuses_acknowledges_nothing_and_goes_on_once_there_is_room() {
    let site = Site::new();
    let Some((_running, data)) = on_a_small_disk(&site) else { return };
    let listening = site.log().lines().find(|line| line.contains("listening for HL7")).unwrap().to_owned();
    let address = serde_json::from_str::<serde_json::Value>(&listening).unwrap()["address"].as_str().unwrap().to_owned();
    let send = |id: &str| Peer::connect(&address).send(&referral_message(id, id, "Quillfeather")).unwrap();
    assert_eq!(field(&send("M1"), "MSA", 1), "AA");
    let filler = data.join("filler");
    let mut file = std::fs::File::create(&filler).unwrap();
    while std::io::Write::write_all(&mut file, &[0; 65_536]).is_ok() {}
    while std::io::Write::write_all(&mut file, &[0; 64]).is_ok() {}
    // The last page of the journal may have room for one message more, and what is on its way out may leave some: what is taken is kept.
    let mut taken = vec!["M1".to_owned()];
    let refused = loop {
        let id = format!("M{}", taken.len() + 1);
        let answer = send(&id);
        match field(&answer, "MSA", 1) {
            "AA" if taken.len() < 100 => taken.push(id),
            code => {
                assert_eq!(code, "AR", "{answer}");
                break id;
            }
        }
    };
    for _ in 0..20 {
        send("again");
    }
    assert!(site.log().matches("could not be written; nothing of it").count() <= 2, "it is said once");
    drop(file);
    std::fs::remove_file(&filler).unwrap();
    assert!(wait_for(|| field(&send(&refused), "MSA", 1) == "AA"), "{}", site.log());
    taken.push(refused);
    let listed = Command::new(env!("CARGO_BIN_EXE_loopline"))
        .arg("--data")
        .arg(&data)
        .args(["referrals", "list", "--json", "--limit", "0"])
        .output()
        .unwrap();
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert!(listed.as_array().unwrap().len() >= taken.len(), "{taken:?}: {listed:#}");
}

#[test]
fn a_channel_that_is_none_is_told_with_those_there_are() {
    let site = Site::new();
    let _running = site.start();
    let list = |channel: &str| site.command().args(["messages", "list", "--channel", channel]).output().unwrap();
    let none = list("hl7-im");
    let said = String::from_utf8_lossy(&none.stderr).into_owned();
    assert!(none.status.code() == Some(1) && said.contains("there is no inbound channel hl7-im; there are: "), "{said}");
    assert!(said.contains("hl7-in"), "{said}");
    assert!(list("hl7-in").status.success());
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

    // It opens by itself as soon as it can.
    let address = taken.local_addr().unwrap().to_string();
    drop(taken);
    assert!(wait_for(|| site.mllp() == address), "{}", site.log());
    assert!(wait_for(|| is_taken(&site, "M2")), "{}", site.log());
}

#[test]
fn an_admin_socket_that_somebody_removed_is_made_anew() {
    let site = Site::new();
    let _running = site.start();
    std::fs::remove_file(site.path("data/engine.sock")).unwrap();
    assert!(site.json(&["messages", "list", "--json"]).is_none());
    assert!(wait_for(|| site.json(&["messages", "list", "--json"]).is_some()), "{}", site.log());
    assert!(site.log().contains("the admin socket was gone"), "{}", site.log());
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
