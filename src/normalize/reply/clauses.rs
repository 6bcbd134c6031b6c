//! The clauses of a sentence: what stands between commas, brackets, dashes, and around `and` where both sides are sentences.

use super::statements::{self, Meaning};
use crate::referral::ReplyOutcome;

/// The clauses of a sentence (lower case, days and times marked). What is only a day, a time, a place, a doctor or one more thing to send
/// belongs to the clause before it.
pub(super) fn clauses(sentence: &str) -> Vec<String> {
    let mut clauses: Vec<String> = Vec::new();
    let pieces = sentence.split([',', '(', ')']).flat_map(|piece| piece.split(" - ")).map(str::trim);
    for piece in pieces.filter(|piece| !piece.is_empty()).flat_map(sentences_of) {
        match clauses.last_mut() {
            Some(before) => match companion(before, piece) {
                Some(whole) => *before = whole,
                None => clauses.push(piece.to_owned()),
            },
            None => clauses.push(piece.to_owned()),
        }
    }
    clauses
}

/// A clause with the piece behind it, where that is no clause of its own.
fn companion(before: &str, piece: &str) -> Option<String> {
    const CREDENTIALS: [&str; 8] = ["md", "do", "np", "pa", "pa-c", "aprn", "dnp", "rn"];
    let marks = statements::words(piece).all(|word| word.starts_with('@') || ["on", "at", "for", "the", "and"].contains(&word));
    // `Left three messages, no response`.
    let unanswered = ["no response", "no answer", "no callback", "no call back", "no return call"].contains(&piece)
        && ["left", "lvm", "attempt", "called"].iter().any(|tried| before.contains(tried));
    if marks || unanswered || piece.starts_with("with dr ") || CREDENTIALS.contains(&piece) {
        return Some(format!("{before} {piece}"));
    }
    let says = |outcome| statements::read(before).meanings.contains(&Meaning::Says(outcome));
    let doctor = piece.strip_prefix("dr ").is_some_and(|name| !name.contains(' '));
    if doctor
        && before.contains("@d")
        && (says(ReplyOutcome::Scheduled) || statements::read(before).meanings == [Meaning::Appointment])
    {
        return Some(format!("{before} with {piece}"));
    }
    let more = piece.strip_prefix("and ").unwrap_or(piece);
    (says(ReplyOutcome::NeedsInformation) && statements::names_items(more)).then(|| format!("{before} and {more}"))
}

/// A piece as it is, where it is a known sentence; else what stands before and behind each `and`, or `but`.
fn sentences_of(piece: &str) -> Vec<&str> {
    if !statements::read(piece).meanings.is_empty() {
        return vec![piece];
    }
    let but = piece.find(" but ").map(|at| piece.split_at(at));
    let parts = but.map_or_else(|| vec![piece], |(before, after)| vec![before, after]);
    parts.into_iter().flat_map(|part| part.split(" and ")).map(str::trim).filter(|part| !part.is_empty()).collect()
}
