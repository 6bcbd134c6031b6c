//! What a mail's own words say beside the referral that is attached to it.
//!
//! # Design notes
//! Most say "please see attached", and nothing waits for that. What says more is a note on the referral, so that whoever reads it reads
//! that too. What may turn round what is attached ("sent in error", "the birth date is wrong", "now STAT", a name that is not the patient's)
//! is for a person before anything goes out. Scanners and fax services write what they like, so not every unknown sentence can wait for a
//! person; but one word of warning is enough, wherever it stands.

use std::sync::LazyLock;

use regex::Regex;

use crate::normalize::{
    given_names::is_given_name,
    reply::{birth_dates, is_courtesy, is_risky, plain_sentences},
};

/// What the words are, beside what is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Beside {
    /// Courtesy, and that something is attached.
    Nothing,
    /// Something that belongs to the referral.
    Note,
    /// Something that may turn it round.
    Warning,
}

/// What can stand in a sentence that only says that something is attached.
const THINGS: &str = "(?:the|a|an|our|this|new|mutual|patient|patient's|patients|referral|referrals|request|form|fax|document|documents|pdf|file|files|\
    records?|notes?|office|chart|clinical|labs?|results?|imaging|reports?|order|paperwork|packet|demographics?|insurance|card|info|information|\
    cover|sheet|face|and|for|of|with|to|you|your|review|pages?|by|from|consult|consultation|evaluation|\\d{1,3}|dr [a-z'-]+)";

/// Sentences that say nothing, whole.
static COVER: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    [
        r"^(?:please |kindly )?(?:see|find|review|view|accept|open|note|process)(?: the)?(?: attached| enclosed)?(?: {T})*(?: attached| enclosed)?$",
        r"^(?:attached|enclosed)(?: (?:please find|is|are|you will find))?(?: {T})*$",
        r"^(?:{T} )+(?:is|are|has been|have been) (?:attached|enclosed)(?: {T})*$",
        r"^(?:here (?:is|are)|this is|we (?:are|have) (?:sending|referring|faxing|attached)|sending|we would like to refer|referring)(?: {T})*(?: attached| enclosed)?$",
        r"^(?:new |patient )*referrals?(?: {T})*(?: attached| enclosed)?$",
        r"^(?:please |kindly )?(?:call|contact|schedule|reach out to)(?: (?:the |this |our )?patient)?(?: (?:directly|to schedule|to set up|for|an|a|appointment|consult|consultation|visit|evaluation|at your earliest convenience|when convenient))*$",
        r"^(?:please |and |kindly )*let us know (?:when|once|the date)(?: (?:the |her |his )?(?:appointment|patient|she|he|it)? ?(?:is|has been)? ?(?:scheduled|made|booked)?)?$",
        r"^(?:please )?(?:confirm|acknowledge) receipt(?: of (?:this|the) (?:referral|fax|mail|email))?$",
        r"^(?:please )?do not (?:reply|respond)(?: to this (?:e-?mail|message|mail))?$",
        r"^if you do not want to receive this e-?mail in (?:the )?future, you may contact\b[^?]*$",
        r"^(?:fyi|forwarding|scan|scanned document|attached image)$",
    ]
    .map(|pattern| Regex::new(&pattern.replace("{T}", THINGS)).expect("the pattern is fixed and compiles"))
    .into()
});

/// How sentences of scanners and fax services begin; their rest may say something all the same.
static OF_MACHINES: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?x)^(?:this\ (?:e-?mail|message|mail|document|fax)\ (?:was|has\ been|is)\ (?:automatically\ )?(?:sent|scanned|generated)\b
            | you\ (?:have|just)?\ ?(?:received|got|have)\ an?\ (?:[^\ ]+\ ){0,4}fax\b | (?:it|the\ document)\ was\ scanned\ and\ sent\ to\ you\b
            | (?:scan\ date|queries\ to|number\ of\ (?:images|pages)|attachment\ file\ type|file\ (?:name|format)|resolution|device\ (?:name|model|location|serial\ number)|pages)\b)",
    )
    .expect("the pattern is fixed and compiles")
});

/// Words that may turn round what is attached, or make it more urgent, beside those that are risky in an answer.
const WARNINGS: &str = "\
    mistaken mistakenly incorrectly mistake stat urgently emergent immediately today tonight tomorrow stop both others replace replaces \
    replacing recall withdraw misspelled accident accidentally erroneous erroneously cancelling canceling delete destroy shred withdrew consent \
    expired admitted actual expedite rush priority critical belongs";

/// Words that are risky in an answer and say nothing beside a referral.
const HARMLESS: &str = "\
    please will call called calling phone message need needs require requires required records labs insurance authorization auth patients \
    referrals who what where which how when until page pages full fully week weeks month months between from around about with by only pcp \
    primary son daughter wife husband brother sister out under over per route id account member acct mrn review reviewed reviewing availability \
    available out available refer recommend recommended follow voicemail offer fax hospital ask wants want prefers prefer \
    use uses lives living medicaid hmo";

