//! RF1, DG1, PR1, OBR and NTE: what is asked, how soon, and why.

use super::{
    draft::{Draft, REPETITIONS_MAX, element, leaf, location, some},
    slips::{Alone, names_specialty},
};
use crate::{
    protocols::hl7::{Repetition, Segment},
    referral::{Code, Priority, Problem, Record, ReferralKind},
};

/// LOINC codes of documents that tell and do not ask: discharge summaries and encounter notes.
const DOCUMENT_CODES: [&str; 6] = ["18842-5", "34133-9", "28655-9", "11490-0", "11488-4", "34117-2"];

/// LOINC codes of the notes that the documents of a referral hang on, and of consultation notes: no service is ordered by them.
const NOTE_CODES: [&str; 7] = ["57133-1", "57134-9", "57170-1", "68461-4", "51845-6", "34109-9", "34117-2"];

/// Words of a referral type (RF1-3) that say what is to be done, and by no specialty alone.
const DEEDS: [&str; 22] = [
    "consult",
    "evaluat",
    "treat",
    "referral",
    "opinion",
    "follow",
    "visit",
    "assess",
    "diagnos",
    "procedure",
    "transfer",
    "authori",
    "inpatient",
    "outpatient",
    "mri",
    "scan",
    "x-ray",
    "xray",
    "ultrasound",
    "biopsy",
    "test",
    "imaging",
];
/// Codes of such a type, where nothing but the code is sent.
const DEED_CODES: [&str; 8] = ["CON", "CONS", "CNS", "EVAL", "EVL", "TRT", "REF", "SO"];
/// How the names of procedures end.
const PROCEDURE_ENDINGS: [&str; 5] = ["oscopy", "graphy", "gram", "ectomy", "plasty"];

/// The general codes of table 0281: they name no specialty.
const GENERAL_TYPES: [&str; 6] = ["LAB", "MED", "SKN", "HOM", "RAD", "PSY"];

impl<'t, 'm> Draft<'t, 'm> {
    pub(super) fn request(&mut self) {
        let rf1 = self.message.first("RF1");
        self.priority(rf1);
        self.authored_at(rf1);
        if let Some(rf1) = rf1 {
            self.record.expires_at = self.date(&rf1, 1, 8, "expires_at");
            self.kind(&rf1);
        }
        self.diagnoses();
        self.procedures();
        let ordered = self.ordered();
        self.notes();
        self.reason(rf1);
        self.service(rf1, ordered);
    }

    fn priority(&mut self, rf1: Option<Segment<'t, 'm>>) {
        let obr = self.message.first("OBR");
        let tq1 = self.message.first("TQ1");
        let candidates = [(rf1, "RF1", 2, 1), (tq1, "TQ1", 9, 1), (obr, "OBR", 5, 1), (obr, "OBR", 27, 6)];
        let found = candidates.into_iter().find_map(|(segment, name, field, component)| {
            let raw = segment?.field(field).first().raw();
            some(segment?.value(field, component)).map(|code| (code, raw, location(name, 1, field)))
        });
        let Some((code, raw, place)) = found else {
            self.doubt("priority-missing", "priority", "the message does not say how urgent the referral is");
            return;
        };
        let by_profile = self.rules.profile().codes.priority(&code);
        let known = by_profile.or_else(|| read_priority(&code));
        let known = known.or_else(|| read_priority(raw.split(self.message.delimiters().component).nth(1)?));
        self.seen_as("priority", place.clone(), raw);
        match known {
            Some(priority) => self.record.priority = priority,
            None => self.doubt("priority-unknown-code", "priority", format!("the code in {place} is not one of S, A and R")),
        }
        // An urgent word in RF1-12, where no version has one, contradicts what RF1-2 says.
        let stray = rf1.and_then(|rf1| read_priority(&rf1.value(12, 1)));
        if stray.is_some_and(|stray| known.is_some_and(|known| stray < known)) {
            self.doubt("priority-contradicts", "priority", "RF1-12 holds a more urgent word than RF1-2");
        }
    }

    fn authored_at(&mut self, rf1: Option<Segment<'t, 'm>>) {
        let from_rf1 = |field: usize| rf1.filter(|rf1| !rf1.value(field, 1).is_empty()).map(|rf1| (rf1, field));
        // RF1-9 is where some put the number of the referral: only a date counts there.
        let processed = from_rf1(9).filter(|(rf1, _)| crate::protocols::hl7::read_date(&rf1.value(9, 1)).is_ok());
        let header = self.message.first("MSH").map(|msh| (msh, 7));
        if let Some((segment, field)) = processed.or_else(|| from_rf1(7)).or(header) {
            self.record.authored_at = self.date(&segment, 1, field, "authored_at");
        }
    }

