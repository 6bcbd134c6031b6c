//! Whole mails, as mail programs and servers write them.

use jiff::Timestamp;

use super::*;
use crate::compose::cover_page::Withdrawn;

fn key() -> TokenKey {
    TokenKey::new([7; 32])
}

fn token() -> Token {
    key().token(&"LL-0000-0000".parse::<Reference>().unwrap())
}

fn outcome_of(raw: &str) -> MailOutcome {
    let raw = raw.replace("TOKEN", token().as_str()).replace('\n', "\r\n");
    let mail = read(raw.as_bytes(), MailLimits::default());
    let (key, now) = (key(), "2026-11-21T18:00:00Z".parse::<Timestamp>().unwrap());
    normalize(&mail, &MailRules { key: Some(&key), now, time_zone: &TimeZone::UTC, region: "US", site_name: "Loopline" })
}

const PLAIN_REPLY: &str = "From: Maria Gomez <desk@cardio.example>\nTo: <Referrals+TOKEN@clinic.example>\nSubject: Re: Referral\nDate: Sat, 21 Nov 2026 10:00:00 -0800\nMessage-ID: <1@cardio.example>\n\nyes, received, booked for 12/14/2026 10:30\n\nOn Fri, Nov 20, 2026 Loopline <r@clinic.example> wrote:\n> Loopline sent you a patient referral.\n>\n> Please answer this mail in your own words, above this text. For example:\n>\n>   Received.\n>   Received, booked for 12/14/2026 at 10:30 am.\n>   We accept, will call the patient.\n>   We decline this referral because ...\n>   Please send the labs.\n>   Wrong clinic.\n>\n> One answer with one date is enough.\n";

#[test]
fn a_plain_reply_is_matched_by_its_token_and_read() {
    let found = outcome_of(PLAIN_REPLY);
    let reply = found.outcome.reply.unwrap();
    assert_eq!(found.outcome.kind, Kind::Reply);
    assert_eq!(reply.outcome, ReplyOutcome::Scheduled);
    assert_eq!(reply.appointment.unwrap().at.as_str(), "2026-12-14T10:30");
    assert_eq!(reply.matched_by.as_deref(), Some("token"));
    assert_eq!(found.doubt, None);
    assert_eq!(found.sender, "desk@cardio.example");
}

#[test]
fn a_letter_about_another_referral_that_is_quoted_makes_the_reply_unclear() {
    let quoting = |reference: &str| {
        let mail = PLAIN_REPLY.replace("> Loopline sent you a patient referral.", &format!("> Reference: {reference}"));
        outcome_of(&mail).outcome.reply.unwrap().outcome
    };
    assert_eq!(quoting("LL-0000-0000"), ReplyOutcome::Scheduled);
    assert_eq!(quoting("LL-CGA4-W0KJ"), ReplyOutcome::Unclear);
}

#[test]
fn a_birth_date_in_the_subject_is_compared_too() {
    let mail = PLAIN_REPLY.replace("Re: Referral", "Re: Referral (DOB 1/2/1933)");
    assert_eq!(outcome_of(&mail).outcome.reply.unwrap().compare.born.as_deref(), Some("1/2/1933"));
}

#[test]
fn an_appointment_is_read_where_the_mail_program_broke_its_line() {
    let flowed = PLAIN_REPLY
        .replace("\n\nyes", "\nContent-Type: text/plain; charset=utf-8; format=flowed\n\nyes")
        .replace("12/14/2026 10:30", "12/14/2026 \n10:30");
    let reply = outcome_of(&flowed).outcome.reply.unwrap();
    assert_eq!(reply.appointment.unwrap().at.as_str(), "2026-12-14T10:30");
}

