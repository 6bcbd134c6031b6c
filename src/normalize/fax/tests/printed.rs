//! What is printed on forms and letters: boxes, headings, small print, what a site calls things.

use super::*;

#[test]
fn boxes_ticked_by_pen_say_sex_priority_and_specialty() {
    let record = record(
        "\
Priority:    \u{2610} Routine     \u{2612} Urgent     \u{2610} STAT
Patient Name: Lee, Leslie     DOB: 11/01/1934
Sex:         \u{2610} Male        \u{2612} Female
Specialty:   \u{2610} Cardiology     \u{2610} Dermatology
             \u{2612} Neurology      \u{2610} Urology
Interpreter needed:   \u{2610} Yes     \u{2612} No",
    );
    assert_eq!(record.priority, Priority::Urgent);
    assert_eq!(record.patient.sex, Some(crate::referral::Sex::F));
    assert_eq!(record.referred_to.specialty.as_deref(), Some("Neurology"));
}

#[test]
fn two_ticked_boxes_or_an_unclear_one_are_marked() {
    for row in ["\u{2612} Routine     \u{2612} STAT", "\u{2610} Routine     \u{2610} STAT"] {
        let record = record(&format!("Patient Name: Lee, Leslie\nDOB: 11/01/1934\nPriority:    {row}"));
        assert_eq!(record.priority, Priority::Unknown);
        assert!(record.review.contains(&"priority".to_owned()));
    }
}

#[test]
fn a_tick_is_certain_only_where_every_option_has_its_box() {
    for (row, priority) in [
        ("\u{2612} Routine     Urgent     \u{2610} STAT", Priority::Routine),
        ("\u{2610} Routine     Urgent     \u{2610} STAT", Priority::Urgent),
        ("\u{2612} Routine     \u{25a3} Urgent     \u{2610} STAT", Priority::Routine),
    ] {
        let record = record(&format!("Patient Name: Lee, Leslie\nPriority:    {row}"));
        assert_eq!(record.priority, priority, "{row}");
        assert!(record.review.contains(&"priority".to_owned()), "{row}");
    }
}

#[test]
fn a_name_that_stands_elsewhere_with_another_letter_is_marked() {
    let form = |signed: &str| {
        format!(
            "Patient Name: Lee, Leslie\nDOB: 11/01/1934\nReferring Physician: Sianca Villanueva, MD\nNPI: 1783266160\n\n\nSeen on request of Dr. {signed}"
        )
    };
    let marked = |signed: &str| record(&form(signed)).review.contains(&"referring.name.given".to_owned());
    assert!(marked("Bianca Villanueva"));
    assert!(!marked("Sianca Villanueva"));
}

#[test]
fn a_name_that_begins_with_a_small_j_begins_with_a_capital_one() {
    assert_eq!(name(&record("Last name: jessop\nFirst name: jill\nDOB: 11/01/1934")), ("Jessop", "Jill"));
}

#[test]
fn the_words_of_a_practices_name_are_spelled_as_they_are() {
    let record = record("Patient Name: Lee, Leslie\nDOB: 11/01/1934\nReferring Practice: Millhaven Medica! Group");
    assert_eq!(record.referring.organization.as_deref(), Some("Millhaven Medical Group"));
}

#[test]
fn an_o_before_the_digits_of_a_member_number_is_doubted() {
    let record = record("Patient Name: Lee, Leslie\nDOB: 11/01/1934\nMember ID: FHO43172547");
    assert!(record.review.contains(&"insurance.0.member_id".to_owned()));
}

#[test]
fn hardly_legible_small_print_over_a_value_is_read_as_the_label_it_is_most_like_and_marked() {
    let mut page = page(1, "PATIENT\nSumame            Daymeprone\nPlaceholder       (415) 253-7700");
    for word in &mut page.words {
        if word.bounds[1] == 340 {
            word.confidence = 0.5;
            word.bounds = [word.bounds[0], 344, word.bounds[2], 362];
        }
    }
    let record = normalize(&Reading { pages: vec![page], problems: Vec::new() }, &rules()).record.unwrap();
    assert_eq!(record.patient.phones.first().map(|phone| phone.number.as_str()), Some("+14152537700"));
    assert!(record.review.contains(&"patient.phones.0.number".to_owned()));
}

#[test]
fn the_first_of_several_priorities_whose_boxes_were_not_seen_is_marked() {
    let record = record("Patient Name: Lee, Leslie\nDOB: 11/01/1934\nPriority:   Routine              CJ Urgent            STAT");
    assert!(record.review.contains(&"priority".to_owned()));
}

