//! Runs: the keys of the index that are never taken away, many to one value of sled.
//!
//! A run is what one batch put, in the order of its keys, cut into blocks. A block is a value of sled; its key is `B`, the run's number
//! (4 bytes, big endian) and the block's first key. In it stand, for each key: the length of the key, the length of the value (one byte
//! each), the key, the value. The same key may stand in several runs: the newest holds. Which runs there are, the oldest first, stands
//! beside how far the journal is applied: number (4 bytes), level (1), entries (4), little endian.
//!
//! # Design notes
//! sled has at most 16 keys in a page and changes a page for each key that is put: 7 µs, and a message has nine keys that are never taken
//! away (see [`keys::is_kept`]), most of them in pages of their own. So they need not stand in sled by themselves: fifty in a block cost as
//! much as one. The price is a look into several runs. It is kept low by merging (16 runs of a level become one of the next, while it has
//! no more than [`MERGED_ENTRIES_MAX`]), and by a Bloom filter in memory that tells which run may have a key. Records are listed too, the
//! newest first: their ids begin with a time, so that nearly all of what is wanted next stands in one run.
//!
//! [`keys::is_kept`]: super::keys::is_kept

use std::collections::BTreeMap;

use super::{
    absent::{Layer as Filter, hash_of},
    index::IndexFault,
};

/// Begins the key of a block. It sorts before all keys of records, so that a check of the whole index comes to the runs first.
const BLOCKS: u8 = b'B';
/// A block that has grown to this is full. sled writes a page of 16 anew now and then, and must not come to 128 KB with it.
const BLOCK_BYTES: usize = 2_048;
/// Runs of one level that are merged into one of the next.
const RUNS_MERGED: usize = 16;
/// Runs are not merged into a larger one than this: sled answers nobody while it takes one.
const MERGED_ENTRIES_MAX: usize = 1 << 17;
const LISTED_BYTES: usize = 9;

/// A key and its value, as they stand in a block.
pub(super) type Entry<'b> = (&'b [u8], &'b [u8]);

/// Keys and their values, in order.
pub(super) type Entries = BTreeMap<Vec<u8>, Vec<u8>>;

/// Which runs there are, the oldest first.
#[derive(Default)]
pub(super) struct Runs {
    list: Vec<Run>,
}

/// One of them.
pub(super) struct Run {
    number: u32,
    level: u8,
    entries: usize,
    filter: Filter,
    /// Whether the filter has all of its keys.
    is_known: bool,
}

fn damaged(what: &str) -> IndexFault {
    IndexFault(format!("its runs: {what}"))
}

/// The key of the block of a run that begins with a key, or would.
pub(super) fn block_key(number: u32, first: &[u8]) -> Vec<u8> {
    [&[BLOCKS], &number.to_be_bytes()[..], first].concat()
}

/// The number of the run that a block belongs to; none: it is no key of a block.
pub(super) fn run_of(key: &[u8]) -> Option<u32> {
    let (number, _) = key.strip_prefix(&[BLOCKS])?.split_first_chunk()?;
    Some(u32::from_be_bytes(*number))
}

/// What a block holds.
pub(super) fn entries(block: &[u8]) -> Result<Vec<Entry<'_>>, IndexFault> {
    let mut entries = Vec::with_capacity(block.len() / 32);
    let mut rest = block;
    while let [key, value, after @ ..] = rest {
        let split = after.split_at_checked(usize::from(*key));
        let split = split.and_then(|(key, after)| Some((key, after.split_at_checked(usize::from(*value))?)));
        let (key, (value, after)) = split.ok_or_else(|| damaged("a block is cut off"))?;
        entries.push((key, value));
        rest = after;
    }
    if rest.is_empty() { Ok(entries) } else { Err(damaged("a block is cut off")) }
}

/// The value of a key, if the block has it.
pub(super) fn find<'b>(block: &'b [u8], key: &[u8]) -> Result<Option<&'b [u8]>, IndexFault> {
    Ok(entries(block)?.into_iter().find(|(known, _)| *known == key).map(|(_, value)| value))
}

