//! Conversations, their accounts, the leaves of their groups, and the groups' public state.

use rusqlite::{Connection, OptionalExtension, Row};
use subrosa_types::{ConversationId, Epoch, RolePosition, Sequence, Timestamp};
use subrosa_wire::proto::Signed;

use super::{AccountNo, ConversationNo, DeviceNo, StoreError, Stored, signed, unsigned};

/// How far a conversation's life is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It has an id and a certificate, no group.
    Reserved,
    /// People write.
    Open,
    /// Everybody left.
    Closed,
}

impl Phase {
    const fn code(self) -> i64 {
        match self {
            Self::Reserved => 0,
            Self::Open => 1,
            Self::Closed => 2,
        }
    }
}

/// A conversation's row.
#[derive(Debug, Clone)]
pub(crate) struct ConversationRecord {
    pub(crate) no: ConversationNo,
    pub(crate) id: ConversationId,
    pub(crate) phase: Phase,
    pub(crate) creator: AccountNo,
    /// The two accounts of a private chat; `None` for a group.
    pub(crate) pair: Option<(AccountNo, AccountNo)>,
    pub(crate) epoch: Epoch,
    pub(crate) epoch_sequence: Sequence,
    pub(crate) role_position: RolePosition,
    pub(crate) pruned_through: Sequence,
}

/// What a reservation writes.
pub(crate) struct Reservation<'a> {
    pub(crate) id: ConversationId,
    pub(crate) kind: i32,
    pub(crate) creator: AccountNo,
    pub(crate) pair: Option<(AccountNo, AccountNo)>,
    pub(crate) certificate: &'a Signed,
    pub(crate) at: Timestamp,
}

pub(crate) fn reserve(store: &Connection, new: &Reservation<'_>) -> Stored<ConversationNo> {
    store
        .prepare_cached(
            "INSERT INTO conversation (id, kind, state, creator, pair_low, pair_high, certificate, signature, epoch,
                                       epoch_sequence, role_position, pruned_through, created_at)
             VALUES (?1, ?2, 0, ?3, ?4, ?5, ?6, ?7, 0, 0, 0, 0, ?8)",
        )?
        .execute((
            new.id.as_bytes(),
            new.kind,
            new.creator,
            new.pair.map(|pair| pair.0),
            new.pair.map(|pair| pair.1),
            &new.certificate.statement,
            &new.certificate.signature,
            new.at.0,
        ))?;
    Ok(ConversationNo(store.last_insert_rowid()))
}

