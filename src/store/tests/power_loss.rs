//! Power cuts and kills at every kind of moment: what was acknowledged is there, what was not is whole or absent.
//!
//! Each seed runs a workload of several tasks against the real store over a disk that loses power after a random number of
//! operations; then the machine starts again, with the index as it was, stale, deleted or corrupted, and everything is compared
//! with what callers were told. Several lives follow each other on one disk.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::FileExt,
    sync::{Arc, Mutex},
};

use rand::{Rng, SeedableRng, rngs::StdRng};

use super::*;
use crate::store::{
    simulated_disk::{Faults, SimulatedDisk},
    start::open_on,
};

const LIVES: u64 = 4;
const TASKS: u64 = 4;

/// What callers were told.
#[derive(Default)]
struct Told {
    /// By key: the message, its content.
    acknowledged: BTreeMap<String, (MessageId, Vec<u8>)>,
    /// By key: the content of what was tried, acknowledged or not.
    tried: BTreeMap<String, Vec<u8>>,
    /// The latest version that was acknowledged.
    versions: BTreeMap<ReferralId, u64>,
    claims: BTreeMap<MessageId, u32>,
}

fn content(key: &str, chance: &mut StdRng) -> Vec<u8> {
    let len = match chance.random_range(0..10) {
        0 => chance.random_range(65_000..90_000),
        1 => 0,
        _ => chance.random_range(10..4_000),
    };
    let mut content = format!("{key} ").into_bytes();
    content.extend((0..len).map(|_| chance.random::<u8>()));
    content
}

async fn work(store: Store, told: Arc<Mutex<Told>>, life: u64, task: u64, mut chance: StdRng) {
    let mut mine: Option<ReferralId> = None;
    for round in 0..12 {
        // Some keys are shared between tasks: copies in flight at once.
        let key = if chance.random_bool(0.3) { format!("shared {life} {round}") } else { format!("{life} {task} {round}") };
        let body = { told.lock().unwrap().tried.entry(key.clone()).or_insert_with_key(|key| content(key, &mut chance)).clone() };
        let referral = referral();
        let write = first(&referral, &[&format!("number {key}")]);
        let decision = Decision { referrals: vec![write], deliveries: vec![delivery(&body)], ..Decision::default() };
        let Ok(inserted) = store.insert_decided(new_message(&key, body.clone()), decision, store.coming()).await else {
            continue;
        };
        let id = receipt(&inserted);
        {
            let mut told = told.lock().unwrap();
            let known = told.acknowledged.entry(key).or_insert((id, body)).0;
            assert_eq!(known, id, "two messages were acknowledged for one key");
            if is_new(&inserted) {
                told.versions.insert(referral.id, 1);
                mine = Some(referral.id);
            }
        }
        if chance.random()
            && let Ok(claimed) = store.claim_message(id).await
        {
            let mut told = told.lock().unwrap();
            let attempts = told.claims.entry(id).or_default();
            *attempts = claimed.attempts.max(*attempts);
        }
        if let Some(id) = mine
            && let Ok(Some(read)) = store.referral(id)
        {
            let version = read.version;
            let write = ReferralWrite { referral: read, read_version: Some(version), keys: vec![] };
            if store.settle(Decision { referrals: vec![write], ..Decision::default() }).await.is_ok() {
                told.lock().unwrap().versions.insert(id, version + 1);
            }
        }
    }
}

