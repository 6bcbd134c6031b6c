//! Whether bytes look like a document, and like a whole one.
//!
//! # Design notes
//! A scanner may pause for longer than any delay one would wait for. Time alone cannot tell a pause from the end, but the formats can:
//! a PDF ends in `%%EOF`, a PNG in `IEND`, a JPEG and a JPEG 2000 in their end mark, and a TIFF says where its pages lie. A document that looks
//! unfinished is waited for longer, and taken as it is in the end: to refuse it is not for the door to decide.

/// How many bytes of a file tell what it is: PDF readers look for `%PDF-` so far into it.
pub(super) const HEAD_BYTES: usize = 1_024;
/// How far from the end of a file its end mark may stand.
const TAIL_BYTES: usize = 2_048;
/// The most pages of a TIFF that are looked at.
const PAGES_MAX: usize = 10_000;

/// Whether a file that begins like this is a PDF, TIFF, PNG, JPEG or JPEG 2000.
pub(super) fn is_document(head: &[u8]) -> bool {
    is_pdf(head) || Tiff::of(head).is_some() || is_big_tiff(head) || is_png(head) || is_jpeg(head) || is_jpeg2000(head)
}

/// Whether it looks finished. What is no document is as whole as it will be, unless it is empty.
pub(super) fn is_whole(content: &[u8]) -> bool {
    if content.is_empty() {
        return false;
    }
    if is_pdf(content) {
        return ends_with(content, b"%%EOF");
    }
    if is_png(content) {
        return ends_with(content, b"IEND");
    }
    if is_jpeg(content) || is_jpeg2000(content) {
        // The mark ends the thumbnail in its header too, which is not near the end of a whole file.
        return ends_with(content, b"\xff\xd9");
    }
    Tiff::of(content).is_none_or(|tiff| tiff.is_whole())
}

fn is_pdf(content: &[u8]) -> bool {
    let head = content.get(..HEAD_BYTES).unwrap_or(content);
    head.windows(5).any(|window| window == b"%PDF-")
}

fn is_png(head: &[u8]) -> bool {
    head.starts_with(b"\x89PNG\r\n\x1a\n")
}

fn is_jpeg(head: &[u8]) -> bool {
    head.starts_with(b"\xff\xd8\xff")
}

/// In a file of its own format, or the code stream by itself (ISO/IEC 15444-1, annexes I.5.1 and A.4.1).
fn is_jpeg2000(head: &[u8]) -> bool {
    head.starts_with(b"\0\0\0\x0cjP  \r\n\x87\n") || head.starts_with(b"\xff\x4f\xff\x51")
}

/// Whether a mark stands near the end: some writers put rubbish behind it.
fn ends_with(content: &[u8], mark: &[u8]) -> bool {
    let tail = content.get(content.len().saturating_sub(TAIL_BYTES)..).unwrap_or(content);
    tail.windows(mark.len()).any(|window| window == mark)
}

fn is_big_tiff(head: &[u8]) -> bool {
    head.starts_with(b"II+\0") || head.starts_with(b"MM\0+")
}

/// A classic TIFF (TIFF 6.0, section 2), read only as far as to see where its parts end.
struct Tiff<'a> {
    bytes: &'a [u8],
    little_endian: bool,
}

const STRIP_OFFSETS: u16 = 273;
const STRIP_BYTE_COUNTS: u16 = 279;
const TILE_OFFSETS: u16 = 324;
const TILE_BYTE_COUNTS: u16 = 325;

impl<'a> Tiff<'a> {
    fn of(bytes: &'a [u8]) -> Option<Self> {
        match bytes.get(..4)? {
            b"II*\0" => Some(Self { bytes, little_endian: true }),
            b"MM\0*" => Some(Self { bytes, little_endian: false }),
            _ => None,
        }
    }

    fn u16(&self, at: usize) -> Option<u16> {
        let bytes = self.bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if self.little_endian { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    }

    fn u32(&self, at: usize) -> Option<usize> {
        let bytes = self.bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        let value = if self.little_endian { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) };
        usize::try_from(value).ok()
    }

    fn is_whole(&self) -> bool {
        let Some(mut directory) = self.u32(4).filter(|offset| *offset > 0) else { return false };
        for _ in 0..PAGES_MAX {
            match self.page(directory) {
                None => return false,
                Some(0) => return true,
                Some(next) => directory = next,
            }
        }
        true
    }

