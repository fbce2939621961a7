//! Devices with a store in memory each, and a server that follows and orders.

#![allow(dead_code, reason = "each test file uses its part")]

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use rusqlite::Connection;
use subrosa_mls::follower::{Follower, Inspected, InspectedCommit};
use subrosa_mls::{
    CommitSummary, Group, Identity, Joining, LeafSigner, Mls, ProcessError, Processed, Proposed, SCHEMA, Staged,
};
use subrosa_types::ConversationId;

pub const ROOM: ConversationId = ConversationId::from_bytes([0x52; 16]);
pub const CERTIFICATE: &[u8] = b"conversation, kind, creator, time, server key, signature";

pub struct Device {
    pub conn: Connection,
    pub identity: Identity,
    pub rng: ChaCha20Rng,
    seed: u8,
}

impl Device {
    pub fn new(name: &str, seed: u8) -> Self {
        let conn = Connection::open_in_memory().expect("a database");
        conn.execute_batch(SCHEMA).expect("the tables");
        let signer = LeafSigner::from_seed(&[seed; 32]).expect("a key");
        let identity = Identity { credential: name.as_bytes().to_vec(), signer };
        Self { conn, identity, rng: ChaCha20Rng::from_seed([seed; 32]), seed }
    }

    /// The same device with an empty store. Its randomness is new: the same path secret twice would be the same keys twice.
    pub fn reset(&self) -> Self {
        let name = String::from_utf8(self.identity.credential.clone()).expect("a name");
        let mut rng = self.rng.clone();
        Self { rng: ChaCha20Rng::from_rng(&mut rng).expect("randomness"), ..Self::new(&name, self.seed) }
    }

    pub fn mls<T>(&mut self, operation: impl FnOnce(&Mls<'_>) -> T) -> T {
        let mls = Mls::new(&self.conn, &mut self.rng, &self.identity).expect("randomness");
        operation(&mls)
    }

    pub fn key_package(&mut self) -> Vec<u8> {
        self.mls(|mls| mls.key_package(false)).expect("a key package")
    }

    pub fn create(&mut self, server: &LeafSigner) -> Group {
        self.mls(|mls| Group::create(mls, ROOM, CERTIFICATE, &server.public_key())).expect("a group")
    }

    pub fn load(&mut self) -> Group {
        self.mls(|mls| Group::load(mls, ROOM)).expect("the store").expect("a group")
    }

    pub fn join(&mut self, welcome: &[u8], tree: &[u8]) -> Group {
        self.mls(|mls| Joining::from_welcome(mls, welcome, tree).and_then(|joining| joining.accept(mls)))
            .expect("joined")
    }

    pub fn send(&mut self, group: &mut Group, text: &str) -> Vec<u8> {
        self.mls(|mls| group.encrypt(mls, b"", text.as_bytes())).expect("encrypted")
    }

    pub fn process(&mut self, group: &mut Group, bytes: &[u8]) -> Result<Processed, ProcessError> {
        self.mls(|mls| group.process(mls, bytes))
    }

    pub fn read(&mut self, group: &mut Group, bytes: &[u8]) -> String {
        match self.process(group, bytes).expect("processed") {
            Processed::Application { plaintext, .. } => String::from_utf8(plaintext).expect("text"),
            _ => panic!("not an application message"),
        }
    }

    pub fn staged(&mut self, group: &mut Group, bytes: &[u8]) -> Staged {
        match self.process(group, bytes).expect("processed") {
            Processed::Commit(staged) => *staged,
            _ => panic!("not a commit"),
        }
    }

    /// Processes and merges another's commit.
    pub fn follow(&mut self, group: &mut Group, bytes: &[u8]) -> CommitSummary {
        let staged = self.staged(group, bytes);
        let summary = staged.summary().clone();
        self.mls(|mls| group.merge(mls, staged)).expect("merged");
        summary
    }

    pub fn merge_pending(&mut self, group: &mut Group) {
        self.mls(|mls| group.merge_pending(mls)).expect("merged");
    }
}

pub struct Server {
    pub signer: LeafSigner,
    pub follower: Option<Follower>,
}

impl Server {
    pub fn new() -> Self {
        Self { signer: LeafSigner::from_seed(&[0xEE; 32]).expect("a key"), follower: None }
    }

