//! `devices`.

use clap::{Args, Subcommand};
use subrosa_client::api::{Command as Request, Failure};

use super::Context;
use crate::output::Outcome;

/// `subrosa devices`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// End a device: it leaves your account and all chats
    Revoke {
        /// Its id, as `devices` shows it
        id: String,
    },
}

/// Lists or ends devices.
pub async fn run(context: &Context, arguments: Arguments) -> Outcome {
    match arguments.command {
        None => context.show(Request::Devices).await,
        Some(Command::Revoke { id }) => {
            let device = id.parse().map_err(|_| {
                Failure::usage("no_such_device", "this is no id of a device; `subrosa devices` shows them")
            })?;
            context.show(Request::RevokeDevice { device }).await
        }
    }
}
