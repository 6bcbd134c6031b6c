//! `loopline messages list | show | export | split | assign | replay | dismiss`: where every message is, and why.

use std::{
    io::{self, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::Value;

use super::{deliveries, pages, print, referrals::word, returned};
use crate::{
    engine::admin::{Request, ask},
    ids::{ChannelName, MessageId},
    message::State,
    normalize::Kind,
    store::MessageFilter,
};

/// `loopline messages`
#[derive(Debug, Subcommand)]
pub enum MessagesCommand {
    /// List messages, newest first.
    List(ListArgs),
    /// Show one message: what it is, what became of it, what it was answered.
    Show(ShowArgs),
    /// Write what a message brought: its bytes as they arrived, or its document as a searchable PDF.
    Export(ExportArgs),
    /// Take a fax apart that holds several documents: as it is proposed, or as you say; each becomes a referral of its own.
    Split(pages::SplitArgs),
    /// Say which referral a held message is about: a reply moves it, a report closes it, a document is put with it.
    Assign(AssignArgs),
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
    #[arg(long, value_parser = word::<State>)]
    state: Option<State>,
    /// Only this kind: referral, reply, report, document, bounce, auto-reply, acknowledgement, batch, refused, unknown.
    #[arg(long, value_parser = word::<Kind>)]
    kind: Option<Kind>,
    /// Only from whoever has this in their name (MSH-3|MSH-4) or address.
    #[arg(long)]
    sender: Option<String>,
    /// Only with this control id (MSH-10) or Message-ID.
    #[arg(long, value_name = "ID")]
    control_id: Option<String>,
    /// Only about this referral, by its reference or id.
    #[arg(long)]
    referral: Option<String>,
    /// Only what arrived then or later: 2026-11-20 or 2026-11-20T08:30.
    #[arg(long, value_name = "WHEN", value_parser = print::since)]
    since: Option<Timestamp>,
    /// Only what arrived before, or on that day.
    #[arg(long, value_name = "WHEN", value_parser = print::until)]
    until: Option<Timestamp>,
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

/// `loopline messages export`
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The message's id.
    id: String,
    /// Its document as a searchable PDF (PDF/A-2b): the pages as scanned, the words that were read behind them.
    #[arg(long)]
    pdf: bool,
    /// Write it to this file, which must not be there yet; absent: to standard output.
    #[arg(long, short)]
    output: Option<PathBuf>,
}

/// `loopline messages assign`
#[derive(Debug, Args)]
pub struct AssignArgs {
    /// The message's id.
    id: String,
    /// The reference (LL-7K3M-Q9XD) or id of the referral.
    referral: String,
    /// Who decides; kept with the message and in the referral's history.
    #[arg(long, env = "USER", default_value = "unknown")]
    by: String,
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
        MessagesCommand::Export(args) => export(args, data).await?,
        MessagesCommand::Replay(args) => {
            let id = id_of(&args.id)?;
            let message = ask(data, &Request::Replay { id }).await?;
            if args.json {
                print::json(&message);
            } else {
                print::say(&format!("message {} is processed again", print::text(&message, "/id")));
            }
        }
        MessagesCommand::Split(args) => {
            let id = id_of(&args.id)?;
            let message = ask(data, &Request::Split { id, documents: args.pages()?, by: args.by }).await?;
            if args.json {
                print::json(&message);
            } else {
                print::say(&format!(
                    "message {} is taken apart; see what became of it: loopline messages show {0}",
                    print::text(&message, "/id")
                ));
            }
        }
        MessagesCommand::Assign(args) => {
            let id = id_of(&args.id)?;
            let message = ask(data, &Request::Assign { id, referral: args.referral, by: args.by }).await?;
            if args.json {
                print::json(&message);
            } else {
                print::say(&format!(
                    "message {} is about {}; see what became of it: loopline messages show {0}",
                    print::text(&message, "/id"),
                    print::text(&message, "/assigned/reference")
                ));
            }
        }
        MessagesCommand::Dismiss(args) => {
            let id = id_of(&args.id)?;
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

fn id_of(text: &str) -> anyhow::Result<MessageId> {
    text.parse().map_err(|_| print::no_id(text, "message", "loopline messages list"))
}

async fn list(args: ListArgs, data: &Path) -> anyhow::Result<()> {
    let filter = MessageFilter {
        channel: args.channel.map(ChannelName::new),
        state: args.state,
        kind: args.kind,
        sender: args.sender,
        control_id: args.control_id,
        referral: None,
        since: args.since,
        until: args.until,
        limit: args.limit,
    };
    let found = ask(data, &Request::Messages { filter, about: args.referral }).await?;
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
            print::text(message, "/sender"),
            print::text(message, "/acknowledgement"),
            print::text(message, "/control_id"),
            print::text(message, "/repeats"),
            message.get("reading").map_or_else(|| print::text(message, "/reason"), read_so_far),
        ]
    });
    let head = ["MESSAGE", "RECEIVED", "CHANNEL", "STATE", "KIND", "SENDER", "ACKNOWLEDGED", "CONTROL ID", "REPEATS", "WHY"];
    let rows: Vec<_> = rows.collect();
    print::table(&head, &rows, "no messages");
    print::more(rows.len(), args.limit);
    Ok(())
}

/// How far the reading of a document is.
fn read_so_far(reading: &Value) -> String {
    format!("it is being read: {} of {} pages are done", print::text(reading, "/page"), print::text(reading, "/pages"))
}

#[expect(clippy::print_stderr, reason = "standard output may be the PDF itself")]
fn warn_of(found: &Value) {
    for problem in found["problems"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        eprintln!("not all of it is in the copy: {problem}");
    }
}

async fn export(args: ExportArgs, data: &Path) -> anyhow::Result<()> {
    let id = id_of(&args.id)?;
    if args.output.is_none() && args.pdf && io::stdout().is_terminal() {
        anyhow::bail!("a PDF is nothing for a terminal: name a file by --output, or redirect the output");
    }
    let bytes = if args.pdf {
        let found = ask(data, &Request::SearchablePdf { id }).await?;
        warn_of(&found);
        print::decoded(&found, "/pdf")?
    } else {
        print::decoded(&ask(data, &Request::Message { id, raw: true }).await?, "/raw")?
    };
    print::exported(&bytes, args.output.as_deref())
}

async fn show(args: ShowArgs, data: &Path) -> anyhow::Result<()> {
    let id = id_of(&args.id)?;
    if let Some(number) = args.image {
        let found = ask(data, &Request::Image { id, number }).await?;
        return Ok(io::stdout().write_all(&print::decoded(&found, "/image")?)?);
    }
    let found = ask(data, &Request::Message { id, raw: args.raw }).await?;
    if args.raw {
        io::stdout().write_all(&print::decoded(&found, "/raw")?)?;
    } else if args.json {
        print::json(&found);
    } else {
        let fields = found["message"].as_object().into_iter().flatten();
        let rows = fields
            .filter(|(name, _)| !["problems", "returned", "pages", "split", "assigned"].contains(&name.as_str()))
            .map(|(name, _)| match name.as_str() {
                "referrals" => vec!["referrals".to_owned(), print::text(&found, "/references")],
                name => vec![name.to_owned(), print::text(&found["message"], &format!("/{name}"))],
            });
        print::table(&["FIELD", "VALUE"], &rows.collect::<Vec<_>>(), "nothing");
        if let Some(reading) = found.get("reading") {
            print::say(&read_so_far(reading));
        }
        for problem in found["message"]["problems"].as_array().into_iter().flatten() {
            print::say(&format!("problem: {} {}", print::text(problem, "/field"), print::text(problem, "/message")));
        }
        if found["message"]["assigned"].is_object() {
            let [reference, by] = ["/assigned/reference", "/assigned/by"].map(|pointer| print::text(&found["message"], pointer));
            print::say(&format!("assigned to {reference} by {by}"));
        }
        for step in next_steps(&found["message"]) {
            print::say(&format!("  next: {step}"));
        }
        pages::show(&found["message"]);
        returned::show(&found["message"]);
        if let Some(Value::String(answer)) = found.get("answer") {
            print::say(&format!("\nanswered:\n{answer}"));
        }
        let told: Vec<Vec<String>> = found["told"].as_array().into_iter().flatten().map(deliveries::row).collect();
        if !told.is_empty() {
            print::say("its sender was told, or is to be:");
            print::table(&deliveries::HEAD, &told, "");
        }
    }
    Ok(())
}

/// What a person does about a held message that may belong to a referral.
fn next_steps(message: &Value) -> Vec<String> {
    let kind = serde_json::from_value::<Kind>(message["kind"].clone()).ok();
    let may_belong = matches!(kind, Some(Kind::Reply | Kind::Report | Kind::Document | Kind::Unknown));
    let is_several = message["pages"].as_array().into_iter().flatten().any(|page| page["document"].as_u64() > Some(1));
    if message["state"] != "held" || !may_belong || is_several {
        return Vec::new();
    }
    let id = print::text(message, "/id");
    vec![
        format!("say which referral it is about: loopline messages assign {id} REFERENCE"),
        format!("or, where it asks for nothing, take it off the list: loopline messages dismiss {id}"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_id_is_told_with_what_one_looks_like_and_where_they_are_listed() {
        let told = id_of("XX").unwrap_err().to_string();
        assert!(
            told.starts_with("XX is no message id: one has 26 letters and digits") && told.contains("loopline messages list"),
            "{told}"
        );
        let example = told.split(", such as ").nth(1).and_then(|rest| rest.split(';').next()).unwrap();
        assert!(id_of(example).is_ok(), "{example}");
    }
}
