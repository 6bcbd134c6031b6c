//! The stored image of a page as black and white dots, and pieces of it set upright.

use std::io::Cursor;

use bytes::Bytes;
use image::{ImageFormat, ImageReader, Limits};

use super::marks::Placement;
use crate::compose::cover_page::layout::Area;

/// The longest side of a page image that is looked at, in pixels.
const SIDE_PIXELS_MAX: u32 = 12_000;
/// The most pixels of a page image that is looked at, six bytes each: two sheets of Letter side by side at 300 dots an inch.
const PIXELS_MAX: u64 = 20_000_000;
/// Below this a pixel counts as ink.
const DARK: u8 = 128;

/// Dots a point of a [`Patch`]: a little finer than a fax.
pub(super) const DOTS: f32 = 3.0;

/// A page in black and white.
pub(super) struct Bitmap {
    pub(super) width: i32,
    pub(super) height: i32,
    dark: Vec<bool>,
    /// How many dots are dark above and to the left of each place.
    sums: Vec<u32>,
}

impl Bitmap {
    /// Decodes a page image; none: it is none, or larger than any.
    pub(super) fn of_png(png: &[u8]) -> Option<Self> {
        let mut reader = ImageReader::with_format(Cursor::new(png), ImageFormat::Png);
        let mut limits = Limits::default();
        limits.max_image_width = Some(SIDE_PIXELS_MAX);
        limits.max_image_height = Some(SIDE_PIXELS_MAX);
        // The stored images have one byte a pixel at most.
        limits.max_alloc = Some(PIXELS_MAX);
        reader.limits(limits);
        let gray = reader.decode().ok()?.into_luma8();
        let (width, height) = (gray.width() as usize, gray.height() as usize);
        let dark: Vec<bool> = gray.as_raw().iter().map(|pixel| *pixel < DARK).collect();
        let mut sums = vec![0_u32; (width + 1) * (height + 1)];
        for y in 0..height {
            let mut row = 0;
            for x in 0..width {
                row += u32::from(dark[y * width + x]);
                sums[(y + 1) * (width + 1) + x + 1] = sums[y * (width + 1) + x + 1] + row;
            }
        }
        Some(Self { width: width as i32, height: height as i32, dark, sums })
    }

    /// Whether the dot at this place is dark; there is none outside the page.
    pub(super) fn is_dark(&self, x: i32, y: i32) -> bool {
        (0..self.width).contains(&x) && (0..self.height).contains(&y) && self.dark[(y * self.width + x) as usize]
    }

    /// The share of dots that are dark.
    pub(super) fn ink(&self) -> f64 {
        f64::from(self.dark_in(0, 0, self.width, self.height)) / self.dark.len().max(1) as f64
    }

    /// How many dots of a rectangle are dark.
    pub(super) fn dark_in(&self, left: i32, top: i32, right: i32, bottom: i32) -> i32 {
        let (left, right) = (left.clamp(0, self.width), right.clamp(0, self.width));
        let (top, bottom) = (top.clamp(0, self.height), bottom.clamp(0, self.height));
        if left >= right || top >= bottom {
            return 0;
        }
        let at = |x: i32, y: i32| i64::from(self.sums[(y * (self.width + 1) + x) as usize]);
        (at(right, bottom) + at(left, top) - at(right, top) - at(left, bottom)) as i32
    }
}

/// A rectangle of our page, set upright and to scale, whatever scanners and fax machines did to it.
pub(super) struct Patch {
    pub(super) width: i32,
    pub(super) height: i32,
    dark: Vec<bool>,
}

impl Patch {
    /// Cuts out an area of the page.
    pub(super) fn of(page: &Bitmap, placement: &Placement, area: Area) -> Self {
        let (width, height) = ((area.width * DOTS).round() as i32, (area.height * DOTS).round() as i32);
        let dots = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        let dark = dots.map(|(x, y)| {
            let (x, y) = placement.at(area.left + (x as f32 + 0.5) / DOTS, area.top + (y as f32 + 0.5) / DOTS);
            page.is_dark(x.floor() as i32, y.floor() as i32)
        });
        Self { dark: dark.collect(), width, height }
    }

    pub(super) fn is_dark(&self, x: i32, y: i32) -> bool {
        (0..self.width).contains(&x) && (0..self.height).contains(&y) && self.dark[(y * self.width + x) as usize]
    }

    /// Which share of the dots of a rectangle is dark.
    pub(super) fn share(&self, left: i32, top: i32, right: i32, bottom: i32) -> f32 {
        let dots = (top..bottom).flat_map(|y| (left..right).map(move |x| (x, y)));
        let dark = dots.filter(|(x, y)| self.is_dark(*x, *y)).count();
        dark as f32 / ((right - left) * (bottom - top)).max(1) as f32
    }

    /// As a PNG with one bit a dot.
    pub(super) fn png(&self) -> Bytes {
        let mut encoded = Vec::new();
        let mut encoder = png::Encoder::new(&mut encoded, self.width.max(1) as u32, self.height.max(1) as u32);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.set_depth(png::BitDepth::One);
        let packed: Vec<u8> = self
            .dark
            .chunks_exact(self.width.max(1) as usize)
            .flat_map(|row| {
                row.chunks(8).map(|dots| {
                    dots.iter().zip([128, 64, 32, 16, 8, 4, 2, 1]).map(|(dark, bit)| if *dark { 0 } else { bit }).sum()
                })
            })
            .collect();
        let written = encoder.write_header().and_then(|mut writer| writer.write_image_data(&packed));
        written.expect("the rows are as many and as long as the sizes say, and memory can be written to");
        Bytes::from(encoded)
    }
}
