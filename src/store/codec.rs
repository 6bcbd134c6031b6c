//! How records become bytes: serde JSON, packed with zstd, behind a byte that says which format it is.
//!
//! The packed bytes stand in the journal. A later format gets the next number and this module reads both.
//!
//! # Design notes
//! What is packed is short, and most of it is the same in each: the names of a record's fields, the shape of an HL7 message. zstd is told
//! so by a dictionary, `dictionary.txt`, which holds those and no values. It is part of the format: another one gets another number.

use std::{cell::RefCell, sync::LazyLock};

use serde::{Serialize, de::DeserializeOwned};
use zstd::dict::{DecoderDictionary, EncoderDictionary};

/// The format written now: one byte compression, four bytes length before packing (little endian), the bytes.
const FORMAT: u8 = 1;
const PLAIN: u8 = 0;
const ZSTD: u8 = 1;
const ZSTD_WITH_DICTIONARY: u8 = 2;
const DICTIONARY: &[u8] = include_bytes!("dictionary.txt");
const HEADER_BYTES: usize = 6;
/// Below this packing gains nothing.
const PACK_BYTES_MIN: usize = 64;
const ZSTD_LEVEL: i32 = 1;

/// The bytes are not what this module wrote.
#[derive(Debug, thiserror::Error)]
#[error("stored bytes cannot be decoded: {0}")]
pub(super) struct CodecError(pub(super) String);

/// A record as bytes.
pub(super) fn encode<T: Serialize>(record: &T) -> Vec<u8> {
    pack(&serde_json::to_vec(record).expect("our records have text keys only, which JSON can always hold"))
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

/// Bytes, packed where that makes them shorter.
pub(super) fn pack(bytes: &[u8]) -> Vec<u8> {
    thread_local! {
        static COMPRESSOR: RefCell<Option<zstd::bulk::Compressor<'static>>> = const { RefCell::new(None) };
    }
    static PREPARED: LazyLock<EncoderDictionary<'static>> = LazyLock::new(|| EncoderDictionary::copy(DICTIONARY, ZSTD_LEVEL));
    let packed = if bytes.len() < PACK_BYTES_MIN {
        None
    } else {
        COMPRESSOR.with_borrow_mut(|slot| {
            if slot.is_none() {
                *slot = zstd::bulk::Compressor::with_prepared_dictionary(&PREPARED).ok();
            }
            slot.as_mut()?.compress(bytes).ok().filter(|packed| packed.len() < bytes.len())
        })
    };
    let (compression, data) = packed.as_deref().map_or((PLAIN, bytes), |packed| (ZSTD_WITH_DICTIONARY, packed));
    let mut out = Vec::with_capacity(HEADER_BYTES + data.len());
    out.extend([FORMAT, compression]);
    out.extend(u32::try_from(bytes.len()).expect("what is packed is far below 4 GiB").to_le_bytes());
    out.extend_from_slice(data);
    out
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
        for len in [0, 1, 199, 200, 5_000, 70_000] {
            let text = "PID|1||5202708^^^CEDAR^MR||Lee^Leslie^A||19341101|F\r".repeat(2_000).into_bytes();
            let bytes = text.get(..len).unwrap();
            assert_eq!(unpack(&pack(bytes)).unwrap(), bytes);
        }
        assert!(pack("OBX|1|TX|".repeat(400).as_bytes()).len() < 400);
    }

    #[test]
    fn what_was_packed_without_the_dictionary_can_still_be_read() {
        let text = "NTE|1||Please see and advise\r".repeat(30);
        let packed = zstd::bulk::compress(text.as_bytes(), 1).unwrap();
        let length = u32::try_from(text.len()).unwrap().to_le_bytes();
        let stored = [&[FORMAT, ZSTD], &length[..], &packed].concat();
        assert_eq!(unpack(&stored).unwrap(), text.as_bytes());
    }

    #[test]
    fn the_dictionary_holds_no_values_of_a_person() {
        let text = String::from_utf8(DICTIONARY.to_vec()).unwrap();
        let longest = text.split(|symbol: char| !symbol.is_ascii_digit()).map(str::len).max();
        assert!(longest <= Some(5), "no numbers of anybody: {longest:?}");
    }

    #[test]
    fn a_newer_format_is_refused_in_words() {
        let error = unpack(&[9, 0, 0, 0, 0, 0]).unwrap_err();
        assert!(error.to_string().contains("newer version"), "{error}");
    }
}
