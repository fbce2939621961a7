//! The role log: one more entry, on disk and told to everybody.

use rusqlite::Connection;
use subrosa_crypto::{RoleEvent, RoleLog};
use subrosa_types::{Ability, AccountId, Role, RolePosition};
use subrosa_wire::proto::{RoleLogGrew, Signed, server_frame};

use super::failure::Failure;
use super::turn::Turn;
use crate::store::{self, StoreError, Stored};

/// Reads the whole log. It has one entry an account and one a change of role.
pub(crate) fn load(store: &Connection) -> Stored<RoleLog> {
    let mut log = RoleLog::new();
    loop {
        let page = store::role_log::page(store, log.position(), 1024)?;
        if page.is_empty() {
            return Ok(log);
        }
        for entry in page {
            log.append_trusted(&entry).map_err(|_| StoreError::Damaged("the role log"))?;
        }
    }
}

impl Turn<'_> {
    /// Appends an entry that this server signed, and tells everybody who is online.
    pub(crate) fn append_role_entry(&mut self, entry: Signed) -> Result<RoleEvent, Failure> {
        let checked = self.state.roles.check(&entry, &self.state.identity.public)?;
        let position = RolePosition(self.state.roles.position().0 + 1);
        store::role_log::append(self.store, position, &entry)?;
        self.state.roles_changed = true;
        let event = self.state.roles.apply(checked)?;
        self.effects.broadcast(server_frame::Body::RoleLogGrew(RoleLogGrew { entries: vec![entry] }));
        Ok(event)
    }

    /// The present role of an account. An account without one has no rights.
    pub(crate) fn role(&self, account: AccountId) -> Option<Role> {
        self.state.roles.role(account)
    }

    /// Whether an account may do something now.
    pub(crate) fn may(&self, account: AccountId, ability: Ability) -> bool {
        self.role(account).is_some_and(|role| role.may(ability))
    }

    /// Refuses what the account's role does not allow.
    pub(crate) fn require(&self, account: AccountId, ability: Ability) -> Result<(), Failure> {
        if self.may(account, ability) { Ok(()) } else { Err(subrosa_wire::error::ErrorCode::NotAllowed.into()) }
    }
}
