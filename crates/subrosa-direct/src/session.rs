//! One link, from the first record to the goodbye or the break.
//!
//! A loop over what may happen: a frame came, there is room for one to go, something is wished, something was computed,
//! time passed. Frames go out through a task of their own, so that a peer which does not read cannot keep us from reading.
//!
//! Invariant: memory does not depend on the peer. What it sends is answered by state (one acknowledgement, one answer a
//! file), not by a queue; what we send waits for room.

use std::time::Duration;

use bytes::Bytes;
use subrosa_crypto::encryptor::Encryptor;
use subrosa_net::direct::{Inbound, Link, LinkEnd, Outbound, Path};
use subrosa_wire::proto::direct_message::Message;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};

use crate::desk::{Desk, Trouble};
use crate::error::{Break, ChatError};
use crate::interactor::{Event, Interactor};
use crate::record::Records;
use crate::timing::Timing;

/// Frames that wait for the link.
const FRAMES: usize = 2;
/// How long the other side may take to answer a goodbye.
const FAREWELL: Duration = Duration::from_secs(2);

/// How a link ended.
#[derive(Debug)]
pub enum Ended {
    /// Both sides said goodbye, or we did and the other side is gone.
    Over,
    /// Otherwise.
    Broken(Break),
}

/// The loop's own state.
struct Session<'a> {
    encryptor: &'a mut dyn Encryptor,
    records: Records,
    timing: &'a Timing,
    heard: Instant,
    sent: Instant,
    /// When we said goodbye.
    goodbye: Option<Instant>,
}

/// Runs a link on which both sides have agreed.
pub async fn run<I: Interactor>(
    link: Link,
    encryptor: &mut dyn Encryptor,
    desk: &mut Desk<I>,
    timing: &Timing,
) -> Result<Ended, ChatError> {
    let Link { outbound, mut inbound, mut path, .. } = link;
    let (frames, queue) = mpsc::channel(FRAMES);
    let mut writer = Writer(tokio::spawn(write(outbound, queue)));
    let now = Instant::now();
    let mut session = Session { encryptor, records: Records::default(), timing, heard: now, sent: now, goodbye: None };
    desk.begin();
    let ended = session.talk(desk, inbound.as_mut(), &frames, &mut path).await;
    // What is queued still goes out, the goodbye last of all.
    drop(frames);
    if !matches!(ended, Ok(Ended::Broken(_))) && timeout(FAREWELL, &mut writer.0).await.is_ok() && ended.is_ok() {
        // Until the other side ended its half: what is unread here would reset the link and take our goodbye with it.
        let _impatient = timeout(FAREWELL, async { while inbound.next().await.is_ok() {} }).await;
    }
    ended
}

/// The task that sends; it ends with the session.
struct Writer(JoinHandle<()>);

