//! HL7 through the running engine: changes, cancels and status requests, the specialist's answers, repeats, and what is refused.

use serde_json::Value;

use crate::harness::{Peer, Running, Site, field, framed, referral_message, wait_for};

/// A channel whose senders are named, so that the specialist's answers are taken at their word.
const VOUCHED: &str = r#"
[inbound.mllp]
listen = "127.0.0.1:0"
[acknowledge]
senders = ["EHR|STMARY", "CARDIO|NORTHSIDE"]
[route]
by = ["directory", "specialty"]
specialty.Cardiology = { through = "email-out", to = "cardiology-desk" }
"#;

/// A site, its engine, and one referral `P1` whose specialist was asked.
pub struct Asked {
    pub site: Site,
    _running: Running,
    peer: Peer,
    pub reference: String,
}

impl Asked {
    pub fn new() -> Self {
        Self::with(VOUCHED)
    }

    /// Likewise, on a channel of this file.
    pub fn with(channel: &str) -> Self {
        let site = Site::new();
        site.channel("hl7-in", channel);
        let running = site.start();
        let mut peer = Peer::connect(&site.mllp());
        let answer = peer.send(&referral_message("M1", "P1", "Quillfeather")).unwrap();
        assert_eq!(field(&answer, "MSA", 1), "AA", "{answer}");
        let reference = field(&answer, "RF1", 11).split('^').next().unwrap().to_owned();
        let asked = Self { site, _running: running, peer, reference };
        assert!(wait_for(|| asked.status() == "requested"), "{}", asked.site.log());
        asked
    }

    pub fn referral(&self) -> Value {
        self.site.json(&["referrals", "show", &self.reference, "--json"]).unwrap()["referral"].clone()
    }

    pub fn status(&self) -> String {
        self.referral()["status"].as_str().unwrap().to_owned()
    }

    /// The referral's message with another event and control id.
    pub fn event(&self, event: &str, control_id: &str) -> String {
        referral_message(control_id, "P1", "Quillfeather").replace("REF^I12^REF_I12", &format!("REF^{event}^REF_I12"))
    }

    pub fn send(&mut self, message: &str) -> String {
        self.peer.send(message).unwrap()
    }

    /// What the specialist's system says of it, by the referrer's number.
    pub fn specialist(&mut self, kind: &str, control_id: &str, lines: &[&str]) -> String {
        self.specialist_on("20261123", kind, control_id, lines)
    }

    /// Likewise, written on another day.
    pub fn specialist_on(&mut self, day: &str, kind: &str, control_id: &str, lines: &[&str]) -> String {
        let head = format!("MSH|^~\\&|CARDIO|NORTHSIDE|EHR|STMARY|{day}||{kind}|{control_id}|P|2.5.1");
        let pid = "PID|1||MR-P1^^^STMARY^MR||Quillfeather^Ottoline||19620214|F";
        let message = [&[head.as_str(), pid], lines].concat().join("\r") + "\r";
        self.send(&message)
    }

    /// The purposes of the deliveries in this state.
    pub fn deliveries(&self, state: &str) -> Vec<String> {
        let all = self.site.deliveries();
        let mut found: Vec<String> = all
            .iter()
            .filter(|delivery| delivery["state"] == state)
            .map(|delivery| delivery["purpose"].as_str().unwrap().to_owned())
            .collect();
        found.sort();
        found
    }

    /// How many letters of this purpose have left.
    pub fn sent(&self, purpose: &str) -> usize {
        self.deliveries("sent").iter().filter(|sent| *sent == purpose).count()
    }

