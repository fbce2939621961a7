//! A group on a device: OpenMLS' state behind the few operations that the engine needs, one file an operation.
//!
//! ```text
//!               change, self_update                     merge_pending
//!   operational ───────────────────▶ commit pending ─────────────────────▶ operational, next epoch
//!        ▲                                │  │ merge (another commit won the race: ours is dropped,
//!        │         discard_pending        │  │        issue the intent again)
//!        └────────────────────────────────┘  └───────────────────────────▶ operational, next epoch
//! ```
//!
//! A pending commit survives a restart (it is stored), its bytes do not: the caller stores them in its outbox in the same
//! transaction. While proposals are pending nothing can be encrypted; [`Group::commit_pending_proposals`] comes first.

mod change;
mod create;
mod external;
#[cfg(test)]
mod forbidden;
mod join;
mod message;
mod process;

use openmls::group::{GroupId, MlsGroup};
use openmls::prelude::LibraryError;
use subrosa_types::{ConversationId, Epoch};

use crate::identity::Mls;
use crate::key_package::KeyPackageError;
use crate::member::{LeafIndex, Member};
use crate::policy::{self, Violation};
use crate::storage::{self, StorageError};
use crate::summary::{self, CommitSummary};
use crate::wire::{self, Unencodable};

pub use change::Proposed;
pub use join::{JoinError, Joining};
pub use process::{MessageSender, ProcessError, Processed, ReceivedProposal, Staged};

/// Why something that we started did not happen. Nothing was changed; roll the transaction back all the same.
#[derive(Debug, thiserror::Error)]
pub enum GroupError {
    /// A commit of ours waits for the server's verdict. The caller is to blame: merge or discard it first.
    #[error("a commit of this device is still waiting for the server's verdict")]
    PendingCommit,
    /// There is no commit of ours to merge or discard.
    #[error("no commit of this device is waiting")]
    NoPendingCommit,
    /// Proposals wait, and nothing can be sent until they are committed.
    #[error("proposals are waiting and have to be committed first")]
    PendingProposals,
    /// We were removed from the group.
    #[error("this device is no longer a member of the group")]
    Evicted,
    /// A group with this id is stored already; [`Group::delete`] it first.
    #[error("this device already holds state of this conversation")]
    Exists,
    /// There is no member at this leaf.
    #[error("there is no member at leaf {0}")]
    UnknownLeaf(LeafIndex),
    /// We cannot remove ourselves; the server proposes it and another member commits.
    #[error("a member cannot remove itself by its own commit")]
    OwnLeaf,
    /// A key package that shall be added is not acceptable. Who offered it is to blame.
    #[error("key package {position} cannot be used: {reason}")]
    KeyPackage {
        /// Which of those given, from 0.
        position: usize,
        /// Why.
        reason: KeyPackageError,
    },
    /// The group or what is to be done with it breaks a rule of ours.
    #[error(transparent)]
    Violation(#[from] Violation),
    /// The change is not possible under RFC 9420 (somebody is added twice, for instance). The caller is to blame.
    #[error("the change is not possible: {0}")]
    Refused(String),
    /// What was made is larger than the server accepts.
    #[error("the result has {size} bytes; at most {limit} are allowed")]
    TooLarge {
        /// Bytes it has.
        size: usize,
        /// Bytes it may have.
        limit: usize,
    },
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A fault in OpenMLS or here. We are to blame.
    #[error("internal error: {0}")]
    Internal(String),
}

impl From<Unencodable> for GroupError {
    fn from(_: Unencodable) -> Self {
        Self::Internal("a structure could not be encoded".into())
    }
}

impl From<LibraryError> for GroupError {
    fn from(error: LibraryError) -> Self {
        Self::Internal(error.to_string())
    }
}

/// A group that this device is (or was) a member of, as of the last load or merge.
///
/// It is a copy of the store's state in memory. After a rollback, drop it and [`Group::load`] again.
pub struct Group {
    inner: MlsGroup,
}

impl Group {
    /// The stored group of `conversation`, if there is one.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn load(mls: &Mls<'_>, conversation: ConversationId) -> Result<Option<Self>, StorageError> {
        let id = GroupId::from_slice(conversation.as_bytes());
        Ok(MlsGroup::load(&mls.provider.store, &id)?.map(|inner| Self { inner }))
    }

