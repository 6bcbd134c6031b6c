//! The `loopline` program: an enum of commands and a match.
//!
//! # Design notes
//! The allocator is jemalloc. An HL7 message is some 700 small pieces of memory, many of them freed by another thread than the one that
//! made them: with the system's allocator a message takes a fifth more of the processor. It needs a few megabytes more (the figures are in
//! `tests/bench/speed.rs`). It goes by its plain names: the compiler knows those, and makes no zeros by hand where fresh memory has them.
//! With other names the 40 histograms that sled makes and never fills were 21 MB of zeros.

use std::{process::ExitCode, time::Duration};

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use loopline::{
    commands::{check, deliveries, form, messages, print, reader_worker, referrals, run, send, test, try_file},
    config::{Settings, SettingsArgs},
};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// How a process that reads documents for the engine is started.
const READER_WORKER: &str = "reader-worker";
/// The exit status for wrong usage, as clap gives it.
const USAGE: u8 = 2;
/// The exit status for a configuration with mistakes (sysexits.h `EX_CONFIG`).
const CONFIG: u8 = 78;

#[derive(Parser)]
#[command(
    name = "loopline",
    version,
    about = "An integration engine for patient referrals: HL7 v2, faxes and mail in, one record, acknowledgements and confirmation requests out",
    after_help = "Exit status: 0 done; 1 it could not be done (the message says why); 2 wrong usage; 78 mistakes in the configuration."
)]
struct Cli {
    #[command(flatten)]
    settings: SettingsArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the engine until SIGTERM; SIGHUP reads the channels again.
    Run,
    /// Check the settings and every channel file; print every mistake at once.
    Check(check::CheckArgs),
    /// Read one file (HL7, PDF, TIFF, mail) and print what it would become; stores nothing, sends nothing.
    Try(try_file::TryArgs),
    /// Read each channel's samples and compare what they become with what is expected; exit 1 on any difference.
    Test(test::TestArgs),
    /// Draft what the form of a known sender looks like.
    #[command(subcommand)]
    Form(form::FormCommand),
    /// Send HL7 messages over MLLP, once each or as a load.
    Send(send::SendArgs),
    /// List, show and settle referrals.
    #[command(subcommand)]
    Referrals(referrals::ReferralsCommand),
    /// List, show and replay messages.
    #[command(subcommand)]
    Messages(messages::MessagesCommand),
    /// List and retry deliveries.
    #[command(subcommand)]
    Deliveries(deliveries::DeliveriesCommand),
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    // What the engine starts itself as is no command of a person's, and in no help or completion.
    if arguments.next().as_deref() == Some(READER_WORKER) {
        return match reader_worker::run(&arguments.collect::<Vec<_>>()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failed(&error),
        };
    }
    let Cli { settings, command } = Cli::parse();
    match command {
        Command::Check(args) => check::run(args, &settings.sources()),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "loopline", &mut script);
            print::write(&script);
            ExitCode::SUCCESS
        }
        command @ (Command::Run
        | Command::Try(_)
        | Command::Test(_)
        | Command::Form(_)
        | Command::Send(_)
        | Command::Referrals(_)
        | Command::Messages(_)
        | Command::Deliveries(_)) => in_runtime(&settings, command),
    }
}

fn in_runtime(settings: &SettingsArgs, command: Command) -> ExitCode {
    // The load generator leaves the other cores to what it measures.
    let is_send = matches!(command, Command::Send(_));
    let mut runtime =
        if is_send { tokio::runtime::Builder::new_current_thread() } else { tokio::runtime::Builder::new_multi_thread() };
    let runtime = match runtime.enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&anyhow::Error::from(error).context("cannot start the runtime")),
    };
    let exit = runtime.block_on(async {
        let done = match command {
            Command::Run => run::run(&settings.sources()).await,
            Command::Try(args) => try_file::run(args, &settings.sources()).await,
            Command::Test(args) => test::run(args, &settings.sources()).await,
            Command::Form(command) => form::run(command, &settings.sources()).await,
            Command::Send(args) => send::run(args).await,
            Command::Referrals(command) => with_data(settings, async |data| referrals::run(command, data).await).await,
            Command::Messages(command) => with_data(settings, async |data| messages::run(command, data).await).await,
            Command::Deliveries(command) => with_data(settings, async |data| deliveries::run(command, data).await).await,
            Command::Check(_) | Command::Completions { .. } => Ok(ExitCode::from(USAGE)),
        };
        done.unwrap_or_else(|error| failed(&error))
    });
    // A thread that hangs on a network share does not keep the process from ending.
    runtime.shutdown_timeout(Duration::from_secs(1));
    exit
}

/// Runs a command that asks the engine of the data folder in the settings.
async fn with_data(
    settings: &SettingsArgs,
    command: impl AsyncFnOnce(&std::path::Path) -> anyhow::Result<ExitCode>,
) -> anyhow::Result<ExitCode> {
    let settings = Settings::load(&settings.sources())?;
    command(&settings.data).await
}

#[expect(clippy::print_stderr, reason = "a command tells the person at the terminal why it failed")]
fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("loopline: {error:#}");
    if error.is::<loopline::config::ConfigErrors>() { ExitCode::from(CONFIG) } else { ExitCode::FAILURE }
}
