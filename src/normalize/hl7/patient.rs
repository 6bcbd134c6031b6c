//! PID, IN1 and AUT: who the patient is, and who pays.

use super::draft::{Contacts, Draft, REPETITIONS_MAX, element, leaf, location, some};
use crate::{
    protocols::hl7::{Field, Repetition, Segment},
    referral::{Address, Authorization, Coverage, IsoDate, PatientIdentifier, PersonName, PhoneUse, Sex, checks},
};

/// Birth dates that systems fill in when they know none.
const PLACEHOLDER_BIRTH_DATES: [&str; 5] = ["1900-01-01", "1800-01-01", "1753-01-01", "9999-12-31", "1901-01-01"];

/// Names that systems fill in when they know none.
fn is_placeholder_name(family: &str) -> bool {
    ["UNKNOWN", "UNK", "UNIDENTIFIED", "NOT KNOWN", "NFN", "NLN"].iter().any(|name| family.trim().eq_ignore_ascii_case(name))
}

/// How many years lie between two dates; 0 where one begins with no year.
fn years_ago(date: &str, today: &str) -> i32 {
    let year = |text: &str| text.get(..4).and_then(|year| year.parse::<i32>().ok());
    year(today).zip(year(date)).map_or(0, |(today, date)| today - date)
}

impl<'t, 'm> Draft<'t, 'm> {
    /// The first PID that has something in a field: a second PID of the same patient fills gaps.
    fn pid(&self, field: usize) -> Option<(Segment<'t, 'm>, usize)> {
        let found = self.message.all("PID").zip(1..).find(|(pid, _)| !pid.field(field).is_empty());
        found.or_else(|| self.message.first("PID").map(|pid| (pid, 1)))
    }

    pub(super) fn patient(&mut self) {
        if self.message.all("PID").nth(1).is_some() {
            self.note("pid-twice", "patient", "PID stands twice, about one patient: the second fills what the first leaves out");
        }
        self.patient_identifiers();
        if let Some((pid, occurrence)) = self.pid(5) {
            self.record.patient.name = person_name(&first_said(&pid.field(5), 3), 1);
            let place = location("PID", occurrence, 5);
            let name = &self.record.patient.name;
            let present = [("family", name.family.is_some()), ("given", name.given.is_some()), ("middle", name.middle.is_some())];
            let placeholder = name.family.as_deref().is_some_and(is_placeholder_name);
            for (name, _) in present.into_iter().filter(|(_, present)| *present) {
                self.seen(leaf("patient.name", name), place.clone());
            }
            if placeholder {
                let text = format!("{place} holds a name that systems fill in for an unknown one");
                self.doubt("name-placeholder", "patient.name.family", text);
            }
        }
        self.birth_date();
        self.sex();
        self.contact_details();
        self.death();
        self.insurance();
        self.authorization();
    }

    fn patient_identifiers(&mut self) {
        for (field, usual) in [(3, ""), (2, ""), (4, ""), (19, "SS")] {
            let Some((pid, occurrence)) = self.pid(field) else { continue };
            for id in pid.field(field).repetitions().take(REPETITIONS_MAX) {
                let Some(value) = some(id.value(1)).filter(|value| !value.contains("${")) else { continue };
                if self.record.patient.identifiers.iter().any(|known| known.value == value) {
                    continue;
                }
                let universal = id.component(4).part(2).into_owned();
                let authority = [id.value(4).into_owned(), universal, id.value(10).into_owned()];
                let authority = authority.into_iter().find(|text| !text.is_empty());
                // Table 0203: `U` is unspecified, which 2.7 has instead of nothing.
                let kind = some(id.value(5)).filter(|kind| kind != "U");
                let kind = kind.or_else(|| Some(usual.to_owned()).filter(|kind| !kind.is_empty()));
                let path = element("patient.identifiers", self.record.patient.identifiers.len());
                self.seen(leaf(&path, "value"), location("PID", occurrence, field));
                self.record.patient.identifiers.push(PatientIdentifier { value, authority, kind });
            }
        }
    }

