//! MLS on a direct link: a group of two, made for the link, in a store that is in memory only.
//!
//! ```text
//! 1. dialer → listener  a key package; credential and signature key are the identity key of its hello
//!    listener           makes the group (id: the first 16 bytes of the context; certificate: the context; external
//!                       sender: itself), adds the key package, merges
//! 2. listener → dialer  length of the Welcome (4, big-endian), Welcome, ratchet tree
//!    dialer             joins
//!    records            MLS PrivateMessages of epoch 1
//! ```
//!
//! Each side checks that the group has two members, that both leaves carry the identity keys of the hellos as credential
//! *and* as signature key, and that the group is bound to this context. So the group is agreed with exactly the peer that
//! proves that key afterwards, and for this link only. No commit, proposal or third member is accepted later: there is no
//! server to order them, and a link that ends takes its group with it.

use rusqlite::Connection;
use subrosa_crypto::encryptor::{AGREEMENT, Encryptor, EncryptorError, PLAINTEXT, Parties, Rng, Side, Step};
use subrosa_types::{ConversationId, Epoch};
use subrosa_wire::Encryption;

use crate::group::{Group, Joining, ProcessError, Processed};
use crate::identity::{Identity, Mls};
use crate::key_package::check_offered;
use crate::member::{LeafIndex, Member};
use crate::signer::LeafSigner;
use crate::storage::SCHEMA;

/// See the module.
pub struct MlsEncryptor {
    rng: Rng,
    agreement: Option<Agreement>,
}

/// What belongs to one link.
struct Agreement {
    side: Side,
    conn: Connection,
    identity: Identity,
    own: [u8; 32],
    peer: [u8; 32],
    context: [u8; 32],
    group: Option<Group>,
}

fn internal(error: impl std::fmt::Display) -> EncryptorError {
    EncryptorError::Internal(error.to_string())
}

impl MlsEncryptor {
    /// All randomness comes from `rng`.
    pub fn new(rng: Rng) -> Self {
        Self { rng, agreement: None }
    }

    /// Runs an operation on the present link's group.
    fn with<T>(
        &mut self,
        operation: impl FnOnce(&Mls<'_>, &mut Option<Group>, &Parts) -> Result<T, EncryptorError>,
    ) -> Result<T, EncryptorError> {
        let agreement = self.agreement.as_mut().ok_or(EncryptorError::NoKeys)?;
        let mls = Mls::new(&agreement.conn, &mut *self.rng, &agreement.identity).map_err(internal)?;
        let parts =
            Parts { side: agreement.side, own: agreement.own, peer: agreement.peer, context: agreement.context };
        operation(&mls, &mut agreement.group, &parts)
    }
}

/// The fixed facts of a link.
struct Parts {
    side: Side,
    own: [u8; 32],
    peer: [u8; 32],
    context: [u8; 32],
}

impl Parts {
    fn conversation(&self) -> ConversationId {
        let mut id = [0; 16];
        id.copy_from_slice(&self.context[..16]);
        ConversationId::from_bytes(id)
    }

    fn listener(&self) -> [u8; 32] {
        if self.side == Side::Listener { self.own } else { self.peer }
    }

