//! Files over a direct link: offered, accepted, sent in chunks, resumed after a break, checked at the end.
//!
//! ```text
//! sender                                   receiver
//!   hash the file
//!   offer(number, name, size, sha256)  ──►   ask the person, or accept by flag
//!                                      ◄──   accept(offset, hash of the prefix it has)
//!   hash its own prefix
//!   start(offset or 0)                 ──►
//!   chunk … (at most WINDOW ahead)     ──►   write to NAME.HASH.SIZE.part, hash on the way
//!                                      ◄──   ack(offset)
//!                                            size and hash right: move to NAME
//!                                      ◄──   end(done)
//! ```
//!
//! After a break the sender offers again what has not ended, and the receiver accepts from where it is. The `.part` file
//! has the beginning of the file's hash and its size in its name, so that it is found again after a restart and never continued with
//! another file; what it holds counts only if the sender confirms that its file begins like that.
//!
//! Invariants: a file appears under its name only when its whole content has the offered hash; nothing that exists is
//! overwritten; no name leads out of the chosen folder ([`name`]); memory does not depend on a file's size.

mod incoming;
pub mod name;
mod outgoing;

use std::io::{self, Read};

use aws_lc_rs::digest::{Context as Digest, SHA256};
pub use incoming::Incoming;
pub use outgoing::Outgoing;
use subrosa_wire::proto::DirectFileOutcome;

/// Bytes of a chunk, at most.
pub const CHUNK: usize = 128 * 1024;
/// Bytes that may be under way beyond what the receiver has written.
pub const WINDOW: u64 = 1024 * 1024;
/// Largest file, in bytes.
pub const SIZE: u64 = 1 << 40;
/// Files of one direction that may be open at once.
pub const OPEN: usize = 16;

/// How a file ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileOutcome {
    /// The receiver has it, and its hash is right.
    Done,
    /// The receiver does not want it.
    Declined,
    /// One side stopped it.
    Cancelled,
    /// What arrived has another hash.
    Damaged,
    /// The receiver cannot write it.
    NoRoom,
    /// The sender cannot read it any more.
    Unreadable,
}

impl FileOutcome {
    /// Stable word for scripts.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Declined => "declined",
            Self::Cancelled => "cancelled",
            Self::Damaged => "damaged",
            Self::NoRoom => "no_room",
            Self::Unreadable => "unreadable",
        }
    }

    const fn to_proto(self) -> DirectFileOutcome {
        match self {
            Self::Done => DirectFileOutcome::Done,
            Self::Declined => DirectFileOutcome::Declined,
            Self::Cancelled => DirectFileOutcome::Cancelled,
            Self::Damaged => DirectFileOutcome::Damaged,
            Self::NoRoom => DirectFileOutcome::NoRoom,
            Self::Unreadable => DirectFileOutcome::Unreadable,
        }
    }

    /// One that this version does not know means that it ended without being done.
    pub(crate) fn heard(number: i32) -> Self {
        [Self::Done, Self::Declined, Self::Damaged, Self::NoRoom, Self::Unreadable]
            .into_iter()
            .find(|outcome| i32::from(outcome.to_proto()) == number)
            .unwrap_or(Self::Cancelled)
    }
}

/// What was computed away from the loop of the link.
#[derive(Debug)]
pub enum Work {
    /// A file to send was read and hashed.
    Hashed(u64, io::Result<(u64, [u8; 32])>),
    /// The prefix of a file to send was compared: send from here.
    Compared(u64, io::Result<u64>),
    /// What there is of a file to receive was hashed.
    Prepared(u64, io::Result<incoming::Part>),
    /// A received file lies in its place.
    Placed(u64, io::Result<std::path::PathBuf>),
}

/// SHA-256 of at most `limit` bytes, and how many there were.
fn hash_of(mut file: impl Read, limit: u64) -> io::Result<(u64, Digest)> {
    let mut digest = Digest::new(&SHA256);
    let mut buffer = vec![0; CHUNK];
    let mut left = limit;
    while left > 0 {
        let room = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
        match file.read(&mut buffer[..room]) {
            Ok(0) => break,
            Ok(length) => {
                digest.update(&buffer[..length]);
                left -= length as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok((limit - left, digest))
}

fn finished(digest: Digest) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest.finish().as_ref());
    hash
}
