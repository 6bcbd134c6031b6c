//! Faxes out: a folder that a fax server takes `NAME.pdf` and `NAME.json` from.
//!
//! # Design notes
//! The pair appears in this order: the PDF, whole and durable, then the JSON that names the number. A fax server waits for the JSON and
//! so never sees half of a job. Both are written under hidden names in the same folder first, so that each appears by a rename.
//!
//! The names come from the delivery: sending it again writes the same two files with the same content. What was still there is
//! replaced by its equal; what the fax server already took is written once more, and the specialist may get a second copy with the same
//! reference. That happens only where the engine died between the rename and the store's note of it; the other order would lose a fax.
//!
//! A letter that was written anew (other pages, another number) has another name, so that a server which read the number of the old one
//! never finds the new pages behind it. Its old pair is taken away first, where it still lies there: the JSON, then the PDF.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Outbound, SendError, Sent, folder_trouble};
use crate::{
    delivery::{Content, Delivery, FaxContent, Purpose},
    ids::ChannelName,
    store::{Store, StoreError},
};

/// `[outbound.fax]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaxConfig {
    /// The fax server's pick-up folder.
    pub path: PathBuf,
    /// The number specialists fax the cover page back to; printed on it.
    pub return_number: String,
}

/// A fax server's pick-up folder, as a way out.
pub struct FaxOutbound {
    name: ChannelName,
    folder: JobFolder,
    store: Store,
}

impl FaxOutbound {
    /// The channel `name`; documents are taken from `store`.
    #[must_use]
    pub fn new(name: ChannelName, config: &FaxConfig, store: Store) -> Self {
        Self { name, folder: JobFolder { path: config.path.clone() }, store }
    }
}

impl Outbound for FaxOutbound {
    async fn send(&self, delivery: &Delivery) -> Result<Sent, SendError> {
        let Some(Content::Fax(fax)) = &delivery.content else {
            return Err(SendError::Permanent(format!("the channel {} sends faxes, and this is no fax", self.name)));
        };
        let document = self.store.body(&fax.document).await.map_err(|error| unreadable(&error))?;
        let document = document.ok_or_else(|| SendError::Permanent("the document of this fax is not in the store".to_owned()))?;
        let referral = delivery.referral.map(|id| self.store.referral(id)).transpose().map_err(|error| unreadable(&error))?;
        let job = Job {
            number: fax.number.clone(),
            pages: fax.pages,
            document: format!("{}.pdf", fax.file_stem),
            reference: referral.flatten().map(|referral| referral.reference.as_str().to_owned()),
            purpose: delivery.purpose,
            created_at: delivery.queued_at,
        };
        let (folder, fax, id) = (self.folder.clone(), fax.clone(), delivery.id.to_string());
        let written = tokio::task::spawn_blocking(move || {
            folder.take_back(&id, &fax.file_stem)?;
            folder.write(&fax, &job, &document)
        });
        let written = written.await;
        written.unwrap_or_else(|_| Err(SendError::Ambiguous("writing the fax was broken off".to_owned())))
    }
}

fn unreadable(error: &StoreError) -> SendError {
    SendError::Transient(format!("the document cannot be read from the store: {error}"))
}

/// What `NAME.json` says.
#[derive(Clone, Serialize)]
pub struct Job {
    /// The number to dial, E.164.
    pub number: String,
    /// How many pages the PDF has.
    pub pages: u32,
    /// The PDF beside it.
    pub document: String,
    /// The referral's reference number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// What it is for.
    pub purpose: Purpose,
    /// When it was queued.
    pub created_at: Timestamp,
}

/// The folder that jobs are written to.
#[derive(Clone, Debug)]
pub struct JobFolder {
    /// Where it is.
    pub path: PathBuf,
}

