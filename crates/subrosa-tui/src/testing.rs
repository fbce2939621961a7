//! Things that tests share.

use subrosa_client::api::{MessageRow, Via};
use subrosa_types::{ConversationId, MessageId, Timestamp};

/// 2026-11-21 09:22 UTC.
pub const NOW: Timestamp = Timestamp(1_795_252_951_120);

/// A message of somebody else in `#garden`, a minute after the one before it.
pub fn message(number: u32, from: &str, text: &str) -> MessageRow {
    let mut id = [0; 16];
    id[12..].copy_from_slice(&number.to_be_bytes());
    let at = NOW.plus_millis((i64::from(number) - 100) * 60_000);
    MessageRow {
        id: MessageId::from_bytes(id),
        chat: "#garden".into(),
        conversation: ConversationId::from_bytes([2; 16]),
        from: from.into(),
        own: false,
        text: text.into(),
        sent_at: at,
        received_at: at,
        via: Via::Server,
        verified: false,
        unread: false,
        pending: false,
        delivered: false,
    }
}
