//! Stamps set aslant: "STAT" or "URGENT" in large letters at an angle, which text recognition passes over or makes rubbish of.
//!
//! # Design notes
//! Letters of a stamp are marks larger than the text of the page whose middles lie on a line that is not level. What lies on such a line is cut
//! out without the frame around it, turned level and read as one line. Kept are words of urgency alone, to the letter: a signature, a logo or a
//! "COPY" across the page is nothing that a field could want. What such a word comes to is for `normalize::fax` to say; it never gives a
//! priority, it only contests one.

use super::read::PAGE_OCR_SECONDS_MAX;
use crate::protocols::{
    ocr::{Image, Layout, OcrError, OcrWord, Recognizer, Region},
    pages::Prepared,
};

/// Sizes of a stamp's letters, in inches.
const LETTER_INCHES: std::ops::Range<f32> = 0.15..1.1;
/// How much of its bounds a letter fills.
const LETTER_INK: std::ops::Range<f32> = 0.1..0.8;
/// Letters of a word, at least: two of them may have run together.
const LETTERS_MIN: usize = 3;
/// How far aslant it stands, in degrees, either way.
const ASLANT: std::ops::Range<f32> = 6.0..50.0;
/// Rows of marks on one page that are looked at, and marks.
const ROWS_MAX: usize = 3;
const MARKS_MAX: usize = 400;
/// Below this a pixel counts as ink.
const DARK: u8 = 128;
/// A mark within a word that was read so surely is a letter of the page.
const READ_MIN: f32 = 0.9;
/// A reading that is less sure is none.
const SURE_MIN: f32 = 0.5;
/// What a stamp says, and nothing else does.
const SAYS: [&str; 6] = ["STAT", "URGENT", "ASAP", "EMERGENT", "EXPEDITE", "EXPEDITED"];

/// Adds the words of urgency that stand aslant on a page.
pub(super) fn read(page: &Prepared, recognizer: &mut Recognizer, words: &mut Vec<OcrWord>) -> Result<(), OcrError> {
    let marks = Marks::of(page);
    let letters = marks.letters(page.dpi, words);
    for row in rows(&letters) {
        if let Some(word) = marks.word(page, &row, recognizer)? {
            let line = words.iter().map(|word| word.line + 1).max().unwrap_or(0);
            let block = words.iter().map(|word| word.block + 1).max().unwrap_or(0);
            words.push(OcrWord { line, block, ..word });
        }
    }
    Ok(())
}

/// What hangs together on a page, at half its size.
struct Marks {
    width: usize,
    height: usize,
    /// Which mark each dot is of, from 1; 0: none.
    of: Vec<u32>,
    all: Vec<Mark>,
}

/// One of them.
#[derive(Clone, Copy, Debug)]
struct Mark {
    left: usize,
    top: usize,
    right: usize,
    bottom: usize,
    dots: usize,
}

impl Mark {
    fn size(&self) -> f32 {
        (self.right - self.left).max(self.bottom - self.top) as f32
    }

    fn middle(&self) -> (f32, f32) {
        ((self.left + self.right) as f32 / 2.0, (self.top + self.bottom) as f32 / 2.0)
    }
}

impl Marks {
    fn of(page: &Prepared) -> Self {
        let (width, height) = (page.width as usize / 2, page.height as usize / 2);
        let dark = |x: usize, y: usize| page.gray.get(y * page.width as usize + x).is_some_and(|pixel| *pixel < DARK);
        let mut of: Vec<u32> = Vec::with_capacity(width * height);
        for y in 0..height {
            of.extend((0..width).map(|x| {
                let (x, y) = (2 * x, 2 * y);
                if dark(x, y) || dark(x + 1, y) || dark(x, y + 1) || dark(x + 1, y + 1) { u32::MAX } else { 0 }
            }));
        }
        let mut marks = Self { width, height, of, all: Vec::new() };
        for start in 0..width * height {
            if marks.of.get(start) == Some(&u32::MAX) {
                marks.follow(start);
            }
        }
        marks
    }

    /// Gives a number to all that hangs together with a dot.
    fn follow(&mut self, start: usize) {
        let number = u32::try_from(self.all.len() + 1).unwrap_or(u32::MAX - 1);
        let mut mark = Mark { left: self.width, top: self.height, right: 0, bottom: 0, dots: 0 };
        let mut open = vec![start];
        while let Some(dot) = open.pop() {
            let Some(of) = self.of.get_mut(dot).filter(|of| **of == u32::MAX) else { continue };
            *of = number;
            let (x, y) = (dot % self.width, dot / self.width);
            mark.dots += 1;
            (mark.left, mark.right) = (mark.left.min(x), mark.right.max(x + 1));
            (mark.top, mark.bottom) = (mark.top.min(y), mark.bottom.max(y + 1));
            let across = x.saturating_sub(1)..=(x + 1).min(self.width - 1);
            for y in y.saturating_sub(1)..=(y + 1).min(self.height - 1) {
                open.extend(across.clone().map(|x| y * self.width + x).filter(|dot| self.of.get(*dot) == Some(&u32::MAX)));
            }
        }
        self.all.push(mark);
    }

