//! The address of a relay that runs alone: `subrosa-relay://HOST:PORT/FINGERPRINT[/PASS]`.
//!
//! Host, port and fingerprint are those of a [`ServerLink`]; the fingerprint is the SHA-256 of the relay's Ed25519 key. The
//! pass is what the relay asks for, in lower-case base32; a relay that is open has none.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE32_NOPAD;

use crate::link::{Fingerprint, LinkError, ServerLink};
use crate::proto;

/// What a relay link starts with.
const SCHEME: &str = "subrosa-relay://";
/// Longest pass, in bytes.
pub const RELAY_PASS: usize = 64;

/// Where a relay is, who it is, and why it admits us.
#[derive(Clone, PartialEq, Eq)]
pub struct RelayLink {
    /// Host name or address, as one writes it in a URL (IPv6 in brackets).
    pub host: String,
    /// TCP port, and UDP port of address discovery.
    pub port: u16,
    /// The key that the relay must prove.
    pub fingerprint: Fingerprint,
    /// What it asks for; empty where it is open. At most [`RELAY_PASS`] bytes.
    pub pass: Vec<u8>,
}

/// Without the pass: what is logged must not let anybody in.
impl fmt::Debug for RelayLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("RelayLink");
        shown.field("host", &self.host).field("port", &self.port).field("fingerprint", &self.fingerprint);
        shown.finish_non_exhaustive()
    }
}

impl fmt::Display for RelayLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}:{}/{}", self.host, self.port, self.fingerprint)?;
        if self.pass.is_empty() {
            return Ok(());
        }
        write!(f, "/{}", BASE32_NOPAD.encode(&self.pass).to_ascii_lowercase())
    }
}

/// A relay link; or a server link, for the relay of a server that is open.
impl FromStr for RelayLink {
    type Err = LinkError;

    fn from_str(text: &str) -> Result<Self, LinkError> {
        let text = text.trim();
        let Some(rest) = text.strip_prefix(SCHEME) else {
            let ServerLink { host, port, fingerprint } = text.parse()?;
            return Ok(Self { host, port, fingerprint, pass: Vec::new() });
        };
        let rest = rest.trim_end_matches('/');
        let (server, pass) = match rest.splitn(3, '/').collect::<Vec<_>>()[..] {
            [address, print, pass] => (format!("subrosa://{address}/{print}"), pass),
            _ => (format!("subrosa://{rest}"), ""),
        };
        let pass = BASE32_NOPAD.decode(pass.to_ascii_uppercase().as_bytes()).map_err(|_| LinkError::Pass)?;
        if pass.len() > RELAY_PASS {
            return Err(LinkError::Pass);
        }
        let ServerLink { host, port, fingerprint } = server.parse()?;
        Ok(Self { host, port, fingerprint, pass })
    }
}

impl From<RelayLink> for proto::RelayAddress {
    fn from(link: RelayLink) -> Self {
        let RelayLink { host, port, fingerprint, pass } = link;
        Self { host, port: port.into(), fingerprint: fingerprint.0.to_vec(), pass }
    }
}

/// The address that a peer names, if it is one.
impl TryFrom<&proto::RelayAddress> for RelayLink {
    type Error = LinkError;

    fn try_from(address: &proto::RelayAddress) -> Result<Self, LinkError> {
        let port = u16::try_from(address.port).map_err(|_| LinkError::Port)?;
        let fingerprint =
            address.fingerprint.as_slice().try_into().map(Fingerprint).map_err(|_| LinkError::Fingerprint)?;
        if address.pass.len() > RELAY_PASS {
            return Err(LinkError::Pass);
        }
        // The text form checks host and port.
        let link: ServerLink = ServerLink { host: address.host.clone(), port, fingerprint }.to_string().parse()?;
        Ok(Self { host: link.host, port, fingerprint, pass: address.pass.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(pass: &[u8]) -> RelayLink {
        RelayLink { host: "[::1]".into(), port: 5535, fingerprint: Fingerprint([7; 32]), pass: pass.to_vec() }
    }

    #[test]
    fn a_relay_link_survives_its_text_form_with_and_without_a_pass() {
        for link in [link(b""), link(b"sixteen bytes ..")] {
            assert_eq!(link.to_string().parse(), Ok(link.clone()));
            assert_eq!(RelayLink::try_from(&proto::RelayAddress::from(link.clone())), Ok(link));
        }
    }

    #[test]
    fn a_pass_is_not_logged_by_accident() {
        let shown = format!("{:?}", link(b"sixteen bytes .."));
        assert!(shown.contains("5535") && !shown.contains("115") && !shown.contains("pass"), "{shown}");
    }

    #[test]
    fn the_link_of_a_server_names_its_relay() {
        let text = format!("subrosa://[::1]:5535/{}", Fingerprint([7; 32]));
        assert_eq!(text.parse(), Ok(link(b"")));
    }

    #[test]
    fn each_damage_of_a_relay_link_is_named() {
        let print = Fingerprint([7; 32]);
        let parse = |text: String| text.parse::<RelayLink>();
        assert_eq!(parse("http://a:1/x".into()), Err(LinkError::Scheme));
        assert_eq!(parse(format!("subrosa-relay://a:1/{print}/1")), Err(LinkError::Pass));
        assert_eq!(parse(format!("subrosa-relay://a:1/{print}/{}", "a".repeat(800))), Err(LinkError::Pass));
        assert_eq!(parse("subrosa-relay://a:1".into()), Err(LinkError::Fingerprint));
        assert_eq!(parse(format!("subrosa-relay://a:0/{print}")), Err(LinkError::Port));
    }

    #[test]
    fn what_a_peer_calls_a_relay_is_looked_at() {
        let good = proto::RelayAddress::from(link(b""));
        for bad in [
            proto::RelayAddress { host: "a/b".into(), ..good.clone() },
            proto::RelayAddress { host: String::new(), ..good.clone() },
            proto::RelayAddress { port: 65_536, ..good.clone() },
            proto::RelayAddress { port: 0, ..good.clone() },
            proto::RelayAddress { fingerprint: vec![7; 31], ..good.clone() },
            proto::RelayAddress { pass: vec![0; RELAY_PASS + 1], ..good },
        ] {
            assert!(RelayLink::try_from(&bad).is_err(), "{bad:?}");
        }
    }
}
