//! Mails that come in, through the whole engine: scanners, strangers, bad attachments, bounces.

use std::{fs, path::Path};

use base64::Engine as _;
use serde_json::Value;

use crate::{
    harness::{Peer, Site, field, referral_message, wait_for},
    people::settle,
};

/// One attached part.
struct Attached<'a> {
    media_type: &'a str,
    content: &'a [u8],
}

fn mail(from: &str, headers: &str, words: &str, attached: &[Attached<'_>]) -> String {
    let mut mail = format!(
        "From: {from}\nTo: referrals@loopline.example\nDate: Sat, 21 Nov 2026 10:00:00 -0800\n{headers}MIME-Version: 1.0\n\
         Content-Type: multipart/mixed; boundary=xx\n\n--xx\nContent-Type: text/plain\n\n{words}\n"
    );
    for Attached { media_type, content } in attached {
        let encoded = base64::engine::general_purpose::STANDARD.encode(content);
        let lines: Vec<&str> = encoded.as_bytes().chunks(76).map(|chunk| std::str::from_utf8(chunk).unwrap()).collect();
        mail.push_str(&format!(
            "--xx\nContent-Type: {media_type}\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment; filename=\"Ottoline.bin\"\n\n{}\n",
            lines.join("\n")
        ));
    }
    mail.push_str("--xx--\n");
    mail
}

fn pdf(content: &[u8]) -> Attached<'_> {
    Attached { media_type: "application/pdf", content }
}

fn hl7(message: &str) -> Attached<'_> {
    Attached { media_type: "application/octet-stream", content: message.as_bytes() }
}

/// A scanned referral, and the family name that it says.
fn scanned() -> (Vec<u8>, Value) {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/fax-inbox/cedar-form.pdf");
    let expected: Value = serde_json::from_slice(&fs::read(sample.with_extension("expected.json")).unwrap()).unwrap();
    (fs::read(sample).unwrap(), expected["record"]["patient"]["name"]["family"].clone())
}

/// The value of a header, unfolded no further than its first line.
fn header<'m>(mail: &'m str, name: &str) -> &'m str {
    mail.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim).unwrap_or_default()
}

/// A referral by HL7 whose specialist was asked by mail; gives its reference and the request.
fn asked_by_mail(site: &Site) -> (String, String) {
    let answer = Peer::connect(&site.mllp()).send(&referral_message("M1", "P1", "Quillfeather")).unwrap();
    assert_eq!(field(&answer, "MSA", 1), "AA", "{answer}");
    let reference = site.referrals()[0]["reference"].as_str().unwrap().to_owned();
    assert!(wait_for(|| show(site, &reference)["status"] == "requested"), "{}", site.log());
    (reference, site.mails_out().remove(0))
}

fn show(site: &Site, reference: &str) -> Value {
    site.json(&["referrals", "show", reference, "--json"]).unwrap()["referral"].clone()
}

/// Waits until so many messages have been processed.
fn settled(site: &Site, count: usize) {
    let done = || site.messages().iter().filter(|message| message["state"] != "received").count() == count;
    assert!(wait_for(done), "{}\n{:#?}", site.log(), site.messages());
}

/// The address in `Reply-To`, apart: before the plus sign, the token, the domain.
fn way_back(request: &str) -> (String, String, String) {
    let address = header(request, "Reply-To").trim_matches(['<', '>']);
    let (local, domain) = address.split_once('@').unwrap();
    let (local, token) = local.split_once('+').unwrap();
    (local.to_owned(), token.to_owned(), domain.to_owned())
}

#[test]
fn a_referral_that_a_scanner_sent_is_read() {
    let site = Site::new();
    let _running = site.start();
    let (content, family) = scanned();
    let headers = "Return-Path: <>\nSubject: Scan from device 7\nAuto-Submitted: auto-generated\nPrecedence: bulk\n";
    let words = "This is an automated message. Last time it was LL-0000-0000.";
    site.drop_mail("m1", &mail("scanner@elm-street.example", headers, words, &[pdf(&content)]));
    settled(&site, 1);
    let referrals = site.referrals();
    assert_eq!(referrals.len(), 1, "{:#?}", site.messages());
    assert_eq!(referrals[0]["patient"]["name"]["family"], family);
}

