//! What the rest of the engine calls: events go to the writer, questions to the index.

use std::{
    collections::BTreeSet,
    ops::ControlFlow,
    sync::{Arc, PoisonError, atomic::Ordering, mpsc::Sender},
    thread::JoinHandle,
};

use bytes::Bytes;
use data_encoding::HEXLOWER;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use tokio::sync::{Notify, Semaphore, oneshot};

use super::{
    Decision, DeliveryFilter, Insertion, MessageFilter, NewMessage, OpenError, Receipt, ReferralFilter, Store, StoreError,
    StoreOptions,
    bodies::{Bodies, Body},
    deliveries,
    frame::{Digest, MessageEntry, Position, ReferralEntry},
    index::Index,
    journal::JournalReader,
    keys,
    messages::{self, Insert, Inserted, Ready, Step},
    shared::Shared,
    start,
    transaction::{Batch, parse_id, record_of},
    writer::{Command, Committed},
};
use crate::{
    delivery::Delivery,
    ids::{BodyId, DeliveryId, MessageId, ReferralId},
    message::Message,
    referral::{Reference, Referral},
};

/// Transactions that may wait; who comes after them waits for a place.
const TRANSACTIONS_WAITING_MAX: usize = 4096;

/// The running store behind every [`Store`].
pub(super) struct Engine {
    shared: Arc<Shared>,
    commands: Option<Sender<Command>>,
    places: Arc<Semaphore>,
    thread: Option<JoinHandle<()>>,
}

impl Engine {
    pub(super) fn new(shared: Arc<Shared>, commands: Sender<Command>, thread: JoinHandle<()>) -> Self {
        let places = Arc::new(Semaphore::new(TRANSACTIONS_WAITING_MAX));
        Self { shared, commands: Some(commands), places, thread: Some(thread) }
    }

    fn send(&self, command: Command) -> Result<(), StoreError> {
        self.commands.as_ref().and_then(|commands| commands.send(command).ok()).ok_or(StoreError::Closed)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        drop(self.commands.take());
        if let Some(thread) = self.thread.take() {
            // Only a bug makes it panic, and it was reported where it happened.
            thread.join().ok();
        }
    }
}

impl Store {
    pub(super) fn new(engine: Engine) -> Self {
        Self { engine: Arc::new(engine) }
    }

    /// Opens or makes the store: locks, recovers, replays. It blocks, for as long as the journal takes to read.
    ///
    /// # Errors
    /// [`OpenError`], each with what to do.
    pub fn open(options: &StoreOptions) -> Result<Self, OpenError> {
        start::open(options)
    }

    fn shared(&self) -> &Shared {
        &self.engine.shared
    }

    pub(super) fn journal(&self) -> &JournalReader {
        &self.engine.shared.journal
    }

    /// Has a transaction decided and made durable. `answer` is called once it is. Once it was handed to the writer it goes on,
    /// whether or not its caller still waits.
    async fn transact<D, T>(
        &self,
        event: &'static str,
        decide: impl FnOnce(&mut Batch<'_>) -> Result<D, StoreError> + Send + 'static,
        answer: impl FnOnce(D, &Committed) -> T + Send + 'static,
    ) -> Result<T, StoreError>
    where
        D: Send + 'static,
        T: Send + 'static,
    {
        let place = self.engine.places.clone().acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let (sender, receiver) = oneshot::channel();
        let transaction = move |batch: Option<&mut Batch<'_>>| -> super::writer::Answer {
            let decided = batch.map(|batch| batch.run(event, decide));
            Box::new(move |committed| {
                let outcome = committed.and_then(|committed| match decided {
                    Some(decided) => decided.map(|decided| answer(decided, committed)),
                    None => Err(StoreError::Closed),
                });
                drop(place);
                // The caller may have gone; what is durable stays so.
                sender.send(outcome).ok();
            })
        };
        self.engine.send(Command::Transact(Box::new(transaction)))?;
        match receiver.await {
            Ok(outcome) => outcome,
            Err(_) if self.shared().closed.load(Ordering::SeqCst) => Err(StoreError::Closed),
            Err(_) => Err(StoreError::Unreadable("the transaction failed; the log says why".to_owned())),
        }
    }

    /// Makes content ready to be named. Big content is written to its files here, beside the writer.
    async fn prepare(&self, contents: Vec<Bytes>) -> Result<Vec<Body>, StoreError> {
        let prepare_all = |bodies: &Bodies, contents: Vec<Bytes>| -> std::io::Result<Vec<Body>> {
            contents.iter().map(|content| bodies.prepare(content)).collect()
        };
        if contents.iter().any(|content| Bodies::is_file(content)) {
            let shared = self.engine.shared.clone();
            let written = tokio::task::spawn_blocking(move || prepare_all(&shared.bodies, contents)).await;
            written.unwrap_or_else(|e| Err(std::io::Error::other(e))).map_err(StoreError::Unavailable)
        } else {
            prepare_all(&self.shared().bodies, contents).map_err(StoreError::Unavailable)
        }
    }

