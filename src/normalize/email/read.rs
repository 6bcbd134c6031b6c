//! A mail taken apart: who wrote it, in answer to what, in which own words, with which parts.

use std::{borrow::Cow, fmt};

use super::{
    automatic::automatic,
    bounce::{self, Report},
    left_out::LeftOut,
    words,
};
use crate::{
    ids::BodyId,
    protocols::{hl7::narrowed_file, pages::picture_size},
    referral::Problem,
};
use bytes::Bytes;
use jiff::civil::Date;
use mail_parser::{
    Encoding, HeaderValue, Message, MessageParser, MessagePart, MimeHeaders, PartType,
    decoders::{base64::base64_decode, quoted_printable::quoted_printable_decode},
};

/// The code of the problem that a mail has whose letters are guessed.
pub(super) const WRONG_LETTERS: &str = "mail-character-set";

/// How much of a mail is looked at.
#[derive(Clone, Copy, Debug)]
pub struct MailLimits {
    /// Mails within mails.
    pub nesting_max: u32,
    /// Parts, in all.
    pub parts_max: usize,
    /// Characters of text.
    pub text_characters_max: usize,
    /// Bytes of one decoded part.
    pub part_bytes_max: usize,
}

impl Default for MailLimits {
    fn default() -> Self {
        Self { nesting_max: 8, parts_max: 200, text_characters_max: 65_536, part_bytes_max: 67_108_864 }
    }
}

/// One attached part, decoded.
#[derive(Clone, PartialEq, Eq)]
pub struct Part {
    /// The name it came with. It can be patient data.
    pub name: Option<String>,
    /// Its media type by its content; by its header only where the content does not tell.
    pub media_type: String,
    /// Its content.
    pub content: Bytes,
    /// Its place among the attachments, from 1: how it is named where its own name must not be told.
    pub position: usize,
    /// Whether it came in a mail within the mail.
    pub passed_on: bool,
}

impl Part {
    /// Whether it is a PDF or TIFF, or a picture of a page, to be read as faxes are.
    #[must_use]
    pub fn is_document(&self) -> bool {
        match self.media_type.as_str() {
            "application/pdf" | "image/tiff" => true,
            "image/png" | "image/jpeg" => is_page(&self.content),
            _ => false,
        }
    }

    /// Whether it is HL7 v2.
    #[must_use]
    pub fn is_hl7(&self) -> bool {
        self.media_type == "application/hl7-v2"
    }

    /// Whether it is a text, which may say something of what is attached beside it.
    fn is_text(&self) -> bool {
        ["text/plain", "text/html"].contains(&self.media_type.as_str())
    }

    /// What it says, where it is a text that is not too long to be looked through.
    pub(super) fn words(&self) -> Option<String> {
        if !self.is_text() || self.content.len() > MailLimits::default().text_characters_max {
            return None;
        }
        let text = String::from_utf8_lossy(&self.content);
        Some(if self.media_type == "text/html" { words::whole_html_to_text(&text) } else { text.into_owned() })
    }
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part").field("media_type", &self.media_type).field("bytes", &self.content.len()).finish_non_exhaustive()
    }
}

/// A mail, taken apart.
#[derive(Clone, Default)]
pub struct Mail {
    /// The address in From; the first, where there are several.
    pub from: Option<String>,
    /// The name before it.
    pub from_name: Option<String>,
    /// The address in Reply-To.
    pub reply_to: Option<String>,
    /// Every address it was sent to: To, Cc, Delivered-To, X-Original-To, Envelope-To.
    pub to: Vec<String>,
    /// The subject.
    pub subject: String,
    /// The day in Date, in the writer's own time zone.
    pub sent_on: Option<Date>,
    /// Message-ID, without its angle brackets.
    pub message_id: Option<String>,
    /// The Message-IDs in In-Reply-To and References.
    pub answers: Vec<String>,
    /// The sender's own words.
    pub words: String,
    /// The sender's own words as the mail's HTML has them, where it has a plain text beside it.
    pub shown: String,
    /// What was left out of them, in the text or in the HTML.
    pub(super) left_out: LeftOut,
    /// The words of the mails within it, which it passes on.
    pub within: Vec<String>,
    /// Their subjects.
    pub subjects_within: Vec<String>,
    /// Whether any of its own words stand below quoted text.
    pub below_quotes: bool,
    /// All its text, quoted text included, and the headers of a returned mail: where a token may stand.
    pub all_text: String,
    /// Whether it passes on somebody else's mail.
    pub forwarded: bool,
    /// Whether it was sent with high importance.
    pub important: bool,
    /// Whether a machine wrote it, and how that is known.
    pub automatic: Option<&'static str>,
    /// What it says of a delivery that failed.
    pub bounce: Option<Report>,
    /// Its attachments.
    pub parts: Vec<Part>,
    /// What makes the same mail again the same: Message-ID, and the SHA-256 of From, To, Subject, Date and all below the headers.
    /// Other headers are not in it, because relays add some.
    pub repeat_key: String,
    /// What was tolerated or left out.
    pub problems: Vec<Problem>,
}

