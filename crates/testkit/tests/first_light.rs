//! What should happen when nothing goes wrong: accounts, roles, private chat, groups and devices, end to end.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use subrosa_engine::api::{Command, Event, Failure, FailureCode, InviteKind, Reply, SendState, Target, Wait};
use subrosa_types::{IdempotencyKey, Role};
use testkit::harness::{DeviceNumber, Harness};

fn group(title: &str) -> Target {
    Target::Group(title.into())
}

fn name(name: &str) -> subrosa_types::Username {
    name.parse().unwrap()
}

fn role_of(world: &mut Harness, device: DeviceNumber) -> Role {
    match world.run(device, Command::WhoAmI) {
        Ok(Reply::WhoAmI(who)) => who.role,
        other => panic!("{other:?}"),
    }
}

fn set_role(world: &mut Harness, by: DeviceNumber, whose: &str, role: Role) -> Result<Reply, Failure> {
    world.run(by, Command::RoleSet { name: name(whose), role })
}

fn create(world: &mut Harness, by: DeviceNumber, title: &str, members: &[&str]) -> Result<Reply, Failure> {
    let members = members.iter().map(|member| name(member)).collect();
    world.run(by, Command::GroupCreate { title: title.parse().unwrap(), members })
}

fn accept(world: &mut Harness, by: DeviceNumber, what: &str) -> Result<Reply, Failure> {
    world.run(by, Command::Accept { id: what.into() })
}

fn members(world: &mut Harness, by: DeviceNumber, title: &str) -> Vec<String> {
    match world.run(by, Command::GroupMembers { group: group(title) }) {
        Ok(Reply::Members(rows)) => rows.into_iter().map(|row| row.name).collect(),
        other => panic!("{other:?}"),
    }
}

