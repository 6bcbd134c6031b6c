//! The speed of the engine, measured from outside: its own process, real sockets, a real disk with a real `fdatasync`, and `loopline send`
//! as the load generator on the same machine.
//!
//! ```text
//! cargo bench --bench speed                                  about a minute: 1, 8 and 64 connections on an empty store
//! cargo bench --bench speed -- --stored 10000,100000         the same with so many referrals stored before, and both kinds of start
//! cargo bench --bench speed -- --path whole                  with the confirmation request composed and mailed for each message
//! ```
//!
//! Each message is a new referral: a REF^I12 of 2 KB with its own control id and number. `door` has no route, so that each referral is held
//! and nothing is composed: what is measured is bytes in, record durable, answer out. `whole` mails the request of each into a Maildir.
//! CPU is the server's alone (user and system time of its process), a message; it is the figure to compare on a machine that others use.
//! `fdatasync` is what this disk takes for one small append, alone: no engine with one connection can be faster.
//!
//! # What was found
//! By `perf record` of the server at 16 and 64 connections, in shares of its CPU. First with values in the index small already and records
//! packed by the callers (720 µs a message on a busy machine), then with what follows from it (500 to 540 µs there, the same minute):
//!
//! | where | before | what was done |
//! |---|---|---|
//! | hl7-parser: parse and drop | 19 % | our own splitter, `protocols/hl7/message.rs` |
//! | sled: batches, in the writer's thread | 12 % | behind the answers, in a thread of its own (12 %); values of 29 bytes |
//! | sled: questions of intake and writer | 11 % | one for each key of a transaction; not for what waits for sled |
//! | decoding another referral of the same patient | 10 % | the load has a patient of its own in each message, as a day's traffic has |
//! | zstd | 8 % | short pieces packed by LZ4, see below |
//! | sled's trace lines, made and dropped | 5 % | libraries are told the level |
//! | our log lines | 4 % | left |
//! | fdatasync and write | 4 % | left: shared by all that wait |
//!
//! Then the four pieces that one message leaves in the journal, packed alone on the same busy machine (`zstd -b1 -D
//! src/store/dictionary.txt FILE`, `zstd -b --fast=8`, `lz4 -b1 FILE`, sizes of LZ4 by `lz4 -1 -D`), in microseconds and bytes:
//!
//! | piece | bytes | zstd 1 | zstd, fastest | LZ4 |
//! |---|---|---|---|---|
//! | message | 2,027 | 47 µs, 1,076 | 13 µs, 1,710 | 5 µs, 1,414 |
//! | answer | 800 | 23 µs, 424 | 8 µs, 587 | 3 µs, 510 |
//! | message record | 792 | 19 µs, 261 | 8 µs, 406 | 3 µs, 301 |
//! | referral record | 5,871 | 69 µs, 1,457 | 28 µs, 2,104 | 19 µs, 1,916 |
//!
//! An answer packed behind the message that it repeats takes 107 bytes. With it the referral would take 1,220: left, since a record could
//! then not be read without another entry.
//!
//! Beside that: no copy of the record on its way (it was copied twice); records freed by the thread that made them; index keys of 22 bytes
//! or less, which sled keeps within its nodes; questions whose answer is surely no are not put to sled (`store/absent.rs`).
//!
//! What is reached by a release build on two cores, the load generator on the same two, `--stored 0,100000` and `--stored 1000000`, on a
//! quiet machine (an `fdatasync` alone took 0.17 ms):
//!
//! | stored before | 1: msg/s, p99 | 8 | 64 | CPU at 64 | disk a message | resident at rest | start, after kill -9 |
//! |---|---|---|---|---|---|---|---|
//! | 0 | 2031, 1 ms | 7692, 5 ms | 9636, 15 ms | 164 µs | 5.2 KB | 30 MB | 0.03 s |
//! | 100,000 | 1941, 2 ms | 7719, 5 ms | 9470, 16 ms | 166 µs | 5.1 KB | 87 MB | 0.2 s, 0.6 s |
//! | 1,000,000 | 1870, 2 ms | 6511, 5 ms | 7891, 21 ms | 200 µs | 5.1 KB | 417 MB | 0.8 s, 3.5 s |
//!
//! No backlog in any of them. Wanted are 8,000 a second at 64 connections and 1,500 at one, 150 µs, 6 KB, 150 MB at 100,000, and a start in
//! 10 s with a million: all but the 150 µs are reached. The first two lines before what is told under "Then" were 3984 a second, 360 µs,
//! 6.6 KB and 27 MB; 3411, 408 µs, 6.5 KB and 131 MB.
//!
//! # What led to it
//! By `perf record` of a release build at 64 connections, in shares of its CPU: 63 % on the runtime's threads, 21 % in the thread that
//! writes to sled, 9 % in the journal's writer, 6 % in sled's own threads (half of it its flusher). The kernel has 12 % of all, `malloc`
//! and `free` 21 %, LZ4 8 %, SHA-256 2 %. Reading a message took 551,000 instructions (`callgrind`, without the hash, which it counts by
//! the slow code): 57 % for the record (a third of that in `format!`), 18 % for line ends and delimiters, 12 % to split it.
//!
//! | what was done | measured |
//! |---|---|
//! | line ends and delimiters found many bytes at once, places and paths put together by hand | 373,000 instructions |
//! | the load generator on one thread, with one buffer | not in the server's figure |
//! | `index_cache_bytes` of 16 MiB instead of 64 | 201 to 133 MB at rest with 100,000 |
//!
//! The microseconds are of pairs of short runs without LTO on a machine that others loaded. With mimalloc, our crate in one codegen unit,
//! LZ4's unchecked packer, LTO, and no flusher in sled it was 190 µs the same minutes. The flusher stays: without it sled's memory grew by
//! 24 KB with each message. Our crate in one codegen unit and LZ4's unchecked packer, tried again by themselves on top of the LTO that is
//! shipped, changed nothing (447 and 455 ticks of 10 ms for 18,000 messages with them, 455 and 446 without) and were left.
//!
//! # Then
//! By `perf record` again: 56 % runtime threads, 27 % the thread that writes to sled (7 µs for each of nine keys a message), 10 % the
//! journal's writer, sled's own threads the rest. A long run cost more than a short one, 287 µs over 80,000 messages and 248 over 20,000:
//! a key that is a hash is put into any page of the index, and once those were more than `index_cache_bytes` each had to be read first.
//! All of it 20,000 messages at 64 connections, in pairs, by a release build, or (†) by the less optimized one that tests use:
//!
//! | what was done | CPU a message | beside it |
//! |---|---|---|
//! | before | 248 µs | 5.9 KB of disk, peak 270 to 440 MB |
//! | keys that are asked one at a time stand many together (`store/runs.rs`) | † 338 to 271 µs | † over 80,000 379 to 279 µs, 6.4 to 5.2 KB |
//! | evidence short, a dictionary for referrals, buffers kept by each thread | † 268 to 255 µs | 5.0 KB |
//! | both | 175 µs | over 80,000 185 µs; peak 62 to 81 MB |
//! | jemalloc | 145 µs | peak 80 MB, at rest 3 MB more when empty |
//!
//! Left as they were, since nothing came of it: glibc's tunables (`tcache_count`, `tcache_max`, `mxfast`: 168 to 182 µs for 172 to 179).
//! mimalloc (version 2) gave what jemalloc gives, for 30 MB more.
//!
//! # And then
//! By `perf record --call-graph dwarf` of a quiet machine, in microseconds of 158: 33 to read a message (8 of them the patient), 24 to make
//! and pack records, 20 in the journal's writer (8 of them in the kernel), 19 to write to sled, 19 in LZ4 for all pieces, 10
//! to make JSON of records, 7 to send the answer, 6 in SHA-256, 4 for our log line. 20,000 messages at 64 connections, in pairs, while others
//! loaded the machine, which makes larger batches and so less for each message:
//!
//! | what was done | CPU a message | beside it |
//! |---|---|---|
//! | before | 140 µs | 5.1 KB of disk |
//! | messages, referrals and deliveries stand in runs too | 129 µs | 4.8 KB; sled and its threads 9 µs instead of 18 |
//!
//! Reading more of a message since (allergies, orders, every reason, every spelling of a number) has cost more than that was: on a quiet
//! machine, 40,000 messages in pairs, 178 µs for 162 before both, of it 22 more on the runtime's threads and 7 less in the index's.
//!
//! A packer that reads its dictionary once (liblz4's, `protocols/lz4.rs`; `lz4_flex` reads it for each piece), and the writer's tables with
//! a faster hash: 40,000 messages in three pairs on a quiet machine, 183, 177 and 181 µs before, 162, 165 and 176 with both; 8,900 to
//! 10,000 messages a second, 5.0 to 4.9 KB of disk.
//!
//! # And lately
//! By `perf record --call-graph dwarf` at 64 connections, while others loaded both cores; microseconds a message, slowed by the recording:
//!
//! | where | before | after |
//! |---|---|---|
//! | read and normalize | 52 | 46 |
//! | records and content as bytes, LZ4 and SHA-256 included | 38 | 30 |
//! | LZ4, all pieces | 19 | 15 |
//! | SHA-256, wherever | 7 | 5 |
//! | decide, answer and what is around them | 17 | 16 |
//! | the journal's writer (of it in the kernel) | 19 (8) | 20 (9) |
//! | the index's thread and sled's | 12 | 9 |
//! | connections (of it in the kernel) | 14 (7) | 12 (6) |
//! | our log line | 3 | 3 |
//! | all | 160 | 144 |
//!
//! | what was done | measured |
//! |---|---|
//! | LZ4 tries less to find a match (`protocols/lz4.rs`) | alone, of the pieces of a message: 19.5 to 10.9 µs; 420 bytes more of disk |
//! | content is hashed once (`ids::Named`) | 2 µs by the profile |
//! | parts of a field are found, trimmed and decoded without searches made for long texts | with both above † 0.96 |
//! | a frame grows in the memory of the one before, keys are hashed faster, what was read is handed on in a box | with all above † 0.95 |
//! | all of it, on a busy machine | 0.89: medians of six pairs of 20,000 messages, 147 and 132 µs |
//! | all of it, on a quiet one | 0.87: likewise, 165 and 145 µs; 9,500 and 10,500 messages a second |
//!
//! The last line is with LZ4 at 13.3 µs. With it at 10.9 µs, on a quiet machine: 166, 169 and 169 µs before, 143, 142 and 155 now; 5.4 KB of
//! disk a message. This file's own run then gave 156 µs at 64 connections (164 in the table above), 10,097 messages a second and a p99 of
//! 16 ms: by it the 150 µs wanted are not reached yet. The tables above are from before.
//!
//! # Who is on the way is waited for
//! By `perf stat -e syscalls:sys_enter_fdatasync` of 20,000 messages at 64 connections: 3,675 calls, a sync for every five messages, since
//! one takes less time than reading a few. A batch that waits up to a millisecond for messages that are being read (`store/writer.rs`)
//! makes it 1,330, and 25,900 context switches of 34,700. On a machine that was half as fast as for the tables above, and unsteady, eight
//! pairs at 64 connections: medians of 315 µs before and 296 now, 5,100 and 5,550 messages a second; three more pairs an hour before: 300
//! and 243. At 1, 2 and 8 connections nothing is lost (two pairs each: 474 and 460 µs, 466 and 412, 332 and 278). On a quiet machine it has
//! not been measured yet.
//!
//! # What is moved
//! By `callgrind` a message took 1.03 million instructions (0.65 without SHA-256, which it counts by the slow code). By size, what was moved
//! most: the future that stores a message, 11 KB, twice, since it holds what it was given in its place; the table of LZ4 for a piece of more
//! than 4 KB, 16 KB; records, by value. Now records and what is stored are handed on in boxes, places, paths and short texts of evidence
//! stand in strings without memory of their own (90 pieces fewer of 400), segments are found by comparing three bytes, and the rules of a
//! channel are made field by field. Five rounds of 20,000 messages at 64 connections, in turns, while two builds loaded both cores: medians of
//! 331 µs before waiting for those on the way, 321 with it, 315 now; means of 328, 335 and 300. Not measured on a quiet machine.
//!
//! What came after (answers in words to what is held, who may answer, lists by patient) costs nothing there: three more rounds, in turns on a
//! machine half as fast as a quiet one, gave means of 327, 294 and 295 µs for the first of these, the one before, and the one with it.
//!
//! What is left to gain: what reading more costs; the escaping of text in JSON (5 µs, byte by byte); the table of LZ4 for the referral's
//! record, by keeping that under 4 KB; the log line that each message writes at once (3 %).

