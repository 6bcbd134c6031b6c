//! The segments of REF and RRI, field by field, as each version has them.

use base64::Engine as _;

use super::{Enclosure, Version};
use crate::{
    protocols::hl7::Writer,
    referral::{
        Address, Allergy, Code, IsoDate, Patient, PatientIdentifier, PersonName, Phone, PhoneUse, Priority, Provider, Record,
        Referral, ReferralKind, Sex,
    },
};

/// What kind it is was not said: of a number, HL7 table 0203.
const UNSPECIFIED: &str = "U";
/// The name of our numbers.
const AUTHORITY: &str = "LOOPLINE";
/// LOINC's referral note: what the documents hang on.
const NOTE: [&str; 3] = ["57133-1", "Referral note", "LN"];

fn or_empty(text: Option<&String>) -> &str {
    text.map_or("", String::as_str)
}

/// ISO 8601 as HL7 writes it: `2026-11-21T17:02:11-07:00` to `20261121170211-0700`.
fn date(date: Option<&IsoDate>) -> String {
    let text = date.map_or("", IsoDate::as_str);
    let Some((day, time)) = text.split_once('T') else { return text.replace('-', "") };
    let (clock, offset) = time.find(['+', '-', 'Z']).map_or((time, ""), |at| time.split_at(at));
    let offset = if offset == "Z" { "+0000".to_owned() } else { offset.replace(':', "") };
    format!("{}{}{offset}", day.replace('-', ""), clock.replace(':', ""))
}

/// RF1, with RF1-1 as given.
pub(super) fn rf1(writer: &mut Writer, version: Version, referral: &Referral, status: (&str, &str)) {
    let record = &referral.record;
    writer.segment("RF1").components(1, &[status.0, status.1, "HL70283"]);
    match record.priority {
        Priority::Stat => writer.components(2, &["S", "STAT", "HL70280"]),
        Priority::Urgent => writer.components(2, &["A", "ASAP", "HL70280"]),
        Priority::Routine => writer.components(2, &["R", "Routine", "HL70280"]),
        // Never taken for routine: whoever gets it must see that it was not said.
        Priority::Unknown => writer,
    };
    // A consultation is what every referral asks for; the specialty says more.
    let service = record.request.service.as_deref().filter(|service| *service != "consultation");
    if let Some(words) = record.referred_to.specialty.as_deref().or(service) {
        writer.components(3, &["", words]);
    }
    let mut disposition = Vec::new();
    if record.request.report_expected {
        disposition.push(vec!["WR", "Send Written Report", "HL70282"]);
    }
    if record.kind == ReferralKind::SecondOpinion {
        disposition.push(vec!["SO", "Second Opinion", "HL70282"]);
    }
    writer.repetitions(4, &disposition);
    if record.kind == ReferralKind::Emergency {
        writer.components(5, &["E", "Emergency", "HL70284"]);
    }
    let ours = referral.reference.as_str();
    // A number that we derived ourselves means nothing to anybody else.
    let placer = record.identifiers.placer.as_ref().filter(|placer| placer.found_in.as_deref() != Some("synthetic"));
    match placer {
        Some(placer) => writer.components(6, &[&placer.value, or_empty(placer.authority.as_ref())]),
        None => writer.components(6, &[ours, AUTHORITY]),
    };
    let authored = date(record.authored_at.as_ref());
    writer.text(7, &authored).text(8, &date(record.expires_at.as_ref())).text(9, &authored);
    let reason = or_empty(record.request.reason.as_ref());
    writer.components(10, &["", reason]).components(11, &[ours, AUTHORITY]);
    if version >= Version::V2_8 {
        writer.text(14, reason);
    }
}

/// AUT, where the payer gave leave.
pub(super) fn authorization(writer: &mut Writer, version: Version, record: &Record) {
    let Some(leave) = &record.authorization else { return };
    let payer = record.insurance.first().and_then(|coverage| coverage.payer.as_ref());
    writer.segment("AUT").components(2, &["", or_empty(payer)]);
    writer.text(4, &date(leave.from.as_ref())).text(5, &date(leave.to.as_ref())).text(6, or_empty(leave.number.as_ref()));
    if let Some(units) = leave.units {
        writer.text(9, &units.to_string());
    }
    if version >= Version::V2_8 {
        // AUT-13, required: what kind of referral the leave is for. The record knows what the referral asks for, and no more.
        let service = record.referred_to.specialty.as_ref().or(record.request.service.as_ref());
        writer.components(13, &["", or_empty(service)]).text(14, or_empty(leave.status.as_ref()));
    }
}

