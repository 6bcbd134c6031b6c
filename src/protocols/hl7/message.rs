//! A message over its normalised text: segments, fields, repetitions, components, subcomponents, each raw or decoded.
//!
//! Reading never fails and never tells absent from empty: what is not there reads as `""`, as chapter 2 wants it.
//!
//! # Design notes
//! One pass notes where segments and fields begin; repetitions and components are split when they are asked for. hl7-parser, which builds
//! every subcomponent of every segment beforehand, took three quarters of the time of reading a referral and a fifth of all that was done
//! for it, storing included; it is the second opinion of a property test below.

use std::borrow::Cow;

use super::{Delimiters, Text, Unreadable, escape};

/// One message.
pub struct Message<'t> {
    content: &'t str,
    lines: Vec<Line>,
    /// Where the field delimiters of all segments stand.
    separators: Vec<usize>,
    delimiters: Delimiters,
}

/// Where a segment stands in the text.
struct Line {
    /// Its name in upper case.
    name: [u8; NAME_BYTES],
    start: usize,
    end: usize,
    /// Its field delimiters: the first, and the one behind the last.
    separators: (usize, usize),
}

/// Field delimiters that room is made for at once: more than a usual message has.
const SEPARATORS_USUAL: usize = 512;
/// Letters of a segment's name.
const NAME_BYTES: usize = 3;

impl<'t> Message<'t> {
    /// Splits the text.
    ///
    /// # Errors
    /// [`Unreadable::Unparsable`] if a line is no segment.
    pub fn parse(text: &'t Text) -> Result<Self, Unreadable> {
        let content = text.content.strip_suffix('\r').unwrap_or(&text.content);
        let delimiters = text.header.delimiters;
        let field = u8::try_from(delimiters.field).map_err(|_| Unreadable::Unparsable)?;
        let mut message =
            Self { content, lines: Vec::with_capacity(32), separators: Vec::with_capacity(SEPARATORS_USUAL), delimiters };
        let (mut start, mut first) = (0, 0);
        let bytes = content.as_bytes();
        // One of them in every four bytes or so: too near to each other for a search of many bytes at once to be worth its beginning.
        for (at, byte) in bytes.iter().enumerate() {
            if *byte == field {
                message.separators.push(at);
            } else if *byte == b'\r' {
                message.end_line(start, at, first)?;
                (start, first) = (at + 1, message.separators.len());
            }
        }
        message.end_line(start, bytes.len(), first)?;
        Ok(message)
    }

    fn end_line(&mut self, start: usize, end: usize, first: usize) -> Result<(), Unreadable> {
        let named = self.separators.get(first) == Some(&(start + NAME_BYTES));
        let name = self.content.get(start..start + NAME_BYTES).filter(|name| named && name.chars().all(char::is_alphanumeric));
        let mut name = *name.and_then(|name| name.as_bytes().first_chunk()).ok_or(Unreadable::Unparsable)?;
        name.make_ascii_uppercase();
        self.lines.push(Line { name, start, end, separators: (first, self.separators.len()) });
        Ok(())
    }

    /// Its delimiters.
    #[must_use]
    pub fn delimiters(&self) -> &Delimiters {
        &self.delimiters
    }

    /// All segments, in order.
    pub fn segments(&self) -> impl Iterator<Item = Segment<'t, '_>> {
        self.lines.iter().map(|line| Segment { message: self, line })
    }

    /// The segments of a name, in order, in any case.
    pub fn all(&self, name: &str) -> impl Iterator<Item = Segment<'t, '_>> {
        let mut wanted = <[u8; NAME_BYTES]>::try_from(name.as_bytes()).ok();
        wanted.iter_mut().for_each(|name| name.make_ascii_uppercase());
        self.segments().filter(move |segment| Some(segment.line.name) == wanted)
    }

    /// The first segment of a name.
    #[must_use]
    pub fn first(&self, name: &str) -> Option<Segment<'t, '_>> {
        self.all(name).next()
    }

    /// The first component of a field of the first segment of a name, decoded and trimmed.
    #[must_use]
    pub fn value(&self, name: &str, field: usize) -> Cow<'t, str> {
        self.first(name).map_or(Cow::Borrowed(""), |segment| segment.value(field, 1))
    }
}

/// One segment.
#[derive(Clone, Copy)]
pub struct Segment<'t, 'm> {
    message: &'m Message<'t>,
    line: &'m Line,
}

