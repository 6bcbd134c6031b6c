//! An allergy, and the note that it becomes: the record keeps allergies as notes, whatever the channel, and a receiving system wants them
//! as segments again.

use std::fmt;

use super::values::redacted_debug;

redacted_debug!(Allergy);

/// HL7 table 0127: what kind of thing it is against.
const KINDS: [(&str, &str); 8] = [
    ("DA", "drug"),
    ("FA", "food"),
    ("MA", "miscellaneous"),
    ("MC", "contraindication"),
    ("EA", "environmental"),
    ("AA", "animal"),
    ("PA", "plant"),
    ("LA", "pollen"),
];
/// HL7 table 0128: how severe it is.
const SEVERITIES: [(&str, &str); 4] = [("SV", "severe"), ("MO", "moderate"), ("MI", "mild"), ("U", "severity unknown")];
const HEADING: &str = "Allergy: ";

/// What a patient is allergic to. As text (`to_string`) it is the note, which [`Allergy::of_note`] reads again.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Allergy {
    /// Against what.
    pub substance: String,
    /// `drug`, `food`.
    pub kind: Option<String>,
    /// `severe`, `mild`.
    pub severity: Option<String>,
    /// What happens.
    pub reaction: Option<String>,
    /// How certain or how current it is, as sent.
    pub status: Option<String>,
}

impl Allergy {
    /// The word for a code of table 0127.
    #[must_use]
    pub fn kind_word(code: &str) -> Option<&'static str> {
        word(&KINDS, code)
    }

    /// The code of table 0127 for a word.
    #[must_use]
    pub fn kind_code(word: &str) -> Option<&'static str> {
        code(&KINDS, word)
    }

    /// The word for a code of table 0128.
    #[must_use]
    pub fn severity_word(code: &str) -> Option<&'static str> {
        word(&SEVERITIES, code)
    }

    /// The code of table 0128 for a word.
    #[must_use]
    pub fn severity_code(word: &str) -> Option<&'static str> {
        code(&SEVERITIES, word)
    }

    /// The allergy that a note of ours speaks of; none: it is another note, or was written by somebody else.
    #[must_use]
    pub fn of_note(note: &str) -> Option<Self> {
        let mut parts = note.strip_prefix(HEADING)?.split("; ");
        let mut allergy = Self { substance: parts.next()?.to_owned(), ..Self::default() };
        for part in parts {
            let (name, value) = part.split_once(": ")?;
            let place = match name {
                "type" => &mut allergy.kind,
                "severity" => &mut allergy.severity,
                "reaction" => &mut allergy.reaction,
                "status" => &mut allergy.status,
                _ => return None,
            };
            if place.replace(value.to_owned()).is_some() {
                return None;
            }
        }
        (allergy.to_string() == note).then_some(allergy)
    }
}

impl fmt::Display for Allergy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The parts are told apart by their semicolons: one of the sender's own becomes a comma.
        let plain = |text: &str| text.replace(';', ",").replace(['\r', '\n'], " ");
        write!(f, "{HEADING}{}", plain(&self.substance))?;
        let parts = [("type", &self.kind), ("severity", &self.severity), ("reaction", &self.reaction), ("status", &self.status)];
        for (name, value) in parts {
            if let Some(value) = value {
                write!(f, "; {name}: {}", plain(value))?;
            }
        }
        Ok(())
    }
}

fn word(table: &[(&str, &'static str)], code: &str) -> Option<&'static str> {
    table.iter().find(|(known, _)| known.eq_ignore_ascii_case(code)).map(|(_, word)| *word)
}

fn code(table: &[(&'static str, &str)], word: &str) -> Option<&'static str> {
    table.iter().find(|(_, known)| *known == word).map(|(code, _)| *code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_read_again_as_the_allergy_it_was_written_from() {
        let full = Allergy {
            substance: "Penicillin".to_owned(),
            kind: Some("drug".to_owned()),
            severity: Some("severe".to_owned()),
            reaction: Some("anaphylaxis, hives".to_owned()),
            status: Some("confirmed".to_owned()),
        };
        let note = full.to_string();
        assert_eq!(note, "Allergy: Penicillin; type: drug; severity: severe; reaction: anaphylaxis, hives; status: confirmed");
        assert!(Allergy::of_note(&note) == Some(full));
        let bare = Allergy { substance: "dust; mites".to_owned(), ..Allergy::default() };
        assert!(Allergy::of_note(&bare.to_string()).is_some_and(|read| read.substance == "dust, mites"));
    }

    #[test]
    fn what_somebody_else_wrote_is_no_note_of_ours() {
        for note in ["Allergies: Iodine", "Allergy: x; see the list", "Allergy: x; type: drug; type: food", "penicillin"] {
            assert!(Allergy::of_note(note).is_none(), "{note}");
        }
    }
}
