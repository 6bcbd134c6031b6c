//! Text recognition by Tesseract, behind one guarded door: sizes are capped before a pixel crosses it, and time is limited.
//!
//! # Design notes
//! Results are taken as TSV in one call rather than through the crate's result iterator, which has no lifetime and may outlive the handle
//! it reads from. The deadline needs two functions of Tesseract's C interface that the crate does not offer; they are called in
//! `deadline`, the only unsafe code of this program but for `lz4.rs`.
//!
//! Tesseract reads `OMP_THREAD_LIMIT` when it is loaded, so it must be in the environment when the process starts. Without
//! `OMP_THREAD_LIMIT=1` a page takes three times as long.

use std::{
    cell::Cell,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use tesseract_rs::{TessPageSegMode, TesseractAPI};

/// Pixels of the longest side that Tesseract is given; its own limit is 32767.
const SIDE_PIXELS_MAX: u32 = 20_000;
/// Where Debian and Ubuntu put the language data.
const SYSTEM_DATA: &str = "/usr/share/tesseract-ocr/5/tessdata";

/// Why recognition gives nothing. The text never tells of the content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OcrError {
    /// The language data is not where it is looked for.
    #[error(
        "the text recognition has no data file {}: install the packages tesseract-ocr-eng and tesseract-ocr-osd, or set TESSDATA_PREFIX",
        .0.display()
    )]
    DataMissing(PathBuf),
    /// Tesseract does not start with that data.
    #[error("the text recognition does not start with the data in {}", .0.display())]
    CannotStart(PathBuf),
    /// The page is larger than is recognized.
    #[error("the page is too large for text recognition")]
    TooLarge,
    /// The page took longer than it may.
    #[error("the text recognition of a page took longer than {} s", .0.as_secs())]
    Timeout(Duration),
    /// Tesseract gave up.
    #[error("the text recognition of a page failed")]
    Failed,
}

/// How the text of an image is laid out (Tesseract's page segmentation modes).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// One column of text of variable sizes (4): whole pages.
    Column,
    /// One block of uniform text (6): a form's cell or a paragraph.
    Block,
    /// One line (7): a field.
    Line,
    /// Words anywhere (11): labels scattered over a form.
    Sparse,
}

/// A gray image: one byte a pixel, row by row.
#[derive(Clone, Copy)]
pub struct Image<'a> {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// `width * height` bytes, 0 black to 255 white.
    pub gray: &'a [u8],
    /// Pixels an inch.
    pub dpi: f32,
}

/// A rectangle of an image, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// From the left edge.
    pub left: u32,
    /// From the upper edge.
    pub top: u32,
    /// To the first column that is no longer in it.
    pub right: u32,
    /// To the first row that is no longer in it.
    pub bottom: u32,
}

/// A recognized word.
#[derive(Clone, PartialEq)]
pub struct OcrWord {
    /// Its text.
    pub text: String,
    /// 0 to 1.
    pub confidence: f32,
    /// Where it is.
    pub region: Region,
    /// The text line it is on, from 0.
    pub line: u32,
    /// The block it is in, from 0.
    pub block: u32,
}

/// How a page lies, as the shapes of its letters tell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Orientation {
    /// Quarter turns clockwise that make it upright.
    pub turns: u32,
    /// Below about 2 it may well be wrong.
    pub confidence: f32,
}

/// A Tesseract handle: 0.1 s and 26 MB to make, so keep it.
pub struct Recognizer {
    text: TesseractAPI,
    data: PathBuf,
    /// Made when first asked: most pages arrive upright.
    orientation: Option<TesseractAPI>,
    spent: Cell<Duration>,
}

impl Recognizer {
    /// Starts Tesseract for English, with the data of `TESSDATA_PREFIX` or of the system.
    ///
    /// # Errors
    /// [`OcrError::DataMissing`] names the package to install.
    pub fn new() -> Result<Self, OcrError> {
        let data = std::env::var_os("TESSDATA_PREFIX").map_or_else(|| PathBuf::from(SYSTEM_DATA), PathBuf::from);
        for language in ["eng", "osd"] {
            let file = data.join(format!("{language}.traineddata"));
            if !file.is_file() {
                return Err(OcrError::DataMissing(file));
            }
        }
        Ok(Self { text: start(&data, "eng")?, data, orientation: None, spent: Cell::default() })
    }

