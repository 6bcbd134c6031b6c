//! What a sender says of a referral: a new one, a change, a cancel, a status request, a report.
//!
//! # Design notes
//! A sender's number for a referral may be used again for another patient, and a change may undo what a person corrected. Neither may
//! pass silently: another patient's message never touches the referral that has the number, and a person's correction stands, with the
//! sender's other value marked for review.

use super::{
    decide::Desk,
    finding::{asked_about, is_overtaken},
    left_out, resent, route, sameness,
    told::{Letters, Updates},
    versions::{corrected, differences, note_other_number, same_content, with_corrections},
};
use crate::{
    ids::{MessageId, ReferralId},
    message::Protocol,
    normalize::hl7::ReferralKey,
    referral::{Attachment, HeldReason, HistoryEvent, Identifier, Problem, Record, Reference, Referral, Status},
    store::StoreError,
};

/// What is noted of a message that says what was said before.
const REPEATED: (&str, &str) = ("repeat-delivery", "the same was sent before under another control id: nothing follows from it");

/// A new referral, or what its sender says of it again.
pub(super) fn refer(desk: &mut Desk<'_>, record: Box<Record>, keys: &[ReferralKey]) -> Result<(), StoreError> {
    let (known, other) = asked_about(desk, keys, &record)?;
    if let Some(known) = known {
        match known.status {
            _ if desk.is_replayed_on(&known) => {}
            Status::Closed => return refer_after_report(desk, &known, record),
            status if is_over(status) => return refer_again(desk, known, record, keys),
            _ => {}
        }
        return change(desk, known, record, keys, OtherDesk::TooAsked);
    }
    if let Some(other) = other {
        return refer_second_patient(desk, record, keys, &other);
    }
    // A replayed document makes no second referral: what is read of it now is a new version of the one it made before.
    if let Some(known) = desk.next_made_before()? {
        return change(desk, known, record, keys, OtherDesk::TooAsked);
    }
    let (mut record, mut taken) = (record, Vec::new());
    find_twin(desk, &mut record, &mut taken)?;
    let earlier = resent::find(desk, &mut record, &mut taken)?;
    let mut referral = new_referral(desk, record);
    ask_or_hold(desk, &mut referral)?;
    match earlier {
        Some(earlier) => desk.acknowledge_again(&referral, earlier.id),
        None => desk.acknowledge(Some(&referral)),
    }
    desk.write_new(referral, keys, taken)
}

/// The number belongs to another patient's referral, which stays as it is: this one is made beside it, and held.
fn refer_second_patient(
    desk: &mut Desk<'_>,
    mut record: Box<Record>,
    keys: &[ReferralKey],
    other: &Reference,
) -> Result<(), StoreError> {
    let keys = sameness::patients_own(keys, &record);
    record.hold(HeldReason::SecondPatient);
    let text =
        format!("its number is that of {other}, which is about another patient: confirm it, or reject it, and tell the sender");
    record.problems.push(Problem::new("number-of-another-patient", text));
    let mut referral = new_referral(desk, record);
    ask_or_hold(desk, &mut referral)?;
    desk.acknowledge(Some(&referral));
    desk.write_new(referral, &keys, Vec::new())
}

/// A referral whose report is back is sent again. The same once more is a repeat; where it says something else, a person says whether it is
/// open again: a system that sends again what changed in its own list would have the specialist asked a second time.
fn refer_after_report(desk: &mut Desk<'_>, known: &Referral, record: Box<Record>) -> Result<(), StoreError> {
    let is_hl7 = desk.message().protocol == Protocol::Hl7;
    let said = if is_hl7 { left_out::filled(&known.record, record) } else { record };
    let said = merged(&known.record, said, &corrected(known), |_| false);
    desk.acknowledge(Some(known));
    desk.link(known);
    if same_content(&known.record, &said) {
        desk.problem(REPEATED.0, REPEATED.1);
        return Ok(());
    }
    desk.say("the report of this referral is back: a person here says whether it is open again");
    desk.hold_message(
        "it asks once more for a referral whose report is back: where it is to be done again, `loopline referrals settle REFERENCE reopen` and \
         replay this; otherwise dismiss it",
    )
}

