//! From candidates to one value a field: the best reading, how sure it is, and the rivals it had.

use super::candidates::{Candidate, Field, Rank};

/// The chosen reading of a field.
pub(super) struct Choice<'a> {
    pub(super) candidate: &'a Candidate,
    pub(super) confidence: f32,
    /// Other readings of the same weight.
    pub(super) rivals: Vec<String>,
}

/// How sure a reading is at most that another one contests: under any sensible threshold for review.
const CONTESTED_MAX: f32 = 0.8;

/// How alike two values must be to be one reading that OCR got differently.
pub(super) fn same(a: &Candidate, b: &Candidate) -> bool {
    let plain = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase();
    plain(&a.value) == plain(&b.value)
}

/// The best reading among the candidates that a test admits.
///
/// The highest rank that holds a usable reading decides; within it the surest. Equal readings elsewhere, of any rank, confirm it; another
/// reading of the same rank, or of a higher one, is a rival and lowers it under any threshold unless it is far less sure. What a known form
/// alone says never overrules a label unseen: any label is its rival.
pub(super) fn best<'a>(all: &'a [Candidate], admit: impl Fn(&Candidate) -> bool) -> Option<Choice<'a>> {
    const USABLE_MIN: f32 = 0.35;
    let admitted: Vec<&Candidate> = all.iter().filter(|candidate| admit(candidate) && !candidate.value.is_empty()).collect();
    let usable = admitted.iter().filter(|candidate| candidate.confidence >= USABLE_MIN && candidate.failed.is_none());
    let rank = usable.map(|candidate| candidate.rank).max().or_else(|| admitted.iter().map(|candidate| candidate.rank).max())?;
    let support = |candidate: &Candidate| {
        let others = admitted.iter().filter(|other| !std::ptr::eq(**other, candidate) && same(other, candidate));
        others.fold(1.0 - candidate.confidence, |doubt, other| doubt * (1.0 - 0.8 * other.confidence))
    };
    let candidate =
        admitted.iter().copied().filter(|candidate| candidate.rank == rank).min_by(|a, b| support(a).total_cmp(&support(b)))?;
    let mut confidence = if candidate.failed.is_some() { candidate.confidence } else { (1.0 - support(candidate)).min(0.995) };
    let mut rivals: Vec<String> = Vec::new();
    let by_form_alone = candidate.form.as_ref().is_some_and(|form| !form.agreed);
    let contests = |other: &Candidate| other.rank >= rank || (by_form_alone && other.rank >= Rank::Label);
    for other in admitted.iter().filter(|other| contests(other) && !same(other, candidate)) {
        if !rivals.contains(&other.value) {
            rivals.push(other.value.clone());
        }
        if other.confidence > 0.5 * confidence {
            confidence = confidence.min(CONTESTED_MAX);
        }
    }
    if admitted.iter().any(|other| other.rank < rank && other.confidence > 0.5 && misread(candidate, other)) {
        confidence = confidence.min(CONTESTED_MAX);
    }
    // What the page says in the right place and cannot be read may say something else.
    let unread = |other: &Candidate| other.rank > rank || (other.form.is_some() && other.value.is_empty());
    if all.iter().any(|other| admit(other) && unread(other) && other.failed.is_some()) {
        confidence = confidence.min(CONTESTED_MAX);
    }
    Some(Choice { candidate, confidence, rivals })
}

/// Whether two long numbers are nearly one: a digit of one of them was misread, and which one is for a person to see.
fn misread(a: &Candidate, b: &Candidate) -> bool {
    const DIGITS_MIN: usize = 7;
    let digits = |candidate: &Candidate| candidate.value.chars().filter(char::is_ascii_digit).collect::<String>();
    let (a, b) = (digits(a), digits(b));
    a.len() == b.len() && a.len() >= DIGITS_MIN && (1..=2).contains(&strsim::levenshtein(&a, &b))
}

/// The best reading of one field.
pub(super) fn field(all: &[Candidate], field: Field) -> Option<Choice<'_>> {
    best(all, |candidate| candidate.field == field)
}

/// The best family name and the given name of the same mention.
pub(super) fn name(all: &[Candidate], family: Field, given: Field) -> (Option<Choice<'_>>, Option<Choice<'_>>) {
    let chosen = field(all, family);
    let mention = chosen.as_ref().map_or(0, |choice| choice.candidate.mention);
    let beside = best(all, |candidate| candidate.field == given && candidate.mention == mention);
    match (chosen, beside) {
        (Some(chosen), Some(mut beside)) => {
            // Other mentions of the given name confirm or contest it as they do for the family name.
            if let Some(contest) = field(all, given) {
                if same(contest.candidate, beside.candidate) {
                    beside.confidence = contest.confidence;
                } else if contest.candidate.rank >= beside.candidate.rank {
                    beside.confidence = beside.confidence.min(CONTESTED_MAX);
                }
                beside.rivals = contest.rivals;
            }
            (Some(chosen), Some(beside))
        }
        // A given name that stands by itself may be another person's.
        (Some(chosen), None) => {
            let mut alone = field(all, given);
            if let Some(alone) = &mut alone {
                alone.confidence = alone.confidence.min(CONTESTED_MAX);
            }
            (Some(chosen), alone)
        }
        (None, _) => (None, field(all, given)),
    }
}

/// Every diagnosis, or procedure, of the highest rank, each once, in the order of the page.
pub(super) fn list(all: &[Candidate], field: Field) -> Vec<&Candidate> {
    let of_field = || all.iter().filter(|candidate| candidate.field == field && !candidate.value.is_empty());
    let Some(rank) = of_field().map(|candidate| candidate.rank).max() else { return Vec::new() };
    let rank = rank.max(Rank::Text);
    let mut kept: Vec<&Candidate> = Vec::new();
    for candidate in of_field().filter(|candidate| candidate.rank == rank) {
        match kept.iter_mut().find(|known| same(known, candidate)) {
            Some(known) if known.confidence < candidate.confidence => *known = candidate,
            Some(_) => {}
            None => kept.push(candidate),
        }
    }
    kept
}
