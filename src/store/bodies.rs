//! Content over 64 KB: files named by their SHA-256, `bodies/ab/ab12…`.
//!
//! A file is written under another name, synced, renamed and its folder synced before the frame that names it; one that is
//! there already is read, compared and synced before it is named again. Callers write them, side by side; only the start of the
//! store takes one away, when no frame names it.
//!
//! # Design notes
//! After a failed sync the page cache may show what the disk does not have, so a file whose sync failed is never believed
//! again by this process: it is written anew.

use std::{
    collections::HashSet,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use super::{
    codec,
    crash::crash_point,
    disk::{Disk, Open, read_all},
    frame::Digest,
};
use crate::ids::Named;

/// Content up to this stands in the journal's frame.
pub(super) const BODY_BYTES_INLINE_MAX: usize = 64 * 1024;
const UNFINISHED: &str = "unfinished";
/// Where content goes that no entry names, beside the folder of content, in a store whose index cannot vouch for its journal.
pub(super) const ORPHANS: &str = "bodies-unnamed";
/// Letters of a file's name that are its folder's name.
const SHARD_CHARACTERS: usize = 2;

/// Pieces of content that have no more than this together are packed together.
const TOGETHER_BYTES_MAX: usize = 15 * 1024;
/// At most so many.
const TOGETHER_MAX: usize = 16;

/// Content ready to be named by a transaction: durable if it is a file.
pub(super) enum Body {
    /// To be written in the frame, packed.
    Inline(Digest, Vec<u8>),
    /// Several pieces, to be written in the frame as one entry with these bytes.
    Together(Vec<Digest>, Vec<u8>),
    /// In a file, with its length.
    File(Digest, u64),
}

impl Body {
    /// Whether it has this content first.
    pub(super) fn begins_with(&self, wanted: &str) -> bool {
        let first = match self {
            Self::Inline(digest, _) | Self::File(digest, _) => Some(digest),
            Self::Together(digests, _) => digests.first(),
        };
        first.is_some_and(|digest| HEXLOWER.encode(digest) == wanted)
    }
}

/// Pieces of content in one entry: how many (one byte), the digest and the length (four bytes, little endian) of each, and all of them in
/// a row, packed.
///
/// # Design notes
/// An answer repeats half of the message that it answers: packed behind it, it is a quarter as long as alone.
pub(super) struct Together<'a> {
    pub(super) pieces: Vec<Piece>,
    packed: &'a [u8],
}

/// One of them.
pub(super) struct Piece {
    pub(super) digest: Digest,
    length: usize,
}

impl<'a> Together<'a> {
    /// The bytes of an entry that holds these; none: they are not packed together.
    fn pack(contents: &[Named]) -> Option<Body> {
        let length: usize = contents.iter().map(|content| content.len()).sum();
        if length > TOGETHER_BYTES_MAX || !(2..=TOGETHER_MAX).contains(&contents.len()) {
            return None;
        }
        let mut bytes = vec![u8::try_from(contents.len()).ok()?];
        let (mut digests, mut all) = (Vec::with_capacity(contents.len()), Vec::with_capacity(length));
        for content in contents {
            bytes.extend_from_slice(content.digest());
            bytes.extend_from_slice(&u32::try_from(content.len()).ok()?.to_le_bytes());
            digests.push(*content.digest());
            all.extend_from_slice(content);
        }
        bytes.extend_from_slice(&codec::pack(&all));
        Some(Body::Together(digests, bytes))
    }

    /// What an entry holds.
    pub(super) fn read(data: &'a [u8]) -> Option<Self> {
        let (count, mut rest) = data.split_first()?;
        let mut pieces = Vec::new();
        for _ in 0..*count {
            let (digest, after) = rest.split_first_chunk::<32>()?;
            let (length, after) = after.split_first_chunk::<4>()?;
            pieces.push(Piece { digest: *digest, length: usize::try_from(u32::from_le_bytes(*length)).ok()? });
            rest = after;
        }
        Some(Self { pieces, packed: rest })
    }

    /// One of the pieces.
    pub(super) fn piece(&self, number: u8) -> Result<Bytes, codec::CodecError> {
        let missing = || codec::CodecError("there are fewer pieces".to_owned());
        let number = usize::from(number);
        let from: usize = self.pieces.iter().take(number).map(|piece| piece.length).sum();
        let length = self.pieces.get(number).ok_or_else(missing)?.length;
        let all = Bytes::from(codec::unpack(self.packed)?);
        if from + length <= all.len() { Ok(all.slice(from..from + length)) } else { Err(missing()) }
    }
}

/// The folder of big content.
pub(super) struct Bodies {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    unfinished: AtomicU64,
    doubted: Mutex<HashSet<Digest>>,
}

/// The SHA-256 of content.
pub(super) fn digest_of(content: &[u8]) -> Digest {
    Sha256::digest(content).into()
}

impl Bodies {
    /// Makes the folders, and makes durable what a killed process may have left in them.
    pub(super) fn open(disk: Arc<dyn Disk>, folder: PathBuf) -> io::Result<Self> {
        disk.create_dir(&folder)?;
        disk.create_dir(&folder.join(UNFINISHED))?;
        disk.sync_dir(&folder)?;
        for name in disk.list(&folder)?.into_iter().filter(|name| name.len() == SHARD_CHARACTERS) {
            disk.sync_dir(&folder.join(name))?;
        }
        Ok(Self { disk, folder, unfinished: AtomicU64::new(0), doubted: Mutex::default() })
    }

    /// Whether content of this size is kept in a file.
    pub(super) fn is_file(content: &[u8]) -> bool {
        content.len() > BODY_BYTES_INLINE_MAX
    }

