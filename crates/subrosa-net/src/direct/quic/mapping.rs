//! Asking the router for a port: PCP (RFC 6887), one request, one answer.
//!
//! Reason: no hole can be punched between a NAT that gives each destination another port and one that lets in only whom it
//! knows. If one of the two routers opens a port for us, the other side's packets come in from whatever port they have. Many
//! home routers do that when they are asked.
//!
//! It changes something at the router, so it is done only when a person agreed ([`Endpoint::open_port`]).
//!
//! 1. We send a MAP request for our UDP port to the default gateway, port 5351, with a nonce that only the router can know.
//! 2. The router answers with the outer address and port, and for how long; the answer must carry the nonce.
//! 3. The endpoint tells its peers that address as one more of its own.
//! 4. At half time we ask again. When the endpoint is closed we give the port back (lifetime 0).
//!
//! [`Endpoint::open_port`]: super::Endpoint::open_port

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddrV4};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::timeout;

/// Port of a PCP server.
const PORT: u16 = 5351;
/// How long a mapping is asked for, in seconds.
const LIFETIME: u32 = 1200;
/// A router that gives less than this is asked again at this pace all the same, in seconds.
const LEAST_LIFETIME: u32 = 120;
/// How long an answer may take, for the first and the second try.
const TRIES: [Duration; 3] = [Duration::from_millis(250), Duration::from_millis(500), Duration::from_secs(1)];
/// Bytes of a MAP request, and of its answer (RFC 6887 §11.1).
const LENGTH: usize = 60;
const VERSION: u8 = 2;
const MAP: u8 = 1;
const ANSWER: u8 = 0x80;
const UDP: u8 = 17;

/// Why the router opened no port.
#[derive(Debug, thiserror::Error)]
pub enum MappingError {
    /// There is no router that could be asked, or this system does not say which.
    #[error("no router could be found")]
    NoRouter,
    /// It does not answer: most likely it does not speak PCP.
    #[error("the router does not answer")]
    Silent,
    /// It says no.
    #[error("the router refuses (PCP result {0})")]
    Refused(u8),
    /// The network.
    #[error("the router cannot be asked: {0}")]
    Io(#[from] std::io::Error),
}

/// A port that the router opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mapping {
    /// The outer address.
    pub(super) outer: SocketAddrV4,
    /// For how long.
    pub(super) lifetime: Duration,
}

/// Asks one router for one port, again and again with the same nonce.
#[derive(Debug, Clone)]
pub(super) struct Router {
    gateway: SocketAddrV4,
    port: u16,
    nonce: [u8; 12],
}

impl Router {
    pub(super) fn new(gateway: Ipv4Addr, port: u16, nonce: [u8; 12]) -> Self {
        Self { gateway: SocketAddrV4::new(gateway, PORT), port, nonce }
    }

    /// Asks for the port.
    pub(super) async fn open(&self) -> Result<Mapping, MappingError> {
        self.ask(LIFETIME).await
    }

    /// Gives it back. Whether the router heard it shows in nothing; the mapping ends by itself.
    pub(super) async fn give_back(&self) {
        if let Err(error) = self.ask(0).await {
            tracing::debug!(%error, "a port was not given back to the router");
        }
    }

    async fn ask(&self, lifetime: u32) -> Result<Mapping, MappingError> {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
        // Only what comes from the router's address and port is heard.
        socket.connect(self.gateway).await?;
        let IpAddr::V4(own) = socket.local_addr()?.ip() else { return Err(MappingError::NoRouter) };
        let request = request(self.nonce, own, self.port, lifetime);
        for wait in TRIES {
            socket.send(&request).await?;
            let mut answer = [0; 1100];
            let answered = timeout(wait, async {
                loop {
                    let length = socket.recv(&mut answer).await?;
                    if let Some(outcome) = read_answer(&answer[..length], self.nonce, self.port) {
                        return outcome;
                    }
                }
            });
            match answered.await {
                Ok(Err(MappingError::Io(error))) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                    return Err(MappingError::Silent);
                }
                Ok(outcome) => return outcome,
                Err(_) => {}
            }
        }
        Err(MappingError::Silent)
    }
}

/// RFC 6887 §7.1 and §11.1.
fn request(nonce: [u8; 12], own: Ipv4Addr, port: u16, lifetime: u32) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    bytes[0] = VERSION;
    bytes[1] = MAP;
    bytes[4..8].copy_from_slice(&lifetime.to_be_bytes());
    bytes[8..24].copy_from_slice(&own.to_ipv6_mapped().octets());
    bytes[24..36].copy_from_slice(&nonce);
    bytes[36] = UDP;
    bytes[40..42].copy_from_slice(&port.to_be_bytes());
    // The outer port that we would like: the same. Any address will do (all zero, IPv4-mapped).
    bytes[42..44].copy_from_slice(&port.to_be_bytes());
    bytes[44..60].copy_from_slice(&Ipv4Addr::UNSPECIFIED.to_ipv6_mapped().octets());
    bytes
}

