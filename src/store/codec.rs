//! How records become bytes: serde JSON, packed with LZ4 or zstd, behind a byte that says which format it is.
//!
//! The packed bytes stand in the journal. A later format gets the next number and this module reads both.
//!
//! # Design notes
//! What is packed is short, and most of it is the same in each: the names of a record's fields, the shape of an HL7 message. The packers
//! are told so by a dictionary, `dictionary.txt`, which holds those and no values; referrals have one of their own,
//! `dictionary-referral.txt`. They are part of the format: another one gets another number.
//!
//! Short content is packed by LZ4: for the four pieces of one referral message zstd took 158 µs where LZ4 took 30 on the same busy
//! machine, and saved 1 KB of disk (the figures are in `tests/bench/speed.rs`). `protocols/lz4.rs` packs, `lz4_flex` reads. Longer content
//! (documents in base64) is rare and gains more by zstd.

use std::{cell::RefCell, sync::LazyLock};

use serde::{Serialize, de::DeserializeOwned};
use zstd::dict::{DecoderDictionary, EncoderDictionary};

use crate::protocols::lz4::Packer;

/// The format written now: one byte compression, four bytes length before packing (little endian), the bytes.
const FORMAT: u8 = 1;
const PLAIN: u8 = 0;
const ZSTD: u8 = 1;
const ZSTD_WITH_DICTIONARY: u8 = 2;
/// LZ4 with the dictionary's part for records.
const LZ4_RECORD: u8 = 3;
/// LZ4 with its part for HL7 messages.
const LZ4_MESSAGE: u8 = 4;
/// LZ4 with the dictionary for referrals.
const LZ4_REFERRAL: u8 = 5;
const REFERRAL_DICTIONARY: &[u8] = include_bytes!("dictionary-referral.txt");
/// How the entry of a referral begins.
const REFERRAL: &[u8] = b"{\"referral\":";
const DICTIONARY: &[u8] = include_bytes!("dictionary.txt");
const HEADER_BYTES: usize = 6;
/// Below this packing gains nothing.
const PACK_BYTES_MIN: usize = 64;
/// From here on zstd packs.
const ZSTD_BYTES_MIN: usize = 16_384;
const ZSTD_LEVEL: i32 = 1;
/// A thread keeps a buffer of at most so many bytes for the next record.
const BUFFER_BYTES_KEPT: usize = 65_536;

/// The bytes are not what this module wrote.
#[derive(Debug, thiserror::Error)]
#[error("stored bytes cannot be decoded: {0}")]
pub(super) struct CodecError(pub(super) String);

/// A record as bytes.
pub(super) fn encode<T: Serialize>(record: &T) -> Vec<u8> {
    // Kept by each thread: a buffer that grows from nothing with each record costs as much as what is written into it.
    thread_local! {
        static JSON: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }
    JSON.with_borrow_mut(|json| {
        json.clear();
        serde_json::to_writer(&mut *json, record).expect("our records have text keys only, which JSON can always hold");
        let packed = pack(json);
        json.shrink_to(BUFFER_BYTES_KEPT);
        packed
    })
}

/// The record again.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    // serde's message can quote a value, which may be patient data: only where it stopped is kept.
    serde_json::from_slice(&unpack(bytes)?).map_err(|e| CodecError(format!("not the record expected, at column {}", e.column())))
}

/// A record with its bytes, made by the caller of a transaction: packing takes longer than deciding, and only one thread decides.
pub(super) struct Packed<T> {
    pub(super) record: T,
    pub(super) bytes: Vec<u8>,
}

impl<T: Serialize> Packed<T> {
    pub(super) fn of(record: T) -> Self {
        let bytes = encode(&record);
        Self { record, bytes }
    }
}

impl<T> Packed<T> {
    /// The bytes with what is to be known of the record, in its place.
    pub(super) fn card<C>(self, card: impl FnOnce(&T) -> C) -> Packed<C> {
        Packed { record: card(&self.record), bytes: self.bytes }
    }
}

