//! Numbers and addresses that a mail gives beside what is attached.

use std::{collections::HashSet, sync::LazyLock};

use regex::Regex;

use super::{Beside, phrases::fixed};
use crate::{normalize::reply::contacts, referral::Record};

/// The telephone numbers and addresses that stand in what is attached.
pub(super) struct Contacts(HashSet<String>);

impl Contacts {
    pub(super) fn of(record: &Record) -> Self {
        let (patient, from, to) = (&record.patient, &record.referring, &record.referred_to);
        let phones = [&patient.phones, &from.phones, &to.phones].into_iter().flatten().map(|phone| evened(&phone.number));
        let emails = [&patient.emails, &from.emails, &to.emails].into_iter().flatten().map(|address| evened(address));
        Self(phones.chain(emails).collect())
    }

    /// What a sentence says by a number or an address that is not in what is attached. `own` is the sentence as it was written, `plain` evened.
    ///
    /// Whom to ask is said in every mail; where the report goes is a note; where the patient is reached now, nobody would learn otherwise.
    pub(super) fn weigh(&self, own: &str, plain: &str) -> Beside {
        static NEW: LazyLock<Regex> = LazyLock::new(|| {
            fixed(
                r"\b(?:new (?:phone|fax|cell|mobile|number|home|e-?mail|address|contact|office|direct|line|tel)|(?:e-?mail|address|number|phone|fax|cell|line) is now|now|changed?|updated?|correct|old|instead|disconnected)\b",
            )
        });
        static REACHED: LazyLock<Regex> = LazyLock::new(|| {
            fixed(
                r"\b(?:call|contact|reach|phone|text|schedule|notify|reach out to|e-?mail) (?:with )?{P}|\b(?:her|his|their|patient's) (?:[a-z]+ )?(?:phone|number|cell|mobile|home|e-?mail|address|line)\b|\b(?:mother|father|mom|dad|daughter|son|husband|wife|sister|brother|parents?|guardian|caregiver|spouse|family)\b",
            )
        });
        static OURS: LazyLock<Regex> = LazyLock::new(|| {
            fixed(
                r"\b(?:questions?|concerns?|anything (?:else|further)|(?:call|contact|reach|phone|text|e-?mail)(?: out to| to| back)? (?:us|me|our|the office|the clinic)|(?:our|the) (?:office|clinic)|sent from|(?:this|the) (?:e-?mail|message|fax) (?:is|was)|reply to)\b",
            )
        });
        static LABELS: LazyLock<Regex> =
            LazyLock::new(|| fixed(r"^(?:\W|\b(?:p|f|t|o|e|tel|ph|phone|fax|office|direct|main|ext|x|e-?mail)\b)*$"));
        static SENDS: LazyLock<Regex> = LazyLock::new(|| fixed(r"\b(?:send|fax|forward|e-?mail)\b"));
        if contacts(own).iter().all(|given| self.0.contains(&evened(given))) {
            return Beside::Nothing;
        }
        if NEW.is_match(plain) || REACHED.is_match(plain) {
            return Beside::Warning;
        }
        if OURS.is_match(plain) || LABELS.is_match(plain) {
            return Beside::Nothing;
        }
        static OF_PATIENT: LazyLock<Regex> = LazyLock::new(|| fixed(r"\b(?:patient|she|he|her|him|his)\b"));
        if OF_PATIENT.is_match(plain) && !SENDS.is_match(plain) { Beside::Warning } else { Beside::Note }
    }
}

/// An address in small letters, a number by its last ten digits: with the country or without.
fn evened(contact: &str) -> String {
    const DIGITS: usize = 10;
    if contact.contains('@') {
        return contact.trim_matches(|symbol: char| !symbol.is_alphanumeric()).to_lowercase();
    }
    let digits: Vec<char> = contact.chars().filter(char::is_ascii_digit).collect();
    digits.iter().skip(digits.len().saturating_sub(DIGITS)).collect()
}
