//! Hellos, the transcript that both sides sign, and what is derived from it.
//!
//! ```text
//! commitment = SHA-256( hello of the dialer )
//! context    = SHA-256( "subrosa v1 direct context" 0 len(dialer) dialer len(listener) listener )
//! transcript = SHA-256( "subrosa v1 direct transcript" 0 context binding(32) ( side(1) len message )* )
//! signature  = Ed25519, label "direct link", over side(1) transcript(32)
//! ticket     = HMAC-SHA-256( secret(16), "subrosa v1 direct ticket" 0 transcript )
//! ```
//!
//! Lengths are eight bytes, big-endian, so that no two readings of the bytes exist. The side in front of what is signed
//! keeps a proof from being sent back to who made it.

use aws_lc_rs::digest::{Context as Digest, SHA256};
use aws_lc_rs::hmac;
use prost::Message;
use rand_core::{OsRng, RngCore};
use subrosa_crypto::encryptor::Side;
use subrosa_crypto::{BadSignature, Label, SigningKey, VerifyingKey, sha256};
use subrosa_wire::Encryption;
use subrosa_wire::proto::{DirectHello, DirectSide};

/// Capability bit: files can be offered.
pub const FILES: u64 = 1;
const VERSION: u32 = 1;
/// Largest hello, in bytes.
const HELLO: usize = 1024;

/// A hello, read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hello {
    pub key: VerifyingKey,
    /// `None`: one that this version does not know.
    pub encryption: Option<Encryption>,
    pub capabilities: u64,
}

/// Why a hello is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadHello {
    Malformed,
    Version,
}

/// Our hello as it travels.
pub fn say(side: Side, key: &SigningKey, encryption: Encryption) -> Vec<u8> {
    let mut nonce = vec![0; 32];
    OsRng.fill_bytes(&mut nonce);
    DirectHello {
        version: VERSION,
        side: proto_side(side).into(),
        key: key.public().to_vec(),
        nonce,
        encryption: encryption.to_proto().into(),
        capabilities: FILES,
    }
    .encode_to_vec()
}

/// The peer's hello, who is at `side`.
pub fn read(bytes: &[u8], side: Side) -> Result<Hello, BadHello> {
    if bytes.len() > HELLO {
        return Err(BadHello::Malformed);
    }
    let hello = DirectHello::decode(bytes).map_err(|_| BadHello::Malformed)?;
    if hello.version != VERSION {
        return Err(BadHello::Version);
    }
    if hello.side != i32::from(proto_side(side)) || hello.nonce.len() != 32 {
        return Err(BadHello::Malformed);
    }
    Ok(Hello {
        key: VerifyingKey::from_slice(&hello.key).map_err(|_| BadHello::Malformed)?,
        encryption: Encryption::from_proto(hello.encryption),
        capabilities: hello.capabilities,
    })
}

const fn proto_side(side: Side) -> DirectSide {
    match side {
        Side::Dialer => DirectSide::Dialer,
        Side::Listener => DirectSide::Listener,
    }
}

const fn side_byte(side: Side) -> u8 {
    match side {
        Side::Dialer => 1,
        Side::Listener => 2,
    }
}

fn update(digest: &mut Digest, bytes: &[u8]) {
    digest.update(&(bytes.len() as u64).to_be_bytes());
    digest.update(bytes);
}

fn finish(digest: Digest) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest.finish().as_ref());
    hash
}

/// What the dialer sends before its hello.
pub fn commitment(hello: &[u8]) -> [u8; 32] {
    sha256(hello)
}

/// Both hellos as one hash.
pub fn context(dialer: &[u8], listener: &[u8]) -> [u8; 32] {
    let mut digest = Digest::new(&SHA256);
    digest.update(b"subrosa v1 direct context\0");
    update(&mut digest, dialer);
    update(&mut digest, listener);
    finish(digest)
}

/// Everything that was said before the proofs.
pub struct Transcript(Digest);

impl Transcript {
    pub fn new(context: &[u8; 32], binding: &[u8; 32]) -> Self {
        let mut digest = Digest::new(&SHA256);
        digest.update(b"subrosa v1 direct transcript\0");
        digest.update(context);
        digest.update(binding);
        Self(digest)
    }

    /// A message of the key agreement, by who sent it.
    pub fn agreement(&mut self, sender: Side, message: &[u8]) {
        self.0.update(&[side_byte(sender)]);
        update(&mut self.0, message);
    }

