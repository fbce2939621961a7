//! The core of rooms with guests that keep to the protocol and guests that do not. No thread, no socket, no waiting.

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

#[test]
fn nobody_gets_in_with_another_name_key_room_or_server() {
    let wrongs: [&Change; 3] = [
        &|_, visitor| {
            visitor.identity.credential = Guest { name: "alice".parse().unwrap(), member: true }.credential();
        },
        &|_, visitor| visitor.identity.credential = b"nobody".to_vec(),
        &|world, visitor| {
            let key = SigningKey::generate(&mut world.rng);
            visitor.identity.signer = LeafSigner::from_seed(key.seed()).unwrap();
        },
    ];
    for wrong in wrongs {
        // As the first one, and as a further one.
        for others in [0, 1] {
            let mut world = World::open();
            let alice = (others > 0).then(|| world.enter("alice"));
            let mut mallory = world.admit("mallory");
            wrong(&mut world, &mut mallory);
            let request = world.get_in(&mallory);
            assert_eq!(world.call(mallory.session, HERE, request), Err(ErrorCode::BadCommit));
            assert_eq!(world.ended.get(&mallory.session), Some(&ErrorCode::BadCommit));
            let mut bob = world.enter("bob");
            if let Some(mut alice) = alice {
                world.catch_up(&mut alice);
                assert!(world.say(&alice, "hello").is_ok());
                assert_eq!(world.catch_up(&mut bob), ["hello"]);
            }
        }
    }
    // A group of another room, another life of the room, or with another server as its external sender.
    for number in 0..3 {
        let mut world = World::open();
        let mallory = world.admit("mallory");
        let (key, other) = (world.rooms.house.server_key, SigningKey::generate(&mut world.rng).public());
        let (id, room) = (mallory.id, "lobby".parse().unwrap());
        let other_id = ConversationId::from_bytes([9; 16]);
        let (made, context, server) = match number {
            0 => (id, binding::context(&key, id, &"cellar".parse().unwrap()), key),
            1 => (other_id, binding::context(&key, other_id, &room), key),
            _ => (id, binding::context(&key, id, &room), other),
        };
        let request = world.mls(&mallory, |mls| {
            let group = Group::create(mls, made, &context, server.as_bytes()).unwrap();
            let group_info = group.group_info(mls).unwrap();
            Body::FoundRoom(FoundRoom { group_info, ratchet_tree: group.ratchet_tree().unwrap() })
        });
        assert_eq!(world.call(mallory.session, HERE, request), Err(ErrorCode::BadCommit), "{number}");
    }
}

#[test]
fn a_commit_with_a_group_info_that_does_not_fit_leaves_the_room_as_it_was() {
    let mut world = World::open();
    let mut alice = world.enter("alice");
    let mallory = world.admit("mallory");
    let Body::RoomJoin(mut join) = world.get_in(&mallory) else { panic!("a join") };
    // One that fits another state: the one before.
    join.group_info = world.rooms.rooms.values().next().unwrap().group_info.clone();
    assert_eq!(world.call(mallory.session, HERE, Body::RoomJoin(join)), Err(ErrorCode::BadCommit));
    assert!(!world.delivered.contains_key(&alice.session), "nobody hears of it");
    let mut bob = world.enter("bob");
    world.catch_up(&mut alice);
    assert!(world.say(&alice, "hello").is_ok());
    assert_eq!(world.catch_up(&mut bob), ["hello"]);
}

#[test]
fn a_member_may_remove_nobody_add_nobody_and_change_nothing_on_its_own() {
    let mut world = World::open();
    let mut alice = world.enter("alice");
    let mut bob = world.enter("bob");
    world.catch_up(&mut alice);
    let id = alice.id;
    let commits: [&Make; 3] = [
        &|mls, group| group.change(mls, &[], &[LeafIndex(1)], b"").unwrap(),
        &|mls, group| group.self_update(mls, b"").unwrap(),
        &|mls, group| {
            let package = mls.key_package(false).unwrap();
            group.add(mls, &[package], b"").unwrap_or_else(|_| group.self_update(mls, b"").unwrap())
        },
    ];
    for make in commits {
        let mallory = world.enter(&format!("mallory{}", world.next));
        world.catch_up(&mut alice);
        world.catch_up(&mut bob);
        let made = world.mls(&mallory, |mls| make(mls, &mut Group::load(mls, id).unwrap().unwrap()));
        let request = Body::RoomCommit(RoomCommit { commit: made.commit, group_info: made.group_info });
        assert_eq!(world.call(mallory.session, HERE, request), Err(ErrorCode::BadCommit));
        // The one who tried is taken out, in the usual way.
        world.turns.clear();
        world.pass(250);
        world.catch_up(&mut alice);
        world.catch_up(&mut bob);
        let commit = world.removal(&alice);
        world.call(alice.session, HERE, Body::RoomCommit(commit)).unwrap();
        world.merge(&alice);
        world.catch_up(&mut bob);
    }
    let all = world.authenticators(&[&alice, &bob]);
    assert_eq!(all[0], all[1]);
}

