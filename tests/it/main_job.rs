//! The main job, end to end: in by HL7, fax and mail; one record; acknowledged; the specialist asked; the reply read.

use std::fs;

use serde_json::Value;

use crate::harness::{Peer, Site, field, files, framed, referral_message, wait_for};

fn only(mut all: Vec<Value>) -> Value {
    assert_eq!(all.len(), 1, "{all:#?}");
    all.remove(0)
}

fn header<'m>(mail: &'m str, name: &str) -> &'m str {
    let wanted = format!("{}:", name.to_lowercase());
    mail.lines().find(|line| line.to_lowercase().starts_with(&wanted)).map(|line| line[wanted.len()..].trim()).unwrap_or_default()
}

/// A referral that came by HL7 and whose specialist was asked by mail; gives its reference and the request.
fn asked_by_mail(site: &Site) -> (String, String) {
    let mut peer = Peer::connect(&site.mllp());
    let answer = peer.send(&referral_message("M1", "P1", "Quillfeather")).unwrap();
    assert_eq!(field(&answer, "MSA", 1), "AA", "{answer}");
    assert!(wait_for(|| site.mails_out().len() == 1), "{}", site.log());
    let referral = only(site.referrals());
    (referral["reference"].as_str().unwrap().to_owned(), site.mails_out().remove(0))
}

fn reply(site: &Site, name: &str, request: &str, extra: &str, words: &str) {
    let reply_to = header(request, "Reply-To");
    let message_id = header(request, "Message-ID");
    let subject = header(request, "Subject");
    site.drop_mail(
        name,
        &format!(
            "From: Front Desk <desk@northside-heart.example>\nTo: {reply_to}\nSubject: Re: {subject}\nMessage-ID: <{name}@northside-heart.example>\n\
             In-Reply-To: {message_id}\nDate: Sun, 22 Nov 2026 10:00:00 -0800\n{extra}\n{words}\n"
        ),
    );
}

fn status(site: &Site, reference: &str) -> String {
    let found = site.json(&["referrals", "show", reference, "--json"]).unwrap();
    found["referral"]["status"].as_str().unwrap().to_owned()
}

#[test]
fn an_hl7_referral_is_answered_with_our_reference_and_the_specialist_is_asked() {
    let site = Site::new();
    let _running = site.start();
    let mut peer = Peer::connect(&site.mllp());
    let answer = peer.send(&referral_message("M1", "P1", "Quillfeather")).unwrap();
    assert_eq!(field(&answer, "MSH", 9), "RRI^I12^RRI_I12");
    assert_eq!((field(&answer, "MSA", 1), field(&answer, "MSA", 2)), ("AA", "M1"));
    assert_eq!(field(&answer, "RF1", 6), "P1^STMARY");

    let referral = only(site.referrals());
    let reference = referral["reference"].as_str().unwrap();
    assert!(field(&answer, "RF1", 11).starts_with(reference), "{answer}");
    assert_eq!(referral["patient"]["name"]["family"], "Quillfeather");
    assert_eq!(referral["patient"]["birth_date"], "1962-02-14");

    assert!(wait_for(|| status(&site, reference) == "requested"), "{}", site.log());
    let mail = only(site.mails_out().into_iter().map(Value::String).collect());
    let mail = mail.as_str().unwrap();
    assert!(header(mail, "Subject").contains(reference));
    assert!(header(mail, "To").contains("desk@northside-heart.example"));
    assert!(!mail.contains("Quillfeather") && !mail.contains("1962"), "minimum patient data in a mail");
    assert!(mail.contains("application/pdf"), "the cover page is attached");
}

#[test]
fn the_same_message_again_gets_the_same_answer_and_makes_no_second_referral() {
    let site = Site::new();
    let running = site.start();
    let message = referral_message("M1", "P1", "Quillfeather");
    let first = Peer::connect(&site.mllp()).send(&message).unwrap();
    let second = Peer::connect(&site.mllp()).send(&message).unwrap();
    assert_eq!(first, second);
    running.kill();
    let _running = site.start();
    let third = Peer::connect(&site.mllp()).send(&message).unwrap();
    assert_eq!(first, third, "after a restart as well");
    only(site.referrals());
    assert_eq!(only(site.messages())["repeats"], 2);
}

#[test]
fn frames_split_and_joined_anywhere_are_answered_one_by_one_in_order() {
    let site = Site::new();
    let _running = site.start();
    let mut peer = Peer::connect(&site.mllp());
    let mut bytes = Vec::new();
    for n in 0..5 {
        bytes.extend(framed(&referral_message(&format!("M{n}"), &format!("P{n}"), "Quillfeather")));
    }
    for piece in bytes.chunks(333) {
        peer.write(piece).unwrap();
    }
    for n in 0..5 {
        assert_eq!(field(&peer.read().unwrap(), "MSA", 2), format!("M{n}"));
    }
}

