//! What a mail says beside the referral that is attached to it.
//!
//! # Design notes
//! Most say "please see attached", and nothing waits for that. What else they say may turn round what is attached ("sent in error", "page 2 is
//! hers", "BP 220/130"), and no list has all of that: one that was tried let 84 of 234 everyday warnings pass. So it is the other way about, as
//! with replies: a sentence that `phrases.rs` knows says nothing, or is a note on the referral; what is left must be words of no weight, and
//! whatever else it says is for a person before anything goes out.
//!
//! What machines write (fax services, scanners) nobody can know whole. From its first sentence that only they write, only what surely warns
//! counts, and what has a word that people use of a referral.
//!
//! Wherever something can stand it is looked at: text, HTML beside it, mails within, attached texts, each subject, the sender's name. Names,
//! birth dates, numbers, telephones, addresses, doctors and specialties are compared with what is attached.

mod contacts;
mod phrases;
mod whose;

use std::sync::LazyLock;

use regex::Regex;

use self::{
    phrases::{HARMLESS, MACHINES, NAMED_PAPERS, OF_PEOPLE, OF_PRACTICES, PLAIN, SAFE, SUBJECTS, WARNS},
    whose::Whose,
};
use crate::{
    normalize::reply::{is_around_a_name, is_closing, is_courtesy, is_signature_line, names_a_second, plain_sentences},
    referral::{Priority, Record},
};

/// What the words are, beside what is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Beside {
    /// Courtesy, and that something is attached.
    Nothing,
    /// Something that belongs to the referral.
    Note,
    /// Something that may turn it round, or cannot be told.
    Warning,
}

/// All that a mail says, wherever it stands.
#[derive(Clone, Debug, Default)]
pub struct Sayings {
    /// Its own words with what it quotes or passes on, its HTML, mails and texts that are attached.
    pub texts: Vec<String>,
    /// What the attached files are called.
    pub file_names: Vec<String>,
    /// Its subject, and those of the mails within.
    pub subjects: Vec<String>,
    /// Whether a machine sent it: a copier, a fax service.
    pub is_automatic: bool,
    /// Whether it was sent with high importance.
    pub is_important: bool,
    /// What the sender is called, beside the address.
    pub sender_name: Option<String>,
}

/// What a mail says to a referral that is attached to it. `is_birth_date` tells whether a date, as it is written, is the patient's birth date.
#[must_use]
pub fn beside(said: &Sayings, attached: &Record, is_birth_date: impl Fn(&str) -> bool) -> Beside {
    let sender = said.sender_name.as_deref().unwrap_or_default();
    let whose = Whose::of(attached, sender);
    let mut weight = Beside::Nothing;
    let mut of_machine = said.is_automatic;
    if said.file_names.iter().any(|name| warns_by_name(name, &whose, &is_birth_date))
        || WARNS.is_match(&OF_PRACTICES.replace_all(&sender.to_lowercase(), " "))
    {
        return Beside::Warning;
    }
    if said.is_important && !matches!(attached.priority, Priority::Stat | Priority::Urgent) {
        weight = Beside::Note;
    }
    for text in &said.texts {
        weight = weight.max(of_text(text, &whose, &is_birth_date, said.is_automatic));
        of_machine |= plain_sentences(text).iter().any(|(_, sentence)| is_of_machine(sentence));
    }
    for subject in &said.subjects {
        let of_machine = of_machine || said.texts.iter().all(|text| text.trim().is_empty());
        weight = weight.max(of_subject(subject, &whose, &is_birth_date, of_machine));
    }
    weight
}

