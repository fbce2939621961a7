//! The connection's life: greeting, admission, turns, answers.

use std::collections::VecDeque;

use rand_core::CryptoRngCore;
use rusqlite::Connection;
use subrosa_crypto::room::{self as binding, Guest};
use subrosa_crypto::{Channel, SessionError, VerifyingKey};
use subrosa_mls::{Group, Identity, JoinError, LeafSigner, Mls, SCHEMA};
use subrosa_types::{ConversationId, Timestamp, Username};
use subrosa_wire::proto::{self, answer, client_frame::Request, room_turn, server_frame};
use subrosa_wire::{Refusal, decode_server_frame};
use tracing::info;
use zeroize::Zeroizing;

use super::check;
use super::inside::Inside;
use super::names;
use super::requests::{Requests, What};
use super::{Entry, RoomEvent, RoomOutput, Verification, Who};
use crate::api::{Failure, FailureCode};
use crate::words;

/// Texts that may wait.
const LINE: usize = 64;
/// Random names that are tried.
const NAMES: u32 = 8;

/// A session in a room. See [`super`].
pub struct RoomSession {
    entry: Entry,
    pub(super) rng: Box<dyn CryptoRngCore + Send>,
    /// The group's secrets. No file is behind it.
    pub(super) memory: Connection,
    signer: Option<LeafSigner>,
    requests: Requests,
    stage: Stage,
    ended: bool,
    /// The name that was asked for.
    asked: Option<Username>,
    tries: u32,
    server_key: Option<VerifyingKey>,
    me: Option<Guest>,
    /// What was typed, in order; the first may be under way.
    pub(super) line: VecDeque<(u64, String)>,
    pub(super) out: VecDeque<RoomOutput>,
}

/// How far it is. See the picture in [`super`].
enum Stage {
    New,
    Greeting {
        nonce: [u8; 32],
        tls_exporter: [u8; 32],
    },
    Asking,
    Waiting(Place),
    Entering(Place, Box<Inside>),
    Inside(Box<Inside>),
    /// While one of the others is taken apart; what fails there ends the session.
    Between,
}

/// Where to get in, and as whom.
struct Place {
    conversation: ConversationId,
    identity: Identity,
}

/// Why a session ends.
pub(super) struct Over {
    pub(super) failure: Failure,
    pub(super) again: bool,
}

impl Over {
    /// The server or the network: to enter again makes sense.
    pub(super) fn passing(kind: &str, message: impl Into<String>) -> Self {
        Self { failure: Failure::new(FailureCode::Environment, kind, message), again: true }
    }

    /// Somebody is not to be trusted.
    pub(super) fn untrusted(kind: &str, message: impl Into<String>) -> Self {
        Self { failure: Failure::new(FailureCode::Untrusted, kind, message), again: false }
    }

    pub(super) fn protocol() -> Self {
        Self::passing("protocol", "the server did not keep to the protocol; update the older of the two")
    }

    pub(super) fn ours(error: &dyn std::fmt::Display) -> Self {
        let message = format!("something is wrong on this side: {error}");
        Self { failure: Failure::new(FailureCode::Unexpected, "room", message), again: false }
    }
}

impl RoomSession {
    /// A session that waits for its link. All randomness comes from `rng`.
    ///
    /// # Errors
    /// No memory for the group's secrets, or no randomness.
    pub fn new(entry: Entry, mut rng: Box<dyn CryptoRngCore + Send>) -> Result<Self, Failure> {
        let ours = |error: &dyn std::fmt::Display| Over::ours(error).failure;
        let memory = Connection::open_in_memory().map_err(|error| ours(&error))?;
        memory.execute_batch(SCHEMA).map_err(|error| ours(&error))?;
        let mut seed = Zeroizing::new([0; 32]);
        rng.try_fill_bytes(&mut *seed).map_err(|error| ours(&error))?;
        let signer = LeafSigner::from_seed(&seed).map_err(|error| ours(&error))?;
        Ok(Self {
            entry,
            rng,
            memory,
            signer: Some(signer),
            requests: Requests::default(),
            stage: Stage::New,
            ended: false,
            asked: None,
            tries: 0,
            server_key: None,
            me: None,
            line: VecDeque::new(),
            out: VecDeque::new(),
        })
    }

    /// The link is up: says hello. `tls_exporter` is the exporter value of its TLS connection.
    pub fn link_up(&mut self, tls_exporter: [u8; 32], now: Timestamp) {
        let mut nonce = [0; 32];
        self.rng.fill_bytes(&mut nonce);
        self.stage = Stage::Greeting { nonce, tls_exporter };
        let hello = proto::Hello { version: 1, client_nonce: nonce.to_vec() };
        self.request(Request::Hello(hello), What::Hello, now);
    }

