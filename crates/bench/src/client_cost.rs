//! What a message costs the client's own processor and disk: encrypt and decrypt in a chat of two, with the group's state
//! in an encrypted file.
//!
//! Each message is one transaction, as in the engine: the ratchet and the text advance together, and the disk has both
//! before anybody is told.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rand_core::OsRng;
use rusqlite::Connection;
use subrosa_crypto::{GroupCertificate, SigningKey, statement};
use subrosa_mls::{Group, Identity, Joining, LeafSigner, Mls, Processed};
use subrosa_types::{AccountId, ConversationId, RolePosition, Timestamp};

use crate::machine;
use crate::report::{Figure, Figures};

/// A person's text.
const TEXT: [u8; 200] = [b'a'; 200];

/// Sends `messages` from one device to another and adds what it cost.
///
/// # Errors
/// When the store or MLS fails.
pub fn measure(messages: usize, figures: &mut Figures) -> Result<()> {
    let folder = crate::scratch_folder()?;
    let alice = Client::new(&folder.path().join("alice.db"), "alice")?;
    let bob = Client::new(&folder.path().join("bob.db"), "bob")?;
    let conversation = ConversationId::from_bytes([7; 16]);
    acquaint(&alice, &bob, conversation)?;
    let mut sent = Vec::with_capacity(messages);
    let send = alice.each(messages, conversation, |group, mls, _| {
        sent.push(group.encrypt(mls, &[], &TEXT)?);
        Ok(())
    })?;
    let receive = bob.each(messages, conversation, |group, mls, turn| match group.process(mls, &sent[turn])? {
        Processed::Application { plaintext, .. } if plaintext == TEXT => Ok(()),
        _ => bail!("what was received is not what was sent"),
    })?;
    for (names, cost) in [(["a client's send", "CPU of it"], send), (["a client's receive", "CPU of that"], receive)] {
        let each = |time: Duration| time.as_secs_f64() * 1e6 / messages as f64;
        let [until_durable, cpu] = [("µs until it is on disk", cost.elapsed), ("µs", cost.cpu)];
        for (name, (unit, time)) in names.into_iter().zip([until_durable, cpu]) {
            figures.add(Figure { name, unit, subrosa: each(time), floor: None });
        }
    }
    Ok(())
}

/// Time for all messages.
struct Cost {
    elapsed: Duration,
    cpu: Duration,
}

struct Client {
    store: Connection,
    identity: Identity,
}

impl Client {
    fn new(file: &std::path::Path, name: &str) -> Result<Self> {
        let store = Connection::open(file)?;
        store.pragma_update(None, "key", format!("x'{}'", "2f".repeat(32)))?;
        store.pragma_update(None, "journal_mode", "WAL")?;
        store.pragma_update(None, "synchronous", "FULL")?;
        store.execute_batch(subrosa_mls::SCHEMA)?;
        store.execute_batch("CREATE TABLE message (id INTEGER PRIMARY KEY, text BLOB NOT NULL) STRICT")?;
        let key = SigningKey::generate(&mut OsRng);
        let identity = Identity { credential: name.into(), signer: LeafSigner::from_seed(key.seed())? };
        Ok(Self { store, identity })
    }

    /// Does one thing with the group, and keeps a text, in a transaction, `count` times.
    fn each(
        &self,
        count: usize,
        conversation: ConversationId,
        mut one: impl FnMut(&mut Group, &Mls<'_>, usize) -> Result<()>,
    ) -> Result<Cost> {
        let mut rng = OsRng;
        let mut group =
            Group::load(&Mls::new(&self.store, &mut rng, &self.identity)?, conversation)?.context("no group")?;
        let begin = (Instant::now(), machine::own_cpu_time());
        for turn in 0..count {
            let transaction = self.store.unchecked_transaction()?;
            one(&mut group, &Mls::new(&transaction, &mut rng, &self.identity)?, turn)?;
            transaction.prepare_cached("INSERT INTO message (text) VALUES (?1)")?.execute([&TEXT[..]])?;
            transaction.commit()?;
        }
        Ok(Cost { elapsed: begin.0.elapsed(), cpu: machine::own_cpu_time().saturating_sub(begin.1) })
    }
}

/// Makes a group of the two.
fn acquaint(alice: &Client, bob: &Client, conversation: ConversationId) -> Result<()> {
    let server = SigningKey::generate(&mut OsRng);
    let creator = AccountId::from_bytes([1; 16]);
    let kind = subrosa_crypto::ConversationKind::Group;
    let certificate = GroupCertificate::issue(conversation, kind, creator, RolePosition(1), Timestamp(0), &server);
    let certificate = statement::to_bytes(&certificate);
    let (mut rng, mut other_rng) = (OsRng, OsRng);
    let his = Mls::new(&bob.store, &mut other_rng, &bob.identity)?;
    let package = his.key_package(false)?;
    let hers = Mls::new(&alice.store, &mut rng, &alice.identity)?;
    let mut group = Group::create(&hers, conversation, &certificate, server.public().as_bytes())?;
    let proposed = group.add(&hers, &[package], &[])?;
    group.merge_pending(&hers)?;
    let welcome = proposed.welcome.context("no welcome")?;
    Joining::from_welcome(&his, &welcome, &group.ratchet_tree()?)?.accept(&his)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_costs_are_measured() {
        let mut figures = Figures::new(String::new());
        measure(3, &mut figures).unwrap();
        let shown = format!("{figures:?}");
        assert!(shown.contains("a client's send") && shown.contains("CPU of that"), "{shown}");
    }
}
