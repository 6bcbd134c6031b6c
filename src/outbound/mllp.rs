//! HL7 out over MLLP: one connection, kept open, one message at a time; each waits for its answer.
//!
//! # Design notes
//! An answer counts only when its MSA-2 is our MSH-10: one that comes late, after we gave up waiting, would otherwise be taken for the
//! answer to the next message. So a connection on which an answer is missing is closed and never used again, and the message goes out
//! again on a new one with the same MSH-10, by which the other side knows it.
//!
//! AE and CE say that the content is wrong, AR and CR with 200 to 203 that the kind of message or its version is: sent again it is
//! refused again, so a person must look. Other AR and CR say "not now".
//!
//! A system may answer a referral by what becomes of it, an RRI in place of an ACK: that is handed back with the delivery, and stored and
//! read as a message (`engine/answers.rs`). It may also say so later, unasked, on the connection that is open: between two messages of ours
//! somebody listens, and what comes then goes to the intake as what comes through a door does, and is answered likewise.
//!
//! The conversation is over any stream, so that TLS goes between it and the socket.

mod unasked;

use std::{
    sync::{Arc, Mutex as StdMutex, PoisonError},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use futures::FutureExt;
use serde::Deserialize;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    sync::{Mutex, Notify, OnceCell},
    task::AbortHandle,
    time::{Instant, timeout, timeout_at},
};
use tokio_util::codec::Decoder;
use unasked::Unasked;

use super::{Outbound, SendError, Sent};
use crate::{
    compose::hl7_referral::Version,
    delivery::{Content, Delivery},
    engine::intake::Intake,
    ids::ChannelName,
    protocols::{
        hl7::{Answer, AnswerCode},
        mllp::{Frame, MllpCodec, framed},
        tls::{ClientTls, ClientTlsConfig, Finding, Line, Renewal},
    },
    store::Store,
};

/// How much is read at once at least.
const READ_BYTES: usize = 4_096;
/// How many other messages, and answers to others, are read before the connection is given up.
const STRAY_ANSWERS_MAX: usize = 100;
/// Codes of HL7 table 0357 that say that this message is not taken, now or later: its type, event, processing id or version.
const NEVER: std::ops::RangeInclusive<u16> = 200..=203;

/// `[outbound.mllp]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MllpConfig {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Sending off loopback without TLS must be said in so many words.
    #[serde(default)]
    pub plaintext: bool,
    /// TLS; absent: none.
    #[serde(default)]
    pub tls: Option<ClientTlsConfig>,
    /// MSH-12: the version the other side wants.
    #[serde(default)]
    pub version: Version,
    /// MSH-3.
    #[serde(default = "defaults::sending_application")]
    pub sending_application: String,
    /// MSH-4.
    #[serde(default)]
    pub sending_facility: Option<String>,
    /// MSH-5, where no directory entry says it.
    #[serde(default)]
    pub receiving_application: Option<String>,
    /// MSH-6, likewise.
    #[serde(default)]
    pub receiving_facility: Option<String>,
    /// MSH-11.
    #[serde(default = "defaults::processing_id")]
    pub processing_id: String,
    /// MSH-18, and what the text is written in.
    #[serde(default = "defaults::character_set")]
    pub character_set: String,
    /// Which answer is asked for.
    #[serde(default)]
    pub mode: MllpMode,
    /// Whether documents go along, in OBX.
    #[serde(default = "defaults::attachments")]
    pub attachments: bool,
    /// The most bytes of documents in one message, before Base64; what goes over it is left out, and the message says so.
    #[serde(default = "defaults::attachments_bytes_max")]
    pub attachments_bytes_max: usize,
    /// How long connecting may take.
    #[serde(default = "defaults::connect_seconds_max")]
    pub connect_seconds_max: u64,
    /// How long sending a message and waiting for its answer may take.
    #[serde(default = "defaults::answer_seconds_max")]
    pub answer_seconds_max: u64,
    /// The largest answer taken, in bytes.
    #[serde(default = "defaults::answer_bytes_max")]
    pub answer_bytes_max: usize,
    /// How long the channel rests when nothing listens there.
    #[serde(default = "defaults::reconnect_seconds")]
    pub reconnect_seconds: u64,
}

