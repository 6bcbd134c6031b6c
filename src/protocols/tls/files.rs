//! The PEM files: what is in them, what is wrong with them, and whether they changed.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use sha2::{Digest, Sha256};

use super::{
    Finding, Renewal,
    facts::{facts, now},
};

/// How often the files are looked at, at most.
const LOOK_SECONDS: u64 = 1;
/// A certificate that ends sooner than this is spoken of.
const EXPIRY_NOTICE_DAYS: u64 = 30;
const DAY_SECONDS: u64 = 86_400;

/// A file that a configuration key names.
#[derive(Clone, Debug)]
pub(super) struct NamedFile {
    pub(super) key: &'static str,
    pub(super) path: PathBuf,
}

impl NamedFile {
    pub(super) fn new(key: &'static str, path: &Path) -> Self {
        Self { key, path: path.to_owned() }
    }

    fn finding(&self, what: &str, help: impl Into<String>) -> Finding {
        Finding { key: self.key, message: format!("{} {what}", self.path.display()), help: help.into() }
    }
}

/// What was in the files at one moment, each or why not.
pub(super) struct Contents(Vec<(NamedFile, std::io::Result<Vec<u8>>)>);

impl Contents {
    /// Reads them all, each once: what is checked is what is used.
    pub(super) fn read(files: &[NamedFile]) -> Self {
        Self(files.iter().map(|file| (file.clone(), std::fs::read(&file.path))).collect())
    }

    fn digest(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        for (_, content) in &self.0 {
            match content {
                Ok(bytes) => digest.update(Sha256::digest(bytes)),
                Err(error) => digest.update(error.kind().to_string()),
            }
        }
        digest.finalize().into()
    }

    fn of(&self, key: &str) -> Result<(&NamedFile, &[u8]), Finding> {
        let (file, content) =
            self.0.iter().find(|(file, _)| file.key == key).expect("only files of the configuration are asked for");
        match content {
            Ok(bytes) => Ok((file, bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(file.finding("is not there", "put it there, or name another file"))
            }
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                Err(file.finding("cannot be read: permission denied", "the user that runs loopline must be able to read it"))
            }
            Err(error) => Err(file.finding(&format!("cannot be read: {error}"), "it must be a PEM file")),
        }
    }