/// PRD of who refers, and of whom to, where somebody is named.
pub(super) fn providers(writer: &mut Writer, version: Version, record: &Record) {
    provider(writer, version, ["RP", "Referring Provider"], &record.referring);
    let nobody = Provider { specialty: record.referred_to.specialty.clone(), ..Provider::default() };
    if record.referred_to != nobody {
        provider(writer, version, ["RT", "Referred to Provider"], &record.referred_to);
    }
}

fn provider(writer: &mut Writer, version: Version, role: [&str; 2], provider: &Provider) {
    let organization = or_empty(provider.organization.as_ref());
    writer.segment("PRD").components(1, &[role[0], role[1], "HL70286"]);
    writer.components(2, &name(&provider.name));
    address(writer, 3, &provider.address);
    // PL.9: the place in words.
    writer.components(4, &["", "", "", "", "", "", "", "", organization]);
    contacts(writer, 5, version, &provider.phones.iter().collect::<Vec<_>>(), &provider.emails);
    let npi = provider.npi.iter().map(|npi| vec![npi.as_str(), "NPI"]);
    let others = provider.identifiers.iter();
    let others = others.map(|id| vec![id.value.as_str(), or_empty(id.kind.as_ref()), or_empty(id.authority.as_ref())]);
    writer.repetitions(7, &npi.chain(others).collect::<Vec<_>>());
    if version >= Version::V2_6 {
        writer.text(10, organization);
    }
}

/// CX-5 of a number of which nobody said what kind it is: required from 2.7 on.
fn unsaid_kind(version: Version) -> &'static str {
    if version < Version::V2_7 { "" } else { UNSPECIFIED }
}

/// PID.
pub(super) fn patient(writer: &mut Writer, version: Version, record: &Record) {
    let patient: &Patient = &record.patient;
    writer.segment("PID").text(1, "1");
    let number = |id: &PatientIdentifier| -> Vec<String> {
        let authority = id.authority.clone().unwrap_or_default();
        let kind = id.kind.clone().unwrap_or_else(|| unsaid_kind(version).to_owned());
        vec![id.value.clone(), String::new(), String::new(), authority, kind]
    };
    let numbers: Vec<Vec<String>> = patient.identifiers.iter().map(number).collect();
    let numbers: Vec<Vec<&str>> = numbers.iter().map(|parts| parts.iter().map(String::as_str).collect()).collect();
    writer.repetitions(3, &numbers).components(5, &name(&patient.name));
    writer.text(7, &date(patient.birth_date.as_ref()));
    writer.text(
        8,
        match patient.sex {
            Some(Sex::F) => "F",
            Some(Sex::M) => "M",
            Some(Sex::O) => "O",
            Some(Sex::U) => "U",
            None => "",
        },
    );
    address(writer, 11, &patient.address);
    let (work, home): (Vec<&Phone>, Vec<&Phone>) = patient.phones.iter().partition(|phone| phone.usage == Some(PhoneUse::Work));
    contacts(writer, 13, version, &home, &patient.emails);
    contacts(writer, 14, version, &work, &[]);
    if let Some(dead) = patient.deceased {
        writer.text(30, if dead { "Y" } else { "N" });
    }
}

/// IN1, one an insurance.
pub(super) fn insurance(writer: &mut Writer, version: Version, record: &Record) {
    for (coverage, number) in record.insurance.iter().zip(1_usize..) {
        let payer = or_empty(coverage.payer.as_ref());
        writer.segment("IN1").text(1, &number.to_string()).components(2, &["", or_empty(coverage.plan.as_ref())]);
        let kind = if payer.is_empty() { "" } else { unsaid_kind(version) };
        writer.components(3, &[payer, "", "", "", kind]).components(4, &[payer]);
        writer.text(8, or_empty(coverage.group.as_ref())).text(36, or_empty(coverage.member_id.as_ref()));
    }
}

