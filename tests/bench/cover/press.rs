//! Our own pages on their way: printed, ticked with a pen, faxed badly, and stored as a fax server stores them.
//!
//! Everything is drawn from a seed, without any program beside this one. The levels are those of bad copies as they are met: a little
//! noise and dust (typical), a blurred and stained copy askew (poor), half of the lines (standard).

use image::{GrayImage, Luma};
use loopline::{
    compose::cover_page::layout::Area,
    protocols::pages::{Document, Limits},
};

/// Dots a point of a page as it is printed here: 204 an inch.
const DOTS: f32 = 204.0 / 72.0;

/// Numbers that look random and are the same every time (splitmix64).
pub struct Dice(pub u64);

impl Dice {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From `low` to `high`.
    pub fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (self.next() >> 40) as f32 / 16_777_216.0 * (high - low)
    }

    /// A whole number below this.
    pub fn below(&mut self, count: usize) -> usize {
        (self.next() % count.max(1) as u64) as usize
    }

    /// With mean 0 and deviation 1: twelve dice make a bell.
    fn bell(&mut self) -> f32 {
        (0..4)
            .map(|_| {
                let bits = self.next();
                [0, 16, 32].into_iter().map(|shift| (bits >> shift & 0xFFFF) as f32 / 65_536.0).sum::<f32>()
            })
            .sum::<f32>()
            - 6.0
    }
}

/// The first page of a PDF, as it is printed.
pub fn printed(pdf: &[u8]) -> GrayImage {
    page_of(pdf, 0)
}

/// A page of a PDF, as it is printed.
pub fn page_of(pdf: &[u8], position: usize) -> GrayImage {
    let page = Document::open(pdf, Limits::default()).expect("we wrote it").page(position).expect("it has that page");
    assert!((page.dpi.0 - 204.0).abs() < 1.0 && (page.dpi.1 - 204.0).abs() < 1.0, "it is printed at 204 dots an inch");
    GrayImage::from_raw(page.width, page.height, page.gray).expect("a page has as many dots as its size says")
}

/// How somebody ticks a box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    Cross,
    Check,
    /// A small, thin one within the box.
    SmallCheck,
    Filled,
    /// A long check mark that runs over the edge.
    Overrun,
    /// Scribbled.
    Scribble,
}

pub const MARKS: [Mark; 6] = [Mark::Cross, Mark::Check, Mark::SmallCheck, Mark::Filled, Mark::Overrun, Mark::Scribble];

/// Ticks a box with a pen.
pub fn tick(page: &mut GrayImage, area: Area, mark: Mark, dice: &mut Dice) {
    let pen = dice.between(0.9, 1.9);
    let mut at = |x: f32, y: f32| {
        (area.left + area.width * (x + dice.between(-0.05, 0.05)), area.top + area.height * (y + dice.between(-0.05, 0.05)))
    };
    match mark {
        Mark::Cross => {
            let strokes = [[at(0.12, 0.15), at(0.88, 0.86)], [at(0.85, 0.12), at(0.14, 0.88)]];
            strokes.iter().for_each(|stroke| draw(page, stroke, pen));
        }
        Mark::Check => draw(page, &[at(0.15, 0.5), at(0.42, 0.85), at(0.95, 0.05)], pen),
        Mark::SmallCheck => draw(page, &[at(0.28, 0.52), at(0.45, 0.74), at(0.74, 0.28)], pen.clamp(1.0, 1.3)),
        Mark::Overrun => draw(page, &[at(-0.1, 0.45), at(0.4, 0.95), at(1.5, -0.55)], pen),
        Mark::Filled => {
            for line in 0_u8..12 {
                let y = 0.12 + f32::from(line) * 0.07;
                draw(page, &[at(0.1, y), at(0.9, y)], 1.6);
            }
        }
        Mark::Scribble => {
            let places: Vec<(f32, f32)> =
                (0_u8..9).map(|step| at(if step % 2 == 0 { 0.1 } else { 0.9 }, 0.1 + f32::from(step) * 0.1)).collect();
            draw(page, &places, pen);
        }
    }
}

/// Writes something by hand into a blank.
pub fn write_by_hand(page: &mut GrayImage, area: Area, dice: &mut Dice) {
    let pen = dice.between(0.9, 1.4);
    let mut x = area.left + 8.0;
    let base = area.top + area.height.min(28.0) - 7.0;
    let end = (x + dice.between(60.0, 120.0)).min(area.right() - 14.0);
    while x < end {
        let strokes = 2 + dice.below(3);
        let places: Vec<(f32, f32)> =
            (0..=strokes).map(|_| (x + dice.between(0.0, 8.0), base - dice.between(0.0, 13.0))).collect();
        draw(page, &places, pen);
        x += dice.between(9.0, 14.0);
    }
}

