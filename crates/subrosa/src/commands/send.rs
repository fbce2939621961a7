//! `send`.

use std::io::{Read, stdin};

use clap::{Args, ValueEnum};
use rand_core::{OsRng, RngCore};
use sha2::{Digest, Sha256};
use subrosa_client::api::{Command, Failure, FailureCode, Reply, SendState, SentRow, Target, Via, Wait};
use subrosa_types::{IdempotencyKey, limits};

use super::Context;
use crate::output::Outcome;
use crate::render;

/// `subrosa send`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// @name, or '#group' (quoted, for the shell)
    #[arg(value_name = "TO")]
    to: Target,
    /// The text
    #[arg(conflicts_with = "stdin")]
    text: Option<String>,
    /// Read the text from standard input, up to its end
    #[arg(long)]
    stdin: bool,
    /// A word of your choice: the same word sends the message once, however often it is tried
    #[arg(long, value_name = "KEY")]
    id: Option<String>,
    /// How long to wait
    #[arg(long, value_enum, default_value_t = WaitFor::Accepted)]
    wait: WaitFor,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum WaitFor {
    /// Until the server has it on disk
    Accepted,
    /// Until the other side has it (private chats)
    Delivered,
}

/// Sends a text.
pub async fn run(context: &Context, arguments: Arguments) -> Outcome {
    let Arguments { to, text, stdin, id, wait } = arguments;
    let text = match (text, stdin) {
        (Some(text), _) => text,
        (None, true) => all_of_stdin()?,
        (None, false) => {
            return Err(Failure::usage(
                "no_text",
                "there is nothing to send; give a text, or --stdin to read it from standard input",
            ));
        }
    };
    check_text(&text)?;
    let wait = match wait {
        WaitFor::Accepted => Wait::Accepted,
        WaitFor::Delivered => Wait::Delivered,
    };
    let id = Some(id.map_or_else(fresh_id, |word| id_of(&word)));
    let reply = match (context.ask(Command::Send { to, text, id, wait }).await, id) {
        (Err(failure), Some(id)) if failure.kept => {
            let queued = SentRow { id, state: SendState::Queued, via: Via::Server };
            render::reply(context.out, &Reply::Sent(queued))?;
            return Err(failure);
        }
        (answer, _) => answer?,
    };
    render::reply(context.out, &reply)?;
    match reply {
        Reply::Sent(sent) if sent.state == SendState::Queued => Err(queued(1)),
        _ => Ok(()),
    }
}

/// What is said of messages that the server does not have yet.
pub fn queued(count: usize) -> Failure {
    let what = if count == 1 { "the message is kept" } else { "the messages are kept" };
    Failure::new(
        FailureCode::Environment,
        "queued",
        format!(
            "not sent yet, because the server is not reached; {what} and sent with the next command that reaches it"
        ),
    )
}

/// Whether it can be a message.
pub fn check_text(text: &str) -> Outcome {
    if text.is_empty() {
        return Err(Failure::usage("empty", "there is nothing to send; the text is empty"));
    }
    if text.len() > limits::TEXT {
        return Err(Failure::usage(
            "too_large",
            format!("a message may have {} KiB; send it in parts", limits::TEXT / 1024),
        ));
    }
    Ok(())
}

/// An id for a message that is sent once.
pub fn fresh_id() -> IdempotencyKey {
    let mut bytes = [0; 16];
    OsRng.fill_bytes(&mut bytes);
    IdempotencyKey::from_bytes(bytes)
}

/// The id that a person's word stands for: itself, if it is one, else always the same one.
fn id_of(word: &str) -> IdempotencyKey {
    word.parse().unwrap_or_else(|_| {
        let digest: [u8; 32] = Sha256::new_with_prefix("subrosa send --id\0").chain_update(word).finalize().into();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        IdempotencyKey::from_bytes(bytes)
    })
}

fn all_of_stdin() -> Outcome<String> {
    let mut bytes = Vec::new();
    // One byte more than allowed shows that it is too long without reading all of it.
    let most = limits::TEXT as u64 + 2;
    stdin().lock().take(most).read_to_end(&mut bytes).map_err(|error| {
        Failure::new(FailureCode::Environment, "unreadable", format!("standard input cannot be read: {error}"))
    })?;
    let mut text = String::from_utf8(bytes)
        .map_err(|_| Failure::usage("not_text", "what stands on standard input is no UTF-8 text; nothing was sent"))?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_word_is_the_same_id_and_an_id_is_itself() {
        assert_eq!(id_of("backup of monday"), id_of("backup of monday"));
        assert_ne!(id_of("backup of monday"), id_of("backup of tuesday"));
        let id = IdempotencyKey::from_bytes([7; 16]);
        assert_eq!(id_of(&id.to_string()), id);
        assert_ne!(fresh_id(), fresh_id());
    }

    #[test]
    fn a_text_has_its_limits() {
        assert_eq!(check_text("").unwrap_err().code, FailureCode::Usage);
        check_text(&"x".repeat(limits::TEXT)).unwrap();
        assert_eq!(check_text(&"x".repeat(limits::TEXT + 1)).unwrap_err().code, FailureCode::Usage);
    }
}
