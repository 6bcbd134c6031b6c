//! The four corner marks of a page of ours, and from them where everything on it is.
//!
//! # Design notes
//! A mark is a solid square with white around it, and so are parts of a QR code, filled boxes, specks of a bad copy. So a few candidates
//! are kept for each corner, and those four are taken that stand as the marks of our page do. The four look alike: which is which, and
//! so which way up the page lies, is told by the boxes ([`super::boxes`]).

use super::bitmap::Bitmap;
use crate::compose::cover_page::layout::CORNER_MARKS;

/// How much smaller or larger than printed a mark may be: fax machines shrink a page, and pictures do not tell their resolution.
const SCALES: [f32; 7] = [0.74, 0.80, 0.86, 0.92, 0.98, 1.04, 1.11];
/// How dark a mark is inside, at least.
const INSIDE_MIN: f32 = 0.78;
/// How dark it may be around it.
const AROUND_MAX: f32 = 0.30;
/// The candidates kept for a corner.
const CANDIDATES_MAX: usize = 5;
/// The solid squares of a corner that are looked at closely, the most solid first: a page of a thousand squares is none of ours.
const SQUARES_MAX: usize = 400;
/// The placements that are tried.
const PLACEMENTS_MAX: usize = 12;

/// Where the points of our page are on the stored image: a projective map.
#[derive(Clone, Copy)]
pub(super) struct Placement([f64; 8]);

impl Placement {
    /// A place in points from the top left of our page, in pixels of the image.
    pub(super) fn at(&self, x: f32, y: f32) -> (f32, f32) {
        let [a, b, c, d, e, f, g, h] = self.0;
        let (x, y) = (f64::from(x), f64::from(y));
        let w = g * x + h * y + 1.0;
        (((a * x + b * y + c) / w) as f32, ((d * x + e * y + f) / w) as f32)
    }

    /// The map that takes four places to four others.
    fn through(from: [(f32, f32); 4], to: [(f32, f32); 4]) -> Option<Self> {
        let mut rows = [[0.0_f64; 9]; 8];
        for (index, ((x, y), (u, v))) in from.into_iter().zip(to).enumerate() {
            let [x, y, u, v] = [x, y, u, v].map(f64::from);
            rows[2 * index] = [x, y, 1.0, 0.0, 0.0, 0.0, -u * x, -u * y, u];
            rows[2 * index + 1] = [0.0, 0.0, 0.0, x, y, 1.0, -v * x, -v * y, v];
        }
        solve(rows).map(Self)
    }
}

/// Gauss with pivots.
fn solve(mut rows: [[f64; 9]; 8]) -> Option<[f64; 8]> {
    for column in 0..8 {
        let pivot = (column..8).max_by(|a, b| rows[*a][column].abs().total_cmp(&rows[*b][column].abs()))?;
        rows.swap(column, pivot);
        if rows[column][column].abs() < 1e-9 {
            return None;
        }
        let lead = rows[column];
        for (index, row) in rows.iter_mut().enumerate() {
            if index != column {
                let factor = row[column] / lead[column];
                for (value, above) in row.iter_mut().zip(lead) {
                    *value -= factor * above;
                }
            }
        }
    }
    let mut solved = [0.0; 8];
    for (index, value) in solved.iter_mut().enumerate() {
        *value = rows[index][8] / rows[index][index];
    }
    Some(solved)
}

/// A solid square.
#[derive(Clone, Copy)]
struct Mark {
    x: f32,
    y: f32,
    score: f32,
}

