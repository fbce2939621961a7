//! From the consequences of a batch to frames: each encoded once, shared by all who get it.
//!
//! 1. A session's accepted appends go first, all in one frame: a device knows its own entries before it sees others'.
//! 2. Then everything in the order in which it happened. The appends of one conversation are collected; they go out
//!    when the members change (so that nobody gets an entry from before or after their time) or at the end.
//! 3. Whoever sent none of the collected entries shares one frame; a device that sent some gets a frame without them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use prost::encoding::{encode_varint, encoded_len_varint};
use subrosa_types::ConversationId;
use subrosa_wire::encode;
use subrosa_wire::proto::{Accepted, AcceptedBatch, ServerFrame, answer, server_frame};

use super::conversation::Members;
use super::effects::{Appended, Effect, Event};
use super::session::{SessionId, Sessions};
use crate::store::DeviceNo;

/// Bytes of entries in one frame (one entry always fits).
const DELIVERY: usize = 64 * 1024;

/// One frame for one or more sessions. Frames are whole encoded `ServerFrame`s.
#[derive(Debug, Clone)]
pub enum Emission {
    /// The answer to `requests` requests of a session. Never left out.
    Answer {
        /// Who asked.
        session: SessionId,
        /// The encoded frame.
        frame: Bytes,
        /// How many requests it answers.
        requests: u32,
        /// The request's id if it is an `Answer`; 0 for accepted appends and for a `Resync`.
        id: u64,
    },
    /// News. May be left out for a session that does not keep up, if it gets a `Resync` later.
    Push {
        /// Who gets it.
        sessions: Vec<SessionId>,
        /// The encoded frame, the same for all.
        frame: Bytes,
    },
    /// From here on the session speaks for this device.
    LoggedIn {
        /// The session.
        session: SessionId,
        /// The device.
        device: DeviceNo,
    },
    /// The last frame of a session; then its connection is closed.
    End {
        /// Whose.
        session: SessionId,
        /// An encoded `GoingAway`.
        frame: Bytes,
    },
}

/// What a batch leads to, now that it is on disk.
#[derive(Debug, Default)]
pub struct Released {
    /// In the order in which they must reach each session.
    pub emissions: Vec<Emission>,
    /// For the console.
    pub events: Vec<Event>,
}

/// Turns effects into frames.
pub(crate) fn release(effects: Vec<Effect>, sessions: &Sessions, reverse: bool) -> Released {
    let mut out = Released::default();
    accepted_first(&effects, &mut out);
    let mut audience = Audience::of(&effects, sessions);

    let mut open: HashMap<ConversationId, Segment> = HashMap::new();
    let mut order: Vec<ConversationId> = Vec::new();
    let mut messages = 0;
    for effect in effects {
        match effect {
            Effect::Accepted(..) => {}
            Effect::Appended(entry) => {
                messages += usize::from(entry.sender.is_some());
                let segment = open.entry(entry.conversation).or_insert_with(|| {
                    order.push(entry.conversation);
                    Segment::new(&entry)
                });
                if !Arc::ptr_eq(&segment.recipients, &entry.recipients) {
                    std::mem::replace(segment, Segment::new(&entry)).flush(&audience, reverse, &mut out);
                }
                segment.push(&entry);
            }
            Effect::Answer(session, frame) => {
                let id = match &frame.body {
                    Some(server_frame::Body::Answer(answer)) => {
                        if matches!(answer.body, Some(answer::Body::LoggedIn(_))) {
                            audience.greeted(session);
                        }
                        answer.id
                    }
                    _ => 0,
                };
                out.emissions.push(Emission::Answer { session, frame: encode(&*frame), requests: 1, id });
            }
            Effect::Push(device, frame) => {
                if let Some(session) = audience.session(device) {
                    out.emissions.push(Emission::Push { sessions: vec![session], frame: encode(&*frame) });
                }
            }
            Effect::Broadcast(frame) => {
                let everybody = audience.everybody();
                out.emissions.push(Emission::Push { sessions: everybody, frame: encode(&*frame) });
            }
            Effect::End(session, going_away) => {
                let frame = ServerFrame { body: Some(server_frame::Body::GoingAway(*going_away)) };
                out.emissions.push(Emission::End { session, frame: encode(&frame) });
            }
            Effect::LoggedIn(session, device, account) => {
                out.emissions.push(Emission::LoggedIn { session, device });
                out.events.push(Event::Joined(account));
            }
        }
    }
    for conversation in order {
        if let Some(segment) = open.remove(&conversation) {
            segment.flush(&audience, reverse, &mut out);
        }
    }
    if messages > 0 {
        out.events.push(Event::MessagesExchanged(messages));
    }
    out
}

