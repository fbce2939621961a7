//! A group's life: members come, change and go, and everybody sees the same.

mod common;

use common::{CERTIFICATE, Device, ROOM, Server, World};
use subrosa_mls::follower::{FollowError, check_key_package};
use subrosa_mls::{
    Group, GroupError, JoinError, Joining, Kind, LeafIndex, MessageSender, ProcessError, Processed, peek,
};
use subrosa_types::Epoch;

#[test]
fn two_members_read_each_other_and_agree_with_the_server() {
    let mut world = World::new();
    world.agree();
    let (alice, at_alice) = &mut world.alice;
    let (bob, at_bob) = &mut world.bob;
    assert_eq!((at_alice.epoch(), at_alice.own_leaf(), at_bob.own_leaf()), (Epoch(1), LeafIndex(0), LeafIndex(1)));
    assert_eq!(at_bob.certificate().as_deref(), Some(CERTIFICATE));
    assert_eq!(at_bob.server_key(), Some(world.server.signer.public_key()));

    for text in ["hello", "", "again"] {
        let message = alice.send(at_alice, text);
        assert_eq!(bob.read(at_bob, &message), text);
        let answer = bob.send(at_bob, text);
        assert_eq!(alice.read(at_alice, &answer), text);
    }
    let secret = alice.mls(|mls| at_alice.export_secret(mls, "presence", b"x", 32)).expect("a secret");
    assert_eq!(bob.mls(|mls| at_bob.export_secret(mls, "presence", b"x", 32)).expect("a secret"), secret);
}

#[test]
fn a_message_names_its_sender_and_carries_readable_data_outside() {
    let mut world = World::new();
    let (alice, at_alice) = &mut world.alice;
    let message = alice.mls(|mls| at_alice.encrypt(mls, b"outside", b"inside")).expect("encrypted");
    let outside = peek(&message).expect("a message");
    assert_eq!((outside.conversation, outside.epoch, outside.kind), (ROOM, Epoch(1), Kind::Application));
    assert_eq!((outside.authenticated_data, outside.size), (&b"outside"[..], message.len()));
    assert!(!message.windows(6).any(|window| window == b"inside"));

    let (bob, at_bob) = &mut world.bob;
    match bob.process(at_bob, &message).expect("processed") {
        Processed::Application { sender, aad, plaintext } => {
            assert_eq!((sender.credential.as_slice(), sender.leaf), (&b"alice"[..], LeafIndex(0)));
            assert_eq!((aad.as_slice(), plaintext.as_slice()), (&b"outside"[..], &b"inside"[..]));
        }
        _ => panic!("not an application message"),
    }
}

#[test]
fn messages_of_similar_length_have_the_same_size() {
    let mut world = World::new();
    let (alice, at_alice) = &mut world.alice;
    assert_eq!(alice.send(at_alice, "").len(), alice.send(at_alice, &"x".repeat(150)).len());
    assert!(alice.send(at_alice, "").len() < alice.send(at_alice, &"x".repeat(300)).len());
}

