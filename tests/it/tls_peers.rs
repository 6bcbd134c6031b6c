//! Our client against our server, and against `openssl s_server`: whom each takes, and what it says of whom it does not.

use std::{
    io::{BufRead, BufReader, Read},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Command, Stdio},
};

use loopline::protocols::tls::{ClientTls, ClientTlsConfig, HandshakeError, Renewal, ServerTls, ServerTlsConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::certificates::{Authority, fingerprint, self_signed};

fn server(folder: &Path, file: &str, more: &str) -> ServerTlsConfig {
    let path = |end: &str| folder.join(format!("{file}.{end}")).display().to_string();
    let text =
        format!("certificate_file = \"{}\"\nkey_file = \"{}\"\nhandshake_seconds_max = 20\n{more}", path("pem"), path("key"));
    toml::from_str(&text).unwrap()
}

fn client(folder: &Path, ca: &str) -> ClientTlsConfig {
    ClientTlsConfig { ca_file: Some(folder.join(format!("{ca}.pem"))), handshake_seconds_max: 20, ..ClientTlsConfig::default() }
}

/// One handshake, a byte each way; gives what either side says when it fails: the server's word first.
fn meet(server: ServerTlsConfig, client: ClientTlsConfig, host: &str) -> (Result<(), HandshakeError>, Result<(), String>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (server, _) = ServerTls::open(server).unwrap();
        let (client, _) = ClientTls::open(client).unwrap();
        let (near, far) = tokio::io::duplex(65_536);
        let serving = async {
            let mut stream = server.accept(far).await?;
            stream.write_all(b"x").await.map_err(HandshakeError::Broke)
        };
        let asking = async {
            let mut stream = client.connect(host, near).await.map_err(|error| error.to_string())?;
            let mut byte = [0];
            stream.read_exact(&mut byte).await.map(|_| ()).map_err(|error| error.to_string())
        };
        tokio::join!(serving, asking)
    })
}

fn folder() -> (tempfile::TempDir, Authority) {
    let folder = tempfile::tempdir().unwrap();
    let ours = Authority::new(folder.path(), "ours");
    ours.sign("server", "loopline.example");
    (folder, ours)
}

#[test]
fn a_client_takes_a_server_by_authority_and_name() {
    let (folder, ours) = folder();
    let folder = folder.path();
    let (serving, asking) = meet(server(folder, "server", ""), client(folder, "ours"), "localhost");
    assert!(serving.is_ok() && asking.is_ok(), "{serving:?} {asking:?}");
    assert!(meet(server(folder, "server", ""), client(folder, "ours"), "127.0.0.1").1.is_ok());

    let named = ClientTlsConfig { server_name: Some("localhost".to_owned()), ..client(folder, "ours") };
    assert!(meet(server(folder, "server", ""), named, "10.0.0.1").1.is_ok(), "the name that is configured counts");

    let wrong = meet(server(folder, "server", ""), client(folder, "ours"), "other.example").1.unwrap_err();
    assert!(wrong.contains("not valid for name \"other.example\""), "{wrong}");

    Authority::new(folder, "theirs");
    let wrong = meet(server(folder, "server", ""), client(folder, "theirs"), "localhost").1.unwrap_err();
    assert!(wrong.contains("signed by an authority that is not trusted here"), "{wrong}");

    ours.sign_until("old", "loopline.example", "20200102000000Z");
    let wrong = meet(server(folder, "old", ""), client(folder, "ours"), "localhost").1.unwrap_err();
    assert!(wrong.contains("has expired"), "{wrong}");
}

#[test]
fn a_client_takes_a_server_by_the_fingerprint_of_its_certificate() {
    let (folder, _) = folder();
    let folder = folder.path();
    self_signed(folder, "alone", "/CN=alone");
    let listed = |file: &str| {
        let server_fingerprints = vec![fingerprint(folder, file).parse().unwrap()];
        ClientTlsConfig { server_fingerprints, handshake_seconds_max: 20, ..ClientTlsConfig::default() }
    };
    assert!(meet(server(folder, "alone", ""), listed("alone"), "anywhere.example").1.is_ok());
    let wrong = meet(server(folder, "alone", ""), listed("server"), "anywhere.example").1.unwrap_err();
    assert!(wrong.contains(&fingerprint(folder, "alone")) && wrong.contains("not listed in server_fingerprints"), "{wrong}");
    let both = ClientTlsConfig { ca_file: Some(folder.join("ours.pem")), ..listed("alone") };
    assert!(meet(server(folder, "server", ""), both, "localhost").1.is_err(), "an authority's word is not enough then");
}

