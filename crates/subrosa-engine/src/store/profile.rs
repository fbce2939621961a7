//! Who this profile is: server, account, device and their keys. One row, or none before sign-up.

use rusqlite::{Connection, OptionalExtension, params};
use subrosa_crypto::{SigningKey, VerifyingKey};
use subrosa_types::{AccountId, DeviceId, Username};
use subrosa_wire::ServerLink;

use super::{Result, StoreError, id, key};
use crate::direct::DirectPolicy;

/// The enrolled profile. Keys are wiped when this is dropped.
pub struct Profile {
    /// Where the server is and who it is.
    pub server: ServerLink,
    /// The server's identity key.
    pub server_key: VerifyingKey,
    /// The account.
    pub account: AccountId,
    /// Its name.
    pub username: Username,
    /// The account key.
    pub account_key: SigningKey,
    /// How often the account started over.
    pub generation: u32,
    /// This device.
    pub device: DeviceId,
    /// Its key.
    pub device_key: SigningKey,
    /// Its certificate, encoded: the MLS credential.
    pub certificate: Vec<u8>,
}

/// The profile, if it is enrolled.
pub fn load(connection: &Connection) -> Result<Option<Profile>> {
    let row = connection
        .query_row(
            "SELECT server, server_key, account, username, account_key, generation, device, device_key, certificate
             FROM profile",
            [],
            |row| {
                Ok((
                    row.get::<_, String>(0)?,
                    row.get::<_, Vec<u8>>(1)?,
                    row.get::<_, Vec<u8>>(2)?,
                    row.get::<_, String>(3)?,
                    zeroize::Zeroizing::new(row.get::<_, Vec<u8>>(4)?),
                    row.get::<_, u32>(5)?,
                    row.get::<_, Vec<u8>>(6)?,
                    zeroize::Zeroizing::new(row.get::<_, Vec<u8>>(7)?),
                    row.get::<_, Vec<u8>>(8)?,
                ))
            },
        )
        .optional()?;
    let Some((server, server_key, account, username, account_seed, generation, device, device_seed, certificate)) = row
    else {
        return Ok(None);
    };
    Ok(Some(Profile {
        server: server.parse().map_err(|_| StoreError::Damaged("server link"))?,
        server_key: key(&server_key, "server key")?,
        account: id(&account, "account", AccountId::from_bytes)?,
        username: username.parse().map_err(|_| StoreError::Damaged("username"))?,
        account_key: seed(&account_seed)?,
        generation,
        device: id(&device, "device", DeviceId::from_bytes)?,
        device_key: seed(&device_seed)?,
        certificate,
    }))
}

fn seed(bytes: &[u8]) -> Result<SigningKey> {
    let seed: &[u8; 32] = bytes.try_into().map_err(|_| StoreError::Damaged("key"))?;
    Ok(SigningKey::from_seed(seed))
}

/// Writes the profile of a device that was just enrolled.
pub fn save(connection: &Connection, profile: &Profile) -> Result<()> {
    connection.execute("DELETE FROM farewell", [])?;
    connection.execute(
        "INSERT OR REPLACE INTO profile
         (id, server, server_key, account, username, account_key, generation, device, device_key, certificate)
         VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        params![
            profile.server.to_string(),
            profile.server_key.as_bytes(),
            profile.account.as_bytes(),
            profile.username.as_str(),
            profile.account_key.seed().as_slice(),
            profile.generation,
            profile.device.as_bytes(),
            profile.device_key.seed().as_slice(),
            profile.certificate,
        ],
    )?;
    Ok(())
}

/// Forgets everything but the reason: the device was ended.
pub fn wipe(connection: &Connection, reason: &str) -> Result<()> {
    let tables: Vec<String> = connection
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")?
        .query_map([], |row| row.get(0))?
        .collect::<std::result::Result<_, _>>()?;
    // Referencing rows first.
    connection.execute("DELETE FROM messages", [])?;
    for table in tables {
        connection.execute(&format!("DELETE FROM \"{table}\""), [])?;
    }
    connection.execute("INSERT INTO farewell (id, reason) VALUES (1, ?1)", [reason])?;
    Ok(())
}

/// Why the device that this profile was has ended, if it has.
pub fn farewell(connection: &Connection) -> Result<Option<String>> {
    Ok(connection.query_row("SELECT reason FROM farewell", [], |row| row.get(0)).optional()?)
}

/// Position up to which the inbox was taken in.
pub fn inbox(connection: &Connection) -> Result<u64> {
    Ok(connection.query_row("SELECT inbox FROM profile", [], |row| row.get(0)).optional()?.unwrap_or(0))
}

/// The inbox was taken in up to `position`.
pub fn set_inbox(connection: &Connection, position: u64) -> Result<()> {
    connection.execute("UPDATE profile SET inbox = max(inbox, ?1)", [position])?;
    Ok(())
}

/// Messages that were dropped because they did not verify.
pub fn dropped(connection: &Connection) -> Result<u32> {
    Ok(connection.query_row("SELECT dropped FROM profile", [], |row| row.get(0)).optional()?.unwrap_or(0))
}

/// One more message was dropped.
pub fn count_dropped(connection: &Connection) -> Result<()> {
    connection.execute("UPDATE profile SET dropped = dropped + 1", [])?;
    Ok(())
}

/// The offer of the super admin role that waits for this account's answer, encoded.
pub fn hand_over(connection: &Connection) -> Result<Option<Vec<u8>>> {
    Ok(connection.query_row("SELECT hand_over FROM profile", [], |row| row.get(0)).optional()?.flatten())
}

/// Sets or clears the waiting offer.
pub fn set_hand_over(connection: &Connection, offer: Option<&[u8]>) -> Result<()> {
    connection.execute("UPDATE profile SET hand_over = ?1", [offer])?;
    Ok(())
}

/// When this account makes direct links; the default while there is no account.
pub fn direct_policy(connection: &Connection) -> Result<DirectPolicy> {
    let code: Option<u8> = connection.query_row("SELECT direct FROM profile", [], |row| row.get(0)).optional()?;
    match code {
        None | Some(0) => Ok(DirectPolicy::Contacts),
        Some(1) => Ok(DirectPolicy::Never),
        Some(2) => Ok(DirectPolicy::Always),
        Some(_) => Err(StoreError::Damaged("policy of direct links")),
    }
}

/// Writes it.
pub fn set_direct_policy(connection: &Connection, policy: DirectPolicy) -> Result<()> {
    let code = match policy {
        DirectPolicy::Contacts => 0,
        DirectPolicy::Never => 1,
        DirectPolicy::Always => 2,
    };
    connection.execute("UPDATE profile SET direct = ?1", [code])?;
    Ok(())
}
