//! A second pass over what was hardly recognized: the words are cut out of the page as it came, and read as one line.
//!
//! Two faults of the first pass are mended so. Small faint print loses strokes with the specks that are taken out, and comes out as rubbish;
//! cut out with its specks and read by itself it is a label again. A number in which one digit is doubtful is read with the characters
//! that numbers have: where both passes agree it is surer than either, where they differ a person must look.
//!
//! # Design notes
//! The pass knows nothing of fields: which characters can stand in a word is told by the word. It costs a fiftieth of a page's recognition
//! for each run of words, so they are limited; a page that was read well has none.

use crate::protocols::{
    ocr::{Image, Layout, OcrError, OcrWord, Recognizer, Region},
    pages::{PageImage, Prepared, cut_out},
};

use super::read::PAGE_OCR_SECONDS_MAX;

/// Pieces of one page that are read again, the first of them in reading order.
const PIECES_MAX: usize = 60;
/// How often a run is put out of focus before it is read: once for strokes that noise has broken, then as it is.
const SOFTENED: [usize; 2] = [1, 0];
/// A run that is this sure need not be read once more.
const CLEAR: f32 = 0.8;
/// A run less sure than this, on the average of its letters, is read again.
const WEAK: f32 = 0.65;
/// How much surer the second reading of a run must be to replace the first.
const GAIN_MIN: f32 = 0.08;
/// How many of its letters, of a hundred, it must have at least.
const LETTERS_PERCENT_MIN: usize = 60;
/// A number less sure than this is read again.
const WEAK_NUMBER: f32 = 0.88;
/// How sure a number is at least that two passes read alike.
const AGREED: f32 = 0.9;
/// How sure it is at most where they differ: for a person to check, and not so little that a look at the whole page replaces it.
const DIFFERING: f32 = 0.62;
/// Words further apart than this, in heights of a letter, are not one run.
const GAP_HEIGHTS_MAX: f32 = 1.3;
/// Heights of a run that is worth reading, in inches: print of 5 to 20 points.
const HEIGHT_INCHES: std::ops::Range<f32> = 0.035..0.30;

const DIGITS: &str = "0123456789()-./+";
const CODES: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-.";

/// Reads the weak words of a page again, in place.
pub(super) fn read_again(
    words: Vec<OcrWord>,
    page: &PageImage,
    prepared: &Prepared,
    recognizer: &mut Recognizer,
) -> Result<Vec<OcrWord>, OcrError> {
    let mut left = PIECES_MAX;
    let mut kept = Vec::with_capacity(words.len());
    for run in runs(words) {
        let tall = height(&run) / prepared.dpi;
        if left == 0 || !HEIGHT_INCHES.contains(&tall) {
            kept.extend(run);
        } else if sureness(&run) < WEAK {
            let mut best = run;
            for soft in SOFTENED {
                if left == 0 || sureness(&best) >= CLEAR {
                    break;
                }
                left -= 1;
                let second = closer(around(&best), page, prepared, recognizer, ("", soft))?;
                best = better(best, second);
            }
            kept.extend(best);
        } else {
            for word in run {
                let characters = number(&word).filter(|_| left > 0 && word.confidence < WEAK_NUMBER);
                let Some(characters) = characters else {
                    kept.push(word);
                    continue;
                };
                left -= 1;
                let second = closer(word.region, page, prepared, recognizer, (characters, 0))?;
                kept.push(compared(word, &second));
            }
        }
    }
    Ok(kept)
}

/// Words of one line with no wide gap between them.
fn runs(words: Vec<OcrWord>) -> Vec<Vec<OcrWord>> {
    let mut runs: Vec<Vec<OcrWord>> = Vec::new();
    for word in words {
        let goes_on = runs.last().and_then(|run| run.last()).is_some_and(|last| {
            let tall = last.region.bottom.saturating_sub(last.region.top) as f32;
            let near = word.region.left as f32 - (last.region.right as f32) < GAP_HEIGHTS_MAX * tall;
            last.line == word.line && near && word.region.left + 2 > last.region.left
        });
        match runs.last_mut() {
            Some(run) if goes_on => run.push(word),
            _ => runs.push(vec![word]),
        }
    }
    runs
}

fn solid(words: &[OcrWord]) -> usize {
    words.iter().flat_map(|word| word.text.chars()).filter(|c| c.is_alphanumeric()).count()
}

/// The mean confidence of its letters.
fn sureness(words: &[OcrWord]) -> f32 {
    let letters = |word: &OcrWord| word.text.chars().count() as f32;
    let all: f32 = words.iter().map(letters).sum();
    words.iter().map(|word| word.confidence * letters(word)).sum::<f32>() / all.max(1.0)
}