    pub fn reply(&self, outcome: &str, at: &[&str]) {
        let mut arguments = vec!["referrals", "settle", &self.reference, "reply", outcome];
        arguments.extend(at);
        let output = self.site.command().args(&arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn a_change_that_was_overtaken_on_its_way_changes_nothing_and_is_for_a_person() {
    let mut asked = Asked::new();
    let written = |message: String, at: &str| message.replace("20261121093000-0800", at);
    let newer = written(asked.event("I13", "M2"), "20261121120000-0800").replace("R^Routine", "S^STAT");
    assert_eq!(field(&asked.send(&newer), "MSA", 1), "AA");
    let older =
        written(asked.event("I13", "M3"), "20261121110000-0800").replace("Palpitations on exertion", "First wording of it");
    let answer = asked.send(&older);
    assert_eq!(field(&answer, "MSA", 1), "AA", "it is kept: {answer}");
    assert!(field(&answer, "NTE", 3).contains("nothing was changed"), "and its sender is told: {answer}");
    let referral = asked.referral();
    assert_eq!(
        (&referral["priority"], &referral["request"]["reason"]),
        (&"stat".into(), &"Palpitations on exertion for six weeks".into())
    );
    let messages = asked.site.json(&["messages", "list", "--json"]).unwrap();
    let held = messages.as_array().unwrap().iter().find(|one| one["control_id"] == "M3").unwrap();
    assert!(held["state"] == "held" && held["reason"].to_string().contains("written before"), "{held:#}");
    let cancel = written(asked.event("I14", "M5"), "20261121113000-0800");
    assert!(field(&asked.send(&cancel), "NTE", 3).contains("nothing was cancelled"), "it is older than the change");
    assert_eq!(asked.status(), "requested");
    // The same second says nothing of the order.
    let same = written(asked.event("I13", "M4"), "20261121120000-0800").replace("S^STAT", "R^Routine");
    asked.send(&same);
    assert_eq!(asked.referral()["priority"], "routine");
}

#[test]
fn a_change_makes_a_new_version_and_the_specialist_gets_an_update_at_once() {
    let mut asked = Asked::new();
    let raised = asked.event("I13", "M2").replace("R^Routine", "S^STAT");
    let answer = asked.send(&raised);
    assert_eq!((field(&answer, "MSH", 9), field(&answer, "MSA", 1)), ("RRI^I13^RRI_I12", "AA"), "{answer}");
    assert!(wait_for(|| asked.deliveries("sent").contains(&"update".to_owned())), "{}", asked.site.log());
    let shown = asked.site.json(&["referrals", "show", &asked.reference, "--json"]).unwrap();
    assert_eq!(shown["referral"]["priority"], "stat");
    assert!(shown["referral"]["history"].as_array().unwrap().iter().any(|entry| entry["event"] == "changed"));
    assert_eq!(asked.site.referrals().len(), 1);
}

#[test]
fn what_a_change_leaves_out_stays_as_it_was() {
    let mut asked = Asked::new();
    let change = "MSH|^~\\&|EHR|STMARY|LOOPLINE|SITE|20261121||REF^I13^REF_I12|M2|P|2.5.1\rRF1|P|S^STAT||||P1^STMARY\r\
                  PRD|RP|Whitcombe^Harriet\rPRD|RT|||^^^Northside Heart Center\rPID|1||MR-P1^^^STMARY^MR||Quillfeather^Ottoline\r";
    assert_eq!(field(&asked.send(change), "MSA", 1), "AA");
    let referral = asked.referral();
    assert_eq!((&referral["priority"], &referral["patient"]["birth_date"]), (&"stat".into(), &"1962-02-14".into()));
    assert_eq!(referral["request"]["diagnoses"][0]["code"], "R00.2");
    assert_eq!(referral["held"], Value::Null, "nothing is missing");
    assert!(wait_for(|| asked.sent("update") > 0), "{:#?}", asked.site.deliveries());
}

#[test]
fn a_cancel_is_requested_and_the_specialist_is_told_and_confirms() {
    let mut asked = Asked::new();
    let cancel = asked.event("I14", "M2");
    let answer = asked.send(&cancel);
    assert_eq!((field(&answer, "MSA", 1), field(&answer, "RF1", 1)), ("AA", "P^Pending^HL70283"), "{answer}");
    assert!(field(&answer, "NTE", 3).contains("requested"), "{answer}");
    assert_eq!(asked.status(), "cancel-requested");
    assert!(wait_for(|| asked.deliveries("sent").contains(&"withdrawal".to_owned())), "{}", asked.site.log());
    let answer = asked.specialist("OSU^O51^OSU_O51", "S1", &["ORC|CR|P1^STMARY"]);
    assert_eq!(field(&answer, "MSA", 1), "AA", "{answer}");
    assert_eq!(asked.status(), "cancelled");
}

#[test]
fn a_cancel_withdraws_what_is_still_queued() {
    let site = Site::new();
    // Nothing can leave: the Maildir's parent is a file.
    site.channel("email-out", "[outbound.email]\nfrom = \"a@loopline.example\"\nmaildir = \"blocked/mail\"\n");
    std::fs::create_dir_all(site.data("")).unwrap();
    std::fs::write(site.data("blocked"), "").unwrap();
    let _running = site.start();
    let mut peer = Peer::connect(&site.mllp());
    peer.send(&referral_message("M1", "P1", "Quillfeather")).unwrap();
    let cancel = referral_message("M2", "P1", "Quillfeather").replace("REF^I12^REF_I12", "REF^I14^REF_I12");
    assert_eq!(field(&peer.send(&cancel).unwrap(), "MSA", 1), "AA");
    let withdrawn =
        || site.deliveries().iter().filter(|it| it["purpose"] == "confirmation-request").all(|it| it["state"] == "withdrawn");
    // The one on the way comes back, and is not kept for another attempt when the mail works again.
    assert!(wait_for(withdrawn), "{:#?}", site.deliveries());
}

#[test]
fn quirk_2_i14_for_a_completed_referral_is_a_business_no() {
    let mut asked = Asked::new();
    asked.reply("completed", &[]);
    let cancel = asked.event("I14", "M2");
    let answer = asked.send(&cancel);
    assert_eq!((field(&answer, "MSH", 9), field(&answer, "MSA", 1)), ("RRI^I14^RRI_I12", "AA"), "{answer}");
    assert_eq!(field(&answer, "RF1", 1), "A^Accepted^HL70283", "as it stands: {answer}");
    assert!(field(&answer, "NTE", 3).contains("not cancelled"), "{answer}");
    assert!(!answer.contains("ERR|"));
    assert_eq!(asked.status(), "completed");
    assert!(!asked.deliveries("sent").contains(&"withdrawal".to_owned()));
}

#[test]
fn a_status_request_is_answered_afresh_every_time() {
    let mut asked = Asked::new();
    let request = asked.event("I15", "M2");
    let first = asked.send(&request);
    assert_eq!((field(&first, "RF1", 1), field(&first, "NTE", 3)), ("P^Pending^HL70283", "status: requested"), "{first}");
    asked.reply("scheduled", &["--at", "2026-12-14T10:30"]);
    let second = asked.send(&request);
    assert_eq!(field(&second, "RF1", 1), "A^Accepted^HL70283", "{second}");
    assert_eq!(field(&second, "NTE", 3), "status: scheduled, appointment 2026-12-14T10:30");
    let quoted = asked.event("I15", "M3").replace("P1^STMARY", "P99^STMARY").replace(
        "RF1|P|R^Routine||||P99^STMARY|20261121|20270521",
        &format!("RF1|P|R^Routine||||P99^STMARY|20261121|20270521|||{}", asked.reference),
    );
    assert_eq!(field(&asked.send(&quoted), "MSA", 1), "AA", "found by our own number");
}

#[test]
fn quirk_2_change_cancel_and_status_of_an_unknown_referral() {
    let mut asked = Asked::new();
    for (event, id) in [("I13", "M2"), ("I14", "M3"), ("I15", "M4")] {
        let answer = asked.peer.send(&asked.event(event, id).replace("P1^STMARY", "P7^STMARY")).unwrap();
        assert_eq!(field(&answer, "MSA", 1), "AE", "{answer}");
        assert!(field(&answer, "ERR", 3).starts_with("204^") && field(&answer, "ERR", 2) == "RF1^1^6", "{answer}");
    }
}

#[test]
fn the_specialist_answers_in_360x_and_the_loop_closes() {
    let mut asked = Asked::new();
    let orc = |control: &str, status: &str| format!("ORC|{control}|P1^STMARY|F-77^NORTHSIDE||{status}");
    asked.specialist("OSU^O51^OSU_O51", "S1", &[&orc("OK", "")]);
    assert_eq!(asked.status(), "accepted");
    let sch = |time: &str| format!("SCH||A-1|||||||||^^20^{time}{}P1^STMARY", "|".repeat(15));
    asked.specialist_on("20261123101500", "SIU^S12^SIU_S12", "S2", &[&sch("202611241030")]);
    assert_eq!(asked.referral()["appointment"]["at"], "2026-11-24T10:30");
    asked.specialist_on("20261123111500", "SIU^S13^SIU_S12", "S3", &[&sch("202611250900")]);
    assert_eq!(
        (asked.status().as_str(), &asked.referral()["appointment"]["at"]),
        ("scheduled", &Value::from("2026-11-25T09:00"))
    );
    asked.specialist_on("20261126", "SIU^S26^SIU_S12", "S4", &[&sch("202611250900")]);
    assert_eq!(asked.status(), "no-show");
    asked.specialist_on("20261126", "SIU^S15^SIU_S12", "S5", &[&sch("202611250900")]);
    assert_eq!((asked.status().as_str(), &asked.referral()["appointment"]), ("accepted", &Value::Null));
    // The note quotes only the number that the specialist's system gave.
    let obx = "OBX|1|TX|11488-4^Consultation note^LN||No sign of ischaemia.||||||F";
    let answer = asked.specialist("OMG^O19^OMG_O19", "S6", &["ORC|SC||F-77^NORTHSIDE||CM", "OBR|1", obx]);
    assert_eq!(field(&answer, "MSA", 1), "AA", "{answer}");
    assert_eq!(asked.status(), "closed");
    assert!(asked.referral()["notes"].as_array().unwrap().iter().any(|note| note.as_str().unwrap().contains("ischaemia")));
}

#[test]
fn the_end_of_one_visit_leaves_the_other_one_booked() {
    let mut asked = Asked::new();
    let sch = |number: &str, day: &str| format!("SCH||{number}|||||||||^^20^{day}1030{}P1^STMARY", "|".repeat(15));
    asked.specialist("SIU^S12^SIU_S12", "S1", &[&sch("AP1", "20461214")]);
    asked.specialist("SIU^S12^SIU_S12", "S2", &[&sch("AP2", "20461210")]);
    assert_eq!(asked.referral()["appointment"]["at"], "2046-12-10T10:30");
    asked.specialist("SIU^S15^SIU_S12", "S3", &[&sch("AP2", "20461210")]);
    let referral = asked.referral();
    assert_eq!((asked.status().as_str(), &referral["appointment"]["at"]), ("scheduled", &"2046-12-14T10:30".into()));
    asked.specialist("SIU^S15^SIU_S12", "S4", &[&sch("AP1", "20461214")]);
    assert_eq!(asked.status(), "accepted");
}

#[test]
fn a_change_that_names_nobody_leaves_the_specialist_as_before() {
    let mut asked = Asked::new();
    let before = asked.referral();
    for (number, rf1) in [("M2", "RF1||||||P1^STMARY"), ("M3", "RF1|||CARD^Cardiology|||P1^STMARY")] {
        let change = format!(
            "MSH|^~\\&|EHR|STMARY|LOOPLINE|REFERRALS|20261121||REF^I13^REF_I12|{number}|P|2.5.1\r{rf1}\r\
             PID|1||MR-P1^^^STMARY^MR||Quillfeather^Ottoline||19620214|F|||{number} New St^^Salem^OR^97301\r"
        );
        assert_eq!(field(&asked.send(&change), "MSA", 1), "AA");
    }
    let after = asked.referral();
    assert_eq!(after["patient"]["address"]["lines"][0], "M3 New St");
    for part in ["name", "npi", "organization", "phones"] {
        assert_eq!(after["referred_to"][part], before["referred_to"][part], "{part}");
    }
    assert_eq!((&after["referring"], &after["request"]["service"]), (&before["referring"], &"Cardiology".into()));
    assert_eq!((asked.status().as_str(), &after["held"]), ("requested", &Value::Null));
    assert!(wait_for(|| asked.sent("update") > 0), "{}", asked.site.log());
    assert_eq!(asked.deliveries("sent").iter().filter(|sent| *sent == "withdrawal").count(), 0);
}

#[test]
fn a_paper_that_may_be_the_report_waits_for_a_person_who_closes_the_loop_with_it() {
    let mut asked = Asked::new();
    let content = |title: &str| data_encoding::BASE64.encode(format!("%PDF-1.4 {title}").as_bytes());
    let pdf = |title: &str| format!("OBX|1|ED|{title}||^application^pdf^Base64^{}||||||F", content(title));
    let accepted = |asked: &mut Asked, id: &str, paper: &str| {
        asked.specialist("RRI^I12^RRI_I12", id, &["RF1|A|R||||P1^STMARY", "PRD|RT|Ames^Dora", paper]);
        asked.status()
    };
    assert_eq!(accepted(&mut asked, "S1", &pdf("PREP^Patient instructions^L")), "accepted");
    assert_eq!(asked.referral()["attachments"].as_array().unwrap().len(), 1, "it came with the answer");
    let txa = "TXA|1|CONSENT^Consent form|TX|||||||||D-1||P1^STMARY|||AU";
    asked.specialist("MDM^T02^MDM_T02", "S2", &[txa, &pdf("F^Consent^L")]);
    let obr = "OBR|1|P1^STMARY||58410-2^CBC panel^LN|||||||||||||||||||||F";
    asked.specialist("ORU^R01^ORU_R01", "S3", &[obr, &pdf("58410-2^CBC^LN")]);
    assert_eq!(accepted(&mut asked, "S4", &pdf("PDF^Document^L")), "accepted");
    let waits: Vec<Value> = asked.site.messages().into_iter().filter(|one| one["state"] == "held").collect();
    let ids: Vec<&str> = waits.iter().map(|one| one["control_id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["S4", "S3"], "{waits:#?}");
    assert!(waits.iter().all(|one| one["referrals"].as_array().is_some_and(|linked| !linked.is_empty())), "{waits:#?}");
    let id = waits[0]["id"].as_str().unwrap().to_owned();
    asked.site.json(&["messages", "assign", &id, &asked.reference, "--by", "mira", "--json"]).unwrap();
    assert!(wait_for(|| asked.status() == "closed"), "{:#?}", asked.site.messages());
    assert_eq!(asked.referral()["attachments"].as_array().unwrap().len(), 2);
    let mut first = Asked::new();
    assert_eq!(accepted(&mut first, "S1", &pdf("PDF^Document^L")), "accepted", "it comes with the first answer");
    let referral = first.referral();
    assert!(
        referral["attachments"].as_array().unwrap().len() == 1 && referral["problems"].to_string().contains("perhaps-the-report"),
        "{referral:#}"
    );
    let came = first.site.messages().into_iter().find(|one| one["control_id"] == "S1").unwrap()["id"].clone();
    first.site.json(&["messages", "assign", came.as_str().unwrap(), &first.reference, "--by", "mira", "--json"]).unwrap();
    assert!(wait_for(|| first.status() == "closed"), "{:#?}", first.site.messages());
}

#[test]
fn a_letter_that_is_called_one_by_its_title_closes_the_loop() {
    for kind in ["CL^Clinic letter", "CONS^Consultation Report^L", "11488-4^Consult note^LN", "LETTER^Letter to GP^L"] {
        let mut asked = Asked::new();
        let txa = format!("TXA|1|{kind}|TX|||||||||D-1||{}^LOOPLINE|||AU", asked.reference);
        asked.specialist("MDM^T02^MDM_T02", "S1", &[&txa, "OBX|1|TX|||Seen today, start bisoprolol.||||||F"]);
        assert_eq!(asked.status(), "closed", "{kind}");
    }
    let mut asked = Asked::new();
    let txa = format!("TXA|1|PN^Progress note|TX|||||||||D-1||{}^LOOPLINE|||AU", asked.reference);
    asked.specialist("MDM^T02^MDM_T02", "S1", &[&txa, "OBX|1|TX|||Seen today, start bisoprolol.||||||F"]);
    assert_eq!(asked.status(), "requested");
    assert!(asked.site.messages().iter().any(|one| one["control_id"] == "S1" && one["state"] == "held"), "a person decides");
}

#[test]
fn a_letter_by_mdm_or_a_result_by_oru_closes_the_loop() {
    for (kind, txa) in [("MDM^T02^MDM_T02", "TXA|1|CN|TX|||||||||D-1||P1^STMARY|||AU"), ("ORU^R01^ORU_R01", "ORC|RE|P1^STMARY")] {
        let mut asked = Asked::new();
        let obr = "OBR|1|P1^STMARY||11488-4^Consultation note^LN|||||||||||||||||||||F";
        asked.specialist(kind, "S1", &[txa, obr, "OBX|1|TX|11488-4^Consultation note^LN||Seen today."]);
        assert_eq!(asked.status(), "closed", "{kind}");
    }
}

#[test]
fn an_answer_about_another_patient_or_from_a_stranger_moves_nothing() {
    let mut asked = Asked::new();
    let stranger = "MSH|^~\\&|CARDIO|NORTHSIDE|EHR|STMARY|20261123||RRI^I12^RRI_I12|S1|P|2.5.1\rRF1|A|||||P1^STMARY\r\
                    PRD|RT|Ames^Dora\rPID|1||MR-9^^^STMARY^MR||Marsh^Tobias||19700101\r";
    assert_eq!(field(&asked.send(stranger), "MSA", 1), "AA");
    assert_eq!(asked.status(), "requested");
    assert!(asked.site.messages().iter().any(|message| message["state"] == "held"));

    let open = Site::new();
    let _running = open.start();
    let mut peer = Peer::connect(&open.mllp());
    peer.send(&referral_message("M1", "P1", "Quillfeather")).unwrap();
    peer.send(&stranger.replace("MR-9^^^STMARY^MR||Marsh^Tobias||19700101", "MR-P1^^^STMARY^MR||Quillfeather^Ottoline")).unwrap();
    let held = || open.referrals()[0]["held"].as_array().is_some_and(|held| held.contains(&Value::from("unclear-reply")));
    assert!(wait_for(held), "anybody may send on this channel: a person decides");
}

#[test]
fn quirk_3_au_retransmission_under_a_new_control_id_is_a_repeat() {
    let mut asked = Asked::new();
    let again = referral_message("M2", "P1", "Quillfeather").replace("20261121093000", "20261121103000");
    let answer = asked.send(&again);
    assert_eq!((field(&answer, "MSA", 1), field(&answer, "MSA", 2)), ("AA", "M2"));
    assert!(field(&answer, "RF1", 11).starts_with(&asked.reference));
    assert!(
        !asked.deliveries("queued").contains(&"update".to_owned()) && !asked.deliveries("sent").contains(&"update".to_owned())
    );
    assert_eq!(asked.site.referrals().len(), 1);
}

#[test]
fn quirk_3_correction_is_a_new_version_of_the_same_referral() {
    let mut asked = Asked::new();
    let corrected = referral_message("M2", "P1", "Quillfeather").replace("six weeks", "eight weeks");
    let answer = asked.send(&corrected.replace("20261121093000", "20261121103000"));
    assert!(field(&answer, "RF1", 11).starts_with(&asked.reference), "{answer}");
    assert!(wait_for(|| asked.deliveries("sent").contains(&"update".to_owned())), "{}", asked.site.log());
    let referral = asked.referral();
    assert_eq!(referral["request"]["reason"], "Palpitations on exertion for eight weeks");
    let events: Vec<&Value> = referral["history"].as_array().unwrap().iter().map(|entry| &entry["event"]).collect();
    assert!(events.contains(&&Value::from("received")) && events.contains(&&Value::from("changed")), "{events:?}");
    assert_eq!(asked.site.referrals().len(), 1);
}

#[test]
fn quirk_3_retry_after_a_lost_answer_gets_the_same_answer_and_no_new_record() {
    let mut asked = Asked::new();
    let first = referral_message("M1", "P1", "Quillfeather");
    let (once, twice) = (asked.send(&first), asked.send(&first));
    assert_eq!(once, twice, "byte for byte");
    assert_eq!((field(&twice, "MSA", 1), field(&twice, "MSA", 2)), ("AA", "M1"));
    assert!(field(&twice, "RF1", 11).starts_with(&asked.reference), "{twice}");
    assert_eq!((asked.site.referrals().len(), asked.site.messages().len()), (1, 1));
    // What is refused is looked at afresh.
    let bad = first.replace("|M1|", "|M2|").replace("PID|", "ZPI|");
    let (once, twice) = (asked.send(&bad), asked.send(&bad));
    assert_eq!((field(&once, "MSA", 1), field(&twice, "MSA", 1)), ("AE", "AE"));
    assert_ne!(field(&once, "MSH", 10), field(&twice, "MSH", 10));
}

#[test]
fn quirk_2_the_same_control_id_and_content_gets_the_stored_answer() {
    let mut asked = Asked::new();
    // Another time of sending is the same message; another patient is not.
    let again = referral_message("M1", "P1", "Quillfeather");
    let first = asked.send(&again);
    let later = asked.send(&again.replace("20261121093000", "20261121093500"));
    assert_eq!(first, later);
    assert_eq!(asked.site.messages().len(), 1);
}

#[test]
fn quirk_4_the_answer_that_quotes_our_number_or_the_senders_finds_the_referral() {
    let mut asked = Asked::new();
    // Ours in RF1-6, as in an answer to what we forwarded; theirs beside it is kept.
    let rf1 = format!("RF1|A|R||||{}^LOOPLINE|||||NS-5^NORTHSIDE", asked.reference);
    asked.specialist("RRI^I12^RRI_I12", "S1", &[&rf1, "PRD|RT|Ames^Dora"]);
    assert_eq!(asked.status(), "accepted");
    let mut asked = Asked::new();
    let orc = format!("ORC|OK|{}^LOOPLINE|NS-6^NORTHSIDE", asked.reference);
    asked.specialist("OSU^O51^OSU_O51", "S1", &[&orc]);
    assert_eq!(asked.status(), "accepted", "ours in ORC-2");
}

/// The message for the other desk of the site.
fn for_the_skin_clinic(message: &str) -> String {
    message.replace("Northside Heart Center", "Harbor Skin Clinic")
}

#[test]
fn quirk_3_copies_to_several_recipients_are_one_referral_and_a_delivery_each() {
    let mut asked = Asked::new();
    let answer = asked.send(&for_the_skin_clinic(&referral_message("M2", "P1", "Quillfeather")));
    assert!(field(&answer, "RF1", 11).starts_with(&asked.reference), "{answer}");
    assert!(wait_for(|| asked.sent("confirmation-request") == 2), "{:#?}", asked.site.deliveries());
    let cancel = for_the_skin_clinic(&asked.event("I14", "M3"));
    asked.send(&cancel);
    assert!(wait_for(|| asked.sent("withdrawal") == 2), "both are told: {:#?}", asked.site.deliveries());
}

#[test]
fn a_change_of_the_specialist_asks_the_new_one_and_withdraws_from_the_old_one() {
    let mut asked = Asked::new();
    let moved = for_the_skin_clinic(&asked.event("I13", "M2"));
    asked.send(&moved);
    let done = || asked.sent("confirmation-request") == 2 && asked.sent("withdrawal") == 1;
    assert!(wait_for(done), "{:#?}", asked.site.deliveries());
    let all = asked.site.deliveries();
    let withdrawn: Vec<&Value> = all.iter().filter(|delivery| delivery["purpose"] == "withdrawal").map(|it| &it["to"]).collect();
    assert_eq!(withdrawn, ["cardiology-desk"]);
    assert!(wait_for(|| asked.status() == "requested"));
}

#[test]
fn quirk_3_au_retransmission_is_none_after_a_cancel() {
    let mut asked = Asked::new();
    let cancel = asked.event("I14", "M2");
    asked.send(&cancel);
    let answer = asked.send(&referral_message("M3", "P1", "Quillfeather"));
    assert_eq!(field(&answer, "RF1", 1), "P^Pending^HL70283", "{answer}");
    assert!(asked.referral()["history"].as_array().unwrap().iter().any(|entry| entry["event"] == "reopened"));
    assert_ne!(asked.status(), "cancel-requested");
}

#[test]
fn quirk_3_counter_reset_is_taken_as_new() {
    let mut asked = Asked::new();
    let answer = asked.send(&referral_message("M1", "P2", "Quall"));
    assert_eq!(field(&answer, "MSA", 1), "AA", "{answer}");
    assert_eq!(asked.site.referrals().len(), 2);
}

#[test]
fn quirk_2_an_unusable_character_set_is_answered_and_the_connection_goes_on() {
    let site = Site::new();
    let _running = site.start();
    let mut peer = Peer::connect(&site.mllp());
    let mut frame = vec![0x0b];
    frame.extend(referral_message("M1", "P1", "Quillfeather").encode_utf16().flat_map(u16::to_le_bytes));
    frame.extend(b"\x1c\r");
    peer.write(&frame).unwrap();
    let answer = peer.read().unwrap();
    assert_eq!((field(&answer, "MSA", 1), field(&answer, "MSA", 2)), ("AR", "M1"), "{answer}");
    assert_eq!((field(&answer, "ERR", 2), field(&answer, "ERR", 3).split('^').next()), ("MSH^1^18", Some("102")), "{answer}");
    peer.write(&framed(&referral_message("M2", "P1", "Quillfeather"))).unwrap();
    assert_eq!(field(&peer.read().unwrap(), "MSA", 1), "AA");
}

#[test]
fn documents_of_5_16_and_40_megabytes_are_taken_in_bounded_memory() {
    let site = Site::new();
    let running = site.start();
    for (number, bytes) in [(1, 5_000_000), (2, 16_000_000), (3, 30_000_000)] {
        // Not to be compressed away.
        let noise = (0..bytes as u64).map(|n| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8);
        let pdf: Vec<u8> = b"%PDF-1.7 ".iter().copied().chain(noise).collect();
        let document = data_encoding::BASE64.encode(&pdf);
        let message = referral_message(&format!("M{number}"), &format!("P{number}"), "Quillfeather")
            + &format!("OBX|1|ED|PDF^Echo^L||^application^pdf^Base64^{document}||||||F\r");
        let answer = Peer::connect(&site.mllp()).send(&message).unwrap();
        assert_eq!(field(&answer, "MSA", 1), "AA", "{answer}");
        let sizes: Vec<_> = site.referrals().iter().filter_map(|it| it["attachments"][0]["bytes"].as_u64()).collect();
        assert!(sizes.contains(&(pdf.len() as u64)), "{sizes:?}");
    }
    // Five times the largest message, which is 40 MB, and what the engine needs at rest.
    let peak = running.memory_peak_bytes();
    assert!(peak < 300_000_000, "{peak} bytes");
}

#[test]
fn a_discharge_summary_is_kept_as_a_document_and_listed_with_nothing() {
    let site = Site::new();
    let _running = site.start();
    let summary = "MSH|^~\\&|EHR|STMARY|LOOPLINE|SITE|20261121||REF^I12^REF_I12|M1|P|2.4\rPRD|RP|Whitcombe^Harriet\rPRD|PP|Grealish^Emer\r\
                   PID|1||MR-1^^^STMARY^MR||Quillfeather^Ottoline||19620214|F\rOBX|1|FT|18842-5^Discharge summary^LN||Chest pain, resolved.\r";
    let answer = Peer::connect(&site.mllp()).send(summary).unwrap();
    assert_eq!((field(&answer, "MSH", 9), field(&answer, "MSA", 1)), ("ACK^I12^ACK", "AA"), "{answer}");
    assert_eq!(site.referrals().len(), 0);
    let messages = site.messages();
    assert_eq!((&messages[0]["kind"], &messages[0]["state"]), (&Value::from("document"), &Value::from("processed")));
}

/// The specialist's booking, under a control id that says nothing.
fn booking(event: &str, control_id: &str) -> String {
    format!(
        "MSH|^~\\&|CARDIO|NORTHSIDE|EHR|STMARY|20261123||SIU^{event}^SIU_S12|{control_id}|P|2.5.1\r\
         SCH||A-1|||||||||^^20^202612141030{}P1^STMARY\rPID|1||MR-P1^^^STMARY^MR||Quillfeather^Ottoline||19620214|F\r",
        "|".repeat(15)
    )
}

#[test]
fn quirk_3_constant_control_id_booked_cancelled_and_booked_again_is_real() {
    let mut asked = Asked::with(&format!("{VOUCHED}[profile]\ncontrol_ids_unique = false\n"));
    for (event, status) in
        [("S12", "scheduled"), ("S15", "accepted"), ("S12", "scheduled"), ("S15", "accepted"), ("S12", "scheduled")]
    {
        assert_eq!(field(&asked.send(&booking(event, "SAME")), "MSA", 1), "AA");
        assert_eq!(asked.status(), status, "{event}");
    }
    let before = asked.site.messages().len();
    asked.send(&booking("S12", "SAME"));
    assert_eq!(asked.site.messages().len(), before, "nothing came between: a repeat");
    assert_eq!(asked.referral()["appointment"]["at"], "2026-12-14T10:30");
}

#[test]
fn quirk_3_empty_control_id_referred_cancelled_and_referred_again_is_real() {
    let mut asked = Asked::new();
    let (refer, cancel) = (asked.event("I12", ""), asked.event("I14", ""));
    asked.send(&refer);
    asked.send(&cancel);
    assert_eq!(asked.status(), "cancel-requested");
    let later = refer.replace("20261121093000", "20261121103000");
    let answer = asked.send(&later);
    assert!(field(&answer, "RF1", 11).starts_with(&asked.reference), "{answer}");
    assert_ne!(asked.status(), "cancel-requested", "it is wanted again");
    let before = asked.site.messages().len();
    asked.send(&later);
    assert_eq!(asked.site.messages().len(), before, "and this is a retry");
}

#[test]
fn quirk_2_the_same_control_id_for_other_content_is_205_a_warning_or_where_the_channel_is_strict_an_error() {
    let site = Site::new();
    site.channel("hl7-in", &VOUCHED.replace("[acknowledge]", "[acknowledge]\npositive = \"ACK\""));
    let _running = site.start();
    let mut peer = Peer::connect(&site.mllp());
    peer.send(&referral_message("M1", "P1", "Quillfeather")).unwrap();
    let answer = peer.send(&referral_message("M1", "P2", "Quall")).unwrap();
    assert_eq!((field(&answer, "MSA", 1), field(&answer, "ERR", 4)), ("AA", "W"), "{answer}");
    assert!(field(&answer, "ERR", 3).starts_with("205^") && field(&answer, "ERR", 2) == "MSH^1^10", "{answer}");

    let mut strict = Asked::with(&format!("{VOUCHED}[profile.strict]\ncontrol_id_reuse = true\n"));
    let answer = strict.send(&referral_message("M1", "P2", "Quall"));
    assert_eq!((field(&answer, "MSA", 1), field(&answer, "ERR", 4)), ("AE", "E"), "{answer}");
    assert!(field(&answer, "ERR", 3).starts_with("205^") && field(&answer, "ERR", 2) == "MSH^1^10", "{answer}");
    assert_eq!(strict.site.referrals().len(), 1);
    let again = strict.send(&referral_message("M1", "P1", "Quillfeather"));
    assert_eq!(field(&again, "MSA", 1), "AA", "the first is still known: {again}");
}

#[test]
fn quirk_3_out_of_order_change_and_cancel_are_applied_when_their_referral_comes() {
    let site = Site::new();
    site.channel("hl7-in", &format!("{VOUCHED}[profile.strict]\nunknown_referral = \"park\"\n"));
    let _running = site.start();
    let mut peer = Peer::connect(&site.mllp());
    for (event, id) in [("I13", "M2"), ("I14", "M3")] {
        let message = referral_message(id, "P1", "Quillfeather").replace("REF^I12", &format!("REF^{event}"));
        assert_eq!(field(&peer.send(&message.replace("R^Routine", "S^STAT")).unwrap(), "MSA", 1), "AA");
    }
    assert!(site.referrals().is_empty());
    peer.send(&referral_message("M1", "P1", "Quillfeather")).unwrap();
    let done = || site.referrals()[0]["status"] == "cancel-requested" && site.referrals()[0]["priority"] == "stat";
    assert!(wait_for(done), "{:#?}", site.referrals());
    assert!(site.messages().iter().all(|message| message["state"] == "processed"));
}

/// Asserts that a message is refused as none for us, in original and in enhanced mode, in words that name nobody.
fn assert_not_for_us(site: &Site, peer: &mut Peer, message: &str, place: &str) {
    let answer = peer.send(message).unwrap();
    assert_eq!(field(&answer, "MSA", 1), "AR", "{answer}");
    assert!(field(&answer, "ERR", 3).starts_with("207^") && field(&answer, "ERR", 2).starts_with(place), "{answer}");
    assert!(!field(&answer, "ERR", 8).is_empty() && !answer.contains("Quillfeather"), "{answer}");
    let enhanced = peer.send(&message.replace("|P|2.5.1", "|P|2.5.1|||AL|NE").replace("|M1|", "|M2|")).unwrap();
    assert_eq!(field(&enhanced, "MSA", 1), "CR", "{enhanced}");
    assert!(site.referrals().is_empty());
}

#[test]
fn quirk_2_an_unknown_sender_is_207_without_patient_data() {
    let site = Site::new();
    site.channel("hl7-in", VOUCHED);
    let _running = site.start();
    let message = referral_message("M1", "P1", "Quillfeather").replace("|EHR|", "|OTHER|");
    assert_not_for_us(&site, &mut Peer::connect(&site.mllp()), &message, "MSH^1^3");
}

#[test]
fn quirk_2_a_wrong_receiving_facility_is_207_without_patient_data() {
    let site = Site::new();
    site.channel("hl7-in", &format!("{VOUCHED}[accept]\nwhere = [\"MSH-6.1 = SITE\"]\n"));
    let _running = site.start();
    let message = referral_message("M1", "P1", "Quillfeather").replace("|SITE|", "|ELSEWHERE|");
    assert_not_for_us(&site, &mut Peer::connect(&site.mllp()), &message, "MSH^1^6");
}

#[test]
fn an_allergy_reaches_the_specialist_and_stays_through_a_change() {
    let mut asked = Asked::new();
    let allergic = asked.event("I13", "M2") + "AL1|1|DA|^Penicillin|SV|ANAPHYLAXIS\r";
    asked.send(&allergic);
    let note = "Allergy: Penicillin; type: drug; severity: severe; reaction: ANAPHYLAXIS";
    assert_eq!(asked.referral()["notes"][0], note);
    assert!(wait_for(|| asked.sent("update") > 0), "{:#?}", asked.site.deliveries());
    let silent = asked.event("I13", "M3").replace("R^Routine", "S^STAT");
    asked.send(&silent);
    assert_eq!((&asked.referral()["notes"][0], &asked.referral()["priority"]), (&note.into(), &"stat".into()));
}

#[test]
fn quirk_1_a_retry_with_other_line_ends_is_the_same_message() {
    let mut asked = Asked::new();
    let first = referral_message("M7", "P7", "Feather");
    let answer = asked.send(&first);
    for again in [first.trim_end().to_owned(), first.replace('\r', "\n"), first.replace('\r', "\r\n")] {
        assert_eq!(asked.send(&again), answer);
    }
    assert_eq!(asked.site.referrals().len(), 2);
}

#[test]
fn an_order_for_an_unknown_referral_is_told_so_at_orc() {
    let mut asked = Asked::new();
    let answer = asked.send(
        "MSH|^~\\&|EHR|STMARY|LOOPLINE||20261123||OSU^O51^OSU_O51|S9|P|2.5.1\rPID|1||MR-P9^^^STMARY^MR||Marsh^Tobias||19700101\r\
         ORC|CA|NOPE^STMARY\r",
    );
    assert_eq!((field(&answer, "MSA", 1), field(&answer, "ERR", 2)), ("AE", "ORC^1^2"), "{answer}");
    assert!(answer.contains("(OMG\\S\\O19)") && !answer.contains("I12"), "{answer}");
}
