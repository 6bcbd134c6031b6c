//! What a worker wrote to its standard error before it ended: looked through for a few fixed phrases, and forgotten.
//!
//! The signal that ended a worker does not tell a document that unpacks to gigabytes from one that is nested too deeply, and the person
//! who finds it in `failed/` should know. Nothing of the text itself goes any further: it could quote the page.

use std::{
    fs::File,
    io::{self, Read},
    process::Stdio,
};

use rustix::pipe::{PipeFlags, pipe_with};

/// Bytes that are looked through; a pipe holds no more.
const BYTES_MAX: u64 = 65_536;

/// Why a worker ended, as it said itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It was refused more memory.
    Memory,
    /// It called itself too many times over.
    Nesting,
}

impl End {
    pub(super) fn describe(self, memory_bytes_max: u64) -> String {
        match self {
            Self::Memory => {
                format!("it needs more than {memory_bytes_max} bytes of memory: do not open it, ask the sender for a plain scan")
            }
            Self::Nesting => "it is nested too deeply: do not open it, ask the sender for a plain scan".to_owned(),
        }
    }
}

/// The reading end of a worker's standard error.
pub(super) struct LastWords {
    pipe: File,
}

impl LastWords {
    /// A pipe, and the end of it that the worker gets. Neither end ever waits: what finds no room is lost.
    pub(super) fn pipe() -> io::Result<(Self, Stdio)> {
        let (reading, writing) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        Ok((Self { pipe: File::from(reading) }, Stdio::from(writing)))
    }

    /// Makes room for what comes next.
    pub(super) fn forget(&mut self) {
        self.take();
    }

    /// Why the worker ended, if it said so.
    pub(super) fn tell(&mut self) -> Option<End> {
        /// Rust's and C++'s words for it, and those for a stack that has run over.
        const PHRASES: [(&str, End); 3] =
            [("memory allocation of", End::Memory), ("std::bad_alloc", End::Memory), ("overflowed its stack", End::Nesting)];
        let text = self.take();
        let says = |phrase: &str| text.windows(phrase.len()).any(|window| window == phrase.as_bytes());
        PHRASES.into_iter().find(|(phrase, _)| says(phrase)).map(|(_, end)| end)
    }

    fn take(&mut self) -> Vec<u8> {
        let mut text = Vec::new();
        // It ends with "would wait", or with the end of the worker; what was read until then is in the buffer.
        self.pipe.by_ref().take(BYTES_MAX).read_to_end(&mut text).ok();
        text
    }
}
