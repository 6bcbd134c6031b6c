//! What is printed, looked at by rasterising it and reading its codes back.

use std::{path::Path, process::Command};

use bytes::Bytes;
use image::{DynamicImage, GrayImage, ImageFormat, imageops};
use rxing::{BarcodeFormat, DecodeHints, helpers};

use super::{
    test_support::{face, name, pdftotext, referral},
    *,
};
use crate::{
    compose::acknowledgement,
    referral::{HeldReason, Priority, Reference, TokenKey},
};

fn enclosed(about: About, referral: &Referral, face: &PageFace<'_>, pages: &[PageImage]) -> Result<Document, ComposeError> {
    let enclosures = Enclosures { pages: pages.to_vec(), ..Enclosures::default() };
    document(about, referral, face, Behind::Enclosed(&enclosures))
}

fn confirmation_request(referral: &Referral, face: &PageFace<'_>, pages: &[PageImage]) -> Result<Document, ComposeError> {
    enclosed(About::Request, referral, face, pages)
}

fn cover_only(referral: &Referral, face: &PageFace<'_>) -> Result<Document, ComposeError> {
    document(About::Request, referral, face, Behind::ByFax)
}

/// The page as a fax machine at standard resolution sees it (204 by 98 dots an inch, black or white), squared again as a reader does.
fn faxed(document: &Document, folder: &Path, dusty: bool) -> GrayImage {
    std::fs::write(folder.join("sent.pdf"), &document.bytes).unwrap();
    let status = Command::new("pdftoppm")
        .args(["-rx", "204", "-ry", "98", "-gray", "-f", "1", "-l", "1", "-singlefile"])
        .args([folder.join("sent.pdf"), folder.join("page")])
        .status()
        .unwrap();
    assert!(status.success());
    let mut page = image::open(folder.join("page.pgm")).unwrap().to_luma8();
    assert_eq!(page.dimensions(), (1734, 1078));
    for (index, pixel) in page.pixels_mut().enumerate() {
        // Dust: about one dot in a hundred is wrong, here and there.
        let dust = dusty && (index as u32).wrapping_mul(2_654_435_761).rotate_left(13).wrapping_mul(40_503).is_multiple_of(101);
        let black = (pixel.0[0] < 128) != dust;
        pixel.0[0] = if black { 0 } else { 255 };
    }
    imageops::resize(&page, 1734, 2244, imageops::FilterType::Triangle)
}

/// What a reader tries: the page as it is, then a little blurred.
fn qr_in(page: &GrayImage) -> Option<String> {
    [0.0, 1.0, 2.0].into_iter().find_map(|sigma| {
        let page = if sigma > 0.0 { imageops::blur(page, sigma) } else { page.clone() };
        qr_at_once(&page)
    })
}

fn qr_at_once(page: &GrayImage) -> Option<String> {
    let mut hints = DecodeHints { TryHarder: Some(true), ..DecodeHints::default() };
    let (width, height) = page.dimensions();
    helpers::detect_in_luma_with_hints(page.as_raw().clone(), width, height, Some(BarcodeFormat::QR_CODE), &mut hints)
        .ok()
        .map(|found| found.getText().to_owned())
}

fn png(image: &GrayImage) -> Bytes {
    let mut bytes = std::io::Cursor::new(Vec::new());
    DynamicImage::ImageLuma8(image.clone()).write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner().into()
}

/// How dark an area of a page at 204 dots an inch is, 0 to 1.
fn ink(page: &GrayImage, area: layout::Area) -> f32 {
    let pixel = |points: f32| (points * 204.0 / 72.0).round() as u32;
    let (mut dark, mut all) = (0.0, 0.0);
    for y in pixel(area.top)..pixel(area.bottom()) {
        for x in pixel(area.left)..pixel(area.right()) {
            all += 1.0;
            dark += f32::from(u8::from(page.get_pixel(x, y).0[0] < 128));
        }
    }
    dark / all
}

