//! One batch of transactions while it is decided: what they read, what they write, the frame they go into.
//!
//! A transaction reads through three layers: what it wrote itself, what the batch has decided before it, the index. If it is
//! refused, its own layer and its part of the frame are dropped and nothing of it remains. The replay at start goes the same
//! way, so that the index is made by one piece of code, [`View::record`].

use std::cell::RefCell;

use serde::de::DeserializeOwned;

use super::{
    StoreError,
    audit::Note,
    bodies::Body,
    card::{DeliveryCard, MessageCard, ReferralCard},
    codec::{self, Packed},
    frame::{self, Change, Digest, FRAME_HEADER_BYTES, Kind, MessageEntry, Position},
    index::{Applied, Changes, Index, KeyMap},
    journal::{JournalReader, Place},
    keys,
    mark::{self, Mark},
};
use crate::{
    delivery::{Delivery, DeliveryState},
    ids::{DeliveryId, MessageId},
    message::State,
};

/// A record out of its entry's data.
pub(super) fn record_of<T: DeserializeOwned>(data: &[u8]) -> Result<T, StoreError> {
    codec::decode(data).map_err(|e| StoreError::Unreadable(e.to_string()))
}

/// The index with what is decided and not yet applied on top.
pub(super) struct View<'a> {
    index: &'a Index,
    journal: &'a JournalReader,
    /// Decided by the batch.
    decided: Changes,
    /// Written by the transaction at hand.
    pending: Changes,
    /// What the index answered; forgotten when something is applied to it.
    asked: RefCell<KeyMap<Option<Vec<u8>>>>,
    records: u64,
    records_pending: u64,
    /// The batch's frame as it grows: what stands in it is read from it, as the journal does not have it yet.
    frame: Vec<u8>,
    /// Where the frame will begin; the replay has no frame.
    frame_at: Option<Place>,
}

