//! Rings: ovals that a pen has drawn around something, where nothing was recognized inside.
//!
//! Who fills in a form by pen may put a ring around the option that is meant. Text recognition then drops the ring with the word in it, and the
//! options that are left read as if they were all that was printed: `Male` beside a ringed `Female`. So a ring without a word in it is put
//! among the words as [`RING`], hardly sure, and what stands beside one is for a person to read.
//!
//! # Design notes
//! Looked for are only marks beside a word, on its level: from its middle line outwards to what is no word. A ring is a stroke that comes near
//! every point of the oval within its bounds and leaves their corners free; it may be open for a little.

use super::boxes::Ink;
use crate::protocols::{
    ocr::{OcrWord, Region},
    pages::Prepared,
};

/// A ring with nothing legible in it.
pub(super) const RING: &str = "\u{25ef}";

/// How far from a word a ring is looked for, in heights of text.
const REACH_HEIGHTS: f32 = 8.0;
/// Widths and heights of a ring, in heights of text.
const WIDE_HEIGHTS: std::ops::Range<f32> = 1.6..16.0;
const TALL_HEIGHTS: std::ops::Range<f32> = 1.2..4.5;
/// The points of the oval that are looked at, and how many of them must have the stroke close by.
const POINTS: usize = 48;
const POINTS_INKED_MIN: usize = 41;
/// Where the stroke may be, as parts of the way from the middle to the oval.
const STROKE: std::ops::RangeInclusive<usize> = 72..=100;
/// The most of its bounds that a ring inks: more is a picture.
const INK_MAX: f32 = 0.4;
/// Rings of one page: more are a pattern.
const RINGS_MAX: usize = 40;
/// Hardly sure, so that it is taken for no word.
const CONFIDENCE: f32 = 0.3;

/// Puts the rings of a page among its words.
pub(super) fn insert(page: &Prepared, words: &mut Vec<OcrWord>) {
    let mut heights: Vec<u32> = words.iter().map(|word| word.region.bottom.saturating_sub(word.region.top)).collect();
    heights.sort_unstable();
    let Some(height) = heights.get(heights.len() / 2).copied().filter(|height| *height > 0) else { return };
    let found = find(page, words, height as f32);
    if found.len() > RINGS_MAX {
        return;
    }
    let first = words.iter().map(|word| word.line + 1).max().unwrap_or(0);
    for (line, region) in (first..).zip(found) {
        words.push(OcrWord { text: RING.to_owned(), confidence: CONFIDENCE, region, line, block: 0 });
    }
}

fn find(page: &Prepared, words: &[OcrWord], height: f32) -> Vec<Region> {
    let ink = Ink::of(page);
    // What is a word's, or was looked at.
    let mut seen = vec![false; ink.width * ink.height];
    for Region { left, top, right, bottom } in words.iter().map(|word| word.region) {
        for y in top as usize..(bottom as usize).min(ink.height) {
            let row = y * ink.width;
            if let Some(pixels) = seen.get_mut(row + left as usize..row + (right as usize).min(ink.width)) {
                pixels.fill(true);
            }
        }
    }
    let reach = (REACH_HEIGHTS * height) as usize;
    let mut rings: Vec<Region> = Vec::new();
    for word in words.iter().filter(|word| word.text.contains(char::is_alphanumeric)) {
        let y = word.region.top.midpoint(word.region.bottom) as usize;
        let (left, right) = (word.region.left as usize, word.region.right as usize);
        for x in (left.saturating_sub(reach)..left).chain(right..(right + reach).min(ink.width)) {
            if !ink.dark(x, y) || seen.get(y * ink.width + x).copied().unwrap_or(true) {
                continue;
            }
            let stroke = stroke(&ink, &mut seen, (x, y), height);
            if let Some(region) = stroke.as_deref().and_then(|stroke| ring(stroke, height)) {
                rings.push(region);
            }
        }
    }
    let holds_word = |ring: &Region| {
        words.iter().any(|word| {
            let (x, y) = (word.region.left.midpoint(word.region.right), word.region.top.midpoint(word.region.bottom));
            (ring.left..ring.right).contains(&x) && (ring.top..ring.bottom).contains(&y)
        })
    };
    rings.retain(|ring| !holds_word(ring));
    rings
}

/// The pixels that hang together with one; none: they go further than any ring.
fn stroke(ink: &Ink<'_>, seen: &mut [bool], from: (usize, usize), height: f32) -> Option<Vec<(usize, usize)>> {
    /// A white row of the fax machine parts no stroke.
    const GAP: usize = 2;
    let (wide, tall) = ((WIDE_HEIGHTS.end * height) as usize, (TALL_HEIGHTS.end * height) as usize);
    let most = ((wide * tall) as f32 * INK_MAX) as usize;
    let mut open = vec![from];
    let mut pixels = Vec::new();
    let (mut left, mut right, mut top, mut bottom) = (from.0, from.0, from.1, from.1);
    while let Some((x, y)) = open.pop() {
        let Some(known) = seen.get_mut(y * ink.width + x).filter(|known| !**known) else { continue };
        *known = true;
        pixels.push((x, y));
        (left, right, top, bottom) = (left.min(x), right.max(x), top.min(y), bottom.max(y));
        if right - left > wide || bottom - top > tall || pixels.len() > most {
            return None;
        }
        let around = (y.saturating_sub(GAP)..=y + GAP).flat_map(|y| (x.saturating_sub(GAP)..=x + GAP).map(move |x| (x, y)));
        open.extend(around.filter(|(x, y)| ink.dark(*x, *y)));
    }
    Some(pixels)
}

