//! Options with boxes, of which one is ticked: beside their label, under it, and under one that names whom the referral is to.

use super::*;

const PATIENT: &str = "\
Oakfield Family Medicine
Patient Referral

Patient Name: Lee, Leslie
Date of Birth: 11/01/1934
Priority: Routine
Reason for Referral: Recurrent infections, evaluate

";

fn offered(lines: &str) -> Record {
    record(&format!("{PATIENT}{lines}"))
}

fn specialty(record: &Record) -> Option<&str> {
    record.referred_to.specialty.as_deref()
}

fn marks(record: &Record, path: &str) -> bool {
    record.review.iter().any(|marked| marked == path)
}

const HEADINGS: [&str; 6] =
    ["SPECIALTY", "Specialty:", "Refer to:", "Specialty Requested", "REFERRED TO (check one)", "Specialty (check one):"];

#[test]
fn of_a_column_of_boxes_under_a_heading_the_ticked_one_is_the_specialty() {
    for heading in HEADINGS {
        for ticked in ["Cardiology", "Urology", "Nephrology"] {
            let column = ["Cardiology", "Neurology", "Urology", "Nephrology"].map(|one| {
                let mark = if one == ticked { "\u{2612}" } else { "\u{2610}" };
                format!("    {mark} {one}")
            });
            let record = offered(&format!("{heading}\n{}", column.join("\n")));
            assert_eq!(specialty(&record), Some(ticked), "{heading} {ticked}");
            assert!(!marks(&record, "referred_to.specialty"), "{heading} {ticked}");
            assert_eq!(record.referred_to.organization, None, "{heading}");
            assert_eq!(record.referred_to.name.family, None, "{heading}");
        }
    }
}

#[test]
fn of_a_column_in_which_none_or_two_are_ticked_nothing_is_taken() {
    for heading in HEADINGS {
        for marks_of in ["\u{2610}\u{2610}\u{2610}", "\u{2612}\u{2610}\u{2612}", "\u{2610}\u{25a3}\u{2610}"] {
            let column: Vec<String> = marks_of
                .chars()
                .zip(["Cardiology", "Neurology", "Urology"])
                .map(|(mark, one)| format!("    {mark} {one}"))
                .collect();
            let record = offered(&format!("{heading}\n{}", column.join("\n")));
            assert_eq!(specialty(&record), None, "{heading} {marks_of}");
            assert!(marks(&record, "referred_to.specialty"), "{heading} {marks_of}");
        }
    }
}

#[test]
fn a_column_whose_boxes_were_not_found_is_for_a_person() {
    for heading in HEADINGS {
        let record = offered(&format!("{heading}\n    Cardiology\n    Neurology\n    Urology"));
        assert!(marks(&record, "referred_to.specialty"), "{heading}: {:?}", specialty(&record));
    }
    let one = offered("SPECIALTY\n    Cardiology");
    assert_eq!(specialty(&one), Some("Cardiology"), "one alone is a value");
}

#[test]
fn an_option_on_no_list_that_is_ticked_beside_another_is_seen() {
    let both = offered("SPECIALTY\n  \u{2612} Cardiology\n  \u{2610} Urology\n  \u{2612} Travel Desk");
    assert_eq!(specialty(&both), None);
    let other = offered("SPECIALTY\n  \u{2610} Cardiology\n  \u{2610} Urology\n  \u{2612} Travel Desk");
    assert_eq!(specialty(&other), Some("Travel Desk"));
    assert!(marks(&other, "referred_to.specialty"));
}

#[test]
fn of_a_row_of_specialties_behind_the_specialists_label_the_ticked_one_is_taken_and_no_organization() {
    let rows = "\
Refer to:   \u{2610} Cardiology   \u{2610} Neurology   \u{2610} Dermatology
            \u{2610} Urology   \u{2612} Nephrology   \u{2610} Pulmonology";
    let record = offered(rows);
    assert_eq!(specialty(&record), Some("Nephrology"));
    assert!(!marks(&record, "referred_to.specialty"));
    assert_eq!(record.referred_to.organization, None);
    let none = offered(&rows.replace('\u{2612}', "\u{2610}"));
    assert_eq!((specialty(&none), none.referred_to.organization.as_deref()), (None, None));
    assert!(marks(&none, "referred_to.specialty"));
}

#[test]
fn of_payers_and_practices_with_boxes_the_ticked_one_is_taken() {
    let payer = |lines: &str| {
        let record = offered(lines);
        let payer = record.insurance.first().and_then(|coverage| coverage.payer.clone());
        (payer, marks(&record, "insurance.0.payer"))
    };
    assert_eq!(payer("Insurance: \u{2610} Aetna \u{2612} Cigna \u{2610} Humana"), (Some("Cigna".to_owned()), false));
    assert_eq!(payer("Insurance: \u{2610} Aetna \u{2610} Cigna \u{2610} Humana"), (None, true));
    let practice = offered("Refer to: \u{2610} Oak Clinic \u{2612} Harbor Urology Associates");
    assert_eq!(practice.referred_to.organization.as_deref(), Some("Harbor Urology Associates"));
}

#[test]
fn a_reason_of_options_is_for_a_person() {
    let page = PATIENT.replace("Reason for Referral: Recurrent infections, evaluate\n\n", "");
    let record = record(&format!("{page}Reason for Referral: \u{2610} Second opinion \u{2612} Evaluate and treat"));
    assert!(marks(&record, "request.reason"));
}

#[test]
fn the_box_of_the_first_option_is_no_part_of_the_label() {
    for row in ["Sex. \u{2610} M \u{2612} F", "Gender \u{2610} M   \u{2612} F"] {
        let record = record(&format!("Patient Name: Lee, Leslie\nDOB: 11/01/1934\n{row}"));
        assert_eq!(record.patient.sex, Some(crate::referral::Sex::F), "{row}");
        assert!(!marks(&record, "patient.sex"), "{row}");
    }
    let lost = record("Patient Name: Lee, Leslie\nDOB: 11/01/1934\nSex. \u{2610} M WF");
    assert!(marks(&lost, "patient.sex"), "the other option could not be read");
}

#[test]
fn a_table_that_asks_for_two_things_as_urgent_as_each_says_gives_no_priority() {
    let table = "SERVICE                 CPT       PRIORITY\nOrthopedic consult      99243     Urgent\nPhysical therapy        97110     Routine";
    let record = record(&format!("Patient Name: Lee, Leslie\nDOB: 11/01/1934\n\n{table}"));
    assert!(marks(&record, "priority") && record.priority == crate::referral::Priority::Unknown);
}
