//! What waits to be written to one connection: bounded, whatever the reader does.
//!
//! - News that would make the queue too long is left out, and from then on the connection *lags*: all further news is left
//!   out until the queue is empty. Then the connection asks the writer for a `Resync`, which says where everything stands,
//!   and the client reads the rest from the log.
//! - Answers are never left out. They are bounded by the requests that the gate lets through (see `gate::connection`).
//! - Frames are shared: a delivery to a thousand connections is in memory once.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};

use bytes::Bytes;

use crate::store::DeviceNo;

/// A connection's queue.
#[derive(Default)]
pub(crate) struct Outbox {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// WebSocket frames, whole.
    frames: VecDeque<Bytes>,
    bytes: usize,
    /// Requests that were handed on and not answered.
    in_flight: u32,
    /// Those of them whose answers may be large.
    heavy: Vec<u64>,
    lagging: bool,
    ending: bool,
    device: Option<DeviceNo>,
    admitted: bool,
    waker: Option<Waker>,
}

/// What a connection finds when it looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    /// Requests that are not answered.
    pub(crate) in_flight: u32,
    /// Those whose answers may be large.
    pub(crate) heavy: usize,
    /// Bytes that wait.
    pub(crate) bytes: usize,
    /// News was left out, and nothing waits any more.
    pub(crate) caught_up: bool,
    /// After what waits, nothing more will come.
    pub(crate) ending: bool,
    /// Who is logged in.
    pub(crate) device: Option<DeviceNo>,
    /// A guest was let into a room.
    pub(crate) admitted: bool,
}

impl Outbox {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing panics while it holds the lock; were it otherwise, the queue would still be whole.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues an answer to `requests` requests, in particular to the one with this id.
    pub(crate) fn answer(&self, frame: Bytes, requests: u32, id: u64) {
        let mut inner = self.lock();
        inner.in_flight = inner.in_flight.saturating_sub(requests);
        inner.heavy.retain(|heavy| *heavy != id);
        inner.push(frame);
        wake(inner);
    }

    /// Queues news if not more than `limit` bytes wait then, or leaves it out and says `false`.
    pub(crate) fn news(&self, frame: Bytes, limit: usize) -> bool {
        let mut inner = self.lock();
        if inner.lagging {
            return false;
        }
        if inner.bytes + frame.len() > limit && !inner.frames.is_empty() {
            inner.lagging = true;
            return false;
        }
        inner.push(frame);
        wake(inner);
        true
    }

    /// Queues the last frame.
    pub(crate) fn end(&self, frame: Bytes) {
        let mut inner = self.lock();
        if !inner.ending {
            inner.push(frame);
            inner.ending = true;
        }
        wake(inner);
    }

    /// From here on the connection speaks for a device.
    pub(crate) fn logged_in(&self, device: DeviceNo) {
        self.lock().device = Some(device);
    }

    /// From here on the connection speaks for a guest of a room.
    pub(crate) fn admitted(&self) {
        let mut inner = self.lock();
        inner.admitted = true;
        // The deadline for the login is off, which the connection has to know.
        let waker = inner.waker.clone();
        drop(inner);
        waker.into_iter().for_each(Waker::wake);
    }

    /// Notes that requests were handed on, one of them perhaps heavy.
    pub(crate) fn sent(&self, requests: u32, heavy: Option<u64>) {
        let mut inner = self.lock();
        inner.in_flight += requests;
        inner.heavy.extend(heavy);
    }

    /// Takes [`Self::sent`] back.
    pub(crate) fn not_sent(&self, requests: u32) {
        let mut inner = self.lock();
        inner.in_flight = inner.in_flight.saturating_sub(requests);
    }

    /// Moves up to `bytes` bytes of frames over (one frame always, unless `bytes` is 0), and says how things are. The
    /// waker is kept.
    pub(crate) fn take(&self, cx: &Context<'_>, bytes: usize, to: &mut VecDeque<Bytes>) -> Look {
        let mut inner = self.lock();
        let mut taken = 0;
        while let Some(frame) = inner.frames.front() {
            if bytes == 0 || (taken > 0 && taken + frame.len() > bytes) {
                break;
            }
            taken += frame.len();
            to.extend(inner.frames.pop_front());
        }
        inner.bytes -= taken;
        if inner.frames.is_empty() && inner.frames.capacity() > 16 {
            inner.frames = VecDeque::new();
        }
        if inner.waker.as_ref().is_none_or(|waker| !waker.will_wake(cx.waker())) {
            inner.waker = Some(cx.waker().clone());
        }
        Look {
            in_flight: inner.in_flight,
            heavy: inner.heavy.len(),
            bytes: inner.bytes,
            caught_up: inner.lagging && inner.frames.is_empty(),
            ending: inner.ending,
            device: inner.device,
            admitted: inner.admitted,
        }
    }

