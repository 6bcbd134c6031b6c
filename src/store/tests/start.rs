//! What a start finds, and what it makes of it, on this machine's disk.

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::FileExt,
    path::PathBuf,
};

use super::*;
use crate::store::{disk::RealDisk, journal::JournalReader, start::check_sealed};

async fn filled(folder: &Path, count: usize) -> Vec<MessageId> {
    let store = Store::open(&options(folder)).unwrap();
    let mut ids = Vec::new();
    for number in 0..count {
        let write = first(&referral(), &[&format!("CEDAR|{number}")]);
        let decision = Decision { referrals: vec![write], deliveries: vec![delivery(b"p")], ..Decision::default() };
        let body = format!("MSH|{number}|{}", "x".repeat(number * 97 % 3_000));
        ids.push(receipt(
            &store.insert_decided(new_message(&format!("M{number}"), body), decision, store.coming()).await.unwrap(),
        ));
    }
    store.close().await;
    ids
}

async fn check(folder: &Path, ids: &[MessageId]) {
    let store = Store::open(&options(folder)).unwrap();
    for (number, id) in ids.iter().enumerate() {
        let message = store.message(*id).unwrap().unwrap();
        let body = store.body(&message.body).await.unwrap().unwrap();
        assert!(body.starts_with(format!("MSH|{number}|").as_bytes()));
        let again = store.insert(new_message(&format!("M{number}"), body)).await.unwrap();
        assert!(!is_new(&again) && receipt(&again) == *id);
        assert_eq!(store.referral_by_key(&format!("CEDAR|{number}")).unwrap().unwrap().version, 1);
    }
    assert_eq!(store.referrals(&ReferralFilter::default()).unwrap().len(), ids.len());
    assert_eq!(store.due_deliveries(Timestamp::now(), 1_000).unwrap().0.len(), ids.len());
    store.close().await;
}

fn segment(folder: &Path) -> PathBuf {
    folder.join("journal/0000000000000001.journal")
}

fn set_aside_count(folder: &Path) -> usize {
    fs::read_dir(folder)
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().contains("damaged"))
        .count()
}

#[tokio::test]
async fn content_that_stands_in_one_entry_comes_back_piece_by_piece_and_when_the_index_is_built_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&options(folder.path())).unwrap();
    let mut contents = Vec::new();
    for (number, length) in [(1, 300), (2, 14_000), (3, 20_000), (4, 90_000)] {
        let body = Bytes::from(format!("MSH|{number}|{}", "x".repeat(length)));
        // The second piece of the first entry is that of a later one too.
        let answers = [format!("MSA|AA|{number}\r"), "MSA|AA|same\r".repeat(9)].map(Bytes::from);
        let decision = Decision { bodies: answers.iter().cloned().map(Into::into).collect(), ..Decision::default() };
        store.insert_decided(new_message(&format!("M{number}"), body.clone()), decision, store.coming()).await.unwrap();
        contents.extend(answers);
        contents.push(body);
    }
    store.close().await;
    drop(store);
    for index_is_kept in [true, false] {
        if !index_is_kept {
            fs::remove_dir_all(folder.path().join("index")).unwrap();
        }
        let store = Store::open(&options(folder.path())).unwrap();
        for content in &contents {
            assert_eq!(store.body(&BodyId::of(content)).await.unwrap().as_ref(), Some(content));
        }
        store.close().await;
    }
}

/// Spoils a byte in the middle of the first frame's payload.
fn spoil(path: &Path) {
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, 64).unwrap();
    file.write_all_at(&[byte[0] ^ 0x10], 64).unwrap();
}

