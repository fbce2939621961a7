//! Messages on links: out, confirmed, in; and back to the log when a link does not do.
//!
//! A receiver confirms only what is in its store, so a confirmed message is as safe as one that the server has on disk. It
//! takes nothing from a link but application messages of the present epoch, from the very device that the link leads to.

use bytes::Bytes;
use prost::Message;
use subrosa_crypto::ClaimedDevice;
use subrosa_mls::{Kind, ProcessError, Processed};
use subrosa_types::limits::{self, APPLICATION_MESSAGE};
use subrosa_types::{ConversationId, Epoch, IdempotencyKey, MessageId, Sequence, Timestamp};
use subrosa_wire::proto::{
    MessageClass, MessageContext, RoadAcknowledged, RoadFrame, RoadMessage, RoadRefused, road_frame,
};

use super::{CONFIRM_MS, FULL_BUCKET, Flight, HELD, Held, IDLE_MS, PAUSE_MS, RoadId, RoadOrder, State};
use crate::api::{ChatKind, Via};
use crate::engine::{Engine, Output};
use crate::fault::{Fault, Outcome};
use crate::store::conversations::{self, Conversation};
use crate::store::outbox::{self, Intent};
use crate::store::{StoreError, messages};

/// What became of a message from a link.
enum Taken {
    /// It is in the store, now or since earlier.
    Kept,
    /// It has to come through the log.
    Refused,
    /// The other side broke a rule: the link ends.
    Broken(&'static str),
}

impl Engine {
    /// Whether what waits in this conversation goes over links now.
    pub(crate) fn goes_direct(&mut self, row: &Conversation) -> Outcome<bool> {
        if row.kind != ChatKind::Private || self.direct.roads.is_empty() || self.direct.paused.contains_key(&row.id) {
            return Ok(false);
        }
        let devices = self.other_devices(row.id)?;
        let up =
            |id: Option<RoadId>| id.and_then(|id| self.direct.roads.get(&id)).is_some_and(|r| r.state == State::Up);
        Ok(!devices.is_empty() && devices.iter().all(|device| up(self.direct.road(row.id, *device))))
    }

    /// Whether links of this conversation carry something that is not confirmed.
    pub(crate) fn is_in_flight(&self, conversation: ConversationId) -> bool {
        self.direct.flights.values().any(|flight| flight.conversation == conversation)
    }

    /// Sends intents over the conversation's links, in their order, up to one that the server has to see.
    pub(crate) fn drive_flights(
        &mut self,
        row: &Conversation,
        next: Vec<Intent>,
        epoch: Epoch,
        now: Timestamp,
    ) -> Outcome {
        for intent in next {
            if self.direct.carries(intent.key) {
                continue;
            }
            if intent.class != i32::from(MessageClass::Chat) {
                // It goes through the log, when what is before it is confirmed.
                return Ok(());
            }
            let message = match &intent.message {
                Some(message) if intent.epoch == Some(epoch) => message.clone(),
                _ => self.encrypt(row, &intent)?,
            };
            let until = now.plus_millis(CONFIRM_MS);
            let mut flight = Flight { conversation: row.id, waiting: Default::default(), after: row.cursor.0, until };
            let mut frames = Vec::new();
            for (id, road) in &mut self.direct.roads {
                if road.conversation != row.id || road.state != State::Up {
                    continue;
                }
                road.sent += 1;
                road.until = now.plus_millis(IDLE_MS);
                let said = RoadMessage {
                    number: road.sent,
                    message: message.clone(),
                    after: row.cursor.0,
                    series: road.series,
                };
                frames.push((*id, road_frame::Body::Message(said)));
                flight.waiting.insert(*id, road.sent);
            }
            for (id, body) in frames {
                self.send_on_road(id, body);
            }
            #[cfg(feature = "planted-faults")]
            if self.config.faults.trust_link {
                self.confirmed(intent.key, &flight)?;
                continue;
            }
            self.direct.flights.insert(intent.key, flight);
        }
        Ok(())
    }

