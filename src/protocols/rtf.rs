//! The plain text of an RTF document: what a reader would read, without fonts, pictures and fields. Never fails, reads once through.

use encoding_rs::{Encoding, WINDOWS_1252};

/// How deep groups may nest; what lies deeper is taken for its parent's.
const DEPTH_MAX: usize = 200;

/// Groups that hold no text of the document.
const HIDDEN: [&str; 12] = [
    "fonttbl",
    "colortbl",
    "stylesheet",
    "info",
    "pict",
    "object",
    "themedata",
    "datastore",
    "generator",
    "fldinst",
    "listtable",
    "listoverridetable",
];

/// Whether bytes begin as RTF does.
#[must_use]
pub fn is_rtf(content: &[u8]) -> bool {
    content.starts_with(b"{\\rtf")
}

/// The text, with line ends where paragraphs and lines end.
#[must_use]
pub fn text(content: &[u8]) -> String {
    let mut reader = Reader {
        rest: content,
        out: String::new(),
        groups: vec![Group { hidden: false, fallback: 1 }],
        codepage: WINDOWS_1252,
        skip: 0,
        high: None,
    };
    while reader.step() {}
    let lines: Vec<&str> = reader.out.lines().map(str::trim).collect();
    lines.join("\n").trim().to_owned()
}

#[derive(Clone, Copy)]
struct Group {
    hidden: bool,
    /// `\uc`: how many characters stand in for a Unicode one.
    fallback: usize,
}

struct Reader<'b> {
    rest: &'b [u8],
    out: String,
    groups: Vec<Group>,
    codepage: &'static Encoding,
    /// Characters still to be passed over, behind a Unicode one.
    skip: usize,
    /// The first half of a character of two UTF-16 units, where that stands last in `out`.
    high: Option<u16>,
}

