//! `loopline send`: sends HL7 files over MLLP, waits for the answers, prints what came back. With `--for` or
//! `--count` it is the load generator: it repeats the files with fresh numbers over several connections.

mod line;
mod template;

use std::{
    borrow::Cow,
    collections::BTreeMap,
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use bytes::{Bytes, BytesMut};
use clap::Args;
use serde::Serialize;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};
use tokio_util::codec::Decoder;

use self::{
    line::{Target, TlsArgs},
    template::Template,
};
use super::{print, try_file::read_file};
use crate::protocols::{
    hl7::{RawHeader, split_messages},
    mllp::{Frame, MllpCodec, framed},
    tls::Line,
};

/// The largest answer that is read.
const ANSWER_BYTES_MAX: usize = 16_777_216;

/// `loopline send FILE… --to HOST:PORT`
#[derive(Args, Clone, Debug)]
pub struct SendArgs {
    /// HL7 files: one message each, a batch, or messages in MLLP frames
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Where to send them
    #[arg(long, value_name = "HOST:PORT", value_parser = host_and_port)]
    pub to: String,
    /// Whether and how the connections are encrypted
    #[command(flatten)]
    pub tls: TlsArgs,
    /// Connections, each with one message in flight
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4_096))]
    pub connections: u32,
    /// Repeat the files for so long, each time as new messages with a new control id and referral number: 20s, 5m
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    pub repeat_for: Option<Duration>,
    /// Repeat the files until so many messages were sent
    #[arg(long, value_name = "N", conflicts_with = "repeat_for", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    /// How long an answer is waited for
    #[arg(long, default_value = "30s", value_name = "TIME", value_parser = duration)]
    pub timeout: Duration,
    /// Print the summary as JSON
    #[arg(long)]
    pub json: bool,
}

/// `20s`, `5m`, `1h`, or seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let split = text.find(|symbol: char| !symbol.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: u64 = number.parse().map_err(|_| "a time looks like 20s, 5m or 1h".to_owned())?;
    let factor = match unit.trim() {
        "" | "s" => 1,
        "m" | "min" => 60,
        "h" => 3_600,
        _ => return Err("a time looks like 20s, 5m or 1h".to_owned()),
    };
    Ok(Duration::from_secs(number.saturating_mul(factor)))
}

/// What came back.
#[derive(Debug, Default, Serialize)]
struct Summary {
    sent: usize,
    answered: usize,
    /// By MSA-1: AA, AE, AR, CA, CE, CR.
    answers: BTreeMap<String, usize>,
    /// Answers whose MSA-2 is not the control id that was sent.
    #[serde(skip_serializing_if = "is_zero")]
    mismatched: usize,
    seconds: f64,
    messages_per_second: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    p50_milliseconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p99_milliseconds: Option<f64>,
    /// Why connections ended early.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde wants")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// How long one connection goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    /// Each file once, as it is.
    Once,
    /// Again and again until then, each time as a new message.
    Time(Instant),
    /// Likewise, until so many were sent.
    Count(u64),
}

impl Until {
    fn is_over(self, sent: usize) -> bool {
        match self {
            Self::Once => false,
            Self::Time(end) => Instant::now() >= end,
            Self::Count(count) => sent as u64 >= count,
        }
    }
}

fn host_and_port(text: &str) -> Result<String, String> {
    let has_port =
        text.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0));
    if has_port { Ok(text.to_owned()) } else { Err("write host and port, such as 127.0.0.1:2575 or [::1]:2575".to_owned()) }
}

/// What one of the connections sends of a number of messages.
fn share(count: u64, connection: usize, connections: usize) -> u64 {
    count / connections as u64 + u64::from((connection as u64) < count % connections as u64)
}

/// What one connection did.
#[derive(Default)]
struct Report {
    sent: usize,
    mismatched: usize,
    answers: BTreeMap<String, usize>,
    latencies: Vec<Duration>,
    /// The answers themselves, while the files are sent once.
    texts: Vec<String>,
    error: Option<String>,
}

