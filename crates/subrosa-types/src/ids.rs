//! Identifiers and positions. Sixteen random bytes name a thing; a number names a place in a log.
//!
//! Ids are made by the side that creates the thing, from the randomness handed to it, and are shown to people as
//! lower-case base32 without padding (26 characters, no characters that need quoting in a shell).

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use data_encoding::BASE32_NOPAD;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A text or byte string that is no id of the expected kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not a valid id")]
pub struct InvalidId;

/// Reads an id of a text format, or the bytes that a binary format had where serde hides which one it was.
struct IdVisitor;

impl<'de> Visitor<'de> for IdVisitor {
    type Value = [u8; 16];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id: 26 letters and digits")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
        decode(text).map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut bytes: A) -> Result<Self::Value, A::Error> {
        let mut id = [0; 16];
        for byte in &mut id {
            *byte = bytes.next_element()?.ok_or_else(|| A::Error::custom(InvalidId))?;
        }
        match bytes.next_element::<u8>()? {
            None => Ok(id),
            Some(_) => Err(A::Error::custom(InvalidId)),
        }
    }
}

fn decode(text: &str) -> Result<[u8; 16], InvalidId> {
    if text.len() != 26 {
        return Err(InvalidId);
    }
    let bytes = BASE32_NOPAD.decode(text.to_ascii_uppercase().as_bytes()).map_err(|_| InvalidId)?;
    bytes.try_into().map_err(|_| InvalidId)
}

macro_rules! random_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// The id with these bytes.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The id in a byte string that came from outside.
            ///
            /// # Errors
            /// [`InvalidId`] unless there are exactly 16 bytes.
            pub fn from_slice(bytes: &[u8]) -> Result<Self, InvalidId> {
                bytes.try_into().map(Self).map_err(|_| InvalidId)
            }

            /// The 16 bytes.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }

            /// The 16 bytes, owned, as the wire carries them.
            pub fn to_vec(&self) -> Vec<u8> {
                self.0.to_vec()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&BASE32_NOPAD.encode(&self.0).to_ascii_lowercase())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() { serializer.collect_str(self) } else { self.0.serialize(serializer) }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    deserializer.deserialize_any(IdVisitor).map(Self)
                } else {
                    <[u8; 16]>::deserialize(deserializer).map(Self)
                }
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"type": "string", "pattern": "^[a-z2-7]{26}$"})
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                decode(text).map(Self)
            }
        }
    };
}

random_id! {
    /// An account: one person on one server. Made on the person's first device, never reused.
    AccountId
}
random_id! {
    /// A device of an account: one profile. The MLS leaf of this device carries it in its certificate.
    DeviceId
}
random_id! {
    /// A conversation (private chat, group or room); at the same time the MLS group id.
    ConversationId
}
random_id! {
    /// Makes the repetition of an append harmless: the same key is appended once. For what a person sends it is also
    /// the message's id in the sender's outbox.
    IdempotencyKey
}
random_id! {
    /// A message as people and scripts name it, the same on every device that has it.
    MessageId
}

macro_rules! position {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        pub struct $name(pub u64);

        impl $name {
            /// The position behind this one.
            ///
            /// # Panics
            /// Never in practice: 2⁶⁴ positions are not reached.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0 + 1)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

position! {
    /// Position of an entry in a conversation's log. The first entry has 1; 0 stands for "before everything".
    Sequence
}
position! {
    /// MLS epoch of a group (RFC 9420 §8).
    Epoch
}
position! {
    /// Position of an entry in the server's role log. The first entry has 1; 0 stands for the empty log.
    RolePosition
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_its_text_form() {
        let id = AccountId::from_bytes([0xA7; 16]);
        assert_eq!(id.to_string().parse::<AccountId>(), Ok(id));
        assert_eq!(id.to_string().len(), 26);
    }

    #[test]
    fn what_is_not_sixteen_bytes_is_no_id() {
        assert_eq!(DeviceId::from_slice(&[0; 15]), Err(InvalidId));
        assert_eq!("aa".parse::<DeviceId>(), Err(InvalidId));
        assert_eq!("!".repeat(26).parse::<DeviceId>(), Err(InvalidId));
    }
}