/// Reservations of an account that were not founded.
pub(crate) fn reservations(store: &Connection, creator: AccountNo) -> Stored<usize> {
    let count: i64 = store
        .prepare_cached("SELECT count(*) FROM conversation WHERE creator = ?1 AND state = 0")?
        .query_row([creator], |row| row.get(0))?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

/// Forgets reservations of an account that are older than `before` and were not founded.
pub(crate) fn prune_reservations(store: &Connection, creator: AccountNo, before: Timestamp) -> Stored<()> {
    store
        .prepare_cached("DELETE FROM conversation WHERE creator = ?1 AND state = 0 AND created_at < ?2")?
        .execute((creator, before.0))?;
    Ok(())
}

const RECORD: &str =
    "SELECT no, id, state, creator, pair_low, pair_high, epoch, epoch_sequence, role_position, pruned_through
                      FROM conversation WHERE ";

pub(crate) fn by_id(store: &Connection, id: ConversationId) -> Stored<Option<ConversationRecord>> {
    let mut statement = store.prepare_cached(&format!("{RECORD} id = ?1"))?;
    statement.query_row([id.as_bytes()], record).optional()?.transpose()
}

pub(crate) fn by_number(store: &Connection, no: ConversationNo) -> Stored<ConversationRecord> {
    let mut statement = store.prepare_cached(&format!("{RECORD} no = ?1"))?;
    statement.query_row([no], record).optional()?.ok_or(StoreError::Damaged("a conversation is missing"))?
}

/// The open private chat of two accounts (lower number first).
pub(crate) fn private_chat(store: &Connection, pair: (AccountNo, AccountNo)) -> Stored<Option<ConversationId>> {
    let id: Option<Vec<u8>> = store
        .prepare_cached("SELECT id FROM conversation WHERE pair_low = ?1 AND pair_high = ?2 AND state = 1")?
        .query_row((pair.0, pair.1), |row| row.get(0))
        .optional()?;
    id.map(|id| ConversationId::from_slice(&id).map_err(|_| StoreError::Damaged("a conversation id"))).transpose()
}

fn record(row: &Row<'_>) -> rusqlite::Result<Stored<ConversationRecord>> {
    let id: Vec<u8> = row.get(1)?;
    let phase = match row.get::<_, i64>(2)? {
        0 => Phase::Reserved,
        1 => Phase::Open,
        _ => Phase::Closed,
    };
    let Ok(id) = ConversationId::from_slice(&id) else {
        return Ok(Err(StoreError::Damaged("a conversation id")));
    };
    Ok(Ok(ConversationRecord {
        no: row.get(0)?,
        id,
        phase,
        creator: row.get(3)?,
        pair: row.get::<_, Option<AccountNo>>(4)?.zip(row.get(5)?),
        epoch: Epoch(unsigned(row.get(6)?)),
        epoch_sequence: Sequence(unsigned(row.get(7)?)),
        role_position: RolePosition(unsigned(row.get(8)?)),
        pruned_through: Sequence(unsigned(row.get(9)?)),
    }))
}

/// The certificate that the server signed when the conversation was reserved.
pub(crate) fn certificate(store: &Connection, no: ConversationNo) -> Stored<Signed> {
    Ok(store
        .prepare_cached("SELECT certificate, signature FROM conversation WHERE no = ?1")?
        .query_row([no], |row| Ok(Signed { statement: row.get(0)?, signature: row.get(1)? }))?)
}

pub(crate) fn set_phase(store: &Connection, no: ConversationNo, phase: Phase) -> Stored<()> {
    store.prepare_cached("UPDATE conversation SET state = ?2 WHERE no = ?1")?.execute((no, phase.code()))?;
    Ok(())
}

pub(crate) fn set_epoch(
    store: &Connection,
    no: ConversationNo,
    epoch: Epoch,
    sequence: Sequence,
    role_position: RolePosition,
) -> Stored<()> {
    store
        .prepare_cached("UPDATE conversation SET epoch = ?2, epoch_sequence = ?3, role_position = ?4 WHERE no = ?1")?
        .execute((no, signed(epoch.0), signed(sequence.0), signed(role_position.0)))?;
    Ok(())
}

/// The public state of a group.
pub(crate) fn put_group(store: &Connection, no: ConversationNo, follower: &[u8], group_info: &[u8]) -> Stored<()> {
    store
        .prepare_cached("INSERT OR REPLACE INTO group_state (conversation, follower, group_info) VALUES (?1, ?2, ?3)")?
        .execute((no, follower, group_info))?;
    Ok(())
}

/// Writes the follower alone: the epoch is the same, a proposal came.
pub(crate) fn put_follower(store: &Connection, no: ConversationNo, follower: &[u8]) -> Stored<()> {
    store.prepare_cached("UPDATE group_state SET follower = ?2 WHERE conversation = ?1")?.execute((no, follower))?;
    Ok(())
}

pub(crate) fn follower(store: &Connection, no: ConversationNo) -> Stored<Vec<u8>> {
    Ok(store
        .prepare_cached("SELECT follower FROM group_state WHERE conversation = ?1")?
        .query_row([no], |row| row.get(0))?)
}

pub(crate) fn group_info(store: &Connection, no: ConversationNo) -> Stored<Vec<u8>> {
    Ok(store
        .prepare_cached("SELECT group_info FROM group_state WHERE conversation = ?1")?
        .query_row([no], |row| row.get(0))?)
}

// ---- Accounts ----------------------------------------------------------------------------------------------------

pub(crate) fn is_participant(store: &Connection, no: ConversationNo, account: AccountNo) -> Stored<bool> {
    Ok(store
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM participant WHERE conversation = ?1 AND account = ?2)")?
        .query_row((no, account), |row| row.get(0))?)
}

