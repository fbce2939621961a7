//! The one orderer: decides whether a commit becomes the next step of its group.
//!
//! Everything that can say no comes before anything changes; then all changes, in the transaction of the batch.
//!
//!  1. The same idempotency key again: the same answer again.
//!  2. The commit is for the current epoch (compare-and-swap); the loser is told epoch and head.
//!  3. The follower accepts it as the next step of the public group ([`Follower::inspect`]).
//!  4. The context beside it names a place in the role log, at least the one last used here, and its hash.
//!  5. The committer is this session's device: a member, or it enters from outside with its own certificate.
//!  6. Who comes is an active device with the certificate that the directory has.
//!  7. The committer's role allows the change, at the place that it names *and* now: members check the first, and a
//!     commit that they refuse would block the group.
//!  8. It carries out every removal that the server proposed, unless it is an external join, which cannot.
//!  9. The welcome is for exactly the devices that come, and the new GroupInfo is of the new epoch.
//! 10. Log entry, leaves, participants, welcome and inbox items are written; what an external join passed over is proposed
//!     again.
//!
//! An account is in a group as long as it has a leaf there; in a private chat it is by the certificate, leaf or no leaf.

use std::collections::BTreeSet;

use prost::Message;
use subrosa_crypto::ClaimedDevice;
use subrosa_mls::follower::{Inspected, InspectedCommit};
use subrosa_mls::{CommitSummary, Kind, Member, peek};
use subrosa_types::{Ability, ConversationId, DeviceId, Epoch, IdempotencyKey, RolePosition, Sequence, limits};
use subrosa_wire::Refusal;
use subrosa_wire::error::ErrorCode;
use subrosa_wire::proto::{Commit, CommitContext, Committed};

use super::conversation::Conversation;
use super::effects::{Appended, Effect};
use super::failure::Failure;
use super::session::Login;
use super::turn::Turn;
use crate::store::conversations::LeafRecord;
use crate::store::devices::DeviceRecord;
use crate::store::inbox::Kind as Notice;
use crate::store::{self, AccountNo, ConversationNo, Stored};

/// A conversation's names: number here, id everywhere.
type Names = (ConversationNo, ConversationId);

/// What a commit does, in the terms of the directory.
struct Plan {
    /// Devices that come and their leaves; for an external join the committer's own.
    added: Vec<(DeviceRecord, u32)>,
    /// Leaves that go, and whether the server wants that.
    removed: Vec<(LeafRecord, bool)>,
    role_position: RolePosition,
    external: bool,
}