    async fn ready(&self, mut decision: Decision) -> Result<Ready, StoreError> {
        let bodies = self.prepare(std::mem::take(&mut decision.bodies)).await?;
        Ok(Ready { decision, bodies })
    }

    /// Stores a message as `Received`, or notices that it came before.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Closed`]: nothing was stored.
    pub async fn insert(&self, new: NewMessage) -> Result<Insertion, StoreError> {
        self.insert_with("insert", new, None).await
    }

    /// Stores a message together with what became of it, in one transaction. A repeat writes nothing of the decision.
    ///
    /// # Errors
    /// [`StoreError::Stale`] too: a referral's version, reference or key; nothing was stored.
    pub async fn insert_decided(&self, new: NewMessage, decision: Decision) -> Result<Insertion, StoreError> {
        let ready = self.ready(decision).await?;
        self.insert_with("insert-decided", new, Some(ready)).await
    }

    async fn insert_with(&self, event: &'static str, new: NewMessage, ready: Option<Ready>) -> Result<Insertion, StoreError> {
        let NewMessage { message, body, repeat_key, control_key } = new;
        let body = self.prepare(vec![body]).await?.pop().expect("one content in, one out");
        if HEXLOWER.encode(body.digest()) != message.body.hex() {
            return Err(StoreError::NotFound("content of the name that the message gives"));
        }
        let insert = Insert { entry: MessageEntry { message, repeat_key, control_key }, body };
        let answer = |inserted, committed: &Committed| match inserted {
            Inserted::New(id) => Insertion::New(Receipt::new(id, committed)),
            Inserted::Repeat { first, same_file } => Insertion::Repeat { receipt: Receipt::new(first, committed), same_file },
        };
        self.transact(event, move |batch| messages::insert(batch, insert, ready), answer).await
    }

    /// Counts an attempt at a message durably, before its content is opened.
    ///
    /// # Errors
    /// [`StoreError::Refused`] unless it is `Received`.
    pub async fn claim_message(&self, id: MessageId) -> Result<Message, StoreError> {
        self.transact("claim-message", move |batch| messages::claim(batch, id), |message, _| message).await
    }

    /// Writes what became of a claimed (or held) message.
    ///
    /// # Errors
    /// [`StoreError::Stale`] to compute again; [`StoreError::Refused`] where the transition table has no such step.
    pub async fn finish(&self, decision: Decision) -> Result<(), StoreError> {
        let ready = self.ready(decision).await?;
        self.transact("finish", move |batch| messages::decide(batch, ready, Step::Transition), |(), _| ()).await
    }

    /// Marks a delivery in flight durably, before its first byte leaves.
    ///
    /// # Errors
    /// [`StoreError::Refused`] unless it is `Queued`.
    pub async fn claim_delivery(&self, id: DeliveryId) -> Result<Delivery, StoreError> {
        self.transact("claim-delivery", move |batch| deliveries::claim(batch, id), |delivery, _| delivery).await
    }

    /// Writes how a claimed delivery went, and what that means for its referral and message (which may stay in its state).
    ///
    /// # Errors
    /// [`StoreError::Refused`] unless it is in flight; [`StoreError::Stale`] for the result of an earlier attempt, or when the
    /// consequence must be computed again.
    pub async fn settle_delivery(&self, delivery: Delivery, consequence: Decision) -> Result<(), StoreError> {
        let ready = self.ready(consequence).await?;
        self.transact("settle-delivery", move |batch| deliveries::settle(batch, delivery, ready), |(), _| ()).await
    }

    /// Writes what a person decided. Like `finish`, without a message that was claimed; a message may stay in its state.
    ///
    /// # Errors
    /// As [`Store::finish`].
    pub async fn settle(&self, decision: Decision) -> Result<(), StoreError> {
        let ready = self.ready(decision).await?;
        self.transact("settle", move |batch| messages::decide(batch, ready, Step::Update), |(), _| ()).await
    }

    /// Asks the index. A fault has it opened again by the writer.
    pub(super) fn read<T>(&self, ask: impl FnOnce(&Index) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let guard = self.shared().index.read().unwrap_or_else(PoisonError::into_inner);
        let Some(index) = guard.as_ref() else {
            let closed = self.shared().closed.load(Ordering::SeqCst);
            return Err(if closed { StoreError::Closed } else { StoreError::Unreadable("the index is being opened".to_owned()) });
        };
        let answer = ask(index);
        if matches!(answer, Err(StoreError::Unreadable(_))) {
            let known = self.shared().index_doubted.swap(true, Ordering::SeqCst);
            if !known {
                // If the writer is gone, the store is closed and nobody needs the index.
                self.engine.send(Command::Mend).ok();
            }
        }
        answer
    }

