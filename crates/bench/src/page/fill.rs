//! A chat of many messages, without sending them: what was really sent is written again and again into the profile's
//! store, with other ids and places in the log, as the engine writes what it takes in.
//!
//! Nobody uses the profile meanwhile. Everything in it stays as the program made it but for the messages of this one chat,
//! which behave in every way as if they had come.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use subrosa_client::keys::{self, AskPassphrase};
use subrosa_client::profile::{Lock, Manifest, Profile};
use subrosa_client::store;
use subrosa_engine::api::Failure;
use subrosa_engine::store::messages::{self, Selection, StoredMessage};
use subrosa_engine::store::{conversations, profile};
use subrosa_types::{MessageId, Sequence};

/// Between two messages, in milliseconds: a busy chat over years.
const PAUSE: i64 = 10 * 60 * 1000;

/// Writes until the chat with the most messages has `count`. Says how many were there to copy.
///
/// # Errors
/// When the profile is in use, or its store cannot be written.
pub fn fill(home: &Path, count: u64) -> Result<usize> {
    let folder = Profile::at(home);
    let _lock = Lock::take(&folder)?;
    let manifest = Manifest::load(&folder)?.context("there is no profile")?;
    let nobody: AskPassphrase = Arc::new(|_| Err(Failure::usage("no_passphrase", "the profile has a passphrase")));
    let mut connection = store::open(&folder, &keys::obtain(&folder, &manifest.store_key, &nobody)?)?;
    let transaction = connection.transaction()?;
    let chats = conversations::all(&transaction)?;
    let of = |conversation| Selection { conversations: vec![conversation], all: true, ..Selection::default() };
    let mut samples: Vec<StoredMessage> = Vec::new();
    for chat in chats {
        let here = messages::select(&transaction, &of(chat.id))?;
        if here.len() > samples.len() {
            samples = here;
        }
    }
    ensure!(!samples.is_empty(), "there is no message to copy");
    ensure!(profile::load(&transaction)?.is_some(), "the profile is not enrolled");
    let last = samples.iter().filter_map(|message| message.sequence).max().context("nothing was accepted yet")?;
    let missing = count.saturating_sub(samples.len() as u64);
    for number in 0..missing {
        let sample = &samples[usize::try_from(number)? % samples.len()];
        let ago = i64::try_from(missing - number)? * PAUSE;
        let copy = StoredMessage {
            id: MessageId::from_bytes((u128::from(number) << 64 | u128::from(last.0)).to_be_bytes()),
            sequence: Some(Sequence(last.0 + 1 + number)),
            sent_at: subrosa_types::Timestamp(sample.sent_at.0 - ago),
            received_at: subrosa_types::Timestamp(sample.received_at.0 - ago),
            unread: false,
            ..sample.clone()
        };
        ensure!(messages::insert(&transaction, &copy)?, "a message of this id is there already");
    }
    transaction.commit()?;
    Ok(samples.len())
}