impl Reader<'_> {
    fn step(&mut self) -> bool {
        let Some((first, rest)) = self.rest.split_first() else { return false };
        self.rest = rest;
        match first {
            b'{' if self.groups.len() < DEPTH_MAX => {
                let inherited = *self.group();
                self.groups.push(inherited);
            }
            b'}' if self.groups.len() > 1 => {
                self.groups.pop();
            }
            b'\\' => self.control(),
            b'{' | b'}' | b'\r' | b'\n' | 0 => {}
            byte => self.push_bytes(&[*byte]),
        }
        true
    }

    fn group(&mut self) -> &mut Group {
        self.groups.last_mut().expect("the outermost group is never closed")
    }

    fn control(&mut self) {
        let letters = self.rest.iter().take_while(|byte| byte.is_ascii_alphabetic()).take(32).count();
        if letters == 0 {
            return self.symbol();
        }
        let (word, rest) = self.rest.split_at(letters);
        let word = String::from_utf8_lossy(word).into_owned();
        let digits = rest
            .iter()
            .enumerate()
            .take_while(|(at, byte)| byte.is_ascii_digit() || (*at == 0 && **byte == b'-'))
            .take(11)
            .count();
        let (number, rest) = rest.split_at(digits);
        self.rest = rest.strip_prefix(b" ").unwrap_or(rest);
        let number = std::str::from_utf8(number).ok().and_then(|text| text.parse::<i32>().ok());
        self.word(&word, number);
    }

    fn symbol(&mut self) {
        let Some((symbol, rest)) = self.rest.split_first() else { return };
        self.rest = rest;
        match symbol {
            b'\'' => {
                let (digits, rest) = self.rest.split_at(self.rest.len().min(2));
                self.rest = rest;
                let byte = std::str::from_utf8(digits).ok().and_then(|text| u8::from_str_radix(text, 16).ok());
                if let Some(byte) = byte {
                    self.push_bytes(&[byte]);
                }
            }
            b'*' => self.group().hidden = true,
            b'~' => self.push(' '),
            b'\r' | b'\n' => self.push('\n'),
            b'\\' | b'{' | b'}' => self.push(char::from(*symbol)),
            _ => {}
        }
    }

    fn word(&mut self, word: &str, number: Option<i32>) {
        match word {
            "par" | "line" | "sect" | "page" | "row" => self.push('\n'),
            "tab" | "cell" => self.push('\t'),
            "emdash" | "endash" | "bullet" => self.push('-'),
            "lquote" | "rquote" => self.push('\''),
            "ldblquote" | "rdblquote" => self.push('"'),
            "ansicpg" => {
                let named = number.and_then(|number| Encoding::for_label(format!("windows-{number}").as_bytes()));
                self.codepage = named.unwrap_or(WINDOWS_1252);
            }
            "uc" => self.group().fallback = usize::try_from(number.unwrap_or(1)).unwrap_or(1).min(8),
            "u" => {
                self.skip = 0;
                self.unicode(number.unwrap_or(0xFFFD));
                self.skip = self.group().fallback;
            }
            "bin" => {
                let count = usize::try_from(number.unwrap_or(0)).unwrap_or(0).min(self.rest.len());
                self.rest = self.rest.get(count..).unwrap_or_default();
            }
            _ if HIDDEN.contains(&word) => self.group().hidden = true,
            _ => {}
        }
    }

    /// `\u`: a UTF-16 unit, as a signed number. What is not in the first plane takes two.
    fn unicode(&mut self, number: i32) {
        let Some(unit) = u16::try_from(number.rem_euclid(65_536)).ok().filter(|unit| *unit != 0) else { return };
        let pair = self.high.take().and_then(|high| char::decode_utf16([high, unit]).next()?.ok());
        match pair.filter(|_| (0xDC00..0xE000).contains(&unit)) {
            Some(symbol) => {
                self.out.pop();
                self.push(symbol);
            }
            None => self.push(char::from_u32(u32::from(unit)).unwrap_or(char::REPLACEMENT_CHARACTER)),
        }
        self.high = Some(unit).filter(|unit| (0xD800..0xDC00).contains(unit) && !self.group().hidden);
    }

    fn push_bytes(&mut self, bytes: &[u8]) {
        let (text, _) = self.codepage.decode_without_bom_handling(bytes);
        for symbol in text.chars() {
            self.push(symbol);
        }
    }

    fn push(&mut self, symbol: char) {
        if self.skip > 0 {
            self.skip -= 1;
        } else if !self.group().hidden {
            self.high = None;
            self.out.push(symbol);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_letter_is_read_without_its_fonts() {
        let letter = br"{\rtf1\ansi\ansicpg1252{\fonttbl{\f0 Arial;}}{\*\generator X;}\f0\fs22 Dear Dr M\'fcller,\par
no sign of isch\u230 ?mia \{see {\b below}\}\tab end.{\pict 89504e47}\par}";
        assert_eq!(text(letter), "Dear Dr Müller,\nno sign of ischæmia {see below}\tend.");
        assert_eq!(text(br"{\rtf1\ansicpg1250 \'a3\'f3d\'9f}"), "Łódź");
        assert_eq!(text(b"{\\rtf1\\bin5 }}}}}x\\u-10179?}"), "x\u{FFFD}");
        assert_eq!(text(b"{\\rtf1 a\\u ?\\u0?b}"), "a\u{FFFD}b");
        assert_eq!(text(b"{\\rtf1 a\\u-10179?\\u-8704?b}"), "a\u{1F600}b");
        assert_eq!(text(b"{\\rtf1 \\u-10179?a\\u-8704?}"), "\u{FFFD}a\u{FFFD}");
    }

    proptest! {
        #[test]
        fn no_bytes_panic(tail in "[{}\\\\a-z0-9'* -]{0,200}", bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let content = [b"{\\rtf1 ", tail.as_bytes(), &bytes].concat();
            prop_assert!(text(&content).len() <= content.len() * 4);
        }
    }
}
