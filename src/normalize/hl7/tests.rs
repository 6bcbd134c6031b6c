//! Each quirk that real senders have, as a test named after it. All people are invented.

use super::*;
use crate::referral::{HeldReason, Priority, Record, ReplyOutcome, Sex};

const HEAD: &str = "MSH|^~\\&|EHR|CEDAR|LOOP|DESK|20261120101500-0800||REF^I12^REF_I12|C1|P|2.5.1";
const RF1: &str = "RF1|P|A^ASAP|CARD^Cardiology^L|||REF-1^CEDAR|20261120|20270520";
const RP: &str =
    "PRD|RP|Phillips^Jesus^^^Dr|80 Hill Rd^^Rochester^NY^14604||^WPN^PH^^^585^9256511~^WPN^FX^^^630^2749277||1783266160^NPI";
const RT: &str = "PRD|RT|Ames^Dora|1 Lake Ave^^Portland^OR^97201";
const PID: &str = "PID|1||7^^^CEDAR^MR||Lee^Leslie^A^Jr||19341101|F|||12 Elm St^^Portland^OR^97201^US||^PRN^PH^^^415^2537700";

fn joined(lines: &[&str]) -> Vec<u8> {
    let mut text = lines.join("\r");
    text.push('\r');
    text.into_bytes()
}

fn read_bytes(body: &[u8]) -> Hl7Message {
    normalize(body, &Hl7Rules::default()).unwrap()
}

fn read(lines: &[&str]) -> Hl7Message {
    read_bytes(&joined(lines))
}

fn record(lines: &[&str]) -> Record {
    let read = read(lines);
    assert_eq!(read.outcome.kind, Kind::Referral, "{:?}", read.refusal);
    read.outcome.record.unwrap()
}

fn has(record: &Record, code: &str) -> bool {
    record.problems.iter().any(|problem| problem.code == code)
}

/// The code and location a message is refused with, `AE 101 PID`.
fn refused(lines: &[&str]) -> String {
    let read = read(lines);
    assert_eq!(read.outcome.kind, Kind::Refused);
    let refusal = read.refusal.unwrap();
    let level = match refusal.level {
        RefusalLevel::Error => "AE",
        RefusalLevel::Reject => "AR",
    };
    format!("{level} {} {}", refusal.code, refusal.location)
}

#[test]
fn a_good_referral_becomes_a_full_record() {
    let in1 = "IN1|1|PPO^Choice Plus|UHC|UnitedHealthcare||||37618||||||||||||||||||||||||||||PD231007728";
    let dg1 = "DG1|1||I48.91^Atrial fibrillation^I10C";
    let obr = "OBR|1|||57133-1^Referral note^LN|||||||||||||||||||||||||||^Rate control and anticoagulation";
    let read =
        read(&[HEAD, RF1, "AUT|PPO|UHC||20261101|20270201|AUTH123||6", RP, RT, PID, in1, dg1, obr, "NTE|1||Started apixaban."]);
    assert_eq!(read.outcome.event, Some(Event::New));
    assert_eq!(read.referral_keys, ["referral|CEDAR|CEDAR|REF-1"]);
    let record = read.outcome.record.unwrap();
    assert_eq!(record.priority, Priority::Urgent);
    assert_eq!(record.authored_at.unwrap().as_str(), "2026-11-20");
    assert_eq!(record.expires_at.unwrap().as_str(), "2027-05-20");
    assert_eq!(record.patient.name.suffix.as_deref(), Some("Jr"));
    assert_eq!(record.patient.birth_date.unwrap().as_str(), "1934-11-01");
    assert_eq!(record.patient.phones[0].number, "+14152537700");
    assert_eq!(record.patient.address.postal_code.as_deref(), Some("97201"));
    assert_eq!(record.insurance[0].member_id.as_deref(), Some("PD231007728"));
    assert_eq!(record.authorization.unwrap().units, Some(6));
    assert_eq!(record.referring.npi.as_deref(), Some("1783266160"));
    assert_eq!(record.referring.phones[1].number, "+16302749277");
    assert_eq!(record.referred_to.name.family.as_deref(), Some("Ames"));
    assert_eq!(record.referred_to.specialty.as_deref(), Some("Cardiology"));
    assert_eq!(record.request.diagnoses[0].system.as_deref(), Some("ICD-10-CM"));
    assert_eq!(record.request.reason.as_deref(), Some("Rate control and anticoagulation"));
    assert_eq!(record.notes, ["Started apixaban."]);
    assert_eq!(record.evidence["priority"].location.as_deref(), Some("RF1^1^2"));
    assert_eq!(record.evidence["priority"].text.as_deref(), Some("A^ASAP"));
    assert!(record.review.is_empty() && record.held.is_empty() && record.problems.is_empty(), "{:?}", record.problems);
}