impl<'a> View<'a> {
    pub(super) fn new(index: &'a Index, journal: &'a JournalReader, records: u64) -> Self {
        Self {
            index,
            journal,
            decided: Changes::default(),
            pending: Changes::default(),
            asked: RefCell::default(),
            records,
            records_pending: 0,
            frame: Vec::new(),
            frame_at: None,
        }
    }

    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match self.pending.get(key).or_else(|| self.decided.get(key)) {
            Some(value) => Ok(value.clone()),
            None => self.asked(key),
        }
    }

    /// The index's answer. A transaction asks the same more than once (is it free? what was there before?), and sled is slow to ask.
    fn asked(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let known = self.asked.borrow().get(key).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let value = self.index.get(key)?;
        self.asked.borrow_mut().insert(key.to_vec(), value.clone());
        Ok(value)
    }

    pub(super) fn record_at<T: DeserializeOwned>(&self, key: &[u8]) -> Result<Option<T>, StoreError> {
        let Some(value) = self.get(key)? else { return Ok(None) };
        let (position, _) = Mark::split(&value)?;
        let unreadable = || StoreError::Unreadable("an entry of the batch at hand is not whole".to_owned());
        match self.in_frame(position) {
            Some(entry) => {
                let (entry, _) = frame::split_entry(entry).ok_or_else(unreadable)?;
                record_of(entry.data).map(Some)
            }
            None => record_of(&self.journal.entry(position)?).map(Some),
        }
    }

    /// An entry of the batch at hand and what follows it.
    fn in_frame(&self, position: Position) -> Option<&[u8]> {
        let begin = self.frame_at.filter(|begin| begin.segment == position.segment)?;
        self.frame.get(usize::try_from(position.offset.checked_sub(begin.offset)?).ok()?..)
    }

    /// The mark of a record.
    pub(super) fn mark_at(&self, key: &[u8]) -> Result<Option<Mark>, StoreError> {
        self.get(key)?.map(|value| Mark::split(&value).map(|(_, mark)| mark)).transpose()
    }

    /// An id that a key of another kind points to.
    pub(super) fn id_at<T: From<[u8; 16]>>(&self, key: &[u8]) -> Result<Option<T>, StoreError> {
        self.get(key)?.map(|value| parse_id(&value)).transpose()
    }

    fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.pending.insert(key, Some(value));
    }

    fn put_record(&mut self, key: Vec<u8>, value: Vec<u8>, is_new: bool) {
        debug_assert!(keys::is_record(&key), "only records are counted");
        self.records_pending += u64::from(is_new);
        self.put(key, value);
    }

    fn take_away(&mut self, key: Vec<u8>) {
        self.pending.insert(key, None);
    }

    /// What a change at a position in the journal means for the index. The one place that knows.
    pub(super) fn record(&mut self, change: &Change, position: Position, sequence: u64) -> Result<(), StoreError> {
        match change {
            Change::Message(card) => self.record_message(card, position),
            Change::Referral(card) => self.record_referral(card, position),
            Change::Delivery(card) => self.record_delivery(card, position),
            Change::Body(digest) => {
                self.put(keys::body(digest), position.to_bytes().to_vec());
                Ok(())
            }
            Change::BodyFile(digest) => {
                // Without a position: it is in its file.
                self.put(keys::body(digest), Vec::new());
                Ok(())
            }
            Change::Bodies(digests) => {
                for (number, digest) in (0_u8..).zip(digests) {
                    // With its number behind the position.
                    self.put(keys::body(digest), [&position.to_bytes()[..], &[number]].concat());
                }
                Ok(())
            }
            Change::Audit => {
                self.put(keys::audit(sequence), position.to_bytes().to_vec());
                Ok(())
            }
        }
    }

    fn record_message(&mut self, card: &MessageCard, position: Position) -> Result<(), StoreError> {
        let key = keys::message(card.id);
        let before = self.mark_at(&key)?;
        match before {
            Some(before) => {
                if before.state == mark::message_state(State::Received) {
                    self.take_away(keys::message_due(before.number, card.id));
                }
            }
            None => {
                let id = card.id.to_bytes();
                for key in [&card.repeat, &card.control].into_iter().flatten() {
                    self.put(key.clone(), id.to_vec());
                }
            }
        }
        if card.state == State::Received {
            self.put(keys::message_due(card.mark.number, card.id), Vec::new());
        }
        self.put_record(key, card.mark.value(position), before.is_none());
        Ok(())
    }

    fn record_referral(&mut self, card: &ReferralCard, position: Position) -> Result<(), StoreError> {
        let key = keys::referral(card.id);
        let id = card.id.to_bytes();
        let before = self.get(&key)?;
        if let Some((position, _)) = before.as_deref().and_then(Position::split) {
            self.put(keys::version(card.id, card.version.saturating_sub(1)), position.to_bytes().to_vec());
        } else {
            self.put(keys::reference(&card.reference), id.to_vec());
        }
        for key in &card.keys {
            self.put(key.clone(), id.to_vec());
        }
        self.put_record(key, card.mark.value(position), before.is_none());
        Ok(())
    }

    fn record_delivery(&mut self, card: &DeliveryCard, position: Position) -> Result<(), StoreError> {
        let key = keys::delivery(card.id);
        let before = self.mark_at(&key)?;
        if let Some(before) = before {
            if before.state == mark::delivery_state(DeliveryState::Queued) {
                self.take_away(keys::delivery_due(before.number, card.id));
            } else if before.state == mark::delivery_state(DeliveryState::InFlight) {
                self.take_away(keys::in_flight(card.id));
            }
        }
        match card.state {
            DeliveryState::Queued => self.put(keys::delivery_due(card.mark.number, card.id), Vec::new()),
            DeliveryState::InFlight => self.put(keys::in_flight(card.id), Vec::new()),
            DeliveryState::Sent | DeliveryState::Dead | DeliveryState::Withdrawn => {}
        }
        if let (None, Some(referral)) = (&before, card.referral) {
            self.put(keys::delivery_of(referral, card.id), Vec::new());
        }
        self.put_record(key, card.mark.value(position), before.is_none());
        Ok(())
    }

    /// The transaction holds: what it wrote is what the batch has decided.
    pub(super) fn keep(&mut self) {
        self.decided.extend(self.pending.drain());
        self.records += std::mem::take(&mut self.records_pending);
    }

    fn discard(&mut self) {
        self.pending.clear();
        self.records_pending = 0;
    }

    /// How many keys wait to be applied.
    pub(super) fn decided_count(&self) -> usize {
        self.decided.len()
    }

    /// Hands what was decided to the index.
    pub(super) fn apply(&mut self, place: Place) -> Result<(), StoreError> {
        let changes = std::mem::take(&mut self.decided);
        self.asked.get_mut().clear();
        Ok(self.index.apply(changes, Applied { place, records: self.records })?)
    }

    pub(super) fn records(&self) -> u64 {
        self.records
    }
}

