//! The words of a page that carries its text as text, where that text can be believed.
//!
//! # Design notes
//! A text layer is exact where it is right, and nothing on the page says when it is wrong: a font without its table of characters gives
//! rubbish that looks like text, a redaction leaves the words under its bar, a stamp by a fax server is the only text of a scanned page.
//! So it is believed only as far as the page shows the same: each word must have ink where it stands, and a few lines are recognized and
//! compared. What is drawn beside the text (a picture, handwriting, letters turned into curves) is recognized and added. Whatever
//! is in doubt is recognized as a whole, as if there were no text.

use super::read::PAGE_OCR_SECONDS_MAX;
use crate::protocols::{
    ocr::{Image, Layout, OcrError, OcrWord, Recognizer, Region},
    pages::{PageImage, TextLayer, TextWord},
};

/// Fewer words than this are a stamp or a header, not a page's text.
const WORDS_MIN: usize = 8;
/// How many glyphs, of a hundred, may have no character.
const UNMAPPED_PERCENT_MAX: usize = 2;
/// How many, of a hundred, may stand turned.
const TURNED_PERCENT_MAX: usize = 5;
/// How many words, of a hundred, must have ink where they stand.
const SEEN_PERCENT_MIN: usize = 90;
/// What share of the characters must be letters or digits.
const SOLID_PERCENT_MIN: usize = 60;
/// Below this a pixel counts as ink.
const DARK: u8 = 128;
/// What share of a word's box its ink takes: less and there is nothing to see, more and it is under a bar.
const INK_SHARE: std::ops::RangeInclusive<f32> = 0.02..=0.97;
/// How alike a recognized line must be to its text, from 0 to 1.
const ALIKE_MIN: f64 = 0.6;
/// Lines that are compared; each costs about a twentieth of a page's recognition.
const LINES_COMPARED: usize = 3;
/// Marks the size of letters beside the text from which on they are recognized too.
const MARKS_MIN: usize = 15;
/// How sure a word of the text is. Not quite: a page can say one thing and show another in a place nobody compared.
const CONFIDENCE: f32 = 0.98;

/// The words of a page by its text; none: it must be recognized.
pub(super) fn words(layer: &TextLayer, page: &PageImage, recognizer: &mut Recognizer) -> Result<Option<Vec<OcrWord>>, OcrError> {
    if !is_plausible(layer) {
        return Ok(None);
    }
    let seen: Vec<&TextWord> = layer.words.iter().filter(|word| INK_SHARE.contains(&ink_share(page, word.bounds))).collect();
    if seen.len() < WORDS_MIN || seen.len() * 100 < layer.words.len() * SEEN_PERCENT_MIN {
        return Ok(None);
    }
    let rest = without(page, &layer.words);
    let marks = marks(&rest, page.width as usize);
    let letters: usize = seen.iter().map(|word| word.text.chars().count()).sum();
    if marks > letters / 2 || !reads_the_same(&seen, page, recognizer)? {
        return Ok(None);
    }
    let mut words: Vec<OcrWord> = seen.into_iter().map(certain).collect();
    if marks >= MARKS_MIN {
        let lines = words.iter().map(|word| word.line + 1).max().unwrap_or(0);
        let beside = recognizer.words(image(page, &rest), Layout::Sparse, PAGE_OCR_SECONDS_MAX)?;
        words.extend(beside.into_iter().map(|word| OcrWord { line: word.line + lines, block: word.block + 1, ..word }));
    }
    Ok(Some(words))
}

fn certain(word: &TextWord) -> OcrWord {
    let [left, top, right, bottom] = word.bounds;
    let region = Region { left, top, right, bottom };
    OcrWord { text: word.text.clone(), confidence: CONFIDENCE, region, line: word.line, block: 0 }
}

/// Whether it can be the text of a page, by itself.
fn is_plausible(layer: &TextLayer) -> bool {
    let characters = || layer.words.iter().flat_map(|word| word.text.chars());
    let solid = characters().filter(|c| c.is_alphanumeric()).count();
    layer.words.len() >= WORDS_MIN
        && layer.unmapped * 100 <= layer.glyphs * UNMAPPED_PERCENT_MAX
        && layer.turned * 100 <= layer.glyphs * TURNED_PERCENT_MAX
        && solid * 100 >= characters().count() * SOLID_PERCENT_MIN
}

