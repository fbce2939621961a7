//! Making entries (the server) and what goes into them (people). Nothing is checked here: whether an entry is valid
//! shows when it is checked or appended.

use subrosa_types::{AccountId, Role, Timestamp};
use subrosa_wire::proto::role_log_entry::Event;
use subrosa_wire::proto::{
    AccountCreated, AccountKeyReset, HandOver, HandOverAcceptance, HandOverOffer, RoleLogEntry, RoleOrder, Signed,
};

use super::{RoleLog, offer_hash};
use crate::keys::{SigningKey, VerifyingKey};
use crate::statement;

impl RoleLog {
    /// The entry for a new account: the first one is super admin, every other one a beginner.
    pub fn next_account_created(
        &self,
        account: AccountId,
        account_key: &VerifyingKey,
        at: Timestamp,
        server: &SigningKey,
    ) -> Signed {
        let created = AccountCreated {
            account_id: account.to_vec(),
            account_key: account_key.to_vec(),
            role: self.first_role().code().into(),
        };
        self.next(Event::AccountCreated(created), at, server)
    }

    /// The entry for an order.
    pub fn next_role_order(&self, order: Signed, at: Timestamp, server: &SigningKey) -> Signed {
        self.next(Event::RoleOrder(order), at, server)
    }

    /// The entry for an offer that was accepted.
    pub fn next_hand_over(&self, offer: Signed, acceptance: Signed, at: Timestamp, server: &SigningKey) -> Signed {
        self.next(Event::HandOver(HandOver { offer: Some(offer), acceptance: Some(acceptance) }), at, server)
    }

    /// The entry for an account that started over.
    pub fn next_key_reset(
        &self,
        account: AccountId,
        account_key: &VerifyingKey,
        at: Timestamp,
        server: &SigningKey,
    ) -> Signed {
        let reset = AccountKeyReset { account_id: account.to_vec(), account_key: account_key.to_vec() };
        self.next(Event::AccountKeyReset(reset), at, server)
    }

    fn next(&self, event: Event, at: Timestamp, server: &SigningKey) -> Signed {
        let position = self.position().next().0;
        let entry = RoleLogEntry { position, previous: self.previous(), at: at.0, event: Some(event) };
        statement::sign(&entry, server)
    }

    /// An order to change a role, by `actor`, who has seen this log.
    pub fn order(
        &self,
        server_key: &VerifyingKey,
        actor: AccountId,
        target: AccountId,
        role: Role,
        at: Timestamp,
        actor_key: &SigningKey,
    ) -> Signed {
        let order = RoleOrder {
            server_key: server_key.to_vec(),
            actor: actor.to_vec(),
            target: target.to_vec(),
            role: role.code().into(),
            seen_position: self.position().0,
            at: at.0,
        };
        statement::sign(&order, actor_key)
    }

    /// An offer of the super admin role, by `from`, who has seen this log.
    pub fn offer(
        &self,
        server_key: &VerifyingKey,
        from: AccountId,
        to: AccountId,
        at: Timestamp,
        from_key: &SigningKey,
    ) -> Signed {
        let offer = HandOverOffer {
            server_key: server_key.to_vec(),
            from: from.to_vec(),
            to: to.to_vec(),
            seen_position: self.position().0,
            at: at.0,
        };
        statement::sign(&offer, from_key)
    }
}

/// Accepts an offer of the super admin role. Check the offer first ([`RoleLog::check_offer`]).
pub fn accept_offer(offer: &Signed, to: AccountId, at: Timestamp, to_key: &SigningKey) -> Signed {
    let acceptance = HandOverAcceptance { offer_hash: offer_hash(offer).to_vec(), to: to.to_vec(), at: at.0 };
    statement::sign(&acceptance, to_key)
}