#[test]
fn the_code_and_the_reference_survive_a_fax_at_standard_resolution() {
    let referral = referral();
    let token = TokenKey::new([7; 32]).token(&referral.reference);
    let folder = tempfile::tempdir().unwrap();
    for code in [referral.reference.as_str(), token.as_str()] {
        let document = confirmation_request(&referral, &face(code), &[]).unwrap();
        assert_eq!(qr_in(&faxed(&document, folder.path(), true)).as_deref(), Some(code.to_ascii_uppercase().as_str()));
        let page = faxed(&document, folder.path(), false);
        page.save(folder.path().join("read.png")).unwrap();
        let read = Command::new("tesseract").arg(folder.path().join("read.png")).args(["-", "--psm", "4"]).output().unwrap();
        let read = String::from_utf8_lossy(&read.stdout).into_owned();
        let references: Vec<Reference> = read.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        assert_eq!(references.first(), Some(&referral.reference), "the reference is not legible");
        assert!(read.contains("Referral received") && read.contains("Appointment") && read.contains("declined because"));
    }
}

#[test]
fn marks_and_boxes_stand_where_the_layout_says() {
    let referral = referral();
    let folder = tempfile::tempdir().unwrap();
    let page = faxed(&cover_only(&referral, &face("LL")).unwrap(), folder.path(), false);
    for mark in layout::CORNER_MARKS {
        assert!(ink(&page, mark) > 0.9, "a corner mark is solid");
    }
    for (what, area) in layout::BOXES {
        let inside = layout::Area::square(area.left + 4.0, area.top + 4.0, area.width - 8.0);
        assert!(ink(&page, area) > 0.15, "{what} has a frame");
        assert!(ink(&page, inside) < 0.12, "{what} is empty");
    }
    for blank in [layout::APPOINTMENT_DATE, layout::APPOINTMENT_TIME, layout::SIGNED] {
        let above = layout::Area { height: blank.height - 6.0, ..blank };
        assert!(ink(&page, above) < 0.03, "there is room to write");
    }
}

#[test]
fn the_cover_names_nobody_and_the_pages_behind_it_say_everything() {
    let referral = referral();
    let document = confirmation_request(&referral, &face("LL"), &[]).unwrap();
    assert_eq!(document.pages, 2);
    let cover = pdftotext(&document, 1);
    for expected in ["O. Q.", "Cedar Family Clinic", "+1 415-555-0199", "referrals@fairmead.example", "2 with this one", "URGENT"]
    {
        assert!(cover.contains(expected), "{expected} is missing");
    }
    for unwanted in ["Quarterstone", "Ottilie", "1961", "anemia", "Harbor"] {
        assert!(!cover.contains(unwanted), "the cover must not say {unwanted}");
    }
    let summary = pdftotext(&document, 2);
    for expected in ["Quarterstone, Ottilie", "Apr 9, 1961", "D50.9", "Harbor Mutual", "GI blood loss", "1234567893", "morning"] {
        assert!(summary.contains(expected), "{expected} is missing");
    }
    assert!(summary.contains(referral.reference.as_str()), "a page that got lost can be found again");
    let alone = cover_only(&referral, &face("LL")).unwrap();
    assert_eq!(alone.pages, 1);
    assert!(!pdftotext(&alone, 1).contains("Quarterstone"));
}

fn pdf_title(document: &Document) -> String {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("page.pdf"), &document.bytes).unwrap();
    let output = Command::new("pdfinfo").arg(folder.path().join("page.pdf")).output().unwrap();
    String::from_utf8_lossy(&output.stdout).lines().next().unwrap().to_owned()
}

#[test]
fn an_update_is_not_taken_for_a_new_referral_and_brings_what_stands_now() {
    let referral = referral();
    let update = enclosed(About::Update, &referral, &face("LL"), &[]).unwrap();
    let cover = pdftotext(&update, 1);
    assert!(!cover.contains("please confirm") && cover.contains("Not a new referral"), "{cover}");
    assert!(cover.contains("Update to a referral you have:") && cover.contains("please replace"), "{cover}");
    assert!(cover.contains("Appointment:") && cover.contains(referral.reference.as_str()));
    assert!(pdftotext(&update, 2).contains("GI blood loss"));
    assert!(pdf_title(&update).contains("Update to a referral you have: please replace"), "{}", pdf_title(&update));
}

