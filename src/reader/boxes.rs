//! Drawn tick boxes: where they are, and which are ticked by pen.
//!
//! Text recognition makes an `O`, an `LI` or nothing of a box, and of a box with a cross whatever it likes. So boxes are looked for in the
//! pixels, taken out of the image that is recognized, and put among the words as [`TICKED`] and [`EMPTY`].
//!
//! # Design notes
//! A box is four straight sides of about one length, 2 to 5 mm. Letters have round corners or an open side. What is inside decides: an empty
//! box holds a few specks, a cross, a check or a filled box much more. In between it is [`UNCLEAR`], which no field takes for either.

use crate::protocols::{
    ocr::{OcrWord, Region},
    pages::Prepared,
};

/// A box with a mark in it.
pub(super) const TICKED: &str = "\u{2612}";
/// A box with nothing in it.
pub(super) const EMPTY: &str = "\u{2610}";
/// A box of which it cannot be told.
pub(super) const UNCLEAR: &str = "\u{25a3}";

/// Sides of a box, in inches.
const SIDE_INCHES: std::ops::Range<f32> = 0.075..0.21;
/// Below this a pixel is ink.
const DARK: u8 = 150;
/// How far a side may be off, in pixels: what levelling and noise do to a line.
const OFF_PIXELS: usize = 2;
/// How much of each side must be ink.
const SIDE_INK_MIN: f32 = 0.86;
/// How much the two lengths may differ.
const SQUARE_MAX: f32 = 0.16;
/// Ink inside: up to here the box is empty.
const EMPTY_INK_MAX: f32 = 0.06;
/// Ink inside: from here on it is ticked.
const TICKED_INK_MIN: f32 = 0.12;
/// Boxes on one page; a page with more is a grid or a pattern.
const BOXES_MAX: usize = 200;
/// What is taken out around a box, in pixels: pens do not stop at its edge.
const MARGIN_PIXELS: u32 = 3;

/// A tick box.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct TickBox {
    pub(super) region: Region,
    /// The share of its inside that is ink.
    pub(super) ink: f32,
}

impl TickBox {
    fn text(self) -> &'static str {
        if self.ink <= EMPTY_INK_MAX {
            EMPTY
        } else if self.ink >= TICKED_INK_MIN {
            TICKED
        } else {
            UNCLEAR
        }
    }
}

struct Ink<'a> {
    page: &'a Prepared,
    width: usize,
    height: usize,
}

impl Ink<'_> {
    fn dark(&self, x: usize, y: usize) -> bool {
        x < self.width && y < self.height && self.page.gray.get(y * self.width + x).is_some_and(|pixel| *pixel < DARK)
    }

    /// How much of a level line is ink, where it may be off by a little.
    fn level(&self, y: usize, from: usize, to: usize) -> f32 {
        let inked = (from..to).filter(|x| (y.saturating_sub(OFF_PIXELS)..=y + OFF_PIXELS).any(|y| self.dark(*x, y))).count();
        inked as f32 / to.saturating_sub(from).max(1) as f32
    }

    /// The same for an upright line.
    fn upright(&self, x: usize, from: usize, to: usize) -> f32 {
        let inked = (from..to).filter(|y| (x.saturating_sub(OFF_PIXELS)..=x + OFF_PIXELS).any(|x| self.dark(x, *y))).count();
        inked as f32 / to.saturating_sub(from).max(1) as f32
    }

    /// The share of ink within a rectangle.
    fn share(&self, left: usize, top: usize, right: usize, bottom: usize) -> f32 {
        let inked = (top..bottom).map(|y| (left..right).filter(|x| self.dark(*x, y)).count()).sum::<usize>();
        inked as f32 / ((right.saturating_sub(left)) * (bottom.saturating_sub(top))).max(1) as f32
    }
}