#[test]
fn a_title_does_not_stand_in_unmarked_for_boxes_that_cannot_be_read() {
    let record = record(
        "Referral request - routine\n\nPatient Name: Lee, Leslie\nDOB: 11/01/1934\nPriority:   \u{25a3} Routine   \u{25a3} Urgent   \u{2610} STAT",
    );
    assert!(record.review.contains(&"priority".to_owned()));
}

#[test]
fn a_title_is_no_specialty() {
    let record = record("SPECIALTY REFERRAL\n\nPatient Name: Lee, Leslie\nDOB: 11/01/1934");
    assert_eq!(record.referred_to.specialty, None);
}

#[test]
fn a_record_systems_print_out_names_the_patient_without_a_label() {
    let mut page = page(
        1,
        "\
LEE, Leslie                            MRN: 5202708
DOB: 11/01/1934    Legal sex: Female

Ambulatory referral to Urology
Associated diagnoses
ICD-10-CM        Description
N20.0            Calculus of kidney",
    );
    for word in &mut page.words {
        word.bounds[1] -= 250;
        word.bounds[3] -= 250;
    }
    let record = normalize(&Reading { pages: vec![page], problems: Vec::new() }, &rules()).record.unwrap();
    assert_eq!(name(&record), ("LEE", "Leslie"));
    assert_eq!(record.referred_to.specialty.as_deref(), Some("Urology"));
    assert_eq!(record.request.diagnoses[0].code.as_deref(), Some("N20.0"));
}

#[test]
fn a_letters_medications_and_allergies_are_notes_with_evidence() {
    let record = record(
        "\
Oakfield Family Medicine

RE: Leslie Lee
DOB: 11/01/1934

Dear colleague,

Resistant high blood pressure and small kidneys on ultrasound, please advise.

Medications: Losartan 50 mg daily
Allergies: lodine contrast

With kind regards,
Ada Illingworth, MD",
    );
    assert_eq!(record.notes, ["Medications: Losartan 50 mg daily", "Allergies: Iodine contrast"]);
    assert!(record.evidence.contains_key("notes.1"));
    assert_eq!(record.referring.name.family.as_deref(), Some("Illingworth"));
    assert!(record.request.reason.unwrap().starts_with("Resistant high blood pressure"));
}

#[test]
fn a_heading_beside_a_label_is_not_its_value() {
    let record = record(
        "\
Patient Name: Lee, Leslie
Referring provider                     Primary care provider
Name: Jesus Phillips, MD               Name: Ada Placeholder, MD",
    );
    assert_eq!(record.referring.organization, None);
    assert_eq!(record.referring.name.family.as_deref(), Some("Phillips"));
}

#[test]
fn a_code_that_is_not_on_the_list_is_marked() {
    let record = record("Patient Name: Lee, Leslie\nDOB: 11/01/1934\nICD-10: K99.9");
    assert!(record.review.contains(&"request.diagnoses.0.code".to_owned()));
    assert!(record.problems.iter().any(|problem| problem.code == "diagnosis-not-listed"));
}

#[test]
fn the_order_of_a_date_is_the_regions() {
    let rules = FaxRules { region: "AU".to_owned(), date_order: DateOrder::of_region("AU"), ..rules() };
    let pages = vec![page(1, "Patient Name: Lee, Leslie\nDate of Birth: 03/04/1956")];
    let record = normalize(&Reading { pages, problems: Vec::new() }, &rules).record.unwrap();
    assert_eq!(born(&record), "1956-04-03");
    assert_eq!(DateOrder::of_region("US"), DateOrder::MonthFirst);
}

#[test]
fn what_a_site_calls_things_counts_before_the_built_in_words() {
    let drawn = "Child called: Lee, Leslie\nHatched on: 11/01/1934\nChart: follow-up of a murmur";
    let read = |labels: &str| {
        let labels = std::sync::Arc::new(Labels::with(toml::from_str(labels).unwrap()));
        normalize(&Reading { pages: vec![page(1, drawn)], problems: Vec::new() }, &FaxRules { labels, ..rules() }).record
    };
    assert!(read("").is_none(), "the built-in table knows neither");
    let own = "[[label]]\nmeaning = \"patient-name\"\nvariants = [\"child called\"]\n\
               [[label]]\nmeaning = \"birth-date\"\nvariants = [\"hatched on\"]\n\
               [[label]]\nmeaning = \"reason\"\nvariants = [\"chart\"]\n";
    let record = read(own).unwrap();
    assert_eq!((name(&record), born(&record)), (("Lee", "Leslie"), "1934-11-01"));
    assert_eq!(record.request.reason.as_deref(), Some("follow-up of a murmur"));
}

