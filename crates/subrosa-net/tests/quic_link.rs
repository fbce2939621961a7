//! Direct links over QUIC between real endpoints, with a real relay of our own.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper of a test that fails is a test that fails")]

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use subrosa_crypto::SigningKey;
use subrosa_net::direct::quic::{Endpoint, EndpointConfig, EndpointError, Peer, PeerId};
use subrosa_net::direct::{CommunicatorError, FRAME, Link, LinkEnd, Path};
use subrosa_server::StartError;
use subrosa_server::relay::{RelayAlone, RelayAloneConfig, RelayError, RelayLimits};
use subrosa_wire::proto::QuicWay;
use subrosa_wire::{Fingerprint, RelayLink};
use tempfile::TempDir;
use tokio::time::timeout;
use zeroize::Zeroizing;

/// Longer than anything here takes; only a failure waits for it.
const LONG: Duration = Duration::from_secs(30);

async fn relay(folder: &TempDir, listen: SocketAddr) -> RelayAlone {
    let folder = folder.path().to_owned();
    let config = RelayAloneConfig { listen, folder, public_host: None, open: false, limits: RelayLimits::default() };
    let mut again = tokio::time::interval(Duration::from_millis(20));
    timeout(LONG, async {
        loop {
            match RelayAlone::start(config.clone()).await {
                Ok(relay) => return relay,
                // The UDP port of the one before is given back in the background.
                Err(RelayError::Start(StartError::Listen { .. })) if listen.port() != 0 => again.tick().await,
                Err(error) => panic!("{error:?}"),
            };
        }
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

#[tokio::test]
async fn all_frames_come_in_order_to_a_slow_reader_also_the_last_ones_before_the_end() {
    let (alice, bob) = tokio::join!(endpoint(1, None), endpoint(2, None));
    let (mut at_alice, at_bob) = link(&alice, &bob, &alice.way()).await;
    let Link { mut outbound, .. } = at_bob;
    // Far more than the windows hold: the sender waits for the reader.
    let sender = tokio::spawn(async move {
        for number in 0..200_u32 {
            let mut frame = vec![0; 40_000];
            frame[..4].copy_from_slice(&number.to_be_bytes());
            outbound.send(frame.into()).await.unwrap();
        }
        outbound.finish().await;
    });
    for number in 0..200_u32 {
        let frame = timeout(LONG, at_alice.inbound.next()).await.unwrap().unwrap();
        assert_eq!(frame[..4], number.to_be_bytes());
        assert_eq!(frame.len(), 40_000);
    }
    assert_eq!(timeout(LONG, at_alice.inbound.next()).await.unwrap(), Err(LinkEnd::Closed));
    sender.await.unwrap();
}

#[tokio::test]
async fn reading_may_be_given_up_and_taken_up_again_without_losing_anything() {
    let (alice, bob) = tokio::join!(endpoint(1, None), endpoint(2, None));
    let (mut at_alice, mut at_bob) = link(&alice, &bob, &alice.way()).await;
    let sender = tokio::spawn(async move {
        for number in 0..50_u8 {
            at_bob.outbound.send(vec![number; 100_000].into()).await.unwrap();
        }
        at_bob
    });
    for number in 0..50_u8 {
        let frame = loop {
            // Polled once and dropped, again and again.
            let mut next = at_alice.inbound.next();
            if let std::task::Poll::Ready(frame) = futures_util::poll!(&mut next) {
                break frame.unwrap();
            }
            drop(next);
            tokio::task::yield_now().await;
        };
        assert_eq!(frame, vec![number; 100_000]);
    }
    drop(sender.await.unwrap());
}

#[tokio::test]
async fn a_frame_over_the_limit_is_not_sent_and_the_link_goes_on() {
    let (alice, bob) = tokio::join!(endpoint(1, None), endpoint(2, None));
    let (mut at_alice, mut at_bob) = link(&alice, &bob, &alice.way()).await;
    let refused = at_bob.outbound.send(vec![0; FRAME + 1].into()).await;
    assert!(matches!(refused, Err(LinkEnd::Protocol(_))), "{refused:?}");
    exchange(&mut at_bob, &mut at_alice, Bytes::from_static(b"small")).await;
}

#[tokio::test]
async fn a_peer_that_vanishes_is_no_orderly_end() {
    let (alice, bob) = tokio::join!(endpoint(1, None), endpoint(2, None));
    let (mut at_alice, at_bob) = link(&alice, &bob, &alice.way()).await;
    drop(at_bob);
    let end = timeout(LONG, at_alice.inbound.next()).await.unwrap();
    assert!(matches!(end, Err(LinkEnd::Lost(_))), "{end:?}");
}

#[tokio::test]
async fn a_stranger_is_turned_away_and_keeps_nobody_waiting() {
    let (alice, bob, mallory) = tokio::join!(endpoint(1, None), endpoint(2, None), endpoint(3, None));
    let way = alice.way();
    let strangers = async {
        let mut refused = 0;
        while refused < 3 {
            match mallory.dial(alice.id(), &way).await {
                Err(CommunicatorError::Unreachable(_)) => refused += 1,
                other => panic!("{other:?}"),
            }
        }
    };
    let meeting = async {
        let accepted = alice.accept(Peer::Only(bob.id()));
        tokio::pin!(accepted);
        // The strangers come first, all of them.
        tokio::select! {
            link = &mut accepted => panic!("a stranger came in: {link:?}"),
            () = strangers => {}
        }
        let (accepted, dialled) = tokio::join!(accepted, bob.dial(alice.id(), &way));
        (accepted.unwrap(), dialled.unwrap())
    };
    let (mut at_alice, mut at_bob) = timeout(LONG, meeting).await.unwrap();
    exchange(&mut at_bob, &mut at_alice, Bytes::from_static(b"it is me")).await;
}

#[tokio::test]
async fn who_answers_with_another_key_is_not_taken_for_the_peer() {
    let (alice, bob, mallory) = tokio::join!(endpoint(1, None), endpoint(2, None), endpoint(3, None));
    // Mallory's address under Alice's name.
    let way = mallory.way();
    let dialled = tokio::select! {
        link = mallory.accept(Peer::Anybody) => panic!("the wrong peer was accepted: {link:?}"),
        dialled = bob.dial(alice.id(), &way) => dialled,
    };
    assert!(matches!(dialled, Err(CommunicatorError::Unreachable(_) | CommunicatorError::WrongPeer(_))), "{dialled:?}");
}

#[tokio::test]
async fn a_way_that_leads_nowhere_is_given_up_in_time_and_may_pass() {
    let bob = endpoint(2, None).await;
    let nowhere = QuicWay { relay: None, addresses: vec!["127.0.0.1:9".into(), "no address".into()] };
    let nobody = PeerId(*SigningKey::from_seed(&[1; 32]).public().as_bytes());
    let error = timeout(LONG, bob.dial(nobody, &nowhere)).await.unwrap().unwrap_err();
    assert!(error.may_pass(), "{error}");
    let error = bob.dial(nobody, &QuicWay::default()).await.unwrap_err();
    assert!(matches!(error, CommunicatorError::Unreachable(_)), "{error}");
}

#[tokio::test]
async fn a_relay_with_another_key_than_its_link_names_is_refused_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let relay = relay(&folder, any_port()).await;
    let other = RelayLink { fingerprint: Fingerprint([9; 32]), ..relay.link().clone() };
    let error = Endpoint::bind(config(1, Some(&other))).await.unwrap_err();
    assert!(matches!(error, EndpointError::RelayKey { .. }), "{error}");
}

#[tokio::test]
async fn a_relay_that_asks_for_a_pass_says_so_to_who_has_none_or_another() {
    let folder = tempfile::tempdir().unwrap();
    let relay = relay(&folder, any_port()).await;
    for pass in [vec![], vec![0; 16]] {
        let link = RelayLink { pass, ..relay.link().clone() };
        let error = Endpoint::bind(config(1, Some(&link))).await.unwrap_err();
        assert!(matches!(error, EndpointError::RelayRefused { .. }), "{error}");
        assert!(error.to_string().contains("pass"), "{error}");
    }
}

#[tokio::test]
async fn a_relay_that_is_not_there_is_named() {
    let link = RelayLink { host: "127.0.0.1".into(), port: 9, fingerprint: Fingerprint([9; 32]), pass: vec![] };
    let error = Endpoint::bind(config(1, Some(&link))).await.unwrap_err();
    assert!(matches!(error, EndpointError::Relay { port: 9, .. }), "{error}");
}

#[tokio::test]
async fn a_direct_link_stays_up_while_the_relay_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let first = relay(&folder, any_port()).await;
    let listen = first.addr();
    let (alice, bob) = tokio::join!(endpoint(1, Some(first.link())), endpoint(2, Some(first.link())));
    let (mut at_alice, mut at_bob) = link(&alice, &bob, &only_relay(alice.way())).await;
    for end in [&mut at_alice, &mut at_bob] {
        timeout(LONG, end.path.wait_for(|path| *path == Path::Direct)).await.unwrap().unwrap();
    }
    first.shutdown().await;
    for number in 0..100_u8 {
        exchange(&mut at_bob, &mut at_alice, Bytes::from(vec![number])).await;
    }
    let again = relay(&folder, listen).await;
    exchange(&mut at_alice, &mut at_bob, Bytes::from_static(b"still there")).await;
    // And the relay is the same for whoever comes now.
    let carol = endpoint(3, Some(again.link())).await;
    let (accepted, dialled) = tokio::join!(carol.accept(Peer::Anybody), async {
        loop {
            // Alice's connection to the relay comes back by itself.
            if let Ok(link) = alice.dial(carol.id(), &only_relay(carol.way())).await {
                return link;
            }
        }
    });
    let (mut at_carol, mut at_alice) = (accepted.unwrap(), dialled);
    exchange(&mut at_alice, &mut at_carol, Bytes::from_static(b"hello")).await;
}

#[tokio::test]
async fn a_dial_that_is_given_up_leaves_the_endpoints_as_they_were() {
    let (alice, bob) = tokio::join!(endpoint(1, None), endpoint(2, None));
    let way = alice.way();
    for _ in 0..3 {
        let mut dialling = Box::pin(bob.dial(alice.id(), &way));
        assert!(futures_util::poll!(&mut dialling).is_pending());
    }
    let (mut at_alice, mut at_bob) = link(&alice, &bob, &way).await;
    exchange(&mut at_bob, &mut at_alice, Bytes::from_static(b"at last")).await;
}

#[tokio::test]
async fn a_relayed_link_comes_back_when_the_relay_does_and_shows_no_address() {
    let folder = tempfile::tempdir().unwrap();
    let first = relay(&folder, any_port()).await;
    let listen = first.addr();
    let hidden = |seed| Endpoint::bind_hidden(config(seed, Some(first.link())));
    let (alice, bob) = tokio::join!(hidden(1), hidden(2));
    let (alice, bob) = (alice.unwrap(), bob.unwrap());
    assert_eq!(alice.way().addresses, Vec::<String>::new());
    let (mut at_alice, mut at_bob) = link(&alice, &bob, &alice.way()).await;
    exchange(&mut at_bob, &mut at_alice, Bytes::from_static(b"before")).await;
    first.shutdown().await;
    // Sent while there is no relay: it waits.
    at_bob.outbound.send(Bytes::from_static(b"meanwhile")).await.unwrap();
    let _again = relay(&folder, listen).await;
    assert_eq!(timeout(LONG, at_alice.inbound.next()).await.unwrap().unwrap(), Bytes::from_static(b"meanwhile"));
    exchange(&mut at_alice, &mut at_bob, Bytes::from_static(b"after")).await;
    assert_eq!((*at_alice.path.borrow(), *at_bob.path.borrow()), (Path::Relayed, Path::Relayed));
}
