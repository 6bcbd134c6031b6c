//! An MLLP connection to the real engine: batches, commit blocks, sequence numbers, and what is no MLLP. Named after the rows of the
//! list of quirks that they are about: section 1 is what is taken, section 2 what is refused.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
};

use serde_json::Value;

use crate::harness::{PATIENCE, Peer, Site, field, framed, referral_message, wait_for};

const ROUTE: &str = "[route]\nspecialty.Cardiology = { through = \"email-out\", to = \"cardiology-desk\" }\n";

/// A site whose HL7 door has these keys more.
fn site(keys: &str) -> Site {
    let site = Site::new();
    site.channel("hl7-in", &format!("[inbound.mllp]\nlisten = \"127.0.0.1:0\"\n{keys}\n{ROUTE}"));
    site
}

/// Sends bytes, says that there are no more, and gives everything that comes back.
fn exchange(site: &Site, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(site.mllp()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(bytes).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    answer
}

/// The frames in bytes that hold nothing else: one byte more, and it fails.
fn frames(bytes: &[u8]) -> Vec<String> {
    let mut rest = bytes;
    let mut found = Vec::new();
    while !rest.is_empty() {
        assert_eq!(rest[0], 0x0B, "a stray byte before a frame: {rest:?}");
        let end = rest.windows(2).position(|pair| pair == b"\x1C\r").expect("a frame ends");
        found.push(String::from_utf8(rest[1..end].to_vec()).unwrap());
        rest = &rest[end + 2..];
    }
    found
}

fn turned_away(site: &Site) -> Value {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let data = site.path("data");
    let asked = loopline::engine::admin::ask(&data, &loopline::engine::admin::Request::Health);
    runtime.block_on(asked).expect("the engine answers")["turned_away"]["hl7-in"].clone()
}

/// A message with this MSH-13.
fn numbered(number: &str, control_id: &str, placer: &str) -> String {
    referral_message(control_id, placer, "Zebrano").replacen("|P|2.5.1", &format!("|P|2.5.1|{number}"), 1)
}

#[test]
fn quirk_1_03_answers_are_byte_exact_whatever_surrounds_the_messages() {
    let site = site("");
    let _engine = site.start();
    let (one, two) = (referral_message("A1", "A1", "Zebrano"), referral_message("A2", "A2", "Zebrano"));
    let sent = [b"\r\n  \x0B", one.as_bytes(), b"\x1C\n\n\x0B", two.as_bytes(), b"\x1C"].concat();
    let answers = frames(&exchange(&site, &sent));
    assert_eq!(answers.iter().map(|answer| field(answer, "MSA", 2)).collect::<Vec<_>>(), ["A1", "A2"]);
    assert!(answers.iter().all(|answer| answer.ends_with('\r') && !answer.contains('\n')));
}

#[test]
fn quirk_1_27_a_batch_is_answered_message_by_message_when_all_of_it_is_stored() {
    let site = site("");
    let _engine = site.start();
    let broken = "MSH^~\\&\rPID|1\r";
    let (one, two) = (referral_message("B1", "B1", "Zebrano"), referral_message("B2", "B2", "Zebrano"));
    let adt = "MSH|^~\\&|EHR|STMARY|LOOPLINE|SITE|20261121||ADT^A01|B3|P|2.5.1\rPID|1||9\r";
    let batch = format!("FHS|^~\\&|EHR\rBHS|^~\\&|EHR\r{one}{broken}{adt}{two}BTS|9|count is wrong\rFTS|1\r");
    let answers = frames(&exchange(&site, &framed(&batch)));
    let codes: Vec<_> = answers.iter().map(|answer| (field(answer, "MSA", 1), field(answer, "MSA", 2))).collect();
    assert_eq!(codes, [("AA", "B1"), ("AR", "B3"), ("AA", "B2")], "what cannot be read stops nothing");
    assert!(site.log().contains("a batch does not hold as many messages as it says"), "{}", site.log());
    assert_eq!(site.referrals().len(), 2);
}

#[test]
fn quirk_1_27_a_channel_may_answer_a_batch_by_a_batch_and_the_same_batch_again_gets_the_same() {
    let site = site("batch_answers = \"batch\"");
    let _engine = site.start();
    let (one, two) = (referral_message("C1", "C1", "Zebrano"), referral_message("C2", "C2", "Zebrano"));
    let batch = framed(&format!("BHS|^~\\&|EHR|STMARY|LOOPLINE|SITE|20261121||||BATCH-7\r{one}{two}BTS|2\r"));
    let answer = frames(&exchange(&site, &batch)).pop().expect("one batch of answers");
    assert!(answer.starts_with("BHS|^~\\&|LOOPLINE|SITE|EHR|STMARY|"), "{answer}");
    assert_eq!((field(&answer, "BHS", 11), field(&answer, "BTS", 1)), ("BATCH-7", "2"), "BHS-12 names the batch: {answer}");
    assert_eq!(answer.matches("\rMSA|AA|").count(), 2);
    let again = frames(&exchange(&site, &batch)).pop().expect("one batch of answers");
    let answers = |batch: &str| batch[batch.find("MSH|").unwrap()..].to_owned();
    assert_eq!(answers(&again), answers(&answer));
    assert_eq!(site.messages().len(), 2);
}

#[test]
fn quirk_1_28_foreign_protocols_and_port_scans_are_closed_counted_and_logged_once() {
    let site = site("");
    let _engine = site.start();
    for (bytes, why) in [
        (&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..], "http"),
        (b"\x16\x03\x01\x02\x00\x01\x00", "tls-on-plain-port"),
        (b"MSH|^~\\&|A|B\r", "unframed-hl7"),
        (b"", "nothing-sent"),
        (b"\x0B<REF_I12 xmlns=\"urn:hl7-org:v2xml\"/>\x1C\r", "no-message"),
    ] {
        for _ in 0..3 {
            assert_eq!(exchange(&site, bytes), b"", "{why}");
        }
        assert!(wait_for(|| turned_away(&site)[why] == 3), "{why}: {}", turned_away(&site));
        assert_eq!(site.log().matches(&format!("\"{why}\"")).count(), 1, "{}", site.log());
    }
    let mut peer = Peer::connect(&site.mllp());
    assert_eq!(field(&peer.send(&referral_message("D1", "D1", "Zebrano")).unwrap(), "MSA", 1), "AA");
}

