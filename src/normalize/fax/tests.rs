//! Small pages, drawn as text: a character is 12 pixels wide, a line 40 pixels high.

mod choices;
mod documents;
mod doubts;
mod layouts;
mod printed;
mod standing;
mod templates;
mod written;

use super::*;
use crate::{
    reader::{MachineCode, PageReading, Word},
    referral::{HeldReason, PhoneUse, Priority, Record, Reference, ReplyOutcome},
};

const CONFIDENCE: f32 = 0.96;

/// A page as it is drawn. Words stand where their letters stand.
fn page(number: u32, drawn: &str) -> PageReading {
    let mut words = Vec::new();
    for (line, text) in (0_u32..).zip(drawn.lines()) {
        let mut column = 0_u32;
        for piece in text.split(' ') {
            let length = u32::try_from(piece.chars().count()).unwrap();
            if length > 0 {
                let (left, top) = (100 + column * 12, 300 + line * 40);
                let bounds = [left, top, left + length * 12, top + 26];
                words.push(Word { text: piece.to_owned(), confidence: CONFIDENCE, bounds, line, block: 0 });
            }
            column += length + 1;
        }
    }
    PageReading {
        number,
        width: 1734,
        height: 2244,
        dpi: 204.0,
        image: bytes::Bytes::from_static(b"png"),
        words,
        codes: Vec::new(),
        look: None,
    }
}

fn rules() -> FaxRules {
    FaxRules::on(jiff::civil::date(2026, 11, 21))
}

fn read(drawn: &[&str]) -> Outcome {
    let pages = (1_u32..).zip(drawn).map(|(number, drawn)| page(number, drawn)).collect();
    normalize(&Reading { pages, problems: Vec::new() }, &rules())
}

fn record(drawn: &str) -> Record {
    *read(&[drawn]).record.expect("it is a referral")
}

fn name(record: &Record) -> (&str, &str) {
    let name = &record.patient.name;
    (name.family.as_deref().unwrap_or(""), name.given.as_deref().unwrap_or(""))
}

fn born(record: &Record) -> &str {
    record.patient.birth_date.as_ref().map_or("", |date| date.as_str())
}

const FORM: &str = "\
Oakfield Family Medicine
Phone: (585) 925-6511   Fax: (630) 274-9277

Patient Information
Patient Name: Lee, Leslie
Date of Birth: 11/01/1934     Sex: Female
Address: 12 Elm St, Portland, OR 97201
Phone: (415) 253-7700

Insurance
Insurance Company: Aetna
Member ID: PD231007728   Group #: 37618

Referring Provider
Referring Physician: Jesus Phillips, MD
NPI: 1783266160

Specialty: Gastroenterology
Priority: Urgent
Diagnosis (ICD-10): K21.9 Reflux disease; D64.9 Anemia
Reason for Referral: Iron deficiency anemia without obvious source, evaluate for blood";

#[test]
fn a_form_of_labels_with_colons_becomes_a_whole_record() {
    let outcome = read(&[FORM]);
    let record = outcome.record.expect("it is a referral");
    assert_eq!(name(&record), ("Lee", "Leslie"));
    assert_eq!(born(&record), "1934-11-01");
    assert_eq!(record.patient.sex, Some(crate::referral::Sex::F));
    assert_eq!(record.patient.phones[0].number, "+14152537700");
    assert_eq!(record.patient.address.city.as_deref(), Some("Portland"));
    assert_eq!(record.insurance[0].payer.as_deref(), Some("Aetna"));
    assert_eq!(record.insurance[0].member_id.as_deref(), Some("PD231007728"));
    assert_eq!(record.referring.name.family.as_deref(), Some("Phillips"));
    assert_eq!(record.referring.npi.as_deref(), Some("1783266160"));
    assert_eq!(record.referring.organization.as_deref(), Some("Oakfield Family Medicine"));
    let uses: Vec<_> = record.referring.phones.iter().map(|phone| (phone.number.as_str(), phone.usage)).collect();
    assert_eq!(uses, [("+15859256511", Some(PhoneUse::Work)), ("+16302749277", Some(PhoneUse::Fax))]);
    assert_eq!(record.priority, Priority::Urgent);
    let codes: Vec<_> = record.request.diagnoses.iter().filter_map(|code| code.code.as_deref()).collect();
    assert_eq!(codes, ["K21.9", "D64.9"]);
    assert!(record.review.is_empty(), "{:?}", record.review);
    assert!(record.held.is_empty());
    assert_eq!(record.attachments.len(), 1);
    assert_eq!(outcome.contents.len(), 1);
}

