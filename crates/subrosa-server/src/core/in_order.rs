//! What a device sends in one conversation stays in its order, also when some of it is refused for now.
//!
//! Several messages are on their way at once. When one is refused that will come again (`RATE_LIMITED`, `STORE_UNAVAILABLE`),
//! those behind it are refused as well, until it comes again or was waited for long enough. One of these a session: an order
//! is kept within a connection, and the client sends everything anew after it.

use std::collections::BTreeMap;

use subrosa_types::{ConversationId, IdempotencyKey, Timestamp, limits};
use subrosa_wire::Refusal;

/// How long a refused message is waited for, in milliseconds: longer than those behind it are on their way.
const WAIT_MS: i64 = 10_000;

/// The message of a conversation that was refused for now. What was sent behind it must not overtake it.
#[derive(Debug, Clone, Default)]
pub(crate) struct InOrder(BTreeMap<ConversationId, (IdempotencyKey, Timestamp, Refusal)>);

impl InOrder {
    /// Whether this message may come now, or else what is said to it.
    pub(crate) fn check(&mut self, id: ConversationId, key: IdempotencyKey, now: Timestamp) -> Result<(), Refusal> {
        match self.0.get(&id) {
            None => Ok(()),
            Some((first, until, refusal)) if *first != key && *until > now => Err(*refusal),
            Some(_) => {
                self.0.remove(&id);
                Ok(())
            }
        }
    }

    /// This message was refused for now: it is the next one, unless there is one before it.
    pub(crate) fn refused(&mut self, id: ConversationId, key: IdempotencyKey, now: Timestamp, refusal: Refusal) {
        self.0.retain(|_, (_, until, _)| *until > now);
        if self.0.len() < limits::REQUESTS_IN_FLIGHT {
            self.0.entry(id).or_insert((key, now.plus_millis(WAIT_MS), refusal));
        }
    }
}
