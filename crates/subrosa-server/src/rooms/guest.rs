//! Somebody on the way into a room or in it.

use subrosa_crypto::room::Guest;
use subrosa_mls::LeafIndex;

use super::fair::Source;
use crate::core::Bucket;

/// A connection that was admitted to a room.
#[derive(Debug)]
pub(super) struct Present {
    pub(super) guest: Guest,
    pub(super) source: Source,
    /// The key that its leaf must have.
    pub(super) key: [u8; 32],
    /// Where it is in the group; `None` while it waits to get in.
    pub(super) leaf: Option<LeafIndex>,
    /// Turns to remove that it let pass.
    pub(super) turns_lost: u32,
    pub(super) messages: Bucket,
    /// Requests that are no messages.
    pub(super) changes: Bucket,
}

impl Present {
    pub(super) fn new(guest: Guest, source: Source, key: [u8; 32]) -> Self {
        let (messages, changes) = (Bucket::default(), Bucket::default());
        Self { guest, source, key, leaf: None, turns_lost: 0, messages, changes }
    }
}
