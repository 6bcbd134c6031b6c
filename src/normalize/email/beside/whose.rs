//! Whom a mail's words are about, compared with the referral that is attached: names, birth dates, numbers, doctors and specialties.

use std::{collections::HashSet, sync::LazyLock};

use regex::Regex;

use super::{
    contacts::Contacts,
    phrases::{OF_PEOPLE, SAFE, WARNS, fixed},
};
use crate::{
    normalize::{
        given_names::is_given_name,
        reply::{birth_dates, is_risky},
    },
    referral::{PersonName, Priority, Record, Sex},
};

/// What of a referral a mail may name.
pub(super) struct Whose {
    /// The words of the patient's name, in small letters.
    patient: HashSet<String>,
    /// Those of who refers, to whom, of the specialty, the reason and the payer.
    known: HashSet<String>,
    /// The patient's numbers.
    numbers: HashSet<String>,
    /// Telephone numbers and addresses.
    pub(super) contacts: Contacts,
    /// Whether pages, or documents within a message, are attached.
    pub(super) has_papers: bool,
    /// What the sender is called.
    sender: HashSet<String>,
    /// The same, and who refers and to whom, as whole names, in small letters.
    names: Vec<String>,
    has_doctor: bool,
    has_specialty: bool,
    sex: Option<Sex>,
    /// The words for its priority.
    priority: &'static [&'static str],
}

/// The words of a text, in small letters.
fn words_of(text: &str) -> impl Iterator<Item = String> {
    let lower = text.to_lowercase();
    let words: Vec<String> =
        lower.split(|symbol: char| !(symbol.is_alphanumeric() || "'-".contains(symbol))).map(str::to_owned).collect();
    words.into_iter().filter(|word| word.chars().count() > 1)
}

fn of_name(name: &PersonName) -> impl Iterator<Item = String> {
    [&name.family, &name.given, &name.middle, &name.suffix].into_iter().flatten().flat_map(|part| words_of(part))
}

/// A number without its marks.
fn bare(number: &str) -> String {
    number.chars().filter(|symbol| symbol.is_alphanumeric()).collect::<String>().to_lowercase()
}

/// Whether a word of a name warns of nothing: "Cedar Urgent Care" makes nothing less urgent.
fn says_nothing(word: &str) -> bool {
    !(is_risky(word) || WARNS.is_match(word) || OF_PEOPLE.is_match(word))
}

/// How many words a name has that is one as a whole, whatever they are: "Cedar Urgent Care".
const NAME_WORDS_MIN: usize = 3;

/// How long a word of the reason is that may be said again.
const REASON_LETTERS_MIN: usize = 5;

impl Whose {
    pub(super) fn of(record: &Record, sender: &str) -> Self {
        let (from, to) = (&record.referring, &record.referred_to);
        let named = [&from.organization, &to.organization, &from.specialty, &to.specialty].into_iter().flatten();
        let request = &record.request;
        let reasons = request.reason.iter().chain(request.diagnoses.iter().flat_map(|one| [&one.code, &one.text]).flatten());
        let payers = record.insurance.iter().filter_map(|one| one.payer.as_ref());
        // Of sentences, only what is long enough to be a complaint: "see her now" is another thing beside "palpitations, worse now".
        let reasons = reasons.flat_map(|reason| words_of(reason)).filter(|word| word.chars().count() >= REASON_LETTERS_MIN);
        let known = named.chain(payers).flat_map(|name| words_of(name));
        let known = known.chain(reasons).chain(of_name(&from.name)).chain(of_name(&to.name));
        let initial = |part: &Option<String>| {
            part.as_deref().and_then(|part| part.chars().next()).map(|letter| letter.to_lowercase().to_string())
        };
        let initials = initial(&record.patient.name.given).zip(initial(&record.patient.name.family));
        let initials = initials
            .into_iter()
            .flat_map(|(given, family)| [format!("{given}{family}"), format!("{family}{given}"), given, family]);
        let numbers = record.patient.identifiers.iter().map(|number| bare(&number.value));
        let names = from.organization.iter().chain(&to.organization).map(String::as_str).chain([sender]).map(str::to_lowercase);
        let insured = record.insurance.iter().filter_map(|one| one.member_id.as_deref()).map(bare);
        Self {
            patient: of_name(&record.patient.name).chain(initials).collect(),
            known: known.filter(|word| says_nothing(word)).collect(),
            names: names.filter(|name| name.split_whitespace().count() >= NAME_WORDS_MIN).collect(),
            sender: words_of(sender).filter(|word| says_nothing(word)).collect(),
            numbers: numbers.chain(insured).collect(),
            contacts: Contacts::of(record),
            has_papers: !record.attachments.is_empty() || record.evidence.values().any(|evidence| evidence.page.is_some()),
            has_doctor: to.name.family.is_some(),
            has_specialty: to.specialty.is_some(),
            sex: record.patient.sex,
            priority: match record.priority {
                Priority::Stat => &["stat", "emergent"],
                Priority::Urgent => &["urgent", "asap"],
                Priority::Routine => &["routine"],
                Priority::Unknown => &[],
            },
        }
    }

