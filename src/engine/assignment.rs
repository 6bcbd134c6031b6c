//! A person says which referral a held message is about.
//!
//! # Design notes
//! What they say is kept with the message, and the message is decided again by it: a reply moves the referral as one of a sender who is
//! named would, a report closes it, a document is put with it. A later replay decides it in the same way. Whoever assigns a message
//! vouches for it, so who sent it is no matter; what it says must be plain all the same, or it waits with the referral.

use bytes::Bytes;
use jiff::Timestamp;

use super::{Context, decide::Found, interpret, sameness::same_patient};
use crate::{
    ids::MessageId,
    message::{Assignment, Message, Protocol, State},
    normalize::{
        Event, Kind, Outcome,
        hl7::{ReferralKey, sniff},
    },
    referral::{Attachment, Problem, Referral},
    store::Decision,
};

/// Assigns a message to a referral. It is decided right after.
///
/// # Errors
/// Why not, and what would do, for that person.
pub(super) async fn assign(context: &Context, id: MessageId, referral: &Referral, by: &str) -> Result<Message, String> {
    let found = context.store.message(id).map_err(|error| error.to_string())?;
    let mut message = found.ok_or_else(|| format!("there is no message {id}"))?;
    let is_processed = message.state == State::Processed;
    let is_stray = is_processed && message.kind == Some(Kind::Document) && message.referrals.is_empty();
    // A paper that came along with an answer, and turns out to be the report.
    let is_paper = is_processed && message.kind == Some(Kind::Report);
    if message.state != State::Held && !is_stray && !is_paper {
        let state = message.state.as_str();
        return Err(format!(
            "message {id} is {state}: only one that is held, a document of no referral, or what may be a report can be assigned"
        ));
    }
    if message.protocol == Protocol::Hl7 {
        let outcome = read(context, &message).await?;
        fits(id, outcome.kind, outcome.event)?;
        let is_patients = outcome.record.is_none_or(|record| same_patient(&referral.record, &record));
        if !is_patients {
            let reference = &referral.reference;
            return Err(format!(
                "message {id} is about another patient than {reference}: look at both by `loopline messages show {id} --raw` and \
                 `loopline referrals show {reference}`"
            ));
        }
    } else {
        fits(id, message.kind.unwrap_or(Kind::Unknown), message.event)?;
    }
    let document = match (message.protocol, message.kind) {
        (Protocol::Document, Some(Kind::Unknown) | None) => Some(file(&message, &body(context, &message).await?)),
        _ => None,
    };
    message.assigned =
        Some(Assignment { reference: referral.reference.clone(), by: by.to_owned(), at: Timestamp::now(), document });
    message.state = State::Received;
    message.attempts = 0;
    message.due_at = None;
    message.reason = Some("assigned by a person".to_owned());
    let decision = Decision { message: Some(message.clone()), ..Decision::default() };
    context.store.settle(decision).await.map_err(|error| error.to_string())?;
    tracing::info!(message_id = %id, referral = %referral.id, "a person assigned a message");
    Ok(message)
}

async fn body(context: &Context, message: &Message) -> Result<Bytes, String> {
    let body = context.store.body(&message.body).await.map_err(|error| error.to_string())?;
    body.ok_or_else(|| format!("the content of message {} is missing in the store: restore it from the backup", message.id))
}

/// A fax as it came. Its name as dropped may name a patient, and goes nowhere.
fn file(message: &Message, body: &[u8]) -> Attachment {
    let media_type = sniff(body).map_or("application/octet-stream", |(media_type, _)| media_type);
    Attachment {
        id: message.body.clone(),
        name: None,
        media_type: media_type.to_owned(),
        bytes: message.bytes,
        page: None,
        kind: None,
        look: None,
    }
}

/// What an HL7 message says, by the configuration as it is now.
async fn read(context: &Context, message: &Message) -> Result<Outcome, String> {
    let id = message.id;
    let config = context.config();
    let Some(channel) = config.channel_of(&message.channel) else {
        return Err(format!("channel {} is not configured any more: put it back first", message.channel));
    };
    let body = body(context, message).await?;
    match interpret::interpret(context, &config, &channel, message, &body).await {
        Ok(mut found) if found.len() == 1 => Ok(found.remove(0).outcome),
        Ok(_) | Err(_) => Err(format!("message {id} cannot be read: see why by `loopline messages show {id}`")),
    }
}

/// Whether a message of this kind can be about a referral that is known.
fn fits(id: MessageId, kind: Kind, event: Option<Event>) -> Result<(), String> {
    let why = match (kind, event) {
        (Kind::Reply | Kind::Report | Kind::Document | Kind::Unknown, _)
        | (Kind::Referral, Some(Event::Change | Event::Cancel | Event::StatusRequest)) => return Ok(()),
        (Kind::Referral, Some(Event::New) | None) => {
            "asks for a new referral: replay it, then merge what it makes, by `loopline referrals settle REFERENCE merge`"
        }
        (Kind::Bounce, _) => "says that a delivery failed: retry that, or correct the directory, then dismiss the message",
        (Kind::AutoReply | Kind::Acknowledgement, _) => "was written by a program, and says nothing of a referral",
        (Kind::Refused, _) => "was refused, and its sender knows: they send it again when it is mended",
        (Kind::Batch, _) => "holds several messages",
    };
    Err(format!("message {id} {why}"))
}

/// What was found in a message, as what the person said that it is about.
pub(super) fn applied(message: &mut Message, mut found: Vec<Found>) -> Vec<Found> {
    let Some(assigned) = &message.assigned else { return found };
    let [one] = found.as_mut_slice() else {
        message.assigned = None;
        let text = "it holds several documents, so it is not about one referral: it was not assigned";
        message.problems.push(Problem::new("not-assigned", text));
        return found;
    };
    if fits(message.id, one.outcome.kind, one.outcome.event).is_err() {
        message.assigned = None;
        return found;
    }
    one.keys.insert(0, ReferralKey::Own(assigned.reference.clone()));
    one.doubt = None;
    if let Some(reply) = &mut one.outcome.reply {
        reply.reference = Some(assigned.reference.as_str().to_owned());
        reply.matched_by = Some("person".to_owned());
    }
    if one.outcome.kind == Kind::Unknown {
        // Whatever it is, a person looked, and it belongs there.
        one.outcome.kind = Kind::Document;
    }
    found
}
