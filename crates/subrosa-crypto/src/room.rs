//! What binds a room: which one it is, who a guest says to be, and the words by which guests compare what they see.
//!
//! Both sides make the bytes of [`context`] and of [`Guest::credential`] themselves, from what they know, and compare: a
//! room of another name, on another server, or under another id has another GroupContext, and with it other keys.
//!
//! A server could keep two groups under one room's name, one for each half of the guests, and stand between them. It cannot
//! make both come to the same epoch authenticator (RFC 9420 §8.7), which depends on every key and member of the group:
//!
//! ```text
//! words = first 12 × 11 bits of SHA-256( "subrosa v1 room" 0x00 epoch_authenticator ), BIP-39 English
//! ```
//!
//! 132 bits, so that a server which makes both groups finds no two of equal words by trying either (2^66 tries).

use prost::Message;
use subrosa_types::{ConversationId, Username};
use subrosa_wire::proto::{RoomContext, RoomGuest};

use crate::keys::VerifyingKey;

const VERSION: u32 = 1;
/// Longest credential of a guest: a name, and the tags around it.
const CREDENTIAL: usize = subrosa_types::limits::USERNAME + 16;
const WORDS: usize = 12;

/// The certificate in the GroupContext of a room.
pub fn context(server_key: &VerifyingKey, conversation: ConversationId, room: &Username) -> Vec<u8> {
    RoomContext {
        version: VERSION,
        server_key: server_key.to_vec(),
        conversation_id: conversation.to_vec(),
        room: room.to_string(),
    }
    .encode_to_vec()
}

/// Somebody in a room. The name is what the server let in; that it belongs to an account is the server's word alone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Guest {
    /// The name.
    pub name: Username,
    /// Entered with an account of this server.
    pub member: bool,
}

impl Guest {
    /// The identity in the credential of this guest's leaf.
    pub fn credential(&self) -> Vec<u8> {
        RoomGuest { version: VERSION, name: self.name.to_string(), member: self.member }.encode_to_vec()
    }

    /// The guest of a leaf; `None` for a credential that is not exactly as [`Self::credential`] makes it.
    pub fn from_credential(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > CREDENTIAL {
            return None;
        }
        let guest = RoomGuest::decode(bytes).ok()?;
        let guest = Self { name: Username::from_prepared(&guest.name).ok()?, member: guest.member };
        (guest.credential() == bytes).then_some(guest)
    }

    /// What must not be there twice in a room: the look of the name, apart for accounts and others.
    pub fn look(&self) -> (bool, String) {
        (self.member, self.name.skeleton())
    }
}

impl std::fmt::Display for Guest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.member {
            f.write_str("@")?;
        }
        f.write_str(self.name.as_str())
    }
}

/// The words for an epoch, to read out: the same for two guests only if they are in the same group and epoch.
pub fn words(epoch_authenticator: &[u8]) -> String {
    let hash = crate::sha256(&[b"subrosa v1 room\0", epoch_authenticator].concat());
    crate::safety_number::words(&hash, WORDS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SigningKey;
    use crate::fixtures::rng;

    fn guest(name: &str, member: bool) -> Guest {
        Guest { name: name.parse().unwrap(), member }
    }

    #[test]
    fn the_context_tells_rooms_servers_and_lives_of_a_room_apart() {
        let (key, other) = (SigningKey::generate(&mut rng(1)).public(), SigningKey::generate(&mut rng(2)).public());
        let (id, next) = (ConversationId::from_bytes([1; 16]), ConversationId::from_bytes([2; 16]));
        let (lobby, cellar) = ("lobby".parse().unwrap(), "cellar".parse().unwrap());
        let all = [
            context(&key, id, &lobby),
            context(&other, id, &lobby),
            context(&key, next, &lobby),
            context(&key, id, &cellar),
        ];
        let different: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(different.len(), all.len());
    }

    #[test]
    fn a_credential_has_one_form_and_others_are_none() {
        for bob in [guest("bob", false), guest("bob", true)] {
            let bytes = bob.credential();
            assert_eq!(Guest::from_credential(&bytes), Some(bob));
            assert_eq!(Guest::from_credential(&[&bytes[..], &[0x20, 1]].concat()), None, "more behind it");
            assert_eq!(Guest::from_credential(&bytes[..bytes.len() - 1]), None, "cut off");
        }
        for (version, name) in [(1, "Bob"), (1, "@bob"), (1, ""), (1, "bob\u{202e}"), (2, "bob"), (1, "bоb")] {
            let bytes = RoomGuest { version, name: name.into(), member: false }.encode_to_vec();
            assert_eq!(Guest::from_credential(&bytes), None, "{name:?}");
        }
        assert_eq!(Guest::from_credential(&[0; 1000]), None);
    }

    #[test]
    fn names_that_look_alike_look_alike_and_an_account_is_shown_as_one() {
        assert_eq!(guest("bob1", false).look(), guest("bobl", false).look());
        assert_ne!(guest("bob", false).look(), guest("bob", true).look());
        assert_eq!((guest("bob", false).to_string(), guest("bob", true).to_string()), ("bob".into(), "@bob".into()));
    }

    #[test]
    fn the_words_are_frozen_and_differ_with_the_authenticator() {
        let shown = words(&[7; 32]);
        assert_eq!(shown.split(' ').count(), WORDS);
        assert_ne!(shown, words(&[8; 32]));
        // Computed once more with another implementation.
        assert_eq!(shown, "cradle hawk win category reveal lens promote pencil section chuckle scare demise");
    }
}
