//! Batches: `[FHS] { [BHS] { MSH … } [BTS] } [FTS]` in, and the batch of answers out (chapter 2, batch protocol).
//!
//! Reading is by lines alone: what a message says is nobody's business here, and one that makes no sense does not hide the others.

use bytes::Bytes;
use memchr::memchr2;

use super::text::strip_junk;

/// Bytes that hold one message or several, with what is around them.
#[derive(Debug)]
pub struct Envelope<'a> {
    /// FHS, where there is one.
    file: Option<&'a [u8]>,
    groups: Vec<Group<'a>>,
    /// FTS-1.
    groups_claimed: Option<usize>,
}

/// The messages between a BHS and its BTS, or without one.
#[derive(Debug, Default)]
struct Group<'a> {
    header: Option<&'a [u8]>,
    messages: Vec<&'a [u8]>,
    /// BTS-1.
    claimed: Option<usize>,
    /// Whether its BTS was seen: what follows is in no batch.
    ended: bool,
}

impl<'a> Envelope<'a> {
    /// Splits at each MSH, FHS, BHS, BTS and FTS that begins a line. Bytes without any MSH are one message, as they are;
    /// a batch with nothing in it has none.
    #[must_use]
    pub fn read(body: &'a [u8]) -> Self {
        let mut envelope = Self { file: None, groups: Vec::new(), groups_claimed: None };
        let mut open: Option<usize> = None;
        let (mut found, mut other_lines) = (false, false);
        for (at, line) in lines(body) {
            let separated = line.get(3).is_some_and(u8::is_ascii_punctuation);
            let name = line.get(..3).filter(|_| separated);
            if !matches!(name, Some(b"MSH" | b"FHS" | b"BHS" | b"BTS" | b"FTS")) {
                other_lines = other_lines || !strip_junk(line).is_empty();
                continue;
            }
            if let Some(from) = open.take() {
                envelope.group().messages.push(body.get(from..at).unwrap_or_default());
            }
            match name {
                Some(b"MSH") => (open, found) = (Some(at), true),
                Some(b"FHS") => envelope.file = Some(line),
                Some(b"BHS") => envelope.groups.push(Group { header: Some(line), ..Group::default() }),
                Some(b"BTS") => {
                    let claimed = line.get(4..).and_then(leading_number);
                    let group = envelope.group();
                    (group.claimed, group.ended) = (claimed, true);
                }
                _ => envelope.groups_claimed = line.get(4..).and_then(leading_number),
            }
        }
        if let Some(from) = open {
            envelope.group().messages.push(body.get(from..).unwrap_or_default());
        }
        let is_empty_batch = envelope.is_batch() && !other_lines;
        if !found && !is_empty_batch {
            envelope.group().messages.push(body);
        }
        envelope
    }

    /// The batch that what comes next belongs to.
    fn group(&mut self) -> &mut Group<'a> {
        if self.groups.last().is_none_or(|group| group.ended) {
            self.groups.push(Group::default());
        }
        self.groups.last_mut().expect("one was just pushed")
    }

    /// Whether it is a batch, and not a message or messages in a row.
    #[must_use]
    pub fn is_batch(&self) -> bool {
        self.file.is_some() || self.groups.iter().any(|group| group.header.is_some())
    }

    /// The messages, in order; none only in a batch with nothing in it.
    #[must_use]
    pub fn messages(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + use<'a> {
        self.groups.iter().flat_map(|group| group.messages.iter().copied()).collect::<Vec<_>>().into_iter()
    }

    /// Counts that are wrong, each as it is claimed (BTS-1, FTS-1) and as it was found.
    #[must_use]
    pub fn wrong_counts(&self) -> Vec<(usize, usize)> {
        let batches = self.groups.iter().filter(|group| group.header.is_some() || group.ended).count();
        let of_messages = self.groups.iter().map(|group| (group.claimed, group.messages.len()));
        of_messages
            .chain([(self.groups_claimed, batches)])
            .filter_map(|(claimed, found)| Some((claimed?, found)))
            .filter(|(claimed, found)| claimed != found)
            .collect()
    }

    /// The batch that answers this one: its headers with the two sides swapped, BHS-12 and FHS-12 naming the batch that is answered.
    /// `answers` are those to the messages, in their order; none: none is owed. `control_id` names the batch of answers.
    #[must_use]
    pub fn answer(&self, answers: &[Option<Bytes>], control_id: &str, time: &str) -> Vec<u8> {
        let mut out = Vec::new();
        let mut answers = answers.iter();
        if let Some(file) = self.file {
            swapped(&mut out, file, control_id, time);
        }
        let mut batches = 0_usize;
        for group in &self.groups {
            if let Some(header) = group.header {
                swapped(&mut out, header, control_id, time);
                batches += 1;
            }
            let mut count = 0_usize;
            for answer in answers.by_ref().take(group.messages.len()).flatten() {
                out.extend_from_slice(answer);
                if answer.last() != Some(&b'\r') {
                    out.push(b'\r');
                }
                count += 1;
            }
            if let Some(header) = group.header {
                trailer(&mut out, b"BTS", header, count);
            }
        }
        if let Some(file) = self.file {
            trailer(&mut out, b"FTS", file, batches);
        }
        out
    }
}

