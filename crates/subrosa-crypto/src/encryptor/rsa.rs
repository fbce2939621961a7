//! RSA key transport and AES-256-GCM, all of it by AWS-LC.
//!
//! ```text
//! 1. listener → dialer  its public RSA key of 3072 bits (SubjectPublicKeyInfo, DER), made for this link
//! 2. dialer → listener  RSA-OAEP-SHA256( secret(32) ), with the context as OAEP label
//!    both               PRK = HKDF-Extract( salt = context, secret )
//!                       key of a direction = HKDF-Expand( PRK, "subrosa v1 direct rsa " side , 32 )
//!    records            AES-256-GCM, nonce = 0(4) counter(8, big-endian), no associated data
//! ```
//!
//! Why it holds: the context is the hash of both hellos with fresh nonces of both sides, so no two links have equal keys
//! even if a secret came twice; a key is for one direction, so no nonce is used twice; a record opens at its own place
//! only, because the nonce is counted and not sent. Who gives the RSA key and who chose the secret is proved afterwards:
//! both messages are in the transcript that both sides sign. The RSA key is dropped when the agreement is done; from then
//! on nobody can open what the dialer sent. A quantum computer could: that is what `mls` is for.
//!
//! AWS-LC takes the randomness of key generation and padding from the system by itself; the secret is ours.

use aws_lc_rs::aead::{
    AES_256_GCM, Aad, BoundKey, NONCE_LEN, Nonce, NonceSequence, OpeningKey, SealingKey, UnboundKey,
};
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use aws_lc_rs::rsa::{
    KeySize, OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, OaepPublicEncryptingKey, PrivateDecryptingKey,
    PublicEncryptingKey,
};
use subrosa_wire::Encryption;
use zeroize::Zeroizing;

use super::{Encryptor, EncryptorError, PLAINTEXT, Parties, Rng, Side, Step};

/// Bits of the RSA key, exactly.
const BITS: usize = 3072;
/// What AES-GCM adds.
const TAG: usize = 16;

/// See the module.
pub struct Rsa {
    rng: Rng,
    state: State,
}

enum State {
    Idle,
    /// The listener, which sent its public key.
    Offered {
        key: OaepPrivateDecryptingKey,
        context: [u8; 32],
    },
    /// The dialer, which waits for it.
    Waiting {
        context: [u8; 32],
    },
    Keyed {
        sealing: SealingKey<Counter>,
        opening: OpeningKey<Counter>,
    },
}

/// Nonces 0, 1, 2, …; at the end of the numbers there is none.
struct Counter(u64);

impl NonceSequence for Counter {
    fn advance(&mut self) -> Result<Nonce, Unspecified> {
        let mut nonce = [0; NONCE_LEN];
        nonce[4..].copy_from_slice(&self.0.to_be_bytes());
        self.0 = self.0.checked_add(1).ok_or(Unspecified)?;
        Ok(Nonce::assume_unique_for_key(nonce))
    }
}

impl Rsa {
    /// The secret of each link comes from `rng`.
    pub fn new(rng: Rng) -> Self {
        Self { rng, state: State::Idle }
    }

    fn offer(&mut self, context: [u8; 32]) -> Result<Step, EncryptorError> {
        let key = PrivateDecryptingKey::generate(KeySize::Rsa3072).map_err(|_| internal("no RSA key was made"))?;
        let public =
            AsDer::<PublicKeyX509Der<'_>>::as_der(&key.public_key()).map_err(|_| internal("no DER was made"))?;
        let public = public.as_ref().to_vec();
        let key = OaepPrivateDecryptingKey::new(key).map_err(|_| internal("the RSA key is of no use"))?;
        self.state = State::Offered { key, context };
        Ok(Step::Send(public))
    }

