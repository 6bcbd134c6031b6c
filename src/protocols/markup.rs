//! The plain text of HTML, and of the narrative of a CDA document (C-CDA): tags go, blocks become lines. Never fails, reads once through.

use encoding_rs::WINDOWS_1252;
use mail_parser::decoders::html::html_to_text;

/// What of a document is text to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Markup {
    /// All of it but scripts, styles and the head.
    Html,
    /// The titles and the narrative of its sections.
    Cda,
}

/// Elements that end a line.
const BLOCKS: [&str; 20] = [
    "p",
    "div",
    "br",
    "tr",
    "li",
    "ul",
    "ol",
    "table",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "title",
    "text",
    "paragraph",
    "item",
    "caption",
    "section",
];
/// Elements of HTML whose content is nothing to read.
const HIDDEN: [&str; 4] = ["script", "style", "head", "template"];
/// Elements of CDA whose content is.
const SHOWN: [&str; 2] = ["title", "text"];

/// Whether an XML document is a CDA: its root element stands near the beginning.
#[must_use]
pub fn is_cda(content: &[u8]) -> bool {
    let head = content.get(..content.len().min(4_096)).unwrap_or_default();
    head.windows(16).any(|window| window == b"ClinicalDocument")
}

/// The text.
#[must_use]
pub fn text(source: &str, markup: Markup) -> String {
    let mut out = Lines::default();
    let mut depth = 0_usize;
    let mut rest = source;
    loop {
        let (before, after) = rest.split_once('<').unwrap_or((rest, ""));
        let shown = match markup {
            Markup::Html => depth == 0,
            Markup::Cda => depth > 0,
        };
        if shown {
            out.push(before);
        }
        if after.is_empty() {
            return out.finish();
        }
        if !after.starts_with(|first: char| first.is_ascii_alphabetic() || matches!(first, '/' | '!' | '?')) {
            // No tag: a sign of comparison.
            if shown {
                out.push("<");
            }
            rest = after;
            continue;
        }
        if let Some(comment) = after.strip_prefix("!--") {
            rest = comment.split_once("-->").map_or("", |(_, rest)| rest);
            continue;
        }
        let (tag, next) = after.split_once('>').unwrap_or((after, ""));
        rest = next;
        let (closing, tag) = tag.strip_prefix('/').map_or((false, tag), |tag| (true, tag));
        let name = tag.split(|symbol: char| symbol.is_whitespace() || symbol == '/').next().unwrap_or_default();
        let name = name.rsplit(':').next().unwrap_or_default().to_ascii_lowercase();
        if shown && BLOCKS.contains(&name.as_str()) {
            out.end_line();
        } else if shown && matches!(name.as_str(), "td" | "th") {
            out.push(" ");
        }
        let counted = match markup {
            Markup::Html => HIDDEN.contains(&name.as_str()),
            Markup::Cda => SHOWN.contains(&name.as_str()),
        };
        match (counted, closing, tag.ends_with('/')) {
            (true, true, _) => depth = depth.saturating_sub(1),
            (true, false, false) => depth += 1,
            _ => {}
        }
    }
}

/// Text with single blanks and no empty lines.
#[derive(Default)]
struct Lines {
    out: String,
    /// A blank or a line end that is due before the next word.
    due: Option<char>,
}

impl Lines {
    fn push(&mut self, text: &str) {
        let mut rest = text;
        while let Some(symbol) = rest.chars().next() {
            let (symbol, length) = match entity(rest) {
                Some(found) => found,
                None => (symbol, symbol.len_utf8()),
            };
            rest = rest.get(length..).unwrap_or_default();
            if symbol.is_whitespace() || symbol == '\u{A0}' {
                self.due = self.due.or(Some(' '));
                continue;
            }
            if let Some(due) = self.due.take().filter(|_| !self.out.is_empty()) {
                self.out.push(due);
            }
            self.out.push(symbol);
        }
    }

    fn end_line(&mut self) {
        self.due = Some('\n');
    }

    fn finish(self) -> String {
        self.out
    }
}

/// A character reference at the beginning of a text, and how long it is.
fn entity(text: &str) -> Option<(char, usize)> {
    let end = text.strip_prefix('&')?.bytes().take(10).position(|byte| byte == b';')?;
    let name = text.get(1..=end)?;
    let symbol = match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => ' ',
        _ => match name.strip_prefix('#') {
            Some(digits) => numbered(digits)?,
            None => named(text.get(..end + 2)?)?,
        },
    };
    Some((symbol, end + 2))
}

/// `228` or `xE4`. What stands for control characters was meant in windows-1252, and is read so by every browser.
fn numbered(digits: &str) -> Option<char> {
    let code = match digits.strip_prefix(['x', 'X']) {
        Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16).ok()?,
        None => digits.parse().ok()?,
    };
    match u8::try_from(code) {
        Ok(byte @ 0x80..=0x9F) => WINDOWS_1252.decode_without_bom_handling(&[byte]).0.chars().next(),
        Ok(_) | Err(_) => char::from_u32(code),
    }
}

/// `&eacute;`: one of the names of HTML.
fn named(reference: &str) -> Option<char> {
    let text = html_to_text(reference);
    let mut symbols = text.chars();
    symbols.next().filter(|_| symbols.next().is_none())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn html_is_read_without_scripts_and_styles() {
        let page = "<html><head><title>x</title><style>p{}</style></head><body><p>Seen&nbsp;today &amp; well.<br/>\
                    M&#252;ller<script>alert('<p>')</script></p><!-- <p>no</p> --><table><tr><td>Hb</td><td>13.1</td></tr></table>";
        assert_eq!(text(page, Markup::Html), "Seen today & well.\nMüller\nHb 13.1");
    }

    #[test]
    fn of_a_clinical_document_the_narrative_is_read() {
        let document = "<?xml version=\"1.0\"?><ClinicalDocument xmlns=\"urn:hl7-org:v3\"><title>Consultation Note</title>\
            <recordTarget><name>hidden</name></recordTarget><component><section><title>Assessment</title>\
            <text><paragraph>No sign of ischaemia.</paragraph><list><item>Follow up in 6 months</item></list></text>\
            <entry><observation><code displayName=\"x\"/><text/></observation></entry></section></component></ClinicalDocument>";
        assert!(is_cda(document.as_bytes()));
        assert_eq!(text(document, Markup::Cda), "Consultation Note\nAssessment\nNo sign of ischaemia.\nFollow up in 6 months");
    }

    #[test]
    fn what_is_cut_off_is_read_as_far_as_it_goes() {
        assert_eq!(text("<p>one</p><p>two &am", Markup::Html), "one\ntwo &am");
        assert_eq!(text("one < two", Markup::Html), "one < two");
        assert_eq!(text("&#xFFFFFFF; &; &#x41;", Markup::Html), "&#xFFFFFFF; &; A");
        assert_eq!(text("caf&eacute; &ndash; 5&deg; &#150; &nosuch; R&D;", Markup::Html), "café – 5° – &nosuch; R&D;");
    }

    proptest! {
        #[test]
        fn no_text_panics(source in "[<>/&;#!a-z \\-é]{0,200}") {
            prop_assert!(text(&source, Markup::Html).len() <= source.len() * 2);
            prop_assert!(text(&source, Markup::Cda).len() <= source.len() * 2);
        }
    }
}
