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
    let raised = asked.event("I13", "M5").replace("R^Routine", "S^STAT");
    assert!(field(&asked.send(&raised), "NTE", 3).contains("declined"), "whoever changes it is told");
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
fn an_answer_that_is_newer_than_a_booking_does_not_overtake_it() {
    let mut asked = Asked::new();
    asked.specialist_on("20261125100500", "OSU^O51^OSU_O51", "S1", &["ORC|OK|P1^STMARY|F-77^NORTHSIDE"]);
    assert_eq!(asked.status(), "accepted");
    asked.specialist_on("20261125100000", "SIU^S12^SIU_S12", "S2", &[&sch("AP1", "Booked", "204612141030")]);
    let referral = asked.referral();
    assert_eq!((&referral["status"], &referral["appointment"]["at"]), (&"scheduled".into(), &"2046-12-14T10:30".into()));
}

#[test]
fn a_paper_of_another_patient_is_not_put_with_the_referral_whose_number_it_bears() {
    let mut asked = Asked::new();
    let oru = |name: &str, id: &str, reference: &str| {
        format!(
            "MSH|^~\\&|CARDIO|NORTHSIDE|EHR|STMARY|20261123||ORU^R01^ORU_R01|{id}|P|2.5.1\rPID|1||MR-9^^^STMARY^MR||{name}||19700101|F\r\
             OBR|1|{reference}^LOOPLINE||718-7^Hb^LN\rOBX|1|NM|718-7^Hb^LN||13.1|g/dL|||||F\r"
        )
    };
    let other = oru("Marsh^Tobias", "S1", &asked.reference);
    assert_eq!(field(&asked.send(&other), "MSA", 1), "AA");
    assert_eq!(found(&asked, "S1").get("referrals"), None, "{:#}", found(&asked, "S1"));
    let own = oru("Quillfeather^Ottoline", "S2", &asked.reference).replace("MR-9", "MR-P1").replace("19700101", "19620214");
    assert_eq!(field(&asked.send(&own), "MSA", 1), "AA");
    assert!(found(&asked, "S2")["referrals"].is_array(), "{:#}", found(&asked, "S2"));
}

#[test]
fn a_visit_to_come_is_not_missed_yet() {
    let mut asked = Asked::new();
    asked.specialist("SIU^S12^SIU_S12", "S1", &[&sch("AP1", "Booked", "204612141030")]);
    asked.specialist("SIU^S26^SIU_S12", "S2", &[&sch("AP1", "Noshow", "204612141030")]);
    let referral = asked.referral();
    assert_eq!((&referral["status"], referral["pending_replies"].as_array().map_or(0, Vec::len)), (&"scheduled".into(), 1));
}

#[test]
fn words_beside_a_yes_that_set_a_condition_are_for_a_person_and_others_are_handed_on() {
    let mut asked = Asked::new();
    let rri = |asked: &mut Asked, id: &str, status: &str, words: &str| {
        let note = format!("NTE|1||{words}");
        asked.specialist("RRI^I12^RRI_I12", id, &[&format!("RF1|{status}|R||||P1^STMARY"), "PRD|RT|Ames^Dora", &note]);
        asked.referral()
    };
    for (id, status, words) in [
        ("S1", "A^Accepted", "Accepted only if the ECG is sent by Friday, otherwise declined"),
        ("S2", "P", "We cannot see this patient before we get the ECG, please send it"),
    ] {
        let waits = rri(&mut asked, id, status, words);
        assert_eq!(waits["status"], "requested", "{words}");
        let quote = waits["pending_replies"][0]["reading"]["quote"].as_str().unwrap();
        assert!(quote.starts_with(status) && quote.ends_with(words), "{quote}");
        settle(&asked.site, &[&asked.reference, "set-aside"]);
    }
    // Our own words, which many repeat, are none of theirs.
    let echoed = rri(&mut asked, "S3", "P", "Please see Cardiology for palpitations on exertion");
    assert_eq!(
        (&echoed["status"], &echoed["history"].as_array().unwrap().last().unwrap()["reason"]),
        (&"confirmed".into(), &Value::Null)
    );
    let accepted = rri(&mut asked, "S4", "A", "Looking forward to meeting her");
    let last = accepted["history"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&accepted["status"], &last["reason"]), (&"accepted".into(), &"Looking forward to meeting her".into()));
}

#[test]
fn a_report_that_is_taken_back_and_words_under_our_number_wait_for_a_person() {
    let mut asked = Asked::new();
    let oru = |asked: &mut Asked, id: &str, title: &str, status: &str| {
        let obr = format!("OBR|1|{}^LOOPLINE||1^Study^L", asked.reference);
        let obx = format!("OBX|1|TX|{title}||Seen today, stop apixaban.||||||{status}");
        asked.specialist("ORU^R01^ORU_R01", id, &[&obr, &obx]);
        let came = found(asked, id);
        let linked = came["referrals"].as_array().is_some_and(|all| !all.is_empty());
        (came["state"].as_str().unwrap().to_owned(), linked)
    };
    let held = ("held".to_owned(), true);
    assert_eq!(oru(&mut asked, "S1", "X2^Letter^L", "F"), held, "a letter however short");
    assert_eq!(oru(&mut asked, "S2", "X2^Letter^L", "P"), ("processed".to_owned(), true), "a draft is listed with the referral");
    assert_eq!(oru(&mut asked, "S3", "11488-4^Consult note^LN", "F").0, "processed");
    assert_eq!(asked.status(), "closed");
    for (id, status) in [("S4", "W"), ("S5", "X"), ("S6", "D")] {
        assert_eq!(oru(&mut asked, id, "11488-4^Consult note^LN", status), held, "{status}");
        assert!(found(&asked, id)["reason"].as_str().unwrap().starts_with("it takes back a report"));
    }
    assert_eq!(asked.status(), "closed");
}

#[test]
fn what_is_held_is_told_to_its_sender_in_words() {
    let mut asked = Asked::new();
    let new = |id: &str| crate::harness::referral_message(id, &format!("P-{id}"), "Larkspur");
    let answer = asked.send(&new("H1").replace("19620214", "19701341"));
    assert!(field(&answer, "NTE", 3).starts_with("a person here looks at it"), "{answer}");
    let broken = format!("{}OBX|1|ED|L^Letter||^application^pdf^Base64^JVBERi0xLj*%%%*\r", new("H2"));
    let answer = asked.send(&broken);
    assert!(field(&answer, "NTE", 3).starts_with("a document in it cannot be read"), "{answer}");
    let answer = asked.send(&new("H3"));
    assert!(!answer.contains("a person here") && !answer.contains("cannot be read"), "nothing is wrong with this one: {answer}");
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
