//! A PNG, JPEG or JPEG 2000 as a document of one page.

use std::io::Cursor;

use hayro_jpeg2000::{DecodeSettings, DecoderContext};
use image::{ImageReader, Limits as DecoderLimits};

use super::{
    Limits, PageImage, PagesError,
    tiff::{luma, on_white},
};

/// Resolution taken for a picture that is as wide as a page; most pictures do not say, and those that do are often wrong.
const PAGE_WIDTH_INCHES: f32 = 8.5;

pub(super) struct Picture {
    bytes: Vec<u8>,
}

impl Picture {
    pub(super) fn open(bytes: &[u8]) -> Self {
        Self { bytes: bytes.to_vec() }
    }

    pub(super) fn page(&self, limits: &Limits) -> Result<PageImage, PagesError> {
        let (width, height, gray) = decode(&self.bytes, limits)?;
        // A fax server's picture has a fax's pixels, which are not square: of what it says, the ratio is believed.
        let ratio = pixel_ratio(&self.bytes).unwrap_or(1.0);
        let across = (width as f32).min(height as f32 * ratio) / PAGE_WIDTH_INCHES;
        let bilevel = gray.iter().all(|pixel| matches!(pixel, 0 | 255));
        let image = PageImage::from_rows(width, height, gray, bilevel, (across, across / ratio));
        let end_is_missing = jpeg_end_is_missing(&self.bytes) || jpeg2000_end_is_missing(&self.bytes);
        Ok(PageImage { cut_off: image.cut_off || end_is_missing, ..image })
    }
}

/// Pixels across and down, from the header of a PNG or JPEG.
#[must_use]
pub fn size(bytes: &[u8]) -> Option<(u32, u32)> {
    ImageReader::new(Cursor::new(bytes)).with_guessed_format().ok()?.into_dimensions().ok()
}

/// Pixels an inch across for each one down: 2 for a standard fax. None: it does not say, or nothing that can be.
fn pixel_ratio(bytes: &[u8]) -> Option<f32> {
    const SANE: std::ops::RangeInclusive<f32> = 0.4..=2.5;
    /// Rounding to whole dots makes this much of a difference.
    const SQUARE: std::ops::RangeInclusive<f32> = 0.95..=1.05;
    let (across, down) = if bytes.starts_with(b"\x89PNG") { png_density(bytes)? } else { jfif_density(bytes)? };
    let ratio = across as f32 / down as f32;
    (SANE.contains(&ratio) && !SQUARE.contains(&ratio)).then_some(ratio)
}

/// The `pHYs` chunk (PNG, 11.3.4.3), which stands before the pixels.
fn png_density(bytes: &[u8]) -> Option<(u32, u32)> {
    const CHUNKS_MAX: usize = 100;
    let number = |at: usize| bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map(u32::from_be_bytes);
    let mut at = 8;
    for _ in 0..CHUNKS_MAX {
        match bytes.get(at + 4..at + 8)? {
            b"pHYs" => return Some((number(at + 8)?, number(at + 12)?)),
            b"IDAT" => return None,
            _ => at = at.checked_add(usize::try_from(number(at)?).ok()?)?.checked_add(12)?,
        }
    }
    None
}

/// The density of a JFIF header (JFIF 1.02), which is the first thing in the file.
fn jfif_density(bytes: &[u8]) -> Option<(u32, u32)> {
    let header = bytes.get(2..18)?;
    if header.get(..2) != Some(&[0xff, 0xe0]) || header.get(4..9) != Some(b"JFIF\0") {
        return None;
    }
    let number = |at: usize| header.get(at..at + 2).and_then(|two| two.try_into().ok()).map(u16::from_be_bytes).map(u32::from);
    Some((number(12)?, number(14)?))
}

/// Whether a JPEG ends without the mark of its end: decoders make gray of what is missing and do not say so. The marks are followed from one
/// to the next (ITU-T T.81, annex B), since a small picture within it has an end of its own.
pub(super) fn jpeg_end_is_missing(bytes: &[u8]) -> bool {
    const START: [u8; 3] = [0xff, 0xd8, 0xff];
    const END: u8 = 0xd9;
    if !bytes.starts_with(&START) {
        return false;
    }
    let mut at = 2;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        // What is compressed has no 0xff but before a zero, a restart mark or another 0xff.
        let next = rest.windows(2).position(|two| two[0] == 0xff && !matches!(two[1], 0 | 0x01 | 0xd0..=0xd8 | 0xff));
        let Some(next) = next else { return true };
        let mark = rest.get(next + 1).copied();
        if mark == Some(END) {
            return false;
        }
        let length = rest.get(next + 2..next + 4).and_then(|two| two.try_into().ok()).map(u16::from_be_bytes);
        let Some(length) = length else { return true };
        at += next + 2 + usize::from(length);
    }
}

/// Whether it is a JPEG 2000: in a file of its own format (ISO/IEC 15444-1, annex I.5.1), or the code stream by itself (annex A.4.1).
pub(super) fn is_jpeg2000(bytes: &[u8]) -> bool {
    const SIGNATURE: &[u8] = b"\0\0\0\x0cjP  \r\n\x87\n";
    const CODE_STREAM: &[u8] = b"\xff\x4f\xff\x51";
    bytes.starts_with(SIGNATURE) || bytes.starts_with(CODE_STREAM)
}

