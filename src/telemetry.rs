//! Log lines: for a person at a terminal or one JSON object a line, to standard error, filtered by module and level.
//!
//! Standard output stays free for what a command was asked for. Ids (`message_id`, `referral`, `delivery`, `channel`) are fields of their
//! lines, never part of the sentence, so that a log search finds one referral's whole path. (`message` is the
//! sentence itself.)
//!
//! # Design notes
//! Only our own code may log below WARN, whatever the filter says: other people's libraries log file names and mail dialogues at
//! DEBUG and TRACE, and both can hold patient data.

use std::io::IsTerminal;

use tracing::Level;
use tracing_subscriber::{EnvFilter, Layer, Registry, filter::FilterFn, layer::SubscriberExt, util::SubscriberInitExt};

use crate::config::{LogFormat, Settings};

/// Starts logging for this process as the settings say. A second call changes nothing.
///
/// From then on a panic is one log line with its place in the code: its message can quote what was being read.
pub fn start(settings: &Settings) {
    start_with(settings.log, &settings.log_filter);
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        if place.contains("/sled-") {
            // It breaks off over a damaged file. The store looks out for that, and says what it does then.
            tracing::warn!(place, "the index cannot be read there");
        } else {
            tracing::error!(place, "a defect of loopline: the code broke off there; report it");
        }
    }));
}

/// Starts logging in a format, with a filter; one that is none falls back to `info`, as configuration was checked before.
pub fn start_with(format: LogFormat, filter: &str) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let layer: Box<dyn Layer<Registry> + Send + Sync> = match format {
        LogFormat::Human => Box::new(
            tracing_subscriber::fmt::layer()
                .with_writer(std::io::stderr)
                .with_ansi(std::io::stderr().is_terminal())
                .with_target(false),
        ),
        LogFormat::Json => Box::new(
            tracing_subscriber::fmt::layer()
                .json()
                .flatten_event(true)
                .with_current_span(false)
                .with_span_list(false)
                .with_writer(std::io::stderr),
        ),
    };
    // What sled says of a damaged file quotes its bytes; the store says the rest.
    let ours = FilterFn::new(|metadata| {
        let target = metadata.target();
        target.starts_with("loopline") || (*metadata.level() <= Level::WARN && !target.starts_with("sled"))
    });
    // An error means that logging was started before: a test that runs several engines in one process.
    tracing_subscriber::registry().with(layer.with_filter(filter).with_filter(ours)).try_init().ok();
    // Libraries that log by `log` are told so themselves: sled makes hundreds of lines a message that the filter would drop one by one.
    log::set_max_level(log::LevelFilter::Warn);
}
