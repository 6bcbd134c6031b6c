//! `loopline run`: the engine, until it is told to stop.

use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};

use crate::{
    config::{Config, SettingsSources},
    engine::Engine,
    telemetry,
};

/// Runs until SIGTERM or Ctrl-C, then drains and gives exit status 0 within ten seconds. SIGHUP reads the channels again: after a
/// successful check the new ones are in force, else everything stays as it was and the mistakes are logged.
///
/// # Errors
/// It could not start: the configuration has mistakes, the folder is in use, a port is taken.
pub async fn run(sources: &SettingsSources) -> anyhow::Result<ExitCode> {
    let config = Config::load(sources)?;
    // What is written holds patient data: whoever has no part in it shall not read it. A stricter mask of the caller's stays.
    let theirs = rustix::process::umask(rustix::fs::Mode::empty());
    rustix::process::umask(theirs | rustix::fs::Mode::RWXO);
    telemetry::start(&config.settings);
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let data = config.settings.data.display().to_string();
    let mut engine = Engine::start(config).await?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), data, "ready");
    let mut all_open = true;
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hang_up.recv() => all_open = reload(&mut engine, sources, all_open).await,
            () = tokio::time::sleep(Engine::OPEN_AGAIN), if !all_open => all_open = engine.open_rest().await,
        }
    }
    tracing::info!("stopping: finishing what is at hand");
    engine.stop().await;
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

/// Reads the channels again, and says whether all are open then.
async fn reload(engine: &mut Engine, sources: &SettingsSources, all_open: bool) -> bool {
    match Config::load(sources) {
        Ok(config) => {
            let waiting = engine.config().settings.waiting_for_a_restart(&config.settings);
            if !waiting.is_empty() {
                let keys = waiting.join(", ");
                tracing::warn!(keys, "these settings changed too; they take effect when the engine is started anew");
            }
            match engine.reload(config).await {
                Ok(()) => {
                    tracing::info!("channels read again; the new configuration is in force");
                    true
                }
                Err(error) => {
                    tracing::error!(
                        error = format!("{error:#}"),
                        "the new configuration is in force, but not every channel could be opened: it is tried again every {} s",
                        Engine::OPEN_AGAIN.as_secs()
                    );
                    false
                }
            }
        }
        Err(mistakes) => {
            tracing::error!(%mistakes, "the configuration has mistakes; everything stays as it was: see `loopline check`");
            all_open
        }
    }
}
