//! The record in the making: what was read, where, and what was wrong with it.

use std::borrow::Cow;

use smol_str::{SmolStr, SmolStrBuilder};

use super::{Header, Hl7Rules, Warning, identity::Identity};
use crate::{
    normalize::{Event, Kind, Outcome},
    protocols::hl7::{HlDate, Message, Precision, Segment, read_date},
    referral::{Evidence, HeldReason, IsoDate, Phone, PhoneUse, Problem, Record},
};

/// How many repetitions of a field are read: nobody has more phones, and each one costs time.
pub(super) const REPETITIONS_MAX: usize = 50;

/// Where `""` deletes a value, and which.
const DELETABLE: [(&str, usize, &str); 15] = [
    ("PID", 7, "patient.birth_date"),
    ("PID", 8, "patient.sex"),
    ("PID", 11, "patient.address"),
    ("PID", 13, "patient.phones"),
    ("PID", 30, "patient.deceased"),
    ("RF1", 2, "priority"),
    ("RF1", 8, "expires_at"),
    ("RF1", 10, "request.reason"),
    ("RF1", 14, "request.reason"),
    ("OBR", 31, "request.reason"),
    ("DG1", 3, "request.diagnoses"),
    ("PR1", 3, "request.procedures"),
    ("IN1", 4, "insurance"),
    ("AUT", 6, "authorization"),
    ("NTE", 3, "notes"),
];

/// A record in the making.
pub(super) struct Draft<'t, 'm> {
    pub(super) message: &'m Message<'t>,
    pub(super) header: &'m Header,
    pub(super) rules: &'m Hl7Rules,
    pub(super) record: Box<Record>,
    pub(super) outcome: Outcome,
    pub(super) warnings: Vec<Warning>,
}

/// The ways to reach somebody.
#[derive(Default)]
pub(super) struct Contacts {
    pub(super) phones: Vec<Phone>,
    pub(super) emails: Vec<String>,
}

/// What [`read`] gives.
pub(super) struct Drafted {
    pub(super) outcome: Outcome,
    pub(super) warnings: Vec<Warning>,
    /// Whether it is a clinical document that asks for nothing.
    pub(super) is_document: bool,
    /// The day that the message came, or says it was sent; none: neither is known.
    pub(super) today: Option<String>,
}

/// Reads the record of a REF (and what of it an RRI repeats).
pub(super) fn read(message: &Message<'_>, header: &Header, identity: &Identity, rules: &Hl7Rules) -> Drafted {
    let mut draft = Draft {
        message,
        header,
        rules,
        record: Box::default(),
        outcome: Outcome { event: Some(Event::New), ..Outcome::of(Kind::Referral) },
        warnings: Vec::new(),
    };
    draft.identifiers(identity);
    draft.patient();
    draft.providers();
    draft.request();
    draft.payload();
    draft.put_wanted_number_first();
    draft.mapped();
    draft.clinical();
    draft.check_patient_numbers();
    draft.deletions();
    draft.judge();
    let is_document = draft.is_document();
    let today = draft.today();
    let Draft { mut outcome, warnings, mut record, .. } = draft;
    record.review.sort();
    outcome.record = Some(record);
    Drafted { outcome, warnings, is_document, today }
}

/// `RF1^1^2`: a segment, its occurrence, a field. A message has dozens of these, so it is put together by hand.
pub(super) fn location(segment: &str, occurrence: usize, field: usize) -> SmolStr {
    let mut text = SmolStrBuilder::new();
    text.push_str(segment);
    for number in [occurrence, field] {
        text.push('^');
        push_number(&mut text, number);
    }
    text.finish()
}

/// `patient.name.family`: the path of a leaf.
pub(super) fn leaf(path: &str, leaf: &str) -> SmolStr {
    let mut text = SmolStrBuilder::new();
    for part in [path, ".", leaf] {
        text.push_str(part);
    }
    text.finish()
}

/// `insurance.0`: the path of an element of a list.
pub(super) fn element(list: &str, at: usize) -> SmolStr {
    let mut text = SmolStrBuilder::new();
    text.push_str(list);
    text.push('.');
    push_number(&mut text, at);
    text.finish()
}

fn push_number(text: &mut SmolStrBuilder, number: usize) {
    if number >= 10 {
        push_number(text, number / 10);
    }
    if let Some(digit) = u32::try_from(number % 10).ok().and_then(|digit| char::from_digit(digit, 10)) {
        text.push(digit);
    }
}

