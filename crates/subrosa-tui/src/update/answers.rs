//! Answers of the engine.

use subrosa_client::api::{ChatRow, Command, Failure, FailureCode, Overview, Reply, SendState, Target};
use subrosa_types::MessageId;

use super::{Effects, actions, call, go, pages, refresh, said, tables};
use crate::state::Standing;
use crate::state::State;
use crate::state::dialog::Dialog;
use crate::state::effect::Ask;
use crate::state::entry::{Key, Kind};
use crate::state::timeline::Fate;

/// Takes an answer in.
pub fn take(state: &mut State, fx: &mut Effects, ask: Ask, result: Result<Reply, Failure>) {
    match result {
        Ok(reply) => succeeded(state, fx, ask, reply),
        Err(failure) => failed(state, fx, ask, failure),
    }
}

fn succeeded(state: &mut State, fx: &mut Effects, ask: Ask, reply: Reply) {
    match (ask, reply) {
        (Ask::Overview, Reply::Overview(overview)) => seen_first(state, fx, overview),
        (Ask::Chats, Reply::Chats(rows)) => chats(state, fx, rows),
        (Ask::Settings, Reply::Settings(settings)) => {
            state.settings = settings;
            actions::apply_settings(state, fx);
        }
        (Ask::People, Reply::Roles(rows)) => state.people = rows,
        (Ask::InviteCount, Reply::Invites(rows)) => state.invites = rows.len(),
        (Ask::Window(key, goal), Reply::History(history)) => window(state, key, goal, history),
        (Ask::Older(key), Reply::History(history)) => with(state, key, |timeline| timeline.prepend(history)),
        (Ask::Newer(key), Reply::History(history)) => with(state, key, |timeline| timeline.append(history)),
        (Ask::Members(key), Reply::Members(mut rows)) => {
            rows.sort_by(|a, b| b.role.cmp(&a.role).then_with(|| a.name.cmp(&b.name)));
            if let Some(entry) = state.entry_mut(key) {
                entry.members = rows;
            }
        }
        (Ask::Sent(key, id), Reply::Sent(sent)) => {
            let fate = match sent.state {
                SendState::Queued => Fate::Kept,
                SendState::Accepted => Fate::There,
                SendState::Delivered => Fate::Delivered,
            };
            let is_new = state.entry_mut(key).is_some_and(|entry| {
                entry.timeline.settle(id, fate);
                entry.timeline.loaded = true;
                entry.conversation.is_none()
            });
            if is_new {
                call(fx, Ask::Chats, Command::Chats);
            }
        }
        (Ask::Table(what), reply) => tables::filled(state, what, reply),
        (Ask::Search(words, more), Reply::Found(found)) => super::dialogs::found(state, words, more, found),
        (Ask::Form(command), reply) => {
            if matches!(state.dialogs.last(), Some(Dialog::Form(_))) {
                state.dialogs.pop();
            }
            said::done(state, fx, *command, reply);
        }
        (Ask::Person(command), reply) => said::done(state, fx, *command, reply),
        (Ask::Entered, Reply::WhoAmI(who)) => {
            state.dialogs.clear();
            state.me = Some(who);
            if state.hosting.is_some() {
                pages::server_link(state);
            }
        }
        // Whatever else belongs to no question of ours changes nothing.
        _ => {}
    }
}

fn failed(state: &mut State, fx: &mut Effects, ask: Ask, failure: Failure) {
    match ask {
        Ask::Overview if failure.kind == "not_logged_in" => super::not_opened(state, None),
        Ask::Window(key, _) if matches!(failure.kind.as_str(), "no_such_chat" | "not_a_member") => {
            // A private chat that has not begun.
            with(state, key, |timeline| {
                timeline.loaded = true;
                timeline.older = false;
                timeline.newer = false;
            });
        }
        Ask::Window(key, _) | Ask::Older(key) | Ask::Newer(key) => {
            with(state, key, |_| ());
            state.complain(failure.message);
        }
        Ask::Sent(key, id) => {
            let fate = if failure.kept { Fate::Kept } else { Fate::Failed(failure.message.clone()) };
            if let Some(entry) = state.entry_mut(key) {
                entry.timeline.settle(id, fate);
            }
            if failure.kept && state.standing == Standing::Online {
                state.complain(failure.message);
            }
        }
        Ask::Table(_) => {
            if let Some(Dialog::Table(table)) = state.dialogs.last_mut() {
                table.loading = false;
                table.error = Some(failure.message);
            }
        }
        Ask::Search(..) => {
            if let Some(Dialog::Search(search)) = state.dialogs.last_mut() {
                search.loading = false;
                search.error = Some(failure.message);
            }
        }
        Ask::Form(_) | Ask::Entered => match state.dialogs.last_mut() {
            Some(Dialog::Form(form)) => {
                form.busy = false;
                form.error = Some(failure.message);
            }
            _ => state.complain(failure.message),
        },
        Ask::Person(command) => {
            state.complain(failure.message);
            tables::again(state, fx, &command);
        }
        // Those who are not logged in have none of these; one answer says so.
        _ if failure.kind == "not_logged_in" => {}
        // A role may not see this; members without it are complete enough.
        Ask::People | Ask::Members(_) | Ask::InviteCount if failure.code != FailureCode::Unexpected => {}
        _ => state.complain(failure.message),
    }
}

