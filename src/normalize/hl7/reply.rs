//! What the specialist's system says of a referral that was sent to it: RRI, 360X order messages, bookings, results and letters.

use super::{
    Hl7Message, Hl7Rules,
    draft::{self, in_zone},
    identity::Identity,
    purpose::{self, Progress, Purpose},
    report::{self, Brings, CALLED_REPORT, PERHAPS_REPORT, REPORT_TAKEN_BACK},
};
use crate::{
    normalize::{Kind, Outcome},
    protocols::hl7::{Message, Precision, Segment, read_date},
    referral::{Appointment, Booking, IsoDate, Problem, Reply, ReplyOutcome},
};

/// What is marked of an answer: a name or a practice that was read where none belongs. Its gaps are nobody's to fill: the referral itself
/// is known already.
const MARKED: [&str; 4] = ["name-elsewhere", "organization-elsewhere", "name-is-organization", "name-in-one-piece"];

pub(super) fn read(read: &mut Hl7Message, message: &Message<'_>, identity: &Identity, purpose: Purpose, rules: &Hl7Rules) {
    // The record of an answer carries what came along: notes, documents, who it is about.
    let drafted = draft::read(message, &read.header, identity, rules);
    let mut outcome = Outcome { event: None, ..drafted.outcome };
    if let Some(record) = &mut outcome.record {
        record.held.clear();
        let marked = record.problems.iter().filter(|problem| MARKED.contains(&problem.code.as_str()));
        record.review = marked.filter_map(|problem| problem.field.clone()).collect();
    }
    let zone = rules.profile().time_zone.as_deref();
    let reply = answer(&read.header.event, message, identity, purpose, zone);
    let site = &rules.profile().reports;
    let brings = match purpose {
        Purpose::Report => report::in_result(message, site),
        Purpose::Respond => report::in_response(&read.header.event, message, site),
        Purpose::Order(Progress::Done) => report::in_outcome(message, site),
        Purpose::Ask(_) | Purpose::Order(_) | Purpose::Book(_) => Brings::Nothing,
    };
    let has_documents = outcome.record.as_ref().is_some_and(|record| !record.attachments.is_empty());
    let (kind, reply) = match (brings, purpose) {
        // Words alone, in a result or a letter: of no referral of ours, as most are, they are nobody's business here.
        (Brings::Perhaps, Purpose::Report) if !has_documents => (Kind::Document, Some(reply)),
        (Brings::Report | Brings::CalledSo | Brings::Perhaps, _) => (Kind::Report, Some(reply)),
        // Laboratory values, a draft, a discharge summary: kept, closes nothing.
        (Brings::Nothing | Brings::TakenBack, Purpose::Report) => (Kind::Document, Some(reply)),
        (Brings::Nothing | Brings::TakenBack, _) => (Kind::Reply, Some(reply)),
    };
    let doubt = match brings {
        Brings::Perhaps => Some((PERHAPS_REPORT, "nothing in it says that it is the report: it may be another paper")),
        Brings::CalledSo => Some((CALLED_REPORT, "it is called a report; with the first answer it may be another paper")),
        Brings::TakenBack => {
            Some((REPORT_TAKEN_BACK, "it says that a report which was sent before is wrong, or is not to be had"))
        }
        Brings::Report | Brings::Nothing => None,
    };
    if let (Some((code, text)), Some(record)) = (doubt, &mut outcome.record) {
        record.problems.push(Problem::new(code, text));
    }
    if let (Some(record), Some(said)) = (&mut outcome.record, &reply)
        && matches!(said.outcome, ReplyOutcome::Accepted | ReplyOutcome::Received)
        && message.all("NTE").any(|nte| speaks_of_an_appointment(&nte.field(3).text()))
    {
        let text = "a note names a time for an appointment, which no field of the message does: read the note and enter it";
        record.problems.push(Problem::at("appointment-in-words", "appointment.at", text));
        record.mark("appointment.at");
    }
    if identity.reference.is_none() && kind != Kind::Document {
        let text = "the answer does not quote our reference: it is matched by the sender's number, else by a person";
        outcome.problems.push(Problem::new("reply-without-reference", text));
    }
    outcome.kind = kind;
    outcome.reply = reply;
    read.outcome = outcome;
    read.warnings.clear();
}

