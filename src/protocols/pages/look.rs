//! A page from afar: how dark it is, place by place. What stays of it when the same sheet is scanned once more.

use super::Prepared;

/// Below this a pixel counts as ink.
const DARK: u8 = 128;
/// The darkest place.
const DARKEST: f32 = 15.0;
/// The square root of the share of ink times this is a place's darkness: text, which is a tenth ink, is in the middle.
const SCALE: f32 = 24.0;

/// How dark each of so many places across and down is, 0 to 15, row by row.
#[must_use]
pub fn darkness(page: &Prepared, columns: usize, rows: usize) -> Vec<u8> {
    let (width, height) = (page.width as usize, page.height as usize);
    let mut ink = vec![0_u32; columns * rows];
    let mut pixels = vec![0_u32; columns * rows];
    for (y, line) in page.gray.chunks_exact(width.max(1)).enumerate() {
        let row = y * rows / height.max(1);
        for (x, pixel) in line.iter().enumerate() {
            let place = row * columns + x * columns / width;
            if let (Some(ink), Some(pixels)) = (ink.get_mut(place), pixels.get_mut(place)) {
                *ink += u32::from(*pixel < DARK);
                *pixels += 1;
            }
        }
    }
    let dark = |(ink, pixels): (u32, u32)| (SCALE * (ink as f32 / pixels.max(1) as f32).sqrt()).min(DARKEST) as u8;
    ink.into_iter().zip(pixels).map(dark).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dark_half_of_a_page_is_dark() {
        let gray = (0..100 * 60).map(|at| if at % 100 < 50 { 0 } else { 255 }).collect();
        let page = Prepared { width: 100, height: 60, gray, dpi: 204.0, turned_degrees: 0.0, bilevel: true };
        assert_eq!(darkness(&page, 4, 2), [15, 15, 0, 0, 15, 15, 0, 0]);
    }
}
