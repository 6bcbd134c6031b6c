//! MLLP, the framing of HL7 v2 over TCP: `0B … 1C 0D`. Strict in what it writes, loose in what it reads.
//!
//! The reader takes frames split or joined anywhere, remembers how far it has scanned (a 40 MB frame that comes in small
//! pieces is scanned once), caps the size of a frame, and finds its way back at the next `0B` after junk. What it cannot
//! take as a message it says as an event, so that the connection can answer, log or close.
//!
//! # Design notes
//! `1C` ends a frame whether or not `0D` follows: some senders leave it out, and waiting for it would block them. A `0D` or
//! `0A` that comes later is skipped between frames. Neither `0B` nor `1C` is legal inside HL7 text in an 8-bit character
//! set, so a `0B` inside a frame means that the end of the first one was lost.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use memchr::memchr2;
use tokio_util::codec::{Decoder, Encoder};

/// The byte before a message.
pub const START: u8 = 0x0B;
/// The byte after a message.
pub const END: u8 = 0x1C;
/// The byte after [`END`].
pub const END_CR: u8 = 0x0D;

/// Alone in a frame, the commit acknowledgement of MLLP release 2: the frame is stored.
pub const COMMIT_ACK: u8 = 0x06;
/// The negative one: it is not stored, send it again.
pub const COMMIT_NAK: u8 = 0x15;

/// How much of a message that is too large is kept, so that it can still be answered.
const HEAD_BYTES_MAX: usize = 65_536;
/// How much may come before the first frame, or between frames, before the peer is given up.
const JUNK_BYTES_MAX: usize = 65_536;

/// What the reader found on a connection.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame {
    /// One whole message, without its frame.
    Message(Bytes),
    /// A message whose end never came: another one began, or the connection ended.
    Truncated(Bytes),
    /// A message over the cap; the rest was read and dropped. Its first bytes are kept.
    TooLarge(Bytes),
    /// A transport acknowledgement of MLLP release 2 (`06` or `15` alone in a frame): never a message.
    CommitBlock(u8),
    /// No MLLP at all: close the connection.
    Foreign(Foreign),
}

/// What a peer speaks that does not speak MLLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreign {
    /// An HTTP request.
    Http,
    /// A TLS handshake on a plain port.
    Tls,
    /// HL7 text without frames.
    UnframedHl7,
    /// Something else, more of it than is let pass between frames.
    Unknown,
}

impl Foreign {
    /// In words, for a person.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "an HTTP request",
            Self::Tls => "a TLS handshake on a plain port",
            Self::UnframedHl7 => "HL7 without MLLP frames",
            Self::Unknown => "bytes that are no MLLP",
        }
    }
}

#[derive(Debug)]
enum State {
    /// Between frames; `junk` bytes were skipped since the last one.
    Between { junk: usize },
    /// Behind a `0B` (which is taken off the buffer); the first `scanned` bytes hold neither `0B` nor `1C`.
    Inside { scanned: usize },
    /// In a frame that is too large: dropping until its end.
    Draining { head: Bytes },
}

/// Reads and writes MLLP frames.
#[derive(Debug)]
pub struct MllpCodec {
    frame_bytes_max: usize,
    state: State,
    /// Whether nothing but junk has come so far: only then can the first bytes tell another protocol.
    fresh: bool,
    /// Whether a frame ever began.
    framed: bool,
}

impl MllpCodec {
    /// A codec that takes messages of up to so many bytes.
    #[must_use]
    pub fn new(frame_bytes_max: usize) -> Self {
        Self { frame_bytes_max, state: State::Between { junk: 0 }, fresh: true, framed: false }
    }

    /// Whether a frame has begun and not ended: it must end within the time for a frame, not within the idle time.
    #[must_use]
    pub fn inside(&self) -> bool {
        match self.state {
            State::Between { .. } => false,
            State::Inside { .. } | State::Draining { .. } => true,
        }
    }