/// Sends the files. Exit code 0: every message was answered AA or CA; 1: some were not.
///
/// # Errors
/// A file cannot be read, or holds no message.
pub async fn run(args: SendArgs) -> anyhow::Result<ExitCode> {
    let messages = read_files(&args.files)?;
    let target = Arc::new(Target::new(&args.to, &args.tls)?);
    let connections = args.connections as usize;
    let began = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..connections {
        let messages = messages.clone();
        let (to, wait) = (Arc::clone(&target), args.timeout);
        let until = match (args.repeat_for, args.count) {
            (Some(time), _) => Until::Time(began + time),
            (None, Some(count)) => Until::Count(share(count, number, connections)),
            (None, None) => Until::Once,
        };
        tasks.spawn(async move {
            let mine: Vec<Bytes> = match until {
                Until::Time(_) | Until::Count(_) => messages,
                Until::Once => messages.into_iter().skip(number).step_by(connections).collect(),
            };
            let mut report = Report::default();
            if let Err(error) = converse(&to, &mine, number, until, wait, &mut report).await {
                report.error = Some(format!("{error:#}"));
            }
            report
        });
    }
    let mut reports = Vec::new();
    while let Some(report) = tasks.join_next().await {
        reports.push(report.context("a connection's task failed")?);
    }
    let summary = summarise(&reports, began.elapsed());
    print(&summary, &reports, &args);
    let positive: usize = ["AA", "CA"].iter().filter_map(|code| summary.answers.get(*code)).sum();
    let good = summary.sent == positive && summary.errors.is_empty() && summary.mismatched == 0;
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn read_files(files: &[PathBuf]) -> anyhow::Result<Vec<Bytes>> {
    let mut messages = Vec::new();
    for file in files {
        let bytes = read_file(file)?;
        let before = messages.len();
        for part in unframed(&bytes)? {
            let (split, _) = split_messages(&part);
            messages.extend(split.into_iter().filter(|one| RawHeader::read(one).is_ok()).map(|one| part.slice_ref(one)));
        }
        if messages.len() == before {
            bail!("{} holds no HL7 message: it should begin with MSH", file.display());
        }
    }
    Ok(messages)
}

/// The content of the MLLP frames of a file, or the file itself where it has none.
pub(super) fn unframed(bytes: &Bytes) -> anyhow::Result<Vec<Bytes>> {
    if !bytes.starts_with(&[crate::protocols::mllp::START]) {
        return Ok(vec![bytes.clone()]);
    }
    let mut codec = MllpCodec::new(usize::MAX);
    let mut buffer = BytesMut::from(&bytes[..]);
    let mut parts = Vec::new();
    while let Some(frame) = codec.decode_eof(&mut buffer).context("cannot read the MLLP frames of the file")? {
        match frame {
            Frame::Message(body) | Frame::Truncated(body) | Frame::TooLarge(body) => parts.push(body),
            Frame::CommitBlock(_) | Frame::Foreign(_) => {}
        }
    }
    Ok(parts)
}

/// One connection: a message, its answer, the next message.
async fn converse(
    to: &Target,
    messages: &[Bytes],
    connection: usize,
    until: Until,
    wait: Duration,
    report: &mut Report,
) -> anyhow::Result<()> {
    if messages.is_empty() {
        return Ok(());
    }
    let templates: Vec<Template> = messages.iter().map(|message| Template::of(message)).collect();
    let mut stream = to.connect().await?;
    let mut codec = MllpCodec::new(ANSWER_BYTES_MAX);
    let (mut frame, mut buffer) = (Vec::new(), BytesMut::new());
    for round in 0_u64.. {
        for (at, (message, template)) in messages.iter().zip(&templates).enumerate() {
            if until.is_over(report.sent) {
                return Ok(());
            }
            let sent_id = match until {
                Until::Once => {
                    frame = framed(message).to_vec();
                    RawHeader::read(message).map(|header| header.field(10).to_vec()).unwrap_or_default()
                }
                Until::Time(_) | Until::Count(_) => {
                    template.write(&format!("{}{connection:X}X{round:X}X{at:X}", run_tag()), &mut frame)
                }
            };
            let began = Instant::now();
            stream.write_all(&frame).await.context("the connection broke while sending")?;
            stream.flush().await.context("the connection broke while sending")?;
            report.sent += 1;
            let answer = timeout(wait, answer(&mut *stream, &mut codec, &mut buffer))
                .await
                .with_context(|| format!("no answer within {} seconds", wait.as_secs()))??;
            report.latencies.push(began.elapsed());
            let (code, control_id) = acknowledged(&answer);
            report.mismatched += usize::from(control_id != sent_id);
            match report.answers.get_mut(&*code) {
                Some(count) => *count += 1,
                None => drop(report.answers.insert(code.into_owned(), 1)),
            }
            if until == Until::Once {
                report.texts.push(String::from_utf8_lossy(&answer).replace('\r', "\n").trim_end().to_owned());
            }
        }
        if until == Until::Once {
            break;
        }
    }
    Ok(())
}

/// A tag that differs between runs, so that a second run is not a repeat of the first.
fn run_tag() -> &'static str {
    use std::sync::OnceLock;
    static TAG: OnceLock<String> = OnceLock::new();
    TAG.get_or_init(|| format!("{:06X}X", rand::random::<u32>() & 0x00FF_FFFF))
}

