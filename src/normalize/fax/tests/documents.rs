//! Faxes of several documents: what each page is, and which belong together.

use super::*;
use crate::referral::{Look, PageKind};

const COVER: &str = "\
FAX COVER SHEET
To: Harbor Skin Clinic
From: Elm Street Family Medicine
Fax: (585) 925-6511
Pages including cover: 4";

const LAB: &str = "\
Northgate Laboratories
LABORATORY REPORT
Patient Name: Lee, Leslie     Date of Birth: 11/01/1934
Specimen: serum     Collected: 11/02/2026

Test          Result     Reference range
Hemoglobin    11.2       12.0 to 15.5
Creatinine    0.9        0.6 to 1.2";

const NOTE: &str = "\
PROGRESS NOTE
Patient Name: Lee, Leslie     Date of Birth: 11/01/1934
Chief complaint
Tired for six months.
Physical exam
Pale, no other findings.
Assessment and plan
Evaluate for blood loss.";

const CARD: &str = "\
Aetna
Member: Leslie Lee
Member ID: PD231007728
RxBIN 610502     RxPCN ADV
Copay: office visit $25
Member services (800) 555-0199";

/// The form of the other tests, filled in for somebody else.
fn other_form() -> String {
    FORM.replace("Lee, Leslie", "Howard, John").replace("11/01/1934", "06/21/1991").replace("5202708", "7711002")
}

fn kinds(outcome: &Outcome) -> Vec<PageKind> {
    outcome.pages.iter().map(|page| page.kind).collect()
}

/// The document of each page; 0: set apart.
fn homes(outcome: &Outcome) -> Vec<u32> {
    outcome.pages.iter().map(|page| page.document.unwrap_or(0)).collect()
}

fn attached(outcome: &Outcome) -> Vec<u32> {
    outcome.record.iter().flat_map(|record| &record.attachments).filter_map(|one| one.page).collect()
}

fn proposal(outcome: &Outcome) -> Option<&str> {
    outcome.problems.iter().find(|problem| problem.code == SPLIT_PROPOSED).map(|problem| problem.message.as_str())
}

#[test]
fn what_comes_with_a_referral_is_told_apart_and_stays_with_it() {
    let outcome = read(&[COVER, FORM, LAB, NOTE, CARD]);
    let told = [PageKind::Cover, PageKind::Referral, PageKind::Lab, PageKind::Note, PageKind::InsuranceCard];
    assert_eq!(kinds(&outcome), told, "{:?}", outcome.pages);
    assert_eq!((outcome.kind, homes(&outcome)), (Kind::Referral, vec![1; 5]));
    assert_eq!(attached(&outcome), [1, 2, 3, 4, 5]);
    let record = outcome.record.unwrap();
    assert_eq!(record.attachments[2].kind, Some(PageKind::Lab));
    assert!(!record.held.contains(&HeldReason::SecondPatient), "{:?}", record.problems);
    assert!(outcome.pages.iter().all(|page| page.evidence.iter().all(|words| !words.to_lowercase().contains("lee"))));
}

#[test]
fn each_patient_of_a_batch_has_a_referral_with_their_own_pages_alone() {
    let other = other_form();
    let outcome = read(&[COVER, FORM, LAB, &other]);
    assert_eq!(proposal(&outcome), None);
    assert_eq!((outcome.kind, homes(&outcome)), (Kind::Batch, vec![0, 1, 1, 2]));
    let [first, second] = outcome.items.as_slice() else { panic!("two referrals") };
    assert_eq!((attached(first), attached(second)), (vec![2, 3], vec![4]));
    assert_eq!((first.contents.len(), second.contents.len()), (2, 1));
    let (first, second) = (first.record.as_ref().unwrap(), second.record.as_ref().unwrap());
    assert_eq!((name(first), name(second)), (("Lee", "Leslie"), ("Howard", "John")));
    assert_eq!((born(first), born(second)), ("1934-11-01", "1991-06-21"));
    assert!(!second.held.contains(&HeldReason::SecondPatient));
    assert_eq!(second.evidence["patient.birth_date"].page, Some(4), "pages are counted as in the fax");
}

