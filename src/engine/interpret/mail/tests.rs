//! Mails with attached HL7 and documents, read as the engine does; the documents by a reader process that always dies.

use std::path::{Path, PathBuf};

use super::*;
use crate::{
    reader::ReaderOptions,
    referral::{HeldReason, Reference, Token},
};

fn key() -> TokenKey {
    TokenKey::new([7; 32])
}

fn token() -> Token {
    key().token(&"LL-0000-0000".parse::<Reference>().unwrap())
}

fn dying_reader() -> ReaderPool {
    let executable = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/engine/interpret/mail/dying-reader.sh");
    ReaderPool::new(ReaderOptions { executable, ..ReaderOptions::default() })
}

async fn read_with(reader: ReaderPool, mail: &str, trusted_sender: bool, last_attempt: bool) -> Result<Vec<Found>, Unread> {
    let (key, settings) = (key(), crate::config::Config::defaults().settings);
    let reading = MailReading {
        reader: &reader,
        key: Some(&key),
        settings: &settings,
        documents: crate::normalize::fax::FaxRules { key: Some(key.clone()), ..Default::default() },
        hl7: Hl7Rules::default(),
        now: "2026-11-21T18:00:00Z".parse().unwrap(),
        trusted_sender,
        split: None,
        last_attempt,
    };
    let mail = mail.replace("TOKEN", token().as_str()).replace('\n', "\r\n");
    reading.read(mail.as_bytes()).await
}

/// Reads a mail whose documents all break the reading, at the last attempt.
async fn read(mail: &str, trusted_sender: bool) -> Vec<Found> {
    read_with(dying_reader(), mail, trusted_sender, true).await.ok().expect("the mail is read")
}

fn mail(words: &str, attached: &[&str]) -> String {
    let head = "From: office@family.example\nTo: referrals@clinic.example\nSubject: mail\nDate: Sat, 21 Nov 2026 10:00:00 -0800\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n";
    let mut mail = format!("{head}--b\nContent-Type: text/plain\n\n{words}\n");
    for content in attached {
        mail.push_str(&format!(
            "--b\nContent-Type: application/octet-stream\nContent-Disposition: attachment; filename=\"Quillfeather Ada.dat\"\n\n{content}\n"
        ));
    }
    mail.push_str("--b--\n");
    mail
}

const PDF: &str = "%PDF-1.7 x";

fn hl7(event: &str, placer: &str) -> String {
    format!(
        "MSH|^~\\&|EHR|STMARY|LOOPLINE|SITE|20261121093000-0800||REF^{event}^REF_I12|M-{event}-{placer}|P|2.5.1\nRF1|P|R^Routine||||{placer}^STMARY|20261121\nPRD|RP|Whitcombe^Harriet\nPRD|RT|Adler^Jonas\nPID|1||MR-1^^^STMARY^MR||Quillfeather^Ada||19620214|F"
    )
}

fn answer() -> String {
    hl7("I12", "P1").replace("REF^I12^REF_I12", "RRI^I12^RRI_I12").replace("RF1|P|", "MSA|AA|X\nRF1|A|")
}

fn kinds(found: &[Found]) -> Vec<Kind> {
    found.iter().map(|one| one.outcome.kind).collect()
}

#[tokio::test]
async fn what_a_stranger_attaches_is_at_most_a_new_referral() {
    for trusted in [false, true] {
        let found = read(&mail("please", &[&hl7("I12", "P1")]), trusted).await;
        assert_eq!(kinds(&found), [Kind::Referral]);
        assert_eq!((found[0].doubt, found[0].keys.is_empty()), (None, !trusted), "only a known sender's numbers name a referral");
        for other in [hl7("I13", "P1"), hl7("I14", "P1"), hl7("I15", "P1"), answer()] {
            let found = read(&mail("please", &[&other]), trusted).await;
            assert!(found.len() == 1 && found[0].doubt.is_some(), "{other}");
            assert_eq!(found[0].keys.is_empty(), !trusted);
        }
    }
}

#[tokio::test]
async fn every_message_of_an_attached_batch_is_read_and_a_number_names_one_referral() {
    let batch = format!("FHS|^~\\&\nBHS|^~\\&\n{}\n{}\n{}\nBTS|3", hl7("I12", "P1"), hl7("I12", "P2"), hl7("I12", "P1"));
    let found = read(&mail("please", &[&batch]), true).await;
    assert_eq!(kinds(&found), [Kind::Referral; 3]);
    assert_eq!(found.iter().map(|one| one.keys.is_empty()).collect::<Vec<_>>(), [false, false, true]);
}