/// The tick boxes of a page, from the top.
pub(super) fn find(page: &Prepared) -> Vec<TickBox> {
    let ink = Ink { page, width: page.width as usize, height: page.height as usize };
    let (least, most) = ((SIDE_INCHES.start * page.dpi) as usize, (SIDE_INCHES.end * page.dpi) as usize);
    let mut found: Vec<TickBox> = Vec::new();
    for y in 1..ink.height.saturating_sub(least) {
        let mut x = 0;
        while x < ink.width {
            if !ink.dark(x, y) {
                x += 1;
                continue;
            }
            let end = run_end(&ink, x, y, most);
            if (least..=most).contains(&(end - x)) && found.len() < BOXES_MAX {
                let known = found.iter().any(|known| {
                    let Region { left, top, right, bottom } = known.region;
                    (left as usize..right as usize).contains(&(x + 2)) && (top as usize..bottom as usize + 4).contains(&y)
                });
                if !known && let Some(tick_box) = box_at(&ink, x, end, y) {
                    found.push(tick_box);
                }
            }
            x = end + 1;
        }
    }
    found
}

/// Where a run of ink ends that may have gaps of one pixel; runs longer than any box are followed to their end.
fn run_end(ink: &Ink<'_>, from: usize, y: usize, most: usize) -> usize {
    let mut x = from;
    while x < ink.width && (ink.dark(x, y) || (x - from <= most && ink.dark(x + 1, y))) {
        x += 1;
    }
    x
}

/// The box whose upper side this is: two sides down from its ends, a lower side, and white around it.
fn box_at(ink: &Ink<'_>, left: usize, right: usize, top: usize) -> Option<TickBox> {
    let side = right - left;
    let reach = (side as f32 * SQUARE_MAX).ceil() as usize;
    let last = right - 1;
    let bottom = (side - reach..=side + reach)
        .map(|tall| top + tall)
        .filter(|bottom| ink.level(*bottom, left, right) >= SIDE_INK_MIN)
        .find(|bottom| {
            ink.upright(left + 1, top, *bottom) >= SIDE_INK_MIN
                && ink.upright(last.saturating_sub(1), top, *bottom) >= SIDE_INK_MIN
                // The side goes no further: what does is a grid.
                && ink.share(left.saturating_sub(1), bottom + 6, left + 3, bottom + 6 + side / 2) < 0.5
                && ink.share(last.saturating_sub(2), bottom + 6, last + 2, bottom + 6 + side / 2) < 0.5
        })?;
    let above = top.saturating_sub(6 + side / 2);
    let grid = ink.share(left.saturating_sub(1), above, left + 3, top.saturating_sub(5)) > 0.6
        && ink.share(last.saturating_sub(2), above, last + 2, top.saturating_sub(5)) > 0.6;
    let corners = [(left, top), (last, top), (left, bottom), (last, bottom)];
    let cornered = corners.iter().filter(|(x, y)| {
        ink.share(x.saturating_sub(2), y.saturating_sub(2), x + 3, y + 3) > 0.2
    });
    if grid || cornered.count() < 4 {
        return None;
    }
    let inset = (side / 5).max(4);
    let inside = ink.share(left + inset, top + inset, right.saturating_sub(inset), bottom.saturating_sub(inset));
    let [left, top, right, bottom] = [left, top, right, bottom + 2].map(|edge| edge as u32);
    Some(TickBox { region: Region { left, top, right, bottom }, ink: inside })
}

/// The page without its boxes, as it is recognized.
pub(super) fn without(page: &Prepared, boxes: &[TickBox]) -> Vec<u8> {
    let mut gray = page.gray.clone();
    for tick_box in boxes {
        let Region { left, top, right, bottom } = tick_box.region;
        for y in top.saturating_sub(MARGIN_PIXELS)..(bottom + MARGIN_PIXELS).min(page.height) {
            let row = (y * page.width) as usize;
            let from = row + left.saturating_sub(MARGIN_PIXELS) as usize;
            let to = row + (right + MARGIN_PIXELS).min(page.width) as usize;
            if let Some(pixels) = gray.get_mut(from..to) {
                pixels.fill(255);
            }
        }
    }
    gray
}