/// RFC 6887 §7.2 and §11.1; nothing if it is no answer to our request.
fn read_answer(bytes: &[u8], nonce: [u8; 12], port: u16) -> Option<Result<Mapping, MappingError>> {
    let &[VERSION, opcode, _, result, ..] = bytes else { return None };
    if bytes.len() < LENGTH || opcode != (MAP | ANSWER) || bytes[24..36] != nonce || bytes[36] != UDP {
        return None;
    }
    if bytes[40..42] != port.to_be_bytes() {
        return None;
    }
    if result != 0 {
        return Some(Err(MappingError::Refused(result)));
    }
    let lifetime = u32::from_be_bytes(bytes[4..8].try_into().ok()?);
    let outer_port = u16::from_be_bytes(bytes[42..44].try_into().ok()?);
    let outer: [u8; 16] = bytes[44..60].try_into().ok()?;
    let IpAddr::V4(outer) = Ipv6Addr::from(outer).to_canonical() else { return None };
    let lifetime = Duration::from_secs(lifetime.clamp(LEAST_LIFETIME, LIFETIME).into());
    Some(Ok(Mapping { outer: SocketAddrV4::new(outer, outer_port), lifetime }))
}

/// The default gateway.
pub(super) fn gateway() -> Option<Ipv4Addr> {
    netwatch::interfaces::HomeRouter::new().and_then(|router| match router.gateway {
        IpAddr::V4(gateway) => Some(gateway),
        IpAddr::V6(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: [u8; 12] = *b"twelve bytes";

    fn answer() -> [u8; LENGTH] {
        let mut answer = request(NONCE, Ipv4Addr::new(10, 0, 1, 2), 4000, 600);
        answer[1] |= ANSWER;
        answer[42..44].copy_from_slice(&5000_u16.to_be_bytes());
        answer[44..60].copy_from_slice(&Ipv4Addr::new(203, 0, 113, 2).to_ipv6_mapped().octets());
        answer
    }

    #[test]
    fn a_request_for_a_port_has_the_form_of_the_rfc() {
        let bytes = request(NONCE, Ipv4Addr::new(10, 0, 1, 2), 0x1234, 1200);
        // Version 2, MAP, reserved, 1200 seconds; our address; the nonce; UDP, reserved; inner and outer port; any address.
        assert_eq!(bytes[..8], [2, 1, 0, 0, 0, 0, 4, 0xB0]);
        assert_eq!(bytes[8..24], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 10, 0, 1, 2]);
        assert_eq!(bytes[24..36], NONCE);
        assert_eq!(bytes[36..44], [17, 0, 0, 0, 0x12, 0x34, 0x12, 0x34]);
        assert_eq!(bytes[44..], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0, 0, 0]);
    }

    #[test]
    fn an_answer_names_the_outer_address_and_only_our_own_answer_counts() {
        let mapping = read_answer(&answer(), NONCE, 4000).unwrap().unwrap();
        assert_eq!(mapping.outer, "203.0.113.2:5000".parse().unwrap());
        assert_eq!(mapping.lifetime, Duration::from_secs(600));
        assert!(read_answer(&answer(), *b"other bytes.", 4000).is_none());
        assert!(read_answer(&answer(), NONCE, 4001).is_none());
        assert!(read_answer(&request(NONCE, Ipv4Addr::LOCALHOST, 4000, 1), NONCE, 4000).is_none());
        for length in 0..LENGTH {
            assert!(read_answer(&answer()[..length], NONCE, 4000).is_none(), "{length}");
        }
    }

    #[test]
    fn a_router_that_refuses_is_believed_and_its_lifetime_only_within_bounds() {
        let mut refused = answer();
        refused[3] = 2;
        assert!(matches!(read_answer(&refused, NONCE, 4000), Some(Err(MappingError::Refused(2)))));
        for (said, taken) in [(0_u32, LEAST_LIFETIME), (u32::MAX, LIFETIME)] {
            let mut bytes = answer();
            bytes[4..8].copy_from_slice(&said.to_be_bytes());
            let mapping = read_answer(&bytes, NONCE, 4000).unwrap().unwrap();
            assert_eq!(mapping.lifetime, Duration::from_secs(taken.into()));
        }
    }
}
