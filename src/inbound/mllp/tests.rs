//! The connection loop over real sockets, with a door that needs no store.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use jiff::Timestamp;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::*;
use crate::{
    compose::hl7_answer::{AnswerSettings, refuse_fragment},
    store::StoreError,
};

/// Answers each message with its own bytes; one that says so meets a store that cannot write, one that says so cannot be read.
#[derive(Clone, Default)]
struct Echo {
    turned_away: Arc<Mutex<BTreeMap<&'static str, u64>>>,
    undelivered: Arc<Mutex<usize>>,
    /// How many large or slow messages are at hand, and were at most.
    large: Arc<Mutex<(usize, usize)>>,
}

impl Door for Echo {
    async fn take(&self, arrival: Arrival) -> Result<Taken, IntakeError> {
        let body = arrival.body;
        if body.len() > 1_048_576 || body.starts_with(b"MSH|slow") {
            {
                let mut large = self.large.lock().unwrap();
                large.0 += 1;
                large.1 = large.1.max(large.0);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            self.large.lock().unwrap().0 -= 1;
        }
        if body.starts_with(b"MSH|full") {
            let source = StoreError::Unavailable(std::io::Error::other("disk full"));
            return Err(IntakeError::Unavailable { answer: Some(Bytes::from_static(b"AR\r")), source });
        }
        if !body.starts_with(b"MSH") || body.contains(&0xFF) {
            return Err(IntakeError::NotAMessage("it is not HL7 text".to_owned()));
        }
        Ok(Taken { message: MessageId::generate(), answer: Some(body) })
    }

    async fn answer_undelivered(&self, _: MessageId) {
        *self.undelivered.lock().unwrap() += 1;
    }

    fn refuse(&self, _: &ChannelName, body: &[u8], refusal: &Refusal) -> Option<Bytes> {
        refuse_fragment(body, refusal, &AnswerSettings::default(), "1", Timestamp::now()).map(Bytes::from)
    }

    fn turned_away(&self, _: &ChannelName, why: &'static str) {
        *self.turned_away.lock().unwrap().entry(why).or_default() += 1;
    }
}

struct Server {
    address: SocketAddr,
    shutdown: CancellationToken,
    door: Echo,
    task: tokio::task::JoinHandle<anyhow::Result<()>>,
}

impl Server {
    async fn was_turned_away(&self, why: &str) {
        let seen = || self.door.turned_away.lock().unwrap().contains_key(why);
        timeout(Duration::from_secs(20), async {
            while !seen() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
        .unwrap_or_else(|_| panic!("{why} was not counted: {:?}", self.door.turned_away.lock().unwrap()));
    }
}

fn serve(change: impl FnOnce(&mut MllpConfig)) -> Server {
    let mut config: MllpConfig = toml::from_str("listen = \"127.0.0.1:0\"\nframe_bytes_max = 1000").unwrap();
    change(&mut config);
    let inbound = MllpInbound::bind(ChannelName::new("test"), config).unwrap();
    let address = inbound.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let door = Echo::default();
    let task = tokio::spawn(listener::serve(inbound, door.clone(), shutdown.clone()));
    Server { address, shutdown, door, task }
}

async fn exchange(server: &Server, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await.unwrap().unwrap();
    answer
}

#[tokio::test]
async fn messages_are_answered_in_order_however_they_are_joined() {
    let server = serve(|_| {});
    let sent = b"\x0BMSH|1\r\x1C\r\x0BMSH|2\r\x1C\r\x0BMSH|full\r\x1C\r\x0BMSH|3\r\x1C\r";
    assert_eq!(exchange(&server, sent).await, b"\x0BMSH|1\r\x1C\r\x0BMSH|2\r\x1C\r\x0BAR\r\x1C\r\x0BMSH|3\r\x1C\r");
}

#[tokio::test]
async fn the_messages_of_a_batch_are_answered_one_by_one() {
    let server = serve(|_| {});
    let sent = b"\x0BFHS|a\rBHS|b\rMSH|1\rMSH|2\rBTS|2\rFTS|1\r\x1C\r";
    assert_eq!(exchange(&server, sent).await, b"\x0BMSH|1\r\x1C\r\x0BMSH|2\r\x1C\r");
}

#[tokio::test]
async fn a_dribble_of_single_bytes_is_a_message() {
    let server = serve(|_| {});
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    for byte in b"\x0BMSH|1\r\x1C\r" {
        stream.write_all(&[*byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    let mut answer = [0; 9];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"\x0BMSH|1\r\x1C\r");
}

#[tokio::test]
async fn what_is_no_mllp_is_closed_without_an_answer() {
    let server = serve(|_| {});
    for bytes in [&b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..], &[0x16, 0x03, 0x01, 0, 5], b"", b"\x0Bhello\x1C\r"] {
        assert_eq!(exchange(&server, bytes).await, b"");
    }
    assert_eq!(exchange(&server, b"\x0BMSH|1\r\x1C\r").await, b"\x0BMSH|1\r\x1C\r");
}

#[tokio::test]
async fn a_message_that_broke_off_or_is_too_large_is_refused() {
    let server = serve(|config| config.frame_bytes_max = 60);
    let answer = exchange(&server, b"\x0BMSH|^~\\&|A|B|C|D|1||REF^I12|77|P|2.4\rPID|1").await;
    assert!(String::from_utf8(answer).unwrap().contains("\rMSA|AR|77|"));
    let large = [b"\x0BMSH|^~\\&|A|B|C|D|1||REF^I12|78|P|2.4\rNTE|||", &[b'x'; 100][..], b"\x1C\r"].concat();
    let answer = String::from_utf8(exchange(&server, &large).await).unwrap();
    assert!(answer.contains("\rMSA|AR|78|") && answer.contains("^104&"), "{answer}");
}

#[tokio::test]
async fn one_connection_too_many_is_closed() {
    let server = serve(|config| config.connections_max = 1);
    let mut first = TcpStream::connect(server.address).await.unwrap();
    first.write_all(b"\x0BMSH|1\r\x1C\r").await.unwrap();
    let mut answer = [0; 9];
    first.read_exact(&mut answer).await.unwrap();
    let mut second = TcpStream::connect(server.address).await.unwrap();
    let mut nothing = Vec::new();
    let closed = timeout(Duration::from_secs(20), second.read_to_end(&mut nothing)).await.unwrap();
    assert!(closed.is_err() || nothing.is_empty());
}

#[tokio::test]
async fn large_messages_take_turns_so_that_memory_is_bounded() {
    let server = serve(|config| {
        config.frame_bytes_max = 4_000_000;
        config.large_frames_max = 2;
    });
    let large = [b"\x0BMSH|", vec![b'x'; 1_500_000].as_slice(), b"\r\x1C\r"].concat();
    let mut peers = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let (address, large) = (server.address, large.clone());
        peers.spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let (mut reading, mut writing) = stream.split();
            let mut answer = vec![0; large.len()];
            let (written, read) = tokio::join!(writing.write_all(&large), reading.read_exact(&mut answer));
            written.unwrap();
            read.unwrap();
            answer == large
        });
    }
    assert_eq!(exchange(&server, b"\x0BMSH|1\r\x1C\r").await, b"\x0BMSH|1\r\x1C\r", "small ones do not wait");
    assert!(peers.join_all().await.into_iter().all(|whole| whole), "each is answered");
    let most = server.door.large.lock().unwrap().1;
    assert!((1..=2).contains(&most), "{most} at once");
}

#[tokio::test]
async fn no_more_messages_are_stored_at_once_than_may_be_and_the_others_wait() {
    let server = serve(|config| config.messages_in_flight_max = 2);
    let mut peers = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let address = server.address;
        peers.spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(b"\x0BMSH|slow\r\x1C\r").await.unwrap();
            let mut answer = [0; 12];
            stream.read_exact(&mut answer).await.unwrap();
            &answer == b"\x0BMSH|slow\r\x1C\r"
        });
    }
    assert!(peers.join_all().await.into_iter().all(|whole| whole), "each is answered");
    let most = server.door.large.lock().unwrap().1;
    assert!((1..=2).contains(&most), "{most} at once");
}

