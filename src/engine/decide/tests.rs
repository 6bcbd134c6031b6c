//! Decisions that need a store and a clock, and no running engine.

use std::sync::{Arc, RwLock};

use super::*;
use crate::{
    config::SettingsSources,
    engine::{pauses, progress::Underway, suspension},
    message::{Arrival, Protocol},
    normalize::hl7::{Hl7Rules, Profile, Profiles, Strict, UnknownReferral, normalize},
    reader::{ReaderOptions, ReaderPool},
    referral::{IsoDate, TokenKey},
    store::{NewMessage, StoreOptions},
};

const CHANGE: &[u8] = b"MSH|^~\\&|EHR|CEDAR|LOOP|DESK|20261120||REF^I13|C1|P|2.5.1\rRF1|P|R||||REF-1\rPRD|RT|Ames^Dora\r\
    PID|1||7^^^CEDAR^MR||Lee^Leslie||19341101\r";

/// An engine's context in this folder, with these channels: name and file.
pub(in super::super) fn context(folder: &std::path::Path, channels: &[(&str, &str)]) -> Context {
    let data = folder.join("data");
    for made in [&data, &folder.join("channels")] {
        std::fs::create_dir(made).unwrap();
    }
    for (name, text) in channels {
        std::fs::write(folder.join(format!("channels/{name}.toml")), text).unwrap();
    }
    let sources = SettingsSources { folder: folder.to_owned(), ..SettingsSources::default() };
    let config = Config::load(&sources).unwrap();
    let options = StoreOptions { folder: data, index_cache_bytes: 1_048_576 };
    Context {
        store: Store::open(&options).unwrap(),
        reader: ReaderPool::new(ReaderOptions::default()),
        key: TokenKey::new([7; 32]),
        suspensions: suspension::Suspensions::default(),
        pauses: pauses::Pauses::default(),
        underway: Underway::default(),
        config: Arc::new(RwLock::new(Arc::new(config))),
        addresses: Arc::default(),
        turned_away: Arc::default(),
    }
}

/// What becomes of a change that overtook its referral, so many seconds after it came, where it may wait a quarter of an hour or not.
fn decided(context: &Context, channel: &InboundChannel, seconds_ago: i64, wait_minutes: u32) -> Decided {
    let strict = Strict { unknown_referral: UnknownReferral::Park, park_minutes: wait_minutes, ..Strict::default() };
    let usual = Arc::new(Profile { strict, ..Profile::default() });
    let rules = Hl7Rules { profiles: Arc::new(Profiles { usual, by_sender: Vec::new() }), ..Hl7Rules::default() };
    let mut read = normalize(CHANGE, &rules).unwrap();
    let arrival = Arrival {
        channel: channel.name.clone(),
        protocol: Protocol::Hl7,
        body: bytes::Bytes::from_static(CHANGE),
        received_at: Timestamp::now() - SignedDuration::from_secs(seconds_ago),
        peer: None,
        file: None,
    };
    decide(context, &context.config(), channel, Message::received(&arrival), vec![Found::of_hl7(&mut read)]).unwrap()
}

#[tokio::test]
async fn quirk_3_out_of_order_a_change_waits_for_its_referral_where_the_channel_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let context = context(folder.path(), &[("hl7-in", "[inbound.mllp]\nlisten = \"127.0.0.1:0\"\n")]);
    let channel = context.config().inbound[&ChannelName::new("hl7-in")].clone();
    let refused = decided(&context, &channel, 0, 0);
    assert!(refused.unknown_referral);
    let waits = decided(&context, &channel, 60, 15);
    assert!(!waits.unknown_referral);
    let message = waits.decision.message.unwrap();
    assert_eq!((message.state, message.problems[0].code.as_str()), (State::Received, "referral-not-known-yet"));
    assert!(message.due_at.unwrap() <= Timestamp::now() + SignedDuration::from_secs(LOOK_AGAIN_SECONDS));
    let over = decided(&context, &channel, 1_000, 15);
    assert_eq!(over.decision.message.unwrap().state, State::Held, "then a person looks");
    context.store.close().await;
}

/// One referral by fax of an invented patient, with these pages.
fn faxed(family: &str, pages: &[u32]) -> Found {
    let mut record = Record::default();
    record.patient.name.family = Some(family.to_owned());
    record.patient.name.given = Some("Priya".to_owned());
    record.patient.birth_date = IsoDate::parse("1971-05-02");
    record.hold(HeldReason::PriorityUnknown);
    let mut outcome = Outcome::referral(record);
    for page in pages {
        let image = bytes::Bytes::from(format!("the image of page {page}"));
        let attachment = outcome.attach(None, "image/png", image);
        let record = outcome.record.as_mut().unwrap();
        record.attachments.push(Attachment { page: Some(*page), ..attachment });
    }
    Found::of(outcome)
}