/// Puts the boxes among the words, each before the word it stands left of.
pub(super) fn insert(words: &mut Vec<OcrWord>, boxes: &[TickBox]) {
    /// How sure a box is whose inside leaves no doubt.
    const CONFIDENCE: f32 = 0.97;
    let mut line = words.iter().map(|word| word.line + 1).max().unwrap_or(0);
    for tick_box in boxes {
        let region = tick_box.region;
        let side = region.right - region.left;
        // What pens leave outside of a box is no word.
        words.retain(|word| {
            let inside = word.region.left + 4 > region.left && word.region.right < region.right + 5;
            !(inside && word.region.top + 6 > region.top && word.region.bottom < region.bottom + 7)
        });
        let next = words
            .iter()
            .enumerate()
            .filter(|(_, word)| {
                let middle = region.top.midpoint(region.bottom);
                word.region.left + 4 > region.right
                    && word.region.left < region.right + 2 * side
                    && (word.region.top..word.region.bottom + 4).contains(&middle)
            })
            .min_by_key(|(_, word)| word.region.left)
            .map(|(at, word)| (at, word.line, word.block));
        let (at, own_line, block) = next.unwrap_or((words.len(), line, 0));
        if next.is_none() {
            line += 1;
        }
        let text = tick_box.text().to_owned();
        words.insert(at, OcrWord { text, confidence: CONFIDENCE, region, line: own_line, block });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> Prepared {
        Prepared { width: 300, height: 100, gray: vec![255; 30_000], dpi: 204.0, turned_degrees: 0.0, bilevel: true }
    }

    fn rectangle(page: &mut Prepared, [left, top, right, bottom]: [u32; 4], weight: u32) {
        for y in top..bottom {
            for x in left..right {
                if x < left + weight || x + weight >= right || y < top + weight || y + weight >= bottom {
                    page.gray[(y * 300 + x) as usize] = 0;
                }
            }
        }
    }

    fn cross(page: &mut Prepared, left: u32, top: u32, side: u32) {
        for at in 0..side {
            for thick in 0..4 {
                page.gray[((top + at) * 300 + left + at + thick) as usize] = 0;
                page.gray[((top + at) * 300 + left + side - at + thick) as usize] = 0;
            }
        }
    }

    #[test]
    fn an_empty_a_crossed_and_a_filled_box_are_told_apart() {
        let mut page = page();
        rectangle(&mut page, [20, 30, 46, 56], 3);
        rectangle(&mut page, [100, 30, 126, 56], 3);
        cross(&mut page, 99, 29, 26);
        rectangle(&mut page, [200, 30, 226, 56], 13);
        let found: Vec<&str> = find(&page).into_iter().map(TickBox::text).collect();
        assert_eq!(found, [EMPTY, TICKED, TICKED]);
    }

    #[test]
    fn cells_of_a_grid_lines_and_bars_are_no_boxes() {
        let mut page = page();
        for column in 0..4 {
            for row in 0..3 {
                rectangle(&mut page, [20 + column * 28, 10 + row * 28, 51 + column * 28, 41 + row * 28], 3);
            }
        }
        rectangle(&mut page, [150, 20, 290, 24], 2);
        rectangle(&mut page, [180, 40, 183, 90], 2);
        assert_eq!(find(&page).len(), 0);
    }

    #[test]
    fn a_box_stands_before_the_word_right_of_it_and_its_marks_are_gone() {
        let mut page = page();
        rectangle(&mut page, [20, 30, 46, 56], 3);
        let boxes = find(&page);
        assert!(without(&page, &boxes).iter().all(|pixel| *pixel == 255));
        let word = |text: &str, left, right| OcrWord {
            text: text.to_owned(),
            confidence: 0.9,
            region: Region { left, top: 32, right, bottom: 56 },
            line: 3,
            block: 1,
        };
        let mut words = vec![word("Sex:", 1, 15), word("x", 24, 40), word("Male", 56, 110)];
        insert(&mut words, &boxes);
        let texts: Vec<(&str, u32)> = words.iter().map(|word| (word.text.as_str(), word.line)).collect();
        assert_eq!(texts, [("Sex:", 3), (EMPTY, 3), ("Male", 3)]);
    }
}