#[test]
fn boxes_under_a_label_that_nobody_knows_still_say_the_priority() {
    let form = |choice: &str| {
        let mut page = page(1, &format!("{choice}\nPatient Name: Lee, Leslie\nDOB: 11/01/1934"));
        // A box is taller than the words beside it, which makes a title of none of them.
        for word in page.words.iter_mut().filter(|word| word.text.starts_with(['\u{2610}', '\u{2612}'])) {
            word.bounds[3] += 9;
        }
        normalize(&Reading { pages: vec![page], problems: Vec::new() }, &rules()).record.unwrap()
    };
    for (row, priority) in [
        ("Please see:     \u{2610} Routine     \u{2610} Urgent     \u{2612} STAT", Priority::Stat),
        ("Visit type      \u{2612} STAT        \u{2610} ASAP       \u{2610} Elective", Priority::Stat),
        ("This request is\n\u{2610} Routine\n\u{2612} Urgent\n\u{2610} STAT", Priority::Urgent),
        ("Seen within     [ ] Routine     [X] Urgent     [ ] STAT", Priority::Urgent),
    ] {
        let record = form(row);
        assert_eq!(record.priority, priority, "{row}");
        assert!(!record.review.contains(&"priority".to_owned()), "{row}");
    }
    let unclear = form("Please see:     \u{2610} Routine     \u{2610} Urgent     \u{2610} STAT");
    assert_eq!(unclear.priority, Priority::Unknown);
}

#[test]
fn printed_brackets_say_what_is_chosen_however_they_are_spaced() {
    use crate::referral::Sex;
    for (row, sex) in [
        ("[x] Female    [ ] Male    [ ] Other", Sex::F),
        ("( ) Female    (X) Male    ( ) Other", Sex::M),
        ("[   ] Female    [ X ] Male    [   ] Other", Sex::M),
        ("Female [ ]    Male [X]    Other [ ]", Sex::M),
        ("[]Female    [X]Male", Sex::M),
        ("X", Sex::O),
    ] {
        let record = record(&format!("Patient Name: Lee, Leslie\nDOB: 11/01/1934\nGender: {row}"));
        assert_eq!(record.patient.sex, Some(sex), "{row}");
        assert!(!record.review.contains(&"patient.sex".to_owned()), "{row}");
    }
}

#[test]
fn where_one_pair_of_brackets_was_lost_the_choice_is_marked() {
    let record = record("Patient Name: Lee, Leslie\nDOB: 11/01/1934\nPriority: Routine   [X] Urgent   [ ] STAT");
    assert_eq!(record.priority, Priority::Urgent, "the brackets stand nearer to what is behind them");
    assert!(record.review.contains(&"priority".to_owned()));
}

#[test]
fn numbered_sections_say_whose_a_label_is() {
    let sections = [
        ["1. Patient", "2. Requesting provider"],
        ["Section 1: Patient", "Section 2: Requesting provider"],
        ["A) Patient", "B) Requesting provider"],
        ["PART 1 - PATIENT", "PART 2 - REQUESTING PROVIDER"],
    ];
    for [patient, referrer] in sections {
        for label in ["Provider", "Clinician", "Physician"] {
            let record = record(&format!(
                "Patient Referral\n\n{patient}\nName: Leslie Lee\nBirth date: 11/01/1934\nTel: (415) 253-7700\n\n{referrer}\n{label}: Cyril Wetherby, APRN\nTel: (585) 925-6511"
            ));
            let referring = &record.referring;
            assert_eq!(record.patient.phones.first().map(|phone| phone.number.as_str()), Some("+14152537700"), "{patient}");
            assert_eq!(
                (referring.name.family.as_deref(), referring.name.given.as_deref()),
                (Some("Wetherby"), Some("Cyril")),
                "{label}"
            );
            assert_eq!(referring.phones.first().map(|phone| phone.number.as_str()), Some("+15859256511"), "{referrer}");
        }
    }
}

#[test]
fn what_stands_behind_a_label_that_nobody_knows_is_nobody_elses_value() {
    let record = record(
        "Patient Name: Lee, Leslie\nDOB: 11/01/1934\n\nReferring provider\nMedical scribe: Cyril Wetherby\nNPI: 1783266160\nReferring practice\nSuite holder: Harbor Medical Group",
    );
    assert_eq!(record.referring.name.family, None);
    assert_eq!(record.referring.organization, None);
}

#[test]
fn a_specialists_own_form_names_the_specialty_in_its_letterhead() {
    let record = record(
        "Harbor Cardiology Associates\nReturn this page by fax: (529) 468-0256\n\nPatient Name: Lee, Leslie\nDOB: 11/01/1934\nReferring Physician: Jesus Phillips, MD",
    );
    assert_eq!(record.referred_to.specialty.as_deref(), Some("Cardiology"));
    assert_eq!(record.referred_to.organization.as_deref(), Some("Harbor Cardiology Associates"));
    assert_eq!(record.referring.organization, None);
}