/// A referral that was over (cancelled, expired, to be cancelled) is sent again: it is open again, and a person sees it if a person had ended it.
fn refer_again(
    desk: &mut Desk<'_>,
    mut known: Referral,
    mut record: Box<Record>,
    keys: &[ReferralKey],
) -> Result<(), StoreError> {
    let ended_by_person = known.history.iter().any(|entry| matches!(entry.event, HistoryEvent::Rejected { .. }));
    let mut stands = std::mem::take(&mut known.record);
    // What was booked was taken back, or is past.
    stands.clear_appointments();
    left_out::with_providers(&stands, &mut record);
    known.record = merged(&stands, record, &corrected(&known), |_| false);
    if ended_by_person {
        known.record.hold(HeldReason::Rejected);
        let text = "a person had rejected it, and the sender sent it again: confirm it, or reject it again";
        known.record.problems.push(Problem::new("rejected-before", text));
    }
    let event = desk.entry(HistoryEvent::Reopened);
    known.record_event(event);
    ask_or_hold(desk, &mut known)?;
    desk.acknowledge(Some(&known));
    desk.write_known_as(known, keys)
}

/// Asks the specialist, where nothing holds the referral and a destination fits.
pub(super) fn ask_or_hold(desk: &mut Desk<'_>, referral: &mut Referral) -> Result<(), StoreError> {
    let target = desk.destination(&mut referral.record)?;
    match target {
        Some(target) if referral.record.held.is_empty() => desk.ask(&target, referral.id),
        Some(_) | None => {
            let held = desk.entry(HistoryEvent::Held);
            referral.record_event(held);
        }
    }
    Ok(())
}

pub(super) fn is_over(status: Status) -> bool {
    matches!(status, Status::CancelRequested | Status::Cancelled | Status::Closed | Status::Expired)
}

/// Notices a referral of the same patient to the same specialty that is open already.
///
/// An HL7 sender says by its own number which referral is meant, so there only paper and mail are held.
fn find_twin(desk: &Desk<'_>, record: &mut Record, keys: &mut Vec<String>) -> Result<(), StoreError> {
    let Some(key) = sameness::likeness_key(record) else { return Ok(()) };
    let twin = sameness::twin(desk.store, &key)?;
    let in_message = desk.has_taken(twin.free.as_ref().unwrap_or(&key));
    let second = sameness::second_key(&key);
    if (twin.open.is_some() || in_message) && !desk.has_taken(&second) && desk.find(&second)?.is_none() {
        keys.push(second);
    }
    let other = match (&twin.open, in_message) {
        (Some(open), _) => open.reference.as_str(),
        (None, true) => "in the same message",
        (None, false) => {
            keys.extend(twin.free);
            return Ok(());
        }
    };
    if desk.message().protocol != Protocol::Hl7 {
        sameness::hold_as_twin(record, other);
    }
    Ok(())
}

fn new_referral(desk: &Desk<'_>, record: Box<Record>) -> Referral {
    let mut referral = Referral {
        id: ReferralId::generate(),
        reference: Reference::generate(),
        status: Status::New,
        version: 0,
        record,
        pending_replies: Vec::new(),
        sources: vec![desk.source()],
        history: Vec::new(),
    };
    let filler = Identifier { value: referral.reference.to_string(), authority: Some("LOOPLINE".to_owned()), found_in: None };
    referral.record.identifiers.filler.get_or_insert(filler);
    referral.record_event(desk.entry(HistoryEvent::Received));
    referral
}

/// REF^I13.
pub(super) fn change_known(desk: &mut Desk<'_>, record: Box<Record>, keys: &[ReferralKey]) -> Result<(), StoreError> {
    match asked_about(desk, keys, &record)? {
        (Some(known), _) => change(desk, known, record, keys, OtherDesk::AskedInstead),
        (None, Some(other)) => refer_second_patient(desk, record, keys, &other),
        (None, None) => desk.unknown(),
    }
}

/// What it means that a referral which somebody was asked about names another specialist.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OtherDesk {
    /// Sent again as a new one (REF^I12): a copy for a second specialist.
    TooAsked,
    /// Changed (REF^I13): it goes to another specialist.
    AskedInstead,
}

