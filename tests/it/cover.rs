//! Our own pages come back by fax: printed by the engine, filled in, faxed badly, read by the real reader process, and acted on.

#[path = "../bench/cover/file.rs"]
mod file;
#[path = "../bench/cover/pages.rs"]
mod pages;
#[path = "../bench/cover/press.rs"]
mod press;

use std::fs;

use image::GrayImage;
use loopline::{
    compose::{
        acknowledgement,
        cover_page::{self, About},
    },
    normalize::fax::{self, FaxRules},
    reader::{ReaderOptions, ReaderPool},
    referral::{ReplyOutcome, Tick},
};
use serde_json::Value;

use self::{
    file::Store,
    pages::{CASES, Case},
    press::{Dice, Level, Mark, Way},
};
use crate::harness::{Peer, Site, field, files, referral_message, wait_for};

/// A referral whose specialist was asked by fax: its reference, and the PDF that was faxed.
fn asked_by_fax(site: &Site, id: &str) -> (String, Vec<u8>) {
    let before = faxes(site, "confirmation-request").len();
    let message = referral_message(id, id, "Quillfeather").replace("Northside Heart Center", "Harbor Skin Clinic");
    let answer = Peer::connect(&site.mllp()).send(&message).unwrap();
    assert_eq!(field(&answer, "MSA", 1), "AA", "{answer}");
    assert!(wait_for(|| faxes(site, "confirmation-request").len() > before), "{}", site.log());
    let reference = field(&answer, "RF1", 11).split('^').next().unwrap().to_owned();
    let fax =
        faxes(site, "confirmation-request").into_iter().find(|(_, about)| *about == reference_id(site, &reference)).unwrap();
    (reference, fax.0)
}

fn reference_id(site: &Site, reference: &str) -> String {
    referral(site, reference)["id"].as_str().unwrap().to_owned()
}

/// The faxes that were sent with this purpose, with the referral of each.
fn faxes(site: &Site, purpose: &str) -> Vec<(Vec<u8>, String)> {
    let sent = site.deliveries().into_iter().filter(|one| one["purpose"] == purpose && one["state"] == "sent");
    sent.map(|one| {
        let (id, about) = (one["id"].as_str().unwrap(), one["referral"].as_str().unwrap_or_default().to_owned());
        let has_name = |path: &std::path::PathBuf| {
            path.extension().is_some_and(|end| end == "pdf") && path.file_stem().is_some_and(|stem| stem == id)
        };
        let file = files(&site.data("fax-out")).into_iter().find(has_name).unwrap();
        (fs::read(file).unwrap(), about)
    })
    .collect()
}

fn referral(site: &Site, reference: &str) -> Value {
    site.json(&["referrals", "show", reference, "--json"]).unwrap()["referral"].clone()
}

fn filled_in(pdf: &[u8], case: &Case, mark: Mark) -> GrayImage {
    let mut page = press::printed(pdf);
    pages::fill_in(&mut page, case, mark, &mut Dice(5));
    page
}

fn case(outcome: ReplyOutcome, waits: bool) -> &'static Case {
    CASES.iter().find(|case| case.outcome == outcome && case.waits == waits).unwrap()
}

/// Puts a ring around something.
fn ring(page: &mut GrayImage, area: cover_page::layout::Area, dice: &mut Dice) {
    let pen = dice.between(0.9, 1.6);
    let (x, y) = (area.left + area.width / 2.0, area.top + area.height / 2.0);
    let places: Vec<(f32, f32)> = (0_u8..=48)
        .map(|step| f32::from(step) / 46.0 * std::f32::consts::TAU)
        .map(|turn| (x + area.width / 2.0 * turn.cos(), y + area.height / 2.0 * turn.sin() + dice.between(-0.4, 0.4)))
        .collect();
    press::draw(page, &places, pen);
}