// Section 1: accept, and note.

#[test]
fn quirk_1_01_segment_ends_of_every_kind() {
    for end in ["\n", "\r\n", "\r"] {
        let body = [HEAD, RF1, RP, RT, PID, "NTE|1||first line\nsecond line"].join(end);
        let record = read_bytes(body.as_bytes()).outcome.record.unwrap();
        assert_eq!(record.notes, ["first line\nsecond line"]);
        assert!(has(&record, "line-ends"));
    }
}

#[test]
fn quirk_1_02_blank_lines_nulls_and_a_missing_last_end() {
    let body = format!("{HEAD}\r\r{RF1}\r{RP}\r\r{RT}\r{PID}  \0\0");
    let record = read_bytes(body.as_bytes()).outcome.record.unwrap();
    assert!(has(&record, "loose-ends"));
    assert_eq!(record.patient.name.family.as_deref(), Some("Lee"));
}

#[test]
fn quirk_1_04_a_byte_order_mark_is_left_out() {
    let body = format!("\u{FEFF}{}", [HEAD, RF1, RP, RT, PID].join("\r"));
    assert!(has(&read_bytes(body.as_bytes()).outcome.record.unwrap(), "junk-before-msh"));
}

#[test]
fn quirk_1_05_character_sets_that_are_not_declared() {
    for (bytes, name) in [(&b"M\xFCller"[..], "Müller"), ("Müller".as_bytes(), "Müller")] {
        let mut body = joined(&[HEAD, RF1, RP, RT]);
        body.extend_from_slice(b"PID|1||7||");
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"^Jo||19700101\r");
        let record = read_bytes(&body).outcome.record.unwrap();
        assert_eq!(record.patient.name.family.as_deref(), Some(name));
        assert!(has(&record, "charset-guess"));
    }
}

#[test]
fn quirk_1_06_delimiters_of_the_senders_own() {
    let body = "MSH|^_\\&|EHR|CEDAR|LOOP|DESK|20261120||REF^I12|C1|P|2.4\rRF1|P|R||||REF-1\r\
                PRD|RT_IR|Ames^Dora\rPRD|RP|Phillips^Jesus\rPID|1||7^^^CEDAR^MR_8^^^STATE^HC||Lee^Leslie||19341101\r";
    let record = read_bytes(body.as_bytes()).outcome.record.unwrap();
    assert_eq!(record.patient.identifiers.len(), 2);
    let short = format!("{}\r{RF1}\r{RP}\r{RT}\r{PID}\r", HEAD.replace("^~\\&", "^~\\"));
    assert!(has(&read_bytes(short.as_bytes()).outcome.record.unwrap(), "short-msh-2"));
}

#[test]
fn quirk_1_07_escapes_and_unescaped_delimiters_in_text() {
    let nte = "NTE|1||one\\.br\\\\.br\\two~C:\\scans\\new & more \\T\\ done";
    assert_eq!(record(&[HEAD, RF1, RP, RT, PID, nte]).notes, ["one\n\ntwo\nC:\\scans\\new & more & done"]);
}

#[test]
fn quirk_1_08_names_and_types_in_lower_case() {
    let head = HEAD.replace("REF^I12^REF_I12", "ref^i12");
    let pid = PID.replace("PID", "Pid");
    assert_eq!(record(&[&head, RF1, RP, RT, &pid]).patient.sex, Some(Sex::F));
}