#[test]
fn what_is_not_plain_is_proposed_and_the_reason_names_pages_alone() {
    let other = other_form();
    let no_form = LAB.replace("Lee, Leslie", "Howard, John").replace("11/01/1934", "06/21/1991");
    let same_name = FORM.replace("11/01/1934", "05/17/1971");
    let nobody = FORM.replace("Patient Name: Lee, Leslie\n", "").replace("Date of Birth: 11/01/1934     ", "");
    let half = nobody.replace("Patient Information\n", "Patient Information\nPatient Name: Howard, John\n");
    let other_specialty = FORM.replace("Gastroenterology", "Cardiology");
    let nameless = NOTE.replace("Patient Name: Lee, Leslie     Date of Birth: 11/01/1934\n", "");
    let of_a_family = NOTE.replace("Lee, Leslie     Date of Birth: 11/01/1934", "Sampleton, Testa");
    for (pages, documents, why) in [
        (vec![FORM, CARD, &other], vec![1, 1, 2], "page 2 without"),
        (vec![FORM, &no_form], vec![1, 2], "page 2: another patient's, with no referral"),
        (vec![FORM, &same_name], vec![1, 2], "page 2 may be about"),
        (vec![FORM, &half], vec![1, 2], "page 2 may be about"),
        (vec![FORM, &nobody], vec![1, 2], "page 2 is a form once more"),
        (vec![FORM, &other_specialty], vec![1, 2], "page 2 asks"),
        (vec![FORM, &other, &nameless], vec![1, 2, 2], "page 3 without"),
        (vec![FORM, &other, &of_a_family], vec![1, 2, 2], "page 3: of the patient before, or"),
        (vec![FORM, &of_a_family, &other], vec![1, 1, 2], "page 2: of the patient before, or"),
        (vec![FORM, &other, COVER], vec![1, 2, 0], "page 3 with nothing behind"),
    ] {
        let outcome = read(&pages);
        let told = proposal(&outcome).unwrap_or_else(|| panic!("{why}: {:?}", homes(&outcome)));
        assert!(told.contains(why) && !told.contains("Howard") && !told.contains("Lee"), "{told}");
        assert_eq!(homes(&outcome), documents, "{told}");
    }
}

#[test]
fn a_page_that_cannot_be_read_is_not_blank_and_may_be_anybodys() {
    let other = other_form();
    let mut pages: Vec<PageReading> = (1_u32..).zip([FORM, "", &other]).map(|(number, drawn)| page(number, drawn)).collect();
    let blank = normalize(&Reading { pages: pages.clone(), problems: Vec::new() }, &rules());
    assert_eq!((proposal(&blank), kinds(&blank)[1], homes(&blank)), (None, PageKind::Blank, vec![1, 1, 2]));
    pages[1].look = Look::of(&[7; Look::COLUMNS * Look::ROWS]);
    let unreadable = normalize(&Reading { pages, problems: Vec::new() }, &rules());
    assert!(proposal(&unreadable).unwrap().contains("page 2 without"));
}

#[test]
fn a_page_counted_by_who_wrote_it_follows_the_one_before_it() {
    let first = format!("{FORM}\nPage 1 of 2");
    let other = other_form();
    let outcome = read(&[&first, "Medications continued\nOmeprazole twice daily\nPage 2 of 2", &other]);
    assert_eq!((proposal(&outcome), homes(&outcome)), (None, vec![1, 1, 2]));
}

#[test]
fn a_misread_name_or_date_makes_no_second_patient() {
    for (from, to) in [("Lee, Leslie", "Lce, Leslie"), ("11/01/1934", "11/07/1934")] {
        let outcome = read(&[FORM, &LAB.replace(from, to)]);
        assert_eq!((outcome.kind, homes(&outcome)), (Kind::Referral, vec![1, 1]), "{to}");
    }
}

#[test]
fn what_a_note_complains_of_is_not_the_reason_of_the_form() {
    let with_note = read(&[FORM, NOTE]).record.unwrap();
    assert_eq!(with_note.request.reason, record(FORM).request.reason);
    assert!(with_note.review.is_empty(), "{:?}", with_note.review);
}

#[test]
fn a_person_takes_a_fax_apart_as_they_say() {
    let other = other_form();
    let pages = (1_u32..).zip([COVER, FORM, CARD, &other]).map(|(number, drawn)| page(number, drawn)).collect();
    let reading = Reading { pages, problems: Vec::new() };
    let said = FaxRules { documents: Some(vec![vec![2], vec![4, 3]]), ..rules() };
    let outcome = normalize(&reading, &said);
    assert_eq!((proposal(&outcome), homes(&outcome)), (None, vec![0, 1, 2, 2]));
    assert_eq!((attached(&outcome.items[0]), attached(&outcome.items[1])), (vec![2], vec![4, 3]));
    let all = FaxRules { documents: Some(vec![vec![2, 3]]), ..rules() };
    let outcome = normalize(&reading, &all);
    assert_eq!((outcome.kind, attached(&outcome), homes(&outcome)), (Kind::Referral, vec![2, 3], vec![0, 1, 1, 0]));
}

#[test]
fn a_fax_with_fewer_pages_than_its_cover_says_is_held() {
    let form = "Patient: Leslie Lee\nDOB: 11/01/1934\nPriority: Routine\nReason: Recurrent headache, evaluate";
    let held = |count: &str| {
        let cover = format!("FAX COVER SHEET\nTo: Linden Neuroscience\nFrom: Cedar Family Clinic\nPages: {count}");
        let record = read(&[&cover, form]).record.unwrap();
        (record.held.contains(&HeldReason::NotAllRead), record.problems.iter().any(|problem| problem.code == "pages-missing"))
    };
    assert_eq!(held("5 including cover"), (true, true));
    for count in ["2", "1", "2 including cover", "see below"] {
        assert_eq!(held(count), (false, false), "{count}");
    }
}