fn around(words: &[OcrWord]) -> Region {
    let both = |a: Region, b: Region| Region {
        left: a.left.min(b.left),
        top: a.top.min(b.top),
        right: a.right.max(b.right),
        bottom: a.bottom.max(b.bottom),
    };
    let regions = words.iter().map(|word| word.region);
    regions.reduce(both).unwrap_or(Region { left: 0, top: 0, right: 0, bottom: 0 })
}

fn height(words: &[OcrWord]) -> f32 {
    let region = around(words);
    region.bottom.saturating_sub(region.top) as f32
}

/// The words of a region, read as one line of the page as it came.
fn closer(
    region: Region,
    page: &PageImage,
    prepared: &Prepared,
    recognizer: &mut Recognizer,
    (characters, soft): (&str, usize),
) -> Result<Vec<OcrWord>, OcrError> {
    /// White around the words, in pixels; more, and the lines of a grid come in.
    const MARGIN: u32 = 7;
    /// White put around what is cut out, in pixels: a line that touches the edge is read worse.
    const PAD: u32 = 10;
    let (left, top) = (region.left.saturating_sub(MARGIN), region.top.saturating_sub(MARGIN));
    let (right, bottom) = ((region.right + MARGIN).min(prepared.width), (region.bottom + MARGIN).min(prepared.height));
    if left >= right || top >= bottom {
        return Ok(Vec::new());
    }
    let gray = cut_out(page, prepared, [left, top, right, bottom]);
    let (width, height) = (right - left, bottom - top);
    let mut gray = padded(&gray, width as usize, PAD as usize);
    let (width, height) = (width + 2 * PAD, height + 2 * PAD);
    for _ in 0..soft {
        gray = softened(&gray, width as usize);
    }
    let image = Image { width, height, gray: &gray, dpi: prepared.dpi };
    let whole = Region { left: 0, top: 0, right: width, bottom: height };
    let found = recognizer.words_in(image, whole, Layout::Line, characters, PAGE_OCR_SECONDS_MAX)?;
    let across = |x: u32| (left + x).saturating_sub(PAD);
    let down = |y: u32| (top + y).saturating_sub(PAD);
    let placed = |word: OcrWord| {
        let Region { left, top, right, bottom } = word.region;
        OcrWord { region: Region { left: across(left), top: down(top), right: across(right), bottom: down(bottom) }, ..word }
    };
    Ok(found.into_iter().map(placed).collect())
}

/// An image with white around it.
fn padded(gray: &[u8], width: usize, pad: usize) -> Vec<u8> {
    let wide = width + 2 * pad;
    let mut padded = vec![255; pad * wide];
    for row in gray.chunks_exact(width.max(1)) {
        padded.extend(std::iter::repeat_n(255, pad));
        padded.extend_from_slice(row);
        padded.extend(std::iter::repeat_n(255, pad));
    }
    padded.extend(std::iter::repeat_n(255, pad * wide));
    padded
}

/// An image a little out of focus, so that strokes which noise has broken touch again.
fn softened(gray: &[u8], width: usize) -> Vec<u8> {
    /// Weights of three pixels in a row; they sum to 4.
    const WEIGHTS: [u32; 3] = [1, 2, 1];
    let weighted = |three: [u8; 3]| three.into_iter().zip(WEIGHTS).map(|(pixel, weight)| u32::from(pixel) * weight).sum::<u32>();
    let at = |place: usize| gray.get(place).copied().unwrap_or(255);
    let row = |place: usize| weighted([at(place.wrapping_sub(1)), at(place), at(place.wrapping_add(1))]);
    let rows = |place: usize| [place.wrapping_sub(width), place, place.wrapping_add(width)].map(row);
    (0..gray.len())
        .map(|place| {
            let [above, here, below] = rows(place);
            ((above + 2 * here + below) / 16).min(255) as u8
        })
        .collect()
}

/// The second reading of a run where it is clearly better, else the first. A number that only the second has is doubted, and one that has
/// lost digits, or run into its label, is no better.
fn better(first: Vec<OcrWord>, second: Vec<OcrWord>) -> Vec<OcrWord> {
    let Some((line, block)) = first.first().map(|word| (word.line, word.block)) else { return second };
    let percent = if first.iter().any(|word| number(word).is_some()) { 100 } else { LETTERS_PERCENT_MIN };
    let whole = solid(&second) * 100 >= solid(&first) * percent && second.len() * 2 > first.len();
    if !whole || sureness(&second) < sureness(&first) + GAIN_MIN {
        return first;
    }
    let new = |word: &OcrWord| number(word).is_some() && !first.iter().any(|other| other.text == word.text);
    second
        .into_iter()
        .map(|word| {
            let confidence = if new(&word) { word.confidence.min(DIFFERING) } else { word.confidence };
            OcrWord { line, block, confidence, ..word }
        })
        .collect()
}

