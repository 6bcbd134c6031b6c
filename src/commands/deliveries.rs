//! `loopline deliveries list | retry`: what is owed to whom, and why it is not there yet.

use std::{path::Path, process::ExitCode};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde_json::Value;

use super::{print, referrals::word};
use crate::engine::admin::{Request, ask};

/// `loopline deliveries`
#[derive(Debug, Subcommand)]
pub enum DeliveriesCommand {
    /// List deliveries, newest first.
    List(ListArgs),
    /// Try a dead delivery again.
    Retry(RetryArgs),
}

/// `loopline deliveries list`
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only this state: queued, in-flight, sent, dead, withdrawn.
    #[arg(long)]
    state: Option<String>,
    /// At most so many; 0: all.
    #[arg(long, default_value_t = 50)]
    limit: usize,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// `loopline deliveries retry`
#[derive(Debug, Args)]
pub struct RetryArgs {
    /// The delivery's id.
    id: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) const HEAD: [&str; 7] = ["DELIVERY", "PURPOSE", "THROUGH", "TO", "STATE", "ATTEMPTS", "WHEN / WHY"];

/// Runs it against the engine of this data folder.
///
/// # Errors
/// No engine runs there, or it said no.
pub async fn run(command: DeliveriesCommand, data: &Path) -> anyhow::Result<ExitCode> {
    match command {
        DeliveriesCommand::List(args) => {
            let state = args.state.as_deref().map(|text| word("state", text)).transpose()?;
            let found = ask(data, &Request::Deliveries { state, limit: args.limit }).await?;
            if args.json {
                print::json(&found);
            } else {
                let rows: Vec<Vec<String>> = found.as_array().into_iter().flatten().map(row).collect();
                print::table(&HEAD, &rows, "no deliveries");
                print::more(rows.len(), args.limit);
            }
        }
        DeliveriesCommand::Retry(args) => {
            let id = args.id.parse().with_context(|| format!("{} is no delivery id", args.id))?;
            let delivery = ask(data, &Request::RetryDelivery { id }).await?;
            if args.json {
                print::json(&delivery);
            } else {
                print::say(&format!("delivery {} is queued again", print::text(&delivery, "/id")));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn row(delivery: &Value) -> Vec<String> {
    let when = match (print::time(delivery, "/sent_at"), print::text(delivery, "/reason")) {
        (sent, _) if !sent.is_empty() => sent,
        (_, reason) if !reason.is_empty() => reason,
        _ => format!("due {}", print::time(delivery, "/due_at")),
    };
    vec![
        print::text(delivery, "/id"),
        print::text(delivery, "/purpose"),
        print::text(delivery, "/through"),
        print::text(delivery, "/to"),
        print::text(delivery, "/state"),
        print::text(delivery, "/attempts"),
        when,
    ]
}