/// Drops pages into the fax folder, each as badly copied, and waits for what became of them.
fn fax(site: &Site, name: &str, pages: &[GrayImage], way: Way) -> Value {
    let mut dice = Dice(9);
    let faxed: Vec<_> = pages.iter().map(|page| press::faxed(page, way, &mut dice)).collect();
    site.drop_file(&format!("fax-in/{name}.tif"), &file::file(&faxed, Store::TiffGroup4));
    let arrived = || {
        let mut all = site.messages().into_iter();
        all.find(|one| one["file"]["name"].as_str().is_some_and(|file| file.starts_with(name)) && one["state"] != "received")
    };
    assert!(wait_for(|| arrived().is_some()), "{}", site.log());
    arrived().unwrap()
}

#[test]
fn what_is_ticked_moves_the_referral_and_what_is_written_waits_for_a_person() {
    let site = Site::new();
    let _running = site.start();
    let (reference, pdf) = asked_by_fax(&site, "M1");
    let page = filled_in(&pdf, case(ReplyOutcome::Received, true), Mark::Overrun);
    let way = Way { upside_down: true, header: true, scale: 0.95, ..Way::plain(Level::Typical) };
    // The page behind it is ours, too: it bears the reference.
    let message = fax(&site, "back", &[page, press::page_of(&pdf, 1)], way);
    assert_eq!((message["state"].as_str(), message["kind"].as_str()), (Some("processed"), Some("reply")), "{message:#}");
    let stands = referral(&site, &reference);
    assert_eq!((stands["status"].as_str(), &stands["held"]), (Some("confirmed"), &serde_json::json!(["unclear-reply"])));
    assert!(stands.get("appointment").is_none(), "nothing is guessed");

    let shown = site.command().args(["referrals", "show", &reference]).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("read its date and time") && shown.contains("appointment-date"), "{shown}");
    let id = message["id"].as_str().unwrap();
    let shown = site.command().args(["messages", "show", id]).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("our cover page came back, on page 1") && shown.contains("--image NUMBER"), "{shown}");
    let written = site.command().args(["messages", "show", id, "--image", "2"]).output().unwrap();
    let written = image::load_from_memory(&written.stdout).unwrap().into_luma8();
    let ink = written.as_raw().iter().filter(|pixel| **pixel < 128).count();
    assert!(ink > 500 && written.width() > 400, "what is written is cut out: {ink} dots of {:?}", written.dimensions());

    site.json(&["referrals", "settle", &reference, "reply", "scheduled", "--at", "2027-12-14T10:30", "--by", "mira", "--json"])
        .unwrap();
    let stands = referral(&site, &reference);
    assert_eq!(stands["status"], "scheduled");
    assert!(stands.get("held").is_none() && stands.get("pending_replies").is_none());
}

