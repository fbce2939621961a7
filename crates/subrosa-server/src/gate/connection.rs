//! One connection's life behind the upgrade, as one task.
//!
//! Each time it is woken it writes what waits, then reads what came, and hands all requests of this turn on together. It
//! reads nothing while
//!
//! - as many requests as allowed are not answered,
//! - a request whose answer may be large waits because two such are under way or much is still to be written,
//! - an upload waits for its place, or the writer's queue is full.
//!
//! So a client that does not read its answers stops being read, and costs no more memory.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use subrosa_types::limits;
use subrosa_wire::error::ErrorCode;
use subrosa_wire::proto::ClientFrame;
use subrosa_wire::proto::client_frame::Request as Body;
use subrosa_wire::{DecodeError, decode_client_frame};
use tokio::sync::Semaphore;
use tokio::time::{Instant, Sleep, timeout};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::Gate;
use super::socket::Socket;
use super::upload::Upload;
use crate::core::{Job, Peer, Request, SessionId};
use crate::intake::{Intake, Task};
use crate::outbox::{Look, Outbox};
use crate::reader::Wanted;
use crate::store::DeviceNo;
use crate::writer::going_away;

/// Requests that may be unanswered before the login.
const IN_FLIGHT_BEFORE_LOGIN: u32 = 4;
/// Requests that a guest of a room may have unanswered.
const IN_FLIGHT_OF_GUEST: u32 = 8;
/// Requests with answers that may be large, under way at a time.
const HEAVY: usize = 2;
/// Bytes to be written beyond which no further large answer is asked for.
const HEAVY_BYTES: usize = 64 * 1024;
/// Bytes of frames that are handed to the socket at a time.
const WRITE: usize = 64 * 1024;
/// Messages read in one turn.
const TURN: usize = 64;
/// How often a quiet connection is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// A connection that said nothing for so long is dead.
const DEAD_AFTER: Duration = Duration::from_secs(90);
/// How long a last frame may take to be written, and the other side to go.
const FAREWELL: Duration = Duration::from_secs(3);

/// A connection.
pub(crate) struct Connection {
    intake: Arc<Intake>,
    /// Where the requests of a guest go.
    rooms: Arc<Intake>,
    peer: Peer,
    reader: SyncSender<Wanted>,
    uploads: Arc<Semaphore>,
    session: SessionId,
    socket: Socket,
    outbox: Arc<Outbox>,
    device: Option<DeviceNo>,
    /// It said hello, which comes before everything else.
    greeted: bool,
    /// It speaks of rooms, and of nothing else any more.
    guest: bool,
    /// It was let into one.
    admitted: bool,
    /// Requests of this turn that the writer has not taken.
    jobs: Vec<Job>,
    jobs_bytes: usize,
    /// A frame that waits for its turn.
    held: Option<(ClientFrame, usize)>,
    upload: Option<Upload>,
    timer: Pin<Box<Sleep>>,
    heard: Instant,
    ending: bool,
}

/// How a connection ended.
enum End {
    /// It was told, or said goodbye itself.
    Told,
    /// It is gone.
    Lost,
}

impl Connection {
    pub(crate) fn new(
        gate: &Gate,
        (session, peer): (SessionId, Peer),
        socket: Socket,
        outbox: Arc<Outbox>,
        deadline: Instant,
    ) -> Self {
        Self {
            intake: gate.intake.clone(),
            rooms: gate.rooms.clone(),
            peer,
            reader: gate.reader.clone(),
            uploads: gate.uploads.clone(),
            session,
            socket,
            outbox,
            device: None,
            greeted: false,
            guest: false,
            admitted: false,
            jobs: Vec::new(),
            jobs_bytes: 0,
            held: None,
            upload: None,
            timer: Box::pin(tokio::time::sleep_until(deadline)),
            heard: Instant::now(),
            ending: false,
        }
    }

