//! Who is told what when one way to a desk is stuck and the other is not, and what a person's act must not pass over in silence.

use std::fs;

use serde_json::Value;

use crate::{
    harness::{Peer, Running, Site, field, referral_message, wait_for},
    people::{refused, settle, show, with_referral},
};

/// A site whose mail cannot leave, with one referral whose pages have gone to the specialist by fax.
fn with_stuck_mail() -> (Site, Running, Peer, String) {
    let site = Site::new();
    site.channel("email-out", "[outbound.email]\nfrom = \"a@loopline.example\"\nmaildir = \"blocked/mail\"\n");
    fs::create_dir_all(site.data("")).unwrap();
    fs::write(site.data("blocked"), "").unwrap();
    let running = site.start();
    let mut peer = Peer::connect(&site.mllp());
    let answer = peer.send(&referral_message("M1", "P1", "Quill")).unwrap();
    let reference = field(&answer, "RF1", 11).split('^').next().unwrap().to_owned();
    assert!(wait_for(|| count(&site, "pages", "fax-out", "sent") == 1), "{:#?}", site.deliveries());
    // The request was tried, and stands in the queue of a channel that rests.
    let tried = |one: &Value| one["purpose"] == "confirmation-request" && one["state"] == "queued" && one["attempts"] == 1;
    assert!(wait_for(|| site.deliveries().iter().any(tried)), "{:#?}", site.deliveries());
    (site, running, peer, reference)
}

fn count(site: &Site, purpose: &str, through: &str, state: &str) -> usize {
    let counts = |one: &&Value| one["purpose"] == purpose && one["through"] == through && one["state"] == state;
    site.deliveries().iter().filter(counts).count()
}

fn again(event: &str, control_id: &str) -> String {
    referral_message(control_id, "P1", "Quill").replace("REF^I12^REF_I12", &format!("REF^{event}^REF_I12"))
}

fn reply(site: &Site, name: &str, words: &str) {
    let request = site.mails_out().into_iter().find(|mail| mail.contains("please confirm")).expect("a request went out");
    let header = |name: &str| request.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    let (to, subject) = (header("Reply-To:"), header("Subject:"));
    let head = format!("From: desk@northside-heart.example\nTo: {to}\nSubject: Re: {subject}\nMessage-ID: <{name}@desk.example>");
    site.drop_mail(name, &format!("{head}\nDate: Sun, 22 Nov 2026 10:00:00 -0800\n\n{words}\n"));
}

#[test]
fn a_desk_that_has_the_pages_is_told_of_a_cancel_though_its_mail_never_left() {
    let (site, _running, mut peer, _) = with_stuck_mail();
    let answer = peer.send(&again("I14", "M2")).unwrap();
    assert!(field(&answer, "NTE", 3).contains("specialist has confirmed"), "{answer}");
    assert!(wait_for(|| count(&site, "withdrawal", "fax-out", "sent") == 1), "{:#?}", site.deliveries());
    assert_eq!(count(&site, "confirmation-request", "email-out", "withdrawn"), 1);
}

#[test]
fn a_desk_that_has_the_pages_is_told_when_a_person_rejects_it_or_sends_it_elsewhere() {
    let (site, _running, _peer, reference) = with_stuck_mail();
    settle(&site, &[&reference, "route", "dermatology-desk"]);
    let told = |one: &Value| one["purpose"] == "withdrawal" && one["to"] == "cardiology-desk" && one["state"] == "sent";
    assert!(wait_for(|| site.deliveries().iter().any(told)), "{:#?}", site.deliveries());
    assert!(wait_for(|| show(&site, &reference)["status"] == "requested"), "{:#?}", site.deliveries());
    settle(&site, &[&reference, "reject", "--reason", "seen elsewhere"]);
    let to_the_other = |one: &Value| one["purpose"] == "withdrawal" && one["to"] == "dermatology-desk" && one["state"] == "sent";
    assert!(wait_for(|| site.deliveries().iter().any(to_the_other)), "{:#?}", site.deliveries());
    assert_eq!(site.deliveries().iter().filter(|one| told(one)).count(), 1, "who was told is not told again");
}

#[test]
fn a_change_reaches_a_desk_that_has_the_pages_while_its_mail_waits() {
    let (site, _running, mut peer, reference) = with_stuck_mail();
    assert_eq!(field(&peer.send(&again("I13", "M2").replace("R^Routine", "S^STAT")).unwrap(), "MSA", 1), "AA");
    assert!(wait_for(|| count(&site, "update", "fax-out", "sent") == 1), "{:#?}", site.deliveries());
    settle(&site, &[&reference, "correct", "patient.birth_date=1942-03-28"]);
    assert!(wait_for(|| count(&site, "update", "fax-out", "sent") == 2), "{:#?}", site.deliveries());
    assert_eq!(count(&site, "update", "email-out", "queued"), 0, "the request that waits says it all");
}

