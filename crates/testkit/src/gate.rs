//! The server's front door as far as the core cannot do without it: decodes frames under the limit that holds, and puts
//! parts together.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use subrosa_server::core::{Emission, Job, Request, SessionId};
use subrosa_types::limits;
use subrosa_wire::decode_client_frame;
use subrosa_wire::proto::client_frame;

/// What the server remembers of connections in front of its core.
#[derive(Debug, Default)]
pub struct Gate {
    logged_in: BTreeSet<SessionId>,
    parts: BTreeMap<SessionId, (u64, Vec<u8>)>,
}

/// What a client sent cannot be taken; its connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused;

impl Gate {
    /// A frame came. `None`: more parts have to come first.
    ///
    /// # Errors
    /// [`Refused`] for what does not decode or is too large.
    pub fn frame(&mut self, session: SessionId, frame: &Bytes) -> Result<Option<Job>, Refused> {
        let limit = if self.logged_in.contains(&session) { limits::FRAME } else { limits::FRAME_BEFORE_LOGIN };
        let decoded = decode_client_frame(frame.clone(), limit).map_err(|_| Refused)?;
        let Some(client_frame::Request::Part(part)) = decoded.request else {
            return Ok(Some(Job { session, request: Request::Frame(decoded) }));
        };
        let (id, bytes) = self.parts.entry(session).or_insert((decoded.id, Vec::new()));
        bytes.extend_from_slice(&part.bytes);
        if *id != decoded.id || bytes.len() > limits::COMMIT_UPLOAD {
            return Err(Refused);
        }
        if !part.last {
            return Ok(None);
        }
        let (_, whole) = self.parts.remove(&session).ok_or(Refused)?;
        let decoded = decode_client_frame(whole.as_slice(), limits::COMMIT_UPLOAD).map_err(|_| Refused)?;
        Ok(Some(Job { session, request: Request::Frame(decoded) }))
    }

    /// Notes who is logged in now.
    pub fn emitted(&mut self, emission: &Emission) {
        if let Emission::LoggedIn { session, .. } = emission {
            self.logged_in.insert(*session);
        }
    }

    /// A connection is gone.
    pub fn gone(&mut self, session: SessionId) {
        self.logged_in.remove(&session);
        self.parts.remove(&session);
    }
}
