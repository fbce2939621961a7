//! Checks the GroupInfo that a committer uploads for those who join next.

use openmls::prelude::tls_codec::{Serialize as _, Size as _};
use openmls::prelude::{OpenMlsSignaturePublicKey, SignatureScheme, Verifiable};

use super::{FollowError, Follower};
use crate::member::LeafIndex;
use crate::peek::Reader;
use crate::wire;

impl Follower {
    /// Checks that a GroupInfo (RFC 9420 §12.4.3) is of this group and epoch, allows external joins, carries no tree,
    /// and is signed by a member. Called after the commit was merged.
    ///
    /// # Errors
    /// [`FollowError::Malformed`], [`FollowError::Invalid`].
    pub fn verify_group_info(&self, bytes: &[u8]) -> Result<(), FollowError> {
        let info = wire::group_info(bytes)?;
        let invalid = |text: &str| FollowError::Invalid(text.into());
        if info.group_context() != self.group.group_context() {
            return Err(invalid("the group info is of another state of the group"));
        }
        if info.extensions().external_pub().is_none() || info.extensions().ratchet_tree().is_some() {
            return Err(invalid("the group info needs a key for external joins and no tree"));
        }

        // What OpenMLS keeps to itself: MLSMessage header, GroupContext, extensions, confirmation_tag<V>, uint32 signer.
        let head = 4 + info.group_context().tls_serialized_len() + info.extensions().tls_serialized_len();
        let mut reader = Reader(bytes);
        reader.take(head)?;
        let before_tag = reader.0;
        reader.vector()?;
        let tag = &before_tag[..before_tag.len() - reader.0.len()];
        let signer = reader.u32()?;
        let expected = self.group.confirmation_tag().tls_serialize_detached();
        if expected.ok().as_deref() != Some(tag) {
            return Err(invalid("the confirmation tag is not the group's"));
        }

        let member =
            self.member(LeafIndex(signer)).ok_or_else(|| invalid("the group info is not signed by a member"))?;
        let key = OpenMlsSignaturePublicKey::new(member.signature_key.into(), SignatureScheme::ED25519)
            .map_err(|error| FollowError::Internal(error.to_string()))?;
        info.verify_no_out(&self.crypto, &key).map_err(|_| invalid("the signature of the group info is wrong"))
    }
}
