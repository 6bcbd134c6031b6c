//! What ticks come to. That they are seen is tested with real pages, in the integration tests.

use super::*;
use crate::ids::BodyId;
use crate::referral::ReplyOutcome;

const NAMES: [&str; 6] =
    ["received-yes", "received-no", "appointment-yes", "appointment-not-yet", "appointment-declined", "wrong-recipient"];

fn read(form: PageForm, ticked: &[&str], unclear: &[&str], written: &[&str]) -> Reply {
    let tick = |name: &str| match (ticked.contains(&name), unclear.contains(&name)) {
        (true, _) => Tick::Ticked,
        (false, true) => Tick::Unclear,
        (false, false) => Tick::Empty,
    };
    let boxed = |name: &str| ReturnedBox { name: name.to_owned(), tick: tick(name), ink: 0.0, bounds: [0; 4] };
    let image = BodyId::of(b"png");
    let writing = |name: &&str| Handwriting { name: (*name).to_owned(), bounds: [0; 4], image: image.clone() };
    let names: &[&str] = if form == PageForm::Withdrawal { &NAMES[..1] } else { &NAMES };
    let page = ReturnedPage {
        form: Some(form),
        page: 1,
        image: image.clone(),
        boxes: names.iter().map(|name| boxed(name)).collect(),
        writing: written.iter().map(writing).collect(),
        to_read: None,
        asked: None,
    };
    let mut reply = Reply { confidence: 0.99, page: Some(Box::new(page)), ..Reply::unread() };
    meaning::conclude(&mut reply);
    reply
}

fn waits(reply: &Reply) -> bool {
    reply.page.as_ref().is_some_and(|page| page.to_read.is_some())
}

#[test]
fn one_tick_of_a_pair_is_plain_and_both_or_none_are_not() {
    let cover = |ticked: &[&str]| read(PageForm::Cover, ticked, &[], &[]);
    assert_eq!(cover(&["received-yes"]).outcome, ReplyOutcome::Received);
    assert_eq!(cover(&["received-yes"]).received, Some(true));
    assert_eq!(cover(&["received-no"]).outcome, ReplyOutcome::NotReceived);
    assert_eq!(cover(&["received-yes", "appointment-not-yet"]).outcome, ReplyOutcome::Received);
    assert_eq!(cover(&["received-yes", "appointment-declined"]).outcome, ReplyOutcome::Declined);
    assert_eq!(cover(&["wrong-recipient"]).outcome, ReplyOutcome::WrongRecipient);
    // What is written beside the boxes is for a person; that it is there is no word of theirs, which the referrer would be told.
    let written = read(PageForm::Cover, &["received-yes"], &[], &["beside-not-yet"]);
    assert_eq!((written.outcome, waits(&written), &written.reason), (ReplyOutcome::Received, true, &None));
    for unclear in [
        &["received-yes", "received-no"][..],
        &[],
        &["appointment-yes"],
        &["received-no", "appointment-not-yet"],
        &["received-yes", "appointment-yes", "appointment-declined"],
        &["wrong-recipient", "appointment-yes"],
        &["wrong-recipient", "received-no"],
    ] {
        let reply = cover(unclear);
        assert_eq!(reply.outcome, ReplyOutcome::Unclear, "{unclear:?}");
        assert!(reply.reason.is_some() && reply.quote.is_some());
    }
}

#[test]
fn a_box_that_is_not_plain_makes_the_page_unclear_with_the_best_reading_beside_it() {
    let reply = read(PageForm::Cover, &["received-yes"], &["received-no"], &[]);
    assert_eq!(reply.outcome, ReplyOutcome::Unclear);
    assert!(reply.reason.unwrap().starts_with("best reading: received; but"));
    assert_eq!(reply.quote.as_deref(), Some("ticked: received-yes; not plain: received-no"));
}

#[test]
fn an_appointment_is_received_and_its_date_is_for_a_person() {
    let reply = read(PageForm::Cover, &["received-yes", "appointment-yes"], &[], &["appointment-date"]);
    assert!(reply.outcome == ReplyOutcome::Received && reply.appointment.is_none() && waits(&reply));
}

#[test]
fn what_is_written_where_no_tick_accounts_for_it_is_for_a_person() {
    let cover = |ticked: &[&str], written: &[&str]| waits(&read(PageForm::Cover, ticked, &[], written));
    assert!(!cover(&["received-yes"], &["signed"]));
    assert!(!cover(&["received-yes", "appointment-declined"], &["declined-reason", "signed"]));
    assert!(cover(&["received-yes"], &["appointment-date"]));
    assert!(cover(&["received-yes"], &["beside-received"]));
    assert!(cover(&["received-yes", "appointment-declined"], &["beside-not-yet"]));
}