#[test]
fn a_subject_that_says_something_else_makes_the_reply_unclear() {
    let outcome = |subject: &str, words: &str| {
        let mail = PLAIN_REPLY.replace("Re: Referral", subject).replace("yes, received, booked for 12/14/2026 10:30", words);
        outcome_of(&mail).outcome.reply.unwrap().outcome
    };
    let ours = "Re: Referral LL-0000-0000: please confirm receipt [TOKEN]";
    for subject in [ours, "RE: [EXTERNAL] Referral LL-0000-0000: please confirm receipt [TOKEN]", "received", "your referral", ""]
    {
        assert_eq!(outcome(subject, "Received"), ReplyOutcome::Received, "{subject}");
    }
    for withdrawn in [Withdrawn::BySender, Withdrawn::Merged, Withdrawn::Rejected, Withdrawn::SentElsewhere] {
        // Some mail programs cut a long subject off.
        let subject = format!("Re: Referral LL-0000-0000: {}", withdrawn.in_short());
        assert_eq!(outcome(&subject, "Confirmed"), ReplyOutcome::Received, "{subject}");
    }
    for subject in [
        "DECLINED - {}",
        "{} - WRONG PATIENT",
        "Scheduled {}",
        "{} cancelled",
        "Undeliverable: {}",
        "Recall: {}",
        "SMITH, JOHN DOB 1/2/1950 {}",
        "Standby {}",
        "{} ???",
        "Re: FW: {}",
    ] {
        let subject = subject.replace("{}", ours);
        assert_eq!(outcome(&subject, "Received"), ReplyOutcome::Unclear, "{subject}");
    }
    assert_eq!(outcome("Scheduled", "Booked for 12/14/2026 10:30"), ReplyOutcome::Scheduled);
}

#[test]
fn a_text_and_an_html_that_differ_are_for_a_person() {
    let outcome = |html: &str| {
        let parts = format!(
            "\nContent-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/plain\n\nyes, received, booked for 12/14/2026 \
             10:30\n--b\nContent-Type: text/html\n\n{html}\n--b--\n"
        );
        let mail = PLAIN_REPLY.replace("\n\nyes, received, booked for 12/14/2026 10:30", &parts);
        outcome_of(&mail).outcome.reply.unwrap().outcome
    };
    assert_eq!(outcome("<p>yes, received, booked for 12/14/2026 10:30</p>"), ReplyOutcome::Scheduled);
    for html in
        ["<p>Declined</p>", "<p>Booked for 12/15/2026 10:30</p>", "<p>yes, received, <s>booked for 12/14/2026 10:30</s></p>"]
    {
        assert_eq!(outcome(html), ReplyOutcome::Unclear, "{html}");
    }
    assert_eq!(
        outcome_of(&PLAIN_REPLY.replace("\n\nyes,", "\nContent-Type: text/html\n\n<input type=\"checkbox\" id=\"a\"> "))
            .outcome
            .reply
            .unwrap()
            .outcome,
        ReplyOutcome::Unclear
    );
}

#[test]
fn who_refers_is_read_with_what_stands_behind_the_name() {
    let read = |referring: &str| {
        let words = format!("Patient: Ada Quill\nDOB: 03/14/1956\nReason: palpitations\nReferring: {referring}\n");
        let today = jiff::civil::date(2026, 11, 21);
        referral::read(&words, "Referral", crate::normalize::DateOrder::MonthFirst, today, "US").unwrap()
    };
    for (referring, npi, practice) in [
        ("Dr. Jesus Phillips", None, None),
        ("Dr. Jesus Phillips NPI 1234567893, fax 212-555-8888", Some("1234567893"), None),
        ("Dr. Jesus Phillips (Richardside Medical)", None, Some("Richardside Medical")),
        ("Jesus Phillips, MD, FACC", None, None),
        ("Phillips, Jesus, M.D. - office 212-555-8888", None, None),
    ] {
        let record = read(referring);
        let name = &record.referring.name;
        assert_eq!((name.family.as_deref(), name.given.as_deref()), (Some("Phillips"), Some("Jesus")), "{referring}");
        assert_eq!((record.referring.npi.as_deref(), record.referring.organization.as_deref()), (npi, practice), "{referring}");
        assert!(!record.review.iter().any(|path| path.starts_with("referring")), "{referring}");
    }
    for doubtful in ["Dr. Jesus Phillips of Richardside", "Richardside Medical Group Practice", "Dr. Phillips"] {
        assert!(read(doubtful).review.iter().any(|path| path == "referring.name.family"), "{doubtful}");
    }
}

