//! The thread on which rooms live: takes what the gate hands on, asks the core, and puts what comes out into outboxes.
//!
//! A panic on it costs the rooms, not the server: what may be half-changed is thrown away, every guest is told to enter
//! again, and the thread goes on. Were it to end all the same, its intake is closed, so that nothing gathers there and
//! connections learn of it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rand_core::OsRng;
use subrosa_types::{Timestamp, limits};
use subrosa_wire::encode;
use subrosa_wire::error::ErrorCode;
use subrosa_wire::proto::{Answer, ServerFrame, server_frame};
use tokio::sync::broadcast;

use super::room::BROKE;
use super::{House, Output, Rooms};
use crate::core::{Event, Request, SessionId};
use crate::intake::{Intake, Task};
use crate::outbox::{Outbox, websocket_frame};
use crate::writer::{going_away, now};

/// The thread looks at least this often.
const LOOK_EVERY: Duration = Duration::from_secs(60);

struct Rooming {
    rooms: Rooms,
    intake: Arc<Intake>,
    connections: HashMap<SessionId, (IpAddr, Arc<Outbox>)>,
    events: broadcast::Sender<Event>,
    /// What the core wants; kept to be used again.
    out: Vec<Output>,
}

/// Starts the thread. It ends when it is told to stop; who is in a room is told by the writer, as everybody.
///
/// # Errors
/// The thread could not be started.
pub(crate) fn start(house: House, intake: Arc<Intake>, events: broadcast::Sender<Event>) -> std::io::Result<()> {
    let rooms = Rooms::new(house);
    let rooming = Rooming { rooms, intake, connections: HashMap::new(), events, out: Vec::new() };
    std::thread::Builder::new().name("rooms".into()).spawn(move || rooming.run()).map(drop)
}

impl Rooming {
    fn run(mut self) {
        let mut tasks = Vec::new();
        loop {
            tasks = self.intake.take(tasks, self.deadline());
            for task in tasks.drain(..) {
                if matches!(task, Task::Stop(_)) {
                    return;
                }
                self.contained(|this| this.carry_on(task));
            }
            self.contained(|this| {
                this.rooms.tick(now(), &mut this.out);
                this.hand_out();
            });
        }
    }

    fn carry_on(&mut self, task: Task) {
        match task {
            Task::Connect(session, peer, outbox) => {
                self.connections.insert(session, (peer.address, outbox));
            }
            Task::Job(job) => {
                if let (Request::Frame(frame), Some((address, _))) = (job.request, self.connections.get(&job.session)) {
                    self.rooms.request(job.session, *address, frame, now(), &mut OsRng, &mut self.out);
                }
            }
            Task::Disconnect(session) => {
                self.connections.remove(&session);
                self.rooms.leave(session, now(), &mut self.out);
            }
            // `run` ends with it.
            Task::Stop(_) => {}
        }
        self.hand_out();
    }

    /// Does something that may panic, which is a bug: then all rooms end, and others can begin.
    fn contained(&mut self, work: impl FnOnce(&mut Self)) {
        // What the work may leave half-changed is not looked at again.
        if catch_unwind(AssertUnwindSafe(|| work(self))).is_err() {
            tracing::error!("a bug broke the rooms; their guests have to enter again");
            self.out = Vec::new();
            self.rooms.begin_anew();
            self.end_all();
        }
    }

    fn end_all(&mut self) {
        let frame = going_away(ErrorCode::Internal, BROKE);
        for (_, (_, outbox)) in self.connections.drain() {
            outbox.end(frame.clone());
        }
    }

    fn deadline(&self) -> Instant {
        let wait = self.rooms.next_timeout().map(|at: Timestamp| at.0.saturating_sub(now().0));
        let wait = wait.map_or(LOOK_EVERY, |wait| Duration::from_millis(u64::try_from(wait).unwrap_or(0)));
        Instant::now() + wait.min(LOOK_EVERY)
    }

    /// Carries out what the core wants, until it wants nothing more: ending a guest has consequences of its own.
    fn hand_out(&mut self) {
        while !self.out.is_empty() {
            let mut ended = Vec::new();
            for output in std::mem::take(&mut self.out) {
                self.carry_out(output, &mut ended);
            }
            for session in ended {
                self.rooms.leave(session, now(), &mut self.out);
            }
        }
    }

