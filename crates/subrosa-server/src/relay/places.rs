//! Places that are shared by all and of which one address gets so many.
//!
//! An address is what one customer of a provider has: of IPv6 the first 64 bits (RFC 6177). Loopback addresses are free,
//! because people on this machine share them, and so do tests.
//!
//! Invariant: nothing is kept of an address that has no place.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// Who has a place, by address.
#[derive(Debug)]
pub(super) struct Places {
    all: usize,
    per_address: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    of: HashMap<IpAddr, usize>,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    network: IpAddr,
    /// More than half of all places were taken.
    pub(super) crowded: bool,
}

impl Places {
    /// So many in all, and for one address.
    pub(super) fn new(all: usize, per_address: usize) -> Arc<Self> {
        Arc::new(Self { all, per_address, taken: Mutex::default() })
    }

    /// Takes a place if there is one for this address.
    pub(super) fn take(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let network = network(address);
        // Numbers are whole after a panic too.
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.all >= self.all {
            return None;
        }
        let of = taken.of.get(&network).copied().unwrap_or_default();
        if of >= self.per_address && !network.is_loopback() {
            return None;
        }
        taken.of.insert(network, of + 1);
        taken.all += 1;
        Some(Place { places: self.clone(), network, crowded: taken.all > self.all / 2 })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all = taken.all.saturating_sub(1);
        if let Some(of) = taken.of.get_mut(&self.network) {
            *of -= 1;
            if *of == 0 {
                taken.of.remove(&self.network);
            }
        }
    }
}

/// What counts as one address.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)))
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PER_ADDRESS: usize = 8;

    #[test]
    fn places_are_bounded_in_all_and_for_one_address_and_come_back() {
        let places = Places::new(2 * PER_ADDRESS, PER_ADDRESS);
        let [one, two]: [IpAddr; 2] = [[192, 0, 2, 1].into(), [192, 0, 2, 2].into()];
        let of_one: Vec<Place> = std::iter::from_fn(|| places.take(one)).collect();
        assert_eq!(of_one.len(), PER_ADDRESS);
        assert!(!of_one[0].crowded);
        let of_two: Vec<Place> = std::iter::from_fn(|| places.take(two)).collect();
        assert_eq!(of_two.len(), PER_ADDRESS);
        assert!(of_two[0].crowded);
        assert!(places.take([192, 0, 2, 3].into()).is_none());
        drop((of_one, of_two));
        assert!(places.take([192, 0, 2, 3].into()).is_some());
        assert_eq!(places.taken.lock().unwrap().of.len(), 0);
    }

    #[test]
    fn many_addresses_of_one_ipv6_network_count_as_one_and_those_of_this_machine_are_free() {
        let places = Places::new(1000, PER_ADDRESS);
        let of_network = |number: u16| places.take(Ipv6Addr::new(0x2001, 0xdb8, 0, 7, 0, 0, 1, number).into());
        let taken: Vec<Place> = (0..100).map_while(of_network).collect();
        assert_eq!(taken.len(), PER_ADDRESS);
        assert!(places.take(Ipv6Addr::new(0x2001, 0xdb8, 0, 8, 0, 0, 1, 1).into()).is_some());
        let mapped = |number: u8| places.take(std::net::Ipv4Addr::new(192, 0, 2, number).to_ipv6_mapped().into());
        let taken: Vec<Place> = (0..100).map_while(mapped).collect();
        assert_eq!(taken.len(), 100, "each of these is an address of its own");
        for here in [Ipv6Addr::LOCALHOST.into(), IpAddr::from([127, 0, 0, 1])] {
            let taken: Vec<Place> = (0..100).map_while(|_| places.take(here)).collect();
            assert_eq!(taken.len(), 100);
        }
    }
}