#[test]
fn a_message_in_utf_16_is_read_from_an_attachment() {
    let message = "MSH|^~\\&|A|B|C|D|20261120||REF^I12^REF_I12|1|P|2.5.1\r";
    let wide: Vec<u8> = message.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let hex: String = wide.iter().map(|byte| format!("={byte:02X}")).collect();
    let raw = format!(
        "From: a@b.example\r\nSubject: x\r\nMIME-Version: 1.0\r\nContent-Type: application/octet-stream; name=\"r.hl7\"\r\n\
         Content-Disposition: attachment; filename=\"r.hl7\"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n{hex}\r\n"
    );
    let mail = read(raw.as_bytes(), MailLimits::default());
    assert!(mail.parts[0].is_hl7());
    assert!(mail.parts[0].content.starts_with(message.as_bytes()));
}

#[test]
fn the_token_is_found_in_subject_message_id_and_quoted_text_and_in_any_case() {
    let plain = "From: desk@cardio.example\nTo: referrals@clinic.example\nSubject: Re: your referral\n\nreceived, thanks\n";
    for mail in [
        plain.replace("Re: your referral", "Re: Referral LL-0000-0000: please confirm receipt [TOKEN]"),
        plain.replace("Subject", "In-Reply-To: <TOKEN.01abc@clinic.example>\nSubject"),
        plain.replace("Subject", "References: <a@b.example> <TOKEN.01abc@clinic.example>\nSubject"),
        format!("{plain}\n> Referral [TOKEN]\n"),
        plain.replace("Subject", &format!("Delivered-To: referrals+{}@clinic.example\nSubject", token().as_str().to_uppercase())),
    ] {
        let found = outcome_of(&mail);
        assert_eq!(found.outcome.reply.unwrap().outcome, ReplyOutcome::Received, "{mail}");
        assert_eq!((found.token, found.doubt), (Some(token()), None), "{mail}");
    }
}

#[test]
fn a_bare_reference_or_a_forged_token_only_proposes_a_match() {
    let bare = outcome_of("From: x@y.example\nSubject: LL-0000-0000\n\nreceived, thanks\n");
    assert_eq!(bare.doubt, Some(Doubt::ReferenceOnly));
    assert_eq!(bare.outcome.reply.unwrap().matched_by.as_deref(), Some("reference"));
    let forged = outcome_of("From: x@y.example\nTo: r+ll-0000-0000-aaaaaaaaaaaaaaaa@clinic.example\nSubject: x\n\nreceived\n");
    assert_eq!((forged.token, forged.doubt), (None, Some(Doubt::ReferenceOnly)));
}

#[test]
fn a_token_from_somebody_who_was_not_asked_goes_to_a_person() {
    let mut found = outcome_of(PLAIN_REPLY);
    found.expect_sender(&["Front@Cardio.example"]);
    assert_eq!(found.doubt, None);
    found.expect_sender(&["desk@other.example"]);
    assert_eq!(found.doubt, Some(Doubt::UnexpectedSender));
    assert_eq!(found.outcome.reply.unwrap().matched_by.as_deref(), Some("reference"));
    assert!(!same_desk("a@gmail.com", "b@gmail.com"));
}

#[test]
fn two_referrals_in_one_mail_and_a_forwarded_answer_are_unclear() {
    let other = Reference::generate();
    let two = outcome_of(&PLAIN_REPLY.replace("booked", &format!("and {other} too, booked")));
    assert_eq!(two.doubt, Some(Doubt::SeveralReferrals));
    assert_eq!(two.outcome.reply.unwrap().outcome, ReplyOutcome::Unclear);
    let forwarded = outcome_of(&PLAIN_REPLY.replace("Re: Referral", "Fwd: Referral"));
    assert_eq!(forwarded.outcome.reply.unwrap().outcome, ReplyOutcome::Unclear);
}