    fn carry_out(&self, output: Output, ended: &mut Vec<SessionId>) {
        let outbox = |session: SessionId| self.connections.get(&session).map(|(_, outbox)| outbox);
        match output {
            Output::Admit(session) => {
                if let Some(outbox) = outbox(session) {
                    outbox.admitted();
                }
            }
            Output::Answer(session, id, body) => {
                if let Some(outbox) = outbox(session) {
                    let answer = server_frame::Body::Answer(Answer { id, body: Some(body) });
                    outbox.answer(frame(answer), 1, id);
                }
            }
            Output::Turn(session, turn) => {
                if let Some(outbox) = outbox(session) {
                    outbox.answer(frame(server_frame::Body::RoomTurn(turn)), 0, 0);
                }
            }
            Output::Deliver(sessions, body) => {
                let frame = frame(body);
                for session in sessions {
                    if let Some(outbox) = outbox(session)
                        && !outbox.news(frame.clone(), limits::ROOM_QUEUE)
                    {
                        tracing::debug!(session = session.0, "a guest does not keep up");
                        outbox.end(going_away(ErrorCode::TooSlow, "this connection is too slow for the room"));
                        ended.push(session);
                    }
                }
            }
            Output::End(session, code, reason) => {
                if let Some(outbox) = outbox(session) {
                    outbox.end(going_away(code, reason));
                }
                ended.push(session);
            }
            Output::Event(event) => {
                // Nobody has to listen.
                let _listeners = self.events.send(event);
            }
        }
    }
}

impl Drop for Rooming {
    fn drop(&mut self) {
        self.intake.close();
        if std::thread::panicking() {
            self.end_all();
        }
    }
}

fn frame(body: server_frame::Body) -> Bytes {
    websocket_frame(&encode(&ServerFrame { body: Some(body) }))
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::net::Ipv4Addr;
    use std::task::{Context, Poll, Waker};

    use subrosa_crypto::SigningKey;
    use subrosa_mls::LeafSigner;
    use subrosa_wire::proto::client_frame::Request as Body;
    use subrosa_wire::proto::{ClientFrame, EnterRoom};

    use super::super::{Passes, RoomLimits, RoomPolicy};
    use super::*;
    use crate::core::{Job, Peer};
    use crate::intake::Closed;

    fn rooming(intake: &Arc<Intake>) -> Rooming {
        let key = SigningKey::generate(&mut OsRng);
        let house = House {
            policy: RoomPolicy::Open,
            limits: RoomLimits::default(),
            server_key: key.public(),
            signer: LeafSigner::from_seed(key.seed()).unwrap(),
            passes: Arc::new(Passes::default()),
        };
        let (rooms, events) = (Rooms::new(house), broadcast::channel(8).0);
        Rooming { rooms, intake: intake.clone(), connections: HashMap::new(), events, out: Vec::new() }
    }

    /// Somebody connects and asks to be let into the lobby.
    fn come(intake: &Intake, number: u64) -> Arc<Outbox> {
        let (session, outbox) = (SessionId(number), Arc::new(Outbox::default()));
        let peer = Peer { address: Ipv4Addr::LOCALHOST.into(), tls_exporter: [0; 32] };
        intake.push_now(Task::Connect(session, peer, outbox.clone()));
        let enter = EnterRoom { room: "lobby".into(), name: "alice".into(), guest_key: vec![1; 32], pass: Vec::new() };
        let frame = ClientFrame { id: 1, request: Some(Body::EnterRoom(enter)) };
        intake.push_now(Task::Job(Job { session, request: Request::Frame(frame) }));
        outbox
    }

    /// How many frames wait, and whether they end with the news that the room broke.
    fn waits(outbox: &Outbox) -> (usize, bool) {
        let mut frames = VecDeque::new();
        let look = outbox.take(&Context::from_waker(Waker::noop()), usize::MAX, &mut frames);
        let broke = frames.back() == Some(&going_away(ErrorCode::Internal, BROKE));
        assert_eq!(look.ending, broke);
        (frames.len(), broke)
    }

    #[test]
    fn a_panic_ends_every_guest_with_a_reason_and_the_next_ones_find_rooms_that_work() {
        let intake = Arc::new(Intake::default());
        let mut rooming = rooming(&intake);
        rooming.rooms.panics_for = Some(SessionId(2));
        let (inside, poison, next) = (come(&intake, 1), come(&intake, 2), come(&intake, 3));
        intake.push_now(Task::Stop(String::new()));
        rooming.run();
        assert_eq!(waits(&inside), (3, true), "the answer, the turn, the end");
        assert_eq!(waits(&poison), (1, true));
        assert_eq!(waits(&next), (2, false), "the same name in the same room, which is another one");
    }

    #[test]
    fn when_the_thread_ends_nothing_gathers_in_its_intake() {
        let intake = Arc::new(Intake::default());
        drop(rooming(&intake));
        let job = Job { session: SessionId(1), request: Request::Resync };
        let pushed = intake.poll_push(&mut Context::from_waker(Waker::noop()), &mut vec![job], 1);
        assert_eq!(pushed, Poll::Ready(Err(Closed)));
    }
}
