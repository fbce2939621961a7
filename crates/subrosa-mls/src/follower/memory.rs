//! The follower's store: the five things that make up a public group, encoded, in memory.
//!
//! OpenMLS writes all of them at each merge, so [`Memory::save`] only puts lengths between what is there. postcard: a
//! third smaller than MessagePack and ten times as fast to write, which counts for a tree of megabytes.

use std::cell::RefCell;

use openmls_traits::public_storage::PublicStorageProvider;
use openmls_traits::storage::{CURRENT_VERSION as V, traits};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// First byte of a saved follower. A change of OpenMLS' stored form needs a new number and a way to read the old one.
pub const FOLLOWER_VERSION: u8 = 1;

/// Why a follower's state cannot be read or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MemoryError {
    /// A newer program wrote it.
    #[error("the saved group state has version {0}, which this program does not know; use a newer one")]
    UnknownVersion(u8),
    /// The store is damaged.
    #[error("the saved group state is damaged")]
    Damaged,
    /// A value could not be encoded. We are to blame.
    #[error("group state could not be encoded")]
    Unencodable,
}

type Done = Result<(), MemoryError>;
type Found<T> = Result<Option<T>, MemoryError>;

#[derive(Debug, Clone, Copy)]
#[repr(usize)]
enum Slot {
    Tree,
    Context,
    InterimTranscriptHash,
    ConfirmationTag,
}

const SLOTS: usize = 4;

/// State of one group; the group id that each method gets is not looked at. An empty slot holds nothing.
#[derive(Default)]
pub(super) struct Memory {
    slots: RefCell<[Vec<u8>; SLOTS]>,
    /// Reference and proposal, in the order in which they came.
    proposals: RefCell<Vec<(Vec<u8>, Vec<u8>)>>,
}

impl Memory {
    pub(super) fn save(&self) -> Vec<u8> {
        let slots = self.slots.borrow();
        let proposals = self.proposals.borrow();
        let parts = || slots.iter().chain(proposals.iter().flat_map(|(reference, value)| [reference, value]));
        let mut blob = Vec::with_capacity(1 + parts().map(|part| 4 + part.len()).sum::<usize>());
        blob.push(FOLLOWER_VERSION);
        for part in parts() {
            // A part beyond 4 GiB does not exist: a commit has at most 8 MiB.
            blob.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
            blob.extend_from_slice(part);
        }
        blob
    }

    pub(super) fn load(blob: &[u8]) -> Result<Self, MemoryError> {
        let (&version, mut rest) = blob.split_first().ok_or(MemoryError::Damaged)?;
        if version != FOLLOWER_VERSION {
            return Err(MemoryError::UnknownVersion(version));
        }
        let mut part = || {
            let (length, after) = rest.split_first_chunk::<4>()?;
            let (part, after) = after.split_at_checked(u32::from_be_bytes(*length) as usize)?;
            rest = after;
            Some((part.to_vec(), rest.is_empty()))
        };
        let memory = Self::default();
        let mut last = false;
        for slot in memory.slots.borrow_mut().iter_mut() {
            (*slot, last) = part().ok_or(MemoryError::Damaged)?;
        }
        while !last {
            let (reference, _) = part().ok_or(MemoryError::Damaged)?;
            let (value, end) = part().ok_or(MemoryError::Damaged)?;
            memory.proposals.borrow_mut().push((reference, value));
            last = end;
        }
        Ok(memory)
    }

    fn put(&self, slot: Slot, value: &impl Serialize) -> Done {
        let encoded = encode(value)?;
        self.slots.borrow_mut()[slot as usize] = encoded;
        Ok(())
    }

    fn get<T: DeserializeOwned>(&self, slot: Slot) -> Found<T> {
        let slots = self.slots.borrow();
        let bytes = &slots[slot as usize];
        if bytes.is_empty() { Ok(None) } else { decode(bytes).map(Some) }
    }

    fn clear(&self, slot: Slot) -> Done {
        self.slots.borrow_mut()[slot as usize].clear();
        Ok(())
    }
}

