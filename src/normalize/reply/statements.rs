//! What front desks say: each clause compared with the phrases of `phrases.rs`, as a whole.
//!
//! # Design notes
//! Earlier a phrase was looked for anywhere in a clause, and the words left over had to be harmless. Harmless words turn a sentence round all the
//! same: "the new patient time is booked", "her referral is coming in tomorrow". So a clause is now one known sentence, from its first word to
//! its last, or a person reads it; a new way to say something costs a look, never a wrong status.
//!
//! A clause that is no known sentence still gives a hint, so that the person sees what it seems to say.

use std::sync::LazyLock;

use regex::Regex;

use super::phrases::{ASKED_FOR, COMMON, COURTESIES, NEUTRAL, RISKY, STATEMENTS, fixed};
use crate::{normalize::given_names::is_given_name, referral::ReplyOutcome};

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
    /// Work in hand that decides nothing yet (`will call the patient`, `no appointment yet`).
    Pending,
    /// They look at it still: nothing is decided.
    Review,
    /// `Not yet`, to whatever stands before.
    NotYet,
    /// Why it is declined, said apart: `out of network`.
    Because,
    /// A plea to send it again.
    Again,
    /// `Unfortunately`: before what they can not do.
    Regret,
    /// They called the patient: what came of it stands beside, or nothing did.
    Called,
    /// They looked at it, whatever it comes to.
    Looked,
    /// They left the patient a message, whatever it comes to.
    Left,
    /// They could not reach the patient so far.
    Unreached,
    /// Their report is promised, or the patient knows of the appointment: there is, or was, one.
    Report,
    /// Courtesy.
    Filler,
}

/// One clause, read.
#[derive(Debug, Default)]
pub(super) struct Clause {
    /// What it means; nothing, where it was not understood.
    pub(super) meanings: Vec<Meaning>,
    /// What a clause that was not understood seems to say.
    pub(super) hint: Option<ReplyOutcome>,
}

static COURTESY: LazyLock<Vec<Regex>> = LazyLock::new(|| COURTESIES.iter().map(|pattern| fixed(pattern)).collect());
static STATEMENT: LazyLock<Vec<(Meaning, Regex)>> =
    LazyLock::new(|| STATEMENTS.iter().map(|(meaning, pattern)| (*meaning, fixed(pattern))).collect());

fn listed(list: &str, word: &str) -> bool {
    list.split_ascii_whitespace().any(|listed| listed == word)
}

/// Whether a word (lower case) says something, so that a line with it is no signature.
pub(super) fn is_common(word: &str) -> bool {
    listed(RISKY, word) || listed(COMMON, word)
}

/// Whether a word (lower case) can turn round what stands beside it.
pub(super) fn is_risky(word: &str) -> bool {
    listed(RISKY, word)
}

/// Whether a word (lower case) stands in no name.
pub(super) fn is_no_name(word: &str) -> bool {
    is_common(word) || listed(NEUTRAL, word)
}

/// What a clause means.
pub(super) fn read(clause: &str) -> Clause {
    let clause = evened(clause);
    let understood = meanings(&clause);
    let hint = if understood.is_none() { hint(&clause) } else { None };
    Clause { meanings: understood.unwrap_or_default(), hint }
}

/// Without what says nothing: a colon, a preposition before a date, a smile.
fn evened(clause: &str) -> String {
    const SMILES: &str = "*\u{1f600}\u{1f60a}\u{1f642}\u{263a}\u{fe0f}\u{1f44d}\u{1f64f}\u{2705}\u{2714}\u{1f3fb}\u{1f3fc}\u{1f3fd}\u{1f3fe}\u{1f3ff}";
    static TO_DATE: LazyLock<Regex> =
        LazyLock::new(|| fixed(r"\b(?P<moved>re-?(?:scheduled|booked)(?: {O})?) to\s+(?P<mark>@d\d)"));
    static BEFORE_DATE: LazyLock<Regex> =
        LazyLock::new(|| fixed(r"(?:(?:\b(?:for|on|at|the|and|of|date|time)\b|@|-)\s*)+(?P<mark>@[dt]\d)"));
    let clause: String =
        clause.chars().filter(|c| !SMILES.contains(*c)).map(|c| if ":=".contains(c) { ' ' } else { c }).collect();
    let clause = BEFORE_DATE.replace_all(&clause, " $mark");
    let clause = TO_DATE.replace_all(&clause, "$moved $mark");
    let words: Vec<&str> = clause.split_whitespace().collect();
    let clause = words.join(" ");
    clause.strip_prefix("and ").map_or_else(|| clause.clone(), str::to_owned)
}

