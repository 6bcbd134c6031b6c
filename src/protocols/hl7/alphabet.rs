//! Writing text so that no letter of it is lost: in the character set that MSH-18 names, or not at all.
//!
//! # Design notes
//! Half of a name is another name, and nobody sees in a message which letters it lacks. So what a message of ours cannot say in its
//! character set is found before it leaves, and its places are told to a person. An answer on its sender's own connection cannot wait for
//! one: it is written by [`Charset::write`], with question marks.
//!
//! Punctuation that word processors put where somebody typed plain signs is written as those signs. No other letter is changed: `ss` for
//! `ß`, or `l` for `ł`, is a person's decision.
//!
//! The encodings of the library are those of the web, which reads 8859/1 as windows-1252 and 8859/9 as windows-1254. Their letters from 0x80
//! to 0x9F are control characters in ISO 8859, and are not written.

use std::{borrow::Cow, fmt};

use encoding_rs::{Encoding, UTF_8};

use super::Charset;

/// How many places are named.
const PLACES_NAMED_MAX: usize = 6;

/// The letters that a message can hold by its MSH-18.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alphabet {
    /// None: ASCII alone.
    encoding: Option<&'static Encoding>,
    /// Whether the bytes from 0x80 to 0x9F are letters: not in ISO 8859.
    has_c1: bool,
}

impl Alphabet {
    /// The letters that every set has.
    pub const ASCII: Self = Self { encoding: None, has_c1: false };
    /// Every letter.
    pub const UNICODE: Self = Self { encoding: Some(UTF_8), has_c1: true };

    /// What MSH-18 names, its repetitions parted by `~`: nothing is ASCII (chapter 2, table 0211). None: it is not known here.
    #[must_use]
    pub fn of(declared: &str) -> Option<Self> {
        let is_ascii = |name: &str| matches!(name.trim().to_ascii_uppercase().as_str(), "" | "ASCII" | "ISO IR6");
        match Charset::named(declared) {
            Some(encoding) => {
                let has_c1 = !encoding.is_single_byte() || declared.contains("1252");
                Some(Self { encoding: Some(encoding), has_c1 })
            }
            None => declared.split('~').all(is_ascii).then_some(Self::ASCII),
        }
    }

    /// The text in this set, plain signs in place of typographic ones that it lacks; none: it lacks a letter.
    #[must_use]
    pub fn write(self, text: &str) -> Option<Cow<'_, [u8]>> {
        let encoding = self.encoding.filter(|encoding| *encoding != UTF_8);
        if text.is_ascii() && encoding.is_none_or(Encoding::is_ascii_compatible) || self.encoding == Some(UTF_8) {
            return Some(Cow::Borrowed(text.as_bytes()));
        }
        let mut fitting = String::with_capacity(text.len());
        for letter in text.chars() {
            if self.has(letter) {
                fitting.push(letter);
            } else {
                fitting.push_str(plain(letter)?);
            }
        }
        match encoding {
            Some(encoding) => Some(Cow::Owned(encoding.encode(&fitting).0.into_owned())),
            None => Some(Cow::Owned(fitting.into_bytes())),
        }
    }

    fn has(self, letter: char) -> bool {
        let Some(encoding) = self.encoding else { return letter.is_ascii() };
        if letter.is_ascii_graphic() {
            return true;
        }
        let mut buffer = [0; 4];
        let (bytes, _, lacks) = encoding.encode(letter.encode_utf8(&mut buffer));
        let is_c1 = matches!(bytes.as_ref(), [0x80..=0x9F]);
        !lacks && (self.has_c1 || !is_c1)
    }
}

/// The signs of every keyboard that a typographic one stands for.
fn plain(letter: char) -> Option<&'static str> {
    Some(match letter {
        '\u{2018}'..='\u{201B}' | '\u{2032}' | '\u{2039}' | '\u{203A}' | '\u{02BC}' => "'",
        '\u{201C}'..='\u{201F}' | '\u{2033}' | '\u{AB}' | '\u{BB}' => "\"",
        // Hyphens, dashes, the minus sign.
        '\u{2010}'..='\u{2015}' | '\u{2212}' => "-",
        // Bullets.
        '\u{2022}' | '\u{2023}' | '\u{2043}' | '\u{25AA}' | '\u{25CF}' | '\u{25E6}' => "-",
        '\u{2026}' => "...",
        '\u{2044}' => "/",
        '\u{A0}' | '\u{2000}'..='\u{200A}' | '\u{2028}' | '\u{2029}' | '\u{202F}' | '\u{205F}' | '\u{3000}' => " ",
        // Soft hyphens, joiners and marks of direction, which nobody sees.
        '\u{AD}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}' => "",
        '\u{FB00}' => "ff",
        '\u{FB01}' => "fi",
        '\u{FB02}' => "fl",
        '\u{FB03}' => "ffi",
        '\u{FB04}' => "ffl",
        '\u{FB05}' | '\u{FB06}' => "st",
        'Œ' => "OE",
        'œ' => "oe",
        'Ĳ' => "IJ",
        'ĳ' => "ij",
        _ => return None,
    })
}

