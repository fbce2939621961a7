//! `signup`, `login`, `logout`.

use clap::Args;
use subrosa_client::api::{Command, Failure, FailureCode, Reply};
use subrosa_client::keys::KeyChoice;
use subrosa_client::rpc::machine_name;
use subrosa_client::{Client, Opening};
use subrosa_wire::ServerLink;

use super::Context;
use crate::names::wanted;
use crate::output::Outcome;
use crate::render;
use crate::secrets::{self, PasswordSource};

/// `subrosa signup`.
#[derive(Debug, Args)]
pub struct SignUp {
    /// The server's link, subrosa://HOST:PORT/FINGERPRINT
    #[arg(short, long, value_name = "LINK")]
    server: String,
    /// The name you want
    #[arg(short, long, value_name = "NAME")]
    username: String,
    /// Your email address; no other user ever sees it
    #[arg(long)]
    email: Option<String>,
    /// Invitation, where the server wants one
    #[arg(long, value_name = "CODE")]
    invite: Option<String>,
    /// Setup code, which the server printed for its first account
    #[arg(long, value_name = "CODE")]
    setup: Option<String>,
    #[command(flatten)]
    password: PasswordSource,
    #[command(flatten)]
    device: Device,
    /// Keep the account's key on this device only: no further devices, no way back if it is lost
    #[arg(long)]
    no_vault: bool,
}

/// `subrosa login`.
#[derive(Debug, Args)]
pub struct LogIn {
    /// The server's link; not needed where this profile is logged in already
    #[arg(short, long, value_name = "LINK")]
    server: Option<String>,
    /// Your name
    #[arg(short, long, value_name = "NAME")]
    username: String,
    #[command(flatten)]
    password: PasswordSource,
    #[command(flatten)]
    device: Device,
    /// Start over with a new account key, if the old one is lost: ends all other devices, and your contacts are warned
    #[arg(long)]
    danger_reset_key: bool,
}

/// What belongs to this device.
#[derive(Debug, Args)]
struct Device {
    /// Name of this device in your list of devices [default: the name of this machine]
    #[arg(long = "device", value_name = "NAME")]
    name: Option<String>,
    /// Lock the store on this device with a passphrase that is asked for each time (or SUBROSA_PASSPHRASE_FILE)
    #[arg(long)]
    passphrase: bool,
}

impl Device {
    const fn key_choice(&self) -> KeyChoice {
        if self.passphrase { KeyChoice::Passphrase } else { KeyChoice::Platform }
    }
}

/// Makes an account.
pub async fn sign_up(context: &Context, arguments: SignUp) -> Outcome {
    let SignUp { server, username, email, invite, setup, password, device, no_vault } = arguments;
    check_link(&server)?;
    let name = wanted(&username)?;
    not_another_account(context, &username).await?;
    let password = password.new_one(&name)?;
    let command = Command::SignUp {
        server,
        username,
        password,
        email,
        invite,
        setup,
        vault: !no_vault,
        device: device.name.clone().unwrap_or_else(machine_name),
    };
    enter(context, device.key_choice(), command).await
}

/// Enrols this profile, or checks the password where it is enrolled.
pub async fn log_in(context: &Context, arguments: LogIn) -> Outcome {
    let LogIn { server, username, password, device, danger_reset_key } = arguments;
    server.as_deref().map_or(Ok(()), check_link)?;
    if server.is_none() && !context.global().profile()?.exists()? {
        return Err(Failure::usage("no_server", "this profile knows no server yet; give its link with -s"));
    }
    let command = Command::LogIn {
        server,
        password: password.existing(&username)?,
        username,
        device: device.name.clone().unwrap_or_else(machine_name),
        danger_reset_key,
    };
    enter(context, device.key_choice(), command).await
}

/// Ends this device.
pub async fn log_out(context: &Context) -> Outcome {
    let reply = context.ask(Command::LogOut).await?;
    context.out.note("this device is logged out");
    render::reply(context.out, &reply)
}

async fn enter(context: &Context, choice: KeyChoice, command: Command) -> Outcome {
    let client = context.open(Some(choice)).await?;
    let reply = client.call(command).await;
    client.close().await;
    render::reply(context.out, &reply?)
}

/// A second account in a profile is refused before a password is asked for.
async fn not_another_account(context: &Context, wanted: &str) -> Outcome {
    let profile = context.global().profile()?;
    if !profile.exists()? {
        return Ok(());
    }
    let client = Client::open(Opening { profile, create: None, ask: secrets::passphrase() }).await?;
    let reply = client.call(Command::WhoAmI).await;
    client.close().await;
    match reply {
        Ok(Reply::WhoAmI(who)) => {
            let message = format!(
                "this profile is already that of @{}; to sign up as @{wanted}, name another folder with --home",
                who.name
            );
            Err(Failure::usage("already_enrolled", message))
        }
        Ok(_) => Ok(()),
        Err(failure) if failure.code == FailureCode::Usage => Ok(()),
        Err(failure) => Err(failure),
    }
}

/// Refuses a damaged link with what is wrong with it, before anything else is asked.
pub fn check_link(link: &str) -> Outcome {
    link.parse::<ServerLink>()
        .map(|_| ())
        .map_err(|error| Failure::usage("bad_link", format!("{error} (it looks like subrosa://HOST:PORT/FINGERPRINT)")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_link_is_refused_with_the_reason() {
        for (link, reason) in [
            ("127.0.0.1:5535", "starts with subrosa://"),
            ("subrosa://127.0.0.1:5535", "fingerprint"),
            ("subrosa://127.0.0.1/abc", "port"),
        ] {
            let failure = check_link(link).unwrap_err();
            assert_eq!(failure.code, FailureCode::Usage);
            assert!(failure.message.contains(reason), "{link}: {failure}");
        }
    }
}