/// Stores messages of 12,000 bytes that do not get shorter.
async fn fill_with_noise(folder: &Path, count: u64) {
    let store = Store::open(&options(folder)).unwrap();
    let noise =
        |number: u64| (0_u64..1_500).flat_map(move |at| (at * 31 + number).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
    for number in 0..count {
        store.insert(new_message(&format!("M{number}"), noise(number).collect::<Vec<u8>>())).await.unwrap();
    }
    store.close().await;
}

#[tokio::test]
async fn a_sealed_segment_that_was_damaged_stops_even_a_start_after_a_clean_stop() {
    let folder = tempfile::tempdir().unwrap();
    fill_with_noise(folder.path(), 20).await;
    assert!(folder.path().join("journal/0000000000000002.journal").exists());
    spoil(&segment(folder.path()));
    let Err(OpenError::Damaged { file, offset, advice }) = Store::open(&options(folder.path())) else { panic!("it was opened") };
    assert_eq!((file, offset), (segment(folder.path()), 0));
    assert!(advice.contains("Restore the data folder from a backup"));
}

#[tokio::test]
async fn of_a_long_journal_the_damage_of_a_sealed_segment_is_found_while_the_store_is_open() {
    let folder = tempfile::tempdir().unwrap();
    fill_with_noise(folder.path(), 70).await;
    spoil(&segment(folder.path()));
    let store = Store::open(&options(folder.path())).unwrap();
    let sealed = JournalReader::new(std::sync::Arc::new(RealDisk), folder.path().join("journal"));
    assert_eq!(check_sealed(&store.engine(), &sealed, &[1, 2, 3]), [(segment(folder.path()), 0)]);
    let engine = store.engine();
    store.close().await;
    drop(store);
    assert_eq!(check_sealed(&engine, &sealed, &[1]), [], "it ends with the engine");
}

#[tokio::test]
async fn an_index_of_an_older_form_is_built_again() {
    let folder = tempfile::tempdir().unwrap();
    let ids = filled(folder.path(), 12).await;
    let index = sled::open(folder.path().join("index")).unwrap();
    let applied = index.remove("#applied-5").unwrap().unwrap();
    index.insert("#applied-4", applied).unwrap();
    index.flush().unwrap();
    drop(index);
    check(folder.path(), &ids).await;
    assert_eq!(set_aside_count(folder.path()), 1);
}

#[tokio::test]
async fn a_stop_and_a_start_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let ids = filled(folder.path(), 20).await;
    check(folder.path(), &ids).await;
    check(folder.path(), &ids).await;
    assert_eq!(set_aside_count(folder.path()), 0);
}

#[tokio::test]
async fn a_deleted_index_is_built_again() {
    let folder = tempfile::tempdir().unwrap();
    let ids = filled(folder.path(), 20).await;
    fs::remove_dir_all(folder.path().join("index")).unwrap();
    check(folder.path(), &ids).await;
}

#[tokio::test]
async fn a_stale_index_is_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path(), 5).await;
    let old = tempfile::tempdir().unwrap();
    copy(&folder.path().join("index"), &old.path().join("index"));
    let store = Store::open(&options(folder.path())).unwrap();
    let claimed = store.claim_message(store.messages(&MessageFilter::default()).unwrap()[0].id).await.unwrap();
    store.close().await;
    fs::remove_dir_all(folder.path().join("index")).unwrap();
    copy(&old.path().join("index"), &folder.path().join("index"));
    let store = Store::open(&options(folder.path())).unwrap();
    assert_eq!(store.message(claimed.id).unwrap().unwrap().attempts, 1);
}

#[tokio::test]
async fn a_corrupted_index_is_set_aside_and_built_again() {
    for seed in 0..6_u64 {
        let folder = tempfile::tempdir().unwrap();
        let ids = filled(folder.path(), 12).await;
        let db = OpenOptions::new().write(true).open(folder.path().join("index/db")).unwrap();
        let len = db.metadata().unwrap().len();
        for at in 0..40 {
            db.write_all_at(&[0xA5; 64], (seed * 7_919 + at * 104_729) % len.min(60_000)).unwrap();
        }
        check(folder.path(), &ids).await;
    }
}

#[tokio::test]
async fn an_index_after_a_power_cut_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let ids = filled(folder.path(), 5).await;
    fs::write(folder.path().join("running"), "running another-boot\n").unwrap();
    check(folder.path(), &ids).await;
    assert_eq!(set_aside_count(folder.path()), 1);
    for _ in 0..3 {
        fs::write(folder.path().join("running"), "running another-boot\n").unwrap();
        check(folder.path(), &ids).await;
    }
    assert_eq!(set_aside_count(folder.path()), 2, "they do not fill the disk");
}

