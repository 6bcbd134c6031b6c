//! The end of the loop: the consultation report comes back, or what may be it, or another paper about the patient.
//!
//! # Design notes
//! What closes a referral is told by `normalize/hl7/report.rs`; here it is told whose it is, and who may send it. A paper that may be the
//! report waits as the message that it is, linked with the referral, and `messages assign` says that it is the report. With the first answer
//! of a desk the answer counts and the paper comes along: a note on the referral says that it may be the report.

use super::{
    decide::Desk,
    finding::{self, Whose},
    replies::{referral_of, take_of},
    sameness,
    told::{Letters, says_it_is_theirs},
    vouched::{unasked, unvouched},
};
use crate::{
    normalize::hl7::{CALLED_REPORT, PERHAPS_REPORT, REPORT_TAKEN_BACK, ReferralKey},
    referral::{HistoryEvent, Problem, Record, Reference, Referral, Reply, ReplyOutcome, SpecialistsNote, Status},
    store::StoreError,
};

/// Why a paper that may be the report closes nothing.
const PERHAPS_THE_REPORT: &str = "it is about a referral, and may be its report or another paper about the patient: read it; `loopline messages \
                                  assign` closes the referral with it, `loopline messages dismiss` says that it is none";

/// What is to be done about a report that is said to be wrong.
const TAKEN_BACK: &str = "it takes back a report, or words about the patient: read it, and compare it with the referral; where the report \
                          that closed it was wrong, `loopline referrals settle` has `reopen`. Then dismiss this";

/// Whether what came has a problem of this code.
fn has_problem(record: Option<&Record>, code: &str) -> bool {
    record.is_some_and(|record| record.problems.iter().any(|problem| problem.code == code))
}

/// The consultation report came back, or what may be it.
pub(super) fn close_loop(
    desk: &mut Desk<'_>,
    reply: Option<Reply>,
    record: Option<Box<Record>>,
    keys: &[ReferralKey],
) -> Result<(), StoreError> {
    let reference = reply.as_ref().and_then(|reply| reply.reference.as_deref());
    let Some(mut known) = referral_of(desk, "report", reference, keys, record.as_deref())? else { return Ok(()) };
    let letters = Letters::of(desk.store, known.id)?;
    if let Some(why) = unvouched(desk).or_else(|| unasked(desk, &letters, &known)) {
        desk.link(&known);
        return desk.hold_message(why);
    }
    let perhaps = has_problem(record.as_deref(), PERHAPS_REPORT);
    let is_doubtful = perhaps || has_problem(record.as_deref(), CALLED_REPORT);
    // A paper that came along with an answer before, and is the report as a person says.
    let is_paper = is_doubtful && desk.message().assigned.is_some() && known.status != Status::Closed;
    if desk.is_replayed_on(&known) && !is_paper {
        desk.link(&known);
        return Ok(());
    }
    let is_answered = !matches!(known.status, Status::New | Status::Requested | Status::Confirmed | Status::Redirected);
    if is_doubtful && !is_answered {
        // It comes with their first answer, which counts; the paper comes along.
        return match reply {
            Some(reply) if says_it_is_theirs(reply.outcome) => {
                known.record.problems.retain(|problem| problem.code != PERHAPS_REPORT);
                let text = "a paper came with the first answer: if it is the report, `loopline messages assign` closes the referral \
                            with that message";
                known.record.problems.push(Problem::new(PERHAPS_REPORT, text));
                take_of(desk, known, reply, record, keys, None)
            }
            _ if desk.message().assigned.is_some() => report(desk, known, record),
            _ => wait_as_paper(desk, &known),
        };
    }
    if perhaps && desk.message().assigned.is_none() {
        let booked = reply.filter(|reply| reply.outcome == ReplyOutcome::Scheduled && known.status != Status::Closed);
        let Some(reply) = booked else { return wait_as_paper(desk, &known) };
        take_of(desk, known, reply, record, keys, None)?;
        return desk.hold_message(PERHAPS_THE_REPORT);
    }
    report(desk, known, record)
}

/// A paper that may be the report waits for a person, unless that is back.
fn wait_as_paper(desk: &mut Desk<'_>, known: &Referral) -> Result<(), StoreError> {
    desk.link(known);
    if known.status == Status::Closed { Ok(()) } else { desk.hold_message(PERHAPS_THE_REPORT) }
}

fn report(desk: &mut Desk<'_>, mut known: Referral, record: Option<Box<Record>>) -> Result<(), StoreError> {
    if let Some(record) = record {
        enclose(&mut known, record, Some(SpecialistsNote::Report));
    }
    known.record.problems.retain(|problem| problem.code != PERHAPS_REPORT);
    let event = desk.entry(HistoryEvent::Reported);
    known.record_event(event);
    desk.write(known);
    Ok(())
}

/// Keeps with a referral the words and documents that somebody sent about it. `from`: what the specialist wrote the words in.
pub(super) fn enclose(referral: &mut Referral, brought: Box<Record>, from: Option<SpecialistsNote>) {
    referral.record.add_notes_of(&brought, from);
    for attachment in brought.attachments {
        if !referral.record.attachments.contains(&attachment) {
            referral.record.attachments.push(attachment);
        }
    }
}

/// A clinical document that asks for nothing: kept as the message it is, and listed with the referral that it names. What a person
/// assigned is part of the referral. Words that may be the report wait for a person.
pub(super) fn keep_document(
    desk: &mut Desk<'_>,
    reply: Option<&Reply>,
    record: Option<Box<Record>>,
    keys: &[ReferralKey],
) -> Result<(), StoreError> {
    let reference = reply.and_then(|reply| reply.reference.as_deref()).and_then(|text| text.parse::<Reference>().ok());
    let Whose::One(mut known) = finding::answered(desk, reference.as_ref(), keys, record.as_deref())? else { return Ok(()) };
    let theirs = record.as_deref().filter(|record| sameness::same_patient(&known.record, record));
    let (perhaps, taken_back) = (has_problem(theirs, PERHAPS_REPORT), has_problem(theirs, REPORT_TAKEN_BACK));
    if desk.message().assigned.is_none() {
        if theirs.is_some() {
            desk.link(&known);
        }
        if taken_back && !desk.is_replayed_on(&known) {
            return desk.hold_message(TAKEN_BACK);
        }
        if perhaps && known.status != Status::Closed && !desk.is_replayed_on(&known) {
            let letters = Letters::of(desk.store, known.id)?;
            let why = unvouched(desk).or_else(|| unasked(desk, &letters, &known)).unwrap_or(PERHAPS_THE_REPORT);
            return desk.hold_message(why);
        }
        return Ok(());
    }
    if desk.is_replayed_on(&known) {
        desk.link(&known);
        return Ok(());
    }
    if perhaps {
        return report(desk, *known, record);
    }
    let file = desk.message().assigned.as_ref().and_then(|assigned| assigned.document.clone());
    let brought = record.unwrap_or_else(|| Box::new(Record { attachments: file.into_iter().collect(), ..Record::default() }));
    enclose(&mut known, brought, None);
    let event = desk.entry(HistoryEvent::Enclosed);
    known.record_event(event);
    desk.write(*known);
    Ok(())
}
