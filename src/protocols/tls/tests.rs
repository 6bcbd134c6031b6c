//! Handshakes between our own two sides, with certificates that openssl makes. Other programs are in `tests/it/tls.rs`.

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
