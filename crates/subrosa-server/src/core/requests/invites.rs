//! `CreateInvite`, `ListInvites`, `RevokeInvite`: sign-up invitations, for who may invite.
//!
//! Refused: `NOT_ALLOWED` by role, or when there are too many invitations; `NO_SUCH_INVITE`.

use subrosa_types::Ability;
use subrosa_wire::error::ErrorCode;
use subrosa_wire::proto::{self, CreateInvite, InviteList, RevokeInvite, answer};

use crate::core::done;
use crate::core::failure::Handled;
use crate::core::session::Login;
use crate::core::turn::{Turn, code};
use crate::store::invites::{self, InviteRecord};

/// Invitations that the server keeps at a time.
const INVITES: usize = 1_000;
/// How often one invitation may be used at most.
const USES: u32 = 10_000;

pub(crate) fn create(turn: &mut Turn<'_>, login: &Login, request: &CreateInvite) -> Handled {
    turn.require(login.account_id, Ability::InviteToServer)?;
    invites::prune(turn.store, turn.now)?;
    if invites::count(turn.store)? >= INVITES {
        return Err(ErrorCode::NotAllowed.into());
    }
    let invite = InviteRecord {
        code: code(turn.rng),
        uses_left: request.uses.clamp(1, USES),
        expires_at: request.expires_at.max(0),
    };
    invites::insert(turn.store, &invite, turn.now)?;
    Ok(answer::Body::Invite(wire(invite)))
}

pub(crate) fn list(turn: &mut Turn<'_>, login: &Login) -> Handled {
    turn.require(login.account_id, Ability::InviteToServer)?;
    let invites = invites::valid(turn.store, turn.now, INVITES)?.into_iter().map(wire).collect();
    Ok(answer::Body::InviteList(InviteList { invites }))
}

pub(crate) fn revoke(turn: &mut Turn<'_>, login: &Login, request: &RevokeInvite) -> Handled {
    turn.require(login.account_id, Ability::InviteToServer)?;
    if invites::revoke(turn.store, request.code.trim())? { Ok(done()) } else { Err(ErrorCode::NoSuchInvite.into()) }
}

fn wire(invite: InviteRecord) -> proto::Invite {
    proto::Invite { code: invite.code, uses_left: invite.uses_left, expires_at: invite.expires_at }
}

#[cfg(test)]
mod tests {
    use subrosa_types::Role;
    use subrosa_wire::proto::client_frame::Request as Body;

    use super::*;
    use crate::core::testing::World;

    #[test]
    fn invitations_are_for_who_may_invite_and_can_be_taken_back() {
        let mut world = World::new();
        let (alice, bob) = (world.sign_up("alice"), world.sign_up("bob"));
        let create = || Body::CreateInvite(CreateInvite { uses: 3, expires_at: 0 });
        assert_eq!(world.call(bob.device.session, create()).unwrap_err().code, ErrorCode::NotAllowed);
        world.set_role(&alice, &bob, Role::Admin).unwrap();
        let answer = world.call(bob.device.session, create()).unwrap();
        let answer::Body::Invite(invite) = answer else { panic!("{answer:?}") };
        assert_eq!((invite.uses_left, invite.code.len()), (3, 16));
        let list = |world: &mut World| {
            let answer = world.call(alice.device.session, Body::ListInvites(proto::ListInvites {})).unwrap();
            let answer::Body::InviteList(list) = answer else { panic!("{answer:?}") };
            list.invites
        };
        assert_eq!(list(&mut world), std::slice::from_ref(&invite));
        let take_back = || Body::RevokeInvite(RevokeInvite { code: invite.code.clone() });
        world.call(alice.device.session, take_back()).unwrap();
        assert_eq!(world.call(alice.device.session, take_back()).unwrap_err().code, ErrorCode::NoSuchInvite);
        assert!(list(&mut world).is_empty());
    }

    #[test]
    fn an_invitation_expires() {
        let mut world = World::new();
        let alice = world.sign_up("alice");
        let expires_at = world.now.0 + 1000;
        world.call(alice.device.session, Body::CreateInvite(CreateInvite { uses: 0, expires_at })).unwrap();
        world.now = world.now.plus_millis(1000);
        let answer = world.call(alice.device.session, Body::ListInvites(proto::ListInvites {})).unwrap();
        assert_eq!(answer, answer::Body::InviteList(InviteList { invites: Vec::new() }));
    }
}