#[test]
fn a_title_that_was_misread_behind_a_name_is_no_given_name() {
    let record = record("Patient Name: Lee, Leslie\nDOB: 11/01/1934\nReferring Physician: Jill Marchetti, MO");
    let name = &record.referring.name;
    assert_eq!((name.family.as_deref(), name.given.as_deref()), (Some("Marchetti"), Some("Jill")));
}

#[test]
fn a_label_whose_words_make_an_m_of_r_and_n_is_found() {
    let record = record("Patient Name: Lee, Leslie\nDOB: 11/01/1934\nPlan name: Aetna\nMember no.: XY969594466");
    assert_eq!(record.insurance[0].member_id.as_deref(), Some("XY969594466"));
}

#[test]
fn a_practice_whose_last_word_is_a_letter_off_is_marked() {
    let marked = |name: &str| {
        let record = record(&format!("Patient Name: Lee, Leslie\nDOB: 11/01/1934\nReferring Practice: {name}"));
        record.review.contains(&"referring.organization".to_owned())
    };
    assert!(marked("Fernbrook Primary Cate"));
    assert!(!marked("Fernbrook Primary Care"));
}

#[test]
fn what_stands_under_small_print_helps_to_tell_which_label_it_is() {
    let mut page =
        page(1, "PATIENT\nRate fourth birlh    iP        Davi re prone\n11/01/1934           44395     (415) 253-7700");
    for word in &mut page.words {
        if word.bounds[1] == 340 {
            word.confidence = 0.5;
            word.bounds = [word.bounds[0], 344, word.bounds[2], 362];
        }
    }
    let record = normalize(&Reading { pages: vec![page], problems: Vec::new() }, &rules()).record.unwrap();
    assert_eq!(record.patient.address.postal_code.as_deref(), Some("44395"));
    assert_eq!(record.patient.phones.first().map(|phone| phone.number.as_str()), Some("+14152537700"));
    for path in ["patient.address.postal_code", "patient.phones.0.number"] {
        assert!(record.review.contains(&path.to_owned()), "{path}");
    }
}

#[test]
fn the_only_npi_of_a_page_is_read_without_its_label_and_marked() {
    let record = record("Patient Name: Lee, Leslie\nDOB: 11/01/1934\n\nJesus Phillips   1783266160");
    assert_eq!(record.referring.npi.as_deref(), Some("1783266160"));
    assert!(record.review.contains(&"referring.npi".to_owned()));
}

#[test]
fn a_list_of_diagnoses_of_which_one_cannot_be_read_is_marked() {
    let marked = |codes: &str| {
        let record = record(&format!("Patient Name: Lee, Leslie\nDOB: 11/01/1934\nDiagnosis codes: {codes}"));
        assert_eq!(record.request.diagnoses[0].code.as_deref(), Some("M32.9"));
        record.review.contains(&"request.diagnoses.0.code".to_owned())
    };
    assert!(marked("M32.9, %05-3"));
    assert!(!marked("M32.9, M10.9"));
    assert!(!marked("M32.9 Lupus, stage 3"));
}

#[test]
fn a_line_of_a_list_of_diagnoses_that_gave_no_code_marks_the_list() {
    let marked = |codes: &str| {
        let record = record(&format!("Patient Name: Lee, Leslie\nDOB: 11/01/1934\nDiagnoses:\n{codes}\n\nPriority: Routine"));
        let read: Vec<&str> = record.request.diagnoses.iter().filter_map(|code| code.code.as_deref()).collect();
        assert!(read.starts_with(&["E11.9"]), "{read:?}");
        record.review.contains(&"request.diagnoses.0.code".to_owned())
    };
    let list = |line: &str| format!("E11.9   Type 2 diabetes mellitus\n{line}\nI10     Essential hypertension");
    assert!(!marked(&list("J44.9   Chronic obstructive pulmonary disease")));
    for lost in [
        "Ja4.g   Chronic obstructive pulmonary disease",
        "J4$.9   Chronic obstructive pulmonary disease",
        "        Chronic obstructive pulmonary disease",
    ] {
        assert!(marked(&list(lost)), "{lost}");
    }
    // A description that goes on in the next line is none.
    assert!(!marked("E11.9   Type 2 diabetes mellitus\n        without complications\nI10     Essential hypertension"));
    assert!(!marked("E11.9   Type 2 diabetes mellitus since\n2019 and later\nI10     Essential hypertension"));
}
