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

use super::{Context, assignment, division, export, lists, settle, stuck};
use crate::{
    ids::{DeliveryId, MessageId, ReferralId},
    message::{Message, State},
    referral::{Reference, Referral},
    store::{Decision, DeliveryFilter, MessageFilter, ReferralFilter},
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
        /// Which.
        filter: ReferralFilter,
    },
    /// One referral, whole, with its deliveries.
    Referral {
        /// Its reference or id.
        id: String,
        /// As it was in this version; none: as it is.
        #[serde(default)]
        version: Option<u64>,
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
        /// Which.
        filter: MessageFilter,
        /// Only those about the referral with this reference or id.
        #[serde(default)]
        about: Option<String>,
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
        /// Which.
        filter: DeliveryFilter,
        /// Only those of the referral with this reference or id.
        #[serde(default)]
        about: Option<String>,
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
    let store = &context.store;
    match request {
        Request::Health => {
            store.health()?;
            Ok(json!({"healthy": true, "channels": context.channel_addresses(), "turned_away": context.turned_away()}))
        }
        Request::Referrals { filter } => lists::referrals(context, filter).await,
        Request::Referral { id, version } => lists::referral(context, &find(context, &id)?, version),
        Request::Attachment { id, number } => attachment(context, &find(context, &id)?, number).await,
        Request::Settle { id, act, by } => {
            let referral = find(context, &id)?;
            let settled = settle::settle(context, referral.id, act, &by).await.map_err(|error| error.to_string())?;
            to_value(&settled)
        }
        Request::Messages { filter, about } => lists::messages(context, with_referral(context, about)?, filter).await,
        Request::Message { id, raw } => lists::message(context, id, raw).await,
        Request::SearchablePdf { id } => export::searchable(context, id).await,
        Request::Image { id, number } => image(context, id, number).await,
        Request::Replay { id } => to_value(&replay(context, id).await?),
        Request::Split { id, documents, by } => to_value(&division::split(context, id, documents, &by).await?),
        Request::Assign { id, referral, by } => {
            to_value(&assignment::assign(context, id, &find(context, &referral)?, &by).await?)
        }
        Request::Dismiss { id } => to_value(&dismiss(context, id).await?),
        Request::Deliveries { filter, about } => lists::deliveries(context, with_referral(context, about)?, filter).await,
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

pub(super) fn to_value<T: Serialize>(thing: &T) -> Result<Value, String> {
    serde_json::to_value(thing).map_err(|error| error.to_string())
}

/// The id of the referral that a list is about, if it is.
fn with_referral(context: &Context, about: Option<String>) -> Result<Option<ReferralId>, String> {
    about.map(|id| find(context, &id).map(|referral| referral.id)).transpose()
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
