//! What goes on once a person has acted, or a delivery has: the right desk is asked, once, and nothing is held for a reason that is gone.

use std::{fs, os::unix::fs::symlink};

use serde_json::Value;

use crate::{
    harness::{Running, Site, referral_message, wait_for},
    people::{send, settle, show, with_referral},
};

fn requests(site: &Site, to: &str) -> Vec<Value> {
    let asks = |one: &Value| one["purpose"] == "confirmation-request" && one["to"] == to;
    site.deliveries().into_iter().filter(asks).collect()
}

fn all_sent(site: &Site) -> bool {
    site.deliveries().iter().all(|one| one["state"] == "sent")
}

fn held(site: &Site, reference: &str) -> String {
    show(site, reference)["held"].to_string()
}

/// What is mailed is acknowledged by fax.
const ANSWERED_BY_FAX: &str = r#"
[inbound.mailbox]
maildir = "mail-in"
stable_after_seconds = 0.1
poll_seconds = 0.3
[acknowledge]
through = "fax-out"
to = "practice"
[route]
default = { through = "email-out", to = "cardiology-desk" }
"#;

/// A site whose faxes cannot be written, and are given up after one attempt.
fn with_broken_fax() -> (Site, Running) {
    let site = Site::new();
    site.channel("mail-in", ANSWERED_BY_FAX);
    fs::write(site.path("loopline.toml"), "[limits]\ndelivery_attempts_max = 1\n").unwrap();
    let running = site.start();
    fs::remove_dir_all(site.data("fax-out")).unwrap();
    // A link to itself: neither absent nor forbidden, so each fax is at fault and not the channel.
    symlink(site.data("fax-out"), site.data("fax-out")).unwrap();
    (site, running)
}

fn mend_fax(site: &Site) {
    fs::remove_file(site.data("fax-out")).unwrap();
    fs::create_dir(site.data("fax-out")).unwrap();
}

fn dead(site: &Site) -> Value {
    let found = || site.deliveries().into_iter().find(|one| one["state"] == "dead");
    assert!(wait_for(|| found().is_some()), "{:#?}\n{}", site.deliveries(), site.log());
    found().unwrap()
}

fn retry(site: &Site, delivery: &Value) {
    site.json(&["deliveries", "retry", delivery["id"].as_str().unwrap(), "--json"]).unwrap();
}

#[test]
fn a_desk_that_did_not_get_it_is_asked_once_more_and_not_twice() {
    let (site, _running, reference) = with_referral(&referral_message("M1", "P1", "Quill"));
    assert!(wait_for(|| show(&site, &reference)["status"] == "requested"));
    settle(&site, &[&reference, "reply", "not-received"]);
    assert!(wait_for(|| show(&site, &reference)["status"] == "requested" && all_sent(&site)), "{:#?}", site.deliveries());
    assert_eq!(requests(&site, "cardiology-desk").len(), 2, "{:#?}", site.deliveries());
}

#[test]
fn where_a_person_sends_it_stands_when_it_is_held_for_something_else_as_well() {
    let (site, _running, reference) = with_referral(&referral_message("M1", "P1", "Quill").replace("19620214", "19621325"));
    settle(&site, &[&reference, "route", "dermatology-desk"]);
    assert!(held(&site, &reference).contains("blocking-field"));
    assert_eq!(site.deliveries().len(), 0);
    settle(&site, &[&reference, "correct", "patient.birth_date=1962-02-14"]);
    assert!(wait_for(|| show(&site, &reference)["status"] == "requested"), "{}", site.log());
    assert_eq!(requests(&site, "dermatology-desk").len(), 1);
    assert_eq!(requests(&site, "cardiology-desk").len(), 0, "where the channel would have sent it");
}

#[test]
fn a_change_by_the_sender_does_not_undo_where_a_person_sends_it() {
    let (site, _running, reference) = with_referral(&referral_message("M1", "P1", "Quill").replace("19620214", "19621325"));
    settle(&site, &[&reference, "route", "dermatology-desk"]);
    send(&site, &referral_message("M2", "P1", "Quill").replace("REF^I12", "REF^I13"));
    assert!(wait_for(|| show(&site, &reference)["status"] == "requested"), "{:#}", show(&site, &reference));
    assert_eq!((requests(&site, "dermatology-desk").len(), requests(&site, "cardiology-desk").len()), (1, 0));
}