fn ink_share(page: &PageImage, bounds: [u32; 4]) -> f32 {
    let [left, top, right, bottom] = bounds.map(|side| side as usize);
    let rows = page.gray.chunks_exact(page.width as usize).take(bottom).skip(top);
    let dark: usize = rows.filter_map(|row| row.get(left..right)).flatten().filter(|pixel| **pixel < DARK).count();
    dark as f32 / ((right - left) * (bottom - top)).max(1) as f32
}

/// The page with its text taken out.
fn without(page: &PageImage, words: &[TextWord]) -> Vec<u8> {
    const AROUND: u32 = 2;
    let mut gray = page.gray.clone();
    for word in words {
        let [left, top, right, bottom] = word.bounds;
        let (left, right) = (left.saturating_sub(AROUND) as usize, (right + AROUND).min(page.width) as usize);
        let (top, bottom) = (top.saturating_sub(AROUND) as usize, (bottom + AROUND).min(page.height) as usize);
        for row in gray.chunks_exact_mut(page.width as usize).take(bottom).skip(top) {
            if let Some(span) = row.get_mut(left..right) {
                span.fill(255);
            }
        }
    }
    gray
}

/// How many groups of touching dark pixels have the size of letters.
fn marks(gray: &[u8], width: usize) -> usize {
    /// Letters of 6 to 24 points at 204 dpi, in pixels.
    const TALL: std::ops::RangeInclusive<usize> = 9..=70;
    const WIDE: std::ops::RangeInclusive<usize> = 2..=90;
    let mut seen: Vec<bool> = gray.iter().map(|pixel| *pixel >= DARK).collect();
    let mut count = 0;
    let mut stack = Vec::new();
    for start in 0..gray.len() {
        if seen[start] {
            continue;
        }
        let (mut left, mut right, mut top, mut bottom) = (usize::MAX, 0, usize::MAX, 0);
        seen[start] = true;
        stack.push(start);
        while let Some(pixel) = stack.pop() {
            let (x, y) = (pixel % width, pixel / width);
            (left, right, top, bottom) = (left.min(x), right.max(x), top.min(y), bottom.max(y));
            let beside = [(x > 0).then(|| pixel - 1), (x + 1 < width).then_some(pixel + 1)];
            let above_and_below = [pixel.checked_sub(width), pixel.checked_add(width)];
            for next in beside.into_iter().chain(above_and_below).flatten() {
                if seen.get(next) == Some(&false) {
                    seen[next] = true;
                    stack.push(next);
                }
            }
        }
        count += usize::from(TALL.contains(&(bottom - top + 1)) && WIDE.contains(&(right - left + 1)));
    }
    count
}

/// Recognizes the longest run of words of each of the usual sizes, and compares: a page's fonts differ in size as a rule.
fn reads_the_same(words: &[&TextWord], page: &PageImage, recognizer: &mut Recognizer) -> Result<bool, OcrError> {
    for run in longest_runs(words) {
        let bounds = run.iter().map(|word| word.bounds);
        let around =
            |[l, t, r, b]: [u32; 4], [left, top, right, bottom]: [u32; 4]| [l.min(left), t.min(top), r.max(right), b.max(bottom)];
        let Some([left, top, right, bottom]) = bounds.reduce(around) else { continue };
        const MARGIN: u32 = 8;
        let region = Region {
            left: left.saturating_sub(MARGIN),
            top: top.saturating_sub(MARGIN),
            right: (right + MARGIN).min(page.width),
            bottom: (bottom + MARGIN).min(page.height),
        };
        let found = recognizer.words_in(image(page, &page.gray), region, Layout::Line, "", PAGE_OCR_SECONDS_MAX)?;
        let found = solid(found.iter().map(|word| word.text.as_str()));
        let text = solid(run.iter().map(|word| word.text.as_str()));
        if strsim::normalized_levenshtein(&found, &text) < ALIKE_MIN {
            return Ok(false);
        }
    }
    Ok(true)
}