#[tokio::test]
async fn a_bad_attachment_does_not_lose_the_others_and_is_named_by_its_position() {
    let bad =
        mail("please", &["MSH|", PDF, &hl7("I12", "P1"), "MSH|^~\\&|EHR|STMARY|LOOPLINE|SITE|20261121||ADT^A01|M9|P|2.5.1"]);
    let found = read(&bad, false).await;
    assert_eq!(kinds(&found), [Kind::Referral, Kind::Unknown, Kind::Unknown, Kind::Unknown]);
    let text: Vec<&str> = found.iter().flat_map(|one| &one.outcome.problems).map(|problem| problem.message.as_str()).collect();
    for position in ["attachment 1: ", "attachment 2: ", "attachment 4: "] {
        assert!(text.iter().any(|message| message.starts_with(position)), "{text:#?}");
    }
    assert!(!text.iter().any(|message| message.contains("Quillfeather")), "a name of a file can be a patient's");
}

#[tokio::test]
async fn a_reading_that_breaks_off_is_tried_again_before_the_part_is_given_up() {
    let both = mail("please", &[PDF, &hl7("I12", "P1")]);
    assert!(matches!(read_with(dying_reader(), &both, false, false).await, Err(Unread::Broke(_))));
    let none = ReaderPool::new(ReaderOptions { executable: PathBuf::from("/missing"), ..ReaderOptions::default() });
    assert!(matches!(read_with(none, &both, false, true).await, Err(Unread::NoMeans(_))), "that is not the mail's fault");
    assert_eq!(kinds(&read(&both, false).await), [Kind::Referral, Kind::Unknown]);
}

#[tokio::test]
async fn an_old_reference_beside_a_new_referral_is_no_reply_and_a_token_is_one_for_a_person() {
    let words = "received, booked for 12/14/2026 10:30";
    let old = read(&mail(&format!("{words} LL-0000-0000"), &[&hl7("I12", "P1")]), false).await;
    assert_eq!(kinds(&old), [Kind::Referral]);
    assert!(old[0].outcome.problems.iter().any(|problem| problem.code == "reference-not-taken"));
    let both = read(&mail(&format!("{words} TOKEN"), &[&hl7("I12", "P1")]), false).await;
    assert_eq!(kinds(&both), [Kind::Referral, Kind::Reply]);
    assert_eq!((both[0].doubt, both[1].doubt), (None, Some(Doubt::BringsDocuments.as_str())));
    let looked_at = both[1].clone().into_shown();
    assert!(looked_at.problems.iter().any(|problem| problem.code == "held"), "who only looks sees why");
    // A document that says nothing does not silence the words.
    let unread = read(&mail(&format!("{words} LL-0000-0000"), &[PDF]), false).await;
    assert_eq!(kinds(&unread), [Kind::Unknown, Kind::Reply]);
    assert_eq!(unread[1].doubt, Some(Doubt::ReferenceOnly.as_str()));
}

#[tokio::test]
async fn one_mail_answers_a_referral_once() {
    let quoting = answer().replace("P1^STMARY|", "P1^STMARY|20261121||||LL-0000-0000^LOOPLINE|");
    let found = read(&mail("received, booked for 12/14/2026 10:30 TOKEN", &[&quoting]), false).await;
    let replies: Vec<&Found> = found.iter().filter(|one| one.outcome.reply.is_some()).collect();
    assert_eq!(replies.len(), 1, "{:?}", kinds(&found));
    assert_eq!(replies[0].outcome.reply.as_ref().unwrap().outcome, ReplyOutcome::Scheduled);
    assert!(replies[0].doubt.is_some());
}

#[tokio::test]
async fn a_referral_in_words_is_taken_where_what_is_attached_is_none() {
    let words = "Patient: Quill, Ada\nDOB: 03/09/1961\nReason: palpitations\n";
    assert_eq!(kinds(&read(&mail(words, &[PDF]), false).await), [Kind::Referral, Kind::Unknown]);
}

#[tokio::test]
async fn words_about_another_patient_than_what_is_attached_are_a_referral_of_their_own_and_a_person_sees_both() {
    let words = "Patient: Quill, Ada\nDOB: 03/09/1961\nReason: palpitations\n";
    let found = read(&mail(words, &[&hl7("I12", "P1")]), false).await;
    assert_eq!(kinds(&found), [Kind::Referral; 2]);
    for one in &found {
        assert!(one.outcome.record.as_ref().unwrap().held.contains(&HeldReason::SecondPatient));
    }
}

