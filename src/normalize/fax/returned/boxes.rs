//! What is in a box, and whether something is written in a blank.
//!
//! # Design notes
//! A wrong tick moves a referral, an unclear one costs a person a glance. So between plainly ticked and plainly empty there is a gap,
//! and a box whose frame is not found where it was printed is unclear. What a fax machine drew through the whole row or column (a streak)
//! is no pen.

use super::{
    bitmap::{Bitmap, DOTS, Patch},
    marks::Placement,
};
use crate::{
    compose::cover_page::layout::Area,
    referral::{ReturnedBox, Tick},
};

/// From this share of ink on, a box is ticked: a small, thin check mark covers a tenth.
const TICKED_MIN: f32 = 0.075;
/// Up to this share a box is empty: dust.
const EMPTY_MAX: f32 = 0.03;
/// How dark the four sides of a frame are, all together and the lightest of them.
const FRAME_MIN: f32 = 0.78;
const SIDE_MIN: f32 = 0.55;
/// How far from its place a box may be, in points: dropped lines shift what is below them.
const SHIFT_POINTS_MAX: f32 = 2.7;
/// How far around a box is looked at, in points.
const MARGIN: f32 = 17.0;
/// Within the outer edge of a box so much is its frame and what a blurred copy makes of it, in points.
const INSET: f32 = 4.0;

/// A box whose frame stands where it was printed.
pub(super) struct Seen {
    patch: Patch,
    /// Where the box begins in the patch, and its side, in dots.
    left: i32,
    top: i32,
    side: i32,
}

/// Looks for the frame of a box.
pub(super) fn frame(page: &Bitmap, placement: &Placement, area: Area) -> Option<Seen> {
    let around = Area {
        left: area.left - MARGIN,
        top: area.top - MARGIN,
        width: area.width + 2.0 * MARGIN,
        height: area.height + 2.0 * MARGIN,
    };
    let patch = Patch::of(page, placement, around);
    let (start, side) = ((MARGIN * DOTS) as i32, (area.width * DOTS) as i32);
    let reach = (SHIFT_POINTS_MAX * DOTS) as i32;
    let mut best: Option<(f32, i32, i32)> = None;
    for dy in -reach..=reach {
        for dx in -reach..=reach {
            let (left, top) = (start + dx, start + dy);
            let sides = sides(&patch, left, top, side);
            let (mean, least) = (sides.iter().sum::<f32>() / 4.0, sides.into_iter().fold(1.0, f32::min));
            // Of places that fit alike, the nearest.
            let score = mean - 0.002 * ((dx.abs() + dy.abs()) as f32);
            if mean >= FRAME_MIN && least >= SIDE_MIN && best.is_none_or(|(found, _, _)| score > found) {
                best = Some((score, left, top));
            }
        }
    }
    let (_, left, top) = best?;
    Some(Seen { patch, left, top, side })
}

/// How dark the middle of each side of a frame is: above, below, left, right.
fn sides(patch: &Patch, left: i32, top: i32, side: i32) -> [f32; 4] {
    // The line is two points wide.
    let (line, middle) = (3, (DOTS / 2.0) as i32);
    let (right, bottom) = (left + side, top + side);
    [
        patch.share(left, top + middle, right, top + middle + line),
        patch.share(left, bottom - middle - line, right, bottom - middle),
        patch.share(left + middle, top, left + middle + line, bottom),
        patch.share(right - middle - line, top, right - middle, bottom),
    ]
}

/// What is in a box that was looked for.
pub(super) fn read(name: &str, seen: Option<&Seen>, bounds: [u32; 4]) -> ReturnedBox {
    let (tick, ink) = match seen {
        None => (Tick::Unclear, 0.0),
        Some(seen) => match seen.ink() {
            Some(ink) if ink >= TICKED_MIN => (Tick::Ticked, ink),
            Some(ink) if ink <= EMPTY_MAX => (Tick::Empty, ink),
            Some(ink) => (Tick::Unclear, ink),
            None => (Tick::Unclear, 0.0),
        },
    };
    ReturnedBox { name: name.to_owned(), tick, ink: (ink * 1_000.0).round() / 1_000.0, bounds }
}

impl Seen {
    /// Which share of the inside is ink; none: too much of it is streaks to tell.
    fn ink(&self) -> Option<f32> {
        let inset = (INSET * DOTS) as i32;
        let (left, top) = (self.left + inset, self.top + inset);
        let (right, bottom) = (self.left + self.side - inset, self.top + self.side - inset);
        let rows: Vec<i32> =
            (top..bottom).filter(|y| !self.is_streak(|along, off| self.patch.is_dark(along, y + off), self.left)).collect();
        let columns: Vec<i32> =
            (left..right).filter(|x| !self.is_streak(|along, off| self.patch.is_dark(x + off, along), self.top)).collect();
        let all = (right - left) as usize;
        if rows.len() * 2 < all || columns.len() * 2 < all {
            return None;
        }
        let dots = rows.iter().flat_map(|y| columns.iter().map(move |x| (*x, *y)));
        let dark = dots.filter(|(x, y)| self.patch.is_dark(*x, *y)).count();
        Some(dark as f32 / (rows.len() * columns.len()) as f32)
    }

    /// Whether a row or column is dark on both sides of the box for as long as no pen goes on straight.
    fn is_streak(&self, is_dark: impl Fn(i32, i32) -> bool, start: i32) -> bool {
        const LENGTH: i32 = (14.0 * DOTS) as i32;
        const GAP: i32 = (1.5 * DOTS) as i32;
        const SHARE: usize = 9;
        // It may run a little aslant: the page was levelled.
        let dark = |along: i32| (-2..=2).any(|off| is_dark(along, off));
        let long = |range: std::ops::Range<i32>| range.clone().filter(|along| dark(*along)).count() * 10 >= range.len() * SHARE;
        let end = start + self.side;
        long(start - GAP - LENGTH..start - GAP) && long(end + GAP..end + GAP + LENGTH)
    }
}

/// Whether somebody wrote into areas that were printed white: strokes of the height of small letters, in two places at least.
pub(super) fn is_written(page: &Bitmap, placement: &Placement, areas: &[Area]) -> bool {
    /// The areas are looked at in pieces so wide, in dots.
    const PIECE: i32 = (6.0 * DOTS) as i32;
    const PIECES_MIN: usize = 2;
    let written = areas.iter().map(|area| {
        let patch = Patch::of(page, placement, *area);
        (0..patch.width / PIECE).filter(|piece| has_stroke(&patch, piece * PIECE, PIECE)).count()
    });
    written.sum::<usize>() >= PIECES_MIN
}

/// Whether a pen went through a piece of an area: ink in as many rows as a small letter is high. A streak of the fax machine lies flat,
/// or stands thin from top to bottom; dust is too little.
fn has_stroke(patch: &Patch, left: i32, width: i32) -> bool {
    const INK_DOTS_MIN: usize = 24;
    const ROWS_MIN: usize = (3.4 * DOTS) as usize;
    const THIN: i32 = (2.4 * DOTS) as i32;
    let (mut ink, mut rows, mut first, mut last) = (0, 0, i32::MAX, 0);
    for y in 0..patch.height {
        let mut in_row = 0;
        for x in (left..left + width).filter(|x| patch.is_dark(*x, y)) {
            in_row += 1;
            first = first.min(x);
            last = last.max(x);
        }
        ink += in_row;
        rows += usize::from(in_row > 0);
    }
    let stands_thin = rows * 20 >= patch.height as usize * 17 && last - first <= THIN;
    ink >= INK_DOTS_MIN && rows >= ROWS_MIN && !stands_thin
}
