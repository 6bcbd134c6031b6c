//! `loopline check`: reads the settings and every channel file, opens nothing, and prints every mistake at once.
//!
//! Exit codes: 0, the configuration is right; 78 (`EX_CONFIG` of sysexits.h), it is not; 2, wrong usage. `run` refuses to start
//! exactly when this does.

use std::{io::Write, process::ExitCode};

use clap::Args;
use serde_json::json;

use crate::{
    config::{AcknowledgeMode, Config, ConfigErrors, Effective, SettingsSources},
    inbound::InboundConfig,
};

/// The exit code for a mistake in the configuration.
pub const EXIT_CONFIGURATION: u8 = 78;

/// Check settings and channel files: every mistake at once, with its line and what would be right
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct CheckArgs {
    /// Print the configuration in effect as TOML: each value, and where it came from
    #[arg(long)]
    pub print: bool,
    /// Print as JSON
    #[arg(long)]
    pub json: bool,
}

/// Runs the command: what was asked for goes to standard output, mistakes to standard error (with `--json`, all to standard output).
#[must_use]
pub fn run(args: CheckArgs, sources: &SettingsSources) -> ExitCode {
    let result = Config::load_with_origins(sources);
    let (text, is_error) = match (&result, args.json) {
        (result, true) => (json_of(result, args.print), false),
        (Ok((_, effective)), false) if args.print => (effective.to_toml(), false),
        (Ok((config, _)), false) => (summary(config), false),
        (Err(errors), false) => (format!("{errors}\n"), true),
    };
    if let (Ok((_, effective)), false) = (&result, args.json) {
        for warning in &effective.warnings {
            // A terminal that is gone is no reason to fail a check.
            writeln!(std::io::stderr(), "warning: {warning}").ok();
        }
    }
    let written =
        if is_error { std::io::stderr().write_all(text.as_bytes()) } else { std::io::stdout().write_all(text.as_bytes()) };
    match (result, written) {
        (Err(_), _) => ExitCode::from(EXIT_CONFIGURATION),
        (Ok(_), Err(_)) => ExitCode::FAILURE,
        (Ok(_), Ok(())) => ExitCode::SUCCESS,
    }
}

fn summary(config: &Config) -> String {
    let mut text = format!(
        "the configuration is right: {} inbound and {} outbound channels, {} directory entries\n",
        config.inbound.len(),
        config.outbound.len(),
        config.directory.entries.len()
    );
    // Right as it is, and yet not what somebody may expect.
    let half_answered = config.inbound.values().filter(|channel| {
        let acknowledge = &channel.acknowledge;
        matches!(channel.inbound, InboundConfig::Mllp(_))
            && acknowledge.mode != AcknowledgeMode::Original
            && acknowledge.through.is_none()
    });
    for channel in half_answered {
        text.push_str(&format!(
            "note: {}: a message that asks for both acknowledgements (MSH-15 and MSH-16 AL) gets CA or CE alone; for AA or AE to follow, name \
             an MLLP channel to its sender in [acknowledge] through\n",
            channel.name
        ));
    }
    text
}

fn json_of(result: &Result<(Config, Effective), ConfigErrors>, print: bool) -> String {
    let value = match result {
        Ok((_, effective)) if print => {
            json!({ "ok": true, "mistakes": [], "warnings": effective.warnings, "effective": effective.entries })
        }
        Ok((_, effective)) => json!({ "ok": true, "mistakes": [], "warnings": effective.warnings }),
        Err(errors) => json!({ "ok": false, "mistakes": errors.mistakes() }),
    };
    format!("{value:#}\n")
}
