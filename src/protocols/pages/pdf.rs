//! The pages of a PDF: the scanned image itself where one image is the page, else the page as it would be printed.
//!
//! Taking the image out is lossless, and keeps the two resolutions of a fax. A page with anything else visible on it (text, lines, a
//! second image, a form's values) is rendered, so that nothing a reader would see is lost.

use hayro::{
    RenderCache, RenderSettings,
    hayro_interpret::{
        InterpreterSettings,
        kurbo::{Affine, Rect as Area},
    },
    hayro_syntax::{
        Filter, LoadPdfError, Pdf,
        content::ops::TypedInstruction,
        object::{
            Array, Dict, Name, Rect, Stream,
            stream::{ImageColorSpace, ImageDecodeParams},
        },
        page::Page,
    },
    vello_cpu::color::palette::css::WHITE,
};

use super::{
    Limits, PageImage, PagesError, embedded, form, picture,
    text::{FormBox, Glyphs, TextLayer},
    tiff::luma,
};

/// What a page that is not one image is rendered at: the resolution of a fine fax, which the recognition is tuned to.
const RENDER_DPI: f32 = 204.0;
const POINTS_AN_INCH: f32 = 72.0;

pub(super) struct PdfPages {
    pdf: Pdf,
}

/// Whether the marks at the end of a PDF are missing (ISO 32000-1, 7.5.5); some writers put rubbish behind them, hence the room. A linearized
/// one has such marks near its beginning as well, and says there how long it is (annex F.2).
pub(super) fn end_is_missing(bytes: &[u8]) -> bool {
    const END_WITHIN_BYTES: usize = 4096;
    let tail = bytes.get(bytes.len().saturating_sub(END_WITHIN_BYTES)..).unwrap_or(bytes);
    !tail.windows(5).any(|window| window == b"%%EOF") || linearized_length(bytes).is_some_and(|length| bytes.len() < length)
}

/// How many bytes a linearized PDF says that it has.
fn linearized_length(bytes: &[u8]) -> Option<usize> {
    const HEAD_BYTES: usize = 1024;
    let head = String::from_utf8_lossy(bytes.get(..HEAD_BYTES.min(bytes.len()))?);
    let (_, dictionary) = head.split_once("/Linearized")?;
    let (dictionary, _) = dictionary.split_once(">>")?;
    let (_, length) = dictionary.split_once("/L ")?;
    length.split_ascii_whitespace().next()?.parse().ok()
}

impl PdfPages {
    /// Opens a PDF; none: it opens and has no pages.
    pub(super) fn open(bytes: &[u8], cut_off: bool) -> Result<Option<Self>, PagesError> {
        match Pdf::new(bytes.to_vec()) {
            Ok(pdf) if pdf.pages().is_empty() => Ok(None),
            Ok(pdf) => Ok(Some(Self { pdf })),
            Err(LoadPdfError::Decryption(_)) => Err(PagesError::Encrypted),
            Err(LoadPdfError::Invalid) if cut_off => Err(PagesError::Truncated),
            Err(LoadPdfError::Invalid) => Ok(None),
        }
    }

    pub(super) fn count(&self) -> usize {
        self.pdf.pages().len()
    }

    /// Whether it is a form whose pages are made by a program in it (XFA): what shows without that program is a request to wait.
    pub(super) fn is_made_by_a_program(&self) -> bool {
        let catalog = self.pdf.xref().get::<Dict<'_>>(self.pdf.xref().root_id());
        catalog.is_some_and(|catalog| catalog.get::<bool>(b"NeedsRendering") == Some(true))
    }

    /// The files within it, and whether there are more than are taken.
    pub(super) fn files(&self, limits: &Limits) -> (Vec<Vec<u8>>, bool) {
        embedded::files(&self.pdf, limits)
    }

    /// The text of a page that is rendered; none: the page is one scanned image, whatever text is hidden under it.
    pub(super) fn text(&self, position: usize, image: &PageImage) -> Option<TextLayer> {
        let page = self.pdf.pages().get(position)?;
        if covering_image(page).is_some() {
            return None;
        }
        let mut glyphs = Glyphs::of(page, to_pixels(page));
        if let Some(values) = values(page, &glyphs)
            && let Some(page) = values.pages().first()
        {
            glyphs.add(Glyphs::of(page, to_pixels(page)));
        }
        let mut layer = glyphs.into_layer(image.width, image.height);
        let on_page = |(area, ticked): (Rect, Option<bool>)| {
            let area = to_pixels(page).transform_rect_bbox(Area::new(area.x0, area.y0, area.x1, area.y1));
            FormBox::on_page(area, ticked, image.width, image.height)
        };
        layer.boxes = form::tick_boxes(page).into_iter().map(on_page).collect();
        layer.over = form::drawn_over(page).into_iter().map(|area| on_page((area, None)).bounds).collect();
        Some(layer)
    }

