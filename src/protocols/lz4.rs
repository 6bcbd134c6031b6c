//! Packing short texts by LZ4 with a dictionary that is read once: blocks as any LZ4 reads them back with the same dictionary.
//!
//! # Design notes
//! `lz4_flex` reads its dictionary anew for each piece, and for pieces of a few hundred bytes that is most of the work: a sixth of the
//! processor time of a whole HL7 message. The C library can attach one that is prepared (`LZ4_attach_dictionary`, lz4.h of LZ4 1.10),
//! which no safe crate offers, so five of its functions are called here. Reading stays with `lz4_flex`, which is safe Rust: what is
//! read back may be damaged, what is packed is our own.

use std::{ffi::c_int, ptr::NonNull};

use lz4_sys::{LZ4_createStream, LZ4_freeStream, LZ4StreamEncode, c_char};

/// More is tried to find a match with each smaller number; 1 is what LZ4 does where nobody says. For the three pieces of an HL7 referral
/// (8,403 bytes) 1 took 19.5 µs and left 3,717 bytes, 2: 13.3 µs and 3,870, 4: 10.9 µs and 4,138, 8: 8.5 µs and 4,562.
const ACCELERATION: c_int = 4;

#[expect(unsafe_code, reason = "declarations of lz4.h, LZ4 1.10, which the crate leaves out")]
unsafe extern "C" {
    fn LZ4_loadDict(stream: *mut LZ4StreamEncode, dictionary: *const c_char, length: c_int) -> c_int;
    fn LZ4_attach_dictionary(working: *mut LZ4StreamEncode, dictionary: *const LZ4StreamEncode);
    fn LZ4_resetStream_fast(stream: *mut LZ4StreamEncode);
    fn LZ4_compress_fast_continue(
        stream: *mut LZ4StreamEncode,
        source: *const c_char,
        place: *mut c_char,
        source_length: c_int,
        place_length: c_int,
        acceleration: c_int,
    ) -> c_int;
}

/// A stream of the C library, which takes 16 KB.
struct Stream(NonNull<LZ4StreamEncode>);

impl Stream {
    #[expect(unsafe_code, reason = "LZ4_createStream has no conditions; null is memory that was not to be had")]
    fn new() -> Option<Self> {
        // SAFETY: it takes nothing, and what it gives is initialized or null.
        NonNull::new(unsafe { LZ4_createStream() }).map(Self)
    }
}

impl Drop for Stream {
    #[expect(unsafe_code, reason = "a stream is freed once, by its owner")]
    fn drop(&mut self) {
        // SAFETY: it came from LZ4_createStream, and nobody else has it.
        unsafe { LZ4_freeStream(self.0.as_ptr()) };
    }
}

/// Packs with one dictionary. One thread uses it at a time.
pub struct Packer {
    working: Stream,
    dictionary: Stream,
}

impl Packer {
    /// Prepares a dictionary, of which the last 64 KiB count. None: there is no memory for it.
    #[must_use]
    #[expect(unsafe_code, reason = "LZ4_loadDict keeps the pointer: the dictionary lives for ever")]
    pub fn new(dictionary: &'static [u8]) -> Option<Self> {
        let packer = Self { working: Stream::new()?, dictionary: Stream::new()? };
        let length = c_int::try_from(dictionary.len()).ok()?;
        // SAFETY: the stream is initialized, the bytes are as many as is said, and stay where they are as long as the stream.
        unsafe { LZ4_loadDict(packer.dictionary.0.as_ptr(), dictionary.as_ptr().cast(), length) };
        Some(packer)
    }

    /// Packs bytes into a place, and says how many they are then. None: the place is too small.
    #[expect(unsafe_code, reason = "no crate attaches a dictionary; lengths are those of the slices")]
    pub fn pack(&mut self, bytes: &[u8], place: &mut [u8]) -> Option<usize> {
        let (length, room) = (c_int::try_from(bytes.len()).ok()?, c_int::try_from(place.len()).ok()?);
        let working = self.working.0.as_ptr();
        // SAFETY: both streams are initialized, and differ; no pointer is kept beyond the next reset, which comes before the next use; the
        // library writes no more than `room` bytes, and reads `length` of these and the dictionary, which lives for ever.
        let packed = unsafe {
            LZ4_resetStream_fast(working);
            LZ4_attach_dictionary(working, self.dictionary.0.as_ptr());
            LZ4_compress_fast_continue(working, bytes.as_ptr().cast(), place.as_mut_ptr().cast(), length, room, ACCELERATION)
        };
        if packed <= 0 {
            // After a failure a stream is good for nothing until it is made anew.
            self.working = Stream::new()?;
            return None;
        }
        usize::try_from(packed).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DICTIONARY: &[u8] = b"MSH|^~\\&|REF^I12^REF_I12|P|2.5.1\rPID|1||^^^MR||NTE|1||Please see and advise\r";

    fn back(packed: &[u8], length: usize) -> Vec<u8> {
        lz4_flex::block::decompress_with_dict(packed, length, DICTIONARY).unwrap()
    }

    #[test]
    fn the_dictionary_counts_for_each_piece_alone() {
        let mut packer = Packer::new(DICTIONARY).unwrap();
        let mut place = [0; 1_000];
        let text = b"PID|1||^^^MR||NTE|1||Please see and advise\r";
        let first = packer.pack(text, &mut place).unwrap();
        assert!(first < 12, "it is nothing but a reference to the dictionary: {first}");
        for _ in 0..3 {
            let again = packer.pack(text, &mut place).unwrap();
            assert_eq!(again, first, "nothing is known of the piece before");
            assert_eq!(back(&place[..again], text.len()), text);
        }
    }

    #[test]
    fn a_place_that_is_too_small_spoils_nothing_for_the_next() {
        let mut packer = Packer::new(DICTIONARY).unwrap();
        let noise: Vec<u8> = (0..2_000_u32).map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
        assert_eq!(packer.pack(&noise, &mut [0; 500]), None);
        let mut place = vec![0; 4_000];
        let packed = packer.pack(&noise, &mut place).unwrap();
        assert_eq!(back(&place[..packed], noise.len()), noise);
    }

    proptest! {
        #[test]
        fn whatever_is_packed_comes_back(pieces in prop::collection::vec("(PID|NTE|Please|[a-z|^]{0,9}){0,900}", 1..6)) {
            let mut packer = Packer::new(DICTIONARY).unwrap();
            for piece in pieces {
                let mut place = vec![0; piece.len() + piece.len() / 255 + 16];
                let packed = packer.pack(piece.as_bytes(), &mut place).unwrap();
                prop_assert_eq!(back(&place[..packed], piece.len()), piece.as_bytes());
            }
        }
    }
}
