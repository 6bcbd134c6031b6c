//! What a document in a message is: its encoding undone, its type by its first bytes, its words.

use std::{borrow::Cow, io::BufRead};

use base64::{Engine, alphabet, engine::DecodePaddingMode, engine::GeneralPurpose, engine::GeneralPurposeConfig};
use encoding_rs::{Encoding as Charset, WINDOWS_1252};
use mail_parser::{Encoding, MessageParser, MimeHeaders, PartType};

use crate::protocols::{
    markup::{self, Markup},
    rtf,
};

/// Takes Base64 with or without padding, and with loose last bits.
const LOOSE: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true).with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// How much of a document is read for its words.
const READABLE_BYTES_MAX: usize = 4_194_304;

/// Why a document is left out.
pub(super) enum Unusable {
    Encoding,
    TooLarge,
    Empty,
    Unsafe,
}

impl Unusable {
    pub(super) fn as_str(&self) -> &'static str {
        match self {
            Self::Encoding => "does not decode",
            Self::TooLarge => "is larger than is taken",
            Self::Empty => "is empty",
            Self::Unsafe => "is a program",
        }
    }
}

/// Base64 in its broken forms: line ends plain or escaped, a `data:` prefix, the URL alphabet, missing padding.
pub(super) fn base64(data: &str, limit: usize) -> Result<Vec<u8>, Unusable> {
    let data = behind_prefix(data);
    if data.len() / 4 * 3 > limit.saturating_add(limit / 8) {
        return Err(Unusable::TooLarge);
    }
    let plain = cleaned(data);
    let mut content = Vec::with_capacity(plain.len() / 4 * 3 + 3);
    // Parts that were encoded one by one are each padded.
    for part in plain.split(|byte| *byte == b'=').filter(|part| !part.is_empty()) {
        LOOSE.decode_vec(part, &mut content).map_err(|_| Unusable::Encoding)?;
    }
    within(content, limit)
}

/// The data behind `data:application/pdf;base64,`, where it begins so.
fn behind_prefix(data: &str) -> &str {
    let data = data.trim_start();
    if data.starts_with("data:") { data.split_once("base64,").map_or(data, |(_, rest)| rest) } else { data }
}

/// How data is encoded, by the words of HL7 (table 0299).
pub(super) fn is_encoding(name: &str) -> bool {
    name.eq_ignore_ascii_case("Base64") || name.eq_ignore_ascii_case("Hex")
}

/// Data of which nobody says how it is encoded: Base64 where it decodes to a document or to text, or cannot be words; else the text it is.
pub(super) fn unmarked(
    data: &str,
    declared: &(String, String),
    text: impl FnOnce() -> String,
    limit: usize,
) -> Result<Vec<u8>, Unusable> {
    const BYTES_MIN: usize = 64;
    let bare = data.trim();
    let words = bare.len() < BYTES_MIN || bare.contains(' ') || bare.contains("\\.br\\");
    let no_text =
        begins_document(bare) || claimed_type(declared).is_some_and(|kind| !matches!(kind, "text/html" | "application/rtf"));
    match base64(data, limit) {
        Ok(content) if sniff(&content).is_some() || !words || base64_text(bare).is_some() => Ok(content),
        Err(Unusable::TooLarge) => Err(Unusable::TooLarge),
        Ok(_) | Err(_) if no_text => Err(Unusable::Encoding),
        Ok(_) | Err(_) => within(text().into_bytes(), limit),
    }
}

/// Whether a text is all Base64.
pub(super) fn is_base64(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    !text.is_empty() && text.bytes().all(plain)
}

/// Base64 without blanks and line ends, in the usual alphabet. Clean data, the rule, is not copied: it may be large.
fn cleaned(data: &str) -> Cow<'_, [u8]> {
    if is_base64(data) {
        return Cow::Borrowed(data.as_bytes());
    }
    let mut plain = Vec::with_capacity(data.len());
    // What stands between two escape characters is a line end: the Base64 alphabet has no backslash, full stop or colon.
    for (at, part) in data.split('\\').enumerate() {
        let sequence = at % 2 == 1 && (part.starts_with('.') || part.starts_with('X'));
        if !sequence {
            plain.extend(part.bytes().filter(|byte| !byte.is_ascii_whitespace()).map(|byte| match byte {
                b'-' => b'+',
                b'_' => b'/',
                other => other,
            }));
        }
    }
    Cow::Owned(plain)
}

/// Whether Base64 begins as a document does that is known by its first bytes.
pub(super) fn begins_document(data: &str) -> bool {
    let head: String = behind_prefix(data).chars().take(32).collect();
    base64(&head, 64).is_ok_and(|content| sniff(&content).is_some())
}

/// How many characters of Base64 are looked at for the end of a document.
const END_CHARACTERS: usize = 64;