    fn send_on_road(&mut self, id: RoadId, body: road_frame::Body) {
        let frame = RoadFrame { body: Some(body) }.encode_to_vec();
        self.stage(Output::Road(id, RoadOrder::Send(frame.into())));
    }

    /// What is under way on this conversation's links goes through the log, at once and in order.
    pub(super) fn land(&mut self, conversation: ConversationId, now: Timestamp) {
        self.direct.flights.retain(|_, flight| flight.conversation != conversation);
        for road in self.direct.roads.values_mut().filter(|road| road.conversation == conversation) {
            road.series += 1;
        }
        self.direct.paused.insert(conversation, now.plus_millis(PAUSE_MS));
    }

    /// Gives up what was not confirmed in time, and the links that did not confirm it.
    pub(super) fn land_late(&mut self, now: Timestamp) -> Outcome {
        let late: Vec<RoadId> = self
            .direct
            .flights
            .values()
            .filter(|flight| flight.until <= now)
            .flat_map(|flight| flight.waiting.keys().copied())
            .collect();
        for id in late {
            self.close_road(id, now)?;
        }
        Ok(())
    }

    // ---- In --------------------------------------------------------------------------------------------------------

    pub(super) fn take_road_frame(&mut self, id: RoadId, frame: &Bytes, now: Timestamp) -> Outcome {
        if self.direct.roads.get(&id).is_none_or(|road| road.state != State::Up) {
            return Ok(());
        }
        let body = RoadFrame::decode(frame.as_ref()).map(|frame| frame.body);
        // What answers a message of ours is as frequent as we are; the rest keeps to what the server would allow.
        let answers = match &body {
            Ok(Some(road_frame::Body::Acknowledged(it))) => self.is_waited_for(id, it.number),
            Ok(Some(road_frame::Body::Refused(it))) => self.is_waited_for(id, it.number),
            _ => false,
        };
        if !answers && !self.take_token(id, now) {
            return match body {
                Ok(Some(road_frame::Body::Message(said))) => {
                    self.refuse_series(id, said.number, said.series);
                    Ok(())
                }
                _ => self.break_road(id, "it sent too much", now),
            };
        }
        match body {
            Ok(Some(road_frame::Body::Message(said))) => self.hold(id, said, now),
            Ok(Some(road_frame::Body::Acknowledged(ack))) => self.take_acknowledgement(id, ack.number),
            Ok(Some(road_frame::Body::Refused(refused))) => {
                let road = self.direct.roads.get(&id).map(|road| road.conversation);
                let waits = |flight: &Flight| flight.waiting.get(&id) == Some(&refused.number);
                if let Some(conversation) = road.filter(|_| self.direct.flights.values().any(waits)) {
                    self.land(conversation, now);
                }
                Ok(())
            }
            // Of a newer version.
            Ok(None) => Ok(()),
            Err(_) => self.break_road(id, "it sent what does not decode", now),
        }
    }

    fn is_waited_for(&self, id: RoadId, number: u64) -> bool {
        self.direct.flights.values().any(|flight| flight.waiting.get(&id) == Some(&number))
    }

    fn take_token(&mut self, id: RoadId, now: Timestamp) -> bool {
        let Some(road) = self.direct.roads.get_mut(&id) else { return false };
        let (left, at) = road.allowed;
        let since = u64::try_from(now.millis_since(at)).unwrap_or(0);
        let left = left.saturating_add(since.saturating_mul(limits::MESSAGES_PER_SECOND.into())).min(FULL_BUCKET);
        let taken = left.checked_sub(1_000);
        road.allowed = (taken.unwrap_or(left), now);
        taken.is_some()
    }

    fn break_road(&mut self, id: RoadId, why: &'static str, now: Timestamp) -> Outcome {
        self.warn("direct_refused", format!("a direct link was ended because {why}; messages go through the server"));
        self.close_road(id, now)
    }

    fn hold(&mut self, id: RoadId, said: RoadMessage, now: Timestamp) -> Outcome {
        let Some(road) = self.direct.roads.get_mut(&id) else { return Ok(()) };
        let RoadMessage { number, message, after, series } = said;
        if road.held.len() >= HELD
            || message.len() > APPLICATION_MESSAGE
            || road.refused.is_some_and(|refused| series <= refused)
        {
            self.refuse_series(id, number, series);
            return Ok(());
        }
        let until = now.plus_millis(CONFIRM_MS);
        road.held.push_back(Held { number, message: message.into(), after, series, until });
        Ok(())
    }

