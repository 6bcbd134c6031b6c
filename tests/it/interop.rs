//! Programs that nobody here wrote, talking to the engine: PyPI's hl7 and hl7apy, npm's @medplum/hl7, node-hl7-client and
//! node-hl7-server. `tests/interop/install.sh` puts them into `target/interop`; `deploy/test.sh` calls it.
//!
//! Each is tried as it is, and through a proxy that cuts what goes over the wire into odd pieces.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use serde_json::Value;

use crate::harness::{Peer, Site, field, referral_message, wait_for};

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
    let is_python = Path::new(name).extension().is_some_and(|extension| extension == "py");
    let mut command = Command::new(folder.join(if is_python { "venv/bin/python" } else { "node" }));
    command.arg(folder.join(name)).current_dir(folder);
    command
}

/// A proxy that passes bytes on in small pieces, growing and small again: through it, frames come split and joined anywhere.
pub fn proxy(to: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let to = to.to_owned();
    thread::spawn(move || {
        for client in listener.incoming() {
            let (client, server) = (client.unwrap(), TcpStream::connect(&to).unwrap());
            let (client_too, server_too) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            thread::spawn(move || pass_on(client, server));
            thread::spawn(move || pass_on(server_too, client_too));
        }
    });
    address
}

/// Passes on in pieces, the first of one byte.
fn pass_on(mut from: TcpStream, mut to: TcpStream) {
    to.set_nodelay(true).unwrap();
    let mut buffer = [0; 4_096];
    let mut piece = 1;
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        let mut rest = &buffer[..read];
        while !rest.is_empty() {
            let (now, later) = rest.split_at(piece.min(rest.len()));
            if to.write_all(now).is_err() {
                return;
            }
            rest = later;
            piece = if piece > 1_000 { 1 } else { piece * 2 + 1 };
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

fn a_client_sends(client: &str) {
    let site = Site::new();
    let _running = site.start();
    let direct = site.mllp();
    for (round, address) in [direct.clone(), proxy(&direct)].iter().enumerate() {
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
    a_client_sends("python_hl7_client.py");
}

#[test]
fn the_streams_of_python_hl7_send() {
    a_client_sends("python_hl7_async_client.py");
}

#[test]
fn what_hl7apy_writes_is_read() {
    a_client_sends("python_hl7apy_client.py");
}

#[test]
fn the_client_of_medplum_sends() {
    a_client_sends("medplum_client.mjs");
}

#[test]
fn the_node_hl7_client_sends() {
    a_client_sends("node_hl7_client.mjs");
}

/// How many messages each server program takes, one behind the other.
const MESSAGES: usize = 5;

/// One of the server programs; killed when dropped.
struct Server {
    child: Child,
    port: String,
    /// The messages that it took.
    taken: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(name: &str) -> Self {
        // Of these only node-hl7-server cannot choose a port by itself.
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut child = program(name).arg(free.to_string()).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first: Value = serde_json::from_str(&lines.next().expect("it says its port").unwrap()).unwrap();
        let taken = Arc::new(Mutex::new(Vec::new()));
        let list = Arc::clone(&taken);
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let message = serde_json::from_str::<Value>(&line).unwrap()["message"].as_str().unwrap().to_owned();
                list.lock().unwrap().push(message);
            }
        });
        Self { child, port: first["port"].to_string(), taken }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn a_server_takes(name: &str, version: &str) {
    let server = Server::start(name);
    let address = proxy(&format!("127.0.0.1:{}", server.port));
    let port = address.rsplit_once(':').unwrap().1;
    let site = Site::new();
    site.channel("hl7-in", "[inbound.mllp]\nlisten = \"127.0.0.1:0\"\n[[forward]]\nthrough = \"ehr-mllp\"\n");
    site.channel(
        "ehr-mllp",
        &format!("[outbound.mllp]\nhost = \"127.0.0.1\"\nport = {port}\nreconnect_seconds = 1\nversion = \"{version}\"\n"),
    );
    let quick = [("LOOPLINE_LIMITS_DELIVERY_BACKOFF_SECONDS", "1"), ("LOOPLINE_LIMITS_DELIVERY_BACKOFF_SECONDS_MAX", "1")];
    let _running = site.start_with(&quick);
    for number in 1..=MESSAGES {
        let message = referral_message(&format!("M{number}"), &format!("P{number}"), "Søderquill");
        Peer::connect(&site.mllp()).send(&message).unwrap();
    }
    let sent = || site.deliveries().iter().filter(|one| one["purpose"] == "forward" && one["state"] == "sent").count();
    assert!(wait_for(|| sent() == MESSAGES), "{name}\n{:#?}\n{}", site.deliveries(), site.log());
    let mut placers: Vec<String> =
        server.taken.lock().unwrap().iter().map(|message| field(message, "RF1", 6).to_owned()).collect();
    placers.dedup();
    let expected: Vec<String> = (1..=MESSAGES).map(|number| format!("P{number}^STMARY")).collect();
    assert_eq!(placers, expected, "{name}: in order, none left out");
}

#[test]
fn the_server_of_python_hl7_takes_what_is_sent() {
    a_server_takes("python_hl7_server.py", "2.3");
}

#[test]
fn the_server_of_hl7apy_takes_what_is_sent_though_it_hangs_up_each_time() {
    a_server_takes("python_hl7apy_server.py", "2.5");
}

#[test]
fn the_server_of_medplum_takes_what_is_sent() {
    a_server_takes("medplum_server.mjs", "2.6");
}

#[test]
fn the_node_hl7_server_takes_what_is_sent() {
    a_server_takes("node_hl7_server.mjs", "2.5.1");
}
