//! OBX: documents that travel in the message, and results as text.
//!
//! What a document is, its first bytes tell; what the sender calls it is only asked where they say nothing. A document that
//! does not decode is left out with a warning: the message itself is taken.

use base64::{Engine, alphabet, engine::DecodePaddingMode, engine::GeneralPurpose, engine::GeneralPurposeConfig};
use bytes::Bytes;

use super::draft::{Draft, location, some};
use crate::protocols::hl7::{Segment, decode};

/// Takes Base64 with or without padding, and with loose last bits.
const LOOSE: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true).with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Why a document is left out.
enum Unusable {
    Encoding,
    TooLarge,
    Empty,
}

impl Unusable {
    fn as_str(&self) -> &'static str {
        match self {
            Self::Encoding => "does not decode",
            Self::TooLarge => "is larger than is taken",
            Self::Empty => "is empty",
        }
    }
}

impl<'t, 'm> Draft<'t, 'm> {
    pub(super) fn payload(&mut self) {
        for (obx, occurrence) in self.message.all("OBX").zip(1..) {
            let kind = obx.value(2, 1).to_ascii_uppercase();
            let value = obx.field(5);
            if value.is_empty() {
                if !obx.field(3).is_empty() {
                    self.record.problems.push(crate::referral::Problem::new("obx-empty", format!("OBX^{occurrence}^5 is empty")));
                }
                continue;
            }
            let first = value.first();
            let embedded = first.component(4).raw().trim().eq_ignore_ascii_case("Base64") && !first.component(5).raw().is_empty();
            if kind == "RP" {
                let place = location("OBX", occurrence, 5);
                let message = "a document is only pointed at, not sent: ask the sender for it";
                self.note("attachment-by-reference", &format!("notes.{}", self.record.notes.len()), message);
                self.seen(format!("notes.{}", self.record.notes.len()), &place);
                self.record.notes.push(format!("document at {}", first.component(1).text()));
            } else if kind == "ED" || embedded {
                self.document(&obx, occurrence);
            } else {
                self.observation(&obx, occurrence);
            }
        }
    }

    fn document(&mut self, obx: &Segment<'_, '_>, occurrence: usize) {
        let place = location("OBX", occurrence, 5);
        let first = obx.field(5).first();
        let encoding = first.component(4).raw().trim().to_ascii_uppercase();
        // A document may be cut into repetitions; some leave only the data in the later ones.
        let mut data = String::new();
        for part in obx.field(5).repetitions() {
            data.push_str(if part.len() >= 5 { part.component(5).raw() } else { part.component(1).raw() });
        }
        let limit = self.rules.attachment_bytes_max;
        let content = match encoding.as_str() {
            "HEX" => hexadecimal(&data, limit),
            "A" => within(decode(&data, self.message.delimiters()).into_owned().into_bytes(), limit),
            _ => base64(&data, limit),
        };
        let declared = (first.component(2).text().into_owned(), first.component(3).text().into_owned());
        match content {
            Ok(content) => self.keep(obx, occurrence, content, &declared),
            Err(why) => {
                let message = format!("the document in {place} {}: it was left out", why.as_str());
                self.record.problems.push(crate::referral::Problem::new("attachment-unusable", message));
                self.warn(102, &place, format!("the embedded document {}; it was left out", why.as_str()));
            }
        }
    }

    fn keep(&mut self, obx: &Segment<'_, '_>, occurrence: usize, content: Vec<u8>, declared: &(String, String)) {
        let at = self.record.attachments.len();
        if at >= self.rules.attachments_max {
            let message = format!("the message holds more than {at} documents: OBX^{occurrence} was left out");
            self.record.problems.push(crate::referral::Problem::new("attachments-too-many", message));
            return;
        }
        let place = location("OBX", occurrence, 5);
        let (media_type, extension) = sniff(&content).unwrap_or_else(|| by_declaration(declared, &content));
        let claimed = claimed_type(declared);
        let path = format!("attachments.{at}.media_type");
        if claimed.is_some_and(|claimed| claimed != media_type) {
            self.note("attachment-type", &path, format!("the document in {place} is not of the type that OBX-5 names"));
            self.warn(102, &place, "the embedded document is not of the type that it is said to be");
        }
        let label = [obx.value(3, 2), obx.value(3, 1)].into_iter().find_map(some);
        let name = label.map(|label| {
            let plain: String =
                label.chars().map(|symbol| if symbol.is_alphanumeric() { symbol } else { '-' }).take(60).collect();
            format!("{}.{extension}", plain.trim_matches('-'))
        });
        self.seen(format!("attachments.{at}.id"), &place);
        let attachment = self.outcome.attach(name, media_type, Bytes::from(content));
        self.record.attachments.push(attachment);
    }

