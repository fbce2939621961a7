//! Tests with what our own code never makes, but a member or founder with other code could: made with OpenMLS directly. And
//! the life of a volatile group, which shares their cast.

use openmls::group::{GroupId, MlsGroup, MlsGroupCreateConfig};
use openmls::messages::external_proposals::ExternalProposal;
use openmls::prelude::SenderExtensionIndex;
use openmls::prelude::{
    Capabilities, Extension, Extensions, GroupContext, KeyPackage, LeafNodeIndex, Lifetime,
    MIXED_CIPHERTEXT_WIRE_FORMAT_POLICY, PURE_CIPHERTEXT_WIRE_FORMAT_POLICY, UnknownExtension,
};
use rand_core::{CryptoRng, RngCore};
use rusqlite::Connection;
use subrosa_types::ConversationId;

use super::{Group, ProcessError, Processed};
use crate::follower::{FollowError, Follower, Inspected, check_key_package};
use crate::provider::Provider;
use crate::suite::{self, CERTIFICATE_EXTENSION, CLASSICAL_SUITE, SUITE};
use crate::{
    GroupError, Identity, Joining, KeyPackageError, LeafIndex, LeafSigner, MessageSender, Mls, SCHEMA, Violation, peek,
    wire,
};

const ROOM: ConversationId = ConversationId::from_bytes([7; 16]);
const SERVER: [u8; 32] = [0xEE; 32];

/// Numbers that never repeat; enough for a test.
struct Counter(u64);

impl RngCore for Counter {
    fn next_u32(&mut self) -> u32 {
        self.next_u64() as u32
    }

    fn next_u64(&mut self) -> u64 {
        self.0 += 1;
        self.0.wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }

    fn fill_bytes(&mut self, to: &mut [u8]) {
        rand_core::impls::fill_bytes_via_next(self, to);
    }

    fn try_fill_bytes(&mut self, to: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(to);
        Ok(())
    }
}

impl CryptoRng for Counter {}

struct Device {
    conn: Connection,
    rng: Counter,
    identity: Identity,
}

impl Device {
    fn new(name: &str, seed: u8) -> Self {
        let conn = Connection::open_in_memory().expect("a database");
        conn.execute_batch(SCHEMA).expect("the tables");
        let signer = LeafSigner::from_seed(&[seed; 32]).expect("a key");
        let identity = Identity { credential: name.as_bytes().to_vec(), signer };
        Self { conn, rng: Counter(u64::from(seed) << 32), identity }
    }

