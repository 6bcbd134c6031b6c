//! From the chosen readings to the record, its evidence, what to review and why to hold.

use super::{
    FaxRules,
    candidates::{Candidate, Candidates, Field, Rank, calibrated},
    choose::{self, Choice},
};
use crate::referral::{
    Code, Coverage, Evidence, HeldReason, IsoDate, PatientIdentifier, PersonName, Phone, PhoneUse, Priority, Problem, Record, Sex,
};

/// The fields whose doubt or absence stops the referral.
const IDENTITY: [&str; 3] = ["patient.name.family", "patient.name.given", "patient.birth_date"];

/// How sure a value is at most that something else on the pages contradicts.
const CONTRADICTED_MAX: f32 = 0.8;

/// Practices named so alike are one.
const SAME_PRACTICE_MIN: f64 = 0.92;

/// Whether a name has two parts, read in two places.
fn is_whole(family: Option<&Choice<'_>>, given: Option<&Choice<'_>>) -> bool {
    let (Some(family), Some(given)) = (family, given) else { return family.is_none() && given.is_none() };
    let (one, other) = (family.candidate, given.candidate);
    !choose::same(one, other) || one.page != other.page || one.bounds != other.bounds
}

struct Builder<'a> {
    all: &'a [Candidate],
    rules: &'a FaxRules,
    record: Record,
}

/// The record that the candidates make; `None` when they hold no patient, no birth date and no reason.
pub(super) fn record(found: &Candidates, rules: &FaxRules) -> Option<Record> {
    let has = |field: Field| found.all.iter().any(|candidate| candidate.field == field && !candidate.value.is_empty());
    if !has(Field::Family) && !has(Field::BirthDate) && !has(Field::Reason) && !has(Field::Diagnosis) {
        return None;
    }
    let mut builder = Builder { all: &found.all, rules, record: Record::default() };
    builder.patient();
    builder.insurance();
    builder.referring();
    builder.referred_to();
    builder.said_of_two();
    builder.request();
    builder.review();
    builder.hold();
    Some(builder.record)
}

