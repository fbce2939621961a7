//! The core of rooms with guests that keep to the protocol and guests that do not. No thread, no socket, no waiting.

mod bounds;
mod hostile;

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use rusqlite::Connection;
use subrosa_crypto::SigningKey;
use subrosa_mls::{Group, Identity, LeafIndex, Mls, Processed, SCHEMA, peek};
use subrosa_wire::proto::room_turn::Turn as Given;
use subrosa_wire::proto::{FoundRoom, RoomCommit, RoomJoin, RoomSend};

use super::*;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const AWAY: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// Makes a visitor another one than was let in.
type Change = dyn Fn(&mut World, &mut Visitor);
/// Makes a commit.
type Make = dyn Fn(&Mls<'_>, &mut Group) -> subrosa_mls::Proposed;

/// All rooms, and what came for whom.
struct World {
    rooms: Rooms,
    now: Timestamp,
    rng: ChaCha20Rng,
    next: u64,
    answers: BTreeMap<u64, answer::Body>,
    turns: BTreeMap<SessionId, VecDeque<Given>>,
    delivered: BTreeMap<SessionId, Vec<proto::RoomDeliver>>,
    ended: BTreeMap<SessionId, ErrorCode>,
    events: Vec<Event>,
}

/// A guest with keys and a group of its own.
struct Visitor {
    session: SessionId,
    store: Connection,
    identity: Identity,
    id: ConversationId,
    taken: usize,
}

impl World {
    fn new(policy: RoomPolicy, limits: RoomLimits) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let key = SigningKey::generate(&mut rng);
        let signer = LeafSigner::from_seed(key.seed()).unwrap();
        let house = House { policy, limits, server_key: key.public(), signer, passes: Arc::default() };
        Self {
            rooms: Rooms::new(house),
            now: Timestamp(1_800_000_000_000),
            rng,
            next: 0,
            answers: BTreeMap::new(),
            turns: BTreeMap::new(),
            delivered: BTreeMap::new(),
            ended: BTreeMap::new(),
            events: Vec::new(),
        }
    }

    fn open() -> Self {
        Self::new(RoomPolicy::Open, RoomLimits::default())
    }

    /// Does what the thread does.
    fn carry_out(&mut self, mut out: Vec<Output>) {
        while !out.is_empty() {
            let mut gone = Vec::new();
            for output in std::mem::take(&mut out) {
                match output {
                    Output::Admit(_) => {}
                    Output::Answer(_, id, body) => assert!(self.answers.insert(id, body).is_none()),
                    Output::Turn(session, turn) => {
                        self.turns.entry(session).or_default().extend(turn.turn);
                    }
                    Output::Deliver(sessions, server_frame::Body::RoomDeliver(deliver)) => {
                        for session in sessions {
                            self.delivered.entry(session).or_default().push(deliver.clone());
                        }
                    }
                    Output::Deliver(..) => panic!("only RoomDeliver is delivered"),
                    Output::End(session, code, _) => {
                        self.ended.entry(session).or_insert(code);
                        gone.push(session);
                    }
                    Output::Event(event) => self.events.push(event),
                }
            }
            for session in gone {
                self.rooms.leave(session, self.now, &mut out);
            }
        }
    }

    /// A request; its answer, or the code with which the guest was refused or ended.
    fn call(&mut self, session: SessionId, address: IpAddr, request: Body) -> Result<answer::Body, ErrorCode> {
        self.next += 1;
        let (id, mut out) = (self.next, Vec::new());
        let frame = ClientFrame { id, request: Some(request) };
        self.rooms.request(session, address, frame, self.now, &mut self.rng, &mut out);
        self.carry_out(out);
        match self.answers.remove(&id) {
            Some(answer::Body::Error(error)) => Err(Refusal::from(error).code),
            Some(body) => Ok(body),
            None => Err(*self.ended.get(&session).expect("an answer or the end")),
        }
    }

    fn session(&mut self) -> SessionId {
        self.next += 1;
        SessionId(self.next)
    }

    fn ask(
        &mut self,
        address: IpAddr,
        room: &str,
        name: &str,
        pass: Vec<u8>,
    ) -> (SessionId, Result<RoomEntered, ErrorCode>) {
        let session = self.session();
        let enter = EnterRoom { room: room.into(), name: name.into(), guest_key: vec![1; 32], pass };
        let entered = self.call(session, address, Body::EnterRoom(enter)).map(|body| match body {
            answer::Body::RoomEntered(entered) => entered,
            other => panic!("{other:?}"),
        });
        (session, entered)
    }

    /// Somebody who was let in and waits for a turn.
    fn admit(&mut self, name: &str) -> Visitor {
        self.admit_from(HERE, name)
    }

    fn admit_from(&mut self, address: IpAddr, name: &str) -> Visitor {
        let session = self.session();
        let key = SigningKey::generate(&mut self.rng);
        let signer = LeafSigner::from_seed(key.seed()).unwrap();
        let guest_key = signer.public_key().to_vec();
        let enter = EnterRoom { room: "lobby".into(), name: name.into(), guest_key, pass: Vec::new() };
        let Ok(answer::Body::RoomEntered(entered)) = self.call(session, address, Body::EnterRoom(enter)) else {
            panic!("{name} is let in")
        };
        let guest = Guest { name: name.parse().unwrap(), member: false };
        let store = Connection::open_in_memory().unwrap();
        store.execute_batch(SCHEMA).unwrap();
        let identity = Identity { credential: guest.credential(), signer };
        let id = ConversationId::from_slice(&entered.conversation_id).unwrap();
        Visitor { session, store, identity, id, taken: 0 }
    }

    fn turn(&mut self, visitor: &Visitor) -> Given {
        self.turns.get_mut(&visitor.session).and_then(VecDeque::pop_front).expect("its turn")
    }

    fn has_turn(&self, visitor: &Visitor) -> bool {
        self.turns.get(&visitor.session).is_some_and(|turns| !turns.is_empty())
    }

    fn mls<T>(&mut self, visitor: &Visitor, run: impl FnOnce(&Mls<'_>) -> T) -> T {
        run(&Mls::new(&visitor.store, &mut self.rng, &visitor.identity).unwrap())
    }

    /// The request that uses a turn to get in.
    fn get_in(&mut self, visitor: &Visitor) -> Body {
        let turn = self.turn(visitor);
        let (id, key) = (visitor.id, self.rooms.house.server_key);
        let context = binding::context(&key, id, &"lobby".parse().unwrap());
        self.mls(visitor, |mls| match turn {
            Given::Found(_) => {
                let group = Group::create(mls, id, &context, key.as_bytes()).unwrap();
                let group_info = group.group_info(mls).unwrap();
                Body::FoundRoom(FoundRoom { group_info, ratchet_tree: group.ratchet_tree().unwrap() })
            }
            Given::Join(turn) => {
                let (_, commit, group_info) =
                    Group::join_external(mls, &turn.group_info, &turn.ratchet_tree, b"").unwrap();
                Body::RoomJoin(RoomJoin { commit, group_info })
            }
            Given::Remove(_) => panic!("a turn to get in"),
        })
    }

    fn enter(&mut self, name: &str) -> Visitor {
        self.enter_from(HERE, name)
    }

    fn enter_from(&mut self, address: IpAddr, name: &str) -> Visitor {
        let visitor = self.admit_from(address, name);
        let request = self.get_in(&visitor);
        self.call(visitor.session, HERE, request).expect("let in");
        visitor
    }

    fn leave(&mut self, visitor: &Visitor) {
        let mut out = Vec::new();
        self.rooms.leave(visitor.session, self.now, &mut out);
        self.carry_out(out);
    }

    /// Lets this much time pass, and does what is due.
    fn pass(&mut self, milliseconds: i64) {
        self.now = self.now.plus_millis(milliseconds);
        let mut out = Vec::new();
        self.rooms.tick(self.now, &mut out);
        self.carry_out(out);
    }

    /// Takes in what was delivered. What was said, in order.
    fn catch_up(&mut self, visitor: &mut Visitor) -> Vec<String> {
        let all = self.delivered.get(&visitor.session).cloned().unwrap_or_default();
        let mut said = Vec::new();
        for deliver in &all[visitor.taken..] {
            let id = visitor.id;
            said.extend(self.mls(visitor, |mls| {
                let mut group = Group::load(mls, id).unwrap().unwrap();
                match group.process(mls, &deliver.message).unwrap() {
                    Processed::Application { plaintext, .. } => return Some(String::from_utf8(plaintext).unwrap()),
                    Processed::Commit(staged) => group.merge(mls, *staged).unwrap(),
                    Processed::Proposal(proposal) => group.store_proposal(mls, *proposal).unwrap(),
                    Processed::OwnCommit => panic!("one's own is not delivered"),
                }
                None
            }));
        }
        visitor.taken = all.len();
        said
    }

    fn words(&mut self, visitor: &Visitor, text: &str) -> RoomSend {
        let id = visitor.id;
        let message =
            self.mls(visitor, |mls| Group::load(mls, id).unwrap().unwrap().encrypt(mls, b"", text.as_bytes()).unwrap());
        RoomSend { message: message.into() }
    }

    fn say(&mut self, visitor: &Visitor, text: &str) -> Result<u64, ErrorCode> {
        let send = self.words(visitor, text);
        self.call(visitor.session, HERE, Body::RoomSend(send)).map(sequence)
    }

    /// Everybody's authenticator of the epoch.
    fn authenticators(&mut self, visitors: &[&Visitor]) -> Vec<Vec<u8>> {
        visitors
            .iter()
            .map(|visitor| {
                let id = visitor.id;
                self.mls(visitor, |mls| Group::load(mls, id).unwrap().unwrap().epoch_authenticator())
            })
            .collect()
    }

    fn removal(&mut self, visitor: &Visitor) -> RoomCommit {
        let id = visitor.id;
        let made =
            self.mls(visitor, |mls| Group::load(mls, id).unwrap().unwrap().commit_pending_proposals(mls, b"").unwrap());
        RoomCommit { commit: made.commit, group_info: made.group_info }
    }

    fn merge(&mut self, visitor: &Visitor) {
        let id = visitor.id;
        self.mls(visitor, |mls| Group::load(mls, id).unwrap().unwrap().merge_pending(mls).unwrap());
    }
}

fn sequence(body: answer::Body) -> u64 {
    match body {
        answer::Body::RoomOrdered(ordered) => ordered.sequence,
        other => panic!("{other:?}"),
    }
}

#[test]
fn guests_come_in_one_after_the_other_and_hear_each_other_in_one_order() {
    let mut world = World::open();
    let mut alice = world.enter("alice");
    let mut bob = world.enter("bob");
    let mut carol = world.enter("carol");
    world.catch_up(&mut alice);
    world.catch_up(&mut bob);
    let all = world.authenticators(&[&alice, &bob, &carol]);
    assert!(all.windows(2).all(|pair| pair[0] == pair[1]));
    assert_eq!(world.say(&alice, "one"), Ok(4));
    assert_eq!(world.say(&carol, "two"), Ok(5));
    assert_eq!(world.catch_up(&mut bob), ["one", "two"]);
    assert_eq!(world.catch_up(&mut alice), ["two"], "not one's own");
    assert_eq!(world.catch_up(&mut carol), ["one"]);
    for (session, place) in [(&alice, vec![2, 3, 5]), (&bob, vec![3, 4, 5]), (&carol, vec![4])] {
        let got: Vec<_> = world.delivered[&session.session].iter().map(|deliver| deliver.sequence).collect();
        assert_eq!(got, place);
    }
}

#[test]
fn of_those_who_wait_one_has_the_turn_and_who_lets_it_pass_loses_its_place() {
    let mut world = World::open();
    let alice = world.enter("alice");
    let (slow, next) = (world.admit("slow"), world.admit("next"));
    assert!(world.has_turn(&slow) && !world.has_turn(&next));
    let late = world.get_in(&slow);
    world.pass(4_999);
    assert!(!world.has_turn(&next));
    world.pass(1);
    assert_eq!(world.ended.get(&slow.session), Some(&ErrorCode::TooSlow));
    assert_eq!(world.call(slow.session, HERE, late), Err(ErrorCode::TooSlow));
    let request = world.get_in(&next);
    world.call(next.session, HERE, request).unwrap();
    assert!(!world.ended.contains_key(&alice.session));
}

#[test]
fn who_goes_is_taken_out_with_others_that_go_and_nothing_is_said_in_between() {
    let mut world = World::open();
    let mut alice = world.enter("alice");
    let mut bob = world.enter("bob");
    let (carol, dave) = (world.enter("carol"), world.enter("dave"));
    world.catch_up(&mut bob);
    world.leave(&carol);
    world.pass(100);
    world.leave(&dave);
    assert!(!world.has_turn(&alice));
    world.pass(150);
    assert!(matches!(world.turn(&alice), Given::Remove(_)), "the one who is here longest");
    // Bob has not seen the proposals yet.
    assert_eq!(world.say(&bob, "hello?"), Err(ErrorCode::PendingProposals));
    world.catch_up(&mut alice);
    world.catch_up(&mut bob);
    let commit = world.removal(&alice);
    world.call(alice.session, HERE, Body::RoomCommit(commit)).unwrap();
    world.merge(&alice);
    world.catch_up(&mut bob);
    let all = world.authenticators(&[&alice, &bob]);
    assert_eq!(all[0], all[1]);
    assert!(world.say(&bob, "hello").is_ok());
    assert_eq!(world.catch_up(&mut alice), ["hello"]);
    let left = world.events.iter().filter(|event| matches!(event, Event::GuestLeft { .. })).count();
    assert_eq!(left, 2);
}

#[test]
fn a_guest_that_does_not_commit_a_removal_is_passed_over() {
    let mut world = World::open();
    let mut alice = world.enter("alice");
    let mut bob = world.enter("bob");
    let carol = world.enter("carol");
    world.catch_up(&mut alice);
    world.catch_up(&mut bob);
    world.leave(&carol);
    world.pass(250);
    assert!(world.has_turn(&alice) && !world.has_turn(&bob));
    world.pass(3_000);
    assert!(matches!(world.turn(&bob), Given::Remove(_)));
    world.catch_up(&mut alice);
    world.catch_up(&mut bob);
    let (first, second) = (world.removal(&bob), world.removal(&alice));
    world.call(bob.session, HERE, Body::RoomCommit(first)).unwrap();
    // Alice was asked, too; she learns that it is done.
    assert_eq!(world.call(alice.session, HERE, Body::RoomCommit(second)), Err(ErrorCode::StaleEpoch));
    // The one who was asked goes as well: the next is asked at once.
    let dave = world.admit("dave");
    let request = world.get_in(&dave);
    world.call(dave.session, HERE, request).unwrap();
    world.turns.clear();
    world.leave(&dave);
    world.pass(250);
    assert!(world.has_turn(&alice));
    world.leave(&alice);
    world.pass(0);
    assert!(world.has_turn(&bob));
}

#[test]
fn who_lets_two_turns_to_remove_pass_is_ended_and_the_room_goes_on() {
    let mut world = World::open();
    let slow = world.enter("slow");
    let (mut alice, carol) = (world.enter("alice"), world.enter("carol"));
    world.leave(&carol);
    world.pass(250);
    for _ in 0..2 {
        assert!(matches!(world.turn(&slow), Given::Remove(_)));
        assert!(!world.ended.contains_key(&slow.session));
        world.pass(3_000);
        assert!(matches!(world.turn(&alice), Given::Remove(_)));
        if !world.ended.contains_key(&slow.session) {
            world.pass(3_000);
        }
    }
    assert_eq!(world.ended.get(&slow.session), Some(&ErrorCode::TooSlow));
    assert!(!world.ended.contains_key(&alice.session), "it let one pass");
    world.catch_up(&mut alice);
    let commit = world.removal(&alice);
    world.call(alice.session, HERE, Body::RoomCommit(commit)).unwrap();
    world.merge(&alice);
    // Now the slow one itself.
    world.pass(250);
    assert!(matches!(world.turn(&alice), Given::Remove(_)));
}

#[test]
fn removals_begin_behind_the_last_who_committed_one_and_an_address_that_let_one_pass_is_asked_last() {
    let mut world = World::open();
    let hostile = ["mallory", "mallet"].map(|name| world.enter_from(AWAY, name));
    let mut guests = ["alice", "bob"].map(|name| world.enter(name));
    // Who has to commit, and how long that takes to be found out.
    for (place, wait) in [(0, 3_250), (1, 250), (0, 250)] {
        let leaver = world.enter("leaver");
        world.turns.clear();
        world.leave(&leaver);
        world.pass(250);
        if wait > 250 {
            assert!(world.has_turn(&hostile[0]));
            world.pass(wait - 250);
        }
        assert!(!world.has_turn(&hostile[1]), "nor another one from there");
        guests.iter_mut().for_each(|guest| drop(world.catch_up(guest)));
        assert!(matches!(world.turn(&guests[place]), Given::Remove(_)), "{place}");
        let commit = world.removal(&guests[place]);
        world.call(guests[place].session, HERE, Body::RoomCommit(commit)).unwrap();
        world.merge(&guests[place]);
    }
    assert!(world.ended.is_empty());
}

#[test]
fn a_crowd_from_one_address_does_not_keep_others_from_getting_in() {
    let mut world = World::open();
    let _alice = world.enter("alice");
    let crowd: Vec<_> = (0..6).map(|number| world.admit_from(AWAY, &format!("m{number}"))).collect();
    let bob = world.admit_from(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1)), "bob");
    assert!(world.has_turn(&crowd[0]));
    world.pass(5_000);
    assert!(world.has_turn(&bob) && !world.has_turn(&crowd[1]));
}

