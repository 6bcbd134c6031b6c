//! Which referral a message is about: numbers spelled in several ways, our own control ids coming back, the patient; and what a person says.

use serde_json::Value;

use crate::{
    harness::{Peer, Running, Site, field, referral_message, wait_for},
    people::show,
};

/// A channel whose senders are named, so that the specialist's answers are taken at their word. Every referral is also handed on.
const VOUCHED: &str = r#"
[inbound.mllp]
listen = "127.0.0.1:0"
[acknowledge]
senders = ["EHR|STMARY", "EHR|LAKESIDE", "CARDIO|NORTHSIDE"]
[route]
by = ["directory"]
[[forward]]
through = "ehr-mllp"
"#;

const PID: &str = "PID|1||N-55^^^NORTHSIDE^MR||Quillfeather^Ottoline||19620214|F";

struct Desk {
    site: Site,
    _running: Running,
    peer: Peer,
    sent: u32,
}

impl Desk {
    fn new() -> Self {
        Self::on(VOUCHED)
    }

    fn on(channel: &str) -> Self {
        let site = Site::new();
        site.channel("hl7-in", channel);
        // Nobody listens there: what is handed on is written, and waits.
        site.channel(
            "ehr-mllp",
            "[outbound.mllp]\nhost = \"127.0.0.1\"\nport = 9\nanswer_seconds_max = 1\nreconnect_seconds = 60\n",
        );
        let running = site.start();
        let peer = Peer::connect(&site.mllp());
        Self { site, _running: running, peer, sent: 0 }
    }

    fn send(&mut self, message: &str) -> String {
        self.sent += 1;
        let answer = self.peer.send(&message.replace("CONTROL", &format!("C{}", self.sent))).unwrap();
        assert!(field(&answer, "MSA", 1) != "AR", "{answer}");
        answer
    }

    /// Sends a request with this number in RF1-6, and waits until the specialist is asked. Gives our reference.
    fn refer(&mut self, number: &str) -> String {
        self.refer_as(number, "STMARY")
    }

    fn refer_as(&mut self, number: &str, facility: &str) -> String {
        let message = request("I12", number).replace("|EHR|STMARY|", &format!("|EHR|{facility}|"));
        let answer = self.send(&message);
        let reference = field(&answer, "RF1", 11).split('^').next().unwrap().to_owned();
        assert!(wait_for(|| self.status(&reference) == "requested"), "{answer}\n{}", self.site.log());
        reference
    }

    /// What the specialist's system says to us.
    fn answer(&mut self, kind: &str, lines: &[&str]) -> String {
        let head = format!("MSH|^~\\&|CARDIO|NORTHSIDE|LOOPLINE|SITE|20261123||{kind}|CONTROL|P|2.5.1");
        let message = [&[head.as_str()], lines].concat().join("\r") + "\r";
        self.send(&message)
    }

    fn status(&self, reference: &str) -> String {
        show(&self.site, reference)["status"].as_str().unwrap().to_owned()
    }

    /// The state of the latest message and why.
    fn latest(&self) -> (String, String) {
        let message = self.site.messages().remove(0);
        let text = |name: &str| message[name].as_str().unwrap_or_default().to_owned();
        (text("state"), text("reason"))
    }

    /// The MSH-10 of what is handed on of a referral.
    fn control_id(&self, reference: &str) -> String {
        let id = show(&self.site, reference)["id"].clone();
        let found = || {
            let all = self.site.deliveries();
            let forward = all.iter().find(|one| one["referral"] == id && one["purpose"] == "forward")?;
            forward["content"]["hl7"]["control_id"].as_str().map(str::to_owned)
        };
        assert!(wait_for(|| found().is_some()), "{:#?}", self.site.deliveries());
        found().unwrap()
    }

    fn assign(&self, message: &str, reference: &str) -> Result<(), String> {
        let output = self.site.command().args(["messages", "assign", message, reference, "--by", "mira"]).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() { Ok(()) } else { Err(told) }
    }

    fn newest(&self) -> String {
        self.site.messages()[0]["id"].as_str().unwrap().to_owned()
    }
}

fn request(event: &str, number: &str) -> String {
    referral_message("CONTROL", "P1", "Quillfeather")
        .replace("REF^I12", &format!("REF^{event}"))
        .replace("||||P1^STMARY|", &format!("||||{number}|"))
}

fn rf1(status: &str, number: &str, theirs: &str) -> String {
    format!("RF1|{status}|||||{number}|||||{theirs}")
}

