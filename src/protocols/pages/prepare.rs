//! What a scanned page needs before it is recognized: specks out, pixels square, lines level. Always in gray once the pixels move.
//!
//! # Design notes
//! Measured on degraded fax pages: taking specks out and squaring help most, at standard resolution above all; levelling helps; a second
//! threshold, more than 204 dpi and removing lines all hurt. So squaring and levelling are one resampling, and nothing is thresholded.

use super::PageImage;

/// A page ready for recognition: one resolution both ways.
#[derive(Clone)]
pub struct Prepared {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// One byte a pixel, row by row, 0 black to 255 white.
    pub gray: Vec<u8>,
    /// Pixels an inch, both ways.
    pub dpi: f32,
    /// By how many degrees the page had to be turned to be level, clockwise positive.
    pub turned_degrees: f32,
    /// Whether the page was stored with one bit a pixel.
    pub bilevel: bool,
}

impl Prepared {
    /// The share of pixels that are dark: nothing at all on a blank page.
    #[must_use]
    pub fn ink(&self) -> f64 {
        let dark = self.gray.iter().filter(|pixel| **pixel < DARK).count();
        dark as f64 / self.gray.len().max(1) as f64
    }
}

/// Below this a pixel counts as ink.
const DARK: u8 = 128;
/// The resolution that faxes are brought to.
const FAX_DPI: f32 = 204.0;
/// The resolution that finer scans are brought to.
const SCAN_DPI: f32 = 300.0;
/// From here on a page is a scan rather than a fax.
const SCAN_DPI_MIN: f32 = 250.0;
/// Black specks up to this many pixels go; a full stop of a small fine-resolution type has nine.
const SPECK_PIXELS_MAX: usize = 3;

/// Prepares a page.
#[must_use]
pub fn prepare(page: &PageImage) -> Prepared {
    let mut page = page.clone();
    if page.bilevel {
        despeckle(&mut page);
    }
    let usual = if page.dpi.0.min(page.dpi.1) >= SCAN_DPI_MIN { SCAN_DPI } else { FAX_DPI };
    let target = usual.min(finest(&page));
    let page = shrink(page, target);
    let scale = (target / page.dpi.0, target / page.dpi.1);
    let degrees = skew_degrees(&page, scale);
    let (width, height, gray) = resample(&page, scale, degrees);
    Prepared { width, height, gray, dpi: target, turned_degrees: -degrees, bilevel: page.bilevel }
}

/// The resolution at which a page has as many pixels as it may: paper of many feet stays coarser than a fax.
fn finest(page: &PageImage) -> f32 {
    const PIXELS_MAX: f32 = 48_000_000.0;
    let square_inches = (page.width as f32 / page.dpi.0) * (page.height as f32 / page.dpi.1);
    (PIXELS_MAX / square_inches).sqrt()
}

/// A page that was rendered at the right resolution, and is level: words that were placed on it stay where they are.
#[must_use]
pub fn unchanged(page: &PageImage) -> Prepared {
    let PageImage { width, height, ref gray, bilevel, dpi, .. } = *page;
    Prepared { width, height, gray: gray.clone(), dpi: dpi.0, turned_degrees: 0.0, bilevel }
}

/// The page turned clockwise by quarter turns.
#[must_use]
pub fn quarter_turns(page: &PageImage, turns: u32) -> PageImage {
    let (width, height) = (page.width as usize, page.height as usize);
    let turned = |width: u32, height: u32, dpi, gray| PageImage { width, height, gray, dpi, ..*page };
    let (across, down) = page.dpi;
    match turns % 4 {
        1 => {
            let gray = (0..width).flat_map(|x| (0..height).rev().map(move |y| page.gray[y * width + x])).collect();
            turned(page.height, page.width, (down, across), gray)
        }
        2 => turned(page.width, page.height, page.dpi, page.gray.iter().rev().copied().collect()),
        3 => {
            let gray = (0..width).rev().flat_map(|x| (0..height).map(move |y| page.gray[y * width + x])).collect();
            turned(page.height, page.width, (down, across), gray)
        }
        _ => page.clone(),
    }
}

