//! Section 1: accepted, and noted.

use super::*;
use crate::referral::{HeldReason, ReplyOutcome, Sex};

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
fn quirk_1_05_character_sets_that_are_declared_wrongly() {
    for (declared, bytes, name) in [
        ("UNICODE UTF-8", &b"M\xFCller"[..], "Müller"),
        ("8859/1", "Müller".as_bytes(), "Müller"),
        ("8859/1", b"O\x92Brien", "O’Brien"),
        ("KLINGON", b"M\xFCller", "Müller"),
        ("8859/2", b"\xA3\xF3d\xBC", "Łódź"),
    ] {
        let mut body = format!("{HEAD}||||||{declared}\r{RF1}\r{RP}\r{RT}\rPID|1||7||").into_bytes();
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"^Jo||19700101\r");
        assert_eq!(read_bytes(&body).outcome.record.unwrap().patient.name.family.as_deref(), Some(name), "{declared}");
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
fn quirk_1_07_an_escape_that_means_nothing_is_kept_and_noted() {
    let unknown = record(&[HEAD, RF1, RP, RT, PID, "NTE|1||before \\Zloc\\ after"]);
    assert_eq!(unknown.notes, ["before \\Zloc\\ after"]);
    assert!(has(&unknown, "escape-unknown"));
    let known = record(&[HEAD, RF1, RP, RT, PID, "NTE|1||one\\.br\\two \\T\\ three \\ alone"]);
    assert!(!has(&known, "escape-unknown"));
}

#[test]
fn quirk_1_08_names_and_types_in_lower_case() {
    let head = HEAD.replace("REF^I12^REF_I12", "ref^i12");
    let pid = PID.replace("PID", "Pid");
    let record = record(&[&head, &RF1.replace("A^ASAP", "s^stat"), &RP.replace("|RP|", "|rp|"), RT, &pid.replace("|F|", "|f|")]);
    assert_eq!((record.patient.sex, record.priority), (Some(Sex::F), Priority::Stat));
    assert_eq!(record.referring.name.family.as_deref(), Some("Phillips"));
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
fn a_birth_date_of_nobody_alive_and_a_name_of_nobody_are_marked() {
    let rules = Hl7Rules { received_at: "2026-11-21T10:00:00Z".parse().unwrap(), ..Hl7Rules::default() };
    for (birth, code) in [("18501231", "birth-date-too-old"), ("20270101", "birth-date-in-future")] {
        let message = joined(&[HEAD, RF1, RP, RT, &PID.replace("19341101", birth)]);
        let record = normalize(&message, &rules).unwrap().outcome.record.unwrap();
        assert!(has(&record, code), "{record:?}");
        assert_eq!(record.review, ["patient.birth_date"]);
    }
    let nobody = record(&[HEAD, RF1, RP, RT, &PID.replace("Lee^Leslie", "UNKNOWN^UNKNOWN")]);
    assert!(has(&nobody, "name-placeholder"), "{nobody:?}");
    assert_eq!(nobody.held, [HeldReason::BlockingField]);
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
fn quirk_1_13_times_of_every_precision_are_kept_as_they_are() {
    for (sent, expected) in [
        ("20261120", "2026-11-20"),
        ("202611201015", "2026-11-20T10:15+00:00"),
        ("20261120101500.123+0000", "2026-11-20T10:15:00+00:00"),
        ("2026", "2026"),
    ] {
        let record = record(&[HEAD, &RF1.replace("20261120", sent), RP, RT, PID]);
        assert_eq!(record.authored_at.unwrap().as_str(), expected);
    }
    let bad = read(&[HEAD, &RF1.replace("20261120", "20261345"), RP, RT, PID]);
    assert_eq!((bad.warnings[0].code, bad.warnings[0].location.as_str()), (102, "RF1^1^7"));
    assert_eq!(bad.outcome.record.unwrap().authored_at, None);
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
fn quirk_1_19_a_name_with_its_number_is_found_in_another_column() {
    let slipped =
        "PRD|PP^Primary Care Provider||^^^Harbour Road Medical Centre^^C||DOC2030415^Healy^Tadhg^^^Dr.^MD^^^GMS&GMS&L^IHPI";
    let read = record(&[HEAD, RF1, slipped, "PRD|RT|77123^Ames^Dora^^^Dr", PID]);
    let referring = &read.referring;
    assert_eq!((referring.name.family.as_deref(), referring.name.given.as_deref()), (Some("Healy"), Some("Tadhg")));
    assert_eq!(referring.name.prefix.as_deref(), Some("Dr."));
    assert_eq!(referring.organization.as_deref(), Some("Harbour Road Medical Centre"));
    assert_eq!((referring.address.state.as_deref(), referring.address.country.as_deref()), (None, None));
    let number = &referring.identifiers[0];
    assert_eq!((number.value.as_str(), number.authority.as_deref()), ("DOC2030415", Some("GMS")));
    assert!(referring.phones.is_empty(), "the number is no phone");
    for path in ["referring.name.family", "referring.organization", "referred_to.name.family"] {
        assert!(read.review.contains(&path.to_owned()), "{path}: {:?}", read.review);
    }
    assert_eq!(read.evidence["referring.name.family"].location.as_deref(), Some("PRD^1^5"));
    assert_eq!(read.referred_to.name.given.as_deref(), Some("Dora"));
    // Phones, numbers and codes are no names.
    for prd in ["PRD|RT|||^^^Lake Clinic|(503) 555-0143^Work^Main", "PRD|RT|||^^^Lake Clinic|||1234567A^AUSHICPR^UPIN"] {
        assert_eq!(record(&[HEAD, RF1, RP, prd, PID]).referred_to.name.family, None, "{prd}");
    }
}

#[test]
fn quirk_1_20_an_address_behind_an_empty_one_is_found() {
    let pid = PID.replace("12 Elm St^^Portland", "^^^^^^BDL~12 Elm St^^Portland");
    assert_eq!(record(&[HEAD, RF1, RP, RT, &pid]).patient.address.city.as_deref(), Some("Portland"));
    let born = PID.replace("12 Elm St^^Portland", "^^Salem^OR^^^BDL~12 Elm St^^Portland");
    assert_eq!(record(&[HEAD, RF1, RP, RT, &born]).patient.address.city.as_deref(), Some("Portland"), "where the patient lives");
    let name = PID.replace("Lee^Leslie", "~Lee^Leslie");
    assert_eq!(record(&[HEAD, RF1, RP, RT, &name]).patient.name.family.as_deref(), Some("Lee"));
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
    let reply = silent.outcome.reply.as_ref().unwrap();
    assert_eq!((reply.outcome, reply.reason.as_deref()), (ReplyOutcome::Declined, Some("No capacity.")));
    let expected = ["ei|desk||gp-1", "ei|cedar||gp-1+", "referral|DESK||GP-1", "referral|CEDAR||GP-1", "bare gp-1"];
    assert_eq!(keys(&silent), expected);
    let report = read(&[&head, "RF1|A|R", RT, PID, "OBR|1|GP-1||11488-4^Consult note^LN", "OBX|1|FT|11488-4||Seen today."]);
    assert_eq!(report.outcome.kind, Kind::Report);
    let odd = read(&[&head, "MSA|AA|X1", "RF1|C^Cancelled|R||||REF-9", RT, PID]);
    assert_eq!(odd.outcome.reply.unwrap().outcome, ReplyOutcome::Unclear);
}

#[test]
fn quirk_1_24_what_slipped_in_an_answer_is_marked_and_so_is_an_appointment_in_words() {
    let head = HEAD.replace("REF^I12^REF_I12", "RRI^I12^RRI_I12");
    let slipped = "PRD|RT^Referred to Provider||^^^HARBOUR NEUROLOGY^^C||DOC217^Okafor^Ada^^^Prof.^MD";
    let note = "NTE|1||Referral accepted. Appointment date: 20/10/2026 at 14:00. Attend fasting.";
    let read = read(&[&head, "MSA|AA|X1", slipped, PID, "RF1|A^Accepted^HL70283|R||||REF-9", note]);
    assert_eq!(read.outcome.reply.unwrap().outcome, ReplyOutcome::Accepted);
    let record = read.outcome.record.unwrap();
    assert_eq!(record.referred_to.name.family.as_deref(), Some("Okafor"));
    assert_eq!(record.referred_to.organization.as_deref(), Some("HARBOUR NEUROLOGY"));
    assert_eq!(record.referred_to.address.state, None);
    for path in ["referred_to.name.family", "referred_to.organization", "appointment.at"] {
        assert!(record.review.contains(&path.to_owned()), "{path}: {:?}", record.review);
    }
    assert!(has(&record, "appointment-in-words"));
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

#[test]
fn a_field_repeated_without_end_is_read_up_to_a_limit() {
    let pid = format!("{PID}{}", "~555-0100".repeat(20_000));
    let record = record(&[HEAD, RF1, RP, RT, &pid]);
    assert!(record.patient.phones.len() <= 50);
}

#[test]
fn quirk_1_18_a_status_that_is_foreign_is_no_matter_of_a_new_referral() {
    for status in ["", "C^Cancelled^Local", "I", "O"] {
        assert!(record(&[HEAD, &RF1.replacen("|P|", &format!("|{status}|"), 1), RP, RT, PID]).held.is_empty());
    }
}

#[test]
fn quirk_1_26_errors_of_any_shape_in_an_answer_leave_it_to_a_person() {
    let head = HEAD.replace("REF^I12^REF_I12", "RRI^I12");
    for err in ["ERR|PID^1^3^101&Required&HL70357", "ERR||PID^1^3|101|E", "ERR||||101^Required"] {
        let read = read(&[&head, "MSA|AE|X1", err, "RF1|A|R||||REF-9", RT, PID]);
        assert_eq!(read.outcome.reply.unwrap().outcome, ReplyOutcome::Unclear);
    }
    assert_eq!(
        read(&[&HEAD.replace("REF^I12^REF_I12", "ACK"), "MSA|AE|X1", "ERR|PID^1^3|||101"]).outcome.kind,
        Kind::Acknowledgement
    );
}

#[test]
fn quirk_1_11_an_empty_control_id_is_noted() {
    assert!(has(&record(&[&HEAD.replace("|C1|", "||"), RF1, RP, RT, PID]), "control-id-missing"));
}
