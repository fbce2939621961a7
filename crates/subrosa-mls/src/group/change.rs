//! Commits of ours: add and remove members, renew our keys, carry out what the server proposed.

use openmls::group::{CommitBuilderStageError, CreateCommitError, MergeCommitError, MergePendingCommitError};
use openmls::prelude::{LeafNodeIndex, LeafNodeParameters};
use subrosa_types::limits::COMMIT_UPLOAD;

use super::{Group, GroupError};
use crate::identity::Mls;
use crate::key_package;
use crate::member::LeafIndex;
use crate::storage::StorageError;
use crate::wire;

/// A commit that waits for the server's verdict, with what goes up beside it.
///
/// Store the bytes in the transaction that made them: the group keeps the commit's *effect*, not its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposed {
    /// The commit, a PublicMessage.
    pub commit: Vec<u8>,
    /// One welcome for all new members, if there are any. It must not be released before the commit was accepted.
    pub welcome: Option<Vec<u8>>,
    /// The GroupInfo of the epoch that the commit leads to.
    pub group_info: Vec<u8>,
}

impl Group {
    /// Adds the owners of these key packages. No path (a few kilobytes instead of up to a megabyte) unless a pending
    /// proposal needs one. `aad` is readable by the server and authenticated with the commit.
    ///
    /// # Errors
    /// As [`Group::change`].
    pub fn add(&mut self, mls: &Mls<'_>, key_packages: &[Vec<u8>], aad: &[u8]) -> Result<Proposed, GroupError> {
        self.change(mls, key_packages, &[], aad)
    }

    /// Adds and removes in one commit, and carries out all pending proposals with it.
    ///
    /// With nothing to add or remove and nothing pending it renews our leaf's keys (RFC 9420 §12.4: such a commit has a
    /// path).
    ///
    /// # Errors
    /// [`GroupError::PendingCommit`], [`GroupError::Evicted`], [`GroupError::UnknownLeaf`], [`GroupError::OwnLeaf`],
    /// [`GroupError::KeyPackage`], [`GroupError::Refused`], [`GroupError::TooLarge`], [`GroupError::Storage`],
    /// [`GroupError::Internal`].
    pub fn change(
        &mut self,
        mls: &Mls<'_>,
        add: &[Vec<u8>],
        remove: &[LeafIndex],
        aad: &[u8],
    ) -> Result<Proposed, GroupError> {
        self.commit(mls, add, remove, None, aad)
    }

    /// Carries out the pending proposals (the server's Removes) and nothing else.
    ///
    /// # Errors
    /// As [`Group::change`].
    pub fn commit_pending_proposals(&mut self, mls: &Mls<'_>, aad: &[u8]) -> Result<Proposed, GroupError> {
        self.commit(mls, &[], &[], None, aad)
    }

    /// Renews our leaf's keys and puts our identity's present credential there. Heals the group after a leak of our
    /// state. The signature key stays as it is.
    ///
    /// # Errors
    /// As [`Group::change`].
    pub fn self_update(&mut self, mls: &Mls<'_>, aad: &[u8]) -> Result<Proposed, GroupError> {
        self.commit(mls, &[], &[], Some(mls.leaf()), aad)
    }

    /// Merges our commit: we are in the next epoch then.
    ///
    /// Only after the server accepted it. It is final; who merges a refused commit is alone in an epoch that nobody
    /// shares.
    ///
    /// # Errors
    /// [`GroupError::NoPendingCommit`], [`GroupError::Storage`], [`GroupError::Internal`].
    pub fn merge_pending(&mut self, mls: &Mls<'_>) -> Result<(), GroupError> {
        if !self.has_pending_commit() {
            return Err(GroupError::NoPendingCommit);
        }
        self.inner.merge_pending_commit(&mls.provider).map_err(|error| match error {
            MergePendingCommitError::MergeCommitError(error) => not_merged(error),
            error => GroupError::Internal(error.to_string()),
        })
    }

