//! Escape sequences (chapter 2, section 2.7): decoded last, leaf by leaf, after the text was split at its delimiters.

use std::borrow::Cow;

use super::Delimiters;

/// The longest escape sequence that is recognised, in bytes; a hexadecimal one may be longer than any other.
const SEQUENCE_BYTES_MAX: usize = 1_024;

/// Decodes a leaf. An unknown sequence, and an escape character that begins none, stay as they stand.
///
/// `\.br\`, `\.sp\` and their kin become line ends; highlighting goes; hexadecimal bytes are taken as UTF-8, else as Latin-1.
#[must_use]
pub fn decode<'t>(raw: &'t str, delimiters: &Delimiters) -> Cow<'t, str> {
    let escape = delimiters.escape;
    let is_escape = |byte: &u8| char::from(*byte) == escape;
    // Delimiters are ASCII. Nearly every leaf is short and has no escape character.
    if !raw.as_bytes().iter().any(is_escape) {
        return Cow::Borrowed(raw);
    }
    let Some((before, mut rest)) = raw.split_once(escape) else {
        return Cow::Borrowed(raw);
    };
    let mut out = String::with_capacity(raw.len());
    out.push_str(before);
    // `rest` always begins just behind an escape character.
    loop {
        let closed = rest.split_once(escape).filter(|(body, _)| body.len() <= SEQUENCE_BYTES_MAX);
        match closed {
            Some((body, after)) if sequence(body, delimiters, &mut out) => match after.split_once(escape) {
                Some((text, next)) => {
                    out.push_str(text);
                    rest = next;
                }
                None => {
                    out.push_str(after);
                    return Cow::Owned(out);
                }
            },
            _ => {
                // No sequence: the escape character is text, and what looked like its end may begin the next sequence.
                out.push(escape);
                match rest.split_once(escape) {
                    Some((text, next)) => {
                        out.push_str(text);
                        rest = next;
                    }
                    None => {
                        out.push_str(rest);
                        return Cow::Owned(out);
                    }
                }
            }
        }
    }
}

/// Decodes what stands between two escape characters; false if it is no sequence.
fn sequence(body: &str, delimiters: &Delimiters, out: &mut String) -> bool {
    match body {
        "F" => out.push(delimiters.field),
        "S" => out.push(delimiters.component),
        "R" => out.push(delimiters.repetition),
        "T" => out.push(delimiters.subcomponent),
        "E" => out.push(delimiters.escape),
        "P" => out.push(delimiters.truncation.unwrap_or('#')),
        "H" | "N" => {}
        _ => return formatting(body, out) || hexadecimal(body, out),
    }
    true
}

fn formatting(body: &str, out: &mut String) -> bool {
    let Some(command) = body.strip_prefix('.') else { return false };
    let command = command.trim_end_matches(|symbol: char| symbol.is_ascii_digit() || matches!(symbol, '+' | '-' | ' '));
    match command.to_ascii_lowercase().as_str() {
        "br" | "sp" | "ce" => out.push('\n'),
        "in" | "ti" | "fi" | "nf" => {}
        "sk" => out.push(' '),
        _ => return false,
    }
    true
}

fn hexadecimal(body: &str, out: &mut String) -> bool {
    let Some(digits) = body.strip_prefix('X').filter(|digits| !digits.is_empty()) else { return false };
    let Ok(bytes) = data_encoding::HEXUPPER_PERMISSIVE.decode(digits.as_bytes()) else { return false };
    match std::str::from_utf8(&bytes) {
        Ok(text) => out.push_str(text),
        Err(_) => out.extend(bytes.iter().map(|byte| char::from(*byte))),
    }
    true
}

/// The longest text between two escape characters that is taken for a sequence nobody knows, in bytes.
const UNKNOWN_BYTES_MAX: usize = 40;

/// Whether a text holds an escape sequence that [`decode`] keeps as it stands: a short word between two escape characters. An escape
/// character that begins none is text, and so are the commands of RTF, which is sent without escapes.
pub(super) fn has_unknown(text: &str, delimiters: &Delimiters) -> bool {
    let escape = delimiters.escape;
    let is_word = |body: &str| {
        (1..=UNKNOWN_BYTES_MAX).contains(&body.len())
            && body.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'+' | b'-'))
    };
    let mut scratch = String::new();
    let mut rest = text;
    while let Some((_, behind)) = rest.split_once(escape) {
        let Some((body, after)) = behind.split_once(escape) else { return false };
        scratch.clear();
        let known = body.len() <= SEQUENCE_BYTES_MAX && sequence(body, delimiters, &mut scratch);
        if !known && is_word(body) {
            if !is_rtf(text, behind) {
                return true;
            }
            // The whole segment is of that kind.
            let Some((_, next)) = behind.split_once('\r') else { return false };
            rest = next;
            continue;
        }
        rest = if known { after } else { behind };
    }
    false
}