#[test]
fn automatic_answers_are_no_replies_and_a_shared_desks_list_headers_are_no_sign() {
    for header in [
        "Auto-Submitted: auto-replied",
        "Auto-Submitted: Auto-Generated; x=y",
        "Precedence: bulk",
        "X-Autoreply: yes",
        "Return-Path: <>",
    ] {
        assert_eq!(
            outcome_of(&PLAIN_REPLY.replace("Subject", &format!("{header}\nSubject"))).outcome.kind,
            Kind::AutoReply,
            "{header}"
        );
    }
    for subject in ["Automatic reply: Referral", "Out of Office", "Abwesenheitsnotiz: x", "Réponse automatique : x"] {
        assert_eq!(outcome_of(&PLAIN_REPLY.replace("Re: Referral", subject)).outcome.kind, Kind::AutoReply, "{subject}");
    }
    let ticket = PLAIN_REPLY.replace("yes, received, booked", "Your ticket #12345 has been created");
    assert_eq!(outcome_of(&ticket).outcome.kind, Kind::AutoReply);
    for header in ["Auto-Submitted: no", "Precedence: list", "X-Auto-Response-Suppress: All"] {
        assert_eq!(
            outcome_of(&PLAIN_REPLY.replace("Subject", &format!("{header}\nSubject"))).outcome.kind,
            Kind::Reply,
            "{header}"
        );
    }
}

#[test]
fn a_bounce_names_its_delivery_and_brings_no_documents_back() {
    let found = outcome_of(
        "Return-Path: <>\nFrom: Mail Delivery System <Mailer-Daemon@mail.test.example>\nTo: r+b-TOKEN@clinic.example\nSubject: Mail delivery failed\nMIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\nContent-Type: text/plain\n\nfailed\n\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mail.test.example\n\nAction: failed\nFinal-Recipient: rfc822;desk@cardio.example\nStatus: 5.1.1\n\n--b\nContent-Type: message/rfc822\n\nSubject: Referral [TOKEN]\nContent-Type: application/pdf\n\n%PDF-1.7 x\n--b--\n",
    );
    assert_eq!(found.outcome.kind, Kind::Bounce);
    let bounce = found.outcome.bounce.unwrap();
    assert_eq!((bounce.recipient.as_str(), bounce.permanent), ("desk@cardio.example", true));
    assert_eq!(bounce.reference.as_deref(), Some("LL-0000-0000"), "the referral's, as the engine looks for it");
    assert!(found.documents.is_empty());
}

#[test]
fn a_bounce_without_a_token_of_ours_names_no_referral() {
    let forged = "Return-Path: <>\nFrom: Mailer-Daemon@x.example\nTo: r+b-ll-0000-0000-aaaaaaaaaaaaaaaa@clinic.example\nSubject: Mail delivery failed\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\nContent-Type: text/plain\n\nfailed: LL-0000-0000\n\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; x.example\n\nAction: failed\nFinal-Recipient: rfc822;desk@cardio.example\nStatus: 5.1.1\n\n--b--\n";
    let found = outcome_of(forged);
    assert_eq!(found.outcome.kind, Kind::Bounce);
    assert_eq!(found.outcome.bounce.unwrap().reference, None);
}

/// A mail that carries a PDF, with further header lines.
fn with_pdf(headers: &str, words: &str) -> String {
    format!(
        "From: scanner@family.example\nTo: referrals@clinic.example\n{headers}MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\n{words}\n--b\nContent-Type: application/pdf; name=scan.pdf\nContent-Disposition: attachment; filename=scan.pdf\n\n%PDF-1.7 x\n--b--\n"
    )
}