    pub(super) fn page(&self, position: usize, limits: &Limits) -> Result<PageImage, PagesError> {
        let page = self.pdf.pages().get(position).ok_or(PagesError::Unreadable("it has no such page"))?;
        match covering_image(page) {
            Some(scan) => match extract(&scan, limits)? {
                Some(image) => Ok(image),
                None => render(page, limits),
            },
            None => render(page, limits),
        }
    }
}

/// The one image that is the page, and how it lies on it.
struct Scan<'a> {
    stream: Stream<'a>,
    /// From the unit square of the image to the page as it is looked at, in points, y down: a, b, c, d of the matrix.
    placed: [f32; 4],
}

/// Finds the image when the page shows one image that covers it, and nothing else that can be seen.
fn covering_image<'a>(page: &Page<'a>) -> Option<Scan<'a>> {
    if form::draws_over(page) {
        return None;
    }
    let mut transforms = vec![page.initial_transform(true).as_coeffs()];
    let mut text_is_visible = true;
    let mut found: Option<([f64; 6], Stream<'a>)> = None;
    let mut operations = page.typed_operations();
    while let Some(operation) = operations.next() {
        match operation {
            TypedInstruction::SaveState(_) => transforms.push(*transforms.last()?),
            TypedInstruction::RestoreState(_) if transforms.len() > 1 => transforms.truncate(transforms.len() - 1),
            TypedInstruction::Transform(m) => {
                let matrix = [&m.0, &m.1, &m.2, &m.3, &m.4, &m.5].map(|number| number.as_f64());
                let current = transforms.last_mut()?;
                *current = multiply(*current, matrix);
            }
            TypedInstruction::XObject(name) => {
                let stream = page.resources().get_x_object(name.0)?;
                let is_image = stream.dict().get::<Name<'_>>(b"Subtype").is_some_and(|subtype| &*subtype == b"Image");
                if !is_image || found.is_some() {
                    return None;
                }
                found = Some((*transforms.last()?, stream));
            }
            TypedInstruction::TextRenderingMode(mode) => text_is_visible = mode.0.as_i64() != 3,
            // Scanners put the words they recognized under the image, in rendering mode 3: nobody sees those.
            TypedInstruction::ShowText(_)
            | TypedInstruction::ShowTexts(_)
            | TypedInstruction::NextLineAndShowText(_)
            | TypedInstruction::ShowTextWithParameters(_)
                if !text_is_visible => {}
            other if paints(&other) => return None,
            _ => {}
        }
    }
    let (matrix, stream) = found?;
    covers(page, matrix).then(|| Scan { stream, placed: [matrix[0], matrix[1], matrix[2], matrix[3]].map(|v| v as f32) })
}

/// Whether an operator leaves something on the page.
fn paints(operation: &TypedInstruction<'_, '_>) -> bool {
    matches!(
        operation,
        TypedInstruction::ShowText(_)
            | TypedInstruction::ShowTexts(_)
            | TypedInstruction::NextLineAndShowText(_)
            | TypedInstruction::ShowTextWithParameters(_)
            | TypedInstruction::StrokePath(_)
            | TypedInstruction::CloseAndStrokePath(_)
            | TypedInstruction::FillPathNonZero(_)
            | TypedInstruction::FillPathNonZeroCompatibility(_)
            | TypedInstruction::FillPathEvenOdd(_)
            | TypedInstruction::FillAndStrokeNonZero(_)
            | TypedInstruction::FillAndStrokeEvenOdd(_)
            | TypedInstruction::CloseFillAndStrokeNonZero(_)
            | TypedInstruction::CloseFillAndStrokeEvenOdd(_)
            | TypedInstruction::Shading(_)
            | TypedInstruction::InlineImage(_)
    )
}

fn multiply(a: [f64; 6], b: [f64; 6]) -> [f64; 6] {
    [
        a[0] * b[0] + a[2] * b[1],
        a[1] * b[0] + a[3] * b[1],
        a[0] * b[2] + a[2] * b[3],
        a[1] * b[2] + a[3] * b[3],
        a[0] * b[4] + a[2] * b[5] + a[4],
        a[1] * b[4] + a[3] * b[5] + a[5],
    ]
}

