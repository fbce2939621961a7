//! Agreeing on a link: questions and answers inside the conversation. See `direct.proto` for the steps and their reasons.
//!
//! If two devices ask each other at the same time, the question of the one with the lower id counts.

use prost::Message;
use subrosa_crypto::{Device, SigningKey};
use subrosa_types::{ConversationId, DeviceId, Timestamp};
use subrosa_wire::proto::{self, DirectSignal, DirectSignals, QuicWay, RelayAddress, client_frame};
use zeroize::Zeroizing;

use super::{ANSWER_MS, CALM_ENTRIES, DirectPolicy, FULL_BUCKET, ROADS, Road, RoadId, RoadOrder, STEP_MS, State};
use crate::api::ChatKind;
use crate::content::Content;
use crate::engine::{Engine, Output};
use crate::fault::Outcome;
use crate::requests::Pending;
use crate::store::conversations::{self, Conversation, ConversationState};
use crate::store::outbox::Intent;
use crate::store::profile;

/// A question or answer that the server kept for longer than this, in milliseconds, is from somebody who waits no longer.
const FRESH_MS: i64 = 20_000;
/// Signals in one message at most.
const SIGNALS: usize = 16;
/// Addresses in an answer at most.
const ADDRESSES: usize = 8;
/// Longest host or address in an answer, in bytes.
const ADDRESS: usize = 256;

impl Engine {
    /// Somebody follows this profile from now on.
    pub(crate) fn follow(&mut self) -> Outcome {
        self.direct.followed = true;
        if self.direct.policy == DirectPolicy::Always {
            self.wish_everywhere()?;
        }
        Ok(())
    }

    /// Takes over when links are made, as the store has it.
    pub(crate) fn load_policy(&mut self) -> Result<(), crate::store::StoreError> {
        self.direct.policy = profile::direct_policy(&self.connection)?;
        Ok(())
    }

    pub(crate) const fn direct_policy(&self) -> DirectPolicy {
        self.direct.policy
    }

    pub(crate) fn set_direct_policy(&mut self, policy: DirectPolicy, now: Timestamp) -> Outcome {
        profile::set_direct_policy(&self.connection, policy)?;
        self.direct.policy = policy;
        match policy {
            DirectPolicy::Never => self.close_roads(now)?,
            DirectPolicy::Always => self.wish_everywhere()?,
            DirectPolicy::Contacts => {}
        }
        Ok(())
    }

    fn wish_everywhere(&mut self) -> Outcome {
        for row in conversations::all(&self.connection)? {
            if row.kind == ChatKind::Private {
                self.direct.wished.insert(row.id);
            }
        }
        Ok(())
    }

    /// Something is said in a conversation: a link is worth having.
    pub(crate) fn wish_direct(&mut self, row: &Conversation) {
        if row.kind == ChatKind::Private && self.direct.followed {
            self.direct.wished.insert(row.id);
        }
    }

    /// Whether this account shows its address to the devices of this chat.
    pub(super) fn may_link(&mut self, row: &Conversation) -> Outcome<bool> {
        Ok(self.direct.followed
            && self.direct.policy != DirectPolicy::Never
            && row.kind == ChatKind::Private
            && row.state == ConversationState::Active
            && row.blocked.is_none()
            && self.unaccepted_key(row.id)?.is_none())
    }

    /// Asks the devices of the conversations in which something is said.
    pub(super) fn drive_questions(&mut self, now: Timestamp) -> Outcome {
        if self.direct.wished.is_empty() || !self.direct.followed || !self.session.is_online() {
            return Ok(());
        }
        for conversation in std::mem::take(&mut self.direct.wished) {
            let Some(row) = conversations::load(&self.connection, conversation)? else { continue };
            let head = self.sync.heads.get(&conversation).copied().unwrap_or(0);
            if row.state == ConversationState::Active && row.cursor.0 < head {
                // First what the log has.
                self.direct.wished.insert(conversation);
                continue;
            }
            if self.may_link(&row)? {
                self.ask_devices(&row, now)?;
            }
            if self.direct.policy == DirectPolicy::Always && row.state == ConversationState::Active {
                self.direct.wished.insert(conversation);
            }
        }
        Ok(())
    }