#[test]
fn a_control_id_used_again_for_another_message_is_taken_as_new_with_a_warning() {
    let site = Site::new();
    site.channel("hl7-in", "[inbound.mllp]\nlisten = \"127.0.0.1:0\"\n[acknowledge]\npositive = \"ACK\"\n");
    let _running = site.start();
    let mut peer = Peer::connect(&site.mllp());
    assert!(!peer.send(&referral_message("M1", "P1", "Quill")).unwrap().contains("ERR|"));
    let answer = peer.send(&referral_message("M1", "P2", "Quall")).unwrap();
    assert_eq!(field(&answer, "MSA", 1), "AA", "{answer}");
    assert_eq!((field(&answer, "ERR", 3).starts_with("205^"), field(&answer, "ERR", 4)), (true, "W"), "{answer}");
    assert_eq!(site.referrals().len(), 2);
}

#[test]
fn a_message_without_a_patient_is_refused_and_kept_and_evaluated_afresh() {
    let site = Site::new();
    let _running = site.start();
    let message: String =
        referral_message("M1", "P1", "X").split('\r').filter(|line| !line.starts_with("PID")).collect::<Vec<_>>().join("\r");
    for _ in 0..2 {
        let answer = Peer::connect(&site.mllp()).send(&message).unwrap();
        assert_eq!(field(&answer, "MSA", 1), "AE", "{answer}");
        assert!(answer.contains("PID"), "it says where: {answer}");
    }
    assert_eq!(site.referrals().len(), 0);
    let messages = site.messages();
    assert_eq!(messages.len(), 2);
    assert!(messages.iter().all(|message| message["state"] == "failed" && message["reason"].is_string()));
}

#[test]
fn a_plain_reply_schedules_the_referral() {
    let site = Site::new();
    let _running = site.start();
    let (reference, request) = asked_by_mail(&site);
    reply(&site, "r1", &request, "", "yes, received, booked for 12/14/2026 10:30");
    assert!(wait_for(|| status(&site, &reference) == "scheduled"), "{}\n{:#?}", site.log(), site.messages());
    let found = site.json(&["referrals", "show", &reference, "--json"]).unwrap();
    assert_eq!(found["referral"]["appointment"]["at"], "2026-12-14T10:30");
}

#[test]
fn an_automatic_reply_moves_nothing_and_an_unclear_one_is_held_until_a_person_reads_it() {
    let site = Site::new();
    let _running = site.start();
    let (reference, request) = asked_by_mail(&site);
    reply(
        &site,
        "r1",
        &request,
        "Auto-Submitted: auto-replied\n",
        "I am out of the office. Referral received, booked for 12/14/2026 10:30.",
    );
    let answered = |count| wait_for(|| site.messages().iter().filter(|message| message["state"] != "received").count() == count);
    assert!(answered(2));
    assert_eq!(status(&site, &reference), "requested");
    assert_eq!(site.referrals()[0].get("held"), None);

    reply(&site, "r2", &request, "", "Not sure, could be the 14th or the 15th, will check with the doctor?");
    assert!(answered(3));
    assert_eq!(status(&site, &reference), "requested");
    assert_eq!(site.referrals()[0]["held"][0], "unclear-reply");

    let settled = site
        .json(&["referrals", "settle", &reference, "reply", "scheduled", "--at", "2026-12-15T09:00", "--by", "mira", "--json"])
        .unwrap();
    assert_eq!(settled["status"], "scheduled");
    assert_eq!(settled.get("held"), None);
    assert_eq!(settled["history"].as_array().unwrap().last().unwrap()["by"], "person mira");
}

#[test]
fn a_forged_or_unexpected_reply_moves_nothing() {
    let site = Site::new();
    let _running = site.start();
    let (reference, request) = asked_by_mail(&site);
    let stranger = format!(
        "From: someone@elsewhere.example\nTo: {}\nSubject: hello\nMessage-ID: <x@elsewhere.example>\nDate: Sun, 22 Nov 2026 10:00:00 -0800\n\nReceived, booked for 12/14/2026 10:30\n",
        header(&request, "Reply-To")
    );
    site.drop_mail("s1", &stranger);
    let forged = format!(
        "From: desk@northside-heart.example\nTo: referrals@loopline.example\nSubject: {reference}\nMessage-ID: <y@elsewhere.example>\nDate: Sun, 22 Nov 2026 10:00:00 -0800\n\nReceived, booked for 12/14/2026 10:30\n"
    );
    site.drop_mail("s2", &forged);
    assert!(wait_for(|| site.messages().iter().filter(|message| message["state"] != "received").count() == 3));
    assert_eq!(status(&site, &reference), "requested");
    assert_eq!(site.referrals()[0]["held"][0], "unclear-reply");
}