impl<'t, 'm> Segment<'t, 'm> {
    /// Its name as sent.
    #[must_use]
    pub fn name(&self) -> &'t str {
        self.raw().get(..NAME_BYTES).unwrap_or("")
    }

    /// Whether it has this name, in any case.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.line.name.eq_ignore_ascii_case(name.as_bytes())
    }

    /// The segment as it stands in the text, without its CR.
    #[must_use]
    pub fn raw(&self) -> &'t str {
        self.message.content.get(self.line.start..self.line.end).unwrap_or("")
    }

    /// A field by its number (MSH-1 is the separator).
    #[must_use]
    pub fn field(&self, number: usize) -> Field<'t, 'm> {
        let is_header = self.line.start == 0;
        let raw = match (number, is_header) {
            (0, _) => None,
            (1, true) => self.raw().get(NAME_BYTES..=NAME_BYTES),
            (_, true) => self.behind(number - 2),
            (_, false) => self.behind(number - 1),
        };
        Field { raw, whole: is_header && number <= 2, delimiters: &self.message.delimiters }
    }

    /// What stands behind a field delimiter, up to the next one.
    fn behind(&self, separator: usize) -> Option<&'t str> {
        let (first, end) = self.line.separators;
        let mine = self.message.separators.get(first..end)?;
        let from = *mine.get(separator)? + 1;
        self.message.content.get(from..mine.get(separator + 1).copied().unwrap_or(self.line.end))
    }

    /// A component of the first repetition of a field, decoded and trimmed.
    #[must_use]
    pub fn value(&self, field: usize, component: usize) -> Cow<'t, str> {
        self.field(field).first().value(component)
    }
}

/// One field.
#[derive(Clone, Copy)]
pub struct Field<'t, 'm> {
    raw: Option<&'t str>,
    /// MSH-1 and MSH-2 hold the delimiters themselves: they are not split.
    whole: bool,
    delimiters: &'m Delimiters,
}

/// The parts of a text; of one that is not split, itself.
fn parts(raw: Option<&str>, whole: bool, delimiter: char) -> impl Iterator<Item = &str> {
    let split = raw.filter(|_| !whole).map(move |raw| raw.split(delimiter));
    raw.filter(|_| whole).into_iter().chain(split.into_iter().flatten())
}

/// A part of a text by its number from 0. Delimiters are ASCII, so bytes are compared: the texts are short and this is asked often.
fn nth(text: &str, delimiter: char, number: usize) -> Option<&str> {
    let delimiter = u8::try_from(delimiter).ok()?;
    let (mut left, mut from) = (number, 0);
    for (at, byte) in text.bytes().enumerate() {
        if byte == delimiter {
            if left == 0 {
                return text.get(from..at);
            }
            (left, from) = (left - 1, at + 1);
        }
    }
    if left == 0 { text.get(from..) } else { None }
}

/// Without the blanks around it. Most texts have none, which their first and last bytes tell.
fn trimmed(text: &str) -> &str {
    match text.as_bytes() {
        [first, .., last] if first.is_ascii_graphic() && last.is_ascii_graphic() => text,
        _ => text.trim(),
    }
}

/// A trimmed leaf decoded; `""` (delete) reads as empty.
fn leaf<'t>(raw: &'t str, delimiters: &Delimiters) -> Cow<'t, str> {
    if raw.bytes().all(|byte| byte == b'"') { Cow::Borrowed("") } else { escape::decode(raw, delimiters) }
}

impl<'t, 'm> Field<'t, 'm> {
    /// As it stands in the text.
    #[must_use]
    pub fn raw(&self) -> &'t str {
        self.raw.unwrap_or("")
    }

    /// Whether nothing stands in it but delimiters and blanks.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Delimiters { component, repetition, subcomponent, .. } = *self.delimiters;
        self.raw().chars().all(|symbol| symbol.is_whitespace() || [component, repetition, subcomponent].contains(&symbol))
    }

    /// The whole field decoded as free text: its delimiters are taken for text, repetitions for lines; `""` (delete) reads as empty.
    #[must_use]
    pub fn text(&self) -> String {
        if self.raw().trim().bytes().all(|byte| byte == b'"') {
            return String::new();
        }
        let mut lines = self.raw().split(self.delimiters.repetition).map(|line| escape::decode(line, self.delimiters));
        let first = lines.next().unwrap_or_default();
        match lines.next() {
            None => first.trim().to_owned(),
            Some(second) => [first, second].into_iter().chain(lines).collect::<Vec<_>>().join("\n").trim().to_owned(),
        }
    }

    /// Its repetitions, in order.
    pub fn repetitions(&self) -> impl Iterator<Item = Repetition<'t, 'm>> + use<'t, 'm> {
        let Self { raw, whole, delimiters } = *self;
        parts(raw, whole, delimiters.repetition).map(move |raw| Repetition { raw: Some(raw), whole, delimiters })
    }

    /// The first repetition.
    #[must_use]
    pub fn first(&self) -> Repetition<'t, 'm> {
        let Self { raw, whole, delimiters } = *self;
        Repetition { raw: if whole { raw } else { raw.and_then(|raw| nth(raw, delimiters.repetition, 0)) }, whole, delimiters }
    }
}

