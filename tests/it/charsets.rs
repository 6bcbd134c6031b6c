//! What goes out by HL7 in a character set that has not every letter: no letter is lost, nor changed by a person who looks at a message.

use std::fs;

use serde_json::Value;

use crate::{
    harness::{Peer, Site, field, referral_message, wait_for},
    mllp_out::{Act, Ehr, ack, ehr_channel, good, loopline, site, start},
};

const LATIN: &str = "character_set = \"8859/1\"\n";

fn refer(site: &Site, number: u32, family: &str) {
    let message = referral_message(&format!("M{number}"), &format!("P{number}"), family);
    let message = message.replace("|P|2.5.1\r", "|P|2.5.1||||||UNICODE UTF-8\r");
    let answer = Peer::connect(&site.mllp()).send(&message).unwrap();
    assert_eq!(field(&answer, "MSA", 1), "AA", "{answer}");
}

/// Waits until the one delivery to the EHR is in this state, and gives it.
fn forward(site: &Site, state: &str) -> Value {
    let found = || site.deliveries().into_iter().find(|one| one["purpose"] == "forward" && one["state"] == state);
    assert!(wait_for(|| found().is_some()), "{:#?}\n{}", site.deliveries(), site.log());
    found().unwrap()
}

#[test]
fn a_name_that_the_character_set_lacks_waits_for_a_person_and_punctuation_does_not() {
    let ehr = Ehr::start(good);
    let site = site(ehr.port);
    ehr_channel(&site, ehr.port, LATIN);
    let running = start(&site);
    refer(&site, 1, "Wałęsa");
    let stuck = forward(&site, "dead");
    let why = stuck["reason"].as_str().unwrap();
    assert!(why.contains("every letter of PID-5:") && why.contains("character_set = \"UNICODE UTF-8\""), "{why}");
    assert!(!why.contains("Wa") && !site.log().contains("Wałęsa"), "{why}\n{}", site.log());
    let held = &site.referrals()[0]["held"];
    assert!(held.as_array().unwrap().contains(&"dead-delivery".into()), "{held}");
    refer(&site, 2, "O’Müller–Simek");
    let messages = ehr.wait_for(1, &site);
    assert!(field(&messages[0], "PID", 5).starts_with("O'Müller-Simek^"), "{}", messages[0]);
    assert!(!messages[0].contains(|letter: char| ('\u{80}'..='\u{9F}').contains(&letter)), "no control characters");

    // What the reason says helps.
    running.kill();
    ehr_channel(&site, ehr.port, "");
    let _running = start(&site);
    loopline(&site, &["deliveries", "retry", stuck["id"].as_str().unwrap()]).unwrap();
    let messages = ehr.wait_for(2, &site);
    assert!(field(&messages[1], "PID", 5).starts_with("Wałęsa^"), "{}", messages[1]);
}

#[test]
fn a_message_in_latin_1_is_shown_and_edited_as_it_is() {
    let ehr = Ehr::start(|message| vec![Act::Write(ack("AE", field(message, "MSH", 10), "|no such clinic"))]);
    let site = site(ehr.port);
    ehr_channel(&site, ehr.port, LATIN);
    let _running = start(&site);
    refer(&site, 1, "Müller");
    let refused = forward(&site, "dead");
    let id = refused["id"].as_str().unwrap();
    let shown = loopline(&site, &["deliveries", "show", id]).unwrap();
    let message = &shown[shown.find("MSH|").unwrap()..];
    assert!(message.contains("||Müller^Ottoline|"), "{message}");
    let file = site.path("edited.hl7");
    let file = file.to_str().unwrap();
    fs::write(file, message.replace("Müller", "Wałęsa")).unwrap();
    let refusal = loopline(&site, &["deliveries", "edit", id, file]).unwrap_err();
    assert!(refusal.contains("lacks letters in PID-5: replace them") && !refusal.contains("Wałęsa"), "{refusal}");
    assert_eq!(forward(&site, "dead")["reason"], refused["reason"], "nothing changed");
    ehr.behave(good);
    fs::write(file, message.replace("^Ottoline", "^Jörg")).unwrap();
    loopline(&site, &["deliveries", "edit", id, file]).unwrap();
    forward(&site, "sent");
    let sent = ehr.received().pop().unwrap();
    assert_eq!(field(&sent, "MSH", 18), "8859/1");
    assert!(field(&sent, "PID", 5).starts_with("Müller^Jörg"), "{sent}");
}
