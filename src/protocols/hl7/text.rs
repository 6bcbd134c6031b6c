//! From bytes to one normalised text: character set, delimiters, segment terminators, limits.
//!
//! The normalised text begins with `MSH`, MSH-1 and a full MSH-2 of four characters, holds only lines `AAA|…`, and ends each
//! of them, the last too, with one CR. Nothing else can reach the parser.

use std::{borrow::Cow, ops::Range};

use memchr::memchr2_iter;

use super::{Charset, escape};

/// How much of UTF-16 or UTF-32 text is looked at for its MSH.
const WIDE_HEADER_BYTES_MAX: usize = 8_192;

/// The characters that separate and escape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delimiters {
    /// MSH-1.
    pub field: char,
    /// The first of MSH-2.
    pub component: char,
    /// The second.
    pub repetition: char,
    /// The third.
    pub escape: char,
    /// The fourth.
    pub subcomponent: char,
    /// The fifth, from version 2.7.
    pub truncation: Option<char>,
}

impl Default for Delimiters {
    fn default() -> Self {
        Self { field: '|', component: '^', repetition: '~', escape: '\\', subcomponent: '&', truncation: None }
    }
}

impl Delimiters {
    /// MSH-2 with its four characters, and the fifth where the sender has one.
    #[must_use]
    pub fn encoding_characters(&self) -> String {
        [self.component, self.repetition, self.escape, self.subcomponent].into_iter().chain(self.truncation).collect()
    }

    /// Reads MSH-1 and MSH-2; what is absent takes its default. None: they contradict each other.
    fn read(header: &[u8]) -> Option<(Self, usize)> {
        let field = *header.get(3)?;
        let usable = |byte: u8| byte.is_ascii_punctuation();
        if !usable(field) {
            return None;
        }
        let rest = header.get(4..)?;
        let end = rest.iter().position(|byte| *byte == field || matches!(byte, b'\r' | b'\n')).unwrap_or(rest.len());
        let given = rest.get(..end)?;
        if given.len() > 5 || !given.iter().copied().all(usable) {
            return None;
        }
        let standard = Self::default();
        let at = |n: usize, default: char| given.get(n).map_or(default, |byte| char::from(*byte));
        let read = Self {
            field: char::from(field),
            component: at(0, standard.component),
            repetition: at(1, standard.repetition),
            escape: at(2, standard.escape),
            subcomponent: at(3, standard.subcomponent),
            truncation: given.get(4).map(|byte| char::from(*byte)),
        };
        let mut all = vec![read.field, read.component, read.repetition, read.escape, read.subcomponent];
        all.sort_unstable();
        all.dedup();
        (all.len() == 5).then_some((read, 4 + end))
    }

    /// How many bytes of a text separate something.
    fn count_in(&self, text: &[u8]) -> usize {
        let [field, component, repetition, subcomponent] = [self.field, self.component, self.repetition, self.subcomponent]
            .map(|symbol| u8::try_from(symbol).unwrap_or_default());
        // Without branches and in small numbers: many bytes at once.
        let is_one = |byte: u8| (byte == field) | (byte == component) | (byte == repetition) | (byte == subcomponent);
        text.chunks(255).map(|chunk| usize::from(chunk.iter().map(|byte| u8::from(is_one(*byte))).sum::<u8>())).sum()
    }
}

/// What one message may hold at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadLimits {
    /// Bytes.
    pub message_bytes_max: usize,
    /// Delimiters, and segments that are a name alone: each costs memory and time while the message is read.
    pub delimiters_max: usize,
}

impl Default for ReadLimits {
    fn default() -> Self {
        Self { message_bytes_max: 67_108_864, delimiters_max: 200_000 }
    }
}

/// What was put right to read a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tolerance {
    /// A byte order mark or blanks before MSH.
    JunkBeforeMsh,
    /// LF or CRLF instead of CR.
    LineEnds,
    /// Blank lines, a missing last CR, trailing blanks or NULs.
    LooseEnds,
    /// A line end inside a field; the line was joined to the one before.
    BrokenLine,
    /// A line that begins like no segment; it was left out.
    UnknownLine,
    /// MSH-2 shorter than four characters.
    ShortMsh2,
    /// The character set was guessed from the bytes.
    CharsetGuess,
    /// Bytes that mean nothing in the character set.
    UnreadableBytes,
    /// An escape sequence that chapter 2 does not know, or that means something to its sender alone; it was kept as it stands.
    UnknownEscape,
}

