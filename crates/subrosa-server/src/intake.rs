//! The bounded queue between the connections and the writer thread.
//!
//! Connections put tasks in without blocking their thread: when the queue is full they are woken later, and meanwhile read
//! nothing from their socket, so that the pressure reaches the client. The writer takes everything that waits at once:
//! what came while the last batch went to disk is the next batch.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::core::{Job, Peer, SessionId};
use crate::outbox::Outbox;

/// Tasks that may wait.
const TASKS: usize = 4 * 1024;
/// Bytes of requests that may wait.
const BYTES: usize = 16 * 1024 * 1024;

/// Something for the writer to do.
#[expect(clippy::large_enum_variant, reason = "nearly all are jobs; a box each would cost more than it saves")]
pub(crate) enum Task {
    /// A connection came.
    Connect(SessionId, Peer, Arc<Outbox>),
    /// A connection asks for something.
    Job(Job),
    /// A connection is gone.
    Disconnect(SessionId),
    /// The server goes down, with a reason for people.
    Stop(String),
}

/// The queue.
#[derive(Default)]
pub(crate) struct Intake {
    inner: Mutex<Inner>,
    filled: Condvar,
}

#[derive(Default)]
struct Inner {
    tasks: Vec<Task>,
    bytes: usize,
    waiting: VecDeque<Waker>,
    writer_sleeps: bool,
    closed: bool,
}

/// The writer is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Closed;

impl std::fmt::Debug for Intake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Intake").finish_non_exhaustive()
    }
}

impl Intake {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing panics while it holds the lock; were it otherwise, the queue would still be whole.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts requests of `bytes` bytes in, all of them, or keeps the waker until there is room.
    pub(crate) fn poll_push(
        &self,
        cx: &mut Context<'_>,
        jobs: &mut Vec<Job>,
        bytes: usize,
    ) -> Poll<Result<(), Closed>> {
        let mut inner = self.lock();
        if inner.closed {
            return Poll::Ready(Err(Closed));
        }
        if inner.tasks.len() >= TASKS || inner.bytes >= BYTES {
            inner.waiting.push_back(cx.waker().clone());
            return Poll::Pending;
        }
        inner.bytes += bytes;
        inner.tasks.extend(std::mem::take(jobs).into_iter().map(Task::Job));
        self.wake(inner);
        Poll::Ready(Ok(()))
    }

    /// Puts in what must not wait: comings and goings. There are as many as there are connections.
    pub(crate) fn push_now(&self, task: Task) {
        let mut inner = self.lock();
        if !inner.closed {
            inner.tasks.push(task);
            self.wake(inner);
        }
    }

    fn wake(&self, mut inner: MutexGuard<'_, Inner>) {
        let wake = std::mem::take(&mut inner.writer_sleeps);
        drop(inner);
        if wake {
            self.filled.notify_one();
        }
    }

    /// Takes everything that waits; waits for something until `deadline`. `empty` is an empty vector to reuse.
    pub(crate) fn take(&self, mut empty: Vec<Task>, deadline: Instant) -> Vec<Task> {
        let mut inner = self.lock();
        while inner.tasks.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left == Duration::ZERO {
                return empty;
            }
            inner.writer_sleeps = true;
            let waited = self.filled.wait_timeout(inner, left);
            inner = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        inner.writer_sleeps = false;
        inner.bytes = 0;
        std::mem::swap(&mut inner.tasks, &mut empty);
        let waiting = std::mem::take(&mut inner.waiting);
        drop(inner);
        waiting.into_iter().for_each(Waker::wake);
        empty
    }

    /// No more tasks: the writer ends.
    pub(crate) fn close(&self) {
        let mut inner = self.lock();
        inner.closed = true;
        inner.tasks.clear();
        let waiting = std::mem::take(&mut inner.waiting);
        drop(inner);
        waiting.into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::Request;

    fn job() -> Vec<Job> {
        vec![Job { session: SessionId(1), request: Request::Resync }]
    }

    #[test]
    fn a_full_queue_keeps_the_job_with_its_owner_until_the_writer_took_what_waited() {
        let intake = Intake::default();
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..TASKS {
            assert_eq!(intake.poll_push(&mut cx, &mut job(), 10), Poll::Ready(Ok(())));
        }
        let mut kept = job();
        assert_eq!(intake.poll_push(&mut cx, &mut kept, 10), Poll::Pending);
        assert_eq!(kept.len(), 1);
        assert_eq!(intake.take(Vec::new(), Instant::now()).len(), TASKS);
        assert_eq!(intake.poll_push(&mut cx, &mut kept, 10), Poll::Ready(Ok(())));
        intake.close();
        assert_eq!(intake.poll_push(&mut cx, &mut kept, 10), Poll::Ready(Err(Closed)));
    }

    #[test]
    fn bytes_are_bounded_too() {
        let intake = Intake::default();
        let mut cx = Context::from_waker(Waker::noop());
        assert!(intake.poll_push(&mut cx, &mut job(), BYTES).is_ready());
        assert!(intake.poll_push(&mut cx, &mut job(), 1).is_pending());
    }
}
