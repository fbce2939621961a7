//! The role log: who is who on a server, signed by it, hash-chained, and checked entry by entry by everybody.
//!
//! Reason: the server orders the log but must not be able to promote anybody by itself, nor show different logs to
//! different people. Server and clients run this same code over the same entries.
//!
//! Rules, all of them checked before anything changes:
//!
//! 1. Every entry is signed by the server, has the next position, and names the hash of the one before.
//! 2. *Account created*: an unknown account; the first one is super admin, every other a beginner.
//! 3. *Role order*: signed by the actor's account key as this log knows it, for this server; the rule of row A4
//!    ([`subrosa_types::role::may_set_role`]) allows it at this point; and neither the actor's nor the target's role or
//!    key changed after the position that the actor had seen ([`RoleLogError::Stale`]): so an order cannot be used
//!    twice, nor be kept back until it means something else.
//! 4. *Hand-over*: an offer by the super admin and an acceptance of this very offer by the other side; the same rule of
//!    freshness. The two change places: `to` is super admin, `from` becomes admin.
//! 5. *Key reset*: a known account, a key that it never had. The role stays; clients alarm about the key.
//!
//! Invariant: exactly one account is super admin from position 1 on.

use std::collections::BTreeMap;

use subrosa_types::{AccountId, Role, RolePosition, RoleRefusal, Timestamp};
use subrosa_wire::proto::Signed;

use crate::field::BadField;
use crate::keys::VerifyingKey;
use crate::statement::{self, StatementError};

mod build;
mod check;
mod order;

pub use build::accept_offer;
pub use check::Checked;
pub use order::{Offer, Order};

/// Why an entry does not fit the log. The server is to blame for an entry, the person who signed it for an order or an
/// offer; the log is as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RoleLogError {
    /// Not signed by the server, or no statement.
    #[error("the role log entry does not verify: {0}")]
    Entry(StatementError),
    /// The order, offer or acceptance inside was not signed by whose it claims to be.
    #[error("the order in the role log does not verify: {0}")]
    Inner(StatementError),
    /// A field of the wrong shape, or no event at all.
    #[error(transparent)]
    Shape(#[from] BadField),
    /// Another position than the next one.
    #[error("the role log entry has position {found} where {expected} was expected")]
    Position {
        /// The next position.
        expected: u64,
        /// The one that the entry has.
        found: u64,
    },
    /// The chain is broken: the server shows another log than before.
    #[error("the role log entry does not continue this log")]
    Previous,
    /// An account that is not in the log.
    #[error("the role log knows no such account")]
    UnknownAccount(AccountId),
    /// The account is in the log already.
    #[error("the account is in the role log already")]
    Repeated(AccountId),
    /// The first account is super admin, every other one begins as a beginner.
    #[error("a new account has the wrong first role")]
    FirstRole,
    /// Signed for another server.
    #[error("the order was made for another server")]
    OtherServer,
    /// A role or key changed since the order was signed, or it claims to have seen what is not there yet.
    #[error("a role changed since the order was made; look again and repeat it")]
    Stale,
    /// The rule of row A4 says no.
    #[error(transparent)]
    Refused(#[from] RoleRefusal),
    /// The acceptance is of another offer, or by somebody else than the one it was made to.
    #[error("the acceptance does not belong to this offer")]
    OtherOffer,
    /// The account has or had this key.
    #[error("an account that starts over needs a new key")]
    SameKey,
}

/// An entry of the log, for people and programs to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoleEvent {
    /// Where it stands.
    pub position: RolePosition,
    /// When, by the server's clock.
    pub at: Timestamp,
    /// What happened.
    pub change: RoleChange,
}

/// What an entry of the log did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoleChange {
    /// An account signed up.
    AccountCreated {
        /// The new account.
        account: AccountId,
        /// Its key.
        key: VerifyingKey,
        /// Its first role.
        role: Role,
    },
    /// Somebody changed somebody else's role.
    RoleSet {
        /// Who ordered it.
        actor: AccountId,
        /// Whose role it is.
        target: AccountId,
        /// What it was.
        from: Role,
        /// What it is now.
        to: Role,
    },
    /// The super admin role went to somebody else; `from` is an admin now.
    HandedOver {
        /// Who had it.
        from: AccountId,
        /// Who has it.
        to: AccountId,
    },
    /// An account started over with a new key.
    KeyReset {
        /// The account.
        account: AccountId,
        /// Its new key.
        key: VerifyingKey,
    },
}

/// What one account was, each from a position on; in the order of the log.
#[derive(Debug, Clone)]
struct History {
    roles: Vec<(RolePosition, Role)>,
    keys: Vec<(RolePosition, VerifyingKey)>,
}

/// The value that held at a position.
fn at<T: Copy>(changes: &[(RolePosition, T)], position: RolePosition) -> Option<T> {
    let behind = changes.partition_point(|(from, _)| *from <= position);
    changes.get(behind.checked_sub(1)?).map(|(_, value)| *value)
}

impl History {
    /// Where the role or the key changed last.
    fn changed(&self) -> RolePosition {
        let role = self.roles.last().map_or(RolePosition(0), |(position, _)| *position);
        let key = self.keys.last().map_or(RolePosition(0), |(position, _)| *position);
        role.max(key)
    }
}

/// The state that a verified role log leads to, with what it was at each position.
#[derive(Debug, Clone, Default)]
pub struct RoleLog {
    /// Hash of the entry at position index + 1.
    hashes: Vec<[u8; 32]>,
    accounts: BTreeMap<AccountId, History>,
    super_admin: Option<AccountId>,
}

