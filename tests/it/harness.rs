//! A site in a temporary folder, the engine as its own process, and the peers it talks to.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

pub use rustix::process::Signal;
use rustix::process::{Pid, kill_process};
use serde_json::Value;

/// How long anything may take before a test gives up on it.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A site: its channels and its data folder.
pub struct Site {
    folder: tempfile::TempDir,
}

const HL7_IN: &str = r#"
[inbound.mllp]
listen = "127.0.0.1:0"
[route]
by = ["directory", "specialty"]
specialty.Cardiology = { through = "email-out", to = "cardiology-desk" }
specialty.Dermatology = { through = "fax-out", to = "dermatology-desk" }
"#;
const FAX_IN: &str = r#"
[inbound.folder]
path = "fax-in"
stable_after_seconds = 0.3
poll_seconds = 0.3
[acknowledge]
through = "fax-out"
to = "practice"
[route]
specialty.Cardiology = { through = "email-out", to = "cardiology-desk" }
specialty.Dermatology = { through = "fax-out", to = "dermatology-desk" }
default = { through = "fax-out", to = "dermatology-desk" }
"#;
const MAIL_IN: &str = r#"
[inbound.mailbox]
maildir = "mail-in"
stable_after_seconds = 0.1
poll_seconds = 0.3
[acknowledge]
through = "email-out"
senders = ["office@elm-street.example"]
[route]
specialty.Cardiology = { through = "email-out", to = "cardiology-desk" }
default = { through = "email-out", to = "cardiology-desk" }
"#;
const EMAIL_OUT: &str = r#"
[outbound.email]
from = "referrals@loopline.example"
maildir = "mail-out"
"#;
const FAX_OUT: &str = r#"
[outbound.fax]
path = "fax-out"
return_number = "+15035550100"
"#;
const DIRECTORY: &str = r#"
[cardiology-desk]
through = "email-out"
name = "Northside Heart Center"
email = "desk@northside-heart.example"
fax = "+15035550141"
specialties = ["Cardiology"]
[dermatology-desk]
through = "fax-out"
name = "Harbor Skin Clinic"
fax = "+15035550142"
specialties = ["Dermatology"]
[practice]
name = "Elm Street Family Medicine"
fax = "+15035550143"
"#;

impl Site {
    /// A site with every kind of channel.
    pub fn new() -> Self {
        let site = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir_all(site.path("channels/site")).unwrap();
        site.channel("hl7-in", HL7_IN);
        site.channel("fax-in", FAX_IN);
        site.channel("mail-in", MAIL_IN);
        site.channel("email-out", EMAIL_OUT);
        site.channel("fax-out", FAX_OUT);
        site.channel("site/directory", DIRECTORY);
        site
    }

    /// Writes one channel file.
    pub fn channel(&self, name: &str, text: &str) {
        fs::write(self.path(&format!("channels/{name}.toml")), text).unwrap();
    }

    /// A path of the site.
    pub fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    /// A path in the data folder.
    pub fn data(&self, below: &str) -> PathBuf {
        self.path("data").join(below)
    }

    /// The program, with this site's settings.
    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_loopline"));
        command.arg("--data").arg(self.path("data")).arg("--channels").arg(self.path("channels"));
        command.env_remove("RUST_LOG").current_dir(self.folder.path());
        command
    }

    /// Starts the engine and waits until it is ready.
    pub fn start(&self) -> Running {
        self.start_with(&[])
    }

    /// Starts the engine with these environment variables and waits until it is ready, or has died.
    pub fn start_with(&self, environment: &[(&str, &str)]) -> Running {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.path("log")).unwrap();
        let mut command = self.command();
        command.args(["--log", "json", "run"]).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        command.envs(environment.iter().copied());
        let mut running = Running { child: command.spawn().unwrap() };
        let ready = wait_for(|| running.has_died() || self.json(&["deliveries", "list", "--json", "--limit", "1"]).is_some());
        assert!(ready, "the engine did not become ready; its log:\n{}", self.log());
        running
    }

    /// Everything the engine logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// What a command prints, as JSON; nothing where it failed.
    pub fn json(&self, arguments: &[&str]) -> Option<Value> {
        let output = self.command().args(arguments).output().unwrap();
        output.status.success().then(|| serde_json::from_slice(&output.stdout).unwrap())
    }

    /// All referrals.
    pub fn referrals(&self) -> Vec<Value> {
        self.list("referrals")
    }

    /// All messages.
    pub fn messages(&self) -> Vec<Value> {
        self.list("messages")
    }

    /// All deliveries.
    pub fn deliveries(&self) -> Vec<Value> {
        self.list("deliveries")
    }

    fn list(&self, what: &str) -> Vec<Value> {
        let found = self.json(&[what, "list", "--json", "--limit", "0"]).expect("the engine answers");
        found.as_array().unwrap().clone()
    }

    /// The address of the MLLP door.
    pub fn mllp(&self) -> String {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let data = self.path("data");
        let mut address = None;
        // The engine answers just before it opens its doors.
        wait_for(|| {
            let asked = loopline::engine::admin::ask(&data, &loopline::engine::admin::Request::Health);
            let health = runtime.block_on(asked).expect("the engine answers");
            address = health["channels"]["hl7-in"].as_str().map(str::to_owned);
            address.is_some()
        });
        address.expect("the MLLP door is open")
    }

    /// Drops a file as a careful program does: written beside, renamed into place.
    pub fn drop_file(&self, below: &str, content: &[u8]) {
        let path = self.data(below);
        let part = path.with_extension("part");
        fs::write(&part, content).unwrap();
        fs::rename(part, path).unwrap();
    }

    /// Delivers a mail into the inbound Maildir.
    pub fn drop_mail(&self, name: &str, content: &str) {
        fs::write(self.data(&format!("mail-in/tmp/{name}")), content.replace('\n', "\r\n")).unwrap();
        fs::rename(self.data(&format!("mail-in/tmp/{name}")), self.data(&format!("mail-in/new/{name}"))).unwrap();
    }

    /// The mails that went out, as text.
    pub fn mails_out(&self) -> Vec<String> {
        files(&self.data("mail-out/new"))
            .iter()
            .map(|path| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned())
            .collect()
    }
}

