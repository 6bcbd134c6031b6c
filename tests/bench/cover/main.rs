//! How well our own pages are read when they come back by fax: printed, ticked, copied badly, and read by the real reader process.
//!
//! `cargo bench --bench cover` prints a table; everything is drawn from a seed. With arguments behind `--`:
//!
//! ```text
//! --pages N        references a level (100)      --seed N        another set of pages (1)
//! --level A,B      only these levels               --keep FOLDER   write the files there, to look at them
//! --scale SHARE    shrink every page; 0.834 makes the QR code 30 mm
//! ```
//!
//! Every fifth page lies upside down, every third bears the sending machine's line on top, a third is askew by up to five degrees, and
//! all are shrunk to between 93 and 100 %. They are stored as TIFF in Group 4 and Group 3, and as PDF, in turn.
//!
//! The columns: how each reference was found (the token in the QR code, the bar code or print, not at all, another one); each box that
//! was ticked or left empty: told right, left to a person, told wrong; the least ink in a ticked and the most in an empty one; whether each page's outcome is right, left to a person, wrong;
//! whether writing was seen, and seen where there is none.
#![expect(clippy::print_stdout, clippy::print_stderr, unreachable_pub, reason = "a program of its own, that prints")]

mod file;
mod pages;
mod press;

use std::{path::PathBuf, process::ExitCode, time::Instant};

use futures::StreamExt as _;
use loopline::{
    compose::cover_page::layout,
    normalize::fax::{self, FaxRules},
    reader::{ReaderOptions, ReaderPool},
    referral::{Reply, ReplyOutcome, ReturnedPage, Tick},
};

use self::{pages::Sent, press::Level};

const LEVELS: [Level; 5] = [Level::Clean, Level::Typical, Level::Poor, Level::Standard, Level::PoorStandard];

struct Wanted {
    pages: u64,
    seed: u64,
    levels: Vec<Level>,
    scale: Option<f32>,
    keep: Option<PathBuf>,
}

impl Wanted {
    fn of_arguments() -> Result<Self, String> {
        let mut wanted = Self { pages: 100, seed: 1, levels: LEVELS.to_vec(), scale: None, keep: None };
        let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{name}: a value is missing"))?;
            let wrong = || format!("{name}: {value} is none");
            match name.as_str() {
                "--pages" => wanted.pages = value.parse().map_err(|_| wrong())?,
                "--seed" => wanted.seed = value.parse().map_err(|_| wrong())?,
                "--scale" => wanted.scale = Some(value.parse().map_err(|_| wrong())?),
                "--keep" => wanted.keep = Some(value.into()),
                "--level" => wanted.levels.retain(|level| value.split(',').any(|name| level.as_str() == name)),
                _ => return Err(format!("{name} is no argument: --pages, --seed, --level, --scale, --keep")),
            }
        }
        if wanted.levels.is_empty() { Err("there is no such level".to_owned()) } else { Ok(wanted) }
    }
}

#[derive(Default)]
struct Score {
    by_token: u32,
    otherwise: u32,
    missing: u32,
    wrong: u32,
    ticks: [u32; 3],
    outcomes: [u32; 3],
    written: [u32; 3],
    /// The least ink in a box that was ticked, and the most in one that was not.
    faintest: f32,
    darkest: f32,
    seconds: f64,
}

const RIGHT: usize = 0;
const LEFT_TO_PERSON: usize = 1;
const WRONG: usize = 2;

impl Score {
    fn count(&mut self, sent: &Sent, reply: Option<&Reply>) {
        let mut remarks = Vec::new();
        let Some(reply) = reply else {
            self.missing += 1;
            self.outcomes[LEFT_TO_PERSON] += 1;
            eprintln!("{}: no reference was found", sent.name);
            return;
        };
        if reply.reference.as_deref() != Some(sent.reference.as_str()) {
            self.wrong += 1;
            remarks.push("another reference".to_owned());
        } else if reply.matched_by.as_deref() == Some("token") {
            self.by_token += 1;
        } else {
            self.otherwise += 1;
            remarks.push(format!("known by its {}", reply.matched_by.as_deref().unwrap_or_default()));
        }
        match &reply.page {
            Some(page) if page.form.is_some() => {
                self.count_boxes(sent, page, &mut remarks);
                self.count_writing(sent, page, &mut remarks);
            }
            Some(_) | None => remarks.push("its boxes were not found".to_owned()),
        }
        let waits = reply.page.as_ref().is_some_and(|page| page.to_read.is_some());
        let told = match reply.outcome {
            outcome if outcome == sent.case.outcome && waits == sent.case.waits => RIGHT,
            ReplyOutcome::Unclear => LEFT_TO_PERSON,
            outcome if outcome == sent.case.outcome && waits => LEFT_TO_PERSON,
            _ => WRONG,
        };
        self.outcomes[told] += 1;
        if told != RIGHT {
            remarks.push(format!("{:?} for {:?}", reply.outcome, sent.case.outcome));
        }
        if !remarks.is_empty() {
            eprintln!("{}: {}", sent.name, remarks.join("; "));
        }
    }

