//! What the rest of the engine calls with an event: it goes to the writer. Questions are in `questions.rs`.

use std::{
    sync::{Arc, PoisonError, Weak, atomic::Ordering, mpsc::Sender},
    thread::JoinHandle,
};

use tokio::sync::{Notify, Semaphore, oneshot};

use super::{
    Decision, Insertion, NewMessage, OpenError, Receipt, Store, StoreError, StoreOptions,
    bodies::{Bodies, Body},
    card::DeliveryCard,
    codec::Packed,
    deliveries,
    index::Index,
    journal::JournalReader,
    messages::{self, Inserted, Ready, Step},
    shared::{Coming, Shared},
    start,
    transaction::Batch,
    writer::{Command, Committed},
};
use crate::{
    delivery::Delivery,
    ids::{DeliveryId, MessageId, Named},
    message::Message,
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

    /// Checks some of the index from a key on; gives the key to go on at, or none when there is nothing to do any more.
    pub(super) fn check_some(&self, from: &[u8], count: usize) -> Option<Vec<u8>> {
        let guard = self.shared.index.read().unwrap_or_else(PoisonError::into_inner);
        // Without one it is being opened again, and read through then.
        match guard.as_ref()?.check_some(from, count) {
            Ok(next) => next,
            Err(fault) => {
                tracing::warn!(error = %fault, "the index is damaged: it is opened again");
                self.doubt_index();
                None
            }
        }
    }

    /// Has the writer open the index again.
    fn doubt_index(&self) {
        let known = self.shared.index_doubted.swap(true, Ordering::SeqCst);
        if !known {
            // If the writer is gone, the store is closed and nobody needs the index.
            self.send(Command::Mend).ok();
        }
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

    /// The engine, for what must not keep it alive.
    pub(super) fn engine(&self) -> Weak<Engine> {
        Arc::downgrade(&self.engine)
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.engine.shared
    }

    pub(super) fn journal(&self) -> &JournalReader {
        &self.engine.shared.journal
    }

    /// Tells the writer of a message that is being read, to be handed to [`insert_decided`](Self::insert_decided).
    #[must_use]
    pub fn coming(&self) -> Coming {
        Coming::new(self.shared().clone())
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
    async fn prepare(&self, contents: Vec<Named>) -> Result<Vec<Body>, StoreError> {
        if contents.iter().any(|content| Bodies::is_file(content)) {
            let shared = self.engine.shared.clone();
            let written = tokio::task::spawn_blocking(move || shared.bodies.prepare_all(&contents)).await;
            written.unwrap_or_else(|e| Err(std::io::Error::other(e))).map_err(StoreError::Unavailable)
        } else {
            self.shared().bodies.prepare_all(&contents).map_err(StoreError::Unavailable)
        }
    }

    async fn ready(&self, mut decision: Decision) -> Result<Ready, StoreError> {
        let mut contents = std::mem::take(&mut decision.bodies);
        contents.extend(decision.arrived.as_ref().map(|arrived| arrived.body.clone()));
        let bodies = self.prepare(contents).await?;
        Ok(Ready::new(decision, bodies))
    }

    /// Stores a message as `Received`, or notices that it came before.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Closed`]: nothing was stored.
    pub async fn insert(&self, new: NewMessage) -> Result<Insertion, StoreError> {
        self.insert_with("insert", Box::new((new, None)), None).await
    }

    /// Stores a message together with what became of it, in one transaction. A repeat writes nothing of the decision.
    ///
    /// # Errors
    /// [`StoreError::Stale`] too: a referral's version, reference or key; nothing was stored.
    pub fn insert_decided(
        &self,
        new: NewMessage,
        decision: Decision,
        coming: Coming,
    ) -> impl Future<Output = Result<Insertion, StoreError>> + Send {
        self.insert_with("insert-decided", Box::new((new, Some(decision))), Some(coming))
    }

    /// What is inserted comes in a box: a future is moved as a whole, and holds what it was given in its place.
    async fn insert_with(
        &self,
        event: &'static str,
        mut new: Box<(NewMessage, Option<Decision>)>,
        coming: Option<Coming>,
    ) -> Result<Insertion, StoreError> {
        let (NewMessage { body, .. }, decision) = &mut *new;
        debug_assert!(decision.as_ref().is_none_or(|decision| decision.arrived.is_none()), "one message at a time comes in");
        let mut contents = vec![body.clone()];
        contents.extend(decision.iter_mut().flat_map(|decision| std::mem::take(&mut decision.bodies)));
        let bodies = self.prepare(contents).await?;
        let ready = messages::ready_to_insert(new, bodies)?;
        let answer = |inserted, committed: &Committed| match inserted {
            Inserted::New(id) => Insertion::New(Receipt::new(id, committed)),
            Inserted::Repeat { first, same_file } => Insertion::Repeat { receipt: Receipt::new(first, committed), same_file },
        };
        drop(coming);
        let insert = move |batch: &mut Batch<'_>| {
            let (insert, ready) = *ready;
            messages::insert(batch, insert, ready)
        };
        self.transact(event, insert, answer).await
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
        let delivery = Packed::of(delivery).card(DeliveryCard::of);
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
            self.engine.doubt_index();
        }
        answer
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
