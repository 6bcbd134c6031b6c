//! What the intake makes of a defect of our own: it cannot be sent from outside, so it is made here.

use super::*;
use crate::engine::decide::tests::context;

/// A message that holds this breaks the mapping, in tests of this crate alone.
const BREAKS: &[u8] = b"BREAKS-THE-MAPPING-IN-A-TEST";

/// What a defect in the mapping does.
pub(super) fn break_off(body: &[u8]) {
    assert!(!body.windows(BREAKS.len()).any(|part| part == BREAKS), "a defect, made on purpose");
}

fn message(acks: &str, more: &[u8]) -> Bytes {
    let text = format!(
        "MSH|^~\\&|EHR|CEDAR|LOOP|DESK|20261120||REF^I12|C1|P|2.5.1|||{acks}\rRF1|P|R||||REF-1\rPRD|RP|Phillips^Jesus\r\
         PRD|RT|Ames^Dora\rPID|1||7^^^CEDAR^MR||Lee^Leslie||19341101|F\rNTE|1||"
    );
    [text.as_bytes(), more, b"\r"].concat().into()
}

#[tokio::test]
async fn quirk_2_a_bug_in_the_mapping_holds_the_message_for_a_person_and_answers_aa() {
    let folder = tempfile::tempdir().unwrap();
    let context = context(folder.path(), &[("hl7-in", "[inbound.mllp]\nlisten = \"127.0.0.1:0\"\n")]);
    let intake = Intake::new(context.clone());
    let arrival = |body: Bytes| Arrival {
        channel: ChannelName::new("hl7-in"),
        protocol: Protocol::Hl7,
        body,
        received_at: Timestamp::now(),
        peer: None,
        file: None,
    };
    // A large message is read on a thread of its own: a defect is caught there too.
    let long = [BREAKS, &vec![b'x'; INLINE_BYTES_MAX]].concat();
    for (acks, code, body) in [("", "AA", BREAKS), ("AL|NE", "CA", BREAKS), ("|", "AA", &long)] {
        let body = message(acks, body);
        let accepted = intake.accept(arrival(body.clone())).await.expect("it is safe, so it is taken");
        assert_eq!(accepted.repeat, Repeat::New);
        let answer = String::from_utf8(accepted.answer.unwrap().to_vec()).unwrap();
        assert!(answer.contains(&format!("\rMSA|{code}|C1")) && !answer.contains("ERR|"), "{answer}");
        let kept = context.store.message(accepted.receipt.message()).unwrap().unwrap();
        assert_eq!((kept.state, kept.kind), (State::Held, Some(Kind::Unknown)));
        assert!(kept.reason.as_deref().is_some_and(|reason| reason.starts_with("a defect of loopline")), "{:?}", kept.reason);
        assert_eq!(context.store.body(&kept.body).await.unwrap().as_deref(), Some(&body[..]), "byte for byte");
        let again = intake.accept(arrival(body)).await.expect("it is taken");
        assert_eq!((again.receipt.message(), again.repeat), (accepted.receipt.message(), Repeat::New));
    }
    let good = intake.accept(arrival(message("ER", b"a good one"))).await.expect("it is taken");
    assert_eq!(context.store.message(good.receipt.message()).unwrap().unwrap().kind, Some(Kind::Referral), "the next is read");
    drop(intake);
    context.store.close().await;
}
