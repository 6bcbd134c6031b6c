//! What the answers to our requests mean: replies and automatic replies. Bounces are in `came_back.rs`.
//!
//! A reply moves a referral only if it is plain, bound to it by our token (or, in HL7, by its number), and from somebody who was
//! asked. Everything else is held with the engine's best reading beside it; an automatic reply or a bounce never moves a status.
//!
//! # Design notes
//! A page of ours that came back by fax has no sender that can be believed, but its QR code has the token, which only who was asked has.
//! So it counts as long as one desk alone was ever asked: a second one has the same token.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;

use super::{
    bookings, checked, compared,
    decide::Desk,
    finding::{self, Whose},
    interpret::today,
    reports::enclose,
    route, sameness,
    told::{Letters, says_it_is_theirs},
    vouched::{TAKEN_FROM, unasked, unvouched},
};
use crate::{
    config::{Config, RouteTarget},
    delivery::{Content, Delivery, DeliveryState, Purpose},
    ids::DeliveryId,
    message::Protocol,
    normalize::{
        email,
        hl7::{ReferralKey, sets_a_condition},
    },
    referral::{
        HeldReason, HistoryEntry, HistoryEvent, PageForm, PendingReply, Record, Reference, Referral, Reply, ReplyOutcome,
        SpecialistsNote, Status,
    },
    store::{Decision, StoreError},
};

/// Takes a reply to a confirmation request. `record`: what an HL7 answer brought along.
pub(super) fn take(
    desk: &mut Desk<'_>,
    reply: Reply,
    record: Option<Box<Record>>,
    keys: &[ReferralKey],
    doubt: Option<&'static str>,
) -> Result<(), StoreError> {
    let brought = record.filter(|_| desk.message().protocol == Protocol::Hl7);
    let Some(referral) = referral_of(desk, "reply", reply.reference.as_deref(), keys, brought.as_deref())? else {
        return Ok(());
    };
    if desk.message().protocol == Protocol::Hl7 && reply.outcome == ReplyOutcome::Received && reply.quote.is_none() {
        desk.explain(TAKEN);
        if unvouched(desk).is_none() {
            // The number that the other side gave it all the same.
            return desk.write_known_as(referral, keys);
        }
        desk.link(&referral);
        return Ok(());
    }
    take_of(desk, referral, reply, brought, keys, doubt)
}

/// Why nothing follows from an answer without a word of the referral, such as an RRI of MSA alone.
pub(super) const TAKEN: &str = "it says no more than that our message was taken";

