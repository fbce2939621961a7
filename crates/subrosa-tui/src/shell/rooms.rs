//! A room's task: it finds the server, enters, says what it is told to say, and tells what happens.

use subrosa_client::Client;
use subrosa_client::api::{Command, Failure, Reply};
use subrosa_client::profile::Profile;
use subrosa_client::room::{KnownServers, Notice, Room, RoomName, RoomOptions, find};
use subrosa_types::Username;
use subrosa_wire::{Fingerprint, ServerLink};
use tokio::sync::mpsc;

use crate::state::effect::{Input, RoomInput, RoomWish};
use crate::state::entry::Key;

const HOST: &str = "127.0.0.1";
const PORT: u16 = 5535;

/// What a room's task is asked.
#[derive(Debug)]
pub enum RoomAsk {
    /// Say this.
    Say(String),
    /// Who is in.
    Names,
    /// Words to compare.
    Verify,
    /// Leave.
    Leave,
}

/// Runs until the room is over or left, or nobody asks any more.
pub async fn run(
    key: Key,
    wish: RoomWish,
    profile: Profile,
    client: Option<Client>,
    mut asks: mpsc::Receiver<RoomAsk>,
    tell: mpsc::Sender<Input>,
) {
    let tell = |input| {
        let tell = tell.clone();
        async move { tell.send(Input::Room(key, input)).await.is_ok() }
    };
    let options = match options(&wish, &profile, client).await {
        Ok((options, note)) => {
            if let Some(note) = note {
                tell(RoomInput::Found(note)).await;
            }
            options
        }
        Err(failure) => {
            tell(RoomInput::Failed(Box::new(failure))).await;
            return;
        }
    };
    let (mut room, mut notices) = Room::enter(options);
    loop {
        tokio::select! {
            notice = notices.next() => match notice {
                Some(notice) => {
                    let ended = matches!(notice, Notice::Ended(_));
                    if !tell(RoomInput::Notice(Box::new(notice))).await || ended {
                        return;
                    }
                }
                None => return,
            },
            ask = asks.recv() => match ask {
                // When it is over, the notices say so.
                Some(RoomAsk::Say(text)) => drop(room.say(text).await),
                Some(RoomAsk::Names) => {
                    let answer = match room.names().await {
                        Some(guests) => {
                            let mut names: Vec<String> = guests.iter().map(ToString::to_string).collect();
                            names.sort();
                            RoomInput::Names(names)
                        }
                        None => RoomInput::NotInside,
                    };
                    tell(answer).await;
                }
                Some(RoomAsk::Verify) => {
                    let answer = match room.verify().await {
                        Some(shown) => RoomInput::Words(shown.words, shown.guests),
                        None => RoomInput::NotInside,
                    };
                    tell(answer).await;
                }
                Some(RoomAsk::Leave) | None => {
                    room.leave().await;
                    while notices.next().await.is_some() {}
                    return;
                }
            },
        }
    }
}

async fn options(
    wish: &RoomWish,
    profile: &Profile,
    client: Option<Client>,
) -> Result<(RoomOptions, Option<String>), Failure> {
    let name = |text: &str| {
        text.strip_prefix('@')
            .unwrap_or(text)
            .parse::<Username>()
            .map_err(|why| Failure::usage("room_name", why.to_string()))
    };
    let room = name(&wish.room)?;
    let (server, note) = server(&wish.server, profile).await?;
    let account = match client {
        Some(client) => account(client, server.fingerprint).await?,
        None => None,
    };
    let name = match (account, wish.name.as_str()) {
        (Some((client, _)), "") => RoomName::Account(client),
        (None, "") => RoomName::Random,
        (Some((client, account)), wanted) if wanted.trim_start_matches('@') == account => RoomName::Account(client),
        (_, wanted) => RoomName::Own(name(wanted)?),
    };
    Ok((RoomOptions { server, room, name }, note))
}

/// The server that is meant: a link, `HOST`, or `HOST:PORT`.
async fn server(text: &str, profile: &Profile) -> Result<(ServerLink, Option<String>), Failure> {
    let text = text.trim();
    if text.starts_with("subrosa://") {
        let link =
            text.parse().map_err(|why: subrosa_wire::LinkError| Failure::usage("server_link", why.to_string()))?;
        return Ok((link, None));
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => match port.parse() {
            Ok(port) => (host, port),
            Err(_) => return Err(Failure::usage("server_address", "say HOST, HOST:PORT, or the server's link")),
        },
        _ => (text, PORT),
    };
    let host = if host.is_empty() { HOST } else { host };
    // The form of a link says what a host is.
    let form = ServerLink { host: host.to_owned(), port, fingerprint: Fingerprint([0; 32]) };
    if form.to_string().parse() != Ok(form) {
        return Err(Failure::usage("server_address", "this is no address; say HOST, HOST:PORT, or the server's link"));
    }
    let (link, is_new) = find(&KnownServers::of(profile.clone()), host, port).await?;
    let note = is_new.then(|| {
        format!("first time at {host}:{port}: its key is remembered. Its link is {link}; compare it if you can")
    });
    Ok((link, note))
}

/// This profile, if it has an account on the server; with its name.
async fn account(client: Client, server: Fingerprint) -> Result<Option<(Client, String)>, Failure> {
    match client.call(Command::WhoAmI).await {
        Ok(Reply::WhoAmI(who)) => {
            let here = who.server.parse::<ServerLink>().is_ok_and(|link| link.fingerprint == server);
            Ok(here.then_some((client, who.name)))
        }
        Ok(_) => Ok(None),
        Err(failure) if failure.kind == "not_logged_in" => Ok(None),
        Err(failure) => Err(failure),
    }
}
