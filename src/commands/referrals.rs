//! `loopline referrals list | show | export | settle`: the coordinator's list.

use std::{
    io::{self, IsTerminal as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{print, returned};
use crate::{
    engine::{
        admin::{Request, ask},
        settle::Act,
    },
    ids::ChannelName,
    referral::{HeldReason, ReplyOutcome, Status},
    store::ReferralFilter,
};

/// `loopline referrals`
#[derive(Debug, Subcommand)]
pub enum ReferralsCommand {
    /// List referrals, newest first.
    List(ListArgs),
    /// Show one referral: what is known, what must be looked at, what happened, what is owed.
    Show(ShowArgs),
    /// Write an attachment of a referral: a document that came in a message, a page of a fax, a file of a mail.
    Export(ExportArgs),
    /// Do what a person decided: confirm, correct, route, read a reply, merge or reject.
    Settle(SettleArgs),
}

/// `loopline referrals list`
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only those that wait for a person: held, or declined, or lacking something, or to be cancelled.
    #[arg(long)]
    held: bool,
    /// Only this status: new, requested, confirmed, accepted, needs-information, declined, redirected, scheduled, no-show, completed, closed,
    /// cancel-requested, cancelled, expired.
    #[arg(long, value_parser = word::<Status>)]
    status: Option<Status>,
    /// Only where these words are in the patient's name, birth date (1958-03-07) or numbers.
    #[arg(long, value_name = "WORDS")]
    patient: Option<String>,
    /// Only with this number: the sender's (such as RF1-6), ours, the patient's, of the authorization.
    #[arg(long)]
    number: Option<String>,
    /// Only of which something came by this channel.
    #[arg(long)]
    channel: Option<String>,
    /// Only those that came then or later: 2026-11-20 or 2026-11-20T08:30.
    #[arg(long, value_name = "WHEN", value_parser = print::since)]
    since: Option<Timestamp>,
    /// Only those that came before, or on that day.
    #[arg(long, value_name = "WHEN", value_parser = print::until)]
    until: Option<Timestamp>,
    /// At most so many; 0: all.
    #[arg(long, default_value_t = 50)]
    limit: usize,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// `loopline referrals show`
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Its reference (LL-7K3M-Q9XD) or id.
    id: String,
    /// As it was in this version, of which each change makes one.
    #[arg(long, value_name = "NUMBER")]
    version: Option<u64>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// `loopline referrals export`
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Its reference (LL-7K3M-Q9XD) or id.
    id: String,
    /// Which attachment, as `show` numbers them.
    #[arg(default_value_t = 1)]
    number: usize,
    /// Write it to this file, which must not be there yet; absent: to standard output.
    #[arg(long, short)]
    output: Option<PathBuf>,
}

/// `loopline referrals settle`
#[derive(Debug, Args)]
pub struct SettleArgs {
    /// Its reference (LL-7K3M-Q9XD) or id.
    id: String,
    /// Who decides; kept in the history.
    #[arg(long, env = "USER", default_value = "unknown", global = true)]
    by: String,
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,
    /// What is decided.
    #[command(subcommand)]
    act: SettleCommand,
}

#[derive(Debug, Subcommand)]
enum SettleCommand {
    /// The fields are right as they were read; none named: all, it is no duplicate, and it may go on.
    ///
    /// Not while a reply waits: say what that means first, by `reply`, or put it aside, by `set-aside`.
    Confirm {
        /// Paths as `show` lists them under review.
        fields: Vec<String>,
    },
    /// Set fields: `patient.birth_date=1934-11-01 priority=urgent`.
    Correct {
        /// PATH=VALUE
        #[arg(required = true)]
        fields: Vec<String>,
    },
    /// Send it to this entry of the directory.
    Route {
        /// The entry's name in channels/site/directory.toml.
        to: String,
    },
    /// Say what a reply means that the engine could not read.
    Reply {
        /// received, not-received, accepted, scheduled, appointment-cancelled, cancelled, declined, needs-information, redirected, completed,
        /// no-show, patient-declined, patient-unreachable, wrong-recipient
        #[arg(value_parser = word::<ReplyOutcome>)]
        outcome: ReplyOutcome,
        /// The appointment: 2026-12-14T10:30 or 2026-12-14.
        #[arg(long)]
        at: Option<String>,
    },
    /// The reply that waits longest says nothing that moves the referral.
    SetAside,
    /// It is the same referral as another one, which stays.
    Merge {
        /// The reference or id of the one that stays.
        into: String,
        /// Merge even where name, birth date or number say that they are two patients.
        #[arg(long)]
        patients_differ: bool,
    },
    /// It is no referral, or not ours; nothing further is sent.
    Reject {
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// It was cancelled or closed, or shall be cancelled, and is open again.
    Reopen,
}

/// Runs it against the engine of this data folder.
///
/// # Errors
/// No engine runs there, or it said no.
pub async fn run(command: ReferralsCommand, data: &Path) -> anyhow::Result<ExitCode> {
    match command {
        ReferralsCommand::List(args) => list(args, data).await?,
        ReferralsCommand::Show(args) => {
            let found = ask(data, &Request::Referral { id: args.id, version: args.version }).await?;
            if args.json { print::json(&found) } else { show(&found) }
        }
        ReferralsCommand::Export(args) => export(args, data).await?,
        ReferralsCommand::Settle(args) => settle(args, data).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn export(args: ExportArgs, data: &Path) -> anyhow::Result<()> {
    let found = ask(data, &Request::Attachment { id: args.id, number: args.number }).await?;
    let kind = print::text(&found, "/media_type");
    if args.output.is_none() && io::stdout().is_terminal() {
        anyhow::bail!("what others wrote ({kind}) is nothing for a terminal: name a file by --output, or redirect the output");
    }
    print::exported(&print::decoded(&found, "/attachment")?, args.output.as_deref())
}

/// Reads one of the words that the JSON uses; the error names those there are.
pub(super) fn word<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_value(Value::String(text.to_owned())).map_err(|error| {
        let error = error.to_string();
        error.split_once("expected one of ").map_or(error.clone(), |(_, words)| format!("it is one of {words}"))
    })
}

async fn list(args: ListArgs, data: &Path) -> anyhow::Result<()> {
    let filter = ReferralFilter {
        status: args.status,
        held: None,
        waiting: args.held,
        patient: args.patient,
        number: args.number,
        channel: args.channel.map(ChannelName::new),
        since: args.since,
        until: args.until,
        limit: args.limit,
    };
    let found = ask(data, &Request::Referrals { filter }).await?;
    if args.json {
        print::json(&found);
        return Ok(());
    }
    let rows: Vec<Vec<String>> = found.as_array().into_iter().flatten().map(row).collect();
    print::table(
        &["REFERENCE", "STATUS", "HELD FOR", "PRIORITY", "PATIENT", "BORN", "TO", "CAME BY", "SINCE"],
        &rows,
        "no referrals",
    );
    print::more(rows.len(), args.limit);
    Ok(())
}

fn row(referral: &Value) -> Vec<String> {
    let name = format!("{} {}", print::text(referral, "/patient/name/given"), print::text(referral, "/patient/name/family"));
    let to = ["/referred_to/organization", "/referred_to/specialty", "/referred_to/name/family"]
        .iter()
        .map(|pointer| print::text(referral, pointer))
        .find(|text| !text.is_empty());
    vec![
        print::text(referral, "/reference"),
        print::text(referral, "/status"),
        print::text(referral, "/held"),
        print::text(referral, "/priority"),
        name.trim().to_owned(),
        print::text(referral, "/patient/birth_date"),
        to.unwrap_or_default(),
        print::text(referral, "/sources/0/channel"),
        print::time(referral, "/sources/0/received_at"),
    ]
}

/// The parts of a referral that are shown, in their order.
const SECTIONS: [&str; 10] = [
    "priority",
    "patient",
    "insurance",
    "authorization",
    "referring",
    "referred_to",
    "request",
    "appointment",
    "further_appointments",
    "notes",
];

fn show(found: &Value) {
    let referral = &found["referral"];
    let [reference, status, version] = ["/reference", "/status", "/version"].map(|pointer| print::text(referral, pointer));
    print::say(&format!("{reference}  {status}  version {version} (another one: --version NUMBER)"));
    let held = print::text(referral, "/held");
    if !held.is_empty() {
        print::say(&format!("held for a person: {held}"));
    }
    for step in next_steps(referral) {
        print::say(&format!("  next: {step}"));
    }
    let mut leaves = Vec::new();
    for section in SECTIONS {
        flatten(section, &referral[section], &mut leaves);
    }
    let review: Vec<&str> = referral["review"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut rows: Vec<Vec<String>> = leaves
        .into_iter()
        .map(|(path, value)| {
            let mark = if review.contains(&path.as_str()) { "look" } else { "" };
            let place = place(&referral["evidence"][&path]);
            vec![mark.to_owned(), path, value, place]
        })
        .collect();
    let known: Vec<String> = rows.iter().filter_map(|row| row.get(1).cloned()).collect();
    for missing in review.iter().filter(|path| !known.iter().any(|known| known == *path)) {
        rows.push(vec!["missing".to_owned(), (*missing).to_owned(), String::new(), String::new()]);
    }
    print::table(&["", "FIELD", "VALUE", "READ FROM"], &rows, "nothing is known of it");
    show_attachments(referral);
    for pending in referral["pending_replies"].as_array().into_iter().flatten() {
        let at = print::text(pending, "/reading/appointment/at");
        let at = if at.is_empty() { at } else { format!(" for {at}") };
        print::say(&format!(
            "\na reply waits, message {}: {}; read as {}{}\n  {}\n  settle it: `reply OUTCOME`, or `set-aside`",
            print::text(pending, "/message"),
            print::text(pending, "/why"),
            print::text(pending, "/reading/outcome"),
            at,
            print::text(pending, "/reading/quote")
        ));
        if let Some(page) = pending.pointer("/reading/page") {
            returned::show_writing(&print::text(pending, "/message"), page);
        }
    }
    for problem in referral["problems"].as_array().into_iter().flatten() {
        print::say(&format!("problem: {} {}", print::text(problem, "/field"), print::text(problem, "/message")));
    }
    let history = referral["history"].as_array().into_iter().flatten().map(|entry| {
        vec![
            print::time(entry, "/at"),
            format!("{} {}", print::text(entry, "/event"), details(entry)).trim().to_owned(),
            print::text(entry, "/by"),
            print::text(entry, "/message"),
        ]
    });
    print::say("");
    print::table(&["AT", "EVENT", "BY", "MESSAGE"], &history.collect::<Vec<_>>(), "no history");
    let deliveries: Vec<Vec<String>> = found["deliveries"].as_array().into_iter().flatten().map(super::deliveries::row).collect();
    print::say("");
    print::table(&super::deliveries::HEAD, &deliveries, "nothing was sent or is queued");
}

fn show_attachments(referral: &Value) {
    let attachments: Vec<Vec<String>> =
        referral["attachments"].as_array().into_iter().flatten().zip(1..).map(attachment).collect();
    if !attachments.is_empty() {
        print::say("");
        print::table(&["ATTACHMENT", "NAME", "TYPE", "BYTES", "PAGE", "KIND"], &attachments, "");
        print::say(&format!(
            "  write one: loopline referrals export {} NUMBER --output FILE",
            print::text(referral, "/reference")
        ));
    }
}

fn attachment((attachment, number): (&Value, usize)) -> Vec<String> {
    let said = ["/name", "/media_type", "/bytes", "/page", "/kind"].map(|pointer| print::text(attachment, pointer));
    std::iter::once(number.to_string()).chain(said).collect()
}

/// What an entry of the history says beside its event.
fn details(entry: &Value) -> String {
    match (print::text(entry, "/from"), print::text(entry, "/into")) {
        (from, _) if !from.is_empty() => format!("{from} into this one"),
        (_, into) if !into.is_empty() => format!("into {into}"),
        (_, _) => {
            let details = ["/outcome", "/fields", "/to", "/reason"].map(|pointer| print::text(entry, pointer));
            details.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(": ")
        }
    }
}

/// Where a value was read: the location in a message, or the page, and the known form that it stands on.
fn place(evidence: &Value) -> String {
    let (location, page) = (print::text(evidence, "/location"), print::text(evidence, "/page"));
    match print::text(evidence, "/form") {
        _ if page.is_empty() || !location.is_empty() => location,
        form if form.is_empty() => format!("page {page}"),
        form => format!("page {page}, form {form}"),
    }
}

/// What a person does about it, by what holds it and where it stands.
fn next_steps(referral: &Value) -> Vec<&'static str> {
    let held = referral["held"].as_array().into_iter().flatten();
    let reasons = held.filter_map(|reason| serde_json::from_value::<HeldReason>(reason.clone()).ok());
    let status = serde_json::from_value::<Status>(referral["status"].clone()).ok();
    reasons.map(HeldReason::next_step).chain(status.and_then(Status::next_step)).collect()
}

fn flatten(path: &str, value: &Value, into: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| flatten(&format!("{path}.{name}"), value, into)),
        Value::Array(items) => items.iter().enumerate().for_each(|(at, value)| flatten(&format!("{path}.{at}"), value, into)),
        Value::Null => {}
        Value::String(text) => into.push((path.to_owned(), text.clone())),
        Value::Bool(_) | Value::Number(_) => into.push((path.to_owned(), value.to_string())),
    }
}

async fn settle(args: SettleArgs, data: &Path) -> anyhow::Result<()> {
    let act = match args.act {
        SettleCommand::Confirm { fields } => Act::Confirm { fields },
        SettleCommand::Correct { fields } => Act::Correct {
            fields: fields
                .iter()
                .map(|pair| {
                    let (path, value) = pair.split_once('=').with_context(|| format!("{pair}: write PATH=VALUE"))?;
                    Ok((path.trim().to_owned(), value.trim().to_owned()))
                })
                .collect::<anyhow::Result<_>>()?,
        },
        SettleCommand::Route { to } => Act::Route { to },
        SettleCommand::Reply { outcome, at } => Act::Reply { outcome, at },
        SettleCommand::SetAside => Act::SetAside,
        SettleCommand::Merge { into, patients_differ } => Act::Merge { into, patients_differ },
        SettleCommand::Reject { reason } => Act::Reject { reason },
        SettleCommand::Reopen => Act::Reopen,
    };
    let settled = ask(data, &Request::Settle { id: args.id, act, by: args.by }).await?;
    if args.json {
        print::json(&settled);
    } else {
        let held = print::text(&settled, "/held");
        let rest = if held.is_empty() { "nothing holds it".to_owned() } else { format!("still held: {held}") };
        print::say(&format!("{} is {}; {rest}", print::text(&settled, "/reference"), print::text(&settled, "/status")));
        for step in next_steps(&settled) {
            print::say(&format!("  next: {step}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The help of one act of `settle`.
    fn help(act: &str) -> String {
        let mut command = SettleCommand::augment_subcommands(clap::Command::new("settle"));
        command.find_subcommand_mut(act).unwrap().render_long_help().to_string()
    }

    #[test]
    fn the_help_of_a_reply_lists_every_outcome() {
        let (help, words) = (help("reply"), word::<ReplyOutcome>("nonsense").unwrap_err());
        let words: Vec<&str> = words.split('`').skip(1).step_by(2).filter(|word| *word != "unclear").collect();
        assert!(words.len() >= 14, "{words:?}");
        let missing: Vec<&&str> = words.iter().filter(|word| !help.contains(**word)).collect();
        assert!(missing.is_empty() && !help.contains('…'), "{missing:?}");
    }

    #[test]
    fn the_history_says_which_referral_was_merged_into_which() {
        let merged = |more: &Value| {
            let mut entry = serde_json::json!({"event": "merged", "into": "LL-BBBB"});
            entry.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            details(&entry)
        };
        assert_eq!(merged(&serde_json::json!({})), "into LL-BBBB");
        assert_eq!(merged(&serde_json::json!({"from": "LL-AAAA"})), "LL-AAAA into this one");
    }
}
