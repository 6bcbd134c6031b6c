//! What the index surely does not have, without asking sled.
//!
//! # Design notes
//! Nearly every question about a new message is whether something is there already (the message itself, its number, its patient), nearly
//! every answer is no, and sled takes microseconds for each. A Bloom filter in memory says "surely not" or "maybe", and only a maybe is
//! asked further. It grows by layers of twice the room: 12 bits a key and at most as much again, some 25 MB with a million referrals. (The
//! filters of single runs in `runs.rs` are made of the same and have 13 MB then.)
//! A key that was taken away stays a maybe.
//!
//! It knows the keys of an index that was there before once all of it was read, at the start or behind its back; until then everything is
//! a maybe.

use std::{
    hash::BuildHasher,
    sync::{LazyLock, PoisonError, RwLock},
};

/// Keys of the first layer.
const LAYER_KEYS: usize = 1 << 17;
/// One cache line.
const BLOCK_BITS: usize = 512;
const BLOCK_WORDS: usize = BLOCK_BITS / 64;
const BITS_A_KEY: usize = 12;
/// Bits that are set for a key.
const MARKS: u64 = 6;

/// The filter.
#[derive(Default)]
pub(super) struct Absent {
    known: RwLock<Known>,
}

#[derive(Default)]
struct Known {
    layers: Vec<Layer>,
    /// Whether it has every key of the index.
    whole: bool,
}

/// A Bloom filter with room for so many keys.
pub(super) struct Layer {
    blocks: Vec<[u64; BLOCK_WORDS]>,
    /// How many keys may still be added.
    room: usize,
}

impl Layer {
    pub(super) fn new(keys: usize) -> Self {
        Self { blocks: vec![[0; BLOCK_WORDS]; (keys * BITS_A_KEY).div_ceil(BLOCK_BITS)], room: keys }
    }

    /// The block of a key, and the bits within it.
    fn place(&self, hash: u64) -> (usize, impl Iterator<Item = (usize, u64)> + use<>) {
        let scaled = u128::from(hash) * self.blocks.len() as u128;
        let block = usize::try_from(scaled >> 64).expect("below the number of blocks");
        let (from, step) = (hash & 0xFFFF_FFFF, (hash >> 23) | 1);
        let bits = (0..MARKS).map(move |number| {
            let bit = from.wrapping_add(step.wrapping_mul(number)) % BLOCK_BITS as u64;
            (usize::try_from(bit / 64).expect("a word of a block"), 1 << (bit % 64))
        });
        (block, bits)
    }

    pub(super) fn may_have(&self, hash: u64) -> bool {
        let (block, mut bits) = self.place(hash);
        self.blocks.get(block).is_some_and(|words| bits.all(|(word, bit)| words.get(word).is_some_and(|it| it & bit != 0)))
    }

    pub(super) fn add(&mut self, hash: u64) {
        let (block, bits) = self.place(hash);
        if let Some(words) = self.blocks.get_mut(block) {
            bits.for_each(|(word, bit)| words.iter_mut().skip(word).take(1).for_each(|it| *it |= bit));
        }
        self.room = self.room.saturating_sub(1);
    }
}

/// Of a key, in this process alone: filters are made anew at each start.
pub(super) fn hash_of(key: &[u8]) -> u64 {
    static SEEDED: LazyLock<foldhash::quality::RandomState> = LazyLock::new(Default::default);
    SEEDED.hash_one(key)
}

impl Absent {
    /// Whether the index surely has no such key.
    pub(super) fn surely(&self, key: &[u8]) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.whole && {
            let hash = hash_of(key);
            !known.layers.iter().any(|layer| layer.may_have(hash))
        }
    }

    /// Adds keys that the index has, or is about to have.
    pub(super) fn add<'k>(&self, keys: impl Iterator<Item = &'k [u8]>) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        for key in keys {
            if known.layers.last().is_none_or(|layer| layer.room == 0) {
                let layer = Layer::new(LAYER_KEYS << known.layers.len());
                known.layers.push(layer);
            }
            if let Some(layer) = known.layers.last_mut() {
                layer.add(hash_of(key));
            }
        }
    }

    /// From now on it has every key of the index.
    pub(super) fn is_whole(&self) {
        self.known.write().unwrap_or_else(PoisonError::into_inner).whole = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_that_is_there_is_ever_called_absent_and_few_others_are_not() {
        let absent = Absent::default();
        let key = |number: u32| format!("k{number}").into_bytes();
        let keys: Vec<Vec<u8>> = (0..300_000).map(key).collect();
        absent.add(keys.iter().map(Vec::as_slice));
        assert!(!absent.surely(&key(400_000)), "nothing is sure before it has every key");
        absent.is_whole();
        assert!(keys.iter().all(|key| !absent.surely(key)));
        let wrong = (400_000..500_000).filter(|number| !absent.surely(&key(*number))).count();
        assert!(wrong < 4_000, "{wrong} of 100,000 would be asked for nothing");
    }
}