#[test]
fn a_server_says_why_it_refuses_a_client() {
    let (folder, ours) = folder();
    let folder = folder.path();
    ours.sign("good", "ehr.example");
    ours.sign_until("old", "ehr.example", "20200102000000Z");
    Authority::new(folder, "theirs").sign("stranger", "ehr.example");
    self_signed(folder, "alone", "/CN=alone");
    let with = |file: &str| ClientTlsConfig {
        certificate_file: Some(folder.join(format!("{file}.pem"))),
        key_file: Some(folder.join(format!("{file}.key"))),
        ..client(folder, "ours")
    };
    let ca = format!("client_ca_file = \"{}\"", folder.join("ours.pem").display());
    let named = format!("{ca}\nclient_names = [\"other.example\"]");
    let pinned = format!("client_fingerprints = [\"{}\"]", fingerprint(folder, "old"));
    assert!(meet(server(folder, "server", &ca), with("good"), "localhost").0.is_ok());
    let beside = format!("{ca}\nclient_fingerprints = [\"{}\"]", fingerprint(folder, "alone"));
    assert!(meet(server(folder, "server", &beside), with("alone"), "localhost").0.is_ok(), "listed beside an authority");
    for (rules, asking, expected) in [
        (&ca, client(folder, "ours"), "the peer showed no certificate"),
        (&ca, with("stranger"), "an authority that is not trusted here"),
        (&ca, with("alone"), "it can only be listed by its fingerprint"),
        (&ca, with("old"), "has expired"),
        (&named, with("good"), "the names [\"localhost\", \"ehr.example\"] is not listed"),
        (&pinned, with("good"), "is not listed in client_fingerprints"),
        (&beside, with("good"), "is not listed in client_fingerprints"),
        (&pinned, with("old"), "has expired"),
    ] {
        let refused = meet(server(folder, "server", rules), asking, "localhost").0.unwrap_err().to_string();
        assert!(refused.contains(expected), "{expected}: {refused}");
    }
}

#[test]
fn a_client_speaks_to_openssl_and_takes_a_new_certificate_of_its_own_without_a_restart() {
    let (folder, ours) = folder();
    let folder = folder.path();
    ours.sign("good", "ehr.example");
    Authority::new(folder, "theirs").sign("mine", "ehr.example");
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = Command::new("openssl");
    command.args([
        "s_server",
        "-cert",
        "server.pem",
        "-key",
        "server.key",
        "-CAfile",
        "ours.pem",
        "-Verify",
        "1",
        "-verify_return_error",
    ]);
    command.args(["-accept", &free.to_string(), "-rev"]).current_dir(folder);
    let mut openssl = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut said = BufReader::new(openssl.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("ACCEPT") {
        line.clear();
        assert_ne!(said.read_line(&mut line).unwrap(), 0, "openssl listens");
    }
    std::thread::spawn(move || said.read_to_end(&mut Vec::new()));

    let config = ClientTlsConfig {
        certificate_file: Some(folder.join("mine.pem")),
        key_file: Some(folder.join("mine.key")),
        ..client(folder, "ours")
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (tls, _) = ClientTls::open(config).unwrap();
        let echoed = async || {
            let stream = TcpStream::connect(free).unwrap();
            stream.set_nonblocking(true).unwrap();
            let mut stream = tls.connect("localhost", tokio::net::TcpStream::from_std(stream).unwrap()).await.ok()?;
            stream.write_all(b"ab\n").await.ok()?;
            let mut answer = [0; 3];
            stream.read_exact(&mut answer).await.ok()?;
            Some(answer)
        };
        assert_eq!(echoed().await, None, "openssl does not know that authority");
        for end in ["pem", "key"] {
            std::fs::copy(folder.join(format!("good.{end}")), folder.join(format!("mine.{end}"))).unwrap();
        }
        let began = std::time::Instant::now();
        loop {
            match tls.renew().await {
                Some(Renewal::Renewed(findings)) => break assert!(findings.is_empty()),
                Some(Renewal::Kept(finding)) => panic!("{finding}"),
                None => assert!(began.elapsed() < crate::harness::PATIENCE, "the change was not seen"),
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        assert_eq!(echoed().await, Some(*b"ba\n"));
    });
    openssl.kill().unwrap();
    openssl.wait().unwrap();
}
