//! What people do: coordinators settle what is held, operators replay messages and retry deliveries, front desks say that it is not theirs.

use serde_json::Value;

use crate::harness::{Peer, Running, Site, field, referral_message, wait_for};

fn settle(site: &Site, arguments: &[&str]) -> Value {
    let all: Vec<&str> =
        ["referrals", "settle"].into_iter().chain(arguments.iter().copied()).chain(["--by", "mira", "--json"]).collect();
    site.json(&all)
        .unwrap_or_else(|| panic!("{:?}", String::from_utf8_lossy(&site.command().args(&all).output().unwrap().stderr)))
}

fn refused(site: &Site, arguments: &[&str]) -> String {
    let output = site.command().args(["referrals", "settle"]).args(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn send(site: &Site, message: &str) {
    let answer = Peer::connect(&site.mllp()).send(message).unwrap();
    assert_eq!(field(&answer, "MSA", 1), "AA", "{answer}");
}

/// A site with one referral by HL7; gives its reference.
fn with_referral(message: &str) -> (Site, Running, String) {
    let site = Site::new();
    let running = site.start();
    send(&site, message);
    let reference = site.referrals()[0]["reference"].as_str().unwrap().to_owned();
    (site, running, reference)
}

fn show(site: &Site, reference: &str) -> Value {
    site.json(&["referrals", "show", reference, "--json"]).unwrap()["referral"].clone()
}

#[test]
fn a_doubtful_birth_date_holds_the_referral_until_a_person_corrects_it() {
    let (site, _running, reference) = with_referral(&referral_message("M1", "P1", "Quill").replace("19620214", "19621325"));
    assert_eq!(site.referrals()[0]["held"][0], "blocking-field");
    assert_eq!(site.deliveries().len(), 0);

    assert!(refused(&site, &[&reference, "correct", "patient.birth_date=1962-02-30"]).contains("patient.birth_date"));
    assert!(refused(&site, &[&reference, "correct", "patient.shoe_size=44"]).contains("no field"));
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
    assert_eq!(stays["sources"].as_array().unwrap().len(), 2);
    assert_ne!(stays["status"], "cancelled");
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
    assert_eq!(site.mails_out().len(), 1);

    settle(&site, &[&reference, "confirm"]);
    settle(&site, &[&other, "route", "cardiology-desk"]);
    assert!(wait_for(|| site.mails_out().len() == 2), "{:#?}", site.deliveries());
}
