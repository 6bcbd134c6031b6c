//! Questions to the store: one record, lists, what is due, content. They ask the index and read the journal; the writer is not involved.

use std::{collections::BTreeSet, ops::ControlFlow, sync::PoisonError};

use bytes::Bytes;
use data_encoding::HEXLOWER;
use jiff::Timestamp;
use serde::de::DeserializeOwned;

use super::{
    DeliveryFilter, MessageFilter, ReferralFilter, Store, StoreError,
    bodies::Together,
    frame::{Digest, MessageEntry, Position, ReferralEntry},
    keys,
    mark::{self, Mark},
    transaction::{parse_id, record_of},
};
use crate::{
    delivery::{self, Delivery},
    ids::{BodyId, DeliveryId, MessageId, ReferralId},
    message::Message,
    referral::{Reference, Referral},
};

impl Store {
    fn record<T: DeserializeOwned>(&self, key: &[u8]) -> Result<Option<T>, StoreError> {
        self.read(|index| {
            let Some(value) = index.get(key)? else { return Ok(None) };
            let (position, _) = Mark::split(&value)?;
            record_of(&self.journal().entry(position)?).map(Some)
        })
    }

    fn id<T: From<[u8; 16]>>(&self, key: &[u8]) -> Result<Option<T>, StoreError> {
        self.read(|index| index.get(key)?.map(|value| parse_id(&value)).transpose())
    }

    /// Records with a prefix, newest first, that fit, at most `limit` (0: all), until one says that there are no more. Only those whose
    /// state fits are read.
    fn list<T: DeserializeOwned>(
        &self,
        prefix: &[u8],
        limit: usize,
        state_fits: impl Fn(u8) -> bool,
        fits: impl Fn(&T) -> ControlFlow<(), bool>,
    ) -> Result<Vec<T>, StoreError> {
        let mut found = Vec::new();
        let mut fault = None;
        let read = |value: &[u8]| -> Result<ControlFlow<(), Option<T>>, StoreError> {
            let (position, mark) = Mark::split(value)?;
            if !state_fits(mark.state) {
                return Ok(ControlFlow::Continue(None));
            }
            let record = record_of(&self.journal().entry(position)?)?;
            Ok(fits(&record).map_continue(|fits| fits.then_some(record)))
        };
        self.read(|index| {
            index.records(prefix, |value| {
                let mut full = false;
                match read(value) {
                    Ok(ControlFlow::Continue(record)) => found.extend(record),
                    Ok(ControlFlow::Break(())) => full = true,
                    Err(error) => fault = Some(error),
                }
                full |= limit > 0 && found.len() >= limit;
                if full || fault.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })?;
            fault.map_or(Ok(()), Err)
        })?;
        Ok(found)
    }

    /// Ids of what is due, and when the first that is not given here falls due.
    fn due<T: From<[u8; 16]>>(
        &self,
        prefix: &[u8],
        now: Timestamp,
        limit: usize,
    ) -> Result<(Vec<T>, Option<Timestamp>), StoreError> {
        let mut ids = Vec::new();
        let mut next = None;
        self.read(|index| {
            index.scan(prefix, false, |key, _| match keys::split_due(key) {
                Some((at, id)) if at <= now && ids.len() < limit => {
                    ids.push(id.to_owned());
                    ControlFlow::Continue(())
                }
                at => {
                    next = at.map(|(at, _)| at.max(now));
                    ControlFlow::Break(())
                }
            })?;
            let ids = ids.iter().map(|id| parse_id(id)).collect::<Result<_, _>>()?;
            Ok((ids, next))
        })
    }

    /// One message.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`], as every question to the index.
    pub fn message(&self, id: MessageId) -> Result<Option<Message>, StoreError> {
        Ok(self.record::<MessageEntry>(&keys::message(id))?.map(|entry| entry.message))
    }