impl Mail {
    /// Whether a limit left something of it out: its code says so.
    pub(super) fn is_cut(&self) -> bool {
        self.problems.iter().any(|problem| problem.code.starts_with("mail-") && problem.code.ends_with("-max"))
    }
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mail").field("parts", &self.parts).field("automatic", &self.automatic).finish_non_exhaustive()
    }
}

/// Takes a mail apart. Every sequence of bytes is some mail: what is wrong with it is among its problems.
#[must_use]
pub fn read(raw: &[u8], limits: MailLimits) -> Mail {
    let mut mail = Mail { repeat_key: content_key(raw), ..Mail::default() };
    let Some(message) = MessageParser::default().parse(raw) else {
        mail.problems.push(Problem::new("not-a-mail", "the mail has no headers that can be read"));
        return mail;
    };
    mail.repeat_key = repeat_key(&message, &mail.repeat_key);
    headers(&message, &mut mail);
    let mut reader = Reader { mail: &mut mail, limits, parts: 0, report: None, returned: false };
    reader.message(&message, 0);
    let report = reader.report.take();
    let text: String = mail.all_text.chars().take(limits.text_characters_max).collect();
    mail.all_text = text;
    let null_sender = header(&message, "Return-Path").is_some_and(|path| path.trim() == "<>");
    let failed = header(&message, "X-Failed-Recipients");
    mail.bounce =
        report.or_else(|| bounce::plain(mail.from.as_deref(), null_sender, &mail.subject, failed.as_deref(), &mail.all_text));
    // What came back is our own: it brings nothing new. A bounce that is only told by its words may be none, and keeps its own parts.
    let is_report = message.parts.iter().any(|part| declared(part) == "multipart/report");
    if is_report {
        mail.parts.clear();
    } else if mail.bounce.is_some() {
        mail.parts.retain(|part| !part.passed_on);
    }
    mail.automatic = if is_report { Some("multipart/report") } else { automatic(&message, &mail, null_sender) };
    mail
}

/// Two mails with the same words are two mails if they were written to somebody else, or of something else, or at another time.
fn repeat_key(message: &Message<'_>, content_key: &str) -> String {
    let mut identity = String::new();
    for name in ["From", "To", "Subject", "Date"] {
        for (_, value) in message.headers_raw().filter(|(known, _)| known.eq_ignore_ascii_case(name)) {
            // Relays fold long lines anew.
            let unfolded = value.split_whitespace().collect::<Vec<_>>().join(" ");
            identity.push_str(&format!("{name}: {unfolded}\n"));
        }
    }
    identity.push_str(content_key);
    let key = BodyId::of(identity.as_bytes()).hex().to_owned();
    message.message_id().map_or(key.clone(), |id| format!("{id}|{key}"))
}

fn content_key(raw: &[u8]) -> String {
    let below = |gap: &[u8]| raw.windows(gap.len()).position(|window| window == gap).map(|at| at + gap.len());
    let from = match (below(b"\r\n\r\n"), below(b"\n\n")) {
        (Some(crlf), Some(lf)) => crlf.min(lf),
        (found, None) | (None, found) => found.unwrap_or(0),
    };
    BodyId::of(raw.get(from..).unwrap_or(raw)).hex().to_owned()
}

