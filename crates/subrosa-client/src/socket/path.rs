//! Where the socket is. A socket's path may have some 100 bytes only, so a deep profile has its socket in a private
//! runtime folder, under a name made from the profile's path.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use data_encoding::BASE32_NOPAD;
use sha2::{Digest, Sha256};

use crate::profile::Profile;

/// Longest path that every system takes (108 bytes on Linux, 104 on macOS and BSD, with the final zero).
const LONGEST: usize = 100;

/// The socket's path for this profile, whose folder exists.
///
/// # Errors
/// The folder cannot be looked at, or the runtime folder belongs to somebody else.
pub fn socket_path(profile: &Profile) -> io::Result<PathBuf> {
    let home = profile.home().canonicalize()?;
    let plain = home.join("subrosa.sock");
    if plain.as_os_str().len() <= LONGEST {
        return Ok(plain);
    }
    let owner = std::fs::metadata(&home)?.uid();
    let folder = runtime_folder(owner);
    private_folder(&folder, owner)?;
    let digest = Sha256::digest(home.as_os_str().as_bytes());
    Ok(folder.join(format!("{}.sock", BASE32_NOPAD.encode(&digest[..10]).to_ascii_lowercase())))
}

fn runtime_folder(owner: u32) -> PathBuf {
    std::env::var_os("XDG_RUNTIME_DIR")
        .map(PathBuf::from)
        .filter(|folder| folder.is_absolute() && folder.as_os_str().len() < LONGEST - 40 && folder.is_dir())
        .map_or_else(|| PathBuf::from(format!("/tmp/subrosa-{owner}")), |folder| folder.join("subrosa"))
}

/// Makes the folder; one that is there must be the owner's and private, and no link to elsewhere.
fn private_folder(folder: &Path, owner: u32) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    match std::fs::DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let found = std::fs::symlink_metadata(folder)?;
    if found.is_dir() && found.uid() == owner && found.mode() & 0o077 == 0 {
        Ok(())
    } else {
        let message = format!("{} is not a private folder of this user", folder.display());
        Err(io::Error::new(io::ErrorKind::PermissionDenied, message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deep_profile_has_a_short_socket_path_of_its_own() {
        let parent = tempfile::tempdir().unwrap();
        let shallow = Profile::at(parent.path());
        assert_eq!(socket_path(&shallow).unwrap(), parent.path().canonicalize().unwrap().join("subrosa.sock"));
        let paths = ["a", "b"].map(|name| {
            let deep = Profile::at(parent.path().join(name.repeat(90)).join(name.repeat(90)));
            deep.prepare().unwrap();
            socket_path(&deep).unwrap()
        });
        assert!(paths.iter().all(|path| path.as_os_str().len() <= LONGEST));
        assert_ne!(paths[0], paths[1]);
    }

    #[test]
    fn a_folder_that_somebody_else_could_have_laid_there_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        let owner = std::fs::metadata(parent.path()).unwrap().uid();
        let real = parent.path().join("real");
        private_folder(&real, owner).unwrap();
        private_folder(&real, owner).unwrap();
        assert!(private_folder(&real, owner + 1).is_err());
        let link = parent.path().join("link");
        std::os::unix::fs::symlink(&real, &link).unwrap();
        assert!(private_folder(&link, owner).is_err());
    }
}
