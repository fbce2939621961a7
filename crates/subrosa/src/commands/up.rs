//! `up`: the main job in one step.
//!
//! 1. A profile that is enrolled at somebody else's server uses that one. Every other profile has a server of its own, in
//!    its folder: it is started, on the port that it had before, or on 5535, or on a free one.
//! 2. Who has no account there signs up, or logs in if the server knows the name.
//! 3. The link for others is shown, and the console opens. With the console the server ends.

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;

use clap::Args;
use subrosa_client::Client;
use subrosa_client::api::{Command, Failure, FailureCode, Reply, Secret, WhoAmI};
use subrosa_client::keys::KeyChoice;
use subrosa_client::profile::{Profile, replace_private};
use subrosa_server::{DATABASE, RunningServer, Server, ServerConfig, StartError};
use subrosa_wire::ServerLink;

use super::account::machine_name;
use super::{Context, chat, serve};
use crate::names::wanted;
use crate::output::{Outcome, safe};
use crate::secrets::{self, PasswordSource};
use crate::signals::Signals;

/// `subrosa up`.
#[derive(Debug, Default, Args)]
pub struct Arguments {
    /// Your name [default: the one of your account on this machine]
    #[arg(short, long, value_name = "NAME")]
    username: Option<String>,
    #[command(flatten)]
    password: PasswordSource,
    /// Lock the store on this device with a passphrase that is asked for each time (or SUBROSA_PASSPHRASE_FILE)
    #[arg(long)]
    passphrase: bool,
}

/// Starts chatting.
pub async fn run(context: &Context, arguments: Arguments) -> Outcome {
    let mut signals = Signals::listen()?;
    let profile = context.global().profile()?;
    let place = Place::find(context, &profile).await?;
    // Everything is asked before anything is started: whoever gives up here leaves nothing behind.
    let entry = match &place {
        Place::Enrolled => Entry::Enrolled(arguments.given_password()?),
        Place::Own(own) if own.is_enrolled => Entry::Enrolled(arguments.given_password()?),
        Place::Own(own) => arguments.entry(own.is_new)?,
    };
    let server = match place {
        Place::Enrolled => None,
        Place::Own(own) => own.start(&profile).await?,
    };
    let choice = if arguments.passphrase { KeyChoice::Passphrase } else { KeyChoice::Platform };
    let create = match &entry {
        Entry::Enrolled(_) => None,
        _ => Some(choice),
    };
    let outcome = match context.open(create).await {
        Ok(client) => {
            let chatted =
                enter_and_chat(context, &arguments, &client, entry, server.as_ref(), &profile, &mut signals).await;
            client.close().await;
            chatted
        }
        Err(failure) => Err(failure),
    };
    if let Some(server) = server {
        // What the person came for is over; what the store still has to say matters less than how that went.
        if let Err(error) = server.shutdown("the server was ended by its operator").await {
            context.out.note(format!("the server ended, but: {error}"));
        }
    }
    outcome
}

async fn enter_and_chat(
    context: &Context,
    arguments: &Arguments,
    client: &Client,
    entry: Entry,
    server: Option<&RunningServer>,
    profile: &Profile,
    signals: &mut Signals,
) -> Outcome {
    let link = match server {
        Some(server) => server.link().to_string(),
        None => own_link(profile)?.map(|link| link.to_string()).unwrap_or_default(),
    };
    enter(client, arguments, entry, link).await?;
    if let Some(server) = server {
        serve::announce(context.out, server)?;
        context.out.note(format!("others on this machine join with: subrosa signup -s {} -u NAME", server.link()));
    }
    chat::converse(context, client, None, signals).await
}

/// Where the account is, or will be.
enum Place {
    /// At somebody else's server.
    Enrolled,
    /// At a server in the profile's folder.
    Own(Own),
}

struct Own {
    /// The link that it had when it last ran.
    link: Option<ServerLink>,
    /// It has no database yet.
    is_new: bool,
    /// The profile has an account there.
    is_enrolled: bool,
}

/// How the person comes in.
enum Entry {
    /// There is an account. A password that was given is checked.
    Enrolled(Option<Secret>),
    /// The server is new: nobody has an account.
    New { name: String, password: Secret },
    /// The server was there before: this name may have an account.
    Known { name: String, password: Secret },
}

impl Place {
    async fn find(context: &Context, profile: &Profile) -> Outcome<Self> {
        let link = own_link(profile)?;
        let who = if profile.exists()? { who_am_i(context).await? } else { None };
        if let Some(who) = &who
            && link.as_ref().is_none_or(|link| link.to_string() != who.server)
        {
            return Ok(Self::Enrolled);
        }
        let database = profile.server().join(DATABASE);
        let is_new = !database.try_exists().map_err(|error| unusable(&database, &error))?;
        Ok(Self::Own(Own { link, is_new, is_enrolled: who.is_some() }))
    }
}

