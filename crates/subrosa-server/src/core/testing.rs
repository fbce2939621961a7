//! A core and people with real keys and real groups, for the tests of requests. No network, no sleeping, a fixed seed.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use prost::Message;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use rusqlite::Connection;
use subrosa_crypto::{
    Binding, Channel, DeviceList, ExportKey, Login, Password, PasswordCost, Registration, SigningKey, account, device,
    statement, vault,
};
use subrosa_mls::{Group, Identity, LeafIndex, LeafSigner, Mls, Proposed, SCHEMA};
use subrosa_types::name::Username;
use subrosa_types::{AccountId, ConversationId, DeviceId, Timestamp};
use subrosa_wire::proto::answer::Body as Answer;
use subrosa_wire::proto::client_frame::Request as Body;
use subrosa_wire::proto::{self, ClientFrame, ConversationKind, server_frame};
use subrosa_wire::{Refusal, decode_server_frame};

use super::{Core, CoreConfig, Emission, Job, Peer, Request, SessionId};
use crate::store;

/// What came for a session without being asked for.
pub(crate) type News = server_frame::Body;

/// A core with connections.
pub(crate) struct World {
    pub(crate) core: Core,
    pub(crate) now: Timestamp,
    pub(crate) rng: ChaCha20Rng,
    pub(crate) address: IpAddr,
    next: u64,
    answers: BTreeMap<(SessionId, u64), Answer>,
    news: BTreeMap<SessionId, Vec<News>>,
    ended: BTreeMap<SessionId, proto::GoingAway>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(CoreConfig::default())
    }

    pub(crate) fn with(config: CoreConfig) -> Self {
        Self::over(store::danger_open_in_memory().unwrap(), config)
    }

    pub(crate) fn over(store: Connection, config: CoreConfig) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let now = Timestamp(1_800_000_000_000);
        let core = Core::danger_open_volatile(store, config, now, &mut rng).unwrap();
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        Self {
            core,
            now,
            rng,
            address,
            next: 0,
            answers: BTreeMap::new(),
            news: BTreeMap::new(),
            ended: BTreeMap::new(),
        }
    }

    pub(crate) fn random<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }

    /// A connection that said nothing yet.
    pub(crate) fn connect(&mut self) -> SessionId {
        self.next += 1;
        let session = SessionId(self.next);
        let tls_exporter = self.random();
        self.core.connect(session, Peer { address: self.address, tls_exporter });
        session
    }

    /// A connection that said hello, and what both sides sign for it.
    pub(crate) fn greet(&mut self) -> (SessionId, Channel) {
        let session = self.connect();
        let tls_exporter = self.core.state.sessions.find(session).unwrap().peer.tls_exporter;
        let client_nonce: [u8; 32] = self.random();
        let hello = proto::Hello { version: 1, client_nonce: client_nonce.to_vec() };
        let Answer::Hello(answer) = self.call(session, Body::Hello(hello)).unwrap() else { panic!("no hello") };
        let print = self.core.server_key().fingerprint();
        let channel = Channel::from_answer(&answer, &print, client_nonce, tls_exporter).unwrap();
        (session, channel)
    }

    /// Asks for one thing and waits for it to be on disk.
    pub(crate) fn call(&mut self, session: SessionId, request: Body) -> Result<Answer, Refusal> {
        let [answer] = self.batch([(session, request)]).try_into().unwrap();
        answer
    }

    /// Asks for several things in one batch.
    pub(crate) fn batch(
        &mut self,
        requests: impl IntoIterator<Item = (SessionId, Body)>,
    ) -> Vec<Result<Answer, Refusal>> {
        let mut ids = Vec::new();
        let mut jobs = Vec::new();
        for (session, request) in requests {
            self.next += 1;
            ids.push((session, self.next));
            jobs.push(Job { session, request: Request::Frame(ClientFrame { id: self.next, request: Some(request) }) });
        }
        let released = self.core.execute(jobs, self.now, &mut self.rng).commit().unwrap();
        for emission in released.emissions {
            self.take(emission);
        }
        ids.into_iter()
            .map(|key| match self.answers.remove(&key) {
                Some(Answer::Error(error)) => Err(error.into()),
                Some(answer) => Ok(answer),
                None => Err(self.ended.get(&key.0).expect("no answer and no end").code().into()),
            })
            .collect()
    }

    fn take(&mut self, emission: Emission) {
        match emission {
            Emission::Answer { session, frame, .. } => match decode_server_frame(frame).unwrap().body.unwrap() {
                News::Answer(answer) => {
                    self.answers.insert((session, answer.id), answer.body.unwrap());
                }
                News::Accepted(batch) => {
                    for accepted in batch.accepted {
                        // As if it were an answer like the others.
                        let committed = proto::Committed { sequence: accepted.sequence, epoch: 0, at: accepted.at };
                        self.answers.insert((session, accepted.id), Answer::Committed(committed));
                    }
                }
                news => self.news.entry(session).or_default().push(news),
            },
            Emission::Push { sessions, frame } => {
                let news = decode_server_frame(frame).unwrap().body.unwrap();
                for session in sessions {
                    self.news.entry(session).or_default().push(news.clone());
                }
            }
            Emission::LoggedIn { .. } => {}
            Emission::End { session, frame } => {
                let Some(News::GoingAway(end)) = decode_server_frame(frame).unwrap().body else { panic!("no end") };
                self.ended.insert(session, end);
            }
        }
    }

    /// What came for a session since the last look.
    pub(crate) fn news(&mut self, session: SessionId) -> Vec<News> {
        self.news.remove(&session).unwrap_or_default()
    }

    /// The entries that were pushed to a session since the last look.
    pub(crate) fn delivered(&mut self, session: SessionId) -> Vec<proto::LogEntry> {
        let deliveries = self.news(session).into_iter().filter_map(|news| match news {
            News::Deliver(deliver) => Some(deliver.entries),
            _ => None,
        });
        deliveries.flatten().collect()
    }

    /// Why a session was ended.
    pub(crate) fn ended(&self, session: SessionId) -> Option<proto::ErrorCode> {
        self.ended.get(&session).map(proto::GoingAway::code)
    }

    /// Signs somebody up; the device is online.
    pub(crate) fn sign_up(&mut self, name: &str) -> Person {
        let mut person = Person::new(self, name);
        person.sign_up(self, |_| {}).unwrap();
        person
    }

    /// Everybody's role log position and its hash, as a commit names them.
    pub(crate) fn context(&mut self) -> (Vec<u8>, [u8; 16]) {
        let key = self.random();
        let roles = &self.core.state.roles;
        let context = proto::CommitContext {
            role_position: roles.position().0,
            role_hash: roles.hash().unwrap().to_vec(),
            idempotency_key: key.to_vec(),
        };
        (context.encode_to_vec(), key)
    }

    /// Makes `who` what they are to be, at the word of `actor`.
    pub(crate) fn set_role(
        &mut self,
        actor: &Person,
        who: &Person,
        role: subrosa_types::Role,
    ) -> Result<Answer, Refusal> {
        let server_key = self.core.server_key();
        let order = self.core.state.roles.order(&server_key, actor.id, who.id, role, self.now, &actor.key);
        self.call(actor.device.session, Body::SetRole(proto::SetRole { order: Some(order) }))
    }
}