    /// Whether the peer has sent only bytes that begin no frame: it must begin one within the time for a frame.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        !self.framed && matches!(self.state, State::Between { junk } if junk > 0)
    }

    /// Whether a frame is larger than is taken, and its end has not come.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        matches!(self.state, State::Draining { .. })
    }

    /// Whether what the peer sent, with these bytes that are not decided yet, holds no frame and is not nothing.
    #[must_use]
    pub fn is_no_mllp(&self, undecided: &[u8]) -> bool {
        self.is_lost() || (!self.framed && !undecided.trim_ascii().is_empty())
    }

    fn between(&mut self, source: &mut BytesMut, junk: usize) -> Step {
        if self.fresh {
            match foreign(source) {
                Guess::Yes(foreign) => return Step::Found(Frame::Foreign(foreign)),
                Guess::NeedMore => return Step::NeedMore,
                Guess::No => {}
            }
        }
        let Some(at) = source.iter().position(|byte| *byte == START) else {
            let junk = junk + source.iter().filter(|byte| !byte.is_ascii_whitespace()).count();
            source.clear();
            // Only the very first bytes tell another protocol; the same bytes behind junk are junk, however they are split.
            self.fresh = false;
            if junk > JUNK_BYTES_MAX {
                return Step::Found(Frame::Foreign(Foreign::Unknown));
            }
            self.state = State::Between { junk };
            return Step::NeedMore;
        };
        source.advance(at + 1);
        self.fresh = false;
        self.framed = true;
        self.state = State::Inside { scanned: 0 };
        Step::Again
    }

    fn inside_frame(&mut self, source: &mut BytesMut, scanned: usize) -> Step {
        let found = memchr2(END, START, source.get(scanned..).unwrap_or_default()).map(|at| scanned + at);
        if found.unwrap_or(source.len()) > self.frame_bytes_max {
            self.state = State::Draining { head: Bytes::copy_from_slice(&source[..source.len().min(HEAD_BYTES_MAX)]) };
            return Step::Again;
        }
        let Some(at) = found else {
            self.state = State::Inside { scanned: source.len() };
            return Step::NeedMore;
        };
        let ended = source[at] == END;
        let body = source.split_to(at).freeze();
        source.advance(1);
        if ended {
            self.state = State::Between { junk: 0 };
            return Step::Found(match *body {
                [byte @ (COMMIT_ACK | COMMIT_NAK)] => Frame::CommitBlock(byte),
                _ => Frame::Message(body),
            });
        }
        self.state = State::Inside { scanned: 0 };
        Step::Found(Frame::Truncated(body))
    }

    fn draining(&mut self, source: &mut BytesMut, head: Bytes) -> Step {
        match source.iter().position(|byte| *byte == END) {
            Some(at) => {
                source.advance(at + 1);
                self.state = State::Between { junk: 0 };
                Step::Found(Frame::TooLarge(head))
            }
            None => {
                source.clear();
                self.state = State::Draining { head };
                Step::NeedMore
            }
        }
    }
}

enum Step {
    Found(Frame),
    NeedMore,
    Again,
}

enum Guess {
    Yes(Foreign),
    No,
    NeedMore,
}

/// What protocol the first bytes of a connection are, if it is a known one that is not MLLP.
#[must_use]
pub fn foreign_protocol(first: &[u8]) -> Option<Foreign> {
    match foreign(first) {
        Guess::Yes(foreign) => Some(foreign),
        Guess::No | Guess::NeedMore => None,
    }
}

/// Guesses from the first bytes of a connection. A guess that a longer beginning could still turn waits for it.
fn foreign(source: &[u8]) -> Guess {
    const KNOWN: [(&[u8], Foreign); 13] = [
        (b"GET ", Foreign::Http),
        (b"POST ", Foreign::Http),
        (b"HEAD ", Foreign::Http),
        (b"PUT ", Foreign::Http),
        (b"OPTIONS ", Foreign::Http),
        (b"CONNECT ", Foreign::Http),
        (b"DELETE ", Foreign::Http),
        (b"PATCH ", Foreign::Http),
        (b"PRI * HTTP", Foreign::Http),
        (&[0x16, 0x03], Foreign::Tls),
        (b"MSH", Foreign::UnframedHl7),
        (b"FHS", Foreign::UnframedHl7),
        (b"BHS", Foreign::UnframedHl7),
    ];
    if source.is_empty() {
        return Guess::NeedMore;
    }
    for (start, what) in KNOWN {
        if source.starts_with(start) {
            return Guess::Yes(what);
        }
    }
    if KNOWN.iter().any(|(start, _)| start.starts_with(source)) { Guess::NeedMore } else { Guess::No }
}

impl Decoder for MllpCodec {
    type Item = Frame;
    type Error = std::io::Error;

    fn decode(&mut self, source: &mut BytesMut) -> Result<Option<Frame>, Self::Error> {
        loop {
            let state = std::mem::replace(&mut self.state, State::Between { junk: 0 });
            let step = match state {
                State::Between { junk } => self.between(source, junk),
                State::Inside { scanned } => self.inside_frame(source, scanned),
                State::Draining { head } => self.draining(source, head),
            };
            match step {
                Step::Found(frame) => return Ok(Some(frame)),
                Step::NeedMore => return Ok(None),
                Step::Again => {}
            }
        }
    }

    fn decode_eof(&mut self, source: &mut BytesMut) -> Result<Option<Frame>, Self::Error> {
        if let Some(frame) = self.decode(source)? {
            return Ok(Some(frame));
        }
        match std::mem::replace(&mut self.state, State::Between { junk: 0 }) {
            State::Between { .. } => {
                source.clear();
                Ok(None)
            }
            State::Inside { .. } => Ok(Some(Frame::Truncated(source.split().freeze()))),
            State::Draining { head } => Ok(Some(Frame::TooLarge(head))),
        }
    }
}