/// The text, unless it is empty.
pub(super) fn some(text: Cow<'_, str>) -> Option<String> {
    if text.is_empty() { None } else { Some(text.into_owned()) }
}

impl<'t, 'm> Draft<'t, 'm> {
    fn identifiers(&mut self, identity: &Identity) {
        self.record.identifiers.placer.clone_from(&identity.placer);
        self.record.identifiers.filler.clone_from(&identity.filler);
        self.record.problems.extend(identity.problems.iter().cloned());
        let synthetic = identity.placer.as_ref().is_some_and(|placer| placer.found_in.as_deref() == Some("synthetic"));
        if synthetic {
            self.warn(101, "RF1^1^6", "no number of the referral was found; send one in RF1-6");
        }
        if let Some(placer) = &identity.placer
            && let Some((segment, field)) = placer.found_in.as_deref().and_then(|found| found.split_once('-'))
        {
            self.seen("identifiers.placer.value", format!("{segment}^1^{field}"));
        }
    }

    /// Notes where a value was read.
    pub(super) fn seen(&mut self, path: impl Into<SmolStr>, location: impl Into<SmolStr>) {
        let evidence = Evidence { confidence: 1.0, location: Some(location.into()), ..Evidence::default() };
        self.record.evidence.insert(path.into(), evidence);
    }

    /// Notes where a value was read, and how it stood there, where the record has it in another form.
    pub(super) fn seen_as(&mut self, path: impl Into<SmolStr>, location: impl Into<SmolStr>, text: &str) {
        let evidence =
            Evidence { confidence: 1.0, location: Some(location.into()), text: Some(text.into()), ..Evidence::default() };
        self.record.evidence.insert(path.into(), evidence);
    }

    /// Notes a problem of one field, without asking a person to look.
    pub(super) fn note(&mut self, code: &str, path: &str, message: impl Into<String>) {
        self.record.problems.push(Problem::at(code, path, message));
    }

    /// Notes a problem of one field and asks a person to look at it.
    pub(super) fn doubt(&mut self, code: &str, path: &str, message: impl Into<String>) {
        self.note(code, path, message);
        self.record.mark(path);
        if let Some(evidence) = self.record.evidence.get_mut(path) {
            evidence.confidence = 0.5;
        }
    }

    /// Tells the sender something with the answer.
    pub(super) fn warn(&mut self, code: u16, location: &str, text: impl Into<String>) {
        self.warnings.push(Warning { code, location: location.to_owned(), text: text.into() });
    }

    /// Reads a date into a path. What is no date is left out, with a problem.
    pub(super) fn date(&mut self, segment: &Segment<'_, '_>, occurrence: usize, field: usize, path: &str) -> Option<IsoDate> {
        let text = segment.value(field, 1);
        if text.is_empty() {
            return None;
        }
        let place = location(segment.name(), occurrence, field);
        match read_date(&text) {
            Ok(date) => {
                let date = self.in_zone(date);
                self.seen_as(path, place, &text);
                // With an offset it may be before all time that can be told.
                if date.has_offset { IsoDate::parse(&date.iso) } else { Some(IsoDate::known(date.iso)) }
            }
            Err(why) => {
                self.doubt("date-unreadable", path, format!("{place} {}: it was left out", why.as_str()));
                self.warn(102, &place, format!("{place} {}", why.as_str()));
                None
            }
        }
    }

    /// The day by which a date lies ahead or behind: that on which the message came. Where nobody knows it, as when a file is tried, the day
    /// that it says it was sent (MSH-7), so that the same file reads the same on any day.
    pub(super) fn today(&self) -> Option<String> {
        if self.rules.received_at != jiff::Timestamp::UNIX_EPOCH {
            return self.rules.received_at.to_string().get(..10).map(str::to_owned);
        }
        let sent = read_date(&self.message.value("MSH", 7)).ok()?;
        sent.iso.get(..10).map(str::to_owned)
    }

    /// Gives a time without an offset the offset of the sender's zone.
    pub(super) fn in_zone(&self, date: HlDate) -> HlDate {
        in_zone(date, &self.rules.time_zone)
    }