/// The entries of several runs, whose blocks are given the oldest first, in the order of their keys, each key once.
pub(super) fn merged<'b>(blocks: impl Iterator<Item = &'b [u8]>) -> Result<Vec<Entry<'b>>, IndexFault> {
    let mut all = Vec::new();
    for block in blocks {
        all.extend(entries(block)?);
    }
    // Newer ones first among equals: the sort keeps their order.
    all.reverse();
    all.sort_by_key(|(key, _)| *key);
    all.dedup_by_key(|(key, _)| *key);
    Ok(all)
}

/// The last entries below a key, as they are gathered from run to run, the newest run first.
pub(super) struct Last<'k> {
    prefix: &'k [u8],
    below: &'k [u8],
    count: usize,
    found: Entries,
}

impl<'k> Last<'k> {
    /// At most so many, of those whose key has the prefix.
    pub(super) fn new(prefix: &'k [u8], below: &'k [u8], count: usize) -> Self {
        Self { prefix, below, count, found: Entries::new() }
    }

    /// Takes what a block of the run at hand has of them; gives whether the block before it may have more.
    pub(super) fn take(&mut self, block: &[u8]) -> Result<bool, IndexFault> {
        for (key, value) in entries(block)?.into_iter().rev() {
            let is_full = self.found.len() >= self.count;
            let is_too_early = is_full && self.found.first_key_value().is_some_and(|(first, _)| key <= first.as_slice());
            if is_too_early || key < self.prefix {
                return Ok(false);
            }
            // What is there already is newer.
            if key < self.below && key.starts_with(self.prefix) && !self.found.contains_key(key) {
                self.found.insert(key.to_vec(), value.to_vec());
                if is_full {
                    self.found.pop_first();
                }
            }
        }
        Ok(true)
    }

    /// What was found, and whether there may be more.
    pub(super) fn found(self) -> (Entries, bool) {
        let may_have_more = self.found.len() >= self.count;
        (self.found, may_have_more)
    }
}

impl Run {
    /// Makes a run of entries in the order of their keys, and gives its blocks.
    pub(super) fn new(number: u32, level: u8, entries: &[Entry<'_>], mut put: impl FnMut(Vec<u8>, Vec<u8>)) -> Self {
        let mut filter = Filter::new(entries.len());
        let (mut first, mut block): (&[u8], Vec<u8>) = (&[], Vec::with_capacity(BLOCK_BYTES));
        for (key, value) in entries {
            filter.add(hash_of(key));
            if block.is_empty() {
                first = key;
            }
            let length = |part: &[u8]| u8::try_from(part.len()).expect("keys and values of the index are short");
            block.extend([length(key), length(value)]);
            block.extend_from_slice(key);
            block.extend_from_slice(value);
            if block.len() >= BLOCK_BYTES {
                put(block_key(number, first), std::mem::replace(&mut block, Vec::with_capacity(BLOCK_BYTES)));
            }
        }
        if !block.is_empty() {
            put(block_key(number, first), block);
        }
        Self { number, level, entries: entries.len(), filter, is_known: true }
    }
}

impl Runs {
    /// The runs as they are listed. What is in them is not known yet.
    pub(super) fn read(listed: &[u8]) -> Result<Self, IndexFault> {
        let mut list: Vec<Run> = Vec::new();
        let mut rest = listed;
        while let Some((number, after)) = rest.split_first_chunk() {
            let split = after.split_first().and_then(|(level, after)| Some((level, after.split_first_chunk()?)));
            let (level, (entries, after)) = split.ok_or_else(|| damaged("their list is cut off"))?;
            let entries = usize::try_from(u32::from_le_bytes(*entries)).map_err(|_| damaged("their list"))?;
            let filter = Filter::new(entries);
            list.push(Run { number: u32::from_le_bytes(*number), level: *level, entries, filter, is_known: false });
            rest = after;
        }
        if rest.is_empty() { Ok(Self { list }) } else { Err(damaged("their list is cut off")) }
    }

    /// Appends their list.
    pub(super) fn write<'r>(runs: impl Iterator<Item = &'r Run>, out: &mut Vec<u8>) {
        for run in runs {
            out.reserve(LISTED_BYTES);
            out.extend_from_slice(&run.number.to_le_bytes());
            out.push(run.level);
            let entries = u32::try_from(run.entries).expect("a run has few entries");
            out.extend_from_slice(&entries.to_le_bytes());
        }
    }

