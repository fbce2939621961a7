//! What lasts over all links of a chat: the texts, the files, and who looks at them.

use std::time::Duration;

use subrosa_crypto::ShortString;
use subrosa_crypto::encryptor::Side;
use subrosa_net::direct::Path;
use subrosa_types::{Timestamp, limits};
use subrosa_wire::proto::direct_message::Message;
use subrosa_wire::proto::{DirectAlive, DirectFileOutcome, DirectGoodbye};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::error::{Break, ChatError};
use crate::files::{FileOutcome, Incoming, Outgoing, Work};
use crate::interactor::{Event, Interactor, Wish};
use crate::texts::Texts;

/// See the module.
pub struct Desk<I> {
    pub interactor: I,
    pub texts: Texts,
    pub outgoing: Outgoing,
    pub incoming: Incoming,
    pub work: JoinSet<Work>,
    pub side: Side,
    /// Nothing more will be wished.
    input_ended: bool,
    /// Since when the person wants to leave.
    pub leaving: Option<Instant>,
    /// From the first link.
    pub string: Option<ShortString>,
    pub vouched: bool,
    pub takes_files: bool,
}

/// Why something from the peer is not taken.
pub enum Trouble {
    /// The link has to end.
    Break(Break),
    /// The chat has to end.
    Chat(ChatError),
}

impl From<Break> for Trouble {
    fn from(cause: Break) -> Self {
        Self::Break(cause)
    }
}

impl From<ChatError> for Trouble {
    fn from(error: ChatError) -> Self {
        Self::Chat(error)
    }
}

/// How waiting ended.
pub enum Meanwhile<T> {
    Done(T),
    Left,
    TimedOut,
}

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

impl<I: Interactor> Desk<I> {
    pub fn new(interactor: I, incoming: Incoming, side: Side) -> Self {
        Self {
            interactor,
            texts: Texts::default(),
            outgoing: Outgoing::default(),
            incoming,
            work: JoinSet::new(),
            side,
            input_ended: false,
            leaving: None,
            string: None,
            vouched: false,
            takes_files: true,
        }
    }

    pub fn show(&mut self, event: Event) -> Result<(), ChatError> {
        self.interactor.show(event).map_err(|unseen| ChatError::Unseen(unseen.0))
    }

    fn show_all(&mut self, events: impl IntoIterator<Item = Event>) -> Result<(), ChatError> {
        events.into_iter().try_for_each(|event| self.show(event))
    }

    fn not_done(&mut self, code: &'static str, message: impl Into<String>) -> Result<(), ChatError> {
        self.show(Event::NotDone { code, message: message.into() })
    }

    /// Whether a wish may be taken now. What was typed and is not delivered is bounded.
    pub fn listens(&self) -> bool {
        !self.input_ended && self.leaving.is_none() && self.texts.has_room()
    }

    /// Whether all that was wished is done.
    fn is_idle(&self) -> bool {
        self.texts.waiting() == 0 && self.outgoing.is_idle() && self.incoming.is_idle() && self.work.is_empty()
    }

    /// Whether a goodbye is due, on a link that is up.
    pub fn wants_to_leave(&self, patience: Duration) -> bool {
        match self.leaving {
            Some(since) => self.texts.waiting() == 0 || since.elapsed() >= patience,
            None => self.input_ended && self.side == Side::Dialer && self.is_idle(),
        }
    }

    pub fn wish(&mut self, wish: Option<Wish>) -> Result<(), ChatError> {
        match wish {
            None => self.input_ended = true,
            Some(Wish::Leave) => {
                self.leaving = Some(Instant::now());
                self.cancel_files()?;
            }
            Some(Wish::Say(text)) if text.len() > limits::TEXT => {
                self.not_done("too_long", "a message has at most 64 KiB; send it in parts, or as a file")?;
            }
            Some(Wish::Say(text)) => drop(self.texts.push(text, now())),
            Some(Wish::Send(_)) if !self.takes_files => {
                self.not_done("no_files", "the other side takes no files")?;
            }
            Some(Wish::Send(path)) => {
                if let Err(why) = self.outgoing.send(&path, &mut self.work) {
                    self.not_done("file_not_sent", why)?;
                }
            }
            Some(Wish::Accept(number)) => self.accept(number)?,
            Some(Wish::Decline(number)) => self.decline(number)?,
            Some(Wish::Verify) => {
                let (string, vouched) = (self.string, self.vouched);
                self.show(Event::Verify { string, vouched })?;
            }
        }
        Ok(())
    }

    fn accept(&mut self, number: Option<u64>) -> Result<(), ChatError> {
        let numbers = number.map_or_else(|| self.incoming.asked(), |number| vec![number]);
        let mut accepted = false;
        for number in numbers {
            accepted |= self.incoming.accept(number, &mut self.work);
        }
        if accepted { Ok(()) } else { self.not_done("no_such_file", "no such file is offered") }
    }

    fn decline(&mut self, number: Option<u64>) -> Result<(), ChatError> {
        let asked = self.incoming.asked();
        let numbers = number.map_or_else(|| self.incoming.numbers(), |number| vec![number]);
        let mut events = Vec::new();
        for number in numbers {
            let outcome = if asked.contains(&number) { FileOutcome::Declined } else { FileOutcome::Cancelled };
            if self.incoming.numbers().contains(&number) {
                events.extend(self.incoming.end(number, outcome));
            }
        }
        if events.is_empty() {
            return self.not_done("no_such_file", "no such file is offered");
        }
        self.show_all(events)
    }