    /// The connection asks for a `Resync`: news is queued again.
    pub(crate) fn resync(&self) {
        let mut inner = self.lock();
        inner.lagging = false;
        inner.in_flight += 1;
    }
}

impl Inner {
    fn push(&mut self, frame: Bytes) {
        if !self.ending {
            self.bytes += frame.len();
            self.frames.push_back(frame);
        }
    }
}

/// Wakes the connection after the lock is released.
fn wake(inner: MutexGuard<'_, Inner>) {
    let waker = if inner.frames.len() == 1 || inner.ending { inner.waker.clone() } else { None };
    drop(inner);
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// A server's WebSocket frame around a payload (RFC 6455 §5.2): final, binary, not masked.
pub(crate) fn websocket_frame(payload: &[u8]) -> Bytes {
    let mut frame = Vec::with_capacity(payload.len() + 10);
    frame.push(0x82);
    match payload.len() {
        length @ 0..=125 => frame.push(length as u8),
        length @ 126..=0xFFFF => {
            frame.push(126);
            frame.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            frame.push(127);
            frame.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(payload);
    frame.into()
}

#[cfg(test)]
mod tests {
    use subrosa_types::limits;

    use super::*;

    fn take(outbox: &Outbox, bytes: usize) -> (usize, Look) {
        let mut to = VecDeque::new();
        let look = outbox.take(&Context::from_waker(Waker::noop()), bytes, &mut to);
        (to.len(), look)
    }

    #[test]
    fn a_reader_that_falls_behind_gets_no_more_news_until_it_has_caught_up() {
        let outbox = Outbox::default();
        let frame = Bytes::from(vec![0; 100 * 1024]);
        for _ in 0..1000 {
            outbox.news(frame.clone(), limits::CONNECTION_QUEUE);
        }
        outbox.answer(Bytes::from_static(b"answer"), 0, 0);
        assert!(outbox.lock().bytes <= limits::CONNECTION_QUEUE);
        let (taken, look) = take(&outbox, 1);
        assert_eq!((taken, look.caught_up), (1, false));
        let (taken, look) = take(&outbox, usize::MAX);
        assert_eq!((taken, look.caught_up), (2, true));
        outbox.news(frame.clone(), limits::CONNECTION_QUEUE);
        assert_eq!(take(&outbox, usize::MAX).0, 0);
        outbox.resync();
        outbox.news(frame, limits::CONNECTION_QUEUE);
        let (taken, look) = take(&outbox, usize::MAX);
        assert_eq!((taken, look.caught_up, look.in_flight), (1, false, 1));
    }

    #[test]
    fn one_frame_larger_than_the_queue_still_goes_out() {
        let outbox = Outbox::default();
        outbox.news(Bytes::from(vec![0; 2 * limits::CONNECTION_QUEUE]), limits::CONNECTION_QUEUE);
        assert_eq!(take(&outbox, 1).0, 1);
    }

    #[test]
    fn nothing_comes_after_the_end() {
        let outbox = Outbox::default();
        outbox.end(Bytes::from_static(b"bye"));
        outbox.news(Bytes::from_static(b"late"), limits::CONNECTION_QUEUE);
        outbox.end(Bytes::from_static(b"twice"));
        let (taken, look) = take(&outbox, usize::MAX);
        assert_eq!((taken, look.ending), (1, true));
    }

    #[test]
    fn lengths_are_written_in_their_shortest_form() {
        assert_eq!(websocket_frame(&[7])[..], [0x82, 1, 7]);
        assert_eq!(websocket_frame(&[0; 126])[..4], [0x82, 126, 0, 126]);
        assert_eq!(websocket_frame(&[0; 65_536])[..10], [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
    }
}