    /// Reads a field of XTN repetitions into phones and mail addresses.
    pub(super) fn contacts(
        &mut self,
        segment: &Segment<'_, '_>,
        occurrence: usize,
        field: usize,
        usual: PhoneUse,
        path: &str,
        into: &mut Contacts,
    ) {
        let place = location(segment.name(), occurrence, field);
        for contact in segment.field(field).repetitions().take(REPETITIONS_MAX) {
            let part = |number: usize| contact.value(number);
            let mail = [4, 1, 3].into_iter().map(part).find(|text| text.contains('@'));
            if let Some(mail) = mail {
                self.seen(element(&leaf(path, "emails"), into.emails.len()), place.clone());
                into.emails.push(mail.into_owned());
                continue;
            }
            let Some(number) = number_text(&contact) else { continue };
            let usage = usage(&part(2), &part(3), &part(4)).or_else(|| usage(&part(1), "", "")).unwrap_or(usual);
            let leaf = leaf(&element(&leaf(path, "phones"), into.phones.len()), "number");
            self.seen_as(leaf.clone(), place.clone(), &number);
            let read = e164(&number, &self.rules.region);
            if read.is_none() {
                self.doubt("phone-unreadable", &leaf, format!("{place} is no phone number of the region: it was kept as sent"));
            }
            into.phones.push(Phone { number: read.unwrap_or(number), usage: Some(usage) });
        }
    }

    /// Notes what the sender deletes (`""`): of what is only empty it says nothing.
    fn deletions(&mut self) {
        for (segment, field, path) in DELETABLE {
            let all = self.message.all(segment);
            if all.take(1).any(|segment| segment.field(field).raw().trim() == "\"\"") {
                self.note("deleted", path, format!("{} deletes it", location(segment, 1, field)));
            }
        }
    }

    /// Marks what is missing, and holds what must not go out as it is.
    fn judge(&mut self) {
        let name = &self.record.patient.name;
        let missing = [
            ("patient.name.family", name.family.is_none()),
            ("patient.name.given", name.given.is_none()),
            ("patient.birth_date", self.record.patient.birth_date.is_none()),
        ];
        for (path, missing) in missing {
            if missing && !self.record.review.iter().any(|marked| marked == path) {
                self.doubt("missing", path, "the message does not say it");
            }
            if self.record.review.iter().any(|marked| marked == path) {
                self.record.hold(HeldReason::BlockingField);
            }
        }
        if self.record.patient.deceased == Some(true) {
            self.record.mark("patient.deceased");
            self.record.hold(HeldReason::Deceased);
        }
    }
}

/// The number of an XTN: area and local number (components 6 and 7, 5 the country), or the unformatted one (12), or the old
/// style (1), or where a miscount of delimiters put it (9 to 11).
pub(super) fn number_text(contact: &crate::protocols::hl7::Repetition<'_, '_>) -> Option<String> {
    let part = |number: usize| contact.value(number);
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).count();
    let modern = match (part(5), part(6), part(7)) {
        (_, _, local) if local.is_empty() => String::new(),
        (country, area, local) if country.is_empty() => [area, local].concat(),
        (country, area, local) => format!("+{}{area}{local}", country.trim_start_matches('+')),
    };
    let elsewhere = [12, 1, 10, 9, 11].into_iter().map(|number| part(number).into_owned());
    let text = std::iter::once(modern).chain(elsewhere).find(|text| digits(text) >= 5)?;
    // `+35318698765PRN`: a use code that lost its delimiter.
    let text = text.trim_end_matches(|symbol: char| symbol.is_ascii_alphabetic()).trim().to_owned();
    let extension = part(8);
    Some(if extension.is_empty() { text } else { format!("{text} x{extension}") })
}

fn usage(use_code: &str, equipment: &str, old: &str) -> Option<PhoneUse> {
    let is = |text: &str, codes: &[&str]| codes.iter().any(|code| text.eq_ignore_ascii_case(code));
    if is(use_code, &["FX", "FAX"]) || is(equipment, &["FX", "FAX"]) || is(old, &["FAX"]) {
        Some(PhoneUse::Fax)
    } else if is(use_code, &["CP", "MOBILE"]) || is(equipment, &["CP"]) || is(old, &["MOBILE"]) {
        Some(PhoneUse::Mobile)
    } else if is(use_code, &["PRN", "ORN", "HOME"]) || is(old, &["HOME"]) {
        Some(PhoneUse::Home)
    } else if is(use_code, &["WPN", "WORK"]) || is(old, &["WORK"]) {
        Some(PhoneUse::Work)
    } else {
        None
    }
}

/// Regions of the North American numbering plan, whose numbers are told by their shape.
const NORTH_AMERICAN_PLAN: [&str; 25] = [
    "US", "CA", "AG", "AI", "AS", "BB", "BM", "BS", "DM", "DO", "GD", "GU", "JM", "KN", "KY", "LC", "MP", "MS", "PR", "SX", "TC",
    "TT", "VC", "VG", "VI",
];