/// Whether a JPEG 2000 ends without the mark of its end (annex A.4.4), which stands nowhere else in what is compressed.
fn jpeg2000_end_is_missing(bytes: &[u8]) -> bool {
    /// Boxes may stand behind it.
    const END_WITHIN_BYTES: usize = 4_096;
    let tail = bytes.get(bytes.len().saturating_sub(END_WITHIN_BYTES)..).unwrap_or(bytes);
    is_jpeg2000(bytes) && !tail.windows(2).any(|two| two == [0xff, 0xd9])
}

/// Decodes a JPEG 2000 to gray, after a look at its header, by the decoder that reads those within a PDF.
fn decode_jpeg2000(bytes: &[u8], limits: &Limits) -> Result<(u32, u32, Vec<u8>), PagesError> {
    let settings = DecodeSettings { resolve_palette_indices: true, strict: false, target_resolution: None };
    let image =
        hayro_jpeg2000::Image::new(bytes, &settings).map_err(|_| PagesError::Unreadable("a JPEG 2000 picture cannot be read"))?;
    let (width, height) = (image.width(), image.height());
    limits.check(width, height)?;
    let (has_alpha, colors) = (image.has_alpha(), usize::from(image.color_space().num_channels()));
    let mut context = DecoderContext::default();
    let decoded =
        image.decode(&mut context).map_err(|_| PagesError::Unreadable("a JPEG 2000 picture cannot be decoded"))?.data_u8();
    let channels = colors + usize::from(has_alpha);
    let gray = decoded.chunks_exact(channels.max(1)).map(|pixel| {
        let (color, opaque) = match pixel.split_last() {
            Some((opaque, color)) if has_alpha => (color, *opaque),
            _ => (pixel, 255),
        };
        let gray = match color {
            [gray] => *gray,
            [red, green, blue] => luma(*red, *green, *blue),
            // Of four inks, black darkens the others.
            [cyan, magenta, yellow, black] => luma(255 - cyan, 255 - magenta, 255 - yellow).saturating_sub(*black),
            _ => 255,
        };
        on_white(gray, opaque)
    });
    let gray: Vec<u8> = gray.collect();
    let is_known = matches!(colors, 1 | 3 | 4) && gray.len() as u64 == u64::from(width) * u64::from(height);
    if is_known { Ok((width, height, gray)) } else { Err(PagesError::Unreadable("a JPEG 2000 picture has colours of its own")) }
}

/// Decodes a PNG, JPEG or JPEG 2000 to gray, after a look at its header.
pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<(u32, u32, Vec<u8>), PagesError> {
    if is_jpeg2000(bytes) {
        return decode_jpeg2000(bytes, limits);
    }
    let unreadable = |_| PagesError::Unreadable("a picture cannot be decoded");
    let reader = || ImageReader::new(Cursor::new(bytes)).with_guessed_format();
    let not_read = |_| PagesError::Unreadable("a picture cannot be read");
    let (width, height) = reader().map_err(not_read)?.into_dimensions().map_err(unreadable)?;
    limits.check(width, height)?;
    let mut reader = reader().map_err(not_read)?;
    let mut decoder_limits = DecoderLimits::default();
    decoder_limits.max_image_width = Some(limits.side_pixels_max);
    decoder_limits.max_image_height = Some(limits.side_pixels_max);
    // Eight bytes a pixel: sixteen bits for each of four channels.
    decoder_limits.max_alloc = Some(limits.pixels_max * 8);
    reader.limits(decoder_limits);
    let image = reader.decode().map_err(unreadable)?;
    if !image.color().has_alpha() {
        return Ok((width, height, image.into_luma8().into_raw()));
    }
    // What is transparent shows the paper.
    let gray = image.into_luma_alpha8().pixels().map(|pixel| on_white(pixel.0[0], pixel.0[1])).collect();
    Ok((width, height, gray))
}

#[cfg(test)]
mod tests {
    use image::{GrayImage, ImageFormat, Luma};

    use super::*;

    /// A JPEG of stripes, in the head of which another one stands.
    fn jpeg() -> Vec<u8> {
        let stripes = GrayImage::from_fn(200, 200, |x, y| Luma([if (x / 7 + y / 9) % 2 == 0 { 0 } else { 255 }]));
        let mut whole = Vec::new();
        stripes.write_to(&mut Cursor::new(&mut whole), ImageFormat::Jpeg).unwrap();
        let small = [&[0xff, 0xe1, 0, 8][..], &[0xff, 0xd8, 0xff, 0xd9, 0, 0]].concat();
        [&whole[..2], &small, &whole[2..]].concat()
    }

    #[test]
    fn a_jpeg_without_its_end_is_cut_off() {
        let whole = jpeg();
        let page = |bytes: &[u8]| Picture::open(bytes).page(&Limits::default());
        assert!(!page(&whole).unwrap().cut_off);
        assert!(!page(&[&whole[..], b"rubbish"].concat()).unwrap().cut_off);
        for percent in [55, 70, 85, 95] {
            assert!(page(&whole[..whole.len() * percent / 100]).unwrap().cut_off, "{percent}");
        }
        assert!(page(&whole[..whole.len() - 2]).unwrap().cut_off);
    }
}