/// Whether Base64 ends as a document does whose end is marked. Where its last group begins is not known of a part, so each place is tried.
pub(super) fn ends_document(data: &str) -> bool {
    let bytes = data.as_bytes();
    let plain = cleaned(data.get(bytes.len().saturating_sub(4 * END_CHARACTERS)..).unwrap_or(data));
    let plain = plain.trim_ascii_end();
    let padding = plain.iter().rev().take_while(|byte| **byte == b'=').count();
    let plain = plain.get(..plain.len() - padding).unwrap_or_default();
    let tail = plain.get(plain.len().saturating_sub(END_CHARACTERS)..).unwrap_or_default();
    (0..4).any(|shift| {
        let decoded = tail.get(shift..).and_then(|part| LOOSE.decode(part).ok()).unwrap_or_default();
        let bare = decoded.trim_ascii_end();
        bare.ends_with(b"%%EOF") || decoded.ends_with(b"IEND\xAEB\x60\x82") || bare.ends_with(b"</ClinicalDocument>")
    })
}

pub(super) fn hexadecimal(data: &str, limit: usize) -> Result<Vec<u8>, Unusable> {
    let plain: Vec<u8> = data.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    if plain.len() / 2 > limit {
        return Err(Unusable::TooLarge);
    }
    within(data_encoding::HEXUPPER_PERMISSIVE.decode(&plain).map_err(|_| Unusable::Encoding)?, limit)
}

pub(super) fn within(content: Vec<u8>, limit: usize) -> Result<Vec<u8>, Unusable> {
    match content.len() {
        0 => Err(Unusable::Empty),
        bytes if bytes > limit => Err(Unusable::TooLarge),
        _ => Ok(content),
    }
}

/// Text that was sent as Base64 where plain text belongs: only if it decodes to readable text and cannot be words.
pub(super) fn base64_text(text: &str) -> Option<String> {
    if text.len() < 16 || !text.len().is_multiple_of(4) || text.contains(char::is_whitespace) {
        return None;
    }
    let decoded = String::from_utf8(base64(text, 1_048_576).ok()?).ok()?;
    let readable = decoded.chars().all(|symbol| !symbol.is_control() || symbol.is_whitespace());
    readable.then(|| decoded.replace("\r\n", "\n"))
}

/// What the first bytes tell: media type and file extension.
pub(crate) fn sniff(content: &[u8]) -> Option<(&'static str, &'static str)> {
    let starts: [(&[u8], &str, &str); 10] = [
        (b"%PDF", "application/pdf", "pdf"),
        (b"{\\rtf", "application/rtf", "rtf"),
        (b"II*\0", "image/tiff", "tif"),
        (b"MM\0*", "image/tiff", "tif"),
        (b"\x89PNG\r\n\x1A\n", "image/png", "png"),
        (b"\xFF\xD8\xFF", "image/jpeg", "jpg"),
        (b"GIF8", "image/gif", "gif"),
        (b"<?xml", "application/xml", "xml"),
        (b"<ClinicalDocument", "application/xml", "xml"),
        (b"PK\x03\x04", "application/zip", "zip"),
    ];
    let body = content.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(content).trim_ascii_start();
    if let Some((_, media_type, extension)) = starts.iter().find(|(start, ..)| body.starts_with(start)) {
        return Some((media_type, extension));
    }
    let head: Vec<u8> = body.iter().take(14).map(u8::to_ascii_lowercase).collect();
    let html =
        [&b"<!doctype html"[..], b"<html", b"<head", b"<body", b"<div", b"<p>"].iter().any(|start| head.starts_with(start));
    html.then_some(("text/html", "html"))
}

/// A document of a package, with the type that it is said to be of.
pub(super) type Packed = (Vec<u8>, (String, String));

