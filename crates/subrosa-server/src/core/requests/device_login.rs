//! `DeviceLogin`: a device signs for this connection with its own key.
//!
//! Refused: `WRONG_CREDENTIALS` for an unknown device or a wrong signature, which look the same; `DEVICE_REVOKED` for the
//! right signature of a device that was ended.

use subrosa_crypto::VerifyingKey;
use subrosa_types::DeviceId;
use subrosa_wire::error::ErrorCode;
use subrosa_wire::proto::DeviceLogin;

use crate::core::failure::Handled;
use crate::core::session::Login;
use crate::core::turn::Turn;
use crate::store::{StoreError, devices};

pub(crate) fn handle(turn: &mut Turn<'_>, request: &DeviceLogin) -> Handled {
    let channel = turn.channel()?;
    let id = DeviceId::from_slice(&request.device_id)?;
    let device = devices::by_id(turn.store, id)?.ok_or(ErrorCode::WrongCredentials)?;
    let key = VerifyingKey::from_bytes(device.key).map_err(|_| StoreError::Damaged("a device key"))?;
    channel.verify_login(id, &key, &request.signature).map_err(|_| ErrorCode::WrongCredentials)?;
    if device.revoked {
        return Err(ErrorCode::DeviceRevoked.into());
    }
    turn.log_in(Login { device: device.no, device_id: id, account: device.account, account_id: device.account_id })
}

#[cfg(test)]
mod tests {
    use subrosa_crypto::SigningKey;
    use subrosa_wire::proto::client_frame::Request as Body;

    use super::*;
    use crate::core::testing::{Device, World};

    #[test]
    fn a_device_logs_in_with_its_key_and_its_older_connection_ends() {
        let mut world = World::new();
        let mut alice = world.sign_up("alice");
        let first = alice.device.session;
        let logged_in = alice.device.log_in(&mut world).unwrap();
        assert_eq!(logged_in.account_id, alice.id.as_bytes());
        assert_eq!((logged_in.key_packages_left, logged_in.role_position), (2, 1));
        assert!(logged_in.heads.is_empty() && logged_in.joinable.is_empty());
        assert_eq!(world.ended(first), Some(ErrorCode::Unspecified));
        assert_eq!(world.ended(alice.device.session), None);
    }

    #[test]
    fn an_unknown_device_and_a_wrong_signature_look_the_same() {
        let mut world = World::new();
        let mut alice = world.sign_up("alice");
        let mut stranger = Device::new(&mut world, alice.id, &alice.key);
        assert_eq!(stranger.log_in(&mut world).unwrap_err(), ErrorCode::WrongCredentials.into());
        alice.device.key = SigningKey::generate(&mut world.rng);
        assert_eq!(alice.device.log_in(&mut world).unwrap_err(), ErrorCode::WrongCredentials.into());
    }

    #[test]
    fn a_signature_is_good_for_its_own_connection_only() {
        let mut world = World::new();
        let alice = world.sign_up("alice");
        let (_, other) = world.greet();
        let (session, _) = world.greet();
        let signature = other.sign_login(alice.device.id, &alice.device.key).to_vec();
        let login = DeviceLogin { device_id: alice.device.id.to_vec(), signature };
        let refused = world.call(session, Body::DeviceLogin(login)).unwrap_err();
        assert_eq!(refused.code, ErrorCode::WrongCredentials);
    }
}