    /// Takes in what waits on links, as far as the log is taken in.
    pub(super) fn drive_held(&mut self, now: Timestamp) -> Outcome {
        let waiting: Vec<RoadId> =
            self.direct.roads.iter().filter(|(_, road)| !road.held.is_empty()).map(|(id, _)| *id).collect();
        for id in waiting {
            while let Some((conversation, after, until)) = self
                .direct
                .roads
                .get(&id)
                .and_then(|road| road.held.front().map(|held| (road.conversation, held.after, held.until)))
            {
                let row = conversations::load(&self.connection, conversation)?;
                let row = row.filter(|row| row.state.follows() && row.blocked.is_none());
                let behind = row.as_ref().is_some_and(|row| row.cursor.0 < after);
                #[cfg(feature = "planted-faults")]
                let behind = behind && !self.config.faults.take_direct_early;
                if behind && until > now {
                    self.hear_of(id, conversation, after);
                    break;
                }
                let Some(held) = self.direct.roads.get_mut(&id).and_then(|road| road.held.pop_front()) else { break };
                let over = self.direct.roads.get(&id).and_then(|road| road.refused).is_some_and(|no| held.series <= no);
                let taken = match row {
                    Some(mut row) if !behind && !over => self.take_direct(&mut row, id, &held.message, now)?,
                    _ => Taken::Refused,
                };
                match taken {
                    Taken::Kept => {
                        if let Some(road) = self.direct.roads.get_mut(&id) {
                            road.until = now.plus_millis(IDLE_MS);
                        }
                        let number = held.number;
                        self.send_on_road(id, road_frame::Body::Acknowledged(RoadAcknowledged { number }));
                    }
                    Taken::Refused => self.refuse_series(id, held.number, held.series),
                    Taken::Broken(why) => self.break_road(id, why, now)?,
                }
            }
        }
        Ok(())
    }

    fn refuse_series(&mut self, id: RoadId, number: u64, series: u64) {
        if let Some(road) = self.direct.roads.get_mut(&id) {
            road.refused = road.refused.max(Some(series));
        }
        self.send_on_road(id, road_frame::Body::Refused(RoadRefused { number }));
    }

    /// The log is as long as this, says somebody who may say what they like: it is only asked for.
    fn hear_of(&mut self, id: RoadId, conversation: ConversationId, after: u64) {
        let known = self.sync.heads.get(&conversation).copied().unwrap_or(0);
        if self.session.is_online() && known < after && !self.requests.has(&crate::requests::Pending::Heads) {
            use subrosa_wire::proto::{ListConversations, client_frame};
            let Some(road) = self.direct.roads.get_mut(&id) else { return };
            let asked = road.head_asked;
            road.head_asked = after.max(asked);
            if asked < after {
                self.request(
                    client_frame::Request::ListConversations(ListConversations {}),
                    crate::requests::Pending::Heads,
                );
            }
        }
    }