impl Drop for Writer {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn write(mut outbound: Box<dyn Outbound>, mut queue: mpsc::Receiver<Bytes>) {
    while let Some(frame) = queue.recv().await {
        // The session sees the closed queue.
        if outbound.send(frame).await.is_err() {
            return;
        }
    }
    outbound.finish().await;
}

impl Session<'_> {
    async fn talk<I: Interactor>(
        &mut self,
        desk: &mut Desk<I>,
        inbound: &mut dyn Inbound,
        frames: &mpsc::Sender<Bytes>,
        path: &mut watch::Receiver<Path>,
    ) -> Result<Ended, ChatError> {
        let mut path_lives = true;
        loop {
            if self.goodbye.is_some_and(|since| since.elapsed() >= FAREWELL) {
                return Ok(Ended::Over);
            }
            let leaves = self.goodbye.is_none() && desk.wants_to_leave(self.timing.farewell);
            let is_due = self.goodbye.is_none() && (leaves || desk.is_due() || self.is_quiet());
            let (listens, works) = (desk.listens(), !desk.work.is_empty());
            tokio::select! {
                room = frames.reserve(), if is_due => {
                    let Ok(room) = room else { return Ok(Ended::Broken(Break::Lost("it does not take frames".into()))) };
                    if let Some(message) = self.next_message(desk, leaves)? {
                        room.send(self.records.seal(self.encryptor, message)?);
                        self.sent = Instant::now();
                    }
                }
                frame = inbound.next() => match self.take(desk, frame, frames, *path.borrow()) {
                    Ok(None) => {}
                    Ok(Some(ended)) => return Ok(ended),
                    Err(Trouble::Break(cause)) if self.goodbye.is_none() => return Ok(Ended::Broken(cause)),
                    Err(Trouble::Break(_)) => return Ok(Ended::Over),
                    Err(Trouble::Chat(error)) => return Err(error),
                },
                wish = desk.interactor.next(), if listens => desk.wish(wish)?,
                Some(Ok(done)) = desk.work.join_next(), if works => desk.worked(done)?,
                changed = path.changed(), if path_lives => match changed {
                    Ok(()) => {
                        let now = *path.borrow_and_update();
                        desk.show(Event::PathChanged(now))?;
                    }
                    Err(_) => path_lives = false,
                },
                () = sleep_until(self.next_look()) => {
                    if let Some(cause) = self.dead(is_due) {
                        return Ok(Ended::Broken(cause));
                    }
                }
            }
        }
    }

    /// What goes into the room that there is.
    fn next_message<I: Interactor>(&mut self, desk: &mut Desk<I>, leaves: bool) -> Result<Option<Message>, ChatError> {
        let late = desk.leaving.is_some_and(|since| since.elapsed() >= self.timing.farewell);
        if leaves && (late || !desk.is_due()) {
            self.goodbye = Some(Instant::now());
            return Ok(Some(desk.goodbye()));
        }
        let message = desk.poll()?;
        Ok(message.or_else(|| self.is_quiet().then(Desk::<I>::alive)))
    }

    fn take<I: Interactor>(
        &mut self,
        desk: &mut Desk<I>,
        frame: Result<Bytes, LinkEnd>,
        frames: &mpsc::Sender<Bytes>,
        path: Path,
    ) -> Result<Option<Ended>, Trouble> {
        let frame = frame.map_err(Break::from)?;
        let message = self.records.open(self.encryptor, frame)?;
        self.heard = Instant::now();
        match message {
            Some(Message::Goodbye(goodbye)) => {
                desk.delivered(goodbye.shown)?;
                if self.goodbye.is_none() {
                    // There is room, or the other side does not read and will not miss it.
                    let frame = self.records.seal(self.encryptor, desk.goodbye()).map_err(ChatError::from)?;
                    let _full = frames.try_send(frame);
                    desk.show(Event::Left)?;
                }
                Ok(Some(Ended::Over))
            }
            // What was on its way when we said goodbye: the other side learns from it what we have shown.
            Some(Message::TextAck(number)) if self.goodbye.is_some() => desk.delivered(number).map(|()| None),
            Some(_) if self.goodbye.is_some() => Ok(None),
            Some(message) => desk.hear(message, path).map(|()| None),
            None => Ok(None),
        }
    }

    fn is_quiet(&self) -> bool {
        self.sent.elapsed() >= self.timing.keep_alive
    }

    /// When something may be due because time passed.
    fn next_look(&self) -> Instant {
        let quiet = self.sent + self.timing.keep_alive;
        let next = if quiet > Instant::now() { quiet } else { Instant::now() + self.timing.keep_alive };
        let farewell = self.goodbye.map_or(next, |since| since + FAREWELL);
        next.min(self.heard + self.timing.silence).min(farewell)
    }

    fn dead(&self, is_due: bool) -> Option<Break> {
        if self.heard.elapsed() >= self.timing.silence {
            return Some(Break::Silent);
        }
        (is_due && self.sent.elapsed() >= self.timing.silence * 4).then_some(Break::Stalled)
    }
}
