//! What the fields of a record are called when people read about them, and how their values are written.
//!
//! One table, so that a fax, a mail and a listing call the same field the same thing. Paths are those of the record
//! (`patient.birth_date`, `insurance.0.member_id`).

use serde_json::Value;

use crate::referral::{HeldReason, IsoDate, PersonName, Priority, Provider, Record, ReferralKind, Sex};

/// Every field, without the positions in lists.
const LABELS: &[(&str, &str)] = &[
    ("priority", "Priority"),
    ("kind", "Kind of referral"),
    ("identifiers.placer.value", "Sender's referral number"),
    ("identifiers.filler.value", "Receiver's referral number"),
    ("authored_at", "Date of the referral"),
    ("expires_at", "Referral valid until"),
    ("patient.name.family", "Patient's last name"),
    ("patient.name.given", "Patient's first name"),
    ("patient.name.middle", "Patient's middle name"),
    ("patient.name.suffix", "Patient's name suffix"),
    ("patient.name.prefix", "Patient's title"),
    ("patient.birth_date", "Date of birth"),
    ("patient.sex", "Sex"),
    ("patient.deceased", "Patient deceased"),
    ("patient.identifiers.value", "Patient number (MRN)"),
    ("patient.phones.number", "Patient's phone"),
    ("patient.emails", "Patient's email"),
    ("patient.address.lines", "Patient's street"),
    ("patient.address.city", "Patient's city"),
    ("patient.address.state", "Patient's state"),
    ("patient.address.postal_code", "Patient's ZIP code"),
    ("patient.address.country", "Patient's country"),
    ("insurance.payer", "Insurance"),
    ("insurance.plan", "Insurance plan"),
    ("insurance.member_id", "Insurance member ID"),
    ("insurance.group", "Insurance group number"),
    ("authorization.number", "Authorization number"),
    ("authorization.status", "Authorization status"),
    ("authorization.from", "Authorized from"),
    ("authorization.to", "Authorized until"),
    ("authorization.units", "Authorized visits"),
    ("referring.name.family", "Referring provider's last name"),
    ("referring.name.given", "Referring provider's first name"),
    ("referring.npi", "Referring provider's NPI"),
    ("referring.organization", "Referring practice"),
    ("referring.specialty", "Referring specialty"),
    ("referring.phones.number", "Referring practice's phone or fax"),
    ("referring.emails", "Referring practice's email"),
    ("referred_to.name.family", "Specialist's last name"),
    ("referred_to.name.given", "Specialist's first name"),
    ("referred_to.npi", "Specialist's NPI"),
    ("referred_to.organization", "Specialist's practice"),
    ("referred_to.specialty", "Specialty referred to"),
    ("referred_to.phones.number", "Specialist's phone or fax"),
    ("referred_to.emails", "Specialist's email"),
    ("request.service", "Service requested"),
    ("request.reason", "Reason for referral"),
    ("request.diagnoses.code", "Diagnosis code"),
    ("request.diagnoses.text", "Diagnosis"),
    ("request.diagnoses.system", "Diagnosis code system"),
    ("request.procedures.code", "Procedure code"),
    ("request.procedures.text", "Procedure"),
    ("request.procedures.system", "Procedure code system"),
    ("request.report_expected", "Report expected"),
    ("notes", "Notes"),
    ("appointment.at", "Appointment"),
    ("appointment.with", "Appointment with"),
];

/// What people call the field at a path. The second and later of a list say which they are; an unknown path is put into words as it is.
#[must_use]
pub fn label(path: &str) -> String {
    let plain: Vec<&str> = path.split('.').filter(|part| !is_position(part)).collect();
    let plain = plain.join(".");
    let label = match LABELS.iter().find(|(known, _)| *known == plain) {
        Some((_, label)) => (*label).to_owned(),
        None => sentence(&plain.replace(['.', '_'], " ")),
    };
    match path.split('.').filter(|part| is_position(part)).find_map(|part| part.parse::<u32>().ok()) {
        Some(position) if position > 0 => format!("{label} ({})", position.saturating_add(1)),
        Some(_) | None => label,
    }
}

fn is_position(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit())
}

fn sentence(text: &str) -> String {
    let mut symbols = text.chars();
    symbols.next().map(|first| first.to_uppercase().chain(symbols).collect()).unwrap_or_default()
}

