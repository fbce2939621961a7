//! Replies and events as lines for people or objects for scripts. Everything that others wrote becomes safe here.

use std::path::Path;

use serde::Serialize;
use serde_json::json;
use subrosa_client::api::{
    ChangedKeyRow, ChatKind, ChatRow, DeviceRow, DirectPolicy, Event, InviteKind, InviteLinkRow, InviteRow, KeyOwner,
    KeyRow, MemberRow, MessageRow, Reply, RoleLogRow, RoleRow, SendState, SentRow, Status, Via, WhoAmI,
};
use subrosa_types::text::for_terminal;

use crate::news::key_changed;
use crate::output::{Outcome, Output, fields, safe};
use crate::time::{local, utc};

/// Shows whatever a command returned.
pub fn reply(out: Output, reply: &Reply) -> Outcome {
    match reply {
        // For who enters a room with it; nobody reads it.
        Reply::RoomPass(_) => Ok(()),
        // For faces, which draw them themselves; no word of the command line asks for them.
        Reply::Overview(_) | Reply::Settings(_) | Reply::Events(_) => Ok(()),
        Reply::History(page) => page.rows.iter().try_for_each(|row| message(out, row)),
        Reply::Found(found) => found.rows.iter().try_for_each(|row| message(out, row)),
        Reply::Done => out.object(&fields!({"done": true})),
        Reply::WhoAmI(who) => who_am_i(out, who),
        Reply::Devices(rows) => devices(out, rows),
        Reply::Direct(policy) => direct_policy(out, *policy),
        Reply::Sent(row) => sent(out, row),
        Reply::Messages(rows) => rows.iter().try_for_each(|row| message(out, row)),
        Reply::ChangedKeys(rows) => changed_keys(out, rows),
        Reply::Reloaded { messages, invites } => reloaded(out, *messages, *invites),
        Reply::Chats(rows) => chats(out, rows),
        Reply::Group { chat, title } => {
            out.line(format!("#{}", safe(title)))?;
            out.object(&fields!({"chat": format!("#{title}"), "conversation": chat.to_string()}))
        }
        Reply::Members(rows) => members(out, rows),
        Reply::Invites(rows) => invites(out, rows),
        Reply::Roles(rows) => roles(out, rows),
        Reply::RoleSet { waits_for_acceptance } => {
            if *waits_for_acceptance {
                out.note("the super admin role is offered; it changes hands when the other side accepts");
            }
            out.object(&fields!({"done": !waits_for_acceptance, "waits_for_acceptance": waits_for_acceptance}))
        }
        Reply::RoleLog(rows) => role_log(out, rows),
        Reply::InviteLinks(rows) => invite_links(out, rows),
        Reply::SafetyNumber { digits, words, uri, verified, changed } => {
            safety_number(out, digits, words, uri, *verified, *changed)
        }
        Reply::Keys(rows) => rows.iter().try_for_each(|row| key(out, row, None)),
        Reply::Status(row) => status(out, row),
    }
}

#[derive(Serialize)]
struct MessageObject<'a> {
    id: String,
    chat: &'a str,
    from: &'a str,
    text: &'a str,
    sent_at: Option<String>,
    received_at: Option<String>,
    via: &'static str,
    verified: bool,
    own: bool,
    pending: bool,
}

impl<'a> MessageObject<'a> {
    fn of(row: &'a MessageRow) -> Self {
        Self {
            id: row.id.to_string(),
            chat: &row.chat,
            from: &row.from,
            text: &row.text,
            sent_at: utc(row.sent_at),
            received_at: if row.pending { None } else { utc(row.received_at) },
            via: via(row.via),
            verified: row.verified,
            own: row.own,
            pending: row.pending,
        }
    }
}

/// A message.
pub fn message(out: Output, row: &MessageRow) -> Outcome {
    out.line(message_line(row))?;
    out.object(&MessageObject::of(row))
}

