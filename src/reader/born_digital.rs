//! The words of a page that carries its text as text, where that text can be believed.
//!
//! # Design notes
//! A text layer is exact where it is right, and nothing on the page says when it is wrong: a font without its table of characters gives
//! rubbish that looks like text, a redaction leaves the words under its bar, a stamp by a fax server is the only text of a scanned page.
//! So it is believed only as far as the page shows the same: each word must have ink where it stands, and the page is recognized as any
//! other and compared word by word. A date under a patch, or in a font whose table lies, is one that a person is asked about. What is drawn
//! beside the text (a picture, handwriting, letters turned into curves) is taken as it was recognized. Whatever is in doubt is recognized
//! as a whole, as if there were no text.

use super::{
    boxes::{self, TickBox},
    read::PAGE_OCR_SECONDS_MAX,
    second_look::second_look,
};
use crate::protocols::{
    ocr::{Image, Layout, OcrError, OcrWord, Recognizer, Region},
    pages::{FormBox, PageImage, TextLayer, TextWord},
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
/// How alike a word must be to what was recognized in its place, from 0 to 1; one with digits must be the same.
const ALIKE_MIN: f64 = 0.6;
/// How many words, of a hundred, must be: with fewer the text is another one than the page shows.
const ALIKE_PERCENT_MIN: usize = 70;
/// Marks the size of letters beside the text from which on they are recognized too.
const MARKS_MIN: usize = 15;
/// How sure a word of the text is that the page shows as well.
const CONFIDENCE: f32 = 0.98;
/// How sure one is where the page shows something else, or nothing that was recognized.
const DOUBTED: f32 = 0.6;

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
    if marks > letters / 2 {
        return Ok(None);
    }
    let shown = recognizer.words(image(page), Layout::Column, PAGE_OCR_SECONDS_MAX)?;
    let shown = second_look(shown, page.height, || recognizer.words(image(page), Layout::Sparse, PAGE_OCR_SECONDS_MAX))?;
    let Some(mut words) = compared(&seen, &shown) else { return Ok(None) };
    // Of a stamp drawn over the page every word counts, be there ever so few.
    let is_over = |found: &OcrWord| {
        let middle = (found.region.left.midpoint(found.region.right), found.region.top.midpoint(found.region.bottom));
        let within =
            |[left, top, right, bottom]: &[u32; 4]| (*left..=*right).contains(&middle.0) && (*top..=*bottom).contains(&middle.1);
        found.text.chars().filter(|c| c.is_alphanumeric()).count() > 1 && layer.over.iter().any(within)
    };
    if marks >= MARKS_MIN || shown.iter().any(is_over) {
        let lines = words.iter().map(|word| word.line + 1).max().unwrap_or(0);
        let is_text = |found: &OcrWord| layer.words.iter().any(|word| stands_at(found, word));
        let beside = shown.into_iter().filter(|found| !is_text(found) && (marks >= MARKS_MIN || is_over(found)));
        words.extend(beside.map(|found| OcrWord { line: found.line + lines, block: found.block + 1, ..found }));
    }
    insert_boxes(&mut words, &layer.boxes);
    Ok(Some(words))
}

/// Puts the tick boxes of a form among the words, as if they had been drawn and looked at.
fn insert_boxes(words: &mut Vec<OcrWord>, form_boxes: &[FormBox]) {
    let boxes: Vec<TickBox> = form_boxes
        .iter()
        .map(|one| {
            let [left, top, right, bottom] = one.bounds;
            TickBox::known(Region { left, top, right, bottom }, one.ticked)
        })
        .collect();
    boxes::insert(words, &boxes);
}

/// The words of the text, each as sure as the page shows it; none: the page shows another text.
fn compared(words: &[&TextWord], shown: &[OcrWord]) -> Option<Vec<OcrWord>> {
    let (mut alike, mut letters) = (0, 0);
    let compared = words.iter().map(|word| {
        let text = solid(&word.text);
        let is_shown = text.is_empty() || is_alike(&text, &solid(&shown_at(word, shown)));
        letters += usize::from(!text.is_empty());
        alike += usize::from(!text.is_empty() && is_shown);
        let [left, top, right, bottom] = word.bounds;
        OcrWord {
            text: word.text.clone(),
            confidence: if is_shown { CONFIDENCE } else { DOUBTED },
            region: Region { left, top, right, bottom },
            line: word.line,
            block: 0,
        }
    });
    let compared: Vec<OcrWord> = compared.collect();
    (alike * 100 >= letters * ALIKE_PERCENT_MIN).then_some(compared)
}

