//! A new conversation: certificate and key packages, the group with its first commit, and the server's verdict.
//!
//! 1. `ReserveConversation` (permission, id, certificate) and `FetchKeyPackages` of everybody, at once.
//! 2. All there: each owner's directory entry and each key package is checked (row A5); the group is made with the certificate
//!    in its context, everybody is added in one commit, and the request is stored as sent: the conversation is *Founding*.
//! 3. Accepted: merged, and the title is said as the first message. Refused: the group is deleted.

use std::collections::BTreeSet;

use bytes::Bytes;
use subrosa_crypto::device::ClaimedDevice;
use subrosa_crypto::{GroupCertificate, TitleRecord, group_certificate, statement};
use subrosa_mls::{Group, GroupError};
use subrosa_types::{AccountId, ConversationId, GroupTitle, IdempotencyKey, Sequence, Timestamp};
use subrosa_wire::Refusal;
use subrosa_wire::proto::{self, ClientFrame, ErrorCode, MessageClass, client_frame};

use crate::api::{ChatKind, Failure, FailureCode};
use crate::engine::{CommandId, Engine};
use crate::fault::{Fault, Outcome};
use crate::requests::Pending;
use crate::store::commits::{self, PendingCommit, PendingCommitKind};
use crate::store::contacts;
use crate::store::conversations::{self, Conversation, ConversationState};
use crate::words;

/// A conversation that is being made.
pub struct Founding {
    title: Option<GroupTitle>,
    peer: Option<AccountId>,
    members: Vec<AccountId>,
    command: Option<CommandId>,
    asked: bool,
    reserved: Option<proto::Signed>,
}

impl Founding {
    /// The connection is gone; a reservation that was not used costs nothing.
    pub(super) fn start_over(&mut self) {
        self.asked = false;
        self.reserved = None;
    }
}

/// A device id and its key package.
type DevicePackage = (Vec<u8>, Vec<u8>);

/// Devices and their key packages, in the same order; or why somebody cannot be added.
pub(super) type Packages = Result<(Vec<Vec<u8>>, Vec<Vec<u8>>), Failure>;

impl Engine {
    /// Makes the private chat with somebody, unless it is being made.
    pub(super) fn found_private(&mut self, peer: AccountId) {
        if !self.outgoing.foundings.values().any(|founding| founding.peer == Some(peer)) {
            self.found(Founding {
                title: None,
                peer: Some(peer),
                members: vec![peer],
                command: None,
                asked: false,
                reserved: None,
            });
        }
    }

    /// Makes a group for a command.
    pub(crate) fn found_group(&mut self, title: GroupTitle, members: Vec<AccountId>, command: CommandId) {
        self.found(Founding {
            title: Some(title),
            peer: None,
            members,
            command: Some(command),
            asked: false,
            reserved: None,
        });
    }

    fn found(&mut self, founding: Founding) {
        self.outgoing.next_founding += 1;
        self.outgoing.foundings.insert(self.outgoing.next_founding, founding);
    }

    pub(super) fn drive_foundings(&mut self, now: Timestamp) -> Outcome {
        for id in self.outgoing.foundings.keys().copied().collect::<Vec<_>>() {
            let Some(founding) = self.outgoing.foundings.get_mut(&id) else { continue };
            let peer = founding.peer;
            if !founding.asked {
                founding.asked = true;
                let kind =
                    if peer.is_some() { proto::ConversationKind::Private } else { proto::ConversationKind::Group };
                let reserve = proto::ReserveConversation {
                    kind: kind.into(),
                    peer: peer.map(|peer| peer.to_vec()).unwrap_or_default(),
                };
                self.request(client_frame::Request::ReserveConversation(reserve), Pending::Reserve(id));
            }
            let Some(founding) = self.outgoing.foundings.get(&id) else { continue };
            let (reserved, mut members) = (founding.reserved.clone(), founding.members.clone());
            members.extend(self.profile.as_ref().map(|profile| profile.account));
            let row =
                Conversation::new(ConversationId::from_bytes([0; 16]), ChatKind::Group, ConversationState::Founding);
            let Some(packages) = self.packages_of(&members, &row)? else { continue };
            match (packages, reserved) {
                (Err(failure), _) => self.founding_failed(id, &failure)?,
                (Ok((devices, packages)), Some(certificate)) => {
                    self.send_founding(id, &certificate, &devices, &packages, now)?;
                }
                (Ok(_), None) => {}
            }
        }
        Ok(())
    }