/// Why bytes cannot be read as HL7 text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// They do not begin with MSH.
    NotHl7,
    /// MSH-1 and MSH-2 make no sense.
    Delimiters,
    /// UTF-16 or UTF-32.
    WideCharacters,
    /// Over [`ReadLimits`].
    TooLarge,
    /// The parser did not take all of the text.
    Unparsable,
}

impl Unreadable {
    /// In words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotHl7 => "does not begin with MSH",
            Self::Delimiters => "MSH-1 and MSH-2 name no usable delimiters",
            Self::WideCharacters => "is in UTF-16 or UTF-32, which MLLP cannot carry",
            Self::TooLarge => "is larger, or has more delimiters, than one message may",
            Self::Unparsable => "is not HL7 text",
        }
    }
}

/// The fields of MSH as bytes, exactly as they came: what an answer repeats.
#[derive(Clone, PartialEq, Eq)]
pub struct RawHeader {
    /// The delimiters.
    pub delimiters: Delimiters,
    line: Vec<u8>,
    /// Where each field stands in the line.
    fields: Vec<Range<usize>>,
}

impl RawHeader {
    /// Reads the first segment and nothing more: works on a message that is cut off or too large.
    ///
    /// # Errors
    /// [`Unreadable`]: there is no MSH to read.
    pub fn read(body: &[u8]) -> Result<Self, Unreadable> {
        if is_wide(body) {
            return Err(Unreadable::WideCharacters);
        }
        let body = strip_junk(body);
        if !body.starts_with(b"MSH") {
            return Err(Unreadable::NotHl7);
        }
        let (delimiters, _) = Delimiters::read(body).ok_or(Unreadable::Delimiters)?;
        let line = body.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default().to_vec();
        let separator = u8::try_from(delimiters.field).expect("the delimiters are ASCII");
        let mut fields = Vec::with_capacity(24);
        let mut from = 0;
        for field in line.split(|byte| *byte == separator) {
            fields.push(from..from + field.len());
            from += field.len() + 1;
        }
        Ok(Self { delimiters, line, fields })
    }

    /// Reads the first segment of UTF-16 or UTF-32 text as far as it is ASCII, so that its sender can be told. MSH-18 is left empty: the
    /// answer is in ASCII. None: it is no such text, or there is no MSH in it.
    #[must_use]
    pub fn read_wide(body: &[u8]) -> Option<Self> {
        if !is_wide(body) {
            return None;
        }
        let head = body.get(..body.len().min(WIDE_HEADER_BYTES_MAX))?;
        let head = [&b"\xFF\xFE"[..], b"\xFE\xFF"].iter().find_map(|mark| head.strip_prefix(*mark)).unwrap_or(head);
        let narrow: Vec<u8> =
            head.iter().filter(|byte| **byte != 0).map(|byte| if byte.is_ascii() { *byte } else { b'?' }).collect();
        let mut header = Self::read(&narrow).ok()?;
        if let Some(charset) = header.fields.get_mut(17) {
            charset.end = charset.start;
        }
        Some(header)
    }

    /// MSH-n as it came, from MSH-3 on; empty where absent.
    #[must_use]
    pub fn field(&self, number: usize) -> &[u8] {
        let place = number.checked_sub(1).and_then(|at| self.fields.get(at));
        place.and_then(|place| self.line.get(place.clone())).unwrap_or_default()
    }

    /// MSH-n as text, for comparing; trimmed, what is not UTF-8 replaced.
    #[must_use]
    pub fn text(&self, number: usize) -> String {
        match std::str::from_utf8(self.field(number)) {
            Ok(text) => text.trim().to_owned(),
            Err(_) => String::from_utf8_lossy(self.field(number)).trim().to_owned(),
        }
    }
}