fn of_text(text: &str, whose: &Whose, is_birth_date: &impl Fn(&str) -> bool, is_automatic: bool) -> Beside {
    let (text, apart) = without_signature(text);
    let sentences = plain_sentences(&text);
    let people = sentences.iter().position(|(_, sentence)| is_of_machine(sentence)).unwrap_or(sentences.len());
    let written = |sentences: &[(String, String)]| sentences.iter().map(|(own, _)| own.as_str()).collect::<Vec<_>>().join("\n");
    let (of_people, of_machines) = sentences.split_at(people);
    if whose.is_other(&written(of_people), is_birth_date) || whose.is_other_in_passing(&written(of_machines), is_birth_date) {
        return Beside::Warning;
    }
    let mut weight = apart.iter().map(|line| of_subject(line, whose, is_birth_date, false)).max().unwrap_or(Beside::Nothing);
    let mut of_machine = is_automatic;
    for (own, sentence) in &sentences {
        of_machine |= is_of_machine(sentence);
        if !of_machine {
            weight = weight.max(whose.contacts.weigh(own, sentence));
        }
        // A paper that is named, and did not come: the message has none with it.
        let lacks_papers = !whose.has_papers && NAMED_PAPERS.is_match(sentence);
        let (rest, is_note) = whose.without(sentence, is_birth_date);
        let is_note = is_note || lacks_papers;
        let said = weigh(&rest).max(if is_note { Beside::Note } else { Beside::Nothing });
        weight = weight.max(match said {
            Beside::Warning if of_machine && !warns(&rest) => Beside::Nothing,
            said => said,
        });
    }
    weight
}

/// Whether a sentence among a machine's warns, or is a person's all the same.
fn warns(sentence: &str) -> bool {
    WARNS.is_match(sentence) || OF_PEOPLE.is_match(sentence)
}

/// Whether what a file is called warns, or names somebody else.
fn warns_by_name(name: &str, whose: &Whose, is_birth_date: &impl Fn(&str) -> bool) -> bool {
    let name = name.rsplit_once('.').map_or(name, |(stem, _)| stem).replace(['_', '-', '.'], " ");
    let lower = name.to_lowercase();
    WARNS.is_match(&lower)
        || OF_PEOPLE.find_iter(&lower).any(|found| !SAFE.contains(found.as_str()) && !whose.is_known(found.as_str()))
        || whose.is_other(&name, is_birth_date)
        || whose.is_named_otherwise(&name)
}

/// A subject has no sentences: it is a few words, or what a machine calls what it sends.
fn of_subject(subject: &str, whose: &Whose, is_birth_date: &impl Fn(&str) -> bool, of_machine: bool) -> Beside {
    /// A shorter one may count referrals.
    const NUMBER_CHARACTERS_MIN: usize = 3;
    static OF_MACHINES: LazyLock<Regex> = LazyLock::new(|| {
        phrases::fixed(r"\b(?:e?fax|scan(?:ned)?|image|document|message from|mfp|copier|printer|voicemail|page\(s\))")
    });
    let is_machines = of_machine && OF_MACHINES.is_match(&subject.to_lowercase());
    if whose.is_other(subject, is_birth_date)
        || whose.is_named_otherwise(subject)
        || (!is_machines && names_a_day(subject, is_birth_date))
    {
        return Beside::Warning;
    }
    let mut weight = Beside::Nothing;
    for (_, sentence) in plain_sentences(subject) {
        let (rest, is_note) = whose.without(&SUBJECTS.replace_all(&sentence, " "), is_birth_date);
        // `11/27` and `48hrs` are none.
        let is_number = |word: &&str| {
            word.len() >= NUMBER_CHARACTERS_MIN && word.chars().all(|symbol| symbol.is_ascii_digit() || "-#()".contains(symbol))
        };
        let unnumbered = rest.split(' ').filter(|word| !is_number(word)).collect::<Vec<_>>().join(" ");
        let said = weigh(&unnumbered).max(if is_note { Beside::Note } else { Beside::Nothing });
        weight = weight.max(match said {
            Beside::Warning if is_machines && !warns(&rest) => Beside::Nothing,
            said => said,
        });
    }
    weight
}

/// Whether a subject has a date that is not the birth date: it may be somebody else's.
fn names_a_day(subject: &str, is_birth_date: &impl Fn(&str) -> bool) -> bool {
    static DATE: LazyLock<Regex> =
        LazyLock::new(|| phrases::fixed(r"\b\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4}\b|\b\d{4}-\d{1,2}-\d{1,2}\b"));
    DATE.find_iter(subject).any(|found| !is_birth_date(found.as_str()))
}

