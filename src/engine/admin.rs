//! The admin socket: how the listing commands ask the engine, which holds the store.
//!
//! A Unix socket `engine.sock` in the data folder, readable and writable by its owner alone. One request a connection: one line
//! of JSON in, one line of JSON out.

use std::{
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
};
use tokio_util::sync::CancellationToken;

use super::{Context, assignment, division, export, lines, settle, stuck};
use crate::{
    delivery::{Delivery, DeliveryState},
    ids::{ChannelName, DeliveryId, MessageId},
    message::{Message, State},
    protocols::hl7,
    referral::{Reference, Referral, Status},
    store::{Decision, DeliveryFilter, MessageFilter, ReferralFilter, StoreError},
};

/// The longest request taken, in bytes: an edited message with its documents is one.
const REQUEST_BYTES_MAX: u64 = 67_108_864;
/// How long one connection may take to say what it wants.
const REQUEST_SECONDS_MAX: u64 = 10;
/// How long an answer is waited for. A searchable copy of many pages takes minutes.
const ANSWER_SECONDS_MAX: u64 = 900;
/// How often it is looked whether the socket is still there, while nobody asks.
const SOCKET_LOOK: Duration = Duration::from_secs(5);
/// The longest path of a Unix socket, in bytes.
const SOCKET_PATH_BYTES_MAX: usize = 107;

/// What can be asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub enum Request {
    /// Whether it is up, and whether it can store.
    Health,
    /// Referrals, newest first.
    Referrals {
        /// Only this status.
        status: Option<Status>,
        /// Only those a person must act on.
        held: bool,
        /// At most so many; 0: all.
        limit: usize,
    },
    /// One referral, whole, with its deliveries.
    Referral {
        /// Its reference or id.
        id: String,
    },
    /// One attachment of a referral, base64.
    Attachment {
        /// The referral's reference or id.
        id: String,
        /// Which one, from 1, as `show` numbers them.
        number: usize,
    },
    /// A person's act.
    Settle {
        /// The referral's reference or id.
        id: String,
        /// What the person does.
        act: settle::Act,
        /// Who they are.
        by: String,
    },
    /// Messages, newest first.
    Messages {
        /// Only this channel.
        channel: Option<ChannelName>,
        /// Only this state.
        state: Option<State>,
        /// At most so many; 0: all.
        limit: usize,
    },
    /// One message, with what it was answered.
    Message {
        /// Its id.
        id: MessageId,
        /// Its bytes, base64, as well.
        raw: bool,
    },
    /// The document of a message as a searchable PDF, base64.
    SearchablePdf {
        /// The message's id.
        id: MessageId,
    },
    /// One image of the pages of ours that came back in a message: a whole page, or a blank with what is written in it.
    Image {
        /// The message's id.
        id: MessageId,
        /// Which one, from 1, as `show` numbers them.
        number: usize,
    },
    /// Process a message again.
    Replay {
        /// Its id.
        id: MessageId,
    },
    /// Take a fax apart.
    Split {
        /// The message's id.
        id: MessageId,
        /// The pages of each document; none: as it was proposed.
        documents: Vec<Vec<u32>>,
        /// Who decides.
        by: String,
    },
    /// Say which referral a held message is about.
    Assign {
        /// The message's id.
        id: MessageId,
        /// The referral's reference or id.
        referral: String,
        /// Who decides.
        by: String,
    },
    /// Take a held message off the list.
    Dismiss {
        /// Its id.
        id: MessageId,
    },
    /// Deliveries, newest first.
    Deliveries {
        /// Only this state.
        state: Option<DeliveryState>,
        /// At most so many; 0: all.
        limit: usize,
    },
    /// One delivery, with the message it sends.
    Delivery {
        /// Its id.
        id: DeliveryId,
    },
    /// Try a delivery again.
    RetryDelivery {
        /// Its id.
        id: DeliveryId,
        /// Written anew from the referral as it stands.
        anew: bool,
    },
    /// Never send a delivery; what waits behind it goes on.
    SkipDelivery {
        /// Its id.
        id: DeliveryId,
    },
    /// Put other bytes in the place of an HL7 message that is to be sent.
    EditDelivery {
        /// The delivery's id.
        id: DeliveryId,
        /// The message, base64.
        message: String,
    },
}