#[test]
fn an_answer_is_matched_by_its_number_in_any_spelling() {
    let mut desk = Desk::new();
    for (at, (sent, quoted)) in [
        ("^EPC", "^EPC"),
        ("^EPC", "^epc"),
        ("^EPC", ""),
        ("^EPC", "^NORTHSIDE"),
        ("", ""),
        ("", "^SITE"),
        ("^STMARY", "^STMARY"),
        ("^STMARY", ""),
        ("^EPC^1.2.840.114350^ISO", "^EPC"),
        ("^EPC^1.2.840.114350^ISO", "^^1.2.840.114350^ISO"),
        ("^^1.2.840.114350^ISO", "^^urn:oid:1.2.840.114350^ISO"),
    ]
    .into_iter()
    .enumerate()
    {
        let reference = desk.refer(&format!("R{at}{sent}"));
        desk.answer("RRI^I12^RRI_I12", &[&rf1("A", &format!("R{at}{quoted}"), &format!("{at}^NORTHSIDE")), PID]);
        assert_eq!(desk.status(&reference), "accepted", "{sent} {quoted}: {:?}", desk.latest());
        // What its own side calls it is known from then on, by whatever system of that side.
        let obr = format!("OBR|1||{at}|11488-4^Consultation note^LN|||||||||||||||||||||F");
        desk.answer("ORU^R01^ORU_R01", &[PID, &obr, "OBX|1|TX|11488-4^Consultation note^LN||Seen today."]);
        assert_eq!(desk.status(&reference), "closed", "{sent} {quoted}: {:?}", desk.latest());
    }
}

#[test]
fn bookings_and_results_are_matched_by_a_number_of_any_authority() {
    let mut desk = Desk::new();
    let reference = desk.refer("R1^EPC");
    desk.answer("SIU^S12^SIU_S12", &[&format!("SCH||A-1|||||||||^^20^202612141030{}R1^EPC", "|".repeat(15)), PID]);
    assert_eq!(desk.status(&reference), "scheduled", "{:?}", desk.latest());
    let obr = "OBR|1|R1^EPC||11488-4^Consultation note^LN|||||||||||||||||||||F";
    desk.answer("ORU^R01^ORU_R01", &[PID, obr, "OBX|1|TX|11488-4^Consultation note^LN||Seen today."]);
    assert_eq!(desk.status(&reference), "closed", "{:?}", desk.latest());
}

#[test]
fn a_number_alone_is_no_other_patients() {
    let mut desk = Desk::new();
    let reference = desk.refer("R1^EPC");
    for pid in [
        "PID|1||N-9^^^NORTHSIDE^MR||Marsh^Tobias||19700101|M",
        "PID|1||N-9^^^NORTHSIDE^MR||Quillfeather^Ottoline||19880101|F",
        "PID|1||||Quillfeather^Ottoline",
    ] {
        for number in ["R1", "R1^NORTHSIDE", "R1^LAB"] {
            desk.answer("RRI^I12^RRI_I12", &[&rf1("A", number, ""), pid]);
            assert_eq!(desk.latest().0, "held", "{number} {pid}");
        }
    }
    assert_eq!(desk.status(&reference), "requested");
}

#[test]
fn a_number_that_two_referrals_of_the_patient_have_is_a_persons_to_read() {
    let mut desk = Desk::new();
    let first = desk.refer_as("7", "STMARY");
    let second = desk.refer_as("7", "LAKESIDE");
    assert_ne!(first, second, "each sender has numbers of its own");
    desk.answer("RRI^I12^RRI_I12", &[&rf1("A", "7", ""), PID]);
    let (state, reason) = desk.latest();
    assert!(state == "held" && reason.contains("fits several"), "{state}: {reason}");
    let arguments = ["referrals", "settle", &second, "reject", "--reason", "a test", "--json"];
    desk.site.json(&arguments).unwrap();
    desk.answer("RRI^I12^RRI_I12", &[&rf1("A", "7", ""), PID, "NTE|1||Again"]);
    assert_eq!(desk.status(&first), "accepted", "{:?}", desk.latest());
}

