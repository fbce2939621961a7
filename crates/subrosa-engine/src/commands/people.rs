//! Verification: the safety number with somebody, and marking it as compared.

use subrosa_crypto::SafetyNumber;
use subrosa_types::{AccountId, Username};

use super::Turn;
use crate::api::{Failure, Reply};
use crate::engine::Engine;
use crate::fault::Outcome;
use crate::store::contacts;
use crate::words;

impl Engine {
    pub(super) fn run_verify(&mut self, name: &Username, accounts: &[AccountId], confirm: bool) -> Outcome<Turn> {
        let Some(profile) = &self.profile else { return Ok(Turn::Finish(Err(words::not_logged_in()))) };
        let own = (profile.account, profile.account_key.public());
        let Some(account) = accounts.first().filter(|account| **account != own.0) else {
            return Ok(Turn::Finish(Err(Failure::usage("own_name", "there is nothing to compare with yourself"))));
        };
        let Some(contact) = contacts::by_account(&self.connection, *account)? else {
            return Ok(Turn::Finish(Err(Failure::usage("no_such_account", format!("@{name} is not known here")))));
        };
        let changed = contact.new_key.is_some();
        let key = contact.new_key.unwrap_or(contact.key);
        let number = SafetyNumber::of(own, (contact.account, key));
        let verified = confirm || (contact.verified && !changed);
        if confirm {
            self.accept_key(contact, true)?;
        }
        Ok(Turn::Finish(Ok(Reply::SafetyNumber {
            digits: number.digits(),
            uri: number.uri(),
            verified,
            changed: changed && !confirm,
        })))
    }
}