#[test]
fn server_and_members_see_the_same_over_add_remove_and_rename() {
    let mut world = World::new();
    let (mut carol, mut at_carol) = world.add(Device::new("carol", 3));
    world.server.agrees_with(&at_carol);

    // A renewed credential.
    world.alice.0.identity.credential = b"alice, renewed".to_vec();
    let (alice, at_alice) = &mut world.alice;
    let renewal = alice.mls(|mls| at_alice.self_update(mls, b"why")).expect("a commit");
    let seen = world.alice_commits(&renewal);
    assert_eq!(carol.follow(&mut at_carol, &renewal.commit), seen);
    assert_eq!((seen.aad.as_slice(), seen.has_path, seen.epoch), (&b"why"[..], true, Epoch(3)));
    assert_eq!(seen.committer.credential, b"alice");
    let [update] = seen.updated.as_slice() else { panic!("one update") };
    assert_eq!(
        (update.before.credential.as_slice(), update.after.credential.as_slice()),
        (&b"alice"[..], &b"alice, renewed"[..])
    );

    // A change of nothing renews keys, and those alone are no change of anybody.
    let (alice, at_alice) = &mut world.alice;
    let rekey = alice.mls(|mls| at_alice.change(mls, &[], &[], b"")).expect("a commit");
    let seen = world.alice_commits(&rekey);
    assert!(seen.has_path);
    assert!(seen.updated.is_empty() && seen.added.is_empty() && seen.removed.is_empty());
    carol.follow(&mut at_carol, &rekey.commit);

    // One goes and two come, in one commit.
    let mut dave = Device::new("dave", 4);
    let mut erin = Device::new("erin", 5);
    let packages = [dave.key_package(), erin.key_package()];
    let (alice, at_alice) = &mut world.alice;
    let swap = alice.mls(|mls| at_alice.change(mls, &packages, &[LeafIndex(2)], b"")).expect("a commit");
    let seen = world.alice_commits(&swap);
    assert_eq!(seen.removed.len(), 1);
    assert_eq!((seen.removed[0].member.credential.as_slice(), seen.removed[0].by_server), (&b"carol"[..], false));
    for added in &seen.added {
        assert_eq!(world.alice.1.member(added.leaf).as_ref(), Some(added), "the predicted leaf is the real one");
    }
    assert_eq!(seen.added.iter().map(|member| member.leaf.0).collect::<Vec<_>>(), [2, 3]);
    let welcome = swap.welcome.expect("a welcome");
    let tree = world.server.tree();
    for device in [&mut dave, &mut erin] {
        let group = device.join(&welcome, &tree);
        assert_eq!(group.epoch_authenticator(), world.alice.1.epoch_authenticator());
    }
}

#[test]
fn a_joiner_sees_the_group_before_it_accepts() {
    let mut server = Server::new();
    let (mut alice, mut bob) = (Device::new("alice", 1), Device::new("bob", 2));
    let mut at_alice = alice.create(&server.signer);
    server.found(&mut alice, &at_alice);
    let package = bob.key_package();
    let offered = check_key_package(&package).expect("acceptable");
    assert_eq!((offered.credential.as_slice(), offered.last_resort), (&b"bob"[..], false));
    let proposed = alice.mls(|mls| at_alice.add(mls, &[package], b"")).expect("a commit");
    assert!(!server.order(&proposed.commit, &proposed.group_info).has_path);
    let welcome = proposed.welcome.expect("a welcome");
    let tree = server.tree();

    // Looking, twice, uses nothing up.
    for _ in 0..2 {
        bob.mls(|mls| {
            let joining = Joining::from_welcome(mls, &welcome, &tree).expect("joinable");
            assert_eq!((joining.conversation(), joining.epoch()), (ROOM, Epoch(1)));
            assert_eq!(joining.certificate().as_deref(), Some(CERTIFICATE));
            assert_eq!(joining.server_key(), Some(server.signer.public_key()));
            assert_eq!(joining.sender().expect("a sender").credential, b"alice");
            assert_eq!((joining.members().len(), joining.own_leaf()), (2, LeafIndex(1)));
            assert!(Group::load(mls, ROOM).expect("the store").is_none());
        });
    }
    // Neither does a welcome that is refused for its tree.
    alice.merge_pending(&mut at_alice);
    let other = Device::new("mallory", 9).create(&server.signer).ratchet_tree().expect("a tree");
    assert!(matches!(
        bob.mls(|mls| Joining::from_welcome(mls, &welcome, &other).map(drop)),
        Err(JoinError::Invalid(_))
    ));

    bob.join(&welcome, &tree);
    assert!(matches!(bob.mls(|mls| Joining::from_welcome(mls, &welcome, &tree).map(drop)), Err(JoinError::NotForUs)));
    let mut carol = Device::new("carol", 3);
    assert!(matches!(carol.mls(|mls| Joining::from_welcome(mls, &welcome, &tree).map(drop)), Err(JoinError::NotForUs)));
}

#[test]
fn a_last_resort_key_package_serves_more_than_once() {
    let server = Server::new();
    let mut bob = Device::new("bob", 2);
    let package = bob.mls(|mls| mls.key_package(true)).expect("a key package");
    assert!(check_key_package(&package).expect("acceptable").last_resort);
    for seed in [1, 3] {
        let mut alice = Device::new("alice", seed);
        let mut at_alice = alice.create(&server.signer);
        let proposed = alice.mls(|mls| at_alice.add(mls, std::slice::from_ref(&package), b"")).expect("a commit");
        alice.merge_pending(&mut at_alice);
        let tree = at_alice.ratchet_tree().expect("a tree");
        let group = bob.join(&proposed.welcome.expect("a welcome"), &tree);
        bob.mls(|mls| group.delete(mls)).expect("deleted");
    }
    bob.mls(|mls| mls.delete_key_package(&package)).expect("deleted");
    let rows: i64 = bob.conn.query_row("SELECT count(*) FROM mls_key", [], |row| row.get(0)).expect("a count");
    assert_eq!(rows, 0);
}