fn invites(world: &mut Harness, by: DeviceNumber) -> Vec<(InviteKind, String, String)> {
    match world.run(by, Command::Invites) {
        Ok(Reply::Invites(rows)) => rows.into_iter().map(|row| (row.kind, row.chat, row.from)).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_first_to_sign_up_is_the_super_admin() {
    let mut world = Harness::new(1);
    let alice = world.sign_up("alice");
    let bob = world.sign_up("bob");
    assert_eq!(role_of(&mut world, alice), Role::SuperAdmin);
    assert_eq!(role_of(&mut world, bob), Role::Beginner);
    let again = world.device();
    let taken = world.sign_up_command("alice");
    assert_eq!(world.run(again, taken).unwrap_err().kind, "username_taken");
    let wrong = Command::LogIn {
        server: Some(world.link().into()),
        username: "alice".into(),
        password: subrosa_engine::api::Secret("something else entirely".into()),
        device: "thief".into(),
        danger_reset_key: false,
    };
    let wrong = world.run(again, wrong).unwrap_err();
    let unknown = world.log_in_command("nobody", false);
    let unknown = world.run(again, unknown).unwrap_err();
    assert_eq!(wrong, unknown);
    assert_eq!(wrong.code, FailureCode::Usage);
}

#[test]
fn two_people_write_to_each_other() {
    let mut world = Harness::new(2);
    let alice = world.sign_up("alice");
    let bob = world.sign_up("bob");
    world.say(alice, "@bob", "hello").unwrap();
    assert_eq!(invites(&mut world, bob), [(InviteKind::Request, "@alice".into(), "alice".into())]);
    assert_eq!(world.read(bob, "@alice"), ["alice: hello"]);
    world.say(bob, "@alice", "hello yourself").unwrap();
    assert_eq!(invites(&mut world, bob), []);
    world.say(alice, "@bob", "how are you?").unwrap();
    for (who, chat) in [(alice, "@bob"), (bob, "@alice")] {
        assert_eq!(world.read(who, chat), ["alice: hello", "bob: hello yourself", "alice: how are you?"]);
    }
    let live: Vec<String> = world
        .events(bob)
        .into_iter()
        .filter_map(|event| match event {
            Event::Message(row) if !row.own => Some(row.text),
            _ => None,
        })
        .collect();
    assert_eq!(live, ["hello", "how are you?"]);
    assert_eq!(world.say(alice, "@nobody", "hello").unwrap_err().kind, "no_such_account");
    assert_eq!(world.say(alice, "@alice", "hello").unwrap_err().code, FailureCode::Usage);
}

#[test]
fn a_repeated_send_with_the_same_id_is_harmless() {
    let mut world = Harness::new(3);
    let alice = world.sign_up("alice");
    let bob = world.sign_up("bob");
    let send = |id: u8, wait| Command::Send {
        to: "@bob".parse().unwrap(),
        text: format!("number {id}"),
        id: Some(IdempotencyKey::from_bytes([id; 16])),
        wait,
    };
    for _ in 0..2 {
        let Ok(Reply::Sent(sent)) = world.run(alice, send(1, Wait::Accepted)) else { panic!() };
        assert_eq!(sent.state, SendState::Accepted);
    }
    world.say(bob, "@alice", "go on").unwrap();
    let Ok(Reply::Sent(sent)) = world.run(alice, send(2, Wait::Delivered)) else { panic!() };
    assert_eq!(sent.state, SendState::Delivered);
    assert_eq!(world.read(bob, "@alice"), ["alice: number 1", "bob: go on", "alice: number 2"]);
}

#[test]
fn what_is_sent_to_somebody_offline_arrives_later_once_and_in_order() {
    let mut world = Harness::new(4);
    let alice = world.sign_up("alice");
    let bob = world.sign_up("bob");
    world.say(alice, "@bob", "one").unwrap();
    world.say(bob, "@alice", "two").unwrap();
    world.cut(bob);
    for text in ["three", "four", "five"] {
        world.say(alice, "@bob", text).unwrap();
    }
    world.restart(bob);
    let Ok(Reply::Reloaded { messages, .. }) = world.run(bob, Command::Reload) else { panic!() };
    assert_eq!(messages, 3);
    let all = ["alice: one", "bob: two", "alice: three", "alice: four", "alice: five"];
    assert_eq!(world.read(bob, "@alice"), all);
    world.restart(alice);
    assert_eq!(world.read(alice, "@bob"), all);
    world.say(alice, "@bob", "six").unwrap();
    assert_eq!(world.read(bob, "@alice").len(), 6);
}

#[test]
fn a_group_is_made_joined_renamed_and_left() {
    let mut world = Harness::new(5);
    let alice = world.sign_up("alice");
    let bob = world.sign_up("bob");
    let carol = world.sign_up("carol");
    let dave = world.sign_up("dave");
    create(&mut world, alice, "tea", &["bob", "carol"]).unwrap();
    assert_eq!(invites(&mut world, bob), [(InviteKind::Group, "#tea".into(), "alice".into())]);
    assert_eq!(world.say(bob, "#tea", "hi").unwrap_err().kind, "not_accepted");
    accept(&mut world, bob, "#tea").unwrap();
    accept(&mut world, carol, "#tea").unwrap();
    world.say(alice, "#tea", "welcome").unwrap();
    world.say(bob, "#tea", "thanks").unwrap();
    for who in [alice, bob, carol] {
        assert_eq!(world.read(who, "#tea"), ["alice: welcome", "bob: thanks"]);
        assert_eq!(members(&mut world, who, "tea"), ["alice", "bob", "carol"]);
    }
    // A beginner changes nothing.
    let add = |who: &str| Command::GroupAdd { group: group("tea"), members: vec![name(who)] };
    assert_eq!(world.run(bob, add("dave")).unwrap_err().code, FailureCode::Policy);
    let rename = |title: &str| Command::GroupRename { group: group("tea"), title: title.parse().unwrap() };
    assert_eq!(world.run(bob, rename("coffee")).unwrap_err().code, FailureCode::Policy);
    assert_eq!(create(&mut world, bob, "mine", &["carol"]).unwrap_err().code, FailureCode::Policy);

    world.run(alice, add("dave")).unwrap();
    accept(&mut world, dave, "#tea").unwrap();
    world.say(dave, "#tea", "here I am").unwrap();
    world.run(alice, rename("coffee")).unwrap();
    assert_eq!(world.read(dave, "#coffee"), ["dave: here I am"]);
    assert_eq!(world.read(carol, "#coffee").len(), 3);

    let remove = Command::GroupRemove { group: group("coffee"), members: vec![name("carol")] };
    world.run(alice, remove).unwrap();
    world.say(alice, "#coffee", "carol is gone").unwrap();
    assert_eq!(world.say(carol, "#coffee", "am I?").unwrap_err().code, FailureCode::Policy);
    assert_eq!(world.read(carol, "#coffee").len(), 3);
    assert_eq!(members(&mut world, bob, "coffee"), ["alice", "bob", "dave"]);

    world.run(bob, Command::GroupLeave { group: group("coffee") }).unwrap();
    world.say(alice, "#coffee", "bob is gone, too").unwrap();
    assert_eq!(members(&mut world, dave, "coffee"), ["alice", "dave"]);
    assert_eq!(world.read(bob, "#coffee").len(), 4);
    assert_eq!(world.say(bob, "#coffee", "no").unwrap_err().code, FailureCode::Policy);
    // Somebody who left may be asked again.
    let again = Command::GroupAdd { group: group("coffee"), members: vec![name("bob")] };
    world.run(alice, again).unwrap();
    accept(&mut world, bob, "#coffee").unwrap();
    world.say(bob, "#coffee", "back").unwrap();
    assert_eq!(world.read(dave, "#coffee").last().unwrap(), "bob: back");
}

#[test]
fn an_invitation_is_declined() {
    let mut world = Harness::new(6);
    let alice = world.sign_up("alice");
    let bob = world.sign_up("bob");
    create(&mut world, alice, "tea", &["bob"]).unwrap();
    world.run(bob, Command::Decline { id: "#tea".into() }).unwrap();
    assert_eq!(invites(&mut world, bob), []);
    world.wait(20_000);
    assert_eq!(members(&mut world, alice, "tea"), ["alice"]);
    world.say(alice, "#tea", "alone").unwrap();
    world.say(alice, "@bob", "hello?").unwrap();
    world.run(bob, Command::Decline { id: "@alice".into() }).unwrap();
    assert_eq!(invites(&mut world, bob), []);
    // Who declined may write all the same.
    world.say(bob, "@alice", "I did not mean it").unwrap();
    assert_eq!(world.read(alice, "@bob").last().unwrap(), "bob: I did not mean it");
    world.say(alice, "@bob", "good").unwrap();
    assert_eq!(world.read(bob, "@alice").last().unwrap(), "alice: good");
}

#[test]
fn roles_are_given_and_refused_as_the_table_says() {
    let mut world = Harness::new(7);
    let alice = world.sign_up("alice");
    let bob = world.sign_up("bob");
    let carol = world.sign_up("carol");
    assert_eq!(set_role(&mut world, bob, "carol", Role::Advanced).unwrap_err().code, FailureCode::Policy);
    set_role(&mut world, alice, "bob", Role::Admin).unwrap();
    assert_eq!(role_of(&mut world, bob), Role::Admin);
    set_role(&mut world, bob, "carol", Role::Advanced).unwrap();
    assert_eq!(set_role(&mut world, bob, "carol", Role::Admin).unwrap_err().code, FailureCode::Policy);
    assert_eq!(set_role(&mut world, bob, "alice", Role::Beginner).unwrap_err().code, FailureCode::Policy);
    create(&mut world, carol, "tea", &["alice"]).unwrap();
    set_role(&mut world, alice, "carol", Role::Beginner).unwrap();
    let add = Command::GroupAdd { group: group("tea"), members: vec![name("bob")] };
    assert_eq!(world.run(carol, add).unwrap_err().code, FailureCode::Policy);
    for who in [alice, bob, carol] {
        let Ok(Reply::Roles(rows)) = world.run(who, Command::RoleList) else { panic!() };
        let rows: Vec<_> = rows.iter().map(|row| (row.name.as_str(), row.role)).collect();
        assert_eq!(rows, [("alice", Role::SuperAdmin), ("bob", Role::Admin), ("carol", Role::Beginner)]);
    }
    let Ok(Reply::RoleLog(log)) = world.run(bob, Command::RoleLog) else { panic!() };
    assert_eq!(log.len(), 6);
    assert_eq!((log[4].name.as_str(), log[4].by.as_str(), log[4].role), ("carol", "bob", Role::Advanced));
    assert_eq!(world.run(carol, Command::RoleLog).unwrap_err().code, FailureCode::Policy);
}

#[test]
fn the_super_admin_hands_over_and_the_other_side_accepts() {
    let mut world = Harness::new(8);
    let alice = world.sign_up("alice");
    let bob = world.sign_up("bob");
    let Ok(Reply::RoleSet { waits_for_acceptance: true }) = set_role(&mut world, alice, "bob", Role::SuperAdmin) else {
        panic!()
    };
    assert_eq!(role_of(&mut world, alice), Role::SuperAdmin);
    assert_eq!(invites(&mut world, bob), [(InviteKind::Role, String::new(), "alice".into())]);
    world.run(bob, Command::Decline { id: "super-admin".into() }).unwrap();
    assert_eq!(invites(&mut world, bob), []);
    set_role(&mut world, alice, "bob", Role::SuperAdmin).unwrap();
    world.restart(bob);
    accept(&mut world, bob, "super-admin").unwrap();
    assert_eq!((role_of(&mut world, alice), role_of(&mut world, bob)), (Role::Admin, Role::SuperAdmin));
    assert_eq!(invites(&mut world, bob), []);
}

#[test]
fn a_further_device_is_in_all_chats_and_both_show_what_either_sends() {
    let mut world = Harness::new(9);
    let alice = world.sign_up("alice");
    let bob = world.sign_up("bob");
    world.say(alice, "@bob", "before").unwrap();
    world.say(bob, "@alice", "yes").unwrap();
    create(&mut world, alice, "tea", &["bob"]).unwrap();
    accept(&mut world, bob, "#tea").unwrap();
    let phone = world.log_in("bob");
    assert_eq!(role_of(&mut world, phone), Role::Beginner);
    world.say(alice, "@bob", "to both").unwrap();
    world.say(phone, "@alice", "from the phone").unwrap();
    world.say(bob, "@alice", "from the laptop").unwrap();
    let since = ["alice: to both", "bob: from the phone", "bob: from the laptop"];
    assert_eq!(world.read(phone, "@alice"), since);
    assert_eq!(world.read(bob, "@alice")[2..], since);
    assert_eq!(world.read(alice, "@bob")[2..], since);
    world.say(phone, "#tea", "me again").unwrap();
    for who in [alice, bob, phone] {
        assert_eq!(world.read(who, "#tea"), ["bob: me again"]);
        assert_eq!(members(&mut world, who, "tea"), ["alice", "bob"]);
    }
    let Ok(Reply::Devices(devices)) = world.run(phone, Command::Devices) else { panic!() };
    assert_eq!(devices.len(), 2);

    // A group that is made later has both, too; accepted on one, it is accepted on the other.
    create(&mut world, alice, "cake", &["bob"]).unwrap();
    accept(&mut world, phone, "#cake").unwrap();
    assert_eq!(invites(&mut world, bob), []);
    world.say(bob, "#cake", "nice").unwrap();
    assert_eq!(world.read(phone, "#cake"), ["bob: nice"]);

    let laptop = devices.iter().find(|device| !device.this).unwrap().id;
    world.run(phone, Command::RevokeDevice { device: laptop }).unwrap();
    assert!(world.events(bob).iter().any(|event| matches!(event, Event::LoggedOut { .. })));
    assert_eq!(world.say(bob, "@alice", "am I still here?").unwrap_err().kind, "not_logged_in");
    world.say(alice, "@bob", "to the phone").unwrap();
    world.say(phone, "@alice", "still here").unwrap();
    assert_eq!(world.read(alice, "@bob").last().unwrap(), "bob: still here");

    world.run(phone, Command::LogOut).unwrap();
    assert_eq!(world.run(phone, Command::WhoAmI).unwrap_err().kind, "not_logged_in");
    let tablet = world.log_in("bob");
    world.say(tablet, "@alice", "a new start").unwrap();
    assert_eq!(world.read(alice, "@bob").last().unwrap(), "bob: a new start");
    world.say(alice, "@bob", "welcome back").unwrap();
    assert_eq!(world.read(tablet, "@alice"), ["bob: a new start", "alice: welcome back"]);
}

#[test]
fn a_changed_key_blocks_sending_until_it_is_accepted() {
    let mut world = Harness::new(10);
    let alice = world.sign_up("alice");
    let bob = world.sign_up("bob");
    world.say(alice, "@bob", "hello").unwrap();
    world.say(bob, "@alice", "hello").unwrap();
    create(&mut world, alice, "tea", &["bob"]).unwrap();
    accept(&mut world, bob, "#tea").unwrap();
    let verify = |confirm| Command::Verify { name: name("bob"), confirm };
    let Ok(Reply::SafetyNumber { digits, verified: false, changed: false, .. }) = world.run(alice, verify(false))
    else {
        panic!()
    };
    let other = Command::Verify { name: name("alice"), confirm: false };
    let Ok(Reply::SafetyNumber { digits: theirs, .. }) = world.run(bob, other) else { panic!() };
    assert_eq!(digits, theirs);
    let Ok(Reply::SafetyNumber { verified: true, .. }) = world.run(alice, verify(true)) else { panic!() };

    let phone = world.device();
    let reset = world.log_in_command("bob", true);
    world.run(phone, reset).unwrap();
    assert!(world.events(bob).iter().any(|event| matches!(event, Event::LoggedOut { .. })));
    let changed = |event: &Event| matches!(event, Event::KeyChanged { was_verified: true, .. });
    assert!(world.events(alice).iter().any(changed));
    let refused = world.say(alice, "@bob", "is this you?").unwrap_err();
    assert_eq!(refused.code.exit_code(), 4);
    let Ok(Reply::SafetyNumber { verified: false, changed: true, digits: new, .. }) = world.run(alice, verify(false))
    else {
        panic!()
    };
    assert_ne!(digits, new);
    accept(&mut world, alice, "@bob").unwrap();
    world.say(alice, "@bob", "is this you?").unwrap();
    assert_eq!(world.read(phone, "@alice"), ["alice: is this you?"]);
    world.say(phone, "@alice", "yes").unwrap();
    assert_eq!(world.read(alice, "@bob").last().unwrap(), "bob: yes");
    // Groups are left by a reset; alice may ask again.
    world.wait(20_000);
    assert_eq!(members(&mut world, alice, "tea"), ["alice"]);
    let add = Command::GroupAdd { group: group("tea"), members: vec![name("bob")] };
    world.run(alice, add).unwrap();
    accept(&mut world, phone, "#tea").unwrap();
    world.say(phone, "#tea", "back").unwrap();
    assert_eq!(world.read(alice, "#tea"), ["bob: back"]);
}

#[test]
fn sign_up_links_are_made_listed_used_and_revoked() {
    let mut world = Harness::with(
        11,
        subrosa_server::core::CoreConfig { signup: subrosa_server::core::Signup::Invite, ..Default::default() },
    );
    let alice = world.sign_up("alice");
    let Ok(Reply::InviteLinks(links)) = world.run(alice, Command::InviteLinkCreate { uses: 1, expires_in: None })
    else {
        panic!()
    };
    let code = links[0].code.clone();
    let bob = world.device();
    let without = world.sign_up_command("bob");
    assert_eq!(world.run(bob, without).unwrap_err().code, FailureCode::Policy);
    let mut with = world.sign_up_command("bob");
    if let Command::SignUp { invite, .. } = &mut with {
        *invite = Some(code.clone());
    }
    world.run(bob, with).unwrap();
    let carol = world.device();
    let mut again = world.sign_up_command("carol");
    if let Command::SignUp { invite, .. } = &mut again {
        *invite = Some(code);
    }
    assert_eq!(world.run(carol, again).unwrap_err().kind, "invite_needed");
    assert_eq!(world.run(bob, Command::InviteLinkList).unwrap_err().code, FailureCode::Policy);
    let Ok(Reply::InviteLinks(made)) = world.run(alice, Command::InviteLinkCreate { uses: 5, expires_in: Some(60) })
    else {
        panic!()
    };
    let Ok(Reply::InviteLinks(listed)) = world.run(alice, Command::InviteLinkList) else { panic!() };
    assert_eq!(listed, made);
    world.run(alice, Command::InviteLinkRevoke { code: made[0].code.clone() }).unwrap();
    let Ok(Reply::InviteLinks(listed)) = world.run(alice, Command::InviteLinkList) else { panic!() };
    assert_eq!(listed, []);
}