fn seen_first(state: &mut State, fx: &mut Effects, overview: Overview) {
    state.me = Some(overview.who);
    let status = overview.status;
    state.standing = match (status.online, status.reason.is_empty()) {
        (true, _) => Standing::Online,
        // Nothing is known yet: the link is being made.
        (false, true) => Standing::Connecting,
        (false, false) => Standing::Offline(status.reason),
    };
    state.invites = overview.invites.len();
    if let Some(row) = overview.changed_keys.first() {
        state.complain(format!("the key of @{} changed: /keys", row.name));
    }
    chats(state, fx, overview.chats);
}

fn chats(state: &mut State, fx: &mut Effects, rows: Vec<ChatRow>) {
    state.take_chats(rows);
    if let Some(key) = state.wanted.as_deref().and_then(|title| state.find_title(title)) {
        state.wanted = None;
        return go::go(state, fx, key);
    }
    if state.current.is_none() && state.dialogs.is_empty() {
        begin_somewhere(state, fx);
    }
}

/// The first thing that is seen: what is unread, else the chat of last time.
fn begin_somewhere(state: &mut State, fx: &mut Effects) {
    let unread =
        state.entries.iter().filter(|entry| entry.unread > 0).max_by_key(|entry| (entry.mentions > 0, entry.last));
    let last = state.entries.iter().filter(|entry| entry.blocked.is_none()).max_by_key(|entry| entry.last);
    if let Some(key) = unread.or(last).or(state.entries.first()).map(|entry| entry.key) {
        go::go(state, fx, key);
    }
}

fn window(state: &mut State, key: Key, goal: Option<MessageId>, history: subrosa_client::api::History) {
    with(state, key, |timeline| timeline.replace(history));
    match goal {
        Some(id) => {
            let row = state.entry(key).and_then(|entry| entry.timeline.position(id));
            if let Some(row) = row {
                go::with_frame(state, key, |frame, timeline| frame.show(timeline, row));
            }
        }
        None => go::show_unread(state, key),
    }
}

/// An answer came that a timeline waited for.
fn with(state: &mut State, key: Key, does: impl FnOnce(&mut crate::state::timeline::Timeline)) {
    if let Some(entry) = state.entry_mut(key) {
        entry.timeline.loading = false;
        does(&mut entry.timeline);
    }
}

/// What was missed is read again: the list, and the messages of the open chat.
pub fn read_again(state: &mut State, fx: &mut Effects) {
    refresh(fx);
    for entry in state.entries.iter_mut().filter(|entry| Some(entry.key) != state.current) {
        // Read when it is opened again.
        if entry.is_chat() {
            entry.timeline.loaded = false;
        }
    }
    let Some(entry) = state.open().filter(|entry| entry.is_chat()) else { return };
    let key = entry.key;
    if entry.timeline.is_at_end() {
        go::read(state, fx, key, subrosa_client::api::Place::Latest, None);
    } else if let Some(entry) = state.entry_mut(key) {
        entry.timeline.newer = true;
    }
}

/// A group that was made or entered is opened.
pub fn open_group(state: &mut State, fx: &mut Effects, conversation: subrosa_types::ConversationId, title: &str) {
    let title = format!("#{title}");
    let key = state.find(conversation, &title).unwrap_or_else(|| state.add(Kind::Group, &title));
    if let Some(entry) = state.entry_mut(key) {
        entry.conversation = Some(conversation);
        entry.title = title;
    }
    state.dialogs.clear();
    go::go(state, fx, key);
}

/// The chat that an answer to an invitation is about.
pub fn target_of(id: &str) -> Option<Target> {
    id.parse().ok()
}
