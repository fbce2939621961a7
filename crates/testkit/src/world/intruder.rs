//! A device whose program was changed: it asks, in its own name, for conversations that it is not in, and writes into them.
//!
//! What it writes is a message that really was in that conversation, of its present epoch: nothing but the server's check of
//! membership can refuse it. Its answers are not told to the honest program of the same device.

use bytes::Bytes;
use rusqlite::Connection;
use subrosa_mls::{Kind, peek};
use subrosa_server::core::{Job, Request, SessionId};
use subrosa_types::{ConversationId, DeviceId, Epoch, IdempotencyKey};
use subrosa_wire::proto::{Append, ClientFrame, FetchLog, client_frame};

use super::World;

/// Request ids that no honest program reaches.
const FIRST_ID: u64 = 1 << 60;

/// A conversation from outside.
struct Target {
    id: ConversationId,
    number: i64,
    epoch: Epoch,
}

impl World {
    /// This device's changed program tries to read and to write where it is not a member.
    pub(super) fn intrude(&mut self, node: usize) {
        let Some(session) = self.nodes[node].connection else { return };
        let Some(device) = self.network.find(session).and_then(|connection| connection.device) else { return };
        let Ok(targets) = targets(self.server.database.look(), device) else { return };
        let Some(target) = self.rng.choose(&targets) else { return };
        let id = target.id.to_vec();
        self.note(|| format!("{node} intrudes into {}", target.id));
        let fetch = FetchLog { conversation_id: id.clone(), after: 0, limit: 0 };
        let fetch = (FIRST_ID, client_frame::Request::FetchLog(fetch));
        let append = last_message(self.server.database.look(), target).map(|message| {
            let key = IdempotencyKey::from_bytes(self.rng.bytes());
            self.oracle.intrusions.insert(key, device);
            let append = Append { conversation_id: id, message, idempotency_key: key.to_vec() };
            (FIRST_ID + 1, client_frame::Request::Append(append))
        });
        for (id, request) in [Some(fetch), append].into_iter().flatten() {
            let frame = ClientFrame { id, request: Some(request) };
            self.enqueue(Job { session, request: Request::Frame(frame) });
        }
    }

    /// Whether this answer is for a changed program, and none of the honest one's business.
    pub(super) fn is_for_intruder(&mut self, session: SessionId, id: u64, frame: &Bytes) -> bool {
        if id < FIRST_ID {
            return false;
        }
        let device = self.network.find(session).and_then(|connection| connection.device);
        if let Some(device) = device
            && let Err(why) = self.oracle.saw_frame(session, device, frame)
        {
            self.violate(why);
        }
        true
    }
}

/// Open conversations that the device is not in, or no longer.
fn targets(store: &Connection, device: DeviceId) -> rusqlite::Result<Vec<Target>> {
    let mut statement = store.prepare_cached(
        "SELECT id, no, epoch FROM conversation WHERE state = 1 AND no NOT IN
           (SELECT conversation FROM leaf JOIN device ON device.no = leaf.device WHERE device.id = ?1 AND ending = 0)
         ORDER BY no",
    )?;
    let rows = statement.query_map([device.as_bytes()], |row| {
        Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, i64>(1)?, row.get::<_, u64>(2)?))
    })?;
    let known = |(id, number, epoch): (Vec<u8>, i64, u64)| {
        Some(Target { id: ConversationId::from_slice(&id).ok()?, number, epoch: Epoch(epoch) })
    };
    Ok(rows.collect::<rusqlite::Result<Vec<_>>>()?.into_iter().filter_map(known).collect())
}

/// The last message of the present epoch.
fn last_message(store: &Connection, target: &Target) -> Option<Bytes> {
    let mut statement = store
        .prepare_cached(
            "SELECT message FROM log WHERE position > ?1 << 40 AND position < (?1 + 1) << 40
             ORDER BY position DESC LIMIT 20",
        )
        .ok()?;
    let last = statement.query_map([target.number], |row| row.get::<_, Vec<u8>>(0)).ok()?;
    let fits = |message: &Vec<u8>| {
        peek(message).is_ok_and(|outside| outside.kind == Kind::Application && outside.epoch == target.epoch)
    };
    last.filter_map(Result::ok).find(fits).map(Bytes::from)
}
