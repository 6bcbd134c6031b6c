//! Text on paper: how wide it is, where a line ends, what stands for a character that the font lacks.
//!
//! # Design notes
//! The font travels in the binary: a page looks the same on every machine, and needs nothing installed. A text is measured with the
//! shaper that draws it, so a line that fits here fits on the page.

use std::sync::LazyLock;

use krilla::text::Font;
use rustybuzz::UnicodeBuffer;

static REGULAR: &[u8] = include_bytes!("fonts/LiberationSans-Regular.ttf");
static BOLD: &[u8] = include_bytes!("fonts/LiberationSans-Bold.ttf");

/// The most characters of one text that are looked at; what is longer is cut with `…`.
pub(super) const TEXT_CHARS_MAX: usize = 4_000;

/// A word longer than this is broken, whether it would fit or not, so that measuring stays cheap.
const WORD_CHARS_MAX: usize = 200;

/// Stands for a character that the font lacks: an empty box, so that a reader sees that something is missing.
const REPLACEMENT: char = '\u{25A1}';
const ELLIPSIS: char = '…';

/// How a text looks: a weight, and a size in points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Style {
    pub(super) weight: Weight,
    /// Points.
    pub(super) size: f32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Weight {
    Regular,
    Bold,
}

impl Style {
    pub(super) const fn regular(size: f32) -> Self {
        Self { weight: Weight::Regular, size }
    }

    pub(super) const fn bold(size: f32) -> Self {
        Self { weight: Weight::Bold, size }
    }

    pub(super) fn font(self) -> Font {
        self.face().drawn.clone()
    }

    fn face(self) -> &'static Face {
        static FACES: LazyLock<(Face, Face)> = LazyLock::new(|| (Face::load(REGULAR), Face::load(BOLD)));
        match self.weight {
            Weight::Regular => &FACES.0,
            Weight::Bold => &FACES.1,
        }
    }

    /// How wide a text is on the page, in points.
    pub(super) fn width(self, text: &str) -> f32 {
        self.face().width(text) * self.size
    }

    /// A text of one line as the font can draw it: control characters and line ends become spaces.
    pub(super) fn printable(self, text: &str) -> String {
        let mut printable = String::new();
        for (index, symbol) in text.chars().enumerate() {
            if index == TEXT_CHARS_MAX {
                printable.push(ELLIPSIS);
                break;
            }
            match symbol {
                _ if symbol.is_whitespace() || symbol.is_control() => printable.push(' '),
                _ if invisible(symbol) => {}
                _ if self.face().has(symbol) => printable.push(symbol),
                _ => printable.push(REPLACEMENT),
            }
        }
        printable
    }

    /// As much of a text as fits into `width` points, with `…` where it was cut.
    pub(super) fn fit(self, text: &str, width: f32) -> String {
        let text = self.printable(text);
        let text = text.trim();
        if self.width(text) <= width {
            return text.to_owned();
        }
        self.cut_to(text, width)
    }

    /// A text in lines of at most `width` points and at most `lines_max` of them; the last ends in `…` where more was to come.
    /// Line ends in the text are kept; a word that is wider than a line is broken.
    pub(super) fn wrap(self, text: &str, width: f32, lines_max: usize) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        let taken: String = text.chars().take(TEXT_CHARS_MAX).collect();
        for paragraph in taken.lines() {
            let mut line = String::new();
            for word in self.printable(paragraph).split(' ').filter(|word| !word.is_empty()) {
                self.add_word(&mut lines, &mut line, word, width);
                if lines.len() > lines_max {
                    break;
                }
            }
            if !line.is_empty() {
                lines.push(line);
            }
        }
        let cut = taken.len() < text.len() || lines.len() > lines_max;
        lines.truncate(lines_max);
        if let Some(last) = lines.last_mut().filter(|_| cut) {
            *last = self.cut_to(last, width);
        }
        lines
    }

    fn cut_to(self, text: &str, width: f32) -> String {
        let symbols: Vec<char> = text.chars().collect();
        let cut = |length: usize| -> String { symbols[..length].iter().chain([&ELLIPSIS]).collect() };
        cut(longest(symbols.len(), |length| self.width(&cut(length)) <= width))
    }

    fn add_word(self, lines: &mut Vec<String>, line: &mut String, word: &str, width: f32) {
        let candidate = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
        if self.width(&candidate) <= width {
            *line = candidate;
            return;
        }
        if !line.is_empty() {
            lines.push(std::mem::take(line));
        }
        let mut rest: Vec<char> = word.chars().collect();
        while rest.len() > 1 && (rest.len() > WORD_CHARS_MAX || self.width(&rest.iter().collect::<String>()) > width) {
            let piece = |length: usize| -> String { rest[..length].iter().collect() };
            let length = longest((rest.len() - 1).min(WORD_CHARS_MAX), |length| self.width(&piece(length)) <= width).max(1);
            lines.push(piece(length));
            rest.drain(..length);
        }
        *line = rest.into_iter().collect();
    }
}