#[test]
fn a_scan_of_two_patients_in_a_mail_is_taken_apart_as_a_person_says() {
    let site = Site::new();
    let _running = site.start();
    let scan = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/fax/batch-unsure.tif")).unwrap();
    let attached = Attached { media_type: "image/tiff", content: &scan };
    site.drop_mail("m1", &mail("office@family.example", "Subject: two referrals\n", "see attached", &[attached]));
    let held = || site.messages().into_iter().find(|one| one["state"] == "held");
    assert!(wait_for(|| held().is_some()), "{}", site.log());
    let held = held().unwrap();
    let documents: Vec<&Value> = held["pages"].as_array().unwrap().iter().map(|page| &page["document"]).collect();
    assert_eq!(documents, [1, 1, 2]);
    assert!(site.referrals().is_empty(), "nothing is made of what is not plain");
    let split = site.command().args(["messages", "split", held["id"].as_str().unwrap(), "1", "3"]).output().unwrap();
    assert!(split.status.success(), "{}", String::from_utf8_lossy(&split.stderr));
    assert!(wait_for(|| site.referrals().len() == 2), "{:#?}\n{}", site.messages(), site.log());

    let attached = || Attached { media_type: "image/tiff", content: &scan };
    let two = mail("office@family.example", "Subject: more\n", "see attached", &[attached(), attached()]);
    site.drop_mail("m2", &two);
    let held = || site.messages().into_iter().find(|one| one["state"] == "held");
    assert!(wait_for(|| held().is_some()), "{}", site.log());
    let split = site.command().args(["messages", "split", held().unwrap()["id"].as_str().unwrap(), "1"]).output().unwrap();
    let told = String::from_utf8_lossy(&split.stderr).into_owned();
    assert!(!split.status.success() && told.contains("without one document attached alone"), "{told}");
}

#[test]
fn what_asks_for_something_else_than_a_new_referral_waits_for_a_person() {
    let site = Site::new();
    let _running = site.start();
    let words = |asks: &str| {
        format!(
            "{asks}\n\nPatient: Ada Quillfeather\nDOB: 03/14/1956\nReferred to: Northside Heart Center\nSpecialty: Cardiology\nPriority: routine\nReason: chest pain"
        )
    };
    site.drop_mail(
        "m1",
        &mail("office@family.example", "Subject: referral\n", &words("Please cancel the referral for this patient."), &[]),
    );
    assert!(wait_for(|| site.referrals().len() == 1), "{}", site.log());
    let held = &site.referrals()[0];
    assert!(held["held"].to_string().contains("other-matter"), "{held:#}");
    let asked = || site.deliveries().iter().any(|one| one["purpose"] == "confirmation-request");
    assert!(!asked(), "nobody is asked about it");
    settle(&site, &[held["reference"].as_str().unwrap(), "confirm"]);
    assert!(!site.referrals()[0]["held"].to_string().contains("other-matter"));
}

#[test]
fn yes_below_a_quoted_line_and_words_that_were_struck_out_are_for_a_person() {
    let site = Site::new();
    let _running = site.start();
    let (reference, request) = asked_by_mail(&site);
    let from = header(&request, "To").trim_matches(['<', '>']).to_owned();
    let answer = |name: &str, kind: &str, body: &str| {
        let id = header(&request, "Message-ID");
        let token = header(&request, "Reply-To");
        site.drop_mail(
            name,
            &format!("From: {from}\nTo: {token}\nSubject: Re: {reference}\nIn-Reply-To: {id}\nMessage-ID: <{name}@desk.example>\nDate: Sat, 21 Nov 2026 10:00:00 -0800\nMIME-Version: 1.0\nContent-Type: text/{kind}; charset=utf-8\n\n{body}\n"),
        );
        let unclear = || {
            let shown = site.referrals().into_iter().find(|one| one["reference"] == *reference).unwrap();
            let pending = shown["pending_replies"].as_array().map_or(0, Vec::len);
            (shown["status"].clone(), pending)
        };
        let before = unclear().1;
        assert!(wait_for(|| unclear().1 == before + 1), "{name}: {:#?}\n{}", site.referrals(), site.log());
        assert_eq!(unclear().0, "requested", "{name}");
    };
    answer("r1", "plain", "> Wrong clinic.\nYes");
    answer("r2", "html", "<p><s>Booked for 12/14/2027 at 10:30 am.</s> Received.</p>");
}

#[test]
fn a_bad_attachment_is_shown_to_a_person_and_the_others_are_taken() {
    let site = Site::new();
    let _running = site.start();
    let (content, family) = scanned();
    let message = referral_message("M1", "P1", "Quillfeather");
    let attached = [pdf(b"%PDF-1.4\nthis is not the rest of a PDF\n"), hl7("MSH|"), pdf(&content), hl7(&message)];
    site.drop_mail("m1", &mail("office@family.example", "Subject: referrals\n", "please", &attached));
    settled(&site, 1);
    let families: Vec<Value> = site.referrals().iter().map(|one| one["patient"]["name"]["family"].clone()).collect();
    assert!(families.len() == 2 && families.contains(&family) && families.contains(&"Quillfeather".into()), "{families:?}");
    let taken = &site.messages()[0];
    assert_eq!(taken["state"], "held", "{taken:#}");
    let problems = taken["problems"].to_string();
    assert!(
        problems.contains("attachment 1: ") && problems.contains("attachment 2: ") && !problems.contains("Ottoline"),
        "{problems}"
    );
}

