//! The device's inbox: invitations, removals, and conversations to enter. Items are taken in one by one, in order.

use subrosa_crypto::{GroupCertificate, group_certificate};
use subrosa_mls::{Joining, Member};
use subrosa_types::{Ability, AccountId, ConversationId, RolePosition, Sequence};
use subrosa_wire::proto::{self, client_frame, inbox_item};

use crate::api::{ChatKind, Event};
use crate::engine::Engine;
use crate::fault::{Fault, Outcome, not_joined};
use crate::requests::Pending;
use crate::store::conversations::{self, Conversation, ConversationState};
use crate::store::{contacts, outbox, profile};
use crate::sync::INBOX_ITEMS;

/// What a certificate and the members of a group say about a conversation, checked.
pub(super) struct Checked {
    pub(super) kind: ChatKind,
    pub(super) peer: Option<AccountId>,
    pub(super) role_position: RolePosition,
}

impl Engine {
    pub(crate) fn buffer_inbox(&mut self, items: Vec<proto::InboxItem>) -> Outcome {
        let taken = profile::inbox(&self.connection)?;
        for item in items {
            self.inbox_target(item.position);
            let behind = self.sync.inbox.back().map_or(taken, |last| last.position);
            if item.position > behind && self.sync.inbox.len() < INBOX_ITEMS {
                self.sync.inbox.push_back(item);
            }
        }
        Ok(())
    }

    /// Items were pushed: only that there are some is believed, they are fetched in order.
    pub(crate) fn inbox_grew(&mut self, items: &[proto::InboxItem]) {
        for item in items {
            self.inbox_target(item.position);
        }
    }

    pub(crate) fn drive_inbox(&mut self) -> Outcome {
        while let Some(item) = self.sync.inbox.front().cloned() {
            let done = match item.item {
                Some(inbox_item::Item::Welcome(notice)) => self.take_welcome(&notice)?,
                Some(inbox_item::Item::Removed(notice)) => {
                    let id = conversation_id(&notice.conversation_id)?;
                    let later =
                        conversations::load(&self.connection, id)?.is_some_and(|c| c.cursor.0 > notice.sequence);
                    if !later {
                        self.gone(id, "you are no longer a member of this chat")?;
                    }
                    true
                }
                Some(inbox_item::Item::Joinable(notice)) => {
                    self.sync.joinable.insert(conversation_id(&notice.conversation_id)?);
                    true
                }
                None => true,
            };
            if !done {
                return Ok(());
            }
            self.inbox_item_done()?;
        }
        let after = profile::inbox(&self.connection)?;
        if after < self.inbox_head() {
            if !self.requests.has(&Pending::Inbox) {
                self.sync.inbox_asked = self.inbox_head();
            }
            self.request_once(client_frame::Request::FetchInbox(proto::FetchInbox { after }), Pending::Inbox);
        }
        Ok(())
    }

    fn inbox_item_done(&mut self) -> Outcome {
        self.sync.welcome = None;
        let Some(item) = self.sync.inbox.pop_front() else { return Ok(()) };
        profile::set_inbox(&self.connection, item.position)?;
        let through = item.position;
        self.request(
            client_frame::Request::AcknowledgeInbox(proto::AcknowledgeInbox { through }),
            Pending::Acknowledged,
        );
        Ok(())
    }

    pub(crate) fn skip_inbox_item(&mut self, why: &str) -> Outcome {
        self.warn("invitation_refused", format!("an invitation was refused: {why}"));
        self.inbox_item_done()
    }

    /// A Welcome waits: fetch it, check everything it says, join. Returns whether the item is done with.
    fn take_welcome(&mut self, notice: &proto::WelcomeNotice) -> Outcome<bool> {
        let id = conversation_id(&notice.conversation_id)?;
        let before = conversations::load(&self.connection, id)?;
        if before.as_ref().is_some_and(|c| c.state != ConversationState::Gone) {
            return Ok(true);
        }
        let Some(answer) = self.sync.welcome.clone() else {
            let fetch = proto::FetchWelcome { conversation_id: id.to_vec(), sequence: notice.sequence };
            self.request_once(client_frame::Request::FetchWelcome(fetch), Pending::Welcome(id));
            return Ok(false);
        };
        let Some(identity) = &self.identity else { return Ok(true) };
        let mls = subrosa_mls::Mls::new(&self.connection, &mut *self.rng, identity)?;
        let joining = match Joining::from_welcome(&mls, &answer.welcome, &answer.ratchet_tree) {
            Ok(joining) => joining,
            Err(error) => {
                let why = not_joined(error)?;
                return self.refuse_welcome(&format!("it cannot be opened ({why})"));
            }
        };
        drop(mls);
        if joining.conversation() != id {
            return self.refuse_welcome("it belongs to another conversation");
        }
        let (certificate, server_key, members) = (joining.certificate(), joining.server_key(), joining.members());
        let own_leaf = joining.own_leaf();
        if !members.iter().any(|member| member.leaf == own_leaf && member.credential == identity.credential) {
            return self.refuse_welcome("it is for another device");
        }
        let Ok(sender) = joining.sender() else { return self.refuse_welcome("nobody sent it") };
        let checked = match self.check_group(id, certificate.as_deref(), server_key, &members)? {
            Ok(Some(checked)) => checked,
            Ok(None) => return Ok(false),
            Err(why) => return self.refuse_welcome(&why),
        };
        let Ok(inviter) = self.device_once(&sender).map(|device| device.account) else {
            return self.refuse_welcome("who sent it is not certified");
        };
        if checked.kind == ChatKind::Group && !self.ever_might(inviter, checked.role_position) {
            return self.refuse_welcome("who sent it may not add members");
        }
        let Some(identity) = &self.identity else { return Ok(true) };
        let mls = subrosa_mls::Mls::new(&self.connection, &mut *self.rng, identity)?;
        let group = match joining.accept(&mls) {
            Ok(group) => group,
            Err(error) => {
                let why = not_joined(error)?;
                return self.refuse_welcome(&format!("it cannot be joined ({why})"));
            }
        };
        drop(mls);
        self.groups.insert(id, group);
        let own = self.profile.as_ref().map(|profile| profile.account);
        let waiting = match checked.peer {
            Some(peer) => contacts::by_account(&self.connection, peer)?.map(|contact| contact.username),
            None => None,
        };
        let wanted = match &waiting {
            Some(name) => !outbox::waiting_for(&self.connection, name)?.is_empty(),
            None => false,
        };
        let returning = before.as_ref().is_some_and(|_| checked.kind == ChatKind::Private);
        let state = match checked.kind {
            _ if own == Some(inviter) || wanted || returning => ConversationState::Active,
            ChatKind::Private => ConversationState::Request,
            ChatKind::Group | ChatKind::Room => ConversationState::Invited,
        };
        let old = before.unwrap_or_else(|| Conversation::new(id, checked.kind, state));
        let row = Conversation {
            kind: checked.kind,
            state,
            cursor: Sequence(notice.sequence),
            peer: checked.peer,
            inviter: Some(inviter),
            role_position: checked.role_position.0,
            blocked: None,
            ..old
        };
        conversations::save(&self.connection, &row)?;
        self.raise_head(id, notice.sequence);
        if let (Some(name), true) = (&waiting, wanted) {
            self.assign_waiting(name, id)?;
        }
        if state != ConversationState::Active {
            self.outgoing.came.invites += 1;
            self.sync.new_invites.push(id);
        }
        self.outgoing.settled(id);
        Ok(true)
    }