#[tokio::test]
async fn a_torn_tail_is_cut_off_wherever_it_is_torn() {
    let folder = tempfile::tempdir().unwrap();
    let ids = filled(folder.path(), 5).await;
    let whole = fs::read(segment(folder.path())).unwrap();
    let mut frame = vec![0; frame::FRAME_HEADER_BYTES];
    frame::push_entry(&mut frame, frame::Kind::Audit, &[&[7; 900]]);
    frame::seal(&mut frame, 1, 1_000_000);
    for cut in [1, 20, 31, 32, 500, frame.len() - 1] {
        fs::write(segment(folder.path()), [whole.as_slice(), &frame[..cut]].concat()).unwrap();
        let store = Store::open(&options(folder.path())).unwrap();
        assert_eq!(fs::read(segment(folder.path())).unwrap(), whole, "torn after {cut} bytes");
        store.close().await;
    }
    check(folder.path(), &ids).await;
}

#[tokio::test]
async fn a_bad_frame_before_whole_ones_stops_the_start_with_file_and_offset() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path(), 10).await;
    let file = OpenOptions::new().write(true).read(true).open(segment(folder.path())).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, 2_000).unwrap();
    file.write_all_at(&[byte[0] ^ 1], 2_000).unwrap();
    for index in ["kept", "deleted"] {
        if index == "deleted" {
            fs::remove_dir_all(folder.path().join("index")).unwrap();
        }
        let Err(OpenError::Damaged { file, offset, advice }) = Store::open(&options(folder.path())) else {
            panic!("it opened with the index {index}")
        };
        assert_eq!(file, segment(folder.path()));
        assert!(offset <= 2_000 && offset > 0 && advice.contains("backup"), "{offset} {advice}");
    }
}

#[tokio::test]
async fn a_segment_that_is_missing_stops_the_start_wherever_it_stood() {
    for missing in ["first", "second", "last"] {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&options(folder.path())).unwrap();
        let mut dice = 1_u64;
        for number in 0..40 {
            let mut draw = || {
                dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                u8::try_from(dice >> 56).unwrap()
            };
            let body: Vec<u8> = std::iter::repeat_with(&mut draw).take(14_000).collect();
            store.insert(new_message(&format!("M{number}"), Bytes::from(body))).await.unwrap();
        }
        store.close().await;
        let names = fs::read_dir(folder.path().join("journal")).unwrap().count();
        assert!(names > 3, "{names}");
        let number = match missing {
            "first" => 1,
            "second" => 2,
            _ => names,
        };
        let removed = folder.path().join(format!("journal/{number:016}.journal"));
        fs::remove_file(&removed).unwrap();
        let Err(OpenError::Missing { file, advice }) = Store::open(&options(folder.path())) else {
            panic!("it opened without its {missing} segment")
        };
        assert!(file == removed && advice.contains("backup"), "{} {advice}", file.display());
    }
}

#[tokio::test]
async fn an_acknowledged_last_frame_that_is_gone_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path(), 3).await;
    let len = fs::metadata(segment(folder.path())).unwrap().len();
    OpenOptions::new().write(true).open(segment(folder.path())).unwrap().set_len(len - 10).unwrap();
    assert!(matches!(Store::open(&options(folder.path())), Err(OpenError::Damaged { .. })));
    assert_eq!(fs::metadata(segment(folder.path())).unwrap().len(), len - 10, "nothing is cut off then");
}

#[tokio::test]
async fn claims_survive_and_what_was_in_flight_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&options(folder.path())).unwrap();
    let id = receipt(&store.insert(new_message("A", "a")).await.unwrap());
    let (sent, asked) = (delivery(b"p"), delivery(b"p"));
    store.settle(Decision { deliveries: vec![sent.clone(), asked.clone()], ..Decision::default() }).await.unwrap();
    store.claim_message(id).await.unwrap();
    store.claim_delivery(sent.id).await.unwrap();
    assert!(store.interrupted_deliveries().unwrap().is_empty(), "this process knows what it is doing");
    drop(store);
    let store = Store::open(&options(folder.path())).unwrap();
    assert_eq!(store.message(id).unwrap().unwrap().attempts, 1);
    store.claim_delivery(asked.id).await.unwrap();
    let interrupted = store.interrupted_deliveries().unwrap();
    assert_eq!(interrupted.iter().map(|delivery| delivery.id).collect::<Vec<_>>(), [sent.id]);
    let settled = Delivery { state: DeliveryState::Queued, ..interrupted[0].clone() };
    store.settle_delivery(settled, Decision::default()).await.unwrap();
    assert!(store.interrupted_deliveries().unwrap().is_empty());
}