/// A stroke through these places, in points, with a pen so many points wide.
pub fn draw(page: &mut GrayImage, places: &[(f32, f32)], pen: f32) {
    for pair in places.windows(2) {
        let [(x0, y0), (x1, y1)] = [pair[0], pair[1]].map(|(x, y)| (x * DOTS, y * DOTS));
        let steps = ((x1 - x0).hypot(y1 - y0) * 2.0).ceil().max(1.0) as i32;
        let radius = pen * DOTS / 2.0;
        for step in 0..=steps {
            let share = step as f32 / steps as f32;
            let (x, y) = (x0 + (x1 - x0) * share, y0 + (y1 - y0) * share);
            dot(page, x, y, radius);
        }
    }
}

fn dot(page: &mut GrayImage, x: f32, y: f32, radius: f32) {
    let reach = radius.ceil() as i32;
    for dy in -reach..=reach {
        for dx in -reach..=reach {
            let (left, top) = (x as i32 + dx, y as i32 + dy);
            let inside = (left as f32 + 0.5 - x).hypot(top as f32 + 0.5 - y) <= radius;
            let on_page = left >= 0 && top >= 0 && left < page.width() as i32 && top < page.height() as i32;
            if inside && on_page {
                page.put_pixel(left as u32, top as u32, Luma([20]));
            }
        }
    }
}

/// How badly a page is copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Clean,
    Typical,
    Poor,
    Standard,
    /// Poor, at standard resolution.
    PoorStandard,
}

impl Level {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Typical => "typical",
            Self::Poor => "poor",
            Self::Standard => "standard",
            Self::PoorStandard => "poor-standard",
        }
    }

    fn is_poor(self) -> bool {
        matches!(self, Self::Poor | Self::PoorStandard)
    }

    fn is_standard(self) -> bool {
        matches!(self, Self::Standard | Self::PoorStandard)
    }
}

/// How a page lies and what the machine does to it.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    pub level: Level,
    /// Askew by so many degrees, beside what the level does.
    pub skew: f32,
    /// Shrunk to this share.
    pub scale: f32,
    /// Fed upside down.
    pub upside_down: bool,
    /// With the line that the sending machine adds on top.
    pub header: bool,
}

impl Way {
    pub fn plain(level: Level) -> Self {
        Self { level, skew: 0.0, scale: 1.0, upside_down: false, header: false }
    }
}

/// A page as it came out at the other end.
pub struct Faxed {
    pub width: u32,
    pub height: u32,
    pub dark: Vec<bool>,
    /// Dots an inch across and down.
    pub dpi: (u32, u32),
}

/// Width of a fax page at 204 dots an inch.
const FAX_WIDTH: u32 = 1_728;
/// Its height at 196.
const FAX_HEIGHT: u32 = 2_156;

/// Sends a page by fax.
pub fn faxed(page: &GrayImage, way: Way, dice: &mut Dice) -> Faxed {
    let level = way.level;
    let askew = match level {
        Level::Clean => 0.0,
        Level::Typical | Level::Standard => dice.between(-0.6, 0.6),
        Level::Poor | Level::PoorStandard => dice.between(-1.8, 1.8),
    };
    let mut copy = scanned(page, askew + way.skew, way.scale, dice, level == Level::Clean);
    if way.header {
        add_header(&mut copy, page);
    }
    if level.is_poor() {
        copy = image::imageops::blur(&copy, 0.9);
        stain(&mut copy, dice);
    }
    if level != Level::Clean {
        let deviation = if level.is_poor() { 18.0 } else { 10.0 };
        for pixel in copy.pixels_mut() {
            pixel.0[0] = (f32::from(pixel.0[0]) + dice.bell() * deviation).clamp(0.0, 255.0) as u8;
        }
    }
    let threshold = if level == Level::Clean { 128 } else { 105 + dice.below(55) as u8 };
    let mut dark: Vec<bool> = copy.as_raw().iter().map(|pixel| *pixel < threshold).collect();
    if level != Level::Clean {
        dust(&mut dark, level, dice);
    }
    let mut height = FAX_HEIGHT;
    if way.upside_down {
        dark.reverse();
    }
    if level.is_standard() {
        dark = halved(&dark);
        height /= 2;
    }
    Faxed { width: FAX_WIDTH, height, dark, dpi: (204, if level.is_standard() { 98 } else { 196 }) }
}

