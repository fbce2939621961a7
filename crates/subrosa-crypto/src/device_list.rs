//! An account's devices as a signed hash chain.
//!
//! Reason: a server that could show one device more could read along. Every entry is signed by the account key and names
//! the hash of the one before, so that the list can only grow, and who has seen a longer list notices a shorter or
//! another one ([`DeviceList::extends`]).
//!
//! Rules of an entry, checked in this order: size and signature · account · index without a gap · hash of the previous
//! statement · an added device is certified by the same key, was never in the list, and is at most the
//! eighth active one · a removed device is active. At most [`ENTRIES`] entries: after that the account starts over.
//!
//! Invariant: a [`DeviceList`] holds only entries for which all of this was true.

use prost::Message;
use subrosa_types::limits::DEVICES_PER_ACCOUNT;
use subrosa_types::{AccountId, DeviceId, Timestamp};
use subrosa_wire::proto::device_list_entry::Change;
use subrosa_wire::proto::{DeviceCertificate, DeviceListEntry, Signed};

use crate::account::IdentityError;
use crate::device::Device;
use crate::field::{self, BadField};
use crate::keys::{SigningKey, VerifyingKey};
use crate::statement::{self, StatementError};

/// Entries that a device list may have.
pub const ENTRIES: usize = 256;

/// Why an entry does not fit the list. Who sent it is to blame; the list is as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeviceListError {
    /// A list without an entry is no list.
    #[error("the device list is empty")]
    Empty,
    /// More than [`ENTRIES`] entries.
    #[error("the device list has more than {ENTRIES} entries")]
    TooLong,
    /// Not signed by the account, or no statement.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// A field of the wrong shape, or no change at all.
    #[error(transparent)]
    Shape(#[from] BadField),
    /// Of another account.
    #[error("the entry belongs to another account")]
    OtherAccount,
    /// Another index than the next one.
    #[error("the entry has index {found} where {expected} was expected")]
    Index {
        /// The index of the next entry.
        expected: u64,
        /// The one that the entry has.
        found: u64,
    },
    /// The chain is broken: the entry continues another list.
    #[error("the entry does not continue this list")]
    Previous,
    /// The certificate of an added device does not verify.
    #[error("the added device's certificate does not verify")]
    Certificate,
    /// The added device was in the list before.
    #[error("the device was in the list before")]
    Repeated,
    /// More than [`DEVICES_PER_ACCOUNT`] active devices.
    #[error("an account has at most {DEVICES_PER_ACCOUNT} devices")]
    TooManyDevices,
    /// The device to remove is not active.
    #[error("there is no such device to remove")]
    NotActive,
}

/// What an entry did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeviceChange {
    /// A device was added.
    Added(Device),
    /// A device was removed.
    Removed(DeviceId),
}

#[derive(Debug, Clone)]
struct Listed {
    device: Device,
    certificate: Signed,
    active: bool,
}

/// An account's devices, past and present, every entry verified.
#[derive(Debug, Clone)]
pub struct DeviceList {
    account: AccountId,
    key: VerifyingKey,
    entries: Vec<Signed>,
    head: [u8; 32],
    devices: Vec<Listed>,
}

impl DeviceList {
    /// The entry that begins a list (index 0), for the device of this certificate.
    ///
    /// # Errors
    /// [`IdentityError`] if the certificate is not of this account key.
    pub fn first(certificate: Signed, at: Timestamp, account_key: &SigningKey) -> Result<Signed, IdentityError> {
        let content = statement::verify::<DeviceCertificate>(&certificate, &account_key.public())?;
        let account = field::account(&content.account_id, "account_id")?;
        Ok(entry(account, 0, Vec::new(), Change::Add(certificate), at, account_key))
    }

    /// Checks a whole list.
    ///
    /// # Errors
    /// See [`DeviceListError`].
    pub fn verify(entries: &[Signed], account: AccountId, key: &VerifyingKey) -> Result<Self, DeviceListError> {
        if entries.is_empty() {
            return Err(DeviceListError::Empty);
        }
        if entries.len() > ENTRIES {
            return Err(DeviceListError::TooLong);
        }
        let mut list = Self { account, key: *key, entries: Vec::new(), head: [0; 32], devices: Vec::new() };
        for entry in entries {
            list.append(entry)?;
        }
        Ok(list)
    }

    /// Checks the next entry and takes it in.
    ///
    /// # Errors
    /// See [`DeviceListError`]; the list is unchanged then.
    pub fn append(&mut self, signed: &Signed) -> Result<DeviceChange, DeviceListError> {
        let (entry, hash) = self.check_link(signed)?;
        let change = match entry.change {
            Some(Change::Add(certificate)) => {
                let device = self.check_added(&certificate)?;
                self.devices.push(Listed { device: device.clone(), certificate, active: true });
                DeviceChange::Added(device)
            }
            Some(Change::Remove(id)) => {
                let id = field::device(&id, "remove")?;
                let listed = self
                    .devices
                    .iter_mut()
                    .find(|listed| listed.device.id == id && listed.active)
                    .ok_or(DeviceListError::NotActive)?;
                listed.active = false;
                DeviceChange::Removed(id)
            }
            None => return Err(BadField("change").into()),
        };
        self.entries.push(signed.clone());
        self.head = hash;
        Ok(change)
    }

