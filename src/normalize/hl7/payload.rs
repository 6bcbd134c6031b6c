//! OBX: documents that travel in the message, and results as text.
//!
//! What a document is, its first bytes tell; what the sender calls it is only asked where they say nothing. A document that does not
//! decode, or would run when it is opened, stays in the message as it came and goes no further: the message itself is taken, with a
//! warning. The words of letters (RTF, HTML, C-CDA, plain text) become notes, so that they are read where the referral is.

use std::borrow::Cow;

use bytes::Bytes;

use super::{
    content::{self, Unusable},
    draft::{Draft, element, location, some},
};
use crate::{
    protocols::hl7::{Repetition, Segment, decode},
    referral::Problem,
};

/// Base64 without a word about it is at least so long.
const BARE_LETTERS_MIN: usize = 64;
/// How many characters of a letter become a note; the letter itself is kept whole.
const NOTE_CHARS_MAX: usize = 20_000;

impl<'t, 'm> Draft<'t, 'm> {
    pub(super) fn payload(&mut self) {
        let all: Vec<(Segment<'t, 'm>, usize)> = self.message.all("OBX").zip(1..).collect();
        let mut rest = all.as_slice();
        while let Some(((obx, occurrence), after)) = rest.split_first() {
            rest = after;
            let value = obx.field(5);
            if value.is_empty() {
                if !obx.field(3).is_empty() {
                    self.record.problems.push(Problem::new("obx-empty", format!("OBX^{occurrence}^5 is empty")));
                }
            } else if obx.value(2, 1).eq_ignore_ascii_case("RP") {
                let place = location("OBX", *occurrence, 5);
                let message = "a document is only pointed at, not sent: ask the sender for it";
                self.note("attachment-by-reference", &format!("notes.{}", self.record.notes.len()), message);
                self.seen(format!("notes.{}", self.record.notes.len()), place.clone());
                self.record.notes.push(format!("document at {}", value.first().component(1).text()));
            } else if is_document(obx) {
                let further = further_parts(obx, after);
                let (parts, others) = after.split_at(further);
                rest = others;
                self.document(obx, parts, *occurrence);
            } else {
                self.observation(obx, *occurrence);
            }
        }
    }

    /// A document in one OBX, or cut into several.
    fn document(&mut self, obx: &Segment<'t, 'm>, further: &[(Segment<'t, 'm>, usize)], occurrence: usize) {
        let first = obx.field(5).first();
        let (encoding, declared) = said(&first);
        let mut parts = std::iter::once(obx).chain(further.iter().map(|(obx, _)| obx)).flat_map(data);
        // One part is the rule, and it may be large: only several are copied together.
        let mut data = Cow::Borrowed(parts.next().unwrap_or_default());
        for part in parts {
            data.to_mut().push_str(part);
        }
        let limit = self.rules.attachment_bytes_max;
        if is_head_alone(&first, &data) {
            return self.leave_out(occurrence, &Unusable::Empty);
        }
        let text = || decode(&data, self.message.delimiters()).into_owned();
        let content = match encoding.as_str() {
            "HEX" => content::hexadecimal(&data, limit),
            "A" => content::within(text().into_bytes(), limit),
            "BASE64" => content::base64(&data, limit),
            _ => content::unmarked(&data, &declared, text, limit),
        };
        let unnumbered = further.first().is_some_and(|(next, _)| next.field(4).raw().trim() == obx.field(4).raw().trim());
        if unnumbered && content.is_ok() {
            let text = format!("the document in OBX^{occurrence}^5 goes on in the OBX behind it, which are not numbered: joined");
            self.record.problems.push(Problem::new("attachment-joined", text));
        }
        match content {
            Ok(content) => self.unpack(obx, occurrence, content, &declared),
            Err(why) => self.leave_out(occurrence, &why),
        }
    }

    /// A document, or each of a package.
    fn unpack(&mut self, obx: &Segment<'t, 'm>, occurrence: usize, content: Vec<u8>, declared: &(String, String)) {
        let packed = content::package(&content, declared);
        if packed.is_empty() {
            return self.keep(obx, occurrence, content, declared);
        }
        for (content, declared) in packed {
            self.keep(obx, occurrence, content, &declared);
        }
    }

