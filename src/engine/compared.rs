//! What a reply says, compared with the referral that it answers: whether it can be of this patient, and of this request.

use jiff::{Timestamp, tz::TimeZone};

use crate::referral::{Compare, Record, Reply, ReplyOutcome, Sex};

/// Why a reply may be of another patient, written to the patient, or of something before the referral.
///
/// `asked_at`: when the first letter to the desk was written.
pub(super) fn differs(reply: &Reply, record: &Record, asked_at: Option<Timestamp>, time_zone: &TimeZone) -> Option<&'static str> {
    let Compare { greets, names: named, born, happened_on } = &reply.compare;
    let patient = &record.patient;
    let names = [&patient.name.family, &patient.name.given].into_iter().flatten().map(|name| name.to_lowercase());
    if names.flat_map(words_of).any(|name| greets.contains(&name)) {
        return Some("it greets the patient: it may be a letter to them, and no answer");
    }
    if !named.is_empty() && !are_of(named, record) {
        return Some("it names a patient otherwise than the referral does: it may be of another patient");
    }
    let other_birth = |born: &String| patient.birth_date.as_ref().is_none_or(|known| !is_written(known.as_str(), born));
    if born.as_ref().is_some_and(other_birth) {
        return Some("it gives a birth date that is not the patient's: it may be of another patient");
    }
    let asked_on = asked_at.map(|at| at.to_zoned(time_zone.clone()).date());
    if happened_on.is_some_and(|day| asked_on.is_some_and(|asked_on| day < asked_on)) {
        return Some("it tells of something that was before they were asked");
    }
    names_the_referring_doctor(reply, record)
        .then_some("it names the doctor who refers the patient: who saw, or will see, the patient is not plain")
}

/// Whether all words of a name are of the patient's, the family name among them; a letter stands for the middle name, if the referral gives one.
fn are_of(named: &[String], record: &Record) -> bool {
    let name = &record.patient.name;
    let parts = |part: &Option<String>| words_of(part.as_deref().unwrap_or_default().to_lowercase());
    let (family, given, middle) = (parts(&name.family), parts(&name.given), parts(&name.middle));
    let known: Vec<&String> = family.iter().chain(&given).chain(&middle).collect();
    let whole = |word: &String| known.contains(&word);
    let initial = name.middle.as_deref().map(str::to_lowercase);
    let letter = |word: &str| word.chars().count() == 1 && initial.as_ref().is_none_or(|initial| initial.starts_with(word));
    // Mr. Roe is the husband, where the patient is Mrs. Roe.
    let titled = |word: &str| match word {
        "mr" => record.patient.sex != Some(Sex::F),
        "mrs" | "ms" | "miss" => record.patient.sex != Some(Sex::M),
        _ => false,
    };
    family.iter().any(|family| named.contains(family)) && named.iter().all(|word| whole(word) || letter(word) || titled(word))
}

fn words_of(name: String) -> Vec<String> {
    name.split(|c: char| !(c.is_alphanumeric() || "'-".contains(c))).filter(|word| word.len() > 1).map(str::to_owned).collect()
}

/// Whether a birth date (ISO 8601) is what somebody wrote, in whatever order and with or without the century.
pub(super) fn is_written(known: &str, written: &str) -> bool {
    const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let month = |part: &str| MONTHS.iter().position(|name| part.starts_with(name)).map(|at| at as i32 + 1);
    let number = |part: &str| part.trim_end_matches(|c: char| c.is_alphabetic()).parse().ok().or_else(|| month(part));
    let numbers = |text: &str| -> Vec<i32> {
        let mut all: Vec<i32> = text.split(|c: char| !c.is_alphanumeric()).filter_map(number).collect();
        all.sort_unstable();
        all
    };
    let known: Vec<i32> = known.split('-').filter_map(|part| part.parse().ok()).collect();
    let [year, month, day] = known.as_slice() else { return false };
    let mut whole = [*year, *month, *day];
    let mut short = [year % 100, *month, *day];
    whole.sort_unstable();
    short.sort_unstable();
    numbers(written) == whole || numbers(written) == short
}

/// `She was seen by Dr. Phillips`, where that is who refers her.
fn names_the_referring_doctor(reply: &Reply, record: &Record) -> bool {
    let about_a_visit = matches!(reply.outcome, ReplyOutcome::Scheduled | ReplyOutcome::Completed | ReplyOutcome::NoShow);
    let family = record.referring.name.family.as_deref().unwrap_or_default().to_lowercase();
    let quote = reply.quote.as_deref().unwrap_or_default().to_lowercase();
    let mut words = quote.split(|c: char| !(c.is_alphanumeric() || "'-".contains(c)));
    about_a_visit && !family.is_empty() && words.any(|word| word == family)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::referral::IsoDate;

    fn record() -> Record {
        let mut record = Record::default();
        record.patient.name.family = Some("Okafor-Lee".into());
        record.patient.name.given = Some("Delphine".into());
        record.patient.birth_date = IsoDate::parse("1958-03-07");
        record
    }

    fn why(compare: Compare) -> Option<&'static str> {
        let reply = Reply { outcome: ReplyOutcome::Received, compare, ..Reply::unread() };
        let asked_at = "2026-11-21T23:30:00Z".parse().ok();
        differs(&reply, &record(), asked_at, &TimeZone::get("America/Los_Angeles").unwrap())
    }

    #[test]
    fn a_letter_to_the_patient_is_no_answer() {
        let greeting = |name: &str| Compare { greets: vec![name.into()], ..Compare::default() };
        assert!(why(greeting("delphine")).is_some());
        assert!(why(greeting("okafor-lee")).is_some());
        assert_eq!(why(greeting("maria")), None);
    }

    #[test]
    fn a_name_is_the_patients() {
        let named = |name: &str| why(Compare { names: name.split(' ').map(str::to_owned).collect(), ..Compare::default() });
        for theirs in ["delphine okafor-lee", "okafor-lee delphine", "mrs okafor-lee", "delphine q okafor-lee"] {
            assert_eq!(named(theirs), None, "{theirs}");
        }
        let mut woman = record();
        woman.patient.sex = Some(Sex::F);
        let reply = |name: &str| Reply {
            outcome: ReplyOutcome::Received,
            compare: Compare { names: vec![name.into(), "okafor-lee".into()], ..Compare::default() },
            ..Reply::unread()
        };
        assert!(differs(&reply("mr"), &woman, None, &TimeZone::UTC).is_some(), "her husband");
        assert_eq!(differs(&reply("mrs"), &woman, None, &TimeZone::UTC), None);
        for other in ["delphine", "delphine okafor", "daniel okafor-lee", "jane roe", "mrs roe"] {
            assert!(named(other).is_some(), "{other}");
        }
    }

    #[test]
    fn a_birth_date_is_the_patients_however_it_is_written() {
        let born = |text: &str| why(Compare { born: Some(text.into()), ..Compare::default() });
        for written in ["03/07/1958", "3/7/58", "7.3.1958", "mar 7, 1958", "7th of march 1958"] {
            assert_eq!(born(written), None, "{written}");
        }
        for other in ["03/08/1958", "3/7/59", "apr 7, 1958", "1958"] {
            assert!(born(other).is_some(), "{other}");
        }
    }

    #[test]
    fn what_was_before_the_request_is_no_answer_to_it() {
        let happened = |day: &str| why(Compare { happened_on: day.parse().ok(), ..Compare::default() });
        assert!(happened("2026-11-20").is_some());
        assert_eq!(happened("2026-11-21"), None);
    }
}
