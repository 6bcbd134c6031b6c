//! A person's acts on one delivery: look at it, try it again, write it anew, skip it, put other bytes in its place.

use std::time::{Duration, Instant};

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Context, lines, lists, settle};
use crate::{
    delivery::{Content, Delivery, DeliveryState, Hl7Content, Purpose},
    ids::{BodyId, DeliveryId, Named},
    normalize::hl7::{Hl7Rules, normalize},
    protocols::hl7::{Alphabet, Message, RawHeader, ReadLimits, Text, Unwritable, decoded},
    referral::{HeldReason, Status},
    store::{Decision, DeliveryFilter, ReferralWrite, StoreError},
};

/// How often an act is tried again when the referral was written meanwhile.
const TRIES_MAX: u32 = 8;
/// How long an act waits for the end of an attempt that is under way.
const ATTEMPT_MAX: Duration = Duration::from_secs(120);
/// How often it looks.
const LOOK: Duration = Duration::from_millis(20);

fn plain(error: &StoreError) -> String {
    match error {
        // Between the look and the act it was claimed.
        StoreError::Stale | StoreError::Refused { .. } => "it is being sent at this moment: look again, then decide".to_owned(),
        StoreError::Unavailable(_) | StoreError::NotFound(_) | StoreError::Unreadable(_) | StoreError::Closed => {
            error.to_string()
        }
    }
}

