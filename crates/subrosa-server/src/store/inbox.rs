//! Device inboxes, and the welcomes that their items refer to.

use rusqlite::{Connection, OptionalExtension};
use subrosa_types::{ConversationId, Epoch, Sequence, Timestamp};

use super::log::position;
use super::{ConversationNo, DeviceNo, StoreError, Stored, signed, unsigned};

/// What an inbox item says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The device was added by the commit at this sequence, and a welcome waits.
    Welcome,
    /// The device is no longer in the conversation since this sequence.
    Removed,
    /// The account is in a conversation that this device is not in.
    Joinable,
}

impl Kind {
    const fn code(self) -> i64 {
        match self {
            Self::Welcome => 1,
            Self::Removed => 2,
            Self::Joinable => 3,
        }
    }

    fn from_code(code: i64) -> Stored<Self> {
        match code {
            1 => Ok(Self::Welcome),
            2 => Ok(Self::Removed),
            3 => Ok(Self::Joinable),
            _ => Err(StoreError::Damaged("an inbox item")),
        }
    }
}

/// One item.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Item {
    pub(crate) position: u64,
    pub(crate) at: Timestamp,
    pub(crate) kind: Kind,
    pub(crate) conversation: ConversationId,
    pub(crate) sequence: Sequence,
}

/// Puts an item into the inbox and returns its position.
pub(crate) fn push(
    store: &Connection,
    device: DeviceNo,
    at: Timestamp,
    kind: Kind,
    conversation: ConversationNo,
    sequence: Sequence,
) -> Stored<u64> {
    let position: i64 = store
        .prepare_cached("UPDATE device SET inbox_head = inbox_head + 1 WHERE no = ?1 RETURNING inbox_head")?
        .query_row([device], |row| row.get(0))?;
    store
        .prepare_cached(
            "INSERT INTO inbox (device, position, at, kind, conversation, sequence) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute((device, position, at.0, kind.code(), conversation, signed(sequence.0)))?;
    Ok(unsigned(position))
}

pub(crate) fn head(store: &Connection, device: DeviceNo) -> Stored<u64> {
    let head =
        store.prepare_cached("SELECT inbox_head FROM device WHERE no = ?1")?.query_row([device], |row| row.get(0))?;
    Ok(unsigned(head))
}

pub(crate) fn page(store: &Connection, device: DeviceNo, after: u64, limit: usize) -> Stored<Vec<Item>> {
    let mut statement = store.prepare_cached(
        "SELECT position, at, inbox.kind, conversation.id, sequence
         FROM inbox JOIN conversation ON conversation.no = inbox.conversation
         WHERE device = ?1 AND position > ?2 ORDER BY position LIMIT ?3",
    )?;
    let rows = statement.query_map((device, signed(after), limit as i64), |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get::<_, Vec<u8>>(3)?, row.get(4)?))
    })?;
    rows.map(|row| {
        let (position, at, kind, conversation, sequence) = row?;
        Ok(Item {
            position: unsigned(position),
            at: Timestamp(at),
            kind: Kind::from_code(kind)?,
            conversation: ConversationId::from_slice(&conversation)
                .map_err(|_| StoreError::Damaged("a conversation id"))?,
            sequence: Sequence(unsigned(sequence)),
        })
    })
    .collect()
}

/// Deletes the items up to and including `through`, and each welcome that nobody waits for any more.
pub(crate) fn acknowledge(store: &Connection, device: DeviceNo, through: u64) -> Stored<()> {
    let welcomes: Vec<(ConversationNo, i64)> = store
        .prepare_cached("SELECT conversation, sequence FROM inbox WHERE device = ?1 AND position <= ?2 AND kind = 1")?
        .query_map((device, signed(through)), |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    store
        .prepare_cached("DELETE FROM inbox WHERE device = ?1 AND position <= ?2")?
        .execute((device, signed(through)))?;
    for (conversation, sequence) in welcomes {
        forget_welcome(store, conversation, Sequence(unsigned(sequence)))?;
    }
    Ok(())
}

/// Deletes the welcome of the commit at `sequence` unless an inbox item still refers to it.
fn forget_welcome(store: &Connection, conversation: ConversationNo, sequence: Sequence) -> Stored<()> {
    store
        .prepare_cached(
            "DELETE FROM welcome WHERE position = ?1 AND NOT EXISTS
               (SELECT 1 FROM inbox WHERE conversation = ?2 AND sequence = ?3 AND kind = 1)",
        )?
        .execute((position(conversation, sequence), conversation, signed(sequence.0)))?;
    Ok(())
}

/// Deletes welcomes that no inbox item refers to (those of revoked devices).
pub(crate) fn prune_welcomes(store: &Connection) -> Stored<usize> {
    Ok(store
        .prepare_cached(
            "DELETE FROM welcome WHERE NOT EXISTS
               (SELECT 1 FROM inbox WHERE kind = 1 AND inbox.conversation = welcome.position >> 40
                                      AND inbox.sequence = welcome.position & 0xFFFFFFFFFF)",
        )?
        .execute([])?)
}

/// A welcome, and the public tree of the epoch that it leads to.
pub(crate) struct WelcomeRecord {
    pub(crate) epoch: Epoch,
    pub(crate) welcome: Vec<u8>,
    pub(crate) tree: Vec<u8>,
}

pub(crate) fn put_welcome(
    store: &Connection,
    conversation: ConversationNo,
    sequence: Sequence,
    epoch: Epoch,
    welcome: &[u8],
    tree: &[u8],
) -> Stored<()> {
    store.prepare_cached("INSERT INTO welcome (position, epoch, welcome, tree) VALUES (?1, ?2, ?3, ?4)")?.execute((
        position(conversation, sequence),
        signed(epoch.0),
        welcome,
        tree,
    ))?;
    Ok(())
}

/// The welcome, if it waits in this device's inbox.
pub(crate) fn welcome_for(
    store: &Connection,
    device: DeviceNo,
    conversation: ConversationNo,
    sequence: Sequence,
) -> Stored<Option<WelcomeRecord>> {
    Ok(store
        .prepare_cached(
            "SELECT epoch, welcome, tree FROM welcome WHERE position = ?1 AND EXISTS
               (SELECT 1 FROM inbox WHERE conversation = ?2 AND sequence = ?3 AND kind = 1 AND device = ?4)",
        )?
        .query_row((position(conversation, sequence), conversation, signed(sequence.0), device), |row| {
            Ok(WelcomeRecord { epoch: Epoch(unsigned(row.get(0)?)), welcome: row.get(1)?, tree: row.get(2)? })
        })
        .optional()?)
}
