//! What happens without being asked for.

use subrosa_client::Notice;
use subrosa_client::api::{Command, Event, InviteKind, InviteRow, MessageRow};

use super::{Effects, actions, answers, call, mentions, refresh};
use crate::state::effect::{Ask, Effect};
use crate::state::entry::Kind;
use crate::state::timeline::Fate;
use crate::state::{Standing, State};
use crate::text::shortened;

/// Columns of a notification.
const NOTIFIED: usize = 120;

/// Something happened.
pub fn notice(state: &mut State, fx: &mut Effects, notice: Notice) {
    match notice {
        Notice::Missed => answers::read_again(state, fx),
        Notice::Event(told) => happened(state, fx, told.event),
    }
}

fn happened(state: &mut State, fx: &mut Effects, event: Event) {
    match event {
        Event::Online => {
            let was = std::mem::replace(&mut state.standing, Standing::Online);
            if matches!(was, Standing::Offline(_)) {
                state.say("online again");
                refresh(fx);
            }
        }
        Event::Offline { reason } => state.standing = Standing::Offline(reason),
        Event::Message(row) => message(state, fx, row),
        Event::Invite(row) => invited(state, fx, &row),
        Event::Joined { chat, name } => came_or_went(state, fx, &chat, &name, true),
        Event::Left { chat, name } => came_or_went(state, fx, &chat, &name, false),
        Event::Renamed { chat, title } => {
            if let Some(key) = state.find_title(&chat) {
                let now = state.now;
                if let Some(entry) = state.entry_mut(key) {
                    entry.title = format!("#{title}");
                    entry.timeline.note(format!("{chat} is now called #{title}"), now);
                }
            }
        }
        Event::RoleChanged { role } => {
            if let Some(me) = &mut state.me {
                me.role = role;
            }
            state.say(format!("your role is now {role}"));
            call(fx, Ask::People, Command::RoleList);
        }
        Event::KeyChanged { name, was_verified } => {
            let alarm = if was_verified { " THE OLD KEY HAD BEEN COMPARED." } else { "" };
            let text = format!(
                "the key of @{name} changed; nothing is sent to them until you accept it.{alarm} Compare first: /verify @{name}"
            );
            note_in(state, &format!("@{name}"), &text);
            state.complain(text);
            call(fx, Ask::Chats, Command::Chats);
        }
        Event::DeviceAdded { name, device } => {
            let text = format!("@{name} has a further device: {device}");
            if state.my_name() == Some(name.as_str()) {
                state.complain(format!("your account has a further device: {device}; /devices lists them"));
            } else if !note_in(state, &format!("@{name}"), &text) {
                state.say(text);
            }
        }
        Event::Delivered { conversation, chat, id } => {
            if let Some(key) = state.find(conversation, &chat)
                && let Some(entry) = state.entry_mut(key)
            {
                entry.timeline.settle(id, Fate::Delivered);
            }
        }
        Event::Direct { chat, up } => {
            if let Some(key) = state.find_title(&chat)
                && let Some(entry) = state.entry_mut(key)
            {
                entry.directly = up;
            }
        }
        Event::Warning { message, .. } => state.complain(message),
        Event::LoggedOut { reason } => actions::logged_out(state, format!("this device was logged out: {reason}")),
    }
}

/// Says something in a chat, if it is in the list.
fn note_in(state: &mut State, chat: &str, text: &str) -> bool {
    let now = state.now;
    let Some(entry) = state.find_title(chat).and_then(|key| state.entry_mut(key)) else { return false };
    if entry.timeline.loaded && !entry.timeline.newer {
        entry.timeline.note(text.to_owned(), now);
    }
    true
}

fn message(state: &mut State, fx: &mut Effects, row: MessageRow) {
    let Some(key) = state.find(row.conversation, &row.chat) else {
        // A chat that is not in the list yet.
        call(fx, Ask::Chats, Command::Chats);
        return announce(state, fx, &row, None);
    };
    let is_seen =
        state.focused && state.current == Some(key) && state.entry(key).is_some_and(|entry| entry.timeline.is_at_end());
    let names_me = !row.own && state.my_name().is_some_and(|me| mentions(&row.text, me));
    let Some(entry) = state.entry_mut(key) else { return };
    entry.conversation = Some(row.conversation);
    entry.last = Some(row.received_at.max(row.sent_at));
    let is_new = entry.timeline.position(row.id).is_none();
    if !row.own && is_new && row.unread {
        entry.unread += 1;
        entry.mentions += u32::from(names_me);
    }
    let timeline = &mut entry.timeline;
    if timeline.loaded && !timeline.newer {
        if !is_seen && row.unread && timeline.first_unread.is_none() && is_new {
            timeline.first_unread = Some(row.id);
        }
        let fate = if row.pending { Fate::Sending } else { Fate::of(&row) };
        timeline.upsert(row.clone(), fate);
    }
    if is_new && !is_seen {
        announce(state, fx, &row, Some(names_me));
    }
}

/// Tells the person outside of this window, as far as they want it.
fn announce(state: &State, fx: &mut Effects, row: &MessageRow, names_me: Option<bool>) {
    if row.own || !row.unread {
        return;
    }
    let is_private = row.chat.starts_with('@');
    let wanted = match state.setting("notify") {
        Some("none") => false,
        Some("mentions") => is_private || names_me == Some(true),
        _ => true,
    };
    if wanted {
        let title = if is_private { row.chat.clone() } else { format!("{} @{}", row.chat, row.from) };
        fx.push(Effect::Notify { title, body: shortened(&subrosa_types::text::single_line(&row.text), NOTIFIED) });
    }
}

fn invited(state: &mut State, fx: &mut Effects, row: &InviteRow) {
    let text = match row.kind {
        InviteKind::Group => format!("@{} invites you to {}", row.from, row.chat),
        InviteKind::Request => format!("@{} wants to chat with you", row.from),
        InviteKind::Role => format!("@{} offers you the super admin role", row.from),
    };
    state.say(format!("{text}: F4 answers"));
    if state.setting("notify") != Some("none") {
        fx.push(Effect::Notify { title: "Subrosa".to_owned(), body: text });
    }
    call(fx, Ask::InviteCount, Command::Invites);
    super::tables::again(state, fx, &Command::Invites);
}

fn came_or_went(state: &mut State, fx: &mut Effects, chat: &str, name: &str, joined: bool) {
    let is_me = state.my_name() == Some(name);
    let now = state.now;
    let key = state.find_title(chat);
    if let Some(entry) = key.and_then(|key| state.entry_mut(key))
        && entry.kind == Kind::Group
    {
        let what = if joined { "joined" } else { "left" };
        if entry.timeline.loaded && !entry.timeline.newer {
            entry.timeline.note(format!("@{name} {what}"), now);
        }
        if let (Some(group), false) = (entry.target(), is_me) {
            let key = entry.key;
            call(fx, Ask::Members(key), Command::GroupMembers { group });
        }
    }
    if is_me || key.is_none() {
        if is_me && !joined {
            state.complain(format!("you are no longer a member of {chat}"));
        }
        call(fx, Ask::Chats, Command::Chats);
    }
    if joined && !state.people_names().any(|known| known == name) {
        call(fx, Ask::People, Command::RoleList);
    }
}