/// Takes out black specks: small groups of touching pixels that nothing else touches.
fn despeckle(page: &mut PageImage) {
    let (width, height) = (page.width as usize, page.height as usize);
    let mut seen = vec![false; page.gray.len()];
    let mut group = Vec::new();
    for start in 0..page.gray.len() {
        if seen[start] || page.gray[start] >= DARK {
            continue;
        }
        group.clear();
        group.push(start);
        seen[start] = true;
        let mut next = 0;
        while let Some(pixel) = group.get(next).copied() {
            next += 1;
            let (x, y) = (pixel % width, pixel / width);
            for neighbour_y in y.saturating_sub(1)..(y + 2).min(height) {
                for neighbour_x in x.saturating_sub(1)..(x + 2).min(width) {
                    let neighbour = neighbour_y * width + neighbour_x;
                    if !seen[neighbour] && page.gray[neighbour] < DARK {
                        seen[neighbour] = true;
                        group.push(neighbour);
                    }
                }
            }
        }
        if group.len() <= SPECK_PIXELS_MAX {
            for pixel in &group {
                page.gray[*pixel] = 255;
            }
        }
    }
}

/// Averages whole blocks of pixels where a page is more than twice as fine as wanted, so that resampling skips none.
fn shrink(page: PageImage, target: f32) -> PageImage {
    let factor = |dpi: f32| (dpi / target).floor().max(1.0) as usize;
    let (across, down) = (factor(page.dpi.0), factor(page.dpi.1));
    if across == 1 && down == 1 {
        return page;
    }
    let (width, height) = (page.width as usize / across, page.height as usize / down);
    if width == 0 || height == 0 {
        return page;
    }
    let mut gray = Vec::with_capacity(width * height);
    for y in 0..height {
        for x in 0..width {
            let sum: u32 = (0..down)
                .flat_map(|dy| {
                    let start = (y * down + dy) * page.width as usize + x * across;
                    &page.gray[start..start + across]
                })
                .map(|pixel| u32::from(*pixel))
                .sum();
            gray.push((sum / (across * down) as u32) as u8);
        }
    }
    let dpi = (page.dpi.0 / across as f32, page.dpi.1 / down as f32);
    PageImage { width: width as u32, height: height as u32, gray, dpi, ..page }
}

/// The angle at which the lines of a page run, in degrees, positive when they sink to the right.
///
/// The lower edges of the ink are counted along slanted rows: along the lines they pile up, across them they spread.
fn skew_degrees(page: &PageImage, scale: (f32, f32)) -> f32 {
    const DEGREES_MAX: f32 = 5.5;
    const COARSE_DEGREES: f32 = 0.25;
    const FINE_DEGREES: f32 = 0.05;
    /// How much better than level an angle must be; a page without lines has no best angle.
    const GAIN_MIN: f64 = 1.03;
    let edges = lower_edges(page, scale);
    if edges.is_empty() {
        return 0.0;
    }
    let length = page.height as f32 * scale.1 + page.width as f32 * scale.0;
    let mut rows = vec![0_u32; length as usize + 4];
    let offset = page.width as f32 * scale.0 / 2.0;
    let mut score = |degrees: f32| -> f64 {
        rows.fill(0);
        let slope = degrees.to_radians().tan();
        for (x, y) in &edges {
            let row = y - x * slope + offset;
            if let Some(count) = rows.get_mut(row as usize) {
                *count += 1;
            }
        }
        rows.iter().map(|count| f64::from(*count) * f64::from(*count)).sum()
    };
    let mut best = (score(0.0), 0.0);
    let level = best.0;
    let mut search = |center: f32, reach: f32, step: f32, best: &mut (f64, f32)| {
        let steps = (reach / step).round() as i32;
        for index in -steps..=steps {
            let degrees = center + index as f32 * step;
            let found = score(degrees);
            if found > best.0 {
                *best = (found, degrees);
            }
        }
    };
    search(0.0, DEGREES_MAX, COARSE_DEGREES, &mut best);
    let coarse = best.1;
    search(coarse, COARSE_DEGREES, FINE_DEGREES, &mut best);
    if best.0 > level * GAIN_MIN { best.1 } else { 0.0 }
}