    fn cancel_files(&mut self) -> Result<(), ChatError> {
        let mut events = Vec::new();
        for number in self.outgoing.numbers() {
            events.extend(self.outgoing.stop(number, FileOutcome::Cancelled));
        }
        for number in self.incoming.numbers() {
            events.extend(self.incoming.end(number, FileOutcome::Cancelled));
        }
        self.show_all(events)
    }

    /// Takes in what was computed elsewhere.
    pub fn worked(&mut self, work: Work) -> Result<(), ChatError> {
        match work {
            Work::Hashed(number, outcome) => {
                let event = self.outgoing.hashed(number, outcome);
                self.show_all(event)
            }
            Work::Compared(number, outcome) => {
                let event = self.outgoing.compared(number, outcome);
                self.show_all(event)
            }
            Work::Prepared(number, outcome) => {
                let events = self.incoming.prepared(number, outcome);
                self.show_all(events)
            }
            Work::Placed(number, outcome) => {
                let events = self.incoming.placed(number, outcome);
                self.show_all(events)
            }
        }
    }

    /// A new link is up.
    pub fn begin(&mut self) {
        self.texts.begin();
        self.outgoing.begin();
        self.incoming.begin();
    }

    /// Whether [`Self::poll`] has something.
    pub fn is_due(&self) -> bool {
        self.texts.owes() || self.texts.is_due() || self.incoming.is_due() || self.outgoing.is_due()
    }

    /// The next message to send: answers first, then texts, then files.
    pub fn poll(&mut self) -> Result<Option<Message>, ChatError> {
        if let Some(number) = self.texts.poll_acknowledgement() {
            return Ok(Some(Message::TextAck(number)));
        }
        if let Some(text) = self.texts.poll() {
            return Ok(Some(Message::Text(text)));
        }
        if let Some(message) = self.incoming.poll() {
            return Ok(Some(message));
        }
        let (message, event) = self.outgoing.poll();
        self.show_all(event)?;
        Ok(message)
    }

    /// The goodbye that fits now.
    pub const fn goodbye(&self) -> Message {
        Message::Goodbye(DirectGoodbye { shown: self.texts.shown() })
    }

    /// A sign of life.
    pub const fn alive() -> Message {
        Message::Alive(DirectAlive {})
    }

    /// Takes in a message of the peer; goodbyes are the session's business.
    pub fn hear(&mut self, message: Message, path: Path) -> Result<(), Trouble> {
        match message {
            Message::Text(text) => {
                if let Some(text) = self.texts.take(text)? {
                    let sent_at = Timestamp(text.sent_at);
                    self.show(Event::Message { number: text.number, text: text.text, sent_at, path })?;
                }
            }
            Message::TextAck(number) => self.delivered(number)?,
            Message::Offer(offer) => {
                let event = self.incoming.offered(offer, &mut self.work)?;
                self.show_all(event)?;
            }
            Message::Accept(accept) => self.outgoing.accepted(&accept, &mut self.work)?,
            Message::Start(start) => {
                let events = self.incoming.started(start, &mut self.work)?;
                self.show_all(events)?;
            }
            Message::Chunk(chunk) => {
                let events = self.incoming.chunk(&chunk, &mut self.work)?;
                self.show_all(events)?;
            }
            Message::Ack(ack) => {
                let event = self.outgoing.acknowledged(ack.number, ack.offset)?;
                self.show_all(event)?;
            }
            Message::End(end) => {
                let outcome = FileOutcome::heard(end.outcome);
                let is_done = end.outcome == i32::from(DirectFileOutcome::Done);
                let event = match end.of_sender {
                    true if is_done => return Err(Break::Protocol("only the receiver knows that it is done").into()),
                    true => self.incoming.stopped(end.number, outcome),
                    false => self.outgoing.ended(end.number, outcome),
                };
                self.show_all(event)?;
            }
            Message::Alive(_) | Message::Goodbye(_) => {}
        }
        Ok(())
    }

    /// The other side has shown everything up to this text.
    pub fn delivered(&mut self, number: u64) -> Result<(), Trouble> {
        for number in self.texts.acknowledged(number)? {
            self.show(Event::Delivered { number })?;
        }
        Ok(())
    }

    /// How the chat ended, once both sides have left.
    pub fn settle(&self) -> Result<(), ChatError> {
        match self.texts.waiting() {
            0 => Ok(()),
            count => Err(ChatError::Undelivered { count }),
        }
    }

    /// Runs `work` while wishes are taken, until the person leaves or the time is over.
    pub async fn meanwhile<T>(
        &mut self,
        work: impl Future<Output = T>,
        until: Option<Instant>,
    ) -> Result<Meanwhile<T>, ChatError> {
        tokio::pin!(work);
        loop {
            if self.leaving.is_some() {
                return Ok(Meanwhile::Left);
            }
            let (listens, works) = (self.listens(), !self.work.is_empty());
            tokio::select! {
                done = &mut work => return Ok(Meanwhile::Done(done)),
                wish = self.interactor.next(), if listens => self.wish(wish)?,
                Some(Ok(done)) = self.work.join_next(), if works => self.worked(done)?,
                () = sleep_until(until.unwrap_or_else(Instant::now)), if until.is_some() => return Ok(Meanwhile::TimedOut),
            }
        }
    }
}
