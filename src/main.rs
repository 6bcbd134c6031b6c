//! The `loopline` program.

use clap::Parser;

#[derive(Parser)]
#[command(name = "loopline")]
enum Command {
    /// Prints what a file would become.
    Try(loopline::commands::try_file::TryFile),
}

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first() {
        Some((command, rest)) if command == "reader-worker" => loopline::commands::reader_worker::run(rest),
        _ => match Command::parse() {
            Command::Try(arguments) => tokio::runtime::Runtime::new()?.block_on(loopline::commands::try_file::run(&arguments)),
        },
    }
}