#[test]
fn words_of_who_is_not_in_of_another_epoch_or_of_no_message_are_not_passed_on() {
    let mut world = World::open();
    let alice = world.enter("alice");
    let early = world.words(&alice, "of an epoch that is over");
    let waiting = world.admit("bob");
    let nothing = Body::RoomSend(RoomSend { message: early.message.clone() });
    assert_eq!(world.call(waiting.session, HERE, nothing), Err(ErrorCode::NotAMember));
    let request = world.get_in(&waiting);
    world.call(waiting.session, HERE, request).unwrap();
    let before = world.delivered.clone();
    assert_eq!(world.call(alice.session, HERE, Body::RoomSend(early)), Err(ErrorCode::StaleEpoch));
    for (name, bytes) in [("carol", b"nonsense".to_vec()), ("dave", Vec::new())] {
        let mut guest = world.enter(name);
        world.catch_up(&mut guest);
        let send = Body::RoomSend(RoomSend { message: bytes.into() });
        assert_eq!(world.call(guest.session, HERE, send), Err(ErrorCode::Malformed));
    }
    let said: usize = world.delivered.values().flatten().filter(|deliver| is_words(&deliver.message)).count();
    assert_eq!(said, before.values().flatten().filter(|deliver| is_words(&deliver.message)).count());
}

fn is_words(message: &[u8]) -> bool {
    peek(message).is_ok_and(|outside| outside.kind == subrosa_mls::Kind::Application)
}

#[test]
fn requests_out_of_place_end_or_are_refused_and_harm_nobody() {
    let mut world = World::open();
    let alice = world.enter("alice");
    let stranger = world.session();
    let send = Body::RoomSend(RoomSend { message: vec![1].into() });
    assert_eq!(world.call(stranger, HERE, send), Err(ErrorCode::OutOfState));
    let join = Body::RoomJoin(RoomJoin { commit: vec![1], group_info: vec![2] });
    assert_eq!(world.call(alice.session, HERE, join), Err(ErrorCode::NotYourTurn));
    let found = Body::FoundRoom(FoundRoom { group_info: vec![1], ratchet_tree: vec![2] });
    assert_eq!(world.call(alice.session, HERE, found), Err(ErrorCode::NotYourTurn));
    let again = EnterRoom { room: "lobby".into(), name: "bob".into(), guest_key: vec![1; 32], pass: Vec::new() };
    assert_eq!(world.call(alice.session, HERE, Body::EnterRoom(again)), Err(ErrorCode::OutOfState));
    assert!(world.rooms.rooms.is_empty(), "who broke the protocol is gone");
}

#[test]
fn names_are_unique_in_a_room_also_in_their_looks_and_prepared() {
    let mut world = World::open();
    let _alice = world.enter("alice");
    for name in ["alice", "a1ice"] {
        assert_eq!(world.ask(HERE, "lobby", name, Vec::new()).1, Err(ErrorCode::UsernameTaken), "{name}");
    }
    assert!(world.ask(HERE, "cellar", "alice", Vec::new()).1.is_ok(), "in another room");
    for name in ["Alice", "", "@alice", "a b", "аlice", "x\u{202e}y", &"x".repeat(33)] {
        assert_eq!(world.ask(HERE, "lobby", name, Vec::new()).1, Err(ErrorCode::UsernameRefused), "{name}");
        assert_eq!(world.ask(HERE, name, "bob", Vec::new()).1, Err(ErrorCode::UsernameRefused), "{name}");
    }
}

#[test]
fn the_operator_decides_who_enters_and_a_pass_says_who_has_an_account() {
    let mut world = World::new(RoomPolicy::Members, RoomLimits::default());
    assert_eq!(world.ask(HERE, "lobby", "bob", Vec::new()).1, Err(ErrorCode::RoomPassNeeded));
    let passes = world.rooms.house.passes.clone();
    let (pass, _) = passes.issue("bob".parse().unwrap(), world.now, &mut world.rng);
    let entered = world.ask(HERE, "lobby", "mallory", pass.to_vec()).1.unwrap();
    assert_eq!((entered.name.as_str(), entered.member), ("bob", true), "the pass says the name");
    assert_eq!(world.ask(HERE, "lobby", "", pass.to_vec()).1, Err(ErrorCode::RoomPassNeeded), "used");

    let mut world = World::open();
    assert_eq!(world.ask(HERE, "lobby", "bob", vec![7; 16]).1, Err(ErrorCode::RoomPassNeeded), "not as a guest then");
    let mut world = World::new(RoomPolicy::Off, RoomLimits::default());
    assert_eq!(world.ask(HERE, "lobby", "bob", Vec::new()).1, Err(ErrorCode::RoomsOff));
}

