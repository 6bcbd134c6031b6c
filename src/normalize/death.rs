//! Whether a line of a fax or mail says that the patient is dead.
//!
//! # Design notes
//! A letter that asks a family to bring a patient who has died is the one mistake nobody forgives, and HL7 says it in a field of its own. On
//! paper it is a word behind the name, an answer to a question, or a sentence. Of whom it is said must be plain: "father deceased" stands in
//! every family history, so a line that names a relative says nothing of the patient.

use std::sync::LazyLock;

use regex::Regex;

fn fixed(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is fixed and compiles")
}

static STATED: LazyLock<Regex> = LazyLock::new(|| {
    fixed(
        r"(?x)
        # The patient is deceased; pt died; patient: deceased 11/01/2026
        \b(?:patient|pt|client)\b [\s,.:;*()\-]*
            (?:(?:is|was|has|been|now|recently|unfortunately|sadly|already|reportedly|reported|as)\ )*
            (?:deceased|dead|died|expired|passed\ away)\b
        # Patient: Ada Example (deceased), Patient: the late Ada Example
        | ^\W*(?:patient|pt|client|re|name)(?:\ name)?\ ?:\ .*\b(?:deceased|died|passed\ away|the\ late)\b
        # Deceased: yes; date of death: 11/01/2026; dod 11/01/2026
        | ^\W*(?:is\ )?(?:the\ )?(?:patient\ )?(?:deceased|date\ of\ death|death\ date|date\ deceased|dod)
            \ ?[:=?]\ ?(?:yes|y|true|(?:on\ )?[0-9][0-9/.\-\ ]*)\W*$
        # A stamp: DECEASED, DECEASED 11/01/2026
        | ^\W*deceased\W*(?:on\ )?(?:[0-9][0-9/.\-\ ]*)?\W*$",
    )
});

static RELATIVE: LazyLock<Regex> = LazyLock::new(|| {
    fixed(
        r"\b(?:father|mother|brother|sister|son|daughter|child|husband|wife|spouse|partner|parents?|siblings?|uncle|aunt|cousin|grand\w+|family|donor|fetus|twin|widow\w*|guarantor|subscriber|contact|kin)\b",
    )
});

static DENIED: LazyLock<Regex> = LazyLock::new(|| {
    // A question whose answer stands in boxes or words behind it is read where its label is.
    fixed(r"^\W*(?:\?|(?:no|n|none|false|unknown|n/?a|yes\W+no|y\W+n)\b|[\x{2610}\x{2612}\x{25a3}\[])")
});

/// Whether a line speaks of a relative, or of somebody else who is not the patient.
pub(super) fn is_of_another(line: &str) -> bool {
    RELATIVE.is_match(&line.to_lowercase())
}

/// Whether a line says that the patient is dead.
pub(super) fn is_stated(line: &str) -> bool {
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    let Some(said) = STATED.find(&line) else { return false };
    let (before, behind) = (line.get(..said.start()).unwrap_or_default(), line.get(said.end()..).unwrap_or_default());
    let for_the_patient = ["for", "for the", "for this", "of", "of the"].iter().any(|words| before.trim_end().ends_with(words));
    !for_the_patient && !DENIED.is_match(behind) && !is_of_another(line.get(..said.end()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_say_that_the_patient_is_dead_are_known() {
        for line in [
            "Note: Patient deceased 11/01/2026",
            "The patient has passed away.",
            "Pt. died on 11/01/2026",
            "PATIENT IS NOW DECEASED",
            "Patient: Ottoline Fenwick (deceased 11/01/2026)",
            "Patient: The late Ottoline Fenwick",
            "Deceased: Yes",
            "Date of death: 11/01/2026",
            "*** DECEASED ***",
        ] {
            assert!(is_stated(line), "{line}");
        }
    }

    #[test]
    fn what_forms_and_histories_say_of_others_is_not_taken_for_it() {
        for line in [
            "Deceased: No",
            "Patient deceased: no",
            "Is patient deceased? [ ] Yes [X] No",
            "Deceased: Yes No",
            "Date of death:",
            "Father deceased, mother alive",
            "Family history: patient states father died of MI",
            "Patient reports that her husband died last year",
            "Deceased donor kidney transplant in 2019",
            "Emergency contact: Robin Fenwick (deceased)",
            "The authorization for this patient expired on 11/01/2026",
            "Medication expired",
            "Patient: Ottoline Fenwick",
        ] {
            assert!(!is_stated(line), "{line}");
        }
    }
}