    fn kind(&mut self, rf1: &Segment<'_, '_>) {
        let is = |field: usize, code: &str| rf1.field(field).repetitions().any(|it| it.value(1).eq_ignore_ascii_case(code));
        let (kind, field) = if is(4, "SO") {
            (ReferralKind::SecondOpinion, 4)
        } else if is(10, "S") {
            (ReferralKind::SecondOpinion, 10)
        } else if is(5, "E") {
            (ReferralKind::Emergency, 5)
        } else {
            return;
        };
        self.record.kind = kind;
        self.seen_as("kind", location("RF1", 1, field), rf1.field(field).raw());
    }

    fn diagnoses(&mut self) {
        for (dg1, occurrence) in self.message.all("DG1").zip(1..).take(200) {
            let code = self.code(&dg1, 3, 4, 2);
            let path = element("request.diagnoses", self.record.request.diagnoses.len());
            let Some(code) = code else { continue };
            let place = location("DG1", occurrence, 3);
            let icd10 = code.system.as_deref().is_some_and(|system| system.starts_with("ICD-10"));
            let odd = icd10 && code.code.as_deref().is_some_and(|code| !is_icd10(code));
            self.seen(leaf(&path, if code.code.is_some() { "code" } else { "text" }), place.clone());
            self.record.request.diagnoses.push(code);
            if odd {
                self.doubt("icd10-shape", &format!("{path}.code"), format!("the code in {place} does not look like ICD-10"));
            }
        }
    }

    fn procedures(&mut self) {
        for (pr1, occurrence) in self.message.all("PR1").zip(1..).take(200) {
            let Some(code) = self.code(&pr1, 3, 4, 2) else { continue };
            let path = element("request.procedures", self.record.request.procedures.len());
            self.seen(leaf(&path, if code.code.is_some() { "code" } else { "text" }), location("PR1", occurrence, 3));
            self.record.request.procedures.push(code);
        }
    }

    /// A CE or CWE, with the description and coding method of versions that keep them in fields of their own.
    fn code(&self, segment: &Segment<'_, '_>, at: usize, description: usize, method: usize) -> Option<Code> {
        let coded = segment.field(at).first();
        let text = [coded.component(2).text(), coded.value(9)].into_iter().find_map(some);
        let text = text.or_else(|| Some(segment.field(description).text()).filter(|text| !text.is_empty()));
        let system = some(coded.value(3)).or_else(|| some(segment.value(method, 1)));
        let code = Code { code: some(coded.value(1)), system: system.map(|name| system_name(&name, &self.rules.region)), text };
        (code.code.is_some() || code.text.is_some()).then_some(code)
    }

    fn notes(&mut self) {
        for (nte, occurrence) in self.message.all("NTE").zip(1..).take(1_000) {
            let mut text = nte.field(3).text();
            if text.is_empty() {
                continue;
            }
            let section = [nte.value(4, 2), nte.value(4, 1)].into_iter().find_map(some).unwrap_or_default();
            if !section.is_empty()
                && let Some(decoded) = super::content::base64_text(&text)
            {
                let message = format!("NTE^{occurrence}^3 was Base64; it was decoded");
                self.note("note-base64", &format!("notes.{}", self.record.notes.len()), message);
                text = decoded;
            }
            if section.to_ascii_uppercase().contains("REASON") && self.record.request.reason.is_none() {
                self.seen("request.reason", location("NTE", occurrence, 3));
                self.record.request.reason = Some(text);
                continue;
            }
            self.seen(element("notes", self.record.notes.len()), location("NTE", occurrence, 3));
            let headed = if section.is_empty() { text } else { format!("{}: {text}", section.replace('_', " ").to_lowercase()) };
            self.record.notes.push(headed);
        }
    }

