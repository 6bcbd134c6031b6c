//! Forms of known senders: found however the page lies, read where no label helps, and never against a label unseen.

use super::*;

/// A form on which the name of the payer and the fax number stand without a label, and the birth date under a word that no table has.
const INTAKE: &str = "\
Cedar Hollow Clinic intake

Patient Name: Lee, Leslie          Hatched: 11/01/1934
Home phone: (415) 253-7700         MRN: 5202708

Aetna                              Member ID: PD231007728

Referring Provider: Jesus Phillips, MD
NPI: 1783266160                    (630) 274-9277

Specialty: Gastroenterology        Priority: Urgent

Reason for Referral: Iron deficiency anemia without obvious source";

/// The same form about somebody else.
const ANOTHER: &str = "\
Cedar Hollow Clinic intake

Patient Name: Okonjo, Delphine     Hatched: 08/30/1948
Home phone: (206) 555-0115         MRN: 2071965

Cigna                              Member ID: ESC5528013

Referring Provider: Stellan Marchbanks, MD
NPI: 1000000038                    (206) 555-0188

Specialty: Cardiology              Priority: Routine

Reason for Referral: New irregular pulse, evaluate and advise";

/// Millimetres of a column and a line of a drawn page.
fn at(column: u32, line: u32) -> (f64, f64) {
    let mm = |pixels: u32| f64::from(pixels) * 25.4 / 204.0;
    (mm(100 + column * 12), mm(300 + line * 40))
}

/// The box around so many columns of a line.
fn boxed(column: u32, columns: u32, line: u32) -> String {
    let ((left, top), (right, bottom)) = (at(column, line), at(column + columns, line));
    box_mm([left - 1.0, top - 1.0, right + 1.0, bottom + 4.2])
}

fn anchor(words: &str, column: u32, line: u32) -> String {
    let columns = u32::try_from(words.chars().count()).unwrap();
    let ((left, top), (right, _)) = (at(column, line), at(column + columns, line));
    format!("[[anchor]]\nwords = \"{words}\"\nbox_mm = {}\n", box_mm([left, top, right, top + 3.2]))
}

fn field(path: &str, column: u32, columns: u32, line: u32) -> String {
    format!("[[field]]\npath = \"{path}\"\nbox_mm = {}\n", boxed(column, columns, line))
}

const ANCHORS: [(&str, u32, u32); 8] = [
    ("Patient Name:", 0, 2),
    ("Home phone:", 0, 3),
    ("MRN:", 35, 3),
    ("Member ID:", 35, 5),
    ("Referring Provider:", 0, 7),
    ("NPI:", 0, 8),
    ("Priority:", 35, 10),
    ("Reason for Referral:", 0, 12),
];

fn anchors() -> String {
    ANCHORS.iter().map(|(words, column, line)| anchor(words, *column, *line)).collect()
}

/// Rules with these forms, each a name and the text of its file.
fn with(forms: &[(&str, &str)]) -> FaxRules {
    let forms = forms.iter().map(|(name, text)| ((*name).to_owned(), toml::from_str::<FormFile>(text).unwrap()));
    FaxRules { forms: Arc::new(Templates::of(forms)), ..rules() }
}

fn intake() -> String {
    anchors()
        + &field("patient.birth_date", 44, 14, 2)
        + &field("insurance.0.payer", 0, 20, 5)
        + &field("referring.phones.fax", 35, 16, 8)
}

fn read_by(page: PageReading, rules: &FaxRules) -> Outcome {
    normalize(&Reading { pages: vec![page], problems: Vec::new() }, rules)
}

fn record_by(page: PageReading, rules: &FaxRules) -> Record {
    *read_by(page, rules).record.expect("it is a referral")
}

fn form_of<'r>(record: &'r Record, path: &str) -> Option<&'r str> {
    record.evidence.get(path)?.form.as_deref()
}