/// The delivery, as soon as no attempt is under way: of one whose receiver is silent there nearly always is.
async fn at_rest(context: &Context, id: DeliveryId, until: Instant) -> Result<Delivery, String> {
    loop {
        let delivery = find(context, id)?;
        if delivery.state != DeliveryState::InFlight || Instant::now() >= until {
            return Ok(delivery);
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn find(context: &Context, id: DeliveryId) -> Result<Delivery, String> {
    let found = context.store.delivery(id).map_err(|error| plain(&error))?;
    found.ok_or_else(|| format!("there is no delivery {id}"))
}

/// The delivery, and the message that it sends where that is text.
///
/// # Errors
/// In words for a person.
pub(super) async fn show(context: &Context, id: DeliveryId) -> Result<Value, String> {
    let delivery = find(context, id)?;
    let with_wait = lists::with_what_they_wait_for(context, std::slice::from_ref(&delivery))?;
    let mut value = json!({"delivery": with_wait[0]});
    if let Some(Content::Hl7(content)) = &delivery.content {
        let bytes = context.store.body(&content.message).await.map_err(|error| plain(&error))?.unwrap_or_default();
        value["message"] = Value::String(decoded(&bytes));
    }
    Ok(value)
}

/// Tries it again at once: the same bytes, or written anew from the referral as it stands.
///
/// # Errors
/// In words for a person.
pub(super) async fn retry(context: &Context, id: DeliveryId, anew: bool) -> Result<Delivery, String> {
    let mut delivery = find(context, id)?;
    let waits = delivery.state == DeliveryState::Queued && (anew || delivery.attempts > 0);
    let now = Timestamp::now();
    let behind_a_pause = delivery.state == DeliveryState::Queued && context.pauses.now(now).contains(&delivery.through);
    if delivery.state != DeliveryState::Dead && !waits && !behind_a_pause {
        let waited_for = lines::waited_for(&context.config(), &context.store, std::slice::from_ref(&delivery));
        return Err(match waited_for.map_err(|error| plain(&error))?.get(&id) {
            Some(before) => format!("delivery {id} waits behind {before}: retry, edit or skip that one"),
            None => {
                let state = delivery.state.as_str();
                format!("delivery {id} is {state}: only one that is dead, or waits for its next attempt, can be tried again")
            }
        });
    }
    if anew && delivery.referral.is_none() {
        return Err(format!("delivery {id} is about no referral, so there is nothing to write it anew from: edit it instead"));
    }
    let was = delivery.state;
    delivery.state = DeliveryState::Queued;
    // Earlier attempts do not count against the new ones.
    delivery.excused = delivery.attempts;
    delivery.due_at = now;
    if anew {
        delivery.content = None;
    }
    if context.pauses.end(&delivery.through, now) {
        tracing::info!(channel = %delivery.through, "a person tries a delivery again: the channel rests no longer");
    }
    let withdraw = if anew { said_anew(context, &delivery).map_err(|error| plain(&error))? } else { Vec::new() };
    let decision = Decision { withdraw, ..guarded(was, delivery.clone()) };
    context.store.settle(decision).await.map_err(|error| plain(&error))?;
    Ok(delivery)
}

/// What waits behind a delivery that is written anew from the referral as it stands, and would say the same once more.
fn said_anew(context: &Context, anew: &Delivery) -> Result<Vec<DeliveryId>, StoreError> {
    if anew.referral.is_none() || !matches!(anew.purpose, Purpose::Forward | Purpose::Status) {
        return Ok(Vec::new());
    }
    let deliveries = context.store.deliveries(&DeliveryFilter { referral: anew.referral, ..DeliveryFilter::default() })?;
    let says_no_more = |other: &&Delivery| {
        (other.purpose == anew.purpose && other.through == anew.through && other.to == anew.to)
            && (other.queued_at, other.id) > (anew.queued_at, anew.id)
            && (other.state == DeliveryState::Queued && other.attempts == other.excused)
            && !matches!(&other.content, Some(Content::Hl7(content)) if content.edited)
    };
    Ok(deliveries.iter().filter(says_no_more).map(|other| other.id).collect())
}

/// Puts a person's bytes in the place of the message. They get a control id of their own: under the old one the other side may know the
/// message that it refused.
///
/// # Errors
/// What is wrong with them, in words for a person.
pub(super) async fn edit(context: &Context, id: DeliveryId, bytes: &[u8]) -> Result<Delivery, String> {
    let mut delivery = at_rest(context, id, Instant::now() + ATTEMPT_MAX).await?;
    let Some(Content::Hl7(before)) = &delivery.content else {
        return Err(format!("delivery {id} has no HL7 message yet, or sends none: only such a one can be edited"));
    };
    if !matches!(delivery.state, DeliveryState::Queued | DeliveryState::Dead) {
        return Err(format!("delivery {id} is {}: only a queued or dead one can be edited", delivery.state.as_str()));
    }
    let old = context.store.body(&before.message).await.map_err(|error| plain(&error))?.unwrap_or_default();
    let control_id = delivery.control_id(true);
    let message = checked(bytes, &old, &control_id)?;
    let referral = delivery.referral.map(|id| context.store.referral(id)).transpose().map_err(|error| plain(&error))?.flatten();
    if let Some(referral) = referral {
        let names = |bytes: &[u8]| memchr::memmem::find(bytes, referral.reference.as_str().as_bytes()).is_some();
        if names(&old) && !names(&message) {
            return Err(format!(
                "the message that delivery {id} sends names {}, and this one does not: it may be another patient's; edit what \
                 `deliveries show {id}` prints",
                referral.reference
            ));
        }
    }
    let was = delivery.state;
    delivery.content = Some(Content::Hl7(Hl7Content {
        message: BodyId::of(&message),
        control_id,
        receiver: before.receiver.clone(),
        says: None,
        edited: true,
    }));
    delivery.state = DeliveryState::Queued;
    delivery.excused = delivery.attempts;
    delivery.due_at = Timestamp::now();
    delivery.reason = Some("edited by a person".to_owned());
    let decision = Decision { bodies: vec![Named::from(message)], ..guarded(was, delivery.clone()) };
    context.store.settle(decision).await.map_err(|error| plain(&error))?;
    Ok(delivery)
}

/// Takes it out of the line: it is never sent, and what waits behind it goes on.
///
/// # Errors
/// In words for a person.
pub(super) async fn skip(context: &Context, id: DeliveryId) -> Result<Delivery, String> {
    let until = Instant::now() + ATTEMPT_MAX;
    for _ in 0..TRIES_MAX {
        let mut delivery = at_rest(context, id, until).await?;
        let was = delivery.state;
        if !matches!(was, DeliveryState::Queued | DeliveryState::Dead) {
            return Err(format!("delivery {id} is {}: only a queued or dead one can be skipped", was.as_str()));
        }
        delivery.state = DeliveryState::Withdrawn;
        let reason = delivery.reason.map_or_else(String::new, |reason| format!("; it was: {reason}"));
        delivery.reason = Some(format!("skipped by a person{reason}"));
        let mut decision = guarded(was, delivery.clone());
        skipped(context, &delivery, &mut decision).map_err(|error| plain(&error))?;
        match context.store.settle(decision).await {
            Ok(()) => {
                tracing::info!(delivery = %id, channel = %delivery.through, "skipped by a person");
                return Ok(delivery);
            }
            Err(StoreError::Stale) => {}
            Err(error) => return Err(plain(&error)),
        }
    }
    Err(plain(&StoreError::Stale))
}

/// What it means for the referral: it is released, if this was the last dead delivery that held it. Where it was the only request, nobody
/// is asked now, and a person must say who is.
fn skipped(context: &Context, skipped: &Delivery, decision: &mut Decision) -> Result<(), StoreError> {
    let store = &context.store;
    let Some(mut referral) = skipped.referral.map(|id| store.referral(id)).transpose()?.flatten() else { return Ok(()) };
    let read_version = Some(referral.version);
    let deliveries = store.deliveries(&DeliveryFilter { referral: skipped.referral, ..DeliveryFilter::default() })?;
    let mut others = deliveries.iter().filter(|other| other.id != skipped.id);
    let waits = matches!(referral.status, Status::New | Status::Redirected | Status::Requested);
    let was_asked = referral.status == Status::Requested;
    let asks = |other: &Delivery| {
        other.purpose == Purpose::ConfirmationRequest
            && match other.state {
                DeliveryState::Queued | DeliveryState::InFlight => true,
                // Not of a desk before, when it is to go to another one.
                DeliveryState::Sent => was_asked,
                DeliveryState::Dead | DeliveryState::Withdrawn => false,
            }
    };
    let nobody_is_asked = skipped.purpose == Purpose::ConfirmationRequest && waits && !others.clone().any(asks);
    let releases =
        referral.record.held.contains(&HeldReason::DeadDelivery) && !others.any(|other| other.state == DeliveryState::Dead);
    if releases {
        referral.record.release(HeldReason::DeadDelivery);
    }
    if nobody_is_asked {
        // It has a route, and a person decided against it: that no act but theirs undoes.
        referral.record.hold(HeldReason::RequestSkipped);
    } else if releases {
        referral = settle::go_on_released(context, referral, decision)?;
    }
    if nobody_is_asked || releases {
        decision.referrals.push(ReferralWrite { referral, read_version, keys: Vec::new() });
    }
    Ok(())
}

/// A write that fails where the delivery was claimed since it was read.
fn guarded(was: DeliveryState, delivery: Delivery) -> Decision {
    Decision {
        still_queued: (was == DeliveryState::Queued).then_some(delivery.id),
        deliveries: vec![delivery],
        ..Decision::default()
    }
}

/// The person's message in our form: segments end with CR, MSH-10 is the given one, and the text, which an editor wrote in UTF-8, is in the
/// character set of MSH-18. It must be a message that we would take ourselves, of the kind that it replaces.
fn checked(bytes: &[u8], before: &[u8], control_id: &str) -> Result<Bytes, String> {
    let unreadable = |why: &str| format!("the message {why}: begin it with MSH|^~\\&| and end each segment with a line end");
    let typed = std::str::from_utf8(bytes)
        .map_err(|_| "the file is not in UTF-8: save it in UTF-8; it is sent in the character set that MSH-18 names")?;
    let text = Text::typed(typed, ReadLimits::default()).map_err(|why| unreadable(why.as_str()))?;
    let message = Message::parse(&text).map_err(|why| unreadable(why.as_str()))?;
    let kind = |bytes: &[u8]| RawHeader::read(bytes).map(|header| header.text(9)).unwrap_or_default();
    let (now, then) = (kind(bytes), kind(before));
    let family = |kind: &str| kind.split('^').take(2).collect::<Vec<_>>().join("^");
    if family(&now) != family(&then) {
        return Err(format!("MSH-9 is {now}, and the message that it replaces is {then}: edit that one, or skip it"));
    }
    let alphabet = Alphabet::of(&text.header.character_sets()).unwrap_or(Alphabet::ASCII);
    let Some(written) = alphabet.write(&with_control_id(&text, control_id)?).map(|bytes| Bytes::from(bytes.into_owned())) else {
        return Err(lacks_letters(&message, alphabet));
    };
    let rules = Hl7Rules { accept_processing_ids: ["P", "T", "D"].map(str::to_owned).to_vec(), ..Hl7Rules::default() };
    let read = normalize(&written, &rules).map_err(|why| unreadable(&why.to_string()))?;
    match read.refusal {
        Some(refusal) => Err(format!("{}: {}", refusal.location, refusal.text)),
        None => Ok(written),
    }
}

/// The text is normalized already; only MSH-10 is put in. MSH-1 is the separator itself, so MSH-10 is the tenth part.
fn with_control_id(text: &Text, control_id: &str) -> Result<String, String> {
    let separator = text.header.delimiters.field;
    let (header, rest) = text.content.split_once('\r').unwrap_or((&text.content, ""));
    let mut fields: Vec<&str> = header.split(separator).collect();
    match fields.get_mut(9) {
        Some(field) => *field = control_id,
        None => return Err("MSH ends before MSH-10: it needs MSH-12 at least".to_owned()),
    }
    Ok(format!("{}\r{rest}", fields.join(&separator.to_string())))
}

/// Where an edited message has letters that the set in its MSH-18 lacks, and what helps; never the letters.
fn lacks_letters(message: &Message<'_>, alphabet: Alphabet) -> String {
    let separator = message.delimiters().field;
    let mut places = Unwritable::default();
    for segment in message.segments() {
        // MSH-1 is the separator itself.
        let first = usize::from(segment.is("MSH"));
        for (field, number) in segment.raw().split(separator).zip(first..) {
            if alphabet.write(field).is_none() {
                places.add(segment.name(), number);
            }
        }
    }
    format!(
        "the character set that MSH-18 names (none: ASCII) lacks letters in {places}: replace them there; or, if the other side can read it, \
         set character_set = \"UNICODE UTF-8\" in the channel's file and write the message anew (`deliveries retry --anew`), or name it in MSH-18"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &[u8] = b"MSH|^~\\&|L|S|E|H|20261121||REF^I12^REF_I12|OLD|P|2.5.1\rPRD|RP\rPID|1||7||Lee^Leslie||19341101\r";

    #[test]
    fn a_persons_message_gets_our_line_ends_and_a_control_id_of_its_own() {
        let bytes = checked(edited("UNICODE UTF-8", "Söderberg").as_bytes(), BEFORE, "NEW").unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        assert_eq!(
            text,
            "MSH|^~\\&|L|S|E|H|20261121||REF^I12|NEW|P|2.5.1||||||UNICODE UTF-8\rPRD|RP\rPID|1||7||Söderberg^Leslie||19341102\r"
        );
    }

    /// As an editor saves it.
    fn edited(character_set: &str, family: &str) -> String {
        format!(
            "MSH|^~\\&|L|S|E|H|20261121||REF^I12|OLD|P|2.5.1||||||{character_set}\nPRD|RP\nPID|1||7||{family}^Leslie||19341102\n"
        )
    }

    #[test]
    fn a_persons_message_is_sent_in_the_character_set_that_it_names() {
        let sent = |character_set: &str, family: &str| checked(edited(character_set, family).as_bytes(), BEFORE, "NEW");
        let has = |bytes: &Bytes, name: &[u8]| bytes.windows(name.len()).any(|part| part == name);
        assert!(has(&sent("8859/1", "Söder’berg").unwrap(), b"||S\xF6der'berg^Leslie|"));
        assert!(has(&sent("8859/2", "Wałęsa").unwrap(), b"||Wa\xB3\xEAsa^Leslie|"));
        assert!(has(&sent("GB18030", "李").unwrap(), b"||\xC0\xEE^Leslie|"));
        for (character_set, family) in
            [("8859/1", "Wałęsa"), ("8859/1", "S\u{FFFD}derberg"), ("", "Söderberg"), ("KLINGON", "Söderberg")]
        {
            let refused = sent(character_set, family).unwrap_err();
            assert!(refused.contains("lacks letters in PID-5: replace them"), "{refused}");
            assert!(refused.contains("character_set = \"UNICODE UTF-8\"") && !refused.contains(family), "{refused}");
        }
        let refused =
            checked(b"MSH|^~\\&|L|S|E|H|20261121||REF^I12|OLD|P|2.5.1\nPID|1||7||S\xF6derberg\n", BEFORE, "NEW").unwrap_err();
        assert!(refused.contains("not in UTF-8"), "{refused}");
    }

    #[test]
    fn a_message_is_shown_in_the_character_set_that_it_names() {
        for (character_set, bytes, letters) in [
            ("8859/1", &b"M\xFCller"[..], "Müller"),
            ("8859/2", b"\xA3\xF3d\xBC", "Łódź"),
            ("UNICODE UTF-8", "Łódź".as_bytes(), "Łódź"),
        ] {
            let head = format!("MSH|^~\\&|L|S|E|H|20261121||REF^I12|C|P|2.5.1||||||{character_set}\rPID|1||7||");
            let whole = [head.as_bytes(), bytes, b"\r"].concat();
            assert_eq!(decoded(&whole), format!("{head}{letters}\r"));
        }
    }

    #[test]
    fn what_cannot_be_sent_is_refused_with_the_reason() {
        for (edited, why) in [
            ("hello", "begin it with MSH"),
            ("MSH|^~\\&|L|S|E|H|20261121||ADT^A01|OLD|P|2.5.1\rPID|1||7\r", "MSH-9 is ADT^A01"),
            ("MSH|^~\\&|L|S|E|H|20261121||REF^I12|OLD|P|2.5.1\rPRD|RP\r", "no PID segment"),
        ] {
            let refused = checked(edited.as_bytes(), BEFORE, "NEW").unwrap_err();
            assert!(refused.contains(why), "{refused}");
        }
    }
}
