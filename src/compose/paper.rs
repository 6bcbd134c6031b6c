//! The sheet of paper that pages are drawn on: US Letter, points from the top left corner, black on white.
//!
//! # Design notes
//! Everything is drawn for a fax at standard resolution, 204 by 98 dots an inch: one row of dots is 0.73 points high, so no stroke is
//! thinner than 1.5 points and nothing is gray. Four solid squares stand in the corners of every page that comes back to us, so that a
//! reader can undo what the scanner did; [`layout`](super::cover_page::layout) says where they and the boxes are.

use std::ops::Range;

use bytes::Bytes;
use krilla::{
    color::luma,
    geom::{PathBuilder, Point, Rect, Size, Transform},
    image::Image,
    metadata::Metadata,
    num::NormalizedF32,
    page::PageSettings,
    paint::{Fill, FillRule, Stroke},
    surface::Surface,
    text::TextDirection,
};
use qrcode::{Color, EcLevel, QrCode};
use rxing::oned::{Code128Writer, OneDimensionalCodeWriter};

use super::typeset::Style;

/// Width of a page in points: US Letter.
pub(super) const PAGE_WIDTH: f32 = 612.0;
/// Height of a page in points.
pub(super) const PAGE_HEIGHT: f32 = 792.0;
/// The left edge of what is written.
pub(super) const LEFT: f32 = 60.0;
/// The right edge of what is written.
pub(super) const RIGHT: f32 = 552.0;

/// The most pixels of a page image that is opened.
const IMAGE_PIXELS_MAX: u64 = 64_000_000;
/// The longest side of a page image that is opened.
const IMAGE_SIDE_PIXELS_MAX: u32 = 20_000;
/// The most bytes that opening a page image may allocate.
const IMAGE_MEMORY_BYTES_MAX: u64 = 268_435_456;

/// A finished PDF.
#[derive(Clone)]
pub struct Document {
    /// The PDF.
    pub bytes: Bytes,
    /// How many pages it has.
    pub pages: u32,
}

impl std::fmt::Debug for Document {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Document").field("bytes", &self.bytes.len()).field("pages", &self.pages).finish()
    }
}

/// Why there is no document. Bad content is no reason: what cannot be drawn is drawn as a replacement.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// The PDF could not be written.
    #[error("a PDF could not be written")]
    Pdf(#[source] krilla::error::KrillaError),
    /// The image of a page cannot be opened.
    #[error("the image of a page cannot be opened")]
    PageImage,
    /// The code does not fit into a QR code of the printed size.
    #[error("a QR code of {characters} characters would be too fine for a fax: {CODE_CHARS_MAX} at most")]
    Code {
        /// How long it is.
        characters: usize,
    },
}

/// The most characters of a code: what a QR code of 33 modules holds at error correction level Q, so that at 36 mm a module is still four
/// rows of a standard-resolution fax high.
pub const CODE_CHARS_MAX: usize = 67;

/// Who we are, on every page, and where answers go.
#[derive(Clone, Copy, Default)]
pub struct PageFace<'a> {
    /// The site's name.
    pub site_name: &'a str,
    /// Whom the page is for, from the directory; absent: what the referral says.
    pub recipient: Option<&'a str>,
    /// The number the page is faxed back to, E.164.
    pub return_fax: Option<&'a str>,
    /// The address an answer can be mailed to.
    pub return_email: Option<&'a str>,
    /// What the QR code says: the reference number, or the reply token that contains it (in capitals, which a QR code packs tighter and a
    /// token is read in any case).
    pub code: Option<&'a str>,
}

/// One page of a referral as it came: an upright PNG with square pixels.
#[derive(Clone)]
pub struct PageImage {
    /// The PNG.
    pub png: Bytes,
}

/// A rectangle on the page, in points from its top left corner.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Area {
    /// Distance of the left edge from the left edge of the page.
    pub left: f32,
    /// Distance of the top edge from the top of the page.
    pub top: f32,
    /// Width.
    pub width: f32,
    /// Height.
    pub height: f32,
}

impl Area {
    /// A square.
    #[must_use]
    pub const fn square(left: f32, top: f32, side: f32) -> Self {
        Self { left, top, width: side, height: side }
    }

    /// The right edge.
    #[must_use]
    pub fn right(&self) -> f32 {
        self.left + self.width
    }

