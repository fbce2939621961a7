//! What happened, line by line: hashed whole, and the last lines kept for whom a seed fails.
//!
//! The same seed must give the same hash. Whatever decides anything (times, sizes on the wire, answers, texts) is in a line.
//! The bytes on the wire are not: OpenMLS orders the removals of one commit by a table that is hashed with a random key, so
//! from the second removal on the keys of a group differ between two runs. Nothing else does.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256};

/// Lines that are kept.
const KEPT: usize = 60;

/// A trace; clones are the same one, so that it survives the panic of what it traces.
#[derive(Debug, Clone, Default)]
pub struct Trace(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    hash: Sha256,
    last: VecDeque<String>,
    lines: u64,
    aloud: bool,
}

impl Trace {
    /// An empty trace. With `aloud` each line goes to standard error, too.
    pub fn new(aloud: bool) -> Self {
        Self(Arc::new(Mutex::new(Inner { aloud, ..Inner::default() })))
    }

    /// Adds a line.
    pub fn note(&self, line: String) {
        let mut inner = self.lock();
        inner.hash.update(line.as_bytes());
        inner.hash.update(b"\n");
        inner.lines += 1;
        if inner.aloud {
            eprintln!("{line}");
        }
        if inner.last.len() == KEPT {
            inner.last.pop_front();
        }
        inner.last.push_back(line);
    }

    /// Hash of all lines so far.
    pub fn hash(&self) -> [u8; 32] {
        self.lock().hash.clone().finalize().into()
    }

    /// How many lines there were.
    pub fn lines(&self) -> u64 {
        self.lock().lines
    }

    /// The last lines.
    pub fn last(&self) -> Vec<String> {
        self.lock().last.iter().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
