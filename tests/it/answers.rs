//! What comes back on a connection that we opened and says more than that our message was taken: an RRI in place of an ACK, or behind it;
//! and what the sender is told of what follows.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    harness::{Peer, Site, field, framed, referral_message, wait_for},
    mllp_out::{self, Act, Ehr, QUICK, ack, ehr_channel, good, loopline, refer, start},
    people::{settle, show},
};

/// A site whose HL7 referrals go to the specialist's system at this port.
fn site(port: u16, acknowledge: &str) -> Site {
    let site = Site::new();
    site.channel(
        "hl7-in",
        &format!(
            "[inbound.mllp]\nlisten = \"127.0.0.1:0\"\n[acknowledge]\nsenders = [\"EHR|STMARY\", \"HEART|NORTH\"]\n{acknowledge}\
             [route]\nby = [\"specialty\"]\ndefault = {{ through = \"heart-mllp\" }}\n"
        ),
    );
    let text = "[outbound.mllp]\nhost = \"127.0.0.1\"\nport = PORT\nanswer_seconds_max = 2\nreconnect_seconds = 1\n";
    site.channel("heart-mllp", &text.replace("PORT", &port.to_string()));
    site
}

/// An RRI of the specialist's about what it was sent: this status, and more segments.
fn rri(request: &str, status: &str, msa: &str, more: &str) -> String {
    let id = field(request, "MSH", 10);
    let event = field(request, "MSH", 9).replace("REF", "RRI");
    let echoed: String =
        request.split_inclusive('\r').filter(|line| line.starts_with("PRD") || line.starts_with("PID")).collect();
    format!(
        "MSH|^~\\&|HEART|NORTH|LOOPLINE||20261122||{event}|H-{id}|P|2.5.1\r{msa}RF1|{status}|||||{}|||||H-77{}^HEART\r{echoed}{more}",
        field(request, "RF1", 6),
        field(request, "RF1", 6).split('^').next().unwrap()
    )
}

/// Answers a referral by an RRI, in place of an ACK.
fn answers(status: &'static str, more: &'static str) -> impl FnMut(&str) -> Vec<Act> + Send + 'static {
    move |message| {
        let msa = format!("MSA|AA|{}\r", field(message, "MSH", 10));
        vec![Act::Write(framed(&rri(message, status, &msa, more)))]
    }
}

fn referral(site: &Site, placer: &str) -> Value {
    let found = site.referrals().into_iter().find(|one| one["identifiers"]["placer"]["value"] == placer);
    show(site, found.unwrap()["reference"].as_str().unwrap())
}

fn stands(site: &Site, placer: &str, status: &str) -> Value {
    let came = wait_for(|| referral(site, placer)["status"] == status);
    assert!(came, "{:#}\n{:#?}\n{}", referral(site, placer), site.messages(), site.log());
    referral(site, placer)
}

/// The messages that came back on our connection.
fn came_back(site: &Site) -> Vec<Value> {
    site.messages().into_iter().filter(|message| message["channel"] == "heart-mllp").collect()
}

fn replied(referral: &Value) -> Vec<&Value> {
    referral["history"].as_array().unwrap().iter().filter(|entry| entry["event"] == "replied").collect()
}

#[test]
fn a_decline_in_the_very_answer_is_a_decline_with_its_reason() {
    let heart = Ehr::start(answers("R^Rejected^HL70283", "NTE|1||not accepting Quillfeathers\r"));
    let site = site(heart.port, "");
    let _running = start(&site);
    refer(&site, 1, "Quillfeather");
    let declined = stands(&site, "P1", "declined");
    let replies = replied(&declined);
    assert_eq!(replies.len(), 1, "{declined:#}");
    assert_eq!((&replies[0]["outcome"], &replies[0]["reason"]), (&"declined".into(), &"not accepting Quillfeathers".into()));
    let note = "Answer of the specialist (declined): not accepting Quillfeathers";
    assert!(declined["notes"].as_array().unwrap().contains(&note.into()), "{declined:#}");
    let kept = came_back(&site);
    let [answer] = kept.as_slice() else { panic!("{kept:#?}") };
    let request = site.deliveries().into_iter().find(|one| one["purpose"] == "confirmation-request").unwrap();
    assert_eq!((&answer["state"], &answer["answers"]), (&"processed".into(), &request["id"]), "{answer:#}");
    assert_eq!((&answer["acknowledgement"], &answer["kind"]), (&"not-owed".into(), &"reply".into()), "{answer:#}");
    assert_eq!((&request["state"], &replies[0]["delivery"]), (&"sent".into(), &request["id"]));
    let shown = loopline(&site, &["referrals", "show", declined["reference"].as_str().unwrap()]).unwrap();
    assert!(shown.contains("replied declined: not accepting Quillfeathers"), "{shown}");
    assert!(!site.log().contains("Quillfeather"), "{}", site.log());

    // Read once more, it counts once.
    loopline(&site, &["messages", "replay", answer["id"].as_str().unwrap()]).unwrap();
    assert!(wait_for(|| came_back(&site)[0]["state"] == "processed"), "{:#?}", site.messages());
    assert_eq!(replied(&referral(&site, "P1")).len(), 1);
    assert_eq!(heart.received().len(), 1, "an answer is never answered");
}