    /// All of them, the oldest first.
    pub(super) fn all(&self) -> impl Iterator<Item = &Run> {
        self.list.iter()
    }

    /// The number of the next one.
    pub(super) fn next_number(&self) -> u32 {
        self.list.last().map_or(1, |last| last.number + 1)
    }

    /// Adds the newest.
    pub(super) fn push(&mut self, run: Run) {
        self.list.push(run);
    }

    /// The runs that are to be merged now, the newest ones: their numbers, the oldest first, and the level of what they become.
    pub(super) fn to_merge(&self) -> Option<(Vec<u32>, u8)> {
        let newest = self.list.get(self.list.len().checked_sub(RUNS_MERGED)?..)?;
        let level = newest.first()?.level;
        let entries: usize = newest.iter().map(|run| run.entries).sum();
        let fits = newest.iter().all(|run| run.level == level) && entries <= MERGED_ENTRIES_MAX;
        fits.then(|| (newest.iter().map(|run| run.number).collect(), level.saturating_add(1)))
    }

    /// All of them but the newest ones that are being merged.
    pub(super) fn without_merged(&self) -> impl Iterator<Item = &Run> {
        self.list.iter().take(self.list.len().saturating_sub(RUNS_MERGED))
    }

    /// Puts what the newest ones were merged into in their place.
    pub(super) fn replace_merged(&mut self, run: Run) {
        self.list.truncate(self.list.len().saturating_sub(RUNS_MERGED));
        self.list.push(run);
    }

    /// Their numbers, the newest first.
    pub(super) fn newest_first(&self) -> impl Iterator<Item = u32> {
        self.list.iter().rev().map(|run| run.number)
    }

    /// The runs that may have a key, the newest first.
    pub(super) fn that_may_have(&self, key: &[u8]) -> impl Iterator<Item = u32> {
        let hash = hash_of(key);
        self.list.iter().rev().filter(move |run| !run.is_known || run.filter.may_have(hash)).map(|run| run.number)
    }