    fn birth_date(&mut self) {
        const PATH: &str = "patient.birth_date";
        let Some((pid, occurrence)) = self.pid(7) else { return };
        let Some(date) = self.date(&pid, occurrence, 7, PATH) else { return };
        let text = date.as_str().get(..10).unwrap_or(date.as_str());
        if PLACEHOLDER_BIRTH_DATES.contains(&text) {
            let place = location("PID", occurrence, 7);
            self.doubt("birth-date-placeholder", PATH, format!("{place} holds a date that systems fill in for an unknown one"));
            return;
        }
        self.record.patient.birth_date = IsoDate::parse(text);
        let today = self.today();
        if today.as_deref().is_some_and(|today| text > today.get(..text.len()).unwrap_or(today)) {
            self.doubt("birth-date-in-future", PATH, "the birth date lies in the future");
        } else if today.is_some_and(|today| years_ago(text, &today) > i32::from(checks::AGE_YEARS_MAX)) {
            self.doubt("birth-date-too-old", PATH, format!("nobody is older than {} years", checks::AGE_YEARS_MAX));
        } else if text.len() < 10 {
            self.doubt("birth-date-partial", PATH, "the birth date is not known to the day");
        }
    }

    fn sex(&mut self) {
        let Some((pid, occurrence)) = self.pid(8) else { return };
        let text = pid.value(8, 1);
        if text.is_empty() {
            return;
        }
        let sex = self.rules.profile().codes.sex(&text).or_else(|| read_sex(&text));
        let place = location("PID", occurrence, 8);
        self.seen_as("patient.sex", place.clone(), &text);
        match sex {
            Some(_) => self.record.patient.sex = sex,
            None => self.doubt("sex-unknown-code", "patient.sex", format!("{place} holds a code that is not in table 0001")),
        }
    }

    fn contact_details(&mut self) {
        let mut contacts = Contacts::default();
        for (field, usual) in [(13, PhoneUse::Home), (14, PhoneUse::Work)] {
            let Some((pid, occurrence)) = self.pid(field) else { continue };
            self.contacts(&pid, occurrence, field, usual, "patient", &mut contacts);
        }
        self.record.patient.phones = contacts.phones;
        self.record.patient.emails = contacts.emails;
        if let Some((pid, occurrence)) = self.pid(11) {
            self.record.patient.address = address(&home(&pid.field(11)));
            let place = location("PID", occurrence, 11);
            let address = &self.record.patient.address;
            let leaves = [
                ("lines.0", !address.lines.is_empty()),
                ("city", address.city.is_some()),
                ("state", address.state.is_some()),
                ("postal_code", address.postal_code.is_some()),
            ];
            for (name, _) in leaves.into_iter().filter(|(_, present)| *present) {
                self.seen(leaf("patient.address", name), place.clone());
            }
        }
    }

    fn death(&mut self) {
        for field in [29, 30] {
            let Some((pid, _)) = self.pid(field) else { continue };
            let text = pid.value(field, 1);
            let stated = match field {
                30 => text.eq_ignore_ascii_case("Y"),
                _ => !text.is_empty(),
            };
            let is_known = self.record.patient.deceased.is_some();
            let denied = field == 30 && text.eq_ignore_ascii_case("N");
            if (stated || denied) && !is_known {
                self.seen_as("patient.deceased", location("PID", 1, field), &text);
            }
            if stated && !is_known {
                self.record.patient.deceased = Some(true);
                self.note(
                    "patient-deceased",
                    "patient.deceased",
                    "the message says that the patient is dead: a person must look",
                );
            }
        }
    }