/// A page as another scanner gives it: turned, stretched and moved.
fn scanned(mut page: PageReading, degrees: f64, (across, down): (f64, f64), (right, below): (f64, f64)) -> PageReading {
    let (sin, cos) = degrees.to_radians().sin_cos();
    for word in &mut page.words {
        let [left, top, end, bottom] = word.bounds.map(f64::from);
        let (x, y) = (f64::midpoint(left, end) * across, f64::midpoint(top, bottom) * down);
        let (x, y) = (x * cos - y * sin + right, x * sin + y * cos + below);
        let (wide, high) = ((end - left) * across / 2.0, (bottom - top) * down / 2.0);
        word.bounds = [x - wide, y - high, x + wide, y + high].map(|edge| edge.round() as u32);
    }
    page
}

/// A page without these words.
fn without(mut page: PageReading, words: &[&str]) -> PageReading {
    page.words.retain(|word| !words.contains(&word.text.as_str()));
    page
}

#[test]
fn what_no_label_announces_is_read_where_the_form_says_it_stands() {
    let alone = record(ANOTHER);
    assert_eq!((born(&alone), alone.insurance[0].payer.as_deref()), ("", None), "no label helps");

    let outcome = read_by(page(1, ANOTHER), &with(&[("cedar-intake", &intake())]));
    assert_eq!(outcome.pages[0].evidence.last().unwrap(), "the form cedar-intake, 8 of 8 anchors");
    let record = outcome.record.unwrap();
    assert_eq!(born(&record), "1948-08-30");
    assert_eq!(record.insurance[0].payer.as_deref(), Some("Cigna"));
    assert_eq!(record.referring.phones[0].number, "+12065550188");
    assert_eq!(form_of(&record, "patient.birth_date"), Some("cedar-intake: patient.birth_date"));
    assert_eq!(form_of(&record, "patient.name.family"), None, "a label alone found it");
    assert!(record.review.is_empty(), "{:?}", record.review);
}

#[test]
fn a_form_is_found_on_a_page_that_is_moved_turned_or_smaller() {
    let rules = with(&[("cedar-intake", &intake())]);
    for (degrees, stretched, moved) in [
        (0.0, (1.0, 1.0), (40.0, 90.0)),
        (0.6, (1.0, 1.0), (30.0, 0.0)),
        (0.0, (0.93, 0.93), (60.0, 70.0)),
        (-0.4, (0.98, 1.02), (20.0, 60.0)),
    ] {
        let record = record_by(scanned(page(1, ANOTHER), degrees, stretched, moved), &rules);
        assert_eq!(born(&record), "1948-08-30", "{degrees} {stretched:?} {moved:?}");
        assert_eq!(record.insurance[0].payer.as_deref(), Some("Cigna"), "{degrees} {stretched:?} {moved:?}");
    }
}

#[test]
fn some_anchors_may_be_missing_and_too_few_are_no_form() {
    let form = intake();
    let rules = |least: usize| with(&[("cedar-intake", &format!("anchors_min = {least}\n{form}"))]);
    let faint = || without(page(1, ANOTHER), &["Member", "NPI:", "Priority:"]);
    assert_eq!(born(&record_by(faint(), &rules(5))), "1948-08-30");
    assert_eq!(record_by(faint(), &rules(6)).patient.birth_date, None);
}

#[test]
fn a_form_that_matches_nothing_changes_nothing() {
    let as_text = |outcome: &Outcome| serde_json::to_string(outcome).unwrap();
    for drawn in [FORM, "Dear Dr. Lee,\n\nThank you for seeing her.\n\nSincerely,\nA. Ash, MD"] {
        let without = read(&[drawn]);
        let with = read_by(page(1, drawn), &with(&[("cedar-intake", &intake())]));
        assert_eq!(as_text(&with), as_text(&without));
    }
}

#[test]
fn of_two_forms_the_one_that_the_page_is_reads_it() {
    // The same words of another form: all the right column is two lines lower, and its birth date elsewhere.
    let lower = |(words, column, line): &(&str, u32, u32)| anchor(words, *column, if *column > 0 { line + 2 } else { line * 2 });
    let other: String = ANCHORS.iter().map(lower).collect();
    let other = other + &field("patient.birth_date", 0, 20, 1);
    let rules = with(&[("another-form", &other), ("cedar-intake", &intake())]);
    let record = record_by(page(1, ANOTHER), &rules);
    assert_eq!(form_of(&record, "patient.birth_date"), Some("cedar-intake: patient.birth_date"));
    assert_eq!(born(&record), "1948-08-30");
}