#[test]
fn quirk_1_09_a_wrong_structure_id_does_not_matter_and_i11_is_refused() {
    let head = HEAD.replace("REF^I12^REF_I12", "REF^I14^REF_I14");
    assert_eq!(read(&[&head, RF1, RP, RT, PID]).outcome.event, Some(Event::Cancel));
    assert_eq!(refused(&[&HEAD.replace("I12", "I11"), RF1, RP, RT, PID]), "AR 201 MSH^1^9^1^2");
}

#[test]
fn quirk_1_10_versions_are_a_hint() {
    for version in ["2.4^NZL^1.0", "2.9", "2.2", "2.3", "2.12", ""] {
        record(&[&HEAD.replace("2.5.1", version), RF1, RP, RT, PID]);
    }
    for version in ["3", "1", "v2"] {
        assert_eq!(refused(&[&HEAD.replace("2.5.1", version), RF1, RP, RT, PID]), "AR 203 MSH^1^12");
    }
}

#[test]
fn quirk_1_12_an_empty_processing_id_is_production() {
    let record = record(&[&HEAD.replace("|P|2.5.1", "||2.5.1"), RF1, RP, RT, PID]);
    assert!(has(&record, "processing-id-missing"));
}

#[test]
fn quirk_1_13_impossible_and_placeholder_birth_dates_are_unknown() {
    for (date, code) in [("19761325", "date-unreadable"), ("00000000", "date-unreadable"), ("19000101", "birth-date-placeholder")]
    {
        let record = record(&[HEAD, RF1, RP, RT, &PID.replace("19341101", date)]);
        assert!(record.patient.birth_date.is_none() && has(&record, code));
        assert_eq!(record.review, ["patient.birth_date"]);
        assert_eq!(record.held, [HeldReason::BlockingField]);
    }
    let partial = record(&[HEAD, RF1, RP, RT, &PID.replace("19341101", "193411")]);
    assert_eq!(partial.patient.birth_date.unwrap().as_str(), "1934-11");
    assert_eq!(partial.review, ["patient.birth_date"]);
}

#[test]
fn quirk_1_14_a_time_without_a_zone_takes_the_senders() {
    let rules = Hl7Rules { time_zone: "America/Los_Angeles".to_owned(), ..Hl7Rules::default() };
    let body = joined(&[HEAD, &RF1.replace("20261120", "20261120101500"), RP, RT, PID]);
    let record = normalize(&body, &rules).unwrap().outcome.record.unwrap();
    assert_eq!(record.authored_at.unwrap().as_str(), "2026-11-20T10:15:00-08:00");
}

#[test]
fn quirk_1_15_segments_nobody_expects_are_passed_over() {
    let record = record(&[HEAD, "EVN|I12|2026", RF1, "ZRF|x|y", RP, RT, "PD1|1", PID, "IAM|1", "Z01|&&&|^^^"]);
    assert!(record.problems.is_empty());
}

#[test]
fn quirk_1_16_segments_in_any_order_and_a_second_pid_of_the_same_patient() {
    let record = record(&[HEAD, PID, "NTE|1||early", RP, "OBX|1|ST|8867-4^Heart rate^LN||104|/min", RT, RF1, "PID|2||7"]);
    assert_eq!(record.identifiers.placer.as_ref().unwrap().value, "REF-1");
    assert_eq!(record.notes, ["early", "Heart rate: 104 /min"]);
    assert!(has(&record, "pid-twice"));
}

