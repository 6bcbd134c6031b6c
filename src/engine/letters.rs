//! What a delivery sends: composed from the referral as it stands, the directory, and the outbound channel's own face.

use bytes::Bytes;
use jiff::{Zoned, tz::TimeZone};

use super::{Context, decide::SENDER};
use crate::{
    compose::{
        ComposeError, Document, PageFace, PageImage, acknowledgement,
        confirmation::{self, Answered, ComposedMail, Envelope, MailFace},
        cover_page,
    },
    config::{Config, DirectoryEntry, Settings},
    delivery::{Content, Delivery, EmailContent, FaxContent, Purpose},
    ids::BodyId,
    message::Message,
    outbound::{OutboundConfig, email::EmailConfig},
    referral::{Referral, Token},
    store::StoreError,
};

/// A composed letter with the content to be stored for it, or why there is none, in plain words.
type Letter = Result<(Content, Vec<Bytes>), String>;

/// Whether a delivery has its letter, and the directory still gives the address that the letter was composed for.
pub(super) fn is_current(config: &Config, delivery: &Delivery) -> bool {
    let entry = config.directory.entries.get(&delivery.to);
    match (&delivery.content, entry) {
        (None, _) => false,
        (Some(Content::Email(mail)), Some(entry)) => entry.email.as_deref() == Some(mail.to.as_str()),
        (Some(Content::Fax(fax)), Some(entry)) => entry.fax.as_deref() == Some(fax.number.as_str()),
        (Some(_), None) => delivery.to == SENDER,
    }
}

/// Composes the letter of a delivery.
///
/// # Errors
/// The store cannot be read. The inner error is final: the directory or the channel does not give what is needed.
pub(super) async fn compose(context: &Context, config: &Config, delivery: &Delivery) -> Result<Letter, StoreError> {
    let referral = match delivery.referral {
        Some(id) => context.store.referral(id)?,
        None => None,
    };
    let message = match delivery.message {
        Some(id) => context.store.message(id)?,
        None => None,
    };
    let pages = match &referral {
        Some(referral) if matches!(delivery.purpose, Purpose::ConfirmationRequest | Purpose::Pages) => {
            page_images(context, referral).await?
        }
        _ => Vec::new(),
    };
    let Some(outbound) = config.outbound.get(&delivery.through) else {
        return Ok(Err(format!("there is no outbound channel {} any more", delivery.through)));
    };
    let entry = config.directory.entries.get(&delivery.to);
    if entry.is_none() && delivery.to != SENDER {
        return Ok(Err(format!("the directory has no entry {} any more", delivery.to)));
    }
    let desk = Desk { context, config, delivery, entry, referral: referral.as_ref(), message: message.as_ref(), pages };
    Ok(match outbound {
        OutboundConfig::Email(email) => desk.mail(email),
        OutboundConfig::Fax(fax) => desk.fax(&fax.return_number),
    })
}

async fn page_images(context: &Context, referral: &Referral) -> Result<Vec<PageImage>, StoreError> {
    let mut pages = Vec::new();
    for attachment in referral.record.attachments.iter().filter(|attachment| attachment.media_type == "image/png") {
        if let Some(png) = context.store.body(&attachment.id).await? {
            pages.push(PageImage { png });
        }
    }
    Ok(pages)
}

/// What a letter is composed from.
struct Desk<'a> {
    context: &'a Context,
    config: &'a Config,
    delivery: &'a Delivery,
    entry: Option<&'a DirectoryEntry>,
    referral: Option<&'a Referral>,
    message: Option<&'a Message>,
    pages: Vec<PageImage>,
}

