//! What a mail's own words are to the referral that is attached to it: another referral, the better one, or something said beside it.

use crate::{
    engine::{compared, decide::Found, sameness::same_patient},
    normalize::{
        Kind, Outcome,
        email::{Beside, MailOutcome, beside},
    },
    referral::{HeldReason, Priority, Problem, Record},
};

/// The most that is kept of a mail's own words as a note.
const NOTE_CHARACTERS_MAX: usize = 4_000;

/// Whether a referral that the mail states in its own words counts beside what is attached. It does where what is attached names another
/// patient, and then a person looks at both; and where it says more of whom to ask than the pages that are attached, which then go with it.
pub(super) fn stand_for_themselves(found: &mut [Found], words: &mut Outcome) -> bool {
    let Some(own) = &mut words.record else { return false };
    let is_same = |one: &Found, own: &Record| {
        one.outcome.kind == Kind::Referral && one.outcome.record.as_ref().is_some_and(|record| same_patient(record, own))
    };
    if !found.iter().any(|one| is_same(one, own)) {
        let text = "the mail's words refer another patient than what is attached to it: look at both";
        for record in found.iter_mut().filter_map(|one| one.outcome.record.as_mut()).chain([own]) {
            hold(record, HeldReason::SecondPatient, "second-patient", text);
        }
        return true;
    }
    let attached = || found.iter().filter(|one| is_same(one, own)).filter_map(|one| one.outcome.record.as_ref());
    let is_read_off_a_page = |record: &Record| record.evidence.values().any(|evidence| evidence.page.is_some());
    if !attached().all(|record| is_read_off_a_page(record) && asks(own) > asks(record)) {
        return false;
    }
    for one in found.iter_mut().filter(|one| is_same(one, own)) {
        one.outcome.kind = Kind::Document;
        one.keys.clear();
    }
    true
}

/// How much a record says of what is wanted: to whom it goes, why, and how urgently.
fn asks(record: &Record) -> usize {
    let to = &record.referred_to;
    let whither = to.specialty.is_some() || to.organization.is_some() || to.npi.is_some();
    [whither, record.request.reason.is_some(), record.priority != Priority::Unknown].into_iter().filter(|said| *said).count()
}

/// Keeps what the mail says beside the referrals that are attached, as a note on each; what may turn them round is for a person. `strict`: a note
/// is too, since what it is about is another referral perhaps.
pub(super) fn keep(found: &mut [Found], mail: &MailOutcome, strict: bool) {
    let own = mail.outcome.record.as_ref();
    let words = words_of(mail);
    let is_long = words.chars().count() > NOTE_CHARACTERS_MAX;
    for record in found.iter_mut().filter(|one| one.outcome.kind == Kind::Referral).filter_map(|one| one.outcome.record.as_mut())
    {
        let is_birth_date =
            |born: &str| record.patient.birth_date.as_ref().is_some_and(|known| compared::is_written(known.as_str(), born));
        let said = beside(&mail.said, record, is_birth_date);
        let differs = own.is_some_and(|own| differs(own, record));
        let warns = said == Beside::Warning || differs || (said == Beside::Note && (strict || is_long));
        if said != Beside::Nothing || differs {
            let kept: String = words.chars().take(NOTE_CHARACTERS_MAX).collect();
            if !kept.is_empty() && !record.notes.contains(&kept) {
                record.put_notes_last(vec![(kept, None)]);
            }
        }
        if warns {
            let text =
                "the mail says something beside what is attached, and it may change it: read it before anything is sent on";
            hold(record, HeldReason::OtherMatter, "mail-says-more", text);
        }
        if mail.has_unread {
            let text = "not all of the mail was read, and the rest goes to nobody: look at it (`messages export`)";
            hold(record, HeldReason::NotAllRead, "mail-brings-more", text);
        }
    }
}

/// All that a mail says, each once.
fn words_of(mail: &MailOutcome) -> String {
    let mut all: Vec<&str> = Vec::new();
    for text in mail.said.subjects.iter().chain(&mail.said.texts).map(|text| text.trim()) {
        if !text.is_empty() && !all.contains(&text) {
            all.push(text);
        }
    }
    if mail.said.is_important {
        all.push("(The mail was sent with high importance.)");
    }
    all.join("\n")
}

/// Whether the words name another priority, sex or specialty than what is attached.
fn differs(own: &Record, attached: &Record) -> bool {
    let priority = own.priority != Priority::Unknown && own.priority != attached.priority;
    let folded = |record: &Record| record.referred_to.specialty.as_ref().map(|specialty| specialty.to_lowercase());
    let sex = own.patient.sex.zip(attached.patient.sex).is_some_and(|(own, attached)| own != attached);
    priority || sex || (folded(own).is_some() && folded(own) != folded(attached))
}

fn hold(record: &mut Record, reason: HeldReason, code: &str, text: &str) {
    record.hold(reason);
    record.problems.push(Problem::new(code, text));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::referral::{Evidence, IsoDate};

    fn record(specialty: Option<&str>) -> Record {
        let mut record = Record::default();
        record.patient.name.family = Some("Quillfeather".to_owned());
        record.patient.name.given = Some("Ada".to_owned());
        record.patient.birth_date = IsoDate::parse("1962-02-14");
        record.referred_to.specialty = specialty.map(str::to_owned);
        record
    }

    /// What a page and the words come to: the kinds, and whether the words count.
    fn beside(page: Record, words: Record) -> (Kind, bool) {
        let mut found = [Found::of(Outcome::referral(page))];
        let counts = stand_for_themselves(&mut found, &mut Outcome::referral(words));
        (found[0].outcome.kind, counts)
    }

    #[test]
    fn a_laboratory_report_beside_a_referral_in_words_goes_with_it() {
        let mut page = record(None);
        page.evidence.insert("patient.name.family".into(), Evidence { page: Some(1), ..Evidence::default() });
        assert_eq!(beside(page.clone(), record(Some("Dermatology"))), (Kind::Document, true));
        assert_eq!(beside(page.clone(), record(None)), (Kind::Referral, false), "the words say no more");
        page.referred_to.specialty = Some("Cardiology".to_owned());
        assert_eq!(beside(page, record(Some("Dermatology"))), (Kind::Referral, false));
        assert_eq!(beside(record(None), record(Some("Dermatology"))), (Kind::Referral, false), "it is a message, no page");
    }
}
