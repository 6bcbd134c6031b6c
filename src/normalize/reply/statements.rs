//! What front desks say, as patterns over evened-out text.
//!
//! # Design notes
//! A pattern alone is never believed: every word that it leaves over in its clause must be one of those that change nothing
//! (`NEUTRAL`), and a clause without a pattern must be a known courtesy. So an unknown word makes a reply unclear, and a new
//! way to say something costs a person a look, never a wrong status. A list of words that are to be feared (`RISKY`) was not enough:
//! "her appointment on 12/14 fell through" has none of them.

use std::sync::LazyLock;

use regex::Regex;

use super::phrases::{AFTER_YES, ASKED_FOR, COMMON, COURTESIES, NEUTRAL, NOT_PLAIN, RISKY, SAYING, STATEMENTS, fixed};
use crate::referral::ReplyOutcome;

/// What a clause means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// It states an outcome.
    Says(ReplyOutcome),
    /// It names an appointment, if a date stands with it.
    Appointment,
    /// `Yes`.
    Yes,
    /// `No`, in front of something.
    No,
    /// Work in hand that decides nothing yet (`will call the patient`).
    Pending,
    /// Courtesy.
    Filler,
}

/// One clause, read.
#[derive(Debug, Default)]
pub(super) struct Clause {
    /// What it means, in the order of the patterns.
    pub(super) meanings: Vec<Meaning>,
    /// What is left of it.
    pub(super) rest: String,
}

static COURTESY: LazyLock<Vec<Regex>> = LazyLock::new(|| COURTESIES.iter().map(|pattern| fixed(pattern)).collect());
static DOUBTED: LazyLock<Vec<Regex>> = LazyLock::new(|| NOT_PLAIN.iter().map(|pattern| fixed(pattern)).collect());
static STATEMENT: LazyLock<Vec<(Meaning, Regex)>> =
    LazyLock::new(|| STATEMENTS.iter().map(|(meaning, pattern)| (*meaning, fixed(pattern))).collect());

/// With whom a visit with us can be.
const WITH_US: &str = r"\bwith (?:dr [a-z'-]+|us|our (?:office|clinic|team|np|pa|provider|practice))\b";
static WITH: LazyLock<Regex> = LazyLock::new(|| fixed(WITH_US));

fn listed(list: &str, word: &str) -> bool {
    list.split_ascii_whitespace().any(|listed| listed == word)
}

/// Whether a word (lower case) says something, so that a line with it is no signature.
pub(super) fn is_common(word: &str) -> bool {
    listed(RISKY, word) || listed(COMMON, word)
}

/// Takes what a clause means out of it.
pub(super) fn read(clause: &str) -> Clause {
    let clause = clause.trim();
    if COURTESY.iter().any(|courtesy| courtesy.is_match(clause)) {
        return Clause { meanings: vec![Meaning::Filler], rest: String::new() };
    }
    let mut read = Clause { meanings: Vec::new(), rest: clause.to_owned() };
    // Twice, because what one pattern takes out can leave the next one whole (`received and accepted`).
    for (meaning, pattern) in STATEMENT.iter().chain(STATEMENT.iter()) {
        let rest = read.rest.trim().to_owned();
        let Some(found) = pattern.captures(&rest) else { continue };
        let nobody = found.name("whom").is_some_and(|whom| names_ourselves(whom.as_str()) || !names_somebody(whom.as_str()));
        let whole = found.get(0).expect("a match has a whole");
        let before = rest.get(..whole.start()).unwrap_or_default();
        let full = *meaning == Meaning::Says(ReplyOutcome::Scheduled) && is_their_calendar(before);
        // The day that was known is off, and none is named.
        let moved =
            *meaning == Meaning::Says(ReplyOutcome::Scheduled) && whole.as_str().starts_with("re") && !clause.contains("@d");
        // `We have an appointment on the 14th` offers one as well as it tells of one.
        let offer = *meaning == Meaning::Appointment && before.trim_end().ends_with("we") && OFFER.is_match(whole.as_str());
        // `They will see her`: who is not said.
        let others = *meaning == Meaning::Says(ReplyOutcome::Accepted) && before.split_whitespace().any(|word| word == "they");
        // Seen before, or once, is no answer; what was done has its day.
        let undated =
            *meaning == Meaning::Says(ReplyOutcome::Completed) && whole.as_str().contains(" seen") && !clause.contains("@d");
        let vague = found.name("why").is_some_and(|why| VAGUE.iter().any(|words| why.as_str().starts_with(words)));
        if nobody
            || full
            || vague
            || moved
            || offer
            || others
            || undated
            || found.name("what").is_some_and(|what| !is_owed_to_them(what.as_str()))
        {
            continue;
        }
        // A person to send to is named in any words; what is missing and why are kept for the reason, but still read for risks.
        let kept =
            if *meaning == Meaning::Says(ReplyOutcome::Declined) { found.name("why").map(|why| why.as_str()) } else { None };
        let kept = kept.filter(|why| CONDITIONS.iter().any(|word| why.contains(word))).unwrap_or_default();
        let after = rest.get(whole.end()..).unwrap_or_default();
        read.rest = format!("{before} {kept} {after}");
        if !read.meanings.contains(meaning) {
            read.meanings.push(*meaning);
        }
    }
    read.rest = WITH.replace_all(&read.rest, " ").into_owned();
    let more_than_yes = read.meanings == [Meaning::Yes] && words(&read.rest).any(|word| !listed(AFTER_YES, word));
    if more_than_yes || DOUBTED.iter().any(|doubted| doubted.is_match(clause)) {
        read.rest.push_str(" unclear");
    }
    read
}