pub(super) fn header(message: &Message<'_>, name: &str) -> Option<String> {
    message.headers_raw().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned())
}

fn headers(message: &Message<'_>, mail: &mut Mail) {
    let first = |address: Option<&mail_parser::Address<'_>>| address.and_then(|list| list.first()?.address().map(str::to_owned));
    mail.from = first(message.from());
    mail.from_name = message.from().and_then(|list| list.first()?.name().map(str::to_owned));
    mail.reply_to = first(message.reply_to());
    for list in message.all_to().chain(message.all_cc()) {
        mail.to.extend(list.iter().filter_map(|address| address.address().map(str::to_owned)).take(50));
    }
    for name in ["Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To"] {
        let values = message.headers_raw().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        mail.to.extend(values.map(|(_, value)| value.trim().to_owned()).take(20));
    }
    mail.subject = message.subject().unwrap_or_default().trim().to_owned();
    mail.sent_on = message.date().filter(|date| date.is_valid()).and_then(|date| {
        Date::new(i16::try_from(date.year).ok()?, i8::try_from(date.month).ok()?, i8::try_from(date.day).ok()?).ok()
    });
    mail.important = ["Importance", "X-Priority", "X-MSMail-Priority"].iter().any(|name| {
        header(message, name).is_some_and(|value| value.to_lowercase().starts_with("high") || value.starts_with(['1', '2']))
    });
    mail.message_id = message.message_id().map(str::to_owned);
    for value in [message.in_reply_to(), message.references()] {
        match value {
            HeaderValue::Text(id) => mail.answers.push(id.to_string()),
            HeaderValue::TextList(ids) => mail.answers.extend(ids.iter().take(100).map(ToString::to_string)),
            HeaderValue::Address(_)
            | HeaderValue::DateTime(_)
            | HeaderValue::ContentType(_)
            | HeaderValue::Received(_)
            | HeaderValue::Empty => {}
        }
    }
}

struct Reader<'m> {
    mail: &'m mut Mail,
    limits: MailLimits,
    parts: usize,
    report: Option<Report>,
    /// Whether what follows is a mail that came back.
    returned: bool,
}

