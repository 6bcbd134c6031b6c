//! HL7 out: an EHR that takes what is handed on, answers wrongly, late, not at all, or is not there; and the answers that follow later.

use std::{
    fs,
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    path::Path,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use serde_json::Value;

use crate::harness::{Peer, Running, Site, field, framed, referral_message, wait_for};

/// What the EHR does when a message has come.
pub enum Act {
    /// Writes these bytes.
    Write(Vec<u8>),
    /// Does nothing for so many milliseconds.
    Rest(u64),
    /// Closes the connection.
    Close,
}

type Behaviour = Box<dyn FnMut(&str) -> Vec<Act> + Send>;

/// An EHR's MLLP door.
pub struct Ehr {
    pub port: u16,
    received: Arc<Mutex<Vec<(usize, String)>>>,
    behaviour: Arc<Mutex<Behaviour>>,
}

impl Ehr {
    pub fn start(behaviour: impl FnMut(&str) -> Vec<Act> + Send + 'static) -> Self {
        Self::listening(TcpListener::bind("127.0.0.1:0").unwrap(), behaviour)
    }

    fn listening(listener: TcpListener, behaviour: impl FnMut(&str) -> Vec<Act> + Send + 'static) -> Self {
        let ehr = Self {
            port: listener.local_addr().unwrap().port(),
            received: Arc::default(),
            behaviour: Arc::new(Mutex::new(Box::new(behaviour))),
        };
        let (received, behaviour) = (Arc::clone(&ehr.received), Arc::clone(&ehr.behaviour));
        thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let (received, behaviour) = (Arc::clone(&received), Arc::clone(&behaviour));
                thread::spawn(move || serve(number, stream.unwrap(), &received, &behaviour));
            }
        });
        ehr
    }

    pub fn behave(&self, behaviour: impl FnMut(&str) -> Vec<Act> + Send + 'static) {
        *self.behaviour.lock().unwrap() = Box::new(behaviour);
    }

    /// What came, in order.
    pub fn received(&self) -> Vec<String> {
        self.received.lock().unwrap().iter().map(|(_, message)| message.clone()).collect()
    }

    /// On which connection each message came.
    pub fn connections(&self) -> Vec<usize> {
        self.received.lock().unwrap().iter().map(|(connection, _)| *connection).collect()
    }

    /// Waits until so many messages came.
    pub fn wait_for(&self, count: usize, site: &Site) -> Vec<String> {
        let came = wait_for(|| self.received().len() >= count);
        assert!(came, "{} of {count} came\n{:#?}\n{}", self.received().len(), site.deliveries(), site.log());
        self.received()
    }
}

fn serve(number: usize, mut stream: TcpStream, received: &Mutex<Vec<(usize, String)>>, behaviour: &Mutex<Behaviour>) {
    let mut bytes = Vec::new();
    let mut piece = [0; 65_536];
    loop {
        let Ok(read @ 1..) = stream.read(&mut piece) else { return };
        bytes.extend_from_slice(&piece[..read]);
        while let Some(end) = bytes.windows(2).position(|pair| pair == b"\x1c\r") {
            let message = in_its_set(&bytes[1..end]);
            bytes.drain(..end + 2);
            received.lock().unwrap().push((number, message.clone()));
            let acts = behaviour.lock().unwrap()(&message);
            for act in acts {
                match act {
                    Act::Write(answer) => stream.write_all(&answer).unwrap(),
                    Act::Rest(milliseconds) => thread::sleep(Duration::from_millis(milliseconds)),
                    Act::Close => {
                        stream.shutdown(Shutdown::Both).ok();
                        return;
                    }
                }
            }
        }
    }
}

/// By MSH-18, and by nothing else: what is declared wrongly is read wrongly.
fn in_its_set(message: &[u8]) -> String {
    let latin: String = message.iter().map(|byte| char::from(*byte)).collect();
    if field(&latin, "MSH", 18) == "8859/1" { latin } else { String::from_utf8(message.to_vec()).unwrap() }
}

pub fn ack(code: &str, control_id: &str, rest: &str) -> Vec<u8> {
    framed(&format!(
        "MSH|^~\\&|EHR|HEART|LOOPLINE||20261121||ACK^I12^ACK|E-{control_id}|P|2.5.1\rMSA|{code}|{control_id}{rest}\r"
    ))
}

pub fn good(message: &str) -> Vec<Act> {
    vec![Act::Write(ack("AA", field(message, "MSH", 10), ""))]
}

pub const QUICK: [(&str, &str); 2] =
    [("LOOPLINE_LIMITS_DELIVERY_BACKOFF_SECONDS", "1"), ("LOOPLINE_LIMITS_DELIVERY_BACKOFF_SECONDS_MAX", "1")];

/// A site whose HL7 referrals are handed on to this port, and to nobody else.
pub fn site(port: u16) -> Site {
    let site = Site::new();
    site.channel("hl7-in", "[inbound.mllp]\nlisten = \"127.0.0.1:0\"\n[[forward]]\nthrough = \"ehr-mllp\"\n");
    ehr_channel(&site, port, "");
    site
}

pub fn ehr_channel(site: &Site, port: u16, more: &str) {
    site.channel(
        "ehr-mllp",
        &format!("[outbound.mllp]\nhost = \"127.0.0.1\"\nport = {port}\nanswer_seconds_max = 2\nreconnect_seconds = 1\n{more}"),
    );
}

