//! People and randomness for the tests of this crate.

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use subrosa_types::{AccountId, DeviceId, Timestamp, Username};
use subrosa_wire::proto::{DirectoryEntry, Signed};

use crate::account::{self, SelfSigned};
use crate::device;
use crate::device_list::DeviceList;
use crate::keys::SigningKey;

/// A random number generator that gives the same numbers in each run.
pub fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

/// Somebody with an account key.
pub struct Person {
    pub id: AccountId,
    pub name: Username,
    pub key: SigningKey,
}

impl Person {
    pub fn new(seed: u64, name: &str) -> Self {
        let mut rng = rng(seed);
        let mut id = [0; 16];
        rng.fill_bytes(&mut id);
        Self { id: AccountId::from_bytes(id), name: name.parse().unwrap(), key: SigningKey::generate(&mut rng) }
    }

    /// A certificate for this person's device `number`.
    pub fn certificate(&self, number: u8, name: &str) -> Signed {
        let device_key = SigningKey::from_seed(&[number; 32]).public();
        let id = DeviceId::from_bytes([number; 16]);
        device::issue(self.id, id, &device_key, &name.parse().unwrap(), Timestamp(5), &self.key)
    }

    /// The account with one device, as the directory of `server` shows it.
    pub fn directory_entry(&self, server: &SigningKey) -> DirectoryEntry {
        let server_key = server.public();
        let statement = account::statement(self.id, &self.name, &server_key, 0, Timestamp(1), &self.key);
        let account = SelfSigned::verify(&statement.statement, &statement.signature, &server_key).unwrap();
        let first = DeviceList::first(self.certificate(1, "first"), Timestamp(2), &self.key).unwrap();
        account.directory_entry(&account.attest(server), vec![first])
    }
}
