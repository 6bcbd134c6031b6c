//! What goes out as an HL7 message: the referral as it stands, or how it stands, in the outbound channel's version.

use bytes::Bytes;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::{Context, referring::is_over};
use crate::{
    compose::{
        PageImage,
        hl7_referral::{self, Enclosure, Enclosures, Event, Face},
    },
    config::{Config, DirectoryEntry},
    delivery::{Content, Delivery, DeliveryState, Hl7Content, Purpose},
    ids::BodyId,
    message::Message,
    outbound::mllp::{MllpConfig, MllpMode},
    protocols::hl7::{RawHeader, Unwritable},
    referral::{Record, Referral, Status},
    store::{DeliveryFilter, Store, StoreError},
};

/// What a page image of a fax is called; the pages go out as one PDF.
const PAGES: &str = "Referral pages";

/// What an HL7 letter is composed from.
pub(super) struct Letter<'a> {
    pub(super) context: &'a Context,
    pub(super) config: &'a Config,
    pub(super) channel: &'a MllpConfig,
    pub(super) delivery: &'a Delivery,
    pub(super) entry: Option<&'a DirectoryEntry>,
    pub(super) referral: Option<&'a Referral>,
    pub(super) message: Option<&'a Message>,
}

impl Letter<'_> {
    /// Composes it under a new control id.
    ///
    /// # Errors
    /// The store cannot be read. The inner error is final, in plain words.
    pub(super) async fn compose(&self) -> Result<Result<(Content, Vec<Bytes>), String>, StoreError> {
        let Some(referral) = self.referral else {
            return Ok(Err(
                "an application acknowledgement is written when its message comes, and cannot be written anew".to_owned()
            ));
        };
        let receiver = match self.receiver() {
            Ok(receiver) => receiver,
            Err(why) => return Ok(Err(why)),
        };
        let control_id = self.delivery.control_id(false);
        let face = Face {
            version: self.channel.version,
            character_set: &self.channel.character_set,
            sending: [&self.channel.sending_application, self.channel.sending_facility.as_deref().unwrap_or_default()],
            receiving: [&receiver[0], &receiver[1]],
            processing_id: &self.channel.processing_id,
            enhanced: self.channel.mode == MllpMode::Enhanced,
            control_id: &control_id,
            now: Timestamp::now(),
        };
        let event = match self.delivery.purpose {
            Purpose::Status => None,
            Purpose::Acknowledgement => {
                return Ok(Err("a referral that came by HL7 is acknowledged by the answer to its message".to_owned()));
            }
            Purpose::Update => Some(Event::Change),
            Purpose::Withdrawal => Some(Event::Cancel),
            Purpose::ConfirmationRequest | Purpose::Pages => Some(Event::Request),
            Purpose::Forward if is_cancelled(referral.status) => Some(Event::Cancel),
            Purpose::Forward => Some(self.handing_on(referral).await?),
        };
        let written = match event {
            None => hl7_referral::status(&face, referral),
            Some(event) => match self.enclosures(referral, event).await? {
                Ok(enclosures) => hl7_referral::referral(&face, event, referral, &enclosures),
                Err(why) => return Ok(Err(why)),
            },
        };
        let bytes: Bytes = match written {
            Ok(bytes) => bytes.into(),
            Err(places) => return Ok(Err(self.lacks_letters(&places))),
        };
        let content = Hl7Content {
            message: BodyId::of(&bytes),
            control_id: control_id.clone(),
            receiver: self.entry.and_then(|entry| entry.hl7.clone()),
            says: Some(if event.is_some() { says(referral) } else { says_of_status(referral) }),
            edited: false,
        };
        Ok(Ok((Content::Hl7(content), vec![bytes])))
    }

    /// New, where the other system has nothing of it, or was told last that it is cancelled, and it goes on all the same. What comes of a
    /// referral that is over, as its report does, opens it nowhere.
    async fn handing_on(&self, referral: &Referral) -> Result<Event, StoreError> {
        let Some(before) = handed_on(&self.context.store, self.delivery)? else { return Ok(Event::New) };
        let Some(Content::Hl7(content)) = &before.content else { return Ok(Event::Change) };
        let message = match self.context.store.body(&content.message).await {
            Ok(message) => message.unwrap_or_default(),
            Err(StoreError::Unreadable(_)) => Bytes::new(),
            Err(error) => return Err(error),
        };
        let kind = RawHeader::read(&message).map(|header| header.text(9)).unwrap_or_default();
        Ok(if kind.starts_with("REF^I14") && !is_over(referral.status) { Event::New } else { Event::Change })
    }

    /// Why nothing is sent of a message that the channel's character set cannot say whole. What the letters are is the patient's business.
    fn lacks_letters(&self, places: &Unwritable) -> String {
        format!(
            "not sent, since {} cannot write every letter of {places}: set character_set = \"UNICODE UTF-8\" in the file of channel {}, if the \
             other side can read it, or correct the letters of the referral; then `loopline deliveries retry {}`",
            self.channel.character_set, self.delivery.through, self.delivery.id
        )
    }

    /// MSH-5 and MSH-6: the sender of the message for what goes back to it, else the directory entry, else the channel's.
    fn receiver(&self) -> Result<[String; 2], String> {
        let pair = |text: &str| text.split_once('|').map(|(application, facility)| [application.to_owned(), facility.to_owned()]);
        if self.delivery.purpose == Purpose::Status {
            let sender = self.message.and_then(|message| message.sender.as_deref()).and_then(pair);
            return sender.ok_or_else(|| "the message that the referral came in is gone, so its sender is not known".to_owned());
        }
        match self.entry {
            Some(entry) => entry.hl7.as_deref().and_then(pair).ok_or_else(|| {
                format!("the directory entry {} has no hl7, which channel {} needs", self.delivery.to, self.delivery.through)
            }),
            None => Ok([&self.channel.receiving_application, &self.channel.receiving_facility]
                .map(|text| text.clone().unwrap_or_default())),
        }
    }

    /// The documents, the pages of a fax as one PDF. What the channel does not want, or is too much, is counted. The inner error is final.
    async fn enclosures(&self, referral: &Referral, event: Event) -> Result<Result<Enclosures, String>, StoreError> {
        let attachments = &referral.record.attachments;
        if event == Event::Cancel {
            return Ok(Ok(Enclosures::default()));
        }
        if !self.channel.attachments {
            return Ok(Ok(Enclosures { left_out: attachments.len(), ..Enclosures::default() }));
        }
        let mut enclosures = Enclosures::default();
        let mut pages = Vec::new();
        let mut bytes = 0_u64;
        for (attachment, number) in attachments.iter().zip(1..) {
            bytes = bytes.saturating_add(attachment.bytes);
            if bytes > self.channel.attachments_bytes_max as u64 {
                enclosures.left_out += 1;
                bytes -= attachment.bytes;
                continue;
            }
            let content = match self.context.store.body(&attachment.id).await {
                Ok(Some(content)) => content,
                Ok(None) | Err(StoreError::Unreadable(_)) => {
                    return Ok(Err(format!(
                        "attachment {number} of the referral cannot be read from the store: restore it from a backup"
                    )));
                }
                Err(error) => return Err(error),
            };
            if attachment.media_type == "image/png" {
                pages.push(PageImage { png: content });
                continue;
            }
            let name = attachment.name.as_deref().map(|name| name.rsplit_once('.').map_or(name, |(stem, _)| stem).to_owned());
            enclosures.documents.push(Enclosure { name, media_type: attachment.media_type.clone(), content });
        }
        if pages.is_empty() {
            return Ok(Ok(enclosures));
        }
        let site_name = self.config.settings.site_name.clone();
        let pdf = tokio::task::spawn_blocking(move || hl7_referral::pages_as_pdf(&pages, &site_name)).await;
        match pdf {
            Ok(Ok(content)) => {
                let pdf = Enclosure { name: Some(PAGES.to_owned()), media_type: "application/pdf".to_owned(), content };
                enclosures.documents.insert(0, pdf);
                Ok(Ok(enclosures))
            }
            Ok(Err(error)) => Ok(Err(format!("the referral's pages cannot be written as a PDF: {error}"))),
            Err(_) => Ok(Err("a defect of loopline: writing the referral's pages as a PDF broke off; report it".to_owned())),
        }
    }
}