#[test]
fn quirk_1_17_the_number_of_the_referral_is_found_where_it_is() {
    let found = |rf1: &str, more: &str| {
        let identifiers = record(&[HEAD, rf1, RP, RT, PID, more]).identifiers.placer.unwrap();
        (identifiers.value, identifiers.found_in.unwrap())
    };
    let pair = |value: &str, place: &str| (value.to_owned(), place.to_owned());
    assert_eq!(found("RF1|P|R||||^^REF001", "OBR|1|ORD-1"), pair("REF001", "RF1-6"));
    assert_eq!(found("RF1|P|R", "OBR|1|ORD-1^GP"), pair("ORD-1", "OBR-2"));
    assert_eq!(found("RF1|P|R||||20250107143000", "ORC|NW|ORD-2"), pair("ORD-2", "ORC-2"));
    assert_eq!(found("RF1|P|R|||||||VC-1", "OBR|1"), pair("VC-1", "RF1-9"));
    assert_eq!(found("RF1|P|R|||||||DOC345^Silva^Fernando", "OBR|1||LAB-1"), pair("LAB-1", "OBR-3"));
    assert_eq!(found("RF1|P|R||||${env.ID}|||||NZ-1", "OBR|1"), pair("NZ-1", "RF1-11"));
    let (value, place) = found("RF1|P|R||||20250107", "OBR|1");
    assert!(value.starts_with("SYN-") && place == "synthetic");
}

#[test]
fn quirk_1_18_an_unknown_priority_is_never_routine() {
    for (code, expected) in
        [("S^STAT", Priority::Stat), ("URGENT", Priority::Urgent), ("2WW", Priority::Urgent), ("r", Priority::Routine)]
    {
        assert_eq!(record(&[HEAD, &RF1.replace("A^ASAP", code), RP, RT, PID]).priority, expected);
    }
    for code in ["N", ""] {
        let record = record(&[HEAD, &RF1.replace("A^ASAP", code), RP, RT, PID]);
        assert_eq!(record.priority, Priority::Unknown);
        assert_eq!(record.review, ["priority"]);
        assert!(record.held.is_empty());
    }
}

#[test]
fn quirk_1_19_roles_and_columns_of_providers_slip() {
    let both = record(&[HEAD, RF1, "PRD|RT~IR|Ames^Dora", "PRD|AP|Phillips^Jesus", PID]);
    assert_eq!(both.referring.name.family.as_deref(), Some("Phillips"));
    assert_eq!(both.referred_to.name.family.as_deref(), Some("Ames"));
    let target = record(&[HEAD, RF1, RP, "PRD|CP|Ames^Dora", PID]);
    assert_eq!(target.referred_to.name.family.as_deref(), Some("Ames"));
    let twice = record(&[HEAD, RF1, RP, "PRD|RP|Ames^Dora", PID]);
    assert_eq!(twice.referred_to.name.family.as_deref(), Some("Ames"));
    assert!(twice.review.contains(&"referred_to.name.family".to_owned()));
    let shifted = "PRD|RP|Healy^Tadhg||Green Park^^Kilkenny^^R95|^^GREENPK|^PRN^PH^^^^^^^(585)9256511|1783266160";
    let shifted = record(&[HEAD, RF1, shifted, RT, PID]);
    assert_eq!(shifted.referring.address.city.as_deref(), Some("Kilkenny"));
    assert_eq!(shifted.referring.phones[0].number, "+15859256511");
    assert_eq!(shifted.referring.npi.as_deref(), Some("1783266160"));
    let none = record(&[HEAD, RF1, PID, "PV1|1|O|||||77^Ward^Ann|88^Hale^Tom"]);
    assert_eq!(none.referring.name.family.as_deref(), Some("Hale"));
    assert_eq!(none.referred_to.organization.as_deref(), Some("DESK"));
    let specialty = record(&[HEAD, RF1, RP, "PRD|RT|CARDIOLOGIST", PID]);
    assert_eq!(specialty.referred_to.specialty.as_deref(), Some("CARDIOLOGIST"));
}

#[test]
fn quirk_1_20_patient_numbers_phones_and_addresses_in_every_place() {
    let pid = "PID||9^^^OLD|333^^^^^^^^^BC~44^^^NHS^NHS||Lee^Leslie||19341101|2||||| (415) 253-7700^^CP~test@example.org^^^EMAIL||||||123456789";
    let patient = record(&[HEAD, RF1, RP, RT, pid]).patient;
    let numbers: Vec<_> = patient.identifiers.iter().map(|id| (id.value.as_str(), id.authority.as_deref())).collect();
    assert_eq!(numbers, [("333", Some("BC")), ("44", Some("NHS")), ("9", Some("OLD")), ("123456789", None)]);
    assert_eq!(patient.phones[0].number, "+14152537700");
    assert_eq!(patient.emails, ["test@example.org"]);
    assert_eq!(patient.sex, Some(Sex::F));
}