    fn transport(&mut self, public: &[u8], context: [u8; 32]) -> Result<Step, EncryptorError> {
        const BAD_KEY: EncryptorError = EncryptorError::Agreement("the other side sent no RSA key of 3072 bits");
        let public = PublicEncryptingKey::from_der(public).map_err(|_| BAD_KEY)?;
        if public.key_size_bits() != BITS {
            return Err(BAD_KEY);
        }
        let public = OaepPublicEncryptingKey::new(public).map_err(|_| BAD_KEY)?;
        let mut secret = Zeroizing::new([0; 32]);
        self.rng.try_fill_bytes(secret.as_mut_slice()).map_err(|_| internal("the source of randomness failed"))?;
        let mut sealed = vec![0; public.ciphertext_size()];
        let length = public
            .encrypt(&OAEP_SHA256_MGF1SHA256, secret.as_slice(), &mut sealed, Some(&context))
            .map_err(|_| BAD_KEY)?
            .len();
        sealed.truncate(length);
        self.state = keyed(Side::Dialer, secret.as_slice(), &context)?;
        Ok(Step::SendAndDone(sealed))
    }

    fn receive(
        &mut self,
        sealed: &[u8],
        key: &OaepPrivateDecryptingKey,
        context: [u8; 32],
    ) -> Result<Step, EncryptorError> {
        const NO_SECRET: EncryptorError = EncryptorError::Agreement("the other side's secret does not open");
        let mut room = Zeroizing::new(vec![0; key.min_output_size()]);
        let secret = key
            .decrypt(&OAEP_SHA256_MGF1SHA256, sealed, &mut room, Some(&context))
            .ok()
            .filter(|secret| secret.len() == 32)
            .ok_or(NO_SECRET)?;
        self.state = keyed(Side::Listener, secret, &context)?;
        Ok(Step::Done)
    }
}

fn internal(what: &str) -> EncryptorError {
    EncryptorError::Internal(what.to_owned())
}

fn keyed(side: Side, secret: &[u8], context: &[u8; 32]) -> Result<State, EncryptorError> {
    let key = |sender: Side| {
        let side: &[u8] = match sender {
            Side::Dialer => b"dialer",
            Side::Listener => b"listener",
        };
        let prk = Salt::new(HKDF_SHA256, context).extract(secret);
        let info = [b"subrosa v1 direct rsa ".as_slice(), side];
        prk.expand(&info, &AES_256_GCM).map(UnboundKey::from).map_err(|_| internal("no key was derived"))
    };
    Ok(State::Keyed {
        sealing: SealingKey::new(key(side)?, Counter(0)),
        opening: OpeningKey::new(key(side.other())?, Counter(0)),
    })
}

impl Encryptor for Rsa {
    fn kind(&self) -> Encryption {
        Encryption::Rsa
    }

    fn begin(&mut self, parties: Parties<'_>) -> Result<Step, EncryptorError> {
        match parties.side {
            Side::Listener => self.offer(*parties.context),
            Side::Dialer => {
                self.state = State::Waiting { context: *parties.context };
                Ok(Step::Wait)
            }
        }
    }

    fn step(&mut self, message: &[u8]) -> Result<Step, EncryptorError> {
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Waiting { context } => self.transport(message, context),
            State::Offered { key, context } => self.receive(message, &key, context),
            State::Idle | State::Keyed { .. } => Err(EncryptorError::Agreement("a message too many")),
        }
    }

    fn seal(&mut self, plaintext: &[u8]) -> Result<Vec<u8>, EncryptorError> {
        let State::Keyed { sealing, .. } = &mut self.state else { return Err(EncryptorError::NoKeys) };
        if plaintext.len() > PLAINTEXT {
            return Err(EncryptorError::TooLarge);
        }
        let mut sealed = Vec::with_capacity(plaintext.len() + TAG);
        sealed.extend_from_slice(plaintext);
        sealing.seal_in_place_append_tag(Aad::empty(), &mut sealed).map_err(|_| internal("a record was not sealed"))?;
        Ok(sealed)
    }

    fn open(&mut self, sealed: &[u8]) -> Result<Vec<u8>, EncryptorError> {
        let State::Keyed { opening, .. } = &mut self.state else { return Err(EncryptorError::NoKeys) };
        if sealed.len() > PLAINTEXT + TAG {
            return Err(EncryptorError::TooLarge);
        }
        let mut opened = sealed.to_vec();
        let length = opening.open_in_place(Aad::empty(), &mut opened).map_err(|_| EncryptorError::Inauthentic)?.len();
        opened.truncate(length);
        Ok(opened)
    }
}
