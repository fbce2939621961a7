//! The thread on which rooms live: takes what the gate hands on, asks the core, and puts what comes out into outboxes.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rand_core::OsRng;
use subrosa_types::{Timestamp, limits};
use subrosa_wire::encode;
use subrosa_wire::error::ErrorCode;
use subrosa_wire::proto::{Answer, ServerFrame, server_frame};
use tokio::sync::broadcast;

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
                match task {
                    Task::Connect(session, peer, outbox) => {
                        self.connections.insert(session, (peer.address, outbox));
                    }
                    Task::Job(job) => {
                        if let (Request::Frame(frame), Some((address, _))) =
                            (job.request, self.connections.get(&job.session))
                        {
                            self.rooms.request(job.session, *address, frame, now(), &mut OsRng, &mut self.out);
                        }
                    }
                    Task::Disconnect(session) => {
                        self.connections.remove(&session);
                        self.rooms.leave(session, now(), &mut self.out);
                    }
                    Task::Stop(_) => {
                        self.intake.close();
                        return;
                    }
                }
                self.hand_out();
            }
            self.rooms.tick(now(), &mut self.out);
            self.hand_out();
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

fn frame(body: server_frame::Body) -> Bytes {
    websocket_frame(&encode(&ServerFrame { body: Some(body) }))
}
