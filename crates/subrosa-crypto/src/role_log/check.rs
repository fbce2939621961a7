//! Checking an entry: everything that can fail, before anything changes.

use subrosa_types::{Role, RolePosition, Timestamp};
use subrosa_wire::proto::role_log_entry::Event;
use subrosa_wire::proto::{AccountCreated, AccountKeyReset, HandOver, RoleLogEntry, Signed};

use super::{RoleChange, RoleEvent, RoleLog, RoleLogError};
use crate::field::{self, BadField};
use crate::keys::VerifyingKey;
use crate::statement;

/// An entry that passed every rule for the state that it was checked against. [`RoleLog::apply`] takes it in.
#[derive(Debug, Clone)]
pub struct Checked {
    pub(super) event: RoleEvent,
    pub(super) previous: Vec<u8>,
    pub(super) hash: [u8; 32],
}

impl Checked {
    /// What the entry will have done.
    pub const fn event(&self) -> &RoleEvent {
        &self.event
    }
}

/// Whom the entries are from.
#[derive(Clone, Copy)]
enum Source<'a> {
    /// A server; everything is checked.
    Server(&'a VerifyingKey),
    /// One's own store, where only checked entries are.
    OwnStore,
}

impl RoleLog {
    /// Checks the next entry and changes nothing. A server checks, writes to disk, and then [applies](Self::apply).
    ///
    /// # Errors
    /// See [`RoleLogError`].
    pub fn check(&self, entry: &Signed, server_key: &VerifyingKey) -> Result<Checked, RoleLogError> {
        let content = statement::verify::<RoleLogEntry>(entry, server_key).map_err(RoleLogError::Entry)?;
        let hash = content.hash();
        self.read(content.into_inner(), hash, Source::Server(server_key))
    }

    pub(super) fn read_trusted(&self, entry: &Signed) -> Result<Checked, RoleLogError> {
        let content = statement::decode::<RoleLogEntry>(entry).map_err(RoleLogError::Entry)?;
        self.read(content, statement::hash(entry), Source::OwnStore)
    }

    fn read(&self, entry: RoleLogEntry, hash: [u8; 32], source: Source<'_>) -> Result<Checked, RoleLogError> {
        self.check_link(entry.position, &entry.previous)?;
        let change = match entry.event.ok_or(BadField("event"))? {
            Event::AccountCreated(created) => self.read_account_created(&created)?,
            Event::RoleOrder(order) => self.read_order(&order, source)?,
            Event::HandOver(hand_over) => self.read_hand_over(hand_over, source)?,
            Event::AccountKeyReset(reset) => self.read_key_reset(&reset)?,
        };
        let event = RoleEvent { position: RolePosition(entry.position), at: Timestamp(entry.at), change };
        Ok(Checked { event, previous: entry.previous, hash })
    }

    fn read_account_created(&self, created: &AccountCreated) -> Result<RoleChange, RoleLogError> {
        let account = field::account(&created.account_id, "account_id")?;
        let key = field::key(&created.account_key, "account_key")?;
        let role = field::role(created.role)?;
        if self.accounts.contains_key(&account) {
            return Err(RoleLogError::Repeated(account));
        }
        if role != self.first_role() {
            return Err(RoleLogError::FirstRole);
        }
        Ok(RoleChange::AccountCreated { account, key, role })
    }

    /// The role that the next account begins with.
    pub(super) const fn first_role(&self) -> Role {
        if self.hashes.is_empty() { Role::SuperAdmin } else { Role::Beginner }
    }

    fn read_order(&self, order: &Signed, source: Source<'_>) -> Result<RoleChange, RoleLogError> {
        let order = match source {
            Source::Server(server_key) => self.check_order(order, server_key)?,
            Source::OwnStore => Self::claimed_order(order)?,
        };
        let from = self.role(order.target).ok_or(RoleLogError::UnknownAccount(order.target))?;
        Ok(RoleChange::RoleSet { actor: order.actor, target: order.target, from, to: order.role })
    }

    fn read_hand_over(&self, hand_over: HandOver, source: Source<'_>) -> Result<RoleChange, RoleLogError> {
        let offer = hand_over.offer.ok_or(BadField("offer"))?;
        let acceptance = hand_over.acceptance.ok_or(BadField("acceptance"))?;
        let offer = match source {
            Source::Server(server_key) => self.check_acceptance(&offer, &acceptance, server_key)?,
            Source::OwnStore => Self::claimed_offer(&offer)?,
        };
        for account in [offer.from, offer.to] {
            self.role(account).ok_or(RoleLogError::UnknownAccount(account))?;
        }
        Ok(RoleChange::HandedOver { from: offer.from, to: offer.to })
    }

    fn read_key_reset(&self, reset: &AccountKeyReset) -> Result<RoleChange, RoleLogError> {
        let account = field::account(&reset.account_id, "account_id")?;
        let key = field::key(&reset.account_key, "account_key")?;
        let history = self.accounts.get(&account).ok_or(RoleLogError::UnknownAccount(account))?;
        if history.keys.iter().any(|(_, had)| *had == key) {
            return Err(RoleLogError::SameKey);
        }
        Ok(RoleChange::KeyReset { account, key })
    }
}
