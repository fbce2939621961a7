//! Roles: the table of row A3, the rules of row A4, hand-over and the log of changes.
//!
//! What is expected stands here in full, on purpose: it is the requirement, not a copy of the program's table.

use crate::harness::{Profile, Server};

/// One of each rank, and one more of each rank below super admin: [super, admin, advanced, beginner, admin2, …].
fn one_of_each(server: &Server) -> [Profile; 7] {
    let names = ["sophie", "adam", "vera", "bob", "anton", "viola", "bea"];
    let people = server.people(names);
    for (name, role) in [("adam", "admin"), ("vera", "advanced"), ("anton", "admin"), ("viola", "advanced")] {
        people[0].ok(&["role", "set", name, role]);
    }
    people
}

/// (actor, target, wanted) that row A4 allows; everything else it refuses.
const ALLOWED: [(&str, &str, &str); 8] = [
    ("sophie", "bea", "advanced"),
    ("sophie", "bea", "admin"),
    ("sophie", "viola", "beginner"),
    ("sophie", "viola", "admin"),
    ("sophie", "anton", "beginner"),
    ("sophie", "anton", "advanced"),
    ("adam", "bea", "advanced"),
    ("adam", "viola", "beginner"),
];

#[test]
fn each_change_of_role_is_allowed_or_refused_as_the_rules_say() {
    let server = Server::start();
    let people = one_of_each(&server);
    let [sophie, adam, vera, bob, ..] = &people;
    let before = [("sophie", "super-admin"), ("anton", "admin"), ("viola", "advanced"), ("bea", "beginner")];
    for actor in [sophie, adam, vera, bob] {
        for (target, role) in before {
            for wanted in ["super-admin", "admin", "advanced", "beginner"] {
                let hand_over = actor.name() == "sophie" && wanted == "super-admin";
                if hand_over || actor.name() == target {
                    continue;
                }
                let outcome = actor.run(&["role", "set", target, wanted]);
                if ALLOWED.contains(&(actor.name(), target, wanted)) {
                    outcome.succeeded();
                    assert_eq!(sophie.role_of(target), wanted);
                    sophie.ok(&["role", "set", target, role]);
                } else {
                    outcome.refused(6);
                }
            }
            assert_eq!(sophie.role_of(target), role);
        }
    }
}

#[test]
fn nobody_changes_their_own_role_or_that_of_somebody_unknown() {
    let server = Server::start();
    let people = one_of_each(&server);
    for person in &people[..4] {
        for wanted in ["super-admin", "admin", "advanced", "beginner"] {
            person.refused(6, &["role", "set", person.name(), wanted]);
        }
    }
    people[0].refused(1, &["role", "set", "nobody", "admin"]);
}

#[test]
fn each_ability_is_given_and_refused_as_the_table_says() {
    let server = Server::start();
    let people = one_of_each(&server);
    let [sophie, adam, vera, bob, ..] = &people;
    for (person, may) in [(sophie, true), (adam, true), (vera, true), (bob, false)] {
        // Everybody sends private messages.
        person.send("@bea", "hello");
        let group = format!("#{}s-garden", person.name());
        if may {
            person.ok(&["group", "create", &group[1..], "@bea"]);
        } else {
            let said = person.refused(6, &["group", "create", &group[1..], "@bea"]);
            assert!(said.contains("role"), "{said}");
            // As a member of somebody else's group, a beginner talks and leaves, and changes nothing.
            sophie.ok(&["group", "add", "#sophies-garden", &format!("@{}", person.name())]);
            person.ok(&["accept", "#sophies-garden"]);
            person.send("#sophies-garden", "thank you");
            for refused in [
                &["group", "add", "#sophies-garden", "@viola"][..],
                &["group", "remove", "#sophies-garden", "@bea"],
                &["group", "rename", "#sophies-garden", "my-garden"],
            ] {
                person.refused(6, refused);
            }
            person.ok(&["group", "leave", "#sophies-garden"]);
            continue;
        }
        person.ok(&["group", "add", &group, "@viola"]);
        person.ok(&["group", "remove", &group, "@viola"]);
        let orchard = format!("{}s-orchard", person.name());
        person.ok(&["group", "rename", &group, &orchard]);
        person.ok(&["group", "rename", &format!("#{orchard}"), &group[1..]]);
    }
}

#[test]
fn who_loses_a_role_loses_its_abilities() {
    let server = Server::start();
    let [alice, bob, _carol] = server.people(["alice", "bob", "carol"]);
    alice.ok(&["role", "set", "bob", "advanced"]);
    bob.ok(&["group", "create", "garden", "@alice"]);
    alice.ok(&["role", "set", "bob", "beginner"]);
    bob.refused(6, &["group", "add", "#garden", "@carol"]);
    bob.refused(6, &["group", "create", "orchard", "@carol"]);
    bob.send("#garden", "I am still here");
    alice.ok(&["accept", "#garden"]);
    assert_eq!(alice.history("#garden"), ["bob: I am still here"]);
    assert_eq!(alice.members("#garden"), ["alice", "bob"]);
}

