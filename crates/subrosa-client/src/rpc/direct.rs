//! The direct chats of a session.

use std::collections::HashMap;
use std::path::PathBuf;

use subrosa_direct::Encryption;
use subrosa_engine::api::Failure;
use subrosa_types::limits;
use tokio::sync::mpsc;

use super::message::notification;
use super::own::{DirectEvent, DirectNote, Own, OwnReply, TransportWord};
use super::session;
use crate::direct::{
    Allowed, Direct, DirectNotices, DirectOptions, Direction, Event, FileFacts, Notice, Path, Prepared, Transport,
    Wish, prepare,
};

/// Direct chats of one session.
const CHATS: usize = 16;

/// Direct chats, by their numbers.
#[derive(Debug, Default)]
pub struct Directs {
    last: u64,
    chats: HashMap<u64, Direct>,
}

impl Directs {
    /// Begins a chat that was prepared.
    pub fn admit(&mut self, new: NewDirect) -> Result<(u64, Vec<DirectEvent>, DirectNotices), Failure> {
        self.chats.retain(|_, chat| !chat.is_over());
        if self.chats.len() >= CHATS {
            return Err(Failure::usage("too_many_chats", "leave a direct chat first: there are too many"));
        }
        let NewDirect { prepared, folder } = new;
        let notes = prepared.notes.iter().map(|text| DirectEvent::Note { text: text.clone() });
        let ticket = prepared.ticket.iter().map(|ticket| DirectEvent::Ticket { ticket: ticket.clone() });
        let first = ticket.chain(notes).collect();
        self.last += 1;
        let (chat, notices) = Direct::begin(prepared, folder);
        self.chats.insert(self.last, chat);
        Ok((self.last, first, notices))
    }

    /// Wishes for something in one of the chats.
    pub fn wish(&mut self, request: Own) -> Result<OwnReply, Failure> {
        let (direct, wish) = match request {
            Own::DirectSay { text, .. } if text.is_empty() || text.len() > limits::TEXT => {
                let most = limits::TEXT / 1024;
                return Err(Failure::usage("text", format!("a text has 1 byte to {most} KiB")));
            }
            Own::DirectSay { direct, text } => (direct, Wish::Say(text)),
            Own::DirectSend { direct, path } => (direct, Wish::Send(path)),
            Own::DirectAccept { direct, number } => (direct, Wish::Accept(number)),
            Own::DirectDecline { direct, number } => (direct, Wish::Decline(number)),
            Own::DirectVerify { direct } => (direct, Wish::Verify),
            Own::DirectLeave { direct } => (direct, Wish::Leave),
            _ => return Err(Failure::usage("no_such_wish", "this is no wish in a direct chat")),
        };
        let Some(chat) = self.chats.get(&direct) else {
            return Err(Failure::usage("no_such_chat", "there is no direct chat of this number in this session"));
        };
        chat.try_wish(wish)?;
        Ok(OwnReply::Done)
    }
}

/// A chat that can begin: its ends are made.
#[derive(Debug)]
pub struct NewDirect {
    prepared: Prepared,
    folder: PathBuf,
}

impl NewDirect {
    /// Makes the ends that a request asks for.
    pub async fn prepare(request: &Own) -> Result<Self, Failure> {
        let (open_port, folder) = match request {
            Own::DirectListen { open_port, folder, .. } | Own::DirectDial { open_port, folder, .. } => {
                (*open_port, folder)
            }
            _ => (false, &None),
        };
        let prepared = prepare(options(request)?, Allowed { danger_no_encryption: false, open_port }).await?;
        Ok(Self { prepared, folder: folder.clone().unwrap_or_else(downloads) })
    }
}