/// What a mail's own words, and what its subject says beside them, are to a referral whose patient has these names (in small letters) and
/// this birth date, where they are known.
#[must_use]
pub fn beside(words: &str, subject: &str, patient: &[String], is_birth_date: impl Fn(&str) -> bool) -> Beside {
    let sentences: Vec<String> = plain_sentences(words).iter().map(|sentence| without(sentence, patient)).collect();
    let of_subject: Vec<String> = plain_sentences(subject).iter().map(|sentence| without(sentence, patient)).collect();
    let is_cover =
        |sentence: &str| sentence.is_empty() || is_courtesy(sentence) || COVER.iter().any(|cover| cover.is_match(sentence));
    let unknown: Vec<&String> = sentences.iter().filter(|sentence| !is_cover(sentence)).collect();
    let warns = |sentence: &&String| {
        let words: Vec<&str> = sentence.split(|symbol: char| !(symbol.is_alphanumeric() || symbol == '\'')).collect();
        words.iter().any(|word| listed(WARNINGS, word) || (is_risky(word) && !listed(HARMLESS, word)))
            || ["as soon as possible", "right away", "within 24", "within 48", "within a day"]
                .iter()
                .any(|said| sentence.contains(said))
    };
    let of_another = names_somebody_else(words, patient) || names_somebody_else(subject, patient);
    let other_birth = birth_dates(words).iter().any(|born| !is_birth_date(born));
    let asks = words.contains('?') && !unknown.is_empty();
    if unknown.iter().copied().chain(&of_subject).any(|sentence| warns(&sentence)) || of_another || other_birth || asks {
        return Beside::Warning;
    }
    let says_more = unknown.iter().any(|sentence| !OF_MACHINES.is_match(sentence));
    let subject_says = of_subject.iter().any(|sentence| !is_cover(sentence) && sentence.split(' ').count() > SUBJECT_WORDS_MIN);
    if says_more || subject_says { Beside::Note } else { Beside::Nothing }
}

/// A subject of more words than this may be a sentence.
const SUBJECT_WORDS_MIN: usize = 3;

fn listed(list: &str, word: &str) -> bool {
    list.split_ascii_whitespace().any(|listed| listed == word)
}

/// A sentence without the patient's names.
fn without(sentence: &str, patient: &[String]) -> String {
    let is_theirs = |word: &&str| {
        let word = word.trim_matches(|symbol: char| !symbol.is_alphanumeric());
        let word = word.strip_suffix("'s").unwrap_or(word);
        patient.iter().any(|name| name == word)
    };
    sentence
        .split(' ')
        .filter(|word| !is_theirs(word))
        .collect::<Vec<_>>()
        .join(" ")
        .trim_matches([',', ' ', ':', '-'])
        .to_owned()
}

/// Whether a text names a person by given and family name who is not the patient, and is no doctor.
fn names_somebody_else(text: &str, patient: &[String]) -> bool {
    static NAMED: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?P<before>\b(?:for|patient:?|of|to|see|is|on|re:?|and)\s+)(?P<given>\p{Lu}[\p{L}'-]+),? (?P<family>\p{Lu}[\p{L}'-]+)")
            .expect("the pattern is fixed and compiles")
    });
    NAMED.captures_iter(text).any(|found| {
        let (given, family) = (found["given"].to_lowercase(), found["family"].to_lowercase());
        let theirs = |name: &String| patient.contains(name);
        (is_given_name(&given) || is_given_name(&family)) && !(theirs(&given) && theirs(&family))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &str, subject: &str) -> Beside {
        beside(words, subject, &["jane".to_owned(), "roe".to_owned()], |born| born == "01/02/1933")
    }

    #[test]
    fn what_only_says_that_something_is_attached_is_nothing() {
        for (words, subject) in [
            ("", ""),
            ("Hello,\n\nPlease see attached referral.\n\nThank you,\nMaria Gomez\nCedar Clinic", "Referral"),
            ("Please find attached our new patient referral. Please call the patient to schedule.", ""),
            ("Attached is a referral for Dr. Kim. Thanks!", "New referral"),
            ("Please see attached referral for Jane Roe.", "Referral for Jane Roe"),
            ("Attached is the referral for our mutual patient. Please let us know when the appointment is scheduled.", ""),
            ("Please process the attached referral.", "FW: Referral"),
            ("See attached.", ""),
            ("The referral is attached.", ""),
            ("You have received a 3 page fax from 15035550100.", ""),
            ("This E-mail was sent from \"RNP002673\" (MP C3004).\n\nPlease do not reply to this email.", "Message from scanner"),
            ("Here are the office notes and labs.", ""),
        ] {
            assert_eq!(of(words, subject), Beside::Nothing, "{words} / {subject}");
        }
    }

    #[test]
    fn what_says_more_is_a_note() {
        for (words, subject) in [
            ("The patient speaks Spanish and likes mornings.", ""),
            ("See attached. She will bring her MRI on a disc.", ""),
            ("Jane is deaf, please use TTY.", ""),
            ("See attached.", "Referral - patient is deaf, use TTY"),
        ] {
            assert_eq!(of(words, subject), Beside::Note, "{words} / {subject}");
        }
    }

    #[test]
    fn what_may_turn_it_round_is_a_warning() {
        for (words, subject) in [
            ("Please do NOT process the attached referral, it was sent in error.", ""),
            ("The date of birth on the form is wrong, it is 01/02/1990.", ""),
            ("See attached. This is now STAT.", ""),
            ("See attached.", "URGENT referral"),
            ("See attached, can you see her this week?", ""),
            ("This fax was sent to you in error.", ""),
            ("This document was scanned with the wrong patient on page 2.", ""),
            ("You got a new fax, it is STAT.", ""),
            ("Sent by accident, please delete.", ""),
            ("We are cancelling this referral.", ""),
            ("Please see her as soon as possible.", ""),
            ("DOB: 02/03/1970", ""),
            ("See attached.\nDOB: 02/03/1970", ""),
            ("Please see attached referral for John Smith.", ""),
            ("See attached.", "Referral for John Smith"),
            ("Patient was already seen by Dr. Kim.", ""),
        ] {
            assert_eq!(of(words, subject), Beside::Warning, "{words} / {subject}");
        }
        assert_eq!(of("See attached.\nDOB: 01/02/1933", ""), Beside::Nothing, "that is theirs");
    }
}
