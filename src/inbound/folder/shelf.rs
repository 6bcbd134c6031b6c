//! Where files go: `done/`, `duplicate/` and `failed/`. Nothing is deleted, and nothing is overwritten.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File},
    io::{self, Write},
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use ulid::Ulid;

use super::FolderConfig;

/// How many names ` (2)`, ` (3)` … are tried before one that is certain to be free: scanners call every fax `scan.pdf`.
const NUMBERED_NAMES_MAX: u32 = 16;
/// The longest file name, in bytes, with room for `.reason.txt` and a leading dot.
const NAME_BYTES_MAX: usize = 255 - 24;

/// A folder that files are moved to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shelf {
    /// Taken.
    Done,
    /// Taken before, from another file.
    Duplicate,
    /// Not taken, or not readable.
    Failed,
}

impl Shelf {
    pub(super) const ALL: [Self; 3] = [Self::Done, Self::Duplicate, Self::Failed];

    pub(super) fn folder(self, inbox: &Path) -> PathBuf {
        inbox.join(self.name())
    }

    /// The name of its folder.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Duplicate => "duplicate",
            Self::Failed => "failed",
        }
    }

    /// Moves a file here from the inbox, under its own name or one like it, and says which. [`sync`](Self::sync) makes it durable.
    pub(super) fn take(self, inbox: &Path, name: &OsStr) -> io::Result<OsString> {
        let folder = self.folder(inbox);
        let from = inbox.join(name);
        free_name(name, |candidate| {
            let moved = rename_no_replace(&from, &folder.join(candidate));
            match moved {
                // The folder was tidied away; or the file was, which the second try tells.
                Err(error) if error.kind() == io::ErrorKind::NotFound && !folder.exists() => {
                    fs::create_dir(&folder)?;
                    rename_no_replace(&from, &folder.join(candidate))
                }
                other => other,
            }
        })
    }

    /// Makes the moves since the last call durable. Until then a crash may bring a file back into the inbox, where it is known again.
    pub(super) fn sync(self, inbox: &Path) -> io::Result<()> {
        sync_folder(&self.folder(inbox))
    }
}

/// Makes a folder's names durable.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Puts a copy of a document that proved unreadable into `failed/`, with `NAME.reason.txt` beside it that says why in plain words. A copy
/// with the same name and content that is there already is used again, so that it is safe to call twice; other files are never touched.
///
/// # Errors
/// What the file system says; the message holds no name. Nothing is lost by it: the document is in the store.
pub async fn put_failed(config: &FolderConfig, name: &str, bytes: bytes::Bytes, reason: &str) -> io::Result<()> {
    let folder = Shelf::Failed.folder(&config.path);
    let (name, reason) = (plain_name(name), reason.to_owned());
    let written = tokio::task::spawn_blocking(move || {
        fs::create_dir_all(&folder)?;
        let name = put_new(&folder, &name, &bytes)?;
        put_reason(&folder, &name, &reason)
    });
    written.await.map_err(io::Error::other)?
}

/// Writes `NAME.reason.txt`, in place of an earlier one for the same file.
pub(super) fn put_reason(folder: &Path, name: &OsStr, reason: &str) -> io::Result<()> {
    let mut reason_name = name.to_owned();
    reason_name.push(".reason.txt");
    let text = format!(
        "{}\n\nThe document beside this note is unchanged. Once it is mended, drop it into the folder again.\n",
        reason.trim()
    );
    let hidden = write_hidden(folder, text.as_bytes())?;
    let placed = fs::rename(&hidden, folder.join(&reason_name)).and_then(|()| sync_folder(folder));
    tidy(&hidden, placed)
}

/// Writes a file under this name or one like it, unless it is there already with this content.
fn put_new(folder: &Path, name: &OsStr, bytes: &[u8]) -> io::Result<OsString> {
    let hidden = write_hidden(folder, bytes)?;
    let mut known = None;
    let placed = free_name(name, |candidate| {
        let there = folder.join(candidate);
        let as_long = fs::metadata(&there).is_ok_and(|metadata| metadata.len() == bytes.len() as u64);
        if as_long && fs::read(&there).is_ok_and(|content| content == bytes) {
            known = Some(candidate.to_owned());
            return Ok(());
        }
        rename_no_replace(&hidden, &folder.join(candidate))
    });
    if known.is_some() {
        fs::remove_file(&hidden)?;
    }
    let placed = tidy(&hidden, placed)?;
    sync_folder(folder)?;
    Ok(placed)
}

