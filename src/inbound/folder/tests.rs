//! The watched folder, with real files: half-written, moved, equal, unmovable, many.

use std::{
    collections::HashSet,
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    sync::{Arc, Mutex},
};

use super::*;
use crate::store::StoreError;

/// An intake that knows what it took by content and by file, as the engine's does, and can be told to fail.
#[derive(Clone, Default)]
struct Taken(Arc<Mutex<Ledger>>);

#[derive(Default)]
struct Ledger {
    arrivals: Vec<Arrival>,
    unavailable: bool,
    refuse: bool,
}

impl Accept for Taken {
    async fn accept(&self, arrival: Arrival) -> Result<Repeat, IntakeError> {
        let mut ledger = self.0.lock().unwrap();
        if ledger.unavailable {
            let source = StoreError::Unavailable(std::io::Error::from(std::io::ErrorKind::StorageFull));
            return Err(IntakeError::Unavailable { answer: None, source });
        }
        if ledger.refuse {
            return Err(IntakeError::NotAMessage("It is not welcome here.".into()));
        }
        let same_file = ledger.arrivals.iter().any(|known| known.body == arrival.body && known.file == arrival.file);
        let duplicate = ledger.arrivals.iter().any(|known| known.body == arrival.body);
        ledger.arrivals.push(arrival);
        Ok(match (same_file, duplicate) {
            (true, _) => Repeat::SameFile,
            (false, true) => Repeat::Duplicate,
            (false, false) => Repeat::New,
        })
    }
}

impl Taken {
    fn bodies(&self) -> Vec<Bytes> {
        self.0.lock().unwrap().arrivals.iter().map(|arrival| arrival.body.clone()).collect()
    }

    fn count(&self) -> usize {
        self.0.lock().unwrap().arrivals.len()
    }
}

/// A folder channel that runs until the test is over.
struct Running {
    inbox: tempfile::TempDir,
    taken: Taken,
    shutdown: CancellationToken,
    task: Option<tokio::task::JoinHandle<anyhow::Result<()>>>,
}

fn config(path: &Path) -> FolderConfig {
    FolderConfig { path: path.into(), stable_after_seconds: 0.2, poll_seconds: 0.1, file_bytes_max: 10_000 }
}

impl Running {
    fn start(prepare: impl FnOnce(&Path)) -> Self {
        Self::start_with(prepare, config, true)
    }

    fn start_with(prepare: impl FnOnce(&Path), config: impl FnOnce(&Path) -> FolderConfig, with_events: bool) -> Self {
        let inbox = tempfile::tempdir().unwrap();
        prepare(inbox.path());
        let mut running = Self { taken: Taken::default(), shutdown: CancellationToken::new(), task: None, inbox };
        let folder = FolderInbound::open(ChannelName::new("fax-inbox"), config(running.path())).unwrap();
        let (taken, shutdown) = (running.taken.clone(), running.shutdown.clone());
        running.task = Some(tokio::spawn(async move {
            if with_events {
                folder.run_with(taken, shutdown).await
            } else {
                folder.run_on(Events::none(), taken, shutdown).await
            }
        }));
        running
    }

    fn path(&self) -> &Path {
        self.inbox.path()
    }

    fn drop_file(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path().join(name), content).unwrap();
    }

    /// Waits until this holds; the limit is only there so that a failing test ends.
    async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        for _ in 0..1_500 {
            if holds(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("never came: {what}");
    }

    /// Long enough for the folder to be looked at and everything that is ready to be taken, many times over.
    async fn looks(&self) {
        tokio::time::sleep(Duration::from_millis(800)).await;
    }

    fn has(&self, path: &str) -> bool {
        self.path().join(path).exists()
    }

    async fn stop(mut self) {
        self.shutdown.cancel();
        self.task.take().unwrap().await.unwrap().unwrap();
    }
}

fn pdf(text: &str) -> String {
    format!("%PDF-1.4\n% {text}\n%%EOF\n")
}

