//! Packs short pieces by LZ4, for a packer that was told beforehand what most of them say.
//!
//! What is written is LZ4's block format, sequence after sequence: a token (four bits for how many literals, four for the length of the
//! match less four; 15 says that more bytes of it follow), the literals, how far back the match is (two bytes, little endian). The last
//! sequence has literals alone. `lz4_flex` reads it.
//!
//! # Design notes
//! `lz4_flex` packs too. It learns the dictionary anew for each piece, and only every third place of it: for the three pieces of one
//! referral message that took 15 µs, and takes 8 here, where it is learned once. They are 100 bytes shorter too.

/// Places that are remembered, one for each hash of what stands there.
const PLACES: usize = 1 << PLACES_BITS;
const PLACES_BITS: u32 = 12;
/// No match is shorter.
const MATCH_BYTES_MIN: usize = 4;
/// The format wants so many literals at the end.
const LITERALS_AT_END: usize = 5;
/// And no match that begins nearer to the end.
const MATCH_BEFORE_END: usize = 12;
/// What a token says of a length by itself.
const SHORT_MAX: usize = 15;
/// Few literals are copied as so many at once, which is quicker; what is too much is taken back.
const COPIED_BYTES: usize = 16;
/// So many places without a match, as a power of two, and only every second is tried; so many more, every third.
const TRIES_BITS: u32 = 6;

/// Where something was seen last, by its hash.
type Seen = [u16; PLACES];

/// What the packer is told beforehand.
pub(super) struct Dictionary {
    bytes: &'static [u8],
    seen: Box<Seen>,
}

/// What packing needs of memory, kept from piece to piece.
pub(super) struct Packer {
    /// The dictionary, and behind it the piece.
    text: Vec<u8>,
    seen: Box<Seen>,
    packed: Vec<u8>,
}

/// What stands at `at` and stood before.
struct Match {
    at: usize,
    before: usize,
    length: usize,
}

fn place(at: usize) -> u16 {
    u16::try_from(at).expect("a longer text is not packed")
}

