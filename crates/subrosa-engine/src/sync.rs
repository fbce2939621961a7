//! Catching up: what the server has that this device has not, and the requests that fetch it.
//!
//! [`Sync`] is only knowledge about one connection: heads that the server named, pages under way. Everything durable (cursors,
//! role log position, inbox position) is in the store, so a lost connection costs nothing but the requests. A push never
//! carries what cannot be fetched; so a gap, wherever it comes from, is closed by the same path as a long absence.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use prost::Message;
use subrosa_crypto::role_log::RoleChange;
use subrosa_types::{AccountId, ConversationId, Role, Sequence, Timestamp, limits};
use subrosa_wire::Refusal;
use subrosa_wire::proto::{self, ErrorCode, answer, client_frame, server_frame};

use crate::api::Event;
use crate::engine::Engine;
use crate::fault::{Fault, Outcome};
use crate::incoming::LogBuffer;
use crate::requests::Pending;
use crate::store::{self, conversations, profile};

/// Key packages left at the server below which new ones are published, and how many there are then.
const KEY_PACKAGES: (u32, u32) = (8, 16);

/// What is known about the server's state on this connection.
#[derive(Default)]
pub struct Sync {
    role_target: u64,
    /// Position and hash that the login named: what is fetched must be that log.
    role_claim: Option<(subrosa_types::RolePosition, Vec<u8>)>,
    inbox_target: u64,
    /// Inbox items that came and are not taken in yet, in order.
    pub(crate) inbox: VecDeque<proto::InboxItem>,
    /// The highest position that the server named, by conversation.
    pub(crate) heads: BTreeMap<ConversationId, u64>,
    /// Conversations whose log may have something to take in or to fetch.
    behind: BTreeSet<ConversationId>,
    /// Log entries that wait for an earlier one.
    pub(crate) logs: BTreeMap<ConversationId, LogBuffer>,
    /// The end of the inbox as it was known when its next page was asked for.
    pub(crate) inbox_asked: u64,
    /// Accounts to look up.
    pub(crate) wanted: BTreeSet<AccountId>,
    /// Accounts that the server would not tell.
    pub(crate) nameless: BTreeSet<AccountId>,
    /// The answer to the welcome that is next in the inbox.
    pub(crate) welcome: Option<proto::WelcomeAnswer>,
    /// Conversations of the account that this device is not in.
    pub(crate) joinable: BTreeSet<ConversationId>,
    /// Group infos that came for those.
    pub(crate) group_infos: BTreeMap<ConversationId, proto::GroupInfoAnswer>,
    /// Key packages left at the server.
    key_packages_left: Option<u32>,
    /// Messages that wait to be announced until their sender's name is known.
    pub(crate) unannounced: Vec<(ConversationId, AccountId, subrosa_types::MessageId)>,
    /// Invitations that came and were not told yet.
    pub(crate) new_invites: Vec<ConversationId>,
    /// The super admin role is offered, by somebody who may still have to be looked up; and whether that is news.
    offer: Option<bool>,
}

/// What is stored and was not told yet.
pub type Untold = (Vec<(ConversationId, AccountId, subrosa_types::MessageId)>, Vec<ConversationId>);

impl Sync {
    /// The connection is gone, the next one tells everything anew; but for this, which only this device knows.
    pub(crate) fn forget_connection(&mut self) {
        let untold = (std::mem::take(&mut self.unannounced), std::mem::take(&mut self.new_invites));
        *self = Self::with(untold);
    }

    pub(crate) fn with((unannounced, new_invites): Untold) -> Self {
        Self { unannounced, new_invites, ..Self::default() }
    }

    pub(crate) fn untold(&self) -> Untold {
        (self.unannounced.clone(), self.new_invites.clone())
    }
}

/// What came since the last `reload`.
#[derive(Debug, Default, Clone, Copy)]
pub struct Came {
    /// Messages of others.
    pub messages: u32,
    /// Invitations.
    pub invites: u32,
}