#[tokio::test]
async fn content_that_no_entry_names_is_taken_away_at_start_and_named_content_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&options(folder.path())).unwrap();
    let named = BodyId::of(&[1; 100_000]);
    store.insert(new_message("A", vec![1; 100_000])).await.unwrap();
    let stale = Decision {
        bodies: vec![Bytes::from(vec![2; 100_000]).into()],
        referrals: vec![ReferralWrite { referral: referral(), read_version: Some(7), keys: vec![] }],
        ..Decision::default()
    };
    store.settle(stale).await.unwrap_err();
    let path = |id: &BodyId| folder.path().join("bodies").join(id.hex().get(..2).unwrap()).join(id.hex());
    let orphan = path(&BodyId::of(&[2; 100_000]));
    assert!(orphan.exists());
    drop(store);
    let store = Store::open(&options(folder.path())).unwrap();
    assert!(!orphan.exists() && path(&named).exists());
    assert_eq!(store.body(&named).await.unwrap().unwrap().len(), 100_000);
}

#[tokio::test]
async fn content_without_a_journal_is_never_taken_away() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&options(folder.path())).unwrap();
    let id = BodyId::of(&[4; 100_000]);
    store.insert(new_message("A", vec![4; 100_000])).await.unwrap();
    store.close().await;
    drop(store);
    // Half a restore, or a mount that is missing.
    for gone in ["journal", "index"] {
        fs::rename(folder.path().join(gone), folder.path().join(format!("{gone}-away"))).unwrap();
    }
    for _ in 0..2 {
        let refused = Store::open(&options(folder.path())).err().unwrap().to_string();
        assert!(refused.contains("no journal: is all of it mounted"), "{refused}");
    }
    let path = folder.path().join("bodies").join(id.hex().get(..2).unwrap()).join(id.hex());
    assert!(path.exists());
    // A journal that was cut, and an index that was moved away to go on with what is left.
    fs::create_dir(folder.path().join("journal")).unwrap();
    let store = Store::open(&options(folder.path())).unwrap();
    assert!(!path.exists() && folder.path().join("bodies-unnamed").join(id.hex()).exists());
    drop(store);
}

#[tokio::test]
async fn content_damaged_on_disk_is_written_anew_before_it_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&options(folder.path())).unwrap();
    let id = BodyId::of(&[3; 90_000]);
    let path = folder.path().join("bodies").join(id.hex().get(..2).unwrap());
    fs::create_dir_all(&path).unwrap();
    fs::write(path.join(id.hex()), b"something else").unwrap();
    store.insert(new_message("A", vec![3; 90_000])).await.unwrap();
    assert_eq!(store.body(&id).await.unwrap().unwrap(), vec![3; 90_000]);
    fs::write(path.join(id.hex()), b"bit rot").unwrap();
    assert!(matches!(store.body(&id).await, Err(StoreError::Unreadable(_))), "never given out wrong");
}

pub(super) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[tokio::test]
async fn an_index_that_fails_while_running_is_built_again_and_nothing_acknowledged_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&options(folder.path())).unwrap();
    let id = receipt(&store.insert(new_message("A", "a")).await.unwrap());
    store.read(|_| Err::<(), _>(StoreError::Unreadable("a test".to_owned()))).unwrap_err();
    let again = store.insert(new_message("A", "a")).await.unwrap();
    assert_eq!(receipt(&again), id);
    assert_eq!(store.message(id).unwrap().unwrap().repeats, 1);
}

#[tokio::test]
async fn what_the_index_does_not_take_is_committed_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&options(folder.path())).unwrap();
    store
        .read(|index| {
            index.fails.store(true, std::sync::atomic::Ordering::SeqCst);
            Ok(())
        })
        .unwrap();
    let id = receipt(&store.insert(new_message("A", "a")).await.unwrap());
    let found = loop {
        // Never an old answer: none until the index is there again.
        match store.message(id) {
            Ok(found) => break found,
            Err(StoreError::Unreadable(_)) => tokio::task::yield_now().await,
            Err(other) => panic!("{other}"),
        }
    };
    assert_eq!(found.unwrap().id, id);
    assert!(!is_new(&store.insert(new_message("A", "a")).await.unwrap()));
    store.health().unwrap();
}