    fn is_theirs(&self, word: &str) -> bool {
        let word = word.to_lowercase();
        self.patient.contains(word.strip_suffix("'s").unwrap_or(&word))
    }

    pub(super) fn is_known(&self, word: &str) -> bool {
        /// So much of a word that `cardiologist` is of `cardiology`.
        const STEM: usize = 6;
        let word = word.strip_suffix("'s").unwrap_or(word);
        let stem = word.get(..STEM);
        self.patient.contains(word)
            || self.known.contains(word)
            || (is_of_a_specialty(word) && stem.is_some_and(|stem| self.known.iter().any(|known| known.starts_with(stem))))
    }

    /// Whether a text, as it was written, is about somebody else, or says of the patient what is not so.
    pub(super) fn is_other(&self, text: &str, is_birth_date: &impl Fn(&str) -> bool) -> bool {
        self.names_somebody_else(text) || self.is_other_in_passing(text, is_birth_date)
    }

    /// The same, of what machines write: streets and firms are called like people, so only who is named as the patient counts.
    pub(super) fn is_other_in_passing(&self, text: &str, is_birth_date: &impl Fn(&str) -> bool) -> bool {
        self.names_a_patient(text)
            || birth_dates(text).iter().any(|born| !is_birth_date(born))
            || self.has_another_number(text)
            || self.is_of_another_sex(text)
    }

    fn names_somebody_else(&self, text: &str) -> bool {
        static FULL: LazyLock<Regex> = LazyLock::new(|| {
            fixed(
                r"(?P<before>\b(?i:dr|doctor)\.? )?\b(?P<given>\p{Lu}[\p{L}'-]+)(?: \p{Lu}\.?)? (?P<family>\p{Lu}[\p{L}'-]+)(?P<behind>,? (?i:md|do|np|pa|pa-c|rn|ma|lpn|cma)\b)?",
            )
        });
        static REVERSED: LazyLock<Regex> =
            LazyLock::new(|| fixed(r"\b(?P<family>\p{Lu}[\p{L}'-]+), (?P<given>\p{Lu}[\p{L}'-]+)"));
        let is_safe = |word: &str| SAFE.contains(word.to_lowercase().as_str()) || is_risky(&word.to_lowercase());
        let known = |word: &str| self.known.contains(&word.to_lowercase());
        let given = |word: &str| is_given_name(&word.to_lowercase());
        FULL.captures_iter(text).chain(REVERSED.captures_iter(text)).any(|found| {
            let (first, second) = (&found["given"], &found["family"]);
            let of_doctor = ["before", "behind"].iter().any(|name| found.name(name).is_some());
            let is_name = !of_doctor && given(first) && !is_safe(second);
            let both = |set: &HashSet<String>| [first, second].iter().all(|word| set.contains(&word.to_lowercase()));
            let is_told = (self.is_theirs(first) && self.is_theirs(second)) || known(second) || both(&self.sender);
            is_name && !is_told
        })
    }

    /// `Mrs. Petrov`, `for Olga`.
    fn names_a_patient(&self, text: &str) -> bool {
        static TITLED: LazyLock<Regex> =
            LazyLock::new(|| fixed(r"\b(?i:mr|mrs|ms|miss)\.? (?:(?P<given>\p{Lu}[\p{L}'-]+) )?(?P<family>\p{Lu}[\p{L}'-]+)"));
        static GIVEN: LazyLock<Regex> = LazyLock::new(|| {
            fixed(r"\b(?i:for|patient|pt|patient name|re|seeing|sending|name|referral)\b[:#]? (?P<given>\p{Lu}[\p{L}'-]+)")
        });
        let is_other = |name: &str| !self.is_theirs(name) && !self.known.contains(&name.to_lowercase());
        TITLED.captures_iter(text).any(|found| is_other(&found["family"]))
            || GIVEN
                .captures_iter(text)
                .map(|found| found["given"].to_owned())
                .any(|name| is_given_name(&name.to_lowercase()) && is_other(&name))
    }