/// Turns, shrinks and shifts the page, at 204 by 196 dots an inch.
fn scanned(page: &GrayImage, degrees: f32, scale: f32, dice: &mut Dice, still: bool) -> GrayImage {
    let (sin, cos) = degrees.to_radians().sin_cos();
    let mut shift = || if still { 0.0 } else { dice.between(-8.0, 8.0) };
    let (shift_x, shift_y) = (shift(), shift());
    let (middle_x, middle_y) = (page.width() as f32 / 2.0, page.height() as f32 / 2.0);
    let (to_x, to_y) = (FAX_WIDTH as f32 / 2.0, FAX_HEIGHT as f32 / 2.0);
    GrayImage::from_fn(FAX_WIDTH, FAX_HEIGHT, |x, y| {
        let across = (x as f32 + 0.5 - to_x - shift_x) / scale;
        let down = (y as f32 + 0.5 - to_y - shift_y) * 204.0 / 196.0 / scale;
        let source_x = middle_x + across * cos + down * sin - 0.5;
        let source_y = middle_y - across * sin + down * cos - 0.5;
        Luma([bilinear(page, source_x, source_y)])
    })
}

fn bilinear(page: &GrayImage, x: f32, y: f32) -> u8 {
    let at = |x: i32, y: i32| {
        let inside = x >= 0 && y >= 0 && x < page.width() as i32 && y < page.height() as i32;
        if inside { f32::from(page.get_pixel(x as u32, y as u32).0[0]) } else { 255.0 }
    };
    let (left, top) = (x.floor(), y.floor());
    let (share_x, share_y) = (x - left, y - top);
    let (left, top) = (left as i32, top as i32);
    let upper = at(left, top) * (1.0 - share_x) + at(left + 1, top) * share_x;
    let lower = at(left, top + 1) * (1.0 - share_x) + at(left + 1, top + 1) * share_x;
    (upper * (1.0 - share_y) + lower * share_y + 0.5) as u8
}

/// A band of small print on top, as machines add it: the page moves down by as much. The words are the page's own first line.
fn add_header(copy: &mut GrayImage, page: &GrayImage) {
    const BAND: u32 = 26;
    const SHRUNK: f32 = 0.55;
    let below = copy.clone();
    for y in (0..copy.height()).rev() {
        for x in 0..copy.width() {
            let value = if y >= BAND {
                *below.get_pixel(x, y - BAND)
            } else {
                let (source_x, source_y) = ((x as f32 - 60.0) / SHRUNK + 170.0, (y as f32 - 2.0) / SHRUNK + 107.0);
                let printed = x > 60 && source_x < page.width() as f32 - 220.0;
                Luma([if printed { bilinear(page, source_x, source_y) } else { 255 }])
            };
            copy.put_pixel(x, y, value);
        }
    }
}

/// Clouds of gray, as old drums and thin paper make them.
fn stain(copy: &mut GrayImage, dice: &mut Dice) {
    const CELL: u32 = 24;
    let (columns, rows) = (copy.width() / CELL + 3, copy.height() / CELL + 3);
    let field: Vec<f32> = (0..columns * rows).map(|_| dice.bell() * 16.0).collect();
    for (x, y, pixel) in copy.enumerate_pixels_mut() {
        let (across, down) = (x as f32 / CELL as f32, y as f32 / CELL as f32);
        let (left, top) = (across.floor(), down.floor());
        let (share_x, share_y) = (across - left, down - top);
        let at = |x: u32, y: u32| field[(y * columns + x) as usize];
        let (left, top) = (left as u32, top as u32);
        let upper = at(left, top) * (1.0 - share_x) + at(left + 1, top) * share_x;
        let lower = at(left, top + 1) * (1.0 - share_x) + at(left + 1, top + 1) * share_x;
        pixel.0[0] = (f32::from(pixel.0[0]) + upper * (1.0 - share_y) + lower * share_y).clamp(0.0, 255.0) as u8;
    }
}

/// Specks, rows that were lost or burnt in, and a scratch along the drum.
fn dust(dark: &mut [bool], level: Level, dice: &mut Dice) {
    let share = if level.is_poor() { 0.003 } else { 0.0006 };
    for dot in dark.iter_mut() {
        if dice.between(0.0, 1.0) < share {
            *dot = true;
        }
    }
    let width = FAX_WIDTH as usize;
    let height = dark.len() / width;
    for _ in 0..dice.below(4) {
        let (row, rows, value) = (dice.below(height - 2), 1 + dice.below(2), dice.between(0.0, 1.0) >= 0.6);
        dark[row * width..(row + rows) * width].fill(value);
    }
    if level.is_poor() {
        let column = dice.below(width - 2);
        for row in dark.chunks_exact_mut(width) {
            row[column..column + 2].fill(true);
        }
    }
}

/// Half of the rows: two become one, dark where either was mostly dark.
fn halved(dark: &[bool]) -> Vec<bool> {
    let width = FAX_WIDTH as usize;
    dark.chunks_exact(width * 2)
        .flat_map(|pair| {
            let (upper, lower) = pair.split_at(width);
            upper.iter().zip(lower).map(|(a, b)| *a || *b).collect::<Vec<bool>>()
        })
        .collect()
}