/// One repetition of a field.
#[derive(Clone, Copy)]
pub struct Repetition<'t, 'm> {
    raw: Option<&'t str>,
    whole: bool,
    delimiters: &'m Delimiters,
}

impl<'t, 'm> Repetition<'t, 'm> {
    /// As it stands in the text.
    #[must_use]
    pub fn raw(&self) -> &'t str {
        self.raw.unwrap_or("")
    }

    fn components(&self) -> impl Iterator<Item = &'t str> + use<'t> {
        parts(self.raw, self.whole, self.delimiters.component)
    }

    /// A component by its number.
    #[must_use]
    pub fn component(&self, number: usize) -> Component<'t, 'm> {
        let raw = match (number, self.whole) {
            (0, _) => None,
            (_, true) => self.components().nth(number - 1),
            (_, false) => self.raw.and_then(|raw| nth(raw, self.delimiters.component, number - 1)),
        };
        Component { raw: raw.unwrap_or(""), delimiters: self.delimiters }
    }

    /// How many components it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.components().count()
    }

    /// Whether nothing stands in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.raw().trim().is_empty()
    }

    /// The first subcomponent of a component, decoded and trimmed; `""` (delete) reads as empty.
    #[must_use]
    pub fn value(&self, component: usize) -> Cow<'t, str> {
        self.component(component).part(1)
    }
}

/// One component of a repetition.
#[derive(Clone, Copy)]
pub struct Component<'t, 'm> {
    raw: &'t str,
    delimiters: &'m Delimiters,
}