/// Who is online, but for those whose login is answered later in this batch: what happened before that answer is in it.
struct Audience<'a> {
    sessions: &'a Sessions,
    not_greeted: BTreeSet<SessionId>,
}

impl<'a> Audience<'a> {
    fn of(effects: &[Effect], sessions: &'a Sessions) -> Self {
        let logins = effects.iter().filter_map(|effect| match effect {
            Effect::LoggedIn(session, ..) => Some(*session),
            _ => None,
        });
        Self { sessions, not_greeted: logins.collect() }
    }

    fn greeted(&mut self, session: SessionId) {
        self.not_greeted.remove(&session);
    }

    fn session(&self, device: DeviceNo) -> Option<SessionId> {
        self.sessions.of_device(device).filter(|session| !self.not_greeted.contains(session))
    }

    fn everybody(&self) -> Vec<SessionId> {
        let online = self.sessions.logged_in().map(|(session, _)| session);
        online.filter(|session| !self.not_greeted.contains(session)).collect()
    }
}

fn accepted_first(effects: &[Effect], out: &mut Released) {
    let mut batches: BTreeMap<SessionId, Vec<Accepted>> = BTreeMap::new();
    for effect in effects {
        if let Effect::Accepted(session, accepted) = effect {
            batches.entry(*session).or_default().push(*accepted);
        }
    }
    for (session, accepted) in batches {
        let requests = u32::try_from(accepted.len()).unwrap_or(u32::MAX);
        let frame = ServerFrame { body: Some(server_frame::Body::Accepted(AcceptedBatch { accepted })) };
        out.emissions.push(Emission::Answer { session, frame: encode(&frame), requests, id: 0 });
    }
}

/// Entries of one conversation for the same recipients.
struct Segment {
    conversation: ConversationId,
    recipients: Members,
    /// Encoded `entries` fields of a `Deliver`, one behind the other.
    encoded: BytesMut,
    entries: Vec<(Option<DeviceNo>, Range<usize>)>,
}

impl Segment {
    fn new(first: &Appended) -> Self {
        Self {
            conversation: first.conversation,
            recipients: first.recipients.clone(),
            encoded: BytesMut::new(),
            entries: Vec::new(),
        }
    }

    fn push(&mut self, entry: &Appended) {
        let start = self.encoded.len();
        encode_entry(entry, &mut self.encoded);
        self.entries.push((entry.sender, start..self.encoded.len()));
    }

    fn flush(mut self, audience: &Audience<'_>, reverse: bool, out: &mut Released) {
        if reverse {
            self.entries.reverse();
        }
        let mut senders: Vec<DeviceNo> = self.entries.iter().filter_map(|(sender, _)| *sender).collect();
        senders.sort_unstable();
        senders.dedup();
        let others: Vec<SessionId> = self
            .recipients
            .iter()
            .filter(|device| senders.binary_search(device).is_err())
            .filter_map(|device| audience.session(*device))
            .collect();
        if !others.is_empty() {
            for frame in self.frames(None) {
                out.emissions.push(Emission::Push { sessions: others.clone(), frame });
            }
        }
        // A sender that was the only one has everything.
        if senders.len() == 1 && self.entries.iter().all(|(sender, _)| sender.is_some()) {
            return;
        }
        for sender in senders {
            if self.recipients.binary_search(&sender).is_err() {
                continue;
            }
            if let Some(session) = audience.session(sender) {
                for frame in self.frames(Some(sender)) {
                    out.emissions.push(Emission::Push { sessions: vec![session], frame });
                }
            }
        }
    }

