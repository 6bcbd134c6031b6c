//! How a referral is written: against the version it was computed from, with a reference and keys that are nobody else's.

use super::{ReferralWrite, StoreError, card::ReferralCard, codec::Packed, frame::ReferralEntry, keys, transaction::Batch};
use crate::{ids::ReferralId, referral::Referral};

/// A referral to be written, packed: its version follows from the one it was computed from, or the write is stale.
pub(super) struct ReadyReferral {
    entry: Packed<ReferralCard>,
    read_version: Option<u64>,
}

impl ReadyReferral {
    pub(super) fn new(write: ReferralWrite) -> Self {
        let ReferralWrite { referral, read_version, keys } = write;
        let version = read_version.map_or(1, |read| read.saturating_add(1));
        let entry = Packed::of(ReferralEntry::new(Referral { version, ..referral }, keys));
        Self { entry: entry.card(ReferralCard::of), read_version }
    }
}

/// Writes the next version of a referral, or its first.
///
/// Keys are added to those it has; none is taken away, so that an old number still finds it.
pub(super) fn write(batch: &mut Batch<'_>, write: ReadyReferral) -> Result<(), StoreError> {
    let ReadyReferral { entry, read_version } = write;
    let referral = &entry.record;
    let owner: Option<ReferralId> = batch.view().id_at(&keys::reference(&referral.reference))?;
    let current = batch.view().mark_at(&keys::referral(referral.id))?.map(|mark| mark.version());
    match (current, read_version) {
        (None, None) if owner.is_none() => {}
        (Some(current), Some(read)) if current == read && owner == Some(referral.id) => {}
        (None | Some(_), None) | (Some(_), Some(_)) => return Err(StoreError::Stale),
        (None, Some(_)) => return Err(StoreError::NotFound("referral")),
    }
    for key in &entry.record.keys {
        let owner: Option<ReferralId> = batch.view().id_at(key)?;
        if owner.is_some_and(|owner| owner != referral.id) {
            return Err(StoreError::Stale);
        }
    }
    batch.put_referral(entry)
}
