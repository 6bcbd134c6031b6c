//! What a mail carries, each part by its own normalizer.
//!
//! # Design notes
//! A mail can be written by anybody, and its From can be forged. So HL7 that comes by mail may bring a new referral; whatever else it
//! asks for (a change, a cancel, an answer) goes to a person. A part that cannot be read becomes an outcome of its own that a person
//! sees, so that it never takes the other parts with it.

use std::{cmp::Reverse, collections::BTreeSet, sync::Arc};

use jiff::{Timestamp, tz::TimeZone};

use super::{super::decide::Found, Unread, guarded, parted, read_fax};
use crate::{
    config::Settings,
    normalize::{
        Event, Kind, Outcome,
        email::{self, Doubt, MailLimits, MailOutcome, MailRules, Part},
        fax::FaxRules,
        hl7::{self, Hl7Message, Hl7Rules, ReferralKey},
    },
    protocols::hl7::split_messages,
    reader::{ReadError, ReaderPool},
    referral::{Problem, ReplyOutcome, TokenKey},
};

/// Messages read of one attached batch.
const HL7_MESSAGES_MAX: usize = 500;

/// What a mail is read with.
pub(crate) struct MailReading<'a> {
    /// Reads what is attached.
    pub(crate) reader: &'a ReaderPool,
    /// Verifies tokens; none: no reply is matched by one.
    pub(crate) key: Option<&'a TokenKey>,
    /// The site's region and time zone.
    pub(crate) settings: &'a Settings,
    /// How attached documents are read.
    pub(crate) documents: FaxRules,
    /// How attached HL7 messages are read.
    pub(crate) hl7: Hl7Rules,
    /// When the mail came.
    pub(crate) now: Timestamp,
    /// Whether the mail comes from an address that the site has configured: only then is attached HL7 known by its numbers.
    pub(crate) trusted_sender: bool,
    /// How a person took the one attached document apart.
    pub(crate) split: Option<Vec<Vec<u32>>>,
    /// Whether a part at which the reading breaks off is given up, so that the others are taken.
    pub(crate) last_attempt: bool,
}

impl MailReading<'_> {
    /// Reads a mail: the new referrals first, then what else it brings and says. Never empty.
    pub(crate) async fn read(&self, body: &[u8]) -> Result<Vec<Found>, Unread> {
        let time_zone = TimeZone::get(&self.settings.time_zone).unwrap_or(TimeZone::UTC);
        let (mail, begins) = guarded(|| {
            let mail = email::read(body, MailLimits::default());
            let rules = MailRules {
                key: self.key,
                now: self.now,
                time_zone: &time_zone,
                region: &self.settings.region,
                site_name: &self.settings.site_name,
            };
            (email::normalize(&mail, &rules), mail.automatic.is_none() && mail.answers.is_empty())
        })?;
        let mut found = Vec::new();
        for part in &mail.hl7 {
            found.extend(self.hl7(part)?);
        }
        match mail.documents.as_slice() {
            [part] => found.extend(self.document(part, self.split.clone()).await?),
            parts => {
                for part in parts {
                    found.extend(self.document(part, None).await?);
                }
                // Those of several documents would be counted from one several times.
                found.iter_mut().for_each(|one| one.outcome.pages.clear());
            }
        }
        let mut found = arranged(with_own_words(found, mail));
        found.iter_mut().for_each(|one| one.is_answered = begins);
        Ok(found)
    }

    fn hl7(&self, part: &Part) -> Result<Vec<Found>, Unread> {
        let (messages, _) = split_messages(&part.content);
        let mut found = Vec::new();
        for message in messages.iter().take(HL7_MESSAGES_MAX) {
            found.push(match guarded(|| hl7::normalize(message, &self.hl7)) {
                Ok(Ok(read)) => self.weighed(part, read),
                Ok(Err(not_hl7)) => unknown(part, "not-hl7", &not_hl7.to_string()),
                Err(unread) => self.given_up(part, unread)?,
            });
        }
        if messages.len() > HL7_MESSAGES_MAX {
            found.push(unknown(
                part,
                "hl7-messages-max",
                "it holds more messages than are read of one attachment: send it in parts",
            ));
        }
        Ok(found)
    }

    fn weighed(&self, part: &Part, read: Hl7Message) -> Found {
        let Hl7Message { outcome, referral_keys, .. } = read;
        let doubt = match (outcome.kind, outcome.event) {
            (Kind::Referral, Some(Event::New) | None) => None,
            (Kind::Referral, Some(Event::Change | Event::Cancel | Event::StatusRequest)) => {
                Some("a change, cancel or status request that came by mail: anybody could have sent it")
            }
            (Kind::Reply | Kind::Report, _) => Some("an HL7 answer that came by mail: anybody could have sent it"),
            (
                Kind::AutoReply
                | Kind::Bounce
                | Kind::Document
                | Kind::Unknown
                | Kind::Refused
                | Kind::Acknowledgement
                | Kind::Batch,
                _,
            ) => None,
        };
        // Without its keys it can only be a referral of its own, never another one's next version.
        let keys = if self.trusted_sender { referral_keys } else { Vec::new() };
        Found { keys, doubt, ..Found::of(placed(outcome, part)) }
    }

    async fn document(&self, part: &Part, split: Option<Vec<Vec<u32>>>) -> Result<Vec<Found>, Unread> {
        let reading = match self.reader.read(part.content.clone()).await {
            Ok(reading) => reading,
            Err(ReadError::Refused { code, message }) => return Ok(vec![unknown(part, &code, &message)]),
            Err(error) => return self.given_up(part, error.into()).map(|found| vec![found]),
        };
        let outcome = match read_fax(&Arc::new(reading), FaxRules { documents: split, ..self.documents.clone() }).await {
            Ok(outcome) => outcome,
            Err(unread) => return self.given_up(part, unread).map(|found| vec![found]),
        };
        let placed = |found: Found| Found { outcome: placed(found.outcome, part), ..found };
        Ok(parted(outcome).into_iter().map(placed).collect())
    }

    /// A part at which the reading broke off. Another attempt may help; after the last, the other parts are taken without it.
    fn given_up(&self, part: &Part, unread: Unread) -> Result<Found, Unread> {
        match unread {
            Unread::AtFault(why) => Ok(unknown(part, "unreadable", &why)),
            Unread::Broke(why) if self.last_attempt => Ok(unknown(part, "reading-broke-off", &why)),
            Unread::Broke(_) | Unread::NoMeans(_) => Err(unread),
        }
    }
}

