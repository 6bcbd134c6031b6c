//! The keys of the index. The table is in `index.rs`.
//!
//! # Design notes
//! sled keeps up to 22 bytes within its own nodes and anything longer behind a pointer, so ids are their 16 bytes, and what is hashed is
//! the first 20 bytes of its SHA-256: nobody finds two texts or contents that agree in those.
//!
//! Prefixes are lower case: what stands before them in the order is the index's own.

use jiff::Timestamp;

use super::{bodies::digest_of, frame::Digest};
use crate::{
    ids::{DeliveryId, MessageId, ReferralId},
    referral::Reference,
};

pub(super) const MESSAGES: &[u8] = b"m";
pub(super) const REFERRALS: &[u8] = b"r";
pub(super) const DELIVERIES: &[u8] = b"d";
pub(super) const MESSAGES_DUE: &[u8] = b"t";
pub(super) const DELIVERIES_DUE: &[u8] = b"q";
pub(super) const IN_FLIGHT: &[u8] = b"i";
pub(super) const AUDIT: &[u8] = b"a";

/// Whether a key is of something that is counted.
pub(super) fn is_record(key: &[u8]) -> bool {
    matches!(key.first(), Some(b'm' | b'r' | b'd'))
}

/// Whether a key is never taken away. Those stand together in `runs.rs`.
pub(super) fn is_kept(key: &[u8]) -> bool {
    is_record(key) || matches!(key.first(), Some(b'b' | b'c' | b'f' | b'k' | b'n' | b'v'))
}

/// What stands behind all keys with a prefix, which begins with a letter.
pub(super) fn behind(prefix: &[u8]) -> Vec<u8> {
    let mut behind = prefix.to_vec();
    while behind.pop_if(|last| *last == u8::MAX).is_some() {}
    if let Some(last) = behind.last_mut() {
        *last += 1;
    }
    behind
}

/// How much of a SHA-256 a key has.
const DIGEST_BYTES: usize = 20;

fn joined(prefix: &[u8], rest: &[u8]) -> Vec<u8> {
    [prefix, rest].concat()
}

/// Texts that come from outside can be long: they are kept as their SHA-256, or most of it.
fn hashed(prefix: &[u8], text: &str) -> Vec<u8> {
    shortened(prefix, &digest_of(text.as_bytes()))
}

fn shortened(prefix: &[u8], digest: &Digest) -> Vec<u8> {
    joined(prefix, digest.first_chunk::<DIGEST_BYTES>().expect("a SHA-256 has more"))
}

pub(super) fn message(id: MessageId) -> Vec<u8> {
    joined(MESSAGES, &id.to_bytes())
}

pub(super) fn referral(id: ReferralId) -> Vec<u8> {
    joined(REFERRALS, &id.to_bytes())
}

pub(super) fn delivery(id: DeliveryId) -> Vec<u8> {
    joined(DELIVERIES, &id.to_bytes())
}

/// The deliveries of a referral: the key ends with the delivery's id.
pub(super) fn deliveries_of(referral: ReferralId) -> Vec<u8> {
    joined(b"o", &referral.to_bytes())
}

pub(super) fn delivery_of(referral: ReferralId, delivery: DeliveryId) -> Vec<u8> {
    joined(&deliveries_of(referral), &delivery.to_bytes())
}

pub(super) fn version(id: ReferralId, version: u64) -> Vec<u8> {
    joined(&joined(b"v", &id.to_bytes()), &version.to_be_bytes())
}

pub(super) fn body(digest: &Digest) -> Vec<u8> {
    shortened(b"b", digest)
}

pub(super) fn repeat(key: &str) -> Vec<u8> {
    hashed(b"k", key)
}

pub(super) fn control(key: &str) -> Vec<u8> {
    hashed(b"c", key)
}

pub(super) fn reference(reference: &Reference) -> Vec<u8> {
    joined(b"n", reference.as_str().as_bytes())
}

pub(super) fn referral_key(key: &str) -> Vec<u8> {
    hashed(b"f", key)
}

pub(super) fn in_flight(id: DeliveryId) -> Vec<u8> {
    joined(IN_FLIGHT, &id.to_bytes())
}

pub(super) fn audit(sequence: u64) -> Vec<u8> {
    joined(AUDIT, &sequence.to_be_bytes())
}

/// A time as it stands in a due key: sorted bytes.
pub(super) type DueBytes = [u8; 8];

/// Microseconds, moved so that times before 1970 sort before those after.
pub(super) fn due_bytes(at: Timestamp) -> DueBytes {
    (at.as_microsecond().cast_unsigned() ^ (1 << 63)).to_be_bytes()
}

/// A message without a time is due at once: before all that have one.
pub(super) fn message_due_bytes(due_at: Option<Timestamp>) -> DueBytes {
    due_bytes(due_at.unwrap_or(Timestamp::MIN))
}

pub(super) fn message_due(due: DueBytes, id: MessageId) -> Vec<u8> {
    joined(&joined(MESSAGES_DUE, &due), &id.to_bytes())
}

pub(super) fn delivery_due(due: DueBytes, id: DeliveryId) -> Vec<u8> {
    joined(&joined(DELIVERIES_DUE, &due), &id.to_bytes())
}

/// The time and the id of a due key.
pub(super) fn split_due(key: &[u8]) -> Option<(Timestamp, &[u8])> {
    let (micros, id) = key.get(1..)?.split_first_chunk::<8>()?;
    let micros = (u64::from_be_bytes(*micros) ^ (1 << 63)).cast_signed();
    Some((Timestamp::from_microsecond(micros).ok()?, id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_with_a_prefix_stands_behind_it() {
        for (prefix, expected) in
            [("d".as_bytes(), "e".as_bytes()), (&[1, 1], &[1, 2]), (&[1, 254, 255, 255], &[1, 255]), (&[1, 255], &[2])]
        {
            assert_eq!(behind(prefix), expected);
            assert!([prefix, &[u8::MAX; 20][..]].concat() < behind(prefix));
        }
    }

    #[test]
    fn due_keys_sort_by_time_and_read_back() {
        let id = MessageId::generate();
        let times = ["-000100-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "1970-01-01T00:00:00Z", "2026-11-21T10:00:00.000001Z"];
        let times: Vec<Timestamp> = times.iter().map(|time| time.parse().unwrap()).collect();
        let mut keys = vec![message_due(message_due_bytes(None), id)];
        keys.extend(times.iter().map(|time| message_due(due_bytes(*time), id)));
        assert!(keys.is_sorted());
        assert_eq!(split_due(&keys[4]), Some((times[3], &id.to_bytes()[..])));
    }
}