#[test]
fn a_cancel_of_what_nobody_has_says_so() {
    let site = Site::new();
    let _running = site.start();
    let mut peer = Peer::connect(&site.mllp());
    let unrouted = |message: String| message.replace("Cardiology", "Phlebotomy").replace("Northside Heart Center", "Nowhere");
    peer.send(&unrouted(referral_message("M1", "P1", "Quill"))).unwrap();
    assert_eq!(site.referrals()[0]["held"], serde_json::json!(["no-route"]), "{:#?}", site.referrals());
    let answer = peer.send(&unrouted(again("I14", "M2"))).unwrap();
    assert!(field(&answer, "NTE", 3).contains("no specialist has the referral yet"), "{answer}");
    let reference = site.referrals()[0]["reference"].as_str().unwrap().to_owned();
    let settled = settle(&site, &[&reference, "reply", "cancelled"]);
    assert_eq!((settled["status"].as_str(), settled.get("held")), (Some("cancelled"), None), "no route is wanted any more");
}

#[test]
fn nothing_further_goes_to_a_wrong_desk_and_a_right_one_is_asked_again() {
    let (site, _running, reference) = with_referral(&referral_message("M1", "P1", "Quill"));
    assert!(wait_for(|| show(&site, &reference)["status"] == "requested"));
    settle(&site, &[&reference, "reply", "wrong-recipient"]);
    // It was a slip: silence would be the worst answer.
    settle(&site, &[&reference, "confirm"]);
    assert!(wait_for(|| count(&site, "confirmation-request", "email-out", "sent") == 2), "{:#?}", site.deliveries());
    settle(&site, &[&reference, "reply", "wrong-recipient"]);
    // Its address was corrected: the very delivery that the act queues finds the suspension ended.
    settle(&site, &[&reference, "route", "cardiology-desk"]);
    assert!(wait_for(|| count(&site, "confirmation-request", "email-out", "sent") == 3), "{:#?}", site.deliveries());
    settle(&site, &[&reference, "reply", "wrong-recipient"]);
    settle(&site, &[&reference, "route", "dermatology-desk"]);
    assert!(wait_for(|| site.deliveries().iter().any(|one| one["to"] == "dermatology-desk" && one["state"] == "sent")));
    assert!(!site.deliveries().iter().any(|one| one["purpose"] == "withdrawal"), "{:#?}", site.deliveries());
}

#[test]
fn a_booking_for_a_referral_that_was_cancelled_is_for_a_person() {
    let (site, _running, reference) = with_referral(&referral_message("M1", "P1", "Quill"));
    assert!(wait_for(|| show(&site, &reference)["status"] == "requested"));
    settle(&site, &[&reference, "reject", "--reason", "seen elsewhere"]);
    reply(&site, "r1", "Received, booked for 12/21/2026 at 9:00 am.");
    assert!(wait_for(|| show(&site, &reference)["held"].to_string().contains("unclear-reply")), "{}", site.log());
    let pending = show(&site, &reference)["pending_replies"].to_string();
    assert!(pending.contains("cancelled here, and the desk goes on with it"), "{pending}");
    assert!(refused(&site, &[&reference, "reply", "scheduled", "--at", "2026-12-21T09:00"]).contains("set-aside"));
    let settled = settle(&site, &[&reference, "set-aside"]);
    assert_eq!((settled["status"].as_str(), settled.get("held")), (Some("cancelled"), None));
}

#[test]
fn what_is_completed_is_sent_nowhere_and_what_is_declined_has_no_appointment() {
    let (site, _running, reference) = with_referral(&referral_message("M1", "P1", "Quill"));
    assert!(wait_for(|| show(&site, &reference)["status"] == "requested"));
    settle(&site, &[&reference, "reply", "scheduled", "--at", "2027-12-14T10:30"]);
    let declined = settle(&site, &[&reference, "reply", "declined"]);
    assert_eq!((declined["status"].as_str(), declined.get("appointment")), (Some("declined"), None));
    settle(&site, &[&reference, "correct", "patient.birth_date=1942-03-28"]);
    assert!(
        !site.deliveries().iter().any(|one| one["purpose"] == "update"),
        "who declined hears no more: {:#?}",
        site.deliveries()
    );
    settle(&site, &[&reference, "reply", "completed"]);
    assert!(refused(&site, &[&reference, "route", "dermatology-desk"]).contains("reopen"));
    assert_eq!(settle(&site, &[&reference, "reopen"])["status"], "new");
}

#[test]
fn an_answer_by_telephone_ends_the_search_for_a_route() {
    let site = Site::new();
    let _running = site.start();
    let unrouted =
        referral_message("M1", "P1", "Quill").replace("Cardiology", "Phlebotomy").replace("Northside Heart Center", "Nowhere");
    Peer::connect(&site.mllp()).send(&unrouted).unwrap();
    let reference = site.referrals()[0]["reference"].as_str().unwrap().to_owned();
    let settled = settle(&site, &[&reference, "reply", "scheduled", "--at", "2027-12-14T10:30"]);
    assert_eq!((settled["status"].as_str(), settled.get("held")), (Some("scheduled"), None));
}
