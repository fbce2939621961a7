//! The loop of the console: what is typed, what was sent, what comes.

use std::collections::HashSet;

use subrosa_client::api::{Command, Event, Failure, Reply, Target, Wait};
use subrosa_client::{Client, Notice};
use subrosa_types::MessageId;
use tokio::sync::mpsc;

use super::outbox::{Fate, Outbox};
use super::words::{HELP, Input, understand};
use crate::commands::read::ended;
use crate::commands::send::{check_text, fresh_id, queued};
use crate::feed::{Feed, Item, Start};
use crate::keyboard::Typed;
use crate::output::{Outcome, Output, fields, safe};
use crate::render;
use crate::signals::Signals;
use crate::terminal::Editor;

/// How often what is kept is tried again at the end of the input. One try takes the engine's patience, some 10 s.
const LAST_TRIES: u32 = 3;

/// Messages that are shown again when a chat is opened.
const CONTEXT: u32 = 10;

/// A console.
pub struct Console {
    client: Client,
    out: Output,
    chosen: Option<Target>,
    feed: Feed,
    outbox: Outbox,
    /// At a terminal.
    editor: Option<Editor>,
    /// The warning that was shown last.
    warned: String,
    /// Chats whose new messages were pointed out.
    pointed_out: HashSet<String>,
    offline: bool,
    said_kept: bool,
    /// The worst that happened to a message, for the exit code of a pipe.
    refused: Option<Failure>,
}

/// Why the loop ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The person said so.
    Left,
    /// No more input.
    Input,
}

impl Console {
    /// Shows what is unread and, to people, what was spoken of in the chosen chat.
    pub async fn open(client: &Client, out: Output, chat: Option<Target>, editor: Option<Editor>) -> Outcome<Self> {
        let start = start_of(chat.as_ref(), out);
        let (feed, items) = Feed::open(client, chat.clone(), start).await?;
        let mut console = Self {
            client: client.clone(),
            out,
            chosen: chat,
            feed,
            outbox: Outbox::new(client),
            editor,
            warned: String::new(),
            pointed_out: HashSet::new(),
            offline: false,
            said_kept: false,
            refused: None,
        };
        console.introduce().await?;
        console.show(items).await?;
        Ok(console)
    }

    async fn introduce(&mut self) -> Outcome {
        if let Reply::WhoAmI(who) = self.client.call(Command::WhoAmI).await? {
            let place = self.chosen.as_ref().map(|chat| format!(" in {}", safe(&chat.to_string()))).unwrap_or_default();
            self.out.note(format!("you are @{}{place}; /help lists commands, EXIT leaves", safe(&who.name)));
        }
        if let Reply::Status(status) = self.client.call(Command::Status).await?
            && !status.online
        {
            let reason = "the server is not reached".to_owned();
            self.offline = true;
            render::event(self.out, &Event::Offline { reason })?;
        }
        Ok(())
    }

    /// Runs until the person leaves, the input ends and everything typed is accepted, or a signal comes.
    pub async fn run(mut self, mut typed: mpsc::Receiver<Typed>, signals: &mut Signals) -> Outcome {
        let mut end = None;
        self.show_prompt();
        loop {
            if let Some(end) = end
                && self.outbox.is_empty()
            {
                return self.leave(end, signals).await;
            }
            tokio::select! {
                () = signals.next() => return Ok(()),
                answer = self.outbox.answer() => self.settle(answer).await?,
                notice = self.feed.wait() => match notice? {
                    Some(notice) => {
                        let items = self.feed.digest(notice).await?;
                        self.show(items).await?;
                    }
                    None => return Ok(()),
                },
                line = typed.recv(), if end.is_none() && self.outbox.has_room() => match line {
                    Some(Typed::Line(line)) => end = self.take(&line).await?,
                    Some(Typed::Unusable(why)) => self.refuse(Failure::usage("unusable", why))?,
                    None => end = Some(End::Input),
                },
            }
        }
    }

    fn show_prompt(&self) {
        if let Some(editor) = &self.editor {
            let chosen = self.chosen.as_ref().map(ToString::to_string).unwrap_or_default();
            editor.prompt(format!("{}> ", safe(&chosen)));
        }
    }

    async fn take(&mut self, line: &str) -> Outcome<Option<End>> {
        match understand(line, self.chosen.as_ref()) {
            Input::Nothing => {}
            Input::Leave => return Ok(Some(End::Left)),
            Input::Help => {
                self.out.line(HELP)?;
                self.out.object(&fields!({"event": "help", "text": HELP}))?;
            }
            Input::Wrong(why) => self.refuse(Failure::usage("unknown_command", why))?,
            Input::To(target) => self.turn_to(target).await?,
            Input::Message(text) => self.send(text).await?,
            Input::Ask(command) => self.ask(command).await?,
        }
        Ok(None)
    }

