//! Numbers and addresses that a mail gives beside what is attached.

use std::collections::HashSet;

use super::{
    Beside,
    phrases::{CONTACT_LABELS, NEW_CONTACT, OF_PATIENT, PATIENT_REACHED, SENDS, WE_REACHED},
};
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
        if contacts(own).iter().all(|given| self.0.contains(&evened(given))) {
            return Beside::Nothing;
        }
        if NEW_CONTACT.is_match(plain) || PATIENT_REACHED.is_match(plain) {
            return Beside::Warning;
        }
        if WE_REACHED.is_match(plain) || CONTACT_LABELS.is_match(plain) {
            return Beside::Nothing;
        }
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