#[test]
fn a_reply_that_waits_does_not_keep_the_next_desk_from_being_asked() {
    let (site, _running, reference) = with_referral(&referral_message("M1", "P1", "Quill"));
    assert!(wait_for(|| site.mails_out().len() == 1));
    let request = site.mails_out().remove(0);
    let header = |name: &str| request.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    site.drop_mail(
        "r1",
        &format!(
            "From: desk@northside-heart.example\nTo: {}\nSubject: Re: {}\nMessage-ID: <r1@northside-heart.example>\n\
             Date: Sun, 22 Nov 2026 10:00:00 -0800\n\nPerhaps rather something for a dermatologist, who can tell?\n",
            header("Reply-To:"),
            header("Subject:")
        ),
    );
    assert!(wait_for(|| held(&site, &reference).contains("unclear-reply")), "{}", site.log());
    let settled = settle(&site, &[&reference, "route", "dermatology-desk"]);
    assert_eq!(settled["status"], "redirected", "the new desk has said nothing yet");
    assert!(wait_for(|| show(&site, &reference)["status"] == "requested"), "{:#?}", site.deliveries());
    settle(&site, &[&reference, "set-aside"]);
    assert_eq!(show(&site, &reference).get("held"), None);
    assert_eq!((requests(&site, "dermatology-desk").len(), requests(&site, "cardiology-desk").len()), (1, 1));
}

#[test]
fn an_appointment_with_the_desk_before_is_none_with_the_next() {
    let (site, _running, reference) = with_referral(&referral_message("M1", "P1", "Quill"));
    assert!(wait_for(|| show(&site, &reference)["status"] == "requested"));
    settle(&site, &[&reference, "reply", "scheduled", "--at", "2027-12-14T10:30"]);
    settle(&site, &[&reference, "route", "dermatology-desk"]);
    assert!(wait_for(|| show(&site, &reference)["status"] == "requested"), "{:#}", show(&site, &reference));
    assert_eq!(show(&site, &reference).get("appointment"), None);
}

#[test]
fn pages_that_went_out_after_all_hold_nothing() {
    let (site, _running) = with_broken_fax();
    send(&site, &referral_message("M1", "P1", "Quill"));
    let reference = site.referrals()[0]["reference"].as_str().unwrap().to_owned();
    let pages = dead(&site);
    assert_eq!((&pages["purpose"], held(&site, &reference).as_str()), (&"pages".into(), "[\"dead-delivery\"]"));
    mend_fax(&site);
    retry(&site, &pages);
    assert!(wait_for(|| show(&site, &reference).get("held").is_none()), "{:#?}", site.deliveries());
}

#[test]
fn what_waited_for_a_dead_acknowledgement_alone_goes_on_once_that_is_sent() {
    let (site, _running) = with_broken_fax();
    site.drop_mail(
        "m1",
        "From: office@elm-street.example\nTo: referrals@loopline.example\nSubject: referral\nMessage-ID: <m1@elm-street.example>\n\
         Date: Sat, 21 Nov 2026 10:00:00 -0800\n\nPatient: Ottoline Quill\nPriority: routine\nSpecialty: Cardiology\nReason: palpitations\n",
    );
    let acknowledgement = dead(&site);
    assert_eq!(acknowledgement["purpose"], "acknowledgement", "{acknowledgement:#}");
    let reference = site.referrals()[0]["reference"].as_str().unwrap().to_owned();
    settle(&site, &[&reference, "correct", "patient.birth_date=1962-02-14"]);
    assert_eq!(held(&site, &reference), "[\"dead-delivery\"]");
    assert_eq!(requests(&site, "cardiology-desk").len(), 0);
    mend_fax(&site);
    retry(&site, &acknowledgement);
    assert!(wait_for(|| show(&site, &reference)["status"] == "requested"), "{:#?}", site.deliveries());
    assert_eq!((requests(&site, "cardiology-desk").len(), show(&site, &reference).get("held")), (1, None));
}

#[test]
fn a_request_that_a_person_skips_leaves_the_referral_with_a_person() {
    let (site, _running) = with_broken_fax();
    send(&site, &referral_message("M1", "P1", "Quill").replace("Northside Heart Center", "Harbor Skin Clinic"));
    let reference = site.referrals()[0]["reference"].as_str().unwrap().to_owned();
    let request = dead(&site);
    site.json(&["deliveries", "skip", request["id"].as_str().unwrap(), "--json"]).unwrap();
    assert_eq!(held(&site, &reference), "[\"request-skipped\"]", "it has a route, and nobody is asked");
    settle(&site, &[&reference, "route", "cardiology-desk"]);
    assert!(wait_for(|| show(&site, &reference)["status"] == "requested"), "{:#?}", site.deliveries());
    assert!(!held(&site, &reference).contains("request-skipped"), "{}", held(&site, &reference));
}

#[test]
fn a_skipped_request_is_sent_again_when_a_person_says_so_and_by_no_other_act() {
    let (site, _running) = with_broken_fax();
    send(&site, &referral_message("M1", "P1", "Quill").replace("Northside Heart Center", "Harbor Skin Clinic"));
    let reference = site.referrals()[0]["reference"].as_str().unwrap().to_owned();
    let request = dead(&site);
    site.json(&["deliveries", "skip", request["id"].as_str().unwrap(), "--json"]).unwrap();
    settle(&site, &[&reference, "correct", "patient.name.middle=Ann"]);
    assert_eq!((held(&site, &reference).as_str(), requests(&site, "dermatology-desk").len()), ("[\"request-skipped\"]", 1));
    mend_fax(&site);
    settle(&site, &[&reference, "confirm"]);
    assert!(wait_for(|| show(&site, &reference)["status"] == "requested"), "{:#?}", site.deliveries());
    assert_eq!((requests(&site, "dermatology-desk").len(), show(&site, &reference).get("held")), (2, None));
}