/// The value at a path as people write it; none where the record does not have it, or says that it is unknown. For many paths of one
/// record, [`Values`] is cheaper.
#[must_use]
pub fn value(record: &Record, path: &str) -> Option<String> {
    Values::of(record).get(path)
}

/// The values of one record, to be asked for by path.
pub struct Values(Value);

impl Values {
    /// Takes what a record says.
    #[must_use]
    pub fn of(record: &Record) -> Self {
        // A record is a tree of plain values, which can always be serialized; one that could not would be shown as empty.
        Self(serde_json::to_value(record).unwrap_or_default())
    }

    /// The value at a path as people write it; none where the record does not have it, or says that it is unknown.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<String> {
        let leaf = path.split('.').try_fold(&self.0, |node, part| match node {
            Value::Array(items) => items.get(part.parse::<usize>().ok()?),
            Value::Object(fields) => fields.get(part),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        })?;
        match leaf {
            Value::String(_) if path == "priority" => {
                let stated = serde_json::from_value(leaf.clone()).ok().filter(|stated| *stated != Priority::Unknown)?;
                Some(priority(stated).to_owned())
            }
            Value::String(text) if path.ends_with(".number") => Some(phone(text)),
            Value::String(text) if path == "patient.sex" => Some(sex_word(text).to_owned()),
            Value::String(text) => {
                Some(IsoDate::parse(text).filter(|_| is_date_path(path)).map_or_else(|| text.clone(), |at| date(&at)))
            }
            Value::Bool(answer) => Some(if *answer { "yes" } else { "no" }.to_owned()),
            Value::Number(number) => Some(number.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }
}

impl std::fmt::Debug for Values {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Values { redacted }")
    }
}

fn is_date_path(path: &str) -> bool {
    path.ends_with("_date")
        || path.ends_with("_at")
        || matches!(path, "authorization.from" | "authorization.to" | "appointment.at")
}

/// A date as it cannot be misread: `Nov 1, 1934`; to the precision known, with the time where there is one.
#[must_use]
pub fn date(date: &IsoDate) -> String {
    let text = date.as_str();
    if let Some(day) = date.date() {
        let written = day.strftime("%b %-d, %Y").to_string();
        return match text.split_once('T') {
            Some((_, time)) => format!("{written}, {time}"),
            None => written,
        };
    }
    match format!("{text}-01").parse::<jiff::civil::Date>() {
        Ok(month) => month.strftime("%b %Y").to_string(),
        Err(_) => text.to_owned(),
    }
}

/// A moment as it cannot be misread: `Nov 21, 2026, 3:04 PM PST`.
#[must_use]
pub fn time(at: &jiff::Zoned) -> String {
    at.strftime("%b %-d, %Y, %-I:%M %p %Z").to_string()
}

/// A phone number with spaces, as people read it out; what is no E.164 number stays as it is.
#[must_use]
pub fn phone(number: &str) -> String {
    if !number.starts_with('+') {
        return number.to_owned();
    }
    match phonenumber::parse(None, number) {
        Ok(parsed) => parsed.format().mode(phonenumber::Mode::International).to_string(),
        Err(_) => number.to_owned(),
    }
}

/// `Lee, Leslie A, Jr`: family name first, so that no two readers take different parts for it.
#[must_use]
pub fn person(name: &PersonName) -> Option<String> {
    let given: Vec<&str> = [&name.prefix, &name.given, &name.middle].into_iter().filter_map(Option::as_deref).collect();
    let given = given.join(" ");
    let parts: Vec<&str> = [name.family.as_deref(), Some(given.as_str()), name.suffix.as_deref()]
        .into_iter()
        .flatten()
        .filter(|part| !part.is_empty())
        .collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// `L. L.`: given name first.
#[must_use]
pub fn initials(name: &PersonName) -> Option<String> {
    let initials: Vec<String> = [&name.given, &name.family]
        .into_iter()
        .flatten()
        .filter_map(|part| part.chars().find(|symbol| symbol.is_alphanumeric()))
        .map(|symbol| format!("{}.", symbol.to_uppercase()))
        .collect();
    (!initials.is_empty()).then(|| initials.join(" "))
}

/// The practice and the person in it, as far as they are known.
#[must_use]
pub fn provider(provider: &Provider) -> Option<String> {
    let parts: Vec<String> = [person(&provider.name), provider.organization.clone()].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(" · "))
}

/// How soon, in a word.
#[must_use]
pub fn priority(priority: Priority) -> &'static str {
    match priority {
        Priority::Stat => "STAT (at once)",
        Priority::Urgent => "URGENT",
        Priority::Routine => "routine",
        Priority::Unknown => "not stated",
    }
}

