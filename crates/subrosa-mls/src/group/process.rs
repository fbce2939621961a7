//! Messages in: application messages, the server's proposals, and everybody's commits.
//!
//! 1. Size, kind, conversation and epoch are read from outside ([`crate::peek`]); only the current epoch goes on.
//! 2. OpenMLS verifies and decrypts. A message that fails here moves nothing.
//! 3. Our own rules are checked ([`crate::policy`]).
//! 4. An application message has now advanced its sender's ratchet (in the caller's transaction). Commits and proposals
//!    have changed nothing: [`Group::merge`] and [`Group::store_proposal`] do, if the caller agrees with them.

use openmls::framing::errors::{MessageDecryptionError, SecretTreeError};
use openmls::group::{
    MlsGroupStateError, ProcessMessageError, QueuedProposal, StageCommitError, StagedCommit, ValidationError,
};
use openmls::prelude::{ProcessedMessage, ProcessedMessageContent, Proposal, Sender};
use subrosa_types::{ConversationId, Epoch};

use super::change::not_merged;
use super::{Group, GroupError};
use crate::identity::Mls;
use crate::member::{LeafIndex, Member};
use crate::peek::{Kind, PeekError, peek};
use crate::policy::{self, Violation};
use crate::storage::StorageError;
use crate::summary::{CommitSummary, summarize};
use crate::wire::{self, Malformed};

/// Why a message was not processed. Nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// No message of ours, or too large. Whoever sent it is to blame; drop it.
    #[error(transparent)]
    Peek(#[from] PeekError),
    /// No MLS message inside. Whoever sent it is to blame; drop it.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// It is for another conversation. The caller or the server is to blame.
    #[error("the message is for conversation {0}")]
    WrongGroup(ConversationId),
    /// It is of another epoch. An older one is done with; for a newer one, catch up first.
    #[error("the message is of epoch {got}, the group is in epoch {have}")]
    WrongEpoch {
        /// The message's.
        got: Epoch,
        /// The group's.
        have: Epoch,
    },
    /// This application message was decrypted before (its key is gone), or it was handed to a group that is ahead of
    /// its store: then drop the group and load it again.
    #[error("this message was decrypted before")]
    Duplicate,
    /// We sent it ourselves; MLS does not let a sender decrypt. The plaintext is in the outbox.
    #[error("this message is one of this device's own")]
    OwnMessage,
    /// It is a commit of ours with which we cannot go on: it was discarded although the server accepted it. The group
    /// is of no use any more; delete it and join again by an external commit.
    #[error("this device discarded a commit that was accepted; it has to join again")]
    OwnCommitLost,
    /// A signature, a tag or the encryption is wrong. Somebody on the way changed or made it; drop it.
    #[error("the message is not authentic")]
    Inauthentic,
    /// The sender's ratchet is too far from this message to follow (messages were withheld or it is very old).
    #[error("the message is too far from its sender's last one")]
    OutOfWindow,
    /// We were removed from this group.
    #[error("this device is no longer a member of the group")]
    Evicted,
    /// Authentic, but against a rule of ours. Its sender is to blame.
    #[error(transparent)]
    Violation(#[from] Violation),
    /// A commit refers to a proposal that was not stored here. The caller is to blame: the log has it further up.
    #[error("the commit refers to a proposal that this device has not stored")]
    MissingProposal,
    /// Authentic, but invalid under RFC 9420 §12.2 or §12.4. Its sender is to blame.
    #[error("the message is invalid: {0}")]
    Invalid(String),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A fault in OpenMLS or here. We are to blame.
    #[error("internal error: {0}")]
    Internal(String),
}

/// What a message turned out to be.
pub enum Processed {
    /// An application message, decrypted; its sender's ratchet has advanced.
    Application {
        /// Who sent it.
        sender: Member,
        /// Authenticated data beside it.
        aad: Vec<u8>,
        /// The content, without padding.
        plaintext: Vec<u8>,
    },
    /// A commit by somebody else, verified and not merged.
    Commit(Box<Staged>),
    /// A proposal, verified and not stored.
    Proposal(Box<ReceivedProposal>),
    /// Our own pending commit came back: the server accepted it. [`Group::merge_pending`] comes next.
    OwnCommit,
}

/// A commit that waits to be merged or dropped.
pub struct Staged {
    summary: CommitSummary,
    removes_us: bool,
    inner: StagedCommit,
}

impl Staged {
    /// What it does.
    pub fn summary(&self) -> &CommitSummary {
        &self.summary
    }

    /// Whether it removes this device. Merging it makes the group inactive.
    pub fn removes_us(&self) -> bool {
        self.removes_us
    }

    /// The authenticator of the epoch that it leads to, if we will be in it.
    pub fn epoch_authenticator(&self) -> Option<Vec<u8>> {
        self.inner.epoch_authenticator().map(|authenticator| authenticator.as_slice().to_vec())
    }
}

/// A proposal that waits to be stored or dropped.
pub struct ReceivedProposal {
    sender: MessageSender,
    aad: Vec<u8>,
    removes: Member,
    inner: QueuedProposal,
}

impl ReceivedProposal {
    /// Who made it. Only the server is meant to; the caller refuses others.
    pub fn sender(&self) -> &MessageSender {
        &self.sender
    }

    /// Authenticated data beside it.
    pub fn aad(&self) -> &[u8] {
        &self.aad
    }

    /// Who shall go.
    pub fn removes(&self) -> &Member {
        &self.removes
    }
}

/// Who made a proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageSender {
    /// The external sender: the server.
    Server,
    /// A member.
    Member(Member),
}

