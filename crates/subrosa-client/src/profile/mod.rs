//! The profile: one folder, one encrypted store, one engine at a time.
//!
//! | file | what it is |
//! |---|---|
//! | `profile.json` | plain: where the store's key comes from ([`manifest`]) |
//! | `store.db` | the SQLCipher store; nothing in it is readable without the key |
//! | `store.key` | the key, on machines without a keyring and without a passphrase |
//! | `lock` | held by the process that runs the engine ([`lock`]) |
//! | `subrosa.sock` | where that process can be reached (see [`crate::socket`]) |
//! | `server/` | the embedded server of `subrosa up`, if there is one |
//!
//! Invariant: the folder is 0700 and each file 0600 from the moment it exists.

pub mod lock;
pub mod manifest;
mod private;

use std::io;
use std::path::{Path, PathBuf};

pub use lock::Lock;
pub use manifest::{KeySource, Manifest};
pub(crate) use private::create_private;
#[cfg(test)]
pub(crate) use private::is_private;
pub use private::{replace_private, write_new_private};

/// Where a profile is. Making one touches no file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    home: PathBuf,
}

/// Why a profile cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// The platform names no home folder.
    #[error("this system names no folder for user data; say --home DIR (or set SUBROSA_HOME)")]
    NoHome,
    /// Somebody else's things are in the folder.
    #[error(
        "{} has other things in it and others can read it; name an empty or private folder with --home", .0.display()
    )]
    NotOurs(PathBuf),
    /// The folder or a file in it cannot be read or written.
    #[error("the profile at {} cannot be used: {source}", .path.display())]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// `profile.json` is damaged.
    #[error("{} is damaged ({reason}); restore it from a backup", .path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// There is a store, but no `profile.json` that says where its key is.
    #[error("{} has a store but no profile.json, which says where the store's key is; restore it from a backup", .0.display())]
    NoManifest(PathBuf),
    /// A newer version wrote the profile.
    #[error("{} was written by a newer version of subrosa; update this one", .0.display())]
    Newer(PathBuf),
    /// Another process runs the profile's engine.
    #[error("another process uses this profile")]
    Locked,
}

impl ProfileError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self::Io { path: path.to_owned(), source }
    }
}

impl Profile {
    /// The profile in this folder.
    pub fn at(home: impl Into<PathBuf>) -> Self {
        Self { home: home.into() }
    }

    /// The platform's folder for the profile of a user who names none.
    ///
    /// # Errors
    /// [`ProfileError::NoHome`].
    pub fn default_home() -> Result<PathBuf, ProfileError> {
        directories::ProjectDirs::from("", "", "subrosa")
            .map(|folders| folders.data_dir().join("profile"))
            .ok_or(ProfileError::NoHome)
    }

    /// The folder.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// The encrypted store.
    pub fn store(&self) -> PathBuf {
        self.home.join("store.db")
    }

    /// The key file of a profile that has its key in one.
    pub fn key_file(&self) -> PathBuf {
        self.home.join("store.key")
    }

    /// Folder of the embedded server.
    pub fn server(&self) -> PathBuf {
        self.home.join("server")
    }

    pub(crate) fn manifest(&self) -> PathBuf {
        self.home.join("profile.json")
    }

    pub(crate) fn lock_file(&self) -> PathBuf {
        self.home.join("lock")
    }

    /// Whether there is a profile in the folder.
    ///
    /// # Errors
    /// [`ProfileError::Io`] when the folder cannot be looked at.
    pub fn exists(&self) -> Result<bool, ProfileError> {
        let look = |path: &Path| path.try_exists().map_err(ProfileError::io(path));
        Ok(look(&self.manifest())? || look(&self.store())?)
    }

    /// Makes the folder, private; makes an existing one private if it is empty or a profile.
    ///
    /// # Errors
    /// [`ProfileError::NotOurs`] for a folder that others can read and that has other things in it: to close it would
    /// take something away that we did not make.
    pub fn prepare(&self) -> Result<(), ProfileError> {
        private::create_folder(&self.home).map_err(ProfileError::io(&self.home))?;
        if private::is_private(&self.home).map_err(ProfileError::io(&self.home))? {
            return Ok(());
        }
        let mut entries = self.home.read_dir().map_err(ProfileError::io(&self.home))?;
        if entries.next().is_some() && !self.exists()? {
            return Err(ProfileError::NotOurs(self.home.clone()));
        }
        private::make_private(&self.home).map_err(ProfileError::io(&self.home))
    }

    /// Takes away what rights others have in the profile. Gives what was open to them, and whether it is closed now: not
    /// every file system lets it be.
    ///
    /// # Errors
    /// [`ProfileError::Io`] when the folder cannot be looked at.
    pub fn close_to_others(&self) -> Result<Vec<(PathBuf, bool)>, ProfileError> {
        if !self.exists()? {
            // What stands there is not ours to close; see [`Self::prepare`].
            return Ok(Vec::new());
        }
        let close = |path: PathBuf| {
            let closed = private::make_private(&path).and_then(|()| private::is_private(&path)).unwrap_or(false);
            (path, closed)
        };
        Ok(self.exposed()?.into_iter().map(close).collect())
    }

    /// Files and folders of the profile that others could read.
    ///
    /// # Errors
    /// [`ProfileError::Io`].
    pub fn exposed(&self) -> Result<Vec<PathBuf>, ProfileError> {
        let mut exposed = Vec::new();
        let own = [self.home.clone(), self.manifest(), self.store(), self.key_file(), self.lock_file()];
        for path in own {
            match private::is_private(&path) {
                Ok(false) => exposed.push(path),
                Ok(true) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(ProfileError::Io { path, source }),
            }
        }
        Ok(exposed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_profile_is_a_private_folder() {
        let parent = tempfile::tempdir().unwrap();
        let profile = Profile::at(parent.path().join("deep/alice"));
        profile.prepare().unwrap();
        assert!(private::is_private(profile.home()).unwrap());
        assert!(!profile.exists().unwrap());
        assert!(profile.exposed().unwrap().is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn an_open_folder_is_closed_only_if_nothing_of_others_is_in_it() {
        use std::os::unix::fs::PermissionsExt;
        let parent = tempfile::tempdir().unwrap();
        let home = parent.path().join("alice");
        std::fs::create_dir(&home).unwrap();
        std::fs::set_permissions(&home, std::fs::Permissions::from_mode(0o755)).unwrap();
        let profile = Profile::at(&home);
        std::fs::write(home.join("holiday.jpg"), b"").unwrap();
        assert!(matches!(profile.prepare(), Err(ProfileError::NotOurs(_))));
        std::fs::remove_file(home.join("holiday.jpg")).unwrap();
        profile.prepare().unwrap();
        assert!(private::is_private(&home).unwrap());
    }

    #[cfg(unix)]
    #[test]
    fn what_others_can_read_is_named() {
        use std::os::unix::fs::PermissionsExt;
        let parent = tempfile::tempdir().unwrap();
        let profile = Profile::at(parent.path().join("alice"));
        profile.prepare().unwrap();
        std::fs::write(profile.key_file(), b"").unwrap();
        std::fs::set_permissions(profile.key_file(), std::fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(profile.exposed().unwrap(), [profile.key_file()]);
        assert!(profile.close_to_others().unwrap().is_empty(), "a folder that is no profile is not ours");
        std::fs::write(profile.manifest(), b"").unwrap();
        std::fs::set_permissions(profile.manifest(), std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(profile.close_to_others().unwrap(), [(profile.key_file(), true)]);
        assert!(profile.exposed().unwrap().is_empty());
    }
}