#[test]
fn hl7_that_a_stranger_mails_neither_cancels_nor_answers_nor_changes_a_referral() {
    let site = Site::new();
    let _running = site.start();
    let (reference, _) = asked_by_mail(&site);
    let again = referral_message("M2", "P1", "Mallory");
    let cancel = again.replace("REF^I12^REF_I12", "REF^I14^REF_I12");
    let answer = again
        .replace("REF^I12^REF_I12", "RRI^I12^RRI_I12")
        .replace("RF1|P", "MSA|AA|M1\rRF1|R")
        .replace("|20261121|20270521", &format!("|20261121|20270521|||{reference}^LOOPLINE"));
    for (name, message) in [("m1", &again), ("m2", &cancel), ("m3", &answer)] {
        site.drop_mail(name, &mail("x@elsewhere.example", &format!("Subject: {name}\n"), "see attached", &[hl7(message)]));
    }
    settled(&site, 4);
    let known = show(&site, &reference);
    assert_eq!(
        (&known["status"], &known["patient"]["name"]["family"]),
        (&"requested".into(), &"Quillfeather".into()),
        "{known:#}"
    );
    let others: Vec<Value> = site.referrals().into_iter().filter(|one| one["reference"] != reference.as_str()).collect();
    assert_eq!(others.len(), 1, "the new one stands for itself");
}

#[test]
fn a_mail_that_came_back_makes_its_delivery_dead_and_holds_the_referral() {
    let site = Site::new();
    let _running = site.start();
    let (reference, request) = asked_by_mail(&site);
    let (local, token, domain) = way_back(&request);
    let forged = format!("{local}+b-{}-aaaaaaaaaaaaaaaa@{domain}", reference.to_lowercase());
    site.drop_mail("b1", &bounce(&forged, "Subject: Referral\n"));
    settled(&site, 2);
    let untouched = show(&site, &reference);
    assert_eq!((&untouched["status"], untouched.get("held")), (&"requested".into(), None), "anybody can write a bounce");

    let returned: String = request.lines().take_while(|line| !line.is_empty()).map(|line| format!("{line}\n")).collect();
    site.drop_mail("b2", &bounce(&format!("{local}+b-{token}@{domain}"), &returned));
    settled(&site, 3);
    let delivery = site.deliveries().into_iter().find(|one| one["purpose"] == "confirmation-request").unwrap();
    assert_eq!(delivery["state"], "dead", "{:#?}", site.messages());
    assert!(delivery["reason"].as_str().unwrap().contains("5.1.1"), "{delivery:#}");
    let referral = show(&site, &reference);
    assert_eq!((&referral["status"], &referral["held"][0]), (&"requested".into(), &"dead-delivery".into()), "{referral:#}");

    // Nobody has it now: whoever confirms it has it asked again.
    settle(&site, &[&reference, "confirm"]);
    let requests = || site.deliveries().into_iter().filter(|one| one["purpose"] == "confirmation-request").collect::<Vec<_>>();
    assert!(wait_for(|| requests().iter().any(|one| one["state"] == "sent")), "{:#?}", requests());
    assert_eq!(requests().len(), 2);
}

#[test]
fn of_two_letters_to_one_desk_the_one_that_came_back_is_dead() {
    let site = Site::new();
    let _running = site.start();
    let (reference, _) = asked_by_mail(&site);
    let urgent = referral_message("M2", "P1", "Quillfeather").replace("REF^I12^REF_I12", "REF^I13^REF_I12");
    Peer::connect(&site.mllp()).send(&urgent.replace("R^Routine", "S^STAT")).unwrap();
    assert!(wait_for(|| site.mails_out().len() == 2), "{:#?}", site.deliveries());
    let purpose_of = |mail: &str| {
        let sent = site.deliveries().into_iter().find(|one| mail.contains(&one["id"].as_str().unwrap().to_lowercase()));
        sent.unwrap()["purpose"].as_str().unwrap().to_owned()
    };
    let update = site.mails_out().into_iter().find(|mail| purpose_of(mail) == "update").unwrap();
    let (local, token, domain) = way_back(&update);
    let returned: String = update.lines().take_while(|line| !line.is_empty()).map(|line| format!("{line}\n")).collect();
    site.drop_mail("b1", &bounce(&format!("{local}+b-{token}@{domain}"), &returned));
    let dead = || site.deliveries().into_iter().filter(|one| one["state"] == "dead").collect::<Vec<_>>();
    assert!(wait_for(|| !dead().is_empty()), "{:#?}", site.messages());
    assert_eq!((dead().len(), &dead()[0]["purpose"]), (1, &"update".into()), "{reference}: {:#?}", dead());
}

