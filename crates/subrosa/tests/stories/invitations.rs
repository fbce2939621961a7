//! Who may sign up: the setup code of the first account, sign-up by invitation, and servers that are closed.

use crate::harness::Server;

#[test]
fn on_an_open_address_the_first_account_needs_the_setup_code() {
    let server = Server::with("0.0.0.0:0", &[]);
    let code = server.announcement()["setup_code"].as_str().expect("the setup code is announced").to_owned();
    let alice = server.profile("alice");
    let said = alice.try_sign_up(&[]).refused(6);
    assert!(said.contains("--setup"), "{said}");
    alice.try_sign_up(&["--setup", "wrong-code"]).refused(6);
    let signed_up = alice.try_sign_up(&["--setup", &code]).succeeded().object();
    assert_eq!(signed_up["role"], "super-admin");
    // It was good once: nobody needs it any more, and it makes nobody a super admin.
    let bob = server.profile("bob").try_sign_up(&[]).succeeded().object();
    assert_eq!(bob["role"], "beginner");
    let carol = server.profile("carol").try_sign_up(&["--setup", &code]).succeeded().object();
    assert_eq!(carol["role"], "beginner");
}

#[test]
fn a_server_on_loopback_has_no_setup_code() {
    let server = Server::start();
    assert!(server.announcement()["setup_code"].is_null(), "{}", server.announcement());
}

#[test]
fn a_server_by_invitation_takes_who_was_invited_as_often_as_was_said() {
    let server = Server::with("127.0.0.1:0", &["--signup", "invite"]);
    let [alice] = server.people(["alice"]);
    let bob = server.profile("bob");
    let said = bob.try_sign_up(&[]).refused(6);
    assert!(said.contains("--invite"), "{said}");
    bob.try_sign_up(&["--invite", "made-up"]).refused(6);

    let created = alice.json(&["invite-link", "create", "--uses", "2"]);
    let code = created[0]["code"].as_str().unwrap();
    assert_eq!(created[0]["uses_left"], 2);
    bob.try_sign_up(&["--invite", code]).succeeded();
    assert_eq!(alice.json(&["invite-link", "list"])[0]["uses_left"], 1);
    server.profile("carol").try_sign_up(&["--invite", code]).succeeded();
    server.profile("dave").try_sign_up(&["--invite", code]).refused(6);

    let revoked = alice.json(&["invite-link", "create"])[0]["code"].as_str().unwrap().to_owned();
    alice.ok(&["invite-link", "revoke", &revoked]);
    assert!(!alice.json(&["invite-link", "list"]).iter().any(|row| row["code"] == revoked.as_str()));
    server.profile("dave").try_sign_up(&["--invite", &revoked]).refused(6);
    alice.refused(1, &["invite-link", "revoke", "made-up"]);

    let expires = alice.json(&["invite-link", "create", "--expires", "1d"]);
    assert!(expires[0]["expires_at"].is_string() || expires[0]["expires_at"].is_number(), "{expires:?}");
}

#[test]
fn an_invitation_is_made_by_who_may() {
    let server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    for command in [&["invite-link", "create"][..], &["invite-link", "list"], &["invite-link", "revoke", "made-up"]] {
        bob.refused(6, command);
    }
    alice.ok(&["role", "set", "bob", "advanced"]);
    bob.refused(6, &["invite-link", "create"]);
    alice.ok(&["role", "set", "bob", "admin"]);
    bob.ok(&["invite-link", "create"]);
}

#[test]
fn a_closed_server_takes_its_first_account_only() {
    let server = Server::with("127.0.0.1:0", &["--signup", "closed"]);
    let [alice] = server.people(["alice"]);
    server.profile("bob").try_sign_up(&[]).refused(6);
    assert_eq!(alice.json(&["role", "list"]).len(), 1);
}