fn answer(event: &str, message: &Message<'_>, identity: &Identity, purpose: Purpose, zone: Option<&str>) -> Reply {
    let outcome = match purpose {
        Purpose::Respond => match responded(event, message) {
            // Some say in the same message when the visit is.
            ReplyOutcome::Accepted if books(message) => ReplyOutcome::Scheduled,
            outcome => outcome,
        },
        Purpose::Order(Progress::Outcome(outcome)) => outcome,
        // Done, and no note with it: the visit has happened, the report is owed.
        Purpose::Order(Progress::Done) => ReplyOutcome::Completed,
        Purpose::Book(purpose::Booking::Booked) => ReplyOutcome::Scheduled,
        Purpose::Book(purpose::Booking::Cancelled) => ReplyOutcome::AppointmentCancelled,
        Purpose::Book(purpose::Booking::Missed) => ReplyOutcome::NoShow,
        Purpose::Book(purpose::Booking::Pending) => ReplyOutcome::Received,
        Purpose::Book(purpose::Booking::Unclear) | Purpose::Report | Purpose::Ask(_) => ReplyOutcome::Unclear,
    };
    let said = said(message);
    let appointment = if outcome == ReplyOutcome::Scheduled { appointment(message, zone) } else { None };
    Reply {
        reference: identity.reference.as_ref().map(|reference| reference.as_str().to_owned()),
        matched_by: Some(if identity.reference.is_some() { "reference" } else { "identifier" }.to_owned()),
        answers: None,
        received: (outcome != ReplyOutcome::Unclear).then_some(true),
        outcome,
        appointment,
        booking: booking(message).map(|numbers| Booking { numbers, moves: event == "S13" }),
        reason: Some(said.join("\n")).filter(|text| has_reason(outcome) && !text.is_empty()),
        quote: quoted(quote(message), &said),
        confidence: if outcome == ReplyOutcome::Unclear { 0.0 } else { 1.0 },
        page: None,
        ..Reply::unread()
    }
}

fn has_reason(outcome: ReplyOutcome) -> bool {
    matches!(
        outcome,
        ReplyOutcome::Declined
            | ReplyOutcome::Cancelled
            | ReplyOutcome::AppointmentCancelled
            | ReplyOutcome::NoShow
            | ReplyOutcome::Accepted
            | ReplyOutcome::Received
    )
}

/// The code that was relied on, and the words beside it.
fn quoted(code: Option<String>, said: &[String]) -> Option<String> {
    let words = Some(said.join(" / ")).filter(|words| !words.is_empty());
    match (code, words) {
        (Some(code), Some(words)) => Some(format!("{code}: {words}")),
        (code, words) => code.or(words),
    }
}

/// What sets a condition, or asks for something, in the words beside a code that says yes.
const CONDITIONS: [&str; 32] = [
    "only if",
    "if you",
    "provided that",
    "providing that",
    "unless",
    "subject to",
    "on condition",
    "conditional",
    "otherwise declin",
    "otherwise we",
    "until",
    "before we",
    "once we",
    "please send",
    "please fax",
    "please forward",
    "send us",
    "fax us",
    "cannot",
    "can not",
    "can't",
    "unable to see",
    "unable to accept",
    "not able to",
    "not accept",
    "awaiting the",
    "waiting for",
    "we need",
    "we require",
    "is required",
    "are required",
    "pending",
];

/// Whether words beside a code that says yes set a condition, or ask for something, so that a person must read them.
pub(crate) fn sets_a_condition(words: &str) -> bool {
    let words = words.to_lowercase().replace('\u{2019}', "'");
    CONDITIONS.iter().any(|condition| words.contains(condition))
}

/// What an RRI says by RF1-1. In answer to a change or a cancel a rejection can mean that request as well as the referral.
fn responded(event: &str, message: &Message<'_>) -> ReplyOutcome {
    if matches!(message.value("MSA", 1).to_ascii_uppercase().as_str(), "AE" | "AR" | "CE" | "CR") {
        return ReplyOutcome::Unclear;
    }
    match (event, message.value("RF1", 1).to_ascii_uppercase().as_str()) {
        (_, "P") => ReplyOutcome::Received,
        ("I14", "A" | "C") => ReplyOutcome::Cancelled,
        // Without a status only MSA can say that the cancel was taken.
        ("I14", "") if message.value("MSA", 1).eq_ignore_ascii_case("AA") => ReplyOutcome::Cancelled,
        ("I13" | "I14", "R") => ReplyOutcome::Unclear,
        (_, "A") => ReplyOutcome::Accepted,
        (_, "R") => ReplyOutcome::Declined,
        // RF1 is optional. Without it, and without a word, the answer says no more than that they have the message: it quotes nothing.
        ("I12" | "I13", "")
            if message.value("MSA", 1).eq_ignore_ascii_case("AA") && !valued(message) && said(message).is_empty() =>
        {
            ReplyOutcome::Received
        }
        _ => ReplyOutcome::Unclear,
    }
}

