//! What a delivery sends: composed from the referral as it stands, the directory, and the outbound channel's own face.

use bytes::Bytes;
use jiff::{Zoned, tz::TimeZone};

use super::{Context, decide::SENDER, hl7_letters};
use crate::{
    compose::{
        Document, PageFace, PageImage, acknowledgement,
        confirmation::{self, Answered, ComposeError as MailError, ComposedMail, Envelope, MailFace},
        cover_page::{self, About, Behind, Enclosures, PAGE_IMAGES_MAX, Withdrawn},
    },
    config::{Config, DirectoryEntry, Settings},
    delivery::{Content, Delivery, DeliveryState, EmailContent, FaxContent, Purpose},
    ids::BodyId,
    message::{Message, Protocol, State},
    outbound::{OutboundConfig, email::EmailConfig},
    reader::ReadError,
    referral::{Answerer, Problem, Referral, Status, Token},
    store::{DeliveryFilter, StoreError},
};

/// The media types of documents that the reader process makes page images of.
const RENDERED: [&str; 3] = ["application/pdf", "image/tiff", "image/jpeg"];
/// Problems of a document all of whose pages are shown, as well as they can be.
const HARMLESS: [&str; 2] = ["blank-page", "page-not-recognized"];
/// Once so many bytes of page images are enclosed, no further document is opened: a fax of that size takes hours.
const ENCLOSED_BYTES_MAX: usize = 134_217_728;

/// A composed letter with the content to be stored for it, or why there is none, in plain words.
type Letter = Result<(Content, Vec<Bytes>), String>;

/// Whether a delivery has its letter, and the directory still gives the address that the letter was composed for.
pub(super) fn is_current(config: &Config, delivery: &Delivery) -> bool {
    let entry = config.directory.entries.get(&delivery.to);
    match (&delivery.content, entry) {
        (None, _) => false,
        (Some(Content::Email(mail)), Some(entry)) => entry.email.as_deref() == Some(mail.to.as_str()),
        (Some(Content::Fax(fax)), Some(entry)) => entry.fax.as_deref() == Some(fax.number.as_str()),
        (Some(Content::Hl7(hl7)), Some(entry)) => hl7.edited || hl7.receiver == entry.hl7,
        (Some(Content::Hl7(_)), None) => true,
        (Some(Content::Email(_) | Content::Fax(_)), None) => delivery.to == SENDER,
    }
}

/// Composes the letter of a delivery.
///
/// # Errors
/// The store cannot be read. The inner error is final: the directory or the channel does not give what is needed, or a page is gone.
pub(super) async fn compose(context: &Context, config: &Config, delivery: &Delivery) -> Result<Letter, StoreError> {
    let referral = match delivery.referral {
        Some(id) => context.store.referral(id)?,
        None => None,
    };
    let message = match delivery.message {
        Some(id) => context.store.message(id)?,
        None => None,
    };
    let Some(outbound) = config.outbound.get(&delivery.through) else {
        return Ok(Err(format!("there is no outbound channel {} any more", delivery.through)));
    };
    let entry = config.directory.entries.get(&delivery.to);
    if let OutboundConfig::Mllp(channel) = outbound
        && (entry.is_some() || delivery.to == delivery.through.as_str())
    {
        let (referral, message) = (referral.as_ref(), message.as_ref());
        return hl7_letters::Letter { context, config, channel, delivery, entry, referral, message }.compose().await;
    }
    if entry.is_none() && delivery.to != SENDER {
        return Ok(Err(format!("the directory has no entry {} any more", delivery.to)));
    }
    let about = referral.as_ref().and_then(|referral| about(delivery.purpose, referral));
    // Clinical pages go by fax to a number a person configured, or to a mail address whose whole way a person called safe.
    let may_carry_pages = matches!(outbound, OutboundConfig::Fax(_)) || entry.is_some_and(|entry| entry.trusted_tls);
    let enclosures = match (&referral, about) {
        (Some(referral), Some(About::Request | About::Pages | About::Update)) if may_carry_pages => {
            match enclosures(context, referral).await? {
                Ok(enclosures) => Some(enclosures),
                Err(why) => return Ok(Err(why)),
            }
        }
        _ => None,
    };
    let pages_by_fax = enclosures.is_none() && pages_come_by_fax(context, config, delivery)?;
    let desk = Desk {
        context,
        config,
        delivery,
        entry,
        about,
        referral: referral.as_ref(),
        message: message.as_ref(),
        enclosures,
        pages_by_fax,
    };
    Ok(match outbound {
        OutboundConfig::Email(email) => desk.mail(email),
        OutboundConfig::Fax(fax) => desk.fax(&fax.return_number),
        // Only for the address a mail came from, which is none of an HL7 system.
        OutboundConfig::Mllp(_) => {
            Err(format!("the channel {} sends HL7 messages, and cannot write to a mail's sender", delivery.through))
        }
    })
}