    /// The bottom edge.
    #[must_use]
    pub fn bottom(&self) -> f32 {
        self.top + self.height
    }

    fn rect(&self) -> Rect {
        Rect::from_xywh(self.left, self.top, self.width, self.height).expect("areas are finite and not empty")
    }
}

/// A document that is being drawn.
pub(super) struct Paper {
    pdf: krilla::Document,
    pages: u32,
}

impl Paper {
    /// A new document; `title` is shown by viewers, so it names nobody.
    pub(super) fn new(title: &str, site_name: &str) -> Self {
        let mut pdf = krilla::Document::new();
        pdf.set_metadata(
            Metadata::new()
                .title(title.to_owned())
                .creator("Loopline".to_owned())
                .authors(vec![site_name.to_owned()])
                .language("en-US".to_owned()),
        );
        Self { pdf, pages: 0 }
    }

    /// Draws one page.
    pub(super) fn page(&mut self, draw: impl FnOnce(&mut Sheet<'_>)) {
        let settings = PageSettings::from_wh(PAGE_WIDTH, PAGE_HEIGHT).expect("US Letter is a size");
        let mut page = self.pdf.start_page_with(settings);
        // Surface and page are finished by being dropped, in this order.
        draw(&mut Sheet { surface: page.surface() });
        drop(page);
        self.pages += 1;
    }

    pub(super) fn finish(self) -> Result<Document, ComposeError> {
        let bytes = self.pdf.finish().map_err(ComposeError::Pdf)?;
        Ok(Document { bytes: bytes.into(), pages: self.pages })
    }
}

/// One page that is being drawn.
pub(super) struct Sheet<'a> {
    surface: Surface<'a>,
}

impl Sheet<'_> {
    /// Writes one line from `x`, standing on `baseline`, cut with `…` where it would pass `right`.
    pub(super) fn text(&mut self, style: Style, x: f32, baseline: f32, right: f32, text: &str) {
        let text = style.fit(text, right - x);
        self.write(style, x, baseline, &text);
    }

    /// Writes a text in lines, the first standing on `baseline`, and says where a next line would stand.
    pub(super) fn paragraph(&mut self, style: Style, column: (f32, f32), baseline: f32, lines_max: usize, text: &str) -> f32 {
        let (x, right) = column;
        let mut baseline = baseline;
        for line in style.wrap(text, right - x, lines_max) {
            self.write(style, x, baseline, &line);
            baseline += leading(style);
        }
        baseline
    }

    /// Writes a line that is known to fit.
    pub(super) fn write(&mut self, style: Style, x: f32, baseline: f32, line: &str) {
        if !line.is_empty() {
            self.surface.set_fill(Some(black()));
            self.surface.set_stroke(None);
            self.surface.draw_text(Point::from_xy(x, baseline), style.font(), style.size, line, false, TextDirection::Auto);
        }
    }

    /// A solid black rectangle.
    pub(super) fn solid(&mut self, area: Area) {
        self.surface.set_fill(Some(black()));
        self.surface.set_stroke(None);
        self.path(area);
    }

    /// An empty box to be ticked; its line lies inside `area`.
    pub(super) fn tick_box(&mut self, area: Area) {
        const LINE: f32 = 2.0;
        self.surface.set_fill(None);
        self.surface.set_stroke(Some(Stroke { paint: luma::Color::black().into(), width: LINE, ..Stroke::default() }));
        self.path(Area {
            left: area.left + LINE / 2.0,
            top: area.top + LINE / 2.0,
            width: area.width - LINE,
            height: area.height - LINE,
        });
    }

    /// A line to write on, or a rule between parts.
    pub(super) fn rule(&mut self, left: f32, right: f32, y: f32) {
        self.solid(Area { left, top: y, width: right - left, height: 1.5 });
    }

    fn path(&mut self, area: Area) {
        let mut path = PathBuilder::new();
        path.push_rect(area.rect());
        if let Some(path) = path.finish() {
            self.surface.draw_path(&path);
        }
    }

    /// A QR code that fills `area`; the white margin that it needs is the caller's.
    pub(super) fn qr(&mut self, area: Area, code: &QrModules) {
        let module = area.width / code.side as f32;
        self.surface.set_fill(Some(Fill { rule: FillRule::NonZero, ..black() }));
        self.surface.set_stroke(None);
        let mut path = PathBuilder::new();
        for (row, fields) in code.dark.chunks(code.side).enumerate() {
            // Neighbours are drawn as one bar, a hair higher than its row, so that no renderer leaves white seams.
            for bar in bars(fields) {
                let left = area.left + bar.start as f32 * module;
                let top = area.top + row as f32 * module;
                path.push_rect(Area { left, top, width: bar.len() as f32 * module, height: module + 0.05 }.rect());
            }
        }
        if let Some(path) = path.finish() {
            self.surface.draw_path(&path);
        }
    }

    /// A Code 128 symbol that fills `area`; the white margin of ten modules at its ends is the caller's.
    pub(super) fn bar_code(&mut self, area: Area, text: &str) {
        // A text that Code 128 cannot hold has no symbol: it is a backup, and the text itself stands on the page.
        let Ok(modules) = Code128Writer.encode_oned(text) else { return };
        let module = area.width / modules.len() as f32;
        for bar in bars(&modules) {
            self.solid(Area { left: area.left + bar.start as f32 * module, width: bar.len() as f32 * module, ..area });
        }
    }

    /// A page image, as large as it fits into `area`, in the middle at the top.
    pub(super) fn image(&mut self, area: Area, image: Image) {
        let (width, height) = image.size();
        let scale = (area.width / width as f32).min(area.height / height as f32);
        let Some(size) = Size::from_wh(width as f32 * scale, height as f32 * scale) else { return };
        let left = area.left + (area.width - size.width()) / 2.0;
        self.surface.push_transform(&Transform::from_translate(left, area.top));
        self.surface.draw_image(image, size);
        self.surface.pop();
    }
}

