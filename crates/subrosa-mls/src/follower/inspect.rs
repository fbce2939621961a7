//! Looks at a handshake before it is ordered.

use openmls::group::{PublicProcessMessageError, QueuedProposal, StageCommitError, StagedCommit};
use openmls::prelude::{ProcessedMessageContent, Proposal, Sender};
use subrosa_types::Epoch;

use super::{FollowError, Follower};
use crate::group::MessageSender;
use crate::member::Member;
use crate::peek::{Kind, peek};
use crate::policy::{self, Violation};
use crate::summary::{CommitSummary, summarize};
use crate::wire::{self, Malformed};

/// What a handshake turned out to be. Dropping it leaves the follower as it is.
pub enum Inspected {
    /// A commit.
    Commit(Box<InspectedCommit>),
    /// A proposal.
    Proposal(Box<InspectedProposal>),
}

/// A valid commit that waits for [`Follower::merge`].
pub struct InspectedCommit {
    summary: CommitSummary,
    staged: StagedCommit,
    /// The state that it follows on.
    confirmation_tag: openmls::messages::ConfirmationTag,
}

impl InspectedCommit {
    /// What it does.
    pub fn summary(&self) -> &CommitSummary {
        &self.summary
    }
}

/// A valid proposal that waits for [`Follower::store_proposal`].
pub struct InspectedProposal {
    sender: MessageSender,
    aad: Vec<u8>,
    removes: Member,
    epoch: Epoch,
    proposal: QueuedProposal,
}

impl InspectedProposal {
    /// Who made it. Clients are not meant to: the server makes its own by [`Follower::propose_remove`].
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

impl Follower {
    /// Verifies a commit or proposal for the current epoch and says what it does. Changes nothing.
    ///
    /// Checked are the signature, RFC 9420 §12.2 to §12.4 as far as public state allows, and our own rules: only Add,
    /// Remove, Update and an external join of oneself.
    ///
    /// # Errors
    /// [`FollowError`]; never panics, whatever the bytes are.
    pub fn inspect(&self, bytes: &[u8]) -> Result<Inspected, FollowError> {
        let outside = peek(bytes)?;
        if outside.kind == Kind::Application {
            return Err(FollowError::NotAHandshake);
        }
        if outside.conversation != self.conversation {
            return Err(FollowError::WrongGroup(outside.conversation));
        }
        if outside.epoch != self.epoch() {
            return Err(FollowError::WrongEpoch { got: outside.epoch, have: self.epoch() });
        }
        let message = wire::protocol_message(bytes)?;
        let processed = wire::guard(|| self.group.process_message(&self.crypto, message))
            .ok_or(Malformed::Syntax)?
            .map_err(classify)?;
        let sender = processed.sender().clone();
        let aad = processed.aad().to_vec();
        match processed.into_content() {
            ProcessedMessageContent::StagedCommitMessage(staged) => {
                let summary = summarize(&self.group, &sender, aad, &staged, &self.pending)?;
                let confirmation_tag = self.group.confirmation_tag().clone();
                Ok(Inspected::Commit(Box::new(InspectedCommit { summary, staged: *staged, confirmation_tag })))
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
                    Sender::Member(leaf) => MessageSender::Member(
                        self.member(leaf.into()).ok_or(Violation::Proposal("a Remove by a stranger"))?,
                    ),
                    _ => return Err(Violation::Proposal("a Remove by a stranger").into()),
                };
                let (epoch, proposal) = (self.epoch(), *proposal);
                Ok(Inspected::Proposal(Box::new(InspectedProposal { sender, aad, removes, epoch, proposal })))
            }
            ProcessedMessageContent::UnresolvedAppDataCommit(_) => Err(Violation::Proposal("AppDataUpdate").into()),
            _ => Err(Violation::Proposal("an Add by a stranger").into()),
        }
    }

    /// Takes the step that was inspected. Pending proposals are gone, carried out or not.
    ///
    /// # Errors
    /// [`FollowError::Stale`] if another step was taken since; [`FollowError::Memory`].
    pub fn merge(&mut self, commit: InspectedCommit) -> Result<(), FollowError> {
        if commit.confirmation_tag != *self.group.confirmation_tag() {
            return Err(FollowError::Stale);
        }
        self.group
            .merge_commit(&self.memory, commit.staged)
            .map_err(|error| FollowError::Internal(error.to_string()))?;
        self.pending.clear();
        Ok(())
    }

    /// Keeps a proposal, so that a commit that refers to it can be followed.
    ///
    /// # Errors
    /// [`FollowError::Stale`], [`FollowError::Memory`].
    pub fn store_proposal(&mut self, proposal: InspectedProposal) -> Result<(), FollowError> {
        if proposal.epoch != self.epoch() {
            return Err(FollowError::Stale);
        }
        self.group.add_proposal(&self.memory, proposal.proposal)?;
        if !self.pending.contains(&proposal.removes.leaf) {
            self.pending.push(proposal.removes.leaf);
        }
        Ok(())
    }
}

fn classify(error: PublicProcessMessageError) -> FollowError {
    match error {
        PublicProcessMessageError::LibraryError(error) => FollowError::Internal(error.to_string()),
        PublicProcessMessageError::InvalidCommit(StageCommitError::MissingProposal) => FollowError::MissingProposal,
        PublicProcessMessageError::IncompatibleWireFormat => Violation::WireFormat.into(),
        PublicProcessMessageError::UnsupportedProposalType
        | PublicProcessMessageError::UnauthorizedExternalCommitMessage
        | PublicProcessMessageError::UnauthorizedExternalApplicationMessage => {
            Violation::Proposal("one that the server may not make").into()
        }
        error => FollowError::Invalid(error.to_string()),
    }
}