    fn insurance(&mut self) {
        for (in1, occurrence) in self.message.all("IN1").zip(1..).take(20) {
            let first = |fields: &[(usize, usize)]| {
                fields.iter().find_map(|(field, component)| {
                    some(in1.value(*field, *component)).map(|value| (value, location("IN1", occurrence, *field)))
                })
            };
            let at = self.record.insurance.len();
            let mut coverage = Coverage::default();
            let leaves = [
                ("payer", first(&[(4, 1), (3, 1)]), &mut coverage.payer),
                ("plan", first(&[(2, 2), (2, 1), (15, 1)]), &mut coverage.plan),
                ("member_id", first(&[(36, 1), (49, 1)]), &mut coverage.member_id),
                ("group", first(&[(8, 1)]), &mut coverage.group),
            ];
            for (name, found, target) in leaves {
                if let Some((value, place)) = found {
                    self.seen(leaf(&element("insurance", at), name), place);
                    *target = Some(value);
                }
            }
            if coverage != Coverage::default() {
                self.record.insurance.push(coverage);
            }
        }
    }

    fn authorization(&mut self) {
        let Some(aut) = self.message.first("AUT") else { return };
        let number = some(aut.value(6, 1));
        if number.is_some() {
            self.seen("authorization.number", "AUT^1^6");
        }
        let units = [9, 8].into_iter().find_map(|field| aut.value(field, 1).parse().ok());
        let from = self.date(&aut, 1, 4, "authorization.from");
        let to = self.date(&aut, 1, 5, "authorization.to");
        let authorization = Authorization { number, status: some(aut.value(14, 1)), from, to, units };
        if authorization != Authorization::default() {
            self.record.authorization = Some(authorization);
        }
    }
}

/// Table 0001, and the words and digits that senders use instead.
pub(super) fn read_sex(text: &str) -> Option<Sex> {
    match text.to_ascii_uppercase().as_str() {
        "F" | "FEMALE" => Some(Sex::F),
        "M" | "MALE" => Some(Sex::M),
        "O" | "A" | "N" | "X" => Some(Sex::O),
        "U" | "0" | "9" => Some(Sex::U),
        // The UK's codes; no other country is known to send digits.
        "1" => Some(Sex::M),
        "2" => Some(Sex::F),
        _ => None,
    }
}

/// An XPN, or an XCN whose family name is in component `first`.
pub(super) fn person_name(name: &Repetition<'_, '_>, first: usize) -> PersonName {
    let part = |at: usize| some(name.value(first + at));
    // Some put the title where the degree belongs.
    let degree = part(5).filter(|text| {
        let text = text.trim_end_matches('.').to_ascii_lowercase();
        matches!(text.as_str(), "dr" | "prof" | "mr" | "mrs" | "ms")
    });
    PersonName { family: part(0), given: part(1), middle: part(2), suffix: part(3), prefix: part(4).or(degree) }
}

/// The first repetition that says anything in its first components: some send an empty one before it, or one of a type alone.
pub(super) fn first_said<'t, 'm>(field: &Field<'t, 'm>, components: usize) -> Repetition<'t, 'm> {
    let says = |one: &Repetition<'_, '_>| (1..=components).any(|component| !one.value(component).is_empty());
    field.repetitions().take(REPETITIONS_MAX).find(says).unwrap_or_else(|| field.first())
}

/// The first address that somebody lives at; else the first that says anything. Table 0190: a bad address, those of birth.
fn home<'t, 'm>(field: &Field<'t, 'm>) -> Repetition<'t, 'm> {
    let elsewhere = |one: &Repetition<'_, '_>| matches!(one.value(7).to_ascii_uppercase().as_str(), "BA" | "BDL" | "BR" | "N");
    let says = |one: &Repetition<'_, '_>| (1..=5).any(|component| !one.value(component).is_empty());
    let found = field.repetitions().take(REPETITIONS_MAX).find(|one| says(one) && !elsewhere(one));
    found.unwrap_or_else(|| first_said(field, 5))
}

/// An XAD. Street lines are components 1 and 2.
pub(super) fn address(address: &Repetition<'_, '_>) -> Address {
    let lines = [address.value(1), address.value(2)].into_iter().filter_map(some).collect();
    Address {
        lines,
        city: some(address.value(3)),
        state: some(address.value(4)),
        postal_code: some(address.value(5)),
        country: some(address.value(6)),
    }
}