impl Group {
    /// Processes a message from the conversation's log or a direct link.
    ///
    /// Deduplicate before: what was decrypted once cannot be decrypted again.
    ///
    /// # Errors
    /// [`ProcessError`]; never panics, whatever the bytes are.
    pub fn process(&mut self, mls: &Mls<'_>, bytes: &[u8]) -> Result<Processed, ProcessError> {
        let outside = peek(bytes)?;
        if outside.conversation.as_bytes() != self.inner.group_id().as_slice() {
            return Err(ProcessError::WrongGroup(outside.conversation));
        }
        if !self.inner.is_active() {
            return Err(ProcessError::Evicted);
        }
        if outside.epoch != self.epoch() {
            return Err(ProcessError::WrongEpoch { got: outside.epoch, have: self.epoch() });
        }
        let message = wire::protocol_message(bytes)?;
        let processed = wire::guard(|| self.inner.process_message(&mls.provider, message))
            .ok_or(Malformed::Syntax)?
            .map_err(|error| classify(error, outside.kind))?;
        self.interpret(processed)
    }

    /// Merges a commit that was looked at. Drops a pending commit of our own, which lost the race: issue its intent
    /// again. Pending proposals are gone, carried out or not.
    ///
    /// # Errors
    /// [`GroupError::Storage`], [`GroupError::Internal`].
    pub fn merge(&mut self, mls: &Mls<'_>, staged: Staged) -> Result<(), GroupError> {
        self.inner.merge_staged_commit(&mls.provider, staged.inner).map_err(not_merged)
    }