impl Own {
    /// Starts the server; `None` when another process of this profile runs it already.
    async fn start(self, profile: &Profile) -> Outcome<Option<RunningServer>> {
        let mut config = ServerConfig { folder: profile.server(), ..ServerConfig::default() };
        if let Some(link) = &self.link {
            config.listen.set_port(link.port);
        }
        profile.prepare()?;
        let server = match Server::start(config.clone()).await {
            Ok(server) => server,
            Err(StartError::FolderInUse) => return Ok(None),
            Err(StartError::Listen { .. }) if self.link.is_none() => {
                config.listen.set_port(0);
                serve::start(config).await?
            }
            Err(error) => return Err(serve::not_started(&error, &config.folder)),
        };
        if self.link.is_none() {
            let file = link_file(profile);
            replace_private(&file, format!("{}\n", server.link()).as_bytes())
                .map_err(|error| unusable(&file, &error))?;
        }
        Ok(Some(server))
    }
}

impl Arguments {
    fn entry(&self, is_new: bool) -> Outcome<Entry> {
        let name = match &self.username {
            Some(name) => name.clone(),
            None => match account_on_this_machine() {
                Some(name) => name,
                None => ask_name()?,
            },
        };
        if is_new {
            let password = self.password.new_one(&wanted(&name)?)?;
            Ok(Entry::New { name, password })
        } else {
            let password = self.password.existing(&name)?;
            Ok(Entry::Known { name, password })
        }
    }

    /// The password of somebody who is enrolled, if one was given.
    fn given_password(&self) -> Outcome<Option<Secret>> {
        if self.password.is_given() { self.password.existing("").map(Some) } else { Ok(None) }
    }
}

/// Where the machine does not say who sits before it, the person does.
fn ask_name() -> Outcome<String> {
    let nobody = || Failure::usage("no_name", "this machine does not say who you are; give a name with -u");
    if !io::stdin().is_terminal() {
        return Err(nobody());
    }
    eprint!("Your name here: ");
    let mut line = String::new();
    io::stdin().read_line(&mut line).map_err(|_| nobody())?;
    let name = line.trim();
    if name.is_empty() { Err(nobody()) } else { Ok(name.to_owned()) }
}

async fn enter(client: &Client, arguments: &Arguments, entry: Entry, server: String) -> Outcome {
    match entry {
        Entry::Enrolled(password) => {
            let who = match client.call(Command::WhoAmI).await? {
                Reply::WhoAmI(who) => who,
                _ => return Ok(()),
            };
            if let Some(name) = &arguments.username
                && *name != who.name
            {
                let message = format!(
                    "this profile is already that of @{}; name another folder with --home to be somebody else",
                    who.name
                );
                return Err(Failure::usage("already_enrolled", message));
            }
            match password {
                Some(password) => log_in(client, None, who.name, password).await,
                None => Ok(()),
            }
        }
        Entry::New { name, password } => sign_up(client, server, name, password).await,
        Entry::Known { name, password } => {
            let refused = match log_in(client, Some(server.clone()), name.clone(), password.clone()).await {
                Err(failure) if failure.kind == "wrong_credentials" => failure,
                other => return other,
            };
            // Nobody of that name, perhaps. A name that is taken, or a password that would not do, is the answer: refused.
            let may = wanted(&name).and_then(|name| secrets::check(&password.0, &name));
            if may.is_err() {
                return Err(refused);
            }
            match sign_up(client, server, name, password).await {
                Err(failure) if failure.kind == "username_taken" => Err(refused),
                other => other,
            }
        }
    }
}

async fn sign_up(client: &Client, server: String, username: String, password: Secret) -> Outcome {
    let device = machine_name();
    let command =
        Command::SignUp { server, username, password, email: None, invite: None, setup: None, vault: true, device };
    client.call(command).await.map(|_| ())
}

async fn log_in(client: &Client, server: Option<String>, username: String, password: Secret) -> Outcome {
    let device = machine_name();
    client.call(Command::LogIn { server, username, password, device, danger_reset_key: false }).await.map(|_| ())
}

async fn who_am_i(context: &Context) -> Outcome<Option<WhoAmI>> {
    let client = context.open(None).await?;
    let reply = client.call(Command::WhoAmI).await;
    client.close().await;
    match reply {
        Ok(Reply::WhoAmI(who)) => Ok(Some(who)),
        Err(failure) if failure.code != FailureCode::Usage => Err(failure),
        _ => Ok(None),
    }
}

fn link_file(profile: &Profile) -> PathBuf {
    profile.home().join("server.link")
}

/// The link of the profile's own server, if it ever ran.
fn own_link(profile: &Profile) -> Outcome<Option<ServerLink>> {
    let file = link_file(profile);
    match std::fs::read_to_string(&file) {
        Ok(text) => text.parse().map(Some).map_err(|error| {
            Failure::usage("bad_link", format!("{} is damaged: {error}; restore it from a backup", file.display()))
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unusable(&file, &error)),
    }
}

fn unusable(path: &std::path::Path, error: &io::Error) -> Failure {
    Failure::new(FailureCode::Environment, "profile_unavailable", format!("{} cannot be used: {error}", path.display()))
}

fn account_on_this_machine() -> Option<String> {
    ["USER", "LOGNAME", "USERNAME"]
        .into_iter()
        .filter_map(|name| std::env::var(name).ok())
        .map(|name| safe(&name))
        .find(|name| !name.is_empty())
}