pub fn start(site: &Site) -> Running {
    site.start_with(&QUICK)
}

pub fn refer(site: &Site, number: u32, family: &str) {
    let answer =
        Peer::connect(&site.mllp()).send(&referral_message(&format!("M{number}"), &format!("P{number}"), family)).unwrap();
    assert_eq!(field(&answer, "MSA", 1), "AA", "{answer}");
}

/// The deliveries to the EHR, oldest first.
fn forwards(site: &Site) -> Vec<Value> {
    let mut found: Vec<Value> = site.deliveries().into_iter().filter(|one| one["purpose"] == "forward").collect();
    found.reverse();
    found
}

/// Waits until the nth delivery to the EHR is in this state, and gives it.
fn forward(site: &Site, n: usize, state: &str) -> Value {
    let found = || forwards(site).get(n).filter(|one| one["state"] == state).cloned();
    assert!(wait_for(|| found().is_some()), "{:#?}\n{}", forwards(site), site.log());
    found().unwrap()
}

/// A site of whose one referral the EHR has taken what it was sent, and a peer of it.
fn with_one_handed_on() -> (Ehr, Site, Running, Peer) {
    let ehr = Ehr::start(good);
    let site = site(ehr.port);
    let running = start(&site);
    refer(&site, 1, "Quill");
    forward(&site, 0, "sent");
    let peer = Peer::connect(&site.mllp());
    (ehr, site, running, peer)
}

