//! HL7 v2 as text: reading, escapes, dates, character sets, writing. Knows the encoding rules (chapter 2), no message.
//!
//! ```text
//! frame ─▶ batch.rs  the messages of a batch, and the batch that answers it
//! bytes ─▶ text.rs   character set, delimiters, terminators, limits ─▶ one normalised text
//!            └─▶ message.rs  segments, fields, repetitions, components, over that text
//! leaf  ─▶ escape.rs text without escapes      date.rs  ISO 8601 with the precision sent
//! write.rs           segments with the sender's delimiters and character set, or in an alphabet.rs that loses no letter
//! answer.rs          MSA and ERR of an answer to us
//! ```
//!
//! # Design notes
//! Reading was hl7-parser's at first, behind guards: it drops what it does not understand and says nothing, so the text is normalised
//! first; its escape decoder and date reader can panic, so neither was used. What was left of it, the splitting, took a fifth of the CPU
//! time of a whole message, so that is our own too (`message.rs`), and hl7-parser is the second opinion of its property test.
//! Writing is our own, because an answer repeats bytes of the sender's (MSH-10, MSH-3 to 6) exactly as they came, which need not be
//! valid text.

mod alphabet;
mod answer;
mod batch;
mod charset;
mod date;
mod escape;
mod message;
mod text;
mod write;

pub use alphabet::{Alphabet, Unwritable};
pub use answer::{Answer, AnswerCode};
pub use batch::{Envelope, split_messages};
pub use charset::Charset;
pub use date::{DateProblem, HlDate, Precision, read_date};
pub use escape::{decode, encode};
pub use message::{Component, Field, Message, Repetition, Segment};
pub use text::{Delimiters, RawHeader, ReadLimits, Text, Tolerance, Unreadable, decoded, narrowed_file};
pub use write::Writer;