impl JobFolder {
    /// Writes one job, the JSON last. Blocks until both files are durable.
    ///
    /// # Errors
    /// Classed by what the engine should do next; nothing of a failed job is visible to the fax server, unless it is ambiguous.
    pub fn write(&self, fax: &FaxContent, job: &Job, document: &Bytes) -> Result<Sent, SendError> {
        let stem = &fax.file_stem;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if stem.is_empty() || !stem.bytes().all(plain) {
            return Err(SendError::Permanent("the file name of this fax is not one that can be written".to_owned()));
        }
        let json = serde_json::to_vec_pretty(job)
            .map_err(|error| SendError::Permanent(format!("the job cannot be written as JSON: {error}")))?;
        self.put(&format!("{stem}.pdf"), document)?;
        self.sync().map_err(|error| self.class(&error))?;
        self.put(&format!("{stem}.json"), &json)?;
        // From here on the fax server may have it.
        self.sync().map_err(|error| {
            SendError::Ambiguous(format!("the fax-out folder {} cannot be synced: {error}", self.path.display()))
        })?;
        Ok(Sent::noted(format!("{stem}.pdf and {stem}.json, {} pages", fax.pages)))
    }

    /// Takes away what still lies there of earlier letters of a delivery, all but the pair `stem`. A PDF whose JSON is gone is left: the
    /// fax server has taken the job, and may be sending it.
    fn take_back(&self, delivery: &str, stem: &str) -> Result<(), SendError> {
        let mut took = false;
        for entry in fs::read_dir(&self.path).map_err(|error| self.class(&error))? {
            let name = entry.map_err(|error| self.class(&error))?.file_name();
            let Some(old) = name.to_str().and_then(|name| name.strip_suffix(".json")) else { continue };
            let is_of_it = old.strip_prefix(delivery).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
            if !is_of_it || old == stem {
                continue;
            }
            match fs::remove_file(self.path.join(&name)) {
                Ok(()) => took = true,
                // Taken by the fax server this moment.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(self.class(&error)),
            }
            match fs::remove_file(self.path.join(format!("{old}.pdf"))) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(self.class(&error)),
                Ok(()) | Err(_) => {}
            }
        }
        if took { self.sync().map_err(|error| self.class(&error)) } else { Ok(()) }
    }

    /// Writes a file under a hidden name, makes its content durable, and lets it appear.
    fn put(&self, name: &str, content: &[u8]) -> Result<(), SendError> {
        let hidden = self.path.join(format!(".{name}.tmp"));
        let written = write_durably(&hidden, content).and_then(|()| fs::rename(&hidden, self.path.join(name)));
        written.map_err(|error| {
            // It is in nobody's way: hidden, and the next try replaces it.
            fs::remove_file(&hidden).ok();
            self.class(&error)
        })
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }

    fn class(&self, error: &io::Error) -> SendError {
        folder_trouble("fax-out folder", &self.path, error)
    }
}