#[test]
fn an_acceptance_in_the_very_answer_counts_and_its_number_is_known_from_then_on() {
    let heart = Ehr::start(answers("A^Accepted^HL70283", ""));
    let site = site(heart.port, "");
    let _running = start(&site);
    refer(&site, 1, "Quill");
    stands(&site, "P1", "accepted");
    // A plain acknowledgement stays what it is.
    heart.behave(good);
    refer(&site, 2, "Feather");
    stands(&site, "P2", "requested");
    assert_eq!(came_back(&site).len(), 1);
    // Their own number is all that the booking bears.
    let booking = "MSH|^~\\&|HEART|NORTH|LOOPLINE||20261122||SIU^S12^SIU_S12|B1|P|2.5.1\rSCH|1|F7|||||||||^^30^20261214103000|||||||||||||||\
                   H-77P1^HEART\rPID|1||MR-P1^^^STMARY^MR||Quill^Ottoline||19620214\r";
    assert_eq!(field(&Peer::connect(&site.mllp()).send(booking).unwrap(), "MSA", 1), "AA");
    assert_eq!(stands(&site, "P1", "scheduled")["appointment"]["at"], "2026-12-14T10:30:00");
    // An answer may bring the appointment along.
    heart.behave(answers("A^Accepted^HL70283", "SCH|1|F8|||||||||^^30^20261215093000\r"));
    refer(&site, 3, "Larkspur");
    assert_eq!(stands(&site, "P3", "scheduled")["appointment"]["at"], "2026-12-15T09:30:00");
}

#[test]
fn what_an_answer_leaves_unclear_waits_for_a_person() {
    let heart = Ehr::start(answers("E^Expired^HL70283", "NTE|1||please ring us\r"));
    let site = site(heart.port, "");
    let _running = start(&site);
    let held = |placer: &str| referral(&site, placer)["held"].to_string().contains("unclear-reply");
    refer(&site, 1, "Quill");
    assert!(wait_for(|| held("P1")), "{:#?}\n{}", site.messages(), site.log());
    let waiting = referral(&site, "P1");
    assert_eq!((&waiting["status"], waiting["pending_replies"].as_array().unwrap().len()), (&"requested".into(), 1));
    let settled = settle(&site, &[waiting["reference"].as_str().unwrap(), "reply", "accepted"]);
    assert_eq!((settled["status"].as_str(), settled.get("held")), (Some("accepted"), None));

    // The number of another referral, or another patient, is never taken for this one's.
    let other = waiting["reference"].as_str().unwrap().to_owned();
    heart.behave(move |message| {
        let msa = format!("MSA|AA|{}\r", field(message, "MSH", 10));
        let whole = rri(message, "R", &msa, "").replace(field(message, "RF1", 6), &format!("{other}^LOOPLINE"));
        vec![Act::Write(framed(&whole))]
    });
    refer(&site, 2, "Feather");
    assert!(wait_for(|| held("P2")), "{:#?}\n{}", site.messages(), site.log());
    assert_eq!(referral(&site, "P1")["status"], "accepted");
    heart.behave(|message| {
        let msa = format!("MSA|AA|{}\r", field(message, "MSH", 10));
        vec![Act::Write(framed(
            &rri(message, "R", &msa, "").replace("Larkspur^Ottoline", "Thistle^Osric").replace("MR-P3", "MR-99"),
        ))]
    });
    refer(&site, 3, "Larkspur");
    assert!(wait_for(|| held("P3")), "{:#?}\n{}", site.messages(), site.log());
    // Neither is what asks for something, in the place of an answer.
    heart.behave(|message| {
        let msa = format!("\rMSA|AA|{}\rRF1", field(message, "MSH", 10));
        vec![Act::Write(framed(&message.replace("\rRF1", &msa)))]
    });
    refer(&site, 4, "Bellweather");
    assert!(wait_for(|| held("P4")), "{:#?}\n{}", site.messages(), site.log());
    assert_eq!(site.referrals().len(), 4);
}