use std::{
    fs,
    io::Write,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

const MESSAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bench/referral.hl7");
const CONNECTIONS: [usize; 3] = [1, 8, 64];
/// Connections that fill the store before a measurement.
const FILLING: usize = 64;
/// How long anything may take before the benchmark gives up on it.
const PATIENCE: Duration = Duration::from_secs(600);
/// `/proc/PID/stat` counts CPU time in these.
const TICKS_A_SECOND: u64 = 100;

const DIRECTORY: &str = r#"
[cardiology-desk]
through = "email-out"
name = "Northside Heart Center"
email = "desk@northside-heart.example"
fax = "+15035550141"
specialties = ["Cardiology"]
"#;
const EMAIL_OUT: &str = r#"
[outbound.email]
from = "referrals@loopline.example"
maildir = "mail-out"
"#;

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Route {
    /// Nothing is composed.
    Door,
    /// The request of each referral is composed and mailed.
    Whole,
}

struct Wanted {
    seconds: u64,
    stored: Vec<u64>,
    route: Route,
}

impl Wanted {
    fn of_arguments() -> Result<Self, String> {
        let mut wanted = Self { seconds: 10, stored: vec![0], route: Route::Door };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
            match argument.as_str() {
                "--seconds" => wanted.seconds = number(&value()?)?,
                "--stored" => wanted.stored = value()?.split(',').map(number).collect::<Result<_, _>>()?,
                "--path" => {
                    wanted.route = match value()?.as_str() {
                        "door" => Route::Door,
                        "whole" => Route::Whole,
                        other => return Err(format!("--path is door or whole, not {other}")),
                    }
                }
                // What cargo itself gives to every benchmark.
                "--bench" => {}
                other => return Err(format!("unknown argument {other}: --seconds N, --stored N,N, --path door|whole")),
            }
        }
        Ok(wanted)
    }
}