pub(super) fn is_cancelled(status: Status) -> bool {
    matches!(status, Status::CancelRequested | Status::Cancelled)
}

/// What a referral says to another system, as a hash: how it was read, and why it is held, is nobody else's business.
pub(super) fn says(referral: &Referral) -> String {
    let record = &referral.record;
    let bare = Record {
        evidence: std::collections::BTreeMap::new(),
        review: Vec::new(),
        held: Vec::new(),
        problems: Vec::new(),
        appointment: None,
        further_appointments: Vec::new(),
        ..(**record).clone()
    };
    let mut hash = Sha256::new();
    hash.update(serde_json::to_vec(&bare).unwrap_or_default());
    hash.update([u8::from(is_cancelled(referral.status))]);
    data_encoding::HEXLOWER.encode(&hash.finalize())
}

/// What a status says to the sender, likewise. What became of it before counts: a referral that is declined a second time, by another desk,
/// is news.
pub(super) fn says_of_status(referral: &Referral) -> String {
    let (mut status, mut changes) = (Status::New, 0_u64);
    for entry in &referral.history {
        let next = status.after(&entry.event);
        changes += u64::from(next != status);
        status = next;
    }
    let mut hash = Sha256::new();
    hash.update(changes.to_le_bytes());
    for words in hl7_referral::standing(referral) {
        hash.update(words.as_bytes());
        hash.update([0]);
    }
    data_encoding::HEXLOWER.encode(&hash.finalize())
}

/// The last delivery before this one by which the same system got the same referral, or its status, or may have.
pub(super) fn handed_on(store: &Store, this: &Delivery) -> Result<Option<Delivery>, StoreError> {
    let filter = DeliveryFilter { referral: this.referral, ..DeliveryFilter::default() };
    let found = store.deliveries(&filter)?.into_iter().filter(|other| {
        other.id != this.id
            && other.purpose == this.purpose
            && other.through == this.through
            && other.to == this.to
            && matches!(other.state, DeliveryState::Sent | DeliveryState::InFlight)
    });
    Ok(found.max_by_key(|other| (other.queued_at, other.id)))
}
