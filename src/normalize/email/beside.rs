//! What a mail's own words say beside the referral that is attached to it.
//!
//! # Design notes
//! Most say "please see attached", and nothing waits for that. What says more is a note on the referral, so that whoever reads it reads
//! that too. What may turn round what is attached ("sent in error", "the birth date is wrong", "now STAT") is for a person before anything
//! goes out: words of warning are looked for, since any sentence can be a warning, and a note is lost on nobody but the engine.

use std::sync::LazyLock;

use regex::Regex;

use crate::normalize::reply::{is_courtesy, plain_sentences};

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
const THINGS: &str = "(?:the|a|an|our|this|new|patient|patient's|referral|referrals|request|form|fax|document|documents|pdf|file|files|\
    records?|notes?|office|chart|clinical|labs?|results?|imaging|reports?|order|paperwork|packet|demographics?|insurance|card|info|information|\
    cover|sheet|face|and|for|of|with|to|you|your|review|pages?|by|from|consult|consultation|evaluation|dr [a-z'-]+)";

static COVER: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    [
        r"^(?:please |kindly )?(?:see|find|review|view|accept|open|note)(?: the)?(?: attached| enclosed)?(?: {T})*(?: attached| enclosed)?$",
        r"^(?:attached|enclosed)(?: (?:please find|is|are|you will find))?(?: {T})*$",
        r"^(?:here (?:is|are)|this is|we (?:are|have) (?:sending|referring|faxing|attached)|sending|we would like to refer|referring)(?: {T})*(?: attached| enclosed)?$",
        r"^(?:new |patient )*referrals?(?: {T})*(?: attached| enclosed)?$",
        r"^(?:please |kindly )?(?:call|contact|schedule|reach out to)(?: (?:the |this |our )?patient)?(?: (?:directly|to schedule|to set up|for|an|a|appointment|consult|consultation|visit|evaluation|at your earliest convenience|when convenient))*$",
        // What scanners and fax services write.
        r"^(?:please )?do not (?:reply|respond)(?: to this (?:e-?mail|message|mail))?$",
        r"^this (?:e-?mail|message|mail|document|fax) (?:was|has been|is) (?:automatically )?(?:sent|scanned|generated)(?: automatically)?(?: (?:from|by|to|with)\b.*)?$",
        r"^you (?:have|just)? ?(?:received|got|have) an? (?:[^ ]+ ){0,4}fax\b[^?]*$",
        r"^(?:please )?(?:confirm|acknowledge) receipt(?: of (?:this|the) (?:referral|fax|mail|email))?$",
    ]
    .map(|pattern| Regex::new(&pattern.replace("{T}", THINGS)).expect("the pattern is fixed and compiles"))
    .into()
});

/// Words that may turn round what is attached, or make it more urgent.
const WARNINGS: &str = "\
    not never no none wrong error mistake mistaken incorrect incorrectly disregard ignore cancel canceled cancelled cancellation void instead \
    correct correction corrected corrections update updated updates change changed changes stat urgent urgently asap emergency emergent \
    immediately today tonight tomorrow hold wait stop another second both two other others previous duplicate replace replaces replacing \
    deceased died passed dead recall withdrawn withdraw but except only however unless until resend revised should rather stay misspelled typo";

/// What a mail's own words, and what its subject says beside them, are.
pub(super) fn beside(words: &str, subject: &str) -> Beside {
    let sentences = plain_sentences(words);
    let is_cover = |sentence: &String| is_courtesy(sentence) || COVER.iter().any(|cover| cover.is_match(sentence));
    let of_subject = plain_sentences(subject);
    let said = || words_of(sentences.iter().filter(|sentence| !is_cover(sentence)).chain(&of_subject));
    let warns = |word: &str| WARNINGS.split_ascii_whitespace().any(|warning| warning == word);
    if said().any(|word| warns(&word)) {
        return Beside::Warning;
    }
    if words.contains('?') && !sentences.iter().all(is_cover) {
        return Beside::Warning;
    }
    if sentences.iter().all(is_cover) { Beside::Nothing } else { Beside::Note }
}

fn words_of<'s>(sentences: impl Iterator<Item = &'s String>) -> impl Iterator<Item = String> {
    sentences.flat_map(|sentence| {
        sentence.split(|symbol: char| !(symbol.is_alphanumeric() || symbol == '\'')).map(str::to_owned).collect::<Vec<_>>()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_mail_says_beside_what_is_attached_is_nothing_a_note_or_a_warning() {
        for (words, subject, is) in [
            ("", "", Beside::Nothing),
            ("Hello,\n\nPlease see attached referral.\n\nThank you,\nMaria Gomez\nCedar Clinic", "Referral", Beside::Nothing),
            ("Please find attached our new patient referral. Please call the patient to schedule.", "", Beside::Nothing),
            ("Attached is a referral for Dr. Kim. Thanks!", "New referral", Beside::Nothing),
            ("See attached.", "", Beside::Nothing),
            ("You have received a 3 page fax from 15035550100.", "", Beside::Nothing),
            (
                "This E-mail was sent from \"RNP002673\" (MP C3004).\n\nPlease do not reply to this email.",
                "Message from scanner",
                Beside::Nothing,
            ),
            ("Here are the office notes and labs.", "", Beside::Nothing),
            ("The patient prefers mornings and speaks Spanish.", "", Beside::Note),
            ("See attached. She will bring her MRI on a disc.", "", Beside::Note),
            ("Please do NOT process the attached referral, it was sent in error.", "", Beside::Warning),
            ("The date of birth on the form is wrong, it is 01/02/1990.", "", Beside::Warning),
            ("See attached. This is now STAT.", "", Beside::Warning),
            ("See attached.", "URGENT referral", Beside::Warning),
            ("See attached, can you see her this week?", "", Beside::Warning),
        ] {
            assert_eq!(beside(words, subject), is, "{words} / {subject}");
        }
    }
}
