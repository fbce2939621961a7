//! Sessions against a server that lets everything pass: what guests check, they check themselves.

use bytes::Bytes;
use prost::Message;
use rand_core::{CryptoRng, RngCore};
use subrosa_crypto::{Channel, SigningKey};
use subrosa_mls::follower::{Follower, Inspected};
use subrosa_mls::{CommitSummary, LeafIndex, LeafSigner, LeafUpdate, Member, Removal};
use subrosa_types::{ConversationId, Epoch};
use subrosa_wire::proto::client_frame::Request;
use subrosa_wire::proto::{
    Answer, ClientFrame, FoundTurn, GoingAway, HelloAnswer, JoinTurn, RoomDeliver, RoomEntered, RoomOrdered, RoomTurn,
    ServerFrame, answer, room_turn, server_frame,
};

use super::check::{self, Breach, Change, Guests};
use super::*;
use crate::api::FailureCode;

const ID: ConversationId = ConversationId::from_bytes([7; 16]);
const NOW: Timestamp = Timestamp(1_800_000_000_000);

/// Numbers that never repeat; enough for a test.
struct Counter(u64);

impl RngCore for Counter {
    fn next_u32(&mut self) -> u32 {
        self.next_u64() as u32
    }

    fn next_u64(&mut self) -> u64 {
        self.0 += 1;
        self.0.wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }

    fn fill_bytes(&mut self, to: &mut [u8]) {
        rand_core::impls::fill_bytes_via_next(self, to);
    }

    fn try_fill_bytes(&mut self, to: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(to);
        Ok(())
    }
}

impl CryptoRng for Counter {}

/// A server that checks nothing, and its guests.
struct Server {
    key: SigningKey,
    /// The key that proves itself in the greeting.
    proves: SigningKey,
    follower: Option<Follower>,
    group_info: Vec<u8>,
    sequence: u64,
    guests: Vec<RoomSession>,
    inside: Vec<usize>,
    events: Vec<Vec<RoomEvent>>,
    ends: Vec<Option<(Failure, bool)>>,
}

impl Server {
    fn new() -> Self {
        let key = SigningKey::from_seed(&[1; 32]);
        Self {
            proves: SigningKey::from_seed(&[1; 32]),
            key,
            follower: None,
            group_info: Vec::new(),
            sequence: 0,
            guests: Vec::new(),
            inside: Vec::new(),
            events: Vec::new(),
            ends: Vec::new(),
        }
    }

    fn guest(&mut self, room: &str, who: Who) -> usize {
        let number = self.guests.len();
        let entry = Entry { server: self.key.public().fingerprint(), room: room.parse().unwrap(), who };
        let mut session = RoomSession::new(entry, Box::new(Counter((number as u64 + 1) << 40))).unwrap();
        session.link_up([3; 32], NOW);
        self.guests.push(session);
        self.events.push(Vec::new());
        self.ends.push(None);
        self.run();
        number
    }

    fn named(&mut self, name: &str) -> usize {
        self.guest("lobby", Who::Named(name.parse().unwrap()))
    }

    /// Carries frames until nobody has any.
    fn run(&mut self) {
        while let Some((from, output)) =
            (0..self.guests.len()).find_map(|guest| self.guests[guest].poll().map(|output| (guest, output)))
        {
            match output {
                RoomOutput::Transmit(frame) => self.request(from, ClientFrame::decode(frame).unwrap()),
                RoomOutput::Event(event) => self.events[from].push(event),
                RoomOutput::End { failure, again } => {
                    self.inside.retain(|guest| *guest != from);
                    self.ends[from] = Some((failure, again));
                }
            }
        }
    }

    fn push(&mut self, to: usize, body: server_frame::Body) {
        self.guests[to].frame(subrosa_wire::encode(&ServerFrame { body: Some(body) }), NOW);
    }

    fn answer(&mut self, to: usize, id: u64, body: answer::Body) {
        self.push(to, server_frame::Body::Answer(Answer { id, body: Some(body) }));
    }

    fn order(&mut self, from: usize, id: u64, message: &[u8]) {
        self.sequence += 1;
        let (sequence, at) = (self.sequence, NOW.0);
        self.answer(from, id, answer::Body::RoomOrdered(RoomOrdered { sequence, at }));
        for guest in self.inside.clone().into_iter().filter(|guest| *guest != from) {
            let message = Bytes::copy_from_slice(message);
            self.push(guest, server_frame::Body::RoomDeliver(RoomDeliver { sequence, at, message }));
        }
    }