    /// The marks that may be letters of a stamp: of their size, and in no word that was read.
    fn letters(&self, dpi: f32, words: &[OcrWord]) -> Vec<Mark> {
        let inches = dpi / 2.0;
        let sizes = LETTER_INCHES.start * inches..LETTER_INCHES.end * inches;
        let is_read = |mark: &Mark| {
            let (x, y) = mark.middle();
            words.iter().filter(|word| word.confidence >= READ_MIN).any(|word| {
                let [left, top, right, bottom] =
                    [word.region.left, word.region.top, word.region.right, word.region.bottom].map(|side| side as f32 / 2.0);
                (left..=right).contains(&x) && (top..=bottom).contains(&y) && mark.size() < 1.5 * (bottom - top)
            })
        };
        let is_letter = |mark: &&Mark| {
            let (wide, tall) = (mark.right - mark.left, mark.bottom - mark.top);
            let ink = mark.dots as f32 / (wide * tall).max(1) as f32;
            sizes.contains(&mark.size()) && LETTER_INK.contains(&ink) && wide * 6 > tall && tall * 3 > wide && !is_read(mark)
        };
        self.all.iter().filter(is_letter).take(MARKS_MAX).copied().collect()
    }

    /// What a row of marks says, where that is a word of urgency.
    fn word(&self, page: &Prepared, row: &[Mark], recognizer: &mut Recognizer) -> Result<Option<OcrWord>, OcrError> {
        let Some((gray, width, height)) = self.levelled(page, row) else { return Ok(None) };
        let image = Image { width, height, gray: &gray, dpi: page.dpi };
        let read = recognizer.words(image, Layout::Line, PAGE_OCR_SECONDS_MAX)?;
        let said = read.iter().find_map(|word| {
            let plain: String = word.text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_uppercase).collect();
            let plain = plain.replace('5', "S").replace('7', "T");
            (SAYS.contains(&plain.as_str()) && word.confidence >= SURE_MIN).then_some((plain, word.confidence))
        });
        Ok(said.map(|(text, confidence)| OcrWord { text, confidence, region: region(row), line: 0, block: 0 }))
    }

    /// A row of marks cut out and turned level, without what is larger or smaller than its letters.
    fn levelled(&self, page: &Prepared, row: &[Mark]) -> Option<(Vec<u8>, u32, u32)> {
        /// How high a letter becomes, in pixels: what the recognition knows best.
        const LETTER_PIXELS: f32 = 44.0;
        let (first, last) = (row.first()?.middle(), row.last()?.middle());
        let size = row.iter().map(Mark::size).sum::<f32>() / row.len() as f32;
        let (dx, dy) = (last.0 - first.0, last.1 - first.1);
        let (sin, cos) = dy.atan2(dx).sin_cos();
        let middle = (f32::midpoint(first.0, last.0), f32::midpoint(first.1, last.1));
        let (long, high) = (dx.hypot(dy) + 2.6 * size, 1.9 * size);
        let scale = LETTER_PIXELS / size;
        let (width, height) = ((long * scale) as u32, (high * scale) as u32);
        let is_of_row = |x: usize, y: usize| {
            let number = self.of.get(y / 2 * self.width + x / 2).copied().unwrap_or(0) as usize;
            let mark = number.checked_sub(1).and_then(|at| self.all.get(at));
            mark.is_some_and(|mark| (0.25 * size..2.2 * size).contains(&mark.size()))
        };
        let dots = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        let gray = dots.map(|(x, y)| {
            let (along, across) = ((x as f32 + 0.5) / scale - long / 2.0, (y as f32 + 0.5) / scale - high / 2.0);
            let (x, y) = (2.0 * (middle.0 + along * cos - across * sin), 2.0 * (middle.1 + along * sin + across * cos));
            let inside = x >= 0.0 && y >= 0.0 && x < page.width as f32 && y < page.height as f32;
            let (x, y) = (x as usize, y as usize);
            let dark = inside && page.gray.get(y * page.width as usize + x).is_some_and(|pixel| *pixel < DARK);
            if dark && is_of_row(x, y) { 0 } else { 255 }
        });
        Some((gray.collect(), width, height))
    }
}

/// Where a stamp is said to stand: a line of the height of its letters through its middle, so that it belongs to no line of the page.
fn region(row: &[Mark]) -> Region {
    let side = |value: usize| u32::try_from(2 * value).unwrap_or(u32::MAX);
    let (left, right) = (row.iter().map(|mark| mark.left).min(), row.iter().map(|mark| mark.right).max());
    let (top, bottom) = (row.iter().map(|mark| mark.top).min(), row.iter().map(|mark| mark.bottom).max());
    let [left, right, top, bottom] = [left, right, top, bottom].map(|value| side(value.unwrap_or(0)));
    let middle = top.midpoint(bottom);
    let half = row.iter().map(|mark| mark.bottom - mark.top).max().map_or(0, side) / 2;
    Region { left, top: middle.saturating_sub(half), right, bottom: middle + half }
}