#[test]
fn every_value_has_its_evidence_on_the_page() {
    let record = record(FORM);
    let evidence = &record.evidence["patient.birth_date"];
    assert_eq!(evidence.text.as_deref(), Some("11/01/1934"));
    assert_eq!(evidence.page, Some(1));
    assert_eq!(evidence.bounds, Some([100 + 15 * 12, 500, 100 + 25 * 12, 526]));
    assert!(evidence.confidence >= 0.95);
}

#[test]
fn in_a_grid_the_value_stands_under_its_label() {
    let record = record(
        "\
Last name           First name          DOB              Sex
Lee                 Leslie              11/01/1934       F

Home phone          MRN
(415) 253-7700      5202708

Specialty requested       Urgency
Neurology                 STAT",
    );
    assert_eq!(name(&record), ("Lee", "Leslie"));
    assert_eq!(born(&record), "1934-11-01");
    assert_eq!(record.patient.identifiers[0].value, "5202708");
    assert_eq!(record.referred_to.specialty.as_deref(), Some("Neurology"));
    assert_eq!(record.priority, Priority::Stat);
}

#[test]
fn a_letter_names_the_patient_in_its_subject_and_the_referrer_under_its_closing() {
    let record = record(
        "\
Lakeside Internal Medicine
Telephone (419) 448-6393   Facsimile (290) 517-8797

08/17/2026

Dr. Carmen Jones
Department of Gastroenterology
Fax (529) 468-0256

RE: John Howard, DOB 06/21/1991, phone (302) 939-2023

Dear Dr. Jones,

Thank you for seeing this patient. Positive fecal test, please perform colonoscopy.
Current medications are Lisinopril 10 mg daily. Blood pressure today 121/81.

Diagnosis: Reflux disease (K21.9).

Sincerely,

Larry Johnson, MD
NPI 2272887797",
    );
    assert_eq!(name(&record), ("Howard", "John"));
    assert_eq!(born(&record), "1991-06-21");
    assert_eq!(record.patient.phones[0].number, "+13029392023");
    assert_eq!(record.referring.name.family.as_deref(), Some("Johnson"));
    assert_eq!(record.referred_to.name.family.as_deref(), Some("Jones"));
    assert_eq!(record.referred_to.specialty.as_deref(), Some("Gastroenterology"));
    assert_eq!(record.request.reason.as_deref(), Some("Positive fecal test, please perform colonoscopy"));
    let fax = record.referring.phones.iter().find(|phone| phone.usage == Some(PhoneUse::Fax)).unwrap();
    assert_eq!(fax.number, "+12905178797", "the addressee's fax does not win");
    assert_eq!(record.priority, Priority::Unknown);
    assert_eq!(record.held, [HeldReason::PriorityUnknown], "no priority is not routine");
}

#[test]
fn a_cover_page_says_who_sends_and_does_not_lend_the_patient_its_numbers() {
    let cover = "\
FAX

TO: Harbor Cardiology Clinic
FAX: (529) 468-0256

FROM: Oakfield Family Medicine
PHONE: (585) 925-6511
FAX: (630) 274-9277
PAGES: 2 including cover";
    let form = "\
Referral to Cardiology - STAT

Patient:            LEE, LESLIE
Birth date:         11/01/1934
Tel:                (415) 253-7700
Ordering provider:  Phillips, Jesus (NPI 1783266160)
ICD-10:             148.91
Indication:         Rate control, please advise";
    let record = read(&[cover, form]).record.unwrap();
    assert_eq!(record.referring.organization.as_deref(), Some("Oakfield Family Medicine"));
    let numbers: Vec<_> = record.referring.phones.iter().map(|phone| phone.number.as_str()).collect();
    assert_eq!(numbers, ["+15859256511", "+16302749277"]);
    assert_eq!(record.patient.phones[0].number, "+14152537700");
    assert_eq!(record.referring.name.family.as_deref(), Some("Phillips"));
    assert_eq!(record.referring.npi.as_deref(), Some("1783266160"));
    assert_eq!(record.referred_to.specialty.as_deref(), Some("Cardiology"));
    assert_eq!(record.request.diagnoses[0].code.as_deref(), Some("I48.91"));
    assert_eq!(record.priority, Priority::Stat);
}

