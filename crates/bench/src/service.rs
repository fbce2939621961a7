//! The real server as a client sees it: sign-up, logins, conversations, pages of a log.
//!
//! Identities, statements, OPAQUE and MLS groups are real, because the server checks them. What is left out is what only
//! another client would notice: nobody joins from a welcome, and nobody checks what the server attests.

use std::cell::Cell;

use anyhow::{Context as _, Result, anyhow, bail};
use bytes::Bytes;
use prost::Message as _;
use rand_core::{OsRng, RngCore as _};
use rusqlite::Connection;
use subrosa_crypto::password::{Binding, Login, Password, PasswordCost, Registration};
use subrosa_crypto::{DeviceList, SigningKey, VerifyingKey, session, statement, vault};
use subrosa_mls::{Group, Identity, LeafSigner, Mls};
use subrosa_types::{AccountId, ConversationId, DeviceId, DeviceName, Epoch, Sequence, Timestamp, Username, limits};
use subrosa_wire::proto::client_frame::Request;
use subrosa_wire::proto::{
    ClientFrame, Commit, CommitContext, ConversationKind, DeviceLogin, FetchLog, FoundConversation, Hello, LogPage,
    LoggedIn, Part, PasswordFinish, PasswordStart, RegisterFinish, RegisterStart, ReserveConversation, answer,
    server_frame,
};
use subrosa_wire::{Fingerprint, Refusal, ServerLink};

use crate::socket::{Dialler, Socket};

/// Everybody's password here. The server's work does not depend on it.
const PASSWORD: &str = "seven quiet herons over the mill";

/// One device of one account.
pub struct Device {
    username: Username,
    account: AccountId,
    id: DeviceId,
    key: SigningKey,
    credential: Vec<u8>,
    key_package: Vec<u8>,
}

/// A server, and what its clients share in this benchmark.
pub struct Service {
    dialler: Dialler,
    fingerprint: Fingerprint,
    /// MLS state of everybody, in memory.
    mls: Connection,
    requests: Cell<u64>,
}

/// A connection whose server has proved its key.
struct Greeted {
    socket: Socket,
    channel: session::Channel,
}

/// A connection that has logged in.
pub struct Session {
    /// The connection.
    pub socket: Socket,
    server_key: VerifyingKey,
    logged_in: LoggedIn,
}

impl Service {
    /// The server at `link`.
    ///
    /// # Errors
    /// When the link is none.
    pub fn new(dialler: Dialler, link: &str) -> Result<Self> {
        let link: ServerLink = link.parse()?;
        let mls = Connection::open_in_memory()?;
        mls.execute_batch(subrosa_mls::SCHEMA)?;
        Ok(Self { dialler, fingerprint: link.fingerprint, mls, requests: Cell::new(1) })
    }

    /// Makes an account with one device.
    ///
    /// # Errors
    /// When the server refuses it.
    pub async fn sign_up(&self, username: &str) -> Result<Device> {
        let mut greeted = self.greet().await?;
        let server_key = greeted.channel.server_key;
        let username: Username = username.parse()?;
        let password = Password::prepare(PASSWORD)?;
        let (registration, registration_request) = Registration::start(&mut OsRng, &password)?;
        let start = RegisterStart { username: username.to_string(), registration_request };
        let answer::Body::RegisterStart(started) =
            self.call(&mut greeted.socket, Request::RegisterStart(start)).await?
        else {
            bail!("an unexpected answer to RegisterStart");
        };
        let binding = Binding { username: &username, server_key: &server_key };
        let cost = PasswordCost::danger_fast();
        let (upload, export_key) = registration.finish(&mut OsRng, &started.registration_response, binding, &cost)?;

        let (account, account_key) = (AccountId::from_bytes(random()), SigningKey::generate(&mut OsRng));
        let (id, key) = (DeviceId::from_bytes(random()), SigningKey::generate(&mut OsRng));
        let at = now()?;
        let statement = subrosa_crypto::account::statement(account, &username, &server_key, 0, at, &account_key);
        let name: DeviceName = "bench".parse()?;
        let certificate = subrosa_crypto::device::issue(account, id, &key.public(), &name, at, &account_key);
        let credential = subrosa_crypto::device::credential(&certificate);
        let identity = Identity { credential: credential.clone(), signer: LeafSigner::from_seed(key.seed())? };
        let key_package = Mls::new(&self.mls, &mut OsRng, &identity)?.key_package(true)?;
        let finish = RegisterFinish {
            username: username.to_string(),
            registration_upload: upload,
            account_statement: statement.statement,
            account_signature: statement.signature,
            device_list_entry: Some(DeviceList::first(certificate, at, &account_key)?),
            vault: vault::seal(&account_key, &export_key, account, &mut OsRng)?,
            last_resort: key_package.clone(),
            ..RegisterFinish::default()
        };
        match self.call(&mut greeted.socket, Request::RegisterFinish(finish)).await? {
            answer::Body::LoggedIn(_) => Ok(Device { username, account, id, key, credential, key_package }),
            _ => bail!("an unexpected answer to RegisterFinish"),
        }
    }

