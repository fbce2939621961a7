//! One connection: requests in, lines out.
//!
//! Requests are begun in the order in which they come; answers come when they come. Nothing that takes time is waited for
//! here: commands, rooms that are entered and direct chats that are begun are under way beside each other. A peer that does
//! not read stops its own requests and nobody else's.
//!
//! Events take at most half of the queue of lines, and one at a time: so a program that reads and writes in one thread, and
//! answers each event, never waits for a session that waits for it.

use std::collections::VecDeque;

use serde_json::Value;
use subrosa_engine::api::{Command, Failure, PastEvents, Reply, Told};
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::JoinSet;
use tracing::{debug, warn};
use zeroize::Zeroizing;

use super::direct::{Directs, NewDirect};
use super::door::{Door, machine_name};
use super::line::LineError;
use super::message::{Request, answer_line, event_line, missed_line, own_answer_line, parse_request, welcome_line};
use super::own::{DirectOpened, Hello, Opened, Own, OwnReply, ProfileState, Subscribed};
use super::rooms::{NewRoom, Rooms};
use super::{VERSION, methods, qr};
use crate::client::{Client, Events, Notice};
use crate::drive::{Answer, Calls};
use crate::failure::{ENGINE_LEAVING, engine_gone, environment, is_engine_gone};

/// Requests of one session that may be under way.
pub const IN_FLIGHT: usize = 64;
/// Past events that are asked for at once.
const PAGE: u32 = 250;

/// Where requests go.
#[derive(Debug, Clone)]
pub enum Backend {
    /// The engine of this process: what the profile's socket has.
    Engine {
        /// The engine.
        calls: Calls,
        /// What it tells.
        events: broadcast::Sender<Told>,
    },
    /// A profile, wherever its engine runs.
    Door(Door),
}

/// A connection's state.
#[derive(Debug)]
pub struct Session {
    backend: Backend,
    lines: mpsc::Sender<String>,
    watching: Option<Watching>,
    /// Dropping it drops the receivers, and the engine cancels what nobody waits for.
    under_way: JoinSet<Done>,
    /// Events that are still to be told.
    to_tell: VecDeque<String>,
    /// Whether there is more of the past behind the cursor.
    more_past: bool,
    rooms: Rooms,
    directs: Directs,
    answers_all: bool,
}

/// What a subscriber is told.
#[derive(Debug)]
struct Watching {
    source: Source,
    /// The last event that was told; `None`: who subscribed has no cursor.
    cursor: Option<u64>,
}

#[derive(Debug)]
enum Source {
    Engine(broadcast::Receiver<Told>),
    Client(Box<Events>),
}

/// The other side does not take lines any more.
struct Closed;

impl From<mpsc::error::SendError<String>> for Closed {
    fn from(_: mpsc::error::SendError<String>) -> Self {
        Self
    }
}

/// Something that was under way.
#[derive(Debug)]
enum Done {
    Command(Value, &'static str, Answer),
    Room(Value, Result<NewRoom, Failure>),
    Direct(Value, Result<NewDirect, Failure>),
    Own(Value, Result<OwnReply, Failure>),
}

/// The next thing to see to.
enum Next {
    Leaving(bool),
    Answered(Option<Box<Done>>),
    Told,
    Past,
    Noticed(Option<Notice>),
    Asked(Option<Result<Zeroizing<Vec<u8>>, LineError>>),
}

impl Session {
    /// A session whose answers and notifications go to `lines`, without line ends.
    pub fn new(backend: Backend, lines: mpsc::Sender<String>) -> Self {
        Self {
            backend,
            lines,
            watching: None,
            under_way: JoinSet::new(),
            to_tell: VecDeque::new(),
            more_past: false,
            rooms: Rooms::default(),
            directs: Directs::default(),
            answers_all: false,
        }
    }

    /// What was asked is answered even when the requests have ended: a program may write them all and close its side. Without
    /// this, the end of requests means that nobody is there any more, and what is under way is given up.
    #[must_use]
    pub const fn answering_all(mut self) -> Self {
        self.answers_all = true;
        self
    }

