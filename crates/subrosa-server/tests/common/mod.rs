//! A client of few words for tests over a real connection: TLS, WebSocket, frames; people with keys and groups.
#![allow(dead_code, clippy::unwrap_used, reason = "test code, of which each file uses a part")]

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use prost::Message as _;
use rand_core::{OsRng, RngCore};
use rusqlite::Connection;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use subrosa_crypto::session::TLS_EXPORTER_LABEL;
use subrosa_crypto::{
    Binding, Channel, DeviceList, Login, Password, PasswordCost, Registration, SigningKey, account, device, statement,
};
use subrosa_mls::{Group, Identity, Joining, LeafSigner, Mls, SCHEMA};
use subrosa_server::{Rates, RunningServer, Server, ServerConfig};
use subrosa_types::name::Username;
use subrosa_types::{AccountId, ConversationId, DeviceId, Timestamp};
use subrosa_wire::Fingerprint;
use subrosa_wire::decode_server_frame;
use subrosa_wire::proto::answer::Body as Answer;
use subrosa_wire::proto::client_frame::Request as Body;
use subrosa_wire::proto::{self, ClientFrame, ErrorCode, GoingAway, ServerFrame, server_frame};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

pub const NOW: Timestamp = Timestamp(1_800_000_000_000);

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

pub async fn serve(folder: &std::path::Path) -> RunningServer {
    serve_with(folder, |_| {}).await
}

pub async fn serve_with(folder: &std::path::Path, change: impl FnOnce(&mut ServerConfig)) -> RunningServer {
    let mut config = ServerConfig {
        listen: "127.0.0.1:0".parse().unwrap(),
        folder: folder.to_owned(),
        rates: Rates::off(),
        ..ServerConfig::default()
    };
    change(&mut config);
    Server::start(config).await.unwrap()
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    OsRng.fill_bytes(&mut bytes);
    bytes
}

