//! The white of our pages: where nothing is printed, and so whatever stands there was written.
//!
//! # Design notes
//! People tick beside a box, put a ring around its words, or write what they have to say where there is room. None of it is in a box or a
//! blank, and a page with one plain tick besides would pass without it. So the white around the boxes is looked at, piece by piece; what a
//! tick may reach with its tail is not. Ink counts that hangs together over the height of a small letter: dust and the streaks of fax
//! machines do not.

use super::{
    bitmap::{Bitmap, DOTS, Patch},
    marks::Placement,
};
use crate::{
    compose::{
        acknowledgement,
        cover_page::layout::{self, Area},
    },
    referral::{PageForm, ReturnedBox, Tick},
};

/// How far the tail of a tick reaches to the right of its box, to the left, and above it, in points.
const TAIL: (f32, f32, f32) = (62.0, 26.0, 26.0);
/// How far it reaches below its box, and, in front of the box, above it.
const TAIL_BELOW: f32 = 12.0;
/// The white below the last row of a page that asks is looked at in strips so high, in points.
const STRIP: f32 = 28.0;

/// The white of a page, in pieces of the height of a line; without what may belong to a tick in a box.
pub(super) fn of(form: PageForm, rows: usize, boxes: &[ReturnedBox]) -> Vec<Area> {
    let printed: Vec<Area> = match form {
        PageForm::Cover => layout::BOXES.iter().filter(|(name, _)| is_ticked(boxes, name)).map(|(_, area)| *area).collect(),
        PageForm::Check => {
            (0..rows).filter(|row| is_ticked(boxes, &format!("right-{row}"))).map(acknowledgement::layout::right_box).collect()
        }
        PageForm::Withdrawal => Vec::new(),
    };
    let mut white = match form {
        PageForm::Cover => cover(boxes),
        PageForm::Check => check(rows),
        PageForm::Withdrawal => Vec::new(),
    };
    // Beside the bar code.
    white.extend([60.0, 440.0].map(|left| Area { left, top: 727.0, width: 112.0, height: STRIP }));
    white.retain(|area| !printed.iter().any(|ticked| reaches(*ticked, *area)));
    white
}

fn is_ticked(boxes: &[ReturnedBox], name: &str) -> bool {
    boxes.iter().any(|one| one.name == name && one.tick == Tick::Ticked)
}

fn reaches(ticked: Area, white: Area) -> bool {
    let (right, left, above) = TAIL;
    let above = if white.right() <= ticked.left { TAIL_BELOW } else { above };
    white.left < ticked.right() + right
        && white.right() > ticked.left - left
        && white.top < ticked.bottom() + TAIL_BELOW
        && white.bottom() > ticked.top - above
}

fn cover(boxes: &[ReturnedBox]) -> Vec<Area> {
    let rows = [layout::APPOINTMENT_YES, layout::APPOINTMENT_NOT_YET, layout::APPOINTMENT_DECLINED, layout::WRONG_RECIPIENT];
    // In front of the boxes, and between their rows: below the boxes, and below the words beside them.
    let before = rows.map(|row| Area { left: 57.0, top: row.top - 4.0, width: row.left - 61.0, height: STRIP });
    let mut white = before.to_vec();
    let mut words = Vec::new();
    for (row, next) in [(rows[0], rows[1]), (rows[1], rows[2])] {
        let (top, height) = (row.bottom() + 4.0, next.top - row.bottom() - 8.0);
        white.push(Area { left: 60.0, top, width: 68.0, height });
        words.push(Area { left: 128.0, top, width: 118.0, height });
    }
    // What is written by hand on the line of the appointment hangs into the white below it.
    white.extend(words.into_iter().skip(usize::from(is_ticked(boxes, "appointment-yes"))));
    if !is_ticked(boxes, "appointment-declined") {
        // In front of the line for the reason.
        white.push(Area { left: 230.0, top: rows[2].top - 8.0, width: 17.0, height: 26.0 });
    }
    white.extend([
        Area { left: 60.0, top: rows[2].bottom() + 4.0, width: 186.0, height: 20.0 },
        Area { left: 366.0, top: rows[3].top - 4.0, width: 186.0, height: STRIP },
        Area { left: 60.0, top: rows[3].bottom() + 5.0, width: 84.0, height: 12.0 },
        // Around "yes" and "no".
        Area { left: 214.0, top: 284.0, width: 44.0, height: STRIP },
        Area { left: 346.0, top: 280.0, width: 13.0, height: 36.0 },
        Area { left: 230.0, top: 313.0, width: 322.0, height: 22.0 },
    ]);
    white
}

/// Beside the patient's line, and from the last row to the rule.
fn check(rows: usize) -> Vec<Area> {
    const RULE: f32 = 574.0;
    let mut white = vec![Area { left: 300.0, top: 207.0, width: 120.0, height: 18.0 }];
    let mut top = acknowledgement::layout::right_box(rows).top - 12.0;
    // Where there are more fields than rows, the last row says how many.
    while rows + 1 < acknowledgement::layout::ROWS_MAX && top + STRIP <= RULE {
        white.push(Area { left: 60.0, top, width: 492.0, height: STRIP });
        top += STRIP;
    }
    white
}