#[test]
fn a_bounce_that_names_none_of_two_letters_is_read_by_a_person() {
    let site = Site::new();
    let _running = site.start();
    let (_, request) = asked_by_mail(&site);
    let urgent = referral_message("M2", "P1", "Quillfeather").replace("REF^I12^REF_I12", "REF^I13^REF_I12");
    Peer::connect(&site.mllp()).send(&urgent.replace("R^Routine", "S^STAT")).unwrap();
    assert!(wait_for(|| site.mails_out().len() == 2), "{:#?}", site.deliveries());
    let (local, token, domain) = way_back(&request);
    site.drop_mail("b1", &bounce(&format!("{local}+b-{token}@{domain}"), "Subject: Referral\n"));
    let held = || site.messages().into_iter().find(|one| one["state"] == "held");
    assert!(wait_for(|| held().is_some()), "{:#?}", site.messages());
    assert!(held().unwrap()["reason"].as_str().unwrap().contains("which of several letters"), "{:#?}", held());
    assert!(site.deliveries().iter().all(|one| one["state"] == "sent"), "{:#?}", site.deliveries());
}

#[test]
fn an_acknowledgement_that_came_back_was_not_delivered() {
    let site = Site::new();
    let _running = site.start();
    site.drop_mail(
        "m1",
        "From: office@elm-street.example\nTo: referrals@loopline.example\nSubject: referral\nMessage-ID: <m1@elm-street.example>\n\
         Date: Sat, 21 Nov 2026 10:00:00 -0800\n\nPatient: Ottoline Quill\nDOB: 02/14/1962\nPriority: routine\nSpecialty: Cardiology\nReason: palpitations\n",
    );
    let to_sender = |mail: &String| mail.contains("To: office@elm-street.example");
    assert!(wait_for(|| site.mails_out().iter().any(to_sender)), "{:#?}\n{}", site.messages(), site.log());
    let acknowledgement = site.mails_out().into_iter().find(to_sender).unwrap();
    let (local, token, domain) = way_back(&acknowledgement);
    let returned: String = acknowledgement.lines().take_while(|line| !line.is_empty()).map(|line| format!("{line}\n")).collect();
    let came_back = bounce(&format!("{local}+b-{token}@{domain}"), &returned);
    site.drop_mail("b1", &came_back.replace("desk@northside-heart.example", "office@elm-street.example"));
    let standing = || site.messages().into_iter().find(|one| one["kind"] == "referral").unwrap()["acknowledgement"].clone();
    assert!(wait_for(|| standing() == "undelivered"), "{:#?}", site.messages());
}

/// What Postfix sends to an envelope sender (RFC 3464) when the specialist's server knows no such mailbox.
fn bounce(envelope_sender: &str, returned_headers: &str) -> String {
    format!(
        "Return-Path: <>\nFrom: MAILER-DAEMON@mx.loopline.example (Mail Delivery System)\nSubject: Undelivered Mail Returned to Sender\n\
         To: {envelope_sender}\nDate: Sun, 22 Nov 2026 10:00:00 +0000\nAuto-Submitted: auto-replied\nMIME-Version: 1.0\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=\"B1/mx.loopline.example\"\n\n\
         This is a MIME-encapsulated message.\n\n--B1/mx.loopline.example\nContent-Description: Notification\nContent-Type: text/plain; charset=us-ascii\n\n\
         This is the mail system at host mx.loopline.example.\n\nI'm sorry to have to inform you that your message could not\nbe delivered to one or more recipients.\n\n\
         <desk@northside-heart.example>: host mx.northside-heart.example said: 550 5.1.1\n    User unknown (in reply to RCPT TO command)\n\n\
         --B1/mx.loopline.example\nContent-Description: Delivery report\nContent-Type: message/delivery-status\n\n\
         Reporting-MTA: dns; mx.loopline.example\nX-Postfix-Sender: rfc822; {envelope_sender}\n\n\
         Final-Recipient: rfc822; desk@northside-heart.example\nOriginal-Recipient: rfc822;desk@northside-heart.example\n\
         Action: failed\nStatus: 5.1.1\nRemote-MTA: dns; mx.northside-heart.example\nDiagnostic-Code: smtp; 550 5.1.1 User unknown\n\n\
         --B1/mx.loopline.example\nContent-Description: Undelivered Message Headers\nContent-Type: text/rfc822-headers\n\n{returned_headers}\n\
         --B1/mx.loopline.example--\n"
    )
}