    /// Key packages of these accounts, checked; `None` while some are on their way. They stay here until
    /// [`Engine::use_packages`].
    pub(super) fn packages_of(&mut self, accounts: &[AccountId], row: &Conversation) -> Outcome<Option<Packages>> {
        let mut missing = false;
        for account in accounts {
            if !self.outgoing.packages.contains_key(account) {
                let fetch = proto::FetchKeyPackages { account_id: account.to_vec() };
                self.request_once(client_frame::Request::FetchKeyPackages(fetch), Pending::KeyPackages(*account));
                missing = true;
            }
        }
        if missing {
            return Ok(None);
        }
        let (mut devices, mut packages) = (Vec::new(), Vec::new());
        for account in accounts {
            let Some(answer) = self.outgoing.packages.get(account).cloned() else { return Ok(None) };
            match self.check_packages(*account, &answer)? {
                Ok(checked) => {
                    for (device, package) in checked {
                        devices.push(device);
                        packages.push(package);
                    }
                }
                Err(failure) => {
                    self.outgoing.packages.remove(account);
                    return Ok(Some(Err(failure)));
                }
            }
        }
        if row.state != ConversationState::Founding {
            self.use_packages(accounts);
        }
        Ok(Some(Ok((devices, packages))))
    }

    fn use_packages(&mut self, accounts: &[AccountId]) {
        for account in accounts {
            self.outgoing.packages.remove(account);
        }
    }

    /// The checks of row A5 before anything is encrypted to somebody: name and key attested by the server and by the account
    /// itself, the key the one of the role log and the pinned one, each key package that of a certified device.
    fn check_packages(
        &mut self,
        account: AccountId,
        answer: &proto::KeyPackages,
    ) -> Outcome<Result<Vec<DevicePackage>, Failure>> {
        let own_device = self.profile.as_ref().map(|profile| (profile.account, profile.device));
        let owner = match answer.owner.as_ref() {
            Some(entry) => match self.take_entry(entry)? {
                Ok(owner) if owner.id == account => owner,
                Ok(_) => return Ok(Err(words::bad_attestation("this person"))),
                Err(failure) => return Ok(Err(failure)),
            },
            None => return Err(Fault::Protocol("key packages without owner")),
        };
        let name = owner.username.to_string();
        let changed = contacts::by_account(&self.connection, account)?.is_some_and(|contact| contact.new_key.is_some());
        #[cfg(feature = "planted-faults")]
        let changed = changed && !self.config.faults.ignore_changed_key;
        if changed {
            return Ok(Err(words::key_changed(&name)));
        }
        let mut checked = Vec::new();
        let mut seen = BTreeSet::new();
        for package in &answer.packages {
            let Ok(info) = subrosa_mls::follower::check_key_package(&package.key_package) else {
                return Ok(Err(words::bad_key_package(&name)));
            };
            let device = ClaimedDevice::parse(&info.credential).and_then(|claimed| claimed.verify(&owner.key));
            let Ok(device) = device else { return Ok(Err(words::bad_key_package(&name))) };
            let fits = device.account == account
                && device.key.as_bytes().as_slice() == info.signature_key.as_slice()
                && device.id.as_bytes().as_slice() == package.device_id
                && owner.devices.contains(device.id);
            if !fits {
                return Ok(Err(words::bad_key_package(&name)));
            }
            if own_device != Some((account, device.id)) && seen.insert(device.id) {
                checked.push((device.id.to_vec(), package.key_package.clone()));
            }
        }
        let own = own_device.is_some_and(|(own, _)| own == account);
        if checked.is_empty() && !own {
            return Ok(Err(Failure::new(
                FailureCode::Policy,
                "no_device",
                format!("@{name} has no device that could be reached; ask them to log in, then try again"),
            )));
        }
        Ok(Ok(checked))
    }

