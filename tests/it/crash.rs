//! Pulling the plug: the engine is killed under load, at random and at each point of a commit. Every message it acknowledged is there
//! after the restart, and is exactly one referral.

use std::{collections::BTreeMap, sync::mpsc, thread, time::Duration};

use rand::Rng;

use crate::harness::{Peer, Running, Site, field, referral_message};

/// How many times the engine is killed at random.
const KILLS: u32 = 6;
/// How many peers send at once.
const PEERS: usize = 8;
/// Where a commit can be cut off, as the store names it.
const POINTS: [&str; 10] = [
    "before-write",
    "after-write",
    "before-fdatasync",
    "after-fdatasync",
    "after-apply",
    "after-answer",
    "before-index",
    "after-index",
    "body-written",
    "body-renamed",
];

/// Sends until the connection breaks off or there is nothing left; gives what was acknowledged and how.
fn send_all(address: &str, messages: &[(String, String)]) -> Vec<(String, String)> {
    let chunks = messages.chunks(messages.len().div_ceil(PEERS));
    thread::scope(|scope| {
        let peers: Vec<_> = chunks
            .map(|chunk| {
                scope.spawn(move || {
                    let mut acknowledged = Vec::new();
                    let mut peer = Peer::connect(address);
                    for (control_id, message) in chunk {
                        let Ok(answer) = peer.send(message) else { break };
                        assert_eq!(field(&answer, "MSA", 1), "AA", "{answer}");
                        assert_eq!(field(&answer, "MSA", 2), control_id);
                        acknowledged.push((control_id.clone(), field(&answer, "RF1", 11).to_owned()));
                    }
                    acknowledged
                })
            })
            .collect();
        peers.into_iter().flat_map(|peer| peer.join().unwrap()).collect()
    })
}

fn messages(round: u32, count: usize) -> Vec<(String, String)> {
    (0..count)
        .map(|n| {
            let control_id = format!("C{round}-{n}");
            // Some are large, so that their bytes go to files of their own.
            let mut message = referral_message(&control_id, &format!("R{round}-{n}"), &format!("Quill{round}x{n}"));
            if n % 10 == 3 {
                message.push_str(&format!("NTE|2||{}\r", "long ".repeat(16_000)));
            }
            (control_id, message)
        })
        .collect()
}

/// Every acknowledged message is there once, with the reference it was told, and is one referral.
fn assert_kept(site: &Site, acknowledged: &BTreeMap<String, String>) {
    let mut stored: BTreeMap<String, u32> = BTreeMap::new();
    for message in site.messages() {
        *stored.entry(message["control_id"].as_str().unwrap().to_owned()).or_default() += 1;
        assert_eq!(message["state"], "processed", "{message}");
        assert_eq!(message["referrals"].as_array().unwrap().len(), 1);
    }
    let mut placers: BTreeMap<String, String> = BTreeMap::new();
    for referral in site.referrals() {
        let placer = referral["identifiers"]["placer"]["value"].as_str().unwrap().to_owned();
        let before = placers.insert(placer.clone(), referral["reference"].as_str().unwrap().to_owned());
        assert_eq!(before, None, "two referrals of {placer}");
    }
    for (control_id, told) in acknowledged {
        assert_eq!(stored.get(control_id), Some(&1), "{control_id} was acknowledged");
        let placer = control_id.replacen('C', "R", 1);
        let reference = placers.get(&placer).unwrap_or_else(|| panic!("{placer} was acknowledged and is no referral"));
        assert!(told.starts_with(reference.as_str()), "{control_id} was told {told} and is {reference}");
    }
}

fn assert_resend_is_a_repeat(site: &Site, all: &[(String, String)], acknowledged: &BTreeMap<String, String>) {
    for (control_id, told) in send_all(&site.mllp(), all) {
        if let Some(before) = acknowledged.get(&control_id) {
            assert_eq!(&told, before, "the same message gets the same answer");
        }
    }
}

#[test]
fn what_was_acknowledged_survives_being_killed_at_random() {
    let site = Site::new();
    let mut acknowledged = BTreeMap::new();
    let mut sent = Vec::new();
    for round in 0..KILLS {
        let running = site.start();
        let address = site.mllp();
        let batch = messages(round, 400);
        let (done, killer_told) = mpsc::channel::<()>();
        let pause = Duration::from_millis(rand::rng().random_range(20..400));
        let killer = thread::spawn(move || {
            killer_told.recv_timeout(pause).ok();
            Running::kill(running);
        });
        acknowledged.extend(send_all(&address, &batch));
        done.send(()).ok();
        killer.join().unwrap();
        sent.extend(batch);
    }
    let running = site.start();
    assert_kept(&site, &acknowledged);
    assert_resend_is_a_repeat(&site, &sent, &acknowledged);
    assert_kept(&site, &acknowledged);
    assert_eq!(site.referrals().len(), sent.len(), "each message is one referral, however often it was sent");
    assert_eq!(running.stop(), Some(0));
}

#[test]
fn what_was_acknowledged_survives_a_crash_at_each_point_of_a_commit() {
    for (round, point) in (0_u32..).zip(POINTS) {
        let site = Site::new();
        // What is behind the answers is passed less often.
        let passes = if point.ends_with("-index") { 2 } else { 6 };
        let mut running = site.start_with(&[("LOOPLINE_TEST_CRASH_AT", &format!("{point}:{passes}"))]);
        let batch = messages(round, 120);
        let acknowledged: BTreeMap<_, _> = send_all(&site.mllp(), &batch).into_iter().collect();
        assert!(crate::harness::wait_for(|| running.has_died()), "the engine did not crash at {point}");
        let running = site.start();
        assert_kept(&site, &acknowledged);
        assert_resend_is_a_repeat(&site, &batch, &acknowledged);
        assert_kept(&site, &acknowledged);
        assert_eq!(site.referrals().len(), batch.len(), "at {point}");
        assert_eq!(running.stop(), Some(0));
    }
}
