//! One connection: requests in, lines out.
//!
//! Requests are begun in the order in which they come: the engine takes commands in that order, and what the session does
//! itself is done before the next one is looked at. Answers to commands come when they come. A peer that does not read stops
//! its own requests and nobody else's.

use serde_json::Value;
use subrosa_engine::api::{Command, Failure, PastEvents, Reply, Told};
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::JoinSet;
use tracing::{debug, warn};
use zeroize::Zeroizing;

use super::direct::{Directs, options};
use super::door::{Door, machine_name};
use super::line::LineError;
use super::message::{Request, answer_line, event_line, missed_line, own_answer_line, parse_request, welcome_line};
use super::own::{Hello, Opened, Own, OwnReply, ProfileState, Subscribed};
use super::rooms::Rooms;
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
    under_way: JoinSet<(Value, &'static str, Answer)>,
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

/// The next thing to see to.
enum Next {
    Leaving(bool),
    Answered(Option<(Value, &'static str, Answer)>),
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
                Some(done) = self.under_way.join_next() => Next::Answered(done.ok()),
                notice = next_notice(&mut self.watching), if !ended => Next::Noticed(notice),
                line = requests.recv(), if !ended && self.under_way.len() < IN_FLIGHT => Next::Asked(line),
                () = self.lines.closed() => return,
            };
            let done = match next {
                Next::Leaving(now) => {
                    is_leaving = now;
                    Ok(())
                }
                Next::Answered(Some((id, tag, answer))) => self.say(answer_line(&id, tag, &answer)).await,
                Next::Answered(None) => Ok(()),
                Next::Noticed(notice) => self.noticed(notice).await,
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
            Ok((id, Request::Own(own))) => {
                let answer = self.own(own).await;
                self.say(own_answer_line(&id, &answer)).await
            }
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
                self.under_way.spawn(async move { (id, tag, answer.await.unwrap_or_else(|_| Err(engine_gone()))) });
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
                            (id, tag, answer)
                        });
                    }
                    Err(failure) => return self.say(answer_line(&id, tag, &Err(failure))).await,
                }
            }
        }
        Ok(())
    }

    async fn own(&mut self, own: Own) -> Result<OwnReply, Failure> {
        match (own, &self.backend) {
            (Own::Hello, backend) => {
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
            (Own::Qr { text }, _) => Ok(OwnReply::Qr(qr::code(&text)?)),
            (own @ (Own::DirectListen { open_port, .. } | Own::DirectDial { open_port, .. }), Backend::Door(_)) => {
                let folder = match &own {
                    Own::DirectListen { folder, .. } | Own::DirectDial { folder, .. } => folder.clone(),
                    _ => None,
                };
                self.directs.begin(&self.lines, options(&own)?, open_port, folder).await
            }
            (
                own @ (Own::DirectSay { .. }
                | Own::DirectSend { .. }
                | Own::DirectAccept { .. }
                | Own::DirectDecline { .. }
                | Own::DirectVerify { .. }
                | Own::DirectLeave { .. }),
                Backend::Door(_),
            ) => self.directs.wish(own).await,
            (Own::RoomEnter { room, server, port, name }, Backend::Door(door)) => {
                let (room, server, name) = (room.as_deref(), server.as_deref(), name.as_deref());
                self.rooms.enter(door, &self.lines, room, server, port, name).await
            }
            (Own::RoomSay { room, text }, Backend::Door(_)) => self.rooms.say(room, text).await,
            (Own::RoomNames { room }, Backend::Door(_)) => self.rooms.names(room).await,
            (Own::RoomVerify { room }, Backend::Door(_)) => self.rooms.verify(room).await,
            (Own::RoomLeave { room }, Backend::Door(_)) => self.rooms.leave(room).await,
            (Own::StartServer, Backend::Door(door)) => match door.server() {
                Some(server) => Ok(OwnReply::Opened(Opened { link: server.start().await? })),
                None => Err(elsewhere("servers are started by 'subrosa serve'")),
            },
            (_, Backend::Engine { .. }) => Err(elsewhere("rooms and direct chats belong to 'subrosa rpc'")),
            (Own::Subscribe { .. }, _) => Err(elsewhere("'subscribe' is answered elsewhere")),
        }
    }

    /// Watches first, then tells what was before: nothing falls in between.
    async fn subscribe(&mut self, id: &Value, cursor: Option<u64>) -> Result<(), Closed> {
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
        match page {
            Some(page) => self.tell_past(page).await,
            None => Ok(()),
        }
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

    /// Tells a page of the past, and what is behind it.
    async fn tell_past(&mut self, mut page: PastEvents) -> Result<(), Closed> {
        loop {
            for told in &page.events {
                self.say(event_line(told)).await?;
            }
            let Some(watching) = &mut self.watching else { return Ok(()) };
            watching.cursor = Some(page.cursor);
            if !page.more {
                return Ok(());
            }
            page = match self.past_events(page.cursor).await {
                Ok(page) => page,
                Err(failure) => {
                    debug!(%failure, "past events cannot be read");
                    return self.say(missed_line()).await;
                }
            };
        }
    }

    async fn noticed(&mut self, notice: Option<Notice>) -> Result<(), Closed> {
        match notice {
            Some(Notice::Event(told)) => {
                let Some(watching) = &mut self.watching else { return Ok(()) };
                if let (Some(last), Some(at)) = (&mut watching.cursor, told.cursor) {
                    // It was told among what was before.
                    if at <= *last {
                        return Ok(());
                    }
                    *last = at;
                }
                self.say(event_line(&told)).await
            }
            Some(Notice::Missed) => {
                let cursor = self.watching.as_ref().and_then(|watching| watching.cursor);
                let Some(cursor) = cursor else { return self.say(missed_line()).await };
                // What has a cursor is told now. What has none is of a moment that is over: how things stand is read again.
                self.say(missed_line()).await?;
                match self.past_events(cursor).await {
                    Ok(page) => self.tell_past(page).await,
                    Err(failure) => {
                        debug!(%failure, "past events cannot be read");
                        Ok(())
                    }
                }
            }
            None => {
                self.watching = None;
                Ok(())
            }
        }
    }
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
