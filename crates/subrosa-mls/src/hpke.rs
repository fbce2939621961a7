//! HPKE (RFC 9180) with the hybrid KEM, over libcrux, with randomness that is handed in.
//!
//! The HPKE library makes its generator by itself, from the operating system, through a function without arguments. To
//! keep this crate free of randomness of its own (the simulated world replays a seed), [`SeededHpke`] is libcrux' backend
//! with that one function replaced: each encapsulation gets a stream that is derived from a secret seed of the operation
//! and from everything that is sealed (recipient, info, aad, plaintext). So the result depends on neither the order nor
//! the thread in which OpenMLS seals the path (it uses several), and equal streams need equal inputs.

use std::cell::RefCell;
use std::convert::Infallible;

use aws_lc_rs::hmac;
use hpke_rs::{Hpke, HpkePrivateKey, HpkePublicKey, Mode};
use hpke_rs_crypto::error::Error as BackendError;
use hpke_rs_crypto::types::{AeadAlgorithm, KdfAlgorithm, KemAlgorithm};
use hpke_rs_crypto::{HpkeCrypto, HpkeTestRng, TryCryptoRng, TryRng};
use hpke_rs_libcrux::HpkeLibcrux;
use openmls_traits::types::{
    CryptoError, ExporterSecret, HpkeAeadType, HpkeCiphertext, HpkeConfig, HpkeKdfType, HpkeKemType, HpkeKeyPair,
    KemOutput,
};
use zeroize::Zeroize;

thread_local! {
    /// The stream for the encapsulation that this thread is about to make; set and taken inside [`sender`].
    static STREAM: RefCell<Option<Stream>> = const { RefCell::new(None) };
}

/// HMAC-SHA-256 in counter mode over a secret of one encapsulation.
pub(crate) struct Stream {
    key: [u8; 32],
    counter: u64,
}

impl Stream {
    /// Different for each seed and for each sequence of inputs.
    fn new(seed: &[u8; 32], inputs: &[&[u8]]) -> Self {
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, seed));
        for input in inputs {
            context.update(&(input.len() as u64).to_be_bytes());
            context.update(input);
        }
        let mut key = [0; 32];
        key.copy_from_slice(context.sign().as_ref());
        Self { key, counter: 0 }
    }
}

impl Zeroize for Stream {
    fn zeroize(&mut self) {
        self.key.zeroize();
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.zeroize();
    }
}

impl TryRng for Stream {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, to: &mut [u8]) -> Result<(), Infallible> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.key);
        for chunk in to.chunks_mut(32) {
            let block = hmac::sign(&key, &self.counter.to_be_bytes());
            chunk.copy_from_slice(&block.as_ref()[..chunk.len()]);
            self.counter += 1;
        }
        Ok(())
    }
}

impl TryCryptoRng for Stream {}

impl HpkeTestRng for Stream {
    type Error = BackendError;

    fn try_fill_test_bytes(&mut self, to: &mut [u8]) -> Result<(), BackendError> {
        let Ok(()) = self.try_fill_bytes(to);
        Ok(())
    }

    fn seed(&mut self, _: &[u8]) {}
}

/// libcrux with [`Stream`] as its generator.
#[derive(Debug)]
struct SeededHpke;

impl HpkeCrypto for SeededHpke {
    type HpkePrng = Stream;

    fn name() -> String {
        HpkeLibcrux::name()
    }

    fn supports_kdf(alg: KdfAlgorithm) -> Result<(), BackendError> {
        HpkeLibcrux::supports_kdf(alg)
    }

    fn supports_kem(alg: KemAlgorithm) -> Result<(), BackendError> {
        HpkeLibcrux::supports_kem(alg)
    }

    fn supports_aead(alg: AeadAlgorithm) -> Result<(), BackendError> {
        HpkeLibcrux::supports_aead(alg)
    }

    /// The stream that [`sender`] laid out. Receivers draw nothing; theirs is all zero and never read.
    fn prng() -> Stream {
        STREAM.with(RefCell::take).unwrap_or(Stream { key: [0; 32], counter: 0 })
    }

    fn kdf_extract(alg: KdfAlgorithm, salt: &[u8], ikm: &[u8]) -> Result<Vec<u8>, BackendError> {
        HpkeLibcrux::kdf_extract(alg, salt, ikm)
    }

    fn kdf_expand(alg: KdfAlgorithm, prk: &[u8], info: &[u8], size: usize) -> Result<Vec<u8>, BackendError> {
        HpkeLibcrux::kdf_expand(alg, prk, info, size)
    }

