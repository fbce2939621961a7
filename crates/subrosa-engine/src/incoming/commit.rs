//! Commits and the server's proposals: the same permission checks that the server made, made again by every member.
//!
//! A commit is merged only if
//! 1. its context names a place in the role log that this client follows, with the hash that this client has there, and not an
//!    earlier place than the commit before it (an old role cannot be used again);
//! 2. its committer's leaf is a certified device, and everybody it adds is, too, by the keys at that place;
//! 3. the committer's role at that place allows the change. Without a role allowed: covering the server's Remove proposals,
//!    leaves of the committer's own account, and entering by itself as a further device of a member;
//! 4. a private chat keeps to its two people.
//!
//! A commit that fails is never merged: the conversation stops there and says so, for the server ordered what it must not.
//! This device's own commits are no exception, so that all members stop at the same place.

use prost::Message;
use subrosa_crypto::device::Device;
use subrosa_mls::{CommitSummary, LeafIndex, Member, MessageSender, ReceivedProposal, Staged};
use subrosa_types::{Ability, AccountId, RolePosition, Timestamp};
use subrosa_wire::proto::CommitContext;

use super::Taken;
use crate::api::{ChatKind, Event};
use crate::engine::Engine;
use crate::fault::Outcome;
use crate::outgoing::own_authenticated_data;
use crate::people::LeafRefusal;
use crate::store::commits::{self, PendingCommit};
use crate::store::conversations::Conversation;

/// A commit that this client accepts, in terms of people.
struct Accepted {
    role_position: RolePosition,
    added: Vec<Device>,
    removed: Vec<AccountId>,
}

impl Engine {
    /// Before a commit is processed: is the role log here that it refers to? `Some(None)`: wait for it.
    pub(super) fn waits_for_roles(&mut self, authenticated_data: &[u8]) -> Option<Option<String>> {
        let Ok(context) = CommitContext::decode(authenticated_data) else {
            return Some(Some("the server ordered a commit without a readable context".into()));
        };
        let position = RolePosition(context.role_position);
        match self.roles.hash_at(position) {
            Some(hash) if hash.as_slice() == context.role_hash => None,
            Some(_) => Some(Some("a commit refers to another role log than the one this device follows".into())),
            None if position.0 == 0 => Some(Some("a commit refers to no place in the role log".into())),
            None => {
                self.raise_role_target(position.0);
                Some(None)
            }
        }
    }

    pub(super) fn take_in_commit(&mut self, row: &mut Conversation, staged: Staged) -> Outcome<Taken> {
        let summary = staged.summary().clone();
        let members = self.group(row.id)?.map(subrosa_mls::Group::members).unwrap_or_default();
        let accepted = match self.check_commit(row, &summary, &members)? {
            Ok(accepted) => accepted,
            Err(why) => return Ok(Taken::Stop("bad_commit", format!("the server ordered a commit that {why}"))),
        };
        // Ours, if one waits, lost the race; its intent stays and is tried again.
        if let Some(lost) = commits::load(&self.connection, row.id)? {
            commits::remove(&self.connection, row.id)?;
            self.outgoing.commit_lost(row.id, lost.key);
        }
        if staged.removes_us() {
            self.gone(row.id, "you are no longer a member of this chat")?;
            // `gone` wrote the row; what is here is older.
            if let Some(current) = crate::store::conversations::load(&self.connection, row.id)? {
                *row = current;
            }
            return Ok(Taken::Next);
        }
        self.with_group(row.id, |mls, group| group.merge(mls, staged))?.transpose()?;
        row.role_position = accepted.role_position.0;
        self.membership_changed(row, &accepted, summary.external_join)?;
        Ok(Taken::Next)
    }

    /// Why a commit of this device that the server ordered must not be merged, if so.
    pub(super) fn refuses_own_commit(&mut self, row: &Conversation, commit: &PendingCommit) -> Outcome<Option<String>> {
        let aad = own_authenticated_data(commit).unwrap_or_default();
        let Some(group) = self.group(row.id)? else { return Ok(None) };
        let members = group.members();
        // Without a pending commit there is nothing that could be merged.
        let Some(summary) = group.pending_commit_summary(aad) else { return Ok(None) };
        match summary {
            Ok(summary) => Ok(self.check_commit(row, &summary, &members)?.err()),
            Err(violation) => Ok(Some(violation.to_string())),
        }
    }

