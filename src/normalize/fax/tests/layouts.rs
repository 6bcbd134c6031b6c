//! Where a value stands to its label: over it, under it, in a table's row, a letter a box.

use super::*;
use crate::referral::Sex;

/// A page whose captions, every other line from the fourth on, are in small print and close under the line above.
fn captioned(drawn: &str) -> Record {
    let mut page = page(1, drawn);
    for word in page.words.iter_mut().filter(|word| word.line > 2 && word.line % 2 == 1) {
        word.bounds[1] -= 10;
        word.bounds[3] = word.bounds[1] + 16;
    }
    *normalize(&Reading { pages: vec![page], problems: Vec::new() }, &rules()).record.expect("it is a referral")
}

#[test]
fn what_stands_above_its_caption_is_its_value() {
    let record = captioned(
        "\
WILLOW CREEK FAMILY PRACTICE
Specialist Referral Form
Delphine Okafor          07/19/1958      F
Patient name             Date of birth   Sex
(541) 555-0183           Marcus Okafor   (541) 555-0199
Patient phone            Emergency contact / phone
Regence BlueShield       ZKW884120937
Insurance company        Member ID
Hannah Lindqvist, MD     1649203852
Referring provider       NPI
(541) 555-0111           (541) 555-0112  11/12/2026
Office phone             Office fax      Referral date
Neurology                Urgent
Specialty requested      Priority
Recurrent syncope with witnessed jerking, please evaluate
Reason for referral
R55
Diagnosis (ICD-10)",
    );
    assert_eq!(name(&record), ("Okafor", "Delphine"));
    assert_eq!(record.patient.birth_date.as_ref().unwrap().as_str(), "1958-07-19");
    assert_eq!(record.patient.sex, Some(Sex::F));
    assert_eq!(record.patient.phones.iter().map(|phone| phone.number.as_str()).collect::<Vec<_>>(), ["+15415550183"]);
    assert_eq!(record.insurance[0].payer.as_deref(), Some("Regence BlueShield"));
    assert_eq!(record.insurance[0].member_id.as_deref(), Some("ZKW884120937"));
    assert_eq!(record.referring.name.family.as_deref(), Some("Lindqvist"));
    assert_eq!(record.referred_to.specialty.as_deref(), Some("Neurology"));
    assert_eq!(record.priority, Priority::Urgent);
    assert!(record.request.reason.as_deref().unwrap().starts_with("Recurrent syncope"));
    assert_eq!(record.request.diagnoses[0].code.as_deref(), Some("R55"));
}

#[test]
fn captions_at_the_top_of_cells_are_not_those_of_the_cells_above() {
    let record = captioned(
        "\
REQUEST FOR SPECIALTY CONSULTATION


1 Patient name (Last, First, Middle Initial)   2 Date of birth   3 Sex
DE LA ROSA, MIGUEL A                           06/17/1959        M
4 Patient phone          5 MRN
(915) 562-4471           771402
6 Insurance company      7 Member ID
CIGNA OAP                U4471902201
8 Referring provider     9 NPI
ANNELIESE BRANDT MD      1234561128
10 Specialty requested   11 Priority
UROLOGY                  URGENT
12 Reason for referral
RISING PSA WITH URINARY RETENTION",
    );
    assert_eq!(record.referring.name.family.as_deref(), Some("BRANDT"));
    assert_eq!(record.insurance[0].payer.as_deref(), Some("CIGNA"));
    assert_eq!(record.insurance[0].member_id.as_deref(), Some("U4471902201"));
    assert_eq!((record.patient.name.family.as_deref(), born(&record)), (Some("DE LA ROSA"), "1959-06-17"));
    assert_eq!(record.referred_to.specialty.as_deref(), Some("Urology"));
    assert_eq!(record.request.reason.as_deref(), Some("RISING PSA WITH URINARY RETENTION"));
    let empty = captioned(
        "\
REQUEST FOR SPECIALTY CONSULTATION


1 Patient name           2 Date of birth   3 Sex
DE LA ROSA, MIGUEL A     06/17/1959        M
13. Referring facility   13a. Fax          14. Specialty

15. Reason for referral
RISING PSA WITH URINARY RETENTION",
    );
    let street = super::record(&FORM.replace("12 Elm St", "14 Main St")).patient.address.lines.first().cloned();
    assert_eq!(street.as_deref(), Some("14 Main St"), "the number of a house is not one of a cell");
    assert_eq!(empty.referring.organization, None, "the number and the caption of the next cell are no value");
}