#[test]
fn a_rejected_letter_is_no_rejected_referral_and_who_was_told_not_to_act_moves_nothing() {
    let heart = Ehr::start(good);
    let site = site(heart.port, "");
    let _running = start(&site);
    refer(&site, 1, "Quill");
    let reference = stands(&site, "P1", "requested")["reference"].as_str().unwrap().to_owned();
    heart.behave(answers("R", ""));
    settle(&site, &[&reference, "correct", "patient.birth_date=1962-02-15"]);
    let held = || referral(&site, "P1")["held"].to_string().contains("unclear-reply");
    assert!(wait_for(held), "{:#?}\n{}", site.messages(), site.log());
    assert_eq!(referral(&site, "P1")["status"], "requested");
    settle(&site, &[&reference, "set-aside"]);
    settle(&site, &[&reference, "route", "dermatology-desk"]);
    assert!(wait_for(|| came_back(&site).len() == 2), "{:#?}", site.deliveries());
    assert!(wait_for(|| came_back(&site).iter().all(|one| one["state"] == "processed")), "{:#?}", came_back(&site));
    assert_eq!(field(&heart.received()[2], "MSH", 9), "REF^I14^REF_I12");
    let now = referral(&site, "P1");
    assert!(now["status"] != "cancelled" && now["status"] != "declined" && !held(), "{now:#}");
}

#[test]
fn a_system_that_it_is_handed_on_to_has_it_and_the_specialist_has_said_nothing() {
    let ehr = Ehr::start(answers("P^Pending^HL70283", ""));
    let site = mllp_out::site(ehr.port);
    ehr_channel(&site, ehr.port, "");
    let _running = start(&site);
    refer(&site, 1, "Quill");
    let of_ehr = || site.messages().into_iter().find(|one| one["channel"] == "ehr-mllp" && one["state"] == "processed");
    assert!(wait_for(|| of_ehr().is_some()), "{:#?}\n{}", site.messages(), site.log());
    assert!(of_ehr().unwrap()["reason"].as_str().unwrap().starts_with("a system has it"), "{:#?}", site.messages());
    assert_eq!(replied(&referral(&site, "P1")).len(), 0);
}

#[test]
fn killed_at_any_point_on_the_way_of_an_answer_it_counts_once() {
    for point in ["before-write", "after-fdatasync"] {
        for passes in 2..=6 {
            let heart = Ehr::start(answers("R^Rejected^HL70283", "NTE|1||full\r"));
            let site = site(heart.port, "");
            let mut running =
                site.start_with(&[QUICK[0], QUICK[1], ("LOOPLINE_TEST_CRASH_AT", format!("{point}:{passes}").as_str())]);
            let message = referral_message("M1", "P1", "Quill");
            let first = Peer::connect(&site.mllp()).send(&message);
            assert!(wait_for(|| running.has_died()), "{point}:{passes}: it did not die\n{}", site.log());
            let _running = start(&site);
            if first.is_err() {
                refer(&site, 1, "Quill");
            }
            let declined = stands(&site, "P1", "declined");
            assert_eq!(replied(&declined).len(), 1, "{point}:{passes}: {declined:#}");
            assert_eq!(came_back(&site).len(), 1, "{point}:{passes}");
            let ids: BTreeSet<String> = heart.received().iter().map(|sent| field(sent, "MSH", 10).to_owned()).collect();
            assert_eq!(ids.len(), 1, "{point}:{passes}: it is sent again under the same control id");
        }
    }
}