/// The ways in which the page may lie on the image, the likeliest first.
pub(super) fn placements(page: &Bitmap, dpi: f32) -> Vec<Placement> {
    let corners =
        [(false, false), (true, false), (true, true), (false, true)].map(|(right, bottom)| marks(page, dpi, right, bottom));
    let mut found = quadruples(&corners);
    if found.is_empty() {
        found = triples(&corners);
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut placements = Vec::new();
    for (_, corners) in found {
        for first in turns(&corners) {
            let turned = [0, 1, 2, 3].map(|index| corners[(first + index) % 4]);
            placements.extend(Placement::through(CORNER_MARKS.map(|mark| center(mark.left, mark.top)), turned));
        }
        if placements.len() >= PLACEMENTS_MAX {
            break;
        }
    }
    placements
}

fn center(left: f32, top: f32) -> (f32, f32) {
    (left + CORNER_MARKS[0].width / 2.0, top + CORNER_MARKS[0].height / 2.0)
}

/// Which corners of the image may be the top left of the page: one of two, by which side is longer.
fn turns(corners: &[(f32, f32); 4]) -> [usize; 2] {
    let upright = length(corners[0], corners[3]) >= length(corners[0], corners[1]);
    if upright { [0, 2] } else { [1, 3] }
}

fn length(a: (f32, f32), b: (f32, f32)) -> f32 {
    (a.0 - b.0).hypot(a.1 - b.1)
}

/// The solid squares near one corner of the image, the best first.
fn marks(page: &Bitmap, dpi: f32, right: bool, bottom: bool) -> Vec<Mark> {
    let (across, down) = (page.width * 3 / 10, page.height * 3 / 10);
    let (left, top) = (if right { page.width - across } else { 0 }, if bottom { page.height - down } else { 0 });
    let printed = CORNER_MARKS[0].width / 72.0 * dpi;
    let mut squares: Vec<(f32, [i32; 3])> = Vec::new();
    for scale in SCALES {
        let side = (printed * scale).round() as i32;
        let step = (side / 12).max(2);
        for y in (top..top + down - side).step_by(step as usize) {
            for x in (left..left + across - side).step_by(step as usize) {
                if let Some(score) = solidity(page, x, y, side) {
                    squares.push((score, [x, y, side]));
                }
            }
        }
    }
    squares.sort_by(|a, b| b.0.total_cmp(&a.0));
    squares.truncate(SQUARES_MAX);
    let found = squares.into_iter().map(|(score, [x, y, side])| Mark { score, ..refined(page, x, y, side) });
    let mut best: Vec<Mark> = Vec::new();
    for mark in found {
        if best.iter().all(|better| length((better.x, better.y), (mark.x, mark.y)) > printed / 2.0) {
            best.push(mark);
            if best.len() == CANDIDATES_MAX {
                break;
            }
        }
    }
    best
}

/// How much a square looks like a mark.
fn solidity(page: &Bitmap, x: i32, y: i32, side: i32) -> Option<f32> {
    let inside = page.dark_in(x, y, x + side, y + side);
    let area = side * side;
    let share = inside as f32 / area as f32;
    if share < INSIDE_MIN {
        return None;
    }
    let (gap, rim) = ((side / 10).max(1), side / 3);
    let outer = page.dark_in(x - rim, y - rim, x + side + rim, y + side + rim);
    let inner = page.dark_in(x - gap, y - gap, x + side + gap, y + side + gap);
    let around = (side + 2 * rim).pow(2) - (side + 2 * gap).pow(2);
    let share_around = (outer - inner) as f32 / around as f32;
    (share_around <= AROUND_MAX).then_some(share - share_around)
}

/// The middle of the ink of a mark.
fn refined(page: &Bitmap, x: i32, y: i32, side: i32) -> Mark {
    let (mut middle_x, mut middle_y) = (x as f32 + side as f32 / 2.0, y as f32 + side as f32 / 2.0);
    let reach = (side as f32 * 0.62).round() as i32;
    for _ in 0..3 {
        let (mut sum_x, mut sum_y, mut count) = (0_i64, 0_i64, 0_i64);
        let (left, top) = (middle_x.round() as i32 - reach, middle_y.round() as i32 - reach);
        for y in top..top + 2 * reach {
            for x in left..left + 2 * reach {
                if page.is_dark(x, y) {
                    sum_x += i64::from(x);
                    sum_y += i64::from(y);
                    count += 1;
                }
            }
        }
        if count > 0 {
            middle_x = sum_x as f32 / count as f32 + 0.5;
            middle_y = sum_y as f32 / count as f32 + 0.5;
        }
    }
    Mark { x: middle_x, y: middle_y, score: 0.0 }
}

type Found = (f32, [(f32, f32); 4]);

/// Four marks that stand as ours do.
fn quadruples(corners: &[Vec<Mark>; 4]) -> Vec<Found> {
    let mut found = Vec::new();
    for a in &corners[0] {
        for b in &corners[1] {
            for c in &corners[2] {
                for d in &corners[3] {
                    let places = [a, b, c, d].map(|mark| (mark.x, mark.y));
                    if let Some(off) = misfit(&places) {
                        found.push((a.score + b.score + c.score + d.score - 4.0 * off, places));
                    }
                }
            }
        }
    }
    found
}

/// Three marks that stand as ours do, and where the fourth must have been: a corner may be cut off, or covered.
fn triples(corners: &[Vec<Mark>; 4]) -> Vec<Found> {
    let mut found = Vec::new();
    for missing in 0..4 {
        let [before, opposite, after] = [3, 2, 1].map(|step| &corners[(missing + step) % 4]);
        for a in before {
            for b in opposite {
                for c in after {
                    let mut places = [(0.0, 0.0); 4];
                    places[(missing + 3) % 4] = (a.x, a.y);
                    places[(missing + 2) % 4] = (b.x, b.y);
                    places[(missing + 1) % 4] = (c.x, c.y);
                    places[missing] = (a.x + c.x - b.x, a.y + c.y - b.y);
                    if let Some(off) = misfit(&places) {
                        found.push((a.score + b.score + c.score - 4.0 * off, places));
                    }
                }
            }
        }
    }
    found
}

/// How far four places are from the shape of our page; none: too far.
fn misfit(places: &[(f32, f32); 4]) -> Option<f32> {
    /// Opposite sides, and the diagonals, are as long to this share.
    const SKEW_MAX: f32 = 0.06;
    /// The page is as tall for its width to this share.
    const STRETCH_MAX: f32 = 0.12;
    let [top, right, bottom, left] = [0, 1, 2, 3].map(|index| length(places[index], places[(index + 1) % 4]));
    let differ = |a: f32, b: f32| (a / b.max(1.0) - 1.0).abs();
    let skew =
        differ(top, bottom).max(differ(left, right)).max(differ(length(places[0], places[2]), length(places[1], places[3])));
    let (long, short) = ((left + right).max(top + bottom), (left + right).min(top + bottom));
    let printed = (CORNER_MARKS[3].top - CORNER_MARKS[0].top) / (CORNER_MARKS[1].left - CORNER_MARKS[0].left);
    let stretch = differ(long / short.max(1.0), printed);
    (skew <= SKEW_MAX && stretch <= STRETCH_MAX).then_some(skew + stretch)
}
