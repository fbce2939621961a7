//! Servers of which a person gave only the address: the key that was there the first time is remembered, and insisted on
//! from then on (trust on first use).
//!
//! The file `known-servers` of the profile's folder, private from the moment it exists, has one line a server:
//! `host:port fingerprint`. A person who knows why a key changed takes the line out.

use std::io;
use std::path::PathBuf;

use subrosa_engine::api::{Failure, FailureCode};
use subrosa_wire::{Fingerprint, ServerLink};

use crate::failure::connect_failure;
use crate::profile::{Profile, ProfileError, replace_private};

/// Most servers that are remembered; a line is some 100 bytes.
const SERVERS: usize = 10_000;

/// The remembered servers of a profile.
#[derive(Debug, Clone)]
pub struct KnownServers {
    profile: Profile,
}

impl KnownServers {
    /// Those of this profile, which need not exist.
    pub const fn of(profile: Profile) -> Self {
        Self { profile }
    }

    /// The file.
    pub fn file(&self) -> PathBuf {
        self.profile.home().join("known-servers")
    }

    /// The key that was at this address.
    ///
    /// # Errors
    /// The file cannot be read, or is damaged: then no key is trusted.
    pub fn find(&self, host: &str, port: u16) -> Result<Option<Fingerprint>, Failure> {
        let address = format!("{host}:{port}");
        Ok(self.all()?.into_iter().find(|(known, _)| *known == address).map(|(_, fingerprint)| fingerprint))
    }

    /// Remembers the key at an address of which none is known.
    ///
    /// # Errors
    /// The folder or file cannot be written.
    pub fn remember(&self, link: &ServerLink) -> Result<(), Failure> {
        self.profile.prepare()?;
        let mut all = self.all()?;
        if all.len() >= SERVERS {
            all.remove(0);
        }
        all.push((format!("{}:{}", link.host, link.port), link.fingerprint));
        let text: String = all.iter().map(|(address, fingerprint)| format!("{address} {fingerprint}\n")).collect();
        let file = self.file();
        replace_private(&file, text.as_bytes()).map_err(|source| ProfileError::Io { path: file, source }.into())
    }

    fn all(&self) -> Result<Vec<(String, Fingerprint)>, Failure> {
        let path = self.file();
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(ProfileError::Io { path, source }.into()),
        };
        text.lines()
            .map(|line| {
                let (address, fingerprint) = line.split_once(' ')?;
                Some((address.to_owned(), fingerprint.parse().ok()?))
            })
            .collect::<Option<_>>()
            .ok_or_else(|| {
                let message = format!("{} is damaged; repair or remove it: nothing was sent", path.display());
                Failure::new(FailureCode::Untrusted, "known_servers", message)
            })
    }
}

/// The link of the server at an address: with the remembered key, else with the one that is there now, which is remembered.
/// Says whether it is new.
///
/// # Errors
/// The server is not reached, or the file cannot be used.
pub async fn find(known: &KnownServers, host: &str, port: u16) -> Result<(ServerLink, bool), Failure> {
    if let Some(fingerprint) = known.find(host, port)? {
        return Ok((ServerLink { host: host.to_owned(), port, fingerprint }, false));
    }
    let fingerprint = subrosa_net::learn_key(host, port).await.map_err(|error| connect_failure(&error))?;
    let link = ServerLink { host: host.to_owned(), port, fingerprint };
    known.remember(&link)?;
    Ok((link, true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile;

    fn link(port: u16, byte: u8) -> ServerLink {
        ServerLink { host: "127.0.0.1".into(), port, fingerprint: Fingerprint([byte; 32]) }
    }

    #[test]
    fn a_key_is_remembered_for_its_address_in_a_private_file() {
        let folder = tempfile::tempdir().unwrap();
        let known = KnownServers::of(Profile::at(folder.path().join("alice")));
        assert_eq!(known.find("127.0.0.1", 1), Ok(None));
        known.remember(&link(1, 7)).unwrap();
        known.remember(&link(2, 8)).unwrap();
        assert_eq!(known.find("127.0.0.1", 1), Ok(Some(Fingerprint([7; 32]))));
        assert_eq!(known.find("127.0.0.1", 2), Ok(Some(Fingerprint([8; 32]))));
        assert_eq!(known.find("127.0.0.1", 3), Ok(None));
        assert_eq!(known.find("127.0.0.2", 1), Ok(None));
        assert!(profile::is_private(&known.file()).unwrap());
    }

    #[test]
    fn a_damaged_file_is_no_reason_to_trust_whoever_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let known = KnownServers::of(Profile::at(folder.path().join("alice")));
        known.remember(&link(1, 7)).unwrap();
        std::fs::write(known.file(), "127.0.0.1:1 half").unwrap();
        let failure = known.find("127.0.0.1", 1).unwrap_err();
        assert_eq!((failure.code, failure.kind.as_str()), (FailureCode::Untrusted, "known_servers"));
    }
}
