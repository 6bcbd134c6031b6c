//! What a specialist and a sender are really sent: the referral itself, what changed, and what could not be read.

use std::{fs, path::Path, process::Command};

use serde_json::Value;

use crate::harness::{Peer, Site, field, files, referral_message, wait_for};

fn send(site: &Site, message: &str) {
    let answer = Peer::connect(&site.mllp()).send(message).unwrap();
    assert_eq!(field(&answer, "MSA", 1), "AA", "{answer}");
}

/// The deliveries with this purpose.
fn deliveries(site: &Site, purpose: &str) -> Vec<Value> {
    site.deliveries().into_iter().filter(|one| one["purpose"] == purpose).collect()
}

/// Waits until one delivery with this purpose is in this state, and gives it.
fn delivery(site: &Site, purpose: &str, state: &str) -> Value {
    let found = || deliveries(site, purpose).into_iter().find(|one| one["state"] == state);
    assert!(wait_for(|| found().is_some()), "{:#?}\n{}", site.deliveries(), site.log());
    found().unwrap()
}

/// What the fax of a delivery says, page by page.
fn faxed(site: &Site, delivery: &Value) -> Vec<String> {
    let id = delivery["id"].as_str().unwrap();
    let file = files(&site.data("fax-out"))
        .into_iter()
        .find(|path| path.extension().is_some_and(|end| end == "pdf") && path.file_stem().is_some_and(|stem| stem == id))
        .unwrap_or_else(|| panic!("{id} was not faxed"));
    let output = Command::new("pdftotext").arg(file).arg("-").output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let pages = text.split('\u{c}').map(|page| page.split_whitespace().collect::<Vec<_>>().join(" "));
    let mut pages: Vec<String> = pages.collect();
    // pdftotext ends every page, also the last, with a form feed.
    pages.pop();
    pages
}

/// The words of the mail to this address.
fn mailed(site: &Site, to: &str) -> String {
    let mails = site.mails_out();
    let mail = mails.iter().find(|mail| mail.contains(&format!("To: {to}"))).unwrap_or_else(|| panic!("no mail to {to}"));
    let parsed = mail_parser::MessageParser::default().parse(mail.as_bytes()).unwrap();
    let words = parsed.body_text(0).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
    format!("Subject: {}\n{words}", parsed.subject().unwrap())
}

/// A document in an HL7 message.
fn document(number: u32, subtype: &str, content: &[u8]) -> String {
    use base64::Engine as _;
    let data = base64::engine::general_purpose::STANDARD.encode(content);
    format!("OBX|{number}|ED|18842-5^Consultation note^LN||^application^{subtype}^Base64^{data}||||||F\r")
}

fn scan() -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/fax/scan-g4.pdf")).unwrap()
}

#[test]
fn a_desk_that_is_asked_by_an_untrusted_mail_gets_the_referral_itself_by_fax() {
    let site = Site::new();
    let _running = site.start();
    let message = referral_message("M1", "P1", "Quillfeather");
    send(&site, &format!("{message}{}{}", document(1, "pdf", &scan()), document(2, "rtf", b"{\\rtf1 Secretname was seen}")));
    delivery(&site, "confirmation-request", "sent");
    let pages = faxed(&site, &delivery(&site, "pages", "sent"));
    assert!(pages[0].contains("by fax to or email +1 503-555-0100 referrals@loopline.example"), "{}", pages[0]);
    assert_eq!(pages.len(), 3, "the cover, what the referral says, and the attached scan: {pages:#?}");
    assert!(pages[0].contains("Pages of a referral") && pages[0].contains("3 with this one"), "{}", pages[0]);
    assert!(pages[1].contains("Quillfeather") && pages[1].contains("Palpitations on exertion"), "{}", pages[1]);
    assert!(pages[1].contains("1 attached document could not be included: ask the sender"), "{}", pages[1]);
    assert!(!pages[2].contains("cannot be shown"));
    let mail = mailed(&site, "desk@northside-heart.example");
    assert!(mail.contains("The referral's pages come by fax, not by this mail."), "{mail}");
}

#[test]
fn a_referral_whose_stored_document_is_gone_is_not_sent_without_it() {
    let site = Site::new();
    let _running = site.start();
    let message = referral_message("M1", "P1", "Quillfeather").replace("Northside Heart Center", "Somewhere Else");
    // Content behind the end of a PDF, so that it is too large to be kept in the journal itself.
    let mut large = scan();
    large.resize(2_000_000, b' ');
    send(&site, &format!("{message}{}", document(1, "pdf", &large)));
    let reference = site.referrals()[0]["reference"].as_str().unwrap().to_owned();
    fs::remove_dir_all(site.data("bodies")).unwrap();
    site.json(&["referrals", "settle", &reference, "route", "dermatology-desk", "--by", "mira", "--json"]).unwrap();
    let dead = delivery(&site, "confirmation-request", "dead");
    let reason = dead["reason"].as_str().unwrap();
    assert!(reason.contains("attachment 1 of the referral cannot be read from the store"), "{reason}");
    assert!(files(&site.data("fax-out")).is_empty(), "nothing was sent");
}

