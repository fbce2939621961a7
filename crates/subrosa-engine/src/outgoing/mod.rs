//! What goes to the server: intents from the outbox, commits, new conversations.
//!
//! Everything here is driven by what the store holds, not by who asked: after a crash or a lost connection the same pumps send
//! the same bytes again. [`Outgoing`] only remembers what is under way on this connection and what waiting commands must hear.

mod changes;
mod founding;
mod sending;

use std::collections::{BTreeMap, BTreeSet};

use subrosa_types::{AccountId, ConversationId, Epoch, IdempotencyKey, RolePosition, Timestamp};
use subrosa_wire::proto;

pub use changes::own_authenticated_data;
pub use founding::Founding;

use crate::api::{Failure, SendState};
use crate::engine::Engine;
use crate::fault::Outcome;
use crate::store::conversations::ConversationState;
use crate::store::{commits, conversations};
use crate::sync::Came;

/// Milliseconds by which each further member waits longer before it commits the server's proposals.
const PROPOSAL_STEP_MS: i64 = 1_500;
/// And at most so long.
const PROPOSAL_MAX_MS: i64 = 15_000;

/// Milliseconds without an answer after which nothing more is appended behind what is under way: it may have been refused for
/// now, and the server keeps what is behind it back for ten seconds only.
const SILENCE_MS: i64 = 3_000;

/// What is under way on this connection.
#[derive(Default)]
pub struct Outgoing {
    /// Appends without answer, and when they were made.
    appends: BTreeMap<IdempotencyKey, (ConversationId, Timestamp)>,
    /// Commits without answer.
    commits: BTreeSet<IdempotencyKey>,
    /// Key packages that came and are not used yet.
    pub(crate) packages: BTreeMap<AccountId, proto::KeyPackages>,
    /// New conversations that wait for certificate and key packages.
    pub(crate) foundings: BTreeMap<u64, Founding>,
    next_founding: u64,
    /// Conversations to leave alone until then (rate limit, full disk).
    holds: BTreeMap<ConversationId, Timestamp>,
    /// Why the server takes nothing there for now, for commands that would wait for it.
    pub(crate) held_back: BTreeMap<ConversationId, Failure>,
    /// When to commit the server's proposals: always in the future, what is due moves to `due`.
    proposals: BTreeMap<ConversationId, Timestamp>,
    /// Where the server's proposals are to be committed now.
    due: BTreeSet<ConversationId>,
    /// Epoch and place in the role log at which every leaf of a conversation was found certified.
    pub(crate) certified: BTreeMap<ConversationId, (Epoch, RolePosition)>,
    /// What became of sends, for commands that wait.
    pub(crate) verdicts: BTreeMap<IdempotencyKey, Result<SendState, Failure>>,
    /// Why a change of membership was refused, for commands that wait.
    pub(crate) change_failures: BTreeMap<ConversationId, Failure>,
    /// Private chats that the server says exist though this device is not in them.
    pub(crate) existing: BTreeSet<ConversationId>,
    /// Those among them that this device could not enter, and why.
    pub(crate) closed: BTreeMap<ConversationId, String>,
    /// What came since the last `reload`.
    pub(crate) came: Came,
}

impl Outgoing {
    /// The connection is gone: nothing of it will be answered.
    pub(crate) fn forget_connection(&mut self) {
        self.appends.clear();
        self.commits.clear();
        self.packages.clear();
        self.holds.clear();
        self.held_back.clear();
        self.proposals.clear();
        self.due.clear();
        self.closed.clear();
        for founding in self.foundings.values_mut() {
            founding.start_over();
        }
    }

    pub(crate) fn next_timeout(&self) -> Option<Timestamp> {
        self.holds.values().chain(self.proposals.values()).min().copied()
    }

    /// The clock was set back.
    pub(crate) fn set_back(&mut self, milliseconds: i64) {
        for at in self.holds.values_mut().chain(self.proposals.values_mut()) {
            *at = at.plus_millis(-milliseconds);
        }
        for (_, at) in self.appends.values_mut() {
            *at = at.plus_millis(-milliseconds);
        }
    }

    /// Whether something is under way in this conversation; `Some(true)`: and the server has been silent about it for long.
    fn under_way(&self, conversation: ConversationId, now: Timestamp) -> Option<bool> {
        let made = self.appends.values().filter(|(of, _)| *of == conversation).map(|(_, at)| *at).min();
        made.map(|at| now.millis_since(at) > SILENCE_MS)
    }

    pub(crate) fn accepted(&mut self, key: IdempotencyKey) {
        self.appends.remove(&key);
        self.verdicts.insert(key, Ok(SendState::Accepted));
    }

