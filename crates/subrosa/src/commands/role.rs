//! `role`.

use clap::Subcommand;
use subrosa_client::api::Command as Request;
use subrosa_types::Role;

use super::Context;
use crate::names::Person;
use crate::output::Outcome;

/// `subrosa role`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show who has which role
    List,
    /// Change somebody's role
    #[command(
        after_help = "The roles are super-admin, admin, advanced and beginner. super-admin is offered, and changes hands when the other side accepts."
    )]
    Set {
        /// Whose
        name: Person,
        /// super-admin, admin, advanced or beginner
        role: Role,
    },
    /// Show every change of a role (for admins)
    Log,
}

/// Does what was asked.
pub async fn run(context: &Context, command: Command) -> Outcome {
    context
        .show(match command {
            Command::List => Request::RoleList,
            Command::Set { name: Person(name), role } => Request::RoleSet { name, role },
            Command::Log => Request::RoleLog,
        })
        .await
}
