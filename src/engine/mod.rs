//! The engine: wires the doors, the stations and the ways out to one store, runs them, stops them.
//!
//! Three stations, coupled only by the store: [`intake`] stores what arrives, [`process`] makes referrals of it, [`deliver`] sends
//! what is owed. A wake-up between them carries no data: the station looks in the store. So a crash between any two of them
//! leaves a state from which the next start simply goes on; there is no separate recovery path.
//!
//! Beside the path: [`decide`](self), `referring`, `replies` and `reports` say what an outcome means for the store, `vouched` who may answer,
//! `bookings` which visit a calendar speaks of, `route` where a request goes, `finding` which referral a message is about, `letters` what is
//! sent, [`settle`] what a person's act does, [`admin`] answers the listing
//! commands. `left_out` keeps what a change does not mention, `resent` knows a fax that is sent once more, `division` has a person take a fax
//! apart, `assignment` say what a message is about, `checked` takes the page back on which a sender checked what was read, `answers` takes
//! what the other side of an MLLP channel answers beyond that it took a message, `export` makes searchable copies. `told` knows who has what
//! of a referral, `suspension` the desks that nothing goes to, `pauses` the channels that rest.

pub mod admin;
mod answers;
mod assignment;
mod bookings;
mod came_back;
mod checked;
mod compared;
mod corrections;
mod decide;
pub mod deliver;
mod division;
mod doors;
mod export;
mod finding;
mod forward;
mod hl7_letters;
pub mod intake;
pub(crate) mod interpret;
mod left_out;
mod letters;
mod lines;
mod lists;
mod pauses;
pub mod process;
mod progress;
mod referring;
mod replies;
mod reports;
mod resent;
pub mod retry;
mod route;
mod sameness;
mod sequence;
pub mod settle;
mod station;
mod stuck;
mod suspension;
mod told;
mod versions;
mod vouched;

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::Path,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use anyhow::Context as _;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{
    config::Config,
    ids::ChannelName,
    outbound::OutboundConfig,
    reader::ReaderPool,
    referral::TokenKey,
    store::{ReferralFilter, Store, StoreOptions},
};

/// How long the doors may take to finish what is at hand when the engine stops.
const DOORS_DRAIN_SECONDS_MAX: u64 = 4;
/// How long the stations may take after that. Both together stay under ten seconds.
const STATIONS_DRAIN_SECONDS_MAX: u64 = 4;

/// What every part of the engine works with. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    /// Where everything is.
    pub store: Store,
    /// Reads documents in worker processes.
    pub reader: ReaderPool,
    /// Makes and verifies reply tokens.
    pub key: TokenKey,
    suspensions: suspension::Suspensions,
    pauses: pauses::Pauses,
    underway: progress::Underway,
    config: Arc<RwLock<Arc<Config>>>,
    addresses: Arc<Mutex<BTreeMap<ChannelName, String>>>,
    turned_away: Arc<Mutex<BTreeMap<ChannelName, BTreeMap<&'static str, u64>>>>,
}

impl Context {
    /// The configuration in force.
    #[must_use]
    pub fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn set_config(&self, config: Config) {
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
    }

    /// Where each inbound channel takes things in: an address or a folder.
    #[must_use]
    pub fn channel_addresses(&self) -> BTreeMap<ChannelName, String> {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How often each channel turned somebody away since the start, by reason: an HTTP request, a failed TLS handshake, a limit.
    #[must_use]
    pub fn turned_away(&self) -> BTreeMap<ChannelName, BTreeMap<&'static str, u64>> {
        self.turned_away.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn count_turned_away(&self, channel: &ChannelName, why: &'static str) {
        let mut counts = self.turned_away.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(channel.clone()).or_default().entry(why).or_default() += 1;
    }

    fn note_address(&self, channel: &ChannelName, address: Option<String>) {
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        match address {
            Some(address) => addresses.insert(channel.clone(), address),
            None => addresses.remove(channel),
        };
    }
}

/// A running engine.
pub struct Engine {
    context: Context,
    doors: doors::Doors,
    stations: Vec<JoinHandle<()>>,
    stop_stations: CancellationToken,
}

impl Engine {
    /// Opens the store, recovers, opens the doors. When it returns, everything is up.
    ///
    /// # Errors
    /// What is wrong and what to do, for a person: another engine has the folder, a port is taken, a folder cannot be made.
    pub async fn start(config: Config) -> anyhow::Result<Self> {
        let data = config.settings.data.clone();
        make_data_folder(&data)?;
        make_pick_up_folders(&config)?;
        let options = StoreOptions { folder: data.clone(), index_cache_bytes: config.settings.limits.index_cache_bytes };
        let store = tokio::task::spawn_blocking(move || Store::open(&options)).await??;
        let key = TokenKey::new(token_key(&data, &store)?);
        let reader = ReaderPool::new(interpret::reader_options(&config.settings.limits));
        let context = Context {
            store,
            reader,
            key,
            suspensions: suspension::Suspensions::default(),
            pauses: pauses::Pauses::default(),
            underway: progress::Underway::default(),
            config: Arc::new(RwLock::new(Arc::new(config))),
            addresses: Arc::default(),
            turned_away: Arc::default(),
        };
        deliver::requeue_interrupted(&context).await.context("cannot queue again what was being sent at the last stop")?;
        let socket = admin::socket_path(&data);
        let listener = admin::listen(&data).with_context(|| {
            format!(
                "cannot open the admin socket {}: its path may have 107 bytes at most, and the folder must be writable",
                socket.display()
            )
        })?;
        let stop_stations = CancellationToken::new();
        let stations = vec![
            tokio::spawn(process::run(context.clone(), stop_stations.clone())),
            tokio::spawn(deliver::run(context.clone(), stop_stations.clone())),
            tokio::spawn(admin::serve(listener, data.clone(), context.clone(), stop_stations.clone())),
        ];
        let mut doors = doors::Doors::new(context.clone());
        if let Err(error) = doors.open_all() {
            stop_stations.cancel();
            context.store.close().await;
            return Err(error);
        }
        Ok(Self { context, doors, stations, stop_stations })
    }

