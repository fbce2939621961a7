//! `FetchKeyPackages`: one key package of each device of an account. `PublishKeyPackages`: a device renews its own.
//!
//! Refused: `NO_SUCH_ACCOUNT`; `RATE_LIMITED`; `BAD_SIGNATURE` for key packages that are not the device's own. Each is
//! handed out once; when a device has none left, its last resort is handed out again and again.

use subrosa_types::AccountId;
use subrosa_wire::proto::{DeviceKeyPackage, FetchKeyPackages, KeyPackages, PublishKeyPackages, answer};

use crate::core::directory;
use crate::core::done;
use crate::core::failure::Handled;
use crate::core::session::Login;
use crate::core::turn::Turn;
use crate::store::{devices, key_packages};

pub(crate) fn fetch(turn: &mut Turn<'_>, request: &FetchKeyPackages) -> Handled {
    turn.count_change()?;
    let account = directory::account(turn.store, AccountId::from_slice(&request.account_id)?)?;
    let owner = directory::entry(turn.store, &account)?;
    let mut packages = Vec::new();
    for device in devices::active(turn.store, account.no)? {
        if let Some(key_package) = key_packages::take(turn.store, device.no)? {
            packages.push(DeviceKeyPackage { device_id: device.id.to_vec(), key_package });
        }
    }
    Ok(answer::Body::KeyPackages(KeyPackages { owner: Some(owner), packages }))
}

pub(crate) fn publish(turn: &mut Turn<'_>, login: &Login, request: &PublishKeyPackages) -> Handled {
    turn.count_change()?;
    let device = devices::by_number(turn.store, login.device)?;
    let checked =
        directory::check_key_packages(&request.key_packages, &request.last_resort, &device.credential, &device.key)?;
    checked.save(turn.store, login.device)?;
    Ok(done())
}

#[cfg(test)]
mod tests {
    use subrosa_wire::error::ErrorCode;
    use subrosa_wire::proto::client_frame::Request as Body;

    use super::*;
    use crate::core::testing::World;

    #[test]
    fn each_key_package_is_handed_out_once_and_then_the_last_resort_again_and_again() {
        let mut world = World::new();
        let (alice, bob) = (world.sign_up("alice"), world.sign_up("bob"));
        let mut taken = Vec::new();
        for _ in 0..4 {
            let [(device, package)] = alice.fetch_key_packages(&mut world, &bob).try_into().unwrap();
            assert_eq!(device, bob.device.id);
            taken.push(package);
        }
        assert_ne!(taken[0], taken[1]);
        assert_ne!(taken[1], taken[2]);
        assert_eq!(taken[2], taken[3]);
    }

    #[test]
    fn a_device_renews_its_own_and_the_server_keeps_a_bounded_number() {
        let mut world = World::new();
        let alice = world.sign_up("alice");
        let mallory = world.sign_up("mallory");
        for _ in 0..2 {
            let (key_packages, last_resort) = alice.device.key_packages(&mut world, 20);
            let publish = PublishKeyPackages { key_packages, last_resort };
            world.call(alice.device.session, Body::PublishKeyPackages(publish.clone())).unwrap();
            let refused = world.call(mallory.device.session, Body::PublishKeyPackages(publish)).unwrap_err();
            assert_eq!(refused.code, ErrorCode::BadSignature);
        }
        let left: i64 = world
            .core
            .store
            .query_row("SELECT count(*) FROM key_package WHERE device = 1", [], |row| row.get(0))
            .unwrap();
        assert_eq!(left, 32);
    }
}
