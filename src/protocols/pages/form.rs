//! Form fields and notes of a PDF page (ISO 32000-1, 12.7 and 12.5): what they say and the page itself does not show.
//!
//! A filled form keeps each value twice: as a value, and as the drawing of it. Programs that fill forms often write the value alone and
//! leave the drawing to the viewer (`NeedAppearances`). A renderer draws drawings, so such a value would be lost. Here it is written into
//! its field on a page of our own, to be laid over the rendered one. So is what is written on the page as an annotation ([`notes`]).

use std::fmt::Write;

use super::notes;

use hayro::hayro_syntax::{
    object::{Array, Dict, Name, Object, Rect, Stream, String as PdfString},
    page::{Page, Rotation},
};

/// Fields of one page that are looked at.
const FIELDS_MAX: usize = 5_000;
/// How far up a field's parents are asked for what it inherits.
const PARENTS_MAX: usize = 16;
/// Characters of one value that are shown.
const CHARACTERS_MAX: usize = 4_000;
/// Annotation flags (table 165): hidden, not viewed.
const HIDDEN: u32 = 0b10_0010;

/// Whether anything is drawn over the page's own content, or should be: form fields, stamps, notes.
pub(super) fn draws_over(page: &Page<'_>) -> bool {
    annotations(page).any(|annotation| {
        let subtype = annotation.get::<Name<'_>>(b"Subtype");
        let quiet = subtype.as_ref().is_some_and(|name| matches!(name.as_ref(), b"Link" | b"Popup"));
        let said = || inherited::<Object<'_>>(&annotation, b"V").is_some() || notes::text(&annotation).is_some();
        !quiet && (annotation.contains_key(b"AP") || said())
    })
}

pub(super) fn annotations<'a>(page: &Page<'a>) -> impl Iterator<Item = Dict<'a>> + use<'a> {
    let hidden = |annotation: &Dict<'_>| annotation.get::<u32>(b"F").unwrap_or(0) & HIDDEN != 0;
    let all = page.raw().get::<Array<'a>>(b"Annots");
    all.into_iter().flat_map(|all| all.iter::<Dict<'a>>()).take(FIELDS_MAX).filter(move |annotation| !hidden(annotation))
}

/// A page with the values that the page does not show, as a PDF; none: it shows them all. `shown` gives the text within a rectangle of
/// the page, without spaces.
pub(super) fn values_not_shown(page: &Page<'_>, shown: impl Fn(Rect) -> String) -> Option<Vec<u8>> {
    let mut content = String::new();
    let mut foot = notes::Foot::of(page);
    for field in annotations(page) {
        if field.get::<Name<'_>>(b"Subtype").is_none_or(|subtype| subtype.as_ref() != b"Widget") {
            notes::write(&mut content, &mut foot, &field, &shown);
            continue;
        }
        let Some(area) = field.get::<Rect>(b"Rect").filter(|area| area.width() > 1.0 && area.height() > 1.0) else { continue };
        let kind = inherited::<Name<'_>>(&field, b"FT");
        match kind.as_deref() {
            Some(b"Tx" | b"Ch") => {
                let value = text_value(&field);
                let solid: String = value.chars().filter(|c| !c.is_whitespace()).collect();
                if !solid.is_empty() && !shown(area).contains(&solid) {
                    write_value(&mut content, area, &value);
                }
            }
            Some(b"Btn") if is_on(&field) && !has_appearance(&field) => write_value(&mut content, area, "X"),
            _ => {}
        }
    }
    (!content.is_empty()).then(|| document(page, &content))
}

/// An entry of a field, or of the nearest of its parents that has it.
fn inherited<'a, T>(field: &Dict<'a>, key: &[u8]) -> Option<T>
where
    T: TryFrom<Object<'a>>,
{
    let mut field = field.clone();
    for _ in 0..PARENTS_MAX {
        if let Some(object) = field.get::<Object<'a>>(key) {
            return T::try_from(object).ok();
        }
        field = field.get::<Dict<'a>>(b"Parent")?;
    }
    None
}

fn text_value(field: &Dict<'_>) -> String {
    let text = |value: &Object<'_>| match value {
        Object::String(text) => decode(text),
        Object::Stream(stream) => stream.decoded_data().map(|data| decode(&data)).unwrap_or_default(),
        _ => String::new(),
    };
    let value = match inherited::<Object<'_>>(field, b"V") {
        Some(Object::Array(chosen)) => {
            let chosen: Vec<String> = chosen.iter::<PdfString<'_>>().map(|one| decode(&one)).collect();
            chosen.join(", ")
        }
        Some(value) => text(&value),
        None => String::new(),
    };
    value.chars().take(CHARACTERS_MAX).collect()
}

