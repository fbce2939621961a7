//! `group`.

use clap::Subcommand;
use subrosa_client::api::{Command as Request, Target};
use subrosa_types::GroupTitle;

use super::Context;
use crate::names::{Person, usernames};
use crate::output::Outcome;

/// `subrosa group`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a group and invite people to it
    Create {
        /// Its name, without '#'
        name: GroupTitle,
        /// Whom to invite
        members: Vec<Person>,
    },
    /// Add people
    Add {
        /// '#group'
        group: Target,
        /// Whom
        #[arg(required = true)]
        members: Vec<Person>,
    },
    /// Remove people
    Remove {
        /// '#group'
        group: Target,
        /// Whom
        #[arg(required = true)]
        members: Vec<Person>,
    },
    /// Show who is in it
    Members {
        /// '#group'
        group: Target,
    },
    /// Leave it
    Leave {
        /// '#group'
        group: Target,
    },
    /// Give it another name
    Rename {
        /// '#group'
        group: Target,
        /// The new name, without '#'
        name: GroupTitle,
    },
}

impl From<Command> for Request {
    fn from(command: Command) -> Self {
        match command {
            Command::Create { name, members } => Self::GroupCreate { title: name, members: usernames(members) },
            Command::Add { group, members } => Self::GroupAdd { group, members: usernames(members) },
            Command::Remove { group, members } => Self::GroupRemove { group, members: usernames(members) },
            Command::Members { group } => Self::GroupMembers { group },
            Command::Leave { group } => Self::GroupLeave { group },
            Command::Rename { group, name } => Self::GroupRename { group, title: name },
        }
    }
}

/// Does what was asked.
pub async fn run(context: &Context, command: Command) -> Outcome {
    context.show(command.into()).await
}