#[test]
fn decoys_do_not_win() {
    let record = record(
        "\
Patient Name: Lee, Leslie
Date of Birth: 11/01/1934
Phone: (415) 253-7700
Emergency Contact: Robin Lee
Phone: (415) 999-1111
Subscriber DOB: 02/02/1960
Last visit: 10/01/2026
Primary care physician: Dana Other, MD
NPI: 2272887797
Phone: (415) 888-2222
Referring provider: Jesus Phillips, MD
NPI: 1783266160",
    );
    assert_eq!(born(&record), "1934-11-01");
    assert_eq!(record.patient.phones.len(), 1);
    assert_eq!(record.patient.phones[0].number, "+14152537700");
    assert_eq!(record.referring.npi.as_deref(), Some("1783266160"));
    assert_eq!(record.referring.name.family.as_deref(), Some("Phillips"));
    assert!(record.referring.phones.is_empty());
}

#[test]
fn two_columns_with_headings_are_kept_apart() {
    let record = record(
        "\
Patient Information                    Referring Provider
Name: Lee, Leslie                      Name: Jesus Phillips, MD
DOB: 11/01/1934                        Clinic: Oakfield Clinic
Phone: (415) 253-7700                  Phone: (585) 925-6511
Emergency contact: Robin Lee           NPI: 1783266160",
    );
    assert_eq!(record.referring.npi.as_deref(), Some("1783266160"), "the left column's contact does not take it");
    assert_eq!(name(&record), ("Lee", "Leslie"));
    assert_eq!(record.patient.phones[0].number, "+14152537700");
    assert_eq!(record.referring.name.family.as_deref(), Some("Phillips"));
    assert_eq!(record.referring.phones[0].number, "+15859256511");
}

#[test]
fn a_value_with_a_rival_is_read_and_marked() {
    let record = record("Patient Name: Lee, Leslie\nDate of Birth: 11/01/1934\n\nPatient DOB: 11/01/1984");
    assert!(record.review.contains(&"patient.birth_date".to_owned()));
    assert!(record.held.contains(&HeldReason::BlockingField));
    assert_eq!(record.evidence["patient.birth_date"].rivals.len(), 1);
}

#[test]
fn a_word_read_with_doubt_is_filled_and_marked() {
    let mut page = page(1, FORM);
    for word in &mut page.words {
        if word.text == "11/01/1934" {
            word.confidence = 0.4;
        }
    }
    let record = normalize(&Reading { pages: vec![page], problems: Vec::new() }, &rules()).record.unwrap();
    assert_eq!(born(&record), "1934-11-01");
    assert_eq!(record.review, ["patient.birth_date"]);
    assert_eq!(record.held, [HeldReason::BlockingField]);
}

#[test]
fn a_failed_check_digit_is_a_problem_and_marked() {
    let record = record("Patient Name: Lee, Leslie\nDOB: 11/01/1934\nReferring provider: Jesus Phillips, MD\nNPI: 1783266161");
    assert!(record.review.contains(&"referring.npi".to_owned()));
    let problem = record.problems.iter().find(|problem| problem.code == "npi-check-digit").unwrap();
    assert!(!problem.message.contains("1783266161"), "a problem holds no patient data");
}

#[test]
fn a_birth_date_in_the_future_is_doubted() {
    let record = record("Patient Name: Lee, Leslie\nDOB: 11/01/2034");
    assert!(record.review.contains(&"patient.birth_date".to_owned()));
    assert!(record.problems.iter().any(|problem| problem.code == "birth-date-implausible"));
}

#[test]
fn a_ticked_box_decides_and_an_unticked_row_does_not() {
    let ticked = record("Patient Name: Lee, Leslie\nPriority: [ ] Routine [X] Urgent [ ] STAT");
    assert_eq!(ticked.priority, Priority::Urgent);
    let unticked = record("Patient Name: Lee, Leslie\nPriority: [ ] Routine [ ] Urgent [ ] STAT");
    assert_eq!(unticked.priority, Priority::Unknown);
    assert!(unticked.held.contains(&HeldReason::PriorityUnknown));
}

#[test]
fn our_cover_page_come_back_is_an_unclear_reply() {
    let reference = Reference::generate();
    let mut returned = page(1, "Referral received: [ ] yes [ ] no");
    returned.codes.push(MachineCode { symbology: "qr".to_owned(), text: reference.as_str().to_owned() });
    let outcome = normalize(&Reading { pages: vec![returned], problems: Vec::new() }, &rules());
    let reply = outcome.reply.unwrap();
    assert!(outcome.kind == Kind::Reply && reply.outcome == ReplyOutcome::Unclear);
    assert_eq!((reply.reference.as_deref(), reply.matched_by.as_deref()), (Some(reference.as_str()), Some("code")));
    let printed = read(&[&format!("Reference {reference}\nReferral received: yes")]).reply.unwrap();
    assert_eq!((printed.reference.as_deref(), printed.matched_by.as_deref()), (Some(reference.as_str()), Some("reference")));
}

