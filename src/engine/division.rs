//! A person takes a fax apart, or the one document that came with a mail: which of its pages are one document, and which another.
//!
//! # Design notes
//! What they say is kept with the message and the fax is read again by it, so that a later replay takes it apart in the same way. The
//! words of a page are not kept, so reading again is the way to its fields.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::Context;
use crate::{
    ids::MessageId,
    message::{Acknowledgement, Message, Protocol, State},
    referral::Split,
    store::Decision,
};

/// Takes a fax apart as a person says, or, where they name no documents, as it was proposed.
///
/// # Errors
/// Why not, and what would do, for that person.
pub(super) async fn split(context: &Context, id: MessageId, documents: Vec<Vec<u32>>, by: &str) -> Result<Message, String> {
    let found = context.store.message(id).map_err(|error| error.to_string())?;
    let mut message = found.ok_or_else(|| format!("there is no message {id}"))?;
    match message.protocol {
        Protocol::Document => {}
        Protocol::Mail if !message.pages.is_empty() => {}
        Protocol::Mail => {
            return Err(format!(
                "message {id} is a mail without one document attached alone: save what is attached, drop it into a fax folder, and \
                 split that"
            ));
        }
        Protocol::Hl7 => return Err(format!("message {id} is HL7 and has no pages")),
    }
    if message.state == State::Received {
        return Err(format!("message {id} is not read yet: wait until it is"));
    }
    let documents = if documents.is_empty() { proposed(&message) } else { documents };
    check(&message, &documents)?;
    if message.referrals.len() > documents.len() {
        let made = message.referrals.len();
        return Err(format!(
            "message {id} made {made} referrals: reject or merge those that are none, then correct the one that stays"
        ));
    }
    message.split = Some(Split { documents, by: by.to_owned(), at: Timestamp::now() });
    message.state = State::Received;
    message.attempts = 0;
    message.due_at = None;
    message.reason = Some("taken apart by a person".to_owned());
    // So far its sender was told at most that a person looks at it.
    if message.referrals.is_empty() {
        message.acknowledgement = Acknowledgement::Owed;
    }
    let decision = Decision { message: Some(message.clone()), ..Decision::default() };
    context.store.settle(decision).await.map_err(|error| error.to_string())?;
    tracing::info!(message_id = %id, documents = message.split.as_ref().map(|split| split.documents.len()), "a person took a fax apart");
    Ok(message)
}

/// The documents as the pages were given to them, in order.
fn proposed(message: &Message) -> Vec<Vec<u32>> {
    let numbers: BTreeSet<u32> = message.pages.iter().filter_map(|page| page.document).collect();
    let pages = |number: u32| message.pages.iter().filter(|page| page.document == Some(number)).map(|page| page.page).collect();
    numbers.into_iter().map(pages).collect()
}

/// Whether each page is one of the fax, and in one document only.
fn check(message: &Message, documents: &[Vec<u32>]) -> Result<(), String> {
    let mut taken = BTreeSet::new();
    if documents.is_empty() || documents.iter().any(Vec::is_empty) {
        return Err("name the pages of each document: `split ID 1-3 4,6`".to_owned());
    }
    for page in documents.iter().flatten() {
        if !message.pages.iter().any(|known| known.page == *page) {
            return Err(format!("it has no page {page}; it has {}", message.pages.len()));
        }
        if !taken.insert(page) {
            return Err(format!("page {page} is named twice: a page belongs to one document, or to none"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ids::ChannelName,
        message::Arrival,
        referral::{FaxPage, PageKind},
    };

    fn message(documents: &[Option<u32>]) -> Message {
        let arrival = Arrival {
            channel: ChannelName::new("fax-in"),
            protocol: Protocol::Document,
            body: bytes::Bytes::from_static(b"fax"),
            received_at: Timestamp::UNIX_EPOCH,
            peer: None,
            file: None,
        };
        let page = |(document, page): (&Option<u32>, u32)| FaxPage {
            page,
            kind: PageKind::Referral,
            evidence: Vec::new(),
            document: *document,
        };
        Message { pages: documents.iter().zip(1..).map(page).collect(), ..Message::received(&arrival) }
    }

    #[test]
    fn a_proposal_is_taken_as_it_stands_and_a_page_belongs_to_one_document() {
        let fax = message(&[None, Some(1), Some(2), Some(1)]);
        assert_eq!(proposed(&fax), [vec![2, 4], vec![3]]);
        assert!(check(&fax, &proposed(&fax)).is_ok());
        assert!(check(&fax, &[vec![1, 2, 3, 4]]).is_ok());
        for (wrong, why) in [
            (vec![], "name the pages"),
            (vec![vec![]], "name the pages"),
            (vec![vec![5]], "no page 5"),
            (vec![vec![2], vec![3, 2]], "twice"),
        ] {
            let told = check(&fax, &wrong).unwrap_err();
            assert!(told.contains(why), "{told}");
        }
        assert!(check(&message(&[]), &proposed(&message(&[]))).is_err(), "nothing was proposed");
    }
}