/// What a delivery to a specialist is about; none: it goes to the sender. Whatever is still to be said of a referral that is to be
/// cancelled, it is that: nobody shall book it.
fn about(purpose: Purpose, referral: &Referral) -> Option<About> {
    let withdrawal = About::Withdrawal(Withdrawn::of(referral));
    let cancelled = matches!(referral.status, Status::CancelRequested | Status::Cancelled);
    match purpose {
        Purpose::Acknowledgement | Purpose::Status | Purpose::Forward => None,
        Purpose::ConfirmationRequest | Purpose::Pages | Purpose::Update if cancelled => Some(withdrawal),
        Purpose::ConfirmationRequest => Some(About::Request),
        Purpose::Pages => Some(About::Pages),
        Purpose::Update => Some(About::Update),
        Purpose::Withdrawal => Some(withdrawal),
    }
}

/// Whether the pages that this delivery does not carry are under way by fax: asked of the store, so that what is written is true.
fn pages_come_by_fax(context: &Context, config: &Config, delivery: &Delivery) -> Result<bool, StoreError> {
    let wanted = match delivery.purpose {
        Purpose::ConfirmationRequest => Purpose::Pages,
        Purpose::Update => Purpose::Update,
        Purpose::Acknowledgement | Purpose::Pages | Purpose::Withdrawal | Purpose::Forward | Purpose::Status => return Ok(false),
    };
    let filter = DeliveryFilter { referral: delivery.referral, ..DeliveryFilter::default() };
    Ok(delivery.referral.is_some()
        && context.store.deliveries(&filter)?.iter().any(|other| {
            other.purpose == wanted
                && other.to == delivery.to
                && other.queued_at >= delivery.queued_at
                && matches!(other.state, DeliveryState::Queued | DeliveryState::InFlight | DeliveryState::Sent)
                && matches!(config.outbound.get(&other.through), Some(OutboundConfig::Fax(_)))
        }))
}