    /// The signature, the account and the chain.
    fn check_link(&self, signed: &Signed) -> Result<(DeviceListEntry, [u8; 32]), DeviceListError> {
        if self.entries.len() >= ENTRIES {
            return Err(DeviceListError::TooLong);
        }
        let entry = statement::verify::<DeviceListEntry>(signed, &self.key)?;
        if field::account(&entry.account_id, "account_id")? != self.account {
            return Err(DeviceListError::OtherAccount);
        }
        let expected = self.next_index();
        if entry.index != expected {
            return Err(DeviceListError::Index { expected, found: entry.index });
        }
        if entry.previous != self.previous() {
            return Err(DeviceListError::Previous);
        }
        let hash = entry.hash();
        Ok((entry.into_inner(), hash))
    }

    fn check_added(&self, certificate: &Signed) -> Result<Device, DeviceListError> {
        let device = Device::verify(certificate, self.account, &self.key).map_err(|_| DeviceListError::Certificate)?;
        // A key that comes back under another id would bring back a device that was removed because it was lost.
        if self.devices.iter().any(|listed| listed.device.id == device.id || listed.device.key == device.key) {
            return Err(DeviceListError::Repeated);
        }
        if self.active().count() >= DEVICES_PER_ACCOUNT {
            return Err(DeviceListError::TooManyDevices);
        }
        Ok(device)
    }

    /// Makes the entry that adds a device. Whether it may be added shows when it is [appended](Self::append).
    pub fn next_add(&self, certificate: Signed, at: Timestamp, account_key: &SigningKey) -> Signed {
        self.next(Change::Add(certificate), at, account_key)
    }

    /// Makes the entry that removes a device. Whether it can be removed shows when it is [appended](Self::append).
    pub fn next_remove(&self, device: DeviceId, at: Timestamp, account_key: &SigningKey) -> Signed {
        self.next(Change::Remove(device.to_vec()), at, account_key)
    }

    fn next(&self, change: Change, at: Timestamp, account_key: &SigningKey) -> Signed {
        entry(self.account, self.next_index(), self.previous(), change, at, account_key)
    }

    fn next_index(&self) -> u64 {
        self.entries.len() as u64
    }

    fn previous(&self) -> Vec<u8> {
        if self.entries.is_empty() { Vec::new() } else { self.head.to_vec() }
    }

    /// Whose devices these are.
    pub const fn account(&self) -> AccountId {
        self.account
    }

    /// The key that signed the list.
    pub const fn account_key(&self) -> VerifyingKey {
        self.key
    }

    /// The devices that were added and not removed, oldest first.
    pub fn active(&self) -> impl Iterator<Item = &Device> {
        self.devices.iter().filter(|listed| listed.active).map(|listed| &listed.device)
    }

    fn listed(&self, id: DeviceId) -> Option<&Listed> {
        self.devices.iter().find(|listed| listed.active && listed.device.id == id)
    }

    /// An active device.
    pub fn device(&self, id: DeviceId) -> Option<&Device> {
        self.listed(id).map(|listed| &listed.device)
    }

    /// Whether a device is active.
    pub fn contains(&self, id: DeviceId) -> bool {
        self.listed(id).is_some()
    }

    /// The certificate of an active device.
    pub fn certificate(&self, id: DeviceId) -> Option<&Signed> {
        self.listed(id).map(|listed| &listed.certificate)
    }

    /// All entries, from index 0, as they came.
    pub fn entries(&self) -> &[Signed] {
        &self.entries
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Never true: a list begins with its first device.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// SHA-256 of the last entry's statement. Two lists with the same head are the same list.
    pub const fn head_hash(&self) -> [u8; 32] {
        self.head
    }

    /// Whether this list is `older` or a continuation of it. If not, the server (or who holds the account key) shows
    /// different lists to different people or at different times.
    pub fn extends(&self, older: &Self) -> bool {
        self.account == older.account
            && self.key == older.key
            && older
                .entries
                .len()
                .checked_sub(1)
                .is_some_and(|last| self.entries.get(last).is_some_and(|entry| statement::hash(entry) == older.head))
    }
}

fn entry(
    account: AccountId,
    index: u64,
    previous: Vec<u8>,
    change: Change,
    at: Timestamp,
    account_key: &SigningKey,
) -> Signed {
    let entry = DeviceListEntry { account_id: account.to_vec(), index, previous, at: at.0, change: Some(change) };
    debug_assert!(entry.encoded_len() <= statement::STATEMENT);
    statement::sign(&entry, account_key)
}

#[cfg(test)]
mod tests;