#[tokio::test]
async fn a_frame_that_never_ends_is_given_up() {
    let server = serve(|config| config.frame_seconds_max = 0);
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"\x0BMSH|1").await.unwrap();
    let mut nothing = Vec::new();
    timeout(Duration::from_secs(20), stream.read_to_end(&mut nothing)).await.unwrap().unwrap();
    assert!(nothing.is_empty());
}

#[tokio::test]
async fn a_frame_over_the_cap_that_never_ends_is_refused_when_its_time_is_over() {
    let server = serve(|config| {
        config.frame_bytes_max = 60;
        config.frame_seconds_max = 1;
    });
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let large = [b"\x0BMSH|^~\\&|A|B|C|D|1||REF^I12|79|P|2.4\rNTE|||", &[b'x'; 100][..]].concat();
    stream.write_all(&large).await.unwrap();
    let mut answer = String::new();
    timeout(Duration::from_secs(20), stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert!(answer.contains("\rMSA|AR|79|") && answer.contains("^104&"), "{answer}");
}

#[tokio::test]
async fn a_stop_closes_idle_connections_and_ends() {
    let server = serve(|_| {});
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"\x0BMSH|1\r\x1C\r").await.unwrap();
    let mut answer = [0; 9];
    stream.read_exact(&mut answer).await.unwrap();
    server.shutdown.cancel();
    timeout(Duration::from_secs(20), server.task).await.unwrap().unwrap().unwrap();
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0);
}