pub fn loopline(site: &Site, arguments: &[&str]) -> Result<String, String> {
    let output = site.command().args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

/// A site that asks a specialist through the EHR's door.
fn asking_by_hl7(ehr: &Ehr) -> Site {
    let site = Site::new();
    site.channel(
        "hl7-in",
        "[inbound.mllp]\nlisten = \"127.0.0.1:0\"\n[acknowledge]\nsenders = [\"EHR|STMARY\", \"HEART|NORTH\", \"LAB|NORTH\", \"EHR|WEST\"]\n\
         [route]\ndefault = { through = \"ehr-mllp\", to = \"heart\" }\n",
    );
    let directory = fs::read_to_string(site.path("channels/site/directory.toml")).unwrap();
    let directory = directory.replace("[cardiology-desk]\nthrough", "[cardiology-desk]\n# through");
    site.channel("site/directory", &format!("{directory}[heart]\nname = \"The heart system\"\nhl7 = \"HEART|NORTH\"\n"));
    ehr_channel(&site, ehr.port, "mode = \"enhanced\"\nattachments = false\n");
    site
}

fn control_ids(messages: &[String]) -> Vec<&str> {
    messages.iter().map(|message| field(message, "MSH", 10)).collect()
}

#[test]
fn every_referral_is_handed_on_in_order_on_one_connection() {
    let ehr = Ehr::start(good);
    let site = site(ehr.port);
    ehr_channel(&site, ehr.port, "version = \"2.4\"\nreceiving_facility = \"HEART\"\n");
    let _running = start(&site);
    for number in 0..5 {
        refer(&site, number, &format!("Quill{number}"));
    }
    let messages = ehr.wait_for(5, &site);
    for (number, message) in messages.iter().enumerate() {
        assert_eq!((field(message, "MSH", 9), field(message, "MSH", 12)), ("REF^I12^REF_I12", "2.4"));
        assert_eq!(field(message, "MSH", 6), "HEART");
        assert_eq!(field(message, "RF1", 6), format!("P{number}^STMARY"));
        assert!(field(message, "PID", 5).starts_with(&format!("Quill{number}^")), "{message}");
    }
    assert_eq!(ehr.connections(), [0; 5]);
    assert!(wait_for(|| forwards(&site).iter().all(|one| one["state"] == "sent")), "{:#?}", forwards(&site));
}

#[test]
fn a_change_goes_as_i13_and_a_cancel_as_i14_and_what_says_nothing_new_does_not_go() {
    let (ehr, site, _running, mut peer) = with_one_handed_on();
    let first = referral_message("M1", "P1", "Quill");
    // The same referral under another control id says nothing new.
    peer.send(&first.replace("|M1|", "|M2|")).unwrap();
    peer.send(&first.replace("|M1|", "|M3|").replace("REF^I12", "REF^I13").replace("19620214", "19620215")).unwrap();
    forward(&site, 1, "sent");
    peer.send(&first.replace("|M1|", "|M4|").replace("REF^I12", "REF^I14").replace("19620214", "19620215")).unwrap();
    forward(&site, 2, "sent");
    let messages = ehr.received();
    let events: Vec<&str> = messages.iter().map(|message| field(message, "MSH", 9)).collect();
    assert_eq!(events, ["REF^I12^REF_I12", "REF^I13^REF_I12", "REF^I14^REF_I12"]);
    assert_eq!(field(&messages[1], "PID", 7), "19620215");
}

#[test]
fn a_message_without_an_answer_is_sent_again_on_a_new_connection_with_the_same_control_id() {
    let mut calls = 0;
    let ehr = Ehr::start(move |message| {
        calls += 1;
        match calls {
            // No answer; an answer to another message alone; half an answer; one that is no HL7.
            1 => Vec::new(),
            2 => vec![Act::Write(ack("AE", "SOMETHING-ELSE", ""))],
            3 => vec![Act::Write(ack("AA", field(message, "MSH", 10), "")[..30].to_vec()), Act::Close],
            4 => vec![Act::Write(framed("thank you"))],
            // A stray answer, then the right one in pieces.
            5 => {
                let whole = ack("AA", field(message, "MSH", 10), "");
                let mut acts = vec![Act::Write(ack("AR", "SOMETHING-ELSE", ""))];
                acts.extend(whole.chunks(7).map(|piece| Act::Write(piece.to_vec())));
                acts
            }
            _ => good(message),
        }
    });
    let site = site(ehr.port);
    let _running = start(&site);
    refer(&site, 1, "Quill");
    refer(&site, 2, "Feather");
    let messages = ehr.wait_for(6, &site);
    assert!(messages[1..5].iter().all(|message| *message == messages[0]), "the same bytes each time");
    assert_ne!(field(&messages[5], "MSH", 10), field(&messages[0], "MSH", 10));
    assert!(field(&messages[5], "PID", 5).starts_with("Feather"), "the second waits behind the first");
    assert_eq!(ehr.connections(), [0, 1, 2, 3, 4, 4]);
    forward(&site, 1, "sent");
    assert!(site.log().contains("a refusal came that names another message"), "{}", site.log());
}

#[test]
fn what_the_ehr_refuses_for_good_is_set_aside_and_only_its_own_referral_waits() {
    let ehr = Ehr::start(|message| {
        let id = field(message, "MSH", 10);
        match field(message, "RF1", 6) {
            "P1^STMARY" => vec![Act::Write(ack("AE", id, "|patient Quillfeather unknown\rERR||PID^1^3|204|E"))],
            "P2^STMARY" => vec![Act::Write(ack("AR", id, "\rERR||MSH^1^12|203^Unsupported version id^HL70357|E"))],
            _ => good(message),
        }
    });
    let site = site(ehr.port);
    let _running = start(&site);
    refer(&site, 1, "Quillfeather");
    refer(&site, 2, "Quillfeather");
    refer(&site, 3, "Quillfeather");
    forward(&site, 2, "sent");
    let refused = forward(&site, 0, "dead");
    assert_eq!(refused["reason"], "it was answered AE (error 204): patient Quillfeather unknown");
    assert!(forward(&site, 1, "dead")["reason"].as_str().unwrap().starts_with("it was answered AR (error 203)"));
    let referral = site.referrals().into_iter().find(|one| one["identifiers"]["placer"]["value"] == "P1").unwrap();
    assert!(referral["held"].as_array().unwrap().contains(&"dead-delivery".into()), "a person sees it");
    let listed = loopline(&site, &["deliveries", "list", "--state", "dead"]).unwrap();
    assert!(listed.contains("it was answered AE (error 204)"), "{listed}");
    assert!(!site.log().contains("Quillfeather"), "what the other side says of a patient is not logged");
}

#[test]
fn a_refused_referral_that_its_sender_puts_right_is_handed_on_as_a_new_one() {
    let ehr = Ehr::start(|message| {
        let wrong = field(message, "PID", 7) == "19620214";
        vec![Act::Write(ack(if wrong { "AE" } else { "AA" }, field(message, "MSH", 10), ""))]
    });
    let site = site(ehr.port);
    let _running = start(&site);
    refer(&site, 1, "Quill");
    forward(&site, 0, "dead");
    let change = referral_message("M2", "P1", "Quill").replace("REF^I12", "REF^I13").replace("19620214", "19620215");
    Peer::connect(&site.mllp()).send(&change).unwrap();
    forward(&site, 1, "sent");
    assert_eq!(forwards(&site)[0]["state"], "withdrawn");
    assert_eq!(field(&ehr.received()[1], "MSH", 9), "REF^I12^REF_I12", "the EHR never took the first");
}

#[test]
fn a_specialist_can_be_asked_by_hl7_and_answers_by_hl7() {
    let ehr = Ehr::start(good);
    let site = asking_by_hl7(&ehr);
    let _running = start(&site);
    let document = "OBX|1|ED|11111-1^Letter^LN||^application^PDF^Base64^JVBERi0xLjQK||||||F\r";
    let answer = Peer::connect(&site.mllp()).send(&format!("{}{document}", referral_message("M1", "P1", "Quill"))).unwrap();
    assert_eq!(field(&answer, "MSA", 1), "AA", "{answer}");
    let request = ehr.wait_for(1, &site).remove(0);
    assert_eq!((field(&request, "MSH", 5), field(&request, "MSH", 6)), ("HEART", "NORTH"));
    assert_eq!((field(&request, "MSH", 15), field(&request, "MSH", 16)), ("AL", "NE"));
    assert!(!request.contains("OBX|") && request.contains("1 document of this referral is not in this message"), "{request}");
    let status = || site.referrals()[0]["status"].as_str().unwrap().to_owned();
    assert!(wait_for(|| status() == "requested"), "{:#?}", site.deliveries());

    // The answer quotes the number of the first sender alone.
    let accepted = format!(
        "MSH|^~\\&|HEART|NORTH|LOOPLINE||20261122||RRI^I12^RRI_I12|H1|P|2.5.1\rRF1|A|||||{}|||||H-77^HEART\rPRD|RP|Whitcombe\rPRD|RT|Ames\r\
         PID|1||MR-P1^^^STMARY^MR||Quill^Ottoline||19620214\r",
        field(&request, "RF1", 6)
    );
    let answer = Peer::connect(&site.mllp()).send(&accepted).unwrap();
    assert_eq!(field(&answer, "MSA", 1), "AA", "{answer}");
    assert!(wait_for(|| status() == "accepted"), "{}\n{:#?}", status(), site.messages());
}

#[test]
fn the_first_in_the_line_holds_up_the_rest_until_it_is_taken() {
    let ehr = Ehr::start(|message| vec![Act::Write(ack("AR", field(message, "MSH", 10), "\rERR||MSH|207^Application error|E"))]);
    let site = site(ehr.port);
    let running = start(&site);
    refer(&site, 1, "Quill");
    refer(&site, 2, "Feather");
    let messages = ehr.wait_for(3, &site);
    assert!(messages.iter().all(|message| field(message, "RF1", 6) == "P1^STMARY"), "nobody overtakes it");
    let stuck = &forwards(&site)[0];
    assert!(stuck["reason"].as_str().unwrap().starts_with("it was answered AR (error 207)"), "{stuck}");
    // A start reads the line from the store: the first rests, the second is due, and yet it waits.
    running.kill();
    ehr.received.lock().unwrap().clear();
    let _running = start(&site);
    ehr.wait_for(2, &site);
    ehr.behave(good);
    forward(&site, 1, "sent");
    let messages = ehr.received();
    let first = control_ids(&messages)[0];
    let (last, before) = messages.split_last().unwrap();
    assert!(before.iter().all(|message| field(message, "MSH", 10) == first), "{:?}", control_ids(&messages));
    assert_eq!(field(last, "RF1", 6), "P2^STMARY");
}

#[test]
fn a_doubt_that_holds_the_specialists_letters_takes_nothing_back_from_the_ehr() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let site = site(port);
    let text = fs::read_to_string(site.path("channels/hl7-in.toml")).unwrap();
    site.channel("hl7-in", &(text + "[route]\nby = [\"directory\"]\n"));
    let _running = start(&site);
    refer(&site, 1, "Quill");
    let requested = || site.referrals()[0]["status"] == "requested";
    assert!(wait_for(requested), "{:#?}", site.deliveries());
    let died = referral_message("M1b", "P1", "Quill").replace("REF^I12", "REF^I13");
    let died = died.replace("^PRN^PH^^^503^5550144", "^PRN^PH^^^503^5550144|||||||||||||||||Y");
    Peer::connect(&site.mllp()).send(&died).unwrap();
    assert_eq!(site.referrals()[0]["held"][0], "deceased", "{:#?}", site.referrals());
    assert_eq!(forward(&site, 0, "queued")["purpose"], "forward");
}

