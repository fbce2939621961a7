//! Passes: why the relay of a server admits an endpoint that it has never seen.
//!
//! 1. A logged-in device asks its server for a pass for an endpoint key that it just made.
//! 2. The pass is the time until which it holds, and an HMAC-SHA-256 (RFC 2104) over that time and the endpoint key, under
//!    a key that HKDF-SHA-256 (RFC 5869) takes from the server's identity key.
//! 3. The endpoint shows it to the relay with the proof of its key. The relay computes the same: it keeps no list, so it can
//!    restart, and can run in another process that has the identity key.
//!
//! The relay does not learn which account asked: a pass names an endpoint key alone. Who steals a pass has no use of it
//! without the endpoint's secret key.

use std::sync::Arc;

use aws_lc_rs::{hkdf, hmac};
use subrosa_crypto::SigningKey;
use subrosa_types::Timestamp;

/// First byte of a pass.
const VERSION: u8 = 1;
/// Bytes of a pass: version, time (8, big-endian milliseconds), HMAC.
const LENGTH: usize = 1 + 8 + 32;
/// How long a pass holds. It is looked at when an endpoint connects, so a link that is up outlives it.
const HOLDS_MS: i64 = 24 * 60 * 60 * 1000;

/// Why a pass does not count. The client is to blame, or its clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PassRefused {
    /// There is none, or it is no pass.
    #[error("the relay asks for a pass")]
    Missing,
    /// It was made for another endpoint, or by somebody else.
    #[error("the pass is not for this endpoint")]
    Foreign,
    /// It was good once.
    #[error("the pass has expired")]
    Expired,
}

/// Makes passes and checks them.
#[derive(Clone)]
pub struct Passes {
    key: Arc<hmac::Key>,
}

impl std::fmt::Debug for Passes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passes")
    }
}

impl Passes {
    /// The passes of the server with this identity.
    pub fn of(identity: &SigningKey) -> Self {
        let secret = hkdf::Salt::new(hkdf::HKDF_SHA256, b"subrosa v1 relay passes").extract(identity.seed().as_slice());
        #[expect(clippy::expect_used, reason = "HKDF-SHA-256 gives up to 8160 bytes, and an HMAC-SHA-256 key has 32")]
        let key = secret.expand(&[b"hmac"], hmac::HMAC_SHA256).expect("32 bytes");
        Self { key: Arc::new(key.into()) }
    }

    /// A pass for an endpoint (its Ed25519 key), for a day from `now`.
    pub fn issue(&self, endpoint: &[u8; 32], now: Timestamp) -> Vec<u8> {
        let expires = now.0.saturating_add(HOLDS_MS).to_be_bytes();
        let mut pass = Vec::with_capacity(LENGTH);
        pass.push(VERSION);
        pass.extend_from_slice(&expires);
        pass.extend_from_slice(hmac::sign(&self.key, &covered(endpoint, expires)).as_ref());
        pass
    }

    /// Whether a pass holds for an endpoint that proved its key. The comparison takes the same time wherever it differs.
    ///
    /// # Errors
    /// [`PassRefused`].
    pub fn check(&self, endpoint: &[u8; 32], now: Timestamp, pass: &[u8]) -> Result<(), PassRefused> {
        let (Some(&[VERSION]), Some(expires), Some(tag)) =
            (pass.first_chunk::<1>(), pass.get(1..9), pass.get(9..LENGTH))
        else {
            return Err(PassRefused::Missing);
        };
        let expires: [u8; 8] = expires.try_into().map_err(|_| PassRefused::Missing)?;
        if pass.len() != LENGTH {
            return Err(PassRefused::Missing);
        }
        hmac::verify(&self.key, &covered(endpoint, expires), tag).map_err(|_| PassRefused::Foreign)?;
        if now.0 < i64::from_be_bytes(expires) { Ok(()) } else { Err(PassRefused::Expired) }
    }
}

/// What the HMAC is over: all of it has a fixed length, so nothing can be read in two ways.
fn covered(endpoint: &[u8; 32], expires: [u8; 8]) -> [u8; 41] {
    let mut bytes = [0; 41];
    bytes[0] = VERSION;
    bytes[1..9].copy_from_slice(&expires);
    bytes[9..].copy_from_slice(endpoint);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);

    fn passes(seed: u8) -> Passes {
        Passes::of(&SigningKey::from_seed(&[seed; 32]))
    }

    #[test]
    fn a_pass_holds_for_its_endpoint_and_a_day() {
        let pass = passes(1).issue(&[7; 32], NOW);
        assert_eq!(passes(1).check(&[7; 32], NOW, &pass), Ok(()));
        assert_eq!(passes(1).check(&[7; 32], Timestamp(NOW.0 + HOLDS_MS - 1), &pass), Ok(()));
        assert_eq!(passes(1).check(&[7; 32], Timestamp(NOW.0 + HOLDS_MS), &pass), Err(PassRefused::Expired));
        assert_eq!(passes(1).check(&[8; 32], NOW, &pass), Err(PassRefused::Foreign));
        assert_eq!(passes(2).check(&[7; 32], NOW, &pass), Err(PassRefused::Foreign));
    }

    #[test]
    fn a_pass_with_any_bit_changed_or_cut_is_refused() {
        let pass = passes(1).issue(&[7; 32], NOW);
        for bit in 0..pass.len() * 8 {
            let mut changed = pass.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(passes(1).check(&[7; 32], NOW, &changed).is_err(), "bit {bit}");
        }
        for length in 0..pass.len() {
            assert_eq!(passes(1).check(&[7; 32], NOW, &pass[..length]), Err(PassRefused::Missing));
        }
        assert_eq!(passes(1).check(&[7; 32], NOW, &[&pass[..], &[0]].concat()), Err(PassRefused::Missing));
    }

    #[test]
    fn a_pass_of_version_1_keeps_its_form() {
        let pass = passes(1).issue(&[7; 32], NOW);
        // Version, then one day after 1,000,000 ms, then the HMAC.
        assert_eq!(pass[..9], [1, 0, 0, 0, 0, 5, 53, 158, 64]);
        assert_eq!(pass.len(), 41);
    }
}
