//! Joins by a Welcome, in two steps: look at the group, then accept it or not.

use openmls::group::{StagedWelcome, WelcomeError};
use subrosa_types::{ConversationId, Epoch};

use super::{Group, GroupError};
use crate::identity::Mls;
use crate::member::{LeafIndex, Member};
use crate::policy::{self, Violation};
use crate::storage::StorageError;
use crate::wire::{self, Malformed, Unencodable};

/// Why we did not join. Nothing is stored, and no key package was used up.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// The server or the inviter sent something else than what it should be.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The welcome is for none of our key packages (any more).
    #[error("the welcome is for none of this device's key packages")]
    NotForUs,
    /// We hold state of this conversation; [`Group::delete`] it first if it is of no use any more.
    #[error("this device already holds state of this conversation")]
    AlreadyMember,
    /// The group breaks a rule of ours. Who made it is to blame.
    #[error(transparent)]
    Violation(#[from] Violation),
    /// It breaks RFC 9420 §12.4.3: a signature, a hash or a tag is wrong, or the tree belongs to another epoch.
    #[error("the group cannot be joined: {0}")]
    Invalid(String),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A fault in OpenMLS or here. We are to blame.
    #[error("internal error: {0}")]
    Internal(String),
}

impl From<Unencodable> for JoinError {
    fn from(_: Unencodable) -> Self {
        Self::Internal("a structure could not be encoded".into())
    }
}

impl From<GroupError> for JoinError {
    fn from(error: GroupError) -> Self {
        match error {
            GroupError::Storage(error) => Self::Storage(error),
            GroupError::Violation(violation) => Self::Violation(violation),
            GroupError::Internal(text) => Self::Internal(text),
            error => Self::Invalid(error.to_string()),
        }
    }
}

/// A group that we were invited to, verified but not accepted.
pub struct Joining {
    staged: StagedWelcome,
    conversation: ConversationId,
    /// References of the key packages that accepting uses up.
    key_packages: Vec<Vec<u8>>,
}

impl Joining {
    /// Opens and verifies a welcome with the ratchet tree that the server hands out beside it.
    ///
    /// Dropping the result leaves everything as it was.
    ///
    /// # Errors
    /// [`JoinError`].
    pub fn from_welcome(mls: &Mls<'_>, welcome: &[u8], ratchet_tree: &[u8]) -> Result<Self, JoinError> {
        let welcome = wire::welcome(welcome)?;
        let tree = wire::ratchet_tree(ratchet_tree)?;
        let provider = &mls.provider;
        let (staged, key_packages) = provider.store.keeping_key_packages(|| {
            wire::guard(|| {
                StagedWelcome::build_from_welcome(provider, &crate::suite::join_config(), welcome)?
                    .with_ratchet_tree(tree)
                    // All leaves of ours carry the same lifetime; what the clock says about another's is no reason.
                    .skip_lifetime_validation()
                    .build()
            })
        });
        let staged = staged.ok_or(Malformed::Syntax)?.map_err(|error| match error {
            WelcomeError::NoMatchingKeyPackage | WelcomeError::JoinerSecretNotFound => JoinError::NotForUs,
            WelcomeError::GroupAlreadyExists => JoinError::AlreadyMember,
            WelcomeError::StorageError(error) => error.into(),
            error => JoinError::Invalid(error.to_string()),
        })?;
        let conversation = policy::check_context(staged.group_context())?;
        Ok(Self { staged, conversation, key_packages })
    }

    /// The conversation.
    pub fn conversation(&self) -> ConversationId {
        self.conversation
    }

    /// The epoch that we would join in.
    pub fn epoch(&self) -> Epoch {
        Epoch(self.staged.group_context().epoch().as_u64())
    }

    /// All members, ourselves among them.
    pub fn members(&self) -> Vec<Member> {
        self.staged.members().map(Member::from).collect()
    }

    /// The member who invited us: it signed the group's state.
    ///
    /// # Errors
    /// [`JoinError::Internal`]: OpenMLS has verified that signature already.
    pub fn sender(&self) -> Result<Member, JoinError> {
        let node = self.staged.welcome_sender().map_err(|error| JoinError::Internal(error.to_string()))?;
        Ok(Member::of_leaf(self.staged.welcome_sender_index(), node))
    }

    /// Our own leaf.
    pub fn own_leaf(&self) -> LeafIndex {
        self.staged.own_leaf_index().into()
    }

    /// The group certificate.
    pub fn certificate(&self) -> Option<Vec<u8>> {
        policy::certificate(self.staged.group_context()).map(<[u8]>::to_vec)
    }

    /// The key of the one external sender.
    pub fn server_key(&self) -> Option<[u8; 32]> {
        policy::server_key(self.staged.group_context())
    }

    /// Stores the group and uses up the key package.
    ///
    /// # Errors
    /// [`JoinError::Storage`], [`JoinError::Internal`].
    pub fn accept(self, mls: &Mls<'_>) -> Result<Group, JoinError> {
        for reference in &self.key_packages {
            mls.provider.store.forget_key_package(reference)?;
        }
        let inner = self.staged.into_group(&mls.provider).map_err(|error| match error {
            WelcomeError::StorageError(error) => JoinError::Storage(error),
            error => JoinError::Internal(error.to_string()),
        })?;
        Ok(Group { inner })
    }
}
