//! Drawn tick boxes: where they are, and which are ticked by pen.
//!
//! Text recognition makes an `O`, an `LI` or nothing of a box, and of a box with a cross whatever it likes. So boxes are looked for in the
//! pixels, taken out of the image that is recognized, and put among the words as [`TICKED`] and [`EMPTY`].
//!
//! # Design notes
//! A box is four straight sides of about one length, 2 to 5 mm, with square corners, and white beside the middle of each side: pens leave a
//! box at its corners, letters have round corners or a neighbour, the lines of a grid go on. What is inside decides: an empty box holds a
//! few specks, a cross, a check or a filled box much more. In between it is [`UNCLEAR`], which no field takes for either. Boxes in a
//! row without room for a word between them hold a letter or a digit each, and stay on the page.
//!
//! The boxes of our own cover page ([`crate::normalize`], returned pages) are looked for where they were printed; here nobody knows where.

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
const SIDE_INCHES: std::ops::Range<f32> = 0.093..0.21;
/// Below this a pixel is ink.
const DARK: u8 = 150;
/// How far a side may be off, in pixels: what levelling and noise do to a line.
const OFF_PIXELS: usize = 1;
/// How far a pen may lengthen the upper side, in pixels.
const PEN_PIXELS: usize = 7;
/// How much of each side must be ink.
const SIDE_INK_MIN: f32 = 0.85;
/// How much the two lengths may differ.
const SQUARE_MAX: f32 = 0.16;
/// How much of a corner must be ink, and of how many.
const CORNER_INK_MIN: f32 = 0.6;
const CORNERS_MIN: usize = 3;
/// Ink beside the middle of a side: at a letter its neighbour, at a cell the next one.
const BESIDE_INK_MAX: f32 = 0.2;
/// Ink above and below, where a line of the fax machine may run.
const OVER_INK_MAX: f32 = 0.3;
/// Boxes that a page must have: forms offer a choice, and one alone is rather a letter.
const BOXES_MIN: usize = 2;
/// Ink inside: up to here the box is empty.
const EMPTY_INK_MAX: f32 = 0.06;
/// Ink inside: from here on it is ticked.
const TICKED_INK_MIN: f32 = 0.12;
/// Boxes on one page; a page with more is a grid or a pattern.
const BOXES_MAX: usize = 200;
/// What is taken out around an empty box, in pixels.
const MARGIN_PIXELS: u32 = 3;
/// What is taken out around another: pens do not stop at its edge.
const PEN_MARGIN_PIXELS: u32 = 6;

/// A tick box.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct TickBox {
    pub(super) region: Region,
    /// The share of its inside that is ink.
    pub(super) ink: f32,
}

impl TickBox {
    /// A box of which it is known whether it is ticked; none: it cannot be told.
    pub(super) fn known(region: Region, ticked: Option<bool>) -> Self {
        let ink = match ticked {
            Some(true) => 1.0,
            Some(false) => 0.0,
            None => EMPTY_INK_MAX.midpoint(TICKED_INK_MIN),
        };
        Self { region, ink }
    }

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

/// The ink of a page.
pub(super) struct Ink<'a> {
    page: &'a Prepared,
    pub(super) width: usize,
    pub(super) height: usize,
}

impl<'a> Ink<'a> {
    pub(super) fn of(page: &'a Prepared) -> Self {
        Self { page, width: page.width as usize, height: page.height as usize }
    }

    pub(super) fn dark(&self, x: usize, y: usize) -> bool {
        x < self.width && y < self.height && self.page.gray.get(y * self.width + x).is_some_and(|pixel| *pixel < DARK)
    }

    /// How much of a level line is ink, where it may be off by a little.
    pub(super) fn level(&self, y: usize, from: usize, to: usize) -> f32 {
        let inked = (from..to).filter(|x| (y.saturating_sub(OFF_PIXELS)..=y + OFF_PIXELS).any(|y| self.dark(*x, y))).count();
        inked as f32 / to.saturating_sub(from).max(1) as f32
    }