/// Where ink ends downwards, in target pixels; enough points for the angle, not more.
fn lower_edges(page: &PageImage, scale: (f32, f32)) -> Vec<(f32, f32)> {
    const POINTS_MAX: usize = 150_000;
    /// A row of this much ink is the fax machine's: level however the paper lay, and more of it than any line of print.
    const STREAK_PERCENT_MIN: usize = 90;
    let (width, height) = (page.width as usize, page.height as usize);
    let mut edges = Vec::new();
    let half = width as f32 / 2.0;
    for y in 0..height.saturating_sub(1) {
        let row = &page.gray[y * width..(y + 1) * width];
        let below = &page.gray[(y + 1) * width..(y + 2) * width];
        if row.iter().filter(|pixel| **pixel < DARK).count() * 100 > width * STREAK_PERCENT_MIN {
            continue;
        }
        for (x, (here, under)) in row.iter().zip(below).enumerate() {
            if *here < DARK && *under >= DARK {
                edges.push(((x as f32 - half) * scale.0, y as f32 * scale.1));
            }
        }
    }
    let every = edges.len().div_ceil(POINTS_MAX).max(1);
    edges.into_iter().step_by(every).collect()
}

/// Squares the pixels and levels the lines in one bilinear resampling; what comes from outside the page is white.
fn resample(page: &PageImage, scale: (f32, f32), degrees: f32) -> (u32, u32, Vec<u8>) {
    let width = ((page.width as f32 * scale.0).round() as u32).max(1);
    let height = ((page.height as f32 * scale.1).round() as u32).max(1);
    if degrees == 0.0 && (width, height) == (page.width, page.height) {
        return (width, height, page.gray.clone());
    }
    (width, height, sampled(page, scale, degrees, (width, height), [0, 0, width, height]))
}

/// A part of a page as it came, specks and all, squared and levelled as the whole page was: left, top, right, bottom in its pixels.
#[must_use]
pub fn cut_out(page: &PageImage, prepared: &Prepared, part: [u32; 4]) -> Vec<u8> {
    let scale = (prepared.dpi / page.dpi.0, prepared.dpi / page.dpi.1);
    sampled(page, scale, -prepared.turned_degrees, (prepared.width, prepared.height), part)
}

fn sampled(page: &PageImage, scale: (f32, f32), degrees: f32, (width, height): (u32, u32), part: [u32; 4]) -> Vec<u8> {
    let [left, top, right, bottom] = part;
    let (sin, cos) = degrees.to_radians().sin_cos();
    let (center_x, center_y) = (width as f32 / 2.0, height as f32 / 2.0);
    let mut gray = Vec::with_capacity((right.saturating_sub(left) as usize) * (bottom.saturating_sub(top) as usize));
    for y in top..bottom {
        let dy = y as f32 + 0.5 - center_y;
        for x in left..right {
            let dx = x as f32 + 0.5 - center_x;
            let source_x = (center_x + dx * cos - dy * sin) / scale.0 - 0.5;
            let source_y = (center_y + dx * sin + dy * cos) / scale.1 - 0.5;
            gray.push(bilinear(page, source_x, source_y));
        }
    }
    gray
}

fn bilinear(page: &PageImage, x: f32, y: f32) -> u8 {
    let (left, top) = (floor(x), floor(y));
    let around = four(page, left, top);
    let [first, ..] = around;
    // Most of a page is white.
    if around == [first; 4] {
        return first;
    }
    let (share_x, share_y) = (x - left as f32, y - top as f32);
    let [upper_left, upper_right, lower_left, lower_right] = around.map(f32::from);
    let upper = upper_left * (1.0 - share_x) + upper_right * share_x;
    let lower = lower_left * (1.0 - share_x) + lower_right * share_x;
    (upper * (1.0 - share_y) + lower * share_y + 0.5) as u8
}

/// As `f32::floor`, which is a call into a library on processors of a certain age.
fn floor(number: f32) -> i32 {
    let whole = number as i32;
    whole - i32::from(whole as f32 > number)
}

