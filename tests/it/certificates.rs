//! Certificates for tests, made by the openssl command.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const EC_KEY: [&str; 5] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

/// An authority and what it signs, in a folder.
pub struct Authority {
    folder: PathBuf,
    name: &'static str,
}

fn openssl(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("openssl").args(arguments).current_dir(folder).output().expect("openssl is installed");
    assert!(output.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A certificate that signed itself: `FILE.pem` and `FILE.key`.
pub fn self_signed(folder: &Path, file: &str, subject: &str) {
    let (key, certificate) = (format!("{file}.key"), format!("{file}.pem"));
    let request = ["req", "-x509", "-days", "90", "-subj", subject, "-keyout", &key, "-out", &certificate];
    openssl(folder, &[&request[..], &EC_KEY[..]].concat());
}

/// A certificate's fingerprint, as openssl prints it.
pub fn fingerprint(folder: &Path, file: &str) -> String {
    let text = openssl(folder, &["x509", "-noout", "-fingerprint", "-sha256", "-in", &format!("{file}.pem")]);
    text.trim().split_once('=').unwrap().1.to_owned()
}

impl Authority {
    /// Makes an authority: `NAME.pem`.
    pub fn new(folder: &Path, name: &'static str) -> Self {
        fs::create_dir_all(folder).unwrap();
        self_signed(folder, name, &format!("/CN={name}"));
        let settings = format!(
            "[ca]\ndefault_ca = d\n[d]\ndatabase = {name}.index\nnew_certs_dir = .\nrand_serial = yes\ndefault_md = sha256\npolicy = p\n\
             unique_subject = no\ncertificate = {name}.pem\nprivate_key = {name}.key\n[p]\ncommonName = supplied\n"
        );
        fs::write(folder.join(format!("{name}.cnf")), settings).unwrap();
        fs::write(folder.join(format!("{name}.index")), "").unwrap();
        Self { folder: folder.to_owned(), name }
    }

    /// Signs a certificate, `FILE.pem` and `FILE.key`, for this common name and for localhost.
    pub fn sign(&self, file: &str, common_name: &str) {
        self.sign_until(file, common_name, "20991231235959Z");
    }

    /// The same, with its last day: `20200102000000Z`.
    pub fn sign_until(&self, file: &str, common_name: &str, end: &str) {
        let extensions = "subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n";
        fs::write(self.folder.join(format!("{file}.ext")), extensions).unwrap();
        let (key, request, certificate) = (format!("{file}.key"), format!("{file}.csr"), format!("{file}.pem"));
        let (subject, settings, extensions) = (format!("/CN={common_name}"), format!("{}.cnf", self.name), format!("{file}.ext"));
        openssl(&self.folder, &[&["req", "-subj", &subject, "-keyout", &key, "-out", &request][..], &EC_KEY[..]].concat());
        let sign = ["ca", "-batch", "-notext", "-config", &settings, "-extfile", &extensions, "-in", &request];
        let dates = ["-startdate", "20200101000000Z", "-enddate", end, "-out", &certificate];
        openssl(&self.folder, &[&sign[..], &dates[..]].concat());
    }
}
