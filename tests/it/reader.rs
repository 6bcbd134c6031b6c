//! Reading documents through the pool: the real worker processes on real files, and on files that mean harm.

use std::{
    io::BufRead,
    os::unix::{fs::PermissionsExt, process::ExitStatusExt},
    path::Path,
    process::Stdio,
    time::Duration,
};

use bytes::Bytes;
use loopline::reader::{PageReading, ReadError, ReaderOptions, ReaderPool, Reading};
use rustix::process::{Pid, Signal, kill_process};

fn options() -> ReaderOptions {
    ReaderOptions { executable: env!("CARGO_BIN_EXE_loopline").into(), workers: 1, ..ReaderOptions::default() }
}

fn fixture(name: &str) -> Bytes {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/fax").join(name);
    Bytes::from(std::fs::read(path).unwrap())
}

async fn read(name: &str) -> Result<Reading, ReadError> {
    ReaderPool::new(options()).read(fixture(name)).await
}

fn text(page: &PageReading) -> String {
    page.words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
}

fn codes(reading: &Reading) -> Vec<&str> {
    reading.problems.iter().map(|problem| problem.code.as_str()).collect()
}

fn refused(result: Result<Reading, ReadError>) -> String {
    match result {
        Err(ReadError::Refused { code, message }) => {
            assert!(!message.is_empty());
            code
        }
        Err(other) => panic!("refused for another reason: {other}"),
        Ok(_) => panic!("it was read"),
    }
}

/// A reader that writes down the process id of every worker before it becomes one.
struct Logged {
    folder: tempfile::TempDir,
}

impl Logged {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (script, log) = (folder.path().join("reader"), folder.path().join("pids"));
        let text = format!("#!/bin/sh\necho $$ >> {}\nexec {} \"$@\"\n", log.display(), env!("CARGO_BIN_EXE_loopline"));
        std::fs::write(&script, text).unwrap();
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
        Self { folder }
    }

    fn options(&self) -> ReaderOptions {
        ReaderOptions { executable: self.folder.path().join("reader"), ..options() }
    }

    /// The workers so far, the last one last.
    fn workers(&self) -> Vec<i32> {
        let log = std::fs::read_to_string(self.folder.path().join("pids")).unwrap_or_default();
        log.lines().map(|line| line.parse().unwrap()).collect()
    }
}

fn signal(worker: i32, signal: Signal) {
    kill_process(Pid::from_raw(worker).unwrap(), signal).unwrap();
}

/// Waits until a process is gone, or only waits for its parent to look.
async fn is_gone(worker: i32) -> bool {
    for _ in 0..200 {
        match std::fs::read_to_string(format!("/proc/{worker}/stat")) {
            Ok(stat) if !stat.contains(") Z ") => tokio::time::sleep(Duration::from_millis(50)).await,
            Ok(_) | Err(_) => return true,
        }
    }
    false
}

/// Holds a lease on a file, so that whoever opens it waits; says so when somebody does.
const LEASE: &str = "
import fcntl, signal, sys, time
signal.signal(signal.SIGIO, lambda *_: print('asked', flush=True))
held = open(sys.argv[1], 'rb+')
fcntl.fcntl(held, fcntl.F_SETLEASE, fcntl.F_WRLCK)
print('held', flush=True)
while True:
    time.sleep(60)
";