impl Turn<'_> {
    /// Orders a commit, or says why not. Participation of the account was checked by the caller.
    pub(crate) fn order_commit(
        &mut self,
        login: &Login,
        id: ConversationId,
        commit: &Commit,
    ) -> Result<Committed, Failure> {
        let key = IdempotencyKey::from_slice(&commit.idempotency_key)?;
        check_sizes(commit)?;
        let outside = peek(&commit.commit)?;
        if outside.kind != Kind::Commit || outside.conversation != id {
            return Err(ErrorCode::Malformed.into());
        }
        if let Some(committed) = self.already_committed(id, key, outside.epoch)? {
            return Ok(committed);
        }

        let store = self.store;
        let Some(conversation) = self.state.conversations.change(store, id)? else {
            return Err(ErrorCode::NoSuchConversation.into());
        };
        if outside.epoch != conversation.record.epoch {
            return Err(Refusal::stale(conversation.record.epoch.0, conversation.head.0).into());
        }
        let names = (conversation.record.no, id);
        let Inspected::Commit(inspected) = conversation.follower(store)?.inspect(&commit.commit)? else {
            return Err(ErrorCode::BadCommit.into());
        };
        let last_role_position = conversation.record.role_position;
        let leaves = conversation.leaves.clone();

        let summary = inspected.summary();
        let role_position = self.check_context(&summary.aad, key, last_role_position)?;
        let plan = self.plan(login, summary, &leaves, role_position)?;
        self.check_permission(login, names, &plan)?;
        if !summary.covers_pending && !plan.external {
            return Err(ErrorCode::PendingProposals.into());
        }
        check_welcome(commit, &plan)?;
        self.check_room(names, &plan)?;

        let epoch = summary.epoch;
        self.carry_out(login, names, commit, key, *inspected, &plan)?;
        let head = self.head(id)?;
        self.propose_removals(id)?;
        Ok(Committed { sequence: head.0, epoch: epoch.0, at: self.now.0 })
    }

    fn already_committed(
        &mut self,
        id: ConversationId,
        key: IdempotencyKey,
        epoch: Epoch,
    ) -> Result<Option<Committed>, Failure> {
        let store = self.store;
        let Some(conversation) = self.state.conversations.find(store, id)? else {
            return Err(ErrorCode::NoSuchConversation.into());
        };
        let Some(sequence) = conversation.keys(store)?.find(key) else { return Ok(None) };
        let at = store::log::receipt(store, conversation.record.no, sequence)?.map_or(0, |(at, _)| at.0);
        Ok(Some(Committed { sequence: sequence.0, epoch: epoch.next().0, at }))
    }

    /// Step 4.
    fn check_context(&self, aad: &[u8], key: IdempotencyKey, last_used: RolePosition) -> Result<RolePosition, Failure> {
        let context = CommitContext::decode(aad).map_err(|_| ErrorCode::BadCommit)?;
        let position = RolePosition(context.role_position);
        if context.idempotency_key != key.as_bytes()
            || self.state.roles.hash_at(position).is_none_or(|hash| hash.as_slice() != context.role_hash)
        {
            return Err(ErrorCode::BadCommit.into());
        }
        if position < last_used {
            return Err(ErrorCode::StaleOrder.into());
        }
        Ok(position)
    }

    /// Steps 5 and 6: who acts, who comes, who goes.
    fn plan(
        &self,
        login: &Login,
        summary: &CommitSummary,
        leaves: &[LeafRecord],
        role_position: RolePosition,
    ) -> Result<Plan, Failure> {
        // Keys and certificates of devices never change; a new device is a new leaf.
        if !summary.updated.is_empty() {
            return Err(ErrorCode::BadCommit.into());
        }
        let committer = self.certified(&summary.committer)?;
        if committer.no != login.device {
            return Err(ErrorCode::BadCommit.into());
        }
        let mut plan = Plan { added: Vec::new(), removed: Vec::new(), role_position, external: summary.external_join };
        if summary.external_join {
            plan.added.push((committer, summary.committer.leaf.0));
        } else if !leaves.iter().any(|leaf| leaf.device == login.device && !leaf.ending) {
            return Err(ErrorCode::NotAMember.into());
        }
        for member in &summary.added {
            plan.added.push((self.certified(member)?, member.leaf.0));
        }
        for removal in &summary.removed {
            let leaf = leaves.iter().find(|leaf| leaf.leaf == removal.member.leaf.0);
            let leaf = *leaf.ok_or(ErrorCode::BadCommit)?;
            plan.removed.push((leaf, removal.by_server));
        }
        Ok(plan)
    }

    /// The device that a leaf belongs to, if it may log in and the directory has this very certificate.
    fn certified(&self, member: &Member) -> Result<DeviceRecord, Failure> {
        let claimed = ClaimedDevice::parse(&member.credential).map_err(|_| ErrorCode::BadCommit)?;
        let device = store::devices::by_id(self.store, claimed.device_id())?.ok_or(ErrorCode::NoSuchDevice)?;
        if device.credential != member.credential || device.key.as_slice() != member.signature_key {
            return Err(ErrorCode::BadCommit.into());
        }
        if device.revoked {
            return Err(ErrorCode::NoSuchDevice.into());
        }
        Ok(device)
    }

    /// Step 7.
    fn check_permission(&self, login: &Login, names: Names, plan: &Plan) -> Result<(), Failure> {
        let record = store::conversations::by_number(self.store, names.0)?;
        let participates = |account| store::conversations::is_participant(self.store, names.0, account);
        if let Some(pair) = record.pair {
            let of_pair = |account: AccountNo| account == pair.0 || account == pair.1;
            let added = plan.added.iter().all(|(device, _)| of_pair(device.account));
            let removed = plan.removed.iter().all(|(leaf, by_server)| *by_server || leaf.account == login.account);
            return if added && removed { Ok(()) } else { Err(ErrorCode::NotAllowed.into()) };
        }
        if plan.external && !participates(login.account)? {
            return Err(ErrorCode::NotAMember.into());
        }
        let own_devices_only = plan.added.iter().all(|(device, _)| device.account == login.account)
            && plan.removed.iter().all(|(leaf, by_server)| *by_server || leaf.account == login.account);
        if own_devices_only || self.state.config.faults.skip_role_check() {
            return Ok(());
        }
        let then = self.state.roles.role_at(login.account_id, plan.role_position);
        if then.is_some_and(|role| role.may(Ability::ChangeMembers)) {
            self.require(login.account_id, Ability::ChangeMembers)
        } else {
            Err(ErrorCode::NotAllowed.into())
        }
    }

    /// Whether the group has room for the accounts that come.
    fn check_room(&self, names: Names, plan: &Plan) -> Result<(), Failure> {
        let mut coming = BTreeSet::new();
        for (device, _) in &plan.added {
            if !store::conversations::is_participant(self.store, names.0, device.account)? {
                coming.insert(device.account);
            }
        }
        let full = store::conversations::participants(self.store, names.0)? + coming.len() > limits::GROUP_MEMBERS;
        if full && !coming.is_empty() { Err(ErrorCode::GroupFull.into()) } else { Ok(()) }
    }

    /// Steps 9 and 10.
    fn carry_out(
        &mut self,
        login: &Login,
        names: Names,
        commit: &Commit,
        key: IdempotencyKey,
        inspected: InspectedCommit,
        plan: &Plan,
    ) -> Result<(), Failure> {
        let (store, now) = (self.store, self.now);
        let epoch = inspected.summary().epoch;
        let Some(conversation) = self.state.conversations.change(store, names.1)? else {
            return Err(ErrorCode::NoSuchConversation.into());
        };
        let follower = conversation.follower(store)?;
        follower.merge(inspected)?;
        follower.verify_group_info(&commit.group_info)?;
        let public_state = follower.save();
        let tree = if commit.welcome.is_empty() { Vec::new() } else { follower.ratchet_tree()? };

        let sequence = conversation.head.next();
        store::log::append(store, names.0, sequence, now, key, &commit.commit)?;
        store::conversations::put_group(store, names.0, &public_state, &commit.group_info)?;
        store::conversations::set_epoch(store, names.0, epoch, sequence, plan.role_position)?;
        if !commit.welcome.is_empty() {
            store::inbox::put_welcome(store, names.0, sequence, epoch, &commit.welcome, &tree)?;
        }
        for (leaf, _) in &plan.removed {
            store::conversations::remove_leaf(store, names.0, leaf.device)?;
        }
        for (device, leaf) in &plan.added {
            store::conversations::put_leaf(store, names.0, device.no, *leaf, sequence)?;
        }
        conversation.keys(store)?.insert(key, sequence);
        let appended = step(conversation, store, login, names, commit, key, sequence, now)?;
        conversation.record.epoch = epoch;
        conversation.record.epoch_sequence = sequence;
        conversation.record.role_position = plan.role_position;
        let leaves = conversation.leaves.clone();
        self.effects.all.push(Effect::Appended(appended));

        self.settle_participants(names, plan, &leaves)?;
        self.notify(login, names, sequence, plan, &leaves)
    }

    /// Accounts come with their first device. An account goes with its last leaf, but for a private chat.
    fn settle_participants(&mut self, names: Names, plan: &Plan, leaves: &[LeafRecord]) -> Stored<()> {
        if store::conversations::by_number(self.store, names.0)?.pair.is_some() {
            return Ok(());
        }
        for (leaf, _) in &plan.removed {
            if !leaves.iter().any(|left| left.account == leaf.account) {
                store::conversations::remove_participant(self.store, names.0, leaf.account)?;
            }
        }
        for (device, _) in &plan.added {
            store::conversations::add_participant(self.store, names.0, device.account)?;
        }
        Ok(())
    }

    /// Tells each device that comes, each that goes, and the other devices of accounts that come: with the first commit
    /// these are its author's and both sides' of a private chat, too, whatever devices it adds.
    fn notify(
        &mut self,
        login: &Login,
        names: Names,
        sequence: Sequence,
        plan: &Plan,
        leaves: &[LeafRecord],
    ) -> Result<(), Failure> {
        for (leaf, _) in &plan.removed {
            // A device that was ended before knows it, or is revoked.
            if !leaf.ending && !leaves.iter().any(|left| left.device == leaf.device) {
                self.put_into_inbox(leaf.device, Notice::Removed, names, sequence)?;
            }
        }
        if plan.external {
            return Ok(());
        }
        let mut accounts = BTreeSet::new();
        for (device, _) in &plan.added {
            self.put_into_inbox(device.no, Notice::Welcome, names, sequence)?;
            accounts.insert(device.account);
        }
        if sequence == Sequence(1) {
            accounts.insert(login.account);
            let pair = store::conversations::by_number(self.store, names.0)?.pair;
            accounts.extend(pair.into_iter().flat_map(|(low, high)| [low, high]));
        }
        for account in accounts {
            for device in store::devices::active(self.store, account)? {
                if !leaves.iter().any(|leaf| leaf.device == device.no) {
                    self.put_into_inbox(device.no, Notice::Joinable, names, sequence)?;
                }
            }
        }
        Ok(())
    }

    fn head(&mut self, id: ConversationId) -> Result<Sequence, Failure> {
        let found = self.state.conversations.find(self.store, id)?;
        found.map(|conversation| conversation.head).ok_or(ErrorCode::NoSuchConversation.into())
    }
}

