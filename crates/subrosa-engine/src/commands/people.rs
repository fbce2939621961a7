//! Verification: the safety number with somebody, and marking it as compared.

use subrosa_crypto::SafetyNumber;
use subrosa_types::{AccountId, Username};

use super::Turn;
use crate::api::{Failure, FailureCode, Reply};
use crate::engine::Engine;
use crate::fault::Outcome;
use crate::store::contacts::{self, Contact};
use crate::words;

impl Engine {
    pub(super) fn run_verify(&mut self, name: &Username, accounts: &[AccountId], confirm: bool) -> Outcome<Turn> {
        let (contact, number) = match self.number_with(name, accounts)? {
            Ok(found) => found,
            Err(failure) => return Ok(Turn::Finish(Err(failure))),
        };
        let changed = contact.new_key.is_some();
        let verified = confirm || (contact.verified && !changed);
        if confirm {
            self.accept_key(contact, true)?;
        }
        Ok(Turn::Finish(Ok(number_reply(&number, verified, changed && !confirm))))
    }

    /// The person scanned the other side's code: the same number counts as compared; another one changes nothing here.
    pub(super) fn run_compare(&mut self, name: &Username, accounts: &[AccountId], uri: &str) -> Outcome<Turn> {
        let shown = match SafetyNumber::from_uri(uri) {
            Ok(shown) => shown,
            Err(why) => {
                let message = format!("{why}; copy all of what the other side's QR code says");
                return Ok(Turn::Finish(Err(Failure::usage("no_safety_number", message))));
            }
        };
        let (contact, number) = match self.number_with(name, accounts)? {
            Ok(found) => found,
            Err(failure) => return Ok(Turn::Finish(Err(failure))),
        };
        if shown != number {
            return Ok(Turn::Finish(Err(number_differs(name))));
        }
        self.accept_key(contact, true)?;
        Ok(Turn::Finish(Ok(number_reply(&number, true, false))))
    }

    /// The person, and the number with their newest key.
    fn number_with(
        &self,
        name: &Username,
        accounts: &[AccountId],
    ) -> Outcome<Result<(Contact, SafetyNumber), Failure>> {
        let Some(profile) = &self.profile else { return Ok(Err(words::not_logged_in())) };
        let own = (profile.account, profile.account_key.public());
        let Some(account) = accounts.first().filter(|account| **account != own.0) else {
            return Ok(Err(Failure::usage("own_name", "there is nothing to compare with yourself")));
        };
        let Some(contact) = contacts::by_account(&self.connection, *account)? else {
            return Ok(Err(Failure::usage("no_such_account", format!("@{name} is not known here"))));
        };
        let key = contact.new_key.unwrap_or(contact.key);
        let number = SafetyNumber::of(own, (contact.account, key));
        Ok(Ok((contact, number)))
    }
}

fn number_reply(number: &SafetyNumber, verified: bool, changed: bool) -> Reply {
    Reply::SafetyNumber { digits: number.digits(), words: number.words(), uri: number.uri(), verified, changed }
}

fn number_differs(name: &Username) -> Failure {
    Failure::new(
        FailureCode::Untrusted,
        "number_differs",
        format!(
            "this is not the safety number that this device has with @{name}, so nothing was marked; make sure that the \
             code is the one that @{name} sees for you ('verify' with your name), then compare the words by voice or in \
             person; if they differ, somebody may stand between you: send @{name} nothing that others must not read"
        ),
    )
}
