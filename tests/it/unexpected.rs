//! What comes late, twice, too early or unasked: none of it moves a referral without a person.

use serde_json::Value;

use crate::{
    harness::{field, wait_for},
    hl7::Asked,
    people::settle,
};

fn found(asked: &Asked, control_id: &str) -> Value {
    let listed = asked.site.json(&["messages", "list", "--control-id", control_id, "--json"]).unwrap();
    let [one] = listed.as_array().unwrap().as_slice() else { panic!("{listed:#}") };
    one.clone()
}

fn sch(number: &str, status: &str, at: &str) -> String {
    format!("SCH||{number}|||||||||^^20^{at}{}{status}|P1^STMARY", "|".repeat(14))
}

#[test]
fn a_referral_sent_again_after_its_report_is_a_repeat_or_waits_for_a_person() {
    let mut asked = Asked::new();
    asked.specialist("RRI^I12^RRI_I12", "S1", &["RF1|A|R||||P1^STMARY", "PRD|RT|Ames^Dora", "NTE|1||We will see her soon."]);
    let txa = "TXA|1|CN|TX|||||||||D-1||P1^STMARY|||AU";
    asked.specialist("MDM^T02^MDM_T02", "S2", &[txa, "OBX|1|TX|||Seen today, start bisoprolol.||||||F"]);
    assert_eq!(asked.status(), "closed");
    let (notes, version) = (asked.referral()["notes"].clone(), asked.referral()["version"].clone());
    assert_eq!(notes.as_array().unwrap().len(), 3, "{notes:#}");

    let same = asked.event("I12", "M2");
    assert_eq!(field(&asked.send(&same), "MSA", 1), "AA");
    assert_eq!((asked.status().as_str(), &asked.referral()["version"]), ("closed", &version));
    assert!(found(&asked, "M2")["problems"].to_string().contains("repeat-delivery"), "{:#}", found(&asked, "M2"));

    let other = asked.event("I12", "M3").replace("for six weeks", "for ten weeks");
    let answer = asked.send(&other);
    assert_eq!(field(&answer, "MSA", 1), "AA", "{answer}");
    assert!(field(&answer, "NTE", 3).starts_with("the report of this referral is back"), "{answer}");
    let held = found(&asked, "M3");
    assert_eq!((asked.status().as_str(), &held["state"]), ("closed", &"held".into()));
    assert!(held["reason"].to_string().contains("reopen"), "{held:#}");
    assert_eq!(asked.sent("confirmation-request"), 1, "the specialist is not asked again");

    settle(&asked.site, &[&asked.reference, "reopen"]);
    asked.site.json(&["messages", "replay", held["id"].as_str().unwrap(), "--json"]).unwrap();
    assert!(wait_for(|| asked.referral()["request"]["reason"].to_string().contains("ten weeks")), "{}", asked.site.log());
    assert_ne!(asked.status(), "closed");
    let kept = asked.referral()["notes"].clone();
    assert_eq!(kept, notes, "what the specialist wrote stays when the sender says something anew");
}

#[test]
fn a_cancellation_that_nobody_asked_for_is_for_a_person_and_a_refusal_later_is_a_refusal() {
    let mut asked = Asked::new();
    asked.specialist("RRI^I14^RRI_I12", "S1", &["RF1|A|R||||P1^STMARY", "PRD|RT|Ames^Dora"]);
    let referral = asked.referral();
    assert_eq!((&referral["status"], referral["held"].to_string().contains("unclear-reply")), (&"requested".into(), true));
    settle(&asked.site, &[&asked.reference, "set-aside"]);
    asked.specialist("OSU^O51^OSU_O51", "S2", &["ORC|CR|P1^STMARY|F-77^NORTHSIDE"]);
    assert_eq!(asked.status(), "requested", "as requested, and nobody did");
    settle(&asked.site, &[&asked.reference, "set-aside"]);
    asked.specialist("OSU^O51^OSU_O51", "S3", &["ORC|OC|P1^STMARY|F-77^NORTHSIDE"]);
    assert_eq!(asked.status(), "declined", "the desk takes itself off");
}

#[test]
fn what_is_pending_past_or_overtaken_is_no_booking() {
    let mut asked = Asked::new();
    asked.specialist("SIU^S12^SIU_S12", "S1", &[&sch("AP1", "Pending", "204612141030")]);
    assert_eq!((asked.status().as_str(), &asked.referral()["appointment"]), ("confirmed", &Value::Null));
    let waits = |asked: &Asked| asked.referral()["pending_replies"].as_array().map_or(0, Vec::len);
    asked.specialist("SIU^S12^SIU_S12", "S2", &[&sch("AP1", "Booked", "202611200900")]);
    assert_eq!((asked.status().as_str(), waits(&asked)), ("confirmed", 1), "20 November was past when it was written");
    settle(&asked.site, &[&asked.reference, "set-aside"]);

    let mut written = |event: &str, id: &str, msh7: &str, lines: &[&str]| {
        let head = format!("MSH|^~\\&|CARDIO|NORTHSIDE|EHR|STMARY|{msh7}||SIU^{event}^SIU_S12|{id}|P|2.5.1");
        let pid = "PID|1||MR-P1^^^STMARY^MR||Quillfeather^Ottoline||19620214|F";
        let answer = asked.send(&([&[head.as_str(), pid], lines].concat().join("\r") + "\r"));
        assert_eq!(field(&answer, "MSA", 1), "AA", "{answer}");
    };
    written("S13", "S3", "20261125100500", &[&sch("AP1", "Booked", "204612150900")]);
    written("S12", "S4", "20261125100000", &[&sch("AP1", "Booked", "204612141030")]);
    let referral = asked.referral();
    assert_eq!(referral["appointment"]["at"], "2046-12-15T09:00", "the later word stands");
    assert_eq!((&referral["status"], waits(&asked)), (&"scheduled".into(), 1));
    assert!(referral["pending_replies"][0]["why"].to_string().contains("written before"), "{referral:#}");
    settle(&asked.site, &[&asked.reference, "set-aside"]);
    asked.specialist("SIU^S13^SIU_S12", "S5", &[&sch("AP1", "Cancelled", "204612150900")]);
    assert_eq!((asked.status().as_str(), waits(&asked)), ("scheduled", 1), "the event and the status contradict");
}

