//! Direct links of private chats: a faster road for application messages, never the only one.
//!
//! ```text
//!           question                    answer, with addresses
//!   Asked ───────────► (other device) ───────────► Dialling ─► Up ─► gone: the log carries on
//!                       Passing ─► Listening ──────────────► Up
//! ```
//!
//! - *Who may*: [`agree`] asks and answers, inside the encrypted conversation. An address is shown to nobody but a device
//!   of this account or of a contact whose chat was accepted here, and only while this account allows it.
//! - *What goes over it*: [`carry`] sends application messages that the server does not have to check, when every other
//!   device of the conversation is reached; whatever is not confirmed within [`CONFIRM_MS`] goes through the log, with the
//!   same bytes, and the receiver takes in only one of the two.
//! - *In which order*: a message names the place of the log behind which it was written; the receiver takes in the log up
//!   to there first. Nothing is sent directly while an append of the same conversation is under way, nor the other way
//!   round.
//!
//! Everything here is in memory: after a restart, or whenever anything is unclear, the outbox and the log are enough.

mod agree;
mod carry;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use subrosa_types::{ConversationId, DeviceId, Epoch, IdempotencyKey, Timestamp, limits};
use subrosa_wire::proto::{QuicWay, RelayAddress};
use zeroize::Zeroizing;

use crate::api::Event;
use crate::engine::{Engine, Output};
use crate::fault::Outcome;
use crate::store::conversations;

/// Milliseconds within which a message has to be confirmed by every device; then it goes through the log.
pub const CONFIRM_MS: i64 = 3_000;
/// Milliseconds that a step of making a link may take.
const STEP_MS: i64 = 15_000;
/// Milliseconds after which a link that nobody uses is ended, unless this account wants links always.
const IDLE_MS: i64 = 10 * 60_000;
/// First and longest wait before a device is asked again, in milliseconds.
const CALM_MS: (i64, i64) = (15_000, 30 * 60_000);
/// Milliseconds for which a conversation stays with the log after a link failed it.
const PAUSE_MS: i64 = 1_000;
/// Milliseconds for which links carry messages while the server is away: a revoked device is not known to be one until it
/// is back.
const WITHOUT_SERVER_MS: i64 = 10 * 60_000;
/// Milliseconds after an answer within which the same device gets no other one: each costs an endpoint.
const ANSWER_MS: i64 = 5_000;
/// Frames that may come over a link at once, in thousandths; a thousandth of [`limits::MESSAGES_PER_SECOND`] comes back each
/// millisecond.
const FULL_BUCKET: u64 = limits::MESSAGE_BURST as u64 * 1_000;
/// Links at a time.
const ROADS: usize = 64;
/// Devices that are remembered as asked.
const CALM_ENTRIES: usize = 4096;
/// Messages of one link that wait for the log.
const HELD: usize = 8;

/// When this account makes direct links.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DirectPolicy {
    /// With contacts whose chat was accepted, when there is something to say.
    #[default]
    Contacts,
    /// Never: no address is shown to anybody but the server.
    Never,
    /// With the same contacts, as long as both are there.
    Always,
}

/// Names a link between the engine and whoever makes links for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoadId(pub u64);

/// What the engine wants of a link. Whoever carries it out answers with [`Engine::road_ready`], [`Engine::road_up`],
/// [`Engine::road_frame`] and [`Engine::road_down`].
#[derive(Debug, Clone)]
pub enum RoadOrder {
    /// Make an endpoint with this key that admits `peer` only; say how it is found.
    Listen {
        /// Ed25519 seed of the endpoint.
        seed: Zeroizing<[u8; 32]>,
        /// The only key to admit.
        peer: [u8; 32],
        /// The relay to be found at.
        relay: Option<RelayAddress>,
    },
    /// Make an endpoint with this key and dial `peer`.
    Dial {
        /// Ed25519 seed of the endpoint.
        seed: Zeroizing<[u8; 32]>,
        /// The key to insist on.
        peer: [u8; 32],
        /// How it is found.
        way: QuicWay,
        /// A relay that admits this endpoint.
        relay: Option<RelayAddress>,
    },
    /// Send this frame.
    Send(Bytes),
    /// End it, with its endpoint.
    Close,
}

