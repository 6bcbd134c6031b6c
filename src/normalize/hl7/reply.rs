//! RRI: what the specialist's system says of a referral that was sent to it.

use super::{Hl7Message, Hl7Rules, draft, identity::Identity};
use crate::{
    normalize::{Kind, Outcome},
    protocols::hl7::Message,
    referral::{Problem, Reply, ReplyOutcome},
};

/// LOINC codes of consultation notes and reports.
const REPORT_CODES: [&str; 4] = ["11488-4", "34117-2", "51845-6", "34109-9"];

pub(super) fn read(read: &mut Hl7Message, message: &Message<'_>, identity: &Identity, rules: &Hl7Rules) {
    // The record of an RRI carries what came along: notes, documents, who it is about.
    let drafted = draft::read(message, &read.header, identity, rules);
    let mut outcome = Outcome { event: None, ..drafted.outcome };
    if let Some(record) = &mut outcome.record {
        // Its gaps are nobody's to fill: the referral itself is known already.
        record.held.clear();
        record.review.clear();
    }
    let reply = answer(message, identity);
    if identity.reference.is_none() {
        let text = "the answer does not quote our reference: it is matched by the sender's number, else by a person";
        outcome.problems.push(Problem::new("reply-without-reference", text));
    }
    outcome.kind = if carries_report(message) { Kind::Report } else { Kind::Reply };
    outcome.reply = Some(reply);
    read.outcome = outcome;
    read.warnings.clear();
}

fn answer(message: &Message<'_>, identity: &Identity) -> Reply {
    let refused = matches!(message.value("MSA", 1).to_ascii_uppercase().as_str(), "AE" | "AR" | "CE" | "CR");
    let status = message.value("RF1", 1).to_ascii_uppercase();
    let (outcome, received) = match (refused, status.as_str()) {
        (true, _) => (ReplyOutcome::Unclear, None),
        (false, "A") => (ReplyOutcome::Accepted, Some(true)),
        (false, "R") => (ReplyOutcome::Declined, Some(true)),
        (false, "P") => (ReplyOutcome::Received, Some(true)),
        (false, _) => (ReplyOutcome::Unclear, None),
    };
    let notes: Vec<String> = message.all("NTE").map(|nte| nte.field(3).text()).filter(|text| !text.is_empty()).collect();
    let reason = Some(notes.join("\n")).filter(|text| outcome == ReplyOutcome::Declined && !text.is_empty());
    let quote = message.first("RF1").map(|rf1| rf1.field(1).raw().to_owned()).filter(|raw| !raw.is_empty());
    Reply {
        reference: identity.reference.as_ref().map(|reference| reference.as_str().to_owned()),
        matched_by: Some(if identity.reference.is_some() { "reference" } else { "identifier" }.to_owned()),
        received,
        outcome,
        appointment: None,
        reason,
        quote: quote.or_else(|| notes.first().cloned()),
        confidence: if outcome == ReplyOutcome::Unclear { 0.0 } else { 1.0 },
    }
}

/// A report carries the consultant's findings: a document, or an observation group that is said to be such a note.
fn carries_report(message: &Message<'_>) -> bool {
    let valued = message.all("OBX").any(|obx| !obx.field(5).is_empty());
    let document = message.all("OBX").any(|obx| obx.value(2, 1).eq_ignore_ascii_case("ED"));
    let coded = message.all("OBR").map(|obr| obr.value(4, 1).into_owned());
    let coded = coded.chain(message.all("OBX").map(|obx| obx.value(3, 1).into_owned()));
    let is_note = coded.into_iter().any(|code| REPORT_CODES.contains(&code.as_str()));
    let is_final = message.all("OBR").any(|obr| matches!(obr.value(25, 1).as_ref(), "F" | "C"));
    // What comes unasked, later than the answer, with text of its own and no longer pending, is the report.
    let text = message.all("OBX").any(|obx| matches!(obx.value(2, 1).as_ref(), "FT" | "TX"));
    let later = message.first("MSA").is_none() && text && !message.value("RF1", 1).eq_ignore_ascii_case("P");
    valued && (document || is_note || is_final || later)
}