impl Encoder<&[u8]> for MllpCodec {
    type Error = std::io::Error;

    /// Writes exactly `0B`, the message ending in `0D`, `1C`, `0D`.
    fn encode(&mut self, message: &[u8], target: &mut BytesMut) -> Result<(), Self::Error> {
        target.reserve(message.len() + 4);
        target.put_u8(START);
        target.put_slice(message);
        if message.last() != Some(&b'\r') {
            target.put_u8(b'\r');
        }
        target.put_u8(END);
        target.put_u8(END_CR);
        Ok(())
    }
}

/// A commit block of MLLP release 2: [`COMMIT_ACK`] or [`COMMIT_NAK`] in its frame, without a carriage return.
#[must_use]
pub fn commit_block(byte: u8) -> [u8; 4] {
    [START, byte, END, END_CR]
}

/// A message in its frame.
#[must_use]
pub fn framed(message: &[u8]) -> Bytes {
    let mut target = BytesMut::new();
    MllpCodec::new(usize::MAX).encode(message, &mut target).expect("writing to memory does not fail");
    target.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(chunks: &[&[u8]], frame_bytes_max: usize) -> Vec<Frame> {
        let mut codec = MllpCodec::new(frame_bytes_max);
        let mut buffer = BytesMut::new();
        let mut frames = Vec::new();
        for chunk in chunks {
            buffer.extend_from_slice(chunk);
            while let Some(frame) = codec.decode(&mut buffer).unwrap() {
                let over = matches!(frame, Frame::Foreign(_));
                frames.push(frame);
                if over {
                    return frames;
                }
            }
        }
        while let Some(frame) = codec.decode_eof(&mut buffer).unwrap() {
            frames.push(frame);
        }
        frames
    }

    fn message(text: &'static str) -> Frame {
        Frame::Message(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn frames_are_read_however_they_are_split_or_joined() {
        let stream = b"\x0BMSH|a\r\x1C\r\x0BMSH|b\r\x1C\r";
        let expected = [message("MSH|a\r"), message("MSH|b\r")];
        assert_eq!(read(&[stream], 100), expected);
        for at in 1..stream.len() {
            assert_eq!(read(&[&stream[..at], &stream[at..]], 100), expected);
        }
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(read(&bytes, 100), expected);
    }

    #[test]
    fn a_missing_or_wrong_last_byte_and_junk_between_frames_are_let_pass() {
        let stream = b"\r\n \x0BMSH|a\r\x1C\x0BMSH|b\r\x1C\n??\x0BMSH|c\x1C\r";
        assert_eq!(read(&[stream], 100), [message("MSH|a\r"), message("MSH|b\r"), message("MSH|c")]);
    }

    #[test]
    fn a_start_before_an_end_and_an_end_of_the_connection_truncate_a_frame() {
        let frames = read(&[b"\x0BMSH|a\r\x0BMSH|b\r\x1C\r\x0BMSH|c"], 100);
        let truncated = |text: &'static str| Frame::Truncated(Bytes::from_static(text.as_bytes()));
        assert_eq!(frames, [truncated("MSH|a\r"), message("MSH|b\r"), truncated("MSH|c")]);
    }

    #[test]
    fn a_frame_over_the_cap_is_dropped_and_the_next_one_is_read() {
        let frames = read(&[b"\x0BMSH|0123456789", b"0123456789", b"\x1C\r\x0BMSH|b\r\x1C\r"], 10);
        assert_eq!(frames, [Frame::TooLarge(Bytes::from_static(b"MSH|0123456789")), message("MSH|b\r")]);
    }

    #[test]
    fn other_protocols_are_told_by_their_first_bytes() {
        for (bytes, foreign) in [
            (&b"GET / HTTP/1.1\r\n\r\n"[..], Foreign::Http),
            (&[0x16, 0x03, 0x01, 0x02, 0x00][..], Foreign::Tls),
            (b"MSH|^~\\&|A\r", Foreign::UnframedHl7),
        ] {
            assert_eq!(read(&[&bytes[..1], &bytes[1..]], 100), [Frame::Foreign(foreign)]);
        }
        let noise = vec![b'x'; JUNK_BYTES_MAX + 1];
        assert_eq!(read(&[&noise], 100), [Frame::Foreign(Foreign::Unknown)]);
    }

    #[test]
    fn a_commit_block_is_no_message() {
        assert_eq!(read(&[b"\x0B\x06\x1C\r"], 100), [Frame::CommitBlock(6)]);
    }

    #[test]
    fn a_frame_is_written_exactly() {
        assert_eq!(&framed(b"MSH|a\r")[..], b"\x0BMSH|a\r\x1C\r");
        assert_eq!(&framed(b"MSH|a")[..], b"\x0BMSH|a\r\x1C\r");
    }
}