    fn mls<T>(&mut self, operation: impl FnOnce(&Mls<'_>) -> T) -> T {
        operation(&Mls::new(&self.conn, &mut self.rng, &self.identity).expect("randomness"))
    }
}

fn server_key() -> [u8; 32] {
    LeafSigner::from_seed(&SERVER).expect("a key").public_key()
}

/// Alice, who founded the group, and Bob; and the server that follows them.
fn pair() -> ((Device, Group), (Device, Group), Follower) {
    let (mut alice, mut bob) = (Device::new("alice", 1), Device::new("bob", 2));
    let mut at_alice = alice.mls(|mls| Group::create(mls, ROOM, b"certificate", &server_key())).expect("a group");
    let info = alice.mls(|mls| at_alice.group_info(mls)).expect("group info");
    let mut follower = Follower::found(&info, &at_alice.ratchet_tree().expect("a tree")).expect("followed");
    let package = bob.mls(|mls| mls.key_package(false)).expect("a key package");
    let proposed = alice.mls(|mls| at_alice.add(mls, &[package], b"")).expect("a commit");
    let Ok(Inspected::Commit(commit)) = follower.inspect(&proposed.commit) else { panic!("a commit") };
    follower.merge(*commit).expect("merged");
    alice.mls(|mls| at_alice.merge_pending(mls)).expect("merged");
    let (welcome, tree) = (proposed.welcome.expect("a welcome"), follower.ratchet_tree().expect("a tree"));
    let at_bob = bob
        .mls(|mls| Joining::from_welcome(mls, &welcome, &tree).and_then(|joining| joining.accept(mls)))
        .expect("joined");
    ((alice, at_alice), (bob, at_bob), follower)
}

fn refused_by_all(follower: &Follower, bob: &mut (Device, Group), bytes: &[u8], expected: Violation) {
    match follower.inspect(bytes) {
        Err(FollowError::Violation(violation)) => assert_eq!(violation, expected),
        Err(error) => panic!("the follower refuses for another reason: {error}"),
        Ok(_) => panic!("the follower accepts"),
    }
    let (device, group) = bob;
    match device.mls(|mls| group.process(mls, bytes)) {
        Err(ProcessError::Violation(violation)) => assert_eq!(violation, expected),
        Err(error) => panic!("the member refuses for another reason: {error}"),
        Ok(_) => panic!("the member accepts"),
    }
}

#[test]
fn nobody_changes_certificate_or_server_key() {
    let ((mut alice, mut at_alice), mut bob, follower) = pair();
    let extensions = suite::group_context_extensions(b"another certificate", &[9; 32]).expect("extensions");
    let commit = alice.mls(|mls| {
        let (commit, _, _) =
            at_alice.inner.update_group_context_extensions(&mls.provider, extensions, mls.signer()).expect("a commit");
        wire::message_bytes(commit).expect("bytes")
    });
    refused_by_all(&follower, &mut bob, &commit, Violation::Proposal("GroupContextExtensions"));
}

#[test]
fn a_member_is_not_added_with_a_lifetime_of_its_own() {
    let ((mut alice, mut at_alice), mut bob, follower) = pair();
    let mut carol = Device::new("carol", 3);
    let package = carol.mls(|mls| {
        KeyPackage::builder()
            .key_package_lifetime(Lifetime::new(3600))
            .leaf_node_capabilities(suite::capabilities())
            .build(SUITE, &mls.provider, mls.signer(), mls.credential())
            .expect("a key package")
            .into_key_package()
    });
    let bytes = wire::message_bytes(package.clone()).expect("bytes");
    assert_eq!(check_key_package(&bytes), Err(KeyPackageError::Violation(Violation::Lifetime)));
    let refused = alice.mls(|mls| at_alice.add(mls, &[bytes], b""));
    assert!(matches!(refused, Err(GroupError::KeyPackage { reason: KeyPackageError::Violation(_), .. })));
    let commit = alice.mls(|mls| {
        let (commit, _, _) = at_alice.inner.add_members(&mls.provider, mls.signer(), &[package]).expect("a commit");
        wire::message_bytes(commit).expect("bytes")
    });
    refused_by_all(&follower, &mut bob, &commit, Violation::Lifetime);
}

#[test]
fn a_key_package_of_another_suite_or_without_our_extension_is_refused() {
    let mut carol = Device::new("carol", 3);
    let mut package = |suite, capabilities: Capabilities| {
        carol.mls(|mls| {
            let bundle = KeyPackage::builder()
                .key_package_lifetime(suite::lifetime())
                .leaf_node_capabilities(capabilities)
                .build(suite, &mls.provider, mls.signer(), mls.credential())
                .expect("a key package");
            wire::message_bytes(bundle.into_key_package()).expect("bytes")
        })
    };
    let classical = package(CLASSICAL_SUITE, suite::capabilities());
    assert_eq!(check_key_package(&classical), Err(KeyPackageError::Violation(Violation::Suite)));
    let bare = package(SUITE, Capabilities::new(None, Some(&[SUITE]), None, None, None));
    assert_eq!(check_key_package(&bare), Err(KeyPackageError::Violation(Violation::Capabilities)));
    assert_eq!(check_key_package(&package(SUITE, suite::capabilities())).map(|info| info.last_resort), Ok(false));
}

#[test]
fn an_external_join_replaces_its_own_leaf_and_no_other() {
    let ((mut alice, at_alice), _, follower) = pair();
    let info = alice.mls(|mls| at_alice.group_info(mls)).expect("group info");
    let tree = at_alice.ratchet_tree().expect("a tree");
    let replaced = |mut device: Device| {
        let (_, commit, _) = device.mls(|mls| Group::join_external(mls, &info, &tree, b"")).expect("joined");
        let Ok(Inspected::Commit(commit)) = follower.inspect(&commit) else { panic!("a commit") };
        commit.summary().replaced.as_ref().map(|member| member.leaf)
    };
    assert_eq!(replaced(Device::new("bob", 9)), None, "the name alone does not do it");
    assert_eq!(replaced(Device { rng: Counter(77 << 40), ..Device::new("bob", 2) }), Some(LeafIndex(1)));
}

#[test]
fn a_member_that_proposes_is_named_and_an_update_proposal_refused() {
    let ((mut alice, mut at_alice), mut bob, follower) = pair();
    let remove = alice.mls(|mls| {
        let (proposal, _) = at_alice
            .inner
            .propose_remove_member(&mls.provider, mls.signer(), LeafNodeIndex::new(1))
            .expect("a proposal");
        proposal.to_bytes().expect("bytes")
    });
    let Ok(Inspected::Proposal(inspected)) = follower.inspect(&remove) else { panic!("a proposal") };
    assert!(matches!(inspected.sender(), MessageSender::Member(member) if member.credential == b"alice"));
    let (device, group) = &mut bob;
    let Ok(Processed::Proposal(received)) = device.mls(|mls| group.process(mls, &remove)) else { panic!("a proposal") };
    assert!(matches!(received.sender(), MessageSender::Member(member) if member.credential == b"alice"));

    let update = alice.mls(|mls| {
        let (proposal, _) =
            at_alice.inner.propose_self_update(&mls.provider, mls.signer(), mls.leaf()).expect("a proposal");
        proposal.to_bytes().expect("bytes")
    });
    refused_by_all(&follower, &mut bob, &update, Violation::Proposal("Update"));
}

#[test]
fn leaf_indices_beyond_every_tree_are_refused() {
    let ((mut alice, mut at_alice), (mut bob, mut at_bob), follower) = pair();
    // OpenMLS refuses to make this, so the index is put into a genuine proposal: where its removal says leaf 1.
    let remove = alice.mls(|mls| {
        let (proposal, _) = at_alice
            .inner
            .propose_remove_member(&mls.provider, mls.signer(), LeafNodeIndex::new(1))
            .expect("a proposal");
        proposal.to_bytes().expect("bytes")
    });
    let place = remove.windows(6).position(|window| window == [0, 3, 0, 0, 0, 1]).expect("Remove of leaf 1") + 2;
    for index in [2_u32, 1 << 29, 1 << 30, 1 << 31, u32::MAX] {
        let mut forged = remove.clone();
        forged[place..place + 4].copy_from_slice(&index.to_be_bytes());
        assert!(follower.inspect(&forged).is_err());
        assert!(bob.mls(|mls| at_bob.process(mls, &forged)).is_err());
        // As the sender.
        let mut forged = remove.clone();
        let sender = 2 + 2 + 1 + 16 + 8 + 1;
        forged[sender..sender + 4].copy_from_slice(&index.to_be_bytes());
        assert!(follower.inspect(&forged).is_err());
        assert!(bob.mls(|mls| at_bob.process(mls, &forged)).is_err());
    }
}

#[test]
fn a_removal_beyond_every_tree_is_refused_though_the_server_signed_it() {
    let ((_, at_alice), mut bob, follower) = pair();
    let signer = LeafSigner::from_seed(&SERVER).expect("a key");
    for leaf in [2, u32::MAX] {
        let proposal = ExternalProposal::new_remove::<Provider<'static>>(
            LeafNodeIndex::new(leaf),
            at_alice.inner.group_id().clone(),
            at_alice.inner.epoch(),
            &signer,
            SenderExtensionIndex::new(0),
        );
        let bytes = wire::message_bytes(proposal.expect("a proposal")).expect("bytes");
        refused_by_all(&follower, &mut bob, &bytes, Violation::Proposal("a Remove of a leaf that is empty"));
    }
}