/// Takes a reply that is about this referral.
pub(super) fn take_of(
    desk: &mut Desk<'_>,
    mut referral: Referral,
    mut reply: Reply,
    brought: Option<Box<Record>>,
    keys: &[ReferralKey],
    doubt: Option<&'static str>,
) -> Result<(), StoreError> {
    reply.reason = reply.reason.and_then(|reason| own_words(desk, reason, &referral));
    let message = desk.message().id;
    let waited = referral.pending_replies.iter().any(|pending| pending.message == message);
    if desk.is_replayed_on(&referral) && !waited {
        // Acted on before.
        desk.link(&referral);
        return Ok(());
    }
    match reply.page.as_ref().and_then(|page| page.form) {
        Some(PageForm::Check) => return checked::take(desk, reply, referral, doubt),
        Some(PageForm::Withdrawal) if referral.status != Status::CancelRequested => {
            desk.explain("the page that took the referral back came back: nothing follows from it");
            desk.link(&referral);
            return Ok(());
        }
        Some(PageForm::Cover | PageForm::Withdrawal) | None => {}
    }
    let letters = Letters::of(desk.store, referral.id)?;
    let letter = letter_answered(desk, &reply, &letters);
    if confirms_withdrawal(desk, &referral, &reply, &letters) {
        desk.explain("it confirms that the referral was taken back from a desk: nothing follows from it");
        desk.link(&referral);
        return Ok(());
    }
    let withdrawal = letter.filter(|letter| letter.purpose == Purpose::Withdrawal);
    if referral.status == Status::CancelRequested
        && reply.outcome == ReplyOutcome::Received
        && (withdrawal.is_some_and(|letter| reply.answers == Some(letter.id)) || is_withdrawal(&reply))
    {
        // "Confirmed", or a tick, said to the letter that asks them to say that they know.
        reply.outcome = ReplyOutcome::Cancelled;
    }
    let doubt = doubt.or(why_unclear(desk, &reply, &referral, &letters));
    match doubt.map_or_else(|| bookings::doubt(desk, &referral, &reply), |why| Ok(Some(why)))? {
        Some(why) => {
            wait_for_person(desk, &mut referral, reply, why);
            if desk.message().answers.is_some() {
                return desk.write_known_as(referral, keys);
            }
        }
        None => {
            referral.pending_replies.retain(|pending| pending.message != message);
            if referral.pending_replies.is_empty() {
                referral.record.release(HeldReason::UnclearReply);
            }
            act_on(desk, &letters, &mut referral, &reply, letter.map(|letter| letter.id));
            let from = SpecialistsNote::Answer(reply.outcome);
            if let Some(why) = reply.page.as_ref().and_then(|page| page.to_read.clone()) {
                // What the boxes say is taken; what is written by hand waits.
                wait_for_person(desk, &mut referral, Reply { outcome: ReplyOutcome::Unclear, ..reply }, &why);
            }
            if let Some(brought) = brought {
                enclose(&mut referral, brought, Some(from));
                // The number that the other side gave it: later messages may quote nothing else.
                return desk.write_known_as(referral, keys);
            }
        }
    }
    desk.write(referral);
    Ok(())
}

/// The words of a reply, without the notes of ours that an HL7 answer repeats: those are none of theirs.
fn own_words(desk: &Desk<'_>, reason: String, referral: &Referral) -> Option<String> {
    if desk.message().protocol != Protocol::Hl7 {
        return Some(reason);
    }
    let is_ours = |line: &&str| referral.record.notes.iter().any(|note| note.lines().any(|known| known == *line));
    let lines: Vec<&str> = reason.lines().filter(|line| !is_ours(line)).collect();
    Some(lines.join("\n")).filter(|text| !text.is_empty())
}

/// Applies a plain reply, once.
fn act_on(desk: &mut Desk<'_>, letters: &Letters, referral: &mut Referral, reply: &Reply, delivery: Option<DeliveryId>) {
    let entry = HistoryEntry { delivery, ..desk.entry(reply.happened()) };
    if referral.history.iter().any(|known| known.message == entry.message && known.event == entry.event) {
        return;
    }
    let config = desk.config;
    let today = today(&config.settings, desk.now);
    match bookings::told_apart(&mut referral.record, referral.status, reply, today) {
        None => apply(letters, config, desk.decision(), referral, reply, entry),
        Some(stands) => {
            referral.record_event(entry);
            let entry = HistoryEntry { delivery, ..desk.entry(stands.happened()) };
            apply(letters, config, desk.decision(), referral, &stands, entry);
        }
    }
}

/// Has a reply wait for a person, with the engine's best reading beside it.
pub(super) fn wait_for_person(desk: &Desk<'_>, referral: &mut Referral, reading: Reply, why: &str) {
    let message = desk.message().id;
    referral.record.hold(HeldReason::UnclearReply);
    referral.pending_replies.retain(|pending| pending.message != message);
    referral.pending_replies.push(PendingReply { message, reading, why: why.to_owned() });
    let event = desk.entry(HistoryEvent::Unclear);
    referral.record_event(event);
}