/// FHS or BHS of the answer: name, delimiters, the two sides swapped, time, our control id and theirs.
fn swapped(out: &mut Vec<u8>, header: &[u8], control_id: &str, time: &str) {
    let separator = header.get(3).copied().unwrap_or(b'|');
    let fields: Vec<&[u8]> = header.split(|byte| *byte == separator).collect();
    // FHS-1 is the separator itself, so field n stands at n - 1.
    let field = |number: usize| fields.get(number - 1).copied().unwrap_or_default();
    let name = fields.first().copied().unwrap_or_default();
    let answer = [
        name,
        field(2),
        field(5),
        field(6),
        field(3),
        field(4),
        time.as_bytes(),
        b"",
        b"",
        b"",
        control_id.as_bytes(),
        field(11),
    ];
    for (at, value) in answer.into_iter().enumerate() {
        if at > 0 {
            out.push(separator);
        }
        out.extend_from_slice(value);
    }
    out.push(b'\r');
}

fn trailer(out: &mut Vec<u8>, name: &[u8], header: &[u8], count: usize) {
    out.extend_from_slice(name);
    out.push(header.get(3).copied().unwrap_or(b'|'));
    out.extend_from_slice(count.to_string().as_bytes());
    out.push(b'\r');
}

/// Each line with where it begins, without its end; junk before the first is no line.
fn lines(body: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut at = body.len() - strip_junk(body).len();
    std::iter::from_fn(move || {
        let rest = body.get(at..).filter(|rest| !rest.is_empty())?;
        let end = memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
        let line = (at, rest.get(..end)?);
        at += end + 1;
        Some(line)
    })
}

fn leading_number(text: &[u8]) -> Option<usize> {
    let digits: Vec<u8> = text.iter().copied().take_while(u8::is_ascii_digit).take(9).collect();
    std::str::from_utf8(&digits).ok()?.parse().ok()
}

/// The messages of bytes that may hold several, and whether a count of theirs (BTS-1) is wrong: what it claims.
/// Bytes without any MSH give themselves.
#[must_use]
pub fn split_messages(body: &[u8]) -> (Vec<&[u8]>, Option<usize>) {
    let envelope = Envelope::read(body);
    let claimed = envelope.groups.iter().rev().find_map(|group| group.claimed);
    let mut messages: Vec<&[u8]> = envelope.messages().collect();
    if messages.is_empty() {
        messages.push(body);
    }
    (messages, claimed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts<'a>(envelope: &Envelope<'a>) -> Vec<&'a str> {
        envelope.messages().map(|message| std::str::from_utf8(message).unwrap()).collect()
    }

    #[test]
    fn the_messages_of_every_batch_are_found() {
        let body = b"FHS|^~\\&|A\rBHS|^~\\&|A\rMSH|1\rPID|1\rMSH|2\rBTS|2\rBHS|^~\\&|A\rMSH|3\rBTS|7\rFTS|2\r";
        let envelope = Envelope::read(body);
        assert!(envelope.is_batch());
        assert_eq!(texts(&envelope), ["MSH|1\rPID|1\r", "MSH|2\r", "MSH|3\r"]);
        assert_eq!(envelope.wrong_counts(), [(7, 1)]);
    }

    #[test]
    fn messages_in_a_row_and_bytes_without_any_are_no_batch() {
        let row = Envelope::read(b"\r\nMSH|1\rPID|1\nMSH|2\r");
        assert!(!row.is_batch());
        assert_eq!(texts(&row), ["MSH|1\rPID|1\n", "MSH|2\r"]);
        assert_eq!(texts(&Envelope::read(b"hello")), ["hello"]);
        assert_eq!(texts(&Envelope::read(b"")), [""]);
    }

    #[test]
    fn a_batch_with_nothing_in_it_has_no_message_and_is_answered_by_one_like_it() {
        let envelope = Envelope::read(b"\xEF\xBB\xBFBHS|^~\\&|A|B|C|D|1||b|c|B-1\r\n\nBTS|0\r\n");
        assert_eq!((texts(&envelope).len(), envelope.wrong_counts().len()), (0, 0));
        let answer = envelope.answer(&[], "X", "T");
        assert_eq!(std::str::from_utf8(&answer).unwrap(), "BHS|^~\\&|C|D|A|B|T||||X|B-1\rBTS|0\r");
        let other = "BHS|^~\\&|A\rhello\rBTS|0\r";
        assert_eq!(texts(&Envelope::read(other.as_bytes())), [other], "what is no batch is not passed over");
    }

    #[test]
    fn a_batch_is_answered_by_a_batch_with_the_sides_swapped() {
        let body = b"FHS|^~\\&|A|B|C|D|1||f|c|F-1\rBHS|^~\\&|A|B|C|D|1||b|c|B-1\rMSH|1\rMSH|2\rMSH|3\rBTS|3\rFTS|1\r";
        let answers = [Some(Bytes::from_static(b"MSH|a\r")), None, Some(Bytes::from_static(b"MSH|c"))];
        let answer = Envelope::read(body).answer(&answers, "X", "T");
        let expected = "FHS|^~\\&|C|D|A|B|T||||X|F-1\rBHS|^~\\&|C|D|A|B|T||||X|B-1\rMSH|a\rMSH|c\rBTS|2\rFTS|1\r";
        assert_eq!(std::str::from_utf8(&answer).unwrap(), expected);
    }
}
