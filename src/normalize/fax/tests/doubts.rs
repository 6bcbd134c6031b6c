//! What a page says of others, says twice, or says of a patient who has died: it is marked or held, and never taken in silence.

use super::*;

const REST: &str = "\
Referring provider: Jesus Phillips, MD
NPI: 1783266160
Specialty: Neurology
Reason for referral: Migraine with aura, please evaluate
Priority: Routine";

/// A form that begins with these lines and goes on as others do.
fn form(lines: &str) -> Record {
    record(&format!("Referral Form\n\nPatient: Leslie Lee\nDOB: 11/01/1934\n{lines}\n{REST}"))
}

fn marks(record: &Record, path: &str) -> bool {
    record.review.iter().any(|marked| marked == path)
}

#[test]
fn the_specialty_of_whoever_refers_is_not_the_one_referred_to() {
    for labels in [
        ["From department", "To department"],
        ["Referring specialty", "Referred specialty"],
        ["Requesting department", "Department requested"],
        ["Sending department", "Department"],
    ] {
        let record = record(&format!(
            "Referral Form\n\n{}: Cardiology\n{}: Neurology\nPatient: Leslie Lee\nDOB: 11/01/1934\nPriority: Routine",
            labels[0], labels[1]
        ));
        assert_eq!(record.referred_to.specialty.as_deref(), Some("Neurology"), "{labels:?}");
        assert!(!marks(&record, "referred_to.specialty"), "{labels:?}");
    }
}

#[test]
fn a_title_that_says_from_where_asks_for_the_other_specialty() {
    let record = record("Referral from Cardiology to Neurology\n\nPatient: Leslie Lee\nDOB: 11/01/1934\nPriority: Routine");
    assert_eq!(record.referred_to.specialty.as_deref(), Some("Neurology"));
}

#[test]
fn the_title_of_a_form_is_no_label_of_a_specialty() {
    let record = record(
        "Specialty Referral Request\nForbesshire Medical Associates   Tel (571) 341-7378\n\nPatient: Leslie Lee\nDOB: 11/01/1934\nSpecialty: Neurology\nPriority: Routine",
    );
    assert_eq!(record.referred_to.specialty.as_deref(), Some("Neurology"));
    assert!(!marks(&record, "referred_to.specialty"));
}

#[test]
fn specialists_who_are_only_named_are_not_asked() {
    for label in [
        "Previous specialist",
        "Former specialist",
        "Prior specialist",
        "Past specialist",
        "Current specialist",
        "Earlier specialist",
        "Other providers",
        "Previously seen by",
        "Seen by",
        "Also sees",
    ] {
        for name in ["Harbor Heart Center", "Dr. Priya Raman", "Cardiology - Dr. Priya Raman"] {
            let record = form(&format!("{label}: {name}"));
            assert_eq!(record.referred_to.organization, None, "{label}");
            assert_eq!(record.referred_to.name.family, None, "{label}");
            assert_eq!(record.referred_to.specialty.as_deref(), Some("Neurology"), "{label}: {name}");
            assert_eq!(record.referring.name.family.as_deref(), Some("Phillips"), "{label}");
        }
    }
    assert_eq!(form("Specialist: Harbor Heart Center").referred_to.organization.as_deref(), Some("Harbor Heart Center"));
}

#[test]
fn a_patient_who_has_died_is_held() {
    for line in [
        "Note: Patient deceased 11/01/2026",
        "Deceased: Yes",
        "Deceased: [X] Yes [ ] No",
        "Deceased:   \u{2612} Yes   \u{2610} No",
        "Status:   \u{2610} Active   \u{2612} Deceased",
        "Date of death: 11/01/2026",
        "DECEASED",
        "Sex: F            Date of death            Language\n                  11/01/2026               English",
    ] {
        let record = form(line);
        assert_eq!(record.patient.deceased, Some(true), "{line}");
        assert_eq!(record.held, [HeldReason::Deceased], "{line}");
        assert!(record.problems.iter().any(|problem| problem.code == "patient-deceased"), "{line}");
        assert!(record.evidence.contains_key("patient.deceased"), "{line}");
    }
    for name in ["Leslie Lee (deceased 11/01/2026)", "Lee, Leslie (DECEASED)", "The late Leslie Lee"] {
        let record = record(&format!("Referral Form\n\nPatient Name: {name}\nDOB: 11/01/1934\n{REST}"));
        assert_eq!(self::name(&record), ("Lee", "Leslie"), "{name}");
        assert_eq!((record.patient.deceased, record.held), (Some(true), vec![HeldReason::Deceased]), "{name}");
    }
}

