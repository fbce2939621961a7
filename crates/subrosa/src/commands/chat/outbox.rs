//! Messages on their way: in the order in which they were typed, several at a time.
//!
//! Each has its id from the start, so that it can be handed over again without harm: when the process that runs the engine
//! ends, everything unanswered is handed to the next one, in order.

use std::collections::VecDeque;
use std::pin::Pin;

use subrosa_client::api::{Command, Failure, Reply, SendState};
use subrosa_client::{Client, is_engine_gone};

use crate::output::Outcome;

/// Messages that may be on their way at once.
const WINDOW: usize = 32;
/// Messages that may wait for a server that is not reached.
const KEPT: usize = 1000;
/// How often an engine that ends may be replaced before a message is given up.
const TRIES: u32 = 5;

type Answer = Pin<Box<dyn Future<Output = Result<Reply, Failure>> + Send>>;

/// See the module.
pub struct Outbox {
    client: Client,
    on_their_way: VecDeque<(Command, Answer)>,
    kept: Vec<Command>,
    tries: u32,
}

/// What became of a message.
#[derive(Debug)]
pub enum Fate {
    /// The server has it.
    Accepted,
    /// The server is not reached; the message is kept.
    Kept,
    /// It was refused.
    Refused(Failure),
}

impl Outbox {
    /// An empty one.
    pub fn new(client: &Client) -> Self {
        Self { client: client.clone(), on_their_way: VecDeque::new(), kept: Vec::new(), tries: 0 }
    }

    /// Whether nothing is on its way.
    pub fn is_empty(&self) -> bool {
        self.on_their_way.is_empty()
    }

    /// Whether there is room for one more.
    pub fn has_room(&self) -> bool {
        self.on_their_way.len() < WINDOW && self.kept.len() < KEPT
    }

    /// How many wait for the server to be reached.
    pub fn kept(&self) -> usize {
        self.kept.len()
    }

    /// Sends one more.
    pub async fn push(&mut self, command: Command) -> Outcome {
        let answer = self.client.submit(&command).await?;
        self.on_their_way.push_back((command, Box::pin(answer.answer())));
        Ok(())
    }

    /// Tries those again that are kept.
    pub async fn retry(&mut self) -> Outcome {
        for command in std::mem::take(&mut self.kept) {
            self.push(command).await?;
        }
        Ok(())
    }

    /// Waits for the answer to the oldest message; never resolves when there is none.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn answer(&mut self) -> Result<Reply, Failure> {
        match self.on_their_way.front_mut() {
            Some((_, answer)) => answer.await,
            None => std::future::pending().await,
        }
    }

    /// Takes the oldest message out, whose answer this is.
    pub async fn settle(&mut self, answer: Result<Reply, Failure>) -> Outcome<Fate> {
        if let Err(failure) = &answer
            && is_engine_gone(failure)
            && self.tries < TRIES
        {
            self.tries += 1;
            for (command, _) in std::mem::take(&mut self.on_their_way) {
                self.push(command).await?;
            }
            return Ok(Fate::Accepted);
        }
        let Some((command, _)) = self.on_their_way.pop_front() else { return Ok(Fate::Accepted) };
        self.tries = 0;
        Ok(match answer {
            Ok(Reply::Sent(sent)) if sent.state == SendState::Queued => {
                self.kept.push(command);
                Fate::Kept
            }
            Ok(_) => Fate::Accepted,
            Err(failure) => Fate::Refused(failure),
        })
    }
}
