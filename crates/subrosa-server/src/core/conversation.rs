//! Conversations in memory: what an append needs without asking the store, and a bound on how much that is.
//!
//! Everything here can be rebuilt from the store. What a batch touched is forgotten when the batch, or one of its
//! requests, is rolled back; the next request reads it anew.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use rusqlite::Connection;
use subrosa_mls::follower::Follower;
use subrosa_types::{ConversationId, IdempotencyKey, Sequence};

use super::failure::Failure;
use crate::store::conversations::{self, ConversationRecord, LeafRecord};
use crate::store::{DeviceNo, Stored, log};

/// Entries of a log whose idempotency keys are known. A repeat comes from a device whose connection broke with at most
/// [`subrosa_types::limits::REQUESTS_IN_FLIGHT`] requests unanswered, so it lies far closer to the head than this. (A key
/// beyond it would be found by its sender in the log, which it reads before it sends.)
pub(crate) const REMEMBERED_KEYS: usize = 8 * 1024;

/// Bytes that a key weighs in the cache, with its share of the tables.
const KEY_WEIGHT: usize = 96;
/// Bytes that a leaf weighs, and how much more when the group is followed in memory.
const LEAF_WEIGHT: usize = 48;
const FOLLOWED_LEAF_WEIGHT: usize = 6 * 1024;

/// The devices that are served, in the order of their numbers. Shared with the deliveries of a batch.
pub(crate) type Members = Arc<[DeviceNo]>;

/// A conversation.
pub(crate) struct Conversation {
    pub(crate) record: ConversationRecord,
    /// The last sequence that was given.
    pub(crate) head: Sequence,
    pub(crate) members: Members,
    pub(crate) leaves: Vec<LeafRecord>,
    keys: Option<RecentKeys>,
    follower: Option<Box<Follower>>,
    /// Changed by the batch that runs.
    dirty: bool,
    /// When it was last used, in cache ticks.
    used: u64,
}

impl Conversation {
    fn load(store: &Connection, id: ConversationId) -> Stored<Option<Self>> {
        let Some(record) = conversations::by_id(store, id)? else { return Ok(None) };
        let leaves = conversations::leaves(store, record.no)?;
        let head = log::head(store, record.no)?.max(record.pruned_through);
        let members = served(&leaves);
        Ok(Some(Self { record, head, members, leaves, keys: None, follower: None, dirty: false, used: 0 }))
    }

    /// Whether the device is served here.
    pub(crate) fn serves(&self, device: DeviceNo) -> bool {
        self.members.binary_search(&device).is_ok()
    }

    /// Takes over a new set of leaves.
    pub(crate) fn set_leaves(&mut self, leaves: Vec<LeafRecord>) {
        self.members = served(&leaves);
        self.leaves = leaves;
    }

    /// The idempotency keys of the latest entries.
    pub(crate) fn keys(&mut self, store: &Connection) -> Stored<&mut RecentKeys> {
        let keys = match self.keys.take() {
            Some(keys) => keys,
            None => RecentKeys::of(log::recent_keys(store, self.record.no, REMEMBERED_KEYS)?),
        };
        Ok(self.keys.insert(keys))
    }

    /// The public state of the group.
    pub(crate) fn follower(&mut self, store: &Connection) -> Result<&mut Follower, Failure> {
        let follower = match self.follower.take() {
            Some(follower) => follower,
            None => Box::new(Follower::load(&conversations::follower(store, self.record.no)?)?),
        };
        Ok(self.follower.insert(follower))
    }

    /// Hands over the follower of a group that was founded now.
    pub(crate) fn set_follower(&mut self, follower: Follower) {
        self.follower = Some(Box::new(follower));
    }

    fn weight(&self) -> usize {
        let keys = self.keys.as_ref().map_or(0, |keys| keys.order.len() * KEY_WEIGHT);
        let leaf = if self.follower.is_some() { LEAF_WEIGHT + FOLLOWED_LEAF_WEIGHT } else { LEAF_WEIGHT };
        512 + keys + self.leaves.len() * leaf
    }
}

fn served(leaves: &[LeafRecord]) -> Members {
    leaves.iter().filter(|leaf| !leaf.ending).map(|leaf| leaf.device).collect()
}