    /// Exactly the listener at leaf 0 and the dialer at leaf 1, each under the key of its hello.
    fn are_we(&self, members: &[Member]) -> bool {
        let dialer = if self.side == Side::Dialer { self.own } else { self.peer };
        let expected = [(LeafIndex(0), self.listener()), (LeafIndex(1), dialer)];
        let is = |member: &Member, (leaf, key): &(LeafIndex, [u8; 32])| {
            member.leaf == *leaf && member.credential == key && member.signature_key == key
        };
        members.len() == 2 && members.iter().zip(&expected).all(|(member, expected)| is(member, expected))
    }
}

const OTHERS: EncryptorError = EncryptorError::Agreement("the group is not one of the two who said hello");
const MALFORMED: EncryptorError = EncryptorError::Agreement("the other side sent no key package or welcome of ours");

/// The listener: makes the group and adds the dialer.
fn found(mls: &Mls<'_>, package: &[u8], parts: &Parts) -> Result<(Group, Vec<u8>), EncryptorError> {
    let owner = check_offered(package).map_err(|_| MALFORMED)?;
    if owner.credential != parts.peer || owner.signature_key != parts.peer {
        return Err(OTHERS);
    }
    let mut group = Group::create(mls, parts.conversation(), &parts.context, &parts.own).map_err(internal)?;
    let proposed = group.add(mls, &[package.to_vec()], b"").map_err(internal)?;
    // Nobody orders commits here: what the founder of a group of one does stands.
    group.merge_pending(mls).map_err(internal)?;
    if !parts.are_we(&group.members()) {
        return Err(OTHERS);
    }
    let welcome = proposed.welcome.ok_or_else(|| internal("an added member has no welcome"))?;
    let tree = group.ratchet_tree().map_err(internal)?;
    let length = u32::try_from(welcome.len()).map_err(internal)?;
    Ok((group, [length.to_be_bytes().as_slice(), &welcome, &tree].concat()))
}

/// The dialer: joins, after a look at what it joins.
fn join(mls: &Mls<'_>, message: &[u8], parts: &Parts) -> Result<Group, EncryptorError> {
    let (length, rest) = message.split_first_chunk::<4>().ok_or(MALFORMED)?;
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(internal)?;
    let (welcome, tree) = rest.split_at_checked(length).ok_or(MALFORMED)?;
    let joining = Joining::from_welcome(mls, welcome, tree).map_err(|_| MALFORMED)?;
    let is_ours = joining.conversation() == parts.conversation()
        && joining.epoch() == Epoch(1)
        && joining.certificate().as_deref() == Some(parts.context.as_slice())
        && joining.server_key() == Some(parts.listener())
        && parts.are_we(&joining.members());
    if !is_ours {
        return Err(OTHERS);
    }
    joining.accept(mls).map_err(internal)
}

impl Encryptor for MlsEncryptor {
    fn kind(&self) -> Encryption {
        Encryption::Mls
    }

    fn begin(&mut self, parties: Parties<'_>) -> Result<Step, EncryptorError> {
        let conn = Connection::open_in_memory().map_err(internal)?;
        conn.execute_batch(SCHEMA).map_err(internal)?;
        let own = *parties.own.public().as_bytes();
        let signer = LeafSigner::from_seed(parties.own.seed()).map_err(internal)?;
        self.agreement = Some(Agreement {
            side: parties.side,
            conn,
            identity: Identity { credential: own.to_vec(), signer },
            own,
            peer: *parties.peer.as_bytes(),
            context: *parties.context,
            group: None,
        });
        match parties.side {
            Side::Listener => Ok(Step::Wait),
            Side::Dialer => self.with(|mls, _, _| mls.key_package(false).map(Step::Send).map_err(internal)),
        }
    }

    fn step(&mut self, message: &[u8]) -> Result<Step, EncryptorError> {
        if message.len() > AGREEMENT {
            return Err(EncryptorError::TooLarge);
        }
        self.with(|mls, group, parts| {
            if group.is_some() {
                return Err(EncryptorError::Agreement("a message too many"));
            }
            match parts.side {
                Side::Listener => {
                    let (made, answer) = found(mls, message, parts)?;
                    *group = Some(made);
                    Ok(Step::SendAndDone(answer))
                }
                Side::Dialer => {
                    *group = Some(join(mls, message, parts)?);
                    Ok(Step::Done)
                }
            }
        })
    }

    fn seal(&mut self, plaintext: &[u8]) -> Result<Vec<u8>, EncryptorError> {
        if plaintext.len() > PLAINTEXT {
            return Err(EncryptorError::TooLarge);
        }
        self.with(|mls, group, _| {
            group.as_mut().ok_or(EncryptorError::NoKeys)?.encrypt(mls, b"", plaintext).map_err(internal)
        })
    }