fn is_of_machine(sentence: &str) -> bool {
    MACHINES.iter().any(|machine| machine.is_match(sentence))
}

/// A sentence (plain) without the names of those whom the referral is about.
fn weigh(sentence: &str) -> Beside {
    if sentence.trim().is_empty() || is_courtesy(sentence.trim()) {
        return Beside::Nothing;
    }
    let mut rest = sentence.to_owned();
    for plain in PLAIN.iter() {
        rest = plain.replace_all(&rest, " ").into_owned();
    }
    let before = rest.clone();
    for harmless in HARMLESS.iter() {
        rest = harmless.replace_all(&rest, " ").into_owned();
    }
    let is_note = rest != before;
    let mut words = rest.split(|symbol: char| !(symbol.is_alphanumeric() || symbol == '\'')).filter(|word| !word.is_empty());
    if !words.all(|word| SAFE.contains(word)) {
        return Beside::Warning;
    }
    if is_note { Beside::Note } else { Beside::Nothing }
}

/// A text without the lines below its closing that stand in signatures, whatever the practice is called; and those of them that say something
/// all the same: a priority, to whose attention it is, a second person's name.
fn without_signature(text: &str) -> (String, Vec<&str>) {
    /// `Thanks, Maria`; `Thank you and have a great day!`
    static BEHIND_CLOSING: LazyLock<Regex> =
        LazyLock::new(|| phrases::fixed(r"(?:,? and have an? \w+ (?:day|week|weekend)\W*|[,.!]\s+(?:\p{Lu}[\p{L}.]*\s*){1,3})$"));
    static SAYS: LazyLock<Regex> =
        LazyLock::new(|| phrases::fixed(r"(?i)\b(?:priority|attn|attention|stat|routine|urgent|delete|rush)\b"));
    static CONTACT: LazyLock<Regex> = LazyLock::new(|| {
        phrases::fixed(
            r"(?i)^(?:direct(?: line| dial)?|tel(?:ephone)?|phone|ph|fax|mobile|cell|office|main|[pftme]|e-?mail|web)\b[ .:|(]*[\d(+](?:[\d\s().+|/,:-]|\b(?:ext|x|fax|f|p|tel|cell|phone|office|direct|main|m|t|toll free)\b)*$|^(?:my |our )?(?:working|office|business|clinic) (?:days|hours)\b(?:[\d\s.,:&/\u{2013}-]|\b(?:mon|tue|tues|wed|thu|thur|thurs|fri|sat|sun)(?:day|nesday|sday|urday)?s?\b|\b(?:to|and|through|am|pm|noon|closed|for|lunch)\b|(?:am|pm))*$",
        )
    });
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let Some(closing) = lines.iter().rposition(|line| is_closing(&BEHIND_CLOSING.replace(line, ""))) else {
        return (text.to_owned(), Vec::new());
    };
    let (mut kept, mut apart) = (lines.get(..=closing).unwrap_or_default().to_vec(), Vec::new());
    let mut signed: Option<&str> = None;
    for line in lines.iter().skip(closing + 1).filter(|line| !line.is_empty()) {
        let is_second = signed.is_some_and(|signed| names_a_second(signed, line));
        let says_nothing = plain_sentences(line).iter().all(|(_, sentence)| weigh(sentence) == Beside::Nothing);
        if !says_nothing && (SAYS.is_match(line) || WARNS.is_match(&line.to_lowercase())) || is_second {
            apart.push(*line);
        } else if !(is_signature_line(line)
            || CONTACT.is_match(line)
            || is_around_a_name(line, signed.is_none() || is_of_practice(line)))
        {
            kept.push(line);
        }
        signed = signed.or(Some(line));
    }
    (kept.join("\n"), apart)
}

/// `Nurse Care Coordinator`: a title or a practice has more words than `Bleeding`, `See Tomorrow`.
fn is_of_practice(line: &str) -> bool {
    const WORDS_MIN: usize = 3;
    line.split_whitespace().count() >= WORDS_MIN
}

#[cfg(test)]
mod tests;
