//! What needs no certificate. Handshakes are in `tests/it/tls_peers.rs`, where openssl makes certificates.

use super::*;

#[test]
fn a_fingerprint_is_read_as_openssl_prints_it() {
    let digits = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    let read: Fingerprint = digits.parse().unwrap();
    assert_eq!(read.to_string().replace(':', "").to_lowercase(), digits);
    assert_eq!(read.to_string().parse(), Ok(read));
    assert!("9f86".parse::<Fingerprint>().is_err());
    assert!("zz".repeat(32).parse::<Fingerprint>().is_err());
}

#[test]
fn what_goes_together_is_not_half_there() {
    let server: ServerTlsConfig =
        toml::from_str("certificate_file = \"a\"\nkey_file = \"b\"\nclient_fingerprints = []\nclient_names = [\"x.example\"]")
            .unwrap();
    let finding = ServerTls::open(server).err().unwrap();
    assert_eq!((finding.key, finding.message.as_str()), ("client_names", "needs client_ca_file"));
    let client = ClientTlsConfig { key_file: Some("b".into()), ..ClientTlsConfig::default() };
    let finding = ClientTls::open(client).err().unwrap();
    assert_eq!((finding.key, finding.message.as_str()), ("key_file", "needs certificate_file"));
}