/// Whether somebody wrote into a piece of white.
pub(super) fn is_written(page: &Bitmap, placement: &Placement, area: Area) -> bool {
    let patch = Patch::of(page, placement, area);
    let mut seen = vec![false; (patch.width * patch.height).max(0) as usize];
    let at = |x: i32, y: i32| (y * patch.width + x) as usize;
    for y in 0..patch.height {
        for x in 0..patch.width {
            if patch.is_dark(x, y) && !seen[at(x, y)] && is_stroke(&connected(&patch, (x, y), &mut seen), &patch) {
                return true;
            }
        }
    }
    false
}

/// What hangs together.
struct Ink {
    dots: usize,
    left: i32,
    right: i32,
    top: i32,
    bottom: i32,
}

/// The ink that hangs together with this dot; a bad copy leaves gaps of a dot.
fn connected(patch: &Patch, from: (i32, i32), seen: &mut [bool]) -> Ink {
    const GAP: i32 = 2;
    let mut ink = Ink { dots: 0, left: from.0, right: from.0, top: from.1, bottom: from.1 };
    let mut open = vec![from];
    seen[(from.1 * patch.width + from.0) as usize] = true;
    while let Some((x, y)) = open.pop() {
        ink.dots += 1;
        (ink.left, ink.right) = (ink.left.min(x), ink.right.max(x));
        (ink.top, ink.bottom) = (ink.top.min(y), ink.bottom.max(y));
        for (dy, dx) in (-GAP..=GAP).flat_map(|dy| (-GAP..=GAP).map(move |dx| (dy, dx))) {
            let next = (x + dx, y + dy);
            if patch.is_dark(next.0, next.1) && !std::mem::replace(&mut seen[(next.1 * patch.width + next.0) as usize], true) {
                open.push(next);
            }
        }
    }
    ink
}

/// Whether it is of a pen: as high as a small letter, or a part of a ring that is long and not flat; no streak from edge to edge.
fn is_stroke(ink: &Ink, patch: &Patch) -> bool {
    const DOTS_MIN: usize = 30;
    const HEIGHT_MIN: i32 = (4.2 * DOTS) as i32;
    const ARC: (i32, i32) = ((36.0 * DOTS) as i32, (2.6 * DOTS) as i32);
    const THIN: i32 = (2.4 * DOTS) as i32;
    const FLAT: i32 = (4.0 * DOTS) as i32;
    let (width, height) = (ink.right - ink.left + 1, ink.bottom - ink.top + 1);
    let lies = width * 20 >= patch.width * 19 && height <= FLAT;
    let stands = height * 20 >= patch.height * 17 && width <= THIN;
    let high = height >= HEIGHT_MIN && width >= THIN;
    let arc = width >= ARC.0 && height >= ARC.1;
    ink.dots >= DOTS_MIN && !stands && !lies && (high || arc)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticked(names: &[&str]) -> Vec<ReturnedBox> {
        let boxed = |name: &&str| ReturnedBox { name: (*name).to_owned(), tick: Tick::Ticked, ink: 0.2, bounds: [0; 4] };
        names.iter().map(boxed).collect()
    }

    fn overlap(one: &Area, other: &Area) -> bool {
        one.left < other.right() && other.left < one.right() && one.top < other.bottom() && other.top < one.bottom()
    }

    #[test]
    fn the_white_of_a_page_is_no_box_and_no_blank_and_no_tick_reaches_it() {
        let printed = layout::BOXES.iter().chain(&layout::BLANKS).chain(&layout::BESIDE).map(|(_, area)| area);
        let white = of(PageForm::Cover, 0, &[]);
        assert!(printed.clone().all(|area| white.iter().all(|white| !overlap(white, area))));
        for (name, area) in layout::BOXES {
            let around = Area { left: area.left - 10.0, top: area.top - 9.0, width: 60.0, height: 40.0 };
            let left = of(PageForm::Cover, 0, &ticked(&[name]));
            assert!(left.len() < white.len() && left.iter().all(|white| !overlap(white, &around)), "{name}");
        }
    }

    #[test]
    fn the_white_of_a_page_that_asks_begins_below_its_last_row() {
        for rows in 1..=5 {
            let below: Vec<Area> = of(PageForm::Check, rows, &[]).into_iter().filter(|area| area.width > 400.0).collect();
            let row = acknowledgement::layout::correction(rows - 1);
            assert!(!below.is_empty() && below.iter().all(|area| area.top > row.bottom() && area.bottom() < 580.0), "{rows}");
        }
        assert_eq!(
            of(PageForm::Check, 6, &[]).iter().filter(|area| area.width > 400.0).count(),
            0,
            "it says how many more there are"
        );
    }
}