    /// The entries without those of one device, as frames of a limited size.
    fn frames(&self, without: Option<DeviceNo>) -> Vec<Bytes> {
        let mut frames = Vec::new();
        let mut pending: Vec<&Range<usize>> = Vec::new();
        let mut size = 0;
        for (sender, range) in &self.entries {
            if without.is_some() && *sender == without {
                continue;
            }
            if size + range.len() > DELIVERY && !pending.is_empty() {
                frames.push(self.frame(&pending, size));
                pending.clear();
                size = 0;
            }
            pending.push(range);
            size += range.len();
        }
        if !pending.is_empty() {
            frames.push(self.frame(&pending, size));
        }
        frames
    }

    fn frame(&self, entries: &[&Range<usize>], size: usize) -> Bytes {
        let body = 18 + size;
        let mut frame = BytesMut::with_capacity(body + 11);
        frame.put_u8(3 << 3 | 2); // ServerFrame.deliver
        encode_varint(body as u64, &mut frame);
        frame.put_u8(1 << 3 | 2); // Deliver.conversation_id
        frame.put_u8(16);
        frame.put_slice(self.conversation.as_bytes());
        for range in entries {
            frame.put_slice(&self.encoded[(*range).clone()]);
        }
        frame.freeze()
    }
}

/// Writes one `entries` field of a `Deliver`, as prost would write a `LogEntry` (a test holds them together). By hand, so
/// that an entry is encoded once however many different frames it is in.
fn encode_entry(entry: &Appended, buffer: &mut BytesMut) {
    let (sequence, at) = (entry.sequence.0, entry.at.0 as u64);
    let message = entry.message.len();
    let mut size = 18;
    if sequence != 0 {
        size += 1 + encoded_len_varint(sequence);
    }
    if at != 0 {
        size += 1 + encoded_len_varint(at);
    }
    if message != 0 {
        size += 1 + encoded_len_varint(message as u64) + message;
    }
    buffer.reserve(size + 11);
    buffer.put_u8(2 << 3 | 2); // Deliver.entries
    encode_varint(size as u64, buffer);
    if sequence != 0 {
        buffer.put_u8(1 << 3); // LogEntry.sequence
        encode_varint(sequence, buffer);
    }
    if at != 0 {
        buffer.put_u8(2 << 3); // LogEntry.at
        encode_varint(at, buffer);
    }
    if message != 0 {
        buffer.put_u8(3 << 3 | 2); // LogEntry.message
        encode_varint(message as u64, buffer);
        buffer.put_slice(&entry.message);
    }
    buffer.put_u8(4 << 3 | 2); // LogEntry.idempotency_key
    buffer.put_u8(16);
    buffer.put_slice(entry.key.as_bytes());
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use subrosa_types::{AccountId, DeviceId, IdempotencyKey, Sequence, Timestamp};
    use subrosa_wire::decode_server_frame;
    use subrosa_wire::proto::Deliver;

    use super::super::session::{Login, Peer, Stage};
    use super::*;
    use crate::store::AccountNo;

    fn online(devices: &[i64]) -> Sessions {
        let mut sessions = Sessions::default();
        for &device in devices {
            let id = SessionId(100 + device as u64);
            sessions.connect(id, Peer { address: IpAddr::V4(Ipv4Addr::LOCALHOST), tls_exporter: [0; 32] });
            let login = Login {
                device: DeviceNo(device),
                device_id: DeviceId::from_bytes([device as u8; 16]),
                account: AccountNo(device),
                account_id: AccountId::from_bytes([device as u8; 16]),
            };
            sessions.advance(id, Stage::LoggedIn(login));
        }
        sessions.commit();
        sessions
    }

    fn members(devices: &[i64]) -> Members {
        devices.iter().copied().map(DeviceNo).collect()
    }

    fn entry(sequence: u64, sender: i64, size: usize, recipients: &Members) -> Effect {
        Effect::Appended(Appended {
            conversation: ConversationId::from_bytes([7; 16]),
            sequence: Sequence(sequence),
            at: Timestamp(1_700_000_000_000 + sequence as i64),
            key: IdempotencyKey::from_bytes([sequence as u8; 16]),
            message: Bytes::from(vec![sequence as u8; size]),
            sender: (sender != 0).then_some(DeviceNo(sender)),
            recipients: recipients.clone(),
        })
    }

    fn deliveries(released: &Released) -> Vec<(Vec<u64>, Vec<u64>)> {
        let mut found = Vec::new();
        for emission in &released.emissions {
            let Emission::Push { sessions, frame } = emission else { continue };
            let Some(server_frame::Body::Deliver(deliver)) = decode_server_frame(frame.clone()).unwrap().body else {
                panic!("not a delivery");
            };
            // What was written by hand is what prost writes.
            let again = ServerFrame { body: Some(server_frame::Body::Deliver(Deliver::clone(&deliver))) };
            assert_eq!(encode(&again), frame);
            found.push((
                sessions.iter().map(|session| session.0 - 100).collect(),
                deliver.entries.iter().map(|entry| entry.sequence).collect(),
            ));
        }
        found
    }

    #[test]
    fn everybody_but_the_senders_shares_one_frame() {
        let group = members(&[1, 2, 3, 4]);
        let effects = vec![entry(1, 1, 10, &group), entry(2, 2, 300, &group), entry(3, 1, 0, &group)];
        let released = release(effects, &online(&[1, 2, 3, 4]), false);
        assert_eq!(deliveries(&released), [(vec![3, 4], vec![1, 2, 3]), (vec![1], vec![2]), (vec![2], vec![1, 3])]);
    }

    #[test]
    fn who_is_offline_gets_nothing_and_a_lone_sender_nothing_of_its_own() {
        let group = members(&[1, 2]);
        let released = release(vec![entry(1, 1, 10, &group)], &online(&[1]), false);
        assert_eq!(deliveries(&released), []);
    }

    #[test]
    fn a_change_of_members_divides_what_is_delivered() {
        let (before, after) = (members(&[1, 2]), members(&[1, 3]));
        let effects = vec![entry(1, 1, 10, &before), entry(2, 0, 10, &after), entry(3, 1, 10, &after)];
        let released = release(effects, &online(&[1, 2, 3]), false);
        assert_eq!(deliveries(&released), [(vec![2], vec![1]), (vec![3], vec![2, 3]), (vec![1], vec![2])]);
    }

    #[test]
    fn large_deliveries_are_divided_into_frames_of_bounded_size() {
        let group = members(&[1, 2]);
        let effects = (1..=10).map(|sequence| entry(sequence, 1, 20_000, &group)).collect();
        let released = release(effects, &online(&[1, 2]), false);
        let sizes: Vec<usize> = deliveries(&released).iter().map(|(_, sequences)| sequences.len()).collect();
        assert_eq!(sizes, [3, 3, 3, 1]);
    }

    #[test]
    fn accepted_appends_of_a_session_come_first_and_together() {
        let accepted = |id| Effect::Accepted(SessionId(101), Accepted { id, sequence: id, at: 5 });
        let group = members(&[1, 2]);
        let effects = vec![entry(1, 2, 10, &group), accepted(1), entry(2, 1, 10, &group), accepted(2)];
        let released = release(effects, &online(&[1, 2]), false);
        let Emission::Answer { session: SessionId(101), requests: 2, .. } = &released.emissions[0] else {
            panic!("{:?}", released.emissions[0]);
        };
        assert_eq!(deliveries(&released).len(), 2);
    }
}
