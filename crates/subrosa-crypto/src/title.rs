//! Titles of groups, signed by who named the group.
//!
//! A title lives only inside ciphertext: the server never sees it. Who joins later gets the record from another member,
//! so it is signed by the account key, with the position of the role log where that account's role allowed it; the
//! receiver looks both up in the log it follows. Of two records the one with the higher version wins.

use subrosa_types::{AccountId, ConversationId, GroupTitle, RolePosition, Timestamp};
use subrosa_wire::proto::{self, Signed};

use crate::field::{self, BadField};
use crate::group_certificate::CertificateError;
use crate::keys::{SigningKey, VerifyingKey};
use crate::statement;

/// A title that the account that chose it signed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TitleRecord {
    /// Whose title it is.
    pub conversation: ConversationId,
    /// The title.
    pub title: GroupTitle,
    /// The higher wins.
    pub version: u64,
    /// Who chose it.
    pub account: AccountId,
    /// Where in the role log that account's role allowed it.
    pub role_position: RolePosition,
    /// When, by that account's clock.
    pub at: Timestamp,
}

impl TitleRecord {
    /// Signs a title.
    pub fn issue(
        conversation: ConversationId,
        title: &GroupTitle,
        version: u64,
        account: AccountId,
        role_position: RolePosition,
        at: Timestamp,
        account_key: &SigningKey,
    ) -> Signed {
        let record = proto::TitleRecord {
            conversation_id: conversation.to_vec(),
            title: title.as_str().to_owned(),
            version,
            account_id: account.to_vec(),
            role_position: role_position.0,
            at: at.0,
        };
        statement::sign(&record, account_key)
    }

    /// The account that a record claims to be by: whose key to [verify](Self::verify) it with.
    ///
    /// # Errors
    /// [`CertificateError`] if it is no record at all.
    pub fn claimed_account(signed: &Signed) -> Result<AccountId, CertificateError> {
        Ok(field::account(&statement::decode::<proto::TitleRecord>(signed)?.account_id, "account_id")?)
    }

    /// Checks a record against the conversation and the account that it has to be of.
    ///
    /// # Errors
    /// See [`CertificateError`].
    pub fn verify(
        signed: &Signed,
        conversation: ConversationId,
        account: AccountId,
        account_key: &VerifyingKey,
    ) -> Result<Self, CertificateError> {
        let content = statement::verify::<proto::TitleRecord>(signed, account_key)?;
        let record = Self {
            conversation: field::conversation(&content.conversation_id, "conversation_id")?,
            title: GroupTitle::from_prepared(&content.title).map_err(|_| BadField("title"))?,
            version: content.version,
            account: field::account(&content.account_id, "account_id")?,
            role_position: RolePosition(content.role_position),
            at: Timestamp(content.at),
        };
        if record.conversation != conversation || record.account != account {
            return Err(CertificateError::Other);
        }
        Ok(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::Person;
    use crate::statement::StatementError;

    const CHAT: ConversationId = ConversationId::from_bytes([7; 16]);

    fn named(person: &Person) -> Signed {
        let title = "Friends".parse().unwrap();
        TitleRecord::issue(CHAT, &title, 2, person.id, RolePosition(3), Timestamp(4), &person.key)
    }

    #[test]
    fn a_title_is_read_with_the_key_of_who_chose_it() {
        let (alice, bob) = (Person::new(1, "alice"), Person::new(2, "bob"));
        let signed = named(&alice);
        assert_eq!(TitleRecord::claimed_account(&signed), Ok(alice.id));
        let record = TitleRecord::verify(&signed, CHAT, alice.id, &alice.key.public()).unwrap();
        assert_eq!((record.title.as_str(), record.version, record.role_position), ("Friends", 2, RolePosition(3)));
        assert_eq!(
            TitleRecord::verify(&signed, CHAT, alice.id, &bob.key.public()),
            Err(CertificateError::Statement(StatementError::BadSignature))
        );
    }

    #[test]
    fn a_title_of_another_group_or_account_is_refused() {
        let (alice, bob) = (Person::new(1, "alice"), Person::new(2, "bob"));
        let (signed, key) = (named(&alice), alice.key.public());
        let other_chat = ConversationId::from_bytes([8; 16]);
        assert_eq!(TitleRecord::verify(&signed, other_chat, alice.id, &key), Err(CertificateError::Other));
        assert_eq!(TitleRecord::verify(&signed, CHAT, bob.id, &key), Err(CertificateError::Other));
    }

    #[test]
    fn a_title_that_could_deceive_is_refused_even_when_signed() {
        let alice = Person::new(1, "alice");
        for title in ["#general", "a\u{1b}[2Jb", "", "two  spaces"] {
            let mut content = statement::decode::<proto::TitleRecord>(&named(&alice)).unwrap();
            content.title = title.to_owned();
            let signed = statement::sign(&content, &alice.key);
            assert_eq!(
                TitleRecord::verify(&signed, CHAT, alice.id, &alice.key.public()),
                Err(CertificateError::Shape(BadField("title")))
            );
        }
    }
}
