//! What a person must hear of while a single command runs, on standard error, one line each.
//!
//! 1. A changed key that is not accepted yet, after commands that look at what came, and whenever one came meanwhile.
//! 2. A message that will never be sent, and whatever else the engine warns of.
//! 3. That this account is no longer in a group.
//! 4. That what is shown is from this device alone, because the server is not reached.
//!
//! Standard output belongs to the command; a script reads there what its contract says and nothing else.

use std::collections::HashSet;

use futures_util::FutureExt;
use subrosa_client::api::{Command, Event, Failure, Reply};
use subrosa_client::{Client, Events, Notice};

use crate::output::{Outcome, safe};

/// Watches beside one command.
pub struct News {
    client: Client,
    events: Events,
    shows_store: bool,
    looks_for_keys: bool,
    leaves: bool,
    own_name: Option<String>,
    said: HashSet<String>,
}

impl News {
    /// Watches from now on; `command` is what is going to be asked.
    pub async fn watch(client: &Client, command: &Command) -> Outcome<Self> {
        Ok(Self {
            client: client.clone(),
            events: client.events().await?,
            shows_store: matches!(
                command,
                Command::Read { .. } | Command::Chats | Command::Invites | Command::GroupMembers { .. }
            ),
            looks_for_keys: matches!(command, Command::Read { .. } | Command::Reload),
            leaves: matches!(command, Command::GroupLeave { .. } | Command::Decline { .. } | Command::LogOut),
            own_name: None,
            said: HashSet::new(),
        })
    }

    /// Says what came while the command ran. Its own failure is said elsewhere, and not twice.
    pub async fn tell(&mut self, failure: Option<&Failure>) {
        if let Some(failure) = failure {
            self.said.insert(safe(&failure.message));
        }
        let events = self.arrived().await;
        if events.iter().any(|event| matches!(event, Event::Left { .. }))
            && let Ok(Reply::WhoAmI(who)) = self.client.call(Command::WhoAmI).await
        {
            self.own_name = Some(who.name);
        }
        let changed = events.iter().any(|event| matches!(event, Event::KeyChanged { .. }));
        for event in events.iter().filter(|event| !matches!(event, Event::KeyChanged { .. })) {
            self.tell_event(event);
        }
        // The list is asked for, because a key that changed may have been accepted by this very command.
        if (changed || self.looks_for_keys)
            && let Ok(Reply::ChangedKeys(rows)) = self.client.call(Command::ChangedKeys).await
        {
            for row in rows {
                if row.was_verified || !failure.is_some_and(|failure| is_about(failure, &row.name)) {
                    self.say(key_changed(&row.name, row.was_verified));
                }
            }
        }
        if self.shows_store
            && failure.is_none()
            && let Ok(Reply::Status(status)) = self.client.call(Command::Status).await
            && !status.online
        {
            let reason = if status.reason.is_empty() { "the server is not reached" } else { &status.reason };
            self.say(format!("offline ({}); showing what is on this device", safe(reason)));
        }
    }

    /// Says what came at the very end, when the client is closed.
    pub async fn tell_rest(mut self) {
        for event in self.arrived().await {
            self.tell_event(&event);
        }
    }

    fn tell_event(&mut self, event: &Event) {
        match event {
            Event::Warning { message, .. } => self.say(safe(message)),
            Event::KeyChanged { name, was_verified } => self.say(key_changed(name, *was_verified)),
            Event::Left { chat, name }
                if !self.leaves && chat.starts_with('#') && self.own_name.as_ref() == Some(name) =>
            {
                self.say(format!("you are no longer a member of {}", safe(chat)));
            }
            _ => {}
        }
    }

    /// The events that are there, without waiting for more.
    async fn arrived(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(Ok(Some(notice))) = self.events.next().now_or_never() {
            if let Notice::Event(told) = notice {
                events.push(told.event);
            }
        }
        events
    }

    fn say(&mut self, line: String) {
        if !self.said.contains(&line) {
            eprintln!("{line}");
            self.said.insert(line);
        }
    }
}

/// Whether a failure says already that this person's key changed.
fn is_about(failure: &Failure, name: &str) -> bool {
    failure.kind == "key_changed" && failure.message.contains(&format!("@{name} "))
}

/// What is said of a key that changed and is not accepted.
pub fn key_changed(name: &str, was_verified: bool) -> String {
    let name = safe(name);
    let alarm = if was_verified { "ALARM: " } else { "" };
    let compared = if was_verified { ", and you had compared the old one" } else { "" };
    format!("{alarm}@{name}'s key changed{compared}; compare with 'verify @{name}', then 'accept @{name}'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_key_says_what_to_do_and_an_alarm_is_louder() {
        let plain = key_changed("bob", false);
        assert_eq!(plain, "@bob's key changed; compare with 'verify @bob', then 'accept @bob'");
        let alarm = key_changed("bob\u{1b}[2J", true);
        assert!(alarm.starts_with("ALARM") && alarm.contains("had compared") && !alarm.contains('\u{1b}'), "{alarm}");
    }
}