#[test]
fn a_scanners_mail_is_no_automatic_answer_and_its_document_is_handed_on() {
    for headers in [
        "Auto-Submitted: auto-generated\nSubject: Scan\n",
        "Precedence: bulk\nSubject: Fax from +15035550142\n",
        "Return-Path: <>\nSubject: Scan\n",
        "Subject: Automatic reply: fax\n",
    ] {
        let found = outcome_of(&with_pdf(headers, "This is an automated message. LL-0000-0000"));
        assert_eq!((found.outcome.kind, found.documents.len()), (Kind::Unknown, 1), "{headers}");
    }
    // What only looks like a bounce keeps what it brings as well.
    let robot = with_pdf("Return-Path: <>\nX-Failed-Recipients: desk@cardio.example\nSubject: Mail delivery failed\n", "failed");
    let found = outcome_of(&robot);
    assert_eq!((found.outcome.kind, found.documents.len()), (Kind::Bounce, 1));
    let logo =
        with_pdf("Auto-Submitted: auto-replied\nSubject: Out of office\n", "I am away").replace("%PDF-1.7", "\u{7f}GIF89a");
    assert_eq!(outcome_of(&logo).outcome.kind, Kind::AutoReply);
}

#[test]
fn a_reply_that_brings_a_document_goes_to_a_person() {
    let found = outcome_of(&with_pdf("Subject: Re: Referral [TOKEN]\n", "received, booked for 12/14/2026 10:30"));
    assert_eq!((found.outcome.kind, found.doubt), (Kind::Reply, Some(Doubt::BringsDocuments)));
    assert_eq!(found.documents.len(), 1);
    let letter =
        with_pdf("Subject: Re: Referral [TOKEN]\n", "Accepted.").replace("%PDF-1.7", "Dear doctor").replace("/pdf", "/msword");
    assert_eq!(outcome_of(&letter).doubt, Some(Doubt::BringsDocuments), "what it says was not read");
}

#[test]
fn a_read_receipt_is_no_answer_and_a_forwarded_bounce_is_no_bounce() {
    let receipt = "From: desk@cardio.example\nTo: r+TOKEN@clinic.example\nSubject: Read: Referral\nContent-Type: multipart/report; report-type=disposition-notification; boundary=b\n\n--b\nContent-Type: text/plain\n\nYour message was received and displayed.\n--b\nContent-Type: message/disposition-notification\n\nDisposition: manual-action/MDN-sent-manually; displayed\n--b--\n";
    assert_eq!(outcome_of(receipt).outcome.kind, Kind::AutoReply);
    let forwarded = with_pdf("Subject: new patient\n", "see the scan; the fax bounced, see below").replace(
        "--b--",
        "--b\nContent-Type: message/rfc822\n\nSubject: failure\nContent-Type: multipart/report; boundary=c\n\n--c\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; x\n\nAction: failed\nFinal-Recipient: rfc822;a@b.example\nStatus: 5.1.1\n--c--\n--b--",
    );
    let found = outcome_of(&forwarded);
    assert_eq!((found.outcome.kind, found.documents.len()), (Kind::Unknown, 1));
}

#[test]
fn attachments_are_known_by_their_content() {
    let found = outcome_of(
        "From: a@b.example\nSubject: fax\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\nplease see attached\n--b\nContent-Type: application/octet-stream; name=\"scan.dat\"\nContent-Disposition: attachment; filename=\"scan.dat\"\n\n%PDF-1.7 x\n--b\nContent-Type: text/plain; name=\"m.txt\"\nContent-Disposition: attachment; filename=\"m.txt\"\n\nMSH|^~\\&|A|B\n--b\nContent-Type: application/pdf\nContent-Disposition: attachment; filename=\"not.pdf\"\n\nnot a PDF\n--b--\n",
    );
    assert_eq!(found.outcome.kind, Kind::Unknown);
    assert_eq!((found.documents.len(), found.hl7.len(), found.others.len()), (1, 1, 1));
    assert_eq!(found.documents[0].name.as_deref(), Some("scan.dat"));
}