    /// The message that a repeat or control key names (the latest with that control key).
    ///
    /// # Errors
    /// [`StoreError::Unreadable`].
    pub fn message_by_key(&self, key: &str) -> Result<Option<Message>, StoreError> {
        match self.id(&keys::repeat(key))?.map_or_else(|| self.id(&keys::control(key)), |id| Ok(Some(id)))? {
            Some(id) => self.message(id),
            None => Ok(None),
        }
    }

    /// The latest message with this control key.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`].
    pub fn message_by_control_key(&self, key: &str) -> Result<Option<Message>, StoreError> {
        self.id(&keys::control(key))?.map_or(Ok(None), |id| self.message(id))
    }

    /// Messages, newest first.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`].
    pub fn messages(&self, filter: &MessageFilter) -> Result<Vec<Message>, StoreError> {
        let state_fits = |state: u8| filter.state.is_none_or(|wanted| mark::message_state(wanted) == state);
        let fits = |entry: &MessageEntry| filter.fits(&entry.message);
        Ok(self.list(keys::MESSAGES, filter.limit, state_fits, fits)?.into_iter().map(|entry| entry.message).collect())
    }

    /// Messages in `Received` that are due now, oldest first, and when the next one falls due. A claimed message stays due
    /// until it is finished: the claim alone must not lose it when its worker dies.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`].
    pub fn due_messages(&self, now: Timestamp, limit: usize) -> Result<(Vec<MessageId>, Option<Timestamp>), StoreError> {
        self.due(keys::MESSAGES_DUE, now, limit)
    }

    /// Deliveries that are due now, the longest due first, and when the next one falls due.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`].
    pub fn due_deliveries(&self, now: Timestamp, limit: usize) -> Result<(Vec<DeliveryId>, Option<Timestamp>), StoreError> {
        self.due(keys::DELIVERIES_DUE, now, limit)
    }

    /// One referral.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`].
    pub fn referral(&self, id: ReferralId) -> Result<Option<Referral>, StoreError> {
        Ok(self.record::<ReferralEntry>(&keys::referral(id))?.map(ReferralEntry::into_referral))
    }

    /// The referral with this reference.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`].
    pub fn referral_by_reference(&self, reference: &Reference) -> Result<Option<Referral>, StoreError> {
        self.id(&keys::reference(reference))?.map_or(Ok(None), |id| self.referral(id))
    }

    /// The referral that has this key.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`].
    pub fn referral_by_key(&self, key: &str) -> Result<Option<Referral>, StoreError> {
        self.id(&keys::referral_key(key))?.map_or(Ok(None), |id| self.referral(id))
    }

    /// Referrals, newest first.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`].
    pub fn referrals(&self, filter: &ReferralFilter) -> Result<Vec<Referral>, StoreError> {
        let state_fits = |state: u8| {
            filter.status.is_none_or(|status| mark::has_status(state, status))
                && filter.held.is_none_or(|held| held == mark::is_held(state))
        };
        let fits = |entry: &ReferralEntry| filter.fits(&entry.referral);
        let found = self.list(keys::REFERRALS, filter.limit, state_fits, fits)?;
        Ok(found.into_iter().map(ReferralEntry::into_referral).collect())
    }

    /// A version of a referral, an old one from the journal.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`].
    pub fn referral_version(&self, id: ReferralId, version: u64) -> Result<Option<Referral>, StoreError> {
        let Some(current) = self.referral(id)? else { return Ok(None) };
        if current.version == version {
            return Ok(Some(current));
        }
        let Some(value) = self.read(|index| Ok(index.get(&keys::version(id, version))?))? else { return Ok(None) };
        let (position, _) =
            Position::split(&value).ok_or_else(|| StoreError::Unreadable("a version without its position".to_owned()))?;
        let entry: ReferralEntry = record_of(&self.journal().entry(position)?)?;
        Ok(Some(entry.into_referral()))
    }

    /// One delivery.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`].
    pub fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>, StoreError> {
        self.record(&keys::delivery(id))
    }

