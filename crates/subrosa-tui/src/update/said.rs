//! What is said and done when something succeeded that a person asked for.

use subrosa_client::api::{Command, DirectPolicy, Reply, Target};

use super::{Effects, answers, call, go, pages, tables};
use crate::state::State;
use crate::state::dialog::Dialog;
use crate::state::effect::Ask;

/// It is done.
pub fn done(state: &mut State, fx: &mut Effects, command: Command, reply: Reply) {
    match (&command, reply) {
        (Command::Reload, Reply::Reloaded { messages, invites }) => {
            state.say(match (messages, invites) {
                (0, 0) => "nothing new".to_owned(),
                _ => format!("{messages} new messages, {invites} new invitations"),
            });
            answers::read_again(state, fx);
        }
        (Command::WhoAmI, Reply::WhoAmI(who)) => state.dialogs.push(Dialog::Page(pages::who_am_i(&who))),
        (Command::GroupCreate { .. }, Reply::Group { chat, title }) => {
            answers::open_group(state, fx, chat, &title);
            state.say("the group is there; whom you named is invited");
            call(fx, Ask::Chats, Command::Chats);
        }
        (Command::GroupAdd { group, .. } | Command::GroupRemove { group, .. }, _) => {
            state.say("done");
            members(state, fx, group);
        }
        (Command::GroupRename { .. }, Reply::Group { title, .. }) => {
            state.say(format!("it is called #{title} now"));
            call(fx, Ask::Chats, Command::Chats);
        }
        (Command::GroupLeave { .. }, _) => {
            state.say("you left the group");
            call(fx, Ask::Chats, Command::Chats);
        }
        (Command::GroupMembers { group }, Reply::Members(rows)) => {
            let key = state.find_title(&group.to_string());
            tables::members(state, key, rows);
        }
        (Command::Accept { id }, _) => accepted(state, fx, id),
        (Command::Decline { .. }, _) => {
            state.say("declined");
            call(fx, Ask::InviteCount, Command::Invites);
            call(fx, Ask::Chats, Command::Chats);
        }
        (Command::RoleSet { name, role }, Reply::RoleSet { waits_for_acceptance }) => {
            state.say(if waits_for_acceptance {
                format!("the super admin role is offered to @{name}; it changes hands when they accept")
            } else {
                format!("@{name} is {role} now")
            });
            call(fx, Ask::People, Command::RoleList);
        }
        (Command::InviteLinkCreate { .. }, Reply::InviteLinks(rows)) => pages::invite_link(state, &rows),
        (Command::Verify { name, confirm }, reply @ Reply::SafetyNumber { .. }) => {
            if *confirm {
                state.dialogs.retain(|dialog| !matches!(dialog, Dialog::Page(_)));
                state.say(format!("marked: you compared the number of @{name}"));
                seen(state, fx);
            } else if let Some(page) = pages::safety_number(state, name.as_str(), &reply) {
                state.dialogs.push(Dialog::Page(page));
            }
        }
        (Command::Compare { name, .. }, Reply::SafetyNumber { .. }) => {
            state.dialogs.retain(|dialog| !matches!(dialog, Dialog::Page(_)));
            state.say(format!("it is the same number: @{name} is verified"));
            seen(state, fx);
        }
        (Command::ExportKeys { .. }, Reply::Keys(rows)) => state.dialogs.push(Dialog::Page(pages::keys(&rows))),
        (Command::Direct { .. }, Reply::Direct(policy)) => {
            state.settings.insert("direct links".to_owned(), policy_word(policy).to_owned());
            tables::refresh_settings(state);
            state.say(format!("private chats use direct links: {}", policy_word(policy)));
        }
        (Command::Status, Reply::Status(status)) => {
            let link = if status.online { "online".to_owned() } else { format!("offline ({})", status.reason) };
            state.say(format!("{link}, {} waiting to be sent, {} dropped", status.queued, status.dropped));
        }
        (Command::LogOut, _) => super::actions::logged_out(state, "this device is logged out".to_owned()),
        (Command::RevokeDevice { .. }, _) => state.say("the device is ended"),
        (Command::InviteLinkRevoke { .. }, _) => state.say("the invitation is revoked"),
        _ => state.say("done"),
    }
    tables::again(state, fx, &command);
}

/// The word for a policy.
pub const fn policy_word(policy: DirectPolicy) -> &'static str {
    match policy {
        DirectPolicy::Contacts => "contacts",
        DirectPolicy::Never => "never",
        DirectPolicy::Always => "always",
    }
}

fn members(state: &mut State, fx: &mut Effects, group: &Target) {
    if let Some(key) = state.find_title(&group.to_string()) {
        call(fx, Ask::Members(key), Command::GroupMembers { group: group.clone() });
    }
}

/// Who is verified now is shown as that.
fn seen(state: &mut State, fx: &mut Effects) {
    answers::read_again(state, fx);
}

/// Who accepts a chat wants to write there.
fn accepted(state: &mut State, fx: &mut Effects, id: &str) {
    state.say("accepted");
    call(fx, Ask::InviteCount, Command::Invites);
    call(fx, Ask::Chats, Command::Chats);
    match answers::target_of(id) {
        Some(target @ Target::Person(_)) => {
            state.dialogs.clear();
            let reads = state.find_title(&target.to_string());
            let opened = go::to(state, fx, target);
            // The messages of a request are there now.
            if let Some(key) = opened
                && reads == opened
            {
                go::read(state, fx, key, subrosa_client::api::Place::Unread, None);
            }
        }
        Some(group @ Target::Group(_)) => {
            state.dialogs.clear();
            state.wanted = Some(group.to_string());
        }
        None => {}
    }
}