/// What comes back.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Response {
    /// The answer.
    Ok(Value),
    /// Why not, in plain words.
    Error(String),
}

/// Where the socket of a data folder is.
#[must_use]
pub fn socket_path(data: &Path) -> PathBuf {
    data.join("engine.sock")
}

/// Asks the engine that runs on this data folder.
///
/// # Errors
/// No engine is running there, or it said no; the text is for a person.
pub async fn ask(data: &Path, request: &Request) -> anyhow::Result<Value> {
    use anyhow::Context as _;
    let path = socket_path(data);
    let mut stream = UnixStream::connect(&path).await.with_context(|| not_reached(data, &path))?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line).await.context("cannot ask the engine")?;
    let mut answer = String::new();
    let wait = Duration::from_secs(ANSWER_SECONDS_MAX);
    let answered = tokio::time::timeout(wait, stream.read_to_string(&mut answer)).await;
    let answered =
        answered.map_err(|_| anyhow::anyhow!("the engine gave no answer in {ANSWER_SECONDS_MAX} s: look into its log"))?;
    answered.context("the engine did not answer")?;
    match serde_json::from_str(&answer).context("the engine's answer was cut off: is it stopping?")? {
        Response::Ok(value) => Ok(value),
        Response::Error(why) => Err(anyhow::anyhow!(why)),
    }
}

/// Why an engine cannot be asked: none is there, or it is another user's, or the path is too long for a socket.
fn not_reached(data: &Path, socket: &Path) -> String {
    let data = data.display();
    match std::fs::metadata(socket) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            format!("{data} belongs to another user: run this as the engine's user, such as by `sudo -u`")
        }
        Ok(_) if rustix::fs::access(socket, rustix::fs::Access::WRITE_OK).is_err() => {
            format!("the engine on {data} runs as another user: run this as that user, such as by `sudo -u`")
        }
        _ if socket.as_os_str().len() > SOCKET_PATH_BYTES_MAX => {
            format!(
                "the path of {data} is too long for its socket: change into a folder near it, and name it by a relative --data"
            )
        }
        Ok(_) | Err(_) => {
            format!(
                "no engine is running on {data}: start it with `loopline run --data {data}`, or name another folder by --data"
            )
        }
    }
}

