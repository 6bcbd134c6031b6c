//! From a message's bytes to its outcomes: each protocol's normalizer, and what a mail carries read by the others.
//!
//! `loopline try` reads by the same functions, with the documented defaults in place of a channel.

mod mail;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use bytes::Bytes;
use jiff::{Timestamp, civil::Date, tz::TimeZone};

pub(crate) use self::mail::MailReading;
use super::{Context, decide::Found};
use crate::{
    compose::hl7_answer::AnswerSettings,
    config::{Config, Documents, InboundChannel, Limits, Settings},
    message::{Message, Protocol},
    normalize::{
        DateOrder, Kind, Outcome,
        email::{self, Doubt, MailLimits},
        fax::{self, FaxRules},
        hl7::{self, Hl7Message, Hl7Rules},
    },
    protocols::hl7::ReadLimits,
    reader::{ReadError, ReaderOptions, Reading},
    referral::{Problem, Reference, Reply, TokenKey},
};

/// Why a message was not read.
pub(crate) enum Unread {
    /// It can never be read: encrypted, not a format we read, truncated beyond use.
    AtFault(String),
    /// The reading broke off; trying once more may help.
    Broke(String),
    /// The means are missing (no worker can be started); it is nobody's fault.
    NoMeans(String),
}

impl From<ReadError> for Unread {
    fn from(error: ReadError) -> Self {
        let why = error.to_string();
        match error {
            ReadError::Refused { .. } => Self::AtFault(why),
            ReadError::Crashed(_) | ReadError::Timeout => Self::Broke(why),
            ReadError::Unavailable(_) => Self::NoMeans(why),
        }
    }
}

/// How HL7 messages of a channel are read.
pub(crate) fn hl7_rules(config: &Config, channel: &InboundChannel, received_at: Timestamp) -> Hl7Rules {
    let acknowledge = &channel.acknowledge;
    let usual = &channel.profiles.usual;
    // Field by field: each message has its own, and what a default made would be thrown away.
    Hl7Rules {
        region: usual.region.as_ref().unwrap_or(&config.settings.region).clone(),
        time_zone: usual.time_zone.as_ref().unwrap_or(&config.settings.time_zone).clone(),
        accept_processing_ids: match &acknowledge.processing_ids[..] {
            [] => vec![Hl7Rules::PROCESSING_ID.to_owned()],
            ids => ids.to_vec(),
        },
        senders: acknowledge.senders.clone(),
        profiles: Arc::clone(&channel.profiles),
        received_at,
        limits: ReadLimits::default(),
        attachment_bytes_max: Hl7Rules::ATTACHMENT_BYTES_MAX,
        attachments_max: Hl7Rules::ATTACHMENTS_MAX,
    }
}

/// How HL7 messages of a channel are answered.
pub(crate) fn answer_settings(channel: &InboundChannel) -> AnswerSettings {
    let acknowledge = &channel.acknowledge;
    AnswerSettings {
        mode: acknowledge.mode,
        positive: acknowledge.positive,
        can_follow: acknowledge.through.is_some(),
        ..AnswerSettings::default()
    }
}

/// How documents are opened.
pub(crate) fn reader_options(limits: &Limits) -> ReaderOptions {
    ReaderOptions {
        workers: limits.reader_workers,
        memory_bytes_max: limits.reader_memory_bytes_max,
        cpu_seconds_max: limits.reader_cpu_seconds_max,
        wall_seconds_max: limits.reader_wall_seconds_max,
        pages_max: limits.reader_pages_max,
        ..ReaderOptions::default()
    }
}

