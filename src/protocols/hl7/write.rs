//! Writing segments: the sender's delimiters and character set, CR after each, nothing else.

use std::borrow::Cow;

use super::{Alphabet, Charset, Delimiters, Unwritable, encode};

/// Builds a message segment by segment. A field is named by its number; fields skipped are empty.
pub struct Writer {
    out: Vec<u8>,
    delimiters: Delimiters,
    letters: Letters,
    /// The segment that is being written.
    name: String,
    /// The number of the last field written in this segment.
    at: usize,
    /// Where letters are lost.
    unwritable: Unwritable,
}

/// What becomes of a letter that the character set lacks.
#[derive(Clone, Copy)]
enum Letters {
    /// A question mark.
    Replaced(Charset),
    /// There is no message then.
    Kept(Alphabet),
}

impl Writer {
    /// A writer for one answer. A letter that the set lacks becomes a question mark.
    #[must_use]
    pub fn new(delimiters: Delimiters, charset: Charset) -> Self {
        Self::with(delimiters, Letters::Replaced(charset))
    }

    /// A writer for one message that loses no letter: [`Writer::finish_whole`].
    #[must_use]
    pub fn whole(delimiters: Delimiters, alphabet: Alphabet) -> Self {
        Self::with(delimiters, Letters::Kept(alphabet))
    }

    fn with(delimiters: Delimiters, letters: Letters) -> Self {
        let (out, name) = (Vec::with_capacity(512), String::new());
        Self { out, delimiters, letters, name, at: 0, unwritable: Unwritable::default() }
    }

    /// Begins a segment. MSH comes with its first two fields.
    pub fn segment(&mut self, name: &str) -> &mut Self {
        if !self.out.is_empty() {
            self.out.push(b'\r');
        }
        self.out.extend_from_slice(name.as_bytes());
        name.clone_into(&mut self.name);
        self.at = 0;
        if name == "MSH" {
            let start = format!("{}{}", self.delimiters.field, self.delimiters.encoding_characters());
            self.out.extend_from_slice(start.as_bytes());
            self.at = 2;
        }
        self
    }

    /// Writes a whole segment as it stands in a normalised text.
    pub fn copy(&mut self, raw: &str) -> &mut Self {
        self.segment("");
        let bytes = self.encoded(0, raw);
        self.out.extend_from_slice(&bytes);
        self
    }

    fn encoded<'r>(&mut self, field: usize, raw: &'r str) -> Cow<'r, [u8]> {
        match self.letters {
            Letters::Replaced(charset) => charset.write(raw),
            Letters::Kept(alphabet) => alphabet.write(raw).unwrap_or_else(|| {
                self.unwritable.add(&self.name, field);
                Cow::Borrowed(&[])
            }),
        }
    }

    fn go_to(&mut self, field: usize) {
        let separator = u8::try_from(self.delimiters.field).unwrap_or(b'|');
        while self.at < field {
            self.out.push(separator);
            self.at += 1;
        }
    }

    /// Writes a field as bytes that came from the same sender, unchanged.
    pub fn bytes(&mut self, field: usize, raw: &[u8]) -> &mut Self {
        if !raw.is_empty() {
            self.go_to(field);
            self.out.extend_from_slice(raw);
        }
        self
    }

    /// Writes a field as it stands in a normalised text, delimiters and all.
    pub fn raw(&mut self, field: usize, raw: &str) -> &mut Self {
        let bytes = self.encoded(field, raw);
        self.bytes(field, &bytes)
    }

    /// Writes a field of one component, escaped.
    pub fn text(&mut self, field: usize, text: &str) -> &mut Self {
        self.components(field, &[text])
    }

    /// Writes a field of several components, each escaped; trailing empty ones are left out.
    pub fn components(&mut self, field: usize, components: &[&str]) -> &mut Self {
        let text = self.joined(components);
        self.raw(field, &text)
    }

    fn joined(&self, components: &[&str]) -> String {
        let separator = self.delimiters.component.to_string();
        let text = components.iter().map(|text| encode(text, &self.delimiters)).collect::<Vec<_>>().join(&separator);
        text.trim_end_matches(self.delimiters.component).to_owned()
    }

    /// Writes a field of several repetitions, each of several components; empty repetitions are left out.
    pub fn repetitions(&mut self, field: usize, repetitions: &[Vec<&str>]) -> &mut Self {
        let written: Vec<String> =
            repetitions.iter().map(|components| self.joined(components)).filter(|text| !text.is_empty()).collect();
        self.raw(field, &written.join(&self.delimiters.repetition.to_string()))
    }

    /// The message.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.out.push(b'\r');
        self.out
    }

    /// The message, where every letter of it could be written.
    ///
    /// # Errors
    /// Where it holds letters that its character set lacks.
    pub fn finish_whole(mut self) -> Result<Vec<u8>, Unwritable> {
        let unwritable = std::mem::take(&mut self.unwritable);
        if unwritable.is_empty() { Ok(self.finish()) } else { Err(unwritable) }
    }
}