/// The pages of a referral, in order: images as they are, documents as the reader process shows them. The inner error is final: what is
/// missing is never left out in silence.
async fn enclosures(context: &Context, referral: &Referral) -> Result<Result<Enclosures, String>, StoreError> {
    let lost_at_the_door = |problem: &&Problem| matches!(problem.code.as_str(), "attachment-unusable" | "attachments-too-many");
    let mut enclosures = Enclosures {
        documents_left_out: referral.record.problems.iter().filter(lost_at_the_door).count(),
        ..Enclosures::default()
    };
    let mut bytes: usize = 0;
    for (attachment, number) in referral.record.attachments.iter().zip(1..) {
        let pages_are_enough = enclosures.pages.len() >= PAGE_IMAGES_MAX || bytes >= ENCLOSED_BYTES_MAX;
        let is_image = attachment.media_type == "image/png";
        let is_document = RENDERED.contains(&attachment.media_type.as_str());
        if !is_image && (!is_document || pages_are_enough) {
            enclosures.documents_left_out += 1;
            continue;
        }
        let content = match context.store.body(&attachment.id).await {
            Ok(Some(content)) => content,
            Ok(None) | Err(StoreError::Unreadable(_)) => {
                return Ok(Err(format!(
                    "attachment {number} of the referral cannot be read from the store: restore the data folder from a backup, or ask \
                     the sender for the document"
                )));
            }
            Err(error) => return Err(error),
        };
        if is_image {
            bytes += content.len();
            enclosures.pages.push(PageImage { png: content });
            continue;
        }
        match context.reader.read(content).await {
            Ok(reading) if reading.pages.is_empty() => enclosures.documents_left_out += 1,
            Ok(reading) => {
                let lacks_pages = |problem: &Problem| !HARMLESS.contains(&problem.code.as_str());
                enclosures.documents_incomplete += usize::from(reading.problems.iter().any(lacks_pages));
                bytes += reading.pages.iter().map(|page| page.image.len()).sum::<usize>();
                enclosures.pages.extend(reading.pages.into_iter().map(|page| PageImage { png: page.image }));
            }
            Err(error @ ReadError::Unavailable(_)) => {
                return Ok(Err(format!("attachment {number} of the referral cannot be opened: {error}; mend it, then retry")));
            }
            Err(ReadError::Refused { .. } | ReadError::Crashed(_) | ReadError::Timeout) => enclosures.documents_left_out += 1,
        }
    }
    Ok(Ok(enclosures))
}

/// What a letter is composed from.
struct Desk<'a> {
    context: &'a Context,
    config: &'a Config,
    delivery: &'a Delivery,
    entry: Option<&'a DirectoryEntry>,
    /// What is said to the specialist; none: it goes to the sender.
    about: Option<About>,
    referral: Option<&'a Referral>,
    message: Option<&'a Message>,
    /// The pages, where they may go along.
    enclosures: Option<Enclosures>,
    /// Where they may not: whether they come by fax.
    pages_by_fax: bool,
}