#[test]
fn hidden_handshakes_are_refused_at_the_door() {
    let ((mut alice, mut at_alice), (mut bob, mut at_bob), follower) = pair();
    let commit = alice.mls(|mls| {
        let config = openmls::prelude::MlsGroupJoinConfig::builder()
            .wire_format_policy(MIXED_CIPHERTEXT_WIRE_FORMAT_POLICY)
            .build();
        at_alice.inner.set_configuration(&mls.provider.store, &config).expect("configured");
        at_alice.self_update(mls, b"").expect("a commit").commit
    });
    assert_eq!(peek(&commit), Err(crate::PeekError::WireFormat));
    assert!(matches!(follower.inspect(&commit), Err(FollowError::Peek(_))));
    assert!(matches!(bob.mls(|mls| at_bob.process(mls, &commit)), Err(ProcessError::Peek(_))));
}

/// A group that OpenMLS makes and we would not.
fn foreign(suite: openmls::prelude::Ciphersuite, extensions: Extensions<GroupContext>, id: &[u8]) -> Violation {
    let mut mallory = Device::new("mallory", 9);
    let (info, tree) = mallory.mls(|mls| {
        let config = MlsGroupCreateConfig::builder()
            .ciphersuite(suite)
            .capabilities(suite::capabilities())
            .lifetime(suite::lifetime())
            .wire_format_policy(PURE_CIPHERTEXT_WIRE_FORMAT_POLICY)
            .with_group_context_extensions(extensions)
            .build();
        let id = GroupId::from_slice(id);
        let inner = MlsGroup::new_with_group_id(&mls.provider, mls.signer(), &config, id, mls.credential());
        let group = Group { inner: inner.expect("a group") };
        (group.group_info(mls).expect("group info"), group.ratchet_tree().expect("a tree"))
    });
    let joined = Device::new("bob", 2).mls(|mls| Group::join_external(mls, &info, &tree, b"").map(drop));
    let Err(crate::JoinError::Violation(at_joiner)) = joined else { panic!("a joiner accepts") };
    let Err(FollowError::Violation(at_server)) = Follower::found(&info, &tree) else { panic!("the server accepts") };
    assert_eq!(at_joiner, at_server);
    at_server
}