    fn ask_devices(&mut self, row: &Conversation, now: Timestamp) -> Outcome {
        let mut signals = Vec::new();
        for device in self.other_devices(row.id)? {
            let calm = self.direct.calm.get(&(row.id, device)).is_some_and(|(until, _)| *until > now);
            if calm || self.direct.road(row.id, device).is_some() || self.direct.roads.len() >= ROADS {
                continue;
            }
            self.calm_down(row.id, device, now);
            let (name, seed) = (self.random(), Zeroizing::new(self.random()));
            let endpoint = SigningKey::from_seed(&seed).public().to_vec();
            signals.push(DirectSignal { road: name.to_vec(), device: device.to_vec(), endpoint, way: None });
            self.add_road(row.id, device, name, seed, State::Asked, now);
        }
        if signals.is_empty() {
            return Ok(());
        }
        tracing::info!("asking for a direct link");
        self.send_signals(row.id, signals)
    }

    fn send_signals(&mut self, conversation: ConversationId, signals: Vec<DirectSignal>) -> Outcome {
        let signals = DirectSignals { signals }.encode_to_vec();
        self.send_control(conversation, |content| content.direct = Some(signals))
    }

    fn add_road(
        &mut self,
        conversation: ConversationId,
        device: DeviceId,
        name: [u8; 16],
        seed: Zeroizing<[u8; 32]>,
        state: State,
        now: Timestamp,
    ) -> RoadId {
        self.direct.last += 1;
        let id = RoadId(self.direct.last);
        let until = now.plus_millis(STEP_MS);
        let held = std::collections::VecDeque::new();
        let road = Road {
            conversation,
            device,
            name,
            seed,
            peer: None,
            way: None,
            state,
            checked: None,
            until,
            sent: 0,
            series: 0,
            refused: None,
            held,
            head_asked: 0,
            allowed: (FULL_BUCKET, now),
        };
        self.direct.roads.insert(id, road);
        id
    }

    /// Questions and answers of another device. `at`: when the server took them.
    pub(crate) fn take_signals(
        &mut self,
        row: &Conversation,
        from: &Device,
        bytes: &[u8],
        at: Timestamp,
        now: Timestamp,
    ) -> Outcome {
        let Some(own) = self.profile.as_ref().map(|profile| profile.device) else { return Ok(()) };
        let age = now.plus_millis(self.direct.server_ahead).millis_since(at);
        if from.id == own || age > FRESH_MS || !self.may_link(row)? {
            return Ok(());
        }
        let Ok(DirectSignals { signals }) = DirectSignals::decode(bytes) else { return Ok(()) };
        for signal in signals.into_iter().take(SIGNALS).filter(|signal| signal.device == own.to_vec()) {
            let (Ok(name), Ok(endpoint)) = (signal.road.try_into(), signal.endpoint.try_into()) else { continue };
            match signal.way {
                None => self.take_question(row, from.id, own, name, endpoint, now)?,
                Some(way) => self.take_answer(row, from.id, name, endpoint, way, now),
            }
        }
        Ok(())
    }

    fn take_question(
        &mut self,
        row: &Conversation,
        from: DeviceId,
        own: DeviceId,
        name: [u8; 16],
        endpoint: [u8; 32],
        now: Timestamp,
    ) -> Outcome {
        if self.direct.answered.get(&(row.id, from)).is_some_and(|until| *until > now) {
            return Ok(());
        }
        if let Some(id) = self.direct.road(row.id, from) {
            let asked = self.direct.roads.get(&id).is_some_and(|road| road.state == State::Asked);
            if asked && own < from {
                return Ok(());
            }
            // Its question counts; or it lost the link that was there.
            self.close_road(id, now)?;
        }
        if self.direct.roads.len() >= ROADS {
            return Ok(());
        }
        if self.direct.answered.len() > CALM_ENTRIES {
            self.direct.answered.retain(|_, until| *until > now);
        }
        self.direct.answered.insert((row.id, from), now.plus_millis(ANSWER_MS));
        let seed = Zeroizing::new(self.random());
        let id = self.add_road(row.id, from, name, seed, State::Passing, now);
        if let Some(road) = self.direct.roads.get_mut(&id) {
            road.peer = Some(endpoint);
        }
        self.ask_for_pass(id);
        Ok(())
    }