#[test]
fn quirk_1_21_embedded_documents_in_their_broken_forms() {
    let pdf = b"%PDF-1.4 \xFF\xFE\xFA tiny";
    let plain = data_encoding::BASE64.encode(pdf);
    let broken = format!("{}\\.br\\{} {}", plain.get(..8).unwrap(), plain.get(8..16).unwrap(), plain.get(16..).unwrap());
    let url = data_encoding::BASE64URL_NOPAD.encode(pdf);
    let uri = format!("data:application/pdf;base64,{plain}");
    let halves = format!("{}~^^^^{}", plain.get(..12).unwrap(), plain.get(12..).unwrap());
    for data in [plain.as_str(), &broken, &url, &uri, &halves] {
        let obx = format!("OBX|1|ED|PDF^Echo report^L||^application^pdf^Base64^{data}||||||F");
        let outcome = read(&[HEAD, RF1, RP, RT, PID, &obx]).outcome;
        let attachment = &outcome.record.as_ref().unwrap().attachments[0];
        assert_eq!((attachment.media_type.as_str(), attachment.bytes), ("application/pdf", pdf.len() as u64), "{data}");
        assert_eq!(attachment.name.as_deref(), Some("Echo-report.pdf"));
        assert_eq!(&outcome.contents[0][..], pdf);
    }
    let rtf = record(&[HEAD, RF1, RP, RT, PID, "OBX|1|FT|L^Letter^L||{\\rtf1\\ansi Dear\\par}"]);
    assert_eq!(rtf.attachments[0].media_type, "application/rtf");
    let unescaped = "OBX|1|XX|L^Letter^L||^TEXT^HTML^Base64^PHA+SGVsbG8uPC9wPg==";
    assert_eq!(record(&[HEAD, RF1, RP, RT, PID, unescaped]).attachments[0].media_type, "text/html");
}

#[test]
fn quirk_1_22_an_empty_observation_is_noted() {
    assert!(has(&record(&[HEAD, RF1, RP, RT, PID, "OBX|1|ST|8867-4^Heart rate^LN||"]), "obx-empty"));
}

#[test]
fn quirk_1_23_a_discharge_summary_is_a_document() {
    let copy = "PRD|PP|Grealish^Emer";
    let summary = "OBX|1|FT|18842-5^Discharge summary^LN||Admitted with chest pain.";
    let read = read(&[HEAD, RP, copy, PID, summary]);
    assert_eq!((read.outcome.kind, read.refusal), (Kind::Document, None));
    assert_eq!(read.outcome.event, None);
    record(&[HEAD, RP, RT, PID, summary]);
    record(&[HEAD, RP, copy, PID, &format!("OBR|1{}^Please see", "|".repeat(30))]);
}

#[test]
fn quirk_1_24_answers_that_quote_little() {
    let head = HEAD.replace("REF^I12^REF_I12", "RRI^I12^RRI_I12");
    let reference = Reference::generate();
    let quoted = read(&[&head, "MSA|AA|X1", &format!("RF1|A|R||||REF-9|||||{reference}"), RT, PID]);
    assert_eq!(quoted.outcome.kind, Kind::Reply);
    let reply = quoted.outcome.reply.unwrap();
    assert_eq!((reply.outcome, reply.reference.as_deref()), (ReplyOutcome::Accepted, Some(reference.as_str())));
    let silent = read(&[&head, "RF1|R|R", RT, PID, "OBR|1|GP-1", "NTE|1||No capacity."]);
    let reply = silent.outcome.reply.unwrap();
    assert_eq!((reply.outcome, reply.reason.as_deref()), (ReplyOutcome::Declined, Some("No capacity.")));
    assert_eq!(silent.referral_keys, ["referral|DESK||GP-1", "referral|CEDAR||GP-1"]);
    let report = read(&[&head, "RF1|A|R", RT, PID, "OBR|1|GP-1||11488-4^Consult note^LN", "OBX|1|FT|11488-4||Seen today."]);
    assert_eq!(report.outcome.kind, Kind::Report);
    let odd = read(&[&head, "MSA|AA|X1", "RF1|C^Cancelled|R||||REF-9", RT, PID]);
    assert_eq!(odd.outcome.reply.unwrap().outcome, ReplyOutcome::Unclear);
}