/// The characters that a word of digits can have; none: it is none.
fn number(word: &OcrWord) -> Option<&'static str> {
    const DIGITS_MIN: usize = 3;
    let digits = word.text.chars().filter(char::is_ascii_digit).count();
    let letters = word.text.chars().filter(|c| c.is_alphabetic()).count();
    let small = word.text.chars().any(char::is_lowercase);
    if digits < DIGITS_MIN || digits < letters || small { None } else { Some(if letters == 0 { DIGITS } else { CODES }) }
}

/// A number after its second reading: surer where that says the same, doubtful where it does not.
fn compared(word: OcrWord, second: &[OcrWord]) -> OcrWord {
    let plain = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).collect::<String>();
    let again: String = second.iter().map(|word| plain(&word.text)).collect();
    if again == plain(&word.text) {
        return OcrWord { confidence: word.confidence.max(AGREED), ..word };
    }
    // A bracket or a sign among letters and digits was one of them.
    let foreign = word.text.chars().any(|c| !c.is_alphanumeric() && !CODES.contains(c) && !DIGITS.contains(c))
        || (word.text.contains(char::is_alphabetic) && word.text.contains(['(', ')']));
    let length = if foreign { word.text.chars().count() } else { plain(&word.text).chars().count() };
    match second {
        [other] if foreign && again.chars().count() == length => {
            OcrWord { text: other.text.clone(), confidence: other.confidence.min(DIFFERING), ..word }
        }
        [other] if again.chars().count() == length && other.confidence > word.confidence => {
            OcrWord { text: other.text.clone(), confidence: other.confidence.min(DIFFERING), ..word }
        }
        _ => OcrWord { confidence: word.confidence.min(DIFFERING), ..word },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str, confidence: f32, left: u32) -> OcrWord {
        let region = Region { left, top: 10, right: left + 10 * text.len() as u32, bottom: 34 };
        OcrWord { text: text.to_owned(), confidence, region, line: 3, block: 1 }
    }

    #[test]
    fn what_is_cut_out_gets_white_around_it_and_softening_keeps_its_size() {
        let padded = padded(&[0; 6], 3, 2);
        assert_eq!(padded.len(), 7 * 6);
        assert_eq!(padded.iter().filter(|pixel| **pixel == 0).count(), 6);
        let soft = softened(&padded, 7);
        assert_eq!(soft.len(), padded.len());
        assert!(soft[0] == 255 && soft[2 * 7 + 3] < 128 && soft[7 + 3] > 128);
    }

    #[test]
    fn words_of_a_line_with_a_wide_gap_are_two_runs() {
        let found = runs(vec![word("Given", 0.9, 10), word("name", 0.9, 70), word("Sex", 0.9, 400)]);
        assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1]);
    }

    #[test]
    fn rubbish_gives_way_to_a_label_and_a_label_to_nothing_less_sure() {
        let rubbish = || vec![word("Bea", 0.2, 10), word("plar", 0.4, 60)];
        let label = vec![OcrWord { line: 0, ..word("Health", 0.9, 10) }, OcrWord { line: 0, ..word("plan", 0.8, 80) }];
        let read = better(rubbish(), label.clone());
        assert_eq!(read.iter().map(|word| (word.text.as_str(), word.line)).collect::<Vec<_>>(), [("Health", 3), ("plan", 3)]);
        assert_eq!(better(rubbish(), vec![word("B", 0.95, 10)]).len(), 2, "half of it is not a better reading");
        let number = || vec![word("84657003", 0.6, 10)];
        let lost = better(number(), vec![word("6465706", 0.9, 10)]);
        assert!(lost == number(), "a digit is lost");
        let other = better(number(), vec![word("34657003", 0.9, 10)]);
        assert!(other.iter().all(|word| word.confidence <= DIFFERING));
        assert_eq!(better(label, rubbish()).first().map(|word| word.text.clone()), Some("Health".to_owned()));
    }

    #[test]
    fn two_passes_that_agree_on_a_number_are_surer_and_two_that_differ_are_doubted() {
        let first = word("299-252-8976", 0.7, 10);
        assert!(compared(first.clone(), &[word("299-252-8976", 0.8, 10)]).confidence >= AGREED);
        let other = compared(first.clone(), &[word("299-252-8970", 0.9, 10)]);
        assert_eq!((other.text.as_str(), other.confidence), ("299-252-8970", DIFFERING));
        assert!(compared(first, &[]).confidence <= DIFFERING);
    }

    #[test]
    fn only_digits_and_capitals_make_a_number() {
        assert_eq!(number(&word("(415)", 0.5, 0)), Some(DIGITS));
        assert_eq!(number(&word("PD231007728", 0.5, 0)), Some(CODES));
        for text in ["Street", "12", "10mg", "B12"] {
            assert_eq!(number(&word(text, 0.5, 0)), None, "{text}");
        }
    }
}
