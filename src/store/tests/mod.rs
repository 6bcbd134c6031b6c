//! Tests of the store as a whole: on this machine's disk, and on one that loses power.

mod disk_trouble;
mod power_loss;
mod start;
mod transactions;

use std::path::Path;

use bytes::Bytes;
use jiff::Timestamp;

use super::*;
use crate::{
    delivery::{Content, DeliveryState, FaxContent, Purpose},
    ids::{BodyId, ChannelName, DeliveryId, ReferralId},
    message::{Acknowledgement, Arrival, ControlId, Protocol, SourceFile, State},
    referral::{Reference, Referral, Status},
};

pub(super) fn options(folder: &Path) -> StoreOptions {
    StoreOptions { folder: folder.to_path_buf(), index_cache_bytes: 8 * 1024 * 1024 }
}

pub(super) fn new_message(key: &str, body: impl Into<Bytes>) -> NewMessage {
    let body = body.into();
    let arrival = Arrival {
        channel: ChannelName::new("cedar-mllp"),
        protocol: Protocol::Hl7,
        body: body.clone(),
        received_at: Timestamp::now(),
        peer: None,
        file: None,
    };
    let mut message = Message::received(&arrival);
    message.control_id = Some(ControlId(key.to_owned()));
    message.acknowledgement = Acknowledgement::Owed;
    NewMessage {
        message,
        body: body.into(),
        repeat_key: Some(format!("repeat {key}")),
        control_key: Some(format!("control {key}")),
    }
}

pub(super) fn from_file(new: NewMessage, identity: &str) -> NewMessage {
    let file = Some(SourceFile { name: "scan.pdf".to_owned(), identity: identity.to_owned() });
    NewMessage { message: Message { file, ..new.message }, ..new }
}

pub(super) fn referral() -> Referral {
    Referral {
        id: ReferralId::generate(),
        reference: Reference::generate(),
        status: Status::New,
        version: 0,
        record: Box::default(),
        pending_replies: Vec::new(),
        sources: Vec::new(),
        history: Vec::new(),
    }
}

pub(super) fn first(referral: &Referral, keys: &[&str]) -> ReferralWrite {
    ReferralWrite { referral: referral.clone(), read_version: None, keys: keys.iter().map(|key| (*key).to_owned()).collect() }
}

pub(super) fn delivery(document: &[u8]) -> Delivery {
    let id = DeliveryId::generate();
    let content = Content::Fax(FaxContent {
        number: "+14155550100".to_owned(),
        document: BodyId::of(document),
        pages: 1,
        file_stem: id.to_string(),
    });
    Delivery {
        id,
        purpose: Purpose::ConfirmationRequest,
        through: ChannelName::new("fax-out"),
        to: "cardiology-desk".to_owned(),
        referral: None,
        message: None,
        content: Some(content),
        state: DeliveryState::Queued,
        attempts: 0,
        excused: 0,
        queued_at: Timestamp::now(),
        due_at: Timestamp::now(),
        ambiguous: false,
        taken_back: false,
        sent_at: None,
        reason: None,
    }
}

pub(super) fn receipt(insertion: &Insertion) -> MessageId {
    match insertion {
        Insertion::New(receipt) | Insertion::Repeat { receipt, .. } => receipt.message(),
    }
}

pub(super) fn is_new(insertion: &Insertion) -> bool {
    matches!(insertion, Insertion::New(_))
}
