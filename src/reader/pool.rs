//! The pool of worker processes, as the engine sees it: bytes in, a [`Reading`] or a plain reason out.
//!
//! A worker is our own program started anew with nothing of the engine's environment, and serves many documents, because Tesseract takes
//! a tenth of a second to start. Whatever goes wrong in one costs that worker and that document, and the next document gets a new worker.

use std::{
    io,
    os::unix::process::ExitStatusExt,
    path::PathBuf,
    process::{ExitStatus, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::Semaphore,
    time::timeout,
};

use super::{
    Progress, Reading,
    last_words::LastWords,
    wire::{Answer, receive_answer, send_document},
};

/// How long a worker may take to be ready; it loads 15 MB of language data.
const START_SECONDS_MAX: Duration = Duration::from_secs(30);
/// How long a worker that closed its output may take to end.
const END_SECONDS_MAX: Duration = Duration::from_secs(5);
/// Documents that one worker reads before it is replaced, so that what a library leaks stays small.
const DOCUMENTS_MAX: u32 = 500;

/// How workers are started, and what each may cost.
#[derive(Clone, Debug)]
pub struct ReaderOptions {
    /// The program that has the `reader-worker` command: this one.
    pub executable: PathBuf,
    /// Workers at once, and so documents read at once.
    pub workers: usize,
    /// Address space of a worker.
    pub memory_bytes_max: u64,
    /// CPU seconds for one document.
    pub cpu_seconds_max: u64,
    /// Wall seconds for one document.
    pub wall_seconds_max: u64,
    /// Pages read of one document.
    pub pages_max: u32,
}

impl Default for ReaderOptions {
    /// Workers of the running program itself, even after its file was replaced by an upgrade.
    fn default() -> Self {
        Self {
            executable: PathBuf::from("/proc/self/exe"),
            workers: 2,
            memory_bytes_max: 1_073_741_824,
            cpu_seconds_max: 60,
            wall_seconds_max: 120,
            pages_max: 200,
        }
    }
}

/// Why a document was not read. None of the texts tells of its content.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The document is at fault; it will be the next time too.
    #[error("{message}")]
    Refused {
        /// A stable word: `encrypted`, `not-a-document`, `truncated`, `empty-document`, `document-too-large`, …
        code: String,
        /// What it means, and what to do.
        message: String,
    },
    /// The worker ended while it read the document, or said something that makes no sense.
    #[error("the program that reads documents failed on this one: {0}")]
    Crashed(String),
    /// The document took more time than it may.
    #[error("reading the document took longer than its limit")]
    Timeout,
    /// No worker can be started, whatever the document.
    #[error("no reader process can be started: {0}")]
    Unavailable(String),
}

/// Reads documents in worker processes. Cheap to clone; when the last clone is gone the workers are killed.
#[derive(Clone)]
pub struct ReaderPool {
    shared: Arc<Shared>,
}

struct Shared {
    options: ReaderOptions,
    places: Semaphore,
    idle: Mutex<Vec<Worker>>,
    /// Whether it was said that workers are not shut in completely.
    warned: AtomicBool,
}

impl ReaderPool {
    /// A pool that starts its workers when they are first needed.
    #[must_use]
    pub fn new(options: ReaderOptions) -> Self {
        let places = Semaphore::new(options.workers.max(1));
        Self { shared: Arc::new(Shared { options, places, idle: Mutex::new(Vec::new()), warned: AtomicBool::new(false) }) }
    }

    /// Reads a document, once a worker is free. Dropping the future kills the worker that was at it.
    ///
    /// # Errors
    /// [`ReadError`] says whether the document, its cost, or the machine is at fault.
    pub async fn read(&self, document: Bytes) -> Result<Reading, ReadError> {
        self.read_telling(document, &|_| {}).await
    }