/// AL1, one for each note that is an allergy which came as a segment; what somebody wrote in words stays a note. The code of the allergen
/// is known where it stands in the evidence.
fn allergies(writer: &mut Writer, record: &Record) {
    for (at, number) in allergy_notes(record).into_iter().zip(1_usize..) {
        let Some(allergy) = record.notes.get(at).and_then(|note| Allergy::of_note(note)) else { continue };
        let known = |code: Option<&'static str>| code.unwrap_or_default();
        let (kind, severity) = (or_empty(allergy.kind.as_ref()), or_empty(allergy.severity.as_ref()));
        writer.segment("AL1").text(1, &number.to_string());
        writer.components(2, &[known(Allergy::kind_code(kind)), kind]);
        let evidence = record.evidence.get(format!("notes.{at}").as_str()).and_then(|evidence| evidence.text.as_deref());
        let coded: Vec<&str> = evidence.unwrap_or_default().split('^').collect();
        match coded.as_slice() {
            [code, text, rest @ ..] if *text == allergy.substance => {
                writer.components(3, &[*code, *text, rest.first().copied().unwrap_or_default()])
            }
            _ => writer.components(3, &["", &allergy.substance]),
        };
        writer.components(4, &[known(Allergy::severity_code(severity)), severity]).text(5, or_empty(allergy.reaction.as_ref()));
    }
}

/// The positions of the notes that are written as AL1: those that came as a segment, and of which AL1 can say everything.
pub(super) fn allergy_notes(record: &Record) -> Vec<usize> {
    let is_segment = |at: usize| {
        let evidence = record.evidence.get(format!("notes.{at}").as_str());
        let location = evidence.and_then(|evidence| evidence.location.as_deref()).unwrap_or_default();
        ["AL1^", "IAM^"].iter().any(|name| location.starts_with(name))
    };
    let can_say = |note: &String| Allergy::of_note(note).is_some_and(|allergy| allergy.status.is_none());
    let notes = record.notes.iter().enumerate();
    notes.filter(|(at, note)| is_segment(*at) && can_say(note)).map(|(at, _)| at).collect()
}

/// NTE: the notes that no segment of their own says.
pub(super) fn notes(writer: &mut Writer, record: &Record, more: Option<&str>) {
    let elsewhere = allergy_notes(record);
    let notes = record.notes.iter().enumerate().filter(|(at, _)| !elsewhere.contains(at)).map(|(_, note)| note.as_str());
    for (note, number) in notes.chain(more).zip(1_usize..) {
        writer.segment("NTE").text(1, &number.to_string()).text(3, note);
    }
}

/// DG1, AL1 and PR1.
pub(super) fn codes(writer: &mut Writer, version: Version, record: &Record) {
    for (code, number) in record.request.diagnoses.iter().zip(1_usize..) {
        coded(writer, "DG1", number, version, code);
        // W: working.
        writer.text(6, "W");
    }
    allergies(writer, record);
    for (code, number) in record.request.procedures.iter().zip(1_usize..) {
        coded(writer, "PR1", number, version, code);
        writer.text(5, &date(record.authored_at.as_ref()));
        // PR1-6, required there: anesthesia, treatment or diagnosis (table 0230, open to other values). Nobody said which.
        if version < Version::V2_4 {
            writer.text(6, UNSPECIFIED);
        }
    }
}

fn coded(writer: &mut Writer, segment: &str, number: usize, version: Version, code: &Code) {
    let system = code.system.as_deref().map_or("", |system| match system {
        "ICD-10-CM" => "I10C",
        "ICD-10" => "I10",
        "ICD-9-CM" => "I9C",
        "SNOMED CT" => "SCT",
        "LOINC" => "LN",
        "CPT" => "C4",
        other => other,
    });
    let text = or_empty(code.text.as_ref());
    // The method and the description in words had fields of their own until 2.6.
    let old = version < Version::V2_6;
    writer.segment(segment).text(1, &number.to_string()).text(2, if old { system } else { "" });
    writer.components(3, &[or_empty(code.code.as_ref()), text, system]).text(4, if old { text } else { "" });
}

