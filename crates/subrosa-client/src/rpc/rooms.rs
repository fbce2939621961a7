//! The rooms of a session.

use std::collections::HashMap;

use subrosa_crypto::room::Guest;
use subrosa_engine::api::{Command, Failure, Reply};
use subrosa_engine::room::RoomEvent;
use subrosa_types::{Username, limits};
use subrosa_wire::{Fingerprint, ServerLink};
use tokio::sync::mpsc;

use super::door::Door;
use super::message::notification;
use super::own::{Entered, GuestRow, OwnReply, RoomNote, RoomTold, Said, Words};
use crate::client::Client;
use crate::room::{Notice, Room, RoomName, RoomNotices, RoomOptions, find};

/// Rooms of one session.
const ROOMS: usize = 16;
/// Where a server is that nobody names, and its port.
const HOST: &str = "127.0.0.1";
const PORT: u16 = 5535;
const LOBBY: &str = "lobby";

/// Rooms that were entered, by their numbers.
#[derive(Debug, Default)]
pub struct Rooms {
    last: u64,
    rooms: HashMap<u64, Room>,
}

impl Rooms {
    /// Begins to enter a room.
    pub async fn enter(
        &mut self,
        door: &Door,
        lines: &mpsc::Sender<String>,
        room: Option<&str>,
        server: Option<&str>,
        port: Option<u16>,
        name: Option<&str>,
    ) -> Result<OwnReply, Failure> {
        self.rooms.retain(|_, room| !room.is_over());
        if self.rooms.len() >= ROOMS {
            return Err(Failure::usage("too_many_rooms", "leave a room first: there are too many"));
        }
        let room = room.map(|room| room.strip_prefix('#').unwrap_or(room)).unwrap_or(LOBBY);
        let room: Username =
            room.parse().map_err(|why| Failure::usage("room_name", format!("{room} is no name of a room: {why}")))?;
        let account = account(door).await?;
        let (server, new_server) = match (server.map(str::trim).filter(|server| !server.is_empty()), &account) {
            (None, Some((_, who, _))) if port.is_none() => (who.clone(), false),
            (server, _) => place(door, server, port).await?,
        };
        let account = account.filter(|(_, link, _)| link.fingerprint == server.fingerprint);
        let name = match (account, name.map(str::trim).filter(|name| !name.is_empty())) {
            (Some((client, ..)), None) => RoomName::Account(client),
            (account, Some(name)) => {
                let name = name.strip_prefix('@').unwrap_or(name);
                let parsed: Username =
                    name.parse().map_err(|why: subrosa_types::NameError| Failure::usage("name", why.to_string()))?;
                match account {
                    Some((client, _, own)) if own == parsed.as_str() => RoomName::Account(client),
                    _ => RoomName::Own(parsed),
                }
            }
            (None, None) => RoomName::Random,
        };
        self.last += 1;
        let number = self.last;
        let entered = Entered { room: number, name: room.to_string(), server: server.to_string(), new_server };
        let (handle, notices) = Room::enter(RoomOptions { server, room, name });
        self.rooms.insert(number, handle);
        tokio::spawn(tell(number, notices, lines.clone()));
        Ok(OwnReply::Entered(entered))
    }

    /// Says something.
    pub async fn say(&mut self, room: u64, text: String) -> Result<OwnReply, Failure> {
        if text.is_empty() || text.len() > limits::TEXT {
            let most = limits::TEXT / 1024;
            return Err(Failure::usage("text", format!("a text has 1 byte to {most} KiB")));
        }
        let handle = self.rooms.get_mut(&room).ok_or_else(no_such_room)?;
        let number = handle.say(text).await.map_err(|_unsaid| no_such_room())?;
        Ok(OwnReply::Said(Said { number }))
    }

    /// Who is in.
    pub async fn names(&self, room: u64) -> Result<OwnReply, Failure> {
        let names = self.rooms.get(&room).ok_or_else(no_such_room)?.names().await;
        Ok(OwnReply::Names(names.map(|names| names.iter().map(guest).collect())))
    }

