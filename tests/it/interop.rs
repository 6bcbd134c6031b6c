//! Programs that nobody here wrote, talking to the engine: PyPI's hl7 and hl7apy, npm's @medplum/hl7, node-hl7-client and
//! node-hl7-server. `tests/interop/install.sh` puts them into `target/interop`; `deploy/test.sh` calls it.
//!
//! Each is tried as it is, and through a proxy that cuts what goes over the wire into odd pieces.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

use serde_json::Value;

use crate::harness::{Site, field, referral_message};

/// Where the programs are.
fn installed() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/interop");
    assert!(
        folder.join("installed").exists(),
        "other people's HL7 programs are not installed: run tests/interop/install.sh once"
    );
    folder
}

/// One of the programs, to be run with arguments.
fn program(name: &str) -> Command {
    let folder = installed();
    let interpreter = if Path::new(name).extension().is_some_and(|extension| extension == "py") { "python" } else { "node" };
    let mut command = Command::new(folder.join("venv/bin").join(interpreter));
    command.arg(folder.join(name)).current_dir(folder);
    command
}

/// Which way a proxy cuts what it passes on.
#[derive(Clone, Copy, PartialEq)]
enum Chopped {
    BothWays,
    /// For a client that reads an answer with one `recv`.
    ToTheEngine,
}

/// A proxy that passes bytes on in small pieces, growing and small again: through it, frames come split and joined anywhere.
fn proxy(to: &str, chopped: Chopped) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let to = to.to_owned();
    thread::spawn(move || {
        for client in listener.incoming() {
            let (client, server) = (client.unwrap(), TcpStream::connect(&to).unwrap());
            let (client_too, server_too) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            thread::spawn(move || pass_on(client, server, 1));
            let first = if chopped == Chopped::BothWays { 1 } else { usize::MAX };
            thread::spawn(move || pass_on(server_too, client_too, first));
        }
    });
    address
}

/// Passes on in pieces of so many bytes first.
fn pass_on(mut from: TcpStream, mut to: TcpStream, first: usize) {
    to.set_nodelay(true).unwrap();
    let mut buffer = [0; 4_096];
    let mut piece = first;
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        let mut rest = &buffer[..read];
        while !rest.is_empty() {
            let (now, later) = rest.split_at(piece.min(rest.len()));
            if to.write_all(now).is_err() {
                return;
            }
            rest = later;
            piece = if piece > 1_000 { first } else { piece * 2 + 1 };
            thread::sleep(Duration::from_micros(300));
        }
    }
    to.shutdown(Shutdown::Write).ok();
}

/// Sends messages with one of the client programs; gives its answers.
fn sent_by(client: &str, address: &str, site: &Site, messages: &[String]) -> Vec<String> {
    let (host, port) = address.rsplit_once(':').unwrap();
    let mut command = program(client);
    command.args([host, port]);
    for (at, message) in messages.iter().enumerate() {
        let path = site.path(&format!("message-{at}.hl7"));
        std::fs::write(&path, message).unwrap();
        command.arg(path);
    }
    let output = command.output().unwrap();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr).into_owned());
    assert!(output.status.success(), "{client}: {err}\n{}", site.log());
    let answers = out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["answer"].as_str().unwrap().to_owned());
    answers.collect()
}

fn a_client_sends(client: &str, chopped: Chopped) {
    let site = Site::new();
    let _running = site.start();
    let direct = site.mllp();
    for (round, address) in [direct.clone(), proxy(&direct, chopped)].iter().enumerate() {
        let id = |number: usize| format!("{round}-{number}");
        let mut messages: Vec<String> =
            (0..3).map(|number| referral_message(&id(number), &format!("P{}", id(number)), "Quillfeather")).collect();
        // The last is one that is refused: it names no patient.
        messages[2] = messages[2].split_inclusive('\r').filter(|line| !line.starts_with("PID")).collect();
        let answers = sent_by(client, address, &site, &messages);
        assert_eq!(answers.len(), 3, "{client}");
        for (number, (answer, code)) in answers.iter().zip(["AA", "AA", "AE"]).enumerate() {
            assert_eq!((field(answer, "MSA", 1), field(answer, "MSA", 2)), (code, id(number).as_str()), "{client}: {answer}");
        }
        assert_eq!(field(&answers[0], "MSH", 9), "RRI^I12^RRI_I12", "{client}");
        // Again, on another connection: the same answer, and no second referral.
        let again = sent_by(client, address, &site, &messages[..1]);
        assert_eq!(again, answers[..1], "{client}");
    }
    let mut placers: Vec<String> =
        site.referrals().iter().map(|referral| referral["identifiers"]["placer"]["value"].as_str().unwrap().to_owned()).collect();
    placers.sort();
    assert_eq!(placers, ["P0-0", "P0-1", "P1-0", "P1-1"], "{client}");
}

#[test]
fn the_client_of_python_hl7_sends() {
    a_client_sends("python_hl7_client.py", Chopped::ToTheEngine);
}

#[test]
fn the_streams_of_python_hl7_send() {
    a_client_sends("python_hl7_async_client.py", Chopped::BothWays);
}

#[test]
fn the_client_of_medplum_sends() {
    a_client_sends("medplum_client.mjs", Chopped::BothWays);
}

#[test]
fn the_node_hl7_client_sends() {
    a_client_sends("node_hl7_client.mjs", Chopped::BothWays);
}
