//! The pages of a TIFF, as fax servers write them: Group 3 and Group 4 in any fill order, one strip or many, one page or many.
//!
//! The `tiff` crate walks the directories and decodes the common compressions; of the fax ones it knows only Group 4, most significant
//! bit first. So those strips are decoded here (TIFF 6.0 section 11; T4Options and FillOrder there).

use std::{cell::RefCell, io::Cursor};

use hayro_ccitt::{DecodeSettings, Decoder as RowSink, DecoderContext, EncodingMode};
use tiff::{
    ColorType,
    decoder::{Decoder, DecodingResult, ifd::Value},
    tags::{CompressionMethod, Tag},
};

use super::{Limits, PageImage, PagesError};

/// Taken where the tags do not tell: fine fax resolution across, and down whatever makes the page as tall as paper is.
const FAX_DPI_ACROSS: f32 = 204.0;

pub(super) struct TiffPages {
    decoder: RefCell<Decoder<Cursor<Vec<u8>>>>,
    count: usize,
    cut_off: bool,
}

impl TiffPages {
    pub(super) fn open(bytes: &[u8], limits: &Limits) -> Result<Self, PagesError> {
        let mut decoder = Decoder::new(Cursor::new(bytes.to_vec())).map_err(|error| cannot_open(&error))?;
        let mut count = 1;
        let mut cut_off = false;
        // One more than the limit is enough to know that it is passed; the crate itself refuses directories that form a loop.
        while decoder.more_images() && count <= limits.pages_max as usize {
            match decoder.next_image() {
                Ok(()) => count += 1,
                Err(_) => {
                    cut_off = true;
                    break;
                }
            }
        }
        Ok(Self { decoder: RefCell::new(decoder), count, cut_off })
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    pub(super) fn cut_off(&self) -> bool {
        self.cut_off
    }

    pub(super) fn page(&self, position: usize, limits: &Limits) -> Result<PageImage, PagesError> {
        let mut decoder = self.decoder.borrow_mut();
        decoder.seek_to_image(position).map_err(|_| PagesError::Unreadable("a TIFF directory cannot be read"))?;
        let (width, height) = decoder.dimensions().map_err(|_| PagesError::Unreadable("a TIFF page has no size"))?;
        limits.check(width, height)?;
        let dpi = resolution(&mut decoder, width, height);
        let compression = unsigned(&mut decoder, Tag::Compression).unwrap_or(1);
        match u16::try_from(compression).ok().and_then(CompressionMethod::from_u16) {
            Some(CompressionMethod::Huffman | CompressionMethod::Fax3 | CompressionMethod::Fax4) => {
                let gray = fax_rows(&mut decoder, width, height, compression)?;
                Ok(PageImage::from_rows(width, height, gray, true, dpi))
            }
            _ => other_rows(&mut decoder, width, height, dpi),
        }
    }
}

fn cannot_open(error: &tiff::TiffError) -> PagesError {
    match error {
        tiff::TiffError::IoError(_) => PagesError::Truncated,
        _ => PagesError::Unreadable("its TIFF directory cannot be read"),
    }
}

fn unsigned(decoder: &mut Decoder<Cursor<Vec<u8>>>, tag: Tag) -> Option<u32> {
    decoder.find_tag_unsigned::<u32>(tag).ok().flatten()
}

/// Pixels an inch, across and down. Where the tags are silent or absurd, a page of usual width in fine or standard resolution.
fn resolution(decoder: &mut Decoder<Cursor<Vec<u8>>>, width: u32, height: u32) -> (f32, f32) {
    /// Half of a coarse fax to twice a good scanner: all else is a mistake.
    const SANE_DPI: std::ops::RangeInclusive<f32> = 40.0..=2_400.0;
    /// The shorter side of paper, in inches, a little more than A3 at most. Programs write 72 or 96 into anything.
    const PAPER_INCHES: std::ops::RangeInclusive<f32> = 2.0..=13.0;
    const CENTIMETERS_AN_INCH: f32 = 2.54;
    let mut tag = |tag| {
        let value = decoder.find_tag(tag).ok().flatten()?;
        number(&value)
    };
    let (across, down) = (tag(Tag::XResolution), tag(Tag::YResolution));
    let unit = if unsigned(decoder, Tag::ResolutionUnit) == Some(3) { CENTIMETERS_AN_INCH } else { 1.0 };
    match (across.map(|dpi| dpi * unit), down.map(|dpi| dpi * unit)) {
        (Some(across), Some(down))
            if SANE_DPI.contains(&across)
                && SANE_DPI.contains(&down)
                && PAPER_INCHES.contains(&(width as f32 / across).min(height as f32 / down)) =>
        {
            (across, down)
        }
        _ => usual_resolution(width, height),
    }
}

/// A resolution in any form that programs write it in; TIFF 6.0 has rationals only.
fn number(value: &Value) -> Option<f32> {
    let ratio = |over: f64, under: f64| (under > 0.0).then_some((over / under) as f32);
    match *value {
        Value::Rational(over, under) => ratio(f64::from(over), f64::from(under)),
        Value::SRational(over, under) => ratio(f64::from(over), f64::from(under)),
        Value::Float(dpi) => Some(dpi),
        Value::Double(dpi) => Some(dpi as f32),
        Value::Short(dpi) => Some(f32::from(dpi)),
        Value::Unsigned(dpi) => Some(dpi as f32),
        _ => None,
    }
}

/// The fax resolution at which a page of this size is nearest to paper (ITU-T T.4, table 2): 1728 pixels across are 8.5 inches.
fn usual_resolution(width: u32, height: u32) -> (f32, f32) {
    /// Half the width of the widest paper, in pixels at 408 dpi.
    const SUPERFINE_WIDTH_MIN: u32 = 3_000;
    let across = if width >= SUPERFINE_WIDTH_MIN { 2.0 * FAX_DPI_ACROSS } else { FAX_DPI_ACROSS };
    let paper = height as f32 / (width as f32 / across);
    // A page of 8.5 inches is 11 inches tall: in lines, 1078 of them standard, 2156 fine, 4301 superfine.
    let down = [98.0, 196.0, 391.0].into_iter().min_by(|one, other| {
        let off = |dpi: &f32| (paper / dpi / (11.0 / 8.5)).ln().abs();
        off(one).total_cmp(&off(other))
    });
    (across, down.unwrap_or(196.0))
}

/// Where the strips of a page are, and how their bits stand.
struct Strips {
    offsets: Vec<u64>,
    lengths: Vec<u64>,
    rows: u32,
    least_significant_bit_first: bool,
    zero_is_black: bool,
    encoding: EncodingMode,
    byte_aligned: bool,
}

impl Strips {
    fn of(decoder: &mut Decoder<Cursor<Vec<u8>>>, height: u32, compression: u32) -> Result<Self, PagesError> {
        if matches!(decoder.find_tag(Tag::TileOffsets), Ok(Some(_))) {
            return Err(PagesError::InTiles);
        }
        let missing = |_| PagesError::Unreadable("a TIFF page has no strips");
        let offsets = decoder.get_tag_u64_vec(Tag::StripOffsets).map_err(missing)?;
        let lengths = decoder.get_tag_u64_vec(Tag::StripByteCounts).map_err(missing)?;
        let two_dimensional = unsigned(decoder, Tag::Unknown(292)).is_some_and(|options| options & 1 == 1);
        let encoding = match (compression, two_dimensional) {
            (4, _) => EncodingMode::Group4,
            (3, true) => EncodingMode::Group3_2D,
            _ => EncodingMode::Group3_1D,
        };
        Ok(Self {
            offsets,
            lengths,
            rows: unsigned(decoder, Tag::RowsPerStrip).unwrap_or(height).clamp(1, height),
            least_significant_bit_first: unsigned(decoder, Tag::FillOrder) == Some(2),
            zero_is_black: unsigned(decoder, Tag::PhotometricInterpretation) == Some(1),
            encoding,
            byte_aligned: compression == 2,
        })
    }
}

fn fax_rows(decoder: &mut Decoder<Cursor<Vec<u8>>>, width: u32, height: u32, compression: u32) -> Result<Vec<u8>, PagesError> {
    let strips = Strips::of(decoder, height, compression)?;
    let file = decoder.inner().get_ref();
    let mut gray = Vec::with_capacity(width as usize * height as usize);
    let mut row = 0;
    for (offset, length) in strips.offsets.iter().zip(&strips.lengths) {
        if row >= height {
            break;
        }
        let rows = strips.rows.min(height - row);
        let (Ok(start), Ok(length)) = (usize::try_from(*offset), usize::try_from(*length)) else { break };
        // A strip that runs past the end of the file gives the rows that are there.
        let Some(data) = file.get(start..).map(|rest| rest.get(..length).unwrap_or(rest)) else { break };
        let reversed: Vec<u8>;
        let data = if strips.least_significant_bit_first {
            reversed = data.iter().map(|byte| byte.reverse_bits()).collect();
            &reversed
        } else {
            data
        };
        let expected = gray.len() + width as usize * rows as usize;
        decode_strip(data, width, rows, &strips, &mut gray);
        row += rows;
        if gray.len() < expected && row < height {
            gray.resize(expected, 255);
        }
    }
    if gray.is_empty() {
        return Err(PagesError::Truncated);
    }
    Ok(gray)
}

/// Appends the rows that can be decoded; a damaged line costs that line or what follows it, never the page.
fn decode_strip(data: &[u8], width: u32, rows: u32, strips: &Strips, gray: &mut Vec<u8>) {
    let settings = DecodeSettings {
        columns: width,
        rows,
        end_of_block: true,
        end_of_line: false,
        rows_are_byte_aligned: strips.byte_aligned,
        encoding: strips.encoding,
        strict: false,
    };
    let (paper, ink) = if strips.zero_is_black { (0, 255) } else { (255, 0) };
    let mut sink = Rows { gray, width: width as usize, paper, ink, left: rows };
    // An error leaves the rows before it in place, and how many there are is seen by the caller.
    hayro_ccitt::decode(data, &mut sink, &mut DecoderContext::new(settings)).ok();
}

struct Rows<'a> {
    gray: &'a mut Vec<u8>,
    width: usize,
    paper: u8,
    ink: u8,
    left: u32,
}

