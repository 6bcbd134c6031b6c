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

/// The desk writes, without saying what it answers.
fn reply(site: &Site, name: &str, words: &str) {
    let request = site.mails_out().into_iter().find(|mail| mail.contains("please confirm")).expect("a request went out");
    write(site, name, &request, "", words);
}

/// The desk answers the letter whose subject has these words.
fn answer(site: &Site, name: &str, letter: &str, words: &str) {
    let is_it = |mail: &String| mail.lines().any(|line| line.starts_with("Subject:") && line.contains(letter));
    let letter = site.mails_out().into_iter().find(is_it).expect("the letter went out");
    let id = letter.lines().find_map(|line| line.strip_prefix("Message-ID:")).unwrap().trim().to_owned();
    write(site, name, &letter, &format!("\nIn-Reply-To: {id}"), words);
}

fn write(site: &Site, name: &str, letter: &str, more: &str, words: &str) {
    let header = |name: &str| letter.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    let (to, subject) = (header("Reply-To:"), header("Subject:"));
    let head =
        format!("From: desk@northside-heart.example\nTo: {to}\nSubject: Re: {subject}\nMessage-ID: <{name}@desk.example>{more}");
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

/// A desk has the pages, and the withdrawal to it waits, since the folder of faxes is away. Its id is the last.
fn with_waiting_withdrawal() -> (Site, Running, String, String) {
    let (site, running, mut peer, reference) = with_stuck_mail();
    fs::rename(site.data("fax-out"), site.data("fax-out-away")).unwrap();
    fs::write(site.data("fax-out"), "").unwrap();
    peer.send(&again("I14", "M2")).unwrap();
    let waits = |one: &Value| one["purpose"] == "withdrawal" && one["state"] == "queued" && !one["reason"].is_null();
    assert!(wait_for(|| site.deliveries().iter().any(waits)), "{:#?}", site.deliveries());
    let withdrawal = site.deliveries().into_iter().find(waits).unwrap()["id"].as_str().unwrap().to_owned();
    (site, running, reference, withdrawal)
}

#[test]
fn a_cancel_that_waits_to_leave_still_reaches_the_desk_when_a_person_ends_the_referral() {
    let (site, _running, reference, withdrawal) = with_waiting_withdrawal();
    let settled = settle(&site, &[&reference, "reject", "--reason", "patient moved"]);
    assert_eq!(settled["status"], "cancelled");
    assert_eq!(count(&site, "withdrawal", "fax-out", "withdrawn"), 0, "{:#?}", site.deliveries());
    fs::remove_file(site.data("fax-out")).unwrap();
    fs::rename(site.data("fax-out-away"), site.data("fax-out")).unwrap();
    site.json(&["deliveries", "retry", &withdrawal, "--json"]).unwrap();
    assert!(wait_for(|| count(&site, "withdrawal", "fax-out", "sent") == 1), "{:#?}", site.deliveries());
}

#[test]
fn a_cancel_that_waits_to_leave_is_none_any_more_when_a_person_keeps_the_referral() {
    let (site, _running, reference, _) = with_waiting_withdrawal();
    settle(&site, &[&reference, "reopen"]);
    assert_eq!(count(&site, "withdrawal", "fax-out", "withdrawn"), 1, "{:#?}", site.deliveries());
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

/// The message, to a specialist whom no route leads to.
fn unrouted(message: &str) -> String {
    message.replace("Cardiology", "Phlebotomy").replace("Northside Heart Center", "Nowhere")
}

#[test]
fn a_cancel_of_what_nobody_has_says_so() {
    let site = Site::new();
    let _running = site.start();
    let mut peer = Peer::connect(&site.mllp());
    peer.send(&unrouted(&referral_message("M1", "P1", "Quill"))).unwrap();
    assert_eq!(site.referrals()[0]["held"], serde_json::json!(["no-route"]), "{:#?}", site.referrals());
    let answer = peer.send(&unrouted(&again("I14", "M2"))).unwrap();
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
    Peer::connect(&site.mllp()).send(&unrouted(&referral_message("M1", "P1", "Quill"))).unwrap();
    let reference = site.referrals()[0]["reference"].as_str().unwrap().to_owned();
    let settled = settle(&site, &[&reference, "reply", "scheduled", "--at", "2027-12-14T10:30"]);
    assert_eq!((settled["status"].as_str(), settled.get("held")), (Some("scheduled"), None));
}

/// A referral that its desk says is not for it.
fn said_to_be_wrong() -> (Site, Running, String) {
    let (site, running, reference) = with_referral(&referral_message("M1", "P1", "Quill"));
    assert!(wait_for(|| show(&site, &reference)["status"] == "requested"));
    settle(&site, &[&reference, "reply", "wrong-recipient"]);
    (site, running, reference)
}

fn was_told(site: &Site, purpose: &str, desk: &str) -> bool {
    site.deliveries().iter().any(|one| one["purpose"] == purpose && one["to"] == desk)
}

#[test]
fn a_desk_that_said_it_is_not_theirs_hears_of_no_end_of_it() {
    let (site, _running, reference) = said_to_be_wrong();
    assert_eq!(settle(&site, &[&reference, "reject", "--reason", "seen elsewhere"])["status"], "cancelled");
    assert!(!was_told(&site, "withdrawal", "cardiology-desk"), "{:#?}", site.deliveries());

    let (site, _running, _) = said_to_be_wrong();
    let answer = Peer::connect(&site.mllp()).send(&again("I14", "M2")).unwrap();
    assert!(field(&answer, "NTE", 3).contains("no specialist has the referral"), "{answer}");
    assert!(!was_told(&site, "withdrawal", "cardiology-desk"), "{:#?}", site.deliveries());
}

#[test]
fn a_desk_that_said_it_is_not_theirs_hears_nothing_once_another_one_has_it() {
    let (site, _running, reference) = said_to_be_wrong();
    settle(&site, &[&reference, "route", "dermatology-desk"]);
    assert!(wait_for(|| show(&site, &reference)["status"] == "requested"), "{:#?}", site.deliveries());
    settle(&site, &[&reference, "correct", "patient.birth_date=1942-03-28"]);
    Peer::connect(&site.mllp()).send(&again("I14", "M2")).unwrap();
    assert!(wait_for(|| was_told(&site, "withdrawal", "dermatology-desk")), "{:#?}", site.deliveries());
    assert!(was_told(&site, "update", "dermatology-desk"), "{:#?}", site.deliveries());
    for purpose in ["withdrawal", "update"] {
        assert!(!was_told(&site, purpose, "cardiology-desk"), "{:#?}", site.deliveries());
    }
}

/// A referral whose sender asked to cancel it, when the desk was told.
fn to_be_cancelled() -> (Site, Running, String) {
    let (site, running, reference) = with_referral(&referral_message("M1", "P1", "Quill"));
    assert!(wait_for(|| show(&site, &reference)["status"] == "requested"));
    Peer::connect(&site.mllp()).send(&again("I14", "M2")).unwrap();
    assert!(wait_for(|| count(&site, "withdrawal", "email-out", "sent") == 1), "{:#?}", site.deliveries());
    (site, running, reference)
}

#[test]
fn a_desk_confirms_a_cancellation_in_its_own_words() {
    for (letter, words) in [("asks to cancel", "Confirmed."), ("asks to cancel", "Yes, received."), ("", "Cancelled, thank you!")]
    {
        let (site, _running, reference) = to_be_cancelled();
        match letter {
            "" => reply(&site, "r1", words),
            letter => answer(&site, "r1", letter, words),
        }
        assert!(wait_for(|| show(&site, &reference)["status"] == "cancelled"), "{words}: {:#}", show(&site, &reference));
    }
}

#[test]
fn a_desk_that_goes_on_with_what_is_to_be_cancelled_is_seen_by_a_person() {
    for words in ["Received, booked for 12/21/2026 at 9:00 am.", "We have not received anything.", "Received."] {
        let (site, _running, reference) = to_be_cancelled();
        reply(&site, "r1", words);
        assert!(wait_for(|| show(&site, &reference)["held"].to_string().contains("unclear-reply")), "{words}: {}", site.log());
        let shown = show(&site, &reference);
        assert_eq!((shown["status"].as_str(), shown.get("appointment")), (Some("cancel-requested"), None), "{words}");
        assert!(shown["pending_replies"].to_string().contains("asked to cancel it"), "{shown:#}");
        assert_eq!(count(&site, "confirmation-request", "email-out", "sent"), 1, "{words}");
    }
    // What crossed the withdrawal on its way answers the request, and says nothing new.
    let (site, _running, reference) = to_be_cancelled();
    answer(&site, "r1", "please confirm", "Received.");
    assert!(wait_for(|| site.messages().len() == 3 && site.messages().iter().all(|one| one["state"] != "received")));
    let shown = show(&site, &reference);
    assert_eq!((shown["status"].as_str(), shown.get("held")), (Some("cancel-requested"), None), "{shown:#}");
}

#[test]
fn a_desk_that_speaks_of_a_cancellation_unasked_is_asked_what_it_means() {
    let (site, _running, reference) = with_referral(&referral_message("M1", "P1", "Quill"));
    assert!(wait_for(|| show(&site, &reference)["status"] == "requested"));
    reply(&site, "r1", "We have cancelled it.");
    assert!(wait_for(|| show(&site, &reference)["held"].to_string().contains("unclear-reply")), "{}", site.log());
    assert_eq!(show(&site, &reference)["status"], "requested");
}

/// The text of the request that went out, as mail programs quote it.
fn quoted_request(site: &Site) -> String {
    let request = site.mails_out().into_iter().find(|mail| mail.contains("please confirm")).expect("a request went out");
    let request = mail_parser::MessageParser::default().parse(request.as_bytes()).unwrap();
    let letter = request.body_text(0).unwrap();
    let lines = letter.lines().map(|line| format!("> {line}\n"));
    format!("On Sat, Nov 21, 2026 at 9:12 AM Loopline <referrals@clinic.example> wrote:\n{}", lines.collect::<String>())
}

#[test]
fn what_a_mail_quotes_is_our_letter_or_for_a_person() {
    let (site, _running, reference) = with_referral(&referral_message("M1", "P1", "Quill"));
    assert!(wait_for(|| show(&site, &reference)["status"] == "requested" && !site.mails_out().is_empty()));
    let quote = quoted_request(&site);
    let other = quote.replacen("> Hello,", "> We can not take her.\n> Hello,", 1);
    reply(&site, "r1", &format!("Booked for 12/21/2026 at 9:00 am.\n\n{other}"));
    assert!(wait_for(|| show(&site, &reference)["held"].to_string().contains("unclear-reply")), "{}", site.log());
    assert_eq!(show(&site, &reference)["status"], "requested");
    settle(&site, &[&reference, "set-aside"]);
    reply(&site, "r2", &format!("Booked for 12/22/2026 at 9:00 am.\n\n{quote}"));
    assert!(wait_for(|| show(&site, &reference)["status"] == "scheduled"), "{:#}", show(&site, &reference));
}

#[test]
fn what_may_be_of_somebody_else_or_of_another_time_is_compared_with_the_referral() {
    let (site, _running, reference) = with_referral(&referral_message("M1", "P1", "Quill"));
    assert!(wait_for(|| show(&site, &reference)["status"] == "requested"));
    for (name, words, why) in [
        ("r1", "Hi Ottoline,\nAppointment 12/21/2026 at 9:00 am", "greets the patient"),
        ("r2", "Received (DOB 3/14/1970)", "a birth date that is not the patient's"),
        ("r3", "She was seen on 11/20/2026.", "before they were asked"),
        ("r5", "Delphine Okafor is scheduled for 12/21/2026 at 9:00 am", "names a patient otherwise"),
    ] {
        reply(&site, name, words);
        let pending = || show(&site, &reference)["pending_replies"].to_string();
        assert!(wait_for(|| pending().contains(why)), "{words}: {}", pending());
        settle(&site, &[&reference, "set-aside"]);
    }
    reply(&site, "r4", "Received (DOB 2/14/62)");
    assert!(wait_for(|| show(&site, &reference)["status"] == "confirmed"), "{:#}", show(&site, &reference));
    reply(&site, "r6", "Ottoline Quill is scheduled for 12/21/2026 at 9:00 am");
    assert!(wait_for(|| show(&site, &reference)["status"] == "scheduled"), "{:#}", show(&site, &reference));
}

#[test]
fn a_desk_that_declines_is_not_asked_by_a_request_that_still_waits() {
    let (site, _running, _peer, reference) = with_stuck_mail();
    settle(&site, &[&reference, "reply", "declined"]);
    assert_eq!(count(&site, "confirmation-request", "email-out", "withdrawn"), 1, "{:#?}", site.deliveries());
    fs::remove_file(site.data("blocked")).unwrap();
    assert_eq!(show(&site, &reference)["status"], "declined");
}

#[test]
fn a_person_who_tries_a_delivery_again_ends_the_rest_of_its_channel() {
    let (site, _running, mut peer, _) = with_stuck_mail();
    peer.send(&referral_message("M2", "P2", "Osgood")).unwrap();
    let behind = || site.deliveries().into_iter().find(|one| one["purpose"] == "confirmation-request" && one["attempts"] == 0);
    let behind = behind().expect("a request waits behind the one that failed")["id"].as_str().unwrap().to_owned();
    fs::remove_file(site.data("blocked")).unwrap();
    fs::create_dir_all(site.data("blocked")).unwrap();
    site.json(&["deliveries", "retry", &behind, "--json"]).unwrap();
    assert!(wait_for(|| count(&site, "confirmation-request", "email-out", "sent") >= 1), "{:#?}", site.deliveries());
    assert!(site.log().contains("the channel rests no longer"), "{}", site.log());
}

#[test]
fn what_is_opened_again_has_no_appointment() {
    let (site, _running, reference) = with_referral(&referral_message("M1", "P1", "Quill"));
    assert!(wait_for(|| show(&site, &reference)["status"] == "requested"));
    settle(&site, &[&reference, "reply", "scheduled", "--at", "2027-12-14T10:30"]);
    assert_eq!(settle(&site, &[&reference, "reject", "--reason", "seen elsewhere"]).get("appointment"), None);
    settle(&site, &[&reference, "reopen"]);
    settle(&site, &[&reference, "reply", "scheduled", "--at", "2027-12-14T10:30"]);
    let mut peer = Peer::connect(&site.mllp());
    peer.send(&again("I14", "M2")).unwrap();
    assert!(show(&site, &reference).get("appointment").is_some(), "whoever has it may yet see the patient");
    peer.send(&again("I12", "M3")).unwrap();
    let shown = show(&site, &reference);
    assert_eq!((shown["status"].as_str(), shown.get("appointment")), (Some("new"), None), "{shown:#}");
}

#[test]
fn a_change_that_names_a_specialist_whom_no_route_leads_to_is_for_a_person() {
    let (site, _running, reference) = with_referral(&referral_message("M1", "P1", "Quill"));
    assert!(wait_for(|| show(&site, &reference)["status"] == "requested"));
    let elsewhere = unrouted(&again("I13", "M2"));
    Peer::connect(&site.mllp()).send(&elsewhere).unwrap();
    let shown = show(&site, &reference);
    assert_eq!((shown["status"].as_str(), &shown["held"]), (Some("new"), &serde_json::json!(["no-route"])), "{shown:#}");
    assert!(wait_for(|| was_told(&site, "withdrawal", "cardiology-desk")), "{:#?}", site.deliveries());
    assert!(!was_told(&site, "update", "cardiology-desk"), "{:#?}", site.deliveries());
    // A person says who is asked; what the sender changes then is no other specialist.
    settle(&site, &[&reference, "route", "dermatology-desk"]);
    assert!(wait_for(|| show(&site, &reference)["status"] == "requested"), "{:#?}", site.deliveries());
    Peer::connect(&site.mllp()).send(&elsewhere.replace("|M2|", "|M3|").replace("Nowhere", "Nowhere at all")).unwrap();
    assert!(wait_for(|| was_told(&site, "update", "dermatology-desk")), "{:#?}", site.deliveries());
    assert_eq!(show(&site, &reference).get("held"), None);
}

#[test]
fn a_wrong_desk_of_a_referral_that_is_over_is_seen_by_a_person() {
    let (site, _running, reference) = with_referral(&referral_message("M1", "P1", "Quill"));
    assert!(wait_for(|| show(&site, &reference)["status"] == "requested"));
    settle(&site, &[&reference, "reject", "--reason", "seen elsewhere"]);
    reply(&site, "r1", "Wrong clinic.");
    assert!(wait_for(|| show(&site, &reference)["held"].to_string().contains("unclear-reply")), "{}", site.log());
    assert!(show(&site, &reference)["pending_replies"].to_string().contains("correct the directory"));
}

#[test]
fn a_desk_that_books_after_all_is_no_wrong_one() {
    let (site, _running, reference) = said_to_be_wrong();
    assert_eq!(show(&site, &reference)["held"], serde_json::json!(["wrong-recipient"]));
    reply(&site, "r1", "Received, booked for 12/14/2026 at 10:30 am.");
    assert!(wait_for(|| show(&site, &reference)["status"] == "scheduled"), "{:#}", show(&site, &reference));
    assert_eq!(show(&site, &reference).get("held"), None, "{:#}", show(&site, &reference));
    settle(&site, &[&reference, "correct", "patient.birth_date=1942-03-28"]);
    assert!(wait_for(|| was_told(&site, "update", "cardiology-desk")), "{:#?}", site.deliveries());
    assert_eq!(count(&site, "confirmation-request", "email-out", "sent"), 1);
}

#[test]
fn a_wrong_desk_that_was_never_asked_is_for_a_person_too() {
    let site = Site::new();
    let _running = site.start();
    Peer::connect(&site.mllp()).send(&unrouted(&referral_message("M1", "P1", "Quill"))).unwrap();
    let reference = site.referrals()[0]["reference"].as_str().unwrap().to_owned();
    let settled = settle(&site, &[&reference, "reply", "wrong-recipient"]);
    assert!(settled["held"].to_string().contains("wrong-recipient"), "{settled:#}");
}

#[test]
fn who_goes_on_after_a_refusal_is_seen_by_a_person_who_says_what_it_means() {
    let (site, _running, reference) = with_referral(&referral_message("M1", "P1", "Quill"));
    assert!(wait_for(|| show(&site, &reference)["status"] == "requested" && !site.mails_out().is_empty()));
    reply(&site, "r1", "We decline this referral because we are full.");
    assert!(wait_for(|| show(&site, &reference)["status"] == "declined"), "{:#}", show(&site, &reference));
    reply(&site, "r2", "We accept, will call the patient.");
    let pending = || show(&site, &reference)["pending_replies"].to_string();
    assert!(wait_for(|| pending().contains("declined before")), "{:#}", show(&site, &reference));
    assert_eq!(show(&site, &reference)["status"], "declined");
    settle(&site, &[&reference, "reply", "accepted"]);
    assert_eq!(show(&site, &reference)["status"], "accepted");
}
