//! Application messages out.

use openmls::group::{CreateMessageError, MlsGroupStateError};
use subrosa_types::limits::APPLICATION_MESSAGE;

use super::{Group, GroupError};
use crate::identity::Mls;
use crate::suite::PADDING;

/// What a message is larger than its plaintext at most, beside the authenticated data: padding, tag, signature, framing.
const OVERHEAD: usize = PADDING + 512;

impl Group {
    /// Encrypts for the current epoch and advances our ratchet. `aad` is readable by everybody and authenticated.
    ///
    /// Store the bytes in the same transaction and send exactly them, as often as needed: encrypting again is another
    /// message.
    ///
    /// # Errors
    /// [`GroupError::PendingProposals`], [`GroupError::Evicted`], [`GroupError::TooLarge`] (before anything changes),
    /// [`GroupError::Internal`].
    pub fn encrypt(&mut self, mls: &Mls<'_>, aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, GroupError> {
        let size = plaintext.len() + aad.len() + OVERHEAD;
        if size > APPLICATION_MESSAGE {
            return Err(GroupError::TooLarge { size, limit: APPLICATION_MESSAGE });
        }
        self.inner.set_aad(aad.to_vec());
        let result = self.inner.create_message(&mls.provider, mls.signer(), plaintext);
        if result.is_err() {
            self.inner.set_aad(Vec::new());
        }
        let message = result.map_err(|error| match error {
            CreateMessageError::GroupStateError(MlsGroupStateError::PendingProposal) => GroupError::PendingProposals,
            CreateMessageError::GroupStateError(MlsGroupStateError::UseAfterEviction) => GroupError::Evicted,
            error => GroupError::Internal(error.to_string()),
        })?;
        Ok(crate::wire::message_bytes(message)?)
    }
}