fn encode(value: &impl Serialize) -> Result<Vec<u8>, MemoryError> {
    postcard::to_stdvec(value).map_err(|_| MemoryError::Unencodable)
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, MemoryError> {
    postcard::from_bytes(bytes).map_err(|_| MemoryError::Damaged)
}

impl PublicStorageProvider<V> for Memory {
    type PublicError = MemoryError;

    fn write_tree<G: traits::GroupId<V>, T: traits::TreeSync<V>>(&self, _: &G, value: &T) -> Done {
        self.put(Slot::Tree, value)
    }

    fn tree<G: traits::GroupId<V>, T: traits::TreeSync<V>>(&self, _: &G) -> Found<T> {
        self.get(Slot::Tree)
    }

    fn delete_tree<G: traits::GroupId<V>>(&self, _: &G) -> Done {
        self.clear(Slot::Tree)
    }

    fn write_context<G: traits::GroupId<V>, T: traits::GroupContext<V>>(&self, _: &G, value: &T) -> Done {
        self.put(Slot::Context, value)
    }

    fn group_context<G: traits::GroupId<V>, T: traits::GroupContext<V>>(&self, _: &G) -> Found<T> {
        self.get(Slot::Context)
    }

    fn delete_context<G: traits::GroupId<V>>(&self, _: &G) -> Done {
        self.clear(Slot::Context)
    }

    fn write_interim_transcript_hash<G: traits::GroupId<V>, T: traits::InterimTranscriptHash<V>>(
        &self,
        _: &G,
        value: &T,
    ) -> Done {
        self.put(Slot::InterimTranscriptHash, value)
    }

    fn interim_transcript_hash<G: traits::GroupId<V>, T: traits::InterimTranscriptHash<V>>(&self, _: &G) -> Found<T> {
        self.get(Slot::InterimTranscriptHash)
    }

    fn delete_interim_transcript_hash<G: traits::GroupId<V>>(&self, _: &G) -> Done {
        self.clear(Slot::InterimTranscriptHash)
    }

    fn write_confirmation_tag<G: traits::GroupId<V>, T: traits::ConfirmationTag<V>>(&self, _: &G, value: &T) -> Done {
        self.put(Slot::ConfirmationTag, value)
    }

    fn confirmation_tag<G: traits::GroupId<V>, T: traits::ConfirmationTag<V>>(&self, _: &G) -> Found<T> {
        self.get(Slot::ConfirmationTag)
    }

    fn delete_confirmation_tag<G: traits::GroupId<V>>(&self, _: &G) -> Done {
        self.clear(Slot::ConfirmationTag)
    }

    fn queue_proposal<G: traits::GroupId<V>, R: traits::ProposalRef<V>, T: traits::QueuedProposal<V>>(
        &self,
        _: &G,
        reference: &R,
        proposal: &T,
    ) -> Done {
        let entry = (encode(reference)?, encode(proposal)?);
        let mut proposals = self.proposals.borrow_mut();
        proposals.retain(|(known, _)| *known != entry.0);
        proposals.push(entry);
        Ok(())
    }

    fn queued_proposals<G: traits::GroupId<V>, R: traits::ProposalRef<V>, T: traits::QueuedProposal<V>>(
        &self,
        _: &G,
    ) -> Result<Vec<(R, T)>, MemoryError> {
        let proposals = self.proposals.borrow();
        proposals.iter().map(|(reference, proposal)| Ok((decode(reference)?, decode(proposal)?))).collect()
    }

    fn remove_proposal<G: traits::GroupId<V>, R: traits::ProposalRef<V>>(&self, _: &G, reference: &R) -> Done {
        let reference = encode(reference)?;
        self.proposals.borrow_mut().retain(|(known, _)| *known != reference);
        Ok(())
    }

    fn clear_proposal_queue<G: traits::GroupId<V>, R: traits::ProposalRef<V>>(&self, _: &G) -> Done {
        self.proposals.borrow_mut().clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled() -> Memory {
        let memory = Memory::default();
        *memory.slots.borrow_mut() = [vec![1, 2], vec![3], vec![4], vec![5]];
        memory.proposals.borrow_mut().push((vec![6], vec![7, 8]));
        memory
    }

    #[test]
    fn a_saved_follower_is_a_version_and_its_parts_with_lengths() {
        let expected =
            [1, 0, 0, 0, 2, 1, 2, 0, 0, 0, 1, 3, 0, 0, 0, 1, 4, 0, 0, 0, 1, 5, 0, 0, 0, 1, 6, 0, 0, 0, 2, 7, 8];
        assert_eq!(filled().save(), expected);
        assert_eq!(Memory::load(&expected).expect("loaded").save(), expected);
    }

    #[test]
    fn an_unknown_version_and_damage_are_told_apart() {
        let mut blob = filled().save();
        for length in 1..blob.len() {
            // Cut after a whole number of parts it is another follower, never a panic.
            let _ = Memory::load(&blob[..length]);
        }
        assert_eq!(Memory::load(&blob[..blob.len() - 1]).err(), Some(MemoryError::Damaged));
        assert_eq!(Memory::load(&[]).err(), Some(MemoryError::Damaged));
        blob[0] = 9;
        assert_eq!(Memory::load(&blob).err(), Some(MemoryError::UnknownVersion(9)));
    }
}