async fn answer(stream: &mut dyn Line, codec: &mut MllpCodec, buffer: &mut BytesMut) -> anyhow::Result<Bytes> {
    loop {
        match codec.decode(buffer).context("cannot read the answer")? {
            Some(Frame::Message(body) | Frame::Truncated(body)) => return Ok(body),
            Some(Frame::CommitBlock(_)) => continue,
            Some(Frame::TooLarge(_)) => bail!("the answer is larger than {ANSWER_BYTES_MAX} bytes"),
            Some(Frame::Foreign(foreign)) => bail!("the peer answered {}", foreign.as_str()),
            None => {}
        }
        if stream.read_buf(buffer).await.context("the connection broke before the answer")? == 0 {
            bail!("the peer closed the connection without an answer");
        }
    }
}

/// MSA-1 and MSA-2 of an answer.
fn acknowledged(answer: &[u8]) -> (Cow<'_, str>, &[u8]) {
    let separator = answer.get(3).copied().unwrap_or(b'|');
    let msa = answer.split(|byte| *byte == b'\r').find(|line| line.starts_with(b"MSA"));
    let mut fields = msa.unwrap_or_default().split(|byte| *byte == separator).skip(1);
    let code = fields.next().map(String::from_utf8_lossy).filter(|code| !code.is_empty());
    (code.unwrap_or(Cow::Borrowed("no MSA")), fields.next().unwrap_or_default())
}

fn summarise(reports: &[Report], took: Duration) -> Summary {
    let mut latencies: Vec<Duration> = reports.iter().flat_map(|report| report.latencies.iter().copied()).collect();
    latencies.sort_unstable();
    let at = |percent: usize| {
        let index = (latencies.len() * percent / 100).min(latencies.len().saturating_sub(1));
        latencies.get(index).map(|latency| (latency.as_secs_f64() * 1e6).round() / 1e3)
    };
    let mut answers = BTreeMap::new();
    for (code, count) in reports.iter().flat_map(|report| &report.answers) {
        *answers.entry(code.clone()).or_default() += count;
    }
    let mut errors: Vec<String> = reports.iter().filter_map(|report| report.error.clone()).collect();
    errors.sort();
    errors.dedup();
    let answered = latencies.len();
    let seconds = took.as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a count of messages is far below 2^52")]
    let rate = if seconds > 0.0 { answered as f64 / seconds } else { 0.0 };
    Summary {
        sent: reports.iter().map(|report| report.sent).sum(),
        answered,
        answers,
        mismatched: reports.iter().map(|report| report.mismatched).sum(),
        seconds: (seconds * 1e3).round() / 1e3,
        messages_per_second: (rate * 10.0).round() / 10.0,
        p50_milliseconds: at(50),
        p99_milliseconds: at(99),
        errors,
    }
}

