//! Records: messages inside the encryption, numbered, each the next one of its direction.
//!
//! The number stands outside the encryption, so that a replay or a gap can be named before anything is opened, and inside
//! it, so that it cannot be changed: both must be the number that is expected. A new link begins at 0 with new keys.
//!
//! Invariant: the messages that come out of [`Records::open`] are a prefix of those that went into the peer's
//! [`Records::seal`], in order (with an encryption that protects).

use bytes::Bytes;
use prost::Message;
use subrosa_crypto::encryptor::{Encryptor, EncryptorError};
use subrosa_wire::encode;
use subrosa_wire::proto::direct_frame::Frame;
use subrosa_wire::proto::direct_message::Message as Content;
use subrosa_wire::proto::{DirectFrame, DirectMessage, DirectRecord};

use crate::error::Break;

/// The two counters of a link.
#[derive(Debug, Default)]
pub struct Records {
    sent: u64,
    opened: u64,
}

impl Records {
    /// The next record as a frame.
    pub fn seal(&mut self, encryptor: &mut dyn Encryptor, content: Content) -> Result<Bytes, EncryptorError> {
        let number = self.sent;
        let message = DirectMessage { message: Some(content) };
        let mut plaintext = Vec::with_capacity(8 + message.encoded_len());
        plaintext.extend_from_slice(&number.to_be_bytes());
        plaintext.extend_from_slice(&message.encode_to_vec());
        let sealed = encryptor.seal(&plaintext)?;
        self.sent += 1;
        Ok(encode(&DirectFrame { frame: Some(Frame::Record(DirectRecord { number, sealed })) }))
    }

    /// The message in the next frame; `None` if it is of a kind that this version does not know.
    pub fn open(&mut self, encryptor: &mut dyn Encryptor, frame: Bytes) -> Result<Option<Content>, Break> {
        let frame = DirectFrame::decode(frame).map_err(|_| Break::Protocol("bytes that are no frame"))?;
        let Some(Frame::Record(record)) = frame.frame else { return Err(Break::Protocol("a frame that is no record")) };
        match record.number {
            number if number < self.opened => return Err(Break::Replayed),
            number if number > self.opened => return Err(Break::Reordered),
            _ => {}
        }
        let plaintext = encryptor.open(&record.sealed).map_err(|error| match error {
            EncryptorError::Replayed => Break::Replayed,
            EncryptorError::TooLarge => Break::TooLarge,
            _ => Break::Altered,
        })?;
        let (number, message) = plaintext.split_first_chunk::<8>().ok_or(Break::Altered)?;
        if u64::from_be_bytes(*number) != self.opened {
            return Err(Break::Altered);
        }
        self.opened += 1;
        let message = DirectMessage::decode(message).map_err(|_| Break::Protocol("a record that is no message"))?;
        Ok(message.message)
    }
}