#[test]
fn what_is_pushed_on_our_connection_is_taken_and_answered() {
    let heart = Ehr::start(|message| match field(message, "MSH", 9).get(..3) {
        Some("REF") => vec![
            Act::Write(ack("AA", field(message, "MSH", 10), "")),
            // Unasked, while nothing is sent, in two pieces.
            Act::Rest(200),
            Act::Write(framed(&rri(message, "R", "", "NTE|1||clinic closed\r"))[..40].to_vec()),
            Act::Rest(100),
            Act::Write(framed(&rri(message, "R", "", "NTE|1||clinic closed\r"))[40..].to_vec()),
        ],
        _ => Vec::new(),
    });
    let site = site(heart.port, "");
    let _running = start(&site);
    refer(&site, 1, "Quill");
    assert_eq!(replied(&stands(&site, "P1", "declined"))[0]["reason"], "clinic closed");
    let answer = heart.wait_for(2, &site).remove(1);
    let request = heart.received().remove(0);
    assert_eq!(
        (field(&answer, "MSA", 1), field(&answer, "MSA", 2)),
        ("AA", format!("H-{}", field(&request, "MSH", 10)).as_str())
    );
    // The connection goes on, also where something is pushed ahead of the answer; and what is pushed twice counts once.
    heart.behave(|message| match field(message, "MSH", 9).get(..3) {
        Some("REF") => vec![
            Act::Write(framed(&rri(message, "A", "", ""))),
            Act::Write(framed(&rri(message, "A", "", ""))),
            Act::Write(ack("AA", field(message, "MSH", 10), "")),
        ],
        _ => Vec::new(),
    });
    refer(&site, 2, "Feather");
    assert_eq!(replied(&stands(&site, "P2", "accepted")).len(), 1);
    heart.wait_for(5, &site);
    // What asks for something is not taken for an answer.
    heart.behave(|message| match field(message, "MSH", 9).get(..3) {
        Some("REF") => vec![
            Act::Write(ack("AA", field(message, "MSH", 10), "")),
            Act::Write(framed(&referral_message("X1", "P9", "Thistle"))),
        ],
        _ => Vec::new(),
    });
    refer(&site, 3, "Larkspur");
    assert!(wait_for(|| came_back(&site).iter().any(|one| one["state"] == "held")), "{:#?}", site.messages());
    assert_eq!(site.referrals().len(), 3);
    assert_eq!(heart.connections().into_iter().collect::<BTreeSet<_>>().len(), 1);
}

#[test]
fn the_sender_is_told_of_each_move_of_the_appointment_and_why_it_is_declined() {
    let sender = Ehr::start(good);
    let heart = Ehr::start(good);
    let site = site(heart.port, "through = \"ehr-mllp\"\nstatus = true\n");
    ehr_channel(&site, sender.port, "");
    let _running = start(&site);
    refer(&site, 1, "Quill");
    stands(&site, "P1", "requested");
    let mut peer = Peer::connect(&site.mllp());
    let mut book = |event: &str, id: &str, at: &str| {
        let booking = format!(
            "MSH|^~\\&|HEART|NORTH|LOOPLINE||20261122||SIU^{event}^SIU_S12|{id}|P|2.5.1\rSCH|1|F7||||^Dr Ames is away|||||^^30^{at}|||||||||||||||\
             P1^STMARY\rPID|1||MR-P1^^^STMARY^MR||Quill^Ottoline||19620214\r"
        );
        assert_eq!(field(&peer.send(&booking).unwrap(), "MSA", 1), "AA");
    };
    let told = |count: usize| sender.wait_for(count, &site).remove(count - 1);
    book("S12", "B1", "20261214103000");
    assert!(told(1).contains("Appointment: 2026-12-14 10:30"), "{}", told(1));
    book("S13", "B2", "20261221090000");
    assert!(told(2).contains("Appointment: 2026-12-21 09:00"), "{}", told(2));
    // The same again is no news.
    book("S13", "B3", "20261221090000");
    book("S15", "B4", "20261221090000");
    let off = told(3);
    assert!(field(&off, "NTE|1", 3).starts_with("The appointment is cancelled;"), "{off}");
    assert_eq!((field(&off, "NTE|2", 3), field(&off, "RF1", 1)), ("Reason: Dr Ames is away", "A^Accepted^HL70283"), "{off}");
    let request = heart.received().remove(0);
    let declined = rri(&request, "R", "", "NTE|1||not before spring\r");
    assert_eq!(field(&Peer::connect(&site.mllp()).send(&declined).unwrap(), "MSA", 1), "AA");
    let declined = told(4);
    assert!(field(&declined, "NTE|1", 3).starts_with("The specialist declines the referral."), "{declined}");
    assert_eq!((field(&declined, "NTE|2", 3), field(&declined, "RF1", 1)), ("Reason: not before spring", "R^Rejected^HL70283"));
    let settled = |one: &Value| one["purpose"] != "status" || one["state"] == "sent";
    assert!(wait_for(|| site.deliveries().iter().all(settled)), "{:#?}", site.deliveries());
    assert_eq!(sender.received().len(), 4);
}

