//! The directory: who an account is, as signed, and its devices.

use rusqlite::Connection;
use subrosa_crypto::{DeviceList, VerifyingKey, device};
use subrosa_mls::follower::check_key_package;
use subrosa_types::{AccountId, DeviceId, limits};
use subrosa_wire::error::ErrorCode;
use subrosa_wire::proto::{DirectoryEntry, Signed};

use super::failure::Failure;
use super::turn::Turn;
use crate::store::accounts::AccountRecord;
use crate::store::{self, AccountNo, DeviceNo, StoreError, Stored};

/// What the server says of an account to everybody.
pub(crate) fn entry(store: &Connection, account: &AccountRecord) -> Stored<DirectoryEntry> {
    Ok(DirectoryEntry {
        account_statement: account.statement.clone(),
        account_signature: account.signature.clone(),
        attestation: account.attestation.clone(),
        device_list: store::devices::list(store, account.no)?,
    })
}

/// The account's device list, verified again.
pub(crate) fn device_list(store: &Connection, account: &AccountRecord) -> Stored<DeviceList> {
    let damaged = || StoreError::Damaged("a device list");
    let key = VerifyingKey::from_slice(&account.account_key).map_err(|_| damaged())?;
    DeviceList::verify(&store::devices::list(store, account.no)?, account.id, &key).map_err(|_| damaged())
}

/// Key packages of one device that were checked.
pub(crate) struct CheckedKeyPackages<'a> {
    packages: &'a [Vec<u8>],
    last_resort: &'a [u8],
}

/// Checks key packages that a device offers: valid, and made for its own leaf.
pub(crate) fn check_key_packages<'a>(
    packages: &'a [Vec<u8>],
    last_resort: &'a [u8],
    credential: &[u8],
    device_key: &[u8],
) -> Result<CheckedKeyPackages<'a>, Failure> {
    if packages.len() > limits::KEY_PACKAGES_PER_DEVICE {
        return Err(ErrorCode::TooLarge.into());
    }
    let offered = packages.iter().map(|package| (package.as_slice(), false));
    let last = (!last_resort.is_empty()).then_some((last_resort, true));
    for (package, is_last_resort) in offered.chain(last) {
        if package.len() > limits::KEY_PACKAGE {
            return Err(ErrorCode::TooLarge.into());
        }
        let info = check_key_package(package).map_err(|error| {
            tracing::debug!(%error, "a key package is refused");
            Failure::from(ErrorCode::BadSignature)
        })?;
        if info.credential != credential || info.signature_key != device_key || info.last_resort != is_last_resort {
            return Err(ErrorCode::BadSignature.into());
        }
    }
    Ok(CheckedKeyPackages { packages, last_resort })
}

impl CheckedKeyPackages<'_> {
    /// Stores them; the oldest beyond the limit are dropped.
    pub(crate) fn save(&self, store: &Connection, device: DeviceNo) -> Stored<()> {
        for package in self.packages {
            store::key_packages::add(store, device, package)?;
        }
        if !self.last_resort.is_empty() {
            store::key_packages::set_last_resort(store, device, self.last_resort)?;
        }
        store::key_packages::trim(store, device, limits::KEY_PACKAGES_PER_DEVICE)
    }
}

/// A device that a verified list names for the first time, with what belongs to it, ready to be stored.
pub(crate) struct NewDevice<'a> {
    id: DeviceId,
    key: [u8; 32],
    credential: Vec<u8>,
    entry: &'a Signed,
    index: u64,
    key_packages: CheckedKeyPackages<'a>,
}

impl<'a> NewDevice<'a> {
    /// Checks a device that `list` certifies. `entry` is the list's last one and adds it.
    pub(crate) fn check(
        store: &Connection,
        list: &DeviceList,
        id: DeviceId,
        entry: &'a Signed,
        key_packages: &'a [Vec<u8>],
        last_resort: &'a [u8],
    ) -> Result<Self, Failure> {
        let (Some(device), Some(certificate)) = (list.device(id), list.certificate(id)) else {
            return Err(ErrorCode::BadSignature.into());
        };
        // A device id is used once: what was ended stays ended.
        if store::devices::by_id(store, id)?.is_some() {
            return Err(ErrorCode::BadSignature.into());
        }
        // Without a last resort nobody could reach the device once its key packages are used up.
        if last_resort.is_empty() {
            return Err(ErrorCode::Malformed.into());
        }
        let credential = device::credential(certificate);
        let key_packages = check_key_packages(key_packages, last_resort, &credential, device.key.as_bytes())?;
        let index = list.len() as u64 - 1;
        Ok(Self { id, key: *device.key.as_bytes(), credential, entry, index, key_packages })
    }

    /// Stores the device, its place in the list and its key packages.
    pub(crate) fn save(&self, turn: &Turn<'_>, account: AccountNo) -> Stored<DeviceNo> {
        let device = store::devices::insert(turn.store, self.id, account, &self.key, &self.credential, turn.now)?;
        store::devices::extend_list(turn.store, account, self.index, self.entry)?;
        self.key_packages.save(turn.store, device)?;
        Ok(device)
    }

    /// Its id.
    pub(crate) const fn id(&self) -> DeviceId {
        self.id
    }
}

/// The account with this id.
pub(crate) fn account(store: &Connection, id: AccountId) -> Result<AccountRecord, Failure> {
    store::accounts::by_id(store, id)?.ok_or_else(|| ErrorCode::NoSuchAccount.into())
}