    /// Serves requests until they end, or until the process is leaving and what was under way is answered.
    pub async fn run(
        mut self,
        mut requests: mpsc::Receiver<Result<Zeroizing<Vec<u8>>, LineError>>,
        mut leaving: watch::Receiver<bool>,
    ) {
        if self.lines.send(welcome_line()).await.is_err() {
            return;
        }
        let mut is_leaving = *leaving.borrow_and_update();
        let mut ended = false;
        while !((is_leaving || ended) && self.under_way.is_empty()) {
            let next = tokio::select! {
                changed = leaving.changed(), if !is_leaving => Next::Leaving(changed.is_err() || *leaving.borrow()),
                Some(done) = self.under_way.join_next() => Next::Answered(done.ok().map(Box::new)),
                told = tell_first(&self.lines, &mut self.to_tell) => match told {
                    Ok(()) => Next::Told,
                    Err(Closed) => return,
                },
                () = std::future::ready(()), if self.more_past && self.to_tell.is_empty() => Next::Past,
                notice = next_notice(&mut self.watching), if !ended && self.to_tell.is_empty() && !self.more_past => {
                    Next::Noticed(notice)
                }
                line = requests.recv(), if !ended && self.under_way.len() < IN_FLIGHT => Next::Asked(line),
                () = self.lines.closed() => return,
            };
            let done = match next {
                Next::Leaving(now) => {
                    is_leaving = now;
                    Ok(())
                }
                Next::Answered(Some(done)) => self.answered(*done).await,
                Next::Answered(None) | Next::Told => Ok(()),
                Next::Past => {
                    self.next_past().await;
                    Ok(())
                }
                Next::Noticed(notice) => {
                    self.noticed(notice);
                    Ok(())
                }
                Next::Asked(None) if !self.answers_all => return,
                Next::Asked(None) => {
                    ended = true;
                    Ok(())
                }
                Next::Asked(Some(Ok(line))) => self.asked(&line, is_leaving).await,
                Next::Asked(Some(Err(error))) => {
                    match error {
                        LineError::TooLong => warn!("a program sent a line that is too long"),
                        LineError::Io(error) => debug!(%error, "a program's connection failed"),
                    }
                    return;
                }
            };
            if done.is_err() {
                return;
            }
        }
    }

    async fn say(&self, line: String) -> Result<(), Closed> {
        Ok(self.lines.send(line).await?)
    }

    async fn asked(&mut self, line: &[u8], is_leaving: bool) -> Result<(), Closed> {
        match parse_request(line) {
            Err(refusal) => self.say(refusal).await,
            Ok((id, Request::Command(command))) => {
                let tag = methods::reply_of(&command);
                if is_leaving {
                    let leaving = "the process that runs this profile is ending; try again";
                    return self.say(answer_line(&id, tag, &Err(environment(ENGINE_LEAVING, leaving)))).await;
                }
                self.command(id, tag, *command).await
            }
            Ok((id, Request::Own(Own::Subscribe { cursor }))) => self.subscribe(&id, cursor).await,
            Ok((id, Request::Own(own))) => match self.own(&id, own).await {
                Some(answer) => self.say(own_answer_line(&id, &answer)).await,
                None => Ok(()),
            },
        }
    }

    async fn command(&mut self, id: Value, tag: &'static str, mut command: Command) -> Result<(), Closed> {
        if let Command::SignUp { device, .. } | Command::LogIn { device, .. } = &mut command
            && device.is_empty()
        {
            *device = machine_name();
        }
        match &self.backend {
            Backend::Engine { calls, .. } => {
                let answer = calls.submit(command).await;
                self.under_way
                    .spawn(async move { Done::Command(id, tag, answer.await.unwrap_or_else(|_| Err(engine_gone()))) });
            }
            Backend::Door(door) => {
                let submitted = match door.client_for(&command).await {
                    Ok(client) => client.submit(&command).await.map(|submitted| (client, submitted)),
                    Err(failure) => Err(failure),
                };
                match submitted {
                    Ok((client, submitted)) => {
                        self.under_way.spawn(async move {
                            let answer = match submitted.answer().await {
                                Err(failure) if is_engine_gone(&failure) => again(&client, command, failure).await,
                                answer => answer,
                            };
                            Done::Command(id, tag, answer)
                        });
                    }
                    Err(failure) => return self.say(answer_line(&id, tag, &Err(failure))).await,
                }
            }
        }
        Ok(())
    }

