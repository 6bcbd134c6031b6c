//! Combs: fields with a box for each letter or digit, as forms have them for names, dates and numbers.
//!
//! Text recognition makes one long ruin of letters and box lines. So combs are looked for in the pixels and taken out of the image that is
//! recognized; what is in their boxes is put side by side, without the lines, and read as one line.
//!
//! # Design notes
//! A comb is a frame with upright lines at equal distances, no further apart than a letter needs, and at most one sign between two of them:
//! a table's row has cells of several widths, or more in one than a sign. An empty box between two filled ones parts two words. Where
//! more or fewer characters are read than boxes are filled, the reading is for a person to check.

use super::{boxes::Ink, read::PAGE_OCR_SECONDS_MAX};
use crate::protocols::{
    ocr::{Image, Layout, OcrError, OcrWord, Recognizer, Region},
    pages::Prepared,
};

/// Boxes of a comb, at least.
const CELLS_MIN: usize = 4;
/// Combs on one page.
const COMBS_MAX: usize = 60;
/// Widths of a box, in inches.
const CELL_INCHES: std::ops::Range<f32> = 0.09..0.36;
/// Heights of a box, in inches.
const HEIGHT_INCHES: std::ops::Range<f32> = 0.11..0.45;
/// How much of a line must be ink.
const LINE_INK_MIN: f32 = 0.85;
/// How far two widths may differ, in pixels, and as a part of the width.
const UNEVEN_PIXELS: f32 = 2.5;
const UNEVEN_PART: f32 = 0.09;
/// White that is left inside a box's lines, in pixels.
const INSET: usize = 3;
/// Ink in a box that is no speck, in pixels.
const SIGN_PIXELS_MIN: usize = 8;
/// How much wider than high one sign may be.
const SIGN_WIDE_MAX: f32 = 1.4;
/// How sure a reading is at most that has more or fewer characters than there are filled boxes.
const MISCOUNTED: f32 = 0.4;
/// What is taken out around a comb, in pixels.
const MARGIN: u32 = 3;

/// One comb.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Comb {
    region: Region,
    /// Where the insides of its boxes begin and end.
    cells: Vec<(usize, usize)>,
}

/// The ink of one box: left, top, right, bottom.
type Sign = [usize; 4];

/// The combs of a page, from the top.
pub(super) fn find(page: &Prepared) -> Vec<Comb> {
    let ink = Ink::of(page);
    let least = (CELL_INCHES.start * page.dpi) as usize * CELLS_MIN;
    let mut found: Vec<Comb> = Vec::new();
    for y in 1..ink.height {
        let mut x = 0;
        while x < ink.width {
            if !ink.dark(x, y) {
                x += 1;
                continue;
            }
            let end = line_end(&ink, x, y);
            let known = found.iter().any(|comb| {
                let Region { left, top, right, bottom } = comb.region;
                (top as usize..bottom as usize + 4).contains(&y) && x < right as usize && end > left as usize
            });
            if end - x >= least && !known && found.len() < COMBS_MAX {
                found.extend(comb_under(&ink, x, end, y, page.dpi));
            }
            x = end + 1;
        }
    }
    found
}

/// Where a level line ends that may step up or down by a pixel and have gaps of one.
fn line_end(ink: &Ink<'_>, from: usize, y: usize) -> usize {
    let near = |x: usize| (y - 1..=y + 1).any(|y| ink.dark(x, y));
    let mut x = from;
    while x < ink.width && (near(x) || near(x + 1)) {
        x += 1;
    }
    x
}

/// The comb whose upper line this is.
fn comb_under(ink: &Ink<'_>, left: usize, right: usize, top: usize, dpi: f32) -> Option<Comb> {
    let heights = (HEIGHT_INCHES.start * dpi) as usize..(HEIGHT_INCHES.end * dpi) as usize;
    let bottom = heights.map(|height| top + height).find(|bottom| {
        ink.level(*bottom, left, right) >= LINE_INK_MIN
            && ink.upright(left + 1, top, *bottom) >= LINE_INK_MIN
            && ink.upright(right.saturating_sub(2), top, *bottom) >= LINE_INK_MIN
    })?;
    let mut lines: Vec<(usize, usize)> = Vec::new();
    for x in (left..right).filter(|x| ink.upright(*x, top, bottom) >= LINE_INK_MIN) {
        match lines.last_mut() {
            Some((_, end)) if *end + 1 >= x => *end = x,
            _ => lines.push((x, x)),
        }
    }
    let cells: Vec<(usize, usize)> = lines
        .windows(2)
        .filter_map(|pair| {
            let [before, after] = pair else { return None };
            Some((before.1 + 1, after.0))
        })
        .collect();
    let widths: Vec<f32> = lines
        .windows(2)
        .filter_map(|pair| {
            let [before, after] = pair else { return None };
            Some((after.0 + after.1) as f32 / 2.0 - (before.0 + before.1) as f32 / 2.0)
        })
        .collect();
    let mean = widths.iter().sum::<f32>() / widths.len().max(1) as f32;
    let even = widths.iter().all(|width| (width - mean).abs() <= UNEVEN_PIXELS.max(UNEVEN_PART * mean));
    let sized = CELL_INCHES.contains(&(mean / dpi)) && mean < 1.6 * (bottom - top) as f32;
    let [left, top, right, bottom] = [left, top, right, bottom + 2].map(|edge| edge as u32);
    let comb = Comb { region: Region { left, top, right, bottom }, cells };
    let one_each = || {
        comb.signs(ink)
            .iter()
            .flatten()
            .all(|[left, top, right, bottom]| ((right - left) as f32) <= SIGN_WIDE_MAX * ((bottom - top) as f32).max(dpi * 0.05))
    };
    // Where it goes on and its line could not be followed, a part of it would read as all of it.
    let beyond = |x: f32| {
        let x = x.max(0.0) as usize;
        (x.saturating_sub(3)..=x + 3).any(|x| ink.upright(x, top as usize, bottom as usize - 2) >= LINE_INK_MIN)
    };
    let whole = !beyond(left as f32 - mean) && !beyond(right as f32 + mean - 1.0);
    (comb.cells.len() >= CELLS_MIN && even && sized && whole && one_each()).then_some(comb)
}