fn write_hidden(folder: &Path, bytes: &[u8]) -> io::Result<PathBuf> {
    let hidden = folder.join(format!(".{}.tmp", Ulid::new()));
    let write = || {
        let mut file = File::create_new(&hidden)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    tidy(&hidden, write())?;
    Ok(hidden)
}

/// Takes our own unfinished file away where the work on it failed.
fn tidy<T>(hidden: &Path, result: io::Result<T>) -> io::Result<T> {
    if result.is_err() {
        // It may be gone already, or the disk may be at fault: the first error is the one that tells.
        fs::remove_file(hidden).ok();
    }
    result
}

/// Calls `place` with one name after the other until one was free.
fn free_name(name: &OsStr, mut place: impl FnMut(&OsStr) -> io::Result<()>) -> io::Result<OsString> {
    let numbered = (1..=NUMBERED_NAMES_MAX).map(|number| if number == 1 { String::new() } else { format!(" ({number})") });
    for mark in numbered.chain([format!(" ({})", Ulid::new())]) {
        let candidate = with_mark(name, &mark);
        match place(&candidate) {
            Ok(()) => return Ok(candidate),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, "no free name was found"))
}

/// `scan.pdf` and ` (2)` give `scan (2).pdf`; a name that is too long loses the end of its stem.
fn with_mark(name: &OsStr, mark: &str) -> OsString {
    let path = Path::new(name);
    let stem = path.file_stem().unwrap_or(name).as_bytes();
    let ending = path.extension().map(|ending| [b".", ending.as_bytes()].concat()).unwrap_or_default();
    let ending = ending.get(..ending.len().min(64)).unwrap_or_default();
    let room = NAME_BYTES_MAX.saturating_sub(mark.len() + ending.len());
    let mut kept = stem.len().min(room);
    // Not within a character.
    while kept > 0 && stem.get(kept).is_some_and(|byte| byte & 0xC0 == 0x80) {
        kept -= 1;
    }
    OsString::from_vec([stem.get(..kept).unwrap_or(stem), mark.as_bytes(), ending].concat())
}

/// The name alone, that leads nowhere and is not hidden.
fn plain_name(name: &str) -> OsString {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let plain: String = last.chars().filter(|symbol| !symbol.is_control()).collect();
    let plain = plain.trim().trim_start_matches('.');
    if plain.is_empty() { "document".into() } else { plain.into() }
}

/// Renames unless the new name is taken.
fn rename_no_replace(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        // A network share that cannot: a hard link cannot replace anything either.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS | rustix::io::Errno::OPNOTSUPP) => link_and_unlink(from, to),
        Err(error) => Err(error.into()),
    }
}

fn link_and_unlink(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Ok(()) => fs::remove_file(from),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        // No links either (SMB, FAT). Nobody but us writes into these folders.
        Err(_) if fs::symlink_metadata(to).is_ok() => Err(io::ErrorKind::AlreadyExists.into()),
        Err(_) => fs::rename(from, to),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn inbox() -> tempfile::TempDir {
        let inbox = tempfile::tempdir().unwrap();
        for shelf in Shelf::ALL {
            fs::create_dir(shelf.folder(inbox.path())).unwrap();
        }
        inbox
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn files_of_one_name_all_keep_their_content() {
        let inbox = inbox();
        for content in 0..40_u8 {
            fs::write(inbox.path().join("scan.pdf"), [content]).unwrap();
            Shelf::Done.take(inbox.path(), OsStr::new("scan.pdf")).unwrap();
        }
        let done = Shelf::Done.folder(inbox.path());
        let mut contents: Vec<u8> = names(&done).iter().map(|name| fs::read(done.join(name)).unwrap()[0]).collect();
        contents.sort_unstable();
        assert_eq!(contents, (0..40).collect::<Vec<u8>>());
        assert_eq!(fs::read(done.join("scan.pdf")).unwrap(), [0]);
        assert_eq!(fs::read(done.join("scan (2).pdf")).unwrap(), [1]);
    }

    #[test]
    fn a_share_without_the_new_rename_overwrites_nothing_either() {
        let inbox = inbox();
        let (from, to) = (inbox.path().join("a"), inbox.path().join("b"));
        fs::write(&from, "new").unwrap();
        fs::write(&to, "old").unwrap();
        assert_eq!(link_and_unlink(&from, &to).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&to).unwrap(), b"old");
        link_and_unlink(&from, &inbox.path().join("c")).unwrap();
        assert_eq!(names(inbox.path()), ["b", "c", "done", "duplicate", "failed"]);
    }

    #[test]
    fn a_name_of_any_length_and_any_bytes_can_be_moved() {
        let inbox = inbox();
        let long: OsString = format!("{}.pdf", "ü".repeat(125)).into();
        let odd = OsString::from_vec(b"fax \xFF\xFE.tif".to_vec());
        for name in [&long, &odd] {
            for _ in 0..2 {
                fs::write(inbox.path().join(name), "x").unwrap();
                Shelf::Failed.take(inbox.path(), name).unwrap();
            }
        }
        assert_eq!(fs::read_dir(inbox.path().join("failed")).unwrap().count(), 4);
    }

    #[test]
    fn a_folder_that_was_tidied_away_is_made_again() {
        let inbox = inbox();
        fs::remove_dir(inbox.path().join("done")).unwrap();
        fs::write(inbox.path().join("a.pdf"), "x").unwrap();
        Shelf::Done.take(inbox.path(), OsStr::new("a.pdf")).unwrap();
        assert_eq!(names(&inbox.path().join("done")), ["a.pdf"]);
    }

    #[tokio::test]
    async fn an_unreadable_document_is_kept_with_its_reason_and_once() {
        let inbox = inbox();
        let config =
            FolderConfig { path: inbox.path().into(), stable_after_seconds: 0.1, poll_seconds: 0.1, file_bytes_max: 1_000 };
        let failed = inbox.path().join("failed");
        fs::write(failed.join("scan.pdf"), "another").unwrap();
        for _ in 0..2 {
            put_failed(&config, "scan.pdf", Bytes::from_static(b"broken"), "The file breaks off in the middle.").await.unwrap();
        }
        put_failed(&config, "../../scan.pdf", Bytes::from_static(b"third"), "No pages.").await.unwrap();
        assert_eq!(
            names(&failed),
            ["scan (2).pdf", "scan (2).pdf.reason.txt", "scan (3).pdf", "scan (3).pdf.reason.txt", "scan.pdf"]
        );
        assert_eq!(fs::read(failed.join("scan.pdf")).unwrap(), b"another");
        assert_eq!(fs::read(failed.join("scan (2).pdf")).unwrap(), b"broken");
        assert!(
            fs::read_to_string(failed.join("scan (2).pdf.reason.txt")).unwrap().starts_with("The file breaks off in the middle.")
        );
    }
}