/// A message as an event of the console.
pub fn message_event(out: Output, row: &MessageRow) -> Outcome {
    #[derive(Serialize)]
    struct Object<'a> {
        event: &'static str,
        #[serde(flatten)]
        message: MessageObject<'a>,
    }
    out.line(message_line(row))?;
    out.object(&Object { event: "message", message: MessageObject::of(row) })
}

/// `2026-11-21 10:22 #group @alice: text`, and `@alice (direct): text` if it came over a direct link. In a private chat the chat is named only if it is not the sender. Further
/// lines of a text are indented, so that none can pass for another message.
fn message_line(row: &MessageRow) -> String {
    let from = format!("@{}", safe(&row.from));
    let chat = safe(&row.chat);
    let place = if chat == from { String::new() } else { format!("{chat} ") };
    let text = for_terminal(&row.text).replace('\n', "\n    ");
    let pending = if row.pending { " (not sent yet)" } else { "" };
    let road = if row.via == Via::Direct { " (direct)" } else { "" };
    format!("{} {place}{from}{road}: {text}{pending}", local(row.sent_at))
}

fn direct_policy(out: Output, policy: DirectPolicy) -> Outcome {
    let (word, means) = match policy {
        DirectPolicy::Contacts => ("contacts", "with people whose chat you accepted, when there is something to say"),
        DirectPolicy::Never => ("never", "everything goes through the server, and nobody else learns your address"),
        DirectPolicy::Always => ("always", "with people whose chat you accepted, as long as both are there"),
    };
    out.line(format!("{word}: {means}"))?;
    out.object(&fields!({"policy": word}))
}

const fn via(road: Via) -> &'static str {
    match road {
        Via::Server => "server",
        Via::Direct => "direct",
    }
}

fn who_am_i(out: Output, who: &WhoAmI) -> Outcome {
    let row = |what: &str, value: String| vec![what.to_owned(), value];
    out.table(&[
        row("name", format!("@{}", safe(&who.name))),
        row("role", who.role.to_string()),
        row("server", safe(&who.server)),
        row("device", who.device.to_string()),
    ])?;
    out.object(&fields!({
        "name": who.name, "role": who.role.as_str(), "server": who.server, "device": who.device.to_string(),
    }))
}

fn devices(out: Output, rows: &[DeviceRow]) -> Outcome {
    let cells = |row: &DeviceRow| {
        let this = if row.this { "this device" } else { "" };
        vec![row.id.to_string(), local(row.enrolled_at), safe(&row.name), this.to_owned()]
    };
    out.table(&rows.iter().map(cells).collect::<Vec<_>>())?;
    rows.iter().try_for_each(|row| {
        out.object(&fields!({
            "id": row.id.to_string(), "name": row.name, "this": row.this, "enrolled_at": utc(row.enrolled_at),
        }))
    })
}

fn sent(out: Output, row: &SentRow) -> Outcome {
    let state = match row.state {
        SendState::Queued => "queued",
        SendState::Accepted => "accepted",
        SendState::Delivered => "delivered",
    };
    out.object(&fields!({"id": row.id.to_string(), "state": state, "via": via(row.via)}))
}

fn changed_keys(out: Output, rows: &[ChangedKeyRow]) -> Outcome {
    rows.iter().try_for_each(|row| {
        out.line(key_changed(&row.name, row.was_verified))?;
        out.object(&fields!({"name": row.name, "was_verified": row.was_verified}))
    })
}

fn reloaded(out: Output, messages: u32, invites: u32) -> Outcome {
    let count = |n: u32, one: &str| if n == 1 { format!("1 new {one}") } else { format!("{n} new {one}s") };
    out.line(match (messages, invites) {
        (0, 0) => "nothing new".to_owned(),
        (_, 0) => count(messages, "message"),
        (0, _) => count(invites, "invitation"),
        _ => format!("{}, {}", count(messages, "message"), count(invites, "invitation")),
    })?;
    out.object(&fields!({"messages": messages, "invites": invites}))
}

