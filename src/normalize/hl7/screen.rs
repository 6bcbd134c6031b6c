//! What is refused, in the order of chapter 2: message type, event, version, processing id; then sender; then content.

use std::collections::BTreeSet;

use super::{
    Header, Hl7Rules, Refusal, SenderPattern,
    purpose::{self, Purpose},
};
use crate::protocols::hl7::{Message, Segment};

/// Why this message is none for us, if it is none.
pub(super) fn addressed_wrongly(header: &Header, rules: &Hl7Rules) -> Option<Refusal> {
    let refusal = purpose::refusal(header, rules.profile());
    if refusal.is_some() {
        return refusal;
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
    let is_known = || {
        let (whole, short) = (header.sender(), header.short_sender());
        let fits = |sender: &str| SenderPattern::parse(sender).is_some_and(|pattern| pattern.fits(header));
        rules.senders.iter().any(|sender| *sender == whole || *sender == short || fits(sender))
    };
    if !rules.senders.is_empty() && !is_known() {
        return Some(Refusal::reject(207, "MSH^1^3", "this sending application and facility is not configured here"));
    }
    if !header.raw.text(14).is_empty() {
        return Some(Refusal::reject(207, "MSH^1^14", "messages in several fragments are not taken here"));
    }
    None
}

/// Why its content cannot be taken, if it cannot: it is about nobody, or about two.
pub(super) fn patient_wrong(header: &Header, message: &Message<'_>, purpose: Purpose) -> Option<Refusal> {
    let needed = purpose.needs_patient(header);
    let Some(first) = message.first("PID") else {
        return needed.then(|| Refusal::error(101, "PID", "the message has no PID segment: it names no patient"));
    };
    let empty = |field: usize| message.all("PID").all(|pid| pid.field(field).is_empty());
    if needed && [2, 3, 4, 5, 7].into_iter().all(empty) {
        return Some(Refusal::error(101, "PID", "PID has no identifier, no name and no birth date"));
    }
    let is_other = |other: Segment<'_, '_>| other_patient(&first, &numbers(&first), &other);
    if message.all("PID").skip(1).any(is_other) {
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