    pub fn found(&mut self, device: &mut Device, group: &Group) {
        let info = device.mls(|mls| group.group_info(mls)).expect("group info");
        let tree = group.ratchet_tree().expect("a tree");
        self.follower = Some(Follower::found(&info, &tree).expect("followed"));
    }

    pub fn follower(&mut self) -> &mut Follower {
        self.follower.as_mut().expect("a group")
    }

    pub fn inspect(&mut self, commit: &[u8]) -> InspectedCommit {
        match self.follower().inspect(commit).expect("inspected") {
            Inspected::Commit(commit) => *commit,
            Inspected::Proposal(_) => panic!("not a commit"),
        }
    }

    /// Orders a commit and goes on from what was saved, as after a restart.
    pub fn order(&mut self, commit: &[u8], group_info: &[u8]) -> CommitSummary {
        let inspected = self.inspect(commit);
        let summary = inspected.summary().clone();
        self.follower().merge(inspected).expect("merged");
        self.follower().verify_group_info(group_info).expect("a group info of this epoch");
        let blob = self.follower().save();
        self.follower = Some(Follower::load(&blob).expect("loaded"));
        assert_eq!(self.follower().save(), blob);
        summary
    }

    pub fn tree(&mut self) -> Vec<u8> {
        self.follower().ratchet_tree().expect("a tree")
    }

    pub fn agrees_with(&mut self, group: &Group) {
        assert_eq!(self.follower().epoch(), group.epoch());
        assert_eq!(self.follower().members(), group.members());
        assert_eq!(self.tree(), group.ratchet_tree().expect("a tree"));
        assert_eq!(self.follower().certificate(), group.certificate());
        assert_eq!(self.follower().server_key(), group.server_key());
    }
}

pub struct World {
    pub server: Server,
    pub alice: (Device, Group),
    pub bob: (Device, Group),
}

impl World {
    /// Alice has made a group and added Bob; the server has ordered both.
    pub fn new() -> Self {
        let mut server = Server::new();
        let (mut alice, mut bob) = (Device::new("alice", 1), Device::new("bob", 2));
        let mut at_alice = alice.create(&server.signer);
        server.found(&mut alice, &at_alice);
        let package = bob.key_package();
        let proposed = alice.mls(|mls| at_alice.add(mls, &[package], b"")).expect("a commit");
        server.order(&proposed.commit, &proposed.group_info);
        alice.merge_pending(&mut at_alice);
        let at_bob = bob.join(&proposed.welcome.expect("a welcome"), &server.tree());
        Self { server, alice: (alice, at_alice), bob: (bob, at_bob) }
    }

    /// Alice adds a device; server, Bob and the device follow.
    pub fn add(&mut self, mut device: Device) -> (Device, Group) {
        let package = device.key_package();
        let (alice, at_alice) = &mut self.alice;
        let proposed = alice.mls(|mls| at_alice.add(mls, &[package], b"")).expect("a commit");
        self.alice_commits(&proposed);
        let group = device.join(&proposed.welcome.expect("a welcome"), &self.server.tree());
        (device, group)
    }

    /// The server orders Alice's commit, Alice merges it and Bob follows it.
    pub fn alice_commits(&mut self, proposed: &Proposed) -> CommitSummary {
        let seen = self.server.order(&proposed.commit, &proposed.group_info);
        self.alice.0.merge_pending(&mut self.alice.1);
        assert_eq!(self.bob.0.follow(&mut self.bob.1, &proposed.commit), seen, "members see what the server sees");
        self.agree();
        seen
    }

    pub fn agree(&mut self) {
        assert_eq!(self.alice.1.epoch_authenticator(), self.bob.1.epoch_authenticator());
        self.server.agrees_with(&self.alice.1);
        self.server.agrees_with(&self.bob.1);
    }
}