/// Where a link stands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// The other device was asked.
    Asked,
    /// A pass for the relay is asked for; then an endpoint is made.
    Passing,
    /// The endpoint is there, or about to be; the other device is told how it is found.
    Listening,
    /// The other device is being dialled.
    Dialling,
    /// Frames go to and fro.
    Up,
}

/// A message that waits until the log is taken in as far as its sender had.
#[derive(Debug)]
struct Held {
    number: u64,
    message: Bytes,
    after: u64,
    series: u64,
    until: Timestamp,
}

/// A link to one device of one conversation.
struct Road {
    conversation: ConversationId,
    device: DeviceId,
    /// Its name in the signals.
    name: [u8; 16],
    seed: Zeroizing<[u8; 32]>,
    peer: Option<[u8; 32]>,
    /// How the other side is found; `None`: it dials.
    way: Option<QuicWay>,
    state: State,
    /// The epoch in which its device was last found to be a member.
    checked: Option<Epoch>,
    /// When it is given up if nothing happens.
    until: Timestamp,
    /// The last message that was sent on it, and in which series.
    sent: u64,
    series: u64,
    /// The last series of the other side in which something was refused.
    refused: Option<u64>,
    held: VecDeque<Held>,
    /// How long its peer said that the log is, where the server was asked for it.
    head_asked: u64,
    /// Frames that may come now, in thousandths, and when that was counted.
    allowed: (u64, Timestamp),
}

/// A message under way on links.
#[derive(Debug)]
struct Flight {
    conversation: ConversationId,
    /// Who has not confirmed it: link and number.
    waiting: BTreeMap<RoadId, u64>,
    /// Where in the log it belongs.
    after: u64,
    until: Timestamp,
}

/// All direct links.
#[derive(Default)]
pub struct Direct {
    /// Somebody follows this profile: links are worth making.
    followed: bool,
    policy: DirectPolicy,
    roads: BTreeMap<RoadId, Road>,
    last: u64,
    /// Conversations in which something is being said.
    wished: BTreeSet<ConversationId>,
    /// Devices that are not asked again before then, and how often they were asked in vain.
    calm: BTreeMap<(ConversationId, DeviceId), (Timestamp, u32)>,
    /// Devices that were answered, and are not answered again before then.
    answered: BTreeMap<(ConversationId, DeviceId), Timestamp>,
    /// Conversations that stay with the log until then.
    paused: BTreeMap<ConversationId, Timestamp>,
    flights: BTreeMap<IdempotencyKey, Flight>,
    /// When this was last looked at: what was due before is not waited for.
    looked: Timestamp,
    /// When the server was last there.
    server_seen: Timestamp,
    /// How far the server's clock is ahead of this device's.
    server_ahead: i64,
}

impl Direct {
    pub(crate) fn next_timeout(&self) -> Option<Timestamp> {
        let roads = self.roads.values().map(|road| road.until);
        let held = self.roads.values().flat_map(|road| road.held.iter().map(|held| held.until));
        let flights = self.flights.values().map(|flight| flight.until);
        let again = self.calm.iter().filter(|((conversation, device), _)| {
            self.policy == DirectPolicy::Always
                && self.wished.contains(conversation)
                && self.road(*conversation, *device).is_none()
        });
        let again = again.map(|(_, (until, _))| *until).filter(|until| *until > self.looked);
        let without_server = self.server_seen.plus_millis(WITHOUT_SERVER_MS);
        let without_server = (!self.roads.is_empty() && without_server > self.looked).then_some(without_server);
        roads.chain(without_server).chain(held).chain(flights).chain(self.paused.values().copied()).chain(again).min()
    }

    /// The clock was set back.
    pub(crate) fn set_back(&mut self, milliseconds: i64) {
        let roads = self
            .roads
            .values_mut()
            .flat_map(|road| std::iter::once(&mut road.until).chain(road.held.iter_mut().map(|held| &mut held.until)));
        let flights = self.flights.values_mut().map(|flight| &mut flight.until);
        let calm = self.calm.values_mut().map(|(until, _)| until).chain(self.answered.values_mut());
        for at in roads.chain(flights).chain(calm).chain(self.paused.values_mut()) {
            *at = at.plus_millis(-milliseconds);
        }
        self.looked = self.looked.plus_millis(-milliseconds);
        self.server_seen = self.server_seen.plus_millis(-milliseconds);
        self.server_ahead = self.server_ahead.saturating_add(milliseconds);
    }

