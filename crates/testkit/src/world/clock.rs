//! Virtual time: what happens when. Things of the same moment happen in the order in which they were planned.

use std::collections::BTreeMap;

/// Things to come.
#[derive(Debug)]
pub struct Clock<E> {
    now: i64,
    planned: u64,
    queue: BTreeMap<(i64, u64), E>,
}

impl<E> Clock<E> {
    /// A clock at this time, in milliseconds since 1970.
    pub const fn new(now: i64) -> Self {
        Self { now, planned: 0, queue: BTreeMap::new() }
    }

    /// What time it is.
    pub const fn now(&self) -> i64 {
        self.now
    }

    /// Plans something for that time, or for now if that is past.
    pub fn at(&mut self, time: i64, event: E) {
        self.planned += 1;
        self.queue.insert((time.max(self.now), self.planned), event);
    }

    /// Plans something for so many milliseconds from now.
    pub fn after(&mut self, milliseconds: i64, event: E) {
        self.at(self.now + milliseconds, event);
    }

    /// Goes to the next thing that is still wanted; what is not, never was.
    pub fn next(&mut self, still_wanted: impl Fn(&E) -> bool) -> Option<E> {
        loop {
            let ((time, _), event) = self.queue.pop_first()?;
            if still_wanted(&event) {
                self.now = time;
                return Some(event);
            }
        }
    }
}