#[tokio::test]
async fn a_fax_taken_apart_later_leaves_no_page_of_the_other_patient_behind() {
    let folder = tempfile::tempdir().unwrap();
    let context = context(folder.path(), &[("fax-in", "[inbound.folder]\npath = \"fax-in\"\n")]);
    let channel = context.config().inbound[&ChannelName::new("fax-in")].clone();
    let body = bytes::Bytes::from_static(b"a fax");
    let arrival = Arrival {
        channel: channel.name.clone(),
        protocol: Protocol::Document,
        body: body.clone(),
        received_at: Timestamp::now(),
        peer: None,
        file: None,
    };
    let message = Message::received(&arrival);
    let id = message.id;
    context.store.insert(NewMessage { message, body: body.into(), repeat_key: None, control_key: None }).await.unwrap();
    let pages = |referral: &Referral| -> Vec<u32> {
        referral.record.attachments.iter().filter_map(|attachment| attachment.page).collect()
    };
    for (found, expected) in [
        (vec![faxed("Bellweather", &[1, 2, 3])], vec![vec![1, 2, 3]]),
        (vec![faxed("Bellweather", &[1, 2]), faxed("Quigley", &[3])], vec![vec![1, 2], vec![3]]),
    ] {
        let message = context.store.claim_message(id).await.unwrap();
        let decided = decide(&context, &context.config(), &channel, message, found).unwrap();
        context.store.finish(decided.decision).await.unwrap();
        let mut message = context.store.message(id).unwrap().unwrap();
        let made = message.referrals.iter().map(|made| pages(&context.store.referral(*made).unwrap().unwrap()));
        assert_eq!(made.collect::<Vec<_>>(), expected);
        message.state = State::Received;
        let again = Decision { message: Some(message), ..Decision::default() };
        context.store.settle(again).await.unwrap();
    }
    context.store.close().await;
}

#[tokio::test]
async fn a_referral_of_an_older_store_is_found_by_the_key_that_was_kept_then() {
    let folder = tempfile::tempdir().unwrap();
    let context = context(folder.path(), &[("hl7-in", "[inbound.mllp]\nlisten = \"127.0.0.1:0\"\n")]);
    let channel = context.config().inbound[&ChannelName::new("hl7-in")].clone();
    let decided = |number: &str| {
        let text = String::from_utf8_lossy(CHANGE).replace("REF-1", number);
        let body = bytes::Bytes::from(text);
        let mut read = normalize(&body, &Hl7Rules::default()).unwrap();
        let found = vec![Found::of_hl7(&mut read)];
        let received_at = Timestamp::now();
        let arrival =
            Arrival { channel: channel.name.clone(), protocol: Protocol::Hl7, body, received_at, peer: None, file: None };
        decide(&context, &context.config(), &channel, Message::received(&arrival), found).unwrap()
    };
    let mut record = Record::default();
    record.patient.name.family = Some("Lee".to_owned());
    record.patient.name.given = Some("Leslie".to_owned());
    record.patient.birth_date = IsoDate::parse("1934-11-01");
    let referral = Referral {
        id: ReferralId::generate(),
        reference: Reference::generate(),
        status: Status::New,
        version: 0,
        record: Box::new(record),
        pending_replies: Vec::new(),
        sources: Vec::new(),
        history: Vec::new(),
    };
    let id = referral.id;
    let write = ReferralWrite { referral, read_version: None, keys: vec!["referral|CEDAR|EPC|REF-1".to_owned()] };
    context.store.settle(Decision { referrals: vec![write], ..Decision::default() }).await.unwrap();
    for spelling in ["REF-1^EPC", "REF-1^EPC^1.2.840^ISO"] {
        assert_eq!(decided(spelling).decision.message.unwrap().referrals, [id], "{spelling}");
    }
    assert!(decided("REF-1^^1.2.840^ISO").unknown_referral, "the key of then had one name of the authority");
    // The next word of its sender gives it the keys of now.
    let said = decided("REF-1^EPC^1.2.840^ISO").decision.referrals;
    context.store.settle(Decision { referrals: said, ..Decision::default() }).await.unwrap();
    for spelling in ["REF-1^^1.2.840^ISO", "ref-1^epc", "REF-1"] {
        assert_eq!(decided(spelling).decision.message.unwrap().referrals, [id], "{spelling}");
    }
    context.store.close().await;
}