/// What a request says, as options.
fn options(request: &Own) -> Result<DirectOptions, Failure> {
    let chosen = |word: &Option<String>| {
        word.as_deref()
            .map(|word| word.parse::<Encryption>())
            .transpose()
            .map_err(|why| Failure::usage("encryption", why.to_string()))
    };
    match request {
        Own::DirectListen { transport, encryption, relay, ticket_only, .. } => Ok(DirectOptions::Listen {
            transport: match transport {
                TransportWord::Quic => Transport::Quic,
                TransportWord::Tcp => Transport::Tcp,
            },
            encryption: chosen(encryption)?.unwrap_or(Encryption::Mls),
            relay: relay
                .as_deref()
                .map(str::trim)
                .filter(|relay| !relay.is_empty())
                .map(|relay| relay.parse().map_err(|why| Failure::usage("relay", format!("{why}"))))
                .transpose()?,
            listen: None,
            ticket_only: *ticket_only,
        }),
        Own::DirectDial { ticket, encryption, .. } => {
            Ok(DirectOptions::Dial { to: ticket.trim().to_owned(), transport: None, encryption: chosen(encryption)? })
        }
        _ => Err(Failure::usage("no_such_wish", "this begins no direct chat")),
    }
}

/// The person's folder for downloads, or where the program was started.
fn downloads() -> PathBuf {
    let known = directories::UserDirs::new();
    known
        .as_ref()
        .and_then(|known| known.download_dir())
        .filter(|folder| folder.is_dir())
        .map_or_else(|| PathBuf::from("."), PathBuf::from)
}

/// Tells what happens in a chat, to its end.
pub async fn tell(direct: u64, first: Vec<DirectEvent>, mut notices: DirectNotices, lines: mpsc::Sender<String>) {
    for event in first {
        if session::tell(&lines, notification("direct", &DirectNote { direct, event })).await.is_err() {
            return;
        }
    }
    while let Some(notice) = notices.next().await {
        let event = match notice {
            Notice::Event(event) => told(event),
            Notice::Ended(failure) => DirectEvent::Ended { failure },
        };
        if session::tell(&lines, notification("direct", &DirectNote { direct, event })).await.is_err() {
            return;
        }
    }
}

fn told(event: Event) -> DirectEvent {
    match event {
        Event::Connected { encryption, vouched, string, path, again } => DirectEvent::Joined {
            encryption: encryption.as_str().to_owned(),
            vouched,
            words: string.words(),
            digits: string.digits(),
            via: via(path),
            again,
        },
        Event::PathChanged(path) => DirectEvent::Path { via: via(path) },
        Event::Broken { cause, waiting } => {
            DirectEvent::Broken { message: cause.to_string(), waiting: u64::try_from(waiting).unwrap_or(u64::MAX) }
        }
        Event::Retrying { cause, after_ms } => DirectEvent::Retrying { message: cause, after_ms },
        Event::TurnedAway(error) => DirectEvent::TurnedAway { message: error.to_string() },
        Event::Message { number, text, sent_at, path } => {
            DirectEvent::Message { number, text, sent_at, via: via(path) }
        }
        Event::Delivered { number } => DirectEvent::Delivered { number },
        Event::NotDone { code, message } => DirectEvent::Error { code: code.to_owned(), message },
        Event::FileOffered(FileFacts { number, direction, name, size }) => {
            DirectEvent::FileOffered { number, direction: way(direction), name, size }
        }
        Event::FileProgress { file, done } => {
            DirectEvent::FileProgress { number: file.number, direction: way(file.direction), done, size: file.size }
        }
        Event::FileEnded { file, outcome, path } => DirectEvent::FileEnded {
            number: file.number,
            direction: way(file.direction),
            name: file.name,
            outcome: outcome.code().to_owned(),
            path: path.map(|path| path.display().to_string()),
        },
        Event::Verify { string, vouched } => DirectEvent::Verify {
            words: string.as_ref().map(|string| string.words()),
            digits: string.as_ref().map(|string| string.digits()),
            vouched,
        },
        Event::Left => DirectEvent::Left,
    }
}

fn via(path: Path) -> String {
    match path {
        Path::Direct => "direct",
        Path::Relayed => "relay",
    }
    .to_owned()
}

fn way(direction: Direction) -> String {
    match direction {
        Direction::Sending => "sending",
        Direction::Receiving => "receiving",
    }
    .to_owned()
}
