//! Guests and outsiders that do what they must not.

use super::*;

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
