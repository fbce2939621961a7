//! Each known way to lose a group's state, and what keeps it from happening.

mod common;

use common::{Device, ROOM, Server, World};
use subrosa_mls::{Group, GroupError, ProcessError, Processed, StorageError, delete_group};
use subrosa_types::{ConversationId, Epoch};

#[test]
fn a_process_that_dies_before_the_merge_finds_its_commit_pending() {
    let mut world = World::new();
    let (alice, at_alice) = &mut world.alice;
    let proposed = alice.mls(|mls| at_alice.self_update(mls, b"")).expect("a commit");
    assert!(at_alice.has_pending_commit());
    world.alice.1 = world.alice.0.load();
    let (alice, at_alice) = &mut world.alice;
    assert!(at_alice.has_pending_commit());
    assert!(matches!(alice.mls(|mls| at_alice.self_update(mls, b"")), Err(GroupError::PendingCommit)));
    world.alice_commits(&proposed);
    let (alice, at_alice) = &mut world.alice;
    assert!(matches!(alice.mls(|mls| at_alice.merge_pending(mls)), Err(GroupError::NoPendingCommit)));
    assert!(matches!(alice.mls(|mls| at_alice.discard_pending(mls)), Err(GroupError::NoPendingCommit)));
}

#[test]
fn an_own_commit_that_comes_back_is_recognised() {
    let mut world = World::new();
    let (alice, at_alice) = &mut world.alice;
    let proposed = alice.mls(|mls| at_alice.self_update(mls, b"")).expect("a commit");
    assert!(matches!(alice.process(at_alice, &proposed.commit), Ok(Processed::OwnCommit)));
    assert_eq!(at_alice.epoch(), Epoch(1), "not merged by that");
    *at_alice = alice.load();
    assert!(matches!(alice.process(at_alice, &proposed.commit), Ok(Processed::OwnCommit)));
    world.alice_commits(&proposed);
}

#[test]
fn a_commit_that_was_discarded_although_accepted_needs_a_new_join() {
    let mut world = World::new();
    let (alice, at_alice) = &mut world.alice;
    let proposed = alice.mls(|mls| at_alice.self_update(mls, b"")).expect("a commit");
    alice.mls(|mls| at_alice.discard_pending(mls)).expect("discarded");
    assert!(matches!(alice.process(at_alice, &proposed.commit), Err(ProcessError::OwnCommitLost)));

    // The way back.
    world.server.order(&proposed.commit, &proposed.group_info);
    world.bob.0.follow(&mut world.bob.1, &proposed.commit);
    delete_group(&world.alice.0.conn, ROOM).expect("deleted");
    let tree = world.server.tree();
    let (group, commit, info) =
        world.alice.0.mls(|mls| Group::join_external(mls, &proposed.group_info, &tree, b"")).expect("joined");
    world.alice.1 = group;
    assert!(world.server.order(&commit, &info).replaced.is_some());
    world.bob.0.follow(&mut world.bob.1, &commit);
    world.agree();
}

#[test]
fn an_own_add_that_was_discarded_although_accepted_can_still_be_followed() {
    let mut world = World::new();
    let package = Device::new("carol", 3).key_package();
    let (alice, at_alice) = &mut world.alice;
    let proposed = alice.mls(|mls| at_alice.add(mls, &[package], b"")).expect("a commit");
    alice.mls(|mls| at_alice.discard_pending(mls)).expect("discarded");
    world.server.order(&proposed.commit, &proposed.group_info);
    world.bob.0.follow(&mut world.bob.1, &proposed.commit);
    // It carries no secret of ours that would be lost.
    world.alice.0.follow(&mut world.alice.1, &proposed.commit);
    world.agree();
}

#[test]
fn the_loser_of_a_race_follows_the_winner_and_tries_again() {
    let mut world = World::new();
    let (bob, at_bob) = &mut world.bob;
    let lost = bob.mls(|mls| at_bob.self_update(mls, b"bob's intent")).expect("a commit");
    let (alice, at_alice) = &mut world.alice;
    let won = alice.mls(|mls| at_alice.self_update(mls, b"")).expect("a commit");
    world.alice_commits(&won);
    assert!(world.server.follower().inspect(&lost.commit).is_err());
    let (bob, at_bob) = &mut world.bob;
    assert!(!at_bob.has_pending_commit(), "dropped by the merge");
    assert!(!bob.load().has_pending_commit());

    let again = bob.mls(|mls| at_bob.self_update(mls, b"bob's intent")).expect("a commit");
    assert_eq!(world.server.order(&again.commit, &again.group_info).aad, b"bob's intent");
    world.bob.0.merge_pending(&mut world.bob.1);
    world.alice.0.follow(&mut world.alice.1, &again.commit);
    world.agree();
}