/// A text string (7.9.2.2): UTF-16 or UTF-8 with a mark before it, else one byte a character.
pub(super) fn decode(bytes: &[u8]) -> String {
    match bytes {
        [0xfe, 0xff, rest @ ..] => encoding_rs::UTF_16BE.decode_without_bom_handling(rest).0.into_owned(),
        [0xff, 0xfe, rest @ ..] => encoding_rs::UTF_16LE.decode_without_bom_handling(rest).0.into_owned(),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        bytes => encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned(),
    }
}

/// The tick boxes and radio buttons of a page: where each is, and whether it is on; none: its value and what is shown of it differ.
pub(super) fn tick_boxes(page: &Page<'_>) -> Vec<(Rect, Option<bool>)> {
    /// Field flags (table 226): a button to push holds no value.
    const PUSHED: u32 = 1 << 16;
    let is_box = |field: &Dict<'_>| {
        let button = inherited::<Name<'_>>(field, b"FT").is_some_and(|kind| kind.as_ref() == b"Btn");
        button && inherited::<u32>(field, b"Ff").unwrap_or(0) & PUSHED == 0
    };
    let boxed = |field: Dict<'_>| {
        let area = field.get::<Rect>(b"Rect").filter(|area| area.width() > 1.0 && area.height() > 1.0)?;
        Some((area, state(&field)))
    };
    annotations(page).filter(is_box).filter_map(boxed).collect()
}

/// Where stamps and notes are drawn over a page.
pub(super) fn drawn_over(page: &Page<'_>) -> Vec<Rect> {
    let is_note = |annotation: &Dict<'_>| {
        let kind = annotation.get::<Name<'_>>(b"Subtype");
        annotation.contains_key(b"AP") && !matches!(kind.as_deref(), Some(b"Widget" | b"Link" | b"Popup"))
    };
    annotations(page).filter(is_note).filter_map(|annotation| annotation.get::<Rect>(b"Rect")).collect()
}

fn is_on(field: &Dict<'_>) -> bool {
    state(field) == Some(true)
}

/// Whether a box is on: by the state that it is shown in, and by the value of its field, which several buttons may share.
fn state(field: &Dict<'_>) -> Option<bool> {
    let is_off = |state: &Name<'_>| state.as_ref() == b"Off";
    let shown = field.get::<Name<'_>>(b"AS");
    let value = inherited::<Name<'_>>(field, b"V").filter(|value| !is_off(value));
    let states = field.get::<Dict<'_>>(b"AP").and_then(|appearance| appearance.get::<Dict<'_>>(b"N"));
    // Of buttons that share a value it is the one that has a drawing for it.
    let valued = value.is_some_and(|value| match &states {
        Some(states) => states.contains_key(value.as_ref()),
        None => shown.is_none() || field.contains_key(b"V"),
    });
    match shown {
        Some(shown) if !is_off(&shown) => Some(true),
        Some(_) if valued => None,
        Some(_) => Some(false),
        None => Some(valued),
    }
}

/// Whether a tick box has a drawing of the state it is in.
fn has_appearance(field: &Dict<'_>) -> bool {
    let normal = field.get::<Dict<'_>>(b"AP").and_then(|appearance| appearance.get::<Object<'_>>(b"N"));
    match normal {
        Some(Object::Stream(_)) => true,
        Some(Object::Dict(states)) => {
            field.get::<Name<'_>>(b"AS").is_some_and(|state| states.get::<Stream<'_>>(state.as_ref()).is_some())
        }
        _ => false,
    }
}

/// Writes a value into its field, as large as fits.
pub(super) fn write_value(content: &mut String, area: Rect, value: &str) {
    const SIZE_MAX: f64 = 11.0;
    const SIZE_MIN: f64 = 5.0;
    /// Width of a letter of the font, on average, in ems.
    const LETTER_EMS: f64 = 0.52;
    const LEADING: f64 = 1.15;
    let wide = |size: f64| ((area.width() - 2.0) / (LETTER_EMS * size)).max(1.0) as usize;
    let mut size = (area.height() * 0.75).clamp(SIZE_MIN, SIZE_MAX);
    let mut lines = wrapped(value, wide(size));
    while size > SIZE_MIN && lines.len() as f64 * size * LEADING > area.height().max(size * LEADING) {
        size -= 0.5;
        lines = wrapped(value, wide(size));
    }
    let taken = lines.len() as f64 * size * LEADING;
    let mut baseline = area.y1 - ((area.height() - taken) / 2.0).max(0.0) - 0.85 * size;
    for line in lines {
        write_line(content, size, [1.0, 0.0, 0.0, 1.0, area.x0 + 2.0, baseline], &line);
        baseline -= size * LEADING;
    }
}