#[test]
fn two_forms_that_fit_alike_and_say_different_things_are_for_a_person() {
    let other = anchors() + &field("insurance.0.payer", 13, 18, 2);
    let rules = with(&[("cedar-intake", &intake()), ("cedar-old", &other)]);
    let record = record_by(page(1, ANOTHER), &rules);
    assert!(record.review.contains(&"insurance.0.payer".to_owned()));
    assert_eq!(record.evidence["insurance.0.payer"].rivals.len(), 1);
}

#[test]
fn where_label_and_form_agree_it_is_one_reading_no_surer_than_its_words() {
    let form = anchors() + &field("patient.identifiers.0.value", 39, 12, 3);
    let agreed = record_by(page(1, ANOTHER), &with(&[("cedar-intake", &form)]));
    let alone = record(ANOTHER);
    let path = "patient.identifiers.0.value";
    assert_eq!(agreed.patient.identifiers[0].value, "2071965");
    assert_eq!(form_of(&agreed, path), Some("cedar-intake: patient.identifiers.0.value"));
    assert_eq!(agreed.evidence[path].confidence, alone.evidence[path].confidence, "the same words, recognized once");
    assert_eq!(agreed.review, alone.review);
}

#[test]
fn where_label_and_form_differ_both_are_kept_and_a_person_looks() {
    // The region of the telephone is drawn over the practice's fax number, and that of the name over the provider's.
    let form = anchors() + &field("patient.phones.home", 35, 16, 8) + &field("patient.name", 20, 24, 7);
    let record = record_by(page(1, ANOTHER), &with(&[("cedar-intake", &form)]));
    for (path, rival) in [("patient.phones.0.number", "+1"), ("patient.name.family", "")] {
        let evidence = &record.evidence[path];
        assert!(
            evidence.confidence < 0.95 && evidence.rivals.len() == 1,
            "{path}: {} {:?}",
            evidence.confidence,
            evidence.rivals
        );
        assert!(evidence.rivals[0].starts_with(rival));
        assert!(record.review.contains(&path.to_owned()), "{path}");
    }
    assert!(record.held.contains(&HeldReason::BlockingField));
}

#[test]
fn a_weaker_label_is_not_overruled_unseen_either() {
    // "Phone" says not whose it is, the heading does.
    let drawn = "\
Patient information
Name: Okonjo, Delphine
Date of Birth: 08/30/1948
Phone: (206) 555-0115
(206) 555-0199

Insurance
Member ID: ESC5528013
Specialty: Cardiology
Priority: Routine";
    let words = [("Name:", 0, 1), ("Date of Birth:", 0, 2), ("Member ID:", 0, 7), ("Priority:", 0, 9), ("Specialty:", 0, 8)];
    let form: String = words.iter().map(|(words, column, line)| anchor(words, *column, *line)).collect();
    let form = form + &field("patient.phones.home", 0, 16, 4);
    // Drawn twice as tall, so that its anchors reach far enough over the page.
    let tall = |mut page: PageReading| {
        for word in &mut page.words {
            word.bounds = [word.bounds[0], word.bounds[1] * 2, word.bounds[2], word.bounds[1] * 2 + 26];
        }
        page
    };
    let form = {
        let mut file: toml::Table = toml::from_str(&form).unwrap();
        for list in ["anchor", "field"] {
            for entry in file[list].as_array_mut().unwrap() {
                let frame = entry["box_mm"].as_array_mut().unwrap();
                for at in [1, 3] {
                    frame[at] = toml::Value::Float(frame[at].as_float().unwrap() * 2.0);
                }
            }
        }
        toml::to_string(&file).unwrap()
    };
    let record = record_by(tall(page(1, drawn)), &with(&[("cedar-intake", &form)]));
    assert!(form_of(&record, "patient.phones.0.number").is_some());
    assert!(
        record.review.contains(&"patient.phones.0.number".to_owned()),
        "{:?}",
        record.evidence["patient.phones.0.number"].rivals
    );
    assert_eq!(record.evidence["patient.phones.0.number"].rivals, ["+12065550115"]);
}