/// Which answer a message asks for in MSH-15 and MSH-16.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MllpMode {
    /// Both empty: one answer, AA, AE or AR.
    #[default]
    Original,
    /// AL and NE: one accept acknowledgement, CA, CE or CR.
    Enhanced,
}

mod defaults {
    pub(super) fn sending_application() -> String {
        "LOOPLINE".to_owned()
    }
    pub(super) fn processing_id() -> String {
        "P".to_owned()
    }
    pub(super) fn character_set() -> String {
        "UNICODE UTF-8".to_owned()
    }
    pub(super) fn attachments() -> bool {
        true
    }
    pub(super) fn attachments_bytes_max() -> usize {
        20_971_520
    }
    pub(super) fn connect_seconds_max() -> u64 {
        10
    }
    pub(super) fn answer_seconds_max() -> u64 {
        30
    }
    pub(super) fn answer_bytes_max() -> usize {
        1_048_576
    }
    pub(super) fn reconnect_seconds() -> u64 {
        15
    }
}

/// Sends messages to one system, one after the other.
pub struct MllpOutbound {
    name: ChannelName,
    config: MllpConfig,
    store: Store,
    connection: Arc<Connection>,
    /// Who listens on the connection while nothing is sent.
    listener: StdMutex<Option<AbortHandle>>,
    /// Opened with the first connection: certificates that cannot be read then pause the channel, and are tried again.
    tls: OnceCell<ClientTls>,
}

impl MllpOutbound {
    /// The channel `name`; messages are taken from `store`, and what comes unasked goes to `intake`. Nothing is connected yet.
    #[must_use]
    pub fn new(name: ChannelName, config: &MllpConfig, store: Store, intake: Intake) -> Self {
        let unasked = Unasked { channel: name.clone(), store: store.clone(), intake };
        let connection = Arc::new(Connection { kept: Mutex::default(), wanted: Notify::new(), unasked });
        Self { name, config: config.clone(), store, connection, listener: StdMutex::default(), tls: OnceCell::new() }
    }