/// Whether an image placed so fills the page, straight, and does not stand out over its edges.
fn covers(page: &Page<'_>, matrix: [f64; 6]) -> bool {
    /// Fax servers leave a margin, or let the image stand out a little.
    const SHARE_OF_SIDE: std::ops::RangeInclusive<f64> = 0.85..=1.05;
    /// Off the axes by so little that it makes no row of pixels.
    const SLANT_POINTS_MAX: f64 = 0.2;
    let (width, height) = page.render_dimensions();
    let [a, b, c, d, ..] = matrix.map(f64::abs);
    let (across, down, slant) = if a + d >= b + c { (a, d, b.max(c)) } else { (c, b, a.max(d)) };
    slant <= SLANT_POINTS_MAX
        && SHARE_OF_SIDE.contains(&(across / f64::from(width)))
        && SHARE_OF_SIDE.contains(&(down / f64::from(height)))
}

/// Decodes the image, turned as it lies on the page. None: it is of a kind that is better rendered.
fn extract(scan: &Scan<'_>, limits: &Limits) -> Result<Option<PageImage>, PagesError> {
    let dict = scan.stream.dict();
    if dict.contains_key(b"SMask") || dict.contains_key(b"Mask") || dict.get::<bool>(b"ImageMask") == Some(true) {
        return Ok(None);
    }
    let (Some(width), Some(height)) = (dict.get::<u32>(b"Width"), dict.get::<u32>(b"Height")) else {
        return Ok(None);
    };
    limits.check(width, height)?;
    let Some((width, height, mut gray, bilevel)) = decode(&scan.stream, width, height, limits)? else { return Ok(None) };
    if decode_array_inverts(dict) {
        for pixel in &mut gray {
            *pixel = 255 - *pixel;
        }
    }
    let image = PageImage::from_rows(width, height, gray, bilevel, (RENDER_DPI, RENDER_DPI));
    let image = PageImage { cut_off: image.cut_off || is_cut_off(&scan.stream), ..image };
    Ok(Some(place(image, scan.placed)))
}

/// Whether an image is a JPEG whose end is missing.
fn is_cut_off(stream: &Stream<'_>) -> bool {
    matches!(stream.filters().as_slice(), [Filter::DctDecode]) && picture::jpeg_end_is_missing(&stream.raw_data())
}

/// Decode `[1 0]` on a gray image: black and white change places.
fn decode_array_inverts(dict: &Dict<'_>) -> bool {
    let Some(decode) = dict.get::<Array<'_>>(b"Decode") else { return false };
    let mut values = decode.iter::<f32>();
    matches!((values.next(), values.next()), (Some(low), Some(high)) if low > high)
}

type Rows = (u32, u32, Vec<u8>, bool);

fn decode(stream: &Stream<'_>, width: u32, height: u32, limits: &Limits) -> Result<Option<Rows>, PagesError> {
    let bits = stream.dict().get::<u8>(b"BitsPerComponent");
    let gray = is_gray(stream.dict());
    match stream.filters().as_slice() {
        [Filter::CcittFaxDecode] if gray => {
            let columns = ccitt_columns(stream.dict());
            limits.check(columns, height)?;
            decode_bilevel(stream, width, height)
        }
        [Filter::Jbig2Decode] if gray => {
            let data = stream.raw_data();
            let settings = hayro_jbig2::DecodeSettings::default();
            let page = hayro_jbig2::Page::new_embedded(&data, None, &settings)
                .map_err(|_| PagesError::Unreadable("a JBIG2 image cannot be read"))?;
            limits.check(page.width(), page.height())?;
            decode_bilevel(stream, width, height)
        }
        [Filter::DctDecode] if is_gray_or_rgb(stream.dict()) => {
            let (width, height, gray) = picture::decode(&stream.raw_data(), limits)?;
            Ok(Some((width, height, gray, false)))
        }
        [Filter::FlateDecode | Filter::LzwDecode] if gray && matches!(bits, Some(1 | 8)) => {
            Ok(decode_packed(stream, width, height, bits == Some(1)))
        }
        _ => Ok(None),
    }
}

fn decode_bilevel(stream: &Stream<'_>, width: u32, height: u32) -> Result<Option<Rows>, PagesError> {
    let parameters = ImageDecodeParams { bpc: Some(1), num_components: Some(1), width, height, ..Default::default() };
    let decoded = stream.decoded_image(&parameters).map_err(|_| PagesError::Unreadable("a scanned page cannot be decoded"))?;
    let Some(image) = decoded.image_data else { return Ok(None) };
    if image.bits_per_component != 8 || !matches!(image.color_space, Some(ImageColorSpace::Gray)) {
        return Ok(None);
    }
    Ok(Some((image.width, image.height, decoded.data.into_owned(), true)))
}