/// The words of an answer: notes, the reason of an order (ORC-16) and of a booking (SCH-6).
fn said(message: &Message<'_>) -> Vec<String> {
    let coded = |name: &str, field: usize| {
        let reason = message.first(name)?.field(field).first();
        let words = [reason.value(2), reason.value(9), reason.value(1)].into_iter().find(|text| !text.is_empty())?;
        Some(words.into_owned())
    };
    let notes = message.all("NTE").map(|nte| nte.field(3).text()).filter(|text| !text.is_empty());
    [coded("ORC", 16), coded("SCH", 6)].into_iter().flatten().chain(notes).collect()
}

/// The code that was relied on, as sent.
fn quote(message: &Message<'_>) -> Option<String> {
    let places = [("RF1", 1), ("ORC", 1), ("SCH", 25)];
    let raw = places.into_iter().filter_map(|(name, field)| Some(message.first(name)?.field(field).raw()));
    raw.map(str::trim).find(|raw| !raw.is_empty()).map(str::to_owned)
}

/// When and with whom the visit is: the service first, then the timing, then the resources. In the zone that the
/// sender's profile names, else local to the specialist, unless it has an offset.
fn appointment(message: &Message<'_>, zone: Option<&str>) -> Option<Appointment> {
    let places = [("AIS", 4, 1), ("TQ1", 7, 1), ("SCH", 11, 4), ("AIL", 6, 1), ("AIP", 6, 1), ("AIG", 8, 1)];
    let dates = places.into_iter().filter_map(|(name, field, component)| {
        read_date(&message.first(name)?.value(field, component)).ok().filter(|date| date.precision >= Precision::Day)
    });
    let date = dates.into_iter().next()?;
    let at = IsoDate::parse(&zone.map_or_else(|| date.clone(), |zone| in_zone(date.clone(), zone)).iso)?;
    let person = |segment: Segment<'_, '_>, field: usize| {
        let parts = [6, 3, 2].map(|number| segment.value(field, number));
        let name = parts.iter().filter(|part| !part.is_empty()).map(AsRef::as_ref).collect::<Vec<&str>>().join(" ");
        Some(name).filter(|name| !name.is_empty())
    };
    let with = [("AIP", 3), ("SCH", 16), ("SCH", 12)].into_iter().find_map(|(name, field)| person(message.first(name)?, field));
    Some(Appointment { at, with, booking: booking(message).unwrap_or_default() })
}

/// The numbers of an appointment in the calendars that it stands in: the filler's (SCH-2) and the placer's (SCH-1).
fn booking(message: &Message<'_>) -> Option<Vec<String>> {
    let sch = message.first("SCH")?;
    let numbers = [(2, "filler"), (1, "placer")].map(|(field, whose)| (sch.value(field, 1), whose));
    let numbers = numbers.into_iter().filter(|(number, _)| !number.is_empty());
    let numbers: Vec<String> = numbers.map(|(number, whose)| format!("{whose} {number}")).collect();
    Some(numbers).filter(|numbers| !numbers.is_empty())
}

/// Whether free text speaks of an appointment and holds a day in figures or a time of day.
fn speaks_of_an_appointment(text: &str) -> bool {
    let text = text.to_lowercase();
    let speaks = ["appointment", "booked", "scheduled", "appt"].iter().any(|word| text.contains(word));
    let is_moment = |word: &str| {
        let word = word.trim_matches(|symbol: char| !symbol.is_ascii_digit());
        let parts: Vec<&str> = word.split(['/', '.', '-', ':']).collect();
        let figures = parts.iter().all(|part| (1..=4).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit()));
        figures && (parts.len() == 3 || (parts.len() == 2 && word.contains(':')))
    };
    speaks && text.split_whitespace().any(is_moment)
}

/// Whether an answer says when the visit is. A timing of its own (TQ1) may be what was asked for.
fn books(message: &Message<'_>) -> bool {
    ["SCH", "AIS", "AIG", "AIL", "AIP"].into_iter().any(|name| message.first(name).is_some())
        && appointment(message, None).is_some()
}

fn valued(message: &Message<'_>) -> bool {
    message.all("OBX").any(|obx| !obx.field(5).is_empty())
}