/// The referral that an answer is about; none: the message is held, and says what is not clear.
pub(super) fn referral_of(
    desk: &mut Desk<'_>,
    what: &str,
    reference: Option<&str>,
    keys: &[ReferralKey],
    record: Option<&Record>,
) -> Result<Option<Referral>, StoreError> {
    let reference = reference.and_then(|text| text.parse::<Reference>().ok());
    let found = match finding::answered(desk, reference.as_ref(), keys, record)? {
        Whose::Nobodys => finding::likely(desk, record)?.map_or(Whose::Nobodys, |known| Whose::One(Box::new(known))),
        found @ (Whose::One(_) | Whose::OtherPatients | Whose::Several) => found,
    };
    let assign = "say which it is, by `loopline messages assign`";
    let why = match found {
        Whose::One(known) if record.is_none_or(|record| sameness::same_patient(&known.record, record)) => {
            return Ok(Some(*known));
        }
        Whose::One(_) | Whose::OtherPatients => {
            format!("a {what} with the number of one referral and the name of another patient: ask its sender")
        }
        Whose::Several => format!("a {what}, but it fits several referrals: {assign}"),
        Whose::Nobodys => format!("a {what}, but it is not clear to which referral: {assign}"),
    };
    desk.hold_message(&why)?;
    Ok(None)
}

/// A page that is known by its printed reference, or by a code without our token.
pub(super) const UNPROVEN_PAGE: &str =
    "the page bears the reference without the token of our request, so anybody could have made it";