    pub fn finish(self) -> Finished {
        Finished(finish(self.0))
    }
}

/// A transcript to which nothing is added any more.
#[derive(Debug, Clone, Copy)]
pub struct Finished([u8; 32]);

impl Finished {
    fn statement(self, side: Side) -> [u8; 33] {
        let mut statement = [side_byte(side); 33];
        statement[1..].copy_from_slice(&self.0);
        statement
    }

    pub fn sign(self, side: Side, key: &SigningKey) -> Vec<u8> {
        key.sign(Label::Direct, &self.statement(side)).to_vec()
    }

    pub fn verify(self, side: Side, key: &VerifyingKey, signature: &[u8]) -> Result<(), BadSignature> {
        key.verify(Label::Direct, &self.statement(side), signature)
    }

    pub fn ticket(self, secret: &[u8; 16]) -> Vec<u8> {
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), &self.under_ticket()).as_ref().to_vec()
    }

    pub fn has_ticket(self, secret: &[u8; 16], mac: &[u8]) -> bool {
        hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, secret), &self.under_ticket(), mac).is_ok()
    }

    fn under_ticket(self) -> Vec<u8> {
        [b"subrosa v1 direct ticket\0".as_slice(), &self.0].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(context: u8, binding: u8, messages: &[(Side, &[u8])]) -> Finished {
        let mut transcript = Transcript::new(&[context; 32], &[binding; 32]);
        for (side, message) in messages {
            transcript.agreement(*side, message);
        }
        transcript.finish()
    }

    #[test]
    fn a_proof_holds_for_its_side_link_and_agreement_only() {
        let key = SigningKey::from_seed(&[1; 32]);
        let said: [(Side, &[u8]); 2] = [(Side::Dialer, b"ab"), (Side::Listener, b"c")];
        let proof = finished(1, 2, &said).sign(Side::Dialer, &key);
        assert!(finished(1, 2, &said).verify(Side::Dialer, &key.public(), &proof).is_ok());
        assert!(finished(1, 2, &said).verify(Side::Listener, &key.public(), &proof).is_err(), "sent back");
        for other in [
            finished(9, 2, &said),
            finished(1, 9, &said),
            finished(1, 2, &said[..1]),
            finished(1, 2, &[(Side::Dialer, b"a"), (Side::Dialer, b"b"), (Side::Listener, b"c")]),
            finished(1, 2, &[(Side::Listener, b"ab"), (Side::Listener, b"c")]),
        ] {
            assert!(other.verify(Side::Dialer, &key.public(), &proof).is_err());
        }
    }

    #[test]
    fn a_ticket_is_proved_for_one_transcript_only() {
        let (one, other) = (finished(1, 2, &[]), finished(1, 3, &[]));
        let mac = one.ticket(&[4; 16]);
        assert!(one.has_ticket(&[4; 16], &mac));
        assert!(!other.has_ticket(&[4; 16], &mac) && !one.has_ticket(&[5; 16], &mac) && !one.has_ticket(&[4; 16], b""));
    }

    #[test]
    fn a_hello_is_read_again_and_a_damaged_one_is_not() {
        let key = SigningKey::from_seed(&[1; 32]);
        let hello = say(Side::Dialer, &key, Encryption::Rsa);
        let read_again = read(&hello, Side::Dialer).unwrap();
        assert_eq!((read_again.key, read_again.encryption), (key.public(), Some(Encryption::Rsa)));
        assert_ne!(hello, say(Side::Dialer, &key, Encryption::Rsa), "the nonce is fresh");
        assert_eq!(read(&hello, Side::Listener), Err(BadHello::Malformed), "our own, sent back");
        assert_eq!(read(&vec![0; HELLO + 1], Side::Dialer), Err(BadHello::Malformed));
        let good = DirectHello::decode(hello.as_slice()).unwrap();
        let changed = |hello: DirectHello| read(&hello.encode_to_vec(), Side::Dialer);
        assert_eq!(changed(DirectHello { version: 2, ..good.clone() }), Err(BadHello::Version));
        assert_eq!(changed(DirectHello { nonce: vec![1; 31], ..good.clone() }), Err(BadHello::Malformed));
        assert_eq!(changed(DirectHello { key: vec![0; 32], ..good.clone() }), Err(BadHello::Malformed), "small order");
        assert_eq!(changed(DirectHello { encryption: 77, ..good }).unwrap().encryption, None);
    }
}
