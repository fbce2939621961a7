//! Group certificates (row A6): the server's word on what a conversation is and who made it.
//!
//! A certificate is bound into the MLS group context of its group, where every joiner finds it. It tells the creator and
//! the position of the role log at which the server found the creator's role sufficient; a client looks up that role in
//! the log it follows, and compares the conversation id with the group id.

use subrosa_types::{AccountId, ConversationId, RolePosition, Timestamp};
use subrosa_wire::proto::{self, Signed};

use crate::field::{self, BadField};
use crate::keys::{SigningKey, VerifyingKey};
use crate::statement::{self, StatementError};

/// A group certificate or title that does not hold. Who passed it on is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Not signed by whose it has to be, or no statement.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// A field of the wrong shape.
    #[error(transparent)]
    Shape(#[from] BadField),
    /// Made for another server.
    #[error("the certificate belongs to another server")]
    OtherServer,
    /// About another conversation, or by another account, than expected.
    #[error("the statement belongs to another conversation or account")]
    Other,
}

/// What kind of conversation it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConversationKind {
    /// A private chat of two accounts.
    Private {
        /// The two, sorted and different. [`ConversationKind::private`] makes them so.
        pair: [AccountId; 2],
    },
    /// A group.
    Group,
}

impl ConversationKind {
    /// The private chat of these two; nothing if they are the same.
    pub fn private(one: AccountId, other: AccountId) -> Option<Self> {
        (one != other).then(|| Self::Private { pair: [one.min(other), one.max(other)] })
    }
}

/// A certificate that the server signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupCertificate {
    /// The conversation, which is also the MLS group id.
    pub conversation: ConversationId,
    /// What it is.
    pub kind: ConversationKind,
    /// Who made it.
    pub creator: AccountId,
    /// The head of the role log when the server checked the creator's role.
    pub role_position: RolePosition,
    /// When, by the server's clock.
    pub at: Timestamp,
}

impl GroupCertificate {
    /// Makes a certificate.
    pub fn issue(
        conversation: ConversationId,
        kind: ConversationKind,
        creator: AccountId,
        role_position: RolePosition,
        at: Timestamp,
        server: &SigningKey,
    ) -> Signed {
        let (kind, private_pair) = match kind {
            ConversationKind::Private { pair } => {
                (proto::ConversationKind::Private, pair.map(|id| id.to_vec()).to_vec())
            }
            ConversationKind::Group => (proto::ConversationKind::Group, Vec::new()),
        };
        let certificate = proto::GroupCertificate {
            conversation_id: conversation.to_vec(),
            kind: kind.into(),
            creator: creator.to_vec(),
            server_key: server.public().to_vec(),
            role_position: role_position.0,
            at: at.0,
            private_pair,
        };
        statement::sign(&certificate, server)
    }

    /// Checks a certificate.
    ///
    /// # Errors
    /// See [`CertificateError`].
    pub fn verify(signed: &Signed, server_key: &VerifyingKey) -> Result<Self, CertificateError> {
        let content = statement::verify::<proto::GroupCertificate>(signed, server_key)?;
        if content.server_key != server_key.as_bytes() {
            return Err(CertificateError::OtherServer);
        }
        let creator = field::account(&content.creator, "creator")?;
        Ok(Self {
            conversation: field::conversation(&content.conversation_id, "conversation_id")?,
            kind: kind(content.kind(), &content.private_pair, creator)?,
            creator,
            role_position: RolePosition(content.role_position),
            at: Timestamp(content.at),
        })
    }

    /// Checks a certificate in the bytes of the MLS extension.
    ///
    /// # Errors
    /// See [`CertificateError`].
    pub fn verify_bytes(extension: &[u8], server_key: &VerifyingKey) -> Result<Self, CertificateError> {
        Self::verify(&statement::from_bytes(extension)?, server_key)
    }
}