/// The sender says something else of a referral that is known: a new version of it.
fn change(
    desk: &mut Desk<'_>,
    mut known: Referral,
    record: Box<Record>,
    keys: &[ReferralKey],
    other: OtherDesk,
) -> Result<(), StoreError> {
    let replayed = desk.is_replayed_on(&known);
    if replayed && last_said_by(&known) != Some(desk.message().id) {
        desk.explain("replayed; nothing was changed, as a later message says how the referral stands");
        desk.link(&known);
        return Ok(());
    }
    let stands = std::mem::take(&mut known.record);
    // A document that is read anew says all there is; so does the message that the record is from.
    let is_change = desk.message().protocol == Protocol::Hl7 && !replayed;
    let record = if is_change { left_out::filled(&stands, record) } else { record };
    known.record = merged(&stands, record, &corrected(&known), |page| replayed && desk.is_page_of_message(page));
    if same_content(&stands, &known.record) {
        // Some give every retransmission a new control id: the sender is told again, nothing else follows.
        desk.problem(REPEATED.0, REPEATED.1);
        desk.acknowledge(Some(&known));
        desk.link(&known);
        return Ok(());
    }
    if is_change {
        note_other_number(&stands, &mut known.record);
    }
    if is_change && is_overtaken(desk, &known)? {
        known.record = stands;
        desk.acknowledge(Some(&known));
        desk.link(&known);
        desk.say("it was written before what the referral says already, and came later: nothing was changed, a person here compares the two");
        return desk.hold_message(
            "by MSH-7 it was written before what the referral says already, and came later: nothing was changed; compare the two, and \
             `correct` what it should say",
        );
    }
    let mut event = desk.entry(HistoryEvent::Changed { fields: differences(&stands, &known.record) });
    if replayed {
        event.by.push_str(", replayed by a person");
    }
    known.record_event(event);
    if is_over(known.status) {
        desk.say(format!("the referral is {}: the change was kept, the specialist is not told", known.status.as_str()));
    } else {
        if known.status == Status::Declined {
            desk.say("the specialist has declined the referral: the change was kept, a person here looks for another one");
        }
        let leads = |record| route::destination(desk.config, desk.channel, record).is_some();
        // Where neither leads anywhere, a person said who is asked, and that stands.
        let moved = stands.referred_to != known.record.referred_to && (leads(&stands) || leads(&known.record));
        tell_of_change(desk, &mut known, Some(other).filter(|_| moved))?;
    }
    desk.acknowledge(Some(&known));
    // By this spelling of its number, too, and by the name that the patient has now.
    desk.write_known_as(known, keys)
}

/// The specialist gets what changed: in the letter that is still to leave, or in one of its own.
fn tell_of_change(desk: &mut Desk<'_>, known: &mut Referral, other: Option<OtherDesk>) -> Result<(), StoreError> {
    let letters = Letters::of(desk.store, known.id)?;
    let asked = letters.asked_desks();
    if asked.is_empty() {
        if known.record.held.is_empty()
            && known.status == Status::New
            && let Some(target) = match route::chosen(desk.config, known) {
                Some(chosen) => Some(chosen),
                None => desk.destination(&mut known.record)?,
            }
        {
            desk.ask(&target, known.id);
        }
        return Ok(());
    }
    if let Some(other) = other {
        let target = route::destination(desk.config, desk.channel, &known.record);
        if target.is_none_or(|target| asked.iter().all(|desk| desk.to != target.to)) {
            return ask_other_desk(desk, known, other);
        }
    }
    if known.record.stops_letters() {
        // Whoever settles it has it sent.
        let held = desk.entry(HistoryEvent::Held);
        known.record_event(held);
        desk.decision().withdraw.extend(letters.not_sent());
        return Ok(());
    }
    let Updates { recompose, new } = letters.updates(desk.config, known, desk.now);
    desk.decision().deliveries.extend(new);
    desk.decision().recompose.extend(recompose);
    Ok(())
}

/// The sender names another specialist than the ones who were asked.
fn ask_other_desk(desk: &mut Desk<'_>, known: &mut Referral, other: OtherDesk) -> Result<(), StoreError> {
    match other {
        OtherDesk::TooAsked => {
            let whither = route::destination(desk.config, desk.channel, &known.record);
            let follows = if whither.is_some() { "both are asked" } else { "say which desk that is" };
            let text = format!("the sender sent the same referral to another specialist too: {follows}");
            known.record.problems.push(Problem::new("copy-to-another", text));
        }
        OtherDesk::AskedInstead => {
            withdraw(desk, known)?;
            // Whatever the first one said of it, the second has said nothing yet.
            known.record.clear_appointments();
            let event = desk.entry(HistoryEvent::Reopened);
            known.record_event(event);
        }
    }
    ask_or_hold(desk, known)
}

/// Takes back what is queued, and tells every desk that has anything of it. False: there is none.
fn withdraw(desk: &mut Desk<'_>, known: &Referral) -> Result<bool, StoreError> {
    let letters = Letters::of(desk.store, known.id)?;
    let mut withdrawals = letters.withdrawals(desk.config, known, desk.now);
    withdrawals.iter_mut().for_each(|withdrawal| withdrawal.message = Some(desk.message().id));
    let somebody_is_told = !withdrawals.is_empty();
    desk.decision().deliveries.extend(withdrawals);
    desk.decision().withdraw.extend(letters.not_sent());
    Ok(somebody_is_told)
}

/// The message that said last what the referral is.
fn last_said_by(referral: &Referral) -> Option<MessageId> {
    let says =
        |event: &HistoryEvent| matches!(event, HistoryEvent::Received | HistoryEvent::Changed { .. } | HistoryEvent::Reopened);
    referral.history.iter().rev().find_map(|entry| entry.message.filter(|_| says(&entry.event)))
}