#[tokio::test]
async fn a_dropped_document_is_taken_and_moved_to_done() {
    let running = Running::start(|_| {});
    running.drop_file("a.pdf", pdf("a"));
    running.until("it is done", |running| running.has("done/a.pdf")).await;
    assert!(!running.has("a.pdf"));
    assert_eq!(running.taken.bodies(), [pdf("a")]);
    let arrival = running.taken.0.lock().unwrap().arrivals.first().cloned().unwrap();
    assert_eq!(arrival.file.unwrap().name, "a.pdf");
    running.stop().await;
}

#[tokio::test]
async fn without_file_events_the_folder_is_read_all_the_same() {
    let running = Running::start_with(|inbox| fs::write(inbox.join("before.pdf"), pdf("before")).unwrap(), config, false);
    running.until("the one that was there", |running| running.has("done/before.pdf")).await;
    running.drop_file("after.TIF", "II*\0 not much of a fax, and its ending says it is one");
    running.drop_file("whole.pdf", pdf("whole"));
    running.until("the one that came later", |running| running.has("done/whole.pdf")).await;
    running.stop().await;
}

#[tokio::test]
async fn a_file_that_still_grows_is_not_taken() {
    let running = Running::start(|_| {});
    let mut file = fs::File::create(running.path().join("slow.pdf")).unwrap();
    file.write_all(b"%PDF-1.4\n").unwrap();
    for page in 0..6 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        file.write_all(format!("% page {page}\n").as_bytes()).unwrap();
        assert_eq!(running.taken.count(), 0);
    }
    // A pause that is longer than the delay: the document has no end yet, so it is waited for.
    running.looks().await;
    assert_eq!(running.taken.count(), 0);
    file.write_all(b"%%EOF\n").unwrap();
    drop(file);
    running.until("it is done", |running| running.has("done/slow.pdf")).await;
    let bodies = running.taken.bodies();
    assert_eq!(bodies.len(), 1);
    assert!(bodies[0].ends_with(b"% page 5\n%%EOF\n"));
    running.stop().await;
}

#[tokio::test]
async fn a_document_that_never_ends_is_handed_in_as_it_is() {
    let broken = |path: &Path| FolderConfig { stable_after_seconds: 0.02, ..config(path) };
    let running = Running::start_with(|_| {}, broken, true);
    running.drop_file("broken.pdf", "%PDF-1.4\n% no end");
    running.drop_file("empty.pdf", "");
    running.until("both are done", |running| running.has("done/broken.pdf") && running.has("done/empty.pdf")).await;
    assert_eq!(running.taken.count(), 2);
    running.stop().await;
}

#[tokio::test]
async fn a_file_that_is_moved_into_place_is_taken_without_the_delay() {
    let never = |path: &Path| FolderConfig { stable_after_seconds: 3_600.0, ..config(path) };
    let running = Running::start_with(|_| {}, never, true);
    running.looks().await;
    running.drop_file(".hidden.tmp", pdf("moved"));
    fs::rename(running.path().join(".hidden.tmp"), running.path().join("moved.pdf")).unwrap();
    running.drop_file("written.pdf", pdf("written"));
    running.until("it is done", |running| running.has("done/moved.pdf")).await;
    assert!(running.has("written.pdf"), "the one that was only written waits");
    running.stop().await;
}

#[tokio::test]
async fn equal_content_goes_to_duplicate_and_new_content_under_an_old_name_is_kept_beside_it() {
    let running = Running::start(|_| {});
    running.drop_file("scan.pdf", pdf("one"));
    running.until("the first", |running| running.has("done/scan.pdf")).await;
    running.drop_file("copy.pdf", pdf("one"));
    running.until("the copy", |running| running.has("duplicate/copy.pdf")).await;
    running.drop_file("scan.pdf", pdf("two"));
    running.until("the second of that name", |running| running.has("done/scan (2).pdf")).await;
    assert_eq!(fs::read_to_string(running.path().join("done/scan.pdf")).unwrap(), pdf("one"));
    assert_eq!(fs::read_to_string(running.path().join("done/scan (2).pdf")).unwrap(), pdf("two"));
    running.stop().await;
}