#[tokio::test]
async fn who_is_turned_away_is_counted_by_reason() {
    let server = serve(|config| config.frame_bytes_max = 100);
    for (bytes, why) in [
        (&b"GET / HTTP/1.1\r\n\r\n"[..], "http"),
        (&[0x16, 0x03, 0x01, 0, 5], "tls-on-plain-port"),
        (b"MSH|^~\\&|A\r", "unframed-hl7"),
        (b"SSH-2.0-scan\r\n", "no-mllp"),
        (b"GE", "no-mllp"),
        (b"", "nothing-sent"),
        (b"\x0Bhello\x1C\r", "no-message"),
        (b"\x0BMSH|1", "truncated"),
        (&[b"\x0BMSH|", &[b'x'; 200][..], b"\x1C\r"].concat(), "too-large"),
    ] {
        exchange(&server, bytes).await;
        server.was_turned_away(why).await;
    }
}

#[tokio::test]
async fn one_peer_may_not_have_all_connections() {
    let server = serve(|config| config.connections_per_peer_max = 1);
    let mut first = TcpStream::connect(server.address).await.unwrap();
    first.write_all(b"\x0BMSH|1\r\x1C\r").await.unwrap();
    first.read_exact(&mut [0; 9]).await.unwrap();
    let _second = TcpStream::connect(server.address).await.unwrap();
    server.was_turned_away("too-many-connections-of-one-peer").await;
}

#[tokio::test]
async fn a_peer_that_sends_junk_and_waits_is_not_kept_for_the_idle_time() {
    let server = serve(|config| config.frame_seconds_max = 0);
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"\x01\x02hello?\r\n").await.unwrap();
    assert_eq!(timeout(Duration::from_secs(20), stream.read(&mut [0; 1])).await.unwrap().unwrap(), 0);
    server.was_turned_away("frame-too-slow").await;
}

#[tokio::test]
async fn an_unreadable_message_does_not_stop_the_others_of_its_batch() {
    let server = serve(|_| {});
    let sent = b"\x0BBHS|^~\\&|A\rMSH|1\rMSH|^~\\&|A|B|C|D|1||REF^I12|77|P|2.4\rPID|\xFF\rMSH|3\rBTS|3\r\x1C\r";
    let answer = String::from_utf8(exchange(&server, sent).await).unwrap();
    let answers: Vec<&str> = answer.split('\x0B').skip(1).collect();
    assert_eq!((answers.len(), answers[0], answers[2]), (3, "MSH|1\r\x1C\r", "MSH|3\r\x1C\r"));
    assert!(answers[1].contains("\rMSA|AR|77|the message cannot be read"), "{answer}");
}