/// What is said of the pages of a fax that did not come, form by form.
fn not_come(pages: &[&str]) -> Vec<String> {
    let outcome = read(pages);
    let records = outcome.items.iter().chain(std::iter::once(&outcome)).filter_map(|one| one.record.as_deref());
    let said = |record: &Record| {
        let said: Vec<&str> =
            record.problems.iter().filter(|one| one.code == "pages-missing").map(|one| one.message.as_str()).collect();
        assert_eq!(record.held.contains(&HeldReason::NotAllRead), !said.is_empty());
        said.join("; ")
    };
    records.map(said).collect()
}

#[test]
fn a_page_that_the_others_count_and_that_did_not_come_holds_the_referral() {
    let numbered = |text: &str, line: &str| format!("{text}\n\n{line}");
    let more = |line: &str| numbered("Medications continued\nOmeprazole twice daily", line);
    for (first, second, missing) in [
        ("Page 1 of 3", "3 of 3", "page 2 is"),
        ("Page 1/4", "- Page 4/4 -", "pages 2 to 3 are"),
        ("Page: 1 of 2", "Page 2 of 2", ""),
        ("Page 2 of 3", "Page 3 of 3", "page 1 is"),
        ("Page 1 of 3", "Page 2 of 3", "page 3 is"),
        ("3 of 3", "1 of 3", "page 2 is"),
        ("2 of 2", "1 of 2", ""),
        ("Page 1 of 2", "Seen 3 of 12 times", ""),
        ("Take 1 of 3 tablets", "and 3 of 3 at night", ""),
        ("For details see page 4 of 5", "which also has page 1 of 9", ""),
    ] {
        let said = not_come(&[&numbered(FORM, first), &more(second)]);
        assert_eq!(said.len(), 1);
        assert!(if missing.is_empty() { said[0].is_empty() } else { said[0].contains(missing) }, "{first}, {second}: {said:?}");
    }
    // A page whose number cannot be read may be any.
    assert_eq!(not_come(&[&numbered(FORM, "Page 1 of 3"), &more(""), &more("Page 3 of 3")]), [""]);
    assert_eq!(not_come(&[&numbered(FORM, "Page 1 of 3"), &more(""), LAB]), [""]);
}

#[test]
fn each_document_of_a_fax_counts_its_own_pages() {
    let other = other_form();
    let first = format!("{FORM}\nPage 1 of 2");
    let rest = "Medications continued\nOmeprazole twice daily\nPage 2 of 2";
    let second = format!("{other}\nPage 1 of 1");
    assert_eq!(not_come(&[&first, rest, &second]), ["", ""]);
    let gap = format!("{other}\nPage 1 of 3");
    let said = not_come(&[&first, rest, &gap]);
    assert!(said[0].is_empty() && said[1].contains("pages 2 to 3 are"), "{said:?}");
    // Of a laboratory report some pages are sent on purpose, but none is left out of the middle.
    let lab = |number: u32| format!("{LAB}\nPage {number} of 5");
    assert_eq!(not_come(&[FORM, &lab(3), &lab(4)]), [""]);
    assert!(not_come(&[FORM, &lab(2), &lab(4)])[0].contains("page 3 is"));
}

#[test]
fn the_line_of_the_sending_machine_counts_the_pages_of_the_fax() {
    let sent = |number: u32, text: &str, line: &str| {
        let mut page = page(number, &format!("{line}\n{text}"));
        for word in page.words.iter_mut().filter(|word| word.line == 0) {
            (word.bounds[1], word.bounds[3]) = (20, 46);
        }
        page
    };
    let not_come = |lines: [&str; 2]| {
        let pages = vec![sent(1, FORM, lines[0]), sent(2, LAB, lines[1])];
        let record = normalize(&Reading { pages, problems: Vec::new() }, &rules()).record.unwrap();
        let said = record.problems.iter().find(|one| one.code == "pages-missing").map(|one| one.message.clone());
        said.unwrap_or_default()
    };
    let from = "11/20/2026 09:14  FROM: OAKFIELD MEDICINE  5859256511";
    let line = |count: &str| format!("{from}   {count}");
    assert!(not_come([&line("P. 1/3"), &line("P. 3/3")]).contains("page 2 is"));
    assert!(not_come([&line("P.001/003"), &line("P.002/003")]).contains("page 3 is"));
    assert!(not_come([&line("P.1"), &line("P.3")]).contains("page 2 is"));
    for whole in [["P. 1/2", "P. 2/2"], ["P.01", "P.02"], ["Page 1 of 2", "Page 2 of 2"], ["P. 1/2", ""]] {
        assert_eq!(not_come([&line(whole[0]), &line(whole[1])]), "", "{whole:?}");
    }
}