impl Engine {
    pub(crate) fn sync_start(&mut self, logged_in: &proto::LoggedIn, now: Timestamp) -> Outcome {
        let Some(own) = &self.profile else { return Err(Fault::Protocol("a login without account")) };
        if logged_in.account_id != own.account.to_vec() {
            return Err(Fault::Lie("it says that this device belongs to another account"));
        }
        self.sync = Sync {
            role_target: logged_in.role_position,
            role_claim: Some((subrosa_types::RolePosition(logged_in.role_position), logged_in.role_hash.clone())),
            inbox_target: logged_in.inbox_head,
            key_packages_left: Some(logged_in.key_packages_left),
            ..Sync::with(self.sync.untold())
        };
        if logged_in.role_position < self.roles.position().0 {
            return Err(Fault::Lie("its role log is shorter than it was"));
        }
        self.take_heads(&logged_in.heads)?;
        for id in &logged_in.joinable {
            let id = ConversationId::from_slice(id).map_err(|_| Fault::Protocol("a conversation id"))?;
            self.sync.joinable.insert(id);
        }
        let offer = logged_in.hand_over.as_ref().and_then(|pending| pending.offer.clone());
        self.take_hand_over(offer.as_ref())?;
        self.check_role_hash()?;
        self.outgoing_start(now)?;
        self.emit(Event::Online);
        Ok(())
    }

    pub(crate) fn take_heads(&mut self, heads: &[proto::Head]) -> Outcome {
        for head in heads {
            let id =
                ConversationId::from_slice(&head.conversation_id).map_err(|_| Fault::Protocol("a conversation id"))?;
            self.raise_head(id, head.sequence);
        }
        Ok(())
    }

    pub(crate) fn raise_head(&mut self, conversation: ConversationId, sequence: u64) {
        if self.sync.heads.len() >= HEADS && !self.sync.heads.contains_key(&conversation) {
            // More than any account has: what it is about is named again when this device enters it.
            return;
        }
        let head = self.sync.heads.entry(conversation).or_default();
        *head = (*head).max(sequence);
        self.sync.behind.insert(conversation);
    }

    /// Whether everything that the server named is taken in.
    pub(crate) fn is_synced(&self) -> Outcome<bool> {
        if !self.session.is_online()
            || self.roles.position().0 < self.sync.role_target
            || profile::inbox(&self.connection)? < self.sync.inbox_target
            || !self.sync.inbox.is_empty()
            || !self.sync.wanted.is_empty()
            || self.sync.offer.is_some()
            || !self.sync.joinable.is_empty()
            || !self.sync.behind.is_empty()
            || self.outgoing.has_due()
            || self
                .requests
                .any(|what| matches!(what, Pending::Heads | Pending::Inbox | Pending::RoleLog | Pending::Person(_)))
        {
            return Ok(false);
        }
        Ok(true)
    }

    /// Makes the requests for what is missing.
    pub(crate) fn drive_sync(&mut self, now: Timestamp) -> Outcome {
        if !self.session.is_online() {
            // What came over links is told all the same.
            return self.announce_messages();
        }
        if self.roles.position().0 < self.sync.role_target {
            let after = self.roles.position().0;
            self.request_once(client_frame::Request::FetchRoleLog(proto::FetchRoleLog { after }), Pending::RoleLog);
            // Whose key is whose comes first: nothing else is taken in before.
            return Ok(());
        }
        self.drive_offer()?;
        self.drive_inbox()?;
        self.drive_entering()?;
        for account in self.sync.wanted.clone() {
            let lookup = proto::Lookup { by: Some(proto::lookup::By::AccountId(account.to_vec())) };
            self.request_once(client_frame::Request::Lookup(lookup), Pending::Person(account));
        }
        for conversation in self.sync.behind.clone() {
            self.drive_log(conversation, now)?;
        }
        self.announce_messages()?;
        if !self.sync.new_invites.is_empty() && self.is_synced()? {
            self.announce_invites()?;
        }
        self.top_up_key_packages()
    }