    /// The answer, if it is there at once; else it is under way.
    async fn own(&mut self, id: &Value, own: Own) -> Option<Result<OwnReply, Failure>> {
        let id = id.clone();
        match (own, &self.backend) {
            (Own::Hello, backend) => {
                let backend = backend.clone();
                self.under_way.spawn(async move { Done::Own(id, hello(&backend).await) });
                None
            }
            (Own::Qr { text }, _) => Some(qr::code(&text).map(OwnReply::Qr)),
            (own @ (Own::DirectListen { .. } | Own::DirectDial { .. }), Backend::Door(_)) => {
                self.under_way.spawn(async move { Done::Direct(id, NewDirect::prepare(&own).await) });
                None
            }
            (Own::RoomEnter { room, server, port, name }, Backend::Door(door)) => {
                let door = door.clone();
                self.under_way.spawn(async move {
                    let (room, server, name) = (room.as_deref(), server.as_deref(), name.as_deref());
                    Done::Room(id, NewRoom::prepare(&door, room, server, port, name).await)
                });
                None
            }
            (Own::StartServer, Backend::Door(door)) => {
                let Some(server) = door.server().cloned() else {
                    return Some(Err(elsewhere("servers are started by 'subrosa serve'")));
                };
                self.under_way.spawn(async move {
                    Done::Own(id, server.start().await.map(|link| OwnReply::Opened(Opened { link })))
                });
                None
            }
            (
                own @ (Own::DirectSay { .. }
                | Own::DirectSend { .. }
                | Own::DirectAccept { .. }
                | Own::DirectDecline { .. }
                | Own::DirectVerify { .. }
                | Own::DirectLeave { .. }),
                Backend::Door(_),
            ) => Some(self.directs.wish(own)),
            (Own::RoomSay { room, text }, Backend::Door(_)) => Some(self.rooms.say(room, text)),
            (Own::RoomNames { room }, Backend::Door(_)) => Some(self.rooms.names(room).await),
            (Own::RoomVerify { room }, Backend::Door(_)) => Some(self.rooms.verify(room).await),
            (Own::RoomLeave { room }, Backend::Door(_)) => Some(self.rooms.leave(room)),
            (_, Backend::Engine { .. }) => Some(Err(elsewhere("rooms and direct chats belong to 'subrosa rpc'"))),
            (Own::Subscribe { .. }, _) => Some(Err(elsewhere("'subscribe' is answered elsewhere"))),
        }
    }

    async fn answered(&mut self, done: Done) -> Result<(), Closed> {
        match done {
            Done::Command(id, tag, answer) => self.say(answer_line(&id, tag, &answer)).await,
            Done::Own(id, answer) => self.say(own_answer_line(&id, &answer)).await,
            // The answer first: what happens there names the number that is in it.
            Done::Room(id, prepared) => match prepared.and_then(|room| self.rooms.admit(room)) {
                Ok((entered, notices)) => {
                    let room = entered.room;
                    self.say(own_answer_line(&id, &Ok(OwnReply::Entered(entered)))).await?;
                    tokio::spawn(super::rooms::tell(room, notices, self.lines.clone()));
                    Ok(())
                }
                Err(failure) => self.say(own_answer_line(&id, &Err(failure))).await,
            },
            Done::Direct(id, prepared) => match prepared.and_then(|chat| self.directs.admit(chat)) {
                Ok((direct, first, notices)) => {
                    let opened = OwnReply::Direct(DirectOpened { direct });
                    self.say(own_answer_line(&id, &Ok(opened))).await?;
                    tokio::spawn(super::direct::tell(direct, first, notices, self.lines.clone()));
                    Ok(())
                }
                Err(failure) => self.say(own_answer_line(&id, &Err(failure))).await,
            },
        }
    }

    /// Watches first, then tells what was before: nothing falls in between.
    async fn subscribe(&mut self, id: &Value, cursor: Option<u64>) -> Result<(), Closed> {
        if cursor.is_none() && self.watching.is_some() {
            // What waits to be told is told: it is for whoever asked first, too.
            let subscribed = Subscribed { cursor: None, missed: false };
            return self.say(own_answer_line(id, &Ok(OwnReply::Subscribed(subscribed)))).await;
        }
        let begun = async {
            let source = match &self.backend {
                Backend::Engine { events, .. } => Source::Engine(events.subscribe()),
                Backend::Door(door) => Source::Client(Box::new(door.client().await?.events().await?)),
            };
            let page = match cursor {
                Some(cursor) => Some(self.past_events(cursor).await?),
                None => None,
            };
            Ok((source, page))
        };
        let (source, page) = match begun.await {
            Ok(begun) => begun,
            Err(failure) => return self.say(own_answer_line(id, &Err(failure))).await,
        };
        let missed = page.as_ref().is_some_and(|page| page.missed);
        // What is still kept is told in any case.
        let subscribed = Subscribed { cursor, missed };
        self.say(own_answer_line(id, &Ok(OwnReply::Subscribed(subscribed)))).await?;
        self.watching = Some(Watching { source, cursor });
        self.to_tell.clear();
        self.more_past = false;
        if let Some(page) = page {
            self.take_past(&page);
        }
        Ok(())
    }