/// The eight bytes at a place that has so many.
fn eight(text: &[u8], at: usize) -> u64 {
    text.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// Whether the first four of eight bytes are the same.
fn begin_alike(one: u64, other: u64) -> bool {
    (one ^ other).trailing_zeros() >= u32::BITS
}

/// The hash of the first five of eight bytes.
fn hash(eight: u64) -> usize {
    const PRIME: u64 = 889_523_592_379;
    let hash = (eight << 24).wrapping_mul(PRIME) >> (u64::BITS - PLACES_BITS);
    usize::try_from(hash).expect("twelve bits")
}

impl Dictionary {
    /// Learns it.
    pub(super) fn new(bytes: &'static [u8]) -> Self {
        let mut seen = Box::new([0; PLACES]);
        for at in 0..bytes.len().saturating_sub(size_of::<u64>()) {
            seen[hash(eight(bytes, at))] = place(at);
        }
        Self { bytes, seen }
    }
}

impl Packer {
    pub(super) fn new() -> Self {
        Self { text: Vec::new(), seen: Box::new([0; PLACES]), packed: Vec::new() }
    }

    /// The piece, packed; none: with the dictionary it is longer than a match can reach back.
    pub(super) fn pack(&mut self, piece: &[u8], known: &Dictionary) -> Option<&[u8]> {
        self.text.clear();
        self.text.extend_from_slice(known.bytes);
        self.text.extend_from_slice(piece);
        u16::try_from(self.text.len()).ok()?;
        self.seen.copy_from_slice(&known.seen[..]);
        self.packed.clear();
        let mut literals = known.bytes.len();
        while let Some(found) = self.next_match(literals) {
            self.push_sequence(literals, &found);
            literals = found.at + found.length;
            let near_end = literals - 2;
            self.saw(near_end, eight(&self.text, near_end));
        }
        self.push_last(literals);
        Some(&self.packed)
    }

    /// Notes what stands at a place; gives where something of that hash stood before.
    fn saw(&mut self, at: usize, eight: u64) -> usize {
        usize::from(std::mem::replace(&mut self.seen[hash(eight)], place(at)))
    }

    /// The next match, at `literals` or later.
    fn next_match(&mut self, literals: usize) -> Option<Match> {
        let end = self.text.len().checked_sub(MATCH_BEFORE_END)?;
        let (mut at, mut tries) = (literals, 1 << TRIES_BITS);
        while at <= end {
            let here = eight(&self.text, at);
            let before = self.saw(at, here);
            if before < at && begin_alike(eight(&self.text, before), here) {
                return Some(self.whole(at, before, literals));
            }
            at += tries >> TRIES_BITS;
            tries += 1;
        }
        None
    }

    /// The whole of a match: it may begin earlier, and is as long as it can be.
    fn whole(&self, at: usize, before: usize, literals: usize) -> Match {
        let text = self.text.get(..self.text.len() - LITERALS_AT_END).unwrap_or_default();
        let mut length = MATCH_BYTES_MIN;
        while at + length + size_of::<u64>() <= text.len() {
            let differs = eight(text, at + length) ^ eight(text, before + length);
            if differs != 0 {
                length += usize::try_from(differs.trailing_zeros() / u8::BITS).expect("below eight");
                break;
            }
            length += size_of::<u64>();
        }
        if at + length + size_of::<u64>() > text.len() {
            while at + length < text.len() && text[at + length] == text[before + length] {
                length += 1;
            }
        }
        let earlier = (1..=before.min(at - literals)).take_while(|back| text[at - back] == text[before - back]).count();
        Match { at: at - earlier, before: before - earlier, length: length + earlier }
    }

    fn push_sequence(&mut self, literals: usize, found: &Match) {
        let Self { text, packed, .. } = self;
        let (many, more) = (found.at - literals, found.length - MATCH_BYTES_MIN);
        packed.push(token(many, more));
        push_length(packed, many);
        match text.get(literals..literals + COPIED_BYTES) {
            Some(copied) if many <= COPIED_BYTES => {
                packed.extend_from_slice(copied);
                packed.truncate(packed.len() - (COPIED_BYTES - many));
            }
            Some(_) | None => packed.extend_from_slice(&text[literals..found.at]),
        }
        packed.extend_from_slice(&place(found.at - found.before).to_le_bytes());
        push_length(packed, more);
    }

    fn push_last(&mut self, literals: usize) {
        let last = self.text.get(literals..).unwrap_or_default();
        self.packed.push(token(last.len(), 0));
        push_length(&mut self.packed, last.len());
        self.packed.extend_from_slice(last);
    }
}

fn token(literals: usize, more: usize) -> u8 {
    u8::try_from(literals.min(SHORT_MAX) << 4 | more.min(SHORT_MAX)).expect("two times four bits")
}

/// What a token does not say of a length.
fn push_length(packed: &mut Vec<u8>, length: usize) {
    let Some(mut rest) = length.checked_sub(SHORT_MAX) else { return };
    while let Some(after) = rest.checked_sub(usize::from(u8::MAX)) {
        packed.push(u8::MAX);
        rest = after;
    }
    packed.push(u8::try_from(rest).expect("what is left is below 255"));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KNOWN: &[u8] = b"{\"message\":{\"id\":\",\"channel\":\",\"protocol\":\"hl7\",\"received_at\":\"2026-";

    fn assert_comes_back(piece: &[u8], known: &'static [u8]) {
        let mut packer = Packer::new();
        let dictionary = Dictionary::new(known);
        // Twice: nothing of the first is left for the second.
        let first = packer.pack(piece, &dictionary).unwrap().to_vec();
        let packed = packer.pack(piece, &dictionary).unwrap();
        assert_eq!(packed, first);
        assert_eq!(lz4_flex::block::decompress_with_dict(packed, piece.len(), known).unwrap(), piece);
    }

    proptest! {
        #[test]
        fn any_piece_comes_back(words in proptest::collection::vec("(id|channel|[a-c]{1,9}|[\"{:,]{1,4}|[0-9]{1,40})", 0..300)) {
            let piece = words.concat();
            assert_comes_back(piece.as_bytes(), KNOWN);
            assert_comes_back(piece.as_bytes(), b"");
        }
    }

    #[test]
    fn every_length_of_literals_and_matches_comes_back() {
        let noise: Vec<u8> = (0..700_u32).map(|number| number.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
        for length in (0..40).chain([269, 270, 271, 524, 525, 526, 600]) {
            let literals = noise.get(..length).unwrap();
            let repeated = [literals, KNOWN, &vec![b'x'; length], literals, b"the end of it all"].concat();
            for piece in [literals, &repeated, &vec![b'x'; length]] {
                assert_comes_back(piece, KNOWN);
                assert_comes_back(piece, b"");
            }
        }
    }

    #[test]
    fn a_piece_longer_than_a_match_reaches_is_refused() {
        let known = Dictionary::new(KNOWN);
        assert!(Packer::new().pack(&vec![b'x'; 65_535 - KNOWN.len()], &known).is_some());
        assert!(Packer::new().pack(&vec![b'x'; 65_536 - KNOWN.len()], &known).is_none());
    }
}