#[test]
fn a_stuck_message_can_be_skipped() {
    // A port that nothing listens on.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let site = site(port);
    let _running = start(&site);
    refer(&site, 1, "Quill");
    refer(&site, 2, "Feather");
    let stuck = || forwards(&site)[0]["reason"].as_str().is_some_and(|reason| reason.contains("cannot connect to 127.0.0.1"));
    assert!(wait_for(stuck), "{:#?}", forwards(&site));
    let id = forwards(&site)[0]["id"].as_str().unwrap().to_owned();
    // It may be in flight at this very moment; then the command says so.
    assert!(wait_for(|| loopline(&site, &["deliveries", "skip", &id]).is_ok()), "{}", site.log());
    let skipped = forward(&site, 0, "withdrawn");
    assert!(skipped["reason"].as_str().unwrap().starts_with("skipped by a person; it was: "), "{skipped}");
    let ehr = Ehr::listening(TcpListener::bind(("127.0.0.1", port)).unwrap(), good);
    forward(&site, 1, "sent");
    assert_eq!(field(&ehr.received()[0], "RF1", 6), "P2^STMARY");
    assert_eq!(ehr.received().len(), 1);
}

#[test]
fn a_refused_message_can_be_edited_or_written_anew() {
    let refuse = |message: &str| vec![Act::Write(ack("AE", field(message, "MSH", 10), "|no such clinic"))];
    let ehr = Ehr::start(refuse);
    let site = site(ehr.port);
    let _running = start(&site);
    refer(&site, 1, "Quill");
    let refused = forward(&site, 0, "dead");
    let id = refused["id"].as_str().unwrap();
    // The same bytes again are refused again.
    loopline(&site, &["deliveries", "retry", id]).unwrap();
    ehr.wait_for(2, &site);
    forward(&site, 0, "dead");
    assert_eq!(ehr.received()[0], ehr.received()[1]);

    let shown = loopline(&site, &["deliveries", "show", id]).unwrap();
    let message = &shown[shown.find("MSH|").unwrap()..];
    let file = site.path("edited.hl7");
    fs::write(&file, message.replace("PID|", "XXX|")).unwrap();
    let file = file.to_str().unwrap();
    let refusal = loopline(&site, &["deliveries", "edit", id, file]).unwrap_err();
    assert!(refusal.contains("no PID segment"), "{refusal}");
    assert_eq!(forwards(&site)[0]["state"], "dead", "nothing changed");
    ehr.behave(good);
    fs::write(file, message.replace("Northside Heart Center", "Southside Heart Center")).unwrap();
    loopline(&site, &["deliveries", "edit", id, file]).unwrap();
    forward(&site, 0, "sent");
    let messages = ehr.received();
    assert!(messages[2].contains("Southside Heart Center") && !messages[2].contains('\n'), "{}", messages[2]);
    assert_ne!(field(&messages[2], "MSH", 10), field(&messages[0], "MSH", 10), "it is another message");

    ehr.behave(refuse);
    refer(&site, 2, "Feather");
    let refused = forward(&site, 1, "dead");
    ehr.behave(good);
    loopline(&site, &["deliveries", "retry", refused["id"].as_str().unwrap(), "--anew"]).unwrap();
    forward(&site, 1, "sent");
    let messages = ehr.received();
    assert_eq!(field(&messages[3], "RF1", 6), field(&messages[4], "RF1", 6));
    assert_ne!(field(&messages[3], "MSH", 10), field(&messages[4], "MSH", 10));
}

