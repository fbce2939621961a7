//! `SetRole`: an order signed by the actor. The server cannot promote anybody by itself.
//!
//! Refused: `NOT_ALLOWED` for somebody else's order; `ROLE_REFUSED` by the rule of row A4; `STALE_ORDER` if the actor's or
//! the target's role changed since it was signed; `NO_SUCH_ACCOUNT`; `BAD_SIGNATURE`.

use subrosa_wire::error::ErrorCode;
use subrosa_wire::proto::SetRole;

use crate::core::done;
use crate::core::failure::Handled;
use crate::core::session::Login;
use crate::core::turn::Turn;

pub(crate) fn handle(turn: &mut Turn<'_>, login: &Login, request: &SetRole) -> Handled {
    let signed = request.order.as_ref().ok_or(ErrorCode::Malformed)?;
    let state = &turn.state;
    let order = state.roles.check_order(signed, &state.identity.public)?;
    if order.actor != login.account_id {
        return Err(ErrorCode::NotAllowed.into());
    }
    let entry = state.roles.next_role_order(signed.clone(), turn.now, &state.identity.key);
    turn.append_role_entry(entry)?;
    tracing::info!(actor = %order.actor, target = %order.target, role = %order.role, "a role was changed");
    Ok(done())
}

#[cfg(test)]
mod tests {
    use subrosa_types::Role;
    use subrosa_wire::proto::client_frame::Request as Body;
    use subrosa_wire::proto::server_frame;

    use super::*;
    use crate::core::testing::{Person, World};

    #[test]
    fn an_order_is_carried_out_and_told_to_everybody() {
        let mut world = World::new();
        let (alice, bob) = (world.sign_up("alice"), world.sign_up("bob"));
        world.set_role(&alice, &bob, Role::Admin).unwrap();
        assert_eq!(world.core.state.roles.role(bob.id), Some(Role::Admin));
        for person in [&alice, &bob] {
            let news = world.news(person.device.session);
            assert!(matches!(news.last(), Some(server_frame::Body::RoleLogGrew(_))), "{news:?}");
        }
    }

    #[test]
    fn each_refusal_of_the_rule_reaches_the_actor() {
        let mut world = World::new();
        let (alice, bob, carol) = (world.sign_up("alice"), world.sign_up("bob"), world.sign_up("carol"));
        let code = |world: &mut World, actor: &Person, target: &Person, role| {
            world.set_role(actor, target, role).map(drop).map_err(|refusal| refusal.code)
        };
        assert_eq!(code(&mut world, &bob, &carol, Role::Advanced), Err(ErrorCode::RoleRefused));
        assert_eq!(code(&mut world, &alice, &bob, Role::SuperAdmin), Err(ErrorCode::RoleRefused));
        assert_eq!(code(&mut world, &alice, &bob, Role::Admin), Ok(()));
        assert_eq!(code(&mut world, &bob, &alice, Role::Beginner), Err(ErrorCode::RoleRefused));
        assert_eq!(code(&mut world, &bob, &carol, Role::Admin), Err(ErrorCode::RoleRefused));
        assert_eq!(code(&mut world, &bob, &carol, Role::Advanced), Ok(()));
    }

    #[test]
    fn an_order_is_good_once_and_only_from_its_actor() {
        let mut world = World::new();
        let (alice, bob, carol) = (world.sign_up("alice"), world.sign_up("bob"), world.sign_up("carol"));
        let server_key = world.core.server_key();
        let order = world.core.state.roles.order(&server_key, alice.id, bob.id, Role::Advanced, world.now, &alice.key);
        let request = || Body::SetRole(SetRole { order: Some(order.clone()) });
        let refused = world.call(carol.device.session, request()).unwrap_err();
        assert_eq!(refused.code, ErrorCode::NotAllowed);
        world.call(alice.device.session, request()).unwrap();
        world.set_role(&alice, &bob, Role::Beginner).unwrap();
        let refused = world.call(alice.device.session, request()).unwrap_err();
        assert_eq!(refused.code, ErrorCode::StaleOrder);
    }
}