    /// Reads a document likewise, and tells how far it is, where it has several pages.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn read_telling(&self, document: Bytes, tell: &(dyn Fn(Progress) + Sync)) -> Result<Reading, ReadError> {
        let shared = &self.shared;
        let _place = shared.places.acquire().await.expect("the semaphore is never closed");
        let limit = Duration::from_secs(shared.options.wall_seconds_max);
        let (worker, answer) = loop {
            let mut worker = match self.take_idle() {
                Some(worker) => worker,
                None => {
                    let (worker, missing) = Worker::start(&shared.options).await?;
                    self.warn_once(&missing);
                    worker
                }
            };
            match timeout(limit, worker.read(&document, shared.options.pages_max, tell)).await {
                Err(_) => return Err(ReadError::Timeout),
                Ok(Ok(answer)) => break (worker, answer),
                // It died of something else while it waited, and nobody had seen it yet; at the end there is a new one.
                Ok(Err(_)) if worker.documents > 1 && !worker.has_taken => {}
                Ok(Err(error)) => return Err(worker.failure(&error, shared.options.memory_bytes_max).await),
            }
        };
        match answer {
            Answer::Reading(reading) => {
                self.give_back(worker);
                Ok(reading)
            }
            Answer::Refused { code, message } => {
                self.give_back(worker);
                Err(ReadError::Refused { code, message })
            }
            Answer::Ready { .. } | Answer::Unavailable { .. } | Answer::Taken | Answer::Progress(_) => {
                Err(ReadError::Crashed("it gave an answer that is none".to_owned()))
            }
        }
    }

    /// A worker that waits for work, and still lives.
    fn take_idle(&self) -> Option<Worker> {
        let mut idle = self.shared.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(mut worker) = idle.pop() {
            if matches!(worker.child.try_wait(), Ok(None)) {
                return Some(worker);
            }
        }
        None
    }

    fn warn_once(&self, missing: &[String]) {
        if !missing.is_empty() && !self.shared.warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                missing = missing.join(", "),
                "this system cannot shut the reader processes in completely: documents are read with the limits and locks that it has"
            );
        }
    }

    fn give_back(&self, mut worker: Worker) {
        worker.last_words.forget();
        if worker.documents < DOCUMENTS_MAX {
            self.shared.idle.lock().unwrap_or_else(PoisonError::into_inner).push(worker);
        }
    }
}

/// A worker process; dropping it kills it.
struct Worker {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
    last_words: LastWords,
    documents: u32,
    /// Whether it has said that it has the document which it was given last.
    has_taken: bool,
}

