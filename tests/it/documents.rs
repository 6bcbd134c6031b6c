//! Every kind of file that a fax server or scanner drops, through the reader; and files that mean harm, through the folder.

use std::{
    fs,
    io::{Read, Write},
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use bytes::Bytes;
use loopline::reader::{PageReading, ReadError, ReaderOptions, ReaderPool, Reading};
use serde_json::Value;

use crate::{
    harness::{Site, files, wait_for},
    reader::{fax_bomb, jbig2_bomb},
};

fn options() -> ReaderOptions {
    ReaderOptions { executable: env!("CARGO_BIN_EXE_loopline").into(), workers: 2, ..ReaderOptions::default() }
}

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/fax").join(name)
}

fn fixture(name: &str) -> Bytes {
    Bytes::from(fs::read(path(name)).unwrap())
}

async fn read(name: &str) -> Reading {
    ReaderPool::new(options()).read(fixture(name)).await.unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn text(page: &PageReading) -> String {
    page.words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
}

fn codes(reading: &Reading) -> Vec<&str> {
    reading.problems.iter().map(|problem| problem.code.as_str()).collect()
}

/// Whether the words of the form are there; recognition may err in one of them.
fn is_the_form(page: &PageReading) -> bool {
    let text = text(page);
    let words = ["Testa Sampleton", "03/14/1961", "XK402817755", "K21.9", "Gastroenterology Clinic"];
    words.iter().filter(|words| text.contains(*words)).count() + 1 >= words.len()
}

fn mean_confidence(page: &PageReading) -> f32 {
    page.words.iter().map(|word| word.confidence).sum::<f32>() / page.words.len() as f32
}

#[tokio::test]
async fn every_resolution_compression_and_way_to_lie_gives_the_words_of_the_form() {
    let pool = ReaderPool::new(options());
    for (name, pages) in [
        ("superfine-g4.tif", 1),
        ("superfine-wide-g4.tif", 1),
        ("four-ways-g4.tif", 4),
        ("skewed-g4.tif", 3),
        ("dirty-g4.tif", 1),
        ("standard.png", 1),
        ("page.png", 1),
        ("page.jpg", 1),
        ("scan-jpx.pdf", 1),
        ("mixed.pdf", 3),
    ] {
        let reading = pool.read(fixture(name)).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(codes(&reading), Vec::<&str>::new(), "{name}");
        assert_eq!(reading.pages.len(), pages, "{name}");
        for page in &reading.pages {
            assert!(is_the_form(page), "{name}, page {}: {}", page.number, text(page));
        }
    }
}

/// The JPEG 2000 of a page, as a scanner writes it: taken out of the PDF around it.
fn jpeg2000() -> Bytes {
    let pdf = fixture("scan-jpx.pdf");
    let place = |mark: &[u8]| pdf.windows(mark.len()).position(|window| window == mark).unwrap();
    pdf.slice(place(b"\0\0\0\x0cjP  ")..place(b"\xff\xd9") + 2)
}

#[tokio::test]
async fn a_jpeg_2000_by_itself_is_read_as_one_within_a_pdf() {
    let file = jpeg2000();
    let stream = file.windows(4).position(|window| window == b"\xff\x4f\xff\x51").unwrap();
    let pool = ReaderPool::new(options());
    for (name, bytes) in [("jp2", file.clone()), ("j2k", file.slice(stream..))] {
        let reading = pool.read(bytes).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(codes(&reading), Vec::<&str>::new(), "{name}");
        assert!(is_the_form(&reading.pages[0]), "{name}: {}", text(&reading.pages[0]));
    }
}

#[tokio::test]
async fn text_is_taken_as_it_is_and_its_boxes_lie_on_the_ink() {
    let reading = read("born-digital.pdf").await;
    let page = &reading.pages[0];
    assert!(is_the_form(page));
    assert!(page.words.iter().all(|word| word.confidence > 0.95), "its words are not recognized");
    let image = image::load_from_memory(&page.image).unwrap().into_luma8();
    for word in &page.words {
        let [left, top, right, bottom] = word.bounds;
        let row = |y: u32| (left..right).any(|x| image.get_pixel(x, y)[0] < 200);
        assert!((top..top + 4).any(row) && (bottom - 4..bottom).any(row), "the box of {} is as tall as its ink", word.text);
    }
}

#[tokio::test]
async fn text_that_says_something_else_than_the_page_shows_is_recognized_instead() {
    let reading = read("nonsense-text.pdf").await;
    assert!(is_the_form(&reading.pages[0]), "{}", text(&reading.pages[0]));
    assert!(mean_confidence(&reading.pages[0]) < 0.98);
}

#[tokio::test]
async fn a_scanners_own_reading_under_its_image_is_not_taken() {
    let reading = read("scan-searchable.pdf").await;
    assert!(is_the_form(&reading.pages[0]));
    assert!(!text(&reading.pages[0]).contains("Misread"));
}

#[tokio::test]
async fn a_stamp_above_a_scan_is_read_with_the_scan() {
    let reading = read("scan-stamped.pdf").await;
    let text = text(&reading.pages[0]);
    assert!(is_the_form(&reading.pages[0]) && text.contains("somebody else"), "{text}");
}

#[tokio::test]
async fn values_of_a_form_that_nobody_has_drawn_are_read_and_seen() {
    let reading = read("form-values.pdf").await;
    let page = &reading.pages[0];
    assert!(is_the_form(page), "{}", text(page));
    let image = image::load_from_memory(&page.image).unwrap().into_luma8();
    let [left, top, right, bottom] = page.words.iter().find(|word| word.text == "Sampleton").unwrap().bounds;
    assert!((top..bottom).any(|y| (left..right).any(|x| image.get_pixel(x, y)[0] < 128)), "the value is on the stored page");
}

#[tokio::test]
async fn documents_within_a_portfolio_are_its_further_pages_and_other_files_are_told_of() {
    let reading = read("portfolio.pdf").await;
    assert_eq!(reading.pages.iter().map(|page| page.number).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(text(&reading.pages[0]).contains("portfolio"));
    assert!(is_the_form(&reading.pages[1]) && is_the_form(&reading.pages[2]));
    assert_eq!(codes(&reading), ["file-not-read"]);
    assert!(reading.problems[0].message.contains("file 3") && !reading.problems[0].message.contains("xml"));
}

/// A PDF of these objects, the first of which is the catalog.
fn pdf(objects: &[Vec<u8>]) -> Vec<u8> {
    let mut out = b"%PDF-1.7\n".to_vec();
    for (object, number) in objects.iter().zip(1..) {
        writeln!(out, "{number} 0 obj").unwrap();
        out.extend(object);
        out.extend(b"\nendobj\n");
    }
    out.extend(b"trailer << /Root 1 0 R >>\n%%EOF\n");
    out
}

fn stream(entries: &str, data: &[u8]) -> Vec<u8> {
    [format!("<< {entries} /Length {} >>\nstream\n", data.len()).as_bytes(), data, b"\nendstream"].concat()
}

const CATALOG: &[u8] = b"<< /Type /Catalog /Pages 2 0 R >>";
const ONE_PAGE: &[u8] = b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>";

/// Forms that each draw the next one ten times: a hundred million strokes out of a few lines.
fn nested_forms() -> Vec<u8> {
    const LEVELS: usize = 8;
    let page =
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /XObject << /F 5 0 R >> >> >>";
    let mut objects = vec![CATALOG.to_vec(), ONE_PAGE.to_vec(), page.to_vec(), stream("", &b"/F Do ".repeat(10))];
    for level in 0..LEVELS {
        let next =
            format!("/Type /XObject /Subtype /Form /BBox [0 0 612 792] /Resources << /XObject << /F {} 0 R >> >>", 6 + level);
        objects.push(stream(&next, &b"/F Do ".repeat(10)));
    }
    objects.push(stream("/Type /XObject /Subtype /Form /BBox [0 0 612 792]", &b"0 0 m 600 700 l 300 20 l f ".repeat(10)));
    pdf(&objects)
}

/// A content stream of a few megabytes that unpacks to more than a gigabyte of spaces (RFC 1951, fixed codes).
fn flate_bomb() -> Vec<u8> {
    const REPEATS: usize = 5_000_000;
    let mut bits: Vec<u8> = Vec::with_capacity(REPEATS * 13 / 8 + 16);
    let (mut held, mut count) = (0_u32, 0_u32);
    let mut put = |value: u32, length: u32| {
        held |= value << count;
        count += length;
        while count >= 8 {
            bits.push((held & 0xff) as u8);
            held >>= 8;
            count -= 8;
        }
    };
    put(0b011, 3);
    // A space is 0x50 in eight bits, most significant first.
    put(0x50_u8.reverse_bits().into(), 8);
    for _ in 0..REPEATS {
        // 258 times what came one before: length code 285, distance code 0.
        put(0b1100_0101_u8.reverse_bits().into(), 8);
        put(0, 5);
    }
    put(0, 7);
    put(0, 8);
    let data = [&[0x78, 0x01], bits.as_slice()].concat();
    let page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R >>";
    pdf(&[CATALOG.to_vec(), ONE_PAGE.to_vec(), page.to_vec(), stream("/Filter /FlateDecode", &data)])
}

/// An image of 60,000 pixels a side where no check of the page's own images sees it.
fn hidden_image_bomb() -> Vec<u8> {
    let page =
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /XObject << /F 5 0 R >> >> >>";
    let form = "/Type /XObject /Subtype /Form /BBox [0 0 612 792] /Resources << /XObject << /Im 6 0 R >> >>";
    let image = "/Type /XObject /Subtype /Image /Width 60000 /Height 60000 /BitsPerComponent 1 /ColorSpace /DeviceGray \
        /Filter /CCITTFaxDecode /DecodeParms << /K -1 /Columns 60000 /Rows 60000 >>";
    pdf(&[
        CATALOG.to_vec(),
        ONE_PAGE.to_vec(),
        page.to_vec(),
        stream("", b"/F Do"),
        stream(form, b"q 612 0 0 792 0 0 cm /Im Do Q"),
        stream(image, &[0xff; 35_000]),
    ])
}

fn pages(count: usize) -> Vec<u8> {
    let kids: String = (0..count).map(|at| format!("{} 0 R ", at + 3)).collect();
    let tree = format!("<< /Type /Pages /Kids [{kids}] /Count {count} >>").into_bytes();
    let mut objects = vec![CATALOG.to_vec(), tree];
    objects.extend((0..count).map(|_| b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 72 72] >>".to_vec()));
    pdf(&objects)
}

#[tokio::test]
async fn a_page_that_draws_without_end_is_stopped_by_its_cpu_time() {
    let pool = ReaderPool::new(ReaderOptions { cpu_seconds_max: 2, memory_bytes_max: 1 << 33, ..options() });
    let read = pool.read(nested_forms().into()).await;
    assert!(matches!(read, Err(ReadError::Timeout)), "{:?}", read.err());
    assert!(is_the_form(&pool.read(fixture("scan-g4.pdf")).await.unwrap().pages[0]), "the next document gets a new worker");
}

#[tokio::test]
async fn a_page_that_draws_without_end_is_stopped_by_the_clock() {
    let pool = ReaderPool::new(ReaderOptions { wall_seconds_max: 1, ..options() });
    assert!(matches!(pool.read(nested_forms().into()).await, Err(ReadError::Timeout)));
}

#[test]
fn each_way_in_which_a_file_means_harm_is_named_and_the_channel_goes_on() {
    let site = Site::new();
    let _running = site.start();
    let cut = fixture("scan-g4.pdf").slice(..600);
    let paper = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 90000000 90000000] >>";
    let circle = b"<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 2 >>";
    let files: Vec<(&str, Vec<u8>, &str)> = vec![
        ("encrypted.pdf", fixture("encrypted.pdf").to_vec(), "protected by a password"),
        ("cut.pdf", cut.to_vec(), "cut off"),
        ("empty.pdf", Vec::new(), "is empty (0 bytes)"),
        ("circle.pdf", pdf(&[CATALOG.to_vec(), circle.to_vec()]), "no pages"),
        ("blank.tif", fixture("blank-g4.tif").to_vec(), "page 1 is blank"),
        ("letter.pdf", b"Dear colleague, please see attached".to_vec(), "not a PDF, TIFF, PNG, JPEG or JPEG 2000"),
        ("scan.jp2", jpeg2000().slice(..100).to_vec(), "a JPEG 2000 picture cannot be read"),
        ("scan.djvu", b"AT&TFORM and so on".to_vec(), "print it to a PDF"),
        ("letter.docx", b"PK\x03\x04 [Content_Types].xml word/document.xml".to_vec(), "print it to a PDF"),
        ("paper.pdf", pdf(&[CATALOG.to_vec(), ONE_PAGE.to_vec(), paper.to_vec()]), "larger than the limit"),
        ("ccitt.tif", fax_bomb().to_vec(), "larger than the limit"),
        ("jbig2.pdf", jbig2_bomb().to_vec(), "larger than the limit"),
        ("hidden.pdf", hidden_image_bomb(), "bytes of memory"),
        ("flate.pdf", flate_bomb(), "bytes of memory"),
        ("many.pdf", pages(5_000), "more than 200 pages"),
    ];
    for (name, content, _) in &files {
        site.drop_file(&format!("fax-in/{name}"), content);
    }
    site.drop_file("fax-in/good.pdf", &fixture("scan-g4.pdf"));
    for (name, _, why) in &files {
        let note = site.data(&format!("fax-in/failed/{name}.reason.txt"));
        assert!(wait_for(|| note.exists()), "{name}: {}", site.log());
        let said = fs::read_to_string(note).unwrap();
        assert!(said.contains(why), "{name}: {said}");
        assert!(site.data(&format!("fax-in/failed/{name}")).exists(), "{name} lies beside its note");
    }
    assert!(wait_for(|| site.referrals().len() == 1), "the fax among them is a referral: {}", site.log());
    assert!(!site.log().contains("Sampleton"));
}

#[test]
fn a_document_at_which_the_engine_was_killed_twice_is_set_aside_and_read_a_last_time_later() {
    let site = Site::new();
    killed_while_reading(&site, "poison.pdf", &nested_forms(), &[1, 2]);
    let _running = site.start();
    let aside = || {
        let messages = site.messages();
        let waits = |one: &&Value| {
            one["state"] == "received" && one["reason"].as_str().is_some_and(|why| why.starts_with("set aside for 600 s"))
        };
        messages.iter().filter(waits).count() == 1
    };
    assert!(wait_for(aside), "{:#?}", site.messages());
    site.drop_file("fax-in/good.pdf", &fixture("scan-g4.pdf"));
    assert!(wait_for(|| site.referrals().len() == 1), "the channel goes on: {}", site.log());
    assert!(aside(), "it waits: {:#?}", site.messages());
}

#[test]
fn a_fax_during_which_the_engine_was_killed_twice_becomes_its_referral_all_the_same() {
    let site = Site::new();
    fs::write(site.path("loopline.toml"), "[limits]\ndocument_set_aside_seconds = 1\n").unwrap();
    killed_while_reading(&site, "good.tif", &fixture("with-attachments.tif"), &[1, 2]);
    let _running = site.start();
    assert!(wait_for(|| site.referrals().len() == 1), "{}", site.log());
    assert!(files(&site.data("fax-in/failed")).is_empty());
}

#[test]
fn a_document_at_which_the_engine_dies_also_the_last_time_has_failed() {
    let site = Site::new();
    fs::write(site.path("loopline.toml"), "[limits]\ndocument_set_aside_seconds = 1\n").unwrap();
    killed_while_reading(&site, "poison.pdf", &nested_forms(), &[1, 2, 4]);
    let _running = site.start();
    let note = site.data("fax-in/failed/poison.pdf.reason.txt");
    assert!(wait_for(|| note.exists()), "{}", site.log());
    assert!(fs::read_to_string(note).unwrap().contains("did not survive 3 attempts"));
}

/// Drops a file, and kills the engine in the middle of each of these attempts at it.
fn killed_while_reading(site: &Site, name: &str, content: &[u8], attempts: &[u64]) {
    for (round, attempt) in attempts.iter().enumerate() {
        let running = site.start();
        if round == 0 {
            site.drop_file(&format!("fax-in/{name}"), content);
        }
        running.freeze_readers(1);
        let begun = || site.messages().first().is_some_and(|message| message["attempts"] == *attempt);
        assert!(wait_for(begun), "{:#?}", site.messages());
        running.kill();
    }
}

#[test]
fn what_was_at_hand_beside_a_document_that_kills_the_engine_is_read() {
    let site = Site::new();
    let attempts = |wanted: u64| site.messages().iter().filter(|message| message["attempts"] == wanted).count();
    let running = site.start();
    site.drop_file("fax-in/a-poison.pdf", &nested_forms());
    site.drop_file("fax-in/b-also.pdf", &[nested_forms(), b"% another".to_vec()].concat());
    running.freeze_readers(2);
    assert!(wait_for(|| attempts(1) == 2), "{:#?}", site.messages());
    running.kill();
    let running = site.start();
    running.freeze_readers(1);
    assert!(wait_for(|| attempts(2) == 1), "{:#?}", site.messages());
    assert_eq!(attempts(1), 1, "one is read alone: {:#?}", site.messages());
    running.kill();
    let running = site.start();
    running.freeze_readers(1);
    assert!(wait_for(|| attempts(3) == 1 && attempts(2) == 1), "one is set aside, the other read: {:#?}", site.messages());
    let aside = |one: &Value| one["reason"].as_str().is_some_and(|why| why.starts_with("set aside"));
    assert!(wait_for(|| site.messages().iter().filter(|one| aside(one)).count() == 1), "{:#?}", site.messages());
}

#[test]
fn a_document_that_was_being_read_when_the_engine_was_stopped_is_not_to_blame() {
    let site = Site::new();
    for round in 1..=3 {
        let running = site.start();
        if round == 1 {
            site.drop_file("fax-in/long.pdf", &nested_forms());
        }
        running.freeze_readers(1);
        let begun = || site.messages().first().is_some_and(|message| message["attempts"] == 1 && message["state"] == "received");
        assert!(wait_for(begun), "round {round}: {:#?}", site.messages());
        assert_eq!(running.stop(), Some(0), "{}", site.log());
    }
    assert_eq!(site.log().matches("it goes on at the next start").count(), 3, "{}", site.log());
    assert!(!site.data("fax-in/failed/long.pdf.reason.txt").exists());
}

#[test]
fn a_busy_worker_ends_at_once_when_its_engine_is_gone() {
    let mut worker = Command::new(env!("CARGO_BIN_EXE_loopline"))
        .args(["reader-worker", "--memory-bytes-max", "1073741824", "--cpu-seconds-max", "600", "--pages-max", "200"])
        .env("OMP_THREAD_LIMIT", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = worker.stdin.take().unwrap();
    let mut ready = [0; 16];
    worker.stdout.as_mut().unwrap().read_exact(&mut ready).unwrap();
    let document = nested_forms();
    input.write_all(&(document.len() as u64).to_le_bytes()).unwrap();
    input.write_all(&document).unwrap();
    drop(input);
    let mut ended = None;
    assert!(wait_for(|| {
        ended = worker.try_wait().unwrap();
        ended.is_some()
    }));
    assert_eq!(ended.unwrap().signal(), Some(9), "it does not finish the document");
}
