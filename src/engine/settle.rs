//! A person's act on a referral: confirm, correct, route, read a reply, merge, reject. It clears what held it, and what was waiting
//! for that goes on.

mod onward;

pub(super) use self::onward::go_on_released;

use std::collections::BTreeSet;

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use super::{
    Context,
    corrections::{corrected, has_path, no_field},
    forward,
    interpret::today,
    replies, resent, route,
    sameness::{hold_as_twin, likeness_key, same_patient, second_key, twin},
    told::{Letters, Updates},
};
use crate::{
    config::RouteTarget,
    ids::ReferralId,
    referral::{
        Appointment, HeldReason, HistoryEntry, HistoryEvent, IsoDate, PendingReply, Priority, Record, Reference, Referral, Reply,
        ReplyOutcome, Status,
    },
    store::{Decision, ReferralWrite, StoreError},
};

/// How often a settlement is computed again when somebody else wrote the referral meanwhile.
const TRIES_MAX: u32 = 8;

/// What tells a patient from others: nothing goes out without it.
const IDENTITY: [&str; 3] = ["patient.name.family", "patient.name.given", "patient.birth_date"];

/// What a person does.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "kebab-case")]
pub enum Act {
    /// These fields are right as they were read; none named: all, and it is no duplicate, and it may go on. Not while a reply waits.
    Confirm {
        /// Paths of the record.
        fields: Vec<String>,
    },
    /// These fields are to be so.
    Correct {
        /// Path and value.
        fields: Vec<(String, String)>,
    },
    /// It goes to this entry of the directory.
    Route {
        /// The entry.
        to: String,
    },
    /// The reply says this.
    Reply {
        /// What.
        outcome: ReplyOutcome,
        /// The appointment.
        at: Option<String>,
    },
    /// The reply that waits longest says nothing that moves the referral.
    SetAside,
    /// It is the same referral as another one.
    Merge {
        /// The reference of the one that stays.
        into: String,
        /// Whether it is merged although the two seem to be about different patients.
        #[serde(default)]
        patients_differ: bool,
    },
    /// It is none, or not ours.
    Reject {
        /// Why.
        reason: String,
    },
    /// It was over, and is open again.
    Reopen,
}

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum SettleError {
    /// The store could not.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The act does not fit; the text says what would.
    #[error("{0}")]
    Refused(String),
}

