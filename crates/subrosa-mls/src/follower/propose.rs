//! The server's one way to act in a group: propose that a member is removed (RFC 9420 §12.1.8).

use openmls::messages::external_proposals::ExternalProposal;
use openmls::prelude::SenderExtensionIndex;

use super::{FollowError, Follower, Inspected};
use crate::member::LeafIndex;
use crate::provider::Provider;
use crate::signer::LeafSigner;
use crate::wire;

impl Follower {
    /// Proposes the removal of a member and keeps the proposal as pending.
    ///
    /// Append the result to the conversation's log: members can send nothing until one of them has committed it, so they
    /// do it at once. It is good for this epoch only; if a commit passes over it (an external join always does), propose
    /// again.
    ///
    /// # Errors
    /// [`FollowError::NotTheServer`], [`FollowError::UnknownLeaf`], [`FollowError::Memory`], [`FollowError::Internal`].
    pub fn propose_remove(&mut self, signer: &LeafSigner, leaf: LeafIndex) -> Result<Vec<u8>, FollowError> {
        if self.server_key() != Some(signer.public_key()) {
            return Err(FollowError::NotTheServer);
        }
        if self.member(leaf).is_none() {
            return Err(FollowError::UnknownLeaf(leaf));
        }
        let proposal = ExternalProposal::new_remove::<Provider<'static>>(
            leaf.into(),
            self.group.group_id().clone(),
            self.group.group_context().epoch(),
            signer,
            SenderExtensionIndex::new(0),
        )
        .map_err(|error| FollowError::Internal(error.to_string()))?;
        let bytes = wire::message_bytes(proposal)?;
        match self.inspect(&bytes)? {
            Inspected::Proposal(inspected) => self.store_proposal(*inspected)?,
            Inspected::Commit(_) => return Err(FollowError::Internal("a proposal became a commit".into())),
        }
        Ok(bytes)
    }
}