#[test]
fn an_answer_to_a_status_is_kept_and_moves_nothing_and_words_in_it_are_for_a_person() {
    let mut told = 0;
    let sender = Ehr::start(move |message: &str| {
        told += 1;
        let words = if told == 1 { "" } else { "NTE|1||please call us about this one\r" };
        answers("R", words)(message)
    });
    let heart = Ehr::start(good);
    let site = site(heart.port, "through = \"ehr-mllp\"\nstatus = true\n");
    ehr_channel(&site, sender.port, "");
    let _running = start(&site);
    refer(&site, 1, "Quill");
    stands(&site, "P1", "requested");
    let back = || site.messages().into_iter().filter(|message| message["channel"] == "ehr-mllp").collect::<Vec<_>>();
    let accepted = |status: &str, id: &str| {
        let request = heart.received().remove(0);
        let answer = rri(&request, status, "", "").replace("|H-", &format!("|{id}-"));
        assert_eq!(field(&Peer::connect(&site.mllp()).send(&answer).unwrap(), "MSA", 1), "AA");
    };
    accepted("A", "X1");
    assert!(wait_for(|| back().iter().any(|one| one["state"] == "processed")), "{:#?}\n{}", site.messages(), site.log());
    assert_eq!(referral(&site, "P1")["status"], "accepted", "the sender's system does not decline for the specialist");
    accepted("R", "X2");
    assert!(wait_for(|| back().len() == 2), "{:#?}", site.messages());
    assert!(
        wait_for(|| !referral(&site, "P1")["pending_replies"].as_array().is_none_or(Vec::is_empty)),
        "{:#}",
        referral(&site, "P1")
    );
    assert_eq!(referral(&site, "P1")["status"], "declined");
}

/// Waits until an answer waits for a person, and gives the referral.
fn waits(site: &Site, placer: &str, why: &str) -> Value {
    let waiting = || referral(site, placer)["pending_replies"][0]["why"].as_str().unwrap_or_default().to_owned();
    assert!(wait_for(|| waiting().contains(why)), "{:#}\n{:#?}\n{}", referral(site, placer), site.messages(), site.log());
    referral(site, placer)
}

#[test]
fn whoever_has_a_copy_alone_does_not_decide() {
    let (heart, copy) = (Ehr::start(good), Ehr::start(answers("R^Rejected^HL70283", "NTE|1||unknown here\r")));
    let site = site(heart.port, "[[forward]]\nthrough = \"ehr-mllp\"\n");
    ehr_channel(&site, copy.port, "");
    let _running = start(&site);
    refer(&site, 1, "Quill");
    let held = waits(&site, "P1", "a system that has a copy of the referral answers, and another desk was asked");
    assert_eq!(held["pending_replies"][0]["reading"]["outcome"], "declined");
    stands(&site, "P1", "requested");
    // Nor later, by itself, on the same connection.
    copy.behave(|message| {
        let later = framed(&rri(message, "A", "", ""));
        [good(message), vec![Act::Rest(300), Act::Write(later)]].into_iter().flatten().collect()
    });
    refer(&site, 2, "Feather");
    waits(&site, "P2", "it comes from a system that was not asked about this referral");
    stands(&site, "P2", "requested");
    // Who was asked, decides.
    heart.behave(answers("A", ""));
    copy.behave(good);
    refer(&site, 3, "Larkspur");
    stands(&site, "P3", "accepted");
}

