//! A direct chat's task: it makes its end, says what it is told to say, and tells what happens.

use std::path::PathBuf;

use subrosa_client::api::Failure;
use subrosa_client::direct::{Allowed, Direct, DirectOptions, Notice, Transport, Wish, prepare};
use subrosa_wire::Encryption;
use tokio::sync::mpsc;

use crate::state::effect::{DirectBeginning, DirectInput, Input};
use crate::state::entry::Key;

/// Runs until the chat is over, or nobody wishes any more. Files go to `folder`.
pub async fn run(
    key: Key,
    beginning: DirectBeginning,
    folder: PathBuf,
    mut wishes: mpsc::Receiver<Wish>,
    tell: mpsc::Sender<Input>,
) {
    let tell = |input| {
        let tell = tell.clone();
        async move { tell.send(Input::Direct(key, input)).await.is_ok() }
    };
    let prepared = match options(beginning) {
        Ok(options) => prepare(options, Allowed::default()).await,
        Err(failure) => Err(failure),
    };
    let prepared = match prepared {
        Ok(prepared) => prepared,
        Err(failure) => {
            tell(DirectInput::Notice(Box::new(Notice::Ended(Some(failure))))).await;
            return;
        }
    };
    if let Some(ticket) = &prepared.ticket {
        tell(DirectInput::Ticket(ticket.clone())).await;
    }
    for note in &prepared.notes {
        tell(DirectInput::Note(note.clone())).await;
    }
    let (chat, mut notices) = Direct::begin(prepared, folder);
    let mut chat = Some(chat);
    loop {
        tokio::select! {
            notice = notices.next() => match notice {
                Some(notice) => {
                    if !tell(DirectInput::Notice(Box::new(notice))).await {
                        return;
                    }
                }
                None => return,
            },
            wish = wishes.recv(), if chat.is_some() => match (wish, &chat) {
                // When it is over, the notices say so.
                (Some(wish), Some(open)) => drop(open.wish(wish).await),
                // Leaving; what was said is delivered before the end.
                _ => chat = None,
            },
        }
    }
}

fn options(beginning: DirectBeginning) -> Result<DirectOptions, Failure> {
    match beginning {
        DirectBeginning::Listen { tcp, rsa, relay } => {
            let relay = match relay.trim() {
                "" => None,
                relay => Some(relay.parse().map_err(|why| Failure::usage("relay", format!("{why}")))?),
            };
            Ok(DirectOptions::Listen {
                transport: if tcp { Transport::Tcp } else { Transport::Quic },
                encryption: if rsa { Encryption::Rsa } else { Encryption::Mls },
                relay,
                listen: None,
                ticket_only: false,
            })
        }
        DirectBeginning::Dial(ticket) => {
            Ok(DirectOptions::Dial { to: ticket.trim().to_owned(), transport: None, encryption: None })
        }
    }
}