/// Does what a person decided and gives the referral as it stands then.
///
/// # Errors
/// [`SettleError`], in words for that person.
pub async fn settle(context: &Context, id: ReferralId, act: Act, by: &str) -> Result<Referral, SettleError> {
    for _ in 0..TRIES_MAX {
        let Some(referral) = context.store.referral(id)? else {
            return Err(SettleError::Refused(format!("there is no referral {id}")));
        };
        let was_wrong = referral.record.held.contains(&HeldReason::WrongRecipient);
        let decision = Settlement::new(context, referral, by).carry_out(&act)?;
        let changing = context.suspensions.changing(&decision, was_wrong);
        let settled = context.store.settle(decision).await;
        drop(changing);
        match settled {
            Ok(()) => {
                return context.store.referral(id)?.ok_or(SettleError::Store(StoreError::NotFound("referral")));
            }
            Err(StoreError::Stale) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(SettleError::Store(StoreError::Stale))
}

struct Settlement<'a> {
    context: &'a Context,
    referral: Referral,
    read_version: u64,
    decision: Decision,
    entry: HistoryEntry,
    target: Option<RouteTarget>,
    /// What the referral shall be found by from now on, too.
    keys: Vec<String>,
}

impl<'a> Settlement<'a> {
    fn new(context: &'a Context, referral: Referral, by: &str) -> Self {
        let entry = HistoryEntry {
            at: Timestamp::now(),
            event: HistoryEvent::Confirmed { fields: Vec::new() },
            by: format!("person {by}"),
            message: None,
            delivery: None,
        };
        Self {
            context,
            read_version: referral.version,
            referral,
            decision: Decision::default(),
            entry,
            target: None,
            keys: Vec::new(),
        }
    }

    fn happened(&mut self, event: HistoryEvent) {
        let entry = HistoryEntry { event, ..self.entry.clone() };
        self.referral.record_event(entry);
    }

    fn carry_out(mut self, act: &Act) -> Result<Decision, SettleError> {
        self.fits(act)?;
        match act {
            Act::Reopen => self.reopen()?,
            Act::Confirm { fields } => self.confirm(fields)?,
            Act::Correct { fields } => self.correct(fields)?,
            Act::Route { to } => self.route(to)?,
            Act::Reply { outcome, at } => self.reply(*outcome, at.as_deref())?,
            Act::SetAside => self.set_aside()?,
            Act::Merge { into, patients_differ } => self.merge(into, *patients_differ)?,
            Act::Reject { reason } if reason.trim().is_empty() => {
                return Err(SettleError::Refused("say why: --reason \"seen elsewhere\"".to_owned()));
            }
            Act::Reject { reason } => self.end(HistoryEvent::Rejected { reason: reason.clone() })?,
        }
        self.go_on()?;
        self.decision.referrals.push(ReferralWrite {
            referral: self.referral,
            read_version: Some(self.read_version),
            keys: self.keys,
        });
        forward::follow(&self.context.store, &self.context.config(), &mut self.decision, self.entry.at)?;
        Ok(self.decision)
    }

    /// What is over is opened first; what the sender asks to cancel is ended or opened, and goes to nobody else meanwhile.
    fn fits(&self, act: &Act) -> Result<(), SettleError> {
        let over = matches!(self.referral.status, Status::Cancelled | Status::Closed);
        let to_be_cancelled = self.referral.status == Status::CancelRequested;
        let ended = matches!(self.referral.status, Status::Completed | Status::Expired);
        let reply_waits = !self.referral.pending_replies.is_empty();
        let advice = match act {
            Act::Reopen if over || ended || to_be_cancelled => return Ok(()),
            Act::Reopen => "it is open already",
            Act::SetAside if reply_waits => return Ok(()),
            _ if over && reply_waits => "open it again first, by `reopen`, or put the reply that waits aside, by `set-aside`",
            _ if over => "open it again first, by `reopen`",
            Act::Route { .. } if self.referral.status == Status::Completed => {
                "the visit has taken place: if that is wrong, open it again first, by `reopen`"
            }
            Act::Route { .. } if to_be_cancelled => "cancel it, by `reject`, or keep it, by `reopen`",
            Act::Confirm { .. }
            | Act::Correct { .. }
            | Act::Route { .. }
            | Act::Reply { .. }
            | Act::SetAside
            | Act::Merge { .. }
            | Act::Reject { .. } => return Ok(()),
        };
        let (reference, status) = (&self.referral.reference, self.referral.status.as_str());
        Err(SettleError::Refused(format!("{reference} is {status}: {advice}")))
    }

    fn confirm(&mut self, fields: &[String]) -> Result<(), SettleError> {
        let record = &self.referral.record;
        let missing: Vec<String> = IDENTITY.into_iter().filter(|path| !has_path(record, path)).map(str::to_owned).collect();
        if let (Some(pending), true) = (self.referral.pending_replies.first(), fields.is_empty()) {
            return Err(SettleError::Refused(format!(
                "a reply waits ({}): say what it means, by `reply`, or put it aside, by `set-aside`",
                pending.why
            )));
        }
        if fields.is_empty() && self.referral.record.held.contains(&HeldReason::WrongRecipient) {
            // It is theirs after all, and they have put it aside: they are asked again.
            if let Some(asked) = Letters::of(&self.context.store, self.referral.id)?.asked() {
                let target = RouteTarget { through: asked.through.clone(), to: asked.to.clone() };
                // It said so of another one too: what waits for that is told on this one.
                self.target = if self.is_suspended(&target)? { None } else { Some(target) };
            }
        }
        if fields.is_empty() {
            let (config, store) = (self.context.config(), &self.context.store);
            self.decision.deliveries.extend(resent::owed_acknowledgement(&config, store, &self.referral, self.entry.at)?);
            resent::settled(&mut self.referral.record);
        }
        let record = &mut self.referral.record;
        let marked: BTreeSet<&str> = record.review.iter().map(String::as_str).collect();
        if let Some(other) = fields.iter().find(|field| !marked.contains(field.as_str())) {
            let known = record.review.join(", ");
            let known = if known.is_empty() { "nothing is".to_owned() } else { format!("marked are: {known}") };
            return Err(SettleError::Refused(format!("{other} is not marked for review; {known}")));
        }
        if fields.is_empty() {
            // Without these it goes nowhere, so they stay marked.
            record.review.retain(|path| missing.contains(path));
            for reason in HeldReason::ENDED_BY_CONFIRM {
                record.release(reason);
            }
        } else {
            record.review.retain(|path| !fields.contains(path));
        }
        release_settled(record);
        self.happened(HistoryEvent::Confirmed { fields: fields.to_vec() });
        Ok(())
    }

    fn correct(&mut self, fields: &[(String, String)]) -> Result<(), SettleError> {
        let mut value = serde_json::to_value(&self.referral.record).map_err(|error| SettleError::Refused(error.to_string()))?;
        let config = self.context.config();
        let (region, today) = (&config.settings.region, today(&config.settings, self.entry.at));
        for (path, text) in fields {
            value = corrected(&value, path, text, region, today).map_err(SettleError::Refused)?;
        }
        let paths: Vec<String> = fields.iter().map(|(path, _)| path.clone()).collect();
        let mut record: Box<Record> = serde_json::from_value(value).map_err(|error| SettleError::Refused(error.to_string()))?;
        if let Some(unknown) = paths.iter().find(|path| !has_path(&record, path)) {
            return Err(SettleError::Refused(no_field(unknown)));
        }
        record.review.retain(|path| !paths.contains(path));
        record.problems.retain(|problem| problem.field.as_ref().is_none_or(|field| !paths.contains(field)));
        for path in &paths {
            record.evidence.remove(path.as_str());
        }
        release_settled(&mut record);
        self.find_twin(&mut record)?;
        self.referral.record = record;
        self.happened(HistoryEvent::Corrected { fields: paths });
        Ok(())
    }

    /// A correction may show that the patient was referred to the same specialty before.
    fn find_twin(&mut self, record: &mut Record) -> Result<(), SettleError> {
        let Some(key) = likeness_key(record) else { return Ok(()) };
        if likeness_key(&self.referral.record).as_ref() == Some(&key) {
            return Ok(());
        }
        let twin = twin(&self.context.store, &key)?;
        if let Some(open) = twin.open.filter(|open| open.id != self.referral.id) {
            hold_as_twin(record, open.reference.as_str());
            let is_free = self.context.store.referral_by_key(second_key(&key).as_str())?.is_none();
            self.keys.extend(is_free.then(|| second_key(&key)));
        }
        self.keys.extend(twin.free);
        Ok(())
    }

    /// Tells every desk that has it how it stands now.
    fn tell_of_change(&mut self) -> Result<(), StoreError> {
        let letters = Letters::of(&self.context.store, self.referral.id)?;
        let Updates { recompose, new } = letters.updates(&self.context.config(), &self.referral, self.entry.at);
        self.decision.deliveries.extend(new);
        self.decision.recompose.extend(recompose);
        Ok(())
    }

    /// Takes it back from every desk that has anything of it, except one.
    fn take_back(&mut self, except: Option<&str>) -> Result<(), StoreError> {
        let letters = Letters::of(&self.context.store, self.referral.id)?;
        self.decision.withdraw.extend(letters.not_sent());
        let withdrawals = letters.withdrawals(&self.context.config(), &self.referral, self.entry.at);
        self.decision.deliveries.extend(withdrawals.into_iter().filter(|desk| Some(desk.to.as_str()) != except));
        Ok(())
    }

    fn route(&mut self, to: &str) -> Result<(), SettleError> {
        let config = self.context.config();
        let Some(entry) = config.directory.entries.get(to) else {
            let known: Vec<&str> = config.directory.entries.keys().map(String::as_str).collect();
            let known = known.join(", ");
            return Err(SettleError::Refused(format!("the directory has no entry {to}; it has: {known}")));
        };
        let through = route::way_out(&config, entry).ok_or_else(|| {
            SettleError::Refused(format!("no outbound channel reaches {to}: give it a fax or an email in the directory"))
        })?;
        self.may_be_asked(to)?;
        self.referral.record.no_longer_without_route();
        let letters = Letters::of(&self.context.store, self.referral.id)?;
        // What the desk before did not get or is not for, another one is asked.
        for reason in [HeldReason::WrongRecipient, HeldReason::NotReceived, HeldReason::RequestSkipped] {
            self.referral.record.release(reason);
        }
        let said_yes = matches!(self.referral.status, Status::Confirmed | Status::Accepted | Status::Scheduled);
        let event = if said_yes && letters.asked().is_some_and(|asked| asked.to == to) {
            HistoryEvent::AskedAgain { to: to.to_owned() }
        } else {
            // Whatever the one before said of it, this one has said nothing yet.
            self.referral.record.clear_appointments();
            HistoryEvent::Routed { to: to.to_owned() }
        };
        // Who was asked before must not book it as well.
        self.take_back(Some(to))?;
        self.target = Some(RouteTarget { through, to: to.to_owned() });
        self.happened(event);
        Ok(())
    }

    fn reply(&mut self, outcome: ReplyOutcome, at: Option<&str>) -> Result<(), SettleError> {
        if outcome == ReplyOutcome::Unclear {
            let why = "say what the reply means: received, scheduled, declined; `… settle ID reply --help` has all";
            return Err(SettleError::Refused(why.to_owned()));
        }
        let appointment = match at {
            Some(_) if outcome != ReplyOutcome::Scheduled => {
                let why = "an appointment belongs to `scheduled` alone: leave --at out, or say that it is scheduled";
                return Err(SettleError::Refused(why.to_owned()));
            }
            Some(text) => {
                let at = IsoDate::parse(text).ok_or_else(|| {
                    SettleError::Refused("the appointment is written 2026-12-14T10:30, or 2026-12-14".to_owned())
                })?;
                Some(Appointment { at, with: None, booking: Vec::new() })
            }
            None if outcome == ReplyOutcome::Scheduled => {
                return Err(SettleError::Refused("a scheduled referral needs its appointment: --at 2026-12-14T10:30".to_owned()));
            }
            None => None,
        };
        if let (Some(appointment), Some(source)) = (&appointment, self.referral.sources.first()) {
            let day = appointment.at.as_str().get(..10).and_then(|day| day.parse::<Date>().ok());
            let came = today(&self.context.config().settings, source.received_at);
            if day.is_none_or(|day| day < came) {
                let why = format!("an appointment has a day, and none before {came}, when the referral came");
                return Err(SettleError::Refused(why));
            }
        }
        let pending = self.next_pending();
        // What the engine read of it, where the person reads it likewise.
        let read_alike = pending.as_ref().filter(|pending| pending.reading.outcome == outcome);
        let reason = read_alike.and_then(|pending| pending.reading.reason.clone());
        let reply = Reply { outcome, appointment, reason, confidence: 1.0, ..Reply::unread() };
        let entry =
            HistoryEntry { event: reply.happened(), message: pending.map(|pending| pending.message), ..self.entry.clone() };
        let config = self.context.config();
        let letters = Letters::of(&self.context.store, self.referral.id)?;
        replies::apply(&letters, &config, &mut self.decision, &mut self.referral, &reply, entry);
        Ok(())
    }

    /// What was merged into another referral is held as its duplicate again: it may not go out beside it unseen.
    fn reopen(&mut self) -> Result<(), StoreError> {
        if self.referral.history.iter().any(|entry| self.is_merge_away(&entry.event)) {
            self.referral.record.hold(HeldReason::PossibleDuplicate);
        }
        // What was booked was taken back, or is past.
        self.referral.record.clear_appointments();
        self.happened(HistoryEvent::Reopened);
        // Nobody is told any more not to act on it.
        let letters = Letters::of(&self.context.store, self.referral.id)?;
        self.decision.withdraw.extend(letters.withdrawals_not_sent());
        Ok(())
    }

    fn is_merge_away(&self, event: &HistoryEvent) -> bool {
        matches!(event, HistoryEvent::Merged { into, .. } if *into != self.referral.reference.as_str())
    }

    fn set_aside(&mut self) -> Result<(), SettleError> {
        let Some(pending) = self.next_pending() else {
            let reference = &self.referral.reference;
            let why = format!("no reply waits on {reference}: what came of it stands in `loopline referrals show {reference}`");
            return Err(SettleError::Refused(why));
        };
        let entry = HistoryEntry { event: HistoryEvent::ReplySetAside, message: Some(pending.message), ..self.entry.clone() };
        self.referral.record_event(entry);
        Ok(())
    }

    /// Takes the reply that waits longest; with the last one gone, replies hold the referral no more.
    fn next_pending(&mut self) -> Option<PendingReply> {
        let waits = !self.referral.pending_replies.is_empty();
        let pending = waits.then(|| self.referral.pending_replies.remove(0));
        if self.referral.pending_replies.is_empty() {
            self.referral.record.release(HeldReason::UnclearReply);
        }
        pending
    }

    fn merge(&mut self, into: &str, patients_differ: bool) -> Result<(), SettleError> {
        let found = match (into.parse::<ReferralId>(), into.parse::<Reference>()) {
            (Ok(id), _) => self.context.store.referral(id)?,
            (Err(_), Ok(reference)) => self.context.store.referral_by_reference(&reference)?,
            (Err(_), Err(error)) => return Err(SettleError::Refused(format!("{into}: {error}"))),
        };
        let Some(mut stays) = found else {
            return Err(SettleError::Refused(format!("there is no referral {into}")));
        };
        let reference = stays.reference.clone();
        if stays.id == self.referral.id {
            return Err(SettleError::Refused("a referral cannot be merged into itself".to_owned()));
        }
        if matches!(stays.status, Status::Cancelled) {
            return Err(SettleError::Refused(format!(
                "{reference} is cancelled: merge into one that is open, or reopen it first"
            )));
        }
        if !patients_differ && !same_patient(&self.referral.record, &stays.record) {
            return Err(SettleError::Refused(format!(
                "by name, birth date or number, {reference} is about another patient: look at both with `loopline referrals show`; if they are \
                 one patient all the same, correct what was misread, or add --patients-differ"
            )));
        }
        let read_version = Some(stays.version);
        // The pages of a fax that was sent twice would go out twice; the second scan stays with the referral that is merged away.
        let new = if resent::brings_nothing_new(&self.referral.record, &stays.record) {
            &[][..]
        } else {
            &self.referral.record.attachments
        };
        for attachment in new {
            if !stays.record.attachments.iter().any(|kept| kept.id == attachment.id) {
                stays.record.attachments.push(attachment.clone());
            }
        }
        stays.sources.extend(self.referral.sources.iter().cloned());
        let took = HistoryEvent::Merged { into: reference.to_string(), from: Some(self.referral.reference.to_string()) };
        stays.record_event(HistoryEntry { event: took, ..self.entry.clone() });
        self.decision.referrals.push(ReferralWrite { referral: stays, read_version, keys: Vec::new() });
        self.happened(HistoryEvent::Merged { into: reference.to_string(), from: None });
        self.end(HistoryEvent::Rejected { reason: format!("merged into {reference}") })
    }

    /// Ends a referral: nothing further is sent.
    fn end(&mut self, event: HistoryEvent) -> Result<(), SettleError> {
        // Who was told that the sender asks to cancel knows already, and is not told twice.
        self.take_back(None)?;
        self.referral.record.clear_appointments();
        self.referral.record.held.clear();
        self.referral.pending_replies.clear();
        self.happened(event);
        Ok(())
    }
}

/// Releases what no longer holds: identity that is complete and confirmed, a priority that is known.
pub(super) fn release_settled(record: &mut Record) {
    let doubtful = record.review.iter().any(|path| IDENTITY.contains(&path.as_str()));
    let name = &record.patient.name;
    if !doubtful && name.family.is_some() && name.given.is_some() && record.patient.birth_date.is_some() {
        record.release(HeldReason::BlockingField);
    }
    if record.priority != Priority::Unknown {
        record.release(HeldReason::PriorityUnknown);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identity_is_released_only_when_it_is_whole_and_unmarked() {
        let mut record = Record::default();
        record.patient.name.family = Some("Okafor".to_owned());
        record.patient.name.given = Some("Ada".to_owned());
        record.hold(HeldReason::BlockingField);
        release_settled(&mut record);
        assert_eq!(record.held, [HeldReason::BlockingField]);
        record.patient.birth_date = IsoDate::parse("1980-02-03");
        record.mark("patient.birth_date");
        release_settled(&mut record);
        assert_eq!(record.held, [HeldReason::BlockingField]);
        record.review.clear();
        release_settled(&mut record);
        assert!(record.held.is_empty());
    }
}