    /// Makes several pieces of content ready: packed together where they are small.
    pub(super) fn prepare_all(&self, contents: &[Named]) -> io::Result<Vec<Body>> {
        match Together::pack(contents) {
            Some(together) => Ok(vec![together]),
            None => contents.iter().map(|content| self.prepare(content)).collect(),
        }
    }

    /// Makes content ready to be named: packs it, or writes its file and makes that durable.
    pub(super) fn prepare(&self, content: &Named) -> io::Result<Body> {
        let digest = *content.digest();
        if !Self::is_file(content) {
            return Ok(Body::Inline(digest, codec::pack(content)));
        }
        if self.doubts(&digest) || !self.confirm(&digest).unwrap_or(false) {
            self.set_doubt(&digest, true);
            self.write(&digest, content)?;
            self.set_doubt(&digest, false);
        }
        Ok(Body::File(digest, content.len() as u64))
    }

    /// Whether a file of that content is there, and durable.
    fn confirm(&self, digest: &Digest) -> io::Result<bool> {
        let path = self.path(digest);
        if read_all(&*self.disk, &path).map(|content| digest_of(&content)).ok().as_ref() != Some(digest) {
            return Ok(false);
        }
        let synced = self.disk.open(&path, Open::Write)?.sync().and_then(|()| self.sync_folders(digest));
        if synced.is_err() {
            self.set_doubt(digest, true);
        }
        synced.map(|()| true)
    }

    fn write(&self, digest: &Digest, content: &[u8]) -> io::Result<()> {
        let number = self.unfinished.fetch_add(1, Ordering::Relaxed);
        let temporary = self.folder.join(UNFINISHED).join(format!("{}-{number}", std::process::id()));
        let written = self.write_as(&temporary, digest, content);
        if written.is_err() {
            // The room may be needed; the next start would take it away too, so a failure here changes nothing.
            self.disk.remove(&temporary).ok();
        }
        written
    }

    fn write_as(&self, temporary: &Path, digest: &Digest, content: &[u8]) -> io::Result<()> {
        let file = self.disk.open(temporary, Open::Create)?;
        file.write_all_at(content, 0)?;
        file.sync()?;
        crash_point("body-written");
        let path = self.path(digest);
        self.disk.create_dir(path.parent().unwrap_or(&self.folder))?;
        self.disk.rename(temporary, &path)?;
        self.sync_folders(digest)?;
        crash_point("body-renamed");
        Ok(())
    }

    fn sync_folders(&self, digest: &Digest) -> io::Result<()> {
        self.disk.sync_dir(self.path(digest).parent().unwrap_or(&self.folder))?;
        self.disk.sync_dir(&self.folder)
    }

    /// Content from its file, compared with its name.
    pub(super) fn read(&self, digest: &Digest) -> io::Result<Bytes> {
        let content = read_all(&*self.disk, &self.path(digest))?;
        if digest_of(&content) == *digest {
            Ok(content.into())
        } else {
            Err(io::Error::new(io::ErrorKind::InvalidData, "the file's content is not what its name says"))
        }
    }

    /// Whether there is any content.
    pub(super) fn has_any(&self) -> io::Result<bool> {
        let shards = self.disk.list(&self.folder)?.into_iter().filter(|name| name.len() == SHARD_CHARACTERS);
        for shard in shards {
            if !self.disk.list(&self.folder.join(shard))?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Takes away what no frame names: begun and never finished, or finished by a process that died before the commit.
    /// To be called at start alone, before anything can be written, with the journal fully applied.
    pub(super) fn remove_orphans(&self, is_named: impl FnMut(&Digest) -> Option<bool>) -> io::Result<usize> {
        self.orphans(is_named, |path| self.disk.remove(path))
    }

    /// The same, but what is finished goes to the folder [`ORPHANS`] beside the content.
    pub(super) fn set_orphans_aside(&self, is_named: impl FnMut(&Digest) -> Option<bool>) -> io::Result<usize> {
        let aside = self.folder.with_file_name(ORPHANS);
        self.orphans(is_named, |path| {
            self.disk.create_dir(&aside)?;
            self.disk.rename(path, &aside.join(path.file_name().unwrap_or_default()))
        })
    }

    fn orphans(
        &self,
        mut is_named: impl FnMut(&Digest) -> Option<bool>,
        mut put_away: impl FnMut(&Path) -> io::Result<()>,
    ) -> io::Result<usize> {
        let mut put = 0;
        let unfinished = self.folder.join(UNFINISHED);
        for name in self.disk.list(&unfinished)? {
            self.disk.remove(&unfinished.join(name))?;
        }
        for shard in self.disk.list(&self.folder)?.into_iter().filter(|name| name.len() == SHARD_CHARACTERS) {
            let shard = self.folder.join(shard);
            for name in self.disk.list(&shard)? {
                let digest = HEXLOWER.decode(name.as_bytes()).ok().and_then(|digest| Digest::try_from(digest).ok());
                if let Some(digest) = digest
                    && is_named(&digest) == Some(false)
                {
                    put_away(&shard.join(name))?;
                    put += 1;
                }
            }
        }
        Ok(put)
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        let name = HEXLOWER.encode(digest);
        let shard: String = name.chars().take(SHARD_CHARACTERS).collect();
        self.folder.join(shard).join(name)
    }

    fn doubts(&self, digest: &Digest) -> bool {
        self.doubted.lock().unwrap_or_else(std::sync::PoisonError::into_inner).contains(digest)
    }

    fn set_doubt(&self, digest: &Digest, doubt: bool) {
        let mut doubted = self.doubted.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if doubt {
            doubted.insert(*digest);
        } else {
            doubted.remove(digest);
        }
    }
}