fn number(text: &str) -> Result<u64, String> {
    text.trim().replace('_', "").parse().map_err(|_| format!("{text} is no number"))
}

/// A site in a folder of its own, taken away at the end.
struct Site {
    folder: tempfile::TempDir,
    address: String,
}

impl Site {
    fn new(route: Route) -> std::io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("loopline-bench-").tempdir()?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let channels = folder.path().join("channels");
        fs::create_dir_all(channels.join("site"))?;
        let routes = match route {
            Route::Door => "by = []\n",
            Route::Whole => {
                "by = [\"specialty\"]\nspecialty.Cardiology = { through = \"email-out\", to = \"cardiology-desk\" }\n"
            }
        };
        let inbound = format!("[inbound.mllp]\nlisten = \"{address}\"\n[route]\n{routes}");
        fs::write(channels.join("hl7-in.toml"), inbound)?;
        if route == Route::Whole {
            fs::write(channels.join("email-out.toml"), EMAIL_OUT)?;
            fs::write(channels.join("site/directory.toml"), DIRECTORY)?;
        }
        Ok(Self { folder, address })
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Starts the engine; gives it with the time until its door is open.
    fn start(&self) -> std::io::Result<(Server, Duration)> {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.folder.path().join("log"))?;
        let began = Instant::now();
        let mut command = Command::new(env!("CARGO_BIN_EXE_loopline"));
        command.arg("--data").arg(self.data()).arg("--channels").arg(self.folder.path().join("channels"));
        command.args(["--log", "json", "run"]).env_remove("RUST_LOG").stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let mut server = Server { child: command.spawn()? };
        while TcpStream::connect(&self.address).is_err() {
            if server.child.try_wait()?.is_some() || began.elapsed() > PATIENCE {
                let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
                return Err(std::io::Error::other(format!("the engine did not start; its log:\n{log}")));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok((server, began.elapsed()))
    }

    fn send(&self, connections: usize, how_long: &[&str]) -> std::io::Result<serde_json::Value> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_loopline"));
        command.args(["send", MESSAGE, "--json", "--to", &self.address, "--connections", &connections.to_string()]);
        let output = command.args(how_long).stderr(Stdio::inherit()).output()?;
        let summary: serde_json::Value = serde_json::from_slice(&output.stdout)?;
        if output.status.success() {
            Ok(summary)
        } else {
            Err(std::io::Error::other(format!("not every message was taken: {summary}")))
        }
    }

