//! `OfferHandOver`, `AnswerHandOver`: the super admin role passes to somebody who accepts it.
//!
//! Refused: `NOT_ALLOWED` for an offer in another's name; `ROLE_REFUSED` unless the super admin offers; `STALE_ORDER`;
//! `NO_SUCH_ACCOUNT`; `BAD_SIGNATURE`; `NO_HAND_OVER` if nothing is offered to this account. A new offer replaces the one
//! that is pending. Declining is for the account it is offered to.

use subrosa_wire::error::ErrorCode;
use subrosa_wire::proto::{AnswerHandOver, HandOverPending, OfferHandOver, server_frame};

use crate::core::done;
use crate::core::failure::Handled;
use crate::core::session::Login;
use crate::core::turn::Turn;
use crate::store::{accounts, devices, role_log};

pub(crate) fn offer(turn: &mut Turn<'_>, login: &Login, request: &OfferHandOver) -> Handled {
    let signed = request.offer.as_ref().ok_or(ErrorCode::Malformed)?;
    let state = &turn.state;
    let offer = state.roles.check_offer(signed, &state.identity.public)?;
    if offer.from != login.account_id {
        return Err(ErrorCode::NotAllowed.into());
    }
    let to = accounts::number(turn.store, offer.to)?.ok_or(ErrorCode::NoSuchAccount)?;
    role_log::set_hand_over(turn.store, offer.to, signed)?;
    for device in devices::active(turn.store, to)? {
        let pending = HandOverPending { offer: Some(signed.clone()) };
        turn.effects.push(device.no, server_frame::Body::HandOverPending(pending));
    }
    Ok(done())
}

pub(crate) fn answer(turn: &mut Turn<'_>, login: &Login, request: &AnswerHandOver) -> Handled {
    let pending = role_log::pending_hand_over(turn.store)?.filter(|pending| pending.to == login.account_id);
    let pending = pending.ok_or(ErrorCode::NoHandOver)?;
    if request.decline {
        role_log::clear_hand_over(turn.store)?;
        return Ok(done());
    }
    let acceptance = request.acceptance.as_ref().ok_or(ErrorCode::Malformed)?;
    let state = &turn.state;
    let offer = state.roles.check_acceptance(&pending.offer, acceptance, &state.identity.public)?;
    let entry = state.roles.next_hand_over(pending.offer, acceptance.clone(), turn.now, &state.identity.key);
    role_log::clear_hand_over(turn.store)?;
    turn.append_role_entry(entry)?;
    tracing::info!(from = %offer.from, to = %offer.to, "the super admin role was handed over");
    Ok(done())
}

#[cfg(test)]
mod tests {
    use subrosa_crypto::role_log;
    use subrosa_types::Role;
    use subrosa_wire::proto::Signed;
    use subrosa_wire::proto::client_frame::Request as Body;

    use super::*;
    use crate::core::testing::{Person, World};

    fn make_offer(world: &World, from: &Person, to: &Person) -> Signed {
        world.core.state.roles.offer(&world.core.server_key(), from.id, to.id, world.now, &from.key)
    }

    fn accept(world: &World, offer: &Signed, by: &Person) -> Body {
        let acceptance = Some(role_log::accept_offer(offer, by.id, world.now, &by.key));
        Body::AnswerHandOver(AnswerHandOver { acceptance, decline: false })
    }

    #[test]
    fn the_role_passes_when_the_other_side_accepts() {
        let mut world = World::new();
        let (alice, mut bob) = (world.sign_up("alice"), world.sign_up("bob"));
        let offer = make_offer(&world, &alice, &bob);
        world.call(alice.device.session, Body::OfferHandOver(OfferHandOver { offer: Some(offer.clone()) })).unwrap();
        let news = world.news(bob.device.session);
        assert!(matches!(news.last(), Some(server_frame::Body::HandOverPending(_))), "{news:?}");
        assert!(bob.device.log_in(&mut world).unwrap().hand_over.is_some());

        let mallory = world.sign_up("mallory");
        let forged = accept(&world, &offer, &mallory);
        assert_eq!(world.call(mallory.device.session, forged).unwrap_err().code, ErrorCode::NoHandOver);
        let acceptance = accept(&world, &offer, &bob);
        world.call(bob.device.session, acceptance.clone()).unwrap();
        let roles = &world.core.state.roles;
        assert_eq!((roles.role(bob.id), roles.role(alice.id)), (Some(Role::SuperAdmin), Some(Role::Admin)));
        assert_eq!(world.call(bob.device.session, acceptance).unwrap_err().code, ErrorCode::NoHandOver);
    }

    #[test]
    fn only_the_super_admin_offers_and_who_declines_keeps_their_role() {
        let mut world = World::new();
        let (alice, bob) = (world.sign_up("alice"), world.sign_up("bob"));
        let offer = make_offer(&world, &bob, &alice);
        let refused = world.call(bob.device.session, Body::OfferHandOver(OfferHandOver { offer: Some(offer) }));
        assert_eq!(refused.unwrap_err().code, ErrorCode::RoleRefused);
        let offer = make_offer(&world, &alice, &bob);
        world.call(alice.device.session, Body::OfferHandOver(OfferHandOver { offer: Some(offer.clone()) })).unwrap();
        let decline = AnswerHandOver { acceptance: None, decline: true };
        world.call(bob.device.session, Body::AnswerHandOver(decline)).unwrap();
        let acceptance = accept(&world, &offer, &bob);
        assert_eq!(world.call(bob.device.session, acceptance).unwrap_err().code, ErrorCode::NoHandOver);
        assert_eq!(world.core.state.roles.role(bob.id), Some(Role::Beginner));
    }
}
