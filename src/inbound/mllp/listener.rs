//! Takes connections: up to the limits, over TLS where the channel has it.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Door, MllpConfig, MllpInbound,
    connection::Connection,
    turned_away::{Reason, TurnedAway},
};
use crate::{
    ids::ChannelName,
    protocols::{
        mllp::{self, START},
        tls::{Renewal, ServerTls},
    },
};

/// How long is waited when no connection can be accepted: out of file descriptors, mostly.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// How much of a connection is looked at to tell whether it is TLS.
const FIRST_BYTES: usize = 16;
/// How the first record of a TLS connection begins.
const TLS_HANDSHAKE: u8 = 0x16;

/// What the connections of a channel share.
pub(super) struct Channel<D> {
    pub(super) name: ChannelName,
    pub(super) config: MllpConfig,
    pub(super) door: D,
    pub(super) in_flight: Semaphore,
    /// The places of large frames.
    pub(super) large_frames: Arc<Semaphore>,
    pub(super) shutdown: CancellationToken,
    tls: Option<ServerTls>,
    places: Places,
    away: TurnedAway,
}

impl<D: Door> Channel<D> {
    /// Counts and logs that a peer, or what it sent, was turned away.
    pub(super) fn turn_away(&self, reason: Reason, peer: SocketAddr, detail: &str) {
        self.door.turned_away(&self.name, reason.as_str());
        self.away.log(&self.name, reason, peer, detail);
    }
}

/// Serves until told to stop, then lets each connection finish its frame.
pub(super) async fn serve<D: Door>(inbound: MllpInbound, door: D, shutdown: CancellationToken) -> anyhow::Result<()> {
    let MllpInbound { name, config, tls, listener } = inbound;
    let listener = TcpListener::from_std(listener).context("cannot wait on the listening socket")?;
    tracing::info!(channel = %name, address = %listener.local_addr()?, tls = tls.is_some(), "listening for HL7");
    let channel = Arc::new(Channel {
        name,
        places: Places::new(config.connections_max, config.connections_per_peer_max),
        in_flight: Semaphore::new(config.messages_in_flight_max),
        large_frames: Arc::new(Semaphore::new(config.large_frames_max)),
        config,
        door,
        shutdown: shutdown.clone(),
        tls,
        away: TurnedAway::default(),
    });
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(channel = %channel.name, %error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        match channel.places.take(peer.ip()) {
            Ok(place) => {
                let channel = Arc::clone(&channel);
                connections.spawn(async move {
                    welcome(channel, stream, peer).await;
                    drop(place);
                });
            }
            Err(reason) => channel.turn_away(reason, peer, ""),
        }
    }
    connections.close();
    connections.wait().await;
    Ok(())
}

async fn welcome<D: Door>(channel: Arc<Channel<D>>, stream: TcpStream, peer: SocketAddr) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(channel = %channel.name, %peer, %error, "the connection was gone at once");
        return;
    }
    let Some(tls) = &channel.tls else {
        return Connection::new(channel, stream, peer).run().await;
    };
    let shaking_hands = async {
        let speaks_tls = timeout(tls.handshake_time_max(), is_tls(&channel, &stream, peer)).await.unwrap_or_else(|_| {
            channel.turn_away(Reason::NothingSent, peer, "");
            false
        });
        if !speaks_tls {
            return None;
        }
        match tls.renew().await {
            Some(Renewal::Renewed(findings)) => {
                tracing::info!(channel = %channel.name, "the TLS certificates changed; the new ones are in use");
                for finding in findings {
                    tracing::warn!(channel = %channel.name, "{finding}");
                }
            }
            Some(Renewal::Kept(finding)) => {
                tracing::error!(channel = %channel.name, "the TLS certificates changed and cannot be used; the old ones stay in use: {finding}");
            }
            None => {}
        }
        tls.accept(stream).await.map_err(|error| channel.turn_away(Reason::Handshake, peer, &error.to_string())).ok()
    };
    let stream = tokio::select! {
        stream = shaking_hands => stream,
        () = channel.shutdown.cancelled() => None,
    };
    if let Some(stream) = stream {
        Connection::new(channel, stream, peer).run().await;
    }
}

/// Whether the peer's first bytes begin a TLS handshake; if not, it is turned away.
async fn is_tls<D: Door>(channel: &Channel<D>, stream: &TcpStream, peer: SocketAddr) -> bool {
    let mut first = [0; FIRST_BYTES];
    let reason = match stream.peek(&mut first).await {
        Ok(0) | Err(_) => Reason::NothingSent,
        Ok(length) => match first.get(..length).unwrap_or_default() {
            [TLS_HANDSHAKE, ..] => return true,
            [START, ..] => Reason::PlainOnTlsPort,
            other => mllp::foreign_protocol(other).map_or(Reason::NoMllp, Reason::from),
        },
    };
    channel.turn_away(reason, peer, "");
    false
}

/// The connections that are open.
struct Places {
    all: usize,
    per_peer: usize,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Default)]
struct Taken {
    all: usize,
    by_peer: HashMap<IpAddr, usize>,
}

/// One connection's place; free again when dropped.
struct Place {
    taken: Arc<Mutex<Taken>>,
    peer: IpAddr,
}

impl Places {
    fn new(all: usize, per_peer: usize) -> Self {
        Self { all, per_peer, taken: Arc::default() }
    }

    fn take(&self, peer: IpAddr) -> Result<Place, Reason> {
        let peer = peer.to_canonical();
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.all >= self.all {
            return Err(Reason::TooManyConnections);
        }
        let of_peer = taken.by_peer.get(&peer).copied().unwrap_or_default();
        if of_peer >= self.per_peer {
            return Err(Reason::TooManyOfOnePeer);
        }
        taken.all += 1;
        taken.by_peer.insert(peer, of_peer + 1);
        Ok(Place { taken: Arc::clone(&self.taken), peer })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all = taken.all.saturating_sub(1);
        if let Some(of_peer) = taken.by_peer.get_mut(&self.peer) {
            *of_peer = of_peer.saturating_sub(1);
            if *of_peer == 0 {
                taken.by_peer.remove(&self.peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_for_all_and_for_each_peer_and_come_free_again() {
        let places = Places::new(3, 2);
        let (one, two, three) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap(), "10.0.0.3".parse().unwrap());
        let held = [places.take(one).ok(), places.take(one).ok()];
        assert!(held.iter().all(Option::is_some));
        assert_eq!(places.take(one).err(), Some(Reason::TooManyOfOnePeer));
        assert_eq!(places.take("::ffff:10.0.0.1".parse().unwrap()).err(), Some(Reason::TooManyOfOnePeer), "the same peer");
        let third = places.take(two).ok();
        assert_eq!(places.take(three).err(), Some(Reason::TooManyConnections));
        drop((held, third));
        assert!(places.take(one).is_ok() && places.taken.lock().unwrap().by_peer.is_empty());
    }
}