/// The bounds of a stroke that is a ring.
fn ring(stroke: &[(usize, usize)], height: f32) -> Option<Region> {
    let (left, right) = (stroke.iter().map(|(x, _)| *x).min()?, stroke.iter().map(|(x, _)| *x).max()? + 1);
    let (top, bottom) = (stroke.iter().map(|(_, y)| *y).min()?, stroke.iter().map(|(_, y)| *y).max()? + 1);
    let (wide, tall) = (right - left, bottom - top);
    if !WIDE_HEIGHTS.contains(&(wide as f32 / height))
        || !TALL_HEIGHTS.contains(&(tall as f32 / height))
        || stroke.len() as f32 > INK_MAX * (wide * tall) as f32
    {
        return None;
    }
    let mut inked = vec![false; wide * tall];
    for (x, y) in stroke {
        if let Some(pixel) = inked.get_mut((y - top) * wide + x - left) {
            *pixel = true;
        }
    }
    let at = |x: f32, y: f32| {
        let (x, y) = ((x as usize).min(wide - 1), (y as usize).min(tall - 1));
        inked.get(y * wide + x).copied().unwrap_or(false)
    };
    let (middle_x, middle_y) = (wide as f32 / 2.0, tall as f32 / 2.0);
    let near = |point: &usize| {
        let (sin, cos) = (*point as f32 / POINTS as f32 * std::f32::consts::TAU).sin_cos();
        STROKE.step_by(2).any(|part| {
            let part = part as f32 / 100.0;
            at(middle_x + cos * middle_x * part, middle_y + sin * middle_y * part)
        })
    };
    let corner = |x: f32, y: f32| {
        let (reach_x, reach_y) = (wide as f32 * 0.06, tall as f32 * 0.06);
        (0..=4)
            .any(|step| (0..=4).any(|down| at(x + (step as f32 - 2.0) / 2.0 * reach_x, y + (down as f32 - 2.0) / 2.0 * reach_y)))
    };
    let (far_x, far_y) = (wide as f32 * 0.94, tall as f32 * 0.94);
    let (near_x, near_y) = (wide as f32 * 0.06, tall as f32 * 0.06);
    let corners = [(near_x, near_y), (far_x, near_y), (near_x, far_y), (far_x, far_y)];
    let round =
        (0..POINTS).filter(near).count() >= POINTS_INKED_MIN && corners.into_iter().filter(|(x, y)| corner(*x, *y)).count() <= 1;
    let [left, top, right, bottom] = [left, top, right, bottom].map(|edge| edge as u32);
    round.then_some(Region { left, top, right, bottom })
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDE: u32 = 600;
    const TALL: u32 = 160;

    /// A page with a word at its left, and a stroke of so many pixels drawn through points given by a turn from 0 to 1.
    fn page(weight: i32, from: f32, to: f32, point: impl Fn(f32) -> (f32, f32)) -> Prepared {
        let mut gray = vec![255; (WIDE * TALL) as usize];
        for step in 0..4_000 {
            let (x, y) = point(from + (to - from) * step as f32 / 4_000.0);
            for dy in 0..weight {
                for dx in 0..weight {
                    gray[(y as i32 + dy) as usize * WIDE as usize + (x as i32 + dx) as usize] = 0;
                }
            }
        }
        Prepared { width: WIDE, height: TALL, gray, dpi: 204.0, turned_degrees: 0.0, bilevel: true }
    }

    fn word(text: &str, left: u32) -> OcrWord {
        OcrWord {
            text: text.to_owned(),
            confidence: 0.9,
            region: Region { left, top: 70, right: left + 60, bottom: 92 },
            line: 0,
            block: 0,
        }
    }

    fn rings(page: &Prepared, words: &[OcrWord]) -> usize {
        let mut words = words.to_vec();
        let before = words.len();
        insert(page, &mut words);
        words.len() - before
    }

    fn oval(turn: f32) -> (f32, f32) {
        let (sin, cos) = (turn * std::f32::consts::TAU).sin_cos();
        (300.0 + 70.0 * cos, 80.0 + 28.0 * sin)
    }

    #[test]
    fn a_ring_beside_a_word_is_found_though_it_is_open_or_drawn_by_hand() {
        let beside = [word("Male", 120)];
        assert_eq!(rings(&page(5, 0.0, 1.0, oval), &beside), 1);
        assert_eq!(rings(&page(4, 0.03, 0.97, oval), &beside), 1, "open");
        let wavering = |turn: f32| {
            let (x, y) = oval(turn);
            (x + 3.0 * (turn * 40.0).sin(), y + 2.0 * (turn * 31.0).cos())
        };
        assert_eq!(rings(&page(4, 0.0, 1.05, wavering), &beside), 1, "by hand");
    }

    #[test]
    fn what_is_no_ring_or_holds_a_word_is_left_alone() {
        let beside = [word("Male", 120)];
        let square = |turn: f32| match turn * 4.0 {
            side if side < 1.0 => (230.0 + 140.0 * side, 52.0),
            side if side < 2.0 => (370.0, 52.0 + 56.0 * (side - 1.0)),
            side if side < 3.0 => (370.0 - 140.0 * (side - 2.0), 108.0),
            side => (230.0, 108.0 - 56.0 * (side - 3.0)),
        };
        assert_eq!(rings(&page(4, 0.0, 1.0, square), &beside), 0, "a box");
        assert_eq!(rings(&page(4, 0.0, 0.6, oval), &beside), 0, "half of one");
        assert_eq!(rings(&page(4, 0.0, 1.0, |turn| (230.0 + 300.0 * turn, 81.0)), &beside), 0, "a line");
        assert_eq!(rings(&page(5, 0.0, 1.0, oval), &[word("Male", 120), word("Female", 270)]), 0, "it holds a word");
        assert_eq!(rings(&page(5, 0.0, 1.0, oval), &[]), 0, "no word is near");
    }
}