pub(super) fn parse_id<T: From<[u8; 16]>>(value: &[u8]) -> Result<T, StoreError> {
    let bytes = <[u8; 16]>::try_from(value);
    bytes.map(T::from).map_err(|_| StoreError::Unreadable("an id in the index is not one".to_owned()))
}

/// What became due by a batch, so that the workers are woken.
#[derive(Clone, Copy, Default)]
pub(super) struct Due {
    pub(super) messages: bool,
    pub(super) deliveries: bool,
}

/// A batch while it is decided.
pub(super) struct Batch<'a> {
    view: View<'a>,
    from: Place,
    notes: Vec<Note>,
    note: Note,
    mark: usize,
    due: Due,
    /// Deliveries that were written: what was ambiguous about them at start is settled.
    deliveries: Vec<DeliveryId>,
}

impl<'a> Batch<'a> {
    /// An empty batch, whose frame goes where the journal ends. It is put together in the memory of an earlier one.
    pub(super) fn new(mut view: View<'a>, from: Place, mut frame: Vec<u8>) -> Self {
        debug_assert!(frame.is_empty(), "only its memory is taken");
        frame.resize(FRAME_HEADER_BYTES, 0);
        view.frame = frame;
        view.frame_at = Some(from);
        Self {
            view,
            from,
            notes: Vec::new(),
            note: Note::default(),
            mark: FRAME_HEADER_BYTES,
            due: Due::default(),
            deliveries: Vec::new(),
        }
    }

    /// Runs one transaction: all it wrote is in the batch, or nothing.
    pub(super) fn run<T>(
        &mut self,
        event: &'static str,
        decide: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.mark = self.view.frame.len();
        self.note = Note::of(event);
        let decided = decide(self);
        if decided.is_ok() {
            self.view.keep();
            self.deliveries.extend(&self.note.deliveries);
            if self.view.frame.len() > self.mark {
                self.notes.push(std::mem::take(&mut self.note));
            }
        } else {
            self.abandon();
        }
        decided
    }

    /// Drops what the transaction at hand wrote.
    pub(super) fn abandon(&mut self) {
        self.view.discard();
        self.view.frame.truncate(self.mark);
    }

    fn write(&mut self, kind: Kind, change: &Change, data: &[&[u8]]) -> Result<(), StoreError> {
        let offset = self.from.offset + self.view.frame.len() as u64;
        let length = frame::push_entry(&mut self.view.frame, kind, data);
        let position = Position { segment: self.from.segment, offset, length };
        self.view.record(change, position, self.from.sequence + 1)
    }