    fn send_founding(
        &mut self,
        founding_id: u64,
        signed: &proto::Signed,
        devices: &[Vec<u8>],
        packages: &[Vec<u8>],
        now: Timestamp,
    ) -> Outcome {
        let Some(founding) = self.outgoing.foundings.remove(&founding_id) else { return Ok(()) };
        let Some(profile) = &self.profile else { return Ok(()) };
        let (own, server_key) = (profile.account, profile.server_key);
        let mut used = founding.members.clone();
        used.push(own);
        self.use_packages(&used);
        let certificate = match GroupCertificate::verify(signed, &server_key) {
            Ok(certificate) if certificate.creator == own && fits(&certificate.kind, own, founding.peer) => certificate,
            Ok(_) | Err(_) => return Err(Fault::Lie("a group certificate is not the one that was asked for")),
        };
        let id = certificate.conversation;
        let key = IdempotencyKey::from_bytes(self.random());
        let context = self.commit_context(key);
        let Some(identity) = &self.identity else { return Ok(()) };
        let mls = subrosa_mls::Mls::new(&self.connection, &mut *self.rng, identity)?;
        let mut group = Group::create(&mls, id, &statement::to_bytes(signed), server_key.as_bytes())?;
        let (group_info, ratchet_tree) = (group.group_info(&mls)?, group.ratchet_tree()?);
        let proposed =
            if packages.is_empty() { group.self_update(&mls, &context) } else { group.add(&mls, packages, &context) };
        let proposed = match proposed {
            Ok(proposed) => proposed,
            Err(GroupError::KeyPackage { .. }) => {
                group.delete(&mls)?;
                drop(mls);
                let failure = words::bad_key_package("somebody");
                return self.founding_over(&founding, &failure);
            }
            Err(error) => return Err(error.into()),
        };
        drop(mls);
        self.groups.insert(id, group);
        let kind = if founding.peer.is_some() { ChatKind::Private } else { ChatKind::Group };
        let mut row = Conversation::new(id, kind, ConversationState::Founding);
        row.peer = founding.peer;
        row.role_position = self.roles.position().0;
        conversations::save(&self.connection, &row)?;
        let first_commit = proto::Commit {
            conversation_id: id.to_vec(),
            commit: proposed.commit.into(),
            welcome: proposed.welcome.map(Bytes::from).unwrap_or_default(),
            welcome_devices: devices.to_vec(),
            group_info: proposed.group_info,
            idempotency_key: key.to_vec(),
        };
        let found = proto::FoundConversation {
            conversation_id: id.to_vec(),
            group_info,
            ratchet_tree,
            first_commit: Some(first_commit),
        };
        let frame = ClientFrame { id: 0, request: Some(client_frame::Request::FoundConversation(found)) };
        let request = subrosa_wire::encode(&frame).to_vec();
        commits::save(
            &self.connection,
            &PendingCommit { conversation: id, key, kind: PendingCommitKind::Found, request },
        )?;
        let mut title_key = None;
        if let Some(title) = &founding.title {
            title_key = Some(self.push_title(id, title, 1, now)?);
        }
        if let Some(command) = founding.command {
            self.founding_sent(command, id, title_key);
        }
        self.resend_commits()
    }

    /// A title of this account's making goes into the outbox, in the class that the server checks.
    pub(crate) fn push_title(
        &mut self,
        conversation: ConversationId,
        title: &GroupTitle,
        version: u64,
        now: Timestamp,
    ) -> Outcome<IdempotencyKey> {
        let Some(profile) = &self.profile else { return Err(Fault::Protocol("a title before the login")) };
        let position = self.roles.position();
        let record =
            TitleRecord::issue(conversation, title, version, profile.account, position, now, &profile.account_key);
        let record = statement::to_bytes(&record);
        self.send_control_as(conversation, MessageClass::Title, now, |content| content.title = Some(record))
    }

    pub(crate) fn reserved(&mut self, founding: u64, reserved: proto::Reserved, _now: Timestamp) -> Outcome {
        if let Some(founding) = self.outgoing.foundings.get_mut(&founding) {
            founding.reserved = reserved.certificate;
        }
        Ok(())
    }

    pub(crate) fn reserve_refused(&mut self, founding: u64, refusal: &Refusal, now: Timestamp) -> Outcome {
        if refusal.code == ErrorCode::ConversationExists {
            // The other side was first, or another device of this account: its welcome is on the way, or it can be entered.
            return match self.exists_already(refusal)? {
                None => {
                    self.outgoing.foundings.remove(&founding);
                    Ok(())
                }
                Some(failure) => self.founding_failed(founding, &failure),
            };
        }
        if words::is_passing(refusal) {
            self.founding_delayed(founding, refusal)?;
            self.ask_again_later(now);
            return Ok(());
        }
        self.founding_failed(founding, &words::refusal(refusal))
    }