impl RawHeader {
    /// MSH-18, its repetitions parted by `~`.
    #[must_use]
    pub fn character_sets(&self) -> String {
        self.text(18).replace(self.delimiters.repetition, "~")
    }
}

/// A message for a person to look at: as it stands, line ends and all, decoded by its MSH-18, or by what its bytes turn out to be.
#[must_use]
pub fn decoded(body: &[u8]) -> String {
    match RawHeader::read(body) {
        Ok(header) => Charset::read(&header.character_sets(), strip_junk(body)).1.into_owned(),
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    }
}

/// One message as normalised text.
pub struct Text {
    /// The text, see the module.
    pub content: String,
    /// MSH as it came.
    pub header: RawHeader,
    /// The character set.
    pub charset: Charset,
    /// What was put right, each kind once.
    pub tolerances: Vec<Tolerance>,
}

impl Text {
    /// Normalises one message.
    ///
    /// # Errors
    /// [`Unreadable`]: it cannot be read at all.
    pub fn read(body: &[u8], limits: ReadLimits) -> Result<Self, Unreadable> {
        Self::read_as(body, limits, None)
    }

    /// Normalises one message that a person typed or saved: it is UTF-8, as editors write it, whatever its MSH-18 says.
    ///
    /// # Errors
    /// [`Unreadable`]: it cannot be read at all.
    pub fn typed(text: &str, limits: ReadLimits) -> Result<Self, Unreadable> {
        Self::read_as(text.as_bytes(), limits, Some("UNICODE UTF-8"))
    }

    /// `declared`: the character set, where it is not what MSH-18 says.
    fn read_as(body: &[u8], limits: ReadLimits, declared: Option<&str>) -> Result<Self, Unreadable> {
        let header = RawHeader::read(body)?;
        let stripped = strip_junk(body);
        let delimiters = header.delimiters;
        let count = delimiters.count_in(stripped);
        if body.len() > limits.message_bytes_max || count > limits.delimiters_max {
            return Err(Unreadable::TooLarge);
        }
        let mut tolerances = Vec::new();
        if stripped.len() != body.len() {
            tolerances.push(Tolerance::JunkBeforeMsh);
        }
        let (charset, text) = Charset::read(declared.unwrap_or(&header.character_sets()), stripped);
        if !charset.declared {
            tolerances.push(Tolerance::CharsetGuess);
        }
        if text.contains('\u{FFFD}') {
            tolerances.push(Tolerance::UnreadableBytes);
        }
        let content = normalise(&text, &delimiters, &mut tolerances);
        if escape::has_unknown(&content, &delimiters) {
            tolerances.push(Tolerance::UnknownEscape);
        }
        // A line that is a name alone got a delimiter of its own.
        let is_many = content.len() > limits.delimiters_max;
        if is_many && delimiters.count_in(content.as_bytes()) > limits.delimiters_max {
            return Err(Unreadable::TooLarge);
        }
        tolerances.sort_unstable();
        tolerances.dedup();
        Ok(Self { content, header, charset, tolerances })
    }
}

/// A byte order mark, or the zeros that stand between the letters of MSH.
fn is_wide(body: &[u8]) -> bool {
    let starts: [&[u8]; 6] = [b"\xFF\xFE", b"\xFE\xFF", b"M\0S\0", b"\0M\0S", b"M\0\0\0S", b"\0\0\0M"];
    starts.iter().any(|start| body.starts_with(start))
}

/// A file with HL7 in UTF-16, as UTF-8; none: it is something else. A file has an end of its own, so what MLLP cannot carry it can.
#[must_use]
pub fn narrowed_file(bytes: &[u8]) -> Option<String> {
    let encoding = match bytes {
        [0xFF, 0xFE, ..] | [_, 0, _, 0, ..] => encoding_rs::UTF_16LE,
        [0xFE, 0xFF, ..] | [0, _, 0, _, ..] => encoding_rs::UTF_16BE,
        _ => return None,
    };
    let (text, _) = encoding.decode_with_bom_removal(bytes);
    let starts = |text: &str| ["MSH", "FHS", "BHS"].iter().any(|segment| text.trim_start().starts_with(segment));
    starts(&text).then(|| text.into_owned())
}