    /// Takes in what follows the cursor, then asks for what is missing behind it.
    fn drive_log(&mut self, conversation: ConversationId, now: Timestamp) -> Outcome {
        self.take_in_log(conversation, now)?;
        let row = conversations::load(&self.connection, conversation)?;
        let head = self.sync.heads.get(&conversation).copied().unwrap_or(0);
        let Some(row) = row.filter(|row| row.state.follows() && row.blocked.is_none() && row.cursor.0 < head) else {
            self.sync.behind.remove(&conversation);
            return Ok(());
        };
        let waits_for_roles = self.sync.logs.get(&conversation).is_some_and(|log| log.starts_at(row.cursor.next()));
        if !waits_for_roles {
            let fetch = proto::FetchLog { conversation_id: conversation.to_vec(), after: row.cursor.0, limit: 0 };
            self.request_once(client_frame::Request::FetchLog(fetch), Pending::Log(conversation));
        }
        Ok(())
    }

    fn top_up_key_packages(&mut self) -> Outcome {
        let (low, full) = KEY_PACKAGES;
        let Some(left) = self.sync.key_packages_left.filter(|left| *left < low) else { return Ok(()) };
        self.sync.key_packages_left = None;
        let Some(identity) = &self.identity else { return Ok(()) };
        let mls = subrosa_mls::Mls::new(&self.connection, &mut *self.rng, identity)?;
        let key_packages = (left..full).map(|_| mls.key_package(false)).collect::<Result<_, _>>()?;
        let publish = proto::PublishKeyPackages { key_packages, last_resort: Vec::new() };
        self.request(client_frame::Request::PublishKeyPackages(publish), Pending::Published);
        Ok(())
    }

    /// A push.
    pub(crate) fn pushed(&mut self, body: server_frame::Body) -> Outcome {
        match body {
            server_frame::Body::Deliver(deliver) => {
                let id = ConversationId::from_slice(&deliver.conversation_id)
                    .map_err(|_| Fault::Protocol("a conversation id"))?;
                self.buffer_entries(id, deliver.entries)
            }
            server_frame::Body::InboxGrew(grew) => {
                self.inbox_grew(&grew.items);
                Ok(())
            }
            server_frame::Body::RoleLogGrew(grew) => self.take_role_entries(&grew.entries),
            server_frame::Body::Resync(resync) => {
                self.sync.inbox_target = self.sync.inbox_target.max(resync.inbox_head);
                self.sync.role_target = self.sync.role_target.max(resync.role_position);
                self.take_heads(&resync.heads)
            }
            server_frame::Body::HandOverPending(pending) => self.take_hand_over(pending.offer.as_ref()),
            // For guests of rooms, which is another kind of connection.
            server_frame::Body::RoomTurn(_) | server_frame::Body::RoomDeliver(_) => Ok(()),
            // Answered elsewhere.
            server_frame::Body::Answer(_) | server_frame::Body::Accepted(_) | server_frame::Body::GoingAway(_) => {
                Ok(())
            }
        }
    }

