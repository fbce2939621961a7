//! The direct chats of a session.

use std::collections::HashMap;
use std::path::PathBuf;

use subrosa_direct::Encryption;
use subrosa_engine::api::Failure;
use subrosa_types::limits;
use tokio::sync::mpsc;

use super::message::notification;
use super::own::{DirectEvent, DirectNote, DirectOpened, Own, OwnReply, TransportWord};
use crate::direct::{
    Allowed, Direct, DirectNotices, DirectOptions, Direction, Event, FileFacts, Notice, Path, Transport, Wish, prepare,
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
    /// Listens or dials.
    pub async fn begin(
        &mut self,
        lines: &mpsc::Sender<String>,
        options: DirectOptions,
        open_port: bool,
        folder: Option<PathBuf>,
    ) -> Result<OwnReply, Failure> {
        self.chats.retain(|_, chat| !chat.is_over());
        if self.chats.len() >= CHATS {
            return Err(Failure::usage("too_many_chats", "leave a direct chat first: there are too many"));
        }
        let prepared = prepare(options, Allowed { danger_no_encryption: false, open_port }).await?;
        self.last += 1;
        let direct = self.last;
        let mut first: Vec<DirectEvent> =
            prepared.notes.iter().map(|text| DirectEvent::Note { text: text.clone() }).collect();
        if let Some(ticket) = &prepared.ticket {
            first.insert(0, DirectEvent::Ticket { ticket: ticket.clone() });
        }
        let (chat, notices) = Direct::begin(prepared, folder.unwrap_or_else(downloads));
        self.chats.insert(direct, chat);
        tokio::spawn(tell(direct, first, notices, lines.clone()));
        Ok(OwnReply::Direct(DirectOpened { direct }))
    }

    /// Wishes for something in one of the chats.
    pub async fn wish(&mut self, request: Own) -> Result<OwnReply, Failure> {
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
        chat.wish(wish).await?;
        Ok(OwnReply::Done)
    }
}

/// What a request says, as options.
pub fn options(request: &Own) -> Result<DirectOptions, Failure> {
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

async fn tell(direct: u64, first: Vec<DirectEvent>, mut notices: DirectNotices, lines: mpsc::Sender<String>) {
    for event in first {
        if lines.send(notification("direct", &DirectNote { direct, event })).await.is_err() {
            return;
        }
    }
    while let Some(notice) = notices.next().await {
        let event = match notice {
            Notice::Event(event) => told(event),
            Notice::Ended(failure) => DirectEvent::Ended { failure },
        };
        if lines.send(notification("direct", &DirectNote { direct, event })).await.is_err() {
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
