//! One document, read: what the worker process does with the bytes it is given.

use std::{
    borrow::Cow,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use bytes::Bytes;

use super::{
    MachineCode, PageReading, Progress, Reading, Word, again::read_again, born_digital, boxes, combs, rings,
    second_look::second_look, stamps,
};
use crate::{
    protocols::{
        codes,
        ocr::{Image, Layout, OcrError, OcrWord, Recognizer},
        pages::{
            Document, Limits, PageImage, PagesError, Prepared, TextLayer, darkness, is_document, prepare, quarter_turns,
            unchanged,
        },
    },
    referral::{Look, Problem},
};

/// The code of the problem that a document has of which not every page was read.
pub(crate) const PAGES_MAX: &str = "pages-max";
/// How long one recognition of one page may take. A clean page takes less than half a second.
pub(super) const PAGE_OCR_SECONDS_MAX: Duration = Duration::from_secs(20);
/// Below this share of dark pixels a page shows nothing: a few specks, the edge of the glass.
const BLANK_INK_MAX: f64 = 0.000_2;
/// A page read with at least this mean confidence is upright: upside down, hardly a word is sure.
const UPRIGHT_CONFIDENCE: f32 = 0.70;
/// Words of one page that are looked at: a form has a few hundred.
const PAGE_WORDS_MAX: usize = 5_000;
/// Fewer words than this say little of how the page lies.
const UPRIGHT_WORDS_MIN: usize = 5;

const INCHES_A_METRE: f32 = 39.370_08;

/// Reads a document, and the documents within it as its further pages.
///
/// # Errors
/// [`PagesError`]: nothing of it can be read. What is wrong with one page is a problem of the [`Reading`].
pub fn read_document(bytes: &[u8], limits: Limits, recognizer: &mut Recognizer) -> Result<Reading, PagesError> {
    read_telling(bytes, limits, recognizer, &mut |_| {})
}

/// Reads a document likewise, and tells after each page of several how far it is.
pub(super) fn read_telling(
    bytes: &[u8],
    limits: Limits,
    recognizer: &mut Recognizer,
    tell: &mut dyn FnMut(Progress),
) -> Result<Reading, PagesError> {
    let document = Document::open(bytes, limits)?;
    let mut reading = Reading::default();
    remark(&document, &mut reading.problems);
    let first_error = read_pages(&document, &limits, recognizer, &mut reading, tell);
    read_files(&document, &limits, recognizer, &mut reading, tell);
    let blank = |reading: &Reading| reading.pages.iter().all(|page| page.words.is_empty());
    match first_error {
        Some(error) if reading.pages.is_empty() => Err(error),
        // A page whose image is gone shows as white paper: what the file was is not to be seen.
        _ if document.cut_off() && blank(&reading) => Err(PagesError::Truncated),
        _ => Ok(reading),
    }
}

/// What is to be said of a document as a whole.
fn remark(document: &Document, problems: &mut Vec<Problem>) {
    if document.page_count() == 0 {
        problems.push(Problem::new("no-pages", "the document has no pages: a person must look at it"));
    }
    if document.cut_off() {
        let text = "the end of the document is missing, pages may be lost: ask the sender to send it again";
        problems.push(Problem::new("truncated", text));
    }
    if document.is_made_by_a_program() {
        let text =
            "the document is a form that shows its content in one program only: ask the sender to print it to a PDF or to fax it";
        problems.push(Problem::new("form-not-shown", text));
    }
}

/// Reads the pages of a document behind those that were read before. Gives the first error.
fn read_pages(
    document: &Document,
    limits: &Limits,
    recognizer: &mut Recognizer,
    reading: &mut Reading,
    tell: &mut dyn FnMut(Progress),
) -> Option<PagesError> {
    let mut first_error = None;
    let before = reading.pages.last().map_or(0, |page| page.number);
    if document.page_count() + before as usize > limits.pages_max as usize {
        let text = format!("the document has more than {} pages: the rest was not read", limits.pages_max);
        reading.problems.push(Problem::new(PAGES_MAX, text));
    }
    let count = u32::try_from(document.page_count()).unwrap_or(u32::MAX);
    let last = count.saturating_add(before).min(limits.pages_max);
    for position in 0..document.page_count() {
        let number = u32::try_from(position).unwrap_or(u32::MAX).saturating_add(before).saturating_add(1);
        if number > limits.pages_max {
            break;
        }
        // A decoder that panics on a page has refused that page.
        let page = catch_unwind(AssertUnwindSafe(|| document.page(position)));
        match page.unwrap_or(Err(PagesError::Unreadable("a decoder gave up on it"))) {
            Ok(page) => {
                if page.cut_off {
                    let text = format!("page {number} is cut off: its lower part is missing");
                    reading.problems.push(Problem::new("page-truncated", text));
                }
                let text = catch_unwind(AssertUnwindSafe(|| document.text(position, &page))).unwrap_or(None);
                let page = read_page(&page, text.as_ref(), number, recognizer, &mut reading.problems);
                reading.pages.push(page);
                if last > 1 {
                    tell(Progress { page: number, pages: last });
                }
            }
            Err(error) => {
                first_error.get_or_insert(error);
                reading.problems.push(Problem::new(error.code(), format!("page {number}: {error}")));
            }
        }
    }
    first_error
}

/// The files within a document: those that are documents are read, the others are told of. All of them stay in the document as it came.
fn read_files(
    document: &Document,
    limits: &Limits,
    recognizer: &mut Recognizer,
    reading: &mut Reading,
    tell: &mut dyn FnMut(Progress),
) {
    let (files, cut) = document.files();
    for (file, number) in files.iter().zip(1..) {
        if !is_document(file) {
            let text = format!(
                "file {number} within the document ({} bytes) is no PDF, TIFF, PNG, JPEG or JPEG 2000 and was not read: a person must look at it in the original",
                file.len()
            );
            reading.problems.push(Problem::new("file-not-read", text));
            continue;
        }
        let error = match Document::open(file, *limits) {
            Ok(inner) => {
                let (within, _) = inner.files();
                if !within.is_empty() {
                    let text = format!("file {number} within the document holds files itself, which were not read");
                    reading.problems.push(Problem::new("file-not-read", text));
                }
                remark(&inner, &mut reading.problems);
                read_pages(&inner, limits, recognizer, reading, tell)
            }
            Err(error) => Some(error),
        };
        if let Some(error) = error {
            let text = format!("file {number} within the document: {error}");
            reading.problems.push(Problem::new("file-not-read", text));
        }
    }
    if cut {
        let text = "not every file within the document could be taken out: a person must look at the original";
        reading.problems.push(Problem::new("file-not-read", text));
    }
}

fn read_page(
    page: &PageImage,
    text: Option<&TextLayer>,
    number: u32,
    recognizer: &mut Recognizer,
    problems: &mut Vec<Problem>,
) -> PageReading {
    let by_its_text = text.map_or(Ok(None), |layer| born_digital::words(layer, page, recognizer));
    let (prepared, words_found) = match by_its_text {
        Ok(Some(words)) => (unchanged(page), Ok(words)),
        Ok(None) => recognized(page, recognizer),
        Err(error) => (prepare(page), Err(error)),
    };
    let blank = prepared.ink() <= BLANK_INK_MAX;
    if blank {
        problems.push(Problem::new("blank-page", format!("page {number} is blank: a person must look at it")));
    }
    let not_recognized =
        |error: OcrError| Problem::new("page-not-recognized", format!("page {number}: {error}: a person must look at it"));
    let mut words = words_found.unwrap_or_else(|error| {
        problems.push(not_recognized(error));
        Vec::new()
    });
    if !blank && let Err(error) = stamps::read(&prepared, recognizer, &mut words) {
        problems.push(not_recognized(error));
    }
    if words.len() > PAGE_WORDS_MAX {
        words.truncate(PAGE_WORDS_MAX);
        let text = format!("page {number} has more than {PAGE_WORDS_MAX} words: the rest was not read");
        problems.push(Problem::new("page-words-max", text));
    }
    let codes = if blank { Vec::new() } else { codes::codes(&prepared.gray, prepared.width, prepared.height) };
    PageReading {
        number,
        width: prepared.width,
        height: prepared.height,
        dpi: prepared.dpi,
        image: png(&prepared),
        words: words.into_iter().map(word).collect(),
        codes: codes
            .into_iter()
            .map(|code| MachineCode { symbology: code.symbology.as_str().to_owned(), text: code.text })
            .collect(),
        look: if blank { None } else { Look::of(&darkness(&prepared, Look::COLUMNS, Look::ROWS)) },
    }
}

/// A page as an image, and the words that are recognized on it; a blank one has none.
fn recognized(page: &PageImage, recognizer: &mut Recognizer) -> (Prepared, Result<Vec<OcrWord>, OcrError>) {
    let mut way_up = WayUp::of(Cow::Borrowed(page));
    if way_up.prepared.ink() <= BLANK_INK_MAX {
        return (way_up.prepared, Ok(Vec::new()));
    }
    let words = upright_words(&mut way_up, recognizer)
        .and_then(|words| read_again(words, &way_up.page, &way_up.prepared, recognizer))
        .and_then(|words| {
            let sparse = || recognizer.words(way_up.bare(), Layout::Sparse, PAGE_OCR_SECONDS_MAX);
            let mut words = second_look(words, way_up.prepared.height, sparse)?;
            combs::read(&way_up.prepared, &way_up.combs, recognizer, &mut words)?;
            boxes::insert(&mut words, &way_up.boxes);
            rings::insert(&way_up.prepared, &mut words);
            Ok(words)
        });
    (way_up.prepared, words)
}

/// A page one way up: as it came, prepared, and without its tick boxes.
struct WayUp<'a> {
    page: Cow<'a, PageImage>,
    prepared: Prepared,
    boxes: Vec<boxes::TickBox>,
    combs: Vec<combs::Comb>,
    /// None: there are no boxes and combs to take out.
    boxless: Option<Vec<u8>>,
}