#[test]
fn a_reference_with_a_misread_character_is_none() {
    let text = Reference::generate().as_str().to_owned();
    let wrong = if text.ends_with('8') { text.replace('8', "B") } else { format!("{}8", text.get(..11).unwrap()) };
    assert!(read(&[&format!("Reference {wrong}")]).reply.is_none());
}

#[test]
fn a_document_that_shows_nothing_is_for_a_person() {
    for drawn in [vec![], vec![""]] {
        let outcome = read(&drawn);
        assert!(outcome.kind == Kind::Unknown && outcome.record.is_none());
        assert!(!outcome.problems.is_empty());
    }
}

#[test]
fn what_is_required_and_missing_is_marked() {
    let record = record("Patient Name: Lee, Leslie");
    for path in ["patient.birth_date", "priority", "request.reason", "referred_to.specialty"] {
        assert!(record.review.contains(&path.to_owned()), "{path}");
    }
    assert!(record.held.contains(&HeldReason::BlockingField));
}

/// What a fax with these lines is held for, and what is marked in it.
fn marked(drawn: &str) -> (Vec<String>, Vec<HeldReason>) {
    let record = record(drawn);
    (record.review, record.held)
}

#[test]
fn a_missing_part_of_the_identity_is_marked_and_holds_the_referral() {
    let rest = "Priority: Routine\nReason for Referral: Recurrent palpitations, please evaluate";
    for (drawn, missing) in [
        ("Last name: Lee\nDate of Birth: 11/01/1934", "patient.name.given"),
        ("First name: Leslie\nDate of Birth: 11/01/1934", "patient.name.family"),
        ("Patient Name: Lee, Leslie", "patient.birth_date"),
        ("Patient Name: Lee, Leslie\nDate of Birth: 13/45/1934", "patient.birth_date"),
        ("Patient Name: Lee, Leslie\nDate of Birth: unknown", "patient.birth_date"),
        ("Last name: Lee\nFirst name:\nDate of Birth: 11/01/1934", "patient.name.given"),
    ] {
        let (review, held) = marked(&format!("{drawn}\n{rest}"));
        assert!(review.contains(&missing.to_owned()), "{drawn}: {review:?}");
        assert!(held.contains(&HeldReason::BlockingField), "{drawn}");
    }
}

#[test]
fn a_whole_identity_that_was_read_well_holds_nothing() {
    let (review, held) = marked("Patient Name: Lee, Leslie\nDate of Birth: 11/01/1934\nPriority: Routine");
    assert!(!review.iter().any(|path| path.starts_with("patient.name") || path == "patient.birth_date"), "{review:?}");
    assert!(held.is_empty(), "{held:?}");
}

#[test]
fn what_is_missing_beside_identity_and_priority_is_marked_and_holds_nothing() {
    let (review, held) = marked("Patient Name: Lee, Leslie\nDate of Birth: 11/01/1934\nPriority: Routine");
    for path in ["patient.phones.0.number", "referring.name.family", "referred_to.specialty", "request.reason"] {
        assert!(review.contains(&path.to_owned()), "{path}");
    }
    assert!(held.is_empty());
}

#[test]
fn two_given_names_of_equal_weight_are_marked() {
    let (review, held) = marked("Patient Name: Lee, Leslie\nDOB: 11/01/1934\n\nPatient Name: Lee, Lester");
    assert!(review.contains(&"patient.name.given".to_owned()), "{review:?}");
    assert!(held.contains(&HeldReason::BlockingField));
}

#[test]
fn a_row_of_boxes_none_of_which_is_ticked_is_marked_and_a_problem() {
    let record = record("Patient Name: Lee, Leslie\nDOB: 11/01/1934\nSex: [ ] Male [ ] Female");
    assert_eq!(record.patient.sex, None);
    assert!(record.review.contains(&"patient.sex".to_owned()));
    assert!(record.problems.iter().any(|problem| problem.code == "tick-unclear"));
}

#[test]
fn a_number_with_a_gap_is_read_whole_and_marked() {
    let record = record("Patient Name: Lee, Leslie\nInsurance Company: Aetna\nMember ID: GE368485 323");
    assert_eq!(record.insurance[0].member_id.as_deref(), Some("GE368485323"));
    assert!(record.review.contains(&"insurance.0.member_id".to_owned()));
}