    fn leave_out(&mut self, occurrence: usize, why: &Unusable) {
        let place = location("OBX", occurrence, 5);
        let message = format!("the document in {place} {}: it stays in the message and goes no further", why.as_str());
        self.record.problems.push(Problem::new("attachment-unusable", message));
        self.warn(102, &place, format!("the embedded document {}; it was left out", why.as_str()));
    }

    fn keep(&mut self, obx: &Segment<'_, '_>, occurrence: usize, content: Vec<u8>, declared: &(String, String)) {
        let at = self.record.attachments.len();
        if at >= self.rules.attachments_max {
            let message = format!("the message holds more than {at} documents: OBX^{occurrence} was left out");
            self.record.problems.push(Problem::new("attachments-too-many", message));
            return;
        }
        if content::is_unsafe(&content, declared) {
            return self.leave_out(occurrence, &Unusable::Unsafe);
        }
        let place = location("OBX", occurrence, 5);
        let (media_type, extension) = content::sniff(&content).unwrap_or_else(|| content::by_declaration(declared, &content));
        let claimed = content::claimed_type(declared);
        let path = format!("attachments.{at}.media_type");
        if claimed.is_some_and(|claimed| claimed != media_type) {
            self.note("attachment-type", &path, format!("the document in {place} is not of the type that OBX-5 names"));
            self.warn(102, &place, "the embedded document is not of the type that it is said to be");
        }
        // The sender's own words for it say more than the name of a code.
        let label = [obx.value(3, 5), obx.value(3, 2), obx.value(3, 1)].into_iter().find_map(some);
        let name = label.as_ref().map(|label| {
            let plain: String =
                label.chars().map(|symbol| if symbol.is_alphanumeric() { symbol } else { '-' }).take(60).collect();
            format!("{}.{extension}", plain.trim_matches('-'))
        });
        if let Some(words) = content::words(&content, media_type) {
            self.letter(label, &words, &place);
        }
        self.seen(format!("attachments.{at}.id"), place.clone());
        let attachment = self.outcome.attach(name, media_type, Bytes::from(content));
        self.record.attachments.push(attachment);
    }

    /// The words of a document, as a note.
    fn letter(&mut self, label: Option<String>, words: &str, place: &str) {
        let path = format!("notes.{}", self.record.notes.len());
        let mut text: String = words.chars().take(NOTE_CHARS_MAX).collect();
        if text.len() < words.len() {
            text.push('…');
            let message =
                format!("the text of the document in {place} is shown as far as {NOTE_CHARS_MAX} characters: see the document");
            self.note("note-shortened", &path, message);
        }
        self.seen(path, place);
        self.record.notes.push(match label {
            Some(label) => format!("{label}: {text}"),
            None => text,
        });
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
        self.seen(element("notes", self.record.notes.len()), location("OBX", occurrence, 5));
        self.record.notes.push(match label {
            Some(label) => [&label, ": ", &text, &units].concat(),
            None => [text, units].concat(),
        });
    }
}

/// Whether an OBX carries a document: by OBX-2, or by the shape of what it holds.
pub(super) fn is_document(obx: &Segment<'_, '_>) -> bool {
    let first = obx.field(5).first();
    let at = data_place(&first);
    let embedded = at > 1 && content::is_encoding(first.component(at - 1).raw().trim()) && !first.component(at).raw().is_empty();
    obx.value(2, 1).eq_ignore_ascii_case("ED") || embedded || is_bare_document(obx)
}

/// Whether a text is a document in Base64, and nothing says so.
fn is_bare_document(obx: &Segment<'_, '_>) -> bool {
    let text = obx.field(5).first().component(1).raw().trim();
    text.len() >= BARE_LETTERS_MIN && content::begins_document(text) && !text.contains(' ')
}