    fn take_direct(&mut self, row: &mut Conversation, id: RoadId, message: &Bytes, now: Timestamp) -> Outcome<Taken> {
        let Some(device) = self.direct.roads.get(&id).map(|road| road.device) else { return Ok(Taken::Refused) };
        let outside = match subrosa_mls::peek(message) {
            Ok(outside) if outside.conversation == row.id => outside,
            Ok(_) | Err(_) => return Ok(Taken::Broken("it sent what is no message of this chat")),
        };
        #[cfg(feature = "planted-faults")]
        if self.config.faults.order_over_link && outside.kind != Kind::Application {
            let done = self.with_group(row.id, |mls, group| match group.process(mls, message)? {
                Processed::Commit(staged) => group.merge(mls, *staged).map_err(|_| ProcessError::Evicted),
                Processed::Proposal(proposal) => {
                    group.store_proposal(mls, *proposal).map_err(|_| ProcessError::Evicted)
                }
                _ => Err(ProcessError::Evicted),
            })?;
            return Ok(if matches!(done, Some(Ok(()))) { Taken::Kept } else { Taken::Refused });
        }
        let context = MessageContext::decode(outside.authenticated_data);
        if outside.kind != Kind::Application || context.is_ok_and(|context| context.class() != MessageClass::Chat) {
            return Ok(Taken::Broken("it sent a change that only the server may order"));
        }
        let epoch = outside.epoch;
        if self.group(row.id)?.is_none_or(|group| group.epoch() != epoch) {
            return Ok(Taken::Refused);
        }
        self.connection.execute_batch("SAVEPOINT entry")?;
        let processed = self.with_group(row.id, |mls, group| group.process(mls, message))?;
        let refused = match processed {
            Some(Ok(Processed::Application { sender, aad, plaintext })) => {
                let claimed = ClaimedDevice::parse(&sender.credential).map(|claimed| claimed.device_id());
                if claimed == Ok(device) {
                    self.connection.execute_batch("RELEASE entry")?;
                    let at = self.direct_time(row.id, now)?;
                    let position = row.cursor;
                    self.take_in_application(row, position, at, Via::Direct, &sender, &aad, &plaintext, now)?;
                    conversations::save(&self.connection, row)?;
                    return Ok(Taken::Kept);
                }
                Taken::Broken("it sent a message of another device")
            }
            Some(Err(ProcessError::Duplicate)) => Taken::Kept,
            Some(Err(ProcessError::Storage(error))) => return Err(Fault::Mls(error.to_string())),
            _ if self.connection.is_autocommit() => return Err(Fault::Store(StoreError::RolledBack)),
            Some(Err(ProcessError::OutOfWindow | ProcessError::Evicted)) => Taken::Refused,
            _ => Taken::Broken("it sent a message that does not verify"),
        };
        self.connection.execute_batch("ROLLBACK TO entry; RELEASE entry")?;
        self.groups.remove(&row.id);
        Ok(refused)
    }

    /// The time now, as the server would give it, and not before what this conversation has already.
    fn direct_time(&self, conversation: ConversationId, now: Timestamp) -> Outcome<Timestamp> {
        let now = now.plus_millis(self.direct.server_ahead);
        let last = messages::latest(&self.connection, conversation)?;
        Ok(last.map_or(now, |(last, _)| last.max(now)))
    }

    // ---- Confirmed ---------------------------------------------------------------------------------------------------

    fn take_acknowledgement(&mut self, id: RoadId, number: u64) -> Outcome {
        let found = self.direct.flights.iter().find(|(_, flight)| flight.waiting.get(&id) == Some(&number));
        let Some(key) = found.map(|(key, _)| *key) else { return Ok(()) };
        let Some(flight) = self.direct.flights.get_mut(&key) else { return Ok(()) };
        flight.waiting.remove(&id);
        if flight.waiting.is_empty()
            && let Some(flight) = self.direct.flights.remove(&key)
        {
            self.confirmed(key, &flight)?;
        }
        Ok(())
    }

    /// Every device of the conversation has it.
    fn confirmed(&mut self, key: IdempotencyKey, flight: &Flight) -> Outcome {
        let Some(intent) = outbox::by_key(&self.connection, key)? else { return Ok(()) };
        let Some(mut row) = conversations::load(&self.connection, flight.conversation)? else { return Ok(()) };
        outbox::remove(&self.connection, key)?;
        let at = self.direct_time(row.id, self.last)?;
        if let Some(own) = self.profile.as_ref().map(|profile| profile.account) {
            let id = MessageId::from_bytes(*key.as_bytes());
            messages::accepted(&self.connection, row.id, own, id, Sequence(flight.after), at, Via::Direct)?;
            messages::delivered(&self.connection, row.id, own, id)?;
            if intent.shown {
                self.sync.unannounced.push((row.id, own, id));
            }
        }
        self.take_own_title(&mut row, &intent)?;
        conversations::save(&self.connection, &row)?;
        self.outgoing.delivered(key);
        Ok(())
    }
}