#[test]
fn a_withdrawal_asks_for_no_appointment_and_comes_back_as_any_other_page() {
    let referral = referral();
    let withdrawal = enclosed(About::Withdrawal(Withdrawn::BySender), &referral, &face("LL-CODE"), &[]).unwrap();
    assert_eq!(withdrawal.pages, 1);
    let cover = pdftotext(&withdrawal, 1);
    for expected in ["asks to cancel", "we know", referral.reference.as_str(), "+1 415-555-0199", "only this one"] {
        assert!(cover.contains(expected), "{expected} is missing");
    }
    for unwanted in ["please confirm", "Appointment", "declined", "not yet", "wrong office", "comes another way"] {
        assert!(!cover.contains(unwanted), "{unwanted} has no place on a withdrawal");
    }
    assert!(pdf_title(&withdrawal).contains("asks to cancel"));
    let folder = tempfile::tempdir().unwrap();
    let page = faxed(&withdrawal, folder.path(), false);
    assert!(layout::CORNER_MARKS.into_iter().all(|mark| ink(&page, mark) > 0.9));
    assert!(ink(&page, layout::RECEIVED_YES) > 0.15, "the box stands where a reader looks for received");
    for (what, area) in layout::BOXES.into_iter().filter(|(what, _)| *what != "received-yes" && *what != "received-no") {
        assert!(ink(&page, area) < 0.01, "where {what} stands on other pages is nothing");
    }
    assert_eq!(qr_in(&page).as_deref(), Some("LL-CODE"));
}

#[test]
fn a_cover_page_says_how_the_pages_come_and_only_what_is_true() {
    let referral = referral();
    let cover = |behind| pdftotext(&document(About::Request, &referral, &face("LL"), behind).unwrap(), 1);
    assert!(cover(Behind::ByFax).contains("pages come by fax"));
    assert!(!cover(Behind::Nothing).contains("come"), "nothing comes");
    let pages = pdftotext(&enclosed(About::Pages, &referral, &face("LL"), &[]).unwrap(), 1);
    assert!(pages.contains("Pages of a referral:") && pages.contains("see our mail to you"), "{pages}");
    assert!(pages.contains("book it once"));
}

#[test]
fn documents_that_are_not_included_are_counted_on_the_summary() {
    let enclosures = Enclosures { documents_left_out: 2, documents_incomplete: 1, ..Enclosures::default() };
    let document = document(About::Request, &referral(), &face("LL"), Behind::Enclosed(&enclosures)).unwrap();
    let summary = pdftotext(&document, 2).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(summary.contains("2 attached documents could not be included: ask the sender"), "{summary}");
    assert!(summary.contains("1 attached document could not be included as a whole: ask the sender"), "{summary}");
}

#[test]
fn page_images_follow_and_a_damaged_one_costs_only_its_own_page() {
    let referral = referral();
    let scan = png(&GrayImage::from_fn(400, 520, |x, y| image::Luma([if (x / 20 + y / 20) % 2 == 0 { 0 } else { 255 }])));
    let broken = scan.slice(..scan.len() / 2);
    let huge = png(&GrayImage::new(20_001, 2));
    let pages: Vec<PageImage> = [scan, broken, huge].into_iter().map(|png| PageImage { png }).collect();
    let document = confirmation_request(&referral, &face("LL"), &pages).unwrap();
    assert_eq!(document.pages, 5);
    assert!(pdftotext(&document, 3).contains("page 3 of 5"));
    assert!(!pdftotext(&document, 3).contains("cannot be shown"));
    assert!(pdftotext(&document, 4).contains("cannot be shown"));
    assert!(pdftotext(&document, 5).contains("cannot be shown"));
}

