//! The facade: commands in, answers and events out, whoever runs the engine.

use std::sync::Arc;
use std::time::Duration;

use subrosa_engine::api::{Command, Failure, Reply, Told};
use tokio::sync::{Mutex, broadcast, oneshot};
use tokio::time::Instant;
use tracing::info;

use crate::drive::Answer;
use crate::failure::{engine_gone, environment};
use crate::host::{Host, no_account};
use crate::keys::{AskPassphrase, KeyChoice};
use crate::profile::{Lock, Profile, ProfileError};
use crate::socket::{Asked, Gone, Remote, socket_path};

/// How long a process that has the lock may take to answer on its socket (it may be deriving a key).
const PATIENCE: Duration = Duration::from_secs(10);
/// Pause between two looks at the lock and the socket.
const PAUSE: Duration = Duration::from_millis(20);
/// How often a command is asked again because the engine's process ended.
const TRIES: u32 = 10;

/// How to open a profile.
#[derive(Clone)]
pub struct Opening {
    /// Which.
    pub profile: Profile,
    /// Make it if it is not there, with its key kept like this. `None`: it must be there.
    pub create: Option<KeyChoice>,
    /// Where a passphrase comes from, if one is needed.
    pub ask: AskPassphrase,
}

impl std::fmt::Debug for Opening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opening").field("profile", &self.profile).field("create", &self.create).finish_non_exhaustive()
    }
}

/// A profile that is open, in this process or through another one. Clones are the same.
#[derive(Debug, Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    opening: Opening,
    seat: Mutex<Seat>,
}

/// Where the engine is, seen from here.
#[derive(Debug, Clone)]
enum Seat {
    Here(Arc<Host>),
    There(Arc<Remote>),
    Closed,
}

/// What a watcher is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Something happened.
    Event(Box<Told>),
    /// Events may have been missed: the watcher was slow, or another process is the engine now. Read again.
    Missed,
}

impl Client {
    /// Opens a profile: becomes its engine, or connects to the process that is.
    ///
    /// # Errors
    /// No profile, no key, no store; or the process that has the profile does not answer.
    pub async fn open(opening: Opening) -> Result<Self, Failure> {
        let seat = take_seat(&opening).await?;
        Ok(Self { inner: Arc::new(Inner { opening, seat: Mutex::new(seat) }) })
    }

    /// Whether this process runs the engine.
    pub async fn is_engine(&self) -> bool {
        matches!(&*self.inner.seat.lock().await, Seat::Here(_))
    }

    /// Asks the engine. If the process that runs it ends in between, whatever can be repeated without harm is asked of
    /// the next one (this process, if need be).
    ///
    /// # Errors
    /// What the engine says; `engine_gone` when its process ended and nobody knows whether the command was done.
    ///
    /// # Cancel safety
    /// Dropping the future cancels the command; what is in the outbox stays there.
    pub async fn call(&self, command: Command) -> Result<Reply, Failure> {
        for _ in 0..TRIES {
            let seat = self.seat().await?;
            let answer = match self.submit_to(&seat, &command).await {
                Ok(submitted) => submitted.wait().await,
                Err(gone) => Err(gone),
            };
            match (answer, &seat) {
                (Ok(answer), _) => return answer,
                (Err(Gone::Leaving), Seat::There(remote)) => self.leave(remote).await?,
                (Err(Gone::Lost), Seat::There(remote)) if is_repeatable(&command) => self.leave(remote).await?,
                (Err(gone), _) => return Err(gone.into()),
            }
        }
        Err(engine_gone())
    }

    /// Asks, and returns when the question is in its place: the engine takes commands in the order of these calls. This is
    /// for who asks many things in a row; nothing is repeated.
    ///
    /// # Errors
    /// The profile could not be opened again, or its process is ending.
    pub async fn submit(&self, command: &Command) -> Result<Submitted, Failure> {
        let seat = self.seat().await?;
        match (self.submit_to(&seat, command).await, &seat) {
            (Err(Gone::Leaving), Seat::There(remote)) => {
                self.leave(remote).await?;
                let seat = self.seat().await?;
                Ok(self.submit_to(&seat, command).await?)
            }
            (submitted, _) => Ok(submitted?),
        }
    }

    async fn submit_to(&self, seat: &Seat, command: &Command) -> Result<Submitted, Gone> {
        Ok(Submitted(match seat {
            Seat::Here(host) => Place::Here(host.calls.submit(command.clone()).await),
            Seat::There(remote) => Place::There(remote.submit(command).await?),
            Seat::Closed => return Err(Gone::Lost),
        }))
    }

    /// Watches, from now on.
    ///
    /// # Errors
    /// The profile could not be opened again.
    pub async fn events(&self) -> Result<Events, Failure> {
        let source = self.subscribe().await?;
        Ok(Events { client: self.clone(), source })
    }

    /// Ends this process's part: as the engine, after what other processes asked is answered.
    pub async fn close(&self) {
        let seat = std::mem::replace(&mut *self.inner.seat.lock().await, Seat::Closed);
        if let Seat::Here(host) = seat {
            host.close().await;
        }
    }

    /// The seat as it is, or a new one if the engine's process is gone.
    async fn seat(&self) -> Result<Seat, Failure> {
        let mut seat = self.inner.seat.lock().await;
        if let Seat::There(remote) = &*seat
            && !remote.is_alive()
        {
            info!("the process that ran this profile ended");
            *seat = take_seat(&self.inner.opening).await?;
        }
        Ok(seat.clone())
    }

