//! The lock that makes one process the engine of a profile.
//!
//! An advisory lock (flock, LockFileEx) on a file that stays: the system lets go of it when the process ends, however it
//! ends, so a killed engine leaves nothing to clean up. The file's text is the holder's process id, for people only.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};

use super::private::open_private;
use super::{Profile, ProfileError};

/// Held by the process that runs the engine; let go when dropped.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock, if it is free.
    ///
    /// # Errors
    /// [`ProfileError::Locked`] when another process holds it, [`ProfileError::Io`].
    pub fn take(profile: &Profile) -> Result<Self, ProfileError> {
        let path = profile.lock_file();
        let mut file = open_private(&path).map_err(ProfileError::io(&path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(ProfileError::Locked),
            Err(TryLockError::Error(source)) => return Err(ProfileError::Io { path, source }),
        }
        let mark = |file: &mut File| {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{}", std::process::id())
        };
        mark(&mut file).map_err(ProfileError::io(&path))?;
        Ok(Self { _file: file })
    }

    /// The process id that the last holder wrote. Whether it still holds the lock is another question.
    pub fn holder(profile: &Profile) -> Option<u32> {
        let mut text = String::new();
        File::open(profile.lock_file()).ok()?.take(16).read_to_string(&mut text).ok()?;
        text.trim().parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_has_one_engine_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let profile = Profile::at(folder.path());
        let held = Lock::take(&profile).unwrap();
        assert!(matches!(Lock::take(&profile), Err(ProfileError::Locked)));
        assert_eq!(Lock::holder(&profile), Some(std::process::id()));
        drop(held);
        Lock::take(&profile).unwrap();
    }

    #[test]
    fn what_a_dead_process_left_in_the_file_does_not_matter() {
        let folder = tempfile::tempdir().unwrap();
        let profile = Profile::at(folder.path());
        std::fs::write(profile.lock_file(), "4294967295 and more that is no number").unwrap();
        assert_eq!(Lock::holder(&profile), None);
        let _held = Lock::take(&profile).unwrap();
        assert_eq!(Lock::holder(&profile), Some(std::process::id()));
    }
}