#[test]
fn a_referral_in_labelled_lines_becomes_a_record_and_what_is_missing_holds_it() {
    let found = outcome_of(
        "From: office@family.example\nSubject: New referral\n\nPatient: Quill, Ada\nDOB: 03/09/1961\nReason: palpitations\nPriority: urgent\nPhone: (415) 253-7700\n",
    );
    let record = found.outcome.record.unwrap();
    assert_eq!(record.patient.name.family.as_deref(), Some("Quill"));
    assert_eq!(record.patient.birth_date.unwrap().as_str(), "1961-03-09");
    assert_eq!(record.patient.phones[0].number, "+14152537700");
    assert!(record.held.is_empty(), "{:?} {:?}", record.held, record.review);
    let held = outcome_of("From: a@b.example\nSubject: referral\n\nPatient: Ada Maria Quill\nDOB: 13/45/1961\nReason: x\n")
        .outcome
        .record
        .unwrap();
    assert_eq!(held.held, [crate::referral::HeldReason::BlockingField, crate::referral::HeldReason::PriorityUnknown]);
}

#[test]
fn a_referral_by_mail_of_a_patient_who_has_died_is_held() {
    let held = |line: &str| {
        let raw = format!(
            "From: a@b.example\nSubject: referral\n\nPatient: Ada Quill\nDOB: 03/09/1961\nReason: palpitations\nPriority: urgent\n{line}\n"
        );
        let record = outcome_of(&raw).outcome.record.unwrap();
        (record.patient.deceased, record.held)
    };
    for line in ["Deceased: yes", "Date of death: 11/01/2026", "The patient has passed away."] {
        assert_eq!(held(line), (Some(true), vec![crate::referral::HeldReason::Deceased]), "{line}");
    }
    for line in ["Deceased: no", "Her father died at 60."] {
        assert_eq!(held(line), (None, Vec::new()), "{line}");
    }
}

#[test]
fn a_mail_that_came_by_two_ways_is_the_same_mail() {
    let relayed = format!("Received: from relay.example by mx.example\n{PLAIN_REPLY}");
    assert_eq!(outcome_of(PLAIN_REPLY).repeat_key, outcome_of(&relayed).repeat_key);
    assert_ne!(outcome_of(PLAIN_REPLY).repeat_key, outcome_of(&PLAIN_REPLY.replace("10:30", "11:30")).repeat_key);
    let folded = PLAIN_REPLY.replace("Subject: Re: Referral", "Subject: Re:\n Referral");
    assert_eq!(outcome_of(PLAIN_REPLY).repeat_key, outcome_of(&folded).repeat_key);
}

#[test]
fn the_same_word_to_two_referrals_is_two_mails_even_without_a_message_id() {
    let plain = PLAIN_REPLY.replace("Message-ID: <1@cardio.example>\n", "");
    for (header, other) in [
        ("desk@cardio", "front@cardio"),
        ("Referrals+TOKEN", "Referrals+ll-0000-0001-aaaaaaaaaaaaaaaa"),
        ("Re: Referral", "Re: Referral LL-0000-0000"),
        ("10:00:00", "10:00:01"),
    ] {
        assert_ne!(outcome_of(&plain).repeat_key, outcome_of(&plain.replace(header, other)).repeat_key, "{other}");
    }
}

#[test]
fn no_bytes_and_no_nesting_break_the_reading() {
    let mut nested = "Subject: x\n\nend".to_owned();
    for _ in 0..40 {
        nested = format!("Content-Type: message/rfc822\n\n{nested}");
    }
    assert!(!outcome_of(&nested).outcome.problems.is_empty());
    for raw in [&b""[..], b"\0\xff\xfe", b"\n\n\n", b"From: \xff\nContent-Type: multipart/mixed; boundary=\"\n\n--"] {
        let mail = read(raw, MailLimits::default());
        assert!(!mail.repeat_key.is_empty());
    }
}