#[test]
fn a_relative_who_has_died_and_a_question_that_is_denied_hold_nothing() {
    for line in [
        "Deceased: No",
        "Deceased: [ ] Yes [X] No",
        "Deceased:   \u{2610} Yes   \u{2610} No",
        "Date of death:",
        "Family history: Father deceased, mother with migraine",
        "Emergency contact: Robin Lee\nSpouse: Robin Lee (deceased)",
        "Notes: Deceased donor kidney transplant in 2019",
        "Status:   \u{2612} Active   \u{2610} Deceased",
    ] {
        let record = form(line);
        assert_eq!((record.patient.deceased, record.held), (None, Vec::new()), "{line}");
    }
}

#[test]
fn two_birth_dates_behind_one_label_are_rivals() {
    for dates in [
        "07/19/1985 or 07/19/1958",
        "07/19/1985  07/19/1958 (corrected)",
        "07/19/1985 (07/19/1958 per insurance)",
        "07/19/1985 / 07/19/1958",
        "July 19, 1985 or July 19, 1958",
    ] {
        let record = record(&format!("Patient: Leslie Lee\nDOB: {dates}\n{REST}"));
        assert!(marks(&record, "patient.birth_date"), "{dates}");
        assert!(record.held.contains(&HeldReason::BlockingField), "{dates}");
        assert_eq!(record.evidence["patient.birth_date"].rivals.len(), 1, "{dates}");
    }
    let once = record(&format!("Patient: Leslie Lee\nDOB: 07/19/1985 (07/19/1985)     Date: 11/20/2026\n{REST}"));
    assert!(!marks(&once, "patient.birth_date"));
}

#[test]
fn an_age_that_does_not_fit_marks_the_birth_date() {
    let aged = |line: &str| form(line).review.contains(&"patient.birth_date".to_owned());
    for line in ["Age: 68", "Age: 68 years", "Sex: F     Age: 68 y", "Age: 6 mo"] {
        assert!(aged(line), "{line}");
    }
    for line in ["Age: 92", "Age: 91", "Age: 92 y", "Age:", "Emergency contact: Robin Lee\nAge: 68", "Age of onset 12"] {
        assert!(!aged(line), "{line}");
    }
    let beside = |text: &str| record(&format!("Patient: Leslie Lee\nDOB: {text}\n{REST}"));
    assert!(marks(&beside("11/01/1934 (68 y)"), "patient.birth_date"));
    assert!(!marks(&beside("11/01/1934 (92 y)"), "patient.birth_date"));
}

#[test]
fn two_numbers_or_names_behind_one_label_are_marked() {
    let of = |lines: &str| record(&format!("{lines}\nDOB: 11/01/1934\nSpecialty: Neurology\nPriority: Routine"));
    let named = "Patient: Leslie Lee";
    for (lines, path) in [
        (format!("{named}\nReferring provider: Jesus Phillips, MD\nNPI: 1783266160 or 2272887797"), "referring.npi"),
        (format!("{named}\nPatient phone: (415) 253-7700 or (415) 253-7711"), "patient.phones.0.number"),
        (format!("{named}\nPatient phone: (415) 253-7700 (son Peter)"), "patient.phones.0.number"),
        (format!("{named}\nPatient phone: (415) 253-7700 (Peter)"), "patient.phones.0.number"),
        ("Patient: Leslie Lee or Lester Lee".to_owned(), "patient.name.given"),
        ("Patient: Leslie Lee / Leslie Howard".to_owned(), "patient.name.family"),
        ("Patient name (last, first): LEE LESLIE".to_owned(), "patient.name.family"),
    ] {
        let record = of(&lines);
        assert!(marks(&record, path), "{lines}: {:?}", record.review);
    }
    for (lines, path) in [
        (format!("{named}\nPatient phone: (415) 253-7700 (Cell)"), "patient.phones.0.number"),
        (format!("{named}\nPatient phone: (415) 253-7700"), "patient.phones.0.number"),
        ("Patient name (last, first): LEE, LESLIE".to_owned(), "patient.name.family"),
        ("Patient: LESLIE LEE".to_owned(), "patient.name.family"),
    ] {
        let record = of(&lines);
        assert!(!marks(&record, path), "{lines}: {:?}", record.review);
    }
}