    fn request(&mut self, from: usize, frame: ClientFrame) {
        let id = frame.id;
        match frame.request.unwrap() {
            Request::Hello(hello) => {
                let client_nonce = hello.client_nonce.try_into().unwrap();
                let server_key = self.key.public();
                let channel = Channel { server_key, client_nonce, server_nonce: [2; 32], tls_exporter: [3; 32] };
                let signature = channel.sign_hello(&self.proves).to_vec();
                let (server_key, server_nonce) = (server_key.to_vec(), vec![2; 32]);
                let hello = HelloAnswer { server_key, server_nonce, signature, server_time: NOW.0 };
                self.answer(from, id, answer::Body::Hello(hello));
            }
            Request::EnterRoom(enter) => {
                let guests = self.inside.len() as u32;
                let entered = RoomEntered { conversation_id: ID.to_vec(), name: enter.name, member: false, guests };
                self.answer(from, id, answer::Body::RoomEntered(entered));
                let turn = match &self.follower {
                    None => room_turn::Turn::Found(FoundTurn {}),
                    Some(follower) => room_turn::Turn::Join(JoinTurn {
                        group_info: self.group_info.clone(),
                        ratchet_tree: follower.ratchet_tree().unwrap(),
                    }),
                };
                self.push(from, server_frame::Body::RoomTurn(RoomTurn { turn: Some(turn) }));
            }
            Request::FoundRoom(found) => {
                self.follower = Some(Follower::found(&found.group_info, &found.ratchet_tree).unwrap());
                self.group_info = found.group_info;
                self.order(from, id, b"");
                self.inside.push(from);
            }
            Request::RoomJoin(join) => {
                let follower = self.follower.as_mut().unwrap();
                let Ok(Inspected::Commit(commit)) = follower.inspect(&join.commit) else { panic!("a commit") };
                follower.merge(*commit).unwrap();
                self.group_info = join.group_info;
                self.order(from, id, &join.commit);
                self.inside.push(from);
            }
            Request::RoomSend(send) => self.order(from, id, &send.message),
            other => panic!("{other:?}"),
        }
    }

    /// Delivers these bytes to a guest as the next thing in its order.
    fn deliver(&mut self, to: usize, message: &[u8]) {
        self.sequence += 1;
        let deliver = RoomDeliver { sequence: self.sequence, at: NOW.0, message: Bytes::copy_from_slice(message) };
        self.push(to, server_frame::Body::RoomDeliver(deliver));
        self.run();
    }

    fn said(&self, guest: usize) -> Vec<&str> {
        let text = |event: &'_ RoomEvent| match event {
            RoomEvent::Message { text, .. } => Some(text.clone().leak() as &str),
            _ => None,
        };
        self.events[guest].iter().filter_map(text).collect()
    }

    fn end(&self, guest: usize) -> (&str, FailureCode, bool) {
        let (failure, again) = self.ends[guest].as_ref().expect("the end of the session");
        (&failure.kind, failure.code, *again)
    }
}

#[test]
fn guests_share_a_key_and_words_that_the_server_does_not_have() {
    let mut server = Server::new();
    let (alice, bob) = (server.named("alice"), server.named("bob"));
    server.guests[alice].send(1, "hello".into(), NOW);
    server.guests[bob].send(1, "good morning".into(), NOW);
    server.run();
    assert_eq!((server.said(alice), server.said(bob)), (vec!["good morning"], vec!["hello"]));
    let shown = server.guests[alice].verification().unwrap();
    assert_eq!(Some(&shown), server.guests[bob].verification().as_ref());
    assert_eq!((shown.guests, shown.epoch), (2, 1));
    assert!(
        server.events[alice]
            .iter()
            .any(|event| matches!(event, RoomEvent::Joined { guest, .. } if guest.name.as_str() == "bob"))
    );
}

#[test]
fn a_server_that_does_not_prove_its_key_is_told_nothing() {
    let mut server = Server::new();
    server.proves = SigningKey::from_seed(&[9; 32]);
    let alice = server.named("alice");
    assert_eq!(server.end(alice), ("server_not_proved", FailureCode::Untrusted, false));
    assert!(server.follower.is_none());
}

#[test]
fn a_room_passed_off_as_another_is_not_entered() {
    let mut server = Server::new();
    let alice = server.named("alice");
    let bob = server.guest("cellar", Who::Named("bob".parse().unwrap()));
    assert_eq!(server.end(bob), ("bad_room", FailureCode::Untrusted, false));
    assert!(server.ends[alice].is_none());
}