/// Which entry a key was appended as, for the latest entries.
#[derive(Debug, Default)]
pub(crate) struct RecentKeys {
    sequences: HashMap<IdempotencyKey, Sequence>,
    order: VecDeque<IdempotencyKey>,
}

impl RecentKeys {
    /// From the latest to the oldest.
    fn of(latest_first: Vec<(IdempotencyKey, Sequence)>) -> Self {
        let mut keys = Self::default();
        for (key, sequence) in latest_first.into_iter().rev() {
            keys.insert(key, sequence);
        }
        keys
    }

    pub(crate) fn find(&self, key: IdempotencyKey) -> Option<Sequence> {
        self.sequences.get(&key).copied()
    }

    pub(crate) fn insert(&mut self, key: IdempotencyKey, sequence: Sequence) {
        if self.order.len() >= REMEMBERED_KEYS
            && let Some(oldest) = self.order.pop_front()
        {
            self.sequences.remove(&oldest);
        }
        self.order.push_back(key);
        self.sequences.insert(key, sequence);
    }
}

/// The conversations that were used lately.
pub(crate) struct Cache {
    all: HashMap<ConversationId, Conversation>,
    tick: u64,
    /// Bytes it may hold, about.
    limit: usize,
    /// Changed by the batch that runs.
    dirty: Vec<ConversationId>,
}

impl Cache {
    pub(crate) fn new(limit: usize) -> Self {
        Self { all: HashMap::new(), tick: 0, limit, dirty: Vec::new() }
    }

    /// The conversation, for reading.
    pub(crate) fn find(&mut self, store: &Connection, id: ConversationId) -> Stored<Option<&mut Conversation>> {
        self.tick += 1;
        let conversation = match self.all.entry(id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => match Conversation::load(store, id)? {
                Some(conversation) => place.insert(conversation),
                None => return Ok(None),
            },
        };
        conversation.used = self.tick;
        Ok(Some(conversation))
    }

    /// The conversation, for a change: forgotten if the change is rolled back.
    pub(crate) fn change(&mut self, store: &Connection, id: ConversationId) -> Stored<Option<&mut Conversation>> {
        let Some(conversation) = self.find(store, id)? else { return Ok(None) };
        if !std::mem::replace(&mut conversation.dirty, true) {
            self.dirty.push(id);
        }
        Ok(self.all.get_mut(&id))
    }

    /// The store changed under it, or a request that changed it was rolled back.
    pub(crate) fn forget(&mut self, id: ConversationId) {
        self.all.remove(&id);
    }

    /// The batch is on disk.
    pub(crate) fn commit(&mut self) {
        for id in self.dirty.drain(..) {
            if let Some(conversation) = self.all.get_mut(&id) {
                conversation.dirty = false;
            }
        }
        if self.tick.is_multiple_of(64) || self.all.len() > 1024 {
            self.shrink();
        }
    }

    /// What the batch changed is not true.
    pub(crate) fn roll_back(&mut self) {
        for id in self.dirty.drain(..) {
            self.all.remove(&id);
        }
    }

    /// What one request changed is not true; the rest of the batch may be. Both are read anew.
    pub(crate) fn forget_dirty(&mut self) {
        self.roll_back();
    }

    fn shrink(&mut self) {
        let mut weight: usize = self.all.values().map(Conversation::weight).sum();
        if weight <= self.limit {
            return;
        }
        let mut by_age: Vec<_> = self.all.values().map(|one| (one.used, one.record.id, one.weight())).collect();
        by_age.sort_unstable();
        for (_, id, one) in by_age {
            if weight <= self.limit / 4 * 3 {
                break;
            }
            self.all.remove(&id);
            weight -= one;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_keys_are_remembered_and_no_more() {
        let key = |number: usize| {
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&number.to_be_bytes());
            IdempotencyKey::from_bytes(bytes)
        };
        let mut keys = RecentKeys::default();
        for number in 0..REMEMBERED_KEYS + 10 {
            keys.insert(key(number), Sequence(number as u64));
        }
        assert_eq!(keys.find(key(9)), None);
        assert_eq!(keys.find(key(10)), Some(Sequence(10)));
        assert_eq!(keys.sequences.len(), REMEMBERED_KEYS);
    }
}
