//! Orders and offers: what a person signs, checked against the log before there is an entry, and again in it.

use subrosa_types::role::{may_hand_over, may_set_role};
use subrosa_types::{AccountId, Role, RolePosition, RoleRefusal, Timestamp};
use subrosa_wire::proto::{HandOverAcceptance, HandOverOffer, RoleOrder, Signed};

use super::{History, RoleLog, RoleLogError, inner, offer_hash};
use crate::field;
use crate::keys::VerifyingKey;
use crate::statement;

/// "Make this account that", by somebody who may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Order {
    /// Who orders it.
    pub actor: AccountId,
    /// Whose role is to change.
    pub target: AccountId,
    /// What it is to be.
    pub role: Role,
    /// The head of the log that the actor had.
    pub seen_position: RolePosition,
    /// When, by the actor's clock.
    pub at: Timestamp,
}

/// "Take my place", by the super admin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Offer {
    /// Who offers it.
    pub from: AccountId,
    /// To whom.
    pub to: AccountId,
    /// The head of the log that the super admin had.
    pub seen_position: RolePosition,
    /// When, by the super admin's clock.
    pub at: Timestamp,
}

impl RoleLog {
    /// Checks an order against the log as it is now.
    ///
    /// # Errors
    /// See [`RoleLogError`].
    pub fn check_order(&self, order: &Signed, server_key: &VerifyingKey) -> Result<Order, RoleLogError> {
        let claimed = Self::claimed_order(order)?;
        let (actor, actor_role, actor_key) = self.known(claimed.actor)?;
        let content = statement::verify::<RoleOrder>(order, &actor_key).map_err(inner)?;
        check_server(&content.server_key, server_key)?;
        if claimed.actor == claimed.target {
            return Err(RoleRefusal::OwnRole.into());
        }
        let (target, target_role, _) = self.known(claimed.target)?;
        self.check_fresh(claimed.seen_position, [actor, target])?;
        may_set_role(actor_role, target_role, claimed.role)?;
        Ok(claimed)
    }

    /// Checks an offer of the super admin role against the log as it is now.
    ///
    /// # Errors
    /// See [`RoleLogError`].
    pub fn check_offer(&self, offer: &Signed, server_key: &VerifyingKey) -> Result<Offer, RoleLogError> {
        let claimed = Self::claimed_offer(offer)?;
        let (from, from_role, from_key) = self.known(claimed.from)?;
        let content = statement::verify::<HandOverOffer>(offer, &from_key).map_err(inner)?;
        check_server(&content.server_key, server_key)?;
        if claimed.from == claimed.to {
            return Err(RoleRefusal::OwnRole.into());
        }
        let (to, _, _) = self.known(claimed.to)?;
        self.check_fresh(claimed.seen_position, [from, to])?;
        may_hand_over(from_role)?;
        Ok(claimed)
    }

    /// Checks an offer and its acceptance against the log as it is now.
    ///
    /// # Errors
    /// See [`RoleLogError`].
    pub fn check_acceptance(
        &self,
        offer: &Signed,
        acceptance: &Signed,
        server_key: &VerifyingKey,
    ) -> Result<Offer, RoleLogError> {
        let checked = self.check_offer(offer, server_key)?;
        let (_, _, to_key) = self.known(checked.to)?;
        let acceptance = statement::verify::<HandOverAcceptance>(acceptance, &to_key).map_err(inner)?;
        if acceptance.offer_hash != offer_hash(offer) || acceptance.to != checked.to.as_bytes() {
            return Err(RoleLogError::OtherOffer);
        }
        Ok(checked)
    }

    /// What an order says; nobody has vouched for it.
    pub(super) fn claimed_order(order: &Signed) -> Result<Order, RoleLogError> {
        let order = statement::decode::<RoleOrder>(order).map_err(inner)?;
        Ok(Order {
            actor: field::account(&order.actor, "actor")?,
            target: field::account(&order.target, "target")?,
            role: field::role(order.role)?,
            seen_position: RolePosition(order.seen_position),
            at: Timestamp(order.at),
        })
    }

    /// What an offer says; nobody has vouched for it.
    pub(super) fn claimed_offer(offer: &Signed) -> Result<Offer, RoleLogError> {
        let offer = statement::decode::<HandOverOffer>(offer).map_err(inner)?;
        Ok(Offer {
            from: field::account(&offer.from, "from")?,
            to: field::account(&offer.to, "to")?,
            seen_position: RolePosition(offer.seen_position),
            at: Timestamp(offer.at),
        })
    }

    fn known(&self, account: AccountId) -> Result<(&History, Role, VerifyingKey), RoleLogError> {
        let unknown = RoleLogError::UnknownAccount(account);
        let history = self.accounts.get(&account).ok_or(unknown)?;
        let (_, role) = history.roles.last().ok_or(unknown)?;
        let (_, key) = history.keys.last().ok_or(unknown)?;
        Ok((history, *role, *key))
    }

    /// Nothing about these accounts changed behind what the person who signed had seen.
    fn check_fresh(&self, seen: RolePosition, accounts: [&History; 2]) -> Result<(), RoleLogError> {
        let unchanged = accounts.into_iter().all(|history| history.changed() <= seen);
        if unchanged && seen <= self.position() { Ok(()) } else { Err(RoleLogError::Stale) }
    }
}

fn check_server(named: &[u8], server_key: &VerifyingKey) -> Result<(), RoleLogError> {
    if named == server_key.as_bytes() { Ok(()) } else { Err(RoleLogError::OtherServer) }
}
