//! Character sets: what MSH-18 declares, and what the bytes turn out to be.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

/// The character set that a message was read in, and its answer is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charset {
    encoding: &'static Encoding,
    /// Whether it is what MSH-18 says (or plain ASCII where it says nothing), and not a guess from the bytes.
    pub declared: bool,
}

impl Charset {
    /// Plain ASCII: what an answer is written in where the set of the message cannot be used.
    #[must_use]
    pub fn ascii() -> Self {
        Self { encoding: UTF_8, declared: true }
    }

    /// What MSH-18 must say where what the sender wrote there is not this set; none: it is, or it says nothing and the text is ASCII.
    #[must_use]
    pub fn name_instead_of(self, declared: &str) -> Option<&'static str> {
        let is_right = if declared.is_empty() { self.declared } else { Self::named(declared) == Some(self.encoding) };
        if is_right {
            None
        } else if self.encoding == UTF_8 {
            Some("UNICODE UTF-8")
        } else {
            (self.encoding == WINDOWS_1252).then_some("8859/1")
        }
    }

    /// Decodes bytes: in the declared set where that works, else as UTF-8, else as windows-1252 (a superset of 8859/1).
    /// A byte that means nothing becomes U+FFFD; it is never fatal.
    pub(super) fn read<'b>(declared: &str, bytes: &'b [u8]) -> (Self, Cow<'b, str>) {
        if bytes.is_ascii() {
            let encoding = Self::named(declared).unwrap_or(UTF_8);
            if encoding.is_ascii_compatible() {
                let text = std::str::from_utf8(bytes).expect("ASCII is UTF-8");
                return (Self { encoding, declared: true }, Cow::Borrowed(text));
            }
        }
        let named = Self::named(declared);
        // Text in an 8-bit set that happens to be valid UTF-8 does not occur: a declaration of 8859/1 over it is wrong.
        if let Ok(text) = std::str::from_utf8(bytes)
            && named.is_none_or(|encoding| encoding == UTF_8 || encoding.is_single_byte())
        {
            return (Self { encoding: UTF_8, declared: named == Some(UTF_8) }, Cow::Borrowed(text));
        }
        if let Some(encoding) = named.filter(|encoding| *encoding != UTF_8)
            && let Some(text) = encoding.decode_without_bom_handling_and_without_replacement(bytes)
        {
            return (Self { encoding, declared: true }, text);
        }
        let (text, _) = WINDOWS_1252.decode_without_bom_handling(bytes);
        (Self { encoding: WINDOWS_1252, declared: false }, text)
    }

    /// Encodes text of an answer, which must never fail. What the set cannot say becomes a question mark.
    #[must_use]
    pub fn write(self, text: &str) -> Cow<'_, [u8]> {
        if self.encoding == UTF_8 || text.is_ascii() {
            return Cow::Borrowed(text.as_bytes());
        }
        let mut out = Vec::with_capacity(text.len());
        for symbol in text.chars() {
            let mut buffer = [0; 4];
            let (bytes, _, unmappable) = self.encoding.encode(symbol.encode_utf8(&mut buffer));
            if unmappable { out.push(b'?') } else { out.extend_from_slice(&bytes) }
        }
        Cow::Owned(out)
    }

    /// The first of the sets in MSH-18 that is more than ASCII: where the first one is left out, it is ASCII, and a later one is switched
    /// to by its escape sequences.
    pub(super) fn named(declared: &str) -> Option<&'static Encoding> {
        declared.split('~').find_map(Self::named_one)
    }

    /// HL7 table 0211, with the spellings that are seen.
    fn named_one(declared: &str) -> Option<&'static Encoding> {
        let plain: String = declared.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_uppercase();
        match plain.as_str() {
            "UNICODEUTF8" | "UTF8" | "UNICODE" => Some(UTF_8),
            "GB18030" | "GB180302000" => Some(encoding_rs::GB18030),
            "BIG5" => Some(encoding_rs::BIG5),
            "KSX1001" => Some(encoding_rs::EUC_KR),
            "ISOIR87" | "ISOIR159" => Some(encoding_rs::ISO_2022_JP),
            "CP1252" | "WINDOWS1252" | "ISOIR100" => Some(WINDOWS_1252),
            _ => {
                let part = plain.strip_prefix("ISO").unwrap_or(&plain).strip_prefix("8859")?;
                match part {
                    "1" => Some(WINDOWS_1252),
                    _ => Encoding::for_label(format!("iso-8859-{part}").as_bytes()),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declared_undeclared_and_wrongly_declared_sets_are_read() {
        let (set, text) = Charset::read("8859/1", b"M\xFCller");
        assert_eq!((text.as_ref(), set.declared), ("Müller", true));
        let (set, text) = Charset::read("", "Müller".as_bytes());
        assert_eq!((text.as_ref(), set.declared), ("Müller", false));
        let (set, text) = Charset::read("UNICODE UTF-8", b"M\xFCller");
        assert_eq!((text.as_ref(), set.declared), ("Müller", false));
        let (set, text) = Charset::read("8859/1", "Müller".as_bytes());
        assert_eq!((text.as_ref(), set.declared), ("Müller", false));
        let (set, text) = Charset::read("8859/1", b"\x93so\x94");
        assert_eq!((text.as_ref(), set.declared), ("“so”", true));
        let (set, text) = Charset::read("~ISO IR87", b"\x1b$B;3ED\x1b(B^Taro");
        assert_eq!((set.declared, text.as_ref()), (true, "山田^Taro"));
        let (set, text) = Charset::read("8859/2", b"\xA3\xF3d\xBC");
        assert_eq!((text.as_ref(), set.declared), ("Łódź", true));
    }

    #[test]
    fn an_answer_is_written_in_the_set_of_the_message() {
        let (set, text) = Charset::read("8859/1", b"M\xFCller");
        assert_eq!(*set.write(&text), b"M\xFCller"[..]);
        assert_eq!(*set.write("Ł"), b"?"[..]);
    }

    #[test]
    fn an_answer_names_the_set_that_it_is_in() {
        let name = |declared: &str, bytes: &[u8]| Charset::read(declared, bytes).0.name_instead_of(declared);
        for (declared, bytes) in [("", &b"Mueller"[..]), ("8859/1", b"M\xFCller"), ("UNICODE UTF-8", b"Mueller")] {
            assert_eq!(name(declared, bytes), None, "{declared}");
        }
        for (declared, bytes) in [("KLINGON", &b"Mueller"[..]), ("8859/1", "Müller".as_bytes()), ("", "Müller".as_bytes())] {
            assert_eq!(name(declared, bytes), Some("UNICODE UTF-8"), "{declared}");
        }
        assert_eq!(name("UNICODE UTF-8", b"M\xFCller"), Some("8859/1"));
    }
}