    fn refuse_welcome(&mut self, why: &str) -> Outcome<bool> {
        self.warn("invitation_refused", format!("an invitation was refused: {why}"));
        Ok(true)
    }

    /// The checks of row A6 and A7: certificate, server key, and a certified device behind each leaf.
    /// `Ok(None)`: names have to be looked up first.
    pub(super) fn check_group(
        &mut self,
        id: ConversationId,
        certificate: Option<&[u8]>,
        server_key: Option<[u8; 32]>,
        members: &[Member],
    ) -> Outcome<Result<Option<Checked>, String>> {
        let Some(profile) = &self.profile else { return Err(Fault::Protocol("a group before the login")) };
        let own = profile.account;
        if server_key != Some(*profile.server_key.as_bytes()) {
            return Ok(Err("another server may remove its members".into()));
        }
        let Ok(certificate) = GroupCertificate::verify_bytes(certificate.unwrap_or_default(), &profile.server_key)
        else {
            return Ok(Err("its certificate is not signed by this server".into()));
        };
        if certificate.conversation != id {
            return Ok(Err("its certificate is for another conversation".into()));
        }
        let (kind, pair) = match certificate.kind {
            group_certificate::ConversationKind::Private { pair } => (ChatKind::Private, Some(pair)),
            group_certificate::ConversationKind::Group => (ChatKind::Group, None),
        };
        if self.roles.hash_at(certificate.role_position).is_none() && certificate.role_position.0 > 0 {
            self.raise_role_target(certificate.role_position.0);
            return Ok(Ok(None));
        }
        let ability = if pair.is_some() { Ability::PrivateMessage } else { Ability::CreateGroup };
        if !self.roles.role_at(certificate.creator, certificate.role_position).is_some_and(|role| role.may(ability)) {
            return Ok(Err("its creator's role does not allow it".into()));
        }
        let mut wait = false;
        for member in members {
            let Ok(device) = self.device_once(member) else {
                return Ok(Err("one of its members is a device that no account certified".into()));
            };
            if pair.is_some_and(|pair| !pair.contains(&device.account)) {
                return Ok(Err("somebody else is in this private chat".into()));
            }
            wait |= self.want(device.account)?;
        }
        let peer = match pair {
            Some([a, b]) if a == own => Some(b),
            Some([a, b]) if b == own => Some(a),
            Some(_) => return Ok(Err("it is a private chat of other people".into())),
            None => None,
        };
        if let Some(peer) = peer {
            wait |= self.want(peer)?;
        }
        let checked = Checked { kind, peer, role_position: certificate.role_position };
        Ok(Ok((!wait).then_some(checked)))
    }

    /// Whether an account might add members at some time since the group exists.
    fn ever_might(&self, account: AccountId, since: RolePosition) -> bool {
        (since.0.max(1)..=self.roles.position().0).any(|position| {
            self.roles.role_at(account, RolePosition(position)).is_some_and(|role| role.may(Ability::ChangeMembers))
        })
    }

    /// Tells of invitations. The title of a group is its first message: until it is here there is nothing to tell.
    pub(crate) fn announce_invites(&mut self) -> Outcome {
        for id in std::mem::take(&mut self.sync.new_invites) {
            let Some(row) = conversations::load(&self.connection, id)? else { continue };
            if row.kind == ChatKind::Group && row.title.is_none() {
                self.sync.new_invites.push(id);
            } else if let Some(invite) = self.invite_row(&row)? {
                self.emit(Event::Invite(invite));
            }
        }
        Ok(())
    }
}

pub(super) fn conversation_id(bytes: &[u8]) -> Outcome<ConversationId> {
    ConversationId::from_slice(bytes).map_err(|_| Fault::Protocol("a conversation id"))
}