    /// Loads what is otherwise loaded when it is first needed, for a process that can open no file later.
    ///
    /// # Errors
    /// [`OcrError`]
    pub fn load_the_rest(&mut self) -> Result<(), OcrError> {
        const SIDE: u32 = 64;
        let white = vec![255; (SIDE * SIDE) as usize];
        let nothing = Image { width: SIDE, height: SIDE, gray: &white, dpi: 204.0 };
        self.orientation(nothing)?;
        // Tesseract says of an empty page that it is, and opens its debug file to say so.
        self.words(nothing, Layout::Column, Duration::from_secs(10)).map(|_| ())
    }

    /// How long it has recognized so far.
    #[must_use]
    pub fn spent(&self) -> Duration {
        self.spent.get()
    }

    /// The words of an image, in reading order.
    ///
    /// # Errors
    /// [`OcrError`]
    pub fn words(&mut self, image: Image<'_>, layout: Layout, limit: Duration) -> Result<Vec<OcrWord>, OcrError> {
        self.recognize(image, None, layout, limit)
    }

    /// The words of one region of an image, where only some characters can occur; empty: any.
    ///
    /// # Errors
    /// [`OcrError`]
    pub fn words_in(
        &mut self,
        image: Image<'_>,
        region: Region,
        layout: Layout,
        characters: &str,
        limit: Duration,
    ) -> Result<Vec<OcrWord>, OcrError> {
        let set = |characters: &str| self.text.set_variable("tessedit_char_whitelist", characters).map_err(|_| OcrError::Failed);
        set(characters)?;
        let words = self.recognize(image, Some(region), layout, limit);
        self.text.set_variable("tessedit_char_whitelist", "").map_err(|_| OcrError::Failed)?;
        words
    }

    /// How an image lies; none: too little text to tell.
    ///
    /// # Errors
    /// [`OcrError`]
    pub fn orientation(&mut self, image: Image<'_>) -> Result<Option<Orientation>, OcrError> {
        if self.orientation.is_none() {
            let api = start(&self.data, "osd")?;
            api.set_page_seg_mode(TessPageSegMode::PSM_OSD_ONLY).map_err(|_| OcrError::Failed)?;
            self.orientation = Some(api);
        }
        let Some(api) = &self.orientation else { return Ok(None) };
        let _spent = Spent::on(&self.spent);
        set_image(api, image)?;
        let found = api.detect_os().ok();
        clear(api)?;
        Ok(found.map(|(degrees, confidence, _, _)| Orientation {
            // Tesseract tells by how much the page was turned clockwise, in degrees.
            turns: ((360 - degrees.rem_euclid(360)) / 90 % 4) as u32,
            confidence,
        }))
    }

    fn recognize(
        &self,
        image: Image<'_>,
        region: Option<Region>,
        layout: Layout,
        limit: Duration,
    ) -> Result<Vec<OcrWord>, OcrError> {
        let mode = match layout {
            Layout::Column => TessPageSegMode::PSM_SINGLE_COLUMN,
            Layout::Block => TessPageSegMode::PSM_SINGLE_BLOCK,
            Layout::Line => TessPageSegMode::PSM_SINGLE_LINE,
            Layout::Sparse => TessPageSegMode::PSM_SPARSE_TEXT,
        };
        let _spent = Spent::on(&self.spent);
        self.text.set_page_seg_mode(mode).map_err(|_| OcrError::Failed)?;
        set_image(&self.text, image)?;
        if let Some(region) = region {
            let [left, top, right, bottom] = [
                region.left.min(image.width),
                region.top.min(image.height),
                region.right.min(image.width),
                region.bottom.min(image.height),
            ]
            .map(|side| side as i32);
            if right <= left || bottom <= top {
                return Ok(Vec::new());
            }
            self.text.set_rectangle(left, top, right - left, bottom - top).map_err(|_| OcrError::Failed)?;
        }
        let words = deadline::recognize(&self.text, limit)
            .and_then(|()| self.text.get_tsv_text(0).map_err(|_| OcrError::Failed))
            .map(|tsv| words_of_tsv(&tsv));
        clear(&self.text)?;
        words
    }
}

/// Adds the time of a scope to a sum.
struct Spent<'a> {
    sum: &'a Cell<Duration>,
    began: Instant,
}

impl<'a> Spent<'a> {
    fn on(sum: &'a Cell<Duration>) -> Self {
        Self { sum, began: Instant::now() }
    }
}

impl Drop for Spent<'_> {
    fn drop(&mut self) {
        self.sum.set(self.sum.get() + self.began.elapsed());
    }
}

fn start(data: &Path, language: &str) -> Result<TesseractAPI, OcrError> {
    let cannot = || OcrError::CannotStart(data.to_owned());
    let Some(path) = data.to_str() else { return Err(cannot()) };
    let api = TesseractAPI::new();
    api.init(path, language).map_err(|_| cannot())?;
    // What it would say on standard error is about the page.
    api.set_variable("debug_file", "/dev/null").map_err(|_| cannot())?;
    Ok(api)
}

