//! Mail over a real exim: what it answers decides whether a delivery is tried again, and its bounce finds its delivery.
//!
//! Needs the Debian packages `exim4-daemon-light` and `openssl`.

use std::{
    fs,
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU16, Ordering},
    time::Duration,
};

use loopline::{
    normalize::{
        Kind,
        email::{self, MailLimits, MailRules},
    },
    outbound::{
        SendError,
        email::{EmailConfig, EmailOutbound},
    },
    protocols::maildir::Maildir,
    referral::TokenKey,
};

/// A running mail server, stopped when dropped.
struct Exim {
    folder: tempfile::TempDir,
    process: Child,
    starttls: u16,
    tls: u16,
}

impl Drop for Exim {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// Two free ports below those that clients get, so that no socket of another test takes them meanwhile.
fn free_ports() -> (u16, u16) {
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    let start = 20_000 + u16::try_from(std::process::id() % 10_000).unwrap() + TAKEN.fetch_add(10, Ordering::SeqCst);
    let mut free = (start..32_000).chain(15_000..20_000).filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    (free.next().unwrap(), free.next().unwrap())
}

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

impl Exim {
    async fn start() -> Self {
        assert!(Path::new("/usr/sbin/exim4").exists(), "these tests need a mail server: apt-get install exim4-daemon-light");
        let folder = tempfile::Builder::new().prefix("loopline-exim").tempdir_in("/tmp").unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        for name in ["tls", "spool", "log", "inbox"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        fs::write(at("password"), "smtppw\n").unwrap();
        fs::write(at("wrong-password"), "wrong\n").unwrap();
        output(Command::new("openssl").args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost,IP:127.0.0.1",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
            "-keyout",
            &at("tls/server.key"),
            "-out",
            &at("tls/server.pem"),
        ]));
        let (starttls, tls) = free_ports();
        let root = output(Command::new("id").arg("-u")) == "0";
        let (user, group) = if root {
            ("nobody".to_owned(), "nogroup".to_owned())
        } else {
            (output(Command::new("id").arg("-un")), output(Command::new("id").arg("-gn")))
        };
        if root {
            output(Command::new("chown").args(["-R", "nobody:nogroup", &at("")]));
        }
        let template = include_str!("../fixtures/mail/exim.conf.tmpl");
        let config = template
            .replace("@D@", &folder.path().display().to_string())
            .replace("@SMTPS@", &tls.to_string())
            .replace("@SMTP@", &starttls.to_string())
            .replace("@USER@", &user)
            .replace("@GROUP@", &group);
        fs::write(at("exim.conf"), config).unwrap();
        let process = Command::new("/usr/sbin/exim4")
            .args(["-C", &at("exim.conf"), "-bdf", "-q1s"])
            .stdout(Stdio::null())
            .stderr(fs::File::create(at("stderr")).unwrap())
            .spawn()
            .unwrap();
        let exim = Self { folder, process, starttls, tls };
        for _ in 0..500 {
            if tokio::net::TcpStream::connect(("127.0.0.1", exim.tls)).await.is_ok() {
                return exim;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("exim did not start: {}", fs::read_to_string(exim.folder.path().join("stderr")).unwrap());
    }

    fn outbound(&self, security: &str, password: &str, trusted: bool) -> EmailOutbound {
        let folder = self.folder.path().display();
        let port = if security == "tls" { self.tls } else { self.starttls };
        let ca = if trusted { format!("ca_file = \"{folder}/tls/server.pem\"") } else { String::new() };
        let text = format!(
            "from = \"referrals@test.example\"\nsend_seconds_max = 20\n[smtp]\nhost = \"localhost\"\nport = {port}\nsecurity = \"{security}\"\n\
             user = \"engine\"\npassword_file = \"{folder}/{password}\"\n{ca}\n"
        );
        EmailOutbound::without_store(&toml::from_str::<EmailConfig>(&text).unwrap()).unwrap()
    }

    /// Waits for so many mails in the inbox.
    async fn inbox(&self, mails: usize) -> Vec<Vec<u8>> {
        for _ in 0..1_000 {
            let directory = self.folder.path().join("inbox/new");
            if directory.exists() {
                let listing = Maildir::open(self.folder.path().join("inbox")).unwrap().list_new(100).unwrap();
                if listing.entries.len() >= mails {
                    return listing.entries.iter().map(|entry| fs::read(&entry.path).unwrap()).collect();
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the mails did not arrive: {}", fs::read_to_string(self.folder.path().join("log/mainlog")).unwrap_or_default());
    }
}

fn mail(subject: &str) -> Vec<u8> {
    format!("From: referrals@test.example\r\nTo: desk@test.example\r\nSubject: {subject}\r\nMessage-ID: <1@test.example>\r\n\r\nhello\r\n")
        .into_bytes()
}

const FROM: &str = "referrals@test.example";

#[tokio::test]
async fn a_real_mail_servers_answers_decide_whether_a_mail_is_tried_again() {
    let exim = Exim::start().await;
    for security in ["starttls", "tls"] {
        let outbound = exim.outbound(security, "password", true);
        let sent = outbound.send_bytes("1", "desk@test.example", FROM, &mail("x")).await.unwrap();
        assert_eq!(sent.note, "SMTP 250");
    }
    let arrived = exim.inbox(2).await;
    assert!(String::from_utf8_lossy(&arrived[0]).contains("Return-path: <referrals@test.example>"));

    let outbound = exim.outbound("starttls", "password", true);
    let greylisted = outbound.send_bytes("2", "greylist@test.example", FROM, &mail("x")).await;
    assert!(matches!(greylisted, Err(SendError::Transient(_))), "{greylisted:?}");
    for (to, subject) in [("nouser@test.example", "x"), ("desk@test.example", "REJECTME"), ("desk@elsewhere.example", "x")] {
        let refused = outbound.send_bytes("3", to, FROM, &mail(subject)).await;
        assert!(matches!(refused, Err(SendError::Permanent(ref why)) if !why.contains('@')), "{refused:?}");
    }
    let login = exim.outbound("starttls", "wrong-password", true).send_bytes("4", "desk@test.example", FROM, &mail("x")).await;
    assert!(matches!(login, Err(SendError::Channel(_))), "{login:?}");
    let untrusted = exim.outbound("tls", "password", false).send_bytes("5", "desk@test.example", FROM, &mail("x")).await;
    assert!(matches!(untrusted, Err(SendError::Channel(_) | SendError::Transient(_))), "{untrusted:?}");
}

#[tokio::test]
async fn a_bounce_of_a_real_mail_server_finds_the_delivery_it_belongs_to() {
    let exim = Exim::start().await;
    let key = TokenKey::new([7; 32]);
    let token = key.token(&"LL-0000-0000".parse().unwrap());
    let from = format!("referrals+b-{}@test.example", token.as_str());
    let outbound = exim.outbound("starttls", "password", true);
    outbound.send_bytes("1", "latebounce@test.example", &from, &mail("x")).await.unwrap();
    let bounced = exim.inbox(1).await;
    let rules = MailRules {
        key: Some(&key),
        now: jiff::Timestamp::now(),
        time_zone: &jiff::tz::TimeZone::UTC,
        region: "US",
        site_name: "Loopline",
    };
    let found = email::normalize(&email::read(&bounced[0], MailLimits::default()), &rules);
    assert_eq!(found.outcome.kind, Kind::Bounce);
    let bounce = found.outcome.bounce.unwrap();
    assert_eq!(bounce.recipient, "latebounce@test.example");
    assert!(bounce.permanent);
    assert_eq!(bounce.reference.as_deref(), Some(token.reference().as_str()));
}

#[tokio::test]
async fn a_mail_server_that_is_gone_or_never_answers_holds_nothing_up() {
    let (port, _) = free_ports();
    let config = |port: u16| {
        let text = format!(
            "from = \"r@test.example\"\nsend_seconds_max = 1\n[smtp]\nhost = \"127.0.0.1\"\nport = {port}\nsecurity = \"none\"\nconnections_max = 2"
        );
        EmailOutbound::without_store(&toml::from_str::<EmailConfig>(&text).unwrap()).unwrap()
    };
    let gone = config(port).send_bytes("1", "desk@test.example", FROM, &mail("x")).await;
    assert!(matches!(gone, Err(SendError::Transient(_))), "{gone:?}");
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silence = config(silent.local_addr().unwrap().port()).send_bytes("1", "desk@test.example", FROM, &mail("x")).await;
    assert!(matches!(silence, Err(SendError::Ambiguous(_))), "{silence:?}");
}
