//! `export`: the account's and the device's keys as PEM, which OpenSSL and most other tools read (RFC 7468, RFC 8410).
//!
//! Private keys are asked for by a flag of their own, go into a new file that only its owner reads, and only after the
//! password was checked. That holds off who sits down at an open machine, not who runs programs as its user. They do not
//! pass the profile's socket: this process has to be the one that runs the profile.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use clap::Args;
use subrosa_client::Client;
use subrosa_client::api::{Command, Failure, FailureCode, KeyRow, Reply};
use subrosa_client::profile::write_new_private;
use subrosa_client::rpc::machine_name;
use zeroize::Zeroizing;

use super::Context;
use crate::output::Outcome;
use crate::render;
use crate::secrets::PasswordSource;

/// `subrosa export`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Write to this file, which must not exist yet and only you can read, instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Your private keys, too: whoever has the file is you. Needs --out and your password
    #[arg(long, alias = "private", requires = "out")]
    danger_private: bool,
    #[command(flatten)]
    password: PasswordSource,
}

/// Writes the keys.
pub async fn run(context: &Context, arguments: Arguments) -> Outcome {
    let Arguments { out: file, danger_private, password } = arguments;
    if password.is_given() && !danger_private {
        return Err(Failure::usage("no_private_keys", "public keys need no password; leave it away"));
    }
    // Before anybody is asked for anything; once more, and for good, when the file is made.
    if let Some(file) = &file
        && file.symlink_metadata().is_ok()
    {
        return Err(exists(file));
    }
    let client = context.open(None).await?;
    let rows = async {
        if danger_private {
            check_password(&client, &password).await?;
        }
        keys(&client, danger_private).await
    }
    .await;
    client.close().await;
    let rows = rows?;
    let Some(file) = file else { return rows.iter().try_for_each(|row| render::key(context.out, row, None)) };
    write_new_private(&file, text(&rows).as_bytes()).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => exists(&file),
        _ => {
            let message = format!("{} could not be written: {error}", file.display());
            Failure::new(FailureCode::Environment, "unwritable", message)
        }
    })?;
    let warning = if danger_private { "; whoever reads it is you: keep it as you keep your password" } else { "" };
    context.out.note(format!("the keys are in {}{warning}", file.display()));
    rows.iter().try_for_each(|row| render::key(context.out, row, Some((&file, danger_private))))
}

/// The server checks it, as at each login; the device goes on as it is.
async fn check_password(client: &Client, password: &PasswordSource) -> Outcome {
    if !client.is_engine().await {
        return Err(in_use());
    }
    let Reply::WhoAmI(who) = client.call(Command::WhoAmI).await? else { return Err(unexpected()) };
    let command = Command::LogIn {
        server: None,
        password: password.existing(&who.name)?,
        username: who.name,
        device: machine_name(),
        danger_reset_key: false,
    };
    client.call(command).await.map(|_| ())
}

async fn keys(client: &Client, danger_private: bool) -> Outcome<Vec<KeyRow>> {
    let Reply::Keys(rows) = client.call(Command::ExportKeys { danger_private }).await? else {
        return Err(unexpected());
    };
    // Nothing private comes through the socket.
    if danger_private && rows.iter().any(|row| row.danger_private.is_none()) { Err(in_use()) } else { Ok(rows) }
}

/// What is in the file.
fn text(rows: &[KeyRow]) -> Zeroizing<String> {
    // Room for all of it: a text that moves leaves copies behind.
    let mut text = Zeroizing::new(String::with_capacity(4096));
    for row in rows {
        text.push_str(&render::key_text(row));
        text.push('\n');
        if let Some(private) = &row.danger_private {
            text.push_str(&private.0);
        }
    }
    text
}

fn exists(file: &Path) -> Failure {
    let message = format!("{} exists already and was left as it is; name another file", file.display());
    Failure::usage("file_exists", message)
}

fn in_use() -> Failure {
    Failure::usage(
        "profile_in_use",
        "another subrosa runs this profile, and private keys do not leave its process; end it (EXIT in its console), then \
         try again",
    )
}

fn unexpected() -> Failure {
    Failure::new(
        FailureCode::Unexpected,
        "reply",
        "the engine gave another answer than was asked for; nothing was written",
    )
}