    async fn ask(&mut self, command: Command) -> Outcome {
        let brings_messages = matches!(command, Command::Accept { .. } | Command::Reload);
        // Who accepts a chat and has chosen none wants to write there.
        let accepted = match &command {
            Command::Accept { id } if self.chosen.is_none() => id.parse::<Target>().ok(),
            _ => None,
        };
        match self.client.call(command).await {
            Ok(reply) => render::reply(self.out, &reply)?,
            Err(failure) => return self.complain(&failure),
        }
        if brings_messages {
            let items = self.feed.digest(Notice::Missed).await?;
            self.show(items).await?;
        }
        match accepted {
            Some(target) => self.turn_to(target).await,
            None => Ok(()),
        }
    }

    async fn turn_to(&mut self, target: Target) -> Outcome {
        if self.feed.is_of_one_chat() {
            let start = start_of(Some(&target), self.out);
            match self.feed.turn_to(target.clone(), start).await {
                Ok(items) => self.show(items).await?,
                Err(failure) => return self.complain(&failure),
            }
        }
        self.pointed_out.clear();
        self.out.note(format!("* you write to {} now", safe(&target.to_string())));
        self.chosen = Some(target);
        self.show_prompt();
        Ok(())
    }

    async fn send(&mut self, text: String) -> Outcome {
        let Some(to) = self.chosen.clone() else {
            return self.refuse(Failure::usage("no_chat", "choose whom to write to first: /to @name or /to #group"));
        };
        if let Err(failure) = check_text(&text) {
            return self.refuse(failure);
        }
        let id = fresh_id();
        self.feed.skip(MessageId::from_bytes(*id.as_bytes()));
        self.outbox.push(Command::Send { to, text, id: Some(id), wait: Wait::Accepted }).await
    }

    async fn settle(&mut self, answer: Result<Reply, Failure>) -> Outcome {
        match self.outbox.settle(answer).await? {
            Fate::Accepted => Ok(()),
            Fate::Kept => {
                if !std::mem::replace(&mut self.said_kept, true) {
                    self.out.note("* the server is not reached; what you write is kept and goes out later");
                }
                Ok(())
            }
            Fate::Refused(failure) => self.refuse(failure),
        }
    }

    async fn show(&mut self, items: Vec<Item>) -> Outcome {
        for item in items {
            match item {
                Item::Message(row) => render::message_event(self.out, &row)?,
                Item::Elsewhere(chat) => {
                    if self.pointed_out.insert(chat.clone()) {
                        self.out.note(format!("* a new message in {chat}: /to {chat}", chat = safe(&chat)));
                    }
                }
                Item::Event(event) => self.show_event(&event).await?,
            }
        }
        self.feed.mark().await
    }

    async fn show_event(&mut self, event: &Event) -> Outcome {
        match event {
            // Who begins is online as a rule; only the way back is news.
            Event::Online => {
                self.outbox.retry().await?;
                self.said_kept = false;
                self.warned.clear();
                if !std::mem::replace(&mut self.offline, false) {
                    return Ok(());
                }
            }
            Event::Offline { .. } => self.offline = true,
            // The same trouble again and again is said once.
            Event::Warning { message, .. } if *message == self.warned => return Ok(()),
            Event::Warning { message, .. } => self.warned.clone_from(message),
            // The other one of two.
            Event::Joined { chat, name } | Event::Left { chat, name } if chat.strip_prefix('@') == Some(name) => {
                return Ok(());
            }
            _ => {}
        }
        render::event(self.out, event)?;
        ended(event)
    }

    /// Something that was typed was not sent.
    fn refuse(&mut self, failure: Failure) -> Outcome {
        self.complain(&failure)?;
        self.refused = Some(failure);
        Ok(())
    }

    fn complain(&self, failure: &Failure) -> Outcome {
        self.out.note(format!("! {}", safe(&failure.message)));
        self.out.object(&fields!({"event": "error", "code": failure.kind, "message": failure.message}))
    }

    async fn leave(mut self, end: End, signals: &mut Signals) -> Outcome {
        for _ in 0..LAST_TRIES {
            if end == End::Left || self.outbox.kept() == 0 {
                break;
            }
            self.outbox.retry().await?;
            while !self.outbox.is_empty() {
                tokio::select! {
                    () = signals.next() => return Ok(()),
                    answer = self.outbox.answer() => self.settle(answer).await?,
                }
            }
        }
        match (self.outbox.kept(), end) {
            (0, End::Left) => Ok(()),
            (0, End::Input) => self.refused.map_or(Ok(()), |failure| Err(already_said(&failure))),
            (kept, End::Left) => {
                self.out.note(queued(kept).message);
                Ok(())
            }
            (kept, End::Input) => Err(queued(kept)),
        }
    }
}

/// A program takes each message once; a person wants to see where the conversation was.
fn start_of(chat: Option<&Target>, out: Output) -> Start {
    let context = (chat.is_some() && !out.is_json()).then_some(CONTEXT);
    Start { context, ..Start::default() }
}

/// The exit code of what was said before.
fn already_said(failure: &Failure) -> Failure {
    Failure { message: "not everything that was typed was sent; see above".to_owned(), ..failure.clone() }
}