#[test]
fn a_reason_with_a_hole_in_it_is_read_to_its_end_and_marked() {
    let record = record("Patient Name: Lee, Leslie\nReason for Referral: Persistent         shoulder weakness after a fall");
    assert_eq!(record.request.reason.as_deref(), Some("Persistent shoulder weakness after a fall"));
    assert!(record.review.contains(&"request.reason".to_owned()));
    let record = self::record("Patient Name: Lee, Leslie\nReason for Referral: Persi");
    assert!(record.review.contains(&"request.reason".to_owned()), "one word is hardly the whole reason");
}

#[test]
fn the_name_of_a_practice_that_breaks_off_is_read_on_in_the_next_line_or_marked() {
    let wrapped = record(
        "\
PATIENT INFORMATION                    REFERRING PROVIDER
Name: Lee, Leslie                      Name: Jesus Phillips, MD
DOB: 11/01/1934                        Practice: Lake Oakfield Medical
                                       Associates
Phone: (415) 253-7700                  Phone: (585) 925-6511",
    );
    assert_eq!(wrapped.referring.organization.as_deref(), Some("Lake Oakfield Medical Associates"));
    let cut = record("Patient Name: Lee, Leslie\nReferring Physician: Jesus Phillips, MD\nReferring Practice: Oakfield Medical");
    assert!(cut.referring.organization.is_none() || cut.review.contains(&"referring.organization".to_owned()));
}

#[test]
fn digits_read_with_some_doubt_are_marked_unless_the_page_says_them_twice() {
    let doubted = |drawn: &str| {
        let mut page = page(1, drawn);
        for word in page.words.iter_mut().filter(|word| word.text.contains("925-6511")) {
            word.confidence = 0.70;
        }
        normalize(&Reading { pages: vec![page], problems: Vec::new() }, &rules()).record.unwrap().review
    };
    let once = "Patient Name: Lee, Leslie\nReferring Physician: Jesus Phillips, MD\nReferring Phone: (585) 925-6511";
    assert!(doubted(once).contains(&"referring.phones.0.number".to_owned()));
    assert!(!doubted(&format!("{once}\n\nReferring Phone: (585) 925-6511")).contains(&"referring.phones.0.number".to_owned()));
}

#[test]
fn words_of_a_phrase_that_are_labels_elsewhere_cut_nothing_off() {
    let record = record(
        "\
Briar Street Pediatrics
Phone: (585) 925-6511

Patient Name: Lee, Leslie
Insurance: Cascade Health Plan
Refer To: Allergy and Immunology
Reason for Referral: Poorly controlled asthma in spite of inhaled steroid, new irregular pulse,
                     allergy testing requested.
Notes: Mother will bring the diary.",
    );
    assert_eq!(record.referring.organization.as_deref(), Some("Briar Street Pediatrics"));
    assert_eq!(record.insurance[0].payer.as_deref(), Some("Cascade Health Plan"));
    let reason = "Poorly controlled asthma in spite of inhaled steroid, new irregular pulse, allergy testing requested.";
    assert_eq!(record.request.reason.as_deref(), Some(reason));
    assert_eq!(record.notes, ["Mother will bring the diary."]);
}

#[test]
fn an_l_that_was_a_capital_i_is_put_right_in_a_reason() {
    let record = record("Patient Name: Lee, Leslie\nReason for Referral: lron deficiency, evaluate for Gl blood loss of 3 lbs");
    assert_eq!(record.request.reason.as_deref(), Some("Iron deficiency, evaluate for GI blood loss of 3 lbs"));
}

#[test]
fn a_cover_page_that_prints_the_number_differently_contests_it() {
    let cover = "\
Briar Street Pediatrics
Phone: (503) 925-6511

FAX COVER SHEET
To: Cardiology referral desk
From: Briar Street Pediatrics
Pages: 2";
    let form = "Briar Street Pediatrics\nPhone: (603) 925-6511\n\nPatient Name: Lee, Leslie\nDOB: 11/01/1934";
    let record = read(&[cover, form]).record.unwrap();
    assert!(record.review.contains(&"referring.phones.0.number".to_owned()), "{:?}", record.review);
    let record = read(&[cover, &form.replace("603", "503")]).record.unwrap();
    assert!(!record.review.contains(&"referring.phones.0.number".to_owned()), "{:?}", record.review);
}

#[test]
fn a_diagnosis_code_that_cannot_be_read_is_marked() {
    let record = record("Patient Name: Lee, Leslie\nDOB: 11/01/1934\nICD-10: \u{a3}05.90");
    assert!(record.request.diagnoses.is_empty());
    assert!(record.review.contains(&"request.diagnoses.0.code".to_owned()));
}