#[test]
fn pages_that_went_out_do_not_go_out_again_with_a_request_that_did_not() {
    let site = Site::new();
    site.channel("email-out", "[outbound.email]\nfrom = \"a@loopline.example\"\nmaildir = \"blocked/mail\"\n");
    fs::create_dir_all(site.data("")).unwrap();
    fs::write(site.data("blocked"), "").unwrap();
    let _running = site.start();
    send(&site, &referral_message("M1", "P1", "Quill"));
    let reference = site.referrals()[0]["reference"].as_str().unwrap().to_owned();
    let pages = || site.deliveries().into_iter().filter(|one| one["purpose"] == "pages").collect::<Vec<_>>();
    let request = || requests(&site, "cardiology-desk").remove(0);
    let is_stuck = || request()["state"] == "queued" && request()["attempts"] != 0;
    assert!(wait_for(|| is_stuck() && pages().iter().all(|one| one["state"] == "sent")), "{:#?}", site.deliveries());
    site.json(&["deliveries", "skip", request()["id"].as_str().unwrap(), "--json"]).unwrap();
    settle(&site, &[&reference, "confirm"]);
    assert_eq!((requests(&site, "cardiology-desk").len(), pages().len()), (2, 1), "{:#?}", site.deliveries());
    // Whoever sends it there by name wants all of it sent.
    settle(&site, &[&reference, "route", "cardiology-desk"]);
    assert_eq!(pages().len(), 2, "{:#?}", site.deliveries());
}

/// Puts a mail of nobody knows what into the mailbox, and gives how its sender stands once it is decided.
fn asked(site: &Site, name: &str, from: &str, more: &str) -> String {
    site.drop_mail(
        name,
        &format!(
            "From: {from}\nTo: referrals@loopline.example\nSubject: hello\nMessage-ID: <{name}@elsewhere.example>\n{more}\
             Date: Sat, 21 Nov 2026 10:00:00 -0800\n\nDid you get our fax of Tuesday?\n"
        ),
    );
    let message = || site.messages().into_iter().find(|one| one["control_id"] == format!("{name}@elsewhere.example").as_str());
    let is_settled = || message().is_some_and(|one| one["state"] == "held" && one["acknowledgement"] != "owed");
    assert!(wait_for(is_settled), "{:#?}\n{}", site.messages(), site.log());
    message().unwrap()["acknowledgement"].as_str().unwrap().to_owned()
}

#[test]
fn who_mails_what_nobody_understands_is_told_that_a_person_reads_it_and_no_program_is_answered_twice() {
    let site = Site::new();
    let _running = site.start();
    assert_eq!(asked(&site, "m1", "office@elm-street.example", ""), "sent");
    let told = site.mails_out().remove(0);
    assert!(told.contains("To: office@elm-street.example") && told.contains("a person here reads it"), "{told}");
    assert_eq!(asked(&site, "m2", "office@elm-street.example", ""), "undelivered", "once an hour is enough");
    assert_eq!(asked(&site, "m3", "desk@northside-heart.example", "In-Reply-To: <x@y.example>\n"), "undelivered");
    assert_eq!(asked(&site, "m4", "stranger@elsewhere.example", ""), "undelivered", "nobody whom the site does not know");
    assert_eq!(asked(&site, "m5", "desk@northside-heart.example", ""), "sent");
    assert_eq!(site.mails_out().len(), 2);
}

#[test]
fn who_mails_an_hl7_message_that_is_refused_is_told_why() {
    let site = Site::new();
    let _running = site.start();
    let message = referral_message("M1", "P1", "Quill").replace("PID|", "PIX|").replace('\r', "\n");
    site.drop_mail(
        "m1",
        &format!(
            "From: office@elm-street.example\nTo: referrals@loopline.example\nSubject: referral\nMessage-ID: <m1@elm-street.example>\n\
             Date: Sat, 21 Nov 2026 10:00:00 -0800\nMIME-Version: 1.0\nContent-Type: application/hl7-v2; name=\"referral.hl7\"\n\
             Content-Disposition: attachment; filename=\"referral.hl7\"\n\n{message}"
        ),
    );
    assert!(wait_for(|| site.mails_out().len() == 1), "{:#?}\n{}", site.messages(), site.log());
    let told = site.mails_out().remove(0);
    assert!(told.contains("We could not read it because") && !told.contains("black on white"), "{told}");
    assert_eq!(site.messages()[0]["acknowledgement"], "sent", "{:#?}", site.messages());
}