    pub(crate) fn delivered(&mut self, key: IdempotencyKey) {
        self.verdicts.insert(key, Ok(SendState::Delivered));
    }

    /// Whether removals that the server proposed are this device's to commit now.
    pub(crate) fn has_due(&self) -> bool {
        !self.due.is_empty()
    }

    /// A commit of this device came too late.
    pub(crate) fn commit_lost(&mut self, conversation: ConversationId, key: IdempotencyKey) {
        self.commits.remove(&key);
        self.settled(conversation);
    }

    /// The server proposed removals; `rank` members come before this one.
    pub(crate) fn proposed(&mut self, conversation: ConversationId, rank: usize, now: Timestamp) {
        if rank == 0 {
            self.due.insert(conversation);
            return;
        }
        let wait = i64::try_from(rank).unwrap_or(i64::MAX).saturating_mul(PROPOSAL_STEP_MS).min(PROPOSAL_MAX_MS);
        self.proposals.entry(conversation).or_insert(now.plus_millis(wait));
    }

    /// The group is in a new epoch, or has nothing to commit.
    pub(crate) fn settled(&mut self, conversation: ConversationId) {
        self.proposals.remove(&conversation);
        self.due.remove(&conversation);
    }

    /// Nothing can be sent in this conversation any more.
    pub(crate) fn blocked(&mut self, conversation: ConversationId) {
        self.appends.retain(|_, (of, _)| *of != conversation);
        self.settled(conversation);
        self.holds.remove(&conversation);
    }

    /// What waited for this time waits no longer: no timer stays behind `now`.
    fn wake(&mut self, now: Timestamp) {
        self.holds.retain(|_, until| *until > now);
        let holds = &self.holds;
        self.held_back.retain(|conversation, _| holds.contains_key(conversation));
        let due = &mut self.due;
        self.proposals.retain(|conversation, at| {
            let later = *at > now;
            if !later {
                due.insert(*conversation);
            }
            later
        });
    }

    fn hold(&mut self, conversation: ConversationId, milliseconds: u64, now: Timestamp) {
        let wait = i64::try_from(milliseconds.clamp(50, 60_000)).unwrap_or(60_000);
        self.holds.insert(conversation, now.plus_millis(wait));
    }
}

impl Engine {
    /// Logged in: proposals that came earlier and were not committed are this connection's business again.
    pub(crate) fn outgoing_start(&mut self, now: Timestamp) -> Outcome {
        for row in conversations::all(&self.connection)? {
            if row.state == ConversationState::Entering && commits::load(&self.connection, row.id)?.is_none() {
                self.sync.joinable.insert(row.id);
            }
            if row.state.follows() && self.group(row.id)?.is_some_and(subrosa_mls::Group::has_pending_proposals) {
                self.outgoing.proposed(row.id, 0, now);
            }
        }
        Ok(())
    }

    pub(crate) fn drive_outgoing(&mut self, now: Timestamp) -> Outcome {
        self.outgoing.wake(now);
        if !self.session.is_online() {
            return self.drive_without_server(now);
        }
        // Whose key is whose, and who may what, is known up to date before anything is sent.
        if !self.roles_are_current() {
            return Ok(());
        }
        self.resend_commits()?;
        self.drive_existing()?;
        self.drive_peers()?;
        self.drive_foundings(now)?;
        for conversation in self.conversations_with_changes()? {
            if !self.outgoing.holds.contains_key(&conversation) {
                self.drive_changes(conversation)?;
            }
        }
        for conversation in crate::store::outbox::conversations(&self.connection)? {
            if !self.outgoing.holds.contains_key(&conversation) {
                self.drive_outbox(conversation, now)?;
            }
        }
        Ok(())
    }

    /// The server is away: what links can carry goes on.
    fn drive_without_server(&mut self, now: Timestamp) -> Outcome {
        if self.direct.has_links() {
            for conversation in crate::store::outbox::conversations(&self.connection)? {
                self.drive_outbox(conversation, now)?;
            }
        }
        Ok(())
    }

    /// A private chat exists without this device: its welcome is taken in first if there is one, else it is entered.
    fn drive_existing(&mut self) -> Outcome {
        if self.outgoing.existing.is_empty() || !self.is_synced()? {
            return Ok(());
        }
        for conversation in std::mem::take(&mut self.outgoing.existing) {
            let inside = conversations::load(&self.connection, conversation)?.is_some_and(|row| row.state.follows());
            if !inside {
                self.sync.joinable.insert(conversation);
            }
        }
        Ok(())
    }
}