#[test]
fn killed_between_message_and_answer_it_sends_the_same_message_again() {
    let ehr = Ehr::start(|_| Vec::new());
    let site = site(ehr.port);
    ehr_channel(&site, ehr.port, "receiving_application = \"EHR\"\n");
    let running = start(&site);
    refer(&site, 1, "Quill");
    ehr.wait_for(1, &site);
    running.kill();
    ehr.behave(good);
    let _running = start(&site);
    forward(&site, 0, "sent");
    let messages = ehr.received();
    assert!(messages.iter().all(|message| *message == messages[0]), "{:?}", control_ids(&messages));
    assert!(messages.len() >= 2);
}

#[test]
fn a_fax_becomes_a_message_that_we_read_ourselves_as_the_same_referral() {
    let ehr = Ehr::start(good);
    let site = site(ehr.port);
    let channel = fs::read_to_string(site.path("channels/fax-in.toml")).unwrap();
    site.channel("fax-in", &format!("{channel}[[forward]]\nthrough = \"ehr-mllp\"\n"));
    let _running = start(&site);
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/fax-inbox/northgate-standard.pdf");
    site.drop_file("fax-in/one.pdf", &fs::read(sample).unwrap());
    assert!(wait_for(|| !site.referrals().is_empty()), "{}", site.log());
    let reference = site.referrals()[0]["reference"].as_str().unwrap().to_owned();
    // What a person must look at goes nowhere before they did.
    if !site.referrals()[0]["held"].as_array().is_none_or(Vec::is_empty) {
        assert!(forwards(&site).is_empty());
        loopline(&site, &["referrals", "settle", &reference, "confirm"]).unwrap();
    }
    forward(&site, 0, "sent");
    let message = ehr.received().remove(0);
    assert_eq!(field(&message, "RF1", 6), format!("{reference}^LOOPLINE"));
    assert!(
        message.contains("|ED|57133-1^Referral note^LN^^Referral pages^L|1|^application^PDF^Base64^JVBERi"),
        "the pages are one PDF"
    );
    let file = site.path("forwarded.hl7");
    fs::write(&file, &message).unwrap();
    let tried: Value = serde_json::from_str(&loopline(&site, &["try", file.to_str().unwrap()]).unwrap()).unwrap();
    let (read, kept) = (&tried["record"], &site.referrals()[0]);
    for part in ["priority", "patient", "insurance", "request", "referring"] {
        let mut kept = kept[part].clone();
        // Every referral asks for a consultation; the specialty says more, and stands in its place.
        if part == "request" {
            kept["service"] = read[part]["service"].clone();
        }
        assert_eq!(read[part], kept, "{part}");
    }
    assert_eq!(read["attachments"][0]["media_type"], "application/pdf");
}