#[tokio::test]
async fn a_channel_may_answer_a_batch_by_a_batch() {
    let server = serve(|config| config.batch_answers = BatchAnswers::Batch);
    let sent = b"\x0BFHS|^~\\&|A|B|C|D|1||||F1\rBHS|^~\\&|A|B|C|D|1||||B1\rMSH|1\rMSH|2\rBTS|5\rFTS|1\r\x1C\r";
    let answer = String::from_utf8(exchange(&server, sent).await).unwrap();
    assert_eq!(answer.matches('\x0B').count(), 1, "{answer}");
    assert!(answer.starts_with("\x0BFHS|^~\\&|C|D|A|B|"), "{answer}");
    assert!(answer.contains("|B1\rMSH|1\rMSH|2\rBTS|2\rFTS|1\r\x1C\r"), "{answer}");
    let nothing = exchange(&server, b"\x0BBHS|^~\\&|A|B|C|D|1||||B2\rBTS|0\r\x1C\r").await;
    let nothing = String::from_utf8(nothing).unwrap();
    assert!(nothing.starts_with("\x0BBHS|^~\\&|C|D|A|B|") && nothing.ends_with("|B2\rBTS|0\r\x1C\r"), "{nothing}");
    let row = exchange(&server, b"\x0BMSH|1\rMSH|2\r\x1C\r").await;
    assert_eq!(row, b"\x0BMSH|1\r\x1C\r\x0BMSH|2\r\x1C\r", "messages in a row are no batch");
}

#[tokio::test]
async fn an_empty_batch_is_answered_by_an_empty_one_where_each_message_has_its_answer() {
    let server = serve(|_| {});
    let nothing = String::from_utf8(exchange(&server, b"\x0BBHS|^~\\&|A|B|C|D|1||||B2\rBTS|0\r\x1C\r").await).unwrap();
    assert!(nothing.starts_with("\x0BBHS|^~\\&|C|D|A|B|") && nothing.ends_with("|B2\rBTS|0\r\x1C\r"), "{nothing}");
}

#[tokio::test]
async fn a_batch_of_too_many_messages_is_refused_whole() {
    let server = serve(|config| config.batch_messages_max = 2);
    let header = "MSH|^~\\&|A|B|C|D|1||REF^I12|77|P|2.4\r";
    let answer = exchange(&server, format!("\x0B{}\x1C\r", header.repeat(3)).as_bytes()).await;
    let answer = String::from_utf8(answer).unwrap();
    assert_eq!(answer.matches("\rMSA|").count(), 1);
    assert!(answer.contains("\rMSA|AR|77|") && answer.contains("^104&"), "{answer}");
}

#[tokio::test]
async fn commit_blocks_say_whether_a_frame_is_stored_before_it_is_answered() {
    let server = serve(|config| config.commit_blocks = true);
    let sent = b"\x0BMSH|1\r\x1C\r\x0B\x06\x1C\r\x0BMSH|full\r\x1C\r\x0BMSH|2\r\x1C\r";
    let expected = b"\x0B\x06\x1C\r\x0BMSH|1\r\x1C\r\x0B\x15\x1C\r\x0B\x06\x1C\r\x0BMSH|2\r\x1C\r";
    assert_eq!(exchange(&server, sent).await, expected);
    assert_eq!(exchange(&server, b"\x0BMSH|1").await, b"\x0B\x15\x1C\r", "a frame that broke off is not stored");
}

#[tokio::test]
async fn an_answer_that_the_peer_could_not_keep_is_not_delivered() {
    let server = serve(|config| config.commit_blocks = true);
    exchange(&server, b"\x0BMSH|1\r\x1C\r\x0B\x15\x1C\r").await;
    assert_eq!(*server.door.undelivered.lock().unwrap(), 1);
}

#[tokio::test]
async fn without_commit_blocks_not_one_byte_is_added() {
    let server = serve(|_| {});
    assert_eq!(exchange(&server, b"\r\n\x0BMSH|1\r\x1C\r\n\x0B\x15\x1C\r").await, b"\x0BMSH|1\r\x1C\r");
    assert_eq!(*server.door.undelivered.lock().unwrap(), 0);
}