#[test]
fn a_page_moves_its_referral_by_its_token_alone_and_strange_pages_are_for_a_person() {
    let site = Site::new();
    let _running = site.start();
    let (reference, pdf) = asked_by_fax(&site, "M1");
    let plain = case(ReplyOutcome::Received, false);

    // The same page, made by somebody who has the number but not the key.
    let forged = pages::cover_page(&pages::referral(reference.parse().unwrap()), About::Request);
    fax(&site, "forged", &[filled_in(&forged.bytes, plain, Mark::Cross)], Way::plain(Level::Clean));
    let stands = referral(&site, &reference);
    assert_eq!((stands["status"].as_str(), &stands["held"]), (Some("requested"), &serde_json::json!(["unclear-reply"])));
    assert!(stands["pending_replies"][0]["why"].as_str().unwrap().contains("without the token"), "{stands:#}");
    site.json(&["referrals", "settle", &reference, "set-aside", "--by", "mira", "--json"]).unwrap();

    // Made by the sender, who has a token, but not this one.
    let data = site.data("token.key");
    let key = loopline::referral::TokenKey::new(fs::read(data).unwrap().try_into().unwrap());
    let token = key.token_for(&reference.parse().unwrap(), loopline::referral::Answerer::Sender);
    let borrowed = pages::cover_page_with(&pages::referral(reference.parse().unwrap()), About::Request, token.as_str());
    fax(&site, "borrowed", &[filled_in(&borrowed.bytes, plain, Mark::Cross)], Way::plain(Level::Clean));
    let stands = referral(&site, &reference);
    assert_eq!((stands["status"].as_str(), &stands["held"]), (Some("requested"), &serde_json::json!(["unclear-reply"])));
    site.json(&["referrals", "settle", &reference, "set-aside", "--by", "mira", "--json"]).unwrap();

    // Ours, at standard resolution, and behind it what nobody has read.
    let strange = press::printed(&fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/fax/no-referral.pdf")).unwrap());
    let message = fax(&site, "ours", &[filled_in(&pdf, plain, Mark::Check), strange], Way::plain(Level::Standard));
    assert_eq!(message["state"], "held", "{message:#}");
    assert!(message["reason"].as_str().unwrap().contains("others that nobody has read yet"), "{message:#}");
    let stands = referral(&site, &reference);
    assert_eq!(stands["status"], "confirmed", "{stands:#}");
    assert!(stands.get("held").is_none());
}

#[test]
fn what_comes_with_our_page_is_never_passed_over() {
    let site = Site::new();
    let _running = site.start();
    let (reference, pdf) = asked_by_fax(&site, "M1");
    let plain = case(ReplyOutcome::Received, false);
    let page = || filled_in(&pdf, plain, Mark::Cross);
    // A scribble, in which no word is found.
    let mut scribble = GrayImage::from_pixel(page().width(), page().height(), image::Luma([255]));
    press::write_by_hand(&mut scribble, cover_page::layout::DECLINED_REASON, &mut Dice(4));
    let message = fax(&site, "scribble", &[page(), scribble], Way::plain(Level::Clean));
    assert_eq!((&message["state"], &referral(&site, &reference)["status"]), (&"held".into(), &"confirmed".into()), "{message:#}");

    // The page twice, and on the second somebody wrote beside the tick.
    let (reference, pdf) = asked_by_fax(&site, "M2");
    let page = filled_in(&pdf, plain, Mark::Cross);
    let mut written = page.clone();
    press::write_by_hand(&mut written, cover_page::layout::APPOINTMENT_DATE, &mut Dice(4));
    fax(&site, "twice", &[page, written], Way::plain(Level::Clean));
    let stands = referral(&site, &reference);
    assert_eq!((&stands["status"], &stands["held"][0]), (&"requested".into(), &"unclear-reply".into()), "{stands:#}");
    let why = stands["pending_replies"][0]["reading"]["reason"].as_str().unwrap();
    assert!(why.contains("does not say the same twice"), "{why}");
}

#[test]
fn what_is_written_beside_boxes_and_blanks_is_for_a_person() {
    use cover_page::layout::{APPOINTMENT_DECLINED, Area, RECEIVED_NO, WRONG_RECIPIENT};
    let site = Site::new();
    let _running = site.start();
    let plain = case(ReplyOutcome::Received, false);
    let beside = Area { left: WRONG_RECIPIENT.left - 25.0, ..WRONG_RECIPIENT };
    let words = Area { left: 78.0, top: APPOINTMENT_DECLINED.top - 6.0, width: 172.0, height: 32.0 };
    let no = Area { left: RECEIVED_NO.left - 9.0, top: RECEIVED_NO.top - 8.0, width: 64.0, height: 36.0 };
    let foot = Area { left: 60.0, top: 728.0, width: 112.0, height: 28.0 };
    for (number, level) in (1..).zip([Level::Typical, Level::Typical, Level::Standard, Level::Poor]) {
        let (reference, pdf) = asked_by_fax(&site, &format!("M{number}"));
        let (mut page, mut dice) = (filled_in(&pdf, plain, Mark::Cross), Dice(6));
        match number {
            1 => press::tick(&mut page, beside, Mark::Check, &mut dice),
            2 => ring(&mut page, words, &mut dice),
            3 => ring(&mut page, no, &mut dice),
            _ => press::write_by_hand(&mut page, foot, &mut dice),
        }
        fax(&site, &format!("back-{number}"), &[page], Way::plain(level));
        let stands = referral(&site, &reference);
        assert_eq!(stands["held"], serde_json::json!(["unclear-reply"]), "{number}: {stands:#}");
        let written = &stands["pending_replies"][0]["reading"]["page"]["writing"];
        let is_elsewhere = |one: &Value| one["name"].as_str().unwrap().starts_with("elsewhere-");
        assert!(written.as_array().unwrap().iter().any(is_elsewhere), "{number}: {written:#}");
    }
}

#[test]
fn what_another_loopline_faxes_is_a_referral_and_no_answer() {
    let theirs = Site::new();
    let _their_engine = theirs.start();
    let (_, pdf) = asked_by_fax(&theirs, "M1");
    let ours = Site::new();
    let _our_engine = ours.start();
    let pages: Vec<GrayImage> = (0..2).map(|page| press::page_of(&pdf, page)).collect();
    let message = fax(&ours, "theirs", &pages, Way::plain(Level::Typical));
    assert_eq!(message["kind"], "referral", "{message:#}");
    let reference = ours.referrals()[0]["reference"].as_str().unwrap().to_owned();
    let stands = referral(&ours, &reference);
    assert_eq!(stands["patient"]["name"]["family"], "Quillfeather", "{stands:#}");
}

#[test]
fn two_ticks_where_one_is_asked_move_nothing() {
    let site = Site::new();
    let _running = site.start();
    let (reference, pdf) = asked_by_fax(&site, "M1");
    fax(&site, "both", &[filled_in(&pdf, case(ReplyOutcome::Unclear, false), Mark::Cross)], Way::plain(Level::Typical));
    let stands = referral(&site, &reference);
    assert_eq!((stands["status"].as_str(), &stands["held"]), (Some("requested"), &serde_json::json!(["unclear-reply"])));
    let reason = stands["pending_replies"][0]["reading"]["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("both yes and no"), "{reason}");
}

#[test]
fn what_a_sender_ticks_as_right_is_confirmed_and_what_they_write_is_for_a_person() {
    let site = Site::new();
    let _running = site.start();
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/samples/fax-inbox/northgate-standard.pdf");
    site.drop_file("fax-in/referral.pdf", &fs::read(sample).unwrap());
    assert!(wait_for(|| faxes(&site, "acknowledgement").len() == 1), "{}", site.log());
    let reference = site.referrals()[0]["reference"].as_str().unwrap().to_owned();
    let before = referral(&site, &reference);
    let review: Vec<String> = before["review"].as_array().unwrap().iter().map(|path| path.as_str().unwrap().to_owned()).collect();
    assert!(!review.is_empty(), "{before:#}");
    let pdf = faxes(&site, "acknowledgement").remove(0).0;

    let mut dice = Dice(3);
    let mut corrected = press::printed(&pdf);
    press::tick(&mut corrected, acknowledgement::layout::right_box(0), Mark::Cross, &mut dice);
    press::write_by_hand(&mut corrected, acknowledgement::layout::correction(0), &mut dice);
    fax(&site, "corrected", &[corrected], Way::plain(Level::Typical));
    let stands = referral(&site, &reference);
    assert_eq!(stands["review"], before["review"], "what is written beside a tick contradicts it");
    assert_eq!(stands["pending_replies"][0]["reading"]["page"]["writing"][0]["name"], "correction-0", "{stands:#}");
    site.json(&["referrals", "settle", &reference, "set-aside", "--by", "mira", "--json"]).unwrap();

    // All is ticked as right, and something else is written where there is room.
    let tick_all = |page: &mut GrayImage, dice: &mut Dice| {
        for row in 0..review.len().min(acknowledgement::layout::ROWS_MAX) {
            press::tick(page, acknowledgement::layout::right_box(row), Mark::Check, dice);
        }
    };
    let mut more = press::printed(&pdf);
    tick_all(&mut more, &mut dice);
    let room = acknowledgement::layout::right_box(review.len() + 1);
    press::write_by_hand(&mut more, cover_page::layout::Area { width: 300.0, height: 28.0, ..room }, &mut dice);
    fax(&site, "more", &[more], Way::plain(Level::Typical));
    let stands = referral(&site, &reference);
    assert_eq!(stands["review"], before["review"], "what is written may be about any of it");
    site.json(&["referrals", "settle", &reference, "set-aside", "--by", "mira", "--json"]).unwrap();

    let mut right = press::printed(&pdf);
    tick_all(&mut right, &mut dice);
    fax(&site, "right", &[right], Way::plain(Level::Typical));
    let stands = referral(&site, &reference);
    assert!(stands.get("review").is_none(), "{stands:#}");
    let confirmed = stands["history"]
        .as_array()
        .unwrap()
        .iter()
        .any(|entry| entry["event"] == "confirmed" && entry["by"] == "channel fax-in");
    assert!(confirmed, "{stands:#}");
}

/// A few pages of every kind; `cargo bench --bench cover` reads hundreds.
#[tokio::test]
async fn pages_copied_badly_give_their_reference_and_no_wrong_tick() {
    let pool = ReaderPool::new(ReaderOptions { executable: env!("CARGO_BIN_EXE_loopline").into(), ..ReaderOptions::default() });
    let rules = FaxRules { key: Some(pages::key()), ..FaxRules::default() };
    for (level, number) in [
        (Level::Typical, 2),
        (Level::Typical, 4),
        (Level::Poor, 3),
        (Level::Poor, 9),
        (Level::Standard, 1),
        (Level::PoorStandard, 5),
    ] {
        let sent = pages::send(2, level, number, None);
        let reading = pool.read(sent.file.clone()).await.unwrap();
        let reply = fax::normalize(&reading, &rules).reply.unwrap_or_else(|| panic!("{} is a reply", sent.name));
        assert_eq!(reply.reference.as_deref(), Some(sent.reference.as_str()), "{}", sent.name);
        let page = reply.page.unwrap_or_else(|| panic!("{} has its page", sent.name));
        for one in &page.boxes {
            let ticked = sent.case.ticks.contains(&one.name.as_str());
            let wrong = (one.tick == Tick::Ticked && !ticked) || (one.tick == Tick::Empty && ticked);
            assert!(!wrong, "{}: {} is {:?} at {}", sent.name, one.name, one.tick, one.ink);
        }
    }
}

/// A mark that missed its box is no tick, and does not pass unseen either.
#[tokio::test]
async fn a_mark_beside_an_empty_box_waits_for_a_person() {
    use cover_page::layout::{APPOINTMENT_DECLINED, APPOINTMENT_NOT_YET, APPOINTMENT_YES, Area, RECEIVED_YES, WRONG_RECIPIENT};
    let pool = ReaderPool::new(ReaderOptions { executable: env!("CARGO_BIN_EXE_loopline").into(), ..ReaderOptions::default() });
    let rules = FaxRules { key: Some(pages::key()), ..FaxRules::default() };
    let left = |of: Area| Area { left: of.left - 26.0, ..of };
    let over = |of: Area| Area { top: of.top - 19.0, left: of.left + 8.0, ..of };
    let behind = Area { left: 231.0, ..APPOINTMENT_DECLINED };
    for (marks, waits) in [
        (&[][..], false),
        (&[APPOINTMENT_NOT_YET][..], false),
        (&[left(APPOINTMENT_YES)][..], true),
        (&[left(APPOINTMENT_DECLINED)][..], true),
        (&[behind][..], true),
        (&[over(APPOINTMENT_NOT_YET)][..], true),
        (&[left(WRONG_RECIPIENT)][..], true),
    ] {
        for level in [Level::Typical, Level::Standard] {
            let mut dice = Dice(6);
            let document = pages::cover_page(&pages::referral(pages::reference(&mut dice)), About::Request);
            let mut page = press::printed(&document.bytes);
            press::tick(&mut page, RECEIVED_YES, Mark::Overrun, &mut dice);
            marks.iter().for_each(|area| press::tick(&mut page, *area, Mark::Cross, &mut dice));
            let faxed = press::faxed(&page, Way::plain(level), &mut dice);
            let reading = pool.read(file::file(&[faxed], Store::TiffGroup4).into()).await.unwrap();
            let reply = fax::normalize(&reading, &rules).reply.expect("it is a reply");
            let waited = reply.outcome == ReplyOutcome::Unclear || reply.page.is_some_and(|page| page.to_read.is_some());
            let places: Vec<(f32, f32)> = marks.iter().map(|area| (area.left, area.top)).collect();
            assert_eq!(waited, waits, "{places:?} {level:?}: {:?}", reply.reason);
        }
    }
}