/// Who refers, and to what end, in words.
#[must_use]
pub fn kind(kind: ReferralKind) -> &'static str {
    match kind {
        ReferralKind::Provider => "by a provider",
        ReferralKind::Oneself => "by the patient",
        ReferralKind::Emergency => "from an emergency department",
        ReferralKind::SecondOpinion => "for a second opinion",
        ReferralKind::FollowUp => "for a follow-up visit",
    }
}

/// Sex in a word.
#[must_use]
pub fn sex(sex: Sex) -> &'static str {
    match sex {
        Sex::F => "female",
        Sex::M => "male",
        Sex::O => "other",
        Sex::U => "unknown",
    }
}

fn sex_word(code: &str) -> &str {
    match code {
        "F" => sex(Sex::F),
        "M" => sex(Sex::M),
        "O" => sex(Sex::O),
        "U" => sex(Sex::U),
        other => other,
    }
}

/// Why a referral is held, in words for a person who does not know the engine.
#[must_use]
pub fn held_reason(reason: HeldReason) -> &'static str {
    match reason {
        HeldReason::BlockingField => "the patient's name or date of birth is missing or doubtful",
        HeldReason::PriorityUnknown => "it does not say how urgent it is",
        HeldReason::NoRoute => "no configured destination fits it",
        HeldReason::PossibleDuplicate => "it may be a referral that is known already",
        HeldReason::SecondPatient => "it may be about two patients",
        HeldReason::Deceased => "the patient is said to be dead",
        HeldReason::DeadDelivery => "something could not be delivered",
        HeldReason::UnclearReply => "a reply could not be understood",
        HeldReason::WrongRecipient => "the destination says that it is not theirs",
        HeldReason::NotReceived => "the specialist says that it did not arrive, twice",
        HeldReason::Rejected => "it was rejected before, and sent again",
        HeldReason::OtherMatter => "it may ask for something else than a new referral",
        HeldReason::NotAllRead => "not all of its pages were read",
        HeldReason::RequestSkipped => "a person decided that the request is not sent",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::referral::{Coverage, Phone};

    #[test]
    fn every_path_has_words_and_the_second_of_a_list_says_so() {
        assert_eq!(label("patient.birth_date"), "Date of birth");
        assert_eq!(label("insurance.0.member_id"), "Insurance member ID");
        assert_eq!(label("insurance.1.member_id"), "Insurance member ID (2)");
        assert_eq!(label("notes.0"), "Notes");
        assert_eq!(label("patient.shoe_size"), "Patient shoe size");
        assert_eq!(label(""), "");
    }

    #[test]
    fn values_are_written_as_people_write_them() {
        let mut record = Record::default();
        record.patient.birth_date = IsoDate::parse("1934-11-01");
        record.patient.sex = Some(Sex::F);
        record.patient.phones = vec![Phone { number: "+14155550142".into(), usage: None }];
        record.insurance = vec![Coverage { member_id: Some("2026-11-01".into()), ..Coverage::default() }];
        assert_eq!(value(&record, "patient.birth_date").as_deref(), Some("Nov 1, 1934"));
        assert_eq!(value(&record, "patient.sex").as_deref(), Some("female"));
        assert_eq!(value(&record, "patient.phones.0.number").as_deref(), Some("+1 415-555-0142"));
        assert_eq!(
            value(&record, "insurance.0.member_id").as_deref(),
            Some("2026-11-01"),
            "a number that looks like a date stays one"
        );
        assert_eq!(value(&record, "priority"), None, "unknown is not a value");
        assert_eq!(value(&record, "patient.name.family"), None);
        assert_eq!(value(&record, "patient"), None, "a section is no field");
    }

    #[test]
    fn a_date_keeps_its_precision() {
        let written = |text| date(&IsoDate::parse(text).unwrap());
        assert_eq!(written("1934"), "1934");
        assert_eq!(written("1934-11"), "Nov 1934");
        assert_eq!(written("2026-12-14T10:30"), "Dec 14, 2026, 10:30");
    }

    #[test]
    fn initials_name_nobody() {
        let name = PersonName { family: Some("O'Brien".into()), given: Some("émile".into()), ..PersonName::default() };
        assert_eq!(initials(&name).as_deref(), Some("É. O."));
        assert_eq!(initials(&PersonName::default()), None);
    }
}