/// Moves the conversation in memory one entry on, with the leaves that the store has now. The commit goes to those who
/// were served before and still are: who comes has the welcome, who goes a notice, and the committer its answer.
#[expect(clippy::too_many_arguments, reason = "one call, and each is a different thing")]
fn step(
    conversation: &mut Conversation,
    store: &rusqlite::Connection,
    login: &Login,
    names: Names,
    commit: &Commit,
    key: IdempotencyKey,
    sequence: Sequence,
    now: subrosa_types::Timestamp,
) -> Stored<Appended> {
    let before = conversation.members.clone();
    conversation.set_leaves(store::conversations::leaves(store, names.0)?);
    conversation.head = sequence;
    let recipients = before
        .iter()
        .copied()
        .filter(|device| *device != login.device && conversation.serves(*device))
        .filter(|device| {
            // A device that was removed and added in one commit gets a welcome like a new one.
            let found = conversation.leaves.binary_search_by_key(device, |leaf| leaf.device);
            found.is_ok_and(|index| conversation.leaves[index].after < sequence)
        })
        .collect();
    Ok(Appended {
        conversation: names.1,
        sequence,
        at: now,
        key,
        message: commit.commit.clone(),
        sender: None,
        recipients,
    })
}

fn check_sizes(commit: &Commit) -> Result<(), Failure> {
    let whole = commit.commit.len() + commit.welcome.len() + commit.group_info.len();
    let devices = limits::GROUP_MEMBERS * limits::DEVICES_PER_ACCOUNT;
    if whole > limits::COMMIT_UPLOAD || commit.welcome_devices.len() > devices {
        return Err(ErrorCode::TooLarge.into());
    }
    Ok(())
}

/// The welcome is for exactly the devices that the commit adds.
fn check_welcome(commit: &Commit, plan: &Plan) -> Result<(), Failure> {
    let mut named = BTreeSet::new();
    for device in &commit.welcome_devices {
        named.insert(DeviceId::from_slice(device)?);
    }
    let coming: BTreeSet<DeviceId> =
        if plan.external { BTreeSet::new() } else { plan.added.iter().map(|(device, _)| device.id).collect() };
    if named == coming && commit.welcome.is_empty() == coming.is_empty() {
        Ok(())
    } else {
        Err(ErrorCode::BadCommit.into())
    }
}