    /// Where each inbound channel takes things in.
    #[must_use]
    pub fn addresses(&self) -> BTreeMap<ChannelName, String> {
        self.context.channel_addresses()
    }

    /// What the engine's parts work with.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Puts another configuration in force: doors whose table changed are closed and opened again, the others stay open.
    /// The data folder and the reader's limits stay as they were until a restart.
    ///
    /// # Errors
    /// A door cannot be opened; the others are as the new configuration says.
    pub async fn reload(&mut self, config: Config) -> anyhow::Result<()> {
        make_pick_up_folders(&config)?;
        self.context.set_config(config);
        self.doors.renew().await
    }

    /// How long to wait before what could not be opened is tried again.
    pub const OPEN_AGAIN: Duration = Duration::from_secs(doors::OPEN_AGAIN_SECONDS);

    /// Tries again to open what a reload could not, and says whether all is open now.
    pub async fn open_rest(&mut self) -> bool {
        self.doors.open_rest().await
    }

    /// The configuration in force.
    #[must_use]
    pub fn config(&self) -> Arc<Config> {
        self.context.config()
    }

    /// Closes the doors, finishes what is at hand, closes the store. Takes less than ten seconds.
    pub async fn stop(mut self) {
        self.doors.close_all(Duration::from_secs(DOORS_DRAIN_SECONDS_MAX)).await;
        self.stop_stations.cancel();
        let drained = tokio::time::timeout(Duration::from_secs(STATIONS_DRAIN_SECONDS_MAX), async {
            for station in &mut self.stations {
                if let Err(error) = station.await {
                    tracing::error!(%error, "a station broke off");
                }
            }
        });
        if drained.await.is_err() {
            tracing::warn!("some work did not finish in time; it goes on at the next start");
            let broken_off = self.context.underway.at_hand();
            for station in self.stations.iter_mut().filter(|station| !station.is_finished()) {
                station.abort();
                station.await.ok();
            }
            process::give_back(&self.context, broken_off).await;
        }
        self.context.store.close().await;
    }
}

fn make_data_folder(data: &Path) -> anyhow::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(data)
        .with_context(|| format!("cannot make the data folder {}: choose another by --data", data.display()))
}

/// Makes the fax server's pick-up folders that lie in the data folder. One elsewhere must be there: an unmounted share is missing, and
/// making it anew would send faxes to nobody.
fn make_pick_up_folders(config: &Config) -> anyhow::Result<()> {
    for outbound in config.outbound.values() {
        if let OutboundConfig::Fax(fax) = outbound
            && fax.path.starts_with(&config.settings.data)
        {
            fs::create_dir_all(&fax.path).with_context(|| format!("cannot make the folder {}", fax.path.display()))?;
        }
    }
    Ok(())
}

/// The engine's secret, made at the first start. Who has it can forge replies, so it is for the owner's eyes alone.
fn token_key(data: &Path, store: &Store) -> anyhow::Result<[u8; 32]> {
    let path = data.join("token.key");
    let unusable = || format!("{} is not a key of 32 bytes: put the one of the backup back", path.display());
    match fs::read(&path) {
        Ok(bytes) => {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).with_context(unusable)?;
            <[u8; 32]>::try_from(bytes.as_slice()).with_context(unusable)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            if !store.referrals(&ReferralFilter { limit: 1, ..ReferralFilter::default() })?.is_empty() {
                tracing::warn!(
                    "token.key is gone: a new one is made, and answers to letters that went out before wait for a person; put the one of the backup back if there is one"
                );
            }
            let key: [u8; 32] = rand::random();
            let part = data.join("token.key.part");
            let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
            file.write_all(&key)?;
            file.sync_all()?;
            fs::rename(&part, &path)?;
            fs::File::open(data)?.sync_all()?;
            Ok(key)
        }
        Err(error) => Err(error).with_context(unusable),
    }
}