    fn count_boxes(&mut self, sent: &Sent, page: &ReturnedPage, remarks: &mut Vec<String>) {
        for one in &page.boxes {
            let ticked = sent.case.ticks.contains(&one.name.as_str());
            let told = match (one.tick, ticked) {
                (Tick::Ticked, true) | (Tick::Empty, false) => RIGHT,
                (Tick::Unclear, _) => LEFT_TO_PERSON,
                (Tick::Ticked, false) | (Tick::Empty, true) => WRONG,
            };
            self.ticks[told] += 1;
            if ticked {
                self.faintest = self.faintest.min(one.ink);
            } else {
                self.darkest = self.darkest.max(one.ink);
            }
            if told != RIGHT {
                remarks.push(format!("{} is {:?} at {}", one.name, one.tick, one.ink));
            }
        }
    }

    fn count_writing(&mut self, sent: &Sent, page: &ReturnedPage, remarks: &mut Vec<String>) {
        for (name, _) in layout::BLANKS.iter().chain(&layout::BESIDE) {
            // What a ticked box asks for is shown, whether it is there or not.
            let asked = match *name {
                "appointment-date" | "appointment-time" => sent.case.ticks.contains(&"appointment-yes"),
                "declined-reason" => sent.case.ticks.contains(&"appointment-declined"),
                _ => false,
            };
            let seen = page.writing.iter().any(|written| written.name == *name);
            match (sent.case.writes.contains(name) || asked, seen) {
                (true, true) => self.written[RIGHT] += 1,
                (true, false) => {
                    self.written[WRONG] += 1;
                    remarks.push(format!("writing in {name} was not seen"));
                }
                (false, true) => {
                    self.written[LEFT_TO_PERSON] += 1;
                    remarks.push(format!("writing in {name}, where there is none"));
                }
                (false, false) => {}
            }
        }
    }

    fn row(&self, level: &str, pages: u64) -> String {
        let three = |counts: [u32; 3]| format!("{:>5} {:>6} {:>5}", counts[RIGHT], counts[LEFT_TO_PERSON], counts[WRONG]);
        format!(
            "{level:<14} {pages:>5} | {:>5} {:>5} {:>4} {:>5} | {} | {:>5.2} {:>5.2} | {} | {:>4} {:>6} {:>6} | {:>5.2}",
            self.by_token,
            self.otherwise,
            self.missing,
            self.wrong,
            three(self.ticks),
            self.faintest,
            self.darkest,
            three(self.outcomes),
            self.written[RIGHT],
            self.written[WRONG],
            self.written[LEFT_TO_PERSON],
            self.seconds / pages.max(1) as f64,
        )
    }
}

async fn measure(wanted: &Wanted, level: Level, pool: &ReaderPool) -> Score {
    let rules = FaxRules { key: Some(pages::key()), ..FaxRules::default() };
    let began = Instant::now();
    let mut score = Score { faintest: 1.0, ..Score::default() };
    let read = futures::stream::iter(0..wanted.pages).map(|number| {
        let pool = pool.clone();
        async move {
            let sent = pages::send(wanted.seed, level, number, wanted.scale);
            if let Some(folder) = &wanted.keep {
                std::fs::write(folder.join(&sent.name), &sent.file).expect("the folder can be written");
            }
            let reading = pool.read(sent.file.clone()).await;
            (sent, reading)
        }
    });
    let mut read = read.buffered(2);
    while let Some((sent, reading)) = read.next().await {
        let outcome = reading.map(|reading| fax::normalize(&reading, &rules));
        match outcome {
            Ok(outcome) => score.count(&sent, outcome.reply.as_ref()),
            Err(error) => {
                eprintln!("{}: {error}", sent.name);
                score.count(&sent, None);
            }
        }
    }
    score.seconds = began.elapsed().as_secs_f64();
    score
}

fn main() -> ExitCode {
    let wanted = match Wanted::of_arguments() {
        Ok(wanted) => wanted,
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::from(2);
        }
    };
    if let Some(folder) = &wanted.keep {
        std::fs::create_dir_all(folder).expect("the folder can be made");
    }
    let options = ReaderOptions { executable: env!("CARGO_BIN_EXE_loopline").into(), ..ReaderOptions::default() };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("threads can be started");
    println!(
        "               pages |  reference found by...   |      boxes told     |     ink     |    outcomes told    |   writing          | seconds"
    );
    println!(
        "level                | token other none wrong | right unclear wrong | tick  empty | right person wrong  | seen missed unreal | a page"
    );
    let mut wrong = 0;
    for level in &wanted.levels {
        let score = runtime.block_on(async {
            let pool = ReaderPool::new(options.clone());
            measure(&wanted, *level, &pool).await
        });
        println!("{}", score.row(level.as_str(), wanted.pages));
        wrong += score.wrong + score.ticks[WRONG] + score.outcomes[WRONG];
    }
    if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