    fn take_answer(
        &mut self,
        row: &Conversation,
        from: DeviceId,
        name: [u8; 16],
        endpoint: [u8; 32],
        way: QuicWay,
        now: Timestamp,
    ) {
        let Some(id) = self.direct.road(row.id, from) else { return };
        let Some(road) = self.direct.roads.get_mut(&id) else { return };
        if road.state != State::Asked || road.name != name || !is_bounded(&way) {
            return;
        }
        (road.peer, road.way, road.state) = (Some(endpoint), Some(way), State::Passing);
        road.until = now.plus_millis(STEP_MS);
        self.ask_for_pass(id);
    }

    /// Whether an intent is a question or answer about links that are none any more: a restart, another connection, or
    /// somebody who wants no links was in between. Nobody may learn an address by it now.
    pub(crate) fn is_stale_signal(&self, intent: &Intent) -> bool {
        let Some(bytes) = Content::decode(&intent.content).ok().filter(|_| !intent.shown).and_then(|it| it.direct)
        else {
            return false;
        };
        let known = |signal: &DirectSignal| self.direct.roads.values().any(|road| road.name[..] == signal.road[..]);
        DirectSignals::decode(bytes.as_slice()).is_ok_and(|signals| !signals.signals.iter().any(known))
    }

    fn ask_for_pass(&mut self, id: RoadId) {
        let Some(road) = self.direct.roads.get(&id) else { return };
        let endpoint = SigningKey::from_seed(&road.seed).public().to_vec();
        let request = proto::RelayPassRequest { endpoint };
        self.request(client_frame::Request::RelayPass(request), Pending::RelayPass(id));
    }

    /// The server's relay admits this link's endpoint, or there is no relay: now the endpoint can be made.
    pub(crate) fn take_pass(&mut self, id: RoadId, relay: Option<RelayAddress>, now: Timestamp) {
        let server = self.profile.as_ref().map(|profile| (profile.server.host.clone(), profile.server.port.into()));
        let Some(road) = self.direct.roads.get_mut(&id) else { return };
        let (State::Passing, Some(peer)) = (&road.state, road.peer) else { return };
        let relay = match (relay, server) {
            // The server's own, by the way that leads to the server: it does not choose whom this device contacts.
            (Some(relay), Some((host, port))) => Some(RelayAddress { host, port, ..relay }),
            _ => None,
        };
        road.until = now.plus_millis(STEP_MS);
        let seed = road.seed.clone();
        let order = match road.way.clone() {
            Some(way) => {
                road.state = State::Dialling;
                RoadOrder::Dial { seed, peer, way, relay }
            }
            None => {
                road.state = State::Listening;
                RoadOrder::Listen { seed, peer, relay }
            }
        };
        self.stage(Output::Road(id, order));
    }

    /// The endpoint of a link that was asked for is there: say how it is found.
    pub(super) fn answer_question(&mut self, id: RoadId, mut way: QuicWay, now: Timestamp) -> Outcome {
        let Some(road) = self.direct.roads.get_mut(&id).filter(|road| road.state == State::Listening) else {
            return Ok(());
        };
        road.until = now.plus_millis(STEP_MS);
        let (conversation, device, name) = (road.conversation, road.device, road.name);
        let endpoint = SigningKey::from_seed(&road.seed).public().to_vec();
        if let Some(relay) = &mut way.relay {
            // The pass is this endpoint's own; the other one has its own from the same server.
            relay.pass.clear();
        }
        // What was accepted when it was asked may not be any more.
        let allowed = match conversations::load(&self.connection, conversation)? {
            Some(row) => self.may_link(&row)?,
            None => false,
        };
        if !allowed {
            return self.close_road(id, now);
        }
        let signal = DirectSignal { road: name.to_vec(), device: device.to_vec(), endpoint, way: Some(way) };
        self.send_signals(conversation, vec![signal])
    }
}

/// Whether an answer keeps to its limits.
fn is_bounded(way: &QuicWay) -> bool {
    way.addresses.len() <= ADDRESSES
        && way.addresses.iter().all(|address| address.len() <= ADDRESS)
        && way.relay.as_ref().is_none_or(|relay| relay.host.len() <= ADDRESS && relay.pass.len() <= ADDRESS)
}