/// The number in E.164, if it is one of the region or names its country.
pub(super) fn e164(text: &str, region: &str) -> Option<String> {
    // `(+353)1-283` is written by systems that know no better: the parenthesis hides the plus.
    let plain: String = text.chars().filter(|symbol| !matches!(symbol, '(' | ')')).collect();
    if let Some(number) = north_american(&plain, region) {
        return Some(number);
    }
    let number = phonenumber::parse(region.parse().ok(), plain).ok()?;
    phonenumber::is_valid(&number).then(|| {
        let whole = number.format().mode(phonenumber::Mode::E164).to_string();
        whole.split([' ', ';']).next().unwrap_or_default().to_owned()
    })
}

/// A number of the North American plan: ten digits, area and exchange not beginning with 0 or 1. Whether the area code is assigned today
/// is not asked (as for faxes): codes are opened faster than a library's table is renewed. The library's answer takes it some forty regular
/// expressions, several times as long as all other reading of a message together.
fn north_american(plain: &str, region: &str) -> Option<String> {
    let (number, _extension) = plain.split_once(" x").unwrap_or((plain, ""));
    let mut digits = String::with_capacity(12);
    for symbol in number.chars() {
        match symbol {
            '0'..='9' => digits.push(symbol),
            '+' if digits.is_empty() => digits.push(symbol),
            ' ' | '-' | '.' | '/' => {}
            _ => return None,
        }
    }
    let ten = match digits.strip_prefix("+1") {
        Some(ten) => ten,
        None if !NORTH_AMERICAN_PLAN.contains(&region) => return None,
        None => digits.strip_prefix('1').filter(|rest| rest.len() == 10).unwrap_or(&digits),
    };
    let begins_well = |at: usize| ten.as_bytes().get(at).is_some_and(|digit| (b'2'..=b'9').contains(digit));
    (ten.len() == 10 && begins_well(0) && begins_well(3)).then(|| format!("+1{ten}"))
}

/// Gives a time without an offset the one of a zone (IANA).
pub(super) fn in_zone(mut date: HlDate, zone: &str) -> HlDate {
    if date.precision < Precision::Minute || date.has_offset {
        return date;
    }
    let Ok(zone) = jiff::tz::TimeZone::get(zone) else { return date };
    let Ok(zoned) = date.iso.parse::<jiff::civil::DateTime>().and_then(|local| local.to_zoned(zone)) else { return date };
    let seconds = zoned.offset().seconds();
    let sign = if seconds < 0 { '-' } else { '+' };
    date.iso.push_str(&format!("{sign}{:02}:{:02}", seconds.abs() / 3_600, seconds.abs() / 60 % 60));
    date.has_offset = true;
    date
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn places_and_paths_are_put_together() {
        assert_eq!(location("IN1", 12, 36), "IN1^12^36");
        assert_eq!(leaf(&element("request.diagnoses", 0), "code"), "request.diagnoses.0.code");
        assert_eq!(element("notes", 1_203), "notes.1203");
    }

    proptest! {
        #[test]
        fn every_date_without_an_offset_is_one_of_the_record(digits in "[0-2][0-9]{3}([01][0-9]([0-3][0-9]([0-2][0-9]([0-5][0-9]([0-5][0-9])?)?)?)?)?") {
            if let Ok(date) = read_date(&digits) {
                prop_assert!(IsoDate::parse(&date.iso).is_some(), "{}", date.iso);
            }
        }
    }

    #[test]
    fn numbers_of_the_north_american_plan_are_told_by_their_shape() {
        for text in ["4152537700", "415-253-7700", "(415) 253.7700", "+14152537700", "1 415 253 7700", "4152537700 x12"] {
            assert_eq!(e164(text, "US").as_deref(), Some("+14152537700"), "{text}");
        }
        assert_eq!(e164("+1 415 253 7700", "GB").as_deref(), Some("+14152537700"));
        for text in ["115-253-7700", "415-153-7700", "415-253-770", "41525377001"] {
            assert_eq!(e164(text, "US"), None, "{text}");
        }
    }

    #[test]
    fn other_countries_keep_their_own_rules() {
        assert_eq!(e164("020 7946 0018", "GB").as_deref(), Some("+442079460018"));
        assert_eq!(e164("+44 20 7946 0018", "US").as_deref(), Some("+442079460018"));
    }
}