/// Cancel *requested*: what is queued is withdrawn, who was asked is told.
pub(super) fn cancel(desk: &mut Desk<'_>, record: &Record, keys: &[ReferralKey]) -> Result<(), StoreError> {
    let mut known = match asked_about(desk, keys, record)? {
        (Some(known), _) => known,
        (None, Some(_)) => {
            desk.say("the referral of that number is another patient's: nothing was cancelled, a person here looks into it");
            return desk.hold_message("it cancels a referral of another patient: ask the sender which one is meant");
        }
        (None, None) => return desk.unknown(),
    };
    if desk.is_replayed_on(&known) {
        desk.link(&known);
        return Ok(());
    }
    if let Some(no) = cannot_be_cancelled(known.status) {
        desk.say(no);
        desk.link(&known);
        return Ok(());
    }
    if is_overtaken(desk, &known)? {
        desk.link(&known);
        desk.say(
            "it was written before what the referral says already, and came later: nothing was cancelled, a person here asks",
        );
        return desk.hold_message(
            "by MSH-7 this cancel was written before what its sender said last of the referral, and came later: ask whether it is to be \
             cancelled; then `reject` the referral, or dismiss this",
        );
    }
    let event = desk.entry(HistoryEvent::CancelRequested);
    known.record_event(event);
    let somebody_is_told = withdraw(desk, &known)?;
    desk.say(if somebody_is_told {
        "the cancellation is requested: it stands once the specialist has confirmed it"
    } else {
        "the cancellation is requested: no specialist has the referral yet, so a person here ends it"
    });
    desk.write(known);
    Ok(())
}

/// The answer to a cancel that changes nothing any more: a matter of business, and no error of the message.
fn cannot_be_cancelled(status: Status) -> Option<&'static str> {
    match status {
        Status::Completed => Some("the referral was not cancelled: the visit has taken place"),
        Status::Closed => Some("the referral was not cancelled: the visit has taken place and the report is back"),
        Status::Cancelled => Some("the referral is cancelled already"),
        Status::CancelRequested => Some("the cancellation was requested before: the specialist has not confirmed it yet"),
        Status::New
        | Status::Requested
        | Status::Confirmed
        | Status::Accepted
        | Status::NeedsInformation
        | Status::Declined
        | Status::Redirected
        | Status::Scheduled
        | Status::NoShow
        | Status::Expired => None,
    }
}

/// REF^I15: the answer says how it stands.
pub(super) fn tell_status(desk: &mut Desk<'_>, record: &Record, keys: &[ReferralKey]) -> Result<(), StoreError> {
    match asked_about(desk, keys, record)?.0 {
        Some(known) => {
            let status = known.status.as_str();
            desk.say(match &known.record.appointment {
                Some(appointment) => format!("status: {status}, appointment {}", appointment.at.as_str()),
                None => format!("status: {status}"),
            });
            desk.link(&known);
            Ok(())
        }
        None => desk.unknown(),
    }
}

/// The new record, with what only we, the specialist or a person here know of the old one. `is_moved`: a page that belongs to another
/// document of the fax by now.
fn merged(old: &Record, new: Box<Record>, corrected: &[String], is_moved: impl Fn(&Attachment) -> bool) -> Box<Record> {
    let mut merged = with_corrections(old, new, corrected);
    merged.identifiers.filler = old.identifiers.filler.clone().or(merged.identifiers.filler);
    merged.appointment = merged.appointment.or_else(|| old.appointment.clone());
    merged.further_appointments.clone_from(&old.further_appointments);
    // What the specialist wrote is nothing that the sender leaves out.
    let theirs = old.specialists_notes().into_iter().filter(|(note, _)| !merged.notes.contains(note)).collect();
    merged.put_notes_last(theirs);
    for reason in &old.held {
        // What holds it for another reason than its content holds it still.
        match reason {
            HeldReason::BlockingField
            | HeldReason::PriorityUnknown
            | HeldReason::NoRoute
            | HeldReason::Deceased
            | HeldReason::OtherMatter
            | HeldReason::NotAllRead => {}
            HeldReason::PossibleDuplicate
            | HeldReason::SecondPatient
            | HeldReason::DeadDelivery
            | HeldReason::UnclearReply
            | HeldReason::WrongRecipient
            | HeldReason::Rejected
            | HeldReason::NotReceived
            | HeldReason::RequestSkipped => merged.hold(*reason),
        }
    }
    for attachment in &old.attachments {
        if !is_moved(attachment) && !merged.attachments.iter().any(|kept| kept.id == attachment.id) {
            merged.attachments.push(attachment.clone());
        }
    }
    merged
}