impl RowSink for Rows<'_> {
    fn push_row(&mut self, changes: &[u32]) {
        if self.left == 0 {
            return;
        }
        self.left -= 1;
        let start = self.gray.len();
        self.gray.resize(start + self.width, self.paper);
        for span in changes.chunks(2) {
            let from = span.first().map_or(0, |change| *change as usize);
            let to = span.get(1).map_or(self.width, |change| *change as usize);
            if let Some(run) = self.gray.get_mut(start + from..start + to.min(self.width)) {
                run.fill(self.ink);
            }
        }
    }
}

/// Pages in any other compression, as the `tiff` crate decodes them, brought to gray.
fn other_rows(decoder: &mut Decoder<Cursor<Vec<u8>>>, width: u32, height: u32, dpi: (f32, f32)) -> Result<PageImage, PagesError> {
    const DAMAGED: PagesError = PagesError::Unreadable("a TIFF page cannot be decoded");
    const COLOURS: &str = "a TIFF page is in colours that are not read; scan it in black and white, in gray or in RGB";
    let color = decoder.colortype().map_err(|_| PagesError::Unreadable(COLOURS))?;
    let photometric = unsigned(decoder, Tag::PhotometricInterpretation);
    let data = match (decoder.read_image().map_err(|_| DAMAGED)?, color) {
        (DecodingResult::U8(data), _) => data,
        // Of sixteen bits the eye has no use for more than eight.
        (DecodingResult::U16(data), ColorType::Gray(16)) => data.iter().map(|level| (level >> 8) as u8).collect(),
        _ => return Err(PagesError::Unreadable(COLOURS)),
    };
    let pixels = width as usize * height as usize;
    let gray = match color {
        // The crate turns WhiteIsZero round for whole bytes only.
        ColorType::Gray(1) => unpack_bits(&data, width as usize, height as usize, photometric == Some(0)),
        ColorType::Gray(8 | 16) => data,
        ColorType::GrayA(8) => data.chunks_exact(2).map(|pixel| on_white(pixel[0], pixel[1])).collect(),
        ColorType::RGB(8) => data.chunks_exact(3).map(|pixel| luma(pixel[0], pixel[1], pixel[2])).collect(),
        ColorType::RGBA(8) => data.chunks_exact(4).map(|pixel| on_white(luma(pixel[0], pixel[1], pixel[2]), pixel[3])).collect(),
        _ => return Err(PagesError::Unreadable(COLOURS)),
    };
    if gray.len() < pixels {
        return Err(DAMAGED);
    }
    Ok(PageImage::from_rows(width, height, gray, color == ColorType::Gray(1), dpi))
}