    /// Gives up a connection whose other side is ending, unless somebody else did already.
    async fn leave(&self, left: &Arc<Remote>) -> Result<(), Failure> {
        let mut seat = self.inner.seat.lock().await;
        if let Seat::There(remote) = &*seat
            && Arc::ptr_eq(remote, left)
        {
            *seat = take_seat(&self.inner.opening).await?;
        }
        Ok(())
    }

    async fn subscribe(&self) -> Result<Source, Failure> {
        for _ in 0..TRIES {
            match self.seat().await? {
                Seat::Here(host) => return Ok(Source::Here(host.events.subscribe())),
                Seat::There(remote) => match remote.subscribe().await {
                    Ok(notices) => return Ok(Source::There(notices)),
                    Err(_gone) => self.leave(&remote).await?,
                },
                Seat::Closed => return Err(engine_gone()),
            }
        }
        Err(engine_gone())
    }
}

/// A command that the engine has, or will have before all later ones.
#[derive(Debug)]
pub struct Submitted(Place);

#[derive(Debug)]
enum Place {
    Here(oneshot::Receiver<Answer>),
    There(Asked),
}

impl Submitted {
    /// The answer.
    ///
    /// # Errors
    /// What the engine says; `engine_gone` when its process ended before it answered.
    pub async fn answer(self) -> Result<Reply, Failure> {
        self.wait().await?
    }

    async fn wait(self) -> Result<Answer, Gone> {
        match self.0 {
            Place::Here(answer) => answer.await.map_err(|_| Gone::Lost),
            Place::There(asked) => asked.answer().await,
        }
    }
}

#[derive(Debug)]
enum Source {
    Here(broadcast::Receiver<Told>),
    There(broadcast::Receiver<Notice>),
}

/// A watcher's view. When the engine's process ends, watching goes on with the next one.
#[derive(Debug)]
pub struct Events {
    client: Client,
    source: Source,
}

impl Events {
    /// The next notice; `None` when the client was closed.
    ///
    /// # Errors
    /// The engine's process ended and this one could not take over.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Result<Option<Notice>, Failure> {
        use broadcast::error::RecvError::{Closed, Lagged};
        let received = match &mut self.source {
            Source::Here(events) => events.recv().await.map(|told| Notice::Event(Box::new(told))),
            Source::There(notices) => notices.recv().await,
        };
        match received {
            Ok(notice) => Ok(Some(notice)),
            Err(Lagged(_)) => Ok(Some(Notice::Missed)),
            Err(Closed) => {
                let closed = matches!(&*self.client.inner.seat.lock().await, Seat::Closed);
                if closed || matches!(self.source, Source::Here(_)) {
                    return Ok(None);
                }
                self.source = self.client.subscribe().await?;
                Ok(Some(Notice::Missed))
            }
        }
    }
}

/// Becomes the engine if nobody is, else finds who is. Whoever is on its way in or out is waited for.
async fn take_seat(opening: &Opening) -> Result<Seat, Failure> {
    let profile = &opening.profile;
    if opening.create.is_some() {
        profile.prepare()?;
    } else if !profile.exists()? {
        return Err(no_account());
    }
    let deadline = Instant::now() + PATIENCE;
    loop {
        match Lock::take(profile) {
            Ok(lock) => {
                info!("this process runs the profile");
                return Ok(Seat::Here(Arc::new(Host::start(opening, lock).await?)));
            }
            Err(ProfileError::Locked) => {}
            Err(error) => return Err(error.into()),
        }
        let path = socket_path(profile).map_err(ProfileError::io(profile.home()))?;
        match Remote::connect(&path).await {
            Ok(remote) => {
                info!("another process runs the profile; this one asks it");
                return Ok(Seat::There(Arc::new(remote)));
            }
            Err(error) if error.kind() == std::io::ErrorKind::Unsupported => return Err(busy(profile, &other_kind())),
            Err(error) if Instant::now() >= deadline => {
                return Err(busy(profile, &format!("does not answer: {error}")));
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

fn other_kind() -> String {
    if cfg!(unix) {
        "is of another version of subrosa".to_owned()
    } else {
        "has it, and on this system only one process at a time can use a profile".to_owned()
    }
}

fn busy(profile: &Profile, what: &str) -> Failure {
    let holder = Lock::holder(profile).map_or_else(String::new, |pid| format!(" (process {pid})"));
    environment("profile_busy", format!("the process that runs this profile{holder} {what}; end it, then try again"))
}

/// Whether asking twice does no more than asking once.
pub(crate) fn is_repeatable(command: &Command) -> bool {
    matches!(
        command,
        Command::Send { id: Some(_), .. }
            | Command::WhoAmI
            | Command::Devices
            | Command::Read { .. }
            | Command::MarkRead { .. }
            | Command::History { .. }
            | Command::Search { .. }
            | Command::Overview
            | Command::SetDraft { .. }
            | Command::Settings
            | Command::SetSetting { .. }
            | Command::EventsSince { .. }
            | Command::ChangedKeys
            | Command::Reload
            | Command::Chats
            | Command::GroupMembers { .. }
            | Command::Invites
            | Command::RoleList
            | Command::RoleLog
            | Command::InviteLinkList
            | Command::Verify { .. }
            | Command::Compare { .. }
            | Command::ExportKeys { .. }
            | Command::RoomPass
            | Command::Status
    )
}