    /// Every text that says why, one below the other: RF1 and OBR speak for themselves, and RF1-10 repeats.
    fn reason(&mut self, rf1: Option<Segment<'t, 'm>>) {
        let obr = self.message.all("OBR").zip(1..);
        let from_obr = obr.flat_map(|(obr, at)| [(obr, at, "OBR", 31), (obr, at, "OBR", 13)]);
        let from_rf1 = rf1.into_iter().flat_map(|rf1| [(rf1, 1, "RF1", 14), (rf1, 1, "RF1", 10)]);
        let mut texts: Vec<String> = self.record.request.reason.take().into_iter().collect();
        for (segment, occurrence, name, field) in from_rf1.clone().take(1).chain(from_obr).chain(from_rf1.skip(1)) {
            for coded in segment.field(field).repetitions().take(REPETITIONS_MAX) {
                let Some(words) = reason_in(&coded, field) else { continue };
                // The same is often sent in the place of an older version too, sometimes shortened.
                if texts.iter().any(|text| text.contains(&words)) {
                    continue;
                }
                if texts.is_empty() {
                    self.seen("request.reason", location(name, occurrence, field));
                }
                texts.retain(|text| !words.contains(text.as_str()));
                texts.push(words);
            }
        }
        self.record.request.reason = Some(texts.join("\n")).filter(|text| !text.is_empty());
    }

    /// OBR-4 of what is ordered, into the procedures: neither results, nor the note that the documents hang on. Gives the words of the first
    /// and its occurrence.
    fn ordered(&mut self) -> Option<(String, usize)> {
        let is_ref = self.header.message_type == "REF";
        if !is_ref && self.header.message_type != "OMG" {
            return None;
        }
        let mut first = None;
        let message = self.message;
        for (obr, occurrence) in message.all("OBR").zip(1..).take(200) {
            let Some(code) = self.code(&obr, 4, 0, 0) else { continue };
            let number = code.code.as_deref().unwrap_or_default();
            let is_loinc = code.system.as_deref() == Some("LOINC");
            // A referral holds results under LOINC codes; an order may be one.
            let is_note = NOTE_CODES.contains(&number) || DOCUMENT_CODES.contains(&number) || (is_loinc && is_ref);
            let is_result = matches!(obr.value(25, 1).to_ascii_uppercase().as_str(), "A" | "C" | "F" | "I" | "P" | "R" | "X")
                || has_measurements(message, occurrence);
            if is_note || is_result {
                continue;
            }
            let words = code.text.clone().or_else(|| code.code.clone()).unwrap_or_default();
            let procedures = &mut self.record.request.procedures;
            let known = procedures.iter().any(|known| known.code.is_some() && known.code == code.code);
            if !known && code.code.is_some() && Alone::of(&words) != Alone::Specialty {
                let path = element("request.procedures", procedures.len());
                procedures.push(code);
                self.seen(leaf(&path, "code"), location("OBR", occurrence, 4));
            }
            first.get_or_insert((words, occurrence));
        }
        first
    }

    /// RF1-3 is the type of the referral; many write a specialty there. What is ordered says more than a general type.
    fn service(&mut self, rf1: Option<Segment<'t, 'm>>, ordered: Option<(String, usize)>) {
        let kind = rf1.map(|rf1| rf1.field(3).first());
        let in_column = kind.filter(|kind| !kind.value(3).eq_ignore_ascii_case("HL70336"));
        let words = in_column.and_then(|kind| some(kind.value(2)).or_else(|| some(kind.value(1))));
        let code = in_column.map(|kind| kind.value(1).to_ascii_uppercase()).unwrap_or_default();
        let general = GENERAL_TYPES.contains(&code.as_str());
        if let Some(words) = &words {
            self.record.request.service = Some(words.clone());
            self.seen("request.service", "RF1^1^3");
            let specialty = match code.as_str() {
                "PSY" => Some("Psychiatry".to_owned()),
                "RAD" => Some("Radiology".to_owned()),
                _ => Some(words.clone()).filter(|words| !general && !is_deed(&code, words)),
            };
            if let Some(specialty) = specialty.filter(|_| self.record.referred_to.specialty.is_none()) {
                self.record.referred_to.specialty = Some(specialty);
                self.seen("referred_to.specialty", "RF1^1^3");
            }
        }
        if let Some((ordered, occurrence)) = ordered.filter(|_| words.is_none() || general) {
            self.record.request.service = Some(ordered);
            self.seen("request.service", location("OBR", occurrence, 4));
        } else if words.is_none() {
            self.record.request.service = Some("consultation".to_owned());
        }
    }

    /// A document that tells and does not ask: no RF1, nobody referred to, no reason, and either a code of such documents,
    /// or a copy to the patient's own practice.
    pub(super) fn is_document(&self) -> bool {
        if self.message.first("RF1").is_some() || self.has_target() || self.record.request.reason.is_some() {
            return false;
        }
        let coded = |name: &str, field: usize| {
            self.message.all(name).any(|segment| DOCUMENT_CODES.contains(&segment.value(field, 1).as_ref()))
        };
        coded("OBX", 3) || coded("OBR", 4) || self.has_primary_care()
    }
}