    async fn connect(&self) -> Result<Conversation<Box<dyn Line>>, SendError> {
        let MllpConfig { host, port, connect_seconds_max, .. } = &self.config;
        let connecting = TcpStream::connect((host.as_str(), *port));
        let failed = |why: &str| SendError::Channel(format!("cannot connect to {host}:{port}: {why}"));
        let stream = match timeout(Duration::from_secs(*connect_seconds_max), connecting).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(failed(&error.to_string())),
            Err(_) => return Err(failed(&format!("no connection within {connect_seconds_max} s"))),
        };
        stream.set_nodelay(true).map_err(|error| failed(&error.to_string()))?;
        let line: Box<dyn Line> = match &self.config.tls {
            Some(config) => {
                let tls = self.tls(config).await.map_err(|finding| failed(&finding.to_string()))?;
                Box::new(tls.connect(host, stream).await.map_err(|error| failed(&error.to_string()))?)
            }
            None => Box::new(stream),
        };
        tracing::info!(channel = %self.name, %host, port, tls = self.config.tls.is_some(), "connected");
        Ok(Conversation::new(line, self.config.answer_bytes_max))
    }

    /// The certificates as they are now.
    async fn tls(&self, config: &ClientTlsConfig) -> Result<&ClientTls, Finding> {
        let channel = &self.name;
        let open = async || {
            let (tls, findings) = ClientTls::open(config.clone())?;
            for finding in findings {
                tracing::warn!(%channel, "{finding}");
            }
            Ok(tls)
        };
        let tls = self.tls.get_or_try_init(open).await?;
        match tls.renew().await {
            Some(Renewal::Renewed(findings)) => {
                tracing::info!(%channel, "the TLS certificates changed; the new ones are in use");
                for finding in findings {
                    tracing::warn!(%channel, "{finding}");
                }
            }
            Some(Renewal::Kept(finding)) => {
                tracing::error!(%channel, "the TLS certificates changed and cannot be used; the old ones stay in use: {finding}");
            }
            None => {}
        }
        Ok(tls)
    }

    async fn exchange(&self, message: &[u8], control_id: &str) -> Result<Answered, SendError> {
        self.connection.wanted.notify_one();
        let mut kept = self.connection.kept.lock().await;
        // The other side may have closed an idle connection: that is found out before anything is sent on it.
        let open = kept.take().and_then(|mut open| open.is_open().then_some(open));
        let mut conversation = match open {
            Some(open) => open,
            None => self.connect().await?,
        };
        let patience = Patience::of(self.config.answer_seconds_max);
        conversation.say(message, &patience).await?;
        conversation.strays = "";
        for _ in 0..STRAY_ANSWERS_MAX {
            match conversation.hear(&self.name, control_id, &patience).await? {
                Heard::Answer(answered) => {
                    *kept = Some(conversation);
                    drop(kept);
                    self.listen();
                    return Ok(answered);
                }
                Heard::Unasked(bytes) => {
                    if let Some(answer) = self.connection.unasked.take(bytes).await {
                        conversation.say(&answer, &patience).await?;
                    }
                }
            }
        }
        Err(SendError::Ambiguous("the other side answers only other messages".to_owned()))
    }

    /// Has somebody listen on the connection until it is wanted or closed, if nobody does.
    fn listen(&self) {
        let mut listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner);
        if listener.as_ref().is_none_or(AbortHandle::is_finished) {
            let (connection, seconds) = (Arc::clone(&self.connection), self.config.answer_seconds_max);
            *listener = Some(tokio::spawn(async move { connection.listen(seconds).await }).abort_handle());
        }
    }
}

impl Drop for MllpOutbound {
    fn drop(&mut self) {
        if let Some(listener) = self.listener.lock().unwrap_or_else(PoisonError::into_inner).take() {
            listener.abort();
        }
    }
}

/// The connection between two messages.
struct Connection {
    /// Taken out while a message is sent, so that one that was broken off in the middle is gone.
    kept: Mutex<Option<Conversation<Box<dyn Line>>>>,
    /// Somebody wants to send.
    wanted: Notify,
    unasked: Unasked,
}

impl Connection {
    /// Takes what comes until the connection is gone, and steps aside whenever something is to be sent.
    async fn listen(&self, answer_seconds_max: u64) {
        loop {
            // Whoever wants to send asked for the lock before.
            let mut kept = self.kept.lock().await;
            let Some(conversation) = kept.as_mut() else { return };
            let heard = tokio::select! {
                biased;
                () = self.wanted.notified() => continue,
                heard = conversation.next() => heard,
            };
            let channel = &self.unasked.channel;
            let goes_on = match heard {
                Ok(Answered { answer, .. }) if answer.is_bare() && !answer.is_refusal() => {
                    tracing::warn!(%channel, "an acknowledgement came that nobody waits for; dropped");
                    true
                }
                Ok(Answered { bytes, .. }) => match self.unasked.take(bytes).await {
                    Some(answer) => conversation.say(&answer, &Patience::of(answer_seconds_max)).await.is_ok(),
                    None => true,
                },
                Err(_) if conversation.is_closed => {
                    tracing::info!(%channel, "the other side closed the connection between two messages");
                    false
                }
                Err(error) => {
                    tracing::warn!(%channel, %error, "the connection broke between two messages; what came on it and was not whole was not read");
                    false
                }
            };
            if !goes_on {
                *kept = None;
                return;
            }
        }
    }
}