    /// What the server's clock shows.
    pub(crate) const fn server_clock(&mut self, server: Timestamp, now: Timestamp) {
        self.server_ahead = server.millis_since(now);
    }

    /// Whether there is any link, or is about to be.
    pub(crate) fn has_links(&self) -> bool {
        !self.roads.is_empty()
    }

    /// Whether something is under way that is not confirmed.
    pub(crate) fn is_busy(&self) -> bool {
        !self.flights.is_empty()
    }

    /// Whatever was under way is not any more. Returns the links to end.
    pub(crate) fn forget_links(&mut self) -> Vec<RoadId> {
        self.flights.clear();
        self.paused.clear();
        std::mem::take(&mut self.roads)
            .into_iter()
            .filter(|(_, road)| road.state != State::Asked)
            .map(|(id, _)| id)
            .collect()
    }

    /// Whether a message of this key is under way on links.
    pub(crate) fn carries(&self, key: IdempotencyKey) -> bool {
        self.flights.contains_key(&key)
    }

    pub(crate) fn waiting_in_memory(&self) -> usize {
        self.roads.values().map(|road| road.held.len()).sum::<usize>()
            + self.flights.len()
            + self.calm.len()
            + self.answered.len()
    }

    fn road(&self, conversation: ConversationId, device: DeviceId) -> Option<RoadId> {
        let found = self.roads.iter().find(|(_, road)| road.conversation == conversation && road.device == device);
        found.map(|(id, _)| *id)
    }
}

impl Engine {
    /// The endpoint of a link is there, and is found like this.
    pub fn road_ready(&mut self, road: RoadId, way: QuicWay, now: Timestamp) {
        self.input(now, |engine| engine.answer_question(road, way, now));
    }

    /// A link is up, and its peer has proved the key that was named.
    pub fn road_up(&mut self, road: RoadId, now: Timestamp) {
        self.input(now, |engine| engine.road_is_up(road, now));
    }

    /// A frame came over a link.
    pub fn road_frame(&mut self, road: RoadId, frame: &Bytes, now: Timestamp) {
        self.input(now, |engine| engine.take_road_frame(road, frame, now));
    }

    /// A link ended, or could not be made.
    pub fn road_down(&mut self, road: RoadId, reason: &str, now: Timestamp) {
        self.input(now, |engine| {
            tracing::info!("a direct link is not there (any more): {reason}");
            engine.drop_road(road, now)
        });
    }

    /// Makes what is missing, gives up what took too long, and takes in what the log has caught up with.
    pub(crate) fn drive_direct(&mut self, now: Timestamp) -> Outcome {
        self.direct.looked = now;
        if self.session.is_online() {
            self.direct.server_seen = now;
        }
        self.direct.paused.retain(|_, until| *until > now);
        for (id, late) in self.late_roads(now) {
            tracing::info!("a direct link is given up: {late}");
            self.close_road(id, now)?;
        }
        if now.millis_since(self.direct.server_seen) > WITHOUT_SERVER_MS {
            self.close_roads(now)?;
        }
        self.check_roads(now)?;
        self.drive_held(now)?;
        self.land_late(now)?;
        self.drive_questions(now)
    }

    /// Links whose time is over, or that lead to a device which is no longer in the conversation.
    fn late_roads(&mut self, now: Timestamp) -> Vec<(RoadId, &'static str)> {
        let mut late = Vec::new();
        let keeps = self.direct.policy == DirectPolicy::Always;
        for (id, road) in &mut self.direct.roads {
            if road.until > now {
                continue;
            }
            if road.state == State::Up && keeps {
                road.until = now.plus_millis(IDLE_MS);
            } else {
                late.push((*id, if road.state == State::Up { "nobody uses it" } else { "it took too long" }));
            }
        }
        late
    }