/// Where the data of an ED stands: last of its five components, or of the four that a sender has who leaves the first out. What a later
/// repetition holds alone is data.
fn data_place(part: &Repetition<'_, '_>) -> usize {
    let is_shifted =
        content::is_encoding(part.component(3).raw().trim()) && !content::is_encoding(part.component(4).raw().trim());
    if is_shifted { 4 } else { part.len().clamp(1, 5) }
}

/// Whether what stands last is the type or the encoding, since the data behind it is missing.
fn is_head_alone(first: &Repetition<'_, '_>, data: &str) -> bool {
    let at = data_place(first);
    let is_type = at > 1 && at < 4 && first.component(1).raw().is_empty();
    is_type || (at < 5 && content::is_encoding(data.trim()))
}

/// What an ED says of its data: the encoding in upper case, the type and the subtype.
fn said(first: &Repetition<'_, '_>) -> (String, (String, String)) {
    let at = data_place(first);
    // In front of the data stand type, subtype and encoding; where the encoding is left out, only the first two.
    let named = |back: usize| at.checked_sub(back).filter(|place| *place > 0).map(|place| first.component(place));
    let encoding = named(1).map(|it| it.raw().trim().to_ascii_uppercase()).unwrap_or_default();
    let text = |place: usize| named(place).map(|it| it.text().into_owned()).unwrap_or_default();
    match encoding.as_str() {
        "BASE64" | "HEX" | "A" | "" => (encoding, (text(3), text(2))),
        _ if at < 5 => (String::new(), (text(2), text(1))),
        _ => (encoding, (text(3), text(2))),
    }
}

/// The data of a document's OBX: a document may be cut into repetitions, and some leave only the data in the later ones.
fn data<'t>(obx: &Segment<'t, '_>) -> impl Iterator<Item = &'t str> {
    obx.field(5).repetitions().map(|part| part.component(data_place(&part)).raw())
}

/// How many of the next OBX go on with the document of this one: the same OBX-3 and type, a sub-id that follows or none of their own, and
/// no beginning of their own. What ends as such a document does is whole: nothing goes on with it.
fn further_parts<'t, 'm>(obx: &Segment<'t, 'm>, after: &[(Segment<'t, 'm>, usize)]) -> usize {
    let sub_id = |obx: &Segment<'_, '_>| obx.field(4).first().raw().trim().to_owned();
    let begins = |obx: &Segment<'_, '_>| data(obx).next().is_some_and(content::begins_document);
    let ends = |obx: &Segment<'_, '_>| data(obx).last().is_some_and(content::ends_document);
    let kind = |obx: &Segment<'_, '_>| [2, 3].map(|part| obx.field(5).first().component(part).raw().trim().to_ascii_lowercase());
    if !begins(obx) {
        return 0;
    }
    let is_bare = is_bare_document(obx);
    let (mut last, mut before) = (sub_id(obx), *obx);
    let goes_on = |(next, _): &&(Segment<'t, 'm>, usize)| {
        let at = sub_id(next);
        let is_next = at == last || follows(&last, &at);
        // Some name the type with the first part only.
        let same_kind = kind(next) == kind(obx) || kind(next).iter().all(String::is_empty);
        let text = next.field(5).first().component(1).raw().trim();
        let is_more = content::is_base64(text) && (text.len() >= BARE_LETTERS_MIN || !at.is_empty());
        let more_of_it = is_document(next) || (is_bare && is_more);
        let goes_on =
            is_next && more_of_it && same_kind && next.field(3).raw() == obx.field(3).raw() && !begins(next) && !ends(&before);
        (last, before) = (at, *next);
        goes_on
    };
    after.iter().take_while(goes_on).count()
}

/// Whether a sub-id is the one after another: `2` after `1`, `1.2` after `1.1`.
fn follows(last: &str, next: &str) -> bool {
    let parts = |text: &str| {
        let (head, tail) = text.rsplit_once('.').map_or(("", text), |(head, tail)| (head, tail));
        Some((head.to_owned(), tail.parse::<u32>().ok()?))
    };
    match (parts(last), parts(next)) {
        (Some((head, number)), Some((other, following))) => head == other && number.checked_add(1) == Some(following),
        _ => false,
    }
}
