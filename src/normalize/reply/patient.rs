//! The patient, called by name: read as `the patient`, and the name kept, to be compared with the referral that is answered.
//!
//! # Design notes
//! Whom a sentence names is told by where the name stands (`Jane Roe is booked`, `booked for Jane Roe`, `Patient: Roe, Jane`), never by a
//! guess who that may be: `engine/compared.rs` lets the reply count only if each of these words is of the referral's patient. Another
//! patient, a nickname, a doctor taken for a patient: a person reads the mail, as before.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use crate::normalize::given_names::is_given_name;

/// A word of a name, as it is written.
const WORD: &str = r"\p{Lu}[\p{L}'\x{2019}-]+";
/// What stands behind a name that is the subject of a sentence.
const VERBS: &str = "is|has|was|will|did|declined|refused|missed|no[- ]?show(?:ed)?";

fn fixed(pattern: &str) -> Regex {
    Regex::new(&pattern.replace("{W}", WORD).replace("{V}", VERBS)).expect("the pattern is fixed and compiles")
}

/// The sentence with the patient's name as `the patient`, and the words of the name in small letters.
pub(super) fn unnamed(sentence: &str) -> (String, Vec<String>) {
    static LABELLED: LazyLock<Regex> = LazyLock::new(|| {
        fixed(
            r"^(?i:patient(?: name)?|pt(?: name)?|name|re|regarding)(?:\s*[:#]| -)\s*(?P<name>{W}(?:,? (?:{W}|\p{Lu})){1,3})(?P<rest>$|[ ,(;-]+(?i:dob|d\.?o\.?b|born|date of birth)\b.*$)",
        )
    });
    static SUBJECT: LazyLock<Regex> = LazyLock::new(|| {
        fixed(
            r"^(?i:(?:the )?(?:patient|pt),? )?(?P<name>{W}(?: \p{Lu})?(?: {W}){1,2}|{W}, {W}(?: \p{Lu})?|(?:Mr|Mrs|Ms|Miss) {W}),?(?P<rest> (?i:{V})\b)",
        )
    });
    static OBJECT: LazyLock<Regex> = LazyLock::new(|| {
        fixed(
            r"(?P<before>\b(?i:for|scheduled|booked|called|contacted|received|reach|contact|see|accept|accepted|have) )(?P<name>{W}(?: \p{Lu})?(?: {W}){1,2}|(?:Mr|Mrs|Ms|Miss) {W})(?P<rest>$|[,(]|['\x{2019}]s referral\b| (?i:for|on|at|to|and)\b)",
        )
    });
    if let Some(found) = LABELLED.captures(sentence) {
        return (found["rest"].trim_start_matches([',', ';', '-', ' ']).to_owned(), names(&found["name"]));
    }
    // Who is or has something is the patient, or nobody that is known here; what is scheduled may be `Initial Consult`.
    for (pattern, is_subject) in [(&SUBJECT, true), (&OBJECT, false)] {
        let Some(found) = pattern.captures(sentence).filter(|found| is_of_a_person(&found["name"], is_subject)) else { continue };
        let with = |found: &Captures<'_>| {
            let before = found.name("before").map_or("", |before| before.as_str());
            let rest = found["rest"].trim_start_matches(['\'', '\u{2019}']);
            let owns = if rest.len() < found["rest"].len() { "'" } else { "" };
            format!("{before}the patient{owns}{rest}")
        };
        return (pattern.replace(sentence, with).into_owned(), names(&found["name"]));
    }
    (sentence.to_owned(), Vec::new())
}

/// `Jane Roe`, `Ms Roe`; neither `Jane Roe MD` nor `Monday Morning`.
fn is_of_a_person(name: &str, is_subject: bool) -> bool {
    const CREDENTIALS: [&str; 11] = ["dr", "doctor", "md", "do", "np", "pa", "pa-c", "rn", "aprn", "dnp", "phd"];
    let words = names(name);
    let first = words.first().map_or("", String::as_str);
    (is_subject || is_given_name(first) || ["mr", "mrs", "ms", "miss"].contains(&first))
        && !words.iter().any(|word| CREDENTIALS.contains(&word.as_str()) || super::statements::is_no_name(word))
}

fn names(name: &str) -> Vec<String> {
    let lower = name.to_lowercase().replace('\u{2019}', "'");
    lower
        .split([' ', ','])
        .map(|word| word.strip_suffix("'s").unwrap_or(word))
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patient_named_is_the_patient() {
        for (sentence, read, of) in [
            ("Jane Roe is scheduled for 12/14/2026", "the patient is scheduled for 12/14/2026", "jane roe"),
            ("Patient Jane Q Roe has been scheduled", "the patient has been scheduled", "jane q roe"),
            ("Roe, Jane Q is scheduled", "the patient is scheduled", "roe jane q"),
            ("Ottoline Quill is scheduled", "the patient is scheduled", "ottoline quill"),
            ("Ms Roe did not show", "the patient did not show", "ms roe"),
            ("Scheduled Jane Roe for 12/14/2026", "Scheduled the patient for 12/14/2026", "jane roe"),
            ("Received referral for Jane Roe", "Received referral for the patient", "jane roe"),
            ("Received Jane Roe's referral", "Received the patient's referral", "jane roe"),
            ("Patient: ROE, JANE", "", "roe jane"),
            ("Re: Jane Roe (DOB 1/2/1933)", "(DOB 1/2/1933)", "jane roe"),
        ] {
            let (is, names) = unnamed(sentence);
            assert_eq!((is.as_str(), names.join(" ").as_str()), (read, of), "{sentence}");
        }
    }

    #[test]
    fn who_is_no_patient_stays() {
        for sentence in [
            "Booked with Jane Roe NP on 12/14/2026",
            "Scheduled for Jane Roe MD",
            "Thanks, Jane Roe",
            "Jane Roe",
            "Dr Jane Roe will see her",
            "Telehealth Visit is scheduled",
            "Initial Consult is scheduled",
            "Scheduled Initial Consult on 12/14/2026",
        ] {
            assert_eq!(unnamed(sentence), (sentence.to_owned(), Vec::new()), "{sentence}");
        }
    }
}
