//! What a message is for: by its type and event, and for orders by what ORC says.
//!
//! Two sides speak here. The referrer asks: REF, and the OMG and OSU of a 360X initiator. The specialist answers: RRI, the OMG and OSU
//! of a 360X recipient, bookings (SIU), and reports (ORU, MDM). An order message tells its side by ORC-1 alone.

use super::{Header, Profile, Refusal};
use crate::{normalize::Event, protocols::hl7::Message, referral::ReplyOutcome};

/// The message types that are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MessageType {
    /// Patient referral.
    Ref,
    /// Return referral information.
    Rri,
    /// General clinical order: a 360X request or outcome.
    Omg,
    /// Order status update: a 360X acceptance, refusal or cancellation.
    Osu,
    /// Scheduling notification.
    Siu,
    /// Observation result.
    Oru,
    /// Medical document.
    Mdm,
}

impl MessageType {
    const ALL: [(&'static str, Self); 7] = [
        ("REF", Self::Ref),
        ("RRI", Self::Rri),
        ("OMG", Self::Omg),
        ("OSU", Self::Osu),
        ("SIU", Self::Siu),
        ("ORU", Self::Oru),
        ("MDM", Self::Mdm),
    ];

    /// The type with this name in upper case.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(known, _)| *known == name).map(|(_, it)| it)
    }

    /// The events of it that are taken.
    fn events(self) -> &'static [&'static str] {
        match self {
            Self::Ref | Self::Rri => &["I12", "I13", "I14", "I15"],
            Self::Omg => &["O19"],
            Self::Osu => &["O51"],
            Self::Siu => &["S12", "S13", "S15", "S26"],
            Self::Oru => &["R01"],
            Self::Mdm => &["T02"],
        }
    }
}

/// What a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The referrer asks.
    Ask(Event),
    /// The specialist answers a referral (RRI).
    Respond,
    /// The specialist says how the order stands (OMG, OSU).
    Order(Progress),
    /// The specialist's calendar says something (SIU).
    Book(Booking),
    /// A result or a letter (ORU, MDM): the report, or a document.
    Report,
}

/// How an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// It comes to this.
    Outcome(ReplyOutcome),
    /// It is done: with a note it is the report.
    Done,
}

/// What happened to an appointment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Booking {
    /// S12, S13.
    Booked,
    /// S12 that SCH-25 calls pending: they have it, and the day is not confirmed.
    Pending,
    /// S15.
    Cancelled,
    /// S26, or what SCH-25 calls so.
    Missed,
    /// The event says that it is booked, and SCH-25 that it is not.
    Unclear,
}

/// Why the type and event of a message are not taken, if they are not.
pub(super) fn refusal(header: &Header, profile: &Profile) -> Option<Refusal> {
    let Some(kind) = MessageType::named(&header.message_type) else {
        let text = "this kind of message is not taken here: REF, RRI, OMG, OSU, SIU, ORU and MDM are";
        return Some(Refusal::reject(200, "MSH^1^9^1^1", text));
    };
    // In 2.2 and 2.3 some leave the event of a result out: there is only one.
    let unsaid = kind == MessageType::Oru && header.event.is_empty();
    let opted_in = kind == MessageType::Ref && profile.takes(&header.event);
    if unsaid || opted_in || kind.events().contains(&header.event.as_str()) {
        return None;
    }
    let text = format!("this event is not taken here: of {} {} are", header.message_type, kind.events().join(", "));
    Some(Refusal::reject(201, "MSH^1^9^1^2", text))
}