    /// Whether a subject is a name and no more, and not the patient's: `Marsh`, `tobias marsh`, `Lee, Lester`.
    pub(super) fn is_named_otherwise(&self, subject: &str) -> bool {
        const NAME_WORDS_MAX: usize = 3;
        let words: Vec<String> = words_of(subject).collect();
        let is_name =
            |word: &String| !SAFE.contains(word.as_str()) && word.chars().all(|c| c.is_alphabetic() || "'-".contains(c));
        (1..=NAME_WORDS_MAX).contains(&words.len())
            && words.iter().all(is_name)
            && words.iter().any(|word| is_given_name(word) && !self.is_theirs(word))
    }

    /// `MRN 7719923`, where the patient's is another.
    fn has_another_number(&self, text: &str) -> bool {
        static NUMBERED: LazyLock<Regex> = LazyLock::new(|| {
            fixed(
                r"(?i)\b(?:mrn|mr#|medical record|chart|member|policy|subscriber)(?:(?: (?:id|number|no|is))*\.?[ #:]*)(?P<number>[a-z]{0,4}-?\d[\da-z-]{3,})",
            )
        });
        NUMBERED.captures_iter(text).any(|found| !self.numbers.contains(&bare(&found["number"])))
    }

    /// `He`, of a woman; where both are spoken of, one may be her husband.
    fn is_of_another_sex(&self, text: &str) -> bool {
        const MALE: [&str; 7] = ["he", "him", "his", "gentleman", "boy", "male", "himself"];
        const FEMALE: [&str; 7] = ["she", "her", "hers", "lady", "girl", "female", "herself"];
        let (own, other) = match self.sex {
            Some(Sex::F) => (FEMALE, MALE),
            Some(Sex::M) => (MALE, FEMALE),
            Some(Sex::O | Sex::U) | None => return false,
        };
        let says = |list: &[&str]| words_of(text).any(|word| list.contains(&word.as_str()));
        says(&other) && !says(&own)
    }

    /// A sentence (plain) without what is the referral's: names, the birth date, numbers, its priority. Where the referral names no doctor, or no
    /// specialty, the one that the sentence names is a note.
    pub(super) fn without(&self, sentence: &str, is_birth_date: &impl Fn(&str) -> bool) -> (String, bool) {
        static DATE: LazyLock<Regex> = LazyLock::new(|| fixed(r"\b\d{1,4}[/.-]\d{1,2}[/.-]\d{2,4}\b"));
        static LABEL: LazyLock<Regex> = LazyLock::new(|| fixed(r"\b(?:dob|mrn|medical record number|member id)\b"));
        static DOCTOR: LazyLock<Regex> = LazyLock::new(|| fixed(r"\bdr (?P<name>[a-z'-]+)"));
        let named = self.names.iter().fold(sentence.to_owned(), |rest, name| rest.replace(name, " "));
        let sentence = DATE.replace_all(
            &named,
            |found: &regex::Captures<'_>| {
                if is_birth_date(&found[0]) { String::new() } else { found[0].to_owned() }
            },
        );
        let sentence = LABEL.replace_all(&sentence, " ");
        let mut is_note = false;
        let sentence = DOCTOR.replace_all(&sentence, |found: &regex::Captures<'_>| {
            let name = &found["name"];
            if self.has_doctor || self.is_known(name) || is_risky(name) || SAFE.contains(name) {
                return found[0].to_owned();
            }
            is_note = true;
            "dr".to_owned()
        });
        let mut kept = Vec::new();
        for word in sentence.split_whitespace() {
            let bare_word = word.trim_matches(|symbol: char| !(symbol.is_alphanumeric() || symbol == '\''));
            let is_specialty = !self.has_specialty && is_of_a_specialty(bare_word);
            is_note |= is_specialty;
            let is_number = self.numbers.contains(&bare(bare_word));
            let is_sender = self.sender.contains(bare_word);
            if !(is_specialty || is_number || is_sender || self.is_known(bare_word) || self.priority.contains(&bare_word)) {
                kept.push(word);
            }
        }
        (kept.join(" "), is_note)
    }
}

/// `cardiology`, `orthopedics`, `neurologist`.
fn is_of_a_specialty(word: &str) -> bool {
    const ENDS: [&str; 8] = ["ology", "ologist", "iatry", "iatrics", "iatrist", "opedics", "opaedics", "surgery"];
    ENDS.iter().any(|end| word.ends_with(end))
}
