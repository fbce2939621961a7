//! `chat`: the console, line by line, for people and for pipes.

mod console;
mod outbox;
mod words;

use clap::Args;
use subrosa_client::Client;
use subrosa_client::api::Target;

use super::Context;
use crate::keyboard;
use crate::output::Outcome;
use crate::signals::Signals;
use crate::terminal::Editor;

/// `subrosa chat`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The chat to write to and to show: @name or '#group' [default: shows all; choose with /to]
    chat: Option<Target>,
}

/// Opens the profile and chats.
pub async fn run(context: &Context, arguments: Arguments) -> Outcome {
    let mut signals = Signals::listen()?;
    let client = context.open(None).await?;
    let chatted = converse(context, &client, arguments.chat, &mut signals).await;
    client.close().await;
    chatted
}

/// Chats until the person leaves, the input ends, or a signal comes.
pub async fn converse(context: &Context, client: &Client, chat: Option<Target>, signals: &mut Signals) -> Outcome {
    let (typed, editor) = match Editor::open(context.out, words::leaves)? {
        Some((typed, editor)) => (typed, Some(editor)),
        None => (keyboard::listen()?, None),
    };
    console::Console::open(client, context.out, chat, editor).await?.run(typed, signals).await
}
