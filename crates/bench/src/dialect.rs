//! How a message is put for a server and what a server's frame brings: the floor's way and the real one.
//!
//! The generator stamps each message with the time when it was sent, in its last eight bytes, and finds the stamp again
//! at the receiver. It cannot afford to decode every frame into objects, so the real server's frames are walked field by
//! field here; nothing is checked that the client does not check before it decrypts.

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use prost::Message as _;
use subrosa_types::{ConversationId, Epoch};
use subrosa_wire::proto::{Append, ClientFrame, ErrorCode, client_frame::Request};

use crate::protobuf::{Field, next_field};
use crate::websocket::{End, write_header};

/// Bytes of ciphertext in a message.
pub const PAYLOAD: usize = 256;

/// What a frame from the server brought besides messages.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Answers {
    /// Messages of ours that the server accepted, and wrote to disk.
    pub accepted: u64,
}

/// A way to send and to receive.
pub trait Dialect: Clone + 'static {
    /// Appends a WebSocket frame that sends message `number` of this connection, which was made at `stamp`.
    fn write(&self, number: u64, stamp: u64, out: &mut Vec<u8>);

    /// Reads a frame of the server and calls `delivered` with the stamp of each message in it.
    ///
    /// # Errors
    /// When the server refuses something, or falls back to the log.
    fn read(&self, frame: &[u8], delivered: &mut impl FnMut(u64)) -> Result<Answers>;

    /// Whether each message is answered to its sender.
    const ANSWERS: bool;
}

/// A topic of the floor.
#[derive(Clone, Copy)]
pub struct FloorTopic(pub u32);

impl Dialect for FloorTopic {
    const ANSWERS: bool = false;

    fn write(&self, _number: u64, stamp: u64, out: &mut Vec<u8>) {
        write_header(out, End::Client, 4 + PAYLOAD);
        out.extend_from_slice(&self.0.to_le_bytes());
        out.extend_from_slice(&[0x5a; PAYLOAD - 8]);
        out.extend_from_slice(&stamp.to_le_bytes());
    }

    fn read(&self, frame: &[u8], delivered: &mut impl FnMut(u64)) -> Result<Answers> {
        delivered(stamp_of(frame)?);
        Ok(Answers::default())
    }
}

/// A conversation of the real server, seen from one member.
///
/// Messages are PrivateMessages (RFC 9420 §6.3) of the right group and epoch, with random bytes for what only members can
/// read. The server cannot tell them from real ones, and the generator does not spend its core on encrypting.
#[derive(Clone)]
pub struct Member {
    conversation: ConversationId,
    /// A whole message but for the stamp.
    message: Vec<u8>,
    /// Different for each connection, so that no two messages are taken for the same.
    idempotency: u64,
}

impl Member {
    /// In `conversation`, which is in `epoch`; `connection` is different for each connection of one run.
    pub fn new(conversation: ConversationId, epoch: Epoch, connection: u64) -> Self {
        Self { conversation, message: private_message(conversation, epoch), idempotency: connection }
    }

    /// The request that appends message `number`.
    pub fn append(&self, number: u64, stamp: u64) -> ClientFrame {
        let mut message = self.message.clone();
        message.truncate(message.len() - 8);
        message.extend_from_slice(&stamp.to_le_bytes());
        let idempotency_key = [self.idempotency.to_le_bytes(), number.to_le_bytes()].concat();
        let append =
            Append { conversation_id: self.conversation.to_vec(), message: Bytes::from(message), idempotency_key };
        ClientFrame { id: number, request: Some(Request::Append(append)) }
    }
}

impl Dialect for Member {
    const ANSWERS: bool = true;

    fn write(&self, number: u64, stamp: u64, out: &mut Vec<u8>) {
        let frame = self.append(number, stamp);
        write_header(out, End::Client, frame.encoded_len());
        // A Vec grows; prost's only error is a buffer that does not.
        let _infallible = frame.encode(out);
    }

    fn read(&self, mut frame: &[u8], delivered: &mut impl FnMut(u64)) -> Result<Answers> {
        let mut answers = Answers::default();
        while let Some((number, field)) = next_field(&mut frame)? {
            let Field::Bytes(mut body) = field else { continue };
            match number {
                // AcceptedBatch.accepted
                2 => {
                    while let Some((1, _)) = next_field(&mut body)? {
                        answers.accepted += 1;
                    }
                }
                // Deliver.entries
                3 => {
                    while let Some((number, field)) = next_field(&mut body)? {
                        if let (2, Field::Bytes(entry)) = (number, field) {
                            delivered(stamp_of(message_of(entry)?)?);
                        }
                    }
                }
                1 => refuse_error(body)?,
                6 => bail!("the server left pushes out, because the generator did not keep up"),
                7 => bail!("the server ended the connection"),
                _ => {}
            }
        }
        Ok(answers)
    }
}