/// What a field says of the reason; none: nothing, or something else.
fn reason_in(coded: &Repetition<'_, '_>, field: usize) -> Option<String> {
    let words = match coded.len() {
        0 | 1 => coded.component(1).text(),
        _ => coded.component(2).text(),
    };
    // Table 0336 says who wanted the referral, not why.
    let administrative = field == 10 && matches!(coded.value(1).to_ascii_uppercase().as_str(), "S" | "P" | "O" | "W");
    // RF1-10 alone of one word is a code or something that slipped there, such as a phone number.
    let plain = field != 10 || words.chars().any(char::is_alphabetic);
    some(words).filter(|_| !administrative && plain)
}

/// Whether a type says what is to be done, and names no specialty.
fn is_deed(code: &str, words: &str) -> bool {
    if words.chars().all(|symbol| symbol.is_ascii_digit()) {
        return true;
    }
    if names_specialty(words) {
        return false;
    }
    let plain = words.to_lowercase();
    let mut each = plain.split(|symbol: char| !symbol.is_alphanumeric() && symbol != '-');
    (code.eq_ignore_ascii_case(words) && DEED_CODES.contains(&code))
        || DEEDS.iter().any(|deed| plain.split(' ').any(|word| word.starts_with(deed)))
        || each.any(|word| word == "ct" || PROCEDURE_ENDINGS.iter().any(|ending| word.ends_with(ending)))
}

/// Whether numbers follow an OBR before the next one: it is a result.
fn has_measurements(message: &crate::protocols::hl7::Message<'_>, occurrence: usize) -> bool {
    let behind = message.segments().skip_while({
        let mut seen = 0;
        move |segment| {
            seen += usize::from(segment.is("OBR"));
            seen < occurrence
        }
    });
    let mut group = behind.skip(1).take_while(|segment| !segment.is("OBR") && !segment.is("ORC"));
    group.any(|segment| segment.is("OBX") && matches!(segment.value(2, 1).to_ascii_uppercase().as_str(), "NM" | "SN"))
}

/// Marks the expiry of a new referral that lies before the day on which it came.
pub(super) fn expired_on_arrival(record: &mut Record, today: &str) {
    const PATH: &str = "expires_at";
    let Some(expires) = &record.expires_at else { return };
    let day = expires.as_str();
    let day = day.get(..10).unwrap_or(day);
    if day < today.get(..day.len()).unwrap_or(today) {
        let text = "the referral had expired before it came: ask its sender whether it still holds";
        record.problems.push(Problem::at("expired-on-arrival", PATH, text));
        record.mark(PATH);
        if let Some(evidence) = record.evidence.get_mut(PATH) {
            evidence.confidence = 0.5;
        }
    }
}

/// Table 0280, and the words that senders use instead.
pub(super) fn read_priority(text: &str) -> Option<Priority> {
    match text.trim().to_ascii_uppercase().as_str() {
        "S" | "STAT" | "EMERGENCY" | "EMERGENT" => Some(Priority::Stat),
        "A" | "ASAP" | "U" | "URGENT" | "2WW" => Some(Priority::Urgent),
        "R" | "ROUTINE" => Some(Priority::Routine),
        _ => None,
    }
}

fn is_icd10(code: &str) -> bool {
    let mut plain = code.chars().filter(|symbol| *symbol != '.');
    let letter = plain.next().is_some_and(|symbol| symbol.is_ascii_alphabetic());
    let digit = plain.next().is_some_and(|symbol| symbol.is_ascii_digit());
    let rest: Vec<char> = plain.collect();
    letter && digit && (1..=5).contains(&rest.len()) && rest.iter().all(char::is_ascii_alphanumeric)
}

/// The usual names of coding systems (HL7 table 0396).
fn system_name(name: &str, region: &str) -> String {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_uppercase();
    match plain.as_str() {
        "I10" | "ICD10" if region == "US" => "ICD-10-CM",
        "I10" | "ICD10" => "ICD-10",
        "I10C" | "ICD10CM" => "ICD-10-CM",
        "I9" | "I9C" | "ICD9" | "ICD9CM" => "ICD-9-CM",
        "SCT" | "SNM" | "SNOMEDCT" | "SNOMED" => "SNOMED CT",
        "LN" | "LOINC" => "LOINC",
        "C4" | "CPT" | "CPT4" => "CPT",
        _ => return name.to_owned(),
    }
    .to_owned()
}
