//! Which method has which answer. The one table: sessions check against it, and the documents are made from it.

use subrosa_engine::api::{Command, Reply};

/// The tag of the [`Reply`] that a command has.
pub const fn reply_of(command: &Command) -> &'static str {
    match command {
        Command::SignUp { .. } | Command::LogIn { .. } | Command::WhoAmI => "who_am_i",
        Command::LogOut
        | Command::RevokeDevice { .. }
        | Command::SetDraft { .. }
        | Command::SetSetting { .. }
        | Command::MarkRead { .. }
        | Command::GroupLeave { .. }
        | Command::Accept { .. }
        | Command::Decline { .. }
        | Command::InviteLinkRevoke { .. }
        | Command::Follow => "done",
        Command::Devices => "devices",
        Command::Send { .. } => "sent",
        Command::Read { .. } => "messages",
        Command::History { .. } => "history",
        Command::Search { .. } => "found",
        Command::Overview => "overview",
        Command::Settings => "settings",
        Command::EventsSince { .. } => "events",
        Command::ChangedKeys => "changed_keys",
        Command::Reload => "reloaded",
        Command::Chats => "chats",
        Command::GroupCreate { .. }
        | Command::GroupAdd { .. }
        | Command::GroupRemove { .. }
        | Command::GroupRename { .. } => "group",
        Command::GroupMembers { .. } => "members",
        Command::Invites => "invites",
        Command::RoleList => "roles",
        Command::RoleSet { .. } => "role_set",
        Command::RoleLog => "role_log",
        Command::InviteLinkCreate { .. } | Command::InviteLinkList => "invite_links",
        Command::Verify { .. } | Command::Compare { .. } => "safety_number",
        Command::ExportKeys { .. } => "keys",
        Command::Direct { .. } => "direct",
        Command::RoomPass => "room_pass",
        Command::Status => "status",
    }
}

/// The tag that a reply serialises with.
pub const fn tag(reply: &Reply) -> &'static str {
    match reply {
        Reply::Done => "done",
        Reply::WhoAmI(_) => "who_am_i",
        Reply::Devices(_) => "devices",
        Reply::Sent(_) => "sent",
        Reply::Direct(_) => "direct",
        Reply::Messages(_) => "messages",
        Reply::History(_) => "history",
        Reply::Found(_) => "found",
        Reply::Overview(_) => "overview",
        Reply::Settings(_) => "settings",
        Reply::Events(_) => "events",
        Reply::ChangedKeys(_) => "changed_keys",
        Reply::Reloaded { .. } => "reloaded",
        Reply::Chats(_) => "chats",
        Reply::Group { .. } => "group",
        Reply::Members(_) => "members",
        Reply::Invites(_) => "invites",
        Reply::Roles(_) => "roles",
        Reply::RoleSet { .. } => "role_set",
        Reply::RoleLog(_) => "role_log",
        Reply::InviteLinks(_) => "invite_links",
        Reply::SafetyNumber { .. } => "safety_number",
        Reply::RoomPass(_) => "room_pass",
        Reply::Keys(_) => "keys",
        Reply::Status(_) => "status",
    }
}

/// Methods of the engine and the tags of their replies, for the documents: the name that each command serialises with.
pub const ENGINE: &[(&str, &str)] = &[
    ("sign_up", "who_am_i"),
    ("log_in", "who_am_i"),
    ("log_out", "done"),
    ("who_am_i", "who_am_i"),
    ("devices", "devices"),
    ("revoke_device", "done"),
    ("send", "sent"),
    ("read", "messages"),
    ("history", "history"),
    ("search", "found"),
    ("overview", "overview"),
    ("set_draft", "done"),
    ("settings", "settings"),
    ("set_setting", "done"),
    ("events_since", "events"),
    ("mark_read", "done"),
    ("changed_keys", "changed_keys"),
    ("reload", "reloaded"),
    ("chats", "chats"),
    ("group_create", "group"),
    ("group_add", "group"),
    ("group_remove", "group"),
    ("group_members", "members"),
    ("group_leave", "done"),
    ("group_rename", "group"),
    ("invites", "invites"),
    ("accept", "done"),
    ("decline", "done"),
    ("role_list", "roles"),
    ("role_set", "role_set"),
    ("role_log", "role_log"),
    ("invite_link_create", "invite_links"),
    ("invite_link_list", "invite_links"),
    ("invite_link_revoke", "done"),
    ("verify", "safety_number"),
    ("compare", "safety_number"),
    ("export_keys", "keys"),
    ("direct", "direct"),
    ("follow", "done"),
    ("room_pass", "room_pass"),
    ("status", "status"),
];
