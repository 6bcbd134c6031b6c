//! What is written over a PDF page as an annotation (ISO 32000-1, 12.5.6): text typed on it, stamps, notes that open at a click.
//!
//! # Design notes
//! A stamp or a typed text without a drawing is for the viewer to draw: it is written into its place. A note that opens at a click shows as an
//! icon on paper, and a stamp may be drawn in curves, or aslant, so that no text is found in its place: what they say is written at the foot of
//! the page, where a person sees it beside the page as it is shown.

use hayro::hayro_syntax::{
    object::{Dict, Name, Object, Rect, String as PdfString},
    page::{Page, Rotation},
};

use super::form::{decode, wrapped, write_line, write_value};

/// Characters of one note that are shown.
const CHARACTERS_MAX: usize = 2_000;
/// Lines of notes at the foot of one page.
const LINES_MAX: usize = 24;
/// Their size, and how far they stand from the edges, in points.
const SIZE: f64 = 10.0;
const LEADING: f64 = 12.0;
const MARGIN: (f64, f64) = (36.0, 12.0);

/// What an annotation says; none: it is none that says anything, or a part of a form.
pub(super) fn text(annotation: &Dict<'_>) -> Option<String> {
    let kind = annotation.get::<Name<'_>>(b"Subtype")?;
    let says = matches!(
        kind.as_ref(),
        b"FreeText"
            | b"Stamp"
            | b"Text"
            | b"Highlight"
            | b"Underline"
            | b"StrikeOut"
            | b"Squiggly"
            | b"Square"
            | b"Circle"
            | b"Line"
            | b"Polygon"
            | b"PolyLine"
            | b"Ink"
            | b"Caret"
    );
    let contents = || annotation.get::<PdfString<'_>>(b"Contents").map(|contents| decode(&contents));
    // A stamp that nobody drew has its name alone.
    let named = || {
        let drawn = kind.as_ref() != b"Stamp" || annotation.contains_key(b"AP");
        let name = annotation.get::<Name<'_>>(b"Name").filter(|_| !drawn)?;
        Some(decode(name.as_ref()).trim_start_matches('#').to_owned())
    };
    let said = |text: &String| text.contains(char::is_alphanumeric);
    let text = says.then(|| contents().filter(said).or_else(named)).flatten().filter(said)?;
    Some(text.chars().take(CHARACTERS_MAX).collect())
}

/// Writes what an annotation says and the page does not show: into its place, or at the foot of the page. `shown` gives the text within a
/// rectangle of the page, without spaces.
pub(super) fn write(content: &mut String, foot: &mut Foot, annotation: &Dict<'_>, shown: impl Fn(Rect) -> String) {
    let Some(text) = text(annotation) else { return };
    let area = annotation.get::<Rect>(b"Rect").filter(|area| area.width() > 1.0 && area.height() > 1.0);
    let solid: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    if area.is_some_and(|area| shown(area).contains(&solid)) {
        return;
    }
    let kind = annotation.get::<Name<'_>>(b"Subtype");
    let typed = matches!(kind.as_deref(), Some(b"FreeText" | b"Stamp"));
    let drawn = annotation.get::<Dict<'_>>(b"AP").is_some_and(|appearance| appearance.get::<Object<'_>>(b"N").is_some());
    match area {
        Some(area) if typed && !drawn && foot.is_upright() => write_value(content, area, &text),
        _ => foot.write(content, &text),
    }
}

/// Where the next line at the foot of a page stands, as the page is looked at.
pub(super) struct Foot {
    /// Right and up, as the page is looked at, in the page's own space.
    right: (f64, f64),
    up: (f64, f64),
    /// The lower left corner.
    corner: (f64, f64),
    width: f64,
    /// How many lines stand there.
    written: usize,
}

impl Foot {
    pub(super) fn of(page: &Page<'_>) -> Self {
        let area = page.intersected_crop_box();
        let (right, up, corner, width) = match page.rotation() {
            Rotation::None => ((1.0, 0.0), (0.0, 1.0), (area.x0, area.y0), area.width()),
            Rotation::Horizontal => ((0.0, 1.0), (-1.0, 0.0), (area.x1, area.y0), area.height()),
            Rotation::Flipped => ((-1.0, 0.0), (0.0, -1.0), (area.x1, area.y1), area.width()),
            Rotation::FlippedHorizontal => ((0.0, -1.0), (1.0, 0.0), (area.x0, area.y1), area.height()),
        };
        Self { right, up, corner, width, written: 0 }
    }

    fn is_upright(&self) -> bool {
        self.right == (1.0, 0.0)
    }

