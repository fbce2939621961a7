//! Whom a relay admits, and how often.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use data_encoding::BASE64URL_NOPAD;
use iroh_base::EndpointId;
use iroh_relay::server::{self, AccessControl, ClientRequest, ConnectionId};
use subrosa_types::Timestamp;

use super::passes::{PassRefused, Passes};
use crate::running::system_time;

/// Connections of one endpoint: the one in use, and old ones that did not notice their end yet.
const PER_ENDPOINT: usize = 3;

/// What a client must show besides its key.
#[derive(Debug, Clone)]
pub(crate) enum Admission {
    /// Nothing.
    Open,
    /// A pass for its endpoint.
    Passes(Passes),
    /// The word in the relay's link.
    Word(Vec<u8>),
}

impl Admission {
    fn check(&self, endpoint: &[u8; 32], now: Timestamp, shown: &[u8]) -> Result<(), PassRefused> {
        match self {
            Self::Open => Ok(()),
            Self::Passes(passes) => passes.check(endpoint, now, shown),
            Self::Word(_) if shown.is_empty() => Err(PassRefused::Missing),
            Self::Word(word) => {
                aws_lc_rs::constant_time::verify_slices_are_equal(word, shown).map_err(|_| PassRefused::Foreign)
            }
        }
    }
}

/// The door.
#[derive(Debug)]
pub(super) struct Access {
    admission: Admission,
    places: usize,
    inside: Mutex<Inside>,
}

#[derive(Debug, Default)]
struct Inside {
    all: usize,
    of: HashMap<[u8; 32], usize>,
}

impl Access {
    pub(super) fn new(admission: Admission, places: usize) -> Self {
        Self { admission, places, inside: Mutex::default() }
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        // Numbers are whole after a panic too.
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place, or says why there is none.
    fn enter(&self, endpoint: [u8; 32], now: Timestamp, shown: &[u8]) -> Result<(), String> {
        self.admission.check(&endpoint, now, shown).map_err(|refused| refused.to_string())?;
        let mut inside = self.inside();
        if inside.all >= self.places {
            return Err("the relay is full".into());
        }
        let of = inside.of.entry(endpoint).or_default();
        if *of >= PER_ENDPOINT {
            return Err("this endpoint has too many connections to the relay".into());
        }
        *of += 1;
        inside.all += 1;
        Ok(())
    }

    fn leave(&self, endpoint: [u8; 32]) {
        let mut inside = self.inside();
        inside.all = inside.all.saturating_sub(1);
        if let Some(of) = inside.of.get_mut(&endpoint) {
            *of -= 1;
            if *of == 0 {
                inside.of.remove(&endpoint);
            }
        }
    }
}

impl AccessControl for Access {
    async fn on_connect(&self, request: &ClientRequest) -> server::Access {
        // What is no pass counts as none.
        let shown =
            request.auth_token().and_then(|token| BASE64URL_NOPAD.decode(token.as_bytes()).ok()).unwrap_or_default();
        match self.enter(*request.endpoint_id().as_bytes(), system_time(), &shown) {
            Ok(()) => server::Access::Allow,
            Err(reason) => server::Access::Deny { reason: Some(reason) },
        }
    }

    fn on_disconnect(&self, endpoint_id: EndpointId, _connection_id: ConnectionId) {
        self.leave(*endpoint_id.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use subrosa_crypto::SigningKey;

    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);

    #[test]
    fn a_relay_is_full_at_its_limit_and_not_for_ever() {
        let access = Access::new(Admission::Open, 2);
        assert_eq!(access.enter([1; 32], NOW, &[]), Ok(()));
        assert_eq!(access.enter([2; 32], NOW, &[]), Ok(()));
        assert!(access.enter([3; 32], NOW, &[]).unwrap_err().contains("full"));
        access.leave([1; 32]);
        assert_eq!(access.enter([3; 32], NOW, &[]), Ok(()));
    }

    #[test]
    fn one_endpoint_cannot_take_all_places_and_leaves_nothing_behind() {
        let access = Access::new(Admission::Open, 100);
        for _ in 0..PER_ENDPOINT {
            access.enter([1; 32], NOW, &[]).unwrap();
        }
        assert!(access.enter([1; 32], NOW, &[]).unwrap_err().contains("too many"));
        for _ in 0..PER_ENDPOINT {
            access.leave([1; 32]);
        }
        assert!(access.inside().of.is_empty());
        assert_eq!(access.inside().all, 0);
    }

    #[test]
    fn each_admission_asks_for_its_own_proof() {
        let passes = Passes::of(&SigningKey::from_seed(&[1; 32]));
        let pass = passes.issue(&[7; 32], NOW);
        let members = Admission::Passes(passes);
        assert_eq!(members.check(&[7; 32], NOW, &pass), Ok(()));
        assert_eq!(members.check(&[8; 32], NOW, &pass), Err(PassRefused::Foreign));
        assert_eq!(members.check(&[7; 32], NOW, &[]), Err(PassRefused::Missing));
        let word = Admission::Word(b"word".to_vec());
        assert_eq!(word.check(&[7; 32], NOW, b"word"), Ok(()));
        assert_eq!(word.check(&[7; 32], NOW, b"wore"), Err(PassRefused::Foreign));
        assert_eq!(word.check(&[7; 32], NOW, b"words"), Err(PassRefused::Foreign));
        assert_eq!(word.check(&[7; 32], NOW, b""), Err(PassRefused::Missing));
        assert_eq!(Admission::Open.check(&[7; 32], NOW, b""), Ok(()));
    }
}