/// What an evened clause means; none: it is no known sentence.
fn meanings(clause: &str) -> Option<Vec<Meaning>> {
    if clause.is_empty() || is_courtesy(clause) {
        return Some(vec![Meaning::Filler]);
    }
    let regret = ["unfortunately", "regretfully", "we are sorry", "sorry", "we apologize", "our apologies"];
    if let Some(rest) =
        regret.iter().find_map(|word| clause.strip_prefix(word)).filter(|rest| rest.is_empty() || rest.starts_with(' '))
    {
        return match (rest.trim(), statement(clause)) {
            (_, Some(whole)) => Some(vec![whole]),
            ("", None) => Some(vec![Meaning::Regret]),
            (rest, None) => statement(rest.strip_prefix("but ").unwrap_or(rest)).map(|meaning| vec![Meaning::Regret, meaning]),
        };
    }
    let (first, rest) = clause.split_once(' ').unwrap_or((clause, ""));
    let answer = match first {
        "yes" | "yep" | "yeah" | "yup" | "affirmative" => Some(Meaning::Yes),
        "no" | "nope" if rest.is_empty() || !NEGATED.contains(&rest.split(' ').next().unwrap_or_default()) => Some(Meaning::No),
        "ok" | "okay" => Some(Meaning::Filler),
        _ => None,
    };
    match answer {
        Some(answer) if rest.is_empty() => Some(vec![answer]),
        Some(Meaning::Yes) if ["we do", "we did", "we have", "it has been"].contains(&rest) => Some(vec![Meaning::Yes]),
        Some(answer) => {
            statement(rest).map(|meaning| vec![answer, meaning]).or_else(|| statement(clause).map(|whole| vec![whole]))
        }
        None => statement(clause).map(|meaning| vec![meaning]),
    }
}

/// Behind these a `no` says no to nothing but them: `no appointment yet`.
const NEGATED: [&str; 7] = ["appointment", "show", "showed", "record", "sign", "trace", "referral"];

/// Whom a greeting greets: `good morning Dr Ames and team`; none: it is no greeting.
pub(super) fn greeted(clause: &str) -> Option<&str> {
    static GREETING: LazyLock<Regex> =
        LazyLock::new(|| fixed(r"^(?:hi|hello|dear|good (?:morning|afternoon|evening|day)|greetings)\b(?P<whom>[\p{L} '-]*)$"));
    GREETING.captures(clause)?.name("whom").map(|whom| whom.as_str())
}

fn is_courtesy(clause: &str) -> bool {
    const NAMES_MAX: usize = 4;
    /// Doctors are greeted so, and colleagues by a name; who else, is a patient.
    const TITLES: &str = "mr mrs ms miss mister mom mother";
    if let Some(whom) = greeted(clause) {
        let all: Vec<&str> = words(whom).collect();
        if let [given, _, ..] = all.as_slice()
            && is_given_name(given)
            && !all.iter().any(|word| ["and", "team", "all"].contains(word))
        {
            // By both names, strangers are greeted.
            return false;
        }
        let done = |word: &str| ["ed", "ing"].iter().any(|end| word.ends_with(end)) && !is_given_name(word);
        return words(whom).count() <= NAMES_MAX
            && words(whom).all(|word| word == "there" || (!is_common(word) && !done(word) && !listed(TITLES, word)));
    }
    COURTESY.iter().any(|courtesy| courtesy.is_match(clause))
}