#[test]
fn everybody_sees_the_same_roles() {
    let server = Server::start();
    let people = one_of_each(&server);
    let expected = people[0].json(&["role", "list"]);
    assert_eq!(expected.len(), 7);
    for person in &people[1..] {
        assert_eq!(person.json(&["role", "list"]), expected);
        assert_eq!(person.json(&["whoami"])[0]["role"], person.role_of(person.name()).as_str());
    }
}

#[test]
fn the_super_admin_role_is_handed_over_when_the_other_side_accepts() {
    let server = Server::start();
    let [alice, bob, carol] = server.people(["alice", "bob", "carol"]);
    let offered = alice.ok(&["role", "set", "bob", "super-admin"]);
    assert!(format!("{offered}").contains("accept"), "{offered}");
    assert_eq!(carol.role_of("alice"), "super-admin", "an offer changes nothing");

    let invites = bob.json(&["invites"]);
    assert_eq!((&invites[0]["kind"], &invites[0]["from"]), (&"role".into(), &"alice".into()));
    assert_eq!(carol.json(&["invites"]).len(), 0);
    carol.refused(1, &["accept", "super-admin"]);
    bob.ok(&["accept", invites[0]["id"].as_str().unwrap()]);
    for person in [&alice, &bob, &carol] {
        assert_eq!(person.role_of("bob"), "super-admin");
        let roles = person.json(&["role", "list"]);
        assert_eq!(roles.iter().filter(|row| row["role"] == "super-admin").count(), 1, "{roles:?}");
    }
    assert_eq!(alice.role_of("alice"), "admin", "who handed over is an admin");
    bob.ok(&["role", "set", "alice", "beginner"]);
    alice.refused(6, &["role", "set", "carol", "advanced"]);
}

#[test]
fn a_hand_over_that_is_declined_changes_nothing() {
    let server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    alice.ok(&["role", "set", "bob", "super-admin"]);
    bob.ok(&["decline", bob.json(&["invites"])[0]["id"].as_str().unwrap()]);
    assert_eq!(bob.json(&["invites"]).len(), 0);
    assert_eq!((bob.role_of("alice"), bob.role_of("bob")), ("super-admin".into(), "beginner".into()));
    bob.refused(1, &["accept", "super-admin"]);
    // It can be offered again.
    alice.ok(&["role", "set", "bob", "super-admin"]);
    bob.ok(&["accept", "super-admin"]);
    assert_eq!(alice.role_of("bob"), "super-admin");
}

#[test]
fn the_log_of_role_changes_is_for_admins_and_names_each_change() {
    let server = Server::start();
    let [alice, bob, carol] = server.people(["alice", "bob", "carol"]);
    alice.ok(&["role", "set", "bob", "admin"]);
    bob.ok(&["role", "set", "carol", "advanced"]);
    let expected = [
        ("joined", "alice", "super-admin", ""),
        ("joined", "bob", "beginner", ""),
        ("joined", "carol", "beginner", ""),
        ("set", "bob", "admin", "alice"),
        ("set", "carol", "advanced", "bob"),
    ];
    for admin in [&alice, &bob] {
        let log = admin.json(&["role", "log"]);
        assert_eq!(log.len(), expected.len(), "{log:?}");
        for (position, (row, (what, name, role, by))) in (1..).zip(log.iter().zip(expected)) {
            assert_eq!(row["position"], position);
            assert_eq!([&row["what"], &row["name"], &row["role"], &row["by"]], [what, name, role, by]);
        }
    }
    carol.refused(6, &["role", "log"]);
}

#[test]
fn a_change_of_role_shows_to_who_is_watching() {
    let server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    alice.send("@bob", "watch this");
    let mut watching = bob.start(&["chat", "@alice"]);
    watching.expect_text("watch this");
    alice.ok(&["role", "set", "bob", "advanced"]);
    watching.expect_text("your role is now advanced");
    bob.ok(&["group", "create", "garden", "@alice"]);
}

#[test]
fn roles_can_be_changed_while_people_sign_up() {
    let server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    let newcomers = ["carol", "dave", "erin", "frank"].map(|name| server.profile(name));
    std::thread::scope(|scope| {
        for newcomer in &newcomers {
            scope.spawn(|| newcomer.clone().sign_up());
        }
        scope.spawn(|| {
            for role in ["advanced", "admin", "beginner", "advanced", "admin"] {
                alice.ok(&["role", "set", "bob", role]);
            }
        });
    });
    assert_eq!(bob.role_of("bob"), "admin");
    assert_eq!(bob.json(&["role", "list"]).len(), 6);
    assert_eq!(bob.json(&["role", "log"]).len(), 11);
}
