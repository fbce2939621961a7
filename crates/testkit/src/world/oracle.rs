//! What must be true, known from outside: what people meant to say, and the server's logs replayed entry by entry.
//!
//! The replay is the whole protocol of a conversation without its secrets: it starts from the group as its founder made it
//! and follows every commit and proposal, so it knows which device was in at each place, and which commit was not allowed.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use prost::Message;
use rusqlite::Connection;
use subrosa_crypto::{ClaimedDevice, RoleLog, VerifyingKey};
use subrosa_mls::follower::{Follower, Inspected};
use subrosa_mls::{CommitSummary, Kind, LeafIndex, peek};
use subrosa_server::core::{Job, Request, SessionId};
use subrosa_types::{Ability, AccountId, ConversationId, DeviceId, IdempotencyKey, Role, RolePosition};
use subrosa_wire::decode_server_frame;
use subrosa_wire::proto::{CommitContext, Signed, answer, client_frame, server_frame};

/// Where a message is meant to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum To {
    Person(usize),
    Group(ConversationId),
}

/// A message that somebody meant to send.
#[derive(Debug, Clone)]
pub(super) struct Intent {
    /// Its place among all.
    pub(super) number: usize,
    pub(super) node: usize,
    /// How often the device had been ended before.
    pub(super) ended: u32,
    pub(super) account: usize,
    /// The device as the server knows it.
    pub(super) device: Option<DeviceId>,
    pub(super) to: To,
    pub(super) text: String,
    /// `Ok`: whether the server had accepted it; `Err`: why it was refused, in one word.
    pub(super) answer: Option<Result<bool, String>>,
}

/// A device's time in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stay {
    /// It may read what stands behind this place …
    pub(super) after: u64,
    /// … and before this one, where its end was proposed or done.
    pub(super) until: Option<u64>,
}

impl Stay {
    pub(super) fn covers(self, sequence: u64) -> bool {
        sequence > self.after && self.until.is_none_or(|until| sequence < until)
    }

    /// Whether it is in the epoch in which something is said behind this place.
    pub(super) fn holds_behind(self, sequence: u64) -> bool {
        sequence >= self.after && self.until.is_none_or(|until| sequence < until)
    }

    /// Whether it did not live through this place.
    pub(super) const fn began_behind(self, sequence: u64) -> bool {
        self.after >= sequence
    }
}

/// A conversation as its log tells it.
pub(super) struct Story {
    pub(super) id: ConversationId,
    pub(super) private: bool,
    pub(super) follower: Follower,
    pub(super) stays: BTreeMap<DeviceId, Vec<Stay>>,
    /// Places and keys of application messages.
    pub(super) messages: Vec<(u64, IdempotencyKey)>,
    /// The first commit that its author's role did not allow: its place, and the epoch before it.
    pub(super) illegal: Option<(u64, u64)>,
    /// What is wrong with the log itself.
    pub(super) faults: Vec<String>,
}

/// What is known from outside.
#[derive(Default)]
pub(super) struct Oracle {
    foundings: BTreeMap<ConversationId, (Vec<u8>, Vec<u8>)>,
    pub(super) intents: BTreeMap<IdempotencyKey, Intent>,
    /// Messages that a device put where it was not a member.
    pub(super) intrusions: BTreeMap<IdempotencyKey, DeviceId>,
    /// Messages that came over a link and were shown.
    pub(super) shown: BTreeSet<IdempotencyKey>,
    /// Orders that somebody gave: by whom, for whom, which role.
    pub(super) orders: BTreeSet<(usize, usize, Role)>,
    pub(super) roles: RoleLog,
    /// Log entries that the server gave to each device.
    served: BTreeMap<(ConversationId, DeviceId), BTreeSet<u64>>,
    /// The last entry that was pushed on each connection.
    pushed: BTreeMap<(SessionId, ConversationId), u64>,
}

impl Oracle {
    /// The server gave log entries to a device. Pushes must be in the order of the log.
    pub(super) fn saw_frame(&mut self, session: SessionId, device: DeviceId, frame: &Bytes) -> Result<(), String> {
        let (id, entries, push) = match decode_server_frame(frame.clone()).map(|frame| frame.body) {
            Ok(Some(server_frame::Body::Deliver(deliver))) => (deliver.conversation_id, deliver.entries, true),
            Ok(Some(server_frame::Body::Answer(answer))) => match answer.body {
                Some(answer::Body::LogPage(page)) => (page.conversation_id, page.entries, false),
                _ => return Ok(()),
            },
            Ok(_) => return Ok(()),
            Err(error) => return Err(format!("the server sends what does not decode: {error}")),
        };
        let id = ConversationId::from_slice(&id).map_err(|error| error.to_string())?;
        for entry in entries {
            self.served.entry((id, device)).or_default().insert(entry.sequence);
            let last = self.pushed.entry((session, id)).or_default();
            if push && entry.sequence <= *last {
                return Err(format!("the server pushes entry {} after entry {last}", entry.sequence));
            }
            if push {
                *last = entry.sequence;
            }
        }
        Ok(())
    }