    fn check_commit(
        &mut self,
        row: &Conversation,
        summary: &CommitSummary,
        members: &[Member],
    ) -> Outcome<Result<Accepted, String>> {
        let Ok(context) = CommitContext::decode(summary.aad.as_slice()) else {
            return Ok(Err("has no readable context".into()));
        };
        let role_position = RolePosition(context.role_position);
        if role_position.0 < row.role_position {
            return Ok(Err("claims an older role than the commit before it".into()));
        }
        let committer = match self.device_at(&summary.committer, role_position) {
            Ok(device) => device,
            Err(refusal) => return Ok(Err(refused_leaf("was made by a device that", refusal))),
        };
        let mut added = Vec::new();
        for member in &summary.added {
            match self.device_at(member, role_position) {
                Ok(device) => added.push(device),
                Err(refusal) => return Ok(Err(refused_leaf("adds a device that", refusal))),
            }
        }
        for update in &summary.updated {
            let before = self.device_at(&update.before, role_position).map(|device| device.account);
            let after = self.device_at(&update.after, role_position).map(|device| device.account);
            if after.is_err() || before.is_ok_and(|before| after.ok() != Some(before)) {
                return Ok(Err("puts another device in the place of a member's".into()));
            }
        }
        let accounts: Vec<AccountId> = members.iter().filter_map(account_of).collect();
        if summary.external_join {
            let entitled = accounts.contains(&committer.account)
                || (row.kind == ChatKind::Private && self.is_of_pair(row, committer.account));
            if !entitled {
                return Ok(Err("lets a device of somebody enter who is not a member".into()));
            }
            added.push(committer.clone());
        }
        let own_removals = |member: &Member| account_of(member) == Some(committer.account);
        let removed: Vec<&Member> = summary.removed.iter().map(|removal| &removal.member).collect();
        let needs_role = summary.added.iter().any(|m| account_of(m) != Some(committer.account))
            || summary.removed.iter().any(|removal| !removal.by_server && !own_removals(&removal.member));
        if row.kind == ChatKind::Private {
            if added.iter().any(|device| !self.is_of_pair(row, device.account)) {
                return Ok(Err("adds a third person to a private chat".into()));
            }
            if summary.removed.iter().any(|removal| !removal.by_server && !own_removals(&removal.member)) {
                return Ok(Err("removes the other person from a private chat".into()));
            }
        } else if needs_role {
            let may = self
                .roles
                .role_at(committer.account, role_position)
                .is_some_and(|role| role.may(Ability::ChangeMembers));
            #[cfg(feature = "planted-faults")]
            let may = may || self.config.faults.skip_role_check;
            if !may {
                return Ok(Err("changes members though its author's role does not allow it".into()));
            }
        }
        let removed = removed.into_iter().filter_map(account_of).collect();
        Ok(Ok(Accepted { role_position, added, removed }))
    }

    fn is_of_pair(&self, row: &Conversation, account: AccountId) -> bool {
        row.peer == Some(account) || self.profile.as_ref().is_some_and(|profile| profile.account == account)
    }

    /// Tells people who came and went, and sees to it that newcomers learn the title.
    fn membership_changed(&mut self, row: &mut Conversation, accepted: &Accepted, external_join: bool) -> Outcome {
        let chat = self.chat_name(row)?;
        let after = self.member_accounts(row.id)?;
        let mut came: Vec<&Device> = accepted.added.iter().collect();
        came.sort_by_key(|device| device.account);
        for device in came {
            self.want(device.account)?;
            let name = self.name_of(device.account)?;
            let was_member = external_join;
            if was_member {
                self.emit(Event::DeviceAdded { name, device: device.name.to_string() });
            } else {
                self.emit(Event::Joined { chat: chat.clone(), name });
            }
        }
        let mut left = accepted.removed.clone();
        left.sort_unstable();
        left.dedup();
        for account in left {
            if !after.contains(&account) {
                let event = Event::Left { chat: chat.clone(), name: self.name_of(account)? };
                self.emit(event);
            }
        }
        if !accepted.added.is_empty() && row.title.is_some() {
            row.announce_title = true;
            // Who added them says it; after an entrance by external commit, the first member in order and the joiner's
            // own other devices do: one of these is most likely there.
            let joiner: Vec<_> = accepted.added.iter().map(|device| device.id).collect();
            let own = self.profile.as_ref().map(|profile| profile.account);
            let is_ours = accepted.added.iter().any(|device| Some(device.account) == own);
            if external_join && (is_ours || self.is_first_in_order(row, &joiner)?) {
                self.say_title(row)?;
            }
        }
        self.outgoing.settled(row.id);
        Ok(())
    }

    fn is_first_in_order(&mut self, row: &Conversation, but: &[subrosa_types::DeviceId]) -> Outcome<bool> {
        let Some(group) = self.group(row.id)? else { return Ok(false) };
        let own = group.own_leaf();
        let members = group.members();
        let first = members.iter().find(|member| {
            subrosa_crypto::device::ClaimedDevice::parse(&member.credential)
                .is_ok_and(|claimed| !but.contains(&claimed.device_id()))
        });
        Ok(first.is_some_and(|first| first.leaf == own))
    }

    /// The server proposes that a leaf goes (logged out, revoked, left). Only that, and only the server.
    pub(super) fn take_in_proposal(
        &mut self,
        row: &Conversation,
        proposal: ReceivedProposal,
        now: Timestamp,
    ) -> Outcome<Taken> {
        if *proposal.sender() != MessageSender::Server {
            return self.drop_entry("a proposal that is not the server's");
        }
        self.with_group(row.id, |mls, group| group.store_proposal(mls, proposal))?.transpose()?;
        let rank = self.rank(row)?;
        self.outgoing.proposed(row.id, rank, now);
        Ok(Taken::Next)
    }

    /// How many members come before this device when the server's proposals have to be committed.
    fn rank(&mut self, row: &Conversation) -> Outcome<usize> {
        let Some(group) = self.group(row.id)? else { return Ok(0) };
        let (own, leaving) = (group.own_leaf(), group.pending_removals());
        let before = |member: &Member, leaf: LeafIndex| member.leaf < leaf && !leaving.contains(&member.leaf);
        Ok(group.members().iter().filter(|member| before(member, own)).count())
    }
}

fn account_of(member: &Member) -> Option<AccountId> {
    subrosa_crypto::device::ClaimedDevice::parse(&member.credential).ok().map(|claimed| claimed.account_id())
}

fn refused_leaf(what: &str, refusal: LeafRefusal) -> String {
    match refusal {
        LeafRefusal::UnknownAccount(_) => format!("{what} belongs to no account of the role log"),
        LeafRefusal::NotCertified => format!("{what} its account's key did not certify"),
    }
}