    /// Logs a device in with its key.
    ///
    /// # Errors
    /// When the server refuses it.
    pub async fn log_in(&self, device: &Device) -> Result<Session> {
        let Greeted { mut socket, channel } = self.greet().await?;
        let signature = channel.sign_login(device.id, &device.key).to_vec();
        let login = DeviceLogin { device_id: device.id.to_vec(), signature };
        match self.call(&mut socket, Request::DeviceLogin(login)).await? {
            answer::Body::LoggedIn(logged_in) => Ok(Session { socket, server_key: channel.server_key, logged_in }),
            _ => bail!("an unexpected answer to DeviceLogin"),
        }
    }

    /// Proves a password, as a person does who is about to enrol a further device.
    ///
    /// # Errors
    /// When the server refuses it.
    pub async fn prove_password(&self, device: &Device) -> Result<()> {
        let mut greeted = self.greet().await?;
        let (login, credential_request) = Login::start(&mut OsRng, &Password::prepare(PASSWORD)?)?;
        let start = PasswordStart { username: device.username.to_string(), credential_request };
        let answer::Body::PasswordStart(started) =
            self.call(&mut greeted.socket, Request::PasswordStart(start)).await?
        else {
            bail!("an unexpected answer to PasswordStart");
        };
        let binding = Binding { username: &device.username, server_key: &greeted.channel.server_key };
        let cost = PasswordCost::danger_fast();
        let outcome = login.finish(&mut OsRng, &started.credential_response, binding, &cost)?;
        let finish = PasswordFinish { credential_finalization: outcome.finalization };
        match self.call(&mut greeted.socket, Request::PasswordFinish(finish)).await? {
            answer::Body::PasswordFinish(_) => Ok(()),
            _ => bail!("an unexpected answer to PasswordFinish"),
        }
    }

    /// Makes the private chat of two accounts. Gives its id and epoch.
    ///
    /// # Errors
    /// When the server refuses it.
    pub async fn found_private(&self, creator: &Device, peer: &Device) -> Result<(ConversationId, Epoch)> {
        let reserve = ReserveConversation { kind: ConversationKind::Private.into(), peer: peer.account.to_vec() };
        self.found(creator, std::slice::from_ref(peer), reserve).await
    }

    /// Makes a group of the creator and others. Gives its id and epoch.
    ///
    /// # Errors
    /// When the server refuses it.
    pub async fn found_group(&self, creator: &Device, others: &[Device]) -> Result<(ConversationId, Epoch)> {
        let reserve = ReserveConversation { kind: ConversationKind::Group.into(), peer: Vec::new() };
        self.found(creator, others, reserve).await
    }