fn write_durably(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(content)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::BodyId;

    fn fax(stem: &str) -> (FaxContent, Job, Bytes) {
        let document = Bytes::from_static(b"%PDF-1.7 a small one");
        let fax =
            FaxContent { number: "+14155550199".into(), document: BodyId::of(&document), pages: 2, file_stem: stem.to_owned() };
        let job = Job {
            number: fax.number.clone(),
            pages: 2,
            document: format!("{stem}.pdf"),
            reference: Some("LL-7K3M-Q9XD".into()),
            purpose: Purpose::ConfirmationRequest,
            created_at: "2026-11-21T17:02:11Z".parse().unwrap(),
        };
        (fax, job, document)
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_job_is_a_pdf_and_a_json_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let (fax, job, document) = fax("01KAVM6Q2C9Y2R0N4N5S8T3W7X");
        let sent = JobFolder { path: folder.path().into() }.write(&fax, &job, &document).unwrap();
        assert!(sent.note.contains("2 pages") && !sent.note.contains("555"));
        assert_eq!(names(folder.path()), ["01KAVM6Q2C9Y2R0N4N5S8T3W7X.json", "01KAVM6Q2C9Y2R0N4N5S8T3W7X.pdf"]);
        assert_eq!(fs::read(folder.path().join(&job.document)).unwrap(), document);
        let json: serde_json::Value =
            serde_json::from_slice(&fs::read(folder.path().join("01KAVM6Q2C9Y2R0N4N5S8T3W7X.json")).unwrap()).unwrap();
        assert_eq!(json["number"], "+14155550199");
        assert_eq!(json["pages"], 2);
        assert_eq!(json["purpose"], "confirmation-request");
        assert_eq!(json["created_at"], "2026-11-21T17:02:11Z");
        assert_eq!(json["document"], "01KAVM6Q2C9Y2R0N4N5S8T3W7X.pdf");
    }

    #[test]
    fn whoever_sees_the_json_can_read_the_whole_pdf() {
        let folder = tempfile::tempdir().unwrap();
        let jobs = JobFolder { path: folder.path().into() };
        let path = folder.path().to_owned();
        let server = std::thread::spawn(move || {
            let mut taken = 0;
            while taken < 50 {
                for name in names(&path).into_iter().filter(|name| name.ends_with(".json") && !name.starts_with('.')) {
                    let pdf = fs::read(path.join(name.replace(".json", ".pdf"))).unwrap();
                    assert_eq!(pdf.len(), 1_000_000);
                    fs::remove_file(path.join(name)).unwrap();
                    taken += 1;
                }
            }
        });
        for index in 0..50 {
            let (fax, job, _) = fax(&format!("JOB{index}"));
            jobs.write(&fax, &job, &vec![b'x'; 1_000_000].into()).unwrap();
        }
        server.join().unwrap();
    }

    #[test]
    fn sending_again_gives_the_same_files_whether_they_were_taken_or_not() {
        let folder = tempfile::tempdir().unwrap();
        let jobs = JobFolder { path: folder.path().into() };
        let (fax, job, document) = fax("JOB");
        jobs.write(&fax, &job, &document).unwrap();
        let first = fs::read(folder.path().join("JOB.json")).unwrap();
        jobs.write(&fax, &job, &document).unwrap();
        assert_eq!(names(folder.path()), ["JOB.json", "JOB.pdf"]);
        fs::remove_file(folder.path().join("JOB.json")).unwrap();
        fs::remove_file(folder.path().join("JOB.pdf")).unwrap();
        jobs.write(&fax, &job, &document).unwrap();
        assert_eq!(fs::read(folder.path().join("JOB.json")).unwrap(), first);
    }

    #[test]
    fn a_letter_written_anew_takes_the_place_of_the_old_pair() {
        let folder = tempfile::tempdir().unwrap();
        let jobs = JobFolder { path: folder.path().into() };
        for stem in ["JOB", "JOB-2", "JOBS"] {
            let (fax, job, document) = fax(stem);
            jobs.write(&fax, &job, &document).unwrap();
        }
        jobs.take_back("JOB", "JOB-3").unwrap();
        let (fax, job, document) = fax("JOB-3");
        jobs.write(&fax, &job, &document).unwrap();
        assert_eq!(names(folder.path()), ["JOB-3.json", "JOB-3.pdf", "JOBS.json", "JOBS.pdf"]);
        // The same letter again: its own pair stays until its equal replaces it.
        jobs.take_back("JOB", "JOB-3").unwrap();
        assert!(names(folder.path()).contains(&"JOB-3.json".to_owned()));
        // The server has taken the job and sends it.
        fs::remove_file(folder.path().join("JOB-3.json")).unwrap();
        jobs.take_back("JOB", "JOB-4").unwrap();
        assert!(names(folder.path()).contains(&"JOB-3.pdf".to_owned()));
    }

    #[test]
    fn a_missing_folder_is_the_channels_fault() {
        let folder = tempfile::tempdir().unwrap();
        let (fax, job, document) = fax("JOB");
        let missing = JobFolder { path: folder.path().join("gone") };
        assert!(matches!(missing.write(&fax, &job, &document), Err(SendError::Channel(why)) if why.contains("not there")));
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(matches!(JobFolder { path: file }.write(&fax, &job, &document), Err(SendError::Channel(_))));
    }

    #[test]
    fn a_full_disk_is_the_channels_fault_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let jobs = JobFolder { path: folder.path().into() };
        // Writing through this name ends on a device that is always full.
        std::os::unix::fs::symlink("/dev/full", folder.path().join(".JOB.pdf.tmp")).unwrap();
        let (fax, job, document) = fax("JOB");
        assert!(matches!(jobs.write(&fax, &job, &document), Err(SendError::Channel(why)) if why.contains("full")));
        assert!(names(folder.path()).is_empty());
        jobs.write(&fax, &job, &document).unwrap();
    }

    #[test]
    fn a_name_that_leads_out_of_the_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for stem in ["", "../JOB", "a/b", ".hidden", "a b"] {
            let (fax, job, document) = fax(stem);
            let refused = JobFolder { path: folder.path().into() }.write(&fax, &job, &document);
            assert!(matches!(refused, Err(SendError::Permanent(_))));
        }
        assert!(names(folder.path()).is_empty());
    }
}