#[test]
fn a_fax_written_anew_takes_the_place_of_the_old_one_under_another_name() {
    let site = Site::new();
    let _running = site.start();
    let mut large = scan();
    large.resize(2_000_000, b' ');
    let message = referral_message("M1", "P1", "Quillfeather").replace("Northside Heart Center", "Somewhere Else");
    send(&site, &format!("{message}{}", document(1, "pdf", &large)));
    let reference = site.referrals()[0]["reference"].as_str().unwrap().to_owned();
    let (bodies, away) = (site.data("bodies"), site.data("bodies-away"));
    fs::rename(&bodies, &away).unwrap();
    site.json(&["referrals", "settle", &reference, "route", "dermatology-desk", "--by", "mira", "--json"]).unwrap();
    let id = delivery(&site, "confirmation-request", "dead")["id"].as_str().unwrap().to_owned();
    // As an attempt leaves it whose end the engine did not live to write down.
    let old_number = r#"{"number": "+15035550199"}"#;
    fs::write(site.data("fax-out").join(format!("{id}.pdf")), "%PDF-1.7 old pages").unwrap();
    fs::write(site.data("fax-out").join(format!("{id}.json")), old_number).unwrap();
    fs::rename(&away, &bodies).unwrap();
    site.json(&["deliveries", "retry", &id, "--anew", "--json"]).unwrap();
    delivery(&site, "confirmation-request", "sent");
    let mut names: Vec<String> =
        files(&site.data("fax-out")).iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect();
    names.sort();
    assert_eq!(names, [format!("{id}-2.json"), format!("{id}-2.pdf")]);
    let job: Value = serde_json::from_slice(&fs::read(site.data("fax-out").join(&names[0])).unwrap()).unwrap();
    assert_eq!(job["number"], "+15035550142");
    assert_eq!(job["document"], names[1].as_str());
}

#[test]
fn a_faxed_change_and_a_faxed_cancellation_are_not_taken_for_new_referrals() {
    let site = Site::new();
    let _running = site.start();
    let message = |id: &str, event: &str| {
        referral_message(id, "P1", "Quill").replace("Northside Heart", "Harbor Skin").replace("REF^I12", event)
    };
    let message = |id: &str, event: &str| message(id, event).replace("Harbor Skin Center", "Harbor Skin Clinic");
    send(&site, &message("M1", "REF^I12"));
    let request = faxed(&site, &delivery(&site, "confirmation-request", "sent"));
    assert!(request[0].contains("Referral: please confirm"), "{}", request[0]);

    send(&site, &message("M2", "REF^I13").replace("six weeks", "nine weeks"));
    let update = faxed(&site, &delivery(&site, "update", "sent"));
    assert!(update[0].contains("Update to a referral you have: please replace"), "{}", update[0]);
    assert!(!update[0].contains("please confirm") && update[1].contains("nine weeks"), "{update:#?}");

    send(&site, &message("M3", "REF^I14"));
    let withdrawal = faxed(&site, &delivery(&site, "withdrawal", "sent"));
    assert_eq!(withdrawal.len(), 1);
    assert!(withdrawal[0].contains("The sender asks to cancel this referral") && withdrawal[0].contains("we know"));
    assert!(!withdrawal[0].contains("Appointment") && !withdrawal[0].contains("please confirm"), "{}", withdrawal[0]);
}

#[test]
fn who_faxed_what_cannot_be_read_is_told_by_mail_where_the_channel_says_so() {
    let site = Site::new();
    site.channel(
        "fax-in",
        "[inbound.folder]\npath = \"fax-in\"\nstable_after_seconds = 0.3\npoll_seconds = 0.3\n\
         [acknowledge]\nthrough = \"email-out\"\nto = \"cardiology-desk\"\n",
    );
    let _running = site.start();
    site.drop_file("fax-in/broken.pdf", b"%PDF-1.4\nthis is not the rest of a PDF\n");
    let told = delivery(&site, "acknowledgement", "sent");
    let mail = mailed(&site, "desk@northside-heart.example");
    assert!(mail.starts_with("Subject: Your fax could not be read\n"), "{mail}");
    assert!(mail.contains("We could not read it because") && mail.contains("Please send it again"), "{mail}");
    let id = told["id"].as_str().unwrap().to_lowercase();
    assert!(site.mails_out()[0].contains(&format!("Message-ID: <{id}@loopline.example>")), "{}", site.mails_out()[0]);
}

#[test]
fn a_desk_that_the_pages_cannot_reach_is_a_mistake_before_anything_is_sent() {
    let site = Site::new();
    let directory = fs::read_to_string(site.path("channels/site/directory.toml")).unwrap();
    site.channel("site/directory", &directory.replace("fax = \"+15035550141\"\n", ""));
    let output = site.command().arg("check").output().unwrap();
    assert_eq!(output.status.code(), Some(78), "a mistake in the configuration");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("route.specialty.Cardiology.to: the referral's pages cannot reach it"), "{said}");
    assert!(said.contains("fax = \"…\", or trusted_tls = true"), "{said}");
}