    fn dh(alg: KemAlgorithm, pk: &[u8], sk: &[u8]) -> Result<Vec<u8>, BackendError> {
        HpkeLibcrux::dh(alg, pk, sk)
    }

    fn secret_to_public(alg: KemAlgorithm, sk: &[u8]) -> Result<Vec<u8>, BackendError> {
        HpkeLibcrux::secret_to_public(alg, sk)
    }

    /// OpenMLS derives every key pair from key material that it drew itself.
    fn kem_key_gen(_: KemAlgorithm, _: &mut Stream) -> Result<(Vec<u8>, Vec<u8>), BackendError> {
        Err(BackendError::UnsupportedKemOperation)
    }

    fn kem_key_gen_derand(alg: KemAlgorithm, seed: &[u8]) -> Result<(Vec<u8>, Vec<u8>), BackendError> {
        HpkeLibcrux::kem_key_gen_derand(alg, seed)
    }

    fn kem_encaps(alg: KemAlgorithm, pk_r: &[u8], prng: &mut Stream) -> Result<(Vec<u8>, Vec<u8>), BackendError> {
        if alg != KemAlgorithm::XWingDraft06 {
            return Err(BackendError::UnknownKemAlgorithm);
        }
        let key = libcrux_kem::PublicKey::decode(libcrux_kem::Algorithm::XWingKemDraft06, pk_r)
            .map_err(|_| BackendError::KemInvalidPublicKey)?;
        let (secret, ciphertext) =
            key.encapsulate(prng).map_err(|_| BackendError::CryptoLibraryError("encapsulation failed".into()))?;
        Ok((secret.encode(), ciphertext.encode()))
    }

    fn kem_decaps(alg: KemAlgorithm, ct: &[u8], sk_r: &[u8]) -> Result<Vec<u8>, BackendError> {
        HpkeLibcrux::kem_decaps(alg, ct, sk_r)
    }

    fn dh_validate_sk(alg: KemAlgorithm, sk: &[u8]) -> Result<Vec<u8>, BackendError> {
        HpkeLibcrux::dh_validate_sk(alg, sk)
    }

    fn aead_seal(
        alg: AeadAlgorithm,
        key: &[u8],
        nonce: &[u8],
        aad: &[u8],
        msg: &[u8],
    ) -> Result<Vec<u8>, BackendError> {
        HpkeLibcrux::aead_seal(alg, key, nonce, aad, msg)
    }

    fn aead_open(
        alg: AeadAlgorithm,
        key: &[u8],
        nonce: &[u8],
        aad: &[u8],
        ciphertext: &[u8],
    ) -> Result<Vec<u8>, BackendError> {
        HpkeLibcrux::aead_open(alg, key, nonce, aad, ciphertext)
    }
}

/// A sender whose encapsulation draws from the stream of `seed` and `inputs`.
fn sender(config: HpkeConfig, seed: &[u8; 32], inputs: &[&[u8]]) -> Result<Hpke<SeededHpke>, CryptoError> {
    STREAM.with(|stream| stream.replace(Some(Stream::new(seed, inputs))));
    let hpke = receiver(config);
    // Also when the config was refused, nothing may be left for the next one.
    STREAM.with(RefCell::take);
    hpke
}

fn receiver(config: HpkeConfig) -> Result<Hpke<SeededHpke>, CryptoError> {
    let HpkeConfig(kem, kdf, aead) = config;
    let kem = match kem {
        HpkeKemType::DhKem25519 => KemAlgorithm::DhKem25519,
        HpkeKemType::XWingKemDraft6 => KemAlgorithm::XWingDraft06,
        _ => return Err(CryptoError::UnsupportedCiphersuite),
    };
    let kdf = match kdf {
        HpkeKdfType::HkdfSha256 => KdfAlgorithm::HkdfSha256,
        HpkeKdfType::HkdfSha384 => KdfAlgorithm::HkdfSha384,
        HpkeKdfType::HkdfSha512 => KdfAlgorithm::HkdfSha512,
    };
    let aead = match aead {
        HpkeAeadType::AesGcm128 => AeadAlgorithm::Aes128Gcm,
        HpkeAeadType::AesGcm256 => AeadAlgorithm::Aes256Gcm,
        HpkeAeadType::ChaCha20Poly1305 => AeadAlgorithm::ChaCha20Poly1305,
        HpkeAeadType::Export => AeadAlgorithm::HpkeExport,
    };
    Ok(Hpke::new(Mode::Base, kem, kdf, aead))
}