fn print(summary: &Summary, reports: &[Report], args: &SendArgs) {
    if args.json {
        print::json(&serde_json::to_value(summary).expect("a summary is plain data"));
        return;
    }
    for text in reports.iter().flat_map(|report| &report.texts) {
        print::say(&format!("{text}\n"));
    }
    let codes: Vec<String> = summary.answers.iter().map(|(code, count)| format!("{count} {code}")).collect();
    let codes = if codes.is_empty() { "none".to_owned() } else { codes.join(", ") };
    let (seconds, rate) = (summary.seconds, summary.messages_per_second);
    print::say(&format!("sent {}, answers: {codes}, in {seconds:.3} s ({rate:.1} messages a second)", summary.sent));
    if let (Some(p50), Some(p99)) = (summary.p50_milliseconds, summary.p99_milliseconds) {
        print::say(&format!("answer time: p50 {p50:.3} ms, p99 {p99:.3} ms"));
    }
    if summary.mismatched > 0 {
        print::say(&format!("{} answers do not name the control id that was sent", summary.mismatched));
    }
    for error in &summary.errors {
        print::say(&format!("error: {error}"));
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    const MESSAGE: &[u8] = b"MSH|^~\\&|A|B|C|D|1||REF^I12|77|P|2.4\rRF1|P|R||||REF-1^CEDAR\rPID|1||7^CEDAR||Lee^Leslie^A\r";

    #[test]
    fn the_connections_share_a_number_of_messages_without_rest() {
        for (count, connections) in [(0, 3), (7, 3), (64, 64), (10, 64)] {
            assert_eq!((0..connections).map(|number| share(count, number, connections)).sum::<u64>(), count);
        }
        assert!(!Until::Count(2).is_over(1) && Until::Count(2).is_over(2) && !Until::Once.is_over(9));
    }

    #[test]
    fn times_are_read_with_their_unit() {
        assert_eq!(duration("20s"), Ok(Duration::from_secs(20)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        assert!(duration("soon").is_err());
    }

    #[test]
    fn framed_files_and_batches_give_their_messages() {
        let file = Bytes::from([&framed(MESSAGE)[..], &framed(MESSAGE)[..]].concat());
        assert_eq!(unframed(&file).unwrap(), [MESSAGE, MESSAGE]);
    }

    /// Answers every message with an AA that names its control id.
    async fn acknowledging() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut codec, mut buffer) = (MllpCodec::new(10_000), BytesMut::new());
                    while let Ok(message) = answer(&mut stream, &mut codec, &mut buffer).await {
                        let id = RawHeader::read(&message).unwrap().text(10);
                        let text = format!("MSH|^~\\&|C|D|A|B|1||ACK|1|P|2.4\rMSA|AA|{id}\r");
                        stream.write_all(&framed(text.as_bytes())).await.unwrap();
                    }
                });
            }
        });
        address
    }

    #[tokio::test]
    async fn every_file_is_sent_once_and_its_answer_counted() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("one.hl7");
        std::fs::write(&file, [MESSAGE, MESSAGE].concat()).unwrap();
        let args = SendArgs {
            files: vec![file],
            to: acknowledging().await,
            connections: 2,
            tls: TlsArgs::default(),
            repeat_for: None,
            count: None,
            timeout: Duration::from_secs(10),
            json: true,
        };
        assert_eq!(run(args).await.unwrap(), ExitCode::SUCCESS);
    }

    #[tokio::test]
    async fn nobody_listening_is_a_failure_in_plain_words() {
        let mut report = Report::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        drop(listener);
        let messages = [Bytes::from_static(MESSAGE)];
        let error = converse(
            &Target::new(&address, &TlsArgs::default()).unwrap(),
            &messages,
            0,
            Until::Once,
            Duration::from_secs(5),
            &mut report,
        )
        .await
        .unwrap_err();
        assert_eq!(error.to_string(), format!("cannot connect to {address}"));
    }
}