#[test]
fn what_a_pen_left_of_the_options_of_a_row_is_not_chosen() {
    for row in ["M    @)", "@)    F", "M   FX", "M F X", "Male      Female", "M       F"] {
        let record = form(&format!("Sex: {row}"));
        assert_eq!(record.patient.sex, None, "{row}");
        assert!(marks(&record, "patient.sex"), "{row}");
    }
    for row in ["Routine                    STAT", "Routine   Urgent   STAT", "Routine  (@    STAT", "@)    Urgent"] {
        let record = record(&format!("Patient: Leslie Lee\nDOB: 11/01/1934\nSpecialty: Neurology\nPriority: {row}"));
        assert_eq!((record.priority, record.held), (Priority::Unknown, vec![HeldReason::PriorityUnknown]), "{row}");
    }
}

#[test]
fn a_misread_label_on_somebody_elses_line_is_not_the_patients() {
    let record = record(
        "\
Patient Name: Lee, Leslie     DOB: 11/01/1934     Phone: (771) 229-9487
Emergency contact: Thelma Lee     Phonet: (683) 847-8605",
    );
    assert_eq!(record.patient.phones.iter().map(|phone| phone.number.as_str()).collect::<Vec<_>>(), ["+17712299487"]);
}

#[test]
fn a_sex_or_priority_that_is_printed_alone_is_taken() {
    use crate::referral::Sex;
    for row in ["F", "Female", "F     Age: 92", "Female     MRN: 5202708", "F, 92 y"] {
        let record = form(&format!("Sex: {row}"));
        assert_eq!(record.patient.sex, Some(Sex::F), "{row}");
        assert!(!marks(&record, "patient.sex"), "{row}");
    }
    for row in ["Urgent", "Urgent (within 2 weeks)", "Urgent - ASAP", "URGENT    Date: 11/20/2026"] {
        let record = record(&format!("Patient: Leslie Lee\nDOB: 11/01/1934\nSpecialty: Neurology\nPriority: {row}"));
        assert_eq!((record.priority, record.held), (Priority::Urgent, Vec::new()), "{row}");
        assert!(!record.review.contains(&"priority".to_owned()), "{row}");
    }
}

#[test]
fn a_blot_beside_the_only_option_that_was_read_is_doubt() {
    let mut page = page(1, &format!("Patient: Leslie Lee\nDOB: 11/01/1934\nSex: M   \u{a9}\n{REST}"));
    for word in page.words.iter_mut().filter(|word| word.text == "\u{a9}") {
        word.confidence = 0.2;
        word.bounds = [word.bounds[0], word.bounds[1] - 20, word.bounds[2] + 20, word.bounds[3] + 20];
    }
    let record = normalize(&Reading { pages: vec![page], problems: Vec::new() }, &rules()).record.unwrap();
    assert_eq!(record.patient.sex, None);
    assert!(marks(&record, "patient.sex"));
}

#[test]
fn the_patients_work_phone_in_a_grid_is_the_patients() {
    let record = record(
        "\
Referral to Specialist

SUBSCRIBER NAME          SUBSCRIBER DOB     RELATION TO PATIENT
Gerald Whitcombe         02/11/1949         Spouse

PATIENT NAME (LAST, FIRST)     PATIENT DOB     GENDER
Whitcombe, Rosalind            12/03/1951      Female

HOME PHONE             CELL               WORK PHONE
503-555-0144           503-555-0145       503-555-0146

PCP                    PCP NPI            PCP FAX
Dr. Alan Pruitt        1192847568         503-555-0177

REFERRING PROVIDER     NPI                FAX
Yolanda Baptiste NP    1783266160         503-555-0188

REFER TO               SPECIALTY          PRIORITY
Lakeview Digestive     Gastroenterology   Routine",
    );
    let numbers: Vec<_> = record.patient.phones.iter().map(|phone| phone.number.as_str()).collect();
    assert_eq!(numbers, ["+15035550144", "+15035550145", "+15035550146"]);
    let referrers: Vec<_> = record.referring.phones.iter().map(|phone| phone.number.as_str()).collect();
    assert_eq!(referrers, ["+15035550188"]);
}

#[test]
fn a_status_request_and_a_correction_are_held() {
    for line in [
        "STATUS REQUEST: has this referral been scheduled?",
        "CORRECTED REFERRAL - please disregard the fax of 11/01/2026",
        "UPDATED REFERRAL - replaces fax of 11/01/2026",
        "DUPLICATE COPY - referral already sent 11/01/2026",
    ] {
        let record = record(&format!("Referral Form\n{line}\nPatient: Leslie Lee\nDOB: 11/01/1934\n{REST}"));
        assert_eq!(record.held, [HeldReason::OtherMatter], "{line}");
    }
}

