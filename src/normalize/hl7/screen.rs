//! What is refused, in the order of chapter 2: message type, event, version, processing id; then sender; then content.

use std::collections::BTreeSet;

use super::{Header, Hl7Rules, Refusal};
use crate::protocols::hl7::{Message, Segment};

/// Why this message is refused, if it is.
pub(super) fn refusal(header: &Header, message: &Message<'_>, rules: &Hl7Rules) -> Option<Refusal> {
    addressed_wrongly(header, rules).or_else(|| if header.message_type == "REF" { patient_missing(message) } else { None })
}

fn addressed_wrongly(header: &Header, rules: &Hl7Rules) -> Option<Refusal> {
    if !matches!(header.message_type.as_str(), "REF" | "RRI") {
        let text = "this kind of message is not taken here: REF and RRI are";
        return Some(Refusal::reject(200, "MSH^1^9^1^1", text));
    }
    if !matches!(header.event.as_str(), "I12" | "I13" | "I14" | "I15") && !rules.profile().takes(&header.event) {
        return Some(Refusal::reject(201, "MSH^1^9^1^2", "this event is not taken here: I12, I13, I14 and I15 are"));
    }
    if !header.version.supported {
        return Some(Refusal::reject(203, "MSH^1^12", "this version is not taken here: 2.2 to 2.9 are"));
    }
    let id = header.first_component(11);
    let id = if id.is_empty() { rules.profile().blank_processing_id.as_str() } else { id.as_str() };
    if !rules.accept_processing_ids.iter().any(|taken| taken.eq_ignore_ascii_case(id)) {
        let taken = rules.accept_processing_ids.join(", ");
        return Some(Refusal::reject(202, "MSH^1^11", format!("this processing id is not taken here: {taken} is")));
    }
    let (whole, short) = (header.sender(), header.short_sender());
    if !rules.senders.is_empty() && !rules.senders.iter().any(|sender| *sender == whole || *sender == short) {
        return Some(Refusal::reject(207, "MSH^1^3", "this sending application and facility is not configured here"));
    }
    if !header.raw.text(14).is_empty() {
        return Some(Refusal::reject(207, "MSH^1^14", "messages in several fragments are not taken here"));
    }
    None
}

fn patient_missing(message: &Message<'_>) -> Option<Refusal> {
    let Some(first) = message.first("PID") else {
        return Some(Refusal::error(101, "PID", "the message has no PID segment: it names no patient"));
    };
    let empty = |field: usize| message.all("PID").all(|pid| pid.field(field).is_empty());
    if [2, 3, 4, 5, 7].into_iter().all(empty) {
        return Some(Refusal::error(101, "PID", "PID has no identifier, no name and no birth date"));
    }
    let known = numbers(&first);
    if message.all("PID").skip(1).any(|other| other_patient(&first, &known, &other)) {
        return Some(Refusal::error(198, "PID^2", "the message is about two patients: send one message each"));
    }
    None
}

/// Whether two PID segments are about two people: their numbers have nothing in common, or without numbers their names differ.
fn other_patient(first: &Segment<'_, '_>, known: &BTreeSet<String>, second: &Segment<'_, '_>) -> bool {
    let theirs = numbers(second);
    if !known.is_empty() && !theirs.is_empty() {
        return known.is_disjoint(&theirs);
    }
    let name = |pid: &Segment<'_, '_>| (pid.value(5, 1).to_lowercase(), pid.value(5, 2).to_lowercase());
    !second.field(5).is_empty() && name(first) != name(second)
}

fn numbers(pid: &Segment<'_, '_>) -> BTreeSet<String> {
    let values = [2, 3, 4].into_iter().flat_map(|field| pid.field(field).repetitions().map(|id| id.value(1).into_owned()));
    values.filter(|value| !value.is_empty()).collect()
}
