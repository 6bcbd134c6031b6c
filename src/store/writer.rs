//! The writer: one thread, the only one that decides and writes.
//!
//! It takes all transactions that wait, decides them one after the other against the index and what the batch decided before
//! them, writes one frame, syncs it, applies it to the index, and only then answers any of them, repeats and refusals included.
//!
//! # Design notes
//! A transaction is a boxed closure: the writer needs to know nothing of what the transactions are, and each has its answer's
//! own type. [`Committed`] is what a receipt is made of; only this module can make one.
//!
//! A batch waits up to a millisecond, and mostly less, for messages that are being read just then ([`Coming`](super::Coming)). An `fdatasync` takes
//! less time than reading a few messages, so that under load nearly every message had a sync of its own, and the kernel, the disk and the
//! waking of threads cost more than what was written. A sender alone on one connection waits for nobody.

use std::{
    fs::File,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, PoisonError,
        atomic::Ordering,
        mpsc::{Receiver, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::{
    StoreError,
    crash::crash_point,
    index::Index,
    journal::Journal,
    shared::Shared,
    start,
    transaction::{Batch, View},
};

/// Transactions decided together.
const BATCH_TRANSACTIONS_MAX: usize = 1024;
/// A batch that has grown to this is written; what still waits goes into the next one.
const BATCH_BYTES_MAX: usize = 8 * 1024 * 1024;
/// A frame's memory that is kept for the next one, in bytes; shrinking it frees what a rare large one took.
const FRAME_BYTES_KEPT: usize = 1024 * 1024;
/// How long a batch waits for those that are on their way, at most: so many times so long.
const WAITS_MAX: u32 = 5;
const WAIT: Duration = Duration::from_micros(100);
/// How long until a store that cannot write tries again by itself.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Proof that a batch is durable.
pub(super) struct Committed {
    at: Timestamp,
}

impl Committed {
    /// When it became so.
    pub(super) fn at(&self) -> Timestamp {
        self.at
    }
}

/// Answers the caller of a transaction.
pub(super) type Answer = Box<dyn FnOnce(Result<&Committed, StoreError>) + Send>;
/// A transaction. It is given no batch when it is to be refused.
pub(super) type Transaction = Box<dyn FnOnce(Option<&mut Batch<'_>>) -> Answer + Send>;

/// What the writer is asked.
pub(super) enum Command {
    Transact(Transaction),
    /// A reader met a fault: open the index again.
    Mend,
    Close(oneshot::Sender<()>),
}

/// The writer's own.
pub(super) struct Writer {
    pub(super) shared: Arc<Shared>,
    pub(super) journal: Journal,
    /// How many records the index has.
    pub(super) records: u64,
    /// The lock on the folder, while the writer lives.
    pub(super) lock: Option<File>,
    pub(super) clean_stop: start::CleanStop,
    /// Memory for the next frame. One that grows from nothing with each batch is copied as often as it doubles, and its pages come anew
    /// from the kernel.
    pub(super) frame: Vec<u8>,
}

fn same(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}

impl Writer {
    /// Works until the store is closed or dropped.
    pub(super) fn run(mut self, commands: &Receiver<Command>) {
        loop {
            let first = match self.shared.is_well() {
                true => commands.recv().map_err(|_| RecvTimeoutError::Disconnected),
                false => commands.recv_timeout(RETRY_AFTER),
            };
            let mut close = None;
            let mut transactions = Vec::new();
            let mut waits = 0;
            let mut next = match first {
                Ok(command) => Some(command),
                Err(RecvTimeoutError::Timeout) => {
                    self.probe();
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            };
            while let Some(command) = next.take() {
                match command {
                    Command::Transact(transaction) => transactions.push(transaction),
                    // Each batch begins with that; without one it is done below.
                    Command::Mend => {}
                    Command::Close(done) => close = Some(done),
                }
                if close.is_none() && transactions.len() < BATCH_TRANSACTIONS_MAX {
                    next = commands.try_recv().ok();
                    while next.is_none() && waits < WAITS_MAX && self.shared.is_awaiting() {
                        waits += 1;
                        thread::sleep(WAIT);
                        next = commands.try_recv().ok();
                    }
                }
            }
            if transactions.is_empty() && close.is_none() {
                // What is wrong was noted by it, and is tried again.
                self.make_ready().ok();
            }
            let mut waiting = transactions.into_iter().peekable();
            while waiting.peek().is_some() {
                self.commit(&mut waiting);
            }
            if let Some(done) = close {
                self.close();
                // Whoever closed may have stopped waiting for it.
                done.send(()).ok();
                return;
            }
        }
    }

    /// Decides what waits, up to a batch's size, makes it durable, answers.
    fn commit(&mut self, waiting: &mut dyn Iterator<Item = Transaction>) {
        if let Err(error) = self.make_ready() {
            waiting.for_each(|transaction| transaction(None)(Err(StoreError::Unavailable(same(&error)))));
            return;
        }
        let shared = self.shared.clone();
        let guard = shared.index.read().unwrap_or_else(PoisonError::into_inner);
        let index = guard.as_ref().expect("made ready, and only this thread takes it away");
        let mut batch =
            Batch::new(View::new(index, &shared.journal, self.records), self.journal.end(), std::mem::take(&mut self.frame));
        let mut answers = Vec::new();
        while batch.bytes() < BATCH_BYTES_MAX {
            let Some(transaction) = waiting.next() else { break };
            // A panic is a bug of one transaction: its caller is told, the others are not hurt by it.
            match catch_unwind(AssertUnwindSafe(|| transaction(Some(&mut batch)))) {
                Ok(answer) => answers.push(answer),
                Err(_) => {
                    batch.abandon();
                    tracing::error!("a transaction panicked and was not done");
                }
            }
        }
        let applied = match self.write(&mut batch) {
            Ok(applied) => applied,
            Err(error) => {
                drop(batch);
                drop(guard);
                self.not_written(&error);
                answers.into_iter().for_each(|answer| answer(Err(StoreError::Unavailable(same(&error)))));
                return;
            }
        };
        crash_point("after-apply");
        shared.settled(batch.deliveries());
        let due = batch.due();
        self.records = batch.records();
        self.frame = batch.into_frame();
        self.frame.clear();
        self.frame.shrink_to(FRAME_BYTES_KEPT);
        drop(guard);
        if let Err(fault) = &applied {
            // It is durable, so it is answered; only the index is behind. Nobody reads it until it is opened again.
            tracing::warn!(error = %fault, "the index did not take a batch");
            self.let_go_of_index();
        }
        if due.messages {
            shared.message_wake.notify_one();
        }
        if due.deliveries {
            shared.delivery_wake.notify_one();
        }
        let committed = Committed { at: Timestamp::now() };
        answers.into_iter().for_each(|answer| answer(Ok(&committed)));
        crash_point("after-answer");
        if applied.is_err() {
            // What is still wrong was noted by it, and is tried again.
            self.make_ready().ok();
        }
    }

    fn let_go_of_index(&self) {
        let old = self.shared.index.write().unwrap_or_else(PoisonError::into_inner).take();
        old.into_iter().for_each(Index::discard);
    }

    /// Makes a batch durable, then applies it. The outer error: nothing is durable. The inner one: only the index failed.
    fn write(&mut self, batch: &mut Batch<'_>) -> io::Result<Result<(), StoreError>> {
        if batch.is_empty() {
            return Ok(Ok(()));
        }
        let frame = batch.finish().map_err(io::Error::other)?;
        self.journal.append(frame)?;
        self.shared.is_well_again();
        Ok(batch.apply(self.journal.end()))
    }

    fn not_written(&mut self, error: &io::Error) {
        // Said once: with a full disk every message comes here.
        let trouble = self.shared.not_written(error);
        if self.shared.trouble().is_none() {
            tracing::error!("a batch could not be written; nothing of it is acknowledged: {trouble}");
        }
        self.shared.set_trouble(trouble);
        if let Err(error) = self.journal.make_ready() {
            tracing::warn!(%error, "the journal cannot be mended yet");
        }
    }

    /// Mends the journal and opens the index again, where either is needed.
    fn make_ready(&mut self) -> io::Result<()> {
        if let Err(error) = self.journal.make_ready() {
            self.shared.set_trouble(self.shared.not_written(&error));
            return Err(error);
        }
        let doubted = self.shared.index_doubted.swap(false, Ordering::SeqCst);
        if !doubted && self.shared.index.read().unwrap_or_else(PoisonError::into_inner).is_some() {
            return Ok(());
        }
        self.let_go_of_index();
        let opened = start::open_index(&self.shared, false);
        match opened.map_err(StoreError::Unavailable).and_then(|index| start::caught_up(&self.shared, index, self.journal.end()))
        {
            Ok((index, records)) => {
                self.records = records;
                *self.shared.index.write().unwrap_or_else(PoisonError::into_inner) = Some(index);
                Ok(())
            }
            Err(error) => {
                self.shared.set_trouble(format!("the index cannot be opened: {error}"));
                Err(io::Error::other(error))
            }
        }
    }

    /// Finds out by itself whether the disk takes writes again: an empty frame tells.
    fn probe(&mut self) {
        if self.make_ready().is_err() {
            return;
        }
        let mut frame = vec![0; super::frame::FRAME_HEADER_BYTES];
        match self.journal.append(&mut frame) {
            Ok(()) => self.shared.is_well_again(),
            Err(error) => self.not_written(&error),
        }
    }

    fn close(&mut self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        let index = self.shared.index.write().unwrap_or_else(PoisonError::into_inner).take();
        let doubted = self.shared.index_doubted.load(Ordering::SeqCst);
        let closed = index.is_some_and(|index| match index.close(&self.shared.index_folder) {
            Ok(()) => true,
            Err(fault) => {
                tracing::warn!(error = %fault, "the index did not close; it is built again at the next start");
                false
            }
        });
        if closed && !doubted && self.shared.is_well() {
            self.clean_stop.mark();
        }
        self.lock = None;
    }
}
