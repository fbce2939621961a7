//! Secrets come from a prompt, the first line of standard input, or a file; never from an argument. In a pipe nothing is
//! asked: a secret that is missing is an error that names the flag.

use std::io::{BufRead, IsTerminal, stdin};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use clap::Args;
use subrosa_client::api::{Failure, FailureCode, Secret};
use subrosa_client::keys::{AskPassphrase, Asking};
use subrosa_crypto::{Password, PasswordRefusal};
use subrosa_types::Username;
use zeroize::Zeroizing;

use crate::output::Outcome;
use crate::terminal;

/// Longest secret that is read, in bytes.
const LONGEST: u64 = 4096;
/// Names the file that has the passphrase of a profile.
const PASSPHRASE_FILE: &str = "SUBROSA_PASSPHRASE_FILE";

/// The most common passwords of published leaks that are long enough, and the words behind the others.
const COMMON: &str = include_str!("common-passwords.txt");

/// Where a password comes from.
#[derive(Debug, Clone, Default, Args)]
pub struct PasswordSource {
    /// Read the password from the first line of standard input
    #[arg(long)]
    pub password_stdin: bool,
    /// Read the password from the first line of a file
    #[arg(long, value_name = "FILE", conflicts_with = "password_stdin")]
    pub password_file: Option<PathBuf>,
}

impl PasswordSource {
    /// Whether one was named.
    pub const fn is_given(&self) -> bool {
        self.password_stdin || self.password_file.is_some()
    }

    fn read(&self) -> Outcome<Option<Zeroizing<String>>> {
        match &self.password_file {
            Some(file) => first_line_of(file).map(Some),
            None if self.password_stdin => {
                first_line(stdin().lock()).map(Some).map_err(|error| unreadable("standard input", &error))
            }
            None => Ok(None),
        }
    }

    /// The password of an account that exists.
    pub fn existing(&self, name: &str) -> Outcome<Secret> {
        match self.read()? {
            Some(password) => Ok(secret(&password)),
            None => prompt(&format!("Password of {}: ", crate::output::safe(name))).map(|password| secret(&password)),
        }
    }

    /// A password for a new account: strong enough, and typed twice at a prompt.
    pub fn new_one(&self, name: &Username) -> Outcome<Secret> {
        if let Some(password) = self.read()? {
            check(&password, name)?;
            return Ok(secret(&password));
        }
        let password = prompt(&format!("New password for {name} (four random words are a good one): "))?;
        check(&password, name)?;
        confirm(&password, "Again, to be sure: ")?;
        Ok(secret(&password))
    }
}

fn secret(text: &Zeroizing<String>) -> Secret {
    Secret(text.as_str().to_owned())
}

/// Whether the password may protect a new account.
pub fn check(password: &str, name: &Username) -> Outcome {
    Password::prepare(password)
        .and_then(|password| password.check_strength(name))
        .map_err(|refusal: PasswordRefusal| Failure::usage("weak_password", refusal.to_string()))?;
    if is_common(password) {
        return Err(Failure::usage("weak_password", PasswordRefusal::TooEasy.to_string()));
    }
    Ok(())
}

/// Whether it is among those that are tried first, plain or with a number or sign behind it.
fn is_common(password: &str) -> bool {
    let lower = password.to_lowercase();
    let stem = lower.trim_end_matches(|c: char| c.is_ascii_digit() || c.is_ascii_punctuation());
    COMMON.lines().any(|common| common == lower || (!stem.is_empty() && common == stem))
}

/// Asks for the same once more.
pub fn confirm(password: &str, question: &str) -> Outcome {
    if *prompt(question)? == password {
        Ok(())
    } else {
        Err(Failure::usage("passwords_differ", "the two are not the same, so nothing was done; try again"))
    }
}

/// Whether somebody is there to answer.
pub fn is_attended() -> bool {
    stdin().is_terminal()
}

fn prompt(question: &str) -> Outcome<Zeroizing<String>> {
    if !is_attended() {
        return Err(Failure::usage(
            "no_password",
            "there is nobody to ask for the password; give it with --password-stdin or --password-file",
        ));
    }
    terminal::ask_hidden(question)
        .map_err(|error| unreadable("the terminal", &error))?
        .ok_or_else(|| Failure::usage("given_up", "nothing was typed, so nothing was done"))
}

/// Where the passphrase of a profile comes from. It is asked for once.
pub fn passphrase() -> AskPassphrase {
    let known: Mutex<Option<Zeroizing<String>>> = Mutex::new(None);
    Arc::new(move |asking| {
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(phrase) = &*known {
            return Ok(phrase.clone());
        }
        let phrase = ask_passphrase(asking)?;
        *known = Some(phrase.clone());
        Ok(phrase)
    })
}

fn ask_passphrase(asking: Asking) -> Outcome<Zeroizing<String>> {
    if let Some(file) = std::env::var_os(PASSPHRASE_FILE) {
        let phrase = first_line_of(Path::new(&file))?;
        return if phrase.is_empty() {
            Err(Failure::usage("no_passphrase", format!("the file that {PASSPHRASE_FILE} names is empty")))
        } else {
            Ok(phrase)
        };
    }
    if !is_attended() {
        let message = format!("this profile is locked with a passphrase; set {PASSPHRASE_FILE} to a file that has it");
        return Err(Failure::usage("no_passphrase", message));
    }
    let phrase = prompt("Passphrase of this profile: ")?;
    if phrase.is_empty() {
        return Err(Failure::usage("no_passphrase", "the passphrase is empty; type one"));
    }
    if asking == Asking::ForNew {
        if phrase.chars().count() < 8 {
            return Err(Failure::usage(
                "weak_passphrase",
                "the passphrase is too short; four random words are a good one",
            ));
        }
        confirm(&phrase, "Again, to be sure: ")?;
    }
    Ok(phrase)
}

fn first_line_of(path: &Path) -> Outcome<Zeroizing<String>> {
    std::fs::File::open(path)
        .map(std::io::BufReader::new)
        .and_then(first_line)
        .map_err(|error| unreadable(&path.display().to_string(), &error))
}

fn first_line(reader: impl BufRead) -> std::io::Result<Zeroizing<String>> {
    let mut line = Zeroizing::new(String::with_capacity(256));
    reader.take(LONGEST).read_line(&mut line)?;
    let length = line.trim_end_matches(['\r', '\n']).len();
    line.truncate(length);
    Ok(line)
}

fn unreadable(what: &str, error: &std::io::Error) -> Failure {
    Failure::new(FailureCode::Environment, "unreadable", format!("{what} cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_the_first_line_without_its_end() {
        for (input, expected) in [("a b\nc", "a b"), ("x\r\n", "x"), ("", ""), (" y ", " y ")] {
            assert_eq!(*first_line(input.as_bytes()).unwrap(), expected);
        }
        let endless = vec![b'x'; 1 << 20];
        assert_eq!(first_line(&endless[..]).unwrap().len() as u64, LONGEST);
    }

    #[test]
    fn a_password_for_a_new_account_is_not_short_common_or_the_name() {
        let name: Username = "alice-liddell".parse().unwrap();
        for weak in ["short", "password", "Password123!", "alice-liddell", "12345678", "qwertyuiop"] {
            assert_eq!(check(weak, &name).unwrap_err().code, FailureCode::Usage, "{weak}");
        }
        check("nine slow ferries", &name).unwrap();
    }
}