impl Outbound for MllpOutbound {
    async fn send(&self, delivery: &Delivery) -> Result<Sent, SendError> {
        let Some(Content::Hl7(content)) = &delivery.content else {
            return Err(SendError::Permanent(format!("the channel {} sends HL7 messages, and this is none", self.name)));
        };
        let body = self.store.body(&content.message).await;
        let body = body.map_err(|error| SendError::Transient(format!("the message cannot be read from the store: {error}")))?;
        let body = body.ok_or_else(|| SendError::Permanent("the message is not in the store".to_owned()))?;
        judge(self.exchange(&body, &content.control_id).await?)
    }
}

/// What an answer to our message means for it.
fn judge(Answered { answer, bytes }: Answered) -> Result<Sent, SendError> {
    let Some(code) = answer.code else {
        return Err(SendError::Ambiguous("the answer holds no acknowledgement code in MSA-1".to_owned()));
    };
    let again = match code {
        AnswerCode::AA | AnswerCode::CA => {
            return Ok(Sent { note: code.as_str().to_owned(), answer: Some(bytes).filter(|_| !answer.is_bare()) });
        }
        AnswerCode::AE | AnswerCode::CE => false,
        AnswerCode::AR | AnswerCode::CR => !answer.error_codes.iter().any(|code| NEVER.contains(code)),
    };
    let why = format!("it was answered {}", answer.in_short());
    Err(SendError::Refused { why, detail: Some(answer.words).filter(|words| !words.is_empty()), again })
}

/// An answer, and all of it.
struct Answered {
    answer: Answer,
    bytes: Bytes,
}

/// What comes while an answer is awaited.
enum Heard {
    /// It.
    Answer(Answered),
    /// A message of its own that answers nothing of ours, or a refusal of another message than the one at hand.
    Unasked(Bytes),
}

/// How long is waited.
struct Patience {
    until: Instant,
    seconds: u64,
}

impl Patience {
    fn of(seconds: u64) -> Self {
        Self { until: Instant::now() + Duration::from_secs(seconds), seconds }
    }
}

/// One connection, message and answer by turns.
struct Conversation<S> {
    stream: S,
    codec: MllpCodec,
    buffer: BytesMut,
    /// The other side has closed it, and nothing was broken off.
    is_closed: bool,
    /// What is to be said of answers to other messages, where some came.
    strays: &'static str,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Conversation<S> {
    fn new(stream: S, answer_bytes_max: usize) -> Self {
        Self { stream, codec: MllpCodec::new(answer_bytes_max), buffer: BytesMut::new(), is_closed: false, strays: "" }
    }

    /// Whether the other side has not closed it, as far as can be told without waiting. What it said meanwhile is kept to be read.
    fn is_open(&mut self) -> bool {
        self.buffer.reserve(READ_BYTES);
        match self.stream.read_buf(&mut self.buffer).now_or_never() {
            None => true,
            Some(Ok(bytes)) => bytes > 0,
            Some(Err(_)) => false,
        }
    }

