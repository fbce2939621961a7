//! Whom a relay admits, and how often.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use data_encoding::BASE64URL_NOPAD;
use iroh_base::EndpointId;
use iroh_relay::server::{self, AccessControl, ClientRequest, ConnectionId};
use subrosa_types::Timestamp;

use super::passes::{PassRefused, Passes};
use super::places::{Place, Places};
use crate::running::system_time;

/// Connections of one endpoint: the one in use, and old ones that did not notice their end yet.
const PER_ENDPOINT: usize = 3;
/// Clients of one address: a household, or a small company behind one NAT. Endpoint keys cost nothing, addresses do.
pub(super) const PER_ADDRESS: usize = 64;

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
    by_address: Arc<Places>,
    inside: Mutex<Inside>,
}

#[derive(Debug, Default)]
struct Inside {
    all: usize,
    of: HashMap<[u8; 32], usize>,
}

impl Access {
    pub(super) fn new(admission: Admission, places: usize) -> Self {
        Self { admission, places, by_address: Places::new(usize::MAX, PER_ADDRESS), inside: Mutex::default() }
    }

    /// The door for a client that comes from here.
    pub(super) fn at(self: &Arc<Self>, address: IpAddr) -> AccessAt {
        AccessAt { access: self.clone(), address, place: OnceLock::new() }
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

/// The door for one client. Once it is in, its address has a place less as long as this is there, which is as long as the
/// client is. Who is not admitted takes no place.
#[derive(Debug)]
pub(super) struct AccessAt {
    access: Arc<Access>,
    address: IpAddr,
    place: OnceLock<Place>,
}

impl AccessAt {
    fn enter(&self, endpoint: [u8; 32], now: Timestamp, shown: &[u8]) -> Result<(), String> {
        self.access.enter(endpoint, now, shown)?;
        let placed = self.access.by_address.take(self.address).and_then(|place| self.place.set(place).ok());
        placed.ok_or_else(|| {
            self.access.leave(endpoint);
            "this address has too many connections to the relay".into()
        })
    }
}

impl AccessControl for AccessAt {
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
        self.access.leave(*endpoint_id.as_bytes());
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
    fn one_address_cannot_take_all_places_with_many_endpoints() {
        let access = Arc::new(Access::new(Admission::Open, 4 * PER_ADDRESS));
        let clients: Vec<_> = (0..PER_ADDRESS + 1).map(|_| access.at([192, 0, 2, 1].into())).collect();
        let entered = clients.iter().zip(0..).filter(|(at, number)| at.enter([*number; 32], NOW, &[]).is_ok());
        assert_eq!(entered.count(), PER_ADDRESS);
        assert_eq!(access.inside().all, PER_ADDRESS, "who is refused leaves nothing behind");
        assert_eq!(access.at([192, 0, 2, 2].into()).enter([250; 32], NOW, &[]), Ok(()));
        drop(clients);
        assert_eq!(access.at([192, 0, 2, 1].into()).enter([251; 32], NOW, &[]), Ok(()));
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
