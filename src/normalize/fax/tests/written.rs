//! What a pen or a stamp adds to a form: values written by hand, words of urgency, questions.

use super::*;

fn marks(record: &Record, path: &str) -> bool {
    record.review.iter().any(|marked| marked == path)
}

const FILLED: &str = "\
Patient Name: Harold Moss
DOB: 05/24/1944     Phone: 503 555 0155
Priority: Routine
Specialty: Neurology
Reason for Referral: Recurrent headache, please evaluate
Referring Physician: Jesus Phillips, MD     NPI: 1783266160";

/// The form with some of its words larger by so many pixels each way, and read this surely.
fn larger(words: &[&str], pixels: u32, confidence: f32) -> Record {
    let mut page = page(1, FILLED);
    for word in page.words.iter_mut().filter(|word| words.contains(&word.text.as_str())) {
        let letters = u32::try_from(word.text.chars().count()).unwrap();
        word.bounds[1] -= pixels / 2;
        word.bounds[3] += pixels / 2;
        word.bounds[2] = word.bounds[0] + letters * 18;
        word.confidence = confidence;
    }
    // Larger letters need more room.
    for word in page.words.iter_mut().filter(|word| ["Phone:", "503", "555", "0155"].contains(&word.text.as_str())) {
        let shift =
            ["Phone:", "503", "555", "0155"].iter().position(|text| *text == word.text).map_or(0, |at| 200 + 30 * at as u32);
        word.bounds[0] += shift;
        word.bounds[2] += shift;
    }
    *normalize(&Reading { pages: vec![page], problems: Vec::new() }, &rules()).record.unwrap()
}

const WORDS: [&str; 6] = ["Harold", "Moss", "05/24/1944", "503", "555", "0155"];

#[test]
fn values_that_are_written_by_hand_are_marked_however_surely_they_were_read() {
    let record = larger(&WORDS, 14, 0.92);
    for path in ["patient.name.family", "patient.name.given", "patient.birth_date", "patient.phones.0.number"] {
        assert!(marks(&record, path), "{path}: {:?}", record.review);
    }
    assert!(!marks(&record, "referring.name.family") && !marks(&record, "referred_to.specialty"), "{:?}", record.review);
}

#[test]
fn values_that_are_printed_larger_than_their_labels_are_not() {
    let record = larger(&WORDS, 14, 0.96);
    assert!(record.review.is_empty(), "{:?}", record.review);
}

const ROUTINE: &str = "Patient: Leslie Lee\nDOB: 11/01/1934\nPriority: Routine\nReason: Recurrent headache, evaluate";

#[test]
fn a_word_of_urgency_away_from_the_priority_contradicts_it() {
    for (head, foot) in [
        ("Oakfield Clinic                    STAT", ""),
        ("** URGENT **", ""),
        ("STAT REFERRAL - Patient Referral Form", ""),
        ("", "PLEASE SCHEDULE ASAP - SUSPECTED MALIGNANCY"),
    ] {
        let record = record(&format!("{head}\n{ROUTINE}\n\n{foot}"));
        assert_eq!(record.priority, Priority::Unknown, "{head}{foot}");
        assert!(marks(&record, "priority") && record.held.contains(&HeldReason::PriorityUnknown), "{head}{foot}");
        assert!(record.problems.iter().any(|problem| problem.code == "priority-contradicts"));
    }
}

#[test]
fn a_ticked_cover_page_contradicts_the_form_behind_it() {
    let cover = "FAX COVER SHEET\nTo: Linden Neuroscience\nFrom: Cedar Family Clinic\nPages: 2\n\u{2612} Urgent     \u{2610} For review     \u{2610} Please reply";
    assert_eq!(read(&[cover, ROUTINE]).record.unwrap().priority, Priority::Unknown);
    assert_eq!(read(&[&cover.replace('\u{2612}', "\u{2610}"), ROUTINE]).record.unwrap().priority, Priority::Routine);
}

#[test]
fn words_of_urgency_that_say_nothing_of_the_referral_contradict_nothing() {
    for line in [
        "HARBOR URGENT CARE",
        "Seen at urgent care on 10/01/2026",
        "If urgent, call us",
        "NOT URGENT",
        "STAT = within a day",
        "EMERGENCY CONTACT",
        "Is this urgent? Yes / No",
    ] {
        let record = record(&format!("{ROUTINE}\n\n{line}"));
        assert_eq!(record.priority, Priority::Routine, "{line}");
        assert!(!marks(&record, "priority"), "{line}");
    }
    let agreed = record(&format!("STAT\n{}", ROUTINE.replace("Routine", "STAT")));
    assert_eq!(agreed.priority, Priority::Stat);
}

#[test]
fn a_question_whether_it_is_urgent_is_no_answer() {
    let record = record("Referral Form\nIs this referral urgent?   Yes / No\nPatient: Leslie Lee\nDOB: 11/01/1934");
    assert_eq!(record.priority, Priority::Unknown);
}
