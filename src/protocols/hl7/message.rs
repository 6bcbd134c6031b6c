//! A message over its normalised text: segments, fields, repetitions, components, subcomponents, each raw or decoded.
//!
//! Reading never fails and never tells absent from empty: what is not there reads as `""`, as chapter 2 wants it.

use std::borrow::Cow;

use super::{Delimiters, Text, Unreadable, escape};

/// One message.
pub struct Message<'t> {
    inner: hl7_parser::Message<'t>,
    delimiters: Delimiters,
}

impl<'t> Message<'t> {
    /// Parses the text.
    ///
    /// # Errors
    /// [`Unreadable::Unparsable`] if the parser left anything of it unread.
    pub fn parse(text: &'t Text) -> Result<Self, Unreadable> {
        let content = text.content.strip_suffix('\r').unwrap_or(&text.content);
        let inner = hl7_parser::Message::parse(content).map_err(|_| Unreadable::Unparsable)?;
        if inner.raw_value().len() != content.len() {
            return Err(Unreadable::Unparsable);
        }
        Ok(Self { inner, delimiters: text.header.delimiters })
    }

    /// Its delimiters.
    #[must_use]
    pub fn delimiters(&self) -> &Delimiters {
        &self.delimiters
    }

    /// All segments, in order.
    pub fn segments(&self) -> impl Iterator<Item = Segment<'t, '_>> {
        self.inner.segments.iter().map(|inner| Segment { inner, delimiters: &self.delimiters })
    }

    /// The segments of a name, in order, in any case.
    pub fn all(&self, name: &str) -> impl Iterator<Item = Segment<'t, '_>> {
        self.segments().filter(move |segment| segment.is(name))
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
    inner: &'m hl7_parser::message::Segment<'t>,
    delimiters: &'m Delimiters,
}

impl<'t, 'm> Segment<'t, 'm> {
    /// Its name as sent.
    #[must_use]
    pub fn name(&self) -> &'t str {
        self.inner.name
    }

    /// Whether it has this name, in any case.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.inner.name.eq_ignore_ascii_case(name)
    }

    /// The segment as it stands in the text, without its CR.
    #[must_use]
    pub fn raw(&self) -> &'t str {
        self.inner.raw_value()
    }

    /// A field by its number (MSH-1 is the separator).
    #[must_use]
    pub fn field(&self, number: usize) -> Field<'t, 'm> {
        let inner = if number == 0 { None } else { self.inner.field(number) };
        Field { inner, delimiters: self.delimiters }
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
    inner: Option<&'m hl7_parser::message::Field<'t>>,
    delimiters: &'m Delimiters,
}

impl<'t, 'm> Field<'t, 'm> {
    /// As it stands in the text.
    #[must_use]
    pub fn raw(&self) -> &'t str {
        self.inner.map_or("", hl7_parser::message::Field::raw_value)
    }

    /// Whether nothing stands in it but delimiters and blanks.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Delimiters { component, repetition, subcomponent, .. } = *self.delimiters;
        self.raw().chars().all(|symbol| symbol.is_whitespace() || [component, repetition, subcomponent].contains(&symbol))
    }

    /// The whole field decoded as free text: its delimiters are taken for text, repetitions for lines.
    #[must_use]
    pub fn text(&self) -> String {
        let lines: Vec<Cow<'_, str>> =
            self.raw().split(self.delimiters.repetition).map(|line| escape::decode(line, self.delimiters)).collect();
        lines.join("\n").trim().to_owned()
    }

    /// Its repetitions, in order.
    pub fn repetitions(&self) -> impl Iterator<Item = Repetition<'t, 'm>> + use<'t, 'm> {
        let delimiters = self.delimiters;
        let repeats = self.inner.map_or(&[][..], |inner| inner.repeats.as_slice());
        repeats.iter().map(move |inner| Repetition { inner: Some(inner), delimiters })
    }

    /// The first repetition.
    #[must_use]
    pub fn first(&self) -> Repetition<'t, 'm> {
        Repetition { inner: self.inner.and_then(|inner| inner.repeats.first()), delimiters: self.delimiters }
    }
}

/// One repetition of a field.
#[derive(Clone, Copy)]
pub struct Repetition<'t, 'm> {
    inner: Option<&'m hl7_parser::message::Repeat<'t>>,
    delimiters: &'m Delimiters,
}

impl<'t, 'm> Repetition<'t, 'm> {
    /// As it stands in the text.
    #[must_use]
    pub fn raw(&self) -> &'t str {
        self.inner.map_or("", hl7_parser::message::Repeat::raw_value)
    }

    /// A component by its number.
    #[must_use]
    pub fn component(&self, number: usize) -> Component<'t, 'm> {
        let inner = number.checked_sub(1).and_then(|at| self.inner.and_then(|inner| inner.components.get(at)));
        Component { inner, delimiters: self.delimiters }
    }

    /// How many components it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inner.map_or(0, |inner| inner.components.len())
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
    inner: Option<&'m hl7_parser::message::Component<'t>>,
    delimiters: &'m Delimiters,
}

impl<'t> Component<'t, '_> {
    /// As it stands in the text.
    #[must_use]
    pub fn raw(&self) -> &'t str {
        self.inner.map_or("", hl7_parser::message::Component::raw_value)
    }

    /// A subcomponent by its number, decoded and trimmed; `""` (delete) reads as empty.
    #[must_use]
    pub fn part(&self, number: usize) -> Cow<'t, str> {
        let raw = self.raw().split(self.delimiters.subcomponent).nth(number.saturating_sub(1)).unwrap_or("").trim();
        if raw.bytes().all(|byte| byte == b'"') { Cow::Borrowed("") } else { escape::decode(raw, self.delimiters) }
    }

    /// The whole component decoded: an unescaped subcomponent delimiter is taken for text.
    #[must_use]
    pub fn text(&self) -> Cow<'t, str> {
        let raw = self.raw().trim();
        if raw.bytes().all(|byte| byte == b'"') { Cow::Borrowed("") } else { escape::decode(raw, self.delimiters) }
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
        let mut out = String::new();
        for segment in message.segments() {
            let header = segment.is("MSH");
            let fields: Vec<String> = (1..)
                .map_while(|number| segment.inner.field(number))
                .map(|field| {
                    let repeats = field.repeats.iter().map(|repeat| {
                        let components = repeat.components.iter().map(|component| {
                            let parts: Vec<&str> = component.subcomponents.iter().map(|part| part.value).collect();
                            parts.join(&subcomponent.to_string())
                        });
                        components.collect::<Vec<_>>().join(&component.to_string())
                    });
                    repeats.collect::<Vec<_>>().join(&repetition.to_string())
                })
                .collect();
            let skipped = if header { &fields[1..] } else { &fields[..] };
            out.push_str(segment.name());
            for value in skipped {
                out.push(field);
                out.push_str(value);
            }
            out.push('\r');
        }
        out
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
            }
        }
    }
}