/// Marks whose middles lie on a line that is not level, from the left; the longest rows first.
fn rows(letters: &[Mark]) -> Vec<Vec<Mark>> {
    let mut found: Vec<Vec<usize>> = Vec::new();
    for (at, first) in letters.iter().enumerate() {
        for (next, second) in letters.iter().enumerate() {
            if is_next(first, second) && is_aslant(first, second) {
                found.push(row_from(letters, at, next));
            }
        }
    }
    found.retain(|row| row.len() >= LETTERS_MIN);
    found.sort_by_key(|row| std::cmp::Reverse(row.len()));
    let mut kept: Vec<Vec<usize>> = Vec::new();
    for row in found {
        if kept.len() < ROWS_MAX && !kept.iter().any(|known| row.iter().filter(|at| known.contains(at)).count() * 2 > row.len()) {
            kept.push(row);
        }
    }
    kept.into_iter().map(|row| row.into_iter().filter_map(|at| letters.get(at).copied()).collect()).collect()
}

/// Whether a mark can be the letter behind another: of about its size, right of it, and near.
fn is_next(one: &Mark, next: &Mark) -> bool {
    const ALIKE: std::ops::Range<f32> = 0.55..1.8;
    const APART: std::ops::Range<f32> = 0.4..1.9;
    let (from, to) = (one.middle(), next.middle());
    let size = f32::midpoint(one.size(), next.size());
    let apart = (to.0 - from.0).hypot(to.1 - from.1) / size;
    to.0 > from.0 && ALIKE.contains(&(one.size() / next.size())) && APART.contains(&apart)
}

fn is_aslant(one: &Mark, other: &Mark) -> bool {
    let (from, to) = (one.middle(), other.middle());
    ASLANT.contains(&(to.1 - from.1).atan2(to.0 - from.0).to_degrees().abs())
}

/// The row that begins with two marks, as far as it goes on.
fn row_from(letters: &[Mark], first: usize, second: usize) -> Vec<usize> {
    /// How far from the line a middle may be, in sizes: a T that is turned has its middle elsewhere than an A.
    const OFF_MAX: f32 = 0.5;
    const MOST: usize = 12;
    let mut row = vec![first, second];
    while let (Some(from), Some(last)) = (letters.get(first), row.last().and_then(|at| letters.get(*at)))
        && row.len() < MOST
    {
        let ((x, y), (last_x, last_y)) = (from.middle(), last.middle());
        let (dx, dy) = (last_x - x, last_y - y);
        let on_line = |mark: &Mark| {
            let (mark_x, mark_y) = mark.middle();
            let off = ((mark_x - x) * dy - (mark_y - y) * dx).abs() / dx.hypot(dy).max(1.0);
            off < OFF_MAX * mark.size() && is_aslant(from, mark)
        };
        let next = letters.iter().enumerate().filter(|(at, mark)| !row.contains(at) && is_next(last, mark) && on_line(mark));
        let Some((next, _)) = next.min_by(|(_, a), (_, b)| a.middle().0.total_cmp(&b.middle().0)) else { break };
        row.push(next);
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A page with blocks of the size of a stamp's letters along a line at this angle.
    fn page(degrees: f32, size: usize, letters: usize) -> Prepared {
        let (width, height) = (1_000, 1_000);
        let mut gray = vec![255; width * height];
        let (sin, cos) = degrees.to_radians().sin_cos();
        for letter in 0..letters {
            let along = (letter * size * 3 / 2) as f32;
            let (left, top) = ((200.0 + along * cos) as usize, (500.0 + along * sin) as usize);
            for y in top..top + size {
                // A frame with a bar: no block is as black as this.
                let bar = |x: usize| x < left + size / 5 || y < top + size / 5 || y.abs_diff(top + size / 2) < size / 10;
                for x in (left..left + size * 2 / 3).filter(|x| bar(*x)) {
                    gray[y * width + x] = 0;
                }
            }
        }
        Prepared { width: 1_000, height: 1_000, gray, dpi: 204.0, turned_degrees: 0.0, bilevel: true }
    }

    fn found(page: &Prepared, words: &[OcrWord]) -> Vec<usize> {
        rows(&Marks::of(page).letters(page.dpi, words)).iter().map(Vec::len).collect()
    }

    #[test]
    fn large_letters_on_a_line_that_is_not_level_are_found() {
        for degrees in [-44.0, -30.0, -10.0, 10.0, 22.0, 44.0] {
            assert_eq!(found(&page(degrees, 60, 4), &[]), [4], "{degrees}");
        }
        for (degrees, size, letters) in [(0.0, 60, 4), (2.0, 60, 4), (80.0, 60, 4), (20.0, 22, 4), (20.0, 60, 2)] {
            assert_eq!(found(&page(degrees, size, letters), &[]), Vec::<usize>::new(), "{degrees} {size} {letters}");
        }
    }

    #[test]
    fn letters_of_words_that_were_read_are_of_no_stamp() {
        let region = Region { left: 0, top: 400, right: 1_000, bottom: 1_000 };
        let word = OcrWord { text: "URGENT".to_owned(), confidence: 0.95, region, line: 0, block: 0 };
        assert_eq!(found(&page(20.0, 60, 4), &[word]), Vec::<usize>::new());
    }
}