#[test]
fn a_desk_that_was_not_asked_does_not_answer_for_the_one_that_was() {
    let heart = Ehr::start(good);
    let site = site(heart.port, "");
    let inbound = std::fs::read_to_string(site.path("channels/hl7-in.toml")).unwrap();
    let inbound =
        inbound.replace("\"HEART|NORTH\"]", "\"HEART|NORTH\", \"RIVER|WEST\", \"DOOR|EAST\", \"GATE|SOUTH\", \"LAB|NORTH\"]");
    site.channel("hl7-in", &inbound.replace("through = \"heart-mllp\"", "through = \"heart-mllp\", to = \"heart\""));
    let directory = std::fs::read_to_string(site.path("channels/site/directory.toml")).unwrap();
    let desks = "[heart]\nname = \"Heart\"\nhl7 = \"HEART|NORTH\"\nhl7_from = [\"DOOR|EAST\"]\n[river]\nname = \"River\"\nhl7 = \"RIVER|WEST\"\n";
    site.channel("site/directory", &format!("{directory}{desks}"));
    let _running = start(&site);
    let mut peer = Peer::connect(&site.mllp());
    let another = "it comes from a desk of the directory, and another one was asked";
    let unknown = "it comes from a system that the directory does not know";
    for (number, sender, why) in [
        (1, "RIVER^1.2.3^ISO|WEST", Some(another)),
        (2, "DOOR|EAST", None),
        (3, "HEART^1.2.3^ISO|NORTH", None),
        (4, "LAB|NORTH", None),
        (5, "GATE|SOUTH", Some(unknown)),
    ] {
        let placer = format!("P{number}");
        refer(&site, number, "Quill");
        stands(&site, &placer, "requested");
        let request = heart.received().pop().unwrap();
        let accepted = rri(&request, "A", "", "").replace("HEART|NORTH", sender);
        assert_eq!(field(&peer.send(&accepted).unwrap(), "MSA", 1), "AA");
        match why {
            None => drop(stands(&site, &placer, "accepted")),
            Some(why) => drop(waits(&site, &placer, why)),
        }
    }
}

#[test]
fn a_desk_that_the_referral_was_taken_from_answers_no_longer_for_the_one_that_has_it() {
    let heart = Ehr::start(good);
    let site = site(heart.port, "");
    let inbound = std::fs::read_to_string(site.path("channels/hl7-in.toml")).unwrap();
    let inbound = inbound.replace("\"HEART|NORTH\"]", "\"HEART|NORTH\", \"RIVER|WEST\"]");
    site.channel("hl7-in", &inbound.replace("through = \"heart-mllp\"", "through = \"heart-mllp\", to = \"heart\""));
    let directory = std::fs::read_to_string(site.path("channels/site/directory.toml")).unwrap();
    let desks = "[heart]\nname = \"Heart\"\nhl7 = \"HEART|NORTH\"\n[river]\nname = \"River\"\nthrough = \"email-out\"\n\
                 email = \"desk@river.example\"\nfax = \"+15035550147\"\nhl7 = \"RIVER|WEST\"\n";
    site.channel("site/directory", &format!("{directory}{desks}"));
    let _running = start(&site);
    let mut peer = Peer::connect(&site.mllp());
    refer(&site, 1, "Quill");
    let reference = stands(&site, "P1", "requested")["reference"].as_str().unwrap().to_owned();
    let request = heart.received().pop().unwrap();
    let from_river = |text: String, id: &str| text.replace("HEART|NORTH", "RIVER|WEST").replace("|H-", &format!("|{id}-"));
    assert_eq!(field(&peer.send(&rri(&request, "R", "", "NTE|1||full\r")).unwrap(), "MSA", 1), "AA");
    stands(&site, "P1", "declined");
    settle(&site, &[&reference, "route", "river"]);
    stands(&site, "P1", "requested");
    let taken_from = "it comes from a desk that the referral was taken from since";
    let pid: String = request.split_inclusive('\r').filter(|line| line.starts_with("PID")).collect();
    let siu = format!(
        "MSH|^~\\&|HEART|NORTH|LOOPLINE||20261122||SIU^S12^SIU_S12|S1|P|2.5.1\rSCH|1|F7|||||||||^^30^20461214103000{}P1^STMARY\r{pid}",
        "|".repeat(15)
    );
    assert_eq!(field(&peer.send(&siu).unwrap(), "MSA", 1), "AA");
    waits(&site, "P1", taken_from);
    settle(&site, &[&reference, "set-aside"]);
    // The one that it was taken from says that it knows; the one that has it says the same of nothing that was asked.
    let confirms = rri(&request, "A", "", "").replace("RRI^I12", "RRI^I14");
    peer.send(&confirms.replace("|H-", "|H1-")).unwrap();
    let confirmed = site.messages().into_iter().find(|one| one["control_id"].as_str().unwrap().starts_with("H1-")).unwrap();
    assert!(confirmed["reason"].as_str().unwrap().starts_with("it confirms that the referral was taken back"), "{confirmed:#}");
    peer.send(&from_river(confirms.clone(), "R0")).unwrap();
    waits(&site, "P1", "it speaks of a cancellation that nobody asked for");
    settle(&site, &[&reference, "set-aside"]);
    peer.send(&from_river(rri(&request, "A", "", ""), "R1")).unwrap();
    stands(&site, "P1", "accepted");
    let obx = "OBX|1|TX|11488-4^Consultation note^LN||No sign of ischaemia.||||||F";
    let report = format!("MSH|^~\\&|HEART|NORTH|LOOPLINE||20261122||ORU^R01^ORU_R01|S2|P|2.5.1\r{pid}OBR|1|P1^STMARY\r{obx}\r");
    assert_eq!(field(&peer.send(&report).unwrap(), "MSA", 1), "AA");
    let held = site.messages().into_iter().find(|one| one["control_id"] == "S2").unwrap();
    assert!(held["state"] == "held" && held["reason"].as_str().unwrap().starts_with(taken_from), "{held:#}");
    assert_eq!(referral(&site, "P1")["status"], "accepted");

    let cancel = crate::harness::referral_message("M9", "P1", "Quill").replace("REF^I12", "REF^I14");
    assert_eq!(field(&peer.send(&cancel).unwrap(), "MSA", 1), "AA");
    stands(&site, "P1", "cancel-requested");
    peer.send(&confirms.replace("|H-", "|H2-")).unwrap();
    waits(&site, "P1", taken_from);
    peer.send(&from_river(confirms, "R2")).unwrap();
    stands(&site, "P1", "cancelled");
}