impl Comb {
    /// The ink of each box; none: it is empty.
    fn signs(&self, ink: &Ink<'_>) -> Vec<Option<Sign>> {
        let (top, bottom) = (self.region.top as usize + INSET, (self.region.bottom as usize).saturating_sub(INSET + 1));
        let sign = |(left, right): &(usize, usize)| {
            let (left, right) = (left + INSET, right.saturating_sub(INSET));
            let inked: Vec<(usize, usize)> =
                (top..bottom).flat_map(|y| (left..right).filter(move |x| ink.dark(*x, y)).map(move |x| (x, y))).collect();
            if inked.len() < SIGN_PIXELS_MIN {
                return None;
            }
            let xs = || inked.iter().map(|(x, _)| *x);
            let ys = || inked.iter().map(|(_, y)| *y);
            Some([xs().min()?, ys().min()?, xs().max()? + 1, ys().max()? + 1])
        };
        self.cells.iter().map(sign).collect()
    }
}

/// Takes the combs out of an image.
pub(super) fn take_out(gray: &mut [u8], page: &Prepared, combs: &[Comb]) {
    for Comb { region: Region { left, top, right, bottom }, .. } in combs {
        for y in top.saturating_sub(MARGIN)..(bottom + MARGIN).min(page.height) {
            let row = (y * page.width) as usize;
            let from = row + left.saturating_sub(MARGIN) as usize;
            let to = row + (right + MARGIN).min(page.width) as usize;
            if let Some(pixels) = gray.get_mut(from..to) {
                pixels.fill(255);
            }
        }
    }
}

/// What is in the combs, as words.
pub(super) fn read(
    page: &Prepared,
    combs: &[Comb],
    recognizer: &mut Recognizer,
    words: &mut Vec<OcrWord>,
) -> Result<(), OcrError> {
    let ink = Ink::of(page);
    for comb in combs {
        let signs = comb.signs(&ink);
        let Some((gray, width, height)) = side_by_side(page, comb, &signs) else { continue };
        let image = Image { width, height, gray: &gray, dpi: page.dpi };
        let found = recognizer.words(image, Layout::Line, PAGE_OCR_SECONDS_MAX)?;
        let text = found.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
        let confidence = found.iter().map(|word| word.confidence).fold(1.0, f32::min);
        words.extend(spread(comb, &signs, &text, confidence, words.iter().map(|word| word.line + 1).max().unwrap_or(0)));
    }
    Ok(())
}

/// The signs of a comb on a line of their own, close to each other as letters are, with a gap where a box is empty.
fn side_by_side(page: &Prepared, comb: &Comb, signs: &[Option<Sign>]) -> Option<(Vec<u8>, u32, u32)> {
    /// White around the line, in pixels.
    const PAD: usize = 12;
    let (top, bottom) = (comb.region.top as usize + INSET, (comb.region.bottom as usize).saturating_sub(INSET + 1));
    let tall = signs.iter().flatten().map(|[_, top, _, bottom]| bottom - top).max()?;
    let (gap, blank) = ((tall / 5).max(3), tall * 3 / 4);
    let filled = signs.iter().rposition(Option::is_some)? + 1;
    let signs = signs.get(..filled)?;
    let across = |sign: &Option<Sign>| sign.map_or(blank, |[left, _, right, _]| right - left + gap);
    let (width, height) = (signs.iter().map(across).sum::<usize>() + 2 * PAD, bottom - top + 2 * PAD);
    let mut gray = vec![255; width * height];
    let mut at = PAD;
    for sign in signs {
        if let Some([left, _, right, _]) = *sign {
            for y in top..bottom {
                let from = page.gray.get(y * page.width as usize + left..y * page.width as usize + right)?;
                let to = (y - top + PAD) * width + at;
                gray.get_mut(to..to + (right - left))?.copy_from_slice(from);
            }
        }
        at += across(sign);
    }
    Some((gray, width as u32, height as u32))
}

