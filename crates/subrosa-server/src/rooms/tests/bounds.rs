//! Who enters, how many, and how much one may ask for.

use super::*;

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