/// Reads a stored message.
pub(super) async fn interpret(
    context: &Context,
    config: &Config,
    channel: &InboundChannel,
    message: &Message,
    body: &Bytes,
) -> Result<Vec<Found>, Unread> {
    match message.protocol {
        Protocol::Hl7 => {
            let rules = hl7_rules(config, channel, message.received_at);
            Ok(vec![read_hl7(body, &rules)?])
        }
        Protocol::Document => {
            let reading =
                context.reader.read_telling(body.clone(), &|progress| context.underway.tell(message.id, progress)).await;
            context.underway.end(message.id);
            let reading = reading?;
            let documents = message.split.as_ref().map(|split| split.documents.clone());
            let rules = FaxRules { documents, ..fax_rules(config, &channel.documents, message.received_at, Some(&context.key)) };
            let reading = Arc::new(reading);
            let mut outcome = read_fax(&reading, rules.clone()).await?;
            if answers_others(context, &outcome)? {
                outcome = read_fax(&reading, FaxRules { takes_replies: false, ..rules }).await?;
            }
            let mut found = parted(outcome);
            let is_answer = found.iter().any(|one| one.outcome.kind == Kind::Reply);
            found.iter_mut().for_each(|one| one.is_answered = !is_answer);
            Ok(found)
        }
        Protocol::Mail => {
            let reading = MailReading {
                reader: &context.reader,
                key: Some(&context.key),
                settings: &config.settings,
                documents: fax_rules(config, &channel.documents, message.received_at, Some(&context.key)),
                // `senders` of a mailbox are mail addresses; who sent the mail is known from the mail.
                hl7: Hl7Rules { senders: Vec::new(), ..hl7_rules(config, channel, message.received_at) },
                now: message.received_at,
                trusted_sender: is_trusted(config, channel, message.sender.as_deref()),
                split: message.split.as_ref().map(|split| split.documents.clone()),
                last_attempt: message.attempts >= config.settings.limits.document_attempts_max,
            };
            reading.read(body).await
        }
    }
}

/// Whether a mail's From is an address that this site wrote into its configuration.
fn is_trusted(config: &Config, channel: &InboundChannel, sender: Option<&str>) -> bool {
    let Some(sender) = sender else { return false };
    let listed = channel.acknowledge.senders.iter().any(|known| known.eq_ignore_ascii_case(sender));
    let mut entries = config.directory.entries.values();
    listed || entries.any(|entry| entry.email.as_ref().is_some_and(|email| email.eq_ignore_ascii_case(sender)))
}

fn read_hl7(body: &[u8], rules: &Hl7Rules) -> Result<Found, Unread> {
    let mut read = guarded(|| hl7::normalize(body, rules))?.map_err(|error| Unread::AtFault(error.to_string()))?;
    Ok(Found::of_hl7(&mut read))
}

/// Runs a normalizer; a panic in it is a defect of ours, and the message is kept and shown to a person.
fn guarded<T>(normalize: impl FnOnce() -> T) -> Result<T, Unread> {
    catch_unwind(AssertUnwindSafe(normalize)).map_err(|_| {
        Unread::Broke("a defect of loopline: reading it broke off; report it, mend it, replay the message".to_owned())
    })
}

/// Makes an outcome of what was read of a fax, beside the engine's own threads: a page of thousands of words takes seconds.
async fn read_fax(reading: &Arc<Reading>, rules: FaxRules) -> Result<Outcome, Unread> {
    let reading = Arc::clone(reading);
    let read = tokio::task::spawn_blocking(move || guarded(|| fax::normalize(&reading, &rules)));
    read.await.unwrap_or_else(|_| Err(Unread::Broke("reading it was broken off".to_owned())))
}

/// Whether what looks like pages of ours is about no referral of ours, and bears no token of ours: then it is another Loopline that refers
/// somebody, on pages that look like ours.
fn answers_others(context: &Context, outcome: &Outcome) -> Result<bool, Unread> {
    let replies: Vec<&Reply> = std::iter::once(outcome).chain(&outcome.items).filter_map(|one| one.reply.as_ref()).collect();
    for reply in &replies {
        let reference = reply.reference.as_deref().and_then(|text| text.parse::<Reference>().ok());
        let Some(reference) = reference.filter(|_| reply.matched_by.as_deref() != Some("token")) else { return Ok(false) };
        let known = context.store.referral_by_reference(&reference);
        if known.map_err(|error| Unread::NoMeans(error.to_string()))?.is_some() {
            return Ok(false);
        }
    }
    Ok(!replies.is_empty())
}