impl Builder<'_> {
    /// Keeps the evidence of a chosen reading under its path, and marks it where it is doubtful.
    fn evidence(&mut self, path: &str, choice: &Choice<'_>) {
        let Choice { candidate, confidence, rivals } = choice;
        let confidence = (calibrated(*confidence) * 1000.0).round() / 1000.0;
        self.record.evidence.insert(
            path.into(),
            Evidence {
                confidence,
                text: Some(candidate.text.as_str().into()),
                page: Some(candidate.page),
                bounds: Some(candidate.bounds),
                location: None,
                path: None,
                form: candidate.form.as_ref().map(|form| form.region.as_str().into()),
                rivals: rivals.clone(),
            },
        );
        if let Some((code, message)) = candidate.failed {
            self.record.problems.push(Problem::at(code, path, message));
        }
        if confidence < self.rules.review_below || candidate.failed.is_some() {
            self.record.mark(path);
        }
    }

    /// The best reading of a field, its evidence kept under the path.
    fn take(&mut self, field: Field, path: &str) -> Option<String> {
        let Some(choice) = choose::field(self.all, field) else {
            self.unreadable(field, path);
            return None;
        };
        self.evidence(path, &choice);
        Some(choice.candidate.value.clone())
    }

    /// A field that is on the page and cannot be read at all, like boxes of which none is seen ticked: the place is kept, and it is marked.
    fn unreadable(&mut self, field: Field, path: &str) {
        let found = self.all.iter().find(|candidate| candidate.field == field && candidate.failed.is_some());
        if let Some(candidate) = found {
            self.evidence(path, &Choice { candidate, confidence: candidate.confidence, rivals: Vec::new() });
        }
    }

    /// Family and given name, of one mention.
    fn name(&mut self, family: Field, given: Field, path: &str) -> (Option<String>, Option<String>) {
        let (mut family, mut given) = choose::name(self.all, family, given);
        if path == "patient" && !is_whole(family.as_ref(), given.as_ref()) {
            // Which part of the name it is is not plain where there is but one.
            for choice in [&mut family, &mut given].into_iter().flatten() {
                choice.confidence = choice.confidence.min(CONTRADICTED_MAX);
            }
        }
        for (choice, part) in [(&family, "family"), (&given, "given")] {
            if let Some(choice) = choice {
                self.evidence(&format!("{path}.name.{part}"), choice);
            }
        }
        let value = |choice: Option<Choice<'_>>| choice.map(|choice| choice.candidate.value.clone());
        (value(family), value(given))
    }

    fn patient(&mut self) {
        let (family, given) = self.name(Field::Family, Field::Given, "patient");
        self.record.patient.name.family = family;
        self.record.patient.name.given = given;
        self.record.patient.name.middle = self.take(Field::Middle, "patient.name.middle");
        self.record.patient.name.suffix = self.take(Field::Suffix, "patient.name.suffix");
        let birth = self.take(Field::BirthDate, "patient.birth_date");
        self.record.patient.birth_date = birth.and_then(|text| IsoDate::parse(&text));
        self.age();
        if self.take(Field::Deceased, "patient.deceased").is_some() {
            self.record.patient.deceased = Some(true);
            let text = "the page says that the patient is dead: a person must look";
            self.record.problems.push(Problem::at("patient-deceased", "patient.deceased", text));
        }
        self.record.patient.sex = match self.take(Field::Sex, "patient.sex").as_deref() {
            Some("F") => Some(Sex::F),
            Some("M") => Some(Sex::M),
            Some("O") => Some(Sex::O),
            Some("U") => Some(Sex::U),
            _ => None,
        };
        for usage in [PhoneUse::Home, PhoneUse::Mobile, PhoneUse::Work] {
            let path = format!("patient.phones.{}.number", self.record.patient.phones.len());
            if let Some(number) = self.take(Field::PatientPhone(usage), &path) {
                self.record.patient.phones.push(Phone { number, usage: Some(usage) });
            }
        }
        let email = self.take(Field::PatientEmail, "patient.emails.0");
        self.record.patient.emails.extend(email);
        if let Some(value) = self.take(Field::Mrn, "patient.identifiers.0.value") {
            self.record.patient.identifiers.push(PatientIdentifier { value, authority: None, kind: Some("MR".to_owned()) });
        }
        let street = self.take(Field::Street, "patient.address.lines.0");
        self.record.patient.address.lines.extend(street);
        self.record.patient.address.city = self.take(Field::City, "patient.address.city");
        self.record.patient.address.state = self.take(Field::State, "patient.address.state");
        self.record.patient.address.postal_code = self.take(Field::PostalCode, "patient.address.postal_code");
    }

    /// An age printed beside the birth date that it does not fit: one of the two is wrong.
    fn age(&mut self) {
        const PATH: &str = "patient.birth_date";
        const SURE_MIN: f32 = 0.7;
        let date = self.record.patient.birth_date.as_ref().and_then(|date| date.as_str().parse::<jiff::civil::Date>().ok());
        let Some(born) = date else { return };
        let today = self.rules.today;
        let before = (today.month(), today.day()) < (born.month(), born.day());
        let years = today.year() - born.year() - i16::from(before);
        let other = |candidate: &Candidate| candidate.value.parse::<i16>().is_ok_and(|printed| (printed - years).abs() > 1);
        let sure = |candidate: &Candidate| candidate.field == Field::Age && candidate.confidence > SURE_MIN;
        if self.all.iter().any(|candidate| sure(candidate) && other(candidate)) {
            let text = "the printed age does not fit the birth date: check both on the page";
            self.record.problems.push(Problem::at("age-contradicts", PATH, text));
            self.record.mark(PATH);
            if let Some(evidence) = self.record.evidence.get_mut(PATH) {
                evidence.confidence = evidence.confidence.min(CONTRADICTED_MAX);
            }
        }
    }

    fn insurance(&mut self) {
        let payer = self.take(Field::Payer, "insurance.0.payer");
        let member_id = self.take(Field::MemberId, "insurance.0.member_id");
        let group = self.take(Field::Group, "insurance.0.group");
        if payer.is_some() || member_id.is_some() || group.is_some() {
            self.record.insurance.push(Coverage { payer, plan: None, member_id, group });
        }
        self.second_insurance();
        if let Some(number) = self.take(Field::AuthorizationNumber, "authorization.number") {
            self.record.authorization = Some(crate::referral::Authorization { number: Some(number), ..Default::default() });
        }
    }

    /// A second insurance stands second; where no first one was read it must not be taken for it, and is a note.
    fn second_insurance(&mut self) {
        const FIELDS: [(Field, &str, &str); 3] = [
            (Field::SecondPayer, "payer", ""),
            (Field::SecondMemberId, "member_id", "member ID "),
            (Field::SecondGroup, "group", "group "),
        ];
        if self.record.insurance.is_empty() {
            let said = |(field, _, label): (Field, &str, &str)| {
                choose::field(self.all, field).map(|choice| format!("{label}{}", choice.candidate.value))
            };
            let said: Vec<String> = FIELDS.into_iter().filter_map(said).collect();
            if !said.is_empty() {
                self.record.notes.push(format!("Secondary insurance: {}", said.join(", ")));
            }
            return;
        }
        let [payer, member_id, group] = FIELDS.map(|(field, name, _)| self.take(field, &format!("insurance.1.{name}")));
        if payer.is_some() || member_id.is_some() || group.is_some() {
            self.record.insurance.push(Coverage { payer, plan: None, member_id, group });
        }
    }

    fn referring(&mut self) {
        let (family, given) = self.name(Field::ReferringFamily, Field::ReferringGiven, "referring");
        self.record.referring.name.family = family;
        self.record.referring.name.given = given;
        self.record.referring.npi = self.take(Field::ReferringNpi, "referring.npi");
        self.record.referring.organization = self.take(Field::ReferringOrganization, "referring.organization");
        for (field, usage) in [(Field::ReferringPhone, PhoneUse::Work), (Field::ReferringFax, PhoneUse::Fax)] {
            let path = format!("referring.phones.{}.number", self.record.referring.phones.len());
            // The sending machine's number, or a cover page's, confirms or contests one; alone it may be anybody's.
            let Some(choice) = choose::field(self.all, field) else { continue };
            if choice.candidate.rank == Rank::Text {
                continue;
            }
            self.evidence(&path, &choice);
            let number = choice.candidate.value.clone();
            self.record.referring.phones.push(Phone { number, usage: Some(usage) });
        }
    }

    fn referred_to(&mut self) {
        let (family, given) = self.name(Field::ReferredFamily, Field::ReferredGiven, "referred_to");
        self.record.referred_to.name.family = family;
        self.record.referred_to.name.given = given;
        self.record.referred_to.organization = self.take(Field::ReferredOrganization, "referred_to.organization");
        self.record.referred_to.specialty = self.take(Field::Specialty, "referred_to.specialty");
        for (field, usage) in [(Field::ReferredPhone, PhoneUse::Work), (Field::ReferredFax, PhoneUse::Fax)] {
            let path = format!("referred_to.phones.{}.number", self.record.referred_to.phones.len());
            if let Some(number) = self.take(field, &path) {
                self.record.referred_to.phones.push(Phone { number, usage: Some(usage) });
            }
        }
    }

    /// One number, name or practice that stands for two: at most one of them has it, and which is for a person.
    fn said_of_two(&mut self) {
        let Record { patient, referring, referred_to, .. } = &self.record;
        let numbers = |of: &str, phones: &[Phone]| -> Vec<(String, String)> {
            phones.iter().enumerate().map(|(at, phone)| (format!("{of}.phones.{at}.number"), phone.number.clone())).collect()
        };
        let all = [
            numbers("patient", &patient.phones),
            numbers("referring", &referring.phones),
            numbers("referred_to", &referred_to.phones),
        ];
        let mut twice: Vec<String> = Vec::new();
        for (at, of_one) in all.iter().enumerate() {
            let others = || all.iter().enumerate().filter(move |(other, _)| *other != at).flat_map(|(_, numbers)| numbers);
            twice.extend(
                of_one.iter().filter(|(_, number)| others().any(|(_, other)| other == number)).map(|(path, _)| path.clone()),
            );
        }
        let name = |name: &PersonName| {
            let part = |part: &Option<String>| part.as_deref().map(str::to_lowercase);
            part(&name.family).zip(part(&name.given))
        };
        let people =
            [("patient", name(&patient.name)), ("referring", name(&referring.name)), ("referred_to", name(&referred_to.name))];
        for (at, (of, named)) in people.iter().enumerate() {
            let is_twice = people.iter().enumerate().any(|(other, (_, also))| other != at && named.is_some() && named == also);
            twice.extend(["family", "given"].into_iter().filter(|_| is_twice).map(|part| format!("{of}.name.{part}")));
        }
        let practices = [&referring.organization, &referred_to.organization].map(|name| name.as_deref().map(str::to_lowercase));
        if let [Some(one), Some(other)] = &practices
            && strsim::normalized_levenshtein(one, other) >= SAME_PRACTICE_MIN
        {
            twice.extend(["referring", "referred_to"].map(|of| format!("{of}.organization")));
        }
        let text = "it stands for two on the page: whose it is, a person must say";
        for path in twice {
            if let Some(evidence) = self.record.evidence.get_mut(path.as_str()) {
                evidence.confidence = evidence.confidence.min(CONTRADICTED_MAX);
            }
            self.record.problems.push(Problem::at("said-of-two", path.clone(), text));
            self.record.mark(path);
        }
    }

    fn request(&mut self) {
        self.record.priority = match self.take(Field::Priority, "priority").as_deref() {
            Some("stat") => Priority::Stat,
            Some("urgent") => Priority::Urgent,
            Some("routine") => Priority::Routine,
            _ => Priority::Unknown,
        };
        self.contradicted();
        self.record.request.reason = self.take(Field::Reason, "request.reason");
        let diagnoses = choose::list(self.all, Field::Diagnosis);
        if diagnoses.is_empty() {
            self.unreadable(Field::Diagnosis, "request.diagnoses.0.code");
        }
        for (place, candidate) in diagnoses.into_iter().enumerate() {
            let choice = Choice { candidate, confidence: candidate.confidence, rivals: Vec::new() };
            self.evidence(&format!("request.diagnoses.{place}.code"), &choice);
            self.record.request.diagnoses.push(Code {
                code: Some(candidate.value.clone()),
                system: Some("ICD-10-CM".to_owned()),
                text: candidate.also.clone(),
            });
        }
        let procedures = choose::list(self.all, Field::Procedure);
        for (place, candidate) in procedures.into_iter().enumerate() {
            let choice = Choice { candidate, confidence: candidate.confidence, rivals: Vec::new() };
            self.evidence(&format!("request.procedures.{place}.code"), &choice);
            self.record.request.procedures.push(Code {
                code: Some(candidate.value.clone()),
                system: Some("CPT".to_owned()),
                text: None,
            });
        }
        let authored = self.take(Field::AuthoredAt, "authored_at");
        self.record.authored_at = authored.and_then(|text| IsoDate::parse(&text));
        let before = self.record.notes.len();
        for (place, candidate) in (before..).zip(choose::list(self.all, Field::Note)) {
            let choice = Choice { candidate, confidence: candidate.confidence, rivals: Vec::new() };
            self.evidence(&format!("notes.{place}"), &choice);
            self.record.notes.push(candidate.value.clone());
        }
    }

    /// A priority that something else on the pages contradicts, a stamp or a title that says more urgent, is none: which is meant is for a person.
    fn contradicted(&mut self) {
        const PATH: &str = "priority";
        const SURE_MIN: f32 = 0.7;
        let more = |said: &str| match self.record.priority {
            Priority::Routine => said == "stat" || said == "urgent",
            Priority::Urgent => said == "stat",
            Priority::Stat | Priority::Unknown => false,
        };
        let sure = |one: &&Candidate| one.field == Field::Urgency && one.confidence > SURE_MIN;
        let Some(other) = self.all.iter().filter(sure).find(|one| more(&one.value)) else { return };
        if let Some(evidence) = self.record.evidence.get_mut(PATH) {
            evidence.confidence = evidence.confidence.min(CONTRADICTED_MAX);
            evidence.rivals.push(other.value.clone());
        }
        self.record.priority = Priority::Unknown;
        let text = "the pages say two things of how urgent it is: look at them, and `correct` the priority";
        self.record.problems.push(Problem::at("priority-contradicts", PATH, text));
        self.record.mark(PATH);
    }

    /// Marks what is required and missing. The record itself is asked, so that a reading that came to nothing is missing too.
    fn review(&mut self) {
        let Record { patient, referring, referred_to, request, priority, .. } = &self.record;
        let required = [
            ("patient.name.family", patient.name.family.is_some()),
            ("patient.name.given", patient.name.given.is_some()),
            ("patient.birth_date", patient.birth_date.is_some()),
            ("patient.phones.0.number", !patient.phones.is_empty()),
            ("priority", *priority != Priority::Unknown),
            ("referring.name.family", referring.name.family.is_some()),
            ("referred_to.specialty", referred_to.specialty.is_some()),
            ("request.reason", request.reason.is_some()),
        ];
        for path in required.into_iter().filter(|(_, there)| !there).map(|(path, _)| path) {
            self.record.mark(path);
        }
    }

    fn hold(&mut self) {
        if IDENTITY.iter().any(|path| self.record.review.iter().any(|marked| marked == path)) {
            self.record.hold(HeldReason::BlockingField);
        }
        if self.record.priority == Priority::Unknown {
            self.record.hold(HeldReason::PriorityUnknown);
        }
        if self.record.patient.deceased == Some(true) {
            self.record.hold(HeldReason::Deceased);
        }
        if self.second_patient() {
            self.record.hold(HeldReason::SecondPatient);
        }
    }

    /// Two birth dates, each labelled as the patient's, and two family names that are not one misread.
    fn second_patient(&self) -> bool {
        let sound = |field: Field| {
            self.all.iter().filter(move |candidate| {
                candidate.field == field
                    && candidate.rank >= Rank::Label
                    && candidate.confidence > 0.7
                    && candidate.failed.is_none()
            })
        };
        let families: Vec<&Candidate> = sound(Field::Family).collect();
        let births: Vec<&Candidate> = sound(Field::BirthDate).collect();
        let two_names = families.iter().any(|a| {
            families.iter().any(|b| strsim::normalized_levenshtein(&a.value.to_lowercase(), &b.value.to_lowercase()) < 0.6)
        });
        two_names && births.iter().any(|a| births.iter().any(|b| a.value != b.value))
    }
}