/// One device of somebody.
pub(crate) struct Device {
    pub(crate) id: DeviceId,
    pub(crate) key: SigningKey,
    pub(crate) certificate: proto::Signed,
    pub(crate) session: SessionId,
    store: Connection,
    identity: Identity,
}

impl Device {
    pub(crate) fn new(world: &mut World, account: AccountId, account_key: &SigningKey) -> Self {
        let id = DeviceId::from_bytes(world.random());
        let key = SigningKey::generate(&mut world.rng);
        let name = "laptop".parse().unwrap();
        let certificate = device::issue(account, id, &key.public(), &name, world.now, account_key);
        let store = Connection::open_in_memory().unwrap();
        store.execute_batch(SCHEMA).unwrap();
        let identity = Identity {
            credential: device::credential(&certificate),
            signer: LeafSigner::from_seed(key.seed()).unwrap(),
        };
        Self { id, key, certificate, session: SessionId(0), store, identity }
    }

    /// Runs a group operation.
    pub(crate) fn mls<T>(&self, world: &mut World, run: impl FnOnce(&Mls<'_>) -> T) -> T {
        let mls = Mls::new(&self.store, &mut world.rng, &self.identity).unwrap();
        run(&mls)
    }

    pub(crate) fn key_packages(&self, world: &mut World, count: usize) -> (Vec<Vec<u8>>, Vec<u8>) {
        self.mls(world, |mls| {
            let packages = (0..count).map(|_| mls.key_package(false).unwrap()).collect();
            (packages, mls.key_package(true).unwrap())
        })
    }

    /// Logs in over a new connection.
    pub(crate) fn log_in(&mut self, world: &mut World) -> Result<proto::LoggedIn, Refusal> {
        let (session, channel) = world.greet();
        let signature = channel.sign_login(self.id, &self.key).to_vec();
        let login = proto::DeviceLogin { device_id: self.id.to_vec(), signature };
        self.session = session;
        match world.call(session, Body::DeviceLogin(login))? {
            Answer::LoggedIn(logged_in) => Ok(logged_in),
            other => panic!("{other:?}"),
        }
    }

    /// An application message for the present epoch of this device's group, as a request.
    pub(crate) fn message(&self, world: &mut World, id: ConversationId, aad: &[u8]) -> proto::Append {
        let message = self.mls(world, |mls| {
            let mut group = Group::load(mls, id).unwrap().unwrap();
            group.encrypt(mls, aad, b"hello there").unwrap()
        });
        proto::Append {
            conversation_id: id.to_vec(),
            message: message.into(),
            idempotency_key: world.random::<16>().to_vec(),
        }
    }

    /// A commit that adds and removes, as a request. Pending until [`Self::merge`] or [`Self::discard`].
    pub(crate) fn change(
        &self,
        world: &mut World,
        id: ConversationId,
        add: &[(DeviceId, Vec<u8>)],
        remove: &[&Device],
    ) -> proto::Commit {
        let (aad, key) = world.context();
        let proposed = self.mls(world, |mls| {
            let mut group = Group::load(mls, id).unwrap().unwrap();
            let leaves: Vec<LeafIndex> = group
                .members()
                .into_iter()
                .filter(|member| remove.iter().any(|device| device.identity.credential == member.credential))
                .map(|member| member.leaf)
                .collect();
            let packages: Vec<Vec<u8>> = add.iter().map(|(_, package)| package.clone()).collect();
            if packages.is_empty() && leaves.is_empty() {
                group.commit_pending_proposals(mls, &aad).or_else(|_| group.self_update(mls, &aad)).unwrap()
            } else {
                group.change(mls, &packages, &leaves, &aad).unwrap()
            }
        });
        commit(id, proposed, add.iter().map(|(device, _)| *device), key)
    }

    pub(crate) fn merge(&self, world: &mut World, id: ConversationId) {
        self.mls(world, |mls| Group::load(mls, id).unwrap().unwrap().merge_pending(mls).unwrap());
    }

    pub(crate) fn discard(&self, world: &mut World, id: ConversationId) {
        self.mls(world, |mls| Group::load(mls, id).unwrap().unwrap().discard_pending(mls).unwrap());
    }

    /// Processes entries of others: commits are merged, proposals kept.
    pub(crate) fn process(&self, world: &mut World, id: ConversationId, entries: &[proto::LogEntry]) {
        use subrosa_mls::Processed;
        self.mls(world, |mls| {
            for entry in entries {
                let mut group = Group::load(mls, id).unwrap().unwrap();
                match group.process(mls, &entry.message).unwrap() {
                    Processed::Commit(staged) => group.merge(mls, *staged).unwrap(),
                    Processed::Proposal(proposal) => group.store_proposal(mls, *proposal).unwrap(),
                    _ => {}
                }
            }
        });
    }

    /// Fetches the welcome of the commit at `sequence` and joins.
    pub(crate) fn join(&self, world: &mut World, id: ConversationId, sequence: u64) {
        let fetch = proto::FetchWelcome { conversation_id: id.to_vec(), sequence };
        let Answer::Welcome(welcome) = world.call(self.session, Body::FetchWelcome(fetch)).unwrap() else {
            panic!("no welcome")
        };
        self.mls(world, |mls| {
            let joining = subrosa_mls::Joining::from_welcome(mls, &welcome.welcome, &welcome.ratchet_tree).unwrap();
            assert_eq!(joining.epoch().0, welcome.epoch);
            joining.accept(mls).unwrap();
        });
    }

    /// Enters from outside; the request that asks for it. The group is kept as if it were accepted.
    pub(crate) fn enter(&self, world: &mut World, id: ConversationId) -> Result<proto::Commit, Refusal> {
        let fetch = proto::FetchGroupInfo { conversation_id: id.to_vec() };
        let Answer::GroupInfo(info) = world.call(self.session, Body::FetchGroupInfo(fetch))? else {
            panic!("no group info")
        };
        let (aad, key) = world.context();
        let (bytes, group_info) = self.mls(world, |mls| {
            if let Some(group) = Group::load(mls, id).unwrap() {
                group.delete(mls).unwrap();
            }
            let (_, commit, info) = Group::join_external(mls, &info.group_info, &info.ratchet_tree, &aad).unwrap();
            (commit, info)
        });
        Ok(proto::Commit {
            conversation_id: id.to_vec(),
            commit: bytes.into(),
            group_info,
            idempotency_key: key.to_vec(),
            ..Default::default()
        })
    }

    pub(crate) fn fetch_log(
        &self,
        world: &mut World,
        id: ConversationId,
        after: u64,
    ) -> Result<proto::LogPage, Refusal> {
        let fetch = proto::FetchLog { conversation_id: id.to_vec(), after, limit: 0 };
        match world.call(self.session, Body::FetchLog(fetch))? {
            Answer::LogPage(page) => Ok(page),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn inbox(&self, world: &mut World) -> Vec<proto::InboxItem> {
        match world.call(self.session, Body::FetchInbox(proto::FetchInbox { after: 0 })).unwrap() {
            Answer::InboxPage(page) => page.items,
            other => panic!("{other:?}"),
        }
    }
}

fn commit(
    id: ConversationId,
    proposed: Proposed,
    welcome_devices: impl Iterator<Item = DeviceId>,
    key: [u8; 16],
) -> proto::Commit {
    proto::Commit {
        conversation_id: id.to_vec(),
        commit: proposed.commit.into(),
        welcome: proposed.welcome.unwrap_or_default().into(),
        welcome_devices: welcome_devices.map(|device| device.to_vec()).collect(),
        group_info: proposed.group_info,
        idempotency_key: key.to_vec(),
    }
}

/// Somebody with an account and one device at hand.
pub(crate) struct Person {
    pub(crate) id: AccountId,
    pub(crate) name: Username,
    pub(crate) key: SigningKey,
    pub(crate) device: Device,
    password: Password,
}

impl Person {
    /// Somebody who did not sign up yet.
    pub(crate) fn new(world: &mut World, name: &str) -> Self {
        let id = AccountId::from_bytes(world.random());
        let key = SigningKey::generate(&mut world.rng);
        let device = Device::new(world, id, &key);
        let password = Password::prepare("correct horse battery staple").unwrap();
        Self { id, name: name.parse().unwrap(), key, device, password }
    }

    /// The requests of a sign-up up to its last, which `change` may spoil.
    pub(crate) fn sign_up(
        &mut self,
        world: &mut World,
        change: impl FnOnce(&mut proto::RegisterFinish),
    ) -> Result<proto::LoggedIn, Refusal> {
        let (session, finish) = self.prepare_sign_up(world)?;
        let mut finish = finish;
        change(&mut finish);
        self.device.session = session;
        match world.call(session, Body::RegisterFinish(finish))? {
            Answer::LoggedIn(logged_in) => Ok(logged_in),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn prepare_sign_up(&mut self, world: &mut World) -> Result<(SessionId, proto::RegisterFinish), Refusal> {
        let (session, _) = world.greet();
        let (registration, registration_request) = Registration::start(&mut world.rng, &self.password).unwrap();
        let start = proto::RegisterStart { username: self.name.to_string(), registration_request };
        let Answer::RegisterStart(answer) = world.call(session, Body::RegisterStart(start))? else {
            panic!("no start")
        };
        let server_key = world.core.server_key();
        let binding = Binding { username: &self.name, server_key: &server_key };
        let cost = PasswordCost::danger_fast();
        let (registration_upload, export_key) =
            registration.finish(&mut world.rng, &answer.registration_response, binding, &cost).unwrap();
        let finish = self.finish(world, registration_upload, &export_key);
        Ok((session, finish))
    }

    fn finish(&self, world: &mut World, registration_upload: Vec<u8>, export_key: &ExportKey) -> proto::RegisterFinish {
        let server_key = world.core.server_key();
        let statement = account::statement(self.id, &self.name, &server_key, 0, world.now, &self.key);
        let entry = DeviceList::first(self.device.certificate.clone(), world.now, &self.key).unwrap();
        let (key_packages, last_resort) = self.device.key_packages(world, 2);
        proto::RegisterFinish {
            username: self.name.to_string(),
            email: "someone@example.org".into(),
            registration_upload,
            account_statement: statement.statement,
            account_signature: statement.signature,
            device_list_entry: Some(entry),
            vault: vault::seal(&self.key, export_key, self.id, &mut world.rng).unwrap(),
            key_packages,
            last_resort,
            ..Default::default()
        }
    }

    /// Proves a password over a new connection.
    pub(crate) fn prove(
        &self,
        world: &mut World,
        password: &str,
    ) -> (SessionId, Result<proto::PasswordFinishAnswer, Refusal>) {
        let (session, _) = world.greet();
        let password = Password::prepare(password).unwrap();
        let (login, credential_request) = Login::start(&mut world.rng, &password).unwrap();
        let start = proto::PasswordStart { username: self.name.to_string(), credential_request };
        let answer = match world.call(session, Body::PasswordStart(start)) {
            Ok(Answer::PasswordStart(answer)) => answer,
            Ok(other) => panic!("{other:?}"),
            Err(refusal) => return (session, Err(refusal)),
        };
        let server_key = world.core.server_key();
        let binding = Binding { username: &self.name, server_key: &server_key };
        let cost = PasswordCost::danger_fast();
        let finished = login.finish(&mut world.rng, &answer.credential_response, binding, &cost);
        // Who has the wrong password can only guess a finalization.
        let credential_finalization = finished.map_or_else(|_| vec![0; 64], |outcome| outcome.finalization);
        let finish = proto::PasswordFinish { credential_finalization };
        let proved = world.call(session, Body::PasswordFinish(finish)).map(|answer| match answer {
            Answer::PasswordFinish(answer) => answer,
            other => panic!("{other:?}"),
        });
        (session, proved)
    }

    pub(crate) fn password(&self) -> &'static str {
        "correct horse battery staple"
    }

    /// The account's device list as the server shows it.
    pub(crate) fn device_list(&self, world: &mut World) -> DeviceList {
        let by = proto::lookup::By::AccountId(self.id.to_vec());
        let lookup = proto::Lookup { by: Some(by) };
        let Answer::DirectoryEntry(entry) = world.call(self.device.session, Body::Lookup(lookup)).unwrap() else {
            panic!("no entry")
        };
        subrosa_crypto::verify_directory_entry(&entry, &world.core.server_key()).unwrap().devices
    }

    /// A further device, enrolled and online.
    pub(crate) fn enrol(&self, world: &mut World) -> (Device, proto::LoggedIn) {
        let mut device = Device::new(world, self.id, &self.key);
        let list = self.device_list(world);
        let (session, proved) = self.prove(world, self.password());
        proved.unwrap();
        let entry = list.next_add(device.certificate.clone(), world.now, &self.key);
        let (key_packages, last_resort) = device.key_packages(world, 2);
        let enrol = proto::EnrolDevice { device_list_entry: Some(entry), key_packages, last_resort };
        device.session = session;
        match world.call(session, Body::EnrolDevice(enrol)).unwrap() {
            Answer::LoggedIn(logged_in) => (device, logged_in),
            other => panic!("{other:?}"),
        }
    }

    /// Ends a device, at the word of this person's first.
    pub(crate) fn revoke(&self, world: &mut World, device: DeviceId) -> Result<Answer, Refusal> {
        let entry = self.device_list(world).next_remove(device, world.now, &self.key);
        world.call(self.device.session, Body::RevokeDevice(proto::RevokeDevice { device_list_entry: Some(entry) }))
    }

    /// Key packages of all devices of `other`.
    pub(crate) fn fetch_key_packages(&self, world: &mut World, other: &Person) -> Vec<(DeviceId, Vec<u8>)> {
        let fetch = proto::FetchKeyPackages { account_id: other.id.to_vec() };
        let Answer::KeyPackages(found) = world.call(self.device.session, Body::FetchKeyPackages(fetch)).unwrap() else {
            panic!("no key packages")
        };
        found
            .packages
            .into_iter()
            .map(|package| (DeviceId::from_slice(&package.device_id).unwrap(), package.key_package))
            .collect()
    }

    pub(crate) fn reserve(
        &self,
        world: &mut World,
        kind: ConversationKind,
        peer: Option<&Person>,
    ) -> Result<proto::Signed, Refusal> {
        let reserve = proto::ReserveConversation {
            kind: kind.into(),
            peer: peer.map(|peer| peer.id.to_vec()).unwrap_or_default(),
        };
        match world.call(self.device.session, Body::ReserveConversation(reserve))? {
            Answer::Reserved(reserved) => Ok(reserved.certificate.unwrap()),
            other => panic!("{other:?}"),
        }
    }

    /// The request that founds a reserved conversation with `members`.
    pub(crate) fn founding(
        &self,
        world: &mut World,
        certificate: &proto::Signed,
        members: &[&Person],
    ) -> (ConversationId, proto::FoundConversation) {
        let id = proto::GroupCertificate::decode(certificate.statement.as_slice()).unwrap().conversation_id;
        let id = ConversationId::from_slice(&id).unwrap();
        let server_key = *world.core.server_key().as_bytes();
        let bytes = statement::to_bytes(certificate);
        let (group_info, ratchet_tree) = self.device.mls(world, |mls| {
            let group = Group::create(mls, id, &bytes, &server_key).unwrap();
            (group.group_info(mls).unwrap(), group.ratchet_tree().unwrap())
        });
        let mut add = Vec::new();
        for member in members {
            add.extend(self.fetch_key_packages(world, member));
        }
        let first_commit = Some(self.device.change(world, id, &add, &[]));
        (id, proto::FoundConversation { conversation_id: id.to_vec(), group_info, ratchet_tree, first_commit })
    }

    /// A conversation with `members`, whose devices have joined; nobody has news of it left.
    pub(crate) fn converse(&self, world: &mut World, kind: ConversationKind, members: &[&Person]) -> ConversationId {
        let peer = (kind == ConversationKind::Private).then(|| members[0]);
        let certificate = self.reserve(world, kind, peer).unwrap();
        let (id, found) = self.founding(world, &certificate, members);
        world.call(self.device.session, Body::FoundConversation(found)).unwrap();
        self.device.merge(world, id);
        for member in members {
            member.device.join(world, id, 1);
            world.news(member.device.session);
        }
        world.news(self.device.session);
        id
    }
}
