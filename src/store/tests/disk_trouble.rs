//! A disk that is full or fails, and recovers.

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use super::*;
use crate::store::{
    simulated_disk::{Faults, SimulatedDisk},
    start::open_on,
};

const BOOT: &str = "boot-1";

fn opened(disk: &SimulatedDisk, folder: &Path) -> Store {
    open_on(Arc::new(disk.clone()), &options(folder), BOOT, None).unwrap()
}

async fn insert(store: &Store, key: &str) -> Result<Insertion, StoreError> {
    store.insert(new_message(key, format!("content of {key}, {}", "x".repeat(3_000)))).await
}

async fn recovers_from(faults: Faults) {
    let (disk, folder) = (SimulatedDisk::default(), tempfile::tempdir().unwrap());
    let store = opened(&disk, folder.path());
    let before = receipt(&insert(&store, "before").await.unwrap());
    disk.set_faults(faults.clone());
    let sync_fails = faults.syncs_failing > 0;
    assert!(matches!(insert(&store, "during").await, Err(StoreError::Unavailable(_))));
    assert!(store.health().is_err());
    assert!(store.message_by_key("repeat during").unwrap().is_none(), "nothing of it is there");
    assert!(store.message(before).unwrap().is_some(), "what is there can still be read");
    if !sync_fails {
        assert!(matches!(insert(&store, "still").await, Err(StoreError::Unavailable(_))));
    }
    disk.set_faults(Faults::default());
    let after = receipt(&insert(&store, "during").await.unwrap());
    store.health().unwrap();
    drop(store);
    let store = open_on(Arc::new(disk.after_kill()), &options(folder.path()), BOOT, None).unwrap();
    for id in [before, after] {
        let message = store.message(id).unwrap().unwrap();
        assert!(store.body(&message.body).await.unwrap().unwrap().starts_with(b"content of"));
    }
    assert_eq!(store.messages(&MessageFilter::default()).unwrap().len(), 2);
}

#[tokio::test]
async fn a_full_disk_refuses_and_recovers_without_a_restart() {
    for room_bytes in [0, 1, 40, 300] {
        recovers_from(Faults { room_bytes: Some(room_bytes), ..Faults::default() }).await;
    }
}

#[tokio::test]
async fn a_failing_sync_refuses_and_recovers_without_a_restart() {
    recovers_from(Faults { syncs_failing: 1, ..Faults::default() }).await;
    recovers_from(Faults { syncs_failing: 1, cuts_fail: true, ..Faults::default() }).await;
    recovers_from(Faults { syncs_failing: 3, ..Faults::default() }).await;
}

/// What was logged by all threads of this process, a line an event.
#[derive(Clone, Default)]
struct Logged(Arc<Mutex<String>>);

impl io::Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().push_str(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn whoever_reads_that_nothing_can_be_written_reads_where_and_what_helps_and_when_it_is_over() {
    let logged = Logged::default();
    let writer = logged.clone();
    // The writer has a thread of its own; no other test of this binary sets one for all.
    tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).try_init().unwrap();
    let (disk, folder) = (SimulatedDisk::default(), tempfile::tempdir().unwrap());
    let store = opened(&disk, folder.path());
    disk.set_faults(Faults { room_bytes: Some(0), ..Faults::default() });
    insert(&store, "A").await.unwrap_err();
    let (said, named) = (store.health().unwrap_err(), folder.path().display().to_string());
    for part in [&named, "make room on its disk", "by itself"] {
        assert!(said.contains(part), "{said}");
    }
    disk.set_faults(Faults::default());
    // By what somebody writes, not by the store's own look.
    insert(&store, "A").await.unwrap();
    let log = logged.0.lock().unwrap().clone();
    let has = |what: &str| log.lines().any(|line| line.contains(what) && line.contains(&named));
    assert!(has("nothing of it is acknowledged"), "{log}");
    assert!(has("the store can write again"), "{log}");
}

#[tokio::test]
async fn it_recovers_by_itself_when_nobody_asks() {
    let (disk, folder) = (SimulatedDisk::default(), tempfile::tempdir().unwrap());
    let store = opened(&disk, folder.path());
    disk.set_faults(Faults { room_bytes: Some(100), ..Faults::default() });
    insert(&store, "A").await.unwrap_err();
    disk.set_faults(Faults::default());
    while store.health().is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    insert(&store, "A").await.unwrap();
}

#[tokio::test]
async fn a_disk_that_stays_full_does_not_fill_with_empty_segments() {
    let (disk, folder) = (SimulatedDisk::default(), tempfile::tempdir().unwrap());
    let store = opened(&disk, folder.path());
    disk.set_faults(Faults { room_bytes: Some(0), ..Faults::default() });
    for _ in 0..50 {
        insert(&store, "A").await.unwrap_err();
    }
    let names = super::disk::Disk::list(&disk, &folder.path().join("journal")).unwrap();
    assert!(names.len() <= 2, "{names:?}");
}

/// The cache shows the frame whose sync failed, and no later sync writes it: a start must not take it for durable.
#[tokio::test]
async fn a_frame_that_only_the_cache_has_is_made_durable_by_the_next_start() {
    for seed in 0..20 {
        let (disk, folder) = (SimulatedDisk::default(), tempfile::tempdir().unwrap());
        let store = opened(&disk, folder.path());
        insert(&store, "before").await.unwrap();
        disk.set_faults(Faults { syncs_failing: 1, cuts_fail: true, ..Faults::default() });
        insert(&store, "A").await.unwrap_err();
        drop(store);
        let disk = disk.after_kill();
        let store = opened(&disk, folder.path());
        let told = insert(&store, "A").await.unwrap();
        drop(store);
        let mut chance = rand::SeedableRng::seed_from_u64(seed);
        let store = open_on(Arc::new(disk.after_power_cut(&mut chance)), &options(folder.path()), "boot-2", None).unwrap();
        let message = store.message(receipt(&told)).unwrap().unwrap();
        assert!(store.body(&message.body).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn content_whose_sync_failed_is_written_again_before_it_is_named() {
    for seed in 0..20 {
        let (disk, folder) = (SimulatedDisk::default(), tempfile::tempdir().unwrap());
        let store = opened(&disk, folder.path());
        let fax = vec![9_u8; 100_000];
        disk.set_faults(Faults { syncs_failing: 1, ..Faults::default() });
        store.insert(new_message("F", fax.clone())).await.unwrap_err();
        let told = store.insert(new_message("F", fax.clone())).await.unwrap();
        drop(store);
        let mut chance = rand::SeedableRng::seed_from_u64(seed);
        let store = open_on(Arc::new(disk.after_power_cut(&mut chance)), &options(folder.path()), "boot-2", None).unwrap();
        let message = store.message(receipt(&told)).unwrap().unwrap();
        assert_eq!(store.body(&message.body).await.unwrap().unwrap(), fax);
    }
}
