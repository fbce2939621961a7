//! `web`: the page, served to this machine only, and opened in the person's browser.
//!
//! The link has a token in it, and arguments of programs can be read by other users of a machine; so the browser is given a
//! file that only the person can read, which leads to the link. It is removed when the page's server ends.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use subrosa_client::api::{Failure, FailureCode};
use subrosa_client::keys::KeyChoice;
use subrosa_client::profile::{Profile, replace_private};
use subrosa_client::rpc::{Door, OwnServer};
use subrosa_web::PageServer;

use super::Context;
use crate::home_server::HomeServer;
use crate::output::{Outcome, fields, safe};
use crate::secrets;
use crate::signals::Signals;

/// The port that is taken when it is free, so that a link that was kept leads somewhere.
const PORT: u16 = 5536;

/// `subrosa web`.
#[derive(Debug, Default, Args)]
pub struct Arguments {
    /// Port on 127.0.0.1 (0: a free one) [default: 5536, or a free one]
    #[arg(long)]
    port: Option<u16>,
    /// Only print the link
    #[arg(long)]
    no_open: bool,
    /// Lock the store of a new profile with a passphrase that is asked for each time (or SUBROSA_PASSPHRASE_FILE)
    #[arg(long)]
    passphrase: bool,
}

/// Serves the page until it is ended.
pub async fn run(context: &Context, arguments: Arguments) -> Outcome {
    let mut signals = Signals::listen()?;
    let choice = if arguments.passphrase { KeyChoice::Passphrase } else { KeyChoice::Platform };
    let home = Arc::new(HomeServer::of(context.global().profile()?));
    context.close_to_others()?;
    let served = match home.start_if_at_home(context).await {
        Ok(()) => serve(context, choice, Some(home.clone()), &arguments, &mut signals).await,
        Err(failure) => Err(failure),
    };
    home.stop(context.out).await;
    served
}

/// Serves the page of the profile until a signal comes.
pub async fn serve(
    context: &Context,
    choice: KeyChoice,
    home: Option<Arc<HomeServer>>,
    arguments: &Arguments,
    signals: &mut Signals,
) -> Outcome {
    let profile = context.global().profile()?;
    let server = home.map(|home| home as Arc<dyn OwnServer>);
    let door = Door::new(profile.clone(), choice, secrets::passphrase(), server);
    // What has to be asked at the terminal is asked now, and not in the middle of the first click.
    if profile.exists()? {
        door.client().await?;
    }
    let page = start(door.clone(), arguments.port).await?;
    let link = page.danger_link();
    let opened = tell(context, &profile, &link, arguments.no_open);
    if opened.is_ok() {
        signals.next().await;
    }
    if let Ok(Some(file)) = &opened {
        // It leads nowhere any more in any case.
        let _gone = std::fs::remove_file(file);
    }
    page.close().await;
    door.close().await;
    opened.map(|_| ())
}

async fn start(door: Door, port: Option<u16>) -> Outcome<PageServer> {
    let failed = |error: subrosa_web::ServeError| {
        Failure::new(FailureCode::Environment, "address_in_use", format!("{error}; name another one with --port"))
    };
    match port {
        Some(port) => PageServer::start(door, port).await.map_err(failed),
        None => match PageServer::start(door.clone(), PORT).await {
            Ok(page) => Ok(page),
            Err(_taken) => PageServer::start(door, 0).await.map_err(failed),
        },
    }
}

/// Prints the link, and opens it; returns the file that was made for that.
fn tell(context: &Context, profile: &Profile, link: &str, no_open: bool) -> Outcome<Option<PathBuf>> {
    context.out.line(format!("page: {link}"))?;
    context.out.object(&fields!({"event": "serving", "url": link}))?;
    context.out.note("the link is a key to this profile, for this machine: give it to nobody; Ctrl-C ends the page");
    // A program that reads objects, or a machine without a screen, opens it by itself.
    if no_open || context.out.is_json() || !std::io::stderr().is_terminal() {
        return Ok(None);
    }
    profile.prepare()?;
    let file = profile.home().join("page.html");
    let lead = format!(
        "<!doctype html><meta charset=\"utf-8\"><meta name=\"referrer\" content=\"no-referrer\">\
         <meta http-equiv=\"refresh\" content=\"0;url={link}\"><title>Subrosa</title>"
    );
    let written = replace_private(&file, lead.as_bytes()).and_then(|()| open::that_detached(&file));
    if let Err(error) = written {
        context.out.note(format!("no browser could be opened ({}); open the link yourself", safe(&error.to_string())));
    }
    Ok(Some(file))
}
