//! The walls: which crate may depend on which, what may not be reachable from the crates without sockets, and what no
//! source file may say.
//!
//! The dependency table is `ARCHITECTURE.md`'s, as a constant beside its check. The checks:
//!
//! - [`crates`]: edges between our crates, and socket or runtime crates below the wall, from `cargo metadata`;
//! - [`purity`]: no clock, randomness or socket of their own in the crates that take them as arguments, and of the MLS
//!   crate nothing but the follower in the server, from the tokens of the source;
//! - [`traces`]: no path of somebody's machine and no unfinished mark in any file of the repository;
//! - [`promises`]: the tests that the security pages name exist;
//! - [`links`]: the documents' links lead somewhere.

mod crates;
mod links;
mod promises;
mod purity;
mod traces;
mod tree;

use std::path::Path;

use anyhow::{Result, bail};

/// Checks all walls of the workspace in `root`.
///
/// # Errors
/// One line for each crossing; or when the workspace cannot be read.
pub fn check(root: &Path) -> Result<String> {
    let graph = crates::Graph::of_workspace(root)?;
    let mut crossings = crates::crossings(&graph);
    let files = tree::text_files(root)?;
    crossings.extend(purity::crossings(&files)?);
    crossings.extend(traces::crossings(&files));
    crossings.extend(promises::crossings(&files));
    crossings.extend(links::crossings(&files));
    if !crossings.is_empty() {
        bail!("{} crossed:\n      {}", crossings.len(), crossings.join("\n      "));
    }
    Ok(format!("{} crates and {} files looked at", graph.ours().count(), files.len()))
}
