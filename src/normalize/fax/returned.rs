//! Our own cover page come back: known by the code on it, or by its printed reference.

use super::layout::text_of;
use crate::{
    reader::{PageReading, Reading},
    referral::{Reference, Reply, ReplyOutcome},
};

/// The reply that a document is, if one of its pages bears a reference of ours.
///
/// What is ticked on it is not read here: the outcome is `unclear`, and a person looks.
pub(super) fn reply(reading: &Reading) -> Option<Reply> {
    let by = |matched_by: &str, confidence: f32, reference: Reference| Reply {
        reference: Some(reference.as_str().to_owned()),
        matched_by: Some(matched_by.to_owned()),
        received: None,
        outcome: ReplyOutcome::Unclear,
        appointment: None,
        reason: None,
        quote: None,
        confidence,
    };
    let coded = reading.pages.iter().find_map(coded).map(|reference| by("code", 0.99, reference));
    coded.or_else(|| reading.pages.iter().find_map(printed).map(|reference| by("reference", 0.9, reference)))
}

fn coded(page: &PageReading) -> Option<Reference> {
    page.codes.iter().find_map(|code| reference_in(&code.text))
}

fn printed(page: &PageReading) -> Option<Reference> {
    page.words.iter().enumerate().find_map(|(at, word)| {
        reference_in(&word.text).or_else(|| {
            // The recognizer may part it at its dashes.
            let few = page.words.get(at..(at + 3).min(page.words.len()))?;
            word.text.to_uppercase().starts_with("LL").then(|| reference_in(&text_of(few).replace(' ', "-")))?
        })
    })
}

/// The first well-formed reference in a text, `LL` and dashes included: eight letters alone are any word.
fn reference_in(text: &str) -> Option<Reference> {
    let upper = text.to_ascii_uppercase();
    upper.match_indices("LL-").find_map(|(at, _)| {
        let candidate: String = upper.get(at..)?.chars().filter(|c| !c.is_whitespace()).take(12).collect();
        let dashed = candidate.chars().nth(7) == Some('-');
        dashed.then(|| candidate.parse().ok())?
    })
}
