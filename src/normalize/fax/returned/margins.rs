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
        PageForm::Withdrawal if is_ticked(boxes, "received-yes") => vec![layout::RECEIVED_YES],
        PageForm::Withdrawal => Vec::new(),
    };
    let mut white = match form {
        PageForm::Cover => [cover(boxes), beside_patient().to_vec()].concat(),
        PageForm::Check => check(rows),
        PageForm::Withdrawal => [withdrawal(), beside_patient().to_vec()].concat(),
    };
    // Between the title and the reference, beside what is asked at the foot, and beside the bar code.
    white.push(Area { left: 170.0, top: 105.0, width: 250.0, height: 17.0 });
    white.push(Area { left: 400.0, top: 586.0, width: 152.0, height: 24.0 });
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

/// Behind the patient's line, however long it is, and below it where the line of the pages is short; behind the line over the boxes.
fn beside_patient() -> [Area; 2] {
    [Area { left: 462.0, top: 208.0, width: 90.0, height: 22.0 }, Area { left: 490.0, top: 266.0, width: 62.0, height: 15.0 }]
}

/// Around the one box of a page that takes a referral back, and what it says, which is eight lines at most.
fn withdrawal() -> Vec<Area> {
    let beside = |left: f32, right: f32, top: f32, bottom: f32| Area { left, top, width: right - left, height: bottom - top };
    let mut white = vec![
        // Over the box, before and behind it, and below it.
        beside(60.0, 480.0, 266.0, 282.0),
        beside(178.0, 236.0, 286.0, 312.0),
        beside(372.0, 552.0, 286.0, 312.0),
        beside(60.0, 552.0, 314.0, 334.0),
    ];
    // In front of what is said, and below it.
    white.extend([338.0, 374.0, 410.0, 446.0].map(|top| beside(60.0, 110.0, top, top + 36.0)));
    white.extend([beside(60.0, 306.0, 500.0, 528.0), beside(306.0, 552.0, 500.0, 528.0)]);
    white
}

/// Beside the patient's line, and from the last row to the rule.
fn check(rows: usize) -> Vec<Area> {
    const RULE: f32 = 574.0;
    let mut white = vec![Area { left: 300.0, top: 207.0, width: 252.0, height: 18.0 }];
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
    use image::GrayImage;

    use super::{super::marks, *};
    use crate::{
        compose::{
            PageFace,
            cover_page::{self, About, Behind, Withdrawn},
        },
        ids::ReferralId,
        protocols::pages::{Document, Limits},
        referral::{PersonName, Priority, Record, Referral, Status},
    };

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

    /// The first page of a document of ours, as it is printed, and where it lies.
    fn printed(about: About, priority: Priority, behind: Behind<'_>) -> (GrayImage, Placement) {
        let name = PersonName { family: Some("Wren".to_owned()), given: Some("Wilma".to_owned()), ..PersonName::default() };
        let mut record = Record { priority, ..Record::default() };
        record.patient.name = name;
        record.referring.organization = Some("Cedar Hollow Family Medicine and Pediatrics of Fairmead County".to_owned());
        record.referred_to.specialty = Some("Gastroenterology".to_owned());
        let referral = Referral {
            id: ReferralId::generate(),
            reference: "LL-0000-0000".parse().unwrap(),
            status: Status::Requested,
            version: 1,
            record: Box::new(record),
            pending_replies: Vec::new(),
            sources: Vec::new(),
            history: Vec::new(),
        };
        let face = PageFace {
            site_name: "Linden Neuroscience",
            recipient: Some("Harbor Skin Clinic and Institute of Dermatology, Fairmead"),
            return_fax: Some("+15415550142"),
            return_email: Some("referrals-front-desk@linden-neuroscience.example"),
            code: Some("LL00000000ABCDEFGHJKMN"),
        };
        let document = cover_page::document(about, &referral, &face, behind).unwrap();
        let page = Document::open(&document.bytes, Limits::default()).unwrap().page(0).unwrap();
        let image = GrayImage::from_raw(page.width, page.height, page.gray).unwrap();
        let placement = marks::placements(&bitmap(&image), 204.0).into_iter().next().unwrap();
        (image, placement)
    }

    fn bitmap(image: &GrayImage) -> Bitmap {
        let mut png = std::io::Cursor::new(Vec::new());
        image.write_to(&mut png, image::ImageFormat::Png).unwrap();
        Bitmap::of_png(png.get_ref()).unwrap()
    }

    const WHYS: [Withdrawn; 4] = [Withdrawn::BySender, Withdrawn::Merged, Withdrawn::Rejected, Withdrawn::SentElsewhere];

    #[test]
    fn nothing_is_printed_in_the_white_of_any_page_of_ours() {
        let asking = [About::Request, About::Pages, About::Update].map(|about| (about, PageForm::Cover));
        let taking_back = WHYS.map(|why| (About::Withdrawal(why), PageForm::Withdrawal));
        for (about, form) in asking.into_iter().chain(taking_back) {
            for priority in [Priority::Stat, Priority::Urgent, Priority::Routine, Priority::Unknown] {
                for behind in [Behind::ByFax, Behind::Nothing] {
                    let (image, placement) = printed(about, priority, behind);
                    let page = bitmap(&image);
                    for area in of(form, 0, &[]) {
                        assert!(!is_written(&page, &placement, area), "{about:?} {priority:?}: {} {}", area.left, area.top);
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_written_anywhere_in_the_white_is_seen() {
        for (about, form) in [(About::Request, PageForm::Cover), (About::Withdrawal(WHYS[0]), PageForm::Withdrawal)] {
            let (image, placement) = printed(about, Priority::Routine, Behind::Nothing);
            let places: &[(f32, f32)] = match form {
                PageForm::Cover => &[(470.0, 224.0), (300.0, 119.0), (440.0, 604.0)],
                PageForm::Withdrawal | PageForm::Check => &[
                    (470.0, 224.0),
                    (300.0, 119.0),
                    (440.0, 604.0),
                    (200.0, 330.0),
                    (400.0, 308.0),
                    (70.0, 400.0),
                    (200.0, 522.0),
                ],
            };
            for place in places {
                let mut written = image.clone();
                // A zigzag of the height of small letters.
                for step in 0_u8..120 {
                    let (x, y) = (place.0 + f32::from(step) / 3.0, place.1 - f32::from(step % 12) * 0.9);
                    for (dx, dy) in [(0, 0), (1, 0), (0, 1), (1, 1), (2, 0), (2, 1)] {
                        written.put_pixel((x * 204.0 / 72.0) as u32 + dx, (y * 204.0 / 72.0) as u32 + dy, image::Luma([0]));
                    }
                }
                let page = bitmap(&written);
                let seen = of(form, 0, &[]).into_iter().filter(|area| is_written(&page, &placement, *area)).count();
                assert!(seen > 0, "{form:?} {place:?}");
            }
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