    /// Sends a message. After an error the conversation is over.
    async fn say(&mut self, message: &[u8], patience: &Patience) -> Result<(), SendError> {
        let sending = async {
            self.stream.write_all(&framed(message)).await?;
            self.stream.flush().await
        };
        match timeout_at(patience.until, sending).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(SendError::Ambiguous(format!("the connection broke while it was sent: {error}"))),
            Err(_) => Err(SendError::Ambiguous(format!("it was not read by the other side within {} s", patience.seconds))),
        }
    }

    /// Waits for the answer to a message. After an error the conversation is over.
    async fn hear(&mut self, channel: &ChannelName, control_id: &str, patience: &Patience) -> Result<Heard, SendError> {
        for _ in 0..STRAY_ANSWERS_MAX {
            let answered = match timeout_at(patience.until, self.next()).await {
                Ok(answered) => answered?,
                Err(_) => return Err(SendError::Ambiguous(format!("no answer within {} s{}", patience.seconds, self.strays))),
            };
            if answered.answer.control_id == control_id {
                return Ok(Heard::Answer(answered));
            }
            if !answered.answer.is_bare() {
                return Ok(Heard::Unasked(answered.bytes));
            }
            self.strays = match answered.answer.control_id.as_str() {
                "" => ": what came names no message in MSA-2, which must be our MSH-10",
                _ => ": what came names another message in MSA-2, which must be our MSH-10, whole",
            };
            if answered.answer.is_refusal() {
                tracing::warn!(%channel, awaited = control_id, "a refusal came that names another message");
                return Ok(Heard::Unasked(answered.bytes));
            }
            tracing::warn!(%channel, awaited = control_id, "an answer that names another message was dropped");
        }
        Err(SendError::Ambiguous("the other side answers only other messages".to_owned()))
    }

    /// What comes next, whichever message it answers. Broken off, nothing of it is lost.
    async fn next(&mut self) -> Result<Answered, SendError> {
        let broken = |error: std::io::Error| SendError::Ambiguous(format!("the connection broke before the answer: {error}"));
        loop {
            match self.codec.decode(&mut self.buffer).map_err(broken)? {
                Some(Frame::Message(bytes)) => {
                    return Answer::read(&bytes)
                        .map(|answer| Answered { answer, bytes })
                        .map_err(|why| SendError::Ambiguous(format!("the answer cannot be read: it {}", why.as_str())));
                }
                Some(Frame::CommitBlock(_)) => {}
                Some(Frame::Truncated(_)) => return Err(SendError::Ambiguous("the answer broke off".to_owned())),
                Some(Frame::TooLarge(_)) => {
                    return Err(SendError::Ambiguous("the answer is larger than answer_bytes_max".to_owned()));
                }
                Some(Frame::Foreign(what)) => {
                    return Err(SendError::Channel(format!("the other side does not speak MLLP: it sent {}", what.as_str())));
                }
                None => {
                    self.buffer.reserve(READ_BYTES);
                    if self.stream.read_buf(&mut self.buffer).await.map_err(broken)? == 0 {
                        self.is_closed = !self.codec.inside();
                        let when = if self.codec.inside() { "in the middle of the answer" } else { "before the answer" };
                        return Err(SendError::Ambiguous(format!("the other side closed the connection {when}")));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{DuplexStream, duplex};

    use super::*;

    fn conversation() -> (Conversation<DuplexStream>, DuplexStream) {
        let (ours, theirs) = duplex(65_536);
        (Conversation::new(ours, 4_096), theirs)
    }

    fn answer(code: &str, control_id: &str) -> Vec<u8> {
        framed(format!("MSH|^~\\&|E|H|L||20261121||ACK^I12^ACK|1|P|2.5.1\rMSA|{code}|{control_id}\r").as_bytes()).to_vec()
    }

    async fn exchange(conversation: &mut Conversation<DuplexStream>) -> Result<Answered, SendError> {
        let patience = Patience::of(1);
        conversation.say(b"MSH|^~\\&|\r", &patience).await?;
        loop {
            match conversation.hear(&ChannelName::new("ehr-mllp"), "C1", &patience).await? {
                Heard::Answer(answered) => return Ok(answered),
                Heard::Unasked(bytes) => assert!(Answer::read(&bytes).unwrap().is_refusal(), "nothing else comes unasked"),
            }
        }
    }

    #[tokio::test]
    async fn an_answer_counts_only_for_the_message_it_names() {
        let (mut ours, mut theirs) = conversation();
        theirs.write_all(&answer("AE", "C0")).await.unwrap();
        assert!(ours.is_open());
        theirs.write_all(&answer("AA", "C1")).await.unwrap();
        assert_eq!(exchange(&mut ours).await.ok().and_then(|answered| answered.answer.code), Some(AnswerCode::AA));
    }

    #[tokio::test]
    async fn an_answer_split_anywhere_is_one() {
        let whole = answer("AA", "C1");
        for at in 1..whole.len() {
            let (mut ours, mut theirs) = conversation();
            let (first, second) = whole.split_at(at);
            let sending = async {
                theirs.write_all(first).await.unwrap();
                tokio::task::yield_now().await;
                theirs.write_all(second).await.unwrap();
            };
            let (answered, ()) = tokio::join!(exchange(&mut ours), sending);
            assert!(answered.is_ok(), "split at {at}");
        }
    }

    #[tokio::test]
    async fn no_answer_in_time_is_ambiguous() {
        let (mut ours, _theirs) = conversation();
        assert!(matches!(exchange(&mut ours).await, Err(SendError::Ambiguous(why)) if why == "no answer within 1 s"));
    }

    #[tokio::test]
    async fn what_ends_or_is_no_answer_is_ambiguous_and_what_is_no_mllp_is_the_channels_fault() {
        for (said, wanted) in [
            (&b""[..], "before the answer"),
            (b"\x0bMSH|^~\\&|E", "in the middle"),
            (b"\x0bhello\x1c\r", "cannot be read"),
            (b"\x0bMSH|^~\\&|E\x0bMSH", "broke off"),
        ] {
            let (mut ours, mut theirs) = conversation();
            theirs.write_all(said).await.unwrap();
            theirs.shutdown().await.unwrap();
            let Err(SendError::Ambiguous(why)) = exchange(&mut ours).await else { panic!("{wanted}") };
            assert!(why.contains(wanted), "{why}");
        }
        let (mut ours, mut theirs) = conversation();
        theirs.write_all(b"\x16\x03\x01").await.unwrap();
        assert!(matches!(exchange(&mut ours).await, Err(SendError::Channel(_))));
    }

    #[tokio::test]
    async fn a_connection_that_was_closed_meanwhile_is_noticed_before_it_is_used() {
        let (mut ours, theirs) = conversation();
        assert!(ours.is_open());
        drop(theirs);
        assert!(!ours.is_open());
    }

    #[test]
    fn each_answer_means_what_the_standard_says() {
        let judged = |code: &str, codes: &[u16]| {
            let errors: String = codes.iter().map(|code| format!("ERR||MSH^1|{code}|E||||Quillfeather\r")).collect();
            let text = format!("MSH|^~\\&|E|H|L||20261121||ACK|1|P|2.5.1\rMSA|{code}|C1\r{errors}");
            judge(Answered { answer: Answer::read(text.as_bytes()).unwrap(), bytes: Bytes::from(text) })
        };
        assert!(judged("AA", &[]).is_ok_and(|sent| sent.answer.is_none()) && judged("CA", &[]).is_ok());
        let response = Bytes::from_static(b"MSH|^~\\&|E|H|L||20261121||RRI^I12|1|P|2.5.1\rMSA|AA|C1\rRF1|R\r");
        let sent = judge(Answered { answer: Answer::read(&response).unwrap(), bytes: response.clone() });
        assert!(sent.is_ok_and(|sent| sent.answer == Some(response)), "what it says beyond that is handed on");
        let refused = |code: &str, codes: &[u16]| match judged(code, codes) {
            Err(error @ SendError::Refused { .. }) => {
                assert!(!error.to_string().contains("Quill"), "{error}");
                matches!(error, SendError::Refused { again: true, .. })
            }
            _ => panic!("{code} refuses"),
        };
        for (code, codes, again) in [
            ("AE", &[101][..], false),
            ("CE", &[], false),
            ("AR", &[], true),
            ("AR", &[207], true),
            ("AR", &[200], false),
            ("AR", &[207, 203], false),
            ("CR", &[202], false),
            ("CR", &[], true),
        ] {
            assert_eq!(refused(code, codes), again, "{code} {codes:?}");
        }
        assert!(matches!(judged("", &[]), Err(SendError::Ambiguous(_))));
    }
}
