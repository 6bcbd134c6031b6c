//! What the specialist's system says of a referral that was sent to it: RRI, 360X order messages, bookings, results and letters.

use super::{
    Hl7Message, Hl7Rules,
    draft::{self, in_zone},
    identity::Identity,
    payload::is_document,
    purpose::{Booking, Progress, Purpose},
};
use crate::{
    normalize::{Kind, Outcome},
    protocols::hl7::{Message, Precision, Segment, read_date},
    referral::{Appointment, IsoDate, Problem, Reply, ReplyOutcome},
};

/// What is marked of an answer: a name or a practice that was read where none belongs. Its gaps are nobody's to fill: the referral itself
/// is known already.
const MARKED: [&str; 4] = ["name-elsewhere", "organization-elsewhere", "name-is-organization", "name-in-one-piece"];

/// LOINC codes of consultation notes and reports.
const REPORT_CODES: [&str; 4] = ["11488-4", "34117-2", "51845-6", "34109-9"];

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
    let (kind, reply) = match purpose {
        Purpose::Report
            if is_authenticated(message) && findings(message).iter().any(|it| it.is_note(message) || it.is_document()) =>
        {
            (Kind::Report, Some(reply))
        }
        // Laboratory values, a draft, a discharge summary: kept, closes nothing.
        Purpose::Report => (Kind::Document, None),
        Purpose::Respond if carries_report(&read.header.event, message) => (Kind::Report, Some(reply)),
        Purpose::Order(Progress::Done) if !findings(message).is_empty() => (Kind::Report, Some(reply)),
        Purpose::Ask(_) | Purpose::Respond | Purpose::Order(_) | Purpose::Book(_) => (Kind::Reply, Some(reply)),
    };
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
        Purpose::Book(Booking::Booked) => ReplyOutcome::Scheduled,
        Purpose::Book(Booking::Cancelled) => ReplyOutcome::AppointmentCancelled,
        Purpose::Book(Booking::Missed) => ReplyOutcome::NoShow,
        Purpose::Report | Purpose::Ask(_) => ReplyOutcome::Unclear,
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
        reason: Some(said.join("\n")).filter(|text| has_reason(outcome) && !text.is_empty()),
        quote: quote(message).or_else(|| said.first().cloned()),
        confidence: if outcome == ReplyOutcome::Unclear { 0.0 } else { 1.0 },
        page: None,
        ..Reply::unread()
    }
}

fn has_reason(outcome: ReplyOutcome) -> bool {
    matches!(
        outcome,
        ReplyOutcome::Declined | ReplyOutcome::Cancelled | ReplyOutcome::AppointmentCancelled | ReplyOutcome::NoShow
    )
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
    Some(Appointment { at, with })
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

/// An observation whose value holds, under the order that it belongs to.
struct Finding<'t, 'm> {
    order: Option<Segment<'t, 'm>>,
    value: Segment<'t, 'm>,
}

/// The observations that hold: neither OBX-11 (table 0085) calls them preliminary, partial, wrong or deleted, nor does OBR-25 above them
/// say anything but final or corrected. Where nothing is said, it was sent as it is.
fn findings<'t, 'm>(message: &'m Message<'t>) -> Vec<Finding<'t, 'm>> {
    let mut order: Option<Segment<'t, 'm>> = None;
    let mut found = Vec::new();
    for segment in message.segments() {
        if segment.is("OBR") {
            order = Some(segment);
        }
        let finished = order.is_none_or(|obr| matches!(obr.value(25, 1).to_ascii_uppercase().as_str(), "" | "F" | "C"));
        let status = segment.value(11, 1).to_ascii_uppercase();
        let stands = !matches!(status.as_str(), "D" | "I" | "N" | "O" | "P" | "R" | "S" | "W" | "X");
        if segment.is("OBX") && finished && stands && !segment.field(5).is_empty() {
            found.push(Finding { order, value: segment });
        }
    }
    found
}

impl Finding<'_, '_> {
    fn is_document(&self) -> bool {
        is_document(&self.value)
    }

    fn is_text(&self) -> bool {
        matches!(self.value.value(2, 1).as_ref(), "FT" | "TX")
    }

    /// A consultation note by its code: OBR-4, OBX-3, or TXA-2 of a medical document.
    fn is_note(&self, message: &Message<'_>) -> bool {
        let coded = [Some(self.value.value(3, 1)), self.order.map(|obr| obr.value(4, 1))];
        let consultation = matches!(message.value("TXA", 2).to_ascii_uppercase().as_str(), "CN" | "CONSULT");
        consultation || coded.into_iter().flatten().any(|code| REPORT_CODES.contains(&code.as_ref()))
    }

    /// Whether its order says that it is a finished result.
    fn is_result(&self) -> bool {
        self.order.is_some_and(|obr| matches!(obr.value(25, 1).to_ascii_uppercase().as_str(), "F" | "C"))
    }

    /// Whether it says when it was observed.
    fn is_dated(&self) -> bool {
        let day_of_order = self.order.is_some_and(|obr| [7, 22].into_iter().any(|field| !obr.field(field).is_empty()));
        day_of_order || !self.value.field(14).is_empty()
    }

    /// Whether it is called a paper about the visit or the answer: an invitation, a confirmation.
    fn is_about_the_visit(&self) -> bool {
        const WORDS: [&str; 12] = [
            "appointment",
            "appointments",
            "appt",
            "booking",
            "scheduled",
            "schedule",
            "scheduling",
            "acknowledgement",
            "acknowledgment",
            "acceptance",
            "declined",
            "declination",
        ];
        let title = [2, 5].map(|part| self.value.value(3, part).to_lowercase()).join(" ");
        title.split(|c: char| !c.is_alphanumeric()).any(|word| WORDS.contains(&word))
    }
}

/// Whether a medical document is finished: TXA-17 authenticated. Where nothing is said, it was sent as it is.
fn is_authenticated(message: &Message<'_>) -> bool {
    matches!(message.value("TXA", 17).to_ascii_uppercase().as_str(), "" | "AU" | "LA")
}

/// Whether a response to a referral carries the consultant's findings, and is not the answer itself with its papers: whoever declines, has
/// yet to decide or takes a cancel sends letters too.
fn carries_report(event: &str, message: &Message<'_>) -> bool {
    /// A remark is shorter than what was found.
    const LETTERS_MIN: usize = 120;
    let decides = matches!(message.value("RF1", 1).to_ascii_uppercase().as_str(), "R" | "P" | "C");
    if event == "I14" || decides || !is_authenticated(message) {
        return false;
    }
    let findings = findings(message);
    if findings.iter().any(|it| it.is_note(message) || it.is_result()) {
        return true;
    }
    // What comes unasked, later than the answer, is the report: a document, or text of some length that was written on some day.
    let unasked = || findings.iter().filter(|it| !it.is_about_the_visit());
    let letters: usize = unasked().filter(|it| it.is_text() && it.is_dated()).map(|it| it.value.field(5).raw().len()).sum();
    message.first("MSA").is_none() && (unasked().any(Finding::is_document) || letters >= LETTERS_MIN)
}