#[test]
fn texts_of_any_length_and_script_stay_on_the_page() {
    let mut referral = referral();
    let endless = "Ünïcödé 李明 \u{1F9B4} שלום \u{0}\u{1B}[31m ".repeat(5_000);
    referral.record.patient.name = name(&endless, &endless);
    referral.record.request.reason = Some(endless.clone());
    referral.record.notes = vec![endless.clone(); 300];
    referral.record.referring.organization = Some("W".repeat(100_000));
    let site = "S".repeat(10_000);
    let document =
        confirmation_request(&referral, &PageFace { site_name: &site, return_email: Some(&site), ..face("LL") }, &[]).unwrap();
    assert_eq!(document.pages as usize, 1 + summary::SUMMARY_PAGES_MAX);
    let folder = tempfile::tempdir().unwrap();
    let page = faxed(&document, folder.path(), false);
    let right_margin = layout::Area { left: 580.0, top: 0.0, width: 30.0, height: 790.0 };
    assert!(ink(&page, right_margin) < 0.03, "nothing passes the right edge");
    assert!(pdftotext(&document, document.pages).contains("There is more"));
    let received = jiff::Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC);
    referral.record.review = (0..100).map(|index| format!("insurance.{index}.member_id")).collect();
    referral.record.hold(HeldReason::BlockingField);
    assert_eq!(acknowledgement::page(&referral, &face("LL"), &received).unwrap().pages, 1);
    assert_eq!(acknowledgement::unreadable(&face("LL"), &received, None, &endless).unwrap().pages, 1);
}

#[test]
fn the_same_referral_makes_the_same_bytes() {
    let referral = referral();
    let compose = || confirmation_request(&referral, &face("LL"), &[]).unwrap().bytes;
    assert_eq!(compose(), compose());
}

#[test]
fn a_code_too_fine_for_a_fax_is_refused() {
    assert!(matches!(cover_only(&referral(), &face(&"A".repeat(68))), Err(ComposeError::Code { characters: 68 })));
    assert!(cover_only(&referral(), &face(&"A".repeat(67))).is_ok());
}

/// Writes the pages to the folder `LOOPLINE_PAGES` for a look at them, with its `scan.png` as a page of the referral: `LOOPLINE_PAGES=/tmp/p cargo test --lib pages_into_shown -- --ignored`.
#[test]
#[ignore = "writes files to look at"]
fn pages_into_shown() {
    let folder = std::path::PathBuf::from(std::env::var_os("LOOPLINE_PAGES").unwrap());
    std::fs::create_dir_all(&folder).unwrap();
    let mut referral = referral();
    let token = TokenKey::new([7; 32]).token(&referral.reference);
    let face = face(token.as_str());
    let received: jiff::Zoned = "2026-11-21T15:04[America/Los_Angeles]".parse().unwrap();
    let write = |name: &str, document: Document| std::fs::write(folder.join(name), document.bytes).unwrap();
    let scans = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.ends_with("scan.png"));
    let scans: Vec<PageImage> = scans.map(|path| PageImage { png: std::fs::read(path).unwrap().into() }).collect();
    write("request.pdf", confirmation_request(&referral, &face, &scans).unwrap());
    write("cover.pdf", cover_only(&referral, &face).unwrap());
    let enclosures = Enclosures { pages: scans.clone(), documents_left_out: 2, documents_incomplete: 1 };
    for (name, about) in
        [("pages.pdf", About::Pages), ("update.pdf", About::Update), ("withdrawal.pdf", About::Withdrawal(Withdrawn::BySender))]
    {
        write(name, document(about, &referral, &face, Behind::Enclosed(&enclosures)).unwrap());
    }
    write("received.pdf", acknowledgement::page(&referral, &face, &received).unwrap());
    referral.record.review = vec!["patient.name.family".into(), "insurance.0.member_id".into(), "request.reason".into()];
    referral.record.patient.birth_date = None;
    referral.record.hold(HeldReason::BlockingField);
    referral.record.hold(HeldReason::PriorityUnknown);
    referral.record.priority = Priority::Unknown;
    write("check.pdf", acknowledgement::page(&referral, &face, &received).unwrap());
    let reason = "the file is protected by a password";
    write("unreadable.pdf", acknowledgement::unreadable(&face, &received, Some(3), reason).unwrap());
}
