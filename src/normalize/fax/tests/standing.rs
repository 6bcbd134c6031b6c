//! Labels that are to be believed less where they stand: in sentences, at the foot of a page, under another's name; and what is written by
//! hand or stamped on.

use super::*;
use crate::referral::Sex;

fn marks(record: &Record, path: &str) -> bool {
    record.review.iter().any(|marked| marked == path)
}

fn numbers(record: &Record) -> Vec<&str> {
    record.patient.phones.iter().map(|phone| phone.number.as_str()).collect()
}

const PATIENT: &str = "Patient: Leslie Lee\nDOB: 11/01/1934\nPhone: (415) 253-7700\n";

#[test]
fn a_number_on_the_line_of_whoever_refers_is_theirs() {
    for label in ["Referring", "Ordering", "Requesting", "Ref. by"] {
        let record = record(&format!(
            "{PATIENT}Refer to: Urology\nPriority: Routine\nReason: Recurrent stones, evaluate\n\n{label}: Dr. Jesus Phillips NPI 1783266160, Fax 585-925-6511"
        ));
        assert!(record.referred_to.phones.is_empty(), "{label}");
        assert_eq!(record.referring.name.family.as_deref(), Some("Phillips"), "{label}");
        assert_eq!(record.referring.phones.first().map(|phone| phone.number.as_str()), Some("+15859256511"), "{label}");
    }
}

#[test]
fn a_number_below_the_reason_or_behind_an_unknown_label_is_marked_where_it_seems_the_specialists() {
    for foot in [
        "Dr. Jesus Phillips   Fax 585-925-6511",
        "Medical scribe: Jesus Phillips, Fax 585-925-6511",
        "Send results to Jesus Phillips MD, fax 585-925-6511",
        "Jesus Phillips, MD\nMaple Skin Clinic\nFax: 585-925-6511",
        "Signature: Jesus Phillips   Phone: 585-925-6510   Fax: 585-925-6511",
        "Ordering MD: Jesus Phillips\nNPI: 1783266160\nF: 585-925-6511",
    ] {
        let record = record(&format!("{PATIENT}Refer to: Urology\nReason: Recurrent stones, evaluate\n\n{foot}"));
        let marked = (0..record.referred_to.phones.len()).all(|at| marks(&record, &format!("referred_to.phones.{at}.number")));
        assert!(marked, "{foot}: {:?} {:?}", record.referred_to.phones, record.review);
    }
    let beside = record(&format!("{PATIENT}Refer to: Urology\nFax: 585-925-6511\nReason: Recurrent stones, evaluate"));
    assert_eq!(beside.referred_to.phones[0].number, "+15859256511");
    assert!(!marks(&beside, "referred_to.phones.0.number"));
}

const LETTER: &str = "\
Lakeside Internal Medicine

RE: Leslie Lee
DOB: 7 Feb 1948

Dear Dr. Jones,

Thank you for seeing this pleasant woman, whose daughter Ana Gray (born 04/12/1971,
cell 541-555-0117) came with her. She has had three episodes of aphasia.
";

#[test]
fn what_a_sentence_says_of_a_relative_is_not_the_patients() {
    let record = record(&format!("{LETTER}\nSincerely,\n\nLarry Johnson, MD"));
    assert_eq!(born(&record), "1948-02-07");
    assert!(!marks(&record, "patient.birth_date"), "{:?}", record.review);
    assert!(numbers(&record).is_empty());
}

#[test]
fn a_number_in_a_sentence_is_marked_and_a_label_outweighs_it() {
    let call = "Priority: Routine (if it gets urgent please call 503-555-0199)";
    let alone = record(&format!("Patient: Leslie Lee\nDOB: 11/01/1934\n{call}"));
    assert!(alone.patient.phones.is_empty() || marks(&alone, "patient.phones.0.number"), "{:?}", alone.review);
    let labelled = record(&format!("{PATIENT}{call}"));
    assert_eq!(numbers(&labelled), ["+14152537700"]);
    assert!(!marks(&labelled, "patient.phones.0.number"), "{:?}", labelled.review);
}

#[test]
fn numbers_behind_the_name_of_a_relative_are_theirs() {
    for kin in ["Daughter", "Husband", "Mom", "Domestic partner", "Parents"] {
        let record = record(&format!("{PATIENT}{kin}: Ana Gray, cell: 541-555-0117, DOB: 04/12/1971"));
        assert_eq!((born(&record), numbers(&record)), ("1934-11-01", vec!["+14152537700"]), "{kin}");
        assert!(!marks(&record, "patient.birth_date"), "{kin}");
    }
}

#[test]
fn a_number_behind_a_relative_on_an_empty_line_is_no_patients() {
    let record = record("Patient: Leslie Lee\nDOB:\n02/02/1969 father Walter, cell 503-555-0102\nPriority: Routine");
    assert!(numbers(&record).is_empty(), "{:?}", record.patient.phones);
}

#[test]
fn a_home_phone_under_a_guarantor_is_marked() {
    let record =
        record("Patient: Leslie Lee\nDOB: 11/01/1934\nPriority: Routine\n\nGuarantor: Robin Lee\nHome phone: (415) 999-1111");
    assert!(record.patient.phones.is_empty() || marks(&record, "patient.phones.0.number"));
}