#[test]
fn a_removed_member_reads_nothing_of_the_next_epoch() {
    let mut world = World::new();
    let (mut carol, mut at_carol) = world.add(Device::new("carol", 3));
    let (alice, at_alice) = &mut world.alice;
    let removal = alice.mls(|mls| at_alice.change(mls, &[], &[LeafIndex(2)], b"")).expect("a commit");
    world.alice_commits(&removal);
    let later = world.alice.0.send(&mut world.alice.1, "without carol");
    assert!(matches!(carol.process(&mut at_carol, &later), Err(ProcessError::WrongEpoch { .. })));

    let staged = carol.staged(&mut at_carol, &removal.commit);
    assert!(staged.removes_us());
    assert_eq!(staged.epoch_authenticator(), None);
    carol.mls(|mls| at_carol.merge(mls, staged)).expect("merged");
    assert!(!at_carol.is_active());
    assert!(matches!(carol.process(&mut at_carol, &later), Err(ProcessError::Evicted)));
    assert!(matches!(carol.mls(|mls| at_carol.encrypt(mls, b"", b"x")), Err(GroupError::Evicted)));
    assert!(!carol.load().is_active());
}

#[test]
fn the_server_proposes_a_removal_and_a_member_commits_it() {
    let mut world = World::new();
    let (mut carol, mut at_carol) = world.add(Device::new("carol", 3));
    let Server { signer, follower } = &mut world.server;
    let follower = follower.as_mut().expect("a group");
    let stranger = Device::new("x", 7).identity.signer;
    assert!(matches!(follower.propose_remove(&stranger, LeafIndex(2)), Err(FollowError::NotTheServer)));
    assert!(matches!(follower.propose_remove(signer, LeafIndex(9)), Err(FollowError::UnknownLeaf(_))));
    let proposal = follower.propose_remove(signer, LeafIndex(2)).expect("proposed");
    assert_eq!(follower.pending(), [LeafIndex(2)]);
    assert_eq!(peek(&proposal).expect("a message").kind, Kind::Proposal);
    // A restart keeps the proposal.
    let blob = follower.save();
    *follower = subrosa_mls::follower::Follower::load(&blob).expect("loaded");
    assert_eq!(follower.pending(), [LeafIndex(2)]);

    for (device, group) in [&mut world.alice, &mut world.bob] {
        let Processed::Proposal(received) = device.process(group, &proposal).expect("processed") else {
            panic!("not a proposal")
        };
        assert_eq!(received.sender(), &MessageSender::Server);
        assert_eq!(received.removes().credential, b"carol");
        assert!(!group.has_pending_proposals(), "only looked at");
        device.mls(|mls| group.store_proposal(mls, *received)).expect("stored");
        assert_eq!(group.pending_removals(), [LeafIndex(2)]);
        assert!(matches!(device.mls(|mls| group.encrypt(mls, b"", b"x")), Err(GroupError::PendingProposals)));
        *group = device.load();
        assert_eq!(group.pending_removals(), [LeafIndex(2)], "it survives a restart");
    }

    // A commit for another reason carries it out as well.
    let mut dave = Device::new("dave", 4);
    let package = dave.key_package();
    let (alice, at_alice) = &mut world.alice;
    let proposed = alice.mls(|mls| at_alice.add(mls, &[package], b"")).expect("a commit");
    let seen = world.alice_commits(&proposed);
    assert!(seen.covers_pending && seen.removed[0].by_server);
    assert_eq!((seen.removed[0].member.credential.as_slice(), seen.added.len()), (&b"carol"[..], 1));
    assert!(world.server.follower().pending().is_empty());
    assert!(!world.bob.1.has_pending_proposals());
    // Carol, who has not seen the proposal, cannot resolve it; with it she learns that she is out.
    assert!(matches!(carol.process(&mut at_carol, &proposed.commit), Err(ProcessError::MissingProposal)));
    let Ok(Processed::Proposal(received)) = carol.process(&mut at_carol, &proposal) else { panic!("a proposal") };
    carol.mls(|mls| at_carol.store_proposal(mls, *received)).expect("stored");
    assert!(carol.staged(&mut at_carol, &proposed.commit).removes_us());
}