/// A part that a person must look at.
fn unknown(part: &Part, code: &str, why: &str) -> Found {
    let mut outcome = Outcome::of(Kind::Unknown);
    outcome.problems.push(Problem::new(code, why));
    Found::of(placed(outcome, part))
}

/// Says which attachment a problem is about: by its position, since its name can be patient data.
fn placed(mut outcome: Outcome, part: &Part) -> Outcome {
    for problem in &mut outcome.problems {
        problem.message = format!("attachment {}: {}", part.position, problem.message);
    }
    outcome
}

/// Adds what the mail says itself, where that counts beside what is attached.
fn with_own_words(mut found: Vec<Found>, mut mail: MailOutcome) -> Vec<Found> {
    let kinds: Vec<Kind> = found.iter().map(|one| one.outcome.kind).collect();
    let brings = |wanted: &[Kind]| kinds.iter().any(|kind| wanted.contains(kind));
    let counts = match mail.outcome.kind {
        Kind::Bounce => true,
        // A reference alone can be an old one that a new referral mentions.
        Kind::Reply => mail.token.is_some() || !brings(&[Kind::Referral, Kind::Reply, Kind::Report]),
        // What is attached may be of somebody else, or belong to what is written.
        Kind::Referral => !brings(&[Kind::Referral]) || own_words::stand_for_themselves(&mut found, &mut mail.outcome),
        Kind::AutoReply | Kind::Unknown | Kind::Report | Kind::Document | Kind::Refused | Kind::Acknowledgement | Kind::Batch => {
            found.is_empty()
        }
    };
    // Beside an answer, a new referral is about something else, or the answer is about it.
    let strict = mail.outcome.kind == Kind::Reply;
    if strict {
        own_words::keep(&mut found, &mail, true);
    }
    if counts {
        found.push(Found { doubt: mail.doubt.map(Doubt::as_str), ..Found::of(mail.outcome) });
        return found;
    }
    if !strict {
        own_words::keep(&mut found, &mail, false);
    }
    let mut problems = mail.outcome.problems;
    if mail.outcome.kind == Kind::Reply {
        let text = "the mail names a reference without a token of ours: only what is attached was taken";
        problems.push(Problem::new("reference-not-taken", text));
    }
    if let Some(first) = found.first_mut() {
        first.outcome.problems.extend(problems);
    }
    found
}

/// Brings the outcomes of one mail into an order and a shape in which they can all be decided at once.
fn arranged(mut found: Vec<Found>) -> Vec<Found> {
    if found.len() > 1 {
        for one in &mut found {
            // A refused part does not make the mail one.
            if one.outcome.kind == Kind::Refused {
                one.outcome.kind = Kind::Unknown;
            }
        }
    }
    // A number names one referral: of two messages with the same, the second stands for itself and a person sees the likeness.
    let mut taken: BTreeSet<ReferralKey> = BTreeSet::new();
    for one in &mut found {
        if one.keys.iter().any(|key| taken.contains(key)) {
            one.keys.clear();
        }
        // A number alone, two may have.
        let by_itself = |key: &&ReferralKey| !matches!(key, ReferralKey::Bare(_) | ReferralKey::Number { is_certain: false, .. });
        taken.extend(one.keys.iter().filter(by_itself).cloned());
    }
    answered_once(&mut found);
    found.sort_by_key(|one| one.outcome.kind != Kind::Referral);
    found
}

/// Keeps one answer to each referral: what is plain before what is not, the mail's own words before what is attached.
fn answered_once(found: &mut [Found]) {
    let answer = |(at, one): (usize, &Found)| {
        let reply = one.outcome.reply.as_ref();
        let reference = reply.map(|reply| &reply.reference).or(one.outcome.bounce.as_ref().map(|bounce| &bounce.reference))?;
        Some((reply.is_some_and(|reply| reply.outcome == ReplyOutcome::Unclear), Reverse(at), reference.clone()?))
    };
    let mut order: Vec<(bool, Reverse<usize>, String)> = found.iter().enumerate().filter_map(answer).collect();
    order.sort();
    let mut answered = BTreeSet::new();
    for (_, Reverse(at), reference) in order {
        if answered.insert(reference) {
            continue;
        }
        if let Some(one) = found.get_mut(at) {
            one.outcome.kind = Kind::Document;
            one.outcome.reply = None;
            one.doubt = None;
            one.outcome
                .problems
                .push(Problem::new("answered-twice", "the mail answers the same referral more than once: one answer was taken"));
        }
    }
}

mod own_words;

#[cfg(test)]
mod tests;