    /// Removes everything that is stored of this group.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn delete(self, mls: &Mls<'_>) -> Result<(), StorageError> {
        storage::delete_rows(mls.provider.store.connection(), self.inner.group_id().as_slice())
    }

    /// The conversation that this is the group of.
    ///
    /// # Errors
    /// [`Violation::GroupId`]: not for a group that was made or joined here.
    pub fn conversation(&self) -> Result<ConversationId, Violation> {
        ConversationId::from_slice(self.inner.group_id().as_slice()).map_err(|_| Violation::GroupId)
    }

    /// The current epoch.
    pub fn epoch(&self) -> Epoch {
        Epoch(self.inner.epoch().as_u64())
    }

    /// The same for two members of the same epoch only if they agree on all of its state (RFC 9420 §8.7).
    pub fn epoch_authenticator(&self) -> Vec<u8> {
        self.inner.epoch_authenticator().as_slice().to_vec()
    }

    /// All members, by leaf.
    pub fn members(&self) -> Vec<Member> {
        self.inner.members().map(Member::from).collect()
    }

    /// The member at a leaf.
    pub fn member(&self, leaf: LeafIndex) -> Option<Member> {
        self.inner.members().find(|member| member.index.u32() == leaf.0).map(Member::from)
    }

    /// Our own leaf.
    pub fn own_leaf(&self) -> LeafIndex {
        self.inner.own_leaf_index().into()
    }

    /// Whether we are a member; false once a commit that removes us was merged.
    pub fn is_active(&self) -> bool {
        self.inner.is_active()
    }

    /// The group certificate in the GroupContext.
    pub fn certificate(&self) -> Option<Vec<u8>> {
        policy::certificate(self.inner.public_group().group_context()).map(<[u8]>::to_vec)
    }

    /// The key of the one external sender: the server that this group is on.
    pub fn server_key(&self) -> Option<[u8; 32]> {
        policy::server_key(self.inner.public_group().group_context())
    }

    /// Whether a commit of ours waits for the server's verdict.
    pub fn has_pending_commit(&self) -> bool {
        self.inner.pending_commit().is_some()
    }

    /// What the commit of ours that waits would do, with the authenticated data `aad` that it was made with; `None` if none
    /// waits, or only the one that founded or entered this group.
    pub fn pending_commit_summary(&self, aad: Vec<u8>) -> Option<Result<CommitSummary, Violation>> {
        let staged = self.inner.pending_commit()?;
        let sender = openmls::prelude::Sender::Member(self.inner.own_leaf_index());
        let pending = removals(self.inner.pending_proposals());
        Some(summary::summarize(self.inner.public_group(), &sender, aad, staged, &pending))
    }

    /// Whether stored proposals wait to be committed; until then nothing can be encrypted.
    pub fn has_pending_proposals(&self) -> bool {
        self.inner.has_pending_proposals()
    }

    /// The leaves whose removal is pending.
    pub fn pending_removals(&self) -> Vec<LeafIndex> {
        removals(self.inner.pending_proposals())
    }

    /// The ratchet tree, which joiners need beside a welcome or a group info.
    ///
    /// # Errors
    /// [`GroupError::Internal`].
    pub fn ratchet_tree(&self) -> Result<Vec<u8>, GroupError> {
        Ok(wire::ratchet_tree_bytes(&self.inner.export_ratchet_tree())?)
    }

    /// The GroupInfo (RFC 9420 §12.4.3) of the current epoch, signed by us, with the key for external joins and without
    /// the tree.
    ///
    /// # Errors
    /// [`GroupError::Evicted`], [`GroupError::Internal`].
    pub fn group_info(&self, mls: &Mls<'_>) -> Result<Vec<u8>, GroupError> {
        self.check_active()?;
        let message = self
            .inner
            .export_group_info(&mls.provider.crypto, mls.signer(), false)
            .map_err(|error| GroupError::Internal(error.to_string()))?;
        message.to_bytes().map_err(|_| Unencodable.into())
    }

    /// A secret of this epoch that only its members can derive (RFC 9420 §8.5).
    ///
    /// # Errors
    /// [`GroupError::Evicted`]; [`GroupError::Refused`] for more than 65,535 bytes.
    pub fn export_secret(
        &self,
        mls: &Mls<'_>,
        label: &str,
        context: &[u8],
        length: usize,
    ) -> Result<Vec<u8>, GroupError> {
        self.check_active()?;
        self.inner
            .export_secret(&mls.provider.crypto, label, context, length)
            .map_err(|error| GroupError::Refused(error.to_string()))
    }

    fn check_active(&self) -> Result<(), GroupError> {
        if self.inner.is_active() { Ok(()) } else { Err(GroupError::Evicted) }
    }
}

fn removals<'a>(proposals: impl Iterator<Item = &'a openmls::group::QueuedProposal>) -> Vec<LeafIndex> {
    proposals
        .filter_map(|queued| match queued.proposal() {
            openmls::prelude::Proposal::Remove(remove) => Some(remove.removed().into()),
            _ => None,
        })
        .collect()
}
