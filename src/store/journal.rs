//! The journal: append-only segments of frames, and the truth of the store.
//!
//! # Design notes
//! After a failed write or `fdatasync` nothing is known of the bytes behind the last durable frame (the kernel may have thrown
//! the dirty pages away and call them clean). So they are cut off, the cut is synced, and writing goes on in a new segment.
//! A segment that never held a durable frame is removed by that, so that a disk that stays full does not fill with empty ones.
//!
//! The start reads the whole journal, and refuses where a frame before others is damaged, while that is quick. Of a long one it reads
//! what was written last, and the segments before are read through while the store is open already: a start must not take longer with
//! each year of referrals, and damage in what was sealed long ago is no reason to take no new ones.

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use super::{
    OpenError, StoreError,
    crash::crash_point,
    disk::{Disk, DiskFile, Open, read_all, replace},
    frame::{self, Position},
};

/// A segment that has reached this is full; the next batch goes to a new one.
/// (Small in tests, so that they meet several.)
const SEGMENT_BYTES_MAX: u64 = if cfg!(test) { 128 * 1024 } else { 64 * 1024 * 1024 };
/// A journal of at most so many bytes is read whole at each start.
pub(super) const READ_AT_START_BYTES_MAX: u64 = 4 * SEGMENT_BYTES_MAX;
/// Segments kept open for reading.
const SEGMENTS_OPEN_MAX: usize = 64;
/// Bytes of a sealed segment that are checked at once behind the back of the store, before a rest.
const CHECKED_AT_ONCE_BYTES: u64 = SEGMENT_BYTES_MAX / 64;
const SUFFIX: &str = ".journal";

/// How far the journal goes, or how far the index has applied it: the end of the frame with that sequence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) segment: u64,
    pub(super) offset: u64,
    pub(super) sequence: u64,
}

/// How the process before this one ended, and so what the files can be believed to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// It stopped cleanly: all is on the disk.
    Stopped,
    /// It died, the machine did not: the page cache is as it left it. If a sync failed just before, the cache may show a frame
    /// that the disk does not have and that no later sync writes.
    Killed,
    /// The machine stopped: what is read is what the disk has.
    PowerCut,
}

/// The journal as the writer has it.
pub(super) struct Journal {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    file: Box<dyn DiskFile>,
    /// The end of the last durable frame.
    end: Place,
    damaged: bool,
    /// The segments that the start did not read.
    unread: Vec<u64>,
}

fn segment_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:016}{SUFFIX}"))
}