impl<'t> Component<'t, '_> {
    /// As it stands in the text.
    #[must_use]
    pub fn raw(&self) -> &'t str {
        self.raw
    }

    /// A subcomponent by its number, decoded and trimmed; `""` (delete) reads as empty.
    #[must_use]
    pub fn part(&self, number: usize) -> Cow<'t, str> {
        if self.raw.is_empty() {
            return Cow::Borrowed("");
        }
        let raw = nth(self.raw(), self.delimiters.subcomponent, number.saturating_sub(1)).unwrap_or("");
        leaf(trimmed(raw), self.delimiters)
    }

    /// The whole component decoded: an unescaped subcomponent delimiter is taken for text.
    #[must_use]
    pub fn text(&self) -> Cow<'t, str> {
        leaf(trimmed(self.raw()), self.delimiters)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{ReadLimits, Tolerance, split_messages};
    use super::*;

    fn read(body: &[u8]) -> Text {
        Text::read(body, ReadLimits::default()).unwrap()
    }

    #[test]
    fn line_ends_of_every_kind_give_the_same_text() {
        let expected = "MSH|^~\\&|A\rPID|1\rNTE|1||two\\.br\\lines\r";
        for body in [
            "MSH|^~\\&|A\rPID|1\rNTE|1||two\\.br\\lines\r",
            "MSH|^~\\&|A\nPID|1\nNTE|1||two\nlines\n",
            "\u{FEFF}MSH|^~\\&|A\r\nPID|1\r\n\r\nNTE|1||two\nlines",
            "\r\n MSH|^~\\&|A\r  PID|1\rNTE|1||two\nlines\r\0\0",
        ] {
            assert_eq!(read(body.as_bytes()).content, expected);
        }
    }

    #[test]
    fn lines_that_are_no_segments_do_not_hide_what_follows() {
        let text = read(b"MSH|^~\\&|A\rEVN\rZREF|x\rpid|1|a\rNK1|1\r");
        assert!(text.tolerances.contains(&Tolerance::UnknownLine));
        let message = Message::parse(&text).unwrap();
        let names: Vec<&str> = message.segments().map(|segment| segment.name()).collect();
        assert_eq!(names, ["MSH", "EVN", "pid", "NK1"]);
        assert_eq!(message.value("PID", 2), "a");
    }

    #[test]
    fn delimiters_are_read_from_the_header() {
        for (body, component) in [
            ("MSH|^_\\&|A^B|x_y", "B"),
            ("MSH|^~\\|A^B", "B"),
            ("MSH|^~\\&#|A^B", "B"),
            ("MSH#*~\\&#A*B", "B"),
            ("MSH|^|A^B", "B"),
        ] {
            let text = read(body.as_bytes());
            let message = Message::parse(&text).unwrap();
            assert_eq!(message.first("MSH").unwrap().value(3, 2), component, "{body}");
        }
        assert!(matches!(Text::read(b"MSH", ReadLimits::default()), Err(Unreadable::Delimiters)));
        assert!(Text::read(b"MSH|||||", ReadLimits::default()).is_ok());
        assert!(matches!(Text::read(b"MSHABCDE", ReadLimits::default()), Err(Unreadable::Delimiters)));
    }

    #[test]
    fn limits_hold_before_anything_is_allocated() {
        let limits = ReadLimits { delimiters_max: 100, ..ReadLimits::default() };
        let body = format!("MSH|^~\\&|{}", "|".repeat(200));
        assert!(matches!(Text::read(body.as_bytes(), limits), Err(Unreadable::TooLarge)));
        assert!(matches!(Text::read(b"M\0S\0H\0|\0", limits), Err(Unreadable::WideCharacters)));
    }

    #[test]
    fn a_batch_is_split_at_each_header() {
        let body = b"FHS|^~\\&|A\rBHS|^~\\&|A\rMSH|^~\\&|1\rPID|1\rMSH|^~\\&|2\rBTS|3\rFTS|1\r";
        let (messages, claimed) = split_messages(body);
        assert_eq!(messages, [&b"MSH|^~\\&|1\rPID|1\r"[..], b"MSH|^~\\&|2\r"]);
        assert_eq!(claimed, Some(3));
        assert_eq!(split_messages(b"hello").0, [&b"hello"[..]]);
    }

    fn reassemble(message: &Message<'_>) -> String {
        let Delimiters { field, component, repetition, subcomponent, .. } = *message.delimiters();
        let joined = |parts: Vec<String>, delimiter: char| parts.join(&delimiter.to_string());
        let mut out = String::new();
        for segment in message.segments() {
            let begin = if segment.is("MSH") { 2 } else { 1 };
            out.push_str(segment.name());
            for field_number in begin.. {
                let Some(raw) = segment.field(field_number).raw else { break };
                let repetitions = segment.field(field_number).repetitions().map(|one| {
                    let components = (1..=one.len()).map(|number| {
                        let component = one.component(number).raw();
                        joined(component.split(subcomponent).map(str::to_owned).collect(), subcomponent)
                    });
                    joined(components.collect(), component)
                });
                let whole = joined(repetitions.collect(), repetition);
                assert_eq!(whole, raw);
                out.push(field);
                out.push_str(&whole);
            }
            out.push('\r');
        }
        out
    }

    /// What hl7-parser reads of the same text is what we read.
    fn assert_read_alike(text: &Text) {
        let Ok(ours) = Message::parse(text) else { return };
        let content = text.content.strip_suffix('\r').unwrap();
        let theirs = hl7_parser::Message::parse(content).expect("what we read can be read");
        assert_eq!(theirs.raw_value().len(), content.len(), "and is read to its end");
        assert_eq!(ours.segments().count(), theirs.segments.len());
        for (segment, other) in ours.segments().zip(&theirs.segments) {
            assert_eq!((segment.name(), segment.raw()), (other.name, other.raw_value()));
            for number in 1..other.fields.len() + 3 {
                let (field, other) = (segment.field(number), other.field(number));
                assert_eq!(field.raw(), other.map_or("", |other| other.raw_value()), "{}-{number}", segment.name());
                let repeats = other.map_or(&[][..], |other| other.repeats.as_slice());
                assert_eq!(field.repetitions().count(), repeats.len(), "{}-{number}", segment.name());
                for (repetition, other) in field.repetitions().zip(repeats) {
                    assert_eq!((repetition.raw(), repetition.len()), (other.raw_value(), other.components.len()));
                    for (at, other) in other.components.iter().enumerate() {
                        assert_eq!(repetition.component(at + 1).raw(), other.raw_value());
                    }
                }
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_read_reassembles_to_the_normalised_text(
            lines in prop::collection::vec("[A-Z][A-Z0-9]{2}\\|[a-z|^~&\\\\ éß0-9]{0,60}", 0..12),
            end in "(\r|\n|\r\n|\r\n\r\n)",
        ) {
            let lines: Vec<String> = lines.into_iter().filter(|line| !line.starts_with("MSH")).collect();
            let body = format!("MSH|^~\\&|A^B&C~D|E|{end}{}", lines.join(&end));
            let text = read(body.as_bytes());
            let message = Message::parse(&text).unwrap();
            prop_assert_eq!(reassemble(&message), text.content.clone());
            assert_read_alike(&text);
        }

        #[test]
        fn arbitrary_bytes_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), header in any::<bool>()) {
            let mut body = if header { b"MSH|^~\\&|".to_vec() } else { Vec::new() };
            body.extend(bytes);
            prop_assert!(!split_messages(&body).0.is_empty());
            if let Ok(text) = Text::read(&body, ReadLimits::default())
                && let Ok(message) = Message::parse(&text)
            {
                for segment in message.segments() {
                    for number in 0..20 {
                        prop_assert!(segment.field(number).text().len() <= text.content.len() * 4);
                        prop_assert!(segment.value(number, 1).len() <= text.content.len() * 4);
                    }
                }
                prop_assert_eq!(reassemble(&message), text.content.clone());
                assert_read_alike(&text);
            }
        }
    }
}