#[tokio::test]
async fn a_file_that_was_taken_before_a_crash_goes_to_done() {
    let running = Running::start(|_| {});
    running.drop_file("a.pdf", pdf("a"));
    running.until("it is done", |running| running.has("done/a.pdf")).await;
    // As if the engine had died before the move: a rename leaves inode, time and size as they were.
    fs::rename(running.path().join("done/a.pdf"), running.path().join("a.pdf")).unwrap();
    running.until("it is taken again", |running| running.taken.count() == 2).await;
    running.until("it is done again", |running| running.has("done/a.pdf") && !running.has("a.pdf")).await;
    assert!(!running.has("duplicate/a.pdf"));
    running.stop().await;
}

#[tokio::test]
async fn other_files_are_left_alone() {
    let leavings = [
        ".DS_Store",
        "._a.pdf",
        "Thumbs.db",
        "a.pdf.part",
        "b.pdf.filepart",
        "c.pdf.tmp",
        "d.tif.upload",
        "e.pdf.inprogress",
        "f.TEMP",
        "~$d.pdf",
        "~$report.docx",
        "notes.txt",
        "fax.xml",
    ];
    let running = Running::start(|inbox| {
        for name in leavings {
            fs::write(inbox.join(name), "whatever").unwrap();
        }
        fs::create_dir(inbox.join("@eaDir")).unwrap();
        fs::write(inbox.join("@eaDir/a.pdf"), pdf("not ours")).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", inbox.join("link.pdf")).unwrap();
    });
    running.drop_file("no-ending", pdf("by its content"));
    running.until("the document among them", |running| running.has("done/no-ending")).await;
    running.looks().await;
    assert_eq!(running.taken.count(), 1);
    assert!(leavings.iter().all(|name| running.has(name)));
    assert!(running.has("@eaDir/a.pdf") && running.has("link.pdf"));
    running.stop().await;
}

#[tokio::test]
async fn what_people_take_for_a_document_does_not_lie_there_for_ever() {
    let running = Running::start(|_| {});
    for name in ["report.docx", "letter.RTF", "photo.heic", "scan.JP2", "scan.djvu", "fax.g3"] {
        running.drop_file(name, name);
    }
    running.until("all are taken, to be refused in words", |running| running.taken.count() == 6).await;
    running.until("they are done", |running| running.has("done/report.docx") && running.has("done/fax.g3")).await;
    running.stop().await;
}

#[tokio::test]
async fn a_file_that_is_too_large_is_set_aside_with_the_reason() {
    let running = Running::start(|_| {});
    running.drop_file("large.pdf", pdf(&"x".repeat(20_000)));
    running.until("the reason", |running| running.has("failed/large.pdf.reason.txt")).await;
    assert_eq!(fs::metadata(running.path().join("failed/large.pdf")).unwrap().len(), 20_018);
    let reason = fs::read_to_string(running.path().join("failed/large.pdf.reason.txt")).unwrap();
    assert!(reason.contains("20018 bytes") && reason.contains("file_bytes_max"));
    assert_eq!(running.taken.count(), 0);
    running.stop().await;
}

#[tokio::test]
async fn what_the_intake_refuses_is_set_aside_with_the_reason() {
    let running = Running::start(|_| {});
    running.taken.0.lock().unwrap().refuse = true;
    running.drop_file("a.pdf", pdf("a"));
    running.until("the reason", |running| running.has("failed/a.pdf.reason.txt")).await;
    assert!(running.has("failed/a.pdf"));
    running.stop().await;
}

#[tokio::test]
async fn while_the_store_cannot_write_files_stay_and_are_taken_afterwards() {
    let running = Running::start(|_| {});
    running.taken.0.lock().unwrap().unavailable = true;
    running.drop_file("a.pdf", pdf("a"));
    running.looks().await;
    assert!(running.has("a.pdf") && running.taken.count() == 0);
    running.taken.0.lock().unwrap().unavailable = false;
    running.until("it is done", |running| running.has("done/a.pdf")).await;
    running.stop().await;
}

#[tokio::test]
async fn a_file_that_will_not_move_is_read_once() {
    let running = Running::start(|_| {});
    // A folder in the way: nothing can be moved to `done`, whoever runs the test.
    fs::remove_dir(running.path().join("done")).unwrap();
    fs::write(running.path().join("done"), "").unwrap();
    running.drop_file("a.pdf", pdf("a"));
    running.until("it is taken", |running| running.taken.count() == 1).await;
    running.looks().await;
    running.drop_file("b.pdf", pdf("b"));
    running.until("the next is taken", |running| running.taken.count() == 2).await;
    running.looks().await;
    assert_eq!(running.taken.count(), 2);
    assert!(running.has("a.pdf"), "nothing is deleted");
    fs::remove_file(running.path().join("done")).unwrap();
    running.until("both are done", |running| running.has("done/a.pdf") && running.has("done/b.pdf")).await;
    assert_eq!(running.taken.count(), 2);
    running.stop().await;
}