    fn road_is_up(&mut self, id: RoadId, now: Timestamp) -> Outcome {
        let Some(road) = self.direct.roads.get_mut(&id) else { return Ok(()) };
        if !matches!(road.state, State::Listening | State::Dialling) {
            return Ok(());
        }
        road.state = State::Up;
        road.until = now.plus_millis(IDLE_MS);
        let (conversation, device) = (road.conversation, road.device);
        self.direct.calm.remove(&(conversation, device));
        self.tell_road(conversation, true)
    }

    /// Ends a link from this side. What was under way on it goes through the log.
    fn close_road(&mut self, id: RoadId, now: Timestamp) -> Outcome {
        if self.direct.roads.get(&id).is_some_and(|road| road.state != State::Asked) {
            self.stage(Output::Road(id, RoadOrder::Close));
        }
        self.drop_road(id, now)
    }

    fn drop_road(&mut self, id: RoadId, now: Timestamp) -> Outcome {
        let Some(road) = self.direct.roads.remove(&id) else { return Ok(()) };
        if self.direct.flights.values().any(|flight| flight.waiting.contains_key(&id)) {
            self.land(road.conversation, now);
        }
        if road.state == State::Up {
            // Lost while it was in use: asked anew before long.
            self.calm_down(road.conversation, road.device, now);
            self.tell_road(road.conversation, false)?;
        }
        Ok(())
    }

    fn tell_road(&mut self, conversation: ConversationId, up: bool) -> Outcome {
        if let Some(row) = conversations::load(&self.connection, conversation)? {
            let chat = self.chat_name(&row)?;
            self.emit(Event::Direct { chat, up });
        }
        Ok(())
    }

    /// Not asked again for a while, longer each time.
    fn calm_down(&mut self, conversation: ConversationId, device: DeviceId, now: Timestamp) {
        let (first, longest) = CALM_MS;
        let (until, tries) = self.direct.calm.entry((conversation, device)).or_insert((now, 0));
        *until = now.plus_millis(first.saturating_mul(1 << (*tries).min(10)).min(longest));
        *tries += 1;
        if self.direct.calm.len() > CALM_ENTRIES {
            self.direct.calm.retain(|_, (until, _)| *until > now);
        }
    }

    /// Ends every link: the account does not want them any more, or is gone.
    pub(crate) fn close_roads(&mut self, now: Timestamp) -> Outcome {
        for id in self.direct.roads.keys().copied().collect::<Vec<_>>() {
            self.close_road(id, now)?;
        }
        Ok(())
    }

    /// Ends the links to devices that are not in their conversation any more (looked at once an epoch), or whose chat may
    /// have none any more.
    fn check_roads(&mut self, now: Timestamp) -> Outcome {
        let roads: Vec<_> =
            self.direct.roads.iter().map(|(id, road)| (*id, road.conversation, road.device, road.checked)).collect();
        for (id, conversation, device, checked) in roads {
            let allowed = match conversations::load(&self.connection, conversation)? {
                Some(row) => self.may_link(&row)?,
                None => false,
            };
            if !allowed {
                self.close_road(id, now)?;
                continue;
            }
            let epoch = self.group(conversation)?.map(subrosa_mls::Group::epoch);
            if epoch.is_some() && epoch == checked {
                continue;
            }
            if epoch.is_none() || !self.other_devices(conversation)?.contains(&device) {
                self.close_road(id, now)?;
            } else if let Some(road) = self.direct.roads.get_mut(&id) {
                road.checked = epoch;
            }
        }
        Ok(())
    }

    /// The devices of a conversation but for this one.
    fn other_devices(&mut self, conversation: ConversationId) -> Outcome<Vec<DeviceId>> {
        let own = self.profile.as_ref().map(|profile| profile.device);
        let members = self.group(conversation)?.map(subrosa_mls::Group::members).unwrap_or_default();
        let claimed = members.iter().filter_map(|member| subrosa_crypto::ClaimedDevice::parse(&member.credential).ok());
        Ok(claimed.map(|claimed| claimed.device_id()).filter(|device| Some(*device) != own).collect())
    }
}