pub(crate) fn participants(store: &Connection, no: ConversationNo) -> Stored<usize> {
    let count: i64 = store
        .prepare_cached("SELECT count(*) FROM participant WHERE conversation = ?1")?
        .query_row([no], |row| row.get(0))?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

/// Makes the account a participant; `false` if it was one.
pub(crate) fn add_participant(store: &Connection, no: ConversationNo, account: AccountNo) -> Stored<bool> {
    Ok(store
        .prepare_cached("INSERT OR IGNORE INTO participant (conversation, account) VALUES (?1, ?2)")?
        .execute((no, account))?
        == 1)
}

pub(crate) fn remove_participant(store: &Connection, no: ConversationNo, account: AccountNo) -> Stored<bool> {
    Ok(store
        .prepare_cached("DELETE FROM participant WHERE conversation = ?1 AND account = ?2")?
        .execute((no, account))?
        == 1)
}

/// Open conversations of an account.
pub(crate) fn of_account(store: &Connection, account: AccountNo) -> Stored<Vec<ConversationNo>> {
    let mut statement = store.prepare_cached(
        "SELECT conversation FROM participant JOIN conversation ON conversation.no = participant.conversation
         WHERE account = ?1 AND state = 1 ORDER BY conversation",
    )?;
    let rows = statement.query_map([account], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Open conversations of the account in which the device is not served.
pub(crate) fn joinable(store: &Connection, account: AccountNo, device: DeviceNo) -> Stored<Vec<ConversationId>> {
    let mut statement = store.prepare_cached(
        "SELECT conversation.id FROM participant JOIN conversation ON conversation.no = participant.conversation
         WHERE account = ?1 AND state = 1 AND NOT EXISTS
           (SELECT 1 FROM leaf WHERE leaf.conversation = participant.conversation AND leaf.device = ?2 AND ending = 0)
         ORDER BY conversation.no",
    )?;
    let rows = statement.query_map((account, device), |row| row.get::<_, Vec<u8>>(0))?;
    rows.map(|id| ConversationId::from_slice(&id?).map_err(|_| StoreError::Damaged("a conversation id"))).collect()
}

// ---- Leaves ------------------------------------------------------------------------------------------------------

/// A device's leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LeafRecord {
    pub(crate) device: DeviceNo,
    pub(crate) account: AccountNo,
    pub(crate) leaf: u32,
    pub(crate) after: Sequence,
    pub(crate) ending: bool,
}

/// All leaves, in the order of device numbers.
pub(crate) fn leaves(store: &Connection, no: ConversationNo) -> Stored<Vec<LeafRecord>> {
    let mut statement = store.prepare_cached(
        "SELECT device, account, leaf, after, ending FROM leaf JOIN device ON device.no = leaf.device
         WHERE conversation = ?1 ORDER BY device",
    )?;
    let rows = statement.query_map([no], |row| {
        Ok(LeafRecord {
            device: row.get(0)?,
            account: row.get(1)?,
            leaf: row.get(2)?,
            after: Sequence(unsigned(row.get(3)?)),
            ending: row.get(4)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(crate) fn put_leaf(
    store: &Connection,
    no: ConversationNo,
    device: DeviceNo,
    leaf: u32,
    after: Sequence,
) -> Stored<()> {
    store
        .prepare_cached(
            "INSERT OR REPLACE INTO leaf (conversation, device, leaf, after, ending) VALUES (?1, ?2, ?3, ?4, 0)",
        )?
        .execute((no, device, leaf, signed(after.0)))?;
    Ok(())
}

pub(crate) fn remove_leaf(store: &Connection, no: ConversationNo, device: DeviceNo) -> Stored<()> {
    store.prepare_cached("DELETE FROM leaf WHERE conversation = ?1 AND device = ?2")?.execute((no, device))?;
    Ok(())
}

/// From now on the device is not served, though its leaf is still in the group.
pub(crate) fn end_leaf(store: &Connection, no: ConversationNo, device: DeviceNo) -> Stored<()> {
    store
        .prepare_cached("UPDATE leaf SET ending = 1 WHERE conversation = ?1 AND device = ?2")?
        .execute((no, device))?;
    Ok(())
}

/// Open conversations in which the device has a leaf.
pub(crate) fn of_device(store: &Connection, device: DeviceNo) -> Stored<Vec<ConversationNo>> {
    let mut statement = store.prepare_cached(
        "SELECT conversation FROM leaf JOIN conversation ON conversation.no = leaf.conversation
         WHERE device = ?1 AND state = 1 ORDER BY conversation",
    )?;
    let rows = statement.query_map([device], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The conversation's number and the sequence behind which the device may read; `None` if it is not served there.
pub(crate) fn served(
    store: &Connection,
    id: ConversationId,
    device: DeviceNo,
) -> Stored<Option<(ConversationNo, Sequence, Sequence)>> {
    Ok(store
        .prepare_cached(
            "SELECT no, after, pruned_through FROM conversation JOIN leaf ON leaf.conversation = conversation.no
             WHERE id = ?1 AND device = ?2 AND ending = 0 AND state = 1",
        )?
        .query_row((id.as_bytes(), device), |row| {
            Ok((row.get(0)?, Sequence(unsigned(row.get(1)?)), Sequence(unsigned(row.get(2)?))))
        })
        .optional()?)
}

/// Every open conversation in which the device is served, with the head of its log.
pub(crate) fn heads(store: &Connection, device: DeviceNo) -> Stored<Vec<(ConversationId, Sequence)>> {
    let mut statement = store.prepare_cached(
        "SELECT conversation.id, max(pruned_through, coalesce(
                  (SELECT max(position) & 0xFFFFFFFFFF FROM log
                   WHERE position > conversation.no << 40 AND position < (conversation.no + 1) << 40), 0))
         FROM leaf JOIN conversation ON conversation.no = leaf.conversation
         WHERE device = ?1 AND ending = 0 AND state = 1 ORDER BY conversation.no",
    )?;
    let rows = statement.query_map([device], |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get(1)?)))?;
    rows.map(|row| {
        let (id, head) = row?;
        let id = ConversationId::from_slice(&id).map_err(|_| StoreError::Damaged("a conversation id"))?;
        Ok((id, Sequence(unsigned(head))))
    })
    .collect()
}