#[test]
fn a_fax_dropped_into_the_folder_becomes_a_referral_and_nothing_else_is_asked_of_the_practice() {
    let site = Site::new();
    let _running = site.start();
    let samples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/fax-inbox");
    let sample = files(&samples).into_iter().find(|path| path.extension().is_some_and(|end| end == "pdf")).unwrap();
    let expected: Value = serde_json::from_slice(&fs::read(sample.with_extension("expected.json")).unwrap()).unwrap();
    let content = fs::read(&sample).unwrap();
    site.drop_file("fax-in/scan 1.pdf", &content);
    assert!(wait_for(|| site.data("fax-in/done/scan 1.pdf").exists()), "{}", site.log());
    assert!(wait_for(|| site.referrals().len() == 1), "{}", site.log());
    let referral = only(site.referrals());
    assert_eq!(referral["patient"]["name"], expected["record"]["patient"]["name"]);
    assert_eq!(referral["patient"]["birth_date"], expected["record"]["patient"]["birth_date"]);

    site.drop_file("fax-in/scan 2.pdf", &content);
    assert!(wait_for(|| site.data("fax-in/duplicate/scan 2.pdf").exists()), "{}", site.log());
    only(site.referrals());
    assert!(wait_for(|| site.deliveries().iter().any(|one| one["purpose"] == "acknowledgement" && one["state"] == "sent")));
    let jobs = files(&site.data("fax-out"));
    assert!(jobs.iter().any(|path| path.extension().is_some_and(|end| end == "json")), "{jobs:?}");
}

#[test]
fn a_file_that_cannot_be_read_gets_a_reason_in_plain_words_and_is_kept() {
    let site = Site::new();
    let _running = site.start();
    site.drop_file("fax-in/broken.pdf", b"%PDF-1.4\nthis is not the rest of a PDF\n");
    assert!(wait_for(|| site.data("fax-in/failed/broken.pdf.reason.txt").exists()), "{}", site.log());
    assert!(site.data("fax-in/done/broken.pdf").exists(), "the file itself was taken");
    assert!(site.data("fax-in/failed/broken.pdf").exists());
    assert_eq!(only(site.messages())["state"], "failed");
}

#[test]
fn a_mail_with_a_fax_attached_becomes_a_referral_and_its_sender_is_told() {
    use base64::Engine as _;
    let site = Site::new();
    let _running = site.start();
    let samples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/fax-inbox");
    let sample = files(&samples).into_iter().find(|path| path.extension().is_some_and(|end| end == "pdf")).unwrap();
    let encoded = base64::engine::general_purpose::STANDARD.encode(fs::read(&sample).unwrap());
    let lines: Vec<&str> = encoded.as_bytes().chunks(76).map(|chunk| std::str::from_utf8(chunk).unwrap()).collect();
    site.drop_mail(
        "m1",
        &format!(
            "From: Elm Street <office@elm-street.example>\nTo: referrals@loopline.example\nSubject: referral\nMessage-ID: <m1@elm-street.example>\n\
             Date: Sat, 21 Nov 2026 10:00:00 -0800\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=xx\n\n--xx\nContent-Type: text/plain\n\nPlease see the attached referral.\n\
             --xx\nContent-Type: application/pdf; name=scan.pdf\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment; filename=scan.pdf\n\n{}\n--xx--\n",
            lines.join("\n")
        ),
    );
    assert!(wait_for(|| site.referrals().len() == 1), "{}\n{:#?}", site.log(), site.messages());
    let expected: Value = serde_json::from_slice(&fs::read(sample.with_extension("expected.json")).unwrap()).unwrap();
    assert_eq!(only(site.referrals())["patient"]["name"], expected["record"]["patient"]["name"]);
    let told = || site.mails_out().into_iter().any(|mail| header(&mail, "To").contains("office@elm-street.example"));
    assert!(wait_for(told), "{}\n{:#?}", site.log(), site.deliveries());
}

#[test]
fn a_referral_that_no_route_fits_is_held_and_goes_out_once_a_person_says_where() {
    let site = Site::new();
    let _running = site.start();
    let message = referral_message("M1", "P1", "Quillfeather").replace("Northside Heart Center", "Somewhere Else");
    Peer::connect(&site.mllp()).send(&message).unwrap();
    let referral = only(site.referrals());
    let reference = referral["reference"].as_str().unwrap();
    assert_eq!(referral["held"][0], "no-route", "{referral:#}");
    assert_eq!(site.deliveries().len(), 0);
    let settled = site.json(&["referrals", "settle", reference, "route", "dermatology-desk", "--by", "mira", "--json"]).unwrap();
    assert_eq!(settled.get("held"), None);
    assert!(wait_for(|| status(&site, reference) == "requested"), "{}", site.log());
    assert!(files(&site.data("fax-out")).len() >= 2, "a PDF and its JSON");
}
