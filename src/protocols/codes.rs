//! QR and Code 128 symbols on a gray page image.
//!
//! # Design notes
//! On faxed pages one pass misses symbols that a light blur and another threshold bring back (118 of 120 read with the variants below),
//! so the page is tried as it is, then in variants, until something is found. Most pages have no symbol, and looking through one costs as
//! much as a tenth of the recognition of its text; so what a symbol of its kind cannot do without is looked for before, at a hundredth.

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

/// The symbols on a page; nothing more is looked for once one is found. A QR code comes before a Code 128: where both say who we are, the
/// first says more.
#[must_use]
pub fn codes(gray: &[u8], width: u32, height: u32) -> Vec<Code> {
    if gray.len() != width as usize * height as usize || gray.is_empty() {
        return Vec::new();
    }
    let (across, softened) = (width as usize, blur(gray, width as usize, height as usize, 1));
    let (plain, clean) = (threshold(gray, 128), threshold(&softened, 128));
    let qr_code = || {
        if !may_hold_a_qr_code(&plain, across) && !may_hold_a_qr_code(&clean, across) {
            return None;
        }
        let read = |page: &[u8]| read(page, width, height, BarcodeFormat::QR_CODE);
        read(gray).or_else(|| read(&clean)).or_else(|| {
            let coarse = blur(gray, across, height as usize, 2);
            let variants = [(&softened, 100), (&softened, 160), (&coarse, 128), (&coarse, 160)];
            variants.into_iter().find_map(|(page, level)| read(&threshold(page, level)))
        })
    };
    let bar_code = || {
        if !may_hold_a_bar_code(&plain, across) && !may_hold_a_bar_code(&clean, across) {
            return None;
        }
        let read = |page: &[u8]| read(page, width, height, BarcodeFormat::CODE_128);
        read(gray).or_else(|| read(&clean))
    };
    qr_code().or_else(bar_code).into_iter().collect()
}

fn threshold(gray: &[u8], level: u8) -> Vec<u8> {
    gray.iter().map(|pixel| if *pixel < level { 0 } else { 255 }).collect()
}

fn read(gray: &[u8], width: u32, height: u32, format: BarcodeFormat) -> Option<Code> {
    let formats = Some([format].into_iter().collect());
    let mut hints = DecodeHints { TryHarder: Some(true), PossibleFormats: formats, ..DecodeHints::default() };
    let found = detect_in_luma_slice_with_hints(gray, width, height, None, &mut hints).ok()?;
    let symbology = match found.getBarcodeFormat() {
        BarcodeFormat::QR_CODE => Symbology::Qr,
        BarcodeFormat::CODE_128 => Symbology::Code128,
        _ => return None,
    };
    let text: String = found.getText().chars().take(TEXT_CHARACTERS_MAX).collect();
    (!text.is_empty()).then_some(Code { symbology, text })
}

/// Whether enough rows cross what may be a finder pattern: dark and light runs of 1:1:3:1:1 modules, on a page of black and white; and some of
/// them where a column does so too, which the strokes of letters hardly do.
fn may_hold_a_qr_code(clean: &[u8], width: usize) -> bool {
    /// A symbol of 20 mm at 204 dpi has modules of five pixels.
    const MODULE_PIXELS_MIN: usize = 3;
    /// The three patterns of such a symbol have three such rows a module each.
    const ROWS_MIN: usize = 9;
    /// Noise may part the columns of most rows.
    const CROSSED_MIN: usize = 2;
    let (mut rows, mut crossed) = (0, 0);
    let mut runs: Vec<usize> = Vec::new();
    for (y, row) in clean.chunks_exact(width).enumerate() {
        runs.clear();
        runs.extend(row.chunk_by(|a, b| a == b).map(<[u8]>::len));
        let starts_dark = row.first() == Some(&0);
        let (mut left, mut hit, mut is_crossed) = (0, false, false);
        for (index, run) in runs.windows(5).enumerate() {
            let module = run.iter().sum::<usize>() / 7;
            if (index % 2 == 0) == starts_dark && module >= MODULE_PIXELS_MIN && is_finder(run, module) {
                hit = true;
                let column = left + run[0] + run[1] + run[2] / 2;
                is_crossed = is_crossed || is_finder(&runs_across(clean, width, (column, y), 5 * module), module);
            }
            left += run[0];
        }
        rows += usize::from(hit);
        crossed += usize::from(is_crossed);
        if rows >= ROWS_MIN && crossed >= CROSSED_MIN {
            return true;
        }
    }
    false
}

/// Whether five runs are as those of a finder pattern with modules of so many pixels.
fn is_finder(runs: &[usize], module: usize) -> bool {
    let near = |length: usize, modules: usize| (length * 2).abs_diff(module * modules * 2) <= module * modules;
    runs.iter().zip([1, 1, 3, 1, 1]).all(|(length, modules)| near(*length, modules))
}