    /// A result or a text: one note, headed by what it is.
    fn observation(&mut self, obx: &Segment<'_, '_>, occurrence: usize) {
        let text = match obx.field(5).first() {
            coded if matches!(obx.value(2, 1).as_ref(), "CE" | "CWE" | "CNE") => {
                [coded.value(2), coded.value(1)].into_iter().find_map(some).unwrap_or_default()
            }
            _ => obx.field(5).text(),
        };
        if text.starts_with("{\\rtf") || text.starts_with("%PDF") {
            let declared = (String::new(), String::new());
            self.keep(obx, occurrence, text.into_bytes(), &declared);
            return;
        }
        if text.is_empty() || self.record.notes.len() >= 2_000 {
            return;
        }
        let label = [obx.value(3, 2), obx.value(3, 1)].into_iter().find_map(some);
        let units = some(obx.value(6, 1)).map(|units| format!(" {units}")).unwrap_or_default();
        self.seen(format!("notes.{}", self.record.notes.len()), &location("OBX", occurrence, 5));
        self.record.notes.push(match label {
            Some(label) => format!("{label}: {text}{units}"),
            None => format!("{text}{units}"),
        });
    }
}

/// Base64 in its broken forms: line ends plain or escaped, a `data:` prefix, the URL alphabet, missing padding.
fn base64(data: &str, limit: usize) -> Result<Vec<u8>, Unusable> {
    let data = data.trim_start();
    let data = match data.split_once("base64,") {
        Some((prefix, rest)) if prefix.starts_with("data:") => rest,
        _ => data,
    };
    if data.len() / 4 * 3 > limit.saturating_add(limit / 8) {
        return Err(Unusable::TooLarge);
    }
    let mut plain = Vec::with_capacity(data.len());
    // What stands between two escape characters is a line end: the Base64 alphabet has no backslash, full stop or colon.
    for (at, part) in data.split('\\').enumerate() {
        let sequence = at % 2 == 1 && (part.starts_with('.') || part.starts_with('X'));
        if !sequence {
            plain.extend(part.bytes().filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=').map(|byte| match byte {
                b'-' => b'+',
                b'_' => b'/',
                other => other,
            }));
        }
    }
    within(LOOSE.decode(&plain).map_err(|_| Unusable::Encoding)?, limit)
}

fn hexadecimal(data: &str, limit: usize) -> Result<Vec<u8>, Unusable> {
    let plain: Vec<u8> = data.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    if plain.len() / 2 > limit {
        return Err(Unusable::TooLarge);
    }
    within(data_encoding::HEXUPPER_PERMISSIVE.decode(&plain).map_err(|_| Unusable::Encoding)?, limit)
}

fn within(content: Vec<u8>, limit: usize) -> Result<Vec<u8>, Unusable> {
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
fn sniff(content: &[u8]) -> Option<(&'static str, &'static str)> {
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

fn claimed_type(declared: &(String, String)) -> Option<&'static str> {
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

fn by_declaration(declared: &(String, String), content: &[u8]) -> (&'static str, &'static str) {
    let text = std::str::from_utf8(content).is_ok_and(|text| !text.contains('\0'));
    match claimed_type(declared) {
        Some("text/html") if text => ("text/html", "html"),
        _ if text => ("text/plain", "txt"),
        _ => ("application/octet-stream", "bin"),
    }
}
