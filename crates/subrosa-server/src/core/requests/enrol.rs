//! `EnrolDevice`: a further device of an account, after the password was proved.
//!
//! Refused: `OUT_OF_STATE` without a proved password; `TOO_MANY_DEVICES`; `STALE_ORDER` when the account's device list has
//! changed since the password was proved (the device may look up its own account then, and try again); `BAD_SIGNATURE` for an
//! entry that is no new device, or key packages that are not that device's. The answer names the
//! conversations that the device may enter by external commit.

use subrosa_crypto::DeviceChange;
use subrosa_types::limits;
use subrosa_wire::error::ErrorCode;
use subrosa_wire::proto::{EnrolDevice, Lookup, answer, lookup};

use crate::core::directory::{self, NewDevice};
use crate::core::failure::Handled;
use crate::core::session::{Login, Stage};
use crate::core::turn::Turn;
use crate::store::accounts;

pub(crate) fn handle(turn: &mut Turn<'_>, request: &EnrolDevice) -> Handled {
    let Stage::Proved(_, no) = turn.stage()? else { return Err(ErrorCode::OutOfState.into()) };
    let account = accounts::by_number(turn.store, *no)?;
    let mut list = directory::device_list(turn.store, &account)?;
    if list.active().count() >= limits::DEVICES_PER_ACCOUNT {
        return Err(ErrorCode::TooManyDevices.into());
    }
    let entry = request.device_list_entry.as_ref().ok_or(ErrorCode::Malformed)?;
    let DeviceChange::Added(device) = list.append(entry)? else { return Err(ErrorCode::BadSignature.into()) };
    let device = NewDevice::check(turn.store, &list, device.id, entry, &request.key_packages, &request.last_resort)?;
    let device_no = device.save(turn, account.no)?;
    tracing::info!(account = %account.id, device = %device.id(), "a device was enrolled");
    turn.log_in(Login { device: device_no, device_id: device.id(), account: account.no, account_id: account.id })
}

/// The own account, as it is now, for who proved its password.
pub(crate) fn look_again(turn: &mut Turn<'_>, request: &Lookup) -> Handled {
    let Stage::Proved(_, no) = turn.stage()? else { return Err(ErrorCode::OutOfState.into()) };
    let account = accounts::by_number(turn.store, *no)?;
    match &request.by {
        Some(lookup::By::AccountId(id)) if id.as_slice() == account.id.as_bytes() => {
            Ok(answer::Body::DirectoryEntry(directory::entry(turn.store, &account)?))
        }
        _ => Err(ErrorCode::OutOfState.into()),
    }
}

#[cfg(test)]
mod tests {
    use subrosa_types::{ConversationId, Role};
    use subrosa_wire::proto::client_frame::Request as Body;
    use subrosa_wire::proto::{ConversationKind, DirectoryEntry};

    use super::*;
    use crate::core::testing::{Device, World};

    fn devices(entry: Option<DirectoryEntry>, world: &World) -> usize {
        let account = subrosa_crypto::verify_directory_entry(&entry.unwrap(), &world.core.server_key()).unwrap();
        account.devices.active().count()
    }

    #[test]
    fn a_further_device_is_in_the_directory_and_may_enter_the_accounts_conversations() {
        let mut world = World::new();
        let alice = world.sign_up("alice");
        let bob = world.sign_up("bob");
        let chat = alice.converse(&mut world, ConversationKind::Private, &[&bob]);
        let (tablet, logged_in) = bob.enrol(&mut world);
        assert_eq!(logged_in.joinable, [chat.to_vec()]);
        assert_eq!(devices(logged_in.own, &world), 2);

        let commit = tablet.enter(&mut world, chat).unwrap();
        world.call(tablet.session, Body::Commit(commit)).unwrap();
        let entries = world.delivered(alice.device.session);
        alice.device.process(&mut world, chat, &entries);
        let message = alice.device.message(&mut world, chat, b"");
        world.call(alice.device.session, Body::Append(message)).unwrap();
        let received = world.delivered(tablet.session);
        tablet.process(&mut world, chat, &received);
        assert_eq!(received.len(), 1);
    }

