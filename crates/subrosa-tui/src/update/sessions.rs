//! Rooms: entering, talking, who comes and goes. What is said there is in memory only, here as at the server.

use subrosa_client::api::{MessageRow, Via};
use subrosa_client::room::{Notice, RoomEvent};
use subrosa_types::{ConversationId, MessageId, Timestamp, limits};

use super::{Effects, go, mentions};
use crate::state::State;
use crate::state::dialog::{Dialog, Page, PageLine};
use crate::state::effect::{Effect, RoomInput, RoomWish};
use crate::state::entry::{Entry, Key, Kind};
use crate::state::timeline::Fate;

/// Enters a room, in a line of its own in the list.
pub fn enter(state: &mut State, fx: &mut Effects, room: String, server: String, name: String) {
    let room = room.strip_prefix(['#', '~']).unwrap_or(&room).to_owned();
    let room = if room.is_empty() { "lobby".to_owned() } else { room };
    state.dialogs.clear();
    let key = state.add(Kind::Room, &room);
    if let Some(entry) = state.entry_mut(key) {
        entry.timeline.loaded = true;
    }
    go::go(state, fx, key);
    // A room without a server is one of the server where one has an account.
    let server = match (&state.me, server.is_empty()) {
        (Some(me), true) => me.server.clone(),
        _ => server,
    };
    fx.push(Effect::RoomEnter(key, RoomWish { room, server, name }));
}

/// Says something. It stands there at once, and has its sign until the server gave it its place.
pub fn say(state: &mut State, fx: &mut Effects, key: Key, text: String) {
    let now = state.now;
    let Some(entry) = state.entry_mut(key) else { return };
    if entry.session.over {
        return state.complain("it is over; /leave takes it out of the list");
    }
    if text.len() > limits::TEXT {
        return state.complain("that is too long; send it in parts");
    }
    entry.session.said += 1;
    let (number, me) = (entry.session.said, entry.session.me.clone());
    let row = MessageRow { own: true, pending: true, ..row(entry, own_id(number), me, text.clone(), now) };
    entry.timeline.anchor = None;
    entry.timeline.upsert(row, Fate::Sending);
    fx.push(Effect::RoomSay(key, text));
}

/// Who is in the room.
pub fn names(state: &mut State, fx: &mut Effects) {
    match state.open().filter(|entry| entry.kind == Kind::Room) {
        Some(entry) => fx.push(Effect::RoomNames(entry.key)),
        None => state.complain("go to a room first"),
    }
}

/// Words to compare.
pub fn verify(state: &mut State, fx: &mut Effects) {
    match state.open().filter(|entry| entry.kind == Kind::Room) {
        Some(entry) => fx.push(Effect::RoomVerify(entry.key)),
        None => state.complain("go to a room first"),
    }
}

/// Leaves, and takes it out of the list.
pub fn leave(state: &mut State, fx: &mut Effects, key: Key) {
    fx.push(Effect::RoomLeave(key));
    state.entries.retain(|entry| entry.key != key);
    if state.current == Some(key) {
        state.current = None;
        let next = state.previous.filter(|key| state.entry(*key).is_some());
        match next.or(state.entries.first().map(|entry| entry.key)) {
            Some(next) => go::go(state, fx, next),
            None if state.me.is_none() => super::tables::welcome(state),
            None => {}
        }
    }
}

/// A room said something.
pub fn room(state: &mut State, fx: &mut Effects, key: Key, input: RoomInput) {
    let now = state.now;
    let Some(entry) = state.entry_mut(key) else { return };
    match input {
        RoomInput::Found(note) => entry.timeline.note(note, now),
        RoomInput::Notice(notice) => told(state, fx, key, *notice),
        RoomInput::Names(names) => {
            entry.timeline.note(format!("{} in the room: {}", names.len(), names.join(", ")), now);
        }
        RoomInput::Words(words, guests) => {
            let lines = vec![
                PageLine::Strong(words),
                PageLine::Text(String::new()),
                PageLine::Text(format!(
                    "Read these words to the others, by a way that is not this server. Who sees the same words is in the same \
                     room with you, and nobody is in between. They change when somebody comes or goes; now {guests} are here."
                )),
            ];
            state.dialogs.push(Dialog::Page(Page {
                title: "Words to compare".into(),
                lines,
                scroll: 0,
                keys: Vec::new(),
            }));
        }
        RoomInput::NotInside => state.complain("not in the room at the moment"),
        RoomInput::Failed(failure) => over(entry, format!("the room was not entered: {}", failure.message), now),
    }
}