    async fn found(
        &self,
        creator: &Device,
        others: &[Device],
        reserve: ReserveConversation,
    ) -> Result<(ConversationId, Epoch)> {
        let mut session = self.log_in(creator).await?;
        let answer::Body::Reserved(reserved) =
            self.call(&mut session.socket, Request::ReserveConversation(reserve)).await?
        else {
            bail!("an unexpected answer to ReserveConversation");
        };
        let certificate = reserved.certificate.context("no certificate")?;
        let verified = subrosa_crypto::GroupCertificate::verify(&certificate, &session.server_key)?;
        let idempotency_key = random::<16>().to_vec();
        let context = CommitContext {
            role_position: session.logged_in.role_position,
            role_hash: session.logged_in.role_hash.clone(),
            idempotency_key: idempotency_key.clone(),
        };
        let identity =
            Identity { credential: creator.credential.clone(), signer: LeafSigner::from_seed(creator.key.seed())? };
        let mut rng = OsRng;
        let mls = Mls::new(&self.mls, &mut rng, &identity)?;
        let certificate = statement::to_bytes(&certificate);
        let mut group = Group::create(&mls, verified.conversation, &certificate, session.server_key.as_bytes())?;
        let (group_info, ratchet_tree) = (group.group_info(&mls)?, group.ratchet_tree()?);
        let packages: Vec<Vec<u8>> = others.iter().map(|device| device.key_package.clone()).collect();
        let proposed = group.add(&mls, &packages, &context.encode_to_vec())?;
        group.merge_pending(&mls)?;
        let commit = Commit {
            conversation_id: verified.conversation.to_vec(),
            commit: Bytes::from(proposed.commit),
            welcome: Bytes::from(proposed.welcome.context("no welcome")?),
            welcome_devices: others.iter().map(|device| device.id.to_vec()).collect(),
            group_info: proposed.group_info,
            idempotency_key,
        };
        let found = FoundConversation {
            conversation_id: verified.conversation.to_vec(),
            group_info,
            ratchet_tree,
            first_commit: Some(commit),
        };
        match self.call(&mut session.socket, Request::FoundConversation(found)).await? {
            answer::Body::Committed(committed) => Ok((verified.conversation, Epoch(committed.epoch))),
            _ => bail!("an unexpected answer to FoundConversation"),
        }
    }

    /// Reads a conversation's log behind `after`: one page.
    ///
    /// # Errors
    /// When the server refuses it.
    pub async fn log_page(
        &self,
        socket: &mut Socket,
        conversation: ConversationId,
        after: Sequence,
    ) -> Result<LogPage> {
        let fetch = FetchLog { conversation_id: conversation.to_vec(), after: after.0, limit: 0 };
        match self.call(socket, Request::FetchLog(fetch)).await? {
            answer::Body::LogPage(page) => Ok(page),
            _ => bail!("an unexpected answer to FetchLog"),
        }
    }

    async fn greet(&self) -> Result<Greeted> {
        let mut socket = self.dialler.connect().await?;
        let client_nonce = random();
        let hello = Hello { version: 1, client_nonce: client_nonce.to_vec() };
        let answer::Body::Hello(answer) = self.call(&mut socket, Request::Hello(hello)).await? else {
            bail!("an unexpected answer to Hello");
        };
        let exporter = socket.exporter(session::TLS_EXPORTER_LABEL)?;
        let channel = session::Channel::from_answer(&answer, &self.fingerprint, client_nonce, exporter)?;
        Ok(Greeted { socket, channel })
    }

    /// Sends a request, in parts if it is large, and waits for its answer. Pushes are left out.
    async fn call(&self, socket: &mut Socket, request: Request) -> Result<answer::Body> {
        let id = self.requests.replace(self.requests.get() + 1);
        let frame = ClientFrame { id, request: Some(request) }.encode_to_vec();
        if frame.len() <= limits::FRAME {
            socket.send(&frame).await?;
        } else {
            let mut parts = frame.chunks(limits::FRAME - 64).peekable();
            while let Some(bytes) = parts.next() {
                let part = Part { bytes: bytes.to_vec(), last: parts.peek().is_none() };
                socket.send(&ClientFrame { id, request: Some(Request::Part(part)) }.encode_to_vec()).await?;
            }
        }
        loop {
            let frame = subrosa_wire::decode_server_frame(&socket.receive().await?[..])?;
            match frame.body {
                Some(server_frame::Body::Answer(answer)) if answer.id == id => match answer.body {
                    Some(answer::Body::Error(error)) => return Err(Refusal::from(error).into()),
                    Some(body) => return Ok(body),
                    None => bail!("an empty answer"),
                },
                Some(server_frame::Body::GoingAway(reason)) => {
                    bail!("the server ends the connection: {}", reason.reason)
                }
                _ => {}
            }
        }
    }
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    OsRng.fill_bytes(&mut bytes);
    bytes
}

fn now() -> Result<Timestamp> {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    Ok(Timestamp(i64::try_from(since.as_millis()).map_err(|_| anyhow!("the clock is far off"))?))
}
