//! The server's view of a group: its public state, followed from commit to commit, and no secret.
//!
//! ```text
//!   found(group info, tree of epoch 0)          load(blob)
//!              └──────────────┬─────────────────────┘
//!                       inspect(bytes)            propose_remove(leaf) ─▶ pending until the next commit
//!                  ┌──────────┴──────────┐
//!          InspectedCommit       InspectedProposal
//!            merge │ drop          store │ drop
//!                  ▼
//!       verify_group_info(bytes), save() ─▶ blob, in the transaction that orders the commit
//! ```
//!
//! The server checks an [`InspectedCommit`] against its role log, orders it by compare-and-swap on the epoch, merges, and
//! saves. What it cannot check is what needs the group's secrets: the membership and confirmation tags (RFC 9420 §6.2,
//! §8.1). A malicious *member* can therefore make a commit that the server orders and every member refuses; that blocks
//! the group until it is resolved by people, and reveals nothing.
//!
//! A thousand members make a blob of 2.6 MB, written in about 3 ms: keep busy groups in memory.

mod group_info;
mod inspect;
mod memory;
mod propose;

use openmls::group::{GroupId, ProposalStore, PublicGroup};
use openmls::prelude::{CreationFromExternalError, Proposal};
use subrosa_types::{ConversationId, Epoch};

use crate::crypto::Crypto;
use crate::key_package::{self, KeyPackageError, KeyPackageInfo};
use crate::member::{LeafIndex, Member};
use crate::peek::PeekError;
use crate::policy::{self, Violation};
use crate::wire::{self, Malformed, Unencodable};
use memory::Memory;

pub use inspect::{Inspected, InspectedCommit, InspectedProposal};
pub use memory::{FOLLOWER_VERSION, MemoryError};