fn chats(out: Output, rows: &[ChatRow]) -> Outcome {
    if rows.is_empty() {
        out.note("no chats yet; write to somebody with: subrosa send @name 'hello'");
    }
    let cells = |row: &ChatRow| {
        let unread = if row.unread == 0 { String::new() } else { format!("{} unread", row.unread) };
        let last = row.last.map(local).unwrap_or_default();
        let blocked = row.blocked.as_deref().map(|why| format!("({})", safe(why))).unwrap_or_default();
        vec![safe(&row.chat), last, unread, blocked]
    };
    out.table(&rows.iter().map(cells).collect::<Vec<_>>())?;
    rows.iter().try_for_each(|row| {
        let kind = match row.kind {
            ChatKind::Private => "private",
            ChatKind::Group => "group",
            ChatKind::Room => "room",
        };
        out.object(&fields!({
            "chat": row.chat, "kind": kind, "unread": row.unread, "last": row.last.and_then(utc), "blocked": row.blocked,
        }))
    })
}

fn members(out: Output, rows: &[MemberRow]) -> Outcome {
    let cells = |row: &MemberRow| {
        let devices = if row.devices == 1 { "1 device".to_owned() } else { format!("{} devices", row.devices) };
        let verified = if row.verified { "verified" } else { "" };
        vec![format!("@{}", safe(&row.name)), row.role.to_string(), devices, verified.to_owned()]
    };
    out.table(&rows.iter().map(cells).collect::<Vec<_>>())?;
    rows.iter().try_for_each(|row| {
        out.object(&fields!({
            "name": row.name, "role": row.role.as_str(), "verified": row.verified, "devices": row.devices,
        }))
    })
}

/// The word for a kind of invitation.
pub const fn invite_kind(kind: InviteKind) -> &'static str {
    match kind {
        InviteKind::Group => "group",
        InviteKind::Request => "request",
        InviteKind::Role => "role",
    }
}

fn invites(out: Output, rows: &[InviteRow]) -> Outcome {
    if rows.is_empty() {
        out.note("no open invitations");
    }
    let cells = |row: &InviteRow| {
        let from = format!("from @{}", safe(&row.from));
        vec![invite_kind(row.kind).to_owned(), safe(&row.chat), from, format!("accept {}", for_shell(row))]
    };
    out.table(&rows.iter().map(cells).collect::<Vec<_>>())?;
    rows.iter().try_for_each(|row| {
        out.object(&fields!({"id": row.id, "kind": invite_kind(row.kind), "chat": row.chat, "from": row.from}))
    })
}

/// What `accept` is given in a shell, which takes `#` for a comment.
fn for_shell(row: &InviteRow) -> String {
    match row.kind {
        InviteKind::Group if row.answer.contains('\'') => safe(&row.id),
        InviteKind::Group if row.answer.starts_with('#') => format!("'{}'", safe(&row.answer)),
        _ => safe(&row.answer),
    }
}

fn roles(out: Output, rows: &[RoleRow]) -> Outcome {
    let cells = |row: &RoleRow| vec![format!("@{}", safe(&row.name)), row.role.to_string()];
    out.table(&rows.iter().map(cells).collect::<Vec<_>>())?;
    rows.iter().try_for_each(|row| out.object(&fields!({"name": row.name, "role": row.role.as_str()})))
}

fn role_log(out: Output, rows: &[RoleLogRow]) -> Outcome {
    let cells = |row: &RoleLogRow| {
        let by = if row.by.is_empty() { String::new() } else { format!("by @{}", safe(&row.by)) };
        let what = row.what.replace('_', " ");
        vec![
            row.position.to_string(),
            local(row.at),
            format!("@{}", safe(&row.name)),
            safe(&what),
            row.role.to_string(),
            by,
        ]
    };
    out.table(&rows.iter().map(cells).collect::<Vec<_>>())?;
    rows.iter().try_for_each(|row| {
        out.object(&fields!({
            "position": row.position, "at": utc(row.at), "what": row.what, "name": row.name,
            "role": row.role.as_str(), "by": row.by,
        }))
    })
}