/// Whether the segment in which `behind` begins holds RTF.
fn is_rtf(text: &str, behind: &str) -> bool {
    let before = text.get(..text.len() - behind.len()).unwrap_or_default();
    let line = before.rsplit('\r').next().unwrap_or_default();
    line.contains("{\\rtf") || line.ends_with("{\\")
}

/// Encodes text as a leaf: delimiters as sequences, line ends as `\.br\`.
#[must_use]
pub fn encode(text: &str, delimiters: &Delimiters) -> String {
    let mut out = String::with_capacity(text.len());
    let escape = delimiters.escape;
    let mut symbols = text.chars().peekable();
    while let Some(symbol) = symbols.next() {
        let name = match symbol {
            _ if symbol == delimiters.field => "F",
            _ if symbol == delimiters.component => "S",
            _ if symbol == delimiters.repetition => "R",
            _ if symbol == delimiters.subcomponent => "T",
            _ if symbol == escape => "E",
            '\r' => {
                symbols.next_if_eq(&'\n');
                ".br"
            }
            '\n' => ".br",
            _ if symbol.is_control() => continue,
            _ => {
                out.push(symbol);
                continue;
            }
        };
        out.push(escape);
        out.push_str(name);
        out.push(escape);
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decoded(raw: &str) -> String {
        decode(raw, &Delimiters::default()).into_owned()
    }

    #[test]
    fn the_sequences_of_the_standard_are_decoded() {
        assert_eq!(decoded(r"a\F\b\S\c\T\d\R\e\E\f"), r"a|b^c&d~e\f");
        assert_eq!(decoded(r"one\.br\two\.sp 2\three\H\!\N\"), "one\ntwo\nthree!");
        assert_eq!(decoded(r"\X0D0A\\X4D\"), "\r\nM");
        assert_eq!(decoded(r"M\XFC\ller \XC3BC\"), "Müller ü");
    }

    #[test]
    fn adjacent_sequences_are_two() {
        assert_eq!(decoded(r"a\.br\\.br\b"), "a\n\nb");
    }

    #[test]
    fn what_is_no_sequence_stays() {
        assert_eq!(decoded(r"C:\scans\new\x"), r"C:\scans\new\x");
        assert_eq!(decoded(r"{\rtf1\ansi \par}"), r"{\rtf1\ansi \par}");
        assert_eq!(decoded(r"tail \"), r"tail \");
        assert_eq!(decoded(r"éé\F\"), "éé|");
        assert_eq!(decoded(r"50 \T\\Zloc\ 5"), r"50 &\Zloc\ 5");
    }

    #[test]
    fn a_sequence_that_nobody_knows_is_told_from_text() {
        let unknown = |text: &str| has_unknown(text, &Delimiters::default());
        for text in [r"NTE|1||a\Zloc\b", r"NTE|1||\C2842\", r"a\T\b\Q\c", r"C:\scans\new"] {
            assert!(unknown(text), "{text}");
        }
        for text in [r"MSH|^~\&|A|B", r"a\.br\\.br\b\X0D\", r"one \ two \ three", r"\F\\S\\T\\R\\E\\H\x\N\", "tail \\"] {
            assert!(!unknown(text), "{text}");
        }
        assert!(!unknown("OBX|1|FT|L||{\\rtf1\\ansi Dear\\par}\rNTE|1||x"));
        assert!(unknown("OBX|1|FT|L||{\\rtf1\\ansi Dear\\par}\rNTE|1||\\Zx\\"));
    }

    proptest! {
        #[test]
        fn decoding_never_panics_and_undoes_encoding(text in "[^\\p{Cc}]{0,200}") {
            let delimiters = Delimiters::default();
            let raw = encode(&text, &delimiters);
            prop_assert_eq!(decode(&raw, &delimiters), text.as_str());
            prop_assert!(decode(&text, &delimiters).len() <= text.len() * 2);
        }
    }
}