#[test]
fn quirk_1_25_an_acknowledgement_is_told_from_a_message() {
    for kind in ["ACK^I12^ACK", "ACK", "MCF"] {
        let read = read(&[&HEAD.replace("REF^I12^REF_I12", kind), "MSA|AA|X1"]);
        assert_eq!((read.outcome.kind, read.refusal), (Kind::Acknowledgement, None));
        assert!(read.header.is_acknowledgement());
    }
}

#[test]
fn quirk_1_29_blanks_and_delete_marks_are_not_values() {
    let record = record(&[HEAD, RF1, RP, RT, "PID|1||7||  Lee ^\"\"^\"\"\"\"||19341101"]);
    assert_eq!(record.patient.name.family.as_deref(), Some("Lee"));
    assert_eq!((record.patient.name.given, record.patient.name.middle), (None, None));
    assert_eq!(record.review, ["patient.name.given"]);
}

#[test]
fn quirk_1_30_long_and_many_fields_are_passed_over() {
    let pid = format!("{PID}{}", "|".repeat(150));
    let nte = format!("NTE|1||{}", "x".repeat(70_000));
    assert_eq!(record(&[HEAD, RF1, RP, RT, &pid, &nte]).notes[0].len(), 70_000);
}

#[test]
fn quirk_1_31_unresolved_template_text_is_no_number() {
    let record = record(&[HEAD, &RF1.replace("REF-1^CEDAR", "${referral.id}"), RP, RT, PID, "OBR|1|ORD-1"]);
    assert_eq!(record.identifiers.placer.unwrap().value, "ORD-1");
}

// Section 2: refuse.

#[test]
fn quirk_2_what_is_no_hl7_has_nobody_to_answer() {
    for body in [&b"hello"[..], b"", b"<REF_I12/>", b"FHS|^~\\&|A", b"MSH"] {
        assert!(normalize(body, &Hl7Rules::default()).is_err());
    }
}

#[test]
fn quirk_2_types_events_versions_and_processing_ids_that_are_not_taken() {
    assert_eq!(refused(&[&HEAD.replace("REF^I12^REF_I12", "ADT^A04"), PID]), "AR 200 MSH^1^9^1^1");
    assert_eq!(refused(&[&HEAD.replace("REF^I12^REF_I12", ""), PID]), "AR 200 MSH^1^9^1^1");
    assert_eq!(refused(&[&HEAD.replace("I12^REF_I12", "I16"), PID]), "AR 201 MSH^1^9^1^2");
    assert_eq!(refused(&[&HEAD.replace("|P|2", "|T|2"), RF1, RP, RT, PID]), "AR 202 MSH^1^11");
}

#[test]
fn quirk_2_a_sender_that_is_not_configured() {
    let rules = |sender: &str| Hl7Rules { senders: vec![sender.to_owned()], ..Hl7Rules::default() };
    let body = joined(&[HEAD, RF1, RP, RT, PID]);
    assert!(normalize(&body, &rules("EHR|CEDAR")).unwrap().refusal.is_none());
    let refusal = normalize(&body, &rules("EHR|BIRCH")).unwrap().refusal.unwrap();
    assert_eq!((refusal.level, refusal.code), (RefusalLevel::Reject, 207));
}

#[test]
fn quirk_2_no_patient_and_two_patients() {
    assert_eq!(refused(&[HEAD]), "AE 101 PID");
    assert_eq!(refused(&[HEAD, RF1, RP, RT, "PID|1"]), "AE 101 PID");
    assert_eq!(refused(&[HEAD, RF1, RP, RT, PID, "PID|2||8^^^CEDAR^MR||Marsh^Tobias"]), "AE 198 PID^2");
    assert_eq!(refused(&[HEAD, RF1, RP, RT, PID, "PID|2||||Marsh^Tobias"]), "AE 198 PID^2");
}

