//! `up`: the main job in one step.
//!
//! 1. A profile that is enrolled at somebody else's server uses that one. Every other profile has a server of its own, in
//!    its folder: it is started, on the port that it had before, or on 5535, or on a free one.
//! 2. Who has no account there signs up, or logs in if the server knows the name.
//! 3. The link for others is shown, and the chat opens: at a terminal the full-screen client, which asks for what is missing
//!    itself, and else the console. With the chat the server ends.

use std::io::{self, IsTerminal as _};
use std::sync::Arc;

use clap::Args;
use subrosa_client::Client;
use subrosa_client::api::{Command, Failure, FailureCode, Reply, Secret, WhoAmI};
use subrosa_client::keys::KeyChoice;
use subrosa_client::profile::Profile;
use subrosa_client::rpc::machine_name;

use super::{Context, chat, tui, web};
use crate::home_server::HomeServer;
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
    /// Open the page in the browser instead of the terminal
    #[arg(long)]
    web: bool,
    /// Lock the store on this device with a passphrase that is asked for each time (or SUBROSA_PASSPHRASE_FILE)
    #[arg(long)]
    passphrase: bool,
}

/// Starts chatting.
pub async fn run(context: &Context, arguments: Arguments) -> Outcome {
    let mut signals = Signals::listen()?;
    let profile = context.global().profile()?;
    let home = Arc::new(HomeServer::of(profile.clone()));
    let choice = if arguments.passphrase { KeyChoice::Passphrase } else { KeyChoice::Platform };
    let full_screen = !arguments.web && !context.out.is_json() && subrosa_tui::is_possible();
    if full_screen && arguments.username.is_none() && !arguments.password.is_given() {
        drop(signals);
        let ran = tui::open(context, choice, home.clone(), true).await;
        home.stop(context.out).await;
        return ran;
    }
    let place = Place::find(context, &profile, &home).await?;
    // Everything is asked before anything is started: whoever gives up here leaves nothing behind.
    let entry = match &place {
        Place::Enrolled | Place::Own { is_enrolled: true, .. } => Entry::Enrolled(arguments.given_password()?),
        Place::Own { is_new, .. } => arguments.entry(*is_new)?,
    };
    if matches!(place, Place::Own { .. }) {
        home.start_here().await?;
    }
    let create = match &entry {
        Entry::Enrolled(_) => None,
        _ => Some(choice),
    };
    let outcome = match context.open(create).await {
        Ok(client) => {
            let entered = enter_home(context, &arguments, &client, entry, &home).await;
            let chatted = match entered {
                Ok(()) if arguments.web => {
                    // The page's server opens the profile by itself.
                    client.close().await;
                    web::serve(context, choice, Some(home.clone()), &web::Arguments::default(), &mut signals).await
                }
                Ok(()) if full_screen => {
                    client.close().await;
                    tui::open(context, choice, home.clone(), false).await
                }
                Ok(()) => chat::converse(context, &client, None, &mut signals).await,
                Err(failure) => Err(failure),
            };
            client.close().await;
            chatted
        }
        Err(failure) => Err(failure),
    };
    home.stop(context.out).await;
    outcome
}

async fn enter_home(
    context: &Context,
    arguments: &Arguments,
    client: &Client,
    entry: Entry,
    home: &HomeServer,
) -> Outcome {
    let link = home.link()?.map(|link| link.to_string()).unwrap_or_default();
    enter(client, arguments, entry, link).await?;
    home.announce(context.out).await
}

/// Where the account is, or will be.
enum Place {
    /// At somebody else's server.
    Enrolled,
    /// At a server in the profile's folder.
    Own {
        /// It has no database yet.
        is_new: bool,
        /// The profile has an account there.
        is_enrolled: bool,
    },
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
    async fn find(context: &Context, profile: &Profile, home: &HomeServer) -> Outcome<Self> {
        let link = home.link()?;
        let who = if profile.exists()? { who_am_i(context).await? } else { None };
        if let Some(who) = &who
            && link.as_ref().is_none_or(|link| link.to_string() != who.server)
        {
            return Ok(Self::Enrolled);
        }
        Ok(Self::Own { is_new: home.is_new()?, is_enrolled: who.is_some() })
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

fn account_on_this_machine() -> Option<String> {
    ["USER", "LOGNAME", "USERNAME"]
        .into_iter()
        .filter_map(|name| std::env::var(name).ok())
        .map(|name| safe(&name))
        .find(|name| !name.is_empty())
}