#[test]
fn what_is_held_is_told_to_its_sender_in_words() {
    let mut asked = Asked::new();
    let other_patient =
        |message: String| message.replace("Quillfeather^Ottoline", "Marsh^Tobias").replace("19620214", "19700101");
    let cancel = other_patient(asked.event("I14", "M2")).replace("MR-P1", "MR-9");
    let answer = asked.send(&cancel);
    assert_eq!(field(&answer, "MSA", 1), "AA", "{answer}");
    assert!(answer.contains("nothing was cancelled") && !answer.contains("reject"), "{answer}");
    assert_eq!((asked.status().as_str(), &found(&asked, "M2")["state"]), ("requested", &"held".into()));
}

#[test]
fn a_change_names_what_it_changed_and_every_version_can_be_shown() {
    let mut asked = Asked::new();
    let before = asked.referral();
    let raised = asked.event("I13", "M2").replace("R^Routine", "S^STAT").replace("12 Elm St", "14 Elm St");
    assert_eq!(field(&asked.send(&raised), "MSA", 1), "AA");
    let after = asked.referral();
    let history = after["history"].as_array().unwrap();
    let changed = history.iter().find(|entry| entry["event"] == "changed").unwrap();
    assert_eq!(changed["fields"], serde_json::json!(["priority", "patient.address"]), "{changed:#}");
    let version = before["version"].to_string();
    let show = |arguments: &[&str]| {
        let shown = [&["referrals", "show", asked.reference.as_str()], arguments].concat();
        asked.site.command().args(&shown).output().unwrap()
    };
    let text = |output: std::process::Output| String::from_utf8(output.stdout).unwrap();
    assert!(text(show(&[])).contains("changed priority, patient.address"), "{}", text(show(&[])));
    let old: Value = serde_json::from_str(&text(show(&["--version", &version, "--json"]))).unwrap();
    assert_eq!((&old["referral"]["priority"], &after["priority"]), (&"routine".into(), &"stat".into()));
    let none = String::from_utf8(show(&["--version", "99"]).stderr).unwrap();
    assert!(none.contains("has no version 99"), "{none}");
}

#[test]
fn referrals_and_messages_are_found_by_what_a_caller_says() {
    let mut asked = Asked::new();
    let second = crate::harness::referral_message("M7", "P2", "Lovelace").replace("19620214", "19701210");
    assert_eq!(field(&asked.send(&second), "MSA", 1), "AA");
    let list = |what: &str, arguments: &[&str]| -> Vec<Value> {
        let listed = asked.site.json(&[&[what, "list", "--json"], arguments].concat()).unwrap();
        listed.as_array().unwrap().clone()
    };
    let placers = |arguments: &[&str]| -> Vec<String> {
        let found = list("referrals", arguments);
        found.iter().map(|one| one["identifiers"]["placer"]["value"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(placers(&["--patient", "lovelace ottoline"]), ["P2"]);
    assert_eq!(placers(&["--patient", "1962-02-14"]), ["P1"]);
    assert_eq!(placers(&["--patient", "mr-p1"]), ["P1"]);
    assert_eq!(placers(&["--patient", "lovelace ada"]), [""; 0]);
    assert_eq!(placers(&["--number", "p2"]), ["P2"]);
    assert_eq!(placers(&["--number", &asked.reference]), ["P1"]);
    assert_eq!(placers(&["--channel", "hl7-in", "--since", "2026-01-01"]), ["P2", "P1"]);
    assert_eq!(placers(&["--until", "2026-01-01"]), [""; 0]);
    let ids = |arguments: &[&str]| -> Vec<String> {
        list("messages", arguments).iter().map(|one| one["control_id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&["--sender", "stmary", "--kind", "referral"]), ["M7", "M1"]);
    assert_eq!(ids(&["--referral", &asked.reference]), ["M1"]);
    assert_eq!(ids(&["--control-id", "M7"]), ["M7"]);
    assert_eq!(ids(&["--since", "2099-01-01"]), [""; 0]);
    let of_it = list("deliveries", &["--referral", &asked.reference]);
    assert!(!of_it.is_empty() && of_it.len() < list("deliveries", &[]).len(), "{of_it:#?}");
    assert!(of_it.iter().all(|one| one["referral"] == asked.referral()["id"]), "{of_it:#?}");
    let wrong = asked.site.command().args(["deliveries", "list", "--through", "nowhere"]).output().unwrap();
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("no outbound channel nowhere"), "{wrong:?}");
    let message = found(&asked, "M1");
    let shown = asked.site.command().args(["messages", "show", message["id"].as_str().unwrap()]).output().unwrap();
    assert!(String::from_utf8_lossy(&shown.stdout).contains(&asked.reference), "by its reference, which people say");
}