fn unpack_bits(data: &[u8], width: usize, height: usize, zero_is_white: bool) -> Vec<u8> {
    let ink = if zero_is_white { 1 } else { 0 };
    data.chunks_exact(width.div_ceil(8))
        .take(height)
        .flat_map(|row| (0..width).map(move |x| if row[x / 8] >> (7 - x % 8) & 1 == ink { 0 } else { 255 }))
        .collect()
}

/// How bright a colour is to the eye (ITU-R BT.601).
pub(super) fn luma(red: u8, green: u8, blue: u8) -> u8 {
    ((u32::from(red) * 299 + u32::from(green) * 587 + u32::from(blue) * 114) / 1000) as u8
}

/// A pixel that lets white paper through.
pub(super) fn on_white(gray: u8, opaque: u8) -> u8 {
    let (gray, opaque) = (u32::from(gray), u32::from(opaque));
    ((gray * opaque + 255 * (255 - opaque)) / 255) as u8
}

#[cfg(test)]
mod tests {
    use tiff::{
        encoder::{Rational, TiffEncoder, colortype},
        tags::ResolutionUnit,
    };

    use super::*;

    /// A gray page that says its resolution, as scanners write it.
    fn scanned(width: u32, height: u32, dpi: u32) -> PageImage {
        let mut file = Vec::new();
        let mut encoder = TiffEncoder::new(Cursor::new(&mut file)).unwrap();
        let mut image = encoder.new_image::<colortype::Gray8>(width, height).unwrap();
        image.x_resolution(Rational { n: dpi, d: 1 });
        image.y_resolution(Rational { n: dpi, d: 1 });
        image.resolution_unit(ResolutionUnit::Inch);
        image.write_data(&vec![255; width as usize * height as usize]).unwrap();
        let limits = Limits::default();
        TiffPages::open(&file, &limits).unwrap().page(0, &limits).unwrap()
    }

