//! Sign-up, login and who one is (rows A1 and A2).

use std::thread;

use crate::harness::{PASSWORD, Server};

#[test]
fn the_first_account_is_the_super_admin_and_later_ones_are_beginners() {
    let server = Server::start();
    for (name, role) in [("alice", "super-admin"), ("bob", "beginner"), ("carol", "beginner")] {
        let profile = server.profile(name);
        let signed_up = profile.try_sign_up(&[]).succeeded().object();
        assert_eq!(signed_up["name"], name);
        assert_eq!(signed_up["role"], role);
        assert_eq!(signed_up["server"], server.link());
        assert_eq!(signed_up["device"].as_str().map(str::len), Some(26));

        assert_eq!(profile.json(&["whoami"]), std::slice::from_ref(&signed_up));
        assert_eq!(profile.try_log_in(PASSWORD, &[]).succeeded().object(), signed_up, "a login where one is logged in");
    }
}

#[test]
fn two_who_race_for_the_first_account_give_one_super_admin() {
    for _ in 0..10 {
        let server = Server::start();
        let racers = ["alice", "bob"].map(|name| server.profile(name));
        let roles: Vec<_> = thread::scope(|scope| {
            let races = racers.each_ref().map(|racer| scope.spawn(|| racer.try_sign_up(&[]).succeeded().object()));
            races.map(|race| race.join().unwrap()["role"].as_str().unwrap().to_owned()).into()
        });
        assert_eq!(roles.iter().filter(|role| *role == "super-admin").count(), 1, "{roles:?}");
        assert_eq!(roles.iter().filter(|role| *role == "beginner").count(), 1, "{roles:?}");
        for racer in &racers {
            assert_eq!(["alice", "bob"].map(|name| racer.role_of(name)), roles[..], "everybody sees the same");
        }
    }
}

#[test]
fn a_wrong_password_and_an_unknown_user_get_the_same_words_and_exit_code() {
    let server = Server::start();
    server.people(["alice"]);
    let wrong_password = server.device("alice", "phone").try_log_in("another eight slow ferries", &[]);
    let unknown_user = server.profile("mallory").try_log_in(PASSWORD, &[]);
    let impossible_user = server.profile("no such name").try_log_in(PASSWORD, &[]);
    for other in [&unknown_user, &impossible_user] {
        assert_eq!(other.stdout, wrong_password.stdout);
        assert_eq!(other.stderr, wrong_password.stderr);
        assert_eq!(other.code, wrong_password.code);
    }
    let said = wrong_password.refused(1);
    assert!(said.contains("name or the password is wrong"), "{said}");
}

#[test]
fn names_that_cannot_be_given_are_refused_with_the_reason() {
    let server = Server::start();
    server.people(["alice", "coco"]);
    let long = "a".repeat(33);
    let refusals = [
        ("alice", "taken"),
        ("Alice", "taken"),
        ("a1ice", "taken"),
        // Cyrillic letters, of one script, that look like "coco".
        ("сосо", "taken"),
        // A Cyrillic а among Latin letters.
        ("\u{430}lice", "alphabets"),
        (&long, "too long"),
        ("ali\u{7}ce", "shown safely"),
        ("ali\u{1b}[2Jce", "shown safely"),
        ("ali\u{202e}ce", "shown safely"),
        ("ali ce", "spaces"),
        ("ali/ce", "letters, digits"),
        ("@alice", "begins with"),
        ("", "empty"),
    ];
    let mut profile = server.profile("whoever");
    for (name, reason) in refusals {
        profile = server.profile(name).at(profile.home());
        let said = profile.try_sign_up(&[]).refused(1);
        assert!(said.contains(reason), "{name:?} should be refused because of {reason:?}: {said}");
        assert!(!said.contains(|c: char| c.is_control() && c != '\n'), "{said:?}");
        profile.refused(1, &["whoami"]);
    }
    let profile = server.profile("عليرضا").at(profile.home()).sign_up();
    assert_eq!(
        profile.json(&["whoami"])[0]["name"],
        "عليرضا",
        "after all refusals the profile is still good for an account"
    );
}

#[test]
fn a_weak_password_is_refused_before_anything_is_sent() {
    let server = Server::start();
    let profile = server.profile("alice-the-first");
    for weak in ["", "short", "aaaaaaaaaaaa", "alice-the-first"] {
        let arguments = ["signup", "-s", server.link(), "-u", "alice-the-first", "--password-stdin"];
        let said = profile.run_with(&arguments, format!("{weak}\n")).refused(1);
        assert!(said.contains("password"), "{said}");
        assert!(weak.is_empty() || !said.contains(&format!(" {weak} ")), "a password is never shown: {said}");
    }
    profile.sign_up();
}

