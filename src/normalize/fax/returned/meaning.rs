//! What the ticks of a returned page come to.
//!
//! # Design notes
//! Of a pair one box is ticked and the other empty, or it is unclear. An appointment that is ticked has its date by hand: what is plain
//! (they have the referral) is taken, and the page waits for a person to read the date. So does whatever else is written where no tick
//! accounts for it: "not our patient" behind a ticked "yes" must not pass unseen.

use crate::referral::{PageForm, Reply, ReplyOutcome, ReturnedBox, ReturnedPage, Tick};

/// Whether a blank is shown even where no ink was found in it: its box is ticked.
pub(super) fn expects_writing(blank: &str, boxes: &[ReturnedBox]) -> bool {
    let ticked = |name: &str| boxes.iter().any(|one| one.name == name && one.tick != Tick::Empty);
    match blank {
        "appointment-date" | "appointment-time" => ticked("appointment-yes"),
        "declined-reason" => ticked("appointment-declined"),
        _ => false,
    }
}

/// Reads the boxes into the reply.
pub(super) fn conclude(reply: &mut Reply) {
    let Some(page) = reply.page.as_deref() else { return };
    let read = match page.form {
        Some(PageForm::Cover) => cover(page),
        Some(PageForm::Withdrawal) => withdrawal(page),
        Some(PageForm::Check) => check(page),
        None => Read::unclear(None, "the boxes of the page were not found"),
    };
    reply.quote = quote(page);
    reply.received = read.received;
    reply.outcome = read.outcome;
    match (read.unclear, read.best) {
        (Some(why), Some(best)) => reply.reason = Some(format!("best reading: {best}; but {why}")),
        (Some(why), None) => reply.reason = Some(format!("no reading; {why}")),
        // What is still to be read there is no reason of theirs.
        (None, _) => reply.reason = None,
    }
    if read.unclear.is_some() {
        reply.confidence = 0.5;
    }
    if let Some(page) = reply.page.as_deref_mut() {
        page.to_read = read.to_read.map(str::to_owned);
    }
}

/// Makes a reply one that a person must read.
pub(super) fn make_unclear(reply: &mut Reply, why: &str) {
    reply.outcome = ReplyOutcome::Unclear;
    reply.reason = Some(format!("no reading; {why}"));
    reply.confidence = 0.5;
}

struct Read {
    outcome: ReplyOutcome,
    received: Option<bool>,
    unclear: Option<&'static str>,
    best: Option<&'static str>,
    to_read: Option<&'static str>,
}

impl Read {
    fn plain(outcome: ReplyOutcome, received: Option<bool>, to_read: Option<&'static str>) -> Self {
        Self { outcome, received, unclear: None, best: None, to_read }
    }

    fn unclear(best: Option<&'static str>, why: &'static str) -> Self {
        Self { outcome: ReplyOutcome::Unclear, received: None, unclear: Some(why), best, to_read: None }
    }
}

/// The boxes that are ticked, and those that are not plain.
fn quote(page: &ReturnedPage) -> Option<String> {
    let ticked: Vec<&str> = page.ticked().collect();
    let unclear: Vec<&str> = page.boxes.iter().filter(|one| one.tick == Tick::Unclear).map(|one| one.name.as_str()).collect();
    let said = [("ticked", ticked), ("not plain", unclear)];
    let said: Vec<String> = said
        .into_iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(what, names)| format!("{what}: {}", names.join(", ")))
        .collect();
    Some(if said.is_empty() { "no box is ticked".to_owned() } else { said.join("; ") })
}

fn cover(page: &ReturnedPage) -> Read {
    let ticked = |name: &str| page.ticked().any(|found| found == name);
    let (yes, no) = (ticked("received-yes"), ticked("received-no"));
    let (booked, not_yet, declined) = (ticked("appointment-yes"), ticked("appointment-not-yet"), ticked("appointment-declined"));
    let wrong = ticked("wrong-recipient");
    let appointments = usize::from(booked) + usize::from(not_yet) + usize::from(declined);
    let best = match (wrong, declined, booked, yes, no) {
        (true, ..) => Some("wrong-recipient"),
        (_, true, ..) => Some("declined"),
        (_, _, true, ..) => Some("scheduled"),
        (_, _, _, true, _) => Some("received"),
        (_, _, _, _, true) => Some("not-received"),
        _ => None,
    };
    if page.boxes.iter().any(|one| one.tick == Tick::Unclear) {
        return Read::unclear(best, "a box is neither plainly ticked nor plainly empty");
    }
    if yes && no {
        return Read::unclear(best, "received is ticked both yes and no");
    }
    if appointments > 1 {
        return Read::unclear(best, "more than one box is ticked under appointment");
    }
    if wrong {
        if no || appointments > 0 {
            return Read::unclear(best, "it says that it came to the wrong office, and something else");
        }
        return Read::plain(ReplyOutcome::WrongRecipient, None, stray(page, &[]));
    }
    if !yes && !no {
        return Read::unclear(best, "neither yes nor no is ticked under received");
    }
    if no {
        if appointments > 0 {
            return Read::unclear(best, "it says that the referral was not received, and something of an appointment");
        }
        return Read::plain(ReplyOutcome::NotReceived, Some(false), stray(page, &[]));
    }
    if booked {
        let date = "an appointment is ticked: read its date and time, which are written by hand";
        return Read::plain(ReplyOutcome::Received, Some(true), Some(date));
    }
    if declined {
        return Read::plain(ReplyOutcome::Declined, Some(true), stray(page, &["declined-reason"]));
    }
    Read::plain(ReplyOutcome::Received, Some(true), stray(page, &[]))
}

/// What is written where no tick accounts for it. A signature needs none.
fn stray(page: &ReturnedPage, accounted: &[&str]) -> Option<&'static str> {
    let strays = |name: &str| name != "signed" && !accounted.contains(&name);
    page.writing
        .iter()
        .any(|written| strays(&written.name))
        .then_some("something is written by hand on the page that no ticked box accounts for: read it")
}

fn withdrawal(page: &ReturnedPage) -> Read {
    match page.boxes.first().map(|one| one.tick) {
        Some(Tick::Ticked) => Read::plain(ReplyOutcome::Received, Some(true), stray(page, &[])),
        Some(Tick::Empty) => Read::unclear(None, "the page that takes the referral back came back without a tick"),
        Some(Tick::Unclear) | None => Read::unclear(None, "a box is neither plainly ticked nor plainly empty"),
    }
}

/// The ticks of a sender are looked at field by field, where the record is; here only whether a person is needed.
fn check(page: &ReturnedPage) -> Read {
    if page.boxes.iter().any(|one| one.tick == Tick::Unclear) {
        return Read::unclear(None, "a box is neither plainly ticked nor plainly empty");
    }
    if !page.writing.is_empty() {
        return Read::unclear(None, "the sender wrote corrections by hand: read them, and correct the fields");
    }
    if page.ticked().next().is_none() {
        return Read::unclear(None, "the page that asks to check the referral came back without a tick");
    }
    Read::plain(ReplyOutcome::Received, None, None)
}
