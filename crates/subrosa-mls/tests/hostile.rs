//! Bytes that somebody made up: none of them panics, none of them is believed.

mod common;

use common::{Device, World};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use subrosa_mls::follower::{Follower, check_key_package};
use subrosa_mls::{Group, Joining, LeafIndex, Processed, peek};

/// One of a few ways to spoil bytes, at a place that the generator chooses.
fn spoil(rng: &mut ChaCha20Rng, bytes: &[u8]) -> Vec<u8> {
    let mut spoilt = bytes.to_vec();
    let place = rng.next_u32() as usize % spoilt.len();
    match rng.next_u32() % 6 {
        0 => spoilt[place] ^= 1 << (rng.next_u32() % 8),
        1 => spoilt[place] = 0xff,
        2 => spoilt.truncate(place),
        3 => {
            let end = (place + 4).min(spoilt.len());
            spoilt[place..end].fill(0xff);
        }
        4 => {
            spoilt.remove(place);
        }
        _ => spoilt.insert(place, rng.next_u32() as u8),
    }
    spoilt
}

#[test]
fn spoilt_messages_change_nothing_at_members_and_server() {
    let mut world = World::new();
    let (mut carol, mut at_carol) = world.add(Device::new("carol", 3));
    let package = Device::new("dave", 4).key_package();
    let message = world.alice.0.send(&mut world.alice.1, "genuine");
    let proposal = {
        let common::Server { signer, follower } = &mut world.server;
        let before = follower.as_ref().expect("a group").save();
        let proposal = follower.as_mut().expect("a group").propose_remove(signer, LeafIndex(2)).expect("proposed");
        *follower = Some(Follower::load(&before).expect("loaded"));
        proposal
    };
    let (alice, at_alice) = &mut world.alice;
    let swap = alice.mls(|mls| at_alice.change(mls, &[package], &[LeafIndex(2)], b"aad")).expect("a commit");
    let info = world.bob.0.mls(|mls| world.bob.1.group_info(mls)).expect("group info");
    let tree = world.server.tree();
    let (_, external, _) = Device::new("x", 9).mls(|mls| Group::join_external(mls, &info, &tree, b"")).expect("joined");

    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let before = (world.bob.1.epoch(), world.server.follower().save());
    for genuine in [&message, &proposal, &swap.commit, &external] {
        for _ in 0..1000 {
            let spoilt = spoil(&mut rng, genuine);
            if spoilt == *genuine {
                continue;
            }
            let _ = peek(&spoilt);
            // The server does not see the membership tag; everything that it signs for is checked by members.
            let _ = world.server.follower().inspect(&spoilt);
            let processed = carol.process(&mut at_carol, &spoilt);
            assert!(processed.is_err(), "{:?}", spoilt);
        }
    }
    assert_eq!((world.bob.1.epoch(), world.server.follower().save()), before);
    assert_eq!(carol.read(&mut at_carol, &message), "genuine");
    assert!(matches!(carol.process(&mut at_carol, &swap.commit), Ok(Processed::Commit(_))));
}

#[test]
fn spoilt_welcomes_trees_and_group_infos_are_refused() {
    let mut world = World::new();
    let mut dave = Device::new("dave", 4);
    let package = dave.key_package();
    let (alice, at_alice) = &mut world.alice;
    let proposed = alice.mls(|mls| at_alice.add(mls, std::slice::from_ref(&package), b"")).expect("a commit");
    let welcome = proposed.welcome.expect("a welcome");
    world.server.order(&proposed.commit, &proposed.group_info);
    let tree = world.server.tree();
    let blob = world.server.follower().save();
    let mut erin = Device::new("erin", 5);

    let mut rng = ChaCha20Rng::seed_from_u64(2);
    for _ in 0..500 {
        let spoilt = spoil(&mut rng, &welcome);
        assert!(dave.mls(|mls| Joining::from_welcome(mls, &spoilt, &tree).is_err()) || spoilt == welcome);
        let spoilt = spoil(&mut rng, &tree);
        assert!(dave.mls(|mls| Joining::from_welcome(mls, &welcome, &spoilt).is_err()) || spoilt == tree);
        assert!(
            erin.mls(|mls| Group::join_external(mls, &proposed.group_info, &spoilt, b"").is_err()) || spoilt == tree
        );
        let spoilt = spoil(&mut rng, &proposed.group_info);
        assert!(
            erin.mls(|mls| Group::join_external(mls, &spoilt, &tree, b"").is_err()) || spoilt == proposed.group_info
        );
        assert!(Follower::found(&spoilt, &tree).is_err());
        let spoilt = spoil(&mut rng, &package);
        assert!(check_key_package(&spoilt).is_err() || spoilt == package);
        let _ = Follower::load(&spoil(&mut rng, &blob)).map(|follower| follower.members());
    }
    dave.join(&welcome, &tree);
}

#[test]
fn noise_is_refused() {
    let mut world = World::new();
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let (bob, at_bob) = &mut world.bob;
    for length in 0..2000 {
        let mut noise = vec![0; length % 300];
        rng.fill_bytes(&mut noise);
        // Every other time with a head that leads further in.
        if length % 2 == 0 && noise.len() > 40 {
            noise[..5].copy_from_slice(&[0, 1, 0, 1 + (length / 2 % 2) as u8, 16]);
            noise[5..21].fill(0x52);
            noise[21..29].copy_from_slice(&1_u64.to_be_bytes());
        }
        let _ = peek(&noise);
        assert!(bob.process(at_bob, &noise).is_err());
        assert!(bob.mls(|mls| Joining::from_welcome(mls, &noise, &noise).is_err()));
        assert!(world.server.follower.as_ref().expect("a group").inspect(&noise).is_err());
        assert!(check_key_package(&noise).is_err());
    }
}