/// How a fax is read. `key`: of the tokens on pages of ours that come back.
pub(crate) fn fax_rules(config: &Config, documents: &Documents, received_at: Timestamp, key: Option<&TokenKey>) -> FaxRules {
    let settings = &config.settings;
    FaxRules {
        region: settings.region.clone(),
        date_order: documents.date_order.unwrap_or_else(|| DateOrder::of_region(&settings.region)),
        review_below: documents.review_below,
        own_names: documents.own_names.clone(),
        labels: Arc::clone(&config.labels),
        forms: Arc::clone(&config.forms),
        key: key.cloned(),
        ..FaxRules::on(today(settings, received_at))
    }
}

/// Why a fax waits for a person that may hold several documents.
const TAKE_APART: &str =
    "it may hold several documents: `loopline messages show` it, and take it apart by `loopline messages split`";

/// What a document holds, one by one: several referrals in one fax, or several pages of ours that came back, which are as many replies.
/// What only may be several documents is nothing yet but a proposal to a person.
fn parted(mut outcome: Outcome) -> Vec<Found> {
    if outcome.problems.iter().any(|problem| problem.code == fax::SPLIT_PROPOSED) {
        let (problems, pages) = (std::mem::take(&mut outcome.problems), std::mem::take(&mut outcome.pages));
        let proposal = Outcome { problems, pages, ..Outcome::of(Kind::Unknown) };
        return vec![Found { doubt: Some(TAKE_APART), ..Found::of(proposal) }];
    }
    if outcome.kind != Kind::Batch {
        return vec![Found::of(outcome)];
    }
    let with_others = |item: &Outcome| item.problems.iter().any(|problem| problem.code == fax::OTHER_PAGES);
    let look = "pages of ours came back, and with them others that nobody has read yet: look at those";
    let mut found: Vec<Found> =
        outcome.items.into_iter().map(|item| Found { doubt: with_others(&item).then_some(look), ..Found::of(item) }).collect();
    if let Some(first) = found.first_mut() {
        first.outcome.problems.extend(outcome.problems);
        first.outcome.pages = outcome.pages;
    }
    found
}

pub(super) fn today(settings: &Settings, at: Timestamp) -> Date {
    at.to_zoned(TimeZone::get(&settings.time_zone).unwrap_or(TimeZone::UTC)).date()
}

/// What a mail is known again by.
pub(super) struct MailIdentity {
    pub(super) sender: Option<String>,
    pub(super) message_id: Option<String>,
    pub(super) repeat_key: Option<String>,
}

/// Reads only who sent a mail and what it is known again by. Where even that fails, its bytes are its identity.
pub(super) fn mail_identity(body: &[u8]) -> MailIdentity {
    let read = catch_unwind(AssertUnwindSafe(|| {
        let mail = email::read(body, MailLimits::default());
        (mail.from.map(|from| from.to_ascii_lowercase()), mail.message_id, mail.repeat_key)
    }));
    match read {
        Ok((sender, message_id, repeat_key)) => MailIdentity { sender, message_id, repeat_key: Some(repeat_key) },
        Err(_) => MailIdentity { sender: None, message_id: None, repeat_key: None },
    }
}

impl Found {
    /// The outcome with the reason for which it would be held among its problems, for who only looks. That no token was verified goes
    /// without saying: who only looks has no key.
    pub(crate) fn into_shown(self) -> Outcome {
        let mut outcome = self.outcome;
        let doubt = self.doubt.filter(|doubt| *doubt != Doubt::ReferenceOnly.as_str());
        outcome.problems.extend(doubt.map(|doubt| Problem::new("held", doubt)));
        outcome
    }

    /// What asks for nothing but to be kept or looked at.
    pub(super) fn of(outcome: Outcome) -> Self {
        Self { outcome, keys: Vec::new(), written_at: None, doubt: None, wait_seconds: 0, is_answered: false }
    }

    /// What one HL7 message holds, taken out of it: its kind and its event stay there too.
    pub(super) fn of_hl7(read: &mut Hl7Message) -> Self {
        let stays = Outcome { event: read.outcome.event, ..Outcome::of(read.outcome.kind) };
        let (outcome, keys) = (std::mem::replace(&mut read.outcome, stays), std::mem::take(&mut read.referral_keys));
        let written_at = read.written_at;
        Self { keys, written_at, wait_seconds: read.waits_for_referral_seconds, ..Self::of(outcome) }
    }
}