/// OBR: what the notes and documents hang on.
pub(super) fn order(writer: &mut Writer, version: Version, referral: &Referral) {
    let record = &referral.record;
    writer.segment("OBR").text(1, "1").components(2, &[referral.reference.as_str(), AUTHORITY]).components(4, &NOTE);
    writer.text(7, &date(record.authored_at.as_ref()));
    if version == Version::V2_3 {
        // Required there: how soon, as a timing.
        let priority = match record.priority {
            Priority::Stat => "S",
            Priority::Urgent => "A",
            Priority::Routine => "R",
            Priority::Unknown => "",
        };
        writer.components(27, &["", "", "", "", "", priority]);
    }
    writer.components(31, &["", or_empty(record.request.reason.as_ref())]);
}

/// OBX with a document, Base64.
pub(super) fn document(writer: &mut Writer, document: &Enclosure, number: usize) {
    let (kind, subtype) = match document.media_type.as_str() {
        "application/pdf" => ("application", "PDF"),
        "application/rtf" => ("application", "RTF"),
        "application/xml" => ("application", "XML"),
        "application/zip" => ("application", "ZIP"),
        "image/tiff" => ("image", "TIFF"),
        "image/png" => ("image", "PNG"),
        "image/jpeg" => ("image", "JPEG"),
        "image/gif" => ("image", "GIF"),
        "text/html" => ("text", "HTML"),
        "text/plain" => ("text", "PLAIN"),
        _ => ("application", "Octet-stream"),
    };
    let label = document.name.clone().unwrap_or_else(|| format!("Referral document {number}"));
    let data = base64::engine::general_purpose::STANDARD.encode(&document.content);
    writer.segment("OBX").text(1, &number.to_string()).text(2, "ED").components(3, &[NOTE[0], NOTE[1], NOTE[2], "", &label, "L"]);
    // The alphabet of Base64 holds no delimiter, so the data need not be looked at once more.
    writer.text(4, &number.to_string()).raw(5, &format!("^{kind}^{subtype}^Base64^{data}")).text(11, "F");
}

/// An XPN.
fn name(name: &PersonName) -> [&str; 5] {
    [&name.family, &name.given, &name.middle, &name.suffix, &name.prefix].map(|part| or_empty(part.as_ref()))
}

/// An XAD. It has two lines: what is over stands in the second.
fn address(writer: &mut Writer, field: usize, address: &Address) {
    let (first, rest) = address.lines.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
    let rest = rest.join(", ");
    let parts = [&address.city, &address.state, &address.postal_code, &address.country].map(|part| or_empty(part.as_ref()));
    writer.components(field, &[&[first, &rest][..], &parts].concat());
}

/// XTN repetitions: phones, then mail addresses.
fn contacts(writer: &mut Writer, field: usize, version: Version, phones: &[&Phone], emails: &[String]) {
    let phones = phones.iter().map(|phone| xtn(phone, version));
    let emails = emails.iter().map(|email| ["", "NET", "Internet", email].map(str::to_owned).to_vec());
    let all: Vec<Vec<String>> = phones.chain(emails).collect();
    let all: Vec<Vec<&str>> = all.iter().map(|parts| parts.iter().map(String::as_str).collect()).collect();
    writer.repetitions(field, &all);
}

fn xtn(phone: &Phone, version: Version) -> Vec<String> {
    let (usage, equipment) = match phone.usage {
        Some(PhoneUse::Home) => ("PRN", "PH"),
        Some(PhoneUse::Mobile) => ("PRN", "CP"),
        Some(PhoneUse::Work) => ("WPN", "PH"),
        Some(PhoneUse::Fax) => ("WPN", "FX"),
        None => ("", "PH"),
    };
    // Country, area and local number only where their lengths are known: in the North American plan.
    let plan = phone.number.strip_prefix("+1").filter(|rest| rest.len() == 10 && rest.bytes().all(|byte| byte.is_ascii_digit()));
    let (area, local) = plan.and_then(|rest| rest.split_at_checked(3)).unwrap_or_default();
    let country = if area.is_empty() { "" } else { "1" };
    // The number as one text is in component 1 until 2.5.1; 2.6 withdrew that, and has 12.
    let whole = phone.number.as_str();
    let (old, new) = if version < Version::V2_6 { (whole, "") } else { ("", whole) };
    [old, usage, equipment, "", country, area, local, "", "", "", "", new].map(str::to_owned).to_vec()
}