    #[test]
    fn a_page_that_says_its_resolution_is_believed_where_that_gives_paper() {
        assert_eq!(scanned(850, 1100, 100).dpi, (100.0, 100.0));
        assert_eq!(scanned(2550, 3300, 300).dpi, (300.0, 300.0));
        assert_eq!(scanned(1728, 2156, 72).dpi, (204.0, 196.0), "nobody faxes pages of two feet");
    }

    #[test]
    fn a_fax_in_tiles_is_refused_in_true_words() {
        // Width, height, one bit, Group 4, white is 0, and one tile.
        let entries: [(u16, u32); 9] =
            [(256, 256), (257, 256), (258, 1), (259, 4), (262, 0), (322, 256), (323, 256), (324, 8), (325, 4)];
        let mut file = b"II*\0\x0c\0\0\0\0\0\0\0".to_vec();
        file.extend(u16::try_from(entries.len()).unwrap().to_le_bytes());
        for (tag, value) in entries {
            file.extend([tag.to_le_bytes(), 4_u16.to_le_bytes()].concat());
            file.extend([1_u32.to_le_bytes(), value.to_le_bytes()].concat());
        }
        file.extend([0; 4]);
        let limits = Limits::default();
        let refused = TiffPages::open(&file, &limits).unwrap().page(0, &limits).err().unwrap();
        assert!(refused.to_string().contains("in tiles, which are not read"), "{refused}");
    }

    #[test]
    fn a_gray_page_may_have_sixteen_bits() {
        let mut file = Vec::new();
        let mut encoder = TiffEncoder::new(Cursor::new(&mut file)).unwrap();
        let level = |at: usize| if at.is_multiple_of(2) { 0xffff } else { 0x1234 };
        let image = encoder.new_image::<colortype::Gray16>(850, 1100).unwrap();
        image.write_data(&(0..850 * 1100).map(level).collect::<Vec<u16>>()).unwrap();
        let limits = Limits::default();
        let page = TiffPages::open(&file, &limits).unwrap().page(0, &limits).unwrap();
        assert_eq!((page.gray[0], page.gray[1]), (255, 0x12));
    }

    #[test]
    fn what_is_transparent_is_white() {
        assert_eq!((on_white(0, 0), on_white(0, 255), on_white(255, 255), on_white(100, 0)), (255, 0, 255, 255));
    }

    #[test]
    fn a_page_that_does_not_say_its_resolution_gets_the_one_that_makes_it_paper() {
        assert_eq!(usual_resolution(1728, 1078), (204.0, 98.0));
        assert_eq!(usual_resolution(1728, 2156), (204.0, 196.0));
        assert_eq!(usual_resolution(1728, 2750), (204.0, 196.0), "legal");
        assert_eq!(usual_resolution(1728, 4301), (204.0, 391.0));
        assert_eq!(usual_resolution(3456, 4301), (408.0, 391.0));
    }
}
