//! Frames as bytes. Encoding cannot fail; decoding refuses what is too large before it reads it.

use bytes::{Buf, Bytes, BytesMut};
use prost::Message;
use subrosa_types::limits;

use crate::proto::{ClientFrame, ServerFrame};

/// Largest frame that a server sends: a page, or one log entry of the largest commit.
pub const SERVER_FRAME: usize = limits::COMMIT_UPLOAD + limits::PAGE_BYTES;

/// Bytes that are no frame. The peer that sent them is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// More bytes than the limit that holds now.
    #[error("the frame is larger than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// No protobuf of the expected shape.
    #[error("the frame does not decode")]
    Malformed,
}

/// Encodes a frame (or any message of the schema).
pub fn encode(message: &impl Message) -> Bytes {
    let mut buffer = BytesMut::with_capacity(message.encoded_len());
    // Encoding into a buffer that grows cannot fail; prost's only error is a buffer that is too small.
    let _infallible = message.encode(&mut buffer);
    buffer.freeze()
}

/// Decodes a frame from a client of at most `limit` bytes ([`limits::FRAME_BEFORE_LOGIN`] or [`limits::FRAME`];
/// [`limits::COMMIT_UPLOAD`] for one put together from parts).
///
/// # Errors
/// See [`DecodeError`].
pub fn decode_client_frame(bytes: impl Buf, limit: usize) -> Result<ClientFrame, DecodeError> {
    decode(bytes, limit)
}

/// Decodes a frame from a server of at most [`SERVER_FRAME`] bytes.
///
/// # Errors
/// See [`DecodeError`].
pub fn decode_server_frame(bytes: impl Buf) -> Result<ServerFrame, DecodeError> {
    decode(bytes, SERVER_FRAME)
}

fn decode<M: Message + Default>(bytes: impl Buf, limit: usize) -> Result<M, DecodeError> {
    if bytes.remaining() > limit {
        return Err(DecodeError::TooLarge { limit });
    }
    M::decode(bytes).map_err(|_| DecodeError::Malformed)
}