    #[test]
    fn an_account_has_at_most_eight_devices() {
        let mut world = World::new();
        world.core.state.config.rates = crate::core::Rates::off();
        let alice = world.sign_up("alice");
        for _ in 1..limits::DEVICES_PER_ACCOUNT {
            alice.enrol(&mut world);
        }
        let ninth = Device::new(&mut world, alice.id, &alice.key);
        let list = alice.device_list(&mut world);
        let (session, _) = alice.prove(&mut world, alice.password());
        let entry = list.next_add(ninth.certificate.clone(), world.now, &alice.key);
        let (key_packages, last_resort) = ninth.key_packages(&mut world, 1);
        let enrol = EnrolDevice { device_list_entry: Some(entry), key_packages, last_resort };
        assert_eq!(world.call(session, Body::EnrolDevice(enrol)).unwrap_err().code, ErrorCode::TooManyDevices);
    }

    #[test]
    fn of_two_that_come_at_once_the_later_looks_again_and_nobody_else_may() {
        let mut world = World::new();
        let (alice, bob) = (world.sign_up("alice"), world.sign_up("bob"));
        let device = Device::new(&mut world, alice.id, &alice.key);
        let (session, _) = alice.prove(&mut world, alice.password());
        let old = alice.device_list(&mut world);
        alice.enrol(&mut world);
        let (key_packages, last_resort) = device.key_packages(&mut world, 1);
        let mut enrol = EnrolDevice {
            device_list_entry: Some(old.next_add(device.certificate.clone(), world.now, &alice.key)),
            key_packages,
            last_resort,
        };
        let refused = world.call(session, Body::EnrolDevice(enrol.clone())).unwrap_err();
        assert_eq!(refused.code, ErrorCode::StaleOrder);
        let lookup = |id: &subrosa_types::AccountId| Lookup { by: Some(lookup::By::AccountId(id.to_vec())) };
        let answer::Body::DirectoryEntry(now) = world.call(session, Body::Lookup(lookup(&alice.id))).unwrap() else {
            panic!("no entry")
        };
        let list = subrosa_crypto::verify_directory_entry(&now, &world.core.server_key()).unwrap().devices;
        enrol.device_list_entry = Some(list.next_add(device.certificate.clone(), world.now, &alice.key));
        world.call(session, Body::EnrolDevice(enrol)).unwrap();
        assert_eq!(devices(Some(now), &world), 2);
        let (session, _) = alice.prove(&mut world, alice.password());
        let refused = world.call(session, Body::Lookup(lookup(&bob.id))).unwrap_err();
        assert_eq!(refused.code, ErrorCode::OutOfState);
    }

    #[test]
    fn without_the_password_and_without_the_account_key_there_is_no_device() {
        let mut world = World::new();
        let alice = world.sign_up("alice");
        let mallory = world.sign_up("mallory");
        let device = Device::new(&mut world, alice.id, &mallory.key);
        let entry = alice.device_list(&mut world).next_add(device.certificate.clone(), world.now, &mallory.key);
        let (key_packages, last_resort) = device.key_packages(&mut world, 1);
        let enrol = EnrolDevice { device_list_entry: Some(entry), key_packages, last_resort };
        let (session, _) = world.greet();
        let refused = world.call(session, Body::EnrolDevice(enrol.clone())).unwrap_err();
        assert_eq!(refused.code, ErrorCode::OutOfState);
        let (session, _) = alice.prove(&mut world, alice.password());
        let refused = world.call(session, Body::EnrolDevice(enrol)).unwrap_err();
        assert_eq!(refused.code, ErrorCode::BadSignature);
    }

    #[test]
    fn a_device_of_somebody_else_may_not_enter() {
        let mut world = World::new();
        let alice = world.sign_up("alice");
        let bob = world.sign_up("bob");
        let mallory = world.sign_up("mallory");
        world.set_role(&alice, &mallory, Role::Admin).unwrap();
        let chat: ConversationId = alice.converse(&mut world, ConversationKind::Group, &[&bob]);
        assert_eq!(mallory.device.enter(&mut world, chat).unwrap_err().code, ErrorCode::NotAMember);
    }
}