fn segment_numbers(disk: &dyn Disk, folder: &Path) -> io::Result<Vec<u64>> {
    let names = disk.list(folder)?;
    let mut numbers: Vec<u64> = names.iter().filter_map(|name| name.strip_suffix(SUFFIX)?.parse().ok()).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// What was found when the journal was read at start.
struct Scan {
    end: Place,
    /// The segment whose tail is torn.
    torn: Option<u64>,
    saw_applied: bool,
}

/// The segment before the first number that is missing: one that held nothing was removed, or somebody lost one, which the sequence of
/// what is behind it tells. Without a gap: one beyond all.
fn before_gap(numbers: &[u64]) -> u64 {
    let gap = std::iter::once(&0).chain(numbers).zip(numbers).find(|(before, number)| **number != **before + 1);
    gap.map_or(u64::MAX, |(before, _)| *before)
}

impl Journal {
    /// Syncs what may be only in the page cache, reads and checks the journal (a long one, unless the machine stopped, from the
    /// segment of `applied` on), cuts a torn tail off, and stands ready to append.
    pub(super) fn open(disk: Arc<dyn Disk>, folder: PathBuf, applied: Place, trust: Trust) -> Result<Self, OpenError> {
        let at = |path: &Path| {
            let path = path.to_path_buf();
            move |source| OpenError::Io { path, source }
        };
        let numbers = segment_numbers(&*disk, &folder).map_err(at(&folder))?;
        let mut bytes: u64 = 0;
        for number in &numbers {
            let path = segment_path(&folder, *number);
            bytes += disk.open(&path, Open::Write).and_then(|file| file.sync().and_then(|()| file.len())).map_err(at(&path))?;
        }
        disk.sync_dir(&folder).map_err(at(&folder))?;
        // Segments before were whole when their successor was begun; each entry of them is checked when it is read.
        let whole = trust == Trust::PowerCut || bytes <= READ_AT_START_BYTES_MAX;
        let from = if whole { 0 } else { applied.segment.min(before_gap(&numbers)) };
        let (read, unread): (Vec<u64>, Vec<u64>) = numbers.iter().copied().partition(|number| *number >= from);
        let scan = scan(&*disk, &folder, &read, from > 0, applied)?;
        let advice = "put it back from a backup, where all of the data folder must be of one moment; to go on without it, move the folder 'index' \
                      away and tell the senders to send again";
        if applied.sequence > 0 && !numbers.contains(&applied.segment) {
            return Err(OpenError::Missing { file: segment_path(&folder, applied.segment), advice: advice.to_owned() });
        }
        if applied.sequence > 0 && !scan.saw_applied {
            return Err(OpenError::Damaged {
                file: segment_path(&folder, applied.segment),
                offset: scan.end.offset,
                advice: format!(
                    "the journal ends at entry {} but entry {} was acknowledged: restore the folder from a backup or the missing \
                     file; to go on with what is left, move the folder 'index' away, and tell the senders to send again",
                    scan.end.sequence, applied.sequence
                ),
            });
        }
        for number in scan.torn.iter().flat_map(|torn| read.iter().filter(|number| *number >= torn)) {
            let path = segment_path(&folder, *number);
            let len = if *number == scan.end.segment { scan.end.offset } else { 0 };
            tracing::warn!(segment = number, offset = len, "cut off a batch that was never finished");
            cut(&*disk, &path, len).map_err(at(&path))?;
        }
        let last = numbers.last().copied();
        let offset = if last == Some(scan.end.segment) { scan.end.offset } else { 0 };
        let end = Place { segment: last.unwrap_or(1), offset, ..scan.end };
        let path = segment_path(&folder, end.segment);
        let file = match last {
            Some(_) if trust == Trust::Killed => rewrite(&*disk, &path, offset),
            Some(_) => disk.open(&path, Open::Write),
            None => disk.open(&path, Open::Create),
        };
        let file = file.map_err(at(&path))?;
        disk.sync_dir(&folder).map_err(at(&folder))?;
        Ok(Self { disk, folder, file, end, damaged: false, unread })
    }

    /// The end of the last durable frame.
    pub(super) fn end(&self) -> Place {
        self.end
    }

    /// Segments that the start did not read, because the journal is long; [`JournalReader::check`] reads them.
    pub(super) fn unread(&self) -> &[u64] {
        &self.unread
    }

    /// Makes room: mends what a failure left, and begins a new segment where this one is full.
    pub(super) fn make_ready(&mut self) -> io::Result<()> {
        if self.damaged {
            self.mend()
        } else if self.end.offset >= SEGMENT_BYTES_MAX {
            self.begin_segment()
        } else {
            Ok(())
        }
    }

    /// Writes a sealed frame (its header space left free) and makes it durable.
    pub(super) fn append(&mut self, frame: &mut [u8]) -> io::Result<()> {
        frame::seal(frame, self.end.segment, self.end.sequence + 1);
        let written = self.write_durably(frame);
        match &written {
            Ok(()) => {
                self.end.offset += frame.len() as u64;
                self.end.sequence += 1;
            }
            Err(_) => self.damaged = true,
        }
        written
    }

    fn write_durably(&self, frame: &[u8]) -> io::Result<()> {
        crash_point("before-write");
        self.file.write_all_at(frame, self.end.offset)?;
        crash_point("after-write");
        crash_point("before-fdatasync");
        self.file.sync()?;
        crash_point("after-fdatasync");
        Ok(())
    }

    fn mend(&mut self) -> io::Result<()> {
        let path = segment_path(&self.folder, self.end.segment);
        if self.end.offset > 0 {
            cut(&*self.disk, &path, self.end.offset)?;
        } else {
            match self.disk.remove(&path) {
                Ok(()) => {}
                // An earlier attempt came this far.
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(e),
            }
        }
        self.begin_segment()?;
        self.damaged = false;
        Ok(())
    }

    fn begin_segment(&mut self) -> io::Result<()> {
        let number = self.end.segment + 1;
        let file = self.disk.open(&segment_path(&self.folder, number), Open::Create)?;
        file.sync()?;
        self.disk.sync_dir(&self.folder)?;
        self.file = file;
        self.end = Place { segment: number, offset: 0, ..self.end };
        Ok(())
    }
}

fn cut(disk: &dyn Disk, path: &Path, len: u64) -> io::Result<()> {
    let file = disk.open(path, Open::Write)?;
    file.set_len(len)?;
    file.sync()
}

/// Writes a segment anew, so that what was read is on the disk whatever became of it before.
fn rewrite(disk: &dyn Disk, path: &Path, len: u64) -> io::Result<Box<dyn DiskFile>> {
    let mut bytes = read_all(disk, path)?;
    bytes.truncate(usize::try_from(len).unwrap_or(usize::MAX));
    replace(disk, path, &bytes)?;
    disk.open(path, Open::Write)
}

fn scan(disk: &dyn Disk, folder: &Path, numbers: &[u64], from_within: bool, applied: Place) -> Result<Scan, OpenError> {
    let mut scan = Scan { end: Place::default(), torn: None, saw_applied: false };
    let mut broken: Option<(PathBuf, u64)> = None;
    for (at, number) in numbers.iter().copied().enumerate() {
        let path = segment_path(folder, number);
        let bytes = read_all(disk, &path).map_err(|source| OpenError::Io { path: path.clone(), source })?;
        let mut offset = 0;
        if broken.is_none() {
            offset = scan_segment(&bytes, number, at == 0 && from_within, applied, &mut scan);
            if offset < bytes.len() {
                broken = Some((path, offset as u64));
                scan.torn = Some(number);
            }
        }
        let rest = bytes.get(offset..).unwrap_or_default();
        // A whole frame that does not follow is no damage of this file.
        if broken.is_some()
            && offset == 0
            && frame::read_frame(rest, number).is_some_and(|frame| frame.sequence > scan.end.sequence + 1)
            && at.checked_sub(1).and_then(|before| numbers.get(before)).copied().unwrap_or_default() + 1 < number
        {
            let file = segment_path(folder, number - 1);
            return Err(OpenError::Missing {
                file,
                advice: format!(
                    "the journal goes on behind it at a later entry than {}. Restore the data folder from a backup, or put the file back",
                    scan.end.sequence + 1
                ),
            });
        }
        if let Some((file, offset)) = &broken
            && frame::holds_later_frame(rest, number, scan.end.sequence)
        {
            return Err(OpenError::Damaged {
                file: file.clone(),
                offset: *offset,
                advice: "entries behind it are whole. Restore the data folder from a backup; do not cut the file off here, the entries behind hold \
                         acknowledged messages"
                    .to_owned(),
            });
        }
    }
    Ok(scan)
}

/// Reads whole frames in order; gives the offset where they end.
fn scan_segment(bytes: &[u8], number: u64, any_sequence: bool, applied: Place, scan: &mut Scan) -> usize {
    let mut offset = 0;
    if bytes.is_empty() {
        return 0;
    }
    let mut first = any_sequence;
    while let Some(frame) = bytes.get(offset..).and_then(|rest| frame::read_frame(rest, number)) {
        // A sequence that does not follow means that a segment before this one is missing: not whole, so it is reported.
        if !first && frame.sequence != scan.end.sequence + 1 {
            break;
        }
        first = false;
        offset += frame.bytes;
        scan.end = Place { segment: number, offset: offset as u64, sequence: frame.sequence };
        scan.saw_applied |= scan.end == applied;
    }
    if scan.end.segment != number {
        // Nothing whole in it: the journal ends before, and what is torn here is cut to nothing.
        scan.end = Place { segment: number, offset: 0, ..scan.end };
    }
    offset
}

/// Reads the frame at an offset, and gives its length if it is whole.
fn read_whole(file: &dyn DiskFile, offset: u64, segment: u64, bytes: &mut Vec<u8>) -> io::Result<Option<u64>> {
    let mut header = [0; frame::FRAME_HEADER_BYTES];
    file.read_exact_at(&mut header, offset)?;
    let left = file.len()? - offset;
    let Some(length) = frame::frame_bytes(&header, segment).filter(|length| *length as u64 <= left) else { return Ok(None) };
    bytes.resize(length, 0);
    file.read_exact_at(bytes, offset)?;
    Ok(frame::read_frame(bytes, segment).map(|frame| frame.bytes as u64))
}

/// Reads single entries and frames; shared by the writer and every reader.
pub(super) struct JournalReader {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    open: Mutex<HashMap<u64, Arc<dyn DiskFile>>>,
}

impl JournalReader {
    pub(super) fn new(disk: Arc<dyn Disk>, folder: PathBuf) -> Self {
        Self { disk, folder, open: Mutex::new(HashMap::new()) }
    }

    fn segment(&self, number: u64) -> io::Result<Arc<dyn DiskFile>> {
        let mut open = self.open.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(file) = open.get(&number) {
            return Ok(file.clone());
        }
        if open.len() >= SEGMENTS_OPEN_MAX {
            open.clear();
        }
        let file: Arc<dyn DiskFile> = self.disk.open(&segment_path(&self.folder, number), Open::Read)?.into();
        open.insert(number, file.clone());
        Ok(file)
    }

    /// Reads a sealed segment through, frame by frame, with a rest after each piece.
    ///
    /// # Errors
    /// The file, and the byte at which a frame is not whole.
    pub(super) fn check(&self, number: u64, mut rest: impl FnMut() -> bool) -> Result<(), (PathBuf, u64)> {
        let path = segment_path(&self.folder, number);
        let mut offset = 0;
        // Not among those kept open: it is read once.
        let whole = self.disk.open(&path, Open::Read).and_then(|file| {
            let (length, mut piece, mut bytes) = (file.len()?, 0, Vec::new());
            while offset < length {
                let Some(frame) = read_whole(&*file, offset, number, &mut bytes)? else { return Ok(false) };
                offset += frame;
                piece += frame;
                if piece >= CHECKED_AT_ONCE_BYTES {
                    piece = 0;
                    if !rest() {
                        return Ok(true);
                    }
                }
            }
            Ok(true)
        });
        if whole.unwrap_or(false) { Ok(()) } else { Err((path, offset)) }
    }

    /// The data of one entry, checked.
    pub(super) fn entry(&self, position: Position) -> Result<Vec<u8>, StoreError> {
        let unreadable = |why: &dyn std::fmt::Display| {
            StoreError::Unreadable(format!("journal segment {} at byte {}: {why}", position.segment, position.offset))
        };
        let mut bytes = vec![0; position.entry_bytes()];
        self.segment(position.segment)
            .and_then(|file| file.read_exact_at(&mut bytes, position.offset))
            .map_err(|e| unreadable(&e))?;
        match frame::split_entry(&bytes) {
            Some((entry, [])) => Ok(entry.data.to_vec()),
            Some(_) | None => Err(unreadable(&"the checksum does not fit")),
        }
    }

    /// Every frame after `from`, up to `end`, in order: where it ends, where its payload begins, the payload.
    pub(super) fn replay(
        &self,
        from: Place,
        end: Place,
        mut each: impl FnMut(Place, u64, &[u8]) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let fault = |e: io::Error| StoreError::Unreadable(format!("the journal: {e}"));
        let numbers = segment_numbers(&*self.disk, &self.folder).map_err(fault)?;
        for number in numbers.into_iter().filter(|number| (from.segment..=end.segment).contains(number)) {
            let bytes = read_all(&*self.disk, &segment_path(&self.folder, number)).map_err(fault)?;
            let mut offset = if number == from.segment { usize::try_from(from.offset).unwrap_or(usize::MAX) } else { 0 };
            let stop = if number == end.segment { usize::try_from(end.offset).unwrap_or(usize::MAX) } else { bytes.len() };
            while offset < stop {
                let rest = bytes.get(offset..).unwrap_or_default();
                let Some(frame) = frame::read_frame(rest, number) else {
                    return Err(StoreError::Unreadable(format!("journal segment {number} at byte {offset}: no whole frame")));
                };
                let payload_at = (offset + frame::FRAME_HEADER_BYTES) as u64;
                offset += frame.bytes;
                each(Place { segment: number, offset: offset as u64, sequence: frame.sequence }, payload_at, frame.payload)?;
            }
        }
        Ok(())
    }
}
