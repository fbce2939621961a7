//! The address of a server: `subrosa://HOST:PORT/FINGERPRINT`.
//!
//! The fingerprint is what counts; the host is only where the server can be found. It is the SHA-256 of the server's
//! Ed25519 identity key, in lower-case base32 without padding (52 characters).

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE32_NOPAD;

/// SHA-256 of a server's identity key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 32]);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE32_NOPAD.encode(&self.0).to_ascii_lowercase())
    }
}

impl FromStr for Fingerprint {
    type Err = LinkError;

    fn from_str(text: &str) -> Result<Self, LinkError> {
        let bytes = BASE32_NOPAD.decode(text.to_ascii_uppercase().as_bytes()).map_err(|_| LinkError::Fingerprint)?;
        bytes.try_into().map(Self).map_err(|_| LinkError::Fingerprint)
    }
}

/// Where a server is and who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerLink {
    /// Host name or address, as one writes it in a URL (IPv6 in brackets).
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// The identity that the connection must prove.
    pub fingerprint: Fingerprint,
}

/// A text that is no server link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Another scheme than `subrosa://`.
    #[error("a server link starts with subrosa://")]
    Scheme,
    /// No host, or characters that no host has.
    #[error("the server link has no valid host")]
    Host,
    /// No port, or none between 1 and 65535.
    #[error("the server link has no valid port")]
    Port,
    /// The fingerprint is missing or damaged.
    #[error("the server link's fingerprint is missing or damaged; copy the whole link")]
    Fingerprint,
    /// The pass of a relay link is damaged.
    #[error("the relay link's pass is damaged; copy the whole link")]
    Pass,
}

impl fmt::Display for ServerLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "subrosa://{}:{}/{}", self.host, self.port, self.fingerprint)
    }
}

impl FromStr for ServerLink {
    type Err = LinkError;

    fn from_str(text: &str) -> Result<Self, LinkError> {
        let rest = text.trim().strip_prefix("subrosa://").ok_or(LinkError::Scheme)?;
        let (address, fingerprint) = rest.split_once('/').ok_or(LinkError::Fingerprint)?;
        let (host, port) = address.rsplit_once(':').ok_or(LinkError::Port)?;
        let port = port.parse::<u16>().ok().filter(|port| *port != 0).ok_or(LinkError::Port)?;
        let plain = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':');
        if plain.is_empty()
            || plain.len() > 253
            || !plain.chars().all(allowed)
            || (plain.contains(':') && plain == host)
        {
            return Err(LinkError::Host);
        }
        Ok(Self { host: host.to_owned(), port, fingerprint: fingerprint.trim_end_matches('/').parse()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(text: &str) -> Result<ServerLink, LinkError> {
        text.parse()
    }

    #[test]
    fn a_link_survives_its_text_form() {
        for host in ["127.0.0.1", "chat.example.org", "[::1]"] {
            let link = ServerLink { host: host.into(), port: 5535, fingerprint: Fingerprint([7; 32]) };
            assert_eq!(link.to_string().parse(), Ok(link));
        }
    }

    #[test]
    fn each_damage_is_named() {
        let print = Fingerprint([7; 32]);
        assert_eq!(link("http://a:1/x"), Err(LinkError::Scheme));
        assert_eq!(link("subrosa://a:1"), Err(LinkError::Fingerprint));
        assert_eq!(link("subrosa://a:1/abc"), Err(LinkError::Fingerprint));
        assert_eq!(link(&format!("subrosa://a:0/{print}")), Err(LinkError::Port));
        assert_eq!(link(&format!("subrosa://::1:5535/{print}")), Err(LinkError::Host));
        assert_eq!(link(&format!("subrosa://a b:5535/{print}")), Err(LinkError::Host));
    }
}