#[test]
fn an_answer_is_matched_by_the_control_id_of_our_message_alone() {
    let mut desk = Desk::new();
    let [first, second] = ["R1", "R2"].map(|number| desk.refer(number));
    let msa = format!("MSA|AA|{}", desk.control_id(&first));
    // RF1 and PID are optional.
    desk.answer("RRI^I12^RRI_I12", &[&msa]);
    let about = desk.site.messages()[0]["referrals"].clone();
    assert_eq!(about, Value::from(vec![show(&desk.site, &first)["id"].clone()]), "{:?}", desk.latest());
    assert_eq!(desk.status(&first), "requested", "it says no more than that the message was taken");
    desk.answer("RRI^I12^RRI_I12", &[&msa, "RF1|A|||||77^ELSEWHERE", PID]);
    assert_eq!(desk.status(&first), "accepted", "{:?}", desk.latest());
    // What names two referrals, or another patient, names none.
    for (lines, why) in [
        ([rf1("A", "R2^STMARY", ""), PID.to_owned()], "fits several"),
        ([rf1("A", "", ""), PID.replace("Quillfeather^Ottoline||19620214", "Marsh^Tobias||19700101")], "another patient"),
    ] {
        desk.answer("RRI^I12^RRI_I12", &[&msa, &lines[0], &lines[1]]);
        let (state, reason) = desk.latest();
        assert!(state == "held" && reason.contains(why), "{state}: {reason}");
    }
    assert_eq!(desk.status(&second), "requested");
}

#[test]
fn an_answer_without_a_known_number_goes_to_the_one_open_referral_that_fits() {
    let mut desk = Desk::new();
    let first = desk.refer("R1^EPC");
    let prd = "PRD|RT|||^^^Northside Heart Center||||";
    let other = "PRD|RT|||^^^Harbor Skin Clinic||||";
    for (lines, why) in [
        ([rf1("A", "R9^EPC", ""), prd.to_owned()], "a number of the referrer's that is another"),
        ([rf1("A", "", ""), other.to_owned()], "another specialist"),
    ] {
        desk.answer("RRI^I12^RRI_I12", &[&lines[0], &lines[1], PID]);
        assert_eq!(desk.latest().0, "held", "{why}");
    }
    assert_eq!(desk.status(&first), "requested");
    desk.answer("RRI^I12^RRI_I12", &[&rf1("A", "", "T-1^NORTHSIDE"), prd, PID]);
    assert_eq!(desk.status(&first), "accepted", "{:?}", desk.latest());
    let problems = desk.site.messages()[0]["problems"].to_string();
    assert!(problems.contains("matched-by-patient"), "{problems}");

    desk.refer("R2^EPC");
    desk.answer("RRI^I12^RRI_I12", &[&rf1("R", "", "T-2^NORTHSIDE"), prd, PID]);
    assert_eq!(desk.latest().0, "held", "either may be meant");
}

#[test]
fn a_change_or_cancel_finds_its_referral_by_another_spelling_of_the_number() {
    let mut desk = Desk::new();
    for (at, (sent, then)) in [
        ("^EPC", ""),
        ("", "^EPC"),
        ("^EPC^1.2.840^ISO", "^^1.2.840^ISO"),
        ("^EPC", "^epc"),
        ("^EPC", "^EPC^1.2.840^ISO"),
        ("^EPC", "^^1.2.840^ISO"),
        ("^STMARY", ""),
    ]
    .into_iter()
    .enumerate()
    {
        let reference = desk.refer(&format!("R{at}{sent}"));
        let answer = desk.send(&request("I15", &format!("r{at}{then}")));
        assert_eq!(field(&answer, "MSA", 1), "AA", "{sent} {then}: {answer}");
        let answer = desk.send(&request("I14", &format!("R{at}{then}")));
        assert_eq!(field(&answer, "MSA", 1), "AA", "{sent} {then}: {answer}");
        assert_eq!(desk.status(&reference), "cancel-requested");
    }
    let kept = desk.refer("R8^EPC");
    // Another numbering of the same sender, the same number of another sender, and another patient.
    for message in [
        request("I14", "R8^LAB"),
        request("I14", "R8^EPC").replace("|EHR|STMARY|", "|EHR|LAKESIDE|"),
        request("I14", "R8").replace("MR-P1", "MR-9").replace("Quillfeather^Ottoline||19620214", "Marsh^Tobias||19700101"),
    ] {
        desk.send(&message);
        assert_eq!(desk.status(&kept), "requested", "{message}");
    }
}