    /// The certificates of a file, at least one.
    pub(super) fn certificates(&self, key: &str) -> Result<Vec<CertificateDer<'static>>, Finding> {
        let (file, bytes) = self.of(key)?;
        let wrong = |what: &str| {
            let help = if bytes.first() == Some(&0x30) {
                "it is DER: openssl x509 -inform der -in FILE -out NEW makes a PEM file of it"
            } else {
                "it must hold -----BEGIN CERTIFICATE-----, the server's or client's own first, then those that signed it"
            };
            file.finding(what, help)
        };
        let found: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(bytes)
            .collect::<Result<_, _>>()
            .map_err(|_| wrong("is not a PEM file of certificates"))?;
        if found.is_empty() {
            return Err(wrong("holds no PEM certificate"));
        }
        Ok(found)
    }

    /// The private key of a file.
    pub(super) fn key(&self, key: &str) -> Result<PrivateKeyDer<'static>, Finding> {
        let (file, bytes) = self.of(key)?;
        PrivateKeyDer::from_pem_slice(bytes).map_err(|_| {
            let text = String::from_utf8_lossy(bytes);
            if text.contains("ENCRYPTED") {
                file.finding("is an encrypted key", "openssl pkey -in FILE -out NEW takes its passphrase off; then chmod 600 NEW")
            } else {
                file.finding("holds no PEM private key", "it must hold -----BEGIN PRIVATE KEY-----")
            }
        })
    }

    /// The authorities of a file.
    pub(super) fn authorities(&self, key: &str) -> Result<Arc<RootCertStore>, Finding> {
        let certificates = self.certificates(key)?;
        let (file, _) = self.of(key)?;
        let mut roots = RootCertStore::empty();
        for certificate in certificates {
            roots.add(certificate).map_err(|error| {
                file.finding(
                    &format!("holds a certificate that can be no authority: {error}"),
                    "it must hold the authority's own",
                )
            })?;
        }
        Ok(Arc::new(roots))
    }

    /// What is wrong with a certificate and its key together.
    pub(super) fn mismatch(&self, certificate_key: &'static str, key: &'static str, error: &rustls::Error) -> Finding {
        let path = |name: &str| self.0.iter().find(|(file, _)| file.key == name).map(|(file, _)| file.path.display().to_string());
        let (certificate_path, key_path) = (path(certificate_key).unwrap_or_default(), path(key).unwrap_or_default());
        match error {
            rustls::Error::InconsistentKeys(_) => Finding {
                key,
                message: format!("{key_path} is not the key of the certificate in {certificate_path}"),
                help: "name the certificate and the key that were made together".to_owned(),
            },
            rustls::Error::InvalidCertificate(_) => Finding {
                key: certificate_key,
                message: format!("{certificate_path} holds a certificate that cannot be read: {error}"),
                help: "name the file that your certificate authority sent, as PEM".to_owned(),
            },
            other => Finding {
                key,
                message: format!("{key_path} cannot be used: {other}"),
                help: "RSA (2048 bits or more), ECDSA (P-256, P-384) and Ed25519 keys are".to_owned(),
            },
        }
    }

    /// What should be known of a certificate that can be used: it has ended, it ends soon.
    pub(super) fn expiry(&self, key: &str, certificates: &[CertificateDer<'_>]) -> Vec<Finding> {
        let (Some(facts), Ok((file, _))) = (certificates.first().and_then(facts), self.of(key)) else { return Vec::new() };
        let (now, validity) = (now().as_secs(), facts.validity);
        let date = |at: Duration| {
            jiff::Timestamp::from_second(i64::try_from(at.as_secs()).unwrap_or(i64::MAX))
                .map_or_else(|_| "an unknown time".to_owned(), |at| at.strftime("%Y-%m-%d %H:%M UTC").to_string())
        };
        let days = validity.to.as_secs().saturating_sub(now) / DAY_SECONDS;
        let what = if validity.from.as_secs() > now {
            format!("is not valid before {}", date(validity.from))
        } else if validity.to.as_secs() <= now {
            format!("expired on {}: peers will refuse it", date(validity.to))
        } else if days < EXPIRY_NOTICE_DAYS {
            format!("expires in {days} days, on {}", date(validity.to))
        } else {
            return Vec::new();
        };
        vec![file.finding(&what, "put a new certificate there: it is taken without a restart")]
    }
}

/// Makes something of files, and says what should be known of them.
type Make<T> = dyn Fn(&Contents) -> Result<(T, Vec<Finding>), Finding> + Send + Sync;

/// Something made of files, made again when they change.
pub(super) struct Reloading<T> {
    files: Vec<NamedFile>,
    make: Box<Make<T>>,
    state: Mutex<State<T>>,
}

struct State<T> {
    current: Arc<T>,
    seen: [u8; 32],
    looked: Instant,
}

impl<T> Reloading<T> {
    pub(super) fn open(
        files: Vec<NamedFile>,
        make: impl Fn(&Contents) -> Result<(T, Vec<Finding>), Finding> + Send + Sync + 'static,
    ) -> Result<(Self, Vec<Finding>), Finding> {
        let contents = Contents::read(&files);
        let (made, findings) = make(&contents)?;
        let state = State { current: Arc::new(made), seen: contents.digest(), looked: Instant::now() };
        Ok((Self { files, make: Box::new(make), state: Mutex::new(state) }, findings))
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is in use.
    pub(super) fn current(&self) -> Arc<T> {
        Arc::clone(&self.state().current)
    }

    /// Looks at the files, unless that was done just now. None: nothing changed.
    pub(super) async fn renew(&self) -> Option<Renewal> {
        {
            let mut state = self.state();
            if state.looked.elapsed() < Duration::from_secs(LOOK_SECONDS) {
                return None;
            }
            state.looked = Instant::now();
        }
        let files = self.files.clone();
        // The folder may be on a network.
        let contents = tokio::task::spawn_blocking(move || Contents::read(&files)).await.ok()?;
        let digest = contents.digest();
        if std::mem::replace(&mut self.state().seen, digest) == digest {
            return None;
        }
        Some(match (self.make)(&contents) {
            Ok((made, findings)) => {
                self.state().current = Arc::new(made);
                Renewal::Renewed(findings)
            }
            Err(finding) => Renewal::Kept(finding),
        })
    }
}