    /// A frame came. Never panics, whatever it is.
    pub fn frame(&mut self, bytes: bytes::Bytes, now: Timestamp) {
        let taken = self.take(bytes, now).and_then(|()| self.pump(now));
        self.settle(taken);
    }

    /// Says something; `number` names it in [`RoomEvent::Sent`]. It waits until it can be said.
    pub fn send(&mut self, number: u64, text: String, now: Timestamp) {
        self.line.push_back((number, text));
        let taken = self.pump(now);
        self.settle(taken);
    }

    /// Time went on.
    pub fn timeout(&mut self, now: Timestamp) {
        let taken = if self.requests.deadline().is_some_and(|deadline| deadline <= now) {
            Err(Over::passing("silent", "the server does not answer"))
        } else {
            self.pump(now)
        };
        self.settle(taken);
    }

    /// When [`Self::timeout`] wants to be called.
    pub fn next_timeout(&self) -> Option<Timestamp> {
        let say_at = match &self.stage {
            Stage::Inside(inside) if !self.line.is_empty() => inside.say_at,
            _ => None,
        };
        self.requests.deadline().into_iter().chain(say_at).min()
    }

    /// Whether little enough waits that more may be said.
    pub fn has_room(&self) -> bool {
        self.line.len() < LINE
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<RoomOutput> {
        self.out.pop_front()
    }

    /// Us, once we were admitted.
    pub const fn me(&self) -> Option<&Guest> {
        self.me.as_ref()
    }

    /// Everybody in the room, us among them; `None` while we are not in.
    pub fn guests(&self) -> Option<Vec<Guest>> {
        match &self.stage {
            Stage::Inside(inside) => Some(inside.guests.values().cloned().collect()),
            _ => None,
        }
    }

    /// What can be compared with others; `None` while we are not in.
    pub fn verification(&self) -> Option<Verification> {
        match &self.stage {
            Stage::Inside(inside) => Some(inside.verification()),
            _ => None,
        }
    }

    /// What was not said: the first may have been, if it is said that it is uncertain.
    pub fn unsaid(&mut self) -> (bool, VecDeque<(u64, String)>) {
        (self.requests.has(What::Say), std::mem::take(&mut self.line))
    }

    pub(super) fn request(&mut self, request: Request, what: What, now: Timestamp) {
        let frame = self.requests.frame(request, what, now);
        self.out.push_back(RoomOutput::Transmit(frame));
    }

    pub(super) fn event(&mut self, event: RoomEvent) {
        self.out.push_back(RoomOutput::Event(event));
    }

    fn settle(&mut self, taken: Result<(), Over>) {
        if let Err(Over { failure, again }) = taken
            && !std::mem::replace(&mut self.ended, true)
        {
            self.stage = Stage::Between;
            self.out.push_back(RoomOutput::End { failure, again });
        }
    }

    fn take(&mut self, bytes: bytes::Bytes, now: Timestamp) -> Result<(), Over> {
        if self.ended {
            return Ok(());
        }
        let frame = decode_server_frame(bytes).map_err(|_| Over::protocol())?;
        match frame.body {
            Some(server_frame::Body::Answer(answer)) => {
                let Some(what) = self.requests.answered(answer.id) else { return Ok(()) };
                match answer.body {
                    Some(answer::Body::Error(error)) => self.refused(what, &Refusal::from(error), now),
                    Some(body) => self.answered(what, body, now),
                    None => Err(Over::protocol()),
                }
            }
            Some(server_frame::Body::RoomTurn(turn)) => match turn.turn {
                Some(turn) => self.turn(turn, now),
                None => Ok(()),
            },
            Some(server_frame::Body::RoomDeliver(deliver)) => self.with_inside(|session, inside| {
                inside.deliver(session, deliver.sequence, Timestamp(deliver.at), &deliver.message)
            }),
            Some(server_frame::Body::GoingAway(farewell)) => Err(ended_by_server(&farewell)),
            _ => Ok(()),
        }
    }

    fn answered(&mut self, what: What, body: answer::Body, now: Timestamp) -> Result<(), Over> {
        match (what, body) {
            (What::Hello, answer::Body::Hello(hello)) => self.greeted(&hello, now),
            (What::Enter, answer::Body::RoomEntered(entered)) => self.admitted(&entered),
            (What::GetIn, answer::Body::RoomOrdered(ordered)) => self.got_in(ordered.sequence),
            (What::Commit, answer::Body::RoomOrdered(ordered)) => {
                self.with_inside(|session, inside| inside.committed(session, ordered.sequence, Timestamp(ordered.at)))
            }
            (What::Say, answer::Body::RoomOrdered(ordered)) => {
                self.with_inside(|session, inside| inside.said(session, ordered.sequence, Timestamp(ordered.at)))
            }
            _ => Err(Over::protocol()),
        }
    }

    fn refused(&mut self, what: What, refusal: &Refusal, now: Timestamp) -> Result<(), Over> {
        use subrosa_wire::error::ErrorCode;
        match (what, refusal.code) {
            (What::Enter, ErrorCode::UsernameTaken) if self.may_take_another_name() => self.ask_to_enter(now),
            // The turn went to somebody else; there will be another one.
            (What::GetIn, ErrorCode::NotYourTurn | ErrorCode::StaleEpoch) => self.not_yet(),
            (What::Commit, ErrorCode::StaleEpoch | ErrorCode::NotYourTurn) => {
                self.with_inside(|session, inside| inside.commit_refused(session))
            }
            (What::Say, _) => self.with_inside(|session, inside| inside.not_said(session, refusal, now)),
            _ => {
                let again = matches!(refusal.code, ErrorCode::RateLimited | ErrorCode::RoomFull);
                Err(Over { failure: words::refusal(refusal), again })
            }
        }
    }

    fn greeted(&mut self, hello: &proto::HelloAnswer, now: Timestamp) -> Result<(), Over> {
        let Stage::Greeting { nonce, tls_exporter } = self.stage else { return Err(Over::protocol()) };
        let channel = Channel::from_answer(hello, &self.entry.server, nonce, tls_exporter).map_err(|error| {
            let kind = if error == SessionError::OtherServer { "other_server" } else { "server_not_proved" };
            Over::untrusted(kind, error.to_string())
        })?;
        info!("the server proved its key on this connection");
        self.server_key = Some(channel.server_key);
        self.stage = Stage::Asking;
        self.ask_to_enter(now)
    }

    fn may_take_another_name(&self) -> bool {
        matches!(self.entry.who, Who::Any(_)) && self.tries < NAMES
    }

    fn ask_to_enter(&mut self, now: Timestamp) -> Result<(), Over> {
        let Some(signer) = &self.signer else { return Err(Over::protocol()) };
        let guest_key = signer.public_key().to_vec();
        self.tries += 1;
        let (name, pass) = match &self.entry.who {
            Who::Named(name) => (Some(name.clone()), Vec::new()),
            Who::Any(Some(name)) if self.tries == 1 => (Some(name.clone()), Vec::new()),
            // Short ones first.
            Who::Any(_) => (Some(names::random(&mut *self.rng, self.tries > 3)), Vec::new()),
            Who::Account(pass) => (None, pass.clone()),
        };
        let said = name.as_ref().map(ToString::to_string).unwrap_or_default();
        self.asked = name;
        info!("asking to be let into the room");
        let enter = proto::EnterRoom { room: self.entry.room.to_string(), name: said, guest_key, pass };
        self.request(Request::EnterRoom(enter), What::Enter, now);
        Ok(())
    }

    fn admitted(&mut self, entered: &proto::RoomEntered) -> Result<(), Over> {
        let conversation = ConversationId::from_slice(&entered.conversation_id).map_err(|_| Over::protocol())?;
        let name = Username::from_prepared(&entered.name).map_err(|_| Over::protocol())?;
        let is_ours = match &self.asked {
            Some(asked) => *asked == name && !entered.member,
            None => entered.member,
        };
        let (true, Some(signer)) = (is_ours, self.signer.take()) else { return Err(Over::protocol()) };
        info!("the server let us in; a key for this session alone was made, and waits for its turn to join the group");
        let me = Guest { name, member: entered.member };
        let identity = Identity { credential: me.credential(), signer };
        self.stage = Stage::Waiting(Place { conversation, identity });
        self.me = Some(me.clone());
        self.event(RoomEvent::Admitted { me, inside: entered.guests });
        Ok(())
    }

    fn turn(&mut self, turn: room_turn::Turn, now: Timestamp) -> Result<(), Over> {
        if let room_turn::Turn::Remove(turn) = turn {
            return self.with_inside(|session, inside| inside.remove(session, turn.epoch, now));
        }
        let Stage::Waiting(_) = self.stage else { return Ok(()) };
        let Stage::Waiting(place) = std::mem::replace(&mut self.stage, Stage::Between) else { return Ok(()) };
        let Some(server_key) = self.server_key else { return Err(Over::protocol()) };
        let context = binding::context(&server_key, place.conversation, &self.entry.room);
        let (group, request) = {
            let mls =
                Mls::volatile(&self.memory, &mut *self.rng, &place.identity).map_err(|error| Over::ours(&error))?;
            match turn {
                room_turn::Turn::Join(turn) => {
                    let (group, commit, group_info) =
                        Group::join_external(&mls, &turn.group_info, &turn.ratchet_tree, b"").map_err(not_joined)?;
                    info!("joining the group with a commit of our own ({} bytes)", commit.len());
                    (group, Request::RoomJoin(proto::RoomJoin { commit, group_info }))
                }
                _ => {
                    let group = Group::create(&mls, place.conversation, &context, server_key.as_bytes())
                        .map_err(|error| Over::ours(&error))?;
                    info!("nobody is in the room; the group is made");
                    let group_info = group.group_info(&mls).map_err(|error| Over::ours(&error))?;
                    let ratchet_tree = group.ratchet_tree().map_err(|error| Over::ours(&error))?;
                    (group, Request::FoundRoom(proto::FoundRoom { group_info, ratchet_tree }))
                }
            }
        };
        let guests = check::group(&group, &context, server_key.as_bytes()).map_err(|breach| refused_group(&breach))?;
        if group.conversation().ok() != Some(place.conversation) || guests.get(&group.own_leaf()) != self.me.as_ref() {
            return Err(refused_group(&check::Breach::OtherRoom));
        }
        let inside = Box::new(Inside::new(group, guests));
        self.stage = Stage::Entering(place, inside);
        self.request(request, What::GetIn, now);
        Ok(())
    }

    fn got_in(&mut self, sequence: u64) -> Result<(), Over> {
        let Stage::Entering(place, mut inside) = std::mem::replace(&mut self.stage, Stage::Between) else {
            return Err(Over::protocol());
        };
        info!("the group's key is agreed on with {} other(s)", inside.guests.len() - 1);
        inside.begin(place.identity, sequence);
        let others = inside.guests.iter().filter(|(leaf, _)| **leaf != inside.own_leaf());
        let others = others.map(|(_, guest)| guest.clone()).collect();
        self.stage = Stage::Inside(inside);
        self.event(RoomEvent::Inside { others, sequence });
        Ok(())
    }

    /// The server did not take our entry: everything of it is forgotten, and the next turn is waited for.
    fn not_yet(&mut self) -> Result<(), Over> {
        let Stage::Entering(place, inside) = std::mem::replace(&mut self.stage, Stage::Between) else {
            return Err(Over::protocol());
        };
        info!("somebody else came first; waiting for the next turn");
        {
            let mls =
                Mls::volatile(&self.memory, &mut *self.rng, &place.identity).map_err(|error| Over::ours(&error))?;
            inside.into_group().delete(&mls).map_err(|error| Over::ours(&error))?;
        }
        self.stage = Stage::Waiting(place);
        Ok(())
    }

    /// Does something inside; nothing if we are not (any more, or yet).
    fn with_inside(&mut self, act: impl FnOnce(&mut Self, &mut Inside) -> Result<(), Over>) -> Result<(), Over> {
        if !matches!(self.stage, Stage::Inside(_)) {
            return Ok(());
        }
        let Stage::Inside(mut inside) = std::mem::replace(&mut self.stage, Stage::Between) else { return Ok(()) };
        act(self, &mut inside)?;
        self.stage = Stage::Inside(inside);
        Ok(())
    }

    /// Says what waits, if it can be said now.
    fn pump(&mut self, now: Timestamp) -> Result<(), Over> {
        if self.line.is_empty() || self.requests.has(What::Say) {
            return Ok(());
        }
        self.with_inside(|session, inside| inside.say(session, now))
    }
}

fn ended_by_server(farewell: &proto::GoingAway) -> Over {
    use subrosa_wire::error::ErrorCode;
    let code = ErrorCode::try_from(farewell.code).unwrap_or(ErrorCode::Internal);
    let reason = subrosa_types::text::single_line(&farewell.reason).into_owned();
    match code {
        ErrorCode::BadCommit => {
            Over { failure: Failure::new(FailureCode::Untrusted, "key_exchange", reason), again: false }
        }
        _ if reason.is_empty() => Over { failure: words::refusal(&Refusal::new(code)), again: true },
        _ => Over::passing("ended_by_server", reason),
    }
}

fn not_joined(error: JoinError) -> Over {
    match error {
        JoinError::Storage(_) | JoinError::Internal(_) | JoinError::AlreadyMember => Over::ours(&error),
        error => Over::untrusted("key_exchange", format!("the keys of the room could not be agreed on: {error}")),
    }
}

fn refused_group(breach: &check::Breach) -> Over {
    Over::untrusted("bad_room", format!("the room was not entered: {breach}; do not trust this server with it"))
}