/// Why a person must decide; absent: it is plain.
fn why_unclear(desk: &Desk<'_>, reply: &Reply, referral: &Referral, letters: &Letters) -> Option<&'static str> {
    if reply.outcome == ReplyOutcome::Unclear {
        return Some("what it says is not plain");
    }
    if let Some(why) = does_not_fit(referral.status, reply, desk.message().protocol) {
        return Some(why);
    }
    let is_yes = matches!(reply.outcome, ReplyOutcome::Accepted | ReplyOutcome::Received);
    if desk.message().protocol == Protocol::Hl7 && is_yes && reply.reason.as_deref().is_some_and(sets_a_condition) {
        return Some("its code says yes, and its words set a condition or ask for something: read them, then say what it means");
    }
    if desk.message().assigned.is_some() {
        // A person vouches for it.
        return None;
    }
    match desk.message().protocol {
        Protocol::Hl7 => unvouched(desk).or_else(|| unasked(desk, letters, referral)),
        Protocol::Document if reply.matched_by.as_deref() != Some("token") => Some(UNPROVEN_PAGE),
        Protocol::Document => {
            let has_left = |delivery: &&Delivery| matches!(delivery.state, DeliveryState::InFlight | DeliveryState::Sent);
            let asked = letters.to_specialists().filter(has_left);
            let desks: BTreeSet<&str> = asked.map(|delivery| delivery.to.as_str()).collect();
            match desks.len() {
                0 => Some("a page came back, but nobody was asked yet"),
                1 => None,
                _ => Some("several desks were asked, and the page does not say which one sends it back"),
            }
        }
        Protocol::Mail if reply.matched_by.as_deref() != Some("token") => {
            Some("it quotes the reference without the token of our request, so anybody could have written it")
        }
        Protocol::Mail => {
            let from = desk.message().sender.as_deref().unwrap_or_default();
            let now_with = letters.asked_desks();
            let time_zone = TimeZone::get(&desk.config.settings.time_zone).unwrap_or(TimeZone::UTC);
            let mut answering = letters.to_specialists().filter(|delivery| is_to(delivery, from)).peekable();
            if answering.peek().is_none() {
                return Some("it comes from an address that was not asked");
            }
            let asked = letters.to_specialists().filter(|delivery| is_to(delivery, from));
            if let Some(why) =
                compared::differs(reply, &referral.record, asked.map(|delivery| delivery.queued_at).min(), &time_zone)
            {
                return Some(why);
            }
            let has_it = answering.any(|delivery| now_with.is_empty() || now_with.iter().any(|asked| asked.to == delivery.to));
            (!has_it).then_some(TAKEN_FROM)
        }
    }
}

/// Whether an answer that says "cancelled as requested" means the letter by which its desk was told that another one is asked. Where nothing
/// tells the desks apart, a person must.
fn confirms_withdrawal(desk: &Desk<'_>, referral: &Referral, reply: &Reply, letters: &Letters) -> bool {
    desk.message().protocol == Protocol::Hl7
        && reply.outcome == ReplyOutcome::Cancelled
        && !matches!(referral.status, Status::CancelRequested | Status::Cancelled | Status::Closed)
        && unasked(desk, letters, referral) == Some(TAKEN_FROM)
        && letters.to_specialists().any(|one| one.purpose == Purpose::Withdrawal && one.may_have_arrived())
}

fn is_withdrawal(reply: &Reply) -> bool {
    reply.page.as_ref().is_some_and(|page| page.form == Some(PageForm::Withdrawal))
}

/// The letter that is answered: by a mail the one that it names, or the last one to its desk; by HL7 the one whose answer it is.
fn letter_answered<'l>(desk: &Desk<'_>, reply: &Reply, letters: &'l Letters) -> Option<&'l Delivery> {
    if let Some(delivery) = desk.message().answers {
        return letters.find(delivery);
    }
    if desk.message().protocol != Protocol::Mail {
        return None;
    }
    let from = desk.message().sender.as_deref().unwrap_or_default();
    let to_them = letters.to_specialists().filter(|delivery| is_to(delivery, from));
    to_them.max_by_key(|delivery| (reply.answers == Some(delivery.id), delivery.queued_at))
}

/// Why a person must see a reply to a referral that is over, or is to be cancelled: the desk goes on with it, or may.
fn does_not_fit(status: Status, reply: &Reply, protocol: Protocol) -> Option<&'static str> {
    use ReplyOutcome::{
        Accepted, Cancelled, Completed, Declined, NeedsInformation, NoShow, NotReceived, PatientDeclined, PatientUnreachable,
        Received, Redirected, Scheduled, WrongRecipient,
    };
    match (status, reply.outcome) {
        (Status::Cancelled, Accepted | Scheduled | Completed | NeedsInformation | NoShow) => Some(
            "the referral is cancelled here, and the desk goes on with it: tell the desk, then put the reply aside, or reopen it",
        ),
        (Status::Closed, Scheduled | NeedsInformation) => {
            Some("the report is back, and the desk goes on with it: read the reply, then put it aside, or reopen the referral")
        }
        (Status::Declined, Accepted | Received) => {
            Some("it was declined before, and now the desk goes on with it: say what it means, or put the reply aside")
        }
        (Status::Completed | Status::Closed, Declined | PatientDeclined) => Some(
            "the visit took place, as was said before, and now it is declined: ask the desk, then put the reply aside, or say what it means",
        ),
        (Status::Cancelled | Status::Closed, WrongRecipient) => Some(
            "the referral is over, and its desk says that it was not for it: correct the directory, then put the reply aside",
        ),
        (
            Status::CancelRequested,
            Accepted | Scheduled | NeedsInformation | NoShow | NotReceived | PatientUnreachable | Redirected,
        ) => Some(
            "the sender asked to cancel it, and the desk does not say that it knows: tell the desk, then `reject` the referral, or `reopen` it",
        ),
        (Status::CancelRequested, Received) if protocol == Protocol::Mail && reply.answers.is_none() => Some(
            "the sender asked to cancel it, and the mail does not say whether it answers that or the request: ask the desk, then `reject` \
             the referral, or put the reply aside",
        ),
        (Status::CancelRequested | Status::Cancelled | Status::Closed, Cancelled) => None,
        (_, Cancelled) if protocol != Protocol::Document => {
            Some("it speaks of a cancellation that nobody asked for: ask the desk what it means")
        }
        _ => None,
    }
}

fn is_to(delivery: &Delivery, desk: &str) -> bool {
    address(delivery).is_some_and(|to| email::same_desk(to, desk))
}

