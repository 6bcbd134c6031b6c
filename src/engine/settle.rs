//! A person's act on a referral: confirm, correct, route, read a reply, merge, reject. It clears what held it, and what was waiting
//! for that goes on.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Context, decide::asked, replies, route};
use crate::{
    config::RouteTarget,
    delivery::{DeliveryState, Purpose},
    ids::ReferralId,
    referral::{
        Appointment, HeldReason, HistoryEntry, HistoryEvent, IsoDate, Priority, Record, Reference, Referral, Reply, ReplyOutcome,
        Status, set_path,
    },
    store::{Decision, ReferralWrite, StoreError},
};

/// How often a settlement is computed again when somebody else wrote the referral meanwhile.
const TRIES_MAX: u32 = 8;

/// What a person does.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "kebab-case")]
pub enum Act {
    /// These fields are right as they were read; none named: all, and it is no duplicate, and it may go on.
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
    /// It is the same referral as another one.
    Merge {
        /// The reference of the one that stays.
        into: String,
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
        let decision = Settlement::new(context, referral, by).carry_out(&act)?;
        let concerned = context.suspensions.concerned(&decision);
        match context.store.settle(decision).await {
            Ok(()) => {
                context.suspensions.committed(&context.store, concerned);
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
        Self { context, read_version: referral.version, referral, decision: Decision::default(), entry, target: None }
    }

    fn happened(&mut self, event: HistoryEvent) {
        let entry = HistoryEntry { event, ..self.entry.clone() };
        self.referral.record_event(entry);
    }

    fn carry_out(mut self, act: &Act) -> Result<Decision, SettleError> {
        let over = matches!(self.referral.status, Status::Cancelled | Status::Closed);
        if over != matches!(act, Act::Reopen) {
            let (reference, status) = (&self.referral.reference, self.referral.status.as_str());
            let what = if over { "open it again first, by `reopen`" } else { "it is open already" };
            return Err(SettleError::Refused(format!("{reference} is {status}: {what}")));
        }
        match act {
            Act::Reopen => self.happened(HistoryEvent::Reopened),
            Act::Confirm { fields } => self.confirm(fields)?,
            Act::Correct { fields } => self.correct(fields)?,
            Act::Route { to } => self.route(to)?,
            Act::Reply { outcome, at } => self.reply(*outcome, at.as_deref())?,
            Act::Merge { into } => self.merge(into)?,
            Act::Reject { reason } => self.end(HistoryEvent::Rejected { reason: reason.clone() })?,
        }
        self.go_on()?;
        self.decision.referrals.push(ReferralWrite {
            referral: self.referral,
            read_version: Some(self.read_version),
            keys: Vec::new(),
        });
        Ok(self.decision)
    }

    fn confirm(&mut self, fields: &[String]) -> Result<(), SettleError> {
        let record = &mut self.referral.record;
        let marked: BTreeSet<&str> = record.review.iter().map(String::as_str).collect();
        if let Some(other) = fields.iter().find(|field| !marked.contains(field.as_str())) {
            let known = record.review.join(", ");
            return Err(SettleError::Refused(format!("{other} is not marked for review; marked are: {known}")));
        }
        if fields.is_empty() {
            record.review.clear();
            for reason in [
                HeldReason::PossibleDuplicate,
                HeldReason::SecondPatient,
                HeldReason::Deceased,
                HeldReason::DeadDelivery,
                HeldReason::WrongRecipient,
                HeldReason::NotReceived,
                HeldReason::Rejected,
                // The waiting reply says nothing that moves the referral; it is set aside.
                HeldReason::UnclearReply,
            ] {
                record.release(reason);
            }
            self.referral.pending_reply = None;
        } else {
            record.review.retain(|path| !fields.contains(path));
        }
        release_settled(record);
        self.happened(HistoryEvent::Confirmed { fields: fields.to_vec() });
        Ok(())
    }

    fn correct(&mut self, fields: &[(String, String)]) -> Result<(), SettleError> {
        let mut value = serde_json::to_value(&self.referral.record).map_err(|error| SettleError::Refused(error.to_string()))?;
        for (path, text) in fields {
            value = corrected(&value, path, text).map_err(SettleError::Refused)?;
        }
        let paths: Vec<String> = fields.iter().map(|(path, _)| path.clone()).collect();
        let mut record: Record = serde_json::from_value(value).map_err(|error| SettleError::Refused(error.to_string()))?;
        if let Some(unknown) = paths.iter().find(|path| !has_path(&record, path)) {
            return Err(SettleError::Refused(format!("{unknown} is no field of a referral")));
        }
        record.review.retain(|path| !paths.contains(path));
        record.problems.retain(|problem| problem.field.as_ref().is_none_or(|field| !paths.contains(field)));
        for path in &paths {
            record.evidence.remove(path);
        }
        release_settled(&mut record);
        self.referral.record = record;
        self.happened(HistoryEvent::Corrected { fields: paths });
        self.tell_the_asked(Purpose::Update)
    }

    /// Tells the specialist what was decided, where they were asked; what is still queued is composed anew.
    fn tell_the_asked(&mut self, purpose: Purpose) -> Result<(), SettleError> {
        let Some(asked) = asked(&self.context.store, self.referral.id)? else { return Ok(()) };
        match asked.state {
            DeliveryState::Sent | DeliveryState::InFlight => {
                let target = RouteTarget { through: asked.through, to: asked.to };
                let config = self.context.config();
                self.decision.deliveries.extend(route::to_specialist(&config, purpose, &target, self.referral.id, self.entry.at));
            }
            DeliveryState::Queued if purpose == Purpose::Update => {
                self.decision.recompose.extend(replies::queued_to_specialist(&self.context.store, &self.referral)?);
            }
            DeliveryState::Queued | DeliveryState::Dead | DeliveryState::Withdrawn => {}
        }
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
        self.referral.record.release(HeldReason::NoRoute);
        self.referral.record.release(HeldReason::WrongRecipient);
        self.decision.withdraw.extend(replies::queued_to_specialist(&self.context.store, &self.referral)?);
        self.target = Some(RouteTarget { through, to: to.to_owned() });
        self.happened(HistoryEvent::Confirmed { fields: vec!["route".to_owned()] });
        Ok(())
    }

    fn reply(&mut self, outcome: ReplyOutcome, at: Option<&str>) -> Result<(), SettleError> {
        if outcome == ReplyOutcome::Unclear {
            return Err(SettleError::Refused("say what the reply means: received, scheduled, declined, …".to_owned()));
        }
        let appointment = match at {
            Some(text) => {
                let at = IsoDate::parse(text).ok_or_else(|| {
                    SettleError::Refused("the appointment is written 2026-12-14T10:30, or 2026-12-14".to_owned())
                })?;
                Some(Appointment { at, with: None })
            }
            None if outcome == ReplyOutcome::Scheduled => {
                return Err(SettleError::Refused("a scheduled referral needs its appointment: --at 2026-12-14T10:30".to_owned()));
            }
            None => None,
        };
        let pending = self.referral.pending_reply.take();
        let reply = Reply {
            reference: None,
            matched_by: None,
            received: None,
            outcome,
            appointment,
            reason: None,
            quote: None,
            confidence: 1.0,
        };
        self.referral.record.release(HeldReason::UnclearReply);
        let entry = HistoryEntry {
            event: HistoryEvent::Replied { outcome },
            message: pending.map(|pending| pending.message),
            ..self.entry.clone()
        };
        let config = self.context.config();
        replies::apply(&self.context.store, &config, &mut self.decision, &mut self.referral, &reply, entry)?;
        Ok(())
    }

    fn merge(&mut self, into: &str) -> Result<(), SettleError> {
        let reference: Reference = into.parse().map_err(|error| SettleError::Refused(format!("{into}: {error}")))?;
        let Some(mut stays) = self.context.store.referral_by_reference(&reference)? else {
            return Err(SettleError::Refused(format!("there is no referral {reference}")));
        };
        if stays.id == self.referral.id {
            return Err(SettleError::Refused("a referral cannot be merged into itself".to_owned()));
        }
        if matches!(stays.status, Status::Cancelled) {
            return Err(SettleError::Refused(format!(
                "{reference} is cancelled: merge into one that is open, or reopen it first"
            )));
        }
        let read_version = Some(stays.version);
        for attachment in &self.referral.record.attachments {
            if !stays.record.attachments.contains(attachment) {
                stays.record.attachments.push(attachment.clone());
            }
        }
        stays.sources.extend(self.referral.sources.iter().cloned());
        let event = HistoryEvent::Merged { into: reference.to_string() };
        stays.record_event(HistoryEntry { event: event.clone(), ..self.entry.clone() });
        self.decision.referrals.push(ReferralWrite { referral: stays, read_version, keys: Vec::new() });
        self.happened(event);
        self.end(HistoryEvent::Rejected { reason: format!("merged into {reference}") })
    }

    /// Ends a referral: nothing further is sent.
    fn end(&mut self, event: HistoryEvent) -> Result<(), SettleError> {
        self.decision.withdraw.extend(replies::queued_to_specialist(&self.context.store, &self.referral)?);
        self.tell_the_asked(Purpose::Withdrawal)?;
        self.referral.record.held.clear();
        self.referral.pending_reply = None;
        self.happened(event);
        Ok(())
    }

    /// Queues the confirmation request of a referral that nothing holds any more and that nobody is asked about, and wherever a person
    /// said to whom it goes.
    fn go_on(&mut self) -> Result<(), SettleError> {
        if !self.referral.record.held.is_empty() || matches!(self.referral.status, Status::Cancelled | Status::Closed) {
            return Ok(());
        }
        if self.target.is_none() {
            let waits = matches!(self.referral.status, Status::New | Status::Redirected);
            let asked = asked(&self.context.store, self.referral.id)?;
            let on_the_way = asked.is_some_and(|asked| matches!(asked.state, DeliveryState::Queued | DeliveryState::InFlight));
            if !waits || on_the_way {
                return Ok(());
            }
        }
        let config = self.context.config();
        let channel = self.referral.sources.first().and_then(|source| config.inbound.get(&source.channel));
        let found = channel.and_then(|channel| route::destination(&config, channel, &self.referral.record));
        match self.target.take().or(found) {
            Some(target) => {
                self.decision.deliveries.extend(route::to_specialist(
                    &config,
                    Purpose::ConfirmationRequest,
                    &target,
                    self.referral.id,
                    self.entry.at,
                ));
            }
            None => self.referral.record.hold(HeldReason::NoRoute),
        }
        Ok(())
    }
}

/// Releases what no longer holds: identity that is complete and confirmed, a priority that is known.
pub(super) fn release_settled(record: &mut Record) {
    let identity = ["patient.name.family", "patient.name.given", "patient.birth_date"];
    let doubtful = record.review.iter().any(|path| identity.contains(&path.as_str()));
    let name = &record.patient.name;
    if !doubtful && name.family.is_some() && name.given.is_some() && record.patient.birth_date.is_some() {
        record.release(HeldReason::BlockingField);
    }
    if record.priority != Priority::Unknown {
        record.release(HeldReason::PriorityUnknown);
    }
}

/// What a person can correct: what the sender said, not what the engine keeps about it.
const CORRECTABLE: [&str; 12] = [
    "priority",
    "kind",
    "identifiers",
    "authored_at",
    "expires_at",
    "patient",
    "insurance",
    "authorization",
    "referring",
    "referred_to",
    "request",
    "appointment",
];

/// The record with one field corrected: as text, or where that does not fit as a number or a truth value.
fn corrected(record: &Value, path: &str, text: &str) -> Result<Value, String> {
    let section = path.split('.').next().unwrap_or_default();
    if !CORRECTABLE.contains(&section) {
        return Err(format!("{path} is no field of a referral that can be corrected: {}", CORRECTABLE.join(", ")));
    }
    if text.is_empty() {
        return Err(format!("{path}: say what is right"));
    }
    let plain = serde_json::from_str::<Value>(text).ok().filter(|value| value.is_boolean() || value.is_number());
    let mut why = String::new();
    for leaf in [Some(Value::String(text.to_owned())), plain].into_iter().flatten() {
        let mut value = record.clone();
        set_path(&mut value, path, leaf)?;
        match serde_json::from_value::<Record>(value.clone()) {
            Ok(_) => return Ok(value),
            Err(error) => why = format!("{path} cannot be that: {error}"),
        }
    }
    Err(why)
}

/// Whether the path names a leaf that the record really has (a field that the type does not know is dropped when it is read).
fn has_path(record: &Record, path: &str) -> bool {
    let Ok(value) = serde_json::to_value(record) else { return false };
    let pointer = format!("/{}", path.replace('.', "/"));
    value.pointer(&pointer).is_some_and(|leaf| !leaf.is_object() && !leaf.is_array())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record_with(fields: &[(&str, &str)]) -> Result<Record, String> {
        let mut value = serde_json::to_value(Record::default()).unwrap();
        for (path, text) in fields {
            value = corrected(&value, path, text)?;
        }
        serde_json::from_value(value).map_err(|error| error.to_string())
    }

    #[test]
    fn a_path_sets_one_leaf_and_makes_what_is_on_the_way() {
        let record = record_with(&[("patient.name.family", "Okafor"), ("insurance.0.payer", "Aetna")]).unwrap();
        assert_eq!(record.patient.name.family.as_deref(), Some("Okafor"));
        assert_eq!(record.insurance[0].payer.as_deref(), Some("Aetna"));
        assert!(has_path(&record, "insurance.0.payer"));
        assert!(!has_path(&record, "patient.shoe_size"));
    }

    #[test]
    fn a_date_that_is_none_is_refused() {
        assert!(record_with(&[("patient.birth_date", "1980-02-30")]).is_err());
        assert!(record_with(&[("priority", "soonish")]).is_err());
        assert!(record_with(&[("insurance.3.payer", "x")]).is_err());
        assert!(record_with(&[("held.0", "deceased")]).is_err());
        assert!(record_with(&[("patient.birth_date", "")]).is_err());
        assert!(!record_with(&[("request.report_expected", "false")]).unwrap().request.report_expected);
    }

    #[test]
    fn identity_is_released_only_when_it_is_whole_and_unmarked() {
        let mut record = record_with(&[("patient.name.family", "Okafor"), ("patient.name.given", "Ada")]).unwrap();
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