#[test]
fn a_worker_that_hangs_while_it_loads_ends_with_the_engine() {
    let data = tempfile::tempdir().unwrap();
    for language in ["eng", "osd"] {
        std::fs::write(data.path().join(format!("{language}.traineddata")), "nothing that is ever read").unwrap();
    }
    let mut lease = std::process::Command::new("python3")
        .args(["-c", LEASE])
        .arg(data.path().join("eng.traineddata"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = std::io::BufReader::new(lease.stdout.take().unwrap()).lines();
    assert_eq!(said.next().unwrap().unwrap(), "held");
    let mut worker = std::process::Command::new(env!("CARGO_BIN_EXE_loopline"))
        .args(["reader-worker", "--memory-bytes-max", "4000000000", "--cpu-seconds-max", "600", "--pages-max", "1"])
        .env("TESSDATA_PREFIX", data.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    assert_eq!(said.next().unwrap().unwrap(), "asked", "the worker waits for the data");
    drop(worker.stdin.take());
    let ended = (0..200).find_map(|_| {
        std::thread::sleep(Duration::from_millis(50));
        worker.try_wait().unwrap()
    });
    worker.kill().ok();
    lease.kill().unwrap();
    lease.wait().unwrap();
    assert_eq!(ended.and_then(|status| status.signal()), Some(9), "it killed itself");
}

#[tokio::test]
async fn every_way_that_a_fax_server_stores_a_page_gives_the_same_words() {
    let pool = ReaderPool::new(options());
    for name in [
        "fine-g4-strips.tif",
        "fine-g3-2d-lsb.tif",
        "standard-g3.tif",
        "fine-lzw.tif",
        "upside-down-g4.tif",
        "scan-g4.pdf",
        "scan-g4-inverted.pdf",
        "scan-g4-rotated.pdf",
        "scan-standard-g4.pdf",
        "scan-jbig2.pdf",
        "scan-jpeg.pdf",
        "born-digital.pdf",
    ] {
        let reading = pool.read(fixture(name)).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(codes(&reading), Vec::<&str>::new(), "{name}");
        let [page] = &reading.pages[..] else { panic!("{name} has one page") };
        let text = text(page);
        for words in ["Testa Sampleton", "03/14/1961", "XK402817755", "K21.9", "Gastroenterology Clinic"] {
            assert!(text.contains(words), "{name} says {words}");
        }
    }
}

#[tokio::test]
async fn the_boxes_of_the_words_lie_on_the_ink_of_the_stored_image() {
    let reading = read("upside-down-g4.tif").await.unwrap();
    let page = &reading.pages[0];
    let image = image::load_from_memory(&page.image).unwrap().into_luma8();
    assert_eq!((image.width(), image.height()), (page.width, page.height));
    let word = page.words.iter().find(|word| word.text == "Sampleton").unwrap();
    let [left, top, right, bottom] = word.bounds;
    let dark = |left: u32, right: u32| {
        (top..bottom).flat_map(|y| (left..right).map(move |x| (x, y))).filter(|(x, y)| image.get_pixel(*x, *y)[0] < 128).count()
    };
    assert!(dark(left, right) > 300, "the word's box has ink");
    assert!(dark(right + 2, right + 60) == 0, "what follows the last word of a line has none");
}

#[tokio::test]
async fn the_pages_of_a_document_keep_their_order() {
    let reading = read("two-pages-g4.tif").await.unwrap();
    assert_eq!(reading.pages.iter().map(|page| page.number).collect::<Vec<_>>(), [1, 2]);
    assert!(text(&reading.pages[0]).starts_with("REFERRAL REQUEST"));
    assert!(text(&reading.pages[1]).starts_with("CLINICAL NOTES"));
}

#[tokio::test]
async fn pages_beyond_the_limit_are_left_out_and_said_to_be() {
    let pool = ReaderPool::new(ReaderOptions { pages_max: 1, ..options() });
    let reading = pool.read(fixture("two-pages-g4.tif")).await.unwrap();
    assert_eq!(reading.pages.len(), 1);
    assert_eq!(codes(&reading), ["pages-max"]);
}

#[tokio::test]
async fn a_blank_page_is_no_success() {
    let reading = read("blank-g4.tif").await.unwrap();
    assert_eq!(codes(&reading), ["blank-page"]);
    assert!(reading.pages[0].words.is_empty());
}

#[tokio::test]
async fn a_document_that_cannot_be_opened_is_refused_in_plain_words() {
    let pool = ReaderPool::new(options());
    assert_eq!(refused(pool.read(fixture("encrypted.pdf")).await), "encrypted");
    assert_eq!(refused(pool.read(Bytes::new()).await), "empty-document");
    assert_eq!(refused(pool.read(Bytes::from_static(b"Dear colleague, please see attached")).await), "not-a-document");
    assert_eq!(refused(pool.read(fixture("scan-g4.pdf").slice(..600)).await), "truncated");
    assert_eq!(refused(pool.read(fixture("fine-g4-strips.tif").slice(..100)).await), "truncated");
}

#[tokio::test]
async fn a_fax_that_was_cut_off_while_it_was_copied_gives_what_is_there_and_says_so() {
    let whole = fixture("scan-g4.pdf");
    let pool = ReaderPool::new(options());
    match pool.read(whole.slice(..whole.len() - 2_500)).await {
        Ok(reading) => assert!(codes(&reading).contains(&"truncated")),
        Err(error) => assert_eq!(refused(Err(error)), "truncated"),
    }
}

/// A TIFF of one Group 4 page that claims to be 60,000 pixels wide and tall.
pub fn fax_bomb() -> Bytes {
    let mut file = b"II*\0\x08\0\0\0".to_vec();
    let entries: [(u16, u16, u32); 8] = [
        (256, 4, 60_000),
        (257, 4, 60_000),
        (258, 3, 1),
        (259, 3, 4),
        (262, 3, 0),
        (273, 4, 110),
        (278, 4, 60_000),
        (279, 4, 35_000),
    ];
    file.extend((entries.len() as u16).to_le_bytes());
    for (tag, kind, value) in entries {
        file.extend(tag.to_le_bytes());
        file.extend(kind.to_le_bytes());
        file.extend(1_u32.to_le_bytes());
        file.extend(value.to_le_bytes());
    }
    file.extend([0; 4]);
    // One bit a row: every row is as the one before, which is white.
    file.resize(110 + 35_000, 0xff);
    Bytes::from(file)
}

#[tokio::test]
async fn a_page_that_would_unpack_to_gigabytes_is_refused_by_its_header() {
    let pool = ReaderPool::new(options());
    assert_eq!(refused(pool.read(fax_bomb()).await), "page-too-large");
    let paper = b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n2 0 obj\n<< /Type /Pages /Kids [3 0 R] /Count 1 >>\n\
        endobj\n3 0 obj\n<< /Type /Page /Parent 2 0 R /MediaBox [0 0 90000000 90000000] >>\nendobj\ntrailer << /Root 1 0 R >>\n%%EOF\n";
    assert_eq!(refused(pool.read(Bytes::from_static(paper)).await), "page-too-large");
    assert_eq!(refused(pool.read(jbig2_bomb()).await), "page-too-large");
}

/// A PDF of one page with a JBIG2 image that says it is small, and is 60,000 pixels wide and tall by its own page information.
pub fn jbig2_bomb() -> Bytes {
    let mut image = vec![0, 0, 0, 0, 48, 0, 1, 0, 0, 0, 19];
    image.extend([60_000_u32.to_be_bytes(), 60_000_u32.to_be_bytes(), [0; 4], [0; 4]].concat());
    image.extend([0, 0, 0]);
    let mut pdf = b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n2 0 obj\n<< /Type /Pages /Kids [3 0 R] /Count 1 >>\n\
        endobj\n3 0 obj\n<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /XObject << /Im 5 0 R >> >> /Contents 4 0 R >>\n\
        endobj\n4 0 obj\n<< /Length 28 >>\nstream\nq 612 0 0 792 0 0 cm /Im Do Q\nendstream\nendobj\n5 0 obj\n<< /Type /XObject /Subtype /Image \
        /Width 1728 /Height 2200 /BitsPerComponent 1 /ColorSpace /DeviceGray /Filter /JBIG2Decode /Length 30 >>\nstream\n"
        .to_vec();
    pdf.extend(image);
    pdf.extend(b"\nendstream\nendobj\ntrailer << /Root 1 0 R >>\n%%EOF\n");
    Bytes::from(pdf)
}

#[tokio::test]
async fn a_page_tree_that_runs_in_circles_ends() {
    let pdf = b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n2 0 obj\n<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 2 >>\n\
        endobj\ntrailer << /Root 1 0 R >>\n%%EOF\n";
    let reading = ReaderPool::new(options()).read(Bytes::from_static(pdf)).await.unwrap();
    assert_eq!(codes(&reading), ["no-pages"]);
}

#[tokio::test]
async fn a_worker_is_used_again_and_a_dead_one_is_replaced() {
    let logged = Logged::new();
    let pool = ReaderPool::new(logged.options());
    pool.read(fixture("blank-g4.tif")).await.unwrap();
    assert_eq!(refused(pool.read(fixture("encrypted.pdf")).await), "encrypted");
    let [worker] = logged.workers()[..] else { panic!("one worker reads both documents") };
    signal(worker, Signal::KILL);
    assert!(is_gone(worker).await);
    let reading = pool.read(fixture("scan-g4.pdf")).await.unwrap();
    assert!(text(&reading.pages[0]).contains("Sampleton"));
    assert_eq!(logged.workers().len(), 2);
}

#[tokio::test]
async fn a_worker_that_died_unnoticed_while_it_waited_costs_no_document() {
    let logged = Logged::new();
    let pool = ReaderPool::new(logged.options());
    pool.read(fixture("blank-g4.tif")).await.unwrap();
    let [worker] = logged.workers()[..] else { panic!("there is one worker") };
    // To whoever looks it lives until it has been given the document.
    signal(worker, Signal::STOP);
    let (reading, ()) = tokio::join!(pool.read(fixture("scan-g4.pdf")), async {
        tokio::task::yield_now().await;
        signal(worker, Signal::KILL);
    });
    assert!(text(&reading.unwrap().pages[0]).contains("Sampleton"));
    assert_eq!(logged.workers().len(), 2);
}

#[tokio::test]
async fn a_worker_that_dies_over_a_document_costs_that_document_only() {
    let logged = Logged::new();
    let pool = ReaderPool::new(logged.options());
    pool.read(fixture("blank-g4.tif")).await.unwrap();
    let [worker] = logged.workers()[..] else { panic!("there is one worker") };
    // The first page is told of while the worker goes on with the second.
    let poison = pool.read_telling(fixture("two-pages-g4.tif"), &|_| signal(worker, Signal::KILL)).await;
    assert!(matches!(poison, Err(ReadError::Crashed(how)) if how.contains("stopped from outside (signal 9)")));
    assert_eq!(pool.read(fixture("scan-g4.pdf")).await.unwrap().pages.len(), 1);
}

#[tokio::test]
async fn a_document_that_takes_too_long_costs_its_worker_and_not_the_next_document() {
    let logged = Logged::new();
    let pool = ReaderPool::new(ReaderOptions { wall_seconds_max: 5, ..logged.options() });
    pool.read(fixture("blank-g4.tif")).await.unwrap();
    let [worker] = logged.workers()[..] else { panic!("there is one worker") };
    signal(worker, Signal::STOP);
    assert!(matches!(pool.read(fixture("blank-g4.tif")).await, Err(ReadError::Timeout)));
    assert!(is_gone(worker).await, "the slow worker is killed");
    assert_eq!(pool.read(fixture("blank-g4.tif")).await.unwrap().pages.len(), 1);
}

#[tokio::test]
async fn a_document_that_eats_its_cpu_time_is_a_timeout() {
    // Nothing beyond the second that is being counted; turning the page and trying again takes more than one.
    let pool = ReaderPool::new(ReaderOptions { cpu_seconds_max: 0, ..options() });
    let mut results = Vec::new();
    for _ in 0..4 {
        results.push(pool.read(fixture("upside-down-g4.tif")).await);
    }
    assert!(results.iter().any(|result| matches!(result, Err(ReadError::Timeout))));
    assert!(results.iter().all(|result| matches!(result, Ok(_) | Err(ReadError::Timeout))));
}

#[tokio::test]
async fn workers_end_with_the_pool() {
    let logged = Logged::new();
    let pool = ReaderPool::new(logged.options());
    pool.read(fixture("blank-g4.tif")).await.unwrap();
    let [worker] = logged.workers()[..] else { panic!("there is one worker") };
    drop(pool);
    assert!(is_gone(worker).await);
}

#[tokio::test]
async fn a_worker_has_limits_and_nothing_of_the_engines_environment() {
    let logged = Logged::new();
    let pool = ReaderPool::new(logged.options());
    pool.read(fixture("blank-g4.tif")).await.unwrap();
    let [worker] = logged.workers()[..] else { panic!("there is one worker") };
    let limits = std::fs::read_to_string(format!("/proc/{worker}/limits")).unwrap();
    let limit = |name: &str| {
        let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
        line.trim_start_matches(name).split_whitespace().next().unwrap().to_owned()
    };
    assert_eq!(limit("Max core file size"), "0");
    assert_eq!(limit("Max file size"), "0");
    assert_eq!(limit("Max address space"), options().memory_bytes_max.to_string());
    let status = std::fs::read_to_string(format!("/proc/{worker}/status")).unwrap();
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    assert_eq!(field("Seccomp:"), "2", "a filter is on");
    assert_eq!(field("NoNewPrivs:"), "1");
    let open = std::fs::read_dir(format!("/proc/{worker}/fd")).unwrap();
    let open: Vec<String> = open.map(|file| std::fs::read_link(file.unwrap().path()).unwrap().display().to_string()).collect();
    assert!(open.iter().all(|file| file.starts_with("pipe:") || file == "/dev/null"), "it has its pipes: {open:?}");
    let environment = std::fs::read(format!("/proc/{worker}/environ")).unwrap();
    let environment = String::from_utf8_lossy(&environment);
    assert!(environment.contains("OMP_THREAD_LIMIT=1"));
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some() && !environment.contains("CARGO_MANIFEST_DIR"));
    assert_eq!(std::fs::read_link(format!("/proc/{worker}/cwd")).unwrap(), Path::new("/"));
}

#[tokio::test]
async fn a_worker_that_needs_more_memory_than_it_may_have_is_no_harm_to_the_engine() {
    // Enough to start Tesseract, too little for a page.
    let tight = ReaderPool::new(ReaderOptions { memory_bytes_max: 120_000_000, ..options() });
    let result = tight.read(fixture("scan-g4.pdf")).await;
    assert!(matches!(result, Err(ReadError::Crashed(_) | ReadError::Unavailable(_))), "it fails, and says so");
}

#[tokio::test]
async fn a_program_that_is_no_reader_is_reported_before_any_document_is_given_to_it() {
    for program in ["/bin/true", "/nonexistent/loopline"] {
        let pool = ReaderPool::new(ReaderOptions { executable: program.into(), ..options() });
        assert!(matches!(pool.read(fixture("blank-g4.tif")).await, Err(ReadError::Unavailable(_))), "{program}");
    }
}

#[tokio::test]
async fn missing_language_data_is_reported_with_the_package_to_install() {
    let logged = Logged::new();
    let script = logged.folder.path().join("reader");
    let text = format!("#!/bin/sh\nTESSDATA_PREFIX=/nonexistent exec {} \"$@\"\n", env!("CARGO_BIN_EXE_loopline"));
    std::fs::write(&script, text).unwrap();
    let result = ReaderPool::new(logged.options()).read(fixture("blank-g4.tif")).await;
    assert!(matches!(result, Err(ReadError::Unavailable(why)) if why.contains("tesseract-ocr-eng")));
}

#[tokio::test]
async fn many_documents_at_once_share_the_workers() {
    let pool = ReaderPool::new(ReaderOptions { workers: 2, ..options() });
    let readings = futures::future::join_all((0..6).map(|_| pool.read(fixture("two-pages-g4.tif")))).await;
    assert!(readings.iter().all(|reading| reading.as_ref().is_ok_and(|reading| reading.pages.len() == 2)));
}