/// Bytes, packed where that makes them shorter.
pub(super) fn pack(bytes: &[u8]) -> Vec<u8> {
    let with_header = |compression: u8, packed: &[u8]| {
        let length = u32::try_from(bytes.len()).expect("what is packed is far below 4 GiB").to_le_bytes();
        [&[FORMAT, compression], &length[..], packed].concat()
    };
    let packed = match bytes.len() {
        ..PACK_BYTES_MIN => None,
        PACK_BYTES_MIN..ZSTD_BYTES_MIN => {
            let known = match bytes {
                _ if bytes.starts_with(REFERRAL) => LZ4_REFERRAL,
                [b'{', ..] => LZ4_RECORD,
                _ => LZ4_MESSAGE,
            };
            pack_by_lz4(bytes, known, |packed| with_header(known, packed))
        }
        ZSTD_BYTES_MIN.. => pack_by_zstd(bytes).map(|packed| with_header(ZSTD_WITH_DICTIONARY, &packed)),
    };
    packed.unwrap_or_else(|| with_header(PLAIN, bytes))
}

/// The dictionary's part for LZ4: the shape of HL7 messages stands first in it, the records, which are JSON, follow.
fn lz4_dictionary(compression: u8) -> &'static [u8] {
    static PARTS: LazyLock<(&[u8], &[u8])> = LazyLock::new(|| {
        let records_at = DICTIONARY.iter().position(|byte| *byte == b'{').unwrap_or(0);
        DICTIONARY.split_at(records_at)
    });
    match compression {
        LZ4_REFERRAL => REFERRAL_DICTIONARY,
        LZ4_RECORD => PARTS.1,
        _ => PARTS.0,
    }
}

/// What is made of the packed bytes, if they are fewer.
fn pack_by_lz4<T>(bytes: &[u8], compression: u8, made: impl FnOnce(&[u8]) -> T) -> Option<T> {
    // Each thread has its own, by what they are for; its place holds what an incompressible piece takes.
    thread_local! {
        static PACKERS: RefCell<[Option<Packer>; 3]> = const { RefCell::new([None, None, None]) };
        static PLACE: RefCell<Vec<u8>> = RefCell::new(vec![0; ZSTD_BYTES_MIN + ZSTD_BYTES_MIN / 255 + 16]);
    }
    PACKERS.with_borrow_mut(|packers| {
        let slot = packers.get_mut(usize::from(compression.checked_sub(LZ4_RECORD)?))?;
        if slot.is_none() {
            *slot = Packer::new(lz4_dictionary(compression));
        }
        PLACE.with_borrow_mut(|place| {
            let packed = slot.as_mut()?.pack(bytes, place)?;
            place.get(..packed).filter(|packed| packed.len() < bytes.len()).map(made)
        })
    })
}

/// The packed bytes, if they are fewer.
fn pack_by_zstd(bytes: &[u8]) -> Option<Vec<u8>> {
    thread_local! {
        static COMPRESSOR: RefCell<Option<zstd::bulk::Compressor<'static>>> = const { RefCell::new(None) };
    }
    static PREPARED: LazyLock<EncoderDictionary<'static>> = LazyLock::new(|| EncoderDictionary::copy(DICTIONARY, ZSTD_LEVEL));
    COMPRESSOR.with_borrow_mut(|slot| {
        if slot.is_none() {
            *slot = zstd::bulk::Compressor::with_prepared_dictionary(&PREPARED).ok();
        }
        slot.as_mut()?.compress(bytes).ok().filter(|packed| packed.len() < bytes.len())
    })
}