#[test]
fn rooms_guests_and_addresses_are_bounded() {
    let limits = RoomLimits { rooms: 2, guests: 4, guests_a_room: 2, guests_an_address: 3, ..RoomLimits::default() };
    let mut world = World::new(RoomPolicy::Open, limits);
    let mut ask = |address, room: &str, name: &str| world.ask(address, room, name, Vec::new()).1.map(drop);
    assert_eq!(ask(AWAY, "one", "a"), Ok(()));
    assert_eq!(ask(AWAY, "one", "b"), Ok(()));
    assert_eq!(ask(HERE, "one", "c"), Err(ErrorCode::RoomFull), "the room");
    assert_eq!(ask(AWAY, "two", "c"), Ok(()));
    assert_eq!(ask(AWAY, "two", "d"), Err(ErrorCode::RoomFull), "the address");
    assert_eq!(ask(HERE, "three", "d"), Err(ErrorCode::RoomFull), "rooms");
    assert_eq!(ask(HERE, "two", "d"), Ok(()));
    assert_eq!(ask(HERE, "four", "e"), Err(ErrorCode::RoomFull), "guests");
    let mut world = World::open();
    let asked = (0..30).map(|number| world.ask(AWAY, "one", &format!("n{number}"), Vec::new()).1);
    assert_eq!(asked.filter(|entered| *entered == Err(ErrorCode::RateLimited)).count(), 10);
}

fn net(network: u16, host: u16) -> IpAddr {
    Ipv6Addr::new(0x2001, 0xdb8, 0, network, 0, 0, 0, host).into()
}

#[test]
fn an_ipv6_network_counts_as_one_address_and_opens_at_most_eight_rooms() {
    let mut world = World::open();
    let mut ask = |address, room: &str, name: &str| world.ask(address, room, name, Vec::new()).1.map(drop);
    for number in 0..8 {
        assert_eq!(ask(net(1, number), &format!("r{number}"), "a"), Ok(()));
    }
    assert_eq!(ask(net(1, 99), "r8", "a"), Err(ErrorCode::RoomFull));
    assert_eq!(ask(net(1, 99), "r0", "b"), Ok(()), "into one that exists");
    assert_eq!(ask(net(2, 1), "r8", "a"), Ok(()), "another network");
    for number in 10..30 {
        assert_eq!(ask(HERE, &format!("r{number}"), "a"), Ok(()), "this machine");
    }
    let asked = (0..30).map(|number| ask(net(1, number), "r0", &format!("n{number}")));
    assert!(asked.filter(|entered| *entered == Err(ErrorCode::RateLimited)).count() >= 10);

    let mut world = World::new(RoomPolicy::Open, RoomLimits { guests_an_address: 2, ..RoomLimits::default() });
    let asked = (0..3).map(|number| world.ask(net(1, number), "one", &format!("n{number}"), Vec::new()).1.map(drop));
    assert_eq!(asked.collect::<Vec<_>>(), [Ok(()), Ok(()), Err(ErrorCode::RoomFull)]);
    let mapped = Ipv4Addr::new(192, 0, 2, 1).to_ipv6_mapped().into();
    assert_eq!(Source::of(mapped), Source::of(AWAY), "not all of IPv4 together");
}

#[test]
fn requests_that_are_refused_cost_their_sender_as_those_that_are_not() {
    let mut world = World::open();
    let alice = world.enter("alice");
    let stale = world.words(&alice, "of an epoch that is over");
    let _bob = world.enter("bob");
    let mut refused = |times, request: Body| {
        let answers = (0..times).map(|_| world.call(alice.session, HERE, request.clone()).unwrap_err());
        answers.filter(|code| *code == ErrorCode::RateLimited).count()
    };
    assert_eq!(refused(70, Body::RoomSend(stale)), 10);
    // One of twenty was needed to get in.
    assert_eq!(refused(30, Body::RoomJoin(RoomJoin { commit: vec![1], group_info: vec![2] })), 11);
    let found = FoundRoom { group_info: vec![1], ratchet_tree: vec![2] };
    assert_eq!(refused(1, Body::FoundRoom(found)), 1);
    assert_eq!(refused(1, Body::RoomCommit(RoomCommit { commit: vec![1], group_info: vec![2] })), 1);

    let first = world.admit_from(AWAY, "first");
    for number in 1..20 {
        assert!(world.ask(AWAY, "lobby", &format!("n{number}"), Vec::new()).1.is_ok());
    }
    let again = EnterRoom { room: "lobby".into(), name: "bob".into(), guest_key: vec![1; 32], pass: Vec::new() };
    assert_eq!(world.call(first.session, AWAY, Body::EnterRoom(again)), Err(ErrorCode::RateLimited));
}

#[test]
fn who_talks_too_much_waits() {
    let mut world = World::open();
    let alice = world.enter("alice");
    let _bob = world.enter("bob");
    let mut alice = alice;
    world.catch_up(&mut alice);
    let said = (0..70).map(|_| world.say(&alice, "again")).filter(Result::is_ok).count();
    assert_eq!(said, 60);
    assert_eq!(world.say(&alice, "again"), Err(ErrorCode::RateLimited));
    world.pass(50);
    assert!(world.say(&alice, "again").is_ok());
}