fn over(entry: &mut Entry, why: String, now: Timestamp) {
    entry.session.over = true;
    entry.session.inside = false;
    entry.timeline.note(why, now);
}

fn told(state: &mut State, fx: &mut Effects, key: Key, notice: Notice) {
    let now = state.now;
    let Some(entry) = state.entry_mut(key) else { return };
    match notice {
        Notice::Event(event) => happened(state, fx, key, event),
        Notice::Lost { reason, again_in } => {
            entry.session.inside = false;
            let text = format!("the connection is lost ({reason}); entering again in {:.1} s", again_in.as_secs_f32());
            entry.timeline.note(text, now);
        }
        Notice::Uncertain { number } => {
            let why = "it is not known whether it was said; look, and say it again if it was not".to_owned();
            entry.timeline.settle(own_id(number), Fate::Failed(why));
        }
        Notice::Ended(None) => over(entry, "you left the room".to_owned(), now),
        Notice::Ended(Some(failure)) => over(entry, failure.message, now),
    }
}

fn happened(state: &mut State, fx: &mut Effects, key: Key, event: RoomEvent) {
    let seen = state.focused && state.current == Some(key);
    let now = state.now;
    let Some(entry) = state.entry_mut(key) else { return };
    match event {
        RoomEvent::Admitted { me, .. } => entry.session.me = me.to_string(),
        RoomEvent::Inside { others, .. } => {
            entry.session.inside = true;
            let mut names: Vec<String> = others.iter().map(ToString::to_string).collect();
            names.sort();
            let with = match names.len() {
                0 => "nobody else is here".to_owned(),
                1..=20 => format!("with {}", names.join(", ")),
                count => format!("with {count} others"),
            };
            entry.timeline.note(format!("you are {} in here, {with}; end-to-end encrypted", entry.session.me), now);
        }
        RoomEvent::Joined { guest, at, .. } => entry.timeline.note(format!("{guest} came"), at),
        RoomEvent::Left { guest, at, .. } => entry.timeline.note(format!("{guest} left"), at),
        RoomEvent::Message { from, text, at, sequence } => {
            let row = row(entry, others_id(key, sequence), from.to_string(), text, at);
            let names_me = mentions(&row.text, entry.session.me.trim_start_matches('@'));
            if !seen {
                entry.unread += 1;
                entry.mentions += u32::from(names_me);
            }
            let notification = (!seen).then(|| (format!("~{} {}", entry.title, row.from), row.text.clone()));
            entry.timeline.upsert(row, Fate::There);
            let wanted = match state.setting("notify") {
                Some("none") => false,
                Some("mentions") => names_me,
                _ => true,
            };
            if let Some((title, body)) = notification.filter(|_| wanted) {
                let body = crate::text::shortened(&subrosa_types::text::single_line(&body), 120);
                fx.push(Effect::Notify { title, body });
            }
        }
        RoomEvent::Sent { number, at, .. } => {
            let id = own_id(number);
            let text = entry.timeline.position(id).and_then(|at| entry.timeline.rows[at].message().cloned());
            if let Some(message) = text {
                entry.timeline.upsert(MessageRow { pending: false, sent_at: at, ..message }, Fate::There);
            }
        }
        RoomEvent::Refused { number, failure } => entry.timeline.settle(own_id(number), Fate::Failed(failure.message)),
        RoomEvent::Dropped { total } => {
            entry.timeline.note(format!("{total} damaged, forged or missing messages were dropped so far"), now);
        }
    }
}

fn row(entry: &Entry, id: MessageId, from: String, text: String, at: Timestamp) -> MessageRow {
    MessageRow {
        id,
        chat: entry.title.clone(),
        conversation: ConversationId::from_bytes([0; 16]),
        from,
        own: false,
        text,
        sent_at: at,
        received_at: at,
        via: Via::Server,
        verified: false,
        unread: false,
        pending: false,
        delivered: false,
    }
}

/// Ids of this run only: what a room says has none.
fn own_id(number: u64) -> MessageId {
    id(1, 0, number)
}

fn others_id(key: Key, sequence: u64) -> MessageId {
    id(2, key.0, sequence)
}

fn id(kind: u32, key: u32, number: u64) -> MessageId {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&kind.to_be_bytes());
    bytes[4..8].copy_from_slice(&key.to_be_bytes());
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    MessageId::from_bytes(bytes)
}
