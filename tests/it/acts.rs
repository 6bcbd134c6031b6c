//! What a person's act does to what others were told, and what must not follow from a message that comes late, twice or for another.

use serde_json::Value;

use crate::{
    harness::{Peer, Site, field, referral_message, wait_for},
    people::{refused, send, settle, show, with_referral},
};

fn status(site: &Site, reference: &str) -> String {
    show(site, reference)["status"].as_str().unwrap().to_owned()
}

fn held(site: &Site, reference: &str) -> String {
    show(site, reference)["held"].to_string()
}

/// How many mails with this purpose are owed or sent to an entry; the pages beside them go by fax.
fn told(site: &Site, purpose: &str, to: &str) -> usize {
    let counts = |one: &&Value| {
        one["purpose"] == purpose && one["to"] == to && one["through"] == "email-out" && one["state"] != "withdrawn"
    };
    site.deliveries().iter().filter(counts).count()
}

fn newest(site: &Site) -> String {
    site.referrals()[0]["reference"].as_str().unwrap().to_owned()
}

/// A reply of the desk that the first request went to, or of somebody else.
fn reply(site: &Site, name: &str, from: &str, words: &str) {
    let request = site.mails_out().into_iter().find(|mail| mail.contains("please confirm")).expect("a request went out");
    let header = |name: &str| request.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    let (to, subject) = (header("Reply-To:"), header("Subject:"));
    let head = format!("From: {from}\nTo: {to}\nSubject: Re: {subject}\nMessage-ID: <{name}@northside-heart.example>");
    site.drop_mail(name, &format!("{head}\nDate: Sun, 22 Nov 2026 10:00:00 -0800\n\n{words}\n"));
}