/// Where a row of fields is dark, as ranges.
fn bars(fields: &[bool]) -> Vec<Range<usize>> {
    let mut bars: Vec<Range<usize>> = Vec::new();
    for (column, _) in fields.iter().enumerate().filter(|(_, dark)| **dark) {
        match bars.last_mut() {
            Some(bar) if bar.end == column => bar.end += 1,
            Some(_) | None => bars.push(column..column + 1),
        }
    }
    bars
}

/// The distance from line to line.
pub(super) fn leading(style: Style) -> f32 {
    style.size * 1.3
}

pub(super) fn black() -> Fill {
    Fill { paint: luma::Color::black().into(), opacity: NormalizedF32::ONE, rule: FillRule::NonZero }
}

/// The black and white fields of a QR code.
pub(super) struct QrModules {
    side: usize,
    dark: Vec<bool>,
}

impl QrModules {
    /// A QR code at error correction level Q: a quarter of it may be lost on the way.
    pub(super) fn of(text: &str) -> Result<Self, ComposeError> {
        let text = text.to_ascii_uppercase();
        let too_long = || ComposeError::Code { characters: text.chars().count() };
        if text.chars().count() > CODE_CHARS_MAX {
            return Err(too_long());
        }
        let code = QrCode::with_error_correction_level(&text, EcLevel::Q).map_err(|_| too_long())?;
        Ok(Self { side: code.width(), dark: code.to_colors().into_iter().map(|color| color == Color::Dark).collect() })
    }
}

/// Opens a page image, or says that it cannot be shown.
///
/// The pixels are decoded once here: an image that turns out to be broken while the PDF is written would cost the whole document.
pub(super) fn open_image(page: &PageImage) -> Option<Image> {
    let mut reader = image::ImageReader::with_format(std::io::Cursor::new(&page.png), image::ImageFormat::Png);
    let mut limits = image::Limits::default();
    limits.max_image_width = Some(IMAGE_SIDE_PIXELS_MAX);
    limits.max_image_height = Some(IMAGE_SIDE_PIXELS_MAX);
    limits.max_alloc = Some(IMAGE_MEMORY_BYTES_MAX);
    reader.limits(limits.clone());
    let (width, height) = reader.into_dimensions().ok()?;
    if u64::from(width) * u64::from(height) > IMAGE_PIXELS_MAX {
        return None;
    }
    let mut reader = image::ImageReader::with_format(std::io::Cursor::new(&page.png), image::ImageFormat::Png);
    reader.limits(limits);
    reader.decode().ok()?;
    let bytes: std::sync::Arc<dyn AsRef<[u8]> + Send + Sync> = std::sync::Arc::new(page.png.clone());
    Image::from_png(bytes.into(), false).ok()
}