/// Why a follower refused. Nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// No message of ours, or too large. The client is to blame.
    #[error(transparent)]
    Peek(#[from] PeekError),
    /// Not the structure that is expected here. The client is to blame.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// An application message; there is nothing to follow in it.
    #[error("an application message is not followed")]
    NotAHandshake,
    /// It is for another conversation. The client is to blame.
    #[error("the message is for conversation {0}")]
    WrongGroup(ConversationId),
    /// It is of another epoch: the client lost a race or is behind.
    #[error("the message is of epoch {got}, the group is in epoch {have}")]
    WrongEpoch {
        /// The message's.
        got: Epoch,
        /// The group's.
        have: Epoch,
    },
    /// It breaks a rule of ours. The client is to blame.
    #[error(transparent)]
    Violation(#[from] Violation),
    /// A commit refers to a proposal that was never stored. The client is to blame.
    #[error("the commit refers to an unknown proposal")]
    MissingProposal,
    /// It breaks RFC 9420. The client is to blame.
    #[error("not valid: {0}")]
    Invalid(String),
    /// What was inspected belongs to another state of the group. The caller is to blame: inspect again.
    #[error("what was inspected is no longer the next step of the group")]
    Stale,
    /// There is no member at this leaf.
    #[error("there is no member at leaf {0}")]
    UnknownLeaf(LeafIndex),
    /// The key is not that of the group's external sender. The caller is to blame.
    #[error("this key may make no proposals in this group")]
    NotTheServer,
    /// The stored state cannot be read or written.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// A fault in OpenMLS or here. We are to blame.
    #[error("internal error: {0}")]
    Internal(String),
}

impl From<Unencodable> for FollowError {
    fn from(_: Unencodable) -> Self {
        Self::Internal("a structure could not be encoded".into())
    }
}

/// Checks a key package that a device offers: valid under RFC 9420 §10.1, of our suite, with our capabilities and
/// lifetime. Whether the credential belongs to the device is the caller's to check.
///
/// # Errors
/// [`KeyPackageError`].
pub fn check_key_package(bytes: &[u8]) -> Result<KeyPackageInfo, KeyPackageError> {
    key_package::check_offered(bytes)
}

/// The public state of one group.
pub struct Follower {
    group: PublicGroup,
    conversation: ConversationId,
    memory: Memory,
    crypto: Crypto,
    /// Leaves whose removal was proposed in this epoch.
    pending: Vec<LeafIndex>,
}

impl Follower {
    /// Starts to follow a new group: epoch 0, one member, by whom the GroupInfo is signed.
    ///
    /// The caller checks [`Self::certificate`], [`Self::server_key`] and the one of [`Self::members`].
    ///
    /// # Errors
    /// [`FollowError::Malformed`], [`FollowError::Violation`], [`FollowError::Invalid`].
    pub fn found(group_info: &[u8], ratchet_tree: &[u8]) -> Result<Self, FollowError> {
        let info = wire::group_info(group_info)?;
        let tree = wire::ratchet_tree(ratchet_tree)?;
        let conversation = policy::check_context(info.group_context())?;
        if info.epoch().as_u64() != 0 {
            return Err(FollowError::WrongEpoch { got: Epoch(info.epoch().as_u64()), have: Epoch(0) });
        }
        let crypto = Crypto::verifier();
        let memory = Memory::default();
        let founded = wire::guard(|| PublicGroup::from_external(&crypto, &memory, tree, info, ProposalStore::new()));
        let (group, _) = founded.ok_or(Malformed::Syntax)?.map_err(|error| match error {
            CreationFromExternalError::WriteToStorageError(error) => FollowError::Memory(error),
            error => FollowError::Invalid(error.to_string()),
        })?;
        let mut members = group.members();
        if members.next().is_none_or(|member| member.index.u32() != 0) || members.next().is_some() {
            return Err(FollowError::Invalid("a new group has one member, at leaf 0".into()));
        }
        drop(members);
        for (_, leaf) in group.treesync().full_leaves() {
            policy::check_founder(leaf)?;
        }
        let follower = Self { group, conversation, memory, crypto, pending: Vec::new() };
        follower.verify_group_info(group_info)?;
        Ok(follower)
    }

    /// Goes on from what [`Self::save`] returned.
    ///
    /// # Errors
    /// [`FollowError::Memory`] if the blob is damaged or of an unknown version.
    pub fn load(blob: &[u8]) -> Result<Self, FollowError> {
        let memory = Memory::load(blob)?;
        let group =
            PublicGroup::load(&memory, &GroupId::from_slice(&[]))?.ok_or(FollowError::Memory(MemoryError::Damaged))?;
        let conversation = policy::check_context(group.group_context())?;
        let pending = group.queued_proposals(&memory)?;
        let pending = pending.iter().filter_map(|(_, queued)| match queued.proposal() {
            Proposal::Remove(remove) => Some(remove.removed().into()),
            _ => None,
        });
        let pending = pending.collect();
        Ok(Self { group, conversation, memory, crypto: Crypto::verifier(), pending })
    }

    /// The whole state as one blob: a version byte and what [`Self::load`] needs. A copy of what is encoded already.
    pub fn save(&self) -> Vec<u8> {
        self.memory.save()
    }

    /// The conversation.
    pub fn conversation(&self) -> ConversationId {
        self.conversation
    }

    /// The current epoch.
    pub fn epoch(&self) -> Epoch {
        Epoch(self.group.group_context().epoch().as_u64())
    }

    /// All members, by leaf.
    pub fn members(&self) -> Vec<Member> {
        self.group.members().map(Member::from).collect()
    }

    /// The member at a leaf.
    pub fn member(&self, leaf: LeafIndex) -> Option<Member> {
        self.group.members().find(|member| member.index.u32() == leaf.0).map(Member::from)
    }

    /// The group certificate.
    pub fn certificate(&self) -> Option<Vec<u8>> {
        policy::certificate(self.group.group_context()).map(<[u8]>::to_vec)
    }

    /// The key of the one external sender.
    pub fn server_key(&self) -> Option<[u8; 32]> {
        policy::server_key(self.group.group_context())
    }

    /// The leaves whose removal was proposed and not yet committed.
    pub fn pending(&self) -> &[LeafIndex] {
        &self.pending
    }

    /// The ratchet tree of the current epoch, for joiners.
    ///
    /// # Errors
    /// [`FollowError::Internal`].
    pub fn ratchet_tree(&self) -> Result<Vec<u8>, FollowError> {
        Ok(wire::ratchet_tree_bytes(&self.group.export_ratchet_tree())?)
    }
}