#[test]
fn quirk_2_a_referral_without_a_number_is_taken_with_a_warning() {
    let read = read(&[HEAD, "RF1|P|R", RP, RT, PID]);
    assert!(read.refusal.is_none());
    assert_eq!(read.warnings[0].code, 101);
    assert_eq!(read.warnings[0].location, "RF1^1^6");
}

#[test]
fn quirk_2_too_large_is_refused_with_104() {
    let rules = Hl7Rules { limits: ReadLimits { message_bytes_max: 300, delimiters_max: 1_000 }, ..Hl7Rules::default() };
    let body = joined(&[HEAD, RF1, RP, RT, PID]);
    assert_eq!(normalize(&body, &rules).unwrap().refusal.unwrap().code, 104);
}

#[test]
fn quirk_2_a_document_that_does_not_decode_is_left_out_with_a_warning() {
    let read = read(&[HEAD, RF1, RP, RT, PID, "OBX|1|ED|PDF^Echo^L||^application^pdf^Base64^%%%"]);
    assert!(read.refusal.is_none());
    assert_eq!((read.warnings[0].code, read.warnings[0].location.as_str()), (102, "OBX^1^5"));
    assert!(read.outcome.record.unwrap().attachments.is_empty());
}

#[test]
fn quirk_2_wide_characters_and_fragments() {
    let wide: Vec<u8> = HEAD.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(normalize(&wide, &Hl7Rules::default()).err(), Some(NotHl7(Unreadable::WideCharacters)));
    assert_eq!(refused(&[&format!("{HEAD}||PART2"), RF1, RP, RT, PID]), "AR 207 MSH^1^14");
}

#[test]
fn quirk_2_a_deceased_patient_is_held() {
    let record = record(&[HEAD, RF1, RP, RT, &format!("{PID}|||||||||||||||||Y")]);
    assert_eq!(record.patient.deceased, Some(true));
    assert_eq!(record.held, [HeldReason::Deceased]);
}

// Section 3: duplicates.

#[test]
fn quirk_3_a_retry_has_the_same_key_and_other_content_another() {
    let key = |lines: &[&str]| read(lines).repeat_key;
    let first = key(&[HEAD, RF1, RP, RT, PID]);
    let later = HEAD.replace("20261120101500-0800", "20261120102200-0800").replace("2.5.1", "2.5.1|17");
    assert_eq!(
        key(&[&later, RF1, RP, RT, PID]).rsplit('|').next(),
        key(&[&HEAD.replace("2.5.1", "2.5.1|3"), RF1, RP, RT, PID]).rsplit('|').next()
    );
    assert_eq!(key(&[&HEAD.replace("1015", "1022"), RF1, RP, RT, PID]), first);
    assert_ne!(key(&[HEAD, RF1, RP, RT, &PID.replace("Elm", "Oak")]), first);
    assert_ne!(key(&[&HEAD.replace("C1", "C2"), RF1, RP, RT, PID]), first);
    assert_ne!(key(&[&HEAD.replace("CEDAR", "BIRCH"), RF1, RP, RT, PID]), first);
}

#[test]
fn quirk_3_an_empty_control_id_has_no_key_of_its_own() {
    assert_eq!(read(&[HEAD, RF1, RP, RT, PID]).control_key.as_deref(), Some("hl7-control|EHR|CEDAR|C1"));
    assert_eq!(read(&[&HEAD.replace("C1", ""), RF1, RP, RT, PID]).control_key, None);
}

// Section 4: identity.

#[test]
fn quirk_4_events_of_one_referral_have_one_key() {
    let keys: Vec<_> = ["I12", "I13", "I14", "I15"]
        .iter()
        .map(|event| read(&[&HEAD.replace("REF^I12^REF_I12", &format!("REF^{event}")), RF1, RP, RT, PID]))
        .map(|read| (read.referral_keys, read.outcome.event.unwrap()))
        .collect();
    let one = vec!["referral|CEDAR|CEDAR|REF-1".to_owned()];
    let events = [Event::New, Event::Change, Event::Cancel, Event::StatusRequest];
    assert_eq!(keys, events.map(|event| (one.clone(), event)));
}