#[test]
fn quirk_1_32_one_byte_at_a_time_two_in_a_packet_and_a_silent_neighbour() {
    let site = site("");
    let _engine = site.start();
    let _silent = TcpStream::connect(site.mllp()).unwrap();
    let mut slow = Peer::connect(&site.mllp());
    for byte in framed(&referral_message("E1", "E1", "Zebrano")) {
        slow.write(&[byte]).unwrap();
    }
    assert_eq!(field(&slow.read().unwrap(), "MSA", 2), "E1");
    let two = [framed(&referral_message("E2", "E2", "Zebrano")), framed(&referral_message("E3", "E3", "Zebrano"))].concat();
    slow.write(&two).unwrap();
    assert_eq!(field(&slow.read().unwrap(), "MSA", 2), "E2");
    assert_eq!(field(&slow.read().unwrap(), "MSA", 2), "E3");
}

#[test]
fn quirk_1_32_an_answer_that_does_not_reach_its_sender_is_noted_and_given_again() {
    let site = site("");
    let _engine = site.start();
    let message = |id: &str| referral_message(id, id, "Zebrano");
    // The answer to the first finds the connection closed, which resets it, so the one to the second meets nobody; mostly.
    let undelivered = (0..50).map(|number| (format!("K{number}"), format!("L{number}"))).find(|(first, second)| {
        let mut hasty = Peer::connect(&site.mllp());
        hasty.write(&[framed(&message(first)), framed(&message(second))].concat()).unwrap();
        drop(hasty);
        let kept = || site.messages().into_iter().find(|message| message["control_id"] == *second);
        wait_for(|| kept().is_some());
        // It is noted a moment after it was found out.
        (0..20).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(20));
            kept().is_some_and(|message| message["acknowledgement"] == "undelivered")
        })
    });
    let (_, second) = undelivered.expect("one answer does not arrive");
    let answer = Peer::connect(&site.mllp()).send(&message(&second)).unwrap();
    assert_eq!(field(&answer, "MSA", 1), "AA", "{answer}");
    let all = site.messages();
    let same: Vec<_> = all.iter().filter(|message| message["control_id"] == *second).collect();
    assert_eq!((same.len(), &same[0]["acknowledgement"]), (1, &Value::from("sent")));
}

#[test]
fn quirk_2_a_truncated_frame_is_refused_and_not_kept() {
    let site = site("");
    let _engine = site.start();
    for enhanced in [false, true] {
        let whole = referral_message("F1", "F1", "Zebrano");
        let whole = if enhanced { whole.replacen("|P|2.5.1", "|P|2.5.1|||AL|NE", 1) } else { whole };
        let cut = frames(&exchange(&site, &framed(&whole)[..400])).pop().unwrap();
        let code = if enhanced { "CR" } else { "AR" };
        assert_eq!((field(&cut, "MSA", 1), field(&cut, "MSA", 2)), (code, "F1"));
        assert!(field(&cut, "ERR", 3).starts_with("100^"), "{cut}");
    }
    assert!(exchange(&site, b"\x0BPID|1||cut off before").is_empty(), "without MSH there is nobody to answer");
    assert!(site.messages().is_empty() && site.referrals().is_empty());
}