impl Desk<'_> {
    fn settings(&self) -> &Settings {
        &self.config.settings
    }

    fn behind(&self) -> Behind<'_> {
        match &self.enclosures {
            Some(enclosures) => Behind::Enclosed(enclosures),
            None if self.pages_by_fax => Behind::ByFax,
            None => Behind::Nothing,
        }
    }

    fn fax(&self, return_number: &str) -> Letter {
        let number = self.entry.and_then(|entry| entry.fax.clone()).ok_or_else(|| self.lacks("fax number"))?;
        let document = self.document(Some(return_number), self.return_email())?;
        let content = Content::Fax(FaxContent {
            number,
            document: BodyId::of(&document.bytes),
            pages: document.pages,
            file_stem: self.file_stem(),
        });
        Ok((content, vec![document.bytes]))
    }

    /// The delivery's id; written anew at a later attempt, with the attempt's number, as the old pair may have been picked up already.
    fn file_stem(&self) -> String {
        match self.delivery.attempts {
            0 | 1 => self.delivery.id.to_string(),
            attempts => format!("{}-{attempts}", self.delivery.id),
        }
    }

    fn mail(&self, email: &EmailConfig) -> Letter {
        let to = match self.entry {
            Some(entry) => entry.email.clone().ok_or_else(|| self.lacks("mail address"))?,
            None => self.message.and_then(|message| message.sender.clone()).ok_or("the message has no sender to answer")?,
        };
        let face = MailFace {
            from: &email.from,
            from_name: email.from_name.as_deref(),
            plus_address: email.plus_address,
            site_name: &self.settings().site_name,
        };
        let envelope = Envelope { face: &face, to: &to, delivery: self.delivery.id, now: jiff::Timestamp::now() };
        let composed = match self.referral {
            Some(referral) => {
                let document = self.document(self.return_fax().as_deref(), Some(&email.from))?;
                self.about_referral(referral, &envelope, &document.bytes)
            }
            None => self.about_nothing(&envelope),
        };
        let composed = composed.map_err(|error| error.to_string())?;
        let content = Content::Email(EmailContent {
            to: composed.to,
            mail: BodyId::of(&composed.bytes),
            envelope_from: composed.envelope_from,
        });
        Ok((content, vec![composed.bytes.into()]))
    }

    fn token(&self, referral: &Referral) -> Token {
        let answerer = if self.about.is_some() { Answerer::Specialist } else { Answerer::Sender };
        self.context.key.token_for(&referral.reference, answerer)
    }

    fn about_referral(&self, referral: &Referral, envelope: &Envelope<'_>, pdf: &[u8]) -> Result<ComposedMail, MailError> {
        let token = self.token(referral);
        match self.about {
            Some(about) => confirmation::to_specialist(about, referral, &token, envelope, pdf, self.behind()),
            None => confirmation::acknowledgement(referral, &token, envelope, Some(pdf), self.answered()),
        }
    }

    /// To the sender of what could not be read or understood, so that no referral came of it.
    fn about_nothing(&self, envelope: &Envelope<'_>) -> Result<ComposedMail, MailError> {
        let what = match self.message.map(|message| message.protocol) {
            Some(Protocol::Document) => "fax",
            Some(Protocol::Hl7 | Protocol::Mail) | None => "message",
        };
        confirmation::about_nothing(envelope, what, &self.received_at(), self.why_unreadable(), self.answered())
    }

    fn answered(&self) -> Option<Answered<'_>> {
        let message_id = self.message.and_then(|message| message.control_id.as_ref())?;
        Some(Answered { message_id: Some(&message_id.0) })
    }

    /// The PDF: what is faxed, or attached to a mail.
    fn document(&self, return_fax: Option<&str>, return_email: Option<&str>) -> Result<Document, String> {
        let code = self.referral.map(|referral| {
            let token = self.token(referral).as_str().to_uppercase();
            // To the sender goes a page with other boxes, and its code says so.
            if self.about.is_some() { token } else { acknowledgement::code(&token, &referral.record) }
        });
        let face = PageFace {
            site_name: &self.settings().site_name,
            recipient: self.entry.map(|entry| entry.name.as_str()),
            return_fax,
            return_email,
            code: code.as_deref(),
        };
        let document = match (self.referral, self.about) {
            (None, _) => acknowledgement::about_nothing(&face, &self.received_at(), self.why_unreadable()),
            (Some(referral), None) => acknowledgement::page(referral, &face, &self.received_at()),
            (Some(referral), Some(about)) => cover_page::document(about, referral, &face, self.behind()),
        };
        document.map_err(|error| error.to_string())
    }

    /// Why it cannot be read; none: a person reads it.
    fn why_unreadable(&self) -> Option<&str> {
        let failed = self.message.filter(|message| message.state == State::Failed)?;
        let reason = failed.reason.as_deref().unwrap_or("it could not be opened");
        Some(reason.strip_prefix("refused: ").unwrap_or(reason))
    }

    fn received_at(&self) -> Zoned {
        self.zoned(self.message.map_or(self.delivery.queued_at, |message| message.received_at))
    }

    /// The number that a page attached to a mail can be faxed back to.
    fn return_fax(&self) -> Option<String> {
        self.config.outbound.values().find_map(|outbound| match outbound {
            OutboundConfig::Fax(fax) => Some(fax.return_number.clone()),
            OutboundConfig::Email(_) | OutboundConfig::Mllp(_) => None,
        })
    }

    /// The address that a faxed page can be answered to as well.
    fn return_email(&self) -> Option<&str> {
        self.config.outbound.values().find_map(|outbound| match outbound {
            OutboundConfig::Email(email) => Some(email.from.as_str()),
            OutboundConfig::Fax(_) | OutboundConfig::Mllp(_) => None,
        })
    }

    fn zoned(&self, at: jiff::Timestamp) -> Zoned {
        at.to_zoned(TimeZone::get(&self.settings().time_zone).unwrap_or(TimeZone::UTC))
    }

    fn lacks(&self, what: &str) -> String {
        format!("the directory entry {} has no {what}, which channel {} needs", self.delivery.to, self.delivery.through)
    }
}