#[test]
fn groups_that_are_not_made_like_ours_are_neither_joined_nor_followed() {
    let ours = || suite::group_context_extensions(b"certificate", &server_key()).expect("extensions");
    let with = |change: &dyn Fn(&mut Extensions<GroupContext>)| {
        let mut extensions = ours();
        change(&mut extensions);
        foreign(SUITE, extensions, ROOM.as_bytes())
    };
    let replace = |extensions: &mut Extensions<GroupContext>, extension| {
        extensions.add_or_replace(extension).expect("replaced");
    };
    assert_eq!(foreign(CLASSICAL_SUITE, ours(), ROOM.as_bytes()), Violation::Suite);
    assert_eq!(foreign(SUITE, ours(), b"short"), Violation::GroupId);
    let empty = Extension::Unknown(CERTIFICATE_EXTENSION, UnknownExtension(Vec::new()));
    assert_eq!(with(&|extensions| replace(extensions, empty.clone())), Violation::Certificate);
    let large = Extension::Unknown(CERTIFICATE_EXTENSION, UnknownExtension(vec![0; suite::CERTIFICATE + 1]));
    assert_eq!(with(&|extensions| replace(extensions, large.clone())), Violation::Certificate);
    let two = Extension::ExternalSenders(vec![suite::external_sender(&[1; 32]), suite::external_sender(&[2; 32])]);
    assert_eq!(with(&|extensions| replace(extensions, two.clone())), Violation::ExternalSenders);
    let other = Extension::Unknown(0xF0C6, UnknownExtension(vec![1]));
    assert_eq!(with(&|extensions| replace(extensions, other.clone())), Violation::Extension);
    let required = Extension::RequiredCapabilities(Default::default());
    assert_eq!(with(&|extensions| replace(extensions, required.clone())), Violation::RequiredCapabilities);
}