    pub(crate) fn sync_answered(&mut self, what: Pending, body: answer::Body, now: Timestamp) -> Outcome {
        match (what, body) {
            (Pending::RoleLog, answer::Body::RoleLogPage(page)) => {
                if page.entries.is_empty() {
                    return Err(Fault::Lie("its role log is shorter than it said"));
                }
                self.take_role_entries(&page.entries)
            }
            (Pending::Inbox, answer::Body::InboxPage(page)) => {
                if page.items.is_empty() {
                    // Nothing behind what is taken in: the items were acknowledged on an earlier connection. What was
                    // named after the question may be there all the same.
                    profile::set_inbox(&self.connection, self.sync.inbox_asked)?;
                }
                self.buffer_inbox(page.items)
            }
            (Pending::Log(id), answer::Body::LogPage(page)) => self.take_log_page(id, page),
            (Pending::Welcome(_), answer::Body::Welcome(welcome)) => {
                self.sync.welcome = Some(welcome);
                Ok(())
            }
            (Pending::GroupInfo(id), answer::Body::GroupInfo(group_info)) => {
                self.sync.group_infos.insert(id, group_info);
                Ok(())
            }
            (Pending::Person(account), answer::Body::DirectoryEntry(entry)) => {
                self.sync.wanted.remove(&account);
                if let Err(failure) = self.take_entry(&entry)? {
                    self.sync.nameless.insert(account);
                    self.warn(&failure.kind, failure.message);
                }
                Ok(())
            }
            (Pending::Peer(peer), answer::Body::DirectoryEntry(entry)) => match self.take_entry(&entry)? {
                Ok(account) if account.username == peer => Ok(()),
                Ok(_) => self.fail_peer(&peer, &crate::words::bad_attestation(&format!("@{peer}"))),
                Err(failure) => self.fail_peer(&peer, &failure),
            },
            (Pending::KeyPackages(account), answer::Body::KeyPackages(packages)) => {
                self.outgoing.packages.insert(account, packages);
                Ok(())
            }
            (Pending::Reserve(founding), answer::Body::Reserved(reserved)) => self.reserved(founding, reserved, now),
            (Pending::Commit(id, key), answer::Body::Committed(committed)) => {
                self.commit_accepted(id, key, Sequence(committed.sequence), Timestamp(committed.at))
            }
            (Pending::Heads, answer::Body::ConversationList(list)) => self.take_heads(&list.conversations),
            (Pending::RelayPass(road), answer::Body::RelayPass(pass)) => {
                self.take_pass(road, pass.relay, now);
                Ok(())
            }
            (Pending::Acknowledged | Pending::Published, answer::Body::Done(_)) => Ok(()),
            _ => Err(Fault::Protocol("an answer of another kind than the request")),
        }
    }

    pub(crate) fn sync_refused(&mut self, what: Pending, refusal: &Refusal, now: Timestamp) -> Outcome {
        match what {
            Pending::Append(id, key) => self.append_refused(id, key, refusal, now),
            Pending::Commit(id, key) => self.commit_refused(id, key, refusal, now),
            Pending::Reserve(founding) => self.reserve_refused(founding, refusal, now),
            Pending::KeyPackages(account) => self.key_packages_refused(account, refusal, now),
            Pending::Person(account) => {
                self.sync.wanted.remove(&account);
                self.sync.nameless.insert(account);
                Ok(())
            }
            Pending::Peer(peer) if crate::words::is_passing(refusal) => {
                self.delay_peer(&peer, refusal)?;
                self.ask_again_later(now);
                Ok(())
            }
            Pending::Peer(peer) => self.fail_peer(&peer, &crate::words::nobody(&peer, refusal)),
            Pending::Log(id) if refusal.code == ErrorCode::NotAMember => {
                self.gone(id, "this account is no longer a member")
            }
            Pending::Welcome(_) => self.skip_inbox_item("the invitation is no longer there"),
            Pending::GroupInfo(id) => {
                self.sync.joinable.remove(&id);
                let entering = conversations::load(&self.connection, id)?
                    .is_some_and(|row| row.state == conversations::ConversationState::Entering);
                if entering && matches!(refusal.code, ErrorCode::NotAMember | ErrorCode::NoSuchConversation) {
                    // The account left, or the conversation ended, while this device was on its way in.
                    return self.gone(id, "this account is no longer a member");
                }
                Ok(())
            }
            Pending::RelayPass(road) => {
                self.take_pass(road, None, now);
                Ok(())
            }
            // Try again on another connection.
            Pending::RoleLog | Pending::Inbox | Pending::Log(_) | Pending::Heads => {
                self.ask_again_later(now);
                Ok(())
            }
            Pending::Acknowledged | Pending::Published => Ok(()),
            Pending::Hello | Pending::Session | Pending::Command(_) => Ok(()),
        }
    }

