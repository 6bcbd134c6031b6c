//! What the engine and a worker process say to each other over the worker's standard input and output.
//!
//! To the worker: the length of a document (8 bytes, least significant first), then the document. From the worker, once when it is
//! ready, once it has taken a document in, after each page of a document of several, and then once a document: the lengths of a header
//! and of the images (8 bytes each), the header as JSON, the images one after the other. The engine believes
//! none of it: a worker that was taken over can say what it likes, and gets no further than these limits.

use std::io::{self, Read, Write};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{Progress, Reading};

/// Bytes of an answer's header: two hundred pages of two thousand words come to half of it.
const HEADER_BYTES_MAX: u64 = 134_217_728;
/// Bytes of the page images of one document.
const IMAGES_BYTES_MAX: u64 = 536_870_912;

/// What a worker says.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Answer {
    /// It is ready for documents.
    Ready {
        /// What this kernel has not, of what shuts a worker in.
        missing: Vec<String>,
    },
    /// It can never be.
    Unavailable {
        /// Why, for the person who can mend it.
        message: String,
    },
    /// It has the whole document, and begins with it: from here on the document may be what a worker dies of.
    Taken,
    /// The document is being read; the answer follows.
    Progress(Progress),
    /// The document was read.
    Reading(Reading),
    /// The document cannot be read.
    Refused {
        /// A stable word.
        code: String,
        /// What it means, without content.
        message: String,
    },
}

impl Answer {
    /// With every text short and in one line: a worker that a document has taken over shall not write into logs what it likes.
    fn bounded(mut self) -> Self {
        const PROBLEMS_MAX: usize = 1_000;
        let bound = |text: &mut String| {
            const CHARACTERS_MAX: usize = 300;
            if text.chars().count() > CHARACTERS_MAX || text.chars().any(char::is_control) {
                *text = text.chars().filter(|c| !c.is_control()).take(CHARACTERS_MAX).collect();
            }
        };
        match &mut self {
            Self::Ready { missing } => {
                missing.truncate(PROBLEMS_MAX);
                missing.iter_mut().for_each(bound);
            }
            Self::Taken | Self::Progress(_) => {}
            Self::Unavailable { message } => bound(message),
            Self::Refused { code, message } => [code, message].into_iter().for_each(bound),
            Self::Reading(reading) => {
                reading.problems.truncate(PROBLEMS_MAX);
                reading
                    .problems
                    .iter_mut()
                    .for_each(|problem| [&mut problem.code, &mut problem.message].into_iter().for_each(bound));
            }
        }
        self
    }
}

#[derive(Serialize, Deserialize)]
struct Header {
    answer: Answer,
    /// How long each page's image is; in the header itself they are empty.
    image_bytes: Vec<u64>,
}

/// Takes the next document from the engine; none: the engine has closed the pipe.
pub(super) fn receive_document(input: &mut impl Read, bytes_max: u64) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 8];
    if let Err(error) = input.read_exact(&mut length) {
        return if error.kind() == io::ErrorKind::UnexpectedEof { Ok(None) } else { Err(error) };
    }
    let length = u64::from_le_bytes(length);
    // One byte more than the limit, so that the reading itself refuses it; the rest is read past and forgotten.
    let mut document = Vec::new();
    let kept = length.min(bytes_max.saturating_add(1));
    input.by_ref().take(kept).read_to_end(&mut document)?;
    io::copy(&mut input.by_ref().take(length - kept), &mut io::sink())?;
    Ok(Some(document))
}

/// Gives an answer to the engine.
pub(super) fn send_answer(output: &mut impl Write, mut answer: Answer) -> io::Result<()> {
    let mut images = Vec::new();
    if let Answer::Reading(reading) = &mut answer {
        images.extend(reading.pages.iter_mut().map(|page| std::mem::take(&mut page.image)));
    }
    let image_bytes: Vec<u64> = images.iter().map(|image| image.len() as u64).collect();
    let images_total: u64 = image_bytes.iter().sum();
    let header = serde_json::to_vec(&Header { answer, image_bytes })?;
    output.write_all(&(header.len() as u64).to_le_bytes())?;
    output.write_all(&images_total.to_le_bytes())?;
    output.write_all(&header)?;
    for image in images {
        output.write_all(&image)?;
    }
    output.flush()
}

