//! Maildir: a mail folder of three directories in which a mail is one file and is never half there.
//!
//! A writer fills `tmp/NAME`, syncs it and renames it into `new/`; a reader renames it on into `cur/NAME:2,FLAGS`. Every change
//! of a directory is synced before it is reported, so that what was reported survives a power cut.
//! Source: D. J. Bernstein, "Using maildir format".
//!
//! # Design notes
//! The original writer uses `link` so that a clash of names fails. Here [`Maildir::deliver`] takes the name from its caller and
//! replaces a file of that name: a delivery that is sent again after a crash then leaves one mail, not two. A clash between
//! different mails cannot happen as long as the names come from [`unique_name`] or from an id that is never reused.

use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

/// A Maildir whose three directories are there.
#[derive(Clone, Debug)]
pub struct Maildir {
    root: PathBuf,
}

/// One mail in `new/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its file name.
    pub name: String,
    /// Its path.
    pub path: PathBuf,
    /// Its length in bytes.
    pub bytes: u64,
    /// Its inode, modification time and length: tells the same file again from equal bytes in a new file.
    pub identity: String,
}

/// What is in `new/`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The mails, oldest name first (names begin with the time).
    pub entries: Vec<Entry>,
    /// Whether there are more than were asked for.
    pub more: bool,
    /// Folders, links, and names that are not UTF-8: none of them is a mail.
    pub passed_over: usize,
}