/// Rows of one or eight bits a pixel that were only compressed.
fn decode_packed(stream: &Stream<'_>, width: u32, height: u32, one_bit: bool) -> Option<Rows> {
    let decoded = stream.decoded_data().ok()?;
    let (width_pixels, height_pixels) = (width as usize, height as usize);
    let gray: Vec<u8> = if one_bit {
        decoded
            .chunks_exact(width_pixels.div_ceil(8))
            .take(height_pixels)
            .flat_map(|row| (0..width_pixels).map(move |x| if row[x / 8] >> (7 - x % 8) & 1 == 1 { 255 } else { 0 }))
            .collect()
    } else {
        decoded.get(..width_pixels * height_pixels).unwrap_or(&decoded).to_vec()
    };
    Some((width, height, gray, one_bit))
}

fn is_gray(dict: &Dict<'_>) -> bool {
    dict.get::<Name<'_>>(b"ColorSpace").is_some_and(|name| matches!(&*name, b"DeviceGray" | b"G" | b"CalGray"))
}

fn is_gray_or_rgb(dict: &Dict<'_>) -> bool {
    is_gray(dict) || dict.get::<Name<'_>>(b"ColorSpace").is_some_and(|name| matches!(&*name, b"DeviceRGB" | b"RGB"))
}

/// The width that a CCITT stream itself claims (ISO 32000-1, table 11): memory is taken by it, whatever the image says.
fn ccitt_columns(dict: &Dict<'_>) -> u32 {
    const COLUMNS_WHEN_ABSENT: u32 = 1728;
    let parameters = dict
        .get::<Dict<'_>>(b"DecodeParms")
        .or_else(|| dict.get::<Array<'_>>(b"DecodeParms").and_then(|array| array.iter::<Dict<'_>>().next()));
    parameters.and_then(|parameters| parameters.get::<u32>(b"Columns")).unwrap_or(COLUMNS_WHEN_ABSENT)
}

/// Turns the image as it lies on the page, and works out its resolution from the size it is placed at.
fn place(image: PageImage, [a, b, c, d]: [f32; 4]) -> PageImage {
    // Where the image's own right and down point to on the page; the unit square's y runs up, so down is minus (c, d).
    let sideways = b.abs() > a.abs();
    let (flip_across, flip_down) = if sideways { (c > 0.0, b < 0.0) } else { (a < 0.0, d > 0.0) };
    let mut image = if sideways { transpose(&image) } else { image };
    if flip_across {
        image.gray.chunks_exact_mut(image.width as usize).for_each(<[u8]>::reverse);
    }
    if flip_down {
        image.gray = image.gray.chunks_exact(image.width as usize).rev().flatten().copied().collect();
    }
    let (across, down) = if sideways { (c.abs(), b.abs()) } else { (a.abs(), d.abs()) };
    image.dpi = (image.width as f32 * POINTS_AN_INCH / across.max(1.0), image.height as f32 * POINTS_AN_INCH / down.max(1.0));
    image
}

fn transpose(image: &PageImage) -> PageImage {
    let (width, height) = (image.width as usize, image.height as usize);
    let gray = (0..width).flat_map(|x| (0..height).map(move |y| image.gray[y * width + x])).collect();
    PageImage { width: image.height, height: image.width, gray, ..*image }
}

/// From the page's own space to the pixels of its rendering.
fn to_pixels(page: &Page<'_>) -> Affine {
    Affine::scale(f64::from(RENDER_DPI / POINTS_AN_INCH)) * Affine::new(page.initial_transform(true).as_coeffs())
}

/// The form values that the page does not show, as a PDF that does.
fn values(page: &Page<'_>, glyphs: &Glyphs) -> Option<Pdf> {
    let to_pixels = to_pixels(page);
    let shown = |area: Rect| glyphs.within(to_pixels.transform_rect_bbox(Area::new(area.x0, area.y0, area.x1, area.y1)));
    Pdf::new(form::values_not_shown(page, shown)?).ok()
}

fn render(page: &Page<'_>, limits: &Limits) -> Result<PageImage, PagesError> {
    let cut_off = check_images(page, limits)?;
    let mut image = rendered(page, limits)?;
    image.cut_off |= cut_off;
    if form::draws_over(page)
        && let Some(values) = values(page, &Glyphs::of(page, to_pixels(page)))
        && let Some(page) = values.pages().first()
    {
        let over = rendered(page, limits)?;
        for (pixel, ink) in image.gray.iter_mut().zip(over.gray) {
            *pixel = (*pixel).min(ink);
        }
    }
    Ok(image)
}