fn invite_links(out: Output, rows: &[InviteLinkRow]) -> Outcome {
    let cells = |row: &InviteLinkRow| {
        let until = row.expires_at.map(|at| format!("until {}", local(at))).unwrap_or_default();
        vec![safe(&row.code), format!("{} left", row.uses_left), until]
    };
    out.table(&rows.iter().map(cells).collect::<Vec<_>>())?;
    rows.iter().try_for_each(|row| {
        out.object(&fields!({"code": row.code, "uses_left": row.uses_left, "expires_at": row.expires_at.and_then(utc)}))
    })
}

/// Groups of digits in a line, and words in a line.
const GROUPS: usize = 4;
const WORDS: usize = 6;

fn safety_number(out: Output, digits: &str, words: &str, uri: &str, verified: bool, changed: bool) -> Outcome {
    for (text, width) in [(digits, GROUPS), (words, WORDS)] {
        let parts: Vec<&str> = text.split_whitespace().collect();
        for line in parts.chunks(width) {
            out.line(safe(&line.join(" ")))?;
        }
    }
    match (changed, verified) {
        (true, _) => out.note("their key has changed since you accepted it: compare the number by voice or in person"),
        (false, true) => out.note("marked as compared"),
        (false, false) => out.note(
            "compare the digits or the words by voice or in person; if they are the same there, mark them with --confirm",
        ),
    }
    out.object(&fields!({"digits": digits, "words": words, "uri": uri, "verified": verified, "changed": changed}))
}

/// A public key; or where it was written to, with or without the private one.
pub fn key(out: Output, row: &KeyRow, file: Option<(&Path, bool)>) -> Outcome {
    let owner = match row.owner {
        KeyOwner::Account => "account",
        KeyOwner::Device => "device",
    };
    if file.is_none() {
        out.line(key_text(row))?;
    }
    let mut fields = fields!({"key": owner, "id": row.id, "name": row.name, "public": row.public});
    if let Some((path, private)) = file {
        fields.0.push(("file", json!(path.display().to_string())));
        fields.0.push(("private", json!(private)));
    }
    out.object(&fields)
}

/// A public key in PEM, below a line that says whose it is: readers of PEM pass over it (RFC 7468 §2).
pub fn key_text(row: &KeyRow) -> String {
    let whose = match row.owner {
        KeyOwner::Account => format!("Account @{} ({})", safe(&row.name), safe(&row.id)),
        KeyOwner::Device => format!("Device {} of @{}", safe(&row.id), safe(&row.name)),
    };
    format!("{whose}\n{}", row.public.trim_end())
}

fn status(out: Output, row: &Status) -> Outcome {
    out.line(format!(
        "{}, {} waiting to be sent, {} dropped",
        if row.online { "online" } else { "offline" },
        row.queued,
        row.dropped
    ))?;
    out.object(&fields!({"enrolled": row.enrolled, "online": row.online, "queued": row.queued, "dropped": row.dropped}))
}

