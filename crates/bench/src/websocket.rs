//! The little of RFC 6455 that the benchmark needs on both of its sides: binary frames in whole buffers.
//!
//! The generator has to read several million small messages a second on one core, and the floor has to be as fast as
//! such a server can be, so neither goes through a general library. No fragments, no text, no extensions; control
//! frames are reported to the caller.

use anyhow::{Result, bail};

/// Reading buffers grow to this.
const LARGEST_BUFFER: usize = 256 * 1024;
/// And begin with this, so that an idle connection costs little.
const FIRST_BUFFER: usize = 1024;

/// Which end of the connection writes a frame: RFC 6455 §5.1 asks clients to mask.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Masks what it sends, with the key zero: the bytes stay, and the benchmark's generator saves the work.
    Client,
    /// Does not mask.
    Server,
}

/// Appends the header of a binary frame with `length` bytes of payload.
pub fn write_header(out: &mut Vec<u8>, end: End, length: usize) {
    let mask = if end == End::Client { 0x80 } else { 0 };
    out.push(0x82);
    if length < 126 {
        out.push(mask | length as u8);
    } else if let Ok(length) = u16::try_from(length) {
        out.push(mask | 126);
        out.extend_from_slice(&length.to_be_bytes());
    } else {
        out.push(mask | 127);
        out.extend_from_slice(&(length as u64).to_be_bytes());
    }
    if end == End::Client {
        out.extend_from_slice(&[0; 4]);
    }
}

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A message.
    Binary,
    /// To be answered with a pong.
    Ping,
    /// The answer to a ping.
    Pong,
    /// The other side ends the connection.
    Close,
}

/// Bytes that came in and are cut into frames.
pub struct Inbox {
    buffer: Vec<u8>,
    begin: usize,
    end: usize,
}

impl Default for Inbox {
    fn default() -> Self {
        Self { buffer: vec![0; FIRST_BUFFER], begin: 0, end: 0 }
    }
}

impl Inbox {
    /// Where the next bytes go: at least one free byte.
    pub fn space(&mut self) -> &mut [u8] {
        if self.begin == self.end {
            (self.begin, self.end) = (0, 0);
        }
        if self.end == self.buffer.len() {
            self.buffer.copy_within(self.begin..self.end, 0);
            (self.begin, self.end) = (0, self.end - self.begin);
            // Full, or nearly: a larger frame, or much to read at once.
            if self.end * 2 > self.buffer.len() {
                self.buffer.resize(self.buffer.len() * 2, 0);
            }
        }
        &mut self.buffer[self.end..]
    }

    /// `count` bytes of [`Inbox::space`] were filled.
    pub fn filled(&mut self, count: usize) {
        self.end += count;
        if self.end == self.buffer.len() && self.buffer.len() < LARGEST_BUFFER {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
    }

    /// The next whole frame, unmasked.
    ///
    /// # Errors
    /// For a fragment, or a kind of frame that this benchmark does not use.
    pub fn next_frame(&mut self) -> Result<Option<(Kind, &mut [u8])>> {
        let bytes = &self.buffer[self.begin..self.end];
        let [first, second, rest @ ..] = bytes else { return Ok(None) };
        let kind = match first {
            0x82 => Kind::Binary,
            0x89 => Kind::Ping,
            0x8a => Kind::Pong,
            0x88 => Kind::Close,
            other => bail!("a WebSocket frame that begins with {other:#04x}"),
        };
        let (length, header) = match second & 0x7f {
            126 => match rest.first_chunk::<2>() {
                Some(length) => (usize::from(u16::from_be_bytes(*length)), 4),
                None => return Ok(None),
            },
            127 => match rest.first_chunk::<8>() {
                Some(length) => (usize::try_from(u64::from_be_bytes(*length))?, 10),
                None => return Ok(None),
            },
            length => (usize::from(length), 2),
        };
        let mask = if second & 0x80 == 0 { None } else { bytes[header.min(bytes.len())..].first_chunk::<4>().copied() };
        let header = if second & 0x80 == 0 { header } else { header + 4 };
        if bytes.len() < header.saturating_add(length) {
            return Ok(None);
        }
        let begin = self.begin + header;
        self.begin = begin + length;
        let payload = &mut self.buffer[begin..begin + length];
        if let Some(mask) = mask.filter(|mask| *mask != [0; 4]) {
            for (byte, mask) in payload.iter_mut().zip(mask.iter().cycle()) {
                *byte ^= mask;
            }
        }
        Ok(Some((kind, payload)))
    }

    /// What came in and was not taken as frames (the HTTP head of the handshake).
    pub fn unread(&self) -> &[u8] {
        &self.buffer[self.begin..self.end]
    }

    /// Leaves out `count` bytes of [`Inbox::unread`].
    pub fn skip(&mut self, count: usize) {
        self.begin = self.end.min(self.begin + count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(inbox: &mut Inbox, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let space = inbox.space();
            let count = space.len().min(bytes.len());
            space[..count].copy_from_slice(&bytes[..count]);
            inbox.filled(count);
            bytes = &bytes[count..];
        }
    }

    #[test]
    fn frames_of_every_length_survive_any_cut() {
        for end in [End::Client, End::Server] {
            for length in [0, 1, 125, 126, 65_535, 65_536, 300_000] {
                let payload: Vec<u8> = (0..length).map(|at| at as u8).collect();
                let mut bytes = Vec::new();
                write_header(&mut bytes, end, length);
                bytes.extend_from_slice(&payload);
                let mut inbox = Inbox::default();
                for part in bytes.chunks(length / 3 + 1) {
                    assert!(inbox.next_frame().unwrap().is_none());
                    push(&mut inbox, part);
                }
                let (kind, got) = inbox.next_frame().unwrap().unwrap();
                assert_eq!((kind, &*got), (Kind::Binary, &payload[..]));
                assert!(inbox.next_frame().unwrap().is_none());
            }
        }
    }

    #[test]
    fn a_mask_is_taken_off() {
        let mut inbox = Inbox::default();
        push(&mut inbox, &[0x82, 0x83, 1, 2, 3, 4, b'a' ^ 1, b'b' ^ 2, b'c' ^ 3, 0x89, 0]);
        assert_eq!(inbox.next_frame().unwrap().unwrap().1, b"abc");
        assert_eq!(inbox.next_frame().unwrap().unwrap().0, Kind::Ping);
    }

    #[test]
    fn a_fragment_is_an_error() {
        let mut inbox = Inbox::default();
        push(&mut inbox, &[0x02, 0]);
        assert!(inbox.next_frame().is_err());
    }
}
