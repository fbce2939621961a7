//! From chat to chat.

use subrosa_client::api::{Command, Place, Target};
use subrosa_types::MessageId;

use super::{Effects, call};
use crate::state::State;
use crate::state::effect::Ask;
use crate::state::entry::{Key, Kind};
use crate::state::timeline::PAGE;
use crate::view::layout;

/// Opens an entry of the list.
pub fn go(state: &mut State, fx: &mut Effects, key: Key) {
    if state.current == Some(key) || state.entry(key).is_none() {
        return;
    }
    leave(state, fx);
    state.previous = state.current;
    state.current = Some(key);
    let Some(entry) = state.entry_mut(key) else { return };
    if !entry.is_chat() {
        entry.unread = 0;
        entry.mentions = 0;
        return;
    }
    let is_group = entry.kind == Kind::Group;
    let (loaded, target) = (entry.timeline.loaded, entry.target());
    if !loaded {
        read(state, fx, key, Place::Unread, None);
    } else if entry.unread > 0 && entry.timeline.is_at_end() {
        show_unread(state, key);
    }
    if let Some(group) = target.filter(|_| is_group) {
        call(fx, Ask::Members(key), Command::GroupMembers { group });
    }
}

/// Puts the first unread message where it is seen, with the unread line above it.
pub fn show_unread(state: &mut State, key: Key) {
    let Some(entry) = state.entry(key) else { return };
    let first = entry.timeline.rows.iter().position(|row| row.message().is_some_and(|message| message.unread));
    let Some(first) = first else { return };
    let id = entry.timeline.rows[first].message().map(|message| message.id);
    with_frame(state, key, |frame, timeline| {
        timeline.first_unread = id;
        frame.show(timeline, first);
    });
}

/// Does something with a timeline and the frame that it is seen in.
pub fn with_frame(
    state: &mut State,
    key: Key,
    does: impl FnOnce(crate::lines::Frame<'_>, &mut crate::state::timeline::Timeline),
) {
    let (width, height) = {
        let frame = layout::frame(state);
        (frame.width, frame.height)
    };
    let zone = state.zone.clone();
    if let Some(entry) = state.entry_mut(key) {
        does(crate::lines::Frame { width, height, zone: &zone }, &mut entry.timeline);
    }
}

/// Reads a fresh window.
pub fn read(state: &mut State, fx: &mut Effects, key: Key, place: Place, goal: Option<MessageId>) {
    let Some(entry) = state.entry_mut(key) else { return };
    let Some(chat) = entry.target() else { return };
    entry.timeline.loading = true;
    call(fx, Ask::Window(key, goal), Command::History { chat, place, limit: PAGE });
}

/// Opens a chat by its name; a private one may begin here.
pub fn to(state: &mut State, fx: &mut Effects, target: Target) -> Option<Key> {
    let title = target.to_string();
    let key = match (state.find_title(&title), &target) {
        (Some(key), _) => key,
        (None, Target::Person(name)) if state.my_name() == Some(name.as_str()) => {
            state.complain("that is yourself; a chat is with somebody else");
            return None;
        }
        (None, Target::Person(_)) => state.add(Kind::Private, &title),
        (None, Target::Group(_)) => {
            state.complain(format!("you are in no group {title}; /invites shows invitations, /create makes a group"));
            return None;
        }
    };
    go(state, fx, key);
    Some(key)
}

/// Goes to a message.
pub fn find(state: &mut State, fx: &mut Effects, target: Target, id: MessageId) {
    let Some(key) = to(state, fx, target) else { return };
    let Some(entry) = state.entry_mut(key) else { return };
    entry.timeline.found = Some(id);
    match entry.timeline.position(id) {
        Some(row) => with_frame(state, key, |frame, timeline| frame.show(timeline, row)),
        None => read(state, fx, key, Place::Around(id), Some(id)),
    }
}

/// The end of the chat.
pub fn latest(state: &mut State, fx: &mut Effects) {
    let Some(key) = state.current else { return };
    let Some(entry) = state.entry_mut(key) else { return };
    entry.timeline.anchor = None;
    entry.timeline.found = None;
    if entry.timeline.newer {
        read(state, fx, key, Place::Latest, None);
    }
}

/// The next or previous entry of the list.
pub fn step(state: &mut State, fx: &mut Effects, forward: bool) {
    let count = state.entries.len();
    if count == 0 {
        return;
    }
    let at = state.entries.iter().position(|entry| Some(entry.key) == state.current);
    let next = match (at, forward) {
        (None, true) => 0,
        (None, false) => count - 1,
        (Some(at), true) => (at + 1) % count,
        (Some(at), false) => (at + count - 1) % count,
    };
    let key = state.entries[next].key;
    go(state, fx, key);
}

/// The next entry with something unread; first those that name us, then private chats, then others. If there is none, the
/// one that was open before.
pub fn next_active(state: &mut State, fx: &mut Effects) {
    let best = state
        .entries
        .iter()
        .filter(|entry| entry.unread > 0 && Some(entry.key) != state.current)
        .max_by_key(|entry| (entry.mentions > 0, entry.kind == Kind::Private, std::cmp::Reverse(entry.key)))
        .map(|entry| entry.key);
    match best.or(state.previous.filter(|_| state.all_unread() == 0)) {
        Some(key) => go(state, fx, key),
        None => state.say("nothing unread elsewhere"),
    }
}

/// What is to be done when the open entry is left.
pub fn leave(state: &mut State, fx: &mut Effects) {
    save_draft(state, fx);
    state.completion = None;
    if let Some(entry) = state.open_mut() {
        entry.timeline.first_unread = None;
        entry.timeline.found = None;
    }
}

/// Keeps what is being typed.
pub fn save_draft(state: &mut State, fx: &mut Effects) {
    let Some(entry) = state.open_mut() else { return };
    let text = entry.composer.text().to_owned();
    if entry.is_chat()
        && entry.conversation.is_some()
        && text != entry.saved_draft
        && let Some(chat) = entry.target()
    {
        entry.saved_draft.clone_from(&text);
        call(fx, Ask::Quiet, Command::SetDraft { chat, text });
    }
}