/// Gives a document to a worker.
pub(super) async fn send_document(output: &mut (impl AsyncWrite + Unpin), document: &[u8]) -> io::Result<()> {
    output.write_all(&(document.len() as u64).to_le_bytes()).await?;
    output.write_all(document).await?;
    output.flush().await
}

/// Takes the next answer of a worker.
pub(super) async fn receive_answer(input: &mut (impl AsyncRead + Unpin)) -> io::Result<Answer> {
    let header_bytes = input.read_u64_le().await?;
    let images_bytes = input.read_u64_le().await?;
    if header_bytes > HEADER_BYTES_MAX || images_bytes > IMAGES_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the answer of a reader process is larger than any can be"));
    }
    let header = receive_bytes(input, header_bytes).await?;
    let images = receive_bytes(input, images_bytes).await?;
    // The text of a JSON error can quote what it was given, which is the content of the document.
    let header: Header = serde_json::from_slice(&header).map_err(|_| malformed())?;
    attach_images(header, &images).map(Answer::bounded)
}

async fn receive_bytes(input: &mut (impl AsyncRead + Unpin), length: u64) -> io::Result<Bytes> {
    let mut bytes = Vec::new();
    let received = input.take(length).read_to_end(&mut bytes).await? as u64;
    if received < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Bytes::from(bytes))
}

fn attach_images(header: Header, images: &Bytes) -> io::Result<Answer> {
    let mut answer = header.answer;
    let mut start = 0_usize;
    if let Answer::Reading(reading) = &mut answer {
        if reading.pages.len() != header.image_bytes.len() {
            return Err(malformed());
        }
        for (page, length) in reading.pages.iter_mut().zip(header.image_bytes) {
            let end = usize::try_from(length).ok().and_then(|length| start.checked_add(length)).ok_or_else(malformed)?;
            if end > images.len() {
                return Err(malformed());
            }
            page.image = images.slice(start..end);
            start = end;
        }
    }
    if start == images.len() { Ok(answer) } else { Err(malformed()) }
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the answer of a reader process is malformed")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reader::PageReading;

    fn page(number: u32, image: &'static [u8]) -> PageReading {
        PageReading {
            number,
            width: 1,
            height: 1,
            dpi: 204.0,
            image: Bytes::from_static(image),
            words: Vec::new(),
            codes: Vec::new(),
            look: None,
        }
    }

    #[tokio::test]
    async fn each_page_gets_its_own_image_back() {
        let reading = Reading { pages: vec![page(1, b"first"), page(2, b""), page(3, b"third")], problems: Vec::new() };
        let mut sent = Vec::new();
        send_answer(&mut sent, Answer::Reading(reading)).unwrap();
        let Answer::Reading(got) = receive_answer(&mut sent.as_slice()).await.unwrap() else { panic!("a reading was sent") };
        let images: Vec<&[u8]> = got.pages.iter().map(|page| page.image.as_ref()).collect();
        assert_eq!(images, [&b"first"[..], b"", b"third"]);
    }

    #[tokio::test]
    async fn an_answer_that_lies_about_its_images_is_an_error() {
        let header = serde_json::to_vec(&Header {
            answer: Answer::Reading(Reading { pages: vec![page(1, b"")], problems: Vec::new() }),
            image_bytes: vec![u64::MAX],
        })
        .unwrap();
        let mut sent = Vec::new();
        sent.extend((header.len() as u64).to_le_bytes());
        sent.extend(3_u64.to_le_bytes());
        sent.extend(&header);
        sent.extend(b"abc");
        assert!(receive_answer(&mut sent.as_slice()).await.is_err());
    }

    #[tokio::test]
    async fn an_answer_that_claims_more_than_any_can_have_is_refused_before_memory_is_taken() {
        let sent = [u64::MAX.to_le_bytes(), 0_u64.to_le_bytes()].concat();
        assert!(receive_answer(&mut sent.as_slice()).await.is_err());
    }

    #[test]
    fn a_document_over_the_limit_is_read_past_so_that_the_next_one_is_found() {
        let mut sent = Vec::new();
        sent.extend(10_u64.to_le_bytes());
        sent.extend(b"0123456789");
        sent.extend(2_u64.to_le_bytes());
        sent.extend(b"ok");
        let mut input = sent.as_slice();
        assert_eq!(receive_document(&mut input, 4).unwrap().unwrap().len(), 5);
        assert_eq!(receive_document(&mut input, 4).unwrap().unwrap(), b"ok");
        assert!(receive_document(&mut input, 4).unwrap().is_none());
    }
}