/// SealBase (RFC 9180 §6.1).
pub(crate) fn seal(
    config: HpkeConfig,
    seed: &[u8; 32],
    pk_r: &[u8],
    info: &[u8],
    aad: &[u8],
    plaintext: &[u8],
) -> Result<HpkeCiphertext, CryptoError> {
    let (kem_output, ciphertext) = sender(config, seed, &[b"seal", pk_r, info, aad, plaintext])?
        .seal(&HpkePublicKey::new(pk_r.to_vec()), info, aad, plaintext, None, None, None)
        .map_err(|_| CryptoError::HpkeEncryptionError)?;
    Ok(HpkeCiphertext { kem_output: kem_output.into(), ciphertext: ciphertext.into() })
}

/// OpenBase (RFC 9180 §6.1).
pub(crate) fn open(
    config: HpkeConfig,
    input: &HpkeCiphertext,
    sk_r: &[u8],
    info: &[u8],
    aad: &[u8],
) -> Result<Vec<u8>, CryptoError> {
    receiver(config)?
        .open(
            input.kem_output.as_ref(),
            &HpkePrivateKey::new(sk_r.to_vec()),
            info,
            aad,
            input.ciphertext.as_ref(),
            None,
            None,
            None,
        )
        .map_err(|_| CryptoError::HpkeDecryptionError)
}

/// SendExportBase (RFC 9180 §6.2); MLS uses it for external commits.
pub(crate) fn send_export(
    config: HpkeConfig,
    seed: &[u8; 32],
    pk_r: &[u8],
    info: &[u8],
    exporter_context: &[u8],
    length: usize,
) -> Result<(KemOutput, ExporterSecret), CryptoError> {
    let (kem_output, context) = sender(config, seed, &[b"export", pk_r, info, exporter_context])?
        .setup_sender(&HpkePublicKey::new(pk_r.to_vec()), info, None, None, None)
        .map_err(|_| CryptoError::SenderSetupError)?;
    let secret = context.export(exporter_context, length).map_err(|_| CryptoError::ExporterError)?;
    Ok((kem_output, secret.into()))
}

/// ReceiveExportBase (RFC 9180 §6.2).
pub(crate) fn receive_export(
    config: HpkeConfig,
    kem_output: &[u8],
    sk_r: &[u8],
    info: &[u8],
    exporter_context: &[u8],
    length: usize,
) -> Result<ExporterSecret, CryptoError> {
    receiver(config)?
        .setup_receiver(kem_output, &HpkePrivateKey::new(sk_r.to_vec()), info, None, None, None)
        .map_err(|_| CryptoError::ReceiverSetupError)?
        .export(exporter_context, length)
        .map(ExporterSecret::from)
        .map_err(|_| CryptoError::ExporterError)
}

/// DeriveKeyPair (RFC 9180 §4).
pub(crate) fn derive_key_pair(config: HpkeConfig, ikm: &[u8]) -> Result<HpkeKeyPair, CryptoError> {
    let (private, public) =
        receiver(config)?.derive_key_pair(ikm).map_err(|_| CryptoError::CryptoLibraryError)?.into_keys();
    Ok(HpkeKeyPair { private: private.as_slice().to_vec().into(), public: public.as_slice().to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::{CLASSICAL_SUITE, SUITE};

    #[test]
    fn what_is_sealed_opens_and_depends_on_the_seed_alone() {
        for suite in [SUITE, CLASSICAL_SUITE] {
            let pair = derive_key_pair(suite.hpke_config(), &[7; 32]).expect("a key pair");
            let seal = |seed: u8, text: &[u8]| {
                seal(suite.hpke_config(), &[seed; 32], &pair.public, b"info", b"aad", text).expect("sealed")
            };
            let sealed = seal(1, b"text");
            let opened = open(suite.hpke_config(), &sealed, &pair.private, b"info", b"aad").expect("opened");
            assert_eq!(opened, b"text");
            assert_eq!(sealed, seal(1, b"text"));
            assert_ne!(sealed.kem_output.as_slice(), seal(2, b"text").kem_output.as_slice());
            assert_ne!(sealed.kem_output.as_slice(), seal(1, b"texu").kem_output.as_slice());
        }
    }

    #[test]
    fn both_ends_export_the_same_secret() {
        let pair = derive_key_pair(SUITE.hpke_config(), &[7; 32]).expect("a key pair");
        let (kem_output, sent) =
            send_export(SUITE.hpke_config(), &[1; 32], &pair.public, b"info", b"context", 32).expect("sent");
        let received = receive_export(SUITE.hpke_config(), &kem_output, &pair.private, b"info", b"context", 32);
        assert_eq!(sent[..], received.expect("received")[..]);
    }
}