/// Writes a line where this matrix puts it.
pub(super) fn write_line(content: &mut String, size: f64, matrix: [f64; 6], line: &str) {
    let [a, b, c, d, x, y] = matrix;
    write!(content, "BT /F {size:.1} Tf {a} {b} {c} {d} {x:.2} {y:.2} Tm <").expect("a string can be written to");
    for letter in line.chars() {
        write!(content, "{:02x}", byte_of(letter)).expect("a string can be written to");
    }
    content.push_str("> Tj ET\n");
}

/// A letter in the encoding of the font; a question mark where it has none, which a person sees.
fn byte_of(letter: char) -> u8 {
    let mut buffer = [0; 4];
    let (encoded, _, lacks) = encoding_rs::WINDOWS_1252.encode(letter.encode_utf8(&mut buffer));
    match encoded.as_ref() {
        [byte] if !lacks => *byte,
        _ => b'?',
    }
}

pub(super) fn wrapped(value: &str, wide: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in value.split(['\r', '\n']).filter(|paragraph| !paragraph.trim().is_empty()) {
        let mut line = String::new();
        for word in paragraph.split_whitespace() {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > wide {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}

/// A PDF of one page that lies on paper as `page` does.
fn document(page: &Page<'_>, content: &str) -> Vec<u8> {
    let area = page.intersected_crop_box();
    let turned = match page.rotation() {
        Rotation::None => 0,
        Rotation::Horizontal => 90,
        Rotation::Flipped => 180,
        Rotation::FlippedHorizontal => 270,
    };
    format!(
        "%PDF-1.4\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n2 0 obj\n<< /Type /Pages /Kids [3 0 R] /Count 1 >>\nendobj\n\
         3 0 obj\n<< /Type /Page /Parent 2 0 R /MediaBox [{} {} {} {}] /Rotate {turned} /Contents 4 0 R /Resources << /Font << /F \
         << /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >> >> >> >>\nendobj\n\
         4 0 obj\n<< /Length {} >>\nstream\n{content}endstream\nendobj\ntrailer << /Root 1 0 R >>\n%%EOF\n",
        area.x0,
        area.y0,
        area.x1,
        area.y1,
        content.len(),
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use hayro::hayro_syntax::Pdf;

    use super::*;

    #[test]
    fn a_tick_box_is_on_by_what_is_shown_and_by_the_value_of_its_field() {
        let fields = [
            ("/FT /Btn /V /Yes /AS /Yes /AP << /N << /Yes 9 0 R /Off 9 0 R >> >>", Some(true)),
            ("/FT /Btn /V /Off /AS /Off /AP << /N << /Yes 9 0 R /Off 9 0 R >> >>", Some(false)),
            ("/FT /Btn /V /Yes", Some(true)),
            ("/FT /Btn", Some(false)),
            ("/FT /Btn /V /Yes /AS /Off /AP << /N << /Yes 9 0 R /Off 9 0 R >> >>", None),
            ("/Parent 8 0 R /AS /Two /AP << /N << /Two 9 0 R >> >>", Some(true)),
            ("/Parent 8 0 R /AS /Off /AP << /N << /Three 9 0 R >> >>", Some(false)),
            ("/FT /Btn /Ff 65536", None),
            ("/FT /Tx /V (Lee)", None),
        ];
        let annotations: String = (fields.iter().zip(1..))
            .map(|((entries, _), place)| {
                let (left, right) = (place * 20, place * 20 + 10);
                format!("<< /Type /Annot /Subtype /Widget /Rect [{left} 50 {right} 60] {entries} >> ")
            })
            .collect();
        let pdf = format!(
            "%PDF-1.4\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n2 0 obj\n<< /Type /Pages /Kids [3 0 R] /Count 1 >>\nendobj\n\
             3 0 obj\n<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 100] /Annots [ {annotations}] >>\nendobj\n\
             8 0 obj\n<< /FT /Btn /Ff 32768 /V /Two >>\nendobj\n9 0 obj\n<< /Type /XObject /Subtype /Form /BBox [0 0 9 9] /Length 1 >>\nstream\n \nendstream\nendobj\ntrailer << /Root 1 0 R >>\n%%EOF\n"
        );
        let pdf = Pdf::new(pdf.into_bytes()).unwrap();
        let found = tick_boxes(pdf.pages().first().unwrap());
        let states: Vec<Option<bool>> = found.iter().map(|(_, state)| *state).collect();
        assert_eq!(states, fields[..7].iter().map(|(_, state)| *state).collect::<Vec<_>>());
        assert_eq!(found[1].0.x0 as i32, 40);
    }
}