/// The bytes again.
pub(super) fn unpack(bytes: &[u8]) -> Result<Vec<u8>, CodecError> {
    thread_local! {
        static DECOMPRESSOR: RefCell<Option<zstd::bulk::Decompressor<'static>>> = const { RefCell::new(None) };
    }
    static PREPARED: LazyLock<DecoderDictionary<'static>> = LazyLock::new(|| DecoderDictionary::copy(DICTIONARY));
    let with_dictionary = |data: &[u8], length: usize| {
        DECOMPRESSOR.with_borrow_mut(|slot| {
            let ready = match slot.take() {
                Some(ready) => Ok(ready),
                None => zstd::bulk::Decompressor::with_prepared_dictionary(&PREPARED),
            };
            slot.insert(ready?).decompress(data, length)
        })
    };
    let (header, data) = bytes.split_first_chunk::<HEADER_BYTES>().ok_or_else(|| CodecError("too short".to_owned()))?;
    let [format, compression, length @ ..] = *header;
    let length = usize::try_from(u32::from_le_bytes(length)).expect("a 32-bit length fits");
    match (format, compression) {
        (FORMAT, PLAIN) if data.len() == length => Ok(data.to_vec()),
        (FORMAT, LZ4_RECORD | LZ4_MESSAGE | LZ4_REFERRAL) => {
            let unpacked = lz4_flex::block::decompress_with_dict(data, length, lz4_dictionary(compression));
            let unpacked = unpacked.map_err(|e| CodecError(e.to_string()))?;
            if unpacked.len() == length { Ok(unpacked) } else { Err(CodecError("another length than stated".to_owned())) }
        }
        (FORMAT, ZSTD | ZSTD_WITH_DICTIONARY) => {
            let known = compression == ZSTD_WITH_DICTIONARY;
            let unpacked = if known { with_dictionary(data, length) } else { zstd::bulk::decompress(data, length) };
            let unpacked = unpacked.map_err(|e| CodecError(e.to_string()))?;
            if unpacked.len() == length { Ok(unpacked) } else { Err(CodecError("another length than stated".to_owned())) }
        }
        (FORMAT, _) => Err(CodecError("unknown compression or length".to_owned())),
        (other, _) => Err(CodecError(format!("format {other}, written by a newer version"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_back_and_text_shrinks() {
        for len in [0, 1, 63, 64, 199, 200, 5_000, ZSTD_BYTES_MIN - 1, ZSTD_BYTES_MIN, 70_000] {
            let text = "PID|1||5202708^^^CEDAR^MR||Lee^Leslie^A||19341101|F\r".repeat(2_000).into_bytes();
            let bytes = text.get(..len).unwrap();
            assert_eq!(unpack(&pack(bytes)).unwrap(), bytes);
        }
        assert!(pack("OBX|1|TX|".repeat(400).as_bytes()).len() < 400);
    }

    #[test]
    fn what_was_packed_by_zstd_with_and_without_the_dictionary_can_still_be_read() {
        let text = "NTE|1||Please see and advise\r".repeat(30);
        let known = pack_by_zstd(text.as_bytes()).unwrap();
        let plain = zstd::bulk::compress(text.as_bytes(), 1).unwrap();
        for (compression, packed) in [(ZSTD, plain), (ZSTD_WITH_DICTIONARY, known)] {
            let length = u32::try_from(text.len()).unwrap().to_le_bytes();
            let stored = [&[FORMAT, compression], &length[..], &packed].concat();
            assert_eq!(unpack(&stored).unwrap(), text.as_bytes());
        }
    }

    #[test]
    fn a_record_and_a_message_are_each_told_to_the_packer_by_their_part_of_the_dictionary() {
        let record = br#"{"message":{"id":"A","channel":"B","protocol":"hl7","received_at":"2026-11-20T10:00:00Z"}}"#;
        let message = b"MSH|^~\\&|A|B|C|D|20261120||REF^I12^REF_I12|1|P|2.5.1\rRF1|P^Pending^HL70283|R^Routine^HL70280|\r";
        let referral =
            br#"{"referral":{"id":"A","reference":"B","status":"new","version":1,"priority":"routine","kind":"provider"}}"#;
        for (bytes, compression) in [(&record[..], LZ4_RECORD), (message, LZ4_MESSAGE), (referral, LZ4_REFERRAL)] {
            let packed = pack(bytes);
            assert_eq!((packed[1], unpack(&packed).unwrap()), (compression, bytes.to_vec()));
            assert!(lz4_dictionary(compression).starts_with(&bytes[..1]));
        }
    }

    #[test]
    fn what_does_not_get_shorter_stays_plain_and_what_is_damaged_is_told() {
        let noise: Vec<u8> = (0..2_000_u32).map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
        assert_eq!(unpack(&pack(&noise)).unwrap(), noise);
        let mut packed = pack("OBX|1|TX|".repeat(400).as_bytes());
        packed.truncate(packed.len() - 3);
        assert!(unpack(&packed).is_err());
    }

    #[test]
    fn the_dictionary_holds_no_values_of_a_person() {
        let text = String::from_utf8([DICTIONARY, REFERRAL_DICTIONARY].concat()).unwrap();
        let longest = text.split(|symbol: char| !symbol.is_ascii_digit()).map(str::len).max();
        assert!(longest <= Some(5), "no numbers of anybody: {longest:?}");
    }

    #[test]
    fn a_newer_format_is_refused_in_words() {
        let error = unpack(&[9, 0, 0, 0, 0, 0]).unwrap_err();
        assert!(error.to_string().contains("newer version"), "{error}");
    }
}