#[test]
fn what_was_decrypted_once_is_not_decrypted_again() {
    let mut world = World::new();
    let message = world.alice.0.send(&mut world.alice.1, "once");
    let (bob, at_bob) = &mut world.bob;
    assert_eq!(bob.read(at_bob, &message), "once");
    assert!(matches!(bob.process(at_bob, &message), Err(ProcessError::Duplicate)));
    *at_bob = bob.load();
    assert!(matches!(bob.process(at_bob, &message), Err(ProcessError::Duplicate)));
}

#[test]
fn an_own_message_is_not_decrypted() {
    let mut world = World::new();
    let (alice, at_alice) = &mut world.alice;
    let message = alice.send(at_alice, "mine");
    assert!(matches!(alice.process(at_alice, &message), Err(ProcessError::OwnMessage)));
}

#[test]
fn a_rolled_back_message_is_decrypted_again_after_a_reload() {
    let mut world = World::new();
    let message = world.alice.0.send(&mut world.alice.1, "twice");
    let (bob, at_bob) = &mut world.bob;
    bob.conn.execute_batch("BEGIN").expect("begun");
    assert_eq!(bob.read(at_bob, &message), "twice");
    bob.conn.execute_batch("ROLLBACK").expect("rolled back");
    assert!(matches!(bob.process(at_bob, &message), Err(ProcessError::Duplicate)), "memory is ahead of the store");
    *at_bob = bob.load();
    assert_eq!(bob.read(at_bob, &message), "twice");
}

#[test]
fn a_rolled_back_commit_and_a_rolled_back_send_leave_nothing() {
    let mut world = World::new();
    let (alice, at_alice) = &mut world.alice;
    alice.conn.execute_batch("BEGIN").expect("begun");
    alice.mls(|mls| at_alice.self_update(mls, b"")).expect("a commit");
    alice.conn.execute_batch("ROLLBACK").expect("rolled back");
    *at_alice = alice.load();
    assert!(!at_alice.has_pending_commit());
    alice.conn.execute_batch("BEGIN").expect("begun");
    alice.send(at_alice, "never sent");
    alice.conn.execute_batch("ROLLBACK").expect("rolled back");
    *at_alice = alice.load();
    let message = alice.send(at_alice, "sent");
    assert_eq!(world.bob.0.read(&mut world.bob.1, &message), "sent");
}

#[test]
fn a_changed_message_moves_nothing() {
    let mut world = World::new();
    let message = world.alice.0.send(&mut world.alice.1, "genuine");
    let (bob, at_bob) = &mut world.bob;
    let mut changed = message.clone();
    *changed.last_mut().expect("a byte") ^= 1;
    assert!(matches!(bob.process(at_bob, &changed), Err(ProcessError::Inauthentic)));
    assert_eq!(bob.read(at_bob, &message), "genuine");

    let (alice, at_alice) = &mut world.alice;
    let proposed = alice.mls(|mls| at_alice.self_update(mls, b"")).expect("a commit");
    let mut changed = proposed.commit.clone();
    *changed.last_mut().expect("a byte") ^= 1;
    let (bob, at_bob) = &mut world.bob;
    assert!(matches!(bob.process(at_bob, &changed), Err(ProcessError::Inauthentic)));
    world.alice_commits(&proposed);
}

#[test]
fn messages_of_other_epochs_and_groups_are_told_apart() {
    let mut world = World::new();
    let old = world.alice.0.send(&mut world.alice.1, "old");
    let (alice, at_alice) = &mut world.alice;
    let proposed = alice.mls(|mls| at_alice.self_update(mls, b"")).expect("a commit");
    world.server.order(&proposed.commit, &proposed.group_info);
    world.alice.0.merge_pending(&mut world.alice.1);
    let new = world.alice.0.send(&mut world.alice.1, "new");

    let (bob, at_bob) = &mut world.bob;
    assert!(matches!(bob.process(at_bob, &new), Err(ProcessError::WrongEpoch { got: Epoch(2), have: Epoch(1) })));
    bob.follow(at_bob, &proposed.commit);
    assert!(matches!(bob.process(at_bob, &old), Err(ProcessError::WrongEpoch { got: Epoch(1), have: Epoch(2) })));
    assert!(matches!(bob.process(at_bob, &proposed.commit), Err(ProcessError::WrongEpoch { .. })));
    assert_eq!(bob.read(at_bob, &new), "new");

    let mut elsewhere = new;
    elsewhere[5] ^= 1;
    assert!(matches!(bob.process(at_bob, &elsewhere), Err(ProcessError::WrongGroup(_))));
}

#[test]
fn a_gap_is_bridged_and_a_far_one_refused() {
    let mut world = World::new();
    let messages: Vec<_> = (0..8).map(|n| world.alice.0.send(&mut world.alice.1, &n.to_string())).collect();
    let (bob, at_bob) = &mut world.bob;
    assert_eq!(bob.read(at_bob, &messages[7]), "7");
    assert_eq!(bob.read(at_bob, &messages[5]), "5");
    assert!(matches!(bob.process(at_bob, &messages[0]), Err(ProcessError::OutOfWindow | ProcessError::Duplicate)));
}

