//! What the reading of a fax costs beside the recognition that it needs.
//!
//! ```text
//! cargo bench --bench fax_cost -- target/bench-fax/pages/*-typical-*
//! ```
//!
//! Each file is read as the engine reads it, from its bytes to the fields of a referral, on one thread of this process. *Recognition* is the
//! time within Tesseract: the page, its orientation where that is in doubt, and what is read once more. The two are measured side by side, so
//! their ratio holds on a busy machine as well; the seconds are those of a quiet one.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program of its own, that prints")]

use std::{
    os::unix::process::CommandExt as _,
    process::{Command, ExitCode},
    time::Instant,
};

use loopline::{
    normalize::fax::{self, FaxRules},
    protocols::{ocr::Recognizer, pages::Limits},
    reader::read_document,
};

fn main() -> ExitCode {
    let files: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if files.is_empty() {
        // Part of `cargo bench` without a word: the pages have to be made before.
        println!("give it faxes to read: cargo bench --bench fax_cost -- FILE...");
        return ExitCode::SUCCESS;
    }
    // Tesseract asks for it when it is loaded, which was before this line.
    if std::env::var_os("OMP_THREAD_LIMIT").is_none() {
        let itself =
            std::env::current_exe().map(|program| Command::new(program).args(&files).env("OMP_THREAD_LIMIT", "1").exec());
        eprintln!("cannot start anew with OMP_THREAD_LIMIT=1: {}", itself.unwrap_or_else(|error| error));
        return ExitCode::FAILURE;
    }
    match cost(&files) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn cost(files: &[String]) -> Result<(), String> {
    let mut recognizer = Recognizer::new().map_err(|error| error.to_string())?;
    recognizer.load_the_rest().map_err(|error| error.to_string())?;
    let rules = FaxRules::default();
    let (mut pages, recognized_before, began) = (0, recognizer.spent(), Instant::now());
    for file in files {
        let bytes = std::fs::read(file).map_err(|error| format!("{file}: {error}"))?;
        let reading = read_document(&bytes, Limits::default(), &mut recognizer).map_err(|error| format!("{file}: {error}"))?;
        std::hint::black_box(fax::normalize(&reading, &rules));
        pages += reading.pages.len();
    }
    let (whole, recognition) = (began.elapsed().as_secs_f64(), (recognizer.spent() - recognized_before).as_secs_f64());
    let page = |seconds: f64| seconds / pages.max(1) as f64;
    println!("{pages} pages, {:.2} s a page, {:.2} of them recognition", page(whole), page(recognition));
    println!("the whole is {:.2} times the recognition", whole / recognition);
    Ok(())
}