/// The documents of a MIME package (`multipart`), which is how HL7 has a C-CDA travel with what it refers to; empty: it is none.
pub(super) fn package(content: &[u8], declared: &(String, String)) -> Vec<Packed> {
    // More parts than anybody sends, and more packages in packages: reading such a one costs more than it is worth.
    const PARTS_MAX: usize = 1_000;
    const PACKAGES_MAX: usize = 20;
    const HEADS: [&[u8]; 2] = [b"mime-version:", b"content-type: multipart/"];
    let body = content.trim_ascii_start();
    let begins = |head: &&[u8]| body.get(..head.len()).is_some_and(|start| start.eq_ignore_ascii_case(head));
    let headed = HEADS.iter().any(begins);
    if !headed && !declared.0.eq_ignore_ascii_case("multipart") {
        return Vec::new();
    }
    let lines = memchr::memmem::find_iter(body, b"\n--").take(PARTS_MAX + 1).count();
    let packages = body.windows(10).filter(|word| word.eq_ignore_ascii_case(b"multipart/")).take(PACKAGES_MAX + 1).count();
    if lines > PARTS_MAX || packages > PACKAGES_MAX {
        return Vec::new();
    }
    // Some leave the heads of the package out: the first line is then the boundary.
    let boundary = body.strip_prefix(b"--").filter(|_| !headed).and_then(|rest| rest.lines().next()?.ok());
    let head = boundary.map(|boundary| format!("Content-Type: multipart/mixed; boundary=\"{}\"\r\n\r\n", boundary.trim_end()));
    let whole = [head.unwrap_or_default().as_bytes(), body].concat();
    let Some(parsed) = MessageParser::default().parse(&whole) else { return Vec::new() };
    let leaf = |part: &&mail_parser::MessagePart<'_>| !matches!(part.body, PartType::Multipart(_)) && !part.contents().is_empty();
    let packed = |part: &mail_parser::MessagePart<'_>| {
        let named = part.content_type();
        let kind = named.map(|named| (named.c_type.to_string(), named.c_subtype.as_deref().unwrap_or_default().to_owned()));
        // Text is taken as it came: it may say itself what character set it is in.
        let raw = whole.get(part.offset_body as usize..part.offset_end as usize).unwrap_or_default();
        let content = match part.encoding {
            Encoding::None => raw.to_vec(),
            Encoding::Base64 => std::str::from_utf8(raw).ok().and_then(|raw| base64(raw, raw.len()).ok()).unwrap_or_default(),
            Encoding::QuotedPrintable => part.contents().to_vec(),
        };
        (content, kind.unwrap_or_default())
    };
    let parts = parsed.parts.iter().filter(leaf).map(packed).collect::<Vec<_>>();
    if parsed.parts.len() > 1 { parts } else { Vec::new() }
}

pub(super) fn claimed_type(declared: &(String, String)) -> Option<&'static str> {
    match declared.1.to_ascii_lowercase().as_str() {
        "pdf" => Some("application/pdf"),
        "rtf" | "x-rtf" => Some("application/rtf"),
        "tif" | "tiff" => Some("image/tiff"),
        "png" => Some("image/png"),
        "jpg" | "jpeg" => Some("image/jpeg"),
        "html" => Some("text/html"),
        _ => None,
    }
}

pub(super) fn by_declaration(declared: &(String, String), content: &[u8]) -> (&'static str, &'static str) {
    let declared_text =
        declared.0.eq_ignore_ascii_case("TEXT") || matches!(declared.1.to_ascii_lowercase().as_str(), "plain" | "txt");
    let text = match Charset::for_bom(content) {
        Some(_) => true,
        None => !content.contains(&0) && (declared_text || std::str::from_utf8(content).is_ok()),
    };
    match claimed_type(declared) {
        Some("text/html") if text => ("text/html", "html"),
        _ if text => ("text/plain", "txt"),
        _ => ("application/octet-stream", "bin"),
    }
}

/// Whether it is something that runs when it is opened: such a document goes no further.
pub(super) fn is_unsafe(content: &[u8], declared: &(String, String)) -> bool {
    let starts: [&[u8]; 8] = [
        b"MZ",
        b"\x7FELF",
        b"#!",
        b"\xCA\xFE\xBA\xBE",
        b"\xCF\xFA\xED\xFE",
        b"\xFE\xED\xFA",
        b"L\0\0\0\x01\x14\x02\0",
        // What virus scanners are tried with.
        b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR",
    ];
    let named = declared.1.to_ascii_lowercase();
    let programs =
        ["exe", "msdownload", "msdos-program", "bat", "cmd", "com", "scr", "msi", "js", "javascript", "vbs", "ps1", "jar"];
    starts.iter().any(|start| content.starts_with(start))
        || programs.contains(&named.trim_start_matches("x-").trim_start_matches('.'))
}

/// The words of a document of this type, where they can be had without opening it as its program would.
pub(super) fn words(content: &[u8], media_type: &str) -> Option<String> {
    let content = content.get(..content.len().min(READABLE_BYTES_MAX)).unwrap_or_default();
    let decoded = || match (Charset::for_bom(content), std::str::from_utf8(content)) {
        (Some((encoding, _)), _) => encoding.decode_with_bom_removal(content).0,
        (None, Ok(text)) => Cow::Borrowed(text),
        (None, Err(_)) => WINDOWS_1252.decode_without_bom_handling(content).0,
    };
    let text = match media_type {
        "application/rtf" => rtf::text(content),
        "text/html" => markup::text(&decoded(), Markup::Html),
        "application/xml" if markup::is_cda(content) => markup::text(&decoded(), Markup::Cda),
        "text/plain" => decoded().replace("\r\n", "\n").trim().to_owned(),
        _ => return None,
    };
    Some(text).filter(|text| !text.is_empty())
}