    fn open(&mut self, sealed: &[u8]) -> Result<Vec<u8>, EncryptorError> {
        self.with(|mls, group, parts| {
            let group = group.as_mut().ok_or(EncryptorError::NoKeys)?;
            match group.process(mls, sealed) {
                Ok(Processed::Application { sender, aad, plaintext })
                    if sender.signature_key == parts.peer && aad.is_empty() =>
                {
                    Ok(plaintext)
                }
                Ok(_) => Err(EncryptorError::Agreement("the group of a link does not change")),
                Err(ProcessError::Duplicate) => Err(EncryptorError::Replayed),
                Err(ProcessError::Storage(error)) => Err(internal(error)),
                Err(ProcessError::Internal(error)) => Err(internal(error)),
                Err(_) => Err(EncryptorError::Inauthentic),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng;
    use subrosa_crypto::{SigningKey, VerifyingKey};

    use super::*;

    const CONTEXT: [u8; 32] = [5; 32];

    fn rng(seed: u8) -> Rng {
        Box::new(ChaCha20Rng::from_seed([seed; 32]))
    }

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed(&[seed; 32])
    }

    fn begun(side: Side, own: u8, peer: &VerifyingKey, context: &[u8; 32]) -> (MlsEncryptor, Step) {
        let mut encryptor = MlsEncryptor::new(rng(own));
        let step = encryptor.begin(Parties { side, own: &key(own), peer, context }).unwrap();
        (encryptor, step)
    }

    fn sent(step: Step) -> Vec<u8> {
        match step {
            Step::Send(message) | Step::SendAndDone(message) => message,
            other => panic!("nothing to send: {other:?}"),
        }
    }

    fn agreed() -> (MlsEncryptor, MlsEncryptor) {
        let (mut dialer, package) = begun(Side::Dialer, 1, &key(2).public(), &CONTEXT);
        let (mut listener, _) = begun(Side::Listener, 2, &key(1).public(), &CONTEXT);
        let welcome = sent(listener.step(&sent(package)).unwrap());
        assert_eq!(dialer.step(&welcome), Ok(Step::Done));
        (dialer, listener)
    }

    #[test]
    fn two_ends_of_a_link_are_a_group_and_read_each_other() {
        let (mut dialer, mut listener) = agreed();
        for text in [b"one".as_slice(), b"", &[7; PLAINTEXT]] {
            let sealed = dialer.seal(text).unwrap();
            assert_eq!(listener.open(&sealed).unwrap(), text);
            let sealed = listener.seal(text).unwrap();
            assert_eq!(dialer.open(&sealed).unwrap(), text);
        }
        assert_eq!(dialer.seal(&[0; PLAINTEXT + 1]), Err(EncryptorError::TooLarge));
    }

    #[test]
    fn a_record_twice_changed_or_sent_back_does_not_open() {
        let (mut dialer, mut listener) = agreed();
        let sealed = dialer.seal(b"text").unwrap();
        assert!(listener.open(&sealed).is_ok());
        assert_eq!(listener.open(&sealed), Err(EncryptorError::Replayed));
        assert_eq!(dialer.open(&sealed), Err(EncryptorError::Inauthentic), "our own");
        let mut changed = dialer.seal(b"text").unwrap();
        let last = changed.len() - 1;
        changed[last] ^= 1;
        assert_eq!(listener.open(&changed), Err(EncryptorError::Inauthentic));
    }

    #[test]
    fn a_key_package_of_another_key_than_the_hello_names_is_refused() {
        let (_, package) = begun(Side::Dialer, 3, &key(2).public(), &CONTEXT);
        let (mut listener, _) = begun(Side::Listener, 2, &key(1).public(), &CONTEXT);
        assert_eq!(listener.step(&sent(package)), Err(OTHERS));
    }

    #[test]
    fn a_group_of_another_founder_or_for_another_link_is_not_joined() {
        for (founder, context) in [(3, CONTEXT), (2, [6; 32])] {
            let (mut dialer, package) = begun(Side::Dialer, 1, &key(2).public(), &CONTEXT);
            let (mut listener, _) = begun(Side::Listener, founder, &key(1).public(), &context);
            let welcome = sent(listener.step(&sent(package)).unwrap());
            assert_eq!(dialer.step(&welcome), Err(OTHERS), "founder {founder}");
        }
    }

    #[test]
    fn bytes_that_are_no_agreement_are_refused() {
        for message in [b"".as_slice(), &[0; 3], &[0xFF; 40], &[0, 0, 0, 2, 1, 1, 1]] {
            let (mut dialer, _) = begun(Side::Dialer, 1, &key(2).public(), &CONTEXT);
            let (mut listener, _) = begun(Side::Listener, 2, &key(1).public(), &CONTEXT);
            assert_eq!(dialer.step(message), Err(MALFORMED));
            assert_eq!(listener.step(message), Err(MALFORMED));
        }
    }
}