    pub(super) fn view(&self) -> &View<'a> {
        &self.view
    }

    pub(super) fn message(&self, id: MessageId) -> Result<Option<MessageEntry>, StoreError> {
        self.view.record_at(&keys::message(id))
    }

    pub(super) fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>, StoreError> {
        self.view.record_at(&keys::delivery(id))
    }

    /// Writes a message.
    pub(super) fn put_message(&mut self, entry: MessageEntry) -> Result<(), StoreError> {
        self.put_packed_message(Packed::of(entry).card(MessageCard::of))
    }

    /// Writes a message that its caller packed.
    pub(super) fn put_packed_message(&mut self, Packed { record, bytes }: Packed<MessageCard>) -> Result<(), StoreError> {
        self.note.messages.push(record.id);
        self.write(Kind::Message, &Change::Message(record), &[&bytes])
    }

    /// Writes a version of a referral.
    pub(super) fn put_referral(&mut self, Packed { mut record, bytes }: Packed<ReferralCard>) -> Result<(), StoreError> {
        self.note.referrals.push((record.id, record.version));
        self.note.by = record.by.take().or(self.note.by.take());
        self.write(Kind::Referral, &Change::Referral(record), &[&bytes])
    }

    /// Writes a delivery.
    pub(super) fn put_delivery(&mut self, delivery: Delivery) -> Result<(), StoreError> {
        self.put_packed_delivery(Packed::of(delivery).card(DeliveryCard::of))
    }

    /// Writes a delivery that its caller packed.
    pub(super) fn put_packed_delivery(&mut self, Packed { record, bytes }: Packed<DeliveryCard>) -> Result<(), StoreError> {
        self.note.deliveries.push(record.id);
        self.due.deliveries |= record.state == DeliveryState::Queued;
        self.write(Kind::Delivery, &Change::Delivery(record), &[&bytes])
    }

    /// Names content, and writes it if it is small; what is named already is not written again.
    pub(super) fn put_body(&mut self, body: &Body) -> Result<(), StoreError> {
        let known = |digest: &Digest| Ok::<_, StoreError>(self.view.get(&keys::body(digest))?.is_some());
        match body {
            Body::Inline(digest, packed) if !known(digest)? => self.write(Kind::Body, &Change::Body(*digest), &[digest, packed]),
            Body::File(digest, length) if !known(digest)? => {
                self.write(Kind::BodyFile, &Change::BodyFile(*digest), &[digest, &length.to_le_bytes()])
            }
            Body::Together(digests, bytes) => {
                let unknown = digests.iter().map(known).collect::<Result<Vec<bool>, _>>()?.contains(&false);
                if unknown { self.write(Kind::Bodies, &Change::Bodies(digests.clone()), &[bytes]) } else { Ok(()) }
            }
            Body::Inline(..) | Body::File(..) => Ok(()),
        }
    }

    /// The message worker has something new to look at.
    pub(super) fn message_is_due(&mut self) {
        self.due.messages = true;
    }

    /// Whether nothing is to be written.
    pub(super) fn is_empty(&self) -> bool {
        self.view.frame.len() == FRAME_HEADER_BYTES
    }

    pub(super) fn bytes(&self) -> usize {
        self.view.frame.len()
    }

    /// Ends the deciding: adds what the batch did for the audit, and gives the frame to be written.
    pub(super) fn finish(&mut self) -> Result<&mut Vec<u8>, StoreError> {
        let data = codec::encode(&super::audit::Done { at: jiff::Timestamp::now(), events: std::mem::take(&mut self.notes) });
        self.write(Kind::Audit, &Change::Audit, &[&data])?;
        self.view.keep();
        Ok(&mut self.view.frame)
    }

    /// Applies the batch to the index once it is durable.
    pub(super) fn apply(&mut self, end: Place) -> Result<(), StoreError> {
        self.view.apply(end)
    }

    /// Gives back the memory of its frame.
    pub(super) fn into_frame(self) -> Vec<u8> {
        self.view.frame
    }

    pub(super) fn due(&self) -> Due {
        self.due
    }

    pub(super) fn deliveries(&self) -> &[DeliveryId] {
        &self.deliveries
    }

    pub(super) fn records(&self) -> u64 {
        self.view.records()
    }
}