/// The five runs of a column around a dark pixel: two above the one that it is in, and two below. None is followed further than so many pixels.
fn runs_across(clean: &[u8], width: usize, (column, row): (usize, usize), longest: usize) -> [usize; 5] {
    let is_dark = |y: usize| clean.get(y * width + column).map(|pixel| *pixel == 0);
    // The rest of the run that it is in, and the two behind it.
    let along = |ys: &mut dyn Iterator<Item = usize>| {
        let (mut runs, mut at, mut dark) = ([0; 3], 0, true);
        for is_so in ys.map_while(is_dark) {
            (at, dark) = (at + usize::from(is_so != dark), is_so);
            match runs.get_mut(at) {
                Some(run) if *run <= longest => *run += 1,
                _ => break,
            }
        }
        runs
    };
    let (above, below) = (along(&mut (0..row).rev()), along(&mut (row + 1..)));
    [above[2], above[1], above[0] + 1 + below[0], below[1], below[2]]
}

/// Whether bars stand on some rows, so many beside each other as a Code 128 symbol of a few characters has, on a page of black and white.
/// Lines of text have as many strokes, but none of them is so high; the rules of a table are as high, but fewer.
fn may_hold_a_bar_code(clean: &[u8], width: usize) -> bool {
    /// A symbol of ten characters has forty.
    const BARS_MIN: usize = 24;
    /// A symbol of 5 mm is forty pixels high at 204 dpi.
    const ROWS: usize = 4;
    const ROWS_APART: usize = 12;
    const STEP: usize = 6;
    let rows: Vec<&[u8]> = clean.chunks_exact(width).collect();
    let begins = |row: &[u8]| -> Vec<usize> {
        let dark_after_light = |(x, pair): (usize, &[u8])| (pair[0] != 0 && pair[1] == 0).then_some(x);
        row.windows(2).enumerate().filter_map(dark_after_light).collect()
    };
    let last = rows.len().saturating_sub((ROWS - 1) * ROWS_APART);
    (0..last).step_by(STEP).any(|top| {
        let mut bars = begins(rows[top]);
        for row in (1..ROWS).map(|index| rows[top + index * ROWS_APART]) {
            if bars.len() < BARS_MIN {
                return false;
            }
            // On a page that is not quite level a bar goes a pixel aside.
            let goes_on = |x: &usize| bars.get(bars.partition_point(|bar| bar + 1 < *x)).is_some_and(|bar| *bar <= x + 1);
            bars = begins(row).into_iter().filter(goes_on).collect();
        }
        bars.len() >= BARS_MIN
    })
}

/// Box blur, across and then down.
fn blur(gray: &[u8], width: usize, height: usize, radius: usize) -> Vec<u8> {
    let mut across = vec![255; gray.len()];
    let full = 2 * radius + 1;
    for (row, out) in gray.chunks_exact(width).zip(across.chunks_exact_mut(width)) {
        let mean = |x: usize| {
            let window = &row[x.saturating_sub(radius)..(x + radius + 1).min(width)];
            (window.iter().map(|pixel| u32::from(*pixel)).sum::<u32>() / window.len() as u32) as u8
        };
        // Between the edges each window is as wide as the one before: quick to go through.
        let inner = radius.min(width)..width.saturating_sub(radius).max(radius.min(width));
        for (window, out) in row.windows(full).zip(&mut out[inner.clone()]) {
            *out = divided(window.iter().map(|pixel| u16::from(*pixel)).sum(), full);
        }
        (0..inner.start).chain(inner.end..width).for_each(|x| out[x] = mean(x));
    }
    let mut both = vec![255; gray.len()];
    let mut sums = vec![0_u16; width];
    for (y, out) in both.chunks_exact_mut(width).enumerate() {
        let (first, last) = (y.saturating_sub(radius), (y + radius).min(height - 1));
        sums.fill(0);
        for row in across[first * width..(last + 1) * width].chunks_exact(width) {
            for (sum, pixel) in sums.iter_mut().zip(row) {
                *sum += u16::from(*pixel);
            }
        }
        for (out, sum) in out.iter_mut().zip(&sums) {
            *out = divided(*sum, last + 1 - first);
        }
    }
    both
}

/// The mean of so many pixels. A division by a number that is known beforehand is a multiplication.
#[inline(always)]
fn divided(sum: u16, count: usize) -> u8 {
    let mean = match count {
        3 => sum / 3,
        5 => sum / 5,
        other => sum / u16::try_from(other).unwrap_or(u16::MAX).max(1),
    };
    mean as u8
}

#[cfg(test)]
mod tests {
    use qrcode::{EcLevel, QrCode};

    use super::*;

