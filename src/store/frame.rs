//! The bytes of the journal: frames, and the entries in them. Pure.
//!
//! A frame is one batch: `LLJ1`, segment (8 bytes), sequence (8), payload length (4), CRC-32C of the payload (4), CRC-32C of
//! the header so far (4), the payload. All numbers are little endian. The payload is entries: kind (1), length (4), CRC-32C
//! of the data (4), the data; an entry can thus be read and checked alone, by its [`Position`].
//!
//! # Design notes
//! The segment number in each frame keeps a recycled block of another segment from passing for one of this; the sequence shows
//! a missing segment.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::{
    bodies::Together,
    card::{DeliveryCard, MessageCard, ReferralCard},
    codec::{self, CodecError},
    evidence,
};
use crate::{
    message::Message,
    referral::{Evidence, Referral},
};

const MAGIC: [u8; 4] = *b"LLJ1";
/// Bytes before a frame's payload.
pub(super) const FRAME_HEADER_BYTES: usize = 32;
const ENTRY_HEADER_BYTES: usize = 9;
/// A SHA-256.
pub(super) type Digest = [u8; 32];

/// Where an entry is in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) segment: u64,
    /// Of the entry's header, from the start of the segment.
    pub(super) offset: u64,
    /// Of the entry's data.
    pub(super) length: u32,
}

impl Position {
    pub(super) const BYTES: usize = 12;

    /// As the index keeps it: segment, offset and length in four bytes each.
    pub(super) fn to_bytes(self) -> [u8; Self::BYTES] {
        let segment = u32::try_from(self.segment).expect("so many segments are more than any disk holds");
        let offset = u32::try_from(self.offset).expect("a segment is full long before 4 GiB");
        let mut out = [0; Self::BYTES];
        out[..4].copy_from_slice(&segment.to_le_bytes());
        out[4..8].copy_from_slice(&offset.to_le_bytes());
        out[8..].copy_from_slice(&self.length.to_le_bytes());
        out
    }

    /// Reads the position at the front, and gives the rest.
    pub(super) fn split(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (segment, rest) = bytes.split_first_chunk::<4>()?;
        let (offset, rest) = rest.split_first_chunk::<4>()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let position = Self {
            segment: u64::from(u32::from_le_bytes(*segment)),
            offset: u64::from(u32::from_le_bytes(*offset)),
            length: u32::from_le_bytes(*length),
        };
        Some((position, rest))
    }

    /// How many bytes the entry has with its header.
    pub(super) fn entry_bytes(self) -> usize {
        ENTRY_HEADER_BYTES + usize::try_from(self.length).expect("a 32-bit length fits")
    }
}

/// A message with the keys it is found by.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct MessageEntry {
    pub(super) message: Message,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) repeat_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) control_key: Option<String>,
}

/// A version of a referral with the keys that were added by it.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct ReferralEntry {
    pub(super) referral: Referral,
    /// The evidence of its record; entries of older versions have it in there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", with = "evidence")]
    evidence: BTreeMap<SmolStr, Evidence>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) keys: Vec<String>,
}

impl ReferralEntry {
    pub(super) fn new(mut referral: Referral, keys: Vec<String>) -> Self {
        let evidence = std::mem::take(&mut referral.record.evidence);
        Self { referral, evidence, keys }
    }

    /// The referral as it was given.
    pub(super) fn into_referral(self) -> Referral {
        let Self { mut referral, evidence, keys: _ } = self;
        referral.record.evidence.extend(evidence);
        referral
    }
}

/// One change of a batch: what the index is told of it.
pub(super) enum Change {
    Message(MessageCard),
    Referral(ReferralCard),
    Delivery(DeliveryCard),
    /// Content that stands in the entry itself.
    Body(Digest),
    /// Content that stands in a file of its own.
    BodyFile(Digest),
    /// Pieces of content that stand in the entry together, in this order.
    Bodies(Vec<Digest>),
    /// What the batch did, for the audit listing.
    Audit,
}

/// What kind of change an entry holds; the numbers are on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    Message = 1,
    Referral = 2,
    Delivery = 3,
    Body = 4,
    BodyFile = 5,
    Audit = 6,
    Bodies = 7,
}

impl Kind {
    const ALL: [Self; 7] = [Self::Message, Self::Referral, Self::Delivery, Self::Body, Self::BodyFile, Self::Audit, Self::Bodies];
}

/// Appends an entry.
pub(super) fn push_entry(frame: &mut Vec<u8>, kind: Kind, data: &[&[u8]]) -> u32 {
    let length: usize = data.iter().map(|part| part.len()).sum();
    let length = u32::try_from(length).expect("an entry is bounded by the body and batch limits, far below 4 GiB");
    let crc = data.iter().fold(0, |crc, part| crc32c::crc32c_append(crc, part));
    frame.push(kind as u8);
    frame.extend_from_slice(&length.to_le_bytes());
    frame.extend_from_slice(&crc.to_le_bytes());
    data.iter().for_each(|part| frame.extend_from_slice(part));
    length
}

/// One entry as it stands in a payload.
pub(super) struct RawEntry<'a> {
    pub(super) kind: Kind,
    pub(super) data: &'a [u8],
}