#[tokio::test]
async fn what_a_mail_says_beside_a_referral_that_is_attached_is_kept_and_a_warning_is_for_a_person() {
    for (words, notes, held) in [
        ("Please see the attached referral.", 0, &[][..]),
        ("She prefers mornings.", 1, &[][..]),
        ("Patient: Quillfeather, Ada\nDOB: 02/14/1962\nReferral", 0, &[][..]),
        ("Please do NOT process the attached referral, it was sent in error.", 1, &[HeldReason::OtherMatter][..]),
        ("Patient: Quillfeather, Ada\nReason: palpitations\nPriority: stat", 1, &[HeldReason::OtherMatter][..]),
    ] {
        let found = read(&mail(words, &[&hl7("I12", "P1")]), false).await;
        assert_eq!(kinds(&found), [Kind::Referral], "{words}");
        let record = found[0].outcome.record.as_ref().unwrap();
        assert_eq!((record.notes.len(), record.held.as_slice()), (notes, held), "{words}");
    }
}

/// A mail of these parts, each with its own head.
fn of_parts(parts: &[&str]) -> String {
    let head = "From: office@family.example\nTo: referrals@clinic.example\nSubject: Referral\nDate: Sat, 21 Nov 2026 10:00:00 -0800\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n";
    format!("{head}{}--b--\n", parts.iter().map(|part| format!("--b\n{part}\n")).collect::<String>())
}

#[tokio::test]
async fn a_warning_counts_wherever_in_the_mail_it_stands() {
    const SEE: &str = "Content-Type: text/plain\n\nPlease see attached.";
    let hl7 =
        format!("Content-Type: application/hl7-v2\nContent-Disposition: attachment; filename=r.hl7\n\n{}", hl7("I12", "P1"));
    let held = |found: &[Found]| -> Vec<HeldReason> {
        found.iter().filter_map(|one| one.outcome.record.as_ref()).flat_map(|record| record.held.clone()).collect()
    };
    assert_eq!(held(&read(&of_parts(&[SEE, &hl7]), false).await), []);
    let within = "Content-Type: message/rfc822\n\nFrom: a@family.example\nSubject: Referral\nContent-Type: text/plain\n\nSorry, wrong patient.";
    let subject_within =
        "Content-Type: message/rfc822\n\nFrom: a@family.example\nSubject: Please hold\nContent-Type: text/plain\n\nSee attached.";
    let shown = "Content-Type: multipart/alternative; boundary=c\n\n--c\nContent-Type: text/plain\n\nPlease see attached.\n--c\nContent-Type: text/html\n\n<p>Please see attached.</p><p>Cancel it.</p>\n--c--";
    let text = "Content-Type: text/plain; name=note.txt\nContent-Disposition: attachment; filename=note.txt\n\nDo not schedule.";
    let named =
        "Content-Type: application/pdf; name=x\nContent-Disposition: attachment; filename=\"CANCELLED.pdf\"\n\n%PDF-1.7 x";
    for part in [within, subject_within, shown, text, named] {
        let found = read(&of_parts(&[SEE, &hl7, part]), false).await;
        assert_eq!(held(&found), [HeldReason::OtherMatter], "{part}");
    }
    let unread = "Content-Type: application/msword\nContent-Disposition: attachment; filename=c.doc\n\nxxxx";
    assert_eq!(held(&read(&of_parts(&[SEE, &hl7, unread]), false).await), [HeldReason::NotAllRead]);
    let long = format!(
        "Content-Type: text/plain\nContent-Disposition: attachment; filename=c.txt\n\n{}",
        "See attached. ".repeat(9_000)
    );
    assert_eq!(held(&read(&of_parts(&[SEE, &hl7, &long]), false).await), [HeldReason::NotAllRead], "it is not looked through");
    let cut = format!("Content-Type: text/plain\n\n{}", "Please see attached. ".repeat(9_000));
    assert!(held(&read(&of_parts(&[&cut, &hl7]), false).await).contains(&HeldReason::NotAllRead), "its end may say more");
    // Beside an answer of ours, quoted or by its token, and from a copier.
    for words in
        ["Sorry, this is the wrong patient. LL-0000-0000", "This is for another patient. TOKEN", "She prefers mornings. TOKEN"]
    {
        let found = read(&of_parts(&[&format!("Content-Type: text/plain\n\n{words}"), &hl7]), false).await;
        assert!(held(&found).contains(&HeldReason::OtherMatter), "{words}");
    }
    let copier =
        of_parts(&["Content-Type: text/plain\n\nSent in error, please disregard.", &hl7]).replace("office@", "no-reply@");
    assert_eq!(held(&read(&copier, false).await), [HeldReason::OtherMatter]);
}