#[test]
fn a_withdrawal_that_comes_back_says_one_thing() {
    assert_eq!(read(PageForm::Withdrawal, &["received-yes"], &[], &[]).outcome, ReplyOutcome::Received);
    assert_eq!(read(PageForm::Withdrawal, &[], &[], &[]).outcome, ReplyOutcome::Unclear);
    assert!(!waits(&read(PageForm::Withdrawal, &["received-yes"], &[], &["signed"])));
    assert!(waits(&read(PageForm::Withdrawal, &["received-yes"], &[], &["elsewhere-1"])));
}

/// A page with words in lines of the height of a letter, from the top.
fn page(number: u32, lines: &[&str], codes: &[&str]) -> PageReading {
    let mut image = Vec::new();
    image::GrayImage::from_pixel(40, 50, image::Luma([255]))
        .write_to(&mut std::io::Cursor::new(&mut image), image::ImageFormat::Png)
        .unwrap();
    let words = lines.iter().zip(0_u32..).flat_map(|(line, row)| {
        let place = move |(column, text): (u32, &str)| crate::reader::Word {
            text: text.to_owned(),
            confidence: 0.9,
            bounds: [100 + 100 * column, 80 + 60 * row, 190 + 100 * column, 110 + 60 * row],
            line: row,
            block: 0,
        };
        (0_u32..).zip(line.split(' ')).map(place).collect::<Vec<_>>()
    });
    PageReading {
        number,
        width: 1734,
        height: 2244,
        dpi: 204.0,
        image: image.into(),
        words: words.collect(),
        codes: codes
            .iter()
            .map(|text| crate::reader::MachineCode { symbology: "qr".to_owned(), text: (*text).to_owned() })
            .collect(),
        look: None,
    }
}

#[test]
fn a_letter_that_names_our_reference_is_no_page_of_ours() {
    let key = TokenKey::new([7; 32]);
    let reference: Reference = "LL-0000-0000".parse().unwrap();
    let token = key.token(&reference);
    let cover = page(1, &["Referral"], &[token.as_str()]);
    let behind = page(2, &["LL-0000-0000 · page 2 of 3 · Loopline", "Assessment"], &[]);
    let letter = page(3, &["Alder Heart Group", "Re: LL-0000-0000", "we can not see this patient"], &[]);
    let white = page(4, &[], &[]);
    let reading = Reading { pages: vec![cover, behind, letter, white], problems: Vec::new() };
    let ours: Vec<Ours<'_>> = reading.pages.iter().filter_map(|page| identified(page, Some(&key))).collect();
    assert_eq!(ours.len(), 3);
    assert_eq!(others(&reading, &ours), [3]);
    // Without the cover page the letter is what there is to read.
    let alone = Reading { pages: reading.pages[2..].to_vec(), problems: Vec::new() };
    let ours: Vec<Ours<'_>> = alone.pages.iter().filter_map(|page| identified(page, Some(&key))).collect();
    assert_eq!(others(&alone, &ours), Vec::<u32>::new());
}

#[test]
fn a_page_that_asks_says_in_how_many_rows() {
    assert_eq!((rows(Some("ABCDEF3")), rows(Some("ABCDEF9")), rows(None)), (3, 7, 7));
}

#[test]
fn a_printed_reference_that_was_parted_at_its_dash_is_found_and_a_misread_one_is_not() {
    let reference: Reference = "LL-KS87-5N9T".parse().unwrap();
    let found = |lines: &[&str]| identified(&page(1, lines, &[]), None).map(|one| one.reference);
    for parted in
        ["LL- KS87-5N9T", "LL - KS87-5N9T", "LL KS87 5N9T", "LL-KS87- 5N9T", "LL\u{2014} KS87\u{2014}5N9T", "LL-KS87-5N9T"]
    {
        assert_eq!(found(&["Referral: please confirm", parted]).as_ref(), Some(&reference), "{parted}");
    }
    for other in ["LL- KS87-5N9X", "LL- KS87", "LL- please confirm", "KS87-5N9T"] {
        assert_eq!(found(&["Referral: please confirm", other]), None, "{other}");
    }
    // The recognizer took its first part for a word of the line below.
    let mut merged = page(1, &["Reference", "LL- KS87-5N9T", "To Gastroenterology Desk"], &[]);
    let first = merged.words.remove(1);
    merged.words.insert(2, first);
    assert_eq!(identified(&merged, None).map(|one| one.reference), Some(reference));
}