    /// A page with a QR code whose modules are so many pixels, and every so many-th pixel of it turned round.
    fn page(module: usize, noise_every: usize) -> (Vec<u8>, u32) {
        let code = QrCode::with_error_correction_level("LL-7K3M-Q9XD", EcLevel::Q).unwrap();
        let (modules, side) = (code.width(), 800);
        let colors = code.to_colors();
        let mut gray = vec![255; side * side];
        for y in 0..modules * module {
            for x in 0..modules * module {
                if colors[y / module * modules + x / module] == qrcode::Color::Dark {
                    gray[(y + 200) * side + x + 200] = 0;
                }
            }
        }
        for pixel in gray.iter_mut().step_by(noise_every) {
            *pixel = 255 - *pixel;
        }
        (gray, side as u32)
    }

    #[test]
    fn a_qr_code_is_read_clean_and_through_noise() {
        for noise_every in [usize::MAX, 23, 11] {
            let (gray, side) = page(8, noise_every);
            let codes = codes(&gray, side, side);
            assert_eq!(
                codes.iter().map(|code| (code.symbology, code.text.as_str())).collect::<Vec<_>>(),
                [(Symbology::Qr, "LL-7K3M-Q9XD")]
            );
        }
    }

    #[test]
    fn rows_of_letters_are_no_qr_code_and_a_finder_pattern_may_be_one() {
        // The strokes of these letters are 4, 4, 12, 4, 4 wide, and 40 high.
        let side = 1000;
        let stroke = |x: usize| matches!(x % 44, 0..4 | 8..20 | 24..28);
        let letters: Vec<u8> =
            (0..side * side).map(|at| if stroke(at % side) && at / side % 60 < 40 { 0 } else { 255 }).collect();
        assert!(!may_hold_a_qr_code(&letters, side));
        for module in [4, 5, 8] {
            let (gray, side) = page(module, usize::MAX);
            assert!(may_hold_a_qr_code(&gray, side as usize), "{module}");
        }
    }

    /// A page with a Code 128 symbol of 12 mm, noise on it, and not level by so many pixels over its width.
    fn bars(noise_every: usize, sink: f32) -> (Vec<u8>, u32) {
        use rxing::oned::{Code128Writer, OneDimensionalCodeWriter};
        let modules = Code128Writer.encode_oned("LL-7K3M-Q9XD").unwrap();
        let side = 1000;
        let mut gray = vec![255; side * side];
        for x in 0..modules.len() * 4 {
            let down = (x as f32 * sink / side as f32) as usize;
            for y in (0..96).filter(|_| modules[x / 4]) {
                // What turns sinks to the right, and leans to the left as much.
                let lean = (y as f32 * sink / side as f32) as usize;
                gray[(y + down + 300) * side + x + 100 - lean] = 0;
            }
        }
        for pixel in gray.iter_mut().step_by(noise_every) {
            *pixel = 255 - *pixel;
        }
        (gray, side as u32)
    }

    #[test]
    fn a_bar_code_is_read_clean_through_noise_and_not_quite_level() {
        for (noise_every, sink) in [(usize::MAX, 0.0), (23, 0.0), (usize::MAX, 20.0), (37, 10.0)] {
            let (gray, side) = bars(noise_every, sink);
            let codes = codes(&gray, side, side);
            let found: Vec<_> = codes.iter().map(|code| (code.symbology, code.text.as_str())).collect();
            assert_eq!(found, [(Symbology::Code128, "LL-7K3M-Q9XD")], "{noise_every} {sink}");
        }
    }

    #[test]
    fn rows_of_letters_and_the_rules_of_a_table_are_no_bar_code() {
        let side = 1000;
        let mut gray = vec![255_u8; side * side];
        for (at, pixel) in gray.iter_mut().enumerate() {
            let (x, y) = (at % side, at / side);
            let stroke = y % 34 < 22 && (x + y / 34 * 5) % 11 < 3;
            let rule = x % 60 < 3;
            *pixel = if stroke || rule { 0 } else { 255 };
        }
        assert!(!may_hold_a_bar_code(&gray, side));
        let (gray, side) = bars(usize::MAX, 0.0);
        assert!(may_hold_a_bar_code(&gray, side as usize));
    }

    #[test]
    fn a_blurred_pixel_is_the_mean_of_those_around_it() {
        let (width, height) = (7, 5);
        let gray: Vec<u8> = (0..35_u32).map(|at| (at * 37 % 256) as u8).collect();
        for radius in [1, 2, 4] {
            let across = |x: usize, y: usize| {
                let window = &gray[y * width + x.saturating_sub(radius)..y * width + (x + radius + 1).min(width)];
                window.iter().map(|pixel| usize::from(*pixel)).sum::<usize>() / window.len()
            };
            let expected: Vec<u8> = (0..35)
                .map(|at| {
                    let rows = (at / width).saturating_sub(radius)..(at / width + radius + 1).min(height);
                    (rows.clone().map(|y| across(at % width, y)).sum::<usize>() / rows.len()) as u8
                })
                .collect();
            assert!(blur(&gray, width, height, radius) == expected, "radius {radius}");
        }
    }

    #[test]
    fn a_page_without_symbols_has_none() {
        assert!(codes(&vec![255; 400 * 400], 400, 400).is_empty());
        assert!(codes(&[], 0, 0).is_empty());
    }
}