#[test]
fn a_given_name_that_an_initial_may_have_run_into_is_marked() {
    for (printed, marked) in [("MIGUELA", true), ("MIGUEL A", false), ("MIGUEL", false), ("Miguela", false), ("XANDRIA", false)] {
        let record = record(&format!("Referral Form\n\nPatient Name: DE LA ROSA, {printed}\nDOB: 11/01/1934\n{REST}"));
        assert_eq!(marks(&record, "patient.name.given"), marked, "{printed}");
    }
}

#[test]
fn a_payer_is_never_replaced_by_one_that_only_begins_alike() {
    let record = record("Patient Name: Lee, Leslie\nInsurance Company: Cascade Health Plan");
    assert_eq!(record.insurance[0].payer.as_deref(), Some("Cascade Health Plan"));
    assert!(record.review.contains(&"insurance.0.payer".to_owned()));
}

#[test]
fn one_part_of_a_name_alone_is_marked() {
    let rest = "Date of Birth: 11/01/1934\nPriority: Routine\nReason for referral: Migraine with aura, please evaluate";
    for (name, given) in [
        ("First name: ROSALINDA", Some("ROSALINDA")),
        ("Last name     First name\n              ROSALINDA\n", Some("ROSALINDA")),
        ("Last name: ROSALINDA", None),
    ] {
        let record = record(&format!("Patient Information\n{name}\n{rest}"));
        assert_eq!(record.patient.name.given.as_deref(), given, "{name}");
        assert!(marks(&record, "patient.name.family") && marks(&record, "patient.name.given"), "{name}: {:?}", record.review);
        let read = if given.is_some() { "patient.name.given" } else { "patient.name.family" };
        assert!(record.evidence[read].confidence < 0.95, "{name}");
        assert!(record.held.contains(&HeldReason::BlockingField));
    }
}

#[test]
fn a_second_insurance_stands_second_and_is_never_the_first() {
    let both = [("Aetna", "PD231007728", Some("37618")), ("Cigna", "U4471990", None)];
    for lines in [
        "Primary Insurance: Aetna\nMember ID: PD231007728   Group #: 37618\nSecondary Insurance: Cigna\nMember ID: U4471990",
        "Insurance Company: Aetna\nMember ID: PD231007728   Group #: 37618\n\nSecondary Insurance\nInsurance Company: Cigna\nMember ID: U4471990",
        "Insurance\nPayer: Aetna\nMember ID: PD231007728\nGroup: 37618\n\nSecondary insurance information\nPayer: Cigna\nMember ID: U4471990",
        "Primary Insurance              Secondary Insurance\nPlan name: Aetna               Plan name: Cigna\nMember ID: PD231007728         Member ID: U4471990\nGroup: 37618",
        "Primary insurance: Aetna\nPrimary member ID: PD231007728\nGroup: 37618\nSecondary insurance: Cigna\nSecondary member ID: U4471990",
        "Insurance 1: Aetna\nMember ID: PD231007728   Group: 37618\nInsurance 2: Cigna\nMember ID: U4471990",
    ] {
        let record = form(lines);
        let read: Vec<_> = record
            .insurance
            .iter()
            .map(|one| (one.payer.as_deref().unwrap_or(""), one.member_id.as_deref().unwrap_or(""), one.group.as_deref()))
            .collect();
        assert_eq!(read, both, "{lines}");
        assert!(!record.review.iter().any(|path| path.starts_with("insurance.")), "{lines}: {:?}", record.review);
    }
}

#[test]
fn a_second_insurance_without_a_first_is_a_note() {
    let record = form("Secondary Insurance: Cigna\nSecondary member ID: U4471990");
    assert!(record.insurance.is_empty());
    assert_eq!(record.notes, ["Secondary insurance: Cigna, member ID U4471990"]);
    let record = form("Insurance: Aetna\nMember ID: PD231007728\nSecondary Insurance: None");
    assert_eq!(record.insurance.len(), 1);
    assert_eq!(record.insurance[0].member_id.as_deref(), Some("PD231007728"));
}

