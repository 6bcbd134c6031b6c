//! Decisions that need a store and a clock, and no running engine.

use std::sync::{Arc, RwLock};

use super::*;
use crate::{
    config::SettingsSources,
    engine::{progress::Underway, suspension},
    message::{Arrival, Protocol},
    normalize::hl7::{Hl7Rules, Profile, Profiles, Strict, UnknownReferral, normalize},
    reader::{ReaderOptions, ReaderPool},
    referral::TokenKey,
    store::StoreOptions,
};

const CHANGE: &[u8] = b"MSH|^~\\&|EHR|CEDAR|LOOP|DESK|20261120||REF^I13|C1|P|2.5.1\rRF1|P|R||||REF-1\rPRD|RT|Ames^Dora\r\
    PID|1||7^^^CEDAR^MR||Lee^Leslie||19341101\r";

pub(in super::super) fn context(folder: &std::path::Path, config: Config) -> Context {
    std::fs::create_dir(folder).unwrap();
    let options = StoreOptions { folder: folder.to_owned(), index_cache_bytes: 1_048_576 };
    Context {
        store: Store::open(&options).unwrap(),
        reader: ReaderPool::new(ReaderOptions::default()),
        key: TokenKey::new([7; 32]),
        suspensions: suspension::Suspensions::default(),
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
async fn duplicate_out_of_order_change_waits_for_its_referral_where_the_channel_says_so() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("channels")).unwrap();
    std::fs::write(folder.path().join("channels/hl7-in.toml"), "[inbound.mllp]\nlisten = \"127.0.0.1:0\"\n").unwrap();
    let sources = SettingsSources { folder: folder.path().to_owned(), ..SettingsSources::default() };
    let config = Config::load(&sources).unwrap();
    let channel = config.inbound[&ChannelName::new("hl7-in")].clone();
    let context = context(&folder.path().join("data"), config);
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