fn solid<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.flat_map(str::chars).filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// For each of the usual sizes of type, the run of words in one row, close to each other, that has most letters.
fn longest_runs<'a>(words: &[&'a TextWord]) -> Vec<Vec<&'a TextWord>> {
    const WORDS_MAX: usize = 8;
    let mut runs: Vec<Vec<&TextWord>> = Vec::new();
    for word in words.iter().copied() {
        let follows = |run: &Vec<&TextWord>| {
            run.len() < WORDS_MAX
                && run.last().is_some_and(|last| {
                    last.line == word.line
                        && last.size == word.size
                        && word.bounds[0] >= last.bounds[2].saturating_sub(last.size)
                        && word.bounds[0] < last.bounds[2] + last.size
                })
        };
        match runs.last_mut() {
            Some(run) if follows(run) => run.push(word),
            _ => runs.push(vec![word]),
        }
    }
    let letters =
        |run: &Vec<&TextWord>| run.iter().map(|word| word.text.chars().filter(|c| c.is_alphanumeric()).count()).sum::<usize>();
    runs.sort_by_key(|run| std::cmp::Reverse(letters(run)));
    let mut chosen: Vec<Vec<&TextWord>> = Vec::new();
    let size = |run: &Vec<&TextWord>| run.first().map_or(0, |word| word.size);
    const LETTERS_MIN: usize = 8;
    for run in runs {
        if chosen.len() < LINES_COMPARED && letters(&run) >= LETTERS_MIN && !chosen.iter().any(|one| size(one) == size(&run)) {
            chosen.push(run);
        }
    }
    chosen
}

fn image<'a>(page: &PageImage, gray: &'a [u8]) -> Image<'a> {
    Image { width: page.width, height: page.height, gray, dpi: page.dpi.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(text: &str) -> TextLayer {
        let words: Vec<TextWord> = text
            .split_whitespace()
            .zip(0..)
            .map(|(text, at)| TextWord { text: text.to_owned(), bounds: [at * 50, 10, at * 50 + 40, 30], line: 0, size: 30 })
            .collect();
        TextLayer { glyphs: text.len(), words, ..TextLayer::default() }
    }

    #[test]
    fn text_without_characters_or_letters_is_not_believed() {
        let good = layer("Patient name Testa Sampleton born on 03/14/1961 in Harbor");
        assert!(is_plausible(&good));
        assert!(!is_plausible(&TextLayer { unmapped: 5, ..good.clone() }));
        assert!(!is_plausible(&TextLayer { turned: 40, ..good }));
        assert!(!is_plausible(&layer("!\"#$ %&' ()*+ ,-./ :;<= >?@[ \\]^_ `{|}")));
        assert!(!is_plausible(&layer("Received by fax")));
    }

    #[test]
    fn each_size_of_type_is_compared_once_by_its_longest_run() {
        let mut layer = layer("Patient name Testa Sampleton of Harbor Example Street");
        layer.words.push(TextWord { text: "REFERRAL".to_owned(), bounds: [0, 100, 200, 160], line: 1, size: 60 });
        let words: Vec<&TextWord> = layer.words.iter().collect();
        let runs = longest_runs(&words);
        assert_eq!(runs.iter().map(|run| run[0].text.as_str()).collect::<Vec<_>>(), ["Patient", "REFERRAL"]);
    }

    #[test]
    fn a_word_under_a_bar_or_without_ink_is_not_seen() {
        let (width, height) = (100, 30);
        let page = |ink: &dyn Fn(usize) -> bool| PageImage {
            width,
            height,
            gray: (0..3_000).map(|pixel| if ink(pixel) { 0 } else { 255 }).collect(),
            bilevel: false,
            dpi: (204.0, 204.0),
            cut_off: false,
        };
        let seen = |page: &PageImage| INK_SHARE.contains(&ink_share(page, [10, 5, 90, 25]));
        assert!(seen(&page(&|pixel| pixel % 4 == 0)), "letters");
        assert!(!seen(&page(&|_| true)), "a bar");
        assert!(!seen(&page(&|_| false)), "paper");
    }

    #[test]
    fn letters_beside_the_text_are_counted_and_rules_are_not() {
        let width = 400;
        let mut gray = vec![255_u8; width * 100];
        gray[50 * width..51 * width].fill(0);
        for letter in 0..10 {
            for y in 10..30 {
                gray[y * width + 20 + letter * 30..y * width + 28 + letter * 30].fill(0);
            }
        }
        assert_eq!(marks(&gray, width), 10);
    }
}
