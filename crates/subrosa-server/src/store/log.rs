//! The logs of all conversations in one table, in the order of conversations and sequences.
//!
//! A row's key is `conversation number << 40 | sequence`: one integer, so that a conversation's entries lie side by side
//! and an append writes one row and no index. 2²³ conversations of 2⁴⁰ entries each fit.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension};
use subrosa_types::{IdempotencyKey, Sequence, Timestamp};

use super::{ConversationNo, StoreError, Stored, signed, unsigned};

const SEQUENCE_BITS: u32 = 40;

/// The row of an entry.
pub(crate) fn position(conversation: ConversationNo, sequence: Sequence) -> i64 {
    conversation.0 << SEQUENCE_BITS | signed(sequence.0)
}

fn sequence(position: i64) -> Sequence {
    Sequence(unsigned(position & ((1 << SEQUENCE_BITS) - 1)))
}

/// One entry.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) sequence: Sequence,
    pub(crate) at: Timestamp,
    pub(crate) key: IdempotencyKey,
    pub(crate) message: Bytes,
}

pub(crate) fn append(
    store: &Connection,
    conversation: ConversationNo,
    sequence: Sequence,
    at: Timestamp,
    key: IdempotencyKey,
    message: &[u8],
) -> Stored<()> {
    store.prepare_cached("INSERT INTO log (position, at, key, message) VALUES (?1, ?2, ?3, ?4)")?.execute((
        position(conversation, sequence),
        at.0,
        key.as_bytes(),
        message,
    ))?;
    Ok(())
}

/// The last entry that is kept; 0 if none is.
pub(crate) fn head(store: &Connection, conversation: ConversationNo) -> Stored<Sequence> {
    let last: Option<i64> = store
        .prepare_cached("SELECT max(position) FROM log WHERE position > ?1 AND position < ?2")?
        .query_row((conversation.0 << SEQUENCE_BITS, (conversation.0 + 1) << SEQUENCE_BITS), |row| row.get(0))?;
    Ok(last.map_or(Sequence(0), sequence))
}

/// Entries behind `after`: at most `entries`, and no more than `bytes` of messages unless the first is larger.
pub(crate) fn page(
    store: &Connection,
    conversation: ConversationNo,
    after: Sequence,
    entries: usize,
    bytes: usize,
) -> Stored<Vec<Entry>> {
    let mut statement = store.prepare_cached(
        "SELECT position, at, key, message FROM log WHERE position > ?1 AND position < ?2 ORDER BY position LIMIT ?3",
    )?;
    let mut rows =
        statement.query((position(conversation, after), (conversation.0 + 1) << SEQUENCE_BITS, entries as i64))?;
    let mut page = Vec::new();
    let mut total = 0;
    while let Some(row) = rows.next()? {
        let message = row.get_ref(3)?.as_blob().map_err(rusqlite::Error::from)?;
        total += message.len() + 40;
        if total > bytes && !page.is_empty() {
            break;
        }
        let key = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
        page.push(Entry {
            sequence: sequence(row.get(0)?),
            at: Timestamp(row.get(1)?),
            key: IdempotencyKey::from_slice(key).map_err(|_| StoreError::Damaged("a log entry"))?,
            message: Bytes::copy_from_slice(message),
        });
    }
    Ok(page)
}

/// When and under which key an entry was appended.
pub(crate) fn receipt(
    store: &Connection,
    conversation: ConversationNo,
    sequence: Sequence,
) -> Stored<Option<(Timestamp, Vec<u8>)>> {
    Ok(store
        .prepare_cached("SELECT at, key FROM log WHERE position = ?1")?
        .query_row([position(conversation, sequence)], |row| Ok((Timestamp(row.get(0)?), row.get(1)?)))
        .optional()?)
}

/// The idempotency keys of the last `limit` entries, the latest first.
pub(crate) fn recent_keys(
    store: &Connection,
    conversation: ConversationNo,
    limit: usize,
) -> Stored<Vec<(IdempotencyKey, Sequence)>> {
    let mut statement = store.prepare_cached(
        "SELECT key, position FROM log WHERE position > ?1 AND position < ?2 ORDER BY position DESC LIMIT ?3",
    )?;
    let mut rows =
        statement.query((conversation.0 << SEQUENCE_BITS, (conversation.0 + 1) << SEQUENCE_BITS, limit as i64))?;
    let mut keys = Vec::new();
    while let Some(row) = rows.next()? {
        let key = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
        let key = IdempotencyKey::from_slice(key).map_err(|_| StoreError::Damaged("a log entry"))?;
        keys.push((key, sequence(row.get(1)?)));
    }
    Ok(keys)
}

