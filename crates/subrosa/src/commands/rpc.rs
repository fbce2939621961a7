//! `rpc`: JSON-RPC on standard input and output, for programs. It ends when its input ends and everything is answered.

use clap::Args;
use std::sync::Arc;
use subrosa_client::api::{Failure, FailureCode};
use subrosa_client::keys::KeyChoice;
use subrosa_client::rpc::{Backend, Door, Lines, OwnServer, Session};
use tokio::io::AsyncWriteExt;
use tokio::sync::{mpsc, watch};

use super::Context;
use crate::home_server::HomeServer;
use crate::output::Outcome;
use crate::secrets;
use crate::signals::Signals;

/// Lines that may wait for the reader.
const LINES: usize = 256;

/// `subrosa rpc`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// On standard input and output; the only way so far, and the default
    #[arg(long)]
    stdio: bool,
    /// Lock the store of a new profile with a passphrase (SUBROSA_PASSPHRASE_FILE)
    #[arg(long)]
    passphrase: bool,
}

/// Serves requests until they end.
pub async fn run(context: &Context, arguments: &Arguments) -> Outcome {
    let mut signals = Signals::listen()?;
    let profile = context.global().profile()?;
    context.close_to_others()?;
    let home = Arc::new(HomeServer::of(profile.clone()));
    let choice = if arguments.passphrase { KeyChoice::Passphrase } else { KeyChoice::Platform };
    let door = Door::new(profile, choice, secrets::passphrase(), Some(home.clone() as Arc<dyn OwnServer>));
    let (lines, waiting) = mpsc::channel(LINES);
    let (requests, asked) = mpsc::channel(1);
    let (leave, leaving) = watch::channel(false);
    let writer = tokio::spawn(write(waiting));
    let reader = tokio::spawn(async move {
        let mut lines = Lines::new(tokio::io::stdin());
        while let Some(line) = lines.next().await.transpose() {
            let last = line.is_err();
            if requests.send(line).await.is_err() || last {
                return;
            }
        }
    });
    let session = Session::new(Backend::Door(door.clone()), lines).answering_all().run(asked, leaving);
    tokio::pin!(session);
    tokio::select! {
        () = &mut session => {}
        () = signals.next() => {
            leave.send_replace(true);
            session.await;
        }
    }
    reader.abort();
    let written = writer.await;
    door.close().await;
    home.stop(context.out).await;
    match written {
        Ok(written) => written,
        Err(_) => Err(Failure::new(FailureCode::Unexpected, "rpc", "the answers could not be written")),
    }
}

async fn write(mut waiting: mpsc::Receiver<String>) -> Outcome {
    let mut out = tokio::io::stdout();
    let failed = |error: std::io::Error| crate::output::unwritten(&error);
    while let Some(mut line) = waiting.recv().await {
        line.push('\n');
        out.write_all(line.as_bytes()).await.map_err(failed)?;
        // What comes next may be long in coming.
        if waiting.is_empty() {
            out.flush().await.map_err(failed)?;
        }
    }
    out.flush().await.map_err(failed)
}
