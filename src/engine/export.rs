//! A stored document as a searchable PDF, for whoever wants to file or search what came in.
//!
//! # Design notes
//! The words are not kept with a message: whoever wants the searchable copy waits the second a page that reading it again takes, and the
//! store stays a third smaller.

use base64::Engine as _;
use serde_json::{Value, json};

use super::Context;
use crate::{
    compose::{
        PageImage,
        searchable::{self, ScannedPage, ScannedWord},
    },
    ids::MessageId,
    message::Protocol,
    normalize::email::{self, MailLimits},
    reader::PageReading,
};

/// The searchable PDF of a message's document, base64, with what of it is not in the copy; or why there is none.
pub(super) async fn searchable(context: &Context, id: MessageId) -> Result<Value, String> {
    let store = &context.store;
    let message = store.message(id).map_err(|error| error.to_string())?.ok_or_else(|| format!("there is no message {id}"))?;
    let body = store.body(&message.body).await.map_err(|error| error.to_string())?;
    let body = body.ok_or_else(|| format!("the bytes of message {id} are not in the store: restore them from a backup"))?;
    let documents = match message.protocol {
        Protocol::Document => vec![body],
        Protocol::Mail => {
            let parts = email::read(&body, MailLimits::default()).parts;
            parts.into_iter().filter(email::Part::is_document).map(|part| part.content).collect()
        }
        Protocol::Hl7 => Vec::new(),
    };
    if documents.is_empty() {
        return Err(format!("message {id} brought no scanned document: `loopline messages export {id}` writes what it brought"));
    }
    let (mut pages, mut problems) = (Vec::new(), Vec::new());
    for document in documents {
        let reading = context.reader.read(document).await.map_err(|error| error.to_string())?;
        problems
            .extend(reading.problems.into_iter().filter(|problem| problem.code != "blank-page").map(|problem| problem.message));
        pages.extend(reading.pages.into_iter().map(page));
    }
    if pages.is_empty() {
        return Err(format!("the document of message {id} has no page that can be shown"));
    }
    // Setting type and packing images is work for a thread of its own.
    let name = format!("message {id}");
    let made = tokio::task::spawn_blocking(move || searchable::document(&pages, &name, message.received_at));
    let pdf = made.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
    let encoded = base64::engine::general_purpose::STANDARD.encode(&pdf.bytes);
    Ok(json!({"pages": pdf.pages, "pdf": encoded, "problems": problems}))
}

fn page(read: PageReading) -> ScannedPage {
    let words = read.words.into_iter().map(|word| ScannedWord { text: word.text, bounds: word.bounds });
    ScannedPage { image: PageImage { png: read.image }, pixels: (read.width, read.height), dpi: read.dpi, words: words.collect() }
}