    /// Keeps a proposal for the next commit. Until then nothing can be encrypted.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn store_proposal(&mut self, mls: &Mls<'_>, proposal: ReceivedProposal) -> Result<(), StorageError> {
        self.inner.store_pending_proposal(&mls.provider.store, proposal.inner)
    }

    fn interpret(&self, processed: ProcessedMessage) -> Result<Processed, ProcessError> {
        let sender = processed.sender().clone();
        let aad = processed.aad().to_vec();
        match processed.into_content() {
            ProcessedMessageContent::ApplicationMessage(message) => {
                let Sender::Member(leaf) = sender else { return Err(Violation::WireFormat.into()) };
                let sender = self.known(leaf.into())?;
                Ok(Processed::Application { sender, aad, plaintext: message.into_bytes() })
            }
            ProcessedMessageContent::StagedCommitMessage(staged) => {
                let summary = summarize(self.inner.public_group(), &sender, aad, &staged, &self.pending_removals())?;
                let removes_us = staged.self_removed();
                Ok(Processed::Commit(Box::new(Staged { summary, removes_us, inner: *staged })))
            }
            ProcessedMessageContent::ProposalMessage(proposal) => {
                let Proposal::Remove(remove) = proposal.proposal() else {
                    return Err(Violation::Proposal(policy::name(proposal.proposal())).into());
                };
                let removes = self
                    .member(remove.removed().into())
                    .ok_or(Violation::Proposal("a Remove of a leaf that is empty"))?;
                let sender = match sender {
                    Sender::External(_) => MessageSender::Server,
                    Sender::Member(leaf) => MessageSender::Member(self.known(leaf.into())?),
                    _ => return Err(Violation::Proposal("a Remove by a stranger").into()),
                };
                Ok(Processed::Proposal(Box::new(ReceivedProposal { sender, aad, removes, inner: *proposal })))
            }
            ProcessedMessageContent::OwnPendingCommit => Ok(Processed::OwnCommit),
            ProcessedMessageContent::OwnPrivateMessage => Err(ProcessError::OwnMessage),
            ProcessedMessageContent::ExternalJoinProposalMessage(_) => {
                Err(Violation::Proposal("an Add by a stranger").into())
            }
            ProcessedMessageContent::UnresolvedAppDataCommit(_) => Err(Violation::Proposal("AppDataUpdate").into()),
        }
    }

    fn known(&self, leaf: LeafIndex) -> Result<Member, ProcessError> {
        self.member(leaf).ok_or_else(|| ProcessError::Internal("a verified sender is no member".into()))
    }
}

fn classify(error: ProcessMessageError<StorageError>, kind: Kind) -> ProcessError {
    match error {
        ProcessMessageError::StorageError(error) => error.into(),
        ProcessMessageError::LibraryError(error) => ProcessError::Internal(error.to_string()),
        ProcessMessageError::GroupStateError(MlsGroupStateError::UseAfterEviction) => ProcessError::Evicted,
        ProcessMessageError::InvalidCommit(StageCommitError::OwnCommitMismatch) => ProcessError::OwnCommitLost,
        ProcessMessageError::InvalidCommit(StageCommitError::MissingProposal) => ProcessError::MissingProposal,
        ProcessMessageError::IncompatibleWireFormat => Violation::WireFormat.into(),
        ProcessMessageError::UnsupportedProposalType
        | ProcessMessageError::UnauthorizedExternalCommitMessage
        | ProcessMessageError::UnauthorizedExternalApplicationMessage => {
            Violation::Proposal("one that the server may not make").into()
        }
        ProcessMessageError::ValidationError(error) => match error {
            ValidationError::UnableToDecrypt(MessageDecryptionError::SecretTreeError(error)) => match error {
                SecretTreeError::SecretReuseError => ProcessError::Duplicate,
                SecretTreeError::TooDistantInThePast | SecretTreeError::TooDistantInTheFuture => {
                    ProcessError::OutOfWindow
                }
                _ => ProcessError::Inauthentic,
            },
            ValidationError::UnableToDecrypt(_)
            | ValidationError::InvalidSignature
            | ValidationError::InvalidMembershipTag
            | ValidationError::MissingMembershipTag
            | ValidationError::UnauthorizedExternalSender
            | ValidationError::UnknownMember => ProcessError::Inauthentic,
            error => ProcessError::Invalid(error.to_string()),
        },
        ProcessMessageError::InvalidCommit(StageCommitError::ConfirmationTagMismatch) => ProcessError::Inauthentic,
        error => ProcessError::Invalid(format!("{kind:?}: {error}")),
    }
}