impl<'a> WayUp<'a> {
    fn of(page: Cow<'a, PageImage>) -> Self {
        let prepared = prepare(&page);
        let boxes = boxes::find(&prepared);
        let combs = combs::find(&prepared);
        let boxless = (!boxes.is_empty() || !combs.is_empty()).then(|| {
            let mut gray = boxes::without(&prepared, &boxes);
            combs::take_out(&mut gray, &prepared, &combs);
            gray
        });
        Self { page, prepared, boxes, combs, boxless }
    }

    /// The page as it is recognized.
    fn bare(&self) -> Image<'_> {
        let gray = self.boxless.as_ref().unwrap_or(&self.prepared.gray);
        Image { width: self.prepared.width, height: self.prepared.height, gray, dpi: self.prepared.dpi }
    }
}

/// The words of a page, after it was turned upright if need be.
fn upright_words(way_up: &mut WayUp<'_>, recognizer: &mut Recognizer) -> Result<Vec<OcrWord>, OcrError> {
    let words = recognizer.words(way_up.bare(), Layout::Column, PAGE_OCR_SECONDS_MAX)?;
    let confidence = mean_confidence(&words);
    if confidence >= UPRIGHT_CONFIDENCE && words.len() >= UPRIGHT_WORDS_MIN {
        return Ok(words);
    }
    let Some(orientation) = recognizer.orientation(way_up.bare())? else { return Ok(words) };
    // A page that lies on its side may lie on either; one that seems upright and cannot be read may stand on its head.
    let ways = match orientation.turns {
        0 | 2 => vec![2],
        turns => vec![turns, turns + 2],
    };
    let as_it_came = way_up.page.clone().into_owned();
    let (mut best, mut best_confidence) = (words, confidence);
    for turns in ways {
        let turned = WayUp::of(Cow::Owned(quarter_turns(&as_it_came, turns)));
        let words = recognizer.words(turned.bare(), Layout::Column, PAGE_OCR_SECONDS_MAX)?;
        let confidence = mean_confidence(&words);
        if confidence > best_confidence {
            *way_up = turned;
            (best, best_confidence) = (words, confidence);
        }
        if best_confidence >= UPRIGHT_CONFIDENCE {
            break;
        }
    }
    Ok(best)
}