pub(super) fn address(delivery: &Delivery) -> Option<&str> {
    match &delivery.content {
        Some(Content::Email(mail)) => Some(&mail.to),
        Some(Content::Fax(_) | Content::Hl7(_)) | None => None,
    }
}

/// Applies a plain reply to a referral: the history, the appointment, what follows from it. `entry` says who brought it.
pub(super) fn apply(
    letters: &Letters,
    config: &Config,
    decision: &mut Decision,
    referral: &mut Referral,
    reply: &Reply,
    entry: HistoryEntry,
) {
    let denied = |entry: &HistoryEntry| matches!(entry.event, HistoryEvent::Replied { outcome: ReplyOutcome::NotReceived, .. });
    let denied_before = referral.history.iter().any(denied);
    let now = entry.at;
    referral.record_event(entry);
    if let Some(appointment) = &reply.appointment {
        referral.record.appointment = Some(appointment.clone());
    }
    match reply.outcome {
        ReplyOutcome::AppointmentCancelled => referral.record.appointment = None,
        ReplyOutcome::NotReceived if referral.status == Status::CancelRequested => {}
        ReplyOutcome::NotReceived if denied_before => referral.record.hold(HeldReason::NotReceived),
        ReplyOutcome::NotReceived => {
            if let Some(asked) = letters.asked() {
                let target = RouteTarget { through: asked.through.clone(), to: asked.to.clone() };
                decision.deliveries.extend(route::to_specialist(config, Purpose::ConfirmationRequest, &target, referral.id, now));
            }
        }
        ReplyOutcome::WrongRecipient => {
            referral.record.hold(HeldReason::WrongRecipient);
            decision.withdraw.extend(letters.not_sent());
        }
        ReplyOutcome::Redirected => {
            decision.withdraw.extend(letters.not_sent());
            if referral.status == Status::Redirected {
                // Somebody must say to whom it goes now.
                referral.record.hold(HeldReason::NoRoute);
            }
        }
        // Whoever says no has no appointment for it, and is not asked by what still waits to leave.
        ReplyOutcome::Declined | ReplyOutcome::PatientDeclined | ReplyOutcome::Cancelled => {
            referral.record.clear_appointments();
            decision.withdraw.extend(letters.not_sent());
        }
        ReplyOutcome::Received
        | ReplyOutcome::Accepted
        | ReplyOutcome::Scheduled
        | ReplyOutcome::NeedsInformation
        | ReplyOutcome::Completed
        | ReplyOutcome::NoShow
        | ReplyOutcome::PatientUnreachable
        | ReplyOutcome::Unclear => {}
    }
    let wrong = referral.record.held.contains(&HeldReason::WrongRecipient);
    if wrong && says_it_is_theirs(reply.outcome) && letters.wrong_desks(referral).is_empty() {
        referral.record.release(HeldReason::WrongRecipient);
    }
    // Somebody has it, or it is over: that nobody was found for it holds no more.
    let has_an_answer = !matches!(referral.status, Status::New | Status::Requested | Status::Redirected);
    if has_an_answer {
        referral.record.no_longer_without_route();
        referral.record.release(HeldReason::RequestSkipped);
    }
    if referral.status == Status::Cancelled {
        referral.record.held.retain(|reason| *reason == HeldReason::UnclearReply && !referral.pending_replies.is_empty());
    }
}

/// An out-of-office answer or a ticket robot: kept with the referral's messages, moves nothing.
pub(super) fn keep_automatic(desk: &mut Desk<'_>, reply: Option<&Reply>) -> Result<(), StoreError> {
    let reference = reply.and_then(|reply| reply.reference.as_deref()).and_then(|text| text.parse::<Reference>().ok());
    if let Some(reference) = reference
        && let Some(referral) = desk.store.referral_by_reference(&reference)?
    {
        desk.link(&referral);
    }
    Ok(())
}