/// The one statement that a clause is.
fn statement(clause: &str) -> Option<Meaning> {
    static ELSEWHERE: LazyLock<Regex> = LazyLock::new(|| {
        fixed(
            r"\bour (?:sister|partner|affiliated?|other|second|new|old|former|previous|network|nearest|closest) (?:[a-z]+ ){0,2}(?:office|clinic|location|practice)\b",
        )
    });
    static OURS: LazyLock<Regex> = LazyLock::new(|| fixed(r"\bour (?P<which>(?:[a-z]+ ){1,3})(?:office|clinic|location)\b"));
    static PLACE: LazyLock<Regex> =
        LazyLock::new(|| fixed(r"^location (?:our )?(?P<which>(?:[a-z]+ )+)(?:office|clinic|location)$"));
    let strange = PLACE.captures_iter(clause).any(|found| words(&found["which"]).any(is_no_name));
    // What they would be able to do, they do not say that they do.
    let elsewhere = ELSEWHERE.is_match(clause) || OURS.captures_iter(clause).any(|found| words(&found["which"]).any(is_risky));
    if elsewhere || strange || clause.contains("would be able") || !names_doctors(clause) || !names_colleagues(clause) {
        return None;
    }
    let dated = clause.contains("@d");
    STATEMENT.iter().find_map(|(meaning, pattern)| {
        let found = pattern.captures(clause)?;
        let part = |name| found.name(name).map(|part| part.as_str());
        let plain = match meaning {
            Meaning::Says(ReplyOutcome::Redirected) => part("whom").is_none_or(|whom| {
                !names_ourselves(whom) && names_somebody(whom) && (!whom.starts_with("dr ") || refers(clause))
            }),
            Meaning::Says(ReplyOutcome::NeedsInformation) => part("what").is_none_or(is_owed_to_them),
            Meaning::Says(ReplyOutcome::Declined) => part("why")
                .and_then(|why| why.strip_prefix("treat "))
                .is_none_or(|whom| !whom.split([' ', '-']).any(|word| listed(VAGUE, word) || listed(RISKY, word))),
            // The day that was known is off, and none is named; or what `we booked` is not said.
            Meaning::Says(ReplyOutcome::Scheduled) => {
                let alone = clause.ends_with(" scheduled") || clause.ends_with(" booked");
                (dated || !clause.contains("resched") && !clause.contains("re-sched") && !clause.contains("rebook"))
                    && !(alone && (clause.starts_with("we ") || clause.starts_with("our ")))
            }
            // "He declined the referral" may be the doctor.
            Meaning::Says(ReplyOutcome::PatientDeclined) => {
                let of_referral = ["referral", "referral fax", "case", "it", "this"].iter().any(|what| clause.ends_with(what));
                !(of_referral && (clause.starts_with("she ") || clause.starts_with("he ")))
            }
            // Seen before, or once, is no answer: what was done has its day.
            Meaning::Says(ReplyOutcome::Completed) => dated,
            Meaning::Says(_)
            | Meaning::Appointment
            | Meaning::Yes
            | Meaning::No
            | Meaning::Pending
            | Meaning::Review
            | Meaning::NotYet
            | Meaning::Because
            | Meaning::Again
            | Meaning::Report
            | Meaning::Regret
            | Meaning::Called
            | Meaning::Looked
            | Meaning::Left
            | Meaning::Unreached
            | Meaning::Filler => true,
        };
        plain.then_some(*meaning)
    })
}

/// Whether what stands behind each `dr` is a name, and no word that goes on: `dr ames`, `dr susan ames`, but not `dr never accepted`, `dr ames
/// tentatively`.
fn names_doctors(clause: &str) -> bool {
    const GO_ON: &str = "at in here now with to is has will can does and accepts accept accepted accepting sees declines declined scheduled booked \
        would are was not no regretfully must declining unable md do np pa pa-c on for because due since as reason";
    const NO_NAME: &str =
        "can will would may might must should could do does did to first alone is has was usually never not no the";
    let all: Vec<&str> = clause.split_whitespace().collect();
    let plain = |word: &str| !is_common(word) && !["ly", "ed", "ing"].iter().any(|end| word.ends_with(end));
    all.iter().enumerate().filter(|(_, word)| **word == "dr").all(|(at, _)| {
        let Some(name) = all.get(at + 1) else { return false };
        let second = all.get(at + 2).filter(|word| !word.starts_with('@') && !listed(GO_ON, word));
        plain(name) && !listed(NO_NAME, name) && second.is_none_or(|second| is_given_name(name) && plain(second))
    })
}

/// Whether each second word of a doctor's name begins like one where it was written: `Dr. Lee Kim`, but not `Dr. Lee replacement`.
pub(super) fn writes_doctors_as_names(clause: &str, written: &str) -> bool {
    static DOCTOR: LazyLock<Regex> = LazyLock::new(|| fixed(r"\bdr [a-z'-]+ (?P<second>[a-z'-]+)"));
    static WRITTEN: LazyLock<Regex> =
        LazyLock::new(|| fixed(r"(?i)\b(?:dr|doctor)\.? (?P<first>[\p{L}'-]+) (?P<second>[\p{L}'-]+)"));
    let names = |found: &regex::Captures<'_>| is_given_name(&found["first"].to_lowercase());
    !DOCTOR.is_match(clause)
        || WRITTEN.captures_iter(written).filter(names).all(|found| {
            let second = &found["second"];
            second.chars().next().is_some_and(char::is_uppercase) || listed(BEHIND_DOCTORS, &second.to_lowercase())
        })
}