    fn record<T: DeserializeOwned>(&self, key: &[u8]) -> Result<Option<T>, StoreError> {
        self.read(|index| index.get(key)?.map(|value| record_of(&value, self.journal())).transpose())
    }

    fn id<T: std::str::FromStr>(&self, key: &[u8]) -> Result<Option<T>, StoreError> {
        self.read(|index| index.get(key)?.map(|value| parse_id(&value)).transpose())
    }

    /// Records with a prefix, newest first, that fit, at most `limit` (0: all).
    fn list<T: DeserializeOwned>(&self, prefix: &[u8], limit: usize, fits: impl Fn(&T) -> bool) -> Result<Vec<T>, StoreError> {
        let mut found = Vec::new();
        let mut fault = None;
        self.read(|index| {
            index.scan(prefix, true, |_, value| {
                match record_of(value, self.journal()) {
                    Ok(record) if fits(&record) => found.push(record),
                    Ok(_) => {}
                    Err(error) => fault = Some(error),
                }
                let full = limit > 0 && found.len() >= limit;
                if full || fault.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })?;
            fault.map_or(Ok(()), Err)
        })?;
        Ok(found)
    }

    /// Ids of what is due, and when the first that is not given here falls due.
    fn due<T: std::str::FromStr>(
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
            let ids = ids.iter().map(|id| parse_id(id.as_bytes())).collect::<Result<_, _>>()?;
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

    /// Messages, newest first.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`].
    pub fn messages(&self, filter: &MessageFilter) -> Result<Vec<Message>, StoreError> {
        let fits = |entry: &MessageEntry| {
            filter.channel.as_ref().is_none_or(|channel| *channel == entry.message.channel)
                && filter.state.is_none_or(|state| state == entry.message.state)
        };
        Ok(self.list(keys::MESSAGES, filter.limit, fits)?.into_iter().map(|entry| entry.message).collect())
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
        Ok(self.record::<ReferralEntry>(&keys::referral(id))?.map(|entry| entry.referral))
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
        let fits = |entry: &ReferralEntry| {
            filter.status.is_none_or(|status| status == entry.referral.status)
                && filter.held.is_none_or(|held| held != entry.referral.record.held.is_empty())
                && (!filter.waiting || entry.referral.waits_for_a_person())
        };
        Ok(self.list(keys::REFERRALS, filter.limit, fits)?.into_iter().map(|entry| entry.referral).collect())
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
        Ok(self.record::<ReferralEntry>(&keys::version(id, version))?.map(|entry| entry.referral))
    }

    /// One delivery.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`].
    pub fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>, StoreError> {
        self.record(&keys::delivery(id))
    }

    /// Deliveries, newest first.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`].
    pub fn deliveries(&self, filter: &DeliveryFilter) -> Result<Vec<Delivery>, StoreError> {
        let fits = |delivery: &Delivery| filter.state.is_none_or(|state| state == delivery.state);
        let Some(referral) = filter.referral else { return self.list(keys::DELIVERIES, filter.limit, fits) };
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
            found.extend(self.delivery(parse_id(&id)?)?.filter(fits));
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
        if let Some((position, _)) = Position::split(&value) {
            return Ok(Some(self.inline_body(position, id)?));
        }
        let shared = self.engine.shared.clone();
        let read = tokio::task::spawn_blocking(move || shared.bodies.read(&digest)).await;
        let content = read.unwrap_or_else(|e| Err(std::io::Error::other(e)));
        content.map(Some).map_err(|e| StoreError::Unreadable(format!("content {id}: {e}")))
    }

    fn inline_body(&self, position: Position, id: &BodyId) -> Result<Bytes, StoreError> {
        let data = self.journal().entry(position)?;
        let packed = data.get(size_of::<Digest>()..).unwrap_or_default();
        let content = super::codec::unpack(packed).map_err(|e| StoreError::Unreadable(e.to_string()))?;
        if BodyId::of(&content) == *id {
            Ok(content.into())
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

    /// Notified after each commit that left a message due.
    #[must_use]
    pub fn message_wake(&self) -> &Notify {
        &self.shared().message_wake
    }

    /// Notified after each commit that left a delivery due.
    #[must_use]
    pub fn delivery_wake(&self) -> &Notify {
        &self.shared().delivery_wake
    }

    /// Whether it can write.
    ///
    /// # Errors
    /// Why it cannot, in words.
    pub fn health(&self) -> Result<(), String> {
        self.shared().trouble().map_or(Ok(()), Err)
    }

    /// Finishes what is at hand, marks the stop as clean, releases the lock.
    pub async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.engine.send(Command::Close(done)).is_ok() {
            // An error means that another close came first.
            closed.await.ok();
        }
    }
}