/// Believes every certificate whose key signed; the test checks the key by the hello.
#[derive(Debug)]
struct AnyKey(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyKey {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("TLS 1.2".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

pub type Tls = tokio_rustls::client::TlsStream<TcpStream>;

pub async fn tls(server: &RunningServer) -> Tls {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(rustls::ALL_VERSIONS)
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyKey(provider)))
        .with_no_client_auth();
    let stream = TcpStream::connect(server.addr()).await.unwrap();
    let name = ServerName::try_from("subrosa.invalid").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
}

/// An open connection.
pub struct Link {
    pub socket: WebSocketStream<Tls>,
    exporter: [u8; 32],
    next: u64,
    news: Vec<server_frame::Body>,
}

impl Link {
    pub async fn open(server: &RunningServer) -> Self {
        let stream = tls(server).await;
        let exporter = stream.get_ref().1.export_keying_material([0; 32], TLS_EXPORTER_LABEL, None).unwrap();
        let (socket, _) = client_async("wss://subrosa.invalid/", stream).await.unwrap();
        Self { socket, exporter, next: 0, news: Vec::new() }
    }

    /// Said hello, and the server proved the key of its link.
    pub async fn greet(server: &RunningServer) -> (Self, Channel) {
        let mut link = Self::open(server).await;
        let print = server.link().fingerprint;
        let channel = link.hello(&print).await;
        (link, channel)
    }

    async fn hello(&mut self, print: &Fingerprint) -> Channel {
        let client_nonce: [u8; 32] = random();
        let hello = proto::Hello { version: 1, client_nonce: client_nonce.to_vec() };
        let Answer::Hello(answer) = self.call(Body::Hello(hello)).await.unwrap() else { panic!("no hello") };
        Channel::from_answer(&answer, print, client_nonce, self.exporter).unwrap()
    }

    pub async fn send(&mut self, request: Body) -> u64 {
        self.next += 1;
        let frame = ClientFrame { id: self.next, request: Some(request) };
        self.socket.send(Message::Binary(frame.encode_to_vec().into())).await.unwrap();
        self.next
    }

    pub async fn send_raw(&mut self, bytes: Vec<u8>) {
        // The server may close while we write; what it said is read afterwards.
        let _sent = self.socket.send(Message::Binary(bytes.into())).await;
    }

    /// The next frame; `None` when the connection has ended.
    pub async fn receive(&mut self) -> Option<server_frame::Body> {
        loop {
            match tokio::time::timeout(PATIENCE, self.socket.next()).await.expect("nothing came") {
                Some(Ok(Message::Binary(bytes))) => {
                    let ServerFrame { body } = decode_server_frame(bytes).unwrap();
                    return Some(body.unwrap());
                }
                Some(Ok(Message::Close(_))) | Some(Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    pub async fn answer(&mut self, id: u64) -> Result<Answer, ErrorCode> {
        loop {
            match self.receive().await.expect("the connection ended") {
                server_frame::Body::Answer(answer) if answer.id == id => {
                    return match answer.body.unwrap() {
                        Answer::Error(error) => Err(error.code()),
                        body => Ok(body),
                    };
                }
                server_frame::Body::Accepted(batch) if batch.accepted.iter().any(|accepted| accepted.id == id) => {
                    return Ok(Answer::Done(proto::Done {}));
                }
                news => self.news.push(news),
            }
        }
    }

    pub async fn call(&mut self, request: Body) -> Result<Answer, ErrorCode> {
        let id = self.send(request).await;
        self.answer(id).await
    }

    /// The next news that is not an answer.
    pub async fn news(&mut self) -> server_frame::Body {
        if self.news.is_empty() { self.receive().await.expect("the connection ended") } else { self.news.remove(0) }
    }

    /// Reads to the end; the reason that the server gave.
    pub async fn end(&mut self) -> Option<GoingAway> {
        let mut reason = None;
        while let Some(frame) = self.receive().await {
            if let server_frame::Body::GoingAway(going_away) = frame {
                reason = Some(going_away);
            }
        }
        reason
    }
}

/// Somebody with one device.
pub struct Person {
    pub id: AccountId,
    pub name: Username,
    pub key: SigningKey,
    pub device: DeviceId,
    pub device_key: SigningKey,
    pub link: Link,
    store: Connection,
    identity: Identity,
}

pub const PASSWORD: &str = "correct horse battery staple";

impl Person {
    pub async fn sign_up(server: &RunningServer, name: &str) -> Self {
        let (mut link, channel) = Link::greet(server).await;
        let name: Username = name.parse().unwrap();
        let password = Password::prepare(PASSWORD).unwrap();
        let (registration, registration_request) = Registration::start(&mut OsRng, &password).unwrap();
        let start = proto::RegisterStart { username: name.to_string(), registration_request };
        let Answer::RegisterStart(answer) = link.call(Body::RegisterStart(start)).await.unwrap() else { panic!() };
        let binding = Binding { username: &name, server_key: &channel.server_key };
        let cost = PasswordCost::danger_fast();
        let (registration_upload, _) =
            registration.finish(&mut OsRng, &answer.registration_response, binding, &cost).unwrap();

        let (id, device) = (AccountId::from_bytes(random()), DeviceId::from_bytes(random()));
        let (key, device_key) = (SigningKey::generate(&mut OsRng), SigningKey::generate(&mut OsRng));
        let certificate = device::issue(id, device, &device_key.public(), &"laptop".parse().unwrap(), NOW, &key);
        let store = Connection::open_in_memory().unwrap();
        store.execute_batch(SCHEMA).unwrap();
        let signer = LeafSigner::from_seed(device_key.seed()).unwrap();
        let identity = Identity { credential: device::credential(&certificate), signer };
        let packages = {
            let mut rng = OsRng;
            let mls = Mls::new(&store, &mut rng, &identity).unwrap();
            (vec![mls.key_package(false).unwrap()], mls.key_package(true).unwrap())
        };
        let account = account::statement(id, &name, &channel.server_key, 0, NOW, &key);
        let finish = proto::RegisterFinish {
            username: name.to_string(),
            registration_upload,
            account_statement: account.statement,
            account_signature: account.signature,
            device_list_entry: Some(DeviceList::first(certificate, NOW, &key).unwrap()),
            key_packages: packages.0,
            last_resort: packages.1,
            ..Default::default()
        };
        link.call(Body::RegisterFinish(finish)).await.unwrap();
        Self { id, name, key, device, device_key, link, store, identity }
    }

    /// Logs the device in over a new connection.
    pub async fn log_in(&mut self, server: &RunningServer) -> proto::LoggedIn {
        let (mut link, channel) = Link::greet(server).await;
        let signature = channel.sign_login(self.device, &self.device_key).to_vec();
        let login = proto::DeviceLogin { device_id: self.device.to_vec(), signature };
        let Answer::LoggedIn(logged_in) = link.call(Body::DeviceLogin(login)).await.unwrap() else { panic!() };
        self.link = link;
        logged_in
    }

    fn mls<T>(&self, run: impl FnOnce(&Mls<'_>) -> T) -> T {
        run(&Mls::new(&self.store, &mut OsRng, &self.identity).unwrap())
    }

    /// A private chat with `other`, who joins.
    pub async fn converse(&mut self, other: &mut Self) -> ConversationId {
        let kind = proto::ConversationKind::Private.into();
        let reserve = proto::ReserveConversation { kind, peer: other.id.to_vec() };
        let Answer::Reserved(reserved) = self.link.call(Body::ReserveConversation(reserve)).await.unwrap() else {
            panic!()
        };
        let signed = reserved.certificate.unwrap();
        let certificate = proto::GroupCertificate::decode(signed.statement.as_slice()).unwrap();
        let id = ConversationId::from_slice(&certificate.conversation_id).unwrap();
        let server_key: [u8; 32] = certificate.server_key.try_into().unwrap();
        let fetch = proto::FetchKeyPackages { account_id: other.id.to_vec() };
        let Answer::KeyPackages(found) = self.link.call(Body::FetchKeyPackages(fetch)).await.unwrap() else { panic!() };
        let Answer::RoleLogPage(roles) =
            self.link.call(Body::FetchRoleLog(proto::FetchRoleLog { after: 0 })).await.unwrap()
        else {
            panic!()
        };
        let head = roles.entries.last().unwrap();
        let key: [u8; 16] = random();
        let context = proto::CommitContext {
            role_position: roles.entries.len() as u64,
            role_hash: statement::hash(head).to_vec(),
            idempotency_key: key.to_vec(),
        };
        let add: Vec<Vec<u8>> = found.packages.iter().map(|package| package.key_package.clone()).collect();
        let (group_info, ratchet_tree, proposed) = self.mls(|mls| {
            let mut group = Group::create(mls, id, &statement::to_bytes(&signed), &server_key).unwrap();
            let (info, tree) = (group.group_info(mls).unwrap(), group.ratchet_tree().unwrap());
            (info, tree, group.add(mls, &add, &context.encode_to_vec()).unwrap())
        });
        let first_commit = proto::Commit {
            conversation_id: id.to_vec(),
            commit: proposed.commit.into(),
            welcome: proposed.welcome.unwrap().into(),
            welcome_devices: found.packages.into_iter().map(|package| package.device_id).collect(),
            group_info: proposed.group_info,
            idempotency_key: key.to_vec(),
        };
        let found = proto::FoundConversation {
            conversation_id: id.to_vec(),
            group_info,
            ratchet_tree,
            first_commit: Some(first_commit),
        };
        self.link.call(Body::FoundConversation(found)).await.unwrap();
        self.mls(|mls| Group::load(mls, id).unwrap().unwrap().merge_pending(mls).unwrap());

        let fetch = proto::FetchWelcome { conversation_id: id.to_vec(), sequence: 1 };
        let Answer::Welcome(welcome) = other.link.call(Body::FetchWelcome(fetch)).await.unwrap() else { panic!() };
        other.mls(|mls| {
            Joining::from_welcome(mls, &welcome.welcome, &welcome.ratchet_tree).unwrap().accept(mls).unwrap();
        });
        id
    }

    /// An application message as a request.
    pub fn message(&self, id: ConversationId, text: &[u8]) -> Body {
        let message = self.mls(|mls| Group::load(mls, id).unwrap().unwrap().encrypt(mls, b"", text).unwrap());
        let idempotency_key = random::<16>().to_vec();
        Body::Append(proto::Append { conversation_id: id.to_vec(), message: message.into(), idempotency_key })
    }
}

/// The size of the answers to a password login with a wrong password: the first answer, and the refusal.
pub async fn wrong_login(server: &RunningServer, name: &str) -> (usize, ErrorCode) {
    let (mut link, channel) = Link::greet(server).await;
    let password = Password::prepare("not the right one at all").unwrap();
    let (login, credential_request) = Login::start(&mut OsRng, &password).unwrap();
    let start = proto::PasswordStart { username: name.into(), credential_request };
    let Answer::PasswordStart(answer) = link.call(Body::PasswordStart(start)).await.unwrap() else { panic!() };
    let size = answer.encoded_len();
    let username: Username = name.parse().unwrap();
    let binding = Binding { username: &username, server_key: &channel.server_key };
    let cost = PasswordCost::danger_fast();
    assert!(login.finish(&mut OsRng, &answer.credential_response, binding, &cost).is_err());
    let finish = proto::PasswordFinish { credential_finalization: vec![0; 64] };
    (size, link.call(Body::PasswordFinish(finish)).await.unwrap_err())
}
