//! The worker process: limits itself, then reads the documents it is given, one after the other, until its input closes.
//!
//! It runs with the environment and the working directory that the pool gives it. Its standard error goes to the pool, which looks for
//! a few fixed phrases in it and shows it to nobody: a panic's message could quote the page.

use std::{
    io::{self, Write},
    panic::{AssertUnwindSafe, catch_unwind},
};

use rustix::{
    process::{Resource, Rlimit, setrlimit},
    time::{ClockId, clock_gettime},
};

use super::{
    Progress, Reading,
    read::read_telling,
    sandbox,
    wire::{Answer, receive_document, send_answer},
};
use crate::protocols::{
    ocr::Recognizer,
    pages::{Limits, PagesError},
};

/// Files a worker may have open at once: its pipes, and language data while it is loaded.
const OPEN_FILES_MAX: u64 = 24;

/// What a worker may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerLimits {
    /// Its address space.
    pub memory_bytes_max: u64,
    /// CPU time for one document; what passes it is killed by the kernel.
    pub cpu_seconds_max: u64,
    /// Pages that are read of one document.
    pub pages_max: u32,
}

/// Serves documents from standard input until it closes.
///
/// # Errors
/// The pipes to the engine break, or the limits cannot be set.
pub fn serve(limits: WorkerLimits) -> io::Result<()> {
    // Where memory is short the kernel takes a worker rather than the engine. Best effort: some containers have no such file.
    std::fs::write("/proc/self/oom_score_adj", "500").ok();
    set_limits(&limits)?;
    let mut input = io::stdin().lock();
    let mut output = io::BufWriter::new(io::stdout().lock());
    // A library that runs out of memory while it loads may wait for ever.
    let until_loaded = sandbox::EndsWithTheEngine::begin()?;
    let loaded = Recognizer::new().and_then(|mut recognizer| recognizer.load_the_rest().map(|()| recognizer));
    let mut recognizer = match loaded {
        Ok(recognizer) => recognizer,
        Err(error) => return send_answer(&mut output, Answer::Unavailable { message: error.to_string() }),
    };
    drop(until_loaded);
    // Everything that must be opened is open.
    send_answer(&mut output, Answer::Ready { missing: sandbox::enter() })?;
    let page_limits = Limits { pages_max: limits.pages_max, ..Limits::default() };
    while let Some(document) = receive_document(&mut input, page_limits.bytes_max)? {
        arm_cpu_limit(limits.cpu_seconds_max)?;
        send_answer(&mut output, Answer::Taken)?;
        // What is told on the way may be lost; that the pipe is broken shows at the answer.
        let mut tell = |progress| drop(send_answer(&mut output, Answer::Progress(progress)));
        let answer = match read(&document, page_limits, &mut recognizer, &mut tell) {
            Ok(reading) => Answer::Reading(reading),
            Err(error) => Answer::Refused { code: error.code().to_owned(), message: error.to_string() },
        };
        send_answer(&mut output, answer)?;
        output.flush()?;
    }
    Ok(())
}

/// A decoder that panics on a hostile document has refused it. The worker goes on: decoders keep nothing from one document to the next,
/// and no panic passes through Tesseract, which is called with checked sizes only.
fn read(
    document: &[u8],
    limits: Limits,
    recognizer: &mut Recognizer,
    tell: &mut dyn FnMut(Progress),
) -> Result<Reading, PagesError> {
    catch_unwind(AssertUnwindSafe(|| read_telling(document, limits, recognizer, tell)))
        .unwrap_or(Err(PagesError::Unreadable("a decoder gave up on it")))
}

fn set_limits(limits: &WorkerLimits) -> io::Result<()> {
    let fixed = |value| Rlimit { current: Some(value), maximum: Some(value) };
    setrlimit(Resource::As, fixed(limits.memory_bytes_max))?;
    // A core file would hold the page.
    setrlimit(Resource::Core, fixed(0))?;
    setrlimit(Resource::Fsize, fixed(0))?;
    setrlimit(Resource::Nofile, fixed(OPEN_FILES_MAX))?;
    arm_cpu_limit(limits.cpu_seconds_max)
}

/// The kernel counts over the life of the process, so each document moves the limit on.
fn arm_cpu_limit(seconds: u64) -> io::Result<()> {
    let used = u64::try_from(clock_gettime(ClockId::ProcessCPUTime).tv_sec).unwrap_or(0);
    // The count is in whole seconds: one more, so that what was used of the current one is not charged twice.
    let current = Some(used.saturating_add(seconds).saturating_add(1));
    setrlimit(Resource::Cpu, Rlimit { current, maximum: None })?;
    Ok(())
}