#[test]
fn a_deleted_group_leaves_no_row() {
    let mut world = World::new();
    let (alice, at_alice) = &mut world.alice;
    alice.mls(|mls| at_alice.self_update(mls, b"")).expect("a commit");
    let rows = |device: &Device| -> i64 {
        device.conn.query_row("SELECT count(*) FROM mls_state", [], |row| row.get(0)).expect("a count")
    };
    assert!(rows(alice) > 0);
    delete_group(&alice.conn, ConversationId::from_bytes([1; 16])).expect("another's");
    assert!(rows(alice) > 0);
    delete_group(&alice.conn, ROOM).expect("deleted");
    assert_eq!(rows(alice), 0);
    assert!(alice.mls(|mls| Group::load(mls, ROOM)).expect("the store").is_none());
}

#[test]
fn old_epochs_leave_no_rows_behind() {
    let mut world = World::new();
    let kinds = |device: &Device| -> Vec<String> {
        let mut statement = device.conn.prepare("SELECT kind FROM mls_state ORDER BY kind").expect("a statement");
        statement.query_map([], |row| row.get(0)).expect("rows").map(|row| row.expect("a row")).collect()
    };
    let before = kinds(&world.alice.0);
    for _ in 0..3 {
        let (alice, at_alice) = &mut world.alice;
        let proposed = alice.mls(|mls| at_alice.self_update(mls, b"")).expect("a commit");
        world.alice_commits(&proposed);
    }
    assert_eq!(kinds(&world.alice.0), before);
}

#[test]
fn a_value_of_an_unknown_version_is_a_typed_error() {
    let mut world = World::new();
    let (alice, _) = &mut world.alice;
    alice
        .conn
        .execute("UPDATE mls_state SET value = CAST(x'63' || substr(value, 2) AS BLOB) WHERE kind = 'tree'", [])
        .expect("updated");
    let loaded = alice.mls(|mls| Group::load(mls, ROOM).map(drop));
    assert!(matches!(loaded, Err(StorageError::UnknownVersion { kind, version: 0x63 }) if kind == "tree"));
}

#[test]
fn a_change_that_is_impossible_leaves_the_group_as_it_is() {
    let mut world = World::new();
    let (alice, at_alice) = &mut world.alice;
    let own = at_alice.own_leaf();
    assert!(matches!(alice.mls(|mls| at_alice.change(mls, &[], &[own], b"")), Err(GroupError::OwnLeaf)));
    let nobody = subrosa_mls::LeafIndex(u32::MAX);
    assert!(matches!(alice.mls(|mls| at_alice.change(mls, &[], &[nobody], b"")), Err(GroupError::UnknownLeaf(_))));
    let rubbish = alice.mls(|mls| at_alice.add(mls, &[vec![1, 2, 3]], b""));
    assert!(matches!(rubbish, Err(GroupError::KeyPackage { position: 0, .. })));
    // Bob is a member already: the same signature key twice.
    let again = Device::new("bob", 2).key_package();
    let (alice, at_alice) = &mut world.alice;
    assert!(matches!(alice.mls(|mls| at_alice.add(mls, &[again], b"")), Err(GroupError::Refused(_))));
    let huge = vec![0; subrosa_types::limits::APPLICATION_MESSAGE];
    assert!(matches!(alice.mls(|mls| at_alice.encrypt(mls, b"", &huge)), Err(GroupError::TooLarge { .. })));
    assert!(!at_alice.has_pending_commit());
    let message = alice.send(at_alice, "still here");
    assert_eq!(world.bob.0.read(&mut world.bob.1, &message), "still here");
    let server = Server::new();
    let exists = world.alice.0.mls(|mls| Group::create(mls, ROOM, b"x", &server.signer.public_key()).map(drop));
    assert!(matches!(exists, Err(GroupError::Exists)));
}

#[test]
fn the_largest_message_that_is_allowed_fits() {
    let mut world = World::new();
    let text = "x".repeat(subrosa_types::limits::APPLICATION_MESSAGE - 1024);
    let message = world.alice.0.send(&mut world.alice.1, &text);
    assert!(message.len() <= subrosa_types::limits::APPLICATION_MESSAGE);
    assert_eq!(world.bob.0.read(&mut world.bob.1, &message), text);
}

#[test]
fn the_same_randomness_makes_the_same_bytes() {
    let run = || {
        let mut world = World::new();
        let (alice, at_alice) = &mut world.alice;
        let proposed = alice.mls(|mls| at_alice.self_update(mls, b"")).expect("a commit");
        let message = world.bob.0.send(&mut world.bob.1, "text");
        (proposed, message, world.alice.1.epoch_authenticator())
    };
    assert_eq!(run(), run());
}
