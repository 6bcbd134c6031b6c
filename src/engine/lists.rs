//! What people ask to see: lists of referrals, messages and deliveries, and one of each with what belongs to it.
//!
//! A list may have to read every record, so it is read on a thread of its own.

use serde_json::{Value, json};

use super::{Context, admin::to_value, lines};
use crate::{
    delivery::{Delivery, Purpose},
    ids::{ChannelName, MessageId, ReferralId},
    message::Message,
    protocols::hl7,
    referral::Referral,
    store::{DeliveryFilter, MessageFilter, ReferralFilter, Store, StoreError},
};

fn plain(error: StoreError) -> String {
    error.to_string()
}

async fn read<T: Send + 'static>(
    context: &Context,
    ask: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, String> {
    let store = context.store.clone();
    let read = tokio::task::spawn_blocking(move || ask(&store)).await;
    read.map_err(|_| "the list could not be read: the log says why".to_owned())?.map_err(plain)
}

/// Whether the channel that a list is about can be: one that was taken away still has what came by it.
fn inbound_of(context: &Context, channel: Option<ChannelName>, nothing_found: bool) -> Result<(), String> {
    let config = context.config();
    let unknown = channel.filter(|name| nothing_found && !config.inbound.contains_key(name));
    unknown.map_or(Ok(()), |name| Err(config.no_inbound_channel(&name)))
}

/// Referrals, newest first.
pub(super) async fn referrals(context: &Context, filter: ReferralFilter) -> Result<Value, String> {
    let channel = filter.channel.clone();
    let found = read(context, move |store| store.referrals(&filter)).await?;
    inbound_of(context, channel, found.is_empty())?;
    to_value(&found)
}

/// One referral with its deliveries, as it is or as it was.
pub(super) fn referral(context: &Context, known: &Referral, version: Option<u64>) -> Result<Value, String> {
    let store = &context.store;
    let shown = match version {
        None => known.clone(),
        Some(version) => {
            let (reference, last) = (&known.reference, known.version);
            let old = store.referral_version(known.id, version).map_err(plain)?;
            old.ok_or_else(|| format!("{reference} has no version {version}: it has 1 to {last}"))?
        }
    };
    let filter = DeliveryFilter { referral: Some(known.id), ..DeliveryFilter::default() };
    let deliveries = store.deliveries(&filter).map_err(plain)?;
    Ok(json!({"referral": to_value(&shown)?, "deliveries": with_what_they_wait_for(context, &deliveries)?}))
}

/// Messages, newest first.
pub(super) async fn messages(context: &Context, about: Option<ReferralId>, filter: MessageFilter) -> Result<Value, String> {
    let filter = MessageFilter { referral: about.or(filter.referral), ..filter };
    let channel = filter.channel.clone();
    let found = read(context, move |store| store.messages(&filter)).await?;
    inbound_of(context, channel, found.is_empty())?;
    found.iter().map(|message| with_progress(context, message)).collect()
}

/// A message, and how far its reading is where it is being read.
fn with_progress(context: &Context, message: &Message) -> Result<Value, String> {
    let mut value = to_value(message)?;
    if let Some(progress) = context.underway.of(message.id) {
        value["reading"] = to_value(&progress)?;
    }
    Ok(value)
}

/// One message: the references of its referrals, what it was answered at once, and what its sender was told of it later.
pub(super) async fn message(context: &Context, id: MessageId, raw: bool) -> Result<Value, String> {
    use base64::Engine as _;
    let store = &context.store;
    let message = store.message(id).map_err(plain)?.ok_or_else(|| format!("there is no message {id}"))?;
    let mut value = json!({"message": to_value(&message)?});
    if let Some(progress) = context.underway.of(id) {
        value["reading"] = to_value(&progress)?;
    }
    if let Some(answer) = &message.answer {
        let bytes = store.body(answer).await.map_err(plain)?.unwrap_or_default();
        value["answer"] = Value::String(hl7::decoded(&bytes).replace('\r', "\n"));
    }
    let (mut references, mut told) = (Vec::new(), Vec::new());
    for referral in &message.referrals {
        references.extend(store.referral(*referral).map_err(plain)?.map(|known| known.reference.as_str().to_owned()));
        let filter = DeliveryFilter { referral: Some(*referral), ..DeliveryFilter::default() };
        let of_it = store.deliveries(&filter).map_err(plain)?.into_iter().filter(|one| one.message == Some(id));
        told.extend(of_it.filter(|one| one.purpose == Purpose::Acknowledgement));
    }
    value["references"] = to_value(&references)?;
    if !told.is_empty() {
        value["told"] = with_what_they_wait_for(context, &told)?;
    }
    if raw {
        let bytes = store.body(&message.body).await.map_err(plain)?.unwrap_or_default();
        value["raw"] = Value::String(base64::engine::general_purpose::STANDARD.encode(&bytes));
    }
    Ok(value)
}

/// Deliveries, newest first.
pub(super) async fn deliveries(context: &Context, about: Option<ReferralId>, filter: DeliveryFilter) -> Result<Value, String> {
    let filter = DeliveryFilter { referral: about.or(filter.referral), ..filter };
    let through = filter.through.clone();
    let found = read(context, move |store| store.deliveries(&filter)).await?;
    let (config, none) = (context.config(), found.is_empty());
    match through.filter(|name| none && !config.outbound.contains_key(name)) {
        Some(name) => Err(config.no_outbound_channel(&name)),
        None => with_what_they_wait_for(context, &found),
    }
}

/// Deliveries, and behind which other one each waits, where it does.
pub(super) fn with_what_they_wait_for(context: &Context, deliveries: &[Delivery]) -> Result<Value, String> {
    let waited_for = lines::waited_for(&context.config(), &context.store, deliveries).map_err(plain)?;
    let with = |delivery: &Delivery| {
        let mut value = to_value(delivery)?;
        if let Some(before) = waited_for.get(&delivery.id) {
            value["waits_behind"] = to_value(before)?;
        }
        Ok(value)
    };
    deliveries.iter().map(with).collect::<Result<Vec<_>, String>>().map(Value::Array)
}
