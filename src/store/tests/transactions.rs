//! What the transactions promise, one after the other and many at once.

use super::*;

fn opened() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&options(folder.path())).unwrap();
    (folder, store)
}

#[tokio::test]
async fn a_message_comes_back_byte_for_byte_small_or_big() {
    let (_folder, store) = opened();
    for len in [0_usize, 1, 2_000, 65_536, 65_537, 3_000_000] {
        let body: Vec<u8> = (0..len).map(|at| u8::try_from(at * 31 % 251).unwrap()).collect();
        let inserted = store.insert(new_message(&format!("M{len}"), body.clone())).await.unwrap();
        let message = store.message(receipt(&inserted)).unwrap().unwrap();
        assert_eq!(message.state, State::Received);
        assert_eq!(store.body(&message.body).await.unwrap().unwrap(), body, "{len} bytes");
    }
    assert_eq!(store.messages(&MessageFilter::default()).unwrap().len(), 6);
}

#[tokio::test]
async fn a_repeat_is_told_of_the_first_and_counted() {
    let (_folder, store) = opened();
    let first = store.insert(from_file(new_message("A", "same"), "inode 1")).await.unwrap();
    let again = store.insert(from_file(new_message("A", "same"), "inode 2")).await.unwrap();
    assert!(matches!(again, Insertion::Repeat { same_file: false, .. }), "other file, same content");
    let moved_late = store.insert(from_file(new_message("A", "same"), "inode 1")).await.unwrap();
    assert!(matches!(moved_late, Insertion::Repeat { same_file: true, .. }), "the very same file");
    assert_eq!(receipt(&moved_late), receipt(&first));
    let message = store.message_by_key("repeat A").unwrap().unwrap();
    assert_eq!((message.id, message.repeats), (receipt(&first), 1), "a file that is found once more was not sent twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_copies_in_flight_at_once_one_wins() {
    let (_folder, store) = opened();
    for round in 0..10 {
        let copies = (0..16).map(|_| {
            let store = store.clone();
            let referral = referral();
            let decision = Decision { referrals: vec![first(&referral, &[&format!("CEDAR|{round}")])], ..Decision::default() };
            tokio::spawn(async move {
                store.insert_decided(new_message(&format!("R{round}"), "one"), decision, store.coming()).await.unwrap()
            })
        });
        let insertions: Vec<Insertion> = futures::future::try_join_all(copies).await.unwrap();
        assert_eq!(insertions.iter().filter(|insertion| is_new(insertion)).count(), 1);
        assert!(insertions.iter().all(|insertion| receipt(insertion) == receipt(&insertions[0])));
    }
    assert_eq!(store.referrals(&ReferralFilter::default()).unwrap().len(), 10, "one referral for each distinct message");
}

#[tokio::test]
async fn a_refused_message_is_evaluated_afresh_and_the_control_key_names_the_latest() {
    let (_folder, store) = opened();
    let refused = || {
        let new = new_message("X", "bad");
        NewMessage { message: Message { state: State::Failed, ..new.message }, repeat_key: None, ..new }
    };
    let first = store.insert(refused()).await.unwrap();
    let second = store.insert(refused()).await.unwrap();
    assert!(is_new(&first) && is_new(&second));
    assert_eq!(store.message_by_key("control X").unwrap().unwrap().id, receipt(&second));
}

#[tokio::test]
async fn a_write_computed_from_an_old_version_is_stale_and_old_versions_stay() {
    let (_folder, store) = opened();
    let mut held = referral();
    store.settle(Decision { referrals: vec![first(&held, &["CEDAR|1"])], ..Decision::default() }).await.unwrap();
    for read in 1..4 {
        held.record.notes.push(format!("note {read}"));
        let write = ReferralWrite { referral: held.clone(), read_version: Some(read), keys: vec![] };
        store.settle(Decision { referrals: vec![write.clone()], ..Decision::default() }).await.unwrap();
        let late = store.settle(Decision { referrals: vec![write], ..Decision::default() }).await;
        assert!(matches!(late, Err(StoreError::Stale)));
    }
    for version in 1..=4 {
        let old = store.referral_version(held.id, version).unwrap().unwrap();
        assert_eq!((old.version, old.record.notes.len() as u64), (version, version - 1));
    }
    assert!(store.referral_version(held.id, 5).unwrap().is_none());
    assert_eq!(store.referral_by_key("CEDAR|1").unwrap().unwrap().version, 4, "keys stay when a write names none");
}

#[tokio::test]
async fn a_taken_reference_or_key_leaves_nothing_of_the_transaction() {
    let (_folder, store) = opened();
    let known = referral();
    store.settle(Decision { referrals: vec![first(&known, &["CEDAR|1"])], ..Decision::default() }).await.unwrap();
    let same_key = first(&referral(), &["CEDAR|1"]);
    let same_reference = first(&Referral { reference: known.reference.clone(), ..referral() }, &[]);
    for write in [same_key, same_reference] {
        let id = write.referral.id;
        let decision = Decision { referrals: vec![first(&referral(), &[]), write], ..Decision::default() };
        let result = store.insert_decided(new_message("M", "m"), decision, store.coming()).await;
        assert!(matches!(result, Err(StoreError::Stale)));
        assert!(store.referral(id).unwrap().is_none() && store.message_by_key("repeat M").unwrap().is_none());
    }
    assert_eq!(store.referrals(&ReferralFilter::default()).unwrap().len(), 1);
    assert!(is_new(&store.insert(new_message("M", "m")).await.unwrap()));
}

#[tokio::test]
async fn what_is_on_its_way_is_counted_and_holds_up_nobody_if_it_never_comes() {
    let (_folder, store) = opened();
    let never = store.coming();
    for round in 0..3 {
        let decision = Decision { referrals: vec![first(&referral(), &["CEDAR|1"])], ..Decision::default() };
        let inserted = store.insert_decided(new_message(&format!("R{round}"), "m"), decision, store.coming()).await;
        assert_eq!(inserted.is_ok(), round == 0, "the others take a key that is taken");
    }
    assert!(store.shared().is_awaiting());
    drop(never);
    assert!(!store.shared().is_awaiting(), "stored or refused, none is awaited any more");
}

#[tokio::test]
async fn a_message_is_due_until_it_is_finished_and_finished_once() {
    let (_folder, store) = opened();
    let id = receipt(&store.insert(new_message("A", "a")).await.unwrap());
    let now = Timestamp::now();
    assert_eq!(store.due_messages(now, 10).unwrap(), (vec![id], None));
    let claimed = store.claim_message(id).await.unwrap();
    assert_eq!(claimed.attempts, 1);
    store.insert(new_message("A", "a")).await.unwrap();
    let later = now + jiff::SignedDuration::from_mins(5);
    let waits = Message { due_at: Some(later), reason: Some("the reader was busy".to_owned()), ..claimed.clone() };
    store.finish(Decision { message: Some(waits), ..Decision::default() }).await.unwrap();
    let (due, next) = store.due_messages(now, 10).unwrap();
    assert_eq!((due, next.unwrap().as_second()), (vec![], later.as_second()));
    assert_eq!(store.due_messages(later, 10).unwrap().0, [id]);
    let done = || Decision { message: Some(Message { state: State::Processed, ..claimed.clone() }), ..Decision::default() };
    store.finish(done()).await.unwrap();
    assert!(matches!(store.finish(done()).await, Err(StoreError::Refused { state: "processed", .. })));
    assert!(matches!(store.claim_message(id).await, Err(StoreError::Refused { .. })));
    assert_eq!(store.message(id).unwrap().unwrap().repeats, 1, "a repeat that came meanwhile is not forgotten");
    assert_eq!(store.due_messages(later, 10).unwrap(), (vec![], None));
}

#[tokio::test]
async fn a_delivery_goes_its_way_and_a_late_result_is_refused() {
    let (_folder, store) = opened();
    let (one, other) = (delivery(b"page"), delivery(b"page"));
    let decision = Decision {
        deliveries: vec![one.clone(), other.clone()],
        bodies: vec![Bytes::from("page").into()],
        ..Decision::default()
    };
    store.settle(decision).await.unwrap();
    assert_eq!(store.due_deliveries(Timestamp::now(), 10).unwrap().0.len(), 2);
    let first_try = store.claim_delivery(one.id).await.unwrap();
    assert_eq!((first_try.state, first_try.attempts), (DeliveryState::InFlight, 1));
    assert!(matches!(store.claim_delivery(one.id).await, Err(StoreError::Refused { .. })), "nobody sends it beside us");
    let again = Delivery { state: DeliveryState::Queued, ..first_try.clone() };
    store.settle_delivery(again, Decision::default()).await.unwrap();
    store.claim_delivery(one.id).await.unwrap();
    let late = Delivery { state: DeliveryState::Sent, ..first_try };
    assert!(matches!(store.settle_delivery(late, Decision::default()).await, Err(StoreError::Stale)));
    store.settle(Decision { withdraw: vec![one.id, other.id], ..Decision::default() }).await.unwrap();
    assert_eq!(store.delivery(one.id).unwrap().unwrap().state, DeliveryState::InFlight, "it may have left already");
    assert_eq!(store.delivery(other.id).unwrap().unwrap().state, DeliveryState::Withdrawn);
    assert!(store.due_deliveries(Timestamp::now(), 10).unwrap().0.is_empty());
}

#[tokio::test]
async fn an_answer_is_stored_with_the_settling_of_its_delivery_or_not_at_all() {
    let (_folder, store) = opened();
    let one = delivery(b"page");
    store
        .settle(Decision { deliveries: vec![one.clone()], bodies: vec![Bytes::from("page").into()], ..Decision::default() })
        .await
        .unwrap();
    let claimed = store.claim_delivery(one.id).await.unwrap();
    let answered = |text: &'static str| {
        let arrived = Some(new_message("answer", text));
        Decision { arrived, bodies: vec![Bytes::from("something else").into()], ..Decision::default() }
    };
    let late = Delivery { attempts: 7, state: DeliveryState::Sent, ..claimed.clone() };
    assert!(matches!(store.settle_delivery(late, answered("no")).await, Err(StoreError::Stale)));
    assert!(store.messages(&MessageFilter::default()).unwrap().is_empty());
    let sent = Delivery { state: DeliveryState::Sent, ..claimed };
    store.settle_delivery(sent.clone(), answered("yes")).await.unwrap();
    let message = store.message_by_key("repeat answer").unwrap().unwrap();
    assert_eq!(message.state, State::Received);
    assert_eq!(store.body(&message.body).await.unwrap().unwrap(), "yes");
    assert_eq!(store.due_messages(Timestamp::now(), 10).unwrap().0, [message.id]);
    assert!(matches!(store.settle_delivery(sent, answered("again")).await, Err(StoreError::Refused { .. })));
    assert_eq!(store.messages(&MessageFilter::default()).unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_taken_back_on_the_way_is_withdrawn_once_its_attempt_fails() {
    let (_folder, store) = opened();
    let (fails, leaves) = (delivery(b"page"), delivery(b"page"));
    let decision = Decision {
        deliveries: vec![fails.clone(), leaves.clone()],
        bodies: vec![Bytes::from("page").into()],
        ..Decision::default()
    };
    store.settle(decision).await.unwrap();
    let failing = store.claim_delivery(fails.id).await.unwrap();
    let leaving = store.claim_delivery(leaves.id).await.unwrap();
    store.settle(Decision { withdraw: vec![fails.id, leaves.id], ..Decision::default() }).await.unwrap();
    // Whoever sends it writes its letter, and does not know.
    let composed = Decision { deliveries: vec![failing.clone()], ..Decision::default() };
    store.settle(composed).await.unwrap();
    let reason = Some("no answer".to_owned());
    let failed = Delivery { state: DeliveryState::Queued, reason: reason.clone(), ..failing };
    store.settle_delivery(failed, Decision::default()).await.unwrap();
    store.settle_delivery(Delivery { state: DeliveryState::Sent, ..leaving }, Decision::default()).await.unwrap();
    let kept = store.delivery(fails.id).unwrap().unwrap();
    assert_eq!((kept.state, kept.reason, kept.attempts), (DeliveryState::Withdrawn, reason, 1));
    assert_eq!(store.delivery(leaves.id).unwrap().unwrap().state, DeliveryState::Sent, "it has left");
    assert!(store.due_deliveries(Timestamp::now(), 10).unwrap().0.is_empty());
}

#[tokio::test]
async fn a_worker_is_woken_by_what_is_due_and_not_by_its_own_claim() {
    let (_folder, store) = opened();
    let woken = |notify: &tokio::sync::Notify| futures::FutureExt::now_or_never(notify.notified()).is_some();
    let id = receipt(&store.insert(new_message("A", "a")).await.unwrap());
    assert!(woken(store.message_wake()) && !woken(store.delivery_wake()));
    store.claim_message(id).await.unwrap();
    assert!(!woken(store.message_wake()));
    store.settle(Decision { deliveries: vec![delivery(b"p")], ..Decision::default() }).await.unwrap();
    assert!(woken(store.delivery_wake()));
}

#[tokio::test]
async fn the_audit_tells_what_was_done_without_content() {
    let (_folder, store) = opened();
    let id = receipt(&store.insert(new_message("A", "PID|1||Leslie")).await.unwrap());
    store.claim_message(id).await.unwrap();
    let done = store.audit(10).unwrap();
    let events: Vec<_> = done.iter().flat_map(|done| &done.events).map(|note| (note.event.as_str(), &note.messages)).collect();
    assert_eq!(events, [("claim-message", &vec![id]), ("insert", &vec![id])]);
    assert!(!serde_json::to_string(&done).unwrap().contains("Leslie"));
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let (_folder, store) = opened();
    store.close().await;
    assert!(matches!(store.insert(new_message("A", "a")).await, Err(StoreError::Closed)));
    assert!(matches!(store.messages(&MessageFilter::default()), Err(StoreError::Closed)));
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_goes_on_when_its_caller_has_gone() {
    let (_folder, store) = opened();
    for round in 0..50 {
        let insertion = store.insert(new_message(&format!("G{round}"), "a"));
        let mut insertion = Box::pin(insertion);
        assert!(futures::poll!(&mut insertion).is_pending());
        drop(insertion);
    }
    store.insert(new_message("last", "b")).await.unwrap();
    assert_eq!(store.messages(&MessageFilter::default()).unwrap().len(), 51);
}

#[tokio::test]
async fn a_delivery_is_found_by_the_control_id_of_its_message_wherever_it_stands() {
    let (folder, store) = opened();
    let mut control_ids = Vec::new();
    for _ in 0..300 {
        let channel = ChannelName::new("ehr");
        let delivery = Delivery::queued(Purpose::Forward, channel.clone(), channel.as_str(), Timestamp::now());
        control_ids.push((delivery.control_id(false), delivery.id));
        store.settle(Decision { deliveries: vec![delivery], ..Decision::default() }).await.unwrap();
    }
    store.close().await;
    drop(store);
    // Opened again, nothing waits for sled any more.
    let store = Store::open(&options(folder.path())).unwrap();
    for (control_id, id) in &control_ids {
        assert_eq!(store.delivery_of_control_id(control_id).unwrap().map(|found| found.id), Some(*id));
    }
    assert!(store.delivery_of_control_id("01KAVM6Q2C9Y2R0N4N5S").unwrap().is_none());
    store.close().await;
}