/// Where a message holds letters that its character set lacks: `PID-5 and NTE-3`, never the letters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unwritable {
    places: Vec<String>,
}

impl Unwritable {
    /// Adds a field of a segment, once.
    pub fn add(&mut self, segment: &str, field: usize) {
        let place = format!("{segment}-{field}");
        if !self.places.contains(&place) {
            self.places.push(place);
        }
    }

    /// Whether every letter could be written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }
}

impl fmt::Display for Unwritable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = self.places.get(..PLACES_NAMED_MAX).unwrap_or(&self.places);
        let more = match self.places.len() - named.len() {
            0 => None,
            1 => Some("1 more place".to_owned()),
            more => Some(format!("{more} more places")),
        };
        let all: Vec<&str> = named.iter().map(String::as_str).chain(more.as_deref()).collect();
        match all.split_last() {
            Some((last, [])) => f.write_str(last),
            Some((last, before)) => write!(f, "{} and {last}", before.join(", ")),
            None => f.write_str("no place"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(declared: &str, text: &str) -> Option<Vec<u8>> {
        Alphabet::of(declared).unwrap().write(text).map(Cow::into_owned)
    }

    #[test]
    fn text_is_written_in_the_set_that_is_named_or_not_at_all() {
        for (declared, text, bytes) in [
            ("8859/1", "Müller", &b"M\xFCller"[..]),
            ("iso 8859-1", "Müller", b"M\xFCller"),
            ("UNICODE UTF-8", "Łukasz’", "Łukasz’".as_bytes()),
            ("8859/2", "Łódź", b"\xA3\xF3d\xBC"),
            ("8859/15", "Œuvre à 5 €", b"\xBCuvre \xE0 5 \xA4"),
            ("8859/9", "Işık", b"I\xFE\xFDk"),
            ("WINDOWS-1252", "5 €", b"5 \x80"),
            ("~ISO IR87", "山田^Taro", b"\x1b$B;3ED\x1b(B^Taro"),
            ("", "Mueller", b"Mueller"),
            ("ASCII", "it’s", b"it's"),
        ] {
            assert_eq!(written(declared, text).as_deref(), Some(bytes), "{declared}: {text}");
        }
        for (declared, text) in [
            ("8859/1", "Łukasz"),
            ("8859/1", "5 €"),
            ("8859/9", "5 €"),
            ("8859/15", "Ł"),
            ("", "Müller"),
            ("ASCII", "é"),
            ("8859/1", "\u{85}"),
        ] {
            assert_eq!(written(declared, text), None, "{declared}: {text}");
        }
        assert_eq!(Alphabet::of("KLINGON"), None);
    }

    #[test]
    fn typographic_signs_become_plain_ones_where_the_set_lacks_them() {
        let text = "‘a’ “b” c–d—e−2… f\u{A0}g\u{2009}h\u{202F}i • ﬁn sœur\u{200B}";
        assert_eq!(written("8859/1", text).unwrap(), b"'a' \"b\" c-d-e-2... f\xA0g h i - fin soeur");
        assert_eq!(written("ASCII", text).unwrap(), b"'a' \"b\" c-d-e-2... f g h i - fin soeur");
        assert_eq!(written("UNICODE UTF-8", text).unwrap(), text.as_bytes());
    }

    #[test]
    fn no_set_of_iso_8859_gets_a_control_byte() {
        for part in (1..=16).filter(|part| *part != 12) {
            let alphabet = Alphabet::of(&format!("8859/{part}")).unwrap();
            let written =
                ('\u{80}'..='\u{FFFF}').filter_map(|letter| alphabet.write(letter.encode_utf8(&mut [0; 4])).map(Cow::into_owned));
            let control = written.flatten().find(|byte| matches!(byte, 0x80..=0x9F));
            assert_eq!(control, None, "8859/{part}");
        }
    }

    #[test]
    fn places_are_named_once_and_not_without_end() {
        let mut unwritable = Unwritable::default();
        for (segment, field) in [("PID", 5), ("PID", 5), ("NTE", 3)] {
            unwritable.add(segment, field);
        }
        assert_eq!(unwritable.to_string(), "PID-5 and NTE-3");
        for field in 1..=6 {
            unwritable.add("OBX", field);
        }
        assert_eq!(unwritable.to_string(), "PID-5, NTE-3, OBX-1, OBX-2, OBX-3, OBX-4 and 2 more places");
    }
}
