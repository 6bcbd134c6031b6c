//! Closed lists (payers, specialties, words of a trade) and how near a text is to one of their entries.

use std::sync::LazyLock;

use serde::Deserialize;

use super::labels::fold;
use crate::referral::{Priority, Sex};

#[derive(Deserialize)]
struct Table {
    payer: Vec<Entry>,
    specialty: Vec<Entry>,
    words: Words,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    #[serde(default)]
    also: Vec<String>,
}

/// The words of a trade, in lower case.
#[derive(Deserialize)]
pub(super) struct Words {
    pub(super) organization: Vec<String>,
    pub(super) title: Vec<String>,
    pub(super) no_name: Vec<String>,
    pub(super) other_days: Vec<String>,
    pub(super) particles: Vec<String>,
    pub(super) suffixes: Vec<String>,
    pub(super) prefixes: Vec<String>,
    pub(super) credentials: Vec<String>,
    pub(super) closings: Vec<String>,
    pub(super) capital_i: Vec<String>,
    pub(super) four_digit_states: Vec<String>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    toml::from_str(include_str!("lists.toml")).expect("the lists are part of the program and a test reads them")
});

/// The words of a trade.
pub(super) fn words() -> &'static Words {
    &TABLE.words
}

/// An entry that a text is near to.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Listed {
    pub(super) name: String,
    /// 1 when equal, falling with each wrong letter.
    pub(super) likeness: f32,
}

/// The payer that a text names.
pub(super) fn payer(text: &str) -> Option<Listed> {
    nearest(&TABLE.payer, text)
}

/// The specialty that a text names as a whole.
pub(super) fn specialty(text: &str) -> Option<Listed> {
    nearest(&TABLE.specialty, text)
}

/// The name in the list of the specialty that a text is a name of, to the letter.
pub(crate) fn specialty_called(text: &str) -> Option<&'static str> {
    let text = fold(text);
    let is = |entry: &&Entry| std::iter::once(&entry.name).chain(&entry.also).any(|name| fold(name) == text);
    TABLE.specialty.iter().find(is).map(|entry| entry.name.as_str())
}

fn nearest(entries: &[Entry], text: &str) -> Option<Listed> {
    let text = fold(text);
    let score = |name: &str| {
        let name = fold(name);
        if name == text {
            1.0
        } else if name.len() < 5 {
            0.0
        } else {
            strsim::normalized_levenshtein(&name, &text) as f32
        }
    };
    entries
        .iter()
        .map(|entry| {
            let names = std::iter::once(&entry.name).chain(&entry.also);
            (names.map(|name| score(name)).fold(0.0, f32::max), entry)
        })
        .filter(|(likeness, _)| *likeness >= 0.78)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(likeness, entry)| Listed { name: entry.name.clone(), likeness })
}

/// The specialties that are named within a text, the longest name at each place, with the place of the first word.
pub(super) fn specialties_in(words: &[&str]) -> Vec<(usize, usize, Listed)> {
    let mut found = Vec::new();
    let mut from = 0;
    while from < words.len() {
        let here = (1..=5.min(words.len() - from)).rev().find_map(|count| {
            let taken = words.get(from..from + count)?;
            // A tick box beside a name is no part of it.
            let solid = |word: Option<&&str>| word.is_some_and(|word| word.contains(char::is_alphanumeric));
            if !solid(taken.first()) || !solid(taken.last()) {
                return None;
            }
            let text = taken.join(" ");
            let listed = specialty(&text)?;
            // Short everyday words ("gi", "ent", "va") name a specialty only in capitals.
            let short = fold(&text).len() <= 3 && text.chars().any(char::is_lowercase);
            (listed.likeness >= 0.85 && !short).then_some((from, from + count, listed))
        });
        match here {
            Some(found_here) => {
                from = found_here.1;
                found.push(found_here);
            }
            None => from += 1,
        }
    }
    found
}

/// What a word says of priority; `None` for any other word.
pub(super) fn priority(word: &str) -> Option<Priority> {
    match word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase().as_str() {
        "stat" | "emergent" | "emergency" | "immediate" | "immediately" => Some(Priority::Stat),
        "urgent" | "asap" | "urgently" | "expedited" | "expedite" => Some(Priority::Urgent),
        "routine" | "elective" | "standard" | "nonurgent" | "non-urgent" => Some(Priority::Routine),
        _ => None,
    }
}

/// What a word says of the patient's sex.
pub(super) fn sex(word: &str) -> Option<Sex> {
    match word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase().as_str() {
        "m" | "male" => Some(Sex::M),
        "f" | "female" => Some(Sex::F),
        "other" | "x" | "nonbinary" | "non-binary" => Some(Sex::O),
        "u" | "unknown" => Some(Sex::U),
        _ => None,
    }
}

/// Whether a text holds a word that names of practices hold.
pub(super) fn looks_like_organization(text: &str) -> bool {
    let known = |word: &str| {
        let word = word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
        words().organization.iter().any(|known| *known == word || (word.len() > 6 && strsim::levenshtein(known, &word) <= 1))
    };
    text.split_whitespace().any(known)
}