    pub(super) fn saw_request(&mut self, job: &Job) {
        let Request::Frame(frame) = &job.request else { return };
        if let Some(client_frame::Request::FoundConversation(found)) = &frame.request
            && let Ok(id) = ConversationId::from_slice(&found.conversation_id)
        {
            self.foundings.entry(id).or_insert_with(|| (found.group_info.clone(), found.ratchet_tree.clone()));
        }
    }

    pub(super) fn answered(&mut self, key: IdempotencyKey, answer: Result<bool, String>) {
        if let Some(intent) = self.intents.get_mut(&key) {
            intent.answer = Some(answer);
        }
    }

    /// Follows the server's role log; every entry must be one that the rules allow.
    pub(super) fn follow_roles(&mut self, store: &Connection, server_key: &VerifyingKey) -> Result<(), String> {
        let Ok(entries) = role_entries(store, self.roles.position()) else { return Ok(()) };
        for entry in entries {
            self.roles.append(&entry, server_key).map_err(|error| format!("the role log breaks its rules: {error}"))?;
        }
        Ok(())
    }

    /// Replays a conversation's log.
    pub(super) fn replay(&self, store: &Connection, id: ConversationId) -> Result<Story, String> {
        let (number, private, closed, log) = log_of(store, id).map_err(|error| error.to_string())?;
        let (group_info, tree) = self.foundings.get(&id).ok_or("a conversation that nobody founded")?;
        let follower = Follower::found(group_info, tree).map_err(|error| error.to_string())?;
        let mut story = Story {
            id,
            private,
            follower,
            stays: BTreeMap::new(),
            messages: Vec::new(),
            illegal: None,
            faults: Vec::new(),
        };
        if let Some(founder) = story.device_at(LeafIndex(0)) {
            story.enters(founder, 0);
        }
        let mut keys = BTreeSet::new();
        let last = log.len() as u64;
        for (place, (sequence, key, message)) in log.into_iter().enumerate() {
            if sequence != place as u64 + 1 {
                story.faults.push(format!("conversation {number} has {sequence} at place {}", place + 1));
            }
            if !keys.insert(key) {
                story.faults.push(format!("conversation {number} has the key of {sequence} twice"));
            }
            self.step(&mut story, sequence, key, &message);
        }
        if closed {
            let end = last + 1;
            for stay in story.stays.values_mut().filter_map(|stays| stays.last_mut()) {
                stay.until = stay.until.or(Some(end));
            }
        }
        self.check_served(&mut story);
        Ok(story)
    }

    /// Nobody is given, and nobody adds, what is outside of their time in the conversation.
    fn check_served(&self, story: &mut Story) {
        let inside = |device: &DeviceId, sequence: u64| {
            story.stays.get(device).is_some_and(|stays| stays.iter().any(|stay| stay.covers(sequence)))
        };
        let first = (story.id, DeviceId::from_bytes([0; 16]));
        let served = self.served.range(first..).take_while(|((id, _), _)| *id == story.id);
        let too_much =
            served.flat_map(|((_, device), entries)| entries.iter().map(move |sequence| (device, *sequence)));
        let too_much = too_much.filter(|(device, sequence)| !inside(device, *sequence));
        let mut faults: Vec<String> = too_much
            .map(|(device, sequence)| format!("the server gives entry {sequence} to {device}, who is not in"))
            .collect();
        for (sequence, key) in &story.messages {
            let meant = self.intents.get(key).and_then(|intent| intent.device);
            if let Some(device) = meant.or_else(|| self.intrusions.get(key).copied())
                && !inside(&device, *sequence)
            {
                faults.push(format!("the server takes entry {sequence} from {device}, who is not in"));
            }
        }
        story.faults.extend(faults);
    }

    fn step(&self, story: &mut Story, sequence: u64, key: IdempotencyKey, message: &[u8]) {
        let Ok(outside) = peek(message) else {
            story.faults.push(format!("{sequence} is no message"));
            return;
        };
        if outside.kind == Kind::Application {
            if outside.epoch != story.follower.epoch() {
                story.faults.push(format!("{sequence} is a message of another epoch"));
            }
            story.messages.push((sequence, key));
            return;
        }
        let done = match story.follower.inspect(message) {
            Ok(Inspected::Commit(commit)) => {
                self.commit(story, sequence, commit.summary());
                story.follower.merge(*commit)
            }
            Ok(Inspected::Proposal(proposal)) => {
                if let Some(device) = device(&proposal.removes().credential) {
                    story.leaves(device, sequence);
                }
                story.follower.store_proposal(*proposal)
            }
            Err(error) => Err(error),
        };
        if let Err(error) = done {
            story.faults.push(format!("{sequence} is no step of its group: {error}"));
        }
    }

