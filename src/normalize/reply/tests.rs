//! Front desks' own words, and what they come to.

mod plain;
mod unclear;
mod unclear_too;

use self::{plain::PLAIN, unclear::UNCLEAR, unclear_too::UNCLEAR_TOO};
use super::*;

const SENT_ON: Date = Date::constant(2026, 11, 21);

fn read(words: &str) -> Reply {
    read_reply(words, SENT_ON, DateOrder::MonthFirst)
}

#[test]
fn plain_words_come_to_their_outcome() {
    let mut wrong = Vec::new();
    for (words, outcome, received, at) in PLAIN {
        let reply = read(words);
        let appointment = reply.appointment.as_ref().map(|appointment| appointment.at.as_str().to_owned());
        if reply.outcome != *outcome || reply.received != *received || appointment.as_deref() != *at {
            wrong.push(format!("{words:?}: {:?} {:?} {appointment:?} ({:?})", reply.outcome, reply.received, reply.reason));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_not_plain_goes_to_a_person() {
    let wrong: Vec<_> = UNCLEAR
        .iter()
        .chain(UNCLEAR_TOO)
        .filter_map(|words| {
            let outcome = read(words).outcome;
            (outcome != ReplyOutcome::Unclear).then(|| format!("{words:?}: {outcome:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn who_is_named_is_kept_to_be_compared_with_the_patient() {
    for (words, outcome, names) in [
        ("Mr. Duke is scheduled 12/14/2026 at 10:30.", ReplyOutcome::Scheduled, "mr duke"),
        ("Accepted Mrs. Lopez.", ReplyOutcome::Accepted, "mrs lopez"),
        ("Received for Mr. Smith.", ReplyOutcome::Received, "mr smith"),
        ("Patient: Roe, Jane\nReceived.", ReplyOutcome::Received, "roe jane"),
        ("Received.\nThanks,\nJane Roe", ReplyOutcome::Received, ""),
    ] {
        let reply = read(words);
        assert_eq!((reply.outcome, reply.compare.names.join(" ").as_str()), (outcome, names), "{words}");
    }
}

#[test]
fn an_unclear_reply_keeps_the_best_reading_and_the_words() {
    let reply = read("She may be scheduled for 12/14/2026 at 10:30.");
    assert_eq!(reply.outcome, ReplyOutcome::Unclear);
    assert!(reply.reason.unwrap().starts_with("best reading: scheduled"));
    assert_eq!(reply.appointment.unwrap().at.as_str(), "2026-12-14T10:30");
    assert_eq!(reply.quote.unwrap(), "She may be scheduled for 12/14/2026 at 10:30");
}

#[test]
fn a_day_first_region_reads_day_first() {
    let reply = read_reply("Received, booked for 14/12/2026 at 10:30", SENT_ON, DateOrder::DayFirst);
    assert_eq!(reply.appointment.unwrap().at.as_str(), "2026-12-14T10:30");
    assert_eq!(DateOrder::of_region("US"), DateOrder::MonthFirst);
    assert_eq!(DateOrder::of_region("GB"), DateOrder::DayFirst);
}

#[test]
fn a_refusal_keeps_its_reason_and_a_visit_its_doctor() {
    let declined = read("We decline this referral because we are out of network with her plan.");
    assert!(declined.reason.unwrap().contains("out of network"));
    let booked = read("Booked with Dr. Ames on 12/14/2026 at 10:30");
    assert_eq!(booked.appointment.unwrap().with.as_deref(), Some("Dr. Ames"));
}

#[test]
fn a_letter_is_not_an_answer() {
    assert_eq!(read(&"Received. ".repeat(1_000)).outcome, ReplyOutcome::Unclear);
    assert_eq!(read(&"Received. ".repeat(13)).outcome, ReplyOutcome::Unclear);
}