impl Worker {
    /// Starts a worker, and says what it could not be shut in by.
    async fn start(options: &ReaderOptions) -> Result<(Self, Vec<String>), ReadError> {
        let unavailable = |error: io::Error| ReadError::Unavailable(error.to_string());
        let (last_words, standard_error) = LastWords::pipe().map_err(unavailable)?;
        let mut child = command(options).stderr(standard_error).spawn().map_err(unavailable)?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(ReadError::Unavailable("it has no pipes".to_owned()));
        };
        let mut worker = Self { child, input, output, last_words, documents: 0, has_taken: false };
        match timeout(START_SECONDS_MAX, receive_answer(&mut worker.output)).await {
            Ok(Ok(Answer::Ready { missing })) => Ok((worker, missing)),
            Ok(Ok(Answer::Unavailable { message })) => Err(ReadError::Unavailable(message)),
            Ok(Ok(Answer::Reading(_) | Answer::Refused { .. } | Answer::Taken | Answer::Progress(_))) => {
                Err(ReadError::Unavailable("it is not a reader process".to_owned()))
            }
            Ok(Err(_)) => match worker.end().await {
                Some(status) => Err(ReadError::Unavailable(format!("it ended at its start ({})", describe(status)))),
                None => Err(ReadError::Unavailable("it said nothing that makes sense".to_owned())),
            },
            Err(_) => Err(ReadError::Unavailable(format!("it was not ready after {} s", START_SECONDS_MAX.as_secs()))),
        }
    }

    /// Has the worker read a document. It may tell of as many pages as are read of one, and no more.
    async fn read(&mut self, document: &[u8], pages_max: u32, tell: &(dyn Fn(Progress) + Sync)) -> io::Result<Answer> {
        self.documents += 1;
        self.has_taken = false;
        send_document(&mut self.input, document).await?;
        for _ in 0..=pages_max.saturating_add(1) {
            match receive_answer(&mut self.output).await? {
                Answer::Taken => self.has_taken = true,
                Answer::Progress(progress) => tell(progress),
                answer @ (Answer::Ready { .. } | Answer::Unavailable { .. } | Answer::Reading(_) | Answer::Refused { .. }) => {
                    return Ok(answer);
                }
            }
        }
        Err(io::Error::new(io::ErrorKind::InvalidData, "a reader process told of more pages than there can be"))
    }

    /// What it means that the pipes to this worker broke.
    async fn failure(mut self, error: &io::Error, memory_bytes_max: u64) -> ReadError {
        /// What the kernel sends to a process that has used up its CPU time.
        const SIGXCPU: i32 = 24;
        let ended = self.end().await;
        if let Some(end) = self.last_words.tell() {
            return ReadError::Crashed(end.describe(memory_bytes_max));
        }
        match ended {
            Some(status) if status.signal() == Some(SIGXCPU) => ReadError::Timeout,
            Some(status) => ReadError::Crashed(broken_off(status)),
            None => ReadError::Crashed(error.to_string()),
        }
    }

    /// How the process ended; none: it had to be killed now.
    async fn end(&mut self) -> Option<ExitStatus> {
        timeout(END_SECONDS_MAX, self.child.wait()).await.ok()?.ok()
    }
}

/// What it means for the document that its reader ended, and what a person does.
fn broken_off(status: ExitStatus) -> String {
    /// What ends a process from outside, and says nothing of what it was at.
    const SIGKILL: i32 = 9;
    let how = describe(status);
    match status.signal() {
        Some(SIGKILL) => format!(
            "it was stopped from outside ({how}): the machine had too little memory, or somebody ended it. The document may be in order: \
             drop it in again, or have it read again by `loopline messages replay ID`"
        ),
        Some(_) | None => format!(
            "it broke off ({how}). The document may be damaged: ask the sender for a plain scan, or have it read again by \
             `loopline messages replay ID`"
        ),
    }
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "unknown status".to_owned(),
    }
}

fn command(options: &ReaderOptions) -> Command {
    let mut command = Command::new(&options.executable);
    command
        .arg("reader-worker")
        .args(["--memory-bytes-max", &options.memory_bytes_max.to_string()])
        .args(["--cpu-seconds-max", &options.cpu_seconds_max.to_string()])
        .args(["--pages-max", &options.pages_max.to_string()])
        .env_clear()
        // Tesseract reads it when it is loaded; with more than one thread it is three times slower.
        .env("OMP_THREAD_LIMIT", "1")
        // Its address space is limited: what is freed must not be kept for later.
        .env("MALLOC_CONF", "retain:false")
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        // Ctrl-C at a terminal goes to the whole group: the engine decides when its workers end.
        .process_group(0)
        .kill_on_drop(true);
    // Where the site has put what the program needs, if not in the usual place.
    for name in ["TESSDATA_PREFIX", "LD_LIBRARY_PATH"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_a_reader_ended_is_told_with_what_a_person_does() {
        let killed = ReadError::Crashed(broken_off(ExitStatus::from_raw(9))).to_string();
        assert!(
            killed.starts_with("the program that reads documents failed on this one: it was stopped from outside"),
            "{killed}"
        );
        assert!(killed.contains("too little memory") && killed.contains("loopline messages replay ID"), "{killed}");
        let broken = broken_off(ExitStatus::from_raw(11));
        assert!(broken.contains("signal 11") && broken.contains("ask the sender"), "{broken}");
    }
}