#[test]
fn a_printed_order_of_dates_goes_before_the_channels() {
    let born_by = |drawn: &str, date_order: DateOrder| {
        let reading = Reading { pages: vec![page(1, drawn)], problems: Vec::new() };
        let record = *normalize(&reading, &FaxRules { date_order, ..rules() }).record.unwrap();
        (born(&record).to_owned(), marks(&record, "patient.birth_date"))
    };
    let form = |dob: &str| format!("Referral Form\n\nPatient: Leslie Lee\n{dob}\n{REST}");
    let (month, day) = (DateOrder::MonthFirst, DateOrder::DayFirst);
    for dob in [
        "DOB (DD/MM/YYYY): 03/04/1956",
        "DOB (dd.mm.yyyy): 03.04.1956",
        "DOB: 03/04/1956\n(day / month / year)",
        "DOB (DDIMM/YYYY): 03/04/1956",
        "DOB: 03/04/1956\nDD / MM / YYYY",
        "All dates are written DD-MM-YYYY\nDOB: 03/04/1956",
    ] {
        assert_eq!(born_by(&form(dob), month), ("1956-04-03".to_owned(), false), "{dob}");
    }
    assert_eq!(born_by(&form("DOB (MM/DD/YYYY): 03/04/1956"), day), ("1956-03-04".to_owned(), false));
    let both = "DOB (DD/MM/YYYY): 03/04/1956\nDate (MM/DD/YYYY): 11/20/2026";
    assert_eq!(born_by(&form(both), month), ("1956-03-04".to_owned(), true), "which order is meant is for a person");
    let plain = "DOB (DD/MM/YYYY): 23/04/1956\nDate (MM/DD/YYYY): 11/20/2026";
    assert_eq!(born_by(&form(plain), day), ("1956-04-23".to_owned(), false));
    assert_eq!(born_by(&form("DOB: 03/04/1956\nAmlodipine 5 mm dd"), month).0, "1956-03-04");
    let second = page(2, "Clinical notes\nPatient: Leslie Lee\nDOB: 03/04/1956\nMigraine since spring");
    let pages = vec![page(1, &form("DOB (DD/MM/YYYY): 03/04/1956")), second];
    let whole = normalize(&Reading { pages, problems: Vec::new() }, &rules());
    let record = whole.record.unwrap();
    assert_eq!((born(&record), marks(&record, "patient.birth_date")), ("1956-04-03", false), "one order for all pages");
}

#[test]
fn what_stands_for_two_is_for_a_person() {
    let drawn = "Referral Form\n\nPatient: Leslie Lee\nDOB: 11/01/1934\nPatient phone: (415) 253-7700\nReferring fax: (415) 253-7700\n\
                 Referring practice: Lakeview Cardiology\nReferred to practice: Lakeview Cardiology\n";
    let record = record(&format!("{drawn}{REST}"));
    for path in ["patient.phones.0.number", "referring.phones.0.number", "referring.organization", "referred_to.organization"] {
        assert!(marks(&record, path), "{path}: {:?}", record.review);
    }
    let names = form("Referred to: Jesus Phillips, MD");
    assert!(marks(&names, "referring.name.family") && marks(&names, "referred_to.name.family"), "{:?}", names.review);
    assert!(!marks(&names, "patient.name.family"));
    assert!(!marks(&form("Patient phone: (415) 253-7700"), "patient.phones.0.number"));
}

#[test]
fn a_number_that_lost_a_sign_a_copy_and_what_is_denied_are_seen_for_it() {
    let record = form("MRN: \u{a7}510274");
    assert!(marks(&record, "patient.identifiers.0.value"), "{:?}", record.review);
    assert!(!marks(&form("MRN: 5510274"), "patient.identifiers.0.value"));
    let copied = form("cc: Dr. Ada Stone, fax (415) 253-7701");
    assert!(copied.referring.phones.is_empty(), "{:?}", copied.referring.phones);
    let denied = super::record(
        "Referral Form\n\nPatient: Leslie Lee\nDOB: 11/01/1934\nPriority: Not urgent\nReason for referral: Migraine",
    );
    assert!(denied.priority == Priority::Routine && marks(&denied, "priority"), "{:?}", denied.priority);
    let not_routine = super::record(
        "Referral Form\n\nPatient: Leslie Lee\nDOB: 11/01/1934\nPriority: Not routine\nReason for referral: Migraine",
    );
    assert_eq!(not_routine.priority, Priority::Unknown);
}

#[test]
fn the_line_of_the_sending_machine_is_kept_with_its_page() {
    let mut sent = page(1, &format!("NOV-21-2026 10:15 FERNBROOK FAM MED FAX NO. 5035550199 P. 1/1\n{FORM}"));
    for word in sent.words.iter_mut().filter(|word| word.line == 0) {
        (word.bounds[1], word.bounds[3]) = (20, 46);
    }
    let outcome = normalize(&Reading { pages: vec![sent], problems: Vec::new() }, &rules());
    let told = format!("{:?}", outcome.pages);
    assert!(told.contains("the sending machine's line: NOV-21-2026 10:15 FERNBROOK"), "{told}");
}