fn kind(kind: proto::ConversationKind, pair: &[Vec<u8>], creator: AccountId) -> Result<ConversationKind, BadField> {
    match (kind, pair) {
        (proto::ConversationKind::Group, []) => Ok(ConversationKind::Group),
        (proto::ConversationKind::Private, [one, other]) => {
            let pair = [field::account(one, "private_pair")?, field::account(other, "private_pair")?];
            if pair[0] < pair[1] && pair.contains(&creator) {
                Ok(ConversationKind::Private { pair })
            } else {
                Err(BadField("private_pair"))
            }
        }
        (proto::ConversationKind::Group | proto::ConversationKind::Private, _) => Err(BadField("private_pair")),
        (proto::ConversationKind::Unspecified, _) => Err(BadField("kind")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::rng;

    const ALICE: AccountId = AccountId::from_bytes([1; 16]);
    const BOB: AccountId = AccountId::from_bytes([2; 16]);
    const CHAT: ConversationId = ConversationId::from_bytes([7; 16]);

    fn issued(kind: ConversationKind, server: &SigningKey) -> Signed {
        GroupCertificate::issue(CHAT, kind, ALICE, RolePosition(3), Timestamp(4), server)
    }

    #[test]
    fn a_certificate_says_what_the_server_issued() {
        let server = SigningKey::generate(&mut rng(1));
        for kind in [ConversationKind::Group, ConversationKind::private(BOB, ALICE).unwrap()] {
            let bytes = statement::to_bytes(&issued(kind, &server));
            let certificate = GroupCertificate::verify_bytes(&bytes, &server.public()).unwrap();
            assert_eq!((certificate.conversation, certificate.kind, certificate.creator), (CHAT, kind, ALICE));
            assert_eq!((certificate.role_position, certificate.at), (RolePosition(3), Timestamp(4)));
        }
        assert_eq!(ConversationKind::private(ALICE, ALICE), None);
    }

    #[test]
    fn a_certificate_of_another_server_is_refused() {
        let (here, there) = (SigningKey::generate(&mut rng(1)), SigningKey::generate(&mut rng(2)));
        let signed = issued(ConversationKind::Group, &there);
        let bad_signature = CertificateError::Statement(StatementError::BadSignature);
        assert_eq!(GroupCertificate::verify(&signed, &here.public()), Err(bad_signature));
        let content = statement::decode::<proto::GroupCertificate>(&signed).unwrap();
        let signed = statement::sign(&content, &here);
        assert_eq!(GroupCertificate::verify(&signed, &here.public()), Err(CertificateError::OtherServer));
    }

    #[test]
    fn a_certificate_that_contradicts_itself_is_refused() {
        let server = SigningKey::generate(&mut rng(1));
        let refused = |change: &dyn Fn(&mut proto::GroupCertificate)| {
            let signed = issued(ConversationKind::private(ALICE, BOB).unwrap(), &server);
            let mut content = statement::decode::<proto::GroupCertificate>(&signed).unwrap();
            change(&mut content);
            GroupCertificate::verify(&statement::sign(&content, &server), &server.public()).unwrap_err()
        };
        let pair = CertificateError::Shape(BadField("private_pair"));
        assert_eq!(refused(&|c| c.private_pair.reverse()), pair);
        assert_eq!(refused(&|c| c.private_pair.truncate(1)), pair);
        assert_eq!(refused(&|c| c.private_pair[1] = c.private_pair[0].clone()), pair);
        assert_eq!(refused(&|c| c.creator = vec![9; 16]), pair);
        assert_eq!(refused(&|c| c.kind = 2), pair);
        assert_eq!(refused(&|c| c.kind = 0), CertificateError::Shape(BadField("kind")));
        assert_eq!(refused(&|c| c.kind = 77), CertificateError::Shape(BadField("kind")));
        assert_eq!(refused(&|c| c.conversation_id.clear()), CertificateError::Shape(BadField("conversation_id")));
    }
}
