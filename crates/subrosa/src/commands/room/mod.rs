//! `room`: talk in a room, with an account or without one.

mod console;
mod words;

use clap::Args;
use subrosa_client::api::{Command, Failure, FailureCode, Reply};
use subrosa_client::room::{KnownServers, Room, RoomName, RoomOptions, find};
use subrosa_client::{Client, Opening};
use subrosa_types::Username;
use subrosa_wire::{Fingerprint, ServerLink};

use super::Context;
use crate::keyboard;
use crate::names::Person;
use crate::output::{Outcome, safe};
use crate::secrets;
use crate::signals::Signals;
use crate::terminal::Editor;

/// Where a server is that nobody names, and its port.
const HOST: &str = "127.0.0.1";
const PORT: u16 = 5535;
const LOBBY: &str = "lobby";

/// `subrosa room`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Name of the room [default: lobby]
    name: Option<String>,
    /// Server: its link, or its address [default: 127.0.0.1]. The key behind an address is remembered from the first time on
    #[arg(short, long, value_name = "HOST|LINK")]
    server: Option<String>,
    /// Port, if the server is an address [default: 5535]
    #[arg(short, long)]
    port: Option<u16>,
    /// Your name in the room [default: that of the account that this profile has on the server, else a random one]
    #[arg(short, long, value_name = "NAME")]
    username: Option<Person>,
}

/// Enters the room and talks until the person leaves.
pub async fn run(context: &Context, arguments: Arguments) -> Outcome {
    let mut signals = Signals::listen()?;
    let room = arguments.name.as_deref().unwrap_or(LOBBY);
    let room = room.strip_prefix('#').unwrap_or(room);
    let room: Username = room
        .parse()
        .map_err(|why| Failure::usage("room_name", format!("{} is no name of a room: {why}", safe(room))))?;
    let known = KnownServers::of(context.global().profile()?);
    let server = tokio::select! {
        server = server(context, &known, arguments.server.as_deref(), arguments.port) => server?,
        () = signals.next() => return Ok(()),
    };
    let client = account(context, server.fingerprint).await?;
    let talked = talk(context, &known, server, room, arguments.username, client.clone(), &mut signals).await;
    if let Some((client, _)) = client {
        client.close().await;
    }
    talked
}

async fn talk(
    context: &Context,
    known: &KnownServers,
    server: ServerLink,
    room: Username,
    username: Option<Person>,
    client: Option<(Client, String)>,
    signals: &mut Signals,
) -> Outcome {
    let name = match (client, username) {
        (Some((client, _)), None) => RoomName::Account(client),
        (Some((client, account)), Some(Person(name))) if name.as_str() == account => RoomName::Account(client),
        (_, Some(Person(name))) => RoomName::Own(name),
        (None, None) => RoomName::Random,
    };
    let (typed, editor) = match Editor::open(context.out, words::leaves)? {
        Some((typed, editor)) => (typed, Some(editor)),
        None => (keyboard::listen()?, None),
    };
    let place = console::Place { room: room.to_string(), host: server.host.clone(), port: server.port };
    let (room, notices) = Room::enter(RoomOptions { server, room, name });
    let console = console::Console::new(context.out, place, room, editor);
    console.run(notices, typed, signals).await.map_err(|failure| with_advice(failure, known))
}

/// The server that is meant.
async fn server(
    context: &Context,
    known: &KnownServers,
    server: Option<&str>,
    port: Option<u16>,
) -> Outcome<ServerLink> {
    let host = match server {
        Some(text) if text.trim_start().starts_with("subrosa://") => {
            if port.is_some() {
                return Err(Failure::usage("port_twice", "the server's link names the port; leave -p out"));
            }
            return text.parse().map_err(|why: subrosa_wire::LinkError| Failure::usage("server_link", why.to_string()));
        }
        Some(host) => host,
        None => HOST,
    };
    let port = port.unwrap_or(PORT);
    // The form of a link says what a host is.
    let form: ServerLink = ServerLink { host: host.to_owned(), port, fingerprint: Fingerprint([0; 32]) };
    if form.to_string().parse() != Ok(form) {
        let message = format!("{} is no host; say -s HOST -p PORT, or -s with the server's link", safe(host));
        return Err(Failure::usage("server_address", message));
    }
    let (link, is_new) = find(known, host, port).await?;
    if is_new {
        let note =
            format!("* first time at {host}:{port}: its key is remembered. Its link is {link}; compare it if you can");
        context.out.note(safe(&note));
    }
    Ok(link)
}

/// This profile, if it has an account on the server; with its name.
async fn account(context: &Context, server: Fingerprint) -> Outcome<Option<(Client, String)>> {
    let profile = context.global().profile()?;
    if !profile.exists()? {
        return Ok(None);
    }
    let client = Client::open(Opening { profile, create: None, ask: secrets::passphrase() }).await?;
    let here = match client.call(Command::WhoAmI).await {
        Ok(Reply::WhoAmI(who)) => {
            let link = who.server.parse::<ServerLink>();
            link.is_ok_and(|link| link.fingerprint == server).then_some(who.name)
        }
        Ok(_) => None,
        Err(failure) if failure.kind == "not_logged_in" => None,
        Err(failure) => {
            client.close().await;
            return Err(failure);
        }
    };
    match here {
        Some(name) => Ok(Some((client, name))),
        None => {
            client.close().await;
            Ok(None)
        }
    }
}

/// What a person can do about a key that is not the remembered one.
fn with_advice(failure: Failure, known: &KnownServers) -> Failure {
    if failure.code != FailureCode::Untrusted || failure.kind != "wrong_server" || !known.file().exists() {
        return failure;
    }
    let file = known.file();
    let message = format!(
        "{}. If you know why its key changed, take its line out of {}",
        failure.message,
        safe(&file.display().to_string())
    );
    Failure { message, ..failure }
}