    /// Serves it to its end.
    pub(crate) async fn run(mut self: Box<Self>) {
        let end = std::future::poll_fn(|cx| self.poll(cx)).await;
        self.intake.push_now(Task::Disconnect(self.session));
        if self.guest {
            self.rooms.push_now(Task::Disconnect(self.session));
        }
        if matches!(end, End::Told) {
            let Self { socket, .. } = *self;
            // Who does not go in time is left.
            let _in_time = Box::pin(timeout(FAREWELL, socket.close())).await;
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        let mut read = 0;
        loop {
            // Nothing more is taken out while something is being written: what waits, waits in the bounded queue.
            let room = if self.socket.writing().is_empty() { WRITE } else { 0 };
            let mut look = self.outbox.take(cx, room, self.socket.writing());
            self.settle_login(&look);
            if look.ending && !self.ending {
                self.ending = true;
                self.timer.as_mut().reset(Instant::now() + FAREWELL);
            }
            let written = match self.socket.poll_write(cx) {
                Poll::Ready(Ok(())) => true,
                Poll::Ready(Err(_)) => return Poll::Ready(End::Lost),
                Poll::Pending => false,
            };
            if written && look.bytes > 0 {
                continue;
            }
            if self.poll_timer(cx) {
                return Poll::Ready(End::Lost);
            }
            if self.ending {
                return if written { Poll::Ready(End::Told) } else { Poll::Pending };
            }
            if written && look.caught_up {
                self.outbox.resync();
                self.jobs.push(Job { session: self.session, request: Request::Resync });
            }
            match self.poll_read(cx, &mut look, &mut read) {
                Poll::Ready(Turn::Again) => {}
                Poll::Ready(Turn::End(end)) => return Poll::Ready(end),
                // What reading left to be written (a pong) is written now.
                Poll::Pending if written && !self.socket.writing().is_empty() => {}
                Poll::Pending => return Poll::Pending,
            }
            if read >= TURN {
                // Others have their turn.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }

    /// Reads what came and hands it on.
    fn poll_read(&mut self, cx: &mut Context<'_>, look: &mut Look, read: &mut usize) -> Poll<Turn> {
        // What the writer did not take last time goes first.
        ready!(self.poll_hand_on(cx));
        let limit = match (self.device.is_some(), self.admitted) {
            (true, _) => limits::REQUESTS_IN_FLIGHT as u32,
            (false, true) => IN_FLIGHT_OF_GUEST,
            (false, false) => IN_FLIGHT_BEFORE_LOGIN,
        };
        let mut allowed = limit.saturating_sub(look.in_flight);
        let mut outcome = Poll::Ready(Turn::Again);
        while *read < TURN {
            if allowed == 0 {
                outcome = Poll::Pending;
                break;
            }
            let (frame, size) = match self.held.take() {
                Some(held) => held,
                None => match self.socket.poll_message(cx) {
                    Poll::Pending => {
                        outcome = Poll::Pending;
                        break;
                    }
                    Poll::Ready(message) => {
                        *read += 1;
                        match self.decode(message) {
                            Ok(Some(frame)) => frame,
                            Ok(None) => continue,
                            Err(turn) => {
                                outcome = Poll::Ready(turn);
                                break;
                            }
                        }
                    }
                },
            };
            match self.take_on(cx, frame, size, look) {
                Poll::Ready(Ok(())) => allowed -= 1,
                Poll::Ready(Err(code)) => {
                    self.refuse(code);
                    break;
                }
                Poll::Pending => {
                    outcome = Poll::Pending;
                    break;
                }
            }
        }
        ready!(self.poll_hand_on(cx));
        outcome
    }

    /// Gives the writer all requests of this turn at once.
    fn poll_hand_on(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.jobs.is_empty() {
            return Poll::Ready(());
        }
        let requests = self.jobs.iter().filter(|job| matches!(job.request, Request::Frame(_))).count();
        // Counted before the writer can answer.
        self.outbox.sent(requests as u32, None);
        let intake = if self.guest { &self.rooms } else { &self.intake };
        match intake.poll_push(cx, &mut self.jobs, self.jobs_bytes) {
            Poll::Ready(Ok(())) => {
                self.jobs_bytes = 0;
                Poll::Ready(())
            }
            Poll::Pending => {
                self.outbox.not_sent(requests as u32);
                Poll::Pending
            }
            Poll::Ready(Err(_)) => {
                self.jobs.clear();
                self.outbox.end(going_away(ErrorCode::GoingDown, "the server goes down"));
                Poll::Pending
            }
        }
    }

    /// Takes a frame apart. `Ok(None)`: it was no request.
    fn decode(&mut self, message: Result<Message, Error>) -> Result<Option<(ClientFrame, usize)>, Turn> {
        self.heard = Instant::now();
        let bytes = match message {
            Ok(Message::Binary(bytes)) => bytes,
            Ok(Message::Ping(_) | Message::Pong(_)) => return Ok(None),
            Ok(Message::Close(_)) => return Err(Turn::End(End::Told)),
            Ok(Message::Text(_) | Message::Frame(_)) | Err(Error::Protocol(_) | Error::Utf8(_)) => {
                return Err(self.refuse(ErrorCode::Malformed));
            }
            Err(Error::Capacity(_)) => return Err(self.refuse(ErrorCode::TooLarge)),
            Err(_) => return Err(Turn::End(End::Lost)),
        };
        let limit = if self.is_somebody() { limits::FRAME } else { limits::FRAME_BEFORE_LOGIN };
        let size = bytes.len();
        self.parse(bytes, limit).map(|frame| Some((frame, size)))
    }

    fn parse(&mut self, bytes: Bytes, limit: usize) -> Result<ClientFrame, Turn> {
        decode_client_frame(bytes, limit).map_err(|error| {
            self.refuse(match error {
                DecodeError::TooLarge { .. } => ErrorCode::TooLarge,
                DecodeError::Malformed => ErrorCode::Malformed,
            })
        })
    }

    /// Hands a frame on, or holds it until its turn comes.
    fn take_on(
        &mut self,
        cx: &mut Context<'_>,
        frame: ClientFrame,
        size: usize,
        look: &mut Look,
    ) -> Poll<Result<(), ErrorCode>> {
        let frame = match frame {
            ClientFrame { id, request: Some(Body::Part(part)) } => match ready!(self.take_part(cx, id, part, size))? {
                Some(whole) => whole,
                None => return Poll::Ready(Ok(())),
            },
            frame => frame,
        };
        self.check_kind(&frame, look)?;
        if is_heavy(&frame) {
            if look.heavy >= HEAVY || look.bytes > HEAVY_BYTES {
                self.held = Some((frame, size));
                return Poll::Pending;
            }
            look.heavy += 1;
            self.take_heavy(frame);
            return Poll::Ready(Ok(()));
        }
        self.jobs.push(Job { session: self.session, request: Request::Frame(frame) });
        self.jobs_bytes += size;
        Poll::Ready(Ok(()))
    }

    /// A connection speaks either of rooms or of everything else. The first request of the other kind before a login makes
    /// it a guest's, if nothing is under way that the writer has to answer.
    fn check_kind(&mut self, frame: &ClientFrame, look: &Look) -> Result<(), ErrorCode> {
        match &frame.request {
            Some(Body::Ping(_)) => return Ok(()),
            Some(request) if is_of_rooms(request) => {
                if self.guest {
                    return Ok(());
                }
                if self.device.is_some() || !self.greeted || look.in_flight > 0 || !self.jobs.is_empty() {
                    return Err(ErrorCode::OutOfState);
                }
                self.guest = true;
                self.rooms.push_now(Task::Connect(self.session, self.peer, self.outbox.clone()));
            }
            _ if self.guest => return Err(ErrorCode::OutOfState),
            Some(Body::Hello(_)) => self.greeted = true,
            _ => {}
        }
        Ok(())
    }

    /// Whether it is known for whom it speaks.
    fn is_somebody(&self) -> bool {
        self.device.is_some() || self.admitted
    }

    /// A request with an answer that may be large. Pages of logs are for the reader, unless it has too much to do.
    fn take_heavy(&mut self, frame: ClientFrame) {
        let id = frame.id;
        let frame = match (frame, self.device) {
            (ClientFrame { request: Some(Body::FetchLog(request)), .. }, Some(device)) if id != 0 => {
                self.outbox.sent(1, Some(id));
                let wanted = Wanted { device, outbox: self.outbox.clone(), id, request };
                match self.reader.try_send(wanted) {
                    Ok(()) => return,
                    Err(TrySendError::Full(wanted) | TrySendError::Disconnected(wanted)) => {
                        self.outbox.not_sent(1);
                        ClientFrame { id, request: Some(Body::FetchLog(wanted.request)) }
                    }
                }
            }
            (frame, _) => {
                self.outbox.sent(0, Some(id));
                frame
            }
        };
        self.jobs.push(Job { session: self.session, request: Request::Frame(frame) });
    }

    /// Adds a part to the upload; the whole request when it was the last.
    fn take_part(
        &mut self,
        cx: &mut Context<'_>,
        id: u64,
        part: subrosa_wire::proto::Part,
        size: usize,
    ) -> Poll<Result<Option<ClientFrame>, ErrorCode>> {
        if self.device.is_none() {
            return Poll::Ready(Err(ErrorCode::OutOfState));
        }
        let upload = self.upload.get_or_insert_with(|| Upload::begin(&self.uploads));
        if upload.poll_place(cx).is_pending() {
            self.held = Some((ClientFrame { id, request: Some(Body::Part(part)) }, size));
            return Poll::Pending;
        }
        if let Err(code) = upload.add(&part) {
            return Poll::Ready(Err(code));
        }
        if !part.last {
            return Poll::Ready(Ok(None));
        }
        let whole = self.upload.take().map(Upload::finish).unwrap_or_default();
        let bytes = whole.len();
        let frame = match decode_client_frame(Bytes::from(whole), limits::COMMIT_UPLOAD) {
            Ok(frame) => frame,
            Err(_) => return Poll::Ready(Err(ErrorCode::Malformed)),
        };
        if matches!(frame.request, Some(Body::Part(_))) {
            return Poll::Ready(Err(ErrorCode::Malformed));
        }
        self.jobs_bytes += bytes;
        Poll::Ready(Ok(Some(frame)))
    }

    /// The peer broke the protocol.
    fn refuse(&mut self, code: ErrorCode) -> Turn {
        tracing::debug!(session = self.session.0, code = code.as_str_name(), "a connection broke the protocol");
        self.outbox.end(going_away(code, ""));
        Turn::Again
    }

    fn settle_login(&mut self, look: &Look) {
        if !self.is_somebody() && (look.device.is_some() || look.admitted) {
            self.device = look.device;
            self.admitted = look.admitted;
            self.socket.raise_limit();
            self.timer.as_mut().reset(Instant::now() + LOOK_EVERY);
        }
    }

    /// `true` when the connection is to be dropped.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> bool {
        while self.timer.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            if self.ending {
                return true;
            }
            if !self.is_somebody() || self.upload.as_ref().is_some_and(Upload::is_late) {
                // The farewell wakes this task.
                self.refuse(ErrorCode::TooSlow);
                self.timer.as_mut().reset(now + FAREWELL);
                return false;
            }
            if now.duration_since(self.heard) > DEAD_AFTER {
                tracing::debug!(session = self.session.0, "a connection is dead");
                return true;
            }
            if now.duration_since(self.heard) >= LOOK_EVERY / 2
                && self.socket.control(cx, Some(Message::Ping(Bytes::new()))).is_err()
            {
                return true;
            }
            self.timer.as_mut().reset(now + LOOK_EVERY);
        }
        false
    }
}

/// What to do after reading.
enum Turn {
    Again,
    End(End),
}

/// Whether a request is for the thread of rooms. (A pass is asked for by an account.)
const fn is_of_rooms(request: &Body) -> bool {
    matches!(
        request,
        Body::EnterRoom(_) | Body::FoundRoom(_) | Body::RoomJoin(_) | Body::RoomCommit(_) | Body::RoomSend(_)
    )
}

/// Whether the answer to a request may be large.
fn is_heavy(frame: &ClientFrame) -> bool {
    matches!(
        frame.request,
        Some(
            Body::FetchLog(_)
                | Body::FetchInbox(_)
                | Body::FetchWelcome(_)
                | Body::FetchGroupInfo(_)
                | Body::FetchKeyPackages(_)
                | Body::FetchRoleLog(_)
                | Body::Lookup(_)
                | Body::ListAccounts(_)
                | Body::ListInvites(_)
                | Body::ListConversations(_)
                | Body::DeviceLogin(_)
        )
    )
}