    /// Writes a note under a line that says that it is one, from the foot upwards.
    fn write(&mut self, content: &mut String, text: &str) {
        /// Width of a letter of the font, on average, in ems.
        const LETTER_EMS: f64 = 0.52;
        let wide = ((self.width - 2.0 * MARGIN.0) / (LETTER_EMS * SIZE)).max(10.0) as usize;
        let lines = [vec!["Notes:".to_owned()], wrapped(text, wide)].concat();
        for line in lines.iter().rev() {
            if self.written == LINES_MAX {
                return;
            }
            let (along, above) = (MARGIN.0, MARGIN.1 + LEADING * self.written as f64);
            let x = self.corner.0 + along * self.right.0 + above * self.up.0;
            let y = self.corner.1 + along * self.right.1 + above * self.up.1;
            write_line(content, SIZE, [self.right.0, self.right.1, self.up.0, self.up.1, x, y], line);
            self.written += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Document, Limits};

    /// The words of a page with this annotation over it, by row, and whether each has ink.
    fn words(rotate: u32, annotation: &str) -> Vec<(String, [u32; 4], bool)> {
        let drawn = "0 0 1 rg BT /F 20 Tf 5 5 Td (STAT) Tj ET";
        let content = "BT /F 12 Tf 72 700 Td (Patient Name: Testa Sampleton) Tj ET";
        let font =
            "/Resources << /Font << /F << /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >> >> >>";
        let pdf = format!(
            "%PDF-1.4\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n2 0 obj\n<< /Type /Pages /Kids [3 0 R] /Count 1 >>\nendobj\n\
             3 0 obj\n<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Rotate {rotate} /Contents 4 0 R {font} /Annots [ << /Type /Annot {annotation} >> ] >>\nendobj\n\
             4 0 obj\n<< /Length {} >>\nstream\n{content}\nendstream\nendobj\n\
             9 0 obj\n<< /Type /XObject /Subtype /Form /BBox [0 0 100 30] {font} /Length {} >>\nstream\n{drawn}\nendstream\nendobj\n\
             trailer << /Root 1 0 R >>\n%%EOF\n",
            content.len() + 1,
            drawn.len() + 1
        );
        let document = Document::open(pdf.as_bytes(), Limits::default()).unwrap();
        let image = document.page(0).unwrap();
        let ink = |[left, top, right, bottom]: [u32; 4]| {
            (top..bottom).any(|y| (left..right).any(|x| image.gray[(y * image.width + x) as usize] < 128))
        };
        let words = document.text(0, &image).unwrap().words;
        words.into_iter().map(|word| (word.text, word.bounds, ink(word.bounds))).collect()
    }

    fn text(annotation: &str) -> String {
        let words = words(0, annotation);
        assert!(words.iter().all(|(_, _, ink)| *ink), "{words:?}");
        words.into_iter().map(|(text, ..)| text).collect::<Vec<_>>().join(" ")
    }

    const FORM: &str = "Patient Name: Testa Sampleton";

    #[test]
    fn what_is_typed_or_stamped_on_a_page_is_in_its_text() {
        let over = "/Rect [300 740 400 770]";
        for (annotation, says) in [
            (format!("/Subtype /FreeText {over} /Contents (STAT)"), "STAT"),
            (format!("/Subtype /Stamp {over} /Contents (URGENT)"), "URGENT"),
            (format!("/Subtype /Stamp {over} /Name /#STAT"), "STAT"),
            (format!("/Subtype /Stamp {over} /Contents (STAT) /AP << /N 9 0 R >>"), "STAT"),
            (format!("/Subtype /FreeText {over} /Contents <FEFF0053005400410054>"), "STAT"),
        ] {
            assert_eq!(text(&annotation), format!("{says} {FORM}"), "{annotation}");
        }
        assert_eq!(
            text("/Subtype /Text /Rect [300 740 320 760] /Contents (Seen twice, please call back) /Popup 8 0 R"),
            format!("{FORM} Notes: Seen twice, please call back")
        );
        // What is drawn says something else than the stamp.
        assert_eq!(
            text(&format!("/Subtype /Stamp {over} /Contents (URGENT please) /AP << /N 9 0 R >>")),
            format!("STAT {FORM} Notes: URGENT please")
        );
    }

    #[test]
    fn what_is_hidden_or_says_nothing_is_not() {
        for annotation in [
            "/Subtype /FreeText /Rect [300 740 400 770] /F 2 /Contents (STAT)",
            "/Subtype /Link /Rect [300 740 400 770] /Contents (STAT)",
            "/Subtype /Text /Rect [300 740 320 760] /Contents ( )",
        ] {
            assert_eq!(text(annotation), FORM, "{annotation}");
        }
    }

    #[test]
    fn a_note_stands_at_the_foot_of_the_page_as_it_is_looked_at() {
        for rotate in [0, 90, 180, 270] {
            let words = words(rotate, "/Subtype /Text /Rect [300 740 320 760] /Contents (Twice)");
            let (_, [left, top, ..], ink) = words.iter().find(|(text, ..)| text == "Twice").unwrap();
            let height = if rotate % 180 == 0 { 2244 } else { 1734 };
            assert!(*ink && *left < 200 && *top > height - 100, "{rotate}: {left} {top}");
        }
    }
}
