//! Tickets: what the one who listens passes on so that somebody can dial it. The schema and its prose are in `direct.proto`.
//!
//! ```text
//! subrosa-direct:  base32, lower case, no padding, of  Ticket (protobuf)  CRC-32 (4 bytes, big-endian)
//! ```
//!
//! The checksum is against slips in copying, so that a wrong letter reads as "damaged" and not as "somebody else answered".
//! It protects against nobody: what binds is the key inside. Letters may be large or small, so that a QR code is small.
//!
//! Invariant: a [`Ticket`] can be dialled. Whatever is missing, too long or unknown was refused when it was read.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE32_NOPAD;
use prost::Message;

use crate::proto::{self, DirectEncryption, QuicWay, TcpWay, ticket::Way as ProtoWay};
use crate::relay_link::RelayLink;

/// What every ticket begins with.
pub const SCHEME: &str = "subrosa-direct:";
/// Longest text of a ticket, in bytes.
pub const TICKET: usize = 4096;
/// Addresses in a ticket.
pub const ADDRESSES: usize = 8;
/// Longest address, in bytes: a host name, a colon and a port.
const ADDRESS: usize = 262;

/// What a direct link is encrypted with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encryption {
    /// An MLS group of two with the post-quantum hybrid suite.
    Mls,
    /// RSA-OAEP key transport, AES-256-GCM.
    Rsa,
    /// None: for tests.
    Pseudo,
}

impl Encryption {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Mls, Self::Rsa, Self::Pseudo];

    /// Its word on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mls => "mls",
            Self::Rsa => "rsa",
            Self::Pseudo => "pseudo",
        }
    }

    /// Its number on the wire.
    pub const fn to_proto(self) -> DirectEncryption {
        match self {
            Self::Mls => DirectEncryption::Mls,
            Self::Rsa => DirectEncryption::Rsa,
            Self::Pseudo => DirectEncryption::Pseudo,
        }
    }

    /// From its number on the wire; `None` for one that this version does not know.
    pub fn from_proto(number: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|encryption| i32::from(encryption.to_proto()) == number)
    }
}

impl fmt::Display for Encryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// No encryption of this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the encryptions are mls, rsa and pseudo")]
pub struct UnknownEncryption;

impl FromStr for Encryption {
    type Err = UnknownEncryption;

    fn from_str(word: &str) -> Result<Self, UnknownEncryption> {
        Self::ALL.into_iter().find(|encryption| encryption.as_str() == word).ok_or(UnknownEncryption)
    }
}

/// How the listener is reached.
#[derive(Debug, Clone, PartialEq)]
pub enum Way {
    /// `HOST:PORT`, one to [`ADDRESSES`] of them.
    Tcp(Vec<String>),
    /// Addresses or a relay, or both.
    Quic(QuicWay),
}

/// A ticket. Its `Debug` does not show the secret.
#[derive(Clone, PartialEq)]
pub struct Ticket {
    /// The listener's identity key.
    pub key: [u8; 32],
    /// Who knows it had the ticket.
    pub secret: [u8; 16],
    /// What the listener insists on.
    pub encryption: Encryption,
    /// Milliseconds; 0: as long as the listener listens.
    pub expires_at: i64,
    /// How it is reached.
    pub way: Way,
}

/// A text that is no ticket. Who copied or made it is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TicketError {
    /// Another beginning.
    #[error("a ticket begins with {SCHEME}")]
    Scheme,
    /// Cut off, mistyped, or too long.
    #[error("the ticket is damaged; copy the whole of it")]
    Damaged,
    /// Of a later version.
    #[error("the ticket is of a version of subrosa that this one does not know")]
    Version,
    /// Whole, and yet a field is wrong: a program made it so.
    #[error("the ticket cannot be used: its {0} is no valid one")]
    Field(&'static str),
}

impl Ticket {
    /// Checks every field.
    ///
    /// # Errors
    /// [`TicketError::Version`], [`TicketError::Field`].
    pub fn from_proto(ticket: proto::Ticket) -> Result<Self, TicketError> {
        if ticket.version != 1 {
            return Err(TicketError::Version);
        }
        let way = match ticket.way.ok_or(TicketError::Field("way"))? {
            ProtoWay::Tcp(TcpWay { addresses }) => {
                if addresses.is_empty() || !are_addresses(&addresses) {
                    return Err(TicketError::Field("address"));
                }
                Way::Tcp(addresses)
            }
            ProtoWay::Quic(way) => Way::Quic(checked_quic(way)?),
        };
        Ok(Self {
            key: ticket.key.as_slice().try_into().map_err(|_| TicketError::Field("key"))?,
            secret: ticket.secret.as_slice().try_into().map_err(|_| TicketError::Field("secret"))?,
            encryption: Encryption::from_proto(ticket.encryption).ok_or(TicketError::Field("encryption"))?,
            expires_at: Some(ticket.expires_at).filter(|at| *at >= 0).ok_or(TicketError::Field("expiry"))?,
            way,
        })
    }

