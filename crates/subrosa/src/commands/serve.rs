//! `serve`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use subrosa_client::api::{Failure, FailureCode};
use subrosa_server::relay::RelayMode;
use subrosa_server::store::StoreError;
use subrosa_server::{Event, RoomPolicy, RunningServer, Server, ServerConfig, Signup, StartError, system_time};
use tokio::sync::broadcast::error::RecvError;

use super::Context;
use crate::keyboard::{self, Typed};
use crate::output::{Outcome, Output, fields, is_stdout_closed, safe};
use crate::signals::Signals;
use crate::time::{local, utc};

/// The word that ends a server, typed at its console.
pub const TERMINATE: &str = "TERMINATE";
/// Messages are counted for this long before a line says so.
const COUNTED: Duration = Duration::from_millis(250);

/// `subrosa serve`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Port [default: 5535]
    #[arg(short, long)]
    port: Option<u16>,
    /// Address and port [default: 127.0.0.1:5535]; port 0 picks a free one
    #[arg(long, value_name = "ADDR:PORT", conflicts_with = "port")]
    listen: Option<SocketAddr>,
    /// Folder of the server's data [default: the platform's data folder]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Settings in TOML; flags come before them
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Who may sign up; the first account always may [default: open]
    #[arg(long, value_enum)]
    signup: Option<SignupMode>,
    /// Whom the relay for direct links admits [default: open on 127.0.0.1, else members]
    #[arg(long, value_enum)]
    relay: Option<RelayAdmits>,
    /// Who may enter rooms [default: open on loopback, else members]
    #[arg(long, value_enum)]
    rooms: Option<RoomMode>,
    /// Host in the server's link, if clients reach it by another name than its address
    #[arg(long, value_name = "HOST")]
    public_host: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SignupMode {
    /// Everybody
    Open,
    /// Who has an invitation
    Invite,
    /// Nobody
    Closed,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum RoomMode {
    /// Everybody who reaches the server
    Open,
    /// Who has an account on it
    Members,
    /// Nobody
    Off,
}

impl From<RoomMode> for RoomPolicy {
    fn from(mode: RoomMode) -> Self {
        match mode {
            RoomMode::Open => Self::Open,
            RoomMode::Members => Self::Members,
            RoomMode::Off => Self::Off,
        }
    }
}

impl From<SignupMode> for Signup {
    fn from(mode: SignupMode) -> Self {
        match mode {
            SignupMode::Open => Self::Open,
            SignupMode::Invite => Self::Invite,
            SignupMode::Closed => Self::Closed,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum RelayAdmits {
    /// Everybody
    Open,
    /// Devices that are logged in
    Members,
    /// Nobody: there is no relay
    Off,
}

impl From<RelayAdmits> for RelayMode {
    fn from(admits: RelayAdmits) -> Self {
        match admits {
            RelayAdmits::Open => Self::Open,
            RelayAdmits::Members => Self::Members,
            RelayAdmits::Off => Self::Off,
        }
    }
}

/// Runs a server until it is told to end.
pub async fn run(context: &Context, arguments: Arguments) -> Outcome {
    let mut signals = Signals::listen()?;
    let settings = settings(context, arguments)?;
    let is_everywhere = settings.listen.ip().is_unspecified() && settings.public_host.is_none();
    let server = start(settings).await?;
    announce(context.out, &server)?;
    if is_everywhere {
        // The only address that is sure to be right is of no use to others.
        eprintln!(
            "on other machines {} in the link stands for this one: put its name or address there, or say --public-host HOST",
            safe(&server.link().host)
        );
    }
    let reason = watch(context.out, server, &mut signals).await?;
    context.out.note(format!("ended: {reason}"));
    Ok(())
}

/// Starts a server.
pub async fn start(config: ServerConfig) -> Outcome<RunningServer> {
    let folder = config.folder.clone();
    Server::start(config).await.map_err(|error| not_started(&error, &folder))
}

/// Says where it can be reached.
pub fn announce(out: Output, server: &RunningServer) -> Outcome {
    let (link, setup_code) = (server.link().to_string(), server.setup_code());
    out.line(format!("server link: {link}"))?;
    if let Some(code) = setup_code {
        out.line(format!("setup code:  {code}  (the first account needs it: signup --setup {code})"))?;
    }
    out.object(&fields!({"event": "listening", "link": link, "port": server.port(), "setup_code": setup_code}))
}

fn settings(context: &Context, arguments: Arguments) -> Outcome<ServerConfig> {
    let Arguments { port, listen, data, config, signup, relay, rooms, public_host } = arguments;
    let (mut settings, names_folder) = match config {
        Some(file) => read_settings(&file)?,
        None => (ServerConfig::default(), false),
    };
    if let Some(listen) = listen {
        settings.listen = listen;
    }
    if let Some(port) = port {
        settings.listen.set_port(port);
    }
    if let Some(signup) = signup {
        settings.signup = signup.into();
    }
    if let Some(relay) = relay {
        settings.relay = Some(relay.into());
    }
    if let Some(rooms) = rooms {
        settings.rooms = Some(rooms.into());
    }
    if public_host.is_some() {
        settings.public_host = public_host;
    }
    match data {
        Some(folder) => settings.folder = folder,
        None if names_folder => {}
        None => settings.folder = default_folder(context)?,
    }
    Ok(settings)
}

/// The settings in a file, and whether they name the data folder.
fn read_settings(file: &Path) -> Outcome<(ServerConfig, bool)> {
    let wrong = |what: String| Failure::usage("bad_config", format!("{}: {what}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| wrong(error.to_string()))?;
    let names_folder = table.contains_key("folder");
    let settings = table.try_into().map_err(|error: toml::de::Error| wrong(error.to_string()))?;
    Ok((settings, names_folder))
}

/// Beside the profile that was named, where `up` has its server too; else in the platform's folder.
fn default_folder(context: &Context) -> Outcome<PathBuf> {
    if context.global().home.is_some() {
        return Ok(context.global().profile()?.server());
    }
    directories::ProjectDirs::from("", "", "subrosa")
        .map(|folders| folders.data_dir().join("server"))
        .ok_or_else(|| Failure::usage("no_home", "this system names no folder for data; say --data DIR"))
}

/// What to do about a server that does not start.
pub fn not_started(error: &StartError, folder: &Path) -> Failure {
    let environment = |kind: &str, message: String| Failure::new(FailureCode::Environment, kind, message);
    match error {
        StartError::Folder(cause) => environment(
            "folder",
            format!("the data folder {} cannot be used: {cause}; name another one with --data", folder.display()),
        ),
        StartError::FolderInUse => environment(
            "folder_in_use",
            format!("another server runs on {}; end it, or name another folder with --data", folder.display()),
        ),
        StartError::Listen { address, source } => environment(
            "address_in_use",
            format!("cannot listen on {address}: {source}; choose another port with -p, or end what listens there"),
        ),
        StartError::Store(cause) => {
            let next = match cause {
                StoreError::NoRoom(_) => "make room and give access, then start it again",
                StoreError::Migration(_) => "start it with the version of subrosa that wrote it, or a newer one",
                _ => "nothing was changed: restore the folder from a backup, or name another one with --data",
            };
            environment("store", format!("the store in {} cannot be used: {cause}; {next}", folder.display()))
        }
        other => Failure::new(FailureCode::Unexpected, "server", chain(other)),
    }
}

pub fn chain(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Shows what happens, without content, until something ends the server. Gives the reason.
async fn watch(out: Output, mut server: RunningServer, signals: &mut Signals) -> Outcome<&'static str> {
    let mut events = server.events();
    let mut typed = Some(keyboard::listen()?);
    let mut watching = true;
    let mut exchanged = 0;
    let mut counting = tokio::time::interval(COUNTED);
    counting.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let reason = loop {
        tokio::select! {
            () = signals.next() => break "the server was stopped",
            stopped = server.wait() => {
                return Err(match stopped {
                    Ok(()) => Failure::new(FailureCode::Unexpected, "server", "the server stopped by itself"),
                    Err(error) => Failure::new(FailureCode::Environment, "store", format!("the server had to stop: {}", chain(&error))),
                });
            }
            line = next_line(&mut typed) => match line {
                Typed::Line(line) if line.trim() == TERMINATE => break "the server was ended by its operator",
                Typed::Line(line) if line.trim().is_empty() => {}
                Typed::Line(_) | Typed::Unusable(_) => out.note(format!("{TERMINATE} ends the server")),
            },
            event = events.recv(), if watching => match event {
                Ok(Event::MessagesExchanged(count)) => exchanged += count,
                Ok(Event::GuestJoined { room, inside }) => show_guest(out, "joined", &room.to_string(), inside)?,
                Ok(Event::GuestLeft { room, inside }) => show_guest(out, "left", &room.to_string(), inside)?,
                Ok(Event::Joined(account)) => show(out, "joined", &account.to_string())?,
                Ok(Event::Left(account)) => show(out, "left", &account.to_string())?,
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => watching = false,
            },
            _ = counting.tick(), if exchanged > 0 => {
                show_exchanged(out, exchanged)?;
                exchanged = 0;
            }
        }
    };
    server.shutdown(reason).await.map_err(|error| {
        Failure::new(FailureCode::Environment, "store", format!("the server ended, but: {}", chain(&error)))
    })?;
    Ok(reason)
}

/// The next line; never resolves when the input has ended: a server needs nobody at its console.
pub async fn next_line(typed: &mut Option<tokio::sync::mpsc::Receiver<Typed>>) -> Typed {
    if let Some(lines) = typed {
        if let Some(line) = lines.recv().await {
            return line;
        }
        *typed = None;
    }
    std::future::pending().await
}

fn show(out: Output, event: &str, account: &str) -> Outcome {
    let now = system_time();
    go_on(out.line(format!("{} {event} {}", local(now), safe(account))))?;
    go_on(out.object(&fields!({"event": event, "account": account, "at": utc(now)})))
}

/// The room by the id that it has as long as it lives: names of rooms and guests are theirs.
fn show_guest(out: Output, event: &str, room: &str, inside: usize) -> Outcome {
    let now = system_time();
    go_on(out.line(format!("{} a guest {event} room {room}, {inside} in it now", local(now))))?;
    go_on(out.object(&fields!({"event": event, "room": room, "guests": inside, "at": utc(now)})))
}

fn show_exchanged(out: Output, count: usize) -> Outcome {
    let now = system_time();
    let line =
        if count == 1 { "a message was exchanged".to_owned() } else { format!("{count} messages were exchanged") };
    go_on(out.line(format!("{} {line}", local(now))))?;
    go_on(out.object(&fields!({"event": "exchanged", "messages": count, "at": utc(now)})))
}

/// A server whose output nobody reads goes on.
fn go_on(written: Outcome) -> Outcome {
    match written {
        Err(failure) if is_stdout_closed(&failure) => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_come_from_the_file_and_a_wrong_one_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("subrosa.toml");
        std::fs::write(&file, "listen = \"127.0.0.1:7000\"\nsignup = \"invite\"\n").unwrap();
        let (settings, names_folder) = read_settings(&file).unwrap();
        assert_eq!((settings.listen.port(), settings.signup, names_folder), (7000, Signup::Invite, false));
        std::fs::write(&file, "folder = \"/srv/subrosa\"\n").unwrap();
        assert!(read_settings(&file).unwrap().1);
        std::fs::write(&file, "lisen = \"127.0.0.1:7000\"\n").unwrap();
        let failure = read_settings(&file).unwrap_err();
        assert!(failure.code == FailureCode::Usage && failure.message.contains("lisen"), "{failure}");
    }
}
