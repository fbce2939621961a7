//! What a commit does, in the words of the rest of the system.
//!
//! A commit is looked at before it is merged: the server against the role log before it orders it, every member again
//! before it believes it. Both get the same [`CommitSummary`], made by the same function from OpenMLS' staged commit.

use std::collections::BTreeSet;

use openmls::group::{PublicGroup, StagedCommit};
use openmls::prelude::{LeafNode, LeafNodeIndex, Proposal, Sender};
use subrosa_types::Epoch;

use crate::member::{LeafIndex, Member};
use crate::policy::{self, Violation};

/// What a commit does, completely: nothing that is not named here happens when it is merged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitSummary {
    /// Who committed. For a member, as it was *before* the commit (that key signed it); for an external join, the new
    /// leaf.
    pub committer: Member,
    /// Whether the committer was no member before (RFC 9420 §12.4.3.2).
    pub external_join: bool,
    /// The leaf that an external join replaces: the same signature key came back after losing its state.
    pub replaced: Option<Member>,
    /// The commit's authenticated data, readable by the server.
    pub aad: Vec<u8>,
    /// New members, with the leaves they get.
    pub added: Vec<Member>,
    /// Members that go, without [`Self::replaced`].
    pub removed: Vec<Removal>,
    /// Leaves whose credential or signature key changes. Renewed encryption keys are not named: they mean nothing.
    pub updated: Vec<LeafUpdate>,
    /// The epoch that the commit leads to.
    pub epoch: Epoch,
    /// Whether the commit carries a path, so that its committer's keys (and the epoch's entropy) are renewed.
    pub has_path: bool,
    /// Whether every member whose removal was pending is gone afterwards. False only for a commit that passes over a
    /// proposal of the server; an external join always does, because RFC 9420 lets it refer to none.
    pub covers_pending: bool,
}

/// A member that a commit removes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// Who goes.
    pub member: Member,
    /// Whether the server proposed it, also where the committer said it again (OpenMLS keeps one of the two); otherwise
    /// only the committer did.
    pub by_server: bool,
}

/// A leaf that shows another credential or signature key after the commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeafUpdate {
    /// As it was.
    pub before: Member,
    /// As it will be.
    pub after: Member,
}

/// Describes `staged`, which `group` accepted as valid, and checks it against our rules.
pub(crate) fn summarize(
    group: &PublicGroup,
    sender: &Sender,
    aad: Vec<u8>,
    staged: &StagedCommit,
    pending: &[LeafIndex],
) -> Result<CommitSummary, Violation> {
    policy::check_commit(staged)?;
    let external_join = matches!(sender, Sender::NewMemberCommit);
    let committer = match sender {
        Sender::Member(leaf) => member(group, *leaf)?,
        Sender::NewMemberCommit => {
            let leaf = group.ext_commit_sender_index(staged).map_err(|_| Violation::Proposal("ExternalInit"))?;
            let node = staged.update_path_leaf_node().ok_or(Violation::Proposal("ExternalInit"))?;
            Member::of_leaf(leaf, node)
        }
        Sender::External(_) | Sender::NewMemberProposal => return Err(Violation::Proposal("a commit by a stranger")),
    };

    let mut summary = CommitSummary {
        committer,
        external_join,
        replaced: None,
        aad,
        added: Vec::new(),
        removed: Vec::new(),
        updated: Vec::new(),
        epoch: Epoch(staged.group_context().epoch().as_u64()),
        has_path: staged.update_path_leaf_node().is_some(),
        covers_pending: false,
    };
    for queued in staged.queued_proposals() {
        match (queued.proposal(), queued.sender()) {
            (Proposal::Remove(remove), proposer) => {
                let member = member(group, remove.removed())?;
                if external_join {
                    if member.signature_key != summary.committer.signature_key {
                        return Err(Violation::ForeignResync);
                    }
                    summary.replaced = Some(member);
                } else {
                    let by_server = matches!(proposer, Sender::External(_)) || pending.contains(&member.leaf);
                    summary.removed.push(Removal { member, by_server });
                }
            }
            (Proposal::Update(update), Sender::Member(leaf)) => {
                note_update(group, *leaf, update.leaf_node(), &mut summary.updated)?;
            }
            _ => {}
        }
    }
    if let (Sender::Member(leaf), Some(node)) = (sender, staged.update_path_leaf_node()) {
        note_update(group, *leaf, node, &mut summary.updated)?;
    }
    summary.added = added(group, staged, &summary.removed);
    let gone = |leaf: &LeafIndex| {
        summary
            .removed
            .iter()
            .map(|removal| &removal.member)
            .chain(&summary.replaced)
            .any(|member| member.leaf == *leaf)
    };
    summary.covers_pending = pending.iter().all(gone);
    Ok(summary)
}

fn member(group: &PublicGroup, leaf: LeafNodeIndex) -> Result<Member, Violation> {
    let node = group.leaf(leaf).ok_or(Violation::Proposal("one about a leaf that is empty"))?;
    Ok(Member::of_leaf(leaf, node))
}

fn note_update(
    group: &PublicGroup,
    leaf: LeafNodeIndex,
    node: &LeafNode,
    updated: &mut Vec<LeafUpdate>,
) -> Result<(), Violation> {
    let before = member(group, leaf)?;
    let after = Member::of_leaf(leaf, node);
    if before != after {
        updated.push(LeafUpdate { before, after });
    }
    Ok(())
}

/// New members take the leftmost leaves that are free once the removals are done (RFC 9420 §12.1.1).
fn added(group: &PublicGroup, staged: &StagedCommit, removed: &[Removal]) -> Vec<Member> {
    let mut taken: BTreeSet<u32> = group.members().map(|member| member.index.u32()).collect();
    for removal in removed {
        taken.remove(&removal.member.leaf.0);
    }
    let mut free = (0..).filter(|leaf| !taken.contains(leaf));
    staged
        .add_proposals()
        .zip(&mut free)
        .map(|(add, leaf)| Member::of_leaf(LeafIndex(leaf), add.add_proposal().key_package().leaf_node()))
        .collect()
}
