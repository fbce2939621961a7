//! What the outside of a message says: which conversation, which epoch, which kind. For routing, without a group.
//!
//! The server does this for every message it forwards, so the head is read by hand and nothing is copied. Read are
//! (RFC 9420 §6):
//!
//! ```text
//! struct { ProtocolVersion version = mls10(1); WireFormat wire_format; … } MLSMessage;
//! PublicMessage (1):  group_id<V>  uint64 epoch  Sender  authenticated_data<V>  ContentType  …
//! PrivateMessage (2): group_id<V>  uint64 epoch  ContentType  authenticated_data<V>
//!                     encrypted_sender_data<V>  ciphertext<V>
//! ```
//!
//! Nothing here is authenticated: whoever made the bytes wrote these values. A PrivateMessage is checked to its last
//! byte; of a PublicMessage only the head is read.

use subrosa_types::limits::{APPLICATION_MESSAGE, COMMIT_UPLOAD};
use subrosa_types::{ConversationId, Epoch};

/// Largest index of a leaf in any tree: nodes are numbered with 32 bits, and a leaf's number is twice its index.
const MAX_LEAF: u32 = (1 << 30) - 1;

/// The outside of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peek<'a> {
    /// The conversation it is for.
    pub conversation: ConversationId,
    /// The epoch it was made in.
    pub epoch: Epoch,
    /// What it is.
    pub kind: Kind,
    /// Data beside the content that everybody may read and only the sender can have written.
    pub authenticated_data: &'a [u8],
    /// Bytes of the whole message.
    pub size: usize,
}

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An application message in a PrivateMessage.
    Application,
    /// A proposal in a PublicMessage.
    Proposal,
    /// A commit in a PublicMessage.
    Commit,
}

/// Why bytes are no message of ours. Whoever sent them is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PeekError {
    /// Larger than its kind may be.
    #[error("the message has {size} bytes; at most {limit} are allowed")]
    TooLarge {
        /// Bytes it has.
        size: usize,
        /// Bytes it may have: [`APPLICATION_MESSAGE`] or [`COMMIT_UPLOAD`].
        limit: usize,
    },
    /// Not an MLS 1.0 PublicMessage or PrivateMessage, or cut off.
    #[error("these bytes are no MLS message")]
    Malformed,
    /// Its group id is not a conversation id (16 bytes).
    #[error("the group id is no conversation id")]
    NotAConversation,
    /// A handshake in a PrivateMessage, or an application message in a PublicMessage.
    #[error("a handshake must be public and an application message private")]
    WireFormat,
}

/// Reads the outside of a message. Takes less than a microsecond, whatever the size.
///
/// # Errors
/// [`PeekError`]; never panics.
pub fn peek(bytes: &[u8]) -> Result<Peek<'_>, PeekError> {
    // The larger limit first: the smaller one applies once the kind is known.
    check_size(bytes, COMMIT_UPLOAD)?;
    let mut reader = Reader(bytes);
    if reader.u16()? != 1 {
        return Err(PeekError::Malformed);
    }
    let public = match reader.u16()? {
        1 => true,
        2 => false,
        _ => return Err(PeekError::Malformed),
    };
    let conversation = ConversationId::from_slice(reader.vector()?).map_err(|_| PeekError::NotAConversation)?;
    let epoch = Epoch(u64::from_be_bytes(reader.array()?));
    let kind = if public {
        reader.sender()?;
        None
    } else {
        Some(reader.u8()?)
    };
    let authenticated_data = reader.vector()?;
    let kind = match (public, kind.map_or_else(|| reader.u8(), Ok)?) {
        (false, 1) => Kind::Application,
        (true, 2) => Kind::Proposal,
        (true, 3) => Kind::Commit,
        (true, 1) | (false, 2 | 3) => return Err(PeekError::WireFormat),
        _ => return Err(PeekError::Malformed),
    };
    if kind == Kind::Application {
        check_size(bytes, APPLICATION_MESSAGE)?;
        reader.vector()?;
        reader.vector()?;
        if !reader.0.is_empty() {
            return Err(PeekError::Malformed);
        }
    }
    Ok(Peek { conversation, epoch, kind, authenticated_data, size: bytes.len() })
}

fn check_size(bytes: &[u8], limit: usize) -> Result<(), PeekError> {
    if bytes.len() > limit { Err(PeekError::TooLarge { size: bytes.len(), limit }) } else { Ok(()) }
}