impl Maildir {
    /// Opens a Maildir; makes its directories where they are missing, and itself where only its last part is.
    ///
    /// # Errors
    /// What the file system says.
    pub fn open(root: impl Into<PathBuf>) -> io::Result<Self> {
        let root = root.into();
        // Only the last part is made: a path with a slip in it shall not become a mailbox that nobody delivers to.
        for directory in [root.clone(), root.join("tmp"), root.join("new"), root.join("cur")] {
            match fs::create_dir(&directory) {
                Err(error) if !directory.is_dir() => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        sync_directory(&root)?;
        Ok(Self { root })
    }

    /// The directory in which mails arrive.
    #[must_use]
    pub fn new_directory(&self) -> PathBuf {
        self.root.join("new")
    }

    /// Delivers a mail under a name that the caller chose; returns once it is durable.
    ///
    /// With the name of a mail that was delivered before, it replaces it while it is unread, and does nothing once a reader took it.
    ///
    /// # Errors
    /// What the file system says, and `InvalidInput` for a name that is no plain file name.
    pub fn deliver(&self, name: &str, mail: &[u8]) -> io::Result<()> {
        if name.is_empty() || name.starts_with('.') || name.contains(['/', ':', '\0']) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a plain file name for a Maildir"));
        }
        if self.was_taken(name)? {
            return Ok(());
        }
        let unfinished = self.root.join("tmp").join(name);
        let mut file = File::create(&unfinished)?;
        file.write_all(mail)?;
        file.sync_all()?;
        drop(file);
        fs::rename(&unfinished, self.root.join("new").join(name))?;
        sync_directory(&self.root.join("new"))
    }

    /// Whether a reader has moved the mail of this name to `cur/`.
    fn was_taken(&self, name: &str) -> io::Result<bool> {
        for entry in fs::read_dir(self.root.join("cur"))? {
            let entry = entry?.file_name();
            if stem(&entry.to_string_lossy()) == name {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The mails in `new/`, at most so many. Directories, links and hidden files are none.
    ///
    /// # Errors
    /// What the file system says of the directory; a file that disappears meanwhile is left out.
    pub fn list_new(&self, entries_max: usize) -> io::Result<Listing> {
        let mut names: Vec<String> = Vec::new();
        let mut listing = Listing::default();
        for entry in fs::read_dir(self.new_directory())? {
            // A name that is not UTF-8 is not a Maildir's: other programs' droppings stay where they are.
            match entry?.file_name().to_str() {
                Some(name) if name.starts_with('.') => {}
                Some(name) => names.push(name.to_owned()),
                None => listing.passed_over += 1,
            }
        }
        names.sort_unstable();
        for name in names {
            let path = self.new_directory().join(&name);
            let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
            if !metadata.is_file() {
                listing.passed_over += 1;
                continue;
            }
            if listing.entries.len() == entries_max {
                listing.more = true;
                break;
            }
            let identity = format!("{}:{}.{:09}:{}", metadata.ino(), metadata.mtime(), metadata.mtime_nsec(), metadata.len());
            listing.entries.push(Entry { name, path, bytes: metadata.len(), identity });
        }
        Ok(listing)
    }

    /// Moves a mail from `new/` to `cur/` with flags (`S` for seen), durably. Never onto another file.
    ///
    /// # Errors
    /// What the file system says; `NotFound` when it is not in `new/` any more.
    pub fn take(&self, name: &str, flags: &str) -> io::Result<PathBuf> {
        let from = self.new_directory().join(name);
        let stem = stem(name);
        let mut to = self.root.join("cur").join(format!("{stem}:2,{flags}"));
        let mut clash = 0_u32;
        while fs::symlink_metadata(&to).is_ok() {
            clash += 1;
            to = self.root.join("cur").join(format!("{stem}-{clash}:2,{flags}"));
        }
        fs::rename(&from, &to)?;
        sync_directory(&self.root.join("cur"))?;
        sync_directory(&self.new_directory())?;
        Ok(to)
    }
}

/// A name without its flags.
fn stem(name: &str) -> &str {
    name.split_once(':').map_or(name, |(stem, _)| stem)
}

/// A name that no other mail on this host has: time, process, a count. It says nothing of the mail.
#[must_use]
pub fn unique_name(host: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let host: String = host.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' || c == '.' { c } else { '-' }).collect();
    format!("{}.M{}P{}Q{count}.{host}", now.as_secs(), now.subsec_micros(), std::process::id())
}

fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn maildir() -> (tempfile::TempDir, Maildir) {
        let folder = tempfile::tempdir().unwrap();
        let maildir = Maildir::open(folder.path().join("box")).unwrap();
        (folder, maildir)
    }

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_is_no_mail_is_counted_and_a_path_with_a_slip_is_not_made() {
        use std::os::unix::ffi::OsStrExt as _;
        let (folder, maildir) = maildir();
        let new = maildir.new_directory();
        fs::create_dir(new.join("folder")).unwrap();
        fs::write(new.join(std::ffi::OsStr::from_bytes(b"8.\xff\xfename")), "a mail").unwrap();
        fs::write(new.join(".hidden"), "").unwrap();
        let listing = maildir.list_new(10).unwrap();
        assert_eq!((listing.entries.len(), listing.passed_over), (0, 2));
        let slip = folder.path().join("no/such/box");
        assert_eq!(Maildir::open(&slip).err().unwrap().kind(), io::ErrorKind::NotFound);
        assert!(!folder.path().join("no").exists());
    }

    #[test]
    fn a_delivered_mail_is_whole_in_new_and_nothing_is_left_in_tmp() {
        let (folder, maildir) = maildir();
        maildir.deliver(&unique_name("host.example"), b"Subject: x\r\n\r\nhello").unwrap();
        let listing = maildir.list_new(10).unwrap();
        assert_eq!(fs::read(&listing.entries[0].path).unwrap(), b"Subject: x\r\n\r\nhello");
        assert_eq!(listing.entries[0].bytes, 19);
        assert!(names(&folder.path().join("box/tmp")).is_empty());
    }

    #[test]
    fn delivering_again_under_the_same_name_leaves_one_mail_even_after_it_was_read() {
        let (folder, maildir) = maildir();
        maildir.deliver("01ABC", b"one").unwrap();
        maildir.deliver("01ABC", b"one").unwrap();
        assert_eq!(names(&folder.path().join("box/new")), ["01ABC"]);
        maildir.take("01ABC", "S").unwrap();
        maildir.deliver("01ABC", b"one").unwrap();
        assert!(names(&folder.path().join("box/new")).is_empty());
        assert_eq!(names(&folder.path().join("box/cur")), ["01ABC:2,S"]);
    }

    #[test]
    fn what_a_crash_left_half_written_in_tmp_is_written_over() {
        let (folder, maildir) = maildir();
        fs::write(folder.path().join("box/tmp/01ABC"), b"a much longer half-written mail").unwrap();
        maildir.deliver("01ABC", b"whole").unwrap();
        assert_eq!(fs::read(folder.path().join("box/new/01ABC")).unwrap(), b"whole");
    }

    #[test]
    fn moving_to_cur_never_replaces_another_mail() {
        let (folder, maildir) = maildir();
        fs::write(folder.path().join("box/new/a"), b"first").unwrap();
        maildir.take("a", "S").unwrap();
        fs::write(folder.path().join("box/new/a"), b"second").unwrap();
        maildir.take("a", "S").unwrap();
        assert_eq!(names(&folder.path().join("box/cur")), ["a-1:2,S", "a:2,S"]);
        assert_eq!(fs::read(folder.path().join("box/cur/a:2,S")).unwrap(), b"first");
    }

    #[test]
    fn directories_links_and_hidden_files_are_no_mails_and_the_list_is_limited() {
        let (folder, maildir) = maildir();
        let new = folder.path().join("box/new");
        fs::create_dir(new.join("folder")).unwrap();
        fs::write(new.join(".hidden"), b"x").unwrap();
        std::os::unix::fs::symlink("/etc/hostname", new.join("link")).unwrap();
        for name in ["1", "2", "3"] {
            fs::write(new.join(name), b"x").unwrap();
        }
        let listing = maildir.list_new(2).unwrap();
        assert_eq!(listing.entries.iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>(), ["1", "2"]);
        assert!(listing.more);
    }

    #[test]
    fn a_name_that_leaves_the_directory_is_refused() {
        let (_folder, maildir) = maildir();
        for name in ["../x", "", ".x", "a:2,S"] {
            assert_eq!(maildir.deliver(name, b"x").unwrap_err().kind(), io::ErrorKind::InvalidInput, "{name}");
        }
    }
}