    /// The delivery whose HL7 message has, or had, this control id ([`Delivery::control_id`]).
    ///
    /// # Errors
    /// [`StoreError::Unreadable`].
    pub fn delivery_of_control_id(&self, control_id: &str) -> Result<Option<Delivery>, StoreError> {
        let Some((first, last)) = delivery::of_control_id(control_id) else { return Ok(None) };
        let (from, to) = (keys::delivery(first), keys::delivery(last));
        let common: Vec<u8> = from.iter().zip(&to).take_while(|(one, other)| one == other).map(|(byte, _)| *byte).collect();
        let is_it = |delivery: &Delivery| ControlFlow::Continue((first..=last).contains(&delivery.id));
        let mut found = self.list(&common, 2, |_| true, is_it)?;
        let only = found.pop().filter(|_| found.is_empty());
        Ok(only)
    }

    /// Deliveries, newest first.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`].
    pub fn deliveries(&self, filter: &DeliveryFilter) -> Result<Vec<Delivery>, StoreError> {
        let Some(referral) = filter.referral else {
            let state_fits = |state: u8| filter.state.is_none_or(|wanted| mark::delivery_state(wanted) == state);
            return self
                .list(keys::DELIVERIES, filter.limit, state_fits, |delivery| ControlFlow::Continue(filter.fits(delivery)));
        };
        let prefix = keys::deliveries_of(referral);
        let mut ids: Vec<Vec<u8>> = Vec::new();
        self.read(|index| {
            index.scan(&prefix, true, |key, _| {
                ids.extend(key.strip_prefix(prefix.as_slice()).map(<[u8]>::to_vec));
                ControlFlow::Continue(())
            })?;
            Ok(())
        })?;
        let mut found = Vec::new();
        for id in ids {
            found.extend(self.delivery(parse_id(&id)?)?.filter(|delivery| filter.fits(delivery)));
            if filter.limit > 0 && found.len() >= filter.limit {
                break;
            }
        }
        Ok(found)
    }

    /// Content, compared with its name.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`].
    pub async fn body(&self, id: &BodyId) -> Result<Option<Bytes>, StoreError> {
        let Some(digest) = HEXLOWER.decode(id.hex().as_bytes()).ok().and_then(|digest| Digest::try_from(digest).ok()) else {
            return Ok(None);
        };
        let Some(value) = self.read(|index| Ok(index.get(&keys::body(&digest))?))? else { return Ok(None) };
        if let Some((position, number)) = Position::split(&value) {
            return Ok(Some(self.inline_body(position, number.first().copied(), id)?));
        }
        let shared = self.shared().clone();
        let read = tokio::task::spawn_blocking(move || shared.bodies.read(&digest)).await;
        let content = read.unwrap_or_else(|e| Err(std::io::Error::other(e)));
        content.map(Some).map_err(|e| StoreError::Unreadable(format!("content {id}: {e}")))
    }

    /// Content that stands alone in its entry, or as the piece of this number.
    fn inline_body(&self, position: Position, number: Option<u8>, id: &BodyId) -> Result<Bytes, StoreError> {
        let data = self.journal().entry(position)?;
        let content = match number {
            None => super::codec::unpack(data.get(size_of::<Digest>()..).unwrap_or_default()).map(Bytes::from),
            Some(number) => match Together::read(&data) {
                Some(together) => together.piece(number),
                None => Err(super::codec::CodecError("the entry is too short".to_owned())),
            },
        };
        let content = content.map_err(|e| StoreError::Unreadable(e.to_string()))?;
        if BodyId::of(&content) == *id {
            Ok(content)
        } else {
            Err(StoreError::Unreadable(format!("content {id} is not what its name says")))
        }
    }

    /// Deliveries that were in flight when the process before this one died: ambiguous.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`].
    pub fn interrupted_deliveries(&self) -> Result<Vec<Delivery>, StoreError> {
        let ids: BTreeSet<DeliveryId> =
            self.shared().interrupted.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect();
        ids.into_iter().filter_map(|id| self.delivery(id).transpose()).collect()
    }
}