#[test]
fn when_a_step_cannot_be_taken_back_everybody_is_ended_and_the_room_with_them() {
    let mut world = World::open();
    let inside = [world.enter("alice"), world.enter("bob")];
    let waiting = [world.admit("carol"), world.admit("dave")];
    let mut out = Vec::new();
    world.rooms.rooms.values_mut().next().unwrap().restore(b"no group", &mut out);
    world.carry_out(out);
    for guest in inside.iter().chain(&waiting) {
        assert_eq!(world.ended.get(&guest.session), Some(&ErrorCode::Internal));
    }
    assert!(world.rooms.rooms.is_empty() && world.rooms.guests.is_empty());
    let erin = world.enter("erin");
    assert_ne!(erin.id, inside[0].id);
}

#[test]
fn a_broken_room_waits_for_nothing_even_before_its_guests_are_gone() {
    let mut world = World::open();
    let _alice = world.enter("alice");
    let bob = world.enter("bob");
    world.leave(&bob);
    assert!(world.rooms.next_timeout().is_some());
    let (mut out, room) = (Vec::new(), world.rooms.rooms.values_mut().next().unwrap());
    room.restore(b"no group", &mut out);
    assert_eq!(world.rooms.next_timeout(), None);
}

#[test]
fn the_last_one_out_ends_the_room_and_the_next_one_begins_another() {
    let mut world = World::open();
    let alice = world.enter("alice");
    let first = alice.id;
    world.leave(&alice);
    assert!(world.rooms.rooms.is_empty() && world.rooms.guests.is_empty() && world.rooms.by_address.is_empty());
    assert_eq!(world.rooms.next_timeout(), None);
    let bob = world.enter("bob");
    assert_ne!(bob.id, first);
}

#[test]
fn when_all_who_were_in_are_gone_who_waits_makes_the_group_anew() {
    let mut world = World::open();
    let alice = world.enter("alice");
    let (bob, carol) = (world.admit("bob"), world.admit("carol"));
    world.leave(&alice);
    // Bob's turn was to join; the group that he would join has nobody in it.
    world.leave(&bob);
    assert!(matches!(world.turns[&carol.session].front(), Some(Given::Found(_))));
    let request = world.get_in(&carol);
    world.call(carol.session, HERE, request).unwrap();
}