    fn to_proto(&self) -> proto::Ticket {
        proto::Ticket {
            version: 1,
            key: self.key.to_vec(),
            secret: self.secret.to_vec(),
            encryption: self.encryption.to_proto().into(),
            expires_at: self.expires_at,
            way: Some(match &self.way {
                Way::Tcp(addresses) => ProtoWay::Tcp(TcpWay { addresses: addresses.clone() }),
                Way::Quic(way) => ProtoWay::Quic(way.clone()),
            }),
        }
    }

    /// Whether its time is over.
    pub const fn is_expired(&self, now: i64) -> bool {
        self.expires_at != 0 && self.expires_at <= now
    }
}

fn checked_quic(way: QuicWay) -> Result<QuicWay, TicketError> {
    if !are_addresses(&way.addresses) || (way.addresses.is_empty() && way.relay.is_none()) {
        return Err(TicketError::Field("address"));
    }
    if let Some(relay) = &way.relay {
        RelayLink::try_from(relay).map_err(|_| TicketError::Field("relay"))?;
    }
    Ok(way)
}

fn are_addresses(addresses: &[String]) -> bool {
    addresses.len() <= ADDRESSES && addresses.iter().all(|address| is_address(address))
}

/// Whether the text is `HOST:PORT` with a host as one writes it in a URL and a port that can be dialled.
pub fn is_address(text: &str) -> bool {
    let parts = text.rsplit_once(':').filter(|_| text.len() <= ADDRESS);
    parts.is_some_and(|(host, port)| is_host(host) && port.parse::<u16>().is_ok_and(|port| port != 0))
}

fn is_host(host: &str) -> bool {
    let plain = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    match plain {
        Some(plain) => plain.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.len() <= 253 && host.chars().all(allowed),
    }
}

/// CRC-32 (ISO 3309, as in Ethernet and PNG), bit by bit: tickets are short.
fn checksum(bytes: &[u8]) -> [u8; 4] {
    let step = |rest: u32| if rest & 1 == 1 { rest >> 1 ^ 0xEDB8_8320 } else { rest >> 1 };
    let of_byte = |rest: u32, byte: &u8| (0..8).fold(rest ^ u32::from(*byte), |rest, _| step(rest));
    (!bytes.iter().fold(u32::MAX, of_byte)).to_be_bytes()
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = self.to_proto().encode_to_vec();
        let checksum = checksum(&bytes);
        bytes.extend_from_slice(&checksum);
        write!(f, "{SCHEME}{}", BASE32_NOPAD.encode(&bytes).to_ascii_lowercase())
    }
}

impl FromStr for Ticket {
    type Err = TicketError;

    fn from_str(text: &str) -> Result<Self, TicketError> {
        let text = text.trim();
        let scheme = text.get(..SCHEME.len()).filter(|scheme| scheme.eq_ignore_ascii_case(SCHEME));
        scheme.ok_or(TicketError::Scheme)?;
        if text.len() > TICKET {
            return Err(TicketError::Damaged);
        }
        let encoded = text[SCHEME.len()..].to_ascii_uppercase();
        let bytes = BASE32_NOPAD.decode(encoded.as_bytes()).map_err(|_| TicketError::Damaged)?;
        let (ticket, sum) = bytes.split_last_chunk::<4>().ok_or(TicketError::Damaged)?;
        if checksum(ticket) != *sum {
            return Err(TicketError::Damaged);
        }
        Self::from_proto(proto::Ticket::decode(ticket).map_err(|_| TicketError::Damaged)?)
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("encryption", &self.encryption).field("way", &self.way).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::RelayAddress;
    use crate::relay_link::RELAY_PASS;

    fn ticket(way: Way) -> Ticket {
        Ticket { key: [7; 32], secret: [9; 16], encryption: Encryption::Mls, expires_at: 0, way }
    }

    fn tcp() -> Ticket {
        ticket(Way::Tcp(vec!["127.0.0.1:4000".into(), "[::1]:4000".into(), "host.example:1".into()]))
    }

    fn relay() -> RelayAddress {
        RelayAddress { host: "relay.example".into(), port: 5535, fingerprint: vec![3; 32], pass: b"pass".to_vec() }
    }

    #[test]
    fn a_ticket_survives_its_text_form_in_small_and_large_letters() {
        let quic = QuicWay { relay: Some(relay()), addresses: vec!["192.0.2.1:9".into()] };
        for ticket in [tcp(), ticket(Way::Quic(quic)), Ticket { encryption: Encryption::Rsa, expires_at: 5, ..tcp() }] {
            let text = ticket.to_string();
            assert!(text[SCHEME.len()..].bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()), "{text}");
            for copied in [text.clone(), text.to_ascii_uppercase(), format!(" {text}\n")] {
                assert_eq!(copied.parse(), Ok(ticket.clone()), "{copied}");
            }
        }
    }

