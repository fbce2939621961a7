//! `RevokeDevice`: the account ends one of its devices, this one (`logout`) or another.
//!
//! Refused: `NO_SUCH_DEVICE` for a device that is not active; `BAD_SIGNATURE` for an entry that does not extend the
//! account's list by a removal. The device cannot log in any more, its connection ends, no conversation serves it, and the
//! server proposes its removal everywhere. A device that ends itself gets its answer first.

use subrosa_crypto::DeviceChange;
use subrosa_wire::error::ErrorCode;
use subrosa_wire::proto::RevokeDevice;

use crate::core::directory;
use crate::core::done;
use crate::core::failure::Handled;
use crate::core::session::Login;
use crate::core::turn::Turn;
use crate::store::{accounts, devices};

pub(crate) fn handle(turn: &mut Turn<'_>, login: &Login, request: &RevokeDevice) -> Handled {
    let entry = request.device_list_entry.as_ref().ok_or(ErrorCode::Malformed)?;
    let account = accounts::by_number(turn.store, login.account)?;
    let mut list = directory::device_list(turn.store, &account)?;
    let index = list.len() as u64;
    let DeviceChange::Removed(id) = list.append(entry)? else { return Err(ErrorCode::BadSignature.into()) };
    let device = devices::by_id(turn.store, id)?.filter(|device| device.account == account.no && !device.revoked);
    let device = device.ok_or(ErrorCode::NoSuchDevice)?;
    devices::extend_list(turn.store, account.no, index, entry)?;
    turn.end_device(device.no, "this device was revoked by another device of its account")?;
    tracing::info!(account = %account.id, device = %id, "a device was ended");
    Ok(done())
}

#[cfg(test)]
mod tests {
    use subrosa_wire::proto::client_frame::Request as Body;
    use subrosa_wire::proto::{ConversationKind, answer};

    use super::*;
    use crate::core::testing::World;

    #[test]
    fn a_revoked_device_is_out_everywhere_at_once() {
        let mut world = World::new();
        let (alice, bob) = (world.sign_up("alice"), world.sign_up("bob"));
        let chat = alice.converse(&mut world, ConversationKind::Private, &[&bob]);
        let (mut tablet, _) = bob.enrol(&mut world);
        let commit = tablet.enter(&mut world, chat).unwrap();
        world.call(tablet.session, Body::Commit(commit)).unwrap();
        let entries = world.delivered(alice.device.session);
        alice.device.process(&mut world, chat, &entries);

        bob.revoke(&mut world, tablet.id).unwrap();
        assert_eq!(world.ended(tablet.session), Some(ErrorCode::DeviceRevoked));
        assert_eq!(tablet.log_in(&mut world).unwrap_err().code, ErrorCode::DeviceRevoked);
        let entries = world.delivered(alice.device.session);
        assert_eq!(entries.len(), 1, "the proposal to remove it");
        alice.device.process(&mut world, chat, &entries);
        let commit = alice.device.change(&mut world, chat, &[], &[]);
        world.call(alice.device.session, Body::Commit(commit)).unwrap();
        alice.device.merge(&mut world, chat);
        let leaves = crate::store::conversations::leaves(&world.core.store, crate::store::ConversationNo(1)).unwrap();
        assert_eq!(leaves.len(), 2);
        assert_eq!(bob.revoke(&mut world, bob.device.id).map(drop), Ok(()));
    }

    #[test]
    fn a_device_that_logs_itself_out_gets_its_answer_first() {
        let mut world = World::new();
        let alice = world.sign_up("alice");
        let answer = alice.revoke(&mut world, alice.device.id).unwrap();
        assert!(matches!(answer, answer::Body::Done(_)));
        assert_eq!(world.ended(alice.device.session), Some(ErrorCode::DeviceRevoked));
        // The account is still there: a fresh device enrols with the password.
        assert!(alice.prove(&mut world, alice.password()).1.is_ok());
    }

    #[test]
    fn nobody_ends_a_device_of_somebody_else() {
        let mut world = World::new();
        let (alice, bob) = (world.sign_up("alice"), world.sign_up("bob"));
        let entry = bob.device_list(&mut world).next_remove(bob.device.id, world.now, &bob.key);
        let request = RevokeDevice { device_list_entry: Some(entry) };
        let refused = world.call(alice.device.session, Body::RevokeDevice(request)).unwrap_err();
        assert_eq!(refused.code, ErrorCode::BadSignature);
    }

    #[test]
    fn the_last_device_of_an_account_leaves_a_group_when_somebody_commits_it() {
        let mut world = World::new();
        let (alice, bob) = (world.sign_up("alice"), world.sign_up("bob"));
        let group = alice.converse(&mut world, ConversationKind::Group, &[&bob]);
        bob.revoke(&mut world, bob.device.id).unwrap();
        let entries = world.delivered(alice.device.session);
        alice.device.process(&mut world, group, &entries);
        // Until then a fresh device may still enter.
        let mut renewed = bob;
        renewed.device.session = alice.device.session;
        let (tablet, logged_in) = renewed.enrol(&mut world);
        assert_eq!(logged_in.joinable, [group.to_vec()]);
        let commit = alice.device.change(&mut world, group, &[], &[]);
        world.call(alice.device.session, Body::Commit(commit)).unwrap();
        assert_eq!(tablet.enter(&mut world, group).unwrap_err().code, ErrorCode::NotAMember);
    }
}