/// The text of a comb as words, one for each run of filled boxes, where its boxes are.
fn spread(comb: &Comb, signs: &[Option<Sign>], text: &str, confidence: f32, line: u32) -> Vec<OcrWord> {
    let characters: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
    let filled = signs.iter().flatten().count();
    let region = |from: &Sign, to: &Sign| Region {
        left: from[0] as u32,
        top: comb.region.top + INSET as u32,
        right: to[2] as u32,
        bottom: comb.region.bottom.saturating_sub(INSET as u32),
    };
    if characters.is_empty() {
        return Vec::new();
    }
    if characters.len() != filled {
        let (Some(first), Some(last)) = (signs.iter().flatten().next(), signs.iter().flatten().last()) else { return Vec::new() };
        let text = text.to_owned();
        return vec![OcrWord { text, confidence: confidence.min(MISCOUNTED), region: region(first, last), line, block: 0 }];
    }
    let mut characters = characters.into_iter();
    let runs = signs.split(Option::is_none).filter(|run| !run.is_empty());
    let word = |run: &[Option<Sign>]| {
        let text: String = characters.by_ref().take(run.len()).collect();
        let (first, last) = (run.first().copied().flatten()?, run.last().copied().flatten()?);
        Some(OcrWord { text, confidence, region: region(&first, &last), line, block: 0 })
    };
    runs.filter_map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDE: u32 = 700;

    fn page() -> Prepared {
        Prepared {
            width: WIDE,
            height: 120,
            gray: vec![255; (WIDE * 120) as usize],
            dpi: 204.0,
            turned_degrees: 0.0,
            bilevel: true,
        }
    }

    fn fill(page: &mut Prepared, [left, top, right, bottom]: [u32; 4]) {
        for y in top..bottom {
            for x in left..right {
                page.gray[(y * WIDE + x) as usize] = 0;
            }
        }
    }

    /// A frame with upright lines at these places.
    fn frame(page: &mut Prepared, lines: &[u32]) {
        let (left, right) = (lines[0], lines[lines.len() - 1]);
        fill(page, [left, 30, right + 2, 32]);
        fill(page, [left, 80, right + 2, 82]);
        for line in lines {
            fill(page, [*line, 30, line + 2, 82]);
        }
    }

    fn lines(count: u32, apart: u32) -> Vec<u32> {
        (0..count).map(|at| 40 + at * apart).collect()
    }

    #[test]
    fn a_comb_is_found_with_its_boxes_and_taken_out() {
        let mut page = page();
        frame(&mut page, &lines(9, 44));
        fill(&mut page, [54, 42, 58, 70]);
        let combs = find(&page);
        assert_eq!(combs.iter().map(|comb| comb.cells.len()).collect::<Vec<_>>(), [8]);
        let signs = combs[0].signs(&Ink::of(&page));
        assert_eq!(signs.iter().flatten().collect::<Vec<_>>(), [&[54, 42, 58, 70]]);
        let mut gray = page.gray.clone();
        take_out(&mut gray, &page, &combs);
        assert!(gray.iter().all(|pixel| *pixel == 255));
    }

    #[test]
    fn the_row_of_a_table_is_none() {
        for lines in [vec![40, 120, 160, 300, 340, 420], lines(5, 120), lines(4, 44)] {
            let mut page = page();
            frame(&mut page, &lines);
            assert_eq!(find(&page), Vec::new(), "{lines:?}");
        }
        let mut words_in_cells = page();
        frame(&mut words_in_cells, &lines(7, 60));
        fill(&mut words_in_cells, [46, 50, 92, 60]);
        assert_eq!(find(&words_in_cells), Vec::new());
    }

    #[test]
    fn a_part_of_a_comb_is_none() {
        let mut page = page();
        frame(&mut page, &lines(12, 44));
        for x in 260..280 {
            for y in 28..34 {
                page.gray[(y * WIDE + x) as usize] = 255;
            }
        }
        assert_eq!(find(&page), Vec::new());
    }

    #[test]
    fn runs_of_filled_boxes_are_words_and_a_miscount_is_for_a_person() {
        let mut page = page();
        frame(&mut page, &lines(9, 44));
        for at in [0, 1, 3] {
            fill(&mut page, [54 + at * 44, 42, 60 + at * 44, 70]);
        }
        let comb = &find(&page)[0];
        let signs = comb.signs(&Ink::of(&page));
        let texts =
            |text| spread(comb, &signs, text, 0.9, 3).into_iter().map(|word| (word.text, word.confidence)).collect::<Vec<_>>();
        assert_eq!(texts("LI A"), [("LI".to_owned(), 0.9), ("A".to_owned(), 0.9)]);
        assert_eq!(texts("LIA"), texts("LI A"));
        assert_eq!(texts("LIAM"), [("LIAM".to_owned(), MISCOUNTED)]);
        assert_eq!(texts(" "), []);
    }
}