/// What a message is for. Its type and event were found to be taken.
pub(super) fn of(header: &Header, message: &Message<'_>, profile: &Profile) -> Purpose {
    match MessageType::named(&header.message_type) {
        Some(MessageType::Ref) | None => Purpose::Ask(match header.event.as_str() {
            "I13" => Event::Change,
            "I14" => Event::Cancel,
            "I15" => Event::StatusRequest,
            _ => profile.codes.event(message).unwrap_or(Event::New),
        }),
        Some(MessageType::Rri) => Purpose::Respond,
        Some(MessageType::Omg) => order(message, Some(Event::New)),
        Some(MessageType::Osu) => order(message, None),
        Some(MessageType::Siu) => Purpose::Book(booking(&header.event, message)),
        Some(MessageType::Oru | MessageType::Mdm) => Purpose::Report,
    }
}

/// What a booking says by its event, and by SCH-25 (table 0278) where that says less. Sites have words of their own for what is booked.
fn booking(event: &str, message: &Message<'_>) -> Booking {
    let status = message.value("SCH", 25).to_ascii_uppercase();
    match (event, status.as_str()) {
        ("S15", _) => Booking::Cancelled,
        ("S26", _) | (_, "NOSHOW" | "NO SHOW" | "NO-SHOW") => Booking::Missed,
        ("S12", "PENDING" | "WAITLIST" | "TENTATIVE") => Booking::Pending,
        (_, "PENDING" | "WAITLIST" | "TENTATIVE" | "CANCELLED" | "CANCELED" | "DC" | "DELETED" | "BLOCKED" | "COMPLETE") => {
            Booking::Unclear
        }
        _ => Booking::Booked,
    }
}

/// ORC-1 (table 0119) tells who speaks; ORC-5 (table 0038) how far the order is. `new` is what an order without an answer is.
fn order(message: &Message<'_>, new: Option<Event>) -> Purpose {
    let control = message.value("ORC", 1).to_ascii_uppercase();
    let status = message.value("ORC", 5).to_ascii_uppercase();
    match (control.as_str(), status.as_str(), new) {
        // Some keep NW in the outcome: what is complete asks for nothing.
        ("" | "NW", status, Some(new)) if status != "CM" => Purpose::Ask(new),
        ("XO" | "XX" | "RP", _, _) => Purpose::Ask(Event::Change),
        ("CA" | "DC", _, _) => Purpose::Ask(Event::Cancel),
        (control, status, _) => Purpose::Order(progress(control, status)),
    }
}

fn progress(control: &str, status: &str) -> Progress {
    match (control, status) {
        // What they agree to is the cancel.
        ("OK", "CA" | "DC") => Progress::Outcome(ReplyOutcome::Cancelled),
        ("OK", _) => Progress::Outcome(ReplyOutcome::Accepted),
        // Unable to accept, or taken off by the filler itself.
        ("UA" | "OC" | "OD", _) => Progress::Outcome(ReplyOutcome::Declined),
        // As requested.
        ("CR" | "DR", _) => Progress::Outcome(ReplyOutcome::Cancelled),
        (_, "CM") => Progress::Done,
        // In process: they have it and are at work.
        ("SC" | "SN" | "RE" | "SS", "IP" | "A") => Progress::Outcome(ReplyOutcome::Accepted),
        ("SC" | "SN" | "SS", "SC") => Progress::Outcome(ReplyOutcome::Scheduled),
        ("SC" | "SN" | "SS", "CA" | "DC") => Progress::Outcome(ReplyOutcome::Declined),
        ("RE", "") => Progress::Done,
        _ => Progress::Outcome(ReplyOutcome::Unclear),
    }
}

impl Purpose {
    /// Whether the referrer speaks.
    pub(super) fn is_asked(self) -> bool {
        matches!(self, Self::Ask(_))
    }

    /// Whether there is no telling what it is about without a patient.
    pub(super) fn needs_patient(self, header: &Header) -> bool {
        match self {
            Self::Ask(Event::New) => true,
            // OSU has an optional PID: its order is named by number.
            Self::Ask(Event::Change | Event::Cancel | Event::StatusRequest) => header.message_type == "REF",
            Self::Respond | Self::Order(_) | Self::Book(_) | Self::Report => false,
        }
    }
}