/// The bytes that are still to be read.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8], PeekError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(PeekError::Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], PeekError> {
        self.take(N)?.try_into().map_err(|_| PeekError::Malformed)
    }

    fn u8(&mut self) -> Result<u8, PeekError> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    fn u16(&mut self) -> Result<u16, PeekError> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, PeekError> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    /// `opaque data<V>` (RFC 9420 §2.1.2): the two high bits of the first byte say how long the length is, and the
    /// shortest form is the only one allowed.
    pub(crate) fn vector(&mut self) -> Result<&'a [u8], PeekError> {
        let first = self.u8()?;
        let high = u32::from(first & 0x3f);
        let length = match first >> 6 {
            0 => high,
            1 => {
                let length = (high << 8) | u32::from(self.u8()?);
                if length < 1 << 6 {
                    return Err(PeekError::Malformed);
                }
                length
            }
            2 => {
                let [a, b, c] = self.array()?;
                let length = (high << 24) | u32::from_be_bytes([0, a, b, c]);
                if length < 1 << 14 {
                    return Err(PeekError::Malformed);
                }
                length
            }
            _ => return Err(PeekError::Malformed),
        };
        self.take(length as usize)
    }

    /// Sender (RFC 9420 §6): a type, and an index for a member or an external sender.
    fn sender(&mut self) -> Result<(), PeekError> {
        match self.u8()? {
            1 | 2 if self.u32()? > MAX_LEAF => Err(PeekError::Malformed),
            1..=4 => Ok(()),
            _ => Err(PeekError::Malformed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// mls10, PrivateMessage, 16-byte group id, epoch 5, application, aad "hi", sender data, ciphertext.
    fn private(content_type: u8) -> Vec<u8> {
        let mut bytes = vec![0, 1, 0, 2, 16];
        bytes.extend([0xAB; 16]);
        bytes.extend(5_u64.to_be_bytes());
        bytes.extend([content_type, 2, b'h', b'i', 1, 0xDD, 3, 1, 2, 3]);
        bytes
    }

    /// mls10, PublicMessage, 16-byte group id, epoch 7, member 3, aad "", content type.
    fn public(sender: &[u8], content_type: u8) -> Vec<u8> {
        let mut bytes = vec![0, 1, 0, 1, 16];
        bytes.extend([0xAB; 16]);
        bytes.extend(7_u64.to_be_bytes());
        bytes.extend_from_slice(sender);
        bytes.extend([0, content_type]);
        bytes
    }

    #[test]
    fn the_head_of_an_application_message_is_read() {
        let bytes = private(1);
        let expected = Peek {
            conversation: ConversationId::from_bytes([0xAB; 16]),
            epoch: Epoch(5),
            kind: Kind::Application,
            authenticated_data: b"hi",
            size: bytes.len(),
        };
        assert_eq!(peek(&bytes), Ok(expected));
    }

    #[test]
    fn the_head_of_a_handshake_is_read_for_each_kind_of_sender() {
        for sender in [&[1, 0, 0, 0, 3][..], &[2, 0, 0, 0, 0], &[3], &[4]] {
            for (content_type, kind) in [(2, Kind::Proposal), (3, Kind::Commit)] {
                assert_eq!(
                    peek(&public(sender, content_type)).map(|peek| (peek.kind, peek.epoch)),
                    Ok((kind, Epoch(7)))
                );
            }
        }
        assert_eq!(peek(&public(&[1, 0xff, 0xff, 0xff, 0xff], 3)), Err(PeekError::Malformed));
        assert_eq!(peek(&public(&[5], 3)), Err(PeekError::Malformed));
    }

    #[test]
    fn hidden_handshakes_and_open_application_messages_are_refused() {
        assert_eq!(peek(&private(2)), Err(PeekError::WireFormat));
        assert_eq!(peek(&private(3)), Err(PeekError::WireFormat));
        assert_eq!(peek(&public(&[4], 1)), Err(PeekError::WireFormat));
    }

    #[test]
    fn what_is_cut_off_or_too_long_is_refused() {
        let whole = private(1);
        for length in 0..whole.len() {
            assert!(peek(&whole[..length]).is_err(), "{length}");
        }
        let mut longer = whole;
        longer.push(0);
        assert_eq!(peek(&longer), Err(PeekError::Malformed));
    }

    #[test]
    fn lengths_use_their_shortest_form() {
        for (bytes, expected) in [
            (&[0x01, 9][..], Ok(&[9][..])),
            (&[0x40, 0x01, 9], Err(PeekError::Malformed)),
            (&[0x80, 0, 0, 1, 9], Err(PeekError::Malformed)),
            (&[0xC0, 9], Err(PeekError::Malformed)),
        ] {
            assert_eq!(Reader(bytes).vector(), expected);
        }
    }

    #[test]
    fn size_is_limited_by_kind() {
        let oversized = vec![0; COMMIT_UPLOAD + 1];
        assert!(matches!(peek(&oversized), Err(PeekError::TooLarge { limit: COMMIT_UPLOAD, .. })));
        let mut message = private(1);
        message.resize(APPLICATION_MESSAGE + 1, 0);
        assert!(matches!(peek(&message), Err(PeekError::TooLarge { limit: APPLICATION_MESSAGE, .. })));
    }
}