    /// Requests that left.
    fn mailed(&self) -> u64 {
        fs::read_dir(self.data().join("mail-out/new")).map_or(0, |entries| entries.count() as u64)
    }
}

/// The engine's process, killed when dropped.
struct Server {
    child: Child,
}

impl Server {
    fn proc(&self, file: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).unwrap_or_default()
    }

    /// User and system time so far.
    fn cpu(&self) -> Duration {
        let stat = self.proc("stat");
        let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let ticks: u64 = after_name.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
        Duration::from_millis(ticks * 1_000 / TICKS_A_SECOND)
    }

    /// A line of `/proc/PID/status`, in KB.
    fn kilobytes(&self, name: &str) -> u64 {
        let status = self.proc("status");
        let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or(0)
    }

    /// Has the highest resident size counted anew.
    fn forget_peak(&self) {
        // Where the kernel does not allow it, the peak is that of the whole life.
        fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5").ok();
    }

    fn stop(mut self) -> std::io::Result<Duration> {
        let process = rustix::process::Pid::from_raw(self.child.id().cast_signed()).ok_or(std::io::ErrorKind::NotFound)?;
        rustix::process::kill_process(process, rustix::process::Signal::TERM)?;
        let began = Instant::now();
        self.child.wait()?;
        Ok(began.elapsed())
    }

    fn kill(mut self) -> std::io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Bytes of the files below a folder.