/// Reads the entry at the front of the bytes, checked, and gives the rest.
pub(super) fn split_entry(bytes: &[u8]) -> Option<(RawEntry<'_>, &[u8])> {
    let (header, rest) = bytes.split_first_chunk::<ENTRY_HEADER_BYTES>()?;
    let [kind, l0, l1, l2, l3, c0, c1, c2, c3] = *header;
    let length = usize::try_from(u32::from_le_bytes([l0, l1, l2, l3])).ok()?;
    let (data, rest) = rest.split_at_checked(length)?;
    let kind = Kind::ALL.into_iter().find(|known| *known as u8 == kind)?;
    (crc32c::crc32c(data) == u32::from_le_bytes([c0, c1, c2, c3])).then_some((RawEntry { kind, data }, rest))
}

impl RawEntry<'_> {
    /// The change it holds.
    pub(super) fn change(&self) -> Result<Change, CodecError> {
        let short = || CodecError("the entry is too short".to_owned());
        Ok(match self.kind {
            Kind::Message => Change::Message(MessageCard::of(&codec::decode(self.data)?)),
            Kind::Referral => Change::Referral(ReferralCard::of(&codec::decode(self.data)?)),
            Kind::Delivery => Change::Delivery(DeliveryCard::of(&codec::decode(self.data)?)),
            Kind::Body => Change::Body(*self.data.first_chunk().ok_or_else(short)?),
            Kind::BodyFile => Change::BodyFile(*self.data.first_chunk().ok_or_else(short)?),
            Kind::Audit => Change::Audit,
            Kind::Bodies => {
                Change::Bodies(Together::read(self.data).ok_or_else(short)?.pieces.iter().map(|piece| piece.digest).collect())
            }
        })
    }
}

/// Fills in the header of a frame whose first [`FRAME_HEADER_BYTES`] were left free.
pub(super) fn seal(frame: &mut [u8], segment: u64, sequence: u64) {
    let (header, payload) = frame.split_at_mut(FRAME_HEADER_BYTES);
    let length = u32::try_from(payload.len()).expect("a batch is bounded, far below 4 GiB");
    header[..4].copy_from_slice(&MAGIC);
    header[4..12].copy_from_slice(&segment.to_le_bytes());
    header[12..20].copy_from_slice(&sequence.to_le_bytes());
    header[20..24].copy_from_slice(&length.to_le_bytes());
    header[24..28].copy_from_slice(&crc32c::crc32c(payload).to_le_bytes());
    let crc = crc32c::crc32c(&header[..28]);
    header[28..].copy_from_slice(&crc.to_le_bytes());
}

/// A frame that was read and found whole.
pub(super) struct Frame<'a> {
    pub(super) sequence: u64,
    pub(super) payload: &'a [u8],
    /// The whole frame's length.
    pub(super) bytes: usize,
}

/// How long the frame is that begins with this header, if it is one of this segment.
pub(super) fn frame_bytes(header: &[u8; FRAME_HEADER_BYTES], segment: u64) -> Option<usize> {
    let checked =
        header.starts_with(&MAGIC) && word(header, 28)? == crc32c::crc32c(header.get(..28)?) && number(header, 4)? == segment;
    if !checked {
        return None;
    }
    usize::try_from(word(header, 20)?).ok()?.checked_add(FRAME_HEADER_BYTES)
}

/// Reads the frame at the front of the bytes, if there is a whole one of this segment.
pub(super) fn read_frame(bytes: &[u8], segment: u64) -> Option<Frame<'_>> {
    let header = bytes.first_chunk::<FRAME_HEADER_BYTES>()?;
    let length = frame_bytes(header, segment)?;
    let payload = bytes.get(FRAME_HEADER_BYTES..length)?;
    let whole = word(header, 24)? == crc32c::crc32c(payload);
    whole.then_some(Frame { sequence: number(header, 12)?, payload, bytes: length })
}

fn number(header: &[u8], at: usize) -> Option<u64> {
    header.get(at..)?.first_chunk().copied().map(u64::from_le_bytes)
}

fn word(header: &[u8], at: usize) -> Option<u32> {
    header.get(at..)?.first_chunk().copied().map(u32::from_le_bytes)
}

/// Whether a whole frame of this segment, later than `sequence`, begins anywhere in these bytes.
pub(super) fn holds_later_frame(bytes: &[u8], segment: u64, sequence: u64) -> bool {
    bytes
        .windows(MAGIC.len())
        .enumerate()
        .filter(|(_, window)| *window == MAGIC)
        .filter_map(|(at, _)| read_frame(bytes.get(at..)?, segment))
        .any(|frame| frame.sequence > sequence)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(segment: u64, sequence: u64, data: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; FRAME_HEADER_BYTES];
        push_entry(&mut bytes, Kind::Audit, &[data]);
        seal(&mut bytes, segment, sequence);
        bytes
    }

    #[test]
    fn no_changed_or_missing_byte_passes() {
        let whole = frame(3, 9, b"some data");
        assert_eq!(read_frame(&whole, 3).unwrap().sequence, 9);
        assert!(read_frame(&whole, 4).is_none(), "a frame of another segment");
        for at in 0..whole.len() {
            let mut wrong = whole.clone();
            wrong[at] ^= 0x10;
            assert!(read_frame(&wrong, 3).is_none(), "byte {at}");
            assert!(read_frame(&whole[..at], 3).is_none(), "cut at {at}");
        }
    }

    #[test]
    fn a_whole_frame_is_found_behind_a_broken_one() {
        let mut bytes = frame(1, 1, b"first");
        bytes[FRAME_HEADER_BYTES + 10] ^= 1;
        assert!(!holds_later_frame(&bytes, 1, 0));
        bytes.extend(frame(1, 2, b"second"));
        assert!(holds_later_frame(&bytes, 1, 0));
        assert!(!holds_later_frame(&bytes, 1, 2), "an older frame is not a later one");
    }
}