async fn check(store: &Store, told: &Mutex<Told>) {
    let (acknowledged, tried, versions, claims) = {
        let told = told.lock().unwrap();
        (told.acknowledged.clone(), told.tried.clone(), told.versions.clone(), told.claims.clone())
    };
    for (key, (id, body)) in &acknowledged {
        let message = store.message(*id).unwrap().unwrap_or_else(|| panic!("{key} was acknowledged and is gone"));
        assert_eq!(store.body(&message.body).await.unwrap().unwrap(), *body, "{key}");
        let again = store.insert(new_message(key, body.clone())).await.unwrap();
        assert!(!is_new(&again) && receipt(&again) == *id, "{key} repeats");
    }
    for (key, body) in tried.iter().filter(|(key, _)| !acknowledged.contains_key(*key)) {
        let referral = store.referral_by_key(&format!("number {key}")).unwrap();
        match store.message_by_key(&format!("repeat {key}")).unwrap() {
            Some(message) => {
                assert_eq!(store.body(&message.body).await.unwrap().unwrap(), *body, "{key} is there and must be whole");
                assert!(referral.is_some(), "{key} without its referral");
            }
            None => assert!(referral.is_none(), "a referral without its message"),
        }
    }
    let messages = store.messages(&MessageFilter::default()).unwrap();
    let referrals = store.referrals(&ReferralFilter::default()).unwrap();
    assert_eq!(messages.len(), referrals.len(), "each message is in one referral");
    assert_eq!(store.deliveries(&DeliveryFilter::default()).unwrap().len(), messages.len());
    for (id, version) in versions {
        let current = store.referral(id).unwrap().expect("an acknowledged referral");
        assert!(current.version >= version);
        for old in 1..=current.version {
            assert_eq!(store.referral_version(id, old).unwrap().expect("an old version").version, old);
        }
    }
    for (id, attempts) in claims {
        assert!(store.message(id).unwrap().unwrap().attempts >= attempts);
    }
}

/// What may have become of the index meanwhile.
fn disturb_index(folder: &Path, saved: &Path, chance: &mut StdRng, power_cut: bool) {
    let index = folder.join("index");
    match chance.random_range(0..4) {
        0 => fs::remove_dir_all(&index).unwrap(),
        1 if saved.exists() => {
            fs::remove_dir_all(&index).unwrap();
            start::copy(saved, &index);
        }
        2 if power_cut => {
            let db = fs::OpenOptions::new().write(true).open(index.join("db")).unwrap();
            let len = db.metadata().unwrap().len().max(1);
            for _ in 0..20 {
                db.write_all_at(&[chance.random(); 512], chance.random_range(0..len)).unwrap();
            }
        }
        _ => {}
    }
}

async fn lives(seed: u64) {
    let mut chance = StdRng::seed_from_u64(seed);
    let folder = tempfile::tempdir().unwrap();
    let saved = folder.path().join("saved-index");
    let told = Arc::new(Mutex::new(Told::default()));
    let mut disk = SimulatedDisk::default();
    let mut boot = 0;
    for life in 0..LIVES {
        if chance.random_bool(0.3) {
            // The start itself is cut short.
            disk.set_faults(Faults { power_after: Some(chance.random_range(0..40)), ..Faults::default() });
            open_on(Arc::new(disk.clone()), &options(folder.path()), &format!("boot-{boot}"), None).ok();
            disk = disk.after_power_cut(&mut chance);
            boot += 1;
        }
        let opened = open_on(Arc::new(disk.clone()), &options(folder.path()), &format!("boot-{boot}"), None);
        let store = opened.unwrap_or_else(|e| panic!("seed {seed}, life {life}: {e}: {:?}", std::error::Error::source(&e)));
        check(&store, &told).await;
        let faults = Faults {
            power_after: Some(chance.random_range(1..400)),
            syncs_failing: u32::from(chance.random_bool(0.2)),
            ..Faults::default()
        };
        disk.set_faults(faults);
        let tasks = (0..TASKS).map(|task| {
            tokio::spawn(work(store.clone(), told.clone(), life, task, StdRng::seed_from_u64(seed ^ (life << 8) ^ (task << 16))))
        });
        for done in futures::future::join_all(tasks).await {
            done.unwrap();
        }
        drop(store);
        let power_cut = chance.random_bool(0.7);
        disturb_index(folder.path(), &saved, &mut chance, power_cut);
        if !saved.exists() && chance.random() && folder.path().join("index").exists() {
            start::copy(&folder.path().join("index"), &saved);
        }
        disk = if power_cut { disk.after_power_cut(&mut chance) } else { disk.after_kill() };
        boot += u64::from(power_cut);
    }
    let store = open_on(Arc::new(disk), &options(folder.path()), "boot-last", None).unwrap();
    check(&store, &told).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_any_power_cut() {
    let seeds = std::env::var("LOOPLINE_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(8);
    for seed in 0..seeds {
        lives(seed).await;
    }
}