#[test]
fn quirk_4_a_derived_number_is_stable_and_flagged() {
    let first = record(&[HEAD, RP, RT, PID, "NTE|1||Palpitations"]);
    let again = record(&[&HEAD.replace("C1", "C2"), RP, RT, PID, "NTE|1||Palpitations"]);
    let other = record(&[HEAD, RP, RT, PID, "NTE|1||Knee pain"]);
    let value = |record: &Record| record.identifiers.placer.as_ref().unwrap().value.clone();
    assert_eq!(value(&first), value(&again));
    assert_ne!(value(&first), value(&other));
    assert!(has(&first, "referral-id-synthetic"));
}

#[test]
fn quirk_4_our_own_number_coming_back_is_recognised() {
    let reference = Reference::generate();
    let head = HEAD.replace("REF^I12^REF_I12", "REF^I13");
    let read = read(&[&head, &format!("RF1|P|R||||REF-1|||||{reference}^LOOPLINE"), RP, RT, PID]);
    assert_eq!(read.reference, Some(reference));
}

#[test]
fn no_problem_warning_or_refusal_repeats_what_the_message_says_of_the_patient() {
    let pid = "PID|1||CANARY1^^^CANARY2^MR||CANARY3^CANARY4||CANARY5|CANARY6|||CANARY7||CANARY8 12345";
    let obx = "OBX|1|ED|CANARY9^CANARY10||^x^pdf^Base64^CANARY%11";
    let read = read(&[HEAD, "RF1|P|CANARY12|||||CANARY13|CANARY14", "PRD|RP|CANARY15ology||||||CANARY16^NPI", pid, obx]);
    let record = read.outcome.record.as_ref().unwrap();
    assert!(record.problems.len() > 5);
    for problem in &record.problems {
        assert!(!format!("{problem:?}").contains("CANARY"), "{problem:?}");
    }
    assert!(!format!("{:?}{record:?}{:?}", read.warnings, read.header).contains("CANARY"));
}

#[test]
fn the_shipped_samples_are_what_their_names_say() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/st-mary-mllp");
    let kind = |name: &str| read_bytes(&std::fs::read(folder.join(name)).unwrap()).outcome;
    for name in ["referral.hl7", "referral-lf.hl7", "referral-2-3-without-rf1.hl7", "referral-with-pdf.hl7"] {
        let outcome = kind(name);
        assert_eq!((outcome.kind, outcome.event), (Kind::Referral, Some(Event::New)), "{name}");
        assert!(outcome.record.unwrap().held.is_empty(), "{name}");
    }
    assert!(kind("referral.hl7").record.unwrap().review.is_empty());
    assert_eq!(kind("referral-with-pdf.hl7").contents.len(), 1);
    assert_eq!(kind("cancel.hl7").event, Some(Event::Cancel));
    assert_eq!(kind("broken-no-patient.hl7").kind, Kind::Refused);
}

mod arbitrary {
    use proptest::prelude::*;

    use super::super::{Hl7Rules, normalize};
    use crate::compose::hl7_answer::{AnswerSettings, preview};

    proptest! {
        #[test]
        fn no_bytes_panic(
            segments in prop::collection::vec("(PID|PRD|RF1|OBR|OBX|NTE|DG1|IN1|AUT|PV1)\\|[A-Z0-9|^~&\\\\é .+-]{0,80}", 0..10),
            kind in "(REF|RRI|ACK|ADT)\\^I1[1-6]",
            tail in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            let mut body = format!("MSH|^~\\&|A|B|C|D|20261120||{kind}|1|P|2.5\r{}\r", segments.join("\r")).into_bytes();
            body.extend(tail);
            let read = normalize(&body, &Hl7Rules::default()).unwrap();
            let answered = preview(&read, &AnswerSettings::default()).is_some();
            prop_assert!(answered != (kind.starts_with("ACK")));
        }
    }
}