#[tokio::test]
async fn a_file_that_changes_after_it_was_taken_is_read_again() {
    let running = Running::start(|_| {});
    fs::remove_dir(running.path().join("done")).unwrap();
    fs::write(running.path().join("done"), "").unwrap();
    running.drop_file("a.pdf", pdf("a"));
    running.until("it is taken", |running| running.taken.count() == 1).await;
    running.drop_file("a.pdf", pdf("something else, longer"));
    running.until("it is taken again", |running| running.taken.count() == 2).await;
    running.stop().await;
}

#[tokio::test]
async fn one_file_that_cannot_be_read_does_not_stop_the_others() {
    if rustix::process::geteuid().is_root() {
        // Root may read anything; the retry itself is covered below.
        let mut watch = Watch::new(Duration::ZERO);
        let inbox = tempfile::tempdir().unwrap();
        fs::write(inbox.path().join("a.pdf"), "x").unwrap();
        let now = Instant::now();
        let ready = watch.look(scan::list(inbox.path()).unwrap().found, &|_| false, now);
        assert!(watch.retry(&ready[0].name, now));
        assert!(watch.look(scan::list(inbox.path()).unwrap().found, &|_| false, now).is_empty());
        let later = now + Duration::from_secs(2);
        assert_eq!(watch.look(scan::list(inbox.path()).unwrap().found, &|_| false, later).len(), 1);
        assert!(!watch.retry(&ready[0].name, later), "it is reported once");
        return;
    }
    let running = Running::start(|_| {});
    running.drop_file("locked.pdf", pdf("locked"));
    fs::set_permissions(running.path().join("locked.pdf"), fs::Permissions::from_mode(0o0)).unwrap();
    running.drop_file("open.pdf", pdf("open"));
    running.until("the other", |running| running.has("done/open.pdf")).await;
    fs::set_permissions(running.path().join("locked.pdf"), fs::Permissions::from_mode(0o600)).unwrap();
    running.until("this one too", |running| running.has("done/locked.pdf")).await;
    running.stop().await;
}

#[tokio::test]
async fn the_oldest_file_is_taken_first() {
    let running = Running::start(|inbox| {
        for (name, age) in [("a.pdf", 10), ("b.pdf", 30), ("c.pdf", 20)] {
            fs::write(inbox.join(name), pdf(name)).unwrap();
            let then = std::time::SystemTime::now() - Duration::from_secs(age);
            fs::File::options().write(true).open(inbox.join(name)).unwrap().set_modified(then).unwrap();
        }
    });
    running.until("all are taken", |running| running.taken.count() == 3).await;
    assert_eq!(running.taken.bodies(), [pdf("b.pdf"), pdf("c.pdf"), pdf("a.pdf")]);
    running.stop().await;
}

#[tokio::test]
async fn a_folder_that_goes_away_and_comes_back_is_read_again() {
    let outer = tempfile::tempdir().unwrap();
    let inbox = outer.path().join("inbox");
    let taken = Taken::default();
    let shutdown = CancellationToken::new();
    let folder = FolderInbound::open(ChannelName::new("fax-inbox"), config(&inbox)).unwrap();
    let task = tokio::spawn(folder.run_with(taken.clone(), shutdown.clone()));
    fs::rename(&inbox, outer.path().join("away")).unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    fs::create_dir(&inbox).unwrap();
    fs::write(inbox.join("a.pdf"), pdf("a")).unwrap();
    while !inbox.join("done/a.pdf").exists() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    shutdown.cancel();
    task.await.unwrap().unwrap();
    assert_eq!(taken.count(), 1);
}

