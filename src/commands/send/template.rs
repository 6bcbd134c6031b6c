//! A message that is sent again and again, each time as a new referral.
//!
//! # Design notes
//! The load generator runs on the machine that it measures, so what it does itself counts against the figure: the message is taken apart
//! once, and each round writes the parts and the new numbers into a buffer that is kept.

use crate::protocols::mllp::{END, END_CR, START};

/// A message with places for what is new each time: MSH-10, the number of the referral (RF1-6.1, OBR-2.1, ORC-2.1), and another patient
/// (PID-3.1, and the given name, PID-5.2), as a day's traffic has it.
pub(super) struct Template {
    parts: Vec<Part>,
    /// Whether it has an MSH-10.
    is_named: bool,
}

enum Part {
    /// As it stands.
    Text(Vec<u8>),
    /// The tag.
    Tag,
    /// The tag in letters, for a name.
    Letters,
}

impl Template {
    pub(super) fn of(message: &[u8]) -> Self {
        let separator = message.get(3).copied().unwrap_or(b'|');
        let component = message.get(4).copied().unwrap_or(b'^');
        let mut template = Self { parts: Vec::new(), is_named: false };
        for line in message.split_inclusive(|byte| matches!(byte, b'\r' | b'\n')) {
            let name = line.get(..3).unwrap_or_default();
            for (at, field) in line.split(|byte| *byte == separator).enumerate() {
                if at > 0 {
                    template.text(&[separator]);
                }
                template.field(name, at, field, component);
            }
        }
        template
    }

    fn field(&mut self, segment: &[u8], at: usize, field: &[u8], component: u8) {
        let is_end = |byte: &u8| matches!(*byte, b'\r' | b'\n') || (*byte == component && segment != b"MSH");
        match (segment, at) {
            (b"MSH", 9) => self.is_named = true,
            (b"RF1", 6) => {}
            (b"OBR" | b"ORC", 2) | (b"PID", 3) if !field.is_empty() => {}
            (b"PID", 5) => return self.name(field, component),
            _ => return self.text(field),
        }
        self.parts.push(Part::Tag);
        let rest = field.iter().position(is_end).and_then(|from| field.get(from..));
        self.text(rest.unwrap_or_default());
    }

    /// A name (XPN) whose given name has the tag, in letters, behind it.
    fn name(&mut self, name: &[u8], component: u8) {
        let mut ends = name.iter().enumerate().filter(|(_, byte)| **byte == component).map(|(at, _)| at);
        let Some(given_from) = ends.next() else { return self.text(name) };
        let given_to = ends.next().unwrap_or(name.len());
        let (before, after) = name.split_at_checked(given_to).unwrap_or((name, &[]));
        self.text(before);
        if given_to > given_from + 1 {
            self.parts.push(Part::Letters);
        }
        self.text(after);
    }

    fn text(&mut self, text: &[u8]) {
        match self.parts.last_mut() {
            Some(Part::Text(last)) => last.extend_from_slice(text),
            Some(Part::Tag | Part::Letters) | None => self.parts.push(Part::Text(text.to_vec())),
        }
    }

    /// Writes it into the buffer in its frame, with this tag for its numbers. Gives its MSH-10.
    pub(super) fn write(&self, tag: &str, out: &mut Vec<u8>) -> Vec<u8> {
        let tag = tag.as_bytes();
        out.clear();
        out.push(START);
        for part in &self.parts {
            match part {
                Part::Text(text) => out.extend_from_slice(text),
                Part::Tag => out.extend_from_slice(tag),
                Part::Letters => out.extend(tag.iter().map(|byte| match byte {
                    b'0'..=b'9' => byte - b'0' + b'g',
                    other => other.to_ascii_lowercase(),
                })),
            }
        }
        out.extend_from_slice(&[END, END_CR]);
        if self.is_named { tag.to_vec() } else { Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_message_is_a_new_referral() {
        let message = b"MSH|^~\\&|A|B|C|D|1||REF^I12|77|P|2.4\rRF1|P|R||||REF-1^CEDAR\rOBR|1|\rPID|1||7^CEDAR||Lee^Leslie^A\r";
        let mut fresh = Vec::new();
        assert_eq!(Template::of(message).write("T1", &mut fresh), b"T1");
        let expected = "\u{b}MSH|^~\\&|A|B|C|D|1||REF^I12|T1|P|2.4\rRF1|P|R||||T1^CEDAR\rOBR|1|T1\rPID|1||T1^CEDAR||Lee^Leslieth^A\r\u{1c}\r";
        assert_eq!(String::from_utf8(fresh).unwrap(), expected);
    }

    #[test]
    fn a_name_without_a_given_name_stays_as_it_is() {
        let mut fresh = Vec::new();
        for name in ["Lee", "Lee^^A", ""] {
            let message = format!("MSH|^~\\&|A\rPID|1||||{name}");
            assert_eq!(Template::of(message.as_bytes()).write("T1", &mut fresh), b"");
            assert_eq!(String::from_utf8_lossy(&fresh), format!("\u{b}{message}\u{1c}\r"));
        }
    }
}