    fn take_role_entries(&mut self, entries: &[proto::Signed]) -> Outcome {
        let Some(profile) = &self.profile else { return Ok(()) };
        let (own, server_key) = (profile.account, profile.server_key);
        for signed in entries {
            let Ok(entry) = proto::RoleLogEntry::decode(signed.statement.as_slice()) else {
                return Err(Fault::Lie("an entry of its role log does not decode"));
            };
            self.sync.role_target = self.sync.role_target.max(entry.position);
            let head = self.roles.position();
            if entry.position <= head.0 {
                let known = self.roles.hash_at(subrosa_types::RolePosition(entry.position));
                if known != Some(subrosa_crypto::statement::hash(signed)) {
                    return Err(Fault::Lie("its role log is not the one it showed before"));
                }
                continue;
            }
            if entry.position > head.next().0 {
                return Ok(());
            }
            let event = self
                .roles
                .append(signed, &server_key)
                .map_err(|_| Fault::Lie("its role log breaks the rules of roles"))?;
            store::role_log::append(&self.connection, entry.position, signed)?;
            match event.change {
                RoleChange::RoleSet { target, to, .. } if target == own => self.emit(Event::RoleChanged { role: to }),
                RoleChange::HandedOver { from, to } => {
                    profile::set_hand_over(&self.connection, None)?;
                    if to == own {
                        self.emit(Event::RoleChanged { role: Role::SuperAdmin });
                    } else if from == own {
                        self.emit(Event::RoleChanged { role: Role::Admin });
                    }
                }
                RoleChange::KeyReset { account, key } if account != own => self.key_changed(account, key)?,
                _ => {}
            }
        }
        self.check_role_hash()
    }

    /// Caught up to what the login named: it must be the same log.
    fn check_role_hash(&mut self) -> Outcome {
        if let Some((position, expected)) = &self.sync.role_claim
            && let Some(hash) = self.roles.hash_at(*position)
        {
            if hash.as_slice() != expected.as_slice() {
                return Err(Fault::Lie("its role log is not the one it named"));
            }
            self.sync.role_claim = None;
        }
        Ok(())
    }

    fn take_hand_over(&mut self, offer: Option<&proto::Signed>) -> Outcome {
        let before = profile::hand_over(&self.connection)?;
        let bytes = offer.map(Message::encode_to_vec);
        self.sync.offer = bytes.is_some().then_some(before != bytes);
        profile::set_hand_over(&self.connection, bytes.as_deref())?;
        Ok(())
    }

    /// The offered role is told when the role log that it is checked against is here, and the name of who offers it.
    fn drive_offer(&mut self) -> Outcome {
        let Some(is_new) = self.sync.offer else { return Ok(()) };
        if let Some(from) = self.offers_role()?
            && self.want(from)?
        {
            return Ok(());
        }
        self.sync.offer = None;
        if is_new && let Some(row) = self.role_invite()? {
            self.emit(Event::Invite(row));
        }
        Ok(())
    }

    /// Wants an account's name; true if it has to be waited for.
    pub(crate) fn want(&mut self, account: AccountId) -> Outcome<bool> {
        if self.sync.nameless.contains(&account) || self.is_known(account)? {
            return Ok(false);
        }
        self.sync.wanted.insert(account);
        Ok(true)
    }

    pub(crate) fn raise_role_target(&mut self, position: u64) {
        self.sync.role_target = self.sync.role_target.max(position);
    }

    pub(crate) fn roles_are_current(&self) -> bool {
        self.roles.position().0 >= self.sync.role_target
    }

    pub(crate) fn inbox_target(&mut self, position: u64) {
        self.sync.inbox_target = self.sync.inbox_target.max(position);
    }

    pub(crate) const fn inbox_head(&self) -> u64 {
        self.sync.inbox_target
    }

    /// Everything the server has is asked for again, whatever it named before.
    pub(crate) fn ask_for_everything(&mut self) -> Outcome {
        let after = profile::inbox(&self.connection)?;
        self.request_once(client_frame::Request::ListConversations(proto::ListConversations {}), Pending::Heads);
        self.request_once(client_frame::Request::FetchInbox(proto::FetchInbox { after }), Pending::Inbox);
        Ok(())
    }
}

/// How many entries of one conversation wait in memory at most; what is beyond is fetched again.
pub const BUFFERED: usize = limits::PAGE_ENTRIES;
/// How many bytes of entries of all conversations wait at most, but for the one that is fetched.
pub const BUFFERED_BYTES: usize = 8 * 1024 * 1024;
/// How many conversations the server may name.
const HEADS: usize = 16 * 1024;
/// How many inbox items wait in memory at most.
pub const INBOX_ITEMS: usize = 1024;
