//! Direct links over QUIC between real endpoints, with a real relay of our own.

#![expect(clippy::unwrap_used, reason = "a helper of a test that fails is a test that fails")]

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use subrosa_net::direct::quic::{Endpoint, EndpointConfig, EndpointError, Peer, PeerId};
use subrosa_net::direct::{CommunicatorError, FRAME, Link, LinkEnd, Path};
use subrosa_server::relay::{RelayAlone, RelayAloneConfig, RelayLimits};
use subrosa_wire::proto::QuicWay;
use subrosa_wire::{Fingerprint, RelayLink};
use tempfile::TempDir;
use tokio::time::timeout;
use zeroize::Zeroizing;

/// Longer than anything here takes; only a failure waits for it.
const LONG: Duration = Duration::from_secs(30);

async fn relay(folder: &TempDir, listen: SocketAddr) -> RelayAlone {
    RelayAlone::start(RelayAloneConfig {
        listen,
        folder: folder.path().to_owned(),
        public_host: None,
        open: false,
        limits: RelayLimits::default(),
    })
    .await
    .unwrap()
}

fn any_port() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

fn config(seed: u8, relay: Option<&RelayLink>) -> EndpointConfig {
    EndpointConfig { seed: Zeroizing::new([seed; 32]), relay: relay.cloned(), show_lan: true }
}

async fn endpoint(seed: u8, relay: Option<&RelayLink>) -> Endpoint {
    Endpoint::bind(config(seed, relay)).await.unwrap()
}

/// A link between two endpoints, seen from the one that accepts and from the one that dials.
async fn link(listener: &Endpoint, dialer: &Endpoint, way: &QuicWay) -> (Link, Link) {
    let (accepted, dialled) = timeout(LONG, async {
        tokio::join!(listener.accept(Peer::Only(dialer.id())), dialer.dial(listener.id(), way))
    })
    .await
    .unwrap();
    (accepted.unwrap(), dialled.unwrap())
}

fn only_relay(way: QuicWay) -> QuicWay {
    QuicWay { addresses: Vec::new(), ..way }
}

async fn exchange(from: &mut Link, to: &mut Link, frame: Bytes) {
    from.outbound.send(frame.clone()).await.unwrap();
    assert_eq!(timeout(LONG, to.inbound.next()).await.unwrap().unwrap(), frame);
}

#[tokio::test]
async fn two_endpoints_meet_at_the_relay_and_move_to_the_direct_path() {
    let folder = tempfile::tempdir().unwrap();
    let relay = relay(&folder, any_port()).await;
    let (alice, bob) = tokio::join!(endpoint(1, Some(relay.link())), endpoint(2, Some(relay.link())));
    let (mut at_alice, mut at_bob) = link(&alice, &bob, &only_relay(alice.way())).await;
    assert_eq!(at_alice.binding, at_bob.binding);
    assert_ne!(at_alice.binding, [0; 32]);
    exchange(&mut at_bob, &mut at_alice, Bytes::from_static(b"hello")).await;
    exchange(&mut at_alice, &mut at_bob, Bytes::from(vec![7; FRAME])).await;
    exchange(&mut at_alice, &mut at_bob, Bytes::new()).await;
    timeout(LONG, at_bob.path.wait_for(|path| *path == Path::Direct)).await.unwrap().unwrap();
    exchange(&mut at_bob, &mut at_alice, Bytes::from_static(b"still there")).await;
    tokio::join!(alice.close(), bob.close());
    relay.shutdown().await;
}