#[test]
fn the_application_acknowledgement_follows_on_a_connection_of_our_own() {
    let ehr = Ehr::start(|message| vec![Act::Write(ack("CA", field(message, "MSH", 10), ""))]);
    let site = Site::new();
    site.channel("hl7-in", "[inbound.mllp]\nlisten = \"127.0.0.1:0\"\n[acknowledge]\nthrough = \"ehr-mllp\"\nstatus = true\n");
    ehr_channel(&site, ehr.port, "");
    let _running = start(&site);
    let asks_both = |message: String| message.replace("|P|2.5.1", "|P|2.5.1|||AL|AL");
    let mut peer = Peer::connect(&site.mllp());
    let accept = peer.send(&asks_both(referral_message("M1", "P1", "Quill"))).unwrap();
    assert_eq!((field(&accept, "MSA", 1), field(&accept, "MSA", 2)), ("CA", "M1"), "{accept}");
    let follows = ehr.wait_for(1, &site).remove(0);
    assert_eq!(
        (field(&follows, "MSH", 9), field(&follows, "MSA", 1), field(&follows, "MSA", 2)),
        ("RRI^I12^RRI_I12", "AA", "M1")
    );
    assert_eq!((field(&follows, "MSH", 15), field(&follows, "MSH", 16)), ("AL", "NE"), "it asks for no answer of its kind");
    assert_eq!((field(&follows, "MSH", 5), field(&follows, "MSH", 6)), ("EHR", "STMARY"));

    let broken = referral_message("M2", "P2", "Quill").replace("PID|", "ZID|");
    let accept = peer.send(&asks_both(broken)).unwrap();
    assert_eq!(field(&accept, "MSA", 1), "CA", "it is stored: {accept}");
    let follows = ehr.wait_for(2, &site).remove(1);
    assert_eq!((field(&follows, "MSA", 1), field(&follows, "MSA", 2)), ("AE", "M2"), "{follows}");
    assert!(field(&follows, "ERR", 3).starts_with("101^"), "{follows}");

    // An acknowledgement is never acknowledged, whatever it asks for.
    peer.write(&framed("MSH|^~\\&|EHR|STMARY|LOOPLINE|SITE|20261121||ACK^I12^ACK|M3|P|2.5.1|||AL|AL\rMSA|AA|X\r")).unwrap();
    let accept = peer.send(&asks_both(referral_message("M4", "P4", "Feather"))).unwrap();
    assert_eq!(field(&accept, "MSA", 2), "M4", "{accept}");
    assert_eq!(field(&ehr.wait_for(3, &site)[2], "MSA", 2), "M4");

    // Asked for alone, it goes the same way: nothing is said here.
    let alone = referral_message("M5", "P4", "Feather").replace("|P|2.5.1", "|P|2.5.1|||NE|AL");
    peer.write(&framed(&alone)).unwrap();
    assert_eq!(field(&ehr.wait_for(4, &site)[3], "MSA", 2), "M5");
    let status = referral_message("M6", "P4", "Feather").replace("REF^I12", "REF^I15");
    assert_eq!(field(&peer.send(&status).unwrap(), "MSA", 2), "M6");

    let reference = site.referrals().into_iter().find(|one| one["identifiers"]["placer"]["value"] == "P4").unwrap();
    let reference = reference["reference"].as_str().unwrap().to_owned();
    loopline(&site, &["referrals", "settle", &reference, "reply", "scheduled", "--at", "2026-12-14T10:30"]).unwrap();
    let status = ehr.wait_for(5, &site).remove(4);
    assert_eq!((field(&status, "MSH", 9), field(&status, "RF1", 1)), ("RRI^I12^RRI_I12", "A^Accepted^HL70283"), "{status}");
    assert_eq!((field(&status, "RF1", 6), field(&status, "MSH", 6)), ("P4^STMARY", "STMARY"), "{status}");
    assert!(!status.contains("\rMSA|") && status.contains("2026-12-14 10:30"), "{status}");
    let told = |one: &Value| one["purpose"] != "acknowledgement" || one["state"] == "sent";
    assert!(wait_for(|| site.deliveries().iter().all(told)), "{:#?}", site.deliveries());
    assert_eq!(ehr.received().len(), 5);
}

#[test]
fn what_is_written_anew_is_not_said_once_more_by_the_change_behind_it() {
    // The connection breaks, so the first may have arrived; then the EHR refuses it.
    let ehr = Ehr::start(|_| vec![Act::Close]);
    let site = site(ehr.port);
    let _running = start(&site);
    refer(&site, 1, "Quill");
    ehr.wait_for(1, &site);
    let change = referral_message("M2", "P1", "Quill").replace("REF^I12", "REF^I13").replace("19620214", "19620215");
    Peer::connect(&site.mllp()).send(&change).unwrap();
    assert!(wait_for(|| forwards(&site).len() == 2), "{:#?}", forwards(&site));
    ehr.behave(|message| vec![Act::Write(ack("AE", field(message, "MSH", 10), "|no such clinic"))]);
    let refused = forward(&site, 0, "dead");
    ehr.behave(good);
    loopline(&site, &["deliveries", "retry", refused["id"].as_str().unwrap(), "--anew"]).unwrap();
    forward(&site, 0, "sent");
    forward(&site, 1, "withdrawn");
    let last = ehr.received().pop().unwrap();
    assert_eq!((field(&last, "MSH", 9), field(&last, "PID", 7)), ("REF^I12^REF_I12", "19620215"));
}

#[test]
fn a_referral_that_is_sent_anew_after_its_cancel_is_handed_on_as_a_new_one() {
    let (ehr, site, _running, mut peer) = with_one_handed_on();
    peer.send(&referral_message("M2", "P1", "Quill").replace("REF^I12", "REF^I14")).unwrap();
    forward(&site, 1, "sent");
    peer.send(&referral_message("M3", "P1", "Quill")).unwrap();
    forward(&site, 2, "sent");
    peer.send(&referral_message("M4", "P1", "Quill").replace("REF^I12", "REF^I13").replace("19620214", "19620215")).unwrap();
    forward(&site, 3, "sent");
    let messages = ehr.received();
    let events: Vec<&str> = messages.iter().map(|message| &field(message, "MSH", 9)[..7]).collect();
    assert_eq!(events, ["REF^I12", "REF^I14", "REF^I12", "REF^I13"]);
}

#[test]
fn an_edited_message_is_of_the_same_referral() {
    let ehr = Ehr::start(|message| vec![Act::Write(ack("AE", field(message, "MSH", 10), "|no such clinic"))]);
    let site = site(ehr.port);
    let _running = start(&site);
    refer(&site, 1, "Quill");
    refer(&site, 2, "Feather");
    let ids: Vec<String> = (0..2).map(|n| forward(&site, n, "dead")["id"].as_str().unwrap().to_owned()).collect();
    let shown = loopline(&site, &["deliveries", "show", &ids[1]]).unwrap();
    let file = site.path("edited.hl7");
    fs::write(&file, &shown[shown.find("MSH|").unwrap()..]).unwrap();
    let refusal = loopline(&site, &["deliveries", "edit", &ids[0], file.to_str().unwrap()]).unwrap_err();
    assert!(refusal.contains("it may be another patient's") && !refusal.contains("Feather"), "{refusal}");
    loopline(&site, &["deliveries", "edit", &ids[1], file.to_str().unwrap()]).unwrap();
}