#[test]
fn what_cannot_be_read_in_a_region_is_for_a_person() {
    let rules = with(&[("cedar-intake", &intake())]);
    let record = record_by(page(1, &ANOTHER.replace("08/30/1948", "08/3B/19A48")), &rules);
    assert!(record.review.contains(&"patient.birth_date".to_owned()));
    assert!(record.problems.iter().any(|problem| problem.code == "region-unreadable"));
    let empty = record_by(page(1, &ANOTHER.replace("(206) 555-0188", "")), &rules);
    assert!(!empty.problems.iter().any(|problem| problem.code == "region-unreadable"), "an empty region says nothing");
}

#[test]
fn a_value_that_the_edge_of_its_region_goes_through_is_for_a_person() {
    // Through a word, between two of them, and wide enough.
    for (columns, marked) in [(8, true), (4, true), (20, false)] {
        let form = anchors() + &field("insurance.0.payer", 0, columns, 5);
        let drawn = ANOTHER.replace("Cigna             ", "Blue Shield       ");
        let record = record_by(page(1, &drawn), &with(&[("cedar-intake", &form)]));
        assert_eq!(record.review.contains(&"insurance.0.payer".to_owned()), marked, "{columns}");
    }
}

#[test]
fn ticked_boxes_stand_for_what_the_form_says() {
    let drawn = ANOTHER.replace("Priority: Routine", "how soon: \u{2610} in a month \u{2612} in two days \u{2610} now");
    let options = [("routine", 45, 1), ("urgent", 58, 1), ("stat", 72, 1)];
    let options: Vec<String> = options
        .iter()
        .map(|(value, column, columns)| format!("{{ value = \"{value}\", box_mm = {} }}", boxed(*column, *columns, 10)))
        .collect();
    let form = anchors() + &format!("[[field]]\npath = \"priority\"\noptions = [{}]\n", options.join(", "));
    let rules = with(&[("cedar-intake", &form)]);
    let ticked = record_by(page(1, &drawn), &rules);
    assert_eq!(ticked.priority, Priority::Urgent);
    assert!(!ticked.review.contains(&"priority".to_owned()));
    let both = record_by(page(1, &drawn.replace("\u{2610} now", "\u{2612} now")), &rules);
    assert_eq!(both.priority, Priority::Unknown);
    assert!(both.review.contains(&"priority".to_owned()));
}

#[test]
fn a_draft_holds_label_words_and_places_and_nothing_of_the_patient() {
    let reading = |drawn: &str| Reading { pages: vec![page(1, COVER_OF_NOBODY), page(2, drawn)], problems: Vec::new() };
    let draft = Draft::of(&reading(INTAKE), None, &rules()).unwrap();
    assert_eq!(draft.page, 2, "the page with most labels");
    let text = draft.toml("cedar-intake");
    for value in [
        "Lee",
        "Leslie",
        "1934",
        "253",
        "5202708",
        "Aetna",
        "PD231007728",
        "Phillips",
        "1783266160",
        "274",
        "Gastro",
        "Urgent",
        "Iron",
    ] {
        assert!(!text.contains(value), "{value} in {text}");
    }
    assert!(text.contains("words = \"Patient Name\"") && text.contains("path = \"patient.identifiers.0.value\""), "{text}");
    let unlabelled: Vec<&str> = draft.others.iter().map(|other| other.text.as_str()).collect();
    assert!(unlabelled.contains(&"Aetna") && unlabelled.contains(&"(630) 274-9277"), "{unlabelled:?}");
    assert!(Draft::of(&reading(INTAKE), Some(3), &rules()).is_none());

    // The draft as it is reads the same of another page as the labels do.
    let rules = with(&[("cedar-intake", &text)]);
    let (drafted, alone) = (record_by(page(1, ANOTHER), &rules), record(ANOTHER));
    assert_eq!(drafted.review, alone.review);
    assert!(
        drafted
            .evidence
            .iter()
            .all(|(path, evidence)| evidence.rivals.is_empty() && (evidence.form.is_some() || path.contains("organization"))),
        "{:?}",
        drafted.evidence.keys()
    );
    let strip = |mut record: Record| {
        record.evidence.clear();
        serde_json::to_string(&record).unwrap()
    };
    assert_eq!(strip(drafted), strip(alone));
}

const COVER_OF_NOBODY: &str = "FAX COVER SHEET\nTo: Harbor Skin Clinic\nPages: 2";