/// What goes on behind a doctor's name, in small letters.
const BEHIND_DOCTORS: &str = "\
    at in here now with to is has will can does and accepts accept accepted accepting sees declines declined scheduled booked would are was not \
    regretfully must declining unable on for because due since as reason md do np pa pa-c";

/// Whether who stands before a degree is named: `with jane roe md`, but not `with her kaiser md`.
fn names_colleagues(clause: &str) -> bool {
    static BEFORE_DEGREE: LazyLock<Regex> =
        LazyLock::new(|| fixed(r"\bwith (?P<given>[a-z'-]+) (?P<family>[a-z'-]+) (?:md|do|np|pa-c|pa|aprn|dnp)\b"));
    BEFORE_DEGREE
        .captures_iter(clause)
        .all(|found| &found["given"] == "dr" || (is_given_name(&found["given"]) && !is_no_name(&found["family"])))
}

/// What a clause that is no known sentence seems to say, for the person who reads it.
fn hint(clause: &str) -> Option<ReplyOutcome> {
    use ReplyOutcome::{Accepted, Cancelled, Completed, Declined, NoShow, Received, Redirected, Scheduled};
    const HINTS: [(&str, ReplyOutcome); 17] = [
        ("cancel", Cancelled),
        ("declin", Declined),
        ("unable to accept", Declined),
        ("no show", NoShow),
        ("no-show", NoShow),
        ("did not show", NoShow),
        ("seen", Completed),
        ("completed", Completed),
        ("scheduled", Scheduled),
        ("booked", Scheduled),
        ("appointment", Scheduled),
        ("redirect", Redirected),
        ("accept", Accepted),
        ("will see", Accepted),
        ("can see", Accepted),
        ("receiv", Received),
        ("got it", Received),
    ];
    let denied = words(clause).any(|word| ["not", "no", "never", "nobody", "without", "nothing"].contains(&word));
    HINTS.iter().find(|(words, outcome)| clause.contains(words) && (!denied || *outcome == NoShow)).map(|(_, outcome)| *outcome)
}

/// Whether a text names things that can be sent, and nothing else: `labs`, `the insurance card`.
pub(super) fn names_items(text: &str) -> bool {
    is_owed_to_them(text) && ITEM.is_match(text)
}

static ITEM: LazyLock<Regex> = LazyLock::new(|| fixed(r"\b{I}\b"));