    /// Notes that a run was found to have these keys.
    pub(super) fn saw(&mut self, number: u32, entries: &[Entry<'_>]) {
        if let Ok(at) = self.list.binary_search_by_key(&number, |run| run.number)
            && let Some(run) = self.list.get_mut(at).filter(|run| !run.is_known)
        {
            entries.iter().for_each(|(key, _)| run.filter.add(hash_of(key)));
        }
    }

    /// All blocks below this key were seen; none: all blocks.
    pub(super) fn saw_all_below(&mut self, key: Option<&[u8]>) {
        let is_below = |run: &Run| key.is_none_or(|key| block_key(run.number + 1, &[]).as_slice() <= key);
        self.list.iter_mut().filter(|run| is_below(run)).for_each(|run| run.is_known = true);
    }

    /// How many entries each must have.
    pub(super) fn sizes(&self) -> BTreeMap<u32, usize> {
        self.list.iter().map(|run| (run.number, run.entries)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block with its key.
    type Block = (Vec<u8>, Vec<u8>);

    fn run(number: u32, entries: &[Entry<'_>]) -> (Run, Vec<Block>) {
        let mut blocks = Vec::new();
        let run = Run::new(number, 0, entries, |key, block| blocks.push((key, block)));
        (run, blocks)
    }

    #[test]
    fn every_entry_stands_in_the_block_that_its_key_leads_to() {
        let keys: Vec<Vec<u8>> = (0..500_u32).map(|number| format!("k{number:05}").into_bytes()).collect();
        let all: Vec<Entry<'_>> = keys.iter().map(|key| (key.as_slice(), &b"value"[..])).collect();
        let (run, blocks) = run(7, &all);
        assert!(blocks.len() > 1 && blocks.iter().all(|(key, block)| run_of(key) == Some(7) && block.len() < BLOCK_BYTES + 64));
        for key in &keys {
            let (_, block) = blocks.iter().rfind(|(first, _)| *first <= block_key(7, key)).unwrap();
            assert_eq!(find(block, key).unwrap(), Some(&b"value"[..]));
            assert_eq!(find(block, b"another").unwrap(), None);
        }
        assert!(entries(&blocks[0].1[..blocks[0].1.len() - 1]).is_err() && entries(&[1]).is_err());
        let mut listed = Vec::new();
        Runs::write([run].iter(), &mut listed);
        assert_eq!(Runs::read(&listed).unwrap().sizes(), [(7, 500)].into());
        assert!(Runs::read(&listed[..LISTED_BYTES - 1]).is_err());
    }

    #[test]
    fn the_newest_value_is_what_is_left_of_a_key() {
        let (_, old) = run(1, &[(b"a", b"old"), (b"b", b"old")]);
        let (_, new) = run(2, &[(b"b", b"new"), (b"c", b"new")]);
        let blocks = [&old[0].1, &new[0].1];
        let merged = merged(blocks.into_iter().map(Vec::as_slice)).unwrap();
        assert_eq!(merged, [(&b"a"[..], &b"old"[..]), (b"b", b"new"), (b"c", b"new")]);
    }

    #[test]
    fn the_last_entries_are_gathered_with_their_newest_values() {
        let runs: [&[Entry<'_>]; 3] = [
            &[(b"m5", b"new"), (b"m8", b"new"), (b"n1", b"")],
            &[(b"k9", b""), (b"m3", b"old"), (b"m5", b"old"), (b"m7", b"old")],
            &[(b"m1", b"old"), (b"m2", b"old"), (b"m8", b"old"), (b"m9", b"old")],
        ];
        let last = |below: &[u8], count| {
            let mut last = Last::new(b"m", below, count);
            for entries in runs {
                last.take(&run(1, entries).1[0].1).unwrap();
            }
            let (found, may_have_more) = last.found();
            let text: Vec<String> =
                found.iter().map(|(key, value)| String::from_utf8([&key[..], value].concat()).unwrap()).collect();
            (text.join(" "), may_have_more)
        };
        assert_eq!(last(b"n", 3), ("m7old m8new m9old".to_owned(), true));
        assert_eq!(last(b"m7", 3), ("m2old m3old m5new".to_owned(), true));
        assert_eq!(last(b"m2", 3), ("m1old".to_owned(), false));
    }

    #[test]
    fn a_run_whose_keys_are_not_all_known_may_have_any() {
        let mut listed = Vec::new();
        let (first, blocks) = run(1, &[(b"a", b"")]);
        Runs::write([first, run(2, &[(b"b", b"")]).0].iter(), &mut listed);
        let mut runs = Runs::read(&listed).unwrap();
        assert_eq!(runs.that_may_have(b"a").collect::<Vec<_>>(), [2, 1]);
        runs.saw(1, &entries(&blocks[0].1).unwrap());
        runs.saw_all_below(Some(&block_key(2, b"b")));
        assert_eq!(runs.that_may_have(b"a").collect::<Vec<_>>(), [2, 1]);
        assert_eq!(runs.that_may_have(b"x").collect::<Vec<_>>(), [2]);
        runs.saw_all_below(None);
        assert_eq!(runs.that_may_have(b"a").collect::<Vec<_>>(), [1], "the second was not shown its key");
    }

    #[test]
    fn only_runs_of_one_level_are_merged_and_only_small_ones() {
        let mut runs = Runs::default();
        for number in 0..RUNS_MERGED {
            assert!(runs.to_merge().is_none());
            runs.push(run(u32::try_from(number).unwrap() + 1, &[(b"a", b"")]).0);
        }
        let (numbers, level) = runs.to_merge().unwrap();
        assert_eq!((numbers.len(), level), (RUNS_MERGED, 1));
        runs.replace_merged(Run::new(runs.next_number(), level, &[(b"a", b"")], |_, _| {}));
        assert_eq!(runs.sizes(), [(17, 1)].into());
        for _ in 1..RUNS_MERGED {
            runs.push(Run::new(runs.next_number(), 0, &[(b"a", b"")], |_, _| {}));
        }
        assert!(runs.to_merge().is_none(), "the first of the sixteen is of another level");
        runs.list.iter_mut().for_each(|run| (run.level, run.entries) = (3, MERGED_ENTRIES_MAX / 8));
        assert!(runs.to_merge().is_none(), "too large together");
    }
}
