//! Devices: keys that act for an account.
//!
//! A device certificate — account, id, key, name, time — is signed by the account key. It is an entry of the account's
//! device list and, encoded, the credential of the device's MLS leaves.
//!
//! A credential that a group shows is a [`ClaimedDevice`]: it tells whose key to fetch, no more. With the account's key
//! from the directory (or pinned) it becomes a [`Device`]. Being certified is not being active: an account's
//! [`DeviceList`](crate::DeviceList) tells whether the device has been removed since.

use subrosa_types::{AccountId, DeviceId, DeviceName, Timestamp};
use subrosa_wire::proto::{DeviceCertificate, Signed};

use crate::account::IdentityError;
use crate::field::{self, BadField};
use crate::keys::{SigningKey, VerifyingKey};
use crate::statement;

/// A device that its account's key certified.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Device {
    /// Whose it is.
    pub account: AccountId,
    /// Which one.
    pub id: DeviceId,
    /// What it signs with: MLS leaves and logins.
    pub key: VerifyingKey,
    /// What the person calls it.
    pub name: DeviceName,
    /// When it was certified, by the account's clock.
    pub at: Timestamp,
}

/// Certifies a device.
pub fn issue(
    account: AccountId,
    id: DeviceId,
    device_key: &VerifyingKey,
    name: &DeviceName,
    at: Timestamp,
    account_key: &SigningKey,
) -> Signed {
    let certificate = DeviceCertificate {
        account_id: account.to_vec(),
        device_id: id.to_vec(),
        device_key: device_key.to_vec(),
        name: name.as_str().to_owned(),
        at: at.0,
    };
    statement::sign(&certificate, account_key)
}

impl Device {
    /// Checks a certificate against the account that it has to be of.
    ///
    /// # Errors
    /// See [`IdentityError`].
    pub fn verify(certificate: &Signed, account: AccountId, account_key: &VerifyingKey) -> Result<Self, IdentityError> {
        Self::named_by(&*statement::verify::<DeviceCertificate>(certificate, account_key)?, account)
    }

    fn named_by(certificate: &DeviceCertificate, account: AccountId) -> Result<Self, IdentityError> {
        if field::account(&certificate.account_id, "account_id")? != account {
            return Err(IdentityError::OtherAccount);
        }
        Ok(Self {
            account,
            id: field::device(&certificate.device_id, "device_id")?,
            key: field::key(&certificate.device_key, "device_key")?,
            name: DeviceName::from_prepared(&certificate.name).map_err(|_| BadField("name"))?,
            at: Timestamp(certificate.at),
        })
    }
}

/// The content of an MLS basic credential (RFC 9420 §5.3): the encoded certificate.
pub fn credential(certificate: &Signed) -> Vec<u8> {
    statement::to_bytes(certificate)
}

/// What an MLS credential says about itself; nobody has vouched for it yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedDevice {
    account: AccountId,
    device: DeviceId,
    certificate: Signed,
}

impl ClaimedDevice {
    /// Reads a credential without believing it.
    ///
    /// # Errors
    /// [`IdentityError`] if it is no device certificate at all.
    pub fn parse(credential: &[u8]) -> Result<Self, IdentityError> {
        let certificate = statement::from_bytes(credential)?;
        let claimed = statement::decode::<DeviceCertificate>(&certificate)?;
        Ok(Self {
            account: field::account(&claimed.account_id, "account_id")?,
            device: field::device(&claimed.device_id, "device_id")?,
            certificate,
        })
    }

    /// The account that it claims to be of: whose key to [verify](Self::verify) it with.
    pub const fn account_id(&self) -> AccountId {
        self.account
    }

    /// The device that it claims to be.
    pub const fn device_id(&self) -> DeviceId {
        self.device
    }

    /// The certificate as it came.
    pub const fn certificate(&self) -> &Signed {
        &self.certificate
    }

    /// The device, if the key of the account that it claims says so.
    ///
    /// # Errors
    /// See [`IdentityError`].
    pub fn verify(&self, account_key: &VerifyingKey) -> Result<Device, IdentityError> {
        Device::verify(&self.certificate, self.account, account_key)
    }

    /// The device as it claims to be, for the simulation's planted bugs only.
    ///
    /// # Errors
    /// See [`IdentityError`].
    #[cfg(feature = "planted-faults")]
    pub fn danger_unverified(&self) -> Result<Device, IdentityError> {
        Device::named_by(&statement::decode(&self.certificate)?, self.account)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{Person, rng};
    use crate::statement::StatementError;

    #[test]
    fn a_credential_becomes_a_device_by_the_accounts_key_only() {
        let (alice, bob) = (Person::new(1, "alice"), Person::new(2, "bob"));
        let certificate = alice.certificate(7, "laptop");
        let claimed = ClaimedDevice::parse(&credential(&certificate)).unwrap();
        assert_eq!(claimed.account_id(), alice.id);
        let device = claimed.verify(&alice.key.public()).unwrap();
        assert_eq!((device.account, device.id, device.name.as_str()), (alice.id, claimed.device_id(), "laptop"));
        assert_eq!(claimed.verify(&bob.key.public()), Err(IdentityError::Statement(StatementError::BadSignature)));
    }

    #[test]
    fn a_certificate_of_one_account_is_none_of_another_with_the_same_key() {
        let alice = Person::new(1, "alice");
        let certificate = alice.certificate(7, "laptop");
        let other = AccountId::from_bytes([9; 16]);
        assert_eq!(Device::verify(&certificate, other, &alice.key.public()), Err(IdentityError::OtherAccount));
    }

    #[test]
    fn what_is_no_certificate_is_not_even_claimed() {
        assert!(ClaimedDevice::parse(b"").is_err());
        assert!(ClaimedDevice::parse(&[0xFF; 40]).is_err());
        assert!(ClaimedDevice::parse(&vec![0; 100_000]).is_err());
    }

    #[test]
    fn fields_of_the_wrong_shape_are_named() {
        let alice = Person::new(1, "alice");
        let refused = |change: &dyn Fn(&mut DeviceCertificate)| {
            let mut content = statement::decode::<DeviceCertificate>(&alice.certificate(7, "laptop")).unwrap();
            change(&mut content);
            Device::verify(&statement::sign(&content, &alice.key), alice.id, &alice.key.public()).unwrap_err()
        };
        assert_eq!(refused(&|c| c.device_id.push(0)), IdentityError::Shape(BadField("device_id")));
        assert_eq!(refused(&|c| c.device_key = vec![0; 32]), IdentityError::Shape(BadField("device_key")));
        assert_eq!(refused(&|c| c.name = "a\u{1b}b".into()), IdentityError::Shape(BadField("name")));
        assert_eq!(refused(&|c| c.account_id.clear()), IdentityError::Shape(BadField("account_id")));
    }

    #[test]
    fn a_device_certificate_is_no_login() {
        // The device key never signs certificates: one device cannot certify the next.
        let alice = Person::new(1, "alice");
        let device_key = SigningKey::generate(&mut rng(5));
        let name = "phone".parse().unwrap();
        let forged =
            issue(alice.id, DeviceId::from_bytes([5; 16]), &device_key.public(), &name, Timestamp(0), &device_key);
        assert!(Device::verify(&forged, alice.id, &alice.key.public()).is_err());
    }
}