/// By characters, so that a page of specks taken for one-letter words does not outweigh a page of text.
fn mean_confidence(words: &[OcrWord]) -> f32 {
    let (sum, count) = words.iter().fold((0.0, 0.0), |(sum, count), word| {
        let characters = word.text.chars().count() as f32;
        (sum + word.confidence * characters, count + characters)
    });
    if count == 0.0 { 0.0 } else { sum / count }
}

fn word(found: OcrWord) -> Word {
    let region = found.region;
    Word {
        text: found.text,
        confidence: found.confidence,
        bounds: [region.left, region.top, region.right, region.bottom],
        line: found.line,
        block: found.block,
    }
}

/// The stored image; a page that came with one bit a pixel is stored with one, at a tenth of the size.
fn png(page: &Prepared) -> Bytes {
    const DARK: u8 = 128;
    let mut encoded = Vec::new();
    let mut encoder = png::Encoder::new(&mut encoded, page.width, page.height);
    encoder.set_color(png::ColorType::Grayscale);
    let dots = (page.dpi * INCHES_A_METRE).round() as u32;
    encoder.set_pixel_dims(Some(png::PixelDimensions { xppu: dots, yppu: dots, unit: png::Unit::Meter }));
    let packed: Vec<u8>;
    let rows = if page.bilevel {
        encoder.set_depth(png::BitDepth::One);
        packed = page
            .gray
            .chunks_exact(page.width as usize)
            .flat_map(|row| {
                row.chunks(8).map(|pixels| {
                    pixels.iter().zip([128, 64, 32, 16, 8, 4, 2, 1]).map(|(pixel, bit)| if *pixel < DARK { 0 } else { bit }).sum()
                })
            })
            .collect();
        &packed
    } else {
        &page.gray
    };
    let written = encoder.write_header().and_then(|mut writer| writer.write_image_data(rows));
    written.expect("the rows are as many and as long as the sizes say, and memory can be written to");
    Bytes::from(encoded)
}