#[test]
fn what_stands_in_brackets_behind_a_number_says_what_it_is() {
    let record = record(
        "Referral\nTo: Hawthorn Cancer Care, 503-555-0148 (fax)\nFrom: Pinnacle Primary Care, 503-555-0122 (fax) 503-555-0123 (phone)\n\nPatient: Leslie Lee\nDOB: 11/01/1934\nPhone: (415) 253-7700 (cell)",
    );
    assert_eq!(record.referred_to.organization.as_deref(), Some("Hawthorn Cancer Care"));
    assert_eq!(record.referring.organization.as_deref(), Some("Pinnacle Primary Care"));
    let uses: Vec<_> = record.referring.phones.iter().map(|phone| (phone.number.as_str(), phone.usage)).collect();
    assert_eq!(uses, [("+15035550123", Some(PhoneUse::Work)), ("+15035550122", Some(PhoneUse::Fax))]);
    assert_eq!(record.referred_to.phones.first().map(|phone| phone.number.as_str()), Some("+15035550148"));
    assert_eq!(numbers(&record), ["+14152537700"], "one number once");
}

#[test]
fn a_practice_that_is_named_for_a_specialty_is_no_person() {
    for name in ["Rowan Rheumatology", "Linden Neuroscience", "Harbor Urology"] {
        let record = record(&format!("{PATIENT}Refer to: {name}"));
        assert_eq!(record.referred_to.organization.as_deref(), Some(name));
        assert_eq!(record.referred_to.name.family, None, "{name}");
    }
    let person = record(&format!("{PATIENT}Refer to: Jesus Phillips, MD, Urology"));
    assert_eq!(person.referred_to.name.family.as_deref(), Some("Phillips"));
}

#[test]
fn a_corrected_birth_date_is_marked() {
    let record = record("Patient: Leslie Lee\nDOB: 05/12/1980 (corrected: 12/05/1980)\nPriority: Routine");
    assert!(marks(&record, "patient.birth_date"));
    assert_eq!(record.evidence["patient.birth_date"].rivals.len(), 1);
}

#[test]
fn a_sentence_that_corrects_a_birth_date_contests_it() {
    let rest = "Priority: Routine\nReason: Recurrent headache, evaluate";
    for note in ["Note: DOB in our chart was wrong, should be June 19, 2012", "Correct date of birth is 06/19/2012"] {
        let record = record(&format!("Patient: Leslie Lee\nDOB: 06/09/2012\n{note}\n{rest}"));
        assert!(marks(&record, "patient.birth_date"), "{note}");
    }
    let other = record(&format!("Patient: Leslie Lee\nDOB: 06/09/2012\nSeen on 11/02/2026, should be seen again.\n{rest}"));
    assert!(!marks(&other, "patient.birth_date"));
}

#[test]
fn a_suffix_is_no_middle_name_wherever_the_name_stands() {
    let whole = record("Patient Name: Lee, Leslie J Ill\nDOB: 11/01/1934");
    assert_eq!((whole.patient.name.middle.as_deref(), whole.patient.name.suffix.as_deref()), (Some("J"), Some("III")));
    let cells = record("Last name           First name          DOB\nLee Jr.             Leslie              11/01/1934");
    assert_eq!((name(&cells), cells.patient.name.suffix.as_deref()), (("Lee", "Leslie"), Some("Jr")));
}

#[test]
fn the_list_that_a_code_is_from_is_no_part_of_its_words() {
    let record = record(
        "Patient: Leslie Lee\nDOB: 11/01/1934\nDiagnoses\nJ44.9 (ICD-10-CM) - Chronic obstructive pulmonary disease, unspecified",
    );
    let text = record.request.diagnoses[0].text.as_deref();
    assert_eq!(text, Some("Chronic obstructive pulmonary disease, unspecified"));
}

#[test]
fn a_grid_under_a_table_of_providers_is_the_patients() {
    let record = record(
        "\
REFERRAL REQUEST
REFER TO                            REFERRED BY
Dr. Ingrid Halvorsen                Dr. Jesus Phillips, NPI 1783266160
Oak Bone and Joint                  Gable Street Clinic
Fax 503-555-0145                    Fax 503-555-0182

LAST NAME           FIRST NAME      MI          SUFFIX
Pike                Mary            R
PARENT / GUARDIAN   PARENT DOB      DOB         GENDER
Kevin Pike          05/06/1981      02/03/2015  F
HOME                WORK            CELL        LANGUAGE
503-555-0131        503-555-0132    503-555-0134   English",
    );
    assert_eq!(name(&record), ("Pike", "Mary"));
    assert_eq!((born(&record), record.patient.sex), ("2015-02-03", Some(Sex::F)));
    assert_eq!(record.referring.name.family.as_deref(), Some("Phillips"));
    // Under a guardian it may be hers or the guardian's.
    assert!(marks(&record, "patient.phones.0.number"));
}

#[test]
fn a_title_over_a_grid_does_not_take_the_patients_name_away() {
    let record = record(
        "REFERRAL REQUEST\n\nLAST NAME      FIRST NAME     MI\nPike           Mary           R\nDATE OF BIRTH  AGE            GENDER\n02/03/2015     11             F",
    );
    assert_eq!((name(&record), born(&record)), (("Pike", "Mary"), "2015-02-03"));
}

#[test]
fn patient_may_head_a_column_of_names() {
    let record =
        record("PATIENT                 BIRTHDATE     ACCT\nTEAGUE, ROSALIND A      06/09/1971    77120\n\nPriority: Routine");
    assert_eq!((name(&record), born(&record)), (("TEAGUE", "ROSALIND"), "1971-06-09"));
}

#[test]
fn a_second_patient_in_a_table_is_not_lost() {
    let table = "Patient Name            DOB           Sex    Phone\nTeague, Rosalind        06/09/1971    F      503-555-0173\n";
    let two = record(&format!("{table}Moss, Harold            01/19/1944    M      503-555-0178\n\nPriority: Routine"));
    assert!(two.held.contains(&HeldReason::SecondPatient), "{:?}", two.held);
    let one = record(&format!("{table}\nPriority: Routine"));
    assert!(one.held.is_empty(), "{:?}", one.held);
}