#[test]
fn a_room_in_which_somebody_has_our_name_already_is_not_entered() {
    let mut server = Server::new();
    let _alice = server.named("alice");
    for name in ["alice", "a1ice"] {
        let other = server.named(name);
        assert_eq!(server.end(other), ("bad_room", FailureCode::Untrusted, false), "{name}");
    }
}

#[test]
fn what_is_damaged_forged_or_missing_is_dropped_and_counted_and_the_session_goes_on() {
    let mut server = Server::new();
    let (alice, bob) = (server.named("alice"), server.named("bob"));
    for garbage in [&b"nonsense"[..], b""] {
        server.deliver(alice, garbage);
    }
    // Two places in the order never come.
    server.sequence += 2;
    server.guests[bob].send(1, "still here".into(), NOW);
    server.run();
    let told: Vec<_> = server.events[alice]
        .iter()
        .filter_map(|event| match event {
            RoomEvent::Dropped { total } => Some(*total),
            _ => None,
        })
        .collect();
    assert_eq!(told, [1, 2, 4]);
    assert_eq!(server.said(alice), ["still here"]);
    assert!(server.ends[alice].is_none());
}

#[test]
fn a_commit_that_does_not_hold_ends_the_session_and_what_was_typed_is_kept() {
    let mut server = Server::new();
    let alice = server.named("alice");
    let (group_info, tree) = (server.group_info.clone(), server.follower.as_ref().unwrap().ratchet_tree().unwrap());
    // Somebody joins by a commit whose confirmation is wrong: the server cannot see that.
    let store = rusqlite::Connection::open_in_memory().unwrap();
    store.execute_batch(subrosa_mls::SCHEMA).unwrap();
    let signer = LeafSigner::from_seed(&[5; 32]).unwrap();
    let guest = Guest { name: "mallory".parse().unwrap(), member: false };
    let identity = subrosa_mls::Identity { credential: guest.credential(), signer };
    let mut rng = Counter(9 << 40);
    let mls = subrosa_mls::Mls::new(&store, &mut rng, &identity).unwrap();
    let (_, mut commit, _) = subrosa_mls::Group::join_external(&mls, &group_info, &tree, b"").unwrap();
    let last = commit.len() - 1;
    commit[last] ^= 1;
    server.deliver(alice, &commit);
    assert_eq!(server.end(alice), ("bad_commit", FailureCode::Untrusted, true));
    server.guests[alice].send(1, "hello".into(), NOW);
    assert_eq!(server.guests[alice].unsaid().1.len(), 1);
    assert!(server.guests[alice].guests().is_none());
}

#[test]
fn a_farewell_says_why_and_whether_to_come_back() {
    use subrosa_wire::error::ErrorCode;
    for (code, kind, again) in [
        (ErrorCode::GoingDown, "ended_by_server", true),
        (ErrorCode::TooSlow, "ended_by_server", true),
        (ErrorCode::BadCommit, "key_exchange", false),
    ] {
        let mut server = Server::new();
        let alice = server.named("alice");
        let farewell = GoingAway { code: code.into(), reason: "because\u{1b}[2J".into() };
        server.push(alice, server_frame::Body::GoingAway(farewell));
        server.run();
        let (failure, come_back) = server.ends[alice].clone().unwrap();
        assert_eq!((failure.kind.as_str(), come_back), (kind, again));
        assert!(!failure.message.contains('\u{1b}'), "{failure}");
    }
}

#[test]
fn nothing_that_a_server_sends_panics() {
    let mut rng = Counter(77);
    for length in 0..200 {
        let mut server = Server::new();
        let alice = server.named("alice");
        let mut bytes = vec![0; length];
        rng.fill_bytes(&mut bytes);
        server.guests[alice].frame(bytes.into(), NOW);
        for turn in [
            room_turn::Turn::Join(JoinTurn { group_info: vec![1; length], ratchet_tree: vec![2; length] }),
            room_turn::Turn::Found(FoundTurn {}),
            room_turn::Turn::Remove(proto_remove(length as u64)),
        ] {
            server.push(alice, server_frame::Body::RoomTurn(RoomTurn { turn: Some(turn) }));
        }
    }
}

fn proto_remove(epoch: u64) -> subrosa_wire::proto::RemoveTurn {
    subrosa_wire::proto::RemoveTurn { epoch }
}