#[test]
fn a_refusal_that_comes_behind_an_acceptance_counts() {
    let ehr = Ehr::start(|message| {
        let id = field(message, "MSH", 10);
        let late = ack("AE", id, "\rERR||PID^1^5|101^Required field missing^HL70357|E");
        // The same for each message, as some receivers number.
        let late = String::from_utf8(late).unwrap().replace(&format!("|E-{id}|"), "|E-1|").into_bytes();
        vec![Act::Write([ack("CA", id, ""), ack("AE", "another", ""), late].concat())]
    });
    let site = site(ehr.port);
    let _running = start(&site);
    refer(&site, 1, "Quill");
    let dead = forward(&site, 0, "dead");
    let reason = dead["reason"].as_str().unwrap();
    assert!(reason.starts_with("it was accepted first, and then answered AE (error 101)"), "{reason}");
    let referral = site.json(&["referrals", "list", "--held", "--json"]).unwrap();
    assert!(referral.to_string().contains("dead-delivery"), "{referral:#}");
    // Sent again, it is refused again, in the same words.
    let id = dead["id"].as_str().unwrap();
    loopline(&site, &["deliveries", "retry", id]).unwrap();
    assert!(wait_for(|| ehr.received().len() == 2 && forwards(&site)[0]["state"] == "dead"), "{:#?}", forwards(&site));
    assert!(wait_for(|| site.messages().iter().filter(|one| one["kind"] == "acknowledgement").count() == 4));
    // Taken at last, it is not touched by the refusals of before.
    ehr.behave(good);
    loopline(&site, &["deliveries", "retry", id]).unwrap();
    forward(&site, 0, "sent");
    for refusal in site.messages().iter().filter(|one| one["kind"] == "acknowledgement") {
        loopline(&site, &["messages", "replay", refusal["id"].as_str().unwrap()]).unwrap();
    }
    assert_eq!(forward(&site, 0, "sent")["id"], dead["id"]);
}

#[test]
fn a_stuck_head_says_that_the_answers_name_another_message() {
    let ehr = Ehr::start(|message| vec![Act::Write(ack("AE", &field(message, "MSH", 10)[..15], ""))]);
    let site = site(ehr.port);
    let _running = start(&site);
    refer(&site, 1, "Quill");
    let waits = || forwards(&site).first().map(|one| one["reason"].as_str().unwrap_or_default().to_owned()).unwrap_or_default();
    let wanted = "no answer within 2 s: what came names another message in MSA-2, which must be our MSH-10, whole";
    assert!(wait_for(|| waits().contains(wanted)), "{:#?}\n{}", forwards(&site), site.log());
}

#[test]
fn a_report_after_a_cancel_does_not_open_the_referral_anew() {
    let ehr = Ehr::start(good);
    let site = site(ehr.port);
    let channel = "[inbound.mllp]\nlisten = \"127.0.0.1:0\"\n[acknowledge]\nsenders = [\"EHR|STMARY\"]\n[[forward]]\nthrough = \"ehr-mllp\"\n";
    site.channel("hl7-in", channel);
    let _running = start(&site);
    refer(&site, 1, "Quill");
    forward(&site, 0, "sent");
    let mut peer = Peer::connect(&site.mllp());
    peer.send(&referral_message("M2", "P1", "Quill").replace("REF^I12", "REF^I14")).unwrap();
    forward(&site, 1, "sent");
    let report = referral_message("M3", "P1", "Quill").replace("REF^I12^REF_I12", "MDM^T02^MDM_T02");
    let report: String = report.split_inclusive('\r').filter(|line| line.starts_with("MSH") || line.starts_with("PID")).collect();
    let seen = "TXA|1|CN|TX|||||||||D-1||P1^STMARY|||AU\rOBR|1|P1^STMARY\rOBX|1|TX|11488-4^Consultation note^LN||Seen today.\r";
    peer.send(&(report + seen)).unwrap();
    forward(&site, 2, "sent");
    let messages = ehr.received();
    let events: Vec<&str> = messages.iter().map(|message| &field(message, "MSH", 9)[..7]).collect();
    assert_eq!(events, ["REF^I12", "REF^I14", "REF^I13"]);
}

#[test]
fn a_message_that_is_being_sent_to_a_silent_receiver_can_be_skipped() {
    let ehr = Ehr::start(|_| Vec::new());
    let site = site(ehr.port);
    let _running = start(&site);
    refer(&site, 1, "Quill");
    let id = forward(&site, 0, "in-flight")["id"].as_str().unwrap().to_owned();
    let skipped = loopline(&site, &["deliveries", "skip", &id]);
    assert!(skipped.is_ok(), "{skipped:?}");
    let reason = forward(&site, 0, "withdrawn")["reason"].as_str().unwrap().to_owned();
    assert!(reason.starts_with("skipped by a person; it was: no answer within 2 s"), "{reason}");
}