    /// The same for an upright line.
    pub(super) fn upright(&self, x: usize, from: usize, to: usize) -> f32 {
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
    let ink = Ink::of(page);
    let (least, most) = ((SIDE_INCHES.start * page.dpi) as usize, (SIDE_INCHES.end * page.dpi) as usize);
    let mut found: Vec<TickBox> = Vec::new();
    for y in 1..ink.height.saturating_sub(least) {
        let mut x = 0;
        while x < ink.width {
            if !ink.dark(x, y) {
                x += 1;
                continue;
            }
            let end = run_end(&ink, x, y, most + PEN_PIXELS);
            if (least..=most + PEN_PIXELS).contains(&(end - x)) && found.len() < BOXES_MAX {
                let known = found.iter().any(|known| {
                    let Region { left, top, right, bottom } = known.region;
                    x < right as usize && end > left as usize && (top as usize..bottom as usize + 4).contains(&y)
                });
                if !known && let Some(tick_box) = box_under(&ink, x, end, y, least) {
                    found.push(tick_box);
                }
            }
            x = end + 1;
        }
    }
    let boxes = of_one_size(apart(&found));
    if boxes.len() < BOXES_MIN { Vec::new() } else { boxes }
}

/// The boxes that are as large as the empty ones are: a form offers more than is chosen, and draws its boxes alike. What looks like
/// a box beside them, or where none is empty, is part of a letter.
fn of_one_size(mut boxes: Vec<TickBox>) -> Vec<TickBox> {
    const OFF_PIXELS_MAX: u32 = 4;
    let wide = |one: &TickBox| one.region.right - one.region.left;
    let mut sizes: Vec<u32> = boxes.iter().filter(|one| one.text() == EMPTY).map(wide).collect();
    sizes.sort_unstable();
    let size = sizes.get(sizes.len() / 2).copied();
    boxes.retain(|one| size.is_some_and(|size| wide(one).abs_diff(size) <= OFF_PIXELS_MAX));
    boxes
}

/// The boxes that have room for a word before the next one.
fn apart(boxes: &[TickBox]) -> Vec<TickBox> {
    let near = |a: Region, b: Region| {
        let side = a.right - a.left;
        let level = a.top.abs_diff(b.top) < side / 2;
        a != b && level && (a.right.abs_diff(b.left) < side * 4 / 5 || b.right.abs_diff(a.left) < side * 4 / 5)
    };
    boxes.iter().filter(|one| !boxes.iter().any(|other| near(one.region, other.region))).copied().collect()
}

/// Where a run of ink ends that may have gaps of one pixel; runs longer than any box are followed to their end.
fn run_end(ink: &Ink<'_>, from: usize, y: usize, most: usize) -> usize {
    let mut x = from;
    while x < ink.width && (ink.dark(x, y) || (x - from <= most && ink.dark(x + 1, y))) {
        x += 1;
    }
    x
}

/// The box whose upper side this run of ink is, or holds: a pen may have lengthened it at either end.
fn box_under(ink: &Ink<'_>, from: usize, to: usize, top: usize, least: usize) -> Option<TickBox> {
    let upright = |x: usize| ink.upright(x, top, top + least) >= SIDE_INK_MIN;
    let lefts = (from..=from + PEN_PIXELS).filter(|left| upright(left + 1));
    let ends = || (to.saturating_sub(PEN_PIXELS)..=to).rev().filter(|end| upright(end.saturating_sub(2)));
    let sides = lefts.take(3).flat_map(|left| ends().take(3).map(move |end| (left, end)));
    let mut sides = sides.filter(|(left, end)| end.saturating_sub(*left) >= least);
    sides.find_map(|(left, end)| box_at(ink, left, end, top))
}

/// The box with these sides: a lower side, square corners, and white around it.
fn box_at(ink: &Ink<'_>, left: usize, right: usize, top: usize) -> Option<TickBox> {
    let side = right - left;
    let reach = (side as f32 * SQUARE_MAX).ceil() as usize;
    let last = right - 1;
    let bottom = (top + side - reach..=top + side + reach).rev().find(|bottom| {
        ink.level(*bottom, left, right) >= SIDE_INK_MIN
            && ink.upright(left + 1, top, *bottom) >= SIDE_INK_MIN
            && ink.upright(last.saturating_sub(1), top, *bottom) >= SIDE_INK_MIN
            && stands_alone(ink, [left, top, right, *bottom])
    })?;
    let corner = |x: usize, y: usize| {
        let near = (x.saturating_sub(1)..=x + 1).flat_map(|x| (y.saturating_sub(1)..=y + 1).map(move |y| (x, y)));
        near.map(|(x, y)| ink.share(x, y, x + 3, y + 3)).fold(0.0, f32::max) >= CORNER_INK_MIN
    };
    let (far, low) = (last.saturating_sub(2), bottom.saturating_sub(2));
    let corners = [corner(left, top), corner(far, top), corner(left, low), corner(far, low)];
    if corners.into_iter().filter(|square| *square).count() < CORNERS_MIN {
        return None;
    }
    let inside = inside(ink, [left, top, right, bottom]);
    let [left, top, right, bottom] = [left, top, right, bottom + 1].map(|edge| edge as u32);
    Some(TickBox { region: Region { left, top, right, bottom }, ink: inside })
}

/// Whether it is white beside the middle of each side, and no side goes on.
fn stands_alone(ink: &Ink<'_>, [left, top, right, bottom]: [usize; 4]) -> bool {
    /// Where a side that goes on is seen, in pixels from its end.
    const ON: std::ops::Range<usize> = 4..9;
    const ON_INK_MIN: f32 = 0.8;
    /// Ink in a strip beside it: the edge of a letter is more.
    const NEIGHBOUR_INK_MIN: f32 = 0.1;
    let quarter = (right - left) / 4;
    let (high, low) = (top + quarter, bottom - quarter);
    let (near, far) = (left + quarter, right - quarter);
    let white = ink.share(left.saturating_sub(9), high, left.saturating_sub(2), low) <= BESIDE_INK_MAX
        && ink.share(right + 2, high, right + 3 + quarter, low) <= BESIDE_INK_MAX
        && ink.share(near, top.saturating_sub(6), far, top.saturating_sub(2)) <= OVER_INK_MAX
        && ink.share(near, bottom + 3, far, bottom + 7) <= OVER_INK_MAX;
    // A letter among letters: ink close by on both sides. A tick box has its word on one of them.
    let reach = (right - left) * 3 / 5;
    if ink.share(left.saturating_sub(reach), top, left.saturating_sub(3), bottom) > NEIGHBOUR_INK_MIN
        && ink.share(right + 3, top, right + reach, bottom) > NEIGHBOUR_INK_MIN
    {
        return false;
    }
    let (last, end) = (right.saturating_sub(2), bottom.saturating_sub(1));
    let level = |y: usize| {
        ink.level(y, right + ON.start, right + ON.end) >= ON_INK_MIN
            || ink.level(y, left.saturating_sub(ON.end), left.saturating_sub(ON.start)) >= ON_INK_MIN
    };
    let upright = |x: usize| {
        ink.upright(x, bottom + ON.start, bottom + ON.end) >= ON_INK_MIN
            || ink.upright(x, top.saturating_sub(ON.end), top.saturating_sub(ON.start)) >= ON_INK_MIN
    };
    white && !level(top + 1) && !level(end) && !upright(left + 1) && !upright(last)
}

/// The share of a box's inside that is ink, without what a fax machine drew right through it.
fn inside(ink: &Ink<'_>, [left, top, right, bottom]: [usize; 4]) -> f32 {
    /// How far a streak is seen on both sides, in pixels, and how much of it is ink.
    const STREAK_PIXELS: usize = 12;
    const STREAK_INK_MIN: f32 = 0.9;
    let inset = ((right - left) / 5).max(4);
    let streaked = |line: &dyn Fn(usize, usize) -> f32, start: usize, end: usize| {
        let before = line(start.saturating_sub(4 + STREAK_PIXELS), start.saturating_sub(4));
        before >= STREAK_INK_MIN && line(end + 6, end + 6 + STREAK_PIXELS) >= STREAK_INK_MIN
    };
    let columns: Vec<usize> = (left + inset..right.saturating_sub(inset))
        .filter(|x| !streaked(&|from, to| ink.upright(*x, from, to), top, bottom))
        .collect();
    let rows: Vec<usize> = (top + inset..bottom.saturating_sub(inset))
        .filter(|y| !streaked(&|from, to| ink.level(*y, from, to), left, right))
        .collect();
    let dark = rows.iter().map(|y| columns.iter().filter(|x| ink.dark(**x, *y)).count()).sum::<usize>();
    dark as f32 / (rows.len() * columns.len()).max(1) as f32
}

/// The page without its boxes, as it is recognized.
pub(super) fn without(page: &Prepared, boxes: &[TickBox]) -> Vec<u8> {
    let mut gray = page.gray.clone();
    for tick_box in boxes {
        let Region { left, top, right, bottom } = tick_box.region;
        let margin = if tick_box.text() == EMPTY { MARGIN_PIXELS } else { PEN_MARGIN_PIXELS };
        for y in top.saturating_sub(margin)..(bottom + margin).min(page.height) {
            let row = (y * page.width) as usize;
            let from = row + left.saturating_sub(margin) as usize;
            let to = row + (right + margin).min(page.width) as usize;
            if let Some(pixels) = gray.get_mut(from..to) {
                pixels.fill(255);
            }
        }
    }
    gray
}

/// Takes off a word what the recognizer made of the box it begins with, where the word was read with its box: `WF` behind a filled one was `F`.
fn part_from(word: &mut OcrWord, tick_box: Region) {
    let Region { left, top, right, bottom } = word.region;
    let side = tick_box.right - tick_box.left;
    let level = top < tick_box.bottom && bottom > tick_box.top;
    let begins_with = left + side / 2 > tick_box.left && left < tick_box.left + side / 2 && right > tick_box.right + side / 4;
    if !level || !begins_with || right <= left {
        return;
    }
    let count = word.text.chars().count();
    let share = tick_box.right.saturating_sub(left) as f32 / (right - left) as f32;
    let taken = ((share * count as f32).round() as usize).clamp(1, count.saturating_sub(1).max(1));
    let rest: String = word.text.chars().skip(taken).collect();
    if !rest.is_empty() {
        word.text = rest;
        word.region.left = tick_box.right + 1;
    }
}

/// Puts the boxes among the words, each before the word it stands left of.
pub(super) fn insert(words: &mut Vec<OcrWord>, boxes: &[TickBox]) {
    /// How sure a box is whose inside leaves no doubt.
    const CONFIDENCE: f32 = 0.97;
    let mut line = words.iter().map(|word| word.line + 1).max().unwrap_or(0);
    for tick_box in boxes {
        let region = tick_box.region;
        let side = region.right - region.left;
        // What pens leave outside of a box is no word; further away only what has no letter in it.
        let reach = if tick_box.text() == EMPTY { 0 } else { side * 3 / 5 };
        words.retain(|word| {
            let near = word.region.left + reach > region.left
                && word.region.right < region.right + reach
                && word.region.top + reach > region.top
                && word.region.bottom < region.bottom + reach;
            if near && !word.text.contains(char::is_alphanumeric) {
                return false;
            }
            let inside = word.region.left + 4 > region.left && word.region.right < region.right + 5;
            !(inside && word.region.top + 6 > region.top && word.region.bottom < region.bottom + 7)
        });
        words.iter_mut().for_each(|word| part_from(word, region));
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
    fn a_streak_of_the_fax_machine_through_a_box_is_no_tick() {
        let mut page = page();
        rectangle(&mut page, [20, 30, 46, 56], 3);
        rectangle(&mut page, [100, 30, 126, 56], 3);
        for y in 0..100 {
            page.gray[y * 300 + 32..y * 300 + 35].fill(0);
        }
        let found: Vec<&str> = find(&page).into_iter().map(TickBox::text).collect();
        assert_eq!(found, [EMPTY, EMPTY]);
    }

    #[test]
    fn boxes_of_one_letter_each_stay_on_the_page() {
        let mut page = page();
        for at in 0..5 {
            rectangle(&mut page, [20 + at * 36, 30, 46 + at * 36, 56], 3);
        }
        assert_eq!(find(&page).len(), 0);
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
    fn a_letter_between_letters_is_no_box() {
        let mut page = page();
        rectangle(&mut page, [20, 60, 46, 86], 3);
        rectangle(&mut page, [100, 30, 126, 56], 3);
        rectangle(&mut page, [200, 30, 226, 56], 3);
        // Strokes of the letters on both sides of the second, and a word on one side of the third.
        rectangle(&mut page, [86, 30, 92, 56], 6);
        rectangle(&mut page, [134, 30, 140, 56], 6);
        rectangle(&mut page, [236, 30, 242, 56], 6);
        let lefts: Vec<u32> = find(&page).iter().map(|found| found.region.left).collect();
        assert_eq!(lefts, [200, 20]);
    }

    #[test]
    fn a_word_that_was_read_with_its_box_stands_behind_it_without() {
        let word = |text: &str, left: u32, right: u32| OcrWord {
            text: text.to_owned(),
            confidence: 0.9,
            region: Region { left, top: 30, right, bottom: 56 },
            line: 0,
            block: 0,
        };
        let mut words = vec![word("M", 60, 80), word("WF", 100, 152), word("Xenia", 200, 260)];
        let boxes = [20, 100].map(|left| Region { left, top: 30, right: left + 26, bottom: 56 });
        insert(&mut words, &[TickBox::known(boxes[0], Some(false)), TickBox::known(boxes[1], Some(true))]);
        let texts: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
        assert_eq!(texts, [EMPTY, "M", TICKED, "F", "Xenia"]);
    }

    #[test]
    fn a_box_stands_before_the_word_right_of_it_and_its_marks_are_gone() {
        let mut page = page();
        rectangle(&mut page, [20, 30, 46, 56], 3);
        rectangle(&mut page, [200, 30, 226, 56], 3);
        let boxes = find(&page);
        assert!(without(&page, &boxes).iter().all(|pixel| *pixel == 255));
        let word = |text: &str, left, right| OcrWord {
            text: text.to_owned(),
            confidence: 0.9,
            region: Region { left, top: 32, right, bottom: 56 },
            line: 3,
            block: 1,
        };
        let mut words = vec![word("Sex:", 1, 9), word("x", 24, 40), word("Male", 56, 110)];
        insert(&mut words, &boxes);
        let texts: Vec<(&str, u32)> = words.iter().map(|word| (word.text.as_str(), word.line)).collect();
        assert_eq!(texts, [("Sex:", 3), (EMPTY, 3), ("Male", 3), (EMPTY, 4)]);
    }
}