/// An event of the console that is no message.
pub fn event(out: Output, event: &Event) -> Outcome {
    let note = |line: String| out.note(format!("* {line}"));
    match event {
        Event::Joined { chat, name } => {
            out.line(format!("* @{} joined {}", safe(name), safe(chat)))?;
            out.object(&fields!({"event": "joined", "chat": chat, "name": name}))
        }
        Event::Left { chat, name } => {
            out.line(format!("* @{} left {}", safe(name), safe(chat)))?;
            out.object(&fields!({"event": "left", "chat": chat, "name": name}))
        }
        Event::Renamed { chat, title } => {
            out.line(format!("* {} is now called #{}", safe(chat), safe(title)))?;
            out.object(&fields!({"event": "renamed", "chat": chat, "title": title}))
        }
        Event::Invite(row) => {
            let what = match row.kind {
                InviteKind::Group => format!("@{} invites you to {}", safe(&row.from), safe(&row.chat)),
                InviteKind::Request => format!("@{} wants to chat with you", safe(&row.from)),
                InviteKind::Role => format!("@{} offers you the super admin role", safe(&row.from)),
            };
            out.line(format!("* {what}: /accept {id} or /decline {id}", id = safe(&row.answer)))?;
            out.object(&fields!({
                "event": "invite", "id": row.id, "kind": invite_kind(row.kind), "chat": row.chat, "from": row.from,
            }))
        }
        Event::RoleChanged { role } => {
            out.line(format!("* your role is now {role}"))?;
            out.object(&fields!({"event": "role_changed", "role": role.as_str()}))
        }
        Event::KeyChanged { name, was_verified } => {
            let alarm = if *was_verified { " THE OLD KEY HAD BEEN COMPARED." } else { "" };
            note(format!(
                "the key of @{name} changed; nothing is sent to them until you /accept @{name}.{alarm} \
                 Compare the number first: /verify @{name}",
                name = safe(name)
            ));
            out.object(&fields!({"event": "key_changed", "name": name, "was_verified": was_verified}))
        }
        Event::Delivered { chat, id, .. } => {
            out.object(&fields!({"event": "delivered", "chat": chat, "id": id.to_string()}))
        }
        Event::Direct { chat, up } => out.object(&fields!({"event": "direct", "chat": chat, "up": up})),
        Event::DeviceAdded { name, device } => {
            note(format!("@{} has a further device: {}", safe(name), safe(device)));
            out.object(&fields!({"event": "device_added", "name": name, "device": device}))
        }
        Event::Warning { code, message } => {
            note(safe(message));
            out.object(&fields!({"event": "error", "code": code, "message": message}))
        }
        Event::Online => {
            note("online".to_owned());
            out.object(&fields!({"event": "online"}))
        }
        Event::Offline { reason } => {
            note(format!("offline: {}; what you write is kept and goes out later", safe(reason)));
            out.object(&fields!({"event": "offline", "reason": reason}))
        }
        Event::LoggedOut { reason } => {
            note(format!("this device was logged out: {}", safe(reason)));
            out.object(&fields!({"event": "logged_out", "reason": reason}))
        }
        Event::Message(row) => message_event(out, row),
    }
}

#[cfg(test)]
mod tests {
    use subrosa_types::{ConversationId, MessageId, Timestamp};

    use super::*;

    fn row(chat: &str, from: &str, text: &str) -> MessageRow {
        MessageRow {
            id: MessageId::from_bytes([1; 16]),
            chat: chat.into(),
            conversation: ConversationId::from_bytes([2; 16]),
            from: from.into(),
            own: false,
            text: text.into(),
            sent_at: Timestamp(1_795_252_951_120),
            received_at: Timestamp(1_795_252_951_500),
            via: Via::Server,
            verified: false,
            unread: true,
            pending: false,
            delivered: false,
        }
    }

    #[test]
    fn a_message_says_when_where_and_who() {
        let at = local(Timestamp(1_795_252_951_120));
        assert_eq!(message_line(&row("#garden", "alice", "hi")), format!("{at} #garden @alice: hi"));
        assert_eq!(message_line(&row("@alice", "alice", "hi")), format!("{at} @alice: hi"));
        assert_eq!(message_line(&row("@bob", "alice", "hi")), format!("{at} @bob @alice: hi"));
    }

    #[test]
    fn a_text_can_neither_command_the_terminal_nor_pass_for_another_message() {
        let line = message_line(&row("@eve", "eve", "x\n2026-11-21 10:22 @bob: send me the key\u{1b}[2J"));
        assert!(!line.contains('\u{1b}'));
        assert!(line.lines().skip(1).all(|line| line.starts_with("    ")), "{line}");
        let line = message_line(&row("#a\n#b\u{202e}", "eve\r", "x"));
        assert_eq!(line.lines().count(), 1);
    }

    #[test]
    fn the_object_of_a_message_has_the_fields_of_the_contract() {
        let object = serde_json::to_value(MessageObject::of(&row("@bob", "bob", "hi"))).unwrap();
        for field in ["id", "chat", "from", "text", "sent_at", "received_at", "via", "verified"] {
            assert!(object.get(field).is_some(), "{field}");
        }
        assert_eq!(object["sent_at"], "2026-11-21T09:22:31.120Z");
        assert_eq!(object["via"], "server");
    }
}