    /// Words to compare.
    pub async fn verify(&self, room: u64) -> Result<OwnReply, Failure> {
        let words = self.rooms.get(&room).ok_or_else(no_such_room)?.verify().await;
        Ok(OwnReply::Words(words.map(|found| Words {
            words: found.words,
            guests: u32::try_from(found.guests).unwrap_or(u32::MAX),
            epoch: found.epoch,
        })))
    }

    /// Leaves.
    pub async fn leave(&mut self, room: u64) -> Result<OwnReply, Failure> {
        let handle = self.rooms.remove(&room).ok_or_else(no_such_room)?;
        handle.leave().await;
        Ok(OwnReply::Done)
    }
}

fn no_such_room() -> Failure {
    Failure::usage("no_such_room", "there is no room of this number in this session; enter it first")
}

/// The account of this profile, its server and its name, if there is one.
async fn account(door: &Door) -> Result<Option<(Client, ServerLink, String)>, Failure> {
    let client = match door.client().await {
        Ok(client) => client,
        Err(failure) if failure.kind == "not_logged_in" => return Ok(None),
        Err(failure) => return Err(failure),
    };
    match client.call(Command::WhoAmI).await {
        Ok(Reply::WhoAmI(who)) => Ok(who.server.parse().ok().map(|link| (client, link, who.name))),
        Ok(_) => Ok(None),
        Err(failure) if failure.kind == "not_logged_in" => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// The server that is meant, and whether its key is new here.
async fn place(door: &Door, server: Option<&str>, port: Option<u16>) -> Result<(ServerLink, bool), Failure> {
    let host = match server {
        Some(text) if text.starts_with("subrosa://") => {
            if port.is_some() {
                return Err(Failure::usage("port_twice", "the server's link names the port; leave the port out"));
            }
            let link =
                text.parse().map_err(|why: subrosa_wire::LinkError| Failure::usage("server_link", why.to_string()))?;
            return Ok((link, false));
        }
        Some(host) => host,
        None => HOST,
    };
    let port = port.unwrap_or(PORT);
    // The form of a link says what a host is.
    let form = ServerLink { host: host.to_owned(), port, fingerprint: Fingerprint([0; 32]) };
    if form.to_string().parse() != Ok(form) {
        return Err(Failure::usage("server_address", format!("{host} is no host; give a host, or the server's link")));
    }
    find(&door.known_servers(), host, port).await
}

fn guest(guest: &Guest) -> GuestRow {
    GuestRow { name: guest.name.to_string(), member: guest.member }
}

async fn tell(room: u64, mut notices: RoomNotices, lines: mpsc::Sender<String>) {
    while let Some(notice) = notices.next().await {
        let note = note(notice);
        if lines.send(notification("room", &RoomTold { room, note })).await.is_err() {
            return;
        }
    }
}

fn note(notice: Notice) -> RoomNote {
    match notice {
        Notice::Event(RoomEvent::Admitted { me, .. }) => RoomNote::Admitted { me: guest(&me) },
        Notice::Event(RoomEvent::Inside { others, .. }) => {
            RoomNote::Inside { others: others.iter().map(guest).collect() }
        }
        Notice::Event(RoomEvent::Joined { guest: who, at, .. }) => RoomNote::Joined { guest: guest(&who), at },
        Notice::Event(RoomEvent::Left { guest: who, at, .. }) => RoomNote::Left { guest: guest(&who), at },
        Notice::Event(RoomEvent::Message { from, text, at, .. }) => RoomNote::Message { from: guest(&from), text, at },
        Notice::Event(RoomEvent::Sent { number, at, .. }) => RoomNote::Sent { number, at },
        Notice::Event(RoomEvent::Refused { number, failure }) => RoomNote::Refused { number, failure },
        Notice::Event(RoomEvent::Dropped { total }) => RoomNote::Dropped { total },
        Notice::Lost { reason, again_in } => {
            RoomNote::Lost { reason, again_in: u64::try_from(again_in.as_millis()).unwrap_or(u64::MAX) }
        }
        Notice::Uncertain { number } => RoomNote::Uncertain { number },
        Notice::Ended(failure) => RoomNote::Ended { failure },
    }
}