#[test]
fn a_volatile_group_goes_through_its_life_and_leaves_nothing_to_load() {
    let mut alice = Device::new("alice", 1);
    let mut bob = Device::new("bob", 2);
    let mut carol = Device::new("carol", 3);
    fn volatile<T>(device: &mut Device, operation: impl FnOnce(&Mls<'_>) -> T) -> T {
        operation(&Mls::volatile(&device.conn, &mut device.rng, &device.identity).expect("randomness"))
    }
    let mut at_alice =
        volatile(&mut alice, |mls| Group::create(mls, ROOM, b"certificate", &server_key())).expect("a group");
    let info = volatile(&mut alice, |mls| at_alice.group_info(mls)).expect("group info");
    let mut follower = Follower::found(&info, &at_alice.ratchet_tree().expect("a tree")).expect("followed");
    let join = |device: &mut Device, follower: &mut Follower, info: &[u8], others: &mut [(&mut Device, &mut Group)]| {
        let tree = follower.ratchet_tree().expect("a tree");
        let (group, commit, info) =
            volatile(device, |mls| Group::join_external(mls, info, &tree, b"")).expect("joined");
        let Ok(Inspected::Commit(inspected)) = follower.inspect(&commit) else { panic!("a commit") };
        follower.merge(*inspected).expect("merged");
        for (device, group) in others {
            let Processed::Commit(staged) = volatile(device, |mls| group.process(mls, &commit)).expect("processed")
            else {
                panic!("a commit")
            };
            volatile(device, |mls| group.merge(mls, *staged)).expect("merged");
        }
        (group, info)
    };
    let (mut at_bob, info) = join(&mut bob, &mut follower, &info, &mut [(&mut alice, &mut at_alice)]);
    let (mut at_carol, _) =
        join(&mut carol, &mut follower, &info, &mut [(&mut alice, &mut at_alice), (&mut bob, &mut at_bob)]);

    // The server takes Bob out; Carol commits.
    let signer = LeafSigner::from_seed(&SERVER).expect("a key");
    let proposal = follower.propose_remove(&signer, at_bob.own_leaf()).expect("a proposal");
    for (device, group) in [(&mut alice, &mut at_alice), (&mut carol, &mut at_carol)] {
        let Processed::Proposal(proposal) = volatile(device, |mls| group.process(mls, &proposal)).expect("processed")
        else {
            panic!("a proposal")
        };
        volatile(device, |mls| group.store_proposal(mls, *proposal)).expect("stored");
    }
    let made = volatile(&mut carol, |mls| at_carol.commit_pending_proposals(mls, b"")).expect("a commit");
    volatile(&mut carol, |mls| at_carol.merge_pending(mls)).expect("merged");
    let Processed::Commit(staged) = volatile(&mut alice, |mls| at_alice.process(mls, &made.commit)).expect("processed")
    else {
        panic!("a commit")
    };
    volatile(&mut alice, |mls| at_alice.merge(mls, *staged)).expect("merged");
    assert_eq!(at_alice.epoch_authenticator(), at_carol.epoch_authenticator());

    let words = volatile(&mut alice, |mls| at_alice.encrypt(mls, b"", b"hello")).expect("a message");
    let Processed::Application { plaintext, .. } =
        volatile(&mut carol, |mls| at_carol.process(mls, &words)).expect("read")
    else {
        panic!("a message")
    };
    assert_eq!(plaintext, b"hello");
    for device in [&mut alice, &mut carol] {
        assert!(volatile(device, |mls| Group::load(mls, ROOM)).expect("a look").is_none());
    }
}
