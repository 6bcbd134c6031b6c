//! A PNG or JPEG as a document of one page.

use std::io::Cursor;

use image::{ImageReader, Limits as DecoderLimits};

use super::{Limits, PageImage, PagesError};

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
        let dpi = width.min(height) as f32 / PAGE_WIDTH_INCHES;
        Ok(PageImage::from_rows(width, height, gray, false, (dpi, dpi)))
    }
}

/// Decodes a PNG or JPEG to gray, after a look at its header.
pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<(u32, u32, Vec<u8>), PagesError> {
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
    let gray = reader.decode().map_err(unreadable)?.into_luma8();
    Ok((gray.width(), gray.height(), gray.into_raw()))
}