/// Deletes up to `limit` of the oldest entries of a conversation that were accepted before `before`, and notes how far.
///
/// The head of the log is never lost: what is pruned is written into the conversation's row.
pub(crate) fn prune(
    store: &Connection,
    conversation: ConversationNo,
    before: Timestamp,
    limit: usize,
) -> Stored<usize> {
    // Times need not be in order when the clock was set back, so the first entry that must stay ends the range.
    let low = conversation.0 << SEQUENCE_BITS;
    let high = (conversation.0 + 1) << SEQUENCE_BITS;
    let stays: Option<i64> = store
        .prepare_cached(
            "SELECT position FROM log WHERE position > ?1 AND position < ?2 AND at >= ?3 ORDER BY position LIMIT 1",
        )?
        .query_row((low, high, before.0), |row| row.get(0))
        .optional()?;
    let last: Option<i64> = store
        .prepare_cached(
            "SELECT max(position) FROM (SELECT position FROM log WHERE position > ?1 AND position < ?2
             ORDER BY position LIMIT ?3)",
        )?
        .query_row((low, stays.unwrap_or(high), limit as i64), |row| row.get(0))?;
    let Some(last) = last else { return Ok(0) };
    let gone = store.prepare_cached("DELETE FROM log WHERE position > ?1 AND position <= ?2")?.execute((low, last))?;
    store
        .prepare_cached("UPDATE conversation SET pruned_through = ?2 WHERE no = ?1")?
        .execute((conversation, signed(sequence(last).0)))?;
    Ok(gone)
}

/// Conversations whose oldest entry was accepted before `before`.
pub(crate) fn with_entries_before(store: &Connection, before: Timestamp) -> Stored<Vec<ConversationNo>> {
    let mut statement = store.prepare_cached(
        "SELECT no FROM conversation WHERE state <> 0 AND
           (SELECT at FROM log WHERE position > no << 40 AND position < (no + 1) << 40 ORDER BY position LIMIT 1) < ?1",
    )?;
    let rows = statement.query_map([before.0], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_names_its_conversation_and_sequence() {
        assert_eq!(position(ConversationNo(3), Sequence(5)), 3 << 40 | 5);
        assert_eq!(sequence(position(ConversationNo(3), Sequence(5))), Sequence(5));
    }

    #[test]
    fn a_page_ends_at_its_limits_but_holds_at_least_one_entry() {
        let store = crate::store::danger_open_in_memory().unwrap();
        for number in 1..=5 {
            let key = IdempotencyKey::from_bytes([number as u8; 16]);
            append(&store, ConversationNo(7), Sequence(number), Timestamp(9), key, &[0; 1000]).unwrap();
        }
        append(&store, ConversationNo(8), Sequence(1), Timestamp(9), IdempotencyKey::from_bytes([9; 16]), &[1])
            .unwrap();
        let sequences = |after, entries, bytes| -> Vec<u64> {
            page(&store, ConversationNo(7), Sequence(after), entries, bytes)
                .unwrap()
                .into_iter()
                .map(|entry| entry.sequence.0)
                .collect()
        };
        assert_eq!(sequences(0, 100, 1 << 20), [1, 2, 3, 4, 5]);
        assert_eq!(sequences(3, 100, 1 << 20), [4, 5]);
        assert_eq!(sequences(0, 2, 1 << 20), [1, 2]);
        assert_eq!(sequences(0, 100, 2100), [1, 2]);
        assert_eq!(sequences(0, 100, 1), [1]);
        assert_eq!(head(&store, ConversationNo(7)).unwrap(), Sequence(5));
        assert_eq!(head(&store, ConversationNo(9)).unwrap(), Sequence(0));
        assert_eq!(recent_keys(&store, ConversationNo(7), 2).unwrap()[0].1, Sequence(5));
    }
}