/// Fails if an Answer is a refusal.
fn refuse_error(mut answer: &[u8]) -> Result<()> {
    while let Some((number, field)) = next_field(&mut answer)? {
        if let (2, Field::Bytes(mut error)) = (number, field) {
            let code = match next_field(&mut error)? {
                Some((1, Field::Number(code))) => i32::try_from(code)?,
                _ => 0,
            };
            let name = ErrorCode::try_from(code).map_or("an unknown code", |code| code.as_str_name());
            bail!("the server refused a message: {name}");
        }
    }
    Ok(())
}

/// LogEntry.message
fn message_of(mut entry: &[u8]) -> Result<&[u8]> {
    while let Some((number, field)) = next_field(&mut entry)? {
        if let (3, Field::Bytes(message)) = (number, field) {
            return Ok(message);
        }
    }
    bail!("a log entry without a message")
}

/// An MLSMessage with a PrivateMessage: version 1, wire format 2, group id, epoch, content type application, no
/// authenticated data (a MessageContext of class chat is empty), sender data of 12 bytes and a tag, ciphertext.
fn private_message(conversation: ConversationId, epoch: Epoch) -> Vec<u8> {
    let mut message = vec![0, 1, 0, 2];
    write_vector(&conversation.to_vec(), &mut message);
    message.extend_from_slice(&epoch.0.to_be_bytes());
    message.push(1);
    write_vector(&[], &mut message);
    write_vector(&[0x3c; 28], &mut message);
    write_vector(&[0xa7; PAYLOAD], &mut message);
    message
}

/// A vector of bytes with its length as RFC 9420 §2.1.2 writes it.
fn write_vector(bytes: &[u8], out: &mut Vec<u8>) {
    match bytes.len() {
        length @ ..64 => out.push(length as u8),
        length => out.extend_from_slice(&(0x4000 | length as u16).to_be_bytes()),
    }
    out.extend_from_slice(bytes);
}

/// The stamp in a message's last eight bytes.
fn stamp_of(message: &[u8]) -> Result<u64> {
    Ok(u64::from_le_bytes(*message.last_chunk().context("a message without a stamp")?))
}

#[cfg(test)]
mod tests {
    use subrosa_wire::proto::{
        Accepted, AcceptedBatch, Answer, Deliver, Error, LogEntry, ServerFrame, answer, server_frame,
    };

    use super::*;

    fn read(body: server_frame::Body) -> Result<(Answers, Vec<u64>)> {
        let member = Member::new(ConversationId::from_bytes([1; 16]), Epoch(3), 0);
        let mut stamps = Vec::new();
        let answers =
            member.read(&ServerFrame { body: Some(body) }.encode_to_vec(), &mut |stamp| stamps.push(stamp))?;
        Ok((answers, stamps))
    }

    #[test]
    fn the_server_takes_the_message_for_one_of_the_group_and_epoch() {
        let member = Member::new(ConversationId::from_bytes([1; 16]), Epoch(3), 0);
        let Some(Request::Append(append)) = member.append(9, 7).request else { panic!("an append") };
        let peek = subrosa_mls::peek(&append.message).unwrap();
        assert_eq!((peek.conversation, peek.epoch), (ConversationId::from_bytes([1; 16]), Epoch(3)));
        assert_eq!(peek.kind, subrosa_mls::Kind::Application);
        assert_eq!(stamp_of(&append.message).unwrap(), 7);
    }

    #[test]
    fn deliveries_and_answers_are_counted() {
        let member = Member::new(ConversationId::from_bytes([1; 16]), Epoch(3), 0);
        let entry = |stamp| {
            let Some(Request::Append(append)) = member.append(9, stamp).request else { panic!("an append") };
            LogEntry { sequence: 1, at: 2, message: append.message, idempotency_key: append.idempotency_key }
        };
        let deliver = Deliver { conversation_id: vec![1; 16], entries: vec![entry(5), entry(6)] };
        assert_eq!(read(server_frame::Body::Deliver(deliver)).unwrap(), (Answers::default(), vec![5, 6]));
        let batch = AcceptedBatch { accepted: vec![Accepted::default(), Accepted { id: 1, sequence: 2, at: 3 }] };
        assert_eq!(read(server_frame::Body::Accepted(batch)).unwrap(), (Answers { accepted: 2 }, vec![]));
    }

    #[test]
    fn a_refusal_is_an_error_that_names_its_code() {
        let error = Error { code: ErrorCode::StaleEpoch.into(), ..Error::default() };
        let answer = Answer { id: 1, body: Some(answer::Body::Error(error)) };
        let refused = read(server_frame::Body::Answer(answer)).unwrap_err();
        assert_eq!(refused.to_string(), "the server refused a message: STALE_EPOCH");
    }
}