    fn commit(&self, story: &mut Story, sequence: u64, summary: &CommitSummary) {
        let Ok(committer) = ClaimedDevice::parse(&summary.committer.credential) else { return };
        if story.illegal.is_none() && !story.private && !self.allows(committer.account_id(), summary) {
            story.illegal = Some((sequence, story.follower.epoch().0));
        }
        for removal in &summary.removed {
            if let Some(device) = device(&removal.member.credential) {
                story.leaves(device, sequence);
            }
        }
        if summary.external_join {
            story.leaves(committer.device_id(), sequence);
            story.enters(committer.device_id(), sequence);
        }
        for member in &summary.added {
            if let Some(device) = device(&member.credential) {
                story.enters(device, sequence);
            }
        }
    }

    /// Rows A3 and A9, in the words of this file: who changes others' membership must be allowed to.
    fn allows(&self, committer: AccountId, summary: &CommitSummary) -> bool {
        let own = |credential: &[u8]| account(credential) == Some(committer);
        let others = summary.added.iter().any(|member| !own(&member.credential))
            || summary.removed.iter().any(|removal| !removal.by_server && !own(&removal.member.credential));
        let position = CommitContext::decode(summary.aad.as_slice()).map_or(0, |context| context.role_position);
        let role = self.roles.role_at(committer, RolePosition(position));
        !others || role.is_some_and(|role| role.may(Ability::ChangeMembers))
    }
}

impl Story {
    fn device_at(&self, leaf: LeafIndex) -> Option<DeviceId> {
        self.follower.member(leaf).and_then(|member| device(&member.credential))
    }

    fn enters(&mut self, device: DeviceId, after: u64) {
        self.stays.entry(device).or_default().push(Stay { after, until: None });
    }

    fn leaves(&mut self, device: DeviceId, at: u64) {
        if let Some(stay) = self.stays.get_mut(&device).and_then(|stays| stays.last_mut()) {
            stay.until = stay.until.or(Some(at));
        }
    }

    /// The stay that has not ended.
    pub(super) fn stays_now(&self, device: DeviceId) -> bool {
        self.stays.get(&device).and_then(|stays| stays.last()).is_some_and(|stay| stay.until.is_none())
    }
}

pub(super) fn device(credential: &[u8]) -> Option<DeviceId> {
    ClaimedDevice::parse(credential).ok().map(|claimed| claimed.device_id())
}

fn account(credential: &[u8]) -> Option<AccountId> {
    ClaimedDevice::parse(credential).ok().map(|claimed| claimed.account_id())
}

/// Entries of the server's role log behind a position.
pub(super) fn role_entries(store: &Connection, after: RolePosition) -> rusqlite::Result<Vec<Signed>> {
    let mut statement =
        store.prepare_cached("SELECT statement, signature FROM role_log WHERE position > ?1 ORDER BY position")?;
    let rows = statement.query_map([after.0], |row| Ok(Signed { statement: row.get(0)?, signature: row.get(1)? }))?;
    rows.collect()
}

/// Every conversation that was founded.
pub(super) fn conversations(store: &Connection) -> rusqlite::Result<Vec<ConversationId>> {
    let mut statement = store.prepare_cached("SELECT id FROM conversation WHERE state <> 0 ORDER BY no")?;
    let rows = statement.query_map([], |row| row.get::<_, Vec<u8>>(0))?;
    rows.map(|id| id.map(|id| ConversationId::from_slice(&id).unwrap_or(ConversationId::from_bytes([0; 16])))).collect()
}

/// Commits and proposals of all logs, as they stand there.
pub(super) fn handshakes(store: &Connection) -> rusqlite::Result<Vec<Vec<u8>>> {
    let mut statement = store.prepare_cached("SELECT message FROM log ORDER BY position")?;
    let rows = statement.query_map([], |row| row.get::<_, Vec<u8>>(0))?;
    let is_handshake = |message: &Vec<u8>| peek(message).is_ok_and(|outside| outside.kind != Kind::Application);
    rows.filter(|message| message.as_ref().map_or(true, is_handshake)).collect()
}

/// A conversation's number, whether it is a private chat, whether it is closed, and its log.
type Log = (i64, bool, bool, Vec<(u64, IdempotencyKey, Vec<u8>)>);

fn log_of(store: &Connection, id: ConversationId) -> rusqlite::Result<Log> {
    let (number, private, closed): (i64, bool, bool) = store
        .prepare_cached("SELECT no, pair_low IS NOT NULL, state = 2 FROM conversation WHERE id = ?1")?
        .query_row([id.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let mut statement = store.prepare_cached(
        "SELECT position & 0xFFFFFFFFFF, key, message FROM log WHERE position > ?1 << 40 AND position < (?1 + 1) << 40
         ORDER BY position",
    )?;
    let rows = statement.query_map([number], |row| {
        let key: Vec<u8> = row.get(1)?;
        let key = IdempotencyKey::from_slice(&key).unwrap_or(IdempotencyKey::from_bytes([0; 16]));
        Ok((row.get(0)?, key, row.get(2)?))
    })?;
    Ok((number, private, closed, rows.collect::<Result<_, _>>()?))
}
