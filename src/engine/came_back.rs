//! What was sent and did not reach whom it was for after all: a bounce of a mail, a refusal behind an acceptance. Neither moves a status: the
//! delivery is dead, and its referral waits for a person.

use super::{decide::Desk, replies::address};
use crate::{
    delivery::{Content, Delivery, DeliveryState, Purpose},
    inbound::InboundConfig,
    message::Acknowledgement,
    normalize::Bounce,
    protocols::hl7::Answer,
    referral::{HeldReason, HistoryEvent, Reference, Referral},
    store::{DeliveryFilter, StoreError},
};

/// A mail that came back: its delivery is dead, and a person sees the referral.
pub(super) fn bounced(desk: &mut Desk<'_>, bounce: &Bounce) -> Result<(), StoreError> {
    let reference = bounce.reference.as_deref().and_then(|text| text.parse::<Reference>().ok());
    let referral = match reference {
        Some(reference) => desk.store.referral_by_reference(&reference)?,
        None => None,
    };
    let Some(referral) = referral else {
        return desk.hold_message("a bounce, but it is not clear of which delivery");
    };
    if !bounce.permanent {
        // The mail server goes on trying by itself.
        desk.link(&referral);
        return Ok(());
    }
    let sent = desk.store.deliveries(&DeliveryFilter {
        referral: Some(referral.id),
        state: Some(DeliveryState::Sent),
        ..DeliveryFilter::default()
    })?;
    let to_them = |delivery: &&Delivery| address(delivery).is_some_and(|to| to.eq_ignore_ascii_case(&bounce.recipient));
    // Of several letters to one address the one that came back; where the report does not say which, a person does.
    let letters: Vec<&Delivery> = sent.iter().filter(to_them).collect();
    let named = letters.iter().copied().find(|delivery| Some(delivery.id) == bounce.delivery);
    let delivery = match (named, letters.as_slice()) {
        (Some(named), _) => named.clone(),
        (None, [only]) => (*only).clone(),
        (None, []) => return desk.hold_message("a bounce of a recipient that nothing was sent to"),
        (None, _) => {
            desk.link(&referral);
            return desk.hold_message(
                "a bounce that does not say which of several letters came back: see them by `deliveries list`, and ask the recipient",
            );
        }
    };
    let status = bounce.status.as_deref().unwrap_or("5.0.0");
    dies(desk, delivery, referral, format!("the mail came back: the recipient's server refused it ({status})"));
    Ok(())
}

/// Takes a refusal that came behind the acceptance of a message of ours, on the connection that it went out on.
pub(super) fn refused_late(desk: &mut Desk<'_>, answer: &Answer) -> Result<(), StoreError> {
    if desk.channel.inbound != InboundConfig::Answers {
        return Ok(());
    }
    // Replayed, it does not count for what was sent again since.
    let (channel, came) = (&desk.channel.name, desk.message().received_at);
    let is_refused = |delivery: &Delivery| {
        let is_named = matches!(&delivery.content, Some(Content::Hl7(content)) if content.control_id == answer.control_id);
        let stands = delivery.state == DeliveryState::Sent && delivery.sent_at.is_none_or(|sent| sent <= came);
        is_named && stands && delivery.through == *channel
    };
    let named = desk.store.delivery_of_control_id(&answer.control_id)?.filter(is_refused);
    let referral = named.as_ref().and_then(|delivery| delivery.referral).map(|id| desk.known_by_id(id)).transpose()?.flatten();
    let (Some(delivery), Some(referral)) = (named, referral) else {
        desk.explain("it refuses nothing of a referral that stands as sent on this channel");
        return Ok(());
    };
    let words = if answer.words.is_empty() { String::new() } else { format!(": {}", answer.words) };
    dies(desk, delivery, referral, format!("it was accepted first, and then answered {}{words}", answer.in_short()));
    Ok(())
}

/// What was sent did not reach whom it was for after all.
fn dies(desk: &mut Desk<'_>, mut delivery: Delivery, mut referral: Referral, why: String) {
    let (id, channel) = (delivery.id, &delivery.through);
    tracing::error!(delivery = %id, %channel, purpose = delivery.purpose.as_str(), "what was sent was refused afterwards; the referral is held");
    delivery.state = DeliveryState::Dead;
    delivery.reason = Some(why);
    referral.record.hold(HeldReason::DeadDelivery);
    let mut event = desk.entry(HistoryEvent::DeliveryDead);
    event.delivery = Some(delivery.id);
    referral.record_event(event);
    if let (Some(message), Purpose::Acknowledgement) = (delivery.message, delivery.purpose) {
        desk.decision().acknowledged.push((message, Acknowledgement::Undelivered));
    }
    desk.decision().deliveries.push(delivery);
    desk.write(referral);
}