#[tokio::test]
async fn a_thousand_files_cost_a_few_looks_and_every_one_is_taken_once() {
    let small = |path: &Path| FolderConfig { stable_after_seconds: 0.05, ..config(path) };
    let running = Running::start_with(
        |inbox| {
            for index in 0..1_000 {
                fs::write(inbox.join(format!("{index}.pdf")), pdf(&index.to_string())).unwrap();
            }
        },
        small,
        true,
    );
    running.until("all are done", |running| fs::read_dir(running.path().join("done")).unwrap().count() == 1_000).await;
    let bodies: HashSet<Bytes> = running.taken.bodies().into_iter().collect();
    assert_eq!((bodies.len(), running.taken.count()), (1_000, 1_000));
    running.stop().await;
}

#[test]
fn a_file_that_is_replaced_or_taken_away_while_it_is_read_is_noticed() {
    let inbox = tempfile::tempdir().unwrap();
    let path = inbox.path().join("a.pdf");
    fs::write(&path, pdf("a")).unwrap();
    let mut watch = Watch::new(Duration::ZERO);
    let ready = watch.look(scan::list(inbox.path()).unwrap().found, &|_| false, Instant::now());
    let identity = ready[0].identity;
    assert!(matches!(scan::read(&path, identity, 1_000, false), ReadFile::Whole(_)));
    fs::write(&path, pdf("something else")).unwrap();
    assert!(matches!(scan::read(&path, identity, 1_000, false), ReadFile::Changed));
    fs::remove_file(&path).unwrap();
    assert!(matches!(scan::read(&path, identity, 1_000, false), ReadFile::Gone));
}

#[test]
fn opening_makes_the_folders_and_says_what_is_wrong() {
    let outer = tempfile::tempdir().unwrap();
    let open = |config: FolderConfig| FolderInbound::open(ChannelName::new("fax-inbox"), config).map(|_| ());
    let inbox = outer.path().join("inbox");
    open(config(&inbox)).unwrap();
    open(config(&inbox)).unwrap();
    assert!(["done", "duplicate", "failed"].iter().all(|name| inbox.join(name).is_dir()));
    assert_eq!(fs::read_dir(&inbox).unwrap().count(), 3, "nothing of ours is left in it");

    let missing = open(config(&outer.path().join("no/such"))).unwrap_err();
    assert!(missing.to_string().contains("no/such"));
    let endless = open(FolderConfig { poll_seconds: f64::NAN, ..config(&inbox) }).unwrap_err();
    assert!(endless.to_string().contains("poll_seconds"));
    fs::remove_dir(inbox.join("done")).unwrap();
    std::os::unix::fs::symlink("/dev/shm", inbox.join("done")).unwrap();
    assert!(open(config(&inbox)).unwrap_err().to_string().contains("another file system"));
}

/// An intake that only counts: so that what is measured is the folder's work.
#[derive(Clone, Default)]
struct Counted(Arc<std::sync::atomic::AtomicUsize>);

impl Accept for Counted {
    async fn accept(&self, _: Arrival) -> Result<Repeat, IntakeError> {
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Ok(Repeat::New)
    }
}

#[tokio::test]
#[ignore = "takes a minute and prints what it measured"]
#[expect(clippy::print_stderr, reason = "a measurement is printed")]
async fn a_hundred_thousand_files_do_not_stall_the_folder() {
    const FILES: usize = 100_000;
    let inbox = tempfile::tempdir().unwrap();
    for index in 0..FILES {
        fs::write(inbox.path().join(format!("{index}.pdf")), pdf(&index.to_string())).unwrap();
    }
    let (counted, shutdown) = (Counted::default(), CancellationToken::new());
    let folder = FolderInbound::open(ChannelName::new("fax-inbox"), config(inbox.path())).unwrap();
    let began = Instant::now();
    let task = tokio::spawn(folder.run_with(counted.clone(), shutdown.clone()));
    let mut reported = 0;
    while fs::read_dir(inbox.path()).unwrap().count() > 3 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let done = counted.0.load(std::sync::atomic::Ordering::Relaxed);
        if done / 20_000 > reported {
            reported = done / 20_000;
            eprintln!("{done} files after {:?}", began.elapsed());
        }
    }
    shutdown.cancel();
    task.await.unwrap().unwrap();
    assert_eq!(counted.0.load(std::sync::atomic::Ordering::Relaxed), FILES);
}