fn bytes_below(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => bytes_below(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    };
    entries.flatten().map(size).sum()
}

/// What an append of a message's size and its `fdatasync` take on this disk: the median and the 99th percentile.
fn disk_alone(folder: &Path) -> std::io::Result<(Duration, Duration)> {
    let mut file = fs::File::create(folder.join("fdatasync"))?;
    let mut times = Vec::new();
    for _ in 0..500 {
        let began = Instant::now();
        file.write_all(&[7; 4_096])?;
        file.sync_data()?;
        times.push(began.elapsed());
    }
    times.sort_unstable();
    Ok((times[times.len() / 2], times[times.len() * 99 / 100]))
}

#[expect(clippy::cast_precision_loss, reason = "figures for a person")]
fn per(total: u64, count: u64) -> f64 {
    if count == 0 { 0.0 } else { total as f64 / count as f64 }
}

fn say(line: &str) -> std::io::Result<()> {
    writeln!(std::io::stdout(), "{line}")
}

fn measure(wanted: &Wanted, stored: u64) -> std::io::Result<()> {
    let site = Site::new(wanted.route)?;
    let (mut server, empty_start) = site.start()?;
    if stored > 0 {
        let filled = site.send(FILLING, &["--count", &stored.to_string()])?;
        say(&format!("filled with {stored} at {} msg/s", filled["messages_per_second"]))?;
        let stop = server.stop()?;
        let (started, clean) = site.start()?;
        started.kill()?;
        let (started, killed) = site.start()?;
        server = started;
        let disk = per(bytes_below(&site.data()), stored) / 1_000.0;
        say(&format!("stop {stop:.1?}, start {clean:.2?}, start after kill -9 {killed:.2?}, {disk:.2} KB of disk a message"))?;
    } else {
        say(&format!("start {empty_start:.2?}"))?;
    }
    say(&format!("resident at rest {} MB", server.kilobytes("VmRSS") / 1_000))?;
    say("connections     msg/s    p50 ms    p99 ms  CPU µs/msg  peak RSS MB  disk KB/msg  journal KB/msg  backlog")?;
    for connections in CONNECTIONS {
        server.forget_peak();
        let (cpu, disk, journal) = (server.cpu(), bytes_below(&site.data()), bytes_below(&site.data().join("journal")));
        let mailed = site.mailed();
        let summary = site.send(connections, &["--for", &format!("{}s", wanted.seconds)])?;
        let backlog = summary["answered"].as_u64().unwrap_or(0).saturating_sub(site.mailed() - mailed);
        if wanted.route == Route::Whole {
            let began = Instant::now();
            while site.mailed() - mailed < summary["answered"].as_u64().unwrap_or(0) && began.elapsed() < PATIENCE {
                std::thread::sleep(Duration::from_millis(100));
            }
        } else {
            // What the index takes behind the answers counts too.
            std::thread::sleep(Duration::from_secs(1));
        }
        let messages = summary["answered"].as_u64().unwrap_or(0);
        let micros = u64::try_from((server.cpu() - cpu).as_micros()).unwrap_or(u64::MAX);
        let text = |key: &str| summary[key].as_f64().unwrap_or(0.0);
        say(&format!(
            "{connections:>11}  {:>8.0}  {:>8.2}  {:>8.2}  {:>10.0}  {:>11}  {:>11.2}  {:>14.2}  {:>7}",
            text("messages_per_second"),
            text("p50_milliseconds"),
            text("p99_milliseconds"),
            per(micros, messages),
            server.kilobytes("VmHWM") / 1_000,
            per(bytes_below(&site.data()) - disk.min(bytes_below(&site.data())), messages) / 1_000.0,
            per(bytes_below(&site.data().join("journal")) - journal, messages) / 1_000.0,
            if wanted.route == Route::Whole { backlog } else { 0 },
        ))?;
    }
    server.stop().map(drop)
}

fn run(wanted: &Wanted) -> std::io::Result<()> {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let (usual, slow) = disk_alone(tempfile::tempdir()?.path())?;
    say(&format!("{cores} cores; write and fdatasync of 4 KB alone: p50 {usual:.0?}, p99 {slow:.0?}"))?;
    for stored in &wanted.stored {
        say(&format!("\n== {stored} referrals stored before"))?;
        measure(wanted, *stored)?;
    }
    Ok(())
}

fn main() -> ExitCode {
    let done = Wanted::of_arguments().and_then(|wanted| run(&wanted).map_err(|error| error.to_string()));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell where even that cannot be written.
            writeln!(std::io::stderr(), "{error}").ok();
            ExitCode::FAILURE
        }
    }
}
