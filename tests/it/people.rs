//! What people do: coordinators settle what is held, operators replay messages and retry deliveries, front desks say that it is not theirs.

use serde_json::Value;

use crate::harness::{Peer, Running, Site, field, referral_message, wait_for};

pub fn settle(site: &Site, arguments: &[&str]) -> Value {
    let all: Vec<&str> =
        ["referrals", "settle"].into_iter().chain(arguments.iter().copied()).chain(["--by", "mira", "--json"]).collect();
    site.json(&all)
        .unwrap_or_else(|| panic!("{:?}", String::from_utf8_lossy(&site.command().args(&all).output().unwrap().stderr)))
}

pub fn refused(site: &Site, arguments: &[&str]) -> String {
    let output = site.command().args(["referrals", "settle"]).args(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub fn send(site: &Site, message: &str) {
    let answer = Peer::connect(&site.mllp()).send(message).unwrap();
    assert_eq!(field(&answer, "MSA", 1), "AA", "{answer}");
}

/// A site with one referral by HL7; gives its reference.
pub fn with_referral(message: &str) -> (Site, Running, String) {
    let site = Site::new();
    let running = site.start();
    send(&site, message);
    let reference = site.referrals()[0]["reference"].as_str().unwrap().to_owned();
    (site, running, reference)
}

pub fn show(site: &Site, reference: &str) -> Value {
    site.json(&["referrals", "show", reference, "--json"]).unwrap()["referral"].clone()
}

#[test]
fn a_doubtful_birth_date_holds_the_referral_until_a_person_corrects_it() {
    let (site, _running, reference) = with_referral(&referral_message("M1", "P1", "Quill").replace("19620214", "19621325"));
    assert_eq!(site.referrals()[0]["held"][0], "blocking-field");
    assert_eq!(site.deliveries().len(), 0);

    assert!(refused(&site, &[&reference, "correct", "patient.birth_date=1962-02-30"]).contains("patient.birth_date"));
    assert!(refused(&site, &[&reference, "correct", "patient.shoe_size=44"]).contains("no field"));
    let said = refused(&site, &[&reference, "correct", "patient.nmae.family=Quill"]);
    assert!(said.contains("did you mean patient.name.family?"), "{said}");
    assert!(refused(&site, &[&reference, "correct", "patient.name.family=Qu\u{1b}[2Jill"]).contains("control character"));
    assert!(refused(&site, &[&reference, "set-aside"]).contains(&format!("no reply waits on {reference}")));
    assert_eq!(site.referrals()[0]["held"][0], "blocking-field", "a refused act changes nothing");

    let settled = settle(&site, &[&reference, "correct", "patient.birth_date=1962-02-14"]);
    assert_eq!(settled["patient"]["birth_date"], "1962-02-14");
    assert_eq!(settled.get("held"), None);
    assert!(wait_for(|| show(&site, &reference)["status"] == "requested"), "{}", site.log());
}

#[test]
fn a_rejected_referral_is_over_and_nothing_goes_out() {
    let (site, _running, reference) =
        with_referral(&referral_message("M1", "P1", "Quill").replace("Northside Heart Center", "Elsewhere"));
    let settled = settle(&site, &[&reference, "reject", "--reason", "a test message"]);
    assert_eq!(settled["status"], "cancelled");
    assert_eq!(settled.get("held"), None);
    assert_eq!(site.deliveries().len(), 0);
}

#[test]
fn the_same_patient_by_fax_and_by_hl7_is_held_as_a_possible_duplicate_and_merged() {
    let (site, _running, first) = with_referral(
        &referral_message("M1", "P1", "Quill")
            .replace("|||^^^Northside Heart Center||||", "|^^^^^^||^^^Northside Heart Center||||"),
    );
    let show_first = show(&site, &first);
    let family = show_first["patient"]["name"]["family"].as_str().unwrap();
    let specialty =
        show_first["referred_to"]["specialty"].as_str().or(show_first["referred_to"]["organization"].as_str()).unwrap();
    site.drop_mail(
        "m1",
        &format!(
            "From: office@elm-street.example\nTo: referrals@loopline.example\nSubject: referral\nMessage-ID: <m1@elm-street.example>\n\
             Date: Sat, 21 Nov 2026 10:00:00 -0800\n\nPatient: Ottoline {family}\nDOB: 02/14/1962\nPriority: routine\nSpecialty: {specialty}\nRefer to: {specialty}\nReason: palpitations\n"
        ),
    );
    assert!(wait_for(|| site.referrals().len() == 2), "{:#?}\n{}", site.messages(), site.log());
    let second = site.referrals().into_iter().find(|one| one["reference"] != first.as_str()).unwrap();
    assert!(second["held"].as_array().unwrap().iter().any(|one| one == "possible-duplicate"), "{second:#}");
    let reference = second["reference"].as_str().unwrap();
    assert!(refused(&site, &[reference, "merge", reference]).contains("itself"));
    let settled = settle(&site, &[reference, "merge", &first]);
    assert_eq!(settled["status"], "cancelled");
    let stays = show(&site, &first);
    let merged =
        |one: &Value| one["history"].as_array().unwrap().iter().find(|entry| entry["event"] == "merged").unwrap().clone();
    assert_eq!(merged(&stays)["from"], reference, "each names the other one");
    assert_eq!((&merged(&settled)["into"], merged(&settled).get("from")), (&first.as_str().into(), None));
    assert_eq!(stays["sources"].as_array().unwrap().len(), 2);
    assert_ne!(stays["status"], "cancelled");
}

#[test]
fn two_patients_are_merged_only_where_a_person_says_so_twice() {
    let (site, _running, first) = with_referral(&referral_message("M1", "P1", "Quill"));
    send(&site, &referral_message("M2", "P2", "Marsh").replace("Ottoline", "Tobias").replace("19620214", "19481102"));
    let second = site.referrals().into_iter().find(|one| one["reference"] != first.as_str()).unwrap();
    let second = second["reference"].as_str().unwrap();
    let said = refused(&site, &[second, "merge", &first]);
    assert!(said.contains("another patient") && said.contains("--patients-differ") && !said.contains("Quill"), "{said}");
    assert_eq!(settle(&site, &[second, "merge", &first, "--patients-differ"])["status"], "cancelled");
}

#[test]
fn replaying_a_message_makes_no_second_referral_and_asks_nobody_twice() {
    let (site, _running, reference) = with_referral(&referral_message("M1", "P1", "Quill"));
    assert!(wait_for(|| show(&site, &reference)["status"] == "requested"));
    let id = site.messages()[0]["id"].as_str().unwrap().to_owned();
    site.json(&["messages", "replay", &id, "--json"]).unwrap();
    assert!(wait_for(|| site.messages()[0]["state"] == "processed"), "{:#?}", site.messages());
    assert_eq!(site.referrals().len(), 1);
    assert_eq!(site.deliveries().len(), 2, "the request by mail and its pages by fax: {:#?}", site.deliveries());
}

#[test]
fn replaying_a_fax_makes_no_second_referral_and_acknowledges_nobody_twice() {
    let site = Site::new();
    let _running = site.start();
    let samples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/fax-inbox");
    let sample =
        crate::harness::files(&samples).into_iter().find(|path| path.extension().is_some_and(|end| end == "pdf")).unwrap();
    site.drop_file("fax-in/scan.pdf", &std::fs::read(sample).unwrap());
    let at_rest = || {
        let deliveries = site.deliveries();
        site.messages().iter().all(|one| one["state"] == "processed")
            && deliveries.len() == 2
            && deliveries.iter().all(|one| one["state"] == "sent")
    };
    assert!(wait_for(at_rest), "{:#?} {:#?}", site.messages(), site.deliveries());
    let before = site.referrals();
    let id = site.messages()[0]["id"].as_str().unwrap().to_owned();
    site.json(&["messages", "replay", &id, "--json"]).unwrap();
    assert!(wait_for(at_rest), "{:#?} {:#?}", site.messages(), site.deliveries());
    let after = site.referrals();
    assert_eq!((after.len(), &after[0]["reference"]), (1, &before[0]["reference"]));
}

#[test]
fn a_change_reaches_the_specialist_and_a_cancel_withdraws() {
    let (site, _running, reference) = with_referral(&referral_message("M1", "P1", "Quill"));
    assert!(wait_for(|| show(&site, &reference)["status"] == "requested"));
    let sent = |purpose: &str| site.deliveries().iter().any(|one| one["purpose"] == purpose && one["state"] == "sent");

    send(&site, &referral_message("M2", "P1", "Quill").replace("REF^I12", "REF^I13").replace("R^Routine", "S^Stat"));
    let changed = show(&site, &reference);
    assert_eq!((changed["priority"].as_str(), changed["version"].as_u64() > Some(1)), (Some("stat"), true));
    assert!(wait_for(|| sent("update")), "{:#?}", site.deliveries());

    send(&site, &referral_message("M3", "P1", "Quill").replace("REF^I12", "REF^I14"));
    assert_eq!(show(&site, &reference)["status"], "cancel-requested", "never silently cancelled");
    assert!(wait_for(|| sent("withdrawal")), "{:#?}", site.deliveries());
}

#[test]
fn a_change_of_a_referral_that_is_not_known_is_refused_with_204() {
    let site = Site::new();
    let _running = site.start();
    for event in ["I13", "I14", "I15"] {
        let message = referral_message(event, "P9", "Quill").replace("REF^I12", &format!("REF^{event}"));
        let answer = Peer::connect(&site.mllp()).send(&message).unwrap();
        assert_eq!(field(&answer, "MSA", 1), "AE", "{answer}");
        assert!(answer.contains("204"), "{answer}");
    }
    assert_eq!((site.referrals().len(), site.messages().len()), (0, 3));
}

#[test]
fn a_delivery_that_cannot_be_sent_is_dead_with_its_reason_and_goes_out_when_retried() {
    let site = Site::new();
    std::fs::write(site.path("loopline.toml"), "[limits]\ndelivery_attempts_max = 1\n").unwrap();
    let _running = site.start();
    // A file stands where the Maildir should be.
    std::fs::remove_dir_all(site.data("mail-out")).ok();
    std::fs::write(site.data("mail-out"), "in the way").unwrap();
    send(&site, &referral_message("M1", "P1", "Quill"));
    let dead = || site.deliveries().into_iter().find(|one| one["state"] == "dead");
    if !wait_for(|| dead().is_some() || site.deliveries().iter().any(|one| one["reason"].is_string())) {
        panic!("{:#?}", site.deliveries());
    }
    std::fs::remove_file(site.data("mail-out")).unwrap();
    if let Some(dead) = dead() {
        assert!(site.referrals()[0]["held"].as_array().unwrap().iter().any(|one| one == "dead-delivery"));
        site.json(&["deliveries", "retry", dead["id"].as_str().unwrap(), "--json"]).unwrap();
    }
    assert!(wait_for(|| site.mails_out().len() == 1), "{:#?}", site.deliveries());
    assert!(wait_for(|| site.referrals()[0].get("held").is_none()), "what went out after all holds nothing");
}

#[test]
fn a_desk_that_says_it_is_not_theirs_gets_nothing_further_until_a_person_settles_it() {
    let (site, _running, reference) = with_referral(&referral_message("M1", "P1", "Quill"));
    assert!(wait_for(|| site.mails_out().len() == 1));
    let request = site.mails_out().remove(0);
    let header = |name: &str| request.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    site.drop_mail(
        "w1",
        &format!(
            "From: desk@northside-heart.example\nTo: {}\nSubject: Re: {}\nMessage-ID: <w1@northside-heart.example>\nDate: Sun, 22 Nov 2026 10:00:00 -0800\n\nWrong clinic.\n",
            header("Reply-To:"),
            header("Subject:")
        ),
    );
    let held = |reference: &str| show(&site, reference)["held"].to_string();
    assert!(wait_for(|| held(&reference).contains("wrong-recipient")), "{}", site.log());

    send(&site, &referral_message("M2", "P2", "Quall"));
    let other = site.referrals()[0]["reference"].as_str().unwrap().to_owned();
    assert!(held(&other).contains("no-route"), "{}", held(&other));
    let deliveries = site.deliveries().len();
    let said = refused(&site, &[&other, "route", "cardiology-desk"]);
    assert!(said.contains("cardiology-desk is suspended") && said.contains(&reference), "{said}");
    assert!(settle(&site, &[&other, "confirm"])["held"].to_string().contains("no-route"));
    assert_eq!((site.mails_out().len(), site.deliveries().len()), (1, deliveries), "nothing was queued for it");

    settle(&site, &[&reference, "confirm"]);
    settle(&site, &[&other, "route", "cardiology-desk"]);
    assert!(wait_for(|| site.mails_out().len() == 2), "{:#?}", site.deliveries());
}

/// Two referrals of which one desk said that they are not theirs, the first one first.
fn both_put_aside() -> (Site, Running, String, String) {
    let (site, running, first) = with_referral(&referral_message("M1", "P1", "Quill"));
    assert!(wait_for(|| site.mails_out().len() == 1));
    send(&site, &referral_message("M2", "P2", "Quall"));
    assert!(wait_for(|| site.mails_out().len() == 2));
    for (at, request) in site.mails_out().iter().enumerate() {
        let header = |name: &str| request.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
        let (to, subject) = (header("Reply-To:"), header("Subject:"));
        let mail = format!(
            "From: desk@northside-heart.example\nTo: {to}\nSubject: Re: {subject}\nMessage-ID: <w{at}@northside-heart.example>\nDate: Sun, \
             22 Nov 2026 10:00:00 -0800\n\nWrong clinic.\n"
        );
        site.drop_mail(&format!("w{at}"), &mail);
    }
    let held = |reference: &str| show(&site, reference)["held"].to_string();
    let references: Vec<String> = site.referrals().iter().map(|one| one["reference"].as_str().unwrap().to_owned()).collect();
    assert!(wait_for(|| references.iter().all(|one| held(one).contains("wrong-recipient"))), "{}", site.log());
    let second = references.iter().find(|one| **one != first).unwrap().clone();
    (site, running, first, second)
}

#[test]
fn a_desk_that_put_two_referrals_aside_is_asked_again_once_both_are_settled() {
    let (site, _running, first, second) = both_put_aside();
    let deliveries = site.deliveries().len();
    let settled = settle(&site, &[&first, "confirm"]);
    assert!(settled["held"].to_string().contains("no-route"), "it waits for the other: {settled}");
    assert_eq!(site.deliveries().len(), deliveries, "nothing was queued that could only die");
    settle(&site, &[&second, "confirm"]);
    assert!(wait_for(|| site.mails_out().len() == 3), "{:#?}", site.deliveries());
    settle(&site, &[&first, "route", "cardiology-desk"]);
    assert!(wait_for(|| site.mails_out().len() == 4), "{:#?}", site.deliveries());
    assert!(site.deliveries().iter().all(|one| one["state"] != "dead"), "{:#?}", site.deliveries());
}

#[test]
fn of_two_referrals_that_a_desk_put_aside_a_person_can_send_either_back_to_it_first() {
    let (site, _running, first, second) = both_put_aside();
    settle(&site, &[&second, "route", "cardiology-desk"]);
    assert!(wait_for(|| site.mails_out().len() == 3), "{:#?}\n{}", site.deliveries(), site.log());
    assert!(show(&site, &first)["held"].to_string().contains("wrong-recipient"), "it waits as before");
    send(&site, &referral_message("M3", "P3", "Quoll"));
    let third = site.referrals()[0]["reference"].as_str().unwrap().to_owned();
    let said = refused(&site, &[&third, "route", "cardiology-desk"]);
    assert!(said.contains("cardiology-desk is suspended") && said.contains(&first), "{said}");
    settle(&site, &[&first, "route", "cardiology-desk"]);
    assert!(wait_for(|| site.mails_out().len() == 4), "{:#?}", site.deliveries());
    settle(&site, &[&third, "route", "cardiology-desk"]);
    assert!(wait_for(|| site.mails_out().len() == 5), "{:#?}", site.deliveries());
    assert!(site.deliveries().iter().all(|one| one["state"] != "dead"), "{:#?}", site.deliveries());
}

/// A fax folder outside the data folder that is not there yet: what is queued stays queued, and goes out within the channel's pause.
fn with_absent_fax_folder() -> (Site, Running) {
    let site = Site::new();
    let folder = site.path("fax-server");
    site.channel(
        "fax-out",
        &format!("[outbound.fax]\npath = {:?}\nreturn_number = \"+15035550100\"\n", folder.display().to_string()),
    );
    let running = site.start();
    (site, running)
}

fn to_dermatology(control_id: &str, placer: &str) -> String {
    referral_message(control_id, placer, "Quill").replace("Northside Heart Center", "Harbor Skin Clinic")
}

#[test]
fn a_status_request_is_answered_with_what_the_specialist_decided() {
    let (site, _running, reference) = with_referral(&referral_message("M1", "P1", "Quill"));
    let ask = |control_id: &str| {
        let message = referral_message(control_id, "P1", "Quill").replace("REF^I12", "REF^I15");
        let answer = Peer::connect(&site.mllp()).send(&message).unwrap();
        assert_eq!((field(&answer, "MSH", 9), field(&answer, "MSA", 1)), ("RRI^I15^RRI_I12", "AA"), "{answer}");
        field(&answer, "RF1", 1).split('^').next().unwrap().to_owned()
    };
    assert_eq!(ask("M2"), "P");
    assert!(wait_for(|| show(&site, &reference)["status"] == "requested"));
    settle(&site, &[&reference, "reply", "declined"]);
    assert_eq!(ask("M3"), "R");
}

#[test]
fn a_number_used_again_for_another_patient_leaves_the_first_referral_alone() {
    let (site, _running, first) = with_referral(&referral_message("M1", "P1", "Quill"));
    let other = referral_message("M2", "P1", "Smith")
        .replace("Ottoline", "Bob")
        .replace("19620214", "19481130")
        .replace("MR-P1", "MR-77");
    send(&site, &other);
    assert_eq!(show(&site, &first)["patient"]["name"]["family"], "Quill");
    let second =
        site.referrals().into_iter().find(|one| one["reference"] != first.as_str()).expect("it is a referral of its own");
    assert_eq!(
        (second["patient"]["name"]["family"].as_str(), second["held"][0].as_str()),
        (Some("Smith"), Some("second-patient"))
    );
    assert!(site.deliveries().iter().all(|one| one["referral"] != second["id"]), "nobody is asked about it");
}

#[test]
fn a_cancelled_referral_that_is_sent_anew_is_open_again() {
    let (site, _running, reference) = with_referral(&referral_message("M1", "P1", "Quill"));
    assert!(wait_for(|| show(&site, &reference)["status"] == "requested"));
    send(&site, &referral_message("M2", "P1", "Quill").replace("REF^I12", "REF^I14"));
    send(&site, &referral_message("M3", "P1", "Quill"));
    assert!(wait_for(|| show(&site, &reference)["status"] == "requested"), "{:#}", show(&site, &reference));
    let asked = site.deliveries().iter().filter(|one| one["purpose"] == "confirmation-request").count();
    assert_eq!((asked, site.referrals().len()), (2, 1));
}

#[test]
fn a_persons_correction_stands_when_the_sender_sends_the_old_value_again() {
    let (site, _running, reference) = with_referral(&referral_message("M1", "P1", "Quill"));
    settle(&site, &[&reference, "correct", "patient.birth_date=1962-02-15"]);
    send(&site, &referral_message("M2", "P1", "Quill"));
    assert_eq!(show(&site, &reference)["patient"]["birth_date"], "1962-02-15");
    send(&site, &referral_message("M3", "P1", "Quill").replace("REF^I12", "REF^I13").replace("six weeks", "eight weeks"));
    let changed = show(&site, &reference);
    assert_eq!(changed["patient"]["birth_date"], "1962-02-15");
    assert!(changed["review"].as_array().unwrap().iter().any(|path| path == "patient.birth_date"), "the difference is shown");
    assert!(changed["request"]["reason"].as_str().unwrap().contains("eight weeks"));
}

#[test]
fn a_cancel_takes_back_all_that_has_not_left() {
    let (site, _running) = with_absent_fax_folder();
    send(&site, &to_dermatology("M1", "P1"));
    let reference = site.referrals()[0]["reference"].as_str().unwrap().to_owned();
    assert!(wait_for(|| site.deliveries()[0]["attempts"] == 1), "{:#?}", site.deliveries());
    send(&site, &to_dermatology("M2", "P1").replace("REF^I12", "REF^I14"));
    assert_eq!(show(&site, &reference)["status"], "cancel-requested");
    assert!(wait_for(|| site.deliveries().iter().all(|one| one["state"] == "withdrawn")), "{:#?}", site.deliveries());
}

#[test]
fn a_change_before_the_request_left_is_in_the_request_and_needs_no_update() {
    let (site, _running) = with_absent_fax_folder();
    send(&site, &to_dermatology("M1", "P1"));
    // Composed, and its first attempt over.
    assert!(wait_for(|| site.deliveries()[0]["reason"].is_string()), "{:#?}", site.deliveries());
    send(&site, &to_dermatology("M2", "P1").replace("REF^I12", "REF^I13").replace("R^Routine", "S^Stat"));
    let deliveries = site.deliveries();
    assert_eq!(deliveries.len(), 1, "{deliveries:#?}");
    assert!(deliveries[0].get("content").is_none(), "it is composed anew");
}

#[test]
fn a_person_sends_a_referral_elsewhere_after_the_wrong_desk_was_asked_and_rejects_it_after_all() {
    let (site, _running, reference) = with_referral(&referral_message("M1", "P1", "Quill"));
    assert!(wait_for(|| show(&site, &reference)["status"] == "requested"));
    settle(&site, &[&reference, "reply", "wrong-recipient"]);
    settle(&site, &[&reference, "route", "dermatology-desk"]);
    let sent = |purpose: &str, to: &str| {
        site.deliveries().iter().any(|one| one["purpose"] == purpose && one["to"] == to && one["state"] == "sent")
    };
    assert!(wait_for(|| sent("confirmation-request", "dermatology-desk")), "{:#?}", site.deliveries());

    settle(&site, &[&reference, "reject", "--reason", "seen elsewhere"]);
    assert!(wait_for(|| sent("withdrawal", "dermatology-desk")), "who was asked is told: {:#?}", site.deliveries());
    assert!(refused(&site, &[&reference, "confirm"]).contains("reopen"));
    assert_eq!(settle(&site, &[&reference, "reopen"])["status"], "new");
}

#[test]
fn a_desk_that_has_booked_is_asked_again_without_losing_its_appointment() {
    let (site, _running, reference) = with_referral(&referral_message("M1", "P1", "Quill"));
    assert!(wait_for(|| show(&site, &reference)["status"] == "requested"));
    settle(&site, &[&reference, "reply", "scheduled", "--at", "2026-12-14T10:30"]);
    let settled = settle(&site, &[&reference, "route", "cardiology-desk"]);
    assert_eq!((&settled["status"], &settled["appointment"]["at"]), (&"scheduled".into(), &"2026-12-14T10:30".into()));
    let asked = |purpose: &str| {
        let sent = site.deliveries().into_iter().filter(|one| one["purpose"] == purpose && one["state"] == "sent");
        sent.count()
    };
    assert!(wait_for(|| asked("confirmation-request") == 2), "{:#?}", site.deliveries());
    assert_eq!((asked("withdrawal"), &show(&site, &reference)["status"]), (0, &"scheduled".into()));
    // Another desk has said nothing yet.
    let settled = settle(&site, &[&reference, "route", "dermatology-desk"]);
    assert_eq!((&settled["status"], settled.get("appointment")), (&"redirected".into(), None));
}

#[test]
fn a_fax_that_failed_is_tried_again_when_it_is_dropped_again() {
    let site = Site::new();
    let _running = site.start();
    let tried = || site.log().matches("it cannot be read; a person must look").count();
    site.drop_file("fax-in/a.pdf", b"%PDF-1.4\nnothing else\n");
    assert!(wait_for(|| tried() == 1), "{}", site.log());
    site.drop_file("fax-in/b.pdf", b"%PDF-1.4\nnothing else\n");
    assert!(wait_for(|| tried() == 2), "{}", site.log());
    assert_eq!((site.messages().len(), &site.messages()[0]["repeats"]), (1, &serde_json::json!(1)));
}

#[test]
fn a_held_message_is_dismissed_by_a_person_and_only_a_held_one() {
    let site = Site::new();
    let _running = site.start();
    site.drop_mail("m1", "From: someone@elsewhere.example\nTo: referrals@loopline.example\nSubject: hello\nMessage-ID: <1@elsewhere.example>\n\nLunch on Friday?\n");
    assert!(wait_for(|| site.messages().iter().any(|one| one["state"] == "held")), "{:#?}", site.messages());
    let id = site.messages()[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(site.json(&["messages", "dismiss", &id, "--json"]).unwrap()["state"], "processed");
    assert_eq!(site.command().args(["messages", "dismiss", &id]).output().unwrap().status.code(), Some(1));
}