pub(super) fn strip_junk(body: &[u8]) -> &[u8] {
    let mut body = body;
    loop {
        body = match body {
            [0xEF, 0xBB, 0xBF, rest @ ..] | [b' ' | b'\t' | b'\r' | b'\n' | 0, rest @ ..] => rest,
            _ => return body,
        };
    }
}

/// Splits at CR, LF and CRLF; joins lines that begin like no segment to the one before.
fn normalise(text: &str, delimiters: &Delimiters, tolerances: &mut Vec<Tolerance>) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    if text.contains('\n') {
        tolerances.push(Tolerance::LineEnds);
    }
    let text = text.trim_end_matches(['\0', ' ', '\n']);
    if !text.ends_with('\r') {
        tolerances.push(Tolerance::LooseEnds);
    }
    let has_pairs = text.contains('\n') && text.contains("\r\n");
    let text = if has_pairs { Cow::Owned(text.replace("\r\n", "\r")) } else { Cow::Borrowed(text) };
    for line in lines(text.trim_end_matches(['\r', '\n', ' ', '\0'])) {
        let bare = line.trim_start_matches([' ', '\t', '\0']);
        if bare.is_empty() {
            tolerances.push(Tolerance::LooseEnds);
            continue;
        }
        match start_of(bare, delimiters) {
            Start::Segment => {
                end_line(&mut out);
                out.push_str(bare);
            }
            Start::BareName => {
                end_line(&mut out);
                out.push_str(bare);
                out.push(delimiters.field);
            }
            Start::UnknownName => tolerances.push(Tolerance::UnknownLine),
            Start::Text => {
                tolerances.push(Tolerance::BrokenLine);
                out.push(delimiters.escape);
                out.push_str(".br");
                out.push(delimiters.escape);
                out.push_str(line);
            }
        }
    }
    end_line(&mut out);
    with_full_msh2(out, delimiters, tolerances)
}

/// What stands between line ends of either kind.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let ends = memchr2_iter(b'\r', b'\n', text.as_bytes()).chain([text.len()]);
    let mut from = 0;
    ends.map(move |end| text.get(std::mem::replace(&mut from, end + 1)..end).unwrap_or_default())
}

fn end_line(out: &mut String) {
    if !out.is_empty() {
        out.push('\r');
    }
}

enum Start {
    Segment,
    BareName,
    UnknownName,
    Text,
}

/// How a line begins: `AAA|` is a segment, in any case; `AAA` alone is one without fields; `ZREF|` is none that can be read.
fn start_of(line: &str, delimiters: &Delimiters) -> Start {
    let (name, has_fields) = match line.split_once(delimiters.field) {
        Some((name, _)) => (name, true),
        None => (line.trim_end(), false),
    };
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let begins = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
    let shouted = !name.bytes().any(|byte| byte.is_ascii_lowercase());
    match (plain && begins, name.len(), has_fields) {
        (true, 3, true) => Start::Segment,
        (true, 3, false) if shouted => Start::BareName,
        (true, 2 | 4..=8, true) if shouted => Start::UnknownName,
        _ => Start::Text,
    }
}

/// Writes MSH-2 with four characters: the parser misreads a shorter or longer one.
fn with_full_msh2(content: String, delimiters: &Delimiters, tolerances: &mut Vec<Tolerance>) -> String {
    let Some((_, end)) = Delimiters::read(content.as_bytes()) else { return content };
    let plain = Delimiters { truncation: None, ..*delimiters };
    let (Some(given), Some(rest)) = (content.get(4..end), content.get(end..)) else { return content };
    if given.len() == 4 && !rest.starts_with('\r') {
        return content;
    }
    if given.len() < 4 {
        tolerances.push(Tolerance::ShortMsh2);
    }
    // A header that ends behind MSH-2 gets one empty field: the parser wants it.
    let separator = if rest.starts_with('\r') { delimiters.field.to_string() } else { String::new() };
    format!("MSH{}{}{separator}{rest}", delimiters.field, plain.encoding_characters())
}
