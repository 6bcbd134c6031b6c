//! A disk in memory that can lose power, fill up, and fail to sync.
//!
//! What was synced is kept. Of what was not, a power cut keeps an arbitrary subset: for each sector of 512 bytes the old or the
//! new content, for each file the old or the new length, for each name in a folder the old or the new file. A failed sync does
//! what Linux does: the cache goes on showing the new content, and no later sync writes it. Folders themselves are durable.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use rand::{Rng, rngs::StdRng};

use super::disk::{Disk, DiskFile, Open};

const SECTOR_BYTES: usize = 512;

#[derive(Clone, Default)]
struct Inode {
    /// What programs see.
    cached: Vec<u8>,
    /// What a power cut cannot take.
    durable: Vec<u8>,
    /// Sectors that differ and may or may not have reached the disk.
    dirty: BTreeSet<usize>,
}

/// What goes wrong, and when.
#[derive(Clone, Default)]
pub(super) struct Faults {
    /// Operations until the power goes; from then on everything fails.
    pub(super) power_after: Option<u64>,
    /// Bytes that may still be written.
    pub(super) room_bytes: Option<u64>,
    /// Syncs of files that fail from now on.
    pub(super) syncs_failing: u32,
    /// Whether cutting files fails too.
    pub(super) cuts_fail: bool,
}

#[derive(Clone, Default)]
struct State {
    inodes: Vec<Inode>,
    names: BTreeMap<PathBuf, usize>,
    names_durable: BTreeMap<PathBuf, usize>,
    folders: BTreeSet<PathBuf>,
    faults: Faults,
}

/// The disk. A clone is the same disk.
#[derive(Clone, Default)]
pub(super) struct SimulatedDisk {
    state: Arc<Mutex<State>>,
}

fn failed(what: &str) -> io::Error {
    io::Error::other(what.to_owned())
}