/// `the labs`, but not `to cancel the order`, `the report to her family doctor` or `the insurance card with the patient`.
fn is_owed_to_them(what: &str) -> bool {
    static ITEM: LazyLock<Regex> = LazyLock::new(|| fixed(r"\b{I}\b"));
    let to_us = what.replace(" to us", "").replace(" to our", "").replace(" to me", "");
    let besides = ITEM.replace_all(&to_us, " ");
    !to_us.contains(" to ")
        && !what.starts_with("to ")
        && words(&besides).all(|word| word.starts_with('@') || listed(NEUTRAL, word) || listed(ASKED_FOR, word))
}

/// Whether a word is left over beside a statement that may change what it says (`seen at Northside`, `booked through March`,
/// `not interested in surgery`).
pub(super) fn strays(clause: &Clause) -> bool {
    let states = clause.meanings.iter().any(|meaning| *meaning != Meaning::Filler);
    states && words(&clause.rest).any(|word| !word.starts_with('@') && !listed(NEUTRAL, word))
}

/// `to our scheduling team` sends nobody elsewhere.
fn names_ourselves(whom: &str) -> bool {
    let first = whom.split([' ', ',']).next().unwrap_or_default();
    [
        "us",
        "our",
        "me",
        "my",
        "you",
        "your",
        "see",
        "be",
        "fax",
        "email",
        "number",
        "attention",
        "attn",
        "scheduling",
        "billing",
        "referrals",
        "front",
        "medical",
    ]
    .contains(&first)
        || ["the patient", "the office", "the desk", "the fax", "the number"].iter().any(|own| whom.starts_with(own))
}

static OFFER: LazyLock<Regex> =
    LazyLock::new(|| fixed(r"^have (?:an? )?(?:new patient )?(?:first )?(?:appointment|visit|consult)"));

/// What makes a refusal a condition.
const CONDITIONS: [&str; 6] = ["until", "unless", " if ", "without", "before ", "except"];

/// `we do not treat patients like this` refuses nobody.
const VAGUE: [&str; 7] = ["treat patient", "treat people", "treat them", "treat her", "treat him", "treat this", "treat it"];

/// `dr okafor`, `westfield neurology`: a doctor or a practice, and nothing more. `the lab for a blood draw`, `rehab before that`, `denise` and
/// `attached form` are another thing to do.
fn names_somebody(whom: &str) -> bool {
    const WORDS_MAX: usize = 5;
    const PLACES: &str = "\
        dr clinic office practice department dept center centre hospital group associates specialist specialists surgery \
        surgeons medicine orthopedics orthopaedics pediatrics paediatrics psychiatry obstetrics obgyn ent oncology";
    let place = |word: &str| listed(PLACES, word) || word.ends_with("ology") || word.ends_with("ologist");
    words(whom).count() <= WORDS_MAX && words(whom).any(place) && words(whom).all(|word| {
        !listed(RISKY, word)
            && !listed(
                "the a an in for her his him them their directly someone somebody anyone scheduling billing attached form portal",
                word,
            )
    })
}

/// `we are booked`: what is full is their own calendar.
fn is_their_calendar(before: &str) -> bool {
    static THEIRS: LazyLock<Regex> = LazyLock::new(|| fixed(r"\bwe (?:are|were|have been)(?: (?:also|now|currently|just))?$"));
    THEIRS.is_match(before.trim_end())
}

/// Words that stand in subjects without saying anything of the referral.
const OF_SUBJECTS: &str = "re external urgent referrals message fax page pages records please confirm receipt referral";

/// Whether the words of a subject may turn round what the mail says.
pub(super) fn warns(subject: &str) -> bool {
    words(subject).any(|word| !listed(OF_SUBJECTS, word) && listed(RISKY, word))
}

/// Whether a text states anything.
pub(super) fn says(text: &str) -> bool {
    read(text).meanings.iter().any(|meaning| !matches!(meaning, Meaning::Filler | Meaning::Yes | Meaning::No))
}

/// A word of what was left over that can turn the meaning round, or a number that names no day or time.
pub(super) fn risk(rest: &str) -> bool {
    words(rest).any(|word| {
        listed(RISKY, word) || listed(SAYING, word) || (!word.starts_with('@') && word.chars().any(|c| c.is_ascii_digit()))
    })
}

/// Whether what is left over can be the name of a person: after `thanks,`, say.
pub(super) fn could_be_a_name(rest: &str) -> bool {
    words(rest).count() <= 4
        && words(rest).all(|word| !is_common(word) && word.chars().all(|c| c.is_alphabetic() || "'-".contains(c)))
}

/// The words, without punctuation.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_alphanumeric() || "'@-".contains(c)))
        .map(|word| word.trim_matches(['-', '\'']))
        .filter(|word| !word.is_empty())
}
