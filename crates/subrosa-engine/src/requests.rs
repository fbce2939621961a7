//! Requests to the server that wait for their answer, and what to do with it.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use subrosa_types::{AccountId, ConversationId, IdempotencyKey, Timestamp, Username, limits};
use subrosa_wire::proto::{ClientFrame, Part, client_frame};

use crate::direct::RoadId;
use crate::engine::CommandId;

/// What a request was for. One variant a kind of answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pending {
    /// The connection's first frame.
    Hello,
    /// A step of login, sign-up or enrolment: the session knows which.
    Session,
    /// Role log behind our head.
    RoleLog,
    /// Inbox.
    Inbox,
    /// Inbox items taken in; nothing depends on the answer.
    Acknowledged,
    /// Log of a conversation.
    Log(ConversationId),
    /// Welcome of a conversation.
    Welcome(ConversationId),
    /// Group info of a conversation to enter.
    GroupInfo(ConversationId),
    /// Directory entry of an account that was met.
    Person(AccountId),
    /// Directory entry of somebody to whom something waits in the outbox.
    Peer(Username),
    /// Key packages for a new conversation or an addition.
    KeyPackages(AccountId),
    /// Key packages were topped up.
    Published,
    /// An application message.
    Append(ConversationId, IdempotencyKey),
    /// A commit.
    Commit(ConversationId, IdempotencyKey),
    /// A certificate for the conversation that this founding is about.
    Reserve(u64),
    /// Heads of all conversations.
    Heads,
    /// A pass for the server's relay.
    RelayPass(RoadId),
    /// A step of a command.
    Command(CommandId),
}

/// Seconds without an answer after which the link counts as dead.
const ANSWER_MS: i64 = 30_000;
/// Requests under way at once; the rest waits here. Below the server's [`limits::REQUESTS_IN_FLIGHT`].
const WINDOW: usize = 128;

#[derive(Debug)]
struct Sent {
    what: Pending,
    at: Timestamp,
}

/// The requests of one connection.
#[derive(Debug, Default)]
pub struct Requests {
    next: u64,
    sent: BTreeMap<u64, Sent>,
    waiting: VecDeque<(client_frame::Request, Pending)>,
}

impl Requests {
    /// Puts a request in line.
    pub fn push(&mut self, request: client_frame::Request, what: Pending) {
        self.waiting.push_back((request, what));
    }

    /// Whether a request of this kind waits or is under way.
    pub fn has(&self, what: &Pending) -> bool {
        self.sent.values().any(|sent| sent.what == *what) || self.waiting.iter().any(|(_, waiting)| waiting == what)
    }

    /// Whether any request fulfils the condition.
    pub fn any(&self, condition: impl Fn(&Pending) -> bool) -> bool {
        self.sent.values().any(|sent| condition(&sent.what)) || self.waiting.iter().any(|(_, what)| condition(what))
    }

    /// Frames that may be sent now.
    pub fn transmit(&mut self, now: Timestamp) -> Vec<Bytes> {
        let mut frames = Vec::new();
        while self.sent.len() < WINDOW {
            let Some((request, what)) = self.waiting.pop_front() else { break };
            self.next += 1;
            let id = self.next;
            let frame = subrosa_wire::encode(&ClientFrame { id, request: Some(request) });
            if frame.len() <= limits::FRAME {
                frames.push(frame);
            } else {
                frames.extend(parts(id, &frame));
            }
            self.sent.insert(id, Sent { what, at: now });
        }
        frames
    }

    /// The request that this answer belongs to. `None` for an answer that nobody waits for (a duplicate).
    pub fn answered(&mut self, id: u64) -> Option<Pending> {
        self.sent.remove(&id).map(|sent| sent.what)
    }

    /// When the oldest request will have waited too long.
    pub fn deadline(&self) -> Option<Timestamp> {
        self.sent.values().map(|sent| sent.at.plus_millis(ANSWER_MS)).min()
    }

    /// Whether nothing waits or is under way.
    pub fn is_empty(&self) -> bool {
        self.sent.is_empty() && self.waiting.is_empty()
    }

    /// The clock was set back.
    pub fn set_back(&mut self, milliseconds: i64) {
        for sent in self.sent.values_mut() {
            sent.at = sent.at.plus_millis(-milliseconds);
        }
    }

    /// The link is gone: nothing of this will be answered.
    pub fn clear(&mut self) {
        self.sent.clear();
        self.waiting.clear();
    }
}

fn parts(id: u64, frame: &Bytes) -> Vec<Bytes> {
    // Leaves room for the envelope of a part.
    let size = limits::FRAME - 64;
    let count = frame.len().div_ceil(size);
    (0..count)
        .map(|index| {
            let bytes = frame.slice(index * size..frame.len().min((index + 1) * size)).to_vec();
            let part = Part { bytes, last: index + 1 == count };
            subrosa_wire::encode(&ClientFrame { id, request: Some(client_frame::Request::Part(part)) })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use prost::Message;
    use subrosa_wire::proto::{Append, Ping};

    use super::*;

    #[test]
    fn a_large_request_goes_in_parts_that_make_the_same_frame() {
        let mut requests = Requests::default();
        let message = Bytes::from(vec![7; 3 * limits::FRAME]);
        let append = Append { message, ..Append::default() };
        requests.push(client_frame::Request::Append(append.clone()), Pending::Published);
        let mut whole = Vec::new();
        for frame in requests.transmit(Timestamp(0)) {
            assert!(frame.len() <= limits::FRAME);
            let frame = ClientFrame::decode(frame).unwrap();
            let Some(client_frame::Request::Part(part)) = frame.request else { panic!("a part was expected") };
            whole.extend(part.bytes);
        }
        let inner = ClientFrame::decode(whole.as_slice()).unwrap();
        assert_eq!(inner.request, Some(client_frame::Request::Append(append)));
    }

    #[test]
    fn no_more_requests_are_under_way_than_the_window_allows() {
        let mut requests = Requests::default();
        for _ in 0..WINDOW + 10 {
            requests.push(client_frame::Request::Ping(Ping {}), Pending::Published);
        }
        assert_eq!(requests.transmit(Timestamp(0)).len(), WINDOW);
        assert_eq!(requests.transmit(Timestamp(0)).len(), 0);
        assert_eq!(requests.answered(1), Some(Pending::Published));
        assert_eq!(requests.answered(1), None);
        assert_eq!(requests.transmit(Timestamp(0)).len(), 1);
    }
}