/// The renderer unpacks an image before it scales it down, whatever its size. Says whether the end of one is missing.
fn check_images(page: &Page<'_>, limits: &Limits) -> Result<bool, PagesError> {
    let mut cut_off = false;
    let mut operations = page.typed_operations();
    while let Some(operation) = operations.next() {
        let TypedInstruction::XObject(name) = operation else { continue };
        let Some(stream) = page.resources().get_x_object(name.0) else { continue };
        if let (Some(width), Some(height)) = (stream.dict().get::<u32>(b"Width"), stream.dict().get::<u32>(b"Height"))
            && width > 0
            && height > 0
        {
            limits.check(width, height)?;
        }
        cut_off |= is_cut_off(&stream);
    }
    Ok(cut_off)
}

fn rendered(page: &Page<'_>, limits: &Limits) -> Result<PageImage, PagesError> {
    let (width, height) = page.render_dimensions();
    let scale = RENDER_DPI / POINTS_AN_INCH;
    if !(width.is_finite() && height.is_finite()) {
        return Err(PagesError::PageTooLarge);
    }
    // The renderer panics on sizes beyond 16 bits, and takes four bytes a pixel.
    limits.check((width * scale) as u32, (height * scale) as u32)?;
    if width.max(height) * scale > f32::from(u16::MAX) {
        return Err(PagesError::PageTooLarge);
    }
    let settings = hayro::PixmapSettings { x_scale: scale, y_scale: scale, bg_color: WHITE };
    let pixmap = hayro::render(page, &RenderCache::new(), &InterpreterSettings::default(), &RenderSettings::default(), &settings);
    let gray = pixmap.data_as_u8_slice().chunks_exact(4).map(|pixel| luma(pixel[0], pixel[1], pixel[2])).collect();
    let (width, height) = (u32::from(pixmap.width()), u32::from(pixmap.height()));
    Ok(PageImage::from_rows(width, height, gray, false, (RENDER_DPI, RENDER_DPI)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linearized_document_that_is_cut_off_behind_its_first_marks_is_cut_off() {
        let begin = "%PDF-1.3\n3 0 obj\n<< /Linearized 1 /L 160 /H [ 561 121 ] /O 6 /E 90 /N 1 /T 99 >>\nendobj\n%%EOF\n";
        let whole = format!("{begin}{}%%EOF\n", " ".repeat(160 - 6 - begin.len()));
        assert!(!end_is_missing(whole.as_bytes()));
        assert!(end_is_missing(&whole.as_bytes()[..120]) && end_is_missing(begin.as_bytes()));
        assert!(!end_is_missing(b"%PDF-1.3\n1 0 obj\n<< /L 99999 >>\nendobj\n%%EOF\n"), "another key of that name");
    }

    /// A PDF whose page shows a picture, over the whole page or on a part of it.
    fn showing(picture: &[u8], side: u32) -> Vec<u8> {
        let head = format!(
            "%PDF-1.4\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n2 0 obj\n<< /Type /Pages /Kids [3 0 R] /Count 1 >>\nendobj\n\
             3 0 obj\n<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] /Contents 4 0 R /Resources << /XObject << /I 5 0 R >> >> >>\n\
             endobj\n4 0 obj\n<< /Length 40 >>\nstream\n{:<40}\nendstream\nendobj\n5 0 obj\n<< /Type /XObject /Subtype /Image \
             /Width 200 /Height 200 /ColorSpace /DeviceGray /BitsPerComponent 8 /Filter /DCTDecode /Length {} >>\nstream\n",
            format!("q {side} 0 0 {side} 0 0 cm /I Do Q"),
            picture.len(),
        );
        [head.as_bytes(), picture, b"\nendstream\nendobj\ntrailer << /Root 1 0 R >>\n%%EOF\n"].concat()
    }

    #[test]
    fn a_page_with_a_jpeg_without_its_end_is_cut_off() {
        let stripes = image::GrayImage::from_fn(200, 200, |x, y| image::Luma([if (x / 7 + y / 9) % 2 == 0 { 0 } else { 255 }]));
        let mut whole = Vec::new();
        stripes.write_to(&mut std::io::Cursor::new(&mut whole), image::ImageFormat::Jpeg).unwrap();
        for side in [200, 90] {
            let cut_off = |picture: &[u8]| {
                let pages = PdfPages::open(&showing(picture, side), false).unwrap().unwrap();
                pages.page(0, &Limits::default()).unwrap().cut_off
            };
            assert!(!cut_off(&whole), "{side}");
            assert!(cut_off(&whole[..whole.len() * 7 / 10]), "{side}");
        }
    }
}