    /// Checks that a page lies within the file, and says where the next one's directory is.
    fn page(&self, directory: usize) -> Option<usize> {
        let entries = usize::from(self.u16(directory)?);
        let (mut offsets, mut counts) = (Vec::new(), Vec::new());
        for entry in (0..entries).map(|index| directory + 2 + index * 12) {
            match self.u16(entry)? {
                STRIP_OFFSETS | TILE_OFFSETS => offsets = self.values(entry)?,
                STRIP_BYTE_COUNTS | TILE_BYTE_COUNTS => counts = self.values(entry)?,
                _ => {}
            }
        }
        let inside = |(offset, count): (&usize, &usize)| offset.checked_add(*count).is_some_and(|end| end <= self.bytes.len());
        if !offsets.iter().zip(&counts).all(inside) {
            return None;
        }
        self.u32(directory + 2 + entries * 12)
    }

    /// The values of an entry of type SHORT or LONG.
    fn values(&self, entry: usize) -> Option<Vec<usize>> {
        let width = match self.u16(entry + 2)? {
            3 => 2,
            4 => 4,
            _ => return Some(Vec::new()),
        };
        let count = self.u32(entry + 4)?;
        let at = if count.checked_mul(width)? <= 4 { entry + 8 } else { self.u32(entry + 8)? };
        // Refused before anything is allocated for it.
        self.bytes.get(at..at.checked_add(count.checked_mul(width)?)?)?;
        (0..count)
            .map(|index| at + index * width)
            .map(|at| if width == 2 { self.u16(at).map(usize::from) } else { self.u32(at) })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiff() -> Vec<u8> {
        picture(image::ImageFormat::Tiff)
    }

    fn picture(format: image::ImageFormat) -> Vec<u8> {
        let image = image::GrayImage::from_fn(400, 300, |x, y| image::Luma([(x * y % 251) as u8]));
        let mut bytes = std::io::Cursor::new(Vec::new());
        image.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn a_picture_that_breaks_off_is_not_whole() {
        for format in [image::ImageFormat::Png, image::ImageFormat::Jpeg] {
            let whole = picture(format);
            assert!(is_document(&whole) && is_whole(&whole));
            assert!(!is_whole(whole.get(..whole.len() / 2).unwrap()));
        }
    }

    #[test]
    fn a_document_is_known_by_its_first_bytes() {
        assert!(is_document(b"%PDF-1.4\n"));
        assert!(is_document(b"\xEF\xBB\xBF  junk before %PDF-1.4\n"));
        assert!(is_document(&tiff()));
        assert!(is_document(b"MM\0*\0\0\0\x08"));
        assert!(!is_document(b"GIF89a"));
        for jpeg2000 in [&b"\0\0\0\x0cjP  \r\n\x87\n and so on"[..], b"\xff\x4f\xff\x51\0\x29 and so on"] {
            assert!(is_document(jpeg2000) && !is_whole(jpeg2000) && is_whole(&[jpeg2000, &b"\xff\xd9"[..]].concat()));
        }
        assert!(!is_document(b""));
    }

    #[test]
    fn a_document_that_breaks_off_anywhere_is_not_whole() {
        let whole = tiff();
        assert!(is_whole(&whole));
        for length in 0..whole.len() - 1 {
            let cut = whole.get(..length).unwrap();
            assert!(!is_whole(cut) || !is_document(cut), "cut at {length}");
        }
        assert!(is_whole(b"%PDF-1.4\n1 0 obj\n%%EOF\n"));
        assert!(!is_whole(b"%PDF-1.4\n1 0 obj\n"));
    }

    #[test]
    fn a_tiff_that_lies_about_its_size_or_goes_in_circles_ends() {
        let mut circle = b"II*\0\x08\0\0\0".to_vec();
        circle.extend([0, 0, 8, 0, 0, 0]);
        assert!(is_whole(&circle), "its directory names itself as the next");
        let mut huge = b"II*\0\x08\0\0\0\x01\0".to_vec();
        huge.extend([0x11, 0x01, 4, 0, 0xFF, 0xFF, 0xFF, 0xFF, 8, 0, 0, 0, 0, 0, 0, 0]);
        assert!(!is_whole(&huge));
    }
}