#[test]
fn a_refused_message_that_says_nothing_after_a_cancel_holds_the_referral_no_longer() {
    let ehr = Ehr::start(|message| vec![Act::Write(ack("AE", field(message, "MSH", 10), ""))]);
    let site = site(ehr.port);
    let _running = start(&site);
    refer(&site, 1, "Quill");
    let id = forward(&site, 0, "dead")["id"].as_str().unwrap().to_owned();
    let cancel = referral_message("M2", "P1", "Quill").replace("REF^I12", "REF^I14");
    Peer::connect(&site.mllp()).send(&cancel).unwrap();
    let referral = || site.referrals()[0].clone();
    assert!(wait_for(|| referral()["status"] == "cancel-requested"), "{:#}", referral());
    assert_eq!(referral()["held"][0], "dead-delivery");
    loopline(&site, &["deliveries", "retry", &id]).unwrap();
    forward(&site, 0, "withdrawn");
    assert!(wait_for(|| referral()["held"].is_null()), "{:#}", referral());
    assert_eq!(ehr.received().len(), 1);
}

#[test]
fn what_a_person_corrects_before_it_is_written_anew_is_said_once() {
    let ehr = Ehr::start(|message| vec![Act::Write(ack("AE", field(message, "MSH", 10), ""))]);
    let site = site(ehr.port);
    let _running = start(&site);
    refer(&site, 1, "Quill");
    let refused = forward(&site, 0, "dead");
    ehr.behave(good);
    let reference = site.referrals()[0]["reference"].as_str().unwrap().to_owned();
    site.json(&["referrals", "settle", &reference, "correct", "patient.birth_date=1962-02-15", "--by", "mira", "--json"])
        .unwrap();
    // It goes as it was corrected, by itself; whoever asks for it once more finds that it went.
    loopline(&site, &["deliveries", "retry", refused["id"].as_str().unwrap(), "--anew"]).ok();
    assert!(wait_for(|| forwards(&site).iter().any(|one| one["state"] == "sent")), "{:#?}", forwards(&site));
    assert!(wait_for(|| forwards(&site).iter().all(|one| one["state"] != "queued" && one["state"] != "in-flight")));
    std::thread::sleep(Duration::from_secs(1));
    let messages = ehr.received();
    let sent: Vec<(&str, &str)> = messages.iter().map(|one| (&field(one, "MSH", 9)[..7], field(one, "PID", 7))).collect();
    assert_eq!(sent, [("REF^I12", "19620214"), ("REF^I12", "19620215")], "{:#?}", forwards(&site));
}

#[test]
fn a_request_of_a_cancelled_referral_that_a_person_retries_is_taken_back_and_the_line_goes_on() {
    let ehr = Ehr::start(|message| vec![Act::Write(ack("AE", field(message, "MSH", 10), ""))]);
    let site = asking_by_hl7(&ehr);
    let _running = start(&site);
    refer(&site, 1, "Quill");
    let found = |state: &str| {
        let is = |one: &Value| one["through"] == "ehr-mllp" && one["state"] == state;
        site.deliveries().into_iter().find(is)
    };
    assert!(wait_for(|| found("dead").is_some()), "{:#?}", site.deliveries());
    let id = found("dead").unwrap()["id"].as_str().unwrap().to_owned();
    ehr.behave(good);
    let mut peer = Peer::connect(&site.mllp());
    let about = |event: &str, id: &str| referral_message(id, "P1", "Quill").replace("REF^I12", &format!("REF^{event}"));
    peer.send(&about("I13", "C1").replace("R^Routine", "S^STAT")).unwrap();
    peer.send(&about("I14", "C2")).unwrap();
    assert!(wait_for(|| site.referrals()[0]["status"] == "cancel-requested"), "{:#?}", site.referrals());
    loopline(&site, &["deliveries", "retry", &id]).unwrap();
    let state = || site.deliveries().into_iter().find(|one| one["id"] == id.as_str()).unwrap()["state"].clone();
    assert!(wait_for(|| state() == "withdrawn"), "{}\n{:#?}", site.log(), site.deliveries());
    refer(&site, 2, "Marsh");
    assert!(wait_for(|| found("sent").is_some()), "{}\n{:#?}", site.log(), site.deliveries());
}

#[test]
fn a_system_that_was_not_asked_and_is_none_of_the_directory_moves_nothing() {
    let ehr = Ehr::start(good);
    let site = asking_by_hl7(&ehr);
    let _running = start(&site);
    refer(&site, 1, "Quill");
    let number = field(&ehr.wait_for(1, &site)[0], "RF1", 6).to_owned();
    let status = || site.referrals()[0]["status"].as_str().unwrap().to_owned();
    assert!(wait_for(|| status() == "requested"), "{:#?}", site.deliveries());
    let report = |application: &str, facility: &str| {
        format!(
            "MSH|^~\\&|{application}|{facility}|LOOPLINE||20261122||ORU^R01^ORU_R01|{application}{facility}|P|2.5.1\r\
             PID|1||MR-P1^^^STMARY^MR||Quill^Ottoline||19620214\r\
             OBR|1|{number}||11488-4^Consultation note^LN|||||||||||||||||||||F\rOBX|1|TX|11488-4^Consultation note^LN||Seen.\r"
        )
    };
    let mut peer = Peer::connect(&site.mllp());
    assert_eq!(field(&peer.send(&report("EHR", "WEST")).unwrap(), "MSA", 1), "AA");
    assert_eq!(status(), "requested", "another house");
    let held = site.messages().into_iter().find(|one| one["state"] == "held").unwrap();
    assert!(held["reason"].to_string().contains("the directory does not know"), "{held:#}");
    peer.send(&report("LAB", "NORTH")).unwrap();
    assert!(wait_for(|| status() == "closed"), "another system of the same house: {:#?}", site.messages());
}