#[test]
fn a_table_with_a_head_is_read_by_its_columns() {
    let record = record(
        "\
Referral Request

Patient Name         DOB          Sex    Phone          MRN

Bartholomew Quist    09/05/1966   M      360-555-0139   55-20418

Provider             NPI                 Practice       Fax

Ingrid Solheim MD    1332211444          Fjord Clinic   360-555-0140

Referred to: Dermatology
Urgency: Urgent
Reason for referral: Changing mole left calf",
    );
    assert_eq!(name(&record), ("Quist", "Bartholomew"));
    assert_eq!(record.patient.birth_date.as_ref().unwrap().as_str(), "1966-09-05");
    assert_eq!(record.patient.sex, Some(Sex::M));
    assert_eq!(record.patient.phones.iter().map(|phone| phone.number.as_str()).collect::<Vec<_>>(), ["+13605550139"]);
    assert_eq!(record.patient.identifiers[0].value, "55-20418");
    assert_eq!(record.referring.name.family.as_deref(), Some("Solheim"));
    assert!(!record.review.iter().any(|path| path.starts_with("patient.")), "{:?}", record.review);
}

#[test]
fn the_words_of_a_title_are_nobodys_name() {
    for title in
        ["SPECIALIST REFERRAL REQUEST", "Specialist Referral Form", "SPECIALIST CARE REFERRAL", "PHYSICIAN CONSULTATION REQUEST"]
    {
        let record = record(&FORM.replace("Oakfield Family Medicine", &format!("Oakfield Family Medicine\n{title}")));
        let found = [&record.referred_to, &record.referring].map(|one| (one.name.family.clone(), one.organization.clone()));
        let practice = Some("Oakfield Family Medicine".to_owned());
        assert_eq!(found, [(None, None), (Some("Phillips".to_owned()), practice)], "{title}");
    }
    let named = record(&format!("{FORM}\nSpecialist Ada Fenwick, MD"));
    assert_eq!(named.referred_to.name.family.as_deref(), Some("Fenwick"), "a name without a colon is one");
}

#[test]
fn a_day_of_a_visit_or_a_report_is_no_birth_date() {
    for others in [
        "Seen: 11/19/2026   Printed: 11/20/2026",
        "Seen: 11/19/2026",
        "Seen 11/19/2026",
        "Collected: 11/19/2026 Reported: 11/20/2026",
        "Accession: 11/19/2026",
        "Visit 11/19/2026",
    ] {
        let line = format!("Patient: Leslie Lee   DOB: 11/01/1934   {others}");
        let record = record(&FORM.replace("Patient Name: Lee, Leslie\nDate of Birth: 11/01/1934     Sex: Female", &line));
        assert_eq!((name(&record), born(&record)), (("Lee", "Leslie"), "1934-11-01"), "{others}");
        assert!(!record.review.iter().any(|path| path == "patient.birth_date"), "{others}");
        assert_eq!(record.evidence["patient.birth_date"].rivals, Vec::<String>::new(), "{others}");
    }
    let none = record("Patient Referral\n\nPatient: Leslie Lee   Seen: 11/19/2026\nReason for Referral: Iron deficiency anemia");
    assert_eq!(born(&none), "", "without a label of its own a visit's day is none either");
    let two = record(&FORM.replace("11/01/1934", "11/01/1934 or 11/01/1943"));
    assert!(two.review.iter().any(|path| path == "patient.birth_date"), "a second birth date still is a rival");
}

#[test]
fn a_label_with_a_word_before_it_has_all_of_the_text_beneath() {
    let text = "Withdrawn since September with school refusal and passive suicidal ideation, no plan. Sertraline\n50 mg started 10/30/2026.";
    for label in ["Presenting concern:", "Parental concern:", "Main concern:", "Reason for Referral:"] {
        let begin = FORM.split("Reason for Referral").next().unwrap_or_default();
        let record = record(&format!("{begin}\n\n{label}\n{text}"));
        assert_eq!(record.request.reason.as_deref(), Some(text.replace('\n', " ").as_str()), "{label}");
    }
}