#[test]
fn a_commit_that_passes_over_a_pending_removal_shows() {
    let mut world = World::new();
    world.add(Device::new("carol", 3));
    let (alice, at_alice) = &mut world.alice;
    // Alice commits before she has seen the proposal.
    let proposed = alice.mls(|mls| at_alice.self_update(mls, b"")).expect("a commit");
    let Server { signer, follower } = &mut world.server;
    follower.as_mut().expect("a group").propose_remove(signer, LeafIndex(2)).expect("proposed");
    assert!(!world.server.inspect(&proposed.commit).summary().covers_pending);
    // Nothing but the pending proposals:
    let Server { signer, follower } = &mut world.server;
    let proposal = follower.as_mut().expect("a group").propose_remove(signer, LeafIndex(2)).expect("proposed");
    let (bob, at_bob) = &mut world.bob;
    let Ok(Processed::Proposal(received)) = bob.process(at_bob, &proposal) else { panic!("a proposal") };
    bob.mls(|mls| at_bob.store_proposal(mls, *received)).expect("stored");
    let committed = bob.mls(|mls| at_bob.commit_pending_proposals(mls, b"")).expect("a commit");
    let summary = world.server.inspect(&committed.commit).summary().clone();
    assert!(summary.covers_pending && summary.removed[0].by_server && summary.added.is_empty());
}

#[test]
fn a_removal_that_the_server_proposed_stays_the_servers_when_a_member_says_it_again() {
    let mut world = World::new();
    world.add(Device::new("carol", 3));
    let Server { signer, follower } = &mut world.server;
    let proposal = follower.as_mut().expect("a group").propose_remove(signer, LeafIndex(2)).expect("proposed");
    for (device, group) in [&mut world.alice, &mut world.bob] {
        let Ok(Processed::Proposal(received)) = device.process(group, &proposal) else { panic!("a proposal") };
        device.mls(|mls| group.store_proposal(mls, *received)).expect("stored");
    }
    let (bob, at_bob) = &mut world.bob;
    let committed = bob.mls(|mls| at_bob.change(mls, &[], &[LeafIndex(2)], b"")).expect("a commit");
    let own = at_bob.pending_commit_summary(Vec::new()).expect("a commit waits").expect("within the rules");
    let (alice, at_alice) = &mut world.alice;
    let alices = alice.staged(at_alice, &committed.commit).summary().clone();
    let servers = world.server.inspect(&committed.commit).summary().clone();
    for seen in [own, alices, servers] {
        assert!(seen.covers_pending && seen.removed.len() == 1 && seen.removed[0].by_server, "{seen:?}");
    }
}

