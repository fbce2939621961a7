//! What a member checks of the group of its room: at the entry, and of every commit. The server's check is not relied on.

use std::collections::{BTreeMap, BTreeSet};

use subrosa_crypto::room::Guest;
use subrosa_mls::{CommitSummary, Group, LeafIndex, Member};

/// Why a group or commit is not believed. Who made it, or the server that let it pass, is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Breach {
    /// Another room, server or life of the room than the one that was entered.
    #[error("the group is not that of this room")]
    OtherRoom,
    /// A leaf without a guest's name.
    #[error("somebody in the room has no valid name")]
    Name,
    /// Two of one name.
    #[error("somebody has a name that another one in the room has, or that looks like it")]
    SameName,
    /// Something else than one guest entering, or the removal of those whom the server proposed.
    #[error("somebody changed the room in a way that nobody may")]
    Change,
}

/// Everybody in a group, by leaf.
pub(super) type Guests = BTreeMap<LeafIndex, Guest>;

/// Checks a group that is about to be entered.
pub(super) fn group(group: &Group, context: &[u8], server_key: &[u8; 32]) -> Result<Guests, Breach> {
    if group.certificate().as_deref() != Some(context) || group.server_key() != Some(*server_key) {
        return Err(Breach::OtherRoom);
    }
    let mut guests = Guests::new();
    let mut looks = BTreeSet::new();
    for member in group.members() {
        let guest = guest(&member)?;
        if !looks.insert(guest.look()) {
            return Err(Breach::SameName);
        }
        guests.insert(member.leaf, guest);
    }
    Ok(guests)
}

/// What an allowed commit does.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change {
    Joined(LeafIndex, Guest),
    Left(Vec<LeafIndex>),
}

/// Checks a commit of somebody else against who is in.
pub(super) fn commit(summary: &CommitSummary, guests: &Guests) -> Result<Change, Breach> {
    if !summary.added.is_empty() || !summary.updated.is_empty() || !summary.aad.is_empty() {
        return Err(Breach::Change);
    }
    if summary.external_join {
        if summary.replaced.is_some() || !summary.removed.is_empty() {
            return Err(Breach::Change);
        }
        let joined = guest(&summary.committer)?;
        let look = joined.look();
        if guests.values().any(|other| other.look() == look) {
            return Err(Breach::SameName);
        }
        return Ok(Change::Joined(summary.committer.leaf, joined));
    }
    let proposed = summary.removed.iter().all(|removal| removal.by_server);
    if summary.removed.is_empty() || !proposed || !summary.covers_pending {
        return Err(Breach::Change);
    }
    Ok(Change::Left(summary.removed.iter().map(|removal| removal.member.leaf).collect()))
}

fn guest(member: &Member) -> Result<Guest, Breach> {
    Guest::from_credential(&member.credential).ok_or(Breach::Name)
}