    /// Forgets our commit, of which the server has said that it will never be ordered.
    ///
    /// Never on a mere timeout: if the server did accept it, everybody else is in an epoch that we cannot enter any
    /// more ([`crate::ProcessError::OwnCommitLost`]) and only an external join brings us back. A commit that lost the
    /// race needs no call: merging the winner drops it.
    ///
    /// # Errors
    /// [`GroupError::NoPendingCommit`], [`GroupError::Storage`].
    pub fn discard_pending(&mut self, mls: &Mls<'_>) -> Result<(), GroupError> {
        if !self.has_pending_commit() {
            return Err(GroupError::NoPendingCommit);
        }
        Ok(self.inner.clear_pending_commit(&mls.provider.store)?)
    }

    fn commit(
        &mut self,
        mls: &Mls<'_>,
        add: &[Vec<u8>],
        remove: &[LeafIndex],
        leaf: Option<LeafNodeParameters>,
        aad: &[u8],
    ) -> Result<Proposed, GroupError> {
        self.check_active()?;
        if self.has_pending_commit() {
            return Err(GroupError::PendingCommit);
        }
        for leaf in remove {
            if *leaf == self.own_leaf() {
                return Err(GroupError::OwnLeaf);
            }
            if self.member(*leaf).is_none() {
                return Err(GroupError::UnknownLeaf(*leaf));
            }
        }
        let packages = add.iter().enumerate().map(|(position, bytes)| {
            key_package::check(bytes, &mls.provider.crypto)
                .map_err(|reason| GroupError::KeyPackage { position, reason })
        });
        let packages = packages.collect::<Result<Vec<_>, _>>()?;

        self.inner.set_aad(aad.to_vec());
        let result = self.build(mls, packages, remove, leaf);
        if result.is_err() {
            self.inner.set_aad(Vec::new());
        }
        result
    }

    fn build(
        &mut self,
        mls: &Mls<'_>,
        packages: Vec<openmls::prelude::KeyPackage>,
        remove: &[LeafIndex],
        leaf: Option<LeafNodeParameters>,
    ) -> Result<Proposed, GroupError> {
        let mut builder = self
            .inner
            .commit_builder()
            .consume_proposal_store(true)
            .propose_adds(packages)
            .propose_removals(remove.iter().map(|leaf| LeafNodeIndex::from(*leaf)));
        if let Some(leaf) = leaf {
            builder = builder.force_self_update(true).leaf_node_parameters(leaf);
        }
        let bundle = builder
            .load_psks(&mls.provider.store)
            .map_err(refused)?
            .create_group_info(true)
            .build(&mls.provider.rand, &mls.provider.crypto, mls.signer(), |_| true)
            .map_err(refused)?
            .stage_commit(&mls.provider)
            .map_err(|error| match error {
                CommitBuilderStageError::KeyStoreError(error) => error.into(),
                error => GroupError::Internal(error.to_string()),
            })?;
        let (commit, welcome, group_info) = bundle.into_messages();
        let group_info = group_info.ok_or_else(|| GroupError::Internal("a commit came without group info".into()))?;
        let proposed = Proposed {
            commit: wire::message_bytes(commit)?,
            welcome: welcome.map(wire::message_bytes).transpose()?,
            group_info: wire::message_bytes(group_info)?,
        };
        let size = proposed.commit.len() + proposed.welcome.as_ref().map_or(0, Vec::len) + proposed.group_info.len();
        if size > COMMIT_UPLOAD {
            self.inner.clear_pending_commit(&mls.provider.store)?;
            return Err(GroupError::TooLarge { size, limit: COMMIT_UPLOAD });
        }
        Ok(proposed)
    }
}

pub(super) fn not_merged(error: MergeCommitError<StorageError>) -> GroupError {
    match error {
        MergeCommitError::StorageError(error) => error.into(),
        error => GroupError::Internal(error.to_string()),
    }
}

pub(super) fn refused(error: CreateCommitError) -> GroupError {
    match error {
        CreateCommitError::LibraryError(error) => error.into(),
        error => GroupError::Refused(error.to_string()),
    }
}
