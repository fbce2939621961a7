//! `relay`: the relay and signalling of direct links, alone.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use subrosa_client::api::{Failure, FailureCode};
use subrosa_server::StartError;
use subrosa_server::relay::{RelayAlone, RelayAloneConfig, RelayError, RelayLimits};
use tokio::sync::mpsc;

use super::Context;
use super::serve::{TERMINATE, chain, next_line, not_started};
use crate::keyboard::{self, Typed};
use crate::output::{Outcome, fields, safe};
use crate::signals::Signals;

/// `subrosa relay`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Address and port for TCP and UDP [default: 127.0.0.1:5536]; port 0 picks a free one
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:5536", hide_default_value = true)]
    listen: SocketAddr,
    /// Folder of the relay's key [default: the platform's data folder]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Let everybody use it; else its link carries a pass
    #[arg(long)]
    open: bool,
    /// Host in the relay's link, if clients reach it by another name than its address
    #[arg(long, value_name = "HOST")]
    public_host: Option<String>,
}

/// Runs a relay until it is told to end.
pub async fn run(context: &Context, arguments: Arguments) -> Outcome {
    let mut signals = Signals::listen()?;
    let Arguments { listen, data, open, public_host } = arguments;
    let is_everywhere = listen.ip().is_unspecified() && public_host.is_none();
    let folder = data.map_or_else(|| default_folder(context), Ok)?;
    let config = RelayAloneConfig { listen, folder: folder.clone(), public_host, open, limits: RelayLimits::default() };
    let relay = RelayAlone::start(config).await.map_err(|error| match error {
        RelayError::Start(StartError::Listen { address, source }) => Failure::new(
            FailureCode::Environment,
            "address_in_use",
            format!(
                "cannot listen on {address}: {source}; choose another one with --listen, or end what listens there"
            ),
        ),
        RelayError::Start(error) => not_started(&error, &folder),
        error @ RelayError::Key { .. } => Failure::new(
            FailureCode::Environment,
            "relay_key",
            format!("{}; restore it, or name another folder with --data", chain(&error)),
        ),
    })?;
    let link = relay.link().to_string();
    context.out.line(format!("relay link: {link}"))?;
    context.out.object(&fields!({"event": "listening", "link": link, "port": relay.addr().port()}))?;
    if is_everywhere {
        eprintln!(
            "on other machines {} in the link stands for this one: put its name or address there, or say --public-host HOST",
            safe(&relay.link().host)
        );
    }
    let reason = wait(context, &mut signals, keyboard::listen()?).await;
    relay.shutdown().await;
    context.out.note(format!("ended: {reason}"));
    Ok(())
}

/// Waits for what ends it. Gives the reason.
async fn wait(context: &Context, signals: &mut Signals, typed: mpsc::Receiver<Typed>) -> &'static str {
    let mut typed = Some(typed);
    loop {
        tokio::select! {
            () = signals.next() => return "the relay was stopped",
            line = next_line(&mut typed) => match line {
                Typed::Line(line) if line.trim() == TERMINATE => return "the relay was ended by its operator",
                Typed::Line(line) if line.trim().is_empty() => {}
                Typed::Line(_) | Typed::Unusable(_) => context.out.note(format!("{TERMINATE} ends the relay")),
            },
        }
    }
}

/// Beside the profile that was named, else in the platform's folder.
fn default_folder(context: &Context) -> Outcome<PathBuf> {
    if let Some(home) = &context.global().home {
        return Ok(home.join("relay"));
    }
    directories::ProjectDirs::from("", "", "subrosa")
        .map(|folders| folders.data_dir().join("relay"))
        .ok_or_else(|| Failure::usage("no_home", "this system names no folder for data; say --data DIR"))
}