/// The name of a practice with the words that names of practices hold spelled as they are: `Medica!` was `Medical`, `Medicai` too. None where
/// nothing was to be put right.
pub(super) fn spelled(name: &str) -> Option<String> {
    let mut put_right = false;
    let spelled = |word: &str| {
        let plain = word.trim_end_matches([',', '.', ';']);
        let lower = plain.to_lowercase();
        let known = words().organization.iter().find(|known| known.chars().count() > 4 && fold(known) == fold(plain));
        let Some(known) = known.filter(|known| **known != lower) else { return word.to_owned() };
        put_right = true;
        let rest = known.chars().skip(1);
        plain.chars().take(1).chain(rest).collect()
    };
    let name = name.split_whitespace().map(spelled).collect::<Vec<String>>().join(" ");
    put_right.then_some(name)
}

/// Whether the last word of a practice's name is one letter off a word that such names end in: `Primary Cate` was hardly printed so.
pub(super) fn nearly_spelled(name: &str) -> bool {
    const LETTERS_MIN: usize = 4;
    let last = name.split_whitespace().next_back().unwrap_or_default();
    let last = last.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    let letters = last.chars().count();
    let known = &words().organization;
    let near = |known: &String| known.chars().count() == letters && strsim::levenshtein(known, &last) == 1;
    letters >= LETTERS_MIN && !known.contains(&last) && known.iter().any(near)
}

/// Whether the name of a practice breaks off: `Lakeside Medical` is hardly whole, its `Associates` may stand on the next line or be lost.
pub(super) fn breaks_off(name: &str) -> bool {
    const ADJECTIVES: [&str; 12] =
        ["medical", "family", "primary", "internal", "general", "community", "regional", "health", "of", "and", "for", "the"];
    let last = name.split_whitespace().next_back().unwrap_or_default();
    let last = last.trim_matches(|c: char| !c.is_alphanumeric() && c != '&').to_lowercase();
    last == "&" || ADJECTIVES.contains(&last.as_str())
}

/// A word with the capital I that it was printed with: `lron` was `Iron`, `lodine` was `Iodine`, `lllingworth` was `Illingworth`.
///
/// No English word but "lbs" begins with an l and a consonant; before a vowel the word must be known. `Gl` is the abbreviation GI.
pub(super) fn capital_i(word: &str) -> String {
    let consonant = |c: char| c.is_ascii_lowercase() && !matches!(c, 'a' | 'e' | 'i' | 'o' | 'u' | 'y');
    let Some(rest) = word.strip_prefix('l') else {
        return if word == "Gl" { "GI".to_owned() } else { word.to_owned() };
    };
    let plain: String = rest.chars().filter(|c| c.is_alphabetic()).flat_map(char::to_lowercase).collect();
    let known = words().capital_i.iter().any(|known| known.strip_prefix('i') == Some(plain.as_str()));
    let shaped = rest.starts_with(consonant) && !rest.starts_with("bs");
    if known || shaped { format!("I{rest}") } else { word.to_owned() }
}

/// Whether a few words, each with a capital, are the rest of a title: "Specialist *Referral Request*".
pub(super) fn is_rest_of_title(text: &str) -> bool {
    const WORDS_MAX: usize = 4;
    let word = |word: &str| word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    text.split_whitespace().count() <= WORDS_MAX
        && text.split_whitespace().all(|word| !word.starts_with(|c: char| c.is_lowercase() || c.is_ascii_digit()))
        && text.split_whitespace().any(|one| words().no_name.contains(&word(one)))
}

/// Whether a text is a form's or a cover page's title.
pub(super) fn looks_like_title(text: &str) -> bool {
    text.split_whitespace().any(|word| {
        let word = word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
        words().title.contains(&word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payer_with_a_wrong_letter_is_still_found_and_less_sure() {
        assert_eq!(payer("Aetna"), Some(Listed { name: "Aetna".to_owned(), likeness: 1.0 }));
        let near = payer("Blue Cross Blve Shield").unwrap();
        assert_eq!(near.name, "Blue Cross Blue Shield");
        assert!(near.likeness < 1.0);
        assert_eq!(payer("Richardside Medical Associates"), None);
    }

    #[test]
    fn a_specialty_is_found_inside_the_name_of_a_clinic() {
        let found = specialties_in(&["North", "Shawnstad", "Gastroenterology", "Center"]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].2.name, "Gastroenterology");
        assert!(specialties_in(&["the", "patient", "went", "ent", "in"]).is_empty());
        let boxed = specialties_in(&["\u{2612}", "Cardiology", "\u{2610}", "Urolagy", "\u{2610}"]);
        assert_eq!(boxed.iter().map(|(from, to, _)| (*from, *to)).collect::<Vec<_>>(), [(1, 2), (3, 4)]);
    }

    #[test]
    fn a_capital_i_is_put_back_where_the_word_proves_it() {
        for (read, printed) in [
            ("lron", "Iron"),
            ("lodine", "Iodine"),
            ("lles,", "Iles,"),
            ("lllingworth", "Illingworth"),
            ("lan", "Ian"),
            ("Gl", "GI"),
        ] {
            assert_eq!(capital_i(read), printed);
        }
        for word in ["lower", "lbs", "left", "last", "Lan"] {
            assert_eq!(capital_i(word), word);
        }
    }

    #[test]
    fn only_known_words_are_a_priority() {
        assert_eq!(priority("STAT"), Some(Priority::Stat));
        assert_eq!(priority("(ASAP)"), Some(Priority::Urgent));
        assert_eq!(priority("soon"), None);
    }
}