/// Forgets the page, so that nothing of it stays in a handle that lives on.
fn clear(api: &TesseractAPI) -> Result<(), OcrError> {
    api.clear().map_err(|_| OcrError::Failed)
}

fn set_image(api: &TesseractAPI, image: Image<'_>) -> Result<(), OcrError> {
    // The crate computes height times bytes a line in 32 bits.
    let pixels = i32::try_from(u64::from(image.width) * u64::from(image.height)).map_err(|_| OcrError::TooLarge)?;
    if image.width.max(image.height) > SIDE_PIXELS_MAX {
        return Err(OcrError::TooLarge);
    }
    if image.gray.len() != pixels as usize {
        return Err(OcrError::Failed);
    }
    let (width, height) = (image.width as i32, image.height as i32);
    api.set_image(image.gray, width, height, 1, width).map_err(|_| OcrError::Failed)?;
    api.set_source_resolution(image.dpi.round() as i32).map_err(|_| OcrError::Failed)
}

/// Tesseract's table: level, page, block, paragraph, line, word, left, top, width, height, confidence, text; words have level 5.
fn words_of_tsv(tsv: &str) -> Vec<OcrWord> {
    let mut words = Vec::new();
    let mut line = 0;
    let mut last_line = None;
    for row in tsv.lines() {
        let columns: Vec<&str> = row.splitn(12, '\t').collect();
        let [level, _page, block, paragraph, line_number, _word, left, top, width, height, confidence, text] = columns[..] else {
            continue;
        };
        if level != "5" || text.trim().is_empty() {
            continue;
        }
        let number = |text: &str| text.parse::<u32>().ok();
        let (Some(block_number), Some(left), Some(top), Some(width), Some(height)) =
            (number(block), number(left), number(top), number(width), number(height))
        else {
            continue;
        };
        let this_line = (block, paragraph, line_number);
        if last_line.is_some_and(|last| last != this_line) {
            line += 1;
        }
        last_line = Some(this_line);
        words.push(OcrWord {
            text: text.trim().to_owned(),
            confidence: confidence.parse::<f32>().map_or(0.0, |percent| (percent / 100.0).clamp(0.0, 1.0)),
            region: Region { left, top, right: left.saturating_add(width), bottom: top.saturating_add(height) },
            line,
            block: block_number.saturating_sub(1),
        });
    }
    words
}

#[expect(unsafe_code, reason = "the crate recognizes without a deadline, and one noisy page can take a minute")]
mod deadline {
    //! `TessBaseAPIRecognize` with a monitor that stops it (Tesseract's `capi.h`, stable since 3.02).

    use std::{
        ffi::{c_int, c_void},
        time::Duration,
    };

    use tesseract_rs::TesseractAPI;

    use super::OcrError;

    unsafe extern "C" {
        fn TessBaseAPIRecognize(handle: *mut c_void, monitor: *mut c_void) -> c_int;
        fn TessMonitorCreate() -> *mut c_void;
        fn TessMonitorDelete(monitor: *mut c_void);
        fn TessMonitorSetDeadlineMSecs(monitor: *mut c_void, deadline: c_int);
    }

    /// Recognizes the image that was set. After an error no result may be asked for: Tesseract would recognize again, without limit.
    pub(super) fn recognize(api: &TesseractAPI, limit: Duration) -> Result<(), OcrError> {
        let started = std::time::Instant::now();
        let milliseconds = c_int::try_from(limit.as_millis()).unwrap_or(c_int::MAX);
        let handle = api.handle.lock().map_err(|_| OcrError::Failed)?;
        // SAFETY: the handle is that of a live `TesseractAPI`, locked for the whole call; the monitor is made, used and deleted here, on
        // this thread, and Tesseract keeps no pointer to it beyond the call. A null monitor (no memory) is never used.
        let result = unsafe {
            let monitor = TessMonitorCreate();
            if monitor.is_null() {
                return Err(OcrError::Failed);
            }
            TessMonitorSetDeadlineMSecs(monitor, milliseconds);
            let result = TessBaseAPIRecognize(*handle, monitor);
            TessMonitorDelete(monitor);
            result
        };
        // A recognition that was stopped reports success, with the words it had: they would pass for the whole page.
        if started.elapsed() >= limit {
            return Err(OcrError::Timeout(limit));
        }
        if result == 0 { Ok(()) } else { Err(OcrError::Failed) }
    }
}