    #[test]
    fn the_text_of_a_ticket_is_frozen() {
        let ticket = ticket(Way::Tcp(vec!["h:1".into()]));
        let bytes = ticket.to_proto().encode_to_vec();
        let golden = [
            &[0x08, 1][..], // version
            &[0x12, 32],    // key
            &[7; 32],       //
            &[0x1A, 16],    // secret
            &[9; 16],       //
            &[0x20, 1],     // encryption: mls
            &[0x32, 5],     // way: tcp
            &[0x0A, 3],
            b"h:1", // address
        ];
        assert_eq!(bytes, golden.concat());
        assert_eq!(checksum(b"123456789"), [0xCB, 0xF4, 0x39, 0x26], "the check value of CRC-32");
    }

    #[test]
    fn every_changed_lost_or_added_letter_shows() {
        let text = tcp().to_string();
        for at in SCHEME.len()..text.len() {
            let other = if &text[at..=at] == "a" { "b" } else { "a" };
            let changed = format!("{}{other}{}", &text[..at], &text[at + 1..]);
            assert_eq!(changed.parse::<Ticket>(), Err(TicketError::Damaged), "{at}");
            assert_eq!(text[..at].parse::<Ticket>(), Err(TicketError::Damaged), "{at}");
        }
        for wrong in ["", "subrosa://h:1/x", "direct:abc", "sübrosa-direct:a"] {
            assert_eq!(wrong.parse::<Ticket>(), Err(TicketError::Scheme), "{wrong}");
        }
        for damaged in [format!("{text}a"), format!("{text}="), format!("{SCHEME}{}", "a".repeat(TICKET))] {
            assert_eq!(damaged.parse::<Ticket>(), Err(TicketError::Damaged));
        }
    }

    #[test]
    fn a_field_that_cannot_be_used_is_named() {
        let good = tcp().to_proto();
        let refused = |ticket: proto::Ticket| Ticket::from_proto(ticket).unwrap_err();
        let with_tcp =
            |addresses: Vec<String>| proto::Ticket { way: Some(ProtoWay::Tcp(TcpWay { addresses })), ..good.clone() };
        let with_quic = |way| proto::Ticket { way: Some(ProtoWay::Quic(way)), ..good.clone() };
        assert_eq!(refused(proto::Ticket { version: 2, ..good.clone() }), TicketError::Version);
        assert_eq!(refused(proto::Ticket { key: vec![7; 31], ..good.clone() }), TicketError::Field("key"));
        assert_eq!(refused(proto::Ticket { secret: vec![], ..good.clone() }), TicketError::Field("secret"));
        assert_eq!(refused(proto::Ticket { encryption: 0, ..good.clone() }), TicketError::Field("encryption"));
        assert_eq!(refused(proto::Ticket { encryption: 9, ..good.clone() }), TicketError::Field("encryption"));
        assert_eq!(refused(proto::Ticket { expires_at: -1, ..good.clone() }), TicketError::Field("expiry"));
        assert_eq!(refused(proto::Ticket { way: None, ..good.clone() }), TicketError::Field("way"));
        for bad in ["", "h", "h:0", "h:65536", ":1", "a b:1", "::1:1", "[h]:1", "h\u{1b}:1"] {
            assert_eq!(refused(with_tcp(vec![bad.into()])), TicketError::Field("address"), "{bad}");
        }
        assert_eq!(refused(with_tcp(vec![])), TicketError::Field("address"));
        assert_eq!(refused(with_tcp(vec!["h:1".into(); ADDRESSES + 1])), TicketError::Field("address"));
        assert_eq!(refused(with_quic(QuicWay::default())), TicketError::Field("address"));
        for bad in [
            RelayAddress { port: 0, ..relay() },
            RelayAddress { port: 70_000, ..relay() },
            RelayAddress { host: "a/b".into(), ..relay() },
            RelayAddress { fingerprint: vec![3; 31], ..relay() },
            RelayAddress { pass: vec![0; RELAY_PASS + 1], ..relay() },
        ] {
            assert_eq!(
                refused(with_quic(QuicWay { relay: Some(bad), addresses: vec![] })),
                TicketError::Field("relay")
            );
        }
    }

    #[test]
    fn a_ticket_expires_and_does_not_show_its_secret() {
        let ticket = Ticket { expires_at: 1000, ..tcp() };
        assert!(!ticket.is_expired(999) && ticket.is_expired(1000) && !tcp().is_expired(i64::MAX));
        assert!(!format!("{ticket:?}").contains("9, 9"));
    }
}