impl State {
    fn step(&mut self) -> io::Result<()> {
        match &mut self.faults.power_after {
            Some(0) => Err(failed("the power is gone")),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn write(&mut self, inode: usize, bytes: &[u8], offset: usize) -> io::Result<()> {
        let room = self.faults.room_bytes.map_or(bytes.len(), |room| bytes.len().min(usize::try_from(room).unwrap()));
        // A write that the power interrupts may have got any part of the way.
        let done = if self.step().is_err() { bytes.len() / 2 } else { room };
        let file = &mut self.inodes[inode];
        if file.cached.len() < offset + done {
            file.cached.resize(offset + done, 0);
        }
        file.cached[offset..offset + done].copy_from_slice(&bytes[..done]);
        file.dirty.extend(offset / SECTOR_BYTES..(offset + done).div_ceil(SECTOR_BYTES));
        if let Some(room) = &mut self.faults.room_bytes {
            *room -= done as u64;
        }
        match done == bytes.len() {
            true => Ok(()),
            false if self.faults.power_after == Some(0) => Err(failed("the power is gone")),
            false => Err(io::Error::from(io::ErrorKind::StorageFull)),
        }
    }

    fn sync(&mut self, inode: usize) -> io::Result<()> {
        self.step()?;
        let file = &mut self.inodes[inode];
        if self.faults.syncs_failing > 0 {
            self.faults.syncs_failing -= 1;
            file.dirty.clear();
            return Err(failed("input/output error"));
        }
        let length = file.cached.len();
        file.durable.resize(length, 0);
        for sector in std::mem::take(&mut file.dirty) {
            let range = (sector * SECTOR_BYTES).min(length)..((sector + 1) * SECTOR_BYTES).min(length);
            file.durable[range.clone()].copy_from_slice(&file.cached[range]);
        }
        Ok(())
    }
}

impl SimulatedDisk {
    fn locked(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(super) fn set_faults(&self, faults: Faults) {
        self.locked().faults = faults;
    }

    /// The machine runs on, the process is gone: the cache is as it was.
    pub(super) fn after_kill(&self) -> Self {
        let state = State { faults: Faults::default(), ..self.locked().clone() };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// The machine starts again after a power cut.
    pub(super) fn after_power_cut(&self, chance: &mut StdRng) -> Self {
        let state = self.locked();
        let mut names = BTreeMap::new();
        let all: BTreeSet<&PathBuf> = state.names.keys().chain(state.names_durable.keys()).collect();
        for path in all {
            let kept = if chance.random() { state.names.get(path) } else { state.names_durable.get(path) };
            if let Some(inode) = kept {
                names.insert(path.clone(), *inode);
            }
        }
        let inodes = state.inodes.iter().map(|inode| inode.after_power_cut(chance)).collect();
        let after = State { inodes, names_durable: names.clone(), names, folders: state.folders.clone(), ..State::default() };
        Self { state: Arc::new(Mutex::new(after)) }
    }
}

impl Inode {
    fn after_power_cut(&self, chance: &mut StdRng) -> Self {
        let length = if chance.random() { self.cached.len() } else { self.durable.len() };
        let mut kept = self.durable.clone();
        kept.resize(length, 0);
        for sector in &self.dirty {
            let range = (sector * SECTOR_BYTES).min(length)..((sector + 1) * SECTOR_BYTES).min(length);
            if let Some(new) = self.cached.get(range.clone())
                && chance.random()
            {
                kept[range].copy_from_slice(new);
            }
        }
        Self { cached: kept.clone(), durable: kept, dirty: BTreeSet::new() }
    }
}

struct SimulatedFile {
    disk: SimulatedDisk,
    inode: usize,
}

impl Disk for SimulatedDisk {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.locked();
        state.step()?;
        state.folders.insert(path.to_path_buf());
        Ok(())
    }

    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.locked();
        state.step()?;
        let inode = match (state.names.get(path).copied(), how) {
            (Some(inode), Open::Read | Open::Write) => inode,
            (Some(inode), Open::Create) => {
                state.inodes[inode].cached.clear();
                inode
            }
            (None, Open::Create) => {
                state.inodes.push(Inode::default());
                let inode = state.inodes.len() - 1;
                state.names.insert(path.to_path_buf(), inode);
                inode
            }
            (None, Open::Read | Open::Write) => return Err(io::Error::from(io::ErrorKind::NotFound)),
        };
        Ok(Box::new(SimulatedFile { disk: self.clone(), inode }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.locked();
        state.step()?;
        let inode = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.names.insert(to.to_path_buf(), inode);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.locked();
        state.step()?;
        state.names.remove(path).map(|_| ()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.locked();
        state.step()?;
        let now: Vec<(PathBuf, usize)> = state
            .names
            .iter()
            .filter(|(name, _)| name.parent() == Some(path))
            .map(|(name, inode)| (name.clone(), *inode))
            .collect();
        state.names_durable.retain(|name, _| name.parent() != Some(path));
        state.names_durable.extend(now);
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let mut state = self.locked();
        state.step()?;
        let here = |name: &&PathBuf| name.parent() == Some(path);
        let all = state.names.keys().filter(here).chain(state.folders.iter().filter(here));
        Ok(all.filter_map(|name| Some(name.file_name()?.to_string_lossy().into_owned())).collect())
    }
}

impl DiskFile for SimulatedFile {
    fn len(&self) -> io::Result<u64> {
        let mut state = self.disk.locked();
        state.step()?;
        Ok(state.inodes[self.inode].cached.len() as u64)
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let mut state = self.disk.locked();
        state.step()?;
        let offset = usize::try_from(offset).unwrap();
        let bytes = state.inodes[self.inode].cached.get(offset..offset + buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(bytes);
        Ok(())
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.disk.locked().write(self.inode, bytes, usize::try_from(offset).unwrap())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.disk.locked();
        state.step()?;
        if state.faults.cuts_fail {
            return Err(failed("input/output error"));
        }
        state.inodes[self.inode].cached.resize(usize::try_from(len).unwrap(), 0);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.locked().sync(self.inode)
    }
}