/// `the labs`, but not `to cancel the order`, `the report to her family doctor` or `the insurance card with the patient`.
fn is_owed_to_them(what: &str) -> bool {
    let first = |begin: &str| what.strip_prefix(begin).map(|rest| rest.split(' ').next().unwrap_or_default());
    // To the patient, whose are these; and "this information" stands elsewhere.
    static NOT_OURS: LazyLock<Regex> = LazyLock::new(|| {
        fixed(r"\byour (?:insurance|phone|information|info|medication|demographics|own)\b|\ball of your\b|\bthis info")
    });
    let told_to_patient = NOT_OURS.is_match(what)
        || [
            "for ",
            "him ",
            "them ",
            "the patient ",
            "this patient ",
            "your patient ",
            "our patient ",
            "that patient ",
            "patient ",
        ]
        .iter()
        .any(|whom| what.starts_with(whom))
        || first("her ").or_else(|| first("his ")).is_some_and(|next| {
            ["for", "over", "in", "to", "the", "a", "an", "here", "at", "back", "some", "any", "our", "this"].contains(&next)
        });
    if told_to_patient || [" at the ", " here", " for a ", " for an "].iter().any(|place| what.contains(place)) {
        return false;
    }
    let to_us = what.replace(" to us", "").replace(" to our", "").replace(" to me", "");
    // "The signed order", but not "we need the records back", "the report signed".
    static SIGNED: LazyLock<Regex> = LazyLock::new(|| fixed(r"\bsigned (?P<item>{I})\b"));
    let to_us = SIGNED.replace_all(&to_us, "$item");
    let besides = ITEM.replace_all(&to_us, " ");
    !to_us.contains(" to ")
        && !what.starts_with("to ")
        && words(&besides).all(|word| word.starts_with('@') || listed(NEUTRAL, word) || listed(ASKED_FOR, word))
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

/// `Please refer her to Dr. Okafor`. What is sent, or goes, to a doctor may go to one of theirs.
fn refers(clause: &str) -> bool {
    words(clause).any(|word| ["refer", "referred", "redirect", "re-direct", "redirected", "reroute", "re-route"].contains(&word))
}

/// Words with which `we do not treat …` refuses nobody: "treat patients like this", "treat it as urgent", "treat on Fridays".
const VAGUE: &str = "\
    walk patient patients people them her him this it these faxes emails referrals as on at in outside until with without free like every any \
    all positive lightly differently unless if here now";

/// `dr okafor`, `westfield neurology`: a doctor or a practice, and nothing more. Neither is `radiology`, or `the office in salem`. `the lab for a blood draw`, `clinic notes`, `denise` and
/// `dr okafor's letter` are another thing.
fn names_somebody(whom: &str) -> bool {
    const WORDS_MAX: usize = 5;
    // An office or a department may be one of theirs.
    const PLACES: &str = "clinic practice hospital associates specialists surgeons";
    const ANY: &str = "main downtown intake contact call admissions central new our own local";
    const FIELDS: &str =
        "surgery medicine orthopedics orthopaedics pediatrics paediatrics psychiatry obstetrics obgyn ent oncology";
    const STRANGE: &str =
        "the a an in for her him his them their directly someone somebody anyone scheduling billing attached form portal";
    let field = |word: &str| listed(FIELDS, word) || word.ends_with("ology") || word.ends_with("ologist");
    let all: Vec<&str> = words(whom).collect();
    let known = match all.as_slice() {
        ["dr", name] => !name.contains('\''),
        ["dr", given, name] => is_given_name(given) && !name.contains('\''),
        [.., last] => all.len() > 1 && all.len() <= WORDS_MAX && (field(last) || listed(PLACES, last)),
        [] => false,
    };
    known && all.iter().all(|word| !listed(RISKY, word) && !listed(STRANGE, word) && !listed(ANY, word))
}

/// Words that stand in subjects without saying anything of the referral that the mail does not.
const OF_SUBJECTS: &str = "\
    re external urgent fax page pages please confirm confirmation receipt referral received accepted scheduled booked appointment your our \
    the for of to new patient hello mail referrals reply answer response secure encrypted encrypt a from and";

/// Whether a subject has words that may turn round what the mail says: any but a few. A mail program may have cut the last one off.
pub(super) fn warns(subject: &str) -> bool {
    const CUT_MIN: usize = 3;
    let known = |word: &str| {
        listed(OF_SUBJECTS, word)
            || (word.len() >= CUT_MIN && OF_SUBJECTS.split_ascii_whitespace().any(|known| known.starts_with(word)))
    };
    words(subject).any(|word| !known(word))
}

/// Whether a text states anything.
pub(super) fn says(text: &str) -> bool {
    let read = read(text);
    read.hint.is_some() || read.meanings.iter().any(|meaning| !matches!(meaning, Meaning::Filler | Meaning::Yes | Meaning::No))
}

/// Whether a text has a word that can turn another round, or a bare answer.
pub(super) fn turns_round(text: &str) -> bool {
    const ANSWERS: &str = "yes yep yeah yup no nope ok okay patient she he her him";
    words(text).any(|word| listed(RISKY, word) || listed(ANSWERS, word))
}

/// Whether a clause can be the name of a person: after `thanks,`, say.
pub(super) fn could_be_a_name(clause: &str, last: bool) -> bool {
    const LAST_WORDS_MAX: usize = 4;
    let words_max = if last { LAST_WORDS_MAX } else { 1 };
    words(clause).count() <= words_max
        && words(clause).next().is_some_and(is_given_name)
        && words(clause).all(|word| !is_common(word) && word.chars().all(|c| c.is_alphabetic() || "'-".contains(c)))
}

/// The words, without punctuation.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_alphanumeric() || "'@-".contains(c)))
        .map(|word| word.trim_matches(['-', '\'']))
        .filter(|word| !word.is_empty())
}
