//! Page images: the bytes of a PDF, TIFF, PNG, JPEG or JPEG 2000 in, one gray bitmap a page out, sizes checked before anything is decoded.
//!
//! Whatever arrives here may be hostile. What can be refused from a header is refused from it; what cannot (a compressed stream that
//! grows without end) is left to the limits of the process that runs this, so call it from a process that has some.
//!
//! # Design notes
//! PDFs are parsed, extracted from and rendered by one parser (hayro's). A second one for the extraction alone would give hostile
//! files two chances, and two answers to "how many pages".

mod embedded;
mod form;
mod look;
mod notes;
mod pdf;
mod picture;
mod prepare;
mod text;
mod tiff;

pub use look::darkness;
pub use picture::size as picture_size;
pub use prepare::{Prepared, cut_out, prepare, quarter_turns, unchanged};
pub use text::{FormBox, TextLayer, TextWord};

/// What a document may cost. Checked against headers, before the decoding.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of the document.
    pub bytes_max: u64,
    /// Pages of one document; those beyond are not looked at.
    pub pages_max: u32,
    /// Pixels of one page.
    pub pixels_max: u64,
    /// Pixels of the longer side of a page.
    pub side_pixels_max: u32,
}

impl Default for Limits {
    /// Room for a legal-size page at 600 dpi, and for any fax.
    fn default() -> Self {
        Self { bytes_max: 67_108_864, pages_max: 200, pixels_max: 48_000_000, side_pixels_max: 20_000 }
    }
}

impl Limits {
    /// Whether a bitmap of this size may be made.
    fn check(&self, width: u32, height: u32) -> Result<(), PagesError> {
        if width == 0 || height == 0 {
            return Err(PagesError::Unreadable("a page image has no pixels"));
        }
        if width.max(height) > self.side_pixels_max || u64::from(width) * u64::from(height) > self.pixels_max {
            return Err(PagesError::PageTooLarge);
        }
        Ok(())
    }
}

/// Why a document, or one page of it, gives no bitmap. The text never tells of the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PagesError {
    /// No bytes.
    #[error("the document is empty (0 bytes)")]
    Empty,
    /// Not a format that is read here.
    #[error("the document is not a PDF, TIFF, PNG, JPEG or JPEG 2000: print it to a PDF, or ask the sender to")]
    NotADocument,
    /// It needs a password.
    #[error("the document is protected by a password: ask the sender for one without")]
    Encrypted,
    /// The end is missing, and too much with it.
    #[error("the document is cut off: ask the sender to send it again")]
    Truncated,
    /// More bytes than are read.
    #[error("the document is larger than the limit")]
    TooLarge,
    /// A page larger than is read.
    #[error("a page is larger than the limit")]
    PageTooLarge,
    /// A fax of which each page is stored in tiles.
    #[error(
        "the pages of this TIFF are stored in tiles, which are not read in this compression: ask the sender for one in strips, or a PDF"
    )]
    InTiles,
    /// Broken in some other way.
    #[error("the document is damaged: {0}")]
    Unreadable(&'static str),
}

impl PagesError {
    /// A stable word for it.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Empty => "empty-document",
            Self::NotADocument => "not-a-document",
            Self::Encrypted => "encrypted",
            Self::Truncated => "truncated",
            Self::TooLarge => "document-too-large",
            Self::PageTooLarge => "page-too-large",
            Self::InTiles => "in-tiles",
            Self::Unreadable(_) => "unreadable",
        }
    }
}

/// One page as it was scanned: not squared, not straightened, perhaps upside down.
#[derive(Clone)]
pub struct PageImage {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// One byte a pixel, row by row, 0 black to 255 white.
    pub gray: Vec<u8>,
    /// Whether it was stored with one bit a pixel.
    pub bilevel: bool,
    /// Pixels an inch across and down; a standard-resolution fax has 204 and 98.
    pub dpi: (f32, f32),
    /// Whether rows are missing at its end.
    pub cut_off: bool,
}

impl PageImage {
    /// An image from decoded rows; what is missing of the last ones is white.
    fn from_rows(width: u32, height: u32, mut gray: Vec<u8>, bilevel: bool, dpi: (f32, f32)) -> Self {
        let pixels = width as usize * height as usize;
        let cut_off = gray.len() < pixels;
        gray.resize(pixels, 255);
        Self { width, height, gray, bilevel, dpi, cut_off }
    }
}

/// Whether bytes are of a format that is read here.
#[must_use]
pub fn is_document(bytes: &[u8]) -> bool {
    Format::of(bytes).is_some()
}

