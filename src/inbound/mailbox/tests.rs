//! Real Maildirs, a stand-in for the intake.

use std::{
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use super::*;

struct Running {
    folder: tempfile::TempDir,
    taken: Arc<Mutex<Vec<Vec<u8>>>>,
    available: Arc<AtomicBool>,
    shutdown: CancellationToken,
    task: tokio::task::JoinHandle<anyhow::Result<()>>,
}

impl Running {
    fn start(mail_bytes_max: u64, before: impl Fn(&Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Maildir::open(folder.path()).unwrap();
        before(folder.path());
        let (taken, available) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(true)));
        let config =
            MailboxConfig { maildir: folder.path().to_owned(), stable_after_seconds: 0.1, poll_seconds: 0.05, mail_bytes_max };
        let shutdown = CancellationToken::new();
        let (list, open) = (Arc::clone(&taken), Arc::clone(&available));
        let task =
            tokio::spawn(watch(MailboxInbound::new(ChannelName::new("inbox"), config), shutdown.clone(), move |arrival| {
                let (list, open) = (Arc::clone(&list), Arc::clone(&open));
                async move {
                    assert!(arrival.protocol == Protocol::Mail && arrival.file.is_some());
                    if !open.load(Ordering::SeqCst) {
                        return Verdict::Later;
                    }
                    list.lock().unwrap().push(arrival.body.to_vec());
                    Verdict::Durable
                }
            }));
        Self { folder, taken, available, shutdown, task }
    }

    fn names(&self, directory: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path().join(directory)).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    async fn until(&self, what: impl Fn(&Self) -> bool) {
        for _ in 0..500 {
            if what(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("it did not come to that");
    }

    async fn stop(self) -> Vec<Vec<u8>> {
        self.shutdown.cancel();
        self.task.await.unwrap().unwrap();
        self.taken.lock().unwrap().clone()
    }
}

#[tokio::test]
async fn mails_that_are_there_and_mails_that_come_are_taken_once_and_moved() {
    let running = Running::start(1_000, |folder| std::fs::write(folder.join("new/1"), b"first").unwrap());
    running.until(|running| running.names("cur") == ["1:2,S"]).await;
    Maildir::open(running.folder.path()).unwrap().deliver("2", b"second").unwrap();
    running.until(|running| running.names("cur") == ["1:2,S", "2:2,S"]).await;
    assert!(running.names("new").is_empty());
    assert_eq!(running.stop().await, [b"first".to_vec(), b"second".to_vec()]);
}

#[tokio::test]
async fn a_mail_that_is_too_large_stays_and_holds_up_nothing() {
    let running = Running::start(10, |folder| {
        std::fs::write(folder.join("new/1"), b"much too large a mail").unwrap();
        std::fs::write(folder.join("new/2"), b"small").unwrap();
    });
    running.until(|running| running.names("cur") == ["2:2,S"]).await;
    assert_eq!(running.names("new"), ["1"]);
    assert_eq!(running.stop().await, [b"small".to_vec()]);
}

#[tokio::test]
async fn while_the_store_cannot_write_mails_wait_in_new() {
    let running = Running::start(1_000, |_| ());
    running.available.store(false, Ordering::SeqCst);
    std::fs::write(running.folder.path().join("new/1"), b"waits").unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(running.names("new"), ["1"]);
    running.available.store(true, Ordering::SeqCst);
    running.until(|running| running.names("cur") == ["1:2,S"]).await;
    assert_eq!(running.stop().await, [b"waits".to_vec()]);
}

#[tokio::test]
async fn a_mail_that_will_not_move_is_not_read_twice_and_moves_when_it_can() {
    // Without cur/, nothing can be moved there; unlike permissions this holds for root too.
    let running = Running::start(1_000, |_| ());
    running.until(|running| running.folder.path().join("cur").exists()).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    std::fs::remove_dir(running.folder.path().join("cur")).unwrap();
    std::fs::write(running.folder.path().join("cur"), b"not a directory").unwrap();
    std::fs::write(running.folder.path().join("new/1"), b"stuck").unwrap();
    running.until(|running| !running.taken.lock().unwrap().is_empty()).await;
    std::fs::write(running.folder.path().join("new/2"), b"also").unwrap();
    running.until(|running| running.taken.lock().unwrap().len() == 2).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(running.names("new"), ["1", "2"]);
    std::fs::remove_file(running.folder.path().join("cur")).unwrap();
    std::fs::create_dir(running.folder.path().join("cur")).unwrap();
    running.until(|running| running.names("cur") == ["1:2,S", "2:2,S"]).await;
    assert_eq!(running.stop().await, [b"stuck".to_vec(), b"also".to_vec()]);
}

#[tokio::test]
async fn a_mail_that_is_written_straight_into_new_is_taken_whole_and_an_empty_one_never() {
    use std::io::Write;
    let running = Running::start(1_000_000, |_| ());
    let mut file = std::fs::File::create(running.folder.path().join("new/1")).unwrap();
    std::fs::write(running.folder.path().join("new/2"), b"").unwrap();
    for _ in 0..20 {
        file.write_all(b"a line of a mail that takes its time\n").unwrap();
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    running.until(|running| running.names("cur") == ["1:2,S"]).await;
    assert_eq!(running.names("new"), ["2"]);
    std::fs::write(running.folder.path().join("new/2"), b"written at last").unwrap();
    running.until(|running| running.names("cur") == ["1:2,S", "2:2,S"]).await;
    let taken = running.stop().await;
    assert_eq!(taken.iter().map(Vec::len).collect::<Vec<_>>(), [20 * 37, 15]);
}
