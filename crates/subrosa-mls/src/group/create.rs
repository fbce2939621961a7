//! Makes a group with one member: us.

use openmls::group::{GroupId, MlsGroup, MlsGroupCreateConfig, NewGroupError};
use subrosa_types::ConversationId;

use super::{Group, GroupError};
use crate::identity::Mls;
use crate::policy::{self, Violation};
use crate::suite::{self, SUITE};

impl Group {
    /// Makes the group of `conversation` in epoch 0, with us at leaf 0.
    ///
    /// `certificate` (at most [`suite::CERTIFICATE`] bytes) is bound into the GroupContext and so into every key of the
    /// group; `server_key` becomes the one external sender. Neither can change later. Send [`Group::group_info`] and
    /// [`Group::ratchet_tree`] to the server, which follows from there.
    ///
    /// # Errors
    /// [`GroupError::Exists`]; [`GroupError::Violation`] for an empty or oversized certificate;
    /// [`GroupError::Storage`], [`GroupError::Internal`].
    pub fn create(
        mls: &Mls<'_>,
        conversation: ConversationId,
        certificate: &[u8],
        server_key: &[u8; 32],
    ) -> Result<Self, GroupError> {
        if certificate.is_empty() || certificate.len() > suite::CERTIFICATE {
            return Err(Violation::Certificate.into());
        }
        let extensions = suite::group_context_extensions(certificate, server_key)
            .map_err(|error| GroupError::Internal(error.to_string()))?;
        let join = suite::join_config();
        let config = MlsGroupCreateConfig::builder()
            .ciphersuite(SUITE)
            .capabilities(suite::capabilities())
            .lifetime(suite::lifetime())
            .with_group_context_extensions(extensions)
            .wire_format_policy(join.wire_format_policy())
            .padding_size(join.padding_size())
            .max_past_epochs(0)
            .number_of_resumption_psks(0)
            .use_ratchet_tree_extension(false)
            .sender_ratchet_configuration(*join.sender_ratchet_configuration())
            .build();
        let id = GroupId::from_slice(conversation.as_bytes());
        let inner = MlsGroup::new_with_group_id(&mls.provider, mls.signer(), &config, id, mls.credential()).map_err(
            |error| match error {
                NewGroupError::GroupAlreadyExists => GroupError::Exists,
                NewGroupError::StorageError(error) => error.into(),
                error => GroupError::Internal(error.to_string()),
            },
        )?;
        policy::check_context(inner.public_group().group_context())?;
        Ok(Self { inner })
    }
}