impl Desk<'_> {
    fn settings(&self) -> &Settings {
        &self.config.settings
    }

    fn fax(&self, return_number: &str) -> Letter {
        let number = self.entry.and_then(|entry| entry.fax.clone()).ok_or_else(|| self.lacks("fax number"))?;
        let document = self.document(Some(return_number), None, true)?;
        let content = Content::Fax(FaxContent {
            number,
            document: BodyId::of(&document.bytes),
            pages: document.pages,
            file_stem: self.delivery.id.to_string(),
        });
        Ok((content, vec![document.bytes]))
    }

    fn mail(&self, email: &EmailConfig) -> Letter {
        let to = match self.entry {
            Some(entry) => entry.email.clone().ok_or_else(|| self.lacks("mail address"))?,
            None => self.message.and_then(|message| message.sender.clone()).ok_or("the message has no sender to answer")?,
        };
        // Clinical pages go only to a mail address whose whole way a person called safe.
        let trusted = self.entry.is_some_and(|entry| entry.trusted_tls);
        let document = self.document(self.return_fax().as_deref(), Some(&email.from), trusted)?;
        let referral = self.referral.ok_or("there is no referral to write about")?;
        let token = self.context.key.token(&referral.reference);
        let composed = self.letter(email, referral, &token, &to, &document.bytes)?;
        let content = Content::Email(EmailContent {
            to: composed.to,
            mail: BodyId::of(&composed.bytes),
            envelope_from: composed.envelope_from,
        });
        Ok((content, vec![composed.bytes.into()]))
    }

    fn letter(
        &self,
        email: &EmailConfig,
        referral: &Referral,
        token: &Token,
        to: &str,
        pdf: &[u8],
    ) -> Result<ComposedMail, String> {
        let face = MailFace {
            from: &email.from,
            from_name: email.from_name.as_deref(),
            plus_address: email.plus_address,
            site_name: &self.settings().site_name,
        };
        let envelope = Envelope { face: &face, to, delivery: self.delivery.id, now: jiff::Timestamp::now() };
        let composed = match self.delivery.purpose {
            Purpose::Acknowledgement => {
                let message_id = self.message.and_then(|message| message.control_id.as_ref()).map(|id| id.0.as_str());
                confirmation::acknowledgement(
                    referral,
                    token,
                    &envelope,
                    Some(pdf),
                    message_id.map(|id| Answered { message_id: Some(id) }),
                )
            }
            Purpose::ConfirmationRequest | Purpose::Pages => {
                let trusted = self.entry.is_some_and(|entry| entry.trusted_tls);
                confirmation::confirmation_request(referral, token, &envelope, pdf, trusted)
            }
            Purpose::Update => confirmation::update(referral, token, &envelope, pdf),
            Purpose::Withdrawal => confirmation::withdrawal(referral, token, &envelope, pdf),
        };
        composed.map_err(|error| error.to_string())
    }

    /// The PDF: what is faxed, or attached to a mail.
    fn document(&self, return_fax: Option<&str>, return_email: Option<&str>, trusted: bool) -> Result<Document, String> {
        let code = self.referral.map(|referral| self.context.key.token(&referral.reference).as_str().to_uppercase());
        let face = PageFace {
            site_name: &self.settings().site_name,
            recipient: self.entry.map(|entry| entry.name.as_str()),
            return_fax,
            return_email,
            code: code.as_deref(),
        };
        self.page(&face, trusted).map_err(|error| error.to_string())
    }

    fn page(&self, face: &PageFace<'_>, trusted: bool) -> Result<Document, ComposeError> {
        let received_at = self.message.map_or(self.delivery.queued_at, |message| message.received_at);
        let received_at = self.zoned(received_at);
        let Some(referral) = self.referral else {
            let why = self.message.and_then(|message| message.reason.as_deref()).unwrap_or("it could not be opened");
            return acknowledgement::unreadable(face, &received_at, None, why);
        };
        match self.delivery.purpose {
            Purpose::Acknowledgement => acknowledgement::page(referral, face, &received_at),
            Purpose::ConfirmationRequest | Purpose::Pages | Purpose::Update if trusted => {
                cover_page::confirmation_request(referral, face, &self.pages)
            }
            Purpose::ConfirmationRequest | Purpose::Pages | Purpose::Update | Purpose::Withdrawal => {
                cover_page::cover_only(referral, face)
            }
        }
    }

    /// The number that a page attached to a mail can be faxed back to.
    fn return_fax(&self) -> Option<String> {
        self.config.outbound.values().find_map(|outbound| match outbound {
            OutboundConfig::Fax(fax) => Some(fax.return_number.clone()),
            OutboundConfig::Email(_) => None,
        })
    }

    fn zoned(&self, at: jiff::Timestamp) -> Zoned {
        at.to_zoned(TimeZone::get(&self.settings().time_zone).unwrap_or(TimeZone::UTC))
    }

    fn lacks(&self, what: &str) -> String {
        format!("the directory entry {} has no {what}, which channel {} needs", self.delivery.to, self.delivery.through)
    }
}