/// A pixel, the one right of it, and the two below; what is outside of the page is white.
fn four(page: &PageImage, left: i32, top: i32) -> [u8; 4] {
    let (width, height) = (page.width as i32, page.height as i32);
    if left >= 0 && top >= 0 && left + 1 < width && top + 1 < height {
        let at = top as usize * page.width as usize + left as usize;
        let below = at + page.width as usize;
        if let (Some([a, b]), Some([c, d])) = (page.gray.get(at..at + 2), page.gray.get(below..below + 2)) {
            return [*a, *b, *c, *d];
        }
    }
    let at = |x: i32, y: i32| {
        let inside = x >= 0 && y >= 0 && x < width && y < height;
        if inside { page.gray[y as usize * page.width as usize + x as usize] } else { 255 }
    };
    [at(left, top), at(left + 1, top), at(left, top + 1), at(left + 1, top + 1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A page with bars for lines of text, that sink by so many pixels over its width.
    fn lined(width: u32, height: u32, dpi: (f32, f32), sink: f32) -> PageImage {
        let bar = |x: u32, y: u32| {
            let row = y as f32 - x as f32 / width as f32 * sink;
            row > 60.0 && row < height as f32 - 60.0 && (row as u32 % 40) < 8 && x > 40 && x < width - 40
        };
        let gray = (0..height).flat_map(|y| (0..width).map(move |x| if bar(x, y) { 0 } else { 255 })).collect();
        PageImage { width, height, gray, bilevel: true, dpi, cut_off: false }
    }

    #[test]
    fn a_standard_resolution_page_becomes_as_tall_as_its_paper() {
        let prepared = prepare(&lined(816, 392, (204.0, 98.0), 0.0));
        assert_eq!((prepared.width, prepared.height, prepared.dpi), (816, 816, 204.0));
    }

    #[test]
    fn paper_of_many_feet_is_not_made_larger_than_a_page_may_be() {
        for (width, height, dpi) in [(800, 1000, (4.0, 4.0)), (1, 20_000, (0.12, 0.12))] {
            let prepared = prepare(&lined(width, height, dpi, 0.0));
            assert!(prepared.gray.len() < 50_000_000, "{} by {}", prepared.width, prepared.height);
        }
    }

    #[test]
    fn lines_that_sink_to_the_right_are_levelled() {
        // Two degrees over eight hundred pixels.
        let prepared = prepare(&lined(800, 800, (204.0, 204.0), 28.0));
        assert!((prepared.turned_degrees + 2.0).abs() < 0.15, "turned by {}", prepared.turned_degrees);
        let again = skew_degrees(
            &PageImage { width: 800, height: 800, gray: prepared.gray, bilevel: false, dpi: (204.0, 204.0), cut_off: false },
            (1.0, 1.0),
        );
        assert!(again.abs() < 0.1, "left: {again}");
    }

    #[test]
    fn a_streak_across_the_page_does_not_make_it_level() {
        let mut page = lined(800, 800, (204.0, 204.0), 28.0);
        for y in [90, 400, 401, 700] {
            page.gray[y * 800..(y + 1) * 800].fill(0);
        }
        let degrees = skew_degrees(&page, (1.0, 1.0));
        assert!((degrees - 2.0).abs() < 0.15, "{degrees}");
    }

    #[test]
    fn specks_go_and_full_stops_stay() {
        let mut page =
            PageImage { width: 40, height: 40, gray: vec![255; 1600], bilevel: true, dpi: (204.0, 204.0), cut_off: false };
        page.gray[5 * 40 + 5] = 0;
        for (x, y) in [(20, 20), (21, 20), (20, 21), (21, 21)] {
            page.gray[y * 40 + x] = 0;
        }
        despeckle(&mut page);
        assert_eq!(page.gray.iter().filter(|pixel| **pixel == 0).count(), 4);
    }

    #[test]
    fn a_part_cut_out_is_that_part_of_the_prepared_page() {
        let page = lined(800, 392, (204.0, 98.0), 14.0);
        let prepared = prepare(&page);
        let part = cut_out(&page, &prepared, [100, 200, 140, 210]);
        let rows = prepared.gray.chunks_exact(prepared.width as usize).skip(200).take(10);
        let expected: Vec<u8> = rows.flat_map(|row| row[100..140].to_vec()).collect();
        assert!(part == expected);
    }

    #[test]
    fn four_quarter_turns_are_none() {
        let page = lined(120, 200, (204.0, 98.0), 0.0);
        let turned = (0..4).fold(page.clone(), |page, _| quarter_turns(&page, 1));
        assert!(turned.gray == page.gray && turned.dpi == page.dpi);
        assert_eq!(quarter_turns(&page, 1).dpi, (98.0, 204.0));
        assert!(quarter_turns(&quarter_turns(&page, 1), 2).gray == quarter_turns(&page, 3).gray);
    }
}