impl Reader<'_> {
    fn problem(&mut self, code: &str, message: &str) {
        if !self.mail.problems.iter().any(|known| known.code == code) {
            self.mail.problems.push(Problem::new(code, message));
        }
    }

    fn message(&mut self, message: &Message<'_>, depth: u32) {
        if depth > self.limits.nesting_max {
            self.problem("mail-nesting-max", "the mail holds mails within mails too deep; those below were not read");
            return;
        }
        let is_text =
            |id: usize| u32::try_from(id).is_ok_and(|id| message.text_body.contains(&id) || message.html_body.contains(&id));
        let has_plain = message
            .parts
            .iter()
            .enumerate()
            .any(|(id, part)| is_text(id) && matches!(&part.body, PartType::Text(text) if !text.trim().is_empty()));
        for (id, part) in message.parts.iter().enumerate() {
            self.parts += 1;
            if self.parts > self.limits.parts_max {
                self.problem("mail-parts-max", "the mail has too many parts; the last ones were not read");
                return;
            }
            let media_type = declared(part);
            match &part.body {
                PartType::Message(nested) => self.nested(nested, depth),
                PartType::Multipart(_) => {}
                PartType::Text(_) | PartType::Html(_) | PartType::Binary(_) | PartType::InlineBinary(_)
                    // One in a mail that is passed on tells of somebody else's delivery.
                    if depth == 0
                        && (media_type == "message/delivery-status" || media_type == "message/global-delivery-status") =>
                {
                    self.report =
                        self.report.take().or_else(|| bounce::delivery_status(&String::from_utf8_lossy(part.contents())));
                }
                PartType::Text(text) if media_type == "text/rfc822-headers" => self.text(text),
                PartType::Text(text) if is_text(id) && !attached(part) => {
                    let text = self.in_its_letters(message, part, text);
                    let says = |name, value: &str| {
                        part.content_type()
                            .and_then(|declared| declared.attribute(name))
                            .is_some_and(|said| said.eq_ignore_ascii_case(value))
                    };
                    let whole = says("format", "flowed").then(|| words::unflowed(&text, says("delsp", "yes")));
                    self.body(whole.as_deref().unwrap_or(&text), depth);
                }
                PartType::Html(html) if is_text(id) && !attached(part) => {
                    let html = &*self.in_its_letters(message, part, html);
                    let (own, quoted) = words::html_to_text(html);
                    if depth == 0 {
                        self.mail.left_out.add_quoted(&self.bounded(&quoted));
                    }
                    if !has_plain {
                        self.mail.below_quotes |= depth == 0 && words::stands_below_quotes(html);
                        self.body(&own, depth);
                    } else if depth == 0 {
                        let own = words::own_words(&self.bounded(&own));
                        self.mail.left_out.add(&own);
                        self.mail.shown.push_str(&own.words);
                    }
                    let whole = words::whole_html_to_text(html);
                    self.text(&whole);
                }
                PartType::Text(_) | PartType::Html(_) | PartType::Binary(_) | PartType::InlineBinary(_) => {
                    self.attachment(part, &media_type, depth);
                }
            }
        }
    }

    /// A text without the letters that its character set does not have. Where that is not said, or wrong, it is read as UTF-8 if it is that,
    /// else as Windows-1252, in which every byte is some letter.
    fn in_its_letters<'t>(&mut self, message: &Message<'_>, part: &MessagePart<'_>, text: &'t str) -> Cow<'t, str> {
        if !text.contains(char::REPLACEMENT_CHARACTER) {
            return Cow::Borrowed(text);
        }
        let raw = message.raw_message.get(part.offset_body as usize..part.offset_end as usize).unwrap_or_default();
        let bytes = match part.encoding {
            Encoding::None => Some(raw.to_vec()),
            Encoding::QuotedPrintable => quoted_printable_decode(raw),
            Encoding::Base64 => base64_decode(raw),
        };
        let Some(bytes) = bytes.filter(|bytes| !bytes.is_empty()) else { return Cow::Borrowed(text) };
        if let Ok(text) = String::from_utf8(bytes.clone()) {
            return Cow::Owned(text);
        }
        self.problem(
            WRONG_LETTERS,
            "the mail does not say its character set, or a wrong one: it was read as Windows-1252, look at the names",
        );
        Cow::Owned(encoding_rs::WINDOWS_1252.decode_without_bom_handling(&bytes).0.into_owned())
    }

    /// A mail attached to the mail: forwarded, or come back.
    fn nested(&mut self, nested: &Message<'_>, depth: u32) {
        let ids = [nested.message_id().map(str::to_owned), nested.subject().map(str::to_owned), header(nested, "Reply-To")];
        for text in ids.iter().flatten() {
            self.text(text);
        }
        self.returned = self.report.is_some();
        if !self.returned {
            self.mail.forwarded = true;
            self.mail.subjects_within.extend(nested.subject().map(str::to_owned));
        }
        self.message(nested, depth + 1);
    }

    fn bounded(&self, text: &str) -> String {
        text.chars().take(self.limits.text_characters_max).collect()
    }

    fn text(&mut self, text: &str) {
        let has_room = self.mail.all_text.len() < self.limits.text_characters_max;
        if has_room {
            self.mail.all_text.push('\n');
            self.mail.all_text.extend(text.chars().take(self.limits.text_characters_max));
        }
        if !has_room || text.chars().nth(self.limits.text_characters_max).is_some() {
            self.problem("mail-text-max", "the mail has more text than is read");
        }
    }

    /// A text that is shown as the mail itself. Only the outermost mail has words of the sender's own.
    fn body(&mut self, text: &str, depth: u32) {
        self.text(text);
        if depth > 0 && (self.returned || is_hl7(text.as_bytes())) {
            return;
        }
        if is_hl7(text.as_bytes()) {
            self.keep(None, "application/hl7-v2", text.as_bytes(), depth);
            return;
        }
        let own = words::own_words(&self.bounded(text));
        if depth > 0 {
            // What is past the limit of all the text is told of by `text`.
            let so_far: usize = self.mail.within.iter().map(String::len).sum();
            if so_far < self.limits.text_characters_max {
                self.mail.within.push(format!("{}\n{}", own.words, own.quoted));
            }
            return;
        }
        self.mail.left_out.add(&own);
        self.mail.forwarded |= own.forwarded;
        self.mail.below_quotes |= own.below_quotes;
        if !self.mail.words.is_empty() && !own.words.is_empty() {
            self.mail.words.push('\n');
        }
        self.mail.words.push_str(&own.words);
    }

    fn attachment(&mut self, part: &MessagePart<'_>, declared: &str, depth: u32) {
        let narrow = narrowed_file(part.contents());
        let content = narrow.as_deref().map_or(part.contents(), str::as_bytes);
        let name = part.attachment_name().map(str::to_owned);
        if self.returned || content.is_empty() {
            return;
        }
        if content.len() > self.limits.part_bytes_max {
            self.problem("mail-part-bytes-max", "an attachment is larger than is read");
            return;
        }
        let media_type = sniff(content, name.as_deref(), declared);
        if media_type == "application/ms-tnef" {
            self.problem(
                "mail-tnef",
                "the attachments are wrapped in a winmail.dat, which is not read; ask for plain attachments",
            );
        }
        self.keep(name, &media_type, content, depth);
    }

    fn keep(&mut self, name: Option<String>, media_type: &str, content: &[u8], depth: u32) {
        self.mail.parts.push(Part {
            name,
            media_type: media_type.to_owned(),
            content: Bytes::copy_from_slice(content),
            position: self.mail.parts.len() + 1,
            passed_on: depth > 0,
        });
    }
}

