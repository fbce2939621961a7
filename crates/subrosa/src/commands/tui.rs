//! `tui`: the full-screen client. Also what `up` opens at a terminal.

use std::sync::Arc;

use clap::Args;
use subrosa_client::api::{Failure, FailureCode};
use subrosa_client::keys::{Asking, KeyChoice};
use subrosa_client::profile::{KeySource, Lock, Manifest};
use subrosa_client::rpc::machine_name;
use subrosa_tui::{Host, Later};
use subrosa_types::Username;

use super::Context;
use crate::home_server::HomeServer;
use crate::output::Outcome;
use crate::secrets;

/// `subrosa tui`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Lock the store of a new profile with a passphrase that is asked for each time (or SUBROSA_PASSPHRASE_FILE)
    #[arg(long)]
    passphrase: bool,
}

/// Opens it, with the profile's own server if the account is there.
pub async fn run(context: &Context, arguments: Arguments) -> Outcome {
    if context.out.is_json() || !subrosa_tui::is_possible() {
        let message = "this needs a terminal; for programs there are 'subrosa rpc' and 'subrosa chat'";
        return Err(Failure::new(FailureCode::Usage, "no_terminal", message));
    }
    let choice = if arguments.passphrase { KeyChoice::Passphrase } else { KeyChoice::Platform };
    let home = Arc::new(HomeServer::of(context.global().profile()?));
    let ran = open(context, choice, home.clone(), false).await;
    home.stop(context.out).await;
    ran
}

/// Runs until the person leaves. Whoever has no account is led to a server on this machine, if so wanted.
pub async fn open(context: &Context, create: KeyChoice, home: Arc<HomeServer>, prefer_own_server: bool) -> Outcome {
    context.close_to_others()?;
    let profile = context.global().profile()?;
    let ask = secrets::passphrase();
    // What has to be asked at the terminal is asked before the screen is full.
    let asking = match Manifest::load(&profile)? {
        // Where another process has the profile open, nobody has to open it.
        Some(Manifest { store_key: KeySource::Passphrase { .. }, .. }) if Lock::take(&profile).is_ok() => {
            Some(Asking::ToOpen)
        }
        None if matches!(create, KeyChoice::Passphrase) => Some(Asking::ForNew),
        _ => None,
    };
    if let Some(asking) = asking {
        ask(asking)?;
    }
    let host = Arc::new(Surroundings { home });
    subrosa_tui::run(subrosa_tui::Options { profile, create, ask, host, prefer_own_server }).await
}

/// What this program does for the client.
struct Surroundings {
    home: Arc<HomeServer>,
}

impl Host for Surroundings {
    fn can_start_server(&self) -> bool {
        true
    }

    fn start_server(&self) -> Later<String> {
        let home = self.home.clone();
        Box::pin(async move {
            home.start_here().await?;
            own_link(&home)?.ok_or_else(|| Failure::usage("no_server", "the server has no link yet; try again"))
        })
    }

    fn resume(&self, server: String) -> Later<Option<String>> {
        let home = self.home.clone();
        Box::pin(async move {
            let link = own_link(&home)?.filter(|link| *link == server);
            if link.is_some() {
                home.start_here().await?;
            }
            Ok(link)
        })
    }

    fn check_password(&self, password: &str, name: &Username) -> Result<(), Failure> {
        secrets::check(password, name)
    }

    fn device_name(&self) -> String {
        machine_name()
    }
}

fn own_link(home: &HomeServer) -> Outcome<Option<String>> {
    Ok(home.link()?.map(|link| link.to_string()))
}