/// Opens the socket. The store's lock is held, so a socket that is there already is a dead engine's.
///
/// # Errors
/// The path is longer than a Unix socket's may be (107 bytes), or the folder cannot be written.
pub fn listen(data: &Path) -> io::Result<UnixListener> {
    let path = socket_path(data);
    match std::fs::remove_file(&path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Answers until told to stop. A socket that somebody removed is made anew.
pub async fn serve(listener: UnixListener, data: PathBuf, context: Context, shutdown: CancellationToken) {
    let mut listener = listener;
    loop {
        let stream = tokio::select! {
            () = shutdown.cancelled() => return,
            accepted = listener.accept() => accepted,
            () = tokio::time::sleep(SOCKET_LOOK) => {
                if let Some(anew) = made_anew(&data) {
                    listener = anew;
                }
                continue;
            }
        };
        match stream {
            Ok((stream, _)) => {
                let context = context.clone();
                tokio::spawn(async move {
                    if let Err(error) = converse(stream, &context).await {
                        tracing::debug!(%error, "an admin connection broke off");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot take an admin connection; trying again in a second");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

/// The socket once more, if its file is gone.
fn made_anew(data: &Path) -> Option<UnixListener> {
    let path = socket_path(data);
    let gone = std::fs::symlink_metadata(&path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
    let listener = gone.then(|| listen(data))?.ok()?;
    tracing::warn!(socket = %path.display(), "the admin socket was gone, and was made anew");
    Some(listener)
}

async fn converse(mut stream: UnixStream, context: &Context) -> io::Result<()> {
    let (read, mut write) = stream.split();
    let mut line = String::new();
    let mut reader = BufReader::new(read.take(REQUEST_BYTES_MAX));
    tokio::time::timeout(Duration::from_secs(REQUEST_SECONDS_MAX), reader.read_line(&mut line)).await??;
    let response = match serde_json::from_str(&line) {
        Ok(request) => answer(context, request).await.map_or_else(Response::Error, Response::Ok),
        Err(_) => Response::Error("not a request of this version: are `loopline` and the engine of the same release?".to_owned()),
    };
    let mut bytes = serde_json::to_vec(&response).map_err(io::Error::other)?;
    bytes.push(b'\n');
    write.write_all(&bytes).await?;
    write.shutdown().await
}

async fn answer(context: &Context, request: Request) -> Result<Value, String> {
    let plain = |error: StoreError| error.to_string();
    let store = &context.store;
    match request {
        Request::Health => {
            store.health()?;
            Ok(json!({"healthy": true, "channels": context.channel_addresses(), "turned_away": context.turned_away()}))
        }
        Request::Referrals { status, held, limit } => {
            let filter = ReferralFilter { status, waiting: held, limit, ..ReferralFilter::default() };
            to_value(&store.referrals(&filter).map_err(plain)?)
        }
        Request::Referral { id } => {
            let referral = find(context, &id)?;
            let deliveries = store.deliveries(&DeliveryFilter { referral: Some(referral.id), ..DeliveryFilter::default() });
            Ok(
                json!({"referral": to_value(&referral)?, "deliveries": with_what_they_wait_for(context, &deliveries.map_err(plain)?)?}),
            )
        }
        Request::Attachment { id, number } => attachment(context, &find(context, &id)?, number).await,
        Request::Settle { id, act, by } => {
            let referral = find(context, &id)?;
            let settled = settle::settle(context, referral.id, act, &by).await.map_err(|error| error.to_string())?;
            to_value(&settled)
        }
        Request::Messages { channel, state, limit } => {
            let found = store.messages(&MessageFilter { channel: channel.clone(), state, limit }).map_err(plain)?;
            let (config, none) = (context.config(), found.is_empty());
            match channel.filter(|name| none && !config.inbound.contains_key(name)) {
                Some(name) => Err(config.no_inbound_channel(&name)),
                None => found.iter().map(|message| with_progress(context, message)).collect(),
            }
        }
        Request::Message { id, raw } => message(context, id, raw).await,
        Request::SearchablePdf { id } => export::searchable(context, id).await,
        Request::Image { id, number } => image(context, id, number).await,
        Request::Replay { id } => to_value(&replay(context, id).await?),
        Request::Split { id, documents, by } => to_value(&division::split(context, id, documents, &by).await?),
        Request::Assign { id, referral, by } => {
            to_value(&assignment::assign(context, id, &find(context, &referral)?, &by).await?)
        }
        Request::Dismiss { id } => to_value(&dismiss(context, id).await?),
        Request::Deliveries { state, limit } => {
            let found = store.deliveries(&DeliveryFilter { state, referral: None, limit }).map_err(plain)?;
            with_what_they_wait_for(context, &found)
        }
        Request::Delivery { id } => stuck::show(context, id).await,
        Request::RetryDelivery { id, anew } => to_value(&stuck::retry(context, id, anew).await?),
        Request::SkipDelivery { id } => to_value(&stuck::skip(context, id).await?),
        Request::EditDelivery { id, message } => {
            use base64::Engine as _;
            let bytes = base64::engine::general_purpose::STANDARD.decode(message).map_err(|error| error.to_string())?;
            to_value(&stuck::edit(context, id, &bytes).await?)
        }
    }
}

fn to_value<T: Serialize>(thing: &T) -> Result<Value, String> {
    serde_json::to_value(thing).map_err(|error| error.to_string())
}

/// Deliveries, and behind which other one each waits, where it does.
pub(super) fn with_what_they_wait_for(context: &Context, deliveries: &[Delivery]) -> Result<Value, String> {
    let waited_for = lines::waited_for(&context.config(), &context.store, deliveries).map_err(|error| error.to_string())?;
    let with = |delivery: &Delivery| {
        let mut value = to_value(delivery)?;
        if let Some(before) = waited_for.get(&delivery.id) {
            value["waits_behind"] = to_value(before)?;
        }
        Ok(value)
    };
    deliveries.iter().map(with).collect::<Result<Vec<_>, String>>().map(Value::Array)
}

/// A message, and how far its reading is where it is being read.
fn with_progress(context: &Context, message: &Message) -> Result<Value, String> {
    let mut value = to_value(message)?;
    if let Some(progress) = context.underway.of(message.id) {
        value["reading"] = to_value(&progress)?;
    }
    Ok(value)
}

/// The referral that a person names, by reference or id.
fn find(context: &Context, id: &str) -> Result<Referral, String> {
    let store = &context.store;
    let found = if let Ok(id) = id.parse() {
        store.referral(id)
    } else {
        let reference: Reference = id.parse().map_err(|error| format!("{id}: {error}"))?;
        store.referral_by_reference(&reference)
    };
    found.map_err(|error| error.to_string())?.ok_or_else(|| format!("there is no referral {id}"))
}

async fn message(context: &Context, id: MessageId, raw: bool) -> Result<Value, String> {
    use base64::Engine as _;
    let store = &context.store;
    let message = store.message(id).map_err(|error| error.to_string())?.ok_or_else(|| format!("there is no message {id}"))?;
    let mut value = json!({"message": to_value(&message)?});
    if let Some(progress) = context.underway.of(id) {
        value["reading"] = to_value(&progress)?;
    }
    if let Some(answer) = &message.answer {
        let bytes = store.body(answer).await.map_err(|error| error.to_string())?.unwrap_or_default();
        value["answer"] = Value::String(hl7::decoded(&bytes).replace('\r', "\n"));
    }
    if raw {
        let bytes = store.body(&message.body).await.map_err(|error| error.to_string())?.unwrap_or_default();
        value["raw"] = Value::String(base64::engine::general_purpose::STANDARD.encode(&bytes));
    }
    Ok(value)
}

async fn attachment(context: &Context, referral: &Referral, number: usize) -> Result<Value, String> {
    use base64::Engine as _;
    let attachments = &referral.record.attachments;
    let Some(wanted) = number.checked_sub(1).and_then(|at| attachments.get(at)) else {
        return Err(format!("referral {} has no attachment {number}: it has {}", referral.reference, attachments.len()));
    };
    let bytes = context.store.body(&wanted.id).await.map_err(|error| error.to_string())?;
    let bytes = bytes.ok_or("the attachment is not in the store: restore it from a backup")?;
    Ok(json!({"media_type": wanted.media_type, "attachment": base64::engine::general_purpose::STANDARD.encode(&bytes)}))
}

async fn image(context: &Context, id: MessageId, number: usize) -> Result<Value, String> {
    use base64::Engine as _;
    let store = &context.store;
    let message = store.message(id).map_err(|error| error.to_string())?.ok_or_else(|| format!("there is no message {id}"))?;
    let images: Vec<_> = message.returned.iter().flat_map(|page| page.images()).collect();
    let Some((_, image)) = number.checked_sub(1).and_then(|at| images.get(at)) else {
        return Err(format!("message {id} has no image {number}: it has {}", images.len()));
    };
    let bytes = store.body(image).await.map_err(|error| error.to_string())?.ok_or("the image is missing in the store")?;
    Ok(json!({"image": base64::engine::general_purpose::STANDARD.encode(&bytes)}))
}

async fn replay(context: &Context, id: MessageId) -> Result<Message, String> {
    let found = context.store.message(id).map_err(|error| error.to_string())?;
    let mut message = found.ok_or_else(|| format!("there is no message {id}"))?;
    message.state = State::Received;
    message.attempts = 0;
    message.due_at = None;
    message.reason = Some("replayed by a person".to_owned());
    let decision = Decision { message: Some(message.clone()), ..Decision::default() };
    context.store.settle(decision).await.map_err(|error| error.to_string())?;
    Ok(message)
}

async fn dismiss(context: &Context, id: MessageId) -> Result<Message, String> {
    let found = context.store.message(id).map_err(|error| error.to_string())?;
    let mut message = found.ok_or_else(|| format!("there is no message {id}"))?;
    if !matches!(message.state, State::Held | State::Failed) {
        return Err(format!("message {id} is {}: only a held or a failed one can be dismissed", message.state.as_str()));
    }
    let was = message.state.as_str();
    message.state = State::Processed;
    message.reason = Some(format!("dismissed by a person; it was {was}: {}", message.reason.unwrap_or_default()));
    let decision = Decision { message: Some(message.clone()), ..Decision::default() };
    context.store.settle(decision).await.map_err(|error| error.to_string())?;
    Ok(message)
}
