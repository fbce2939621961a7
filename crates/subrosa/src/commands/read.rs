//! `read`, once or until it is ended.

use clap::Args;
use subrosa_client::Client;
use subrosa_client::api::{Command, Event, Failure, Reply, Target};
use subrosa_types::MessageId;

use super::Context;
use crate::feed::{Feed, Item, Start, mark_read};
use crate::news::key_changed;
use crate::output::{Outcome, Output, safe};
use crate::render;
use crate::signals::Signals;

/// `subrosa read`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// One chat only: @name or '#group'
    chat: Option<Target>,
    /// Go on with what comes, until ended
    #[arg(short, long)]
    follow: bool,
    /// All messages, not only unread ones
    #[arg(long)]
    all: bool,
    /// At most so many, the latest ones
    #[arg(long, value_name = "N")]
    limit: Option<u32>,
    /// Only those after this message
    #[arg(long, value_name = "ID")]
    since: Option<String>,
}

/// Prints messages.
pub async fn run(context: &Context, arguments: Arguments) -> Outcome {
    let Arguments { chat, follow, all, limit, since } = arguments;
    let since: Option<MessageId> = since
        .map(|id| {
            id.parse()
                .map_err(|_| Failure::usage("no_such_message", "--since wants the id of a message, as --json shows it"))
        })
        .transpose()?;
    if !follow {
        let read = Command::Read { chat, all, limit, since };
        return context.ask_then(read, async |client, reply| print_once(context.out, client, &reply).await).await;
    }
    let mut signals = Signals::listen()?;
    let client = context.open(None).await?;
    let start = Start { all, limit, since, context: None };
    let followed = print_all(context, &client, chat, start, &mut signals).await;
    client.close().await;
    followed
}

/// Prints, and marks as read only then: what could not be printed comes again.
async fn print_once(out: Output, client: &Client, reply: &Reply) -> Outcome {
    render::reply(out, reply)?;
    match reply {
        Reply::Messages(rows) => {
            mark_read(client, rows.iter().filter(|row| row.unread).map(|row| row.id).collect()).await
        }
        _ => Ok(()),
    }
}

/// What a watcher is told of the connection: that it is gone, why, and that it is back.
#[derive(Debug, Default)]
struct Connection {
    is_gone: bool,
}

impl Connection {
    fn note(&mut self, out: Output, event: &Event) {
        match event {
            Event::Offline { reason } if !std::mem::replace(&mut self.is_gone, true) => {
                out.note(format!("* offline: {}", safe(reason)));
            }
            Event::Online if std::mem::take(&mut self.is_gone) => out.note("* online"),
            Event::Warning { message, .. } => out.note(format!("* {}", safe(message))),
            Event::KeyChanged { name, was_verified } => out.note(format!("* {}", key_changed(name, *was_verified))),
            _ => {}
        }
    }
}

/// Whether there is nothing more to come, ever.
pub fn ended(event: &Event) -> Outcome {
    match event {
        Event::LoggedOut { reason } => {
            Err(Failure::usage("logged_out", format!("this device was logged out: {reason}")))
        }
        _ => Ok(()),
    }
}

/// Prints until a signal comes. It is looked for where nothing is half-done: what was printed is marked as read, and what
/// was not printed is not.
async fn print_all(
    context: &Context,
    client: &Client,
    chat: Option<Target>,
    start: Start,
    signals: &mut Signals,
) -> Outcome {
    let Some(opened) = unless_ended(signals, Feed::open(client, chat, start)).await else { return Ok(()) };
    let (mut feed, mut items) = opened?;
    let mut connection = Connection::default();
    loop {
        for item in items {
            match item {
                Item::Message(row) => render::message(context.out, &row)?,
                Item::Event(event) => {
                    connection.note(context.out, &event);
                    ended(&event)?;
                }
                Item::Elsewhere(_) => {}
            }
        }
        feed.mark().await?;
        let Some(notice) = unless_ended(signals, feed.wait()).await else { return Ok(()) };
        let Some(notice) = notice? else { return Ok(()) };
        match unless_ended(signals, feed.digest(notice)).await {
            Some(came) => items = came?,
            None => return Ok(()),
        }
    }
}

/// What comes of `work`, unless a signal is there before it.
async fn unless_ended<T>(signals: &mut Signals, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        // What has come is shown before a signal is looked at.
        biased;
        done = work => Some(done),
        () = signals.next() => None,
    }
}
