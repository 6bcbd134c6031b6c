//! `loopline messages list | show | replay | dismiss`: where every message is, and why.

use std::{io::Write as _, path::Path, process::ExitCode};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde_json::Value;

use super::{print, referrals::word, returned};
use crate::{
    engine::admin::{Request, ask},
    ids::ChannelName,
};

/// `loopline messages`
#[derive(Debug, Subcommand)]
pub enum MessagesCommand {
    /// List messages, newest first.
    List(ListArgs),
    /// Show one message: what it is, what became of it, what it was answered.
    Show(ShowArgs),
    /// Process a message again; what it made before is changed, not made twice, and it is not acknowledged again.
    Replay(ReplayArgs),
    /// Take a held or failed message off the list: a person looked, and it asks for nothing.
    Dismiss(ReplayArgs),
}

/// `loopline messages list`
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only this channel.
    #[arg(long)]
    channel: Option<String>,
    /// Only this state: received, processed, held, failed.
    #[arg(long)]
    state: Option<String>,
    /// At most so many; 0: all.
    #[arg(long, default_value_t = 50)]
    limit: usize,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// `loopline messages show`
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The message's id.
    id: String,
    /// Print the bytes as they arrived, and nothing else.
    #[arg(long, conflicts_with = "json")]
    raw: bool,
    /// Print one image of a page of ours that came back, as a PNG, and nothing else: a whole page, or what is written in a blank.
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["json", "raw"])]
    image: Option<usize>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// `loopline messages replay`
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// The message's id.
    id: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Runs it against the engine of this data folder.
///
/// # Errors
/// No engine runs there, or it said no.
pub async fn run(command: MessagesCommand, data: &Path) -> anyhow::Result<ExitCode> {
    match command {
        MessagesCommand::List(args) => list(args, data).await?,
        MessagesCommand::Show(args) => show(args, data).await?,
        MessagesCommand::Replay(args) => {
            let id = args.id.parse().with_context(|| format!("{} is no message id", args.id))?;
            let message = ask(data, &Request::Replay { id }).await?;
            if args.json {
                print::json(&message);
            } else {
                print::say(&format!("message {} is processed again", print::text(&message, "/id")));
            }
        }
        MessagesCommand::Dismiss(args) => {
            let id = args.id.parse().with_context(|| format!("{} is no message id", args.id))?;
            let message = ask(data, &Request::Dismiss { id }).await?;
            if args.json {
                print::json(&message);
            } else {
                print::say(&format!("message {} is off the list", print::text(&message, "/id")));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(args: ListArgs, data: &Path) -> anyhow::Result<()> {
    let state = args.state.as_deref().map(|text| word("state", text)).transpose()?;
    let request = Request::Messages { channel: args.channel.map(ChannelName::new), state, limit: args.limit };
    let found = ask(data, &request).await?;
    if args.json {
        print::json(&found);
        return Ok(());
    }
    let rows = found.as_array().into_iter().flatten().map(|message| {
        vec![
            print::text(message, "/id"),
            print::time(message, "/received_at"),
            print::text(message, "/channel"),
            print::text(message, "/state"),
            print::text(message, "/kind"),
            print::text(message, "/acknowledgement"),
            print::text(message, "/control_id"),
            print::text(message, "/repeats"),
            print::text(message, "/reason"),
        ]
    });
    let head = ["MESSAGE", "RECEIVED", "CHANNEL", "STATE", "KIND", "ACKNOWLEDGED", "CONTROL ID", "REPEATS", "WHY"];
    let rows: Vec<_> = rows.collect();
    print::table(&head, &rows, "no messages");
    print::more(rows.len(), args.limit);
    Ok(())
}

async fn show(args: ShowArgs, data: &Path) -> anyhow::Result<()> {
    use base64::Engine as _;
    let id = args.id.parse().with_context(|| format!("{} is no message id", args.id))?;
    if let Some(number) = args.image {
        let found = ask(data, &Request::Image { id, number }).await?;
        let bytes = base64::engine::general_purpose::STANDARD.decode(print::text(&found, "/image"))?;
        std::io::stdout().write_all(&bytes)?;
        return Ok(());
    }
    let found = ask(data, &Request::Message { id, raw: args.raw }).await?;
    if args.raw {
        let bytes = base64::engine::general_purpose::STANDARD.decode(print::text(&found, "/raw"))?;
        std::io::stdout().write_all(&bytes)?;
    } else if args.json {
        print::json(&found);
    } else {
        let fields = found["message"].as_object().into_iter().flatten();
        let rows = fields
            .filter(|(name, _)| *name != "problems" && *name != "returned")
            .map(|(name, _)| vec![name.clone(), print::text(&found["message"], &format!("/{name}"))]);
        print::table(&["FIELD", "VALUE"], &rows.collect::<Vec<_>>(), "nothing");
        for problem in found["message"]["problems"].as_array().into_iter().flatten() {
            print::say(&format!("problem: {} {}", print::text(problem, "/field"), print::text(problem, "/message")));
        }
        returned::show(&found["message"]);
        if let Some(Value::String(answer)) = found.get("answer") {
            print::say(&format!("\nanswered:\n{answer}"));
        }
    }
    Ok(())
}
