//! With MLLP programs that nobody here wrote: each sends to us and takes from us, through a line that cuts everything into odd pieces.
//!
//! They are installed by `deploy/test.sh` into `target/interop`, which also asks for them (`INTEROP_PEERS=required`). Without that, and
//! where they are not there, these tests try nothing: a plain `cargo test` needs no network.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
};

use crate::harness::{Site, referral_message, wait_for};

/// The sizes of odd pieces, over and over.
const ODD: &[usize] = &[1, 2, 1, 3, 7, 64, 5, 1_460];
/// As it comes.
const WHOLE: &[usize] = &[65_536];

/// The peers that are installed.
struct Peers {
    installed: PathBuf,
    programs: PathBuf,
}

/// None: they are not installed, and nobody asked for them.
fn peers() -> Option<Peers> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let installed = root.join("target/interop");
    if installed.join("installed").exists() {
        return Some(Peers { installed, programs: root.join("tests/interop") });
    }
    let required = std::env::var_os("INTEROP_PEERS").is_some_and(|value| value == "required");
    assert!(!required, "{} is not there: deploy/test.sh installs it", installed.display());
    None
}

impl Peers {
    fn program(&self, name: &str) -> Command {
        let mut command =
            if name.ends_with(".py") { Command::new(self.installed.join("python/bin/python")) } else { Command::new("node") };
        command.arg(self.programs.join(name)).env("INTEROP_NODE", self.installed.join("node"));
        command
    }

    /// Starts a peer that takes messages.
    fn serve(&self, name: &str, arguments: &[&str]) -> Server {
        let mut command = self.program(name);
        command.arg("serve").args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut port = String::new();
        output.read_line(&mut port).unwrap();
        // Read on, so that a peer that talks is not blocked.
        thread::spawn(move || output.read_to_end(&mut Vec::new()));
        Server { child, port: port.trim().parse().unwrap_or_else(|_| panic!("{name} did not start")) }
    }

    /// Has a peer send a message, and gives what it says of the answer.
    fn send(&self, name: &str, port: u16, file: &Path) -> String {
        let port = port.to_string();
        let output = self.program(name).args(["send", "127.0.0.1", &port]).arg(file).stdin(Stdio::null()).output().unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}: {complaint}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

/// A peer that takes messages; killed when dropped.
struct Server {
    child: Child,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A line to a port that cuts what goes there and what comes back into such pieces; gives its own port.
fn choppy_line(to: u16, there: &'static [usize], back: &'static [usize]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for near in listener.incoming() {
            let (near, far) = (near.unwrap(), TcpStream::connect(("127.0.0.1", to)).unwrap());
            for (from, to, pieces) in [(&near, &far, there), (&far, &near, back)] {
                let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                thread::spawn(move || chop(from, to, pieces));
            }
        }
    });
    port
}

fn chop(mut from: TcpStream, mut to: TcpStream, pieces: &[usize]) {
    to.set_nodelay(true).unwrap();
    let mut buffer = vec![0; 65_536];
    for size in pieces.iter().cycle() {
        match from.read(&mut buffer[..*size]) {
            Ok(read @ 1..) if to.write_all(&buffer[..read]).is_ok() => {}
            Ok(_) | Err(_) => break,
        }
    }
    to.shutdown(Shutdown::Write).ok();
}

#[test]
fn each_peer_sends_to_us_and_understands_our_answer() {
    let Some(peers) = peers() else { return };
    let site = Site::new();
    let _running = site.start();
    let port = site.mllp().rsplit_once(':').unwrap().1.parse().unwrap();
    // The two Node.js clients (@medplum/hl7 3.3.0, node-hl7-client 2.3.1) lose an answer that comes in pieces: they get it whole.
    let clients = [("python_hl7.py", ODD), ("node_medplum.cjs", WHOLE), ("node_hl7.cjs", WHOLE)];
    for (number, (name, back)) in (1..).zip(clients) {
        let file = site.path(&format!("{number}.hl7"));
        fs::write(&file, referral_message(&format!("M{number}"), &format!("P{number}"), "Søderquill")).unwrap();
        assert_eq!(peers.send(name, choppy_line(port, ODD, back), &file), "AA", "{name}\n{}", site.log());
        let found = site.referrals().into_iter().find(|one| one["identifiers"]["placer"]["value"] == format!("P{number}"));
        assert_eq!(found.unwrap()["patient"]["name"]["family"], "Søderquill", "{name}");
    }
}

#[test]
fn each_peer_takes_what_we_send() {
    let Some(peers) = peers() else { return };
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    // The two Node.js servers (@medplum/hl7 3.3.0, node-hl7-server 2.3.0) lose a message that comes in pieces: they get it whole. The
    // second dies of a message that comes right behind its answer to another: it gets one.
    for (name, arguments, version, pieces, count) in [
        ("python_hl7.py", &[][..], "2.3", ODD, 3),
        ("python_hl7apy.py", &[], "2.5", ODD, 3),
        ("node_medplum.cjs", &[], "2.6", WHOLE, 3),
        ("node_hl7.cjs", &[free.as_str()], "2.5.1", WHOLE, 1),
    ] {
        let server = peers.serve(name, arguments);
        let port = choppy_line(server.port, pieces, ODD);
        let site = Site::new();
        site.channel("hl7-in", "[inbound.mllp]\nlisten = \"127.0.0.1:0\"\n[[forward]]\nthrough = \"ehr-mllp\"\n");
        site.channel(
            "ehr-mllp",
            &format!("[outbound.mllp]\nhost = \"127.0.0.1\"\nport = {port}\nreconnect_seconds = 1\nversion = \"{version}\"\n"),
        );
        let quick = [("LOOPLINE_LIMITS_DELIVERY_BACKOFF_SECONDS", "1"), ("LOOPLINE_LIMITS_DELIVERY_BACKOFF_SECONDS_MAX", "1")];
        let _running = site.start_with(&quick);
        for number in 1..=count {
            let message = referral_message(&format!("M{number}"), &format!("P{number}"), "Søderquill");
            crate::harness::Peer::connect(&site.mllp()).send(&message).unwrap();
        }
        let sent = || site.deliveries().iter().filter(|one| one["purpose"] == "forward" && one["state"] == "sent").count();
        assert!(wait_for(|| sent() == count), "{name}\n{:#?}\n{}", site.deliveries(), site.log());
    }
}