/// Whether a picture has the size of a page: signatures bring logos and portraits, which nobody wants read.
fn is_page(picture: &[u8]) -> bool {
    /// Half of a page at the resolution of a standard fax.
    const SHORT_PIXELS_MIN: u32 = 800;
    const LONG_PIXELS_MIN: u32 = 1_000;
    picture_size(picture)
        .is_some_and(|(width, height)| width.min(height) >= SHORT_PIXELS_MIN && width.max(height) >= LONG_PIXELS_MIN)
}

fn declared(part: &MessagePart<'_>) -> String {
    part.content_type().map_or_else(
        || "text/plain".to_owned(),
        |declared| format!("{}/{}", declared.ctype(), declared.subtype().unwrap_or("*")).to_ascii_lowercase(),
    )
}

/// The media type by content; names and headers lie more often.
fn sniff(content: &[u8], name: Option<&str>, declared: &str) -> String {
    let starts = |magic: &[u8]| content.starts_with(magic);
    let head = content.get(..content.len().min(1_024)).unwrap_or(content);
    let named = |ending: &str| name.is_some_and(|name| name.to_ascii_lowercase().ends_with(ending));
    let known = if head.windows(5).any(|window| window == b"%PDF-") {
        "application/pdf"
    } else if starts(b"II*\0") || starts(b"MM\0*") || starts(b"II+\0") || starts(b"MM\0+") {
        "image/tiff"
    } else if starts(b"\x89PNG\r\n\x1a\n") {
        "image/png"
    } else if starts(b"\xff\xd8\xff") {
        "image/jpeg"
    } else if starts(b"\x78\x9f\x3e\x22") {
        "application/ms-tnef"
    } else if is_hl7(content) || ((declared.contains("hl7-v2") || named(".hl7")) && !declared.contains("xml")) {
        "application/hl7-v2"
    } else if starts(b"PK\x03\x04") {
        "application/zip"
    } else if declared == "application/pdf" || declared == "image/tiff" {
        // It says so and is not.
        "application/octet-stream"
    } else {
        declared
    };
    known.to_owned()
}

/// Whether content is an HL7 v2 message or batch, after a byte order mark, an MLLP start byte or blank lines.
fn is_hl7(content: &[u8]) -> bool {
    let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
    let at = content.iter().position(|byte| !byte.is_ascii_whitespace() && *byte != 0x0b).unwrap_or(content.len());
    let content = content.get(at..).unwrap_or_default();
    [b"MSH|", b"FHS|", b"BHS|"].iter().any(|start| content.starts_with(*start))
}

/// Whether a part says that it is an attachment.
fn attached(part: &MessagePart<'_>) -> bool {
    part.content_disposition().is_some_and(mail_parser::ContentType::is_attachment)
}
