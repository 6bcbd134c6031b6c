//! How records become bytes: serde JSON, packed with zstd, behind a byte that says which format it is.
//!
//! The same packed bytes stand in the journal and, for current records, in the index. A later format gets the next number and
//! this module reads both.

use std::cell::RefCell;

use serde::{Serialize, de::DeserializeOwned};

/// The format written now: one byte compression, four bytes length before packing (little endian), the bytes.
const FORMAT: u8 = 1;
const PLAIN: u8 = 0;
const ZSTD: u8 = 1;
const HEADER_BYTES: usize = 6;
/// Below this packing gains nothing.
const PACK_BYTES_MIN: usize = 200;
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

/// Bytes, packed where that makes them shorter.
pub(super) fn pack(bytes: &[u8]) -> Vec<u8> {
    thread_local! {
        static COMPRESSOR: RefCell<Option<zstd::bulk::Compressor<'static>>> = const { RefCell::new(None) };
    }
    let packed = if bytes.len() < PACK_BYTES_MIN {
        None
    } else {
        COMPRESSOR.with_borrow_mut(|slot| {
            if slot.is_none() {
                *slot = zstd::bulk::Compressor::new(ZSTD_LEVEL).ok();
            }
            slot.as_mut()?.compress(bytes).ok().filter(|packed| packed.len() < bytes.len())
        })
    };
    let (compression, data) = packed.as_deref().map_or((PLAIN, bytes), |packed| (ZSTD, packed));
    let mut out = Vec::with_capacity(HEADER_BYTES + data.len());
    out.extend([FORMAT, compression]);
    out.extend(u32::try_from(bytes.len()).expect("what is packed is far below 4 GiB").to_le_bytes());
    out.extend_from_slice(data);
    out
}

/// The bytes again.
pub(super) fn unpack(bytes: &[u8]) -> Result<Vec<u8>, CodecError> {
    let (header, data) = bytes.split_first_chunk::<HEADER_BYTES>().ok_or_else(|| CodecError("too short".to_owned()))?;
    let [format, compression, length @ ..] = *header;
    let length = usize::try_from(u32::from_le_bytes(length)).expect("a 32-bit length fits");
    match (format, compression) {
        (FORMAT, PLAIN) if data.len() == length => Ok(data.to_vec()),
        (FORMAT, ZSTD) => {
            let unpacked = zstd::bulk::decompress(data, length).map_err(|e| CodecError(e.to_string()))?;
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
    fn a_newer_format_is_refused_in_words() {
        let error = unpack(&[9, 0, 0, 0, 0, 0]).unwrap_err();
        assert!(error.to_string().contains("newer version"), "{error}");
    }
}
