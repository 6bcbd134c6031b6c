//! `loopline deliveries list | show | retry | skip | edit`: what is owed to whom, why it is not there yet, and what a person does about it.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use base64::Engine as _;
use clap::{Args, Subcommand};
use serde_json::Value;

use super::{print, referrals::word};
use crate::{
    delivery::DeliveryState,
    engine::admin::{Request, ask},
    ids::{ChannelName, DeliveryId},
    store::DeliveryFilter,
};

/// `loopline deliveries`
#[derive(Debug, Subcommand)]
pub enum DeliveriesCommand {
    /// List deliveries, newest first.
    List(ListArgs),
    /// Show one, with the HL7 message it sends.
    Show(ShowArgs),
    /// Try one again now that is dead or waits for its next attempt.
    Retry(RetryArgs),
    /// Never send it: what waits behind it in the line goes on.
    Skip(ShowArgs),
    /// Send other bytes in its place: save the message that `show` prints, mend it, and name the file here.
    Edit(EditArgs),
}

/// `loopline deliveries list`
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only this state: queued, in-flight, sent, dead, withdrawn.
    #[arg(long, value_parser = word::<DeliveryState>)]
    state: Option<DeliveryState>,
    /// Only through this outbound channel.
    #[arg(long)]
    through: Option<String>,
    /// Only of this referral, by its reference or id.
    #[arg(long)]
    referral: Option<String>,
    /// At most so many; 0: all.
    #[arg(long, default_value_t = 50)]
    limit: usize,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// `loopline deliveries show` and `skip`
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The delivery's id.
    id: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// `loopline deliveries edit`
#[derive(Debug, Args)]
pub struct EditArgs {
    /// The delivery's id.
    id: String,
    /// The HL7 message to send; `-`: standard input. It gets a control id of its own.
    file: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// `loopline deliveries retry`
#[derive(Debug, Args)]
pub struct RetryArgs {
    /// The delivery's id.
    id: String,
    /// Write it anew from the referral as it stands; otherwise the same bytes are sent again.
    #[arg(long)]
    anew: bool,
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
            let through = args.through.map(ChannelName::new);
            let filter = DeliveryFilter { state: args.state, referral: None, through, limit: args.limit };
            let found = ask(data, &Request::Deliveries { filter, about: args.referral }).await?;
            if args.json {
                print::json(&found);
            } else {
                let rows: Vec<Vec<String>> = found.as_array().into_iter().flatten().map(row).collect();
                print::table(&HEAD, &rows, "no deliveries");
                print::more(rows.len(), args.limit);
            }
        }
        DeliveriesCommand::Show(args) => {
            let found = ask(data, &Request::Delivery { id: id_of(&args.id)? }).await?;
            if args.json {
                print::json(&found);
            } else {
                let delivery = found.get("delivery").unwrap_or(&Value::Null);
                print::table(&HEAD, &[row(delivery)], "no delivery");
                // As it goes out, but for its line ends.
                print::say(&print::text(&found, "/message").replace('\r', "\n"));
            }
        }
        DeliveriesCommand::Retry(args) => {
            let delivery = ask(data, &Request::RetryDelivery { id: id_of(&args.id)?, anew: args.anew }).await?;
            done(&delivery, args.json, "is queued again");
        }
        DeliveriesCommand::Skip(args) => {
            let delivery = ask(data, &Request::SkipDelivery { id: id_of(&args.id)? }).await?;
            done(&delivery, args.json, "is skipped: it is never sent");
        }
        DeliveriesCommand::Edit(args) => {
            let bytes = read(&args.file)?;
            let message = base64::engine::general_purpose::STANDARD.encode(bytes);
            let delivery = ask(data, &Request::EditDelivery { id: id_of(&args.id)?, message }).await?;
            done(&delivery, args.json, "is queued with the edited message");
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn id_of(text: &str) -> anyhow::Result<DeliveryId> {
    text.parse().map_err(|_| print::no_id(text, "delivery", "loopline deliveries list"))
}

fn done(delivery: &Value, as_json: bool, what: &str) {
    if as_json {
        print::json(delivery);
    } else {
        print::say(&format!("delivery {} {what}", print::text(delivery, "/id")));
    }
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    if file == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes).context("cannot read standard input")?;
        return Ok(bytes);
    }
    std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}

pub(super) fn row(delivery: &Value) -> Vec<String> {
    // A mail that left and came back has both.
    let is_sent = print::text(delivery, "/state") == "sent";
    let behind = print::text(delivery, "/waits_behind");
    let when = match (print::time(delivery, "/sent_at"), print::text(delivery, "/reason")) {
        _ if !behind.is_empty() => format!("waits behind {behind}"),
        (sent, reason) if !sent.is_empty() && (is_sent || reason.is_empty()) => sent,
        (_, reason) if !reason.is_empty() && print::text(delivery, "/state") == "queued" => {
            format!("{reason}; next try {}", print::time(delivery, "/due_at"))
        }
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_delivery_that_came_back_is_listed_with_why() {
        let why = |state: &str| {
            let delivery = json!({
                "state": state, "due_at": "2026-11-20T10:00:00Z", "sent_at": "2026-11-20T10:00:00Z", "reason": "the mail came back"
            });
            row(&delivery).pop().unwrap()
        };
        assert_eq!(why("dead"), "the mail came back");
        assert!(why("sent").starts_with("2026-11-20"));
        assert!(why("queued").starts_with("the mail came back; next try 2026-11-20"), "{}", why("queued"));
        let waits = json!({"state": "queued", "due_at": "2026-11-20T10:00:00Z", "waits_behind": "01M8"});
        assert_eq!(row(&waits).pop().unwrap(), "waits behind 01M8");
    }
}
