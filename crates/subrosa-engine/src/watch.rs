//! What tests and the simulation look at; nothing here changes anything.

use rusqlite::Connection;
use subrosa_types::{ConversationId, Epoch};

use crate::engine::Engine;
use crate::incoming::LogBuffer;

impl Engine {
    /// Epoch and epoch authenticator (RFC 9420 §8.7) of a conversation, if this device is in its group.
    pub fn epoch_authenticator(&mut self, conversation: ConversationId) -> Option<(Epoch, Vec<u8>)> {
        let group = self.group(conversation).ok().flatten()?;
        Some((group.epoch(), group.epoch_authenticator()))
    }

    /// How many things from the server wait in memory: log entries, inbox items, accounts to look up.
    pub fn waiting_in_memory(&self) -> usize {
        let entries: usize = self.sync.logs.values().map(LogBuffer::len).sum();
        entries
            + self.direct.waiting_in_memory()
            + self.sync.heads.len()
            + self.sync.inbox.len()
            + self.sync.wanted.len()
            + self.sync.unannounced.len()
    }

    /// The store. Writing to it behind the engine's back is no good idea.
    pub const fn danger_store(&self) -> &Connection {
        &self.connection
    }
}
