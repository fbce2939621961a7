//! Joins by an external commit (RFC 9420 §12.4.3.2): a room, a further device, a device that lost its state.

use openmls::group::{
    ExternalCommitBuilder, ExternalCommitBuilderError, ExternalCommitBuilderFinalizeError, GroupId, MlsGroup,
};
use openmls::prelude::CreationFromExternalError;

use super::{Group, JoinError, change};
use crate::identity::Mls;
use crate::policy;
use crate::suite;
use crate::wire::{self, Malformed};

impl Group {
    /// Joins with the GroupInfo and tree of the current epoch. Returns the group, the commit and the GroupInfo of the
    /// new epoch.
    ///
    /// If a leaf has our signature key already, the commit replaces it (the device lost its state). The group is stored
    /// as if the commit had been accepted, because OpenMLS merges it at once: **if the server refuses, delete the group**
    /// and try again with fresh data.
    ///
    /// Look at [`Group::certificate`], [`Group::server_key`] and [`Group::members`] of the result before anything is
    /// sent: a server could have handed out a group of its own making.
    ///
    /// # Errors
    /// [`JoinError`]; [`JoinError::AlreadyMember`] if old state was not deleted before.
    pub fn join_external(
        mls: &Mls<'_>,
        group_info: &[u8],
        ratchet_tree: &[u8],
        aad: &[u8],
    ) -> Result<(Self, Vec<u8>, Vec<u8>), JoinError> {
        let group_info = wire::group_info(group_info)?;
        let tree = wire::ratchet_tree(ratchet_tree)?;
        let conversation = policy::check_context(group_info.group_context())?;
        let provider = &mls.provider;
        if MlsGroup::load(&provider.store, &GroupId::from_slice(conversation.as_bytes()))?.is_some() {
            return Err(JoinError::AlreadyMember);
        }

        let joined = wire::guard(|| {
            ExternalCommitBuilder::new()
                .with_ratchet_tree(tree)
                .with_config(suite::join_config())
                .with_aad(aad.to_vec())
                .skip_lifetime_validation()
                .build_group(provider, group_info, mls.credential())
                .map_err(|error| match error {
                    ExternalCommitBuilderError::StorageError(error)
                    | ExternalCommitBuilderError::PublicGroupError(CreationFromExternalError::WriteToStorageError(
                        error,
                    )) => JoinError::Storage(error),
                    error => JoinError::Invalid(error.to_string()),
                })?
                .leaf_node_parameters(mls.leaf())
                .load_psks(&provider.store)
                .map_err(change::refused)?
                .create_group_info(true)
                .build(&provider.rand, &provider.crypto, mls.signer(), |_| true)
                .map_err(change::refused)?
                .finalize(provider)
                .map_err(|error| match error {
                    ExternalCommitBuilderFinalizeError::StorageError(error) => JoinError::Storage(error),
                    error => JoinError::Internal(error.to_string()),
                })
        });
        let (inner, bundle) = joined.ok_or(Malformed::Syntax)??;
        let (commit, _, group_info) = bundle.into_messages();
        let group_info = group_info.ok_or_else(|| JoinError::Internal("a commit came without group info".into()))?;
        Ok((Self { inner }, wire::message_bytes(commit)?, wire::message_bytes(group_info)?))
    }
}