/// What was recognized where a word of the text stands, from the left.
fn shown_at(word: &TextWord, shown: &[OcrWord]) -> String {
    let mut here: Vec<&OcrWord> = shown.iter().filter(|found| stands_at(found, word)).collect();
    here.sort_by_key(|found| found.region.left);
    here.into_iter().map(|found| found.text.as_str()).collect()
}

/// Whether a recognized word stands where a word of the text does: it may hold several of them, or a piece of one.
fn stands_at(found: &OcrWord, word: &TextWord) -> bool {
    let (shown, [left, top, right, bottom]) = (found.region, word.bounds);
    let across = shown.right.min(right).saturating_sub(shown.left.max(left));
    let down = shown.bottom.min(bottom).saturating_sub(shown.top.max(top));
    let narrower = (shown.right - shown.left).min(right - left).max(1);
    let lower = (shown.bottom - shown.top).min(bottom - top).max(1);
    across * 3 >= narrower && down * 2 >= lower
}

/// Whether a word is what was recognized in its place, or a part of it. Digits must be the same but for what recognition confuses.
fn is_alike(text: &str, shown: &str) -> bool {
    if shown.contains(text) {
        return true;
    }
    let digits = |text: &str| text.chars().any(|c| c.is_ascii_digit());
    if digits(text) {
        return folded(shown).contains(&folded(text));
    }
    strsim::normalized_levenshtein(text, shown) >= ALIKE_MIN
}

/// Letters that recognition takes for digits, as digits.
fn folded(text: &str) -> String {
    let digit = |c: char| match c {
        'o' | 'q' => '0',
        'i' | 'l' => '1',
        's' => '5',
        'b' => '8',
        'z' => '2',
        other => other,
    };
    text.chars().map(digit).collect()
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

fn solid(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn image(page: &PageImage) -> Image<'_> {
    Image { width: page.width, height: page.height, gray: &page.gray, dpi: page.dpi.0 }
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

    fn shown(text: &str) -> Vec<OcrWord> {
        let word = |word: TextWord| {
            let [left, top, right, bottom] = word.bounds;
            OcrWord { text: word.text, confidence: 0.9, region: Region { left, top, right, bottom }, line: 0, block: 0 }
        };
        layer(text).words.into_iter().map(word).collect()
    }

    #[test]
    fn a_word_that_the_page_shows_otherwise_is_doubted() {
        let layer = layer("Patient Testa Samplet\u{f6}n born 03/14/1961 member A4455 : phone");
        let words: Vec<&TextWord> = layer.words.iter().collect();
        let doubted = |text: &str| -> Option<Vec<String>> {
            let words = compared(&words, &shown(text))?;
            Some(words.into_iter().filter(|word| word.confidence < 0.9).map(|word| word.text).collect())
        };
        assert_eq!(doubted("Patient Testa Sampleton born O3/l4/1961 member A4455 , phone"), Some(vec![]));
        assert_eq!(
            doubted("Patient Testa Sampleton born 09/22/1975 member A5544 : phone"),
            Some(vec!["03/14/1961".to_owned(), "A4455".to_owned()])
        );
        assert_eq!(
            doubted("Patient Testa Johnson born 03/14/1961 member A4455"),
            Some(vec!["Samplet\u{f6}n".to_owned(), "phone".to_owned()])
        );
        assert_eq!(doubted("quite another text is shown here"), None);
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

    #[test]
    fn the_boxes_of_a_form_stand_before_their_words() {
        let mut words = shown("Sex: Male Female");
        let of_form = |left, ticked| FormBox { bounds: [left, 10, left + 8, 30], ticked };
        for (word, left) in words.iter_mut().zip([0, 70, 150]) {
            (word.region.left, word.region.right) = (left, left + 40);
        }
        insert_boxes(&mut words, &[of_form(58, Some(true)), of_form(138, Some(false))]);
        let texts: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
        assert_eq!(texts, ["Sex:", "\u{2612}", "Male", "\u{2610}", "Female"]);
    }
}
