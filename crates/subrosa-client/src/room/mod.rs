//! Rooms for interactors: [`Room::enter`], then texts and questions in, [`Notice`]s out.
//!
//! ```text
//!   Room ── texts, questions ──▶ task: link + RoomSession ── Notice ──▶ RoomNotices
//!                                  │  lost: a new link, a new session, by itself, with a back-off
//! ```
//!
//! A session's secrets are in the memory of this process only. Who comes back after a loss comes as somebody new: with a new
//! key, and under another name if the old one is still taken. What was typed meanwhile waits and is said then; what was on
//! its way when the link was lost is reported as uncertain, never said twice.

mod drive;
mod known;

use std::time::Duration;

use subrosa_engine::api::Failure;
use subrosa_engine::room::Verification;
use subrosa_types::Username;
use subrosa_wire::ServerLink;
use tokio::sync::{mpsc, oneshot};

use crate::client::Client;

pub use known::{KnownServers, find};
pub use subrosa_crypto::room::Guest;
pub use subrosa_engine::room::RoomEvent;

/// Texts and notices that wait for each other's reader.
const QUEUE: usize = 64;

/// Which room to enter, and how.
#[derive(Debug, Clone)]
pub struct RoomOptions {
    /// The server.
    pub server: ServerLink,
    /// The room.
    pub room: Username,
    /// As whom.
    pub name: RoomName,
}

/// Under which name to enter.
#[derive(Debug, Clone)]
pub enum RoomName {
    /// This one.
    Own(Username),
    /// A random one.
    Random,
    /// That of this profile's account, which is on the room's server. Shown with an `@` in front.
    Account(Client),
}

/// What an interactor is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Something in the room.
    Event(RoomEvent),
    /// The connection is lost; the room is entered again after this pause.
    Lost {
        /// Why, for people.
        reason: String,
        /// How long until the next try.
        again_in: Duration,
    },
    /// Nobody knows whether this text was said: the connection was lost before the server answered.
    Uncertain {
        /// The number that [`Room::say`] gave it.
        number: u64,
    },
    /// It is over; the last notice. `None`: we left.
    Ended(Option<Failure>),
}

/// A room that was or is being entered. Dropping it leaves.
#[derive(Debug)]
pub struct Room {
    texts: mpsc::Sender<(u64, String)>,
    questions: mpsc::Sender<Question>,
    said: u64,
}

#[derive(Debug)]
enum Question {
    Names(oneshot::Sender<Option<Vec<Guest>>>),
    Verify(oneshot::Sender<Option<Verification>>),
    Leave,
}

/// What happens, in order. Who does not read it stops the session from reading, and is ended by the server in time.
#[derive(Debug)]
pub struct RoomNotices {
    notices: mpsc::Receiver<Notice>,
}

impl RoomNotices {
    /// The next notice; `None` behind [`Notice::Ended`].
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<Notice> {
        self.notices.recv().await
    }
}

impl Room {
    /// Begins to enter a room. Whether it worked is said by the notices: the first failure before we are inside is the end,
    /// later ones are not.
    pub fn enter(options: RoomOptions) -> (Self, RoomNotices) {
        let (texts, typed) = mpsc::channel(QUEUE);
        let (questions, asked) = mpsc::channel(QUEUE);
        let (tell, notices) = mpsc::channel(QUEUE);
        tokio::spawn(drive::run(options, drive::Inputs { typed, asked }, tell));
        (Self { texts, questions, said: 0 }, RoomNotices { notices })
    }

    /// Says something. It is on its way when [`RoomEvent::Sent`] names the number returned here. Waits while too much does.
    ///
    /// # Errors
    /// The text, when the session is over.
    ///
    /// # Cancel safety
    /// A cancelled call has said nothing.
    pub async fn say(&mut self, text: String) -> Result<u64, String> {
        let number = self.said + 1;
        self.texts.send((number, text)).await.map_err(|unsaid| unsaid.0.1)?;
        self.said = number;
        Ok(number)
    }

    /// Says something like [`Self::say`], if not too much waits; `None` if it does, or the session is over.
    pub fn try_say(&mut self, text: String) -> Option<u64> {
        let number = self.said + 1;
        self.texts.try_send((number, text)).ok()?;
        self.said = number;
        Some(number)
    }

    /// Everybody in the room, us among them; `None` while we are not in.
    ///
    /// # Cancel safety
    /// May be dropped.
    pub async fn names(&self) -> Option<Vec<Guest>> {
        self.ask(Question::Names).await
    }

    /// What can be compared with others in the room; `None` while we are not in.
    ///
    /// # Cancel safety
    /// May be dropped.
    pub async fn verify(&self) -> Option<Verification> {
        self.ask(Question::Verify).await
    }

    /// Whether the session is over.
    pub fn is_over(&self) -> bool {
        self.texts.is_closed()
    }

    /// Leaves; [`Notice::Ended`] follows.
    ///
    /// # Cancel safety
    /// A cancelled call has not left.
    pub async fn leave(&self) {
        // Otherwise it is over already.
        let _over = self.questions.send(Question::Leave).await;
    }

    async fn ask<T>(&self, question: impl FnOnce(oneshot::Sender<Option<T>>) -> Question) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        self.questions.send(question(answer)).await.ok()?;
        answered.await.ok()?
    }
}