/// An opened document.
pub struct Document {
    kind: Kind,
    limits: Limits,
    /// Whether the file's end is missing: pages may be missing too, though some could be read.
    cut_off: bool,
}

enum Kind {
    Pdf(pdf::PdfPages),
    Tiff(Box<tiff::TiffPages>),
    Picture(picture::Picture),
    /// It opens, and has no page.
    NoPages,
}

impl Document {
    /// Opens a document by its content; a name or a media type is not asked.
    ///
    /// # Errors
    /// [`PagesError`]: nothing of it can be read.
    pub fn open(bytes: &[u8], limits: Limits) -> Result<Self, PagesError> {
        if bytes.is_empty() {
            return Err(PagesError::Empty);
        }
        if bytes.len() as u64 > limits.bytes_max {
            return Err(PagesError::TooLarge);
        }
        let mut cut_off = false;
        let kind = match Format::of(bytes).ok_or(PagesError::NotADocument)? {
            Format::Pdf => {
                cut_off = pdf::end_is_missing(bytes);
                pdf::PdfPages::open(bytes, cut_off)?.map_or(Kind::NoPages, Kind::Pdf)
            }
            Format::Tiff => Kind::Tiff(Box::new(tiff::TiffPages::open(bytes, &limits)?)),
            Format::Picture => Kind::Picture(picture::Picture::open(bytes)),
        };
        Ok(Self { kind, limits, cut_off })
    }

    /// How many pages it has, whatever the limit says.
    #[must_use]
    pub fn page_count(&self) -> usize {
        match &self.kind {
            Kind::Pdf(pages) => pages.count(),
            Kind::Tiff(pages) => pages.count(),
            Kind::Picture(_) => 1,
            Kind::NoPages => 0,
        }
    }

    /// Whether the end of the file is missing, so that later pages may be.
    #[must_use]
    pub fn cut_off(&self) -> bool {
        self.cut_off || matches!(&self.kind, Kind::Tiff(pages) if pages.cut_off())
    }

    /// Whether its pages are made by a program in it, and cannot be shown.
    #[must_use]
    pub fn is_made_by_a_program(&self) -> bool {
        matches!(&self.kind, Kind::Pdf(pages) if pages.is_made_by_a_program())
    }

    /// The files within it, unpacked, and whether there are more, or larger ones, than are taken.
    #[must_use]
    pub fn files(&self) -> (Vec<Vec<u8>>, bool) {
        match &self.kind {
            Kind::Pdf(pages) => pages.files(&self.limits),
            Kind::Tiff(_) | Kind::Picture(_) | Kind::NoPages => (Vec::new(), false),
        }
    }

    /// The text that the page at this position carries as text, placed on its image; none: it is a picture of a page.
    #[must_use]
    pub fn text(&self, position: usize, image: &PageImage) -> Option<TextLayer> {
        match &self.kind {
            Kind::Pdf(pages) => pages.text(position, image),
            Kind::Tiff(_) | Kind::Picture(_) | Kind::NoPages => None,
        }
    }

    /// The page at this position, from 0.
    ///
    /// # Errors
    /// [`PagesError`]: this page cannot be shown; others may.
    pub fn page(&self, position: usize) -> Result<PageImage, PagesError> {
        match &self.kind {
            Kind::Pdf(pages) => pages.page(position, &self.limits),
            Kind::Tiff(pages) => pages.page(position, &self.limits),
            Kind::Picture(picture) => picture.page(&self.limits),
            Kind::NoPages => Err(PagesError::Unreadable("it has no such page")),
        }
    }
}

#[derive(Clone, Copy)]
enum Format {
    Pdf,
    Tiff,
    Picture,
}

impl Format {
    /// How far into the file `%PDF-` may stand: mail gateways and fax servers put their own lines before it.
    const PDF_HEADER_WITHIN_BYTES: usize = 1024;

    fn of(bytes: &[u8]) -> Option<Self> {
        if [b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"].iter().any(|magic| bytes.starts_with(*magic)) {
            return Some(Self::Tiff);
        }
        if bytes.starts_with(b"\x89PNG\r\n\x1a\n") || bytes.starts_with(b"\xff\xd8\xff") || picture::is_jpeg2000(bytes) {
            return Some(Self::Picture);
        }
        let head = bytes.get(..Self::PDF_HEADER_WITHIN_BYTES).unwrap_or(bytes);
        head.windows(5).any(|window| window == b"%PDF-").then_some(Self::Pdf)
    }
}