#[test]
fn the_shipped_samples_are_what_their_names_say() {
    let kind = |raw: &str| outcome_of(&raw.replace("\r\n", "\n")).outcome.kind;
    assert_eq!(kind(include_str!("../../../samples/referral-inbox/referral-in-words.eml")), Kind::Referral);
    assert_eq!(kind(include_str!("../../../samples/referral-inbox/out-of-office.eml")), Kind::AutoReply);
    assert_eq!(kind(include_str!("../../../samples/referral-inbox/bounce.eml")), Kind::Bounce);
    assert_eq!(kind(include_str!("../../../samples/referral-inbox/reply-by-reference.eml")), Kind::Reply);
    let hl7 = outcome_of(include_str!("../../../samples/referral-inbox/referral-as-hl7.eml"));
    assert_eq!(hl7.hl7.len(), 1);
}

fn picture(width: u32, height: u32) -> String {
    use base64::Engine as _;
    let mut bytes = std::io::Cursor::new(Vec::new());
    image::GrayImage::new(width, height).write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    let encoded = base64::engine::general_purpose::STANDARD.encode(bytes.into_inner());
    encoded.as_bytes().chunks(76).map(|chunk| std::str::from_utf8(chunk).unwrap()).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_picture_of_a_page_is_a_document_and_a_logo_is_none() {
    let mail = |picture: &str| {
        format!(
            "From: x@y.example\nSubject: referral\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=xx\n\n--xx\nContent-Type: image/png; name=a.png\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment; filename=a.png\n\n{picture}\n--xx--\n"
        )
    };
    let page = outcome_of(&mail(&picture(1728, 1078)));
    assert_eq!((page.documents.len(), page.others.len()), (1, 0));
    let logo = outcome_of(&mail(&picture(600, 120)));
    assert_eq!((logo.documents.len(), logo.others.len()), (0, 1));
}

#[test]
fn a_mail_with_the_wrong_character_set_keeps_its_letters_and_says_so() {
    let rules = MailRules {
        key: None,
        now: "2026-11-21T18:00:00Z".parse().unwrap(),
        time_zone: &TimeZone::UTC,
        region: "US",
        site_name: "Loopline",
    };
    let words = b"Patient: Ren\xe9e Quagm\xefrez\r\nDOB: 03/04/1961\r\nSpecialty: Cardiology\r\n";
    for declared in [
        "",
        "Content-Type: text/plain; charset=utf-8\r\n",
        "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n",
    ] {
        let mut mail = format!("From: a@b.example\r\nSubject: referral\r\n{declared}\r\n").into_bytes();
        mail.extend_from_slice(words);
        let found = normalize(&read(&mail, MailLimits::default()), &rules).outcome;
        let record = found.record.unwrap();
        let name = &record.patient.name;
        assert_eq!((name.given.as_deref(), name.family.as_deref()), (Some("Ren\u{e9}e"), Some("Quagm\u{ef}rez")), "{declared}");
        assert!(record.review.contains(&"patient.name.family".to_owned()), "{:?}", record.review);
    }
    let utf8 = "From: a@b.example\r\nSubject: referral\r\n\r\nPatient: Ren\u{e9}e Quagmire\r\nDOB: 03/04/1961\r\nSpecialty: Cardiology\r\n";
    let mail = read(utf8.as_bytes(), MailLimits::default());
    assert!(mail.problems.is_empty() && mail.words.contains("Ren\u{e9}e"), "{:?}", mail.problems);
}

#[test]
fn a_mail_whose_text_is_cut_says_so() {
    let mail = format!("From: a@b.example\r\n\r\nPatient: A B\r\n{}\r\nPriority: stat\r\n", "x".repeat(70_000));
    let mail = read(mail.as_bytes(), MailLimits::default());
    assert_eq!(mail.problems.iter().map(|problem| problem.code.as_str()).collect::<Vec<_>>(), ["mail-text-max"]);
}