#[test]
fn a_decline_with_a_letter_is_a_decline_and_the_letter_is_kept() {
    let heart = Ehr::start(good);
    let site = site(heart.port, "");
    let _running = start(&site);
    refer(&site, 1, "Quill");
    stands(&site, "P1", "requested");
    let letter = "NTE|1||No capacity\rOBX|1|ED|51852-2^Letter^LN||^application^pdf^Base64^JVBERi0xLjQK||||||F\r";
    let declined = rri(&heart.received().pop().unwrap(), "R", "", letter);
    assert_eq!(field(&Peer::connect(&site.mllp()).send(&declined).unwrap(), "MSA", 1), "AA");
    let declined = stands(&site, "P1", "declined");
    assert_eq!(replied(&declined)[0]["reason"], "No capacity");
    let reference = declined["reference"].as_str().unwrap();
    let shown = loopline(&site, &["referrals", "show", reference]).unwrap();
    assert!(shown.contains("Letter.pdf") && shown.contains("application/pdf"), "{shown}");
    let copy = site.path("letter.pdf");
    loopline(&site, &["referrals", "export", reference, "1", "--output", copy.to_str().unwrap()]).unwrap();
    assert_eq!(std::fs::read(copy).unwrap(), b"%PDF-1.4\n");
    let none = loopline(&site, &["referrals", "export", reference, "2"]).unwrap_err();
    assert!(none.contains("has no attachment 2: it has 1"), "{none}");
}

#[test]
fn whoever_has_a_copy_alone_neither_cancels_nor_closes() {
    let heart = Ehr::start(good);
    let copy = Ehr::start(good);
    let site = site(heart.port, "[[forward]]\nthrough = \"ehr-mllp\"\n");
    ehr_channel(&site, copy.port, "");
    let _running = start(&site);
    refer(&site, 1, "Quill");
    stands(&site, "P1", "requested");
    copy.behave(answers("A", ""));
    let cancel = referral_message("M9", "P1", "Quill").replace("REF^I12", "REF^I14");
    Peer::connect(&site.mllp()).send(&cancel).unwrap();
    let held = waits(&site, "P1", "a system that has a copy of the referral answers");
    assert_eq!(held["status"], "cancel-requested");
    // Nor does a letter close it that the copy's system sends.
    copy.behave(|message| {
        let letter = "OBX|1|ED|LTR^Letter^L||^application^pdf^Base64^JVBERi0xLjQK||||||F\r";
        [good(message), vec![Act::Write(framed(&rri(message, "A", "", letter)))]].into_iter().flatten().collect()
    });
    refer(&site, 2, "Feather");
    let kept = || site.messages().into_iter().find(|message| message["channel"] == "ehr-mllp" && message["kind"] == "report");
    assert!(wait_for(|| kept().is_some_and(|message| message["state"] == "held")), "{:#?}", site.messages());
    assert_eq!(referral(&site, "P2")["status"], "requested");
}
