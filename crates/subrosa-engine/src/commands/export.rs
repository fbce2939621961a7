//! Export: the keys that stand for this account and this device, in the forms that other programs read.

use subrosa_crypto::SigningKey;

use crate::api::{Failure, KeyOwner, KeyRow, Reply, Secret};
use crate::engine::Engine;
use crate::words;

impl Engine {
    pub(super) fn export_keys(&self, danger_private: bool) -> Result<Reply, Failure> {
        let Some(profile) = &self.profile else { return Err(words::not_logged_in()) };
        let row = |owner: KeyOwner, id: String, key: &SigningKey| KeyRow {
            owner,
            id,
            name: profile.username.to_string(),
            public: key.public().to_pem(),
            danger_private: danger_private.then(|| Secret(key.danger_to_pem().as_str().to_owned())),
        };
        Ok(Reply::Keys(vec![
            row(KeyOwner::Account, profile.account.to_string(), &profile.account_key),
            row(KeyOwner::Device, profile.device.to_string(), &profile.device_key),
        ]))
    }
}