    pub(crate) fn key_packages_refused(&mut self, account: AccountId, refusal: &Refusal, now: Timestamp) -> Outcome {
        let failure = words::refusal(refusal);
        let concerned: Vec<u64> = self
            .outgoing
            .foundings
            .iter()
            .filter(|(_, founding)| founding.members.contains(&account))
            .map(|(id, _)| *id)
            .collect();
        if words::is_passing(refusal) {
            for id in concerned {
                self.founding_delayed(id, refusal)?;
            }
            self.ask_again_later(now);
            return Ok(());
        }
        for id in concerned {
            self.founding_failed(id, &failure)?;
        }
        for change in crate::store::changes::all(&self.connection)? {
            if change.adds
                && change.account == account
                && let Some(row) = conversations::load(&self.connection, change.conversation)?
            {
                self.changes_refused(&row, failure.clone())?;
            }
        }
        Ok(())
    }

    /// There is such a chat. A failure, if this device was there before and could not enter it: to try again would only
    /// lead here again.
    fn exists_already(&mut self, refusal: &Refusal) -> Outcome<Option<Failure>> {
        let Some(conversation) = refusal.conversation else { return Err(Fault::Protocol("a chat without id exists")) };
        if let Some(why) = self.outgoing.closed.get(&conversation) {
            let message =
                format!("the chat that you have with them cannot be entered by this device ({why}); try again later");
            return Ok(Some(Failure::new(FailureCode::Untrusted, "entering_refused", message)));
        }
        self.ask_for_everything()?;
        // If a welcome is in the inbox it is taken first; entering notices that and stands back.
        self.outgoing.existing.insert(conversation);
        Ok(None)
    }

    fn founding_failed(&mut self, founding: u64, failure: &Failure) -> Outcome {
        let Some(founding) = self.outgoing.foundings.remove(&founding) else { return Ok(()) };
        self.founding_over(&founding, failure)
    }

    /// The server cannot do it now. A group is given up, for somebody waits for it; what people wrote waits for its chat.
    fn founding_delayed(&mut self, founding: u64, refusal: &Refusal) -> Outcome {
        let Some(founding) = self.outgoing.foundings.remove(&founding) else { return Ok(()) };
        match founding.peer.map(|peer| contacts::by_account(&self.connection, peer)).transpose()?.flatten() {
            Some(contact) => self.delay_peer(&contact.username, refusal),
            None => self.founding_over(&founding, &words::refusal(refusal)),
        }
    }

    fn founding_over(&mut self, founding: &Founding, failure: &Failure) -> Outcome {
        if let Some(command) = founding.command {
            self.finish(command, Err(failure.clone()));
        }
        if let Some(peer) = founding.peer
            && let Some(contact) = contacts::by_account(&self.connection, peer)?
        {
            self.fail_peer(&contact.username, failure)?;
        }
        Ok(())
    }

    /// The conversation is on the server's disk.
    pub(super) fn founded(&mut self, mut row: Conversation, sequence: Sequence) -> Outcome {
        self.with_group(row.id, |mls, group| group.merge_pending(mls))?.transpose()?;
        commits::remove(&self.connection, row.id)?;
        row.state = ConversationState::Active;
        row.cursor = sequence;
        conversations::save(&self.connection, &row)?;
        self.raise_head(row.id, sequence.0);
        if let Some(peer) = row.peer
            && let Some(contact) = contacts::by_account(&self.connection, peer)?
        {
            self.assign_waiting(&contact.username, row.id)?;
        }
        self.outgoing.settled(row.id);
        Ok(())
    }

    /// The server will not have this conversation.
    pub(super) fn not_founded(&mut self, row: Conversation, refusal: &Refusal) -> Outcome {
        commits::remove(&self.connection, row.id)?;
        self.delete_group(row.id)?;
        let failure = words::refusal(refusal);
        self.give_back(row.id, &failure)?;
        conversations::forget(&self.connection, row.id)?;
        let failure = match refusal.code {
            ErrorCode::ConversationExists => match self.exists_already(refusal)? {
                None => return Ok(()),
                Some(failure) => failure,
            },
            _ => failure,
        };
        if let Some(peer) = row.peer
            && let Some(contact) = contacts::by_account(&self.connection, peer)?
        {
            self.fail_peer(&contact.username, &failure)?;
        }
        self.outgoing.change_failures.insert(row.id, failure);
        Ok(())
    }
}

fn fits(kind: &group_certificate::ConversationKind, own: AccountId, peer: Option<AccountId>) -> bool {
    match (kind, peer) {
        (group_certificate::ConversationKind::Private { pair }, Some(peer)) => {
            pair.contains(&own) && pair.contains(&peer)
        }
        (group_certificate::ConversationKind::Group, None) => true,
        _ => false,
    }
}
