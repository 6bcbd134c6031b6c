//! A scanned document as a searchable PDF: each page as it was scanned, and behind it the words that were read, where they stand.
//!
//! # Design notes
//! The words are drawn first and the page's image over them: nobody sees them, and every viewer finds, marks and copies them. That needs
//! neither transparency nor invisible text, so the file is PDF/A-2b, which archives take. It names nobody outside its pages.

use jiff::{Timestamp, tz::TimeZone};
use krilla::{
    SerializeSettings,
    configure::{Archival, ConfigurationBuilder},
    geom::{Point, Size, Transform},
    metadata::{DateTime, Metadata},
    page::PageSettings,
    surface::Surface,
    text::TextDirection,
};

use super::{
    paper::{ComposeError, Document, PageImage, black, open_image},
    typeset::Style,
};

/// Points an inch.
const POINTS: f32 = 72.0;
/// How much of a word's box lies below the line it stands on, where it has letters that go below it.
const DESCENT: f32 = 0.2;

/// One page as it was read.
pub struct ScannedPage {
    /// Upright, square pixels.
    pub image: PageImage,
    /// Pixels across and down.
    pub pixels: (u32, u32),
    /// Pixels an inch.
    pub dpi: f32,
    /// What was read on it.
    pub words: Vec<ScannedWord>,
}

/// A word, and where it stands.
pub struct ScannedWord {
    /// Its text.
    pub text: String,
    /// Left, top, right, bottom, in pixels.
    pub bounds: [u32; 4],
}

/// The document as PDF/A-2b. `name` stands in its title, so it must name nobody.
///
/// # Errors
/// [`ComposeError`]: the PDF could not be written, or a page's image cannot be opened.
pub fn document(pages: &[ScannedPage], name: &str, received_at: Timestamp) -> Result<Document, ComposeError> {
    let configuration = ConfigurationBuilder::new().with_archival_validator(Archival::A2_B).finish();
    let configuration = configuration.expect("PDF/A-2b alone contradicts nothing");
    let mut pdf = krilla::Document::new_with(SerializeSettings { configuration, ..SerializeSettings::default() });
    pdf.set_metadata(
        Metadata::new()
            .title(name.to_owned())
            .creator("Loopline".to_owned())
            .language("en-US".to_owned())
            .creation_date(date(received_at)),
    );
    for page in pages {
        let points = |pixels: u32| pixels as f32 * POINTS / page.dpi;
        let image = open_image(&page.image).ok_or(ComposeError::PageImage)?;
        let size = Size::from_wh(points(page.pixels.0), points(page.pixels.1)).ok_or(ComposeError::PageImage)?;
        let settings = PageSettings::from_wh(size.width(), size.height()).ok_or(ComposeError::PageImage)?;
        let mut sheet = pdf.start_page_with(settings);
        let mut surface = sheet.surface();
        for word in &page.words {
            write(&mut surface, word, points);
        }
        surface.draw_image(image, size);
    }
    let bytes = pdf.finish().map_err(ComposeError::Pdf)?;
    Ok(Document { bytes: bytes.into(), pages: pages.len() as u32 })
}

/// Writes a word so that it fills its box.
fn write(surface: &mut Surface<'_>, word: &ScannedWord, points: impl Fn(u32) -> f32) {
    let [left, top, right, bottom] = word.bounds;
    let (width, height) = (points(right.saturating_sub(left)), points(bottom.saturating_sub(top)));
    let style = Style::regular(height);
    let text = style.printable(word.text.trim());
    let natural = if height > 0.0 { style.width(&text) } else { 0.0 };
    if natural <= 0.0 || width <= 0.0 {
        return;
    }
    let baseline = points(bottom) - height * DESCENT;
    surface.push_transform(&Transform::from_row(width / natural, 0.0, 0.0, 1.0, points(left), baseline));
    surface.set_fill(Some(black()));
    surface.set_stroke(None);
    surface.draw_text(Point::from_xy(0.0, 0.0), style.font(), style.size, &text, false, TextDirection::Auto);
    surface.pop();
}

fn date(at: Timestamp) -> DateTime {
    let at = at.to_zoned(TimeZone::UTC);
    let part = |value: i8| value.unsigned_abs();
    DateTime::new(at.year().unsigned_abs())
        .month(part(at.month()))
        .day(part(at.day()))
        .hour(part(at.hour()))
        .minute(part(at.minute()))
        .second(part(at.second()))
        .utc_offset_hour(0)
        .utc_offset_minute(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn white(width: u32, height: u32) -> PageImage {
        let mut png = Vec::new();
        let image = image::GrayImage::from_pixel(width, height, image::Luma([255]));
        image.write_to(&mut std::io::Cursor::new(&mut png), image::ImageFormat::Png).unwrap();
        PageImage { png: png.into() }
    }

    fn page(words: Vec<ScannedWord>) -> ScannedPage {
        ScannedPage { image: white(408, 528), pixels: (408, 528), dpi: 48.0, words }
    }

    #[test]
    fn it_is_an_archive_file_and_equal_pages_give_equal_bytes() {
        let word = || ScannedWord { text: "Quillfeather".to_owned(), bounds: [50, 60, 140, 75] };
        let at: Timestamp = "2026-11-21T17:02:11Z".parse().unwrap();
        let made = || document(&[page(vec![word()]), page(Vec::new())], "message 1", at).unwrap();
        let pdf = made();
        assert_eq!(pdf.pages, 2);
        let text = String::from_utf8_lossy(&pdf.bytes).into_owned();
        assert!(text.contains("<pdfaid:part>2</pdfaid:part>") && text.contains("2026-11-21"), "it says that it is PDF/A-2");
        assert_eq!(pdf.bytes, made().bytes);
    }

    #[test]
    fn a_word_without_room_and_an_image_that_is_none_do_no_harm() {
        let words = vec![
            ScannedWord { text: "flat".to_owned(), bounds: [50, 60, 140, 60] },
            ScannedWord { text: "backwards".to_owned(), bounds: [140, 60, 50, 75] },
            ScannedWord { text: " ".to_owned(), bounds: [50, 60, 140, 75] },
            ScannedWord { text: "李 🦴".to_owned(), bounds: [50, 60, 140, 75] },
        ];
        assert_eq!(document(&[page(words)], "m", Timestamp::UNIX_EPOCH).unwrap().pages, 1);
        let broken = ScannedPage { image: PageImage { png: "no image".into() }, ..page(Vec::new()) };
        assert!(matches!(document(&[broken], "m", Timestamp::UNIX_EPOCH), Err(ComposeError::PageImage)));
    }
}