#[test]
fn a_password_comes_from_a_file_or_standard_input_and_nothing_is_asked_in_a_pipe() {
    let server = Server::start();
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(|name| server.profile(name));
    let file = server.folder().join("password");
    std::fs::write(&file, format!("{PASSWORD}\n")).unwrap();
    alice.ok(&["signup", "-s", server.link(), "-u", "alice", "--password-file", file.to_str().unwrap()]);
    bob.try_sign_up(&[]).succeeded();

    let missing = [
        (vec!["signup", "-s", server.link(), "-u", "carol"], "--password-stdin"),
        (vec!["login", "-s", server.link(), "-u", "carol"], "--password-stdin"),
        (vec!["signup", "-s", server.link(), "--password-stdin"], "-u"),
        (vec!["signup", "-u", "carol", "--password-stdin"], "-s"),
    ];
    for (arguments, flag) in missing {
        let said = carol.refused(1, &arguments);
        assert!(said.contains(flag), "{arguments:?} should name {flag}: {said}");
    }
    let said = alice.refused(1, &["send", "@bob"]);
    assert!(said.contains("--stdin"), "{said}");
}

#[test]
fn wrong_use_is_exit_code_1_and_help_is_not_wrong() {
    let server = Server::start();
    let [alice] = server.people(["alice"]);
    for wrong in [
        &["frobnicate"][..],
        &["send", "bob", "hello"],
        &["send", "@bob", "hello", "--colour"],
        &["read", "--limit", "many"],
        &["role", "set", "bob", "emperor"],
        &["group", "create", "#hash"],
        &["devices", "revoke", "this-is-no-id"],
    ] {
        alice.refused(1, wrong);
    }
    assert!(alice.ok(&["--help"]).stdout.contains("send"));
    assert!(alice.ok(&["--version"]).stdout.contains("subrosa"));
}

#[test]
fn a_profile_without_an_account_says_what_to_do() {
    let server = Server::start();
    let nobody = server.profile("nobody");
    for command in
        [&["whoami"][..], &["read"], &["chats"], &["send", "@bob", "hello"], &["invites"], &["reload"], &["logout"]]
    {
        let said = nobody.refused(1, command);
        assert!(said.contains("signup") && said.contains("login"), "{command:?}: {said}");
    }
}

#[test]
fn a_profile_has_one_account() {
    let server = Server::start();
    let [alice] = server.people(["alice"]);
    let said = server.profile("bob").at(alice.home()).try_sign_up(&[]).refused(1);
    assert!(said.contains("@alice"), "{said}");
    let said = server.profile("bob").at(alice.home()).try_log_in(PASSWORD, &[]).refused(1);
    assert!(said.contains("@alice"), "{said}");
}

#[test]
fn an_email_address_is_shown_to_nobody() {
    const ADDRESS: &str = "alice.liddell@example.org";
    let mut server = Server::start();
    let alice = server.profile("alice");
    let signed_up = alice.try_sign_up(&["--email", ADDRESS, "-v"]).succeeded();
    assert!(!signed_up.stdout.contains(ADDRESS));
    assert!(!signed_up.stderr.contains(ADDRESS));
    let bob = server.profile("bob").sign_up();
    alice.send("@bob", "hello");
    alice.ok(&["group", "create", "garden", "@bob"]);
    for shown in [
        &["read", "--all"][..],
        &["chats"],
        &["invites"],
        &["role", "list"],
        &["verify", "@alice"],
        &["group", "members", "#garden"],
        &["whoami"],
        &["devices"],
    ] {
        for more in [&[][..], &["--json"], &["-v"]] {
            let outcome = bob.run(&[shown, more].concat());
            assert!(!outcome.stdout.contains("example.org") && !outcome.stderr.contains("example.org"), "{outcome}");
        }
    }
    assert!(!server.printed().contains("example.org"));
    let said = server.profile("carol").try_sign_up(&["--email", "no address"]).refused(1);
    assert!(said.contains("email"), "{said}");
}

#[test]
fn too_many_attempts_at_an_account_are_slowed_down() {
    let server = Server::start();
    server.people(["alice"]);
    let phone = server.device("alice", "phone");
    let attempt = || phone.try_log_in("not the password at all", &[]);
    let codes: Vec<_> = (0..7).map(|_| attempt().code).collect();
    assert_eq!(codes[0], Some(1), "{codes:?}");
    assert_eq!(codes[6], Some(5), "{codes:?}");
    let said = attempt().refused(5);
    assert!(said.contains("try again in"), "{said}");
    // Somebody else's account is not concerned.
    assert_eq!(server.profile("bob").try_log_in("not the password at all", &[]).code, Some(1));
}