impl RoleLog {
    /// The empty log.
    pub fn new() -> Self {
        Self::default()
    }

    /// Checks the next entry and takes it in.
    ///
    /// # Errors
    /// See [`RoleLogError`]; the log is unchanged then.
    pub fn append(&mut self, entry: &Signed, server_key: &VerifyingKey) -> Result<RoleEvent, RoleLogError> {
        let checked = self.check(entry, server_key)?;
        self.apply(checked)
    }

    /// Takes in an entry of one's own store, which was checked by [`append`](Self::append) before it was stored. The
    /// chain and the shape are checked again; signatures, roles and freshness are not.
    ///
    /// # Errors
    /// See [`RoleLogError`]; the store is damaged then.
    pub fn append_trusted(&mut self, entry: &Signed) -> Result<RoleEvent, RoleLogError> {
        let checked = self.read_trusted(entry)?;
        self.apply(checked)
    }

    /// Takes in an entry that was [checked](Self::check) against this state.
    ///
    /// # Errors
    /// [`RoleLogError::Position`] or [`RoleLogError::Previous`] if the log has moved on since.
    pub fn apply(&mut self, checked: Checked) -> Result<RoleEvent, RoleLogError> {
        self.check_link(checked.event.position.0, &checked.previous)?;
        let RoleEvent { position, change, .. } = checked.event;
        match change {
            RoleChange::AccountCreated { account, key, role } => {
                let history = History { roles: vec![(position, role)], keys: vec![(position, key)] };
                self.accounts.insert(account, history);
                if role == Role::SuperAdmin {
                    self.super_admin = Some(account);
                }
            }
            RoleChange::RoleSet { target, to, .. } => self.set_role(target, position, to),
            RoleChange::HandedOver { from, to } => {
                self.set_role(from, position, Role::Admin);
                self.set_role(to, position, Role::SuperAdmin);
                self.super_admin = Some(to);
            }
            RoleChange::KeyReset { account, key } => {
                if let Some(history) = self.accounts.get_mut(&account) {
                    history.keys.push((position, key));
                }
            }
        }
        self.hashes.push(checked.hash);
        Ok(checked.event)
    }

    /// The account is in the log: [`check`](Self::check) asked for it.
    fn set_role(&mut self, account: AccountId, position: RolePosition, role: Role) {
        if let Some(history) = self.accounts.get_mut(&account) {
            history.roles.push((position, role));
        }
    }

    /// The position of the last entry; 0 if there is none.
    pub const fn position(&self) -> RolePosition {
        RolePosition(self.hashes.len() as u64)
    }

    /// SHA-256 of the last entry's statement.
    pub fn hash(&self) -> Option<[u8; 32]> {
        self.hashes.last().copied()
    }

    /// SHA-256 of the statement at a position. Two logs with the same hash there are the same up to there.
    pub fn hash_at(&self, position: RolePosition) -> Option<[u8; 32]> {
        let index = usize::try_from(position.0.checked_sub(1)?).ok()?;
        self.hashes.get(index).copied()
    }

    /// An account's role now.
    pub fn role(&self, account: AccountId) -> Option<Role> {
        self.role_at(account, self.position())
    }

    /// An account's role when the log ended at `position`; nothing for a position that is not there yet.
    pub fn role_at(&self, account: AccountId, position: RolePosition) -> Option<Role> {
        self.seen(position)?;
        at(&self.accounts.get(&account)?.roles, position)
    }

    /// An account's key now.
    pub fn key(&self, account: AccountId) -> Option<VerifyingKey> {
        self.key_at(account, self.position())
    }

    /// An account's key when the log ended at `position`; nothing for a position that is not there yet.
    pub fn key_at(&self, account: AccountId, position: RolePosition) -> Option<VerifyingKey> {
        self.seen(position)?;
        at(&self.accounts.get(&account)?.keys, position)
    }

    /// The keys that an account had before the one that it has now, the latest first.
    pub fn former_keys(&self, account: AccountId) -> impl Iterator<Item = VerifyingKey> {
        let keys = self.accounts.get(&account).map_or(&[][..], |history| &history.keys);
        keys.iter().rev().skip(1).map(|(_, key)| *key)
    }

    fn seen(&self, position: RolePosition) -> Option<RolePosition> {
        (position <= self.position()).then_some(position)
    }

    /// The super admin; nobody if the log is empty.
    pub const fn super_admin(&self) -> Option<AccountId> {
        self.super_admin
    }

    /// Every account with its role now, in the order of ids.
    pub fn accounts(&self) -> impl Iterator<Item = (AccountId, Role)> {
        self.accounts.iter().filter_map(|(account, history)| Some((*account, history.roles.last()?.1)))
    }

    /// The position, and the hash of the entry before it.
    fn check_link(&self, position: u64, previous: &[u8]) -> Result<(), RoleLogError> {
        let expected = self.position().0 + 1;
        if position != expected {
            return Err(RoleLogError::Position { expected, found: position });
        }
        if previous == self.previous() { Ok(()) } else { Err(RoleLogError::Previous) }
    }

    fn previous(&self) -> Vec<u8> {
        self.hash().map(Vec::from).unwrap_or_default()
    }
}

/// An inner statement's error.
fn inner(error: StatementError) -> RoleLogError {
    RoleLogError::Inner(error)
}

/// The hash by which an acceptance names its offer.
fn offer_hash(offer: &Signed) -> [u8; 32] {
    statement::hash(offer)
}

#[cfg(test)]
mod tests;