#[test]
fn a_further_device_joins_by_itself_and_one_that_lost_its_state_comes_back() {
    let mut world = World::new();
    let mut laptop = Device::new("alice's laptop", 6);
    let join = |world: &mut World, device: &mut Device| {
        let info = world.bob.0.mls(|mls| world.bob.1.group_info(mls)).expect("group info");
        world.server.follower().verify_group_info(&info).expect("a group info of this epoch");
        let tree = world.server.tree();
        device.mls(|mls| Group::join_external(mls, &info, &tree, b"proof")).expect("joined")
    };

    let (at_laptop, commit, info) = join(&mut world, &mut laptop);
    assert_eq!(at_laptop.certificate().as_deref(), Some(CERTIFICATE));
    let seen = world.server.order(&commit, &info);
    assert!(seen.external_join && seen.has_path && seen.replaced.is_none() && seen.covers_pending);
    assert_eq!((seen.committer.credential.as_slice(), seen.committer.leaf), (&b"alice's laptop"[..], LeafIndex(2)));
    assert_eq!((seen.aad.as_slice(), seen.added.len(), seen.removed.len()), (&b"proof"[..], 0, 0));
    assert_eq!(world.alice.0.follow(&mut world.alice.1, &commit), seen);
    assert_eq!(world.bob.0.follow(&mut world.bob.1, &commit), seen);
    world.agree();
    world.server.agrees_with(&at_laptop);
    assert_eq!(at_laptop.epoch_authenticator(), world.alice.1.epoch_authenticator());

    // The laptop loses everything but its key, and takes its old leaf again.
    let mut laptop = laptop.reset();
    let (mut at_laptop, commit, info) = join(&mut world, &mut laptop);
    let seen = world.server.order(&commit, &info);
    let replaced = seen.replaced.as_ref().expect("the old leaf");
    assert_eq!((replaced.leaf, &replaced.signature_key), (LeafIndex(2), &seen.committer.signature_key));
    assert_eq!((seen.committer.leaf, seen.removed.len()), (LeafIndex(2), 0));
    world.alice.0.follow(&mut world.alice.1, &commit);
    world.bob.0.follow(&mut world.bob.1, &commit);
    world.agree();
    let message = laptop.send(&mut at_laptop, "back");
    assert_eq!(world.bob.0.read(&mut world.bob.1, &message), "back");
    // The stored group is the joined one, with our configuration.
    let mut at_laptop = laptop.load();
    let update = laptop.mls(|mls| at_laptop.self_update(mls, b"")).expect("a commit");
    world.server.inspect(&update.commit);
}

#[test]
fn a_refused_external_join_is_deleted_and_tried_again() {
    let mut world = World::new();
    let mut laptop = Device::new("alice's laptop", 6);
    let info = world.bob.0.mls(|mls| world.bob.1.group_info(mls)).expect("group info");
    let tree = world.server.tree();
    let (stale, commit, _) =
        laptop.mls(|mls| Group::join_external(mls, &info, &tree, b"")).expect("joined, as it thinks");

    let (alice, at_alice) = &mut world.alice;
    let winner = alice.mls(|mls| at_alice.self_update(mls, b"")).expect("a commit");
    world.alice_commits(&winner);
    assert!(matches!(world.server.follower().inspect(&commit), Err(FollowError::WrongEpoch { .. })));

    let again = laptop.mls(|mls| Group::join_external(mls, &info, &tree, b"").map(drop));
    assert!(matches!(again, Err(JoinError::AlreadyMember)));
    laptop.mls(|mls| stale.delete(mls)).expect("deleted");
    let tree = world.server.tree();
    let (_, commit, info) =
        laptop.mls(|mls| Group::join_external(mls, &winner.group_info, &tree, b"")).expect("joined");
    world.server.order(&commit, &info);
}

#[test]
fn the_server_refuses_a_group_info_that_is_not_of_the_epoch() {
    let mut world = World::new();
    let (alice, at_alice) = &mut world.alice;
    let old = alice.mls(|mls| at_alice.group_info(mls)).expect("group info");
    let proposed = alice.mls(|mls| at_alice.self_update(mls, b"")).expect("a commit");
    assert!(world.server.follower().verify_group_info(&proposed.group_info).is_err(), "not yet");
    world.server.follower().verify_group_info(&old).expect("of this epoch");
    world.alice_commits(&proposed);
    assert!(world.server.follower().verify_group_info(&old).is_err(), "no longer");
    for position in 0..proposed.group_info.len() {
        let mut changed = proposed.group_info.clone();
        changed[position] ^= 1;
        assert!(world.server.follower().verify_group_info(&changed).is_err(), "byte {position}");
    }
}

#[test]
fn an_inspected_commit_is_good_for_one_state_only() {
    let mut world = World::new();
    let (alice, at_alice) = &mut world.alice;
    let first = alice.mls(|mls| at_alice.self_update(mls, b"")).expect("a commit");
    let (bob, at_bob) = &mut world.bob;
    let second = bob.mls(|mls| at_bob.self_update(mls, b"")).expect("a commit");
    let late = world.server.inspect(&second.commit);
    world.server.order(&first.commit, &first.group_info);
    assert!(matches!(world.server.follower().merge(late), Err(FollowError::Stale)));
    assert!(matches!(world.server.follower().inspect(&second.commit), Err(FollowError::WrongEpoch { .. })));
    let message = world.alice.0.send(&mut world.alice.1, "x");
    assert!(matches!(world.server.follower().inspect(&message), Err(FollowError::NotAHandshake)));
}