#[test]
fn a_silent_server_is_given_up_and_a_passing_refusal_waits() {
    let mut server = Server::new();
    let entry =
        Entry { server: server.key.public().fingerprint(), room: "lobby".parse().unwrap(), who: Who::Any(None) };
    let mut session = RoomSession::new(entry, Box::new(Counter(1))).unwrap();
    session.link_up([3; 32], NOW);
    assert!(matches!(session.poll(), Some(RoomOutput::Transmit(_))));
    let late = session.next_timeout().unwrap();
    session.timeout(late.plus_millis(-1));
    assert_eq!(session.poll(), None);
    session.timeout(late);
    assert!(matches!(session.poll(), Some(RoomOutput::End { again: true, .. })));

    // Who talks too fast says it again when the server wants to hear it.
    let alice = server.named("alice");
    server.guests[alice].send(1, "slowly".into(), NOW);
    let Some(RoomOutput::Transmit(frame)) = server.guests[alice].poll() else { panic!("a message") };
    let id = ClientFrame::decode(frame).unwrap().id;
    let refusal = subrosa_wire::Refusal::retry_after(subrosa_wire::error::ErrorCode::RateLimited, 500);
    server.answer(alice, id, answer::Body::Error(refusal.into()));
    assert_eq!(server.guests[alice].poll(), None);
    assert_eq!(server.guests[alice].next_timeout(), Some(NOW.plus_millis(500)));
    server.guests[alice].timeout(NOW.plus_millis(500));
    server.run();
    assert!(matches!(server.events[alice].last(), Some(RoomEvent::Sent { number: 1, .. })));
}

// ---- What a commit may do ----

fn member(leaf: u32, name: &str) -> Member {
    let guest = Guest { name: name.parse().unwrap(), member: false };
    Member { leaf: LeafIndex(leaf), credential: guest.credential(), signature_key: vec![leaf as u8; 32] }
}

fn guests() -> Guests {
    let guest = |name: &str| Guest { name: name.parse().unwrap(), member: false };
    [(LeafIndex(0), guest("alice")), (LeafIndex(1), guest("bob"))].into()
}

fn join(name: &str) -> CommitSummary {
    CommitSummary {
        committer: member(2, name),
        external_join: true,
        replaced: None,
        aad: Vec::new(),
        added: Vec::new(),
        removed: Vec::new(),
        updated: Vec::new(),
        epoch: Epoch(3),
        has_path: true,
        covers_pending: true,
    }
}

fn removal(by_server: bool) -> CommitSummary {
    CommitSummary {
        committer: member(0, "alice"),
        external_join: false,
        removed: vec![Removal { member: member(1, "bob"), by_server }],
        ..join("alice")
    }
}

#[test]
fn one_guest_may_enter_and_the_server_may_take_out() {
    let carol = Guest { name: "carol".parse().unwrap(), member: false };
    assert_eq!(check::commit(&join("carol"), &guests()), Ok(Change::Joined(LeafIndex(2), carol)));
    assert_eq!(check::commit(&removal(true), &guests()), Ok(Change::Left(vec![LeafIndex(1)])));
}

#[test]
fn nobody_may_do_anything_else() {
    let update = LeafUpdate { before: member(0, "alice"), after: member(0, "carol") };
    let wrong = [
        (removal(false), Breach::Change),
        (CommitSummary { covers_pending: false, ..removal(true) }, Breach::Change),
        (CommitSummary { removed: Vec::new(), ..removal(true) }, Breach::Change),
        (CommitSummary { added: vec![member(2, "carol")], ..removal(true) }, Breach::Change),
        (CommitSummary { updated: vec![update], ..removal(true) }, Breach::Change),
        (CommitSummary { aad: vec![1], ..removal(true) }, Breach::Change),
        (CommitSummary { replaced: Some(member(1, "bob")), ..join("carol") }, Breach::Change),
        (CommitSummary { removed: removal(true).removed, ..join("carol") }, Breach::Change),
        (CommitSummary { added: vec![member(3, "dave")], ..join("carol") }, Breach::Change),
        (join("bob"), Breach::SameName),
        (join("b0b"), Breach::SameName),
        (
            CommitSummary {
                committer: Member { credential: b"carol".to_vec(), ..member(2, "carol") },
                ..join("carol")
            },
            Breach::Name,
        ),
    ];
    for (summary, breach) in wrong {
        assert_eq!(check::commit(&summary, &guests()), Err(breach), "{summary:?}");
    }
}