/// A running engine; killed when dropped.
pub struct Running {
    child: Child,
}

impl Running {
    /// An engine that was started in another way.
    pub fn of(child: Child) -> Self {
        Self { child }
    }

    /// Whether the process is gone.
    pub fn has_died(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// The most memory that the process had resident, in bytes.
    pub fn memory_peak_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// Has its processes that read documents stand still, once there are so many.
    pub fn freeze_readers(&self, count: usize) {
        assert!(wait_for(|| self.readers().len() >= count));
        for reader in self.readers() {
            kill_process(Pid::from_raw(reader).unwrap(), Signal::STOP).unwrap();
        }
    }

    fn readers(&self) -> Vec<i32> {
        let parent = self.child.id().to_string();
        let is_one = |process: &i32| {
            let words = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
            let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
            let its_parent = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1)).unwrap_or_default();
            its_parent == parent && words.split(|byte| *byte == 0).any(|word| word == b"reader-worker")
        };
        let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        processes.filter(is_one).collect()
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        self.child.kill().ok();
        self.child.wait().unwrap();
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let process = Pid::from_raw(self.child.id().cast_signed()).unwrap();
        kill_process(process, signal).unwrap();
    }

    /// SIGTERM, and the exit status; none where it took longer than ten seconds.
    pub fn stop(mut self) -> Option<i32> {
        self.signal(Signal::TERM);
        let asked = Instant::now();
        while asked.elapsed() < Duration::from_secs(10) {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        None
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Waits until it is so; false where patience ran out.
pub fn wait_for(mut condition: impl FnMut() -> bool) -> bool {
    let began = Instant::now();
    loop {
        if condition() {
            return true;
        }
        if began.elapsed() > PATIENCE {
            return false;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The files in a folder, sorted.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = match fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect(),
        Err(_) => Vec::new(),
    };
    found.sort();
    found
}

/// An HL7 peer with one connection.
pub struct Peer {
    stream: TcpStream,
}

impl Peer {
    /// Connects.
    pub fn connect(address: &str) -> Self {
        Self::try_connect(address).unwrap()
    }

    /// Connects, where somebody listens.
    pub fn try_connect(address: &str) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream })
    }

    /// Writes bytes as they are.
    pub fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Sends one message and gives the answer; an error where the connection broke off.
    pub fn send(&mut self, message: &str) -> std::io::Result<String> {
        self.write(&framed(message))?;
        self.read()
    }

    /// Reads one frame.
    pub fn read(&mut self) -> std::io::Result<String> {
        let mut bytes = Vec::new();
        let mut byte = [0];
        while !bytes.ends_with(b"\x1c\r") {
            if self.stream.read(&mut byte)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            bytes.push(byte[0]);
        }
        assert_eq!(bytes[0], 0x0b, "a frame begins with VT");
        Ok(String::from_utf8_lossy(&bytes[1..bytes.len() - 2]).into_owned())
    }
}

/// A message in its MLLP frame.
pub fn framed(message: &str) -> Vec<u8> {
    let mut bytes = vec![0x0b];
    bytes.extend_from_slice(message.as_bytes());
    bytes.extend_from_slice(b"\x1c\r");
    bytes
}

/// A field of an HL7 message, by segment and number; MSH counts its separator.
pub fn field<'m>(message: &'m str, segment: &str, number: usize) -> &'m str {
    let line = message.split('\r').find(|line| line.starts_with(segment)).unwrap_or_default();
    let shift = usize::from(segment == "MSH");
    line.split('|').nth(number - shift).unwrap_or_default()
}

/// A referral of an invented patient.
pub fn referral_message(control_id: &str, placer: &str, family: &str) -> String {
    [
        format!("MSH|^~\\&|EHR|STMARY|LOOPLINE|SITE|20261121093000-0800||REF^I12^REF_I12|{control_id}|P|2.5.1"),
        format!("RF1|P|R^Routine||||{placer}^STMARY|20261121|20270521"),
        "PRD|RP|Whitcombe^Harriet^^^^Dr||Elm Street Family Medicine||^WPN^PH^^^503^5550143|||1245319599^NPI".to_owned(),
        "PRD|RT|||^^^Northside Heart Center||||".to_owned(),
        format!(
            "PID|1||MR-{placer}^^^STMARY^MR||{family}^Ottoline||19620214|F|||12 Elm St^^Portland^OR^97201||^PRN^PH^^^503^5550144"
        ),
        "DG1|1|I10|R00.2^Palpitations^ICD-10-CM||20261120|W".to_owned(),
        "OBR|1||| 99243^Cardiology consultation^CPT|||||||||||||||||||||||||||^Palpitations on exertion for six weeks".to_owned(),
        "NTE|1||Please see Cardiology for palpitations on exertion".to_owned(),
        String::new(),
    ]
    .join("\r")
}