#[test]
fn quirk_2_a_too_large_message_is_refused_and_not_kept() {
    let site = site("frame_bytes_max = 4_096");
    let _engine = site.start();
    let large = format!("{}NTE|1||{}\r", referral_message("F2", "F2", "Zebrano"), "x".repeat(5_000));
    let large = frames(&exchange(&site, &framed(&large))).pop().unwrap();
    assert_eq!((field(&large, "MSA", 1), field(&large, "MSA", 2)), ("AR", "F2"));
    assert!(field(&large, "ERR", 3).starts_with("104^"), "{large}");
    assert!(site.messages().is_empty(), "it is no message");
}

#[test]
fn quirk_2_a_continuation_fragment_is_refused_and_makes_no_referral() {
    let site = site("");
    let _engine = site.start();
    let fragment = referral_message("F1", "F1", "Zebrano").replacen("|P|2.5.1", "|P|2.5.1||CONTINUES", 1);
    let fragment = frames(&exchange(&site, &framed(&fragment))).pop().unwrap();
    assert_eq!((field(&fragment, "MSA", 1), field(&fragment, "ERR", 2)), ("AR", "MSH^1^14"));
    assert!(site.referrals().is_empty());
}

#[test]
fn commit_blocks_come_before_the_answers() {
    let site = site("commit_blocks = true");
    let _engine = site.start();
    let sent =
        [framed(&referral_message("G1", "G1", "Zebrano")), b"\x0B\x06\x1C\r".to_vec(), framed("MSH|cut")[..6].to_vec()].concat();
    let answer = exchange(&site, &sent);
    assert_eq!(&answer[..4], b"\x0B\x06\x1C\r");
    assert_eq!(&answer[answer.len() - 4..], b"\x0B\x15\x1C\r", "what broke off is not stored, and not answered otherwise");
    let answers = frames(&answer[4..answer.len() - 4]);
    assert_eq!(answers.iter().map(|answer| field(answer, "MSA", 2)).collect::<Vec<_>>(), ["G1"]);
}

#[test]
fn quirk_2_sequence_numbers_are_followed_over_a_crash() {
    let site = site("sequence_numbers = true");
    let engine = site.start();
    let send = |message: &str| {
        let answer = Peer::connect(&site.mllp()).send(message).unwrap();
        (field(&answer, "MSA", 1).to_owned(), field(&answer, "MSA", 4).to_owned())
    };
    let said = |code: &str, number: &str| (code.to_owned(), number.to_owned());
    let link = |number: &str, id: &str| format!("MSH|^~\\&|EHR|STMARY|LOOPLINE|SITE|20261121||REF^I12|{id}|P|2.5.1|{number}\r");

    assert_eq!(send(&link("0", "L1")), said("AA", "-1"), "no number is known yet");
    assert_eq!(send(&numbered("41", "S1", "S1")), said("AA", "41"), "the first may be any");
    assert_eq!(send(&numbered("42", "S2", "S2")), said("AA", "42"));
    assert_eq!(send(&numbered("44", "S4", "S4")), said("AE", "43"), "one is missing");
    assert_eq!(send(&numbered("42", "S2", "S2")), said("AA", "42"), "its answer was lost");
    assert_eq!(send(&numbered("42", "S9", "S9")), said("AE", "43"), "another message under a number that was used");
    assert_eq!(send(&numbered("", "S9", "S9")), said("AE", "43"), "no number at all");

    engine.kill();
    let _engine = site.start();
    assert_eq!(send(&link("0", "L2")), said("AA", "43"), "the count survives");
    assert_eq!(send(&numbered("43", "S3", "S3")), said("AA", "43"));
    assert_eq!(send(&link("-1", "L3")), said("AA", "-1"), "the sender begins anew");
    assert_eq!(send(&numbered("7", "S7", "S7")), said("AA", "7"));
    assert_eq!(send(&link("0", "L4")), said("AA", "8"));
    let other = numbered("900", "S1", "OTHER").replacen("|EHR|STMARY|", "|EHR|STJOHN|", 1);
    assert_eq!(send(&other), said("AA", "900"), "each sender counts for itself");
    assert_eq!(site.referrals().len(), 5);
}
