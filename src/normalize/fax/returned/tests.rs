//! What ticks come to. That they are seen is tested with real pages, in the integration tests.

use super::*;

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
    let mut reply = Reply {
        reference: None,
        matched_by: None,
        received: None,
        outcome: ReplyOutcome::Unclear,
        appointment: None,
        reason: None,
        quote: None,
        confidence: 0.99,
        page: Some(Box::new(page)),
    };
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
}