    async fn past_events(&self, cursor: u64) -> Result<PastEvents, Failure> {
        let command = Command::EventsSince { cursor, limit: PAGE };
        let reply = match &self.backend {
            Backend::Engine { calls, .. } => calls.submit(command).await.await.unwrap_or_else(|_| Err(engine_gone())),
            Backend::Door(door) => door.client().await?.call(command).await,
        };
        match reply? {
            Reply::Events(page) => Ok(page),
            _ => Err(engine_gone()),
        }
    }

    /// A page of the past is told, one event after the other.
    fn take_past(&mut self, page: &PastEvents) {
        self.to_tell.extend(page.events.iter().map(event_line));
        self.more_past = page.more;
        if let Some(watching) = &mut self.watching {
            watching.cursor = Some(page.cursor);
        }
    }

    async fn next_past(&mut self) {
        self.more_past = false;
        let Some(cursor) = self.watching.as_ref().and_then(|watching| watching.cursor) else { return };
        match self.past_events(cursor).await {
            Ok(page) => {
                if page.missed {
                    self.to_tell.push_back(missed_line());
                }
                self.take_past(&page);
            }
            Err(failure) => {
                debug!(%failure, "past events cannot be read");
                self.to_tell.push_back(missed_line());
            }
        }
    }

    fn noticed(&mut self, notice: Option<Notice>) {
        let Some(watching) = &mut self.watching else { return };
        match notice {
            Some(Notice::Event(told)) => {
                if let (Some(last), Some(at)) = (&mut watching.cursor, told.cursor) {
                    // It was told among what was before.
                    if at <= *last {
                        return;
                    }
                    *last = at;
                }
                self.to_tell.push_back(event_line(&told));
            }
            // What has a cursor is told now. What has none is of a moment that is over: how things stand is read again.
            Some(Notice::Missed) => {
                self.more_past = watching.cursor.is_some();
                self.to_tell.push_back(missed_line());
            }
            None => self.watching = None,
        }
    }
}

/// Tells the first event, when the queue is not more than half full with others; never resolves when there is none.
async fn tell_first(lines: &mpsc::Sender<String>, waiting: &mut VecDeque<String>) -> Result<(), Closed> {
    if waiting.is_empty() {
        return std::future::pending().await;
    }
    let mut places = lines.reserve_many(half(lines)).await.map_err(|_| Closed)?;
    if let (Some(place), Some(line)) = (places.next(), waiting.pop_front()) {
        place.send(line);
    }
    Ok(())
}

/// So many places are free where another event may go.
fn half(lines: &mpsc::Sender<String>) -> usize {
    lines.max_capacity() / 2 + 1
}

/// The same for what happens in rooms and direct chats.
pub(super) async fn tell(lines: &mpsc::Sender<String>, line: String) -> Result<(), ()> {
    let mut places = lines.reserve_many(half(lines)).await.map_err(|_| ())?;
    if let Some(place) = places.next() {
        place.send(line);
    }
    Ok(())
}

async fn hello(backend: &Backend) -> Result<OwnReply, Failure> {
    let profile = match backend {
        Backend::Engine { calls, .. } => {
            match calls.submit(Command::Status).await.await.unwrap_or_else(|_| Err(engine_gone()))? {
                Reply::Status(status) if status.enrolled => ProfileState::Enrolled,
                _ => ProfileState::LoggedOut,
            }
        }
        Backend::Door(door) => door.state().await?,
    };
    let can_start_server = matches!(backend, Backend::Door(door) if door.server().is_some());
    let version = env!("CARGO_PKG_VERSION").to_owned();
    Ok(OwnReply::Hello(Hello { v: VERSION, version, profile, can_start_server }))
}

fn elsewhere(why: &str) -> Failure {
    Failure::usage("not_here", format!("this is not to be had here: {why}"))
}

/// The engine's process ended before it answered: what can be repeated without harm is asked of the next one.
async fn again(client: &Client, command: Command, failure: Failure) -> Answer {
    if crate::client::is_repeatable(&command) { client.call(command).await } else { Err(failure) }
}

/// Never resolves for who did not subscribe; `None` when there will be nothing more.
async fn next_notice(watching: &mut Option<Watching>) -> Option<Notice> {
    use broadcast::error::RecvError::{Closed, Lagged};
    let Some(watching) = watching else { return std::future::pending().await };
    match &mut watching.source {
        Source::Engine(events) => match events.recv().await {
            Ok(told) => Some(Notice::Event(Box::new(told))),
            Err(Lagged(_)) => Some(Notice::Missed),
            Err(Closed) => None,
        },
        Source::Client(events) => match events.next().await {
            Ok(notice) => notice,
            Err(failure) => {
                debug!(%failure, "the profile cannot be watched any more");
                None
            }
        },
    }
}
