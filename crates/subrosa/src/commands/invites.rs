//! `accept` and `decline`.

use clap::Args;

/// Which invitation.
#[derive(Debug, Args)]
pub struct Which {
    /// Its id, as `invites` shows it; or @name, or '#group'
    #[arg(value_name = "ID")]
    pub id: String,
}