fn sample(name: &str) -> String {
    std::fs::read_to_string(format!("{}/samples/referral-inbox/{name}.eml", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// The same mail as one that was written anew.
fn written_anew(mail: &str, number: usize) -> String {
    let lines = mail.lines().map(|line| match line.strip_prefix("Message-ID: <") {
        Some(rest) => format!("Message-ID: <{number}{rest}"),
        None => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn an_older_message_that_is_replayed_does_not_undo_a_newer_one() {
    let (site, _running, reference) = with_referral(&referral_message("M1", "P1", "Quill"));
    let first = site.messages()[0]["id"].as_str().unwrap().to_owned();
    assert!(wait_for(|| status(&site, &reference) == "requested"));
    send(&site, &referral_message("M2", "P1", "Quillfeather").replace("REF^I12", "REF^I13"));
    assert!(wait_for(|| told(&site, "update", "cardiology-desk") == 1));
    site.json(&["messages", "replay", &first, "--json"]).unwrap();
    let reason = || site.json(&["messages", "show", &first, "--json"]).unwrap()["message"]["reason"].to_string();
    assert!(wait_for(|| reason().contains("a later message")), "{}", reason());
    assert_eq!(show(&site, &reference)["patient"]["name"]["family"], "Quillfeather");
    assert_eq!(told(&site, "update", "cardiology-desk"), 1);
}

#[test]
fn another_birth_date_and_chart_under_a_known_number_is_another_patient_and_stays_one() {
    let (site, _running, first) = with_referral(&referral_message("M1", "P1", "Quill"));
    let other = |control_id: &str, event: &str| {
        referral_message(control_id, "P1", "Quill")
            .replace("19620214", "19880101")
            .replace("MR-P1", "MR-77")
            .replace("I12", event)
    };
    send(&site, &other("M2", "I12"));
    let second = newest(&site);
    assert_ne!(second, first);
    assert!(held(&site, &second).contains("second-patient"));
    assert_eq!(show(&site, &first)["patient"]["birth_date"], "1962-02-14");
    settle(&site, &[&second, "confirm"]);
    // What its sender says of it from now on is about it, and makes no third.
    send(&site, &other("M3", "I12"));
    send(&site, &other("M4", "I13").replace("six weeks", "eight weeks"));
    assert_eq!(site.referrals().len(), 2);
    assert!(show(&site, &second)["request"]["reason"].as_str().unwrap().contains("eight weeks"));
}

#[test]
fn a_change_that_raises_a_doubt_is_not_sent_until_a_person_settles_it() {
    let (site, _running, reference) = with_referral(&referral_message("M1", "P1", "Quill"));
    assert!(wait_for(|| status(&site, &reference) == "requested"));
    let message = referral_message("M2", "P1", "Quill")
        .replace("REF^I12", "REF^I13")
        .replace("^PRN^PH^^^503^5550144", "^PRN^PH^^^503^5550144|||||||||||||||||Y");
    send(&site, &message);
    assert!(held(&site, &reference).contains("deceased"), "{:#}", show(&site, &reference));
    assert_eq!(told(&site, "update", "cardiology-desk"), 0);
    settle(&site, &[&reference, "confirm"]);
    assert!(wait_for(|| told(&site, "update", "cardiology-desk") == 1), "{:#?}", site.deliveries());
    settle(&site, &[&reference, "confirm"]);
    assert_eq!(told(&site, "update", "cardiology-desk"), 1, "once is enough");
}

#[test]
fn what_a_person_corrects_may_give_it_a_destination() {
    let message = referral_message("M1", "P1", "Quill").replace("Northside Heart Center", "Elsewhere");
    let (site, _running, reference) = with_referral(&message);
    assert!(held(&site, &reference).contains("no-route"));
    let settled = settle(&site, &[&reference, "correct", "referred_to.specialty=Cardiology"]);
    assert_eq!(settled.get("held"), None, "{settled:#}");
    assert!(wait_for(|| status(&site, &reference) == "requested"), "{}", site.log());
    assert!(!show(&site, &reference)["problems"].to_string().contains("no-route"));
    for wrong in ["patient.birth_date=2051-01-01", "referring.npi=123", "referring.phones.0.number=abc"] {
        let told = refused(&site, &[&reference, "correct", wrong]);
        assert!(told.contains(wrong.split('=').next().unwrap()), "{told}");
    }
}

#[test]
fn a_desk_that_only_a_doubtful_reading_chose_gets_nothing_until_a_person_has_looked() {
    let site = Site::new();
    let route = "specialty.Cardiology = { through = \"email-out\", to = \"cardiology-desk\" }";
    site.channel(
        "mail-in",
        &format!("[inbound.mailbox]\nmaildir = \"mail-in\"\nstable_after_seconds = 0.1\npoll_seconds = 0.3\n[route]\n{route}\n"),
    );
    let _running = site.start();
    let words =
        "Patient: Ottoline Quill\nDOB: 02/14/1962\nPriority: routine\nReason for referral: palpitations\nReferring: Jill Ames";
    site.drop_mail(
        "twofold",
        &format!("From: office@elm-street.example\nSubject: Referral\nMessage-ID: <two@elm-street.example>\n\n{words}\nSpecialty: Cardiology\nDepartment: Dermatology\n"),
    );
    assert!(wait_for(|| site.referrals().len() == 1), "{}", site.log());
    let reference = newest(&site);
    assert_eq!(held(&site, &reference), "[\"no-route\"]", "{:#}", show(&site, &reference));
    assert!(show(&site, &reference)["problems"].to_string().contains("cardiology-desk by referred_to.specialty alone"));
    assert!(site.deliveries().is_empty(), "{:#?}", site.deliveries());
    settle(&site, &[&reference, "confirm", "referred_to.specialty"]);
    assert!(wait_for(|| status(&site, &reference) == "requested"), "{}", site.log());
    assert!(!show(&site, &reference)["problems"].to_string().contains("no-route"));
}

#[test]
fn who_was_asked_first_is_told_when_it_goes_elsewhere_and_their_late_answer_is_a_persons_to_read() {
    let (site, _running, reference) = with_referral(&referral_message("M1", "P1", "Quill"));
    assert!(wait_for(|| status(&site, &reference) == "requested"));
    settle(&site, &[&reference, "route", "dermatology-desk"]);
    assert!(wait_for(|| told(&site, "withdrawal", "cardiology-desk") == 1), "{:#?}", site.deliveries());
    assert!(wait_for(|| site.mails_out().iter().any(|mail| mail.contains("it goes to another practice"))));
    reply(&site, "late", "desk@northside-heart.example", "Wrong clinic.");
    assert!(wait_for(|| held(&site, &reference).contains("unclear-reply")), "{}", site.log());
    assert!(show(&site, &reference)["pending_replies"][0]["why"].as_str().unwrap().contains("taken from"));
    assert_eq!(status(&site, &reference), "requested");
}

#[test]
fn a_waiting_reply_is_not_lost_by_a_confirmation_and_two_are_settled_one_by_one() {
    let (site, _running, reference) = with_referral(&referral_message("M1", "P1", "Quill"));
    assert!(wait_for(|| status(&site, &reference) == "requested"));
    reply(&site, "r1", "somebody@else.example", "Received, booked for 12/14/2026 10:30");
    reply(&site, "r2", "desk@northside-heart.example", "Perhaps the week after, who can tell?");
    let waiting = || show(&site, &reference)["pending_replies"].as_array().map_or(0, Vec::len);
    assert!(wait_for(|| waiting() == 2), "{}", site.log());
    let quotes = show(&site, &reference)["pending_replies"].to_string();
    assert!(quotes.contains("who can tell"), "its words are shown: {quotes}");
    assert!(refused(&site, &[&reference, "confirm"]).contains("set-aside"));
    assert!(refused(&site, &[&reference, "reply", "scheduled", "--at", "2020-01-01"]).contains("before"));
    assert!(refused(&site, &[&reference, "reply", "received", "--at", "2027-12-14"]).contains("leave --at out"));
    settle(&site, &[&reference, "set-aside"]);
    assert_eq!(waiting(), 1);
    let settled = settle(&site, &[&reference, "reply", "scheduled", "--at", "2027-12-14T10:30"]);
    assert_eq!((settled["status"].as_str(), settled.get("held")), (Some("scheduled"), None));
}

#[test]
fn what_the_sender_asks_to_cancel_waits_for_a_person_and_is_moved_by_nothing_else() {
    let (site, _running, reference) = with_referral(&referral_message("M1", "P1", "Quill"));
    assert!(wait_for(|| status(&site, &reference) == "requested"));
    send(&site, &referral_message("M2", "P1", "Quill").replace("REF^I12", "REF^I14"));
    assert!(wait_for(|| told(&site, "withdrawal", "cardiology-desk") == 1));
    let listed = site.json(&["referrals", "list", "--held", "--json"]).unwrap();
    assert_eq!(listed[0]["reference"], reference.as_str(), "it is on the list of those that wait for a person");
    settle(&site, &[&reference, "reply", "redirected"]);
    assert_eq!(status(&site, &reference), "cancel-requested");
    assert!(refused(&site, &[&reference, "route", "dermatology-desk"]).contains("reopen"));
    assert_eq!(settle(&site, &[&reference, "reject", "--reason", "as asked"])["status"], "cancelled");
    assert_eq!(told(&site, "withdrawal", "cardiology-desk"), 1, "they know already");
    assert!(site.json(&["referrals", "list", "--held", "--json"]).unwrap().as_array().unwrap().is_empty());
}

#[test]
fn who_has_both_of_two_merged_referrals_is_told_which_one_stays() {
    let (site, _running, first) = with_referral(&referral_message("M1", "P1", "Quill"));
    send(&site, &referral_message("M2", "P2", "Quill"));
    let second = newest(&site);
    assert!(wait_for(|| status(&site, &first) == "requested" && status(&site, &second) == "requested"));
    settle(&site, &[&second, "merge", &first]);
    let named = |mail: &String| mail.contains("it was sent twice") && mail.contains(&first);
    assert!(wait_for(|| site.mails_out().iter().any(named)), "{:#?}", site.deliveries());
    settle(&site, &[&second, "reopen"]);
    assert!(held(&site, &second).contains("possible-duplicate"), "it does not go out beside the other unseen");
    // Its own number finds it again, and not the one it was merged into.
    send(&site, &referral_message("M3", "P2", "Quill").replace("REF^I12", "REF^I14"));
    assert_eq!((status(&site, &second), status(&site, &first)), ("cancel-requested".to_owned(), "requested".to_owned()));
}

#[test]
fn a_twin_is_noticed_though_an_earlier_one_is_over() {
    let site = Site::new();
    let _running = site.start();
    let mail = sample("referral-in-words");
    for number in 1..=3 {
        site.drop_mail(&format!("m{number}"), &written_anew(&mail, number));
        assert!(wait_for(|| site.referrals().len() == number), "{}", site.log());
        let held = held(&site, &newest(&site));
        match number {
            1 => drop(settle(&site, &[&newest(&site), "reject", "--reason", "a test"])),
            2 => assert!(!held.contains("possible-duplicate"), "{held}"),
            _ => assert!(held.contains("possible-duplicate"), "{held}"),
        }
    }
}

#[test]
fn what_is_mailed_again_is_acknowledged_again() {
    let site = Site::new();
    site.channel(
        "mail-in",
        "[inbound.mailbox]\nmaildir = \"mail-in\"\nstable_after_seconds = 0.1\npoll_seconds = 0.3\n[acknowledge]\nthrough = \"email-out\"\n\
         senders = [\"ehr@cedar-clinic.example\"]\n[route]\ndefault = { through = \"email-out\", to = \"cardiology-desk\" }\n",
    );
    let _running = site.start();
    let mail = sample("referral-as-hl7");
    for number in 1..=2 {
        site.drop_mail(&format!("m{number}"), &written_anew(&mail, number));
        assert!(wait_for(|| site.messages().len() == number), "{}", site.log());
        let sent = || site.messages().iter().all(|message| message["acknowledgement"] == "sent");
        assert!(wait_for(sent), "{:#?}\n{:#?}", site.messages(), site.deliveries());
    }
    assert_eq!(site.referrals().len(), 1);
}

#[test]
fn a_report_about_another_patient_closes_nothing() {
    let site = Site::new();
    site.channel(
        "hl7-in",
        "[inbound.mllp]\nlisten = \"127.0.0.1:0\"\n[acknowledge]\nsenders = [\"EHR|STMARY\"]\n[route]\nby = [\"directory\"]\n",
    );
    let _running = site.start();
    send(&site, &referral_message("M1", "P1", "Quill"));
    let reference = newest(&site);
    let report = referral_message("M2", "P1", "Smith")
        .replace("REF^I12", "RRI^I12")
        .replace("Ottoline", "Bob")
        .replace("19620214", "19481130")
        .replace("MR-P1", "MR-77")
        + "OBX|1|TX|18842-5^Consult note^LN||Seen and discharged||||||F\r";
    let answer = Peer::connect(&site.mllp()).send(&report).unwrap();
    assert_eq!(field(&answer, "MSA", 1), "AA", "{answer}");
    assert_ne!(status(&site, &reference), "closed");
    assert_eq!(site.messages()[0]["state"], "held");
}