#[test]
fn a_person_assigns_a_held_message_to_its_referral() {
    let mut desk = Desk::on(&VOUCHED.replace("senders = [\"EHR|STMARY\", \"EHR|LAKESIDE\", \"CARDIO|NORTHSIDE\"]\n", ""));
    let reference = desk.refer("R1");
    desk.answer("SIU^S12^SIU_S12", &["SCH||A-1|||||||||^^20^202612141030", PID]);
    let booking = desk.newest();
    assert_eq!(desk.latest().0, "held");
    let shown = desk.site.command().args(["messages", "show", &booking]).output().unwrap();
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains(&format!("loopline messages assign {booking} REFERENCE")), "{shown}");

    let other =
        desk.send(&referral_message("CONTROL", "P2", "Marsh").replace("Ottoline", "Tobias").replace("19620214", "19700101"));
    let other = field(&other, "RF1", 11).split('^').next().unwrap().to_owned();
    assert!(desk.assign(&booking, &other).unwrap_err().contains("another patient"));
    assert!(desk.assign(&booking, "LL-0000-0000").is_err());
    let first = desk.site.messages().last().unwrap()["id"].as_str().unwrap().to_owned();
    assert!(desk.assign(&first, &reference).unwrap_err().contains("is processed"));

    desk.assign(&booking, &reference).unwrap();
    assert!(wait_for(|| desk.status(&reference) == "scheduled"), "{:?}", desk.latest());
    let referral = show(&desk.site, &reference);
    assert_eq!(referral["appointment"]["at"], "2026-12-14T10:30");
    let last = referral["history"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(
        (&last["message"], last["by"].as_str()),
        (&Value::from(booking.as_str()), Some("channel hl7-in, assigned by mira"))
    );

    // A laboratory value asks for nothing: it is put with the referral, and the status stays.
    desk.answer(
        "ORU^R01^ORU_R01",
        &[PID, "OBR|1|||718-7^Hb^LN|||||||||||||||||||||F", "NTE|1||Hb 13.1", "OBX|1|NM|718-7^Hb^LN||13.1|g/dL"],
    );
    let value = desk.newest();
    desk.assign(&value, &reference).unwrap();
    let notes = || show(&desk.site, &reference)["notes"].to_string();
    assert!(wait_for(|| notes().contains("Hb 13.1")), "{:?}", desk.latest());
    assert_eq!(desk.status(&reference), "scheduled");

    let obr = "OBR|1|||11488-4^Consultation note^LN|||||||||||||||||||||F";
    desk.answer("ORU^R01^ORU_R01", &[PID, obr, "OBX|1|TX|11488-4^Consultation note^LN||Seen today."]);
    let report = desk.newest();
    desk.assign(&report, &reference).unwrap();
    assert!(wait_for(|| desk.status(&reference) == "closed"), "{:?}", desk.latest());
    let entries = || show(&desk.site, &reference)["history"].as_array().unwrap().len();
    let before = entries();
    desk.site.json(&["messages", "replay", &report, "--json"]).unwrap();
    let state = || desk.site.json(&["messages", "show", &report, "--json"]).unwrap()["message"]["state"].clone();
    assert!(wait_for(|| state() == "processed"));
    assert_eq!(entries(), before, "decided again, it does nothing twice");
}

#[test]
fn a_faxed_letter_that_refers_nobody_is_put_with_the_referral_that_a_person_names() {
    let mut desk = Desk::new();
    let reference = desk.refer("R1");
    let letter = std::fs::read(format!("{}/tests/fixtures/fax/no-referral.pdf", env!("CARGO_MANIFEST_DIR"))).unwrap();
    desk.site.drop_file("fax-in/letter.pdf", &letter);
    let held = || desk.site.messages().into_iter().find(|one| one["channel"] == "fax-in" && one["state"] == "held");
    assert!(wait_for(|| held().is_some()), "{}", desk.site.log());
    let fax = held().unwrap()["id"].as_str().unwrap().to_owned();
    desk.assign(&fax, &reference).unwrap();
    let attachments = || show(&desk.site, &reference)["attachments"].clone();
    assert!(wait_for(|| attachments().is_array()), "{:?}\n{}", desk.latest(), desk.site.log());
    assert_eq!((&attachments()[0]["media_type"], &attachments()[0]["bytes"]), (&"application/pdf".into(), &letter.len().into()));
    assert_eq!(desk.status(&reference), "requested");
    let last = show(&desk.site, &reference)["history"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((last["event"].as_str(), last["by"].as_str()), (Some("enclosed"), Some("channel fax-in, assigned by mira")));
}
