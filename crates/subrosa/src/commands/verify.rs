//! `verify`.

use clap::Args;
use subrosa_client::api::Command;

use super::Context;
use crate::names::Person;
use crate::output::Outcome;

/// `subrosa verify`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// With whom
    name: Person,
    /// Mark it as compared (and accept a changed key)
    #[arg(long)]
    confirm: bool,
}

/// Shows the safety number.
pub async fn run(context: &Context, arguments: Arguments) -> Outcome {
    let Arguments { name: Person(name), confirm } = arguments;
    context.show(Command::Verify { name, confirm }).await
}
