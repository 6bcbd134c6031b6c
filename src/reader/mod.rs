//! Reading untrusted documents: each is opened by a worker process of our own binary, never in the engine.
//!
//! The worker turns a PDF or TIFF into upright page images, words with boxes, and the QR and bar codes it sees. What the words mean is
//! decided later, by `normalize::fax`, from a [`Reading`] alone. Once it has loaded the language data, a worker can open nothing and reach
//! nobody (`sandbox`).

mod again;
mod born_digital;
mod boxes;
mod combs;
mod last_words;
mod pool;
mod read;
mod rings;
mod sandbox;
mod second_look;
mod stamps;
mod wire;
mod worker;

pub use pool::{ReadError, ReaderOptions, ReaderPool};
pub(crate) use read::PAGES_MAX;
pub use read::read_document;
pub use worker::{WorkerLimits, serve};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::referral::{Look, Problem};

/// What was read of a document.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Reading {
    /// Its pages, in order.
    pub pages: Vec<PageReading>,
    /// What was wrong with it: `blank-page`, `no-pages`, `pages-max`, …
    pub problems: Vec<Problem>,
}

/// How far the reading of a document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The page that was read last, from 1.
    pub page: u32,
    /// How many there are.
    pub pages: u32,
}

/// What was read of one page.
#[derive(Clone, Serialize, Deserialize)]
pub struct PageReading {
    /// From 1.
    pub number: u32,
    /// Width of the stored image, in pixels.
    pub width: u32,
    /// Height of the stored image, in pixels.
    pub height: u32,
    /// Pixels an inch of the stored image, the same both ways.
    pub dpi: f32,
    /// The stored image: upright, squared, PNG.
    pub image: Bytes,
    /// The words, in reading order.
    pub words: Vec<Word>,
    /// The QR and bar codes.
    pub codes: Vec<MachineCode>,
    /// What it looks like from afar; absent: nothing is on it.
    #[serde(default)]
    pub look: Option<Look>,
}

/// One word as it was recognized.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Word {
    /// Its text; a tick box is U+2612 ticked, U+2610 empty, U+25A3 not to be told.
    pub text: String,
    /// 0 to 1, as the recognizer says.
    pub confidence: f32,
    /// Left, top, right, bottom, in pixels of the stored image.
    pub bounds: [u32; 4],
    /// Which text line of the page it is on, from 0, as the recognizer says.
    pub line: u32,
    /// Which block of the page it is in, from 0.
    pub block: u32,
}

/// A QR or bar code.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineCode {
    /// `qr` or `code128`.
    pub symbology: String,
    /// What it says.
    pub text: String,
}
