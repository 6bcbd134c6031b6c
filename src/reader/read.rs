//! One document, read: what the worker process does with the bytes it is given.

use std::time::Duration;

use bytes::Bytes;

use super::{MachineCode, PageReading, Reading, Word, second_look::second_look};
use crate::{
    protocols::{
        codes,
        ocr::{Image, Layout, OcrError, OcrWord, Recognizer},
        pages::{Document, Limits, PageImage, PagesError, Prepared, prepare, quarter_turns},
    },
    referral::Problem,
};

/// How long one recognition of one page may take. A clean page takes less than half a second.
const PAGE_OCR_SECONDS_MAX: Duration = Duration::from_secs(20);
/// Below this share of dark pixels a page shows nothing: a few specks, the edge of the glass.
const BLANK_INK_MAX: f64 = 0.000_2;
/// A page read with at least this mean confidence is upright: upside down, hardly a word is sure.
const UPRIGHT_CONFIDENCE: f32 = 0.70;
/// Fewer words than this say little of how the page lies.
const UPRIGHT_WORDS_MIN: usize = 5;

const INCHES_A_METRE: f32 = 39.370_08;

/// Reads a document.
///
/// # Errors
/// [`PagesError`]: nothing of it can be read. What is wrong with one page is a problem of the [`Reading`].
pub fn read_document(bytes: &[u8], limits: Limits, recognizer: &mut Recognizer) -> Result<Reading, PagesError> {
    let document = Document::open(bytes, limits)?;
    let mut reading = Reading::default();
    let count = document.page_count();
    if count == 0 {
        reading.problems.push(Problem::new("no-pages", "the document has no pages: a person must look at it"));
    }
    if document.cut_off() {
        let text = "the end of the document is missing, pages may be lost: ask the sender to send it again";
        reading.problems.push(Problem::new("truncated", text));
    }
    if count > limits.pages_max as usize {
        let text = format!("the document has more than {} pages: the rest was not read", limits.pages_max);
        reading.problems.push(Problem::new("pages-max", text));
    }
    let mut first_error = None;
    for position in 0..count.min(limits.pages_max as usize) {
        let number = position as u32 + 1;
        match document.page(position) {
            Ok(page) => {
                if page.cut_off {
                    let text = format!("page {number} is cut off: its lower part is missing");
                    reading.problems.push(Problem::new("page-truncated", text));
                }
                let page = read_page(&page, number, recognizer, &mut reading.problems);
                reading.pages.push(page);
            }
            Err(error) => {
                first_error.get_or_insert(error);
                reading.problems.push(Problem::new(error.code(), format!("page {number}: {error}")));
            }
        }
    }
    let blank = |reading: &Reading| reading.pages.iter().all(|page| page.words.is_empty());
    match first_error {
        Some(error) if reading.pages.is_empty() => Err(error),
        // A page whose image is gone shows as white paper: what the file was is not to be seen.
        _ if document.cut_off() && blank(&reading) => Err(PagesError::Truncated),
        _ => Ok(reading),
    }
}

fn read_page(page: &PageImage, number: u32, recognizer: &mut Recognizer, problems: &mut Vec<Problem>) -> PageReading {
    let mut prepared = prepare(page);
    let mut words = Vec::new();
    let mut codes = Vec::new();
    if prepared.ink() <= BLANK_INK_MAX {
        problems.push(Problem::new("blank-page", format!("page {number} is blank: a person must look at it")));
    } else {
        let words_found = upright_words(page, &mut prepared, recognizer).and_then(|words| {
            second_look(words, prepared.height, || recognizer.words(image_of(&prepared), Layout::Sparse, PAGE_OCR_SECONDS_MAX))
        });
        match words_found {
            Ok(found) => words = found,
            Err(error) => {
                problems.push(Problem::new("page-not-recognized", format!("page {number}: {error}: a person must look at it")));
            }
        }
        codes = codes::codes(&prepared.gray, prepared.width, prepared.height);
    }
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
    }
}

/// The words of a page, after it was turned upright if need be.
fn upright_words(page: &PageImage, prepared: &mut Prepared, recognizer: &mut Recognizer) -> Result<Vec<OcrWord>, OcrError> {
    let words = recognizer.words(image_of(prepared), Layout::Column, PAGE_OCR_SECONDS_MAX)?;
    let confidence = mean_confidence(&words);
    if confidence >= UPRIGHT_CONFIDENCE && words.len() >= UPRIGHT_WORDS_MIN {
        return Ok(words);
    }
    let Some(orientation) = recognizer.orientation(image_of(prepared))? else { return Ok(words) };
    let turns = if orientation.turns == 0 { 2 } else { orientation.turns };
    let turned = prepare(&quarter_turns(page, turns));
    let turned_words = recognizer.words(image_of(&turned), Layout::Column, PAGE_OCR_SECONDS_MAX)?;
    if mean_confidence(&turned_words) > confidence {
        *prepared = turned;
        return Ok(turned_words);
    }
    Ok(words)
}

fn image_of(page: &Prepared) -> Image<'_> {
    Image { width: page.width, height: page.height, gray: &page.gray, dpi: page.dpi }
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