/// The largest length up to `most` that fits, by halving; 0 where not even one does.
fn longest(most: usize, fits: impl Fn(usize) -> bool) -> usize {
    let (mut good, mut bad) = (0, most + 1);
    while bad - good > 1 {
        let middle = good.midpoint(bad);
        if fits(middle) {
            good = middle;
        } else {
            bad = middle;
        }
    }
    good
}

/// Marks of direction and joining, and the byte order mark: nothing to be drawn, nothing that is missing.
fn invisible(symbol: char) -> bool {
    matches!(symbol, '\u{AD}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}')
}

struct Face {
    drawn: Font,
    measured: rustybuzz::Face<'static>,
}

impl Face {
    fn load(bytes: &'static [u8]) -> Self {
        Self {
            drawn: Font::new(bytes.into(), 0).expect("the font in the binary is sound"),
            measured: rustybuzz::Face::from_slice(bytes, 0).expect("the font in the binary is sound"),
        }
    }

    fn has(&self, symbol: char) -> bool {
        self.measured.glyph_index(symbol).is_some_and(|glyph| glyph.0 != 0)
    }

    /// In ems.
    fn width(&self, text: &str) -> f32 {
        if text.is_empty() {
            return 0.0;
        }
        let mut buffer = UnicodeBuffer::new();
        buffer.push_str(text);
        buffer.guess_segment_properties();
        let shaped = rustybuzz::shape(&self.measured, &[], buffer);
        let units: i64 = shaped.glyph_positions().iter().map(|position| i64::from(position.x_advance)).sum();
        units as f32 / self.measured.units_per_em() as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STYLE: Style = Style::regular(13.0);

    #[test]
    fn every_wrapped_line_fits_and_nothing_is_lost_where_there_is_room() {
        let text = "Iron deficiency anemia without obvious source, evaluate for GI blood loss.\nSecond paragraph.";
        let lines = STYLE.wrap(text, 150.0, 50);
        assert!(lines.len() > 3);
        assert!(lines.iter().all(|line| STYLE.width(line) <= 150.0));
        assert_eq!(lines.join(" "), text.replace('\n', " "));
    }

    #[test]
    fn a_text_that_is_too_long_ends_in_an_ellipsis_within_its_limits() {
        let endless = "word ".repeat(100_000);
        let lines = STYLE.wrap(&endless, 200.0, 4);
        assert_eq!(lines.len(), 4);
        assert!(lines[3].ends_with('…') && STYLE.width(&lines[3]) <= 200.0);
        let unbroken = "W".repeat(100_000);
        assert!(STYLE.wrap(&unbroken, 200.0, 4).iter().all(|line| STYLE.width(line) <= 200.0));
        let fitted = STYLE.fit(&unbroken, 200.0);
        assert!(fitted.ends_with('…') && STYLE.width(&fitted) <= 200.0);
    }

    #[test]
    fn a_text_past_the_character_limit_says_that_it_was_cut() {
        let lines = Style::regular(1.0).wrap(&"a ".repeat(TEXT_CHARS_MAX), 500.0, 10_000);
        assert!(lines.last().unwrap().ends_with('…'));
    }

    #[test]
    fn what_the_font_lacks_is_seen_to_be_missing() {
        assert_eq!(STYLE.printable("李 Lee 🦴"), "□ Lee □");
        assert_eq!(STYLE.printable("Müller-Łukasiewicz Ωмега ½"), "Müller-Łukasiewicz Ωмега ½");
        assert_eq!(STYLE.printable("a\u{0}b\tc\u{200E}d"), "a b cd");
    }
}
