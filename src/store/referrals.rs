//! How a referral is written: against the version it was computed from, with a reference and keys that are nobody else's.

use super::{ReferralWrite, StoreError, frame::ReferralEntry, keys, transaction::Batch};
use crate::{ids::ReferralId, referral::Referral};

/// Writes the next version of a referral, or its first.
///
/// Keys are added to those it has; none is taken away, so that an old number still finds it.
pub(super) fn write(batch: &mut Batch<'_>, write: ReferralWrite) -> Result<(), StoreError> {
    let ReferralWrite { referral, read_version, keys } = write;
    let id = referral.id;
    let version = match (batch.referral(id)?, read_version) {
        (None, None) => {
            if batch.view().get(&keys::reference(&referral.reference))?.is_some() {
                return Err(StoreError::Stale);
            }
            1
        }
        (Some(current), Some(read)) if current.version == read && current.reference == referral.reference => read + 1,
        (Some(_), Some(_) | None) => return Err(StoreError::Stale),
        (None, Some(_)) => return Err(StoreError::NotFound("referral")),
    };
    for key in &keys {
        let owner: Option<ReferralId> = batch.view().id_at(&keys::referral_key(key))?;
        if owner.is_some_and(|owner| owner != id) {
            return Err(StoreError::Stale);
        }
    }
    batch.put_referral(ReferralEntry { referral: Referral { version, ..referral }, keys })
}
